import { unwrap } from '@worldline/canon';
import type { EffectAdapter } from '@worldline/ports';
import { describe, expect, test } from 'vitest';
import { endedApprovals, rolesFor } from '../src/approval-view.ts';
import {
  approvals,
  Bench,
  fakeAdapter,
  gate,
  hostConfig,
  job,
  NODES,
  okOutcome,
  settle,
  until,
} from './bench-world.ts';

const ask = (id: string) => ({ plan: 't/ask@1', input: job(id) });

/** A world with one pending approval. */
async function pending(more: Parameters<Bench['open']>[0] = {}) {
  const bench = await Bench.create();
  const adapter = approvals();
  const world = await bench.open({ adapters: [adapter, fakeAdapter()], ...more });
  await world.startPlan(ask('a'));
  await until(() => adapter.registered.length === 1);
  const [view] = unwrap(await world.approvals());
  return { bench, world, adapter, view: view!, intentHash: view!.intentHash };
}

describe('approvals (`host.md` §5.6)', () => {
  test('a pending approval is the pending emission, with what the approver must know', async () => {
    const { world, view } = await pending();
    expect(view).toMatchObject({ subject: 'a', requester: 'tests', contextRef: undefined, origin: { plan_id: 0 } });
    await world.close();
  });

  test.each(['approved', 'denied'] as const)(
    '%s: an ok receipt with decision, approver and rationale',
    async (decision) => {
      const { bench, world, intentHash, adapter } = await pending();
      const answer = await world.decideApproval({ intentHash, decision, approver: 'socket:ada', rationale: 'because' });
      expect(answer).toMatchObject({ ok: true, value: { state: 'applied', duplicate: false } });
      expect((await bench.of('effect_receipt'))[0]).toMatchObject({
        adapter_id: 'host.approval',
        status: 'ok',
        sig_key: bench.key.keyId,
      });
      await until(() => adapter.cancelled.length === 1);
      unwrap(await world.runBatch({ wait: true, timeoutMs: 5_000 }));
      expect(await bench.done()).toEqual(['a']);
      await world.close();
      await bench.replays();
    },
  );

  test('the first decision wins; later ones are approval.decided, also after a restart', async () => {
    const { bench, world, intentHash } = await pending();
    const decide = (w: typeof world, approver: string) =>
      w.decideApproval({ intentHash, decision: 'approved', approver });
    const [first, second] = await Promise.all([decide(world, 'socket:ada'), decide(world, 'socket:bob')]);
    expect(first.ok).toBe(true);
    expect(second).toMatchObject({ failure: { code: 'approval.decided' } });
    await world.close();
    const heir = await bench.open();
    expect(await decide(heir, 'socket:bob')).toMatchObject({ failure: { code: 'approval.decided' } });
    expect(
      await heir.decideApproval({ intentHash: new Uint8Array(32), decision: 'denied', approver: 'x' }),
    ).toMatchObject({
      failure: { code: 'not_found' },
    });
    await heir.close();
    expect((await bench.of('effect_receipt')).length).toBe(1);
  });

  test('a plan cannot decide', async () => {
    const { world, intentHash } = await pending();
    expect(await world.decideApproval({ intentHash, decision: 'approved', approver: 'plan:t/ask@1' })).toMatchObject({
      failure: { code: 'approval.role' },
    });
    await world.close();
  });

  test('`approvals.rules` ask for a role: longest prefix, and none for anybody else', async () => {
    const config = hostConfig((c) => ({
      approvals: {
        ...c.approvals,
        rules: [
          { subjectPrefix: 'a', roles: ['release'] },
          { subjectPrefix: '', roles: ['nobody'] },
        ],
      },
    }));
    const { world, intentHash } = await pending({ config });
    const decide = (roles: string[]) =>
      world.decideApproval({ intentHash, decision: 'approved', approver: 'socket:ada', roles });
    expect(await decide(['nobody'])).toMatchObject({ failure: { code: 'approval.role' } });
    expect((await decide(['other', 'release'])).ok).toBe(true);
    await world.close();
    const rules = [
      { subjectPrefix: 'deploy', roles: ['a'] },
      { subjectPrefix: 'deploy prod', roles: ['b'] },
    ];
    expect(rolesFor(rules, 'deploy prod eu')).toEqual(['b']);
    expect(rolesFor(rules, 'delete')).toBeUndefined();
  });

  test('ended ones are found however far they lie from their questions, and nothing else is taken for one', async () => {
    const { bench, world, intentHash } = await pending();
    await world.startPlan(ask('b'));
    await world.startPlan({ plan: 't/call_plan@1', input: job('c') });
    unwrap(await world.decideApproval({ intentHash, decision: 'denied', approver: 'socket:ada', rationale: 'no' }));
    unwrap(await world.cancelPlan({ planId: 1, reason: 'enough', actor: 'me' }));
    await until(async () => (await bench.of('effect_receipt')).length === 3);
    const { height } = (await world.status()).head;
    const ended = async (more: Partial<Parameters<typeof endedApprovals>[2]>) =>
      unwrap(await endedApprovals(bench.store, bench.worldId, { rules: [], max: 10, height, ...more }));
    const all = await ended({});
    expect(all).toMatchObject([
      { subject: 'b', end: { decision: undefined, errorCode: 'approval.withdrawn' } },
      { subject: 'a', end: { decision: 'denied', approver: 'socket:ada', rationale: 'no', errorCode: undefined } },
    ]);
    for (const window of [1, 2, 3]) expect(await ended({ window })).toEqual(all);
    expect(await ended({ window: 1, max: 1 })).toEqual([all[0]]);
    expect(await ended({ window: 1, decidedOnly: true })).toEqual([all[1]]);
    // As of a height before the receipts.
    const asked = (await bench.records()).find(({ record }) => record.record_kind === 'effect_receipt')!.seq;
    expect(await ended({ height: asked })).toEqual([]);
    await world.close();
  });

  test('it survives a restart: registered again, then decided', async () => {
    const { bench, world, intentHash } = await pending();
    await world.close();
    const adapter = approvals();
    const heir = await bench.open({ adapters: [adapter] });
    await until(() => adapter.registered.length === 1);
    expect((await heir.decideApproval({ intentHash, decision: 'denied', approver: 'socket:ada' })).ok).toBe(true);
    await heir.close();
    await bench.replays();
  });

  test('it can be decided before the adapter has it', async () => {
    const { bench, world, intentHash } = await pending();
    await world.close();
    // No adapter, and rows are claimed only after opening: the decision goes to the loop by itself.
    const opened = await bench.open({ adapters: [approvals()] });
    expect((await opened.decideApproval({ intentHash, decision: 'approved', approver: 'socket:ada' })).ok).toBe(true);
    await opened.close();
    expect(await bench.done()).toEqual(['a']);
  });

  test('when the last instance that waits has ended, it is withdrawn and recorded late', async () => {
    const { bench, world, adapter } = await pending();
    unwrap(await world.cancelPlan({ planId: 0, reason: 'enough', actor: 'me' }));
    await until(async () => (await bench.of('effect_receipt')).length === 1);
    expect((await bench.of('effect_receipt'))[0]).toMatchObject({
      adapter_id: 'host.approval',
      status: 'error',
      error: { code: 'approval.withdrawn' },
      disposition: 'late',
    });
    await until(() => adapter.cancelled.length === 1);
    expect(unwrap(await world.approvals())).toEqual([]);
    await world.close();
    await bench.replays();
  });

  test('two runs that share one question wait for it both: it is withdrawn when the second has ended', async () => {
    // Equal questions under one key are one effect (`kernel.md` §9.5); without a key each run asks its own.
    const idempotency_key = { op: 'hash', args: [{ ref: '@plan.input.id' }] };
    const nodes = NODES.map((node) =>
      node['name'] === 't/ask@1'
        ? {
            ...node,
            steps: (node['steps'] as object[]).map((step, i) => (i === 0 ? { ...step, idempotency_key } : step)),
          }
        : node,
    );
    const bench = await Bench.create({ nodes });
    let world = await bench.open();
    for (const _ of [0, 1]) unwrap(await world.startPlan(ask('a')));
    expect(unwrap(await world.approvals())).toHaveLength(1);
    unwrap(await world.cancelPlan({ planId: 0, reason: 'enough', actor: 'me' }));
    // Who waits is found again in the state.
    await world.close();
    world = await bench.open();
    unwrap(await world.cancelPlan({ planId: 1, reason: 'enough', actor: 'me' }));
    await until(async () => (await bench.of('effect_receipt')).length === 1);
    const records = (await bench.records()).map(({ record }) => record);
    expect(records.flatMap((record) => (record.record_kind === 'plan_ended' ? [record.plan_id] : []))).toEqual([0, 1]);
    const receiptAt = records.findIndex((record) => record.record_kind === 'effect_receipt');
    expect(receiptAt).toBeGreaterThan(records.findLastIndex((record) => record.record_kind === 'plan_ended'));
    expect(records[receiptAt]).toMatchObject({ error: { code: 'approval.withdrawn' } });
    await world.close();
    await bench.replays();
  });

  test('an approval whose plan ended just before a crash is withdrawn at the next start', async () => {
    const bench = await Bench.create();
    const { world, connection } = await bench.openCuttable({ adapters: [approvals()] });
    await world.startPlan(ask('a'));
    const held = gate();
    connection.afterCommit = () => held.promise;
    void world.cancelPlan({ planId: 0, reason: 'enough', actor: 'me' });
    await until(async () => (await bench.of('plan_ended')).length === 1);
    connection.cut();
    held.open();
    const heir = await bench.reopen({ adapters: [approvals()] });
    await until(async () => (await bench.of('effect_receipt')).length === 1);
    expect((await bench.of('effect_receipt'))[0]).toMatchObject({ error: { code: 'approval.withdrawn' } });
    await heir.close();
  });

  test('an adapter may refuse at registration, or complete later; a second completion is ignored', async () => {
    const refusing: EffectAdapter = {
      ...approvals(),
      register: async () => ({ status: 'error', error: { code: 'approval.too_many', message: 'no' } }),
    };
    const bench = await Bench.create();
    const world = await bench.open({ adapters: [refusing] });
    await world.startPlan(ask('a'));
    await until(async () => (await bench.of('effect_receipt')).length === 1);
    expect((await bench.of('effect_receipt'))[0]).toMatchObject({ error: { code: 'approval.too_many' } });
    await world.close();

    const other = await Bench.create();
    let complete: ((decision: string) => Promise<void>) | undefined;
    const completing: EffectAdapter = {
      ...approvals(),
      async register(request, ctx) {
        complete = (decision) =>
          ctx.complete(request.intentHash, { status: 'ok', payload: { decision, approver: 'bot' } });
      },
    };
    const second = await other.open({ adapters: [completing] });
    await second.startPlan(ask('a'));
    await until(() => complete !== undefined);
    await Promise.all([complete!('approved'), complete!('denied')]);
    await settle();
    expect((await other.of('effect_receipt')).length).toBe(1);
    // A word that is neither yes nor no makes the receipt invalid (`builtins.md` §6).
    complete = undefined;
    await second.startPlan(ask('b'));
    await until(() => complete !== undefined);
    await complete!('perhaps');
    expect((await other.of('effect_receipt'))[1]).toMatchObject({
      status: 'error',
      error: { code: 'adapter.bad_payload' },
    });
    await second.close();
  });
});

describe('receipts by hand', () => {
  const never = () => new Promise<never>(() => {});
  test('a manual receipt settles an open effect, aborts the adapter, and a late result changes nothing', async () => {
    const bench = await Bench.create();
    const late = gate();
    let isAborted = false;
    const adapter = fakeAdapter(async (_, ctx) => {
      ctx.signal.addEventListener('abort', () => {
        isAborted = true;
      });
      await late.promise;
      return okOutcome('late');
    });
    const world = await bench.open({ adapters: [adapter] });
    await world.startPlan({ plan: 't/call_plan@1', input: job('a') });
    await until(() => adapter.calls.length === 1);
    const intentHash = (await bench.of('effect_intent'))[0]!.intent_hash;
    const answer = await world.injectReceipt({
      intentHash,
      status: 'ok',
      payload: { json: { text: 'by hand' } },
      adapterId: 'ada',
    });
    expect(answer).toMatchObject({ ok: true, value: { state: 'applied' } });
    expect(isAborted).toBe(true);
    late.open();
    unwrap(await world.runBatch({ wait: true, timeoutMs: 5_000 }));
    expect(await bench.of('effect_receipt')).toMatchObject([{ adapter_id: 'manual.ada', status: 'ok' }]);
    expect(await world.injectReceipt({ intentHash, status: 'ok', payload: { json: { text: 'x' } } })).toMatchObject({
      ok: true,
      value: { state: 'settled_before', duplicate: true },
    });
    await world.close();
    await bench.replays();
  });

  test('what does not fit is refused with its code', async () => {
    const bench = await Bench.create();
    const world = await bench.open({ adapters: [fakeAdapter(never)] });
    await world.startPlan({ plan: 't/call_plan@1', input: job('a') });
    const intentHash = (await bench.of('effect_intent'))[0]!.intent_hash;
    const seq = (await bench.records()).find((r) => r.record.record_kind === 'effect_intent')!.seq;
    const codes = [
      await world.injectReceipt({ intentHash, status: 'ok' }),
      await world.injectReceipt({ intentHash, status: 'ok', payload: { json: { text: 1 } } }),
      await world.injectReceipt({ intentHash: new Uint8Array(32), status: 'error' }),
      await world.injectReceipt({ intentHash: new Uint8Array(32), emissionSeq: seq, status: 'error' }),
    ].map((a) => !a.ok && a.failure.code);
    expect(codes).toEqual([
      'receipt.payload_invalid',
      'receipt.payload_invalid',
      'receipt.unknown',
      'receipt.intent_mismatch',
    ]);
    await world.close({ graceMs: 0 });
  });
});
