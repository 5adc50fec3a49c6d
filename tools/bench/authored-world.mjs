// Authored worlds of any size, as a team writes them: parameters in sugar with references, guards, waits with predicates,
// invariants. What is measured on them: figures/check.mjs.

const ref = (text) => ({ ref: text });
const text = (value) => ({ text: value });
const op = (name, ...args) => ({ op: name, args });

const SCHEMAS = {
  'shop/OrderPlaced@1': {
    record: {
      order: { text: {} },
      customer: { text: {} },
      service_url: { text: {} },
      total_cents: { nat: {} },
      note_ref: { option: { hash: {} } },
    },
  },
  'shop/Count@1': { nat: {} },
  'shop/Stage@1': {
    variant: {
      Asked: { record: { status: { int: {} }, try: { nat: {} } } },
      Waiting: { unit: {} },
      Failed: { record: { reason: { text: {} } } },
    },
  },
  'shop/StageReached@1': {
    record: {
      order: { text: {} },
      stage: { ref: 'shop/Stage@1' },
      labels: { map: { key: { text: {} }, value: { text: {} } } },
    },
  },
  'shop/Confirmed@1': { record: { order: { text: {} }, part: { text: {} }, amount_cents: { nat: {} } } },
};

/** Steps of one block, before its names get a number. */
export const BLOCK = 5;

/** A service is asked and answers, the answer is told, somebody confirms it, and what they confirmed is added up. */
function block(n) {
  const [ask, answer, tell, confirm, add] = ['ask', 'answer', 'tell', 'confirm', 'add'].map((name) => `${name}_${n}`);
  const steps = [
    {
      id: ask,
      op: 'emit_effect',
      kind: 'http.request',
      cap: 'cap_shop',
      params: {
        method: 'POST',
        url: op('concat', ref('@plan.input.service_url'), op('concat', text(`/parts/${n}/`), ref('@plan.input.order'))),
        headers: { 'content-type': 'application/json', 'x-part': `part ${n}` },
        body_ref: ref('@plan.input.note_ref'),
      },
      idempotency_key: op('hash', { record: { part: { nat: n }, order: ref('@plan.input.order') } }),
      bind: { effect_id_as: `request_${n}` },
    },
    { id: answer, op: 'await_receipt', for: ref(`@var:request_${n}`), bind: { as: `reply_${n}` } },
    {
      id: tell,
      op: 'raise_event',
      event: 'shop/StageReached@1',
      value: {
        order: ref('@plan.input.order'),
        stage: { Asked: { status: ref(`@var:reply_${n}.status`), try: n } },
        labels: { part: `part ${n}`, by: 'bench' },
      },
    },
    {
      id: confirm,
      op: 'await_event',
      event: 'shop/Confirmed@1',
      where: op(
        'and',
        op('eq', ref('@event.order'), ref('@var:correlation_id')),
        op('eq', ref('@event.part'), text(`part ${n}`)),
      ),
      bind: { as: `confirmed_${n}` },
    },
    {
      id: add,
      op: 'assign',
      expr: op('add', ref('@var:total'), ref(`@var:confirmed_${n}.amount_cents`)),
      bind: { as: 'total' },
    },
  ];
  const isOk = op('eq', ref(`@var:reply_${n}.$status`), text('ok'));
  const edges = [
    { from: ask, to: answer },
    { from: answer, to: tell, when: op('and', isOk, op('lt', ref(`@var:reply_${n}.status`), { int: 300 })) },
    { from: tell, to: confirm },
    { from: confirm, to: add, when: op('le', ref(`@var:confirmed_${n}.amount_cents`), ref('@plan.input.total_cents')) },
  ];
  return { steps, edges, first: ask, last: add };
}

/** One plan of about `steps` steps: its blocks follow one another. */
function plan(name, steps) {
  const blocks = Array.from({ length: Math.max(1, Math.round((steps - 2) / BLOCK)) }, (_, n) => block(n));
  return {
    $kind: 'defplan',
    name,
    input: 'shop/OrderPlaced@1',
    locals: { total: 'shop/Count@1' },
    steps: [
      { id: 'begin', op: 'assign', expr: { nat: 0 }, bind: { as: 'total' } },
      ...blocks.flatMap((each) => each.steps),
      { id: 'done', op: 'end' },
    ],
    edges: [
      { from: 'begin', to: 'ask_0' },
      ...blocks.flatMap((each, n) => [...each.edges, { from: each.last, to: blocks[n + 1]?.first ?? 'done' }]),
    ],
    invariants: [
      op('le', ref('@var:total'), op('mul', ref('@plan.input.total_cents'), { nat: blocks.length })),
      op('ne', ref('@plan.input.order'), text('')),
    ],
  };
}

function manifest(plans) {
  return {
    $kind: 'manifest',
    air_version: '1',
    schemas: Object.keys(SCHEMAS).map((name) => ({ name })),
    modules: [],
    plans: plans.map(({ name }) => ({ name })),
    effects: [{ name: 'sys/http.request@1' }],
    caps: [],
    policies: [{ name: 'shop/policy@1' }],
    defaults: {
      policy: 'shop/policy@1',
      cap_grants: [{ name: 'cap_shop', cap: 'sys/http.out@1', params: { hosts: ['shop.example'], methods: ['POST'] } }],
    },
    triggers: [{ event: 'shop/OrderPlaced@1', plan: plans[0].name, correlate_by: 'order' }],
  };
}

/**
 * The files of a world with `plans` plans of about `steps` steps each, every plan in a file of its own, indented as people
 * write it.
 *
 * @returns `{ path, text }` in path order, paths below the asset root.
 */
export function authoredWorld({ plans, steps }) {
  const made = Array.from({ length: plans }, (_, n) => plan(`shop/order_${String(n).padStart(3, '0')}@1`, steps));
  const policy = {
    $kind: 'defpolicy',
    name: 'shop/policy@1',
    rules: [{ when: { effect_kind: 'http.request', cap_name: 'cap_shop' }, decision: 'allow' }],
  };
  const schemas = Object.entries(SCHEMAS).map(([name, type]) => ({ $kind: 'defschema', name, type }));
  const file = (name, node) => ({ path: `air/${name}.air.json`, text: `${JSON.stringify(node, undefined, 2)}\n` });
  return [
    file('manifest', [policy, manifest(made)]),
    ...made.map((each, n) => file(`plan-${String(n).padStart(3, '0')}`, each)),
    file('schemas', schemas),
  ];
}
