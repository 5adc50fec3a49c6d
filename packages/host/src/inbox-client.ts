import { ok } from '@worldline/canon';
import type { AppliedRange, Store } from '@worldline/ports';
import { answerOf, type IngressAnswer } from './batch-answer.ts';
import type { Answer } from './failure.ts';
import type { EncodedItem } from './inbox-item.ts';
import { enqueueRefusal } from './inbox-refusal.ts';
import { batchAt } from './journal-read.ts';

/**
 * For a process beside the one that runs the world: puts an item in the durable inbox and waits until the lease holder
 * has applied it.
 */
export interface SubmitOptions {
  /** How long to wait for the outcome; 0: not at all. */
  readonly timeoutMs: number;
  readonly pollMs?: number | undefined;
}

export type Submission =
  /** Durable in the inbox; nobody has applied it within the time. */
  | { readonly state: 'accepted'; readonly inboxSeq: Uint8Array }
  | { readonly state: 'applied'; readonly answer: IngressAnswer }
  /** Passed over: the same ingress or receipt had been applied before, under another item. */
  | { readonly state: 'passed' };

/**
 * @returns the refusal on record when the kernel refused it; `ingress.conflict`, `full`, `world.archived`, `not_found`
 *   or `host_error` from the store.
 */
export async function submitItem(
  store: Store,
  worldId: string,
  { item, digest, dedupeKey, isDelivery }: EncodedItem,
  options: SubmitOptions,
): Promise<Answer<Submission>> {
  const enqueued = await store.inbox.enqueue(worldId, item, digest, dedupeKey, { isDelivery });
  if (enqueued.answer !== 'ok' && enqueued.answer !== 'duplicate')
    return enqueueRefusal(worldId, enqueued, 'this key was used for another request');
  return awaitItem(store, worldId, enqueued.seq, enqueued.answer === 'duplicate', options);
}

async function awaitItem(
  store: Store,
  worldId: string,
  seq: Uint8Array,
  duplicate: boolean,
  options: SubmitOptions,
): Promise<Answer<Submission>> {
  const endMs = performance.now() + options.timeoutMs;
  for (;;) {
    const { done, applied } = await store.inbox.applied(worldId, seq);
    if (done) return applied === undefined ? ok({ state: 'passed' }) : outcomeAt(store, worldId, applied, duplicate);
    const leftMs = endMs - performance.now();
    if (leftMs <= 0) return ok({ state: 'accepted', inboxSeq: seq });
    await new Promise((resolve) => setTimeout(resolve, Math.min(leftMs, options.pollMs ?? 20)));
  }
}

async function outcomeAt(
  store: Store,
  worldId: string,
  range: AppliedRange,
  duplicate: boolean,
): Promise<Answer<Submission>> {
  const batch = await batchAt(store, worldId, range.firstSeq);
  if (!batch.ok) return batch;
  const answer = answerOf(batch.value.records, range.firstSeq, duplicate);
  return answer.ok ? ok({ state: 'applied', answer: answer.value }) : answer;
}
