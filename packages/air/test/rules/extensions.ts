import { type Authored, add, NAT, node, op, plan, record, ref, schema, TEXT } from '../fixtures.ts';
import { P } from './plans.ts';
import type { Change, RuleCase } from './rule-case.ts';
import { PLAN } from './structure.ts';

/** Triggers (V-43x, V-707, V-708) and subplans (V-701 … V-706). */

const envelope = schema('demo/Envelope@1', {
  variant: { Task: { ref: 'demo/Task@1' }, Note: record({ id: TEXT, n: NAT }) },
});
const projecting =
  (parts: Authored): Change =>
  (world) => {
    add(world, envelope, plan(P, {}));
    world.manifest.triggers.push({
      event: 'demo/Envelope@1',
      plan: P,
      input_expr: { id: ref('@event.$value.id'), at: 1 },
      ...parts,
    });
  };
const T0 = 'manifest /triggers/0';
const T1 = 'manifest /triggers/1';

export const TRIGGERS: readonly RuleCase[] = [
  {
    of: 'V-430 an event that is not there',
    wrong: ({ manifest }) => (manifest.triggers[0].event = 'demo/Tsk@1'),
    finds: [`V-430 schema.not_found ${T0}/event`],
    fields: { schema: 'demo/Tsk@1' },
    hint: 'demo/Task@1',
  },
  {
    of: 'V-431 a plan that is not there',
    wrong: ({ manifest }) => (manifest.triggers[0].plan = 'demo/core_rnu@1'),
    finds: [`V-431 plan.not_found ${T0}/plan`],
    fields: { plan: 'demo/core_rnu@1' },
    hint: PLAN,
  },
  {
    of: 'V-432 another type',
    wrong: ({ manifest }) => (manifest.triggers[0] = { event: 'demo/Approved@1', plan: PLAN, correlate_by: 'id' }),
    finds: [`V-432 trigger.input_mismatch ${T0}/event`],
    fields: { event: 'demo/Approved@1', plan: PLAN, expected: 'demo/Task@1' },
    // Another schema of equal structure fits.
    right: (world) => {
      add(world, schema('demo/Same@1', record({ at: NAT, id: TEXT })));
      world.manifest.triggers.push({ event: 'demo/Same@1', plan: PLAN, correlate_by: 'id' });
    },
  },
  ...(
    [
      ['no such path', 'idd', 'id'],
      ['an empty segment', 'id.', undefined],
    ] as const
  ).map(
    ([title, path, hint]): RuleCase => ({
      of: `V-433 ${title}`,
      wrong: ({ manifest }) => {
        manifest.triggers[0].correlate_by = path;
      },
      finds: [`V-433 trigger.correlate_by_invalid ${T0}/correlate_by`],
      fields: { path },
      ...(hint === undefined ? {} : { hint }),
    }),
  ),
  {
    of: 'V-433 a record',
    wrong: (world) => {
      node(world, 'demo/Task@1').type = record({ id: TEXT, at: NAT, sub: record({ id: TEXT }) });
      world.manifest.triggers[0].correlate_by = 'sub';
    },
    finds: [`V-433 trigger.correlate_by_invalid ${T0}/correlate_by`],
    fields: { path: 'sub' },
    right: (world) => {
      node(world, 'demo/Task@1').type = record({ id: TEXT, at: NAT, sub: record({ id: TEXT }) });
      world.manifest.triggers[0].correlate_by = 'sub.id';
    },
  },
  {
    of: 'V-433 a variant without $value',
    wrong: projecting({ correlate_by: 'id' }),
    finds: [`V-433 trigger.correlate_by_invalid ${T1}/correlate_by`],
    hint: '$value',
    // One arm that has the path is enough.
    right: projecting({ correlate_by: '$value.n' }),
  },
  {
    of: 'V-707 another root in when',
    wrong: projecting({ when: op('eq', ref('@plan.input.id'), { text: 'x' }) }),
    finds: [`V-707 trigger.unknown_ref ${T1}/when/args/0/ref`],
    fields: { reference: '@plan.input.id' },
    right: projecting({ when: op('eq', ref('@event.$tag'), { text: 'Task' }) }),
  },
  {
    of: 'V-707 a path that is not there, in sugar',
    wrong: projecting({ input_expr: { id: ref('@event.$value.idd'), at: 1 } }),
    finds: [`V-707 trigger.unknown_ref ${T1}/input_expr/id/ref`],
    fields: { reference: '@event.$value.idd' },
    right: projecting({}),
  },
  {
    of: 'V-707 in an input whose plan is not there',
    wrong: projecting({ plan: 'demo/gone@1', input_expr: { id: ref('@var:x') } }),
    finds: [`V-431 plan.not_found ${T1}/plan`, `V-707 trigger.unknown_ref ${T1}/input_expr/id/ref`],
    right: projecting({}),
  },
  {
    of: 'V-708 a literal that does not fit',
    wrong: projecting({ input_expr: { id: 'x', at: 'y' } }),
    finds: [`V-708 trigger.literal_invalid ${T1}/input_expr/at`],
    fields: { slot: 'input_expr', cause: 'value.bad_number', schema: 'demo/Task@1', expected: 'nat' },
    right: projecting({ input_expr: { id: 'x', at: '1' } }),
  },
];

const child = 'demo/child@1';
const spawn = { id: 's', op: 'spawn_plan', plan: child, input: { id: 'x', at: 1 }, bind: { handle_as: 'kid' } };
const each = { id: 'e', op: 'spawn_for_each', plan: child, inputs: [{ id: 'x', at: 1 }], bind: { handles_as: 'kids' } };
const awaitOne = (expr: Authored) => ({ id: 'w', op: 'await_plan', for: expr, bind: { as: 'r' } });
const awaitAll = (expr: Authored) => ({ id: 'w', op: 'await_plans_all', handles: expr, bind: { results_as: 'rs' } });
const parent =
  (...steps: Authored[]): Change =>
  (world) => {
    add(world, plan(child, {}), plan('demo/other@1', {}), plan(P, { steps }));
  };
const soundOne = parent(spawn, awaitOne(ref('@step:s.kid')));
const soundAll = parent(each, awaitAll(ref('@var:kids')));
const badHandle = (rule: string, path: string) => [`${rule} plan.await_bad_handle ${P} ${path}`];

export const SUBPLANS: readonly RuleCase[] = [
  {
    of: 'V-508 handles of all kinds share one space',
    wrong: parent(spawn, { ...each, bind: { handles_as: 'kid' } }),
    finds: [`V-508 plan.duplicate_handle ${P} /steps/1/bind`],
    fields: { handle: 'kid' },
    right: parent(spawn, each),
  },
  {
    of: 'V-701 a plan that is not there',
    wrong: parent({ ...spawn, plan: 'demo/chlid@1' }),
    finds: [`V-701 plan.not_found ${P} /steps/0/plan`],
    fields: { plan: 'demo/chlid@1' },
    hint: child,
    right: soundOne,
  },
  {
    of: 'V-702 one input',
    wrong: parent({ ...spawn, input: { id: 'x' } }),
    finds: [`V-702 plan.literal_invalid ${P} /steps/0/input/at`],
    fields: {
      slot: 'spawn_plan.input',
      cause: 'value.missing_field',
      step: 's',
      schema: 'demo/Task@1',
      expected: 'nat',
    },
    right: soundOne,
  },
  {
    of: 'V-702 an item of inputs',
    wrong: parent({
      ...each,
      inputs: [
        { id: 'x', at: 1 },
        { id: 'x', at: -1 },
      ],
    }),
    finds: [`V-702 plan.literal_invalid ${P} /steps/0/inputs/1/at`],
    right: soundAll,
  },
  {
    of: 'V-703 no handle',
    wrong: parent(spawn, awaitOne(ref('@var:kdi'))),
    finds: badHandle('V-703', '/steps/1/for'),
    fields: { step: 'w' },
    hint: 'kid',
    right: soundOne,
  },
  {
    of: 'V-703 a handle of many',
    wrong: parent(each, awaitOne(ref('@var:kids'))),
    finds: badHandle('V-703', '/steps/1/for'),
    right: soundAll,
  },
  {
    of: 'V-703 itself: no handle, and so no data edge that would make a cycle',
    wrong: parent(spawn, awaitOne(ref('@step:w'))),
    finds: badHandle('V-703', '/steps/1/for'),
    right: soundOne,
  },
  {
    of: 'V-703 bound later',
    wrong: parent(awaitOne(ref('@var:kid')), spawn),
    finds: badHandle('V-703', '/steps/0/for'),
    right: soundOne,
  },
  {
    of: 'V-703 a path',
    wrong: parent(spawn, awaitOne(ref('@var:kid.plan'))),
    finds: badHandle('V-703', '/steps/1/for'),
    right: parent(spawn, awaitOne(ref('@step:s'))),
  },
  {
    of: 'V-704 no handle in a list',
    wrong: parent(spawn, awaitAll({ list: [ref('@var:kid'), { text: 'k' }] })),
    finds: badHandle('V-704', '/steps/1/handles/list/1'),
    fields: { step: 'w' },
    right: parent(spawn, awaitAll({ list: [ref('@var:kid')] })),
  },
  {
    of: 'V-704 of several plans',
    wrong: parent(
      spawn,
      { ...spawn, id: 't', plan: 'demo/other@1', bind: { handle_as: 'j' } },
      awaitAll({ list: [ref('@var:kid'), ref('@var:j')] }),
    ),
    finds: [`V-704 plan.handles_mixed ${P} /steps/2/handles`],
    fields: { step: 'w', plans: [child, 'demo/other@1'] },
    right: parent(
      spawn,
      { ...spawn, id: 't', bind: { handle_as: 'j' } },
      awaitAll({ list: [ref('@var:kid'), ref('@var:j')] }),
    ),
  },
  {
    of: 'V-705 max_fanout below 1',
    wrong: parent({ ...each, inputs: [], max_fanout: 0 }),
    finds: [`V-103 node.bad_field ${P} /steps/0/max_fanout`],
    right: parent({ ...each, max_fanout: 1 }),
  },
  {
    of: 'V-705 more inputs than allowed',
    wrong: parent({
      ...each,
      max_fanout: 1,
      inputs: [
        { id: 'x', at: 1 },
        { id: 'y', at: 1 },
      ],
    }),
    finds: [`V-705 plan.fanout_exceeded ${P} /steps/0/inputs`],
    fields: { step: 'e', max: 1, got: 2 },
    right: parent({
      ...each,
      max_fanout: 2,
      inputs: [
        { id: 'x', at: 1 },
        { id: 'y', at: 1 },
      ],
    }),
  },
  {
    of: 'V-706 a plan that spawns itself',
    wrong: (world) => add(world, plan(P, { steps: [{ ...spawn, plan: P }] })),
    finds: [`V-706 plan.spawn_cycle ${P} /steps/0/plan`],
    fields: { cycle: [P, P] },
    right: soundOne,
  },
  {
    of: 'V-706 two that spawn each other, said once where the cycle closes',
    wrong: (world) =>
      add(
        world,
        plan(P, { steps: [{ ...spawn, plan: 'demo/q@1' }] }),
        plan('demo/q@1', { steps: [{ ...spawn, plan: P }] }),
      ),
    finds: ['V-706 plan.spawn_cycle demo/q@1 /steps/0/plan'],
    fields: { cycle: [P, 'demo/q@1', P] },
    right: (world) => add(world, plan(P, { steps: [{ ...spawn, plan: 'demo/q@1' }] }), plan('demo/q@1', {})),
  },
];
