import { describe, expect, test } from 'vitest';
import { assignable } from '../src/assignable.ts';
import { commonType } from '../src/common-type.ts';
import { type StaticType, TypeTable } from '../src/static-type.ts';
import { expect_, hintOf, infer, type Notation, type Readable, SCOPE, typed } from './check-support.ts';
import { type Authored, op, ref } from './fixtures.ts';
import { scopeOf } from './support.ts';

/** Assignability (expressions.md §13.3) row by row, and common types (§13.4). */

const integer: StaticType = { kind: 'integer' };
const none: StaticType = { kind: 'none' };
const never: StaticType = { kind: 'never' };
const listOf = (item: StaticType): StaticType => ({ kind: 'list', item });
const unknown: StaticType = { kind: 'unknown' };
const variantOf = (arms: Readonly<Record<string, StaticType>>): StaticType => ({
  kind: 'variant',
  arms: new Map(Object.entries(arms)),
});
const payload = (...arms: string[]): StaticType => ({
  kind: 'payload',
  arms: new Map(arms.map((arm, index) => [`A${index}`, typed(arm)])),
});

/** `yes`, `no`, or `check` with its warnings. */
function verdict(from: Notation, to: Notation, table = new TypeTable(SCOPE)): string {
  const answer = assignable(typed(from), typed(to), table);
  if (!answer.fits) return 'no';
  return answer.checked ? ['check', ...answer.warnings].join(' ') : 'yes';
}

const UNIT = 'check unit_conversion';
const TEXT = 'check text_conversion';
const UNWRAP = 'check option_unwrap_unproven';
const ARM = 'check variant_unrefined';

describe('S ≤ T (§13.3)', () => {
  const rows: (readonly [string, Notation, Notation, string])[] = [
    // Equal types.
    ...['bool', 'int', 'nat', 'dec128', 'bytes', 'text', 'time', 'duration', 'hash', 'uuid', 'unit'].map(
      (kind) => ['equal', kind, kind, 'yes'] as const,
    ),
    ['equal', '{a: nat, b?: text}', '{b?: text, a: nat}', 'yes'],
    ['equal', 'variant(A, B: nat)', 'variant(B: nat, A)', 'yes'],
    // Integers.
    ['integer', 'int', 'nat', 'check'],
    ['integer', 'nat', 'int', 'check'],
    ['integer', integer, 'int', 'check'],
    ['integer', integer, 'nat', 'check'],
    ...['int', 'nat', integer].flatMap((from) => ['time', 'duration'].map((to) => ['unit', from, to, UNIT] as const)),
    ...['int', 'nat'].flatMap((to) => ['time', 'duration'].map((from) => ['unit', from, to, UNIT] as const)),
    ['unit', 'time', 'duration', UNIT],
    ['unit', 'duration', 'time', UNIT],
    ['integer', 'nat', 'text', 'no'],
    ['integer', 'nat', 'dec128', 'no'],
    // Text.
    ['text', 'text', 'hash', TEXT],
    ['text', 'text', 'uuid', TEXT],
    ['text', 'text', 'dec128', TEXT],
    ['text', 'hash', 'text', 'yes'],
    ['text', 'uuid', 'text', 'yes'],
    ['text', 'dec128', 'text', 'yes'],
    ['text', 'hash', 'uuid', 'no'],
    ['text', 'text', 'bytes', 'no'],
    // None and options.
    ['none', none, 'option<nat>', 'yes'],
    ['none', none, 'unit', 'yes'],
    ['none', none, 'nat', 'no'],
    ['into an option', 'nat', 'option<nat>', 'yes'],
    ['into an option', 'int', 'option<nat>', 'check'],
    ['into an option', 'text', 'option<nat>', 'no'],
    ['out of an option', 'option<nat>', 'nat', UNWRAP],
    ['out of an option', 'option<hash>', 'text', UNWRAP],
    ['out of an option', 'option<text>', 'hash', `${TEXT} option_unwrap_unproven`],
    ['out of an option', 'option<nat>', 'text', 'no'],
    ['option to option', 'option<hash>', 'option<text>', 'yes'],
    ['option to option', 'option<nat>', 'option<int>', 'check'],
    ['option to option', 'option<nat>', 'option<text>', 'no'],
    ['unit is no option', 'unit', 'option<nat>', 'no'],
    // Collections: nothing inside is converted when it runs.
    ['collection', 'list<hash>', 'list<text>', 'yes'],
    ['collection', 'list<nat>', 'list<option<nat>>', 'yes'],
    ['collection', 'list<nat>', 'list<int>', 'no'],
    ['collection', 'list<option<nat>>', 'list<nat>', 'no'],
    ['collection', listOf(never), 'list<text>', 'yes'],
    ['collection', listOf(integer), 'list<nat>', 'no'],
    ['collection', 'set<hash>', 'set<text>', 'yes'],
    ['collection', 'set<nat>', 'list<nat>', 'no'],
    ['collection', 'list<nat>', 'set<nat>', 'no'],
    ['collection', 'map<text, hash>', 'map<text, text>', 'yes'],
    ['collection', 'map<hash, nat>', 'map<text, nat>', 'no'],
    ['collection', 'map<text, nat>', 'map<text, int>', 'no'],
    // Records: the same fields.
    ['record', '{a: hash}', '{a: text}', 'yes'],
    ['record', '{a: hash}', '{a?: text}', 'yes'],
    ['record', '{a: nat}', '{a: int}', 'no'],
    ['record', '{a: nat}', '{a: nat, b?: text}', 'no'],
    ['record', '{a: nat, b: text}', '{a: nat}', 'no'],
    // Variants: identical only.
    ['variant', 'variant(A: hash)', 'variant(A: text)', 'no'],
    ['variant', 'variant(A)', 'variant(A, B)', 'no'],
    // What is wrong inside a type is reported there.
    ['unknown', listOf(variantOf({ A: unknown, B: typed('text') })), 'list<variant(A: nat, B: text)>', 'yes'],
    ['unknown', variantOf({ A: listOf(unknown), B: typed('text') }), 'variant(A: list<nat>, B: text)', 'yes'],
    ['unknown', variantOf({ A: unknown, B: typed('text') }), 'variant(A: nat, B: hash)', 'no'],
    ['unknown', variantOf({ A: unknown }), 'variant(A: nat, B: text)', 'no'],
    // Payloads.
    ['payload', payload('nat', 'text'), 'nat', ARM],
    ['payload', payload('nat', 'text'), 'bool', 'no'],
    // Seed 431015027 of check-properties: one warning, whatever is in doubt about the arms; none is among it.
    ['payload', payload('nat', 'option<nat>'), 'nat', ARM],
    ['payload', payload('hash', 'uuid'), 'text', 'yes'],
    ['payload', payload('nat', 'unit'), 'option<nat>', ARM],
    // Never, and what was reported.
    ['never', never, 'variant(A)', 'yes'],
    ['unknown', { kind: 'unknown' }, 'hash', 'yes'],
    ['unknown', 'hash', { kind: 'unknown' }, 'yes'],
  ];
  test.each(rows)('%s: %j ≤ %j: %s', (_, from, to, answer) => {
    expect(verdict(from, to)).toBe(answer);
  });

  test('types are nominal by content: names and ways of writing do not matter', () => {
    const scope = scopeOf({
      't/A@1': '{x: t/B@1}',
      't/B@1': 'nat',
      't/C@1': '{x: t/D@1}',
      't/D@1': 't/B@1',
      't/E@1': '{x: int}',
    });
    const table = new TypeTable(scope);
    const named = (name: string): StaticType => ({ kind: 'ref', name });
    expect(verdict(named('t/A@1'), named('t/C@1'), table)).toBe('yes');
    expect(verdict(named('t/A@1'), '{x: nat}', table)).toBe('yes');
    expect(verdict(named('t/A@1'), named('t/E@1'), table)).toBe('no');
    expect(table.same(named('t/A@1'), named('t/C@1'))).toBe(true);
  });

  test('schemas that share parts a hundredfold are compared in the time of their text', () => {
    const schemas: Record<string, string> = { 't/L0@1': 'nat', 't/R0@1': 'int' };
    for (let depth = 1; depth <= 200; depth += 1) {
      schemas[`t/L${depth}@1`] = `{a: t/L${depth - 1}@1, b: t/L${depth - 1}@1}`;
      schemas[`t/R${depth}@1`] = `{a: t/R${depth - 1}@1, b: t/R${depth - 1}@1}`;
    }
    const table = new TypeTable(scopeOf(schemas));
    // Expanded, either has 2^200 leaves.
    expect(verdict({ kind: 'ref', name: 't/L200@1' }, { kind: 'ref', name: 't/R200@1' }, table)).toBe('no');
    expect(verdict({ kind: 'ref', name: 't/L200@1' }, { kind: 'ref', name: 't/L200@1' }, table)).toBe('yes');
  });

  test('a chain of ten thousand schemas, and schemas in a circle, have types', () => {
    const schemas: Record<string, string> = { 't/S0@1': 'nat', 't/X@1': '{y: t/Y@1}', 't/Y@1': '{x: t/X@1}' };
    for (let depth = 1; depth <= 10_000; depth += 1) schemas[`t/S${depth}@1`] = `{a: t/S${depth - 1}@1}`;
    const table = new TypeTable(scopeOf(schemas));
    expect(table.idOf({ kind: 'ref', name: 't/S10000@1' })).not.toBe(table.idOf({ kind: 'ref', name: 't/S9999@1' }));
    expect(table.same({ kind: 'ref', name: 't/X@1' }, { kind: 'ref', name: 't/X@1' })).toBe(true);
  });
});

describe('values in slots', () => {
  const readable: Readable = {
    input:
      '{n: nat, i: int, t: text, url: text, h: hash, on?: nat, ot?: text, at: time, l: list<nat>, v: variant(A: nat, B: text), big: {n: nat}}',
    vars: { h: { kind: 'handle', effect: 't.do' } },
  };
  const at = (field: string) => ref(`@plan.input.${field}`);
  const rows: (readonly [string, Authored, Notation, readonly string[]])[] = [
    ['a number for a text', at('n'), 'text', ['slot_type']],
    ['an int for a nat is checked when it runs', at('i'), 'nat', []],
    ['a constant is checked at once', { int: -1 }, 'nat', ['const_range']],
    ['a constant that fits', { int: 1 }, 'nat', []],
    ['what constants come to, too (X7)', op('sub', { nat: 2 }, { nat: 5 }), 'nat', ['const_range']],
    ['what constants come to, in range', op('sub', { nat: 5 }, { nat: 2 }), 'nat', []],
    ['a time as a number', at('at'), 'nat', ['~unit_conversion']],
    ['a number as a time', { nat: 5 }, 'time', ['~unit_conversion']],
    ['text for a hash', at('t'), 'hash', ['~text_conversion']],
    ['a constant text that is no hash', { text: 'x' }, 'hash', ['const_error']],
    ['a constant text that is a hash', { text: `sha256:${'0'.repeat(64)}` }, 'hash', []],
    ['an option unproven', at('on'), 'nat', ['~option_unwrap_unproven']],
    ['an option for an option', at('on'), 'option<nat>', []],
    ['a handle', ref('@var:h'), 'text', ['handle_misuse']],
    ['a handle in a list', { list: [ref('@var:h')] }, 'list<text>', ['handle_misuse /list/0']],
    ['a payload of some arm', op('get', at('v'), { text: '$value' }), 'nat', ['~variant_unrefined']],
    ['a payload of no arm', op('get', at('v'), { text: '$value' }), 'bool', ['slot_type']],
    ['a record, field by field', { record: { a: at('n'), b: at('n') } }, '{a: nat, b: text}', ['slot_type /record/b']],
    ['a record without its option', { record: { a: at('n') } }, '{a: nat, b?: text}', []],
    [
      'a record without a field',
      { record: {} },
      '{a: nat, b: text}',
      ['value.missing_field /record/a', 'value.missing_field /record/b'],
    ],
    ['a record with a field too many', { record: { a: at('n'), c: at('n') } }, '{a: nat}', ['unknown_field /record/c']],
    ['a record for a text', { record: { a: at('nope') } }, 'text', ['slot_type', 'unknown_field /record/a']],
    ['items of a constructor may be converted', { list: [at('i'), { int: 2 }] }, 'list<nat>', []],
    ['an item that does not fit', { list: [at('n'), at('t')] }, 'list<nat>', ['slot_type /list/1']],
    ['a list for a set', { list: [at('n')] }, 'set<nat>', ['slot_type']],
    ['a set', { set: [at('n'), at('t')] }, 'set<nat>', ['slot_type /set/1']],
    ['a map', { map: [{ key: at('n'), value: at('n') }] }, 'map<text, nat>', ['slot_type /map/0/key']],
    [
      'a map key that could never be one',
      { map: [{ key: at('at'), value: at('n') }] },
      'map<nat, nat>',
      ['~unit_conversion /map/0/key', 'key_type /map/0/key'],
    ],
    ['a map value', { map: [{ key: at('t'), value: at('t') }] }, 'map<text, nat>', ['slot_type /map/0/value']],
    ['an arm', { variant: { tag: 'A', value: at('n') } }, 'variant(A: nat, B)', []],
    [
      'an arm with another payload',
      { variant: { tag: 'A', value: at('t') } },
      'variant(A: nat, B)',
      ['slot_type /variant/value'],
    ],
    [
      'an arm that is not there',
      { variant: { tag: 'C', value: at('nope') } },
      'variant(A: nat, B)',
      ['unknown_tag /variant/tag', 'unknown_field /variant/value'],
    ],
    ['an arm without its payload', { variant: { tag: 'A' } }, 'variant(A: nat, B)', ['value.missing_payload']],
    ['an arm without data', { variant: { tag: 'B' } }, 'variant(A: nat, B)', []],
    ['none for unit (X28)', { null: {} }, 'unit', []],
    ['none for a text', { null: {} }, 'text', ['slot_type']],
    ['inside an option', { record: { a: at('t') } }, 'option<{a: nat}>', ['slot_type /record/a']],
  ];
  test.each(rows)('%s', (_, json, expected, found) => {
    expect(expect_(json, expected, readable).found).toEqual(found);
  });

  test('the finding says what was expected, what was found, and names the field that would do (§13.6)', () => {
    const { findings } = expect_({ record: { url: at('n') } }, '{url: text}', readable);
    expect({ ...findings[0], hint: hintOf(findings[0]!) }).toEqual({
      code: 'slot_type',
      path: ['record', 'url'],
      message: 'slot.url: expected text, found nat (@plan.input.n)',
      hint: 'Use the text field @plan.input.url.',
      fields: { expected: 'text', found: 'nat' },
    });
  });
});

describe('common types (§13.4)', () => {
  const common = (a: Notation, b: Notation): string => {
    const table = new TypeTable(SCOPE);
    const type = commonType(typed(a), typed(b), table);
    return type === undefined ? '-' : table.text(type);
  };
  test.each([
    ['nat', 'nat', 'nat'],
    ['nat', 'int', 'integer'],
    [integer, 'int', 'integer'],
    ['nat', 'time', '-'],
    [none, 'nat', 'option<nat>'],
    [none, 'option<nat>', 'option<nat>'],
    [none, 'unit', 'unit'],
    [none, none, 'none'],
    ['nat', 'option<nat>', 'option<nat>'],
    ['nat', 'option<int>', 'option<integer>'],
    ['text', 'hash', '-'],
    ['list<nat>', listOf(never), 'list<nat>'],
    ['list<nat>', 'list<int>', '-'],
    ['{a: nat}', '{a: int}', '-'],
    [never, 'text', 'text'],
    [{ kind: 'unknown' }, 'text', 'unknown'],
    [none, { kind: 'handle', effect: 'x' }, '-'],
  ] as const)('%j and %j: %s', (a, b, type) => {
    expect(common(a, b)).toBe(type);
    expect(common(b, a)).toBe(type);
  });

  test.each([
    [{ list: [{ nat: 1 }, { int: -1 }] }, 'list<integer>', []],
    [{ list: [{ null: {} }, { text: 'x' }] }, 'list<option<text>>', []],
    [{ list: [] }, 'list<never>', []],
    [{ list: [{ nat: 1 }, { text: 'x' }, { bool: true }] }, 'list<unknown>', ['element_type /list/1']],
    [{ set: [{ nat: 1 }, { nat: 2 }] }, 'set<nat>', []],
    [{ set: [{ list: [] }] }, 'set<unknown>', ['element_type /set/0']],
    [{ map: [{ key: { nat: 1 }, value: { text: 'x' } }] }, 'map<nat, text>', []],
    [{ map: [{ key: { bool: true }, value: { text: 'x' } }] }, 'map<unknown, text>', ['key_type /map/0/key']],
    [
      {
        map: [
          { key: { nat: 1 }, value: { text: 'x' } },
          { key: { text: 'a' }, value: { nat: 1 } },
        ],
      },
      'map<unknown, unknown>',
      ['key_type /map/1/key', 'element_type /map/1/value'],
    ],
    [{ record: { a: { nat: 1 } } }, 'record{a}', []],
    [{ variant: { tag: 'A' } }, 'unknown', ['unknown_tag']],
  ] as const)('%j without an expected type: %s %j', (json, type, found) => {
    expect(infer(json)).toMatchObject({ found, type });
  });
});
