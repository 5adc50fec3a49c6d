import { compareUtf8 } from '@worldline/canon';
import type { Distribution, PlanSummary, RunCounters, Summary } from './summary.ts';

/** The table for people (`summaries.md` §7). No colour, and names are never cut. */

const NAME_WIDTH_MIN = 28;

/** Right-aligned columns: title and width. */
const COLUMNS = [
  ['start', 5],
  ['child', 6],
  ['ok', 6],
  ['err', 6],
  ['live', 6],
  ['t/o', 5],
  ['deny', 6],
  ['inv', 5],
  ['adapt', 7],
] as const;

const TIME_WIDTH = 9;

export function renderSummary(summary: Summary): string {
  const plans = plansByErrors(summary.plans);
  const width = Math.max(NAME_WIDTH_MIN, ...plans.map((plan) => [...plan.plan_name].length)) + 2;
  const lines = [
    `plan runs  journal ${summary.from}..${summary.to}  (${summary.partial ? 'partial' : 'complete'})`,
    row(
      'plan',
      width,
      COLUMNS.map(([title]) => title),
      ['p50', 'p95', 'max'],
    ),
    ...plans.map((plan) => row(plan.plan_name, width, cells(plan), times(plan.duration_ns))),
    row('total', width, cells(summary.totals), []),
    row('roots', width, cells(summary.roots), []),
    detail('errors', errorsOf(summary.totals), '   '),
    detail('effects', effectsOf(summary.totals), '   '),
    detail('deadlines', deadlinesOf(summary.totals), ', '),
    detail('other', otherOf(summary), ', '),
  ];
  return `${lines.join('\n')}\n`;
}

/** Those with the most errors first, then by name. */
export function plansByErrors(plans: readonly PlanSummary[]): readonly PlanSummary[] {
  return [...plans].sort((a, b) => b.runs.error - a.runs.error || compareUtf8(a.plan_name, b.plan_name));
}

function row(name: string, width: number, numbers: readonly (string | number)[], durations: readonly string[]): string {
  const counted = numbers.map((cell, index) => String(cell).padStart(COLUMNS[index]?.[1] ?? 0)).join('');
  const timed = durations.map((cell) => cell.padEnd(TIME_WIDTH)).join('');
  return `${pad(name, width)}${counted}${timed === '' ? '' : `   ${timed}`}`.trimEnd();
}

/** By code points: a name's surrogate pairs take one place each. */
function pad(name: string, width: number): string {
  return name + ' '.repeat(Math.max(0, width - [...name].length));
}

function cells({ runs, failure_signals: signals }: RunCounters): readonly number[] {
  return [
    runs.started,
    runs.started_as_child,
    runs.ok,
    runs.error,
    runs.live,
    signals.timeout_path,
    signals.policy_deny + signals.cap_deny,
    signals.invariant_violation,
    signals.adapter_error + signals.adapter_timeout + signals.delivery_unknown,
  ];
}

function times({ count, p50, p95, max }: Distribution): readonly string[] {
  return count === 0 ? ['-', '-', '-'] : [p50, p95, max].map(formatDuration);
}

function detail(title: string, parts: readonly string[], separator: string): string {
  return `${title.padEnd(12)}${parts.length === 0 ? 'none' : parts.join(separator)}`;
}

function errorsOf({ errors }: RunCounters): readonly string[] {
  return [...errors]
    .sort(([a, left], [b, right]) => right - left || compareUtf8(a, b))
    .map(([code, count]) => `${code} ×${count}`);
}

function effectsOf({ effects }: RunCounters): readonly string[] {
  const parts = [...effects.by_kind].map(([kind, { intents, ok, error, timeout }]) => {
    const answers = nonZero({ ok, error, timeout });
    return answers.length === 0 ? `${kind} ${intents}` : `${kind} ${intents} (${answers.join(', ')})`;
  });
  const { open, receipts } = effects;
  return [...parts, ...nonZero({ open, late: receipts.late })];
}

function deadlinesOf({ deadlines }: RunCounters): readonly string[] {
  const { armed, in_time, late, open } = deadlines;
  return armed === 0 ? [] : [`armed ${armed}`, `in time ${in_time}`, `late ${late}`, `open ${open}`];
}

function otherOf(summary: Summary): readonly string[] {
  const rejected = sum(summary.ingress_rejected);
  const faults = sum(summary.reducer_faults);
  const { receipts_orphaned: orphaned } = summary;
  if (rejected + faults + orphaned === 0) return [];
  return [`ingress rejected ${rejected}`, `reducer faults ${faults}`, `orphaned receipts ${orphaned}`];
}

function nonZero(counts: { readonly [name: string]: number }): readonly string[] {
  return Object.entries(counts)
    .filter(([, count]) => count !== 0)
    .map(([name, count]) => `${name} ${count}`);
}

function sum(counts: ReadonlyMap<string, number>): number {
  let total = 0;
  for (const count of counts.values()) total += count;
  return total;
}

/** Unit, its ns, and the smallest time shown in it: a tenth, but a whole minute or hour. */
const UNITS = [
  ['h', 3_600_000_000_000n, 3_600_000_000_000n],
  ['m', 60_000_000_000n, 60_000_000_000n],
  ['s', 1_000_000_000n, 100_000_000n],
  ['ms', 1_000_000n, 100_000n],
  ['µs', 1_000n, 100n],
] as const;

/**
 * Two decimals in the largest unit that fits: `0.90s`, `40.00ms`, `12ns`. Rounded half up, in integers.
 *
 * @param ns - Not negative.
 */
export function formatDuration(ns: bigint): string {
  for (const [unit, size, from] of UNITS) {
    if (ns < from) continue;
    const hundredths = (ns * 100n + size / 2n) / size;
    return `${hundredths / 100n}.${(hundredths % 100n).toString().padStart(2, '0')}${unit}`;
  }
  return `${ns}ns`;
}

const DAY_NS = 86_400_000_000_000n;

/** The same for sentences: from two days on nobody counts in hours. */
export function longDuration(ns: bigint): string {
  if (ns < 2n * DAY_NS) return formatDuration(ns);
  const tenths = (ns * 10n + DAY_NS / 2n) / DAY_NS;
  return `${tenths / 10n}.${tenths % 10n} days`;
}
