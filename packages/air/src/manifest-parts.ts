import { compareUtf8 } from '@worldline/canon';
import { isJsonArray, isJsonObject, type Json, type JsonObject, member } from './json.ts';
import { members, nonEmpty } from './node-json.ts';
import { AIR_VERSION, SECTIONS, type Section } from './node-manifest.ts';

/**
 * A manifest as the blocks that a patch changes one by one (`governance.md` §2.1).
 *
 * M1  Taking a stored manifest apart and putting it together keeps what it means: every list but the references keeps its
 *     order, every block its bytes.
 * M2  What comes out has one form: references in name order, no empty `defaults` or `routing`. So the order of operations,
 *     and the way by which a world came to its definitions, never show in a hash.
 */
export interface ManifestParts {
  readonly refs: Readonly<Record<Section, readonly ManifestRef[]>>;
  /** The list as it stands, references and inline declarations; `refs.secrets` has the references once more. */
  readonly secrets: readonly Json[];
  readonly policy: string | undefined;
  readonly grants: readonly Json[];
  readonly events: readonly Json[];
  readonly inboxes: readonly Json[];
  readonly triggers: readonly Json[];
  readonly bindings: JsonObject;
}

export interface ManifestRef {
  readonly name: string;
  /** `sha256:…`. */
  readonly hash: string;
}

/** @param manifest - Canonical, with or without `$kind`. */
export function manifestParts(manifest: JsonObject): ManifestParts {
  const list = (of: Json | undefined, key: string): readonly Json[] => {
    const found = isJsonObject(of) ? member(of, key) : undefined;
    return isJsonArray(found) ? found : [];
  };
  const refs = Object.fromEntries(
    SECTIONS.map((section) => [
      section,
      list(manifest, section)
        .filter(isRef)
        .map((ref) => ({ name: String(ref['name']), hash: String(ref['hash']) })),
    ]),
  ) as unknown as Record<Section, readonly ManifestRef[]>;
  const defaults = member(manifest, 'defaults');
  const policy = isJsonObject(defaults) ? member(defaults, 'policy') : undefined;
  const routing = member(manifest, 'routing');
  const bindings = member(manifest, 'module_bindings');
  return {
    refs,
    secrets: list(manifest, 'secrets'),
    policy: typeof policy === 'string' ? policy : undefined,
    grants: list(defaults, 'cap_grants'),
    events: list(routing, 'events'),
    inboxes: list(routing, 'inboxes'),
    triggers: list(manifest, 'triggers'),
    bindings: isJsonObject(bindings) ? bindings : {},
  };
}

function isRef(json: Json): json is JsonObject {
  return isJsonObject(json) && Object.hasOwn(json, 'name');
}

/** The manifest of these parts, without `$kind`, in the one form of M2. */
export function manifestOfParts(parts: ManifestParts): JsonObject {
  const refs = (section: Section): readonly Json[] =>
    [...parts.refs[section]]
      .sort((a, b) => compareUtf8(a.name, b.name))
      .map(({ name, hash }) => members({ name, hash }));
  const block = (object: JsonObject) => (Object.keys(object).length > 0 ? object : undefined);
  return members({
    air_version: AIR_VERSION,
    schemas: refs('schemas'),
    modules: refs('modules'),
    plans: refs('plans'),
    effects: nonEmpty(refs('effects')),
    caps: refs('caps'),
    policies: refs('policies'),
    secrets: nonEmpty([...refs('secrets'), ...parts.secrets.filter((secret) => !isRef(secret))]),
    defaults: block(members({ policy: parts.policy, cap_grants: nonEmpty(parts.grants) })),
    module_bindings: block(parts.bindings),
    routing: block(members({ events: nonEmpty(parts.events), inboxes: nonEmpty(parts.inboxes) })),
    triggers: nonEmpty(parts.triggers),
  });
}

/** `H({policy?, cap_grants})` guards the defaults, the list or map itself every other block (`governance.md` §2.2). */
export function defaultsBlock(parts: ManifestParts): JsonObject {
  return members({ policy: parts.policy, cap_grants: parts.grants });
}
