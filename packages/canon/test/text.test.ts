import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bytesEqual,
  compareBytes,
  compareCanonicalKeys,
  compareUtf8,
  concatBytes,
  encodeItem,
  fromBase64,
  fromHex,
  fromUtf8,
  hashOf,
  hashText,
  isWellFormed,
  parseHashText,
  toBase64,
  toHex,
  u64be,
  utf8,
} from '../src/index.ts';

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ maxLength: 6 }),
  fc.constantFrom('\uffff', '𐀀', '\ue000', 'é', ''),
);
/** UTF-16 units, lone surrogates among them. */
const unitsArb = fc.array(fc.oneof(fc.nat({ max: 0xffff }), fc.integer({ min: 0xd7f0, max: 0xe010 })), {
  maxLength: 12,
});

describe('UTF-8', () => {
  test('agrees with the platform for every text, and has no bytes for lone surrogates', () => {
    fc.assert(
      fc.property(unitsArb, (units) => {
        const text = String.fromCharCode(...units);
        expect(isWellFormed(text)).toBe(text.isWellFormed());
        if (!text.isWellFormed()) expect(() => utf8(text)).toThrow(TypeError);
        else {
          expect(toHex(utf8(text))).toBe(Buffer.from(text).toString('hex'));
          expect(fromUtf8(utf8(text))).toBe(text);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('takes exactly the bytes that the platform takes in fatal mode', () => {
    const platform = (bytes: Uint8Array): string | undefined => {
      try {
        return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
      } catch {
        return undefined;
      }
    };
    const byteArb = fc.oneof(
      fc.nat({ max: 255 }),
      fc.constantFrom(0xc0, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0x80, 0x9f, 0xa0, 0xbf),
    );
    fc.assert(
      fc.property(fc.array(byteArb, { maxLength: 8 }), (list) => {
        const bytes = Uint8Array.from(list);
        expect(fromUtf8(bytes)).toBe(platform(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  test('long texts come back whole', () => {
    for (const text of ['a'.repeat(10_000), 'aé水𐅑'.repeat(5_000), `${'a'.repeat(9_999)}𐅑`])
      expect(fromUtf8(utf8(text))).toBe(text);
  });
});

describe('orders (values.md §5)', () => {
  test('sorted lists follow UTF-8 bytes', () => {
    fc.assert(
      fc.property(anyText, anyText, (a, b) => {
        expect(Math.sign(compareUtf8(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
      { numRuns: 500 },
    );
    expect(compareUtf8('correlation_id', 'id')).toBeLessThan(0);
    expect(compareUtf8('\uffff', '𐀀')).toBeLessThan(0);
  });

  test('keys of encoded maps follow their encoded bytes: length first', () => {
    fc.assert(
      fc.property(anyText, anyText, (a, b) => {
        expect(Math.sign(compareCanonicalKeys(a, b))).toBe(Math.sign(compareBytes(encodeItem(a), encodeItem(b))));
      }),
      { numRuns: 500 },
    );
    expect(compareCanonicalKeys('id', 'correlation_id')).toBeLessThan(0);
  });

  test('bytes follow their values, the shorter first on a common prefix', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4 }), fc.uint8Array({ maxLength: 4 }), (a, b) => {
        expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b));
        expect(bytesEqual(a, b)).toBe(Buffer.compare(a, b) === 0);
      }),
    );
  });
});

describe('hex, base64, hash text', () => {
  test('round trips agree with the platform', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'));
        expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'));
        expect(fromHex(toHex(bytes).toUpperCase())).toEqual(bytes);
        expect(fromBase64(toBase64(bytes))).toEqual(bytes);
      }),
    );
  });

  test('base64 has one spelling: what is taken is what would be written (values.md §4.4)', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ABQgw/+=-_ \n\u0141'), maxLength: 12 }), (text) => {
        const bytes = fromBase64(text);
        if (bytes !== undefined) expect(toBase64(bytes)).toBe(text);
      }),
      { numRuns: 2000 },
    );
    for (const bad of ['A', 'AA', 'AAA', 'AA=', 'AB==', 'AAB=', 'A===', '====', 'AA==AA==', 'AAAA\n', 'AA-_', '=AAA']) {
      expect(fromBase64(bad)).toBe(undefined);
    }
  });

  test('hex of long bytes comes back whole', () => {
    for (const length of [2047, 2048, 2049, 10_000]) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 89) & 0xff);
      expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'));
      expect(fromHex(toHex(bytes))).toEqual(bytes);
    }
  });

  test('hex text of odd length or with other characters is refused', () => {
    for (const bad of ['a', 'ag', '0x', ' 1', 'é0']) expect(fromHex(bad)).toBe(undefined);
  });

  test('hash text is lower case and complete', () => {
    const text = 'sha256:75bd49cb964988d6fd2c058f51230c3dc2a254753751fbe0f313b4b1e0681b69';
    expect(hashText(hashOf({}))).toBe(text);
    expect(parseHashText(text)).toEqual(hashOf({}));
    for (const bad of [
      text.toUpperCase(),
      text.replace('75bd', '75BD'),
      text.slice(0, -1),
      `${text}0`,
      `${text}\n`,
      text.slice(7),
      '',
    ]) {
      expect(parseHashText(bad)).toBe(undefined);
    }
    expect(() => hashText(new Uint8Array(31))).toThrow(RangeError);
  });
});

describe('bytes', () => {
  test('u64be writes numbers and bigints alike, and refuses what is no u64', () => {
    for (const n of [0n, 1n, 255n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 64n - 1n]) {
      const expected = Buffer.alloc(8);
      expected.writeBigUInt64BE(n);
      expect(toHex(u64be(n))).toBe(expected.toString('hex'));
      if (n < 2n ** 53n) expect(u64be(Number(n))).toEqual(u64be(n));
    }
    for (const bad of [-1, 1.5, 2 ** 53, -1n, 2n ** 64n]) expect(() => u64be(bad)).toThrow(RangeError);
  });

  test('concatBytes joins in order', () => {
    expect([...concatBytes(Uint8Array.of(1), Uint8Array.of(), Uint8Array.of(2, 3))]).toEqual([1, 2, 3]);
  });
});
