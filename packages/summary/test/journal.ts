import { type CborValue, encode, hashText, sha256, utf8 } from '@worldline/canon';
import type {
  CapDecision,
  DomainEvent,
  EffectIntent,
  EffectReceipt,
  EffectStatus,
  JournalRecord,
  PlanEnded,
  PlanResult,
  PlanStarted,
  PolicyDecision,
} from '@worldline/kernel';
import type { SummaryBatch } from '../src/fold.ts';

/** A journal written by hand: one call of `at` is one ingress, so one batch with one time. */

export const SECOND = 1_000_000_000n;

const hash = (text: string): Uint8Array => sha256(utf8(text));

export class Journal {
  readonly batches: SummaryBatch[] = [];
  next = 0;

  /** @param seconds - Logical time of the batch; undefined for a batch without stamp. */
  at(seconds: number | undefined, ...records: readonly JournalRecord[]): this {
    const stamp = seconds === undefined ? {} : { logicalNowNs: BigInt(Math.round(seconds * 1000)) * 1_000_000n };
    this.batches.push({ firstSeq: this.next, ...stamp, records });
    this.next += records.length;
    return this;
  }
}

export const started = (
  plan: string,
  id: number,
  extra: { parent?: number; correlation?: CborValue; cause?: number } = {},
): PlanStarted => ({
  record_kind: 'plan_started',
  plan_name: plan,
  plan_id: id,
  manifest_hash: hash('manifest'),
  input_hash: hash('input'),
  correlation: extra.correlation === undefined ? undefined : encode(extra.correlation),
  parent_instance_id: extra.parent,
  parent_step_id: extra.parent === undefined ? undefined : 'spawn',
  cause: extra.cause ?? 0,
});

export const ended = (plan: string, id: number, error?: string, startedSeq = 0, cause = 0): PlanEnded => ({
  record_kind: 'plan_ended',
  plan_name: plan,
  plan_id: id,
  status: error === undefined ? 'ok' : 'error',
  error_code: error,
  started_seq: startedSeq,
  cause,
});

export const result = (plan: string, id: number, value: CborValue): PlanResult => ({
  record_kind: 'plan_result',
  plan_name: plan,
  plan_id: id,
  output_schema: 'com.acme/Out@1',
  value_cbor: encode(value),
});

export const intent = (
  plan: string,
  id: number,
  kind: string,
  extra: { params?: CborValue; into?: number; hash?: string; step?: string; cause?: number } = {},
): EffectIntent => ({
  record_kind: 'effect_intent',
  intent_hash: hash(extra.hash ?? `${kind} ${id}`),
  kind,
  cap_name: 'grant',
  params_cbor: encode(extra.params ?? {}),
  idempotency_key: new Uint8Array(32),
  origin: { origin_kind: 'plan', name: plan, plan_id: id, step_id: extra.step ?? 'emit' },
  coalesced_into: extra.into,
  cause: extra.cause ?? 0,
});

export const byReducer = (
  reducer: string,
  kind: string,
  extra: { into?: number; hash?: string } = {},
): EffectIntent => ({
  ...intent('', 0, kind, { hash: extra.hash ?? `${kind} of ${reducer}`, ...(extra.into === undefined ? {} : extra) }),
  origin: { origin_kind: 'reducer', name: reducer },
});

export const receipt = (
  emissionSeq: number,
  status: EffectStatus = 'ok',
  extra: { code?: string; adapter?: string; disposition?: EffectReceipt['disposition'] } = {},
): EffectReceipt => ({
  record_kind: 'effect_receipt',
  intent_hash: hash('whatever'),
  emission_seq: emissionSeq,
  adapter_id: extra.adapter ?? 'host.http',
  status,
  error:
    status === 'ok'
      ? undefined
      : { code: extra.code ?? 'adapter_error', message: 'hunter2', retryable: null, detail_ref: null },
  signature: new Uint8Array(64),
  disposition: extra.disposition ?? 'applied',
});

export const cap = (of: EffectIntent | string, decision: 'allow' | 'deny' = 'allow'): CapDecision => ({
  record_kind: 'cap_decision',
  intent_hash: typeof of === 'string' ? hash(of) : of.intent_hash,
  stage: 'enqueue',
  effect_kind: 'http.request',
  cap_name: 'grant',
  cap_type: 'http.out',
  grant_hash: hash('grant'),
  enforcer_module: 'sys/CapAllowAll@1',
  decision,
  deny: decision === 'deny' ? { code: 'host_not_allowed', message: 'hunter2' } : undefined,
});

export const policy = (of: EffectIntent | string, decision: 'allow' | 'deny' = 'allow'): PolicyDecision => ({
  record_kind: 'policy_decision',
  intent_hash: typeof of === 'string' ? hash(of) : of.intent_hash,
  policy_name: 'com.acme/policy@1',
  rule_index: 0,
  decision,
});

/** An admitted effect: both decisions, then the intent. */
export const admitted = (of: EffectIntent): readonly JournalRecord[] => [cap(of), policy(of), of];

export const raised = (
  plan: string,
  id: number,
  value: CborValue,
  schema = 'com.acme/Settled@1',
  cause = 0,
): DomainEvent => ({
  record_kind: 'domain_event',
  schema,
  value: encode(value),
  event_hash: hash('event'),
  origin: 'plan',
  origin_name: plan,
  plan_id: id,
  cause,
});

/** A message of another world, delivered as an event. */
export const delivered = (schema: string, from: string, send: EffectIntent): DomainEvent => ({
  ...external(schema),
  ingress_id: `fabric:${from}/${hashText(send.intent_hash)}`,
});

export const external = (schema: string, value: CborValue = {}): DomainEvent => ({
  record_kind: 'domain_event',
  schema,
  value: encode(value),
  event_hash: hash('event'),
  origin: 'external',
});

export const TIMED_OUT: CborValue = { $tag: 'TimedOut', $value: null };
