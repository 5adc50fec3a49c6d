import { isJsonArray, isJsonObject, type Json, type JsonObject } from '@worldline/air';
import { compareUtf8 } from '@worldline/canon';

/** What a plan of a pack promises and needs, read from the definitions alone (`packs.md` §3). */

export type Role = 'entry' | 'core' | 'adapter' | 'internal' | 'unknown';

const ROLES: readonly (readonly [prefix: string, role: Role])[] = [
  ['entry_', 'entry'],
  ['core_', 'core'],
  ['adapter_', 'adapter'],
  ['_internal_', 'internal'],
];

/** By the name after `/` (`packs.md` §3.1). */
export function roleOf(plan: string): Role {
  const name = plan.slice(plan.indexOf('/') + 1);
  return ROLES.find(([prefix]) => name.startsWith(prefix))?.[1] ?? 'unknown';
}

export interface Contract {
  readonly name: string;
  readonly role: Role;
  readonly input: string;
  readonly output: string | undefined;
  readonly emittedEvents: readonly string[];
  readonly awaitedEvents: readonly string[];
  /** Those of its child plans as well, and of theirs. */
  readonly requiredCaps: readonly string[];
  readonly allowedEffects: readonly string[];
  readonly children: readonly string[];
  /** Which effects are emitted under which slot, own and of children, and by which plan. */
  readonly emissions: readonly Emitted[];
}

export interface Emitted {
  readonly plan: string;
  readonly kind: string;
  readonly cap: string;
}

/** @param planOf - The node of a plan by name; undefined for one that is not there. */
export function contractOf(node: JsonObject, planOf: (name: string) => JsonObject | undefined): Contract {
  const name = String(node['name']);
  const reached = withChildren(node, planOf);
  const emissions = reached.flatMap(emissionsOf);
  const listed = (key: string, own: (one: JsonObject) => readonly string[]) =>
    sorted(
      reached.flatMap((one) => {
        const given = one[key];
        return given !== undefined && isJsonArray(given) && given.length > 0 ? given.map(String) : own(one);
      }),
    );
  return {
    name,
    role: roleOf(name),
    input: String(node['input']),
    output: typeof node['output'] === 'string' ? node['output'] : undefined,
    emittedEvents: sorted(stepsOf(node).flatMap((step) => textIf(step['op'] === 'raise_event', step['event']))),
    awaitedEvents: sorted(stepsOf(node).flatMap((step) => textIf(step['op'] === 'await_event', step['event']))),
    requiredCaps: listed('required_caps', (one) => emissionsOf(one).map(({ cap }) => cap)),
    allowedEffects: listed('allowed_effects', (one) => emissionsOf(one).map(({ kind }) => kind)),
    children: sorted(reached.slice(1).map((one) => String(one['name']))),
    emissions,
  };
}

/** A plan and all that it starts, each once. */
function withChildren(node: JsonObject, planOf: (name: string) => JsonObject | undefined): readonly JsonObject[] {
  const found = new Map([[String(node['name']), node]]);
  const walk = (plan: JsonObject) => {
    for (const step of stepsOf(plan)) {
      if (step['op'] !== 'spawn_plan' && step['op'] !== 'spawn_for_each') continue;
      const name = String(step['plan']);
      const child = planOf(name);
      if (child === undefined || found.has(name)) continue;
      found.set(name, child);
      walk(child);
    }
  };
  walk(node);
  return [...found.values()];
}

function emissionsOf(node: JsonObject): readonly Emitted[] {
  return stepsOf(node).flatMap(({ op, kind, cap }): Emitted[] =>
    op === 'emit_effect' && typeof kind === 'string' && typeof cap === 'string'
      ? [{ plan: String(node['name']), kind, cap }]
      : [],
  );
}

function stepsOf(node: JsonObject): readonly JsonObject[] {
  const steps = node['steps'];
  return steps !== undefined && isJsonArray(steps) ? steps.filter(isJsonObject) : [];
}

function textIf(wanted: boolean, value: Json | undefined): readonly string[] {
  return wanted && typeof value === 'string' ? [value] : [];
}

function sorted(list: readonly string[]): readonly string[] {
  return [...new Set(list)].sort(compareUtf8);
}
