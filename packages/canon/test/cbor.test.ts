import { readFileSync } from 'node:fs';
import * as cborg from 'cborg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type CborFailure,
  type CborValue,
  compareBytes,
  decode,
  decodeCanonical,
  encode,
  encodeItem,
  fromHex,
  hashText,
  type Result,
  sha256,
  toHex,
} from '../src/index.ts';
import { cborArb, looseItem, simpleKeysArb } from './arbitraries.ts';

const vectors = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../test/vectors/${name}`, import.meta.url), 'utf8'));
const canon: {
  given: { name: string; json: string; cbor: string; sha256: string }[];
  computed: { name: string; what: string; cbor: string; sha256: string }[];
  nodes: { name: string; json: string; sha256: string }[];
} = vectors('canon.json');
const rfc: {
  canonical: { diagnostic: string; hex: string }[];
  lenient: { diagnostic: string; hex: string; canonical: string }[];
  refused: { diagnostic: string; hex: string; code: string }[];
} = vectors('cbor-rfc8949.json');

const PREFIX = 'd9d9f7';
const bytes = (hex: string): Uint8Array => fromHex(hex) as Uint8Array;
const value = (result: Result<CborValue, CborFailure>): CborValue => {
  if (!result.ok) throw new Error(result.failure.message);
  return result.value;
};
const failure = (result: Result<CborValue, CborFailure>): { code: string; offset: number } => {
  if (result.ok) throw new Error('was taken');
  return { code: result.failure.code, offset: result.failure.offset };
};

/** JSON whose integers beyond 2^53 keep their value. */
function parseJson(text: string): CborValue {
  const reviver = (_: string, parsed: unknown, context: { source?: string }): unknown =>
    typeof parsed === 'number' && !Number.isSafeInteger(parsed) ? BigInt(context.source as string) : parsed;
  return JSON.parse(text, reviver as (key: string, value: unknown) => unknown) as CborValue;
}

describe('golden vectors (values.md §10)', () => {
  test.each(canon.given)('§10.1 $name: the JSON as it stands has these bytes and this hash', (row) => {
    const encoded = encode(parseJson(row.json));
    expect(toHex(encoded)).toBe(row.cbor);
    expect(hashText(sha256(encoded))).toBe(`sha256:${row.sha256}`);
  });

  test.each(canon.computed)('§10.2 $name: the bytes are canonical and have this hash', (row) => {
    const decoded = value(decodeCanonical(bytes(row.cbor)));
    expect(toHex(encode(decoded))).toBe(row.cbor);
    expect(hashText(sha256(bytes(row.cbor)))).toBe(`sha256:${row.sha256}`);
  });

  test.each(canon.nodes)('§10.2 $name: the canonical node has this hash', (row) => {
    expect(hashText(sha256(encode(parseJson(row.json))))).toBe(`sha256:${row.sha256}`);
  });
});

describe('RFC 8949 Appendix A under the profile (values.md §5)', () => {
  test.each(rfc.canonical)('$diagnostic is written as $hex', ({ hex }) => {
    const decoded = value(decodeCanonical(bytes(PREFIX + hex)));
    expect(toHex(encodeItem(decoded))).toBe(hex);
    expect(value(decode(bytes(hex)))).toEqual(decoded);
  });

  test.each(
    rfc.canonical.filter(({ diagnostic }) => /^[[{"]|^-?\d{1,13}$/.test(diagnostic) && !diagnostic.startsWith('{1')),
  )('$diagnostic is read as that value', ({ diagnostic, hex }) => {
    expect(value(decode(bytes(hex)))).toEqual(JSON.parse(diagnostic));
  });

  test.each(rfc.lenient)('$diagnostic is taken as input and rewritten as $canonical', ({ hex, canonical }) => {
    expect(toHex(encodeItem(value(decode(bytes(hex)))))).toBe(canonical);
    expect(failure(decodeCanonical(bytes(PREFIX + hex))).code).toBe('cbor.malformed');
  });

  test.each(rfc.refused)('$diagnostic ($hex) is refused as $code', ({ hex, code }) => {
    expect(failure(decode(bytes(hex)))).toEqual({ code, offset: 0 });
    expect(failure(decode(bytes(`81${hex}`)))).toEqual({ code, offset: 1 });
    expect(failure(decodeCanonical(bytes(PREFIX + hex))).code).toBe('cbor.malformed');
  });
});

describe('encode', () => {
  test('sorts integers before text, non-negative before negative, text by length then bytes (values.md §5)', () => {
    const map = new Map<CborValue, CborValue>([
      ['steps', 0],
      [-1, 0],
      ['$kind', 0],
      [300, 0],
      ['name', 0],
      [10, 0],
      [1, 0],
      ['é', 0],
      ['zz', 0],
    ]);
    const keys = [...(value(decode(encode(map))) as Map<CborValue, CborValue>).keys()];
    expect(keys).toEqual([1, 10, 300, -1, 'zz', 'é', 'name', '$kind', 'steps']);
  });

  test('gives an object the same bytes whatever the order of its members', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ unit: 'binary', maxLength: 8 }), { maxLength: 60 }),
        fc.nat(),
        (keys, turn) => {
          const forward = Object.fromEntries(keys.map((key) => [key, key.length]));
          const at = keys.length === 0 ? 0 : turn % keys.length;
          const rotated = Object.fromEntries([...keys.slice(at), ...keys.slice(0, at)].map((key) => [key, key.length]));
          const asMap = new Map(keys.map((key) => [key, key.length]));
          expect(encode(rotated)).toEqual(encode(forward));
          expect(encode(asMap)).toEqual(encode(forward));
        },
      ),
    );
  });

  test('leaves out members whose value is undefined', () => {
    expect(toHex(encodeItem({ b: undefined, a: 1, c: undefined }))).toBe('a1616101');
    expect(toHex(encodeItem({ b: undefined }))).toBe('a0');
  });

  test('writes own members only, even when someone has extended the prototype of all objects', () => {
    const prototype = Object.prototype as unknown as { [key: string]: unknown };
    try {
      prototype.extended = 1;
      expect(toHex(encodeItem({ a: 1 }))).toBe('a1616101');
      expect(value(decode(bytes('a1616101')))).not.toHaveProperty('extended');
    } finally {
      delete prototype.extended;
    }
    expect(toHex(encodeItem({ a: 1 }))).toBe('a1616101');
  });

  test('writes an integer the same way as number and as bigint', () => {
    for (const n of [0, 23, 24, 255, 256, 65535, 65536, 4294967295, 4294967296, Number.MAX_SAFE_INTEGER]) {
      expect(encodeItem(BigInt(n))).toEqual(encodeItem(n));
      expect(encodeItem(BigInt(-n))).toEqual(encodeItem(-n));
    }
    expect(toHex(encodeItem(-0))).toBe('00');
  });

  const unwritable: [string, unknown][] = [
    ['a float', 1.5],
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['a number beyond 2^53', 2 ** 53],
    ['an integer above 2^64−1', 2n ** 64n],
    ['an integer below −2^64', -(2n ** 64n) - 1n],
    ['undefined', undefined],
    ['undefined in a list', [1, undefined]],
    ['a hole in a list', new Array(2)],
    ['a function', () => 0],
    ['a symbol', Symbol('s')],
    ['a date', new Date(0)],
    ['a set', new Set([1])],
    ['a text with a lone surrogate', 'a\ud800'],
    ['a key with a lone surrogate', { '\udc00': 1 }],
    [
      'two keys with one encoding',
      new Map<CborValue, CborValue>([
        [1, 0],
        [1n, 0],
      ]),
    ],
  ];
  test.each(unwritable)('throws for %s and works again afterwards', (_, bad) => {
    expect(() => encode({ deep: [bad as CborValue] })).toThrow(TypeError);
    expect(toHex(encode({ a: 1, b: 2 }))).toBe('d9d9f7a2616101616202');
  });

  test('throws for a cyclic value', () => {
    const list: CborValue[] = [];
    list.push(list);
    expect(() => encode(list)).toThrow(TypeError);
  });

  test('gives an array of its own each time', () => {
    const first = encode({ a: 1 });
    const copy = first.slice();
    encode({ b: 2 });
    expect(first).toEqual(copy);
    expect(first.buffer.byteLength).toBe(first.byteLength);
  });

  test('writes texts, byte strings and lists of every head size', () => {
    for (const length of [0, 1, 23, 24, 47, 48, 49, 255, 256, 65535, 65536, 200_000]) {
      for (const item of [
        'x'.repeat(length),
        'ü'.repeat(length),
        new Uint8Array(length).fill(7),
        new Array(length).fill(0),
      ]) {
        const encoded = encode(item);
        expect(Buffer.compare(Buffer.from(encoded.subarray(3)), Buffer.from(cborg.encode(item)))).toBe(0);
        expect(encode(value(decodeCanonical(encoded))).length).toBe(encoded.length);
      }
    }
  });
});

describe('decode', () => {
  test('what is encoded is decoded, by both readers', () => {
    fc.assert(
      fc.property(cborArb, (item) => {
        expect(value(decode(encode(item)))).toEqual(item);
        expect(value(decode(encodeItem(item)))).toEqual(item);
        expect(value(decodeCanonical(encode(item)))).toEqual(item);
      }),
      { numRuns: 500 },
    );
  });

  test('any well-formed spelling of a value gives the value, and only the canonical one passes as canonical', () => {
    fc.assert(
      fc.property(cborArb, fc.boolean(), fc.infiniteStream(fc.nat({ max: 255 })), (item, withPrefix, choices) => {
        const loose = Uint8Array.from([
          ...(withPrefix ? [0xd9, 0xd9, 0xf7] : []),
          ...looseItem(item, () => choices.next().value as number),
        ]);
        expect(value(decode(loose))).toEqual(item);
        const canonical = encode(value(decode(loose)));
        expect(value(decodeCanonical(canonical))).toEqual(item);
        expect(decodeCanonical(loose).ok).toBe(compareBytes(loose, canonical) === 0);
      }),
      { numRuns: 300 },
    );
  });

  test('one value has one byte string: changed bytes are refused or are another canonical value', () => {
    fc.assert(
      fc.property(
        cborArb,
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 }), fc.constantFrom('set', 'insert', 'remove', 'cut')), {
          minLength: 1,
          maxLength: 3,
        }),
        (item, changes) => {
          const changed = [...encode(item)];
          for (const [place, byte, how] of changes) {
            const at = place % (changed.length + 1);
            if (how === 'set' && at < changed.length) changed[at] = byte;
            else if (how === 'insert') changed.splice(at, 0, byte);
            else if (how === 'remove') changed.splice(at, 1);
            else changed.length = at;
          }
          const input = Uint8Array.from(changed);
          const strict = decodeCanonical(input);
          if (strict.ok) expect(toHex(encode(strict.value))).toBe(toHex(input));
          const lenient = decode(input);
          if (lenient.ok) expect(value(decodeCanonical(encode(lenient.value)))).toEqual(lenient.value);
          if (strict.ok) expect(lenient.ok).toBe(true);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('agrees with an independent implementation, both ways', () => {
    fc.assert(
      fc.property(simpleKeysArb, (item) => {
        const ours = encodeItem(item);
        expect(Buffer.from(cborg.encode(forCborg(item), cborg.rfc8949EncodeOptions)).toString('hex')).toBe(toHex(ours));
        const theirs = cborg.decode(ours, { useMaps: true, rejectDuplicateMapKeys: false }) as CborValue;
        expect(toHex(encodeItem(theirs))).toBe(toHex(ours));
      }),
      { numRuns: 300 },
    );
  });

  test('gives maps with text keys as objects without prototype, so that no key is special', () => {
    const decoded = value(decode(bytes('a2695f5f70726f746f5f5f016b636f6e7374727563746f7202'))) as Record<
      string,
      unknown
    >;
    expect(Object.getPrototypeOf(decoded)).toBe(null);
    expect(Object.entries(decoded)).toEqual([
      ['__proto__', 1],
      ['constructor', 2],
    ]);
    expect(toHex(encodeItem(decoded as CborValue))).toBe('a2695f5f70726f746f5f5f016b636f6e7374727563746f7202');
  });

  test('gives an empty map as an object and any other map in the order of its encoded keys', () => {
    expect(Object.getPrototypeOf(value(decode(bytes('a0'))))).toBe(null);
    const mixed = value(decode(bytes('a461620061610120020103'))) as Map<CborValue, CborValue>;
    expect([...mixed]).toEqual([
      [1, 3],
      [-1, 2],
      ['a', 1],
      ['b', 0],
    ]);
  });

  test('takes the prefix at the start only, with any head of that tag', () => {
    expect(value(decode(bytes('d9d9f701')))).toBe(1);
    expect(value(decode(bytes('da0000d9f701')))).toBe(1);
    expect(value(decode(bytes('db000000000000d9f701')))).toBe(1);
    expect(failure(decode(bytes('d9d9f7d9d9f701')))).toEqual({ code: 'cbor.unsupported', offset: 3 });
    expect(failure(decode(bytes('81d9d9f701')))).toEqual({ code: 'cbor.unsupported', offset: 1 });
    expect(failure(decodeCanonical(bytes('da0000d9f701')))).toEqual({ code: 'cbor.malformed', offset: 0 });
    expect(failure(decodeCanonical(bytes('01')))).toEqual({ code: 'cbor.malformed', offset: 0 });
  });

  const refusals: [string, string, string, number][] = [
    ['nothing', '', 'cbor.malformed', 0],
    ['the prefix alone', 'd9d9f7', 'cbor.malformed', 3],
    ['bytes after the item', '0000', 'cbor.trailing', 1],
    ['a second item', 'd9d9f7f6f6', 'cbor.trailing', 4],
    ['a head that is cut off', '1901', 'cbor.malformed', 0],
    ['reserved heads', '1c', 'cbor.malformed', 0],
    ['an integer of indefinite length', '1f', 'cbor.malformed', 0],
    ['a tag of indefinite length', 'df01', 'cbor.malformed', 0],
    ['a lone break', 'ff', 'cbor.malformed', 0],
    ['a break as a map value', 'bf6161ff', 'cbor.malformed', 3],
    ['a break in a definite list', '81ff', 'cbor.malformed', 1],
    ['a text that is cut off', '62c3', 'cbor.malformed', 0],
    ['a byte string that is cut off', '8142', 'cbor.malformed', 1],
    ['an endless list', '9f01', 'cbor.malformed', 2],
    ['a chunk of the other kind', '7f4161ff', 'cbor.malformed', 1],
    ['an indefinite chunk', '5f5f4101ffff', 'cbor.malformed', 1],
    ['a character split between chunks', '7f61c361a9ff', 'cbor.malformed', 2],
    ['an overlong character', '62c080', 'cbor.malformed', 1],
    ['a surrogate', '63eda080', 'cbor.malformed', 1],
    ['a character beyond U+10FFFF', '64f4908080', 'cbor.malformed', 1],
    ['a simple value in a long head', 'f814', 'cbor.malformed', 0],
    ['undefined', '82f6f7', 'cbor.unsupported', 2],
    ['a half float in a list', '8200f93c00', 'cbor.unsupported', 2],
    ['a tag', 'c001', 'cbor.unsupported', 0],
    ['a key twice', 'a2616101616102', 'cbor.duplicate_key', 4],
    ['a key twice in other spellings', 'a261610178016102', 'cbor.duplicate_key', 4],
    ['an integer key twice', 'a30100616100180100', 'cbor.duplicate_key', 6],
    ['a compound key twice', 'a281010081180100', 'cbor.duplicate_key', 4],
  ];
  test.each(refusals)('refuses %s', (_, hex, code, offset) => {
    expect(failure(decode(bytes(hex)))).toEqual({ code, offset });
  });

  const uncanonical: [string, string][] = [
    ['a long head of a small integer', '1817'],
    ['a long head of a byte', '1900ff'],
    ['a long head of two bytes', '1a0000ffff'],
    ['a long head of four bytes', '1b00000000ffffffff'],
    ['a long head of a text', '780161'],
    ['a list of indefinite length', '9fff'],
    ['a byte string in chunks', '5fff'],
    ['keys in another order', 'a2616201616102'],
    ['a long key before a short one', 'a262616101616202'],
    ['text before integers', 'a26161010002'],
    ['a key twice', 'a2616101616102'],
    ['bytes after the item', '0000'],
  ];
  test.each(uncanonical)('does not take %s as canonical', (_, hex) => {
    expect(failure(decodeCanonical(bytes(PREFIX + hex))).code).toBe('cbor.malformed');
  });
});

describe('hostile bytes', () => {
  const nested = (levels: number): Uint8Array => new Uint8Array(levels + 1).fill(0x81).fill(0x80, levels);

  test('nesting is limited to 128, or to what the caller says, up to 1 024', () => {
    expect(decode(nested(127)).ok).toBe(true);
    expect(failure(decode(nested(128)))).toEqual({ code: 'cbor.depth', offset: 128 });
    expect(failure(decode(nested(1_000_000)))).toEqual({ code: 'cbor.depth', offset: 128 });
    expect(failure(decode(new Uint8Array(1_000_000).fill(0x9f))).code).toBe('cbor.depth');
    expect(failure(decode(new Uint8Array(1_000_000).fill(0xa1))).code).toBe('cbor.depth');
    expect(failure(decode(nested(3), { maxDepth: 3 })).code).toBe('cbor.depth');
    expect(decode(nested(1023), { maxDepth: 5000 }).ok).toBe(true);
    expect(failure(decode(nested(1024), { maxDepth: 5000 })).code).toBe('cbor.depth');
    expect(decode(bytes('00'), { maxDepth: 0 }).ok).toBe(true);
    expect(failure(decodeCanonical(Uint8Array.from([0xd9, 0xd9, 0xf7, ...nested(200)]))).code).toBe('cbor.depth');
  });

  test.each([0x40, 0x60, 0x80, 0xa0])(
    'a declared length is believed only as far as bytes are there (head %i)',
    (major) => {
      const heads = [
        [24, 255],
        [25, 255, 255],
        [26, 255, 255, 255, 255],
        [27, ...new Array<number>(8).fill(255)],
        [27, 0, 32, 0, 0, 0, 0, 0, 0],
      ];
      for (const [info, ...argument] of heads) {
        const input = Uint8Array.from([major | (info as number), ...argument, 1, 2, 3]);
        expect(failure(decode(input))).toEqual({ code: 'cbor.malformed', offset: 0 });
        expect(failure(decodeCanonical(input)).code).toBe('cbor.malformed');
      }
    },
  );

  test('input longer than the limit is refused unread', () => {
    expect(failure(decode(new Uint8Array(11).fill(0xff), { maxBytes: 10 }))).toEqual({
      code: 'cbor.malformed',
      offset: 10,
    });
    expect(decode(encode('1234567'), { maxBytes: 11 }).ok).toBe(true);
  });

  test('random bytes never throw, and what is taken has one canonical form', () => {
    // Bytes that open containers and strings are favoured, so that many inputs get some way.
    const byteArb = fc.oneof(
      fc.nat({ max: 255 }),
      fc.constantFrom(0x5f, 0x7f, 0x9f, 0xbf, 0xff, 0x81, 0x82, 0xa1, 0xa2, 0x61, 0x41, 0xf6, 0x18, 0x1b, 0xd9),
    );
    fc.assert(
      fc.property(fc.array(byteArb, { maxLength: 60 }), fc.boolean(), (list, withPrefix) => {
        const input = Uint8Array.from(withPrefix ? [0xd9, 0xd9, 0xf7, ...list] : list);
        const lenient = decode(input);
        const strict = decodeCanonical(input);
        if (lenient.ok) expect(decodeCanonical(encode(lenient.value)).ok).toBe(true);
        else expect(lenient.failure.offset).toBeLessThanOrEqual(input.length);
        if (strict.ok) expect(toHex(encode(strict.value))).toBe(toHex(input));
      }),
      { numRuns: 3000 },
    );
  });

  test('a refusal leaves nothing behind: the next input is read as if it were the first', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), cborArb, (noise, item) => {
        decode(noise);
        expect(value(decode(encode(item)))).toEqual(item);
      }),
      { numRuns: 100 },
    );
  });

  test('the result holds copies: the input may be used again', () => {
    const input = encode(['text', Uint8Array.of(1, 2, 3)]);
    const decoded = value(decode(Buffer.from(input))) as readonly [string, Uint8Array];
    const strict = value(decodeCanonical(input)) as readonly [string, Uint8Array];
    input.fill(0);
    expect([...strict[1]]).toEqual([1, 2, 3]);
    expect(decoded[1].constructor).toBe(Uint8Array);
  });
});

/** cborg takes no bigint that is safe as a number any other way, and wants plain `Map`s for keys that are no text. */
function forCborg(item: CborValue): unknown {
  if (Array.isArray(item)) return (item as readonly CborValue[]).map(forCborg);
  if (item instanceof Map) {
    return new Map(
      [...(item as ReadonlyMap<CborValue, CborValue>)].map(([key, member]) => [forCborg(key), forCborg(member)]),
    );
  }
  if (typeof item === 'object' && item !== null && !(item instanceof Uint8Array)) {
    return new Map(Object.entries(item).map(([key, member]) => [key, forCborg(member as CborValue)]));
  }
  return item;
}
