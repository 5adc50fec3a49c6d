import { unwrap } from '@worldline/canon';
import { describe, expect, test } from 'vitest';
import { type Json, JsonFloat, locate, parseJson, printJson } from '../src/index.ts';
import { json } from './support.ts';

function failure(text: string) {
  const result = parseJson(text);
  if (result.ok) throw new Error(`accepted ${text}`);
  const { code, line, column } = result.failure;
  return [code, line, column];
}

describe('parseJson (values.md §3.1)', () => {
  test('reads what JSON.parse reads', () => {
    const text = ' {"a":[1,-2,0,true,false,null,"x\\n\\u00e9\\ud83d\\ude00\\/"],"b":{},"c":[],"":"" } ';
    expect(JSON.parse(printJson(json(text)))).toEqual(JSON.parse(text));
  });

  test('keeps integers exact, as a number when safe and a bigint beyond', () => {
    expect(json('[9007199254740991,9007199254740992,-9223372036854775808,18446744073709551615,-0]')).toEqual([
      9007199254740991,
      9007199254740992n,
      -9223372036854775808n,
      18446744073709551615n,
      0,
    ]);
    expect(Object.is((json('[-0]') as Json[])[0], 0)).toBe(true);
  });

  test('a number with a fraction or exponent is never an integer', () => {
    expect(json('[1.0,1e3,-1E-2]')).toEqual([new JsonFloat('1.0'), new JsonFloat('1e3'), new JsonFloat('-1E-2')]);
  });

  test('member names of the prototype are ordinary names', () => {
    const object = json('{"__proto__":1,"constructor":2,"toString":3}') as { [key: string]: Json };
    expect(Object.keys(object)).toEqual(['__proto__', 'constructor', 'toString']);
    expect(Object.getPrototypeOf(object)).toBeNull();
    expect(Object.values(object)).toEqual([1, 2, 3]);
  });

  test('a leading byte order mark is skipped', () => {
    expect(json('\ufeff[1]')).toEqual([1]);
  });

  test.each([
    ['{"a":1,\n "a":2}', 'json.duplicate_key', 2, 2],
    ['{"x":{"__proto__":1,"__proto__":1}}', 'json.duplicate_key', 1, 21],
    ['["\\ud800"]', 'json.invalid', 1, 2],
    ['["\ud800"]', 'json.invalid', 1, 2],
    ['{"\\udc00":1}', 'json.invalid', 1, 2],
    ['', 'json.invalid', 1, 1],
    ['  \n', 'json.invalid', 2, 1],
    ['[1,]', 'json.invalid', 1, 4],
    ['{"a"}', 'json.invalid', 1, 5],
    ['{a:1}', 'json.invalid', 1, 2],
    ['{"a":1,}', 'json.invalid', 1, 8],
    ['[1 2]', 'json.invalid', 1, 4],
    ['01', 'json.invalid', 1, 2],
    ['+1', 'json.invalid', 1, 1],
    ['.5', 'json.invalid', 1, 1],
    ['1.', 'json.invalid', 1, 2],
    ['NaN', 'json.invalid', 1, 1],
    ['nul', 'json.invalid', 1, 1],
    ["'a'", 'json.invalid', 1, 1],
    ['"a\nb"', 'json.invalid', 1, 3],
    ['"a', 'json.invalid', 1, 3],
    ['"\\x"', 'json.invalid', 1, 2],
    ['"\\u12g4"', 'json.invalid', 1, 2],
    ['{} {}', 'json.invalid', 1, 4],
    ['[1] // no', 'json.invalid', 1, 5],
  ])('refuses %j as %s at %i:%i', (text, code, line, column) => {
    expect(failure(text)).toEqual([code, line, column]);
  });

  test('nests 128 deep and no deeper, and a hostile depth ends early', () => {
    expect(parseJson('['.repeat(128) + ']'.repeat(128)).ok).toBe(true);
    expect(failure('['.repeat(129) + ']'.repeat(129))).toEqual(['json.invalid', 1, 129]);
    expect(failure('{"a":'.repeat(1_000_000))[0]).toBe('json.invalid');
  });

  test('an integer of a thousand digits is read, one of a million is refused', () => {
    expect(json('9'.repeat(1000))).toBe(10n ** 1000n - 1n);
    expect(failure('9'.repeat(1_000_000))).toEqual(['json.invalid', 1, 1]);
  });

  test('a failure says where in the document it is', () => {
    const result = parseJson('{"steps":[{"id":"a"},{"id":x}]}');
    expect(!result.ok && result.failure.path).toEqual(['steps', 1, 'id']);
    expect(!result.ok && result.failure.offset).toBe(27);
  });
});

describe('printJson', () => {
  test('integers beyond ±(2^53−1) become decimal strings (values.md §3.4)', () => {
    expect(printJson([9007199254740991, 9007199254740992n, -9007199254740992n, -0])).toBe(
      '[9007199254740991,"9007199254740992","-9007199254740992",0]',
    );
  });

  test('indents like JSON.stringify', () => {
    const value = { a: [1, { b: [] }], c: {} };
    expect(printJson(json(JSON.stringify(value)), 2)).toBe(JSON.stringify(value, null, 2));
  });
});

describe('locate', () => {
  const text = '{\n  "a": 1,\n  "steps": [\n    {"id": "x", "é😀": [10, 20]},\n    {"id": "y"}\n  ]\n}';

  test.each<[(string | number)[], number, number]>([
    [[], 1, 1],
    [['a'], 2, 8],
    [['steps', 1], 5, 5],
    [['steps', 0, 'é😀', 1], 4, 29],
    [['steps', 1, 'missing'], 5, 5],
    [['steps', 7, 'id'], 3, 12],
    [['a', 'b'], 2, 8],
  ])('%j begins at %i:%i, or at the nearest enclosing value', (path, line, column) => {
    expect(locate(text, path)).toMatchObject({ line, column });
  });

  test('points at the key when asked', () => {
    expect(locate(text, ['steps', 1, 'id'], { key: true })).toMatchObject({ line: 5, column: 6 });
    expect(locate(text, ['steps', 1], { key: true })).toMatchObject({ line: 5, column: 5 });
  });

  test('says nothing about a text that is no JSON up to there', () => {
    expect(locate('', [])).toBeUndefined();
    expect(locate('{"a": nope, "b": 1}', ['b'])).toBeUndefined();
    expect(unwrap({ ok: true, value: locate('{"b": 1, nope', ['b']) })).toMatchObject({ line: 1, column: 7 });
  });
});
