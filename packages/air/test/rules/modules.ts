import { type Authored, add, NAT, node, record, schema, smallWorld, TEXT, type WorldFixture } from '../fixtures.ts';
import type { Change, RuleCase } from './rule-case.ts';

/** V-4xx: modules, routing, effects. Triggers are in `extensions.ts`. */

export const M = 'demo/counter@1';
export const KEYED = 'demo/keyed@1';

/** The small world with two reducers: one of a variant family, one keyed by text. */
export function moduleWorld(): WorldFixture {
  const world = smallWorld();
  add(
    world,
    schema('demo/Family@1', {
      variant: { Task: { ref: 'demo/Task@1' }, Done: { ref: 'demo/Done@1' }, Timer: { ref: 'sys/TimerFired@1' } },
    }),
    schema('demo/State@1', record({ n: NAT })),
    schema('demo/Key@1', TEXT),
    {
      $kind: 'defmodule',
      name: M,
      module_kind: 'reducer',
      abi: {
        reducer: {
          state: 'demo/State@1',
          event: 'demo/Family@1',
          effects_emitted: ['timer.set'],
          cap_slots: { clock: 'timer' },
        },
      },
    },
    {
      $kind: 'defmodule',
      name: KEYED,
      module_kind: 'reducer',
      key_schema: 'demo/Key@1',
      abi: { reducer: { state: 'demo/State@1', event: 'demo/Family@1' } },
    },
    {
      $kind: 'defmodule',
      name: 'demo/pure@1',
      module_kind: 'pure',
      abi: { pure: { input: 'demo/Task@1', output: 'demo/Done@1' } },
    },
  );
  world.manifest.routing = {
    events: [
      { event: 'demo/Task@1', reducer: M },
      { event: 'demo/Family@1', reducer: KEYED, key_field: '$value.id' },
    ],
    inboxes: [{ source: 'fabric', reducer: M }],
  };
  world.manifest.module_bindings = { [M]: { slots: { clock: 'clock' } } };
  return world;
}

const route =
  (index: number, parts: Authored): Change =>
  ({ manifest }) => {
    Object.assign(manifest.routing.events[index], parts);
  };
const unroute =
  (index: number, member: string): Change =>
  ({ manifest }) => {
    delete manifest.routing.events[index][member];
  };
const abi =
  (parts: Authored): Change =>
  (world) => {
    Object.assign(node(world, M).abi.reducer, parts);
  };
const family =
  (type: Authored): Change =>
  (world) => {
    add(world, schema('demo/F@1', type), {
      $kind: 'defmodule',
      name: 'demo/f@1',
      module_kind: 'reducer',
      abi: { reducer: { state: 'demo/State@1', event: 'demo/F@1' } },
    });
  };
const emits =
  (kind: string, type: Authored): Change =>
  (world) => {
    family(type)(world);
    node(world, 'demo/f@1').abi.reducer.effects_emitted = [kind];
  };
const at = (index: number, member = '') => `manifest /routing/events/${index}${member}`;

export const MODULES: readonly RuleCase[] = [
  {
    of: 'V-401 a routed schema that is not there',
    wrong: route(0, { event: 'demo/Taks@1' }),
    finds: [`V-401 schema.not_found ${at(0, '/event')}`],
    fields: { schema: 'demo/Taks@1' },
    hint: 'demo/Task@1',
  },
  {
    of: 'V-402 a module that is not there',
    wrong: route(0, { reducer: 'demo/countr@1' }),
    finds: [`V-402 routing.unknown_reducer ${at(0, '/reducer')}`],
    fields: { reducer: 'demo/countr@1' },
    hint: M,
  },
  {
    of: 'V-402 a module that is no reducer',
    wrong: route(0, { reducer: 'demo/pure@1' }),
    finds: [`V-402 routing.unknown_reducer ${at(0, '/reducer')}`],
  },
  {
    of: 'V-403 an event that the reducer does not take',
    wrong: route(0, { event: 'demo/Approved@1' }),
    finds: [`V-403 routing.schema_mismatch ${at(0, '/event')}`],
    fields: { reducer: M, event: 'demo/Approved@1', expected: 'demo/Family@1' },
    right: route(0, { event: 'demo/Done@1' }),
  },
  {
    of: 'V-403 another record of the same shape',
    wrong: (world) => {
      add(world, schema('demo/Same@1', record({ id: TEXT, at: NAT })));
      route(0, { event: 'demo/Same@1' })(world);
    },
    finds: [`V-403 routing.schema_mismatch ${at(0, '/event')}`],
    right: (world) => {
      add(world, schema('demo/Alias@1', { ref: 'demo/Task@1' }));
      abi({ event: 'demo/Alias@1', effects_emitted: [] })(world);
    },
  },
  {
    of: 'V-404 keyed reducer without key_field',
    wrong: unroute(1, 'key_field'),
    finds: [`V-404 routing.key_field_missing ${at(1)}`],
    fields: { reducer: KEYED },
    // The three receipt schemas carry the key of the cell that asked.
    right: ({ manifest }) => (manifest.routing.events[1] = { event: 'sys/TimerFired@1', reducer: KEYED }),
  },
  {
    of: 'V-404 a misspelt key_field is not missing as well',
    wrong: (world) => {
      unroute(1, 'key_field')(world);
      route(1, { key_feild: '$value.id' })(world);
    },
    finds: [`V-104 node.unknown_field ${at(1, '/key_feild')}`],
  },
  {
    of: 'V-405 unkeyed reducer with key_field',
    wrong: route(0, { key_field: 'id' }),
    finds: [`V-405 routing.key_field_unexpected ${at(0, '/key_field')}`],
    fields: { reducer: M },
  },
  ...(
    [
      ['a field that is not there', '$value.idd', 'missing'],
      ['no $value', 'id', 'missing'],
      ['nothing behind $value', '$value', 'missing'],
      ['the tag', '$tag', 'missing'],
      ['no parts', '..', 'missing'],
      ['a field of another type', '$value.at', 'nat'],
    ] as const
  ).map(
    ([title, field, found]): RuleCase => ({
      of: `V-406 ${title}`,
      wrong: (world) => {
        // Both arms have both fields.
        node(world, 'demo/Family@1').type.variant = {
          Task: { ref: 'demo/Task@1' },
          Timer: { ref: 'sys/TimerFired@1' },
        };
        route(1, { key_field: field })(world);
      },
      finds: [`V-406 routing.key_field_mismatch ${at(1, '/key_field')}`],
      fields: { reducer: KEYED, event: 'demo/Family@1', key_field: field, expected: 'demo/Key@1', found },
      right: route(1, { key_field: '.$value..id.' }),
    }),
  ),
  {
    of: 'V-406 an arm without the field',
    wrong: (world) => {
      add(world, schema('demo/Other@1', record({ x: TEXT })));
      node(world, 'demo/Family@1').type.variant.Other = { ref: 'demo/Other@1' };
    },
    finds: [`V-406 routing.key_field_mismatch ${at(1, '/key_field')}`],
    right: (world) => {
      add(world, schema('demo/Other@1', record({ id: { ref: 'demo/Key@1' } })));
      node(world, 'demo/Family@1').type.variant.Other = { ref: 'demo/Other@1' };
    },
  },
  {
    of: 'V-406 a record event: a path through records and refs',
    wrong: route(1, { event: 'demo/Task@1', key_field: 'at' }),
    finds: [`V-406 routing.key_field_mismatch ${at(1, '/key_field')}`],
    fields: { reducer: KEYED, event: 'demo/Task@1', key_field: 'at', expected: 'demo/Key@1', found: 'nat' },
    right: route(1, { event: 'demo/Task@1', key_field: 'id' }),
  },
  ...(
    [
      ['an arm that is no ref', { variant: { A: { ref: 'demo/Task@1' }, B: TEXT } }, 'variant arm is not a ref'],
      [
        'one schema in two arms',
        { variant: { A: { ref: 'demo/Task@1' }, B: { ref: 'demo/Task@1' } } },
        'duplicate event schema in variant',
      ],
      ['neither ref, record nor variant', { list: TEXT }, 'event family must be a ref, variant of refs, or record'],
    ] as readonly [string, Authored, string][]
  ).map(
    ([title, type, reason]): RuleCase => ({
      of: `V-407 ${title}, routed or not`,
      wrong: family(type),
      finds: ['V-407 reducer.event_family_invalid demo/f@1 /abi/reducer/event'],
      fields: { reducer: 'demo/f@1', event_schema: 'demo/F@1', reason },
      right: family(record({ a: TEXT })),
    }),
  ),
  ...(
    [
      ['timer.set', 'sys/TimerFired@1'],
      ['timer.after', 'sys/TimerFired@1'],
      ['blob.put', 'sys/BlobPutResult@1'],
      ['blob.get', 'sys/BlobGetResult@1'],
    ] as const
  ).map(
    ([kind, receipt]): RuleCase => ({
      of: `V-408 ${kind} without an arm for its receipt`,
      wrong: emits(kind, record({ a: TEXT })),
      finds: ['V-408 reducer.receipt_schema_missing demo/f@1 /abi/reducer/effects_emitted/0'],
      fields: { reducer: 'demo/f@1', effect_kind: kind, event_schema: 'demo/F@1', receipt_schema: receipt },
      right: emits(kind, { ref: receipt }),
    }),
  ),
  {
    of: 'V-409 schemas of a reducer',
    wrong: (world) => {
      node(world, M).key_schema = 'demo/K@9';
      Object.assign(node(world, M).abi.reducer, {
        state: 'demo/S@9',
        event: 'demo/E@9',
        context: 'demo/C@9',
        annotations: 'demo/A@9',
        effects_emitted: [],
      });
      world.manifest.routing.events = [];
    },
    finds: [
      `V-409 schema.not_found ${M} /abi/reducer/state`,
      `V-409 schema.not_found ${M} /abi/reducer/event`,
      `V-409 schema.not_found ${M} /abi/reducer/context`,
      `V-409 schema.not_found ${M} /abi/reducer/annotations`,
      `V-409 schema.not_found ${M} /key_schema`,
    ],
    fields: { schema: 'demo/S@9' },
    right: abi({ context: 'sys/ReducerContext@1' }),
  },
  {
    of: 'V-409 schemas of a pure module',
    wrong: (world) =>
      (node(world, 'demo/pure@1').abi.pure = { input: 'demo/I@9', output: 'demo/O@9', context: 'demo/C@9' }),
    finds: ['input', 'output', 'context'].map((each) => `V-409 schema.not_found demo/pure@1 /abi/pure/${each}`),
    right: (world) => (node(world, 'demo/pure@1').abi.pure.context = 'sys/PureContext@1'),
  },
  {
    of: 'V-410 a kind that nobody knows',
    wrong: abi({ effects_emitted: ['timer.sett'] }),
    finds: [`V-410 effect.not_found ${M} /abi/reducer/effects_emitted/0`],
    fields: { kind: 'timer.sett' },
    hint: 'timer.set',
  },
  {
    of: 'V-410 a kind for plans only',
    wrong: abi({ effects_emitted: ['http.request'] }),
    finds: [`V-410 effect.origin_scope ${M} /abi/reducer/effects_emitted/0`],
    fields: { kind: 'http.request', scope: 'plan' },
    right: abi({ effects_emitted: ['timer.after'] }),
  },
  {
    of: 'V-411 a grant that is not there',
    wrong: ({ manifest }) => (manifest.module_bindings[M].slots.clock = 'clok'),
    finds: ['V-411 grant.not_found manifest /module_bindings/demo~1counter@1/slots/clock'],
    fields: { grant: 'clok' },
    hint: 'clock',
  },
  {
    of: 'V-412 a module that is not listed',
    wrong: ({ manifest }) => (manifest.module_bindings = { 'demo/countr@1': { slots: {} } }),
    finds: ['V-412 binding.unknown_module manifest /module_bindings/demo~1countr@1'],
    fields: { module: 'demo/countr@1' },
    hint: M,
  },
  {
    of: 'V-412 a slot that is not declared',
    wrong: ({ manifest }) => (manifest.module_bindings[M].slots.clok = 'clock'),
    finds: ['V-412 binding.unknown_slot manifest /module_bindings/demo~1counter@1/slots/clok'],
    fields: { module: M, slot: 'clok' },
    hint: 'clock',
    right: ({ manifest }) => (manifest.module_bindings[M].slots.default = 'clock'),
  },
  {
    of: 'V-412 a grant of another type',
    wrong: ({ manifest }) => {
      manifest.defaults.cap_grants.push({ name: 'web', cap: 'sys/http.out@1', params: {} });
      manifest.module_bindings[M].slots.clock = 'web';
    },
    finds: ['V-412 cap.type_mismatch manifest /module_bindings/demo~1counter@1/slots/clock'],
    fields: { grant: 'web', slot: 'clock', expected: 'timer', found: 'http.out' },
    // An undeclared default slot has no type to compare.
    right: ({ manifest }) => {
      manifest.defaults.cap_grants.push({ name: 'web', cap: 'sys/http.out@1', params: {} });
      manifest.module_bindings[M].slots.default = 'web';
    },
  },
  {
    of: 'V-413 an inbox of a module that is not listed',
    wrong: ({ manifest }) => (manifest.routing.inboxes[0].reducer = 'demo/countr@1'),
    finds: ['V-413 routing.unknown_reducer manifest /routing/inboxes/0/reducer'],
    fields: { reducer: 'demo/countr@1' },
  },
  {
    of: 'V-414 two routes with one event and reducer',
    wrong: ({ manifest }) => manifest.routing.events.push({ event: 'demo/Task@1', reducer: M }),
    finds: [`V-414 routing.duplicate ${at(2)}`],
    fields: { event: 'demo/Task@1', reducer: M },
    right: ({ manifest }) => manifest.routing.events.push({ event: 'demo/Task@1', reducer: KEYED, key_field: 'id' }),
  },
];

const own =
  (parts: Authored): Change =>
  (world) => {
    add(
      world,
      schema('demo/Send@1', record({ dest_world: TEXT, value: { ref: 'demo/Task@1' }, mode: { option: TEXT } })),
      schema('demo/Call@1', record({ server: TEXT, tool: TEXT, arguments: record({ q: TEXT }) })),
      {
        $kind: 'defeffect',
        name: 'demo/e@1',
        kind: 'mail.send',
        params_schema: 'demo/Task@1',
        receipt_schema: 'demo/Done@1',
        cap_type: 'mail',
        origin_scope: 'plan',
        ...parts,
      },
    );
  };
const send = {
  kind: 'fabric.send.task',
  params_schema: 'demo/Send@1',
  receipt_schema: 'sys/FabricSendReceipt@1',
  cap_type: 'fabric',
};
const call = {
  kind: 'mcp.call.search',
  params_schema: 'demo/Call@1',
  receipt_schema: 'sys/McpCallReceipt@1',
  cap_type: 'mcp',
};
const variant = (path: string) => [`V-421 effect.variant_invalid demo/e@1 ${path}`];

/** V-420, V-421, on the small world. */
export const EFFECTS: readonly RuleCase[] = [
  {
    of: 'V-420 schemas that are not there, said at the effect and not where it is emitted',
    wrong: own({ params_schema: 'demo/X@1', receipt_schema: 'demo/Y@1' }),
    finds: ['V-420 schema.not_found demo/e@1 /params_schema', 'V-420 schema.not_found demo/e@1 /receipt_schema'],
    fields: { schema: 'demo/X@1' },
    right: own({ params_schema: 'sys/TimerSetParams@1' }),
  },
  ...(
    [
      ['cap_type', { ...send, cap_type: 'mcp' }, '/cap_type', send],
      ['receipt_schema', { ...send, receipt_schema: 'demo/Done@1' }, '/receipt_schema', send],
      ['origin_scope', { ...call, origin_scope: 'both' }, '/origin_scope', call],
      ['params', { ...call, params_schema: 'demo/Task@1' }, '/params_schema', call],
    ] as const
  ).map(
    ([reason, wrong, path, right]): RuleCase => ({
      of: `V-421 a typed variant with another ${reason}`,
      wrong: own(wrong),
      finds: variant(path),
      fields: { kind: wrong.kind, reason },
      right: own(right),
    }),
  ),
  {
    of: 'V-421 a value without schema of its own',
    wrong: (world) => {
      own(send)(world);
      node(world, 'demo/Send@1').type.record.value = NAT;
    },
    finds: variant('/params_schema'),
    right: own(send),
  },
  {
    of: 'V-421 arguments that are no record',
    wrong: (world) => {
      own(call)(world);
      node(world, 'demo/Call@1').type.record.arguments = { list: TEXT };
    },
    finds: variant('/params_schema'),
    right: own(call),
  },
];
