import { describe, expect, test } from 'vitest';
import {
  assign,
  edge,
  emit,
  expect_,
  found,
  infer,
  planWorld,
  predicate,
  type Readable,
  raise,
  receipt,
  wait,
} from './check-support.ts';
import { type Authored, op, ref } from './fixtures.ts';

/** The worked examples of expressions.md §14 and of plans.md §16 that say something about loading. */

const txt = (text: string) => ({ text });
const readable: Readable = {
  input: '{customer: text, amount: nat, note?: text, tags: map<text, text>}',
  vars: { r: receipt('{body_ref: hash}'), v: 'variant(Ok: {n: nat}, Err: {code: text})' },
};
const input = (field: string) => ref(`@plan.input.${field}`);

describe('expressions.md §14', () => {
  const typedAs = (json: Authored, type: string, warnings: readonly string[] = []) => {
    expect(infer(json, readable)).toMatchObject({ type, found: warnings });
  };
  const refused = (json: Authored, ...lines: readonly string[]) => expect(infer(json, readable).found).toEqual(lines);

  test('X1: @plan.input.customer', () => typedAs(input('customer'), 'text'));
  test('X2: get(@plan.input, "amount")', () => typedAs(op('get', ref('@plan.input'), txt('amount')), 'nat'));
  test('X3: @plan.input.order_id is unknown_field', () => refused(input('order_id'), 'unknown_field'));
  test('X4: @var:missing in a step slot is ref_unknown_var', () => {
    const steps = [raise('a', 't/S@1', { s: ref('@var:missing') })];
    expect(found(planWorld({ schemas: { S: '{s: text}' }, steps }))).toEqual([
      'ref_unknown_var /steps/0/value/record/s/ref',
    ]);
  });
  test('X5: @step:later.… is typed although it may not have completed', () => {
    const steps = [
      raise('a', 't/S@1', { s: ref('@step:later.schema') }),
      raise('later', 't/S@1', { s: ref('@plan.input.id') }),
    ];
    expect(found(planWorld({ schemas: { S: '{s: text}' }, steps }))).toEqual([]);
  });
  test('X6: add(nat 5, int -2)', () => typedAs(op('add', { nat: 5 }, { int: -2 }), 'integer'));
  test('X7: sub(nat 2, nat 5) is no nat', () => {
    const json = op('sub', { nat: 2 }, { nat: 5 });
    typedAs(json, 'integer');
    expect(expect_(json, 'nat').found).toEqual(['const_range']);
    expect(expect_(json, 'int').found).toEqual([]);
  });
  test('X8: an overflow of constants is const_error', () => {
    const { findings } = infer(op('add', { nat: '18446744073709551615' }, { nat: 1 }));
    expect(findings).toMatchObject([{ code: 'const_error', path: [], fields: { reason: 'numeric_overflow' } }]);
  });
  test('X9: div and mod', () => {
    typedAs(op('div', { int: -7 }, { int: 2 }), 'integer');
    typedAs(op('mod', { int: -7 }, { int: 2 }), 'integer');
  });
  test('X10: div(@plan.input.amount, 0) fails only when it runs', () =>
    typedAs(op('div', input('amount'), { nat: 0 }), 'integer'));
  test('X11: eq(nat 5, int 5)', () => typedAs(op('eq', { nat: 5 }, { int: 5 }), 'bool'));
  test('X12: eq(text "5", nat 5) is never_equal', () => refused(op('eq', txt('5'), { nat: 5 }), 'never_equal'));
  test('X13: order of texts', () => typedAs(op('lt', txt('Z'), txt('a')), 'bool'));
  test('X14: len of a text', () => typedAs(op('len', txt('né😀')), 'nat'));
  test('X15: get(list[1,2], 5) is const_error', () => {
    const { findings } = infer(op('get', { list: [{ nat: 1 }, { nat: 2 }] }, { nat: 5 }));
    expect(findings).toMatchObject([{ code: 'const_error', fields: { reason: 'index_out_of_range' } }]);
  });
  test('X16: a map key that may be absent', () => typedAs(input('tags.b'), 'text'));
  test('X17: has and eq of none', () => {
    typedAs(op('has', ref('@plan.input'), txt('note')), 'bool');
    typedAs(op('eq', input('note'), { null: {} }), 'bool');
  });
  test('X18: and(bool, int) is operand_type', () => {
    expect(predicate(op('and', { bool: true }, { int: 1 })).found).toEqual(['operand_type /args/1']);
  });
  test('X19: has proves what follows', () => {
    const json = op('and', op('has', ref('@plan.input'), txt('note')), op('starts_with', input('note'), txt('x')));
    typedAs(json, 'bool');
  });
  test('X20: the status, and a payload unproven', () => {
    typedAs(ref('@var:r.$status'), 'text');
    typedAs(ref('@var:r.body_ref'), 'hash', ['~payload_unproven']);
  });
  test('X21: tag and payload of a variant', () => {
    typedAs(ref('@var:v.$tag'), 'text');
    typedAs(ref('@var:v.$value.n'), 'nat', ['~variant_unrefined']);
    typedAs(ref('@var:v.$value.code'), 'text', ['~variant_unrefined']);
  });
  test('X22: a set, and membership of the other integer', () => {
    const set = { set: [{ nat: 2 }, { nat: 1 }, { nat: 2 }] };
    typedAs(set, 'set<nat>');
    typedAs(op('has', set, { int: 2 }), 'bool');
  });
  test('X23: contains of bytes', () =>
    typedAs(op('contains', { bytes_b64: 'YWJjZDEyMw==' }, { bytes_b64: 'Y2Qx' }), 'bool'));
  test('X24, X29: hash of anything', () => {
    typedAs(op('hash', txt('alpha')), 'hash');
    typedAs(op('hash', { record: { op: txt('deadline'), request_id: txt('r1') } }), 'hash');
  });
  test('X25: sugar that looks like a constant is the record', () => {
    const steps = [raise('a', 't/S@1', { text: 'hi', lang: 'en' })];
    expect(found(planWorld({ schemas: { S: '{text: text, lang: text}' }, steps }))).toEqual([]);
  });
  test('X26: a record constructor without required fields', () => {
    const { findings } = expect_({ record: { url: input('customer') } }, 'sys/HttpRequestParams@1', readable);
    expect(findings).toMatchObject(
      [
        { code: 'value.missing_field', path: ['record', 'method'], fields: { field: 'method', expected: 'text' } },
        { code: 'value.missing_field', path: ['record', 'headers'], fields: { field: 'headers' } },
      ].sort((a, b) => (a.path[1]! < b.path[1]! ? 1 : -1)),
    );
  });
  test('X27: @event in an invariant', () => {
    const invariants = [op('eq', ref('@event.x'), txt('a'))];
    expect(found(planWorld({ invariants }))).toEqual(['plan.invariant_event_ref /invariants/0/args/0/ref']);
  });
  test('X28: none where unit is expected', () => expect(expect_({ null: {} }, 'unit').found).toEqual([]));
});

describe('plans.md §16', () => {
  const schemas = { Text: 'text', Reply: '{id: text}', Out: '{n: nat}' };
  test('C2: sugar for a local, and for a variable without one', () => {
    const hi = [assign('a', 'x', 'hi')];
    expect(found(planWorld({ schemas, locals: { x: 't/Text@1' }, steps: hi }))).toEqual([]);
    expect(found(planWorld({ schemas, steps: hi }))).toEqual(['plan.literal_needs_schema /steps/0/expr']);
  });
  test('C9: a guard that divides by a zero of the input is well typed', () => {
    const steps = [assign('a', 'x', { nat: 1 }), { id: 'done', op: 'end' }];
    const when = op('eq', op('div', { nat: 4 }, ref('@plan.input.n')), { nat: 1 });
    expect(found(planWorld({ schemas: { In: '{n: nat}' }, steps, edges: [edge('a', 'done', when)] }))).toEqual([]);
  });
  test('C15: a correlated trigger, and a wait without where', () => {
    const steps = [{ id: 'w', op: 'await_event', event: 't/Reply@1', bind: { as: 'e' } }];
    const triggers = [{ event: 't/In@1', plan: 't/p@1', correlate_by: 'id' }];
    expect(found(planWorld({ schemas, steps, triggers }))).toEqual(['plan.correlation_missing /steps/0']);
  });
  test('C16: a where over a field that another arm lacks is warned of', () => {
    const where = op('eq', ref('@event.$value.id'), ref('@plan.input.id'));
    const steps = [{ id: 'w', op: 'await_event', event: 't/Ev@1', where, bind: { as: 'e' } }];
    const parts = { schemas: { Ev: 'variant(A: {id: text}, B: {n: nat})' }, steps };
    expect(found(planWorld(parts))).toEqual(['~variant_unrefined /steps/0/where/args/0']);
  });
  test('C23: reading the payload in the failure branch is warned of', () => {
    const steps = [emit('e', { x: 'a' }), wait('r', 'e_h', 'got'), raise('a', 't/Out@1', { n: ref('@var:got.y') })];
    const branch = (name: string) =>
      found(planWorld({ schemas, steps, edges: [edge('r', 'a', op(name, ref('@var:got.$status'), txt('ok')))] }));
    expect(branch('eq')).toEqual([]);
    expect(branch('ne')).toEqual(['~payload_unproven /steps/2/value/record/n']);
  });
  test('C26: an int for a nat field is well typed, and fails when it is negative', () => {
    const steps = [emit('e', { n: ref('@plan.input.i') })];
    expect(found(planWorld({ schemas: { In: '{i: int}' }, params: '{n: nat}', steps }))).toEqual([]);
  });
  test('C27: a text as idempotency key is warned of', () => {
    const steps = [{ ...emit('e', { x: 'a' }), idempotency_key: ref('@plan.input.id') }];
    expect(found(planWorld({ schemas, steps }))).toEqual(['~text_conversion /steps/0/idempotency_key']);
  });
  test('C29: results and output', () => {
    const end = { id: 'done', op: 'end' };
    const result = { id: 'done', op: 'end', result: { n: 1 } };
    expect(found(planWorld({ schemas, output: 't/Out@1', steps: [end] }))).toEqual(['plan.result_missing /steps/0']);
    expect(found(planWorld({ schemas, output: 't/Out@1', steps: [assign('a', 'x', { nat: 1 })] }))).toEqual([
      'plan.end_missing /steps',
    ]);
    expect(found(planWorld({ schemas, steps: [result] }))).toEqual(['plan.literal_needs_schema /steps/0/result']);
  });
  test('C37: what invariants may read', () => {
    const invariant = (json: Authored) => found(planWorld({ schemas, invariants: [json] }));
    expect(invariant(op('eq', ref('@event'), txt('a')))).toEqual(['plan.invariant_event_ref /invariants/0/args/0/ref']);
    expect(invariant(op('eq', ref('@var:x'), txt('a')))).toEqual([
      'plan.invariant_unknown_ref /invariants/0/args/0/ref',
    ]);
    expect(invariant(op('eq', ref('@var:correlation_id'), txt('a')))).toEqual([]);
  });
  test('C57, C58: a trigger that projects', () => {
    const schemas = { In: '{n: nat}', Ev: 'variant(Go: {n: int}, Stop)' };
    const when = op('eq', ref('@event.$tag'), txt('Go'));
    const input_expr = { n: ref('@event.$value.n') };
    const trigger = { event: 't/Ev@1', plan: 't/p@1', input_expr };
    // What `when` asks for is known in the input, which is made only behind it.
    expect(found(planWorld({ schemas, triggers: [{ ...trigger, when }] }))).toEqual([]);
    expect(found(planWorld({ schemas, triggers: [trigger] }))).toEqual([
      '~variant_unrefined /triggers/0/input_expr/record/n',
    ]);
  });
});
