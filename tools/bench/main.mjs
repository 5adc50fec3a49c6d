// npm run bench [-- --json] [--quick] [--dir <folder>]
// How fast a world runs, beside what the same disk does in the same run. What is measured: docs/benchmarks.md.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { unwrap } from '@worldline/canon';
import { replayVerify } from '@worldline/host';
import { ROOT } from '../node.mjs';
import { Baseline } from './baseline.mjs';
import { mean, percentile, round, summary } from './statistics.mjs';
import { BenchWorld } from './world.mjs';

const { values: options } = parseArgs({
  options: { json: { type: 'boolean' }, quick: { type: 'boolean' }, dir: { type: 'string' } },
});
const scale = options.quick ? 0.1 : 1;
const say = options.json ? () => {} : (text) => console.log(text);

/** Bytes a batch makes durable: its body and the objects that came with it. */
function bytesOf(applied) {
  return applied.batch.body.length + applied.objects.reduce((sum, object) => sum + object.bytes.length, 0);
}

/**
 * Single steps, one run at a time: durable intent → durable receipt, and the whole run from its submission. After each
 * run the bare disk syncs as many bytes as that step did, so that both see the same disk in the same mood.
 */
async function measureSteps(world, baseline, count) {
  const steps = [];
  const runs = [];
  const bytes = [];
  let emittedAt;
  const stop = world.world.onBatch((applied) => {
    const now = performance.now();
    if (applied.batch.settled.length > 0) {
      steps.push(now - emittedAt);
      bytes.push(bytesOf(applied));
    }
    if (applied.batch.emitted.length > 0) emittedAt = now;
  });
  for (let i = 0; i < count; i++) {
    const began = performance.now();
    await world.run('bench/one_step@1');
    runs.push(performance.now() - began);
    baseline.sync(bytes.at(-1));
  }
  stop();
  return { steps, runs, bytes: Math.round(mean(bytes)) };
}

/** `runs` runs of ten steps, `concurrent` at a time. */
async function measureWorkflows(world, concurrent, runs) {
  let left = runs;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: concurrent }, async () => {
      while (left-- > 0) await world.run('bench/ten_steps@1');
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  return { concurrent, runs, steps: runs * 10, seconds: round(seconds), steps_per_s: round((runs * 10) / seconds) };
}

async function main() {
  const parent = options.dir === undefined ? join(ROOT, 'artifacts') : resolve(options.dir);
  mkdirSync(parent, { recursive: true });
  const dir = mkdtempSync(join(parent, 'bench-'));
  try {
    say(
      `Worldline bench on Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, in ${dir}`,
    );
    const world = await BenchWorld.open(join(dir, 'store'));
    for (let i = 0; i < 50 * scale; i++) await world.run('bench/one_step@1');

    const count = 500 * scale;
    const baseline = new Baseline(dir);
    const { steps, runs, bytes } = await measureSteps(world, baseline, count);
    baseline.close();

    const workflows = [];
    for (const concurrent of [1, 10, 100]) {
      workflows.push(
        await measureWorkflows(world, concurrent, Math.round({ 1: 50, 10: 200, 100: 1000 }[concurrent] * scale) || 1),
      );
    }
    await world.close();

    const began = performance.now();
    const replay = unwrap(await replayVerify({ store: world.store, worldId: world.worldId, fromGenesis: true }));
    const replaySeconds = (performance.now() - began) / 1000;
    await world.store.close();
    if (!replay.match) throw new Error(`the replay differs: ${JSON.stringify(replay.differences[0])}`);

    const syncs = baseline.times;
    const syncP50 = percentile(syncs, 0.5);
    const report = {
      node: process.versions.node,
      processor: cpus()[0]?.model,
      processors: cpus().length,
      baseline: { bytes, ...summary(syncs), per_s: round(1000 / mean(syncs)) },
      step: { ...summary(steps), ratio_p50: round(percentile(steps, 0.5) / syncP50) },
      run_of_one_step: { ...summary(runs), commits: 2, ratio_p50: round(percentile(runs, 0.5) / (2 * syncP50)) },
      workflows: workflows.map((w) => ({ ...w, ratio: round((w.steps_per_s / 1000) * mean(syncs)) })),
      replay: {
        records: replay.records,
        seconds: round(replaySeconds),
        records_per_s: round(replay.records / replaySeconds),
      },
    };
    if (options.json) console.log(JSON.stringify(report, undefined, 2));
    else print(report);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function print({ baseline, step, run_of_one_step, workflows, replay }) {
  const rows = [
    ['figure', 'p50', 'p95', 'against the baseline'],
    [
      `baseline: write + fdatasync of ${baseline.bytes} bytes`,
      `${baseline.p50_ms} ms`,
      `${baseline.p95_ms} ms`,
      `${baseline.per_s} per s`,
    ],
    ['one step: durable intent → durable receipt', `${step.p50_ms} ms`, `${step.p95_ms} ms`, `${step.ratio_p50} ×`],
    [
      'run of one step: submitted → durable end (2 commits)',
      `${run_of_one_step.p50_ms} ms`,
      `${run_of_one_step.p95_ms} ms`,
      `${run_of_one_step.ratio_p50} × two syncs`,
    ],
  ];
  const rates = [
    ['figure', 'rate', 'measured', 'against the baseline'],
    ...workflows.map((w) => [
      `ten steps in a row, ${w.concurrent} at a time`,
      `${w.steps_per_s} steps/s`,
      `${w.steps} steps in ${w.seconds} s`,
      `${w.ratio} steps per sync`,
    ]),
    [
      'replay --verify from genesis',
      `${replay.records_per_s} records/s`,
      `${replay.records} records in ${replay.seconds} s`,
      '',
    ],
  ];
  for (const table of [rows, rates]) {
    const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
    console.log(
      `\n${table
        .map((row) =>
          row
            .map((cell, i) => cell.padEnd(widths[i]))
            .join('  ')
            .trimEnd(),
        )
        .join('\n')}`,
    );
  }
}

await main();
