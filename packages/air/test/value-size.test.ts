import { decode, encode, unwrap } from '@worldline/canon';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isStorable,
  type Json,
  literalFromJson,
  literalToJson,
  nat,
  text,
  VALUE_SIZE_MAX,
  type Value,
} from '../src/index.ts';
import { typedValueArb } from './arbitraries.ts';

/** A number inside `levels` composites of one kind. */
function nested(kind: 'list' | 'record' | 'map' | 'variant', levels: number): Value {
  let value: Value = nat(1n);
  for (let i = 0; i < levels; i += 1) {
    if (kind === 'list') value = { kind, items: [value] };
    else if (kind === 'record') value = { kind, fields: new Map([['f', value]]) };
    else if (kind === 'map') value = { kind, entries: [[text('k'), value]] };
    else value = { kind, tag: 'A', value };
  }
  return value;
}

describe('isStorable', () => {
  test.each(['list', 'record', 'map', 'variant'] as const)(
    'nested %s up to the limit is encoded and restored',
    (kind) => {
      let levels = 1;
      while (isStorable(nested(kind, levels + 1))) levels += 1;
      // More than typed data can have.
      expect(levels).toBeGreaterThan(128);
      const value = nested(kind, levels);
      const bytes = encode(literalToJson(value) as never);
      const restored = literalFromJson(unwrap(decode(bytes, { maxDepth: 512 })) as Json);
      expect(encode(literalToJson(restored) as never)).toEqual(bytes);
      expect(decode(encode(literalToJson(nested(kind, levels + 2)) as never), { maxDepth: 512 }).ok).toBe(false);
    },
  );

  test('a value that names itself twice at each step ends at the limit, in no time', () => {
    let value: Value = text('x');
    let steps = 0;
    for (; isStorable(value); steps += 1) {
      value = {
        kind: 'record',
        fields: new Map([
          ['a', value],
          ['b', value],
        ]),
      };
    }
    expect(steps).toBeLessThan(30);
    // Going on from there costs nothing either.
    for (let i = 0; i < 10_000; i += 1) value = { kind: 'list', items: [value, value] };
    expect(isStorable(value)).toBe(false);
  });

  test('a deep value gets the same answer whichever part was asked about first', () => {
    const deep = nested('list', 100_000);
    expect(isStorable(deep)).toBe(false);
    let part = deep;
    for (let i = 0; i < 99_900; i += 1) part = (part as Value & { kind: 'list' }).items[0] as Value;
    expect(isStorable(part)).toBe(true);
    expect(isStorable(deep)).toBe(false);
  });

  test('size counts parts, texts and bytes', () => {
    const bytes = (length: number): Value => ({ kind: 'bytes', value: new Uint8Array(length) });
    expect(isStorable(bytes(VALUE_SIZE_MAX - 1))).toBe(true);
    expect(isStorable(bytes(VALUE_SIZE_MAX))).toBe(false);
  });

  test('every small typed value is storable', () => {
    fc.assert(fc.property(typedValueArb(), ({ value }) => isStorable(value)));
  });
});
