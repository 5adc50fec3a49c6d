import { utf8 } from '@worldline/canon';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CommitArguments, commitBytesMax, packCommit, unpackCommit, writeCommit } from '../src/commit-message.ts';

const bytes = fc.uint8Array({ maxLength: 40 }).map((value) => new Uint8Array(value));
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((value) => new Uint8Array(value));
const seq = fc.maxSafeNat();
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const place = fc.record({ height: seq, ref: hash });
const list = <T>(arbitrary: fc.Arbitrary<T>) => fc.array(arbitrary, { maxLength: 3 });

const commits: fc.Arbitrary<CommitArguments> = fc.record({
  worldId: fc.string(),
  epoch: seq,
  expected: fc.record({ height: seq, chain: hash }),
  options: fc.record({
    objects: list(fc.record({ hash, bytes })),
    claim: maybe(fc.record({ token: bytes, executor: fc.string() })),
  }),
  batches: list(
    fc.record({
      firstSeq: seq,
      lastSeq: fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER }),
      chain: hash,
      body: bytes,
      inboxCursor: maybe(bytes),
      internalPending: fc.boolean(),
      emitted: list(fc.record({ emissionSeq: seq, intentHash: hash, kind: fc.string(), request: bytes })),
      timers: list(
        fc.record({ emissionSeq: seq, intentHash: hash, dueWallNs: fc.bigInt({ min: 0n, max: 2n ** 64n }) }),
      ),
      settled: list(seq),
      released: list(fc.record({ emissionSeq: seq, token: maybe(bytes), dedupeKey: maybe(fc.string()) })),
      index: maybe(
        fc.record({
          snapshot: maybe(place),
          baseline: maybe(place),
          configHash: maybe(hash),
          activate: fc.constantFrom(undefined, true as const),
        }),
      ),
    }),
  ),
});

test('a commit crosses to the writer thread unchanged', () => {
  fc.assert(
    fc.property(commits, (given) => {
      const message = packCommit(given);
      expect(message.length).toBeLessThanOrEqual(commitBytesMax(given));
      expect(unpackCommit(structuredClone(message))).toEqual(given);
    }),
  );
});

test('a message needs no more room than was asked for, wherever it is written', () => {
  fc.assert(
    fc.property(commits, fc.nat(20), (given, offset) => {
      const target = new Uint8Array(new SharedArrayBuffer(offset + commitBytesMax(given)), offset);
      const length = writeCommit(given, target);
      expect(unpackCommit(target.subarray(0, length))).toEqual(given);
    }),
  );
});

test('bytes that are views of something larger arrive as what they show', () => {
  const big = utf8('0123456789').subarray(2, 5);
  const message = packCommit({
    worldId: 'w',
    epoch: 1,
    expected: { height: 0, chain: big },
    batches: [],
    options: { objects: [{ hash: big, bytes: big }] },
  });
  expect(unpackCommit(message).options.objects).toEqual([{ hash: utf8('234'), bytes: utf8('234') }]);
});
