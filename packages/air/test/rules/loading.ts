import { type Authored, add, node, plan, record, schema, TEXT, type WorldFixture } from '../fixtures.ts';
import type { RuleCase } from './rule-case.ts';
import { PLAN } from './structure.ts';

/** V-2xx: loading an authored folder. What only a stored manifest can show is in `load-stored.test.ts`. */

const effect = (name: string, kind: string) => ({
  $kind: 'defeffect',
  name,
  kind,
  params_schema: 'demo/Task@1',
  receipt_schema: 'demo/Done@1',
  cap_type: 'mail',
  origin_scope: 'plan',
});
const reserved = (path: string) => [`V-203 name.reserved manifest ${path}`];

export const LOADING: readonly RuleCase[] = [
  {
    of: 'V-201 no air_version, and nothing else is said of the manifest',
    wrong: ({ manifest }) => {
      delete manifest.air_version;
      manifest.unknown = 1;
    },
    finds: ['V-201 manifest.air_version_missing manifest /air_version'],
    fields: { supported: '1' },
  },
  {
    of: 'V-201 another version',
    wrong: ({ manifest }) => (manifest.air_version = '2'),
    finds: ['V-201 manifest.air_version_unsupported manifest /air_version'],
    fields: { found: '2', supported: '1' },
  },
  {
    of: 'V-201 a number',
    wrong: ({ manifest }) => (manifest.air_version = 1),
    finds: ['V-201 manifest.air_version_unsupported manifest /air_version'],
  },
  {
    of: 'V-202 another schema of that name',
    wrong: (world) => world.nodes.push(schema('demo/Task@1', TEXT)),
    finds: ['V-202 import.conflict demo/Task@1 /name'],
    fields: { kind: 'defschema', name: 'demo/Task@1', files: ['air/world.air.json', 'air/world.air.json'] },
    right: (world) => add(world, schema('demo/Task@2', TEXT)),
  },
  {
    of: 'V-202 another plan of that name',
    wrong: (world) => world.nodes.push(plan(PLAN, {})),
    finds: [`V-202 import.conflict ${PLAN} /name`],
    right: (world) => add(world, plan('demo/core_run@2', {})),
  },
  {
    of: 'V-202 an exact copy only warns, also when it is spelled otherwise',
    wrong: (world) => {
      world.nodes.push({ ...schema('demo/Done@1', record({ late: { bool: {} }, id: TEXT })), $comment: 'copy' });
      world.nodes.push(structuredClone(node(world, PLAN)));
    },
    finds: ['V-202 def.duplicate demo/Done@1 /name', `V-202 def.duplicate ${PLAN} /name`],
    fields: { kind: 'defschema', name: 'demo/Done@1' },
  },
  {
    of: 'V-203 a definition under sys/, and nothing that lists it',
    wrong: (world) => add(world, schema('sys/Mine@1', TEXT)),
    finds: ['V-203 air.sys_def sys/Mine@1 /name'],
    fields: { kind: 'defschema', name: 'sys/Mine@1' },
    right: (world) => add(world, schema('mine/Mine@1', TEXT)),
  },
  {
    of: 'V-203 a schema that is not built in',
    wrong: ({ manifest }) => manifest.schemas.push({ name: 'sys/TimerSetParms@1' }),
    finds: reserved('/schemas/3/name'),
    fields: { kind: 'defschema', name: 'sys/TimerSetParms@1' },
    hint: 'sys/TimerSetParams@1',
    right: ({ manifest }) => manifest.schemas.push({ name: 'sys/TimerSetParams@1' }),
  },
  {
    of: 'V-203 a built-in schema listed as a cap',
    wrong: ({ manifest }) => manifest.caps.push({ name: 'sys/TimerSetParams@1' }),
    finds: reserved('/caps/0/name'),
    right: ({ manifest }) => manifest.caps.push({ name: 'sys/timer@1' }),
  },
  {
    of: 'V-203 a plan',
    wrong: ({ manifest }) => manifest.plans.push({ name: 'sys/plan@1' }),
    finds: reserved('/plans/1/name'),
  },
  {
    of: 'V-203 a policy',
    wrong: ({ manifest }) => manifest.policies.push({ name: 'sys/policy@1' }),
    finds: reserved('/policies/1/name'),
  },
  {
    of: 'V-203 a secret',
    wrong: ({ manifest }) => (manifest.secrets = [{ name: 'sys/secret@1' }]),
    finds: reserved('/secrets/0/name'),
  },
  {
    of: 'V-203 the enforcer that is no module',
    wrong: ({ manifest }) => manifest.modules.push({ name: 'sys/CapAllowAll@1' }),
    finds: reserved('/modules/0/name'),
    right: ({ manifest }) => manifest.modules.push({ name: 'sys/CapEnforceHttpOut@1' }),
  },
  {
    of: 'V-204 a second manifest',
    wrong: (world) => world.nodes.push(structuredClone(world.manifest)),
    finds: ['V-204 air.manifest_duplicate manifest'],
    fields: { file: 'air/world.air.json' },
  },
  {
    of: 'V-204 no manifest: definitions are checked all the same',
    wrong: (world) => {
      world.nodes.shift();
      node(world, PLAN).stepz = [];
    },
    finds: ['V-204 air.manifest_missing -', `V-104 node.unknown_field ${PLAN} /stepz`],
  },
  {
    of: 'V-205 an inline secret',
    wrong: ({ manifest }) => (manifest.secrets = [{ alias: 'demo/key', version: 1, binding_id: 'env:A' }]),
    finds: ['V-205 secret.inline_unsupported manifest /secrets/0'],
    fields: { alias: 'demo/key' },
    right: (world) => add(world, { $kind: 'defsecret', name: 'demo/key@1', binding_id: 'env:A' }),
  },
  {
    of: 'V-206 a schema that no file defines',
    wrong: ({ manifest }) => manifest.schemas.push({ name: 'demo/Tsk@1' }),
    finds: ['V-206 ref.unknown manifest /schemas/3/name'],
    fields: { section: 'schemas', name: 'demo/Tsk@1' },
    hint: 'demo/Task@1',
    right: (world) => add(world, schema('demo/Tsk@1', TEXT)),
  },
  {
    of: 'V-206 a definition of another kind',
    wrong: ({ manifest }) => manifest.plans.push({ name: 'demo/Task@1' }),
    finds: ['V-206 ref.unknown manifest /plans/1/name'],
  },
  {
    of: 'V-206 a misspelt name means the definition that nobody lists: what uses it is right',
    wrong: ({ manifest }) => (manifest.schemas[0].name = 'demo/Tsak@1'),
    finds: ['V-206 ref.unknown manifest /schemas/0/name'],
    hint: 'demo/Task@1',
  },
  {
    of: 'V-211 a name listed twice',
    wrong: ({ manifest }) => manifest.plans.push({ name: PLAN }),
    finds: ['V-211 ref.duplicate manifest /plans/1/name'],
    fields: { section: 'plans', name: PLAN },
  },
  {
    of: 'V-211 two effects of one kind',
    wrong: (world) => add(world, effect('demo/a@1', 'mail.send'), effect('demo/b@1', 'mail.send')),
    finds: ['V-211 effect.kind_duplicate manifest /effects/2'],
    fields: { kind: 'mail.send' },
    right: (world) => add(world, effect('demo/a@1', 'mail.send'), effect('demo/b@1', 'mail.send_later')),
  },
  {
    of: 'V-211 a built-in kind, even when the built-in effect is not listed',
    wrong: (world) => add(world, effect('demo/a@1', 'http.request')),
    finds: ['V-211 effect.kind_duplicate manifest /effects/1'],
    right: (world) => add(world, effect('demo/a@1', 'http.fetch')),
  },
];

const wrongHash = `sha256:${'a'.repeat(64)}`;

/** Warnings of §8.4. */
export const WARNINGS: readonly RuleCase[] = [
  {
    of: '§8.4 a written hash that is not the definition’s is replaced with a warning',
    wrong: ({ manifest }) => {
      manifest.plans[0].hash = wrongHash;
      manifest.schemas[0].hash = `sha256:${'0'.repeat(64)}`;
      manifest.effects[0].hash = null;
    },
    finds: ['- ref.stale_hash manifest /plans/0/hash'],
  },
  {
    of: '§8.4 an unlisted definition is a warning',
    wrong: (world) => world.nodes.push(schema('demo/Spare@1', TEXT)),
    finds: ['- def.unlisted demo/Spare@1 /name'],
    fields: { kind: 'defschema', name: 'demo/Spare@1' },
    right: (world) => add(world, schema('demo/Spare@1', TEXT)),
  },
  {
    of: '§8.4 a name for another kind is another definition',
    wrong: (world: WorldFixture) =>
      world.nodes.push({ $kind: 'defcap', name: 'demo/Task@1', cap_type: 'x', schema: record({}) }) as Authored,
    finds: ['- def.unlisted demo/Task@1 /name'],
  },
];

const typed = (type: Authored) => (world: WorldFixture) => {
  add(world, schema('demo/T@1', type));
};

/** V-3xx: types. */
export const TYPES: readonly RuleCase[] = [
  ...(
    [
      ['V-301 no type key', { txt: {} }, 'type.invalid', '/type/txt', TEXT],
      ['V-301 two type keys', { text: {}, nat: {} }, 'type.invalid', '/type', TEXT],
      ['V-301 a body in a scalar', { text: { max: 1 } }, 'type.invalid', '/type/text', TEXT],
      ['V-301 a list in a scalar', { text: [] }, 'type.invalid', '/type/text', TEXT],
      ['V-301 a ref that is no name', { ref: 'Task' }, 'type.invalid', '/type/ref', { ref: 'demo/Task@1' }],
      [
        'V-302 a map over records',
        { map: { key: record({}), value: TEXT } },
        'type.bad_map_key',
        '/type/map/key',
        { map: { key: { uuid: {} }, value: TEXT } },
      ],
      [
        'V-302 a map without value',
        { map: { key: TEXT } },
        'type.bad_map_key',
        '/type/map/value',
        { map: { key: TEXT, value: record({}) } },
      ],
      ['V-303 a set of lists', { set: { list: TEXT } }, 'type.bad_set_element', '/type/set', { list: { list: TEXT } }],
      [
        'V-303 a set of records behind a ref',
        record({ a: { set: { ref: 'demo/Task@1' } } }),
        'type.bad_set_element',
        '/type/record/a/set',
        record({ a: { list: { ref: 'demo/Task@1' } } }),
      ],
      [
        'V-304 an option of unit',
        { option: { unit: {} } },
        'type.ambiguous_option',
        '/type/option',
        { option: { bool: {} } },
      ],
      [
        'V-304 an option of an option',
        { option: { option: TEXT } },
        'type.ambiguous_option',
        '/type/option',
        { option: { list: { option: TEXT } } },
      ],
      [
        'V-305 a schema that holds itself',
        record({ next: { option: { ref: 'demo/T@1' } } }),
        'schema.recursive',
        '/type/record/next/option',
        record({ next: { option: { hash: {} } } }),
      ],
      [
        'V-306 a ref that leads nowhere',
        { variant: { A: { ref: 'demo/Taks@1' } } },
        'schema.not_found',
        '/type/variant/A',
        { variant: { A: { ref: 'demo/Task@1' }, B: { ref: 'sys/SecretRef@1' } } },
      ],
      [
        'V-307 a variant without arms',
        { variant: {} },
        'type.bad_member',
        '/type/variant',
        { variant: { A: { unit: {} } } },
      ],
      [
        'V-307 a field called $tag',
        record({ $tag: TEXT }),
        'type.bad_member',
        '/type/record/$tag',
        record({ tag: TEXT }),
      ],
      ['V-307 a field without name', record({ '': TEXT }), 'type.bad_member', '/type/record/', record({ _: TEXT })],
    ] as readonly [string, Authored, string, string, Authored][]
  ).map(
    ([of, wrong, code, path, right]): RuleCase => ({
      of,
      wrong: typed(wrong),
      finds: [`${of.slice(0, 5)} ${code} demo/T@1 ${path}`],
      right: typed(right),
    }),
  ),
  {
    of: 'V-304 an option of an option behind a ref',
    wrong: (world) =>
      add(world, schema('demo/Maybe@1', { option: TEXT }), schema('demo/T@1', { option: { ref: 'demo/Maybe@1' } })),
    finds: ['V-304 type.ambiguous_option demo/T@1 /type/option'],
    right: (world) => add(world, schema('demo/Maybe@1', TEXT), schema('demo/T@1', { option: { ref: 'demo/Maybe@1' } })),
  },
  {
    of: 'V-305 two schemas that hold each other, said once where the cycle closes',
    wrong: (world) =>
      add(
        world,
        schema('demo/A@1', { list: { ref: 'demo/B@1' } }),
        schema('demo/B@1', record({ a: { ref: 'demo/A@1' } })),
      ),
    finds: ['V-305 schema.recursive demo/B@1 /type/record/a'],
    fields: { cycle: ['demo/A@1', 'demo/B@1', 'demo/A@1'] },
    right: (world) =>
      add(world, schema('demo/A@1', { list: { ref: 'demo/B@1' } }), schema('demo/B@1', record({ a: { hash: {} } }))),
  },
  {
    of: 'V-306 in a cap',
    wrong: (world) => add(world, { $kind: 'defcap', name: 'demo/c@1', cap_type: 'x', schema: { ref: 'demo/Gone@1' } }),
    finds: ['V-306 schema.not_found demo/c@1 /schema'],
    fields: { schema: 'demo/Gone@1' },
    right: (world) => add(world, { $kind: 'defcap', name: 'demo/c@1', cap_type: 'x', schema: { ref: 'demo/Task@1' } }),
  },
  {
    of: 'V-306 a schema that is defined and not listed',
    wrong: (world) => {
      world.nodes.push(schema('demo/Inner@1', TEXT));
      add(world, schema('demo/T@1', { ref: 'demo/Inner@1' }));
    },
    finds: ['- def.unlisted demo/Inner@1 /name', 'V-306 schema.not_found demo/T@1 /type'],
    hint: 'manifest.schemas',
    right: (world) => add(world, schema('demo/Inner@1', TEXT), schema('demo/T@1', { ref: 'demo/Inner@1' })),
  },
];
