import type { Path } from '@worldline/canon';
import { BUILTINS, builtinEffect } from './builtins.ts';
import { suggestHint } from './diagnostic.ts';
import type { CapDef, EffectDef, ModuleDef, PolicyDef, SchemaDef, SecretDef } from './node.ts';
import type { ManifestSource, RefSource, Section } from './node-manifest.ts';
import type { PlanSource } from './node-plan.ts';
import type { CanonicalPlan, PlanLookups, ReadPlan } from './node-plan-canonical.ts';
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
  /** What could be read of plans, the canonical ones included. */
  readonly read: Map<string, ReadPlan>;
  readonly lost: Lost;
}

/**
 * What the manifest lists, or may list, and nobody can say more about, since the place that says it was reported. Nothing
 * that would need it is a finding: a schema that is lost fits every value, a grant that is lost has every cap type.
 * Nothing is lost in a world without a finding.
 */
export interface Lost {
  /** `kind name`, as in `schemas demo/Task@1`. */
  readonly names: ReadonlySet<string>;
  /** Kinds of things of which there may be more. */
  readonly kinds: ReadonlySet<LostKind>;
}

/** Definitions by name; effects also by their kind (`kinds`); grants by name. */
export type LostKind = Section | 'kinds' | 'grants';

export const NOTHING_LOST: Lost = { names: new Set(), kinds: new Set() };

/** May there be a thing of that name although nothing is known of it? */
export function isLost({ lost }: Pick<World, 'lost'>, kind: LostKind, name: string): boolean {
  return lost.kinds.has(kind) || lost.names.has(`${kind} ${name}`);
}

/** Is it certain that no schema has this name? */
export function lacksSchema(world: Pick<World, 'scope' | 'lost'>, name: string): boolean {
  return world.scope.lookup(name) === undefined && !isLost(world, 'schemas', name);
}

/** Is it certain that no grant has this name? */
export function lacksGrant(world: World, grants: { has(name: string): boolean }, name: string): boolean {
  return !grants.has(name) && !isLost(world, 'grants', name);
}

export interface LoadOptions {
  /** V-608: the world's configuration demands a default policy (`kernel.md` §15). */
  readonly requirePolicy?: boolean;
  /** False: types are not checked, as when a manifest is read that a journal pins already (`expressions.md` §13). */
  readonly staticTypes?: boolean;
  /** False: the definitions are looked at and not run, so that what this runtime does not run yet is no error. */
  readonly willRun?: boolean;
  /** True: the lints are among the warnings of what loads (`patterns.md` §8); only tools that show them ask for it. */
  readonly lints?: boolean;
}

/**
 * One group of rules. It looks at everything that is there and takes what is lost for right, so it may run before or after
 * any other.
 */
export type Pass = (world: World, options: LoadOptions) => readonly Problem[];

export function scopeOf(schemas: ReadonlyMap<string, { readonly def: SchemaDef }>): TypeScope {
  return { lookup: (name) => (schemas.get(name) ?? BUILTINS.schemas.get(name))?.def.type };
}

/**
 * What to try when a name of a section leads nowhere: list what is only defined, else a name that is near.
 *
 * @param found - A definition's name; for effects its kind.
 */
export function missingHint(world: World, section: Section, found: string): () => string | undefined {
  return () => hintFor(world, section, found);
}

function hintFor(world: World, section: Section, found: string): string | undefined {
  if (world.unlisted.has(`${section} ${found}`)) return `It is defined but not listed: add it to manifest.${section}.`;
  const builtin = section === 'effects' ? builtinEffect(found)?.def.name : undefined;
  if (builtin !== undefined) return `Add {"name": "${builtin}"} to manifest.effects.`;
  return suggestHint(found, namesOf(world, section)) ?? `Define it, and list it in manifest.${section}.`;
}

function namesOf(world: World, section: Section): Iterable<string> {
  switch (section) {
    case 'schemas':
      return [...world.schemas.keys(), ...lostNames(world, section), ...BUILTINS.schemas.keys()];
    case 'secrets':
      return world.secrets.map(({ def }) => `${def.alias}@${def.version}`);
    default:
      return [...world[section].keys(), ...lostNames(world, section)];
  }
}

/** What does not read has its name all the same, and may be what was meant. */
function lostNames({ lost }: World, section: Section): readonly string[] {
  const prefix = `${section === 'effects' ? 'kinds' : section} `;
  return [...lost.names].flatMap((key) => (key.startsWith(prefix) ? [key.slice(prefix.length)] : []));
}

/** What plans of this world are read with: listed definitions only (`definitions.md` §8.5). */
export function lookupsOf(world: World): PlanLookups {
  return {
    scope: world.scope,
    effect: (kind) => world.effects.get(kind)?.def,
    planInput: (name) => world.plans.get(name)?.source.input,
    isLost: (section, name) => isLost(world, section === 'effects' ? 'kinds' : section, name),
    hint: (section, found) => missingHint(world, section, found),
  };
}
