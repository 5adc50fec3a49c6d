import { performance } from 'node:perf_hooks';
import { unwrap } from '@worldline/canon';
import { collectBatches, decodeStoredBatch } from '@worldline/host';
import { SummaryFold } from '@worldline/summary';
import { processUs } from '../cpu-time.mjs';
import { OfflineWorld } from '../offline-world.mjs';
import { worldline } from '../run-command.mjs';
import { median } from '../statistics.mjs';

/** The bound is set for a journal of this length. */
const RECORDS = 1_000_000;
const BOUND_MS = 10_000;

/**
 * The run summary of a long journal in one pass: batches decoded and folded, over bytes that are in memory already; and
 * `worldline trace-summary` from its start to its end, on the store and on an exported file, with the most memory that each
 * took. A tenth of the journal takes as much, but for eight bytes per ended run and answered intent.
 */
export async function summary(bench) {
  const height = bench.pick({ full: RECORDS, quick: 100_000, check: 25_000 });
  const attempts = bench.pick({ full: 3, quick: 2, check: 3 });
  const world = await OfflineWorld.create(bench.folder('summary'));
  await world.fill(Math.floor(height / 10));
  const { root } = world;
  const measured = bench.pick({ full: true, quick: true, check: false });
  const short = measured ? await command(1, '--world', root) : undefined;
  await world.fill(height);
  await world.snapshot();
  const records = world.kernel.head.height;
  const batches = unwrap(await collectBatches(world.store, world.worldId, 0)).slice(0, FOLDED_BATCHES);
  const folded = batches.at(-1).lastSeq + 1;
  await world.close();
  fold(batches.slice(0, 5_000));
  const taken = [];
  const recordUs = [];
  for (let n = 0; n < attempts; n++) {
    bench.cpu.sample();
    const [began, cpu] = [performance.now(), processUs()];
    fold(batches, recordUs);
    taken.push({ ms: performance.now() - began, us: processUs() - cpu });
  }
  const rows = [
    {
      id: 'summary_fold',
      what: 'run summary, decoding and folding alone',
      value: (folded / median(taken.map(({ ms }) => ms))) * 1000,
      unit: 'records/s',
      bound: { min: (RECORDS / BOUND_MS) * 1000 },
      note: `median of ${attempts} over ${folded} records; ${(median(taken.map(({ us }) => us)) / folded).toFixed(2)} µs of processor time each`,
      gate: bench.cpu.gate(recordUs),
    },
  ];
  if (!measured) return rows;
  const file = `${root}.wlj`;
  const exported = await worldline('journal', 'export', file, '--world', root);
  const row = (id, what, { ms, maxRss }, more) => ({
    id,
    what,
    value: ms,
    unit: 'ms',
    bound: records < RECORDS ? undefined : { max: BOUND_MS },
    note: `median of ${attempts} over ${records} records, ${Math.round((records / ms) * 1000)} records/s; at most ${mib(maxRss)} of memory${more}`,
  });
  rows.push(
    row(
      'summary_command',
      'trace-summary of the journal in the store, from start to end',
      await command(attempts, '--world', root),
      `, of a tenth of the journal ${mib(short.maxRss)}`,
    ),
    row(
      'summary_file',
      'trace-summary of an exported file, every byte checked',
      await command(attempts, '--journal', file),
      `; exporting it took ${Math.round(exported.ms)} ms and ${mib(exported.maxRss)}`,
    ),
  );
  return rows;
}

/** As many batches as are held at once: the fold itself holds none. */
const FOLDED_BATCHES = 60_000;

/** @param recordUs - where microseconds per record go, over stretches of 16 batches. */
function fold(batches, recordUs) {
  const made = new SummaryFold();
  let [from, records] = [performance.now(), 0];
  batches.forEach((batch, n) => {
    const { body, records: decoded } = unwrap(decodeStoredBatch(batch));
    made.add({ firstSeq: batch.firstSeq, logicalNowNs: body.stamp?.logicalNowNs, records: decoded });
    records += decoded.length;
    if (n % 16 !== 15) return;
    const now = performance.now();
    if (records > 0) recordUs?.push(((now - from) * 1000) / records);
    [from, records] = [now, 0];
  });
  return made.finish();
}

/** Medians of `trace-summary`, which says the same every time. */
async function command(attempts, ...args) {
  const runs = [];
  for (let n = 0; n < attempts; n++) runs.push(await worldline('trace-summary', '--json', ...args));
  const { runs: counted } = JSON.parse(runs[0].stdout).data.totals;
  if (counted.ok === 0 || counted.error > 0) throw new Error(`not the summary of this journal: ${runs[0].stdout}`);
  return { ms: median(runs.map(({ ms }) => ms)), maxRss: median(runs.map(({ maxRss }) => maxRss)) };
}

function mib(bytes) {
  return `${Math.round(bytes / 1024 / 1024)} MiB`;
}
