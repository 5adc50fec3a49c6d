import { describe, expect, test } from 'vitest';
import { atRest, Consumer, findingsOf, type Wiring } from './consumer.ts';

/** The pack `approval-gate` in a turnkey world (`patterns.md` §3, §7). */

const ASK = 'pack.approval/Ask@1';
const SETTLED = 'pack.approval/AskSettled@1';
const CORE = 'pack.approval/core_approval_gate@1';
const DEADLINE = 60_000_000_000;

const WIRING: Wiring = {
  pack: 'approval-gate',
  effects: ['sys/approval.request@1', 'sys/timer.set@1'],
  grants: [
    { name: 'cap_approval', cap: 'sys/approval@1', params: {} },
    { name: 'cap_timer', cap: 'sys/timer@1', params: {} },
  ],
  triggers: [{ event: ASK, plan: 'pack.approval/entry_approval_gate@1', correlate_by: 'request_id' }],
  allow: [
    [CORE, 'approval.request'],
    [CORE, 'timer.set'],
  ],
};

const ask = (id: string) => ({
  request_id: id,
  subject: `deploy ${id}`,
  requester: 'ci',
  context_ref: null,
  deadline_ns: DEADLINE,
});

function asked(...ids: readonly string[]): Consumer {
  const consumer = new Consumer(WIRING);
  for (const id of ids) consumer.send(ASK, ask(id));
  return consumer;
}

test('F9: a turnkey consumer has no finding', () => {
  expect(findingsOf(WIRING)).toEqual([]);
});

describe('F1, F2: every outcome is reached, with parity after each input', () => {
  test('Approved: a person said yes; F6: the timer that fires later changes nothing', () => {
    const consumer = asked('r1');
    consumer.answer('approval.request', { decision: 'approved', approver: 'ann', rationale: 'tested' });
    expect(consumer.settled(SETTLED)).toEqual([
      { request_id: 'r1', result: { Approved: { approver: 'ann', rationale: 'tested' } } },
    ]);
    atRest(consumer);
    consumer.expire(DEADLINE);
    expect(consumer.settled(SETTLED)).toHaveLength(1);
    expect(consumer.ended()).toEqual(['core_approval_gate ok', 'entry_approval_gate ok']);
    expect(consumer.dispositions()).toEqual(['applied', 'late']);
  });

  test.each(['denied', 'Approved', ''])('Denied: the decision is "%s", so not "approved"', (decision) => {
    const consumer = asked('r1');
    consumer.answer('approval.request', { decision, approver: 'ann', rationale: null });
    expect(consumer.settled(SETTLED)).toMatchObject([{ request_id: 'r1', result: { Denied: { approver: 'ann' } } }]);
    atRest(consumer);
  });

  test('TimedOut: silence is a no; F6: the yes that comes later changes nothing', () => {
    const consumer = asked('r1');
    consumer.expire(DEADLINE);
    expect(consumer.settled(SETTLED)).toMatchObject([
      { request_id: 'r1', result: { TimedOut: { deadline_ns: DEADLINE } } },
    ]);
    atRest(consumer);
    consumer.answer('approval.request', { decision: 'approved', approver: 'ann', rationale: null });
    expect(consumer.settled(SETTLED)).toHaveLength(1);
    expect(consumer.ended()).toHaveLength(2);
    expect(consumer.dispositions()).toEqual(['applied', 'late']);
  });

  test('Failed at the approval: nobody could be asked', () => {
    const consumer = asked('r1');
    consumer.fail('approval.request', 'approval.webhook');
    expect(consumer.settled(SETTLED)).toEqual([
      { request_id: 'r1', result: { Failed: { stage: 'approval', code: 'approval.webhook' } } },
    ]);
    atRest(consumer);
  });

  test('Failed at the timer: no deadline can be kept', () => {
    const consumer = asked('r1');
    consumer.fail('timer.set', 'timer.unavailable');
    expect(consumer.settled(SETTLED)).toEqual([
      { request_id: 'r1', result: { Failed: { stage: 'timer', code: 'timer.unavailable' } } },
    ]);
    atRest(consumer);
  });
});

describe('F7: the core cannot do its work, and the request is settled all the same', () => {
  test('asking is denied by policy', () => {
    const consumer = new Consumer({ ...WIRING, allow: [[CORE, 'timer.set']] });
    consumer.send(ASK, ask('r1'));
    expect(consumer.settled(SETTLED)).toEqual([
      { request_id: 'r1', result: { Failed: { stage: 'plan', code: 'policy_denied' } } },
    ]);
    atRest(consumer);
  });

  test('an operator cancels the core', () => {
    const consumer = asked('r1');
    const core = consumer.w.records('plan_started').find(({ plan_name }) => plan_name === CORE)!;
    consumer.step((w) => w.cancel(core.plan_id));
    expect(consumer.settled(SETTLED)).toEqual([
      { request_id: 'r1', result: { Failed: { stage: 'plan', code: 'canceled' } } },
    ]);
    atRest(consumer);
  });
});

test('F3: two questions at once, decided in reverse order, each get their own decision', () => {
  const consumer = asked('first', 'second');
  consumer.answer('approval.request', { decision: 'approved', approver: 'bob', rationale: null }, 'deploy second');
  consumer.answer('approval.request', { decision: 'denied', approver: 'ann', rationale: null }, 'deploy first');
  expect(consumer.settled(SETTLED)).toMatchObject([
    { request_id: 'second', result: { Approved: { approver: 'bob' } } },
    { request_id: 'first', result: { Denied: { approver: 'ann' } } },
  ]);
  atRest(consumer);
});

test('F4: a crash while parked: the question is still open in the world that reopens', () => {
  const consumer = asked('r1');
  consumer.w.reopen();
  consumer.answer('approval.request', { decision: 'approved', approver: 'ann', rationale: null });
  expect(consumer.settled(SETTLED)).toMatchObject([{ result: { Approved: { approver: 'ann' } } }]);
  atRest(consumer);
});
