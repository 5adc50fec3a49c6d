import {
  type Catalog,
  type Json,
  type JsonObject,
  normalizeCbor,
  recordedParamsSchema,
  type Type,
  toSugar,
} from '@worldline/air';
import { type CborValue, decode, hashText, toBase64 } from '@worldline/canon';
import type { JournalRecord } from '@worldline/kernel';

/** Journal records as people and programs see them (`host.md` §8.2, `journal.md` §3). */

export interface Stamp {
  readonly nowNs: bigint;
  readonly logicalNowNs: bigint;
  readonly manifestHash: Uint8Array;
  readonly entropy: Uint8Array;
}

export interface Entry {
  readonly seq: number;
  readonly record: JournalRecord;
  readonly stamp: Stamp | undefined;
}

/** Records that are shown with the stamp of their batch. */
const STAMPED = new Set(['domain_event', 'effect_receipt', 'plan_start', 'ingress_rejected', 'plan_cancel']);

const HASH_FIELDS = new Set([
  'event_hash',
  'intent_hash',
  'grant_hash',
  'manifest_hash',
  'config_hash',
  'input_hash',
  'snapshot_ref',
  'result_ref',
  'digest',
]);

/** Finds what a value is read with. */
export interface Types {
  /** Catalog of the manifest that was live when the record was written. */
  readonly catalog: Catalog;
  /** Effect kind of an earlier intent. */
  kindOf(intentHash: Uint8Array): string | undefined;
}

/** A value as JSON sugar of its schema; canonical bytes that no longer fit are given as they are. */
export function typedJson(bytes: Uint8Array, type: Type | undefined, catalog: Catalog): Json {
  if (type !== undefined) {
    const read = normalizeCbor(bytes, type, catalog.scope);
    if (read.ok) return toSugar(read.value.value, type, catalog.scope);
  }
  return untypedJson(bytes);
}

/** A value without a known schema: bytes as `{"$b64": …}`. */
export function untypedJson(bytes: Uint8Array): Json {
  const decoded = decode(bytes);
  return decoded.ok ? plain(decoded.value) : { $b64: toBase64(bytes) };
}

function plain(value: CborValue): Json {
  if (value instanceof Uint8Array) return { $b64: toBase64(value) };
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return [...value].map(([key, member]) => [plain(key), plain(member)]);
  if (value !== null && typeof value === 'object') {
    const object = Object.create(null) as { [key: string]: Json };
    for (const [key, member] of Object.entries(value as { readonly [key: string]: CborValue }))
      object[key] = plain(member);
    return object;
  }
  return value as Json;
}

/** One record as JSON: hashes as text, `_ns` as decimal text, values by their schema, other bytes as `…_b64`. */
export function recordJson(entry: Entry, types: Types): JsonObject {
  const { record, stamp, seq } = entry;
  const json: { [key: string]: Json } = {};
  for (const [key, value] of Object.entries(record) as [string, unknown][]) {
    if (key === 'record_kind' || value === undefined) continue;
    if (value instanceof Uint8Array) {
      if (HASH_FIELDS.has(key) && value.length === 32) json[key] = hashText(value);
      else Object.assign(json, typedField(record, key, value, types));
    } else if (key === 'origin' && typeof value === 'object') {
      const { key: cell, ...origin } = value as { readonly key?: Uint8Array };
      json[key] = { ...origin, ...(cell === undefined ? {} : { key_b64: toBase64(cell) }) } as Json;
    } else if (key === 'bind_locals') {
      json[key] = Object.fromEntries(
        Object.entries(value as Record<string, Uint8Array>).map(([name, bytes]) => [name, untypedJson(bytes)]),
      );
    } else if (key.endsWith('_ns')) {
      json[key] = String(value);
    } else {
      json[key] = value as Json;
    }
  }
  if (stamp !== undefined && STAMPED.has(record.record_kind)) {
    Object.assign(json, {
      now_ns: String(stamp.nowNs),
      logical_now_ns: String(stamp.logicalNowNs),
      manifest_hash: hashText(stamp.manifestHash),
      journal_height: seq,
      entropy_b64: toBase64(stamp.entropy),
    });
  }
  return json;
}

function typedField(record: JournalRecord, key: string, value: Uint8Array, types: Types): JsonObject {
  const { catalog } = types;
  const schema = (name: string | undefined): Type | undefined =>
    name === undefined ? undefined : catalog.scope.lookup(name);
  const effect = (kind: string | undefined) => (kind === undefined ? undefined : catalog.effects.get(kind)?.def);
  switch (key) {
    case 'value':
      return {
        value: typedJson(value, record.record_kind === 'domain_event' ? schema(record.schema) : undefined, catalog),
      };
    case 'params_cbor': {
      const emitted = record.record_kind === 'effect_intent' ? effect(record.kind) : undefined;
      return { params: typedJson(value, schema(emitted && recordedParamsSchema(emitted)), catalog) };
    }
    case 'payload_cbor': {
      const kind = record.record_kind === 'effect_receipt' ? types.kindOf(record.intent_hash) : undefined;
      return { payload: typedJson(value, schema(effect(kind)?.receiptSchema), catalog) };
    }
    case 'input_cbor':
      return {
        input: typedJson(
          value,
          record.record_kind === 'plan_start' ? schema(catalog.plans.get(record.plan)?.def.input) : undefined,
          catalog,
        ),
      };
    case 'value_cbor':
      return {
        value: typedJson(
          value,
          record.record_kind === 'plan_result' ? schema(record.output_schema) : undefined,
          catalog,
        ),
      };
    case 'correlation':
      return { correlation: untypedJson(value) };
    default:
      return { [`${key}_b64`]: toBase64(value) };
  }
}
