/** Time as the host sees it (`host.md` §7.3). */
export interface Clock {
  /** Wall clock, ns since the Unix epoch. */
  wallNs(): bigint;
  /** Monotonic clock, ns since an arbitrary origin. */
  monoNs(): bigint;
  /** Calls `fn` once when `monoNs()` has reached `atMonoNs`. @returns a function that cancels it. */
  setTimer(atMonoNs: bigint, fn: () => void): () => void;
}
