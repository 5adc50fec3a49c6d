import { concatBytes } from './bytes.ts';

/**
 * Frames (`journal.md` §2): a batch as it lies in a segment file or an archive.
 *
 * `u32le length of body ‖ u32le CRC-32C(chain ‖ body) ‖ chain (32 bytes, after this batch) ‖ body`
 */
export interface Frame {
  readonly chain: Uint8Array;
  readonly body: Uint8Array;
}

const HEAD_BYTES = 40;

export function encodeFrame({ chain, body }: Frame): Uint8Array {
  const head = new Uint8Array(8);
  const view = new DataView(head.buffer);
  view.setUint32(0, body.length, true);
  view.setUint32(4, crc32c(chain, body), true);
  return concatBytes(head, chain, body);
}

/**
 * The frame that begins at `at`; its bytes are views.
 *
 * @returns undefined when it is short or its checksum is not that of its bytes: an interrupted append if nothing valid
 *   follows, damage otherwise.
 */
export function decodeFrame(bytes: Uint8Array, at: number): (Frame & { readonly end: number }) | undefined {
  if (at < 0 || at + HEAD_BYTES > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = at + HEAD_BYTES + view.getUint32(at, true);
  if (end > bytes.length) return undefined;
  const chain = bytes.subarray(at + 8, at + HEAD_BYTES);
  const body = bytes.subarray(at + HEAD_BYTES, end);
  return crc32c(chain, body) === view.getUint32(at + 4, true) ? { chain, body, end } : undefined;
}

/** CRC-32C (Castagnoli, RFC 3720 appendix B.4) over the parts in order. */
export function crc32c(...parts: readonly Uint8Array[]): number {
  let crc = 0xffff_ffff;
  for (const part of parts) for (const byte of part) crc = TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffff_ffff) >>> 0;
}

/** The polynomial 0x1EDC6F41, reflected. */
const POLYNOMIAL = 0x82f6_3b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  return crc;
});
