import { encode } from '@worldline/canon';
import type { KernelWorld } from '@worldline/testkit';
import { describe, expect, test } from 'vitest';
import {
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
  raise,
  ref,
  timer,
  txt,
} from '../../../test/cases/nodes.ts';
import { diagnose } from '../src/diagnose.ts';
import { fieldAt, fieldPath, matchesEvent } from '../src/event-match.ts';
import type { Trace } from '../src/trace.ts';
import { diagnosisToJson, traceToJson } from '../src/trace-json.ts';
import { renderTrace } from '../src/trace-render.ts';
import { tracedIn as traced } from './explained.ts';
import { asking, inOrder, worldWithApprovals as make, P, running, send, started } from './story-world.ts';

/** Traces of real worlds (`host.md` §10.1, §10.2): a kernel runs, the fold reads its journal. */

const diagnosed = (w: KernelWorld) => diagnose(traced(w), w.kernel);
const kindsOf = (trace: Trace) => trace.entries.map((entry) => entry.record.record_kind);
const judged = (w: KernelWorld) => {
  const { terminalState, cause } = diagnosed(w);
  return [terminalState, cause];
};
const failure = (code: string, status: 'error' | 'timeout' = 'error') => ({
  status,
  error: { code, message: 'no', retryable: null, detail_ref: null },
});

describe('lineage (T1, T2, T3)', () => {
  const chain = running(
    emit('e', 'h', { x: nat(1) }),
    awaitReceipt('w', 'h', 'r'),
    raise('out', 't/Ready@1', { id: ref('@plan.input.id') }),
    end('end'),
  );
  const second = plan('t/second@1', [mark('m'), end('end')], [edge('m', 'end')], { input: 't/Ready@1' });
  const triggers = [...started, { event: 't/Ready@1', plan: 't/second@1' }];

  test('an event, its run, the effect with its decisions, the receipt, the event raised, and the run that started', () => {
    const w = make([chain, second], { triggers });
    send(w);
    w.receipt(w.pending()[0]!, { payload: { y: 2 } });
    const trace = traced(w);
    expect(kindsOf(trace)).toEqual([
      'domain_event',
      'plan_started',
      'cap_decision',
      'policy_decision',
      'effect_intent',
      'effect_receipt',
      'domain_event',
      'plan_started',
      'plan_ended',
      'domain_event',
      'plan_ended',
    ]);
    expect(trace.plans.map(({ plan, status }) => [plan, status]).sort()).toEqual([
      [P, 'ok'],
      ['t/second@1', 'ok'],
    ]);
    // Every cause is a record of the lineage itself, and only the root has none.
    const seqs = new Set(trace.entries.map((entry) => entry.seq));
    for (const entry of trace.entries.slice(1)) expect(seqs.has(entry.causeSeq!)).toBe(true);
    expect(trace.entries[0]!.causeSeq).toBeUndefined();
    expect(trace.terminalState).toBe('completed');
  });

  test('what happens meanwhile to other events is not part of it', () => {
    const own = { idempotency_key: op('hash', ref('@plan.input.id')) };
    const w = make([running(emit('e', 'h', { x: nat(1) }, own), awaitReceipt('w', 'h', 'r'), mark('m'), end('end'))]);
    send(w, 'a');
    send(w, 'b');
    w.receipt(w.pending()[1]!, { payload: { y: 2 } });
    const open = traced(w);
    expect(open.plans.map((one) => one.planId)).toEqual([0]);
    expect(kindsOf(open)).toEqual(['domain_event', 'plan_started', 'cap_decision', 'policy_decision', 'effect_intent']);
  });

  test('one receipt for two coalesced intents belongs to both lineages', () => {
    const w = make([chain]);
    send(w, 'a');
    send(w, 'b');
    w.receipt(w.pending()[0]!, { payload: { y: 2 } });
    const [, second] = w.records('domain_event').filter((record) => record.origin === 'external');
    for (const trace of [traced(w), traced(w, { root: second!.seq })]) {
      expect(trace.terminalState).toBe('completed');
      expect(kindsOf(trace)).toContain('effect_receipt');
    }
  });

  test('a run that was waiting and that the event woke belongs to it from then on (T3)', () => {
    const waiting = running(
      awaitEvent('w', 't/Ready@1', 'e'),
      emit('e', 'h', { x: nat(1) }),
      awaitReceipt('r', 'h', 'a'),
      end('end'),
    );
    const w = make([waiting]);
    send(w);
    w.send('t/Ready@1', { id: 'x' });
    const ready = w.records('domain_event').find((record) => record.schema === 't/Ready@1')!;
    const trace = traced(w, { root: ready.seq });
    expect(kindsOf(trace)).toEqual(['domain_event', 'cap_decision', 'policy_decision', 'effect_intent']);
    expect(trace.plans).toMatchObject([{ planId: 0, plan: P, status: 'live', manifestHash: expect.any(Uint8Array) }]);
    expect(trace.liveWait.planReceipts).toMatchObject([{ planId: 0, planName: P, kind: 't.echo' }]);
    w.receipt(w.pending()[0]!, { payload: { y: 2 } });
    expect(traced(w, { root: ready.seq }).terminalState).toBe('completed');
  });

  test('the window cuts it, and then nothing is concluded from a part', () => {
    const w = make([chain]);
    send(w);
    const cut = traced(w, { limit: 3 });
    expect([cut.truncated, cut.entries.length, cut.terminalState]).toEqual([true, 3, 'unknown']);
    expect(diagnose(cut, w.kernel)).toMatchObject({ terminalState: 'unknown', cause: 'unknown' });
  });

  test('it stops looking where nothing more can follow (T2)', () => {
    const w = make([running(mark('m'), end('end'))]);
    send(w, 'a');
    const { toSeq } = traced(w);
    send(w, 'b');
    expect(traced(w).toSeq).toBe(toSeq);
  });

  test('folding a journal in parts is folding it whole', () => {
    const w = make([chain, second], { triggers });
    send(w);
    const before = traced(w);
    w.receipt(w.pending()[0]!, { payload: { y: 2 } });
    const after = traced(w);
    expect(after.entries.slice(0, before.entries.length)).toEqual(before.entries);
  });
});

describe('terminal states and causes, first match (host.md §10.1, §10.2)', () => {
  const effect = running(emit('e', 'h', { x: nat(1) }), awaitReceipt('w', 'h', 'r'), end('end'));
  /** Fails when the receipt is not ok. */
  const strict = plan(
    P,
    [emit('e', 'h', { x: nat(1) }), awaitReceipt('w', 'h', 'r'), mark('m'), end('end')],
    inOrder({ id: 'e' }, { id: 'w' }, { id: 'm' }, { id: 'end' }),
    { invariants: [eq(ref('@var:r.$status'), txt('ok'))] },
  );

  test('nothing is left to do: completed', () => {
    const w = make([running(mark('m'), end('end'))]);
    send(w);
    expect(judged(w)).toEqual(['completed', 'completed']);
  });

  test('an event that nobody listens to: completed', () => {
    const w = make([effect], { triggers: [] });
    send(w);
    expect(judged(w)).toEqual(['completed', 'completed']);
  });

  test('an effect without an answer: waiting_receipt', () => {
    const w = make([effect]);
    send(w);
    expect(judged(w)).toEqual(['waiting_receipt', 'waiting_receipt']);
    const trace = traced(w);
    expect(trace.liveWait).toMatchObject({
      planReceipts: [{ kind: 't.echo' }],
      queued: [{ kind: 't.echo', capName: 'cap_t' }],
    });
    expect(diagnose(trace, w.kernel)).toMatchObject({
      intentHash: expect.stringMatching(/^sha256:/),
      waits: { plan_receipts: 1, plan_events: 0, queued_effects: 1, timers: 0 },
      evidence: [w.records('effect_intent')[0]!.seq],
    });
  });

  test('a timer that runs: waiting_receipt, with the time it is due', () => {
    const w = make([running(timer('t', 'h', 5_000_000_000), awaitReceipt('w', 'h', 'r'), end('end'))]);
    send(w);
    expect(judged(w)).toEqual(['waiting_receipt', 'waiting_receipt']);
    const { timers, queued } = traced(w).liveWait;
    expect([timers.length, queued.length]).toEqual([1, 0]);
    expect(timers[0]!.dueNs).toBe(w.kernel.lastNowNs + 5_000_000_000n);
  });

  test('a person who has not decided: waiting_receipt, waiting_approval', () => {
    const w = make([running(asking(), awaitReceipt('w', 'h', 'r'), end('end'))]);
    send(w);
    expect(judged(w)).toEqual(['waiting_receipt', 'waiting_approval']);
  });

  test('an event that has not come: waiting_event', () => {
    const w = make([running(awaitEvent('w', 't/Ready@1', 'e'), end('end'))]);
    send(w);
    expect(judged(w)).toEqual(['waiting_event', 'waiting_event']);
    expect(traced(w).liveWait.planEvents).toEqual([{ planId: 0, planName: P, schema: 't/Ready@1' }]);
  });

  test.each([
    ['secret_unavailable', failure('secret.unavailable')],
    ['delivery_unknown', failure('delivery.unknown')],
    ['adapter_missing', failure('adapter.missing')],
    ['adapter_timeout', failure('adapter.timeout', 'timeout')],
    ['adapter_error', failure('http.status')],
  ])('a receipt that ends its run: failed, %s', (cause, receipt) => {
    const w = make([strict]);
    send(w);
    w.receipt(w.pending()[0]!, receipt);
    expect(judged(w)).toEqual(['failed', cause]);
    const found = diagnosed(w);
    expect(found.evidence).toEqual([w.records('effect_receipt')[0]!.seq]);
    expect(found.intentHash).toBeDefined();
  });

  test('a receipt that is not ok while its run still goes on: failed', () => {
    const w = make([
      running(
        emit('e', 'h', { x: nat(1) }),
        awaitReceipt('w', 'h', 'r'),
        awaitEvent('x', 't/Ready@1', 'e'),
        end('end'),
      ),
    ]);
    send(w);
    w.receipt(w.pending()[0]!, failure('http.status'));
    expect(judged(w)).toEqual(['failed', 'adapter_error']);
    w.send('t/Ready@1', { id: 'x' });
    // It dealt with it and ended ok.
    expect(judged(w)).toEqual(['completed', 'completed']);
  });

  test('a run that ended ok is not made a failure by an answer that came too late', () => {
    const w = make([running(emit('e', 'h', { x: nat(1) }), end('end'))]);
    send(w);
    expect(judged(w)).toEqual(['completed', 'completed']);
    w.receipt(w.pending()[0]!, failure('adapter.timeout', 'timeout'));
    expect(judged(w)).toEqual(['completed', 'completed']);
  });

  test('the policy refuses: failed, policy_denied, with the decision as evidence', () => {
    const w = make([effect], { policy: [{ when: {}, decision: 'deny' }] });
    send(w);
    expect(judged(w)).toEqual(['failed', 'policy_denied']);
    expect(diagnosed(w).evidence).toContain(w.records('policy_decision')[0]!.seq);
  });

  test('no grant allows it: failed, capability_denied', () => {
    const params = { method: 'GET', url: 'https://bad.example/', headers: {}, body_ref: null };
    const w = make([
      running(
        emit('e', 'h', params, { kind: 'http.request', cap: 'cap_http' }),
        awaitReceipt('w', 'h', 'r'),
        end('end'),
      ),
    ]);
    send(w);
    expect(judged(w)).toEqual(['failed', 'capability_denied']);
  });

  test('an invariant does not hold: failed, invariant_violation', () => {
    const w = make([plan(P, [mark('m')], [], { invariants: [eq(nat(1), nat(2))] })]);
    send(w);
    expect(judged(w)).toEqual(['failed', 'invariant_violation']);
  });

  test('a run that ends in any other error, a cancelled one too: failed, plan_error', () => {
    const w = make([effect]);
    send(w);
    w.cancel(0);
    expect(judged(w)).toEqual(['failed', 'plan_error']);
    expect(kindsOf(traced(w))).toContain('plan_cancel');
  });
});

describe('what is shown', () => {
  test('the timeline names what happened, what is waited for and what to do; values stay out of it', () => {
    const w = make([running(asking(), awaitReceipt('w', 'h', 'r'), end('end'))]);
    send(w, 'hunter2');
    w.advance(90_000_000_000n);
    const text = renderTrace(traced(w), diagnosed(w), w.kernel.lastNowNs + 90_000_000_000n).join('\n');
    expect(text).toMatch(/event t\/In@1/);
    expect(text).toMatch(/ {4}plan t\/p@1 0 started/);
    expect(text).toMatch(/waits {3}t\/p@1 0 for approval\.request sha256:[0-9a-f]{12}, asked 1\.50m ago/);
    expect(text).toMatch(/hint .*approvals decide sha256:[0-9a-f]{12} approve/);
    expect(text).not.toContain('hunter2');
  });

  test('the JSON has the members of §10.1 and §10.2', () => {
    const w = make([running(timer('t', 'h', 5_000_000_000), awaitReceipt('w', 'h', 'r'), end('end'))]);
    send(w);
    const json = traceToJson(traced(w), { digits: 'abcd' }, w.kernel.catalog);
    expect(Object.keys(json)).toEqual(['query', 'root', 'journal_window', 'plans', 'live_wait', 'terminal_state']);
    expect(json['root']).toMatchObject({ schema: 't/In@1', seq: expect.any(Number), value: { id: 'a', n: 1 } });
    expect(json['live_wait']).toEqual({
      pending_plan_receipts: [{ plan_id: 0, plan_name: P, intent_hash: expect.any(String), kind: 'timer.after' }],
      plan_waiting_events: [],
      pending_reducer_receipts: [],
      queued_effects: [],
      timers: [{ intent_hash: expect.any(String), due_ns: expect.stringMatching(/^\d+$/) }],
    });
    expect(Object.keys(diagnosisToJson(diagnosed(w)))).toEqual([
      'terminal_state',
      'cause',
      'hint',
      'hashes',
      'waits',
      'evidence',
      'reason',
      'more_reasons',
      'reasons_total',
    ]);
  });
});

describe('finding events by a field (host.md §10.1)', () => {
  const event = (value: Parameters<typeof encode>[0]) => ({
    record_kind: 'domain_event' as const,
    schema: 't/E@1',
    value: encode(value),
    event_hash: new Uint8Array(32),
    origin: 'external' as const,
  });
  test.each([
    ['order.id', 'o-1', true],
    ['$.order.id', 'o-1', true],
    ['order.id', 'o-2', false],
    ['order.missing', 'o-1', false],
    ['toString', 'x', false],
    ['body.$tag', 'Go', true],
    ['body.$value.n', 7, true],
    ['list.1', 'b', true],
    ['list.01', 'b', false],
    ['order', { id: 'o-1' }, true],
    ['list', ['a', 'b'], true],
    ['none', null, true],
  ] as const)('%s = %j: %j', (path, value, expected) => {
    const found = event({
      order: { id: 'o-1' },
      body: { $tag: 'Go', $value: { n: 7 } },
      list: ['a', 'b'],
      none: null,
    });
    expect(matchesEvent(found, { schema: 't/E@1', path: fieldPath(path), value })).toBe(expected);
    expect(matchesEvent(found, { schema: 't/Other@1', path: fieldPath(path), value })).toBe(false);
  });

  test('the whole value is the empty path', () => {
    expect(fieldAt('x', fieldPath('$'))).toBe('x');
  });
});
