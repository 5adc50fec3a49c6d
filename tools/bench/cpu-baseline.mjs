// What this processor does right now: a fixed piece of work that uses nothing of this project.
import { performance } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import { fixedWork } from './fixed-work.mjs';
import { floor, percentile } from './statistics.mjs';

const CHUNKS = 15;
const UNITS_PER_CHUNK = 150;
const BUSY_UNITS = 10;

/**
 * The fixed work runs in a thread of its own, whose heap holds nothing else, so that it costs the same whatever the
 * measured world keeps. The caller sleeps meanwhile: take samples when nothing else of this process computes.
 *
 * A sample is the median of chunks so short (under a millisecond) that most are not interrupted: it shows how fast the
 * processor computes, and not how long one had to wait for it.
 */
export class CpuBaseline {
  /** Turns asked for, turns done. */
  #turns = new Int32Array(new SharedArrayBuffer(8));
  #result = new Float64Array(new SharedArrayBuffer(8));
  #thread;
  #samples = [];
  #busySamples = [];

  constructor() {
    Atomics.store(this.#turns, 1, -1);
    this.#thread = new Worker(new URL('./cpu-work.mjs', import.meta.url), {
      workerData: { turns: this.#turns, result: this.#result, units: UNITS_PER_CHUNK, chunks: CHUNKS },
    });
    this.#thread.unref();
  }

  /** Resolves when the thread is warm. */
  async ready() {
    // The thread starts only while this one's event loop turns.
    while (Atomics.load(this.#turns, 1) < 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  /** Some milliseconds of the fixed work. */
  sample() {
    const turn = Atomics.add(this.#turns, 0, 1) + 1;
    Atomics.notify(this.#turns, 0);
    for (;;) {
      const done = Atomics.load(this.#turns, 1);
      if (done === turn) break;
      Atomics.wait(this.#turns, 1, done);
    }
    this.#samples.push(this.#result[0]);
  }

  /** The undisturbed unit as far as the samples show, microseconds. */
  unitUs() {
    return floor(this.#samples.length > 0 ? this.#samples : [this.sample()]);
  }

  /**
   * The gate of a figure that computes.
   *
   * @param us - microseconds of many short stretches of the same work; samples of the unit were taken between them.
   */
  gate(us) {
    return { value: floor(us) / this.unitUs(), unit: 'CPU units', better: 'lower' };
  }

  /**
   * A little of the fixed work in this thread, in the middle of what it does otherwise: what that and the neighbours left
   * of the caches decides how fast it is, as it does for what is measured.
   */
  busySample() {
    const began = performance.now();
    fixedWork(BUSY_UNITS);
    this.#busySamples.push(((performance.now() - began) * 1000) / BUSY_UNITS);
  }

  /**
   * The gate of a figure that computes a little between one sleep and the next. Takes the busy samples with it.
   *
   * @param us - processor microseconds of each time; a busy sample was taken after each.
   */
  busyGate(us) {
    const value = percentile(us, 0.25) / percentile(this.#busySamples.splice(0), 0.25);
    return { value, unit: 'busy CPU units', better: 'lower' };
  }

  async close() {
    await this.#thread.terminate();
  }
}
