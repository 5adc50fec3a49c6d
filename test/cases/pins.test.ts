import { encode } from '@worldline/canon';
import { KernelWorld } from '@worldline/testkit';
import { expect, test } from 'vitest';
import {
  awaitEvent,
  awaitReceipt,
  edge,
  emit,
  eq,
  mark,
  type Node,
  plan,
  raise,
  ref,
  schema,
  txt,
  world,
} from './nodes.ts';

/** What a running instance keeps and what is live when the manifest changes under it (kernel.md §2.2, plans.md §5). */

const P = 't/p@1';
const Q = 't/q@1';
const IN = { id: 'r1' };
const ended = (w: KernelWorld) => w.records('plan_ended').map((r) => (r.status === 'ok' ? 'ok' : r.message));
const marks = (w: KernelWorld) => w.raised('t/Mark@1').map((m) => (m as { s: string }).s);

/** The same nodes with another type under one schema Name. */
const retyped = (nodes: Node[], name: string, type: unknown): Node[] =>
  nodes.map((n) => (n['$kind'] === 'defschema' && n['name'] === name ? schema(name, type) : n));

test('a receipt shared over two pins is payload only for those whose receipt schema it fits (kernel.md §10.2)', () => {
  const nodes = world([
    plan(
      P,
      [emit('e', 'h', { x: 1 }), awaitReceipt('r', 'h', 'got'), raise('say', 't/Out@1', { n: ref('@var:got.y') })],
      [edge('r', 'say')],
    ),
  ]);
  const w = KernelWorld.create(nodes);
  w.start(P, IN);
  // `say` would not load over a text; what the second instance does with the payload is evaluated, not checked here.
  w.push(retyped(nodes, 't/Echoed@1', { record: { y: { text: {} } } }), { staticTypes: false });
  w.start(P, IN);
  const [emission] = w.pending();
  expect(emission!.waiters).toHaveLength(1);
  const answer = w.apply({
    kind: 'receipt',
    receipt: {
      intentHash: emission!.intentHash,
      emissionSeq: emission!.emissionSeq,
      adapterId: 'x',
      status: 'ok',
      payloadCbor: encode({ y: 1 }),
      signature: new Uint8Array(64),
    },
    verdict: {},
  });
  expect(answer.outcome.kind).toBe('applied');
  expect(ended(w)).toEqual(['ok', 'expr_error: no_payload']);
  w.checkParity();
});

test('params are read by the pinned schema, whatever the active one says; authority is the active grant', () => {
  const w = KernelWorld.create(
    world([plan(P, [awaitEvent('w', 't/Ready@1', 'v'), emit('e', 'h', { x: 1 })], [edge('w', 'e')])]),
  );
  w.start(P, IN);
  const other = { record: { x: { variant: { A: { ref: 'sys/SecretRef@1' } } } } };
  w.push(retyped(world([plan(Q, [mark('m')])]), 't/Echo@1', other));
  w.send('t/Ready@1', { id: 'x' });
  expect(ended(w)).toEqual(['ok']);
  expect(w.records('effect_intent')[0]!.params_cbor).toEqual(encode({ x: 1 }));
  w.checkParity();
});

test('an effect kind that is gone denies; nothing is recorded before the end (kernel.md §9.3 row 1)', () => {
  const w = KernelWorld.create(
    world([plan(P, [awaitEvent('w', 't/Ready@1', 'v'), emit('e', 'h', { x: 1 })], [edge('w', 'e')])]),
  );
  w.start(P, IN);
  const manifest = world([plan(Q, [mark('m')])]).at(-1)!;
  const effects = (manifest['effects'] as Node[]).filter((e) => e['name'] !== 't/echo@1');
  w.push(
    [...world([plan(Q, [mark('m')])]).slice(0, -1), { ...manifest, effects }].filter((n) => n['name'] !== 't/echo@1'),
  );
  w.send('t/Ready@1', { id: 'x' });
  expect(w.lastKinds()).toEqual(['domain_event', 'plan_ended']);
  expect(ended(w)).toEqual(['effect_invalid: effect.kind_unsupported']);
  w.checkParity();
});

test('an event whose definition changed is not delivered to a waiter that pins the old one (plans.md §7.2)', () => {
  const nodes = world([plan(P, [awaitEvent('w', 't/Ready@1', 'v'), mark('m')], [edge('w', 'm')])]);
  const w = KernelWorld.create(nodes);
  w.start(P, IN);
  w.push(retyped(nodes, 't/Ready@1', { record: { id: { text: {} }, more: { option: { text: {} } } } }));
  w.start(P, IN);
  w.send('t/Ready@1', { id: 'x' });
  expect(w.records('plan_ended').map((r) => r.plan_id)).toEqual([1]);
  // The definition comes back, and with it the delivery.
  w.push(nodes);
  w.send('t/Ready@1', { id: 'x' });
  expect(w.records('plan_ended').map((r) => r.plan_id)).toEqual([1, 0]);
  w.checkParity();
});

test('raising an event whose definition changed or went ends event_schema_changed (plans.md §10)', () => {
  const nodes = world([plan(P, [awaitEvent('w', 't/Ready@1', 'v'), mark('m')], [edge('w', 'm')])]);
  for (const changed of [
    retyped(nodes, 't/Mark@1', { record: { s: { text: {} }, more: { option: { text: {} } } } }),
    world([plan(Q, [emit('e', 'h', { x: 1 })])])
      .filter((n) => n['name'] !== 't/Mark@1')
      .map((n) =>
        n['$kind'] === 'manifest'
          ? { ...n, schemas: (n['schemas'] as Node[]).filter((s) => s['name'] !== 't/Mark@1') }
          : n,
      ),
  ]) {
    const w = KernelWorld.create(nodes);
    w.start(P, IN);
    w.push(changed);
    w.send('t/Ready@1', { id: 'x' });
    expect(ended(w)).toEqual(['event_schema_changed']);
    const error = w.decode('sys/PlanError@1', w.object(w.records('plan_ended')[0]!.result_ref!)!);
    expect(error).toMatchObject({ details: '{"at":"/steps/1/event","step":"m"}' });
    expect(marks(w)).toEqual([]);
    w.checkParity();
  }
});

test('what is no data has no place in the wait index: a where over a handle parks and never matches', () => {
  const where = eq(ref('@event.correlation_id'), ref('@var:h'));
  const w = KernelWorld.create(
    world([plan(P, [emit('e', 'h', { x: 1 }), awaitEvent('w', 't/Reply@1', 'v', where)], [edge('e', 'w')])]),
    {},
    undefined,
    // The checker refuses it; a journal from before may have it.
    { staticTypes: false },
  );
  expect(w.start(P, IN).outcome.kind).toBe('applied');
  expect(w.kernel.waits()[0]!.match).toBeUndefined();
  w.send('t/Reply@1', { correlation_id: 'x' });
  expect(w.instances()).toHaveLength(1);
  w.checkParity();
});

test('names that objects give a meaning to are names like any other', () => {
  for (const name of ['__proto__', 'constructor', 'toString']) {
    const bindLocals = Object.create(null) as Record<string, unknown>;
    bindLocals[name] = 7;
    const w = KernelWorld.create(
      world([
        plan(
          P,
          [
            {
              id: name,
              op: 'assign',
              expr: { map: [{ key: txt(name), value: ref(`@var:${name}`) }] },
              bind: { as: 'v' },
            },
            awaitEvent('w', 't/Reply@1', 'z'),
          ],
          [edge(name, 'w')],
          { locals: { [name]: 't/Nat@1' } },
        ),
      ]),
    );
    expect(w.start(P, IN, { bindLocals }).outcome.kind).toBe('applied');
    w.snapshot();
    w.reopen();
    const { variables, stepValues } = w.instances()[0]!;
    const seven = { kind: 'nat', value: 7n };
    expect(variables.get(name)).toEqual(seven);
    expect(stepValues.get(name)).toEqual({ kind: 'map', entries: [[{ kind: 'text', value: name }, seven]] });
    w.checkParity();
  }
});

test('a value nested as deep as state allows survives a restart', () => {
  const steps: Node[] = [{ id: 's0', op: 'assign', expr: { list: [txt('x')] }, bind: { as: 'v0' } }];
  for (let i = 1; i < 100; i++)
    steps.push({ id: `s${i}`, op: 'assign', expr: { list: [ref(`@var:v${i - 1}`)] }, bind: { as: `v${i}` } });
  steps.push(awaitEvent('w', 't/Ready@1', 'z'));
  const edges = steps.slice(1).map((s, i) => edge(steps[i]!['id'] as string, s['id'] as string));
  const w = KernelWorld.create(world([plan(P, steps, edges)]));
  w.start(P, IN);
  w.snapshot();
  w.reopen();
  w.send('t/Ready@1', { id: 'x' });
  expect(ended(w)).toEqual(['ok']);
  w.checkParity();
});
