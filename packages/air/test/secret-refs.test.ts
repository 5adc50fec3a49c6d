import { describe, expect, it } from 'vitest';
import { builtinScope } from '../src/builtins.ts';
import { secretRefs } from '../src/secret-refs.ts';
import type { Type, TypeScope } from '../src/type.ts';
import { arm, dict, list, n, none, rec, t } from './evaluate-support.ts';

const builtins = builtinScope();
const aliases: ReadonlyMap<string, Type> = new Map([
  ['com.acme/Key@1', { kind: 'ref', name: 'sys/SecretRef@1' }],
  [
    'com.acme/Pair@1',
    {
      kind: 'record',
      fields: new Map([
        ['alias', { kind: 'text' }],
        ['version', { kind: 'nat' }],
      ]),
    },
  ],
]);
const scope: TypeScope = { lookup: (name) => aliases.get(name) ?? builtins.lookup(name) };

const named = (name: string): Type => ({ kind: 'ref', name });
const key = (alias: string, version = 1): ReturnType<typeof rec> => rec({ alias: t(alias), version: n(version) });

describe('secret references are found by schema (kernel.md §11)', () => {
  it('finds them in records, options, lists, maps and variants, with their places', () => {
    const type: Type = {
      kind: 'record',
      fields: new Map<string, Type>([
        ['a', named('sys/SecretRef@1')],
        ['b', { kind: 'option', item: named('com.acme/Key@1') }],
        ['c', { kind: 'list', item: named('sys/TextOrSecretRef@1') }],
        ['d', { kind: 'map', key: { kind: 'int' }, value: named('sys/BytesOrSecretRef@1') }],
      ]),
    };
    const value = rec({
      a: key('one'),
      b: key('two', 2),
      c: list(arm('literal', t('plain')), arm('secret', key('three'))),
      d: dict([{ kind: 'int', value: -1n }, arm('secret', key('four'))]),
    });
    expect(secretRefs(value, type, scope)).toEqual([
      { alias: 'one', version: 1n, path: ['a'] },
      { alias: 'two', version: 2n, path: ['b'] },
      { alias: 'three', version: 1n, path: ['c', 1, '$value'] },
      { alias: 'four', version: 1n, path: ['d', '-1', '$value'] },
    ]);
  });

  it('an absent option holds none', () => {
    const type: Type = { kind: 'option', item: named('sys/SecretRef@1') };
    expect(secretRefs(none, type, scope)).toEqual([]);
    expect(secretRefs(key('x'), type, scope)).toEqual([{ alias: 'x', version: 1n, path: [] }]);
  });

  it('a value that only looks like a reference is not one', () => {
    const looks: Type = { kind: 'record', fields: new Map([['pair', named('com.acme/Pair@1')]]) };
    expect(secretRefs(rec({ pair: key('x') }), looks, scope)).toEqual([]);
    const variant: Type = { kind: 'variant', arms: new Map([['secret', named('com.acme/Pair@1')]]) };
    expect(secretRefs(arm('secret', key('x')), variant, scope)).toEqual([]);
  });

  it('params of the built-in llm.generate hold one; those of http.request none', () => {
    const params = rec({
      provider: t('p'),
      model: t('m'),
      temperature: { kind: 'dec128', value: '0' },
      max_tokens: n(1),
      message_refs: list(),
      tool_refs: none,
      tool_choice: none,
      api_key: arm('secret', key('llm/api', 3)),
    });
    expect(secretRefs(params, named('sys/LlmGenerateParams@1'), scope)).toEqual([
      { alias: 'llm/api', version: 3n, path: ['api_key', '$value'] },
    ]);
    const request = rec({ method: t('GET'), url: t('http://h/'), headers: dict(), body_ref: none });
    expect(secretRefs(request, named('sys/HttpRequestParams@1'), scope)).toEqual([]);
  });

  it('the same type object under another scope is another type', () => {
    const type: Type = { kind: 'record', fields: new Map([['k', named('com.acme/Thing@1')]]) };
    const without: TypeScope = {
      lookup: (name) => (name === 'com.acme/Thing@1' ? aliases.get('com.acme/Pair@1') : undefined),
    };
    const holding: TypeScope = {
      lookup: (name) => (name === 'com.acme/Thing@1' ? named('sys/SecretRef@1') : builtins.lookup(name)),
    };
    expect(secretRefs(rec({ k: key('x') }), type, without)).toEqual([]);
    expect(secretRefs(rec({ k: key('x') }), type, holding)).toHaveLength(1);
  });

  it('a value that does not conform is a bug, never a missed reference', () => {
    const type: Type = { kind: 'record', fields: new Map([['k', named('sys/SecretRef@1')]]) };
    expect(() => secretRefs(list(), type, scope)).toThrow(TypeError);
    expect(() => secretRefs(rec({ k: t('x') }), type, scope)).toThrow(TypeError);
  });
});
