import { type Authored, add, node, op, plan, ref, schema, TEXT } from '../fixtures.ts';
import type { Change, RuleCase } from './rule-case.ts';

/** V-1xx: structure. */

export const PLAN = 'demo/core_run@1';
const POLICY = 'demo/policy@1';

const inPlan =
  (change: (found: Authored) => void): Change =>
  (world) =>
    change(node(world, PLAN));
const push =
  (...nodes: Authored[]): Change =>
  (world) => {
    world.nodes.push(...nodes);
  };
const pure = { input: 'demo/Task@1', output: 'demo/Task@1' };
const reducer = { state: 'demo/Task@1', event: 'demo/Task@1' };
const module = (parts: Authored) => ({ $kind: 'defmodule', name: 'demo/m@1', ...parts });
const listed =
  (...nodes: Authored[]): Change =>
  (world) => {
    add(world, ...nodes);
  };

function bad(path: string, of = PLAN): string[] {
  return [`V-103 node.bad_field ${of} ${path}`];
}

export const STRUCTURE: readonly RuleCase[] = [
  {
    of: 'V-102 a kind that is none',
    wrong: push({ $kind: 'defplam', name: 'demo/x@1' }),
    finds: ['V-102 node.unknown_kind - /$kind'],
    fields: { found: 'defplam' },
    hint: 'defplan',
    right: listed(plan('demo/x@1', {})),
  },
  {
    of: 'V-102 no kind',
    wrong: push({ name: 'demo/x@1' }),
    finds: ['V-102 node.unknown_kind -'],
    fields: { found: 'nothing' },
  },
  {
    of: 'V-102 the reserved kind',
    wrong: push({ $kind: 'defmigration' }),
    finds: ['V-102 node.unknown_kind - /$kind'],
  },
  {
    of: 'V-103 no object',
    wrong: push(5),
    finds: ['V-103 node.bad_field -'],
    fields: { field: '', expected: 'a node (an object with $kind)', got: 'int' },
  },
  {
    of: 'V-103 a schema without type',
    wrong: listed({ $kind: 'defschema', name: 'demo/x@1' }),
    finds: bad('/type', 'demo/x@1'),
    fields: { field: 'type', expected: 'a type expression', got: 'nothing' },
    right: listed(schema('demo/x@1', TEXT)),
  },
  { of: 'V-103 a plan without input', wrong: inPlan((found) => delete found.input), finds: bad('/input') },
  { of: 'V-103 null for a required member', wrong: inPlan((found) => (found.input = null)), finds: bad('/input') },
  { of: 'V-103 null for a list', wrong: inPlan((found) => (found.edges = null)), finds: bad('/edges') },
  {
    of: 'V-103 null for a map',
    wrong: inPlan((found) => (found.locals = null)),
    finds: bad('/locals'),
    right: inPlan((found) => (found.locals = {})),
  },
  {
    of: 'V-103 await_event without bind',
    wrong: inPlan((found) => delete found.steps[2].bind),
    finds: bad('/steps/2/bind'),
  },
  { of: 'V-103 a step without op', wrong: inPlan((found) => delete found.steps[4].op), finds: bad('/steps/4/op') },
  {
    of: 'V-103 a step kind that is none',
    wrong: inPlan((found) => (found.steps[4].op = 'ende')),
    finds: bad('/steps/4/op'),
    hint: 'end',
  },
  { of: 'V-103 a step that is no object', wrong: inPlan((found) => (found.steps[4] = 'done')), finds: bad('/steps/4') },
  {
    of: 'V-103 a rule without when',
    wrong: (world) => delete node(world, POLICY).rules[0].when,
    finds: bad('/rules/0/when', POLICY),
    right: (world) => (node(world, POLICY).rules[0].when = {}),
  },
  {
    of: 'V-103 a rule without decision',
    wrong: (world) => delete node(world, POLICY).rules[0].decision,
    finds: bad('/rules/0/decision', POLICY),
  },
  {
    of: 'V-103 a reserved decision',
    wrong: (world) => (node(world, POLICY).rules[0].decision = 'require_approval'),
    finds: bad('/rules/0/decision', POLICY),
    right: (world) => (node(world, POLICY).rules[0].decision = 'deny'),
  },
  {
    of: 'V-103 module_kind other than reducer or pure',
    wrong: listed(module({ module_kind: 'impure', abi: { pure } })),
    finds: bad('/module_kind', 'demo/m@1'),
    right: listed(module({ module_kind: 'pure', abi: { pure } })),
  },
  {
    of: 'V-103 a module binding without slots',
    wrong: ({ manifest }) => (manifest.module_bindings = { 'demo/m@1': {} }),
    finds: bad('/module_bindings/demo~1m@1/slots', 'manifest'),
    right: (world) => {
      add(world, module({ module_kind: 'reducer', abi: { reducer } }));
      world.manifest.module_bindings = { 'demo/m@1': { slots: {} } };
    },
  },
  {
    of: 'V-103 a map type without key',
    wrong: listed(schema('demo/T@1', { map: { value: TEXT } })),
    finds: ['V-302 type.bad_map_key demo/T@1 /type/map/key'],
    right: listed(schema('demo/T@1', { map: { key: TEXT, value: TEXT } })),
  },
  {
    of: 'V-103 a grant without params',
    wrong: ({ manifest }) => delete manifest.defaults.cap_grants[0].params,
    finds: bad('/defaults/cap_grants/0/params', 'manifest'),
  },
  {
    of: 'V-103 an expiry that is no integer',
    wrong: ({ manifest }) => (manifest.defaults.cap_grants[0].expiry_ns = 'soon'),
    finds: bad('/defaults/cap_grants/0/expiry_ns', 'manifest'),
    right: ({ manifest }) => (manifest.defaults.cap_grants[0].expiry_ns = '1900000000000000000'),
  },
  {
    of: 'V-103 a negative expiry',
    wrong: ({ manifest }) => (manifest.defaults.cap_grants[0].expiry_ns = -1),
    finds: bad('/defaults/cap_grants/0/expiry_ns', 'manifest'),
    right: ({ manifest }) => (manifest.defaults.cap_grants[0].expiry_ns = 0),
  },
  {
    of: 'V-103 a section that is missing',
    wrong: ({ manifest }) => delete manifest.policies,
    finds: bad('/policies', 'manifest'),
  },

  ...(
    [
      ['in a node', (found) => (found.stepz = []), '/stepz'],
      ['in a step', (found) => (found.steps[4].resul = null), '/steps/4/resul'],
      ['in a bind', (found) => (found.steps[1].bind.ass = 'x'), '/steps/1/bind/ass'],
      ['in an edge', (found) => (found.edges[0].if = {}), '/edges/0/if'],
    ] as readonly [string, (found: Authored) => void, string][]
  ).map(
    ([where, change, path]): RuleCase => ({
      of: `V-104 an unknown member ${where}`,
      wrong: inPlan(change),
      finds: [`V-104 node.unknown_field ${PLAN} ${path}`],
      right: inPlan((found) => (found.$comment = 'any member may be called so')),
    }),
  ),
  {
    of: 'V-104 a misspelt member is reported once: it is not missing as well',
    wrong: inPlan((found) => {
      found.steps[0].parms = found.steps[0].params;
      delete found.steps[0].params;
    }),
    finds: [`V-104 node.unknown_field ${PLAN} /steps/0/parms`],
    fields: { field: 'parms' },
    hint: 'params',
  },
  {
    of: 'V-104 an unknown member in the manifest',
    wrong: ({ manifest }) => (manifest.trigers = []),
    finds: ['V-104 node.unknown_field manifest /trigers'],
  },
  {
    of: 'V-104 a name on the manifest',
    wrong: ({ manifest }) => (manifest.name = 'demo/x@1'),
    finds: ['V-104 node.unknown_field manifest /name'],
  },
  {
    of: 'V-104 in a trigger',
    wrong: ({ manifest }) => (manifest.triggers[0].filter = {}),
    finds: ['V-104 node.unknown_field manifest /triggers/0/filter'],
  },

  ...(
    [
      ['a capital namespace', 'Demo/x@1'],
      ['a leading zero', 'demo/x@01'],
      ['version 0', 'demo/x@0'],
      ['no version', 'demo/x'],
      ['no namespace', 'x@1'],
    ] as const
  ).map(
    ([title, name]): RuleCase => ({
      of: `V-105 ${title}`,
      wrong: push(schema(name, TEXT)),
      finds: [`V-105 name.invalid ${name} /name`],
      fields: { found: name },
      // The local part may begin with an underscore.
      right: listed(schema('demo/_x@1', TEXT)),
    }),
  ),
  {
    of: 'V-105 the name of a schema in a plan',
    wrong: inPlan((found) => (found.input = 'demo/Task')),
    finds: [`V-105 name.invalid ${PLAN} /input`],
  },
  {
    of: 'V-105 in a reference',
    wrong: ({ manifest }) => (manifest.plans[0].name = 'run'),
    finds: ['V-105 name.invalid manifest /plans/0/name'],
  },
  {
    of: 'V-105 a secret with a good version and a bad name',
    wrong: push({ $kind: 'defsecret', name: 'key@1', binding_id: 'env:K' }),
    finds: ['V-105 name.invalid key@1 /name'],
    right: listed({ $kind: 'defsecret', name: 'demo/key@1', binding_id: 'env:K' }),
  },

  {
    of: 'V-106 a step id that begins with a digit',
    wrong: inPlan((found) => (found.steps[4].id = '1done')),
    finds: [`V-106 ident.invalid ${PLAN} /steps/4/id`],
    fields: { field: 'id', found: '1done' },
  },
  {
    of: 'V-106 a variable of 65 characters',
    wrong: inPlan((found) => (found.steps[2].bind.as = 'v'.repeat(65))),
    finds: [`V-106 ident.invalid ${PLAN} /steps/2/bind/as`],
    right: inPlan((found) => (found.steps[2].bind.as = 'v'.repeat(64))),
  },
  {
    of: 'V-106 an effect kind in capitals',
    wrong: inPlan((found) => (found.steps[0].kind = 'Timer.set')),
    finds: [`V-106 ident.invalid ${PLAN} /steps/0/kind`],
  },
  {
    of: 'V-106 a local with a space',
    wrong: inPlan((found) => (found.locals = { 'a b': 'demo/Task@1' })),
    finds: [`V-106 ident.invalid ${PLAN} /locals/a b`],
    right: inPlan((found) => (found.locals = { 'a.b': 'demo/Task@1' })),
  },
  {
    of: 'V-106 slot name 1invalid',
    wrong: (world) => {
      add(world, module({ module_kind: 'reducer', abi: { reducer } }));
      world.manifest.module_bindings = { 'demo/m@1': { slots: { '1invalid': 'clock' } } };
    },
    finds: ['V-106 ident.invalid manifest /module_bindings/demo~1m@1/slots/1invalid'],
    right: (world) => {
      add(world, module({ module_kind: 'reducer', abi: { reducer: { ...reducer, cap_slots: { i1: 'timer' } } } }));
      world.manifest.module_bindings = { 'demo/m@1': { slots: { i1: 'clock' } } };
    },
  },
  {
    of: 'V-106 an edge end',
    wrong: inPlan((found) => (found.edges[0].from = 'a b')),
    finds: [`V-106 ident.invalid ${PLAN} /edges/0/from`],
  },

  ...(
    [
      ['upper case', `sha256:${'A'.repeat(64)}`],
      ['63 digits', `sha256:${'a'.repeat(63)}`],
      ['another prefix', `sha512:${'a'.repeat(64)}`],
      ['no hex', `sha256:${'g'.repeat(64)}`],
    ] as const
  ).map(
    ([title, hash]): RuleCase => ({
      of: `V-107 ${title}`,
      wrong: ({ manifest }) => (manifest.plans[0].hash = hash),
      finds: ['V-107 hash.invalid manifest /plans/0/hash'],
      fields: { found: hash },
      right: ({ manifest }) => (manifest.plans[0].hash = 'sha256:'),
    }),
  ),

  ...(
    [
      ['an empty abi', { module_kind: 'reducer', abi: {} }, '/abi'],
      ['a pure abi on a reducer', { module_kind: 'reducer', abi: { pure } }, '/abi/pure'],
      ['both', { module_kind: 'pure', abi: { pure, reducer } }, '/abi/reducer'],
      ['a key on a pure module', { module_kind: 'pure', key_schema: 'demo/Task@1', abi: { pure } }, '/key_schema'],
    ] as const
  ).map(
    ([title, parts, path]): RuleCase => ({
      of: `V-108 ${title}`,
      wrong: listed(module(parts)),
      finds: [`V-108 module.abi_mismatch demo/m@1 ${path}`],
      fields: { module_kind: parts.module_kind },
      right: listed(
        module(
          parts.module_kind === 'pure'
            ? { module_kind: 'pure', abi: { pure } }
            : { module_kind: 'reducer', key_schema: 'demo/Task@1', abi: { reducer } },
        ),
      ),
    }),
  ),

  ...(
    [
      ['a bare value as a predicate', (found) => (found.steps[2].where = true), '/steps/2/where'],
      ['an operator that is none', (found) => (found.steps[2].where.op = 'equals'), '/steps/2/where/op'],
      ['too few arguments', (found) => found.steps[2].where.args.pop(), '/steps/2/where/args'],
      [
        'a reference with a trailing dot',
        (found) => (found.edges[0].when = op('eq', ref('@plan.input.'), { text: 'x' })),
        '/edges/0/when/args/0/ref',
      ],
      ['in a slot', (found) => (found.steps[3].value.id = ref('@plan.inputs')), '/steps/3/value/id/ref'],
      ['in an invariant', (found) => (found.invariants = [{ op: 'not' }]), '/invariants/0/op'],
    ] as readonly [string, (found: Authored) => void, string][]
  ).map(
    ([title, change, path]): RuleCase => ({
      of: `V-109 ${title}`,
      wrong: inPlan(change),
      finds: [`V-109 expr.invalid ${PLAN} ${path}`],
      right: inPlan((found) => (found.edges[0].when = op('eq', ref('@plan.input.id'), { text: 'x' }))),
    }),
  ),
  {
    of: 'V-109 in a trigger',
    wrong: ({ manifest }) => (manifest.triggers[0].when = {}),
    finds: ['V-109 expr.invalid manifest /triggers/0/when'],
  },
  {
    of: 'V-109 well formed and ill typed',
    wrong: inPlan((found) => (found.edges[0].when = ref('@plan.input.id'))),
    finds: [`- not_bool ${PLAN} /edges/0/when`],
    right: inPlan((found) => (found.edges[0].when = op('eq', ref('@plan.input.id'), { text: 'x' }))),
  },
];

/** Files, and not nodes, are what V-101 is about. */
export function files(...texts: string[]): { path: string; text: string }[] {
  return texts.map((text, index) => ({ path: `air/${index}.json`, text }));
}
