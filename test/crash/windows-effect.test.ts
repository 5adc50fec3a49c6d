import { unwrap } from '@worldline/canon';
import { collectBatches, decodeStoredBatch, encodeInboxItem } from '@worldline/host';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkAtRest, ofKind, outcomes, recordsOf, unread } from './check.ts';
import { send } from './composition.ts';
import { COMMIT, kill, Lab, type Rules, SECOND } from './lab.ts';

/**
 * Crash windows W5–W11 (from the durable batch to the outside and back) of `journal.md` §5.2: a process is killed exactly there, the world is opened again, and the row's
 * required outcome is looked for.
 */

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.make();
});
afterEach(() => lab.remove());

/** The world at rest, checked; @returns its records. */
const atRest = () => lab.look(checkAtRest);

describe('from the durable batch to the outside', () => {
  const unanswered: [string, Rules][] = [
    ['nobody has been told', { storeRules: kill({ at: 'store.synced', ...COMMIT }) }],
    ['the submitter has not been told', { hostRules: kill({ at: 'loop.committed', what: 'plan_start' }) }],
  ];
  test.each(unanswered)(
    'W5, the batch is durable and %s: the repeat is answered as a duplicate with its seqs',
    async (_, rules) => {
      expect(await lab.sendAndDie('keyed', rules)).toEqual(['open ok']);
      const records = await lab.look(recordsOf);
      const first = records.findIndex((record) => record.record_kind === 'plan_start');
      expect(first).toBe(3);
      await lab.reopened(async (world) => {
        expect(unwrap(await send(world, lab.job('keyed', 'a'), 'applied'))).toMatchObject({
          state: 'applied',
          duplicate: true,
          firstSeq: first,
          lastSeq: records.length - 1,
        });
      });
      expect(outcomes(await atRest())).toEqual([['a', 'ok']]);
      expect(lab.service.calls('a')).toBe(1);
    },
  );

  test.each(['keyed', 'once'] as const)(
    'W6, the intent of a %s effect is durable and not dispatched: it is performed once',
    async (kind) => {
      await lab.sendAndDie(kind, { hostRules: kill({ at: 'dispatch.durable', what: 'http.request' }) });
      expect(await lab.look((store, worldId) => store.outbox.list(worldId))).toMatchObject([
        { started: false, done: false },
      ]);
      expect(lab.service.calls('a')).toBe(0);
      await lab.reopened();
      expect(outcomes(await atRest())).toEqual([['a', 'ok']]);
      expect(lab.service.calls('a')).toBe(1);
    },
  );

  test('W7, an effect is claimed and its call not made: it is dispatched again', async () => {
    await lab.sendAndDie('keyed', { hostRules: kill({ at: 'dispatch.calling' }) });
    await lab.reopened();
    expect(outcomes(await atRest())).toEqual([['a', 'ok']]);
    expect([lab.service.calls('a'), lab.service.keys('a')]).toEqual([1, 1]);
  });

  test.each(['keyed', 'once'] as const)(
    'W7, the claim of a %s effect made at opening is left behind: it ends by itself and the effect is dispatched again',
    async (kind) => {
      await lab.sendAndDie(kind, { hostRules: kill({ at: 'dispatch.durable' }) });
      await lab.killed([['open'], ['rest']], { hostRules: kill({ at: 'dispatch.claimed' }) });
      await lab.reopened();
      expect(outcomes(await atRest())).toEqual([['a', 'ok']]);
      expect(lab.service.calls('a')).toBe(1);
    },
  );

  const answered: [string, Rules][] = [
    ['there is no receipt', { hostRules: kill({ at: 'dispatch.called' }) }],
    ['its receipt is applied and not committed', { hostRules: kill({ at: 'loop.applied', what: 'receipt' }) }],
    ['its receipt is written and not committed', { storeRules: kill({ at: 'store.sync', ...SECOND }) }],
  ];
  test.each(answered)(
    'W8, the call happened and %s: a keyed effect is done again under the same key',
    async (_, rules) => {
      await lab.sendAndDie('keyed', rules);
      expect(lab.service.calls('a')).toBe(1);
      await lab.reopened();
      const records = await atRest();
      expect(outcomes(records)).toEqual([['a', 'ok']]);
      expect(ofKind(records, 'effect_intent')).toHaveLength(1);
      expect([lab.service.calls('a'), lab.service.keys('a')]).toEqual([2, 1]);
    },
  );

  test.each(answered)(
    'W8, the call happened and %s: an at_most_once effect ends in delivery.unknown',
    async (_, rules) => {
      await lab.sendAndDie('once', rules);
      expect(await lab.look((store, worldId) => store.outbox.list(worldId))).toMatchObject([{ started: true }]);
      await lab.reopened();
      const records = await atRest();
      expect(outcomes(records)).toEqual([['a', 'failed']]);
      expect(ofKind(records, 'effect_receipt')).toMatchObject([
        { status: 'error', error: { code: 'delivery.unknown' } },
      ]);
      expect(lab.service.calls('a')).toBe(1);
    },
  );

  test('W8, the started mark is durable and the call not made: it may have been, so it is not made again', async () => {
    await lab.sendAndDie('once', { hostRules: kill({ at: 'dispatch.marked' }) });
    await lab.reopened();
    const records = await atRest();
    expect(ofKind(records, 'effect_receipt')).toMatchObject([{ error: { code: 'delivery.unknown' } }]);
    expect(lab.service.calls('a')).toBe(0);
  });

  test('W8, killed while the call is under way: both classes as after it', async () => {
    lab.service.delayMs = 60_000;
    const child = lab.start([
      ['open'],
      ['send', lab.job('keyed', 'k'), 'applied'],
      ['send', lab.job('once', 'o'), 'applied'],
      ['rest'],
    ]);
    await child.until('both calls', () => lab.service.calls('k') + lab.service.calls('o') === 2);
    child.kill('SIGKILL');
    await child.gone;
    lab.service.delayMs = 0;
    await lab.reopened();
    expect(outcomes(await atRest()).toSorted()).toEqual([
      ['k', 'ok'],
      ['o', 'failed'],
    ]);
    expect([lab.service.calls('k'), lab.service.keys('k'), lab.service.calls('o')]).toEqual([2, 1, 1]);
  });

  test.each(['keyed', 'once'] as const)(
    'W9, the receipt of a %s effect is durable and nobody knows: it stands, and nothing is called',
    async (kind) => {
      await lab.sendAndDie(kind, { storeRules: kill({ at: 'store.synced', ...SECOND }) });
      await lab.reopened();
      expect(outcomes(await atRest())).toEqual([['a', 'ok']]);
      expect(lab.service.calls('a')).toBe(1);
    },
  );

  test('W10, a receipt comes again after its effect was settled: only a skip is journaled', async () => {
    await lab.reopened(async (world) => {
      unwrap(await send(world, lab.job('keyed', 'a'), 'applied'));
    });
    await lab.withStore(async (store) => {
      const { worldId } = lab.composition;
      const [record] = ofKind(await recordsOf(store, worldId), 'effect_receipt');
      const { intent_hash, emission_seq, adapter_id, status, payload_cbor, signature } = record!;
      const receipt = {
        intentHash: intent_hash,
        emissionSeq: emission_seq,
        adapterId: adapter_id,
        status,
        payloadCbor: payload_cbor,
        signature,
      };
      const item = encodeInboxItem({
        ingress: { kind: 'receipt', receipt, verdict: {} },
        dedupeKey: `r:${emission_seq}:2`,
        enqueuedAtNs: 0n,
      });
      expect(await store.inbox.enqueue(worldId, item.item, item.digest, item.dedupeKey)).toMatchObject({
        answer: 'ok',
      });
    });
    const head = await lab.look((store, worldId) => store.journal.head(worldId));
    await lab.killed([['open'], ['stay']], { hostRules: kill({ at: 'loop.applied', what: 'receipt' }) });
    expect(await lab.look(unread)).toHaveLength(1);
    await lab.reopened();
    await atRest();
    await lab.look(async (store, worldId) => {
      expect(await unread(store, worldId)).toEqual([]);
      const [skip] = unwrap(await collectBatches(store, worldId, head!.height));
      expect(skip!.lastSeq).toBe(skip!.firstSeq - 1);
      expect(unwrap(decodeStoredBatch(skip!)).body.ingress.kind).toBe('skip');
    });
    expect(lab.service.calls('a')).toBe(1);
  });
});

describe('timers', () => {
  test('W11, a timer is due and its offer not applied: it is offered again and settled once', async () => {
    await lab.sendAndDie('nap', { hostRules: kill({ at: 'loop.timer_due' }) });
    await lab.reopened();
    expect(outcomes(await atRest())).toEqual([['a', 'ok']]);
  });

  test.each([
    ['its item is not durable', { storeRules: kill({ at: 'store.sync', what: 'timers.fire' }) }, 0],
    ['its item is durable', { storeRules: kill({ at: 'store.synced', what: 'timers.fire' }) }, 1],
  ] as const)(
    'W11, a timer service dies when %s: of all offers only the first that is applied settles it',
    async (_, rules, items) => {
      // The world's own process is gone before the timer is due.
      await lab.sendAndDie('nap', { hostRules: kill({ at: 'loop.committed', what: 'plan_start' }) });
      expect(await lab.killed([['fire']], rules)).toEqual([]);
      expect(await lab.look(unread)).toHaveLength(items);
      await lab.killed([['open'], ['stay']], { hostRules: kill({ at: 'loop.applied', what: 'timer' }) });
      await lab.reopened();
      expect(outcomes(await atRest())).toEqual([['a', 'ok']]);
      expect(await lab.look(unread)).toEqual([]);
    },
  );
});
