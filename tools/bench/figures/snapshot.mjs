import { performance } from 'node:perf_hooks';
import { median } from '../statistics.mjs';

const TOUCHED = 10;

/**
 * A snapshot after ten of many instances have changed: the time to work it out, and what it writes. Ten of 1 000
 * beside it, because the cost should follow what changes, not what exists (D7).
 */
export async function snapshot(bench) {
  const many = bench.pick({ full: 100_000, quick: 20_000, check: 10_000 });
  const rounds = bench.pick({ full: 40, quick: 15, check: 15 });
  const worlds = [await bench.parked(1_000), await bench.parked(many)];
  const taken = [[], []];
  for (const { world } of worlds) await world.snapshot();
  for (let n = 0; n < rounds; n++) {
    bench.cpu.sample();
    for (const [which, { world, runs }] of worlds.entries()) {
      for (let k = 0; k < TOUCHED / 2; k++) {
        const [run] = runs.splice((runs.length * 0.618) | 0, 1);
        world.apply(world.prepareSignal(run));
      }
      runs.push(...(await world.park(TOUCHED / 2)));
      const began = performance.now();
      world.kernel.snapshot();
      const ms = performance.now() - began;
      const objects = await world.snapshot();
      taken[which].push({
        ms,
        objects: objects.length,
        bytes: objects.reduce((sum, o) => sum + o.bytes.length, 0),
      });
    }
  }
  const [few, lots] = taken;
  const middle = (list, of) => median(list.map(of));
  return [
    {
      id: 'snapshot',
      what: `snapshot after ${TOUCHED} of ${many} changed`,
      value: middle(lots, (t) => t.ms),
      unit: 'ms',
      note: `${middle(lots, (t) => t.objects)} nodes of ${Math.round(middle(lots, (t) => t.bytes))} bytes in all; median of ${rounds}`,
      gate: bench.cpu.gate(lots.map((t) => t.ms * 1000)),
    },
    {
      id: 'snapshot_ratio',
      what: `the same against ${TOUCHED} of 1000`,
      value: middle(lots, (t) => t.ms) / middle(few, (t) => t.ms),
      unit: '×',
      note: `${middle(few, (t) => t.objects)} nodes of ${Math.round(middle(few, (t) => t.bytes))} bytes`,
    },
  ];
}
