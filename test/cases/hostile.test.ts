import { bytesEqual, sha512, u64be } from '@worldline/canon';
import type { Ingress, StampProposal } from '@worldline/kernel';
import { KernelWorld } from '@worldline/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assign, awaitEvent, awaitReceipt, edge, emit, end, eq, mark, plan, ref, timer, txt, world } from './nodes.ts';

/** `apply` is total (kernel.md §16): whatever comes in, S stays whole, and what was journaled replays. */

const P = 't/p@1';
const NODES = world(
  [
    plan(
      P,
      [
        emit('e', 'h', { x: 1 }, { idempotency_key: { op: 'hash', args: [ref('@plan.input.id')] } }),
        timer('t', 'th', 5_000_000),
        awaitReceipt('r', 'h', 'got'),
        awaitEvent('v', 't/Reply@1', 'reply', eq(ref('@event.correlation_id'), ref('@plan.input.id'))),
        awaitReceipt('late', 'th', 'fired'),
        mark('m'),
        end('done'),
      ],
      [edge('r', 'm'), edge('v', 'm'), edge('m', 'done'), edge('late', 'done')],
    ),
  ],
  { triggers: [{ event: 't/In@1', plan: P }] },
);

const lone = fc.constantFrom('\ud800', 'a\udc00b');
const text = fc.oneof(
  { weight: 6, arbitrary: fc.string({ maxLength: 8 }) },
  { weight: 1, arbitrary: lone },
  { weight: 1, arbitrary: fc.constant('x'.repeat(300)) },
);
const seq = fc.oneof(fc.nat(60), fc.constantFrom(-1, 0.5, Number.NaN, Number.MAX_SAFE_INTEGER, 2 ** 60));
const bytes = fc.uint8Array({ maxLength: 24 });
const idOf = fc.option(fc.oneof(fc.constantFrom('i1', 'i2', 'i3'), text), { nil: undefined, freq: 3 });
const name = fc.oneof(fc.constantFrom('t/In@1', 't/Reply@1', 't/Mark@1', 'sys/TimerFired@1', P), text);

/** Either raw bytes, or a number the test turns into something valid for the moment. */
const move = fc.oneof(
  fc.record({ kind: fc.constant('valid' as const), choice: fc.nat(), value: fc.nat(3), ingressId: idOf }),
  fc.record({
    kind: fc.constant('event' as const),
    schema: name,
    value: bytes,
    key: fc.option(bytes, { nil: undefined }),
    ingressId: idOf,
  }),
  fc.record({ kind: fc.constant('inbox' as const), source: text, schema: name, value: bytes, ingressId: idOf }),
  fc.record({ kind: fc.constant('timer' as const), emissionSeq: seq }),
  fc.record({
    kind: fc.constant('plan_start' as const),
    plan: name,
    input: bytes,
    correlation: fc.option(bytes, { nil: undefined }),
    ingressId: idOf,
  }),
  fc.record({
    kind: fc.constant('control' as const),
    command: fc.constant('plan_cancel' as const),
    planId: seq,
    reason: text,
    actor: text,
    ingressId: idOf,
  }),
  fc.record({
    kind: fc.constant('receipt' as const),
    receipt: fc.record({
      intentHash: fc.oneof(bytes, fc.uint8Array({ minLength: 32, maxLength: 32 })),
      emissionSeq: fc.option(seq, { nil: undefined }),
      adapterId: text,
      status: fc.constantFrom('ok' as const, 'error' as const, 'timeout' as const),
      payloadCbor: fc.option(bytes, { nil: undefined }),
      costCents: fc.option(fc.bigInt({ min: -5n, max: 2n ** 65n }), { nil: undefined }),
      signature: bytes,
    }),
    verdict: fc.constantFrom({}, { reject: 'receipt.bad_signature' as const }, { sigKey: 'k' }),
  }),
);

function valid(w: KernelWorld, choice: number, value: number, ingressId: string | undefined): Ingress {
  const ids = ['a', 'b', 'c', 'd'];
  const pending = w.pending();
  const emission = pending.length === 0 ? undefined : pending[choice % pending.length];
  switch (choice % 4) {
    case 0:
      return { kind: 'event', schema: 't/In@1', value: w.encode('t/In@1', { id: ids[value] }), ingressId };
    case 1:
      return {
        kind: 'event',
        schema: 't/Reply@1',
        value: w.encode('t/Reply@1', { correlation_id: ids[value] }),
        ingressId,
      };
    case 2:
      return {
        kind: 'control',
        command: 'plan_cancel',
        planId: choice % 7,
        reason: 'because',
        actor: 'test',
        ingressId,
      };
    default:
      if (emission === undefined) return { kind: 'timer', emissionSeq: 3 };
      if (emission.class === 'timer') return { kind: 'timer', emissionSeq: emission.emissionSeq };
      return {
        kind: 'receipt',
        receipt: {
          intentHash: emission.intentHash,
          emissionSeq: emission.emissionSeq,
          adapterId: value === 0 ? 'manual.x' : 'x',
          status: value < 2 ? 'ok' : 'error',
          payloadCbor: value === 1 ? w.encode('t/Echoed@1', { y: 1 }) : undefined,
          signature: new Uint8Array(64),
        },
        verdict: {},
      };
  }
}

const runs = Number(process.env['WORLDLINE_FUZZ_RUNS'] ?? 60);

test('random ingresses, valid and hostile, never throw, and every prefix replays to the same bytes', () => {
  fc.assert(
    fc.property(fc.array(move, { minLength: 1, maxLength: 25 }), (moves) => {
      const w = KernelWorld.create(NODES);
      for (const m of moves) {
        const ingress = m.kind === 'valid' ? valid(w, m.choice, m.value, m.ingressId) : (m as Ingress);
        const { outcome } = w.apply(ingress);
        expect(['applied', 'duplicate', 'rejected', 'skipped']).toContain(outcome.kind);
      }
      const ends = w.records('plan_ended').map((r) => r.plan_id);
      expect(new Set(ends).size).toBe(ends.length);
      w.checkParity();
    }),
    { numRuns: runs },
  );
});

test('discarding tentative batches returns to the last accepted state, whatever was applied', () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 10 }), fc.array(move, { minLength: 1, maxLength: 10 }), (kept, dropped) => {
      const w = KernelWorld.create(NODES);
      const ingressOf = (m: (typeof kept)[number]) =>
        m.kind === 'valid' ? valid(w, m.choice, m.value, m.ingressId) : (m as Ingress);
      for (const m of kept) w.apply(ingressOf(m));
      const { ref: before } = w.kernel.snapshot();
      const { head } = w.kernel;
      let draws = 0;
      const stamp = (): StampProposal => ({ nowNs: 1n, logicalNs: 0n, entropy: sha512(u64be(++draws)) });
      for (const m of dropped) w.kernel.apply(ingressOf(m), stamp());
      w.kernel.discard();
      expect(w.kernel.head).toEqual(head);
      expect(bytesEqual(w.kernel.snapshot().ref, before)).toBe(true);
    }),
    { numRuns: runs },
  );
});

test('a world that goes on after discarded batches is the one that never had them', () => {
  const group = fc.record({ moves: fc.array(move, { minLength: 1, maxLength: 6 }), isKept: fc.boolean() });
  fc.assert(
    fc.property(fc.array(group, { minLength: 2, maxLength: 8 }), (groups) => {
      const w = KernelWorld.create(NODES);
      const twin = KernelWorld.create(NODES);
      let draws = 0;
      const stamp = (): StampProposal => ({ nowNs: 1n, logicalNs: 0n, entropy: sha512(u64be(++draws)) });
      for (const { moves, isKept } of groups) {
        for (const m of moves) {
          const ingress = m.kind === 'valid' ? valid(w, m.choice, m.value, m.ingressId) : (m as Ingress);
          if (!isKept) {
            w.kernel.apply(ingress, stamp());
            continue;
          }
          const { outcome } = w.apply(ingress);
          expect(twin.apply(ingress).outcome).toEqual(outcome);
        }
        if (!isKept) w.kernel.discard();
        expect(w.kernel.head).toEqual(twin.kernel.head);
        expect(w.pending()).toEqual(twin.pending());
      }
      expect(bytesEqual(w.kernel.snapshot().ref, twin.kernel.snapshot().ref)).toBe(true);
      w.checkParity();
    }),
    { numRuns: runs },
  );
});

test('a plan that doubles a value with each step ends value_too_large instead of exhausting the world (D10)', () => {
  const steps = [assign('s0', 'v0', { list: [txt('x'.repeat(64)), txt('y'.repeat(64))] })];
  for (let i = 1; i < 40; i++) {
    const before = ref(`@var:v${i - 1}`);
    steps.push(assign(`s${i}`, `v${i}`, { list: [before, before] }));
  }
  const edges = steps.slice(1).map((_, i) => edge(`s${i}`, `s${i + 1}`));
  const w = KernelWorld.create(world([plan(P, steps, edges)]));
  w.start(P, { id: 'a' });
  expect(w.records('plan_ended')[0]).toMatchObject({
    error_code: 'expr_error',
    message: 'expr_error: value_too_large',
  });
  w.checkParity();
});
