import type { FlowEffect } from './flow-log.ts';
import type { InstanceSummary } from './summary.ts';
import type { Tally } from './tally.ts';

/** One run while the fold goes over it. */
export interface Run {
  readonly planId: number;
  readonly planName: string;
  readonly root: boolean;
  readonly tally: Tally;
  /** Undefined: it began before the range and is carried in. */
  readonly startedNs?: bigint | undefined;
  readonly parentPlanId?: number | undefined;
  startedSeq?: number | undefined;
  correlation?: Uint8Array | undefined;
  status: InstanceSummary['status'];
  endedSeq?: number;
  errorCode?: string | undefined;
  durationNs?: bigint;
  intents: number;
  timeoutPath: boolean;
}

export interface OpenIntent {
  /** Undefined: a reducer's. */
  readonly run: Run | undefined;
  readonly kind: string;
  readonly sentNs: bigint;
  readonly deadline: boolean;
  /** Where its receipt is noted for the correlation index. */
  readonly effect: FlowEffect | undefined;
}

/** What one receipt will settle: the leader's intent, unless it lies before the range, and those coalesced into it. */
export interface OpenEmission {
  readonly intentHash: Uint8Array;
  readonly intents: OpenIntent[];
}

export function isCarriedIn(run: Run): boolean {
  return run.startedNs === undefined;
}

/** A run counts at most once (`summaries.md` §3.1). */
export function tookDeadline(run: Run): void {
  if (run.timeoutPath) return;
  run.timeoutPath = true;
  run.tally.signals.timeout_path += 1;
}

/** @param nowNs - time of the last record, to which a live run has aged. */
export function instanceRow(run: Run, nowNs: bigint): InstanceSummary {
  return {
    plan_id: run.planId,
    plan_name: run.planName,
    parent_plan_id: run.parentPlanId,
    correlation: run.correlation,
    started_seq: run.startedSeq,
    ended_seq: run.endedSeq,
    status: run.status,
    error_code: run.errorCode,
    duration_ns: run.durationNs,
    live_age_ns: run.status === 'live' && run.startedNs !== undefined ? nowNs - run.startedNs : undefined,
    intents: run.intents,
    timeout_path: run.timeoutPath,
  };
}
