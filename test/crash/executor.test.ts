import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkAtRest, ofKind, outcomes, unread } from './check.ts';
import { kill, Lab, type Point } from './lab.ts';

/**
 * An executor that runs in a process of its own and is killed (F2, W7–W9): the receipts of what it finished are applied
 * once; what it began and did not finish ends as its delivery class says.
 */

let origin: Lab;

/** A world whose process is gone, with one effect of each class in its outbox, claimed by nobody. */
beforeAll(async () => {
  origin = await Lab.make();
  // Both lie there before the world is opened, so that they are applied together.
  await origin.killed(
    [['enqueue', origin.job('keyed', 'k')], ['enqueue', origin.job('once', 'o')], ['open'], ['stay']],
    { hostRules: kill({ at: 'dispatch.durable', hit: 2 }) },
  );
  await origin.freeRows();
  const rows = await origin.look((store, worldId) => store.outbox.list(worldId));
  expect(rows).toMatchObject([{ claimed: false }, { claimed: false }]);
});
afterAll(() => origin.remove());

interface End {
  /** Calls that the service sees in the end. */
  readonly calls: number;
  readonly outcome: 'ok' | 'failed';
}

const COMPLETE = { what: 'outbox.complete' } as const;
const cases: readonly [string, Point, { readonly receipts: number; readonly keyed: End; readonly once: End }][] = [
  [
    'after the claims: both are performed, for nothing was begun',
    { at: 'store.synced', what: 'outbox.claim' },
    { receipts: 0, keyed: { calls: 1, outcome: 'ok' }, once: { calls: 1, outcome: 'ok' } },
  ],
  [
    'after the started mark: what may have been called is not called',
    { at: 'store.synced', what: 'outbox.start' },
    { receipts: 0, keyed: { calls: 1, outcome: 'ok' }, once: { calls: 0, outcome: 'failed' } },
  ],
  [
    'after the calls: the keyed one is repeated under its key, the other never',
    { at: 'store.taken', ...COMPLETE },
    { receipts: 0, keyed: { calls: 2, outcome: 'ok' }, once: { calls: 1, outcome: 'failed' } },
  ],
  [
    'inside complete: no half of it is there',
    { at: 'store.done' },
    { receipts: 0, keyed: { calls: 2, outcome: 'ok' }, once: { calls: 1, outcome: 'failed' } },
  ],
  [
    'after one complete: that receipt is applied, its effect not repeated',
    { at: 'store.synced', ...COMPLETE },
    { receipts: 1, keyed: { calls: 1, outcome: 'ok' }, once: { calls: 1, outcome: 'failed' } },
  ],
  [
    'inside the complete of what must not be repeated: it ends in delivery.unknown',
    { at: 'store.done', hit: 2 },
    { receipts: 1, keyed: { calls: 1, outcome: 'ok' }, once: { calls: 1, outcome: 'failed' } },
  ],
  [
    'after both: both receipts are applied',
    { at: 'store.synced', ...COMPLETE, hit: 2 },
    { receipts: 2, keyed: { calls: 1, outcome: 'ok' }, once: { calls: 1, outcome: 'ok' } },
  ],
];

test.each(cases)('killed %s', async (_, point, { receipts, keyed, once }) => {
  const lab = origin.at(join(origin.composition.dir, 'copy'));
  cpSync(join(origin.composition.dir, 'store'), join(lab.composition.dir, 'store'), { recursive: true });
  cpSync(join(origin.composition.dir, 'keys'), join(lab.composition.dir, 'keys'), { recursive: true });
  lab.service.forget();
  try {
    await lab.executorKilled({ storeRules: kill(point) });
    expect(await lab.look(unread)).toHaveLength(receipts);
    await lab.reopened();
    const records = await lab.look(checkAtRest);
    expect(new Map(outcomes(records))).toEqual(
      new Map([
        ['k', keyed.outcome],
        ['o', once.outcome],
      ]),
    );
    const codes = ofKind(records, 'effect_receipt').flatMap((receipt) => receipt.error?.code ?? []);
    expect(codes).toEqual(once.outcome === 'failed' ? ['delivery.unknown'] : []);
    expect([lab.service.calls('k'), lab.service.keys('k'), lab.service.calls('o')]).toEqual([
      keyed.calls,
      1,
      once.calls,
    ]);
  } finally {
    lab.removeFolder();
  }
});
