// The thread of the processor baseline: waits for its turn, does the fixed work, says that it is done.
import { hash } from 'node:crypto';
import { workerData } from 'node:worker_threads';

/**
 * One unit: make a small record, write it as text, hash it, read it back, file it under its hash. It is a mix of
 * allocation, text, hashing and look-ups, as the runtime's own work is, so that a slow processor, a full cache or a
 * neighbour on the other half of a core weigh on both alike.
 */
function work(units) {
  const filed = new Map();
  for (let i = 0; i < units; i++) {
    const record = {
      id: i,
      kind: 'unit',
      name: `record ${i}`,
      parent: { id: i >> 3, kind: 'unit' },
      params: { run: i * 7, step: i % 10, flags: [true, false, i % 2 === 0] },
      stamp: { at: `${1_700_000_000_000 + i}`, by: 'bench' },
    };
    const text = JSON.stringify(record);
    filed.set(hash('sha256', text, 'hex'), JSON.parse(text));
  }
  let sum = 0;
  for (const key of [...filed.keys()].sort()) sum += filed.get(key).params.run;
  return sum;
}

const { turns, units } = workerData;
// The compiler's first passes are nobody's measure.
for (let n = 0; n < 20; n++) work(units);
for (let turn = 0; ; turn++) {
  Atomics.store(turns, 1, turn);
  Atomics.notify(turns, 1);
  Atomics.wait(turns, 0, turn);
  work(units);
}
