import { createHmac } from 'node:crypto';
import { concatBytes, encode, unwrap, utf8 } from '@worldline/canon';
import {
  type Ingress,
  ingressDigest,
  merkleTree,
  type ReceiptData,
  receiptDigest,
  receiptsMessage,
} from '@worldline/kernel';
import type { OutboxRow } from '@worldline/ports';
import { describe, expect, test } from 'vitest';
import { submitItem } from '../src/inbox-client.ts';
import { encodeInboxItem } from '../src/inbox-item.ts';
import { ephemeralKey, type HostKey } from '../src/keys.ts';
import type { OpenWorldOptions } from '../src/open.ts';
import { signReceipts, type UnsignedReceipt } from '../src/signer.ts';
import { ReceiptKey, type TrustedKey } from '../src/verifier.ts';
import type { World } from '../src/world.ts';
import { approvals, Bench, fakeAdapter, hostConfig, job, until } from './bench-world.ts';

/** Every rule of `kernel.md` §10.2 and §10.3, through a world and, where that is the way, its inbox. */

const pool = ephemeralKey();
const POOL: TrustedKey = {
  adapterId: 'pool.call',
  keyId: pool.keyId,
  alg: 'ed25519',
  key: pool.publicKey,
  kinds: ['t.call'],
};

/**
 * A world with open effects of kind `t.call` that its own adapter never answers, and an executor elsewhere, `pool.call`,
 * that may answer them.
 */
class Pool {
  readonly bench: Bench;
  readonly world: World;
  #items = 0;

  private constructor(bench: Bench, world: World) {
    this.bench = bench;
    this.world = world;
  }

  static async open(
    ids: readonly string[],
    more: {
      readonly trusted?: readonly TrustedKey[];
      readonly off?: boolean;
      readonly options?: Partial<OpenWorldOptions>;
    } = {},
  ): Promise<Pool> {
    const bench = await Bench.create(more.off === true ? { config: { receipt_verification: 'off' } } : {});
    const world = await bench.open({
      adapters: [fakeAdapter(() => new Promise(() => {})), approvals()],
      config: hostConfig(() => ({ receipts: { trustedKeys: more.trusted ?? [POOL] } })),
      ...more.options,
    });
    const pool = new Pool(bench, world);
    for (const id of ids) await world.startPlan({ plan: 't/call_plan@1', input: job(id) });
    return pool;
  }

  /** What the executor elsewhere would answer, unsigned. */
  async receipts(): Promise<UnsignedReceipt[]> {
    const records = (await this.bench.records()).filter(({ record }) => record.record_kind === 'effect_intent');
    return records.map(({ seq, record }) => ({
      intentHash: (record as { intent_hash: Uint8Array }).intent_hash,
      emissionSeq: seq,
      adapterId: 'pool.call',
      status: 'ok',
      payloadCbor: encode({ text: 'ok', note: null }),
    }));
  }

  signed(receipts: readonly UnsignedReceipt[], key: HostKey = pool): ReceiptData[] {
    return signReceipts(this.bench.worldId, key, receipts);
  }

  send(receipt: ReceiptData, dedupeKey = `key ${++this.#items}`) {
    const ingress: Extract<Ingress, { kind: 'receipt' }> = { kind: 'receipt', receipt, verdict: {} };
    const item = encodeInboxItem({ ingress, dedupeKey, enqueuedAtNs: 1n });
    return submitItem(this.bench.store, this.bench.worldId, item, { timeoutMs: 10_000 });
  }

  /** It is refused with the code, journaled alone, and its effect waits on for a good one. */
  async refuses(receipt: ReceiptData, code: string): Promise<void> {
    const pending = await this.world.read((kernel) => [...kernel.pending()].length);
    expect(await this.send(receipt)).toMatchObject({ ok: false, failure: { code } });
    const rejected = (await this.bench.of('ingress_rejected')).at(-1)!;
    expect(rejected).toMatchObject({ code, ingress_kind: 'receipt' });
    expect(await this.world.read((kernel) => [...kernel.pending()].length)).toBe(pending);
  }

  async accepts(receipt: ReceiptData, sigKey: string | undefined): Promise<void> {
    expect(await this.send(receipt)).toMatchObject({ ok: true, value: { state: 'applied' } });
    expect((await this.bench.of('effect_receipt')).at(-1)!.sig_key).toBe(sigKey);
  }

  async close(): Promise<void> {
    await this.world.close({ graceMs: 0 });
    await this.bench.replays();
  }
}

describe('binding (§10.2 rows 1–5)', () => {
  test('1: emission given, pending, hash equal: bound to it', async () => {
    const p = await Pool.open(['a', 'b']);
    const [, second] = p.signed(await p.receipts()).map((r) => r);
    await p.accepts(second!, pool.keyId);
    expect((await p.bench.of('effect_receipt'))[0]!.emission_seq).toBe(second!.emissionSeq);
    expect(await p.bench.done()).toEqual(['b']);
    await p.close();
  });

  test('2: emission absent, hash pending: bound to the emission with that hash, which its signature must name', async () => {
    const p = await Pool.open(['a', 'b']);
    const [first, second] = await p.receipts();
    const { emissionSeq: _, ...unbound } = p.signed([first!])[0]!;
    await p.refuses({ ...unbound, intentHash: second!.intentHash }, 'receipt.bad_signature');
    await p.accepts(unbound, pool.keyId);
    expect(await p.bench.done()).toEqual(['a']);
    await p.close();
  });

  test('3: emission given but hash differs: receipt.intent_mismatch, before any signature is looked at', async () => {
    const p = await Pool.open(['a', 'b']);
    const [first, second] = await p.receipts();
    const crossed = { ...first!, intentHash: second!.intentHash };
    await p.refuses({ ...crossed, signature: new Uint8Array(64) }, 'receipt.intent_mismatch');
    await p.refuses(p.signed([crossed])[0]!, 'receipt.intent_mismatch');
    await p.close();
  });

  test('4: not pending any more: duplicate, acknowledged, no batch with entries, and no signature is looked at', async () => {
    const p = await Pool.open(['a']);
    const [receipt] = p.signed(await p.receipts());
    await p.accepts(receipt!, pool.keyId);
    const { height } = (await p.bench.store.journal.head(p.bench.worldId))!;
    expect(await p.send(receipt!)).toMatchObject({ ok: true, value: { state: 'passed' } });
    expect(await p.send({ ...receipt!, signature: new Uint8Array(64) })).toMatchObject({ value: { state: 'passed' } });
    const { emissionSeq: _, ...unbound } = receipt!;
    expect(await p.send(unbound)).toMatchObject({ value: { state: 'passed' } });
    expect((await p.bench.store.journal.head(p.bench.worldId))!.height).toBe(height);
    await p.close();
  });

  test('4: also after the recent receipts forgot it, by its emission', async () => {
    const p = await Pool.open(['a']);
    const [receipt] = p.signed(await p.receipts());
    await p.accepts(receipt!, pool.keyId);
    expect(await p.send({ ...receipt!, intentHash: new Uint8Array(32).fill(3) })).toMatchObject({
      value: { state: 'passed' },
    });
    await p.close();
  });

  test('5: otherwise receipt.unknown, journaled; receipts behind it are handled', async () => {
    const p = await Pool.open(['a']);
    const [receipt] = await p.receipts();
    await p.refuses(p.signed([{ ...receipt!, emissionSeq: 9_999 }])[0]!, 'receipt.unknown');
    const { emissionSeq: _, ...unbound } = p.signed([receipt!])[0]!;
    await p.refuses({ ...unbound, intentHash: new Uint8Array(32).fill(3) }, 'receipt.unknown');
    await p.accepts(p.signed([receipt!])[0]!, pool.keyId);
    await p.close();
  });
});

describe('adapter ids (§10.2 row 6)', () => {
  test.each(['timer.set', 'kernel.fork', 'kernel.x', 'pool.other', ''])(
    '"%s" from outside: receipt.adapter_invalid',
    async (adapterId) => {
      const p = await Pool.open(['a'], {
        trusted: [POOL, { ...POOL, adapterId: 'timer.set' }, { ...POOL, adapterId: 'kernel.x' }],
      });
      const [receipt] = await p.receipts();
      for (const key of [pool, p.bench.key])
        await p.refuses(p.signed([{ ...receipt!, adapterId }], key)[0]!, 'receipt.adapter_invalid');
      await p.close();
    },
  );

  test('one registered for another kind only: receipt.adapter_invalid', async () => {
    const p = await Pool.open(['a'], { trusted: [{ ...POOL, kinds: ['t.other', 'http.*'] }] });
    const [receipt] = await p.receipts();
    await p.refuses(p.signed([receipt!])[0]!, 'receipt.adapter_invalid');
    await p.refuses(
      p.signed([{ ...receipt!, adapterId: 'host.approval' }], p.bench.key)[0]!,
      'receipt.adapter_invalid',
    );
    await p.close();
  });

  test.each(['host.dispatch', 'manual.operator', 'test.call'])(
    '"%s" is the host’s own: signed with its key only',
    async (adapterId) => {
      const p = await Pool.open(['a']);
      const [receipt] = await p.receipts();
      await p.refuses(p.signed([{ ...receipt!, adapterId }])[0]!, 'receipt.bad_signature');
      await p.accepts(p.signed([{ ...receipt!, adapterId }], p.bench.key)[0]!, p.bench.key.keyId);
      await p.close();
    },
  );

  test('also while verification is off', async () => {
    const p = await Pool.open(['a'], { off: true });
    const [receipt] = await p.receipts();
    const unsigned = { ...receipt!, signature: new Uint8Array(64) };
    await p.refuses({ ...unsigned, adapterId: 'kernel.x' }, 'receipt.adapter_invalid');
    await p.refuses({ ...unsigned, adapterId: 'pool.other' }, 'receipt.adapter_invalid');
    await p.accepts(unsigned, undefined);
    await p.close();
  });
});

describe('signatures (§10.2 row 7, §10.3)', () => {
  const forgeries: readonly (readonly [string, (p: Pool, receipts: readonly UnsignedReceipt[]) => ReceiptData])[] = [
    ['by a key nobody registered', (p, [r]) => p.signed([r!], ephemeralKey())[0]!],
    ['by the host’s own key for a foreign adapter', (p, [r]) => p.signed([r!], p.bench.key)[0]!],
    ['for another world', (_, [r]) => signReceipts('0190b5a8-0000-7000-8000-000000000001', pool, [r!])[0]!],
    [
      'for another emission',
      (p, [r, s]) => ({ ...p.signed([s!])[0]!, intentHash: r!.intentHash, emissionSeq: r!.emissionSeq }),
    ],
    ['with another payload', (p, [r]) => ({ ...p.signed([r!])[0]!, payloadCbor: encode({ text: 'no', note: null }) })],
    ['with the payload taken away', (p, [r]) => ({ ...p.signed([r!])[0]!, payloadCbor: undefined })],
    ['with another cost', (p, [r]) => ({ ...p.signed([r!])[0]!, costCents: 0n })],
    ['with another status and an error', (p, [r]) => ({ ...p.signed([r!])[0]!, status: 'error', error: failure('x') })],
    ['with another error', (p, [r]) => ({ ...p.signed([failed(r!, 'a')])[0]!, error: failure('b') })],
    ['with the error taken away', (p, [r]) => ({ ...p.signed([failed(r!, 'a')])[0]!, error: undefined })],
    ['by another adapter id of the same key', (p, [r]) => ({ ...p.signed([r!])[0]!, adapterId: 'test.call' })],
    ['none', (_, [r]) => ({ ...r!, signature: new Uint8Array(0) })],
    ['64 zero bytes, as receipts of the kernel have', (_, [r]) => ({ ...r!, signature: new Uint8Array(64) })],
    ['cut short', (p, [r]) => ({ ...p.signed([r!])[0]!, signature: p.signed([r!])[0]!.signature.subarray(0, 63) })],
    ['with the path cut short', (p, rs) => resigned(p.signed(rs)[0]!, (s) => s.subarray(0, -32))],
    ['with the path over-long', (p, rs) => resigned(p.signed(rs)[0]!, (s) => concatBytes(s, new Uint8Array(32)))],
    ['with a path of half a hash', (p, rs) => resigned(p.signed(rs)[0]!, (s) => s.subarray(0, -16))],
    ['with the path of another', (p, rs) => ({ ...p.signed(rs)[0]!, signature: p.signed(rs)[1]!.signature })],
    ['with an index not below the count', (p, rs) => resigned(p.signed(rs)[0]!, numbers(3, 3))],
    ['with a count of 0', (p, rs) => resigned(p.signed(rs)[0]!, numbers(0, 0))],
    ['with a smaller count', (p, rs) => resigned(p.signed(rs)[0]!, numbers(0, 2))],
    [
      'of a group of one spelled out: a signature has one spelling',
      (p, [r]) => resigned(p.signed([r!])[0]!, (s) => concatBytes(s, Uint8Array.of(0, 0, 0, 1))),
    ],
  ];
  test.each(forgeries)('%s: receipt.bad_signature, and the honest one is accepted afterwards', async (_, forge) => {
    const p = await Pool.open(['a', 'b', 'c']);
    const receipts = await p.receipts();
    await p.refuses(forge(p, receipts), 'receipt.bad_signature');
    await p.accepts(p.signed(receipts)[0]!, pool.keyId);
    expect(await p.bench.done()).toEqual(['a']);
    await p.close();
  });

  test('a group has at most 256 members, also when its signature is good', async () => {
    const p = await Pool.open(['a']);
    const [receipt] = await p.receipts();
    const others = (count: number) =>
      Array.from({ length: count - 1 }, (_, i) => ({ ...receipt!, emissionSeq: 10_000 + i }));
    await p.refuses(tooMany(p, [receipt!, ...others(257)]), 'receipt.bad_signature');
    await p.accepts(p.signed([receipt!, ...others(256)])[0]!, pool.keyId);
    await p.close();
  });

  test.each([1, 2, 3, 5, 8])('a group of %i: each by itself, in any order, under one key', async (count) => {
    const p = await Pool.open(Array.from({ length: count }, (_, i) => `n${i}`));
    const signed = p.signed(await p.receipts());
    for (const receipt of signed.toReversed()) await p.accepts(receipt, pool.keyId);
    expect((await p.bench.done()).length).toBe(count);
    await p.close();
  });

  test('a receipt is not good again for a later equal intent', async () => {
    const p = await Pool.open(['a']);
    const [first] = await p.receipts();
    const receipt = p.signed([first!])[0]!;
    await p.accepts(receipt, pool.keyId);
    await p.world.startPlan({ plan: 't/call_plan@1', input: job('a') });
    const later = (await p.receipts())[1]!;
    expect(later.intentHash).toEqual(first!.intentHash);
    expect(await p.send(receipt)).toMatchObject({ value: { state: 'passed' } });
    const { emissionSeq: _, ...unbound } = receipt;
    await p.refuses(unbound, 'receipt.bad_signature');
    await p.refuses({ ...receipt, emissionSeq: later.emissionSeq }, 'receipt.bad_signature');
    await p.accepts(p.signed([later])[0]!, pool.keyId);
    expect(await p.bench.done()).toEqual(['a', 'a']);
    await p.close();
  });

  test('a receipt of one world is not good in another with the same journal', async () => {
    const [here, there] = [await Pool.open(['a']), await Pool.open(['a'])];
    const [receipt] = here.signed(await here.receipts());
    expect((await there.receipts())[0]).toMatchObject({
      intentHash: receipt!.intentHash,
      emissionSeq: receipt!.emissionSeq,
    });
    await there.refuses(receipt!, 'receipt.bad_signature');
    await here.accepts(receipt!, pool.keyId);
    await Promise.all([here.close(), there.close()]);
  });

  test('the same item twice is one item; under another key it is passed over (W10)', async () => {
    const p = await Pool.open(['a']);
    const [receipt] = p.signed(await p.receipts());
    expect(await p.send(receipt!, 'k')).toMatchObject({ value: { state: 'applied' } });
    expect(await p.send(receipt!, 'k')).toMatchObject({ value: { state: 'applied', answer: { duplicate: true } } });
    expect(await p.send(receipt!, 'other')).toMatchObject({ value: { state: 'passed' } });
    expect((await p.bench.of('effect_receipt')).length).toBe(1);
    await p.close();
  });
});

describe('keys of the registry (§10.3)', () => {
  test('a key is good from its beginning up to its end, judged at the time of the world', async () => {
    const wallNs = 1_700_000_000_000_000_000n;
    const times = { fromNs: wallNs + 1_000_000_000n, untilNs: wallNs + 2_000_000_000n };
    const p = await Pool.open(['a', 'b', 'c', 'd'], { trusted: [{ ...POOL, ...times }] });
    const receipts = await p.receipts();
    const at = (n: number) => p.signed([receipts[n]!])[0]!;
    p.bench.clock.advance(times.fromNs - 1n - p.bench.clock.wallNs());
    await p.refuses(at(0), 'receipt.bad_signature');
    p.bench.clock.advance(1n);
    await p.accepts(at(0), pool.keyId);
    p.bench.clock.advance(times.untilNs - 1n - p.bench.clock.wallNs());
    const group = p.signed([receipts[1]!, receipts[2]!]);
    await p.accepts(group[0]!, pool.keyId);
    p.bench.clock.advance(1n);
    // Its group was verified a moment ago, by a key that is good no longer.
    await p.refuses(group[1]!, 'receipt.bad_signature');
    await p.close();
  });

  test('any valid key of the adapter will do, and the record names the one that did', async () => {
    const next = ephemeralKey();
    const p = await Pool.open(['a', 'b'], { trusted: [POOL, { ...POOL, keyId: next.keyId, key: next.publicKey }] });
    const [a, b] = await p.receipts();
    await p.accepts(p.signed([a!], next)[0]!, next.keyId);
    await p.accepts(p.signed([b!])[0]!, pool.keyId);
    await p.close();
  });

  test('HMAC: 32 bytes for a group of one, with index, count and path behind them for a larger one', async () => {
    const secret = utf8('a secret of the pool, thirty-two.');
    const hmac: HostKey = {
      ...ephemeralKey(),
      sign: (message) => new Uint8Array(createHmac('sha256', secret).update(message).digest()),
    };
    const p = await Pool.open(['a', 'b', 'c'], { trusted: [{ ...POOL, keyId: 'h', alg: 'hmac-sha256', key: secret }] });
    const [a, b, c] = await p.receipts();
    const single = p.signed([a!], hmac)[0]!;
    expect(single.signature.length).toBe(32);
    await p.refuses(
      { ...single, signature: single.signature.with(0, single.signature[0]! ^ 1) },
      'receipt.bad_signature',
    );
    await p.refuses({ ...single, signature: single.signature.subarray(0, 31) }, 'receipt.bad_signature');
    await p.refuses(p.signed([a!])[0]!, 'receipt.bad_signature');
    await p.accepts(single, 'h');
    for (const receipt of p.signed([b!, c!], hmac)) await p.accepts(receipt, 'h');
    await p.close();
  });

  test('two adapters that call different keys by one name do not vouch for each other', async () => {
    const [theirs, ours] = [ephemeralKey(), ephemeralKey()];
    const trusted = [
      { ...POOL, adapterId: 'theirs.call', keyId: 'k', key: theirs.publicKey },
      { ...POOL, adapterId: 'ours.call', keyId: 'k', key: ours.publicKey },
    ];
    const p = await Pool.open(['a', 'b'], { trusted });
    const [a, b] = await p.receipts();
    // Their key signs a group in which a receipt of ours is smuggled; the group verifies for their own receipt.
    const group = p.signed(
      [
        { ...a!, adapterId: 'theirs.call' },
        { ...b!, adapterId: 'ours.call' },
      ],
      theirs,
    );
    await p.accepts(group[0]!, 'k');
    await p.refuses(group[1]!, 'receipt.bad_signature');
    await p.close();
  });

  test('a verified group is remembered, and no more of them than a fixed number', () => {
    const key = ReceiptKey.of(POOL)!;
    const digest = (receipt: ReceiptData) => receiptDigest('w', { ...receipt, emissionSeq: receipt.emissionSeq! });
    const receipt = (n: number): UnsignedReceipt => ({
      intentHash: new Uint8Array(32),
      emissionSeq: n,
      adapterId: 'pool.call',
      status: 'ok',
      payloadCbor: encode({}),
    });
    const group = signReceipts('w', pool, [receipt(1), receipt(2), receipt(3)]);
    for (const one of group) expect(key.verifies(digest(one), one.signature)).toBe(true);
    expect(key.remembered).toBe(1);
    const forged = group[1]!.signature.slice();
    forged[0]! ^= 1;
    expect(key.verifies(digest(group[1]!), forged)).toBe(false);
    expect(key.remembered).toBe(1);
    for (let n = 0; n < 4_200; n++) {
      const [one] = signReceipts('w', pool, [receipt(n)]);
      expect(key.verifies(digest(one!), one!.signature)).toBe(true);
    }
    expect(key.remembered).toBe(4_096);
    expect(key.verifies(digest(group[0]!), group[0]!.signature)).toBe(true);
  });
});

describe('payloads (§10.2)', () => {
  test('an executor’s receipt always settles: what does not conform becomes adapter.bad_payload', async () => {
    const p = await Pool.open(['a', 'b', 'c', 'd']);
    const [a, b, c, d] = await p.receipts();
    await p.accepts(p.signed([{ ...a!, payloadCbor: encode({ text: 7, note: null }) }])[0]!, pool.keyId);
    await p.accepts(p.signed([{ ...b!, payloadCbor: undefined }])[0]!, pool.keyId);
    await p.accepts(p.signed([{ ...failed(c!, 'pool.down'), payloadCbor: encode('no answer') }])[0]!, pool.keyId);
    await p.accepts(p.signed([{ ...d!, status: 'timeout', payloadCbor: undefined }])[0]!, pool.keyId);
    expect(await p.bench.of('effect_receipt')).toMatchObject([
      { status: 'error', error: { code: 'adapter.bad_payload' } },
      { status: 'error', error: { code: 'adapter.bad_payload' } },
      { status: 'error', error: { code: 'pool.down' } },
      { status: 'timeout', error: { code: 'adapter_error', message: '' } },
    ]);
    for (const record of await p.bench.of('effect_receipt')) expect(record.payload_cbor).toBeUndefined();
    await p.close();
  });

  test('a manual receipt that does not conform is refused; one that does settles', async () => {
    const p = await Pool.open(['a']);
    const [receipt] = await p.receipts();
    const manual = (fields: Partial<UnsignedReceipt>) =>
      p.signed([{ ...receipt!, adapterId: 'manual.operator', ...fields }], p.bench.key)[0]!;
    await p.refuses(manual({ payloadCbor: encode({ text: 7, note: null }) }), 'receipt.payload_invalid');
    await p.refuses(manual({ payloadCbor: undefined }), 'receipt.payload_invalid');
    await p.refuses({ ...manual({}), payloadCbor: encode({ text: 'no', note: null }) }, 'receipt.bad_signature');
    await p.accepts(manual({}), p.bench.key.keyId);
    expect(await p.bench.done()).toEqual(['a']);
    await p.close();
  });
});

describe('what this process signed itself and hands over in memory is not verified again (§10.3)', () => {
  test('so a key that signs nonsense is noticed only where bytes come from elsewhere', async () => {
    const nonsense: HostKey = { ...ephemeralKey(), sign: () => new Uint8Array(64).fill(1) };
    const p = await Pool.open([], { options: { receiptKey: nonsense, adapters: [fakeAdapter(), approvals()] } });
    await p.world.startPlan({ plan: 't/call_plan@1', input: job('a') });
    unwrap(await p.world.runBatch({ timeoutMs: 5_000 }));
    expect((await p.bench.of('effect_receipt')).at(-1)).toMatchObject({ sig_key: nonsense.keyId, status: 'ok' });
    await p.world.startPlan({ plan: 't/ask@1', input: job('b') });
    const [approval] = unwrap(await p.world.approvals());
    const receipt: UnsignedReceipt = {
      intentHash: approval!.intentHash,
      emissionSeq: approval!.emissionSeq,
      adapterId: 'host.approval',
      status: 'ok',
      payloadCbor: encode({ decision: 'approved', approver: 'ada', rationale: null }),
    };
    await p.refuses(p.signed([receipt], nonsense)[0]!, 'receipt.bad_signature');
    await p.close();
  });

  test('a receipt handed to `submit` is judged, whatever verdict its sender brings', async () => {
    const p = await Pool.open(['a']);
    const [receipt] = await p.receipts();
    const forged = p.signed([receipt!], ephemeralKey())[0]!;
    expect(await p.world.submit({ kind: 'receipt', receipt: forged, verdict: { sigKey: pool.keyId } })).toMatchObject({
      failure: { code: 'receipt.bad_signature' },
    });
    expect(await p.world.submit({ kind: 'receipt', receipt: forged, verdict: {} })).toMatchObject({
      failure: { code: 'receipt.bad_signature' },
    });
    const good = p.signed([receipt!])[0]!;
    expect(await p.world.submit({ kind: 'receipt', receipt: good, verdict: {} })).toMatchObject({ ok: true });
    expect((await p.bench.of('effect_receipt')).at(-1)!.sig_key).toBe(pool.keyId);
    await p.close();
  });
});

describe('a refused receipt never strands its effect (`hosting.md` §4.1, commit step 6)', () => {
  /** An executor elsewhere holds the outbox row and completes it with whatever `item` makes. */
  async function completing(
    item: (p: Pool, row: OutboxRow, good: UnsignedReceipt) => { item: Uint8Array; digest: Uint8Array },
  ) {
    const p = await Pool.open(['a']);
    const { store, worldId } = p.bench;
    // The world that emitted is gone; the next one leaves the rows to the executor.
    await p.world.close({ graceMs: 0 });
    const world = await p.bench.open({
      adapters: [fakeAdapter(), approvals()],
      config: hostConfig(() => ({ receipts: { trustedKeys: [POOL] } })),
      holdEffects: true,
    });
    const [row] = await store.outbox.claim(worldId, ['t.call'], 'pool', 1, 60_000);
    const [good] = await p.receipts();
    const bad = item(p, row!, good!);
    expect((await store.outbox.complete(worldId, row!.emissionSeq, row!.token, bad.item, bad.digest)).answer).toBe(
      'ok',
    );
    expect(await store.outbox.claim(worldId, ['t.call'], 'pool', 1, 60_000)).toEqual([]);
    let again: OutboxRow | undefined;
    await until(async () => {
      again = (await store.outbox.claim(worldId, ['t.call'], 'pool', 1, 60_000))[0];
      return again !== undefined;
    });
    expect(again).toMatchObject({ emissionSeq: row!.emissionSeq, attempt: row!.attempt + 1 });
    const honest = asItem(p.signed([good!])[0]!);
    expect(
      (await store.outbox.complete(worldId, again!.emissionSeq, again!.token, honest.item, honest.digest)).answer,
    ).toBe('ok');
    await until(async () => (await p.bench.done()).length === 1);
    expect(await store.outbox.list(worldId)).toEqual([]);
    await world.close({ graceMs: 0 });
    await p.bench.replays();
  }

  test.each<[string, Parameters<typeof completing>[0]]>([
    ['one with a wrong signature', (p, _, good) => asItem(p.signed([good], ephemeralKey())[0]!)],
    ['one of an adapter that may not', (p, _, good) => asItem(p.signed([{ ...good, adapterId: 'kernel.x' }])[0]!)],
    ['one for another intent', (p, _, good) => asItem(p.signed([{ ...good, intentHash: new Uint8Array(32) }])[0]!)],
    ['one for an emission that never was', (p, _, good) => asItem(p.signed([{ ...good, emissionSeq: 9_999 }])[0]!)],
    ['one for an emission that is settled', (p, _, good) => asItem(p.signed([{ ...good, emissionSeq: 0 }])[0]!)],
    [
      'one that is too large',
      (_, __, good) => asItem({ ...good, adapterId: 'x'.repeat(1_000), signature: new Uint8Array(64) }),
    ],
    ['bytes that are no item', () => ({ item: utf8('garbage'), digest: new Uint8Array(32) })],
    [
      'an item of another kind',
      () =>
        encodeInboxItem({
          ingress: { kind: 'event', schema: 't/Job@1', value: encode({ id: 'x', ns: null }) },
          enqueuedAtNs: 1n,
        }),
    ],
  ])('%s: refused, passed over or taken for what it is, and the row can be claimed again', (_, item) =>
    completing(item),
  );

  function asItem(receipt: ReceiptData) {
    const ingress: Extract<Ingress, { kind: 'receipt' }> = { kind: 'receipt', receipt, verdict: {} };
    return { item: encodeInboxItem({ ingress, enqueuedAtNs: 1n }).item, digest: ingressDigest(ingress) };
  }
});

function failure(code: string) {
  return { code, message: 'm', retryable: null, detail_ref: null };
}

function failed(receipt: UnsignedReceipt, code: string): UnsignedReceipt {
  return { ...receipt, status: 'error', payloadCbor: undefined, error: failure(code) };
}

function resigned(receipt: ReceiptData, change: (signature: Uint8Array) => Uint8Array): ReceiptData {
  return { ...receipt, signature: change(receipt.signature) };
}

const numbers = (index: number, count: number) => (signature: Uint8Array) =>
  concatBytes(
    signature.subarray(0, 64),
    Uint8Array.of(index >> 8, index & 255, count >> 8, count & 255),
    signature.subarray(68),
  );

/** A group over the limit, well formed and signed with a good key. */
function tooMany(p: Pool, receipts: readonly UnsignedReceipt[]): ReceiptData {
  const digests = receipts.map((receipt) =>
    receiptDigest(p.bench.worldId, { ...receipt, signature: new Uint8Array(0) }),
  );
  const tree = merkleTree(digests);
  const head = Uint8Array.of(0, 0, receipts.length >> 8, receipts.length & 255);
  return { ...receipts[0]!, signature: concatBytes(pool.sign(receiptsMessage(tree.root)), head, ...tree.path(0)) };
}
