import { describe, expect, it } from 'vitest';
import { evaluate, evaluatePath, evaluateSlot, exprRefs } from '../src/evaluate.ts';
import type { EvalCode, Expr, ReceiptView } from '../src/expr.ts';
import type { Value } from '../src/value.ts';
import {
  arm,
  c,
  dec,
  dict,
  dur,
  env,
  i,
  list,
  n,
  no,
  none,
  op,
  raw,
  rec,
  ref,
  set,
  t,
  time,
  yes,
} from './evaluate-support.ts';

const failed: ReceiptView = {
  status: 'error',
  adapterId: 'host.http',
  error: rec({ code: t('http.status'), message: t('502'), retryable: none, detail_ref: none }),
};
const done: ReceiptView = {
  status: 'ok',
  adapterId: 'host.http',
  costCents: 7n,
  payload: rec({ status: i(200), body_ref: none, out: arm('Ok', rec({ n: n(1) })) }),
};

/** The environment of expressions.md §14, and a little more. */
const world = env({
  input: rec({
    customer: t('alice'),
    amount: n(1200),
    note: none,
    tags: dict([t('a'), t('x')]),
    'a.b': t('dotted'),
  }),
  vars: {
    r: { kind: 'receipt', emissionSeq: 1 },
    k: { kind: 'receipt', emissionSeq: 2 },
    lost: { kind: 'receipt', emissionSeq: 99 },
    v: arm('Ok', rec({ n: n(3) })),
    idle: arm('Idle'),
    scalar: arm('Num', n(1)),
    items: arm('Many', list(n(7))),
    ids: dict([i(1), t('one')]),
  },
  steps: { first: rec({ status: t('ok') }), emit: rec({ handle: { kind: 'handle', emissionSeq: 1 } }) },
  receipts: new Map([
    [1, failed],
    [2, done],
  ]),
});

function value(expr: Expr): Value {
  const result = evaluate(expr, world);
  if (!result.ok) throw new Error(`${result.failure.code} at /${result.failure.path.join('/')}`);
  return result.value;
}

function error(expr: Expr): { code: EvalCode; path: string } {
  const result = evaluate(expr, world);
  if (result.ok) throw new Error(`no error but a ${result.value.kind}`);
  return { code: result.failure.code, path: `/${result.failure.path.join('/')}` };
}

describe('worked examples of expressions.md §14', () => {
  it('X1 a field of the input', () => {
    expect(value(ref('@plan.input.customer'))).toEqual(t('alice'));
  });

  it('X2 get is another spelling of a path', () => {
    expect(value(op('get', ref('@plan.input'), c(t('amount'))))).toEqual(n(1200));
  });

  it('X3, X4 what the checker refuses is still an error and not a crash', () => {
    expect(error(ref('@plan.input.order_id'))).toEqual({ code: 'missing_field', path: '/' });
    expect(error(ref('@var:missing'))).toEqual({ code: 'missing_ref', path: '/' });
  });

  it('X5 a step that has not completed', () => {
    expect(error(ref('@step:later.status')).code).toBe('missing_ref');
    expect(value(ref('@step:first.status'))).toEqual(t('ok'));
  });

  it('X6, X7 integers of both kinds add and subtract in one domain', () => {
    expect(value(op('add', c(n(5)), c(i(-2))))).toEqual(i(3));
    expect(value(op('sub', c(n(2)), c(n(5))))).toEqual(i(-3));
  });

  it('X8 the domain ends at 2^64 − 1', () => {
    expect(error(op('add', c(n(2n ** 64n - 1n)), c(n(1))))).toEqual({ code: 'numeric_overflow', path: '/' });
  });

  it('X9 div truncates toward zero, mod has the sign of the dividend', () => {
    expect(value(op('div', c(i(-7)), c(i(2))))).toEqual(i(-3));
    expect(value(op('mod', c(i(-7)), c(i(2))))).toEqual(i(-1));
  });

  it('X10 a zero divisor', () => {
    expect(error(op('div', ref('@plan.input.amount'), c(n(0)))).code).toBe('divide_by_zero');
  });

  it('X11 nat 5 and int 5 are equal', () => {
    expect(value(op('eq', c(n(5)), c(i(5))))).toEqual(yes);
  });

  it('X13 text is ordered by UTF-8 bytes, not by UTF-16 units', () => {
    expect(value(op('lt', c(t('Z')), c(t('a'))))).toEqual(yes);
    expect(value(op('lt', c(t('\uFFFD')), c(t('😀'))))).toEqual(yes);
  });

  it('X14 the length of a text counts Unicode scalar values', () => {
    expect(value(op('len', c(t('né😀'))))).toEqual(n(3));
  });

  it('X15 an index outside the list', () => {
    const items: Expr = { form: 'list', items: [c(n(1)), c(n(2))] };
    expect(error(op('get', items, c(n(5)))).code).toBe('index_out_of_range');
  });

  it('X16 an absent map key', () => {
    expect(error(ref('@plan.input.tags.b')).code).toBe('key_not_found');
    expect(value(ref('@plan.input.tags.a'))).toEqual(t('x'));
  });

  it('X17 none is found by has and by eq', () => {
    expect(value(op('has', ref('@plan.input'), c(t('note'))))).toEqual(no);
    expect(value(op('eq', ref('@plan.input.note'), c(none)))).toEqual(yes);
  });

  it('X18 and takes nothing but booleans', () => {
    expect(error(op('and', c(yes), c(i(1)))).code).toBe('type_mismatch');
  });

  it('X19 and does not evaluate what comes after the deciding argument', () => {
    const guard = op('has', ref('@plan.input'), c(t('note')));
    const use = op('starts_with', ref('@plan.input.note'), c(t('x')));
    expect(value(op('and', guard, use))).toEqual(no);
    expect(error(op('and', use, guard))).toEqual({ code: 'none_access', path: '/args/0' });
  });

  it('X20 a failed receipt has a status and no payload', () => {
    expect(value(ref('@var:r.$status'))).toEqual(t('error'));
    expect(error(ref('@var:r.body_ref')).code).toBe('no_payload');
  });

  it('X21 tag, payload and the arm that is not there', () => {
    expect(value(ref('@var:v.$tag'))).toEqual(t('Ok'));
    expect(value(ref('@var:v.$value.n'))).toEqual(n(3));
    expect(error(ref('@var:v.$value.code')).code).toBe('missing_field');
  });

  it('X22 a set is sorted, without duplicates, and knows its members by value', () => {
    const items: Expr = { form: 'set', items: [c(n(2)), c(n(1)), c(n(2))] };
    expect(value(items)).toEqual(set(n(1), n(2)));
    expect(value(op('has', items, c(i(2))))).toEqual(yes);
  });

  it('X23 bytes contain a contiguous sub-sequence', () => {
    expect(value(op('contains', c(raw('abcd123')), c(raw('cd1'))))).toEqual(yes);
  });

  it('X24, X29 hash is over the canonical data encoding with its prefix', () => {
    const alpha = 'sha256:cb5399ea976cc32ad0c753c24638761370b9dd378793386a2cfc75e5f6cf5041';
    const deadline = 'sha256:ff2af5364c476d72ab59ccf1f01c6a862359c6eacfb2ac418112b46ee32b169f';
    const key: Expr = {
      form: 'record',
      fields: [
        ['op', c(t('deadline'))],
        ['request_id', c(t('r1'))],
      ],
    };
    expect(value(op('hash', c(t('alpha'))))).toEqual({ kind: 'hash', value: alpha });
    expect(value(op('hash', key))).toEqual({ kind: 'hash', value: deadline });
  });

  it('X28 the null constant is unit and none', () => {
    expect(value(c(none))).toEqual(none);
    expect(value({ form: 'variant', tag: 'Idle' })).toEqual(arm('Idle'));
  });
});

describe('path steps (expressions.md §3.1)', () => {
  it('get reaches a field with a dot in its name, a path does not', () => {
    expect(value(op('get', ref('@plan.input'), c(t('a.b'))))).toEqual(t('dotted'));
    expect(error(ref('@plan.input.a.b')).code).toBe('missing_field');
  });

  it('get reaches the $ segments of a receipt', () => {
    expect(value(op('get', ref('@var:r'), c(t('$status'))))).toEqual(t('error'));
    expect(value(op('get', op('get', ref('@var:r'), c(t('$error'))), c(t('code'))))).toEqual(t('http.status'));
    expect(error(op('get', ref('@var:r'), c(t('status')))).code).toBe('no_payload');
  });

  it('a receipt offers adapter, cost and error; absent ones are none', () => {
    expect(value(ref('@var:k.$adapter_id'))).toEqual(t('host.http'));
    expect(value(ref('@var:k.$cost_cents'))).toEqual(n(7));
    expect(value(ref('@var:k.$error'))).toEqual(none);
    expect(value(ref('@var:r.$cost_cents'))).toEqual(none);
    expect(value(ref('@var:r.$error.message'))).toEqual(t('502'));
    expect(error(ref('@var:k.$error.code')).code).toBe('none_access');
  });

  it('a receipt as a whole value is its payload', () => {
    expect(value(ref('@var:k.status'))).toEqual(i(200));
    expect(value(ref('@var:k'))).toEqual(done.payload);
    expect(value({ form: 'list', items: [ref('@var:k')] })).toEqual(list(done.payload as Value));
    expect(value(op('has', ref('@var:k'), c(t('body_ref'))))).toEqual(no);
    expect(error(ref('@var:r')).code).toBe('no_payload');
    expect(error(op('eq', ref('@var:r'), c(none)))).toEqual({ code: 'no_payload', path: '/args/0' });
  });

  it('segments go on below a receipt payload', () => {
    expect(value(ref('@var:k.out.$value.n'))).toEqual(n(1));
    expect(error(ref('@var:k.body_ref.x')).code).toBe('none_access');
  });

  it('an arm without the field is missing_field, whatever the arm holds', () => {
    expect(error(ref('@var:idle.$value.n')).code).toBe('missing_field');
    expect(error(ref('@var:scalar.$value.n')).code).toBe('missing_field');
    expect(error(op('get', ref('@var:scalar.$value'), c(t('n')))).code).toBe('missing_field');
    const spelled = op('get', op('get', ref('@var:scalar'), c(t('$value'))), c(t('n')));
    expect(error(spelled).code).toBe('missing_field');
    // Found by a generated world: as a path the list lacked the field, as a get it was a type_mismatch.
    expect(error(ref('@var:items.$value.n')).code).toBe('missing_field');
    expect(error(op('get', ref('@var:items.$value'), c(t('n')))).code).toBe('missing_field');
    expect(value(op('get', ref('@var:items.$value'), c(n(0))))).toEqual(n(7));
  });

  it('a segment on a value without segments is type_mismatch', () => {
    expect(error(ref('@plan.input.customer.x')).code).toBe('type_mismatch');
    expect(error(ref('@var:v.n')).code).toBe('type_mismatch');
    expect(error(ref('@var:ids.1')).code).toBe('type_mismatch');
    expect(value(op('get', ref('@var:ids'), c(n(1))))).toEqual(t('one'));
  });

  it('evaluatePath walks a value that is already there', () => {
    expect(evaluatePath(arm('Ok', rec({ id: t('r1') })), ['$value', 'id'])).toEqual({ ok: true, value: t('r1') });
    const absent = evaluatePath(arm('Ok', rec({})), ['$value', 'id']);
    expect(absent).toEqual({ ok: false, failure: { code: 'missing_field', path: [] } });
    expect(evaluatePath({ kind: 'receipt', emissionSeq: 2 }, ['status'], world)).toEqual({ ok: true, value: i(200) });
    expect(evaluatePath({ kind: 'receipt', emissionSeq: 2 }, ['status'])).toMatchObject({ ok: false });
  });

  it('a slot is its literal or its expression', () => {
    expect(evaluateSlot({ literal: n(1) }, world)).toEqual({ ok: true, value: n(1) });
    expect(evaluateSlot({ expr: ref('@var:v.$tag') }, world)).toEqual({ ok: true, value: t('Ok') });
  });
});

describe('operators (expressions.md §7), one row each', () => {
  const tags = dict([t('a'), t('x')]);
  it.each<[string, Expr, Value]>([
    ['len of a list', op('len', c(list(n(1), n(1)))), n(2)],
    ['len of a set', op('len', c(set(n(1), n(1)))), n(1)],
    ['len of a map', op('len', c(tags)), n(1)],
    ['len of bytes', op('len', c(raw('abc'))), n(3)],
    ['len of a record', op('len', c(rec({ a: none, b: n(1) }))), n(2)],
    ['get of a map', op('get', c(tags), c(t('a'))), t('x')],
    ['get of a list is zero-based', op('get', c(list(n(7), n(8))), c(i(0))), n(7)],
    ['get of a variant', op('get', ref('@var:v'), c(t('$tag'))), t('Ok')],
    ['has of a map', op('has', c(tags), c(t('b'))), no],
    ['has of a list is membership by eq', op('has', c(list(n(1))), c(i(1))), yes],
    ['has of a list that holds none', op('has', c(list(none)), c(none)), yes],
    ['has of a none container is false', op('has', ref('@plan.input.note'), c(t('x'))), no],
    ['has of a present field', op('has', ref('@plan.input'), c(t('customer'))), yes],
    ['contains of text', op('contains', c(t('né😀')), c(t('😀'))), yes],
    ['contains of an empty text', op('contains', c(t('')), c(t(''))), yes],
    ['contains of empty bytes', op('contains', c(raw('')), c(raw(''))), yes],
    ['contains of bytes that overlap themselves', op('contains', c(raw('aabaabaac')), c(raw('aabaac'))), yes],
    ['contains of bytes that are not there', op('contains', c(raw('aabaab')), c(raw('bb'))), no],
    ['contains of a list', op('contains', c(list(n(1))), c(n(2))), no],
    ['contains of a set', op('contains', c(set(t('a'))), c(t('a'))), yes],
    ['contains of a map is about its keys', op('contains', c(tags), c(t('a'))), yes],
    ['starts_with', op('starts_with', c(t('abc')), c(t('ab'))), yes],
    ['ends_with', op('ends_with', c(t('abc')), c(t('ab'))), no],
    ['concat', op('concat', c(t('a')), c(t('b'))), t('ab')],
    ['ne', op('ne', c(n(1)), c(n(2))), yes],
    ['lt of numbers of different kinds', op('lt', c(i(-1)), c(time(0))), yes],
    ['le of dec128 is numeric', op('le', c(dec('0.5')), c(dec('0.50'))), yes],
    ['ge of dec128 is numeric', op('ge', c(dec('0.5')), c(dec('0.50'))), yes],
    ['eq of dec128 is of the text', op('eq', c(dec('0.5')), c(dec('0.50'))), no],
    ['gt', op('gt', c(n(2)), c(n(1))), yes],
    ['ge', op('ge', c(t('a')), c(t('b'))), no],
    ['or stops at the first true', op('or', c(yes), ref('@var:missing')), yes],
    ['or of falses', op('or', c(no), c(no), c(no)), no],
    ['and of trues', op('and', c(yes), c(yes), c(yes)), yes],
    ['not', op('not', c(yes)), no],
    ['mul', op('mul', c(n(3)), c(i(-4))), i(-12)],
    ['an integer beyond int is a nat (plans.md §14)', op('add', c(n(2n ** 63n - 1n)), c(n(1))), n(2n ** 63n)],
    ['an integer within int is an int', op('sub', c(n(2n ** 63n)), c(n(1))), i(2n ** 63n - 1n)],
    ['the largest quotient', op('div', c(i(-(2n ** 63n))), c(i(-1))), n(2n ** 63n)],
    [
      'hash_bytes',
      op('hash_bytes', c(raw('abc'))),
      {
        kind: 'hash',
        value: 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
      },
    ],
  ])('%s', (_, expr, expected) => {
    expect(value(expr)).toEqual(expected);
  });

  it.each<[string, Expr, Value | EvalCode]>([
    ['time + duration', op('add', c(time(5)), c(dur(-2))), time(3)],
    ['duration + time', op('add', c(dur(2)), c(time(5))), time(7)],
    ['time − duration', op('sub', c(time(5)), c(dur(6))), 'numeric_overflow'],
    ['time − time', op('sub', c(time(5)), c(time(6))), dur(-1)],
    ['far times', op('sub', c(time(2n ** 64n - 1n)), c(time(0))), 'numeric_overflow'],
    ['duration ± duration', op('sub', c(dur(5)), c(dur(6))), dur(-1)],
    ['duration × integer', op('mul', c(dur(5)), c(n(3))), dur(15)],
    ['integer × duration', op('mul', c(i(-1)), c(dur(5))), dur(-5)],
    ['duration ÷ integer', op('div', c(dur(-7)), c(i(2))), dur(-3)],
    ['duration mod integer', op('mod', c(dur(-7)), c(i(2))), dur(-1)],
    ['duration ÷ zero', op('div', c(dur(1)), c(i(0))), 'divide_by_zero'],
    ['smallest duration ÷ −1', op('div', c(dur(-(2n ** 63n))), c(i(-1))), 'numeric_overflow'],
    ['time + time', op('add', c(time(1)), c(time(1))), 'type_mismatch'],
    ['time + integer', op('add', c(time(1)), c(n(1))), 'type_mismatch'],
    ['duration + integer', op('add', c(dur(1)), c(n(1))), 'type_mismatch'],
    ['duration − time', op('sub', c(dur(1)), c(time(1))), 'type_mismatch'],
    ['duration × duration', op('mul', c(dur(1)), c(dur(1))), 'type_mismatch'],
    ['duration ÷ duration', op('div', c(dur(7)), c(dur(2))), 'type_mismatch'],
    ['time × integer', op('mul', c(time(1)), c(n(1))), 'type_mismatch'],
    ['integer ÷ duration', op('div', c(n(1)), c(dur(1))), 'type_mismatch'],
    ['dec128 + dec128', op('add', c(dec('1')), c(dec('1'))), 'type_mismatch'],
    ['2^63 × 2', op('mul', c(n(2n ** 63n)), c(n(2))), 'numeric_overflow'],
  ])('§9: %s', (_, expr, expected) => {
    if (typeof expected === 'string') expect(error(expr).code).toBe(expected);
    else expect(value(expr)).toEqual(expected);
  });
});

describe('constructors (expressions.md §6)', () => {
  it('a record has the evaluated fields', () => {
    expect(value({ form: 'record', fields: [['a', ref('@plan.input.customer')]] })).toEqual(rec({ a: t('alice') }));
  });

  it('map entries are sorted by canonical key; equal entries collapse', () => {
    const expr: Expr = {
      form: 'map',
      entries: [
        [c(t('bb')), c(n(1))],
        [c(t('c')), c(n(2))],
        [c(t('bb')), c(i(1))],
      ],
    };
    expect(value(expr)).toEqual({
      kind: 'map',
      entries: [
        [t('c'), n(2)],
        [t('bb'), n(1)],
      ],
    });
  });

  it('a set keeps canonical order: non-negative numbers, negative ones, texts by length', () => {
    const items = [t('beta'), t('z'), i(-1), n(300), i(-2), n(1)].map(c);
    expect(value({ form: 'set', items })).toEqual({
      kind: 'set',
      items: [n(1), n(300), i(-1), i(-2), t('z'), t('beta')],
    });
  });

  it('a variant has its payload', () => {
    expect(value({ form: 'variant', tag: 'Go', value: ref('@plan.input.amount') })).toEqual(arm('Go', n(1200)));
  });

  it('record fields are evaluated in their canonical order: the first failing one is reported', () => {
    const expr: Expr = {
      form: 'record',
      fields: [
        ['b', ref('@var:one')],
        ['aa', op('div', c(n(1)), c(n(0)))],
      ],
    };
    expect(error(expr)).toEqual({ code: 'missing_ref', path: '/record/b' });
  });
});

describe('evaluation errors (expressions.md §11), each with the place of the innermost failing expression', () => {
  const zero = op('div', c(n(1)), c(n(0)));
  it.each<[EvalCode, string, Expr]>([
    ['missing_ref', '/args/1/list/1', op('has', c(list()), { form: 'list', items: [c(n(1)), ref('@event')] })],
    ['missing_ref', '/', ref('@var:lost.$status')],
    ['missing_field', '/variant/value', { form: 'variant', tag: 'T', value: ref('@var:v.$value.code') }],
    ['none_access', '/args/0', op('not', op('lt', ref('@plan.input.note'), c(t('x'))))],
    ['no_payload', '/set/0', { form: 'set', items: [ref('@var:r.x')] }],
    [
      'key_not_found',
      '/map/0/key',
      { form: 'map', entries: [[op('get', ref('@plan.input.tags'), c(t('q'))), c(n(1))]] },
    ],
    [
      'duplicate_key',
      '/',
      {
        form: 'map',
        entries: [
          [c(n(1)), c(n(1))],
          [c(i(1)), c(n(2))],
        ],
      },
    ],
    ['index_out_of_range', '/', op('get', c(list(n(1))), c(i(-1)))],
    ['index_out_of_range', '/', op('get', c(list(n(1))), c(n(2n ** 64n - 1n)))],
    ['numeric_overflow', '/map/0/value', { form: 'map', entries: [[c(n(1)), op('mul', c(n(2n ** 63n)), c(n(2)))]] }],
    ['divide_by_zero', '/record/url', { form: 'record', fields: [['url', zero]] }],
    ['divide_by_zero', '/args/0', op('eq', op('div', c(n(4)), c(n(0))), c(n(1)))],
    ['value_too_large', '/', op('concat', c(t('x'.repeat(1_048_576))), c(t('y')))],
    ['value_too_large', '/', op('concat', c(t('é'.repeat(300_000))), c(t('é'.repeat(300_000))))],
    ['type_mismatch', '/', op('concat', c(t('x')), c(n(1)))],
    ['type_mismatch', '/', op('lt', c(t('1')), c(dec('1')))],
    ['type_mismatch', '/', op('hash', ref('@step:emit'))],
    ['none_access', '/', { form: 'set', items: [c(none)] }],
    ['type_mismatch', '/', { form: 'set', items: [c(list())] }],
    ['type_mismatch', '/', { form: 'map', entries: [[c(yes), c(n(1))]] }],
    ['type_mismatch', '/', op('len', c(n(1)), c(n(1)))],
    ['type_mismatch', '/', op('and', c(yes))],
    ['type_mismatch', '/', op('eq', c(yes))],
  ])('%s at %s', (code, path, expr) => {
    expect(error(expr)).toEqual({ code, path });
  });

  it('one mebibyte of text is still allowed, counted in UTF-8 bytes (§12)', () => {
    const half = c(t('é'.repeat(262_144)));
    expect(value(op('len', op('concat', half, half)))).toEqual(n(524_288));
    const emoji = c(t('😀'.repeat(131_072)));
    expect(value(op('len', op('concat', emoji, emoji)))).toEqual(n(262_144));
  });

  it('a constructed list has at most 65 536 elements (§12)', () => {
    const items = Array<Expr>(65_536).fill(c(yes));
    expect(value(op('len', { form: 'list', items }))).toEqual(n(65_536));
    expect(error({ form: 'list', items: [...items, c(yes)] })).toEqual({ code: 'value_too_large', path: '/' });
  });
});

describe('exprRefs', () => {
  it('lists references in evaluation order, each with its place', () => {
    const expr = op('and', op('eq', ref('@event.id'), ref('@var:a')), {
      form: 'map',
      entries: [[ref('@step:k'), { form: 'record', fields: [['f', ref('@plan.input.x')]] }]],
    });
    expect(exprRefs(expr).map(({ ref: found, path }) => [found.text, path.join('/')])).toEqual([
      ['@event.id', 'args/0/args/0'],
      ['@var:a', 'args/0/args/1'],
      ['@step:k', 'args/1/map/0/key'],
      ['@plan.input.x', 'args/1/map/0/value/record/f'],
    ]);
  });
});
