import { rejects } from 'node:assert';
import { utf8 } from '@worldline/canon';
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
  type WorldUnderTest,
} from './store-case.ts';

const NONE = new Uint8Array(0);
const OTHER = utf8('no such token');
const receipt = (text: string) => [utf8(text), hash(text)] as const;
const CLAIM = { executor: 'x0', token: utf8('token of a commit') };

const seqs = (rows: readonly { readonly emissionSeq: number }[]) => rows.map((row) => row.emissionSeq);
const only = async ({ store }: StoreTest, { worldId }: WorldUnderTest) => {
  const [row, ...others] = await store.outbox.list(worldId);
  same(others, []);
  return row;
};

export const OUTBOX_CASES: readonly StoreCase[] = [
  {
    name: '§4.1 a row is claimable once its batch is committed, not before, and comes as it was given (I7)',
    async run(t) {
      const world = await t.world();
      await answers(world.claim(), []);
      await world.commit({ emitted: [emitted(1)] });
      const row = await world.claimOne();
      const { token, ...rest } = row;
      same(rest, { worldId: world.worldId, ...emitted(1), attempt: 1, started: false });
      same(token.length > 0, true);
    },
  },
  {
    name: '§4.1 claims come oldest first, at most so many, and each row to one claimer (I7)',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [5, 3, 9, 1].map((seq) => emitted(seq)) });
      same(seqs(await world.claim(3)), [1, 3, 5]);
      same(seqs(await world.claim(3)), [9]);
      same(await world.claim(3), []);
      await answers(t.store.outbox.claim('unknown', undefined, 'x', 1, 1), []);
    },
  },
  {
    name: '§4.1 claims name kinds; no list means every kind, an empty one none',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1, 'a'), emitted(2, 'b'), emitted(3, 'a'), emitted(4, 'a.b')] });
      same(seqs(await world.claim(10, { kinds: [] })), []);
      same(seqs(await world.claim(10, { kinds: ['b', 'c'] })), [2]);
      same(seqs(await world.claim(10, { kinds: ['a'] })), [1, 3]);
      same(seqs(await world.claim(10)), [4]);
    },
  },
  {
    name: 'I7 of many claimers at once, on two handles, each row goes to one',
    async run(t) {
      const world = await t.world();
      const other = await t.harness.another();
      await world.commit({ emitted: Array.from({ length: 20 }, (_, i) => emitted(i + 1)) });
      const claims = await Promise.all(
        Array.from({ length: 12 }, (_, i) =>
          (i % 2 === 0 ? t.store : other).outbox.claim(world.worldId, undefined, `x${i}`, 3, 10_000),
        ),
      );
      same(
        seqs(claims.flat()).toSorted((a, b) => a - b),
        Array.from({ length: 20 }, (_, i) => i + 1),
      );
    },
  },
  {
    name: '§4.1 a claim ends with its visibility, not before; the next one has another token and attempt (W7)',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1)] });
      const first = await world.claimOne(5_000);
      t.clock.advance(5_000_000_000n - 1n);
      same(await world.claim(), []);
      t.clock.advance(1n);
      const second = await world.claimOne();
      same(second.attempt, 2);
      same(Buffer.compare(first.token, second.token) === 0, false);
      for (const lost of [
        t.store.outbox.start(world.worldId, 1, first.token),
        t.store.outbox.extend(world.worldId, 1, first.token, 1),
        t.store.outbox.retry(world.worldId, 1, first.token, 0, 'e'),
        t.store.outbox.complete(world.worldId, 1, first.token, ...receipt('r')),
      ]) {
        await answers(lost, { answer: 'lost' });
      }
      await answers(t.store.inbox.read(world.worldId, NONE, 10), []);
    },
  },
  {
    name: '§4.1 outbox.extend counts from now',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1)] });
      const row = await world.claimOne(5_000);
      t.advanceSeconds(4);
      await answers(t.store.outbox.extend(world.worldId, 1, row.token, 5_000), { answer: 'ok' });
      t.advanceSeconds(4);
      same(await world.claim(), []);
      t.advanceSeconds(1);
      same(seqs(await world.claim()), [1]);
    },
  },
  {
    name: '§4.1 outbox.start leaves a mark that stays with the row; repeating it changes nothing',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1)] });
      const row = await world.claimOne(1_000);
      for (let i = 0; i < 2; i++) await answers(t.store.outbox.start(world.worldId, 1, row.token), { answer: 'ok' });
      same((await only(t, world))?.started, true);
      t.advanceSeconds(1);
      same((await world.claimOne()).started, true);
    },
  },
  {
    name: '§4.1 operations on a row that is unclaimed, gone or owned by another token are lost',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1), emitted(2)] });
      await world.claim(1);
      for (const seq of [1, 2, 3]) {
        await answers(t.store.outbox.start(world.worldId, seq, OTHER), { answer: 'lost' });
        await answers(t.store.outbox.extend(world.worldId, seq, OTHER, 1), { answer: 'lost' });
        await answers(t.store.outbox.retry(world.worldId, seq, OTHER, 1, 'e'), { answer: 'lost' });
        await answers(t.store.outbox.complete(world.worldId, seq, OTHER, ...receipt('r')), { answer: 'lost' });
      }
      await answers(t.store.outbox.start('unknown', 1, OTHER), { answer: 'lost' });
      await answers(t.store.outbox.complete('unknown', 1, OTHER, ...receipt('r')), { answer: 'lost' });
    },
  },
  {
    name: '§4.1 outbox.retry releases the row for later; attempts and the started mark stay',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1)] });
      const row = await world.claimOne(60_000);
      await t.store.outbox.start(world.worldId, 1, row.token);
      await answers(t.store.outbox.retry(world.worldId, 1, row.token, 2_000, 'no route'), { answer: 'ok' });
      same(await only(t, world), {
        emissionSeq: 1,
        kind: 'http.request',
        attempt: 1,
        started: true,
        claimed: false,
        done: false,
      });
      same(await world.claim(), []);
      t.advanceSeconds(2);
      const again = await world.claimOne();
      same([again.attempt, again.started], [2, true]);
      await answers(t.store.outbox.retry(world.worldId, 1, row.token, 0, 'late'), { answer: 'lost' });
    },
  },
  {
    name: '§4.1 outbox.complete enqueues the receipt under r:<emission>:<attempt> and marks the row done, in one step',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(7)] });
      await world.claimOne(1_000);
      t.advanceSeconds(1);
      const row = await world.claimOne();
      const answer = await t.store.outbox.complete(world.worldId, 7, row.token, ...receipt('r'));
      const [item] = await t.store.inbox.read(world.worldId, NONE, 10);
      same(answer, { answer: 'ok', seq: item?.seq });
      same([item?.item, item?.digest, item?.dedupeKey], [utf8('r'), hash('r'), 'r:7:2']);
      same(await only(t, world), {
        emissionSeq: 7,
        kind: 'http.request',
        attempt: 2,
        started: false,
        claimed: false,
        done: true,
      });
    },
  },
  {
    name: '§4.1 a done row is never claimed again, however long its receipt waits',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1)] });
      const row = await world.claimOne(1_000);
      await t.store.outbox.complete(world.worldId, 1, row.token, ...receipt('r'));
      t.advanceSeconds(100_000);
      same(await world.claim(), []);
      await answers(t.store.outbox.retry(world.worldId, 1, row.token, 0, 'e'), { answer: 'lost' });
      await answers(t.store.outbox.start(world.worldId, 1, row.token), { answer: 'lost' });
      await answers(t.store.outbox.extend(world.worldId, 1, row.token, 1), { answer: 'lost' });
    },
  },
  {
    name: '§4.1 outbox.complete repeated is a duplicate; with another receipt a conflict; one item in the inbox (F5)',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1)] });
      const row = await world.claimOne();
      await t.store.outbox.complete(world.worldId, 1, row.token, ...receipt('r'));
      await answers(t.store.outbox.complete(world.worldId, 1, row.token, ...receipt('r')), { answer: 'duplicate' });
      await answers(t.store.outbox.complete(world.worldId, 1, row.token, ...receipt('other')), { answer: 'conflict' });
      same((await t.store.inbox.read(world.worldId, NONE, 10)).length, 1);
    },
  },
  {
    name: '§4.1 commit 6: the batch that applies the receipt removes the row; what comes later is lost (W9)',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1)] });
      const row = await world.claimOne();
      const done = await t.store.outbox.complete(world.worldId, 1, row.token, ...receipt('r'));
      await world.commit({ settled: [1], inboxCursor: done.answer === 'ok' ? done.seq : NONE });
      await answers(t.store.outbox.list(world.worldId), []);
      await answers(t.store.outbox.complete(world.worldId, 1, row.token, ...receipt('r')), { answer: 'lost' });
    },
  },
  {
    name: '§4.1 commit 6: a row done under the released key is claimable again, with its history (F12)',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1)] });
      const row = await world.claimOne();
      await t.store.outbox.start(world.worldId, 1, row.token);
      await t.store.outbox.complete(world.worldId, 1, row.token, ...receipt('forged'));
      await world.commit({ released: [{ emissionSeq: 1, dedupeKey: 'r:1:1' }] });
      same(await only(t, world), {
        emissionSeq: 1,
        kind: 'http.request',
        attempt: 1,
        started: true,
        claimed: false,
        done: false,
      });
      const again = await world.claimOne();
      same([again.attempt, again.started], [2, true]);
      await answersWith(t.store.outbox.complete(world.worldId, 1, again.token, ...receipt('good')), { answer: 'ok' });
    },
  },
  {
    name: '§4.1 commit 6: a row claimed under the released token is claimable again',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1)] });
      const row = await world.claimOne(60_000);
      await world.commit({ released: [{ emissionSeq: 1, token: row.token }] });
      same((await world.claimOne()).attempt, 2);
      await answers(t.store.outbox.start(world.worldId, 1, row.token), { answer: 'lost' });
    },
  },
  {
    name: '§4.1 commit 6: another key or token releases nothing',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1), emitted(2)] });
      const rows = await world.claim();
      await t.store.outbox.complete(world.worldId, 1, rows[0]!.token, ...receipt('r'));
      await world.commit({
        released: [
          { emissionSeq: 1, dedupeKey: 'r:1:2' },
          // Done rows are released by key: their token has served.
          { emissionSeq: 1, token: rows[0]!.token },
          { emissionSeq: 1 },
          { emissionSeq: 2, token: OTHER },
          { emissionSeq: 2, dedupeKey: 'r:2:1' },
          { emissionSeq: 3, dedupeKey: 'r:3:1', token: OTHER },
        ],
      });
      same(await world.claim(), []);
      same(
        (await t.store.outbox.list(world.worldId)).map((row) => [row.done, row.claimed]),
        [
          [true, false],
          [false, true],
        ],
      );
    },
  },
  {
    name: 'a commit may insert its rows as claimed: attempt 1, that token, and no time limit while the lease lasts',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1), emitted(2)] }, { claim: CLAIM });
      same(
        await t.store.outbox.list(world.worldId),
        [1, 2].map((emissionSeq) => ({
          emissionSeq,
          kind: 'http.request',
          attempt: 1,
          started: false,
          claimed: true,
          done: false,
        })),
      );
      for (let i = 0; i < 50; i++) {
        t.advanceSeconds(10);
        await t.store.lease.renew(world.worldId, 'w1', world.epoch, TTL_MS);
      }
      same(await world.claim(), []);
      await answers(t.store.outbox.start(world.worldId, 1, CLAIM.token), { answer: 'ok' });
      await answers(t.store.outbox.extend(world.worldId, 1, CLAIM.token, 1), { answer: 'ok' });
      t.advanceSeconds(1);
      same(await world.claim(), []);
      await answersWith(t.store.outbox.complete(world.worldId, 1, CLAIM.token, ...receipt('r')), { answer: 'ok' });
      same(
        (await t.store.inbox.read(world.worldId, NONE, 10)).map((item) => item.dedupeKey),
        ['r:1:1'],
      );
    },
  },
  {
    name: 'a claim made by a commit dies with the lease: the next epoch claims the row anew, attempt 2',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1)] }, { claim: CLAIM });
      await t.store.outbox.start(world.worldId, 1, CLAIM.token);
      await world.acquire('w2', 'w1');
      same(await only(t, world), {
        emissionSeq: 1,
        kind: 'http.request',
        attempt: 1,
        started: true,
        claimed: false,
        done: false,
      });
      await answers(t.store.outbox.complete(world.worldId, 1, CLAIM.token, ...receipt('r')), { answer: 'lost' });
      const row = await world.claimOne();
      same([row.attempt, row.started], [2, true]);
    },
  },
  {
    name: 'a claim made by outbox.claim survives a change of the lease until its visibility ends (L7)',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1)] });
      const row = await world.claimOne(20_000);
      await world.acquire('w2', 'w1');
      same(await world.claim(), []);
      await answers(t.store.outbox.start(world.worldId, 1, row.token), { answer: 'ok' });
      t.advanceSeconds(20);
      same((await world.claimOne()).attempt, 2);
    },
  },
  {
    name: 'a row done under a claim of a commit stays done through a change of the lease (W9)',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1)] }, { claim: CLAIM });
      await t.store.outbox.complete(world.worldId, 1, CLAIM.token, ...receipt('r'));
      await world.acquire('w2', 'w1');
      same((await only(t, world))?.done, true);
      same(await world.claim(), []);
      await answers(t.store.outbox.complete(world.worldId, 1, CLAIM.token, ...receipt('r')), { answer: 'duplicate' });
      await world.commit({ released: [{ emissionSeq: 1, dedupeKey: 'r:1:1' }] });
      same((await world.claimOne()).attempt, 2);
    },
  },
  {
    name: 'a claim made by a commit and released by its token is an ordinary row afterwards',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1), emitted(2)] }, { claim: CLAIM });
      await world.commit({ released: [{ emissionSeq: 1, token: CLAIM.token }] });
      await answers(t.store.outbox.retry(world.worldId, 2, CLAIM.token, 0, 'e'), { answer: 'ok' });
      const rows = await world.claim(10, { visibilityMs: 60_000 });
      same(
        rows.map((row) => [row.emissionSeq, row.attempt]),
        [
          [1, 2],
          [2, 2],
        ],
      );
      await world.acquire('w2', 'w1');
      same(await world.claim(), []);
    },
  },
  {
    name: '§2 a world that takes no items any more answers complete with lost',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1)] });
      const row = await world.claimOne();
      await t.store.world.setStatus(world.worldId, 'active', 'archived');
      await answers(t.store.outbox.complete(world.worldId, 1, row.token, ...receipt('r')), { answer: 'lost' });
    },
  },
  {
    name: '§4.1 a receipt is accepted in a full inbox (§7)',
    options: { inboxMax: 1 },
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1)] });
      await world.enqueue('a');
      const row = await world.claimOne();
      await answersWith(t.store.outbox.complete(world.worldId, 1, row.token, ...receipt('r')), { answer: 'ok' });
    },
  },
  {
    name: 'L7 outbox.reconcile inserts what is missing and deletes what is surplus, in both tables',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1), emitted(2)], timers: [timer(3, 30n), timer(4, 40n)] });
      await answers(
        t.store.outbox.reconcile(world.worldId, world.epoch, [emitted(2), emitted(5)], [timer(4, 41n), timer(6, 60n)]),
        { answer: 'ok' },
      );
      same(seqs(await t.store.outbox.list(world.worldId)), [2, 5]);
      same(
        (await t.store.timers.due(world.worldId, 10)).rows.map((row) => [row.emissionSeq, row.dueWallNs]),
        [
          [4, 41n],
          [6, 60n],
        ],
      );
      same(
        (await world.claim()).map(({ emissionSeq, kind, request }) => ({ emissionSeq, kind, request })),
        [2, 5].map((seq) => ({ emissionSeq: seq, kind: 'http.request', request: utf8(`request ${seq}`) })),
      );
    },
  },
  {
    name: 'L7 outbox.reconcile keeps claims, attempts, started and done marks, and offers of kept rows',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1), emitted(2)], timers: [timer(3, 0n)] });
      const [first, second] = await world.claim(10, { visibilityMs: 60_000 });
      await t.store.outbox.start(world.worldId, 1, first!.token);
      await t.store.outbox.complete(world.worldId, 2, second!.token, ...receipt('r'));
      await t.store.timers.fire(world.worldId, 3);
      const before = await t.store.outbox.list(world.worldId);
      for (let i = 0; i < 2; i++) {
        await answers(t.store.outbox.reconcile(world.worldId, world.epoch, [emitted(1), emitted(2)], [timer(3, 0n)]), {
          answer: 'ok',
        });
      }
      await answers(t.store.outbox.list(world.worldId), before);
      await answers(t.store.outbox.extend(world.worldId, 1, first!.token, 1), { answer: 'ok' });
      await t.store.timers.fire(world.worldId, 3);
      same(
        (await t.store.inbox.read(world.worldId, NONE, 10)).map((item) => item.dedupeKey),
        ['r:2:1', 't:3:1', 't:3:2'],
      );
    },
  },
  {
    name: '§4.1 outbox.reconcile with a stale epoch or an expired lease is fenced and changes nothing (L2)',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1)], timers: [timer(2, 0n)] });
      const { worldId, epoch } = world;
      await answers(t.store.outbox.reconcile(worldId, epoch - 1, [], []), { answer: 'fenced', epoch });
      t.advanceSeconds(TTL_MS / 1000);
      await answers(t.store.outbox.reconcile(worldId, epoch, [], []), { answer: 'fenced', epoch });
      await answers(t.store.outbox.reconcile('unknown', 1, [], []), { answer: 'fenced', epoch: 0 });
      same(seqs(await t.store.outbox.list(worldId)), [1]);
      same(seqs((await t.store.timers.due(worldId, 10)).rows), [2]);
    },
  },
  {
    name: 'a second row of one emission is a bug of the caller',
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1)], timers: [timer(2, 0n)] });
      await rejects(world.refused({ emitted: [emitted(1)] }, {}), Error);
      await rejects(world.refused({ timers: [timer(2, 0n)] }, {}), Error);
      await world.commit({ settled: [1], emitted: [emitted(3)] });
    },
  },
  {
    name: '§4.1 claims without a world come from all of them, which take turns, each oldest first (I16)',
    async run(t) {
      const a = await t.world();
      const b = await t.world();
      await b.commit({ emitted: [8, 2, 5, 9].map((seq) => emitted(seq)) });
      await a.commit({ emitted: [7, 3].map((seq) => emitted(seq)) });
      const claim = async (limit: number) =>
        (await t.store.outbox.claim(undefined, undefined, 'x', limit, 1_000)).map((row) => [
          row.worldId,
          row.emissionSeq,
        ]);
      same(await claim(3), [
        [a.worldId, 3],
        [b.worldId, 2],
        [a.worldId, 7],
      ]);
      same(await claim(10), [
        [b.worldId, 5],
        [b.worldId, 8],
        [b.worldId, 9],
      ]);
      same(await claim(10), []);
    },
  },
  {
    name: '§4.1 claims without a world name kinds too, respect live claims, and are completed in their own world',
    async run(t) {
      const a = await t.world();
      const b = await t.world();
      await a.commit({ emitted: [emitted(1, 'x'), emitted(2, 'y')] });
      await b.commit({ emitted: [emitted(1, 'y')] });
      const taken = await b.claimOne();
      const rows = await t.store.outbox.claim(undefined, ['y'], 'x', 10, 1_000);
      same(
        rows.map((row) => [row.worldId, row.emissionSeq, row.attempt]),
        [[a.worldId, 2, 1]],
      );
      await answersWith(t.store.outbox.complete(a.worldId, 2, rows[0]!.token, ...receipt('r')), { answer: 'ok' });
      await answers(t.store.outbox.complete(b.worldId, 1, rows[0]!.token, ...receipt('r')), { answer: 'lost' });
      await answersWith(t.store.outbox.complete(b.worldId, 1, taken.token, ...receipt('r')), { answer: 'ok' });
    },
  },
  {
    name: '§4.1 outbox.complete with no item, a digest of another length or one above the limit is invalid and changes nothing',
    options: { objectBytesMax: 100 },
    async run(t) {
      const world = await t.world();
      await world.commit({ emitted: [emitted(1)] });
      const { token } = await world.claimOne();
      for (const [item, digest] of [
        [NONE, hash('r')],
        [new Uint8Array(101), hash('r')],
        [utf8('r'), new Uint8Array(31)],
      ] as const) {
        await answers(t.store.outbox.complete(world.worldId, 1, token, item, digest), { answer: 'invalid' });
      }
      await answers(t.store.inbox.read(world.worldId, NONE, 10), []);
      same((await only(t, world))?.done, false);
      await answersWith(t.store.outbox.complete(world.worldId, 1, token, ...receipt('r')), { answer: 'ok' });
    },
  },
];
