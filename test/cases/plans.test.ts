import { FailureError, toHex } from '@worldline/canon';
import { KernelWorld } from '@worldline/testkit';
import { describe, expect, test } from 'vitest';
import {
  assign,
  awaitEvent,
  awaitReceipt,
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
  timer,
  txt,
  type WorldOptions,
  world,
} from './nodes.ts';

/** Worked cases of `plans.md` §16, one test each; every scenario ends with the parity check P4–P5. */

/** Runs a scenario and proves parity of every world it made. */
function worked(
  id: string,
  title: string,
  scenario: (make: (plans: Node[], options?: WorldOptions) => KernelWorld) => void,
): void {
  test(`${id}: ${title}`, () => {
    const worlds: KernelWorld[] = [];
    scenario((plans, options) => {
      const made = KernelWorld.create(world(plans, options));
      worlds.push(made);
      return made;
    });
    for (const made of worlds) made.checkParity();
  });
}

function loadCode(plans: Node[], options?: WorldOptions): string | undefined {
  try {
    KernelWorld.create(world(plans, options));
    return undefined;
  } catch (error) {
    if (error instanceof FailureError) return error.failure.code;
    throw error;
  }
}

const ended = (w: KernelWorld) => w.records('plan_ended').map((r) => (r.status === 'ok' ? 'ok' : r.error_code));
const marks = (w: KernelWorld) => w.raised('t/Mark@1').map((m) => (m as { s: string }).s);
const detailsOf = (w: KernelWorld, index = 0) => {
  const { result_ref } = w.records('plan_ended')[index]!;
  return w.decode('sys/PlanError@1', w.object(result_ref!)!) as {
    code: string;
    message: string;
    details: string | null;
  };
};

const P = 't/p@1';
const IN = { id: 'r1' };
const OTHER_GRANTS = [{ name: 'cap_timer', cap: 'sys/timer@1', params: {} }];

describe('running and deciding', () => {
  worked('C1', 'one assign, no end, no output: the variable is bound, the plan ends ok without a result', (make) => {
    const w = make([plan(P, [assign('a', 'v', nat(42))], [], { invariants: [eq(ref('@var:v'), nat(42))] })]);
    w.start(P, IN);
    expect(ended(w)).toEqual(['ok']);
    expect(w.records('plan_result')).toEqual([]);
    // The invariant that held saw the variable: with another value it does not hold.
    const other = make([plan(P, [assign('a', 'v', nat(42))], [], { invariants: [eq(ref('@var:v'), nat(41))] })]);
    other.start(P, IN);
    expect(ended(other)).toEqual(['invariant_violation']);
  });

  worked('C2', 'a sugar literal needs a declared local', (make) => {
    make([plan(P, [assign('a', 'v', 'hi')], [], { locals: { v: 't/Text@1' } })]).start(P, IN);
    expect(loadCode([plan(P, [assign('a', 'v', 'hi')])])).toBe('plan.literal_needs_schema');
  });

  worked('C3', 'emit, await, raise, end', (make) => {
    const w = make([
      plan(
        P,
        [
          emit('e', 'h', { x: 1 }),
          awaitReceipt('w', 'h', 'r'),
          raise('say', 't/Out@1', { n: ref('@var:r.y') }),
          end('done'),
        ],
        [edge('e', 'w'), edge('w', 'say'), edge('say', 'done')],
      ),
    ]);
    w.start(P, IN);
    expect(w.lastKinds()).toEqual(['plan_start', 'plan_started', 'cap_decision', 'policy_decision', 'effect_intent']);
    expect(w.instances()).toHaveLength(1);
    w.receipt(w.pending()[0]!, { payload: { y: 7 } });
    expect(w.lastKinds()).toEqual(['effect_receipt', 'domain_event', 'plan_ended']);
    expect(w.raised('t/Out@1')).toEqual([{ n: 7 }]);
    expect(ended(w)).toEqual(['ok']);
  });

  worked('C4', 'three roots emit in declaration order; the join waits for all', (make) => {
    const ids = ['a', 'b', 'c'];
    const w = make([
      plan(
        P,
        [
          ...ids.map((i, n) => emit(i, `h${i}`, { x: n })),
          ...ids.map((i) => awaitReceipt(`w${i}`, `h${i}`, `r${i}`)),
          end('join'),
        ],
        ids.map((i) => edge(`w${i}`, 'join')),
      ),
    ]);
    w.start(P, IN);
    expect(w.records('effect_intent').map((r) => r.origin.origin_kind === 'plan' && r.origin.step_id)).toEqual(ids);
    const [a, b, c] = w.pending();
    for (const emission of [b!, a!]) {
      w.receipt(emission, { payload: { y: 1 } });
      expect(ended(w)).toEqual([]);
    }
    w.receipt(c!, { payload: { y: 1 } });
    expect(ended(w)).toEqual(['ok']);
  });

  worked('C5', 'a false guard skips emit and end; nothing is decided or emitted', (make) => {
    const w = make([
      plan(
        P,
        [assign('flag', 'f', bool(false)), emit('e', 'h', { x: 1 }), end('done')],
        [edge('flag', 'e', eq(ref('@var:f'), bool(true))), edge('e', 'done')],
      ),
    ]);
    w.start(P, IN);
    expect(ended(w)).toEqual(['ok']);
    expect([...w.records('cap_decision'), ...w.records('policy_decision'), ...w.records('effect_intent')]).toEqual([]);
  });

  worked('C6', 'a join runs when one of its edges fired', (make) => {
    const w = make([
      plan(
        P,
        [mark('A'), mark('B'), mark('C'), mark('J')],
        [edge('A', 'B', bool(false)), edge('B', 'J'), edge('C', 'J')],
      ),
    ]);
    w.start(P, IN);
    expect(marks(w)).toEqual(['A', 'C', 'J']);
    expect(ended(w)).toEqual(['ok']);
  });

  worked('C7', 'skipping cascades; with an output nothing settled is result_missing', (make) => {
    const steps = [mark('A'), mark('B'), mark('J'), mark('K')];
    const edges = [edge('A', 'B', bool(false)), edge('B', 'J'), edge('J', 'K')];
    const w = make([plan(P, steps, edges)]);
    w.start(P, IN);
    expect(marks(w)).toEqual(['A']);
    expect(ended(w)).toEqual(['ok']);
    const withOutput = make([
      plan(P, [...steps, end('done', { n: 1 })], [...edges, edge('K', 'done')], { output: 't/Out@1' }),
    ]);
    withOutput.start(P, IN);
    expect(ended(withOutput)).toEqual(['result_missing']);
    expect(toHex(withOutput.records('plan_ended')[0]!.result_ref!)).toBe(
      '4e0c6e3d449cda04c806ae1cfc0e4e1464d98b79ad4287aee5d77e0a02e08ab8',
    );
  });

  worked('C8', 'a decision is latched', (make) => {
    const w = make([
      plan(
        P,
        [assign('X', 'v', nat(1)), assign('Z', 'v', nat(2)), mark('Y')],
        [edge('X', 'Y', eq(ref('@var:v'), nat(1)))],
        {
          invariants: [op('le', ref('@var:v'), nat(2))],
        },
      ),
    ]);
    w.start(P, IN);
    expect(marks(w)).toEqual(['Y']);
    expect(ended(w)).toEqual(['ok']);
  });

  worked('C9', 'a guard that divides by zero ends its plan only', (make) => {
    const w = make([
      plan(
        't/p@1',
        [mark('A'), mark('B')],
        [edge('A', 'B', eq(op('div', { int: 4 }, ref('@plan.input.n')), { int: 1 }))],
      ),
      plan('t/q@1', [mark('Q')]),
    ]);
    w.start(P, { id: 'r', n: 0 });
    expect(ended(w)).toEqual(['expr_error']);
    const { message, step_id, result_ref } = w.records('plan_ended')[0]!;
    expect({ message, step_id }).toEqual({ message: 'expr_error: divide_by_zero', step_id: 'B' });
    expect(detailsOf(w).details).toBe('{"at":"/edges/0/when/args/0","reason":"divide_by_zero","step":"B"}');
    expect(toHex(result_ref!)).toBe('0fc4cccc523ed863eb29dee45585e31449499f2ab30d26a58eaab988e07ed331');
    w.start('t/q@1', IN);
    expect(ended(w)).toEqual(['expr_error', 'ok']);
  });

  worked('C10', 'registering a wait does not block other ready steps', (make) => {
    const w = make([
      plan(
        P,
        [emit('e', 'h', { x: 1 }), awaitReceipt('R', 'h', 'r'), mark('B'), end('done')],
        [edge('R', 'done'), edge('B', 'done')],
      ),
    ]);
    w.start(P, IN);
    expect(marks(w)).toEqual(['B']);
    w.receipt(w.pending()[0]!, { payload: { y: 1 } });
    expect(ended(w)).toEqual(['ok']);
  });
});

describe('waiting for events', () => {
  worked('C11', 'two plans wait for two schemas', (make) => {
    const w = make([
      plan('t/p@1', [awaitEvent('w', 't/Ready@1', 'e')]),
      plan('t/q@1', [awaitEvent('w', 't/Other@1', 'e')]),
    ]);
    w.start('t/p@1', IN);
    w.start('t/q@1', IN);
    w.send('t/Ready@1', { id: 'x' });
    expect(w.records('plan_ended').map((r) => r.plan_name)).toEqual(['t/p@1']);
    w.send('t/Other@1', { id: 'x' });
    expect(w.records('plan_ended').map((r) => r.plan_name)).toEqual(['t/p@1', 't/q@1']);
  });

  const byMatch = eq(ref('@event.correlation_id'), txt('match'));

  worked('C12', 'a where that does not hold does not wake', (make) => {
    const w = make([
      plan(
        P,
        [awaitEvent('w', 't/Reply@1', 'e', byMatch), raise('r', 't/Mark@1', { s: ref('@var:e.correlation_id') })],
        [edge('w', 'r')],
      ),
    ]);
    w.start(P, IN);
    w.send('t/Reply@1', { correlation_id: 'nope' });
    expect(w.lastKinds()).toEqual(['domain_event']);
    w.send('t/Reply@1', { correlation_id: 'match' });
    expect(marks(w)).toEqual(['match']);
    expect(ended(w)).toEqual(['ok']);
  });

  worked('C13', 'an event wakes all waiters in registration order', (make) => {
    const w = make([plan(P, [awaitEvent('w', 't/Ready@1', 'e')])]);
    w.start(P, IN);
    w.start(P, IN);
    w.send('t/Ready@1', { id: 'x' });
    expect(w.records('plan_ended').map((r) => r.plan_id)).toEqual([0, 1]);
  });

  const correlated = { triggers: [{ event: 't/In@1', plan: P, correlate_by: 'id' }] };
  const byCorrelation = eq(ref('@event.correlation_id'), ref('@var:correlation_id'));

  worked('C14', 'correlated instances do not cross', (make) => {
    const w = make([plan(P, [awaitEvent('w', 't/Reply@1', 'e', byCorrelation)])], correlated);
    w.send('t/In@1', { id: 'a' });
    w.send('t/In@1', { id: 'b' });
    w.send('t/Reply@1', { correlation_id: 'b' });
    expect(w.records('plan_ended').map((r) => r.plan_id)).toEqual([1]);
    w.send('t/Reply@1', { correlation_id: 'a' });
    expect(w.records('plan_ended').map((r) => r.plan_id)).toEqual([1, 0]);
  });

  worked('C15', 'a correlated plan without where does not load', () => {
    expect(loadCode([plan(P, [awaitEvent('w', 't/Reply@1', 'e')])], correlated)).toBe('plan.correlation_missing');
  });

  worked('C16', 'a field that another arm lacks is no match, not an error', (make) => {
    const w = make([plan(P, [awaitEvent('w', 't/Either@1', 'e', eq(ref('@event.$value.a'), txt('x')))])]);
    w.start(P, IN);
    w.send('t/Either@1', { B: { b: 'x' } });
    expect(w.instances()).toHaveLength(1);
    w.send('t/Either@1', { A: { a: 'x' } });
    expect(ended(w)).toEqual(['ok']);
  });

  worked('C17', 'waits are future-only', (make) => {
    const w = make([plan(P, [awaitEvent('w', 't/In@1', 'e')])], { triggers: [{ event: 't/In@1', plan: P }] });
    w.send('t/In@1', IN);
    expect(w.instances()).toHaveLength(1);
    expect(ended(w)).toEqual([]);
  });

  worked('C18', 'an instance can satisfy its own wait', (make) => {
    const w = make([
      plan(P, [awaitEvent('w', 't/Mark@1', 'e'), mark('r'), end('done')], [edge('w', 'done'), edge('r', 'done')]),
    ]);
    w.start(P, IN);
    expect(w.lastKinds()).toEqual(['plan_start', 'plan_started', 'domain_event', 'plan_ended']);
    // What follows from the wake has the raised event as its cause (kernel.md §8.2).
    expect(w.records('plan_ended')[0]!.cause).toBe(w.records('domain_event')[0]!.seq);
  });

  worked('C19', 'two waits of one instance race; the loser is dropped', (make) => {
    const w = make([
      plan(
        P,
        [
          awaitEvent('w1', 't/Reply@1', 'e1', eq(ref('@event.correlation_id'), txt('one'))),
          awaitEvent('w2', 't/Reply@1', 'e2', eq(ref('@event.correlation_id'), txt('two'))),
          end('end1'),
          mark('m2'),
          end('end2'),
        ],
        [edge('w1', 'end1'), edge('w2', 'm2'), edge('m2', 'end2')],
      ),
    ]);
    w.start(P, IN);
    expect(w.kernel.waits()).toHaveLength(2);
    w.send('t/Reply@1', { correlation_id: 'two' });
    expect(marks(w)).toEqual(['m2']);
    expect(ended(w)).toEqual(['ok']);
    expect(w.kernel.waits()).toEqual([]);
    w.send('t/Reply@1', { correlation_id: 'one' });
    expect(w.lastKinds()).toEqual(['domain_event']);
  });
});

describe('waiting for receipts', () => {
  worked('C20', 'an early receipt is buffered', (make) => {
    const w = make([
      plan(
        P,
        [
          emit('e1', 'h1', { x: 1 }),
          emit('e2', 'h2', { x: 2 }),
          awaitReceipt('w2', 'h2', 'r2'),
          assign('a', 'v', nat(1)),
          awaitReceipt('w1', 'h1', 'r1'),
        ],
        [edge('w2', 'a'), edge('a', 'w1')],
      ),
    ]);
    w.start(P, IN);
    const [e1, e2] = w.pending();
    w.receipt(e1!, { payload: { y: 1 } });
    expect(w.records('effect_receipt')[0]!.disposition).toBe('buffered');
    w.receipt(e2!, { payload: { y: 2 } });
    expect(w.records('effect_receipt')[1]!.disposition).toBe('applied');
    expect(ended(w)).toEqual(['ok']);
  });

  worked('C21', 'two awaits share one handle', (make) => {
    const w = make([
      plan(
        P,
        [
          emit('e', 'h', { x: 1 }),
          awaitReceipt('w1', 'h', 'r1'),
          awaitReceipt('w2', 'h', 'r2'),
          mark('m1'),
          mark('m2'),
        ],
        [edge('w1', 'm1', eq(ref('@var:r1.y'), nat(5))), edge('w2', 'm2', eq(ref('@var:r2.y'), nat(5)))],
      ),
    ]);
    w.start(P, IN);
    w.receipt(w.pending()[0]!, { payload: { y: 5 } });
    expect(marks(w)).toEqual(['m1', 'm2']);
  });

  worked('C22', 'an await whose emit was skipped is handle_unknown', (make) => {
    const w = make([
      plan(
        P,
        [mark('a'), emit('e', 'h', { x: 1 }), awaitReceipt('w', 'h', 'r')],
        [edge('a', 'e', bool(false)), edge('a', 'w')],
      ),
    ]);
    w.start(P, IN);
    expect(ended(w)).toEqual(['handle_unknown']);
    expect(detailsOf(w)).toEqual({
      code: 'handle_unknown',
      message: 'handle_unknown',
      details: '{"at":"/steps/2/for","step":"w"}',
    });
  });

  worked('C23', 'a failed receipt takes the failure branch; its payload cannot be read', (make) => {
    const status = (operator: string) => op(operator, ref('@var:r.$status'), txt('ok'));
    const branches = (failing: Node) => [
      plan(
        P,
        [emit('e', 'h', { x: 1 }), awaitReceipt('w', 'h', 'r'), mark('good'), failing],
        [edge('w', 'good', status('eq')), edge('w', 'bad', status('ne'))],
      ),
    ];
    const answer = {
      status: 'error',
      error: { code: 'x.y', message: 'no', retryable: null, detail_ref: null },
    } as const;
    const w = make(branches(mark('bad')));
    w.start(P, IN);
    w.receipt(w.pending()[0]!, answer);
    expect(marks(w)).toEqual(['bad']);
    const reading = make(branches(raise('bad', 't/Out@1', { n: ref('@var:r.y') })));
    reading.start(P, IN);
    reading.receipt(reading.pending()[0]!, answer);
    expect(ended(reading)).toEqual(['expr_error']);
    expect(reading.records('plan_ended')[0]!.message).toBe('expr_error: no_payload');
  });
});

describe('the gate', () => {
  worked('C24', 'a policy denial ends the plan and nothing else', (make) => {
    const w = make([plan(P, [emit('e', 'h', { x: 1 })])], {
      policy: [{ when: { effect_kind: 't.echo' }, decision: 'deny' }],
    });
    w.start(P, IN);
    expect(w.lastKinds()).toEqual(['plan_start', 'plan_started', 'cap_decision', 'policy_decision', 'plan_ended']);
    expect(w.records('cap_decision')[0]!.decision).toBe('allow');
    expect(w.records('policy_decision')[0]).toMatchObject({
      decision: 'deny',
      rule_index: 0,
      policy_name: 't/policy@1',
    });
    expect(ended(w)).toEqual(['policy_denied']);
    expect(detailsOf(w).details).toBe('{"at":"/steps/0","reason":"rule/0","step":"e"}');
    expect(w.send('t/Mark@1', { s: 'still here' }).outcome.kind).toBe('applied');
  });

  worked('C25', 'authority is live: a grant that expired or is gone denies a parked plan', (make) => {
    const parked = plan(P, [awaitEvent('w', 't/Ready@1', 'e'), emit('e', 'h', { x: 1 })], [edge('w', 'e')]);
    const expiring = make([parked], {
      grants: [{ name: 'cap_t', cap: 't/cap@1', params: {}, expiry_ns: 1_000_000_000 }, ...OTHER_GRANTS],
    });
    expiring.start(P, IN);
    expiring.advance(2_000_000_000n);
    expiring.send('t/Ready@1', { id: 'x' });
    expect(expiring.lastKinds()).toEqual(['domain_event', 'cap_decision', 'plan_ended']);
    expect(expiring.records('plan_ended')[0]!.message).toBe('cap_denied: expired');

    const removed = make([parked]);
    removed.start(P, IN);
    removed.push(world([plan('t/other@1', [mark('m')])], { grants: OTHER_GRANTS }));
    removed.send('t/Ready@1', { id: 'x' });
    expect(removed.records('plan_ended')[0]!.message).toBe('cap_denied: cap.grant_missing');
    expect(removed.records('cap_decision')).toEqual([]);
  });

  worked('C26', 'params out of range emit nothing', (make) => {
    const w = make([plan(P, [emit('e', 'h', { x: op('sub', { int: 0 }, ref('@plan.input.n')) })])]);
    w.start(P, { id: 'r', n: 5 });
    expect(ended(w)).toEqual(['effect_invalid']);
    expect(detailsOf(w).details).toBe('{"at":"/steps/0/params","reason":"value.out_of_range","step":"e"}');
    expect(w.records('effect_intent')).toEqual([]);
  });

  worked('C27', 'a key that is no hash', (make) => {
    const w = make([plan(P, [emit('e', 'h', { x: 1 }, { idempotency_key: ref('@plan.input.id') })])]);
    w.start(P, { id: 'not a hash' });
    expect(ended(w)).toEqual(['effect_invalid']);
    expect(detailsOf(w).details).toBe('{"at":"/steps/0/idempotency_key","reason":"idempotency.invalid","step":"e"}');
  });
});

describe('ending', () => {
  const withOutput = (steps: Node[], edges: Node[] = []) => plan(P, steps, edges, { output: 't/Out@1' });

  worked('C28', 'a result is recorded directly after the end', (make) => {
    const w = make([withOutput([end('done', { n: 3 })])]);
    w.start(P, IN);
    expect(w.lastKinds()).toEqual(['plan_start', 'plan_started', 'plan_ended', 'plan_result']);
    expect(w.decode('t/Out@1', w.records('plan_result')[0]!.value_cbor)).toEqual({ n: 3 });
  });

  worked('C29', 'results and outputs belong together', () => {
    expect(loadCode([withOutput([end('done')])])).toBe('plan.result_missing');
    expect(loadCode([withOutput([mark('m')])])).toBe('plan.end_missing');
    expect(loadCode([plan(P, [end('done', { n: 1 })])])).toBe('plan.literal_needs_schema');
  });

  worked('C30', 'a result out of range', (make) => {
    const w = make([withOutput([end('done', { n: op('sub', { int: 1 }, ref('@plan.input.n')) })])]);
    w.start(P, { id: 'r', n: 2 });
    expect(ended(w)).toEqual(['result_invalid']);
    expect(w.records('plan_result')).toEqual([]);
  });
});

describe('invariants', () => {
  const small = [op('lt', ref('@var:val'), nat(10))];

  worked('C31', 'an invariant broken by the second step stops the third', (make) => {
    const w = make([
      plan(
        P,
        [assign('five', 'val', nat(5)), assign('twenty', 'val', nat(20)), mark('never')],
        [edge('five', 'twenty'), edge('twenty', 'never')],
        { invariants: small },
      ),
    ]);
    w.start(P, IN);
    expect(ended(w)).toEqual(['invariant_violation']);
    expect(marks(w)).toEqual([]);
    expect(detailsOf(w)).toEqual({
      code: 'invariant_violation',
      message: 'invariant_violation: invariants/0',
      details: '{"at":"/invariants/0","reason":"invariants/0","step":"twenty"}',
    });
  });

  worked('C32', 'an invariant broken at the end leaves no result', (make) => {
    const w = make([
      plan(P, [end('done', { n: 12 })], [], {
        output: 't/Out@1',
        invariants: [op('lt', ref('@step:done.n'), nat(10))],
      }),
    ]);
    w.start(P, IN);
    expect(ended(w)).toEqual(['invariant_violation']);
    expect(w.records('plan_ended')[0]!.step_id).toBe('done');
    expect(w.records('plan_result')).toEqual([]);
  });

  worked('C33', 'invariants hold throughout', (make) => {
    const steps = [assign('a', 'val', nat(1)), assign('b', 'val', nat(2)), assign('c', 'val', nat(3))];
    const edges = [edge('a', 'b'), edge('b', 'c')];
    const w = make([plan(P, steps, edges, { invariants: small })]);
    w.start(P, IN);
    expect(ended(w)).toEqual(['ok']);
    // Evaluated after each step: a bound that only the second step breaks is seen there.
    const tight = make([plan(P, steps, edges, { invariants: [op('ne', ref('@var:val'), nat(2))] })]);
    tight.start(P, IN);
    expect(tight.records('plan_ended')[0]!.step_id).toBe('b');
  });

  worked('C34', 'an invariant applies once everything it names is bound', (make) => {
    const w = make([
      plan(
        P,
        [mark('first'), assign('bind', 'n', nat(1)), mark('last')],
        [edge('first', 'bind'), edge('bind', 'last')],
        {
          invariants: [op('lt', ref('@var:n'), nat(1))],
        },
      ),
    ]);
    w.start(P, IN);
    expect(marks(w)).toEqual(['first']);
    expect(w.records('plan_ended')[0]).toMatchObject({ error_code: 'invariant_violation', step_id: 'bind' });
  });

  worked('C35', 'an invariant broken by the first of two emits stops the second', (make) => {
    const w = make([
      plan(P, [emit('e1', 'h1', { x: 1 }), emit('e2', 'h2', { x: 2 })], [], {
        invariants: [eq(ref('@step:e1.params.x'), nat(9))],
      }),
    ]);
    w.start(P, IN);
    expect(w.records('effect_intent')).toHaveLength(1);
    expect(ended(w)).toEqual(['invariant_violation']);
    w.receipt(w.pending()[0]!, { payload: { y: 1 } });
    expect(w.records('effect_receipt')[0]!.disposition).toBe('late');
  });

  worked('C36', 'an invariant that fails to evaluate fails closed', (make) => {
    const w = make([
      plan(P, [mark('a')], [], { invariants: [eq(op('div', { int: 1 }, ref('@plan.input.n')), { int: 1 })] }),
    ]);
    w.start(P, { id: 'r', n: 0 });
    expect(ended(w)).toEqual(['invariant_violation']);
    expect(w.records('plan_ended')[0]!.message).toBe('invariant_violation: invariants/0: divide_by_zero');
  });

  worked('C37', 'what an invariant may name', (make) => {
    const having = (invariant: Node) => [plan(P, [mark('a')], [], { invariants: [invariant] })];
    expect(loadCode(having(eq(ref('@event.x'), nat(1))))).toBe('plan.invariant_event_ref');
    expect(loadCode(having(eq(ref('@var:nope'), nat(1))))).toBe('plan.invariant_unknown_ref');
    const w = make(having(eq(ref('@var:correlation_id'), txt('a'))), {
      triggers: [{ event: 't/In@1', plan: P, correlate_by: 'id' }],
    });
    w.send('t/In@1', { id: 'a' });
    expect(ended(w)).toEqual(['ok']);
  });
});

describe('races', () => {
  const racer = (more: Node = {}) =>
    plan(
      P,
      [
        awaitEvent('reply', 't/Reply@1', 'e'),
        mark('answered'),
        end('done'),
        timer('arm', 'h', 1_000_000_000, more),
        awaitReceipt('late', 'h', 't'),
        mark('timed_out'),
        end('expired'),
      ],
      [edge('reply', 'answered'), edge('answered', 'done'), edge('late', 'timed_out'), edge('timed_out', 'expired')],
    );

  worked('C38', 'the response wins, the timer is late', (make) => {
    const w = make([racer()]);
    w.start(P, IN);
    w.send('t/Reply@1', { correlation_id: 'x' });
    expect(marks(w)).toEqual(['answered']);
    const before = w.kernel.instances();
    expect([...before]).toEqual([]);
    w.advance(2_000_000_000n);
    w.fire(w.pending()[0]!);
    expect(w.records('effect_receipt')[0]).toMatchObject({ disposition: 'late', adapter_id: 'timer.set' });
    expect(ended(w)).toEqual(['ok']);
  });

  worked('C39', 'the timer wins, the response matches nothing', (make) => {
    const w = make([racer()]);
    w.start(P, IN);
    w.advance(2_000_000_000n);
    w.fire(w.pending()[0]!);
    expect(marks(w)).toEqual(['timed_out']);
    w.send('t/Reply@1', { correlation_id: 'x' });
    expect(w.lastKinds()).toEqual(['domain_event']);
    expect(ended(w)).toEqual(['ok']);
  });

  worked('C40', 'one receipt wakes leader and racer; the first wake wins', (make) => {
    const key = { idempotency_key: op('hash', txt('one timer')) };
    const leader = plan(
      't/l@1',
      [
        timer('arm', 'h', 1_000_000_000, key),
        awaitReceipt('late', 'h', 't'),
        raise('say', 't/Reply@1', { correlation_id: 'x' }),
      ],
      [edge('late', 'say')],
    );
    const w = make([leader, racer(key)]);
    w.start('t/l@1', IN);
    w.start(P, IN);
    expect(w.pending()).toHaveLength(1);
    expect(w.records('effect_intent')[1]!.coalesced_into).toBe(w.records('effect_intent')[0]!.seq);
    w.advance(2_000_000_000n);
    w.fire(w.pending()[0]!);
    expect(w.lastKinds()).toEqual(['effect_receipt', 'domain_event', 'plan_ended', 'domain_event', 'plan_ended']);
    expect(marks(w)).toEqual(['timed_out']);
    expect(w.records('plan_ended').map((r) => r.plan_name)).toEqual(['t/l@1', P]);
  });
});

describe('crash and repetition', () => {
  const asking = plan(P, [emit('e', 'h', { x: 1 }), awaitReceipt('w', 'h', 'r'), mark('after')], [edge('w', 'after')]);

  worked('C41', 'a plan parked on a receipt survives a crash', (make) => {
    const w = make([asking]);
    w.start(P, IN);
    const before = w.pending()[0]!;
    w.reopen();
    expect(w.instances().map((i) => i.id)).toEqual([0]);
    expect(w.pending()).toEqual([before]);
    w.receipt(w.pending()[0]!, { payload: { y: 1 } });
    expect(marks(w)).toEqual(['after']);
  });

  worked('C42', 'correlation survives snapshot and crash', (make) => {
    const where = eq(ref('@event.correlation_id'), ref('@var:correlation_id'));
    const w = make([plan(P, [awaitEvent('w', 't/Reply@1', 'e', where)])], {
      triggers: [{ event: 't/In@1', plan: P, correlate_by: 'id' }],
    });
    w.send('t/In@1', { id: 'own' });
    w.snapshot();
    w.reopen();
    w.send('t/Reply@1', { correlation_id: 'other' });
    expect(ended(w)).toEqual([]);
    w.send('t/Reply@1', { correlation_id: 'own' });
    expect(ended(w)).toEqual(['ok']);
  });

  worked('C43', 'a plan parked on receipt and event loses neither', (make) => {
    const w = make([
      plan(
        P,
        [emit('e', 'h', { x: 1 }), awaitReceipt('wr', 'h', 'r'), awaitEvent('we', 't/Ready@1', 'v'), end('done')],
        [edge('wr', 'done'), edge('we', 'done')],
      ),
    ]);
    w.start(P, IN);
    w.snapshot();
    w.reopen();
    w.send('t/Ready@1', { id: 'x' });
    expect(ended(w)).toEqual([]);
    w.receipt(w.pending()[0]!, { payload: { y: 1 } });
    expect(ended(w)).toEqual(['ok']);
  });

  worked('C44', 'an undispatched effect is found again from state', (make) => {
    const w = make([asking]);
    w.start(P, IN);
    w.snapshot();
    w.reopen();
    expect(w.pending().map((e) => e.kind)).toEqual(['t.echo']);
    w.receipt(w.pending()[0]!, { payload: { y: 1 } });
    expect(w.records('effect_receipt')).toHaveLength(1);
    expect(w.pending()).toEqual([]);
  });

  worked('C45', 'a second receipt is a duplicate', (make) => {
    const w = make([asking]);
    w.start(P, IN);
    const emission = w.pending()[0]!;
    w.receipt(emission, { payload: { y: 1 } });
    const { height } = w.kernel.head;
    expect(w.receipt(emission, { payload: { y: 2 } }).outcome).toEqual({ kind: 'duplicate' });
    expect(w.kernel.head.height).toBe(height);
  });

  worked('C46', 'an unknown receipt is rejected', (make) => {
    const w = make([asking]);
    w.start(P, IN);
    const answer = w.receipt(
      { ...w.pending()[0]!, intentHash: new Uint8Array(32).fill(7) },
      { emissionSeq: undefined, payload: { y: 1 } },
    );
    expect(answer.outcome).toMatchObject({ kind: 'rejected', code: 'receipt.unknown' });
    expect(w.records('ingress_rejected')[0]!.code).toBe('receipt.unknown');
    expect(w.instances()).toHaveLength(1);
  });

  worked('C47', 'one ingress_id starts one instance', (make) => {
    const w = make([plan(P, [awaitEvent('w', 't/Ready@1', 'e')])], { triggers: [{ event: 't/In@1', plan: P }] });
    const first = w.send('t/In@1', IN, { ingressId: 'i-1' }).outcome;
    expect(first.kind).toBe('applied');
    expect(w.send('t/In@1', IN, { ingressId: 'i-1' }).outcome).toEqual({
      kind: 'duplicate',
      firstSeq: first.kind === 'applied' ? first.firstSeq : -1,
    });
    expect(w.instances()).toHaveLength(1);
  });

  worked('C48', 'twins with one key share one dispatch', (make) => {
    const keyed = emit('e', 'h', { x: 1 }, { idempotency_key: op('hash', ref('@plan.input.id')) });
    const w = make([plan(P, [keyed, awaitReceipt('w', 'h', 'r')])], { triggers: [{ event: 't/In@1', plan: P }] });
    w.send('t/In@1', IN);
    w.send('t/In@1', IN);
    const [leader, second] = w.records('effect_intent');
    expect(second!.coalesced_into).toBe(leader!.seq);
    expect(w.pending()).toHaveLength(1);
    w.receipt(w.pending()[0]!, { payload: { y: 1 } });
    expect(w.records('plan_ended').map((r) => r.plan_id)).toEqual([0, 1]);
  });
});

describe('changing the manifest', () => {
  const version = (text: string) =>
    plan(
      P,
      [emit('e', 'h', { x: 1 }), awaitReceipt('w', 'h', 'r'), raise('say', 't/Mark@1', { s: text })],
      [edge('w', 'say')],
    );
  const triggers = [{ event: 't/In@1', plan: P }];

  worked('C59', 'an instance finishes under its pin; a removed plan starts no more', (make) => {
    const w = make([version('old')], { triggers });
    w.send('t/In@1', IN);
    const pin = w.instances()[0]!.manifestHash;
    expect(w.push(world([plan('t/other@1', [mark('m')])])).outcome.kind).toBe('applied');
    expect(w.lastKinds()).toEqual(['governance', 'manifest']);
    w.snapshot();
    w.reopen();
    expect(toHex(w.instances()[0]!.manifestHash)).toBe(toHex(pin));
    w.receipt(w.pending()[0]!, { payload: { y: 1 } });
    expect(marks(w)).toEqual(['old']);
    expect(ended(w)).toEqual(['ok']);
    w.send('t/In@1', { id: 'later' });
    expect(w.lastKinds()).toEqual(['domain_event']);
  });

  worked('C59 (edited plan)', 'an edit takes effect for new events only, and a stale base is refused', (make) => {
    const w = make([version('old')], { triggers });
    w.send('t/In@1', IN);
    const base = w.kernel.catalog.manifestHash;
    w.push(world([version('new')], { triggers }));
    w.send('t/In@1', { id: 'r2' });
    for (const emission of w.pending()) w.receipt(emission, { payload: { y: 1 } });
    expect(marks(w)).toEqual(['old', 'new']);
    const stale = w.apply({
      kind: 'control',
      command: 'manifest',
      manifestHash: base,
      manifestBase: base,
      patchHash: base,
      actor: 'x',
    });
    expect(stale.outcome).toMatchObject({ kind: 'rejected', code: 'governance.base_stale' });
  });
});

describe('a plan that starts another by an event', () => {
  // Without the reducer of the chapter's case: what it reads comes from outside of plans.
  worked('C61', 'the second plan emits once, live and in every replay', (make) => {
    const w = make(
      [
        plan(P, [raise('tell', 't/Ready@1', { id: ref('@plan.input.id') })]),
        plan('t/q@1', [emit('e', 'h', { x: nat(1) }), awaitReceipt('r', 'h', 'v'), mark('done')], [edge('r', 'done')], {
          input: 't/Ready@1',
        }),
      ],
      {
        triggers: [
          { event: 't/In@1', plan: P },
          { event: 't/Ready@1', plan: 't/q@1' },
        ],
      },
    );
    w.send('t/In@1', IN);
    expect(w.records('plan_started').map((r) => r.plan_name)).toEqual([P, 't/q@1']);
    const [intent, ...more] = w.records('effect_intent');
    expect(more).toEqual([]);
    w.checkParity();
    w.reopen();
    expect(w.pending()).toHaveLength(1);
    w.receipt(w.pending()[0]!, { payload: { y: 1 } });
    expect(w.records('effect_intent')).toEqual([intent]);
    expect(ended(w)).toEqual(['ok', 'ok']);
    expect(marks(w)).toEqual(['done']);
  });
});

describe('projecting triggers', () => {
  worked('C57', 'a trigger projects the arm it wants', (make) => {
    const w = make([plan(P, [mark('ran')])], {
      triggers: [
        {
          event: 't/Order@1',
          plan: P,
          when: eq(ref('@event.$tag'), txt('Go')),
          input_expr: { id: ref('@event.$value.id'), n: { null: {} } },
        },
      ],
    });
    w.send('t/Order@1', { Stop: null });
    expect(w.records('plan_started')).toEqual([]);
    w.send('t/Order@1', { Go: { id: 'go' } });
    expect(w.records('plan_started')).toHaveLength(1);
    expect(marks(w)).toEqual(['ran']);
  });

  worked('C58', 'a projected input out of range ends at once', (make) => {
    const w = make([plan(P, [mark('never')], [], { input: 't/Out@1' })], {
      triggers: [{ event: 't/Score@1', plan: P, input_expr: { n: ref('@event.score') } }],
    });
    const answer = w.send('t/Score@1', { score: -1 });
    expect(answer.outcome.kind).toBe('applied');
    expect(w.lastKinds()).toEqual(['domain_event', 'plan_started', 'plan_ended']);
    expect(ended(w)).toEqual(['input_invalid']);
    expect(marks(w)).toEqual([]);
  });
});
