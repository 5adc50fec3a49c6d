import { describe, expect, test } from 'vitest';
import { assign, diagnose, edge, emit, found, PLAN, type PlanParts, planWorld, raise, wait } from './check-support.ts';
import { type Authored, op, plan, ref } from './fixtures.ts';

/** The typing environment of a plan (expressions.md §13.1), step values (plans.md §3), and what its codes mean (§13.6). */

const txt = (text: string) => ({ text });
const eq = (a: Authored, b: Authored) => op('eq', a, b);
const world = (parts: PlanParts) => found(planWorld(parts));
const end = { id: 'done', op: 'end' };

describe('what references read', () => {
  const schemas = { Said: '{s: text}', Num: '{n: nat}', Flag: 'bool' };
  const say = (id: string, value: Authored) => raise(id, 't/Said@1', { s: value });

  test.each([
    ['@plan.input is the input', [say('b', ref('@plan.input.id'))], []],
    ['an unknown field', [say('b', ref('@plan.input.idd'))], ['unknown_field /steps/0/value/record/s']],
    ['a declared local', [assign('a', 'l', { n: 1 }), raise('b', 't/Num@1', ref('@var:l'))], []],
    [
      'a field of a local',
      [assign('a', 'l', { n: 1 }), say('b', ref('@var:l.n'))],
      ['slot_type /steps/1/value/record/s'],
    ],
    [
      'an inferred variable',
      [assign('a', 'x', op('len', ref('@plan.input.id'))), say('b', ref('@var:x'))],
      ['slot_type /steps/1/value/record/s'],
    ],
    ['the value of an assign', [assign('a', 'x', txt('a')), say('b', ref('@step:a'))], []],
    ['an event', [{ id: 'a', op: 'await_event', event: 't/Said@1', bind: { as: 'e' } }, say('b', ref('@var:e.s'))], []],
    [
      'the value of an await_event',
      [{ id: 'a', op: 'await_event', event: 't/Said@1', bind: { as: 'e' } }, say('b', ref('@step:a.t'))],
      ['unknown_field /steps/1/value/record/s'],
    ],
    [
      'the value of a raise: schema and value',
      [say('a', txt('x')), say('b', op('concat', ref('@step:a.schema'), ref('@step:a.value.s')))],
      [],
    ],
    [
      'the value of a raise has nothing else',
      [say('a', txt('x')), say('b', ref('@step:a.s'))],
      ['unknown_field /steps/1/value/record/s'],
    ],
    [
      'the value of an emit: params and intent_hash',
      [
        emit('a', { x: 'v' }),
        say('b', op('concat', ref('@step:a.params.x'), txt('!'))),
        say('c', ref('@step:a.intent_hash')),
      ],
      [],
    ],
    [
      'the handle of an emit is no value',
      [emit('a', { x: 'v' }), say('b', ref('@step:a.handle'))],
      ['handle_misuse /steps/1/value/record/s'],
    ],
    [
      'nor is the step value around it',
      [emit('a', { x: 'v' }), say('b', op('len', ref('@step:a'))), assign('c', 'z', op('hash', ref('@step:a')))],
      ['slot_type /steps/1/value/record/s', 'handle_misuse /steps/2/expr/args/0'],
    ],
    ['a receipt', [emit('a', { x: 'v' }), wait('w', 'a_h', 'r'), say('b', ref('@var:r.$adapter_id'))], []],
    [
      'the value of an await_receipt',
      [emit('a', { x: 'v' }), wait('w', 'a_h', 'r'), say('b', ref('@step:w.$status'))],
      [],
    ],
    [
      'a receipt bound by assign is its payload',
      [emit('a', { x: 'v' }), wait('w', 'a_h', 'r'), assign('c', 'p', ref('@var:r')), say('b', ref('@var:p.$status'))],
      ['~payload_unproven /steps/2/expr', 'unknown_field /steps/3/value/record/s'],
    ],
    ['the key of an effect', [{ ...emit('a', { x: 'v' }), idempotency_key: op('hash', ref('@plan.input')) }], []],
    [
      'the key of an effect as text',
      [{ ...emit('a', { x: 'v' }), idempotency_key: ref('@plan.input.id') }],
      ['~text_conversion /steps/0/idempotency_key'],
    ],
    [
      'the key of an effect as a number',
      [{ ...emit('a', { x: 'v' }), idempotency_key: op('len', ref('@plan.input.id')) }],
      ['slot_type /steps/0/idempotency_key'],
    ],
  ] as const)('%s', (_, steps, expected) => {
    expect(world({ schemas, locals: { l: 't/Num@1' }, steps })).toEqual(expected);
  });

  test('an end without output is unit', () => {
    const invariants = [eq(ref('@step:done'), { null: {} })];
    expect(world({ steps: [end], invariants })).toEqual([]);
    expect(world({ steps: [end], invariants: [eq(ref('@step:done'), txt('x'))] })).toEqual([
      'never_equal /invariants/0',
    ]);
  });

  test('the result of an end is the output', () => {
    const steps = [{ id: 'done', op: 'end', result: { s: ref('@plan.input.id') } }];
    expect(world({ schemas, output: 't/Said@1', steps })).toEqual([]);
    const wrong = [{ id: 'done', op: 'end', result: { n: ref('@plan.input.id') } }];
    expect(world({ schemas, output: 't/Num@1', steps: wrong })).toEqual(['slot_type /steps/0/result/record/n']);
  });

  test('@event is the awaited event in where, and nowhere else', () => {
    const hear = (where: Authored) => [{ id: 'a', op: 'await_event', event: 't/Said@1', where, bind: { as: 'e' } }];
    expect(world({ schemas, steps: hear(eq(ref('@event.s'), ref('@plan.input.id'))) })).toEqual([]);
    expect(world({ schemas, steps: hear(eq(ref('@event.t'), ref('@plan.input.id'))) })).toEqual([
      'unknown_field /steps/0/where/args/0',
    ]);
    expect(world({ schemas, steps: hear(ref('@event.s')) })).toEqual(['not_bool /steps/0/where']);
    expect(world({ schemas, steps: [say('a', ref('@event.s'))] })).toEqual([
      'ref_root_forbidden /steps/0/value/record/s/ref',
    ]);
  });

  test('guards and invariants', () => {
    const steps = [assign('a', 'x', { nat: 1 }), end];
    const guarded = (when: Authored) => world({ steps, edges: [edge('a', 'done', when)] });
    expect(guarded(eq(ref('@var:x'), { nat: 1 }))).toEqual([]);
    expect(guarded(ref('@var:x'))).toEqual(['not_bool /edges/0/when']);
    expect(guarded({ bool: true })).toEqual(['~predicate_constant /edges/0/when']);
    expect(world({ steps, invariants: [op('lt', ref('@var:x'), txt('a'))] })).toEqual([
      'operand_type /invariants/0/args/1',
    ]);
  });
});

describe('variables', () => {
  test('one that several steps bind has their common type, wherever it is read', () => {
    const say = raise('c', 't/Said@1', { s: ref('@var:x') });
    const schemas = { Said: '{s?: text}', Int: '{s: int}' };
    expect(world({ schemas, steps: [assign('a', 'x', txt('t')), assign('b', 'x', { null: {} }), say] })).toEqual([]);
    expect(world({ schemas, steps: [say, assign('a', 'x', txt('t')), assign('b', 'x', { null: {} })] })).toEqual([]);
    const sum = [
      assign('a', 'x', { nat: 0 }),
      assign('b', 'x', op('add', ref('@var:x'), { nat: 1 })),
      raise('c', 't/Int@1', { s: ref('@var:x') }),
    ];
    expect(world({ schemas, steps: sum })).toEqual([]);
  });

  test('no common type: var_type_conflict at the second binding, with both types', () => {
    const steps = [
      assign('a', 'x', txt('t')),
      assign('b', 'x', { nat: 1 }),
      raise('c', 't/Said@1', { s: ref('@var:x') }),
    ];
    const [finding, ...more] = diagnose(planWorld({ schemas: { Said: '{s: text}' }, steps }));
    expect(more).toEqual([]);
    expect(finding).toMatchObject({
      code: 'var_type_conflict',
      path: ['steps', 1, 'bind', 'as'],
      fields: { step: 'b', name: 'x', expected: 'text', found: 'nat' },
    });
  });

  test('handles only with identical types; a handle that a variable shadows', () => {
    const steps = [emit('a', { x: 'v' }, 'h'), wait('w', 'h', 'h')];
    expect(world({ steps })).toEqual(['var_type_conflict /steps/1/bind/as']);
  });

  test('a type that would contain itself', () => {
    const steps = [assign('a', 'x', { null: {} }), assign('b', 'x', { record: { prev: ref('@var:x') } })];
    expect(world({ steps })).toEqual(['var_type_conflict /steps/1/bind/as']);
    // It may wrap another variable as often as it likes.
    const chain = [assign('a', 'x', { null: {} }), assign('b', 'y', { record: { prev: ref('@var:x') } })];
    expect(world({ steps: chain })).toEqual([]);
  });

  test('a variable that is bound to itself does not hide what else is bound to it', () => {
    const steps = [
      assign('a', 'x', { nat: 1 }),
      assign('b', 'x', ref('@var:x')),
      assign('c', 'x', txt('t')),
      raise('d', 't/Said@1', { s: op('concat', ref('@var:x'), txt('!')) }),
    ];
    expect(world({ schemas: { Said: '{s: text}' }, steps })).toEqual(['var_type_conflict /steps/2/bind/as']);
  });

  test('what is wrong where a variable is read in what binds it is found', () => {
    const steps = [
      assign('a', 'x', { nat: 1 }),
      assign('b', 'x', op('get', ref('@var:x'), txt('$value'))),
      raise('c', 't/Said@1', { s: op('concat', ref('@var:x'), txt('!')) }),
    ];
    expect(world({ schemas: { Said: '{s: text}' }, steps })).toEqual([
      'operand_type /steps/1/expr/args/0',
      'operand_type /steps/2/value/record/s/args/0',
    ]);
  });

  test('variables that feed each other have the types of what comes in, in whatever order the steps are', () => {
    const wrong = assign('d', 'y', op('concat', ref('@var:x1'), txt('!')));
    const expected = ['operand_type /steps/0/expr/args/0'];
    for (const turn of [(other: Authored) => other, (other: Authored) => op('add', other, { nat: 1 })]) {
      const [a, b] = [assign('a', 'x1', turn(ref('@var:x2'))), assign('b', 'x2', turn(ref('@var:x1')))];
      const start = assign('c', 'x2', { nat: 1 });
      expect(world({ steps: [wrong, a, b, start] })).toEqual(expected);
      expect(world({ steps: [wrong, b, a, start] })).toEqual(expected);
      expect(world({ steps: [wrong, start, b, a] })).toEqual(expected);
    }
    // Twelve that hand on what one of them got.
    const ring = Array.from({ length: 12 }, (_, i) => assign(`r${i}`, `x${i}`, ref(`@var:x${(i + 1) % 12}`)));
    expect(world({ steps: [wrong, ...ring, assign('c', 'x11', { nat: 1 })] })).toEqual(expected);
    // Nothing comes in, so nothing is ever read.
    expect(world({ steps: ring.slice(0, 2).map((step, i) => ({ ...step, expr: ref(`@var:x${1 - i}`) })) })).toEqual([]);
  });

  test('variables that are read before they are bound in the list have types all the same', () => {
    const steps = [
      assign('c', 'z', op('add', ref('@var:y'), { nat: 1 })),
      assign('b', 'y', op('add', ref('@var:x'), { nat: 1 })),
      assign('a', 'x', ref('@plan.input.id')),
    ];
    const edges = [edge('a', 'b'), edge('b', 'c')];
    expect(world({ steps, edges })).toEqual(['operand_type /steps/1/expr/args/0']);
  });

  test('a declared local: assign is read with its type, an await must have exactly it', () => {
    const schemas = { Num: '{n: nat}', Other: '{n: int}' };
    const hear = { id: 'w', op: 'await_event', event: 't/Num@1', bind: { as: 'l' } };
    expect(world({ schemas, locals: { l: 't/Num@1' }, steps: [hear] })).toEqual([]);
    expect(world({ schemas, locals: { l: 't/Other@1' }, steps: [hear] })).toEqual([
      'var_type_conflict /steps/0/bind/as',
    ]);
    const wrong = assign('a', 'l', { record: { n: ref('@plan.input.id') } });
    expect(world({ schemas, locals: { l: 't/Num@1' }, steps: [wrong] })).toEqual(['slot_type /steps/0/expr/record/n']);
  });

  test('a local bound by a receipt keeps the $ segments, where that cannot go wrong', () => {
    const schemas = { Said: '{s: text}', Bytes: 'text' };
    const steps = [
      emit('e', { x: 'v' }),
      wait('r', 'e_h', 'got'),
      raise('c', 't/Said@1', { s: ref('@var:got.$status') }),
    ];
    const edges = [edge('e', 'r'), edge('r', 'c')];
    expect(world({ schemas, locals: { got: 't/Receipt@1' }, steps, edges })).toEqual([]);
    // Before the receipt is there, it may be what a start bound: a record without segments.
    expect(world({ schemas, locals: { got: 't/Receipt@1' }, steps })).toEqual([
      '~variant_unrefined /steps/2/value/record/s',
    ]);
    expect(world({ schemas, steps })).toEqual([]);
    // A start may bind the local to a bare text, and a path into that is a type_mismatch.
    expect(world({ schemas, receipt: 'text', locals: { got: 't/Receipt@1' }, steps })).toEqual([
      'unknown_field /steps/2/value/record/s',
    ]);
    expect(world({ schemas, receipt: 'text', steps })).toEqual([]);
    expect(world({ schemas, receipt: '{y: nat}', locals: { got: 't/Bytes@1' }, steps: steps.slice(0, 2) })).toEqual([
      'var_type_conflict /steps/1/bind/as',
    ]);
  });

  test('a local that a receipt and another step bind is one or the other: only what both have is read', () => {
    const steps = (start: Authored, read: Authored) => [
      assign('a', 'got', start),
      emit('e', { x: 'v' }),
      wait('r', 'e_h', 'got'),
      assign('c', 'x', read),
    ];
    const locals = { got: 't/Receipt@1' };
    const got = ref('@var:got');
    // `get` reads a receipt by name: an index into one is a type_mismatch when it runs.
    expect(world({ receipt: 'list<nat>', locals, steps: steps([1], op('get', got, { nat: 0 })) })).toEqual([
      'get_key_not_constant /steps/3/expr/args/1',
    ]);
    // `$status` is an entry of a map, and the status of a receipt.
    const status = op('add', ref('@var:got.$status'), { nat: 1 });
    expect(world({ receipt: 'map<text, nat>', locals, steps: steps({ a: 1 }, status) })).toEqual([
      'unknown_field /steps/3/expr/args/0',
    ]);
    expect(world({ locals, steps: steps({ y: 1 }, ref('@var:got.$status')) })).toEqual(['unknown_field /steps/3/expr']);
    // The payload is what both have, if there is one.
    expect(world({ locals, steps: steps({ y: 1 }, op('add', ref('@var:got.y'), { nat: 1 })) })).toEqual([
      '~payload_unproven /steps/3/expr/args/0',
    ]);
    expect(world({ receipt: 'list<nat>', locals, steps: steps([1], op('len', got)) })).toEqual([
      '~payload_unproven /steps/3/expr/args/0',
    ]);
  });
});

describe('@var:correlation_id', () => {
  const schemas = { In: '{id: text, n: nat}', Told: '{s: text}', Num: '{n: nat}' };
  const tell = raise('a', 't/Told@1', { s: op('concat', ref('@var:correlation_id'), txt('!')) });
  const trigger = (key?: string, name = PLAN) => ({
    event: 't/In@1',
    plan: name,
    ...(key === undefined ? {} : { correlate_by: key }),
  });
  const run = (triggers: readonly Authored[], steps: readonly Authored[] = [tell], more: readonly Authored[] = []) =>
    world({ schemas, steps, triggers, more });

  test('is what the triggers correlate by', () => {
    expect(run([trigger('id')])).toEqual([]);
    expect(run([trigger('n')])).toEqual(['operand_type /steps/0/value/record/s/args/0']);
    expect(run([trigger('id'), trigger('id')])).toEqual([]);
  });

  test('start paths that disagree are correlation_type, where it is read', () => {
    expect(run([trigger('id'), trigger('n')])).toEqual(['correlation_type /steps/0/value/record/s/args/0']);
    // A trigger without correlate_by binds the key of the event: bytes.
    expect(run([trigger('id'), trigger()])).toEqual(['correlation_type /steps/0/value/record/s/args/0']);
    expect(run([trigger('id'), trigger('n')], [end])).toEqual([]);
  });

  test('without a correlated trigger a start may give text, an integer or bytes', () => {
    expect(run([])).toEqual(['operand_type /steps/0/value/record/s/args/0']);
    expect(run([trigger()])).toEqual(['operand_type /steps/0/value/record/s/args/0']);
    const compare = {
      id: 'a',
      op: 'await_event',
      event: 't/Told@1',
      where: eq(ref('@event.s'), ref('@var:correlation_id')),
      bind: { as: 'e' },
    };
    expect(run([], [compare])).toEqual([]);
  });

  test('a trigger of a plan that is not there was meant for one that has none: nothing is said of its correlation', () => {
    expect(run([trigger('id', 't/nowhere@1')])).toEqual(['plan.not_found /triggers/0/plan']);
    expect(run([trigger('id', 't/nowhere@1'), trigger('n')])).toEqual([
      'plan.not_found /triggers/0/plan',
      'operand_type /steps/0/value/record/s/args/0',
    ]);
  });

  test('a child has what its parents have', () => {
    const parent = (name: string) =>
      plan(name, {
        input: 't/In@1',
        steps: [{ id: 'k', op: 'spawn_plan', plan: PLAN, input: ref('@plan.input'), bind: { handle_as: 'h' } }],
      });
    const both = [parent('t/q@1'), parent('t/r@1')];
    const triggers = [trigger('id', 't/q@1'), trigger('n', 't/r@1')];
    expect(run(triggers, [tell], both)).toEqual(['correlation_type /steps/0/value/record/s/args/0']);
    expect(run([trigger('id', 't/q@1'), trigger('id')], [tell], [both[0]])).toEqual([]);
    expect(run([trigger('n', 't/q@1'), trigger('id')], [tell], [both[0]])).toEqual([
      'correlation_type /steps/0/value/record/s/args/0',
    ]);
  });
});

describe('subplans (plans.md §12)', () => {
  const child = plan('t/child@1', {
    input: 't/Ask@1',
    output: 't/Answer@1',
    steps: [{ id: 'done', op: 'end', result: { n: 1 } }],
  });
  const mute = plan('t/mute@1', { input: 't/Ask@1' });
  const schemas = { Ask: '{q: text}', Answer: '{n: nat}', Said: '{s: text}', Asks: '{l: list<t/Ask@1>}' };
  const run = (steps: readonly Authored[], edges?: readonly Authored[], invariants?: readonly Authored[]) =>
    world({ schemas, steps, edges, invariants, more: [child, mute] });
  const spawn = (input: Authored, of = 't/child@1') => ({
    id: 'k',
    op: 'spawn_plan',
    plan: of,
    input,
    bind: { handle_as: 'h' },
  });
  const join = { id: 'j', op: 'await_plan', for: ref('@var:h'), bind: { as: 'r' } };
  const say = (s: Authored) => raise('c', 't/Said@1', { s });
  const tag = (name: string) => eq(ref('@var:r.$tag'), txt(name));

  test('the input slot has the type of the child', () => {
    expect(run([spawn({ q: ref('@plan.input.id') })])).toEqual([]);
    expect(run([spawn({ record: { q: { nat: 1 }, z: ref('@plan.input.id') } })])).toEqual([
      'slot_type /steps/0/input/record/q',
      'unknown_field /steps/0/input/record/z',
    ]);
  });

  test('a handle is for waiting, and for comparing with its like', () => {
    expect(run([spawn({ q: 'a' }), say(ref('@var:h'))])).toEqual(['handle_misuse /steps/1/value/record/s']);
    expect(run([spawn({ q: 'a' }), say(ref('@var:h.plan'))])).toEqual(['handle_misuse /steps/1/value/record/s']);
    expect(
      run([spawn({ q: 'a' }), assign('c', 'x', ref('@var:h')), assign('d', 'y', { list: [ref('@var:h')] })]),
    ).toEqual([]);
    expect(run([spawn({ q: 'a' }), assign('c', 'x', { record: { h: ref('@var:h') } })])).toEqual([
      'handle_misuse /steps/1/expr/record/h',
    ]);
    expect(run([spawn({ q: 'a' }), assign('c', 'x', eq(ref('@var:h'), ref('@step:k')))])).toEqual([]);
    expect(run([spawn({ q: 'a' }), assign('c', 'x', eq(ref('@var:h'), ref('@plan.input')))])).toEqual([
      'handle_misuse /steps/1/expr/args/0',
    ]);
  });

  test('the outcome is Ok, Error or Canceled', () => {
    const read = (path: string) => say(op('concat', ref(`@var:r.${path}`), txt('')));
    const steps = (last: Authored) => [spawn({ q: 'a' }), join, last];
    expect(run(steps(read('$value.message')), [edge('j', 'c', tag('Error'))])).toEqual([]);
    expect(run(steps(read('$value.n')), [edge('j', 'c', tag('Ok'))])).toEqual([
      'operand_type /steps/2/value/record/s/args/0',
    ]);
    expect(run(steps(read('$value.n')), [edge('j', 'c', tag('Error'))])).toEqual([
      'unknown_field /steps/2/value/record/s/args/0',
    ]);
    expect(run(steps(read('$value.message')), [edge('j', 'c', tag('Failed'))])).toEqual([
      '~variant_unrefined /steps/2/value/record/s/args/0',
      'unknown_tag /edges/0/when/args/1',
    ]);
    expect(run(steps(read('$value.code')), [edge('j', 'c', tag('Canceled'))])).toEqual([
      'path_on_scalar /steps/2/value/record/s/args/0',
    ]);
  });

  test('a child without output ends Ok with unit', () => {
    const steps = [spawn({ q: 'a' }, 't/mute@1'), join, say(ref('@var:r.$value.n'))];
    expect(run(steps, [edge('j', 'c', tag('Ok'))])).toEqual(['path_on_scalar /steps/2/value/record/s']);
  });

  test('a fan-out takes a list of inputs, and its barrier gives a list of outcomes', () => {
    const each = (inputs: Authored) => ({
      id: 'k',
      op: 'spawn_for_each',
      plan: 't/child@1',
      inputs,
      bind: { handles_as: 'hs' },
    });
    const all = { id: 'j', op: 'await_plans_all', handles: ref('@var:hs'), bind: { results_as: 'rs' } };
    const ask = { record: { q: ref('@plan.input.id') } };
    expect(run([each({ list: [ask] }), all, say(ref('@var:rs'))])).toEqual(['slot_type /steps/2/value/record/s']);
    expect(run([each({ list: [ask, { record: { q: { nat: 1 } } }] })])).toEqual([
      'slot_type /steps/0/inputs/list/1/record/q',
    ]);
    const first = op('get', ref('@var:rs'), { nat: 0 });
    expect(run([each({ list: [ask] }), all, say(op('get', first, txt('$tag')))])).toEqual([]);
    const some = {
      id: 'j',
      op: 'await_plans_all',
      handles: { list: [ref('@var:h'), ref('@step:k')] },
      bind: { results_as: 'rs' },
    };
    expect(run([spawn({ q: 'a' }), some, say(op('get', first, txt('$tag')))])).toEqual([]);
  });
});

describe('one problem is reported once', () => {
  test.each([
    [
      'ref_unknown_var',
      [raise('a', 't/Said@1', { s: ref('@var:nope.x') })],
      ['ref_unknown_var /steps/0/value/record/s/ref'],
    ],
    [
      'ref_unknown_step',
      [raise('a', 't/Said@1', { s: ref('@step:nope.x') })],
      ['ref_unknown_step /steps/0/value/record/s/ref'],
    ],
    [
      'a wrong variable taints no reader',
      [
        assign('a', 'x', ref('@plan.input.nope')),
        assign('b', 'y', op('add', ref('@var:x'), { nat: 1 })),
        raise('c', 't/Said@1', { s: ref('@var:y.z') }),
      ],
      ['unknown_field /steps/0/expr'],
    ],
    [
      'a wrong operand taints no result',
      [assign('a', 'x', op('add', op('concat', ref('@plan.input.nope'), txt('a')), { nat: 1 }))],
      ['operand_type /steps/0/expr/args/0', 'unknown_field /steps/0/expr/args/0/args/0'],
    ],
    [
      // Seed 948981318 of the mutants: hash and text go together where both are given as text.
      'where nobody knows what is wanted, items need not go together',
      [
        raise('a', 't/Said@1', { record: { s: { list: [txt('a'), op('hash', txt('b'))] } } }),
        raise('b', 't/Said@1', { record: { s: { set: [txt('a'), op('hash', txt('b'))] } } }),
        raise('c', 't/Said@1', {
          record: {
            s: {
              map: [
                { key: txt('a'), value: txt('a') },
                { key: op('hash', txt('b')), value: op('hash', txt('b')) },
              ],
            },
          },
        }),
      ],
      ['a', 'b', 'c'].map((_, index) => `slot_type /steps/${index}/value/record/s`),
    ],
  ] as const)('%s', (_, steps, expected) => {
    expect(world({ schemas: { Said: '{s: text}' }, steps })).toEqual(expected);
  });

  // Seed 134274629 of the mutants.
  test('what a predicate reads may be a local where the locals did not read', () => {
    const waits = {
      id: 'a',
      op: 'await_event',
      event: 't/Said@1',
      where: eq(ref('@event.s'), ref('@var:l')),
      bind: { as: 'e' },
    };
    const steps = [waits, { ...assign('b', 'l', txt('x')) }];
    const nodes = (locals: unknown) =>
      planWorld({ schemas: { Said: '{s: text}' }, steps, locals: locals as PlanParts['locals'] });
    expect(found(nodes({ l: 't/Text@1' }))).not.toContain('plan.where_unknown_ref /steps/0/where/args/1/ref');
    expect(found(nodes(undefined))).toContain('plan.where_unknown_ref /steps/0/where/args/1/ref');
    expect(found(nodes(null))).toEqual(['node.bad_field /locals']);
  });

  test('all problems of a plan at once, in document order, each with its place in the file', () => {
    const nodes = planWorld({
      schemas: { Said: '{s: text}' },
      steps: [
        raise('a', 't/Said@1', { s: ref('@plan.input') }),
        raise('b', 't/Said@1', { record: { s: op('len', ref('@plan.input.id')) } }),
      ],
      edges: [edge('a', 'b', ref('@plan.input.id'))],
    });
    const findings = diagnose(nodes);
    expect(findings.map(({ code }) => code)).toEqual(['slot_type', 'slot_type', 'not_bool']);
    const text = JSON.stringify(nodes, null, 1).split('\n');
    // Written in sugar, the first place has no "record" in it.
    expect(text[findings[0]!.line! - 1]).toContain('"s": {');
    expect(text[findings[1]!.line! - 1]).toContain('"s": {');
    expect(text[findings[2]!.line! - 1]).toContain('"when"');
  });
});
