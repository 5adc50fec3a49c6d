import { describe, expect, test } from 'vitest';
import { type Json, parseType, printJson, resolveType, tryResolveType, typesEqual, typeToJson } from '../src/index.ts';
import { json, SCHEMAS, scopeOf, summary, type } from './support.ts';

function failures(text: string): string[] {
  const result = parseType(json(text));
  return result.ok ? [] : summary(result.failure);
}

describe('parseType (values.md §2)', () => {
  test('reads every type', () => {
    const text =
      '{"record":{"a":{"bool":{}},"b":{"int":{}},"c":{"nat":{}},"d":{"dec128":{}},"e":{"bytes":{}},"f":{"text":{}},' +
      '"g":{"time":{}},"h":{"duration":{}},"i":{"hash":{}},"j":{"uuid":{}},"k":{"unit":{}},"l":{"variant":{"A":{"unit":{}}}},' +
      '"m":{"list":{"text":{}}},"n":{"set":{"uuid":{}}},"o":{"map":{"key":{"hash":{}},"value":{"int":{}}}},' +
      '"p":{"option":{"ref":"sys/X@1"}},"q":{"record":{}}}}';
    const read = parseType(json(text));
    expect(read.ok && printJson(typeToJson(read.value))).toBe(text);
  });

  test('$comment is dropped in every object of a type', () => {
    const commented =
      '{"$comment":1,"record":{"$comment":"c","a":{"text":{"$comment":{}},"$comment":[]},"m":{"map":{"$comment":2,"key":{"int":{}},"value":{"unit":{}}}}}}';
    const read = parseType(json(commented));
    expect(read.ok && printJson(typeToJson(read.value))).toBe(
      '{"record":{"a":{"text":{}},"m":{"map":{"key":{"int":{}},"value":{"unit":{}}}}}}',
    );
  });

  test('member order carries no meaning: fields and arms are in canonical key order', () => {
    const read = parseType(json('{"record":{"bb":{"int":{}},"a":{"int":{}},"é":{"int":{}}}}'));
    expect(read.ok && read.value.kind === 'record' && [...read.value.fields.keys()]).toEqual(['a', 'bb', 'é']);
  });

  test.each([
    // V-301
    ['5', 'type.invalid /'],
    ['"text"', 'type.invalid /'],
    ['{}', 'type.invalid /'],
    ['{"$comment":"x"}', 'type.invalid /'],
    ['{"string":{}}', 'type.invalid /string'],
    ['{"constructor":{}}', 'type.invalid /constructor'],
    ['{"text":{},"int":{}}', 'type.invalid /'],
    ['{"text":{"x":1}}', 'type.invalid /text'],
    ['{"text":[]}', 'type.invalid /text'],
    ['{"text":null}', 'type.invalid /text'],
    ['{"list":[]}', 'type.invalid /list'],
    ['{"record":[]}', 'type.invalid /record'],
    ['{"record":{"a":{"list":5}}}', 'type.invalid /record/a/list'],
    ['{"ref":"acme/point"}', 'type.invalid /ref'],
    ['{"ref":"com/foo@01"}', 'type.invalid /ref'],
    ['{"ref":5}', 'type.invalid /ref'],
    ['{"map":{"key":{"int":{}},"value":{"int":{}},"x":1}}', 'type.invalid /map/x'],
    // V-302
    ['{"map":{"key":{"bool":{}},"value":{"int":{}}}}', 'type.bad_map_key /map/key'],
    ['{"map":{"key":{"time":{}},"value":{"int":{}}}}', 'type.bad_map_key /map/key'],
    ['{"map":{"key":{"ref":"a/B@1"},"value":{"int":{}}}}', 'type.bad_map_key /map/key'],
    ['{"map":{"value":{"int":{}}}}', 'type.bad_map_key /map/key'],
    ['{"map":{"key":{"int":{}}}}', 'type.bad_map_key /map/value'],
    // V-303
    ['{"set":{"unit":{}}}', 'type.bad_set_element /set'],
    ['{"set":{"record":{}}}', 'type.bad_set_element /set'],
    ['{"set":{"option":{"int":{}}}}', 'type.bad_set_element /set'],
    // V-304
    ['{"option":{"option":{"int":{}}}}', 'type.ambiguous_option /option'],
    ['{"option":{"unit":{}}}', 'type.ambiguous_option /option'],
    // V-307
    ['{"variant":{}}', 'type.bad_member /variant'],
    ['{"record":{"":{"int":{}}}}', 'type.bad_member /record/'],
    ['{"record":{"$a":{"int":{}}}}', 'type.bad_member /record/$a'],
    ['{"variant":{"$tag":{"unit":{}}}}', 'type.bad_member /variant/$tag'],
  ])('%s is %s', (text, expected) => {
    expect(failures(text)).toEqual([expected]);
  });

  test('reports everything, in document order', () => {
    expect(
      failures('{"record":{"b":{"nope":{}},"a":{"set":{"unit":{}}},"$x":{"int":{}},"c":{"option":{"option":{}}}}}'),
    ).toEqual([
      'type.invalid /record/b/nope',
      'type.bad_set_element /record/a/set',
      'type.bad_member /record/$x',
      'type.invalid /record/c/option/option',
    ]);
  });

  test('a type made by a program can be nested as deep as it likes', () => {
    let deep: Json = { text: {} };
    for (let i = 0; i < 100_000; i += 1) deep = { list: deep };
    const result = parseType(deep);
    expect(!result.ok && result.failure[0]?.code).toBe('type.invalid');
  });
});

test.each([
  ['"text"', 'Write {"text": {}}.'],
  ['"record"', 'Types are {"text": {}}'],
  ['{"txt": {}}', 'Did you mean "text"?'],
])('%s: what to write instead', (text, hint) => {
  const result = parseType(json(text));
  expect(!result.ok && result.failure[0]?.hint).toContain(hint);
});

describe('refs', () => {
  test('resolve through aliases of aliases (values.md §2)', () => {
    expect(resolveType(type('com.acme/Alias@1'), SCHEMAS).kind).toBe('record');
  });

  test('an unknown name and a cycle do not resolve', () => {
    expect(tryResolveType(type('com.acme/None@1'), SCHEMAS)).toBeUndefined();
    expect(tryResolveType(type('com.acme/Loop@1'), SCHEMAS)).toBeUndefined();
    expect(() => resolveType(type('com.acme/Loop@1'), SCHEMAS)).toThrow('com.acme/Loop@1');
  });

  test('types are equal when their expansions are, whatever the names', () => {
    const scope = scopeOf({ 'a/A@1': '{x: list<a/B@1>}', 'a/B@1': 'option<int>', 'a/C@1': 'option<nat>' });
    expect(typesEqual(type('a/A@1'), type('{x: list<option<int>>}'), scope)).toBe(true);
    expect(typesEqual(type('a/B@1'), type('a/C@1'), scope)).toBe(false);
    expect(typesEqual(type('{x: int, y: int}'), type('{x: int}'), scope)).toBe(false);
    expect(typesEqual(type('variant(A, B: int)'), type('variant(B: int, A)'), scope)).toBe(true);
    expect(typesEqual(type('map<int, text>'), type('map<nat, text>'), scope)).toBe(false);
    expect(typesEqual(type('list<int>'), type('set<int>'), scope)).toBe(false);
  });
});
