import { sha256 } from '@worldline/canon';
import { BUILTINS, effectiveScope } from './builtins.ts';
import type { Json, JsonObject } from './json.ts';
import type { Catalog, Def, EffectDef, Grant, PlanDef, Trigger } from './node.ts';
import { encodeNode, members, nonEmpty, object } from './node-json.ts';
import { AIR_VERSION, type InlineSecret, type RefSource } from './node-manifest.ts';
import { readGrant } from './validate-grants.ts';
import { readTrigger } from './validate-triggers.ts';
import type { World } from './validate-world.ts';

/** What a sound world becomes: its catalog and its canonical manifest. */
export interface Built {
  readonly catalog: Catalog;
  /** Canonical, without `$kind`. */
  readonly manifest: JsonObject;
  readonly manifestBytes: Uint8Array;
}

/**
 * @param world - Passed `validate` without an error; anything missing now is a bug.
 * @param manifestHash - Of a stored manifest, which is what the journal pins; computed when absent.
 */
export function buildCatalog(world: World, manifestHash?: Uint8Array): Built {
  const grants = world.manifest.grants.map((source) => {
    const cap = world.caps.get(source.cap);
    if (cap === undefined) throw new Error(`grant ${source.name} of an unknown cap`);
    const read = readGrant(source, cap.def, world.scope);
    if (!read.ok) throw new Error(`grant ${source.name} does not read`);
    return read.value;
  });
  const triggers = world.manifest.triggers.map((source) => {
    const read = readTrigger(source, world);
    if (!read.ok) throw new Error(`trigger of ${source.plan} does not read`);
    return read.value;
  });
  const manifest = manifestJson(world, {
    params: grants.map(({ params }) => params),
    triggers: triggers.map(({ json }) => json),
  });
  const manifestBytes = encodeNode(manifest);
  const policy = world.manifest.policy === undefined ? undefined : world.policies.get(world.manifest.policy)?.def;
  const catalog: Catalog = {
    manifestHash: manifestHash ?? sha256(manifestBytes),
    schemas: new Map([...BUILTINS.schemas, ...defs(world.schemas)]),
    plans: plansOf(world),
    effects: new Map([...defs(world.effects)].map(([kind, effect]) => [kind, widened(effect)])),
    caps: defs(world.caps),
    policies: defs(world.policies),
    modules: defs(world.modules),
    secrets: world.secrets.map(({ def }) => def),
    grants: new Map(grants.map(({ grant }): [string, Grant] => [grant.name, grant])),
    ...(policy === undefined ? {} : { policy }),
    triggers: triggers.map(({ trigger }): Trigger => trigger),
    scope: world.scope,
  };
  return { catalog, manifest, manifestBytes };
}

function defs<T>(listed: ReadonlyMap<string, Def<T>>): ReadonlyMap<string, Def<T>> {
  return new Map([...listed].map(([name, { def, hash }]) => [name, { def, hash }]));
}

/** The scope that the gate applies (`builtins.md` §6.3); the hash stays the published one. */
function widened({ def, hash }: Def<EffectDef>): Def<EffectDef> {
  return { def: { ...def, originScope: effectiveScope(def) }, hash };
}

function plansOf(world: World): ReadonlyMap<string, Def<PlanDef>> {
  const plans = new Map<string, Def<PlanDef>>();
  for (const [name, { hash }] of world.plans) {
    const plan = world.canonical.get(name);
    if (plan === undefined) throw new Error(`plan ${name} has no canonical form`);
    plans.set(name, { def: plan.def, hash });
  }
  return plans;
}

/** Canonical manifest without `$kind` (`definitions.md` §3.8). */
function manifestJson(
  world: World,
  canonical: { readonly params: readonly Json[]; readonly triggers: readonly Json[] },
): JsonObject {
  const { manifest } = world;
  const refs = (list: readonly RefSource[]) => list.map(({ name, hash }) => members({ name, hash }));
  const grants = manifest.grants.map((grant, index) =>
    members({ name: grant.name, cap: grant.cap, params: canonical.params[index], expiry_ns: integer(grant.expiryNs) }),
  );
  const bindings = manifest.bindings.map(
    ({ module, slots }) => [module, members({ slots: slots.length > 0 ? object(slots) : undefined })] as const,
  );
  return members({
    air_version: AIR_VERSION,
    schemas: refs(manifest.refs.schemas),
    modules: refs(manifest.refs.modules),
    plans: refs(manifest.refs.plans),
    effects: nonEmpty(refs(manifest.refs.effects)),
    caps: refs(manifest.refs.caps),
    policies: refs(manifest.refs.policies),
    secrets: nonEmpty(manifest.secrets.map(secretJson)),
    defaults: manifest.hasDefaults ? members({ policy: manifest.policy, cap_grants: nonEmpty(grants) }) : undefined,
    module_bindings: bindings.length > 0 ? object(bindings) : undefined,
    routing: manifest.hasRouting
      ? members({
          events: nonEmpty(
            manifest.events.map(({ event, reducer, keyField }) => members({ event, reducer, key_field: keyField })),
          ),
          inboxes: nonEmpty(manifest.inboxes.map(({ source, reducer }) => members({ source, reducer }))),
        })
      : undefined,
    triggers: nonEmpty(canonical.triggers),
  });
}

function secretJson(secret: RefSource | InlineSecret): JsonObject {
  if ('hash' in secret) return members({ name: secret.name, hash: secret.hash });
  const policy = {
    allowed_caps: nonEmpty(secret.allowedCaps),
    allowed_plans: nonEmpty(secret.allowedPlans),
  };
  return members({
    alias: secret.alias,
    version: secret.version,
    binding_id: secret.bindingId,
    expected_digest: secret.expectedDigest,
    policy: secret.hasPolicy ? members(policy) : undefined,
  });
}

function integer(value: bigint | undefined): Json | undefined {
  return value === undefined ? undefined : value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
