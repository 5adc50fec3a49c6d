import { loadAuthored } from '@worldline/air';
import type { GateConfig, GateWorld } from '@worldline/testkit/gates';
import {
  awaitEvent,
  awaitPlan,
  awaitPlansAll,
  awaitReceipt,
  edge,
  emit,
  end,
  eq,
  type Node,
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
} from '../cases/nodes.ts';
import { consumerNodes, type Wiring } from '../packs/consumer.ts';

/** Worlds that the gates are run over: sound ones, each made for one part of the suite, and the mistakes that it must find. */

export function gateWorld(nodes: readonly unknown[], config: GateConfig = {}): GateWorld {
  const files = [{ path: 'air/world.air.json', text: JSON.stringify(nodes) }];
  const loaded = loadAuthored(files);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.failure));
  return { files, loaded: loaded.value, requirePolicy: false, config };
}

const TEXT = { text: {} };
const record = (fields: Node): Node => ({ record: fields });
const idOf = ref('@plan.input.request_id');
const isTag = (value: string, tag: string) => eq(ref(`${value}.$tag`), txt(tag));

/** Waits for the response to this request. @param loose - the mistake: any response will do. */
export function asking(loose = false): GateWorld {
  const own = eq(ref('@event.correlation_id'), ref('@var:correlation_id'));
  const where = loose ? op('or', own, op('ne', ref('@event.correlation_id'), txt(''))) : own;
  const settle = raise('settle', 't/AskSettled@1', { request_id: idOf, body: ref('@var:reply.body') });
  const ask = plan(
    't/entry_ask@1',
    [awaitEvent('answered', 't/Reply@1', 'reply', where), settle, end('done')],
    [edge('answered', 'settle'), edge('settle', 'done')],
    { input: 't/Ask@1' },
  );
  return gateWorld(
    world([ask], {
      schemas: [
        schema('t/Ask@1', record({ request_id: TEXT })),
        schema('t/AskSettled@1', record({ request_id: TEXT, body: { option: TEXT } })),
      ],
      triggers: [{ event: 't/Ask@1', plan: 't/entry_ask@1', correlate_by: 'request_id' }],
    }),
  );
}

/** Requests that are told apart by a number. */
export function numbered(): GateWorld {
  const where = eq(ref('@event.number'), ref('@var:correlation_id'));
  const settle = raise('settle', 't/NumberSettled@1', { number: ref('@plan.input.number') });
  const count = plan(
    't/entry_number@1',
    [awaitEvent('answered', 't/NumberReply@1', 'reply', where), settle, end('done')],
    [edge('answered', 'settle'), edge('settle', 'done')],
    { input: 't/NumberAsk@1' },
  );
  const schemas = ['t/NumberAsk@1', 't/NumberReply@1', 't/NumberSettled@1'];
  return gateWorld(
    world([count], {
      schemas: schemas.map((name) => schema(name, record({ number: { nat: {} } }))),
      triggers: [{ event: 't/NumberAsk@1', plan: 't/entry_number@1', correlate_by: 'number' }],
    }),
  );
}

/** A receipt races a deadline. @param joined - the mistake: both branches lead to one end. */
export function racing(joined = false): GateWorld {
  const settle = (id: string, how: string) => raise(id, 't/RaceSettled@1', { request_id: idOf, how: txt(how) });
  const key = op('concat', txt('deadline:'), idOf);
  const keyed = { idempotency_key: op('hash', idOf) };
  const race = plan(
    't/entry_race@1',
    [
      emit('work', 'work_h', { x: 1 }, keyed),
      timer('arm', 'timer_h', 0, { params: { after_ns: 60_000_000_000, key } }),
      awaitReceipt('worked', 'work_h', 'work'),
      awaitReceipt('expired', 'timer_h', 'timer'),
      settle('say_worked', 'worked'),
      ...(joined ? [] : [settle('say_expired', 'expired')]),
      end('done'),
      ...(joined ? [] : [end('late')]),
    ],
    [
      edge('work', 'worked'),
      edge('arm', 'expired'),
      edge('worked', 'say_worked'),
      edge('expired', joined ? 'say_worked' : 'say_expired'),
      edge('say_worked', 'done'),
      ...(joined ? [] : [edge('say_expired', 'late')]),
    ],
    { input: 't/Race@1' },
  );
  return gateWorld(
    world([race], {
      schemas: [
        schema('t/Race@1', record({ request_id: TEXT })),
        schema('t/RaceSettled@1', record({ request_id: TEXT, how: TEXT })),
      ],
      triggers: [{ event: 't/Race@1', plan: 't/entry_race@1', correlate_by: 'request_id' }],
    }),
  );
}

/** A child does the work, and the entry says what became of it. @param deaf - the mistake: only `Ok` is listened to. */
export function delegating(deaf = false): GateWorld {
  const child = plan(
    't/core_work@1',
    [
      emit('go', 'h', { x: 1 }, { idempotency_key: op('hash', idOf) }),
      awaitReceipt('went', 'h', 'r'),
      end('done', { n: 1 }),
    ],
    [edge('go', 'went'), edge('went', 'done')],
    { input: 't/Work@1', output: 't/Out@1' },
  );
  const say = (id: string, how: string) => raise(id, 't/WorkSettled@1', { request_id: idOf, how: txt(how) });
  const entry = plan(
    't/entry_work@1',
    [
      spawn('run', 't/core_work@1', ref('@plan.input'), 'child'),
      awaitPlan('ran', ref('@var:child'), 'out'),
      say('say_ok', 'ok'),
      ...(deaf ? [] : [say('say_failed', 'failed')]),
      end('done'),
    ],
    [
      edge('run', 'ran'),
      edge('ran', 'say_ok', isTag('@var:out', 'Ok')),
      ...(deaf ? [] : [edge('ran', 'say_failed', op('not', isTag('@var:out', 'Ok'))), edge('say_failed', 'done')]),
      edge('say_ok', 'done'),
    ],
    { input: 't/Work@1' },
  );
  return gateWorld(
    world([child, entry], {
      schemas: [
        schema('t/Work@1', record({ request_id: TEXT })),
        schema('t/WorkSettled@1', record({ request_id: TEXT, how: TEXT })),
      ],
      triggers: [{ event: 't/Work@1', plan: 't/entry_work@1', correlate_by: 'request_id' }],
    }),
  );
}

/**
 * A child for each item, then a barrier. @param shallow - the mistake: the parent looks at two of the results and takes them
 * for all, so that it says nothing when they differ.
 */
export function fanningOut(shallow = false): GateWorld {
  const child = plan(
    't/core_item@1',
    [
      emit('go', 'h', { x: 1 }, { idempotency_key: op('hash', ref('@plan.input.name')) }),
      awaitReceipt('went', 'h', 'r'),
      end('done', { n: 1 }),
    ],
    [edge('go', 'went'), edge('went', 'done')],
    { input: 't/Item@1', output: 't/Out@1' },
  );
  const tagOf = (i: number) => op('get', ref('@var:results'), { nat: i });
  const agree = eq(tagOf(0), tagOf(1));
  const entry = plan(
    't/entry_batch@1',
    [
      spawnForEach('run', 't/core_item@1', ref('@plan.input.items'), 'children'),
      awaitPlansAll('ran', ref('@var:children'), 'results'),
      raise('say', 't/BatchSettled@1', { request_id: idOf, n: op('len', ref('@var:results')) }),
      end('done'),
    ],
    [edge('run', 'ran'), shallow ? edge('ran', 'say', agree) : edge('ran', 'say'), edge('say', 'done')],
    { input: 't/Batch@1' },
  );
  return gateWorld(
    world([child, entry], {
      schemas: [
        schema('t/Item@1', record({ name: TEXT })),
        schema('t/Batch@1', record({ request_id: TEXT, items: { list: { ref: 't/Item@1' } } })),
        schema('t/BatchSettled@1', record({ request_id: TEXT, n: { nat: {} } })),
      ],
      triggers: [{ event: 't/Batch@1', plan: 't/entry_batch@1', correlate_by: 'request_id' }],
    }),
  );
}

/** The pack, and what its effects need. */
const RACES: Wiring = {
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
  triggers: [{ event: 'app/FetchAll@1', plan: 'app/entry_fetch_all@1', correlate_by: 'request_id' }],
  allow: [
    ['pack.deadline/core_fetch_by_deadline@1', 'http.request'],
    ['pack.deadline/core_fetch_by_deadline@1', 'timer.set'],
  ],
};

/** F8: the core of the deadline race for each item of a list, behind a barrier. */
export function fetchingAll(): GateWorld {
  const entry = plan(
    'app/entry_fetch_all@1',
    [
      spawnForEach('run', 'pack.deadline/core_fetch_by_deadline@1', ref('@plan.input.fetches'), 'children', {
        max_fanout: 8,
      }),
      awaitPlansAll('ran', ref('@var:children'), 'results'),
      raise('say', 'app/FetchAllSettled@1', { request_id: idOf, n: op('len', ref('@var:results')) }),
      end('done'),
    ],
    [edge('run', 'ran'), edge('ran', 'say'), edge('say', 'done')],
    { input: 'app/FetchAll@1' },
  );
  const fetch = (n: number) => ({
    request_id: `\${id}/${n}`,
    method: 'GET',
    url: `https://api.example.com/\${id}/${n}`,
    headers: {},
    body_ref: null,
    deadline_ns: '${now+10m}',
  });
  const nodes = consumerNodes({
    ...RACES,
    plans: [entry],
    schemas: [
      schema(
        'app/FetchAll@1',
        record({ request_id: TEXT, fetches: { list: { ref: 'pack.deadline/FetchRequest@1' } } }),
      ),
      schema('app/FetchAllSettled@1', record({ request_id: TEXT, n: { nat: {} } })),
    ],
  });
  return gateWorld(nodes, {
    flows: [
      { event: 'app/FetchAll@1', request: { request_id: '${id}', fetches: [fetch(1), fetch(2), fetch(3)] } as never },
    ],
  });
}

/** Its child waits before it does anything. */
export function listening(): GateWorld {
  const own = eq(ref('@event.correlation_id'), ref('@var:correlation_id'));
  const child = plan(
    't/listen@1',
    [awaitEvent('heard', 't/Reply@1', 'reply', own), end('done')],
    [edge('heard', 'done')],
    {
      input: 't/Hear@1',
    },
  );
  const parent = plan(
    't/entry_hear@1',
    [
      spawn('run', 't/listen@1', ref('@plan.input'), 'child'),
      awaitPlan('ran', ref('@var:child'), 'out'),
      raise('say', 't/HearSettled@1', { request_id: idOf }),
      end('done'),
    ],
    [edge('run', 'ran'), edge('ran', 'say'), edge('say', 'done')],
    { input: 't/Hear@1' },
  );
  return gateWorld(
    world([parent, child], {
      schemas: [
        schema('t/Hear@1', record({ request_id: TEXT })),
        schema('t/HearSettled@1', record({ request_id: TEXT })),
      ],
      triggers: [{ event: 't/Hear@1', plan: 't/entry_hear@1', correlate_by: 'request_id' }],
    }),
  );
}

/** Triggers that look for different values of one event; one looks for what no request is. */
export function sharingOneEvent(): GateWorld {
  const own = eq(ref('@event.correlation_id'), ref('@var:correlation_id'));
  const keyed = { idempotency_key: op('hash', idOf) };
  const waiting = [awaitEvent('heard', 't/Reply@1', 'reply', own), end('done')];
  const racingSteps = [
    timer('arm', 'timer_h', 0, { params: { after_ns: 60_000_000_000, key: op('concat', txt('deadline:'), idOf) } }),
    emit('work', 'work_h', { x: 1 }, keyed),
    awaitReceipt('worked', 'work_h', 'work'),
    awaitReceipt('expired', 'timer_h', 'timer'),
    end('done'),
    end('late'),
  ];
  const input = { input: 't/Do@1' };
  const takes = (name: string, what: Node) => ({
    event: 't/Do@1',
    plan: name,
    correlate_by: 'request_id',
    when: eq(ref('@event.what'), what),
  });
  return gateWorld(
    world(
      [
        plan('t/wait@1', waiting, [edge('heard', 'done')], input),
        plan('t/race@1', racingSteps, [edge('worked', 'done'), edge('expired', 'late')], input),
        plan('t/never@1', [end('done')], [], input),
        plan('t/orphan@1', [end('done')], [], input),
      ],
      {
        schemas: [schema('t/Do@1', record({ request_id: TEXT, what: TEXT }))],
        triggers: [
          takes('t/wait@1', txt('wait')),
          takes('t/race@1', txt('race')),
          takes('t/never@1', op('concat', txt('never '), ref('@event.request_id'))),
        ],
      },
    ),
  );
}
