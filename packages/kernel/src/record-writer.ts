import { type CborValue, CborWriter } from '@worldline/canon';
import type {
  CapDecision,
  DomainEvent,
  EffectIntent,
  EffectReceipt,
  IntentOrigin,
  JournalRecord,
  PlanEnded,
  PlanStarted,
  PolicyDecision,
} from './record.ts';
import * as key from './record-keys.ts';

/**
 * Records as bytes, `C(record)` (`journal.md` §1). The kinds that every step of every plan writes are written member by
 * member in canonical key order, which for them is known; the others by looking at them. Both give the same bytes.
 */

const writer = new CborWriter();

/** Payload of a record's entry. Members that are `undefined` count as absent. */
export function encodeRecord(record: JournalRecord): Uint8Array {
  writer.clear();
  writeRecord(writer, record);
  return writer.take();
}

/** Puts the payload into `out`, prefix first. */
export function writeRecord(out: CborWriter, record: JournalRecord): void {
  out.prefix();
  switch (record.record_kind) {
    case 'effect_receipt':
      return writeReceipt(out, record);
    case 'cap_decision':
      return writeCapDecision(out, record);
    case 'policy_decision':
      return writePolicyDecision(out, record);
    case 'effect_intent':
      return writeIntent(out, record);
    case 'domain_event':
      return writeEvent(out, record);
    case 'plan_started':
      return writeStarted(out, record);
    case 'plan_ended':
      return writeEnded(out, record);
    default:
      return out.item(record as unknown as CborValue);
  }
}

/** 1 for a member that is there. */
function one(member: unknown): number {
  return member === undefined ? 0 : 1;
}

function textMember(out: CborWriter, name: Uint8Array, text: string | undefined): void {
  if (text === undefined) return;
  out.raw(name);
  out.text(text);
}

function bytesMember(out: CborWriter, name: Uint8Array, bytes: Uint8Array | undefined): void {
  if (bytes === undefined) return;
  out.raw(name);
  out.bytes(bytes);
}

function integerMember(out: CborWriter, name: Uint8Array, integer: number | bigint | undefined): void {
  if (integer === undefined) return;
  out.raw(name);
  out.integer(integer);
}

function writeReceipt(out: CborWriter, r: EffectReceipt): void {
  out.map(7 + one(r.error) + one(r.sig_key) + one(r.cost_cents) + one(r.payload_cbor));
  if (r.error !== undefined) {
    out.raw(key.ERROR);
    out.item(r.error as unknown as CborValue);
  }
  textMember(out, key.STATUS, r.status);
  textMember(out, key.SIG_KEY, r.sig_key);
  bytesMember(out, key.SIGNATURE, r.signature);
  textMember(out, key.ADAPTER_ID, r.adapter_id);
  integerMember(out, key.COST_CENTS, r.cost_cents);
  textMember(out, key.DISPOSITION, r.disposition);
  bytesMember(out, key.INTENT_HASH, r.intent_hash);
  textMember(out, key.RECORD_KIND, r.record_kind);
  integerMember(out, key.EMISSION_SEQ, r.emission_seq);
  bytesMember(out, key.PAYLOAD_CBOR, r.payload_cbor);
}

function writeCapDecision(out: CborWriter, r: CapDecision): void {
  out.map(9 + one(r.deny) + one(r.expiry_ns));
  if (r.deny !== undefined) {
    out.raw(key.DENY);
    out.item(r.deny as unknown as CborValue);
  }
  textMember(out, key.STAGE, r.stage);
  textMember(out, key.CAP_NAME, r.cap_name);
  textMember(out, key.CAP_TYPE, r.cap_type);
  textMember(out, key.DECISION, r.decision);
  integerMember(out, key.EXPIRY_NS, r.expiry_ns);
  bytesMember(out, key.GRANT_HASH, r.grant_hash);
  textMember(out, key.EFFECT_KIND, r.effect_kind);
  bytesMember(out, key.INTENT_HASH, r.intent_hash);
  textMember(out, key.RECORD_KIND, r.record_kind);
  textMember(out, key.ENFORCER_MODULE, r.enforcer_module);
}

function writePolicyDecision(out: CborWriter, r: PolicyDecision): void {
  out.map(4 + one(r.rule_index));
  textMember(out, key.DECISION, r.decision);
  integerMember(out, key.RULE_INDEX, r.rule_index);
  bytesMember(out, key.INTENT_HASH, r.intent_hash);
  textMember(out, key.POLICY_NAME, r.policy_name);
  textMember(out, key.RECORD_KIND, r.record_kind);
}

function writeIntent(out: CborWriter, r: EffectIntent): void {
  out.map(8 + one(r.coalesced_into));
  textMember(out, key.KIND, r.kind);
  integerMember(out, key.CAUSE, r.cause);
  out.raw(key.ORIGIN);
  writeOrigin(out, r.origin);
  textMember(out, key.CAP_NAME, r.cap_name);
  bytesMember(out, key.INTENT_HASH, r.intent_hash);
  bytesMember(out, key.PARAMS_CBOR, r.params_cbor);
  textMember(out, key.RECORD_KIND, r.record_kind);
  integerMember(out, key.COALESCED_INTO, r.coalesced_into);
  bytesMember(out, key.IDEMPOTENCY_KEY, r.idempotency_key);
}

function writeOrigin(out: CborWriter, origin: IntentOrigin): void {
  if (origin.origin_kind !== 'plan') return out.item(origin as unknown as CborValue);
  out.map(4);
  textMember(out, key.NAME, origin.name);
  integerMember(out, key.PLAN_ID, origin.plan_id);
  textMember(out, key.STEP_ID, origin.step_id);
  textMember(out, key.ORIGIN_KIND, origin.origin_kind);
}

function writeEvent(out: CborWriter, r: DomainEvent): void {
  out.map(5 + one(r.key) + one(r.cause) + one(r.source) + one(r.plan_id) + one(r.ingress_id) + one(r.origin_name));
  bytesMember(out, key.KEY, r.key);
  integerMember(out, key.CAUSE, r.cause);
  bytesMember(out, key.VALUE, r.value);
  textMember(out, key.ORIGIN, r.origin);
  textMember(out, key.SCHEMA, r.schema);
  textMember(out, key.SOURCE, r.source);
  integerMember(out, key.PLAN_ID, r.plan_id);
  bytesMember(out, key.EVENT_HASH, r.event_hash);
  textMember(out, key.INGRESS_ID, r.ingress_id);
  textMember(out, key.ORIGIN_NAME, r.origin_name);
  textMember(out, key.RECORD_KIND, r.record_kind);
}

function writeStarted(out: CborWriter, r: PlanStarted): void {
  out.map(6 + one(r.correlation) + one(r.parent_step_id) + one(r.parent_instance_id));
  integerMember(out, key.CAUSE, r.cause);
  integerMember(out, key.PLAN_ID, r.plan_id);
  textMember(out, key.PLAN_NAME, r.plan_name);
  bytesMember(out, key.INPUT_HASH, r.input_hash);
  bytesMember(out, key.CORRELATION, r.correlation);
  textMember(out, key.RECORD_KIND, r.record_kind);
  bytesMember(out, key.MANIFEST_HASH, r.manifest_hash);
  textMember(out, key.PARENT_STEP_ID, r.parent_step_id);
  integerMember(out, key.PARENT_INSTANCE_ID, r.parent_instance_id);
}

function writeEnded(out: CborWriter, r: PlanEnded): void {
  out.map(6 + one(r.message) + one(r.step_id) + one(r.error_code) + one(r.result_ref) + one(r.correlation));
  integerMember(out, key.CAUSE, r.cause);
  textMember(out, key.STATUS, r.status);
  textMember(out, key.MESSAGE, r.message);
  integerMember(out, key.PLAN_ID, r.plan_id);
  textMember(out, key.STEP_ID, r.step_id);
  textMember(out, key.PLAN_NAME, r.plan_name);
  textMember(out, key.ERROR_CODE, r.error_code);
  bytesMember(out, key.RESULT_REF, r.result_ref);
  bytesMember(out, key.CORRELATION, r.correlation);
  textMember(out, key.RECORD_KIND, r.record_kind);
  integerMember(out, key.STARTED_SEQ, r.started_seq);
}
