import { hashText } from '@worldline/canon';
import type { JournalRecord } from '@worldline/kernel';
import type { Diagnosis } from './diagnose.ts';
import type { RunPlace } from './reason.ts';
import { formatDuration, longDuration } from './render.ts';
import type { Trace, TraceEntry } from './trace.ts';

/**
 * A trace for people: when, how deep, what. Names, numbers and codes only; values and messages are in the JSON
 * (`summaries.md` S5).
 *
 * @param wallNs - the time now, for "ago" and "in".
 */
export function renderTrace(trace: Trace, diagnosis: Diagnosis, wallNs: bigint): readonly string[] {
  const rootNs = trace.entries[0]?.atNs ?? 0n;
  const { event, run } = trace.root;
  const width = Math.max(...trace.entries.map((entry) => `#${entry.seq}`.length), 2);
  const { cause, hint, reason } = diagnosis;
  return [
    run === undefined ? `${event.schema}  ${hashText(event.event_hash)}` : `${run.plan_name}  ${run.plan_id}`,
    '',
    ...trace.entries.filter(isTold).map((entry) => traceLine(entry, rootNs, width)),
    ...(trace.truncated ? [`  … cut after ${trace.entries.length} records`] : []),
    '',
    `state   ${trace.terminalState}${cause === trace.terminalState ? '' : `: ${cause}`}`,
    ...waitLines(trace, wallNs),
    ...trace.failures.map((entry) => `failed  #${entry.seq} ${what(entry.record)}`),
    `reason  ${reason.code}${reason.runs.length === 0 ? '' : `: ${reason.runs.map(placeText).join(' > ')}`}`,
    `hint    ${hint}`,
  ];
}

/** `t/p@1 0/step`. */
export function placeText({ plan, planId, step }: RunPlace): string {
  return `${plan} ${planId}${step === undefined ? '' : `/${step}`}`;
}

/** Decisions that let an effect through say no more than the effect that follows. */
export function isTold({ record }: TraceEntry): boolean {
  const isDecision = record.record_kind === 'cap_decision' || record.record_kind === 'policy_decision';
  return !isDecision || record.decision === 'deny';
}

/** One line of the timeline; `--follow` prints them as they come. */
export function traceLine(entry: TraceEntry, rootNs: bigint, width = 4): string {
  const at = entry.atNs === rootNs ? '' : `+${formatDuration(entry.atNs - rootNs)}`;
  return `${at.padStart(9)}  ${`#${entry.seq}`.padStart(width)}  ${'  '.repeat(entry.depth)}${what(entry.record)}`;
}

/** Of a fan-out of a thousand the first ones are enough for people. */
const WAITS_SHOWN = 20;

function waitLines(trace: Trace, wallNs: bigint): readonly string[] {
  const { planReceipts, planEvents, reducerReceipts, timers } = trace.liveWait;
  // Times of the lineage are logical; the head tells both.
  const wallOf = (atNs: bigint) => trace.headWallNs - (trace.headNs - atNs);
  const asked = new Map(
    trace.entries.flatMap(({ record, atNs }) =>
      record.record_kind === 'effect_intent' ? [[hashText(record.intent_hash), atNs] as const] : [],
    ),
  );
  const ago = (hash: string) => {
    const atNs = asked.get(hash);
    return atNs === undefined || wallOf(atNs) > wallNs ? '' : `, asked ${longDuration(wallNs - wallOf(atNs))} ago`;
  };
  const due = new Map(timers.map((timer) => [hashText(timer.intentHash), timer.dueNs]));
  const when = (hash: string) => {
    const ns = due.get(hash);
    if (ns === undefined) return '';
    return ns >= wallNs ? `, due in ${longDuration(ns - wallNs)}` : `, due ${longDuration(wallNs - ns)} ago`;
  };
  const lines = [
    ...planReceipts.map(({ planId, planName, kind, intentHash }) => {
      const hash = hashText(intentHash);
      return `waits   ${planName} ${planId} for ${kind} ${hash.slice(0, 19)}${when(hash)}${ago(hash)}`;
    }),
    ...reducerReceipts.map(
      ({ reducer, kind, intentHash }) => `waits   ${reducer} for ${kind} ${hashText(intentHash).slice(0, 19)}`,
    ),
    ...planEvents.map(({ planId, planName, schema }) => `waits   ${planName} ${planId} for event ${schema}`),
  ];
  const untold = lines.length - WAITS_SHOWN;
  return untold > 0 ? [...lines.slice(0, WAITS_SHOWN), `waits   … and ${untold} more`] : lines;
}

function what(record: JournalRecord): string {
  switch (record.record_kind) {
    case 'domain_event':
      return `event ${record.schema}${record.origin_name === undefined ? '' : ` raised by ${record.origin_name}`}`;
    case 'plan_started':
      return `plan ${record.plan_name} ${record.plan_id} started`;
    case 'plan_ended': {
      const where = record.step_id === undefined ? '' : ` at step ${record.step_id}`;
      return `plan ${record.plan_name} ${record.plan_id} ended ${record.status === 'ok' ? 'ok' : `with ${record.error_code}${where}`}`;
    }
    case 'plan_result':
      return `result ${record.output_schema}`;
    case 'plan_cancel':
      return `cancelled by ${record.actor}`;
    case 'effect_intent':
      return `effect ${record.kind} ${hashText(record.intent_hash).slice(0, 19)}${record.origin.origin_kind === 'plan' ? ` by step ${record.origin.step_id}` : ` by ${record.origin.name}`}`;
    case 'effect_receipt':
      return `receipt ${record.status}${record.error === undefined ? '' : ` ${record.error.code}`} by ${record.adapter_id}${record.disposition === 'applied' ? '' : `, ${record.disposition}`}`;
    case 'cap_decision':
      return `grant ${record.cap_name} ${record.decision === 'allow' ? 'allows' : `denies ${record.deny?.code ?? ''}`.trim()}`;
    case 'policy_decision':
      return `policy ${record.policy_name} ${record.decision === 'allow' ? 'allows' : 'denies'}${record.rule_index === undefined ? '' : ` by rule ${record.rule_index}`}`;
    case 'reducer_fault':
      return `reducer ${record.reducer} failed: ${record.code}`;
    case 'ingress_rejected':
      return `${record.ingress_kind} refused: ${record.code}`;
    case 'plan_start':
    case 'manifest':
    case 'governance':
    case 'snapshot':
    case 'baseline':
    case 'custom':
      return record.record_kind;
    default:
      return record satisfies never;
  }
}
