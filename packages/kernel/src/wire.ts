import type { CborValue } from '@worldline/canon';

/** Shape checks of decoded kernel structures. */

export type TextMap = { readonly [key: string]: CborValue | undefined };

const U64_MAX = 0xffff_ffff_ffff_ffffn;

export function isTextMap(value: CborValue | undefined): value is TextMap {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array) &&
    !(value instanceof Map)
  );
}

/** A map with text keys that has no members but these. */
export function isMap(value: CborValue | undefined, members: ReadonlySet<string>): value is TextMap {
  if (!isTextMap(value)) return false;
  for (const key of Object.keys(value)) if (!members.has(key)) return false;
  return true;
}

export function isText(value: CborValue | undefined): value is string {
  return typeof value === 'string';
}

export function isBytes(value: CborValue | undefined): value is Uint8Array {
  return value instanceof Uint8Array;
}

export function isHash32(value: CborValue | undefined): value is Uint8Array {
  return value instanceof Uint8Array && value.length === 32;
}

/** Seqs, ids and counts: integers from 0 that are safe as numbers. The decoder gives bigints only beyond that. */
export function isCount(value: CborValue | undefined): value is number {
  return typeof value === 'number' && value >= 0;
}

export function isU64(value: CborValue | undefined): value is number | bigint {
  return isCount(value) || (typeof value === 'bigint' && value >= 0n && value <= U64_MAX);
}
