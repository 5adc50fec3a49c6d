import { pointer } from '@worldline/canon';
import { describe, expect, test } from 'vitest';
import { authoredPath } from '../src/authored-path.ts';
import type { Json } from '../src/json.ts';
import { readSlot, slotToJson } from '../src/slot.ts';
import type { Type } from '../src/type.ts';
import { SCOPE, typed } from './check-support.ts';
import { type Authored, op, ref } from './fixtures.ts';
import { json } from './support.ts';

/**
 * From places in the canonical form to places as written (values.md §3). Each reference says which it is, so the test asks
 * for every one in the canonical tree where it was written, and looks there.
 */

const a = ref('@var:a');
const b = ref('@var:b');
const c = ref('@var:c');

function refsIn(
  tree: Json,
  path: readonly (string | number)[] = [],
): { path: readonly (string | number)[]; text: string }[] {
  if (Array.isArray(tree)) return tree.flatMap((item: Json, index) => refsIn(item, [...path, index]));
  if (tree === null || typeof tree !== 'object') return [];
  const object = tree as { readonly [key: string]: Json };
  if (typeof object['ref'] === 'string') return [{ path, text: object['ref'] }];
  return Object.keys(object).flatMap((key) => refsIn(object[key] as Json, [...path, key]));
}

function partAt(tree: Json, path: readonly (string | number)[]): Json | undefined {
  return path.reduce<Json | undefined>((part, step) => (part as { [key: string]: Json } | undefined)?.[step], tree);
}

describe('every reference is found where it was written', () => {
  const rows: (readonly [string, string, Authored, readonly string[]])[] = [
    ['an expression as a whole', 'text', op('concat', a, b), ['/args/0', '/args/1']],
    ['sugar record', '{x: text, y: text}', { y: a, x: b }, ['/x', '/y']],
    ['tagged record', '{x: text, y: text}', { record: { y: a, x: b } }, ['/record/x', '/record/y']],
    ['a record with one field called record, in sugar', '{record: {x: text}}', { record: { x: a } }, ['/record/x']],
    [
      'the same, tagged',
      '{record: {x: text}}',
      { record: { record: { record: { x: a } } } },
      ['/record/record/record/x'],
    ],
    ['sugar in sugar', '{x: {y: list<text>}}', { x: { y: ['q', a] } }, ['/x/y/1']],
    [
      'tagged in sugar',
      '{x: {y: list<text>}}',
      { x: { record: { y: { list: [{ text: 'q' }, a] } } } },
      ['/x/record/y/list/1'],
    ],
    ['an operation in sugar', '{x: text}', { x: op('concat', a, { text: 'z' }) }, ['/x/args/0']],
    ['option', '{x?: {y: text}}', { x: { y: a } }, ['/x/y']],
    ['variant by arm', 'variant(Go: {x: text}, Stop)', { Go: { x: a } }, ['/Go/x']],
    ['variant by envelope', 'variant(Go: {x: text}, Stop)', { $tag: 'Go', $value: { x: a } }, ['/$value/x']],
    [
      'variant, tagged',
      'variant(Go: {x: text}, Stop)',
      { variant: { tag: 'Go', value: { record: { x: a } } } },
      ['/variant/value/record/x'],
    ],
    ['variant with an arm called variant', 'variant(variant: {x: text})', { variant: { x: a } }, ['/variant/x']],
    ['sugar list', 'list<text>', [a, 'q', b], ['/0', '/2']],
    ['sugar set: literals are sorted before expressions', 'set<text>', ['bb', a, 'a', b], ['/1', '/3']],
    ['tagged set', 'set<text>', { set: [{ text: 'z' }, a] }, ['/set/1']],
    ['sugar map by name', 'map<text, text>', { zz: a, b: 'q', a: b }, ['/a', '/zz']],
    [
      'sugar map of pairs',
      'map<nat, text>',
      [
        [2, a],
        [1, b],
      ],
      ['/0/1', '/1/1'].reverse(),
    ],
    [
      'sugar map with open keys',
      'map<text, text>',
      [
        [a, 'x'],
        ['k', b],
      ],
      ['/1/1', '/0/0'],
    ],
    ['tagged map', 'map<text, text>', { map: [{ key: a, value: b }] }, ['/map/0/key', '/map/0/value']],
    ['map of records', 'map<text, {x: text}>', { k: { x: c } }, ['/k/x']],
    ['comments do not count', '{x: text}', { $comment: 'c', record: { x: a } }, ['/record/x']],
  ];
  test.each(rows)('%s', (_, notation, written, places) => {
    const source = json(JSON.stringify(written));
    const type = typed(notation) as Type;
    const read = readSlot(source, type, SCOPE);
    if (!read.ok) throw new Error(JSON.stringify(read.failure));
    const refs = refsIn(slotToJson(read.value));
    const found = refs.map(({ path, text }) => {
      const at = authoredPath(source, type, path, SCOPE);
      expect(partAt(source, at), pointer(path)).toMatchObject({ ref: text });
      return pointer(at);
    });
    expect([...found].sort()).toEqual([...places].sort());
  });
});

test('what nobody wrote is shown at what is around it', () => {
  const type = typed('{x: {y: text, z?: text}}') as Type;
  const at = (written: Authored, path: readonly (string | number)[]) =>
    pointer(authoredPath(json(JSON.stringify(written)), type, path, SCOPE));
  expect(at({ record: { x: { record: { z: a } } } }, ['record', 'x', 'record', 'y'])).toBe('/record/x/record');
  expect(at({ x: { y: a } }, ['record', 'x', 'record', 'z'])).toBe('/x');
});

test('without a type the path is the same', () => {
  expect(authoredPath(json('{"list":[{"nat":1}]}'), undefined, ['list', 0], SCOPE)).toEqual(['list', 0]);
});
