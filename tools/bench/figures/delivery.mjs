import { performance } from 'node:perf_hooks';
import { floor, median, percentile } from '../statistics.mjs';

const BLOCK = 20;

/**
 * One event for one of 1 000 and for one of 100 000 parked instances, in turns, as the kernel delivers it: from the
 * ingress to the batch, in which that instance wakes and ends. Once with all instances in memory, once with none, so
 * that each is read from the store first; what the kernel itself takes then is told apart from what it waits for the store.
 */
export async function delivery(bench) {
  const many = bench.pick({ full: 100_000, quick: 20_000, check: 10_000 });
  const blocks = bench.pick({ full: 100, quick: 30, check: 30 });
  const worlds = [await bench.parked(1_000), await bench.parked(many)];
  const rows = [];
  rows.push(...(await compare(bench, worlds, blocks, many, 'resident', 'in memory')));
  for (const { world } of worlds) {
    await world.snapshot();
    await world.reopen({ residentMax: 0 });
  }
  rows.push(...(await compare(bench, worlds, blocks, many, 'stored', 'in the store')));
  return rows;
}

async function compare(bench, worlds, blocks, many, id, where) {
  const taken = [[], []];
  const alone = [[], []];
  for (let n = 0; n < blocks; n++) {
    bench.cpu.sample();
    for (const [which, { world, runs }] of worlds.entries()) {
      // A fixed stride visits instances far from one another, each once.
      const signals = Array.from({ length: BLOCK }, () => world.prepareSignal(pickOne(runs)));
      for (const signal of signals) {
        const [began, read] = [performance.now(), world.readUs];
        world.apply(signal);
        const us = (performance.now() - began) * 1000;
        taken[which].push(us);
        alone[which].push(us - (world.readUs - read));
      }
      runs.push(...(await world.park(BLOCK)));
      if (id === 'stored') await world.snapshot();
    }
  }
  const [few, lots] = taken.map(median);
  const [fewAlone, lotsAlone] = alone.map(median);
  const count = blocks * BLOCK;
  return [
    {
      id: `delivery_${id}`,
      what: `correlated delivery, ${many} parked against 1000, ${where}`,
      value: lots / few,
      unit: '×',
      bound: { max: 1.5 },
      note: `${lots.toFixed(0)} to ${few.toFixed(0)} µs, medians of ${count} each; p95 ${percentile(taken[1], 0.95).toFixed(0)} to ${percentile(taken[0], 0.95).toFixed(0)} µs`,
      gate: { value: floor(taken[1]) / floor(taken[0]), unit: '×', better: 'lower' },
    },
    {
      id: `delivery_among_${id}`,
      what: `correlated delivery among ${many}, ${where}, the kernel itself`,
      value: lotsAlone,
      unit: 'µs',
      bound: { max: 100 },
      note: `median of ${count}; ${fewAlone.toFixed(0)} µs among 1000, so ${(lotsAlone / fewAlone).toFixed(2)} ×; with what the store takes ${lots.toFixed(0)} and ${few.toFixed(0)} µs`,
      // Without the store: how long a disk's cache takes says nothing about this code.
      gate: bench.cpu.gate(alone[1]),
    },
  ];
}

/** Takes one out of the list, far from the one before. */
function pickOne(runs) {
  const at = (runs.length * 0.618) | 0;
  const [run] = runs.splice(at, 1);
  return run;
}
