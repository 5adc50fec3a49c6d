import { u64be } from '@worldline/canon';

/** How the contract's values stand in columns. */

/** Instants are signed 64-bit ns: later ones read back as this one, in the year 2262. */
export const LAST_NS: bigint = 2n ** 63n - 1n;

const NO_BYTES = new Uint8Array(0);

export function bounded(ns: bigint): bigint {
  return ns > LAST_NS ? LAST_NS : ns;
}

export function later(ns: bigint, ms: number): bigint {
  return bounded(ns + BigInt(Math.round(ms)) * 1_000_000n);
}

export function itemBytes(seq: number): Uint8Array {
  return seq === 0 ? NO_BYTES : u64be(seq);
}

/** @throws TypeError for bytes that are neither empty nor a seq of this store. */
export function itemNumber(bytes: Uint8Array): number {
  if (bytes.length !== 0 && bytes.length !== 8) throw new TypeError('an inbox seq has 8 bytes');
  let seq = 0;
  for (const byte of bytes) seq = seq * 256 + byte;
  if (!Number.isSafeInteger(seq)) throw new TypeError('an inbox seq of this store is below 2^53');
  return seq;
}
