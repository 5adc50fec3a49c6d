import { suggestHint } from '@worldline/air';
import { ok } from '@worldline/canon';
import { type Answer, refuse } from '@worldline/host';
import type { RecordKind } from '@worldline/kernel';

/** Topics of the event stream (`host.md` §9): filters over the journal, but for `host`, which is none. */
export const TOPICS = ['journal', 'events', 'effects', 'plans', 'faults', 'governance', 'approvals', 'host'] as const;

export type Topic = (typeof TOPICS)[number];

const TOPIC_OF: { readonly [K in RecordKind]?: Topic } = {
  domain_event: 'events',
  effect_intent: 'effects',
  effect_receipt: 'effects',
  plan_start: 'plans',
  plan_cancel: 'plans',
  plan_started: 'plans',
  plan_ended: 'plans',
  plan_result: 'plans',
  reducer_fault: 'faults',
  ingress_rejected: 'faults',
  governance: 'governance',
  manifest: 'governance',
};

/** Records of no such kind are in `journal` only; approvals are found among effects. */
export function topicOf(kind: RecordKind): Topic | undefined {
  return TOPIC_OF[kind];
}

/** @param given - each a list separated by commas; none at all: `journal`. @returns `invalid_request` for an unknown one. */
export function readTopics(given: readonly string[]): Answer<ReadonlySet<Topic>> {
  const topics = new Set<Topic>();
  for (const name of given.length === 0 ? ['journal'] : given.flatMap((list) => list.split(','))) {
    const topic = TOPICS.find((known) => known === name);
    if (topic === undefined)
      return refuse('invalid_request', `there is no topic "${name.slice(0, 80)}"`, {
        path: ['query', 'topics'],
        hint: suggestHint(name, TOPICS) ?? `known: ${TOPICS.join(', ')}`,
      });
    topics.add(topic);
  }
  return ok(topics);
}
