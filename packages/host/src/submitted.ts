import { ok } from '@worldline/canon';
import type { Applied } from '@worldline/kernel';
import type { Store } from '@worldline/ports';
import { answerOf, type IngressAnswer } from './batch-answer.ts';
import { type Answer, refuse } from './failure.ts';
import { batchAt } from './journal-read.ts';

/** What became of a request that was put to a running world. */
export type Submitted =
  | ({ readonly state: 'applied' } & IngressAnswer)
  /** A receipt of an emission that was settled before: acknowledged, nothing journaled. */
  | { readonly state: 'settled_before'; readonly duplicate: true }
  | { readonly state: 'accepted'; readonly ingressId: string; readonly inboxSeq: Uint8Array };

export const SETTLED_BEFORE: Submitted = { state: 'settled_before', duplicate: true };

/**
 * Of an ingress that the kernel has applied: call it when that is durable. A repeat gets the answer of the first, which is
 * read from the journal.
 *
 * @returns the code on record when the kernel refused it.
 */
export function submittedOf(
  store: Store,
  worldId: string,
  { outcome, records }: Applied,
): Answer<Submitted> | Promise<Answer<Submitted>> {
  switch (outcome.kind) {
    case 'applied': {
      const answer = answerOf(records, outcome.firstSeq, false);
      return answer.ok
        ? ok({ state: 'applied', ...answer.value, planId: outcome.planId ?? answer.value.planId })
        : answer;
    }
    case 'rejected':
      return refuse(outcome.code, outcome.message);
    case 'duplicate':
      return outcome.firstSeq === undefined ? ok(SETTLED_BEFORE) : submittedFirst(store, worldId, outcome.firstSeq);
    case 'skipped':
      return ok(SETTLED_BEFORE);
    default:
      return outcome satisfies never;
  }
}

/** The answer that the first application of the same ingress got. */
async function submittedFirst(store: Store, worldId: string, firstSeq: number): Promise<Answer<Submitted>> {
  const batch = await batchAt(store, worldId, firstSeq);
  if (!batch.ok) return batch;
  const answer = answerOf(batch.value.records, firstSeq, true);
  return answer.ok ? ok({ state: 'applied', ...answer.value }) : answer;
}
