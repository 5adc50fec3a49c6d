import type { Path } from '@worldline/canon';
import { type Authored, add, chain, NAT, node, op, plan, record, ref, schema, TEXT } from '../fixtures.ts';
import type { Change, RuleCase } from './rule-case.ts';
import { PLAN } from './structure.ts';

/** V-5xx and the codes of `plans.md` §2.1. */

export const P = 'demo/p@1';

/** A further listed plan. */
export const withPlan =
  (parts: Authored, ...more: Authored[]): Change =>
  (world) => {
    add(world, ...more, plan(P, parts));
  };

export const end = { id: 'done', op: 'end' };
export const emit = (id: string, handle: string, parts: Authored = {}) => ({
  id,
  op: 'emit_effect',
  kind: 'timer.set',
  params: { deliver_at_ns: 1 },
  cap: 'clock',
  bind: { effect_id_as: handle },
  ...parts,
});
const wait = (id: string, handle: string) => ({
  id,
  op: 'await_receipt',
  for: ref(`@var:${handle}`),
  bind: { as: `${id}_r` },
});
export const waitEvent = (id: string, where?: Authored) => ({
  id,
  op: 'await_event',
  event: 'demo/Approved@1',
  ...(where === undefined ? {} : { where }),
  bind: { as: `${id}_e` },
});
export const assign = (id: string, expr: Authored, as = `${id}_v`) => ({ id, op: 'assign', expr, bind: { as } });
export const raise = (value: Authored, event = 'demo/Done@1') => ({ id: 'r', op: 'raise_event', event, value });
const one = { nat: 1 };
const eq = (text: string) => op('eq', ref('@event.id'), ref(text));

interface PlanCase {
  readonly of: string;
  /** Parts of the plan. */
  readonly wrong: Authored;
  /** `code path`, rule and plan are those of the case; `rule code path` for others. */
  readonly finds: readonly string[];
  readonly right: Authored;
  readonly fields?: Authored;
  readonly hint?: string;
  readonly written?: Path;
}

function planCase({ of, wrong, finds, right, fields, hint, written }: PlanCase): RuleCase {
  const rule = /^V-\d+/.exec(of)?.[0] ?? '-';
  return {
    of,
    wrong: withPlan(wrong),
    finds: finds.map((each) => {
      const parts = each.split(' ');
      const [own, code, path] = parts.length === 3 ? parts : [rule, ...parts];
      return `${own} ${code} ${P} ${path}`;
    }),
    right: withPlan(right),
    ...(fields === undefined ? {} : { fields }),
    ...(hint === undefined ? {} : { hint }),
    ...(written === undefined ? {} : { written }),
  };
}

const CASES: readonly PlanCase[] = [
  { of: 'V-501 no steps', wrong: { steps: [] }, finds: ['plan.empty /steps'], right: { steps: [end] } },
  {
    of: 'V-502 two steps of one id',
    wrong: { steps: [end, end] },
    finds: ['plan.duplicate_step /steps/1/id'],
    fields: { step: 'done' },
    right: { steps: [end, { ...end, id: 'done2' }] },
  },
  {
    of: 'V-503 an edge from and to nowhere',
    wrong: {
      steps: [assign('a', one), end],
      edges: [
        { from: 'aa', to: 'done' },
        { from: 'a', to: 'gone' },
      ],
    },
    finds: ['plan.edge_unknown_step /edges/0/from', 'plan.edge_unknown_step /edges/1/to'],
    fields: { step: 'aa' },
    right: { steps: [assign('a', one), end], edges: [{ from: 'a', to: 'done' }] },
  },
  {
    of: 'V-504 two edges of one pair, even with guards',
    wrong: {
      steps: [assign('a', one), end],
      edges: [
        { from: 'a', to: 'done', when: op('eq', ref('@var:a_v'), one) },
        { from: 'a', to: 'done', when: op('ne', ref('@var:a_v'), one) },
      ],
    },
    finds: ['plan.duplicate_edge /edges/1'],
    fields: { from: 'a', to: 'done' },
    right: { steps: [assign('a', one), end], edges: [{ from: 'a', to: 'done', when: op('eq', ref('@var:a_v'), one) }] },
  },
  {
    of: 'V-505 a self-edge',
    wrong: { edges: [{ from: 'done', to: 'done' }] },
    finds: ['plan.cyclic /edges/0'],
    fields: { cycle: ['done', 'done'] },
    right: { edges: [] },
  },
  {
    of: 'V-505 a cycle of three, at the edge that closes it',
    wrong: { steps: [assign('a', one), assign('b', one), assign('c', one), end], edges: chain('a', 'b', 'c', 'a') },
    finds: ['plan.cyclic /edges/2'],
    fields: { cycle: ['a', 'b', 'c', 'a'] },
    // A diamond is none.
    right: {
      steps: [assign('a', one), assign('b', one), assign('c', one), end],
      edges: [...chain('a', 'b', 'done'), ...chain('a', 'c', 'done')],
    },
  },
  {
    of: 'V-505 on a cycle everything is bound after the wait, which the cycle says already',
    wrong: { steps: [assign('a', { text: 'x' }), waitEvent('w', eq('@var:a_v'))], edges: chain('a', 'w', 'a') },
    finds: ['plan.cyclic /edges/1'],
    right: { steps: [assign('a', { text: 'x' }), waitEvent('w', eq('@var:a_v'))], edges: chain('a', 'w') },
  },
  {
    of: 'V-505 a cycle over a data edge (plans.md §2.1)',
    wrong: { steps: [emit('a', 'h'), wait('b', 'h'), end], edges: [{ from: 'b', to: 'a' }] },
    finds: ['plan.cyclic /edges/0'],
    right: { steps: [emit('a', 'h'), wait('b', 'h'), end], edges: [{ from: 'a', to: 'b' }] },
  },
  {
    of: 'V-508 one handle twice',
    wrong: { steps: [emit('a', 'h'), emit('b', 'h'), end] },
    finds: ['plan.duplicate_handle /steps/1/bind'],
    fields: { handle: 'h' },
    right: { steps: [emit('a', 'h'), emit('b', 'k'), end] },
  },
  ...(
    [
      ['a constant', { text: 'h' }],
      ['a step', ref('@step:a')],
      ['a path', ref('@var:h.x')],
    ] as readonly [string, Authored][]
  ).map(
    ([title, expr]): PlanCase => ({
      of: `V-509 ${title}`,
      wrong: { steps: [emit('a', 'h'), { ...wait('b', 'h'), for: expr }] },
      finds: ['plan.await_bad_ref /steps/1/for'],
      fields: { step: 'b' },
      // A handle with a dot in its name is no path.
      right: { steps: [emit('a', 'h.x'), wait('b', 'h.x')] },
    }),
  ),
  {
    of: 'V-510 a handle that nobody binds',
    wrong: { steps: [emit('a', 'timer_h'), wait('b', 'timer_k')] },
    finds: ['plan.await_unknown_handle /steps/1/for'],
    fields: { step: 'b', handle: 'timer_k' },
    hint: 'timer_h',
    right: { steps: [emit('a', 'timer_h'), wait('b', 'timer_h')] },
  },
  {
    of: 'V-510 bound further down in the list',
    wrong: { steps: [wait('b', 'h'), emit('a', 'h')] },
    finds: ['plan.await_unknown_handle /steps/0/for'],
    hint: 'Move the emit_effect step up',
    right: { steps: [emit('a', 'h'), wait('b', 'h')] },
  },
  {
    of: 'V-510 another kind of variable',
    wrong: { steps: [assign('a', one, 'h'), wait('b', 'h')] },
    finds: ['plan.await_unknown_handle /steps/1/for'],
    right: { steps: [emit('a', 'h'), wait('b', 'h')] },
  },
  {
    of: 'V-511 a variable that nobody binds',
    wrong: { locals: { order: 'demo/Task@1' }, steps: [waitEvent('w', eq('@var:odrer.id'))] },
    finds: ['plan.where_unknown_ref /steps/0/where/args/1/ref'],
    fields: { step: 'w', reference: '@var:odrer.id' },
    hint: 'order',
    right: {
      locals: { order: 'demo/Task@1' },
      steps: [waitEvent('w', op('and', eq('@var:order.id'), eq('@plan.input.id'), eq('@var:correlation_id')))],
    },
  },
  {
    of: 'V-511 a step that is not there',
    wrong: { steps: [waitEvent('w', eq('@step:nope'))] },
    finds: ['plan.where_unknown_ref /steps/0/where/args/1/ref'],
    right: { steps: [waitEvent('w', eq('@step:a')), assign('a', { text: 'x' })], edges: [{ from: 'a', to: 'w' }] },
  },
  {
    of: 'V-511 a variable of a later step',
    wrong: { steps: [waitEvent('w', eq('@var:a_v')), assign('a', { text: 'x' })] },
    finds: ['plan.where_unknown_ref /steps/0/where/args/1/ref'],
    right: { steps: [assign('a', { text: 'x' }), waitEvent('w', eq('@var:a_v'))], edges: [{ from: 'a', to: 'w' }] },
  },
  {
    of: 'V-512 an unknown variable and an unknown step',
    wrong: { invariants: [op('eq', ref('@var:nope'), one), op('eq', one, ref('@step:x'))] },
    finds: [
      'plan.invariant_unknown_ref /invariants/0/args/0/ref',
      'plan.invariant_unknown_ref /invariants/1/args/1/ref',
    ],
    fields: { index: 0, reference: '@var:nope' },
    right: { steps: [end, assign('a', one)], invariants: [op('eq', ref('@var:a_v'), one)] },
  },
  {
    of: 'V-512 the event',
    wrong: { invariants: [op('eq', one, ref('@event.x'))] },
    finds: ['plan.invariant_event_ref /invariants/0/args/1/ref'],
    fields: { index: 0 },
    right: { invariants: [op('eq', one, ref('@plan.input.at'))] },
  },
  {
    of: 'V-513 an unknown variable in a slot, at its place in the canonical form',
    wrong: { steps: [raise({ id: ref('@var:nope.id'), late: true })] },
    finds: ['ref_unknown_var /steps/0/value/record/id/ref'],
    written: ['steps', 0, 'value', 'id', 'ref'],
    fields: { reference: '@var:nope.id' },
    right: { steps: [raise({ id: ref('@plan.input.id'), late: true })] },
  },
  {
    of: 'V-513 an unknown step in a guard',
    wrong: { steps: [assign('a', one), end], edges: [{ from: 'a', to: 'done', when: op('eq', ref('@step:b'), one) }] },
    finds: ['ref_unknown_step /edges/0/when/args/0/ref'],
    fields: { reference: '@step:b' },
    right: { steps: [assign('a', one), end], edges: [{ from: 'a', to: 'done', when: op('eq', ref('@step:a'), one) }] },
  },
  {
    of: 'V-513 the event in a slot',
    wrong: { steps: [assign('a', ref('@event.id'))] },
    finds: ['ref_root_forbidden /steps/0/expr/ref'],
    fields: { reference: '@event.id' },
    // The longest declared name is meant (definitions.md §4).
    right: { steps: [assign('a.b', one, 'x.y'), assign('c', op('add', ref('@step:a.b'), ref('@var:x.y')))] },
  },
  {
    of: 'V-513 in a slot whose effect is not there',
    wrong: { steps: [emit('a', 'h', { kind: 'timer.sets', params: { deliver_at_ns: ref('@var:nope') } })] },
    finds: ['V-514 plan.effect_unknown /steps/0/kind', 'V-513 ref_unknown_var /steps/0/params/deliver_at_ns/ref'],
    right: { steps: [emit('a', 'h', { params: { deliver_at_ns: ref('@plan.input.at') } })] },
  },
  {
    of: 'V-514 an effect that nobody knows',
    wrong: { steps: [emit('a', 'h', { kind: 'timer.sets' })] },
    finds: ['plan.effect_unknown /steps/0/kind'],
    fields: { step: 'a', kind: 'timer.sets' },
    hint: 'timer.set',
    right: { steps: [emit('a', 'h')] },
  },
  {
    of: 'V-514 a built-in effect that is not listed',
    wrong: { steps: [emit('a', 'h', { kind: 'timer.after', params: { after_ns: 5 } })] },
    finds: ['plan.effect_unknown /steps/0/kind'],
    hint: 'sys/timer.after@1',
    right: { steps: [emit('a', 'h')] },
  },
  {
    of: 'V-514 a literal that does not fit',
    wrong: { steps: [emit('a', 'h', { params: { deliver_at_ns: true, kye: 'k' } })] },
    finds: ['plan.literal_invalid /steps/0/params/deliver_at_ns', 'plan.literal_invalid /steps/0/params/kye'],
    fields: {
      step: 'a',
      slot: 'emit_effect.params',
      cause: 'value.type_mismatch',
      schema: 'sys/TimerSetParams@1',
      expected: 'nat',
      got: 'bool',
    },
    right: { steps: [emit('a', 'h', { params: { deliver_at_ns: 1, key: 'k' } })] },
  },
  {
    of: 'V-514 the key is a hash',
    wrong: { steps: [emit('a', 'h', { idempotency_key: 'abc' })] },
    finds: ['plan.literal_invalid /steps/0/idempotency_key'],
    right: { steps: [emit('a', 'h', { idempotency_key: `sha256:${'0'.repeat(64)}` })] },
  },
  {
    of: 'V-514 null is a value, not absence',
    wrong: { steps: [emit('a', 'h', { idempotency_key: null })] },
    finds: ['plan.literal_invalid /steps/0/idempotency_key'],
    right: { steps: [emit('a', 'h', { idempotency_key: op('hash', { text: 'x' }) })] },
  },
  {
    of: 'V-515 sugar without declared local',
    wrong: { steps: [assign('a', 'x')] },
    finds: ['plan.literal_needs_schema /steps/0/expr'],
    fields: { slot: 'assign.expr', step: 'a' },
    right: { steps: [assign('a', { text: 'x' })] },
  },
  {
    of: 'V-515 a literal that does not fit its local',
    wrong: { locals: { a_v: 'demo/Task@1' }, steps: [assign('a', one)] },
    finds: ['plan.literal_invalid /steps/0/expr'],
    right: { locals: { a_v: 'demo/Task@1' }, steps: [assign('a', { id: 'x', at: 1 })] },
  },
  {
    of: 'V-516 a result without output',
    wrong: { steps: [{ ...end, result: ref('@plan.input') }] },
    finds: ['plan.literal_needs_schema /steps/0/result'],
    fields: { slot: 'end.result', step: 'done' },
    right: { output: 'demo/Task@1', steps: [{ ...end, result: ref('@plan.input') }] },
  },
  {
    of: 'V-516 an end without result',
    wrong: { output: 'demo/Task@1' },
    finds: ['plan.result_missing /steps/0'],
    fields: { step: 'done' },
    right: {},
  },
  {
    of: 'V-516 no end',
    wrong: { output: 'demo/Task@1', steps: [assign('a', one)] },
    finds: ['plan.end_missing /steps'],
    right: { steps: [assign('a', one)] },
  },
  {
    of: 'V-517 events that are not there',
    wrong: { steps: [{ ...waitEvent('w'), event: 'demo/Aproved@1' }, raise({}, 'demo/Gone@1')] },
    finds: ['schema.not_found /steps/0/event', 'schema.not_found /steps/1/event'],
    fields: { schema: 'demo/Aproved@1' },
    hint: 'demo/Approved@1',
    right: { steps: [waitEvent('w'), raise({ id: 'x', late: true })] },
  },
  {
    of: 'V-517 a literal that does not fit',
    wrong: { steps: [raise({ id: 'x' })] },
    finds: ['plan.literal_invalid /steps/0/value/late'],
    right: { steps: [raise({ id: 'x', late: false })] },
  },
  {
    of: 'V-518 input, output, locals',
    wrong: { input: 'demo/I@1', output: 'demo/O@1', locals: { l: 'demo/L@1' }, steps: [{ ...end, result: null }] },
    finds: ['schema.not_found /input', 'schema.not_found /output', 'schema.not_found /locals/l'],
    fields: { schema: 'demo/I@1' },
    // A built-in schema needs no listing.
    right: {
      input: 'sys/TimerSetParams@1',
      output: 'demo/Task@1',
      locals: { l: 'demo/Task@1' },
      steps: [{ ...end, result: { id: 'x', at: 1 } }],
    },
  },
  {
    of: 'V-519 a grant that is not there',
    wrong: { steps: [emit('a', 'h', { cap: 'clok' })] },
    finds: ['grant.not_found /steps/0/cap'],
    fields: { grant: 'clok' },
    hint: 'clock',
    right: { steps: [emit('a', 'h')] },
  },
  {
    of: 'V-523 a bind called correlation_id',
    wrong: { steps: [assign('a', one, 'correlation_id')] },
    finds: ['plan.reserved_var /steps/0/bind'],
    fields: { name: 'correlation_id' },
    right: { steps: [assign('a', one, 'correlation')] },
  },
  {
    of: 'V-523 a local called correlation_id',
    wrong: { locals: { correlation_id: 'demo/Task@1' } },
    finds: ['plan.reserved_var /locals/correlation_id'],
    right: { locals: { correlation: 'demo/Task@1' } },
  },
  {
    of: 'plan.where_unbindable: its own step',
    wrong: { steps: [waitEvent('w', eq('@step:w.id'))] },
    finds: ['plan.where_unbindable /steps/0/where/args/1/ref'],
    fields: { step: 'w', reference: '@step:w.id' },
    right: { steps: [waitEvent('v'), waitEvent('w', eq('@step:v.id'))], edges: chain('v', 'w') },
  },
  {
    of: 'plan.where_unbindable: bound earlier in the list, later in the graph',
    wrong: { steps: [assign('a', { text: 'x' }), waitEvent('w', eq('@var:a_v'))], edges: [{ from: 'w', to: 'a' }] },
    finds: ['plan.where_unbindable /steps/1/where/args/1/ref'],
    right: {
      steps: [assign('a', { text: 'x' }, 'v'), assign('c', { text: 'y' }, 'v'), waitEvent('w', eq('@var:v'))],
      edges: [{ from: 'w', to: 'a' }],
    },
  },
  {
    of: 'plan.where_unbindable: after over a data edge',
    wrong: {
      steps: [emit('a', 'h'), wait('b', 'h'), waitEvent('w', op('eq', ref('@event.id'), ref('@step:b.$adapter_id')))],
      edges: [{ from: 'w', to: 'a' }],
    },
    finds: ['plan.where_unbindable /steps/2/where/args/1/ref'],
    right: {
      steps: [emit('a', 'h'), wait('b', 'h'), waitEvent('w', op('eq', ref('@event.id'), ref('@step:b.$adapter_id')))],
      edges: [{ from: 'b', to: 'w' }],
    },
  },
  {
    of: 'plan.too_large 513 steps: the rest is checked all the same',
    wrong: { steps: [...Array.from({ length: 512 }, (_, i) => ({ ...end, id: `s${i}` })), { ...end, id: 's0' }] },
    finds: ['plan.too_large /steps', 'V-502 plan.duplicate_step /steps/512/id'],
    fields: { field: 'steps', max: 512, got: 513 },
    right: { steps: Array.from({ length: 512 }, (_, i) => ({ ...end, id: `s${i}` })) },
  },
  {
    of: 'plan.too_large 2049 edges',
    wrong: { steps: ends(70), edges: pairs(70).slice(0, 2049) },
    finds: ['plan.too_large /edges'],
    fields: { field: 'edges', max: 2048, got: 2049 },
    right: { steps: ends(70), edges: pairs(70).slice(0, 2048) },
  },
  {
    of: 'plan.too_large 65 invariants',
    wrong: { invariants: Array.from({ length: 65 }, () => op('le', one, ref('@plan.input.at'))) },
    finds: ['plan.too_large /invariants'],
    fields: { field: 'invariants', max: 64, got: 65 },
    right: { invariants: Array.from({ length: 64 }, () => op('le', one, ref('@plan.input.at'))) },
  },
];

function ends(count: number): Authored[] {
  return Array.from({ length: count }, (_, i) => ({ ...end, id: `s${i}` }));
}

function pairs(count: number): Authored[] {
  const ids = Array.from({ length: count }, (_, i) => `s${i}`);
  return ids.flatMap((from, i) => ids.slice(i + 1).map((to) => ({ from, to })));
}

const mail = (scope: string) => ({
  $kind: 'defeffect',
  name: 'demo/mail@1',
  kind: 'mail.send',
  params_schema: 'demo/Task@1',
  receipt_schema: 'demo/Done@1',
  cap_type: 'timer',
  origin_scope: scope,
});
const sends = { steps: [emit('a', 'h', { kind: 'mail.send', params: { id: 'x', at: 1 } })] };
const waiting = (world: Parameters<Change>[0]) => node(world, PLAN).steps[2];

/** Cases that change more than a plan of their own. */
const WORLDS: readonly RuleCase[] = [
  {
    of: 'V-506 a cap too many',
    wrong: (world) => (node(world, PLAN).required_caps = ['net', 'clock']),
    finds: [`V-506 plan.caps_mismatch ${PLAN} /required_caps`],
    fields: { declared: ['clock', 'net'], derived: ['clock'] },
    right: (world) => (node(world, PLAN).required_caps = ['clock', 'clock']),
  },
  {
    of: 'V-507 another effect',
    wrong: (world) => (node(world, PLAN).allowed_effects = ['http.request']),
    finds: [`V-507 plan.effects_mismatch ${PLAN} /allowed_effects`],
    fields: { declared: ['http.request'], derived: ['timer.set'] },
    right: (world) => (node(world, PLAN).allowed_effects = []),
  },
  {
    of: 'V-516 null is a result of option type (definitions.md §1)',
    wrong: withPlan({ output: 'demo/Task@1', steps: [{ ...end, result: null }] }),
    finds: [`V-516 plan.literal_invalid ${P} /steps/0/result`],
    right: withPlan(
      { output: 'demo/Maybe@1', steps: [{ ...end, result: null }] },
      schema('demo/Maybe@1', { option: TEXT }),
    ),
  },
  {
    of: 'V-518 a schema that is in a file and not listed',
    wrong: (world) => {
      world.nodes.push(schema('demo/Other@1', TEXT));
      withPlan({ input: 'demo/Other@1' })(world);
    },
    finds: ['- def.unlisted demo/Other@1 /name', `V-518 schema.not_found ${P} /input`],
    hint: 'manifest.schemas',
    right: withPlan({ input: 'demo/Other@1' }, schema('demo/Other@1', TEXT)),
  },
  {
    of: 'V-519 a grant of another type',
    wrong: (world) => {
      world.manifest.defaults.cap_grants.push({ name: 'net', cap: 'sys/http.out@1', params: {} });
      withPlan({ steps: [emit('a', 'h', { cap: 'net' })] })(world);
    },
    finds: [`V-519 cap.type_mismatch ${P} /steps/0/cap`],
    fields: { grant: 'net', effect: 'timer.set', expected: 'timer', found: 'http.out' },
    right: (world) => {
      world.manifest.defaults.cap_grants.push({ name: 'net', cap: 'sys/timer@1', params: {} });
      withPlan({ steps: [emit('a', 'h', { cap: 'net' })] })(world);
    },
  },
  {
    of: 'V-521 no where',
    wrong: (world) => delete waiting(world).where,
    finds: [`V-521 plan.correlation_missing ${PLAN} /steps/2`],
    fields: { step: 'approved', key: 'id' },
    right: (world) => (waiting(world).where = op('eq', ref('@event.id'), ref('@plan.input.id'))),
  },
  {
    of: 'V-521 a where about something else; a longer name is not the key',
    wrong: (world) => {
      node(world, 'demo/Approved@1').type = record({ identity: TEXT, id: TEXT });
      waiting(world).where = op('eq', ref('@event.identity'), { text: 'x' });
    },
    finds: [`V-521 plan.correlation_unused ${PLAN} /steps/2/where`],
    fields: { step: 'approved', key: 'id' },
    right: (world) => {
      delete world.manifest.triggers[0].correlate_by;
      delete waiting(world).where;
    },
  },
  {
    of: 'V-521 two triggers with other keys: one finding for a wait',
    wrong: (world) => {
      node(world, 'demo/Task@1').type = record({ id: TEXT, other: TEXT, at: NAT });
      world.manifest.triggers.push({ ...world.manifest.triggers[0], correlate_by: 'other' });
      delete waiting(world).where;
    },
    finds: [`V-521 plan.correlation_missing ${PLAN} /steps/2`],
    fields: { step: 'approved', key: 'id' },
  },
  {
    of: 'V-521 a dotted key is compared as a whole',
    wrong: (world) => {
      node(world, 'demo/Task@1').type = record({ id: TEXT, at: NAT, sub: record({ id: TEXT }) });
      world.manifest.triggers[0].correlate_by = 'sub.id';
      waiting(world).where = op('eq', ref('@event.id'), ref('@plan.input.id'));
    },
    finds: [`V-521 plan.correlation_unused ${PLAN} /steps/2/where`],
    fields: { step: 'approved', key: 'sub.id' },
    right: (world) => {
      node(world, 'demo/Task@1').type = record({ id: TEXT, at: NAT, sub: record({ id: TEXT }) });
      world.manifest.triggers[0].correlate_by = 'sub.id';
    },
  },
  {
    of: 'V-522 an effect for reducers only',
    wrong: withPlan(sends, mail('reducer')),
    finds: [`V-522 effect.origin_scope ${P} /steps/0/kind`],
    fields: { step: 'a', kind: 'mail.send', scope: 'reducer' },
    right: withPlan(sends, mail('both')),
  },
];

export const PLANS: readonly RuleCase[] = [...CASES.map(planCase), ...WORLDS];
