import { availableParallelism } from 'node:os';

/**
 * How long a thread that waits for another should stay awake instead of going to sleep.
 *
 * Where a processor that has gone to sleep takes 0.1 ms to wake up, as virtual ones do, two sleeping threads double the
 * time of a step that hands over twice. So whoever expects the other within a fraction of a millisecond stays awake for
 * it. With one processor that would only keep the other from running.
 *
 * A1  Nobody stays awake after a wait that was long: a slow disk or an idle world costs nothing.
 */
export class ShortWait {
  readonly #maxMs: number;
  #typicalMs: number;

  /** @param maxMs - longest time to stay awake. */
  constructor(maxMs: number, processors = availableParallelism()) {
    this.#maxMs = processors > 1 ? maxMs : 0;
    this.#typicalMs = maxMs;
  }

  /** 0: go to sleep at once. */
  get awakeMs(): number {
    return this.#typicalMs <= this.#maxMs / 2 ? this.#maxMs : 0;
  }

  /** What a wait took. One long wait does not hide that most are short. */
  took(ms: number): void {
    this.#typicalMs += (Math.min(ms, 2 * this.#maxMs) - this.#typicalMs) / 8;
  }
}
