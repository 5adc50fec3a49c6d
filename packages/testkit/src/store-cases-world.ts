import { utf8 } from '@worldline/canon';
import type { Batch, WorldSpec, WorldStatus } from '@worldline/ports';
import { answers, answersWith, emitted, hash, makeBatch, type StoreCase, same, TTL_MS, timer } from './store-case.ts';

const NONE = new Uint8Array(0);
const spec = (worldId: string) => ({ worldId, universeId: 'u', configHash: hash('config') });
const ttlNs = BigInt(TTL_MS) * 1_000_000n;

export const WORLD_CASES: readonly StoreCase[] = [
  {
    name: '§2 a created world has its row: active, at the head of its batches, epoch 1, without lease',
    async run({ store, clock }) {
      const genesis = makeBatch({ height: 0, chain: new Uint8Array(32) }, { entries: 2 });
      await answers(store.world.create(spec('a'), [genesis]), { answer: 'ok' });
      await answers(store.world.get('a'), {
        worldId: 'a',
        universeId: 'u',
        status: 'active',
        head: { height: 2, chain: genesis.chain },
        base: { height: 0, chain: new Uint8Array(32) },
        labels: {},
        activeBaseline: { height: 0, ref: NONE },
        inboxCursor: NONE,
        internalPending: false,
        epoch: 1,
        configHash: hash('config'),
        createdAtNs: clock.wallNs(),
        notify: 0,
      });
    },
  },
  {
    name: '§4.1 world.create writes batches, rows and index in one commit',
    async run({ store, clock }) {
      const genesis = makeBatch(
        { height: 0, chain: new Uint8Array(32) },
        { emitted: [emitted(0)], timers: [timer(1, clock.wallNs())] },
      );
      const baseline = makeBatch(
        { height: 1, chain: genesis.chain },
        { index: { snapshot: { height: 1, ref: hash('s') }, baseline: { height: 1, ref: hash('s') } } },
      );
      await store.cas.put(utf8('s'));
      await answers(store.world.create(spec('a'), [genesis, baseline]), { answer: 'ok' });
      await answersWith(store.world.get('a'), { activeBaseline: { height: 1, ref: hash('s') }, notify: 1 });
      await answers(store.world.snapshots('a'), [{ height: 1, ref: hash('s'), baseline: true }]);
      same((await store.outbox.list('a')).length, 1);
      same((await store.timers.due('a', 10)).rows.length, 1);
      await answersWith(store.journal.read('a', 0, 10), {
        answer: 'ok',
        batches: [genesis, baseline].map(({ firstSeq, lastSeq, chain, body }) => ({ firstSeq, lastSeq, chain, body })),
      });
    },
  },
  {
    name: '§4.1 world.create of a known id answers exists and changes nothing',
    async run(t) {
      const world = await t.world();
      await world.commit({ entries: 3 });
      const before = await t.store.world.get(world.worldId);
      await answers(
        t.store.world.create({ ...spec(world.worldId), universeId: 'other' }, [
          makeBatch({ height: 0, chain: new Uint8Array(32) }),
        ]),
        { answer: 'exists' },
      );
      await answers(t.store.world.get(world.worldId), before);
    },
  },
  {
    name: '§4.1 world.create with a gap, no id, a malformed hash, or a snapshot that is not stored is invalid, and creates nothing',
    async run({ store }) {
      const head = { height: 0, chain: new Uint8Array(32) };
      const ref = hash('a snapshot that nobody stored');
      const invalid = async (reason: string, more: Partial<WorldSpec>, batches: readonly Batch[]) => {
        await answers(store.world.create({ ...spec('a'), ...more }, batches), { answer: 'invalid', reason });
        await answers(store.world.get('a'), undefined);
      };
      await invalid('batches', {}, [makeBatch({ ...head, height: 1 })]);
      await invalid('batches', {}, [makeBatch(head), makeBatch(head)]);
      await invalid('spec', { configHash: new Uint8Array(31) }, []);
      await invalid('spec', { worldId: '' }, []);
      await invalid('snapshot', {}, [makeBatch(head, { index: { snapshot: { height: 1, ref } } })]);
      await invalid('snapshot', {}, [makeBatch(head, { index: { baseline: { height: 1, ref } } })]);
      await answers(store.world.create(spec('a'), []), { answer: 'ok' });
    },
  },
  {
    name: 'world.list has every world once, in order of creation; an unknown world has no row, head or snapshots',
    async run({ store }) {
      for (const id of ['b', 'a', 'c']) await store.world.create(spec(id), []);
      same(
        (await store.world.list()).map((row) => row.worldId),
        ['b', 'a', 'c'],
      );
      await answers(store.world.get('d'), undefined);
      await answers(store.journal.head('d'), undefined);
      await answers(store.world.snapshots('d'), []);
    },
  },
  {
    name: '§4.1 world.set_status compares and sets',
    async run({ store }) {
      await store.world.create(spec('a'), []);
      await answers(store.world.setStatus('a', 'active', 'paused'), { answer: 'ok' });
      await answers(store.world.setStatus('a', 'active', 'quarantined'), { answer: 'conflict' });
      await answersWith(store.world.get('a'), { status: 'paused' });
      await answers(store.world.setStatus('unknown', 'active', 'paused'), { answer: 'conflict' });
    },
  },
  {
    name: 'worlds do not see each other',
    async run(t) {
      const a = await t.world();
      const b = await t.world();
      await a.commit({
        emitted: [emitted(1)],
        timers: [timer(2, 0n)],
        index: { snapshot: { height: 1, ref: hash('s') } },
      });
      await a.enqueue('item', 'key');
      await answers(t.store.outbox.list(b.worldId), []);
      await answers(t.store.timers.due(b.worldId, 10), { rows: [] });
      await answers(t.store.inbox.read(b.worldId, NONE, 10), []);
      await answers(t.store.world.snapshots(b.worldId), []);
      await answersWith(t.store.inbox.enqueue(b.worldId, hash('i'), hash('other'), 'key'), { answer: 'ok' });
      await answersWith(t.store.journal.read(b.worldId, 1, 10), { answer: 'ok', batches: [] });
      await b.commit({ emitted: [emitted(1)] });
    },
  },
  {
    name: '§4.1 lease.acquire of a free world raises the epoch and tells head, cursor and times',
    async run(t) {
      const genesis = makeBatch({ height: 0, chain: new Uint8Array(32) });
      await t.store.world.create(spec('a'), [genesis]);
      const storeNowNs = t.clock.wallNs();
      await answers(t.store.lease.acquire('a', 'w1', TTL_MS), {
        answer: 'ok',
        epoch: 2,
        expiresAtNs: storeNowNs + ttlNs,
        storeNowNs,
        head: { height: 1, chain: genesis.chain },
        cursor: NONE,
      });
      await answersWith(t.store.world.get('a'), { epoch: 2, lease: { holder: 'w1', expiresAtNs: storeNowNs + ttlNs } });
    },
  },
  {
    name: '§6 L1 a held lease is answered held, with holder and expiry, and the epoch stays',
    async run(t) {
      const world = await t.world();
      const storeNowNs = t.clock.wallNs();
      await answers(t.store.lease.acquire(world.worldId, 'w2', TTL_MS), {
        answer: 'held',
        holder: 'w1',
        expiresAtNs: storeNowNs + ttlNs,
        storeNowNs,
      });
      await answersWith(t.store.world.get(world.worldId), { epoch: world.epoch });
    },
  },
  {
    name: '§4.1 lease.acquire by its holder succeeds with a new epoch, which fences the old one (I3)',
    async run(t) {
      const world = await t.world();
      const old = world.epoch;
      await world.acquire('w1');
      same(world.epoch, old + 1);
      await answers(t.store.commit(world.worldId, old, world.head, [makeBatch(world.head)]), {
        answer: 'fenced',
        epoch: old + 1,
      });
      await world.commit();
    },
  },
  {
    name: '§4.1 a lease is free at the instant it expires, not one ns before',
    async run(t) {
      const world = await t.world();
      t.clock.advance(ttlNs - 1n);
      await answersWith(t.store.lease.acquire(world.worldId, 'w2', TTL_MS), { answer: 'held', holder: 'w1' });
      t.clock.advance(1n);
      await answersWith(t.store.lease.acquire(world.worldId, 'w2', TTL_MS), { answer: 'ok', epoch: world.epoch + 1 });
    },
  },
  {
    name: 'host.md §1 a lease held by a worker proved dead is taken over at once, another one is not',
    async run(t) {
      const world = await t.world();
      await answersWith(t.store.lease.acquire(world.worldId, 'w2', TTL_MS, 'w9'), { answer: 'held' });
      await answersWith(t.store.lease.acquire(world.worldId, 'w2', TTL_MS, 'w1'), {
        answer: 'ok',
        epoch: world.epoch + 1,
      });
    },
  },
  {
    name: '§2 only active and forking worlds are leased; the others answer their status',
    async run({ store }) {
      await store.world.create(spec('a'), []);
      let from: WorldStatus = 'active';
      for (const to of ['paused', 'quarantined', 'archived', 'deleted'] as const) {
        await store.world.setStatus('a', from, to);
        await answers(store.lease.acquire('a', 'w1', TTL_MS), { answer: 'status', status: to });
        from = to;
      }
      await store.world.setStatus('a', 'deleted', 'forking');
      await answersWith(store.lease.acquire('a', 'w1', TTL_MS), { answer: 'ok' });
      await answers(store.lease.acquire('unknown', 'w1', TTL_MS), { answer: 'not_found' });
    },
  },
  {
    name: '§4.1 lease.renew extends from now, and the old expiry passes without effect',
    async run(t) {
      const world = await t.world();
      t.advanceSeconds(10);
      const storeNowNs = t.clock.wallNs();
      await answers(t.store.lease.renew(world.worldId, 'w1', world.epoch, TTL_MS), {
        answer: 'ok',
        expiresAtNs: storeNowNs + ttlNs,
        storeNowNs,
      });
      t.advanceSeconds(10);
      await world.commit();
    },
  },
  {
    name: '§4.1 lease.renew with another worker, another epoch or after expiry is fenced, and extends nothing',
    async run(t) {
      const world = await t.world();
      const { worldId, epoch } = world;
      const row = await t.store.world.get(worldId);
      await answers(t.store.lease.renew(worldId, 'w2', epoch, TTL_MS), { answer: 'fenced', epoch });
      await answers(t.store.lease.renew(worldId, 'w1', epoch - 1, TTL_MS), { answer: 'fenced', epoch });
      t.clock.advance(ttlNs);
      await answers(t.store.lease.renew(worldId, 'w1', epoch, TTL_MS), { answer: 'fenced', epoch });
      await answers(t.store.world.get(worldId), row);
      await answers(t.store.lease.renew('unknown', 'w1', 1, TTL_MS), { answer: 'fenced', epoch: 0 });
    },
  },
  {
    name: '§4.1 lease.release frees the world at once; repeating it changes nothing; the epoch stays',
    async run(t) {
      const world = await t.world();
      const { worldId, epoch } = world;
      for (let i = 0; i < 2; i++) await answers(t.store.lease.release(worldId, 'w1', epoch), { answer: 'ok' });
      await answersWith(t.store.world.get(worldId), { epoch, lease: undefined });
      await answers(t.store.commit(worldId, epoch, world.head, []), { answer: 'fenced', epoch });
      await answers(t.store.lease.renew(worldId, 'w1', epoch, TTL_MS), { answer: 'fenced', epoch });
      await answersWith(t.store.lease.acquire(worldId, 'w2', TTL_MS), { answer: 'ok', epoch: epoch + 1 });
      await answers(t.store.lease.release(worldId, 'w1', epoch), { answer: 'fenced', epoch: epoch + 1 });
    },
  },
  {
    name: '§6 L1 epochs strictly increase, also across reopening',
    async run(t) {
      const world = await t.world();
      let last = world.epoch;
      for (let i = 0; i < 3; i++) {
        t.store = await t.harness.reopen();
        await world.acquire(`w${i + 2}`, world.worker);
        same(world.epoch, last + 1);
        last = world.epoch;
      }
    },
  },
  {
    name: 'what one handle committed the other reads at once; a lease counts for both (F4)',
    async run(t) {
      const world = await t.world();
      const other = await t.harness.another();
      await world.commit({ entries: 5, emitted: [emitted(3)] });
      await answers(other.journal.head(world.worldId), world.head);
      same((await other.outbox.list(world.worldId)).length, 1);
      await answersWith(other.lease.acquire(world.worldId, 'w2', TTL_MS), { answer: 'held', holder: 'w1' });
      await answersWith(other.lease.acquire(world.worldId, 'w2', TTL_MS, 'w1'), { answer: 'ok' });
      await world.refused({}, { answer: 'fenced', epoch: world.epoch + 1 });
    },
  },
  {
    name: 'journal.md §6.3 world.markVerified notes the time once, of exactly that snapshot; reopening keeps it',
    async run(t) {
      const world = await t.world();
      const place = { height: 1, ref: hash('s') };
      await world.commit({ index: { snapshot: place, baseline: place } });
      const mark = (height: number, ref: Uint8Array) => t.store.world.markVerified(world.worldId, height, ref);
      await answers(mark(1, hash('other')), { answer: 'not_found' });
      await answers(mark(2, hash('s')), { answer: 'not_found' });
      await answers(t.store.world.markVerified('unknown', 1, hash('s')), { answer: 'not_found' });
      await answers(t.store.world.snapshots(world.worldId), [{ ...place, baseline: true }]);
      const verifiedAtNs = t.clock.wallNs();
      await answers(mark(1, hash('s')), { answer: 'ok' });
      t.advanceSeconds(5);
      await answers(mark(1, hash('s')), { answer: 'ok' });
      await answers(t.store.world.snapshots(world.worldId), [{ ...place, baseline: true, verifiedAtNs }]);
      t.store = await t.harness.reopen();
      await answers(t.store.world.snapshots(world.worldId), [{ ...place, baseline: true, verifiedAtNs }]);
    },
  },
  {
    name: "the store's clock is the one it was given",
    async run({ store, clock }) {
      await answers(store.nowNs(), clock.wallNs());
      clock.advance(7n);
      await answers(store.nowNs(), clock.wallNs());
    },
  },
];
