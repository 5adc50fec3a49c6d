import { hashOf, sha256, utf8 } from '@worldline/canon';
import type { ForkPolicy, ForkSpec } from '@worldline/ports';
import {
  answers,
  answersWith,
  emitted,
  hash,
  type StoreCase,
  type StoreTest,
  same,
  TTL_MS,
  timer,
} from './store-case.ts';

const NONE = new Uint8Array(0);
const POLICY: ForkPolicy = { effects: 'fail', timers: 'carry' };
const FORK: ForkSpec = { worldId: 'fork', policy: POLICY };
const SNAPSHOT = utf8('the state at height 3');

/** A world of 5 entries with a snapshot at height 3, and things under way. */
async function forkable(t: StoreTest) {
  const world = await t.world();
  const { chain } = await world.commit({ entries: 2, emitted: [emitted(1)], timers: [timer(2, 0n)] });
  const ref = sha256(SNAPSHOT);
  await t.store.cas.put(SNAPSHOT);
  await world.commit({ index: { snapshot: { height: 3, ref } } });
  await world.enqueue('item', 'k');
  await world.commit({});
  return { world, chain, ref };
}

export const FORK_CASES: readonly StoreCase[] = [
  {
    name: 'journal.md §10 a fork begins at the height of the snapshot, with chain H(["fork", chain there, id])',
    async run(t) {
      const { world, chain, ref } = await forkable(t);
      const head = { height: 3, chain: hashOf(['fork', chain, 'fork']) };
      await answers(t.store.world.fork(world.worldId, 3, FORK), { answer: 'ok', worldId: 'fork', head });
      await answers(t.store.world.get('fork'), {
        worldId: 'fork',
        universeId: 'u',
        status: 'forking',
        head,
        base: head,
        activeBaseline: { height: 3, ref },
        inboxCursor: NONE,
        internalPending: false,
        epoch: 0,
        labels: {},
        configHash: hash('config'),
        lineage: { parentWorld: world.worldId, forkedAtHeight: 3, snapshotRef: ref, policy: POLICY },
        createdAtNs: t.clock.wallNs(),
        notify: 0,
      });
      await answers(t.store.journal.head('fork'), head);
    },
  },
  {
    name: 'journal.md §10 a fork has the snapshot as its baseline, and nothing in inbox, outbox, timers and journal',
    async run(t) {
      const { world, ref } = await forkable(t);
      await t.store.world.fork(world.worldId, 3, FORK);
      await answers(t.store.world.snapshots('fork'), [{ height: 3, ref, baseline: true }]);
      await answers(t.store.inbox.read('fork', NONE, 10), []);
      await answers(t.store.outbox.list('fork'), []);
      await answers(t.store.timers.due('fork', 10), { rows: [] });
      for (const from of [0, 3]) await answers(t.store.journal.read('fork', from, 10), { answer: 'ok', batches: [] });
      await answersWith(t.store.inbox.enqueue('fork', utf8('i'), hash('other'), 'k'), { answer: 'ok' });
    },
  },
  {
    name: 'journal.md §10 forking leaves the parent as it was',
    async run(t) {
      const { world } = await forkable(t);
      const before = await t.store.world.get(world.worldId);
      await t.store.world.fork(world.worldId, 3, FORK);
      await answers(t.store.world.get(world.worldId), before);
      same((await t.store.outbox.list(world.worldId)).length, 1);
      await world.commit();
    },
  },
  {
    name: 'world.fork repeated with the same arguments answers the same; with another origin the id exists',
    async run(t) {
      const { world, chain, ref } = await forkable(t);
      await world.commit({ index: { snapshot: { height: 5, ref } } });
      const head = { height: 3, chain: hashOf(['fork', chain, 'fork']) };
      for (let i = 0; i < 2; i++)
        await answers(t.store.world.fork(world.worldId, 3, FORK), { answer: 'ok', worldId: 'fork', head });
      await answers(t.store.world.fork(world.worldId, 5, FORK), { answer: 'exists' });
      await answers(t.store.world.fork('fork', 3, { ...FORK, worldId: world.worldId }), { answer: 'exists' });
      same((await t.store.world.list()).length, 2);
    },
  },
  {
    name: 'world.fork repeated after the fork has run on still names the head it began with',
    async run(t) {
      const { world } = await forkable(t);
      const first = await t.store.world.fork(world.worldId, 3, FORK);
      const lease = await t.store.lease.acquire('fork', 'w9', TTL_MS);
      same(lease.answer === 'ok' && lease.epoch, 1);
      const fork = t.adopt('fork', lease);
      await fork.commit({ index: { activate: true } });
      await answers(t.store.world.fork(world.worldId, 3, FORK), first);
      await answersWith(t.store.world.get('fork'), { status: 'active', head: fork.head });
    },
  },
  {
    name: '§2 a forking world is leased, takes items, and becomes active with the batch that says so (W18)',
    async run(t) {
      const { world } = await forkable(t);
      await t.store.world.fork(world.worldId, 3, FORK);
      await answersWith(t.store.inbox.enqueue('fork', utf8('i'), hash('i')), { answer: 'ok' });
      const fork = t.adopt('fork', await t.store.lease.acquire('fork', 'w9', TTL_MS));
      const batch = await fork.commit({ entries: 2, index: { activate: true } });
      same(batch.firstSeq, 3);
      await answersWith(t.store.world.get('fork'), { status: 'active' });
      const { firstSeq, lastSeq, chain, body } = batch;
      // Reading from below its beginning begins there.
      for (const from of [0, 3, 4])
        await answers(t.store.journal.read('fork', from, 10), {
          answer: 'ok',
          batches: [{ firstSeq, lastSeq, chain, body }],
        });
    },
  },
  {
    name: '§4.1 world.fork of an unknown or deleted world is not_found',
    async run(t) {
      const { world } = await forkable(t);
      await answers(t.store.world.fork('unknown', 3, FORK), { answer: 'not_found' });
      await t.store.world.setStatus(world.worldId, 'active', 'deleted');
      await answers(t.store.world.fork(world.worldId, 3, FORK), { answer: 'not_found' });
      await answers(t.store.world.get('fork'), undefined);
    },
  },
  {
    name: '§4.1 world.fork at a height without a snapshot, or whose object is gone, is snapshot_missing and makes nothing',
    async run(t) {
      const { world, ref } = await forkable(t);
      for (const height of [0, 2, 4, 9])
        await answers(t.store.world.fork(world.worldId, height, FORK), { answer: 'snapshot_missing' });
      t.advanceSeconds(10_000);
      await answers(t.store.cas.delete(ref, 9_000_000), { answer: 'ok' });
      await answers(t.store.world.fork(world.worldId, 3, FORK), { answer: 'snapshot_missing' });
      await answers(t.store.world.get('fork'), undefined);
    },
  },
  {
    name: 'journal.md §10 the chain of a fork is that of the batch that ended there, whatever empty batches followed',
    async run(t) {
      const world = await t.world();
      const { chain } = await world.commit({ entries: 2 });
      await world.commit({ entries: 0, body: utf8('skip') });
      await t.store.cas.put(SNAPSHOT);
      await world.commit({ index: { snapshot: { height: 3, ref: sha256(SNAPSHOT) } } });
      await answersWith(t.store.world.fork(world.worldId, 3, FORK), {
        head: { height: 3, chain: hashOf(['fork', chain, 'fork']) },
      });
    },
  },
  {
    name: 'a fork can be forked at the height it began with, and lineage names its own parent',
    async run(t) {
      const { world, chain, ref } = await forkable(t);
      await t.store.world.fork(world.worldId, 3, FORK);
      const head = { height: 3, chain: hashOf(['fork', hashOf(['fork', chain, 'fork']), 'again']) };
      await answers(t.store.world.fork('fork', 3, { ...FORK, worldId: 'again' }), {
        answer: 'ok',
        worldId: 'again',
        head,
      });
      await answersWith(t.store.world.get('again'), {
        lineage: { parentWorld: 'fork', forkedAtHeight: 3, snapshotRef: ref, policy: POLICY },
      });
    },
  },
  {
    name: 'a fork has keys, labels and place of its own, and survives reopening (I14)',
    async run(t) {
      const { world } = await forkable(t);
      const keys = utf8('keys of the fork');
      await t.store.world.fork(world.worldId, 3, {
        worldId: 'fork',
        policy: { effects: 'carry', timers: 'fail' },
        keys,
        labels: { of: world.worldId },
        desiredWorker: 'w7',
      });
      const before = await t.store.world.get('fork');
      same(before?.keys, keys);
      same([before?.labels, before?.desiredWorker], [{ of: world.worldId }, 'w7']);
      same(before?.lineage?.policy, { effects: 'carry', timers: 'fail' });
      t.store = await t.harness.reopen();
      await answers(t.store.world.get('fork'), before);
    },
  },
  {
    name: 'journal.md §2.1 the first checkpoint of a fork follows from the chain it began with',
    async run(t) {
      const { world } = await forkable(t);
      await t.store.world.fork(world.worldId, 3, FORK);
      const fork = t.adopt('fork', await t.store.lease.acquire('fork', 'w9', TTL_MS));
      const base = fork.head;
      await fork.commit({ index: { activate: true } });
      const signed = { chain: fork.head.chain, nextSeq: 4, bytes: utf8('signed') };
      const append = (chainBefore: Uint8Array) =>
        t.store.checkpoint.append('fork', fork.epoch, { ...signed, chainBefore });
      await answers(append(new Uint8Array(32)), { answer: 'conflict' });
      await answers(append(base.chain), { answer: 'ok' });
    },
  },
];
