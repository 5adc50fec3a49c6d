import { typedJson } from '@worldline/summary';
import { describe, expect, test } from 'vitest';
import { atRest, Consumer, findingsOf, type Wiring } from './consumer.ts';

/**
 * The pack `request-response`, both sides in turnkey worlds (`patterns.md` §4, §7). What the adapter carries between two
 * processes is here carried by hand: the recorded message of one world is the event of the other.
 */

const ASK = 'pack.reqresp/Ask@1';
const REQUEST = 'pack.reqresp/Request@1';
const RESPONSE = 'pack.reqresp/Response@1';
const SETTLED = 'pack.reqresp/AskSettled@1';
const REPLIED = 'pack.reqresp/ReplySettled@1';
const CORE_ASK = 'pack.reqresp/core_ask@1';
const CORE_REPLY = 'pack.reqresp/core_reply@1';
const SEND_REQUEST = 'fabric.send.request';
const SEND_RESPONSE = 'fabric.send.response';
const DEADLINE = 60_000_000_000;
const BODY = `sha256:${'a'.repeat(64)}`;

const wiring = (worlds: readonly string[]): Wiring => ({
  pack: 'request-response',
  effects: ['sys/timer.set@1'],
  grants: [
    { name: 'cap_fabric', cap: 'sys/fabric@1', params: { worlds, schemas: [REQUEST, RESPONSE] } },
    { name: 'cap_timer', cap: 'sys/timer@1', params: {} },
  ],
  triggers: [
    { event: ASK, plan: 'pack.reqresp/entry_ask@1', correlate_by: 'correlation_id' },
    { event: REQUEST, plan: 'pack.reqresp/entry_echo@1', correlate_by: 'correlation_id' },
  ],
  allow: [
    [CORE_ASK, SEND_REQUEST],
    [CORE_ASK, 'timer.set'],
    [CORE_REPLY, SEND_RESPONSE],
  ],
});

const ask = (id: string, more: object = {}) => ({
  correlation_id: id,
  dest_world: 'b',
  reply_world: 'a',
  topic: 'build',
  body_ref: BODY,
  deadline_ns: DEADLINE,
  ...more,
});
const request = (id: string) => ({
  correlation_id: id,
  to_world: 'b',
  reply_world: 'a',
  topic: 'build',
  body_ref: BODY,
});
const response = (id: string, more: object = {}) => ({
  correlation_id: id,
  from_world: 'b',
  answer: { Answered: { body_ref: BODY } },
  ...more,
});

const enqueued = (world: string) => ({ message_id: BODY, dest_world: world, enqueued_seq: 1, duplicate: false });

function asked(...ids: readonly string[]): Consumer {
  const consumer = new Consumer(wiring(['b']));
  for (const id of ids) consumer.send(ASK, ask(id));
  return consumer;
}

/** The message of an open send: its recorded params, and what it carries. */
function message(consumer: Consumer, kind: string, id = '') {
  const { catalog } = consumer.w.kernel;
  const params = consumer.w.decode('sys/FabricSendParams@1', consumer.open(kind, id).paramsCbor) as {
    readonly schema: string;
    readonly value: { readonly cbor: string };
  };
  const bytes = Buffer.from(params.value.cbor, 'base64');
  return { params, value: typedJson(bytes, catalog.scope.lookup(params.schema), catalog) };
}

test('F9: a turnkey consumer has no finding', () => {
  expect(findingsOf(wiring(['b']))).toEqual([]);
});

describe('F1, F2: every outcome of the requester, with parity after each input', () => {
  test('the request leaves as a message of `fabric.send`, its schema by name (kernel.md §9.2)', () => {
    const { params, value } = message(asked('r1'), SEND_REQUEST);
    expect(params).toMatchObject({ dest_world: 'b', schema: REQUEST, key: null, correlation_id: 'r1', mode: null });
    expect(value).toEqual(request('r1'));
  });

  test('Settled: the answer comes; F6: send receipt, timer and a second answer later change nothing', () => {
    const consumer = asked('r1');
    consumer.send(RESPONSE, response('r1'));
    expect(consumer.settled(SETTLED)).toEqual([
      { correlation_id: 'r1', result: { Settled: { Answered: { body_ref: BODY } } } },
    ]);
    atRest(consumer);
    consumer.answer(SEND_REQUEST, enqueued('b'));
    consumer.expire(DEADLINE);
    consumer.send(RESPONSE, response('r1'));
    expect(consumer.settled(SETTLED)).toHaveLength(1);
    expect(consumer.ended()).toEqual(['core_ask ok', 'entry_ask ok']);
    expect(consumer.dispositions()).toEqual(['late', 'late']);
  });

  test('Settled: also when the send receipt comes first, and with a refusal', () => {
    const consumer = asked('r1');
    consumer.answer(SEND_REQUEST, enqueued('b'));
    expect(consumer.settled(SETTLED)).toEqual([]);
    consumer.send(RESPONSE, response('r1', { answer: { Refused: { code: 'busy' } } }));
    expect(consumer.settled(SETTLED)).toEqual([
      { correlation_id: 'r1', result: { Settled: { Refused: { code: 'busy' } } } },
    ]);
    atRest(consumer);
  });

  test('TimedOut: nobody answers; F6: the answer that comes later changes nothing', () => {
    const consumer = asked('r1');
    consumer.answer(SEND_REQUEST, enqueued('b'));
    consumer.expire(DEADLINE);
    expect(consumer.settled(SETTLED)).toMatchObject([
      { correlation_id: 'r1', result: { TimedOut: { deadline_ns: DEADLINE } } },
    ]);
    atRest(consumer);
    consumer.send(RESPONSE, response('r1'));
    expect(consumer.settled(SETTLED)).toHaveLength(1);
  });

  test('Failed at the send: the peer is not known', () => {
    const consumer = asked('r1');
    consumer.fail(SEND_REQUEST, 'fabric.peer_unknown');
    expect(consumer.settled(SETTLED)).toEqual([
      { correlation_id: 'r1', result: { Failed: { stage: 'send', code: 'fabric.peer_unknown' } } },
    ]);
    atRest(consumer);
  });

  test('Failed at the timer: no deadline can be kept', () => {
    const consumer = asked('r1');
    consumer.fail('timer.set', 'timer.unavailable');
    expect(consumer.settled(SETTLED)).toMatchObject([{ result: { Failed: { stage: 'timer' } } }]);
    atRest(consumer);
  });
});

describe('F1, F2: every outcome of the responder', () => {
  test('Sent: the answer names the request and its sender', () => {
    const consumer = new Consumer(wiring(['a']));
    consumer.send(REQUEST, request('r1'));
    expect(message(consumer, SEND_RESPONSE).value).toEqual(response('r1'));
    consumer.answer(SEND_RESPONSE, enqueued('a'));
    expect(consumer.settled(REPLIED)).toMatchObject([{ correlation_id: 'r1', result: { Sent: null } }]);
    atRest(consumer);
  });

  test('Failed at the send', () => {
    const consumer = new Consumer(wiring(['a']));
    consumer.send(REQUEST, request('r1'));
    consumer.fail(SEND_RESPONSE, 'fabric.refused');
    expect(consumer.settled(REPLIED)).toEqual([
      { correlation_id: 'r1', result: { Failed: { stage: 'send', code: 'fabric.refused' } } },
    ]);
    atRest(consumer);
  });

  test('F5: the request comes twice under two ids: its answers are one message', () => {
    const consumer = new Consumer(wiring(['a']));
    consumer.send(REQUEST, request('r1'));
    consumer.send(REQUEST, request('r1'));
    consumer.answer(SEND_RESPONSE, enqueued('a'));
    const hashes = consumer.w.records('effect_intent').map((r) => Buffer.from(r.intent_hash).toString('hex'));
    expect(hashes).toHaveLength(2);
    expect(new Set(hashes).size).toBe(1);
  });
});

describe('F7: the core cannot do its work, and the request is settled all the same', () => {
  test.each([
    ['a world that the grant does not cover', { dest_world: 'c' }, wiring(['b']), 'cap_denied'],
    [
      'a schema that the grant does not cover',
      {},
      {
        ...wiring(['b']),
        grants: [
          { name: 'cap_fabric', cap: 'sys/fabric@1', params: { worlds: ['b'], schemas: [RESPONSE] } },
          { name: 'cap_timer', cap: 'sys/timer@1', params: {} },
        ],
      },
      'cap_denied',
    ],
    ['a kind that the policy denies', {}, { ...wiring(['b']), allow: [] }, 'policy_denied'],
  ])('%s', (_, more, world, code) => {
    const consumer = new Consumer(world);
    consumer.send(ASK, ask('r1', more));
    expect(consumer.settled(SETTLED)).toEqual([{ correlation_id: 'r1', result: { Failed: { stage: 'plan', code } } }]);
    expect(consumer.w.records('effect_intent')).toEqual([]);
    atRest(consumer);
  });
});

describe('F3: no cross-talk', () => {
  test('two requests at once, answered in reverse order, each get their own answer', () => {
    const consumer = asked('first', 'second');
    consumer.send(RESPONSE, response('second', { answer: { Refused: { code: 'two' } } }));
    consumer.send(RESPONSE, response('first', { answer: { Refused: { code: 'one' } } }));
    expect(consumer.settled(SETTLED)).toEqual([
      { correlation_id: 'second', result: { Settled: { Refused: { code: 'two' } } } },
      { correlation_id: 'first', result: { Settled: { Refused: { code: 'one' } } } },
    ]);
    atRest(consumer);
  });

  test('an answer of another world, or to another request, is not taken', () => {
    const consumer = asked('r1');
    consumer.send(RESPONSE, response('r1', { from_world: 'c' }));
    consumer.send(RESPONSE, response('r2'));
    expect(consumer.settled(SETTLED)).toEqual([]);
    consumer.send(RESPONSE, response('r1'));
    expect(consumer.settled(SETTLED)).toHaveLength(1);
  });
});

test('F11: two worlds: what one records as sent is what the other starts from, and the answer comes back', () => {
  const a = asked('r1');
  const b = new Consumer(wiring(['a']));
  b.send(REQUEST, message(a, SEND_REQUEST).value);
  b.w.reopen();
  // The answer is there before the receipt of the send.
  a.send(RESPONSE, message(b, SEND_RESPONSE).value);
  a.answer(SEND_REQUEST, enqueued('b'));
  b.answer(SEND_RESPONSE, enqueued('a'));
  expect(a.settled(SETTLED)).toEqual([{ correlation_id: 'r1', result: { Settled: { Answered: { body_ref: BODY } } } }]);
  expect(b.settled(REPLIED)).toMatchObject([{ correlation_id: 'r1', result: { Sent: null } }]);
  atRest(a);
  atRest(b);
});
