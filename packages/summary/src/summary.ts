import type { Failure } from '@worldline/canon';
import type { Correlation, Lane } from './correlation.ts';
import type { CorrelationFilter } from './flow-log.ts';

/**
 * What a summary says (`summaries.md` §3, §6). Members carry their wire names and stand in wire order; maps are sorted
 * by key. Times are ns.
 */

export interface Distribution {
  readonly count: number;
  /** Nearest rank; all members are 0 when `count` is 0. */
  readonly p50: bigint;
  readonly p90: bigint;
  readonly p95: bigint;
  readonly p99: bigint;
  readonly max: bigint;
}

export interface Decisions {
  readonly allow: number;
  readonly deny: number;
}

export interface Receipts {
  readonly ok: number;
  readonly error: number;
  readonly timeout: number;
}

export interface KindSummary extends Receipts {
  readonly intents: number;
  readonly wait_ns: Distribution;
}

export interface FailureSignals {
  readonly policy_deny: number;
  readonly cap_deny: number;
  readonly invariant_violation: number;
  /** Runs whose own deadline won (§3.1). */
  readonly timeout_path: number;
  /** Receipts of adapters that gave up. */
  readonly adapter_timeout: number;
  readonly adapter_error: number;
  readonly delivery_unknown: number;
}

/** Counters over some set of runs: those of one plan, all, or root runs only. */
export interface RunCounters {
  readonly runs: {
    readonly started: number;
    readonly started_as_child: number;
    readonly ok: number;
    readonly error: number;
    readonly live: number;
    readonly carried_in: number;
  };
  /** Ends with error, by code. */
  readonly errors: ReadonlyMap<string, number>;
  readonly failure_signals: FailureSignals;
  readonly deadlines: {
    readonly armed: number;
    readonly in_time: number;
    readonly late: number;
    readonly open: number;
  };
  readonly effects: {
    readonly intents: number;
    readonly coalesced: number;
    readonly open: number;
    readonly receipts: Receipts & { readonly late: number };
    readonly policy_decisions: Decisions;
    readonly cap_decisions: Decisions;
    readonly by_kind: ReadonlyMap<string, KindSummary>;
  };
  readonly events: { readonly raised: number };
  readonly duration_ns: Distribution;
}

export interface PlanSummary extends RunCounters {
  readonly plan_name: string;
}

export interface InstanceSummary {
  readonly plan_id: number;
  readonly plan_name: string;
  readonly parent_plan_id?: number | undefined;
  /** The canonical bytes; shown decoded. */
  readonly correlation?: Uint8Array | undefined;
  /** Unknown for a run that is carried in and has not ended. */
  readonly started_seq?: number | undefined;
  readonly ended_seq?: number | undefined;
  readonly status: 'ok' | 'error' | 'live';
  readonly error_code?: string | undefined;
  /** Absent for live runs and for those whose start lies before the range. */
  readonly duration_ns?: bigint | undefined;
  readonly live_age_ns?: bigint | undefined;
  readonly intents: number;
  readonly timeout_path: boolean;
}

export interface Summary {
  readonly v: 1;
  /** Given by the caller: a journal holds no world name. */
  readonly label?: string | undefined;
  /** First and last seq of the summarised batches; `to` is `from − 1` when there are no records. */
  readonly from: number;
  readonly to: number;
  /** Some run or receipt has its beginning before `from` (§2). */
  readonly partial: boolean;
  readonly plans: readonly PlanSummary[];
  readonly totals: RunCounters;
  readonly roots: RunCounters;
  readonly outside_plans: {
    readonly intents: number;
    readonly receipts: Receipts;
    readonly policy_decisions: Decisions;
    readonly cap_decisions: Decisions;
  };
  readonly receipts_orphaned: number;
  readonly ingress_rejected: ReadonlyMap<string, number>;
  readonly reducer_faults: ReadonlyMap<string, number>;
  readonly correlations?: readonly Correlation[] | undefined;
  readonly instances?: readonly InstanceSummary[] | undefined;
  /** Not part of the JSON: the runs behind `correlations`, for flows over several journals. */
  readonly flows?: Lane | undefined;
  /** Not part of the JSON: `plans` holds this plan only, so it does not add up to `totals`. */
  readonly planFilter?: string | undefined;
  /** Not part of the JSON: what §3.2 asks of single records and the fold found broken. */
  readonly inconsistencies: readonly Failure[];
}

export interface SummaryOptions {
  readonly label?: string | undefined;
  /** Keep this plan's row and instances; nothing else is recomputed. */
  readonly plan?: string | undefined;
  /** List every run. Memory then grows with the number of runs. */
  readonly instances?: boolean | undefined;
  /**
   * Index the runs by correlation: all, or only those that a filter takes. Memory then grows with them. A run that a
   * message or an event of another run started is held too, for a flow may lead there.
   */
  readonly correlations?: boolean | CorrelationFilter | undefined;
  /** Take the batches that hold a record in `[from, to]`; a batch is never cut. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}
