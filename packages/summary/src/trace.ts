import { bytesEqual } from '@worldline/canon';
import type {
  CapDecision,
  DomainEvent,
  EffectIntent,
  EffectReceipt,
  JournalRecord,
  PlanStarted,
  PolicyDecision,
} from '@worldline/kernel';
import { type LiveState, type LiveWait, liveWaitOf } from './live-wait.ts';

/**
 * The lineage of one event (`host.md` §10.1): what followed from it, and nothing else that was journaled meanwhile.
 *
 * T1  A record belongs to the lineage by a link that it carries: `cause`, `plan_id`, `emission_seq`, `started_seq`,
 *     `event_seq`; decisions by what they decide, which stands directly behind them.
 * T2  Folding stops where nothing more can follow: every run of the lineage has ended, every intent has its receipt.
 * T3  A run that was there before and that an event of the lineage woke belongs to it from then on.
 * T4  What a run of the lineage waits for is waited for by the lineage: its children's waits count, also those of
 *     children that are older than the root.
 */

export interface TraceBatch {
  readonly firstSeq: number;
  readonly logicalNowNs?: bigint | undefined;
  /** The manifest that was active; absent in batches without stamp. */
  readonly manifestHash?: Uint8Array | undefined;
  readonly records: readonly JournalRecord[];
}

export interface TraceEntry {
  readonly seq: number;
  readonly record: JournalRecord;
  /** The record of the lineage that this one follows from; absent for the root. */
  readonly causeSeq?: number | undefined;
  /** Steps from the root: an event, a run that it started, what that run did, an event that it raised, … */
  readonly depth: number;
  /** Logical time of its batch. */
  readonly atNs: bigint;
  /** The manifest that was active then. */
  readonly activeManifest: Uint8Array | undefined;
}

export interface TracePlan {
  readonly planId: number;
  readonly plan: string;
  status: 'live' | 'ok' | 'error';
  errorCode?: string | undefined;
  /** Unknown for a run that was woken and has ended since. */
  manifestHash?: Uint8Array | undefined;
}

export type TerminalState = 'failed' | 'waiting_receipt' | 'waiting_event' | 'completed' | 'unknown';

/** `host.md` §10.1 begins at an event; a run that was started by hand, or a child, can be looked at by itself too. */
export type TraceRoot =
  | { readonly seq: number; readonly event: DomainEvent; readonly run?: undefined }
  | { readonly seq: number; readonly run: PlanStarted; readonly event?: undefined };

export interface Trace {
  readonly root: TraceRoot;
  readonly fromSeq: number;
  /** Last seq that was looked at. */
  readonly toSeq: number;
  readonly truncated: boolean;
  readonly entries: readonly TraceEntry[];
  readonly plans: readonly TracePlan[];
  readonly liveWait: LiveWait;
  readonly terminalState: TerminalState;
  /** What made it fail, oldest first. */
  readonly failures: readonly TraceEntry[];
  /** Logical and wall time of the head. */
  readonly headNs: bigint;
  readonly headWallNs: bigint;
}

export const WINDOW_LIMIT = 400;
export const WINDOW_LIMIT_MAX = 10_000;

type Decision = CapDecision | PolicyDecision;

const DENIALS: ReadonlySet<string | undefined> = new Set(['cap_denied', 'policy_denied', 'secret_denied']);

export class TraceFold {
  readonly #rootSeq: number;
  readonly #limit: number;
  #root: TraceRoot | undefined;
  readonly #entries: TraceEntry[] = [];
  readonly #bySeq = new Map<number, TraceEntry>();
  readonly #plans = new Map<number, TracePlan>();
  /** Depth of each run's own records. */
  readonly #planDepth = new Map<number, number>();
  /** Where each run joined. */
  readonly #joined = new Map<number, number>();
  /** Unsettled emissions by `emission_seq`; several intents may share one. */
  readonly #open = new Map<number, TraceEntry>();
  #openPlans = 0;
  #decisions: { readonly seq: number; readonly decision: Decision }[] = [];
  #nowNs = 0n;
  #manifest: Uint8Array | undefined;
  #toSeq: number;
  #isTruncated = false;

  constructor(rootSeq: number, windowLimit = WINDOW_LIMIT) {
    this.#rootSeq = rootSeq;
    this.#toSeq = rootSeq;
    this.#limit = windowLimit;
  }

  /** Nothing more can follow, or no more may be kept: further batches change nothing. */
  get isClosed(): boolean {
    return this.#isTruncated || (this.#root !== undefined && this.#openPlans === 0 && this.#open.size === 0);
  }

  /** Batches in order, from the one that holds the root. */
  add(batch: TraceBatch): void {
    if (this.isClosed) return;
    if (batch.logicalNowNs !== undefined) this.#nowNs = batch.logicalNowNs;
    if (batch.manifestHash !== undefined) this.#manifest = batch.manifestHash;
    this.#decisions = [];
    for (const [i, record] of batch.records.entries()) {
      const seq = batch.firstSeq + i;
      if (seq < this.#rootSeq) continue;
      this.#toSeq = seq;
      if (record.record_kind === 'cap_decision' || record.record_kind === 'policy_decision') {
        this.#decisions.push({ seq, decision: record });
        continue;
      }
      this.#record(seq, record);
      this.#decisions = [];
      if (this.#isTruncated) return;
    }
  }

  /** @throws Error when the root was not among the batches: the caller's bug. */
  finish(live: LiveState): Trace {
    if (this.#root === undefined) throw new Error(`there is no event and no start of a run at ${this.#rootSeq}`);
    const plans = [...this.#plans.values()].map((plan) => ({
      ...plan,
      manifestHash: plan.manifestHash ?? live.instance(plan.planId)?.manifestHash,
    }));
    const liveWait = liveWaitOf(this.#plans.keys(), this.#open.keys(), live);
    const failures = this.#failures(plans);
    return {
      root: this.#root,
      fromSeq: this.#rootSeq,
      toSeq: this.#toSeq,
      truncated: this.#isTruncated,
      entries: this.#entries,
      plans,
      liveWait,
      terminalState: terminalState(failures, liveWait, this.#isTruncated),
      failures,
      headNs: live.logicalNowNs,
      headWallNs: live.lastNowNs,
    };
  }

  #record(seq: number, record: JournalRecord): void {
    switch (record.record_kind) {
      case 'domain_event':
        if (seq === this.#rootSeq) {
          this.#root = { seq, event: record };
          this.#keep(seq, record, undefined, 0);
        } else if (record.plan_id !== undefined && this.#plans.has(record.plan_id)) {
          this.#keep(seq, record, this.#causeOf(record.cause, record.plan_id), this.#below(record.plan_id));
        } else if (this.#has(record.cause)) {
          this.#wake(record.plan_id, record.origin_name, record.cause);
          this.#keep(seq, record, record.cause, this.#bySeq.get(record.cause!)!.depth + 1);
        }
        return;
      case 'plan_started': {
        if (seq === this.#rootSeq) {
          this.#root = { seq, run: record };
          this.#keep(seq, record, undefined, 0);
          this.#openPlan(record.plan_id, record.plan_name, record.manifest_hash, 0, seq);
          return;
        }
        const parent = record.parent_instance_id;
        const isChild = parent !== undefined && this.#plans.has(parent);
        if (!isChild && !this.#has(record.cause)) return;
        const depth = isChild ? this.#below(parent) : this.#bySeq.get(record.cause)!.depth + 1;
        this.#keep(seq, record, this.#causeOf(record.cause, parent), depth);
        this.#openPlan(record.plan_id, record.plan_name, record.manifest_hash, depth, seq);
        return;
      }
      case 'effect_intent':
        this.#intent(seq, record);
        return;
      case 'effect_receipt': {
        const intent = this.#open.get(record.emission_seq);
        if (intent === undefined) return;
        this.#open.delete(record.emission_seq);
        this.#keep(seq, record, intent.seq, intent.depth + 1);
        return;
      }
      case 'plan_ended': {
        if (!this.#plans.has(record.plan_id)) {
          if (!this.#has(record.cause)) return;
          this.#wake(record.plan_id, record.plan_name, record.cause);
        }
        const depth = this.#planDepth.get(record.plan_id)!;
        const cause = this.#causeOf(record.cause, record.plan_id);
        if (DENIALS.has(record.error_code)) this.#keepDecisions(() => true, depth + 1, cause);
        this.#keep(seq, record, cause, depth);
        const plan = this.#plans.get(record.plan_id)!;
        plan.status = record.status;
        plan.errorCode = record.error_code;
        this.#openPlans--;
        return;
      }
      case 'plan_result':
        if (this.#plans.has(record.plan_id)) this.#keep(seq, record, seq - 1, this.#below(record.plan_id));
        return;
      case 'plan_cancel':
        if (this.#plans.get(record.plan_id)?.status === 'live')
          this.#keep(seq, record, undefined, this.#below(record.plan_id));
        return;
      case 'reducer_fault': {
        const event = this.#bySeq.get(record.event_seq);
        if (event === undefined) return;
        this.#keepDecisions(() => true, event.depth + 1, record.event_seq);
        this.#keep(seq, record, record.event_seq, event.depth + 1);
        return;
      }
      case 'ingress_rejected': {
        const intent = record.emission_seq === undefined ? undefined : this.#open.get(record.emission_seq);
        if (intent !== undefined) this.#keep(seq, record, intent.seq, intent.depth + 1);
        return;
      }
      case 'cap_decision':
      case 'policy_decision':
        // `add` keeps them until it sees what they decided.
        return;
      case 'plan_start':
      case 'manifest':
      case 'governance':
      case 'snapshot':
      case 'baseline':
      case 'custom':
        return;
      default:
        record satisfies never;
    }
  }

  #intent(seq: number, record: EffectIntent): void {
    const { origin } = record;
    const planId = origin.origin_kind === 'plan' ? origin.plan_id : undefined;
    const isOwn = planId !== undefined && this.#plans.has(planId);
    if (!isOwn && !this.#has(record.cause)) return;
    if (planId !== undefined && !isOwn) this.#wake(planId, origin.name, record.cause);
    const depth = planId === undefined ? this.#bySeq.get(record.cause)!.depth + 1 : this.#below(planId);
    const cause = this.#causeOf(record.cause, planId);
    this.#keepDecisions((decision) => bytesEqual(decision.intent_hash, record.intent_hash), depth, cause);
    const kept = this.#keep(seq, record, cause, depth);
    const emission = record.coalesced_into ?? seq;
    if (!this.#open.has(emission)) this.#open.set(emission, kept);
  }

  /** T3. */
  #wake(planId: number | undefined, name: string | undefined, cause: number | undefined): void {
    if (planId === undefined || this.#plans.has(planId)) return;
    this.#openPlan(planId, name ?? '', undefined, this.#bySeq.get(cause!)!.depth + 1, cause!);
  }

  /** @param joinedSeq - the record by which it belongs to the lineage: its start, or what woke it. */
  #openPlan(
    planId: number,
    plan: string,
    manifestHash: Uint8Array | undefined,
    depth: number,
    joinedSeq: number,
  ): void {
    this.#plans.set(planId, { planId, plan, status: 'live', manifestHash });
    this.#planDepth.set(planId, depth);
    this.#joined.set(planId, joinedSeq);
    this.#openPlans++;
  }

  #keepDecisions(isOf: (decision: Decision) => boolean, depth: number, cause: number | undefined): void {
    for (const { seq, decision } of this.#decisions) if (isOf(decision)) this.#keep(seq, decision, cause, depth);
  }

  #keep(seq: number, record: JournalRecord, causeSeq: number | undefined, depth: number): TraceEntry {
    const entry: TraceEntry = {
      seq,
      record,
      causeSeq,
      depth,
      atNs: this.#nowNs,
      activeManifest: this.#manifest,
    };
    if (this.#entries.length >= this.#limit) this.#isTruncated = true;
    else {
      this.#entries.push(entry);
      this.#bySeq.set(seq, entry);
    }
    return entry;
  }

  #has(seq: number | undefined): boolean {
    return seq !== undefined && this.#bySeq.has(seq);
  }

  /**
   * The record of the lineage that another one follows from. What a run does may have been set off by something foreign,
   * such as an event that another lineage raised: then it follows from what made the run belong here.
   */
  #causeOf(cause: number | undefined, planId: number | undefined): number | undefined {
    return this.#has(cause) ? cause : planId === undefined ? undefined : this.#joined.get(planId);
  }

  #below(planId: number): number {
    return this.#planDepth.get(planId)! + 1;
  }

  /** Runs that ended in error; denials and receipts that are not ok, unless their run ended ok all the same. */
  #failures(plans: readonly TracePlan[]): readonly TraceEntry[] {
    const endedOk = new Set(plans.filter((plan) => plan.status === 'ok').map((plan) => plan.planId));
    const ownerOf = (seq: number | undefined): number | undefined => {
      const record = seq === undefined ? undefined : this.#bySeq.get(seq)?.record;
      return record?.record_kind === 'effect_intent' && record.origin.origin_kind === 'plan'
        ? record.origin.plan_id
        : undefined;
    };
    const isForgiven = (planId: number | undefined) => planId !== undefined && endedOk.has(planId);
    return this.#entries.filter(({ record, causeSeq }) => {
      switch (record.record_kind) {
        case 'plan_ended':
          return record.status === 'error';
        case 'effect_receipt':
          return record.status !== 'ok' && reportsFailure(record) && !isForgiven(ownerOf(causeSeq));
        case 'cap_decision':
        case 'policy_decision':
          return record.decision === 'deny';
        case 'reducer_fault':
          return true;
        default:
          return false;
      }
    });
  }
}

/** A fork and a withdrawn approval report no failure of anything. */
function reportsFailure(receipt: EffectReceipt): boolean {
  return receipt.adapter_id !== 'kernel.fork' && receipt.error?.code !== 'approval.withdrawn';
}

function terminalState(failures: readonly TraceEntry[], live: LiveWait, truncated: boolean): TerminalState {
  if (failures.length > 0) return 'failed';
  // What was cut off may have ended since: the waits of a part say nothing about the whole.
  if (truncated) return 'unknown';
  if (live.planReceipts.length > 0 || live.reducerReceipts.length > 0) return 'waiting_receipt';
  return live.planEvents.length > 0 ? 'waiting_event' : 'completed';
}
