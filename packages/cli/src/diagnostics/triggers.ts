import { type DiagnosticGroup, example } from './entry.ts';

/** Triggers: rules V-430 … V-433, V-707, V-708. */
export const TRIGGERS: DiagnosticGroup = {
  title: 'Triggers',
  entries: [
    {
      code: 'trigger.input_mismatch',
      severity: 'error',
      rules: ['V-432'],
      title: 'A trigger hands its event to a plan that takes something else.',
      meaning:
        "Without input_expr the event itself becomes the plan's input, so both must have the same type. Make the input from the event with input_expr, or let the plan take the event's schema.",
      wrong: example(
        'manifest',
        `
        {
          "triggers": [{ "event": «"demo/Paid@1"», "plan": "demo/example@1" }]
        }
      `,
      ),
      right: example(
        'manifest',
        `
        {
          "triggers": [{ "event": "demo/Order@1", "plan": "demo/example@1" }]
        }
      `,
      ),
    },
    {
      code: 'trigger.correlate_by_invalid',
      severity: 'error',
      rules: ['V-433'],
      title: 'The path in correlate_by leads nowhere, or to something that cannot identify a run.',
      meaning:
        'correlate_by names the field of the event that tells runs apart: a path such as "order.id", to a text, nat, int, uuid, hash or bytes. For an event that is a variant the path begins with "$value".',
      wrong: example(
        'manifest',
        `
        {
          "triggers": [{ "event": "demo/Order@1", "plan": "demo/example@1", "correlate_by": «"order_id"» }]
        }
      `,
      ),
      right: example(
        'manifest',
        `
        {
          "triggers": [{ "event": "demo/Order@1", "plan": "demo/example@1", "correlate_by": "id" }]
        }
      `,
      ),
    },
    {
      code: 'trigger.unknown_ref',
      severity: 'error',
      rules: ['V-707'],
      title: 'A trigger reads something other than a field of its event.',
      meaning:
        'When a trigger is judged no plan runs yet: there are no variables, no steps, no plan input. Its when and input_expr read @event only, and only fields that the event has.',
      wrong: example(
        'manifest',
        `
        {
          "triggers": [
            {
              "event": "demo/Order@1",
              "plan": "demo/example@1",
              "when": { "op": "gt", "args": [{ "ref": «"@event.total"» }, { "nat": 0 }] }
            }
          ]
        }
      `,
      ),
      right: example(
        'manifest',
        `
        {
          "triggers": [
            {
              "event": "demo/Order@1",
              "plan": "demo/example@1",
              "when": { "op": "gt", "args": [{ "ref": "@event.amount" }, { "nat": 0 }] }
            }
          ]
        }
      `,
      ),
    },
    {
      code: 'trigger.literal_invalid',
      severity: 'error',
      rules: ['V-708'],
      title: "The input_expr of a trigger holds a value that does not fit the plan's input.",
      meaning:
        "input_expr makes the plan's input from the event, so it must give every field of the input schema, each with its type. The message says which part does not fit; references may stand anywhere a value does.",
      wrong: example(
        'folder',
        `
        [
          {
            "$kind": "manifest",
            "air_version": "1",
            "schemas": [{ "name": "demo/Paid@1" }, { "name": "demo/Shipped@1" }],
            "modules": [],
            "plans": [{ "name": "demo/ship@1" }],
            "caps": [],
            "policies": [],
            "triggers": [
              { "event": "demo/Paid@1", "plan": "demo/ship@1", "input_expr": { "id": { "ref": "@event.id" }, "late": «"no"» } }
            ]
          },
          { "$kind": "defschema", "name": "demo/Paid@1", "type": { "record": { "id": { "text": {} } } } },
          { "$kind": "defschema", "name": "demo/Shipped@1", "type": { "record": { "id": { "text": {} }, "late": { "bool": {} } } } },
          { "$kind": "defplan", "name": "demo/ship@1", "input": "demo/Shipped@1", "steps": [{ "id": "done", "op": "end" }] }
        ]
      `,
      ),
      right: example(
        'folder',
        `
        [
          {
            "$kind": "manifest",
            "air_version": "1",
            "schemas": [{ "name": "demo/Paid@1" }, { "name": "demo/Shipped@1" }],
            "modules": [],
            "plans": [{ "name": "demo/ship@1" }],
            "caps": [],
            "policies": [],
            "triggers": [
              { "event": "demo/Paid@1", "plan": "demo/ship@1", "input_expr": { "id": { "ref": "@event.id" }, "late": false } }
            ]
          },
          { "$kind": "defschema", "name": "demo/Paid@1", "type": { "record": { "id": { "text": {} } } } },
          { "$kind": "defschema", "name": "demo/Shipped@1", "type": { "record": { "id": { "text": {} }, "late": { "bool": {} } } } },
          { "$kind": "defplan", "name": "demo/ship@1", "input": "demo/Shipped@1", "steps": [{ "id": "done", "op": "end" }] }
        ]
      `,
      ),
    },
    {
      code: 'plan.not_found',
      severity: 'error',
      rules: ['V-431', 'V-617', 'V-701'],
      title: 'A plan that is named here is not listed in the manifest.',
      meaning:
        'Triggers start plans, plans start other plans, secrets may be limited to plans: all name plans that must be listed in the manifest. Look for a misspelt name or another version, or list the plan.',
      wrong: example(
        'manifest',
        `
        {
          "triggers": [{ "event": "demo/Order@1", "plan": «"demo/exmaple@1"» }]
        }
      `,
      ),
      right: example(
        'manifest',
        `
        {
          "triggers": [{ "event": "demo/Order@1", "plan": "demo/example@1" }]
        }
      `,
      ),
    },
  ],
};
