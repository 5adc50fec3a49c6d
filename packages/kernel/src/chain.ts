import { concatBytes, sha256 } from '@worldline/canon';

/** Chain value before a world's first batch (`journal.md` §2). */
export const ZERO_CHAIN: Uint8Array = new Uint8Array(32);

/** Chain value after a batch: `sha256(previous ‖ body bytes)`. It identifies the journal up to and including it. */
export function nextChain(previous: Uint8Array, body: Uint8Array): Uint8Array {
  return sha256(concatBytes(previous, body));
}
