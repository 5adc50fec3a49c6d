import type { Value } from './value.ts';

/**
 * How large a value may become that no input ever held. Typed input is bounded by its bytes; but an expression may name
 * one variable twice, the next step the result twice, and so on: a small plan doubles a value with each step, or nests
 * it. In memory the parts are shared, in bytes they are not. So before a value is bound, it is measured.
 */

/**
 * Deepest nesting, counted in objects and arrays of the literal, of a value that state may hold. A typed value always
 * fits: its data is at most 128 deep (`values.md` §5), and a map, the widest spelling, takes three levels for one.
 */
export const LITERAL_NESTING_MAX = 512;

/**
 * Largest size: one for each part, and one for each unit of its texts and bytes. Twice what the largest input can have
 * (`kernel.md` §15: 8 MiB of params or receipt, at least one byte for each part).
 */
export const VALUE_SIZE_MAX = 16 * 1024 * 1024;

interface Extent {
  readonly nesting: number;
  readonly size: number;
}

/** Extents of composites. Values never change, and shared parts are what makes walking them again expensive. */
const measured = new WeakMap<Value, Extent>();

/**
 * May state hold this value: can its literal be encoded, stored and restored? Total for any value, however deep, and
 * linear in the parts that were not measured before. Where it is false, the expression that made the value fails with
 * `value_too_large` (`expressions.md` §12).
 */
export function isStorable(value: Value): boolean {
  const { nesting, size } = extentOf(value) ?? (isFlat(value) ? sum(value) : measure(value));
  return nesting <= LITERAL_NESTING_MAX && size <= VALUE_SIZE_MAX;
}

const FLAT_PARTS_MAX = 32;

/** A few parts that hold none themselves are added up faster than their sum is looked up. */
function isFlat(value: Value): boolean {
  switch (value.kind) {
    case 'record':
      if (value.fields.size > FLAT_PARTS_MAX) return false;
      for (const field of value.fields.values()) if (extentOf(field) === undefined) return false;
      return true;
    case 'list':
    case 'set':
      return value.items.length <= FLAT_PARTS_MAX && value.items.every((item) => extentOf(item) !== undefined);
    default:
      return false;
  }
}

/** Parts before what holds them, on a stack of its own: a value may be deeper than calls can be. */
function measure(value: Value): Extent {
  const stack = [value];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const waiting = stack.length;
    if (extentOf(top) === undefined) {
      for (const part of partsOf(top)) if (extentOf(part) === undefined) stack.push(part);
      if (stack.length > waiting) continue;
      measured.set(top, sum(top));
    }
    stack.pop();
  }
  return extentOf(value) as Extent;
}

/** Undefined for a composite that was not measured yet. */
function extentOf(value: Value): Extent | undefined {
  switch (value.kind) {
    case 'text':
    case 'dec128':
    case 'hash':
    case 'uuid':
    case 'bytes':
      return { nesting: 1, size: 1 + value.value.length };
    case 'list':
    case 'set':
    case 'map':
    case 'record':
    case 'variant':
      return measured.get(value);
    default:
      // `{"null": {}}` is two objects.
      return { nesting: 2, size: 1 };
  }
}

function partsOf(value: Value): Iterable<Value> {
  switch (value.kind) {
    case 'list':
    case 'set':
      return value.items;
    case 'map':
      return value.entries.flat();
    case 'record':
      return value.fields.values();
    case 'variant':
      return [value.value];
    default:
      return [];
  }
}

/** Extent of a composite whose parts are measured. */
function sum(value: Value): Extent {
  let nesting = 0;
  let size = 1;
  for (const part of partsOf(value)) {
    const extent = extentOf(part) as Extent;
    nesting = Math.max(nesting, extent.nesting);
    size += extent.size;
  }
  if (value.kind === 'record') for (const name of value.fields.keys()) size += name.length;
  if (value.kind === 'variant') size += value.tag.length;
  return { nesting: nesting + (value.kind === 'variant' ? 1 : value.kind === 'map' ? 3 : 2), size };
}
