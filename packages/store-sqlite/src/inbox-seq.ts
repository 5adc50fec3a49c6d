import { u64be } from '@worldline/canon';

/** Inbox seqs are u64be, so that their bytes sort as the numbers do; no bytes at all stand before the first item. */
export function seqBytes(seq: number): Uint8Array {
  return seq === 0 ? new Uint8Array(0) : u64be(seq);
}

/** @throws TypeError for bytes that are no seq of this store: a caller's bug. */
export function seqNumber(bytes: Uint8Array): number {
  if (bytes.length !== 0 && bytes.length !== 8) throw new TypeError('an inbox seq has 8 bytes');
  let seq = 0;
  for (const byte of bytes) seq = seq * 256 + byte;
  if (!Number.isSafeInteger(seq)) throw new TypeError('an inbox seq of this store is below 2^53');
  return seq;
}
