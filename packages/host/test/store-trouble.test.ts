import { FailureError, unwrap } from '@worldline/canon';
import { type FaultyStore, faultyStore, seededTrouble } from '@worldline/testkit';
import { describe, expect, test } from 'vitest';
import { type HostConfig, openWorld, type World } from '../src/index.ts';
import { approvals, Bench, fakeAdapter, gate, hostConfig, job, recordingLog, until } from './bench-world.ts';

/**
 * A whole world over a store whose calls fail before or after their effect, come late, twice, or answer late
 * (`hosting.md` §14.1): what was acknowledged is there once, every intent has one receipt, and the history replays.
 */

const PLANS = ['t/call_plan@1', 't/steps@1', 't/nap@1', 't/ask@1', 't/after@1'];
const HOUR_NS = 3_600_000_000_000;
const TIMED: readonly string[] = ['t/nap@1', 't/after@1'];

/** With no time limit that the clock could reach: minutes pass at each look, whatever an effect waits for (seed 57). */
const snapshotEvery = (everyEntries: number) =>
  hostConfig(({ effects, snapshot }) => ({
    effects: { ...effects, timeoutMs: 1_000_000_000 },
    snapshot: { ...snapshot, everyEntries, everyMs: 300_000_000 },
  }));

interface Job {
  readonly id: string;
  readonly plan: string;
}

const jobs = (count: number): Job[] =>
  Array.from({ length: count }, (_, i) => ({ id: `job ${i}`, plan: PLANS[i % PLANS.length]! }));

/** Somebody who keeps a world open whatever becomes of it, and repeats what got no answer. */
class Keeper {
  readonly bench: Bench;
  readonly store: FaultyStore;
  readonly config: HostConfig;
  readonly log = recordingLog();
  readonly adapter = fakeAdapter();
  readonly #approvals = approvals();
  #world: World | undefined;
  #opening: Promise<World> | undefined;
  opened = 0;

  constructor(bench: Bench, store: FaultyStore, snapshotEntries: number) {
    this.bench = bench;
    this.store = store;
    this.config = snapshotEvery(snapshotEntries);
  }

  /** The running world; opened again when it had to stop. */
  async world(): Promise<World> {
    if (this.#world !== undefined && this.#world.state === 'running') return this.#world;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #open(): Promise<World> {
    for (;;) {
      const holder = (await this.bench.store.world.get(this.bench.worldId))?.lease?.holder;
      const opened = await openWorld(
        this.bench.options({
          store: this.store,
          adapters: [this.adapter, this.#approvals],
          config: this.config,
          log: this.log,
          dead: holder,
        }),
      );
      if (opened.ok) {
        this.opened++;
        this.#world = opened.value;
        return opened.value;
      }
      if (!['host_error', 'world.locked'].includes(opened.failure.code))
        throw new Error(JSON.stringify(opened.failure));
    }
  }

  /** Until it is acknowledged. */
  async submit({ id, plan }: Job): Promise<void> {
    for (;;) {
      const world = await this.world();
      const answer = await world.startPlan({ plan, input: job(id, HOUR_NS), ingressId: id });
      if (answer.ok) return;
      if (!['host_error', 'world.locked'].includes(answer.failure.code))
        throw new Error(JSON.stringify(answer.failure));
      await turn();
    }
  }

  /** Decides what waits for a decision, until so many jobs are done. @param stepMs - what passes at each look. */
  async finish(count: number, stepMs: number): Promise<void> {
    while ((await this.bench.done()).length < count) {
      const world = await this.world();
      this.bench.clock.advanceMs(stepMs);
      const pending = await world.approvals().catch(() => undefined);
      for (const { intentHash } of pending?.ok === true ? pending.value : [])
        await world.decideApproval({ intentHash, decision: 'approved', approver: 'socket:ada' });
      await turn();
    }
  }

  /** In peace again: nothing is left to do, and the world is closed with a snapshot. */
  async close(): Promise<void> {
    this.store.heal();
    const world = await this.world();
    unwrap(await world.runBatch({ wait: true }));
    await world.close();
  }
}

const start = (id: string) => ({ plan: 't/call_plan@1', input: job(id) });
const down = { answer: 'unavailable', message: 'down' } as const;
const outage = async () => {
  throw new FailureError({ code: 'store.unavailable', path: [], message: 'down' });
};

const turn = () => new Promise((resolve) => setTimeout(resolve, 2));

/** What must hold of any history (I5, I8, I12, I14). @returns the digest of the state at the end. */
async function sound(bench: Bench, done: readonly Job[]): Promise<string> {
  expect((await bench.done()).sort()).toEqual(done.map(({ id }) => id).sort());
  expect((await bench.of('plan_started')).length).toBe(done.length);
  const intents = (await bench.records()).filter(({ record }) => record.record_kind === 'effect_intent');
  const receipts = await bench.of('effect_receipt');
  // An emission is named by the seq of its intent.
  expect(new Set(receipts.map((r) => r.emission_seq))).toEqual(new Set(intents.map(({ seq }) => seq)));
  expect(receipts.length).toBe(intents.length);
  expect(receipts.filter((r) => r.status !== 'ok')).toEqual([]);
  expect(await bench.store.outbox.list(bench.worldId)).toEqual([]);
  expect((await bench.store.timers.due(bench.worldId, 10)).nextDueWallNs).toBeUndefined();
  return bench.replays();
}

async function inTrouble(seed: number, share: number, snapshotEntries: number) {
  const bench = await Bench.create();
  const keeper = new Keeper(bench, faultyStore(bench.store, seededTrouble({ seed, share })), snapshotEntries);
  return { bench, keeper };
}

const runs = Number(process.env['WORLDLINE_FUZZ_RUNS'] ?? 6);
const first = Number(process.env['WORLDLINE_SEED'] ?? 1);
const seeds = Array.from({ length: Math.min(runs, 200) }, (_, i) => first + i);

describe('a world over a store in trouble (§14.1)', () => {
  test.each(seeds)('many plans at once come to rest, each once, with one receipt per intent: seed %i', async (seed) => {
    const { bench, keeper } = await inTrouble(seed, [0.1, 0.2, 0.4][seed % 3]!, 15);
    const all = jobs(15);
    await Promise.all(all.map((one) => keeper.submit(one)));
    await keeper.finish(all.length, 60_000);
    await keeper.close();
    await sound(bench, all);
    expect(keeper.store.met.size).toBeGreaterThan(0);
  });

  test.each(seeds.slice(0, 3))('one plan after the other ends in the state of a quiet run: seed %i', async (seed) => {
    const all = jobs(5);
    const digests = [];
    for (const share of [0, 0.2]) {
      // No snapshot before the end: their records would lie elsewhere, and with them the seqs that name emissions.
      const { bench, keeper } = await inTrouble(seed, share, 1_000_000);
      for (const [i, one] of all.entries()) {
        await keeper.submit(one);
        // Times are part of the state, so that they must be the same: an hour or two passes for timers, and nothing else.
        if (TIMED.includes(one.plan)) bench.clock.advanceMs(2 * 3_600_000);
        await keeper.finish(i + 1, 0);
      }
      await keeper.close();
      digests.push(await sound(bench, all));
    }
    expect(digests[1]).toBe(digests[0]);
  });
});

describe('what trouble has shown', () => {
  test('a store that does not answer while a world is opened is host_error, and the lease is given back', async () => {
    const bench = await Bench.create();
    const { store } = bench;
    for (const trouble of [
      { world: { ...store.world, get: outage } },
      { outbox: { ...store.outbox, list: outage } },
      { journal: { ...store.journal, read: async () => down } },
    ]) {
      const opened = await openWorld(bench.options({ store: { ...store, ...trouble } }));
      expect(opened).toMatchObject({ ok: false, failure: { code: 'host_error' } });
      expect(await store.world.get(bench.worldId)).toMatchObject({ status: 'active', lease: undefined });
    }
    await (await bench.open()).close();
  });

  test('F4 a world taken over while it is being opened is locked for the slower one, and not quarantined', async () => {
    const bench = await Bench.create();
    let heir: World | undefined;
    const store = {
      ...bench.store,
      journal: {
        ...bench.store.journal,
        read: async (...args: Parameters<typeof bench.store.journal.read>) => {
          const page = await bench.store.journal.read(...args);
          // What was read is now older than the head.
          if (heir === undefined) {
            heir = await bench.open({ dead: 'slow' });
            unwrap(await heir.startPlan(start('a')));
          }
          return page;
        },
      },
    };
    expect(await openWorld(bench.options({ store, worker: 'slow' }))).toMatchObject({
      ok: false,
      failure: { code: 'world.locked' },
    });
    expect(await bench.store.world.get(bench.worldId)).toMatchObject({ status: 'active' });
    unwrap(await heir!.runBatch({ wait: true }));
    await heir!.close();
    expect(await bench.done()).toEqual(['a']);
  });

  test('L7 a missing outbox row is never made without its request: while that cannot be read, the world does not open', async () => {
    const bench = await Bench.create();
    const adapter = fakeAdapter(() => gate<never>().promise);
    const { world, connection } = await bench.openCuttable({ adapters: [adapter] });
    await world.startPlan(start('a'));
    await until(() => adapter.calls.length === 1);
    connection.cut();
    const lease = await bench.store.lease.acquire(bench.worldId, 'tester', 60_000, 'worker-1');
    if (lease.answer !== 'ok') throw new Error(lease.answer);
    await bench.store.outbox.reconcile(bench.worldId, lease.epoch, [], []);
    let reads = 0;
    const store = {
      ...bench.store,
      journal: {
        ...bench.store.journal,
        read: async (...args: Parameters<typeof bench.store.journal.read>) =>
          ++reads > 1 ? down : bench.store.journal.read(...args),
      },
    };
    expect(await openWorld(bench.options({ store, dead: 'tester' }))).toMatchObject({
      ok: false,
      failure: { code: 'host_error' },
    });
    expect(await bench.store.outbox.list(bench.worldId)).toEqual([]);
    const heir = await bench.open({ adapters: [fakeAdapter()] });
    unwrap(await heir.runBatch({ wait: true }));
    await heir.close();
    expect(await bench.done()).toEqual(['a']);
  });

  test('an outage while the world is loaded again after a conflict stops it with host_error', async () => {
    const bench = await Bench.create();
    let conflicts = 1;
    let isDown = false;
    const store = {
      ...bench.store,
      commit: async (...args: Parameters<typeof bench.store.commit>) => {
        if (conflicts-- <= 0) return bench.store.commit(...args);
        isDown = true;
        return { answer: 'conflict', actual: { height: 7, chain: new Uint8Array(32) } } as const;
      },
      world: {
        ...bench.store.world,
        get: async (worldId: string) => (isDown ? outage() : bench.store.world.get(worldId)),
      },
    };
    const world = await bench.open({ store });
    expect(await world.startPlan(start('a'))).toMatchObject({ ok: false, failure: { code: 'host_error' } });
    expect((await world.closed)?.code).toBe('host_error');
    await world.close();
  });
});
