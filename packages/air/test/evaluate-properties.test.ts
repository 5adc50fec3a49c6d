import { bytesEqual, compareBytes, utf8 } from '@worldline/canon';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareOrdered, valuesEqual } from '../src/compare.ts';
import { evaluate, exprRefs } from '../src/evaluate.ts';
import type { Expr } from '../src/expr.ts';
import type { Value } from '../src/value.ts';
import { encodeValue } from '../src/value-cbor.ts';
import { anyEnv, anyExpr, c, dataValue, env, no, op, ref, scalarValue, yes } from './evaluate-support.ts';

const CODES = [
  'missing_ref',
  'missing_field',
  'none_access',
  'no_payload',
  'key_not_found',
  'duplicate_key',
  'index_out_of_range',
  'numeric_overflow',
  'conversion',
  'divide_by_zero',
  'value_too_large',
  'type_mismatch',
];

const nowhere = env({});

/** Follow an error's path through the tagged form: it must lead to an expression. */
function at(expr: Expr, path: readonly (string | number)[]): Expr | undefined {
  if (path.length === 0) return expr;
  const [first, second, third, ...rest] = path;
  switch (expr.form) {
    case 'op':
      return first === 'args' ? atPart(expr.args[second as number], path.slice(2)) : undefined;
    case 'record':
      return first === 'record' ? atPart(expr.fields.find(([name]) => name === second)?.[1], path.slice(2)) : undefined;
    case 'list':
    case 'set':
      return first === expr.form ? atPart(expr.items[second as number], path.slice(2)) : undefined;
    case 'map':
      return first === 'map' ? atPart(expr.entries[second as number]?.[third === 'key' ? 0 : 1], rest) : undefined;
    case 'variant':
      return first === 'variant' && second === 'value' ? atPart(expr.value, path.slice(2)) : undefined;
    default:
      return undefined;
  }
}

function atPart(expr: Expr | undefined, path: readonly (string | number)[]): Expr | undefined {
  return expr === undefined ? undefined : at(expr, path);
}

describe('evaluation of anything over anything', () => {
  it('never throws; an error has a code of the closed list and a path that leads to an expression (V1)', () => {
    fc.assert(
      fc.property(anyExpr, anyEnv, (expr, environment) => {
        const result = evaluate(expr, environment);
        if (result.ok) return;
        expect(CODES).toContain(result.failure.code);
        expect(at(expr, result.failure.path)).toBeDefined();
      }),
      { numRuns: 2000 },
    );
  });

  it('gives the same answer again (E3)', () => {
    fc.assert(
      fc.property(anyExpr, anyEnv, (expr, environment) => {
        expect(evaluate(expr, environment)).toEqual(evaluate(expr, environment));
      }),
    );
  });

  it('never yields a receipt: as a value it is its payload (§3.1)', () => {
    fc.assert(
      fc.property(anyExpr, anyEnv, (expr, environment) => {
        // A constant is what the loader made, and it never makes one of these.
        fc.pre(expr.form !== 'const');
        const result = evaluate(expr, environment);
        expect(result.ok && result.value.kind === 'receipt').toBe(false);
      }),
    );
  });

  it('exprRefs finds every reference that evaluation can miss', () => {
    fc.assert(
      fc.property(anyExpr, (expr) => {
        const result = evaluate(expr, nowhere);
        if (result.ok || result.failure.code !== 'missing_ref') return;
        const failing = at(expr, result.failure.path);
        if (failing?.form !== 'ref') return;
        expect(exprRefs(expr).some(({ ref: found }) => found === failing)).toBe(true);
      }),
    );
  });
});

describe('equality', () => {
  it('agrees with equality of canonical encodings (expressions.md §8)', () => {
    fc.assert(
      fc.property(dataValue, dataValue, (a, b) => {
        expect(valuesEqual(a, b)).toBe(bytesEqual(encodeValue(a), encodeValue(b)));
        expect(valuesEqual(a, a)).toBe(true);
        expect(valuesEqual(b, a)).toBe(valuesEqual(a, b));
      }),
      { numRuns: 2000 },
    );
  });

  it('sees through kinds that encode alike', () => {
    const record: Value = { kind: 'record', fields: new Map([['a', { kind: 'nat', value: 1n }]]) };
    const map: Value = {
      kind: 'map',
      entries: [
        [
          { kind: 'text', value: 'a' },
          { kind: 'time', value: 1n },
        ],
      ],
    };
    expect(valuesEqual(record, map)).toBe(true);
    expect(valuesEqual(map, record)).toBe(true);
    const variant: Value = { kind: 'variant', tag: 'A', value: { kind: 'null' } };
    const spelled: Value = {
      kind: 'record',
      fields: new Map<string, Value>([
        ['$tag', { kind: 'text', value: 'A' }],
        ['$value', { kind: 'null' }],
      ]),
    };
    expect(valuesEqual(variant, spelled)).toBe(true);
    expect(valuesEqual(spelled, variant)).toBe(true);
  });

  it('equal values have equal hashes, others do not', () => {
    fc.assert(
      fc.property(dataValue, dataValue, (a, b) => {
        const same = op('eq', op('hash', c(a)), op('hash', c(b)));
        expect(evaluate(same, nowhere)).toEqual(evaluate(op('eq', c(a), c(b)), nowhere));
      }),
    );
  });
});

describe('order', () => {
  it('is total on numbers and on texts: exactly one of lt, gt and equal order', () => {
    fc.assert(
      fc.property(scalarValue, scalarValue, (a, b) => {
        const order = compareOrdered(a, b);
        const back = compareOrdered(b, a);
        expect(order === undefined).toBe(back === undefined);
        if (order === undefined || back === undefined) return;
        expect(Math.sign(order) + Math.sign(back)).toBe(0);
        if (a.kind !== 'dec128') expect(order === 0).toBe(valuesEqual(a, b));
      }),
      { numRuns: 2000 },
    );
  });

  it('is transitive', () => {
    fc.assert(
      fc.property(scalarValue, scalarValue, scalarValue, (a, b, d) => {
        const ab = compareOrdered(a, b);
        const bd = compareOrdered(b, d);
        const ad = compareOrdered(a, d);
        if (ab === undefined || bd === undefined || ad === undefined) return;
        if (ab <= 0 && bd <= 0) expect(ad).toBeLessThanOrEqual(0);
      }),
    );
  });

  it('of texts is the order of their UTF-8 bytes', () => {
    const text = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(text, text, (a, b) => {
        const order = compareOrdered({ kind: 'text', value: a }, { kind: 'text', value: b }) as number;
        expect(Math.sign(order)).toBe(Math.sign(compareBytes(utf8(a), utf8(b))));
      }),
    );
  });
});

describe('laws', () => {
  const whole = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }).map(
    (value): Value => ({
      kind: value < 0n ? 'int' : 'nat',
      value,
    }),
  );

  it('a = b·div(a,b) + mod(a,b), and the remainder has the sign of a (§9)', () => {
    fc.assert(
      fc.property(whole, whole, (a, b) => {
        const quotient = evaluate(op('div', c(a), c(b)), nowhere);
        const remainder = evaluate(op('mod', c(a), c(b)), nowhere);
        const x = (a as { value: bigint }).value;
        const y = (b as { value: bigint }).value;
        if (y === 0n) {
          expect(quotient).toMatchObject({ failure: { code: 'divide_by_zero' } });
          return;
        }
        if (!quotient.ok || !remainder.ok) {
          expect(quotient).toMatchObject({ failure: { code: 'numeric_overflow' } });
          return;
        }
        const q = (quotient.value as { value: bigint }).value;
        const r = (remainder.value as { value: bigint }).value;
        expect(y * q + r).toBe(x);
        expect(r === 0n || r < 0n === x < 0n).toBe(true);
      }),
    );
  });

  it('and / or do not evaluate past the deciding argument, and are what JavaScript says before it', () => {
    const poison = ref('@var:missing');
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }), fc.boolean(), (flags, any) => {
        const args = flags.map((flag) => c(flag ? yes : no));
        const answer = evaluate(op(any ? 'or' : 'and', ...args, poison), nowhere);
        if (flags.includes(any)) expect(answer).toEqual({ ok: true, value: any ? yes : no });
        else expect(answer).toMatchObject({ failure: { code: 'missing_ref', path: ['args', flags.length] } });
      }),
    );
  });

  it('contains of bytes agrees with a plain search', () => {
    const bytes = fc.uint8Array({ max: 1, maxLength: 24 });
    fc.assert(
      fc.property(bytes, fc.uint8Array({ max: 1, maxLength: 6 }), (haystack, needle) => {
        const text = (data: Uint8Array): string => String.fromCharCode(...data);
        const answer = evaluate(
          op('contains', c({ kind: 'bytes', value: haystack }), c({ kind: 'bytes', value: needle })),
          nowhere,
        );
        expect(answer).toEqual({ ok: true, value: text(haystack).includes(text(needle)) ? yes : no });
      }),
    );
  });
});
