import { hashOf, hashText } from '@worldline/canon';
import { describe, expect, test } from 'vitest';
import { type Json, printJson, readSlot, slotFromTree, slotToJson, type Type } from '../src/index.ts';
import { json, SCHEMAS, summary, type } from './support.ts';

const NAMES = { variables: new Set(['x', 'y']), steps: new Set(['s']) };

function read(notation: string | undefined, text: string) {
  return readSlot(json(text), notation === undefined ? undefined : type(notation), SCHEMAS, 'slot');
}

function canonical(notation: string | undefined, text: string): string {
  const slot = read(notation, text);
  if (!slot.ok) throw new Error(`${text}: ${JSON.stringify(slot.failure)}`);
  return printJson(slotToJson(slot.value));
}

function failures(notation: string | undefined, text: string): string[] {
  const slot = read(notation, text);
  return slot.ok ? [] : summary(slot.failure);
}

describe('the slots of C-13 and C-14 in every spelling (values.md §10.2)', () => {
  const PARAMS =
    '{"record":{"method":{"text":"GET"},"url":{"text":"https://example.com/"},"headers":{"map":[{"key":{"text":"a"},"value":{"text":"1"}},{"key":{"text":"b"},"value":{"text":"2"}}]},"body_ref":{"null":{}}}}';

  test.each([
    ['sugar', '{"method":"GET","url":"https://example.com/","headers":{"b":"2","a":"1"},"body_ref":null}'],
    ['sugar without body_ref', '{"method":"GET","url":"https://example.com/","headers":{"b":"2","a":"1"}}'],
    ['sugar with pairs', '{"headers":[["b","2"],["a","1"]],"url":"https://example.com/","method":"GET"}'],
    ['tagged', PARAMS],
    [
      'tagged, unsorted, without body_ref, with comments',
      '{"$comment":"x","record":{"headers":{"map":[{"key":{"text":"b"},"value":{"text":"2"}},{"key":{"text":"a"},"value":{"text":"1"}}]},"method":{"text":"GET","$comment":""},"url":{"text":"https://example.com/"}}}',
    ],
    [
      'sugar with tagged parts',
      '{"method":{"text":"GET"},"url":"https://example.com/","headers":{"b":{"text":"2"},"a":"1"}}',
    ],
  ])('C-13 params from %s', (_, text) => {
    const node = {
      $kind: 'defplan',
      name: 'com.acme/Fetch@1',
      input: 'com.acme/Point@1',
      steps: [
        {
          id: 'req',
          op: 'emit_effect',
          kind: 'http.request',
          params: json(canonical('sys/HttpRequestParams@1', text)),
          cap: 'net',
          bind: { effect_id_as: 'h' },
        },
        { id: 'end', op: 'end' },
      ],
      edges: [{ from: 'req', to: 'end' }],
      required_caps: ['net'],
      allowed_effects: ['http.request'],
    };
    expect(hashText(hashOf(node as never))).toBe(
      'sha256:9be7c9210d91bb9b238571819caff7060e272d5b8888b2e6ce1e6b2bb2cba07e',
    );
  });

  test.each([
    ['{"Go":{"x":1,"y":"-2"}}'],
    ['{"$tag":"Go","$value":{"x":1,"y":-2}}'],
    ['{"tag":"Go","value":{"record":{"x":{"int":1},"y":{"int":-2}}}}'],
    ['{"variant":{"tag":"Go","value":{"record":{"y":{"int":"-2"},"x":{"int":1}}}}}'],
  ])('C-14 value from %s', (text) => {
    const value = json(canonical('com.acme/Ev@1', text));
    const node = {
      $kind: 'defplan',
      name: 'com.acme/R@1',
      input: 'com.acme/Point@1',
      steps: [{ id: 'r', op: 'raise_event', event: 'com.acme/Ev@1', value }],
    };
    expect(hashText(hashOf(node as never))).toBe(
      'sha256:8469bbdfda43d0ecb66b9e5d87f0c8ca7ba7d7ff9fa992fb6bfb7032aaf169e1',
    );
  });

  test('C-23: integers of an expression are integers, however they were spelled', () => {
    for (const text of [
      '{"op":"add","args":[{"int":5},{"nat":18446744073709551615}]}',
      '{"op":"add","args":[{"int":"5"},{"nat":"18446744073709551615"}]}',
    ]) {
      const slot = read(undefined, text);
      if (!slot.ok) throw new Error(text);
      const node = {
        $kind: 'defplan',
        name: 'com.acme/N@1',
        input: 'com.acme/Point@1',
        steps: [{ id: 'a', op: 'assign', expr: slotToJson(slot.value), bind: { as: 'v' } }],
      };
      expect(hashText(hashOf(node as never))).toBe(
        'sha256:68010f0283856bc5bcd56da5415ecdd9fba6ac03e814d0383d6a54d58e9a776b',
      );
    }
  });
});

describe('canonical forms (definitions.md §5)', () => {
  test('a constant expression tree is a literal', () => {
    const slot = read('{a: int, v: variant(A, B: nat)}', '{"record":{"v":{"variant":{"tag":"A"}},"a":{"int":"7"}}}');
    expect(slot.ok && slot.value.literal?.kind).toBe('record');
    expect(slot.ok && printJson(slotToJson(slot.value))).toBe('{"record":{"a":{"int":7},"v":{"tag":"A"}}}');
  });

  test('an expression in tagged form is kept as written, minus comments', () => {
    expect(
      canonical(
        '{b: set<text>, a?: int, m?: map<text, int>}',
        '{"$comment":1,"record":{"b":{"set":[{"text":"z"},{"text":"a"},{"ref":"@var:x","$comment":""}]}}}',
      ),
    ).toBe('{"record":{"b":{"set":[{"text":"z"},{"text":"a"},{"ref":"@var:x"}]}}}');
  });

  test('an upper-case uuid in an expression is kept as written, and means the lower-case one', () => {
    const text = '{"op":"eq","args":[{"uuid":"123E4567-E89B-12D3-A456-426614174000"},{"ref":"@plan.input.id"}]}';
    const slot = read('bool', text);
    if (!slot.ok) throw new Error('refused');
    expect(printJson(slotToJson(slot.value))).toBe(text);
    const evaluable = slotFromTree(slot.value, NAMES);
    const expr = evaluable.ok ? evaluable.value.expr : undefined;
    expect(expr?.form === 'op' && expr.args[0]).toMatchObject({
      form: 'const',
      value: { kind: 'uuid', value: '123e4567-e89b-12d3-a456-426614174000' },
    });
  });

  test('sugar around an expression becomes a tree by the type, with all fields, canonical order and the variant wrapper', () => {
    expect(canonical('{order_id: text, n: nat, note?: text}', '{"order_id":{"ref":"@plan.input.id"},"n":1}')).toBe(
      '{"record":{"n":{"nat":1},"note":{"null":{}},"order_id":{"ref":"@plan.input.id"}}}',
    );
    expect(
      canonical(
        '{v: com.acme/Ev@1, w: com.acme/Ev@1, k: nat}',
        '{"w":{"Stop":{}},"v":{"Opt":null},"k":{"ref":"@var:x"}}',
      ),
    ).toBe(
      '{"record":{"k":{"ref":"@var:x"},"v":{"variant":{"tag":"Opt","value":{"null":{}}}},"w":{"variant":{"tag":"Stop"}}}}',
    );
    expect(canonical('com.acme/Ev@1', '{"Go":{"x":{"ref":"@var:x"},"y":"2"}}')).toBe(
      '{"variant":{"tag":"Go","value":{"record":{"x":{"ref":"@var:x"},"y":{"int":2}}}}}',
    );
    expect(canonical('list<option<int>>', '[null,{"ref":"@var:x"},5]')).toBe(
      '{"list":[{"null":{}},{"ref":"@var:x"},{"int":5}]}',
    );
    expect(canonical('set<text>', '["bb",{"ref":"@var:y"},"a","bb",{"ref":"@var:x"}]')).toBe(
      '{"set":[{"text":"a"},{"text":"bb"},{"ref":"@var:y"},{"ref":"@var:x"}]}',
    );
    expect(canonical('map<text, int>', '{"bb":1,"a":{"ref":"@var:x"}}')).toBe(
      '{"map":[{"key":{"text":"a"},"value":{"ref":"@var:x"}},{"key":{"text":"bb"},"value":{"int":1}}]}',
    );
    expect(canonical('map<int, int>', '[[{"ref":"@var:y"},0],[-1,{"ref":"@var:x"}],[2,3],[2,3]]')).toBe(
      '{"map":[{"key":{"int":2},"value":{"int":3}},{"key":{"int":-1},"value":{"ref":"@var:x"}},{"key":{"ref":"@var:y"},"value":{"int":0}}]}',
    );
  });

  test('member order does not matter for the result', () => {
    const notation = '{a: int, m: map<text, int>}';
    expect(canonical(notation, '{"m":{"x":1,"y":{"ref":"@var:x"}},"a":1}')).toBe(
      canonical(notation, '{"a":1,"m":{"y":{"ref":"@var:x"},"x":1}}'),
    );
  });

  test('expressions stand for anything, also for a whole slot, an option or a payload', () => {
    expect(canonical('int', '{"ref":"@var:x"}')).toBe('{"ref":"@var:x"}');
    expect(canonical('option<text>', '{"ref":"@var:x"}')).toBe('{"ref":"@var:x"}');
    expect(canonical('variant(A: int)', '{"A":{"op":"add","args":[{"int":1},{"ref":"@var:x"}]}}')).toBe(
      '{"variant":{"tag":"A","value":{"op":"add","args":[{"int":1},{"ref":"@var:x"}]}}}',
    );
  });

  test('a record with just the members of an expression must be written tagged (values.md §3.3, rule 1)', () => {
    expect(failures('{ref: text}', '{"ref":"@nope"}')).toEqual(['expr.invalid /ref']);
    expect(canonical('{ref: text}', '{"record":{"ref":{"text":"@nope"}}}')).toBe('{"record":{"ref":{"text":"@nope"}}}');
    expect(canonical('{ref: text}', '{"ref":"nope"}')).toBe('{"record":{"ref":{"text":"nope"}}}');
    expect(failures('{op: text, args: list<text>}', '{"op":"x","args":[]}')).toEqual(['expr.invalid /op']);
    expect(canonical('{op: text, args?: list<text>}', '{"op":"x"}')).toBe(
      '{"record":{"op":{"text":"x"},"args":{"null":{}}}}',
    );
  });

  test('X25: {"text","lang"} in a slot of a record is a literal record, {"text"} in a text slot a constant', () => {
    expect(canonical('{text: text, lang: text}', '{"text":"hi","lang":"en"}')).toBe(
      '{"record":{"lang":{"text":"en"},"text":{"text":"hi"}}}',
    );
    expect(canonical('text', '{"text":"hi"}')).toBe('{"text":"hi"}');
    expect(canonical('{text: text}', '{"text":"hi"}')).toBe('{"record":{"text":{"text":"hi"}}}');
    expect(canonical('{text: text}', '{"text":{"ref":"@var:x"}}')).toBe('{"record":{"text":{"ref":"@var:x"}}}');
  });
});

describe('slots without a type (definitions.md §5, V-515)', () => {
  test.each([
    ['{"set":[{"text":"b"},{"text":"a"},{"text":"b"}]}', '{"set":[{"text":"b"},{"text":"a"},{"text":"b"}]}'],
    ['{"variant":{"tag":"A","value":{"int":"5"}}}', '{"variant":{"tag":"A","value":{"int":5}}}'],
    ['{"tag":"A","$comment":""}', '{"tag":"A"}'],
    ['{"time_ns":"1700000000000000000"}', '{"time_ns":"1700000000000000000"}'],
    ['{"ref":"@var:x"}', '{"ref":"@var:x"}'],
    ['{"record":{"b":{"ref":"@var:x"},"a":{"nat":"1"}}}', '{"record":{"b":{"ref":"@var:x"},"a":{"nat":1}}}'],
    ['{"null":{}}', '{"null":{}}'],
  ])('%s is kept as %s', (text, expected) => {
    expect(canonical(undefined, text)).toBe(expected);
  });

  test('the evaluator still gets a canonical value', () => {
    const slot = read(undefined, '{"set":[{"text":"bb"},{"text":"a"},{"text":"bb"}]}');
    expect(slot.ok && slotFromTree(slot.value, NAMES)).toEqual({
      ok: true,
      value: {
        literal: {
          kind: 'set',
          items: [
            { kind: 'text', value: 'a' },
            { kind: 'text', value: 'bb' },
          ],
        },
      },
    });
  });

  test.each([
    ['5', 'plan.literal_needs_schema /'],
    ['null', 'plan.literal_needs_schema /'],
    ['{"a":1}', 'plan.literal_needs_schema /'],
    ['{"list":[5]}', 'plan.literal_needs_schema /'],
    ['{"int":"x"}', 'value.bad_number /'],
    ['{"list":[{"hash":"x"}]}', 'value.bad_hash /0'],
    ['{"nat":-1}', 'value.out_of_range /'],
    ['{"set":[{"list":[]}]}', 'value.type_mismatch /0'],
    ['{"map":[{"key":{"bool":true},"value":{"int":1}}]}', 'value.bad_map_key /0'],
    ['{"map":[{"key":{"int":1},"value":{"int":1}},{"key":{"int":1},"value":{"int":2}}]}', 'value.duplicate_key /1'],
    ['{"list":[{"int":"x"},{"ref":"@var:x"}]}', 'expr.invalid /list/0/int'],
  ])('%s is %s', (text, expected) => {
    expect(failures(undefined, text)).toEqual([expected]);
  });
});

describe('errors in slots', () => {
  test('errors inside an expression are final and say where', () => {
    expect(failures('{a: int, b: int}', '{"a":{"op":"add","args":[{"int":1}]},"b":{"op":"nope","args":[]}}')).toEqual([
      'expr.invalid /a/args',
      'expr.invalid /b/op',
    ]);
    expect(failures('{a: int}', '{"record":{"a":{"op":"len","args":[{"ref":"@nope"}]}}}')).toEqual([
      'expr.invalid /a/args/0/ref',
    ]);
    expect(failures('int', '{"ref":"@plan.inputs"}')).toEqual(['expr.invalid /ref']);
  });

  test('a bare variant beside an expression is refused with the way to write it', () => {
    const slot = read('{v: variant(A), n: int}', '{"record":{"v":{"tag":"A"},"n":{"ref":"@var:x"}}}');
    expect(!slot.ok && slot.failure[0]).toMatchObject({ code: 'expr.invalid', path: ['record', 'v'] });
    expect(!slot.ok && slot.failure[0]?.hint).toContain('"variant"');
  });

  test('a malformed constant beside an expression is judged as sugar first', () => {
    expect(failures('{h: hash, n: int}', '{"record":{"h":{"hash":"x"},"n":{"ref":"@var:x"}}}')).toEqual([
      'expr.invalid /record/h/hash',
    ]);
    expect(canonical('{record: {h: {hash: text}, n: int}}', '{"record":{"h":{"hash":"x"},"n":{"ref":"@var:x"}}}')).toBe(
      '{"record":{"record":{"record":{"h":{"record":{"hash":{"text":"x"}}},"n":{"ref":"@var:x"}}}}}',
    );
  });

  test('value errors of sugar parts are reported beside expressions', () => {
    expect(failures('{a: int, b: int, c: int}', '{"a":{"ref":"@var:x"},"b":true}')).toEqual([
      'value.type_mismatch /b',
      'value.missing_field /c',
    ]);
  });

  test('expr_too_large: a tree made from sugar is counted too (expressions.md §12)', () => {
    const items = Array.from({ length: 10_000 }, (_, index): Json => (index === 0 ? { ref: '@var:x' } : index));
    const many = readSlot(items, type('list<int>'), SCHEMAS);
    expect(!many.ok && many.failure.map((failure) => failure.code)).toEqual(['expr_too_large']);
    const fewer = readSlot(items.slice(0, 9_999), type('list<int>'), SCHEMAS);
    expect(fewer.ok).toBe(true);
    // A literal is no expression and has no such limit.
    expect(readSlot(items.slice(1), type('list<int>'), SCHEMAS).ok).toBe(true);
  });

  test('names with dots are split when the names are known', () => {
    const slot = read('int', '{"ref":"@var:a.b.c"}');
    if (!slot.ok) throw new Error('refused');
    const evaluable = slotFromTree(slot.value, { variables: new Set(['a', 'a.b']), steps: new Set() });
    expect(evaluable.ok && evaluable.value.expr).toMatchObject({ name: 'a.b', path: ['c'] });
  });

  test('JSON and types made by a program may be nested as deep as they like', () => {
    let deep: Json = 'x';
    let deepType: Type = type('text');
    for (let i = 0; i < 20_000; i += 1) {
      deep = [deep];
      deepType = { kind: 'list', item: deepType };
    }
    const slot = readSlot(deep, deepType, SCHEMAS);
    expect(!slot.ok && slot.failure[0]?.code).toBe('json.invalid');
  });
});
