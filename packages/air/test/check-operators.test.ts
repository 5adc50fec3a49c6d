import { describe, expect, test } from 'vitest';
import { hintOf, infer, type Notation, predicate, type Readable, receipt } from './check-support.ts';
import { type Authored, op, ref } from './fixtures.ts';

/** Operators (expressions.md §7–§9): operands, results, and the nearest thing that is refused. */

const input: Readable = {
  input:
    '{t: text, n: nat, i: int, d: dec128, b: bool, bytes: bytes, at: time, for: duration, h: hash, u: uuid, unit: unit, ' +
    'l: list<nat>, lt: list<text>, s: set<text>, sn: set<nat>, m: map<text, nat>, mi: map<int, text>, mh: map<hash, nat>, ' +
    'r: {a: nat, o?: text}, r2: {a: nat}, v: variant(A: {n: nat}, B: {n: nat, c: text}), w: variant(C), ot?: text, on?: nat, ob?: bool, ol?: list<nat>, ' +
    'or?: {a: nat}, p: variant(T: text, N: nat), q: variant(I: int, N: nat)}',
};
const at = (field: string) => ref(`@plan.input.${field}`);
const txt = (text: string) => ({ text });
const nat = (value: number) => ({ nat: value });

function rows(cases: readonly (readonly [Authored, string, (readonly string[])?])[], readable: Readable = input): void {
  test.each(cases.map(([json, type, found]) => [JSON.stringify(json), type, found ?? [], json] as const))(
    '%s is %s %j',
    (_, type, found, json) => {
      const checked = infer(json, readable);
      expect(checked.found).toEqual(found);
      expect(checked.type).toBe(type);
    },
  );
}

describe('len', () => {
  rows([
    [op('len', at('l')), 'nat'],
    [op('len', at('s')), 'nat'],
    [op('len', at('m')), 'nat'],
    [op('len', at('t')), 'nat'],
    [op('len', at('bytes')), 'nat'],
    [op('len', at('r')), 'nat'],
    [op('len', at('ol')), 'nat', ['~option_unwrap_unproven /args/0']],
    [op('len', at('n')), 'nat', ['operand_type /args/0']],
    [op('len', at('v')), 'nat', ['operand_type /args/0']],
    [op('len', at('h')), 'nat', ['operand_type /args/0']],
    [op('len', { null: {} }), 'nat', ['operand_type /args/0']],
  ]);
});

describe('get', () => {
  rows([
    [op('get', ref('@plan.input'), txt('n')), 'nat'],
    [op('get', ref('@plan.input'), txt('nope')), 'unknown', ['unknown_field']],
    [op('get', ref('@plan.input'), at('t')), 'unknown', ['get_key_not_constant /args/1']],
    [op('get', at('v'), txt('$tag')), 'text'],
    [op('get', at('v'), txt('$value')), 'payload of A or B'],
    [op('get', op('get', at('v'), txt('$value')), txt('n')), 'nat'],
    [op('get', at('v'), txt('n')), 'unknown', ['unknown_field']],
    [op('get', at('v'), at('t')), 'unknown', ['get_key_not_constant /args/1']],
    [op('get', at('m'), at('t')), 'nat'],
    [op('get', at('m'), at('n')), 'nat', ['operand_type /args/1']],
    [op('get', at('m'), at('h')), 'nat', ['~cross_kind_compare /args/1']],
    [op('get', at('mi'), nat(1)), 'text'],
    [op('get', at('mi'), at('i')), 'text'],
    [op('get', at('mi'), op('add', at('i'), nat(1))), 'text'],
    [op('get', at('mi'), at('at')), 'text', ['operand_type /args/1']],
    [op('get', at('mh'), at('h')), 'nat'],
    [op('get', at('mh'), at('u')), 'nat', ['operand_type /args/1']],
    [op('get', at('mh'), at('d')), 'nat', ['operand_type /args/1']],
    [op('get', at('l'), at('i')), 'nat'],
    [op('get', at('l'), op('sub', at('n'), nat(1))), 'nat'],
    [op('get', at('l'), txt('a')), 'nat', ['operand_type /args/1']],
    [op('get', at('l'), at('for')), 'nat', ['operand_type /args/1']],
    [op('get', at('ol'), nat(0)), 'nat', ['~option_unwrap_unproven /args/0']],
    [op('get', at('or'), txt('a')), 'nat', ['~option_unwrap_unproven']],
    [op('get', at('s'), nat(0)), 'unknown', ['operand_type /args/0']],
    [op('get', at('t'), nat(0)), 'unknown', ['operand_type /args/0']],
  ]);
  rows(
    [
      [op('get', ref('@var:r'), txt('$status')), 'text'],
      [op('get', ref('@var:r'), txt('$cost_cents')), 'option<nat>'],
      [op('get', ref('@var:r'), txt('x')), 'text', ['~payload_unproven']],
      [op('get', ref('@var:r'), txt('z')), 'unknown', ['~payload_unproven', 'unknown_field']],
      // The evaluator reads a receipt by name only: an index would be a type_mismatch when it runs.
      [op('get', ref('@var:y'), nat(0)), 'unknown', ['get_key_not_constant /args/1']],
    ],
    { vars: { r: receipt('{x: text}'), y: receipt('list<nat>') } },
  );
  test('a field whose name has a dot is reached with get only', () => {
    const dotted: Readable = {
      vars: { x: { kind: 'record', fields: new Map([['f.g', { kind: 'nat' }]]) } },
    };
    expect(infer(op('get', ref('@var:x'), txt('f.g')), dotted)).toMatchObject({ found: [], type: 'nat' });
    expect(infer(ref('@var:x.f.g'), dotted).found).toEqual(['unknown_field']);
  });
});

describe('has', () => {
  rows([
    [op('has', at('r'), txt('o')), 'bool'],
    [op('has', at('r'), txt('a')), 'bool'],
    [op('has', at('r'), txt('z')), 'bool', ['unknown_field']],
    [op('has', at('r'), at('t')), 'bool', ['get_key_not_constant /args/1']],
    [op('has', at('or'), txt('a')), 'bool'],
    [op('has', at('v'), txt('$value')), 'bool'],
    [op('has', at('v'), txt('n')), 'bool', ['unknown_field']],
    [op('has', at('m'), at('t')), 'bool'],
    [op('has', at('m'), at('n')), 'bool', ['operand_type /args/1']],
    [op('has', at('m'), at('ot')), 'bool', ['~option_unwrap_unproven /args/1']],
    [op('has', at('l'), at('i')), 'bool'],
    [op('has', at('l'), at('on')), 'bool'],
    [op('has', at('l'), at('at')), 'bool', ['~cross_kind_compare /args/1']],
    [op('has', at('l'), at('t')), 'bool', ['operand_type /args/1']],
    [op('has', at('s'), at('t')), 'bool'],
    [op('has', at('sn'), at('b')), 'bool', ['operand_type /args/1']],
    [op('has', at('ol'), nat(1)), 'bool'],
    [op('has', at('t'), txt('a')), 'bool', ['operand_type /args/0']],
    [op('has', at('n'), nat(1)), 'bool', ['operand_type /args/0']],
    [op('has', op('get', at('v'), txt('$value')), txt('c')), 'bool'],
    [op('has', op('get', at('v'), txt('$value')), txt('z')), 'bool', ['unknown_field']],
    [op('has', op('get', at('p'), txt('$value')), txt('z')), 'bool', ['operand_type /args/0']],
  ]);
});

describe('contains', () => {
  rows([
    [op('contains', at('t'), txt('a')), 'bool'],
    [op('contains', at('bytes'), { bytes_b64: '' }), 'bool'],
    [op('contains', at('l'), nat(1)), 'bool'],
    [op('contains', at('s'), at('t')), 'bool'],
    [op('contains', at('m'), txt('k')), 'bool'],
    [op('contains', at('t'), at('bytes')), 'bool', ['operand_type /args/1']],
    [op('contains', at('t'), at('h')), 'bool', ['operand_type /args/1']],
    [op('contains', at('h'), txt('a')), 'bool', ['operand_type /args/0']],
    [op('contains', at('r'), txt('a')), 'bool', ['operand_type /args/0']],
    [op('contains', at('l'), txt('a')), 'bool', ['operand_type /args/1']],
    [op('contains', at('ot'), txt('a')), 'bool', ['~option_unwrap_unproven /args/0']],
    // Unlike has, contains of none fails.
    [op('contains', at('ol'), nat(1)), 'bool', ['~option_unwrap_unproven /args/0']],
  ]);
});

describe.each(['starts_with', 'ends_with'] as const)('%s', (name) => {
  rows([
    [op(name, at('t'), txt('a')), 'bool'],
    [op(name, at('t'), at('ot')), 'bool', ['~option_unwrap_unproven /args/1']],
    [op(name, at('t'), at('u')), 'bool', ['operand_type /args/1']],
    [op(name, at('n'), txt('a')), 'bool', ['operand_type /args/0']],
  ]);
});

describe('concat', () => {
  rows([
    [op('concat', at('t'), txt('a')), 'text'],
    [op('concat', at('t'), at('n')), 'text', ['operand_type /args/1']],
    [op('concat', at('h'), at('d')), 'text', ['operand_type /args/0', 'operand_type /args/1']],
    [op('concat', at('l'), at('l')), 'text', ['operand_type /args/0', 'operand_type /args/1']],
  ]);
});

describe('eq and ne (§8)', () => {
  const eq = (a: Authored, b: Authored) => op('eq', a, b);
  const cases: (readonly [Authored, Authored, (readonly string[])?])[] = [
    [at('n'), at('i')],
    [at('n'), op('add', at('n'), at('i'))],
    [at('n'), at('at'), ['~cross_kind_compare']],
    [at('at'), at('for'), ['~cross_kind_compare']],
    [at('at'), { time_ns: 1 }],
    [at('t'), txt('a')],
    [at('t'), at('h'), ['~cross_kind_compare']],
    [at('t'), at('u'), ['~cross_kind_compare']],
    [at('t'), at('d'), ['~cross_kind_compare']],
    [at('h'), at('u'), ['never_equal']],
    [at('d'), at('h'), ['never_equal']],
    [at('d'), { dec128: '0.5' }],
    [at('t'), at('n'), ['never_equal']],
    [at('b'), at('l'), ['never_equal']],
    [at('b'), { bool: true }],
    [at('bytes'), at('bytes')],
    [at('bytes'), at('t'), ['never_equal']],
    [at('l'), { list: [nat(1)] }],
    [at('l'), { list: [] }],
    [at('l'), at('lt'), ['never_equal']],
    [at('sn'), { set: [nat(1)] }],
    [at('m'), { map: [] }],
    [at('m'), at('mi'), ['never_equal']],
    [at('r'), at('r')],
    [at('r'), at('r2'), ['never_equal']],
    [at('r2'), { record: { a: nat(1) } }],
    // A constructor makes the fields that it names: the field that is left out would be missing when they are compared.
    [at('r'), { record: { a: nat(1) } }, ['never_equal']],
    [at('v'), at('v')],
    [at('v'), at('w'), ['never_equal']],
    [at('v'), { variant: { tag: 'A', value: { record: { n: nat(1) } } } }],
    [at('v'), { variant: { tag: 'A', value: { record: { n: txt('x') } } } }, ['never_equal']],
    [at('v'), { variant: { tag: 'Z' } }, ['unknown_tag /args/1/variant/tag']],
    [at('w'), { variant: { tag: 'C' } }],
    [at('ot'), { null: {} }],
    [at('unit'), { null: {} }],
    [at('t'), { null: {} }, ['never_equal']],
    [at('ot'), txt('a')],
    [at('ot'), at('on')],
    [at('ot'), at('n'), ['never_equal']],
    [op('get', at('p'), txt('$value')), txt('a')],
    [op('get', at('p'), txt('$value')), at('b'), ['never_equal']],
  ];
  test.each(cases.map(([a, b, found]) => [JSON.stringify([a, b]), found ?? [], a, b] as const))(
    '%s %j, either way round',
    (_, found, a, b) => {
      const swapped = found.map((line) => line.replace('/args/1/', '/args/0/'));
      expect(infer(eq(a, b), input)).toMatchObject({ found, type: 'bool' });
      expect(infer(op('ne', b, a), input)).toMatchObject({ found: swapped, type: 'bool' });
    },
  );
  test('comparing a tag with a text that names no arm says nothing', () => {
    expect(infer(eq(ref('@plan.input.v.$tag'), txt('A')), input).found).toEqual([]);
    const wrong = infer(eq(txt('a'), ref('@plan.input.v.$tag')), input);
    expect(wrong.found).toEqual(['unknown_tag /args/0']);
    expect(hintOf(wrong.findings[0]!)).toBe('Did you mean "A"?');
  });
});

describe.each(['lt', 'le', 'gt', 'ge'] as const)('%s (§8)', (name) => {
  rows([
    [op(name, at('n'), at('i')), 'bool'],
    [op(name, at('n'), op('mul', at('n'), nat(2))), 'bool'],
    [op(name, at('at'), at('at')), 'bool'],
    [op(name, at('at'), at('n')), 'bool', ['~cross_kind_compare']],
    [op(name, at('t'), txt('a')), 'bool'],
    [op(name, at('d'), { dec128: '1' }), 'bool'],
    [op(name, at('d'), at('n')), 'bool', ['operand_type /args/1']],
    [op(name, at('t'), at('n')), 'bool', ['operand_type /args/1']],
    [op(name, at('t'), at('h')), 'bool', ['operand_type /args/1']],
    [op(name, at('h'), at('h')), 'bool', ['operand_type /args/0', 'operand_type /args/1']],
    [op(name, at('b'), at('b')), 'bool', ['operand_type /args/0', 'operand_type /args/1']],
    [op(name, at('l'), at('l')), 'bool', ['operand_type /args/0', 'operand_type /args/1']],
    [op(name, at('on'), nat(1)), 'bool', ['~option_unwrap_unproven /args/0']],
    [op(name, op('get', at('q'), txt('$value')), nat(1)), 'bool'],
    [op(name, op('get', at('p'), txt('$value')), nat(1)), 'bool', ['operand_type /args/0']],
  ]);
});

describe.each(['and', 'or'] as const)('%s', (name) => {
  rows([
    [op(name, at('b'), at('b'), at('b')), 'bool'],
    [op(name, at('b'), at('n')), 'bool', ['operand_type /args/1']],
    [op(name, at('ob'), at('b')), 'bool', ['~option_unwrap_unproven /args/0']],
  ]);
});

describe('not, hash, hash_bytes', () => {
  rows(
    [
      [op('not', at('b')), 'bool'],
      [op('not', at('n')), 'bool', ['operand_type /args/0']],
      [op('hash', ref('@plan.input')), 'hash'],
      [op('hash', at('ot')), 'hash'],
      [op('hash', { null: {} }), 'hash'],
      [op('hash', { variant: { tag: 'A' } }), 'hash', ['unknown_tag /args/0']],
      [op('hash', ref('@var:h')), 'hash', ['handle_misuse /args/0']],
      [op('hash_bytes', at('bytes')), 'hash'],
      [op('hash_bytes', at('t')), 'hash', ['operand_type /args/0']],
    ],
    { ...input, vars: { h: { kind: 'handle', effect: 't.do' } } },
  );
});

describe('arithmetic (§9), every pair of the table and every dash', () => {
  const types: Readonly<Record<string, Notation>> = { integer: 'nat', time: 'time', duration: 'duration' };
  const table: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'integer integer': { add: 'integer', sub: 'integer', mul: 'integer', div: 'integer', mod: 'integer' },
    'time duration': { add: 'time', sub: 'time' },
    'duration time': { add: 'time' },
    'time time': { sub: 'duration' },
    'duration duration': { add: 'duration', sub: 'duration' },
    'duration integer': { mul: 'duration', div: 'duration', mod: 'duration' },
    'integer duration': { mul: 'duration' },
    'integer time': {},
    'time integer': {},
  };
  for (const [pair, results] of Object.entries(table)) {
    const [a, b] = pair.split(' ') as [string, string];
    for (const name of ['add', 'sub', 'mul', 'div', 'mod'] as const) {
      const type = results[name];
      test(`${name} of ${pair} is ${type ?? 'nothing'}`, () => {
        const readable: Readable = { vars: { x: types[a] as Notation, y: types[b] as Notation } };
        const checked = infer(op(name, ref('@var:x'), ref('@var:y')), readable);
        expect(checked.found).toEqual(type === undefined ? ['operand_type'] : []);
        expect(checked.type).toBe(type ?? 'unknown');
      });
    }
  }
  rows([
    [op('add', at('i'), at('n')), 'integer'],
    [op('add', op('add', at('i'), at('n')), { int: -1 }), 'integer'],
    [op('add', at('d'), at('n')), 'unknown', ['operand_type /args/0']],
    [op('add', at('t'), at('t')), 'unknown', ['operand_type /args/0', 'operand_type /args/1']],
    [op('add', at('on'), nat(1)), 'integer', ['~option_unwrap_unproven /args/0']],
    [op('add', op('get', at('q'), txt('$value')), nat(1)), 'integer'],
    [op('add', op('get', at('p'), txt('$value')), nat(1)), 'unknown', ['operand_type /args/0']],
  ]);
});

describe('constants are folded (const_error, predicate_constant)', () => {
  rows([
    [op('div', nat(1), nat(0)), 'integer', ['const_error']],
    [op('add', nat(1), op('mod', nat(1), nat(0))), 'integer', ['const_error /args/1']],
    [op('add', { nat: '18446744073709551615' }, nat(1)), 'integer', ['const_error']],
    [op('div', at('n'), nat(0)), 'integer'],
    [op('get', { list: [nat(1), nat(2)] }, nat(5)), 'nat', ['const_error']],
    [op('get', { list: [nat(1), nat(2)] }, nat(1)), 'nat'],
    [op('get', { map: [{ key: txt('a'), value: nat(1) }] }, txt('b')), 'nat', ['const_error']],
    [
      {
        map: [
          { key: txt('a'), value: nat(1) },
          { key: txt('a'), value: nat(2) },
        ],
      },
      'map<text, nat>',
      ['const_error'],
    ],
    [
      {
        map: [
          { key: txt('a'), value: nat(1) },
          { key: txt('a'), value: nat(1) },
        ],
      },
      'map<text, nat>',
    ],
    // Every part that can be folded is, also one that short-circuiting would pass over.
    [op('and', { bool: false }, op('eq', op('div', nat(1), nat(0)), nat(1))), 'bool', ['const_error /args/1/args/0']],
  ]);
  test.each([
    [op('eq', nat(1), { int: 1 }), ['~predicate_constant']],
    [{ bool: true }, ['~predicate_constant']],
    [op('or', { bool: true }, at('b')), ['~predicate_constant']],
    [op('and', at('b'), { bool: true }), []],
    [op('eq', at('n'), nat(1)), []],
    [at('n'), ['not_bool']],
    [at('ob'), ['not_bool']],
    [op('eq', at('ob'), { bool: true }), []],
    [{ null: {} }, ['not_bool']],
    [ref('@var:r'), ['~payload_unproven']],
  ] as const)('as a predicate: %j %j', (json, found) => {
    expect(predicate(json, { ...input, vars: { r: receipt('bool') } }).found).toEqual(found);
  });
});
