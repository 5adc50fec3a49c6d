import { type DiagnosticGroup, example } from './entry.ts';
import { RACE_EDGES, RACE_STEPS } from './pieces.ts';

const INVARIANT = '{ "ref": "@plan.input.paid" }';
const WHERE_ID =
  '"event": "demo/Paid@1", "where": { "op": "eq", "args": [{ "ref": "@event.id" }, { "ref": "@var:correlation_id" }] }, "bind": { "as": "payment" }';

/** Steps, edges, handles and references of plans: rules V-501 … V-523 and the checks of the plan chapter. */
export const PLANS: DiagnosticGroup = {
  title: 'Plans',
  entries: [
    {
      code: 'plan.empty',
      severity: 'error',
      rules: ['V-501'],
      title: 'A plan has no step.',
      meaning: 'A plan needs at least one step; the smallest one is an "end". A plan that ends at once is fine.',
      wrong: example(
        'plan',
        `
        {
          "steps": «[]»
        }
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [{ "id": "done", "op": "end" }]
        }
      `,
      ),
    },
    {
      code: 'plan.duplicate_step',
      severity: 'error',
      rules: ['V-502'],
      title: 'Two steps of a plan have one id.',
      meaning:
        'Edges and references name steps by their id, so each id stands for one step. Rename one, and the edges that mean it.',
      wrong: example(
        'plan',
        `
        {
          "steps": [
            { "id": "done", "op": "end" },
            { "id": «"done"», "op": "end" }
          ]
        }
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [
            { "id": "done", "op": "end" }
          ]
        }
      `,
      ),
    },
    {
      code: 'plan.edge_unknown_step',
      severity: 'error',
      rules: ['V-503'],
      title: 'An edge begins or ends at a step that the plan does not have.',
      meaning:
        '"from" and "to" of an edge are ids of steps of the same plan. Usually the id is misspelt or was renamed.',
      wrong: example(
        'plan',
        `
        {
          "steps": [
            { "id": "note", "op": "assign", "expr": { "text": "hello" }, "bind": { "as": "greeting" } },
            { "id": "done", "op": "end" }
          ],
          "edges": [{ "from": "note", "to": «"end"» }]
        }
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [
            { "id": "note", "op": "assign", "expr": { "text": "hello" }, "bind": { "as": "greeting" } },
            { "id": "done", "op": "end" }
          ],
          "edges": [{ "from": "note", "to": "done" }]
        }
      `,
      ),
    },
    {
      code: 'plan.duplicate_edge',
      severity: 'error',
      rules: ['V-504'],
      title: 'Two edges lead from one step to another one.',
      meaning:
        'A step starts when all its incoming edges are satisfied, so two edges between the same steps would mean "and" where most people mean "or". Write one edge and join the conditions with "or" or "and".',
      wrong: example(
        'plan',
        `
        {
          "steps": [
            { "id": "note", "op": "assign", "expr": { "text": "hello" }, "bind": { "as": "greeting" } },
            { "id": "done", "op": "end" }
          ],
          "edges": [
            { "from": "note", "to": "done", "when": { "ref": "@plan.input.paid" } },
            «{ "from": "note", "to": "done", "when": { "op": "gt", "args": [{ "ref": "@plan.input.amount" }, { "nat": 0 }] } }»
          ]
        }
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [
            { "id": "note", "op": "assign", "expr": { "text": "hello" }, "bind": { "as": "greeting" } },
            { "id": "done", "op": "end" },
            { "id": "other", "op": "end" }
          ],
          "edges": [
            {
              "from": "note",
              "to": "done",
              "when": { "op": "or", "args": [{ "ref": "@plan.input.paid" }, { "op": "gt", "args": [{ "ref": "@plan.input.amount" }, { "nat": 0 }] }] }
            },
            {
              "from": "note",
              "to": "other",
              "when": { "op": "and", "args": [{ "op": "not", "args": [{ "ref": "@plan.input.paid" }] }, { "op": "le", "args": [{ "ref": "@plan.input.amount" }, { "nat": 0 }] }] }
            }
          ]
        }
      `,
      ),
    },
    {
      code: 'plan.cyclic',
      severity: 'error',
      rules: ['V-505'],
      title: 'Steps of a plan wait for each other in a circle.',
      meaning:
        'A plan is a graph without circles: every step runs at most once, after those before it. A step also comes after the one that makes the handle it waits for, without an edge being written. Take out the edge that closes the circle; to do something again, start another plan by an event.',
      wrong: example(
        'plan',
        `
        {
          "steps": [
            { "id": "a", "op": "assign", "expr": { "nat": 1 }, "bind": { "as": "x" } },
            { "id": "b", "op": "assign", "expr": { "nat": 2 }, "bind": { "as": "y" } }
          ],
          "edges": [
            { "from": "a", "to": "b" },
            «{ "from": "b", "to": "a" }»
          ]
        }
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [
            { "id": "a", "op": "assign", "expr": { "nat": 1 }, "bind": { "as": "x" } },
            { "id": "b", "op": "assign", "expr": { "nat": 2 }, "bind": { "as": "y" } }
          ],
          "edges": [
            { "from": "a", "to": "b" }
          ]
        }
      `,
      ),
    },
    {
      code: 'plan.caps_mismatch',
      severity: 'error',
      rules: ['V-506'],
      title: 'required_caps is not what the steps of the plan need.',
      meaning:
        'The list of grants follows from the emit_effect steps. It can be written for readers, but then it must be right: a list that says less than the plan does would mislead. Leave it out, or make it equal.',
      wrong: example(
        'plan',
        `
        {
          "steps": [{ "id": "done", "op": "end" }],
          "required_caps": «["cap_timer"]»
        }
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [{ "id": "done", "op": "end" }]
        }
      `,
      ),
    },
    {
      code: 'plan.effects_mismatch',
      severity: 'error',
      rules: ['V-507'],
      title: 'allowed_effects is not what the steps of the plan emit.',
      meaning:
        'The list of effect kinds follows from the emit_effect steps. It can be written for readers, but then it must be right. Leave it out, or make it equal.',
      wrong: example(
        'plan',
        `
        {
          "steps": [{ "id": "done", "op": "end" }],
          "allowed_effects": «["http.request"]»
        }
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [{ "id": "done", "op": "end" }]
        }
      `,
      ),
    },
    {
      code: 'plan.duplicate_handle',
      severity: 'error',
      rules: ['V-508'],
      title: 'Two steps bind one handle.',
      meaning:
        'A handle stands for one effect or one child that is under way; with two, nobody could say which of them a step waits for. Give each its own name.',
      wrong: example(
        'steps',
        `
        [
          { "id": "first", "op": "emit_effect", "kind": "timer.set", "cap": "cap_timer", "params": { "deliver_at_ns": { "ref": "@plan.input.deadline_ns" } }, "bind": { "effect_id_as": "h" } },
          { "id": "second", "op": "emit_effect", "kind": "timer.set", "cap": "cap_timer", "params": { "deliver_at_ns": { "ref": "@plan.input.deadline_ns" } }, "bind": «{ "effect_id_as": "h" }» },
          { "id": "done", "op": "end" }
        ]
      `,
      ),
      right: example(
        'steps',
        `
        [
          { "id": "first", "op": "emit_effect", "kind": "timer.set", "cap": "cap_timer", "params": { "deliver_at_ns": { "ref": "@plan.input.deadline_ns" } }, "bind": { "effect_id_as": "first_h" } },
          { "id": "second", "op": "emit_effect", "kind": "timer.set", "cap": "cap_timer", "params": { "deliver_at_ns": { "ref": "@plan.input.deadline_ns" } }, "bind": { "effect_id_as": "second_h" } },
          { "id": "done", "op": "end" }
        ]
      `,
      ),
    },
    {
      code: 'plan.await_bad_ref',
      severity: 'error',
      rules: ['V-509'],
      title: 'An await_receipt waits for something that is no handle.',
      meaning:
        'The "for" of an await_receipt is exactly {"ref": "@var:<handle>"}, with the name that an emit_effect bound under effect_id_as: no constant, no step, no path behind the name.',
      wrong: example(
        'steps',
        `
        [
          { "id": "arm", "op": "emit_effect", "kind": "timer.set", "cap": "cap_timer", "params": { "deliver_at_ns": { "ref": "@plan.input.deadline_ns" } }, "bind": { "effect_id_as": "arm_h" } },
          { "id": "rang", "op": "await_receipt", "for": «{ "ref": "@step:arm" }», "bind": { "as": "rang_r" } },
          { "id": "done", "op": "end" }
        ]
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [
            { "id": "arm", "op": "emit_effect", "kind": "timer.set", "cap": "cap_timer", "params": { "deliver_at_ns": { "ref": "@plan.input.deadline_ns" } }, "bind": { "effect_id_as": "arm_h" } },
            { "id": "rang", "op": "await_receipt", "for": { "ref": "@var:arm_h" }, "bind": { "as": "rang_r" } },
            { "id": "done", "op": "end" },
            { "id": "failed", "op": "end" }
          ],
          "edges": [
            { "from": "rang", "to": "done", "when": { "op": "eq", "args": [{ "ref": "@var:rang_r.$status" }, { "text": "ok" }] } },
            { "from": "rang", "to": "failed", "when": { "op": "ne", "args": [{ "ref": "@var:rang_r.$status" }, { "text": "ok" }] } }
          ]
        }
      `,
      ),
    },
    {
      code: 'plan.await_unknown_handle',
      severity: 'error',
      rules: ['V-510'],
      title: 'An await_receipt waits for a handle that no earlier step binds.',
      meaning:
        'The emit_effect that binds the handle must stand earlier in the list of steps. Either the name is misspelt, or the two steps stand in the wrong order.',
      wrong: example(
        'steps',
        `
        [
          { "id": "rang", "op": "await_receipt", "for": «{ "ref": "@var:arm_h" }», "bind": { "as": "rang_r" } },
          { "id": "arm", "op": "emit_effect", "kind": "timer.set", "cap": "cap_timer", "params": { "deliver_at_ns": { "ref": "@plan.input.deadline_ns" } }, "bind": { "effect_id_as": "arm_h" } },
          { "id": "done", "op": "end" }
        ]
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [
            { "id": "arm", "op": "emit_effect", "kind": "timer.set", "cap": "cap_timer", "params": { "deliver_at_ns": { "ref": "@plan.input.deadline_ns" } }, "bind": { "effect_id_as": "arm_h" } },
            { "id": "rang", "op": "await_receipt", "for": { "ref": "@var:arm_h" }, "bind": { "as": "rang_r" } },
            { "id": "done", "op": "end" },
            { "id": "failed", "op": "end" }
          ],
          "edges": [
            { "from": "rang", "to": "done", "when": { "op": "eq", "args": [{ "ref": "@var:rang_r.$status" }, { "text": "ok" }] } },
            { "from": "rang", "to": "failed", "when": { "op": "ne", "args": [{ "ref": "@var:rang_r.$status" }, { "text": "ok" }] } }
          ]
        }
      `,
      ),
    },
    {
      code: 'plan.where_unknown_ref',
      severity: 'error',
      rules: ['V-511'],
      title: 'The where of an await_event reads something that does not exist at that point.',
      meaning:
        'A where may read @event, @plan.input, any @step of the plan, locals, @var:correlation_id, and variables that a step earlier in the list binds. Correct the name, or move the step that binds it up.',
      wrong: example(
        'steps',
        `
        [
          {
            "id": "paid",
            "op": "await_event",
            "event": "demo/Paid@1",
            "where": { "op": "eq", "args": [{ "ref": "@event.id" }, { "ref": «"@var:order_id"» }] },
            "bind": { "as": "payment" }
          },
          { "id": "done", "op": "end" }
        ]
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [
            {
              "id": "paid",
              "op": "await_event",
              "event": "demo/Paid@1",
              "where": { "op": "eq", "args": [{ "ref": "@event.id" }, { "ref": "@plan.input.id" }] },
              "bind": { "as": "payment" }
            },
            { "id": "done", "op": "end" },
            ${RACE_STEPS}
          ],
          "edges": [
            { "from": "paid", "to": "done" },
            ${RACE_EDGES}
          ]
        }
      `,
      ),
    },
    {
      code: 'plan.where_unbindable',
      severity: 'error',
      rules: [],
      title: 'The where of an await_event reads a value that is made only after the wait.',
      meaning:
        'The predicate is fixed when the wait begins. What it reads must be there by then, but every step that could provide it comes after the wait in the graph, so the wait could never match. Let the step come before the wait, or compare in a guard behind it.',
      wrong: example(
        'plan',
        `
        {
          "steps": [
            {
              "id": "paid",
              "op": "await_event",
              "event": "demo/Paid@1",
              "where": { "op": "eq", "args": [{ "ref": "@event.amount" }, { "ref": «"@step:price"» }] },
              "bind": { "as": "payment" }
            },
            { "id": "price", "op": "assign", "expr": { "ref": "@plan.input.amount" }, "bind": { "as": "total" } },
            { "id": "done", "op": "end" }
          ],
          "edges": [{ "from": "paid", "to": "price" }, { "from": "price", "to": "done" }]
        }
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [
            { "id": "price", "op": "assign", "expr": { "ref": "@plan.input.amount" }, "bind": { "as": "total" } },
            {
              "id": "paid",
              "op": "await_event",
              "event": "demo/Paid@1",
              "where": { "op": "eq", "args": [{ "ref": "@event.amount" }, { "ref": "@step:price" }] },
              "bind": { "as": "payment" }
            },
            { "id": "done", "op": "end" },
            ${RACE_STEPS}
          ],
          "edges": [
            { "from": "price", "to": "paid" },
            { "from": "paid", "to": "done" },
            ${RACE_EDGES}
          ]
        }
      `,
      ),
    },
    {
      code: 'plan.invariant_unknown_ref',
      severity: 'error',
      rules: ['V-512'],
      title: 'An invariant reads a variable or step that the plan does not have.',
      meaning:
        'Invariants read @plan.input, locals, variables that some step binds, and steps of the plan. An invariant is judged as soon as everything it reads is there; one that reads what never comes would never be judged.',
      wrong: example(
        'plan',
        `
        {
          "steps": [{ "id": "done", "op": "end" }],
          "invariants": [{ "op": "le", "args": [{ "ref": «"@var:spent"» }, { "ref": "@plan.input.amount" }] }]
        }
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [
            { "id": "count", "op": "assign", "expr": { "nat": 1 }, "bind": { "as": "spent" } },
            { "id": "done", "op": "end" }
          ],
          "edges": [{ "from": "count", "to": "done" }],
          "invariants": [{ "op": "le", "args": [{ "ref": "@var:spent" }, { "ref": "@plan.input.amount" }] }]
        }
      `,
      ),
    },
    {
      code: 'plan.invariant_event_ref',
      severity: 'error',
      rules: ['V-512'],
      title: 'An invariant reads @event.',
      meaning:
        'Invariants hold for the whole run, and an event is there only while a wait looks at it. Bind the event with await_event and read the variable instead.',
      wrong: example(
        'plan',
        `
        {
          "steps": [
            { "id": "paid", "op": "await_event", "event": "demo/Paid@1", "bind": { "as": "payment" } },
            { "id": "done", "op": "end" }
          ],
          "edges": [{ "from": "paid", "to": "done" }],
          "invariants": [{ "op": "ge", "args": [{ "ref": «"@event.amount"» }, { "ref": "@plan.input.amount" }] }]
        }
      `,
      ),
      right: example(
        'plan',
        `
        {
          "steps": [
            { "id": "price", "op": "assign", "expr": { "ref": "@plan.input.amount" }, "bind": { "as": "total" } },
            { "id": "done", "op": "end" }
          ],
          "edges": [{ "from": "price", "to": "done" }],
          "invariants": [{ "op": "ge", "args": [{ "ref": "@var:total" }, { "ref": "@plan.input.amount" }] }]
        }
      `,
      ),
    },
    {
      code: 'plan.effect_unknown',
      severity: 'error',
      rules: ['V-514'],
      title: 'A step emits an effect that the manifest does not list.',
      meaning:
        'What a world can do to the outside is listed under "effects" of the manifest, built-in effects too: {"name": "sys/http.request@1"} for the kind http.request. List the effect, or correct the kind.',
      wrong: example(
        'steps',
        `
        [
          { "id": "ask", "op": "emit_effect", "kind": «"http.get"», "cap": "cap_web", "params": { "method": "GET", "url": "https://example.com", "headers": {} }, "bind": { "effect_id_as": "ask_h" } },
          { "id": "done", "op": "end" }
        ]
      `,
      ),
      right: example(
        'steps',
        `
        [
          { "id": "ask", "op": "emit_effect", "kind": "http.request", "cap": "cap_web", "params": { "method": "GET", "url": "https://example.com", "headers": {} }, "bind": { "effect_id_as": "ask_h" } },
          { "id": "done", "op": "end" }
        ]
      `,
      ),
    },
    {
      code: 'plan.literal_invalid',
      severity: 'error',
      rules: ['V-514', 'V-517', 'V-702'],
      title: 'A value written in a step does not fit the schema of its place.',
      meaning:
        'Params of effects, values of events, results and inputs of children have a schema. The message says which part does not fit, what is expected and what was found, and the value error behind it is named beside the place. References may stand anywhere a value does.',
      wrong: example(
        'steps',
        `
        [
          { "id": "tell", "op": "raise_event", "event": "demo/Shipped@1", "value": { "id": { "ref": "@plan.input.id" }, "late": «"no"» } },
          { "id": "done", "op": "end" }
        ]
      `,
      ),
      right: example(
        'steps',
        `
        [
          { "id": "tell", "op": "raise_event", "event": "demo/Shipped@1", "value": { "id": { "ref": "@plan.input.id" }, "late": false } },
          { "id": "done", "op": "end" }
        ]
      `,
      ),
    },
    {
      code: 'plan.literal_needs_schema',
      severity: 'error',
      rules: ['V-515', 'V-516'],
      title: 'A plain value stands where no schema says what it is.',
      meaning:
        'Without a schema nobody can tell whether 1 is a nat or an int. Write the value with its tag, {"nat": 1}, or declare the variable under locals. A result needs the output of the plan to be declared.',
      wrong: example(
        'steps',
        `
        [
          { "id": "count", "op": "assign", "expr": «1», "bind": { "as": "tries" } },
          { "id": "done", "op": "end" }
        ]
      `,
      ),
      right: example(
        'steps',
        `
        [
          { "id": "count", "op": "assign", "expr": { "nat": 1 }, "bind": { "as": "tries" } },
          { "id": "done", "op": "end" }
        ]
      `,
      ),
    },
    {
      code: 'plan.result_missing',
      severity: 'error',
      rules: ['V-516'],
      title: 'An end step has no result, though the plan declares an output.',
      meaning:
        'Whoever waits for the plan gets its output, whichever end it reaches, so every end step gives one. Add the result, or declare no output.',
      wrong: example(
        'plan',
        `
        {
          "output": "demo/Shipped@1",
          "steps": [«{ "id": "done", "op": "end" }»]
        }
      `,
      ),
      right: example(
        'plan',
        `
        {
          "output": "demo/Shipped@1",
          "steps": [{ "id": "done", "op": "end", "result": { "id": { "ref": "@plan.input.id" }, "late": false } }]
        }
      `,
      ),
    },
    {
      code: 'plan.end_missing',
      severity: 'error',
      rules: ['V-516'],
      title: 'A plan declares an output, but has no end step.',
      meaning:
        'The output is the result of an end step. A plan without one ends when nothing is left to do, without a result. Add an end step with a result, or declare no output.',
      wrong: example(
        'plan',
        `
        {
          "output": "demo/Shipped@1",
          "steps": «[{ "id": "count", "op": "assign", "expr": { "nat": 1 }, "bind": { "as": "tries" } }]»
        }
      `,
      ),
      right: example(
        'plan',
        `
        {
          "output": "demo/Shipped@1",
          "steps": [{ "id": "done", "op": "end", "result": { "id": { "ref": "@plan.input.id" }, "late": false } }]
        }
      `,
      ),
    },
    {
      code: 'plan.correlation_missing',
      severity: 'error',
      rules: ['V-521'],
      title: 'A plan that is started per key waits for an event without saying whose.',
      meaning:
        'A trigger with correlate_by starts one run per key, and many run at once. An await_event without where would take the first event that comes, also that of another run. Compare the field of the event with @var:correlation_id.',
      wrong: example('folder', correlated('"event": "demo/Paid@1", "bind": { "as": "payment" }', true)),
      right: example('folder', correlated(WHERE_ID, false)),
    },
    {
      code: 'plan.correlation_unused',
      severity: 'error',
      rules: ['V-521'],
      title: 'The where of an await_event mentions neither the correlation id nor the key.',
      meaning:
        'A trigger with correlate_by starts one run per key. A where that looks at other things lets one run take the event of another. Compare the field of the event with @var:correlation_id.',
      wrong: example(
        'folder',
        correlated(
          '"event": "demo/Paid@1", "where": «{ "op": "gt", "args": [{ "ref": "@event.amount" }, { "nat": 0 }] }», "bind": { "as": "payment" }',
          false,
        ),
      ),
      right: example('folder', correlated(WHERE_ID, false)),
    },
    {
      code: 'plan.reserved_var',
      severity: 'error',
      rules: ['V-523'],
      title: 'A step or local takes the name correlation_id.',
      meaning:
        'The variable correlation_id is bound by the trigger that starts a run, and tells runs apart. Choose another name.',
      wrong: example(
        'steps',
        `
        [
          { "id": "mark", "op": "assign", "expr": { "text": "x" }, "bind": «{ "as": "correlation_id" }» },
          { "id": "done", "op": "end" }
        ]
      `,
      ),
      right: example(
        'steps',
        `
        [
          { "id": "mark", "op": "assign", "expr": { "text": "x" }, "bind": { "as": "own_id" } },
          { "id": "done", "op": "end" }
        ]
      `,
      ),
    },
    {
      code: 'plan.too_large',
      severity: 'error',
      rules: [],
      title: 'A plan has more than 512 steps, 2 048 edges or 64 invariants.',
      meaning:
        'The limits belong to the language, so that checking and running a plan stays cheap everywhere. Split the plan into several that start each other by events.',
      wrong: example('plan', tooMany(Array.from({ length: 65 }, () => INVARIANT).join(', ')), {
        shown: tooMany(`${INVARIANT}, … 63 more …, ${INVARIANT}`),
      }),
      right: example(
        'plan',
        `
        {
          "steps": [{ "id": "done", "op": "end" }],
          "invariants": [{ "ref": "@plan.input.paid" }]
        }
      `,
      ),
    },
  ],
};

function tooMany(invariants: string): string {
  return `
        {
          "steps": [{ "id": "done", "op": "end" }],
          "invariants": «[${invariants}]»
        }
  `;
}

/** A whole folder: a plan that a trigger starts per order id, with one wait of the given members. */
function correlated(wait: string, markStep: boolean): string {
  const step = `{ "id": "paid", "op": "await_event", ${wait} }`;
  return `
        [
          {
            "$kind": "manifest",
            "air_version": "1",
            "schemas": [{ "name": "demo/Ordered@1" }, { "name": "demo/Paid@1" }],
            "modules": [],
            "plans": [{ "name": "demo/collect@1" }],
            "effects": [{ "name": "sys/timer.set@1" }],
            "caps": [],
            "policies": [],
            "defaults": { "cap_grants": [{ "name": "cap_timer", "cap": "sys/timer@1", "params": {} }] },
            "triggers": [{ "event": "demo/Ordered@1", "plan": "demo/collect@1", "correlate_by": "id" }]
          },
          { "$kind": "defschema", "name": "demo/Ordered@1", "type": { "record": { "id": { "text": {} }, "deadline_ns": { "nat": {} } } } },
          { "$kind": "defschema", "name": "demo/Paid@1", "type": { "record": { "id": { "text": {} }, "amount": { "nat": {} } } } },
          {
            "$kind": "defplan",
            "name": "demo/collect@1",
            "input": "demo/Ordered@1",
            "steps": [
              ${markStep ? `«${step}»` : step},
              { "id": "done", "op": "end" },
            ${RACE_STEPS}
            ],
            "edges": [
              { "from": "paid", "to": "done" },
            ${RACE_EDGES}
            ]
          }
        ]
  `;
}
