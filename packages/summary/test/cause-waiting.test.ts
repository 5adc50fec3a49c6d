import { defaultConfig } from '@worldline/kernel';
import { KernelWorld } from '@worldline/testkit';
import { describe, expect, test } from 'vitest';
import {
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
  timer,
  txt,
  world,
} from '../../../test/cases/nodes.ts';
import type { EffectProgress, HostFacts } from '../src/reason.ts';
import { expectCause, explained } from './explained.ts';
import {
  asking as askingFor,
  calling,
  inOrder,
  worldWithApprovals as make,
  P,
  running,
  send,
  started,
} from './story-world.ts';

/** Runs that are stuck, each brought there by a kernel, and what they are stuck on (`host.md` §10.2). */

const keyed = [{ event: 't/In@1', plan: P, correlate_by: 'id' }];
const own = eq(ref('@event.correlation_id'), ref('@var:correlation_id'));
const replying = running(awaitEvent('w', 't/Reply@1', 'e', own), end('end'));
const asking = askingFor(op('concat', txt('release '), ref('@plan.input.id')));
const reply = (w: KernelWorld, id: string, body: string | null = null) =>
  w.send('t/Reply@1', { correlation_id: id, body });

/** What a host would say of a world; by default it runs and has every adapter. */
function hostOf(w: KernelWorld, more: Partial<HostFacts> & { progress?: EffectProgress } = {}): HostFacts {
  const { progress, ...facts } = more;
  return {
    wallNs: w.kernel.lastNowNs,
    runner: 'daemon',
    worldStatus: 'active',
    performs: () => true,
    effects: new Map(progress === undefined ? [] : w.pending().map((e) => [hash(e.intentHash), progress])),
    rolesFor: () => undefined,
    ...facts,
  };
}

function hash(bytes: Uint8Array): string {
  return `sha256:${Buffer.from(bytes).toString('hex')}`;
}

describe('effects without an answer', () => {
  const waits = { state: 'waiting_receipt', cause: 'waiting_receipt', evidence: ['effect_intent'] } as const;

  test('W1 nobody says more than the journal: asked when, by whom, without a deadline', () => {
    const w = make([calling]);
    send(w);
    w.advance(3_000_000_000n);
    w.send('t/Mark@1', { s: 'later' });
    expectCause(w, {
      ...waits,
      reason: 'effect_unanswered',
      text: [/t\/p@1 0 waits at step w for t\.echo, asked 3\.00s ago, which has no answer yet; it has no deadline/],
      hint: ['worldline effects get sha256:', 'worldline status'],
      facts: { effect_kind: 't.echo', grant: 'cap_t' },
      runs: ['t/p@1/w'],
    });
  });

  test('W2 nobody runs the world', () => {
    const w = make([calling]);
    send(w);
    expectCause(
      w,
      {
        ...waits,
        reason: 'world_stopped',
        text: ['t/p@1 0 waits at step w for t.echo', 'but nobody runs the world'],
        hint: ['worldline run'],
      },
      { host: hostOf(w, { runner: 'none' }) },
    );
  });

  test('W3 the world may not run: it is quarantined', () => {
    const w = make([calling]);
    send(w);
    expectCause(
      w,
      {
        ...waits,
        reason: 'world_inactive',
        text: ['the world is quarantined'],
        hint: ['quarantined', 'worldline doctor'],
      },
      { host: hostOf(w, { worldStatus: 'quarantined', runner: 'none' }) },
    );
  });

  test('W46 a paused world takes neither an event nor a decision in, whatever is waited for', () => {
    const both = plan(
      P,
      [asking, awaitReceipt('decided', 'h', 'r'), awaitEvent('w', 't/Reply@1', 'e', own), end('end')],
      [edge('decided', 'end'), edge('w', 'end')],
    );
    const w = make([both], { triggers: keyed });
    send(w);
    const found = expectCause(
      w,
      {
        state: 'waiting_receipt',
        cause: 'waiting_approval',
        reason: 'world_inactive',
        evidence: ['effect_intent'],
        text: [/^the world is paused and takes nothing in; t\/p@1 0 waits at step decided for/],
        hint: ['worldline doctor'],
        facts: { waits: 'approval_pending' },
      },
      { host: hostOf(w, { worldStatus: 'paused', runner: 'none' }) },
    );
    expect(found.moreReasons).toMatchObject([{ code: 'world_inactive', facts: { waits: 'event_missing' } }]);
  });

  test('W4 the adapter was taken away: none performs the kind', () => {
    const w = make([calling]);
    send(w);
    expectCause(
      w,
      {
        ...waits,
        reason: 'adapter_missing',
        text: ['t/p@1 0 waits at step w for t.echo', 'which no adapter performs'],
        hint: ['t.echo', 'worldline.host.json', 'worldline effects receipt sha256:'],
      },
      { host: hostOf(w, { performs: (kind) => kind !== 't.echo' }) },
    );
  });

  test('W5 an attempt failed and the next one has a time', () => {
    const w = make([calling]);
    send(w);
    const progress = {
      state: 'in_flight',
      attempt: 3,
      nextAttemptNs: w.kernel.lastNowNs + 5_000_000_000n,
      lastErrorCode: 'http.connect',
    } as const;
    expectCause(
      w,
      {
        ...waits,
        reason: 'retry_pending',
        text: ['attempt 2 failed (http.connect), attempt 3 comes in 5.00s'],
        hint: ['tried again by itself'],
        facts: { attempt: 3, last_error_code: 'http.connect', next_attempt_ns: String(progress.nextAttemptNs) },
      },
      { host: hostOf(w, { progress }) },
    );
  });

  test('W6 it is being performed', () => {
    const w = make([calling]);
    send(w);
    expectCause(
      w,
      { ...waits, reason: 'effect_in_flight', text: ['it is being performed, attempt 1'], hint: ['time limit'] },
      { host: hostOf(w, { progress: { state: 'in_flight', attempt: 1 } }) },
    );
  });

  test('W7 it waits for its turn', () => {
    const w = make([calling]);
    send(w);
    expectCause(
      w,
      { ...waits, reason: 'effect_queued', text: ['waits for its turn'], hint: ['worldline effects retry sha256:'] },
      { host: hostOf(w, { progress: { state: 'open' } }) },
    );
  });

  test('W8 it is the same as one that another run asked for: which one', () => {
    const w = make([calling]);
    send(w, 'a');
    send(w, 'b');
    const root = w.records('domain_event')[1]!.seq;
    expectCause(
      w,
      {
        ...waits,
        reason: 'effect_shared',
        evidence: ['effect_intent'],
        text: ['t/p@1 1 waits at step w for t.echo', 'it shares the one that t/p@1 0 asked for at step e'],
        hint: ['idempotency keys'],
        facts: { shared_with_seq: w.records('effect_intent')[0]!.seq },
      },
      { root },
    );
  });

  test('W9 an answer came and was refused', () => {
    const w = make([calling]);
    send(w);
    const emission = w.pending()[0]!;
    w.apply({
      kind: 'receipt',
      receipt: {
        intentHash: emission.intentHash,
        emissionSeq: emission.emissionSeq,
        adapterId: 'test',
        status: 'ok',
        signature: new Uint8Array(64),
      },
      verdict: { reject: 'receipt.bad_signature' },
    });
    expectCause(w, {
      ...waits,
      reason: 'receipt_refused',
      evidence: ['effect_intent', 'ingress_rejected'],
      text: ['an answer came and was refused: receipt.bad_signature'],
      hint: ['receipt.bad_signature'],
    });
  });

  test('W10 a deadline stands beside it: when it is due', () => {
    const steps = [
      emit('e', 'h', { x: nat(1) }),
      timer('late', 't', 60_000_000_000),
      awaitReceipt('w', 'h', 'r'),
      awaitReceipt('over', 't', 'x'),
      end('ok'),
      end('timeout'),
    ];
    const w = make([plan(P, steps, [edge('w', 'ok'), edge('over', 'timeout')])]);
    send(w);
    expectCause(w, {
      ...waits,
      reason: 'effect_unanswered',
      text: ['its deadline, at step over, is due in 1.00m'],
      hint: ['worldline effects get'],
      facts: { deadline_step: 'over' },
    });
  });
});

describe('timers', () => {
  const sleeping = running(timer('t', 'h', 5_000_000_000), awaitReceipt('w', 'h', 'r'), end('end'));

  test('W11 it is not due yet', () => {
    const w = make([sleeping]);
    send(w);
    expectCause(w, {
      state: 'waiting_receipt',
      cause: 'waiting_receipt',
      reason: 'timer_running',
      evidence: ['effect_intent'],
      text: ['t/p@1 0 waits at step w for a timer that is due in 5.00s'],
      hint: ['wait'],
      facts: { due_ns: String(w.kernel.lastNowNs + 5_000_000_000n) },
    });
  });

  test('W47 it is not due for a year, and nobody runs the world: days, and what to do until then', () => {
    const w = make([running(timer('t', 'h', 31_536_000_000_000_000), awaitReceipt('w', 'h', 'r'), end('end'))]);
    send(w);
    expectCause(
      w,
      {
        state: 'waiting_receipt',
        cause: 'waiting_receipt',
        evidence: ['effect_intent'],
        reason: 'timer_running',
        text: [/for a timer that is due in 365\.0 days, and nobody runs the world$/],
        hint: ['start the world: "worldline run"'],
      },
      { host: hostOf(w, { runner: 'none' }) },
    );
  });

  test('W12 it is due, and nobody runs the world', () => {
    const w = make([sleeping]);
    send(w);
    expectCause(
      w,
      {
        state: 'waiting_receipt',
        cause: 'waiting_receipt',
        reason: 'world_stopped',
        evidence: ['effect_intent'],
        text: ['the timer of t/p@1 0 at step w was due 2.00s ago, but nobody runs the world'],
        hint: ['worldline run'],
      },
      { host: hostOf(w, { runner: 'none', wallNs: w.kernel.lastNowNs + 7_000_000_000n }) },
    );
  });
});

describe('approvals', () => {
  test('W13 who is asked, about what, since when, until when', () => {
    const steps = [
      asking,
      timer('late', 't', 3_600_000_000_000),
      awaitReceipt('decided', 'h', 'r'),
      awaitReceipt('over', 't', 'x'),
      end('ok'),
      end('timeout'),
    ];
    const w = make([plan(P, steps, [edge('decided', 'ok'), edge('over', 'timeout')])]);
    send(w, 'v2');
    w.advance(120_000_000_000n);
    w.send('t/Mark@1', { s: 'later' });
    expectCause(
      w,
      {
        state: 'waiting_receipt',
        cause: 'waiting_approval',
        reason: 'approval_pending',
        evidence: ['effect_intent'],
        text: [
          't/p@1 0 waits at step decided for somebody with role release or admin to decide about "release v2", asked for by "ci", asked 2.00m ago',
          'its deadline, at step over, is due in 58.00m',
        ],
        hint: ['worldline approvals decide sha256:'],
        facts: { subject: 'release v2', requester: 'ci', roles: ['release', 'admin'] },
      },
      { host: hostOf(w, { rolesFor: () => ['release', 'admin'] }) },
    );
  });

  test('W14 an approval in a child, with a parent that waits for it', () => {
    const asks = plan(
      't/child@1',
      [asking, awaitReceipt('decided', 'h', 'r'), end('end')],
      inOrder({ id: 'ask' }, { id: 'decided' }, { id: 'end' }),
    );
    const input = { id: ref('@plan.input.id'), n: { null: {} } };
    const w = make([
      running(spawn('s', 't/child@1', input, 'k'), awaitPlan('a', ref('@var:k'), 'r'), end('end')),
      asks,
    ]);
    send(w);
    expectCause(w, {
      state: 'waiting_receipt',
      cause: 'waiting_approval',
      reason: 'approval_pending',
      evidence: ['effect_intent'],
      text: ['t/child@1 1 waits at step decided', 't/p@1 0 started t/child@1 1 at step s and waits at step a for it'],
      hint: ['worldline approvals decide sha256:'],
      runs: ['t/p@1/s', 't/child@1/decided'],
    });
  });
});

describe('children', () => {
  test('W15 a barrier: how many children are under way, which, and what the first waits for', () => {
    const each = plan(
      't/child@1',
      [
        emit('e', 'h', { x: nat(1) }, { idempotency_key: op('hash', ref('@plan.input.id')) }),
        awaitReceipt('w', 'h', 'r'),
        end('end'),
      ],
      inOrder({ id: 'e' }, { id: 'w' }, { id: 'end' }),
    );
    const inputs = { list: ['a', 'b', 'c'].map((id) => ({ record: { id: txt(id), n: { null: {} } } })) };
    const w = make([
      running(spawnForEach('f', 't/child@1', inputs, 'ks'), awaitPlansAll('all', ref('@var:ks'), 'rs'), end('end')),
      each,
    ]);
    send(w);
    w.receipt(w.pending()[0]!, { payload: { y: 2 } });
    const found = expectCause(w, {
      state: 'waiting_receipt',
      cause: 'waiting_receipt',
      reason: 'effect_unanswered',
      evidence: ['effect_intent'],
      text: ['t/child@1 2 waits at step w for t.echo', 'and waits at step all for 2 of 3 children'],
      hint: ['worldline effects get'],
      facts: { waited_for_by: { plan_id: 0, step: 'all', children: 3, open: 2, open_plan_ids: [2, 3] } },
      runs: ['t/p@1/f', 't/child@1/w'],
    });
    expect(found.reasonsTotal).toBe(2);
    expect(found.moreReasons[0]!.text).toContain('t/child@1 3');
  });

  test('W16 a run from before, woken by the root, waits for a child that is older than the root (T4)', () => {
    const slow = plan(
      't/child@1',
      [awaitEvent('w', 't/Reply@1', 'e'), end('end')],
      inOrder({ id: 'w' }, { id: 'end' }),
    );
    const input = { id: ref('@plan.input.id'), n: { null: {} } };
    const steps = [
      spawn('s', 't/child@1', input, 'k'),
      awaitEvent('go', 't/Ready@1', 'v'),
      mark('gone'),
      awaitPlan('a', ref('@var:k'), 'r'),
      end('end'),
    ];
    const w = make([running(...steps), slow]);
    send(w);
    w.send('t/Ready@1', { id: 'x' });
    const root = w.records('domain_event').find((event) => event.schema === 't/Ready@1')!.seq;
    expectCause(
      w,
      {
        state: 'waiting_event',
        cause: 'waiting_event',
        reason: 'event_missing',
        evidence: ['plan_started'],
        text: ['t/child@1 1 waits at step w for t/Reply@1', 'and waits at step a for it'],
        hint: ['worldline event send t/Reply@1'],
      },
      { root },
    );
  });
});

describe('events', () => {
  const waits = { state: 'waiting_event', cause: 'waiting_event' } as const;

  test('W17 none has come, and no plan raises it', () => {
    const w = make([replying], { triggers: keyed });
    send(w);
    expectCause(w, {
      ...waits,
      reason: 'event_missing',
      evidence: ['plan_started'],
      text: ['t/p@1 0 waits at step w for t/Reply@1, and none has come', 'no plan raises it', 'it has no deadline'],
      hint: ['worldline event send t/Reply@1', 'event.correlation_id == correlation_id'],
      facts: { schema: 't/Reply@1', raised_by: [] },
    });
  });

  test('W18 none has come; a plan would raise it', () => {
    const answers = plan(
      't/answer@1',
      [raise('r', 't/Reply@1', { correlation_id: ref('@plan.input.id'), body: { null: {} } }), end('end')],
      [edge('r', 'end')],
    );
    const w = make([replying, answers], { triggers: keyed });
    send(w);
    expectCause(w, {
      ...waits,
      reason: 'event_missing',
      evidence: ['plan_started'],
      text: ['t/answer@1 would raise it'],
      hint: ['t/Reply@1'],
      facts: { raised_by: ['t/answer@1'] },
    });
  });

  test('W19 the wrong correlation id came: what came, and what is waited for (C12, C14)', () => {
    const w = make([replying], { triggers: keyed });
    send(w, 'order-7');
    reply(w, 'order-8');
    expectCause(w, {
      ...waits,
      reason: 'event_differs',
      evidence: ['plan_started', 'domain_event'],
      text: ['event.correlation_id == correlation_id: "order-8" came, "order-7" is waited for'],
      hint: ['send t/Reply@1 with what t/p@1 0 waits for (event.correlation_id == correlation_id)'],
      facts: {
        missed: 1,
        conjuncts: [
          {
            expr: 'event.correlation_id == correlation_id',
            verdict: 'false',
            came: 'order-8',
            wanted: 'order-7',
          },
        ],
      },
    });
  });

  test('W20 of many that came the nearest is told: right id, wrong body', () => {
    const where = op('and', own, eq(ref('@event.body'), txt('ok')));
    const w = make([running(awaitEvent('w', 't/Reply@1', 'e', where), end('end'))], { triggers: keyed });
    send(w, 'a');
    reply(w, 'b', 'ok no');
    reply(w, 'a', 'no');
    reply(w, 'c', 'no');
    const found = expectCause(w, {
      ...waits,
      reason: 'event_differs',
      evidence: ['plan_started', 'domain_event'],
      text: ['the nearest of 3 that came', 'event.body == "ok": "no" came, "ok" is waited for'],
      hint: ['event.body == "ok"'],
      facts: { missed: 3 },
    });
    expect(found.reason.facts['event_seq']).toBe(w.records('domain_event')[2]!.seq);
    expect(found.reason.text).not.toContain('"b"');
  });

  test('W21 another arm of the variant came: the predicate cannot be evaluated (C16)', () => {
    const w = make([running(awaitEvent('w', 't/Either@1', 'e', eq(ref('@event.$value.a'), txt('x'))), end('end'))]);
    send(w);
    w.send('t/Either@1', { B: { b: 'x' } });
    expectCause(w, {
      ...waits,
      reason: 'event_differs',
      evidence: ['plan_started', 'domain_event'],
      text: ['event.$value.a == "x": the event has no such value (missing_field)'],
      hint: ['t/Either@1'],
      facts: { conjuncts: [{ verdict: 'error', error: 'missing_field' }] },
    });
  });

  test('W22 the right one came before the run waited for it (C17)', () => {
    const w = make(
      [
        running(
          awaitEvent('first', 't/Ready@1', 'v', eq(ref('@event.id'), ref('@var:correlation_id'))),
          awaitEvent('w', 't/Reply@1', 'e', own),
          end('end'),
        ),
      ],
      { triggers: keyed },
    );
    send(w, 'a');
    reply(w, 'a');
    w.send('t/Ready@1', { id: 'a' });
    expectCause(w, {
      ...waits,
      reason: 'event_before_wait',
      evidence: ['plan_started', 'domain_event'],
      text: [/the one at #\d+ would do, but it came before the run waited/],
      hint: ['send t/Reply@1 again', 'step w'],
      facts: { event_seq: w.records('domain_event')[1]!.seq },
    });
  });

  test('W23 it came before the run had even started', () => {
    const w = make([replying], { triggers: keyed });
    reply(w, 'a');
    send(w, 'a');
    const root = w.records('domain_event')[1]!.seq;
    expectCause(
      w,
      {
        ...waits,
        reason: 'event_before_wait',
        evidence: ['plan_started', 'domain_event'],
        text: ['would do, but it came before'],
        hint: ['send t/Reply@1 again'],
      },
      { root },
    );
  });

  test('W24 what started the run is not what it waits for, nor what it has taken already', () => {
    const steps = [awaitEvent('one', 't/Ready@1', 'v'), awaitEvent('two', 't/Ready@1', 'u'), end('end')];
    const w = make([plan(P, steps, inOrder(...steps), { input: 't/Ready@1' })], {
      triggers: [{ event: 't/Ready@1', plan: P, when: eq(ref('@event.id'), txt('start')) }],
    });
    w.send('t/Ready@1', { id: 'start' });
    w.send('t/Ready@1', { id: 'x' });
    expectCause(w, {
      ...waits,
      reason: 'event_missing',
      evidence: ['plan_started'],
      text: ['t/p@1 0 waits at step two for t/Ready@1, and none has come'],
      hint: ['t/Ready@1'],
    });
  });

  test('W25 it came under another definition of its schema than the run pins', () => {
    const w = make([replying], { triggers: keyed });
    send(w, 'a');
    const changed = world([plan('t/q@1', [mark('m')])], { triggers: [] }).map((n) =>
      n['name'] === 't/Reply@1' ? schema('t/Reply@1', { record: { correlation_id: { text: {} } } }) : n,
    );
    w.push(changed);
    w.send('t/Reply@1', { correlation_id: 'a' });
    expectCause(w, {
      ...waits,
      reason: 'event_schema_changed',
      evidence: ['plan_started', 'domain_event'],
      text: ['was of another definition of t/Reply@1 than the run pins'],
      hint: ['cancel t/p@1 0'],
    });
  });

  test('W26 it was refused when it came in: a value of another type', () => {
    const w = make([replying], { triggers: keyed });
    send(w, 'a');
    w.send('t/Reply@1', { correlation_id: 7 });
    expectCause(w, {
      ...waits,
      reason: 'event_refused',
      evidence: ['plan_started', 'ingress_rejected'],
      text: [/an event was refused at #\d+: event\.invalid/],
      hint: ['worldline defs get t/Reply@1'],
      facts: { refused_code: 'event.invalid' },
    });
  });

  test('W27 the deadline has fired, but a join waits for the event too', () => {
    const steps = [
      timer('t', 'h', 5_000_000_000),
      awaitReceipt('over', 'h', 'r'),
      awaitEvent('w', 't/Reply@1', 'e', own),
      end('end'),
    ];
    const w = make([plan(P, steps, [edge('over', 'end'), edge('w', 'end')])], { triggers: keyed });
    send(w, 'a');
    w.advance(6_000_000_000n);
    w.fire(w.pending()[0]!);
    expectCause(w, {
      ...waits,
      reason: 'join_waits',
      evidence: ['plan_started'],
      text: ['although the timer of step over has fired: step end stands behind both'],
      hint: ['its own end instead of step end', 'RL010'],
      facts: { join_step: 'end', timer_step: 'over' },
    });
  });

  test('W28 it races with a deadline: the state is waiting_receipt, the reason is the event', () => {
    const steps = [
      timer('t', 'h', 5_000_000_000),
      awaitReceipt('over', 'h', 'r'),
      awaitEvent('w', 't/Reply@1', 'e', own),
      end('ok'),
      end('timeout'),
    ];
    const w = make([plan(P, steps, [edge('over', 'timeout'), edge('w', 'ok')])], { triggers: keyed });
    send(w, 'a');
    reply(w, 'b');
    const found = expectCause(w, {
      state: 'waiting_receipt',
      cause: 'waiting_receipt',
      reason: 'event_differs',
      evidence: ['plan_started', 'domain_event'],
      text: ['"b" came, "a" is waited for', 'its deadline, at step over, is due in 5.00s'],
      hint: ['t/Reply@1'],
    });
    expect(found.moreReasons.map(({ code }) => code)).toEqual(['timer_running']);
  });
});

test('W38 waits of one run stand in the order of its steps, also when an event was rolled back (seed 20261128, world 128)', () => {
  const steps = [awaitEvent('s0', 't/Ready@1', 'v0'), awaitEvent('s1', 't/Ready@1', 'v1')];
  const endless = plan('t/endless@1', [raise('r', 't/Ready@1', { id: txt('again') })], [], { input: 't/Ready@1' });
  const triggers = [...started, { event: 't/Ready@1', plan: 't/endless@1' }];
  const limits = { ...defaultConfig().limits, max_tasks_per_ingress: 20 };
  const w = KernelWorld.create(world([plan(P, steps), endless], { triggers }), { limits });
  send(w);
  // It would satisfy both waits; then it goes on for ever and is taken back as a whole, the waits in reverse.
  expect(w.send('t/Ready@1', { id: 'x' }).outcome).toMatchObject({ kind: 'rejected', code: 'kernel.runaway' });
  const order = () => {
    const { reason, moreReasons } = explained(w);
    return [reason, ...moreReasons].map(({ runs }) => runs[0]!.step);
  };
  expect(order()).toEqual(['s0', 's1']);
  w.reopen();
  expect(order()).toEqual(['s0', 's1']);
});

test('W39 another world took the message, and its answer has not come: which world, which message', () => {
  const note: Node[] = [
    schema('t/NoteParams@1', { record: { dest_world: { text: {} }, value: { ref: 't/Ready@1' } } }),
    {
      $kind: 'defeffect',
      name: 't/send_note@1',
      kind: 'fabric.send.note',
      params_schema: 't/NoteParams@1',
      receipt_schema: 'sys/FabricSendReceipt@1',
      cap_type: 'fabric',
      origin_scope: 'plan',
    },
  ];
  const steps = [
    emit(
      's',
      'h',
      { dest_world: 'lab', value: { id: ref('@plan.input.id') } },
      { kind: 'fabric.send.note', cap: 'cap_f' },
    ),
    awaitReceipt('sent', 'h', 'r'),
    awaitEvent('w', 't/Reply@1', 'e', own),
    end('end'),
  ];
  const nodes = world([running(...steps)], {
    triggers: keyed,
    grants: [{ name: 'cap_f', cap: 'sys/fabric@1', params: { worlds: ['lab'] } }],
  });
  const manifest = nodes.at(-1) as { schemas: Node[]; effects: Node[] } & Node;
  const w = KernelWorld.create([
    ...nodes.slice(0, -1),
    ...note,
    {
      ...manifest,
      schemas: [...manifest.schemas, { name: 't/NoteParams@1' }],
      effects: [...manifest.effects, { name: 't/send_note@1' }],
    },
  ]);
  send(w, 'a');
  const payload = { message_id: `sha256:${'1'.repeat(64)}`, dest_world: 'lab', enqueued_seq: 7, duplicate: false };
  w.receipt(w.pending()[0]!, { payload });
  expectCause(w, {
    state: 'waiting_event',
    cause: 'waiting_event',
    reason: 'event_missing',
    evidence: ['plan_started', 'effect_intent', 'effect_receipt'],
    text: ['t/p@1 0 waits at step w for t/Reply@1, and none has come; world lab took its message'],
    hint: ['look in world lab'],
    facts: { asked_world: 'lab' },
  });
});

describe('nothing waits, and yet nothing happened', () => {
  const done = { state: 'completed', cause: 'completed' } as const;

  test('W29 nothing listens to the schema', () => {
    const w = make([calling]);
    w.send('t/Mark@1', { s: 'x' });
    expectCause(w, {
      ...done,
      reason: 'no_listener',
      evidence: ['domain_event'],
      text: ['no trigger starts a plan on t/Mark@1, and no plan waits for it'],
      hint: ['add a trigger on t/Mark@1'],
    });
  });

  test('W30 the trigger looks for others (C57)', () => {
    const w = make([calling], { triggers: [{ event: 't/In@1', plan: P, when: eq(ref('@event.id'), txt('yes')) }] });
    send(w, 'no');
    expectCause(w, {
      ...done,
      reason: 'trigger_filtered',
      evidence: ['domain_event'],
      text: ['the trigger of t/p@1 for t/In@1 does not take', 'event.id == "yes": "no" came, "yes" is waited for'],
      hint: ['event.id == "yes"'],
    });
  });

  test('W31 runs wait for the schema, and the event is for none of them', () => {
    const w = make([replying], { triggers: keyed });
    send(w, 'a');
    send(w, 'b');
    reply(w, 'c');
    expectCause(
      w,
      {
        ...done,
        reason: 'wait_filtered',
        evidence: ['plan_started', 'domain_event'],
        text: ['2 runs wait for t/Reply@1', 't/p@1 0 at step w is nearest', '"c" came, "a" is waited for'],
        hint: ['t/p@1 0'],
        facts: { waiting: 2 },
      },
      { root: w.records('domain_event')[2]!.seq },
    );
  });

  test('W32 the run that it was for had ended: the deadline had won (C39)', () => {
    const steps = [
      timer('t', 'h', 5_000_000_000),
      awaitReceipt('over', 'h', 'r'),
      awaitEvent('w', 't/Reply@1', 'e', own),
      end('ok'),
      end('timeout'),
    ];
    const w = make([plan(P, steps, [edge('over', 'timeout'), edge('w', 'ok')])], { triggers: keyed });
    send(w, 'a');
    w.advance(6_000_000_000n);
    w.fire(w.pending()[0]!);
    reply(w, 'a');
    expectCause(
      w,
      {
        ...done,
        reason: 'event_after_end',
        evidence: ['plan_started', 'plan_ended', 'domain_event'],
        text: ['was for t/p@1 0, which would have taken it at step w and had ended ok'],
        hint: ['later deadline'],
        facts: { plan_id: 0, correlation: 'a' },
      },
      { root: w.records('domain_event')[1]!.seq },
    );
  });

  test('W33 a run took it and went on to its next wait without a record', () => {
    const steps = [awaitEvent('one', 't/Ready@1', 'v'), awaitEvent('w', 't/Reply@1', 'e', own), end('end')];
    const w = make(
      [
        plan(
          P,
          [{ ...steps[0]!, where: eq(ref('@event.id'), ref('@var:correlation_id')) }, ...steps.slice(1)],
          inOrder(...steps),
        ),
      ],
      { triggers: keyed },
    );
    send(w, 'a');
    w.send('t/Ready@1', { id: 'a' });
    expectCause(
      w,
      {
        ...done,
        reason: 'event_taken',
        evidence: ['domain_event', 'plan_started'],
        text: ['t/p@1 0 took the event at step one', 't/p@1 0 waits at step w for t/Reply@1'],
        hint: ['worldline event send t/Reply@1'],
      },
      { root: w.records('domain_event')[1]!.seq },
    );
  });

  test('W34 the answer came after the run had ended (C38)', () => {
    const steps = [
      emit('e', 'h', { x: nat(1) }),
      timer('t', 'd', 5_000_000_000),
      awaitReceipt('w', 'h', 'r'),
      awaitReceipt('over', 'd', 'x'),
      end('ok'),
      end('timeout'),
    ];
    const w = make([plan(P, steps, [edge('w', 'ok'), edge('over', 'timeout')])]);
    send(w);
    w.advance(6_000_000_000n);
    w.fire(w.pending('timer.after')[0]!);
    w.receipt(w.pending()[0]!, { payload: { y: 2 } });
    expectCause(w, {
      ...done,
      reason: 'late_answer',
      evidence: ['effect_intent', 'plan_ended', 'effect_receipt'],
      text: ['the answer to t.echo of t/p@1 0 at step e came at', 'when the run had ended'],
      hint: ['later deadline'],
    });
  });

  test('W35 a timer that fires after its run has ended is no late answer', () => {
    const steps = [
      emit('e', 'h', { x: nat(1) }),
      timer('t', 'd', 5_000_000_000),
      awaitReceipt('w', 'h', 'r'),
      awaitReceipt('over', 'd', 'x'),
      end('ok'),
      end('timeout'),
    ];
    const w = make([plan(P, steps, [edge('w', 'ok'), edge('over', 'timeout')])]);
    send(w);
    w.receipt(w.pending('t.echo')[0]!, { payload: { y: 2 } });
    w.advance(6_000_000_000n);
    w.fire(w.pending('timer.after')[0]!);
    expectCause(w, {
      ...done,
      reason: 'done',
      evidence: ['effect_receipt'],
      text: ['the run that followed has ended ok'],
      hint: ['nothing to do'],
    });
  });

  test('W40 an effect failed, and the run dealt with it', () => {
    const w = make([calling]);
    send(w);
    w.receipt(w.pending()[0]!, {
      status: 'timeout',
      error: { code: 'adapter.timeout', message: 'the time limit is over', retryable: true, detail_ref: null },
    });
    expectCause(w, {
      ...done,
      reason: 'handled_failure',
      evidence: ['effect_intent', 'effect_receipt', 'plan_ended'],
      text: ['t.echo of t/p@1 0 at step e took longer than the time limit', 'the run dealt with that and ended ok'],
      hint: ['nothing is open'],
      facts: { failure: 'effect_timed_out' },
    });
  });

  test('W41 a deadline won in a child, and its parent passed that on: the child is told', () => {
    const outcome = schema('t/Outcome@1', { variant: { Done: { unit: {} }, TimedOut: { unit: {} } } });
    const racing = plan(
      't/child@1',
      [
        timer('late', 'd', 5_000_000_000, { params: { after_ns: 5_000_000_000, key: 'deadline:reply' } }),
        awaitEvent('w', 't/Reply@1', 'e', own),
        awaitReceipt('over', 'd', 'x'),
        end('ok', { Done: {} }),
        end('timeout', { TimedOut: {} }),
      ],
      [edge('w', 'ok'), edge('over', 'timeout')],
      { output: 't/Outcome@1' },
    );
    const input = { id: ref('@plan.input.id'), n: { null: {} } };
    const parent = plan(
      P,
      [spawn('s', 't/child@1', input, 'k'), awaitPlan('a', ref('@var:k'), 'r'), end('end', ref('@var:r.$value'))],
      [edge('a', 'end', eq(ref('@var:r.$tag'), txt('Ok')))],
      { output: 't/Outcome@1' },
    );
    const w = make([parent, racing], { schemas: [outcome], triggers: keyed });
    send(w, 'a');
    w.advance(6_000_000_000n);
    w.fire(w.pending()[0]!);
    const found = expectCause(w, {
      ...done,
      reason: 'deadline_won',
      evidence: ['effect_intent', 'effect_receipt', 'plan_ended', 'plan_result'],
      text: [
        'the deadline of t/child@1 1 at step late came before what it waited for',
        't/p@1 0 started t/child@1 1 at step s',
      ],
      hint: ['later deadline'],
      runs: ['t/p@1/s', 't/child@1/late'],
    });
    expect(found.reasonsTotal).toBe(1);
  });

  test('W42 somebody was asked and said no: who, and why', () => {
    const w = make([running(asking, awaitReceipt('decided', 'h', 'r'), end('end'))]);
    send(w, 'v2');
    w.receipt(w.pending()[0]!, { payload: { decision: 'denied', approver: 'eve', rationale: 'tests are red' } });
    expectCause(w, {
      ...done,
      reason: 'approval_denied',
      evidence: ['effect_intent', 'effect_receipt'],
      text: ['eve said no to "release v2", which t/p@1 0 asked at step ask: "tests are red"'],
      hint: ['ask eve'],
      facts: { approver: 'eve', rationale: 'tests are red' },
    });
  });

  test('W36 it was taken by a run that has ended since, or by none: nothing more is claimed', () => {
    const w = make([replying], { triggers: keyed });
    reply(w, 'a');
    expectCause(w, {
      ...done,
      reason: 'event_unmatched',
      evidence: ['domain_event'],
      text: ['no run that is live waits for it', 't/p@1 would wait for t/Reply@1'],
      hint: ['worldline plans ls'],
    });
  });

  test('W43 it came before the run had even started, seen from the event', () => {
    const w = make([replying], { triggers: keyed });
    reply(w, 'a');
    send(w, 'b');
    send(w, 'a');
    expectCause(w, {
      ...done,
      reason: 'event_before_wait',
      evidence: ['plan_started', 'domain_event'],
      text: ['is what t/p@1 1 waits for at step w, but it came before the run waited'],
      hint: ['send t/Reply@1 again'],
      runs: ['t/p@1/w'],
    });
  });

  test('W44 the run that it was for had ended, and waited by its input instead of by its key', () => {
    const byInput = eq(ref('@event.id'), ref('@plan.input.id'));
    const w = make([running(awaitEvent('w', 't/Ready@1', 'e', byInput), end('end'))], { triggers: keyed });
    send(w, 'a');
    w.send('t/Ready@1', { id: 'a' });
    w.send('t/Ready@1', { id: 'a' });
    expectCause(
      w,
      {
        ...done,
        reason: 'event_after_end',
        evidence: ['plan_started', 'plan_ended', 'domain_event'],
        text: ['was for t/p@1 0'],
        hint: ['later deadline'],
      },
      { root: w.records('domain_event')[2]!.seq },
    );
  });

  test('W45 a deadline won in a plan without output, which said so with an event', () => {
    const outcome = schema('t/Outcome@1', { variant: { Done: { unit: {} }, TimedOut: { unit: {} } } });
    const settled = schema('t/Settled@1', { record: { result: ref('t/Outcome@1') } });
    const steps = [
      timer('late', 'd', 5_000_000_000, { params: { after_ns: 5_000_000_000, key: 'deadline:reply' } }),
      awaitEvent('w', 't/Reply@1', 'e', own),
      awaitReceipt('over', 'd', 'x'),
      raise('tell', 't/Settled@1', { result: { TimedOut: {} } }),
      end('ok'),
      end('timeout'),
    ];
    const w = make([plan(P, steps, [edge('w', 'ok'), edge('over', 'tell'), edge('tell', 'timeout')])], {
      schemas: [outcome, settled],
      triggers: keyed,
    });
    send(w, 'a');
    w.advance(6_000_000_000n);
    w.fire(w.pending()[0]!);
    const found = expectCause(w, {
      ...done,
      reason: 'deadline_won',
      evidence: ['effect_intent', 'effect_receipt', 'domain_event'],
      text: [
        'the deadline of t/p@1 0 at step late came before what it waited for, and it raised t/Settled@1 with TimedOut',
      ],
      hint: ['later deadline'],
    });
    expect(found.reasonsTotal).toBe(1);
  });

  test('W37 the window was too small to say', () => {
    const w = make([calling]);
    send(w);
    const found = explained(w, { limit: 2 });
    expect([found.terminalState, found.cause, found.reason.code]).toEqual(['unknown', 'unknown', 'window_too_small']);
    expect(found.hint).toContain('--window-limit above 2');
  });
});
