import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SourceLines, tokenEnd } from '../src/source-frame.ts';
import { textWidth } from '../src/text-width.ts';

/** The text above the mark, cut by columns as a terminal would. */
function marked(text: string, line: number, column: number, columnsMax = 80): string {
  const frame = new SourceLines(text).frame(line, column, columnsMax);
  if (frame === undefined) throw new Error('no such line');
  let [at, found] = [0, ''];
  for (const { segment } of new Intl.Segmenter('en').segment(frame.line)) {
    if (at >= frame.indent && at < frame.indent + frame.width) found += segment;
    at += textWidth(segment);
  }
  return found;
}

describe('the mark stands under the whole token', () => {
  test.each([
    ['a string', '{"a": "b\\"c", "d": 1}', 7, '"b\\"c"'],
    ['a member name', '{"a": "b"}', 2, '"a"'],
    ['a number', '[1, -2.5e3, 4]', 5, '-2.5e3'],
    ['a word', '[true, nul]', 8, 'nul'],
    ['an object on one line', '[{"a": [1, "]"]}, 2]', 2, '{"a": [1, "]"]}'],
    ['an object over several lines: its bracket', '[{\n}]', 2, '{'],
    ['a text that does not end: one character', '["abc', 2, '"'],
    ['no token: one character', '[1 2]', 4, '2'],
    ['the end of the line', '{"a": 1', 8, ''],
  ])('%s', (_what, text, column, found) => {
    expect(marked(text, 1, column)).toBe(found);
  });
});

describe('the mark keeps its place', () => {
  test.each([
    ['behind tabs', '\t\t"a": 7', 8, '7'],
    ['behind wide characters', '{"名前": 7}', 8, '7'],
    ['under wide characters', '{"a": "名前"}', 7, '"名前"'],
    ['behind a picture of several code points', '{"👩‍👩‍👧": 7}', 14, '7'],
    ['behind combining marks', '{"e\u0301": 7}', 8, '7'],
    ['behind a control character, which is spelt out', '{"\u0007": 7}', 7, '7'],
    ['behind a text that would turn the line around', '{"\u202e": 7}', 7, '7'],
    ['behind a byte order mark, which no column counts', '\ufeff{"a": 7}', 7, '7'],
  ])('%s', (_what, text, column, found) => {
    expect(marked(text, 1, column)).toBe(found);
  });

  test('a line that ends with CR LF ends before both', () => {
    const frame = new SourceLines('[\r\n  1,\r\n  x\r\n]').frame(3, 3, 80);
    expect(frame).toEqual({ line: '  x', indent: 2, width: 1 });
  });

  test('there is no frame for a line that is not there', () => {
    expect(new SourceLines('[]').frame(2, 1, 80)).toBeUndefined();
  });
});

describe('a long line is cut around its place', () => {
  const filler = '"aaaaaaaaaa", '.repeat(1000);

  test('on both sides, with a sign for what is left out', () => {
    const text = `[${filler}"HERE", ${filler}]`;
    const column = text.indexOf('"HERE"') + 1;
    expect(marked(text, 1, column)).toBe('"HERE"');
    const frame = new SourceLines(text).frame(1, column, 80);
    expect(frame?.line).toMatch(/^….*…$/);
    expect(textWidth(frame?.line ?? '')).toBeLessThanOrEqual(80);
  });

  test('a token longer than the line is marked up to where it is cut', () => {
    const text = `["${'x'.repeat(500)}"]`;
    const frame = new SourceLines(text).frame(1, 2, 80);
    expect(frame?.indent).toBe(1);
    expect(marked(text, 1, 2)).toMatch(/^"x+$/);
  });

  test('whatever the text, the frame fits, has a mark, and the mark begins at the place', () => {
    const seed = Number(process.env['WORLDLINE_SEED'] ?? Date.now() % 2 ** 31);
    const piece = fc.constantFrom(
      'a',
      '"',
      '{',
      '}',
      '[',
      '\t',
      '名',
      '👩‍👩‍👧',
      'e\u0301',
      '\u0007',
      '\ufeff',
      ' ',
      '\r',
      '\\',
      '7',
    );
    for (const one of [20261128, seed]) {
      fc.assert(
        fc.property(
          fc.array(piece, { maxLength: 300 }),
          fc.nat(400),
          fc.integer({ min: 20, max: 120 }),
          (parts, at, max) => {
            const text = `${parts.join('')}\nnext`;
            const frame = new SourceLines(text).frame(1, at + 1, max);
            if (frame === undefined) throw new Error('line 1 is always there');
            expect(textWidth(frame.line)).toBeLessThanOrEqual(max);
            expect(frame.width).toBeGreaterThanOrEqual(1);
            expect(frame.indent).toBeGreaterThanOrEqual(0);
            expect(frame.indent + frame.width).toBeLessThanOrEqual(max);
            expect(frame.line).not.toMatch(/\p{Cc}/u);
          },
        ),
        { seed: one, numRuns: Number(process.env['WORLDLINE_FUZZ_RUNS'] ?? 300) },
      );
    }
    console.log(`source-frame: seed ${seed}`);
  });
});

describe('tokenEnd', () => {
  test('never reads beyond the text', () => {
    expect(tokenEnd('', 0)).toBe(1);
    expect(tokenEnd('"a\\', 0)).toBe(1);
    expect(tokenEnd('[{"a"', 0)).toBe(1);
  });
});
