import { compareBytes, compareUtf8 } from '@worldline/canon';
import { compareDec128 } from './dec128.ts';
import type { Value } from './value.ts';
import { compareCanonical } from './value-order.ts';

/**
 * Equality and the orders of values (`expressions.md` §8).
 *
 * Equality is equality of canonical data encodings, decided without encoding. So a kind matters only as far as it shows
 * in the bytes: int, nat, time and duration are integers; text, hash, uuid and dec128 are text; list and set are arrays;
 * record, variant and map are maps.
 */

type IntegerValue = Extract<Value, { readonly value: bigint }>;
type TextValue = Extract<Value, { readonly kind: 'text' | 'dec128' | 'hash' | 'uuid' }>;
type MapEntries = readonly (readonly [Value, Value])[];

export function isInteger(value: Value): value is IntegerValue {
  return value.kind === 'int' || value.kind === 'nat' || value.kind === 'time' || value.kind === 'duration';
}

/** Is the value encoded as CBOR text? */
export function isTextual(value: Value): value is TextValue {
  return value.kind === 'text' || value.kind === 'hash' || value.kind === 'uuid' || value.kind === 'dec128';
}

/** Are the canonical data encodings equal? Handles and receipts have none and are equal only to themselves. */
export function valuesEqual(a: Value, b: Value): boolean {
  if (a === b) return true;
  switch (a.kind) {
    case 'null':
      return b.kind === 'null';
    case 'bool':
      return b.kind === 'bool' && a.value === b.value;
    case 'int':
    case 'nat':
    case 'time':
    case 'duration':
      return isInteger(b) && a.value === b.value;
    case 'text':
    case 'dec128':
    case 'hash':
    case 'uuid':
      return isTextual(b) && a.value === b.value;
    case 'bytes':
      return b.kind === 'bytes' && a.value.length === b.value.length && compareBytes(a.value, b.value) === 0;
    case 'list':
    case 'set':
      return (b.kind === 'list' || b.kind === 'set') && itemsEqual(a.items, b.items);
    case 'map':
      if (b.kind === 'map') return entriesEqual(a.entries, b.entries);
      return isRecordLike(b) && recordEqualsEntries(b, a.entries);
    case 'record':
    case 'variant':
      if (b.kind === 'map') return recordEqualsEntries(a, b.entries);
      return isRecordLike(b) && recordsEqual(a, b);
    case 'receipt':
    case 'handle':
      return b.kind === a.kind && a.emissionSeq === b.emissionSeq;
    default:
      return a satisfies never;
  }
}

function itemsEqual(a: readonly Value[], b: readonly Value[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) {
    if (!valuesEqual(a[i] as Value, b[i] as Value)) return false;
  }
  return true;
}

/** Both lists are sorted by canonical key, so equal maps agree position by position. */
function entriesEqual(a: MapEntries, b: MapEntries): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) {
    const [leftKey, left] = a[i] as readonly [Value, Value];
    const [rightKey, right] = b[i] as readonly [Value, Value];
    if (!valuesEqual(leftKey, rightKey) || !valuesEqual(left, right)) return false;
  }
  return true;
}

type RecordLike = Extract<Value, { readonly kind: 'record' | 'variant' }>;

function isRecordLike(value: Value): value is RecordLike {
  return value.kind === 'record' || value.kind === 'variant';
}

function recordsEqual(a: RecordLike, b: RecordLike): boolean {
  if (a.kind === 'variant' && b.kind === 'variant') return a.tag === b.tag && valuesEqual(a.value, b.value);
  if (sizeOf(a) !== sizeOf(b)) return false;
  const [record, other] = a.kind === 'record' ? [a, b] : [b as Extract<Value, { kind: 'record' }>, a];
  for (const [name, value] of record.fields) {
    if (!memberEquals(other, name, value)) return false;
  }
  return true;
}

function recordEqualsEntries(record: RecordLike, entries: MapEntries): boolean {
  if (sizeOf(record) !== entries.length) return false;
  for (const [key, value] of entries) {
    if (!isTextual(key) || !memberEquals(record, key.value, value)) return false;
  }
  return true;
}

function sizeOf(value: RecordLike): number {
  return value.kind === 'variant' ? 2 : value.fields.size;
}

/** A variant is a record of exactly `$tag` and `$value` (`values.md` §7). */
function memberEquals(record: RecordLike, name: string, expected: Value): boolean {
  if (record.kind === 'record') {
    const value = record.fields.get(name);
    return value !== undefined && valuesEqual(value, expected);
  }
  if (name === '$tag') return isTextual(expected) && expected.value === record.tag;
  return name === '$value' && valuesEqual(record.value, expected);
}

/** Kinds a set may hold (`values.md` §4.5). */
export function isScalar(value: Value): boolean {
  return isInteger(value) || isTextual(value) || value.kind === 'bytes' || value.kind === 'bool';
}

/** Kinds a map key may have (`values.md` §2). */
export function isMapKey(value: Value): boolean {
  return (
    value.kind === 'text' ||
    value.kind === 'hash' ||
    value.kind === 'uuid' ||
    value.kind === 'int' ||
    value.kind === 'nat'
  );
}

/**
 * Order of `lt le gt ge`.
 *
 * @returns Undefined when the two kinds have no order between them.
 */
export function compareOrdered(a: Value, b: Value): number | undefined {
  if (isInteger(a)) {
    if (!isInteger(b)) return undefined;
    return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
  }
  if (a.kind === 'text') return b.kind === 'text' ? compareUtf8(a.value, b.value) : undefined;
  if (a.kind === 'dec128') return b.kind === 'dec128' ? compareDec128(a.value, b.value) : undefined;
  return undefined;
}

/** The value at `key` of entries sorted by canonical key bytes. The key is a scalar. */
export function lookupEntry(entries: MapEntries, key: Value): Value | undefined {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = entries[middle] as readonly [Value, Value];
    const order = compareCanonical(entry[0], key);
    if (order === 0) return entry[1];
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return undefined;
}
