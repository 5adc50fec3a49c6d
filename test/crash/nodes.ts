/** A world of small jobs: a keyed call, a call that must not be repeated, a timer, a question to a person, a mistake. */

type Node = Record<string, unknown>;

const ref = (path: string) => ({ ref: path });
const TEXT = { text: {} };
const isOk = (variable: string) => ({ op: 'eq', args: [ref(`@var:${variable}.$status`), { text: 'ok' }] });
const isNotOk = (variable: string) => ({ op: 'ne', args: [ref(`@var:${variable}.$status`), { text: 'ok' }] });

/** One effect, then `t/Done@1` with outcome `failed`, or `fine` when it went well. */
function jobPlan(name: string, emit: Node, fine = 'ok'): Node {
  const done = (id: string, outcome: string) => ({
    id,
    op: 'raise_event',
    event: 't/Done@1',
    value: { id: ref('@plan.input.id'), outcome: { text: outcome } },
  });
  return {
    $kind: 'defplan',
    name,
    input: 't/Job@1',
    steps: [
      { id: 'go', op: 'emit_effect', ...emit, bind: { effect_id_as: 'handle' } },
      { id: 'wait', op: 'await_receipt', for: ref('@var:handle'), bind: { as: 'answer' } },
      done('fine', fine),
      { id: 'ended', op: 'end' },
      done('broken', 'failed'),
      { id: 'gave_up', op: 'end' },
    ],
    edges: [
      { from: 'wait', to: 'fine', when: isOk('answer') },
      { from: 'fine', to: 'ended' },
      { from: 'wait', to: 'broken', when: isNotOk('answer') },
      { from: 'broken', to: 'gave_up' },
    ],
  };
}

const post = {
  kind: 'http.request',
  cap: 'cap_http',
  params: { method: 'POST', url: ref('@plan.input.url'), headers: {} },
};

export const PLANS = {
  /** POST under an idempotency key: delivery class `keyed`. */
  keyed: 't/keyed@1',
  /** POST without one: `at_most_once`. */
  once: 't/once@1',
  nap: 't/nap@1',
  ask: 't/ask@1',
  /** Ends in an error, whose description is an object beside the batch. */
  mistake: 't/mistake@1',
} as const;

export type JobKind = keyof typeof PLANS;

/** @param generation - appears in the outcome of naps, so that two manifests differ. */
export function worldNodes(generation = 1): readonly Node[] {
  return [
    {
      $kind: 'defschema',
      name: 't/Job@1',
      type: { record: { id: TEXT, url: TEXT, ns: { nat: {} } } },
    },
    { $kind: 'defschema', name: 't/Done@1', type: { record: { id: TEXT, outcome: TEXT } } },
    jobPlan(PLANS.keyed, { ...post, idempotency_key: { op: 'hash', args: [ref('@plan.input.id')] } }),
    jobPlan(PLANS.once, post),
    jobPlan(
      PLANS.nap,
      { kind: 'timer.after', cap: 'cap_timer', params: { after_ns: ref('@plan.input.ns') } },
      generation === 1 ? 'ok' : `ok${generation}`,
    ),
    jobPlan(PLANS.ask, {
      kind: 'approval.request',
      cap: 'cap_approval',
      params: { subject: ref('@plan.input.id'), requester: 'tests' },
    }),
    {
      $kind: 'defplan',
      name: PLANS.mistake,
      input: 't/Job@1',
      steps: [
        {
          id: 'divide',
          op: 'assign',
          expr: { op: 'div', args: [ref('@plan.input.ns'), { nat: 0 }] },
          bind: { as: 'quotient' },
        },
        { id: 'ended', op: 'end' },
      ],
      edges: [{ from: 'divide', to: 'ended' }],
    },
    {
      $kind: 'manifest',
      air_version: '1',
      schemas: ['t/Job@1', 't/Done@1'].map((name) => ({ name })),
      modules: [],
      plans: Object.values(PLANS).map((name) => ({ name })),
      effects: ['sys/http.request@1', 'sys/timer.after@1', 'sys/approval.request@1'].map((name) => ({ name })),
      caps: [],
      policies: [],
      defaults: {
        cap_grants: [
          { name: 'cap_http', cap: 'sys/http.out@1', params: { hosts: ['127.0.0.1'] } },
          { name: 'cap_timer', cap: 'sys/timer@1', params: {} },
          { name: 'cap_approval', cap: 'sys/approval@1', params: {} },
        ],
      },
      // A job that comes as an event is a keyed one.
      triggers: [{ event: 't/Job@1', plan: PLANS.keyed, correlate_by: 'id' }],
    },
  ];
}
