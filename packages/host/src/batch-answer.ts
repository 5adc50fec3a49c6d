import { hashText, ok } from '@worldline/canon';
import type { JournalRecord } from '@worldline/kernel';
import { type Answer, refuse } from './failure.ts';

/** What became of an ingress, as its durable batch tells it. */
export interface IngressAnswer {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly duplicate: boolean;
  /** Of an event. */
  readonly eventHash: string | undefined;
  /** Of a plan start. */
  readonly planId: number | undefined;
}

/** @returns the refusal on record, when there is one. */
export function answerOf(
  records: readonly JournalRecord[],
  firstSeq: number,
  duplicate: boolean,
): Answer<IngressAnswer> {
  const root = records[0];
  if (root?.record_kind === 'ingress_rejected') return refuse(root.code, root.message);
  return ok({
    firstSeq,
    lastSeq: firstSeq + records.length - 1,
    duplicate,
    eventHash: root?.record_kind === 'domain_event' ? hashText(root.event_hash) : undefined,
    planId: root?.record_kind === 'plan_start' || root?.record_kind === 'plan_cancel' ? root.plan_id : undefined,
  });
}
