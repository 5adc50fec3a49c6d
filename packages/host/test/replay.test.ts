import { bytesEqual, fromHex, toHex, unwrap } from '@worldline/canon';
import {
  decodeBatchBody,
  decodeRecord,
  defaultConfig,
  encodeBatchBody,
  encodeRecord,
  nextChain,
  ZERO_CHAIN,
} from '@worldline/kernel';
import type { Store, StoredBatch, WorldRow } from '@worldline/ports';
import { memoryStore, VirtualClock } from '@worldline/testkit';
import { describe, expect, test } from 'vitest';
import { createWorld } from '../src/create.ts';
import { uuidv7 } from '../src/ids.ts';
import { verifyJournal } from '../src/journal-verify.ts';
import { replayVerify } from '../src/replay.ts';
import { restoreKernel } from '../src/restore.ts';
import { Stamper } from '../src/stamps.ts';
import { approvals, Bench, fakeAdapter, hostConfig, job, loaded } from './bench-world.ts';

/** A world with a history: effects, timers, approvals, refusals, snapshots, restarts. */
async function history(): Promise<Bench> {
  const bench = await Bench.create();
  const config = hostConfig(({ snapshot }) => ({ snapshot: { ...snapshot, everyEntries: 25 } }));
  for (let round = 0; round < 3; round++) {
    const world = await bench.open({ config, adapters: [fakeAdapter(), approvals()] });
    await Promise.all(['a', 'b', 'c'].map((id) => world.startPlan({ plan: 't/steps@1', input: job(`${id}${round}`) })));
    await world.startPlan({ plan: 't/ask@1', input: job(`ask${round}`) });
    await world.cancelPlan({ planId: 999, reason: 'none', actor: 'me' });
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    await world.close();
  }
  return bench;
}

/** The same store with batches changed on reading, and every chain value made to fit. */
function altered(store: Store, alter: (batch: StoredBatch) => StoredBatch): Store {
  return {
    ...store,
    journal: {
      ...store.journal,
      async read(worldId, fromSeq, limit) {
        const page = await store.journal.read(worldId, fromSeq, limit);
        if (page.answer !== 'ok' || fromSeq !== 0) return page;
        let chain: Uint8Array = ZERO_CHAIN;
        const batches = page.batches.map((batch) => {
          const { body, ...rest } = alter(batch);
          chain = nextChain(chain, body);
          return { ...rest, body, chain };
        });
        return { ...page, batches };
      },
    },
  };
}

describe('replay --verify (`journal.md` §7, L1–L3)', () => {
  test('from genesis and from the baseline the state is the same, and every snapshot’s digest is compared', async () => {
    const bench = await history();
    const options = { store: bench.store, worldId: bench.worldId };
    const full = unwrap(await replayVerify({ ...options, fromGenesis: true }));
    const tail = unwrap(await replayVerify({ ...options, fromGenesis: false }));
    expect(full).toMatchObject({ match: true, differences: [] });
    expect(tail).toMatchObject({ match: true, snapshot: full.snapshot, head: full.head });
    expect(full.snapshotsCompared).toBe((await bench.of('snapshot')).length);
    expect(full.snapshotsCompared).toBeGreaterThan(3);
    expect(full.records).toBe((await bench.records()).length);
    expect(tail.records).toBeLessThan(full.records);
  });

  test('up to a height: the digest is that of the snapshot taken there', async () => {
    const bench = await history();
    const [row] = (await bench.store.world.snapshots(bench.worldId)).slice(1);
    const report = unwrap(
      await replayVerify({ store: bench.store, worldId: bench.worldId, fromGenesis: true, to: row!.height }),
    );
    expect(report).toMatchObject({ head: row!.height, match: true, snapshot: `sha256:${toHex(row!.ref)}` });
    expect(
      await replayVerify({ store: bench.store, worldId: bench.worldId, fromGenesis: true, to: row!.height + 1 }),
    ).toMatchObject({
      failure: { code: 'invalid_request' },
    });
  });

  test('a derived record that was changed, chain and all, is a difference at its seq', async () => {
    const bench = await history();
    const { seq } = (await bench.records()).find((r) => r.record.record_kind === 'plan_ended')!;
    const store = altered(bench.store, (batch) => {
      if (seq < batch.firstSeq || seq > batch.lastSeq) return batch;
      const body = unwrap(decodeBatchBody(batch.body));
      const entries = body.entries.map((entry, i) => {
        if (batch.firstSeq + i !== seq) return entry;
        return encodeRecord({ ...unwrap(decodeRecord(entry)), plan_name: 't/other@1' } as never);
      });
      return { ...batch, body: encodeBatchBody({ ...body, entries }) };
    });
    const report = unwrap(await replayVerify({ store, worldId: bench.worldId, fromGenesis: true }));
    expect(report.match).toBe(false);
    expect(report.differences).toMatchObject([{ seq, code: 'replay.divergence' }]);
    const verify = unwrap(await verifyJournal({ store, worldId: bench.worldId }));
    expect(verify.problems.length).toBe(1);
    expect(verify.problems[0]).toMatchObject({ code: 'journal.corrupt' });
  });

  test('an unknown world is not_found', async () => {
    const bench = await Bench.create();
    expect(await replayVerify({ store: bench.store, worldId: 'none', fromGenesis: true })).toMatchObject({
      failure: { code: 'not_found' },
    });
    expect(await verifyJournal({ store: bench.store, worldId: 'none' })).toMatchObject({
      failure: { code: 'not_found' },
    });
  });
});

/** The same store, of which `row` was read before the last batches came. */
function lookedAtBefore(store: Store, row: WorldRow): Store {
  return { ...store, world: { ...store.world, get: async () => row } };
}

describe('beside a running world', () => {
  test('what is appended between the look at the head and the reading of the journal is not seen, and no damage', async () => {
    const bench = await history();
    const row = (await bench.store.world.get(bench.worldId))!;
    const world = await bench.open();
    await world.startPlan({ plan: 't/steps@1', input: job('later') });
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    const store = lookedAtBefore(bench.store, row);
    const kernel = unwrap(await restoreKernel(store, row, row.epoch));
    expect(kernel.head).toEqual(row.head);
    expect(unwrap(await verifyJournal({ store, worldId: bench.worldId })).problems).toEqual([]);
    await world.close();
  });

  test('a head that no batch ends at is journal.corrupt', async () => {
    const bench = await history();
    const row = (await bench.store.world.get(bench.worldId))!;
    for (const head of [
      { height: row.head.height + 1, chain: row.head.chain },
      { height: row.head.height, chain: new Uint8Array(32) },
    ]) {
      const failure = { code: 'journal.corrupt' };
      expect(await restoreKernel(bench.store, { ...row, head }, row.epoch)).toMatchObject({ failure });
    }
  });
});

describe('journal verify', () => {
  test('a sound journal has no problems, and every signed receipt verifies with its key', async () => {
    const bench = await history();
    const own = [{ keyId: bench.key.keyId, alg: 'ed25519' as const, key: bench.key.publicKey }];
    const verify = async (keys: typeof own) =>
      unwrap(
        await verifyJournal({
          store: bench.store,
          worldId: bench.worldId,
          signatures: { own: keys, trusted: [], worldKey: bench.worldKey.publicKey },
        }),
      );
    const signed = (await bench.of('effect_receipt')).filter((r) => r.sig_key !== undefined);
    const head = (await bench.records()).length;
    expect(await verify(own)).toMatchObject({
      problems: [],
      entries: head,
      signatures: { signedToSeq: head, receiptsVerified: signed.length, receiptsUnverifiable: 0 },
    });
    expect(signed.length).toBeGreaterThan(20);
    const strange = await verify([]);
    expect(strange.problems.length).toBe(signed.length);
    expect(strange.problems.every((p) => p.code === 'receipt.bad_signature')).toBe(true);
  });

  test('a missing batch and a damaged object are told with their place', async () => {
    const bench = await history();
    const [snapshot] = (await bench.of('snapshot')).slice(1);
    bench.store.corruptObject(snapshot!.snapshot_ref);
    const damaged = unwrap(await verifyJournal({ store: bench.store, worldId: bench.worldId }));
    expect(damaged.problems).toMatchObject([{ code: 'object.corrupt' }, { code: 'object.corrupt' }]);
    const start = (await bench.records()).find((r) => r.record.record_kind === 'plan_start')!;
    bench.store.removeBatch(bench.worldId, start.seq);
    const torn = unwrap(await verifyJournal({ store: bench.store, worldId: bench.worldId }));
    expect(torn.problems.some((p) => p.code === 'journal.corrupt')).toBe(true);
  });
});

describe('creating a world (`kernel.md` §2.1)', () => {
  test('genesis and baseline are there together, with every definition', async () => {
    const store = memoryStore();
    const made = unwrap(await createWorld({ store, loaded: loaded(), config: defaultConfig() }));
    expect(made.worldId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const row = (await store.world.get(made.worldId))!;
    expect(row).toMatchObject({ status: 'active', head: { height: 3 }, activeBaseline: { height: 1 } });
    expect(unwrap(await verifyJournal({ store, worldId: made.worldId })).problems).toEqual([]);
    const again = await createWorld({ store, loaded: loaded(), config: defaultConfig(), worldId: made.worldId });
    expect(again).toMatchObject({ ok: false, failure: { code: 'world.exists' } });
  });

  test('the same inputs give the same bytes; logical time begins at the wall clock or at the origin', async () => {
    const make = async (origin?: bigint) => {
      const store = memoryStore();
      const config = { ...defaultConfig(), ...(origin === undefined ? {} : { logical_origin: origin }) };
      const entropy = () => new Uint8Array(64).fill(7);
      const { worldId } = unwrap(
        await createWorld({
          store,
          loaded: loaded(),
          config,
          worldId: 'w',
          universeId: 'u',
          clock: new VirtualClock(),
          entropy,
        }),
      );
      return (await store.world.get(worldId))!;
    };
    expect(bytesEqual((await make()).head.chain, (await make()).head.chain)).toBe(true);
    expect(bytesEqual((await make(0n)).head.chain, (await make()).head.chain)).toBe(false);
  });

  test('ids of version 7 sort by time', () => {
    expect(uuidv7(1_000_000n) < uuidv7(2_000_000n)).toBe(true);
    expect(uuidv7(1_700_000_000_000_000_000n).startsWith('018bcfe5-6800-7')).toBe(true);
    expect(fromHex(uuidv7(0n).replaceAll('-', ''))!.length).toBe(16);
  });
});

describe('stamps (`kernel.md` §4, S1)', () => {
  test('logical time runs on while the world is closed, ignores wall jumps while it is open, and never goes back', () => {
    const clock = new VirtualClock({ wallNs: 1_000n });
    const stamper = new Stamper(clock);
    stamper.rebase({ logicalNowNs: 50n, lastNowNs: 900n });
    expect(stamper.sample()).toMatchObject({ nowNs: 1_000n, logicalNs: 150n });
    clock.jumpWall(5_000n);
    clock.advance(10n);
    expect(stamper.sample()).toMatchObject({ nowNs: 6_010n, logicalNs: 160n });
    // A wall clock behind the last ingress adds nothing.
    stamper.rebase({ logicalNowNs: 160n, lastNowNs: 9_999n });
    expect(stamper.logicalNs()).toBe(160n);
    expect(stamper.monoAtNs(200n) - clock.monoNs()).toBe(40n);
  });

  test('entropy is 64 bytes, never twice the same', () => {
    const stamper = new Stamper(new VirtualClock());
    stamper.rebase({ logicalNowNs: 0n, lastNowNs: 0n });
    const drawn = Array.from({ length: 1_000 }, () => stamper.sample().entropy);
    expect(drawn.every((e) => e.length === 64)).toBe(true);
    expect(new Set(drawn.map(toHex)).size).toBe(1_000);
  });
});
