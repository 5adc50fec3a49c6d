import { unwrap } from '@worldline/canon';
import { expect, test } from 'vitest';
import { readOutboxRequest } from '../src/outbox-request.ts';
import { approvals, Bench, fakeAdapter, job } from './bench-world.ts';

/** A row as an executor in another process claims it. */
async function claimed() {
  const bench = await Bench.create();
  const world = await bench.open({ adapters: [fakeAdapter(), approvals()] });
  await world.startPlan({ plan: 't/ask@1', input: job('a') });
  await world.close({ graceMs: 0 });
  // Claims that a commit made end with the next lease; its world leaves the rows to others.
  const next = await bench.open({ adapters: [fakeAdapter(), approvals()], holdEffects: true });
  const [row] = await bench.store.outbox.claim(bench.worldId, undefined, 'pool', 10, 60_000);
  await next.close({ graceMs: 0 });
  if (row === undefined) throw new Error('there is no row');
  return { row, intent: (await bench.of('effect_intent'))[0]! };
}

test('a request is verified by the intent hash of its row: whichever bit flips, no other effect is ever read (host.md §4)', async () => {
  const { row, intent } = await claimed();
  expect(unwrap(readOutboxRequest(row))).toEqual(intent);
  const effect = ({ kind, params_cbor, cap_name, idempotency_key }: typeof intent) => ({
    kind,
    params_cbor,
    cap_name,
    idempotency_key,
  });
  const answers = new Set<string>();
  for (let bit = 0; bit < row.request.length * 8; bit++) {
    const request = row.request.slice();
    request[bit >> 3]! ^= 1 << (bit & 7);
    const read = readOutboxRequest({ ...row, request });
    answers.add(read.ok ? 'ok' : read.failure.code);
    if (read.ok) expect([bit, effect(read.value)]).toEqual([bit, effect(intent)]);
  }
  // `ok`: origin and cause are no part of what is done.
  expect([...answers].sort()).toEqual(['journal.corrupt', 'ok']);
  expect(readOutboxRequest({ ...row, intentHash: new Uint8Array(32) })).toMatchObject({
    failure: { code: 'journal.corrupt', path: ['outbox', row.emissionSeq] },
  });
});

test('a row made anew without its request is told apart from a damaged one', async () => {
  const { row } = await claimed();
  expect(readOutboxRequest({ ...row, request: new Uint8Array(0) })).toMatchObject({ failure: { code: 'not_found' } });
});
