import { formatDuration, plansByErrors } from './render.ts';
import type { Distribution, RunCounters, Summary } from './summary.ts';

/** A summary as Markdown, for reports that are read on a page: what the table of `summaries.md` §7 says, and per kind. */
export function summaryToMarkdown(summary: Summary): string {
  const { label, from, to, partial, totals } = summary;
  const blocks = [
    `# Plan runs${label === undefined ? '' : ` of ${escaped(label)}`}`,
    `Journal ${from}..${to}, ${partial ? 'partial: something began before it' : 'complete'}.`,
    table(
      ['Plan', ...RUN_COLUMNS.map(([title]) => title), 'p50', 'p95', 'max'],
      [
        ...plansByErrors(summary.plans).map((plan) => [
          code(plan.plan_name),
          ...runCells(plan),
          ...times(plan.duration_ns),
        ]),
        ['**total**', ...runCells(totals), ...times(totals.duration_ns)],
        ['**roots**', ...runCells(summary.roots), ...times(summary.roots.duration_ns)],
      ],
    ),
    section('Errors', ['Code', 'Runs'], byCount(totals.errors)),
    section('Failure signals', ['Signal', 'Count'], nonZero(totals.failure_signals)),
    section(
      'Effects',
      ['Kind', 'Intents', 'Ok', 'Error', 'Timeout', 'Wait p50', 'p95', 'max'],
      [...totals.effects.by_kind].map(([kind, { intents, ok, error, timeout, wait_ns }]) => [
        code(kind),
        ...[intents, ok, error, timeout].map(String),
        ...times(wait_ns),
      ]),
    ),
    list('Effects in all', effectsOf(totals)),
    section('Deadlines', ['Armed', 'In time', 'Late', 'Open'], deadlinesOf(totals)),
    section('Ingress rejected', ['Code', 'Count'], byCount(summary.ingress_rejected)),
    section('Reducer faults', ['Code', 'Count'], byCount(summary.reducer_faults)),
    list('Outside plans', outsideOf(summary)),
  ];
  return `${blocks.filter((block) => block !== undefined).join('\n\n')}\n`;
}

const RUN_COLUMNS: readonly (readonly [string, (counters: RunCounters) => number])[] = [
  ['Started', ({ runs }) => runs.started],
  ['As child', ({ runs }) => runs.started_as_child],
  ['Ok', ({ runs }) => runs.ok],
  ['Error', ({ runs }) => runs.error],
  ['Live', ({ runs }) => runs.live],
  ['Deadline won', ({ failure_signals: signals }) => signals.timeout_path],
  ['Denied', ({ failure_signals: signals }) => signals.policy_deny + signals.cap_deny],
  ['Invariant', ({ failure_signals: signals }) => signals.invariant_violation],
  [
    'Adapter',
    ({ failure_signals: signals }) => signals.adapter_error + signals.adapter_timeout + signals.delivery_unknown,
  ],
];

type Row = readonly string[];

function runCells(counters: RunCounters): Row {
  return RUN_COLUMNS.map(([, of]) => String(of(counters)));
}

function times({ count, p50, p95, max }: Distribution): Row {
  return count === 0 ? ['–', '–', '–'] : [p50, p95, max].map(formatDuration);
}

/** The largest first; equal ones by name, as the map has them. */
function byCount(counts: ReadonlyMap<string, number>): readonly Row[] {
  return [...counts].sort(([, a], [, b]) => b - a).map(([name, count]) => [code(name), String(count)]);
}

function nonZero(counts: object): readonly Row[] {
  return Object.entries(counts as { readonly [name: string]: number })
    .filter(([, count]) => count !== 0)
    .map(([name, count]) => [code(name), String(count)]);
}

function effectsOf({ effects }: RunCounters): readonly string[] {
  const { intents, coalesced, open, receipts, policy_decisions: policy, cap_decisions: cap } = effects;
  if (intents + policy.deny + cap.deny === 0) return [];
  return [
    `${intents} ${intents === 1 ? 'intent' : 'intents'}, of which ${coalesced} shared another's; ${open} without a receipt`,
    `receipts: ${receipts.ok} ok, ${receipts.error} error, ${receipts.timeout} timeout; ${receipts.late} late`,
    `policy decisions: ${policy.allow} allow, ${policy.deny} deny; capability decisions: ${cap.allow} allow, ${cap.deny} deny`,
  ];
}

function deadlinesOf({ deadlines }: RunCounters): readonly Row[] {
  const { armed, in_time, late, open } = deadlines;
  return armed === 0 ? [] : [[armed, in_time, late, open].map(String)];
}

function outsideOf({ outside_plans: outside, receipts_orphaned: orphaned }: Summary): readonly string[] {
  const { receipts, policy_decisions: policy, cap_decisions: cap } = outside;
  const facts: readonly [number, string][] = [
    [outside.intents, `${outside.intents} ${outside.intents === 1 ? 'intent' : 'intents'}`],
    [
      receipts.ok + receipts.error + receipts.timeout,
      `receipts: ${receipts.ok} ok, ${receipts.error} error, ${receipts.timeout} timeout`,
    ],
    [policy.allow + policy.deny, `policy decisions: ${policy.allow} allow, ${policy.deny} deny`],
    [cap.allow + cap.deny, `capability decisions: ${cap.allow} allow, ${cap.deny} deny`],
    [orphaned, `${orphaned} ${orphaned === 1 ? 'receipt' : 'receipts'} for intents before this part of the journal`],
  ];
  return facts.filter(([count]) => count !== 0).map(([, text]) => text);
}

/** @returns undefined when there is nothing to say. */
function section(title: string, header: Row, rows: readonly Row[]): string | undefined {
  return rows.length === 0 ? undefined : `## ${title}\n\n${table(header, rows)}`;
}

function list(title: string, items: readonly string[]): string | undefined {
  return items.length === 0 ? undefined : `## ${title}\n\n${items.map((item) => `- ${item}`).join('\n')}`;
}

/** Numbers to the right; the first column holds names, unless its cells are numbers too. */
function table(header: Row, rows: readonly Row[]): string {
  const isNamed = !rows.every(([first]) => /^[0-9]+$/.test(first ?? ''));
  const lines = [header, header.map((_, index) => (index === 0 && isNamed ? '---' : '--:')), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** A name as code. None has a backtick; whoever forges one does not get out of the cell. */
function code(name: string): string {
  return `\`${name.replace(/[`|\p{Cc}\u2028\u2029]/gu, '�')}\``;
}

function escaped(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, ' ').replace(/[\\`*_{}[\]<>#|]/g, '\\$&');
}
