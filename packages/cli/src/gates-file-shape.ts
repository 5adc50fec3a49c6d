import { may, need, type Shape } from '@worldline/air';

/** The keys of `gates.json`: `gates-file.ts` reads by them, editors complete by them. */

const name = { is: 'name', of: 'schema' } as const;
const json = { is: 'json' } as const;
const path = { is: 'text', notEmpty: true } as const;

const FILL =
  'Texts may hold `${id}` (the request’s id), `${n}` (its number), `${hash}` and `${uuid}` (made from it), `${now}` and `${now+10m}` (logical time in ns; units `ns`, `ms`, `s`, `m`, `h`).';

export const GATE_SETTLED_SHAPE = {
  event: need(name, 'a schema name', 'Schema of the event that says what became of a request. Exactly one for each.'),
  id: may(path, 'Path of the request id in it. Default: the field that is named as in the request.'),
} as const satisfies Shape;

export const GATE_RECEIPT_SHAPE = {
  kind: need({ is: 'kind', of: 'effect' }, 'an effect kind', 'Effects of this kind get this answer.'),
  step: may({ is: 'ident' }, 'Only those of this step.'),
  status: may(
    {
      is: 'choice',
      values: { ok: 'It was done.', error: 'It failed.', timeout: 'Nothing was heard in time.' },
    },
    'Default `ok`.',
  ),
  payload: may(json, `Value of the receipt schema. ${FILL}`),
  code: may({ is: 'text' }, 'Error code, when the status is not `ok`.'),
} as const satisfies Shape;

export const GATE_RESPONSE_SHAPE = {
  event: need(name, 'a schema name', 'Schema of the event.'),
  step: may({ is: 'ident' }, 'Only for this `await_event` step.'),
  value: need(
    json,
    'a value',
    `Value of the event. What \`where\` compares with fixed values (\`eq(@event.path, …)\`) is put in. ${FILL}`,
  ),
} as const satisfies Shape;

const receipts = may(
  { is: 'list', items: { is: 'object', shape: GATE_RECEIPT_SHAPE } },
  'How effects are answered; the first one that fits is the usual answer, the others come now and then. Errors and timeouts come by themselves.',
);
const responses = may(
  { is: 'list', items: { is: 'object', shape: GATE_RESPONSE_SHAPE } },
  'Events that answer runs which wait for one; the first that fits is the usual answer, the others come now and then.',
);

export const GATE_FLOW_SHAPE = {
  event: may(name, 'Schema of the requests: an event that a trigger takes.'),
  plan: may({ is: 'name', of: 'plan' }, 'Or the plan, to start it by hand.'),
  id: may(
    path,
    'Path of the request id in the request. Default: `correlate_by` of the trigger, else `request_id`, `correlation_id` or `id`.',
  ),
  request: may(json, `A request. ${FILL}`),
  settled: may(
    { is: 'object', shape: GATE_SETTLED_SHAPE },
    'What says what became of a request. Default: the one event `…Settled@n` that is raised.',
  ),
  receipts,
  responses,
} as const satisfies Shape;

export const GATES_FILE_SHAPE = {
  flows: may(
    { is: 'list', items: { is: 'object', shape: GATE_FLOW_SHAPE } },
    'What to drive the world with. Default: each trigger whose event comes from outside, with made-up values.',
  ),
  receipts,
  responses,
  broadcasts: may(
    { is: 'list', items: name },
    'Events that are meant for every run that waits, whatever its request: no cross-talk.',
  ),
} as const satisfies Shape;
