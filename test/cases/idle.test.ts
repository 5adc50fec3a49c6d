import { KernelWorld } from '@worldline/testkit';
import { expect, test } from 'vitest';
import { awaitEvent, awaitReceipt, edge, emit, eq, mark, plan, ref, world } from './nodes.ts';

/** Idle instances are rows (D7): dropping them from memory is not observable. */

const P = 't/p@1';

function parkMany(residentMax: number | undefined): KernelWorld {
  const w = KernelWorld.create(
    world([
      plan(
        P,
        [
          emit('e', 'h', { x: 1 }),
          awaitEvent('w', 't/Reply@1', 'reply', eq(ref('@event.correlation_id'), ref('@plan.input.id'))),
          awaitReceipt('r', 'h', 'got'),
          mark('m'),
        ],
        [edge('w', 'm'), edge('r', 'm')],
      ),
    ]),
    {},
    residentMax,
  );
  for (let i = 0; i < 12; i++) w.start(P, { id: `i${i}` });
  w.snapshot();
  return w;
}

test('after a snapshot only the most recently used instances stay in memory', () => {
  const w = parkMany(3);
  expect(w.kernel.residentCount).toBe(3);
  expect(w.kernel.liveCount).toBe(12);
});

test('a world that dropped its idle instances journals the same bytes as one that kept them', () => {
  const worlds = [parkMany(2), parkMany(undefined)];
  for (const w of worlds) {
    w.send('t/Reply@1', { correlation_id: 'i3' });
    w.receipt(w.pending()[0]!, { payload: { y: 1 } });
    w.snapshot();
    w.reopen();
    w.send('t/Reply@1', { correlation_id: 'i7' });
    w.cancel(5);
    w.checkParity();
  }
  const [dropped, kept] = worlds.map((w) => w.batches.map((b) => b.chain));
  expect(dropped).toEqual(kept);
  expect(worlds[0]!.records('plan_ended').map((r) => [r.plan_id, r.status])).toEqual([
    [3, 'ok'],
    [7, 'ok'],
    [5, 'error'],
  ]);
});

test('with more idle instances than a node of an index holds, waits and instances are found again in the store', () => {
  const worlds = [5, undefined].map((residentMax) => {
    const w = KernelWorld.create(
      world([
        plan(
          P,
          [awaitEvent('w', 't/Reply@1', 'reply', eq(ref('@event.correlation_id'), ref('@plan.input.id'))), mark('m')],
          [edge('w', 'm')],
        ),
      ]),
      {},
      residentMax,
    );
    for (let i = 0; i < 300; i++) w.start(P, { id: `i${i}` });
    w.snapshot();
    for (const i of [7, 299, 120]) w.send('t/Reply@1', { correlation_id: `i${i}` });
    w.cancel(200);
    w.start(P, { id: 'i7' });
    w.snapshot();
    // Gone, never there, and there again.
    for (const id of ['i299', 'none', 'i7', 'i8']) w.send('t/Reply@1', { correlation_id: id });
    w.reopen();
    w.send('t/Reply@1', { correlation_id: 'i9' });
    return w;
  });
  expect(worlds[0]!.kernel.residentCount).toBeLessThan(20);
  expect(worlds[0]!.records('plan_ended').map((r) => r.plan_id)).toEqual([7, 299, 120, 200, 300, 8, 9]);
  const [dropped, kept] = worlds.map((w) => ({
    chains: w.batches.map((b) => b.chain),
    digest: w.kernel.snapshot().ref,
    waits: w.kernel.waits(),
  }));
  expect(dropped).toEqual(kept);
});
