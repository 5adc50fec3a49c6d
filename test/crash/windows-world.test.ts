import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { hashText, unwrap } from '@worldline/canon';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkAtRest, ofKind, outcomes, recordsOf } from './check.ts';
import { changeManifest, create, enqueue, type Job, send } from './composition.ts';
import { COMMIT, kill, Lab, type Rules } from './lab.ts';

/**
 * Crash windows W12, W13, W16–W18 (snapshots, manifest, lease, creation). W14 (compaction) and W15
 * (internal effects) belong to parts that do not exist yet of `journal.md` §5.2: a process is killed exactly there, the world is opened again, and the row's
 * required outcome is looked for.
 */

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.make();
});
afterEach(() => lab.remove());

/** The world at rest, checked; @returns its records. */
const atRest = () => lab.look(checkAtRest);

/** Puts a job into the inbox; what its client was told is durable. */
const put = (job: Job) => lab.withStore((store) => enqueue(lab.composition, store, job));

describe('snapshots', () => {
  /** Objects that have a file, whether anything refers to them or not. */
  const files = () => {
    const dir = join(lab.composition.dir, 'store', 'objects');
    return existsSync(dir) ? readdirSync(dir, { recursive: true }).filter((name) => String(name).length > 64) : [];
  };

  const half: [string, Rules, boolean][] = [
    ['its nodes are made', { hostRules: kill({ at: 'loop.snapshot_made' }) }, false],
    ['one node is in its file', { storeRules: kill({ at: 'store.object_renamed' }) }, true],
    [
      'everything is written and nothing committed',
      { storeRules: kill({ at: 'store.sync', what: 'commit', hit: 3 }) },
      true,
    ],
  ];
  test.each(half)(
    'W12, killed when %s: there is no snapshot, what lies about is garbage, and the next one is taken',
    async (_, rules, orphans) => {
      const lines = await lab.killed([['open'], ['send', lab.job('nap', 'a'), 'applied'], ['rest'], ['snapshot']], {
        ...rules,
        inlineBytesMax: 1,
      });
      expect(lines.at(-1)).toBe('rest ok');
      expect(files().length > 0).toBe(orphans);
      const before = await lab.look((store, worldId) => store.world.snapshots(worldId));
      expect(before).toHaveLength(1);
      await lab.reopened(async (world) => {
        unwrap(await world.snapshot());
      });
      expect(await lab.look((store, worldId) => store.world.snapshots(worldId))).toHaveLength(2);
      expect(outcomes(await atRest())).toEqual([['a', 'ok']]);
    },
  );

  test('W13, a snapshot is journaled and not promoted: the older baseline is valid, and the next snapshot becomes one', async () => {
    await lab.killed([['open'], ['send', lab.job('nap', 'a'), 'applied'], ['rest'], ['die']], {});
    expect(await lab.killed([['unpromoted'], ['die']], {})).toEqual(['unpromoted ok']);
    const [old, young] = await lab.look((store, worldId) => store.world.snapshots(worldId));
    expect([old!.baseline, young!.baseline]).toEqual([true, false]);
    expect((await lab.look((store, worldId) => store.world.get(worldId)))!.activeBaseline.height).toBe(old!.height);
    await lab.reopened(async (world) => {
      unwrap(await send(world, lab.job('nap', 'b'), 'applied'));
    });
    expect(outcomes(await atRest())).toEqual([
      ['a', 'ok'],
      ['b', 'ok'],
    ]);
    const rows = await lab.look((store, worldId) => store.world.snapshots(worldId));
    expect(rows.map((row) => row.baseline)).toEqual([true, false, true]);
  });

  test('W13, killed between the rows of a snapshot and its promotion: both or none, the older baseline is valid', async () => {
    const point = { at: 'store.batch_written', hit: 3 } as const;
    const lines = await lab.killed([['open'], ['send', lab.job('nap', 'a'), 'applied'], ['rest'], ['snapshot']], {
      storeRules: kill(point),
    });
    expect(lines.at(-1)).toBe('rest ok');
    expect(await lab.look((store, worldId) => store.world.snapshots(worldId))).toHaveLength(1);
    await lab.reopened();
    expect(outcomes(await atRest())).toEqual([['a', 'ok']]);
  });
});

describe('manifest, lease, creation', () => {
  test.each([
    ['not durable', { storeRules: kill({ at: 'store.sync', what: 'commit', hit: 2 }) }, false],
    ['durable and the caches are not switched', { hostRules: kill({ at: 'loop.committed', what: 'control' }) }, true],
  ] as const)('W16, a manifest change is %s: replay switches exactly with the record', async (_, rules, isChanged) => {
    const lines = await lab.killed([['open'], ['send', lab.job('ask', 'old'), 'applied'], ['manifest', 2]], rules);
    expect(lines).toEqual(['open ok', 'send old applied']);
    await lab.reopened(async (world, store) => {
      expect(ofKind(await recordsOf(store, lab.composition.worldId), 'manifest')).toHaveLength(isChanged ? 2 : 1);
      if (!isChanged) expect(await changeManifest(world, store, 2)).toBe('ok');
      unwrap(await send(world, lab.job('nap', 'new'), 'applied'));
      // The instance that was parked goes on under the definitions it began with.
      const [approval] = unwrap(await world.approvals());
      unwrap(await world.decideApproval({ intentHash: approval!.intentHash, decision: 'approved', approver: 'tests' }));
    });
    const records = await atRest();
    expect(new Map(outcomes(records))).toEqual(
      new Map([
        ['old', 'ok'],
        ['new', 'ok2'],
      ]),
    );
    const pins = ofKind(records, 'plan_started').map((record) => hashText(record.manifest_hash));
    expect(new Set(pins).size).toBe(2);
  });

  test('W17, the lease is lost while a batch is being committed: the batch is absent, its item is applied by the new holder', async () => {
    await put(lab.job('keyed', 'a'));
    const file = lab.file('hold');
    const child = lab.start([['open'], ['send', lab.job('keyed', 'b'), 'applied'], ['stay']], {
      leaseTimes: { ttlMs: 3_000, renewMs: 500, safetyMs: 300, maxSkewMs: 2_000 },
      storeRules: [{ at: 'store.taken', ...COMMIT, act: 'hold', file }],
    });
    await lab.held(child, file);
    await child.until('the end of the lease', () =>
      lab.look(async (store, worldId) => (await store.world.get(worldId))!.lease!.expiresAtNs < (await store.nowNs())),
    );
    await lab.withStore(async (store) => {
      // The holder's process lives, so only the end of its lease counts.
      const { world, rest } = await lab.takeOver(store);
      lab.release(file);
      expect(await child.gone).toBe(0);
      // Whoever waits for an answer there is told, and nothing of it is written.
      expect(child.lines).toEqual(['open ok', 'send b world.locked', 'stay world.locked']);
      await rest();
      await world.close();
    });
    const records = await atRest();
    expect(outcomes(records)).toEqual([['a', 'ok']]);
    expect(ofKind(records, 'plan_start')).toHaveLength(1);
    expect(lab.service.calls('a')).toBe(1);
  });
});

describe('W18', () => {
  beforeEach(async () => {
    await lab.remove();
    lab = await Lab.make({ isEmpty: true });
  });

  test.each([
    ['its definitions are not durable', { at: 'store.sync', what: 'cas.putMany' }, false],
    ['its definitions are durable', { at: 'store.synced', what: 'cas.putMany' }, false],
    ['its row is there without its journal', { at: 'store.batch_written' }, false],
    ['it is written and not committed', { at: 'store.sync', what: 'world.create' }, false],
    ['it is durable and nobody knows', { at: 'store.synced', what: 'world.create' }, true],
  ] as const)(
    'W18, the making of a world is cut when %s: it is there whole or not at all, and can be made',
    async (_, point, isThere) => {
      expect(await lab.killed([['create']], { storeRules: kill(point) })).toEqual([]);
      await lab.withStore(async (store) => {
        expect((await store.world.get(lab.composition.worldId)) !== undefined).toBe(isThere);
        expect(await create(lab.composition, store)).toBe(isThere ? 'world.exists' : 'ok');
      });
      await lab.reopened(async (world) => {
        unwrap(await send(world, lab.job('keyed', 'a'), 'applied'));
      });
      expect(outcomes(await atRest())).toEqual([['a', 'ok']]);
    },
  );
});
