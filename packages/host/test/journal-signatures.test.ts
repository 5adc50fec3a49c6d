import { unwrap, utf8 } from '@worldline/canon';
import {
  type Checkpoint,
  decodeBatchBody,
  decodeCheckpoint,
  decodeRecord,
  type EffectReceipt,
  encodeBatchBody,
  encodeCheckpoint,
  encodeRecord,
  encodeWorldKeys,
  type JournalRecord,
  nextChain,
  ZERO_CHAIN,
} from '@worldline/kernel';
import type { Head, Store, StoredBatch, StoredCheckpoint } from '@worldline/ports';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { firstWorldKey, nextWorldKey, signCheckpoint } from '../src/checkpoint-signature.ts';
import { verifyJournal } from '../src/journal-verify.ts';
import { ephemeralKey, type HostKey } from '../src/keys.ts';
import { Bench, fakeAdapter, gate, job, okOutcome, settle } from './bench-world.ts';

/** What an auditor finds when somebody had the store in their hands (`journal.md` §2.1, `kernel.md` §10.3). */

let bench: Bench;
let line: readonly StoredCheckpoint[];
let batches: readonly StoredBatch[];

beforeAll(async () => {
  bench = await Bench.create();
  const go = gate();
  const world = await bench.open({
    adapters: [
      fakeAdapter(async () => {
        await go.promise;
        return okOutcome();
      }),
    ],
  });
  for (const round of ['a', 'b', 'c']) {
    for (const n of [1, 2, 3]) await world.startPlan({ plan: 't/call_plan@1', input: job(`${round}${n}`) });
    await settle();
    // Those of the first round are finished together, so that one signature covers them.
    go.open();
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    unwrap(await world.snapshot());
  }
  await world.close();
  line = await bench.store.checkpoint.read(bench.worldId, 0, 1_000);
  const read = await bench.store.journal.read(bench.worldId, 0, 1_000);
  batches = read.answer === 'ok' ? read.batches : [];
});

interface Changes {
  readonly checkpoints?: readonly StoredCheckpoint[];
  readonly batches?: readonly StoredBatch[];
  readonly keys?: Uint8Array;
}

/** The bench's store with other contents, whose head is the end of what it holds. */
function changed(changes: Changes): Store {
  const { store } = bench;
  const [checkpoints, all] = [changes.checkpoints ?? line, changes.batches ?? batches];
  const last = all.at(-1)!;
  const head: Head = { height: last.lastSeq + 1, chain: last.chain };
  return {
    ...store,
    world: {
      ...store.world,
      async get(worldId) {
        const row = (await store.world.get(worldId))!;
        return { ...row, head, keys: changes.keys ?? row.keys };
      },
    },
    checkpoint: { ...store.checkpoint, read: async (_, from, limit) => checkpoints.slice(from, from + limit) },
    journal: {
      ...store.journal,
      head: async () => head,
      read: async (_, from) => ({ answer: 'ok', batches: all.filter((batch) => batch.firstSeq >= from) }),
    },
  };
}

async function verify(changes: Changes = {}, own: readonly HostKey[] = [bench.key]) {
  const report = unwrap(
    await verifyJournal({
      store: changed(changes),
      worldId: bench.worldId,
      signatures: {
        own: own.map(({ keyId, publicKey }) => ({ keyId, alg: 'ed25519', key: publicKey })),
        trusted: [],
        worldKey: bench.worldKey.publicKey,
      },
    }),
  );
  return {
    ...report.signatures!,
    problems: report.problems.map(({ seq, code }) => [seq, code] as const),
  };
}

const stored = (checkpoint: Checkpoint): StoredCheckpoint => ({
  chainBefore: checkpoint.chainBefore,
  chain: checkpoint.chain,
  nextSeq: checkpoint.nextSeq,
  bytes: encodeCheckpoint(checkpoint),
});
const decoded = (at: number): Checkpoint => unwrap(decodeCheckpoint(line[at]!.bytes));
const replaced = (at: number, by: StoredCheckpoint) => line.map((one, i) => (i === at ? by : one));
const other = new Uint8Array(32).fill(7);
const AT = 2;

test('a journal as its world left it has no problem: signed to the head, every receipt by a known key', async () => {
  const receipts = await bench.of('effect_receipt');
  expect(line.length).toBeGreaterThan(4);
  expect(receipts.some((receipt) => receipt.signature.length > 64)).toBe(true);
  expect(receipts.some((receipt) => receipt.signature.length === 64)).toBe(true);
  expect(await verify()).toEqual({
    signedToSeq: batches.at(-1)!.lastSeq + 1,
    checkpoints: line.length,
    receiptsVerified: receipts.length,
    receiptsUnverifiable: 0,
    problems: [],
  });
});

describe('a checkpoint that was changed is one checkpoint.invalid, and proof ends before it', () => {
  const changes: readonly (readonly [string, () => Partial<Checkpoint>])[] = [
    ['world_id', () => ({ worldId: 'another' })],
    ['chain_before', () => ({ chainBefore: other })],
    ['chain', () => ({ chain: other })],
    ['next_seq, lower', () => ({ nextSeq: decoded(AT).nextSeq - 1 })],
    ['next_seq, higher', () => ({ nextSeq: decoded(AT).nextSeq + 1 })],
    ['batches, fewer', () => ({ batches: decoded(AT).batches - 1 })],
    ['batches, more', () => ({ batches: decoded(AT).batches + 1 })],
    ['root', () => ({ root: other })],
    ['key_id', () => ({ keyId: '0123456789abcdef' })],
    ['signature', () => ({ signature: decoded(AT).signature.with(0, decoded(AT).signature[0]! ^ 1) })],
  ];
  test.each(changes)('%s', async (_, change) => {
    expect(decoded(AT).batches).toBeGreaterThan(2);
    const bad = { ...decoded(AT), ...change() };
    for (const row of [{ ...line[AT]!, bytes: encodeCheckpoint(bad) }, stored(bad)]) {
      const found = await verify({ checkpoints: replaced(AT, row) });
      expect(found.problems).toEqual([[bad.nextSeq, 'checkpoint.invalid']]);
      expect(found.signedToSeq).toBe(line[AT - 1]!.nextSeq);
    }
  });

  test.each(changes.filter(([name]) => !/world_id|key_id|signature/.test(name)))(
    '%s, signed by the world key itself: the batches say otherwise',
    async (_, change) => {
      const bad = signCheckpoint(bench.worldKey, { ...decoded(AT), ...change() });
      const found = await verify({ checkpoints: replaced(AT, stored(bad)) });
      expect(found.problems).toEqual([[bad.nextSeq, 'checkpoint.invalid']]);
      expect(found.signedToSeq).toBe(line[AT - 1]!.nextSeq);
    },
  );

  test('any byte of it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(line[AT]!.bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const bytes = line[AT]!.bytes.slice();
        bytes[at]! ^= flip;
        const found = await verify({ checkpoints: replaced(AT, { ...line[AT]!, bytes }) });
        expect(found.problems.length).toBe(1);
        expect(found.problems[0]![1]).toBe('checkpoint.invalid');
        expect(found.signedToSeq).toBe(line[AT - 1]!.nextSeq);
      }),
      { numRuns: 40 },
    );
  });
});

describe('the line of checkpoints has no gap, no fork and no other order (I2)', () => {
  const invalid = (at: number) => [line[at]!.nextSeq, 'checkpoint.invalid'];

  test('one left out in the middle is found at the next', async () => {
    const found = await verify({ checkpoints: line.filter((_, i) => i !== AT) });
    expect(found.problems).toEqual([invalid(AT + 1)]);
    expect(found.signedToSeq).toBe(line[AT - 1]!.nextSeq);
  });

  test('the first left out is found at the second', async () => {
    expect((await verify({ checkpoints: line.slice(1) })).problems).toEqual([invalid(1)]);
  });

  test('two in each other’s place are found, both', async () => {
    const swapped = line.map((one, i) => (i === AT ? line[AT + 1]! : i === AT + 1 ? line[AT]! : one));
    const found = await verify({ checkpoints: swapped });
    expect(found.problems).toEqual(expect.arrayContaining([invalid(AT + 1), invalid(AT)]));
    expect(found.signedToSeq).toBe(line[AT - 1]!.nextSeq);
  });

  test('one that is there twice is found', async () => {
    const twice = [...line.slice(0, AT + 1), ...line.slice(AT)];
    expect((await verify({ checkpoints: twice })).problems).toContainEqual(invalid(AT));
  });

  test('the newest left out is no problem: what it proved is unsigned', async () => {
    expect(await verify({ checkpoints: line.slice(0, -1) })).toMatchObject({
      problems: [],
      signedToSeq: line.at(-2)!.nextSeq,
    });
  });

  test('one of batches that the journal does not have is found', async () => {
    const cut = batches.filter((batch) => batch.lastSeq < line.at(-1)!.nextSeq - 2);
    expect((await verify({ batches: cut })).problems).toEqual([invalid(line.length - 1)]);
  });

  test('a list of problems has an end', async () => {
    const garbage = Array.from({ length: 1_200 }, () => ({ ...line[0]!, bytes: utf8('garbage') }));
    const report = unwrap(
      await verifyJournal({
        store: changed({ checkpoints: garbage }),
        worldId: bench.worldId,
        signatures: { own: [], trusted: [] },
      }),
    );
    const receipts = await bench.of('effect_receipt');
    expect(report.problems.length).toBe(1_000);
    expect(report.problems.length + report.moreProblems).toBe(1_200 + receipts.length);
  });
});

describe('keys (journal.md §2.1)', () => {
  const resigned = (key: HostKey, from = 0) =>
    line.map((one, i) => (one.nextSeq < from ? one : stored(signCheckpoint(key, decoded(i)))));

  test('a checkpoint by another key does not verify, under its own name or a borrowed one', async () => {
    const stranger = ephemeralKey();
    const honest = signCheckpoint(stranger, decoded(AT));
    for (const one of [honest, { ...honest, keyId: bench.worldKey.keyId }]) {
      expect((await verify({ checkpoints: replaced(AT, stored(one)) })).problems).toEqual([
        [one.nextSeq, 'checkpoint.invalid'],
      ]);
    }
  });

  test('all signed anew by a key that was put into the world row: not among the keys that this host knows', async () => {
    const stranger = ephemeralKey();
    const keys = encodeWorldKeys([firstWorldKey(stranger)]);
    expect((await verify({ checkpoints: resigned(stranger), keys })).problems).toEqual([[0, 'checkpoint.invalid']]);
  });

  test('after a change of the key the new one signs; the old one does not any more', async () => {
    const next = ephemeralKey();
    const from = line[AT]!.nextSeq;
    const keys = encodeWorldKeys([
      firstWorldKey(bench.worldKey),
      nextWorldKey(bench.worldId, bench.worldKey, next, from),
    ]);
    expect((await verify({ checkpoints: resigned(next, from), keys })).problems).toEqual([]);
    expect((await verify({ keys })).problems.map(([seq]) => seq)).toEqual(line.slice(AT).map(({ nextSeq }) => nextSeq));
  });

  test('keys that cannot be read, and a line that its first key did not hand on, verify nothing', async () => {
    const stranger = ephemeralKey();
    const handed = [firstWorldKey(bench.worldKey), nextWorldKey(bench.worldId, stranger, stranger, 5)];
    for (const keys of [utf8('garbage'), encodeWorldKeys(handed)]) {
      const found = await verify({ keys });
      expect(found.problems.length).toBe(1 + line.length);
      expect(found.signedToSeq).toBe(0);
    }
  });
});

/** The journal with one record changed and every chain value after it made to fit. */
function rewritten(seq: number, change: (record: JournalRecord) => JournalRecord): readonly StoredBatch[] {
  let chain: Uint8Array = ZERO_CHAIN;
  return batches.map((batch) => {
    let { body } = batch;
    if (seq >= batch.firstSeq && seq <= batch.lastSeq) {
      const read = unwrap(decodeBatchBody(body));
      const entries = read.entries.map((entry, i) =>
        batch.firstSeq + i === seq ? encodeRecord(change(unwrap(decodeRecord(entry)))) : entry,
      );
      body = encodeBatchBody({ ...read, entries });
    }
    chain = nextChain(chain, body);
    return { ...batch, body, chain };
  });
}

describe('a batch that was changed under its checkpoint', () => {
  test('is journal.corrupt where the chain does not follow', async () => {
    const at = batches.findIndex((batch) => batch.firstSeq > line[AT - 1]!.nextSeq);
    const body = batches[at]!.body.with(-1, batches[at]!.body.at(-1)! ^ 1);
    const found = await verify({ batches: batches.map((batch, i) => (i === at ? { ...batch, body } : batch)) });
    expect(found.problems[0]).toEqual([batches[at]!.firstSeq, 'journal.corrupt']);
  });

  test('with every chain value made to fit, it is checkpoint.invalid from its group on', async () => {
    const { seq } = (await bench.records()).find(
      ({ seq, record }) => record.record_kind === 'plan_started' && seq > line[AT - 1]!.nextSeq,
    )!;
    const changedBatches = rewritten(seq, (record) => ({ ...record, plan_name: 't/other@1' }) as JournalRecord);
    const found = await verify({ batches: changedBatches });
    const group = line.findIndex(({ nextSeq }) => nextSeq > seq);
    expect(found.problems).toEqual(line.slice(group).map(({ nextSeq }) => [nextSeq, 'checkpoint.invalid']));
    expect(found.signedToSeq).toBe(line[group - 1]!.nextSeq);
  });
});

describe('a receipt that was changed is receipt.bad_signature at its seq', () => {
  const grouped = (receipt: EffectReceipt) => receipt.signature.length > 64;
  const flip = (at: number) => (receipt: EffectReceipt) => ({
    signature: receipt.signature.with(at, receipt.signature.at(at)! ^ 1),
  });
  test.each<[string, (receipt: EffectReceipt) => boolean, (receipt: EffectReceipt) => Partial<EffectReceipt>]>([
    ['signature', () => true, flip(0)],
    ['signature of a group', grouped, flip(0)],
    ['index in the group', grouped, flip(65)],
    ['number in the group', grouped, flip(67)],
    ['path', grouped, flip(68)],
    ['end of the path', grouped, flip(-1)],
    ['a path cut short', grouped, (r) => ({ signature: r.signature.subarray(0, -32) })],
    [
      'group of one, spelled out',
      (r) => !grouped(r),
      (r) => ({ signature: Uint8Array.of(...r.signature, 0, 0, 0, 1) }),
    ],
    ['payload', () => true, (r) => ({ payload_cbor: r.payload_cbor!.with(-1, r.payload_cbor!.at(-1)! ^ 1) })],
    ['no payload', () => true, () => ({ payload_cbor: undefined })],
    ['status and error', () => true, () => ({ status: 'error', error: failure('http.connect') })],
    ['cost', () => true, () => ({ cost_cents: 7 })],
    ['adapter', () => true, () => ({ adapter_id: 'test.other' })],
    ['emission', () => true, (r) => ({ emission_seq: r.emission_seq - 1 })],
    ['intent', () => true, () => ({ intent_hash: other })],
    ['key', () => true, () => ({ sig_key: '0123456789abcdef' })],
    ['neither key nor signature', () => true, () => ({ sig_key: undefined, signature: new Uint8Array(64) })],
    [
      'neither key nor signature, as if by the kernel',
      () => true,
      () => ({ sig_key: undefined, adapter_id: 'kernel.x' }),
    ],
  ])('%s', async (_, pick, change) => {
    const { seq } = (await bench.records()).find(
      ({ record }) => record.record_kind === 'effect_receipt' && pick(record),
    )!;
    const found = await verify({
      batches: rewritten(seq, (record) => ({ ...record, ...change(record as EffectReceipt) }) as JournalRecord),
    });
    expect(found.problems).toContainEqual([seq, 'receipt.bad_signature']);
    expect(found.problems.filter(([, code]) => code === 'receipt.bad_signature').length).toBe(1);
  });

  test('of another key than those of the registry, or of none', async () => {
    const receipts = await bench.of('effect_receipt');
    for (const own of [[], [ephemeralKey()]]) {
      const found = await verify({}, own);
      expect(found.problems.length).toBe(receipts.length);
      expect(found.receiptsVerified).toBe(0);
    }
  });

  test('where the kernel put adapter.bad_payload in the place of a payload, it is counted apart', async () => {
    const { seq } = (await bench.records()).find(({ record }) => record.record_kind === 'effect_receipt')!;
    const found = await verify({
      batches: rewritten(
        seq,
        (record) =>
          ({
            ...record,
            status: 'error',
            payload_cbor: undefined,
            error: failure('adapter.bad_payload'),
          }) as JournalRecord,
      ),
    });
    expect(found.receiptsUnverifiable).toBe(1);
    expect(found.problems.filter(([, code]) => code === 'receipt.bad_signature')).toEqual([]);
  });

  function failure(code: string) {
    return { code, message: '', retryable: null, detail_ref: null };
  }
});

test('a world that goes on while it is verified is no problem', async () => {
  const running = await Bench.create();
  const world = await running.open();
  await world.startPlan({ plan: 't/call_plan@1', input: job('a') });
  unwrap(await world.runBatch({ timeoutMs: 5_000 }));
  const { store } = running;
  let pages = 0;
  const meanwhile: Store = {
    ...store,
    journal: {
      ...store.journal,
      async read(...args) {
        const page = await store.journal.read(...args);
        if (++pages === 1) {
          await world.startPlan({ plan: 't/call_plan@1', input: job('b') });
          unwrap(await world.snapshot());
        }
        return page;
      },
    },
  };
  const signatures = {
    own: [{ keyId: running.key.keyId, alg: 'ed25519' as const, key: running.key.publicKey }],
    trusted: [],
  };
  const report = unwrap(await verifyJournal({ store: meanwhile, worldId: running.worldId, signatures }));
  expect(report.problems).toEqual([]);
  expect(report.entries).toBeLessThan((await store.journal.head(running.worldId))!.height);
  await world.close();
});

test('where verification is off receipts need no signature, and none is missed (kernel.md §10.3)', async () => {
  const off = await Bench.create({ config: { receipt_verification: 'off' } });
  const world = await off.open();
  await world.startPlan({ plan: 't/call_plan@1', input: job('a') });
  unwrap(await world.runBatch({ timeoutMs: 5_000 }));
  await world.close();
  const report = unwrap(
    await verifyJournal({ store: off.store, worldId: off.worldId, signatures: { own: [], trusted: [] } }),
  );
  expect(report.problems).toEqual([]);
  expect((await off.of('effect_receipt')).map(({ sig_key }) => sig_key)).toEqual([undefined]);
});
