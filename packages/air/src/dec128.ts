/**
 * Numeric order of dec128 texts (`expressions.md` §8). Equality is another thing: `"0.5"` and `"0.50"` are two values
 * (`values.md` §4.3) that neither precede nor follow each other.
 */

/** sign, integer digits, fraction digits, exponent: the pattern of `values.md` §4.3. */
const DECIMAL = /^([+-]?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/;

interface Decimal {
  readonly sign: -1 | 0 | 1;
  /** Significant digits without leading zeros; empty for zero. */
  readonly digits: string;
  /** Power of ten of the first digit. */
  readonly magnitude: bigint;
}

/**
 * Exact: no rounding, whatever the exponents.
 *
 * @param a - Text of a dec128 value; so is `b`.
 * @returns Negative, zero or positive, as numbers compare.
 * @throws RangeError when a text is not a decimal: values are checked where they enter, so this is a bug.
 */
export function compareDec128(a: string, b: string): number {
  if (a === b) return 0;
  const left = parse(a);
  const right = parse(b);
  if (left.sign !== right.sign) return left.sign - right.sign;
  if (left.sign === 0) return 0;
  return left.sign * compareMagnitudes(left, right);
}

function parse(text: string): Decimal {
  const match = DECIMAL.exec(text);
  if (match === null) throw new RangeError('not the text of a dec128 value');
  const whole = match[2] as string;
  const all = whole + (match[3] ?? '');
  let zeros = 0;
  while (zeros < all.length && all.charCodeAt(zeros) === 0x30) zeros += 1;
  if (zeros === all.length) return { sign: 0, digits: '', magnitude: 0n };
  // The digit after `zeros` zeros stands `whole.length − 1 − zeros` places left of the point.
  const magnitude = BigInt(whole.length - 1 - zeros) + exponentOf(match[4]);
  return { sign: match[1] === '-' ? -1 : 1, digits: all.slice(zeros), magnitude };
}

function exponentOf(text: string | undefined): bigint {
  if (text === undefined) return 0n;
  return BigInt(text.charCodeAt(0) === 0x2b ? text.slice(1) : text);
}

function compareMagnitudes(a: Decimal, b: Decimal): number {
  if (a.magnitude !== b.magnitude) return a.magnitude < b.magnitude ? -1 : 1;
  const length = a.digits.length > b.digits.length ? a.digits.length : b.digits.length;
  for (let i = 0; i < length; i += 1) {
    // Past its end a number goes on with zeros.
    const left = i < a.digits.length ? a.digits.charCodeAt(i) : 0x30;
    const right = i < b.digits.length ? b.digits.charCodeAt(i) : 0x30;
    if (left !== right) return left - right;
  }
  return 0;
}
