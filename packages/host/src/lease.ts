import { FailureError } from '@worldline/canon';
import type { Clock, Logger, Store } from '@worldline/ports';

export interface LeaseTimes {
  readonly ttlMs: number;
  readonly renewMs: number;
  /** The worker stops applying when less than this remains. */
  readonly safetyMs: number;
  /** Largest difference between this machine's wall clock and the store's. */
  readonly maxSkewMs: number;
}

export const LEASE_TIMES: LeaseTimes = { ttlMs: 15_000, renewMs: 5_000, safetyMs: 3_000, maxSkewMs: 2_000 };

/** Why a lease ended against the holder's will. */
export type LeaseLoss =
  | 'fenced'
  | 'expired'
  /** It ran out while the store could not renew it. */
  | 'unavailable'
  | 'skewed'
  /** The store is damaged. */
  | 'damaged';

/**
 * One world's lease, kept alive (`hosting.md` §6).
 *
 * L3  Remaining time is judged by this process's monotonic clock, counted from the moment a renewal was *sent*.
 */
export class Lease {
  readonly worldId: string;
  readonly worker: string;
  readonly epoch: number;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #times: LeaseTimes;
  readonly #log: Logger;
  #sentNs: bigint;
  #cancel: (() => void) | undefined;
  #released = false;
  #onLost: ((loss: LeaseLoss, reason?: string) => void) | undefined;
  #onRenewed: (() => void) | undefined;
  /** Why the last renewal failed; absent after one that did not. */
  trouble: string | undefined;

  /** @param sentNs - monotonic time at which the acquisition was sent. */
  constructor(
    grant: { readonly worldId: string; readonly worker: string; readonly epoch: number; readonly sentNs: bigint },
    parts: { readonly store: Store; readonly clock: Clock; readonly times: LeaseTimes; readonly log: Logger },
  ) {
    this.worldId = grant.worldId;
    this.worker = grant.worker;
    this.epoch = grant.epoch;
    this.#sentNs = grant.sentNs;
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#times = parts.times;
    this.#log = parts.log;
  }

  /** Begins renewing. `onLost` is called once; `onRenewed` when applying may go on after a pause. */
  start(onLost: (loss: LeaseLoss, reason?: string) => void, onRenewed: () => void): void {
    this.#onLost = onLost;
    this.#onRenewed = onRenewed;
    this.#arm(this.#times.renewMs);
  }

  /** Whether enough time is left to apply and commit something. */
  mayApply(): boolean {
    return this.#remainingNs() >= BigInt(this.#times.safetyMs) * 1_000_000n;
  }

  get expired(): boolean {
    return this.#remainingNs() <= 0n;
  }

  #remainingNs(): bigint {
    return this.#sentNs + BigInt(this.#times.ttlMs) * 1_000_000n - this.#clock.monoNs();
  }

  /** Renews now. @returns false when the lease is gone. */
  async renew(): Promise<boolean> {
    const sentNs = this.#clock.monoNs();
    const answer = await this.#store.lease.renew(this.worldId, this.worker, this.epoch, this.#times.ttlMs);
    if (this.#released) return false;
    if (answer.answer === 'fenced') {
      this.#lost(this.lossBy(answer.epoch), this.trouble);
      return false;
    }
    if (answer.answer === 'unavailable') {
      this.trouble = answer.message;
      this.#log.warn('the lease could not be renewed', { reason: answer.message });
      if (this.expired) {
        this.#lost('unavailable', answer.message);
        return false;
      }
      return true;
    }
    this.#sentNs = sentNs;
    this.trouble = undefined;
    if (isSkewed(this.#clock.wallNs(), answer.storeNowNs, this.#times)) {
      this.#lost('skewed');
      return false;
    }
    this.#onRenewed?.();
    return true;
  }

  /**
   * Why the store answers `fenced`.
   *
   * @param epoch - the one it knows: our own means that nobody took the world, and the lease ran out.
   */
  lossBy(epoch: number): 'fenced' | 'expired' | 'unavailable' {
    if (epoch !== this.epoch) return 'fenced';
    return this.trouble === undefined ? 'expired' : 'unavailable';
  }

  async release(): Promise<void> {
    this.stop();
    this.#released = true;
    await this.#store.lease.release(this.worldId, this.worker, this.epoch);
  }

  /** No further renewals. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#onLost = undefined;
  }

  #lost(loss: LeaseLoss, reason?: string): void {
    const onLost = this.#onLost;
    this.stop();
    onLost?.(loss, reason);
  }

  #arm(afterMs: number): void {
    this.#cancel = this.#clock.setTimer(this.#clock.monoNs() + BigInt(afterMs) * 1_000_000n, () => {
      const before = this.#onLost;
      this.renew().then(
        () => {
          // After a failed attempt the next one comes sooner: what remains is short.
          if (this.#onLost !== undefined && this.#onLost === before)
            this.#arm(this.mayApply() ? this.#times.renewMs : 500);
        },
        (error: unknown) => {
          this.#log.error('lease renewal failed', { error: String(error) });
          if (error instanceof FailureError) this.#lost('damaged', error.failure.message);
          else if (this.expired) this.#lost('unavailable', String(error));
          else if (this.#onLost !== undefined) this.#arm(500);
        },
      );
    });
  }
}

/** `hosting.md` §8.4: a clock far off would age every deadline of the world for good. */
export function isSkewed(wallNs: bigint, storeNowNs: bigint, times: LeaseTimes): boolean {
  const off = wallNs - storeNowNs;
  return (off < 0n ? -off : off) > BigInt(times.maxSkewMs) * 1_000_000n;
}
