import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { installSha256, installSha256Later, sha256, sha512, toHex, utf8 } from '../src/index.ts';
import { ROUND_WORDS, STATE_WORDS } from '../src/sha2-constants.ts';

const node = (algorithm: string, bytes: Uint8Array): string => createHash(algorithm).update(bytes).digest('hex');
const nativeSha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

describe('SHA-2 (FIPS 180-4)', () => {
  test('published examples', () => {
    expect(toHex(sha256(utf8('abc')))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(toHex(sha256(utf8('')))).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(toHex(sha512(utf8('abc')))).toBe(
      'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
    );
  });

  test('constants are the first 64 fractional bits of roots of primes (FIPS 180-4 §4.2, §5.3)', () => {
    const primes: bigint[] = [];
    for (let n = 2n; primes.length < 80; n++) if (primes.every((prime) => n % prime !== 0n)) primes.push(n);
    /** The largest number whose power is not above the shifted prime: its low 64 bits are the fraction. */
    const isRoot = (word: bigint, prime: bigint, degree: bigint) => {
      const power = prime << (64n * degree);
      let whole = 0n;
      while ((whole + 1n) ** degree <= prime) whole++;
      const root = (whole << 64n) + word;
      return root ** degree <= power && (root + 1n) ** degree > power;
    };
    expect(ROUND_WORDS.length).toBe(80);
    expect(STATE_WORDS.length).toBe(8);
    expect(ROUND_WORDS.every((word, i) => isRoot(word, primes[i] as bigint, 3n))).toBe(true);
    expect(STATE_WORDS.every((word, i) => isRoot(word, primes[i] as bigint, 2n))).toBe(true);
  });

  test('every length around the block borders agrees with the platform', () => {
    for (let length = 0; length <= 300; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length) & 0xff);
      expect(toHex(sha256(bytes))).toBe(node('sha256', bytes));
      expect(toHex(sha512(bytes))).toBe(node('sha512', bytes));
    }
  });

  test('random bytes agree with the platform', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
        expect(toHex(sha256(bytes))).toBe(node('sha256', bytes));
        expect(toHex(sha512(bytes))).toBe(node('sha512', bytes));
      }),
    );
  });

  test('a view into a larger buffer is hashed as what it shows', () => {
    const whole = Uint8Array.from({ length: 500 }, (_, i) => i & 0xff);
    const view = whole.subarray(17, 321);
    expect(toHex(sha256(view))).toBe(node('sha256', view));
    expect(toHex(sha512(view))).toBe(node('sha512', view));
  });

  test('the derived entropy of kernel.md §4 (check vector)', () => {
    const input = Uint8Array.from([...utf8('air/entropy/1'), ...new Uint8Array(64).fill(0x11), 0, 0, 0, 0, 0, 0, 0, 1]);
    expect(toHex(sha512(input))).toBe(
      '854242946e48b11c13af4772835a70faa26d4d90ef732725ad28197365763044f86b9bd9c46abfbe30c8efc4dec46dd143ce5cad09fc2d5b06aa4d8c997769fc',
    );
  });
});

describe('installSha256Later', () => {
  test('loads the native one once, when more has been hashed than was said, and for the input that made it more', () => {
    const hashed: number[] = [];
    let loaded = 0;
    installSha256Later(1000, () => {
      loaded++;
      return (bytes) => {
        hashed.push(bytes.length);
        return nativeSha256(bytes);
      };
    });
    for (let i = 0; i < 5; i++) expect(toHex(sha256(new Uint8Array(200)))).toBe(node('sha256', new Uint8Array(200)));
    expect([loaded, hashed]).toEqual([0, []]);
    const long = new Uint8Array(3001).fill(7);
    expect(toHex(sha256(long))).toBe(node('sha256', long));
    expect(toHex(sha256(long))).toBe(node('sha256', long));
    expect(loaded).toBe(1);
    expect(hashed.filter((length) => length === 3001)).toEqual([3001, 3001]);
  });

  test('a wrong one is refused when it is tried', () => {
    installSha256Later(0, () => () => new Uint8Array(32));
    expect(() => sha256(new Uint8Array(100))).toThrow(/SHA-256/);
    expect(toHex(sha256(new Uint8Array(100)))).toBe(node('sha256', new Uint8Array(100)));
  });
});

describe('installSha256', () => {
  test('refuses an implementation that is wrong, for short or only for long inputs', () => {
    expect(() => installSha256(() => new Uint8Array(32))).toThrow(/SHA-256/);
    expect(() => installSha256((bytes) => nativeSha256(bytes).subarray(0, 31))).toThrow(/SHA-256/);
    expect(() => installSha256((bytes) => (bytes.length > 900 ? new Uint8Array(32) : nativeSha256(bytes)))).toThrow(
      /SHA-256/,
    );
    expect(toHex(sha256(new Uint8Array(5000)))).toBe(node('sha256', new Uint8Array(5000)));
  });

  test('uses the native one for long inputs and gives the same plain arrays', () => {
    const lengths: number[] = [];
    installSha256((bytes) => {
      lengths.push(bytes.length);
      return nativeSha256(bytes);
    });
    lengths.length = 0;
    for (const length of [0, 10, 100, 1000, 100_000]) {
      const bytes = Uint8Array.from({ length }, (_, i) => i & 0xff);
      const digest = sha256(bytes);
      expect(toHex(digest)).toBe(node('sha256', bytes));
      expect(digest.constructor).toBe(Uint8Array);
      expect(digest.buffer.byteLength).toBe(32);
    }
    expect(lengths).toContain(100_000);
  });
});
