import type { Clock } from '@worldline/ports';

interface Waiting {
  readonly atMonoNs: bigint;
  readonly order: number;
  readonly fn: () => void;
}

export interface VirtualClockStart {
  /** Default: 2023-11-14T22:13:20Z, the instant of the golden journals. */
  readonly wallNs?: bigint | undefined;
  /** Default 0. */
  readonly monoNs?: bigint | undefined;
}

/** A clock that stands still until it is told to move. Timers run inside the call that reaches them. */
export class VirtualClock implements Clock {
  #wallNs: bigint;
  #monoNs: bigint;
  #order = 0;
  readonly #waiting = new Set<Waiting>();

  constructor(start: VirtualClockStart = {}) {
    this.#wallNs = start.wallNs ?? 1_700_000_000_000_000_000n;
    this.#monoNs = start.monoNs ?? 0n;
  }

  wallNs(): bigint {
    return this.#wallNs;
  }

  monoNs(): bigint {
    return this.#monoNs;
  }

  /** A timer whose time has passed already runs at the next move, even one by 0 ns: never inside this call. */
  setTimer(atMonoNs: bigint, fn: () => void): () => void {
    const waiting = { atMonoNs, order: this.#order++, fn };
    this.#waiting.add(waiting);
    return () => {
      this.#waiting.delete(waiting);
    };
  }

  /** Monotonic time of the earliest timer; undefined when none is set. */
  get nextTimerNs(): bigint | undefined {
    return this.#first()?.atMonoNs;
  }

  /**
   * Moves both clocks and runs every timer on the way, in order of time and then of setting, each at its own time; also
   * those that a timer sets within the span.
   *
   * @throws RangeError for a negative step: monotonic time does not go back. Use `jumpWall` for a wall clock that does.
   */
  advance(ns: bigint): void {
    if (ns < 0n) throw new RangeError(`a clock cannot advance by ${ns} ns`);
    const end = this.#monoNs + ns;
    for (;;) {
      const next = this.#first();
      if (next === undefined || next.atMonoNs > end) break;
      this.#waiting.delete(next);
      this.#moveTo(next.atMonoNs);
      next.fn();
    }
    this.#moveTo(end);
  }

  advanceMs(ms: number): void {
    this.advance(BigInt(Math.round(ms * 1e6)));
  }

  /** Steps the wall clock alone, either way, as an operator or NTP would. */
  jumpWall(ns: bigint): void {
    this.#wallNs += ns;
  }

  #moveTo(monoNs: bigint): void {
    if (monoNs <= this.#monoNs) return;
    this.#wallNs += monoNs - this.#monoNs;
    this.#monoNs = monoNs;
  }

  #first(): Waiting | undefined {
    let first: Waiting | undefined;
    for (const one of this.#waiting) {
      if (
        first === undefined ||
        one.atMonoNs < first.atMonoNs ||
        (one.atMonoNs === first.atMonoNs && one.order < first.order)
      ) {
        first = one;
      }
    }
    return first;
  }
}
