import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { unwrap } from '@worldline/canon';
import { collectBatches, decodeStoredBatch } from '@worldline/host';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkAtRest, kinds, ofKind, outcomes, recordsOf, unread } from './check.ts';
import { enqueue, type Job, send } from './composition.ts';
import { COMMIT, kill, Lab, type Point, type Rules } from './lab.ts';
import { commitEnds, tear } from './wal.ts';

/**
 * Crash windows W1–W4 (from a client to the durable batch) of `journal.md` §5.2: a process is killed exactly there, the world is opened again, and the row's
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

describe('a client and the inbox', () => {
  test.each([
    ['the item is not written', { at: 'store.item' }],
    ['the item is written and not committed', { at: 'store.sync', what: 'inbox.enqueue' }],
  ] as const)('W1, %s: the client saw no answer and repeats itself; there is one item', async (_, point) => {
    const job = lab.job('keyed', 'a');
    expect(await lab.killed([['enqueue', job]], { storeRules: kill(point) })).toEqual([]);
    await lab.reopened(async (_world, store) => {
      expect(await unread(store, lab.composition.worldId)).toEqual([]);
      expect(await enqueue(lab.composition, store, job)).toBe('ok');
      expect(await enqueue(lab.composition, store, job)).toBe('duplicate');
    });
    expect(outcomes(await atRest())).toEqual([['a', 'ok']]);
  });

  test('W2, the item is durable and its client does not know: it is applied once, and the repeat is a duplicate', async () => {
    const job = lab.job('keyed', 'a');
    const point = { at: 'store.synced', what: 'inbox.enqueue' } as const;
    expect(await lab.killed([['enqueue', job]], { storeRules: kill(point) })).toEqual([]);
    expect(await lab.look(unread)).toHaveLength(1);
    await lab.reopened(async (_world, store) => {
      expect(await enqueue(lab.composition, store, job)).toBe('duplicate');
    });
    expect(outcomes(await atRest())).toEqual([['a', 'ok']]);
    expect(lab.service.calls('a')).toBe(1);
  });
});

describe('from the input to the durable batch', () => {
  test('W2, an input that skipped the inbox is applied and not committed: nothing is found, and the repeat is applied', async () => {
    expect(await lab.sendAndDie('keyed', { hostRules: kill({ at: 'loop.applied', what: 'plan_start' }) })).toEqual([
      'open ok',
    ]);
    expect(kinds(await lab.look(recordsOf))).toEqual(['manifest', 'snapshot', 'baseline']);
    await lab.reopened(async (world) => {
      expect(unwrap(await send(world, lab.job('keyed', 'a'), 'applied'))).toMatchObject({ duplicate: false });
    });
    expect(outcomes(await atRest())).toEqual([['a', 'ok']]);
  });

  const objects: [string, Rules][] = [
    ['nothing is written', { hostRules: kill({ at: 'loop.applied', what: 'plan_start' }) }],
    ['the file of an object has its name', { storeRules: kill({ at: 'store.object_renamed' }) }],
    ['all objects are written', { storeRules: kill({ at: 'store.objects_written' }) }],
  ];
  test.each(objects)(
    'W3, %s: the item is applied again under a new stamp, what lies about is garbage',
    async (_, rules) => {
      const job = lab.job('mistake', 'a');
      // Every object is large enough for a file of its own.
      const inlineBytesMax = 1;
      await put(job);
      await lab.killed([['open'], ['stay']], { ...rules, inlineBytesMax });
      const before = await lab.look(async (store, worldId) => {
        expect(await unread(store, worldId)).toHaveLength(1);
        return recordsOf(store, worldId);
      });
      expect(kinds(before)).toEqual(['manifest', 'snapshot', 'baseline']);
      const diedAtNs = BigInt(Date.now()) * 1_000_000n;
      await lab.reopened();
      const records = await atRest();
      expect(ofKind(records, 'plan_ended')).toMatchObject([{ status: 'error', error_code: 'expr_error' }]);
      const stamp = await lab.look(async (store, worldId) => {
        const batches = unwrap(await collectBatches(store, worldId, before.length));
        return unwrap(decodeStoredBatch(batches[0]!)).body.stamp!;
      });
      expect(stamp.nowNs).toBeGreaterThanOrEqual(diedAtNs);
    },
  );

  const halves: [string, Point][] = [
    ['before its objects', { at: 'store.taken', ...COMMIT }],
    ['after its objects', { at: 'store.objects_written' }],
    ['in the middle of its rows', { at: 'store.batch_written' }],
    ['before the transaction is committed', { at: 'store.sync', ...COMMIT }],
  ];
  test.each(halves)('W4, killed %s: nothing of the batch is there, and its item is applied once', async (_, point) => {
    await put(lab.job('keyed', 'a'));
    await lab.killed([['open'], ['stay']], { storeRules: kill(point) });
    await lab.look(async (store, worldId) => {
      expect(kinds(await recordsOf(store, worldId))).toEqual(['manifest', 'snapshot', 'baseline']);
      expect(await unread(store, worldId)).toHaveLength(1);
      expect(await store.outbox.list(worldId)).toEqual([]);
    });
    await lab.reopened();
    expect(outcomes(await atRest())).toEqual([['a', 'ok']]);
    expect(lab.service.calls('a')).toBe(1);
  });

  test('W4, the frame of the batch is torn at any byte: it is cut off, and what was durable before is there', async () => {
    await put(lab.job('keyed', 'a'));
    await lab.killed([['open'], ['stay']], { storeRules: kill({ at: 'store.synced', ...COMMIT }) });
    const { dir } = lab.composition;
    const [before, end] = commitEnds(join(dir, 'store', 'worldline.db-wal')).slice(-2) as [number, number];
    const torn = join(dir, 'torn');
    for (let n = 0; n <= 12; n++) {
      const at = Math.min(end - 1, before + Math.round(((end - before) * n) / 12));
      cpSync(join(dir, 'store'), join(torn, 'store'), { recursive: true });
      tear(join(torn, 'store', 'worldline.db-wal'), at);
      const copy = lab.at(torn);
      await copy.look(async (store) => {
        expect(kinds(await recordsOf(store, lab.composition.worldId))).toEqual(['manifest', 'snapshot', 'baseline']);
        expect(await unread(store, lab.composition.worldId)).toHaveLength(1);
      });
      if (n === 6) {
        await copy.reopened();
        const records = await copy.look(checkAtRest);
        expect(outcomes(records)).toEqual([['a', 'ok']]);
      }
      copy.removeFolder();
    }
    // Whole, the same file has the batch.
    expect(kinds(await lab.look(recordsOf)).slice(3)).toContain('effect_intent');
  });
});
