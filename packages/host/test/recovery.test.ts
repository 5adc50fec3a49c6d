import { unwrap } from '@worldline/canon';
import type { DeliveryClass } from '@worldline/ports';
import { describe, expect, test } from 'vitest';
import { approvals, Bench, fakeAdapter, gate, hostConfig, job, okOutcome, settle, until } from './bench-world.ts';

const start = (id: string) => ({ plan: 't/call_plan@1', input: job(id) });
const never = () => new Promise<never>(() => {});

/** A world killed while its one effect is under way, and opened again. */
async function killInFlight(deliveryClass: DeliveryClass) {
  const bench = await Bench.create();
  const before = fakeAdapter(never, { deliveryClass });
  const { world, connection } = await bench.openCuttable({ adapters: [before] });
  await world.startPlan(start('a'));
  await until(() => before.calls.length === 1);
  connection.cut();
  const after = fakeAdapter(undefined, { deliveryClass });
  const heir = await bench.reopen({ adapters: [after] });
  unwrap(await heir.runBatch({ timeoutMs: 5_000 }));
  await heir.close();
  await bench.replays();
  const [receipt] = await bench.of('effect_receipt');
  return { before: before.calls[0]!, after: after.calls, receipt: receipt! };
}

describe('after a crash, external intents are recovered from state by class (`host.md` §3.1, W8)', () => {
  test.each(['read', 'keyed'] as const)(
    '%s: executed again as the same dispatch, with the same external key',
    async (deliveryClass) => {
      const { before, after, receipt } = await killInFlight(deliveryClass);
      expect(after.length).toBe(1);
      expect(after[0]!.recovered).toBe(true);
      expect(after[0]!.attempt).toBe(2);
      expect(after[0]!.externalKey).toBe(before.externalKey);
      expect(after[0]!.dispatchId).toBe(before.dispatchId);
      expect(receipt.status).toBe('ok');
    },
  );

  test('at_most_once with its mark: not run again, delivery.unknown from host.dispatch', async () => {
    const { after, receipt } = await killInFlight('at_most_once');
    expect(after).toEqual([]);
    expect(receipt).toMatchObject({
      adapter_id: 'host.dispatch',
      status: 'error',
      error: { code: 'delivery.unknown' },
    });
  });

  test('at_most_once without a mark: executed, since nothing can have happened (W6)', async () => {
    const bench = await Bench.create();
    const adapter = fakeAdapter(undefined, { deliveryClass: 'at_most_once' });
    const { world, connection } = await bench.openCuttable({ adapters: [adapter] });
    const held = gate();
    connection.afterCommit = () => held.promise;
    void world.startPlan(start('a'));
    await until(() => connection.commits.length === 1);
    connection.cut();
    held.open();
    const heir = await bench.reopen({ adapters: [adapter] });
    unwrap(await heir.runBatch({ timeoutMs: 5_000 }));
    await heir.close();
    expect(adapter.calls.length).toBe(1);
    expect((await bench.of('effect_receipt'))[0]).toMatchObject({ status: 'ok' });
  });

  test('a receipt that was not durable is lost with the process, and the effect runs again (W2)', async () => {
    const bench = await Bench.create();
    const answered = gate();
    const adapter = fakeAdapter(() => answered.promise.then(() => okOutcome()));
    const { world, connection } = await bench.openCuttable({ adapters: [adapter] });
    await world.startPlan(start('a'));
    const held = gate();
    connection.beforeCommit = () => held.promise;
    answered.open();
    await until(() => connection.inFlight === 1);
    connection.cut();
    held.open();
    const heir = await bench.reopen({ adapters: [adapter] });
    unwrap(await heir.runBatch({ timeoutMs: 5_000 }));
    await heir.close();
    expect(adapter.calls.length).toBe(2);
    expect((await bench.of('effect_receipt')).length).toBe(1);
    await bench.replays();
  });

  test('what was settled is never dispatched again, however many snapshots lie between', async () => {
    const bench = await Bench.create();
    const open = fakeAdapter(async (request) =>
      (request.params as { id: string }).id === 'hangs' ? never() : okOutcome(),
    );
    const config = hostConfig(({ snapshot }) => ({ snapshot: { ...snapshot, everyEntries: 1 } }));
    const { world, connection } = await bench.openCuttable({ adapters: [open], config });
    await world.startPlan(start('hangs'));
    for (let i = 0; i < 5; i++) await world.startPlan(start(`n${i}`));
    await until(async () => (await bench.done()).length === 5);
    connection.cut();
    const after = fakeAdapter();
    const heir = await bench.reopen({ adapters: [after] });
    unwrap(await heir.runBatch({ wait: true, timeoutMs: 5_000 }));
    await heir.close();
    expect(after.calls.map((c) => (c.params as { id: string }).id)).toEqual(['hangs']);
    expect((await bench.store.world.snapshots(bench.worldId)).length).toBeGreaterThan(2);
    await bench.replays();
  });

  test('the sixth claim without an outcome ends in delivery.exhausted', async () => {
    // Claims made after a restart outlive their process for a short while, by the store's clock.
    let laterMs = 0;
    const bench = await Bench.create({ store: { clock: { wallNs: () => BigInt(Date.now() + laterMs) * 1_000_000n } } });
    const leaseTimes = { ttlMs: 15_000, renewMs: 5_000, safetyMs: 3_000, maxSkewMs: 1_000_000 };
    const adapter = fakeAdapter(never);
    for (let i = 0; i < 5; i++) {
      const dead = i === 0 ? undefined : `worker-${i}`;
      const { world, connection } = await bench.openCuttable({ adapters: [adapter], leaseTimes, dead });
      if (i === 0) await world.startPlan(start('a'));
      await until(() => adapter.calls.length === i + 1);
      connection.cut();
      laterMs += 10_000;
    }
    const last = await bench.reopen({ adapters: [adapter], leaseTimes });
    unwrap(await last.runBatch({ timeoutMs: 10_000 }));
    await last.close();
    expect(adapter.calls.map((c) => c.attempt)).toEqual([1, 2, 3, 4, 5]);
    expect((await bench.of('effect_receipt'))[0]).toMatchObject({
      adapter_id: 'host.dispatch',
      error: { code: 'delivery.exhausted' },
    });
  });
});

describe('one process at a time (`host.md` §1, `hosting.md` §6)', () => {
  test('a second process gets world.locked while the lease is held', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    const { openWorld } = await import('../src/index.ts');
    expect(await openWorld(bench.options())).toMatchObject({ ok: false, failure: { code: 'world.locked' } });
    await world.close();
    const next = await bench.open();
    expect(next.epoch).toBeGreaterThan(world.epoch);
    await next.close();
  });

  test('after a takeover the old process answers world.locked, aborts its adapters without receipts, and is done', async () => {
    const bench = await Bench.create();
    let isAborted = false;
    const adapter = fakeAdapter((_, ctx) => {
      ctx.signal.addEventListener('abort', () => {
        isAborted = true;
      });
      return never();
    });
    const old = await bench.open({
      adapters: [adapter],
      leaseTimes: { ttlMs: 15_000, renewMs: 30, safetyMs: 3_000, maxSkewMs: 2_000 },
    });
    await old.startPlan(start('a'));
    await until(() => adapter.calls.length === 1);
    const heir = await bench.reopen({ adapters: [fakeAdapter(), approvals()] });
    expect((await old.closed)?.code).toBe('world.locked');
    expect(isAborted).toBe(true);
    expect(old.state).toBe('stopped');
    await old.close();
    unwrap(await heir.runBatch({ timeoutMs: 5_000 }));
    await heir.close();
    await bench.replays();
  });

  test('a lease that runs out without an answer ends the world (L3, L4)', async () => {
    const bench = await Bench.create();
    let isDown = false;
    const store = {
      ...bench.store,
      lease: {
        ...bench.store.lease,
        renew: async (...a: Parameters<typeof bench.store.lease.renew>) =>
          isDown ? ({ answer: 'unavailable', message: 'down' } as const) : bench.store.lease.renew(...a),
      },
    };
    const world = await bench.open({ store, leaseTimes: { ttlMs: 400, renewMs: 50, safetyMs: 200, maxSkewMs: 2_000 } });
    isDown = true;
    expect((await world.closed)?.code).toBe('store.unavailable');
  });

  test('with too little lease left nothing is applied; a renewal lets it go on (L3)', async () => {
    const bench = await Bench.create();
    const { VirtualClock } = await import('@worldline/testkit');
    const leaseClock = new VirtualClock({ wallNs: BigInt(Date.now()) * 1_000_000n });
    let isDown = true;
    const store = {
      ...bench.store,
      lease: {
        ...bench.store.lease,
        renew: async (...a: Parameters<typeof bench.store.lease.renew>) =>
          isDown ? ({ answer: 'unavailable', message: 'down' } as const) : bench.store.lease.renew(...a),
      },
    };
    const world = await bench.open({
      store,
      leaseClock,
      leaseTimes: { ttlMs: 15_000, renewMs: 5_000, safetyMs: 3_000, maxSkewMs: 60_000 },
    });
    leaseClock.advanceMs(12_500);
    let isAnswered = false;
    const answer = world.startPlan(start('a')).then((a) => {
      isAnswered = true;
      return a;
    });
    await settle();
    expect(isAnswered).toBe(false);
    isDown = false;
    // The failed renewal is repeated soon.
    leaseClock.advanceMs(500);
    expect((await answer).ok).toBe(true);
    await world.close();
  });

  test('a machine whose clock is far from the store’s does not open the world (`hosting.md` §8.4)', async () => {
    const bench = await Bench.create();
    const { VirtualClock } = await import('@worldline/testkit');
    const { openWorld } = await import('../src/index.ts');
    const leaseClock = new VirtualClock({ wallNs: BigInt(Date.now() + 3_600_000) * 1_000_000n });
    expect(await openWorld(bench.options({ leaseClock }))).toMatchObject({ failure: { code: 'host_error' } });
    const world = await bench.open();
    await world.close();
  });

  test('a world that cannot be restored is quarantined and its lease released (L9)', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    await world.startPlan(start('a'));
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    await world.close();
    const row = (await bench.store.world.get(bench.worldId))!;
    bench.store.corruptObject(row.activeBaseline.ref);
    const { openWorld } = await import('../src/index.ts');
    const refused = await openWorld(bench.options());
    expect(refused.ok).toBe(false);
    expect((await bench.store.world.get(bench.worldId))!.status).toBe('quarantined');
    expect(await openWorld(bench.options())).toMatchObject({ failure: { code: 'world.quarantined' } });
  });
});

describe('shutdown and snapshots (`host.md` §7.4, §7.5)', () => {
  test('a clean close waits for effects in flight, snapshots, releases; opening again replays no tail', async () => {
    const bench = await Bench.create();
    const answer = gate();
    const adapter = fakeAdapter(() => answer.promise.then(() => okOutcome()));
    const world = await bench.open({ adapters: [adapter] });
    await world.startPlan(start('a'));
    await until(() => adapter.calls.length === 1);
    const closing = world.close();
    await settle();
    expect(await world.startPlan(start('b'))).toMatchObject({ failure: { code: 'draining' } });
    answer.open();
    await closing;
    expect(await world.closed).toBeUndefined();
    expect(await bench.done()).toEqual(['a']);
    const row = (await bench.store.world.get(bench.worldId))!;
    expect(row.activeBaseline.height).toBe(row.head.height - 2);
    expect(row.lease).toBeUndefined();
  });

  test('what does not finish within the grace is aborted without a receipt and recovered at the next start', async () => {
    const bench = await Bench.create();
    let isAborted = false;
    const world = await bench.open({
      adapters: [
        fakeAdapter((_, ctx) => {
          ctx.signal.addEventListener('abort', () => {
            isAborted = true;
          });
          return never();
        }),
      ],
    });
    await world.startPlan(start('a'));
    await settle();
    await world.close({ graceMs: 10 });
    expect(isAborted).toBe(true);
    expect((await bench.of('effect_receipt')).length).toBe(0);
    const heir = await bench.open();
    unwrap(await heir.runBatch({ timeoutMs: 5_000 }));
    await heir.close();
    expect(await bench.done()).toEqual(['a']);
  });

  test('a second signal skips the grace', async () => {
    const bench = await Bench.create();
    const world = await bench.open({ adapters: [fakeAdapter(never)] });
    await world.startPlan(start('a'));
    const hurry = new AbortController();
    const closing = world.close({ graceMs: 1_000_000, hurry: hurry.signal });
    await settle();
    hurry.abort();
    await closing;
    expect(world.state).toBe('stopped');
  });

  test('closing an unchanged world writes nothing', async () => {
    const bench = await Bench.create();
    const before = (await bench.records()).length;
    await (await bench.open()).close();
    expect((await bench.records()).length).toBe(before);
  });

  test('a snapshot on request is promoted at once; without a change the newest one is answered', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    await world.startPlan(start('a'));
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    const first = unwrap(await world.snapshot());
    expect(unwrap(await world.snapshot())).toEqual(first);
    const row = (await bench.store.world.get(bench.worldId))!;
    expect(row.activeBaseline.height).toBe(first.height);
    await world.close();
    expect(await bench.replays()).toMatch(/^sha256:/);
  });

  test('`snapshot.every_entries` takes them while the world works', async () => {
    const bench = await Bench.create();
    const config = hostConfig(({ snapshot }) => ({ snapshot: { ...snapshot, everyEntries: 20 } }));
    const world = await bench.open({ config });
    for (let i = 0; i < 12; i++) {
      await world.startPlan(start(`n${i}`));
      unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    }
    await world.close();
    expect((await bench.store.world.snapshots(bench.worldId)).length).toBeGreaterThan(3);
    await bench.replays();
  });

  test('`snapshot.every_ms` takes one when anything changed', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    await world.startPlan(start('a'));
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    bench.clock.advanceMs(300_000);
    await until(async () => (await bench.of('snapshot')).length === 2);
    const count = (await bench.records()).length;
    bench.clock.advanceMs(600_000);
    await settle();
    expect((await bench.records()).length).toBe(count);
    await world.close();
  });
});

describe('batch mode (`host.md` §7.6)', () => {
  test('it ends when only deferred work remains, and says what is waited for', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    await world.startPlan({ plan: 't/ask@1', input: job('a') });
    await world.startPlan({ plan: 't/after@1', input: job('b') });
    const report = unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    expect(report).toEqual({ idle: true, livePlans: 2, waiting: { timers: 1, approvals: 1, receipts: 0, events: 0 } });
    expect(await world.runBatch({ wait: true, timeoutMs: 30 })).toMatchObject({
      ok: false,
      failure: { code: 'timeout' },
    });
    await world.close();
  });

  test('with an effect that does not end it answers timeout', async () => {
    const bench = await Bench.create();
    const world = await bench.open({ adapters: [fakeAdapter(never)] });
    await world.startPlan(start('a'));
    expect(await world.runBatch({ timeoutMs: 30 })).toMatchObject({ failure: { code: 'timeout' } });
    await world.close({ graceMs: 0 });
  });
});
