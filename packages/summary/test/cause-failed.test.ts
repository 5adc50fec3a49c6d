import { KernelWorld } from '@worldline/testkit';
import { describe, expect, test } from 'vitest';
import {
  assign,
  awaitEvent,
  awaitPlan,
  awaitPlansAll,
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
  spawn,
  spawnForEach,
  txt,
  type WorldOptions,
  world,
} from '../../../test/cases/nodes.ts';
import type { Cause } from '../src/diagnose.ts';
import type { ReasonCode } from '../src/reason.ts';
import { expectCause } from './explained.ts';
import { calling, inOrder, P, running, send, started } from './story-world.ts';

/** Runs that failed, each brought there by a kernel, and why they did (`host.md` §10.2). */

/** Fails when the receipt is not ok. */
const strict = plan(
  P,
  [emit('e', 'h', { x: nat(1) }), awaitReceipt('w', 'h', 'r'), mark('m'), end('end')],
  inOrder({ id: 'e' }, { id: 'w' }, { id: 'm' }, { id: 'end' }),
  { invariants: [eq(ref('@var:r.$status'), txt('ok'))] },
);
const make = (plans: Node[], options: WorldOptions = {}) =>
  KernelWorld.create(world(plans, { triggers: started, ...options }));
const failure = (
  code: string,
  message = 'no',
  status: 'error' | 'timeout' = 'error',
  retryable: boolean | null = null,
) => ({
  status,
  error: { code, message, retryable, detail_ref: null },
});
const TIMED = { name: 'cap_t', cap: 't/cap@1', params: {} };

describe('the gate', () => {
  test('F1 a rule of the policy denies it: which rule, and what it looks at', () => {
    const w = make([calling], {
      policy: [
        { when: { effect_kind: 'timer.after' }, decision: 'allow' },
        { when: { effect_kind: 't.echo', origin_name: P }, decision: 'deny' },
      ],
    });
    send(w);
    expectCause(w, {
      state: 'failed',
      cause: 'policy_denied',
      reason: 'policy_rule',
      evidence: ['cap_decision', 'policy_decision', 'plan_ended'],
      text: [
        'rule 1 of policy t/policy@1 (effect_kind t.echo, origin_name t/p@1)',
        't.echo of t/p@1 0 at step e',
        'cap_t',
      ],
      hint: ['rule 1 of policy t/policy@1', 't.echo'],
      facts: { policy: 't/policy@1', rule_index: 1, rule: { effect_kind: 't.echo', origin_name: P }, grant: 'cap_t' },
      runs: ['t/p@1/e'],
    });
  });

  test('F2 no rule of the policy allows it', () => {
    const w = make([calling], { policy: [{ when: { effect_kind: 'timer.after' }, decision: 'allow' }] });
    send(w);
    expectCause(w, {
      state: 'failed',
      cause: 'policy_denied',
      reason: 'policy_default',
      evidence: ['cap_decision', 'policy_decision', 'plan_ended'],
      text: ['no rule of policy t/policy@1 allows t.echo of t/p@1 0 at step e'],
      hint: ['add a rule to policy t/policy@1', 't.echo', P],
    });
  });

  test('F3 the grant has expired: which, and how long before', () => {
    const w = make([running(awaitEvent('w', 't/Ready@1', 'e'), emit('e', 'h', { x: nat(1) }), end('end'))], {
      grants: [
        { ...TIMED, expiry_ns: 1_000_000_000 },
        { name: 'cap_timer', cap: 'sys/timer@1', params: {} },
      ],
    });
    send(w);
    w.advance(4_000_000_000n);
    w.send('t/Ready@1', { id: 'x' });
    expectCause(w, {
      state: 'failed',
      cause: 'capability_denied',
      reason: 'grant_expired',
      evidence: ['cap_decision', 'plan_ended'],
      text: [/grant cap_t had expired 3\.0\ds before when t\/p@1 0 at step e asked for t\.echo/],
      hint: ['grant cap_t', 'expiry_ns'],
      facts: { grant: 'cap_t', expiry_ns: '1000000000', effect_kind: 't.echo' },
    });
  });

  test('F4 the grant was removed while the run was parked', () => {
    const w = make([running(awaitEvent('w', 't/Ready@1', 'e'), emit('e', 'h', { x: nat(1) }), end('end'))]);
    send(w);
    const other = { name: 'cap_other', cap: 't/cap@1', params: {} };
    w.push(world([plan('t/q@1', [mark('m')])], { grants: [other] }));
    w.send('t/Ready@1', { id: 'x' });
    expectCause(w, {
      state: 'failed',
      cause: 'capability_denied',
      reason: 'grant_missing',
      evidence: ['plan_started', 'plan_ended'],
      text: ['the manifest had no grant cap_t when t/p@1 0 at step e asked for t.echo'],
      hint: ['add a grant cap_t'],
      facts: { grant: 'cap_t', reason: 'cap.grant_missing' },
    });
  });

  test('F5 the grant does not cover what is asked for: the host is another one', () => {
    const params = { method: 'GET', url: 'https://bad.example/', headers: {}, body_ref: null };
    const w = make([
      running(
        emit('e', 'h', params, { kind: 'http.request', cap: 'cap_http' }),
        awaitReceipt('w', 'h', 'r'),
        end('end'),
      ),
    ]);
    send(w);
    expectCause(w, {
      state: 'failed',
      cause: 'capability_denied',
      reason: 'grant_refused',
      evidence: ['cap_decision', 'plan_ended'],
      text: ['grant cap_http does not cover the http.request that t/p@1 0 at step e asked for', 'host'],
      hint: ['grant cap_http', 'step e'],
      facts: { grant: 'cap_http', deny_code: expect.any(String), enforcer: 'sys/CapEnforceHttpOut@1' },
    });
  });
});

describe('secrets', () => {
  const key = (more: Node = {}): Node => ({ $kind: 'defsecret', name: 't/key@1', binding_id: 'env:KEY', ...more });
  const uses = running(
    awaitEvent('w', 't/Ready@1', 'v'),
    emit('e', 'h', { x: { alias: 't/key', version: 1 } }),
    awaitReceipt('a', 'h', 'r'),
    end('end'),
  );
  const nodes = (secrets: Node[]) => [
    ...secrets,
    ...world([uses, plan('t/q@1', [mark('m')])], { triggers: started }).map((n) => {
      if (n['name'] === 't/Echo@1') return schema('t/Echo@1', { record: { x: { ref: 'sys/SecretRef@1' } } });
      return n['$kind'] === 'manifest' ? { ...n, secrets: secrets.map(({ name }) => ({ name })) } : n;
    }),
  ];
  /** The run starts with a secret it may use; then the manifest changes, and the run goes on. */
  function changed(secrets: Node[]): KernelWorld {
    const w = KernelWorld.create(nodes([key()]));
    send(w);
    const without = nodes(secrets).map((n) =>
      n['$kind'] === 'manifest' ? { ...n, plans: [{ name: 't/q@1' }], triggers: [] } : n,
    );
    w.push(without.filter((n) => n['name'] !== P));
    w.send('t/Ready@1', { id: 'x' });
    return w;
  }

  test('F6 the secret is no longer declared', () => {
    expectCause(changed([]), {
      state: 'failed',
      cause: 'capability_denied',
      reason: 'secret_unknown',
      evidence: ['cap_decision', 'plan_ended'],
      text: ['t/p@1 0 at step e asked for t.echo with a secret that the manifest does not declare'],
      hint: ['defsecret', 'step e'],
    });
  });

  test('F7 the secret is for other plans', () => {
    expectCause(changed([key({ allowed_plans: ['t/q@1'] })]), {
      state: 'failed',
      cause: 'capability_denied',
      reason: 'secret_denied',
      evidence: ['cap_decision', 'plan_ended'],
      text: ['t/p@1 0 at step e may not use the secret for t.echo with grant cap_t'],
      hint: ['allowed_plans', P, 'cap_t'],
    });
  });

  test('F8 the secret has no value here: which, and where it is looked for', () => {
    const w = KernelWorld.create(nodes([key()]));
    send(w);
    w.send('t/Ready@1', { id: 'x' });
    w.receipt(w.pending()[0]!, failure('secret.unavailable', 'KEY is not set'));
    // The plan looks at no status and ends ok, so nothing has failed; seen before that, it has.
    expectCause(w, {
      state: 'completed',
      cause: 'completed',
      reason: 'handled_failure',
      evidence: ['effect_intent', 'effect_receipt', 'plan_ended'],
      text: ['t.echo of t/p@1 0 at step e was not sent', 'the run dealt with that and ended ok'],
      hint: ['nothing is open'],
      facts: { failure: 'secret_unavailable' },
    });
    const strictly = KernelWorld.create(
      nodes([key()]).map((n) => (n['name'] === P ? { ...n, invariants: [eq(ref('@var:r.$status'), txt('ok'))] } : n)),
    );
    send(strictly);
    strictly.send('t/Ready@1', { id: 'x' });
    strictly.receipt(strictly.pending()[0]!, failure('secret.unavailable', 'KEY is not set'));
    expectCause(strictly, {
      state: 'failed',
      cause: 'secret_unavailable',
      reason: 'secret_unavailable',
      evidence: ['effect_intent', 'effect_receipt', 'plan_ended'],
      text: ['t.echo of t/p@1 0 at step e was not sent', 'secret.unavailable: KEY is not set', 't/key@1 (env:KEY)'],
      hint: ['t/key@1 (env:KEY)'],
      facts: { secrets: [{ secret: 't/key@1', binding: 'env:KEY' }] },
    });
  });
});

describe('receipts', () => {
  const rows: readonly [
    string,
    ReturnType<typeof failure>,
    { cause: Cause; reason: ReasonCode; text: string[]; hint: string[] },
  ][] = [
    [
      'F9 the call had begun when its process ended',
      failure('delivery.unknown', 'the call was begun before a restart'),
      {
        cause: 'delivery_unknown',
        reason: 'delivery_unknown',
        text: ['t.echo of t/p@1 0 at step e had begun', 'nobody knows whether it happened'],
        hint: ['ask the other side', 'worldline effects get sha256:'],
      },
    ],
    [
      'F10 five processes ended while they performed it',
      failure('delivery.exhausted', '5 dispatches ended without an outcome'),
      {
        cause: 'adapter_error',
        reason: 'delivery_exhausted',
        text: ['t.echo of t/p@1 0 at step e was given up', '5 dispatches'],
        hint: ['what ends the process'],
      },
    ],
    [
      'F11 no adapter for the kind',
      failure('adapter.missing', 'no adapter performs t.echo'),
      {
        cause: 'adapter_missing',
        reason: 'adapter_missing',
        text: ['no adapter performs t.echo, which t/p@1 0 at step e asked for'],
        hint: ['worldline.host.json', 't.echo'],
      },
    ],
    [
      'F12 the time limit is over',
      failure('adapter.timeout', 'the time limit is over', 'timeout', true),
      {
        cause: 'adapter_timeout',
        reason: 'effect_timed_out',
        text: ['t.echo of t/p@1 0 at step e took longer than the time limit of test'],
        hint: ['time limit'],
      },
    ],
    [
      'F13 the adapter answers with an error that may pass',
      failure('call.busy', 'try later', 'error', true),
      {
        cause: 'adapter_error',
        reason: 'effect_failed',
        text: ['test answered t.echo of t/p@1 0 at step e with call.busy: try later'],
        hint: ['it may work when it is asked for again'],
      },
    ],
    [
      'F14 the adapter answers with an error that stays',
      failure('payment.declined', 'card expired', 'error', false),
      {
        cause: 'adapter_error',
        reason: 'effect_failed',
        text: ['payment.declined: card expired'],
        hint: ['it will fail again as it stands'],
      },
    ],
  ];
  test.each(rows)('%s', (_, receipt, expected) => {
    const w = make([strict]);
    send(w);
    w.receipt(w.pending()[0]!, receipt);
    expectCause(w, {
      state: 'failed',
      evidence: ['effect_intent', 'effect_receipt', 'plan_ended'],
      facts: { effect_kind: 't.echo', adapter: 'test', error_code: receipt.error.code },
      runs: ['t/p@1/e'],
      ...expected,
      text: [...expected.text, 'the run then ended with invariant_violation at step w'],
    });
  });

  test('F15 the run still goes on, so the failed effect is what there is', () => {
    const w = make([
      running(
        emit('e', 'h', { x: nat(1) }),
        awaitReceipt('w', 'h', 'r'),
        awaitEvent('x', 't/Ready@1', 'v'),
        end('end'),
      ),
    ]);
    send(w);
    w.receipt(w.pending()[0]!, failure('http.status', '503'));
    expectCause(w, {
      state: 'failed',
      cause: 'adapter_error',
      reason: 'effect_failed',
      evidence: ['effect_intent', 'effect_receipt'],
      text: [/http\.status: 503$/],
      hint: ['worldline effects get'],
    });
  });
});

describe('what a plan did', () => {
  test('F16 an invariant is false after the second step (C31): which, what it says, and where', () => {
    const w = make([
      plan(
        P,
        [assign('one', 'v', nat(5)), assign('two', 'v', nat(20)), mark('never')],
        inOrder({ id: 'one' }, { id: 'two' }, { id: 'never' }),
        { locals: { v: 't/Nat@1' }, invariants: [op('lt', ref('@var:v'), nat(10))] },
      ),
    ]);
    send(w);
    expectCause(w, {
      state: 'failed',
      cause: 'invariant_violation',
      reason: 'invariant_false',
      evidence: ['plan_started', 'plan_ended'],
      text: ['invariant 0 (v < 10) of t/p@1 0 did not hold after step two'],
      hint: ['invariant 0 of t/p@1', 'step two'],
      facts: { invariant: 0, expression: 'v < 10', at: '/invariants/0' },
    });
  });

  test('F17 an invariant divides by zero (C36)', () => {
    const w = make([
      plan(P, [mark('m')], [], {
        invariants: [eq(op('div', nat(1), ref('@plan.input.n')), nat(1))],
      }),
    ]);
    send(w, 'a', 0);
    expectCause(w, {
      state: 'failed',
      cause: 'invariant_violation',
      reason: 'invariant_error',
      evidence: ['plan_started', 'plan_ended'],
      text: ['could not be evaluated (divide_by_zero) after step m'],
      hint: ['invariant 0'],
    });
  });

  test('F18 an expression reads what is not there', () => {
    const w = make([
      plan(P, [mark('a'), mark('b')], [edge('a', 'b', eq(op('div', nat(4), ref('@plan.input.n')), nat(1)))]),
    ]);
    send(w, 'a', 0);
    expectCause(w, {
      state: 'failed',
      cause: 'plan_error',
      reason: 'expr_error',
      evidence: ['plan_started', 'plan_ended'],
      text: ['t/p@1 0 ended at step b', 'divide_by_zero', '/edges/0/when'],
      hint: ['guard step b of t/p@1', 'worldline plans get 0'],
      facts: { error_code: 'expr_error', reason: 'divide_by_zero' },
    });
  });

  test('F19 the effect does not fit its schema', () => {
    const w = make([running(emit('e', 'h', { x: op('sub', ref('@plan.input.n'), nat(1)) }), end('end'))]);
    send(w, 'a', 0);
    expectCause(w, {
      state: 'failed',
      cause: 'plan_error',
      reason: 'effect_invalid',
      evidence: ['plan_started', 'plan_ended'],
      text: ['t/p@1 0 ended at step e', 'value.out_of_range', '/steps/0/params'],
      hint: ['params of step e of t/p@1'],
    });
  });

  test('F20 the event that it raises does not fit', () => {
    const w = make([running(raise('r', 't/Out@1', { n: op('sub', ref('@plan.input.n'), nat(1)) }), end('end'))]);
    send(w, 'a', 0);
    expectCause(w, {
      state: 'failed',
      cause: 'plan_error',
      reason: 'event_invalid',
      evidence: ['plan_started', 'plan_ended'],
      text: ['t/p@1 0 ended at step r', 'value.out_of_range'],
      hint: ['step r of t/p@1 raises'],
    });
  });

  test('F21 the key of the run is in another arm of the event', () => {
    const w = make([plan(P, [mark('m')])], {
      triggers: [
        { event: 't/Either@1', plan: P, correlate_by: '$value.a', input_expr: { id: txt('x'), n: { null: {} } } },
      ],
    });
    w.send('t/Either@1', { B: { b: 'x' } });
    expectCause(w, {
      state: 'failed',
      cause: 'plan_error',
      reason: 'input_invalid',
      evidence: ['plan_started', 'plan_ended'],
      text: ['t/p@1 0 ended: its input, or the key', 'value.missing_field'],
      hint: ['trigger of t/p@1'],
    });
  });

  test('F22 it waits for a handle whose step was skipped (C22)', () => {
    const w = make([
      plan(
        P,
        [mark('a'), emit('e', 'h', { x: nat(1) }), awaitReceipt('w', 'h', 'r'), end('end')],
        [edge('a', 'e', { bool: false }), edge('a', 'w'), edge('w', 'end')],
      ),
    ]);
    send(w);
    expectCause(w, {
      state: 'failed',
      cause: 'plan_error',
      reason: 'handle_unknown',
      evidence: ['plan_started', 'plan_ended'],
      text: ['t/p@1 0 ended at step w', 'skipped'],
      hint: ['step w of t/p@1'],
    });
  });

  const child = plan('t/child@1', [mark('c'), end('end')], [edge('c', 'end')]);

  test('F23 the input of a child does not fit', () => {
    const takes = plan('t/child@1', [mark('c'), end('end')], [edge('c', 'end')], { input: 't/Out@1' });
    const w = make([
      running(spawn('s', 't/child@1', { n: op('sub', ref('@plan.input.n'), nat(1)) }, 'k'), end('end')),
      takes,
    ]);
    send(w, 'a', 0);
    expectCause(w, {
      state: 'failed',
      cause: 'plan_error',
      reason: 'spawn_failed',
      evidence: ['plan_started', 'plan_ended'],
      text: ['t/p@1 0 ended at step s', 'the input of a child does not fit'],
      hint: ['step s of t/p@1 gives its children'],
    });
  });

  test('F24 more children than are allowed (C53)', () => {
    const list = schema('t/Batch@1', { record: { items: { list: { ref: 't/In@1' } } } });
    const steps = [spawnForEach('f', 't/child@1', ref('@plan.input.items'), 'ks', { max_fanout: 2 }), end('end')];
    const w = make([plan(P, steps, [edge('f', 'end')], { input: 't/Batch@1' }), child], {
      schemas: [list],
      triggers: [{ event: 't/Batch@1', plan: P }],
    });
    w.send('t/Batch@1', { items: ['a', 'b', 'c'].map((id) => ({ id, n: null })) });
    expectCause(w, {
      state: 'failed',
      cause: 'plan_error',
      reason: 'fanout_exceeded',
      evidence: ['plan_started', 'plan_ended'],
      text: ['t/p@1 0 ended at step f', 'more children than are allowed'],
      hint: ['max_fanout of step f of t/p@1'],
    });
  });

  test('F25 the result does not fit the output (C30)', () => {
    const w = make([
      plan(P, [mark('a'), end('done', { n: op('sub', ref('@plan.input.n'), nat(1)) })], [edge('a', 'done')], {
        output: 't/Out@1',
      }),
    ]);
    send(w, 'a', 0);
    expectCause(w, {
      state: 'failed',
      cause: 'plan_error',
      reason: 'result_invalid',
      evidence: ['plan_started', 'plan_ended'],
      text: ['t/p@1 0 ended at step done', 'value.out_of_range'],
      hint: ['result of step done of t/p@1'],
    });
  });

  test('F26 no end gave the result that is promised (C7)', () => {
    const w = make([
      plan(P, [mark('a'), end('done', { n: 1 })], [edge('a', 'done', { bool: false })], { output: 't/Out@1' }),
    ]);
    send(w);
    expectCause(w, {
      state: 'failed',
      cause: 'plan_error',
      reason: 'result_missing',
      evidence: ['plan_started', 'plan_ended'],
      text: ['t/p@1 0 ended: all steps are settled'],
      hint: ['every way through t/p@1'],
    });
  });

  test('F27 somebody cancelled it: who, and why', () => {
    const w = make([calling]);
    send(w);
    w.cancel(0, 'wrong customer');
    expectCause(w, {
      state: 'failed',
      cause: 'plan_error',
      reason: 'cancelled',
      evidence: ['plan_cancel', 'plan_ended'],
      text: ['tester cancelled t/p@1 0: wrong customer'],
      hint: ['ask tester'],
      facts: { actor: 'tester', reason: 'wrong customer' },
    });
  });

  test('F28 the event it raises has another definition since it started', () => {
    const p = running(awaitEvent('w', 't/Ready@1', 'v'), raise('r', 't/Other@1', { id: txt('x') }), end('end'));
    const w = make([p]);
    send(w);
    const changed = world([plan('t/q@1', [mark('m')])], { triggers: [] }).map((n) =>
      n['name'] === 't/Other@1'
        ? schema('t/Other@1', { record: { id: { text: {} }, more: { option: { text: {} } } } })
        : n,
    );
    w.push(changed);
    w.send('t/Ready@1', { id: 'x' });
    expectCause(w, {
      state: 'failed',
      cause: 'plan_error',
      reason: 'event_schema_changed',
      evidence: ['plan_started', 'plan_ended'],
      text: ['t/p@1 0 ended at step r', 'has changed since it started'],
      hint: ['start t/p@1 again'],
    });
  });
});

describe('children', () => {
  const denied = plan(
    't/child@1',
    [emit('call', 'h', { x: nat(1) }), awaitReceipt('w', 'h', 'r'), end('end')],
    inOrder({ id: 'call' }, { id: 'w' }, { id: 'end' }),
  );
  const policy = [
    { when: { origin_name: 't/child@1' }, decision: 'deny' },
    { when: {}, decision: 'allow' },
  ];
  const input = { id: ref('@plan.input.id'), n: { null: {} } };

  test('F29 the parent handled it and ended ok; the cause is the child’s own (C50)', () => {
    const w = make(
      [running(spawn('s', 't/child@1', input, 'k'), awaitPlan('a', ref('@var:k'), 'r'), end('end')), denied],
      {
        policy,
      },
    );
    send(w);
    expectCause(w, {
      state: 'failed',
      cause: 'policy_denied',
      reason: 'policy_rule',
      evidence: ['cap_decision', 'policy_decision', 'plan_ended'],
      text: ['t.echo of t/child@1 1 at step call', 't/p@1 0 started t/child@1 1 at step s'],
      hint: ['t/policy@1'],
      runs: ['t/p@1/s', 't/child@1/call'],
    });
  });

  test('F30 the parent failed because of the child: the cause is two levels down', () => {
    const middle = plan(
      't/middle@1',
      [spawn('s', 't/child@1', input, 'k'), awaitPlan('a', ref('@var:k'), 'r'), end('end')],
      inOrder({ id: 's' }, { id: 'a' }, { id: 'end' }),
      { invariants: [eq(ref('@var:r.$tag'), txt('Ok'))] },
    );
    const w = make(
      [
        plan(
          P,
          [spawn('m', 't/middle@1', input, 'k'), awaitPlan('a', ref('@var:k'), 'r'), end('end')],
          inOrder({ id: 'm' }, { id: 'a' }, { id: 'end' }),
          { invariants: [eq(ref('@var:r.$tag'), txt('Ok'))] },
        ),
        middle,
        denied,
      ],
      { policy },
    );
    send(w);
    const found = expectCause(w, {
      state: 'failed',
      cause: 'policy_denied',
      reason: 'policy_rule',
      evidence: ['cap_decision', 'policy_decision', 'plan_ended'],
      text: ['t.echo of t/child@1 2 at step call'],
      hint: ['t/policy@1'],
      runs: ['t/p@1/m', 't/middle@1/s', 't/child@1/call'],
    });
    expect(found.reasonsTotal).toBe(1);
  });

  test('F31 one of three children failed: which', () => {
    const each = plan('t/child@1', [mark('c'), end('end')], [edge('c', 'end')], {
      invariants: [op('ne', ref('@plan.input.id'), txt('b'))],
    });
    const inputs = { list: ['a', 'b', 'c'].map((id) => ({ record: { id: txt(id), n: { null: {} } } })) };
    const w = make([
      running(spawnForEach('f', 't/child@1', inputs, 'ks'), awaitPlansAll('all', ref('@var:ks'), 'rs'), end('end')),
      each,
    ]);
    send(w);
    expectCause(w, {
      state: 'failed',
      cause: 'invariant_violation',
      reason: 'invariant_false',
      evidence: ['plan_started', 'plan_ended'],
      text: ['invariant 0 (input.id != "b") of t/child@1 2 did not hold', 't/p@1 0 started t/child@1 2 at step f'],
      hint: ['t/child@1'],
      runs: ['t/p@1/f', 't/child@1/c'],
    });
  });

  test('F32 two causes at once, and a wait beside them: the first names the cause, and none is left out', () => {
    const steps = [
      spawn('s', 't/child@1', input, 'k'),
      spawn('o', 't/other@1', input, 'q'),
      awaitPlan('a', ref('@var:k'), 'r'),
      awaitPlan('b', ref('@var:q'), 'x'),
      awaitEvent('go', 't/Ready@1', 'v'),
      end('end'),
    ];
    const other = plan(
      't/other@1',
      [emit('e', 'h', { x: nat(2) }, { cap: 'cap_o' }), awaitReceipt('w', 'h', 'r'), end('end')],
      inOrder({ id: 'e' }, { id: 'w' }, { id: 'end' }),
      { invariants: [eq(ref('@var:r.$status'), txt('ok'))] },
    );
    const allowed = { when: { cap_name: 'cap_o' }, decision: 'allow' };
    const w = make([plan(P, steps, [edge('a', 'go'), edge('b', 'go'), edge('go', 'end')]), denied, other], {
      policy: [allowed, ...policy],
      grants: [TIMED, { ...TIMED, name: 'cap_o' }],
    });
    send(w);
    w.receipt(w.pending()[0]!, failure('http.connect', 'refused'));
    const found = expectCause(w, {
      state: 'failed',
      cause: 'policy_denied',
      reason: 'policy_rule',
      evidence: ['cap_decision', 'policy_decision', 'plan_ended'],
      text: ['t.echo of t/child@1 1 at step call'],
      hint: ['t/policy@1'],
      runs: ['t/p@1/s', 't/child@1/call'],
    });
    expect(found.moreReasons.map(({ code, runs }) => [code, runs.at(-1)?.plan])).toEqual([
      ['effect_failed', 't/other@1'],
      ['event_missing', P],
    ]);
  });

  test('F33 a child failed and its parent let that fail it later: the child comes first, the parent is told too', () => {
    const child = plan('t/child@1', [mark('c'), end('end')], [edge('c', 'end')], {
      invariants: [op('ne', ref('@plan.input.id'), txt('a'))],
    });
    const steps = [
      spawn('s', 't/child@1', input, 'k'),
      awaitPlan('a', ref('@var:k'), 'r'),
      awaitEvent('go', 't/Ready@1', 'v'),
      assign('late', 'n', op('div', nat(1), ref('@plan.input.n'))),
      end('end'),
    ];
    const w = make([running(...steps), child]);
    send(w, 'a', 0);
    w.send('t/Ready@1', { id: 'x' });
    const found = expectCause(w, {
      state: 'failed',
      cause: 'invariant_violation',
      reason: 'invariant_false',
      evidence: ['plan_started', 'plan_ended'],
      text: ['t/child@1 1'],
      hint: ['t/child@1'],
    });
    expect(found.moreReasons.map(({ code, runs }) => [code, runs.at(-1)?.plan])).toEqual([['expr_error', P]]);
  });

  test('F34 an error in a child leads to an invariant of the parent: the child is the reason', () => {
    const child = plan(
      't/child@1',
      [assign('c', 'n', op('div', nat(1), ref('@plan.input.n'))), end('end')],
      [edge('c', 'end')],
    );
    const steps = [spawn('s', 't/child@1', ref('@plan.input'), 'k'), awaitPlan('a', ref('@var:k'), 'r'), end('end')];
    const w = make([plan(P, steps, [edge('a', 'end')], { invariants: [eq(ref('@var:r.$tag'), txt('Ok'))] }), child]);
    send(w, 'a', 0);
    const found = expectCause(w, {
      state: 'failed',
      cause: 'invariant_violation',
      reason: 'expr_error',
      evidence: ['plan_started', 'plan_ended'],
      text: ['t/child@1 1 ended at step c'],
      hint: ['t/child@1'],
      runs: ['t/p@1/s', 't/child@1/c'],
    });
    expect(found.reasonsTotal).toBe(1);
  });
});

describe('a service that answers with a status', () => {
  const params = { method: 'GET', url: 'https://api.example/', headers: {}, body_ref: null };
  const steps = [
    emit('e', 'h', params, { kind: 'http.request', cap: 'cap_http' }),
    awaitReceipt('w', 'h', 'r'),
    end('end'),
  ];
  const grants = [{ name: 'cap_http', cap: 'sys/http.out@1', params: { hosts: ['api.example'] } }];
  const answer = (w: KernelWorld, status: number) =>
    w.receipt(w.pending()[0]!, {
      payload: { status, headers: {}, body_ref: null, timings: { start_ns: 1, end_ns: 2 }, adapter_id: 'host.http' },
    });

  test('F35 the run took 503 for an answer like any other and ended ok', () => {
    const w = make([running(...steps)], { grants });
    send(w);
    answer(w, 503);
    expectCause(w, {
      state: 'completed',
      cause: 'completed',
      reason: 'http_status',
      evidence: ['effect_intent', 'effect_receipt'],
      text: ['http.request of t/p@1 0 at step e with HTTP status 503; the run then ended ok'],
      hint: ['worldline effects get', 'a guard that looks at "status"'],
      facts: { http_status: 503 },
      runs: ['t/p@1/e'],
    });
  });

  test('F36 an invariant did not hold after 404: the invariant is the reason, and the answer is told', () => {
    const w = make([plan(P, steps, inOrder(...steps), { invariants: [eq(ref('@var:r.status'), { int: 200 })] })], {
      grants,
    });
    send(w);
    answer(w, 404);
    const found = expectCause(w, {
      state: 'failed',
      cause: 'invariant_violation',
      reason: 'invariant_false',
      evidence: ['plan_started', 'plan_ended'],
      text: ['after step w'],
      hint: ['invariant 0'],
    });
    expect(found.moreReasons).toMatchObject([{ code: 'http_status', facts: { http_status: 404 } }]);
  });

  test('F38 the run took 500 for an answer and now waits for what will not come: both are told', () => {
    const waiting = [...steps.slice(0, 2), awaitEvent('go', 't/Ready@1', 'v'), end('end')];
    const w = make([running(...waiting)], { grants });
    send(w);
    answer(w, 500);
    const found = expectCause(w, {
      state: 'waiting_event',
      cause: 'waiting_event',
      reason: 'event_missing',
      evidence: ['plan_started'],
      text: ['t/p@1 0 waits at step go'],
      hint: ['worldline event send'],
    });
    expect(found.moreReasons).toMatchObject([{ code: 'http_status', facts: { http_status: 500 } }]);
  });

  test('F37 a good answer is nothing to tell', () => {
    const w = make([running(...steps)], { grants });
    send(w);
    answer(w, 204);
    expect(
      expectCause(w, {
        state: 'completed',
        cause: 'completed',
        reason: 'done',
        evidence: ['plan_ended'],
        text: [],
        hint: [],
      }).reasonsTotal,
    ).toBe(1);
  });
});
