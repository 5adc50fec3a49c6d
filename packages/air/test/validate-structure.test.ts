import { describe, expect, test } from 'vitest';
import { loadAuthored } from '../src/load-authored.ts';
import {
  type Authored,
  findings,
  line,
  load,
  node,
  op,
  plan,
  record,
  ref,
  schema,
  smallWorld,
  TEXT,
  type WorldFixture,
} from './fixtures.ts';

/** Rules V-1xx, V-2xx and V-3xx of definitions.md §10: code and path for each, on a world that is otherwise sound. */

type Case = [why: string, change: (world: WorldFixture) => void, expected: string[]];

function check(cases: readonly Case[]): void {
  test.each(cases)('%s', (_why, change, expected) => {
    const world = smallWorld();
    change(world);
    expect(findings(load(world.nodes))).toEqual(expected);
  });
}

const PLAN = 'demo/core_run@1';

describe('V-101: a file is one node, an array of nodes, or blank', () => {
  function files(...texts: string[]): string[] {
    const world = JSON.stringify(smallWorld().nodes);
    return findings(loadAuthored([world, ...texts].map((text, index) => ({ path: `air/${index}.json`, text }))));
  }

  test.each([
    ['', []],
    [' \n\t', []],
    ['\ufeff', []],
    ['[]', []],
    ['"text"', ['V-101 json.invalid -']],
    ['12', ['V-101 json.invalid -']],
    ['[1,', ['V-101 json.invalid - /1']],
    ['{"$kind":"defschema","$kind":"x"}', ['V-101 json.duplicate_key - /$kind']],
  ])('%j', (text, expected) => {
    expect(files(text)).toEqual(expected);
  });

  test('an error has file, line and column, and all files are read', () => {
    const loaded = loadAuthored([
      { path: 'air/a.json', text: '{\n  "x": tru }' },
      { path: 'air/b.json', text: '[{"a":1}' },
    ]);
    expect(loaded.ok).toBe(false);
    if (loaded.ok) return;
    expect(loaded.failure.map(({ file, line: at, column }) => [file, at, column])).toEqual([
      ['air/a.json', 2, 8],
      ['air/b.json', 1, 9],
    ]);
  });
});

describe('V-102: $kind is known', () => {
  check([
    [
      'a typing error',
      ({ nodes }) => nodes.push({ $kind: 'defplam', name: 'demo/x@1' }),
      ['V-102 node.unknown_kind - /$kind'],
    ],
    ['none at all', ({ nodes }) => nodes.push({ name: 'demo/x@1' }), ['V-102 node.unknown_kind -']],
    ['the reserved kind', ({ nodes }) => nodes.push({ $kind: 'defmigration' }), ['V-102 node.unknown_kind - /$kind']],
    ['no object', ({ nodes }) => nodes.push(5), ['V-103 node.bad_field -']],
  ]);

  test('the nearest kind is suggested', () => {
    const loaded = load([{ $kind: 'defplam' }]);
    expect(!loaded.ok && loaded.failure[0]?.hint).toBe('Did you mean "defplan"?');
  });
});

describe('V-103: required members are there and of the right JSON kind', () => {
  check([
    [
      'a schema without type',
      ({ nodes }) => nodes.push({ $kind: 'defschema', name: 'demo/x@1' }),
      ['V-103 node.bad_field demo/x@1 /type'],
    ],
    ['a plan without input', (world) => delete node(world, PLAN).input, [`V-103 node.bad_field ${PLAN} /input`]],
    [
      'null for a required member',
      (world) => (node(world, PLAN).input = null),
      [`V-103 node.bad_field ${PLAN} /input`],
    ],
    ['null for a list', (world) => (node(world, PLAN).edges = null), [`V-103 node.bad_field ${PLAN} /edges`]],
    ['null for a map', (world) => (node(world, PLAN).locals = null), [`V-103 node.bad_field ${PLAN} /locals`]],
    [
      'await_event without bind',
      (world) => delete node(world, PLAN).steps[2].bind,
      [`V-103 node.bad_field ${PLAN} /steps/2/bind`],
    ],
    [
      'an unknown step kind',
      (world) => (node(world, PLAN).steps[4].op = 'ende'),
      [`V-103 node.bad_field ${PLAN} /steps/4/op`],
    ],
    [
      'a step without op',
      (world) => delete node(world, PLAN).steps[4].op,
      [`V-103 node.bad_field ${PLAN} /steps/4/op`],
    ],
    [
      'a rule without when',
      (world) => delete node(world, 'demo/policy@1').rules[0].when,
      ['V-103 node.bad_field demo/policy@1 /rules/0/when'],
    ],
    [
      'a rule without decision',
      (world) => delete node(world, 'demo/policy@1').rules[0].decision,
      ['V-103 node.bad_field demo/policy@1 /rules/0/decision'],
    ],
    [
      'a reserved decision',
      (world) => (node(world, 'demo/policy@1').rules[0].decision = 'require_approval'),
      ['V-103 node.bad_field demo/policy@1 /rules/0/decision'],
    ],
    [
      'module_kind other than reducer or pure',
      ({ nodes }) =>
        nodes.push({
          $kind: 'defmodule',
          name: 'demo/m@1',
          module_kind: 'impure',
          abi: { pure: { input: 'demo/Task@1', output: 'demo/Task@1' } },
        }),
      ['V-103 node.bad_field demo/m@1 /module_kind'],
    ],
    [
      'a module binding without slots',
      ({ manifest }) => (manifest.module_bindings = { 'demo/m@1': {} }),
      ['V-103 node.bad_field manifest /module_bindings/demo~1m@1/slots'],
    ],
    [
      'a grant without params',
      ({ manifest }) => delete manifest.defaults.cap_grants[0].params,
      ['V-103 node.bad_field manifest /defaults/cap_grants/0/params'],
    ],
    [
      'an expiry that is no integer',
      ({ manifest }) => (manifest.defaults.cap_grants[0].expiry_ns = 'soon'),
      ['V-103 node.bad_field manifest /defaults/cap_grants/0/expiry_ns'],
    ],
    [
      'a negative expiry',
      ({ manifest }) => (manifest.defaults.cap_grants[0].expiry_ns = -1),
      ['V-103 node.bad_field manifest /defaults/cap_grants/0/expiry_ns'],
    ],
    [
      'max_fanout below 1 (V-705)',
      ({ nodes }) =>
        nodes.push(
          plan('demo/f@1', {
            steps: [
              { id: 's', op: 'spawn_for_each', plan: PLAN, inputs: [], max_fanout: 0, bind: { handles_as: 'h' } },
            ],
          }),
        ),
      ['V-103 node.bad_field demo/f@1 /steps/0/max_fanout'],
    ],
    [
      'a section that is missing',
      ({ manifest }) => delete manifest.policies,
      ['V-103 node.bad_field manifest /policies'],
    ],
  ]);
});

describe('V-104: no unknown members', () => {
  check([
    ['in a node', (world) => (node(world, PLAN).stepz = []), [`V-104 node.unknown_field ${PLAN} /stepz`]],
    [
      'in a step',
      (world) => (node(world, PLAN).steps[4].resul = null),
      [`V-104 node.unknown_field ${PLAN} /steps/4/resul`],
    ],
    [
      'in a bind',
      (world) => (node(world, PLAN).steps[1].bind.ass = 'x'),
      [`V-104 node.unknown_field ${PLAN} /steps/1/bind/ass`],
    ],
    ['in an edge', (world) => (node(world, PLAN).edges[0].if = {}), [`V-104 node.unknown_field ${PLAN} /edges/0/if`]],
    ['in the manifest', ({ manifest }) => (manifest.trigers = []), ['V-104 node.unknown_field manifest /trigers']],
    [
      'in a trigger',
      ({ manifest }) => (manifest.triggers[0].correlate = 'id'),
      ['V-104 node.unknown_field manifest /triggers/0/correlate'],
    ],
    [
      'a name on the manifest',
      ({ manifest }) => (manifest.name = 'demo/x@1'),
      ['V-104 node.unknown_field manifest /name'],
    ],
  ]);

  test('it points at the member and suggests the known one', () => {
    const text = '{\n  "$kind": "defpolicy",\n  "name": "demo/p@1",\n  "ruels": [],\n  "rules": []\n}';
    const loaded = loadAuthored([{ path: 'air/p.json', text }]);
    expect(!loaded.ok && loaded.failure[0]).toMatchObject({
      code: 'node.unknown_field',
      file: 'air/p.json',
      line: 4,
      column: 3,
      hint: 'Did you mean "rules"?',
      kind: 'defpolicy',
      name: 'demo/p@1',
      fields: { field: 'ruels' },
    });
  });
});

describe('V-105, V-106, V-107: names, identifiers, hashes', () => {
  check([
    ['a capital namespace', ({ nodes }) => nodes.push(schema('Demo/x@1', TEXT)), ['V-105 name.invalid Demo/x@1 /name']],
    ['a leading zero', ({ nodes }) => nodes.push(schema('demo/x@01', TEXT)), ['V-105 name.invalid demo/x@01 /name']],
    ['version 0', ({ nodes }) => nodes.push(schema('demo/x@0', TEXT)), ['V-105 name.invalid demo/x@0 /name']],
    ['no version', (world) => (node(world, PLAN).input = 'demo/Task'), [`V-105 name.invalid ${PLAN} /input`]],
    ['a reference', ({ manifest }) => (manifest.plans[0].name = 'run'), ['V-105 name.invalid manifest /plans/0/name']],
    ['a step id', (world) => (node(world, PLAN).steps[4].id = '1done'), [`V-106 ident.invalid ${PLAN} /steps/4/id`]],
    [
      'a variable of 65 characters',
      (world) => (node(world, PLAN).steps[2].bind.as = 'v'.repeat(65)),
      [`V-106 ident.invalid ${PLAN} /steps/2/bind/as`],
    ],
    [
      'an effect kind in capitals',
      (world) => (node(world, PLAN).steps[0].kind = 'Timer.set'),
      [`V-106 ident.invalid ${PLAN} /steps/0/kind`],
    ],
    [
      'a local',
      (world) => (node(world, PLAN).locals = { 'a b': 'demo/Task@1' }),
      [`V-106 ident.invalid ${PLAN} /locals/a b`],
    ],
    [
      'a slot name',
      ({ manifest }) => (manifest.module_bindings = { 'demo/m@1': { slots: { '1invalid': 'clock' } } }),
      ['V-106 ident.invalid manifest /module_bindings/demo~1m@1/slots/1invalid'],
    ],
    [
      'upper-case hex',
      ({ manifest }) => (manifest.plans[0].hash = `sha256:${'A'.repeat(64)}`),
      ['V-107 hash.invalid manifest /plans/0/hash'],
    ],
    [
      '63 digits',
      ({ manifest }) => (manifest.plans[0].hash = `sha256:${'a'.repeat(63)}`),
      ['V-107 hash.invalid manifest /plans/0/hash'],
    ],
    [
      'another prefix',
      ({ manifest }) => (manifest.plans[0].hash = `sha512:${'a'.repeat(64)}`),
      ['V-107 hash.invalid manifest /plans/0/hash'],
    ],
  ]);

  test('a local part may begin with an underscore (values.md §1)', () => {
    const world = smallWorld();
    world.nodes.push(schema('demo/_internal@1', TEXT));
    expect(findings(load(world.nodes))).toEqual([]);
  });
});

describe('V-108: a module has the ABI of its kind and no other', () => {
  const reducer = { state: 'demo/Task@1', event: 'demo/Task@1' };
  const pure = { input: 'demo/Task@1', output: 'demo/Task@1' };
  const module = (parts: Authored) => ({ $kind: 'defmodule', name: 'demo/m@1', ...parts });
  check([
    [
      'an empty ABI',
      ({ nodes }) => nodes.push(module({ module_kind: 'reducer', abi: {} })),
      ['V-108 module.abi_mismatch demo/m@1 /abi'],
    ],
    [
      'a pure ABI on a reducer',
      ({ nodes }) => nodes.push(module({ module_kind: 'reducer', abi: { pure } })),
      ['V-108 module.abi_mismatch demo/m@1 /abi/pure'],
    ],
    [
      'both',
      ({ nodes }) => nodes.push(module({ module_kind: 'pure', abi: { pure, reducer } })),
      ['V-108 module.abi_mismatch demo/m@1 /abi/reducer'],
    ],
    [
      'a key on a pure module',
      ({ nodes }) => nodes.push(module({ module_kind: 'pure', key_schema: 'demo/Task@1', abi: { pure } })),
      ['V-108 module.abi_mismatch demo/m@1 /key_schema'],
    ],
    [
      'a sound one that nobody lists is read and only warned about',
      ({ nodes }) => nodes.push(module({ module_kind: 'reducer', key_schema: 'demo/Task@1', abi: { reducer } })),
      [],
    ],
  ]);
});

describe('V-109: expressions are well formed', () => {
  check([
    [
      'a bare value as a predicate',
      (world) => (node(world, PLAN).steps[2].where = true),
      [`V-109 expr.invalid ${PLAN} /steps/2/where`],
    ],
    [
      'an unknown operator',
      (world) => (node(world, PLAN).steps[2].where = op('equals', ref('@event.id'), ref('@var:correlation_id'))),
      [`V-109 expr.invalid ${PLAN} /steps/2/where/op`],
    ],
    [
      'too few arguments',
      (world) => (node(world, PLAN).steps[2].where = op('eq', ref('@event.id'))),
      [`V-109 expr.invalid ${PLAN} /steps/2/where/args`],
    ],
    [
      'a reference with a trailing dot',
      (world) => (node(world, PLAN).edges[0].when = op('eq', ref('@plan.input.'), { bool: true })),
      [`V-109 expr.invalid ${PLAN} /edges/0/when/args/0/ref`],
    ],
    [
      'in a slot',
      (world) => (node(world, PLAN).steps[3].value.id = ref('@plan.inputs')),
      [`V-109 expr.invalid ${PLAN} /steps/3/value/id/ref`],
    ],
    [
      'in a trigger',
      ({ manifest }) => (manifest.triggers[0].when = {}),
      ['V-109 expr.invalid manifest /triggers/0/when'],
    ],
    [
      'in an invariant',
      (world) => (node(world, PLAN).invariants = [{ op: 'not' }]),
      [`V-109 expr.invalid ${PLAN} /invariants/0/op`],
    ],
  ]);
});

describe('plans.md §2.1: a plan is not too large', () => {
  check([
    [
      '513 steps',
      (world) => (node(world, PLAN).steps = Array.from({ length: 513 }, (_, i) => ({ id: `s${i}`, op: 'end' }))),
      [`- plan.too_large ${PLAN} /steps`],
    ],
    [
      '2049 edges',
      (world) => (node(world, PLAN).edges = Array.from({ length: 2049 }, () => ({ from: 'arm', to: 'done' }))),
      [`- plan.too_large ${PLAN} /edges`],
    ],
    [
      '65 invariants',
      (world) => (node(world, PLAN).invariants = Array.from({ length: 65 }, () => ({ bool: true }))),
      [`- plan.too_large ${PLAN} /invariants`],
    ],
    [
      '512 steps are fine',
      ({ nodes }) =>
        nodes.push(plan('demo/long@1', { steps: Array.from({ length: 512 }, (_, i) => ({ id: `s${i}`, op: 'end' })) })),
      [],
    ],
  ]);
});

describe('V-201: air_version comes before anything else in the manifest', () => {
  check([
    [
      'missing',
      ({ manifest }) => {
        delete manifest.air_version;
        manifest.unknown = 1;
      },
      ['V-201 manifest.air_version_missing manifest /air_version'],
    ],
    [
      'of another version',
      ({ manifest }) => (manifest.air_version = '2'),
      ['V-201 manifest.air_version_unsupported manifest /air_version'],
    ],
    [
      'a number',
      ({ manifest }) => (manifest.air_version = 1),
      ['V-201 manifest.air_version_unsupported manifest /air_version'],
    ],
  ]);
});

describe('V-202: one definition per kind and name', () => {
  check([
    [
      'another schema of that name',
      ({ nodes }) => nodes.push(schema('demo/Task@1', TEXT)),
      ['V-202 import.conflict demo/Task@1 /name'],
    ],
    ['another plan of that name', ({ nodes }) => nodes.push(plan(PLAN, {})), [`V-202 import.conflict ${PLAN} /name`]],
    [
      'the same name for another kind is another definition',
      ({ nodes }) => nodes.push({ $kind: 'defcap', name: 'demo/Task@1', cap_type: 'x', schema: record({}) }),
      [],
    ],
  ]);

  test('an exact copy only warns, also when it is spelled otherwise', () => {
    const world = smallWorld();
    world.nodes.push({ ...schema('demo/Done@1', record({ late: { bool: {} }, id: TEXT })), $comment: 'copy' });
    world.nodes.push(structuredClone(node(world, PLAN)));
    const loaded = load(world.nodes);
    expect(findings(loaded)).toEqual([]);
    expect(loaded.ok && loaded.value.warnings.map(line)).toEqual([
      'V-202 def.duplicate demo/Done@1 /name',
      `V-202 def.duplicate ${PLAN} /name`,
    ]);
  });

  test('a conflict names both files', () => {
    const loaded = loadAuthored([
      { path: 'air/a.json', text: JSON.stringify(schema('demo/Task@1', TEXT)) },
      { path: 'air/b.json', text: JSON.stringify(smallWorld().nodes) },
    ]);
    expect(!loaded.ok && loaded.failure[0]?.fields).toEqual({
      kind: 'defschema',
      name: 'demo/Task@1',
      files: ['air/a.json', 'air/b.json'],
    });
  });
});

describe('V-203: sys/ is the runtime’s', () => {
  check([
    ['a definition', ({ nodes }) => nodes.push(schema('sys/Mine@1', TEXT)), ['V-203 air.sys_def sys/Mine@1 /name']],
    [
      'an unknown schema',
      ({ manifest }) => manifest.schemas.push({ name: 'sys/Mine@1' }),
      ['V-203 name.reserved manifest /schemas/3/name'],
    ],
    [
      'a schema listed as a cap',
      ({ manifest }) => manifest.caps.push({ name: 'sys/TimerSetParams@1' }),
      ['V-203 name.reserved manifest /caps/0/name'],
    ],
    [
      'a plan',
      ({ manifest }) => manifest.plans.push({ name: 'sys/plan@1' }),
      ['V-203 name.reserved manifest /plans/1/name'],
    ],
    [
      'a policy',
      ({ manifest }) => manifest.policies.push({ name: 'sys/policy@1' }),
      ['V-203 name.reserved manifest /policies/1/name'],
    ],
    [
      'a secret',
      ({ manifest }) => (manifest.secrets = [{ name: 'sys/secret@1' }]),
      ['V-203 name.reserved manifest /secrets/0/name'],
    ],
    [
      'the enforcer that is no module',
      ({ manifest }) => manifest.modules.push({ name: 'sys/CapAllowAll@1' }),
      ['V-203 name.reserved manifest /modules/0/name'],
    ],
    [
      'built-ins of the right section',
      ({ manifest }) => {
        manifest.schemas.push({ name: 'sys/TimerSetParams@1' });
        manifest.caps.push({ name: 'sys/timer@1' });
        manifest.modules.push({ name: 'sys/CapEnforceHttpOut@1' });
      },
      [],
    ],
  ]);
});

describe('V-204: exactly one manifest', () => {
  check([
    ['two', (world) => world.nodes.push(structuredClone(world.manifest)), ['V-204 air.manifest_duplicate manifest']],
    ['none', ({ nodes }) => nodes.shift(), ['V-204 air.manifest_missing -']],
  ]);

  test('no files at all are no manifest', () => {
    expect(findings(loadAuthored([]))).toEqual(['V-204 air.manifest_missing -']);
  });
});

describe('V-205, V-206, V-211 and placeholders', () => {
  check([
    [
      'an inline secret',
      ({ manifest }) => (manifest.secrets = [{ alias: 'a', version: 1, binding_id: 'env:A' }]),
      ['V-205 secret.inline_unsupported manifest /secrets/0'],
    ],
    [
      'an unknown schema',
      ({ manifest }) => manifest.schemas.push({ name: 'demo/Tsk@1' }),
      ['V-206 ref.unknown manifest /schemas/3/name'],
    ],
    [
      'a definition of another kind',
      ({ manifest }) => manifest.plans.push({ name: 'demo/Task@1' }),
      ['V-206 ref.unknown manifest /plans/1/name'],
    ],
    [
      'a name listed twice',
      ({ manifest }) => manifest.plans.push({ name: PLAN }),
      ['V-211 ref.duplicate manifest /plans/1/name'],
    ],
    [
      'two effects of one kind',
      (world) => {
        for (const name of ['demo/a@1', 'demo/b@1']) {
          world.nodes.push({
            $kind: 'defeffect',
            name,
            kind: 'mail.send',
            params_schema: 'demo/Task@1',
            receipt_schema: 'demo/Done@1',
            cap_type: 'mail',
            origin_scope: 'plan',
          });
          world.manifest.effects.push({ name });
        }
      },
      ['V-211 effect.kind_duplicate manifest /effects/2'],
    ],
    [
      'a built-in kind, even when the built-in effect is not listed',
      (world) => {
        world.nodes.push({
          $kind: 'defeffect',
          name: 'demo/a@1',
          kind: 'http.request',
          params_schema: 'demo/Task@1',
          receipt_schema: 'demo/Done@1',
          cap_type: 'mail',
          origin_scope: 'plan',
        });
        world.manifest.effects.push({ name: 'demo/a@1' });
      },
      ['V-211 effect.kind_duplicate manifest /effects/1'],
    ],
  ]);

  test('a name near an existing one is suggested', () => {
    const world = smallWorld();
    world.manifest.schemas.push({ name: 'demo/Tsk@1' });
    const loaded = load(world.nodes);
    expect(!loaded.ok && loaded.failure[0]?.hint).toBe('Did you mean "demo/Task@1"?');
  });

  test('a written hash that is not the definition’s is replaced with a warning (§8.4)', () => {
    const world = smallWorld();
    const before = load(world.nodes);
    world.manifest.plans[0].hash = `sha256:${'a'.repeat(64)}`;
    world.manifest.schemas[0].hash = `sha256:${'0'.repeat(64)}`;
    world.manifest.effects[0].hash = null;
    const loaded = load(world.nodes);
    expect(loaded.ok && loaded.value.warnings.map(line)).toEqual(['- ref.stale_hash manifest /plans/0/hash']);
    expect(loaded.ok && before.ok && loaded.value.catalog.manifestHash).toEqual(
      before.ok && before.value.catalog.manifestHash,
    );
  });

  test('an unlisted definition is a warning and stays out of the catalog (§8.4)', () => {
    const world = smallWorld();
    world.nodes.push(schema('demo/Spare@1', TEXT));
    const loaded = load(world.nodes);
    expect(loaded.ok && loaded.value.warnings.map(line)).toEqual(['- def.unlisted demo/Spare@1 /name']);
    expect(loaded.ok && loaded.value.catalog.schemas.has('demo/Spare@1')).toBe(false);
  });
});

describe('V-301 … V-307: types', () => {
  const typed = (type: Authored) => (world: WorldFixture) => {
    world.nodes.push(schema('demo/T@1', type));
  };
  check([
    ['no type key', typed({ txt: {} }), ['V-301 type.invalid demo/T@1 /type/txt']],
    ['two type keys', typed({ text: {}, nat: {} }), ['V-301 type.invalid demo/T@1 /type']],
    ['a body in a scalar', typed({ text: { max: 1 } }), ['V-301 type.invalid demo/T@1 /type/text']],
    [
      'a map over records',
      typed({ map: { key: record({}), value: TEXT } }),
      ['V-302 type.bad_map_key demo/T@1 /type/map/key'],
    ],
    ['a map without value', typed({ map: { key: TEXT } }), ['V-302 type.bad_map_key demo/T@1 /type/map/value']],
    ['a set of lists', typed({ set: { list: TEXT } }), ['V-303 type.bad_set_element demo/T@1 /type/set']],
    [
      'a set of records behind a ref',
      typed(record({ a: { set: { ref: 'demo/Task@1' } } })),
      ['V-303 type.bad_set_element demo/T@1 /type/record/a/set'],
    ],
    ['an option of unit', typed({ option: { unit: {} } }), ['V-304 type.ambiguous_option demo/T@1 /type/option']],
    [
      'an option of an option behind a ref',
      (world) => {
        world.nodes.push(
          schema('demo/Maybe@1', { option: TEXT }),
          schema('demo/T@1', { list: { option: { ref: 'demo/Maybe@1' } } }),
        );
      },
      ['V-304 type.ambiguous_option demo/T@1 /type/list/option'],
    ],
    [
      'a schema that holds itself',
      typed(record({ next: { option: { ref: 'demo/T@1' } } })),
      ['V-305 schema.recursive demo/T@1 /type/record/next/option'],
    ],
    [
      'two schemas that hold each other',
      (world) => {
        world.nodes.push(
          schema('demo/A@1', { list: { ref: 'demo/B@1' } }),
          schema('demo/B@1', record({ a: { ref: 'demo/A@1' } })),
        );
      },
      ['V-305 schema.recursive demo/B@1 /type/record/a'],
    ],
    [
      'an unknown ref',
      typed({ variant: { A: { ref: 'demo/Taks@1' } } }),
      ['V-306 schema.not_found demo/T@1 /type/variant/A'],
    ],
    [
      'an unknown ref in a cap',
      (world) => world.nodes.push({ $kind: 'defcap', name: 'demo/c@1', cap_type: 'x', schema: { ref: 'demo/Gone@1' } }),
      ['V-306 schema.not_found demo/c@1 /schema'],
    ],
    ['a variant without arms', typed({ variant: {} }), ['V-307 type.bad_member demo/T@1 /type/variant']],
    ['a field called $tag', typed(record({ $tag: TEXT })), ['V-307 type.bad_member demo/T@1 /type/record/$tag']],
    ['a built-in ref needs no listing', typed(record({ s: { ref: 'sys/SecretRef@1' } })), []],
    [
      'a listed schema whose ref is not listed',
      (world) => {
        world.nodes.push(schema('demo/Inner@1', TEXT), schema('demo/T@1', { ref: 'demo/Inner@1' }));
        world.manifest.schemas.push({ name: 'demo/T@1' });
      },
      ['V-306 schema.not_found demo/T@1 /type'],
    ],
  ]);
});

describe('collecting', () => {
  test('all errors of a stage come in document order, each once, and a later stage is silent', () => {
    const world = smallWorld();
    world.nodes.push(schema('demo/B@1', { txt: {} }), schema('Demo/A@1', TEXT));
    world.manifest.trigers = [];
    world.manifest.plans.push({ name: 'demo/gone@1' });
    expect(findings(load(world.nodes))).toEqual([
      'V-104 node.unknown_field manifest /trigers',
      'V-301 type.invalid demo/B@1 /type/txt',
      'V-105 name.invalid Demo/A@1 /name',
    ]);
  });

  test('nodes of an array file are placed by their own lines', () => {
    const text = `[\n{"$kind":"defschema","name":"demo/A@1","type":{"text":{}}},\n  {"$kind":"defschema","name":"demo/B@1",\n   "type":{"nope":{}}}\n]`;
    const loaded = loadAuthored([{ path: 'defs/x.json', text }]);
    expect(!loaded.ok && loaded.failure[0]).toMatchObject({
      name: 'demo/B@1',
      path: ['type', 'nope'],
      line: 4,
      file: 'defs/x.json',
    });
  });
});
