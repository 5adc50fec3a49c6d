import { hashText } from '@worldline/canon';
import type { TerminalState, Trace, TraceEntry } from './trace.ts';

/** Why a lineage stands where it stands, and what to do about it (`host.md` §10.2). */

export type Cause =
  | 'policy_denied'
  | 'capability_denied'
  | 'secret_unavailable'
  | 'delivery_unknown'
  | 'adapter_missing'
  | 'adapter_timeout'
  | 'adapter_error'
  | 'invariant_violation'
  | 'plan_error'
  | 'waiting_approval'
  | 'waiting_receipt'
  | 'waiting_event'
  | 'completed'
  | 'unknown';

export interface Diagnosis {
  readonly terminalState: TerminalState;
  readonly cause: Cause;
  readonly hint: string;
  readonly eventHash: string;
  /** Of the effect that failed or is waited for. */
  readonly intentHash?: string | undefined;
  readonly waits: {
    readonly plan_receipts: number;
    readonly plan_events: number;
    readonly reducer_receipts: number;
    readonly queued_effects: number;
    readonly timers: number;
  };
  /** Seqs of the records that show it. */
  readonly evidence: readonly number[];
}

/** In the order of §10.2: the first that some failure shows is the cause. */
const CAUSES: readonly (readonly [Cause, (entry: TraceEntry) => boolean])[] = [
  ['policy_denied', (e) => isDenial(e, 'policy_decision') || endCode(e) === 'policy_denied'],
  [
    'capability_denied',
    (e) => isDenial(e, 'cap_decision') || endCode(e) === 'cap_denied' || endCode(e) === 'secret_denied',
  ],
  ['secret_unavailable', (e) => receiptCode(e)?.startsWith('secret.') === true],
  ['delivery_unknown', (e) => receiptCode(e) === 'delivery.unknown'],
  ['adapter_missing', (e) => receiptCode(e) === 'adapter.missing'],
  ['adapter_timeout', (e) => e.record.record_kind === 'effect_receipt' && e.record.status === 'timeout'],
  ['adapter_error', (e) => e.record.record_kind === 'effect_receipt'],
  ['invariant_violation', (e) => endCode(e) === 'invariant_violation'],
  ['plan_error', () => true],
];

export function diagnose(trace: Trace): Diagnosis {
  const { liveWait, terminalState } = trace;
  const [cause, shown] = causeOf(trace);
  const intent = intentOf(trace, cause, shown);
  return {
    terminalState,
    cause,
    hint: hintOf(trace, cause, shown, intent),
    eventHash: hashText(trace.root.event.event_hash),
    intentHash: intent,
    waits: {
      plan_receipts: liveWait.planReceipts.length,
      plan_events: liveWait.planEvents.length,
      reducer_receipts: liveWait.reducerReceipts.length,
      queued_effects: liveWait.queued.length,
      timers: liveWait.timers.length,
    },
    evidence: evidenceOf(trace, shown),
  };
}

function causeOf(trace: Trace): readonly [Cause, readonly TraceEntry[]] {
  const { terminalState, failures, liveWait } = trace;
  switch (terminalState) {
    case 'failed': {
      for (const [cause, shows] of CAUSES) {
        const shown = failures.filter(shows);
        if (shown.length > 0) return [cause, shown];
      }
      return ['plan_error', failures];
    }
    case 'waiting_receipt':
      return [
        liveWait.planReceipts.some(({ kind }) => kind === 'approval.request') ? 'waiting_approval' : 'waiting_receipt',
        [],
      ];
    case 'waiting_event':
    case 'completed':
    case 'unknown':
      return [terminalState, []];
    default:
      return terminalState satisfies never;
  }
}

/** The records that show the cause: failures; else what waits; else the last that happened. */
function evidenceOf(trace: Trace, shown: readonly TraceEntry[]): readonly number[] {
  if (shown.length > 0) return shown.map((entry) => entry.seq);
  const waiting = new Set(trace.liveWait.planReceipts.map(({ intentHash }) => hashText(intentHash)));
  const intents = trace.entries.filter(
    ({ record }) => record.record_kind === 'effect_intent' && waiting.has(hashText(record.intent_hash)),
  );
  if (intents.length > 0) return intents.map((entry) => entry.seq);
  const last = trace.entries.at(-1);
  return last === undefined ? [] : [last.seq];
}

function intentOf(trace: Trace, cause: Cause, shown: readonly TraceEntry[]): string | undefined {
  for (const { record } of shown) if ('intent_hash' in record) return hashText(record.intent_hash);
  const { planReceipts, reducerReceipts } = trace.liveWait;
  const waited =
    cause === 'waiting_approval'
      ? planReceipts.find(({ kind }) => kind === 'approval.request')
      : cause === 'waiting_receipt'
        ? (planReceipts[0] ?? reducerReceipts[0])
        : undefined;
  return waited === undefined ? undefined : hashText(waited.intentHash);
}

function hintOf(trace: Trace, cause: Cause, shown: readonly TraceEntry[], intent: string | undefined): string {
  const short = intent?.slice(0, 19) ?? '';
  const code = shown.map((entry) => receiptCode(entry) ?? endCode(entry)).find((text) => text !== undefined);
  switch (cause) {
    case 'policy_denied':
      return 'the policy refused the effect; change its rules, or what the plan asks for';
    case 'capability_denied':
      return 'no grant allows the effect; see its params with "worldline journal tail --kinds cap_decision", and the grants in the manifest';
    case 'secret_unavailable':
      return `a secret could not be used (${code}); "worldline doctor" names those without a value`;
    case 'delivery_unknown':
      return `the call was begun before a restart and may have happened; ask the other side, then go on from "worldline effects get ${short}"`;
    case 'adapter_missing':
      return 'no adapter performs this effect kind; add one to "adapters" of worldline.host.json';
    case 'adapter_timeout':
      return `the effect took longer than its time limit; "worldline effects get ${short}" shows what was asked`;
    case 'adapter_error':
      return `the effect failed (${code}); "worldline effects get ${short}" shows what was asked and answered`;
    case 'invariant_violation':
      return 'an invariant of the plan did not hold; its step is in the record that ended it';
    case 'plan_error':
      return `the plan ended with ${code ?? 'an error'}; "worldline plans get <id>" shows step and message`;
    case 'waiting_approval':
      return `somebody has to decide: "worldline approvals decide ${short} approve" or "… deny"`;
    case 'waiting_receipt': {
      const kinds = [...trace.liveWait.planReceipts, ...trace.liveWait.reducerReceipts].map(({ kind }) => kind);
      if (kinds.length > 0 && kinds.every((kind) => kind.startsWith('timer.')))
        return 'a timer is running; it fires at its time while the world runs';
      return `an effect has no answer yet; "worldline effects get ${short}" shows it, "worldline status" whether the world runs`;
    }
    case 'waiting_event': {
      const schemas = [...new Set(trace.liveWait.planEvents.map(({ schema }) => schema))];
      return `it goes on when ${schemas.join(' or ')} arrives that its plan waits for`;
    }
    case 'completed':
      return 'nothing to do';
    case 'unknown':
      return `more follows than was looked at; give a --window-limit above ${trace.entries.length}`;
    default:
      return cause satisfies never;
  }
}

function isDenial({ record }: TraceEntry, kind: 'cap_decision' | 'policy_decision'): boolean {
  return record.record_kind === kind && record.decision === 'deny';
}

function endCode({ record }: TraceEntry): string | undefined {
  return record.record_kind === 'plan_ended' ? record.error_code : undefined;
}

function receiptCode({ record }: TraceEntry): string | undefined {
  return record.record_kind === 'effect_receipt' ? record.error?.code : undefined;
}
