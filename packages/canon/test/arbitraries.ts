import fc from 'fast-check';
import { type CborValue, compareBytes, encodeItem, toHex } from '../src/index.ts';

/** Texts with all of Unicode, and often the keys that are special to JS objects. */
export const textArb: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 40 }) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('__proto__', 'constructor', 'toString', '0', '10', '-1', '', 'a'.repeat(300)),
  },
);

/** The same integer is always the same JS value: a number when it is safe. */
export const integerArb: fc.Arbitrary<number | bigint> = fc
  .oneof(
    fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n - 1n }),
    fc.maxSafeInteger().map(BigInt),
    fc.integer({ min: -300, max: 300 }).map(BigInt),
    fc
      .tuple(fc.constantFrom(8n, 16n, 32n, 53n, 63n, 64n), fc.bigInt({ min: -3n, max: 3n }), fc.boolean())
      .map(([bits, off, negative]) => (negative ? -(2n ** bits) + off : 2n ** bits + off))
      .filter((n) => n >= -(2n ** 64n) && n < 2n ** 64n),
  )
  .map((n) => (n >= BigInt(Number.MIN_SAFE_INTEGER) && n <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(n) : n));

/** Values as the decoder gives them: objects without prototype, maps in the order of their encoded keys. */
export const cborArb: fc.Arbitrary<CborValue> = cborArbWith((scalar, any) => fc.oneof(scalar, any));

/** The same with map keys that are integers, texts or byte strings: what other implementations sort as well. */
export const simpleKeysArb: fc.Arbitrary<CborValue> = cborArbWith(() =>
  fc.oneof(integerArb, textArb, fc.uint8Array({ maxLength: 30 })),
);

type KeyArb = (scalar: fc.Arbitrary<CborValue>, any: fc.Arbitrary<CborValue>) => fc.Arbitrary<CborValue>;

function cborArbWith(keyArb: KeyArb): fc.Arbitrary<CborValue> {
  return fc.letrec<{ value: CborValue }>((tie) => {
    const scalar: fc.Arbitrary<CborValue> = fc.oneof(
      fc.constant(null),
      fc.boolean(),
      integerArb,
      textArb,
      fc.uint8Array({ maxLength: 80 }),
    );
    return {
      value: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        { weight: 3, arbitrary: scalar },
        { weight: 1, arbitrary: fc.array(tie('value'), { maxLength: 6 }) },
        {
          weight: 2,
          arbitrary: fc.array(fc.tuple(textArb, tie('value')), { maxLength: 8 }).map(asDecoded),
        },
        {
          weight: 1,
          arbitrary: fc.array(fc.tuple(keyArb(scalar, tie('value')), tie('value')), { maxLength: 5 }).map(asDecoded),
        },
      ),
    };
  }).value;
}

function asDecoded(entries: readonly (readonly [CborValue, CborValue])[]): CborValue {
  const unique = new Map<string, readonly [Uint8Array, CborValue, CborValue]>();
  for (const [key, value] of entries) {
    const bytes = encodeItem(key);
    if (!unique.has(toHex(bytes))) unique.set(toHex(bytes), [bytes, key, value]);
  }
  const sorted = [...unique.values()].sort(([a], [b]) => compareBytes(a, b));
  if (sorted.some(([, key]) => typeof key !== 'string')) return new Map(sorted.map(([, key, value]) => [key, value]));
  const object = Object.create(null) as { [key: string]: CborValue };
  for (const [, key, value] of sorted) object[key as string] = value;
  return object;
}

/** An endless supply of choices in 0 … 255. */
export type Choose = () => number;

/**
 * The same value in other well-formed bytes: long heads, indefinite lengths, strings in chunks, keys in any order.
 */
export function looseItem(value: CborValue, choose: Choose): number[] {
  if (typeof value === 'string')
    return looseString(
      3,
      [...value].map((char) => [...Buffer.from(char)]),
      choose,
    );
  if (value instanceof Uint8Array)
    return looseString(
      2,
      [...value].map((byte) => [byte]),
      choose,
    );
  if (typeof value === 'number' || typeof value === 'bigint') {
    return value >= 0 ? looseHead(0, BigInt(value), choose) : looseHead(1, -1n - BigInt(value), choose);
  }
  if (typeof value !== 'object' || value === null) return [...encodeItem(value)];
  const items = Array.isArray(value)
    ? (value as readonly CborValue[]).map((item) => looseItem(item, choose))
    : shuffled<[CborValue, CborValue]>(
        value instanceof Map
          ? [...(value as ReadonlyMap<CborValue, CborValue>)]
          : (Object.entries(value) as [CborValue, CborValue][]),
        choose,
      ).map(([key, member]) => [...looseItem(key, choose), ...looseItem(member as CborValue, choose)]);
  const major = Array.isArray(value) ? 4 : 5;
  return choose() % 3 === 0
    ? [(major << 5) | 31, ...items.flat(), 0xff]
    : [...looseHead(major, BigInt(items.length), choose), ...items.flat()];
}

function looseString(major: 2 | 3, units: readonly number[][], choose: Choose): number[] {
  const definite = (part: readonly number[][]): number[] => {
    const bytes = part.flat();
    return [...looseHead(major, BigInt(bytes.length), choose), ...bytes];
  };
  if (choose() % 3 !== 0) return definite(units);
  const cut = units.length === 0 ? 0 : choose() % units.length;
  return [(major << 5) | 31, ...definite(units.slice(0, cut)), ...definite(units.slice(cut)), 0xff];
}

function looseHead(major: number, argument: bigint, choose: Choose): number[] {
  const least = argument < 24n ? 0 : argument < 256n ? 1 : argument < 65536n ? 2 : argument < 2n ** 32n ? 4 : 8;
  const sizes = [0, 1, 2, 4, 8].filter((size) => size >= least);
  const size = sizes[choose() % sizes.length] as number;
  if (size === 0) return [(major << 5) | Number(argument)];
  const bytes: number[] = [];
  for (let i = size - 1; i >= 0; i--) bytes.push(Number((argument >> BigInt(8 * i)) & 255n));
  return [(major << 5) | (24 + Math.log2(size)), ...bytes];
}

function shuffled<T>(items: readonly T[], choose: Choose): T[] {
  const rest = [...items];
  const result: T[] = [];
  while (rest.length > 0) result.push(...rest.splice(choose() % rest.length, 1));
  return result;
}
