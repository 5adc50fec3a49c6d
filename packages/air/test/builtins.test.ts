import { readFileSync } from 'node:fs';
import { hashText, sha256, toHex } from '@worldline/canon';
import { describe, expect, test } from 'vitest';
import { BUILTINS, builtinScope, effectiveEnforcer, effectiveScope, grantSchema } from '../src/builtins.ts';
import { typeFromNotation } from '../src/builtins-notation.ts';
import type { Def } from '../src/node.ts';
import { encodeNode, nodeToJson, type SimpleDef, withoutKind } from '../src/node-json.ts';
import { resolveType } from '../src/type-resolve.ts';

interface Row {
  readonly name: string;
  readonly hash: string;
}

const published: { readonly rows: readonly Row[] } = JSON.parse(
  readFileSync(new URL('../../../test/vectors/builtins.json', import.meta.url), 'utf8'),
);

const catalogue = new Map<string, Def<SimpleDef>>(
  [BUILTINS.schemas, BUILTINS.effects, BUILTINS.caps, BUILTINS.modules].flatMap((section) => [
    ...(section as ReadonlyMap<string, Def<SimpleDef>>),
  ]),
);

describe('the node of every built-in definition has its published hash (builtins.md §7)', () => {
  test.each(published.rows)('$name', ({ name, hash }) => {
    const found = catalogue.get(name);
    expect(found).toBeDefined();
    if (found === undefined) return;
    expect(hashText(sha256(encodeNode(withoutKind(nodeToJson(found.def)))))).toBe(hash);
    expect(hashText(found.hash)).toBe(hash);
  });

  test('the table and the catalogue hold the same names', () => {
    expect([...catalogue.keys()].sort()).toEqual(published.rows.map(({ name }) => name).sort());
  });
});

describe('built-in definitions', () => {
  test('every ref in a built-in type resolves, so checking a world never has to look into them (V-306)', () => {
    const scope = builtinScope();
    for (const { def } of BUILTINS.schemas.values()) expect(() => resolveType(def.type, scope)).not.toThrow();
    for (const { def } of BUILTINS.effects.values()) {
      expect(scope.lookup(def.paramsSchema)).toBeDefined();
      expect(scope.lookup(def.receiptSchema)).toBeDefined();
    }
  });

  test('timer.set and blob.get count as both, their definitions still say reducer (§6.3, V-522)', () => {
    const scopes = ['timer.set', 'blob.get', 'http.request', 'blob.put'].map((kind) => {
      const effect = BUILTINS.effects.get(`sys/${kind}@1`)?.def;
      return effect && [effect.originScope, effectiveScope(effect)];
    });
    expect(scopes).toEqual([
      ['reducer', 'both'],
      ['reducer', 'both'],
      ['plan', 'plan'],
      ['both', 'both'],
    ]);
  });

  test('sys/query@1 is checked by an enforcer that its definition does not name (§6.3)', () => {
    const query = BUILTINS.caps.get('sys/query@1')?.def;
    const timer = BUILTINS.caps.get('sys/timer@1')?.def;
    expect(query && [query.enforcer, effectiveEnforcer(query)]).toEqual(['sys/CapAllowAll@1', 'sys/CapEnforceQuery@1']);
    expect(timer && effectiveEnforcer(timer)).toBe('sys/CapAllowAll@1');
  });

  test('grants of sys/governance@1 may carry actions and self_approve, and only those that do get the wider type (governance.md §8)', () => {
    const cap = BUILTINS.caps.get('sys/governance@1')?.def;
    if (cap === undefined) throw new Error('missing');
    expect(grantSchema(cap, ['ops'])).toBe(cap.schema);
    const wide = grantSchema(cap, ['ops', 'self_approve']);
    expect(wide.kind === 'record' && [...wide.fields.keys()].slice(-2)).toEqual(['actions', 'self_approve']);
  });

  test('the hash of a definition is 32 bytes', () => {
    for (const { hash } of catalogue.values()) expect(toHex(hash)).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('the notation of builtins.md', () => {
  test('optional fields are options, arms without a type are unit', () => {
    expect(typeFromNotation('{a: nat, b?: set<text>}')).toEqual({
      kind: 'record',
      fields: new Map([
        ['a', { kind: 'nat' }],
        ['b', { kind: 'option', item: { kind: 'set', item: { kind: 'text' } } }],
      ]),
    });
    expect(typeFromNotation('variant(A, B: sys/Ref@2)')).toEqual({
      kind: 'variant',
      arms: new Map([
        ['A', { kind: 'unit' }],
        ['B', { kind: 'ref', name: 'sys/Ref@2' }],
      ]),
    });
  });

  test.each(['', 'texts', '{a: nat', '{a nat}', 'list<nat', 'map<text>', 'nat nat', 'variant(A'])(
    'a typing error in "%s" is a bug and throws',
    (text) => {
      expect(() => typeFromNotation(text)).toThrow();
    },
  );
});
