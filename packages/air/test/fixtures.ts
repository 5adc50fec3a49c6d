import { pointer, type Result } from '@worldline/canon';
import type { Diagnostic } from '../src/diagnostic.ts';
import { type Loaded, loadAuthored } from '../src/load-authored.ts';
import type { SourceFile } from '../src/load-files.ts';
import type { LoadOptions } from '../src/validate-world.ts';

/** Authored worlds for tests, as plain JSON that a test changes at will. */

// biome-ignore lint/suspicious/noExplicitAny: tests reach into authored JSON of every shape
export type Authored = any;

export interface WorldFixture {
  /** Nodes of one array file, the manifest first. */
  readonly nodes: Authored[];
  readonly manifest: Authored;
}

export function ref(text: string): Authored {
  return { ref: text };
}

export function op(name: string, ...args: Authored[]): Authored {
  return { op: name, args };
}

export function schema(name: string, type: Authored): Authored {
  return { $kind: 'defschema', name, type };
}

export function record(fields: Record<string, Authored>): Authored {
  return { record: fields };
}

export const TEXT: Authored = { text: {} };
export const NAT: Authored = { nat: {} };
export const INT: Authored = { int: {} };

/** Edges from each step to the next one. */
export function chain(...ids: string[]): Authored[] {
  return ids.slice(1).map((to, index) => ({ from: ids[index], to }));
}

export function plan(name: string, parts: Authored): Authored {
  return { $kind: 'defplan', name, input: 'demo/Task@1', steps: [{ id: 'done', op: 'end' }], ...parts };
}

/** A manifest that lists every given definition, by name only. */
export function manifestOf(nodes: readonly Authored[], parts: Authored = {}): Authored {
  const names = (kind: string) => nodes.filter(({ $kind }) => $kind === kind).map(({ name }) => ({ name }));
  const secrets = names('defsecret');
  return {
    $kind: 'manifest',
    air_version: '1',
    schemas: names('defschema'),
    modules: names('defmodule'),
    plans: names('defplan'),
    effects: names('defeffect'),
    caps: names('defcap'),
    policies: names('defpolicy'),
    ...(secrets.length > 0 ? { secrets } : {}),
    ...parts,
  };
}

/**
 * A small sound world: an event starts a plan, which sets a timer, waits for its receipt, waits for a correlated event,
 * raises one and ends.
 */
export function smallWorld(): WorldFixture {
  const defs = [
    schema('demo/Task@1', record({ id: TEXT, at: NAT })),
    schema('demo/Approved@1', record({ id: TEXT, by: { option: TEXT } })),
    schema('demo/Done@1', record({ id: TEXT, late: { bool: {} } })),
    plan('demo/core_run@1', {
      steps: [
        {
          id: 'arm',
          op: 'emit_effect',
          kind: 'timer.set',
          params: { deliver_at_ns: ref('@plan.input.at') },
          cap: 'clock',
          bind: { effect_id_as: 'arm_h' },
        },
        { id: 'fired', op: 'await_receipt', for: ref('@var:arm_h'), bind: { as: 'fired_r' } },
        {
          id: 'approved',
          op: 'await_event',
          event: 'demo/Approved@1',
          where: op('eq', ref('@event.id'), ref('@var:correlation_id')),
          bind: { as: 'approval' },
        },
        { id: 'report', op: 'raise_event', event: 'demo/Done@1', value: { id: ref('@plan.input.id'), late: false } },
        { id: 'done', op: 'end' },
      ],
      edges: chain('arm', 'fired', 'approved', 'report', 'done'),
    }),
    {
      $kind: 'defpolicy',
      name: 'demo/policy@1',
      rules: [{ when: { effect_kind: 'timer.set', cap_name: 'clock' }, decision: 'allow' }],
    },
  ];
  const manifest = manifestOf(defs, {
    effects: [{ name: 'sys/timer.set@1' }],
    defaults: { policy: 'demo/policy@1', cap_grants: [{ name: 'clock', cap: 'sys/timer@1', params: {} }] },
    triggers: [{ event: 'demo/Task@1', plan: 'demo/core_run@1', correlate_by: 'id' }],
  });
  return { manifest, nodes: [manifest, ...defs] };
}

export function node(world: WorldFixture, name: string): Authored {
  const found = world.nodes.find((each) => each.name === name);
  if (found === undefined) throw new Error(`the fixture has no node ${name}`);
  return found;
}

/** Add definitions and list them. */
export function add(world: WorldFixture, ...defs: Authored[]): WorldFixture {
  const sections: Record<string, string> = {
    defschema: 'schemas',
    defmodule: 'modules',
    defplan: 'plans',
    defeffect: 'effects',
    defcap: 'caps',
    defpolicy: 'policies',
    defsecret: 'secrets',
  };
  for (const def of defs) {
    world.nodes.push(def);
    const section = sections[def.$kind] as string;
    world.manifest[section] ??= [];
    world.manifest[section].push({ name: def.name });
  }
  return world;
}

export function filesOf(nodes: Authored): SourceFile[] {
  return [{ path: 'air/world.air.json', text: JSON.stringify(nodes, null, 1) }];
}

export function load(nodes: Authored, options?: LoadOptions): Result<Loaded, readonly Diagnostic[]> {
  return loadAuthored(filesOf(nodes), options);
}

/** The errors as `rule code kind/name path`, the parts that a test asserts on. */
export function findings(result: Result<unknown, readonly Diagnostic[]>): string[] {
  return result.ok ? [] : result.failure.filter(({ severity }) => severity === 'error').map(line);
}

export function line(found: Diagnostic): string {
  return [found.rule ?? '-', found.code, found.name ?? found.kind ?? '-', pointer(found.path)].join(' ').trimEnd();
}
