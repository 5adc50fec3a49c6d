import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { valuesEqual } from '../src/compare.ts';
import { knownOf } from '../src/envelope-eval.ts';
import {
  admitsValue,
  anyFrom,
  conformKnown,
  exactly,
  joined,
  type Known,
  knownEach,
  knownRecord,
  knownVariant,
  matchesPattern,
  union,
} from '../src/envelope-known.ts';
import { evaluate } from '../src/evaluate.ts';
import type { Expr } from '../src/expr.ts';
import { text, type Value } from '../src/value.ts';
import { conform } from '../src/value-conform.ts';
import { typedValueArb } from './arbitraries.ts';
import { anyEnv, anyExpr, dataValue } from './evaluate-support.ts';

/** What is known before a run holds every value that a run can have (N1), tried against the evaluator itself. */

const RUNS = Number(process.env['WORLDLINE_ENVELOPE_RUNS'] ?? 120) * 25;
const FRESH = Number(process.env['WORLDLINE_SEED'] ?? (Math.random() * 2 ** 31) | 0);
const SEEDS = [
  ['fixed', 20_261_128],
  ['fresh', FRESH],
] as const;

type Choose = (max: number) => number;

/** Some description that holds the value: as itself, as anything, in parts, or beside others. */
function describeValue(value: Value, choose: Choose, depth = 4): Known {
  if (!isData(value)) return anyFrom('…');
  const choice = choose(5);
  if (choice === 0 || depth === 0) return anyFrom('@plan.input');
  if (choice === 1) return union([exactly(value), exactly(text('other')), exactly({ kind: 'bool', value: true })]);
  if (choice > 3) return exactly(value);
  const inner = (part: Value) => describeValue(part, choose, depth - 1);
  switch (value.kind) {
    case 'text': {
      const points = [...value.value];
      const [a, b] = [choose(points.length), choose(points.length)].sort((x, y) => x - y) as [number, number];
      const parts = [points.slice(0, a).join(''), points.slice(b).join('')];
      return { is: 'text', parts, holes: ['x'] };
    }
    case 'record':
      return knownRecord(new Map([...value.fields].map(([name, field]) => [name, inner(field)])));
    case 'variant':
      return knownVariant(value.tag, inner(value.value));
    case 'list':
      return knownEach(value.items.map(inner));
    case 'map':
      return knownEach(value.entries.map(([, item]) => inner(item)));
    default:
      return exactly(value);
  }
}

/** Receipts and handles are never constant. */
function isData(value: Value): boolean {
  switch (value.kind) {
    case 'receipt':
    case 'handle':
      return false;
    case 'list':
    case 'set':
      return value.items.every(isData);
    case 'map':
      return value.entries.every(([key, item]) => isData(key) && isData(item));
    case 'record':
      return [...value.fields.values()].every(isData);
    case 'variant':
      return isData(value.value);
    default:
      return true;
  }
}

/** The constants that an author can write. */
function hasDataOnly(expr: Expr): boolean {
  switch (expr.form) {
    case 'ref':
      return true;
    case 'const':
      return isData(expr.value);
    case 'op':
      return expr.args.every(hasDataOnly);
    case 'record':
      return expr.fields.every(([, field]) => hasDataOnly(field));
    case 'list':
    case 'set':
      return expr.items.every(hasDataOnly);
    case 'map':
      return expr.entries.every(([key, value]) => hasDataOnly(key) && hasDataOnly(value));
    case 'variant':
      return expr.value === undefined || hasDataOnly(expr.value);
    default:
      return expr satisfies never;
  }
}

const choices = fc.infiniteStream(fc.nat());
const chooser =
  (stream: Iterator<number>): Choose =>
  (max) =>
    (stream.next().value as number) % (max + 1);

describe.each(SEEDS)('%s seed %i', (_, seed) => {
  test('what an expression evaluates to is a member of what is known of it', () => {
    let values = 0;
    let narrow = 0;
    fc.assert(
      fc.property(anyExpr, anyEnv, choices, (expr, env, stream) => {
        fc.pre(hasDataOnly(expr));
        const choose = chooser(stream);
        const roots = new Map<string, Known>();
        const known = knownOf(expr, (ref) => {
          const key = `${ref.root} ${ref.name ?? ''}`;
          const value = evaluate({ ...ref, path: [] }, env);
          const made = roots.get(key) ?? (value.ok ? describeValue(value.value, choose) : anyFrom(key));
          roots.set(key, made);
          return made;
        });
        const value = evaluate(expr, env);
        if (!value.ok) return;
        values++;
        if (known.is !== 'any') narrow++;
        expect(admitsValue(known, value.value)).toBe(true);
      }),
      { seed, numRuns: RUNS },
    );
    // Not by knowing nothing.
    expect(narrow).toBeGreaterThan(values / 4);
  });

  test('what fits a type is a member of what is known to fit it', () => {
    fc.assert(
      fc.property(fc.oneof(typedValueArb(), fc.tuple(typedValueArb(), dataValue)), choices, (given, stream) => {
        const [{ type, scope }, value] = Array.isArray(given) ? given : [given, given.value];
        const known = describeValue(value, chooser(stream));
        expect(admitsValue(known, value)).toBe(true);
        const fitted = conform(value, type, scope);
        if (fitted.ok) expect(admitsValue(conformKnown(known, type, scope), fitted.value)).toBe(true);
      }),
      { seed, numRuns: RUNS },
    );
  });

  test('texts joined are a member of their patterns joined', () => {
    const textArb = fc.string({ unit: fc.constantFrom('a', 'b', '/', '😀') });
    fc.assert(
      fc.property(fc.array(textArb, { minLength: 1, maxLength: 4 }), choices, (texts, stream) => {
        const choose = chooser(stream);
        const [first, ...rest] = texts.map((one) => describeValue(text(one), choose));
        const all = rest.reduce((a, b) => joined(a, b), first as Known);
        if (all.is === 'text') expect(matchesPattern(texts.join(''), all)).toBe(true);
        else expect(admitsValue(all, text(texts.join('')))).toBe(true);
      }),
      { seed, numRuns: RUNS },
    );
  });
});

describe('patterns', () => {
  test.each([
    ['', ['', ''], true],
    ['ab', ['a', 'b'], true],
    ['a', ['a', 'a'], false],
    ['aa', ['a', 'a'], true],
    ['abcb', ['a', 'b', 'b'], true],
    ['abc', ['a', 'b', 'b'], false],
    ['https://a.example/x', ['https://a.example/', ''], true],
    ['https://b.example/x', ['https://a.example/', ''], false],
    ['x', ['x'], true],
    ['xx', ['x'], false],
  ])('%j is of %j: %s', (value, parts, matches) => {
    expect(matchesPattern(value, { parts, holes: parts.slice(1) })).toBe(matches);
  });
});

test('a value outside is no member', () => {
  const pattern = joined(exactly(text('a/')), anyFrom('x'));
  expect(admitsValue(pattern, text('b/1'))).toBe(false);
  expect(
    admitsValue(knownRecord(new Map([['a', exactly(text('1'))]])), {
      kind: 'record',
      fields: new Map([['a', text('2')]]),
    }),
  ).toBe(false);
  expect(admitsValue(union([exactly(text('a')), exactly(text('b'))]), text('c'))).toBe(false);
  expect(admitsValue(knownEach([exactly(text('a'))]), { kind: 'list', items: [text('a'), text('b')] })).toBe(false);
  expect(admitsValue(knownVariant('A', anyFrom('x')), { kind: 'variant', tag: 'B', value: text('') })).toBe(false);
  expect(valuesEqual(text('a'), text('b'))).toBe(false);
});
