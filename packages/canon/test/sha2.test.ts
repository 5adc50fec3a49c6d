import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { installSha256, sha256, sha512, toHex, utf8 } from '../src/index.ts';

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
