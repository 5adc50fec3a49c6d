import { BUILTINS } from './builtins.ts';
import { suggestHint } from './diagnostic.ts';
import type { CapDef, Def, EffectDef, ModuleDef, PolicyDef, SchemaDef, SecretDef } from './node.ts';
import type { SimpleDef } from './node-json.ts';
import { type ManifestSource, type RefSource, SECTIONS, type Section } from './node-manifest.ts';
import type { ParsedNode } from './node-parse.ts';
import type { Origin, Problem } from './node-read.ts';
import type { DeclaredSecret, Listed, ListedPlan, Lost, World } from './validate-world.ts';
import { NOTHING_LOST, scopeOf } from './validate-world.ts';

/** From the references of a manifest to a `World`: the rules V-203, V-210, V-211 that both ways of loading share. */

/** `$kind` of what a section lists. */
export const SECTION_KINDS: Readonly<Record<Section, Exclude<ParsedNode['kind'], 'manifest'>>> = {
  schemas: 'defschema',
  modules: 'defmodule',
  plans: 'defplan',
  effects: 'defeffect',
  caps: 'defcap',
  policies: 'defpolicy',
  secrets: 'defsecret',
};

export type BuiltinSection = 'schemas' | 'modules' | 'effects' | 'caps';

export function isBuiltinSection(section: Section): section is BuiltinSection {
  return section === 'schemas' || section === 'modules' || section === 'effects' || section === 'caps';
}

export function builtinOf(section: Section, name: string): Def<SimpleDef> | undefined {
  return isBuiltinSection(section) ? BUILTINS[section].get(name) : undefined;
}

const FOREIGN = 'Names under sys/ belong to the runtime: remove the line, or list a definition of your own.';

/** V-203 for one reference: a `sys/` name must be in the catalogue, in the section it is listed under. */
export function reservedName(section: Section, ref: RefSource, origin: Origin): Problem | undefined {
  if (!ref.name.startsWith('sys/') || builtinOf(section, ref.name) !== undefined) return undefined;
  return {
    origin,
    rule: 'V-203',
    code: 'name.reserved',
    path: [...ref.path, 'name'],
    message: `there is no built-in "${ref.name}" for ${section}`,
    hint: isBuiltinSection(section) ? (suggestHint(ref.name, BUILTINS[section].keys()) ?? FOREIGN) : FOREIGN,
    fields: { kind: SECTION_KINDS[section], name: ref.name },
  };
}

/** V-211: a name once per section. */
export function duplicateRefs(manifest: ManifestSource): readonly Problem[] {
  return SECTIONS.flatMap((section) => {
    // A secret listed twice is V-613, which also knows inline declarations.
    if (section === 'secrets') return [];
    const seen = new Set<string>();
    return manifest.refs[section].flatMap((ref): Problem[] => {
      if (!seen.has(ref.name)) {
        seen.add(ref.name);
        return [];
      }
      return [
        {
          origin: manifest.origin,
          rule: 'V-211',
          code: 'ref.duplicate',
          path: [...ref.path, 'name'],
          message: `"${ref.name}" is listed twice under ${section}`,
          hint: 'Remove one of the two lines.',
          fields: { section, name: ref.name },
        },
      ];
    });
  });
}

/** The effects among what a manifest lists, in its order. */
export function listedEffects(resolved: readonly Resolved[]): readonly Listed<EffectDef>[] {
  return resolved.flatMap(({ section, ref, hash, builtin, node }): Listed<EffectDef>[] => {
    const def = builtin ?? (node !== undefined && 'def' in node ? node.def : undefined);
    return section === 'effects' && def?.kind === 'defeffect' ? [{ def, hash, ref, origin: node?.origin }] : [];
  });
}

/** V-211: kinds of effects are distinct, and a world's own effect does not take a built-in kind. */
export function duplicateKinds(effects: readonly Listed<EffectDef>[], origin: Origin): readonly Problem[] {
  const seen = new Set<string>();
  const builtin = new Set([...BUILTINS.effects.values()].map(({ def }) => def.effectKind));
  return effects.flatMap(({ def, ref, origin: own }): Problem[] => {
    const taken = seen.has(def.effectKind) || (own !== undefined && builtin.has(def.effectKind));
    seen.add(def.effectKind);
    if (!taken) return [];
    return [
      {
        origin,
        rule: 'V-211',
        code: 'effect.kind_duplicate',
        path: ref.path,
        message: `effect kind "${def.effectKind}" of ${def.name} is taken`,
        hint: 'Give the effect a kind of its own.',
        fields: { kind: def.effectKind },
      },
    ];
  });
}

/** One resolved reference: a built-in definition, or a node that was read. */
export interface Resolved {
  readonly section: Section;
  readonly ref: RefSource;
  readonly hash: Uint8Array;
  readonly builtin?: SimpleDef | undefined;
  readonly node?: ParsedNode | undefined;
}

/** What a world is besides its definitions, when it is loaded with everything that is wrong with it. */
export interface WorldExtras {
  readonly unlisted?: ReadonlySet<string>;
  readonly lost?: Lost;
  /** Schemas that were reported and that nothing may look into: without a type, as if they were lost. */
  readonly broken?: ReadonlySet<string>;
}

/** @param resolved - In manifest order; each node has the kind of its section. */
export function assembleWorld(
  manifest: ManifestSource,
  resolved: readonly Resolved[],
  { unlisted = new Set(), lost = NOTHING_LOST, broken = new Set() }: WorldExtras = {},
): World {
  const listed = <D extends SimpleDef>(section: Section): readonly Listed<D>[] =>
    resolved.flatMap((each): Listed<D>[] => {
      if (each.section !== section) return [];
      const def = each.builtin ?? (each.node !== undefined && 'def' in each.node ? each.node.def : undefined);
      if (def === undefined || def.kind !== SECTION_KINDS[section]) return [];
      return [{ def: def as D, hash: each.hash, origin: each.node?.origin, ref: each.ref }];
    });
  const byName = <D extends { readonly name: string }>(list: readonly Listed<D>[]) =>
    new Map(list.map((each) => [each.def.name, each]));
  const schemas = byName(listed<SchemaDef>('schemas'));
  const caps = byName(listed<CapDef>('caps'));
  return {
    manifest,
    schemas,
    modules: byName(listed<ModuleDef>('modules')),
    plans: new Map(
      resolved.flatMap(({ node, hash, ref, section }): [string, ListedPlan][] =>
        section === 'plans' && node?.kind === 'defplan' ? [[node.name, { source: node.source, hash, ref }]] : [],
      ),
    ),
    effects: new Map(listed<EffectDef>('effects').map((each) => [each.def.effectKind, each])),
    caps: new Map([...caps, ...[...BUILTINS.caps].filter(([name]) => !caps.has(name))]),
    policies: byName(listed<PolicyDef>('policies')),
    secrets: declaredSecrets(manifest, listed<SecretDef>('secrets')),
    scope: scopeOf(broken.size === 0 ? schemas : new Map([...schemas].filter(([name]) => !broken.has(name)))),
    unlisted,
    canonical: new Map(),
    read: new Map(),
    lost,
  };
}

/** References and inline declarations in manifest order. */
function declaredSecrets(manifest: ManifestSource, listed: readonly Listed<SecretDef>[]): readonly DeclaredSecret[] {
  const byPath = new Map(listed.map((each) => [each.ref, each]));
  return manifest.secrets.flatMap((secret): DeclaredSecret[] => {
    if (!('hash' in secret)) {
      return [{ def: secret, origin: manifest.origin, path: secret.path, listedAt: secret.path }];
    }
    const found = byPath.get(secret);
    if (found?.origin === undefined) return [];
    return [{ def: found.def, origin: found.origin, path: [], listedAt: secret.path }];
  });
}
