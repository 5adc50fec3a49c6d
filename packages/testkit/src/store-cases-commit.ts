import { rejects } from 'node:assert';
import { sha256, u64be, utf8 } from '@worldline/canon';
import {
  answers,
  answersWith,
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

const NONE = new Uint8Array(0);
const stored = ({ firstSeq, lastSeq, chain, body }: ReturnType<typeof makeBatch>) => ({
  firstSeq,
  lastSeq,
  chain,
  body,
});

/** Everything that can be seen of a world. */
async function observe({ store }: StoreTest, { worldId }: WorldUnderTest): Promise<unknown> {
  return {
    row: await store.world.get(worldId),
    journal: await store.journal.read(worldId, 0, 1000),
    inbox: await store.inbox.read(worldId, NONE, 1000),
    outbox: await store.outbox.list(worldId),
    timers: await store.timers.due(worldId, 1000),
    snapshots: await store.world.snapshots(worldId),
  };
}

export const COMMIT_CASES: readonly StoreCase[] = [
  {
    name: '§4.1 commit 3: head and chain become those of the last batch of the group',
    async run(t) {
      const world = await t.world();
      const before = world.head;
      const group = [world.batch({ entries: 2 }), world.batch({ entries: 0 }), world.batch({ entries: 3 })];
      await answers(world.send(before, group), { answer: 'ok', height: 6, chain: group[2]!.chain });
      await answers(t.store.journal.head(world.worldId), { height: 6, chain: group[2]!.chain });
    },
  },
  {
    name: '§4.1 commit 1: another epoch is fenced and writes nothing (I3)',
    async run(t) {
      const world = await t.world();
      const before = await observe(t, world);
      for (const epoch of [world.epoch - 1, world.epoch + 1]) {
        await answers(t.store.commit(world.worldId, epoch, world.head, [makeBatch(world.head)]), {
          answer: 'fenced',
          epoch: world.epoch,
        });
      }
      await answers(observe(t, world), before);
    },
  },
  {
    name: '§4.1 commit 1: an expired lease is fenced even when nobody else has it (F3)',
    async run(t) {
      const world = await t.world();
      t.clock.advance(BigInt(TTL_MS) * 1_000_000n - 1n);
      await world.commit();
      t.clock.advance(1n);
      await world.refused({}, { answer: 'fenced', epoch: world.epoch });
    },
  },
  {
    name: '§4.1 commit to an unknown world or one never leased is fenced',
    async run({ store }) {
      const head = { height: 0, chain: new Uint8Array(32) };
      await answers(store.commit('unknown', 1, head, [makeBatch(head)]), { answer: 'fenced', epoch: 0 });
      await store.world.create({ worldId: 'a', universeId: 'u', configHash: hash('c') }, []);
      await answers(store.commit('a', 1, head, [makeBatch(head)]), { answer: 'fenced', epoch: 1 });
    },
  },
  {
    name: '§4.1 commit 2: another height or chain is a conflict with the actual head, and writes nothing',
    async run(t) {
      const world = await t.world();
      const actual = world.head;
      const before = await observe(t, world);
      for (const wrong of [
        { ...actual, height: 0 },
        { ...actual, height: 2 },
        { ...actual, chain: hash('other') },
      ]) {
        await answers(world.send(wrong, [makeBatch(wrong)]), { answer: 'conflict', actual });
      }
      await answers(observe(t, world), before);
    },
  },
  {
    name: '§4.1 commit 2: a batch that does not begin where the one before ended is a conflict',
    async run(t) {
      const world = await t.world();
      const actual = world.head;
      const first = makeBatch(actual, { entries: 2 });
      const gap = makeBatch({ height: first.lastSeq + 2, chain: first.chain });
      await answers(world.send(actual, [first, gap]), { answer: 'conflict', actual });
      await answers(world.send(actual, [makeBatch({ ...actual, height: 5 })]), { answer: 'conflict', actual });
      await answers(t.store.journal.head(world.worldId), actual);
    },
  },
  {
    name: '§4.1 fencing is judged before the head',
    async run(t) {
      const world = await t.world();
      const wrong = { height: 9, chain: hash('x') };
      await answers(t.store.commit(world.worldId, 1, wrong, [makeBatch(wrong)]), {
        answer: 'fenced',
        epoch: world.epoch,
      });
    },
  },
  {
    name: '§4.3 a commit repeated after success is a conflict whose actual chain is its own',
    async run(t) {
      const world = await t.world();
      const before = world.head;
      const batch = await world.commit({ emitted: [emitted(1)] });
      await answers(world.send(before, [batch]), { answer: 'conflict', actual: { height: 2, chain: batch.chain } });
      same((await t.store.outbox.list(world.worldId)).length, 1);
    },
  },
  {
    name: 'I2 of many commits at one head, from two handles, exactly one succeeds',
    async run(t) {
      const world = await t.world();
      const other = await t.harness.another();
      const before = world.head;
      const rivals = Array.from({ length: 8 }, (_, i) => makeBatch(before, { body: utf8(`rival ${i}`) }));
      const results = await Promise.all(
        rivals.map((batch, i) => (i % 2 === 0 ? t.store : other).commit(world.worldId, world.epoch, before, [batch])),
      );
      const won = results.flatMap((result, i) => (result.answer === 'ok' ? [i] : []));
      same(won.length, 1);
      same(results.filter((result) => result.answer === 'conflict').length, 7);
      await answers(t.store.journal.head(world.worldId), { height: 2, chain: rivals[won[0]!]!.chain });
    },
  },
  {
    name: 'a commit without batches checks fence and head, and stores its objects',
    async run(t) {
      const world = await t.world();
      const bytes = utf8('object');
      await answers(world.send(world.head, [], { objects: [{ hash: sha256(bytes), bytes }] }), {
        answer: 'ok',
        ...world.head,
      });
      await answers(t.store.cas.get(sha256(bytes)), { answer: 'ok', bytes });
      await answersWith(world.send({ ...world.head, height: 3 }, []), { answer: 'conflict' });
    },
  },
  {
    name: 'J5 objects of a commit are stored with it, small and large; those of a refused one are not needed by anyone',
    async run(t) {
      const world = await t.world();
      const objects = [utf8('small'), new Uint8Array(50_000).fill(3)].map((bytes) => ({ hash: sha256(bytes), bytes }));
      await world.commit({}, { objects });
      for (const { hash: of, bytes } of objects) await answers(t.store.cas.get(of), { answer: 'ok', bytes });
    },
  },
  {
    name: 'I4 a commit that fails half-way leaves nothing: head, rows, cursor, pointers, objects',
    async run(t) {
      const world = await t.world();
      const seq = await world.enqueue('item');
      await world.commit({ emitted: [emitted(1)] });
      const before = await observe(t, world);
      const bytes = utf8('object of a failed commit');
      const head = world.head;
      const good = makeBatch(head, {
        emitted: [emitted(2)],
        timers: [timer(3, 0n)],
        settled: [1],
        inboxCursor: seq,
        index: {
          snapshot: { height: 2, ref: hash('s') },
          baseline: { height: 2, ref: hash('s') },
          configHash: hash('other'),
        },
      });
      // Emission 2 gets a second row: a bug of the caller, found after everything before it was done.
      const bad = makeBatch({ height: good.lastSeq + 1, chain: good.chain }, { emitted: [emitted(2)] });
      await rejects(world.send(head, [good, bad], { objects: [{ hash: sha256(bytes), bytes }] }), Error);
      await answers(observe(t, world), before);
      await answers(t.store.cas.has(sha256(bytes)), false);
      await world.commit();
    },
  },
  {
    name: 'a batch with a chain of another length, a negative span or a foreign cursor is a bug of the caller',
    async run(t) {
      const world = await t.world();
      const batch = makeBatch(world.head);
      for (const bad of [
        { chain: new Uint8Array(31) },
        { lastSeq: batch.firstSeq - 2 },
        { inboxCursor: new Uint8Array(3) },
      ]) {
        await rejects(world.send(world.head, [{ ...batch, ...bad }]), TypeError);
      }
      await answers(t.store.journal.head(world.worldId), world.head);
    },
  },
  {
    name: 'an object whose hash is wrong makes the commit a bug of the caller, and nothing is written',
    async run(t) {
      const world = await t.world();
      await rejects(
        world.send(world.head, [makeBatch(world.head)], { objects: [{ hash: hash('a'), bytes: utf8('b') }] }),
        TypeError,
      );
      await answers(t.store.journal.head(world.worldId), world.head);
      await answers(t.store.cas.has(hash('a')), false);
    },
  },
  {
    name: 'commits sent without waiting are taken in order',
    async run(t) {
      const world = await t.world();
      const sent = Array.from({ length: 20 }, () => {
        const before = world.head;
        return world.send(before, [world.batch({ entries: 2 })]);
      });
      const results = await Promise.all(sent);
      same(
        results.map((result) => result.answer === 'ok' && result.height),
        Array.from({ length: 20 }, (_, i) => 3 + 2 * i),
      );
    },
  },
  {
    name: 'a commit that is a bug does not disturb the ones around it',
    async run(t) {
      const world = await t.world();
      const other = await t.world();
      const head = world.head;
      const results = await Promise.allSettled([
        other.commit({ emitted: [emitted(1)] }),
        world.send(head, [makeBatch(head, { emitted: [emitted(1), emitted(1)] })]),
        t.store.inbox.enqueue(other.worldId, utf8('i'), hash('i')),
        world.send(head, [makeBatch(head)]),
      ]);
      same(
        results.map((result) => result.status),
        ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
      );
      await answers(t.store.outbox.list(world.worldId), []);
      same((await t.store.outbox.list(other.worldId)).length, 1);
    },
  },
  {
    name: '§4.1 commit 4: the cursor is that of the last batch that has one; its items are done with their range',
    async run(t) {
      const world = await t.world();
      const { worldId } = world;
      const seqs = [await world.enqueue('a'), await world.enqueue('b'), await world.enqueue('c')];
      const before = world.head;
      await world.send(before, [
        world.batch({ inboxCursor: seqs[0]!, entries: 2 }),
        world.batch({ inboxCursor: seqs[1]! }),
        world.batch(),
      ]);
      await answersWith(t.store.world.get(worldId), { inboxCursor: seqs[1]! });
      await answers(t.store.inbox.applied(worldId, seqs[0]!), { done: true, applied: { firstSeq: 1, lastSeq: 2 } });
      await answers(t.store.inbox.applied(worldId, seqs[1]!), { done: true, applied: { firstSeq: 3, lastSeq: 3 } });
      await answers(t.store.inbox.applied(worldId, seqs[2]!), { done: false });
    },
  },
  {
    name: '§4.1 commit 4: an empty batch moves the cursor and gives its item no range (W10)',
    async run(t) {
      const world = await t.world();
      const seq = await world.enqueue('a', 'k');
      await world.commit({ entries: 0, inboxCursor: seq });
      await answersWith(t.store.world.get(world.worldId), {
        inboxCursor: seq,
        head: { height: 1, chain: world.head.chain },
      });
      await answers(t.store.inbox.applied(world.worldId, seq), { done: true });
      await answers(t.store.inbox.enqueue(world.worldId, utf8('a'), hash('a'), 'k'), { answer: 'duplicate', seq });
    },
  },
  {
    name: 'I11 the cursor never moves back',
    async run(t) {
      const world = await t.world();
      const first = await world.enqueue('a');
      const second = await world.enqueue('b');
      await world.commit({ inboxCursor: second });
      await world.commit({ inboxCursor: first });
      await answersWith(t.store.world.get(world.worldId), { inboxCursor: second });
      await world.acquire('w1');
      await answersWith(t.store.lease.acquire(world.worldId, 'w1', TTL_MS), { cursor: second });
    },
  },
  {
    name: '§4.1 commit 6: settled rows go, of either table, also within the group that made them',
    async run(t) {
      const world = await t.world();
      const { worldId } = world;
      await world.commit({ emitted: [emitted(1), emitted(2)], timers: [timer(3, 0n), timer(4, 0n)] });
      await world.commit({ settled: [1, 3, 99] });
      same(
        (await t.store.outbox.list(worldId)).map((row) => row.emissionSeq),
        [2],
      );
      same(
        (await t.store.timers.due(worldId, 10)).rows.map((row) => row.emissionSeq),
        [4],
      );
      const before = world.head;
      await world.send(before, [
        world.batch({ emitted: [emitted(5)], timers: [timer(6, 0n)] }),
        world.batch({ settled: [5, 6, 2, 4] }),
      ]);
      await answers(t.store.outbox.list(worldId), []);
      await answers(t.store.timers.due(worldId, 10), { rows: [] });
    },
  },
  {
    name: '§4.1 commit 7: internal_pending and config_hash are those of the last batch that says so',
    async run(t) {
      const world = await t.world();
      const before = world.head;
      await world.send(before, [
        world.batch({ internalPending: true, index: { configHash: hash('c2') } }),
        world.batch({ internalPending: true }),
      ]);
      await answersWith(t.store.world.get(world.worldId), { internalPending: true, configHash: hash('c2') });
      await world.commit();
      await answersWith(t.store.world.get(world.worldId), { internalPending: false, configHash: hash('c2') });
    },
  },
  {
    name: '§4.1 commit 7: activate makes a forking world active',
    async run(t) {
      const world = await t.world();
      await t.store.world.setStatus(world.worldId, 'active', 'forking');
      await world.commit({ index: { activate: true } });
      await answersWith(t.store.world.get(world.worldId), { status: 'active' });
    },
  },
  {
    name: '§4.1 commit 7: snapshots are indexed by height, ascending; a promoted one says so',
    async run(t) {
      const world = await t.world();
      await world.commit({ index: { snapshot: { height: 5, ref: hash('s5') } } });
      await world.commit({ index: { snapshot: { height: 2, ref: hash('s2') } } });
      await world.commit({ index: { baseline: { height: 5, ref: hash('s5') } } });
      await world.commit({ index: { snapshot: { height: 5, ref: hash('s5') } } });
      await answers(t.store.world.snapshots(world.worldId), [
        { height: 2, ref: hash('s2'), baseline: false },
        { height: 5, ref: hash('s5'), baseline: true },
      ]);
    },
  },
  {
    name: 'I11 the active baseline never moves back',
    async run(t) {
      const world = await t.world();
      for (const height of [3, 7, 4]) await world.commit({ index: { baseline: { height, ref: hash(`s${height}`) } } });
      await answersWith(t.store.world.get(world.worldId), { activeBaseline: { height: 7, ref: hash('s7') } });
      same(
        (await t.store.world.snapshots(world.worldId)).map((row) => [row.height, row.baseline]),
        [
          [3, true],
          [4, true],
          [7, true],
        ],
      );
    },
  },
  {
    name: '§4.1 commit 8: notify rises when rows are added, and only then',
    async run(t) {
      const world = await t.world();
      const notify = async () => (await t.store.world.get(world.worldId))!.notify;
      const before = await notify();
      await world.commit();
      same(await notify(), before);
      await world.commit({ emitted: [emitted(2)] });
      const second = await notify();
      same(second > before, true);
      await world.commit({ timers: [timer(3, 0n)] });
      same((await notify()) > second, true);
    },
  },
  {
    name: 'I14 all that was answered is there after reopening',
    async run(t) {
      const world = await t.world();
      const seq = await world.enqueue('a', 'k');
      await world.commit({
        inboxCursor: seq,
        emitted: [emitted(1)],
        timers: [timer(2, 5n)],
        index: { snapshot: { height: 1, ref: hash('s') } },
      });
      await world.claimOne();
      const before = await observe(t, world);
      t.store = await t.harness.reopen();
      await answers(observe(t, world), before);
    },
  },
  {
    name: '§4.1 journal.read returns whole batches from the one that holds the seq',
    async run(t) {
      const world = await t.world();
      const a = await world.commit({ entries: 3 });
      const b = await world.commit({ entries: 2 });
      for (const from of [1, 2, 3])
        await answers(t.store.journal.read(world.worldId, from, 100), { answer: 'ok', batches: [a, b].map(stored) });
      await answers(t.store.journal.read(world.worldId, 4, 100), { answer: 'ok', batches: [stored(b)] });
      await answers(t.store.journal.read(world.worldId, 6, 100), { answer: 'ok', batches: [] });
      await answers(t.store.journal.read('unknown', 0, 100), { answer: 'ok', batches: [] });
    },
  },
  {
    name: '§4.1 journal.read in pages gives every batch once, empty ones included, in order',
    async run(t) {
      const world = await t.world();
      const made = [makeBatch({ height: 0, chain: new Uint8Array(32) })];
      for (let i = 0; i < 30; i++) made.push(await world.commit({ entries: i % 3, body: utf8(`body ${i}`) }));
      for (const limit of [0, 1, 2, 5, 7, 100]) {
        const read: unknown[] = [];
        let from: number | undefined = 0;
        let pages = 0;
        while (from !== undefined) {
          const page = await t.store.journal.read(world.worldId, from, limit);
          if (page.answer !== 'ok') throw new Error(page.answer);
          read.push(...page.batches);
          from = page.next;
          if (++pages > 100) throw new Error('reading does not end');
        }
        same(read, made.map(stored), `limit ${limit}`);
      }
    },
  },
  {
    name: '§4.1 journal.read from a seq includes the empty batches directly before it: they are part of the chain',
    async run(t) {
      const world = await t.world();
      await world.commit();
      const empty = await world.commit({ entries: 0, body: utf8('seal') });
      const next = await world.commit();
      await answers(t.store.journal.read(world.worldId, 2, 100), { answer: 'ok', batches: [empty, next].map(stored) });
    },
  },
  {
    name: '§4.1 a hole in the journal is corrupt, wherever reading begins before or in it',
    async run(t) {
      const world = await t.world();
      for (let i = 0; i < 6; i++) await world.commit({ entries: 2 });
      await t.harness.removeBatch(world.worldId, 5);
      for (const from of [0, 3, 4, 5, 6])
        await answersWith(t.store.journal.read(world.worldId, from, 100), { answer: 'corrupt' });
    },
  },
  {
    name: '§4.1 a missing last batch is corrupt: the head says it was there',
    async run(t) {
      const world = await t.world();
      await world.commit();
      const last = await world.commit();
      await t.harness.removeBatch(world.worldId, last.firstSeq);
      await answersWith(t.store.journal.read(world.worldId, 0, 100), { answer: 'corrupt' });
      await answersWith(t.store.journal.read(world.worldId, last.firstSeq, 100), { answer: 'corrupt' });
    },
  },
  {
    name: 'bodies are opaque: empty ones and large ones come back byte for byte',
    async run(t) {
      const world = await t.world();
      const bodies = [NONE, new Uint8Array(300_000).map((_, i) => i * 13), u64be(1)];
      for (const body of bodies) await world.commit({ body });
      const read = await t.store.journal.read(world.worldId, 1, 100);
      same(read.answer === 'ok' && read.batches.map((batch) => batch.body), bodies);
    },
  },
];
