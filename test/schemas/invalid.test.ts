// biome-ignore-all lint/suspicious/noExplicitAny: tests reach into authored JSON of every shape
import { describe, expect, test } from 'vitest';
import { parseJson } from '../../packages/air/src/json.ts';
import { readFiles } from '../../packages/air/src/load-files.ts';
import { parseNode } from '../../packages/air/src/node-parse.ts';
import { everyNode } from './every-node.ts';
import { AIR, HOST, SYNC, validator } from './schema-files.ts';

const air = validator(AIR);

/** [what is wrong, change of the node with every member, where the parser sees it] */
type Case = [why: string, kind: string, change: (node: any) => void, pointer: string];

const step = (node: any, op: string) => node.steps.find((each: any) => each.op === op);

/** The rules of structure (`definitions.md` §10, 1xx), each with one case per kind of member at least. */
const CASES: Record<string, readonly Case[]> = {
  'V-102': [
    ['an unknown kind', 'defplan', (n) => (n.$kind = 'defplna'), '/$kind'],
    ['the reserved kind', 'defplan', (n) => (n.$kind = 'defmigration'), '/$kind'],
    ['no kind', 'defplan', (n) => delete n.$kind, ''],
    ['a kind that is no text', 'defplan', (n) => (n.$kind = 1), '/$kind'],
  ],
  'V-103': [
    ['no name', 'defschema', (n) => delete n.name, '/name'],
    ['null for a name', 'defschema', (n) => (n.name = null), '/name'],
    ['no type', 'defschema', (n) => delete n.type, '/type'],
    ['no input', 'defplan', (n) => delete n.input, '/input'],
    ['no steps', 'defplan', (n) => delete n.steps, '/steps'],
    ['steps that are no list', 'defplan', (n) => (n.steps = {}), '/steps'],
    ['a step that is no object', 'defplan', (n) => (n.steps[0] = 'end'), '/steps/0'],
    ['a step without op', 'defplan', (n) => delete n.steps[0].op, '/steps/0/op'],
    ['an unknown op', 'defplan', (n) => (n.steps[0].op = 'emit_efect'), '/steps/0/op'],
    ['an op that is no text', 'defplan', (n) => (n.steps[0].op = 1), '/steps/0/op'],
    ['a step without id', 'defplan', (n) => delete n.steps[0].id, '/steps/0/id'],
    ['emit_effect without kind', 'defplan', (n) => delete step(n, 'emit_effect').kind, '/steps/0/kind'],
    ['emit_effect without params', 'defplan', (n) => delete step(n, 'emit_effect').params, '/steps/0/params'],
    ['emit_effect without cap', 'defplan', (n) => delete step(n, 'emit_effect').cap, '/steps/0/cap'],
    ['emit_effect without bind', 'defplan', (n) => delete step(n, 'emit_effect').bind, '/steps/0/bind'],
    ['await_receipt without for', 'defplan', (n) => delete step(n, 'await_receipt').for, '/steps/1/for'],
    ['await_event without bind', 'defplan', (n) => delete step(n, 'await_event').bind, '/steps/2/bind'],
    ['await_event with an empty bind', 'defplan', (n) => (step(n, 'await_event').bind = {}), '/steps/2/bind/as'],
    ['null for a bind', 'defplan', (n) => (step(n, 'await_event').bind = null), '/steps/2/bind'],
    ['assign without expr', 'defplan', (n) => delete step(n, 'assign').expr, '/steps/3/expr'],
    ['raise_event without value', 'defplan', (n) => delete step(n, 'raise_event').value, '/steps/5/value'],
    ['spawn_plan without plan', 'defplan', (n) => delete step(n, 'spawn_plan').plan, '/steps/6/plan'],
    ['max_fanout 0', 'defplan', (n) => (step(n, 'spawn_for_each').max_fanout = 0), '/steps/8/max_fanout'],
    [
      'max_fanout that is no integer',
      'defplan',
      (n) => (step(n, 'spawn_for_each').max_fanout = {}),
      '/steps/8/max_fanout',
    ],
    [
      'await_plans_all without handles',
      'defplan',
      (n) => delete step(n, 'await_plans_all').handles,
      '/steps/9/handles',
    ],
    ['null for a list', 'defplan', (n) => (n.edges = null), '/edges'],
    ['null for a map', 'defplan', (n) => (n.locals = null), '/locals'],
    ['an edge without to', 'defplan', (n) => delete n.edges[0].to, '/edges/0/to'],
    ['no module_kind', 'defmodule', (n) => delete n.module_kind, '/module_kind'],
    ['another module_kind', 'defmodule', (n) => (n.module_kind = 'wasm'), '/module_kind'],
    ['no abi', 'defmodule', (n) => delete n.abi, '/abi'],
    ['an abi without state', 'defmodule', (n) => delete n.abi.reducer.state, '/abi/reducer/state'],
    ['a list in place of cap slots', 'defmodule', (n) => (n.abi.reducer.cap_slots = []), '/abi/reducer/cap_slots'],
    ['no origin_scope', 'defeffect', (n) => delete n.origin_scope, '/origin_scope'],
    ['another origin_scope', 'defeffect', (n) => (n.origin_scope = 'all'), '/origin_scope'],
    ['a description that is no text', 'defeffect', (n) => (n.description = 1), '/description'],
    ['no cap_type', 'defcap', (n) => delete n.cap_type, '/cap_type'],
    ['an enforcer without module', 'defcap', (n) => (n.enforcer = {}), '/enforcer/module'],
    ['a rule without when', 'defpolicy', (n) => delete n.rules[0].when, '/rules/0/when'],
    ['a rule without decision', 'defpolicy', (n) => delete n.rules[0].decision, '/rules/0/decision'],
    ['another decision', 'defpolicy', (n) => (n.rules[0].decision = 'require_approval'), '/rules/0/decision'],
    ['another origin kind', 'defpolicy', (n) => (n.rules[0].when.origin_kind = 'module'), '/rules/0/when/origin_kind'],
    ['a secret without binding', 'defsecret', (n) => delete n.binding_id, '/binding_id'],
    ['a manifest without plans', 'manifest', (n) => delete n.plans, '/plans'],
    ['a reference without name', 'manifest', (n) => delete n.plans[0].name, '/plans/0/name'],
    [
      'a grant without params',
      'manifest',
      (n) => delete n.defaults.cap_grants[0].params,
      '/defaults/cap_grants/0/params',
    ],
    [
      'an expiry below 0',
      'manifest',
      (n) => (n.defaults.cap_grants[0].expiry_ns = -1),
      '/defaults/cap_grants/0/expiry_ns',
    ],
    [
      'a binding without slots',
      'manifest',
      (n) => delete n.module_bindings['a/m@1'].slots,
      '/module_bindings/a~1m@1/slots',
    ],
    ['a route without reducer', 'manifest', (n) => delete n.routing.events[0].reducer, '/routing/events/0/reducer'],
    ['an inbox without source', 'manifest', (n) => delete n.routing.inboxes[0].source, '/routing/inboxes/0/source'],
    ['a trigger without plan', 'manifest', (n) => delete n.triggers[0].plan, '/triggers/0/plan'],
    ['an inline secret without version', 'manifest', (n) => delete n.secrets[1].version, '/secrets/1/version'],
  ],
  'V-104': [
    ['in a node', 'defplan', (n) => (n.stepz = []), '/stepz'],
    ['$schema, which editors of other files want', 'defplan', (n) => (n.$schema = 'x'), '/$schema'],
    ['in a step', 'defplan', (n) => (step(n, 'end').resul = 1), '/steps/4/resul'],
    ['a member of another op', 'defplan', (n) => (step(n, 'end').bind = { as: 'x' }), '/steps/4/bind'],
    ['in a bind', 'defplan', (n) => (step(n, 'await_event').bind.ass = 'x'), '/steps/2/bind/ass'],
    ['in an edge', 'defplan', (n) => (n.edges[0].if = {}), '/edges/0/if'],
    ['in a manifest', 'manifest', (n) => (n.name = 'a/b@1'), '/name'],
    ['in a reference', 'manifest', (n) => (n.plans[0].hsah = 'x'), '/plans/0/hsah'],
    ['in a grant', 'manifest', (n) => (n.defaults.cap_grants[0].param = {}), '/defaults/cap_grants/0/param'],
    ['in a trigger', 'manifest', (n) => (n.triggers[0].correlate = 'x'), '/triggers/0/correlate'],
    ['in a route', 'manifest', (n) => (n.routing.events[0].key = 'x'), '/routing/events/0/key'],
    ['in an abi', 'defmodule', (n) => (n.abi.reducer.effects = []), '/abi/reducer/effects'],
    ['in a rule', 'defpolicy', (n) => (n.rules[0].when.kind = 'x'), '/rules/0/when/kind'],
    ['in a secret', 'defsecret', (n) => (n.alias = 'x'), '/alias'],
  ],
  'V-105': [
    ['a capital namespace', 'defschema', (n) => (n.name = 'Demo/x@1'), '/name'],
    ['a leading zero', 'defschema', (n) => (n.name = 'demo/x@01'), '/name'],
    ['no version', 'defplan', (n) => (n.input = 'demo/Task'), '/input'],
    ['in locals', 'defplan', (n) => (n.locals.x = 'Task'), '/locals/x'],
    ['in a step', 'defplan', (n) => (step(n, 'await_event').event = 'Task'), '/steps/2/event'],
    ['in a reference', 'manifest', (n) => (n.plans[0].name = 'run'), '/plans/0/name'],
    ['of a bound module', 'manifest', (n) => (n.module_bindings = { m: { slots: {} } }), '/module_bindings/m'],
    ['in an abi', 'defmodule', (n) => (n.abi.reducer.event = 'E'), '/abi/reducer/event'],
    ['of an enforcer', 'defcap', (n) => (n.enforcer.module = 'm'), '/enforcer/module'],
  ],
  'V-106': [
    ['a step id', 'defplan', (n) => (step(n, 'end').id = '1done'), '/steps/4/id'],
    ['a variable', 'defplan', (n) => (step(n, 'await_event').bind.as = 'a b'), '/steps/2/bind/as'],
    ['a local', 'defplan', (n) => (n.locals = { 'a b': 'a/b@1' }), '/locals/a b'],
    ['an effect kind', 'defplan', (n) => (step(n, 'emit_effect').kind = 'Http'), '/steps/0/kind'],
    ['a grant', 'defplan', (n) => (step(n, 'emit_effect').cap = ''), '/steps/0/cap'],
    ['an id of 65 characters', 'defplan', (n) => (step(n, 'end').id = 'a'.repeat(65)), '/steps/4/id'],
    ['a cap type', 'defeffect', (n) => (n.cap_type = 'C'), '/cap_type'],
    ['a cap slot', 'defmodule', (n) => (n.abi.reducer.cap_slots = { '1x': 'c' }), '/abi/reducer/cap_slots/1x'],
    [
      'a bound slot',
      'manifest',
      (n) => (n.module_bindings['a/m@1'].slots = { '1x': 'g' }),
      '/module_bindings/a~1m@1/slots/1x',
    ],
    ['a kind in a rule', 'defpolicy', (n) => (n.rules[0].when.effect_kind = 'A'), '/rules/0/when/effect_kind'],
  ],
  'V-107': [
    ['a wrong prefix', 'manifest', (n) => (n.plans[0].hash = `sha1:${'a'.repeat(64)}`), '/plans/0/hash'],
    ['a wrong length', 'manifest', (n) => (n.plans[0].hash = 'sha256:ab'), '/plans/0/hash'],
    ['upper case', 'manifest', (n) => (n.plans[0].hash = `sha256:${'A'.repeat(64)}`), '/plans/0/hash'],
    ['of a module', 'defmodule', (n) => (n.wasm_hash = 'x'), '/wasm_hash'],
    ['of a secret', 'defsecret', (n) => (n.expected_digest = 'sha256:'), '/expected_digest'],
  ],
  'V-108': [
    ['an empty abi', 'defmodule', (n) => (n.abi = {}), '/abi'],
    ['the other abi too', 'defmodule', (n) => (n.abi.pure = { input: 'a/b@1', output: 'a/b@1' }), '/abi/pure'],
    [
      'a key of a pure module',
      'defmodule',
      (n) => Object.assign(n, { module_kind: 'pure', abi: { pure: { input: 'a/b@1', output: 'a/b@1' } } }),
      '/key_schema',
    ],
    ['the abi of the other kind', 'defmodule', (n) => (n.module_kind = 'pure'), '/abi/reducer'],
  ],
  'V-109': [
    ['a raw text', 'defplan', (n) => (step(n, 'await_event').where = 'x'), '/steps/2/where'],
    ['an unknown operator', 'defplan', (n) => (step(n, 'await_event').where.op = 'equals'), '/steps/2/where/op'],
    ['too few operands', 'defplan', (n) => step(n, 'await_event').where.args.pop(), '/steps/2/where/args'],
    [
      'too many operands',
      'defplan',
      (n) => n.invariants.push({ op: 'not', args: [{ bool: true }, { bool: true }] }),
      '/invariants/1/args',
    ],
    ['a reference to nothing', 'defplan', (n) => (n.edges[0].when = { ref: '@plan.inputs' }), '/edges/0/when/ref'],
    ['a constant of the wrong kind', 'defplan', (n) => (n.edges[0].when = { bool: 'true' }), '/edges/0/when/bool'],
    ['two forms at once', 'defplan', (n) => (n.edges[0].when = { bool: true, int: 1 }), '/edges/0/when'],
    ['no form', 'defplan', (n) => (n.edges[0].when = {}), '/edges/0/when'],
    [
      'a map entry without value',
      'defplan',
      (n) => (n.invariants = [{ map: [{ key: { int: 1 } }] }]),
      '/invariants/0/map/0',
    ],
    ['of a trigger', 'manifest', (n) => (n.triggers[0].when = { ref: 'event' }), '/triggers/0/when/ref'],
  ],
  'V-201': [
    ['no air_version', 'manifest', (n) => delete n.air_version, '/air_version'],
    ['another air_version', 'manifest', (n) => (n.air_version = '2'), '/air_version'],
    ['a number', 'manifest', (n) => (n.air_version = 1), '/air_version'],
  ],
  'V-301': [
    ['no type key', 'defschema', (n) => (n.type = { txt: {} }), '/type/txt'],
    ['two type keys', 'defschema', (n) => (n.type = { text: {}, nat: {} }), '/type'],
    ['a body in a scalar', 'defschema', (n) => (n.type = { text: { max: 1 } }), '/type/text'],
    ['no schema name', 'defcap', (n) => (n.schema = { ref: 'x' }), '/schema/ref'],
    ['a name in place of a type', 'defschema', (n) => (n.type = 'text'), '/type'],
  ],
  'V-302': [
    [
      'a record as key',
      'defschema',
      (n) => (n.type = { map: { key: { record: {} }, value: { text: {} } } }),
      '/type/map/key',
    ],
    ['no value', 'defschema', (n) => (n.type = { map: { key: { text: {} } } }), '/type/map/value'],
  ],
  'V-303': [['a set of lists', 'defschema', (n) => (n.type = { set: { list: { text: {} } } }), '/type/set']],
  'V-304': [
    ['an option of an option', 'defschema', (n) => (n.type = { option: { option: { text: {} } } }), '/type/option'],
    ['an option of unit', 'defschema', (n) => (n.type = { option: { unit: {} } }), '/type/option'],
  ],
  'V-307': [
    ['a field with $', 'defschema', (n) => (n.type = { record: { $tag: { text: {} } } }), '/type/record/$tag'],
    ['a field without name', 'defschema', (n) => (n.type = { record: { '': { text: {} } } }), '/type/record/'],
    ['a variant without arms', 'defschema', (n) => (n.type = { variant: {} }), '/type/variant'],
  ],
  'V-611': [['a secret without version', 'defsecret', (n) => (n.name = 'a/s'), '/name']],
};

function escaped(path: readonly (string | number)[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

describe.each(Object.entries(CASES))('%s', (rule, cases) => {
  test.each(cases)('%s', (_, kind, change, pointer) => {
    const node = everyNode().find((each) => each.$kind === kind);
    change(node);
    const { problems } = parseNode({ json: node, base: [] }, { authored: true });
    expect(problems.map((problem) => [problem.rule, escaped(problem.path)])).toContainEqual([rule, pointer]);
    // The schema points at the same value, or at the object around it when a member is missing, unknown or misnamed.
    const places = air(node).map((each) => each.slice(0, each.indexOf(': ')));
    const around = pointer.slice(0, pointer.lastIndexOf('/'));
    expect(places.some((place) => place === pointer || place === around)).toBe(true);
  });
});

describe('V-101: a file is one node or a list of nodes', () => {
  test.each(['"text"', '12', 'null', '[5]', '[[]]', '{}'])('%s is neither', (text) => {
    const json = parseJson(text);
    const { origins, problems } = readFiles([{ path: 'air/a.json', text }]);
    const wrong = [...problems, ...origins.flatMap((origin) => parseNode(origin, { authored: true }).problems)];
    const taken = wrong.length === 0;
    expect([json.ok, taken]).toEqual([true, false]);
    expect(air(JSON.parse(text))).not.toEqual([]);
  });

  test('an empty list, one node and several are', () => {
    const nodes = everyNode();
    for (const json of [[], nodes[0], nodes]) expect(air(json)).toEqual([]);
  });
});

describe('slots: what looks like an expression is one (`values.md` §3.3, rule 1)', () => {
  test.each([
    ['an unknown operator', { op: 'equals', args: [] }],
    ['too few operands', { op: 'eq', args: [{ int: 1 }] }],
    ['operands in plain JSON', { op: 'eq', args: [1, 1] }],
    ['a reference to nothing', { ref: '@plan.inputs' }],
    ['deep inside of a value', { a: [{ b: { op: 'equals', args: [] } }] }],
  ])('%s', (_, value) => {
    const node = everyNode().find((each) => each.$kind === 'defplan');
    step(node, 'raise_event').value = value;
    expect(air(node)).not.toEqual([]);
  });

  test.each([
    ['a record with a field called op', { op: 'equals' }],
    ['a record with a field called ref', { ref: 'main' }],
    ['a record with one more field', { op: 'equals', args: [], note: 'x' }],
    ['a tagged record with fields called op and args', { record: { op: { text: 'x' }, args: { list: [] } } }],
    ['a comment', { text: 'x', $comment: { op: 'equals', args: [] } }],
  ])('%s is a value', (_, value) => {
    const node = everyNode().find((each) => each.$kind === 'defplan');
    step(node, 'raise_event').value = value;
    expect(air(node)).toEqual([]);
  });
});

describe('worldline.json', () => {
  const check = validator(SYNC);
  test.each([
    ['no version', { air: {} }],
    ['another version', { version: 2 }],
    ['an unknown key', { version: 1, checks: { ignored: [] } }],
    ['an empty folder name', { version: 1, air: { dir: '' } }],
    ['an ignored finding without reason', { version: 1, checks: { ignore: [{ code: 'RL001' }] } }],
    ['an import with an unknown key', { version: 1, air: { imports: [{ path: '../x', locked: 'x' }] } }],
    ['an import of a package without name', { version: 1, air: { imports: [{ npm: { version: '^1.0.0' } }] } }],
    ['modules, which a later release reads', { version: 1, modules: { pull: true } }],
  ])('%s is refused', (_, json) => {
    expect(check(json)).not.toEqual([]);
  });
});

describe('worldline.host.json', () => {
  const check = validator(HOST);
  test.each([
    ['an unknown key', { htpp: {} }],
    ['an unknown key of a section', { http: { timeout: 1 } }],
    ['a comment, which this file has not', { $comment: 'x' }],
    ['a text in place of a number', { http: { timeout_ms: '10' } }],
    ['a number below its least', { journal: { max_group: 0 } }],
    ['another choice', { http: { redirects: 'follow' } }],
    ['a credential without binding', { http: { credentials: [{ grant: 'g', origin: 'o', header: 'h' }] } }],
    ['a store elsewhere, which a later release has', { store: { url: 'postgres://x' } }],
    ['retries that are no object', { effects: { retry: 5 } }],
  ])('%s is refused', (_, json) => {
    expect(check(json)).not.toEqual([]);
  });
});
