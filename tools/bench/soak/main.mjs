// npm run soak:load [-- options]: a world under half of what it can take, for twenty minutes: does memory stay, do
// answers come as fast at the end as at the beginning, does the journal replay?
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { ROOT } from '../../node.mjs';
import { LiveWorld } from '../live-world.mjs';
import { sleep } from '../load.mjs';
import { machine, machineLine } from '../machine.mjs';
import { memory } from '../memory.mjs';
import { percentile, round } from '../statistics.mjs';
import { aligned } from '../table.mjs';
import { replayInParts } from './parity.mjs';
import { randomOf, Traffic } from './traffic.mjs';
import { judge } from './verdict.mjs';

const HELP = `npm run soak:load -- [options]

Runs a world for a long time at half of its measured maximum: runs of one and of ten steps, timers, runs that wait for an
event, events through the inbox, snapshots by the default policy. Says every minute how fast it answers and what it keeps,
and at the end whether memory stayed flat, p99 steady, nothing failed, and the journal replays.

  --minutes <n>   length (default 20, or WORLDLINE_SOAK_MINUTES)
  --rate <n>      jobs per second, instead of half of the measured maximum
  --seed <n>      of the random choices (default: made up, and printed)
  --dir <folder>  where the world is made (default: artifacts/ of the repository); it grows by gigabytes
  --json          one JSON object on standard output
  --help

Exit codes: 0 all promises kept, 2 wrong usage, 7 one of them not kept.

Examples:
  npm run soak:load
  npm run soak:load -- --minutes 3 --seed 7
`;

const CLIENTS = 300;
const WARM_UP_MS = 5_000;
const MAXIMUM_MS = 20_000;
const TICK_MS = 10;
/** How long open jobs may take to end after the last one has begun. */
const REST_MS = 60_000;

function usage(message) {
  console.error(`${message}\n\n${HELP}`);
  process.exit(2);
}

function readOptions() {
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        help: { type: 'boolean' },
        json: { type: 'boolean' },
        minutes: { type: 'string', default: process.env.WORLDLINE_SOAK_MINUTES ?? '20' },
        rate: { type: 'string' },
        seed: { type: 'string', default: String((Math.random() * 2 ** 31) | 0) },
        dir: { type: 'string' },
      },
    }));
  } catch (error) {
    usage(error.message);
  }
  for (const name of ['minutes', 'rate', 'seed'])
    if (values[name] !== undefined && !(Number(values[name]) > 0)) usage(`--${name} is a number above 0`);
  const rate = values.rate === undefined ? undefined : Number(values.rate);
  return { ...values, minutes: Number(values.minutes), rate, seed: Number(values.seed) };
}

/** Jobs per second when clients never pause. */
async function maximum(traffic) {
  let isOver = false;
  const clients = Array.from({ length: CLIENTS }, async () => {
    while (!isOver) await traffic.job();
  });
  await sleep(WARM_UP_MS);
  const [began, before] = [performance.now(), traffic.done];
  await sleep(MAXIMUM_MS);
  const perSecond = ((traffic.done - before) / (performance.now() - began)) * 1000;
  isOver = true;
  await Promise.all(clients);
  return perSecond;
}

/** Begins jobs at a steady rate, whatever becomes of those before, until the time is over. */
async function steadily(traffic, rate, ms) {
  const began = performance.now();
  let started = 0;
  for (;;) {
    const elapsed = performance.now() - began;
    if (elapsed >= ms) return;
    for (; started < (elapsed / 1000) * rate; started++) void traffic.job();
    await sleep(TICK_MS);
  }
}

function bytesIn(dir, isMeant) {
  let bytes = 0;
  for (const entry of readdirSync(dir, { withFileTypes: true, recursive: true }))
    if (entry.isFile() && isMeant(entry.name)) bytes += statSync(join(entry.parentPath, entry.name)).size;
  return bytes;
}

function quantiles(values) {
  if (values.length === 0) return { count: 0, p50: 0, p99: 0 };
  return { count: values.length, p50: round(percentile(values, 0.5)), p99: round(percentile(values, 0.99)) };
}

async function soak(options, dir, say) {
  const troubles = [];
  const trouble = (level) => (message, fields) => troubles.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`);
  const log = { debug() {}, info() {}, warn: trouble('warn'), error: trouble('error') };
  const storeDir = join(dir, 'store');
  const live = await LiveWorld.create(storeDir, { log });
  const traffic = new Traffic(live, randomOf(options.seed));
  const max = await maximum(traffic);
  const rate = options.rate ?? max / 2;
  say(
    `at most ${Math.round(max)} jobs/s, so ${Math.round(rate)} jobs/s for ${options.minutes} minutes; seed ${options.seed}`,
  );

  const count = Math.max(12, Math.round(options.minutes));
  const stretchMs = (options.minutes * 60_000) / count;
  const samples = [];
  const head = [
    'min',
    'jobs/s',
    'steps/s',
    'run p50',
    'p99',
    'wake p50',
    'p99',
    'late p50',
    'p99',
    'heap',
    'external',
    'rss',
    'wal',
    'store',
  ];
  say(head.map((name) => name.padStart(8)).join(' '));
  traffic.takeLatencies();
  for (let n = 1; n <= count; n++) {
    const from = { at: performance.now(), done: traffic.done, steps: live.steps };
    await steadily(traffic, rate, stretchMs);
    const seconds = (performance.now() - from.at) / 1000;
    const perSecond = [traffic.done - from.done, live.steps - from.steps].map((jobs) => round(jobs / seconds));
    const { run, wake, late } = traffic.takeLatencies();
    const sample = {
      minute: (n * stretchMs) / 60_000,
      per_s: perSecond[0],
      steps_per_s: perSecond[1],
      run: quantiles(run),
      wake: quantiles(wake),
      late: quantiles(late),
      open: traffic.open,
      ...(await memory()),
      wal: bytesIn(storeDir, (name) => name.endsWith('-wal')),
      store: bytesIn(storeDir, () => true),
    };
    samples.push(sample);
    say(line(sample));
    if (live.world.state !== 'running') break;
  }
  const end = performance.now() + REST_MS;
  while (traffic.open > 0 && performance.now() < end) await sleep(100);
  await live.close();
  say('replaying the journal …');
  const replay = await replayInParts(live.store, live.worldId);
  await live.store.close();
  const run = { errors: [...traffic.errors, ...troubles], unfinished: traffic.open, rate, replay };
  return {
    max_jobs_per_s: round(max),
    rate: round(rate),
    seed: options.seed,
    samples,
    ...run,
    verdict: judge(samples, run),
  };
}

function line({ minute, per_s, steps_per_s, run, wake, late, heapUsed, external, rss, wal, store }) {
  const mib = (bytes) => `${(bytes / 1024 / 1024).toFixed(1)}M`;
  const cells = [minute.toFixed(2), per_s, steps_per_s, ...[run, wake, late].flatMap(({ p50, p99 }) => [p50, p99])];
  return [...cells, ...[heapUsed, external, rss, wal, store].map(mib)]
    .map((cell) => String(cell).padStart(8))
    .join(' ');
}

async function main() {
  const options = readOptions();
  if (options.help) return console.log(HELP);
  const say = options.json ? () => {} : (text) => console.log(text);
  const parent = options.dir === undefined ? join(ROOT, 'artifacts') : resolve(options.dir);
  mkdirSync(parent, { recursive: true });
  const dir = mkdtempSync(join(parent, 'soak-'));
  try {
    say(machineLine(machine()));
    const report = await soak(options, dir, say);
    if (options.json) console.log(JSON.stringify({ machine: machine(), ...report }, undefined, 2));
    say(`\n${aligned([['promise', 'measured', 'bound', ''], ...report.verdict.map(verdictLine)])}`);
    for (const error of report.errors.slice(0, 10)) say(error);
    if (report.verdict.some(({ isMet }) => !isMet)) process.exitCode = 7;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function verdictLine({ name, measured, bound, isMet }) {
  return [name, measured, bound, isMet ? 'kept' : 'NOT KEPT'];
}

await main();
