import { processUs, threadUs } from '../cpu-time.mjs';
import { OfflineWorld } from '../offline-world.mjs';
import { median } from '../statistics.mjs';

/** This thread's time, or that of all of them where Node does not know it. */
const cpuUs = () => threadUs() ?? processUs();

/**
 * The kernel alone, as it decides live work: processor time of this thread per step of runs of ten, receipts signed in
 * groups of 64, handing the groups to the store included, the store's own thread not.
 */
export async function apply(bench) {
  const world = await OfflineWorld.create(bench.folder('apply'));
  const stretch = bench.pick({ full: 40_000, quick: 10_000, check: 8_000 });
  const stretches = bench.pick({ full: 8, quick: 3, check: 4 });
  await world.fill(bench.pick({ full: 60_000, quick: 20_000, check: 20_000 }));
  const taken = [];
  for (let n = 0; n < stretches; n++) {
    const unitBefore = bench.cpu.sample();
    const from = { cpu: cpuUs(), steps: world.steps, height: world.kernel.head.height };
    await world.fill(from.height + stretch);
    const us = cpuUs() - from.cpu;
    const unitUs = (unitBefore + bench.cpu.sample()) / 2;
    const records = world.kernel.head.height - from.height;
    taken.push({ perStep: us / (world.steps - from.steps), perRecord: us / records, unitUs });
  }
  await world.close();
  return [
    {
      id: 'apply',
      what: 'the kernel alone, per step',
      value: median(taken.map((t) => t.perStep)),
      unit: 'µs',
      note: `${Math.round(1e6 / median(taken.map((t) => t.perRecord)))} records per second of processor time`,
      gate: { value: median(taken.map((t) => t.perStep / t.unitUs)), unit: 'CPU units', better: 'lower' },
    },
  ];
}
