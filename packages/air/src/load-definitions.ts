import { bytesEqual, hashText, sha256 } from '@worldline/canon';
import { BUILTINS, builtinEffect } from './builtins.ts';
import { suggestHint } from './diagnostic.ts';
import { isJsonObject, type JsonObject, printJson } from './json.ts';
import type { ReadFiles } from './load-files.ts';
import { builtinOf, SECTION_KINDS } from './load-resolve.ts';
import type { CapDef, EffectDef, SchemaDef } from './node.ts';
import { encodeNode, nodeToJson } from './node-json.ts';
import { type ManifestSource, SECTIONS, unreadManifest } from './node-manifest.ts';
import { DEF_KINDS, type DefKind, type ParsedNode, type ReadNode } from './node-parse.ts';
import { canonicalPlan, checkPlanNames, type PlanLookups, type ReadPlan } from './node-plan-canonical.ts';
import { addAll, type Origin, type Problem } from './node-read.ts';
import { effectSchemas } from './validate-grants.ts';
import { checkTypes } from './validate-types.ts';
import { scopeOf } from './validate-world.ts';

/**
 * The definitions of a folder before anything is known of what its manifest lists (`definitions.md` §8.4, steps 1 and 2):
 * V-202 … V-204, the types, and every plan read with all definitions of the folder and the built-in ones.
 */

export type DefNode = Exclude<ParsedNode, { kind: 'manifest' }>;

/** What the files define and nobody can read. */
export interface LostDefs {
  /** `$kind name`. */
  readonly names: ReadonlySet<string>;
  /** Kinds of which there may be definitions of any name. */
  readonly kinds: ReadonlySet<DefKind>;
  /** What effects that did not read may be called in a step, by the name of the definition; undefined: by anything. */
  readonly effectKinds: ReadonlyMap<string, string | undefined>;
}

export interface NodeSet {
  readonly manifest: ManifestSource;
  readonly defs: readonly DefNode[];
  readonly lost: LostDefs;
  readonly problems: readonly Problem[];
}

/** V-203, V-204, and what of the files is lost. */
export function collectNodes(nodes: readonly ReadNode[], origins: readonly Origin[], files: ReadFiles): NodeSet {
  const problems: Problem[] = [];
  const defs: DefNode[] = [];
  const manifests: { readonly origin: Origin; readonly source: ManifestSource | undefined }[] = [];
  const names = new Set<string>();
  const kinds = new Set<DefKind>(files.problems.length > 0 ? DEF_KINDS : []);
  const effectKinds = new Map<string, string | undefined>();
  let anyKind = files.problems.length > 0;
  for (const [index, { partial, kind, name }] of nodes.entries()) {
    const origin = origins[index] as Origin;
    if (kind === 'manifest') {
      manifests.push({ origin, source: partial?.kind === 'manifest' ? partial.source : undefined });
      continue;
    }
    if (partial !== undefined && partial.kind !== 'manifest' && !partial.name.startsWith('sys/')) {
      defs.push(partial);
      continue;
    }
    if (kind === undefined) anyKind = true;
    if (kind !== undefined && name?.startsWith('sys/')) {
      problems.push({
        origin: { ...origin, kind, name },
        rule: 'V-203',
        code: 'air.sys_def',
        path: ['name'],
        message: `"${name}": definitions under sys/ come with the runtime only`,
        hint: 'Use a namespace of your own.',
        fields: { kind, name },
      });
    }
    for (const each of kind === undefined ? DEF_KINDS : [kind]) {
      if (name === undefined) kinds.add(each);
      else names.add(`${each} ${name}`);
      if (each !== 'defeffect' || name === undefined) continue;
      const effectKind = isJsonObject(origin.json) ? origin.json['kind'] : undefined;
      effectKinds.set(name, typeof effectKind === 'string' ? effectKind : undefined);
    }
  }
  const [first, ...others] = manifests;
  for (const { origin } of others) {
    problems.push({
      origin: { ...origin, kind: 'manifest' },
      rule: 'V-204',
      code: 'air.manifest_duplicate',
      path: [],
      message: `a second manifest; the first is in ${first?.origin.file?.path}`,
      hint: 'Load one of two versions by naming its folder as the root.',
      fields: { file: origin.file?.path ?? '' },
    });
  }
  if (first === undefined && !anyKind) {
    problems.push({
      origin: { json: null, base: [] },
      rule: 'V-204',
      code: 'air.manifest_missing',
      path: [],
      message: 'no file holds a manifest',
      hint: 'Add a node {"$kind": "manifest", "air_version": "1", …}.',
    });
  }
  const unread = unreadManifest(first?.origin ?? { json: null, base: [] });
  const manifest = first?.source ?? unread;
  return {
    // Of two manifests nobody knows which lists what.
    manifest: others.length === 0 ? manifest : { ...manifest, lost: unread.lost },
    defs,
    lost: { names, kinds, effectKinds },
    problems,
  };
}

/** A definition of the folder; without bytes when what it needs is not there. */
export interface CanonicalDef {
  readonly node: DefNode;
  readonly bytes?: Uint8Array | undefined;
  /** 32 bytes. */
  readonly hash?: Uint8Array | undefined;
  readonly plan?: ReadPlan | undefined;
}

export interface CanonicalSet {
  readonly defs: readonly CanonicalDef[];
  /** As of the set, and what is defined in two ways. */
  readonly lost: LostDefs;
  /** Schemas that nothing may look into: they are part of a cycle. */
  readonly broken: ReadonlySet<string>;
  /** Warnings among them. */
  readonly problems: readonly Problem[];
}

/** Every definition in canonical form, read with all definitions of the set and the built-in ones; each name once. */
export function canonicalise(set: NodeSet): CanonicalSet {
  const simple = mergeCopies(set.defs.flatMap((node) => ('def' in node ? [hashed(node, nodeToJson(node.def))] : [])));
  const lost = withClashes(set.lost, simple.clashing);
  const schemas = new Map<string, { def: SchemaDef }>();
  const { effects, doubled } = effectsByKind(set.manifest, simple.defs);
  const inputs = new Map<string, string>();
  const typed: { def: SchemaDef | CapDef; origin: Origin }[] = [];
  for (const { node } of simple.defs) {
    if (!('def' in node)) continue;
    const { def, origin } = node;
    if (def.kind === 'defschema') schemas.set(def.name, { def });
    if (def.kind === 'defschema' || def.kind === 'defcap') typed.push({ def, origin });
  }
  for (const node of set.defs) {
    if (node.kind === 'defplan' && !inputs.has(node.name)) inputs.set(node.name, node.source.input);
  }
  // What does not read has its name all the same, and may be what was meant.
  const lostNames = (kind: DefKind) =>
    [...lost.names].flatMap((key) => (key.startsWith(`${kind} `) ? [key.slice(kind.length + 1)] : []));
  const names = {
    schemas: () => [...schemas.keys(), ...lostNames('defschema'), ...BUILTINS.schemas.keys()],
    effects: () => effects.keys(),
    plans: () => [...inputs.keys(), ...lostNames('defplan')],
  };
  const hint = (section: keyof typeof names, found: string) => () =>
    suggestHint(found, names[section]()) ?? `Define it, and list it in manifest.${section}.`;
  const gone = undefinedNames(set.manifest, set.defs);
  const isLostDef = (kind: DefKind, name: string) =>
    lost.kinds.has(kind) || lost.names.has(`${kind} ${name}`) || gone.has(`${kind} ${name}`);
  const types = checkTypes(typed, {
    scope: scopeOf(schemas),
    isLost: (name) => isLostDef('defschema', name),
    hint: (found) => hint('schemas', found),
  });
  for (const name of types.cyclic) schemas.delete(name);

  const anyEffect = set.manifest.refs.effects.some(({ name }) => gone.has(`defeffect ${name}`));
  const lostKinds = new Set([...lost.effectKinds.values(), ...doubled]);
  const lookups: PlanLookups = {
    scope: scopeOf(schemas),
    effect: (kind) => effects.get(kind),
    planInput: (name) => inputs.get(name),
    effectsChecked: true,
    isLost: (section, name) => {
      switch (section) {
        case 'schemas':
          return types.cyclic.has(name) || isLostDef('defschema', name);
        case 'plans':
          return isLostDef('defplan', name);
        case 'effects':
          return lost.kinds.has('defeffect') || lostKinds.has(undefined) || lostKinds.has(name) || anyEffect;
        default:
          return section satisfies never;
      }
    },
    hint,
  };
  const problems: Problem[] = [...simple.problems, ...types.problems];
  for (const { node } of simple.defs) {
    if ('def' in node && node.def.kind === 'defeffect') {
      addAll(problems, effectSchemas(node.def, node.origin, lookups));
    }
  }
  const plans = mergeCopies(
    set.defs.flatMap((node): CanonicalDef[] => {
      if (node.kind !== 'defplan') return [];
      addAll(problems, checkPlanNames(node.source, lookups));
      const plan = canonicalPlan(node.source, lookups);
      addAll(problems, plan.problems);
      return [plan.plan === undefined ? { node, plan } : { ...hashed(node, plan.plan.node), plan }];
    }),
  );
  const byNode = new Map([...simple.defs, ...plans.defs].map((def) => [def.node, def]));
  return {
    defs: set.defs.flatMap((node) => byNode.get(node) ?? []),
    lost: withClashes(lost, plans.clashing),
    broken: types.cyclic,
    problems: [...problems, ...plans.problems],
  };
}

/** What the manifest lists and no file defines, as `$kind name`: that is reported where it is listed (V-206). */
function undefinedNames(manifest: ManifestSource, defs: readonly DefNode[]): ReadonlySet<string> {
  const defined = new Set(defs.map(keyOf));
  const gone = SECTIONS.flatMap((section) =>
    manifest.refs[section].flatMap(({ name }) => {
      const key = `${SECTION_KINDS[section]} ${name}`;
      return defined.has(key) || builtinOf(section, name) !== undefined ? [] : [key];
    }),
  );
  return new Set(gone);
}

/**
 * The effect that each kind means: the one that the manifest lists, else a built-in one, else any. Of a kind that two
 * listed ones have, or a listed one and a built-in one, nobody knows which is meant (V-211).
 */
function effectsByKind(
  manifest: ManifestSource,
  defs: readonly CanonicalDef[],
): { readonly effects: ReadonlyMap<string, EffectDef>; readonly doubled: ReadonlySet<string> } {
  const listed = new Set(manifest.refs.effects.map(({ name }) => name));
  const effects = new Map([...BUILTINS.effects.values()].map(({ def }): [string, EffectDef] => [def.effectKind, def]));
  const own = defs.flatMap(({ node }) => ('def' in node && node.def.kind === 'defeffect' ? [node.def] : []));
  const doubled = new Set<string>();
  for (const def of own) {
    const other = effects.get(def.effectKind);
    const isTaken = other !== undefined && (builtinEffect(def.effectKind) !== undefined || listed.has(other.name));
    if (isTaken && listed.has(def.name)) doubled.add(def.effectKind);
    else if (!isTaken && (other === undefined || listed.has(def.name))) effects.set(def.effectKind, def);
  }
  for (const kind of doubled) effects.delete(kind);
  return { effects, doubled };
}

function hashed(node: DefNode, json: JsonObject): CanonicalDef {
  const bytes = encodeNode(json);
  return { node, bytes, hash: sha256(bytes) };
}

/** V-202: one definition per kind and name; an exact copy counts once. Of those that clash nobody knows which is meant. */
function mergeCopies(defs: readonly CanonicalDef[]): {
  readonly defs: readonly CanonicalDef[];
  readonly clashing: readonly DefNode[];
  readonly problems: readonly Problem[];
} {
  const problems: Problem[] = [];
  const kept = new Map<string, CanonicalDef>();
  const clashing: DefNode[] = [];
  for (const def of defs) {
    const { node } = def;
    const key = keyOf(node);
    const before = kept.get(key);
    if (before === undefined) {
      kept.set(key, def);
    } else if (isCopy(def, before)) {
      if (!isImported(node) && !isImported(before.node)) problems.push(copied(node, before.node));
    } else if (def.hash !== undefined && before.hash !== undefined) {
      problems.push(conflict({ node, hash: def.hash }, { node: before.node, hash: before.hash }));
      clashing.push(before.node, node);
    }
    // Where one of them does not read, they may be meant to be the same.
  }
  for (const node of clashing) kept.delete(keyOf(node));
  return { defs: [...kept.values()], clashing, problems };
}

function keyOf(node: DefNode): string {
  return `${node.kind} ${node.name}`;
}

function withClashes(lost: LostDefs, clashing: readonly DefNode[]): LostDefs {
  const effectKinds = new Map(lost.effectKinds);
  for (const node of clashing) {
    if (!('def' in node) || node.def.kind !== 'defeffect') continue;
    const { effectKind } = node.def;
    const isSame = !effectKinds.has(node.name) || effectKinds.get(node.name) === effectKind;
    effectKinds.set(node.name, isSame ? effectKind : undefined);
  }
  return { ...lost, names: new Set([...lost.names, ...clashing.map(keyOf)]), effectKinds };
}

function isCopy(def: CanonicalDef, other: CanonicalDef): boolean {
  if (def.hash !== undefined && other.hash !== undefined) return bytesEqual(def.hash, other.hash);
  return printJson(def.node.origin.json) === printJson(other.node.origin.json);
}

function copied(node: DefNode, before: DefNode): Problem {
  return {
    origin: node.origin,
    rule: 'V-202',
    code: 'def.duplicate',
    severity: 'warning',
    path: ['name'],
    message: `an exact copy of ${node.kind} "${node.name}" in ${before.origin.file?.path}`,
    hint: 'Remove one of them.',
    fields: { kind: node.kind, name: node.name },
  };
}

function isImported({ origin }: DefNode): boolean {
  return origin.file?.imported === true;
}

interface Hashed {
  readonly node: DefNode;
  readonly hash: Uint8Array;
}

function conflict({ node, hash }: Hashed, { node: before, hash: hashBefore }: Hashed): Problem {
  const files = [before.origin.file?.path ?? '', node.origin.file?.path ?? ''];
  return {
    origin: node.origin,
    rule: 'V-202',
    code: 'import.conflict',
    path: ['name'],
    message: `${node.kind} "${node.name}" is defined differently in ${files[0]}: ${hashText(hashBefore)} there, ${hashText(hash)} here`,
    hint: 'Keep one of them, or give the changed one a new version.',
    fields: { kind: node.kind, name: node.name, files },
  };
}
