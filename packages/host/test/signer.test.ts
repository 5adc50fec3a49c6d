import { encode, fromHex, toHex } from '@worldline/canon';
import { merkleProof, merkleRoot, merkleTree, type ReceiptData } from '@worldline/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ephemeralKey, keyIdOf } from '../src/keys.ts';
import { SIGNING_GROUP_MAX, signReceipts, type UnsignedReceipt } from '../src/signer.ts';
import { ReceiptVerifier, verifyReceipt } from '../src/verifier.ts';

const WORLD = '0190b5a8-0000-7000-8000-000000000001';

const receipt = (n: number): UnsignedReceipt => ({
  intentHash: new Uint8Array(32).fill(n & 0xff),
  emissionSeq: n,
  adapterId: 'host.http',
  status: 'ok',
  payloadCbor: encode({}),
});

test('the tree has the root and the paths of the kernel’s definition, for every number of leaves', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 70 }), fc.nat(255), (count, seed) => {
      const leaves = Array.from({ length: count }, (_, i) => Uint8Array.of(seed, i));
      const tree = merkleTree(leaves);
      expect(toHex(tree.root)).toBe(toHex(merkleRoot(leaves)));
      for (let i = 0; i < count; i++) expect(tree.path(i).map(toHex)).toEqual(merkleProof(leaves, i).map(toHex));
    }),
  );
  // journal.md §2.1, list of three.
  const vector = [1, 2, 3].map((n) => new Uint8Array(32).fill(n));
  expect(toHex(merkleTree(vector).root)).toBe('df896896c799531f1fd1e556cea26a6989ab06853bcbfdd3e4f5097a611f658f');
  expect(() => merkleTree([])).toThrow(RangeError);
});

/** Low byte of the count, behind the signature and the index. */
const COUNT_AT = 67;

describe('one rule for single and grouped signing (`kernel.md` §10.3)', () => {
  test.each([1, 2, 3, 7, 64, 256])('%i receipts: one signature, each verifies by itself', (count) => {
    const key = ephemeralKey();
    const signed = signReceipts(
      WORLD,
      key,
      Array.from({ length: count }, (_, i) => receipt(i)),
    );
    expect(new Set(signed.map((r) => toHex(r.signature.subarray(0, 64)))).size).toBe(1);
    expect(signed[0]!.signature.length === 64).toBe(count === 1);
    for (const one of signed) expect(verifyReceipt(WORLD, one, { alg: 'ed25519', key: key.publicKey })).toBe(true);
  });

  test('any changed byte of a signature, and any other receipt, fails', () => {
    const key = ephemeralKey();
    const signed = signReceipts(WORLD, key, [receipt(0), receipt(1), receipt(2)]);
    const one = signed[1]!;
    fc.assert(
      fc.property(fc.nat(one.signature.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const signature = one.signature.slice();
        signature[at]! ^= flip;
        // The count only says how long the path is, and that of leaf 1 is the same in trees of three and of four leaves
        // (found with [67, 7]). What is signed is the same receipt either way.
        fc.pre(!(at === COUNT_AT && signature[at] === 4));
        expect(verifyReceipt(WORLD, { ...one, signature }, { alg: 'ed25519', key: key.publicKey })).toBe(false);
      }),
    );
    expect(verifyReceipt(WORLD, { ...one, emissionSeq: 2 }, { alg: 'ed25519', key: key.publicKey })).toBe(false);
    expect(verifyReceipt('another', one, { alg: 'ed25519', key: key.publicKey })).toBe(false);
    expect(
      verifyReceipt(
        WORLD,
        { ...one, signature: one.signature.subarray(0, 70) },
        { alg: 'ed25519', key: key.publicKey },
      ),
    ).toBe(false);
  });

  test('a group has 1 to 256 receipts', () => {
    const key = ephemeralKey();
    expect(() => signReceipts(WORLD, key, [])).toThrow(RangeError);
    expect(() =>
      signReceipts(
        WORLD,
        key,
        Array.from({ length: SIGNING_GROUP_MAX + 1 }, (_, i) => receipt(i)),
      ),
    ).toThrow(RangeError);
  });

  test('the digest and root of the specification’s check vector are what is signed', () => {
    const messages: Uint8Array[] = [];
    const sign = (message: Uint8Array) => {
      messages.push(message);
      return new Uint8Array(64);
    };
    const key = { ...ephemeralKey(), sign };
    const intentHash = fromHex('01360cf46f2dbc98842a1063fe417cd8a3fb2312c3b87138cb975671b9bdc205')!;
    signReceipts(WORLD, key, [{ ...receipt(7), intentHash }]);
    expect(toHex(messages[0]!)).toBe(
      `${toHex(new TextEncoder().encode('worldline.receipts.v1'))}335b92c7df8a807acce629c9648db83fe700292faa7494b9f79c642fc2a7575d`,
    );
  });
});

describe('trusted keys of other executors (`receipts.trusted_keys`)', () => {
  const foreign = ephemeralKey();
  const own = ephemeralKey();
  const verifier = (more: Partial<ConstructorParameters<typeof ReceiptVerifier>[0]> = {}) =>
    new ReceiptVerifier({
      worldId: WORLD,
      required: true,
      own,
      trusted: [
        { adapterId: 'pool.http', keyId: foreign.keyId, alg: 'ed25519', key: foreign.publicKey, kinds: ['http.*'] },
      ],
      isRegistered: (id) => id === 'host.http',
      ...more,
    });
  const from = (adapterId: string, key = foreign): ReceiptData =>
    signReceipts(WORLD, key, [{ ...receipt(7), adapterId }])[0]!;
  const emission = { emissionSeq: 7, kind: 'http.request' };

  test('a key vouches for its adapter id and its kinds only', () => {
    expect(verifier().judge(from('pool.http'), emission, 0n)).toEqual({ sigKey: foreign.keyId });
    expect(verifier().judge(from('pool.http'), { ...emission, kind: 'blob.put' }, 0n)).toEqual({
      reject: 'receipt.adapter_invalid',
    });
    expect(verifier().judge(from('pool.other'), emission, 0n)).toEqual({ reject: 'receipt.adapter_invalid' });
    expect(verifier().judge(from('host.http'), emission, 0n)).toEqual({ reject: 'receipt.bad_signature' });
    expect(verifier().judge(from('host.http', own), emission, 0n)).toEqual({ sigKey: own.keyId });
  });

  test('outside its time a key vouches for nothing', () => {
    const key = {
      adapterId: 'pool.http',
      keyId: 'k',
      alg: 'ed25519' as const,
      key: foreign.publicKey,
      kinds: ['http.*'],
      fromNs: 10n,
      untilNs: 20n,
    };
    const judge = (nowNs: bigint) => verifier({ trusted: [key] }).judge(from('pool.http'), emission, nowNs);
    expect([9n, 10n, 19n, 20n].map((t) => judge(t).sigKey)).toEqual([undefined, 'k', 'k', undefined]);
  });

  test('HMAC keys sign with 32 bytes', async () => {
    const { createHmac } = await import('node:crypto');
    const secret = new Uint8Array(32).fill(9);
    const hmac = {
      ...ephemeralKey(),
      sign: (m: Uint8Array) => new Uint8Array(createHmac('sha256', secret).update(m).digest()),
    };
    const trusted = [
      { adapterId: 'pool.http', keyId: 'h', alg: 'hmac-sha256' as const, key: secret, kinds: ['http.request'] },
    ];
    const signed = signReceipts(WORLD, hmac, [
      { ...receipt(7), adapterId: 'pool.http' },
      { ...receipt(8), adapterId: 'pool.http' },
    ]);
    expect(verifier({ trusted }).judge(signed[0]!, emission, 0n)).toEqual({ sigKey: 'h' });
    const wrong = [{ ...trusted[0]!, key: new Uint8Array(32) }];
    expect(verifier({ trusted: wrong }).judge(signed[0]!, emission, 0n)).toEqual({ reject: 'receipt.bad_signature' });
  });

  test('with verification off nothing is verified, but ids are still judged', () => {
    const off = verifier({ required: false });
    expect(off.judge({ ...from('host.http'), signature: new Uint8Array(64) }, emission, 0n)).toEqual({});
    expect(off.judge(from('timer.set'), emission, 0n)).toEqual({ reject: 'receipt.adapter_invalid' });
  });

  test('a receipt that binds to nothing is left to the kernel', () => {
    expect(verifier().judge(from('host.http'), undefined, 0n)).toEqual({});
  });
});

test('a key id is the first 16 hex digits of the key’s SHA-256', () => {
  const key = ephemeralKey();
  expect(key.keyId).toMatch(/^[0-9a-f]{16}$/);
  expect(keyIdOf(key.publicKey)).toBe(key.keyId);
});
