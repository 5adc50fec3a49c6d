import type { Applied, Emission, IntentOrigin } from '@worldline/kernel';
import type { EffectOutcome } from '@worldline/ports';
import { type DecisionRequest, decisionPayload } from './requests.ts';

export const APPROVAL_KIND = 'approval.request';

/**
 * Which live instances wait for which pending approval, as far as durable batches tell. When the last of them has ended,
 * the request is withdrawn (`host.md` §5.6).
 */
export class ApprovalTracker {
  readonly #plansOf = new Map<number, Set<number>>();
  readonly #approvalsOf = new Map<number, Set<number>>();

  get size(): number {
    return this.#plansOf.size;
  }

  /** Begins again from the pending emissions. @returns approvals that nobody waits for any more. */
  rebuild(pending: Iterable<Emission>, isLive: (planId: number) => boolean): readonly number[] {
    this.#plansOf.clear();
    this.#approvalsOf.clear();
    const orphans: number[] = [];
    for (const emission of pending) {
      if (emission.kind !== APPROVAL_KIND) continue;
      const plans = [emission.origin, ...emission.waiters.map((w) => w.origin)]
        .flatMap((o) => planIdOf(o) ?? [])
        .filter(isLive);
      this.#plansOf.set(emission.emissionSeq, new Set());
      for (const planId of plans) this.#add(emission.emissionSeq, planId);
      if (plans.length === 0) orphans.push(emission.emissionSeq);
    }
    return orphans;
  }

  /** Takes note of one durable batch. @returns approvals whose last waiting instance ended in it. */
  observe(applied: Applied): readonly number[] {
    const withdrawn: number[] = [];
    applied.records.forEach((record, i) => {
      if (record.record_kind === 'effect_intent' && record.kind === APPROVAL_KIND) {
        const planId = planIdOf(record.origin);
        const seq = record.coalesced_into ?? applied.batch!.firstSeq + i;
        if (planId !== undefined) this.#add(seq, planId);
      } else if (record.record_kind === 'plan_ended' && this.#approvalsOf.size > 0) {
        withdrawn.push(...this.#planEnded(record.plan_id));
      } else if (record.record_kind === 'effect_receipt') this.#settled(record.emission_seq);
    });
    return withdrawn;
  }

  #add(emissionSeq: number, planId: number): void {
    setOf(this.#plansOf, emissionSeq).add(planId);
    setOf(this.#approvalsOf, planId).add(emissionSeq);
  }

  #planEnded(planId: number): number[] {
    const approvals = this.#approvalsOf.get(planId);
    if (approvals === undefined) return [];
    this.#approvalsOf.delete(planId);
    return [...approvals].filter((seq) => {
      const plans = this.#plansOf.get(seq);
      plans?.delete(planId);
      return plans?.size === 0;
    });
  }

  #settled(emissionSeq: number): void {
    const plans = this.#plansOf.get(emissionSeq);
    if (plans === undefined) return;
    this.#plansOf.delete(emissionSeq);
    for (const planId of plans) {
      const approvals = this.#approvalsOf.get(planId);
      approvals?.delete(emissionSeq);
      if (approvals?.size === 0) this.#approvalsOf.delete(planId);
    }
  }
}

function planIdOf(origin: IntentOrigin): number | undefined {
  return origin.origin_kind === 'plan' ? origin.plan_id : undefined;
}

function setOf<K, V>(map: Map<K, Set<V>>, key: K): Set<V> {
  let set = map.get(key);
  if (set === undefined) {
    set = new Set();
    map.set(key, set);
  }
  return set;
}

/** The outcome of a decision: status `ok`, whichever way it went. */
export function decisionOutcome(request: Pick<DecisionRequest, 'decision' | 'approver' | 'rationale'>): EffectOutcome {
  return { status: 'ok', payload: decisionPayload(request) };
}
