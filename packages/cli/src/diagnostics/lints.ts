import { type DiagnosticGroup, type Example, example } from './entry.ts';

const PAID_WHERE = '{ "op": "eq", "args": [{ "ref": "@event.id" }, { "ref": "@plan.input.id" }] }';

/** Steps and edges of the plan of an example. */
function plan(steps: readonly string[], edges: readonly string[], more: readonly string[] = []): Example {
  return example('plan', planText(steps, edges, more));
}

function planText(steps: readonly string[], edges: readonly string[], more: readonly string[] = []): string {
  const list = (items: readonly string[]) => `[\n    ${items.join(',\n    ')}\n  ]`;
  return [
    '{',
    [`  "steps": ${list(steps)}`, ...(edges.length > 0 ? [`  "edges": ${list(edges)}`] : []), ...more].join(',\n'),
    '}',
  ].join('\n');
}

function edge(from: string, to: string, when?: string): string {
  return `{ "from": "${from}", "to": "${to}"${when === undefined ? '' : `, "when": ${when}`} }`;
}

function chain(...ids: readonly string[]): readonly string[] {
  return ids.slice(1).map((to, index) => edge(ids[index] as string, to));
}

function compare(op: string, place: string, value: string): string {
  return `{ "op": "${op}", "args": [{ "ref": "${place}" }, ${value}] }`;
}

function failed(receipt: string): string {
  return compare('ne', `@var:${receipt}.$status`, '{ "text": "ok" }');
}

function succeeded(receipt: string): string {
  return compare('eq', `@var:${receipt}.$status`, '{ "text": "ok" }');
}

function key(of: string): string {
  return `{ "op": "hash", "args": [{ "record": { "op": { "text": "${of}" }, "id": { "ref": "@plan.input.id" } } }] }`;
}

function request(method: string, idempotencyKey?: string): string {
  const more = idempotencyKey === undefined ? '' : `"idempotency_key": ${idempotencyKey}, `;
  return `{ "id": "ask", "op": "emit_effect", "kind": "http.request", "cap": "cap_web", "params": { "method": "${method}", "url": "https://example.com", "headers": {} }, ${more}"bind": { "effect_id_as": "request" } }`;
}

const ASK = request('GET');
const ANSWERED =
  '{ "id": "answered", "op": "await_receipt", "for": { "ref": "@var:request" }, "bind": { "as": "answer" } }';
const TIMER =
  '{ "id": "arm", "op": "emit_effect", "kind": "timer.set", "cap": "cap_timer", "params": { "deliver_at_ns": { "ref": "@plan.input.deadline_ns" } }, "bind": { "effect_id_as": "timer" } }';
const RANG = '{ "id": "rang", "op": "await_receipt", "for": { "ref": "@var:timer" }, "bind": { "as": "alarm" } }';
const DONE = '{ "id": "done", "op": "end" }';
const LATE = '{ "id": "late", "op": "end" }';

/** Arms a timer beside whatever the plan waits for; it ends the plan. */
const RACE = [TIMER, RANG, LATE];
const RACE_EDGES = [edge('arm', 'rang'), edge('rang', 'late', succeeded('alarm'))];

function paid(id: string, where: string, as = 'payment'): string {
  return `{ "id": "${id}", "op": "await_event", "event": "demo/Paid@1", "where": ${where}, "bind": { "as": "${as}" } }`;
}

/** Raises `demo/Shipped@1`. */
function tell(late: string, id = '{ "ref": "@plan.input.id" }', step = 'tell'): string {
  return `{ "id": "${step}", "op": "raise_event", "event": "demo/Shipped@1", "value": { "id": ${id}, "late": ${late} } }`;
}

/** Raises `demo/Paid@1`. */
function bill(amount: string, by?: string): string {
  const more = by === undefined ? '' : `, "by": ${by}`;
  return `{ "id": "bill", "op": "raise_event", "event": "demo/Paid@1", "value": { "id": { "ref": "@plan.input.id" }, "amount": ${amount}${more} } }`;
}

const GUARDED = (receipt: string) => tell(failed(receipt));
const PRICE =
  '{ "id": "price", "op": "assign", "expr": { "op": "add", "args": [{ "ref": "@plan.input.amount" }, { "nat": 1 }] }, "bind": { "as": "total" } }';
const TOTAL = '{ "ref": "@var:total" }';

function marked(text: string): string {
  return `«${text}»`;
}

const TRIGGER = '"triggers": [{ "event": "demo/Order@1", "plan": "demo/example@1", "correlate_by": "id" }]';

/** A whole folder: one plan, which an event starts. */
function triggered(steps: readonly string[], edges: readonly string[], triggers = TRIGGER): Example {
  const body = planText(steps, edges)
    .split('\n')
    .slice(1, -1)
    .map((line) => `  ${line}`)
    .join('\n');
  return example(
    'folder',
    `
      [
        {
          "$kind": "manifest",
          "air_version": "1",
          "schemas": [{ "name": "demo/Order@1" }, { "name": "demo/Paid@1" }],
          "modules": [],
          "plans": [{ "name": "demo/example@1" }],
          "effects": [{ "name": "sys/timer.set@1" }],
          "caps": [],
          "policies": [],
          "defaults": { "cap_grants": [{ "name": "cap_timer", "cap": "sys/timer@1", "params": {} }] },
          ${triggers}
        },
        { "$kind": "defschema", "name": "demo/Order@1", "type": { "record": { "id": { "text": {} }, "deadline_ns": { "nat": {} } } } },
        { "$kind": "defschema", "name": "demo/Paid@1", "type": { "record": { "id": { "text": {} }, "shop": { "text": {} } } } },
        {
          "$kind": "defplan",
          "name": "demo/example@1",
          "input": "demo/Order@1",
${body
  .split('\n')
  .map((line) => `        ${line}`)
  .join('\n')}
        }
      ]
    `,
  );
}

const APPROVAL =
  '{ "id": "ask", "op": "emit_effect", "kind": "approval.request", "cap": "cap_desk", "params": { "subject": { "ref": "@plan.input.id" }, "requester": "shop" }, "bind": { "effect_id_as": "request" } }';
const APPROVED = compare('eq', '@var:answer.decision', '{ "text": "approved" }');

function both(...parts: readonly string[]): string {
  return `{ "op": "and", "args": [${parts.join(', ')}] }`;
}

function not(part: string): string {
  return `{ "op": "not", "args": [${part}] }`;
}

const MESSAGE =
  '{ "id": "ask", "op": "emit_effect", "kind": "fabric.send", "cap": "cap_mesh", "params": { "dest_world": "till", "schema": "demo/Paid@1", "value": { "blob_ref": { "op": "hash", "args": [{ "ref": "@plan.input.id" }] } }, "correlation_id": { "ref": "@plan.input.id" } }, "bind": { "effect_id_as": "request" } }';

const CALL = `{ "$kind": "defschema", "name": "demo/CallParams@1", "type": { "record": { "token": { "ref": "sys/TextOrSecretRef@1" } } } },
          { "$kind": "defeffect", "name": "demo/call@1", "kind": "demo.call", "params_schema": "demo/CallParams@1", "receipt_schema": "demo/Paid@1", "cap_type": "http.out", "origin_scope": "plan" }`;

function calling(token: string): Example {
  return example(
    'nodes',
    `
        [
          ${CALL},
          {
            "$kind": "defplan",
            "name": "demo/example@1",
            "input": "demo/Order@1",
            "steps": [
              { "id": "ask", "op": "emit_effect", "kind": "demo.call", "cap": "cap_web", "params": { "token": ${token} }, "idempotency_key": ${key('call')}, "bind": { "effect_id_as": "request" } },
              ${ANSWERED},
              ${GUARDED('answer')},
              ${DONE}
            ],
            "edges": [${chain('ask', 'answered', 'tell', 'done').join(', ')}]
          }
        ]
    `,
  );
}

const CHILD =
  '{ "$kind": "defplan", "name": "demo/child@1", "input": "demo/Order@1", "steps": [{ "id": "done", "op": "end" }] }';

function parent(steps: readonly string[], edges: readonly string[]): Example {
  return example(
    'nodes',
    `
        [
          ${CHILD},
          {
            "$kind": "defplan",
            "name": "demo/example@1",
            "input": "demo/Order@1",
            "steps": [
              ${steps.join(',\n              ')}
            ],
            "edges": [
              ${edges.join(',\n              ')}
            ]
          }
        ]
    `,
  );
}

const SPAWN =
  '{ "id": "start", "op": "spawn_plan", "plan": "demo/child@1", "input": { "ref": "@plan.input" }, "bind": { "handle_as": "child" } }';
const SPAWNED = '{ "id": "ended", "op": "await_plan", "for": { "ref": "@var:child" }, "bind": { "as": "outcome" } }';

/** Mistakes in plans that are valid: RL001 … RL022. */
export const LINTS: DiagnosticGroup = {
  title: 'Lints: plans that are valid and still go wrong',
  entries: [
    {
      code: 'RL001',
      severity: 'warning',
      rules: [],
      title: 'An await_event does not tell its own event from those of other runs.',
      meaning:
        'A trigger with correlate_by starts many runs beside each other. Each must wait for its own event: some conjunct of its where has to compare a field of the event with the correlation id, or with the input field that holds it. Else concurrent runs take each other’s events. Silence it where every run is meant to hear the event. worldline check --fix adds the conjunct where the event has a field for it and where compares nothing of the run.',
      wrong: triggered(
        [
          paid('paid', marked(compare('eq', '@event.id', '{ "text": "any" }'))),
          `{ "id": "again", "op": "raise_event", "event": "demo/Paid@1", "value": { "ref": "@var:payment" } }`,
          DONE,
          ...RACE,
        ],
        [...chain('paid', 'again', 'done'), ...RACE_EDGES],
      ),
      right: triggered(
        [
          paid('paid', compare('eq', '@event.id', '{ "ref": "@var:correlation_id" }')),
          `{ "id": "again", "op": "raise_event", "event": "demo/Paid@1", "value": { "ref": "@var:payment" } }`,
          DONE,
          ...RACE,
        ],
        [...chain('paid', 'again', 'done'), ...RACE_EDGES],
      ),
    },
    {
      code: 'RL002',
      severity: 'warning',
      rules: [],
      title: 'A wait for an event or an approval has no deadline.',
      meaning:
        'Nobody has to raise the event or decide about the approval, and a run that waits for it never ends. Arm a timer before the wait, await it beside the wait, and let it lead to an end that does not need the wait. The first of the two that comes ends the plan.',
      wrong: plan(
        [marked(paid('paid', PAID_WHERE)), tell('false', '{ "ref": "@var:payment.id" }'), DONE],
        chain('paid', 'tell', 'done'),
      ),
      right: plan(
        [paid('paid', PAID_WHERE), tell('false', '{ "ref": "@var:payment.id" }'), DONE, ...RACE],
        [...chain('paid', 'tell', 'done'), ...RACE_EDGES],
      ),
    },
    {
      code: 'RL003',
      severity: 'warning',
      rules: [],
      title: 'An effect that changes something has no idempotency key.',
      meaning:
        'The key says which requests are one and the same: a retry of this one, or a second run with equal params. Without it the runtime must guess from the params. Build it from the name of the step and the id of the request. Reads need none, and timers, approvals and messages get one. worldline check --fix adds it where the input has one id.',
      wrong: plan(
        [marked(request('POST')), ANSWERED, GUARDED('answer'), DONE],
        chain('ask', 'answered', 'tell', 'done'),
      ),
      right: plan(
        [request('POST', key('example.ask')), ANSWERED, GUARDED('answer'), DONE],
        chain('ask', 'answered', 'tell', 'done'),
      ),
    },
    {
      code: 'RL004',
      severity: 'warning',
      rules: [],
      title: 'The payload of a receipt is read, and nothing shows that it has one.',
      meaning:
        'An effect that failed or ran out of time has no payload: reading it ends the plan with no_payload. Ask for $status first, in the guard itself or on the way to the step. Other commands call this payload_unproven.',
      wrong: plan(
        [ASK, ANSWERED, tell('false'), DONE, '{ "id": "failed", "op": "end" }'],
        [
          edge('ask', 'answered'),
          edge('answered', 'tell', `{ "op": "lt", "args": [«{ "ref": "@var:answer.status" }», { "int": 300 }] }`),
          edge(
            'answered',
            'failed',
            `{ "op": "or", "args": [${failed('answer')}, ${compare('ge', '@var:answer.status', '{ "int": 300 }')}] }`,
          ),
          edge('tell', 'done'),
        ],
      ),
      right: plan(
        [ASK, ANSWERED, tell('false'), DONE, '{ "id": "failed", "op": "end" }'],
        [
          edge('ask', 'answered'),
          edge('answered', 'tell', both(succeeded('answer'), compare('lt', '@var:answer.status', '{ "int": 300 }'))),
          edge(
            'answered',
            'failed',
            `{ "op": "or", "args": [${failed('answer')}, ${compare('ge', '@var:answer.status', '{ "int": 300 }')}] }`,
          ),
          edge('tell', 'done'),
        ],
      ),
    },
    {
      code: 'RL005',
      severity: 'warning',
      rules: [],
      title: 'A value that may be a reference to a secret is written down.',
      meaning:
        'The type says that a secret belongs here. What stands in a plan is in its hash, in the journal and in every copy of the folder. Declare the secret, and refer to it: only the adapter sees its value.',
      wrong: calling(marked('{ "literal": "s3cret" }')),
      right: calling('{ "secret": { "alias": "demo/key", "version": 1 } }'),
    },
    {
      code: 'RL006',
      severity: 'warning',
      rules: [],
      title: 'An approval is asked for, and no guard looks at the decision.',
      meaning:
        'A receipt with $status ok says only that somebody decided. What needs the approval stands behind a guard that compares decision with "approved"; everything else is a no.',
      wrong: plan(
        [marked(APPROVAL), ANSWERED, GUARDED('answer'), DONE, ...RACE],
        [...chain('ask', 'answered', 'tell', 'done'), ...RACE_EDGES],
      ),
      right: plan(
        [APPROVAL, ANSWERED, tell('false'), DONE, '{ "id": "refused", "op": "end" }', ...RACE],
        [
          edge('ask', 'answered'),
          edge('answered', 'tell', both(succeeded('answer'), APPROVED)),
          edge('answered', 'refused', not(both(succeeded('answer'), APPROVED))),
          edge('tell', 'done'),
          ...RACE_EDGES,
        ],
      ),
    },
    {
      code: 'RL007',
      severity: 'warning',
      rules: [],
      title: 'A receipt is awaited whose effect may not have been emitted.',
      meaning:
        'The step that emits can be skipped, and the await is not skipped with it: it would end the plan with handle_unknown. Let the await follow the emitting step only, so that one guard decides about both.',
      wrong: plan(
        [tell('false', '{ "ref": "@plan.input.id" }', 'look'), ASK, marked(ANSWERED), GUARDED('answer'), DONE, LATE],
        [
          edge('look', 'ask', compare('eq', '@plan.input.paid', '{ "bool": false }')),
          edge('look', 'late', compare('eq', '@plan.input.paid', '{ "bool": true }')),
          ...chain('answered', 'tell', 'done'),
        ],
      ),
      right: plan(
        [tell('false', '{ "ref": "@plan.input.id" }', 'look'), ASK, ANSWERED, GUARDED('answer'), DONE, LATE],
        [
          edge('look', 'ask', compare('eq', '@plan.input.paid', '{ "bool": false }')),
          edge('look', 'late', compare('eq', '@plan.input.paid', '{ "bool": true }')),
          ...chain('ask', 'answered', 'tell', 'done'),
        ],
      ),
    },
    {
      code: 'RL008',
      severity: 'warning',
      rules: [],
      title: 'Nothing looks at whether an effect succeeded.',
      meaning:
        'A receipt comes also when the effect failed or ran out of time. A plan that reads neither $status nor $error of it goes on as if all was well. Guard the edges behind the await with $status.',
      wrong: plan(
        [ASK, marked(ANSWERED), bill('0', '{ "ref": "@var:answer.$adapter_id" }'), DONE],
        chain('ask', 'answered', 'bill', 'done'),
      ),
      right: plan(
        [ASK, ANSWERED, bill('0', '{ "ref": "@var:answer.$adapter_id" }'), DONE, '{ "id": "failed", "op": "end" }'],
        [
          edge('ask', 'answered'),
          edge('answered', 'bill', succeeded('answer')),
          edge('answered', 'failed', failed('answer')),
          edge('bill', 'done'),
        ],
      ),
    },
    {
      code: 'RL009',
      severity: 'warning',
      rules: [],
      title: 'The guards behind a step leave a case out.',
      meaning:
        'When no guard is true, nothing follows the step, and the plan completes in silence or waits for something else. Add an edge for what remains, such as every status other than ok. What the guards ask about values is not looked at: "less than 3" and "at least 5" leave a gap even where no value lies in it.',
      wrong: plan(
        [ASK, marked(ANSWERED), tell('false'), DONE],
        [edge('ask', 'answered'), edge('answered', 'tell', succeeded('answer')), edge('tell', 'done')],
      ),
      right: plan(
        [ASK, ANSWERED, tell('false'), DONE, '{ "id": "failed", "op": "end" }'],
        [
          edge('ask', 'answered'),
          edge('answered', 'tell', succeeded('answer')),
          edge('answered', 'failed', failed('answer')),
          edge('tell', 'done'),
        ],
      ),
    },
    {
      code: 'RL010',
      severity: 'warning',
      rules: [],
      title: 'A step joins a timer with what it races against.',
      meaning:
        'A step runs when all steps before it have completed or were skipped, so the join waits for the loser of the race, too: a deadline that holds up the work it should end. Give each outcome its own end; the plan ends with the first. A timer that is meant as a minimum duration is a reason to silence this.',
      wrong: plan(
        [
          ASK,
          ANSWERED,
          TIMER,
          RANG,
          marked(tell(`{ "op": "or", "args": [${failed('answer')}, ${failed('alarm')}] }`)),
          DONE,
        ],
        [
          edge('ask', 'answered'),
          edge('arm', 'rang'),
          edge('answered', 'tell'),
          edge('rang', 'tell'),
          edge('tell', 'done'),
        ],
      ),
      right: plan(
        [ASK, ANSWERED, TIMER, RANG, GUARDED('answer'), DONE, LATE],
        [edge('ask', 'answered'), edge('answered', 'tell'), edge('tell', 'done'), ...RACE_EDGES],
      ),
    },
    {
      code: 'RL011',
      severity: 'warning',
      rules: [],
      title: 'A step can never run.',
      meaning:
        'Every edge into it comes from an end, from a step that never runs itself, or has a guard that is never true there: a condition of constants, or a status or tag that an earlier guard has excluded. Correct the edges, or remove the step.',
      wrong: plan([DONE, marked(tell('false'))], [edge('done', 'tell')]),
      right: plan([tell('false'), DONE], [edge('tell', 'done')]),
    },
    {
      code: 'RL012',
      severity: 'info',
      rules: [],
      title: 'An effect is emitted and its receipt awaited nowhere.',
      meaning:
        'The plan may end before the effect has happened, and does not learn whether it did. That is fine where it is meant: this is worth a look and refuses nothing.',
      wrong: plan([request('GET').replace('"request"', '«"request"»'), DONE], chain('ask', 'done')),
      right: plan([ASK, ANSWERED, GUARDED('answer'), DONE], chain('ask', 'answered', 'tell', 'done')),
    },
    {
      code: 'RL013',
      severity: 'info',
      rules: [],
      title: 'A variable is bound and never read.',
      meaning:
        'Often a leftover, or another variable was meant where it should be read. It is worth a look and refuses nothing; a value kept for those who look into a run is a good reason.',
      wrong: plan([PRICE.replace('"total"', '«"total"»'), DONE], chain('price', 'done')),
      right: plan([PRICE, bill(TOTAL), DONE], chain('price', 'bill', 'done')),
    },
    {
      code: 'RL014',
      severity: 'warning',
      rules: [],
      title: 'An invariant names something that has no value at one of the ends.',
      meaning:
        'An invariant is checked once all that it names has a value. A plan that ends without the step that gives the value was never checked. Let every end follow such a step, or check the condition in the branch that has it. Where only one branch is concerned, silence it.',
      wrong: plan(
        [tell('false', '{ "ref": "@plan.input.id" }', 'look'), PRICE, bill(TOTAL), DONE, LATE],
        [
          edge('look', 'price', compare('eq', '@plan.input.paid', '{ "bool": false }')),
          edge('look', 'late', compare('eq', '@plan.input.paid', '{ "bool": true }')),
          ...chain('price', 'bill', 'done'),
        ],
        [`  "invariants": [{ "op": "gt", "args": [«{ "ref": "@var:total" }», { "nat": 0 }] }]`],
      ),
      right: plan(
        [PRICE, tell('false', '{ "ref": "@plan.input.id" }', 'look'), bill(TOTAL), DONE, LATE],
        [
          edge('price', 'look'),
          edge('look', 'bill', compare('eq', '@plan.input.paid', '{ "bool": false }')),
          edge('look', 'late', compare('eq', '@plan.input.paid', '{ "bool": true }')),
          edge('bill', 'done'),
        ],
        [`  "invariants": [${compare('gt', '@var:total', '{ "nat": 0 }')}]`],
      ),
    },
    {
      code: 'RL015',
      severity: 'warning',
      rules: [],
      title: 'An answer is awaited only after the receipt of the message that asks for it.',
      meaning:
        'The other world may answer before the receipt of the send is there. An event that nobody awaits yet is gone, and the plan parks for ever. Let the await follow the step that sends, beside the await of the receipt.',
      wrong: plan(
        [
          MESSAGE,
          ANSWERED,
          marked(paid('paid', PAID_WHERE)),
          tell(failed('answer'), '{ "ref": "@var:payment.id" }'),
          DONE,
          ...RACE,
        ],
        [...chain('ask', 'answered', 'paid', 'tell', 'done'), ...RACE_EDGES],
      ),
      right: plan(
        [
          MESSAGE,
          ANSWERED,
          paid('paid', PAID_WHERE),
          tell('false', '{ "ref": "@var:payment.id" }'),
          DONE,
          '{ "id": "failed", "op": "end" }',
          ...RACE,
        ],
        [
          edge('ask', 'answered'),
          edge('answered', 'failed', failed('answer')),
          ...chain('ask', 'paid', 'tell', 'done'),
          ...RACE_EDGES,
        ],
      ),
    },
    {
      code: 'RL016',
      severity: 'warning',
      rules: [],
      title: 'A deadline is not marked as one, or is no time.',
      meaning:
        'Summaries know that a deadline won by the arm TimedOut: an end behind a timer whose key begins with "deadline:" builds it or has raised it, and nothing else does. And deliver_at_ns is a time in nanoseconds since 1970: a small constant is long past, and the timer fires at once.',
      wrong: plan(
        [TIMER.replace('{ "ref": "@plan.input.deadline_ns" }', '«60000000000»'), RANG, GUARDED('alarm'), DONE],
        chain('arm', 'rang', 'tell', 'done'),
      ),
      right: plan([TIMER, RANG, GUARDED('alarm'), DONE], chain('arm', 'rang', 'tell', 'done')),
    },
    {
      code: 'RL017',
      severity: 'warning',
      rules: [],
      title: 'An idempotency key is the same for every run.',
      meaning:
        'Requests with one key are one request: while the first is open, a second run gets its receipt instead of an execution of its own. Put the id of the request into the key. Silence it for an effect of which there is one in the whole world.',
      wrong: plan(
        [request('POST', marked('{ "op": "hash", "args": [{ "text": "ask" }] }')), ANSWERED, GUARDED('answer'), DONE],
        chain('ask', 'answered', 'tell', 'done'),
      ),
      right: plan(
        [request('POST', key('example.ask')), ANSWERED, GUARDED('answer'), DONE],
        chain('ask', 'answered', 'tell', 'done'),
      ),
    },
    {
      code: 'RL018',
      severity: 'warning',
      rules: [],
      title: 'Nobody looks at how a child ended.',
      meaning:
        'A child that fails does not end its parent: its outcome is a value with the arms Ok, Error and Canceled. Await every child and read $tag of the outcome, or the list of outcomes. A child that may fail unnoticed is a reason to silence this.',
      wrong: parent([SPAWN.replace('"child"', '«"child"»'), DONE], chain('start', 'done')),
      right: parent(
        [SPAWN, SPAWNED, tell(compare('ne', '@var:outcome.$tag', '{ "text": "Ok" }')), DONE],
        chain('start', 'ended', 'tell', 'done'),
      ),
    },
    {
      code: 'RL019',
      severity: 'warning',
      rules: [],
      title: 'An event starts, without waiting for anything, what raises it again.',
      meaning:
        'The plan raises an event that starts it, or another one that raises an event that starts it, and so on: once begun it never stops, as fast as the world can run. Wait for something before the raise, start the plan by another event, or end the chain with a when of the trigger.',
      wrong: triggered(
        [
          marked('{ "id": "again", "op": "raise_event", "event": "demo/Order@1", "value": { "ref": "@plan.input" } }'),
          DONE,
        ],
        chain('again', 'done'),
      ),
      right: triggered(
        [
          '{ "id": "tell", "op": "raise_event", "event": "demo/Paid@1", "value": { "id": { "ref": "@plan.input.id" }, "shop": "main" } }',
          DONE,
        ],
        chain('tell', 'done'),
      ),
    },
    {
      code: 'RL020',
      severity: 'warning',
      rules: [],
      title: 'A step reads something that need not have a value yet.',
      meaning:
        'No step that gives the value comes before by an edge. Steps that are not ordered run in the order of the list where they can, and one that reads too early ends the plan with missing_ref. Add an edge. worldline check --fix adds it where one step gives the value and both always run.',
      wrong: plan([PRICE, bill('«{ "ref": "@var:total" }»'), DONE], chain('bill', 'done')),
      right: plan([PRICE, bill(TOTAL), DONE], chain('price', 'bill', 'done')),
    },
    {
      code: 'RL021',
      severity: 'info',
      rules: [],
      title: 'One event may satisfy two waits at once.',
      meaning:
        'Two steps wait for the same kind of event at the same time, and their predicates do not exclude each other: one event then completes both. Where that is not meant, compare one field of the event with a different constant in each. It is worth a look and refuses nothing.',
      wrong: plan(
        [
          paid('paid', PAID_WHERE),
          marked(paid('tip', PAID_WHERE, 'extra')),
          tell('{ "op": "eq", "args": [{ "ref": "@var:payment.amount" }, { "ref": "@var:extra.amount" }] }'),
          DONE,
          ...RACE,
        ],
        [edge('paid', 'tell'), edge('tip', 'tell'), edge('tell', 'done'), ...RACE_EDGES],
      ),
      right: plan(
        [
          paid('paid', both(PAID_WHERE, compare('eq', '@event.by', '{ "text": "card" }'))),
          paid('tip', both(PAID_WHERE, compare('eq', '@event.by', '{ "text": "cash" }')), 'extra'),
          tell('{ "op": "eq", "args": [{ "ref": "@var:payment.amount" }, { "ref": "@var:extra.amount" }] }'),
          DONE,
          ...RACE,
        ],
        [edge('paid', 'tell'), edge('tip', 'tell'), edge('tell', 'done'), ...RACE_EDGES],
      ),
    },
    {
      code: 'RL022',
      severity: 'info',
      rules: [],
      title: 'Every event of a kind is tried against every instance that waits.',
      meaning:
        'A wait is found by its value when its where has a conjunct that equates a field of the event with something fixed: the input, the correlation id, or what one step bound. Without one each event costs as much as there are waiting instances. That is fine where few wait.',
      wrong: plan(
        [
          paid('paid', marked(compare('ne', '@event.id', '{ "ref": "@plan.input.id" }'))),
          tell('false', '{ "ref": "@var:payment.id" }'),
          DONE,
          ...RACE,
        ],
        [...chain('paid', 'tell', 'done'), ...RACE_EDGES],
      ),
      right: plan(
        [paid('paid', PAID_WHERE), tell('false', '{ "ref": "@var:payment.id" }'), DONE, ...RACE],
        [...chain('paid', 'tell', 'done'), ...RACE_EDGES],
      ),
    },
  ],
};
