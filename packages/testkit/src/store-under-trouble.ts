import { deepStrictEqual } from 'node:assert';
import {
  bytesEqual,
  compareBytes,
  compareUtf8,
  concatBytes,
  FailureError,
  sha256,
  toHex,
  utf8,
} from '@worldline/canon';
import type { Batch, CommitAnswer, Head, OutboxRow, Store, WorldRow } from '@worldline/ports';
import fc from 'fast-check';
import { type BatchFields, emitted, hash, makeBatch, plain, timer } from './store-case.ts';
import type { VirtualClock } from './virtual-clock.ts';

/**
 * A law of the contract: a client that keeps to `hosting.md` §4.3 ends, whatever happens to its calls, where it ends on a
 * quiet store. It repeats what failed with the same arguments, and reads the head after an `unknown`.
 *
 * Compared is what the contract says of a world, without what trouble may rightly change: epochs, attempts, tokens,
 * instants, the count of hints. On the way nothing may move back (I11) and nothing that was read may change (I2).
 */
export type TroubleStep =
  /** Items of clients and deliveries, several at once. */
  | { readonly op: 'submit'; readonly keys: readonly number[]; readonly isDelivery: boolean }
  /** A group of batches. */
  | { readonly op: 'commit'; readonly batches: readonly TroubleBatch[] }
  /** Claims what is open, marks it started, completes or gives back. */
  | { readonly op: 'work'; readonly gives: readonly ('complete' | 'retry')[] }
  | { readonly op: 'fire' }
  | { readonly op: 'takeover'; readonly worker: string }
  | { readonly op: 'reconcile' }
  | { readonly op: 'put'; readonly n: number }
  | { readonly op: 'sign' }
  | { readonly op: 'trim' }
  | { readonly op: 'place' };

export interface TroubleBatch {
  readonly entries: number;
  readonly emit: number;
  readonly timers: number;
  /** Settles the oldest open emission, when there is one. */
  readonly settle: boolean;
  readonly consume: boolean;
  readonly index?: 'snapshot' | 'baseline' | undefined;
}

const batch: fc.Arbitrary<TroubleBatch> = fc.record({
  entries: fc.nat(3),
  emit: fc.nat(2),
  timers: fc.nat(1),
  settle: fc.boolean(),
  consume: fc.boolean(),
  index: fc.option(fc.constantFrom('snapshot', 'baseline'), { nil: undefined }),
});

/** What a world goes through, whatever trouble it meets. */
export function troubleScript(): fc.Arbitrary<readonly TroubleStep[]> {
  const step: fc.Arbitrary<TroubleStep> = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        op: fc.constant('submit'),
        keys: fc.array(fc.nat(9), { minLength: 1, maxLength: 4 }),
        isDelivery: fc.boolean(),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({ op: fc.constant('commit'), batches: fc.array(batch, { minLength: 1, maxLength: 3 }) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        op: fc.constant('work'),
        gives: fc.array(fc.constantFrom('complete', 'complete', 'retry'), { minLength: 1, maxLength: 5 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('fire') }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('takeover'), worker: fc.constantFrom('w1', 'w2') }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('reconcile') }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('put'), n: fc.nat(2) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('sign') }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('trim') }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('place') }) },
  );
  return fc.array(step, { minLength: 1, maxLength: 30, size: 'max' });
}

export interface TroubleRun {
  /** Possibly in trouble. */
  readonly store: Store;
  /** The same data without trouble, for looking. */
  readonly quiet: Store;
  readonly clock: VirtualClock;
  readonly worldId: string;
}

/** @returns what the world is at the end, as it compares. @throws when an invariant is broken on the way. */
export async function runUnderTrouble(run: TroubleRun, script: readonly TroubleStep[]): Promise<unknown> {
  const client = new Client(run);
  const watch = new Watch(run);
  await client.begin();
  for (const step of script) {
    await client.step(step);
    await watch.look();
  }
  return client.end();
}

/** Longer than all clocks of a script move. */
const TTL_MS = 3_600_000;
const VISIBLE_MS = 1;

class Client {
  readonly #run: TroubleRun;
  readonly #store: Store;
  readonly #worldId: string;
  #worker = 'w1';
  #epoch = 0;
  #made = 0;
  /** Emissions that no batch has settled, oldest first. */
  readonly #open = new Map<number, 'outbox' | 'timer'>();
  #cursor: Uint8Array = new Uint8Array(0);
  #signed: Head = { height: 0, chain: new Uint8Array(32) };

  constructor(run: TroubleRun) {
    this.#run = run;
    this.#store = run.store;
    this.#worldId = run.worldId;
  }

  /** The same call until it has an answer. */
  async #definite<T extends { readonly answer: string }>(
    call: () => Promise<T>,
  ): Promise<Exclude<T, { readonly answer: 'unavailable' }>> {
    for (;;) {
      const answer = await call();
      if (answer.answer !== 'unavailable') return answer as Exclude<T, { readonly answer: 'unavailable' }>;
    }
  }

  async #read<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!(error instanceof FailureError) || error.failure.code !== 'store.unavailable') throw error;
      }
    }
  }

  async begin(): Promise<void> {
    const spec = { worldId: this.#worldId, universeId: 'u', configHash: hash('c') };
    const genesis = makeBatch({ height: 0, chain: new Uint8Array(32) }, { body: utf8(`${this.#worldId} genesis`) });
    const created = await this.#definite(() => this.#store.world.create(spec, [genesis]));
    expect(created.answer, 'ok', 'exists');
    await this.#takeover('w1');
  }

  async step(step: TroubleStep): Promise<void> {
    const store = this.#store;
    const worldId = this.#worldId;
    switch (step.op) {
      case 'submit': {
        const answers = await Promise.all(
          step.keys.map((n) =>
            this.#definite(() =>
              store.inbox.enqueue(worldId, utf8(`item ${n}`), hash(`item ${n}`), `k${n}`, {
                isDelivery: step.isDelivery,
              }),
            ),
          ),
        );
        for (const { answer } of answers) expect(answer, 'ok', 'duplicate');
        return;
      }
      case 'commit':
        return this.#commit(step.batches);
      case 'work':
        return this.#work(step.gives);
      case 'fire':
        return this.#fire();
      case 'takeover':
        return this.#takeover(step.worker);
      case 'reconcile': {
        const seqs = (of: 'outbox' | 'timer') => [...this.#open].filter(([, is]) => is === of).map(([seq]) => seq);
        const answer = await this.#definite(() =>
          store.outbox.reconcile(
            worldId,
            this.#epoch,
            seqs('outbox').map((seq) => emitted(seq)),
            seqs('timer').map((seq) => timer(seq, 0n)),
          ),
        );
        expect(answer.answer, 'ok');
        return;
      }
      case 'put': {
        const bytes = utf8(`object ${step.n} of ${worldId}`);
        expect((await this.#definite(() => store.cas.put(bytes))).answer, 'ok');
        const got = await this.#definite(() => store.cas.get(sha256(bytes)));
        deepStrictEqual(got.answer === 'ok' && bytesEqual(got.bytes, bytes), true, 'I1: what was put is there');
        return;
      }
      case 'sign': {
        const head = await this.#head();
        if (bytesEqual(head.chain, this.#signed.chain)) return;
        const signed = {
          chainBefore: this.#signed.chain,
          chain: head.chain,
          nextSeq: head.height,
          bytes: concatBytes(utf8('signed '), head.chain),
        };
        const answer = await this.#definite(() => store.checkpoint.append(worldId, this.#epoch, signed));
        expect(answer.answer, 'ok');
        this.#signed = head;
        return;
      }
      case 'trim':
        expect((await this.#definite(() => store.inbox.trim(worldId, { graceMs: TTL_MS }))).answer, 'ok');
        return;
      case 'place':
        expect((await this.#definite(() => store.place.set(worldId, this.#worker))).answer, 'ok');
        return;
      default:
        return step satisfies never;
    }
  }

  /** All that was accepted is consumed, all that is open is done and settled. @returns the world as it compares. */
  async end(): Promise<unknown> {
    for (;;) {
      const item = await this.#unread();
      if (item === undefined) break;
      await this.#commit([{ entries: 1, emit: 0, timers: 0, settle: false, consume: true }]);
    }
    const { quiet } = this.#run;
    const items = await quiet.inbox.read(this.#worldId, new Uint8Array(0), 10_000);
    const row = await quiet.world.get(this.#worldId);
    return plain({
      head: row?.head,
      status: row?.status,
      cursor: row?.inboxCursor,
      baseline: row?.activeBaseline,
      internal: row?.internalPending,
      journal: await quiet.journal.read(this.#worldId, 0, 100_000),
      checkpoints: await quiet.checkpoint.read(this.#worldId, 0, 10_000),
      // Sent at once, items may come in any order; each is there once, and all are consumed at the same places.
      items: items
        .map(({ item, digest, dedupeKey = '' }) => ({
          key: withoutAttempt(dedupeKey),
          digest,
          // The store writes into a timer's offer when it made it.
          item: dedupeKey.startsWith('t:') ? undefined : item,
        }))
        .sort((a, b) => compareUtf8(a.key, b.key)),
      applied: await Promise.all(items.map(({ seq }) => quiet.inbox.applied(this.#worldId, seq))),
      outbox: (await quiet.outbox.list(this.#worldId)).map(({ emissionSeq, kind, done }) => ({
        emissionSeq,
        kind,
        done,
      })),
      snapshots: await quiet.world.snapshots(this.#worldId),
    });
  }

  async #head(): Promise<Head> {
    const head = await this.#read(() => this.#store.journal.head(this.#worldId));
    if (head === undefined) throw new Error('the world is gone');
    return head;
  }

  async #unread() {
    const [item] = await this.#read(() => this.#store.inbox.read(this.#worldId, this.#cursor, 1));
    return item;
  }

  async #takeover(worker: string): Promise<void> {
    const dead = this.#worker;
    expect((await this.#definite(() => this.#store.place.set(this.#worldId, undefined))).answer, 'ok');
    for (;;) {
      const answer = await this.#definite(() => this.#store.lease.acquire(this.#worldId, worker, TTL_MS, dead));
      if (answer.answer !== 'ok') throw new Error(`acquire: ${answer.answer}`);
      deepStrictEqual(answer.epoch > this.#epoch, true, 'L1: epochs rise');
      this.#worker = worker;
      this.#epoch = answer.epoch;
      // A request that came twice raised the epoch twice: its first answer is fenced, and whoever has it begins again.
      const renewed = await this.#definite(() => this.#store.lease.renew(this.#worldId, worker, answer.epoch, TTL_MS));
      if (renewed.answer === 'ok') return;
    }
  }

  async #commit(steps: readonly TroubleBatch[]): Promise<void> {
    const expected = await this.#head();
    let head = expected;
    let cursor = this.#cursor;
    const group: Batch[] = [];
    for (const step of steps) {
      const [item] = step.consume ? await this.#read(() => this.#store.inbox.read(this.#worldId, cursor, 1)) : [];
      if (item !== undefined) cursor = item.seq;
      const seqs = (count: number, of: 'outbox' | 'timer') =>
        Array.from({ length: count }, () => {
          this.#open.set(++this.#made, of);
          return this.#made;
        });
      const [oldest] = step.settle ? this.#open.keys() : [];
      if (oldest !== undefined) this.#open.delete(oldest);
      const fields: BatchFields = {
        entries: step.entries,
        body: utf8(`${this.#worldId} ${head.height} ${group.length} ${this.#made}`),
        settled: oldest === undefined ? [] : [oldest],
        emitted: seqs(step.emit, 'outbox').map((seq) => emitted(seq)),
        timers: seqs(step.timers, 'timer').map((seq) => timer(seq, 0n)),
        inboxCursor: item?.seq,
        index: step.index && indexOf(step.index, head),
      };
      const made = makeBatch(head, fields);
      head = { height: made.lastSeq + 1, chain: made.chain };
      group.push(made);
    }
    await this.#sent(expected, group, head);
    this.#cursor = cursor;
  }

  /** `hosting.md` §4.3. */
  async #sent(expected: Head, group: readonly Batch[], own: Head): Promise<void> {
    for (;;) {
      const answer: CommitAnswer = await this.#store.commit(this.#worldId, this.#epoch, expected, group);
      if (answer.answer === 'ok') return deepStrictEqual(plain(answer), plain({ answer: 'ok', ...own }));
      if (answer.answer === 'unavailable') continue;
      if (answer.answer === 'unknown') {
        const actual = await this.#head();
        if (bytesEqual(actual.chain, own.chain)) return;
        deepStrictEqual(plain(actual), plain(expected), '§4.3: whole or not at all');
        continue;
      }
      throw new Error(`commit: ${answer.answer}`);
    }
  }

  /** As many rows as a quiet store would give, one after the other, oldest first. */
  async #work(gives: readonly ('complete' | 'retry')[]): Promise<void> {
    const done = new Set(
      (await this.#read(() => this.#store.outbox.list(this.#worldId)))
        .filter((row) => row.done)
        .map((row) => row.emissionSeq),
    );
    const wanted = [...this.#open].filter(([seq, of]) => of === 'outbox' && !done.has(seq)).map(([seq]) => seq);
    for (const [i, seq] of wanted.slice(0, gives.length).entries()) await this.#workOn(seq, gives[i] === 'complete');
  }

  async #workOn(seq: number, completes: boolean): Promise<void> {
    const { outbox } = this.#store;
    for (;;) {
      // Rows of claims whose answer was lost come back when their time is over.
      this.#run.clock.advanceMs(VISIBLE_MS);
      const rows: readonly OutboxRow[] = await outbox.claim(this.#worldId, undefined, 'x', 100, VISIBLE_MS);
      const row = rows.find((found) => found.emissionSeq === seq);
      if (row === undefined) continue;
      const of = [this.#worldId, seq, row.token] as const;
      expect((await this.#definite(() => outbox.start(...of))).answer, 'ok');
      if (completes) {
        const answer = await this.#definite(() =>
          outbox.complete(...of, utf8(`receipt ${seq}`), hash(`receipt ${seq}`)),
        );
        expect(answer.answer, 'ok', 'duplicate');
      } else {
        // Given back by a call whose answer was lost, it is nobody's any more.
        expect((await this.#definite(() => outbox.retry(...of, 0, 'again'))).answer, 'ok', 'lost');
      }
      return;
    }
  }

  async #fire(): Promise<void> {
    const due = await this.#read(() => this.#store.timers.due(this.#worldId, 100));
    for (const { emissionSeq } of due.rows)
      expect((await this.#definite(() => this.#store.timers.fire(this.#worldId, emissionSeq))).answer, 'ok');
  }
}

/** Looks at the world between the steps, past all trouble. */
class Watch {
  readonly #run: TroubleRun;
  #row: WorldRow | undefined;
  #journal: readonly { readonly chain: Uint8Array; readonly body: Uint8Array }[] = [];

  constructor(run: TroubleRun) {
    this.#run = run;
  }

  async look(): Promise<void> {
    const { quiet, worldId } = this.#run;
    const row = (await quiet.world.get(worldId))!;
    const before = this.#row;
    if (before !== undefined) {
      deepStrictEqual(row.head.height >= before.head.height, true, 'I11: the head does not move back');
      deepStrictEqual(compareBytes(row.inboxCursor, before.inboxCursor) >= 0, true, 'I11: nor does the cursor');
      deepStrictEqual(row.activeBaseline.height >= before.activeBaseline.height, true, 'I11: nor the baseline');
      deepStrictEqual(row.notify >= before.notify, true, 'I11: nor notify');
      deepStrictEqual(row.epoch >= before.epoch, true, 'L1: nor the epoch');
    }
    const page = await quiet.journal.read(worldId, 0, 100_000);
    if (page.answer !== 'ok') throw new Error(`the journal is ${page.answer}`);
    let chain: Uint8Array = new Uint8Array(32);
    for (const [i, { body, chain: after }] of page.batches.entries()) {
      chain = sha256(concatBytes(chain, body));
      deepStrictEqual(toHex(after), toHex(chain), 'I2: the chain is unbroken');
      const known = this.#journal[i];
      if (known !== undefined) deepStrictEqual(toHex(known.chain), toHex(after), 'I2: no batch changes');
    }
    deepStrictEqual(toHex(row.head.chain), toHex(chain), 'I2: the head is that of the last batch');
    deepStrictEqual(page.batches.length >= this.#journal.length, true, 'I2: no batch goes');
    this.#journal = page.batches;
    this.#row = row;
  }
}

function expect(answer: string, ...allowed: readonly string[]): void {
  deepStrictEqual(allowed.includes(answer), true, `${answer}, where ${allowed.join(' or ')} was to come`);
}

/** A row that was claimed more often has a key with another attempt. */
function withoutAttempt(key: string): string {
  return key.replace(/^(r:\d+):\d+$/, '$1');
}

function indexOf(kind: 'snapshot' | 'baseline', { height }: Head): NonNullable<BatchFields['index']> {
  const place = { height, ref: hash(`snapshot ${height}`) };
  return kind === 'snapshot' ? { snapshot: place } : { snapshot: place, baseline: place };
}
