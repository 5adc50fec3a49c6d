import { describe, expect, test } from 'vitest';
import {
  assign,
  edge,
  emit,
  found,
  infer,
  type PlanParts,
  planWorld,
  predicate,
  type Readable,
  raise,
  receipt,
  wait,
} from './check-support.ts';
import { type Authored, op, ref } from './fixtures.ts';

/** Facts (expressions.md §13.5): every source, every use, and where they end. */

const txt = (text: string) => ({ text });
const NONE = { null: {} };
const eq = (a: Authored, b: Authored) => op('eq', a, b);
const ne = (a: Authored, b: Authored) => op('ne', a, b);

describe('inside one expression', () => {
  const readable: Readable = {
    input:
      '{o?: text, r: {o?: text, n: nat}, m: map<text, option<text>>, v: variant(A: {n: nat, x: text}, B: {n: nat, x: nat}, C), w: variant(A: {k?: text}, B: map<text, option<text>>), z: variant(A: {k?: text}, B: {k?: text, n: nat})}',
    vars: { r: receipt('{n: nat, b: bool}') },
  };
  const o = ref('@plan.input.o');
  const starts = (x: Authored) => op('starts_with', x, txt('x'));
  const v = (path: string) => ref(`@plan.input.v.${path}`);
  const status = ref('@var:r.$status');
  const rows: (readonly [string, Authored, readonly string[]])[] = [
    ['nothing proves it', starts(o), ['~option_unwrap_unproven /args/0']],
    ['ne(P, null)', op('and', ne(o, NONE), starts(o)), []],
    ['ne(null, P)', op('and', ne(NONE, o), starts(o)), []],
    ['only later arguments know', op('and', starts(o), ne(o, NONE)), ['~option_unwrap_unproven /args/0/args/0']],
    ['has(R, "f") (X19)', op('and', op('has', ref('@plan.input'), txt('o')), starts(o)), []],
    [
      'has of another field',
      op('and', op('has', ref('@plan.input.r'), txt('o')), starts(o)),
      ['~option_unwrap_unproven /args/1/args/0'],
    ],
    ['has deeper down', op('and', op('has', ref('@plan.input.r'), txt('o')), starts(ref('@plan.input.r.o'))), []],
    [
      'an entry of a map may hold none all the same',
      op('and', op('has', ref('@plan.input.m'), txt('k')), starts(ref('@plan.input.m.k'))),
      ['~option_unwrap_unproven /args/1/args/0'],
    ],
    [
      'what is a field in one arm and an entry in another',
      op('and', op('has', ref('@plan.input.w.$value'), txt('k')), starts(ref('@plan.input.w.$value.k'))),
      ['~option_unwrap_unproven /args/1/args/0'],
    ],
    [
      'a field of every arm',
      op('and', op('has', ref('@plan.input.z.$value'), txt('k')), starts(ref('@plan.input.z.$value.k'))),
      [],
    ],
    ['an entry that was compared', op('and', ne(ref('@plan.input.m.k'), NONE), starts(ref('@plan.input.m.k'))), []],
    ['or knows the negation', op('or', eq(o, NONE), starts(o)), []],
    ['or of two', op('or', eq(o, NONE), eq(status, txt('ok')), starts(o)), []],
    ['not turns it round', op('or', op('not', ne(o, NONE)), starts(o)), []],
    [
      'and within or says nothing',
      op('or', op('and', eq(o, NONE), eq(o, NONE)), starts(o)),
      ['~option_unwrap_unproven /args/1/args/0'],
    ],
    ['nested and', op('and', op('and', ne(o, NONE), ne(o, NONE)), starts(o)), []],
    ['get is the same place', op('and', ne(op('get', ref('@plan.input'), txt('o')), NONE), starts(o)), []],
    [
      'a fact ends with its and',
      op('or', op('and', ne(o, NONE), starts(o)), starts(o)),
      ['~option_unwrap_unproven /args/1/args/0'],
    ],

    ['tag: typed by the arm alone', op('and', eq(v('$tag'), txt('A')), starts(v('$value.x'))), []],
    ['tag, turned round', op('and', eq(txt('A'), v('$tag')), starts(v('$value.x'))), []],
    ['tag by get', op('and', eq(op('get', ref('@plan.input.v'), txt('$tag')), txt('A')), starts(v('$value.x'))), []],
    [
      'another tag, another type',
      op('and', eq(v('$tag'), txt('B')), starts(v('$value.x'))),
      ['operand_type /args/1/args/0'],
    ],
    [
      'an arm without the field',
      op('and', eq(v('$tag'), txt('C')), eq(v('$value.x'), txt('a'))),
      ['path_on_scalar /args/1/args/0'],
    ],
    [
      'a field of no arm',
      op('and', eq(v('$tag'), txt('A')), eq(v('$value.z'), txt('a'))),
      ['unknown_field /args/1/args/0'],
    ],
    ['no tag: the arms disagree', starts(v('$value.x')), ['arm_type_conflict /args/0']],
    ['no tag: they agree, one lacks it', eq(v('$value.n'), { nat: 1 }), ['~variant_unrefined /args/0']],
    ['no tag: none has it', eq(v('$value.z'), { nat: 1 }), ['unknown_field /args/0']],

    ['a payload unproven', eq(ref('@var:r.n'), { nat: 1 }), ['~payload_unproven /args/0']],
    ['eq($status, ok)', op('and', eq(status, txt('ok')), eq(ref('@var:r.n'), { nat: 1 })), []],
    ['eq(ok, get($status))', op('and', eq(txt('ok'), op('get', ref('@var:r'), txt('$status'))), ref('@var:r.b')), []],
    ['ne($status, ok) knows the error', op('and', ne(status, txt('ok')), starts(ref('@var:r.$error.code'))), []],
    ['$error unproven', starts(ref('@var:r.$error.code')), ['~option_unwrap_unproven /args/0']],
    ['or($status ok, …) knows the error', op('or', eq(status, txt('ok')), starts(ref('@var:r.$error.code'))), []],
    ['the whole payload', op('has', ref('@var:r'), txt('n')), ['~payload_unproven /args/0']],
  ];
  test.each(rows)('%s', (_, json, expected) => {
    expect(predicate(json, readable).found).toEqual(expected);
  });

  test('a payload kept in a variable: a path into it must not meet an arm that has none', () => {
    const vars = (arms: string) => {
      const input: Readable = { input: `{v: ${arms}}` };
      const type = infer(ref('@plan.input.v.$value'), input);
      expect(type.found).toEqual([]);
    };
    vars('variant(A: {n: nat}, B: text)');
  });
});

describe('along edges', () => {
  const raiseO = raise('say', 't/Said@1', { s: ref('@plan.input.o') });
  const schemas = {
    In: '{id: text, o?: text, v: variant(A: {s: text}, B: {s: nat})}',
    Said: '{s: text}',
    V: 'variant(A: {s: text}, B: {s: nat})',
    Note: '{id: text, o?: text}',
  };
  const world = (parts: PlanParts) => found(planWorld({ schemas, ...parts }));
  const start = assign('a', 'x', { nat: 1 });
  const mid = (id: string) => assign(id, id, { nat: 1 });
  const proven = ne(ref('@plan.input.o'), NONE);

  test('a guard is known in the step behind it, and in those behind that', () => {
    const unproven = ['~option_unwrap_unproven /steps/1/value/record/s'];
    expect(world({ steps: [start, raiseO], edges: [edge('a', 'say', proven)] })).toEqual([]);
    expect(world({ steps: [start, raiseO], edges: [edge('a', 'say')] })).toEqual(unproven);
    expect(world({ steps: [start, raiseO] })).toEqual(unproven);
    expect(world({ steps: [start, mid('b'), raiseO], edges: [edge('a', 'b', proven), edge('b', 'say')] })).toEqual([]);
  });

  test('at a join only what all branches know', () => {
    const steps = [start, mid('b'), mid('c'), raiseO];
    const edges = (left?: Authored, right?: Authored) => [
      edge('a', 'b', left),
      edge('a', 'c', right),
      edge('b', 'say'),
      edge('c', 'say'),
    ];
    expect(world({ steps, edges: edges(proven, proven) })).toEqual([]);
    expect(world({ steps, edges: edges(proven) })).toEqual(['~option_unwrap_unproven /steps/3/value/record/s']);
    // What was known before the branches needs no branch to say it.
    expect(
      world({
        steps: [start, mid('z'), mid('b'), mid('c'), raiseO],
        edges: [edge('a', 'z', proven), edge('z', 'b'), edge('z', 'c'), edge('b', 'say'), edge('c', 'say')],
      }),
    ).toEqual([]);
  });

  test('facts from a guard flattened over and; nothing from or', () => {
    expect(
      world({ steps: [start, raiseO], edges: [edge('a', 'say', op('and', eq(ref('@var:x'), { nat: 1 }), proven))] }),
    ).toEqual([]);
    expect(
      world({ steps: [start, raiseO], edges: [edge('a', 'say', op('or', eq(ref('@var:x'), { nat: 1 }), proven))] }),
    ).toEqual(['~option_unwrap_unproven /steps/1/value/record/s']);
  });

  test('a tag that is known types the payload', () => {
    const say = raise('say', 't/Said@1', { s: ref('@plan.input.v.$value.s') });
    const tag = (name: string) => eq(ref('@plan.input.v.$tag'), txt(name));
    expect(world({ steps: [start, say], edges: [edge('a', 'say', tag('A'))] })).toEqual([]);
    expect(world({ steps: [start, say], edges: [edge('a', 'say', tag('B'))] })).toEqual([
      'slot_type /steps/1/value/record/s',
    ]);
    expect(world({ steps: [start, say], edges: [edge('a', 'say')] })).toEqual([
      'arm_type_conflict /steps/1/value/record/s',
    ]);
    // Two branches that know different tags know none together.
    expect(
      world({
        steps: [start, mid('b'), mid('c'), say],
        edges: [edge('a', 'b', tag('A')), edge('a', 'c', tag('B')), edge('b', 'say'), edge('c', 'say')],
      }),
    ).toEqual(['arm_type_conflict /steps/3/value/record/s']);
  });

  test('a variable bound by assign of a place is that place', () => {
    const copy = assign('a', 'w', ref('@plan.input.v'));
    const say = raise('say', 't/Said@1', { s: ref('@var:w.$value.s') });
    const original = raise('say', 't/Said@1', { s: ref('@plan.input.v.$value.s') });
    const guard = (root: string) => eq(ref(`${root}.$tag`), txt('A'));
    for (const [step, root] of [
      [say, '@plan.input.v'],
      [say, '@var:w'],
      [say, '@step:a'],
      [original, '@var:w'],
    ] as const) {
      expect(world({ steps: [copy, step], edges: [edge('a', 'say', guard(root))] })).toEqual([]);
    }
    const byGet = assign('a', 'w', op('get', ref('@plan.input'), txt('v')));
    expect(world({ steps: [byGet, say], edges: [edge('a', 'say', guard('@plan.input.v'))] })).toEqual([]);
  });

  test('a copied payload is typed by the tag, and a path into one that is not known must be safe', () => {
    const copy = assign('a', 'p', ref('@plan.input.v.$value'));
    const say = raise('say', 't/Said@1', { s: ref('@var:p.s') });
    const guard = eq(ref('@plan.input.v.$tag'), txt('A'));
    expect(world({ steps: [copy, say], edges: [edge('a', 'say', guard)] })).toEqual([]);
    // In arm B the variable would hold a bare text, and a path into that is a type_mismatch.
    const scalars = { ...schemas, In: '{id: text, v: variant(A: {s: text}, B: text)}' };
    expect(world({ schemas: scalars, steps: [copy, say], edges: [edge('a', 'say')] })).toEqual([
      'path_on_scalar /steps/1/value/record/s',
    ]);
    expect(world({ schemas: scalars, steps: [copy, say], edges: [edge('a', 'say', guard)] })).toEqual([]);
    const direct = raise('say', 't/Said@1', { s: ref('@plan.input.v.$value.s') });
    expect(world({ schemas: scalars, steps: [copy, direct], edges: [edge('a', 'say')] })).toEqual([
      '~variant_unrefined /steps/1/value/record/s',
    ]);
  });

  test('facts about a variable that is bound twice are discarded', () => {
    const say = raise('say', 't/Said@1', { s: ref('@var:w') });
    const bind = (id: string, value: Authored) => assign(id, 'w', value);
    const steps = [bind('a', ref('@plan.input.o')), bind('b', ref('@plan.input.o')), say];
    const guard = ne(ref('@var:w'), NONE);
    expect(world({ steps, edges: [edge('a', 'b'), edge('b', 'say', guard)] })).toEqual([
      '~option_unwrap_unproven /steps/2/value/record/s',
    ]);
    expect(world({ steps: [steps[0]!, say], edges: [edge('a', 'say', guard)] })).toEqual([]);
  });

  test('a local that a start may have bound is certain only behind the step that binds it', () => {
    const locals = { w: 't/V@1' };
    const set = assign('a', 'w', ref('@plan.input.v'));
    const say = raise('say', 't/Said@1', { s: ref('@var:w.$value.s') });
    const guard = eq(ref('@var:w.$tag'), txt('A'));
    expect(world({ locals, steps: [set, say], edges: [edge('a', 'say', guard)] })).toEqual([]);
    // Nothing says that `a` ran before the guard was true of what the start gave.
    expect(world({ locals, steps: [set, mid('b'), say], edges: [edge('b', 'say', guard)] })).toEqual([
      'arm_type_conflict /steps/2/value/record/s',
    ]);
    expect(world({ locals, steps: [mid('b'), say], edges: [edge('b', 'say', guard)] })).toEqual([]);
  });

  test('a receipt: status ok proves the payload, another status the error', () => {
    const ask = [emit('e', { x: 'a' }), wait('r', 'e_h', 'got')];
    const params: PlanParts = { params: '{x: text}', receipt: '{s: text}' };
    const use = raise('say', 't/Said@1', { s: ref('@var:got.s') });
    const why = raise('say', 't/Said@1', { s: ref('@var:got.$error.code') });
    const ok = eq(ref('@var:got.$status'), txt('ok'));
    const bad = ne(ref('@var:got.$status'), txt('ok'));
    expect(world({ ...params, steps: [...ask, use], edges: [edge('r', 'say', ok)] })).toEqual([]);
    expect(world({ ...params, steps: [...ask, use], edges: [edge('r', 'say')] })).toEqual([
      '~payload_unproven /steps/2/value/record/s',
    ]);
    expect(world({ ...params, steps: [...ask, use], edges: [edge('r', 'say', bad)] })).toEqual([
      '~payload_unproven /steps/2/value/record/s',
    ]);
    expect(world({ ...params, steps: [...ask, why], edges: [edge('r', 'say', bad)] })).toEqual([]);
    expect(world({ ...params, steps: [...ask, why], edges: [edge('r', 'say')] })).toEqual([
      '~option_unwrap_unproven /steps/2/value/record/s',
    ]);
    // The step's value is the same receipt.
    const byStep = raise('say', 't/Said@1', { s: ref('@step:r.s') });
    expect(world({ ...params, steps: [...ask, byStep], edges: [edge('r', 'say', ok)] })).toEqual([]);
  });

  test('where a cycle hides what comes before what, nothing is said to be unproven', () => {
    const lines = world({ steps: [start, raiseO], edges: [edge('a', 'say'), edge('say', 'a')] });
    expect(lines.filter((line) => line.includes('unproven'))).toEqual([]);
    expect(lines.some((line) => line.startsWith('plan.cyclic'))).toBe(true);
  });
});
