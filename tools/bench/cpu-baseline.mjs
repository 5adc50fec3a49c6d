// What this processor does right now: a fixed piece of work that uses nothing of this project.
import { Worker } from 'node:worker_threads';
import { processUs } from './cpu-time.mjs';
import { median } from './statistics.mjs';

const UNITS = 2000;

/**
 * The fixed work runs in a thread of its own, whose heap holds nothing else, so that its garbage costs the same whatever
 * the measured world keeps. The caller sleeps meanwhile: take samples when nothing else of this process computes.
 */
export class CpuBaseline {
  /** Turns asked for, turns done. */
  #turns = new Int32Array(new SharedArrayBuffer(8));
  #thread;
  #samples = [];

  constructor() {
    Atomics.store(this.#turns, 1, -1);
    this.#thread = new Worker(new URL('./cpu-work.mjs', import.meta.url), {
      workerData: { turns: this.#turns, units: UNITS },
    });
    this.#thread.unref();
  }

  /** Resolves when the thread is warm. */
  async ready() {
    // The thread starts only while this one's event loop turns.
    while (Atomics.load(this.#turns, 1) < 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  /** Some milliseconds of the fixed work. @returns processor microseconds per unit. */
  sample() {
    const from = processUs();
    const turn = Atomics.add(this.#turns, 0, 1) + 1;
    Atomics.notify(this.#turns, 0);
    for (;;) {
      const done = Atomics.load(this.#turns, 1);
      if (done === turn) break;
      Atomics.wait(this.#turns, 1, done);
    }
    const us = (processUs() - from) / UNITS;
    this.#samples.push(us);
    return us;
  }

  /** Median of all samples so far, microseconds per unit. */
  typical() {
    return median(this.#samples.length > 0 ? this.#samples : [this.sample()]);
  }

  async close() {
    await this.#thread.terminate();
  }
}
