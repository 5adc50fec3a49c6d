// The thread of the processor baseline: waits for its turn, does the fixed work, says that it is done.
import { performance } from 'node:perf_hooks';
import { workerData } from 'node:worker_threads';
import { fixedWork } from './fixed-work.mjs';
import { median } from './statistics.mjs';

const { turns, result, units, chunks } = workerData;
// The compiler's first passes are nobody's measure.
for (let n = 0; n < 20 * chunks; n++) fixedWork(units);
for (let turn = 0; ; turn++) {
  Atomics.store(turns, 1, turn);
  Atomics.notify(turns, 1);
  Atomics.wait(turns, 0, turn);
  const times = [];
  for (let n = 0; n < chunks; n++) {
    const began = performance.now();
    fixedWork(units);
    times.push(performance.now() - began);
  }
  result[0] = (median(times) * 1000) / units;
}
