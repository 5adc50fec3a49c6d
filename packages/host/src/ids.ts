import { randomBytes } from 'node:crypto';

/** A UUIDv7 (RFC 9562 §5.7): sortable by time of making, unique without asking anybody. */
export function uuidv7(wallNs: bigint): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Number(wallNs / 1_000_000n) % 2 ** 48, 0, 6);
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
