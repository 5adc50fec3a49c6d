import { readFileSync } from 'node:fs';
import { decodeFrame, encodeFrame, fromHex, sha256, toHex, unwrap } from '@worldline/canon';
import {
  decodeBatchBody,
  decodeSegmentFoot,
  decodeSegmentHead,
  encodeSegmentFoot,
  encodeSegmentHead,
  isSegmentFoot,
  nextChain,
  SEGMENT_HEAD_BYTES_MAX,
  ZERO_CHAIN,
} from '@worldline/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const vectors = JSON.parse(readFileSync(new URL('../../../test/vectors/segment.json', import.meta.url), 'utf8'));
const hex = (text: string) => fromHex(text)!;

describe('segments (journal.md §9, docs/formats/segment.md)', () => {
  test('the vector is read piece by piece, and written again', () => {
    const bytes = hex(vectors.segment);
    expect(toHex(sha256(bytes))).toBe(vectors.sha256);
    const { firstSeq, chainBefore, framesAt } = unwrap(decodeSegmentHead(bytes));
    expect([firstSeq, chainBefore, framesAt]).toEqual([0, ZERO_CHAIN, vectors.head.length / 2]);
    const written = [encodeSegmentHead({ firstSeq, chainBefore })];
    let [at, chain, frames, next] = [framesAt, chainBefore, 0, firstSeq];
    while (!isSegmentFoot(bytes.subarray(at))) {
      const frame = decodeFrame(bytes, at)!;
      chain = nextChain(chain, frame.body);
      expect(frame.chain).toEqual(chain);
      next += unwrap(decodeBatchBody(frame.body)).entries.length;
      written.push(encodeFrame(frame));
      at = frame.end;
      frames += 1;
    }
    const foot = unwrap(decodeSegmentFoot(bytes.subarray(at)));
    expect(foot).toEqual({ lastSeq: next - 1, chain, frames, sha256: sha256(bytes.subarray(0, at)), checkpoints: [] });
    written.push(encodeSegmentFoot(foot));
    expect(written.map(toHex).join('')).toBe(vectors.segment);
  });

  test('the head of the vector with a large number', () => {
    const { firstSeq, chainBefore, hex: text } = vectors.bigHead;
    expect(toHex(encodeSegmentHead({ firstSeq, chainBefore: hex(chainBefore) }))).toBe(text);
    expect(unwrap(decodeSegmentHead(hex(text)))).toMatchObject({ firstSeq, framesAt: text.length / 2 });
  });

  test('a head of any number is read, whatever follows, and is never longer than is said', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.uint8Array({ maxLength: 60 }), (firstSeq, after) => {
        const head = encodeSegmentHead({ firstSeq, chainBefore: ZERO_CHAIN });
        expect(head.length).toBeLessThanOrEqual(SEGMENT_HEAD_BYTES_MAX);
        const read = unwrap(decodeSegmentHead(Uint8Array.from([...head, ...after])));
        expect([read.firstSeq, read.framesAt]).toEqual([firstSeq, head.length]);
      }),
    );
  });

  test('whatever is no segment is refused, and nothing throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        expect(decodeSegmentHead(bytes).ok).toBe(false);
        expect(decodeSegmentFoot(bytes).ok).toBe(false);
      }),
    );
    const foot = hex(vectors.foot);
    for (let at = 0; at < foot.length; at++) expect(decodeSegmentFoot(foot.subarray(0, at)).ok).toBe(false);
    const other = vectors.head.replace('617601', '617602');
    expect(decodeSegmentHead(hex(other))).toMatchObject({ failure: { code: 'journal.corrupt', path: ['v'] } });
  });
});
