import { encode, unwrap } from '@worldline/canon';
import type { Applied } from '@worldline/kernel';
import { describe, expect, test } from 'vitest';
import { Bench, Connection, fakeAdapter, gate, hostConfig, job, okOutcome, settle, until } from './bench-world.ts';

const start = (id: string, more: { ingressId?: string } = {}) => ({ plan: 't/call_plan@1', input: job(id), ...more });

describe('nothing is answered, published or dispatched before its batch is durable (L1, J6)', () => {
  test('while the commit is held back, nobody hears of it', async () => {
    const bench = await Bench.create();
    const adapter = fakeAdapter();
    const { world, connection } = await bench.openCuttable({ adapters: [adapter] });
    const held = gate();
    connection.beforeCommit = () => held.promise;
    const seen: string[] = [];
    world.onBatch(() => seen.push('batch'));
    const answer = world.startPlan(start('a')).then((a) => seen.push(a.ok ? 'answer' : a.failure.code));
    await settle();
    expect(connection.inFlight).toBe(1);
    expect(seen).toEqual([]);
    expect(adapter.calls).toEqual([]);
    connection.beforeCommit = undefined;
    held.open();
    await answer;
    expect(seen.slice(0, 2)).toEqual(['batch', 'answer']);
    await until(() => adapter.calls.length === 1);
    await world.close();
  });

  test('a stored batch whose answer is still under way counts as not durable', async () => {
    const bench = await Bench.create();
    const adapter = fakeAdapter();
    const { world, connection } = await bench.openCuttable({ adapters: [adapter] });
    const held = gate();
    connection.afterCommit = () => held.promise;
    const answer = world.startPlan(start('a'));
    await until(() => connection.commits.length === 1);
    await settle();
    expect(adapter.calls).toEqual([]);
    connection.afterCommit = undefined;
    held.open();
    expect((await answer).ok).toBe(true);
    await world.close();
  });
});

describe('group commit (L2, D4)', () => {
  test('what is applied during one commit forms the next group, and at most one is in flight', async () => {
    const bench = await Bench.create();
    const { world, connection } = await bench.openCuttable({ adapters: [fakeAdapter(() => new Promise(() => {}))] });
    const held = gate();
    connection.beforeCommit = () => held.promise;
    const first = world.startPlan(start('first'));
    await settle();
    const others = Array.from({ length: 20 }, (_, i) => world.startPlan(start(`n${i}`)));
    await settle();
    expect(connection.commits).toEqual([]);
    held.open();
    const answers = (await Promise.all([first, ...others])).map((a) => unwrap(a));
    expect(connection.commits.map((c) => c.batches)).toEqual([1, 20]);
    expect(connection.mostInFlight).toBe(1);
    expect(answers.map((a) => a.state === 'applied' && a.planId)).toEqual(Array.from({ length: 21 }, (_, i) => i));
    await world.close({ graceMs: 0 });
    await bench.replays();
  });

  test('a lone request is committed at once, as a group of one', async () => {
    const bench = await Bench.create();
    const { world, connection } = await bench.openCuttable({ adapters: [fakeAdapter(() => new Promise(() => {}))] });
    await world.startPlan(start('a'));
    expect(connection.commits).toEqual([{ batches: 1, answer: 'ok' }]);
    await world.close({ graceMs: 0 });
  });

  test('of a burst that finds the writer idle one half is committed while the other is applied; a small one goes as a whole', async () => {
    const bench = await Bench.create();
    const { world, connection } = await bench.openCuttable({ adapters: [fakeAdapter(() => new Promise(() => {}))] });
    for (const [count, groups] of [
      [10, [5, 5]],
      [9, [5, 4]],
      [7, [7]],
      [40, [20, 20]],
    ] as const) {
      connection.commits.length = 0;
      await Promise.all(Array.from({ length: count }, (_, i) => world.startPlan(start(`${count}/${i}`))));
      expect(connection.commits.map((c) => c.batches)).toEqual(groups);
    }
    await world.close();
  });

  test('where a commit takes longer than applying the burst, it goes as one group', async () => {
    const bench = await Bench.create();
    const { world, connection } = await bench.openCuttable({ adapters: [fakeAdapter(() => new Promise(() => {}))] });
    connection.beforeCommit = async () => bench.clock.advance(20_000_000n);
    await world.startPlan(start('slow'));
    connection.commits.length = 0;
    await Promise.all(Array.from({ length: 10 }, (_, i) => world.startPlan(start(`${i}`))));
    expect(connection.commits.map((c) => c.batches)).toEqual([10]);
    await world.close();
  });

  test('`journal.fsync: always` commits each batch by itself', async () => {
    const bench = await Bench.create();
    const config = hostConfig((c) => ({ journal: { ...c.journal, fsync: 'always' } }));
    const { world, connection } = await bench.openCuttable({ config });
    await Promise.all(Array.from({ length: 10 }, (_, i) => world.startPlan(start(`n${i}`))));
    expect(connection.commits.every((c) => c.batches === 1)).toBe(true);
    await world.close();
  });

  test('`journal.max_group` bounds a group', async () => {
    const bench = await Bench.create();
    const config = hostConfig((c) => ({ journal: { ...c.journal, maxGroup: 4 } }));
    const { world, connection } = await bench.openCuttable({ config });
    await Promise.all(Array.from({ length: 30 }, (_, i) => world.startPlan(start(`n${i}`))));
    expect(Math.max(...connection.commits.map((c) => c.batches))).toBeLessThanOrEqual(4);
    await world.close();
    await bench.replays();
  });

  test('batches are published in order, each once', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    const seen: Applied[] = [];
    world.onBatch((applied) => seen.push(applied));
    await Promise.all(Array.from({ length: 50 }, (_, i) => world.startPlan(start(`n${i}`))));
    unwrap(await world.runBatch({ wait: true, timeoutMs: 10_000 }));
    const seqs = seen.map((a) => a.batch!.firstSeq);
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    expect(new Set(seqs).size).toBe(seqs.length);
    expect((await bench.done()).length).toBe(50);
    await world.close();
    await bench.replays();
  });
});

describe('a commit without ok (`hosting.md` §4.3)', () => {
  /** Faults the given commits, counted from 1. */
  async function withFaults(faults: Record<number, 'unavailable' | 'lost_request' | 'lost_answer'>) {
    let commits = 0;
    let isArmed = false;
    const bench = await Bench.create({
      store: { fault: (operation) => (operation === 'commit' && isArmed ? faults[++commits] : undefined) },
    });
    const world = await bench.open();
    isArmed = true;
    return { bench, world };
  }

  test.each(['unavailable', 'lost_request', 'lost_answer'] as const)(
    '%s: the inputs take effect exactly once, in order, and everybody is answered (L3)',
    async (fault) => {
      const { bench, world } = await withFaults({ 1: fault, 3: fault, 4: fault });
      const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => world.startPlan(start(`n${i}`))));
      expect(answers.map((a) => (a.ok && a.value.state === 'applied' ? a.value.planId : a))).toEqual(
        Array.from({ length: 12 }, (_, i) => i),
      );
      unwrap(await world.runBatch({ wait: true, timeoutMs: 10_000 }));
      expect((await bench.done()).sort()).toEqual(Array.from({ length: 12 }, (_, i) => `n${i}`).sort());
      expect((await bench.of('plan_ended')).length).toBe(12);
      await world.close();
      await bench.replays();
    },
  );

  test('fenced: waiting requests get world.locked, and nothing further is written (L4)', async () => {
    const bench = await Bench.create();
    const { world, connection } = await bench.openCuttable();
    const held = gate();
    connection.beforeCommit = () => held.promise;
    const waiting = [world.startPlan(start('a')), world.startPlan(start('b'))];
    await settle();
    const heir = await bench.reopen();
    held.open();
    const answers = await Promise.all(waiting);
    expect(answers.map((a) => !a.ok && a.failure.code)).toEqual(['world.locked', 'world.locked']);
    expect((await world.closed)?.code).toBe('world.locked');
    expect(await world.startPlan(start('c'))).toMatchObject({ ok: false, failure: { code: 'world.locked' } });
    expect((await bench.of('plan_started')).length).toBe(0);
    await heir.close();
  });

  test('conflict while the lease still holds: the world is loaded again and the inputs are applied', async () => {
    const bench = await Bench.create();
    const connection = new Connection(bench.store);
    let conflicts = 1;
    const store = {
      ...connection.store,
      commit: async (...args: Parameters<typeof bench.store.commit>) =>
        conflicts-- > 0
          ? ({ answer: 'conflict', actual: { height: 7, chain: new Uint8Array(32) } } as const)
          : connection.store.commit(...args),
    };
    const world = await bench.open({ store });
    const answers = await Promise.all([world.startPlan(start('a')), world.startPlan(start('b'))]);
    expect(answers.map((a) => a.ok)).toEqual([true, true]);
    unwrap(await world.runBatch({ wait: true, timeoutMs: 5_000 }));
    expect((await bench.done()).sort()).toEqual(['a', 'b']);
    await world.close();
    await bench.replays();
  });
});

describe('requests', () => {
  test('a refused value is refused with its path and leaves no record', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    const before = (await bench.records()).length;
    const answers = [
      await world.startPlan({ plan: 't/none@1', input: job('a') }),
      await world.startPlan({ plan: 't/call_plan@1', input: { json: { id: 7 } } }),
      await world.sendEvent({ schema: 't/Nope@1', value: { json: {} } }),
      await world.sendEvent({ schema: 'sys/TimerFired@1', value: { json: {} } }),
      await world.sendEvent({ schema: 't/Job@1', value: { cbor: Uint8Array.of(0xff) } }),
      await world.cancelPlan({ planId: 1, reason: 'x'.repeat(600), actor: 'me' }),
    ];
    expect(answers.map((a) => !a.ok && a.failure.code)).toEqual([
      'plan.unknown',
      'plan.input_invalid',
      'schema.unknown',
      'schema.reserved',
      'event.invalid',
      'too_large',
    ]);
    expect(answers[1]).toMatchObject({ failure: { path: ['input', 'id'] } });
    expect((await bench.records()).length).toBe(before);
    await world.close();
  });

  test('what only the kernel can refuse is on record and answered with its code', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    expect(await world.cancelPlan({ planId: 99, reason: 'none', actor: 'me' })).toMatchObject({
      failure: { code: 'plan.not_live' },
    });
    expect(await bench.of('ingress_rejected')).toMatchObject([{ code: 'plan.not_live' }]);
    await world.close();
  });

  test('the same ingress id with the same content is a duplicate of the first answer; with another it conflicts', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    const first = unwrap(await world.startPlan(start('a', { ingressId: 'k' })));
    const again = unwrap(await world.startPlan(start('a', { ingressId: 'k' })));
    expect(again).toEqual({ ...first, duplicate: true });
    expect(await world.startPlan(start('b', { ingressId: 'k' }))).toMatchObject({
      failure: { code: 'ingress.conflict' },
    });
    await world.close();
    expect((await bench.of('plan_started')).length).toBe(1);
  });

  test('a repeat of a refused request gets the refusal again', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    const cancel = { planId: 99, reason: 'none', actor: 'me', ingressId: 'c' };
    await world.cancelPlan(cancel);
    expect(await world.cancelPlan(cancel)).toMatchObject({ failure: { code: 'plan.not_live' } });
    await world.close();
    expect((await bench.of('ingress_rejected')).length).toBe(1);
  });

  test('a cancelled plan ends, and its open effect is recorded late', async () => {
    const bench = await Bench.create();
    const answer = gate();
    const world = await bench.open({ adapters: [fakeAdapter(() => answer.promise.then(() => okOutcome()))] });
    await world.startPlan(start('a'));
    unwrap(await world.cancelPlan({ planId: 0, reason: 'enough', actor: 'me' }));
    answer.open();
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    expect(await bench.of('plan_ended')).toMatchObject([{ error_code: 'cancelled' }]);
    expect(await bench.of('effect_receipt')).toMatchObject([{ disposition: 'late' }]);
    await world.close();
  });

  test('an event is answered with its hash and seqs', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    const answer = unwrap(await world.sendEvent({ schema: 't/Done@1', value: { cbor: encode({ id: 'x' }) } }));
    expect(answer).toMatchObject({ state: 'applied', duplicate: false, firstSeq: 3, lastSeq: 3 });
    const [event] = await bench.of('domain_event');
    expect(answer.state === 'applied' && answer.eventHash).toBe(
      `sha256:${Buffer.from(event!.event_hash).toString('hex')}`,
    );
    await world.close();
  });

  test('reads never see a batch that is not durable (`kernel.md` §14)', async () => {
    const bench = await Bench.create();
    const { world, connection } = await bench.openCuttable();
    const held = gate();
    connection.beforeCommit = () => held.promise;
    const answer = world.startPlan(start('a'));
    await settle();
    let plans: number | undefined;
    const read = world.read((kernel) => {
      plans = kernel.liveCount;
    });
    await settle();
    expect(plans).toBeUndefined();
    held.open();
    await Promise.all([answer, read]);
    expect(plans).toBe(1);
    await world.close();
  });
});
