import { utf8 } from '@worldline/canon';
import type { WakeReasons } from '@worldline/ports';
import { answers, answersWith, hash, type StoreCase, type StoreTest, same, TTL_MS, timer } from './store-case.ts';

const NOTHING: WakeReasons = { inbox: false, internal: false, timers: false, forking: false, maintenance: false };

const woken = (worldId: string, reasons: Partial<WakeReasons>) => [{ worldId, reasons: { ...NOTHING, ...reasons } }];

/** A world that nobody holds. */
async function idle(t: StoreTest) {
  const world = await t.world();
  await t.store.lease.release(world.worldId, 'w1', world.epoch);
  return world;
}

export const WAKE_CASES: readonly StoreCase[] = [
  {
    name: '§4.1 wake.poll says nothing of a world that has nothing to do',
    async run(t) {
      await idle(t);
      await answers(t.store.wake.poll('w1'), []);
    },
  },
  {
    name: '§4.1 wake.poll names a world with unread items until they are consumed',
    async run(t) {
      const world = await t.world();
      const seq = await world.enqueue('a');
      await answers(t.store.wake.poll('w1'), woken(world.worldId, { inbox: true }));
      await answers(t.store.wake.poll('w1'), woken(world.worldId, { inbox: true }));
      await world.commit({ inboxCursor: seq });
      await answers(t.store.wake.poll('w1'), []);
    },
  },
  {
    name: '§4.1 wake.poll names a world with an internal emission that waits (W15)',
    async run(t) {
      const world = await t.world();
      await world.commit({ internalPending: true });
      await answers(t.store.wake.poll('w1'), woken(world.worldId, { internal: true }));
      await world.commit({ internalPending: false });
      await answers(t.store.wake.poll('w1'), []);
    },
  },
  {
    name: '§9 wake.poll names a world with a due timer at its instant, not one ns before',
    async run(t) {
      const world = await t.world();
      await world.commit({ timers: [timer(1, t.clock.wallNs() + 5n)] });
      t.clock.advance(4n);
      await answers(t.store.wake.poll('w1'), []);
      t.clock.advance(1n);
      await answers(t.store.wake.poll('w1'), woken(world.worldId, { timers: true }));
    },
  },
  {
    name: '§4.1 wake.poll names a forking world until its first batch makes it active (W18)',
    async run(t) {
      const world = await idle(t);
      await t.store.world.setStatus(world.worldId, 'active', 'forking');
      await answers(t.store.wake.poll('w1'), woken(world.worldId, { forking: true }));
      await world.acquire('w1');
      await world.commit({ index: { activate: true } });
      await answers(t.store.wake.poll('w1'), []);
    },
  },
  {
    name: '§4.1 wake.poll names a world whose maintenance is due; wake.maintain sets and clears the instant',
    async run(t) {
      const world = await t.world();
      const { worldId, epoch } = world;
      const at = t.clock.wallNs() + 10n;
      for (let i = 0; i < 2; i++) await answers(t.store.wake.maintain(worldId, epoch, at), { answer: 'ok' });
      await answersWith(t.store.world.get(worldId), { maintainAtNs: at });
      await answers(t.store.wake.poll('w1'), []);
      t.clock.advance(10n);
      await answers(t.store.wake.poll('w1'), woken(worldId, { maintenance: true }));
      await answers(t.store.wake.maintain(worldId, epoch, undefined), { answer: 'ok' });
      await answers(t.store.wake.poll('w1'), []);
      await answersWith(t.store.world.get(worldId), { maintainAtNs: undefined });
    },
  },
  {
    name: '§4.1 wake.maintain with a stale epoch or an expired lease is fenced and changes nothing (L2)',
    async run(t) {
      const world = await t.world();
      const { worldId, epoch } = world;
      await answers(t.store.wake.maintain(worldId, epoch - 1, 1n), { answer: 'fenced', epoch });
      t.advanceSeconds(TTL_MS / 1000);
      await answers(t.store.wake.maintain(worldId, epoch, 1n), { answer: 'fenced', epoch });
      await answers(t.store.wake.maintain('unknown', 1, 1n), { answer: 'fenced', epoch: 0 });
      await answersWith(t.store.world.get(worldId), { maintainAtNs: undefined });
    },
  },
  {
    name: '§4.1 wake.poll names a world to the worker it is placed with, or to all when it is placed nowhere',
    async run(t) {
      const world = await idle(t);
      await world.enqueue('a');
      for (const worker of ['w1', 'w2']) same((await t.store.wake.poll(worker)).length, 1);
      await t.store.place.set(world.worldId, 'w2');
      await answers(t.store.wake.poll('w1'), []);
      await answers(t.store.wake.poll('w2'), woken(world.worldId, { inbox: true }));
    },
  },
  {
    name: 'wake.poll says nothing of a world that another worker holds, until its lease ends',
    async run(t) {
      const world = await t.world();
      await world.enqueue('a');
      await answers(t.store.wake.poll('w2'), []);
      t.clock.advance(BigInt(TTL_MS) * 1_000_000n);
      same((await t.store.wake.poll('w2')).length, 1);
    },
  },
  {
    name: '§2 wake.poll names no paused, quarantined, archived or deleted world',
    async run(t) {
      const world = await idle(t);
      await world.enqueue('a');
      let from = 'active' as const as 'active' | 'paused' | 'quarantined' | 'archived' | 'deleted';
      for (const to of ['paused', 'quarantined', 'archived', 'deleted'] as const) {
        await answers(t.store.world.setStatus(world.worldId, from, to), { answer: 'ok' });
        await answers(t.store.wake.poll('w1'), []);
        from = to;
      }
    },
  },
  {
    name: '§4.1 wake.subscribe hears of a new item in time, and of nothing after its end',
    async run(t) {
      const world = await t.world();
      const heard: string[] = [];
      const deaf: string[] = [];
      const end = t.store.wake.subscribe((worldId) => heard.push(worldId));
      t.store.wake.subscribe((worldId) => deaf.push(worldId))();
      await world.enqueue('a');
      same(heard.includes(world.worldId), true);
      end();
      end();
      const before = heard.length;
      await world.enqueue('b');
      same([heard.length, deaf.length], [before, 0]);
    },
  },
  {
    name: '§9 place.set lets only that worker acquire; the others are told where it is placed',
    async run(t) {
      const world = await idle(t);
      const { worldId } = world;
      for (let i = 0; i < 2; i++) await answers(t.store.place.set(worldId, 'w2'), { answer: 'ok' });
      await answersWith(t.store.world.get(worldId), { desiredWorker: 'w2', epoch: world.epoch });
      await answers(t.store.lease.acquire(worldId, 'w1', TTL_MS), { answer: 'not_placed', desiredWorker: 'w2' });
      await answersWith(t.store.lease.acquire(worldId, 'w2', TTL_MS), { answer: 'ok' });
      await answers(t.store.place.set(worldId, undefined), { answer: 'ok' });
      await answersWith(t.store.lease.acquire(worldId, 'w3', TTL_MS, 'w2'), { answer: 'ok' });
    },
  },
  {
    name: '§6 L8 whoever holds a world that is placed elsewhere keeps it until its lease ends, but cannot take it anew',
    async run(t) {
      const world = await t.world();
      const { worldId, epoch } = world;
      await t.store.place.set(worldId, 'w2');
      await world.commit();
      await answersWith(t.store.lease.renew(worldId, 'w1', epoch, TTL_MS), { answer: 'ok' });
      await answersWith(t.store.lease.acquire(worldId, 'w2', TTL_MS), { answer: 'held', holder: 'w1' });
      await answersWith(t.store.lease.acquire(worldId, 'w1', TTL_MS), { answer: 'not_placed' });
      await t.store.lease.release(worldId, 'w1', epoch);
      await answersWith(t.store.lease.acquire(worldId, 'w2', TTL_MS), { answer: 'ok', epoch: epoch + 1 });
    },
  },
  {
    name: '§4.1 place.list has every world but the deleted, with placement, live holder and labels',
    async run(t) {
      const a = await t.world();
      await t.store.world.create(
        { worldId: 'b', universeId: 'u', configHash: hash('c'), labels: { disk: 'fast' }, desiredWorker: 'w5' },
        [],
      );
      await t.store.world.create({ worldId: 'c', universeId: 'u', configHash: hash('c') }, []);
      await t.store.world.setStatus('c', 'active', 'deleted');
      const b = { worldId: 'b', desiredWorker: 'w5', labels: { disk: 'fast' } };
      await answers(t.store.place.list(), [{ worldId: a.worldId, holder: 'w1', labels: {} }, b]);
      t.clock.advance(BigInt(TTL_MS) * 1_000_000n);
      await answers(t.store.place.list(), [{ worldId: a.worldId, labels: {} }, b]);
      await answers(t.store.place.set('c', 'w1'), { answer: 'not_found' });
      await answers(t.store.place.set('unknown', 'w1'), { answer: 'not_found' });
    },
  },
  {
    name: '§2 labels and placement of a new world are in its row, and survive reopening (I14)',
    async run(t) {
      const labels = { 'a b': 'c"d', ü: '' };
      await t.store.world.create(
        { worldId: 'a', universeId: 'u', configHash: hash('c'), labels, desiredWorker: 'w' },
        [],
      );
      t.store = await t.harness.reopen();
      await answersWith(t.store.world.get('a'), { labels, desiredWorker: 'w' });
    },
  },
  {
    name: 'world.setKeys compares and sets; repeated it changes nothing',
    async run(t) {
      const { worldId, epoch } = await t.world();
      const [one, two, three] = ['one', 'two', 'three'].map((text) => utf8(text)) as [
        Uint8Array,
        Uint8Array,
        Uint8Array,
      ];
      const set = (expected: Uint8Array | undefined, keys: Uint8Array) =>
        t.store.world.setKeys(worldId, epoch, expected, keys);
      await answers(set(one, two), { answer: 'conflict' });
      await answersWith(t.store.world.get(worldId), { keys: undefined });
      for (let i = 0; i < 2; i++) await answers(set(undefined, one), { answer: 'ok' });
      await answers(set(undefined, two), { answer: 'conflict' });
      for (let i = 0; i < 2; i++) await answers(set(one, two), { answer: 'ok' });
      await answers(set(one, three), { answer: 'conflict' });
      await answersWith((await t.harness.another()).world.get(worldId), { keys: two });
    },
  },
  {
    name: 'world.setKeys with a stale epoch or an expired lease is fenced and changes nothing (L2)',
    async run(t) {
      const world = await t.world();
      const { worldId, epoch } = world;
      const keys = utf8('keys');
      await answers(t.store.world.setKeys(worldId, epoch - 1, undefined, keys), { answer: 'fenced', epoch });
      t.advanceSeconds(TTL_MS / 1000);
      await answers(t.store.world.setKeys(worldId, epoch, undefined, keys), { answer: 'fenced', epoch });
      await answers(t.store.world.setKeys('unknown', 1, undefined, keys), { answer: 'fenced', epoch: 0 });
      await answersWith(t.store.world.get(worldId), { keys: undefined });
    },
  },
];
