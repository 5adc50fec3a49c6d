import { encodeFrame, sha256, utf8 } from '@worldline/canon';
import type { Head, OutboxRow, Store } from '@worldline/ports';
import {
  answers,
  emitted,
  hash,
  makeBatch,
  type StoreCase,
  type StoreTest,
  same,
  TTL_MS,
  timer,
  type WorldUnderTest,
} from './store-case.ts';

/**
 * Laws that hold of every operation alike: what is repeated with the same arguments changes nothing more (§4.3), and what
 * carries an epoch changes nothing under another one (L2).
 */

const NONE = new Uint8Array(0);
const START: Head = { height: 0, chain: new Uint8Array(32) };
const BIG = new Uint8Array(20_000).fill(9);

/** A world in which every operation has something to do. */
interface Stage {
  readonly t: StoreTest;
  readonly store: Store;
  readonly world: WorldUnderTest;
  readonly worldId: string;
  readonly epoch: number;
  /** Rows claimed by executor `x1`: emissions 1 to 4. */
  readonly rows: readonly OutboxRow[];
  readonly segment: {
    readonly firstSeq: number;
    readonly lastSeq: number;
    readonly ref: Uint8Array;
    readonly framesAt: number;
  };
}

async function stage(t: StoreTest): Promise<Stage> {
  const { store } = t;
  const world = await t.world();
  const { worldId } = world;
  await store.cas.put(utf8('s1'));
  await world.commit({ emitted: [1, 2, 3, 4, 5].map((seq) => emitted(seq)), timers: [timer(6, 0n), timer(7, 0n)] });
  for (const height of [1, 2])
    await world.commit({
      entries: 0,
      body: utf8(`b${height}`),
      index: { baseline: { height, ref: hash(`s${height}`) } },
    });
  const rows = await store.outbox.claim(worldId, undefined, 'x1', 4, 1_000_000);
  await store.cas.put(BIG);
  const seq = await world.enqueue('consumed', 'consumed');
  await world.commit({ inboxCursor: seq });
  const page = await store.journal.read(worldId, 0, 1);
  if (page.answer !== 'ok') throw new Error(page.answer);
  const bytes = encodeFrame(page.batches[0]!);
  await store.segment.put(bytes);
  return {
    t,
    store,
    world,
    worldId,
    epoch: world.epoch,
    rows,
    segment: { firstSeq: 0, lastSeq: 0, ref: sha256(bytes), framesAt: 0 },
  };
}

/** All that can be seen, of all worlds. */
async function observe({ store }: Stage): Promise<unknown> {
  const worlds = await store.world.list();
  return Promise.all(
    worlds.map(async (row) => ({
      row,
      journal: await store.journal.read(row.worldId, 0, 1_000),
      inbox: await store.inbox.read(row.worldId, NONE, 1_000),
      outbox: await store.outbox.list(row.worldId),
      timers: await store.timers.due(row.worldId, 1_000),
      snapshots: await store.world.snapshots(row.worldId),
      segments: await store.segment.list(row.worldId),
      checkpoints: await store.checkpoint.read(row.worldId, 0, 1_000),
      objects: await Promise.all(
        ['put', 's1', 's2']
          .map((text) => utf8(text))
          .concat(BIG)
          .map((bytes) => store.cas.has(sha256(bytes))),
      ),
    })),
  );
}

interface Repeatable {
  readonly op: string;
  readonly call: (stage: Stage) => Promise<{ readonly answer: string }>;
  readonly first: string;
  readonly again: string;
  /** Before the first call. */
  readonly prepare?: ((stage: Stage) => Promise<unknown>) | undefined;
}

const spec = (worldId: string) => ({ worldId, universeId: 'u', configHash: hash('c') });
const signed = (head: Head) => ({
  chainBefore: START.chain,
  chain: head.chain,
  nextSeq: head.height,
  bytes: utf8('signed'),
});

const REPEATABLE: readonly Repeatable[] = [
  { op: 'cas.put', call: ({ store }) => store.cas.put(utf8('put')), first: 'ok', again: 'ok' },
  {
    op: 'cas.put_many',
    call: ({ store }) => store.cas.putMany([{ hash: hash('put'), bytes: utf8('put') }]),
    first: 'ok',
    again: 'ok',
  },
  {
    op: 'cas.delete',
    prepare: async ({ t }) => t.advanceSeconds(10_000),
    call: ({ store }) => store.cas.delete(sha256(BIG), 9_000_000),
    first: 'ok',
    again: 'not_found',
  },
  { op: 'world.create', call: ({ store }) => store.world.create(spec('new'), []), first: 'ok', again: 'exists' },
  {
    op: 'world.fork',
    call: ({ store, worldId }) =>
      store.world.fork(worldId, 1, { worldId: 'f', policy: { effects: 'fail', timers: 'carry' } }),
    first: 'ok',
    again: 'ok',
  },
  {
    op: 'world.set_status',
    call: ({ store, worldId }) => store.world.setStatus(worldId, 'active', 'paused'),
    first: 'ok',
    again: 'conflict',
  },
  {
    op: 'world.set_keys',
    call: ({ store, worldId, epoch }) => store.world.setKeys(worldId, epoch, undefined, utf8('keys')),
    first: 'ok',
    again: 'ok',
  },
  {
    op: 'lease.renew',
    call: ({ store, worldId, epoch }) => store.lease.renew(worldId, 'w1', epoch, TTL_MS),
    first: 'ok',
    again: 'ok',
  },
  {
    op: 'lease.release',
    call: ({ store, worldId, epoch }) => store.lease.release(worldId, 'w1', epoch),
    first: 'ok',
    again: 'ok',
  },
  {
    op: 'commit',
    call: ({ world }) =>
      world.send(world.head, [
        makeBatch(world.head, { emitted: [emitted(20)], timers: [timer(21, 0n)], settled: [5] }),
      ]),
    first: 'ok',
    again: 'conflict',
  },
  {
    op: 'checkpoint.append',
    call: ({ store, worldId, epoch, world }) => store.checkpoint.append(worldId, epoch, signed(world.head)),
    first: 'ok',
    again: 'ok',
  },
  {
    op: 'inbox.enqueue',
    call: ({ store, worldId }) => store.inbox.enqueue(worldId, utf8('i'), hash('i'), 'k'),
    first: 'ok',
    again: 'duplicate',
  },
  {
    op: 'inbox.trim',
    call: ({ store, worldId }) => store.inbox.trim(worldId, { graceMs: 0 }),
    first: 'ok',
    again: 'ok',
  },
  {
    op: 'outbox.start',
    call: ({ store, worldId, rows }) => store.outbox.start(worldId, 1, rows[0]!.token),
    first: 'ok',
    again: 'ok',
  },
  {
    op: 'outbox.extend',
    call: ({ store, worldId, rows }) => store.outbox.extend(worldId, 1, rows[0]!.token, 5_000),
    first: 'ok',
    again: 'ok',
  },
  {
    op: 'outbox.complete',
    call: ({ store, worldId, rows }) => store.outbox.complete(worldId, 2, rows[1]!.token, utf8('r'), hash('r')),
    first: 'ok',
    again: 'duplicate',
  },
  {
    op: 'outbox.retry',
    call: ({ store, worldId, rows }) => store.outbox.retry(worldId, 3, rows[2]!.token, 1_000, 'again'),
    first: 'ok',
    again: 'lost',
  },
  {
    op: 'outbox.reconcile',
    call: ({ store, worldId, epoch }) =>
      store.outbox.reconcile(worldId, epoch, [emitted(1), emitted(30)], [timer(6, 5n), timer(31, 5n)]),
    first: 'ok',
    again: 'ok',
  },
  { op: 'timers.fire', call: ({ store, worldId }) => store.timers.fire(worldId, 6), first: 'ok', again: 'ok' },
  {
    op: 'timers.rearm',
    call: ({ store, worldId, epoch }) => store.timers.rearm(worldId, epoch, 7, 2n ** 61n),
    first: 'ok',
    again: 'ok',
  },
  {
    op: 'wake.maintain',
    call: ({ store, worldId, epoch }) => store.wake.maintain(worldId, epoch, 2n ** 61n),
    first: 'ok',
    again: 'ok',
  },
  { op: 'place.set', call: ({ store, worldId }) => store.place.set(worldId, 'w1'), first: 'ok', again: 'ok' },
  { op: 'segment.put', call: ({ store }) => store.segment.put(utf8('put')), first: 'ok', again: 'ok' },
  {
    op: 'segment.index',
    call: ({ store, worldId, epoch, segment }) => store.segment.index(worldId, epoch, segment),
    first: 'ok',
    again: 'ok',
  },
  {
    op: 'journal.drop_below',
    prepare: async ({ store, worldId, epoch, segment }) => {
      await store.segment.index(worldId, epoch, segment);
      await store.snapshot.drop(worldId, epoch, 1);
    },
    call: ({ store, worldId, epoch }) => store.journal.dropBelow(worldId, epoch, 1),
    first: 'ok',
    again: 'ok',
  },
  {
    op: 'snapshot.verified',
    call: ({ store, worldId }) => store.snapshot.verified(worldId, 2, hash('s2')),
    first: 'ok',
    again: 'ok',
  },
  {
    op: 'snapshot.drop',
    call: ({ store, worldId, epoch }) => store.snapshot.drop(worldId, epoch, 1),
    first: 'ok',
    again: 'not_found',
  },
];

const repeated = REPEATABLE.map(
  ({ op, call, first, again, prepare }): StoreCase => ({
    name: `§4.3 ${op} repeated with the same arguments answers ${again} and changes nothing more`,
    async run(t) {
      const on = await stage(t);
      await prepare?.(on);
      const before = await observe(on);
      same((await call(on)).answer, first);
      const after = await observe(on);
      for (let i = 0; i < 2; i++) {
        same((await call(on)).answer, again);
        same(await observe(on), after);
      }
      // And the first call did something.
      same(JSON.stringify(before, seen) === JSON.stringify(after, seen), UNSEEN.includes(op));
    },
  }),
);

/** What these do cannot be seen in the rows that are observed, at least not at a clock that stands. */
const UNSEEN: readonly string[] = ['lease.renew', 'outbox.extend', 'journal.drop_below'];

function seen(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value instanceof Uint8Array ? [...value] : value;
}

type Fenceable = Readonly<Record<string, (stage: Stage, epoch: number) => Promise<unknown>>>;

const FENCEABLE: Fenceable = {
  'world.set_keys': ({ store, worldId }, epoch) => store.world.setKeys(worldId, epoch, undefined, utf8('keys')),
  'lease.renew': ({ store, worldId }, epoch) => store.lease.renew(worldId, 'w1', epoch, TTL_MS),
  commit: ({ store, worldId, world }, epoch) => store.commit(worldId, epoch, world.head, [makeBatch(world.head)]),
  'checkpoint.append': ({ store, worldId, world }, epoch) =>
    store.checkpoint.append(worldId, epoch, signed(world.head)),
  'outbox.reconcile': ({ store, worldId }, epoch) => store.outbox.reconcile(worldId, epoch, [], []),
  'timers.rearm': ({ store, worldId }, epoch) => store.timers.rearm(worldId, epoch, 7, 2n ** 61n),
  'wake.maintain': ({ store, worldId }, epoch) => store.wake.maintain(worldId, epoch, 1n),
  'segment.index': ({ store, worldId, segment }, epoch) => store.segment.index(worldId, epoch, segment),
  'journal.drop_below': ({ store, worldId }, epoch) => store.journal.dropBelow(worldId, epoch, 0),
  'snapshot.drop': ({ store, worldId }, epoch) => store.snapshot.drop(worldId, epoch, 1),
};

const fencing = Object.entries(FENCEABLE).map(
  ([op, call]): StoreCase => ({
    name: `L2 ${op} is fenced under an older, a future, a lost, an expired and a released epoch, and changes nothing (I3)`,
    async run(t) {
      const on = await stage(t);
      const { worldId, epoch } = on;
      const refused = async (as: number, now: number) => {
        const before = await observe(on);
        await answers(call(on, as), { answer: 'fenced', epoch: now });
        same(await observe(on), before);
      };
      for (const as of [epoch - 1, epoch + 1]) await refused(as, epoch);
      // Taken over by another worker: the old epoch stays fenced, while the lease is live.
      await on.world.acquire('w2', 'w1');
      await refused(epoch, epoch + 1);
      t.advanceSeconds(TTL_MS / 1000);
      await refused(epoch + 1, epoch + 1);
      await on.world.acquire('w3');
      await t.store.lease.release(worldId, 'w3', on.world.epoch);
      await refused(on.world.epoch, on.world.epoch);
    },
  }),
);

export const LAW_CASES: readonly StoreCase[] = [...repeated, ...fencing];
