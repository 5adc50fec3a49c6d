import { CborReader } from '@worldline/canon';
import type { CapDecision, Disposition, EffectIntent, EffectReceipt, JournalRecord, PolicyDecision } from './record.ts';
import * as key from './record-keys.ts';

const DISPOSITIONS: ReadonlySet<string> = new Set(['applied', 'buffered', 'late', 'orphaned']);

const reader = new CborReader();

/**
 * Records that nearly every batch has, member by member: a success, an allowed effect and its decisions. Copies what it
 * keeps; members stand in the order of their encoding, as where a record is read by way of data.
 *
 * @returns undefined for anything else, which `decodeRecord` reads by way of data.
 */
export function readInPlace(bytes: Uint8Array): JournalRecord | undefined {
  reader.begin(bytes);
  const members = reader.map();
  if (reader.takes(key.STATUS)) return readReceipt(members);
  if (reader.takes(key.STAGE)) return readCapDecision(members);
  if (reader.takes(key.DECISION)) return readPolicyDecision(members);
  return reader.takes(key.KIND) ? readIntent(members) : undefined;
}

function hash(): Uint8Array | undefined {
  const bytes = reader.bytes();
  return bytes.length === 32 ? bytes.slice() : undefined;
}

function readCapDecision(members: number): CapDecision | undefined {
  const stage = reader.text();
  reader.expect(key.CAP_NAME);
  const capName = reader.text();
  reader.expect(key.CAP_TYPE);
  const capType = reader.text();
  reader.expect(key.DECISION);
  const decision = reader.text();
  const expiry = reader.takes(key.EXPIRY_NS) ? reader.u64() : undefined;
  reader.expect(key.GRANT_HASH);
  const grantHash = hash();
  reader.expect(key.EFFECT_KIND);
  const effectKind = reader.text();
  reader.expect(key.INTENT_HASH);
  const intentHash = hash();
  reader.expect(key.RECORD_KIND);
  const kind = reader.text();
  reader.expect(key.ENFORCER_MODULE);
  const enforcer = reader.text();
  if (!reader.end() || members !== (expiry === undefined ? 9 : 10) || kind !== 'cap_decision') return undefined;
  if (stage !== 'enqueue' || !isVerdict(decision) || grantHash === undefined || intentHash === undefined)
    return undefined;
  return {
    stage,
    cap_name: capName,
    cap_type: capType,
    decision,
    ...(expiry === undefined ? undefined : { expiry_ns: expiry }),
    grant_hash: grantHash,
    effect_kind: effectKind,
    intent_hash: intentHash,
    record_kind: 'cap_decision',
    enforcer_module: enforcer,
  };
}

function readPolicyDecision(members: number): PolicyDecision | undefined {
  const decision = reader.text();
  const rule = reader.takes(key.RULE_INDEX) ? reader.count() : undefined;
  reader.expect(key.INTENT_HASH);
  const intentHash = hash();
  reader.expect(key.POLICY_NAME);
  const policyName = reader.text();
  reader.expect(key.RECORD_KIND);
  const kind = reader.text();
  if (!reader.end() || members !== (rule === undefined ? 4 : 5) || kind !== 'policy_decision') return undefined;
  if (!isVerdict(decision) || intentHash === undefined || (rule !== undefined && rule > 0xffff_ffff)) return undefined;
  return {
    decision,
    ...(rule === undefined ? undefined : { rule_index: rule }),
    intent_hash: intentHash,
    policy_name: policyName,
    record_kind: 'policy_decision',
  };
}

/** Of a plan; those of reducers are rare. */
function readIntent(members: number): EffectIntent | undefined {
  const effectKind = reader.text();
  reader.expect(key.CAUSE);
  const cause = reader.count();
  reader.expect(key.ORIGIN);
  const originMembers = reader.map();
  reader.expect(key.NAME);
  const name = reader.text();
  reader.expect(key.PLAN_ID);
  const planId = reader.count();
  reader.expect(key.STEP_ID);
  const stepId = reader.text();
  reader.expect(key.ORIGIN_KIND);
  const originKind = reader.text();
  reader.expect(key.CAP_NAME);
  const capName = reader.text();
  reader.expect(key.INTENT_HASH);
  const intentHash = hash();
  reader.expect(key.PARAMS_CBOR);
  const params = reader.bytes();
  reader.expect(key.RECORD_KIND);
  const kind = reader.text();
  const leader = reader.takes(key.COALESCED_INTO) ? reader.count() : undefined;
  reader.expect(key.IDEMPOTENCY_KEY);
  const idempotencyKey = hash();
  if (!reader.end() || members !== (leader === undefined ? 8 : 9) || kind !== 'effect_intent') return undefined;
  if (originMembers !== 4 || originKind !== 'plan') return undefined;
  if (intentHash === undefined || idempotencyKey === undefined) return undefined;
  return {
    kind: effectKind,
    cause,
    origin: { name, plan_id: planId, step_id: stepId, origin_kind: 'plan' },
    cap_name: capName,
    intent_hash: intentHash,
    params_cbor: params.slice(),
    record_kind: 'effect_intent',
    ...(leader === undefined ? undefined : { coalesced_into: leader }),
    idempotency_key: idempotencyKey,
  };
}

function isVerdict(text: string): text is 'allow' | 'deny' {
  return text === 'allow' || text === 'deny';
}

function readReceipt(members: number): EffectReceipt | undefined {
  if (reader.text() !== 'ok') return undefined;
  const sigKey = reader.takes(key.SIG_KEY) ? reader.text() : undefined;
  reader.expect(key.SIGNATURE);
  const signature = reader.bytes();
  reader.expect(key.ADAPTER_ID);
  const adapterId = reader.text();
  const costCents = reader.takes(key.COST_CENTS) ? reader.u64() : undefined;
  reader.expect(key.DISPOSITION);
  const disposition = reader.text();
  reader.expect(key.INTENT_HASH);
  const intentHash = reader.bytes();
  reader.expect(key.RECORD_KIND);
  const kind = reader.text();
  reader.expect(key.EMISSION_SEQ);
  const emissionSeq = reader.count();
  const payload = reader.takes(key.PAYLOAD_CBOR) ? reader.bytes() : undefined;
  const given = (sigKey === undefined ? 0 : 1) + (costCents === undefined ? 0 : 1) + (payload === undefined ? 0 : 1);
  if (!reader.end() || members !== 7 + given || kind !== 'effect_receipt') return undefined;
  if (!DISPOSITIONS.has(disposition) || intentHash.length !== 32) return undefined;
  return {
    record_kind: 'effect_receipt',
    intent_hash: intentHash.slice(),
    emission_seq: emissionSeq,
    adapter_id: adapterId,
    status: 'ok',
    ...(payload === undefined ? {} : { payload_cbor: payload.slice() }),
    ...(costCents === undefined ? {} : { cost_cents: costCents }),
    signature: signature.slice(),
    ...(sigKey === undefined ? {} : { sig_key: sigKey }),
    disposition: disposition as Disposition,
  };
}
