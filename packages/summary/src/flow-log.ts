import { toHex } from '@worldline/canon';
import type { DomainEvent, EffectIntent, EffectReceipt, PlanEnded, PlanStarted } from '@worldline/kernel';
import { timerKey } from './evidence.ts';

/**
 * What the journal says about single runs, for the correlation index and the flow view (`summaries.md` §5). Kept only when
 * somebody asks for correlations: memory then grows with the runs that are asked for.
 *
 * L1 A cause lies in the batch of what it causes: one ingress is one batch. So only the events of the current batch are
 *    at hand, and those that caused something stay.
 */

export interface FlowEvent {
  readonly seq: number;
  /** First seq of its batch. */
  readonly batch: number;
  readonly schema: string;
  readonly eventHash: Uint8Array;
  /** Of a message from another world: the hash of the sender's intent, in hex; of a forged one whatever stands there. */
  readonly messageId?: string | undefined;
  /** The run that raised it. */
  readonly raisedBy?: number | undefined;
}

export interface FlowReceipt {
  readonly seq: number;
  readonly batch: number;
  readonly status: EffectReceipt['status'];
  readonly errorCode?: string | undefined;
  /** As recorded: the leader's. */
  readonly disposition: EffectReceipt['disposition'];
  /** The run of this very intent had ended. */
  readonly late: boolean;
}

export interface FlowEffect {
  readonly seq: number;
  readonly batch: number;
  readonly stepId: string;
  readonly kind: string;
  readonly intentHash: Uint8Array;
  /** Of a timer. */
  readonly timerKey?: string | undefined;
  receipt?: FlowReceipt;
}

export interface FlowRun {
  readonly planId: number;
  plan: string;
  /** Absent when the run has none, and for one that is carried in and live. */
  correlation?: Uint8Array | undefined;
  readonly parentPlanId?: number | undefined;
  /** Of one that is carried in: before the range, and known once it ends. */
  startedSeq?: number | undefined;
  readonly startedBatch?: number | undefined;
  status: 'live' | 'ok' | 'error';
  endedSeq?: number;
  endedBatch?: number;
  errorCode?: string | undefined;
  /** The event that started it; a root run's. */
  readonly trigger?: FlowEvent | undefined;
  /** Other events from which it did something, once each. */
  readonly wokenBy: FlowEvent[];
  readonly raised: FlowEvent[];
  readonly effects: FlowEffect[];
}

/** What there is to tell of one journal. */
export interface Flows {
  /** In the order of their starts; those carried in where they were first seen. */
  readonly runs: readonly FlowRun[];
  /** Events that are messages of other worlds, ascending. */
  readonly messages: readonly FlowEvent[];
}

/** @returns whether runs of this correlation are wanted. */
export type CorrelationFilter = (correlation: Uint8Array) => boolean;

export class FlowLog implements Flows {
  readonly #wanted: CorrelationFilter | undefined;
  readonly #kept = new Set<FlowRun>();
  /** Open ones that are kept, or may still turn out to be wanted. */
  readonly #open = new Map<number, FlowRun>();
  readonly #events = new Map<number, FlowEvent>();
  /** Those of the batch that runs which are kept have raised; such a run may have ended meanwhile. */
  readonly #raised = new Set<FlowEvent>();
  readonly messages: FlowEvent[] = [];
  #batch = 0;
  #firstStarted: number | undefined;

  /** @param wanted - undefined: all runs are. */
  constructor(wanted?: CorrelationFilter) {
    this.#wanted = wanted;
  }

  get runs(): readonly FlowRun[] {
    return [...this.#kept].filter((run) => run.correlation !== undefined || run.startedSeq !== undefined);
  }

  begin(batch: number): void {
    this.#batch = batch;
    this.#events.clear();
    this.#raised.clear();
  }

  /** @param isCarriedIn - the run that raised it began before the range. */
  event(seq: number, record: DomainEvent, isCarriedIn = false): void {
    const raisedBy = record.origin === 'plan' ? record.plan_id : undefined;
    const event: FlowEvent = {
      seq,
      batch: this.#batch,
      schema: record.schema,
      eventHash: record.event_hash,
      messageId: messageIdOf(record),
      raisedBy,
    };
    this.#events.set(seq, event);
    if (event.messageId !== undefined) this.messages.push(event);
    if (raisedBy === undefined) return;
    const run = this.#runOf(raisedBy, record.origin_name ?? '', isCarriedIn);
    if (run !== undefined) {
      run.raised.push(event);
      this.#raised.add(event);
    }
    this.#woke(run, record.cause);
  }

  started(seq: number, record: PlanStarted): void {
    const { plan_id: planId, parent_instance_id: parentPlanId, correlation } = record;
    this.#firstStarted ??= planId;
    // Its start as a child is something that its parent did. Ids rise, so one that is below all others was carried in.
    const parent =
      parentPlanId === undefined ? undefined : this.#runOf(parentPlanId, '', parentPlanId < this.#firstStarted);
    this.#woke(parent, record.cause);
    const trigger = parentPlanId === undefined ? this.#events.get(record.cause) : undefined;
    if (!this.#keeps(correlation, parent, trigger)) return;
    const run: FlowRun = {
      planId,
      plan: record.plan_name,
      correlation,
      parentPlanId,
      startedSeq: seq,
      startedBatch: this.#batch,
      status: 'live',
      trigger,
      wokenBy: [],
      raised: [],
      effects: [],
    };
    this.#open.set(planId, run);
    this.#kept.add(run);
  }

  /** Those that are asked for, and those to which a flow leads without its correlation: by a message, an event, a start. */
  #keeps(correlation: Uint8Array | undefined, parent: FlowRun | undefined, trigger: FlowEvent | undefined): boolean {
    if (this.#wanted === undefined || parent?.startedBatch !== undefined) return true;
    if (correlation !== undefined && this.#wanted(correlation)) return true;
    if (trigger === undefined) return false;
    return trigger.messageId !== undefined || this.#raised.has(trigger);
  }

  /** @returns undefined for a run that began in the range and is not kept. */
  #runOf(planId: number, plan: string, isCarriedIn: boolean): FlowRun | undefined {
    const known = this.#open.get(planId);
    if (known !== undefined) {
      // A child told of it before it did.
      if (known.plan === '') known.plan = plan;
      return known;
    }
    if (!isCarriedIn) return undefined;
    const run: FlowRun = { planId, plan, status: 'live', wokenBy: [], raised: [], effects: [] };
    this.#open.set(planId, run);
    this.#kept.add(run);
    return run;
  }

  intent(seq: number, record: EffectIntent, isCarriedIn: boolean): FlowEffect | undefined {
    const { origin } = record;
    if (origin.origin_kind !== 'plan') return undefined;
    const run = this.#runOf(origin.plan_id, origin.name, isCarriedIn);
    if (run === undefined) return undefined;
    this.#woke(run, record.cause);
    const effect: FlowEffect = {
      seq,
      batch: this.#batch,
      stepId: origin.step_id,
      kind: record.kind,
      intentHash: record.intent_hash,
      timerKey: timerKey(record),
    };
    run.effects.push(effect);
    return effect;
  }

  receipt(seq: number, record: EffectReceipt, effect: FlowEffect, late: boolean): void {
    effect.receipt = {
      seq,
      batch: this.#batch,
      status: record.status,
      errorCode: record.error?.code,
      disposition: record.disposition,
      late,
    };
  }

  ended(seq: number, record: PlanEnded, isCarriedIn: boolean): void {
    const run = this.#runOf(record.plan_id, record.plan_name, isCarriedIn);
    if (run === undefined) return;
    this.#woke(run, record.cause);
    this.#open.delete(run.planId);
    run.status = record.status;
    run.endedSeq = seq;
    run.endedBatch = this.#batch;
    run.errorCode = record.status === 'error' ? (record.error_code ?? '') : undefined;
    if (run.startedBatch !== undefined) return;
    run.startedSeq = record.started_seq;
    run.correlation = record.correlation;
    const isWanted = run.correlation !== undefined && this.#wanted?.(run.correlation) !== false;
    if (!isWanted) this.#kept.delete(run);
  }

  #woke(run: FlowRun | undefined, cause: number | undefined): void {
    const event = cause === undefined ? undefined : this.#events.get(cause);
    if (run === undefined || event === undefined || event === run.trigger) return;
    const { wokenBy } = run;
    // An event wakes within its own batch, so it can only be among the last.
    for (let i = wokenBy.length - 1; i >= 0 && wokenBy[i]!.batch === this.#batch; i--) {
      if (wokenBy[i] === event) return;
    }
    wokenBy.push(event);
  }
}

/** `fabric:<from>/<message id>` in `source`, or for event delivery in `ingress_id`: the text after the last `/`. */
function messageIdOf(record: DomainEvent): string | undefined {
  for (const text of [record.source, record.ingress_id]) {
    if (text?.startsWith('fabric:') !== true || !text.includes('/')) continue;
    return text.slice(text.lastIndexOf('/') + 1).replace(/^sha256:/, '');
  }
  return undefined;
}

/** The message id of what an intent sends. */
export function sentMessageId(effect: FlowEffect): string {
  return toHex(effect.intentHash);
}
