import { processUs, threadUs } from '../cpu-time.mjs';
import { OfflineWorld } from '../offline-world.mjs';

/** This thread's time, or that of all of them where Node does not know it. */
const cpuUs = () => threadUs() ?? processUs();

const AT_ONCE = 16;
const STRETCH = 4_000;

/**
 * The kernel alone, as it decides live work: processor time of this thread per step of runs of ten, receipts signed in
 * groups of 16, handing the batches to the store included, the store's own thread not.
 */
export async function apply(bench) {
  const world = await OfflineWorld.create(bench.folder('apply'));
  const stretches = bench.pick({ full: 60, quick: 10, check: 8 });
  await world.fill(bench.pick({ full: 60_000, quick: 20_000, check: 20_000 }));
  const receiptUs = [];
  const onRound = (ms) => receiptUs.push((ms * 1000) / AT_ONCE);
  let us = 0;
  const from = { steps: world.steps, height: world.kernel.head.height };
  for (let n = 0; n < stretches; n++) {
    bench.cpu.sample();
    const began = cpuUs();
    await world.fill(world.kernel.head.height + STRETCH, { atOnce: AT_ONCE, onRound });
    us += cpuUs() - began;
  }
  const steps = world.steps - from.steps;
  const records = world.kernel.head.height - from.height;
  await world.close();
  return [
    {
      id: 'apply',
      what: 'the kernel alone, per step',
      value: us / steps,
      unit: 'µs',
      note: `${steps} steps; ${Math.round((records / us) * 1e6)} records per second of processor time`,
      gate: bench.cpu.gate(receiptUs),
    },
  ];
}
