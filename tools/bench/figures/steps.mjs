import { performance } from 'node:perf_hooks';
import { processUs, threadUs } from '../cpu-time.mjs';
import { DiskBaseline } from '../disk-baseline.mjs';
import { bytesWritten, sleeps } from '../process-counts.mjs';
import { mean, median, percentile } from '../statistics.mjs';

/** Bytes a batch makes durable: its body and the objects that came with it. */
function bytesOf(applied) {
  return applied.batch.body.length + applied.objects.reduce((sum, object) => sum + object.bytes.length, 0);
}

/** Lists of measurements, one entry per run. */
class Samples {
  stepMs = [];
  stepUs = [];
  stepSleeps = [];
  stepWritten = [];
  stepBytes = [];
  runMs = [];
  runMainUs = [];
  runUs = [];
  rawMs = [];
  rawSleeps = [];
}

/**
 * One step after the other: from the moment an intent is durable to the moment its receipt is, and whole runs of one
 * step. After every run the bare disk writes and syncs as many bytes as that step did.
 */
export async function steps(bench) {
  const live = await bench.live();
  const count = bench.pick({ full: 4000, quick: 600, check: 500 });
  const warmUp = bench.pick({ full: 1000, quick: 300, check: 300 });
  const disk = new DiskBaseline(bench.dir);
  let samples = new Samples();
  let from;
  const stop = live.world.onBatch((applied) => {
    const now = { at: performance.now(), us: processUs(), sleeps: sleeps(), written: bytesWritten() };
    if (applied.batch.settled.length > 0) {
      samples.stepMs.push(now.at - from.at);
      samples.stepUs.push(now.us - from.us);
      samples.stepSleeps.push(now.sleeps - from.sleeps);
      if (now.written !== undefined) samples.stepWritten.push(now.written - from.written);
      samples.stepBytes.push(bytesOf(applied));
    }
    if (applied.batch.emitted.length > 0) from = now;
  });
  for (let i = 0; i < warmUp + count; i++) {
    if (i === warmUp) samples = new Samples();
    await oneRun(live, disk, samples);
    // The raw sync was the sleep.
    bench.cpu.busySample();
  }
  stop();
  disk.close();
  return rowsOf(bench, samples, `${count} runs after ${warmUp} to warm up`);
}

async function oneRun(live, disk, samples) {
  const [began, main, all] = [performance.now(), threadUs(), processUs()];
  await live.run('bench/one_step@1');
  samples.runMs.push(performance.now() - began);
  if (main !== undefined) samples.runMainUs.push(threadUs() - main);
  samples.runUs.push(processUs() - all);
  const before = sleeps();
  samples.rawMs.push(disk.sync(samples.stepBytes.at(-1)));
  samples.rawSleeps.push(sleeps() - before);
}

function rowsOf(bench, samples, sizes) {
  const { stepMs, stepUs, stepSleeps, stepWritten, stepBytes, runMs, runMainUs, runUs, rawMs, rawSleeps } = samples;
  const raw = percentile(rawMs, 0.5);
  const bytes = mean(stepBytes);
  const ratio = (share) => ({
    value: percentile(stepMs, share) / percentile(rawMs, share),
    unit: '× raw',
    note: `${ms(percentile(stepMs, share))} to ${ms(percentile(rawMs, share))} ms`,
  });
  const counted = (value, unit) => ({
    value,
    unit,
    gate: { value, unit, better: 'lower', isCounted: true },
  });
  // What is left above 1 is waking up, and whatever waits without need.
  const explained = quarter(stepMs) / (quarter(rawMs) + quarter(stepUs) / 1000);
  const p50 = ratio(0.5);
  return [
    {
      id: 'raw',
      what: `raw write + fdatasync of ${Math.round(bytes)} bytes, p50`,
      value: raw,
      unit: 'ms',
      note: `p95 ${ms(percentile(rawMs, 0.95))}, p99 ${ms(percentile(rawMs, 0.99))}, mean ${ms(mean(rawMs))}`,
    },
    { id: 'step_p50', what: 'one step, p50', ...p50, bound: { max: 2.5 }, note: `${p50.note}; ${sizes}` },
    { id: 'step_p95', what: 'one step, p95', ...ratio(0.95) },
    { id: 'step_p99', what: 'one step, p99', ...ratio(0.99) },
    {
      id: 'run_p50',
      what: 'run of one step (two commits), p50',
      value: percentile(runMs, 0.5) / (2 * raw),
      unit: '× two raw',
      note: `${ms(percentile(runMs, 0.5))} ms`,
    },
    {
      id: 'step_explained',
      what: 'one step against a raw sync and its processor time together',
      value: explained,
      unit: '×',
      note: `lower quarters: ${ms(quarter(stepMs))} to ${ms(quarter(rawMs))} and ${ms(quarter(stepUs) / 1000)} ms`,
      gate: { value: explained, unit: '×', better: 'lower' },
    },
    {
      id: 'step_sleeps',
      what: 'times that a thread goes to sleep in one step, without those of a raw sync',
      // A difference: what the disk itself takes is from none (in memory) to several, and those of a step come on top.
      ...counted(mean(stepSleeps) - mean(rawSleeps), 'sleeps'),
      note: `${mean(stepSleeps).toFixed(2)}, a raw sync ${mean(rawSleeps).toFixed(2)}`,
    },
    stepWritten.length === 0
      ? { id: 'step_written', what: 'bytes written in one step', failure: 'this system does not count them' }
      : {
          id: 'step_written',
          what: 'bytes written in one step',
          ...counted(mean(stepWritten) / bytes, '× raw'),
          note: `${Math.round(mean(stepWritten))} to ${Math.round(bytes)}`,
        },
    {
      id: 'run_cpu',
      what: 'processor time of a run of one step, all threads',
      value: median(runUs),
      unit: 'µs',
      note:
        runMainUs.length > 0
          ? `median; main thread ${Math.round(mean(runMainUs))} µs on average`
          : 'median; main thread not known to this Node',
      gate: bench.cpu.busyGate(runUs),
    },
  ];
}

function quarter(values) {
  return percentile(values, 0.25);
}

function ms(value) {
  return value.toPrecision(3);
}
