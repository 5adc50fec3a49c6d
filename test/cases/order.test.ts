import { encode } from '@worldline/canon';
import { KernelWorld } from '@worldline/testkit';
import { describe, expect, test } from 'vitest';
import {
  awaitEvent,
  awaitReceipt,
  edge,
  emit,
  end,
  eq,
  mark,
  type Node,
  nat,
  op,
  plan,
  raise,
  ref,
  schema,
  txt,
  world,
} from './nodes.ts';

/** Who comes first, and what each record names as its cause (kernel.md §6.3, §8.2, §10.4, plans.md §6.2, §11). */

const P = 't/p@1';
const Q = 't/q@1';
const started = (w: KernelWorld) => w.records('plan_started').map((r) => r.plan_name);
const marks = (w: KernelWorld) => w.raised('t/Mark@1').map((m) => (m as { s: string }).s);

describe('one event', () => {
  test('starts triggers by plan Name, ties in manifest order, after it woke the waits', () => {
    const starting = (name: string): Node => plan(name, [mark(name.replace(/\W/g, '_'))]);
    const w = KernelWorld.create(
      world(
        [
          starting('t/z@1'),
          starting('t/a@1'),
          plan(Q, [awaitEvent('w', 't/In@1', 'e'), mark('woken')], [edge('w', 'woken')]),
        ],
        {
          triggers: [
            { event: 't/In@1', plan: 't/z@1' },
            { event: 't/In@1', plan: 't/a@1', when: eq(ref('@event.id'), txt('both')) },
            { event: 't/In@1', plan: 't/a@1' },
          ],
        },
      ),
    );
    w.start(Q, { id: 'x' });
    w.send('t/In@1', { id: 'both' });
    expect(started(w)).toEqual([Q, 't/a@1', 't/a@1', 't/z@1']);
    expect(marks(w)).toEqual(['woken', 't_a_1', 't_a_1', 't_z_1']);
    expect(w.lastKinds().slice(0, 4)).toEqual(['domain_event', 'plan_started', 'plan_started', 'plan_started']);
    w.checkParity();
  });

  test('is seen by waits in the order they were registered, whichever way the index finds them', () => {
    const waiting = (name: string, where?: Node) =>
      plan(name, [awaitEvent('w', 't/Reply@1', 'e', where), mark(name.slice(2, 3))], [edge('w', name.slice(2, 3))]);
    const w = KernelWorld.create(
      world([
        waiting('t/a@1', eq(ref('@event.correlation_id'), txt('x'))),
        waiting('t/b@1'),
        waiting('t/c@1', eq(ref('@event.body'), txt('y'))),
        waiting('t/d@1', op('ne', ref('@event.correlation_id'), txt('x'))),
      ]),
    );
    for (const name of ['t/c@1', 't/d@1', 't/b@1', 't/a@1', 't/c@1']) w.start(name, { id: 'i' });
    w.send('t/Reply@1', { correlation_id: 'x', body: 'y' });
    expect(marks(w)).toEqual(['c', 'b', 'a', 'c']);
    w.checkParity();
  });

  test('keeps its envelope key: it stands in the record and is the correlation of a trigger without correlate_by', () => {
    const w = KernelWorld.create(world([plan(P, [mark('m')])], { triggers: [{ event: 't/In@1', plan: P }] }));
    const key = new Uint8Array([1, 2, 3]);
    w.send('t/In@1', { id: 'x' }, { key });
    expect(w.records('domain_event')[0]!.key).toEqual(key);
    expect(w.records('plan_started')[0]!.correlation).toEqual(encode(key));
    expect(w.records('plan_ended')[0]!.correlation).toEqual(encode(key));
    w.checkParity();
  });
});

describe('causes (kernel.md §8.2)', () => {
  test('each record of one run has the cause of the wake that the run took last', () => {
    const w = KernelWorld.create(
      world([
        plan(
          P,
          [
            awaitEvent('first', 't/Ready@1', 'a'),
            awaitEvent('second', 't/Other@1', 'b'),
            raise('say', 't/Other@1', { id: 'x' }),
            emit('e1', 'h1', { x: 1 }),
            emit('e2', 'h2', { x: 2 }),
            end('done'),
          ],
          [edge('first', 'say'), edge('say', 'e1'), edge('second', 'e2'), edge('e1', 'done'), edge('e2', 'done')],
        ),
      ]),
    );
    w.start(P, { id: 'i' });
    w.send('t/Ready@1', { id: 'x' });
    const [ready, other] = w.records('domain_event');
    expect(other!.cause).toBe(ready!.seq);
    expect(w.records('effect_intent').map((r) => r.cause)).toEqual([ready!.seq, other!.seq]);
    expect(w.records('plan_ended')[0]!.cause).toBe(other!.seq);
    w.checkParity();
  });

  test('an await that is satisfied at once changes nothing; a receipt is the cause of what it wakes', () => {
    const w = KernelWorld.create(
      world([
        plan(
          P,
          [
            emit('e1', 'h1', { x: 1 }),
            emit('e2', 'h2', { x: 2 }),
            awaitReceipt('r2', 'h2', 'b'),
            awaitReceipt('r1', 'h1', 'a'),
            mark('m'),
          ],
          [edge('r2', 'r1'), edge('r1', 'm')],
        ),
      ]),
    );
    w.start(P, { id: 'i' });
    const [start] = w.records('plan_start');
    expect(w.records('plan_started')[0]!.cause).toBe(start!.seq);
    expect(w.records('effect_intent').map((r) => r.cause)).toEqual([start!.seq, start!.seq]);
    const [e1, e2] = w.pending();
    w.receipt(e1!, { payload: { y: 1 } });
    w.receipt(e2!, { payload: { y: 2 } });
    const [buffered, applied] = w.records('effect_receipt');
    expect([buffered!.disposition, applied!.disposition]).toEqual(['buffered', 'applied']);
    expect(w.records('domain_event')[0]!.cause).toBe(applied!.seq);
    w.checkParity();
  });
});

describe('a receipt that several emissions share (kernel.md §9.5, §10.4)', () => {
  const asking = plan(P, [emit('e', 'h', { x: 1 }), awaitReceipt('r', 'h', 'got'), mark('m')], [edge('r', 'm')]);
  const three = () => {
    const w = KernelWorld.create(world([asking]));
    for (const id of ['a', 'b', 'c']) w.start(P, { id });
    const [emission] = w.pending();
    expect(emission!.waiters).toHaveLength(2);
    return { w, emission: emission! };
  };

  test('wakes leader and waiters in emission order; each knows the emission by its own intent', () => {
    const { w, emission } = three();
    const own = w.records('effect_intent').map((r) => r.seq);
    expect(w.instances().map((i) => i.handles.get('h')!.emissionSeq)).toEqual(own);
    w.snapshot();
    w.reopen();
    w.receipt(emission, { payload: { y: 1 } });
    expect(w.records('plan_ended').map((r) => r.plan_id)).toEqual([0, 1, 2]);
    expect(w.records('effect_receipt')[0]!.emission_seq).toBe(own[0]);
    // The same intent later is another dispatch.
    w.start(P, { id: 'd' });
    expect(w.pending()[0]!.emissionSeq).toBeGreaterThan(emission.emissionSeq);
    w.checkParity();
  });

  test('an ended leader makes it late, and the living waiters get it all the same', () => {
    const { w, emission } = three();
    w.cancel(0);
    w.receipt(emission, { payload: { y: 1 } });
    expect(w.records('effect_receipt')[0]!.disposition).toBe('late');
    expect(w.records('plan_ended').map((r) => [r.plan_id, r.status])).toEqual([
      [0, 'error'],
      [1, 'ok'],
      [2, 'ok'],
    ]);
    w.checkParity();
  });

  test('discarding a coalesced emission gives the leader its waiters of before', () => {
    const { w } = three();
    const { ref: before } = w.kernel.snapshot();
    const stamp = { nowNs: 1n, logicalNs: 0n, entropy: new Uint8Array(64) };
    w.kernel.apply({ kind: 'plan_start', plan: P, input: w.encode('t/In@1', { id: 'd' }) }, stamp);
    expect(w.pending()[0]!.waiters).toHaveLength(3);
    w.kernel.discard();
    expect(w.pending()[0]!.waiters).toHaveLength(2);
    expect(w.kernel.snapshot().ref).toEqual(before);
  });
});

test('wakes are taken oldest first, and what follows from one runs before the next (plans.md §6.2)', () => {
  const w = KernelWorld.create(
    world([
      plan(
        P,
        [
          awaitEvent('late', 't/Ready@1', 'b', eq(ref('@event.id'), txt('x'))),
          mark('after_late'),
          awaitEvent('early', 't/Ready@1', 'a'),
          mark('after_early'),
          mark('then'),
        ],
        [edge('late', 'after_late'), edge('early', 'after_early'), edge('after_early', 'then')],
      ),
    ]),
  );
  w.start(P, { id: 'i' });
  w.send('t/Ready@1', { id: 'x' });
  // Both waits match one event: by wait id, which is the order of registration.
  expect(marks(w)).toEqual(['after_late', 'after_early', 'then']);
  w.checkParity();
});

describe('large plans run in reasonable time (definitions.md: 512 steps, 2 048 edges)', () => {
  test('a layered plan with every edge guarded, and 64 invariants', () => {
    const steps: Node[] = [];
    const edges: Node[] = [];
    for (let i = 0; i < 512; i++) steps.push({ id: `s${i}`, op: 'assign', expr: nat(i), bind: { as: `v${i}` } });
    for (let i = 0; edges.length < 2048; i++) {
      const from = i % 480;
      edges.push(edge(`s${from}`, `s${from + 1 + Math.floor(i / 480)}`, eq(ref(`@var:v${from}`), nat(from))));
    }
    const invariants = Array.from({ length: 64 }, (_, i) => op('le', ref(`@var:v${i * 8}`), nat(i * 8)));
    const w = KernelWorld.create(world([plan(P, steps, edges, { invariants })]));
    w.start(P, { id: 'i' });
    expect(w.records('plan_ended')[0]!.status).toBe('ok');
    w.checkParity();
  });

  test('100 emissions, each awaited, answered in reverse', () => {
    const steps: Node[] = [];
    for (let i = 0; i < 100; i++) steps.push(emit(`e${i}`, `h${i}`, { x: i }), awaitReceipt(`r${i}`, `h${i}`, `g${i}`));
    const w = KernelWorld.create(world([plan(P, steps)]));
    w.start(P, { id: 'i' });
    for (const emission of w.pending().reverse()) w.receipt(emission, { payload: { y: 1 } });
    expect(w.records('plan_ended')[0]!.status).toBe('ok');
    w.reopen();
    expect(w.pending()).toEqual([]);
  });

  test('C64: 1 000 instances parked on one schema; an event costs those it can match', () => {
    const waiting = (name: string, where?: Node) =>
      plan(name, [awaitEvent('w', 't/Ready@1', 'e', where), mark('m')], [edge('w', 'm')]);
    const byId = op('and', eq(ref('@event.id'), ref('@plan.input.id')), eq(nat(1), nat(1)));
    const w = KernelWorld.create(world([waiting(P, byId), waiting(Q)]));
    for (let i = 0; i < 1000; i++) w.start(P, { id: `i${i}` });
    w.start(Q, { id: 'any' });
    w.snapshot();
    w.reopen();
    expect(w.kernel.residentCount).toBe(0);
    w.send('t/Ready@1', { id: 'i417' });
    expect(w.records('plan_ended').map((r) => r.plan_id)).toEqual([417, 1000]);
    // Only what could match was looked at: the others were not even read from their nodes.
    expect(w.kernel.residentCount).toBe(0);
    expect(w.kernel.liveCount).toBe(999);
  });
});

test('untyped integers, times and receipts keep their kind through a snapshot (plans.md §14)', () => {
  const w = KernelWorld.create(
    world(
      [
        plan(
          P,
          [
            { id: 'sum', op: 'assign', expr: op('add', nat(1), nat(2)), bind: { as: 'sum' } },
            { id: 'big', op: 'assign', expr: op('add', { nat: '18446744073709551614' }, nat(1)), bind: { as: 'big' } },
            { id: 'typed', op: 'assign', expr: op('add', nat(1), nat(2)), bind: { as: 'typed' } },
            { id: 'count', op: 'assign', expr: op('len', ref('@plan.input.id')), bind: { as: 'count' } },
            emit('e', 'h', { x: 1 }),
            awaitReceipt('r', 'h', 'got'),
            awaitEvent('w', 't/Ready@1', 'z'),
          ],
          [edge('r', 'w')],
          { locals: { typed: 't/Nat@1' } },
        ),
      ],
      { schemas: [schema('t/Big@1', { nat: {} })] },
    ),
  );
  w.start(P, { id: 'abc' });
  w.receipt(w.pending()[0]!, { payload: { y: 1 }, costCents: 2n ** 60n });
  const before = new Map(w.instances()[0]!.variables);
  w.snapshot();
  w.reopen();
  const [instance] = w.instances();
  expect(new Map(instance!.variables)).toEqual(before);
  const emissionSeq = w.records('effect_intent')[0]!.seq;
  expect(Object.fromEntries(before)).toEqual({
    sum: { kind: 'int', value: 3n },
    big: { kind: 'nat', value: 2n ** 64n - 1n },
    typed: { kind: 'nat', value: 3n },
    count: { kind: 'nat', value: 3n },
    h: { kind: 'handle', emissionSeq },
    got: { kind: 'receipt', emissionSeq },
  });
  expect(instance!.receipts.get(emissionSeq)!.costCents).toBe(2n ** 60n);
  w.checkParity();
});
