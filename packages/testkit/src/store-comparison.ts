import { toHex, utf8 } from '@worldline/canon';
import type { OutboxRow, Store } from '@worldline/ports';
import fc from 'fast-check';
import { type BatchFields, emitted, hash, makeBatch, plain, timer } from './store-case.ts';
import type { VirtualClock } from './virtual-clock.ts';

/**
 * Two stores given the same calls give the same answers and hold the same state.
 *
 * A script is a list of operations drawn by fast-check. What an operation refers to (heads, tokens, seqs) is taken from
 * what the store under test answered before, so that one script means the same on every store; tokens, which each store
 * draws for itself, are compared by the order of their first appearance.
 */
export type StoreStep =
  | { readonly op: 'advance'; readonly ms: number }
  | { readonly op: 'acquire'; readonly worker: string; readonly dead?: string | undefined }
  | { readonly op: 'renew' | 'release'; readonly worker: string; readonly stale: boolean }
  | { readonly op: 'status'; readonly from: 'active' | 'paused'; readonly to: 'active' | 'paused' | 'archived' }
  | {
      readonly op: 'commit';
      readonly batches: readonly BatchStep[];
      readonly wrong?: 'epoch' | 'height' | 'chain' | undefined;
      readonly claimed: boolean;
    }
  | { readonly op: 'enqueue'; readonly text: string; readonly key?: string | undefined }
  | { readonly op: 'trim'; readonly ms: number }
  | {
      readonly op: 'claim';
      readonly kinds?: readonly string[] | undefined;
      readonly limit: number;
      readonly ms: number;
    }
  | { readonly op: 'start' | 'extend' | 'retry' | 'complete'; readonly pick: number; readonly ms: number }
  | {
      readonly op: 'reconcile';
      readonly outbox: readonly number[];
      readonly timers: readonly number[];
      readonly stale: boolean;
    }
  | { readonly op: 'fire' | 'rearm'; readonly seq: number; readonly ms: number }
  | {
      readonly op: 'checkpoint';
      /** Batches in the group that is signed. */
      readonly batches: number;
      readonly wrong?: 'before' | 'seq' | 'bytes' | undefined;
      readonly stale: boolean;
    }
  | { readonly op: 'place'; readonly worker?: string | undefined }
  | { readonly op: 'keys'; readonly from?: string | undefined; readonly to: string; readonly stale: boolean }
  | { readonly op: 'maintain'; readonly ms?: number | undefined; readonly stale: boolean }
  | { readonly op: 'fork'; readonly height: number; readonly n: number }
  | { readonly op: 'verified' | 'forget'; readonly height: number; readonly stale: boolean }
  | { readonly op: 'delete'; readonly text: string; readonly ms: number }
  | { readonly op: 'put'; readonly text: string; readonly wrong: boolean };

export interface BatchStep {
  readonly entries: number;
  readonly emit: boolean;
  readonly timer: boolean;
  /** Emissions by their number of creation, modulo how many there are. */
  readonly settle: readonly number[];
  readonly release?: { readonly pick: number; readonly by: 'key' | 'token' } | undefined;
  /** Consumes the first unread item. */
  readonly consume: boolean;
  readonly index?: 'snapshot' | 'baseline' | 'config' | undefined;
}

const KINDS = ['a', 'b'];
/** Runs out in some scripts. */
const SCRIPT_TTL_MS = 120_000;
const ms = fc.constantFrom(0, 1, 1_000, 5_000, 60_000);

const batchStep: fc.Arbitrary<BatchStep> = fc.record({
  entries: fc.nat(3),
  emit: fc.boolean(),
  timer: fc.boolean(),
  settle: fc.array(fc.nat(20), { maxLength: 2 }),
  release: fc.option(fc.record({ pick: fc.nat(10), by: fc.constantFrom('key', 'token') }), { nil: undefined }),
  consume: fc.boolean(),
  index: fc.option(fc.constantFrom('snapshot', 'baseline', 'config'), { nil: undefined }),
});

const worker = fc.constantFrom('w1', 'w2');

/** Scripts that mostly succeed, with every way of failing among them. */
export function storeScript(): fc.Arbitrary<readonly StoreStep[]> {
  const step: fc.Arbitrary<StoreStep> = fc.oneof(
    { weight: 2, arbitrary: fc.record({ op: fc.constant('advance'), ms }) },
    {
      weight: 2,
      arbitrary: fc.record({ op: fc.constant('acquire'), worker, dead: fc.option(worker, { nil: undefined }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ op: fc.constantFrom('renew', 'renew', 'release'), worker, stale: fc.boolean() }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constant('status'),
        from: fc.constantFrom('active', 'paused'),
        to: fc.constantFrom(...Array(9).fill('active' as const), 'paused', 'paused', 'archived'),
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        op: fc.constant('commit'),
        batches: fc.array(batchStep, { maxLength: 4 }),
        wrong: fc.constantFrom(undefined, undefined, undefined, undefined, undefined, 'epoch', 'height', 'chain'),
        claimed: fc.boolean(),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        op: fc.constant('enqueue'),
        text: fc.constantFrom('x', 'y', 'z'),
        key: fc.option(fc.constantFrom('k1', 'k2', 'r:1:1', 't:2:1'), { nil: undefined }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('trim'), ms }) },
    {
      weight: 4,
      arbitrary: fc.record({
        op: fc.constant('claim'),
        kinds: fc.option(fc.subarray(KINDS), { nil: undefined }),
        limit: fc.nat(3),
        ms,
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({ op: fc.constantFrom('start', 'extend', 'retry', 'complete'), pick: fc.nat(10), ms }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constant('reconcile'),
        outbox: fc.uniqueArray(fc.nat(12), { maxLength: 4 }),
        timers: fc.uniqueArray(fc.nat(12), { maxLength: 4 }),
        stale: fc.constantFrom(false, false, true),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        op: fc.constantFrom('fire', 'rearm'),
        seq: fc.oneof(fc.nat(12), fc.integer({ min: 100, max: 110 })),
        ms,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        op: fc.constant('checkpoint'),
        batches: fc.nat(3),
        wrong: fc.constantFrom(undefined, undefined, undefined, undefined, 'before', 'seq', 'bytes'),
        stale: fc.constantFrom(false, false, false, true),
      }),
    },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('place'), worker: fc.option(worker, { nil: undefined }) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constant('keys'),
        from: fc.constantFrom(undefined, 'a', 'b'),
        to: fc.constantFrom('a', 'b'),
        stale: fc.constantFrom(false, false, true),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constant('maintain'),
        ms: fc.option(ms, { nil: undefined }),
        stale: fc.constantFrom(false, false, true),
      }),
    },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('fork'), height: fc.nat(9), n: fc.nat(1) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constantFrom('verified', 'forget'),
        height: fc.nat(9),
        stale: fc.constantFrom(false, false, true),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ op: fc.constant('delete'), text: fc.constantFrom('o', 'p', 'q'), ms }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ op: fc.constant('put'), text: fc.constantFrom('o', 'p'), wrong: fc.boolean() }),
    },
  );
  return fc.array(step, { minLength: 1, maxLength: 40, size: 'max' });
}

/**
 * Runs a script in a fresh world of `store`.
 *
 * @param clock - the store's own; two stores that are compared need clocks that show the same at the start.
 * @returns every answer and the state at the end, in a form that can be compared.
 */
export async function runStoreScript(
  store: Store,
  clock: VirtualClock,
  worldId: string,
  script: readonly StoreStep[],
): Promise<readonly unknown[]> {
  const run = new ScriptRun(store, clock, worldId);
  const seen: unknown[] = [await run.begin()];
  for (const step of script) seen.push([step.op, run.comparable(await run.step(step))]);
  seen.push(run.comparable(await run.state()));
  return seen;
}

class ScriptRun {
  readonly #store: Store;
  readonly #clock: VirtualClock;
  readonly #worldId: string;
  readonly #rows: OutboxRow[] = [];
  readonly #tokens = new Map<string, string>();
  #epoch = 0;
  #emissions = 0;

  constructor(store: Store, clock: VirtualClock, worldId: string) {
    this.#store = store;
    this.#clock = clock;
    this.#worldId = worldId;
  }

  async begin(): Promise<unknown> {
    await this.#store.world.create({ worldId: this.#worldId, universeId: 'u', configHash: hash('c') }, []);
    return this.comparable(await this.step({ op: 'acquire', worker: 'w1' }));
  }

  /** Tokens by the order of their first appearance. */
  comparable(value: unknown): unknown {
    let text = JSON.stringify(plain(value) ?? null);
    for (const [token, name] of this.#tokens) text = text.replaceAll(token, name);
    return JSON.parse(text);
  }

  async step(step: StoreStep): Promise<unknown> {
    const store = this.#store;
    const worldId = this.#worldId;
    switch (step.op) {
      case 'advance':
        return this.#clock.advanceMs(step.ms);
      case 'acquire': {
        const answer = await store.lease.acquire(worldId, step.worker, SCRIPT_TTL_MS, step.dead);
        if (answer.answer === 'ok') this.#epoch = answer.epoch;
        return answer;
      }
      case 'renew':
        return store.lease.renew(worldId, step.worker, this.#epochOf(step), SCRIPT_TTL_MS);
      case 'release':
        return store.lease.release(worldId, step.worker, this.#epochOf(step));
      case 'status':
        return store.world.setStatus(worldId, step.from, step.to);
      case 'commit':
        return this.#commit(step);
      case 'enqueue':
        return store.inbox.enqueue(worldId, utf8(step.text), hash(step.text), step.key);
      case 'trim':
        return store.inbox.trim(worldId, { graceMs: step.ms, dedupeTtlMs: step.ms * 2 });
      case 'claim': {
        const rows = await store.outbox.claim(worldId, step.kinds, 'x', step.limit, step.ms);
        for (const row of rows) this.#remember(row);
        return rows;
      }
      case 'start':
      case 'extend':
      case 'retry':
      case 'complete':
        return this.#onRow(step);
      case 'reconcile':
        return store.outbox.reconcile(
          worldId,
          this.#epochOf(step),
          step.outbox.map((seq) => emitted(seq, KINDS[seq % 2])),
          step.timers.map((seq) => timer(seq, this.#clock.wallNs() + BigInt(seq) * 1_000_000_000n)),
        );
      case 'fire':
        return store.timers.fire(worldId, step.seq);
      case 'rearm':
        return store.timers.rearm(worldId, this.#epoch, step.seq, this.#clock.wallNs() + BigInt(step.ms) * 1_000_000n);
      case 'checkpoint':
        return this.#checkpoint(step);
      case 'place':
        return store.place.set(worldId, step.worker);
      case 'keys':
        return store.world.setKeys(
          worldId,
          this.#epochOf(step),
          step.from === undefined ? undefined : utf8(step.from),
          utf8(step.to),
        );
      case 'maintain':
        return store.wake.maintain(
          worldId,
          this.#epochOf(step),
          step.ms === undefined ? undefined : this.#clock.wallNs() + BigInt(step.ms) * 1_000_000n,
        );
      case 'fork': {
        const fork = `${worldId} fork ${step.n}`;
        const answer = await store.world.fork(worldId, step.height, {
          worldId: fork,
          policy: { effects: 'fail', timers: 'carry' },
        });
        return [answer, await store.world.get(fork), await store.world.snapshots(fork)];
      }
      case 'verified':
      case 'forget': {
        const at = (await store.world.snapshots(worldId)).find(({ height }) => height === step.height);
        return step.op === 'forget'
          ? store.snapshot.drop(worldId, this.#epochOf(step), step.height)
          : store.snapshot.verified(worldId, step.height, step.stale || at === undefined ? hash('other') : at.ref);
      }
      case 'delete':
        return store.cas.delete(hash(step.text), step.ms);
      case 'put':
        return store.cas.put(utf8(step.text), step.wrong ? hash('other') : undefined);
      default:
        return step satisfies never;
    }
  }

  /** All that can be read. */
  async state(): Promise<unknown> {
    const store = this.#store;
    const worldId = this.#worldId;
    const items = await store.inbox.read(worldId, new Uint8Array(0), 1_000);
    return {
      row: await store.world.get(worldId),
      head: await store.journal.head(worldId),
      journal: await store.journal.read(worldId, 0, 10_000),
      tail: await store.journal.read(worldId, 7, 2),
      items,
      applied: await Promise.all(items.map((item) => store.inbox.applied(worldId, item.seq))),
      outbox: await store.outbox.list(worldId),
      timers: await store.timers.due(worldId, 1_000),
      snapshots: await store.world.snapshots(worldId),
      places: (await store.place.list()).filter((row) => row.worldId === worldId),
      woken: await Promise.all(
        ['w1', 'w2'].map(async (worker) => (await store.wake.poll(worker)).filter((row) => row.worldId === worldId)),
      ),
      checkpoints: await store.checkpoint.read(worldId, 0, 1_000),
      lastCheckpoint: await store.checkpoint.last(worldId),
    };
  }

  #epochOf({ stale }: { readonly stale: boolean }): number {
    return stale ? this.#epoch - 1 : this.#epoch;
  }

  #remember(row: OutboxRow): void {
    this.#rows.push(row);
    this.#name(row.token);
  }

  #name(token: Uint8Array): void {
    const hex = `h'${toHex(token)}'`;
    if (!this.#tokens.has(hex)) this.#tokens.set(hex, `token ${this.#tokens.size}`);
  }

  /** A row that was claimed once, or one that never was. */
  #row(pick: number): { readonly emissionSeq: number; readonly token: Uint8Array; readonly attempt: number } {
    return (
      this.#rows.at(-1 - (pick % (this.#rows.length + 1))) ?? { emissionSeq: pick, token: utf8('nobody'), attempt: 1 }
    );
  }

  async #onRow({ op, pick, ms: delayMs }: Extract<StoreStep, { pick: number }>): Promise<unknown> {
    const { outbox } = this.#store;
    const { emissionSeq, token, attempt } = this.#row(pick);
    switch (op) {
      case 'start':
        return outbox.start(this.#worldId, emissionSeq, token);
      case 'extend':
        return outbox.extend(this.#worldId, emissionSeq, token, delayMs);
      case 'retry':
        return outbox.retry(this.#worldId, emissionSeq, token, delayMs, 'e');
      case 'complete':
        return outbox.complete(this.#worldId, emissionSeq, token, utf8(`r ${attempt}`), hash(`r ${delayMs}`));
      default:
        return op satisfies never;
    }
  }

  /** Signs the next `batches` batches that have no checkpoint yet, or with 0 sends the last checkpoint again. */
  async #checkpoint({ batches, wrong, stale }: Extract<StoreStep, { op: 'checkpoint' }>): Promise<unknown> {
    const { checkpoint, journal } = this.#store;
    const last = await checkpoint.last(this.#worldId);
    const read = await journal.read(this.#worldId, 0, 10_000);
    if (read.answer !== 'ok') throw new Error(`the journal of the script is ${read.answer}`);
    const signed = last === undefined ? 0 : read.batches.findIndex((b) => toHex(b.chain) === toHex(last.chain)) + 1;
    const end = read.batches[Math.min(signed + batches, read.batches.length) - 1];
    const chainBefore = (batches === 0 ? last?.chainBefore : last?.chain) ?? new Uint8Array(32);
    const chain = end?.chain ?? new Uint8Array(32);
    const given = {
      chainBefore: wrong === 'before' ? hash('elsewhere') : chainBefore,
      chain,
      nextSeq: (end === undefined ? 0 : end.lastSeq + 1) + (wrong === 'seq' ? 3 : 0),
      bytes: utf8(`checkpoint ${toHex(chain)} ${wrong === 'bytes' ? 'x' : ''}`),
    };
    return checkpoint.append(this.#worldId, this.#epochOf({ stale }), given);
  }

  async #commit({ batches, wrong, claimed }: Extract<StoreStep, { op: 'commit' }>): Promise<unknown> {
    const actual = await this.#store.journal.head(this.#worldId);
    if (actual === undefined) throw new Error('the world of the script is gone');
    let cursor = (await this.#store.world.get(this.#worldId))?.inboxCursor ?? new Uint8Array(0);
    const expected = {
      height: wrong === 'height' ? actual.height + 1 : actual.height,
      chain: wrong === 'chain' ? hash('wrong') : actual.chain,
    };
    const token = utf8(`commit token ${this.#emissions}`);
    let head = expected;
    const group = [];
    const claims: OutboxRow[] = [];
    let made = this.#emissions;
    for (const step of batches) {
      const [item] = step.consume ? await this.#store.inbox.read(this.#worldId, cursor, 1) : [];
      if (item !== undefined) cursor = item.seq;
      // Rows made by reconcile have seqs up to 12; those of batches lie above, so that none is made twice.
      const emit = step.emit ? [emitted(100 + ++made, KINDS[made % 2])] : [];
      const timers = step.timer ? [timer(100 + ++made, this.#clock.wallNs() + BigInt(made % 5) * 1_000_000_000n)] : [];
      for (const row of claimed ? emit : [])
        claims.push({ ...row, worldId: this.#worldId, token, attempt: 1, started: false });
      const { release } = step;
      const row = release && this.#row(release.pick);
      const fields: BatchFields = {
        entries: step.entries,
        body: utf8(`${this.#worldId} ${head.height} ${made}`),
        emitted: emit,
        timers,
        settled: step.settle.map((n) => (n <= 12 ? n : 100 + n)),
        released: row
          ? [
              release.by === 'key'
                ? { emissionSeq: row.emissionSeq, dedupeKey: `r:${row.emissionSeq}:${row.attempt}` }
                : { emissionSeq: row.emissionSeq, token: row.token },
            ]
          : [],
        inboxCursor: item?.seq,
        internalPending: step.entries === 2,
        index: step.index && indexOf(step.index, head.height),
      };
      const batch = makeBatch(head, fields);
      head = { height: batch.lastSeq + 1, chain: batch.chain };
      group.push(batch);
    }
    const object = utf8(`object ${made}`);
    const answer = await this.#store.commit(
      this.#worldId,
      wrong === 'epoch' ? this.#epoch - 1 : this.#epoch,
      expected,
      group,
      {
        objects: [
          { hash: hash(`object ${made}`), bytes: object },
          // Some of the snapshots have their object, so that they can be forked.
          ...(made % 2 === 0 ? group.map((batch) => snapshotObject(batch.firstSeq)) : []),
        ],
        claim: claimed ? { executor: 'x', token } : undefined,
      },
    );
    if (answer.answer === 'ok') {
      this.#emissions = made;
      for (const row of claims) this.#remember(row);
    }
    return [answer, await this.#store.cas.has(hash(`object ${made}`))];
  }
}

function indexOf(kind: 'snapshot' | 'baseline' | 'config', height: number): NonNullable<BatchFields['index']> {
  // Heights that sometimes go back.
  const place = { height: (height * 7) % 10, ref: snapshotObject(height).hash };
  if (kind === 'config') return { configHash: hash(`config ${height}`) };
  return kind === 'snapshot' ? { snapshot: place } : { snapshot: place, baseline: place };
}

function snapshotObject(height: number): { readonly hash: Uint8Array; readonly bytes: Uint8Array } {
  return { hash: hash(`snapshot ${height}`), bytes: utf8(`snapshot ${height}`) };
}
