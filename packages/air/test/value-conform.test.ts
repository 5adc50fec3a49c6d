import { describe, expect, test } from 'vitest';
import { conform, encodeValue, literalToJson, NULL, nat, printJson, text, type Value } from '../src/index.ts';
import { SCHEMAS, summary, type } from './support.ts';

function out(value: Value, notation: string): string | string[] {
  const result = conform(value, type(notation), SCHEMAS);
  return result.ok ? printJson(literalToJson(result.value)) : summary(result.failure);
}

function record(fields: { readonly [name: string]: Value }): Value {
  return { kind: 'record', fields: new Map(Object.entries(fields)) };
}

describe('conform (values.md §7 "Out")', () => {
  test.each<[Value, string, string | string[]]>([
    [nat(5n), 'int', '{"int":5}'],
    [nat(5n), 'time', '{"time_ns":5}'],
    [{ kind: 'duration', value: 5n }, 'nat', '{"nat":5}'],
    [nat(2n ** 63n), 'int', ['value.out_of_range /']],
    [{ kind: 'int', value: -1n }, 'nat', ['value.out_of_range /']],
    [text('1.5'), 'dec128', '{"dec128":"1.5"}'],
    [text('x'), 'dec128', ['value.bad_dec128 /']],
    [text('123E4567-e89b-12d3-a456-426614174000'), 'uuid', '{"uuid":"123e4567-e89b-12d3-a456-426614174000"}'],
    [text('x'), 'hash', ['value.bad_hash /']],
    [{ kind: 'dec128', value: '1' }, 'text', '{"text":"1"}'],
    [{ kind: 'dec128', value: '1' }, 'nat', ['value.type_mismatch /']],
    [NULL, 'option<int>', '{"null":{}}'],
    [NULL, 'int', ['value.type_mismatch /']],
    [{ kind: 'list', items: [nat(2n), nat(1n), nat(2n)] }, 'set<int>', '{"set":[{"int":1},{"int":2}]}'],
    [{ kind: 'set', items: [nat(1n)] }, 'list<int>', '{"list":[{"int":1}]}'],
    [record({ a: nat(1n) }), '{a: int, b?: text}', '{"record":{"a":{"int":1},"b":{"null":{}}}}'],
    [record({ z: nat(1n) }), '{a: int}', ['value.unknown_field /z', 'value.missing_field /a']],
    [record({ a: nat(1n) }), 'map<text, nat>', '{"map":[{"key":{"text":"a"},"value":{"nat":1}}]}'],
    [record({ A: nat(1n) }), 'variant(A: int)', '{"tag":"A","value":{"int":1}}'],
    [{ kind: 'map', entries: [[text('a'), nat(1n)]] }, '{a: int}', '{"record":{"a":{"int":1}}}'],
    [{ kind: 'map', entries: [[nat(1n), nat(1n)]] }, '{a: int}', ['value.type_mismatch /']],
    [{ kind: 'map', entries: [[text('5'), nat(1n)]] }, 'map<int, nat>', ['value.bad_map_key /5']],
    [{ kind: 'variant', tag: 'A', value: nat(1n) }, 'variant(A: int, B)', '{"tag":"A","value":{"int":1}}'],
    [{ kind: 'variant', tag: 'B', value: NULL }, 'variant(A: int, B)', '{"tag":"B"}'],
    [{ kind: 'variant', tag: 'O', value: NULL }, 'variant(O: option<int>)', '{"tag":"O","value":{"null":{}}}'],
    [{ kind: 'variant', tag: 'C', value: NULL }, 'variant(A: int, B)', ['value.unknown_tag /']],
    [{ kind: 'variant', tag: 'B', value: nat(1n) }, 'variant(A: int, B)', ['value.unexpected_payload /$value']],
    [{ kind: 'handle', emissionSeq: 1 }, 'int', ['value.type_mismatch /']],
    [{ kind: 'list', items: [{ kind: 'receipt', emissionSeq: 1 }] }, 'list<int>', ['value.type_mismatch /0']],
    [nat(1n), 'com.acme/Loop@1', ['schema.not_found /']],
  ])('%o as %s is %s', (value, notation, expected) => {
    expect(out(value, notation)).toEqual(expected);
  });

  test('a handle is reported as what it is', () => {
    const result = conform({ kind: 'handle', emissionSeq: 3 }, type('{a: int}'), SCHEMAS, 'params');
    expect(!result.ok && result.failure[0]).toMatchObject({ schema: 'params', expected: 'record', got: 'handle' });
  });

  test('a receipt or handle has no data encoding: encoding one is a bug', () => {
    expect(() => encodeValue({ kind: 'receipt', emissionSeq: 1 })).toThrow(TypeError);
  });

  test('a value deeper than any type gets an answer', () => {
    let deep: Value = nat(1n);
    for (let i = 0; i < 100_000; i += 1) deep = { kind: 'list', items: [deep] };
    const result = conform(deep, type('list<list<int>>'), SCHEMAS);
    expect(!result.ok && result.failure[0]?.code).toBe('value.type_mismatch');
  });
});
