import { bytesEqual, fail, hashText, ok, type Result, sha256 } from '@worldline/canon';
import { BUILTINS, ZERO_HASH_TEXT } from './builtins.ts';
import { buildCatalog } from './catalog.ts';
import { type Diagnostic, suggestHint } from './diagnostic.ts';
import { type Json, type JsonObject, shorten } from './json.ts';
import { readFiles, type SourceFile } from './load-files.ts';
import {
  assembleWorld,
  builtinOf,
  duplicateKinds,
  duplicateRefs,
  type Resolved,
  reservedName,
  SECTION_KINDS,
} from './load-resolve.ts';
import type { CapDef, Catalog, EffectDef, SchemaDef } from './node.ts';
import { encodeNode, nodeToJson } from './node-json.ts';
import { type ManifestSource, type RefSource, SECTIONS, type Section } from './node-manifest.ts';
import { type ParsedNode, parseNode } from './node-parse.ts';
import { type CanonicalPlan, canonicalPlan, checkPlanNames, type PlanLookups } from './node-plan-canonical.ts';
import { type Origin, type Problem, toDiagnostics } from './node-read.ts';
import { validate } from './validate.ts';
import { checkTypes } from './validate-types.ts';
import { type Listed, type LoadOptions, scopeOf, type World } from './validate-world.ts';

/** Loading what authors write (`definitions.md` §8): a folder of files becomes a manifest and its definitions. */

export interface StoredObjectLike {
  /** 32 bytes: SHA-256 of `bytes`. */
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array;
}

export interface Loaded {
  readonly catalog: Catalog;
  /** Canonical manifest without `$kind`. */
  readonly manifestNode: Json;
  /** Canonical node of every definition in the files, listed or not, and last the manifest, without `$kind`. */
  readonly objects: readonly StoredObjectLike[];
  readonly warnings: readonly Diagnostic[];
}

type DefNode = Exclude<ParsedNode, { kind: 'manifest' }>;

/**
 * Load an authored folder.
 *
 * @param files - Already selected with `isAirFile`, in path order: their order decides which of two clashing definitions
 *   is reported, never a hash.
 * @returns all errors of the first stage that has any, in document order. `air.manifest_missing` alone tells that the
 *   files hold no manifest.
 */
export function loadAuthored(
  files: readonly SourceFile[],
  options: LoadOptions = {},
): Result<Loaded, readonly Diagnostic[]> {
  const warnings: Problem[] = [];
  const stop = (problems: readonly Problem[]) => fail(toDiagnostics(problems));

  const read = readFiles(files);
  if (!read.ok) return fail(read.failure);
  const nodes: ParsedNode[] = [];
  const problems: Problem[] = [];
  for (const origin of read.value) {
    const parsed = parseNode(origin, { authored: true });
    problems.push(...parsed.problems);
    if (parsed.node !== undefined) nodes.push(parsed.node);
  }
  if (problems.length > 0) return stop(problems);

  const set = collect(nodes);
  if (set.problems.length > 0) return stop(set.problems);
  const { manifest } = set;
  if (manifest === undefined) throw new Error('a set without problems has a manifest');

  const canonical = canonicalise(set.defs);
  if (canonical.problems.length > 0) return stop(canonical.problems);
  const merged = dropCopies(canonical.defs, warnings);
  if (merged.problems.length > 0) return stop(merged.problems);

  const filled = fillReferences(manifest, merged.defs, warnings);
  if (!filled.ok) return stop(filled.failure);
  const world: World = assembleWorld(
    filled.value.manifest,
    filled.value.resolved,
    unlistedNames(filled.value.unlisted),
  );
  for (const { node, plan } of merged.defs) {
    if (plan !== undefined && world.plans.has(node.name)) world.canonical.set(node.name, plan);
  }
  const invalid = validate(world, options);
  if (invalid.length > 0) return stop(invalid);

  const built = buildCatalog(world);
  return ok({
    catalog: built.catalog,
    manifestNode: built.manifest,
    objects: [
      ...merged.defs.map(({ hash, bytes }) => ({ hash, bytes })),
      { hash: built.catalog.manifestHash, bytes: built.manifestBytes },
    ],
    warnings: toDiagnostics(warnings),
  });
}

interface NodeSet {
  readonly manifest?: ManifestSource | undefined;
  readonly defs: readonly DefNode[];
  readonly problems: readonly Problem[];
}

/** V-203, V-204, and V-202 for the kinds whose node needs nothing but itself. */
function collect(nodes: readonly ParsedNode[]): NodeSet {
  const problems: Problem[] = [];
  const defs: DefNode[] = [];
  const first = new Map<string, DefNode>();
  let manifest: ManifestSource | undefined;
  for (const node of nodes) {
    if (node.kind === 'manifest') {
      if (manifest === undefined) {
        manifest = node.source;
      } else {
        const file = node.origin.file?.path ?? '';
        problems.push({
          origin: node.origin,
          rule: 'V-204',
          code: 'air.manifest_duplicate',
          path: [],
          message: `a second manifest; the first is in ${manifest.origin.file?.path}`,
          hint: 'Load one of two versions by naming its folder as the root.',
          fields: { file },
        });
      }
      continue;
    }
    if (node.name.startsWith('sys/')) {
      problems.push({
        origin: node.origin,
        rule: 'V-203',
        code: 'air.sys_def',
        path: ['name'],
        message: `"${node.name}": definitions under sys/ come with the runtime only`,
        hint: 'Use a namespace of your own.',
        fields: { kind: node.kind, name: node.name },
      });
      continue;
    }
    const key = `${node.kind} ${node.name}`;
    const before = first.get(key);
    if (before === undefined) first.set(key, node);
    else if (node.kind !== 'defplan' && before.kind !== 'defplan') {
      const same = bytesEqual(encodeNode(nodeToJson(node.def)), encodeNode(nodeToJson(before.def)));
      if (!same) problems.push(conflict(node, before));
    }
    defs.push(node);
  }
  if (manifest === undefined && problems.length === 0) {
    problems.push({
      origin: { json: null, base: [] },
      rule: 'V-204',
      code: 'air.manifest_missing',
      path: [],
      message: 'no file holds a manifest',
      hint: 'Add a node {"$kind": "manifest", "air_version": "1", …}.',
    });
  }
  return { manifest, defs, problems };
}

function conflict(node: DefNode, before: DefNode): Problem {
  const files = [before.origin.file?.path ?? '', node.origin.file?.path ?? ''];
  return {
    origin: node.origin,
    rule: 'V-202',
    code: 'import.conflict',
    path: ['name'],
    message: `${node.kind} "${node.name}" is defined differently in ${files[0]}`,
    hint: 'Keep one of them, or give the changed one a new version.',
    fields: { kind: node.kind, name: node.name, files },
  };
}

interface CanonicalDef {
  readonly node: DefNode;
  readonly bytes: Uint8Array;
  readonly hash: Uint8Array;
  readonly plan?: CanonicalPlan | undefined;
}

/** Every definition in canonical form, read with all definitions of the set and the built-in ones (§8.4, step 2). */
function canonicalise(nodes: readonly DefNode[]): {
  readonly defs: readonly CanonicalDef[];
  readonly problems: readonly Problem[];
} {
  const schemas = new Map<string, { def: SchemaDef }>();
  const effects = new Map([...BUILTINS.effects.values()].map(({ def }): [string, EffectDef] => [def.effectKind, def]));
  const inputs = new Map<string, string>();
  const typed: { def: SchemaDef | CapDef; origin: Origin }[] = [];
  for (const node of nodes) {
    if (node.kind === 'defplan') {
      if (!inputs.has(node.name)) inputs.set(node.name, node.source.input);
      continue;
    }
    const { def, origin } = node;
    if (def.kind === 'defschema' && !schemas.has(def.name)) schemas.set(def.name, { def });
    if (def.kind === 'defeffect' && !effects.has(def.effectKind)) effects.set(def.effectKind, def);
    if (def.kind === 'defschema' || def.kind === 'defcap') typed.push({ def, origin });
  }
  const scope = scopeOf(schemas);
  const names = {
    schemas: () => [...schemas.keys(), ...BUILTINS.schemas.keys()],
    effects: () => effects.keys(),
    plans: () => inputs.keys(),
  };
  const badTypes = checkTypes(typed, scope, (found) => suggestHint(found, names.schemas()));
  if (badTypes.length > 0) return { defs: [], problems: badTypes };

  const lookups: PlanLookups = {
    scope,
    effect: (kind) => effects.get(kind),
    planInput: (name) => inputs.get(name),
    hint: (section, found) => suggestHint(found, names[section]()),
  };
  const problems: Problem[] = [];
  const defs: CanonicalDef[] = [];
  for (const node of nodes) {
    if (node.kind !== 'defplan') {
      defs.push(hashed(node, nodeToJson(node.def)));
      continue;
    }
    const missing = checkPlanNames(node.source, lookups);
    const read = missing.length > 0 ? { problems: missing } : canonicalPlan(node.source, lookups);
    problems.push(...read.problems);
    if ('plan' in read && read.plan !== undefined) defs.push({ ...hashed(node, read.plan.node), plan: read.plan });
  }
  return { defs, problems };
}

function hashed(node: DefNode, json: JsonObject): CanonicalDef {
  const bytes = encodeNode(json);
  return { node, bytes, hash: sha256(bytes) };
}

/** V-202: exact copies count once. */
function dropCopies(
  defs: readonly CanonicalDef[],
  warnings: Problem[],
): { readonly defs: readonly CanonicalDef[]; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const kept = new Map<string, CanonicalDef>();
  for (const def of defs) {
    const { node } = def;
    const key = `${node.kind} ${node.name}`;
    const before = kept.get(key);
    if (before === undefined) {
      kept.set(key, def);
    } else if (bytesEqual(before.hash, def.hash)) {
      warnings.push({
        origin: node.origin,
        rule: 'V-202',
        code: 'def.duplicate',
        severity: 'warning',
        path: ['name'],
        message: `an exact copy of ${node.kind} "${node.name}" in ${before.node.origin.file?.path}`,
        fields: { kind: node.kind, name: node.name },
      });
    } else {
      problems.push(conflict(node, before.node));
    }
  }
  return { defs: [...kept.values()], problems };
}

/** Hashes of references (§8.4, steps 3 to 5): V-203, V-205, V-206, V-211. */
function fillReferences(
  manifest: ManifestSource,
  defs: readonly CanonicalDef[],
  warnings: Problem[],
): Result<
  { readonly manifest: ManifestSource; readonly resolved: readonly Resolved[]; readonly unlisted: readonly DefNode[] },
  readonly Problem[]
> {
  const { origin } = manifest;
  const problems: Problem[] = [];
  const resolved: Resolved[] = [];
  const filled = new Map<RefSource, RefSource>();
  const bySection = new Map(SECTIONS.map((section) => [section, localDefs(defs, section)]));
  for (const section of SECTIONS) {
    const local = bySection.get(section) ?? new Map<string, CanonicalDef>();
    for (const ref of manifest.refs[section]) {
      const reserved = reservedName(section, ref, origin);
      const own = local.get(ref.name);
      const builtin = builtinOf(section, ref.name);
      if (reserved !== undefined) {
        problems.push(reserved);
      } else if (own === undefined && builtin === undefined) {
        const known = [...local.keys(), ...knownBuiltins(section)];
        problems.push({
          origin,
          rule: 'V-206',
          code: 'ref.unknown',
          path: [...ref.path, 'name'],
          message: `no file defines ${SECTION_KINDS[section]} "${ref.name}"`,
          hint: suggestHint(ref.name, known),
          fields: { section, name: ref.name },
        });
      } else {
        const hash = (own ?? builtin)?.hash as Uint8Array;
        const used = { ...ref, hash: hashText(hash) };
        filled.set(ref, used);
        resolved.push(
          own === undefined
            ? { section, ref: used, hash, builtin: builtin?.def }
            : { section, ref: used, hash, node: own.node },
        );
        if (ref.hash !== ZERO_HASH_TEXT && ref.hash !== used.hash) warnings.push(staleHash(section, ref, used, origin));
      }
    }
  }
  for (const secret of manifest.secrets) {
    if ('hash' in secret) continue;
    problems.push({
      origin,
      rule: 'V-205',
      code: 'secret.inline_unsupported',
      path: secret.path,
      message: `secret "${shorten(secret.alias)}" is declared inside the manifest`,
      hint: 'Write a defsecret node and list it by name.',
      fields: { alias: shorten(secret.alias) },
    });
  }
  problems.push(...duplicateRefs(manifest));
  const effects = resolved.flatMap(({ section, ref, hash, builtin, node }): Listed<EffectDef>[] => {
    const def = builtin ?? (node !== undefined && 'def' in node ? node.def : undefined);
    return section === 'effects' && def?.kind === 'defeffect' ? [{ def, hash, ref, origin: node?.origin }] : [];
  });
  problems.push(...duplicateKinds(effects, origin));
  if (problems.length > 0) return fail(problems);

  const unlisted = defs.flatMap(({ node }) => (isListed(node, manifest) ? [] : [node]));
  warnings.push(...unlisted.map(unlistedWarning));
  const replace = (ref: RefSource): RefSource => filled.get(ref) ?? ref;
  const refs = Object.fromEntries(SECTIONS.map((section) => [section, manifest.refs[section].map(replace)]));
  return ok({
    manifest: {
      ...manifest,
      refs: refs as unknown as ManifestSource['refs'],
      secrets: manifest.secrets.map((secret) => ('hash' in secret ? replace(secret) : secret)),
    },
    resolved,
    unlisted,
  });
}

function localDefs(defs: readonly CanonicalDef[], section: Section): ReadonlyMap<string, CanonicalDef> {
  return new Map(defs.flatMap((def) => (def.node.kind === SECTION_KINDS[section] ? [[def.node.name, def]] : [])));
}

function knownBuiltins(section: Section): Iterable<string> {
  return section === 'schemas' || section === 'effects' || section === 'caps' || section === 'modules'
    ? BUILTINS[section].keys()
    : [];
}

function staleHash(section: Section, authored: RefSource, used: RefSource, origin: Origin): Problem {
  return {
    origin,
    code: 'ref.stale_hash',
    severity: 'warning',
    path: [...authored.path, 'hash'],
    message: `${authored.name}: the written hash is not that of the definition`,
    hint: 'Leave hashes out: they are filled in when the folder is loaded.',
    fields: { section, name: authored.name, authored: authored.hash, used: used.hash },
  };
}

function sectionOf(node: DefNode): Section {
  return SECTIONS.find((section) => SECTION_KINDS[section] === node.kind) as Section;
}

function isListed(node: DefNode, manifest: ManifestSource): boolean {
  return manifest.refs[sectionOf(node)].some(({ name }) => name === node.name);
}

/** §8.4, step 5. */
function unlistedWarning(node: DefNode): Problem {
  return {
    origin: node.origin,
    code: 'def.unlisted',
    severity: 'warning',
    path: ['name'],
    message: `manifest.${sectionOf(node)} does not list "${node.name}"`,
    hint: 'List it, or remove the definition.',
    fields: { kind: node.kind, name: node.name },
  };
}

/** As `World.unlisted` has them. */
function unlistedNames(nodes: readonly DefNode[]): ReadonlySet<string> {
  return new Set(
    nodes.flatMap((node) => [
      `${sectionOf(node)} ${node.name}`,
      ...('def' in node && node.def.kind === 'defeffect' ? [`effects ${node.def.effectKind}`] : []),
    ]),
  );
}
