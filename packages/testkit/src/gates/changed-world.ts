import {
  isJsonArray,
  isJsonObject,
  type Json,
  type JsonObject,
  type Loaded,
  loadAuthored,
  parseJson,
  printJson,
} from '@worldline/air';
import type { GateWorld } from './gate.ts';

/** The same world with something changed in its definitions, as an author would have written it. */

export class ChangeError extends Error {
  override readonly name = 'ChangeError';
}

export type NodeChange = (node: JsonObject) => Json;

/**
 * @param change - of every node; the manifest is one of them.
 * @param more - nodes that are added.
 * @throws ChangeError when what comes out does not load.
 */
export function changedWorld(world: GateWorld, change: NodeChange, more: readonly Json[] = []): GateWorld {
  const files = world.files.map((file) => {
    const read = parseJson(file.text);
    if (!read.ok) return file;
    const json = isJsonArray(read.value)
      ? read.value.map((node) => (isJsonObject(node) ? change(node) : node))
      : read.value;
    return { ...file, text: printJson(isJsonObject(json) ? change(json) : json) };
  });
  const all = more.length === 0 ? files : [...files, { path: 'gates.air.json', text: printJson(more) }];
  const loaded = loadAuthored(all, { requirePolicy: world.requirePolicy });
  if (!loaded.ok) throw new ChangeError(loaded.failure.map(({ code, message }) => `${code}: ${message}`).join('; '));
  return { ...world, files: all, loaded: loaded.value as Loaded };
}

export const isManifest = (node: JsonObject) => node['$kind'] === 'manifest';
export const isPlan = (node: JsonObject, name: string) => node['$kind'] === 'defplan' && node['name'] === name;

/** The manifest lists further definitions. */
export function listing(node: JsonObject, section: string, names: readonly string[]): JsonObject {
  const listed = isJsonArray(node[section] as Json) ? (node[section] as readonly Json[]) : [];
  return { ...node, [section]: [...listed, ...names.map((name) => ({ name }))] } as JsonObject;
}

const POLICY = 'gates/policy@1';

/** Whatever else is allowed, effects of this kind are not. */
export function denying(world: GateWorld, kind: string): GateWorld {
  const { policy } = world.loaded.catalog;
  const rules = policy?.rules ?? [{ when: {}, decision: 'allow' as const }];
  const node = {
    $kind: 'defpolicy',
    name: POLICY,
    rules: [
      { when: { effect_kind: kind }, decision: 'deny' },
      ...rules.map(({ when, decision }) => ({
        when: dropAbsent({
          effect_kind: when.effectKind,
          cap_name: when.capName,
          cap_type: when.capType,
          origin_kind: when.originKind,
          origin_name: when.originName,
        }),
        decision,
      })),
    ],
  } as Json;
  return changedWorld(
    world,
    (each) =>
      isManifest(each)
        ? ({ ...listing(each, 'policies', [POLICY]), defaults: { ...defaultsOf(each), policy: POLICY } } as Json)
        : each,
    [node],
  );
}

/** Grants of these names have expired. */
export function expiring(world: GateWorld, grants: ReadonlySet<string>): GateWorld {
  return changedWorld(world, (each) => {
    if (!isManifest(each)) return each;
    const defaults = defaultsOf(each);
    const list = (defaults['cap_grants'] ?? []) as readonly JsonObject[];
    const changed = list.map((grant) => (grants.has(String(grant['name'])) ? { ...grant, expiry_ns: 1 } : grant));
    return { ...each, defaults: { ...defaults, cap_grants: changed } } as Json;
  });
}

/** A plan has one more invariant. */
export function demanding(
  world: GateWorld,
  plan: string,
  invariant: Json,
  more: readonly Json[] = [],
  lists: Lists = {},
): GateWorld {
  return changedWorld(
    world,
    (each) => {
      if (isPlan(each, plan)) {
        const own = (each['invariants'] ?? []) as readonly Json[];
        // Hashes written beside a definition would no longer be those of the changed one.
        return { ...each, invariants: [invariant, ...own] } as Json;
      }
      if (!isManifest(each)) return each;
      const manifest = unpinned(each);
      return Object.entries(lists).reduce((node, [section, names]) => listing(node, section, names), manifest) as Json;
    },
    more,
  );
}

export type Lists = Readonly<Record<string, readonly string[]>>;

/** References by name alone: the hash of what is changed is another one. */
function unpinned(manifest: JsonObject): JsonObject {
  const plans = manifest['plans'];
  if (!isJsonArray(plans as Json)) return manifest;
  const refs = (plans as readonly Json[]).map((ref) => (isJsonObject(ref) ? ({ name: ref['name'] } as Json) : ref));
  return { ...manifest, plans: refs } as JsonObject;
}

function defaultsOf(manifest: JsonObject): JsonObject {
  const { defaults } = manifest as { readonly defaults?: Json };
  return isJsonObject(defaults as Json) ? (defaults as JsonObject) : ({} as JsonObject);
}

function dropAbsent(members: Readonly<Record<string, string | undefined>>): Json {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Json;
}
