import { utf8 } from '@worldline/canon';
import type { FollowAnswer, FollowOptions, Store, StoredBatch } from '@worldline/ports';
import { answersWith, makeBatch, type StoreCase, same } from './store-case.ts';

const stored = ({ firstSeq, lastSeq, chain, body }: StoredBatch): StoredBatch => ({ firstSeq, lastSeq, chain, body });

/** Follows in the background and keeps what it is given. */
class Follower {
  readonly batches: StoredBatch[] = [];
  readonly answers: string[] = [];
  readonly ended: Promise<void>;
  readonly #abort = new AbortController();
  #changed: () => void = () => undefined;

  constructor(store: Store, worldId: string, fromSeq: number, options: FollowOptions = {}) {
    this.ended = this.#run(store.journal.follow(worldId, fromSeq, { signal: this.#abort.signal, ...options }));
  }

  async #run(answers: AsyncIterable<FollowAnswer>): Promise<void> {
    for await (const answer of answers) {
      this.answers.push(answer.answer);
      if (answer.answer === 'ok') this.batches.push(...answer.batches);
      this.#changed();
    }
  }

  /** Waits until so many batches were given. */
  async until(count: number): Promise<readonly StoredBatch[]> {
    while (this.batches.length < count) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
    return this.batches;
  }

  async end(): Promise<void> {
    this.#abort.abort();
    await this.ended;
  }
}

export const JOURNAL_CASES: readonly StoreCase[] = [
  {
    name: 'journal.md §8 journal.follow gives what is there, then what is committed later, in order and once',
    async run(t) {
      const world = await t.world();
      const first = await world.commit({ entries: 2 });
      const follower = new Follower(t.store, world.worldId, 1);
      same(await follower.until(1), [stored(first)]);
      const later = [];
      for (let i = 1; i <= 5; i++) later.push(await world.commit({ entries: i }));
      same(await follower.until(6), [first, ...later].map(stored));
      await follower.end();
    },
  },
  {
    name: 'journal.md §8 journal.follow gives whole batches: the one that holds the seq it begins with comes whole',
    async run(t) {
      const world = await t.world();
      const batch = await world.commit({ entries: 5 });
      const follower = new Follower(t.store, world.worldId, 3);
      same(await follower.until(1), [stored(batch)]);
      await follower.end();
    },
  },
  {
    name: 'journal.follow gives each empty batch once, however often it looks again',
    async run(t) {
      const world = await t.world();
      const follower = new Follower(t.store, world.worldId, 0, { pollMs: 1 });
      await follower.until(1);
      const empties = [];
      for (let i = 0; i < 3; i++) {
        empties.push(await world.commit({ entries: 0, body: utf8(`skip ${i}`) }));
        await follower.until(2 + i);
      }
      const next = await world.commit({ entries: 1 });
      const more = await world.commit({ entries: 0, body: utf8('skip 3') });
      same((await follower.until(6)).slice(1), [...empties, next, more].map(stored));
      await follower.end();
      same(follower.batches.length, 6);
    },
  },
  {
    name: 'journal.follow finds what another handle commits, without any hint (F14)',
    async run(t) {
      const world = await t.world();
      const other = await t.harness.another();
      const follower = new Follower(other, world.worldId, 1, { pollMs: 1 });
      const batch = await world.commit({ entries: 2 });
      same(await follower.until(1), [stored(batch)]);
      await follower.end();
    },
  },
  {
    name: 'journal.follow waits for a world and a seq that do not exist yet',
    async run(t) {
      const follower = new Follower(t.store, 'world-1', 2, { pollMs: 1 });
      const world = await t.world();
      await world.commit();
      const batch = await world.commit();
      same(await follower.until(1), [stored(batch)]);
      await follower.end();
    },
  },
  {
    name: 'journal.follow ends at once when its signal has fired before, and while it waits',
    async run(t) {
      const world = await t.world();
      const early = new AbortController();
      early.abort();
      for await (const _ of t.store.journal.follow(world.worldId, 0, { signal: early.signal }))
        throw new Error('nothing is given after the end');
      const follower = new Follower(t.store, world.worldId, 1, { pollMs: 3_600_000 });
      await world.commit();
      await follower.until(1);
      await follower.end();
    },
  },
  {
    name: 'journal.follow reports a hole and gives nothing after it',
    async run(t) {
      const world = await t.world();
      await world.commit({ entries: 2 });
      await world.commit({ entries: 2 });
      await t.harness.removeBatch(world.worldId, 1);
      const follower = new Follower(t.store, world.worldId, 0);
      await follower.ended;
      same(follower.answers.at(-1), 'corrupt');
      same(
        follower.batches.every((batch) => batch.firstSeq === 0),
        true,
      );
    },
  },
  {
    name: 'a page of the journal never ends behind an empty batch: the next page would bring it again',
    async run(t) {
      const world = await t.world();
      // Bodies that fill a page exactly with the empty batch, whatever a store takes for the size of one.
      const sizes = [4 * 1024 * 1024 - 1, 4 * 1024 * 1024, 1024 * 1024 - 1];
      const made: StoredBatch[] = [];
      for (const size of sizes) {
        made.push(await world.commit({ entries: 2, body: new Uint8Array(size).fill(size % 251) }));
        made.push(await world.commit({ entries: 0, body: utf8(`skip after ${size}`) }));
        made.push(await world.commit({ entries: 0, body: utf8(`skip again after ${size}`) }));
      }
      for (const limit of [1, 2, 3, 1000]) {
        const read: StoredBatch[] = [];
        let next: number | undefined = 1;
        while (next !== undefined) {
          const page = await t.store.journal.read(world.worldId, next, limit);
          same(page.answer, 'ok');
          if (page.answer !== 'ok') return;
          read.push(...page.batches);
          next = page.next;
        }
        same(
          read.map((batch) => batch.chain),
          made.map((batch) => batch.chain),
        );
      }
    },
  },
  {
    name: '§4.1 journal.read from the head gives nothing, and from beyond it nothing either',
    async run(t) {
      const world = await t.world();
      await answersWith(t.store.journal.read(world.worldId, 1, 10), { answer: 'ok', batches: [], next: undefined });
      await answersWith(t.store.journal.read(world.worldId, 99, 10), { answer: 'ok', batches: [], next: undefined });
    },
  },
  {
    name: '§4.1 journal.read of an unknown world gives nothing',
    async run({ store }) {
      await answersWith(store.journal.read('unknown', 0, 10), { answer: 'ok', batches: [] });
    },
  },
  {
    name: 'I2 batches never change: what was read once reads the same after everything that follows',
    async run(t) {
      const world = await t.world();
      await world.commit({ entries: 3 });
      const before = await t.store.journal.read(world.worldId, 0, 100);
      const seq = await world.enqueue('a');
      await world.commit({ entries: 2, inboxCursor: seq });
      await t.store.commit(world.worldId, world.epoch, { height: 0, chain: new Uint8Array(32) }, [
        makeBatch({ height: 0, chain: new Uint8Array(32) }, { body: utf8('another past') }),
      ]);
      await world.acquire('w2', 'w1');
      await world.commit();
      const after = await t.store.journal.read(world.worldId, 0, 100);
      same(before.answer === 'ok' && after.answer === 'ok', true);
      if (before.answer === 'ok' && after.answer === 'ok') same(after.batches.slice(0, 2), before.batches);
    },
  },
];
