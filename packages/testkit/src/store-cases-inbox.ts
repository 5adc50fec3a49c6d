import { rejects } from 'node:assert';
import { compareBytes, utf8 } from '@worldline/canon';
import { answers, answersWith, emitted, hash, type StoreCase, same, timer } from './store-case.ts';

const NONE = new Uint8Array(0);
const item = (text: string) => [utf8(text), hash(text)] as const;

export const INBOX_CASES: readonly StoreCase[] = [
  {
    name: '§4.2 seqs of items rise bytewise in the order of their enqueueing, from above the empty cursor',
    async run(t) {
      const world = await t.world();
      const seqs: Uint8Array[] = [NONE];
      for (let i = 0; i < 300; i++) seqs.push(await world.enqueue(`item ${i}`));
      for (let i = 1; i < seqs.length; i++) same(compareBytes(seqs[i - 1]!, seqs[i]!) < 0, true);
      same(
        seqs.every((seq) => seq.length <= 16),
        true,
      );
      same(
        (await t.store.inbox.read(world.worldId, NONE, 1000)).map((found) => found.seq),
        seqs.slice(1),
      );
    },
  },
  {
    name: '§4.1 inbox.read gives what lies after a seq, at most so many, with digest, key and time',
    async run(t) {
      const world = await t.world();
      const enqueuedAtNs = t.clock.wallNs();
      const a = await world.enqueue('a', 'key a');
      t.advanceSeconds(1);
      const b = await world.enqueue('b');
      const c = await world.enqueue('c');
      const [first] = await t.store.inbox.read(world.worldId, NONE, 1);
      same(first, { seq: a, item: utf8('a'), digest: hash('a'), dedupeKey: 'key a', enqueuedAtNs });
      same(
        (await t.store.inbox.read(world.worldId, a, 10)).map((found) => found.seq),
        [b, c],
      );
      await answers(t.store.inbox.read(world.worldId, c, 10), []);
      await answers(t.store.inbox.read(world.worldId, NONE, 0), []);
      await answers(t.store.inbox.read('unknown', NONE, 10), []);
    },
  },
  {
    name: 'I6 one key with one digest, any number of times: one item, one seq',
    async run(t) {
      const world = await t.world();
      const seq = await world.enqueue('a', 'k');
      for (let i = 0; i < 3; i++)
        await answers(t.store.inbox.enqueue(world.worldId, ...item('a'), 'k'), { answer: 'duplicate', seq });
      same((await t.store.inbox.read(world.worldId, NONE, 10)).length, 1);
    },
  },
  {
    name: 'I6 the same from many producers at once, on two handles',
    async run(t) {
      const world = await t.world();
      const other = await t.harness.another();
      const results = await Promise.all(
        Array.from({ length: 40 }, (_, i) =>
          (i % 2 === 0 ? t.store : other).inbox.enqueue(world.worldId, ...item(`v${i % 5}`), `k${i % 5}`),
        ),
      );
      same(results.filter((result) => result.answer === 'ok').length, 5);
      same(results.filter((result) => result.answer === 'duplicate').length, 35);
      const seqs = (await t.store.inbox.read(world.worldId, NONE, 100)).map((found) => found.seq);
      same(seqs.length, 5);
      same(seqs.toSorted(compareBytes), seqs);
    },
  },
  {
    name: '§4.1 a known key with another digest is a conflict with the seq of the first, and adds nothing',
    async run(t) {
      const world = await t.world();
      const seq = await world.enqueue('a', 'k');
      await answers(t.store.inbox.enqueue(world.worldId, ...item('b'), 'k'), { answer: 'conflict', seq });
      same((await t.store.inbox.read(world.worldId, NONE, 10)).length, 1);
    },
  },
  {
    name: '§4.1 the digest decides, not the bytes of the item: enqueue time and trace may differ',
    async run(t) {
      const world = await t.world();
      const seq = await world.enqueue('a', 'k');
      await answers(t.store.inbox.enqueue(world.worldId, utf8('other bytes'), hash('a'), 'k'), {
        answer: 'duplicate',
        seq,
      });
    },
  },
  {
    name: '§4.1 items without a key are never duplicates',
    async run(t) {
      const world = await t.world();
      same(compareBytes(await world.enqueue('a'), await world.enqueue('a')) < 0, true);
    },
  },
  {
    name: '§4.1 a duplicate of an applied item tells the range (W5)',
    async run(t) {
      const world = await t.world();
      const seq = await world.enqueue('a', 'k');
      await world.commit({ entries: 3, inboxCursor: seq });
      await answers(t.store.inbox.enqueue(world.worldId, ...item('a'), 'k'), {
        answer: 'duplicate',
        seq,
        applied: { firstSeq: 1, lastSeq: 3 },
      });
    },
  },
  {
    name: '§2 every status but archived and deleted accepts items',
    async run(t) {
      const { worldId } = await t.world();
      let from = 'active' as const as 'active' | 'forking' | 'paused' | 'quarantined' | 'archived';
      for (const to of ['forking', 'paused', 'quarantined'] as const) {
        await t.store.world.setStatus(worldId, from, to);
        await answersWith(t.store.inbox.enqueue(worldId, ...item(to)), { answer: 'ok' });
        from = to;
      }
      await t.store.world.setStatus(worldId, from, 'archived');
      await answers(t.store.inbox.enqueue(worldId, ...item('x')), { answer: 'world.archived' });
      await t.store.world.setStatus(worldId, 'archived', 'deleted');
      await answers(t.store.inbox.enqueue(worldId, ...item('x')), { answer: 'not_found' });
      await answers(t.store.inbox.enqueue('unknown', ...item('x')), { answer: 'not_found' });
    },
  },
  {
    name: '§7 at the hard limit of unread items enqueue answers full, but still knows its keys; reading on makes room',
    options: { inboxMax: 2 },
    async run(t) {
      const world = await t.world();
      const a = await world.enqueue('a', 'k');
      await world.enqueue('b');
      await answers(t.store.inbox.enqueue(world.worldId, ...item('c')), { answer: 'full' });
      await answers(t.store.inbox.enqueue(world.worldId, ...item('a'), 'k'), { answer: 'duplicate', seq: a });
      await world.commit({ inboxCursor: a });
      await answersWith(t.store.inbox.enqueue(world.worldId, ...item('c')), { answer: 'ok' });
    },
  },
  {
    name: '§4.1 enqueue raises notify; a duplicate does not (I11)',
    async run(t) {
      const world = await t.world();
      const notify = async () => (await t.store.world.get(world.worldId))!.notify;
      const before = await notify();
      await world.enqueue('a', 'k');
      same(await notify(), before + 1);
      await t.store.inbox.enqueue(world.worldId, ...item('a'), 'k');
      same(await notify(), before + 1);
    },
  },
  {
    name: 'inbox.applied: not done while unread; done without range when passed over; unknown items are not done',
    async run(t) {
      const world = await t.world();
      const a = await world.enqueue('a');
      const b = await world.enqueue('b');
      await answers(t.store.inbox.applied(world.worldId, a), { done: false });
      await world.commit({ inboxCursor: b });
      await answers(t.store.inbox.applied(world.worldId, a), { done: true });
      await answers(t.store.inbox.applied(world.worldId, b), { done: true, applied: { firstSeq: 1, lastSeq: 1 } });
      await answers(t.store.inbox.applied('unknown', a), { done: false });
    },
  },
  {
    name: '§4.1 inbox.trim takes consumed items older than the grace period, no others',
    async run(t) {
      const world = await t.world();
      const a = await world.enqueue('a');
      t.advanceSeconds(5);
      const b = await world.enqueue('b');
      const c = await world.enqueue('c');
      await world.commit({ inboxCursor: b });
      t.advanceSeconds(5);
      await answers(t.store.inbox.trim(world.worldId, { graceMs: 10_000 }), { answer: 'ok', items: 1, keys: 0 });
      same(
        (await t.store.inbox.read(world.worldId, NONE, 10)).map((found) => found.seq),
        [b, c],
      );
      await answers(t.store.inbox.trim(world.worldId, { graceMs: 0 }), { answer: 'ok', items: 1, keys: 0 });
      same(
        (await t.store.inbox.read(world.worldId, NONE, 10)).map((found) => found.seq),
        [c],
      );
      await answers(t.store.inbox.trim(world.worldId, { graceMs: 0 }), { answer: 'ok', items: 0, keys: 0 });
      await answers(t.store.inbox.trim('unknown', { graceMs: 0 }), { answer: 'ok', items: 0, keys: 0 });
      await answersWith(t.store.inbox.applied(world.worldId, a), { done: true });
    },
  },
  {
    name: '§4.1 a dedupe key outlives its trimmed item, with digest and range',
    async run(t) {
      const world = await t.world();
      const seq = await world.enqueue('a', 'k');
      await world.commit({ inboxCursor: seq });
      await answers(t.store.inbox.trim(world.worldId, { graceMs: 0 }), { answer: 'ok', items: 1, keys: 0 });
      await answers(t.store.inbox.read(world.worldId, NONE, 10), []);
      await answers(t.store.inbox.enqueue(world.worldId, ...item('a'), 'k'), {
        answer: 'duplicate',
        seq,
        applied: { firstSeq: 1, lastSeq: 1 },
      });
      await answers(t.store.inbox.enqueue(world.worldId, ...item('b'), 'k'), { answer: 'conflict', seq });
    },
  },
  {
    name: '§4.2 seqs go on rising after trimming and reopening: none is used twice',
    async run(t) {
      const world = await t.world();
      const a = await world.enqueue('a');
      await world.commit({ inboxCursor: a });
      await t.store.inbox.trim(world.worldId, { graceMs: 0 });
      t.store = await t.harness.reopen();
      same(compareBytes(await world.enqueue('b'), a) > 0, true);
    },
  },
  {
    name: 'keys may hold any text, and are compared exactly',
    async run(t) {
      const world = await t.world();
      const keys = ['', 'k', 'K', 'k ', "k'; --", 'ключ', '🔑', 'k\u0301', 'ḱ'];
      for (const key of keys) await world.enqueue('a', key);
      same(
        (await t.store.inbox.read(world.worldId, NONE, 100)).map((found) => found.dedupeKey),
        keys,
      );
    },
  },
  {
    name: '§7 receipts, timers and messages are taken by a full inbox; a client is told to wait',
    options: { inboxMax: 2 },
    async run(t) {
      const world = await t.world();
      await world.enqueue('a');
      await world.enqueue('b');
      await answers(t.store.inbox.enqueue(world.worldId, ...item('c')), { answer: 'full' });
      await answersWith(t.store.inbox.enqueue(world.worldId, ...item('c'), 'fabric:a/1', { isDelivery: true }), {
        answer: 'ok',
      });
      await answers(t.store.inbox.enqueue(world.worldId, ...item('d'), 'd', { isDelivery: false }), { answer: 'full' });
      same((await t.store.inbox.read(world.worldId, NONE, 10)).length, 3);
    },
  },
  {
    name: '§4.1 inbox.trim forgets a key after its time, and then a late duplicate is a new item (F16)',
    async run(t) {
      const world = await t.world();
      const seq = await world.enqueue('a', 'k');
      await world.commit({ inboxCursor: seq });
      t.advanceSeconds(10);
      await answers(t.store.inbox.trim(world.worldId, { graceMs: 0, dedupeTtlMs: 10_001 }), {
        answer: 'ok',
        items: 1,
        keys: 0,
      });
      await answersWith(t.store.inbox.enqueue(world.worldId, ...item('a'), 'k'), { answer: 'duplicate', seq });
      await answers(t.store.inbox.trim(world.worldId, { graceMs: 0, dedupeTtlMs: 10_000 }), {
        answer: 'ok',
        items: 0,
        keys: 1,
      });
      same(compareBytes(await world.enqueue('a', 'k'), seq) > 0, true);
      await answersWith(t.store.inbox.applied(world.worldId, seq), { done: true });
    },
  },
  {
    name: '§4.1 inbox.trim keeps a key at least as long as its item',
    async run(t) {
      const world = await t.world();
      const seq = await world.enqueue('a', 'k');
      await world.commit({ inboxCursor: seq });
      await answers(t.store.inbox.trim(world.worldId, { graceMs: 1_000, dedupeTtlMs: 0 }), {
        answer: 'ok',
        items: 0,
        keys: 0,
      });
      await answersWith(t.store.inbox.enqueue(world.worldId, ...item('a'), 'k'), { answer: 'duplicate', seq });
    },
  },
  {
    name: '§4.1 inbox.trim never touches an unread item or its key, however old',
    async run(t) {
      const world = await t.world();
      await world.enqueue('a', 'k');
      t.advanceSeconds(1_000_000);
      await answers(t.store.inbox.trim(world.worldId, { graceMs: 0, dedupeTtlMs: 0 }), {
        answer: 'ok',
        items: 0,
        keys: 0,
      });
      await answersWith(t.store.inbox.enqueue(world.worldId, ...item('a'), 'k'), { answer: 'duplicate' });
      same((await t.store.inbox.read(world.worldId, NONE, 10)).length, 1);
    },
  },
  {
    name: '§4.1 the key of a delivery from outside is kept as long as the world lives',
    async run(t) {
      const world = await t.world();
      const added = await t.store.inbox.enqueue(world.worldId, ...item('m'), 'fabric:a/1', { isDelivery: true });
      same(added.answer, 'ok');
      await world.commit({ inboxCursor: added.answer === 'ok' ? added.seq : NONE });
      t.advanceSeconds(1_000_000);
      await answers(t.store.inbox.trim(world.worldId, { graceMs: 0, dedupeTtlMs: 0 }), {
        answer: 'ok',
        items: 1,
        keys: 0,
      });
      await answersWith(t.store.inbox.enqueue(world.worldId, ...item('m'), 'fabric:a/1', { isDelivery: true }), {
        answer: 'duplicate',
      });
    },
  },
  {
    name: '§4.1 the keys of receipts and timer offers are kept as long as their rows can send them again, and then go',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1)], timers: [timer(2, 0n)] });
      const row = await world.claimOne();
      await t.store.outbox.complete(world.worldId, 1, row.token, ...item('receipt'));
      await t.store.timers.fire(world.worldId, 2);
      const items = await t.store.inbox.read(world.worldId, NONE, 10);
      same(
        items.map((found) => found.dedupeKey),
        ['r:1:1', 't:2:1'],
      );
      for (const { seq } of items) await world.commit({ inboxCursor: seq });
      const trim = () => t.store.inbox.trim(world.worldId, { graceMs: 0, dedupeTtlMs: 0 });
      await answers(trim(), { answer: 'ok', items: 2, keys: 0 });
      await answers(t.store.outbox.complete(world.worldId, 1, row.token, ...item('receipt')), { answer: 'duplicate' });
      await world.commit({ settled: [1] });
      await answers(trim(), { answer: 'ok', items: 0, keys: 1 });
      await answers(t.store.outbox.complete(world.worldId, 1, row.token, ...item('receipt')), { answer: 'lost' });
      await world.commit({ settled: [2] });
      await answers(trim(), { answer: 'ok', items: 0, keys: 1 });
      await answers(trim(), { answer: 'ok', items: 0, keys: 0 });
    },
  },
  {
    name: 'a digest of another length than 32 bytes is a bug of the caller',
    async run(t) {
      const world = await t.world();
      await rejects(t.store.inbox.enqueue(world.worldId, utf8('a'), new Uint8Array(31)), TypeError);
      await answers(t.store.inbox.read(world.worldId, NONE, 10), []);
    },
  },
  {
    name: '§4.2 no item becomes visible at or below one already seen, with many producers and a reader that goes on (I5)',
    async run(t) {
      const world = await t.world();
      const other = await t.harness.another();
      const PRODUCERS = 6;
      const EACH = 20;
      let producing = PRODUCERS;
      const producer = async (p: number) => {
        const store = p % 2 === 0 ? t.store : other;
        for (let i = 0; i < EACH; i++)
          await answersWith(store.inbox.enqueue(world.worldId, ...item(`${p}/${i}`), `${p}/${i}`), { answer: 'ok' });
        producing--;
      };
      const seen: string[] = [];
      let cursor: Uint8Array = NONE;
      const reader = async () => {
        for (;;) {
          const isLast = producing === 0;
          const items = await other.inbox.read(world.worldId, cursor, 7);
          for (const found of items) {
            same(compareBytes(found.seq, cursor) > 0, true);
            cursor = found.seq;
            seen.push(found.dedupeKey ?? '');
          }
          // What is read is consumed at once: nothing may appear behind the cursor of a commit either.
          if (items.length > 0) await world.commit({ inboxCursor: cursor });
          else if (isLast) return;
          // An engine that reads without leaving its thread must not keep the producers from their answers.
          else await new Promise((resolve) => setTimeout(resolve, 0));
        }
      };
      await Promise.all([reader(), ...Array.from({ length: PRODUCERS }, (_, p) => producer(p))]);
      same(seen.length, PRODUCERS * EACH);
      same(new Set(seen).size, PRODUCERS * EACH);
      for (let p = 0; p < PRODUCERS; p++) {
        same(
          seen.filter((key) => key.startsWith(`${p}/`)),
          Array.from({ length: EACH }, (_, i) => `${p}/${i}`),
        );
      }
      await answers(t.store.inbox.read(world.worldId, cursor, 1), []);
    },
  },
];
