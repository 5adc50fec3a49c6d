import { loadAuthored } from '@worldline/air';
import { type RunSketch, runSketchArb, runTypedWorld, type TypedWorld, typedWorldArb } from '@worldline/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

/** The generator of well-typed worlds and their run: what they promise to the tests that use them. */

const TEXT = { text: {} };

/** A world written by hand, with one plan. */
function worldOf(plan: object, more: Partial<TypedWorld> = {}): TypedWorld {
  const schemas = [
    { $kind: 'defschema', name: 't/In@1', type: { record: { id: TEXT, note: { option: TEXT } } } },
    { $kind: 'defschema', name: 't/Note@1', type: { record: { note: TEXT } } },
  ];
  const manifest = {
    $kind: 'manifest',
    air_version: '1',
    schemas: [{ name: 't/In@1' }, { name: 't/Note@1' }],
    modules: [],
    plans: [{ name: 't/p@1' }],
    caps: [],
    policies: [],
  };
  const nodes = [...schemas, { $kind: 'defplan', name: 't/p@1', input: 't/In@1', ...plan }, manifest];
  return {
    nodes: [],
    text: JSON.stringify(nodes),
    scope: { lookup: () => undefined },
    plans: [{ name: 't/p@1', input: 't/In@1', locals: new Map(), variables: new Map() }],
    events: ['t/In@1'],
    effects: [],
    facts: [],
    [fc.toStringMethod]: () => '',
    ...more,
  };
}

/** Two starts, the second one with other numbers: with and without the option. */
const STARTS: RunSketch = {
  actions: [
    { do: 0, choices: [] },
    { do: 0, choices: [0, 0, 99, 0, 99, 0] },
  ],
  rest: [],
};

function runOf(world: TypedWorld, options: { staticTypes?: boolean } = {}) {
  const loaded = loadAuthored([{ path: 'air/w.air.json', text: world.text }], options);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.failure));
  return runTypedWorld(world, loaded.value, STARTS, { parity: true });
}

const raise = (value: unknown) => ({ steps: [{ id: 'say', op: 'raise_event', event: 't/Note@1', value }] });

describe('a run reports what breaks a law', () => {
  test('nothing is reported of a plan that keeps them', () => {
    const { broken, seen } = runOf(worldOf(raise({ note: { ref: '@plan.input.id' } })));
    expect(broken).toEqual([]);
    expect(seen.get('end:ok')).toBe(2);
  });

  test('T2: a type error that was let in', () => {
    const sum = { op: 'add', args: [{ ref: '@plan.input.id' }, { nat: 1 }] };
    const plan = { steps: [{ id: 'sum', op: 'assign', expr: sum, bind: { as: 'sum' } }] };
    const { broken, story } = runOf(worldOf(plan), { staticTypes: false });
    expect(broken[0]).toMatch(/^T2 .*type_mismatch$/);
    expect(story()).toContain('plan_ended');
  });

  test('T2: an absent option that nobody warned of', () => {
    const plan = raise({ note: { ref: '@plan.input.note' } });
    expect(runOf(worldOf(plan), { staticTypes: false }).broken[0]).toMatch(/^T2 .*without a warning$/);
    expect(runOf(worldOf(plan)).broken).toEqual([]);
  });

  // Seed 639269480 of test/language/typed-worlds.test.ts, and 639808832 of changed-worlds.
  test('T2: what a trigger makes of an event is looked at only where its `when` holds, and then it is', () => {
    const isText = { op: 'eq', args: [{ ref: '@event.$tag' }, { text: 'Text' }] };
    const inputOf = (when: object | undefined) => ({
      event: 't/Some@1',
      plan: 't/p@1',
      ...(when === undefined ? {} : { when }),
      input_expr: {
        record: { id: { op: 'concat', args: [{ text: '' }, { ref: '@event.$value' }] }, note: { null: {} } },
      },
    });
    const broken = (when: object | undefined) => {
      const world = worldOf(raise({ note: { ref: '@plan.input.id' } }), { events: ['t/Some@1'] });
      const nodes = JSON.parse(world.text);
      nodes.unshift({ $kind: 'defschema', name: 't/Some@1', type: { variant: { Text: TEXT, Count: { nat: {} } } } });
      Object.assign(nodes.at(-1), {
        schemas: [...nodes.at(-1).schemas, { name: 't/Some@1' }],
        triggers: [inputOf(when)],
      });
      const loaded = loadAuthored([{ path: 'air/w.air.json', text: JSON.stringify(nodes) }], { staticTypes: false });
      if (!loaded.ok) throw new Error(JSON.stringify(loaded.failure));
      return fc
        .sample(runSketchArb(), { seed: 1, numRuns: 50 })
        .flatMap((sketch) => runTypedWorld(world, loaded.value, sketch).broken);
    };
    expect(broken(isText)).toEqual([]);
    expect(broken(undefined)).toContain('T2 type_mismatch in input_expr of t/p@1');
  });

  test('T2: a variable that holds something else', () => {
    const plan = {
      steps: [
        { id: 'keep', op: 'assign', expr: { ref: '@plan.input.id' }, bind: { as: 'kept' } },
        { id: 'wait', op: 'await_event', event: 't/Note@1', bind: { as: 'note' } },
      ],
    };
    const variables = new Map([['kept', { root: '@var:kept', type: { kind: 'nat' as const } }]]);
    const plans = [{ name: 't/p@1', input: 't/In@1', locals: new Map(), variables }];
    expect(runOf(worldOf(plan, { plans })).broken[0]).toMatch(/^T2 @var:kept/);
  });
});

test('a world is a function of its sketch, and so is its run', () => {
  const arb = fc.tuple(typedWorldArb(), runSketchArb());
  const [first, second] = [fc.sample(arb, { seed: 7, numRuns: 20 }), fc.sample(arb, { seed: 7, numRuns: 20 })];
  for (const [index, [world, sketch]] of first.entries()) {
    expect(second[index]![0].text).toBe(world.text);
    const loaded = loadAuthored([{ path: 'air/w.air.json', text: world.text }]);
    if (!loaded.ok) continue;
    const stories = [1, 2].map(() => runTypedWorld(world, loaded.value, sketch).story());
    expect(stories[0]).toBe(stories[1]);
  }
});

test('counterexamples shrink to worlds that can be read', () => {
  const result = fc.check(
    fc.property(typedWorldArb(), (world) => !/"op":"concat"/.test(world.text)),
    { seed: 11, numRuns: 500 },
  );
  expect(result.failed).toBe(true);
  const [world] = result.counterexample!;
  const plans = (world.nodes as { $kind: string; steps?: unknown[] }[]).filter(({ $kind }) => $kind === 'defplan');
  expect(plans).toHaveLength(1);
  expect(plans[0]!.steps!.length).toBeLessThanOrEqual(3);
  expect(world.text.length).toBeLessThan(1000);
});
