import { type DiagnosticGroup, example } from './entry.ts';

interface Parts {
  /** The type of the reducer's events. */
  readonly event?: string;
  readonly keyed?: boolean;
  readonly kind?: 'reducer' | 'pure';
  readonly effects?: string;
  readonly slots?: string;
  readonly manifest: string;
}

/** A whole folder: a module, the event demo/Counted@1 in its family, and members of the manifest. */
function world(parts: Parts): string {
  const { event = '{ "ref": "demo/Counted@1" }', kind = 'reducer' } = parts;
  const abi =
    kind === 'reducer'
      ? `"reducer": { "state": "demo/State@1", "event": "demo/Events@1"${parts.effects === undefined ? '' : `, "effects_emitted": ${parts.effects}`}${parts.slots === undefined ? '' : `, "cap_slots": ${parts.slots}`} }`
      : `"pure": { "input": "demo/Counted@1", "output": "demo/State@1" }`;
  return `
        [
          {
            "$kind": "manifest",
            "air_version": "1",
            "schemas": [{ "name": "demo/Counted@1" }, { "name": "demo/Events@1" }, { "name": "demo/Key@1" }, { "name": "demo/State@1" }],
            "modules": [{ "name": "demo/counter@1" }],
            "plans": [],
            "caps": [],
            "policies": [],
            ${parts.manifest}
          },
          { "$kind": "defschema", "name": "demo/Counted@1", "type": { "record": { "id": { "text": {} }, "n": { "nat": {} } } } },
          { "$kind": "defschema", "name": "demo/Events@1", "type": ${event} },
          { "$kind": "defschema", "name": "demo/Key@1", "type": { "text": {} } },
          { "$kind": "defschema", "name": "demo/State@1", "type": { "record": { "n": { "nat": {} } } } },
          {
            "$kind": "defmodule",
            "name": "demo/counter@1",
            "module_kind": "${kind}",
            "wasm_hash": "",${parts.keyed === true ? '\n            "key_schema": "demo/Key@1",' : ''}
            "abi": { ${abi} }
          }
        ]
  `;
}

const route = (members: string) => `"routing": { "events": [${members}] }`;
const GOOD = route('{ "event": "demo/Counted@1", "reducer": "demo/counter@1" }');
const GRANT =
  '"defaults": { "cap_grants": [{ "name": "cap_web", "cap": "sys/http.out@1", "params": { "hosts": ["example.com"] } }] },';
const bind = (module: string, slot: string) => `${GRANT}
            "module_bindings": { ${module}: { "slots": { ${slot}: "cap_web" } } }`;

/** Modules, routing and bindings: rules V-401 … V-414. This version refuses to run what they describe (unsupported). */
export const MODULES: DiagnosticGroup = {
  title: 'Modules and routing',
  entries: [
    {
      code: 'routing.unknown_reducer',
      severity: 'error',
      rules: ['V-402', 'V-413'],
      title: 'A route leads to a module that is not listed, or is no reducer.',
      meaning:
        'Events and messages are routed to modules of kind "reducer" that the manifest lists. Correct the name, list the module, or route to a reducer.',
      beside: ['unsupported'],
      wrong: example(
        'folder',
        world({ manifest: route('{ "event": "demo/Counted@1", "reducer": «"demo/cuonter@1"» }') }),
      ),
      right: example('folder', world({ manifest: GOOD })),
    },
    {
      code: 'routing.schema_mismatch',
      severity: 'error',
      rules: ['V-403'],
      title: 'An event is routed to a reducer that does not take it.',
      meaning:
        'A reducer names the schema of its events: one schema, or a variant whose arms are references to schemas. Only these can be routed to it; another record of the same shape cannot.',
      beside: ['unsupported'],
      wrong: example(
        'folder',
        world({ manifest: route('{ "event": «"demo/State@1"», "reducer": "demo/counter@1" }') }),
      ),
      right: example('folder', world({ manifest: GOOD })),
    },
    {
      code: 'routing.key_field_missing',
      severity: 'error',
      rules: ['V-404'],
      title: 'A route to a keyed reducer does not say where the key is.',
      meaning:
        'A reducer with a key_schema keeps one cell per key, so each route names the field of the event that is the key.',
      beside: ['unsupported'],
      wrong: example(
        'folder',
        world({ keyed: true, manifest: route('«{ "event": "demo/Counted@1", "reducer": "demo/counter@1" }»') }),
      ),
      right: example(
        'folder',
        world({
          keyed: true,
          manifest: route('{ "event": "demo/Counted@1", "reducer": "demo/counter@1", "key_field": "id" }'),
        }),
      ),
    },
    {
      code: 'routing.key_field_unexpected',
      severity: 'error',
      rules: ['V-405'],
      title: 'A route to a reducer without keys names a key field.',
      meaning: 'A reducer without key_schema has a single state. Leave key_field out, or give the module a key_schema.',
      beside: ['unsupported'],
      wrong: example(
        'folder',
        world({ manifest: route('{ "event": "demo/Counted@1", "reducer": "demo/counter@1", "key_field": «"id"» }') }),
      ),
      right: example('folder', world({ manifest: GOOD })),
    },
    {
      code: 'routing.key_field_mismatch',
      severity: 'error',
      rules: ['V-406'],
      title: 'The key field of a route leads nowhere, or has another type than the key.',
      meaning:
        'key_field is a path into the event, "order.id"; for a variant it begins with "$value" and must lead to the same type in every arm. That type is the key_schema of the reducer.',
      beside: ['unsupported'],
      wrong: example(
        'folder',
        world({
          keyed: true,
          manifest: route('{ "event": "demo/Counted@1", "reducer": "demo/counter@1", "key_field": «"n"» }'),
        }),
      ),
      right: example(
        'folder',
        world({
          keyed: true,
          manifest: route('{ "event": "demo/Counted@1", "reducer": "demo/counter@1", "key_field": "id" }'),
        }),
      ),
    },
    {
      code: 'routing.duplicate',
      severity: 'error',
      rules: ['V-414'],
      title: 'One event is routed to one reducer twice.',
      meaning: 'The reducer would see each event twice. Remove the second route.',
      beside: ['unsupported'],
      wrong: example(
        'folder',
        world({
          manifest: route(
            '{ "event": "demo/Counted@1", "reducer": "demo/counter@1" }, «{ "event": "demo/Counted@1", "reducer": "demo/counter@1" }»',
          ),
        }),
      ),
      right: example('folder', world({ manifest: GOOD })),
    },
    {
      code: 'reducer.event_family_invalid',
      severity: 'error',
      rules: ['V-407'],
      title: 'The event schema of a reducer is no family of events.',
      meaning:
        'A reducer takes one record, a reference to a schema, or a variant whose arms are references to distinct schemas: from these it is known which events belong to it.',
      beside: ['unsupported'],
      wrong: example(
        'folder',
        world({ event: '{ "list": { "ref": "demo/Counted@1" } }', manifest: '"routing": {}' }).replace(
          '"event": "demo/Events@1"',
          '"event": «"demo/Events@1"»',
        ),
      ),
      right: example('folder', world({ manifest: GOOD })),
    },
    {
      code: 'reducer.receipt_schema_missing',
      severity: 'error',
      rules: ['V-408'],
      title: 'A reducer emits a timer or blob effect, and its events have no place for the receipt.',
      meaning:
        'The receipt of a timer or blob effect comes back to the reducer as an event: sys/TimerFired@1, sys/BlobPutResult@1 or sys/BlobGetResult@1. Make the event schema a variant with such an arm.',
      beside: ['unsupported'],
      wrong: example('folder', world({ effects: '[«"timer.set"»]', manifest: GOOD })),
      right: example(
        'folder',
        world({
          event: '{ "variant": { "Counted": { "ref": "demo/Counted@1" }, "Fired": { "ref": "sys/TimerFired@1" } } }',
          effects: '["timer.set"]',
          manifest: GOOD,
        }),
      ),
    },
    {
      code: 'binding.unknown_module',
      severity: 'error',
      rules: ['V-412'],
      title: 'module_bindings names a module that is not listed.',
      meaning: 'A binding gives a module of the manifest its grants. Correct the name, or list the module.',
      beside: ['unsupported'],
      wrong: example(
        'folder',
        world({ slots: '{ "out": "http.out" }', manifest: bind('«"demo/cuonter@1"»', '"out"') }),
      ),
      right: example('folder', world({ slots: '{ "out": "http.out" }', manifest: bind('"demo/counter@1"', '"out"') })),
    },
    {
      code: 'binding.unknown_slot',
      severity: 'error',
      rules: ['V-412'],
      title: 'A binding fills a slot that the module does not declare.',
      meaning: 'A module declares the slots for its grants under cap_slots; only these, and "default", can be bound.',
      beside: ['unsupported'],
      wrong: example(
        'folder',
        world({ slots: '{ "out": "http.out" }', manifest: bind('"demo/counter@1"', '«"otu"»') }),
      ),
      right: example('folder', world({ slots: '{ "out": "http.out" }', manifest: bind('"demo/counter@1"', '"out"') })),
    },
  ],
};
