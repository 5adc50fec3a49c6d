import { KernelWorld } from '@worldline/testkit';
import { describe, expect, test } from 'vitest';
import {
  assign,
  awaitEvent,
  bool,
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
  type WorldOptions,
  world,
} from './nodes.ts';

/** The table of plans.md §10, one test per row that a plan without children can reach: code, `at`, `step`, `reason`. */

const P = 't/p@1';
const BIG = 'x'.repeat(70_000);

const errors = (w: KernelWorld) =>
  w
    .records('plan_ended')
    .filter((r) => r.status === 'error')
    .map((r) => {
      const error = w.decode('sys/PlanError@1', w.object(r.result_ref!)!) as {
        code: string;
        message: string;
        details: string | null;
      };
      const details = error.details === null ? {} : (JSON.parse(error.details) as Record<string, string>);
      expect(error.code).toBe(r.error_code);
      expect(error.message).toBe(r.message);
      expect(r.message).toBe(details['reason'] === undefined ? error.code : `${error.code}: ${details['reason']}`);
      expect(r.step_id).toBe(details['step']);
      // Keys in this order, and no others.
      expect(Object.keys(details)).toEqual(['at', 'reason', 'step'].filter((key) => key in details));
      return [error.code, details['at'], details['step'], details['reason']];
    });

const failing = (steps: Node[], edges: Node[] = [], more: Node = {}) => plan(P, steps, edges, more);
const limits = () => KernelWorld.create(world([plan(P, [mark('m')])])).kernel.config.limits;

describe('while running', () => {
  const div = op('div', { int: 1 }, ref('@plan.input.n'));
  const rows: [string, Node, [string, string | undefined, string | undefined, string | undefined], WorldOptions?][] = [
    [
      'invariant that evaluates to an error: its location',
      failing([mark('a')], [], { invariants: [bool(true), eq(nat(1), div)] }),
      ['invariant_violation', '/invariants/1/args/1', 'a', 'invariants/1: divide_by_zero'],
    ],
    [
      'slot: the location of the error',
      failing([assign('a', 'v', div)]),
      ['expr_error', '/steps/0/expr', 'a', 'divide_by_zero'],
    ],
    [
      'declared local that the value does not fit',
      failing([assign('a', 'v', op('sub', ref('@plan.input.n'), nat(1)))], [], { locals: { v: 't/Nat@1' } }),
      ['expr_error', '/steps/0/expr', 'a', 'conversion'],
    ],
    [
      'guard: below the edge, of the step that is decided',
      failing([mark('a'), mark('b')], [edge('a', 'b', eq(div, nat(1)))]),
      ['expr_error', '/edges/0/when/args/0', 'b', 'divide_by_zero'],
    ],
    [
      'where over a variable that is not bound when the wait begins',
      failing(
        [
          mark('a'),
          assign('b', 'v', txt('x')),
          awaitEvent('w', 't/Reply@1', 'e', eq(ref('@event.correlation_id'), ref('@var:v'))),
        ],
        [edge('a', 'b', bool(false)), edge('b', 'w'), edge('a', 'w')],
      ),
      ['expr_error', '/steps/2/where/args/1', 'w', 'missing_ref'],
    ],
    [
      'params that do not fit',
      failing([emit('e', 'h', { x: op('sub', ref('@plan.input.n'), nat(1)) })]),
      ['effect_invalid', '/steps/0/params', 'e', 'value.out_of_range'],
    ],
    [
      'evaluation error inside params',
      failing([emit('e', 'h', { x: div })]),
      ['expr_error', '/steps/0/params/record/x', 'e', 'divide_by_zero'],
    ],
    [
      'idempotency key that is none',
      failing([emit('e', 'h', { x: 1 }, { idempotency_key: ref('@plan.input.id') })]),
      ['effect_invalid', '/steps/0/idempotency_key', 'e', 'idempotency.invalid'],
    ],
    [
      'enforcer that says no: the code of the decision',
      failing([
        emit(
          'e',
          'h',
          { method: 'GET', url: 'https://bad.example/', headers: {}, body_ref: null },
          {
            kind: 'http.request',
            cap: 'cap_http',
          },
        ),
      ]),
      ['cap_denied', '/steps/0/cap', 'e', 'host_not_allowed'],
    ],
    [
      'policy rule that denies',
      failing([emit('e', 'h', { x: 1 })]),
      ['policy_denied', '/steps/0', 'e', 'rule/1'],
      {
        policy: [
          { when: { origin_kind: 'reducer' }, decision: 'allow' },
          { when: {}, decision: 'deny' },
        ],
      },
    ],
    [
      'policy without a rule that matches',
      failing([emit('e', 'h', { x: 1 })]),
      ['policy_denied', '/steps/0', 'e', 'default'],
      { policy: [{ when: { origin_kind: 'reducer' }, decision: 'allow' }] },
    ],
    [
      'raised value that does not fit',
      failing([raise('r', 't/Out@1', { n: op('sub', ref('@plan.input.n'), nat(1)) })]),
      ['event_invalid', '/steps/0/value', 'r', 'value.out_of_range'],
    ],
    [
      'raised event that only the kernel produces',
      failing([
        raise('r', 'sys/FabricMessage@1', {
          message_id: `sha256:${'0'.repeat(64)}`,
          from_world: 'w',
          schema: 't/In@1',
          value: 'AA==',
        }),
      ]),
      ['event_invalid', '/steps/0/value', 'r', 'schema.reserved'],
    ],
    [
      'result that does not fit',
      failing([mark('a'), end('done', { n: op('sub', ref('@plan.input.n'), nat(1)) })], [edge('a', 'done')], {
        output: 't/Out@1',
      }),
      ['result_invalid', '/steps/1/result', 'done', 'value.out_of_range'],
    ],
    [
      'no end where an output is declared',
      failing([mark('a'), end('done', { n: 1 })], [edge('a', 'done', bool(false))], { output: 't/Out@1' }),
      ['result_missing', undefined, undefined, undefined],
    ],
  ];
  test.each(rows)('%s', (_, node, expected, options) => {
    const w = KernelWorld.create(world([node], options));
    w.start(P, { id: 'r', n: 0 });
    expect(errors(w)).toEqual([expected]);
    expect(w.instances()).toEqual([]);
    expect(w.kernel.waits()).toEqual([]);
    w.checkParity();
  });

  test('params, and raised values, over their size limit are too_large', () => {
    const small = { ...limits(), max_params_bytes: 8, max_event_bytes: 80_000 };
    const long = op('concat', ref('@plan.input.id'), ref('@plan.input.id'));
    for (const [step, expected] of [
      [emit('e', 'h', { x: 1_000_000_000_000 }), ['effect_invalid', '/steps/0/params', 'e', 'too_large']],
      [raise('r', 't/Mark@1', { s: long }), ['event_invalid', '/steps/0/value', 'r', 'too_large']],
    ] as const) {
      const w = KernelWorld.create(world([failing([step])]), { limits: small });
      w.start(P, { id: BIG });
      expect(errors(w)).toEqual([expected]);
      w.checkParity();
    }
  });

  test('a secret that is no longer declared, or not for this plan, is secret_denied at the params', () => {
    const steps = [awaitEvent('w', 't/Ready@1', 'v'), emit('e', 'h', { x: { alias: 't/key', version: 1 } })];
    const nodes = (plans: Node[], secrets: Node[]) => [
      ...secrets,
      ...world(plans).map((n) => {
        if (n['name'] === 't/Echo@1') return schema('t/Echo@1', { record: { x: { ref: 'sys/SecretRef@1' } } });
        return n['$kind'] === 'manifest' ? { ...n, secrets: secrets.map(({ name }) => ({ name })) } : n;
      }),
    ];
    const key = (more: Node = {}) => ({ $kind: 'defsecret', name: 't/key@1', binding_id: 'env:KEY', ...more });
    const other = plan('t/q@1', [mark('m')]);
    for (const [secrets, reason] of [
      [[], 'secret_unknown'],
      [[key({ allowed_caps: ['cap_http'] })], 'secret_denied'],
      [[key({ allowed_plans: ['t/q@1'] })], 'secret_denied'],
    ] as const) {
      const w = KernelWorld.create(nodes([failing(steps, [edge('w', 'e')])], [key()]));
      w.start(P, { id: 'r' });
      w.push(nodes([other], [...secrets]));
      w.send('t/Ready@1', { id: 'x' });
      expect(errors(w)).toEqual([['secret_denied', '/steps/1/params', 'e', reason]]);
      expect(w.lastKinds()).toEqual(['domain_event', 'cap_decision', 'plan_ended']);
      expect(w.records('cap_decision')[0]).toMatchObject({ decision: 'deny', deny: { code: reason } });
      w.checkParity();
    }
  });

  test('cancelled by an operator: neither place nor step nor reason', () => {
    const w = KernelWorld.create(world([failing([awaitEvent('w', 't/Ready@1', 'e')])]));
    w.start(P, { id: 'r' });
    w.cancel(0, 'because');
    expect(errors(w)).toEqual([['cancelled', undefined, undefined, undefined]]);
    w.checkParity();
  });
});

describe('starting from an event (plans.md §11)', () => {
  const start = (trigger: Node, schemaName: string, value: unknown, more: Node = {}) => {
    const w = KernelWorld.create(
      world([plan(P, [mark('never')], [], more)], { triggers: [{ event: schemaName, plan: P, ...trigger }] }),
    );
    expect(w.send(schemaName, value).outcome.kind).toBe('applied');
    w.checkParity();
    return w;
  };

  test('projected input: evaluation code or value code; the hash is that of the event', () => {
    const over = (expr: Node) => ({ input_expr: { n: expr } });
    const w = start(over(op('div', nat(1), ref('@event.score'))), 't/Score@1', { score: 0 }, { input: 't/Out@1' });
    expect(errors(w)).toEqual([['input_invalid', undefined, undefined, 'divide_by_zero']]);
    const other = start(over(ref('@event.score')), 't/Score@1', { score: -1 }, { input: 't/Out@1' });
    expect(errors(other)).toEqual([['input_invalid', undefined, undefined, 'value.out_of_range']]);
    expect(other.lastKinds()).toEqual(['domain_event', 'plan_started', 'plan_ended']);
    const [started] = other.records('plan_started');
    const [ended] = other.records('plan_ended');
    const [event] = other.records('domain_event');
    expect([started!.cause, ended!.cause, ended!.started_seq]).toEqual([event!.seq, event!.seq, started!.seq]);
  });

  test('a correlation path that the event does not have: input_invalid, value.missing_field, never uncorrelated', () => {
    const w = start({ correlate_by: '$value.a', input_expr: { id: txt('x'), n: { null: {} } } }, 't/Either@1', {
      B: { b: 'x' },
    });
    expect(errors(w)).toEqual([['input_invalid', undefined, undefined, 'value.missing_field']]);
    expect(w.records('plan_started')[0]!.correlation).toBeUndefined();
  });

  test('a when that is false or fails starts nothing and records nothing', () => {
    for (const when of [eq(ref('@event.score'), nat(5)), eq(op('div', nat(1), ref('@event.score')), nat(1))]) {
      const w = start({ when, input_expr: { n: nat(1) } }, 't/Score@1', { score: 0 }, { input: 't/Out@1' });
      expect(w.lastKinds()).toEqual(['domain_event']);
    }
  });
});
