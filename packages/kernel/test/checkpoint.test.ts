import { readFileSync } from 'node:fs';
import { type CborValue, decodeCanonical, encode, fromHex, toHex, unwrap } from '@worldline/canon';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nextChain, ZERO_CHAIN } from '../src/chain.ts';
import {
  BATCHES_PER_CHECKPOINT,
  batchProof,
  type Checkpoint,
  checkpointMessage,
  decodeCheckpoint,
  encodeCheckpoint,
  rootOfBatch,
} from '../src/checkpoint.ts';
import { MerkleAccumulator, merkleRoot } from '../src/merkle.ts';
import { decodeWorldKeys, encodeWorldKeys, keyAt, type WorldKey, worldKeyMessage } from '../src/world-key.ts';

const vectors = JSON.parse(readFileSync(new URL('../../../test/vectors/checkpoint.json', import.meta.url), 'utf8'));
const bytes = (hex: string): Uint8Array => fromHex(hex) as Uint8Array;
const all = (hex: readonly string[]): Uint8Array[] => hex.map(bytes);

const given: Checkpoint = {
  worldId: vectors.worldId,
  chainBefore: ZERO_CHAIN,
  chain: bytes(vectors.checkpoint.chains[2]),
  nextSeq: vectors.checkpoint.nextSeq,
  batches: 3,
  root: bytes(vectors.checkpoint.root),
  keyId: vectors.keyId,
  signature: bytes(vectors.checkpoint.signature),
};

describe('MTH (journal.md §2.1)', () => {
  test.each(vectors.merkle as { leaves: string[]; root: string }[])('check vector: $root', ({ leaves, root }) => {
    expect(toHex(merkleRoot(all(leaves)))).toBe(root);
  });

  test('pushed one by one, a list of any length has the root of its tree', () => {
    const accumulator = new MerkleAccumulator();
    expect(() => accumulator.root()).toThrow(RangeError);
    const leaves: Uint8Array[] = [];
    for (let i = 0; i < 300; i++) {
      leaves.push(Uint8Array.of(i >> 8, i & 255));
      accumulator.push(leaves[i]!);
      expect(toHex(accumulator.root())).toBe(toHex(merkleRoot(leaves)));
    }
    expect(accumulator.count).toBe(300);
  });
});

describe('a checkpoint (docs/formats/checkpoint.md)', () => {
  test('chains, root, signed message and stored bytes (check vector)', () => {
    let chain = ZERO_CHAIN;
    const chains = all(vectors.checkpoint.bodies).map((body) => {
      chain = nextChain(chain, body);
      return chain;
    });
    expect(chains.map(toHex)).toEqual(vectors.checkpoint.chains);
    expect(toHex(merkleRoot(chains))).toBe(vectors.checkpoint.root);
    expect(toHex(checkpointMessage(given))).toBe(vectors.checkpoint.message);
    expect(toHex(encodeCheckpoint(given))).toBe(vectors.checkpoint.bytes);
    expect(unwrap(decodeCheckpoint(bytes(vectors.checkpoint.bytes)))).toEqual(given);
  });

  test.each([
    ['v', 2],
    ['world_id', 7],
    ['chain_before', new Uint8Array(31)],
    ['chain', 'text'],
    ['next_seq', -1],
    ['batches', 0],
    ['batches', BATCHES_PER_CHECKPOINT + 1],
    ['root', new Uint8Array(33)],
    ['key_id', 'short'],
    ['signature', new Uint8Array(63)],
  ])('with %s = %s it is checkpoint.invalid at that member', (member, value) => {
    const map = { ...(unwrap(decodeCanonical(bytes(vectors.checkpoint.bytes))) as object), [member]: value };
    expect(decodeCheckpoint(encode(map as CborValue))).toMatchObject({
      ok: false,
      failure: { code: 'checkpoint.invalid', path: [member] },
    });
  });

  test('a missing member, an additional one, another order and arbitrary bytes are checkpoint.invalid', () => {
    const map = unwrap(decodeCanonical(bytes(vectors.checkpoint.bytes))) as Record<string, CborValue>;
    for (const member of Object.keys(map)) {
      const { [member]: _, ...rest } = map;
      expect(decodeCheckpoint(encode(rest))).toMatchObject({ failure: { code: 'checkpoint.invalid' } });
    }
    expect(decodeCheckpoint(encode({ ...map, more: 1 }))).toMatchObject({ failure: { code: 'checkpoint.invalid' } });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (some) => {
        expect(decodeCheckpoint(some)).toMatchObject({ ok: false, failure: { code: 'checkpoint.invalid' } });
      }),
    );
  });

  test('every member but key and signature is under the signature: changing one changes the message', () => {
    const changed: Partial<Checkpoint>[] = [
      { worldId: 'another' },
      { chainBefore: bytes(vectors.checkpoint.chains[0]) },
      { chain: bytes(vectors.checkpoint.chains[0]) },
      { nextSeq: 6 },
      { batches: 4 },
      { root: ZERO_CHAIN },
    ];
    const messages = [given, ...changed.map((fields) => ({ ...given, ...fields }))].map((c) =>
      toHex(checkpointMessage(c)),
    );
    expect(new Set(messages).size).toBe(messages.length);
  });
});

describe('proof that one batch is signed (journal.md §2.1)', () => {
  test.each(vectors.proofs as { index: number; path: string[] }[])('batch $index (check vector)', ({ index, path }) => {
    expect(batchProof(all(vectors.checkpoint.chains), index).map(toHex)).toEqual(path);
    const chainBefore = index === 0 ? ZERO_CHAIN : bytes(vectors.checkpoint.chains[index - 1]);
    const proof = { body: bytes(vectors.checkpoint.bodies[index]), chainBefore, index, count: 3, path: all(path) };
    expect(toHex(rootOfBatch(proof)!)).toBe(vectors.checkpoint.root);
  });

  test('for every batch of a group, and for no other body, chain, place, count or path', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 40 }), fc.nat(), (count, pick) => {
        const bodies = Array.from({ length: count }, (_, i) => encode({ n: i }));
        let chain = ZERO_CHAIN;
        const before: Uint8Array[] = [];
        const chains = bodies.map((body) => {
          before.push(chain);
          chain = nextChain(chain, body);
          return chain;
        });
        const root = toHex(merkleRoot(chains));
        const index = pick % count;
        const good = {
          body: bodies[index]!,
          chainBefore: before[index]!,
          index,
          count,
          path: batchProof(chains, index),
        };
        const rootOf = (fields: Partial<typeof good>) => {
          const found = rootOfBatch({ ...good, ...fields });
          return found && toHex(found);
        };
        expect(rootOf({})).toBe(root);
        expect(rootOf({ body: encode({ n: 'other' }) })).not.toBe(root);
        expect(rootOf({ chainBefore: bytes('ff'.repeat(32)) })).not.toBe(root);
        expect(rootOf({ index: (index + 1) % count })).not.toBe(root);
        expect(rootOf({ index: count })).toBeUndefined();
        expect(rootOf({ path: good.path.slice(1) })).not.toBe(root);
        expect(rootOf({ path: [...good.path, ZERO_CHAIN] })).not.toBe(root);
        expect(rootOf({ path: good.path.map((_, i) => (i === 0 ? ZERO_CHAIN : good.path[i]!)) })).not.toBe(root);
      }),
    );
  });

  test('asking for a batch outside the group is a bug of the caller', () => {
    for (const index of [-1, 3, 0.5])
      expect(() => batchProof(all(vectors.checkpoint.chains), index)).toThrow(RangeError);
  });
});

describe('world keys (journal.md §2.1)', () => {
  const keys: readonly WorldKey[] = [
    { keyId: vectors.keyId, key: bytes(vectors.publicKey), fromNextSeq: 0 },
    {
      keyId: vectors.rotation.keyId,
      key: bytes(vectors.rotation.publicKey),
      fromNextSeq: vectors.rotation.fromNextSeq,
      signature: bytes(vectors.rotation.signature),
    },
  ];

  test('the list and the message of a change (check vector)', () => {
    expect(toHex(encodeWorldKeys(keys))).toBe(vectors.rotation.keys);
    expect(unwrap(decodeWorldKeys(bytes(vectors.rotation.keys)))).toEqual(keys);
    expect(toHex(worldKeyMessage(vectors.worldId, keys[1]!))).toBe(vectors.rotation.message);
  });

  test('K1 the key of a checkpoint is the last one that begins at or below its next_seq', () => {
    expect([0, 5, 6, 900].map((seq) => keyAt(keys, seq)?.keyId)).toEqual([
      vectors.keyId,
      vectors.keyId,
      vectors.rotation.keyId,
      vectors.rotation.keyId,
    ]);
    expect(keyAt([{ ...keys[0]!, fromNextSeq: 4 }], 3)).toBeUndefined();
  });

  test.each([
    ['an empty list', [], ['keys']],
    ['no list', { key: 1 }, ['keys']],
    ['a second first entry', [entry(0, 0), entry(0, 1)], ['keys', 1, 'signature']],
    ['a signed first entry', [{ ...entry(0, 0), signature: new Uint8Array(64) }], ['keys', 0, 'signature']],
    [
      'a key that does not begin later',
      [entry(0, 3), { ...entry(1, 3), signature: new Uint8Array(64) }],
      ['keys', 1, 'from_next_seq'],
    ],
    ['a short key', [{ ...entry(0, 0), key: new Uint8Array(31) }], ['keys', 0, 'key']],
    ['an unknown member', [{ ...entry(0, 0), more: 1 }], ['keys', 0]],
  ])('%s is checkpoint.invalid', (_, list, path) => {
    expect(decodeWorldKeys(encode(list as CborValue))).toMatchObject({
      ok: false,
      failure: { code: 'checkpoint.invalid', path },
    });
  });

  function entry(n: number, fromNextSeq: number) {
    return { key_id: `${n}`.repeat(16), key: new Uint8Array(32).fill(n), from_next_seq: fromNextSeq };
  }
});
