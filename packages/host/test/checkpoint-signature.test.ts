import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fromHex, toHex, unwrap } from '@worldline/canon';
import { type Checkpoint, decodeCheckpoint, encodeWorldKeys, type WorldKey } from '@worldline/kernel';
import { describe, expect, test } from 'vitest';
import { firstWorldKey, nextWorldKey, signCheckpoint, WorldKeyLine } from '../src/checkpoint-signature.ts';
import { ephemeralKey, hostKey } from '../src/keys.ts';

const vectors = JSON.parse(readFileSync(new URL('../../../test/vectors/checkpoint.json', import.meta.url), 'utf8'));
const bytes = (hex: string): Uint8Array => fromHex(hex) as Uint8Array;
const WORLD: string = vectors.worldId;

/** The key of an RFC 8032 seed: PKCS #8 is a fixed prefix and the seed. */
const keyOfSeed = (seed: string) =>
  hostKey(
    createPrivateKey({
      key: Buffer.from(`302e020100300506032b657004220420${seed}`, 'hex'),
      format: 'der',
      type: 'pkcs8',
    }),
  );
const first = keyOfSeed(vectors.seed);
const second = keyOfSeed(vectors.rotation.seed);
const keys: readonly WorldKey[] = [
  firstWorldKey(first),
  nextWorldKey(WORLD, first, second, vectors.rotation.fromNextSeq),
];
const signed = unwrap(decodeCheckpoint(bytes(vectors.checkpoint.bytes)));
const { keyId: _, signature: __, ...data } = signed;

describe('signatures of checkpoints (journal.md §2.1)', () => {
  test('key, key id and signature (check vector)', () => {
    expect(toHex(first.publicKey)).toBe(vectors.publicKey);
    expect(first.keyId).toBe(vectors.keyId);
    expect(signCheckpoint(first, data)).toEqual(signed);
    const line = unwrap(WorldKeyLine.read(WORLD, encodeWorldKeys([keys[0]!])));
    expect(line.verify(signed)).toMatchObject({ ok: true });
  });

  test('a change of any member, another key, and a signature of another world do not verify', () => {
    const line = unwrap(WorldKeyLine.read(WORLD, encodeWorldKeys([keys[0]!])));
    const pathOf = (fields: Partial<Checkpoint>) => {
      const verified = line.verify({ ...signed, ...fields });
      return verified.ok ? undefined : [verified.failure.code, ...verified.failure.path];
    };
    const other = new Uint8Array(32).fill(7);
    for (const fields of [{ chainBefore: other }, { chain: other }, { nextSeq: 4 }, { batches: 2 }, { root: other }])
      expect(pathOf(fields)).toEqual(['checkpoint.invalid', 'signature']);
    expect(pathOf({ worldId: 'another' })).toEqual(['checkpoint.invalid', 'world_id']);
    expect(pathOf(signCheckpoint(second, data))).toEqual(['checkpoint.invalid', 'key_id']);
    expect(pathOf({ ...signCheckpoint(second, data), keyId: first.keyId })).toEqual([
      'checkpoint.invalid',
      'signature',
    ]);
    const elsewhere = unwrap(WorldKeyLine.read('another', encodeWorldKeys([keys[0]!])));
    expect(elsewhere.verify(signed)).toMatchObject({ failure: { path: ['world_id'] } });
    expect(elsewhere.verify({ ...signed, worldId: 'another' })).toMatchObject({ failure: { path: ['signature'] } });
  });
});

describe('the line of world keys (journal.md §2.1)', () => {
  test('every key but the first is signed by the one before (check vector)', () => {
    expect(toHex(encodeWorldKeys(keys))).toBe(vectors.rotation.keys);
    expect(unwrap(WorldKeyLine.read(WORLD, bytes(vectors.rotation.keys))).keys).toEqual(keys);
  });

  test('before the change the old key signs, from it on the new one, never the other', () => {
    const line = unwrap(WorldKeyLine.read(WORLD, encodeWorldKeys(keys)));
    const by = (key: typeof first, nextSeq: number) => line.verify(signCheckpoint(key, { ...data, nextSeq })).ok;
    expect([by(first, 5), by(second, 5), by(first, 6), by(second, 6), by(second, 99)]).toEqual([
      true,
      false,
      false,
      true,
      true,
    ]);
  });

  test('a line of three holds; one that leaves out its middle, or is signed by a stranger, does not', () => {
    const third = ephemeralKey();
    const whole = [...keys, nextWorldKey(WORLD, second, third, 9)];
    const read = (list: readonly WorldKey[], worldId = WORLD) => WorldKeyLine.read(worldId, encodeWorldKeys(list));
    expect(read(whole)).toMatchObject({ ok: true });
    expect(read([whole[0]!, whole[2]!])).toMatchObject({
      failure: { code: 'checkpoint.invalid', path: ['keys', 1, 'signature'] },
    });
    expect(read([whole[0]!, nextWorldKey(WORLD, third, third, 9)])).toMatchObject({
      failure: { code: 'checkpoint.invalid', path: ['keys', 1, 'signature'] },
    });
    expect(read([whole[0]!, { ...whole[1]!, fromNextSeq: 7 }])).toMatchObject({
      failure: { path: ['keys', 1, 'signature'] },
    });
    expect(read(whole, 'another')).toMatchObject({ failure: { path: ['keys', 1, 'signature'] } });
    expect(read([{ ...whole[0]!, keyId: third.keyId }])).toMatchObject({ failure: { path: ['keys', 0, 'key_id'] } });
  });
});
