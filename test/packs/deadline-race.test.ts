import { describe, expect, test } from 'vitest';
import { atRest, Consumer, findingsOf, type Wiring } from './consumer.ts';

/** The pack `deadline-race` in a turnkey world (`patterns.md` §2, §7). */

const REQUEST = 'pack.deadline/FetchRequest@1';
const SETTLED = 'pack.deadline/FetchSettled@1';
const CORE = 'pack.deadline/core_fetch_by_deadline@1';
const DEADLINE = 60_000_000_000;
const ANSWER = {
  status: 200,
  headers: {},
  body_ref: null,
  timings: { start_ns: 1, end_ns: 2 },
  adapter_id: 'host.http',
};

const WIRING: Wiring = {
  pack: 'deadline-race',
  effects: ['sys/http.request@1', 'sys/timer.set@1'],
  grants: [
    {
      name: 'cap_http',
      cap: 'sys/http.out@1',
      params: { hosts: ['api.example.com'], schemes: ['https'], methods: ['GET'] },
    },
    { name: 'cap_timer', cap: 'sys/timer@1', params: {} },
  ],
  triggers: [{ event: REQUEST, plan: 'pack.deadline/entry_fetch_by_deadline@1', correlate_by: 'request_id' }],
  allow: [
    [CORE, 'http.request'],
    [CORE, 'timer.set'],
  ],
};

const request = (id: string, more: object = {}) => ({
  request_id: id,
  method: 'GET',
  url: `https://api.example.com/${id}`,
  headers: {},
  body_ref: null,
  deadline_ns: DEADLINE,
  ...more,
});

function asked(...ids: readonly string[]): Consumer {
  const consumer = new Consumer(WIRING);
  for (const id of ids) consumer.send(REQUEST, request(id));
  return consumer;
}

test('F9: a turnkey consumer has no finding', () => {
  expect(findingsOf(WIRING)).toEqual([]);
});

describe('F1, F2: every outcome is reached, with parity after each input', () => {
  test('Done: the answer comes in time; F6: the timer that fires later changes nothing', () => {
    const consumer = asked('r1');
    consumer.answer('http.request', ANSWER);
    const result = { Done: { status: 200, body_ref: null } };
    expect(consumer.settled(SETTLED)).toMatchObject([{ request_id: 'r1', result }]);
    atRest(consumer);
    consumer.expire(DEADLINE);
    expect(consumer.settled(SETTLED)).toHaveLength(1);
    expect(consumer.ended()).toEqual(['core_fetch_by_deadline ok', 'entry_fetch_by_deadline ok']);
    expect(consumer.dispositions()).toEqual(['applied', 'late']);
  });

  test('TimedOut: the deadline wins; F6: the answer that comes later changes nothing', () => {
    const consumer = asked('r1');
    consumer.expire(DEADLINE);
    expect(consumer.settled(SETTLED)).toMatchObject([
      { request_id: 'r1', result: { TimedOut: { deadline_ns: DEADLINE } } },
    ]);
    atRest(consumer);
    consumer.answer('http.request', ANSWER);
    expect(consumer.settled(SETTLED)).toHaveLength(1);
    expect(consumer.ended()).toHaveLength(2);
    expect(consumer.dispositions()).toEqual(['applied', 'late']);
  });

  test.each([
    ['error', 'adapter.connect'],
    ['timeout', 'adapter.timeout'],
  ] as const)('Failed at the fetch: the adapter ends with %s', (status, code) => {
    const consumer = asked('r1');
    consumer.fail('http.request', code, status);
    expect(consumer.settled(SETTLED)).toEqual([{ request_id: 'r1', result: { Failed: { stage: 'fetch', code } } }]);
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
  test('the fetch is denied by policy: nothing leaves', () => {
    const consumer = new Consumer({ ...WIRING, allow: [[CORE, 'timer.set']] });
    consumer.send(REQUEST, request('r1'));
    expect(consumer.settled(SETTLED)).toEqual([
      { request_id: 'r1', result: { Failed: { stage: 'plan', code: 'policy_denied' } } },
    ]);
    expect(consumer.w.records('effect_intent')).toEqual([]);
    atRest(consumer);
  });

  test('the timer is denied: the fetch is under way already, and its answer is late', () => {
    const consumer = new Consumer({ ...WIRING, allow: [[CORE, 'http.request']] });
    consumer.send(REQUEST, request('r1'));
    expect(consumer.settled(SETTLED)).toMatchObject([{ result: { Failed: { stage: 'plan', code: 'policy_denied' } } }]);
    consumer.answer('http.request', ANSWER);
    expect(consumer.dispositions()).toEqual(['late']);
  });

  test('the grant does not cover the host', () => {
    const consumer = new Consumer(WIRING);
    consumer.send(REQUEST, request('r1', { url: 'https://elsewhere.example.net/' }));
    expect(consumer.settled(SETTLED)).toMatchObject([{ result: { Failed: { stage: 'plan', code: 'cap_denied' } } }]);
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

test('F3: two requests at once, answered in reverse order, each get their own answer', () => {
  const consumer = asked('first', 'second');
  consumer.answer('http.request', { ...ANSWER, status: 202 }, '/second');
  consumer.answer('http.request', { ...ANSWER, status: 201 }, '/first');
  expect(consumer.settled(SETTLED)).toMatchObject([
    { request_id: 'second', result: { Done: { status: 202 } } },
    { request_id: 'first', result: { Done: { status: 201 } } },
  ]);
  atRest(consumer);
});

test('F4: a crash while parked: the request goes on in the world that reopens', () => {
  const consumer = asked('r1');
  consumer.w.reopen();
  consumer.answer('http.request', ANSWER);
  expect(consumer.settled(SETTLED)).toMatchObject([{ request_id: 'r1', result: { Done: { status: 200 } } }]);
  atRest(consumer);
});

test('F5: the same receipt again, and the same event again under its id, settle nothing twice', () => {
  const consumer = new Consumer(WIRING);
  consumer.step((w) => w.send(REQUEST, request('r1'), { ingressId: 'i1' }));
  consumer.step((w) => w.send(REQUEST, request('r1'), { ingressId: 'i1' }));
  const open = consumer.open('http.request');
  consumer.step((w) => w.receipt(open, { payload: ANSWER }));
  consumer.step((w) => w.receipt(open, { payload: ANSWER }));
  expect(consumer.settled(SETTLED)).toHaveLength(1);
  expect(consumer.w.records('effect_intent').filter(({ kind }) => kind === 'http.request')).toHaveLength(1);
});

test('F5: two requests with one id share the fetch, and both get its answer', () => {
  const consumer = asked('r1', 'r1');
  consumer.answer('http.request', ANSWER);
  expect(consumer.settled(SETTLED)).toMatchObject([
    { request_id: 'r1', result: { Done: { status: 200 } } },
    { request_id: 'r1', result: { Done: { status: 200 } } },
  ]);
  atRest(consumer);
});
