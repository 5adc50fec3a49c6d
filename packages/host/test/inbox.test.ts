import { encode, unwrap } from '@worldline/canon';
import { type Ingress, ingressDigest } from '@worldline/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { submitItem } from '../src/inbox-client.ts';
import { decodeInboxItem, encodeInboxItem, type InboxIngress } from '../src/inbox-item.ts';
import { ephemeralKey } from '../src/keys.ts';
import { signReceipts, type UnsignedReceipt } from '../src/signer.ts';
import { approvals, Bench, fakeAdapter, job, until } from './bench-world.ts';

const optional = <T>(arb: fc.Arbitrary<T>) => fc.option(arb, { nil: undefined });
const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const bytes = fc.uint8Array({ maxLength: 20 });
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const seq = fc.nat();

const ingresses: fc.Arbitrary<InboxIngress> = fc.oneof(
  fc.record({
    kind: fc.constant('event' as const),
    ingressId: optional(text),
    schema: text,
    value: bytes,
    key: optional(bytes),
  }),
  fc.record({
    kind: fc.constant('inbox' as const),
    ingressId: optional(text),
    source: text,
    schema: text,
    value: bytes,
    key: optional(bytes),
  }),
  fc.record({ kind: fc.constant('timer' as const), emissionSeq: seq }),
  fc.record({
    kind: fc.constant('plan_start' as const),
    ingressId: optional(text),
    plan: text,
    input: bytes,
    correlation: optional(bytes),
    bindLocals: optional(fc.dictionary(fc.constantFrom('a', 'b', '__proto__x'), bytes, { minKeys: 1 })),
  }),
  fc.record({
    kind: fc.constant('control' as const),
    command: fc.constant('plan_cancel' as const),
    ingressId: optional(text),
    planId: seq,
    reason: text,
    actor: text,
  }),
  fc.record({
    kind: fc.constant('receipt' as const),
    verdict: fc.constant({}),
    receipt: fc.record({
      intentHash: hash,
      emissionSeq: optional(seq),
      adapterId: text,
      status: fc.constantFrom('ok' as const, 'error' as const, 'timeout' as const),
      payloadCbor: optional(bytes),
      error: optional(
        fc.record({ code: text, message: text, retryable: fc.option(fc.boolean()), detail_ref: fc.option(text) }),
      ),
      costCents: optional(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
      signature: bytes,
    }),
  }),
);

test('a full inbox makes clients wait and takes receipts and timers all the same (hosting.md §7)', async () => {
  const { store, worldId } = await Bench.create({ store: { inboxMax: 0 } });
  const submit = (ingress: InboxIngress, dedupeKey: string) =>
    submitItem(store, worldId, encodeInboxItem({ ingress, dedupeKey, enqueuedAtNs: 1n }), { timeoutMs: 0 });

  expect(await submit({ kind: 'event', schema: 'a/B@1', value: encode({}) }, 'k')).toMatchObject({
    failure: { code: 'full' },
  });
  expect(await submit({ kind: 'timer', emissionSeq: 7 }, 't:7:1')).toMatchObject({ ok: true });
  const receipt = {
    intentHash: new Uint8Array(32),
    adapterId: 'a',
    status: 'ok',
    signature: new Uint8Array(64),
  } as const;
  expect(await submit({ kind: 'receipt', receipt, verdict: {} }, 'r:7:1')).toMatchObject({ ok: true });
});

describe('an inbox item (`docs/formats/inbox-item.md`)', () => {
  test('decoding gives back what was encoded, and the digest is that of the ingress it becomes', () => {
    fc.assert(
      fc.property(
        ingresses,
        optional(text),
        fc.bigInt({ min: 0n, max: 2n ** 63n }),
        (ingress, dedupeKey, enqueuedAtNs) => {
          const encoded = encodeInboxItem({ ingress, dedupeKey, enqueuedAtNs });
          const decoded = unwrap(decodeInboxItem(encoded.item));
          expect(decoded.enqueuedAtNs).toBe(enqueuedAtNs);
          expect(decoded.dedupeKey).toBe(dedupeKey);
          expect(encoded.digest).toEqual(ingressDigest(ingress));
          expect(ingressDigest(decoded.ingress)).toEqual(encoded.digest);
          expect(decoded.ingress.ingressId).toBe(
            ingress.kind === 'receipt' || ingress.kind === 'timer' ? undefined : ingress.ingressId,
          );
        },
      ),
    );
  });

  test('any other bytes are a decode_error, never a throw', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 60 }),
          fc
            .jsonValue()
            .filter((v) => !hasFloat(v))
            .map((v) => encode(v as never)),
        ),
        (item) => {
          const decoded = decodeInboxItem(item);
          if (!decoded.ok) expect(decoded.failure.code).toBe('decode_error');
        },
      ),
    );
    for (const item of [
      { kind: 'event' },
      { kind: 'event', schema: 'a', value: 'text' },
      { kind: 'nope' },
      { kind: 'control', command: 'nope' },
      {
        kind: 'receipt',
        intent_hash: new Uint8Array(32),
        adapter_id: 'a',
        status: 'maybe',
        signature: new Uint8Array(64),
      },
    ]) {
      expect(decodeInboxItem(encode(item))).toMatchObject({ ok: false, failure: { code: 'decode_error' } });
    }
  });
});

function hasFloat(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isSafeInteger(value) || Object.is(value, -0);
  if (typeof value === 'string') return !value.isWellFormed();
  if (value !== null && typeof value === 'object')
    return Object.entries(value).some(([k, v]) => !k.isWellFormed() || hasFloat(v));
  return false;
}

describe('what another process enqueues (`hosting.md` §5)', () => {
  const enqueue = (bench: Bench, ingress: InboxIngress, dedupeKey?: string) =>
    submitItem(bench.store, bench.worldId, encodeInboxItem({ ingress, dedupeKey, enqueuedAtNs: 1n }), {
      timeoutMs: 5_000,
    });
  const startItem = (id: string, ingressId?: string): InboxIngress => ({
    kind: 'plan_start',
    plan: 't/call_plan@1',
    input: encode({ id }),
    ingressId,
  });

  test('is applied in seq order by the running world, with its cursor, and the submitter sees the outcome', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    const answers = [];
    for (let i = 0; i < 5; i++) answers.push(enqueue(bench, startItem(`n${i}`)));
    const outcomes = await Promise.all(answers);
    expect(outcomes.map((o) => o.ok && o.value.state === 'applied' && o.value.answer.planId)).toEqual([0, 1, 2, 3, 4]);
    unwrap(await world.runBatch({ wait: true, timeoutMs: 5_000 }));
    await world.close();
    await bench.replays();
  });

  test('lies there while no process runs the world, and is applied once at the next start', async () => {
    const bench = await Bench.create();
    const waiting = await submitItem(
      bench.store,
      bench.worldId,
      encodeInboxItem({ ingress: startItem('a', 'k'), dedupeKey: 'k', enqueuedAtNs: 1n }),
      { timeoutMs: 0 },
    );
    expect(waiting).toMatchObject({ ok: true, value: { state: 'accepted' } });
    for (let i = 0; i < 2; i++) {
      const world = await bench.open();
      unwrap(await world.runBatch({ timeoutMs: 5_000 }));
      await world.close();
    }
    expect((await bench.of('plan_started')).length).toBe(1);
    expect(await enqueue(bench, startItem('a', 'k'), 'k')).toMatchObject({
      ok: true,
      value: { state: 'applied', answer: { duplicate: true } },
    });
    expect(await enqueue(bench, startItem('b', 'k'), 'k')).toMatchObject({
      ok: false,
      failure: { code: 'ingress.conflict' },
    });
  });

  test('a refusal is on record and reaches the submitter', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    expect(await enqueue(bench, { kind: 'event', schema: 't/Nope@1', value: encode({}) })).toMatchObject({
      ok: false,
      failure: { code: 'schema.unknown' },
    });
    await world.close();
    expect((await bench.of('ingress_rejected'))[0]!.inbox_seq).toBeDefined();
  });

  test('garbage moves the cursor on and leaves a record; what lies behind it is applied', async () => {
    const bench = await Bench.create();
    await bench.store.inbox.enqueue(bench.worldId, Uint8Array.of(1, 2, 3), new Uint8Array(32));
    await bench.store.inbox.enqueue(bench.worldId, encode({ kind: 'event', schema: 7 }), new Uint8Array(32).fill(1));
    const world = await bench.open();
    expect((await enqueue(bench, startItem('a'))).ok).toBe(true);
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    await world.close();
    expect((await bench.of('ingress_rejected')).length).toBe(2);
    expect(await bench.done()).toEqual(['a']);
    await bench.replays();
  });

  test('`wait: accepted` answers once the item is durable, and it is applied soon', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    const answer = unwrap(await world.startPlan({ plan: 't/call_plan@1', input: job('a') }, 'accepted'));
    expect(answer.state).toBe('accepted');
    unwrap(await world.runBatch({ wait: true, timeoutMs: 5_000 }));
    expect(await bench.done()).toEqual(['a']);
    await world.close();
  });

  test('a commit that fails while items are applied applies each of them once, in order', async () => {
    let commits = 0;
    const bench = await Bench.create({
      store: {
        fault: (operation) => (operation === 'commit' && [1, 2, 5].includes(++commits) ? 'unavailable' : undefined),
      },
    });
    for (let i = 0; i < 8; i++) await bench.store.inbox.enqueue(bench.worldId, ...itemArgs(startItem(`n${i}`)));
    const world = await bench.open();
    unwrap(await world.runBatch({ wait: true, timeoutMs: 10_000 }));
    await world.close();
    const starts = await bench.of('plan_start');
    expect(starts.map((s) => s.plan_id)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect((await bench.done()).length).toBe(8);
    await bench.replays();
  });
});

function itemArgs(ingress: InboxIngress): [Uint8Array, Uint8Array] {
  const { item, digest } = encodeInboxItem({ ingress, enqueuedAtNs: 1n });
  return [item, digest];
}

describe('receipts that come through the inbox are judged (`kernel.md` §10.2)', () => {
  async function withOpenApproval() {
    const bench = await Bench.create();
    const adapter = approvals();
    const world = await bench.open({ adapters: [fakeAdapter(), adapter] });
    await world.startPlan({ plan: 't/ask@1', input: job('a') });
    await until(() => adapter.registered.length === 1);
    const [view] = unwrap(await world.approvals());
    const receipt: UnsignedReceipt = {
      intentHash: view!.intentHash,
      emissionSeq: view!.emissionSeq,
      adapterId: 'host.approval',
      status: 'ok',
      payloadCbor: encode({ decision: 'approved', approver: 'socket:ada', rationale: null }),
    };
    const send = (signed: Extract<Ingress, { kind: 'receipt' }>['receipt'], dedupeKey?: string) =>
      submitItem(
        bench.store,
        bench.worldId,
        encodeInboxItem({ ingress: { kind: 'receipt', receipt: signed, verdict: {} }, dedupeKey, enqueuedAtNs: 1n }),
        {
          timeoutMs: 5_000,
        },
      );
    return { bench, world, receipt, send };
  }

  test('signed with this host’s key: accepted, and the key is on record; a second one is passed over', async () => {
    const { bench, world, receipt, send } = await withOpenApproval();
    const [signed] = signReceipts(bench.worldId, bench.key, [receipt]);
    expect(await send(signed!, 'r1')).toMatchObject({ ok: true, value: { state: 'applied' } });
    expect((await bench.of('effect_receipt'))[0]).toMatchObject({ sig_key: bench.key.keyId, status: 'ok' });
    expect(await send(signed!, 'r2')).toMatchObject({ ok: true, value: { state: 'passed' } });
    await world.close();
    await bench.replays();
  });

  test.each([
    [
      'another key',
      (r: UnsignedReceipt, b: Bench) => signReceipts(b.worldId, ephemeralKey(), [r])[0]!,
      'receipt.bad_signature',
    ],
    [
      'another world',
      (r: UnsignedReceipt, b: Bench) => signReceipts(`${b.worldId}x`, b.key, [r])[0]!,
      'receipt.bad_signature',
    ],
    ['no signature', (r: UnsignedReceipt) => ({ ...r, signature: new Uint8Array(64) }), 'receipt.bad_signature'],
    [
      'changed content',
      (r: UnsignedReceipt, b: Bench) => ({ ...signReceipts(b.worldId, b.key, [r])[0]!, costCents: 1n }),
      'receipt.bad_signature',
    ],
    [
      'an adapter that is not registered',
      (r: UnsignedReceipt, b: Bench) => signReceipts(b.worldId, b.key, [{ ...r, adapterId: 'x.y' }])[0]!,
      'receipt.adapter_invalid',
    ],
    [
      'a reserved adapter id',
      (r: UnsignedReceipt, b: Bench) => signReceipts(b.worldId, b.key, [{ ...r, adapterId: 'kernel.x' }])[0]!,
      'receipt.adapter_invalid',
    ],
    [
      'an unknown intent',
      (r: UnsignedReceipt, b: Bench) =>
        signReceipts(b.worldId, b.key, [{ ...r, emissionSeq: 9_999, intentHash: new Uint8Array(32) }])[0]!,
      'receipt.unknown',
    ],
  ])('%s: refused on record, and the effect stays open', async (_, make, code) => {
    const { bench, world, receipt, send } = await withOpenApproval();
    expect(await send(make(receipt, bench))).toMatchObject({ ok: false, failure: { code } });
    expect(unwrap(await world.approvals()).length).toBe(1);
    expect((await world.decideApproval({ intentHash: receipt.intentHash, decision: 'denied', approver: 'x' })).ok).toBe(
      true,
    );
    await world.close();
    await bench.replays();
  });
});
