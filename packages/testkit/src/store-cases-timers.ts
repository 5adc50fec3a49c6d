import { compareBytes, encode, hashOf } from '@worldline/canon';
import { answers, hash, type StoreCase, same, TTL_MS, timer } from './store-case.ts';

const NONE = new Uint8Array(0);
const seqs = (rows: readonly { readonly emissionSeq: number }[]) => rows.map((row) => row.emissionSeq);

export const TIMER_CASES: readonly StoreCase[] = [
  {
    name: '§4.1 timers.due gives a row at its instant, not one ns before, and tells when the next is due (I9)',
    async run(t) {
      const world = await t.world();
      const now = t.clock.wallNs();
      await world.commit({ timers: [timer(1, now + 5n), timer(2, now + 9n)] });
      t.clock.advance(4n);
      await answers(t.store.timers.due(world.worldId, 10), { rows: [], nextDueWallNs: now + 5n });
      t.clock.advance(1n);
      await answers(t.store.timers.due(world.worldId, 10), {
        rows: [{ worldId: world.worldId, emissionSeq: 1, intentHash: timer(1, 0n).intentHash, dueWallNs: now + 5n }],
        nextDueWallNs: now + 9n,
      });
      t.clock.advance(4n);
      same(seqs((await t.store.timers.due(world.worldId, 10)).rows), [1, 2]);
      await answers(t.store.timers.due('unknown', 10), { rows: [] });
    },
  },
  {
    name: '§4.1 due rows are ordered by instant, then intent hash, whatever their emission; at most so many',
    async run(t) {
      const world = await t.world();
      const at = t.clock.wallNs();
      const same5 = ['p', 'q', 'r', 's'].map((intent, i) => timer(10 - i, at - 5n, intent));
      await world.commit({ timers: [timer(20, at - 1n), ...same5, timer(1, at - 9n)] });
      const byHash = same5.toSorted((a, b) => Buffer.compare(a.intentHash, b.intentHash));
      const expected = [1, ...seqs(byHash), 20];
      same(seqs((await t.store.timers.due(world.worldId, 10)).rows), expected);
      same(seqs((await t.store.timers.due(world.worldId, 3)).rows), expected.slice(0, 3));
    },
  },
  {
    name: '§4.1 timers.fire enqueues the offer under t:<emission>:<offer> and makes the row due again after 60 s',
    async run(t) {
      const world = await t.world();
      const { worldId } = world;
      await world.commit({ timers: [timer(1, 0n)] });
      const now = t.clock.wallNs();
      await answers(t.store.timers.fire(worldId, 1), { answer: 'ok' });
      await answers(t.store.timers.due(worldId, 10), { rows: [], nextDueWallNs: now + 60_000_000_000n });
      const [item] = await t.store.inbox.read(worldId, NONE, 10);
      same([item?.dedupeKey, item?.enqueuedAtNs], ['t:1:1', now]);
      // hosting.md §5: the one kind of item that a store encodes by itself.
      same(item?.item, encode({ kind: 'timer', dedupe_key: 't:1:1', enqueued_at_ns: now, emission_seq: 1 }));
      t.advanceSeconds(60);
      same(seqs((await t.store.timers.due(worldId, 10)).rows), [1]);
      await answers(t.store.timers.fire(worldId, 1), { answer: 'ok' });
      same(
        (await t.store.inbox.read(worldId, NONE, 10)).map((found) => found.dedupeKey),
        ['t:1:1', 't:1:2'],
      );
    },
  },
  {
    name: 'kernel.md §3 the digest of an offer is that of the timer ingress',
    async run(t) {
      const world = await t.world();
      await world.commit({ timers: [timer(1, 0n)] });
      await t.store.timers.fire(world.worldId, 1);
      const [item] = await t.store.inbox.read(world.worldId, NONE, 10);
      const digest = hashOf({ kind: 'timer', emission_seq: 1 });
      same(item?.digest, digest);
      await answers(t.store.inbox.enqueue(world.worldId, NONE, digest, 't:1:1'), {
        answer: 'duplicate',
        seq: item?.seq,
      });
    },
  },
  {
    name: 'F5 timers.fire repeated at once makes one offer',
    async run(t) {
      const world = await t.world();
      await world.commit({ timers: [timer(1, 0n)] });
      await Promise.all(Array.from({ length: 5 }, () => t.store.timers.fire(world.worldId, 1)));
      same((await t.store.inbox.read(world.worldId, NONE, 10)).length, 1);
    },
  },
  {
    name: '§4.1 timers.fire of a row that is settled, unknown or of an archived world is not_found',
    async run(t) {
      const world = await t.world();
      await world.commit({ timers: [timer(1, 0n), timer(2, 0n)] });
      await world.commit({ settled: [1] });
      await answers(t.store.timers.fire(world.worldId, 1), { answer: 'not_found' });
      await answers(t.store.timers.fire(world.worldId, 9), { answer: 'not_found' });
      await answers(t.store.timers.fire('unknown', 1), { answer: 'not_found' });
      await t.store.world.setStatus(world.worldId, 'active', 'archived');
      await answers(t.store.timers.fire(world.worldId, 2), { answer: 'not_found' });
    },
  },
  {
    name: '§7 a timer is offered in a full inbox',
    options: { inboxMax: 1 },
    async run(t) {
      const world = await t.world();
      await world.commit({ timers: [timer(1, 0n)] });
      await world.enqueue('a');
      await answers(t.store.timers.fire(world.worldId, 1), { answer: 'ok' });
      same((await t.store.inbox.read(world.worldId, NONE, 10)).length, 2);
    },
  },
  {
    name: '§4.1 timers.rearm sets a fresh instant; offers go on counting',
    async run(t) {
      const world = await t.world();
      const now = t.clock.wallNs();
      await world.commit({ timers: [timer(1, 0n)] });
      await t.store.timers.fire(world.worldId, 1);
      await answers(t.store.timers.rearm(world.worldId, world.epoch, 1, now + 3n), { answer: 'ok' });
      await answers(t.store.timers.due(world.worldId, 10), { rows: [], nextDueWallNs: now + 3n });
      t.clock.advance(3n);
      await t.store.timers.fire(world.worldId, 1);
      same(
        (await t.store.inbox.read(world.worldId, NONE, 10)).map((item) => item.dedupeKey),
        ['t:1:1', 't:1:2'],
      );
      await answers(t.store.timers.rearm(world.worldId, world.epoch, 9, 0n), { answer: 'not_found' });
    },
  },
  {
    name: '§4.1 timers.rearm with a stale epoch or an expired lease is fenced (L2)',
    async run(t) {
      const world = await t.world();
      const { worldId, epoch } = world;
      const due = t.clock.wallNs() + 1n;
      await world.commit({ timers: [timer(1, due)] });
      await answers(t.store.timers.rearm(worldId, epoch - 1, 1, 0n), { answer: 'fenced', epoch });
      t.advanceSeconds(TTL_MS / 1000);
      await answers(t.store.timers.rearm(worldId, epoch, 1, 0n), { answer: 'fenced', epoch });
      await answers(t.store.timers.rearm('unknown', 1, 1, 0n), { answer: 'fenced', epoch: 0 });
      same((await t.store.timers.due(worldId, 10)).rows[0]?.dueWallNs, due);
    },
  },
  {
    name: 'an instant after the year 2262 is kept as the last ns of that range: it can never be early',
    async run(t) {
      const world = await t.world();
      await world.commit({ timers: [timer(1, 2n ** 64n - 1n), timer(2, 2n ** 63n)] });
      await answers(t.store.timers.due(world.worldId, 10), { rows: [], nextDueWallNs: 2n ** 63n - 1n });
    },
  },
  {
    name: '§4.1 timers.due without a world gives those of all, by instant, then world, then intent hash',
    async run(t) {
      const now = t.clock.wallNs();
      const a = await t.world();
      const b = await t.world();
      await b.commit({ timers: [timer(1, now - 5n, 'y'), timer(2, now, 'z'), timer(3, now + 9n)] });
      await a.commit({ timers: [timer(1, now, 'q'), timer(2, now, 'p'), timer(3, now - 5n, 'x'), timer(4, now + 7n)] });
      const [p, q] = ['p', 'q'].map((name) => [hash(name), name] as const).sort(([x], [y]) => compareBytes(x, y));
      const due = await t.store.timers.due(undefined, 10);
      same(
        due.rows.map((row) => [row.worldId, row.intentHash]),
        [
          [a.worldId, hash('x')],
          [b.worldId, hash('y')],
          [a.worldId, p![0]],
          [a.worldId, q![0]],
          [b.worldId, hash('z')],
        ],
      );
      same(due.nextDueWallNs, now + 7n);
      same((await t.store.timers.due(undefined, 2)).rows, due.rows.slice(0, 2));
    },
  },
  {
    name: '§2 timers.due without a world leaves out worlds that take no items any more',
    async run(t) {
      const world = await t.world();
      await world.commit({ timers: [timer(1, 0n), timer(2, 2n ** 62n)] });
      same((await t.store.timers.due(undefined, 10)).rows.length, 1);
      await t.store.world.setStatus(world.worldId, 'active', 'archived');
      await answers(t.store.timers.due(undefined, 10), { rows: [] });
    },
  },
];
