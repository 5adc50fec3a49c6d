import { performance } from 'node:perf_hooks';
import { processUs, threadUs } from '../cpu-time.mjs';
import { DiskBaseline } from '../disk-baseline.mjs';
import { OfflineWorld } from '../offline-world.mjs';
import { floor, median } from '../statistics.mjs';

/** This thread's time, or that of all of them where Node does not know it. */
const cpuUs = () => threadUs() ?? processUs();

const FEW = 100;
const MANY = 1_000;
/** About what a child makes durable; what it is exactly changes a sync of so few bytes by nothing. */
const CHILD_BYTES = 1000;

/**
 * One run that starts 1 000 children, each of which does one step and answers, and waits at a barrier until all have
 * ended. The kernel alone, against ten runs of 100 children, because a child should cost the same however many it has
 * beside it; and in a world as `worldline run` opens it.
 */
export async function fanOut(bench) {
  return [...(await kernelAlone(bench)), ...(await wholeWorld(bench))];
}

async function kernelAlone(bench) {
  const world = await OfflineWorld.create(bench.folder('fan-out'));
  const rounds = bench.pick({ full: 30, quick: 5, check: 8 });
  for (let n = 0; n < 4; n++) await world.fanOut(MANY);
  const perChild = { [FEW]: [], [MANY]: [] };
  const stretches = { spread: [], settle: [] };
  for (let round = 0; round < rounds; round++) {
    for (const children of [FEW, MANY]) {
      bench.cpu.sample();
      const began = cpuUs();
      for (let n = 0; n < MANY / children; n++) {
        await world.fanOut(children, {
          onStretch: (which, ms) => {
            if (children === MANY) stretches[which].push(ms * 1000);
          },
        });
      }
      await world.flush();
      perChild[children].push((cpuUs() - began) / MANY);
    }
  }
  await world.close();
  const [few, many] = [floor(perChild[FEW]), floor(perChild[MANY])];
  return [
    {
      id: 'fan_out',
      what: `fan-out of ${MANY} children with a barrier, the kernel alone, per child`,
      value: median(perChild[MANY]),
      unit: 'µs',
      note: `processor time, median of ${rounds}; starting all of them ${(median(stretches.spread) / 1000).toFixed(1)} ms, the receipt and the end of each ${median(stretches.settle).toFixed(0)} µs`,
      gate: bench.cpu.gate(stretches.settle),
    },
    {
      id: 'fan_out_growth',
      what: `a child of ${MANY} against one of ${FEW}`,
      value: many / few,
      unit: '×',
      note: `${many.toFixed(0)} to ${few.toFixed(0)} µs of processor time, fastest tenth of ${rounds} rounds in turns`,
      gate: { value: many / few, unit: '×', better: 'lower' },
    },
  ];
}

async function wholeWorld(bench) {
  const live = await bench.live();
  const disk = new DiskBaseline(bench.dir);
  const rounds = bench.pick({ full: 20, quick: 5, check: 6 });
  const run = () =>
    live.run('bench/fan_out@1', { items: Array.from({ length: MANY }, () => ({ run: live.nextRun() })) });
  for (let n = 0; n < 3; n++) await run();
  const [wallMs, allUs, rawMs] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    const [began, us] = [performance.now(), processUs()];
    await run();
    wallMs.push(performance.now() - began);
    allUs.push((processUs() - us) / MANY);
    for (let n = 0; n < 10; n++) bench.cpu.busySample();
    for (let n = 0; n < 20; n++) rawMs.push(disk.sync(CHILD_BYTES));
  }
  disk.close();
  const perChild = median(wallMs) / MANY;
  return [
    {
      id: 'fan_out_world',
      what: `the same in a world on SQLite, from the start to the durable end, per child`,
      value: perChild * 1000,
      unit: 'µs',
      note: `${median(wallMs).toFixed(0)} ms in all, median of ${rounds}; ${(median(rawMs) / perChild).toFixed(1)} children per raw sync of ${median(rawMs).toPrecision(3)} ms; processor time of all threads ${median(allUs).toFixed(0)} µs`,
      gate: bench.cpu.busyGate(allUs),
    },
  ];
}
