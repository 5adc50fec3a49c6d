import { KernelWorld } from '@worldline/testkit';
import { expect, test } from 'vitest';
import { awaitEvent, awaitPlansAll, edge, end, plan, ref, spawnForEach, world } from '../../../test/cases/nodes.ts';
import { liveRun, waitsText } from '../src/run-view.ts';

test('a run that waits for its children says which are under way (host.md §8.3)', () => {
  const child = plan('t/child@1', [
    awaitEvent('w', 't/Ready@1', 'e', { op: 'eq', args: [ref('@event.id'), ref('@plan.input.id')] }),
  ]);
  const inputs = { list: ['a', 'b', 'c'].map((id) => ({ record: { id: { text: id }, n: { null: {} } } })) };
  const parent = plan(
    't/p@1',
    [spawnForEach('f', 't/child@1', inputs, 'ks'), awaitPlansAll('all', ref('@var:ks'), 'rs'), end('end')],
    [edge('all', 'end')],
  );
  const w = KernelWorld.create(world([parent, child]));
  w.start('t/p@1', { id: 'x', n: null });
  const waits = () => liveRun(w.kernel.instance(0)!, w.kernel).waits;
  expect(waits()).toEqual(['1', '2', '3'].map((id) => ({ step: 'all', kind: 'plan', ref: id })));
  expect(waitsText(waits())).toBe('3 plans');
  for (const id of ['a', 'c']) w.send('t/Ready@1', { id });
  expect(waits()).toEqual([{ step: 'all', kind: 'plan', ref: '2' }]);
  expect(waitsText(waits())).toBe('plan 2');
});
