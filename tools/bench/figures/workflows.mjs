import { performance } from 'node:perf_hooks';
import { processUs, threadUs } from '../cpu-time.mjs';
import { DiskBaseline } from '../disk-baseline.mjs';
import { Load, sleep } from '../load.mjs';
import { mean, median } from '../statistics.mjs';

const PLAN = 'bench/ten_steps@1';
/** Receipts over which processor time is taken for the comparison; more than one commit makes durable. */
const WINDOW = { 1: 20, 10: 50, 100: 400 };
/** About what a step makes durable; what it is exactly changes a sync of so few bytes by nothing. */
const STEP_BYTES = 1000;
const RAMP_MS = 300;
const RAW_SYNCS = 100;

const BOUNDS = { 1: 3_000, 10: 12_000, 100: 20_000 };

/**
 * Runs of ten steps in a row, 1, 10 and 100 at a time. Load and bare disk take turns: a stretch of load, of which the
 * first 0.3 s do not count, then 100 raw syncs. A stretch counts receipts that became durable in it.
 */
export async function workflows(bench) {
  const live = await bench.live();
  const warmUpMs = bench.pick({ full: 5_000, quick: 1_000, check: 2_000 });
  const stretchMs = bench.pick({ full: 3_000, quick: 1_000, check: 1_000 });
  const stretches = bench.pick({ full: 5, quick: 2, check: 3 });
  const disk = new DiskBaseline(bench.dir);
  const warmUp = new Load(live, PLAN, 100);
  await sleep(warmUpMs);
  await warmUp.stop();
  const rows = [];
  for (const concurrent of [1, 10, 100]) {
    const taken = [];
    for (let n = 0; n < stretches; n++) taken.push(await stretch(bench, live, disk, concurrent, stretchMs));
    rows.push(...rowsOf(bench, concurrent, taken));
  }
  disk.close();
  return rows;
}

async function stretch(bench, live, disk, concurrent, ms) {
  const load = new Load(live, PLAN, concurrent);
  await sleep(RAMP_MS);
  const from = { at: performance.now(), main: threadUs(), all: processUs(), steps: live.steps };
  const windows = watch(bench, live, WINDOW[concurrent]);
  await sleep(ms);
  windows.stop();
  const to = { at: performance.now(), main: threadUs(), all: processUs(), steps: live.steps };
  await load.stop();
  const rawMs = Array.from({ length: RAW_SYNCS }, () => disk.sync(STEP_BYTES));
  const steps = to.steps - from.steps;
  return {
    steps,
    seconds: (to.at - from.at) / 1000,
    mainUs: from.main === undefined ? undefined : (to.main - from.main) / steps,
    allUs: (to.all - from.all) / steps,
    windowUs: windows.us,
    rawMs: mean(rawMs),
  };
}

/** Processor microseconds per receipt, over windows of `size` receipts or a few more, with a unit after each. */
function watch(bench, live, size) {
  const us = [];
  let from = { steps: live.steps, at: processUs() };
  const stop = live.world.onBatch(() => {
    const count = live.steps - from.steps;
    if (count < size) return;
    us.push((processUs() - from.at) / count);
    bench.cpu.busySample();
    from = { steps: live.steps, at: processUs() };
  });
  return { us, stop };
}

function rowsOf(bench, concurrent, taken) {
  const sum = (of) => taken.reduce((total, one) => total + of(one), 0);
  const perSecond = sum((t) => t.steps) / sum((t) => t.seconds);
  const rates = taken.map((t) => t.steps / t.seconds);
  const allUs = median(taken.map((t) => t.allUs));
  const what = `ten steps, ${concurrent} at a time`;
  return [
    {
      id: `steps_per_s_${concurrent}`,
      what,
      value: perSecond,
      unit: 'steps/s',
      bound: { min: BOUNDS[concurrent] },
      note: `${sum((t) => t.steps)} steps in ${sum((t) => t.seconds).toFixed(1)} s; stretches ${Math.round(Math.min(...rates))} to ${Math.round(Math.max(...rates))}`,
    },
    {
      id: `steps_per_sync_${concurrent}`,
      what: `${what}, against the disk`,
      value: (perSecond * mean(taken.map((t) => t.rawMs))) / 1000,
      unit: 'steps per raw sync',
      note: `raw ${mean(taken.map((t) => t.rawMs)).toPrecision(3)} ms on average`,
    },
    {
      id: `step_cpu_${concurrent}`,
      what: `processor time of a step, ${concurrent} at a time, all threads`,
      value: allUs,
      unit: 'µs',
      note:
        taken[0].mainUs === undefined
          ? 'main thread not known to this Node'
          : `main thread ${Math.round(median(taken.map((t) => t.mainUs)))} µs`,
      gate: bench.cpu.busyGate(taken.flatMap((t) => t.windowUs)),
    },
  ];
}
