// Whether a soak went well, from its samples alone. test/house/soak-verdict.test.ts holds it to account.
import { mean, median, slope } from '../statistics.mjs';

const MIB = 1024 * 1024;

/**
 * Growth over the last two thirds that counts as none: what a collector leaves behind differs from sample to sample by
 * this much. Over a soak of twenty minutes it is a few bytes per step.
 */
export const GROWTH_SHARE = 0.05;
export const GROWTH_BYTES = 4 * MIB;
/** All pages of the process; they come and go in larger pieces. */
export const RSS_GROWTH_SHARE = 0.15;
export const RSS_GROWTH_BYTES = 48 * MIB;
/** p99 of the last third over that of the first. */
export const P99_FACTOR = 1.5;
/** Of the planned rate. */
export const RATE_SHARE = 0.95;

/**
 * @param samples - in order: `minute` (end of the stretch), `kept` and `rss` (bytes), `run`, `wake`, `late`
 *   (`{ p50, p99 }`, milliseconds), `per_s`.
 * @param run - `errors` (list), `unfinished` (jobs), `rate` (jobs per second that were planned), `replay`
 *   (`{ match, records }`).
 * @returns one line per promise: `name`, `isMet`, `measured`, `bound`.
 */
export function judge(samples, run) {
  const third = Math.max(1, Math.floor(samples.length / 3));
  const rest = samples.slice(third);
  return [
    flat('memory after collection', rest, 'kept', GROWTH_SHARE, GROWTH_BYTES),
    flat('pages of the process', rest, 'rss', RSS_GROWTH_SHARE, RSS_GROWTH_BYTES),
    ...['run', 'wake', 'late'].map((of) => steady(of, samples.slice(0, third), samples.slice(-third))),
    {
      name: 'jobs per second',
      isMet: mean(samples.map((s) => s.per_s)) >= RATE_SHARE * run.rate,
      measured: `${mean(samples.map((s) => s.per_s)).toFixed(1)} of ${run.rate.toFixed(1)}`,
      bound: `${RATE_SHARE * 100} %`,
    },
    {
      name: 'errors and unfinished jobs',
      isMet: run.errors.length === 0 && run.unfinished === 0,
      measured: `${run.errors.length} and ${run.unfinished}`,
      bound: 'none',
    },
    {
      name: 'replay',
      isMet: run.replay.match,
      measured: run.replay.match ? `${run.replay.records} records equal` : run.replay.message,
      bound: 'equal',
    },
  ];
}

/** The line through the samples rises by no more than noise does. */
function flat(name, samples, member, share, bytes) {
  const points = samples.map((sample) => [sample.minute, sample[member]]);
  const minutes = samples.at(-1).minute - samples[0].minute;
  const growth = samples.length < 2 ? 0 : slope(points) * minutes;
  const allowed = Math.max(share * mean(points.map((point) => point[1])), bytes);
  return {
    name: `${name}, growth over the last ${minutes.toFixed(1)} min`,
    isMet: growth <= allowed,
    measured: `${(growth / MIB).toFixed(1)} MiB`,
    bound: `${(allowed / MIB).toFixed(1)} MiB`,
  };
}

function steady(of, first, last) {
  const before = median(first.map((sample) => sample[of].p99));
  const after = median(last.map((sample) => sample[of].p99));
  return {
    name: `p99 of ${of}, last third to first third`,
    isMet: after <= P99_FACTOR * before,
    measured: `${after.toFixed(1)} to ${before.toFixed(1)} ms`,
    bound: `${P99_FACTOR} ×`,
  };
}
