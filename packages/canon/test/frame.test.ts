import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32c, decodeFrame, encodeFrame } from '../src/frame.ts';
import { toHex } from '../src/hex.ts';
import { utf8 } from '../src/utf8.ts';

describe('CRC-32C (RFC 3720, appendix B.4)', () => {
  test.each([
    ['32 zero bytes', new Uint8Array(32), 0x8a91_36aa],
    ['32 bytes of ones', new Uint8Array(32).fill(0xff), 0x62a8_ab43],
    ['32 rising bytes', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd_794e],
    ['32 falling bytes', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113f_db5c],
    ['the nine digits', utf8('123456789'), 0xe306_9283],
    ['nothing', new Uint8Array(0), 0],
  ])('%s', (_, bytes, crc) => {
    expect(crc32c(bytes)).toBe(crc);
    expect(crc32c(bytes.subarray(0, 5), bytes.subarray(5))).toBe(crc);
  });
});

const frame = fc.record({
  chain: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  body: fc.uint8Array({ maxLength: 60 }),
});

describe('frames (`journal.md` §2)', () => {
  test('the bytes of a frame: length, checksum, chain, body', () => {
    const chain = new Uint8Array(32).fill(0x11);
    expect(toHex(encodeFrame({ chain, body: Uint8Array.of(0xd9, 0xd9, 0xf7, 0xa0) }))).toBe(
      `04000000f2c61869${'11'.repeat(32)}d9d9f7a0`,
    );
  });

  test('decoding what was encoded gives it back, wherever it lies', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 5 }), fc.uint8Array({ maxLength: 9 }), (frames, before) => {
        const bytes = Uint8Array.from([...before, ...frames.flatMap((one) => [...encodeFrame(one)])]);
        let at = before.length;
        for (const one of frames) {
          const decoded = decodeFrame(bytes, at)!;
          expect([toHex(decoded.chain), toHex(decoded.body)]).toEqual([toHex(one.chain), toHex(one.body)]);
          at = decoded.end;
        }
        expect(at).toBe(bytes.length);
        expect(decodeFrame(bytes, at)).toBeUndefined();
      }),
    );
  });

  test('a frame cut anywhere, or with any bit flipped behind its length, is none (F11)', () => {
    fc.assert(
      fc.property(frame, fc.nat(), fc.nat(7), (one, place, bit) => {
        const bytes = encodeFrame(one);
        expect(decodeFrame(bytes.subarray(0, place % bytes.length), 0)).toBeUndefined();
        bytes[4 + (place % (bytes.length - 4))]! ^= 1 << bit;
        expect(decodeFrame(bytes, 0)).toBeUndefined();
      }),
    );
  });
});
