import { unwrap, utf8 } from '@worldline/canon';
import {
  BATCHES_PER_CHECKPOINT,
  decodeCheckpoint,
  encodeBatchBody,
  encodeWorldKeys,
  nextChain,
  ZERO_CHAIN,
} from '@worldline/kernel';
import type { Batch, Head, Store, StoredBatch } from '@worldline/ports';
import { memoryStore, type StoreFault, VirtualClock } from '@worldline/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CheckpointCheck } from '../src/checkpoint-check.ts';
import { firstWorldKey, WorldKeyLine } from '../src/checkpoint-signature.ts';
import { Checkpointer } from '../src/checkpointer.ts';
import { verifyJournal } from '../src/journal-verify.ts';
import { ephemeralKey } from '../src/keys.ts';
import { Bench, fakeAdapter, hostConfig, job, recordingLog, settle, until } from './bench-world.ts';

const TTL_MS = 3_600_000;
const key = ephemeralKey();

/** A journal of opaque batches and the checkpointer beside it, with every order of events in the test's hand. */
class Line {
  readonly clock = new VirtualClock();
  readonly log = recordingLog();
  fault: StoreFault | undefined;
  readonly store: Store = memoryStore({
    clock: this.clock,
    fault: (operation) => (operation === 'checkpoint.append' ? this.fault : undefined),
  });
  head: Head = { height: 0, chain: ZERO_CHAIN };
  epoch = 0;
  #made = 0;

  static async create(): Promise<Line> {
    const line = new Line();
    const keys = encodeWorldKeys([firstWorldKey(key)]);
    await line.store.world.create({ worldId: 'w', universeId: 'u', configHash: ZERO_CHAIN, keys }, []);
    await line.acquire('w1');
    return line;
  }

  async acquire(worker: string, dead?: string): Promise<void> {
    const answer = await this.store.lease.acquire('w', worker, TTL_MS, dead);
    if (answer.answer !== 'ok') throw new Error(answer.answer);
    this.epoch = answer.epoch;
  }

  checkpointer(store: Store = this.store): Checkpointer {
    const { clock, log, head, epoch } = this;
    const base = { height: 0, chain: ZERO_CHAIN };
    return new Checkpointer({ store, worldId: 'w', epoch, key, base, head, clock, log });
  }

  /** Makes one batch durable. @param to - is told of it. */
  async commit(entries: number, to?: Checkpointer): Promise<StoredBatch> {
    const body = utf8(`batch ${++this.#made}`);
    const chain = nextChain(this.head.chain, body);
    const batch: Batch = {
      body,
      chain,
      firstSeq: this.head.height,
      lastSeq: this.head.height + entries - 1,
      emitted: [],
      timers: [],
      settled: [],
      released: [],
      internalPending: false,
    };
    const answer = await this.store.commit('w', this.epoch, this.head, [batch]);
    if (answer.answer !== 'ok') throw new Error(answer.answer);
    this.head = { height: answer.height, chain: answer.chain };
    to?.batch(chain, answer.height);
    return batch;
  }

  async checkpoints() {
    return (await this.store.checkpoint.read('w', 0, 10_000)).map(({ bytes }) => unwrap(decodeCheckpoint(bytes)));
  }

  /** Groups' sizes, after holding all of them against the journal. */
  async verified(): Promise<readonly number[]> {
    const problems: unknown[] = [];
    const keys = unwrap(WorldKeyLine.read('w', (await this.store.world.get('w'))!.keys!));
    const check = new CheckpointCheck({
      store: this.store,
      worldId: 'w',
      base: { height: 0, chain: ZERO_CHAIN },
      keys,
      problem: (p) => problems.push(p),
    });
    const read = await this.store.journal.read('w', 0, 1_000_000);
    if (read.answer !== 'ok') throw new Error(read.answer);
    for (const batch of read.batches) await check.batch(batch);
    await check.end(true);
    expect(problems).toEqual([]);
    const checkpoints = await this.checkpoints();
    expect(check.signedToSeq).toBe(checkpoints.at(-1)?.nextSeq ?? 0);
    return checkpoints.map(({ batches }) => batches);
  }
}

describe('when batches are signed (journal.md §2.1)', () => {
  test('one second after the oldest unsigned one, not before, and not again without a new one', async () => {
    const line = await Line.create();
    const checkpointer = line.checkpointer();
    checkpointer.start();
    await settle();
    await line.commit(1, checkpointer);
    line.clock.advanceMs(600);
    await line.commit(2, checkpointer);
    line.clock.advanceMs(399);
    expect(await line.verified()).toEqual([]);
    expect(checkpointer.status).toEqual({ signedToSeq: 0, unsignedBatches: 2 });
    line.clock.advanceMs(1);
    await settle();
    expect(await line.verified()).toEqual([2]);
    expect(checkpointer.status).toEqual({ signedToSeq: 3, unsignedBatches: 0 });
    line.clock.advanceMs(60_000);
    await settle();
    expect(await line.verified()).toEqual([2]);
  });

  test('at 4 096 batches without waiting; empty batches count', async () => {
    const line = await Line.create();
    const checkpointer = line.checkpointer();
    checkpointer.start();
    await settle();
    for (let i = 0; i <= BATCHES_PER_CHECKPOINT; i++) await line.commit(i % 2, checkpointer);
    await settle();
    expect(await line.verified()).toEqual([BATCHES_PER_CHECKPOINT]);
    expect(checkpointer.status.unsignedBatches).toBe(1);
  });

  test('when asked, and the store gets it before anything that is sent afterwards', async () => {
    const line = await Line.create();
    const checkpointer = line.checkpointer();
    checkpointer.start();
    await settle();
    await line.commit(1, checkpointer);
    checkpointer.sign();
    expect(await line.verified()).toEqual([1]);
    await line.commit(1, checkpointer);
    expect(await checkpointer.flush()).toBe(true);
    expect(await line.verified()).toEqual([1, 1]);
    expect(await checkpointer.flush()).toBe(true);
    expect(await line.verified()).toEqual([1, 1]);
  });
});

describe('after a crash the next holder goes on from the last checkpoint (journal.md §2.1)', () => {
  test('what was durable and unsigned is read from the journal, in groups of at most 4 096', async () => {
    const line = await Line.create();
    const first = line.checkpointer();
    first.start();
    await settle();
    for (let i = 0; i < 3; i++) await line.commit(1, first);
    await first.flush();
    first.stop();
    for (let i = 0; i < BATCHES_PER_CHECKPOINT + 10; i++) await line.commit(i % 3);
    await line.acquire('w2', 'w1');
    const second = line.checkpointer();
    second.start();
    await settle();
    expect(await second.flush()).toBe(true);
    expect(await line.verified()).toEqual([3, BATCHES_PER_CHECKPOINT, 10]);
  });

  test('empty batches on both sides of the last checkpoint are told apart', async () => {
    const line = await Line.create();
    const first = line.checkpointer();
    first.start();
    await settle();
    await line.commit(1, first);
    await line.commit(0, first);
    await first.flush();
    await line.commit(0);
    await line.commit(0);
    const second = line.checkpointer();
    second.start();
    expect(await second.flush()).toBe(true);
    expect(await line.verified()).toEqual([2, 2]);
  });

  test('a lost newest checkpoint loses nothing but proof: its batches are signed again', async () => {
    const line = await Line.create();
    line.fault = 'unavailable';
    const first = line.checkpointer();
    first.start();
    await settle();
    await line.commit(2, first);
    expect(await first.flush()).toBe(false);
    first.stop();
    line.fault = undefined;
    const second = line.checkpointer();
    second.start();
    expect(await second.flush()).toBe(true);
    expect(await line.verified()).toEqual([1]);
  });
});

describe('trouble never reaches the loop: it is reported and tried again', () => {
  test('while the store does not answer batches go on; afterwards all are signed', async () => {
    const line = await Line.create();
    const checkpointer = line.checkpointer();
    checkpointer.start();
    await settle();
    line.fault = 'unavailable';
    for (let i = 0; i < 5; i++) {
      await line.commit(1, checkpointer);
      line.clock.advanceMs(1_000);
      await settle();
    }
    expect(await line.verified()).toEqual([]);
    expect(line.log.lines.some((text) => text.startsWith('warn batches are not signed yet'))).toBe(true);
    line.fault = undefined;
    line.clock.advanceMs(30_000);
    await settle();
    expect(await line.verified()).toEqual([5]);
    await line.commit(1, checkpointer);
    line.clock.advanceMs(1_000);
    await settle();
    expect(await line.verified()).toEqual([5, 1]);
  });

  test('a lost answer is no second checkpoint: the line is read again and continued', async () => {
    const line = await Line.create();
    let lose = true;
    const lossy: Store = {
      ...line.store,
      checkpoint: {
        ...line.store.checkpoint,
        async append(...args) {
          const answer = await line.store.checkpoint.append(...args);
          if (!lose) return answer;
          lose = false;
          return { answer: 'unavailable', message: 'lost' };
        },
      },
    };
    const checkpointer = line.checkpointer(lossy);
    checkpointer.start();
    await settle();
    await line.commit(1, checkpointer);
    checkpointer.sign();
    await line.commit(1, checkpointer);
    await settle();
    line.clock.advanceMs(1_000);
    await settle();
    expect(await line.verified()).toEqual([1, 1]);
  });

  test('of several on their way, those behind the first that failed are taken together', async () => {
    const line = await Line.create();
    const checkpointer = line.checkpointer();
    checkpointer.start();
    await settle();
    line.fault = 'unavailable';
    for (let i = 0; i < 3; i++) {
      await line.commit(1, checkpointer);
      checkpointer.sign();
    }
    line.fault = undefined;
    await line.commit(1, checkpointer);
    checkpointer.sign();
    await settle();
    line.clock.advanceMs(1_000);
    await settle();
    expect(await line.verified()).toEqual([4]);
    expect(line.log.lines.length).toBe(1);
  });

  test('a holder that was fenced writes no checkpoint and asks no more', async () => {
    const line = await Line.create();
    const old = line.checkpointer();
    old.start();
    await settle();
    await line.commit(1, old);
    await line.acquire('w2', 'w1');
    expect(await old.flush()).toBe(false);
    await line.commit(1, old);
    line.clock.advanceMs(60_000);
    await settle();
    expect(await line.verified()).toEqual([]);
    const next = line.checkpointer();
    next.start();
    await next.flush();
    expect(await line.verified()).toEqual([2]);
  });

  test('checkpoints of another journal are reported, and none is added to them', async () => {
    const line = await Line.create();
    await line.commit(1);
    const foreign = { chainBefore: ZERO_CHAIN, chain: new Uint8Array(32).fill(9), nextSeq: 1, bytes: utf8('x') };
    await line.store.checkpoint.append('w', line.epoch, foreign);
    const checkpointer = line.checkpointer();
    checkpointer.start();
    await settle();
    await line.commit(1, checkpointer);
    expect(await checkpointer.flush()).toBe(false);
    expect((await line.store.checkpoint.read('w', 0, 10)).length).toBe(1);
    expect(line.log.lines[0]).toContain('not of this journal');
  });
});

test('whatever is durable before it is reported, whenever pages are read and appends fail, the line is whole (P2)', async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ op: fc.constant('commit' as const), entries: fc.nat(2) }) },
    { weight: 4, arbitrary: fc.record({ op: fc.constant('report' as const), count: fc.nat(4) }) },
    { weight: 3, arbitrary: fc.record({ op: fc.constantFrom('sign' as const, 'settle' as const, 'second' as const) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constantFrom('fail' as const, 'heal' as const, 'resync' as const) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('crash' as const) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const line = await Line.create();
      let worker = 1;
      let checkpointer = line.checkpointer();
      checkpointer.start();
      const unreported: StoredBatch[] = [];
      const report = (count: number) => {
        for (const batch of unreported.splice(0, count)) checkpointer.batch(batch.chain, batch.lastSeq + 1);
      };
      for (const one of steps) {
        if (one.op === 'commit') unreported.push(await line.commit(one.entries));
        else if (one.op === 'report') report(one.count);
        else if (one.op === 'sign') checkpointer.sign();
        else if (one.op === 'settle') await settle();
        else if (one.op === 'second') line.clock.advanceMs(1_000);
        else if (one.op === 'fail') line.fault = 'unavailable';
        else if (one.op === 'heal') line.fault = undefined;
        else if (one.op === 'resync') {
          // The loop reports nothing of what it did not commit itself, and begins anew at the head.
          unreported.length = 0;
          checkpointer.resync(line.head);
        } else {
          checkpointer.stop();
          unreported.length = 0;
          await line.acquire(`w${worker + 1}`, `w${worker++}`);
          checkpointer = line.checkpointer();
          checkpointer.start();
        }
      }
      line.fault = undefined;
      report(unreported.length);
      line.clock.advanceMs(60_000);
      await settle();
      line.clock.advanceMs(60_000);
      await settle();
      expect(checkpointer.status).toEqual({ signedToSeq: line.head.height, unsignedBatches: 0 });
      const sizes = await line.verified();
      const read = await line.store.journal.read('w', 0, 1_000_000);
      expect(sizes.reduce((a, b) => a + b, 0)).toBe(read.answer === 'ok' ? read.batches.length : -1);
    }),
    { numRuns: 60 },
  );
});

describe('a world that runs signs what it makes durable', () => {
  const signed = async (bench: Bench) => {
    const report = unwrap(
      await verifyJournal({
        store: bench.store,
        worldId: bench.worldId,
        signatures: {
          own: [{ keyId: bench.key.keyId, alg: 'ed25519', key: bench.key.publicKey }],
          trusted: [],
          worldKey: bench.worldKey.publicKey,
        },
      }),
    );
    expect(report.problems).toEqual([]);
    return report.signatures!;
  };

  test('the genesis is signed by the first holder, and at release everything is, the last snapshot too', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    await until(async () => (await signed(bench)).signedToSeq === 3);
    await world.startPlan({ plan: 't/steps@1', input: job('a') });
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    await world.close();
    const { height } = (await bench.store.journal.head(bench.worldId))!;
    expect((await signed(bench)).signedToSeq).toBe(height);
    expect((await bench.of('baseline')).at(-1)!.height).toBe(height - 2);
  });

  test('what a baseline stands on is signed before it is promoted, however the process ends then', async () => {
    const bench = await Bench.create();
    const { world, connection } = await bench.openCuttable();
    await world.startPlan({ plan: 't/steps@1', input: job('a') });
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    const before: number[] = [];
    connection.beforeCommit = async () => {
      before.push((await bench.store.checkpoint.last(bench.worldId))!.nextSeq);
    };
    const { height } = unwrap(await world.snapshot());
    expect(before).toEqual([height]);
    connection.cut();
    await world.close();
    expect((await signed(bench)).signedToSeq).toBe(height);
  });

  test('status tells how far it is signed and how many batches are not', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    await until(async () => (await world.status()).checkpoints?.unsignedBatches === 0);
    await world.startPlan({ plan: 't/ask@1', input: job('a') });
    expect((await world.status()).checkpoints).toEqual({ signedToSeq: 3, unsignedBatches: 1 });
    await world.close();
  });

  test('a store that takes no checkpoints stops nothing and holds nothing up; the next holder signs all', async () => {
    let isDown = true;
    const bench = await Bench.create({
      store: { fault: (operation) => (isDown && operation === 'checkpoint.append' ? 'unavailable' : undefined) },
    });
    const world = await bench.open();
    await world.startPlan({ plan: 't/steps@1', input: job('a') });
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    unwrap(await world.snapshot());
    await world.close();
    expect(await bench.done()).toEqual(['a']);
    expect((await signed(bench)).signedToSeq).toBe(0);
    isDown = false;
    const heir = await bench.open();
    await heir.close();
    expect((await signed(bench)).signedToSeq).toBe((await bench.store.journal.head(bench.worldId))!.height);
  });

  test('a host with another world key signs nothing and says so; the world runs', async () => {
    const bench = await Bench.create();
    const log = recordingLog();
    const world = await bench.open({ worldKey: ephemeralKey(), log });
    await world.startPlan({ plan: 't/call_plan@1', input: job('a') });
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    expect((await world.status()).checkpoints).toBeUndefined();
    await world.close();
    expect(log.lines.filter((line) => line.startsWith('warn no checkpoints are signed')).length).toBe(1);
    expect(await bench.store.checkpoint.read(bench.worldId, 0, 10)).toEqual([]);
  });

  test('a world that is loaded again after a conflict signs also what somebody else put into the journal', async () => {
    const bench = await Bench.create();
    const config = hostConfig();
    const world = await bench.open({ config, adapters: [fakeAdapter()] });
    await until(async () => (await world.status()).checkpoints?.unsignedBatches === 0);
    // The same lease, another writer: as when an answer was lost on the way.
    const { epoch } = world;
    const head = (await bench.store.journal.head(bench.worldId))!;
    const body = encodeBatchBody({
      v: 1,
      firstSeq: head.height,
      epoch,
      cursor: new Uint8Array(0),
      ingress: { kind: 'seal' },
      entries: [],
    });
    const seal = { body, chain: nextChain(head.chain, body), firstSeq: head.height, lastSeq: head.height - 1 };
    const rows = { emitted: [], timers: [], settled: [], released: [], internalPending: false };
    await bench.store.commit(bench.worldId, epoch, head, [{ ...seal, ...rows }]);
    await world.startPlan({ plan: 't/call_plan@1', input: job('a') });
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    await world.close();
    expect((await signed(bench)).signedToSeq).toBe((await bench.store.journal.head(bench.worldId))!.height);
    expect(await bench.done()).toEqual(['a']);
  });

  test('opening verifies no signature (journal.md §2.1): forged checkpoints and unknown receipt keys stop nothing', async () => {
    const bench = await Bench.create();
    const first = await bench.open();
    await first.startPlan({ plan: 't/steps@1', input: job('a') });
    unwrap(await first.runBatch({ timeoutMs: 5_000 }));
    await first.close();
    const forged: Store = {
      ...bench.store,
      checkpoint: {
        ...bench.store.checkpoint,
        read: async (...args) =>
          (await bench.store.checkpoint.read(...args)).map((one) => ({ ...one, bytes: utf8('forged') })),
        last: async (...args) => {
          const last = await bench.store.checkpoint.last(...args);
          return last && { ...last, bytes: utf8('forged') };
        },
      },
    };
    const heir = await bench.open({ store: forged, receiptKey: ephemeralKey() });
    await heir.startPlan({ plan: 't/steps@1', input: job('b') });
    unwrap(await heir.runBatch({ timeoutMs: 5_000 }));
    await heir.close();
    expect(await bench.done()).toEqual(['a', 'b']);
    await bench.replays();
  });
});
