import type { Path } from '@worldline/canon';
import { BUILTINS, builtinEffect } from './builtins.ts';
import { suggestHint } from './diagnostic.ts';
import type { CapDef, EffectDef, ModuleDef, PolicyDef, SchemaDef, SecretDef } from './node.ts';
import type { ManifestSource, RefSource, Section } from './node-manifest.ts';
import type { PlanSource } from './node-plan.ts';
import type { CanonicalPlan, PlanLookups } from './node-plan-canonical.ts';
import type { Origin, Problem } from './node-read.ts';
import type { TypeScope } from './type.ts';

/** A manifest with every reference resolved to its definition: what the rules of `definitions.md` §10 look at. */

export interface Listed<T> {
  readonly def: T;
  /** 32 bytes; what the manifest pins. */
  readonly hash: Uint8Array;
  /** Absent for a built-in definition. */
  readonly origin?: Origin | undefined;
  readonly ref: RefSource;
}

export interface ListedPlan {
  readonly source: PlanSource;
  readonly hash: Uint8Array;
  readonly ref: RefSource;
}

/** A declared secret and where a finding about its declaration points. */
export interface DeclaredSecret {
  readonly def: SecretDef;
  readonly origin: Origin;
  readonly path: Path;
  /** Where the manifest lists or declares it. */
  readonly listedAt: Path;
}

export interface World {
  readonly manifest: ManifestSource;
  readonly schemas: ReadonlyMap<string, Listed<SchemaDef>>;
  readonly modules: ReadonlyMap<string, Listed<ModuleDef>>;
  readonly plans: ReadonlyMap<string, ListedPlan>;
  /** By kind. */
  readonly effects: ReadonlyMap<string, Listed<EffectDef>>;
  /** Listed ones, then all built-in ones that are not listed. */
  readonly caps: ReadonlyMap<
    string,
    { readonly def: CapDef; readonly hash: Uint8Array; readonly origin?: Origin | undefined }
  >;
  readonly policies: ReadonlyMap<string, Listed<PolicyDef>>;
  readonly secrets: readonly DeclaredSecret[];
  /** Listed schemas over the built-in ones. */
  readonly scope: TypeScope;
  /** `section name` (for effects also the kind) of what the files define and the manifest does not list; for hints. */
  readonly unlisted: ReadonlySet<string>;
  /** Canonical plans by name; the pass that reads slots fills what the loader did not. */
  readonly canonical: Map<string, CanonicalPlan>;
}

export interface LoadOptions {
  /** V-608: the world's configuration demands a default policy (`kernel.md` §15). */
  readonly requirePolicy?: boolean;
}

/** One group of rules. Passes of one stage all run; a stage with an error is the last. */
export type Pass = (world: World, options: LoadOptions) => readonly Problem[];

export function scopeOf(schemas: ReadonlyMap<string, { readonly def: SchemaDef }>): TypeScope {
  return { lookup: (name) => (schemas.get(name) ?? BUILTINS.schemas.get(name))?.def.type };
}

/**
 * What to try when a name of a section leads nowhere: list what is only defined, else a name that is near.
 *
 * @param found - A definition's name; for effects its kind.
 */
export function missingHint(world: World, section: Section, found: string): string | undefined {
  if (world.unlisted.has(`${section} ${found}`)) return `It is defined but not listed: add it to manifest.${section}.`;
  const builtin = section === 'effects' ? builtinEffect(found)?.def.name : undefined;
  if (builtin !== undefined) return `Add {"name": "${builtin}"} to manifest.effects.`;
  return suggestHint(found, namesOf(world, section)) ?? `Define it, and list it in manifest.${section}.`;
}

function namesOf(world: World, section: Section): Iterable<string> {
  switch (section) {
    case 'schemas':
      return [...world.schemas.keys(), ...BUILTINS.schemas.keys()];
    case 'secrets':
      return world.secrets.map(({ def }) => `${def.alias}@${def.version}`);
    default:
      return world[section].keys();
  }
}

/** What plans of this world are read with: listed definitions only (`definitions.md` §8.5). */
export function lookupsOf(world: World): PlanLookups {
  return {
    scope: world.scope,
    effect: (kind) => world.effects.get(kind)?.def,
    planInput: (name) => world.plans.get(name)?.source.input,
    hint: (section, found) => missingHint(world, section, found),
  };
}
