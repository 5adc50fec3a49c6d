import type { EffectAdapter } from '@worldline/ports';

/** What waits for its turn; `state` says whether it still does. */
export interface Queued {
  readonly adapter: EffectAdapter | undefined;
  readonly state: string;
}

/** Requests that an adapter without a number of its own performs at once. */
const IN_FLIGHT = 16;

interface Lane<F> {
  readonly maxInFlight: number;
  inFlight: number;
  waiting: F[];
  /** Index of the next one in `waiting`. */
  next: number;
}

/**
 * How many effects are performed at once: a lane for each adapter, and one number over all of them.
 *
 * N1  No more are running than `effects.max_in_flight`, and none of an adapter than it takes.
 * N2  Effects of one adapter begin in the order they came. While both numbers allow it, none waits.
 * N3  What is no longer `queued` when its turn comes is passed over.
 */
export class Lanes<F extends Queued> {
  readonly #lanes = new Map<EffectAdapter, Lane<F>>();
  readonly #maxInFlight: number;
  readonly #begin: (flight: F) => void;
  readonly #running = new Set<F>();

  /** @param begin - called when a turn has come; the place is taken until `leave`, which may come from inside the call. */
  constructor(adapters: readonly EffectAdapter[], maxInFlight: number, begin: (flight: F) => void) {
    this.#maxInFlight = maxInFlight;
    this.#begin = begin;
    for (const adapter of adapters) {
      const lane = { maxInFlight: adapter.maxConcurrency ?? IN_FLIGHT, inFlight: 0, waiting: [], next: 0 };
      this.#lanes.set(adapter, lane);
    }
  }

  /** Those whose turn has come, until they leave. */
  get running(): ReadonlySet<F> {
    return this.#running;
  }

  enter(flight: F): void {
    const lane = this.#laneOf(flight);
    lane.waiting.push(flight);
    this.#fill(lane);
  }

  /** Gives the place to whoever waits. Nothing for one that has none. */
  leave(flight: F): void {
    if (!this.#running.delete(flight)) return;
    const own = this.#laneOf(flight);
    own.inFlight--;
    this.#fill(own);
    // The overall limit may have held back another adapter's effects.
    for (const lane of this.#lanes.values()) {
      if (this.#running.size >= this.#maxInFlight) break;
      if (lane !== own && lane.next < lane.waiting.length) this.#fill(lane);
    }
  }

  #laneOf(flight: F): Lane<F> {
    return this.#lanes.get(flight.adapter!)!;
  }

  #fill(lane: Lane<F>): void {
    while (
      lane.next < lane.waiting.length &&
      lane.inFlight < lane.maxInFlight &&
      this.#running.size < this.#maxInFlight
    ) {
      const flight = lane.waiting[lane.next++]!;
      // Settled by somebody else while it waited.
      if (flight.state !== 'queued') continue;
      lane.inFlight++;
      this.#running.add(flight);
      this.#begin(flight);
    }
    if (lane.next > 0 && lane.next === lane.waiting.length) {
      lane.waiting = [];
      lane.next = 0;
    } else if (lane.next > 1024) {
      lane.waiting = lane.waiting.slice(lane.next);
      lane.next = 0;
    }
  }
}
