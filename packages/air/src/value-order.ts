import { compareBytes, compareCanonicalKeys, encodeItem } from '@worldline/canon';
import type { Value } from './value.ts';
import { valueToCbor } from './value-data.ts';

/** Canonical order of set elements and map keys: by the bytes of their data encoding (`values.md` §4.5, §4.6). */

/** First byte's major type: integers, negative integers, byte strings, texts, then what has to be encoded to be compared. */
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const OTHER = 4;

/**
 * Order of two values by the bytes of their canonical data encoding; 0 means equal (`values.md` §7). Scalars are
 * compared without being encoded.
 */
export function compareCanonical(a: Value, b: Value): number {
  const major = majorOf(a);
  const other = majorOf(b);
  if (major !== other || major >= OTHER) {
    return major < OTHER && other < OTHER ? major - other : compareBytes(encodeData(a), encodeData(b));
  }
  if (major === TEXT) return compareCanonicalKeys(textOf(a), textOf(b));
  if (major === BYTES) {
    const left = bytesOf(a);
    const right = bytesOf(b);
    return left.length - right.length || compareBytes(left, right);
  }
  const left = integerOf(a);
  const right = integerOf(b);
  if (left === right) return 0;
  return left < right === (major === NEGATIVE) ? 1 : -1;
}

/** The elements sorted, equal ones dropped. */
export function canonicalSet(items: readonly Value[]): readonly Value[] {
  const sorted = [...items].sort(compareCanonical);
  return sorted.filter((item, index) => index === 0 || compareCanonical(sorted[index - 1] as Value, item) !== 0);
}

/**
 * The entries sorted by key; a key that occurs twice with equal values collapses.
 *
 * @param onDuplicate - Called for each further entry whose key is taken with another value; the first one is kept.
 */
export function canonicalMap(
  entries: readonly (readonly [Value, Value])[],
  onDuplicate: (key: Value) => void,
): readonly (readonly [Value, Value])[] {
  const sorted = [...entries].sort(([a], [b]) => compareCanonical(a, b));
  return sorted.filter((entry, index) => {
    const previous = sorted[index - 1];
    if (previous === undefined || compareCanonical(previous[0], entry[0]) !== 0) return true;
    if (compareCanonical(previous[1], entry[1]) !== 0) onDuplicate(entry[0]);
    return false;
  });
}

/** A map key as part of a path. */
export function keyName(key: Value): string {
  if (key.kind === 'int' || key.kind === 'nat') return key.value.toString();
  return key.kind === 'text' || key.kind === 'uuid' || key.kind === 'hash' ? key.value : key.kind;
}

function encodeData(value: Value): Uint8Array {
  return encodeItem(valueToCbor(value));
}

function majorOf(value: Value): number {
  switch (value.kind) {
    case 'int':
    case 'nat':
    case 'time':
    case 'duration':
      return value.value < 0n ? NEGATIVE : 0;
    case 'bytes':
      return BYTES;
    case 'text':
    case 'dec128':
    case 'hash':
    case 'uuid':
      return TEXT;
    default:
      return OTHER;
  }
}

function textOf(value: Value): string {
  return (value as { readonly value: string }).value;
}

function bytesOf(value: Value): Uint8Array {
  return (value as { readonly value: Uint8Array }).value;
}

function integerOf(value: Value): bigint {
  return (value as { readonly value: bigint }).value;
}
