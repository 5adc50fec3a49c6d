import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareDec128 } from '../src/dec128.ts';

describe('numeric order of dec128 texts (expressions.md §8)', () => {
  it.each([
    ['0.5', '0.50', 0],
    ['5e-1', '0.5', 0],
    ['-0', '0.000', 0],
    ['0e99999999999999999999', '-0', 0],
    ['+1', '1', 0],
    ['00012.30', '12.3', 0],
    ['1e3', '1000', 0],
    ['0.00012', '12e-5', 0],
    ['1', '2', -1],
    ['-1', '-2', 1],
    ['-1', '0', -1],
    ['0', '1e-6143', -1],
    ['9.99e2', '1e3', -1],
    ['10', '9', 1],
    ['1e6144', '9.9e6143', 1],
    ['-1e6144', '1', -1],
    ['1234567890123456789012345678901234', '1234567890123456789012345678901233', 1],
    ['0.1', '0.1000000000000000055511151231257827', -1],
    ['1E+2', '99', 1],
  ])('%s against %s is %i', (a, b, order) => {
    expect(Math.sign(compareDec128(a, b))).toBe(order);
    expect(Math.sign(compareDec128(b, a))).toBe(order === 0 ? 0 : -order);
  });

  it('refuses a text that is not a decimal, because values are checked where they enter', () => {
    expect(() => compareDec128('1', 'one')).toThrow(RangeError);
  });

  it('agrees with exact comparison of the numbers as fractions', () => {
    const decimal = fc.record({
      sign: fc.constantFrom('', '-', '+'),
      whole: fc.stringMatching(/^[0-9]{1,6}$/),
      fraction: fc.stringMatching(/^[0-9]{0,6}$/),
      exponent: fc.option(fc.integer({ min: -8, max: 8 }), { nil: undefined }),
    });
    const scaled = (d: { sign: string; whole: string; fraction: string; exponent: number | undefined }): bigint => {
      const digits = BigInt(d.whole + d.fraction) * (d.sign === '-' ? -1n : 1n);
      return digits * 10n ** BigInt(20 - d.fraction.length + (d.exponent ?? 0));
    };
    const spelled = (d: { sign: string; whole: string; fraction: string; exponent: number | undefined }): string =>
      `${d.sign}${d.whole}${d.fraction === '' ? '' : `.${d.fraction}`}${d.exponent === undefined ? '' : `e${d.exponent}`}`;
    fc.assert(
      fc.property(decimal, decimal, (a, b) => {
        const expected = scaled(a) < scaled(b) ? -1 : scaled(a) > scaled(b) ? 1 : 0;
        expect(Math.sign(compareDec128(spelled(a), spelled(b)))).toBe(expected);
      }),
    );
  });
});
