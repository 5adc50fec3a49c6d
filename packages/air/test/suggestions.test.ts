import { describe, expect, test } from 'vitest';
import {
  type Authored,
  add,
  load,
  node,
  plan,
  record,
  ref,
  schema,
  smallWorld,
  TEXT,
  type WorldFixture,
} from './fixtures.ts';

/** A misspelt word is told with the one that was most likely meant, wherever words are known. */

const PLAN = 'demo/core_run@1';

function raising(value: Authored): (world: WorldFixture) => void {
  return (world) => {
    add(world, plan('demo/p@1', { steps: [{ id: 'tell', op: 'raise_event', event: 'demo/Done@1', value }] }));
  };
}

function assigning(expr: Authored): (world: WorldFixture) => void {
  return (world) => {
    add(
      world,
      plan('demo/p@1', {
        steps: [
          { id: 'set', op: 'assign', expr, bind: { as: 'v' } },
          { id: 'done', op: 'end' },
        ],
        edges: [{ from: 'set', to: 'done' }],
      }),
    );
  };
}

type Case = [what: string, change: (world: WorldFixture) => void, meant: string];

const cases: readonly Case[] = [
  ['a field of a written record', raising({ id: 'x', lat: true, late: true }), 'late'],
  [
    'a field of a tagged record',
    raising({ record: { id: { text: 'x' }, lte: { bool: true }, late: { bool: true } } }),
    'late',
  ],
  [
    'an arm of a variant',
    (world) => {
      add(world, schema('demo/Answer@1', { variant: { Approved: { unit: {} }, Denied: { unit: {} } } }));
      add(
        world,
        plan('demo/p@1', {
          steps: [{ id: 'tell', op: 'raise_event', event: 'demo/Answer@1', value: { Aproved: null } }],
        }),
      );
    },
    'Approved',
  ],
  [
    'a member of a variant envelope',
    (world) => {
      add(world, schema('demo/Answer@1', { variant: { Approved: TEXT } }));
      add(
        world,
        plan('demo/p@1', {
          steps: [{ id: 'tell', op: 'raise_event', event: 'demo/Answer@1', value: { $tag: 'Approved', $valu: 'x' } }],
        }),
      );
    },
    '$value',
  ],
  ['an operator', assigning({ op: 'strts_with', args: [{ text: 'ab' }, { text: 'a' }] }), 'starts_with'],
  ['a form of expression', assigning({ op: 'not', args: [{ bol: true }] }), 'bool'],
  ['a type', (world) => void add(world, schema('demo/X@1', record({ id: { txt: {} } }))), 'text'],
  ['a field in a reference', assigning(ref('@plan.input.idd')), 'id'],
  ['a variable', assigning(ref('@var:correlation_i')), 'correlation_id'],
  ['a step', (world) => (node(world, PLAN).edges[0].to = 'fird'), 'fired'],
  ['a schema', (world) => (node(world, PLAN).steps[3].event = 'demo/Don@1'), 'demo/Done@1'],
  ['an effect kind', (world) => (node(world, PLAN).steps[0].kind = 'timer.st'), 'timer.set'],
  ['a grant', (world) => (node(world, PLAN).steps[0].cap = 'clok'), 'clock'],
  ['a step kind', (world) => (node(world, PLAN).steps[3].op = 'rise_event'), 'raise_event'],
  ['a member of a step', (world) => (node(world, PLAN).steps[4].resul = 1), 'result'],
];

describe('suggestions', () => {
  test.each(cases)('%s', (_what, change, meant) => {
    const world = smallWorld();
    change(world);
    const loaded = load(world.nodes);
    const hints = loaded.ok ? [] : loaded.failure.map(({ hint }) => hint);
    expect(hints).toContain(`Did you mean "${meant}"?`);
  });
});

describe('a wait for the wrong handle is told which one is right', () => {
  const spawn = { id: 'one', op: 'spawn_plan', plan: PLAN, input: ref('@plan.input'), bind: { handle_as: 'child' } };
  const fan = {
    id: 'many',
    op: 'spawn_for_each',
    plan: PLAN,
    inputs: { list: [ref('@plan.input')] },
    bind: { handles_as: 'children' },
  };
  const one = (handle: string) => ({ id: 'w', op: 'await_plan', for: ref(handle), bind: { as: 'out' } });
  const all = (handles: Authored) => ({ id: 'w', op: 'await_plans_all', handles, bind: { results_as: 'out' } });

  test.each<[what: string, steps: Authored[], hint: RegExp]>([
    ['one child, awaited as many', [spawn, all(ref('@var:child'))], /await_plan, or .*"list"/],
    ['many children, awaited as one', [fan, one('@var:children')], /await_plans_all/],
    ['many children, in a list', [fan, all({ list: [ref('@step:many')] })], /await_plans_all/],
    ['a child that is spawned later', [one('@var:child'), spawn], /^Move the spawning step up/],
    ['a misspelt handle', [spawn, one('@var:chil')], /"child"/],
    ['no handle at all', [one('@var:nobody')], /spawn_plan/],
  ])('%s', (_, steps, hint) => {
    const world = smallWorld();
    add(world, plan('demo/p@1', { steps }));
    const result = load(world.nodes);
    const found = result.ok ? [] : result.failure.filter(({ code }) => code === 'plan.await_bad_handle');
    expect(found.map((one) => one.hint)).toEqual([expect.stringMatching(hint)]);
  });
});
