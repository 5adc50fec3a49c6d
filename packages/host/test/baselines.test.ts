import { encode, fromHex, sha256, sha512, toHex, u64be, unwrap } from '@worldline/canon';
import {
  decodeBatchBody,
  decodeRecord,
  defaultConfig,
  encodeBatchBody,
  encodeConfig,
  encodeRecord,
  Kernel,
  nextChain,
  restore,
  snapshotNodes,
} from '@worldline/kernel';
import type { Store, StoredBatch } from '@worldline/ports';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { measureSnapshot, retainedBaselines, verifyBaseline } from '../src/baselines.ts';
import { collectBatches } from '../src/journal-read.ts';
import { objectSource } from '../src/restore.ts';
import { approvals, Bench, fakeAdapter, hostConfig, job, loaded, recordingLog, settle, until } from './bench-world.ts';

const SECOND_NS = 1_000_000_000n;

async function heights(bench: Bench): Promise<number[]> {
  return (await bench.store.world.snapshots(bench.worldId)).map(({ height }) => height);
}

describe('when snapshots are taken (host.md §7.4)', () => {
  test('by count: after every_entries entries, and not again without as many', async () => {
    const bench = await Bench.create();
    const config = hostConfig(({ snapshot }) => ({ snapshot: { ...snapshot, everyEntries: 12 } }));
    const world = await bench.open({ config });
    // Between two of them passes ten times what one costs, by the world's clock, which stands still here.
    await world.startPlan({ plan: 't/call_plan@1', input: job('a') });
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    expect(await heights(bench)).toEqual([1]);
    await world.startPlan({ plan: 't/call_plan@1', input: job('b') });
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    await until(async () => (await heights(bench)).length === 2);
    await settle();
    expect((await heights(bench)).length).toBe(2);
    await world.close();
  });

  test('by time: every_ms after the first change since the last one, and never when nothing changed', async () => {
    const bench = await Bench.create();
    const config = hostConfig(({ snapshot }) => ({ snapshot: { ...snapshot, everyMs: 60_000 } }));
    const world = await bench.open({ config });
    bench.clock.advance(600n * SECOND_NS);
    await settle();
    expect(await heights(bench)).toEqual([1]);
    await world.startPlan({ plan: 't/ask@1', input: job('a') });
    bench.clock.advance(60n * SECOND_NS - 1n);
    await settle();
    expect(await heights(bench)).toEqual([1]);
    bench.clock.advance(1n);
    await until(async () => (await heights(bench)).length === 2);
    bench.clock.advance(600n * SECOND_NS);
    await settle();
    expect((await heights(bench)).length).toBe(2);
    await world.close();
  });

  test('on request: at the head, promoted at once; asked again without a change it is the same one', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    await world.startPlan({ plan: 't/ask@1', input: job('a') });
    const { height: head } = (await bench.store.journal.head(bench.worldId))!;
    const taken = unwrap(await world.snapshot());
    expect(taken.height).toBe(head);
    const row = (await bench.store.world.get(bench.worldId))!;
    expect([row.activeBaseline.height, `sha256:${toHex(row.activeBaseline.ref)}`]).toEqual([taken.height, taken.ref]);
    expect(unwrap(await world.snapshot())).toEqual(taken);
    expect((await bench.store.journal.head(bench.worldId))!.height).toBe(head + 2);
    await world.close();
  });

  test('at an orderly shutdown, when something changed', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    await world.startPlan({ plan: 't/ask@1', input: job('a') });
    await world.close();
    const after = await heights(bench);
    expect(after.length).toBe(2);
    await (await bench.open()).close();
    expect(await heights(bench)).toEqual(after);
  });
});

/** A world that holds whatever a state can: running, parked, timed, approved, refused, cancelled; snapshots all along. */
async function history(steps: readonly number[]): Promise<Bench> {
  const bench = await Bench.create();
  const answers = { held: false };
  const open = () =>
    bench.open({
      adapters: [
        fakeAdapter(() =>
          answers.held ? new Promise(() => {}) : Promise.resolve({ status: 'ok', payload: { text: 'x' } }),
        ),
        approvals(),
      ],
    });
  let world = await open();
  let jobs = 0;
  const run = async () => void unwrap(await world.runBatch({ timeoutMs: 5_000 }));
  for (const step of steps) {
    const input = job(`j${++jobs}`);
    if (step === 0) await world.startPlan({ plan: 't/steps@1', input });
    else if (step === 1) await world.startPlan({ plan: 't/ask@1', input });
    else if (step === 2) await world.startPlan({ plan: 't/after@1', input });
    else if (step === 3) {
      bench.clock.advance(61n * SECOND_NS);
      await settle();
    } else if (step === 4) {
      const [first] = unwrap(await world.approvals());
      if (first !== undefined)
        await world.decideApproval({ intentHash: first.intentHash, decision: 'approved', approver: 'a' });
    } else if (step === 5) await world.cancelPlan({ planId: jobs, reason: 'r', actor: 'a' });
    else if (step === 6) {
      await run();
      unwrap(await world.snapshot());
    } else {
      // A restart: every instance is a row again until something is delivered to it.
      await run();
      await world.close();
      world = await open();
    }
  }
  await run();
  answers.held = true;
  await world.startPlan({ plan: 't/unkeyed@1', input: job('in flight') });
  await world.close({ graceMs: 0 });
  return bench;
}

/** State digests at the head, restored from each baseline. */
async function digests(bench: Bench): Promise<string[]> {
  const { store, worldId } = bench;
  const batches = unwrap(await collectBatches(store, worldId, 0));
  const baselines = (await store.world.snapshots(worldId)).filter(({ baseline }) => baseline);
  return baselines.map(({ height, ref }) => {
    const from = batches.findIndex((batch) => batch.lastSeq >= height - 1);
    const options = { objects: objectSource(store.cas), epoch: 0, verify: true };
    return toHex(unwrap(restore(options, { height, ref }, batches.slice(from))).snapshot().ref);
  });
}

describe('restore from every baseline gives the same digest at the head (journal.md §7, L3)', () => {
  test('with parked, timed and approved instances, effects in flight, restarts and refusals', async () => {
    const bench = await history([1, 2, 0, 6, 1, 3, 4, 6, 2, 7, 5, 0, 1, 6, 3, 7, 4, 1, 6]);
    const found = await digests(bench);
    expect(found.length).toBeGreaterThan(6);
    expect(new Set(found).size).toBe(1);
    expect(await bench.replays()).toBe(`sha256:${found[0]}`);
  });

  test('whatever happened in the world', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(7), { minLength: 1, maxLength: 14 }), async (steps) => {
        const bench = await history(steps);
        const found = await digests(bench);
        expect(new Set(found).size).toBe(1);
        expect(await bench.replays()).toBe(`sha256:${found[0]}`);
      }),
      { numRuns: Number(process.env['WORLDLINE_RUNS'] ?? 12) },
    );
  });
});

describe('a snapshot is complete or it is none (journal.md §6.2)', () => {
  test('without its root it is snapshot.missing, without any other node snapshot.incomplete', async () => {
    const bench = await history([1, 2, 0, 1, 6]);
    const { ref } = (await bench.store.world.get(bench.worldId))!.activeBaseline;
    const { cas } = bench.store;
    const nodes = [...snapshotNodes(ref, objectSource(cas).get)];
    expect(nodes.length).toBeGreaterThan(8);
    const bytes = nodes.reduce((sum, node) => sum + node.bytes!.length, 0);
    expect(unwrap(measureSnapshot(cas, ref))).toEqual({ nodes: nodes.length, bytes, isWhole: true });
    expect(unwrap(measureSnapshot(cas, ref, 3))).toMatchObject({ nodes: 3, isWhole: false });
    for (const [i, { hash }] of nodes.entries()) {
      const lacking = {
        ...cas,
        getSync: (h: Uint8Array) => (toHex(h) === toHex(hash) ? ({ answer: 'not_found' } as const) : cas.getSync(h)),
      };
      const code = i === 0 ? 'snapshot.missing' : 'snapshot.incomplete';
      expect(measureSnapshot(lacking, ref)).toMatchObject({ ok: false, failure: { code } });
    }
  });

  test('its nodes are all that a restore reads beside definitions and configuration', async () => {
    const bench = await history([1, 2, 0, 1, 6]);
    const { store, worldId } = bench;
    const row = (await store.world.get(worldId))!;
    const known = new Set(
      [...snapshotNodes(row.activeBaseline.ref, objectSource(store.cas).get)].map(({ hash }) => toHex(hash)),
    );
    const read = new Set<string>();
    const objects = {
      get(hash: Uint8Array) {
        read.add(toHex(hash));
        return objectSource(store.cas).get(hash);
      },
    };
    const batches = unwrap(await collectBatches(store, worldId, row.activeBaseline.height - 1));
    const kernel = unwrap(restore({ objects, epoch: 0 }, row.activeBaseline, batches));
    for (const emission of kernel.pending()) kernel.emissionOfIntent(emission.intentHash);
    kernel.waits();
    for (const instance of kernel.instances()) kernel.instance(instance.id);
    const definitions = loaded().objects.map(({ hash }) => toHex(hash));
    const config = toHex(row.configHash);
    expect([...read].filter((hash) => !known.has(hash) && !definitions.includes(hash) && hash !== config)).toEqual([]);
    expect(read.size).toBeGreaterThan(8);
  });

  test('a world whose baseline lacks its root is not opened, and is quarantined', async () => {
    const bench = await history([1, 6]);
    const { cas } = bench.store;
    const { ref } = (await bench.store.world.get(bench.worldId))!.activeBaseline;
    const store: Store = {
      ...bench.store,
      cas: { ...cas, getSync: (hash) => (toHex(hash) === toHex(ref) ? { answer: 'not_found' } : cas.getSync(hash)) },
    };
    await expect(bench.open({ store })).rejects.toMatchObject({ failure: { code: 'snapshot.missing' } });
    expect((await bench.store.world.get(bench.worldId))!.status).toBe('quarantined');
  });
});

describe('what a snapshot costs follows what changed (D7)', () => {
  test('one of 10 000 parked instances touched: the nodes on its paths are written, and no others', () => {
    const { catalog, objects } = loaded();
    const store = new Map(objects.map(({ hash, bytes }) => [toHex(hash), bytes]));
    const config = encodeConfig({ ...defaultConfig(), logical_origin: 0n });
    const configHash = sha256(config);
    store.set(toHex(configHash), config);
    let draws = 0;
    const stamp = () => ({ nowNs: 1n, logicalNs: 1n, entropy: sha512(u64be(++draws)) });
    const genesis = Kernel.genesis(
      { objects: { get: (hash) => store.get(toHex(hash)) }, epoch: 1 },
      { kind: 'genesis', manifestHash: catalog.manifestHash, configHash },
      stamp(),
    );
    if (!genesis.ok) throw new Error(genesis.failure[0]!.code);
    const { kernel } = genesis.value;
    kernel.accept(1);
    for (let i = 0; i < 10_000; i++) {
      kernel.apply({ kind: 'plan_start', plan: 't/ask@1', input: encode({ id: `n${i}`, ns: null }) }, stamp());
      kernel.accept(1);
    }
    expect(kernel.liveCount).toBe(10_000);
    const save = () => {
      const { ref, objects: written } = kernel.snapshot();
      for (const { hash, bytes } of written) store.set(toHex(hash), bytes);
      // Nodes count as stored once the batch that names their root is durable (P5).
      kernel.apply({ kind: 'snapshot', snapshotRef: ref, promote: true }, stamp());
      kernel.accept(1);
      return { ref, written };
    };
    const all = save().written.length;
    expect(all).toBeGreaterThan(20_000);
    kernel.apply({ kind: 'control', command: 'plan_cancel', planId: 5_000, reason: 'r', actor: 'a' }, stamp());
    kernel.accept(1);
    const { ref, written } = save();
    // Root, recent, ingress memory, and one path in each index that named the instance.
    expect(written.length).toBeLessThanOrEqual(16);
    expect(written.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeLessThan(100_000);
    const reachable = [...snapshotNodes(ref, (hash) => store.get(toHex(hash)))];
    expect(reachable.every(({ bytes }) => bytes !== undefined)).toBe(true);
    expect(reachable.length).toBeGreaterThan(20_000);
  });
});

describe('verified in the background (`snapshot.verify`, journal.md §6.3)', () => {
  const config = hostConfig(({ snapshot }) => ({ snapshot: { ...snapshot, verify: true } }));
  const verified = async (bench: Bench) =>
    (await bench.store.world.snapshots(bench.worldId)).map(({ verifiedAtNs }) => verifiedAtNs !== undefined);

  test('each promoted baseline is replayed from the one before and marked; the first has none before it', async () => {
    const bench = await Bench.create();
    const world = await bench.open({ config });
    for (const id of ['a', 'b']) {
      await world.startPlan({ plan: 't/steps@1', input: job(id) });
      unwrap(await world.runBatch({ timeoutMs: 5_000 }));
      unwrap(await world.snapshot());
    }
    await until(async () => (await verified(bench)).join() === 'false,true,true');
    await world.close();
  });

  test('what an earlier process promoted is verified at the next start, but only what is kept', async () => {
    const bench = await history([1, 6, 0, 6, 1, 6, 0, 6, 1, 6]);
    const rows = await bench.store.world.snapshots(bench.worldId);
    expect(rows.every(({ verifiedAtNs }) => verifiedAtNs === undefined)).toBe(true);
    const world = await bench.open({ config, adapters: [fakeAdapter(() => new Promise(() => {})), approvals()] });
    const expected = rows.map((_, i) => i >= rows.length - config.snapshot.keep);
    await until(async () => (await verified(bench)).join() === expected.join());
    await settle();
    expect(await verified(bench)).toEqual(expected);
    expect(retainedBaselines(rows, 3).map(({ height }) => height)).toEqual(rows.slice(-3).map(({ height }) => height));
    await world.close({ graceMs: 0 });
  });

  test('without `snapshot.verify` nothing is replayed', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    await world.startPlan({ plan: 't/steps@1', input: job('a') });
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    unwrap(await world.snapshot());
    await settle();
    await world.close();
    expect(await verified(bench)).toEqual([false, false, ...(await verified(bench)).slice(2)]);
  });

  test('another digest is replay.divergence: the world stops and is quarantined', async () => {
    const bench = await Bench.create();
    const log = recordingLog();
    // The first page of a verifying replay names another snapshot than the one that was taken.
    const world = await bench.open({ store: lying(bench.store), config, log });
    await world.startPlan({ plan: 't/steps@1', input: job('a') });
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    unwrap(await world.snapshot());
    expect(await world.closed).toMatchObject({ code: 'replay.divergence' });
    await until(async () => (await bench.store.world.get(bench.worldId))!.status === 'quarantined');
    expect(await verified(bench)).toEqual([false, false]);
    expect(log.lines.some((line) => line.startsWith('error the world is quarantined'))).toBe(true);
    await world.close();
  });

  test('it ends at once when nobody wants to know any more', async () => {
    const bench = await history([1, 6, 0, 6]);
    const [first, second] = await bench.store.world.snapshots(bench.worldId);
    expect(await verifyBaseline(bench.store, bench.worldId, first!, second!, () => true)).toMatchObject({
      value: false,
    });
    expect(await verifyBaseline(bench.store, bench.worldId, first!, second!, () => false)).toMatchObject({
      value: true,
    });
    expect(
      await verifyBaseline(bench.store, bench.worldId, first!, { ...second!, height: 9_999 }, () => false),
    ).toMatchObject({ failure: { code: 'snapshot.missing' } });
  });
});

/** A store whose journal, read from the beginning, has another hash in its second snapshot record, chain and all. */
function lying(store: Store): Store {
  return {
    ...store,
    journal: {
      ...store.journal,
      async read(worldId, from, limit) {
        const page = await store.journal.read(worldId, from, limit);
        if (page.answer !== 'ok' || from !== 0) return page;
        let chain: Uint8Array = new Uint8Array(32);
        const batches = page.batches.map((batch, i): StoredBatch => {
          const body = unwrap(decodeBatchBody(batch.body));
          const entries = body.entries.map((entry) => {
            const record = unwrap(decodeRecord(entry));
            return i > 1 && record.record_kind === 'snapshot'
              ? encodeRecord({ ...record, snapshot_ref: fromHex('ab'.repeat(32))! })
              : entry;
          });
          const bytes = encodeBatchBody({ ...body, entries });
          chain = nextChain(chain, bytes);
          return { ...batch, body: bytes, chain };
        });
        return { ...page, batches };
      },
    },
  };
}
