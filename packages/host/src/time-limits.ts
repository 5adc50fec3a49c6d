import type { Clock } from '@worldline/ports';

/** What has a time limit. */
export interface Limited {
  /** By the monotonic clock; all its attempts together end by then. */
  readonly deadlineNs: bigint;
  isExpired: boolean;
  /** Fires its signal. */
  abort(reason: string): void;
}

/** How long an adapter may ignore its signal before its result is given up. */
const ABORT_GRACE_NS = 5_000_000_000n;

export interface TimeLimitsParts<F> {
  readonly clock: Clock;
  readonly running: Iterable<F>;
  /** It ignored its signal for as long as it may, and has to leave `running`. */
  readonly giveUp: (flight: F) => void;
}

/** Time limits of all effects that are running (`host.md` §3.5), with one timer for the nearest. */
export class TimeLimits<F extends Limited> {
  readonly #parts: TimeLimitsParts<F>;
  #atNs: bigint | undefined;
  #cancel: (() => void) | undefined;
  #isStopped = false;

  constructor(parts: TimeLimitsParts<F>) {
    this.#parts = parts;
  }

  /** Something that ends at `atNs` has begun to run. */
  watch(atNs: bigint): void {
    if (this.#isStopped || (this.#atNs !== undefined && this.#atNs <= atNs)) return;
    this.#cancel?.();
    this.#atNs = atNs;
    this.#cancel = this.#parts.clock.setTimer(atNs, () => this.#sweep());
  }

  #sweep(): void {
    this.#atNs = undefined;
    const now = this.#parts.clock.monoNs();
    let nextNs: bigint | undefined;
    for (const flight of [...this.#parts.running]) {
      if (!flight.isExpired && flight.deadlineNs <= now) {
        flight.isExpired = true;
        flight.abort('timeout');
      }
      const endNs = flight.isExpired ? flight.deadlineNs + ABORT_GRACE_NS : flight.deadlineNs;
      if (flight.isExpired && endNs <= now) this.#parts.giveUp(flight);
      else if (nextNs === undefined || endNs < nextNs) nextNs = endNs;
    }
    if (nextNs !== undefined) this.watch(nextNs);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }
}
