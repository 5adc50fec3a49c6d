import { UNSUPPORTED } from '@worldline/air';
import { type Authored, Draft, findingsOf, type MutantWorld } from './mutant.ts';

/**
 * Hand-written worlds to plant faults in. Together they use every step kind, every operator, every type form, grants with
 * every kind of params, policies, secrets, and triggers of every shape. All of them are sound.
 */

const ref = (text: string): Authored => ({ ref: text });
const op = (name: string, ...args: Authored[]): Authored => ({ op: name, args });
const text = (value: string): Authored => ({ text: value });
const nat = (value: number): Authored => ({ nat: value });
const record = (fields: Authored): Authored => ({ record: fields });
const schema = (name: string, type: Authored): Authored => ({ $kind: 'defschema', name, type });
const assign = (id: string, as: string, expr: Authored): Authored => ({ id, op: 'assign', expr, bind: { as } });
const edge = (from: string, to: string, when?: Authored): Authored => ({ from, to, ...(when ? { when } : {}) });
const list = (item: Authored): Authored => ({ list: item });
const option = (item: Authored): Authored => ({ option: item });
const scalar = (kind: string): Authored => ({ [kind]: {} });

const HASH = `sha256:${'ab'.repeat(32)}`;
const UUID = '123e4567-e89b-12d3-a456-426614174000';

function manifest(defs: readonly Authored[], parts: Authored): Authored {
  const names = (kind: string) => defs.filter(({ $kind }) => $kind === kind).map(({ name }) => ({ name }));
  return {
    $kind: 'manifest',
    air_version: '1',
    schemas: names('defschema'),
    modules: names('defmodule'),
    plans: names('defplan'),
    effects: [...names('defeffect'), ...(parts.effects ?? [])],
    caps: names('defcap'),
    policies: names('defpolicy'),
    secrets: names('defsecret'),
    ...Object.fromEntries(Object.entries(parts).filter(([key]) => key !== 'effects')),
  };
}

const ORDER = schema(
  'shop/Order@1',
  record({
    id: scalar('text'),
    placed: scalar('time'),
    patience: scalar('duration'),
    cents: scalar('int'),
    count: scalar('nat'),
    rush: scalar('bool'),
    price: scalar('dec128'),
    photo: scalar('bytes'),
    digest: scalar('hash'),
    customer: scalar('uuid'),
    nothing: scalar('unit'),
    note: option(scalar('text')),
    gift: option(scalar('bool')),
    labels: { map: { key: scalar('text'), value: scalar('text') } },
    marks: { set: scalar('text') },
    lines: list(ref('shop/Line@1')),
    payment: ref('shop/Payment@1'),
  }),
);

const SHARED = [
  ORDER,
  schema('shop/Line@1', record({ sku: scalar('text'), amount: scalar('nat') })),
  schema('shop/Payment@1', {
    variant: {
      Card: record({ last: scalar('text'), tries: scalar('nat') }),
      Cash: scalar('unit'),
      Later: option(ref('shop/Line@1')),
    },
  }),
  schema('shop/Alias@1', ref('shop/Order@1')),
  schema('shop/Paid@1', record({ id: scalar('text'), by: option(scalar('text')), payment: ref('shop/Payment@1') })),
  schema('shop/Shipped@1', record({ id: scalar('text'), parcels: scalar('nat'), late: scalar('bool') })),
  schema('shop/Number@1', scalar('nat')),
  schema('shop/Odd@1', {
    record: {
      by_int: { map: { key: scalar('int'), value: scalar('text') } },
      by_uuid: { map: { key: scalar('uuid'), value: list(option(scalar('nat'))) } },
      by_hash: { map: { key: scalar('hash'), value: ref('shop/Line@1') } },
      counts: { set: scalar('nat') },
      when: { set: scalar('time') },
      deep: option({ map: { key: scalar('nat'), value: { set: scalar('hash') } } }),
    },
  }),
  schema(
    'shop/Mail@1',
    record({ to: scalar('text'), subject: scalar('text'), key: option(ref('sys/TextOrSecretRef@1')) }),
  ),
  schema('shop/MailSent@1', record({ id: scalar('text'), queued: scalar('bool') })),
];

/** One long plan that waits for receipts and events, with secrets, a policy, and a correlated projecting trigger. */
function shop(): MutantWorld {
  const defs = [
    ...SHARED,
    schema('shop/Inbox@1', {
      variant: {
        Order: ref('shop/Order@1'),
        Note: record({ id: scalar('text'), size: scalar('nat') }),
        Ping: scalar('unit'),
      },
    }),
    {
      $kind: 'defeffect',
      name: 'shop/mail.send@1',
      kind: 'mail.send',
      params_schema: 'shop/Mail@1',
      receipt_schema: 'shop/MailSent@1',
      cap_type: 'mail',
      origin_scope: 'plan',
      description: 'Sends a letter.',
    },
    {
      $kind: 'defcap',
      name: 'shop/mail@1',
      cap_type: 'mail',
      schema: record({
        domains: { set: scalar('text') },
        size_max: option(scalar('nat')),
        key: option(ref('sys/TextOrSecretRef@1')),
      }),
      enforcer: { module: 'sys/CapAllowAll@1' },
    },
    {
      $kind: 'defpolicy',
      name: 'shop/policy@1',
      rules: [
        { when: { effect_kind: 'vault.put' }, decision: 'deny' },
        { when: { effect_kind: 'mail.send', cap_name: 'post', origin_kind: 'plan' }, decision: 'allow' },
        { when: { cap_type: 'timer', origin_name: 'shop/fulfil@1' }, decision: 'allow' },
        { when: {}, decision: 'allow' },
      ],
    },
    {
      $kind: 'defsecret',
      name: 'shop/model_key@1',
      binding_id: 'env:MODEL_KEY',
      expected_digest: HASH,
      allowed_plans: ['shop/fulfil@1'],
      allowed_caps: ['model'],
    },
    { $kind: 'defsecret', name: 'shop/mail_key@2', binding_id: 'env:MAIL_KEY' },
    {
      $kind: 'defplan',
      name: 'shop/fulfil@1',
      input: 'shop/Order@1',
      output: 'shop/Shipped@1',
      locals: { total: 'shop/Number@1', odd: 'shop/Odd@1', best: 'shop/Payment@1' },
      steps: [
        assign('sum', 'total', op('add', ref('@plan.input.count'), nat(1))),
        assign('fill', 'odd', {
          by_int: [
            [-1, 'minus'],
            [7, 'seven'],
          ],
          by_uuid: [[UUID, [1, null]]],
          by_hash: [[HASH, { sku: 'a', amount: 1 }]],
          counts: [3, 1],
          when: ['2024-01-01T00:00:00Z'],
        }),
        assign('choose', 'best', { Card: { last: ref('@plan.input.id'), tries: 3 } }),
        {
          id: 'alarm',
          op: 'emit_effect',
          kind: 'timer.after',
          params: { after_ns: 60_000_000_000, key: ref('@plan.input.id') },
          cap: 'clock',
          bind: { effect_id_as: 'alarm_h' },
        },
        {
          id: 'fetch',
          op: 'emit_effect',
          kind: 'http.request',
          params: {
            method: 'POST',
            url: op('concat', text('https://shop.example/'), ref('@plan.input.id')),
            headers: { accept: 'text/plain', 'x-order': ref('@plan.input.id') },
            body_ref: ref('@plan.input.digest'),
          },
          idempotency_key: op('hash', ref('@plan.input.id')),
          cap: 'web',
          bind: { effect_id_as: 'fetch_h' },
        },
        {
          id: 'ask',
          op: 'emit_effect',
          kind: 'llm.generate',
          params: {
            provider: 'house',
            model: ref('@plan.input.id'),
            temperature: '0.5',
            max_tokens: 100,
            message_refs: [HASH, ref('@plan.input.digest')],
            tool_choice: { Tool: { name: 'search' } },
            api_key: { secret: { alias: 'shop/model_key', version: 1 } },
          },
          cap: 'model',
          bind: { effect_id_as: 'ask_h' },
        },
        {
          id: 'write',
          op: 'emit_effect',
          kind: 'mail.send',
          params: {
            to: 'a@shop.example',
            subject: 'Your order',
            key: { secret: { alias: 'shop/mail_key', version: 2 } },
          },
          idempotency_key: HASH,
          cap: 'post',
          bind: { effect_id_as: 'write_h' },
        },
        { id: 'fetched', op: 'await_receipt', for: ref('@var:fetch_h'), bind: { as: 'fetch_r' } },
        { id: 'asked', op: 'await_receipt', for: ref('@var:ask_h'), bind: { as: 'ask_r' } },
        { id: 'written', op: 'await_receipt', for: ref('@var:write_h'), bind: { as: 'write_r' } },
        {
          id: 'paid',
          op: 'await_event',
          event: 'shop/Paid@1',
          where: op(
            'and',
            op('eq', ref('@event.id'), ref('@var:correlation_id')),
            op('gt', ref('@var:total'), nat(0)),
            op('ne', ref('@event.by'), { null: {} }),
          ),
          bind: { as: 'payment' },
        },
        { id: 'rang', op: 'await_receipt', for: ref('@var:alarm_h'), bind: { as: 'alarm_r' } },
        {
          id: 'tell',
          op: 'raise_event',
          event: 'shop/Shipped@1',
          value: { id: ref('@plan.input.id'), parcels: ref('@var:total'), late: false },
        },
        {
          id: 'warn',
          op: 'raise_event',
          event: 'shop/Paid@1',
          value: { id: 'nobody', payment: { Cash: null } },
        },
        {
          id: 'good',
          op: 'end',
          result: { record: { id: ref('@plan.input.id'), parcels: ref('@var:total'), late: { bool: false } } },
        },
        { id: 'late', op: 'end', result: { id: ref('@step:paid.id'), parcels: 0, late: true } },
        { id: 'lost', op: 'end', result: { id: 'lost', parcels: 0, late: true } },
      ],
      edges: [
        edge('sum', 'fill'),
        edge('fill', 'choose'),
        edge('choose', 'fetch', op('eq', ref('@var:best.$tag'), text('Card'))),
        edge('choose', 'ask', op('ne', ref('@var:best.$tag'), text('Later'))),
        edge('choose', 'write'),
        edge('fetched', 'paid', op('eq', ref('@var:fetch_r.$status'), text('ok'))),
        edge('asked', 'paid'),
        edge('written', 'paid'),
        edge(
          'paid',
          'tell',
          op('and', op('eq', ref('@var:payment.payment.$tag'), text('Card')), ref('@plan.input.rush')),
        ),
        edge('paid', 'late', op('not', ref('@plan.input.rush'))),
        edge('tell', 'good'),
        edge('rang', 'warn'),
        edge('warn', 'lost'),
      ],
      required_caps: ['clock', 'model', 'post', 'web'],
      allowed_effects: ['http.request', 'llm.generate', 'mail.send', 'timer.after'],
      invariants: [
        op('le', ref('@var:total'), nat(1000)),
        op('or', ref('@plan.input.rush'), op('ge', op('len', ref('@plan.input.lines')), nat(0))),
      ],
    },
    {
      $kind: 'defplan',
      name: 'shop/listen@1',
      input: 'shop/Paid@1',
      steps: [
        {
          id: 'any',
          op: 'await_event',
          event: 'shop/Inbox@1',
          where: op('eq', ref('@event.$tag'), text('Ping')),
          bind: { as: 'ping' },
        },
        { id: 'next', op: 'await_event', event: 'shop/Alias@1', bind: { as: 'order' } },
        {
          id: 'match',
          op: 'await_event',
          event: 'shop/Paid@1',
          where: op('eq', ref('@event.id'), ref('@var:order.id')),
          bind: { as: 'paid' },
        },
        assign('copy', 'seen', ref('@var:order.lines')),
        {
          id: 'hold',
          op: 'emit_effect',
          kind: 'timer.set',
          params: { deliver_at_ns: 1_900_000_000_000_000_000n },
          cap: 'clock',
          bind: { effect_id_as: 'hold_h' },
        },
        { id: 'held', op: 'await_receipt', for: ref('@var:hold_h'), bind: { as: 'hold_r' } },
        { id: 'done', op: 'end' },
      ],
      edges: [
        edge('any', 'next'),
        edge('next', 'match'),
        edge('match', 'copy'),
        edge('copy', 'hold'),
        edge('held', 'done'),
      ],
    },
  ];
  return {
    name: 'shop',
    nodes: [
      manifest(defs, {
        effects: [
          { name: 'sys/timer.after@1' },
          { name: 'sys/timer.set@1' },
          { name: 'sys/http.request@1' },
          { name: 'sys/llm.generate@1' },
        ],
        defaults: {
          policy: 'shop/policy@1',
          cap_grants: [
            { name: 'clock', cap: 'sys/timer@1', params: {} },
            {
              name: 'web',
              cap: 'sys/http.out@1',
              params: { hosts: ['shop.example', 'api.shop.example'], ports: [443], methods: ['POST'] },
              expiry_ns: '1900000000000000000',
            },
            { name: 'model', cap: 'sys/llm.basic@1', params: { record: { models: { set: [text('small')] } } } },
            { name: 'post', cap: 'shop/mail@1', params: { domains: ['shop.example'], size_max: 4096 } },
          ],
        },
        triggers: [
          {
            event: 'shop/Inbox@1',
            plan: 'shop/fulfil@1',
            correlate_by: '$value.id',
            when: op('eq', ref('@event.$tag'), text('Order')),
            input_expr: {
              id: op('concat', ref('@event.$tag'), text('!')),
              placed: 1_700_000_000_000_000_000n,
              patience: 5_000_000_000,
              cents: -12,
              count: 3,
              rush: op('eq', ref('@event.$tag'), text('Order')),
              price: '12.50',
              photo: 'AAEC',
              digest: HASH,
              customer: UUID,
              nothing: null,
              gift: true,
              labels: { a: 'b', long: 'c' },
              marks: ['x', 'y'],
              lines: [{ sku: 's', amount: 2 }],
              payment: { Later: { sku: 's', amount: 1 } },
            },
          },
          { event: 'shop/Paid@1', plan: 'shop/listen@1' },
        ],
      }),
      ...defs,
    ],
  };
}

/** Every operator, every constant and every constructor, without a world around them. */
function operators(): MutantWorld {
  const order = (field: string) => ref(`@plan.input.${field}`);
  const uses: readonly (readonly [string, Authored])[] = [
    ['len_list', op('len', order('lines'))],
    ['len_text', op('len', order('id'))],
    ['len_map', op('len', order('labels'))],
    ['get_field', op('get', ref('@plan.input'), text('id'))],
    ['get_key', op('get', order('labels'), order('id'))],
    ['get_item', op('get', order('lines'), nat(0))],
    ['has_field', op('has', ref('@plan.input'), text('note'))],
    ['has_key', op('has', order('labels'), text('a'))],
    ['has_item', op('has', order('marks'), text('x'))],
    ['eq', op('eq', order('id'), text('7'))],
    ['ne', op('ne', order('note'), { null: {} })],
    ['lt', op('lt', order('count'), order('cents'))],
    ['le', op('le', order('price'), { dec128: '0.50' })],
    ['gt', op('gt', order('id'), text('Z'))],
    ['ge', op('ge', order('placed'), { time_ns: 0 })],
    ['and', op('and', order('rush'), op('has', ref('@plan.input'), text('note')), { bool: true })],
    ['or', op('or', order('rush'), { bool: false })],
    ['not', op('not', order('rush'))],
    ['concat', op('concat', order('id'), text('-x'))],
    ['hash', op('hash', ref('@plan.input'))],
    ['hash_bytes', op('hash_bytes', order('photo'))],
    ['add', op('add', order('placed'), order('patience'))],
    ['sub', op('sub', order('count'), { int: -3 })],
    ['mul', op('mul', order('patience'), nat(2))],
    ['div', op('div', order('cents'), nat(7))],
    ['mod', op('mod', order('cents'), nat(7))],
    ['starts', op('starts_with', order('id'), text('a'))],
    ['ends', op('ends_with', order('id'), text('z'))],
    ['contains', op('contains', order('photo'), { bytes_b64: 'AAEC' })],
    ['contains_item', op('contains', order('marks'), order('id'))],
    ['a_record', { record: { id: order('id'), n: op('len', order('id')) } }],
    ['a_list', { list: [order('count'), nat(3), { int: -1 }] }],
    ['a_set', { set: [order('id'), text('b')] }],
    [
      'a_map',
      {
        map: [
          { key: order('id'), value: nat(1) },
          { key: text('z'), value: nat(2) },
        ],
      },
    ],
    ['a_uuid', op('eq', order('customer'), { uuid: UUID })],
    ['a_hash', op('eq', order('digest'), { hash: HASH })],
    ['a_span', op('add', order('patience'), { duration_ns: -5 })],
    ['tag', op('get', order('payment'), text('$tag'))],
    ['alone', { list: [{ record: { a: { null: {} }, b: { bytes_b64: '' } } }] }],
  ];
  const defs = [
    ...SHARED,
    {
      $kind: 'defplan',
      name: 'shop/operators@1',
      input: 'shop/Order@1',
      output: 'shop/Payment@1',
      locals: { pay: 'shop/Payment@1', line: 'shop/Line@1' },
      steps: [
        ...uses.map(([id, expr]) => assign(id, `v_${id}`, expr)),
        assign('card', 'pay', { variant: { tag: 'Card', value: { record: { last: order('id'), tries: nat(1) } } } }),
        assign('line', 'line', op('get', order('lines'), nat(0))),
        { id: 'done', op: 'end', result: ref('@var:pay') },
      ],
      edges: [
        edge('len_list', 'done', op('gt', ref('@var:v_len_list'), nat(0))),
        edge(
          'card',
          'done',
          op('and', op('eq', ref('@var:pay.$tag'), text('Card')), op('gt', ref('@var:pay.$value.tries'), nat(0))),
        ),
      ],
      invariants: [op('eq', op('get', order('payment'), text('$tag')), order('payment.$tag'))],
    },
  ];
  return { name: 'operators', nodes: [manifest(defs, {}), ...defs] };
}

/** Children: single, fanned out, awaited alone and together. Not run yet, but typed and checked. */
function family(): MutantWorld {
  const child = (name: string, output?: string): Authored => ({
    $kind: 'defplan',
    name,
    input: 'shop/Line@1',
    ...(output === undefined ? {} : { output }),
    steps: [
      assign('twice', 'double', op('mul', ref('@plan.input.amount'), nat(2))),
      {
        id: 'done',
        op: 'end',
        ...(output === undefined
          ? {}
          : { result: { id: ref('@plan.input.sku'), parcels: ref('@var:double'), late: false } }),
      },
    ],
    edges: [edge('twice', 'done')],
  });
  const defs = [
    ...SHARED,
    child('shop/pack@1', 'shop/Shipped@1'),
    child('shop/label@1'),
    {
      $kind: 'defplan',
      name: 'shop/parent@1',
      input: 'shop/Order@1',
      steps: [
        {
          id: 'one',
          op: 'spawn_plan',
          plan: 'shop/pack@1',
          input: { sku: ref('@plan.input.id'), amount: 2 },
          bind: { handle_as: 'one_h' },
        },
        {
          id: 'two',
          op: 'spawn_plan',
          plan: 'shop/pack@1',
          input: { sku: 'two', amount: 1 },
          bind: { handle_as: 'two_h' },
        },
        {
          id: 'tag',
          op: 'spawn_plan',
          plan: 'shop/label@1',
          input: { sku: 'tag', amount: 1 },
          bind: { handle_as: 'tag_h' },
        },
        {
          id: 'all',
          op: 'spawn_for_each',
          plan: 'shop/pack@1',
          inputs: ref('@plan.input.lines'),
          max_fanout: 16,
          bind: { handles_as: 'all_h' },
        },
        {
          id: 'few',
          op: 'spawn_for_each',
          plan: 'shop/label@1',
          inputs: [
            { sku: 'a', amount: 1 },
            { sku: 'b', amount: 2 },
          ],
          max_fanout: 3,
          bind: { handles_as: 'few_h' },
        },
        { id: 'got_one', op: 'await_plan', for: ref('@var:one_h'), bind: { as: 'one_r' } },
        { id: 'got_tag', op: 'await_plan', for: ref('@step:tag'), bind: { as: 'tag_r' } },
        { id: 'got_all', op: 'await_plans_all', handles: ref('@var:all_h'), bind: { results_as: 'all_r' } },
        { id: 'got_few', op: 'await_plans_all', handles: ref('@step:few'), bind: { results_as: 'few_r' } },
        {
          id: 'got_both',
          op: 'await_plans_all',
          handles: { list: [ref('@var:one_h'), ref('@step:two.two_h')] },
          bind: { results_as: 'both_r' },
        },
        {
          id: 'tell',
          op: 'raise_event',
          event: 'shop/Shipped@1',
          value: { id: ref('@plan.input.id'), parcels: ref('@var:one_r.$value.parcels'), late: false },
        },
        { id: 'done', op: 'end' },
      ],
      edges: [
        edge('got_one', 'tell', op('eq', ref('@var:one_r.$tag'), text('Ok'))),
        edge('got_all', 'done', op('gt', op('len', ref('@var:all_r')), nat(0))),
        edge('tell', 'done'),
      ],
    },
  ];
  return {
    name: 'family',
    nodes: [manifest(defs, { triggers: [{ event: 'shop/Order@1', plan: 'shop/parent@1' }] }), ...defs],
  };
}

/** The hand-written worlds. */
export function mutantWorlds(): readonly MutantWorld[] {
  return [shop(), operators(), family()];
}

/** What the loader has against a world, to be sure that it is sound: nothing but what is not run yet. */
export function faultsOf(world: MutantWorld): readonly string[] {
  return findingsOf(new Draft(world.nodes).files()).flatMap(({ code, severity, path, message }) =>
    severity === 'warning' || code === UNSUPPORTED ? [] : [`${code} /${path.join('/')}: ${message}`],
  );
}
