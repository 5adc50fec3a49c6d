import { sha256 } from '@worldline/canon';

/** Chain value before a world's first batch (`journal.md` §2). */
export const ZERO_CHAIN: Uint8Array = new Uint8Array(32);

const SCRATCH_BYTES = 64 * 1024;
/** Every batch passes here, and garbage of this size makes the collector visit all of a large world. */
const scratch = new Uint8Array(SCRATCH_BYTES);

/** Chain value after a batch: `sha256(previous ‖ body bytes)`. It identifies the journal up to and including it. */
export function nextChain(previous: Uint8Array, body: Uint8Array): Uint8Array {
  const length = previous.length + body.length;
  const whole = length <= SCRATCH_BYTES ? scratch.subarray(0, length) : new Uint8Array(length);
  whole.set(previous);
  whole.set(body, previous.length);
  return sha256(whole);
}
