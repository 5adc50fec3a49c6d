import { hash } from 'node:crypto';

/**
 * One unit: make a small record, write it as text, hash it, read it back, file it under its hash. It is a mix of
 * allocation, text, hashing and look-ups, as the runtime's own work is, so that a slow processor, a full cache or a
 * neighbour on the other half of a core weigh on both alike.
 */
export function fixedWork(units) {
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
