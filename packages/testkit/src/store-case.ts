import { deepStrictEqual, strictEqual } from 'node:assert';
import { concatBytes, sha256, toHex, utf8 } from '@worldline/canon';
import type {
  AcquireAnswer,
  Batch,
  CommitAnswer,
  CommitOptions,
  EmittedRow,
  Head,
  OutboxRow,
  Store,
  TimerRow,
} from '@worldline/ports';
import type { VirtualClock } from './virtual-clock.ts';

/** One store under test, with what a test must be able to do around it. */
export interface StoreHarness {
  readonly store: Store;
  /** The store's clock. */
  readonly clock: VirtualClock;
  /** Another handle on the same data, as a second process would have; a store in memory returns itself. */
  another(): Promise<Store>;
  /** Closes the store and opens its data again; a store in memory returns itself. */
  reopen(): Promise<Store>;
  /** Flips a bit of a stored object. */
  corruptObject(hash: Uint8Array): Promise<void>;
  /** Removes the non-empty batch that begins at `firstSeq`. */
  removeBatch(worldId: string, firstSeq: number): Promise<void>;
  /** Ends everything that was opened. */
  close(): Promise<void>;
}

export interface StoreHarnessOptions {
  readonly inboxMax?: number | undefined;
  readonly objectBytesMax?: number | undefined;
}

export type MakeStore = (options?: StoreHarnessOptions) => Promise<StoreHarness>;

/** One sentence about the contract, and how to see that it holds. */
export interface StoreCase {
  /** Rule it shows, as `§4.1 commit 2`, and the sentence. */
  readonly name: string;
  readonly options?: StoreHarnessOptions | undefined;
  run(t: StoreTest): Promise<void>;
}

export const TTL_MS = 15_000;
const SECOND_NS = 1_000_000_000n;

/** What a case works with. */
export class StoreTest {
  readonly harness: StoreHarness;
  store: Store;
  #worlds = 0;

  constructor(harness: StoreHarness) {
    this.harness = harness;
    this.store = harness.store;
  }

  get clock(): VirtualClock {
    return this.harness.clock;
  }

  advanceSeconds(seconds: number): void {
    this.clock.advance(BigInt(seconds) * SECOND_NS);
  }

  /** A world that was made otherwise, under a lease just acquired. */
  adopt(worldId: string, lease: AcquireAnswer): WorldUnderTest {
    if (lease.answer !== 'ok') throw new Error(`acquire: ${lease.answer}`);
    const world = new WorldUnderTest(this, worldId);
    world.epoch = lease.epoch;
    world.head = lease.head;
    return world;
  }

  /** A world with one genesis entry, held by worker `w1`. */
  async world(): Promise<WorldUnderTest> {
    const worldId = `world-${++this.#worlds}`;
    const world = new WorldUnderTest(this, worldId);
    const genesis = world.batch();
    await answers(this.store.world.create({ worldId, universeId: 'u', configHash: hash('config') }, [genesis]), {
      answer: 'ok',
    });
    await world.acquire('w1');
    return world;
  }
}

export type BatchFields = Partial<Omit<Batch, 'firstSeq' | 'lastSeq' | 'chain'>> & {
  readonly entries?: number | undefined;
};

/** A world, its lease and the head its next batch follows. */
export class WorldUnderTest {
  readonly worldId: string;
  readonly #t: StoreTest;
  worker = '';
  epoch = 0;
  head: Head = { height: 0, chain: new Uint8Array(32) };

  constructor(t: StoreTest, worldId: string) {
    this.#t = t;
    this.worldId = worldId;
  }

  async acquire(worker: string, dead?: string): Promise<void> {
    const answer = await this.#t.store.lease.acquire(this.worldId, worker, TTL_MS, dead);
    if (answer.answer !== 'ok') throw new Error(`acquire: ${answer.answer}`);
    this.worker = worker;
    this.epoch = answer.epoch;
    this.head = answer.head;
  }

  /** The next batch; `head` moves on as if it were committed. */
  batch(fields: BatchFields = {}): Batch {
    const batch = makeBatch(this.head, fields);
    this.head = { height: batch.lastSeq + 1, chain: batch.chain };
    return batch;
  }

  /** Commits batches that `batch` made, in one group after `before`. */
  send(before: Head, batches: readonly Batch[], options?: CommitOptions): Promise<CommitAnswer> {
    return this.#t.store.commit(this.worldId, this.epoch, before, batches, options);
  }

  /** Commits one batch and expects success. */
  async commit(fields: BatchFields = {}, options?: CommitOptions): Promise<Batch> {
    const before = this.head;
    const batch = this.batch(fields);
    await answers(this.send(before, [batch], options), { answer: 'ok', height: batch.lastSeq + 1, chain: batch.chain });
    return batch;
  }

  /** A commit that must not succeed; `head` stays. */
  async refused(fields: BatchFields, expected: object, options?: CommitOptions): Promise<void> {
    await answers(this.send(this.head, [makeBatch(this.head, fields)], options), expected);
  }

  async enqueue(text: string, dedupeKey?: string): Promise<Uint8Array> {
    const answer = await this.#t.store.inbox.enqueue(this.worldId, utf8(text), hash(text), dedupeKey);
    if (answer.answer !== 'ok') throw new Error(`enqueue: ${answer.answer}`);
    return answer.seq;
  }

  claim(
    limit = 10,
    options: { readonly kinds?: readonly string[]; readonly visibilityMs?: number } = {},
  ): Promise<readonly OutboxRow[]> {
    return this.#t.store.outbox.claim(this.worldId, options.kinds, 'x1', limit, options.visibilityMs ?? 10_000);
  }

  /** Claims exactly one row. */
  async claimOne(visibilityMs?: number): Promise<OutboxRow> {
    const [row, ...others] = await this.claim(10, visibilityMs === undefined ? {} : { visibilityMs });
    strictEqual(others.length, 0, 'one claimable row');
    if (row === undefined) throw new Error('no claimable row');
    return row;
  }
}

export function hash(text: string): Uint8Array {
  return sha256(utf8(text));
}

export function emitted(emissionSeq: number, kind = 'http.request'): EmittedRow {
  return { emissionSeq, intentHash: hash(`intent ${emissionSeq}`), kind, request: utf8(`request ${emissionSeq}`) };
}

export function timer(emissionSeq: number, dueWallNs: bigint, intent = `timer ${emissionSeq}`): TimerRow {
  return { emissionSeq, intentHash: hash(intent), dueWallNs };
}

/** A batch with an opaque body; the chain is that of `journal.md` §2. */
export function makeBatch(before: Head, { entries = 1, ...fields }: BatchFields = {}): Batch {
  const body = fields.body ?? utf8(`batch at ${before.height} of ${entries}`);
  return {
    emitted: [],
    timers: [],
    settled: [],
    released: [],
    internalPending: false,
    ...fields,
    body,
    chain: sha256(concatBytes(before.chain, body)),
    firstSeq: before.height,
    lastSeq: before.height + entries - 1,
  };
}

/** Values as they compare: bytes as hex, instants as text, absent and undefined members alike. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `h'${toHex(value)}'`;
  if (typeof value === 'bigint') return `${value}n`;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, plain(member)]));
}

export function same(actual: unknown, expected: unknown, message?: string): void {
  deepStrictEqual(plain(actual), plain(expected), message);
}

/** The promised value is `expected`. */
export async function answers(actual: Promise<unknown>, expected: unknown): Promise<void> {
  same(await actual, expected);
}

/** The promised value has at least the members of `expected`. */
export async function answersWith(actual: Promise<unknown>, expected: object): Promise<void> {
  const value = await actual;
  const members = Object.keys(expected).map((name) => [name, (value as Record<string, unknown> | undefined)?.[name]]);
  same(Object.fromEntries(members), expected);
}
