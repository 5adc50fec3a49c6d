import { type CborValue, decodeCanonical, type Failure, fail, ok, type Result, utf8 } from '@worldline/canon';
import { isEffectError } from './effect-error.ts';
import type { JournalRecord, RecordKind } from './record.ts';
import { readInPlace } from './record-reader.ts';
import { isBytes, isCount, isHash32, isMap, isText, isTextMap, isU64, type TextMap } from './wire.ts';

/**
 * Records as journal entries, reading side (`journal.md` §1, §3); `record-writer.ts` is the other. Reading is strict
 * (§7 R7): a member or kind that this release does not know is refused, because skipping it would replay something else.
 */

type Check = (value: CborValue) => boolean;

interface Shape {
  readonly required: { readonly [member: string]: Check };
  readonly optional: { readonly [member: string]: Check };
  /** Members that are bigints in memory, whatever their size. */
  readonly bigints?: readonly string[];
}

const REASON_BYTES_MAX = 512;

const oneOf = (...texts: readonly string[]): Check => {
  const known = new Set(texts);
  return (value) => isText(value) && known.has(value);
};

const isU32: Check = (value) => isCount(value) && value <= 0xffff_ffff;
const isBytesMap: Check = (value) => isTextMap(value) && Object.values(value).every(isBytes);
const isReason: Check = (value) => isText(value) && utf8(value).length <= REASON_BYTES_MAX;

const PLAN_ORIGIN: ReadonlySet<string> = new Set(['origin_kind', 'name', 'plan_id', 'step_id']);
const REDUCER_ORIGIN: ReadonlySet<string> = new Set(['origin_kind', 'name', 'key']);

const isOrigin: Check = (value) => {
  if (!isTextMap(value) || !isText(value.name)) return false;
  if (value.origin_kind === 'plan') {
    return isMap(value, PLAN_ORIGIN) && isCount(value.plan_id) && isText(value.step_id);
  }
  return (
    value.origin_kind === 'reducer' && isMap(value, REDUCER_ORIGIN) && (value.key === undefined || isBytes(value.key))
  );
};

const DENY_MEMBERS: ReadonlySet<string> = new Set(['code', 'message']);
const isDeny: Check = (value) => isMap(value, DENY_MEMBERS) && isText(value.code) && isText(value.message);

/** Every kind, in the order of `journal.md` §3. */
const SHAPES: { readonly [Kind in RecordKind]: Shape } = {
  domain_event: {
    required: {
      schema: isText,
      value: isBytes,
      event_hash: isHash32,
      origin: oneOf('external', 'inbox', 'reducer', 'plan', 'receipt'),
    },
    optional: {
      key: isBytes,
      ingress_id: isText,
      origin_name: isText,
      plan_id: isCount,
      source: isText,
      cause: isCount,
    },
  },
  effect_intent: {
    required: {
      intent_hash: isHash32,
      kind: isText,
      cap_name: isText,
      params_cbor: isBytes,
      idempotency_key: isHash32,
      origin: isOrigin,
      cause: isCount,
    },
    optional: { coalesced_into: isCount },
  },
  effect_receipt: {
    required: {
      intent_hash: isHash32,
      emission_seq: isCount,
      adapter_id: isText,
      status: oneOf('ok', 'error', 'timeout'),
      signature: isBytes,
      disposition: oneOf('applied', 'buffered', 'late', 'orphaned'),
    },
    optional: { payload_cbor: isBytes, error: isEffectError, cost_cents: isU64, sig_key: isText },
    bigints: ['cost_cents'],
  },
  cap_decision: {
    required: {
      intent_hash: isHash32,
      stage: oneOf('enqueue'),
      effect_kind: isText,
      cap_name: isText,
      cap_type: isText,
      grant_hash: isHash32,
      enforcer_module: isText,
      decision: oneOf('allow', 'deny'),
    },
    optional: { deny: isDeny, expiry_ns: isU64 },
    bigints: ['expiry_ns'],
  },
  policy_decision: {
    required: { intent_hash: isHash32, policy_name: isText, decision: oneOf('allow', 'deny') },
    optional: { rule_index: isU32 },
  },
  plan_started: {
    required: {
      plan_name: isText,
      plan_id: isCount,
      manifest_hash: isHash32,
      input_hash: isHash32,
      cause: isCount,
    },
    optional: { correlation: isBytes, parent_instance_id: isCount, parent_step_id: isText },
  },
  plan_ended: {
    required: {
      plan_name: isText,
      plan_id: isCount,
      status: oneOf('ok', 'error'),
      started_seq: isCount,
      cause: isCount,
    },
    optional: {
      error_code: isText,
      step_id: isText,
      message: isText,
      result_ref: isHash32,
      correlation: isBytes,
    },
  },
  plan_result: {
    required: { plan_name: isText, plan_id: isCount, output_schema: isText, value_cbor: isBytes },
    optional: {},
  },
  plan_start: {
    required: { plan: isText, input_cbor: isBytes, plan_id: isCount },
    optional: { correlation: isBytes, bind_locals: isBytesMap, ingress_id: isText },
  },
  reducer_fault: {
    required: { reducer: isText, event_seq: isCount, event_hash: isHash32, code: isText, message: isText },
    optional: { key: isBytes },
  },
  ingress_rejected: {
    required: { ingress_kind: isText, digest: isHash32, code: isText, message: isText },
    optional: { ingress_id: isText, inbox_seq: isBytes, emission_seq: isCount },
  },
  manifest: { required: { manifest_hash: isHash32, config_hash: isHash32 }, optional: {} },
  governance: {
    required: {
      event: oneOf('direct_applied'),
      patch_hash: isHash32,
      manifest_base: isHash32,
      manifest_hash_new: isHash32,
      actor: isText,
    },
    optional: {},
  },
  snapshot: { required: { snapshot_ref: isHash32, height: isCount, manifest_hash: isHash32 }, optional: {} },
  baseline: {
    required: {
      snapshot_ref: isHash32,
      height: isCount,
      manifest_hash: isHash32,
      logical_time_ns: isU64,
      receipt_horizon_height: isCount,
    },
    optional: {},
    bigints: ['logical_time_ns'],
  },
  custom: { required: { tag: isText, data: isBytes }, optional: {} },
  plan_cancel: {
    required: { plan_id: isCount, reason: isReason, actor: isText },
    optional: { ingress_id: isText },
  },
};

/**
 * Read an entry's payload.
 *
 * @returns `journal.corrupt` with the member at fault in the path: not canonical, an unknown kind, a missing, unknown or
 *   wrongly typed member.
 */
export function decodeRecord(bytes: Uint8Array): Result<JournalRecord> {
  const record = readInPlace(bytes);
  return record === undefined ? decodeAnyRecord(bytes) : ok(record);
}

/** As `decodeRecord`, by way of data for every kind. */
export function decodeAnyRecord(bytes: Uint8Array): Result<JournalRecord> {
  const decoded = decodeCanonical(bytes);
  if (!decoded.ok) return corrupt([], decoded.failure.message);
  const record = decoded.value;
  if (!isTextMap(record)) return corrupt([], 'expected a map');
  const kind = record.record_kind;
  if (!isText(kind) || !Object.hasOwn(SHAPES, kind)) return corrupt(['record_kind'], 'unknown kind');
  const { required, optional, bigints } = SHAPES[kind as RecordKind];

  let missing = Object.keys(required).length;
  for (const member of Object.keys(record)) {
    if (member === 'record_kind') continue;
    const isRequired = Object.hasOwn(required, member);
    const check = isRequired ? required[member] : Object.hasOwn(optional, member) ? optional[member] : undefined;
    if (check === undefined) return corrupt([member], `${kind} has no such member`);
    if (!check(record[member] as CborValue)) return corrupt([member], `${kind}: wrong type or value`);
    if (isRequired) missing--;
  }
  if (missing > 0) {
    const member = Object.keys(required).find((name) => record[name] === undefined) as string;
    return corrupt([member], `${kind}: missing member`);
  }
  if (kind === 'effect_receipt' && (record.status === 'ok') !== (record.error === undefined)) {
    return corrupt(['error'], 'effect_receipt: present exactly when status is not ok');
  }

  if (bigints !== undefined) {
    const adopted = record as { [key: string]: CborValue };
    for (const member of bigints) {
      const value = adopted[member];
      if (typeof value === 'number') adopted[member] = BigInt(value);
    }
  }
  return ok(record as TextMap as unknown as JournalRecord);
}

function corrupt(
  path: readonly (string | number)[],
  message: string,
): { readonly ok: false; readonly failure: Failure } {
  return fail({ code: 'journal.corrupt', path, message: `record: ${message}` });
}
