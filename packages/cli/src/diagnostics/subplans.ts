import { type DiagnosticGroup, example } from './entry.ts';

const CHILD = `{ "$kind": "defplan", "name": "demo/child@1", "input": "demo/Shipped@1", "steps": [{ "id": "done", "op": "end" }] }`;
const OTHER = `{ "$kind": "defplan", "name": "demo/other@1", "input": "demo/Shipped@1", "steps": [{ "id": "done", "op": "end" }] }`;

/** A plan with children, and what they are. */
function parent(
  steps: readonly string[],
  children: readonly string[] = [CHILD],
  edges: readonly string[] = [],
): string {
  const edgeList =
    edges.length === 0
      ? ''
      : `,
            "edges": [
              ${edges.join(',\n              ')}
            ]`;
  return `
        [
          ${children.join(',\n          ')},
          {
            "$kind": "defplan",
            "name": "demo/example@1",
            "input": "demo/Shipped@1",
            "steps": [
              ${steps.join(',\n              ')}
            ]${edgeList}
          }
        ]
  `;
}

/** Two ends: one for children that fared well. */
function ends(ok: string, other: string): readonly string[] {
  return [`{ "from": "ended", "to": "done", "when": ${ok} }`, `{ "from": "ended", "to": "failed", "when": ${other} }`];
}

const FAILED = '{ "id": "failed", "op": "end" }';
const NONE = `{ "op": "eq", "args": [{ "op": "len", "args": [{ "ref": "@var:answers" }] }, { "nat": 0 }] }`;
const SOME = NONE.replace('"eq"', '"ne"');
const CHILD_OK = `{ "op": "eq", "args": [{ "ref": "@var:answer.$tag" }, { "text": "Ok" }] }`;

function spawn(id: string, handle: string, plan = 'demo/child@1'): string {
  return `{ "id": "${id}", "op": "spawn_plan", "plan": "${plan}", "input": { "ref": "@plan.input" }, "bind": { "handle_as": "${handle}" } }`;
}

/** Children of plans: rules V-701 … V-706. */
export const SUBPLANS: DiagnosticGroup = {
  title: 'Subplans',
  entries: [
    {
      code: 'plan.await_bad_handle',
      severity: 'error',
      rules: ['V-703', 'V-704'],
      title: 'An await_plan or await_plans_all waits for something that is no handle of a child.',
      meaning:
        'A child is awaited by the handle that its spawn step binds, and that step stands earlier in the list. await_plan takes the handle of a spawn_plan; await_plans_all takes that of a spawn_for_each, or a list of handles.',
      wrong: example(
        'nodes',
        parent([
          spawn('start', 'child_h'),
          '{ "id": "ended", "op": "await_plan", "for": «{ "ref": "@var:kid_h" }», "bind": { "as": "answer" } }',
          '{ "id": "done", "op": "end" }',
        ]),
      ),
      right: example(
        'nodes',
        parent(
          [
            spawn('start', 'child_h'),
            '{ "id": "ended", "op": "await_plan", "for": { "ref": "@var:child_h" }, "bind": { "as": "answer" } }',
            '{ "id": "done", "op": "end" }',
            FAILED,
          ],
          [CHILD],
          ends(CHILD_OK, CHILD_OK.replace('"eq"', '"ne"')),
        ),
      ),
    },
    {
      code: 'plan.handles_mixed',
      severity: 'error',
      rules: ['V-704'],
      title: 'An await_plans_all waits for children of different plans.',
      meaning:
        'Its result is one list, and the items of a list have one type: that of the results of one plan. Wait for the children of each plan in a step of their own.',
      wrong: example(
        'nodes',
        parent(
          [
            spawn('first', 'first_h'),
            spawn('second', 'second_h', 'demo/other@1'),
            '{ "id": "ended", "op": "await_plans_all", "handles": «{ "list": [{ "ref": "@var:first_h" }, { "ref": "@var:second_h" }] }», "bind": { "results_as": "answers" } }',
            '{ "id": "done", "op": "end" }',
          ],
          [CHILD, OTHER],
        ),
      ),
      right: example(
        'nodes',
        parent(
          [
            spawn('first', 'first_h'),
            spawn('second', 'second_h'),
            '{ "id": "ended", "op": "await_plans_all", "handles": { "list": [{ "ref": "@var:first_h" }, { "ref": "@var:second_h" }] }, "bind": { "results_as": "answers" } }',
            '{ "id": "done", "op": "end" }',
            FAILED,
          ],
          [CHILD],
          ends(SOME, NONE),
        ),
      ),
    },
    {
      code: 'plan.fanout_exceeded',
      severity: 'error',
      rules: ['V-705'],
      title: 'A spawn_for_each lists more inputs than its max_fanout allows.',
      meaning:
        'max_fanout bounds how many children one step may start. A written list that is longer would fail in every run. Raise the bound, or shorten the list.',
      wrong: example(
        'nodes',
        parent([
          '{ "id": "start", "op": "spawn_for_each", "plan": "demo/child@1", "max_fanout": 1, "inputs": «[{ "id": "a", "late": false }, { "id": "b", "late": false }]», "bind": { "handles_as": "all_h" } }',
          '{ "id": "done", "op": "end" }',
        ]),
      ),
      right: example(
        'nodes',
        parent(
          [
            '{ "id": "start", "op": "spawn_for_each", "plan": "demo/child@1", "max_fanout": 2, "inputs": [{ "id": "a", "late": false }, { "id": "b", "late": false }], "bind": { "handles_as": "all_h" } }',
            '{ "id": "ended", "op": "await_plans_all", "handles": { "ref": "@var:all_h" }, "bind": { "results_as": "answers" } }',
            '{ "id": "done", "op": "end" }',
            FAILED,
          ],
          [CHILD],
          ends(SOME, NONE),
        ),
      ),
    },
    {
      code: 'plan.spawn_cycle',
      severity: 'error',
      rules: ['V-706'],
      title: 'Plans start each other as children in a circle.',
      meaning:
        'Children of children must come to an end, so no plan may start itself, directly or through others. To go on for ever, let the plan raise an event that triggers it anew.',
      wrong: example(
        'nodes',
        `
        {
          "$kind": "defplan",
          "name": "demo/example@1",
          "input": "demo/Shipped@1",
          "steps": [
            { "id": "again", "op": "spawn_plan", "plan": «"demo/example@1"», "input": { "ref": "@plan.input" }, "bind": { "handle_as": "again_h" } },
            { "id": "done", "op": "end" }
          ]
        }
      `,
      ),
      right: example(
        'nodes',
        `
        {
          "$kind": "defplan",
          "name": "demo/example@1",
          "input": "demo/Shipped@1",
          "steps": [
            { "id": "again", "op": "raise_event", "event": "demo/Shipped@1", "value": { "ref": "@plan.input" } },
            { "id": "done", "op": "end" }
          ]
        }
      `,
      ),
    },
  ],
};
