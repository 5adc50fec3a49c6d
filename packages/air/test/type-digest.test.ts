import { toHex } from '@worldline/canon';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Type, type TypeScope, typeDigest, typesEqual } from '../src/index.ts';

const ref = (name: string): Type => ({ kind: 'ref', name });
const record = (fields: Readonly<Record<string, Type>>): Type => ({
  kind: 'record',
  fields: new Map(Object.entries(fields)),
});
const TEXT: Type = { kind: 'text' };
const scopeOf = (schemas: Readonly<Record<string, Type>>): TypeScope => ({
  lookup: (name) => (Object.hasOwn(schemas, name) ? schemas[name] : undefined),
});
const none = scopeOf({});
const hex = (type: Type, scope: TypeScope = none) => {
  const digest = typeDigest(type, scope);
  return digest && toHex(digest);
};

describe('typeDigest is the hash of the expanded type (host.md §5.7)', () => {
  test('golden: a scalar, and a record whose members are in canonical key order', () => {
    expect(hex(TEXT)).toBe('4b2156edd54b80d7686a3bb4ded93429db77b89361613823e1d628353ccecf0a');
    expect(hex(record({ bb: TEXT, a: { kind: 'option', item: { kind: 'nat' } } }))).toBe(
      '183bb8f0bedf6ba25525695e830c332b9f428197c47809e7d0b3aa0f0b710913',
    );
  });

  test('the names of schemas do not matter, those of members do', () => {
    const scope = scopeOf({ 'a/Id@1': TEXT, 'b/Key@1': ref('a/Id@1') });
    expect(hex(record({ id: ref('b/Key@1') }), scope)).toBe(hex(record({ id: TEXT })));
    expect(hex(record({ key: TEXT }))).not.toBe(hex(record({ id: TEXT })));
    expect(hex({ kind: 'list', item: TEXT })).not.toBe(hex({ kind: 'set', item: TEXT }));
  });

  test('a ref that leads nowhere or back to itself has no digest, nor has what holds it', () => {
    const scope = scopeOf({ 'a/Loop@1': record({ next: ref('a/Loop@1') }) });
    expect(hex(ref('a/Loop@1'), scope)).toBeUndefined();
    expect(hex(record({ x: ref('a/Gone@1') }), scope)).toBeUndefined();
  });

  test('thirty schemas that each use the one before twice are done at once', () => {
    const schemas: Record<string, Type> = { 's/0@1': TEXT };
    for (let i = 1; i <= 30; i++) schemas[`s/${i}@1`] = record({ l: ref(`s/${i - 1}@1`), r: ref(`s/${i - 1}@1`) });
    expect(hex(ref('s/30@1'), scopeOf(schemas))).toMatch(/^[0-9a-f]{64}$/);
  });

  const leaves: fc.Arbitrary<Type> = fc.oneof(
    fc.constantFrom<Type>(TEXT, { kind: 'nat' }, { kind: 'bool' }),
    fc.constantFrom<Type>(ref('s/A@1'), ref('s/B@1')),
  );
  const types: fc.Arbitrary<Type> = fc.letrec<{ type: Type }>((tie) => ({
    type: fc.oneof(
      { maxDepth: 3 },
      leaves,
      fc
        .tuple(
          fc.constantFrom('record' as const, 'variant' as const),
          fc.dictionary(fc.constantFrom('a', 'bb', 'c'), tie('type')),
        )
        .map(([kind, members]): Type => {
          const map = new Map(Object.entries(members));
          return kind === 'record' ? { kind, fields: map } : { kind, arms: map };
        }),
      tie('type').map((item): Type => ({ kind: 'option', item })),
      tie('type').map((value): Type => ({ kind: 'map', key: { kind: 'text' }, value })),
    ),
  })).type;

  test('two types have the same digest exactly when they are equal', () => {
    const scope = scopeOf({ 's/A@1': TEXT, 's/B@1': record({ a: ref('s/A@1') }) });
    fc.assert(
      fc.property(types, types, fc.boolean(), (one, other, isSame) => {
        const second = isSame ? structuredClone(one) : other;
        expect(hex(one, scope) === hex(second, scope)).toBe(typesEqual(one, second, scope));
      }),
    );
  });
});
