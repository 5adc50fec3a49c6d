import { encode, toHex } from '@worldline/canon';
import { KernelWorld } from '@worldline/testkit';
import { describe, expect, test } from 'vitest';
import {
  assign,
  awaitEvent,
  awaitReceipt,
  edge,
  emit,
  end,
  eq,
  mark,
  nat,
  op,
  plan,
  ref,
  schema,
  timer,
  txt,
  world,
} from './nodes.ts';

/** What enters a world: validation order and codes of kernel.md §3.1, acceptance of receipts (§10.2), timers (§12). */

const P = 't/p@1';
const asking = plan(P, [emit('e', 'h', { x: 1 }), awaitReceipt('w', 'h', 'r'), mark('m')], [edge('w', 'm')], {
  locals: { extra: 't/Nat@1' },
});
const make = () => KernelWorld.create(world([asking], { triggers: [{ event: 't/In@1', plan: P }] }));
const rejected = (w: KernelWorld) => w.records('ingress_rejected').map((r) => r.code);

describe('events (kernel.md §3.1)', () => {
  test.each([
    ['row 1', 'too_large', { schema: 't/Mark@1', value: new Uint8Array(1_048_577) }],
    ['row 1', 'too_large', { schema: 't/Mark@1', value: new Uint8Array(1), ingressId: 'x'.repeat(201) }],
    ['row 1', 'decode_error', { schema: '\ud800', value: new Uint8Array(1) }],
    ['row 3', 'schema.reserved', { schema: 'sys/TimerFired@1', value: encode({}) }],
    ['row 4', 'schema.unknown', { schema: 't/Nope@1', value: encode({}) }],
    ['row 5', 'event.invalid', { schema: 't/Mark@1', value: encode({ s: 1 }) }],
    ['row 5', 'event.invalid', { schema: 't/Mark@1', value: encode({ s: 'x', more: 1 }) }],
    ['row 5', 'event.invalid', { schema: 't/Mark@1', value: new Uint8Array([0xff]) }],
  ])('%s: %s, journaled alone, the state moves only by head and times', (_row, code, event) => {
    const w = make();
    const answer = w.apply({ kind: 'event', ...event });
    expect(answer.outcome).toMatchObject({ kind: 'rejected', code });
    expect(w.lastKinds()).toEqual(['ingress_rejected']);
    expect(w.instances()).toEqual([]);
    expect(w.send('t/Mark@1', { s: 'fine' }).outcome.kind).toBe('applied');
    w.checkParity();
  });

  test('row 2: one id with the same content is a duplicate of the first, with other content a conflict', () => {
    const w = make();
    w.send('t/Mark@1', { s: 'a' }, { ingressId: 'i' });
    const seq = w.records('domain_event')[0]!.seq;
    expect(w.send('t/Mark@1', { s: 'a' }, { ingressId: 'i' }).outcome).toEqual({ kind: 'duplicate', firstSeq: seq });
    expect(w.send('t/Mark@1', { s: 'b' }, { ingressId: 'i' }).outcome).toMatchObject({
      kind: 'rejected',
      code: 'ingress.conflict',
    });
    // The first use of the id is still the one that counts.
    expect(w.send('t/Mark@1', { s: 'a' }, { ingressId: 'i' }).outcome).toEqual({ kind: 'duplicate', firstSeq: seq });
    w.checkParity();
  });

  test('row 2: a rejected ingress is remembered too, and snapshots carry the memory', () => {
    const w = make();
    w.send('t/Nope@1', {}, { ingressId: 'i' });
    const seq = w.records('ingress_rejected')[0]!.seq;
    w.snapshot();
    w.reopen();
    expect(w.send('t/Nope@1', {}, { ingressId: 'i' }).outcome).toEqual({ kind: 'duplicate', firstSeq: seq });
    w.checkParity();
  });

  test('row 7: an inbox message without a route is refused', () => {
    const w = make();
    const answer = w.apply({
      kind: 'inbox',
      source: 'mail',
      schema: 't/Mark@1',
      value: w.encode('t/Mark@1', { s: 'x' }),
    });
    expect(answer.outcome).toMatchObject({ kind: 'rejected', code: 'inbox.unrouted' });
    w.checkParity();
  });

  test('a duplicate that came through the inbox moves the cursor with an empty batch', () => {
    const w = make();
    const item = (n: number) => new Uint8Array([0, n]);
    w.send('t/Mark@1', { s: 'a' }, { ingressId: 'i', inboxSeq: item(1) });
    const { height } = w.kernel.head;
    const again = w.send('t/Mark@1', { s: 'a' }, { ingressId: 'i', inboxSeq: item(2) });
    expect(again.batch).toMatchObject({ firstSeq: height, lastSeq: height - 1, inboxCursor: item(2) });
    expect(w.kernel.head.height).toBe(height);
    expect(w.kernel.cursor).toEqual(item(2));
    w.checkParity();
  });
});

describe('manual start and cancel', () => {
  test.each([
    ['plan.unknown', 't/nope@1', { id: 'a' }, {}],
    ['plan.input_invalid', P, { id: 1 }, {}],
    ['plan.input_invalid', P, { id: 'a' }, { bindLocals: { nope: 1 } }],
    ['plan.input_invalid', P, { id: 'a' }, { bindLocals: { extra: 'not a nat' } }],
    ['plan.input_invalid', P, { id: 'a' }, { correlation: [1] }],
  ])('row 8: %s', (code, name, input, options) => {
    const w = make();
    expect(w.start(name, input, options).outcome).toMatchObject({ kind: 'rejected', code });
    expect(w.records('plan_started')).toEqual([]);
    w.checkParity();
  });

  // Found by a generated world: such a start was taken with a text, and the plan's arithmetic met it.
  test('a correlation has the type that the trigger reads at a key of a map (plans.md §11)', () => {
    const labelled = plan(P, [assign('a', 'next', op('add', ref('@var:correlation_id'), nat(1)))]);
    const w = KernelWorld.create(
      world([labelled], {
        schemas: [schema('t/Labels@1', { record: { labels: { map: { key: { text: {} }, value: { nat: {} } } } } })],
        triggers: [{ event: 't/Labels@1', plan: P, correlate_by: 'labels.a', input_expr: { id: 'x' } }],
      }),
    );
    expect(w.start(P, { id: 'a' }, { correlation: 'one' }).outcome).toMatchObject({
      kind: 'rejected',
      code: 'plan.input_invalid',
    });
    w.start(P, { id: 'a' }, { correlation: 1 });
    expect(w.records('plan_ended')).toMatchObject([{ status: 'ok' }]);
    w.checkParity();
  });

  test('a correlation by the tag of a variant is text', () => {
    const told = plan(P, [assign('a', 'said', op('concat', ref('@var:correlation_id'), txt('!')))]);
    const w = KernelWorld.create(
      world([told], {
        schemas: [schema('t/Moved@1', { variant: { Left: { text: {} }, Right: { nat: {} } } })],
        triggers: [{ event: 't/Moved@1', plan: P, correlate_by: '$tag', input_expr: { id: 'x' } }],
      }),
    );
    expect(w.start(P, { id: 'a' }, { correlation: 5 }).outcome).toMatchObject({
      kind: 'rejected',
      code: 'plan.input_invalid',
    });
    w.start(P, { id: 'a' }, { correlation: 'Left' });
    w.send('t/Moved@1', { Right: 1 });
    expect(w.records('plan_ended').map(({ status }) => status)).toEqual(['ok', 'ok']);
    w.checkParity();
  });

  test('bind_locals and correlation reach the instance and the records', () => {
    const w = KernelWorld.create(
      world([
        plan(
          P,
          [assign('a', 'seen', op('add', ref('@var:extra'), nat(1))), awaitEvent('w', 't/Ready@1', 'e')],
          [edge('a', 'w')],
          {
            locals: { extra: 't/Nat@1' },
            invariants: [eq(ref('@var:correlation_id'), txt('c-1'))],
          },
        ),
      ]),
    );
    w.start(P, { id: 'a' }, { bindLocals: { extra: 41 }, correlation: 'c-1' });
    const [instance] = w.instances();
    expect(instance!.variables.get('seen')).toEqual({ kind: 'int', value: 42n });
    expect(w.records('plan_started')[0]!.correlation).toEqual(encode('c-1'));
    w.reopen();
    expect(w.instances()[0]!.variables.get('correlation_id')).toEqual({ kind: 'text', value: 'c-1' });
    w.checkParity();
  });

  test('C63 without its parent: a cancelled instance ends once; its open receipt is late; a second cancel is plan.not_live', () => {
    const w = make();
    w.start(P, { id: 'a' });
    expect(w.cancel(0, 'no longer wanted').outcome.kind).toBe('applied');
    expect(w.lastKinds()).toEqual(['plan_cancel', 'plan_ended']);
    const [cancel] = w.records('plan_cancel');
    const [end_] = w.records('plan_ended');
    expect(end_).toMatchObject({
      error_code: 'cancelled',
      step_id: undefined,
      message: 'cancelled',
      cause: cancel!.seq,
    });
    w.receipt(w.pending()[0]!, { payload: { y: 1 } });
    expect(w.records('effect_receipt')[0]!.disposition).toBe('late');
    expect(w.cancel(0).outcome).toMatchObject({ kind: 'rejected', code: 'plan.not_live' });
    expect(w.cancel(9, 'x'.repeat(513)).outcome).toMatchObject({ kind: 'rejected', code: 'too_large' });
    w.checkParity();
  });
});

describe('receipts (kernel.md §10.2)', () => {
  const parked = () => {
    const w = make();
    w.start(P, { id: 'a' });
    return { w, emission: w.pending()[0]! };
  };

  test('case 3: a pending emission with another intent is receipt.intent_mismatch', () => {
    const { w, emission } = parked();
    const answer = w.receipt({ ...emission, intentHash: new Uint8Array(32) }, { payload: { y: 1 } });
    expect(answer.outcome).toMatchObject({ kind: 'rejected', code: 'receipt.intent_mismatch' });
    w.checkParity();
  });

  test('case 4: what is settled is acknowledged as a duplicate, by seq and by hash', () => {
    const { w, emission } = parked();
    w.receipt(emission, { payload: { y: 1 } });
    expect(w.receipt(emission, { payload: { y: 1 } }).outcome).toEqual({ kind: 'duplicate' });
    expect(w.receipt(emission, { emissionSeq: undefined, payload: { y: 1 } }).outcome).toEqual({ kind: 'duplicate' });
    w.checkParity();
  });

  test('cases 6 and 7: a refused receipt leaves the emission pending and its row claimable', () => {
    const { w, emission } = parked();
    for (const reject of ['receipt.adapter_invalid', 'receipt.bad_signature'] as const) {
      const answer = w.apply({
        kind: 'receipt',
        receipt: {
          intentHash: emission.intentHash,
          emissionSeq: emission.emissionSeq,
          adapterId: 'x',
          status: 'ok',
          signature: new Uint8Array(64),
        },
        verdict: { reject },
        dedupeKey: 'r:1:1',
      });
      expect(answer.outcome).toMatchObject({ kind: 'rejected', code: reject });
      expect(answer.batch!.released).toEqual([
        { emissionSeq: emission.emissionSeq, dedupeKey: 'r:1:1', token: undefined },
      ]);
    }
    expect(w.pending()).toHaveLength(1);
    expect(rejected(w)).toEqual(['receipt.adapter_invalid', 'receipt.bad_signature']);
    w.checkParity();
  });

  test('an executor’s payload that does not conform settles as adapter.bad_payload, a manual one is refused', () => {
    const { w, emission } = parked();
    const bad = encode({ y: 'no' });
    expect(w.receipt(emission, { adapterId: 'manual.me', payloadCbor: bad }).outcome).toMatchObject({
      code: 'receipt.payload_invalid',
    });
    w.receipt(emission, { payloadCbor: bad });
    expect(w.records('effect_receipt')[0]).toMatchObject({ status: 'error', error: { code: 'adapter.bad_payload' } });
    expect(w.records('effect_receipt')[0]!.payload_cbor).toBeUndefined();
    w.checkParity();
  });

  test('a failure without error gets one, a failure payload is kept only if it conforms, ok never carries an error', () => {
    const first = parked();
    first.w.receipt(first.emission, { status: 'timeout', payloadCbor: encode({ y: 'no' }) });
    const [receipt] = first.w.records('effect_receipt');
    expect(receipt).toMatchObject({ status: 'timeout', error: { code: 'adapter_error', message: '' } });
    expect(receipt!.payload_cbor).toBeUndefined();
    first.w.checkParity();
    const second = parked();
    second.w.receipt(second.emission, {
      payload: { y: 1 },
      error: { code: 'x', message: '', retryable: null, detail_ref: null },
    });
    expect(second.w.records('effect_receipt')[0]!.error).toBeUndefined();
    second.w.checkParity();
  });
});

describe('receipts that are not what §10.1 says', () => {
  const error = { code: 'x', message: 'm', retryable: null, detail_ref: null };
  test.each([
    ['a detail_ref that is no hash', { status: 'error', error: { ...error, detail_ref: 'nope' } }],
    ['an error without its options', { status: 'error', error: { code: 'x', message: 'm' } }],
    ['an error with one member more', { status: 'error', error: { ...error, more: 1 } }],
    ['an error text that is no Unicode', { status: 'error', error: { ...error, message: '\ud800' } }],
    ['another status', { status: 'done' }],
    ['a cost below zero', { costCents: -1n }],
    ['a cost over 64 bits', { costCents: 2n ** 64n }],
  ])('%s is decode_error: nothing is journaled that a replay would refuse', (_, answer) => {
    const w = make();
    w.start(P, { id: 'a' });
    const emission = w.pending()[0]!;
    const refused = w.receipt(emission, { payload: { y: 1 }, ...(answer as object) });
    expect(refused.outcome).toMatchObject({ kind: 'rejected', code: 'decode_error' });
    expect(w.pending()).toHaveLength(1);
    w.checkParity();
  });

  test('costs up to 64 bits, and an error with a detail, are kept as they are', () => {
    const w = make();
    w.start(P, { id: 'a' });
    const full = { ...error, retryable: true, detail_ref: `sha256:${'0'.repeat(64)}` };
    w.receipt(w.pending()[0]!, { status: 'error', error: full, costCents: 2n ** 64n - 1n });
    expect(w.records('effect_receipt')[0]).toMatchObject({ error: full, cost_cents: 2n ** 64n - 1n });
    w.checkParity();
  });

  test('case 4: a known hash is a duplicate even under a seq that does not exist yet; an unknown one is not', () => {
    const w = make();
    w.start(P, { id: 'a' });
    const emission = w.pending()[0]!;
    w.receipt(emission, { payload: { y: 1 } });
    expect(w.receipt(emission, { emissionSeq: 9_999 }).outcome).toEqual({ kind: 'duplicate' });
    const other = { ...emission, intentHash: new Uint8Array(32) };
    expect(w.receipt(other, { emissionSeq: 9_999 }).outcome).toMatchObject({ code: 'receipt.unknown' });
    w.checkParity();
  });
});

describe('timers (kernel.md §12)', () => {
  const waiting = () => {
    const w = KernelWorld.create(world([plan(P, [timer('t', 'h', 5_000_000_000), awaitReceipt('w', 'h', 'r')])]));
    w.start(P, { id: 'a' });
    return { w, emission: w.pending()[0]! };
  };

  test('an offer that is early by more than a second is skipped and re-armed', () => {
    const { w, emission } = waiting();
    const answer = w.fire(emission);
    expect(answer.outcome.kind).toBe('skipped');
    expect(answer.batch).toBeUndefined();
    w.advance(4_500_000_000n);
    expect(w.fire(emission).outcome.kind).toBe('applied');
    w.checkParity();
  });

  test('delivered_at_ns is never before the due time, and logical time follows', () => {
    const { w, emission } = waiting();
    w.advance(4_500_000_000n);
    w.fire(emission);
    const [receipt] = w.records('effect_receipt');
    const due = emission.logicalNowNs + 5_000_000_000n;
    expect(receipt!.payload_cbor).toEqual(encode({ delivered_at_ns: due, key: null }));
    expect(w.kernel.logicalNowNs).toBe(due);
    expect(w.fire(emission).outcome).toEqual({ kind: 'duplicate' });
    w.checkParity();
  });

  test('a timer for the end of time never fires early, and its row has the latest time a row can hold', () => {
    const w = KernelWorld.create(
      world([plan(P, [{ ...timer('t', 'h', 0), params: { after_ns: '18446744073709551615' } }])]),
    );
    const { batch } = w.start(P, { id: 'a' });
    expect(batch!.timers.map((row) => row.dueWallNs)).toEqual([2n ** 63n - 1n]);
    w.advance(10n ** 18n);
    expect(w.fire(w.pending()[0]!).outcome).toEqual({ kind: 'skipped', rearmWallNs: 2n ** 63n - 1n });
    w.snapshot();
    w.reopen();
    expect(w.pending()).toHaveLength(1);
    w.checkParity();
  });

  test('two instances that set equal timers each get their own (host.md §16.5)', () => {
    const { w } = waiting();
    w.start(P, { id: 'b' });
    expect(w.pending()).toHaveLength(2);
    const [a, b] = w.pending();
    expect(toHex(a!.intentHash)).not.toBe(toHex(b!.intentHash));
    w.advance(6_000_000_000n);
    w.fire(a!);
    expect(w.records('plan_ended').map((r) => r.plan_id)).toEqual([0]);
    w.fire(b!);
    expect(w.records('plan_ended').map((r) => r.plan_id)).toEqual([0, 1]);
    w.checkParity();
  });
});

describe('config and policy (kernel.md §9.7, §15)', () => {
  const policy = { policy: [{ when: {}, decision: 'allow' }] };

  test('require_policy refuses a manifest without a default policy, and is refused where there is none', () => {
    expect(() => KernelWorld.create(world([asking]), { require_policy: true })).toThrow('policy.required');
    const w = KernelWorld.create(world([asking], policy), { require_policy: true });
    expect(w.push(world([asking])).outcome).toMatchObject({ kind: 'rejected', code: 'manifest.validation' });
    expect(w.push(world([plan('t/q@1', [mark('q')])], policy)).outcome.kind).toBe('applied');
    w.checkParity();

    const open = make();
    expect(open.configure({ require_policy: true }).outcome).toMatchObject({ code: 'policy.required' });
    expect(open.configure({ clock: 'virtual' }).outcome.kind).toBe('applied');
    expect(open.lastKinds()).toEqual(['manifest']);
    expect(open.kernel.config.clock).toBe('virtual');
    open.checkParity();
  });

  test('limits of zero refuse everything that needs more, and nothing throws', () => {
    const w = make();
    const limits = { ...w.kernel.config.limits, max_entries_per_batch: 0, max_tasks_per_ingress: 0 };
    expect(w.configure({ limits }).outcome.kind).toBe('applied');
    expect(w.send('t/In@1', { id: 'a' }).outcome).toMatchObject({ kind: 'rejected', code: 'kernel.runaway' });
    w.snapshot();
    w.reopen();
    expect(w.start(P, { id: 'a' }).outcome).toMatchObject({ kind: 'rejected', code: 'kernel.runaway' });
    w.checkParity();
  });
});

describe('snapshots', () => {
  test('a snapshot is journaled at the height it was taken at, or its caller has a bug', () => {
    const w = make();
    const { ref } = w.kernel.snapshot();
    w.send('t/Mark@1', { s: 'x' });
    const stamp = { nowNs: 1n, logicalNs: 0n, entropy: new Uint8Array(64) };
    expect(() => w.kernel.apply({ kind: 'snapshot', snapshotRef: ref, promote: true }, stamp)).toThrow('height');
    w.checkParity();
  });
});

describe('limits (kernel.md §6.4, §15)', () => {
  test('an endless chain of starts is rolled back as a whole and refused as kernel.runaway; the world goes on', () => {
    const limits = { ...KernelWorld.create(world([asking])).kernel.config.limits, max_tasks_per_ingress: 50 };
    const w = KernelWorld.create(
      world([plan(P, [raiseIn(), end('done')], [edge('again', 'done')])], { triggers: [{ event: 't/In@1', plan: P }] }),
      { limits },
    );
    const answer = w.send('t/In@1', { id: 'x' }, { ingressId: 'loop' });
    expect(answer.outcome).toMatchObject({ kind: 'rejected', code: 'kernel.runaway' });
    expect(w.lastKinds()).toEqual(['ingress_rejected']);
    expect(w.kernel.nextPlanId).toBe(0);
    expect(w.send('t/Mark@1', { s: 'fine' }).outcome.kind).toBe('applied');
    w.checkParity();
  });
});

function raiseIn() {
  return { id: 'again', op: 'raise_event', event: 't/In@1', value: ref('@plan.input') };
}
