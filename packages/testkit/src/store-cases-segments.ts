import { concatBytes, encodeFrame, sha256, utf8 } from '@worldline/canon';
import type { SegmentRow, Store, StoredBatch } from '@worldline/ports';
import {
  answers,
  answersWith,
  hash,
  type StoreCase,
  type StoreTest,
  same,
  TTL_MS,
  type WorldUnderTest,
} from './store-case.ts';

const HEADER = utf8('whatever stands before the frames');
const FOOTER = utf8('whatever stands after them');

async function read(store: Store, worldId: string, from = 0): Promise<readonly StoredBatch[]> {
  const page = await store.journal.read(worldId, from, 1_000_000);
  if (page.answer !== 'ok') throw new Error(`the journal is ${page.answer}`);
  return page.batches;
}

/**
 * A segment of the whole batches from one seq to another, stored and not indexed. Empty batches between two segments are
 * the last of the first one.
 */
async function segmentOf(t: StoreTest, { worldId }: WorldUnderTest, firstSeq: number, lastSeq: number) {
  const batches = (await read(t.store, worldId)).filter(
    (batch) =>
      batch.firstSeq >= firstSeq && batch.lastSeq >= firstSeq - (firstSeq === 0 ? 1 : 0) && batch.lastSeq <= lastSeq,
  );
  const bytes = concatBytes(HEADER, ...batches.map(encodeFrame), FOOTER);
  const put = await t.store.segment.put(bytes);
  same(put, { answer: 'ok', hash: sha256(bytes) });
  return { firstSeq, lastSeq, ref: sha256(bytes), framesAt: HEADER.length, bytes };
}

const row = ({ firstSeq, lastSeq, ref, framesAt }: SegmentRow): SegmentRow => ({ firstSeq, lastSeq, ref, framesAt });

/** Twelve entries in batches of one to three, empty ones among them, and baselines at 4 and 9. */
async function world(t: StoreTest): Promise<WorldUnderTest> {
  const made = await t.world();
  for (const entries of [2, 0, 1, 3, 0, 0, 2, 3]) {
    await made.commit({ entries, body: utf8(`entries ${entries} at ${made.head.height} ${made.head.chain.join('')}`) });
  }
  for (const height of [4, 9])
    await made.commit({ entries: 0, index: { baseline: { height, ref: hash(`s${height}`) } } });
  return made;
}

export const SEGMENT_CASES: readonly StoreCase[] = [
  {
    name: 'journal.md §9 readers do not notice that batches have moved into segments: the same pages from every seq',
    async run(t) {
      const made = await world(t);
      const { worldId, epoch } = made;
      const whole = await read(t.store, worldId);
      const pages = async (store: Store) => {
        const seen = [];
        for (let from = 0; from <= 12; from++)
          for (const limit of [1, 2, 3, 100]) seen.push(await store.journal.read(worldId, from, limit));
        return seen;
      };
      const before = await pages(t.store);
      for (const [first, last] of [
        [0, 2],
        [3, 3],
        [4, 8],
      ] as const) {
        await answers(t.store.segment.index(worldId, epoch, row(await segmentOf(t, made, first, last))), {
          answer: 'ok',
        });
      }
      await answers(t.store.snapshot.drop(worldId, epoch, 4), { answer: 'ok' });
      // Below 7 end an empty batch at 3, and the batches 3 and 4–6; below 8 two empty ones at 7, while 7–8 does not.
      for (const [height, batches] of [
        [1, 1],
        [3, 1],
        [7, 3],
        [8, 2],
      ] as const) {
        await answers(t.store.journal.dropBelow(worldId, epoch, height), { answer: 'ok', batches });
        same(await pages(t.store), before);
        same(await pages(await t.harness.another()), before);
      }
      t.store = await t.harness.reopen();
      same(await pages(t.store), before);
      same(await read(t.store, worldId), whole);
      await made.acquire('w2', 'w1');
      await made.commit({ entries: 2 });
      same((await read(t.store, worldId)).slice(0, whole.length), whole);
    },
  },
  {
    name: '§4.1 segment.index of whole batches is ok, repeated it changes nothing, also after they were dropped',
    async run(t) {
      const made = await world(t);
      const { worldId, epoch } = made;
      const segment = row(await segmentOf(t, made, 0, 6));
      for (let i = 0; i < 2; i++) await answers(t.store.segment.index(worldId, epoch, segment), { answer: 'ok' });
      await answersWith(t.store.journal.dropBelow(worldId, epoch, 3), { answer: 'ok' });
      await answers(t.store.segment.index(worldId, epoch, segment), { answer: 'ok' });
      await answers(t.store.segment.list(worldId), [segment]);
      await answers(t.store.segment.list('unknown'), []);
    },
  },
  {
    name: 'journal.md §9 segment.index re-reads: another span, other frames, another place or a gap is invalid',
    async run(t) {
      const made = await world(t);
      const { worldId, epoch } = made;
      const good = await segmentOf(t, made, 0, 6);
      const index = (more: Partial<SegmentRow>) => t.store.segment.index(worldId, epoch, { ...row(good), ...more });
      const changed = good.bytes.slice();
      changed[HEADER.length + 45]! ^= 1;
      await t.store.segment.put(changed);
      for (const wrong of [
        { lastSeq: 5 },
        { lastSeq: 8 },
        { firstSeq: 1 },
        { firstSeq: 3 },
        { framesAt: HEADER.length - 1 },
        { framesAt: 1_000_000 },
        { ref: sha256(changed) },
      ]) {
        await answers(index(wrong), { answer: 'invalid' });
      }
      const later = row(await segmentOf(t, made, 7, 8));
      await answers(t.store.segment.index(worldId, epoch, later), { answer: 'invalid' });
      await answers(index({}), { answer: 'ok' });
      await answers(index({ lastSeq: 3 }), { answer: 'invalid' });
      await answers(t.store.segment.index(worldId, epoch, later), { answer: 'ok' });
      await answers(t.store.segment.list(worldId), [row(good), later]);
    },
  },
  {
    name: '§4.1 segment.index of an object that is not stored, or damaged, is not_found',
    async run(t) {
      const made = await world(t);
      const { worldId, epoch } = made;
      const segment = row(await segmentOf(t, made, 0, 6));
      await answers(t.store.segment.index(worldId, epoch, { ...segment, ref: hash('nothing') }), {
        answer: 'not_found',
      });
      await t.harness.corruptObject(segment.ref);
      await answers(t.store.segment.index(worldId, epoch, segment), { answer: 'not_found' });
    },
  },
  {
    name: '§4.1 journal.dropBelow refuses at and above the oldest retained baseline, and drops nothing',
    async run(t) {
      const made = await world(t);
      const { worldId, epoch } = made;
      const before = await read(t.store, worldId);
      await answers(t.store.segment.index(worldId, epoch, row(await segmentOf(t, made, 0, 8))), { answer: 'ok' });
      for (const height of [4, 5, 9, 12])
        await answers(t.store.journal.dropBelow(worldId, epoch, height), { answer: 'refused', baseline: 4 });
      same(await read(t.store, worldId), before);
      await answersWith(t.store.journal.dropBelow(worldId, epoch, 3), { answer: 'ok' });
    },
  },
  {
    name: '§4.1 journal.dropBelow in a world without a baseline refuses everything',
    async run(t) {
      const { worldId, epoch } = await t.world();
      await answers(t.store.journal.dropBelow(worldId, epoch, 0), { answer: 'refused', baseline: 0 });
    },
  },
  {
    name: 'journal.md §9 journal.dropBelow drops only what indexed segments hold, all or nothing',
    async run(t) {
      const made = await world(t);
      const { worldId, epoch } = made;
      const before = await read(t.store, worldId);
      await answers(t.store.journal.dropBelow(worldId, epoch, 0), { answer: 'ok', batches: 0 });
      await answers(t.store.journal.dropBelow(worldId, epoch, 1), { answer: 'uncovered', coveredTo: 0 });
      await answers(t.store.segment.index(worldId, epoch, row(await segmentOf(t, made, 0, 0))), { answer: 'ok' });
      await answers(t.store.journal.dropBelow(worldId, epoch, 3), { answer: 'uncovered', coveredTo: 1 });
      same(await read(t.store, worldId), before);
      await answers(t.store.journal.dropBelow(worldId, epoch, 1), { answer: 'ok', batches: 1 });
      await answers(t.store.journal.dropBelow(worldId, epoch, 1), { answer: 'ok', batches: 0 });
    },
  },
  {
    name: 'a damaged segment is reported as corrupt where reading needs it, and nowhere else (F10)',
    async run(t) {
      const made = await world(t);
      const { worldId, epoch } = made;
      const segment = row(await segmentOf(t, made, 0, 6));
      await t.store.segment.index(worldId, epoch, segment);
      await t.harness.corruptObject(segment.ref);
      await answersWith(t.store.journal.read(worldId, 0, 100), { answer: 'ok' });
      await answersWith(t.store.journal.dropBelow(worldId, epoch, 3), { answer: 'ok' });
      await answersWith(t.store.journal.read(worldId, 0, 100), { answer: 'corrupt' });
      await answersWith(t.store.journal.read(worldId, 5, 100), { answer: 'ok' });
    },
  },
  {
    name: 'journal.follow goes from segments into rows and on',
    async run(t) {
      const made = await world(t);
      const { worldId, epoch } = made;
      const whole = await read(t.store, worldId);
      await t.store.segment.index(worldId, epoch, row(await segmentOf(t, made, 0, 6)));
      await t.store.journal.dropBelow(worldId, epoch, 3);
      const seen: StoredBatch[] = [];
      const end = new AbortController();
      for await (const page of t.store.journal.follow(worldId, 0, { signal: end.signal })) {
        if (page.answer !== 'ok') throw new Error(page.answer);
        seen.push(...page.batches);
        if (seen.length === whole.length) await made.commit({ entries: 1 });
        if (seen.length > whole.length) end.abort();
      }
      same(seen.slice(0, whole.length), whole);
      same(seen.length, whole.length + 1);
    },
  },
  {
    name: 'L2 segment.index, journal.dropBelow and snapshot.drop with a stale epoch or an expired lease are fenced',
    async run(t) {
      const made = await world(t);
      const { worldId, epoch } = made;
      const segment = row(await segmentOf(t, made, 0, 6));
      const before = [await read(t.store, worldId), await t.store.world.snapshots(worldId)];
      const fenced = async (as: number) => {
        const answer = { answer: 'fenced', epoch };
        await answers(t.store.segment.index(worldId, as, segment), answer);
        await answers(t.store.journal.dropBelow(worldId, as, 1), answer);
        await answers(t.store.snapshot.drop(worldId, as, 4), answer);
      };
      await fenced(epoch - 1);
      t.advanceSeconds(TTL_MS / 1000);
      await fenced(epoch);
      same([await read(t.store, worldId), await t.store.world.snapshots(worldId)], before);
      await answers(t.store.segment.list(worldId), []);
    },
  },
  {
    name: 'journal.md §6.3 snapshot.verified records the first time; another digest or height is not_found',
    async run(t) {
      const made = await world(t);
      const at = t.clock.wallNs();
      const verified = (height: number, ref: Uint8Array) => t.store.snapshot.verified(made.worldId, height, ref);
      await answers(verified(4, hash('another digest')), { answer: 'not_found' });
      await answers(verified(5, hash('s4')), { answer: 'not_found' });
      await answers(t.store.snapshot.verified('unknown', 4, hash('s4')), { answer: 'not_found' });
      await answers(verified(4, hash('s4')), { answer: 'ok' });
      t.clock.advance(5n);
      await answers(verified(4, hash('s4')), { answer: 'ok' });
      await answers(t.store.world.snapshots(made.worldId), [
        { height: 4, ref: hash('s4'), baseline: true, verifiedAtNs: at },
        { height: 9, ref: hash('s9'), baseline: true },
      ]);
    },
  },
  {
    name: 'a snapshot that is indexed again keeps what is known of it; another one at its height begins anew',
    async run(t) {
      const made = await world(t);
      await t.store.snapshot.verified(made.worldId, 4, hash('s4'));
      const [before] = await t.store.world.snapshots(made.worldId);
      await made.commit({ index: { snapshot: { height: 4, ref: hash('s4') } } });
      same((await t.store.world.snapshots(made.worldId))[0], before);
      await made.commit({ index: { snapshot: { height: 4, ref: hash('other') } } });
      same((await t.store.world.snapshots(made.worldId))[0], { height: 4, ref: hash('other'), baseline: true });
    },
  },
  {
    name: 'journal.md §9 snapshot.drop ends the retention of an old baseline, never of the active one',
    async run(t) {
      const made = await world(t);
      const { worldId, epoch } = made;
      await t.store.segment.index(worldId, epoch, row(await segmentOf(t, made, 0, 8)));
      await answers(t.store.snapshot.drop(worldId, epoch, 9), { answer: 'active' });
      await answers(t.store.journal.dropBelow(worldId, epoch, 8), { answer: 'refused', baseline: 4 });
      await answers(t.store.snapshot.drop(worldId, epoch, 4), { answer: 'ok' });
      await answers(t.store.snapshot.drop(worldId, epoch, 4), { answer: 'not_found' });
      await answersWith(t.store.journal.dropBelow(worldId, epoch, 8), { answer: 'ok' });
      await answersWith(t.store.world.get(worldId), { activeBaseline: { height: 9, ref: hash('s9') } });
    },
  },
  {
    name: 'journal.md §10 a world can be forked at a baseline whose batches lie in segments',
    async run(t) {
      const made = await world(t);
      const { worldId, epoch } = made;
      await t.store.cas.put(utf8('s4'));
      const before = await t.store.world.fork(worldId, 4, {
        worldId: 'a',
        policy: { effects: 'fail', timers: 'carry' },
      });
      same(before.answer, 'ok');
      await t.store.segment.index(worldId, epoch, row(await segmentOf(t, made, 0, 6)));
      await answersWith(t.store.journal.dropBelow(worldId, epoch, 3), { answer: 'ok' });
      await answersWith(
        t.store.world.fork(worldId, 4, { worldId: 'b', policy: { effects: 'fail', timers: 'carry' } }),
        { answer: 'ok' },
      );
    },
  },
];
