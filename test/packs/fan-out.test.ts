import { describe, expect, test } from 'vitest';
import { Consumer, findingsOf, type Node, type PackName, type Wiring } from './consumer.ts';

/**
 * F8: the core of a pack over a list (`patterns.md` §7): `spawn_for_each`, `await_plans_all`, and one child that cannot do its work.
 * What a person writes for it is one plan of three steps.
 */

const ref = (path: string) => ({ ref: path });

/** A plan that runs `core` for each item of a list and says what came of them, in their order. */
function fanOut(
  core: string,
  input: string,
  output: string,
): { readonly plan: Node; readonly schemas: readonly Node[] } {
  const outcome = {
    variant: { Ok: { ref: output }, Error: { ref: 'sys/PlanError@1' }, Canceled: { unit: {} } },
  };
  const schema = (name: string, type: object) => ({ $kind: 'defschema', name, type });
  return {
    schemas: [
      schema('app/Batch@1', { record: { items: { list: { ref: input } } } }),
      schema('app/Outcome@1', outcome),
      schema('app/BatchSettled@1', { record: { outcomes: { list: { ref: 'app/Outcome@1' } } } }),
    ],
    plan: {
      $kind: 'defplan',
      name: 'app/adapter_all@1',
      input: 'app/Batch@1',
      steps: [
        {
          id: 'each',
          op: 'spawn_for_each',
          plan: core,
          inputs: ref('@plan.input.items'),
          max_fanout: 10,
          bind: { handles_as: 'children' },
        },
        { id: 'all', op: 'await_plans_all', handles: ref('@var:children'), bind: { results_as: 'outcomes' } },
        { id: 'say', op: 'raise_event', event: 'app/BatchSettled@1', value: { outcomes: ref('@var:outcomes') } },
        { id: 'done', op: 'end' },
      ],
      edges: [
        { from: 'each', to: 'all' },
        { from: 'all', to: 'say' },
        { from: 'say', to: 'done' },
      ],
    },
  };
}

const MINUTE_NS = 60_000_000_000;
const HTTP = { name: 'cap_http', cap: 'sys/http.out@1', params: { hosts: ['api.example.com'] } };
const TIMER = { name: 'cap_timer', cap: 'sys/timer@1', params: {} };
const BATCH_TRIGGER = [{ event: 'app/Batch@1', plan: 'app/adapter_all@1' }];

const TYPES: Readonly<Record<PackName, readonly [input: string, output: string]>> = {
  'deadline-race': ['pack.deadline/FetchRequest@1', 'pack.deadline/FetchResult@1'],
  'approval-gate': ['pack.approval/Ask@1', 'pack.approval/AskResult@1'],
  'request-response': ['pack.reqresp/Ask@1', 'pack.reqresp/AskResult@1'],
};

function wiring(pack: PackName, core: string, kind: string, grant: Node, effects = [`sys/${kind}@1`]): Wiring {
  const [input, output] = TYPES[pack];
  const { plan, schemas } = fanOut(core, input, output);
  return {
    pack,
    effects: [...effects, 'sys/timer.set@1'],
    grants: [grant, TIMER],
    triggers: BATCH_TRIGGER,
    allow: [
      [core, kind],
      [core, 'timer.set'],
    ],
    plans: [plan],
    schemas,
  };
}

const DEADLINE = wiring('deadline-race', 'pack.deadline/core_fetch_by_deadline@1', 'http.request', HTTP);
const APPROVAL = wiring('approval-gate', 'pack.approval/core_approval_gate@1', 'approval.request', {
  name: 'cap_approval',
  cap: 'sys/approval@1',
  params: {},
});

const FABRIC = { name: 'cap_fabric', cap: 'sys/fabric@1', params: { worlds: ['b', 'c'] } };
const CORE_REPLY = 'pack.reqresp/core_reply@1';
const ASKING: Wiring = (() => {
  const given = wiring('request-response', 'pack.reqresp/core_ask@1', 'fabric.send.request', FABRIC, []);
  return { ...given, allow: [...given.allow, [CORE_REPLY, 'fabric.send.response']] };
})();

const request = (id: string, host = 'api.example.com') => ({
  request_id: id,
  method: 'GET',
  url: `https://${host}/${id}`,
  headers: {},
  body_ref: null,
  deadline_ns: MINUTE_NS,
});
const ask = (id: string) => ({
  request_id: id,
  subject: `deploy ${id}`,
  requester: 'ci',
  context_ref: null,
  deadline_ns: MINUTE_NS,
});
const answer = (status: number) => ({
  status,
  headers: {},
  body_ref: null,
  timings: { start_ns: 1, end_ns: 2 },
  adapter_id: 'host.http',
});

test.each([DEADLINE, APPROVAL, ASKING])('F9: the fan-out over $pack has no finding', (given) => {
  expect(findingsOf(given)).toEqual([]);
});

describe('F8: the core over a list, results in the order of the list whatever order they come in', () => {
  test('deadline-race: one may not be fetched, one is too slow, one is answered first though it came last', () => {
    const consumer = new Consumer(DEADLINE);
    const items = [request('slow'), request('denied', 'elsewhere.example.net'), request('second'), request('first')];
    consumer.send('app/Batch@1', { items });
    consumer.answer('http.request', answer(201), '/first');
    consumer.w.reopen();
    consumer.answer('http.request', answer(202), '/second');
    expect(consumer.settled('app/BatchSettled@1')).toEqual([]);
    consumer.expire(MINUTE_NS, 'deadline:slow');
    expect(consumer.settled('app/BatchSettled@1')).toMatchObject([
      {
        outcomes: [
          { Ok: { TimedOut: { deadline_ns: MINUTE_NS } } },
          { Error: { code: 'cap_denied' } },
          { Ok: { Done: { status: 202 } } },
          { Ok: { Done: { status: 201 } } },
        ],
      },
    ]);
    // The others' timers and the slow answer: late, and nothing more is said.
    consumer.answer('http.request', answer(200), '/slow');
    for (const id of ['second', 'first']) consumer.expire(0, `deadline:${id}`);
    expect(consumer.settled('app/BatchSettled@1')).toHaveLength(1);
    expect(consumer.w.instances()).toEqual([]);
    expect(consumer.w.pending()).toEqual([]);
  });

  test('approval-gate: one is cancelled by an operator, the others are decided in reverse order', () => {
    const consumer = new Consumer(APPROVAL);
    consumer.send('app/Batch@1', { items: [ask('a'), ask('b'), ask('c')] });
    const decision = (word: string, by: string) => ({ decision: word, approver: by, rationale: null });
    consumer.answer('approval.request', decision('approved', 'cleo'), 'deploy c');
    const children = consumer.w.records('plan_started').filter(({ plan_name }) => plan_name.includes('/core_'));
    consumer.step((w) => w.cancel(children[1]!.plan_id));
    consumer.w.reopen();
    expect(consumer.settled('app/BatchSettled@1')).toEqual([]);
    consumer.answer('approval.request', decision('denied', 'ann'), 'deploy a');
    expect(consumer.settled('app/BatchSettled@1')).toMatchObject([
      {
        outcomes: [
          { Ok: { Denied: { approver: 'ann' } } },
          { Canceled: null },
          { Ok: { Approved: { approver: 'cleo' } } },
        ],
      },
    ]);
    // A yes to the cancelled one comes too late.
    consumer.answer('approval.request', decision('approved', 'bob'), 'deploy b');
    expect(consumer.dispositions().at(-1)).toBe('late');
    expect(consumer.settled('app/BatchSettled@1')).toHaveLength(1);
  });

  test('request-response: one world is slow, one may not be asked, and two answers come in reverse order', () => {
    const consumer = new Consumer(ASKING);
    const ask = (correlation_id: string, dest_world = 'b') => ({
      correlation_id,
      dest_world,
      reply_world: 'a',
      topic: 'build',
      body_ref: null,
      deadline_ns: MINUTE_NS,
    });
    const answered = (correlation_id: string, code: string) => ({
      correlation_id,
      from_world: 'b',
      answer: { Refused: { code } },
    });
    consumer.send('app/Batch@1', {
      items: [ask('first'), ask('denied', 'elsewhere'), ask('second'), ask('slow', 'c')],
    });
    consumer.send('pack.reqresp/Response@1', answered('second', 'two'));
    consumer.w.reopen();
    // Of the right request, and from another world than was asked.
    consumer.send('pack.reqresp/Response@1', answered('slow', 'not yours'));
    consumer.send('pack.reqresp/Response@1', answered('first', 'one'));
    expect(consumer.settled('app/BatchSettled@1')).toEqual([]);
    consumer.expire(MINUTE_NS, 'deadline:slow');
    expect(consumer.settled('app/BatchSettled@1')).toMatchObject([
      {
        outcomes: [
          { Ok: { Settled: { Refused: { code: 'one' } } } },
          { Error: { code: 'cap_denied' } },
          { Ok: { Settled: { Refused: { code: 'two' } } } },
          { Ok: { TimedOut: { deadline_ns: MINUTE_NS } } },
        ],
      },
    ]);
    expect(consumer.w.instances()).toEqual([]);
  });
});
