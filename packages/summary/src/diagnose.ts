import { hashText } from '@worldline/canon';
import type { LiveState } from './live-wait.ts';
import type { Reason, Scene } from './reason.ts';
import { doneReasons } from './reason-done.ts';
import { failedReasons } from './reason-failed.ts';
import { httpRefusals } from './reason-http.ts';
import { reducerReasons, waitingReasons } from './reason-waiting.ts';
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
  /** Absent for the trace of a run. */
  readonly eventHash?: string | undefined;
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
  /** The true cause, as far as records and state tell it. */
  readonly reason: Reason;
  /** Of the same lineage, after the first; at most `MORE_MAX`. */
  readonly moreReasons: readonly Reason[];
  /** How many there are in all. */
  readonly reasonsTotal: number;
}

export type DiagnoseOptions = Pick<Scene, 'watch' | 'host' | 'object'>;

const MORE_MAX = 9;

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

/** @param live - state at the head that the trace was read to. */
export function diagnose(trace: Trace, live: LiveState, options: DiagnoseOptions = {}): Diagnosis {
  const { liveWait, terminalState } = trace;
  const [cause, shown] = causeOf(trace);
  const reasons = reasonsOf({ ...options, trace, live }, shown);
  const reason = reasons[0]!;
  return {
    terminalState,
    cause,
    hint: reason.hint,
    eventHash: trace.root.event === undefined ? undefined : hashText(trace.root.event.event_hash),
    intentHash: reason.intentHash === undefined ? undefined : hashText(reason.intentHash),
    waits: {
      plan_receipts: liveWait.planReceipts.length,
      plan_events: liveWait.planEvents.length,
      reducer_receipts: liveWait.reducerReceipts.length,
      queued_effects: liveWait.queued.length,
      timers: liveWait.timers.length,
    },
    evidence: shown.length > 0 ? shown.map((entry) => entry.seq) : reason.evidence,
    reason,
    moreReasons: reasons.slice(1, 1 + MORE_MAX),
    reasonsTotal: reasons.length,
  };
}

/** At least one. */
function reasonsOf(scene: Scene, shown: readonly TraceEntry[]): readonly Reason[] {
  const { trace } = scene;
  // What failed may not be all that failed, and what did not fail may still wait for something.
  const found =
    trace.terminalState === 'failed'
      ? eachKindFirst([
          ...failedReasons(scene, shown),
          ...httpRefusals(scene),
          ...waitingReasons(scene),
          ...reducerReasons(scene),
        ])
      : openReasons(scene);
  return found.length > 0 ? found : doneReasons(scene);
}

/** Of a fan-out whose children all failed in one way, the other trouble must not be what is left out. */
function eachKindFirst(reasons: readonly Reason[]): readonly Reason[] {
  const seen = new Set<string>();
  const isFirst = reasons.map(({ code }) => !seen.has(code) && seen.add(code) !== undefined);
  return [...reasons.filter((_, i) => isFirst[i]), ...reasons.filter((_, i) => !isFirst[i])];
}

function openReasons(scene: Scene): readonly Reason[] {
  const { trace } = scene;
  switch (trace.terminalState) {
    case 'unknown':
      return [
        {
          code: 'window_too_small',
          text: `the trace was cut after ${trace.entries.length} records, so what became of the rest is not known`,
          hint: `more follows than was looked at; give a --window-limit above ${trace.entries.length}`,
          runs: [],
          facts: { entries: trace.entries.length, to_seq: trace.toSeq },
          evidence: [trace.entries.at(-1)!.seq],
        },
      ];
    case 'waiting_receipt':
    case 'waiting_event':
      return [...waitingReasons(scene), ...reducerReasons(scene), ...httpRefusals(scene)];
    default:
      return doneReasons(scene);
  }
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

function isDenial({ record }: TraceEntry, kind: 'cap_decision' | 'policy_decision'): boolean {
  return record.record_kind === kind && record.decision === 'deny';
}

function endCode({ record }: TraceEntry): string | undefined {
  return record.record_kind === 'plan_ended' ? record.error_code : undefined;
}

function receiptCode({ record }: TraceEntry): string | undefined {
  return record.record_kind === 'effect_receipt' ? record.error?.code : undefined;
}
