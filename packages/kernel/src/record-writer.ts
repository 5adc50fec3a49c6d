import { type CborValue, CborWriter, encodedText } from '@worldline/canon';
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

const ADAPTER_ID = encodedText('adapter_id');
const CAP_NAME = encodedText('cap_name');
const CAP_TYPE = encodedText('cap_type');
const CAUSE = encodedText('cause');
const COALESCED_INTO = encodedText('coalesced_into');
const CORRELATION = encodedText('correlation');
const COST_CENTS = encodedText('cost_cents');
const DECISION = encodedText('decision');
const DENY = encodedText('deny');
const DISPOSITION = encodedText('disposition');
const EFFECT_KIND = encodedText('effect_kind');
const EMISSION_SEQ = encodedText('emission_seq');
const ENFORCER_MODULE = encodedText('enforcer_module');
const ERROR = encodedText('error');
const ERROR_CODE = encodedText('error_code');
const EVENT_HASH = encodedText('event_hash');
const EXPIRY_NS = encodedText('expiry_ns');
const GRANT_HASH = encodedText('grant_hash');
const IDEMPOTENCY_KEY = encodedText('idempotency_key');
const INGRESS_ID = encodedText('ingress_id');
const INPUT_HASH = encodedText('input_hash');
const INTENT_HASH = encodedText('intent_hash');
const KEY = encodedText('key');
const KIND = encodedText('kind');
const MANIFEST_HASH = encodedText('manifest_hash');
const MESSAGE = encodedText('message');
const NAME = encodedText('name');
const ORIGIN = encodedText('origin');
const ORIGIN_KIND = encodedText('origin_kind');
const ORIGIN_NAME = encodedText('origin_name');
const PARAMS_CBOR = encodedText('params_cbor');
const PARENT_INSTANCE_ID = encodedText('parent_instance_id');
const PARENT_STEP_ID = encodedText('parent_step_id');
const PAYLOAD_CBOR = encodedText('payload_cbor');
const PLAN_ID = encodedText('plan_id');
const PLAN_NAME = encodedText('plan_name');
const POLICY_NAME = encodedText('policy_name');
const RECORD_KIND = encodedText('record_kind');
const RESULT_REF = encodedText('result_ref');
const RULE_INDEX = encodedText('rule_index');
const SCHEMA = encodedText('schema');
const SIGNATURE = encodedText('signature');
const SIG_KEY = encodedText('sig_key');
const SOURCE = encodedText('source');
const STAGE = encodedText('stage');
const STARTED_SEQ = encodedText('started_seq');
const STATUS = encodedText('status');
const STEP_ID = encodedText('step_id');
const VALUE = encodedText('value');

/** 1 for a member that is there. */
function one(member: unknown): number {
  return member === undefined ? 0 : 1;
}

function textMember(out: CborWriter, key: Uint8Array, text: string | undefined): void {
  if (text === undefined) return;
  out.raw(key);
  out.text(text);
}

function bytesMember(out: CborWriter, key: Uint8Array, bytes: Uint8Array | undefined): void {
  if (bytes === undefined) return;
  out.raw(key);
  out.bytes(bytes);
}

function integerMember(out: CborWriter, key: Uint8Array, integer: number | bigint | undefined): void {
  if (integer === undefined) return;
  out.raw(key);
  out.integer(integer);
}

function writeReceipt(out: CborWriter, r: EffectReceipt): void {
  out.map(7 + one(r.error) + one(r.sig_key) + one(r.cost_cents) + one(r.payload_cbor));
  if (r.error !== undefined) {
    out.raw(ERROR);
    out.item(r.error as unknown as CborValue);
  }
  textMember(out, STATUS, r.status);
  textMember(out, SIG_KEY, r.sig_key);
  bytesMember(out, SIGNATURE, r.signature);
  textMember(out, ADAPTER_ID, r.adapter_id);
  integerMember(out, COST_CENTS, r.cost_cents);
  textMember(out, DISPOSITION, r.disposition);
  bytesMember(out, INTENT_HASH, r.intent_hash);
  textMember(out, RECORD_KIND, r.record_kind);
  integerMember(out, EMISSION_SEQ, r.emission_seq);
  bytesMember(out, PAYLOAD_CBOR, r.payload_cbor);
}

function writeCapDecision(out: CborWriter, r: CapDecision): void {
  out.map(9 + one(r.deny) + one(r.expiry_ns));
  if (r.deny !== undefined) {
    out.raw(DENY);
    out.item(r.deny as unknown as CborValue);
  }
  textMember(out, STAGE, r.stage);
  textMember(out, CAP_NAME, r.cap_name);
  textMember(out, CAP_TYPE, r.cap_type);
  textMember(out, DECISION, r.decision);
  integerMember(out, EXPIRY_NS, r.expiry_ns);
  bytesMember(out, GRANT_HASH, r.grant_hash);
  textMember(out, EFFECT_KIND, r.effect_kind);
  bytesMember(out, INTENT_HASH, r.intent_hash);
  textMember(out, RECORD_KIND, r.record_kind);
  textMember(out, ENFORCER_MODULE, r.enforcer_module);
}

function writePolicyDecision(out: CborWriter, r: PolicyDecision): void {
  out.map(4 + one(r.rule_index));
  textMember(out, DECISION, r.decision);
  integerMember(out, RULE_INDEX, r.rule_index);
  bytesMember(out, INTENT_HASH, r.intent_hash);
  textMember(out, POLICY_NAME, r.policy_name);
  textMember(out, RECORD_KIND, r.record_kind);
}

function writeIntent(out: CborWriter, r: EffectIntent): void {
  out.map(8 + one(r.coalesced_into));
  textMember(out, KIND, r.kind);
  integerMember(out, CAUSE, r.cause);
  out.raw(ORIGIN);
  writeOrigin(out, r.origin);
  textMember(out, CAP_NAME, r.cap_name);
  bytesMember(out, INTENT_HASH, r.intent_hash);
  bytesMember(out, PARAMS_CBOR, r.params_cbor);
  textMember(out, RECORD_KIND, r.record_kind);
  integerMember(out, COALESCED_INTO, r.coalesced_into);
  bytesMember(out, IDEMPOTENCY_KEY, r.idempotency_key);
}

function writeOrigin(out: CborWriter, origin: IntentOrigin): void {
  if (origin.origin_kind !== 'plan') return out.item(origin as unknown as CborValue);
  out.map(4);
  textMember(out, NAME, origin.name);
  integerMember(out, PLAN_ID, origin.plan_id);
  textMember(out, STEP_ID, origin.step_id);
  textMember(out, ORIGIN_KIND, origin.origin_kind);
}

function writeEvent(out: CborWriter, r: DomainEvent): void {
  out.map(5 + one(r.key) + one(r.cause) + one(r.source) + one(r.plan_id) + one(r.ingress_id) + one(r.origin_name));
  bytesMember(out, KEY, r.key);
  integerMember(out, CAUSE, r.cause);
  bytesMember(out, VALUE, r.value);
  textMember(out, ORIGIN, r.origin);
  textMember(out, SCHEMA, r.schema);
  textMember(out, SOURCE, r.source);
  integerMember(out, PLAN_ID, r.plan_id);
  bytesMember(out, EVENT_HASH, r.event_hash);
  textMember(out, INGRESS_ID, r.ingress_id);
  textMember(out, ORIGIN_NAME, r.origin_name);
  textMember(out, RECORD_KIND, r.record_kind);
}

function writeStarted(out: CborWriter, r: PlanStarted): void {
  out.map(6 + one(r.correlation) + one(r.parent_step_id) + one(r.parent_instance_id));
  integerMember(out, CAUSE, r.cause);
  integerMember(out, PLAN_ID, r.plan_id);
  textMember(out, PLAN_NAME, r.plan_name);
  bytesMember(out, INPUT_HASH, r.input_hash);
  bytesMember(out, CORRELATION, r.correlation);
  textMember(out, RECORD_KIND, r.record_kind);
  bytesMember(out, MANIFEST_HASH, r.manifest_hash);
  textMember(out, PARENT_STEP_ID, r.parent_step_id);
  integerMember(out, PARENT_INSTANCE_ID, r.parent_instance_id);
}

function writeEnded(out: CborWriter, r: PlanEnded): void {
  out.map(6 + one(r.message) + one(r.step_id) + one(r.error_code) + one(r.result_ref) + one(r.correlation));
  integerMember(out, CAUSE, r.cause);
  textMember(out, STATUS, r.status);
  textMember(out, MESSAGE, r.message);
  integerMember(out, PLAN_ID, r.plan_id);
  textMember(out, STEP_ID, r.step_id);
  textMember(out, PLAN_NAME, r.plan_name);
  textMember(out, ERROR_CODE, r.error_code);
  bytesMember(out, RESULT_REF, r.result_ref);
  bytesMember(out, CORRELATION, r.correlation);
  textMember(out, RECORD_KIND, r.record_kind);
  integerMember(out, STARTED_SEQ, r.started_seq);
}
