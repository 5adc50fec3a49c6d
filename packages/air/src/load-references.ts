import { hashText } from '@worldline/canon';
import { BUILTINS, ZERO_HASH_TEXT } from './builtins.ts';
import { suggest, suggestHint } from './diagnostic.ts';
import { shorten } from './json.ts';
import type { CanonicalDef, CanonicalSet, DefNode, LostDefs } from './load-definitions.ts';
import {
  builtinOf,
  duplicateKinds,
  duplicateRefs,
  isBuiltinSection,
  listedEffects,
  type Resolved,
  reservedName,
  SECTION_KINDS,
} from './load-resolve.ts';
import { type ManifestSource, type RefSource, SECTIONS, type Section } from './node-manifest.ts';
import { addAll, type Origin, type Problem } from './node-read.ts';
import type { Lost, LostKind } from './validate-world.ts';

/** Hashes of authored references (`definitions.md` §8.4, steps 3 to 5): V-203, V-205, V-206, V-211. */

export interface FilledManifest {
  readonly manifest: ManifestSource;
  readonly resolved: readonly Resolved[];
  readonly lost: Lost;
  /** As `World.unlisted` has them. */
  readonly unlisted: ReadonlySet<string>;
  /** Warnings among them. */
  readonly problems: readonly Problem[];
}

export function fillReferences(manifest: ManifestSource, canonical: CanonicalSet): FilledManifest {
  const { origin } = manifest;
  const problems: Problem[] = [];
  const names = new Set([...manifest.lost.grants].map((name) => `grants ${name}`));
  const kinds = new Set<LostKind>(manifest.lost.sections);
  if (manifest.lost.anyGrant) kinds.add('grants');
  const resolved: Resolved[] = [];
  const unlisted: DefNode[] = [];
  const filled = new Map<RefSource, RefSource>();
  for (const section of SECTIONS) {
    const found = resolveSection(section, manifest, canonical.lost, localDefs(canonical.defs, section));
    addAll(problems, found.problems);
    addAll(resolved, found.resolved);
    addAll(unlisted, found.unlisted);
    for (const name of found.lost) names.add(`${section} ${name}`);
    for (const [ref, used] of found.filled) {
      filled.set(ref, used);
      if (ref.hash !== ZERO_HASH_TEXT && ref.hash !== used.hash) problems.push(staleHash(section, ref, used, origin));
    }
  }
  addLostKinds(manifest, canonical.lost, names, kinds);
  for (const { ref } of resolved) if (canonical.broken.has(ref.name)) names.add(`schemas ${ref.name}`);

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
  const doubled = duplicateKinds(listedEffects(resolved), origin);
  for (const { fields } of doubled) names.add(`kinds ${fields?.['kind']}`);
  addAll(problems, duplicateRefs(manifest));
  addAll(problems, doubled);
  const replace = (ref: RefSource): RefSource => filled.get(ref) ?? ref;
  const refs = Object.fromEntries(SECTIONS.map((section) => [section, manifest.refs[section].map(replace)]));
  return {
    manifest: {
      ...manifest,
      refs: refs as unknown as ManifestSource['refs'],
      secrets: manifest.secrets.map((secret) => ('hash' in secret ? replace(secret) : secret)),
    },
    // Of two effects of one kind nobody knows which is meant.
    resolved: resolved.filter(({ builtin, node }) => {
      const def = builtin ?? (node !== undefined && 'def' in node ? node.def : undefined);
      return def?.kind !== 'defeffect' || !names.has(`kinds ${def.effectKind}`);
    }),
    lost: { names, kinds },
    unlisted: unlistedNames(unlisted),
    problems: [...problems, ...unlisted.filter(({ origin: of }) => of.file?.imported !== true).map(unlistedWarning)],
  };
}

interface ResolvedSection {
  readonly resolved: readonly Resolved[];
  /** What each reference that resolved is with its hash. */
  readonly filled: ReadonlyMap<RefSource, RefSource>;
  /** Listed names without a definition. */
  readonly lost: readonly string[];
  readonly unlisted: readonly DefNode[];
  readonly problems: readonly Problem[];
}

function resolveSection(
  section: Section,
  manifest: ManifestSource,
  lost: LostDefs,
  local: ReadonlyMap<string, CanonicalDef>,
): ResolvedSection {
  const { origin } = manifest;
  const kind = SECTION_KINDS[section];
  const resolved: Resolved[] = [];
  const filled = new Map<RefSource, RefSource>();
  const gone: string[] = [];
  const problems: Problem[] = [];
  const refs = manifest.refs[section];
  const named = new Set(refs.map(({ name }) => name));
  const free = new Map([...local].filter(([name]) => !named.has(name)));
  const known = () => [...local.keys(), ...knownBuiltins(section)];
  const take = (ref: RefSource, { node, hash = NO_HASH }: CanonicalDef): void => {
    resolved.push({ section, ref: { ...ref, hash: hashText(hash) }, hash, node });
  };
  for (const ref of refs) {
    const own = local.get(ref.name);
    const builtin = builtinOf(section, ref.name);
    if (own !== undefined || builtin !== undefined) {
      const hash = own === undefined ? (builtin?.hash ?? NO_HASH) : (own.hash ?? NO_HASH);
      const used = { ...ref, hash: hashText(hash) };
      if (hash !== NO_HASH) filled.set(ref, used);
      resolved.push(
        own === undefined
          ? { section, ref: used, hash, builtin: builtin?.def }
          : { section, ref: used, hash, node: own.node },
      );
      continue;
    }
    gone.push(ref.name);
    // It is there, or may be, and was reported.
    if (lost.kinds.has(kind) || lost.names.has(`${kind} ${ref.name}`)) continue;
    const reserved = reservedName(section, ref, origin);
    if (reserved !== undefined) {
      problems.push(reserved);
      continue;
    }
    // A definition that nobody lists and that is called nearly so is the one that is meant, whoever misspelt it.
    const meant = problems.length < GUESSES_MAX ? suggest(ref.name, free.keys()) : undefined;
    problems.push({
      origin,
      rule: 'V-206',
      code: 'ref.unknown',
      path: [...ref.path, 'name'],
      message: `no file defines ${kind} "${ref.name}"`,
      hint:
        meant === undefined
          ? () => suggestHint(ref.name, known()) ?? 'Define it in a file of the folder, or remove the line.'
          : `Did you mean "${meant}"?`,
      fields: { section, name: ref.name },
    });
    if (meant !== undefined) {
      take(ref, free.get(meant) as CanonicalDef);
      free.delete(meant);
    }
  }
  if (!manifest.lost.sections.has(section)) {
    return { resolved, filled, lost: gone, unlisted: [...free.values()].map(({ node }) => node), problems };
  }
  // What the manifest lists besides did not read: it may be any of these.
  for (const [name, def] of free) take({ name, hash: ZERO_HASH_TEXT, path: [section] }, def);
  for (const { def, hash } of section === 'effects' ? BUILTINS.effects.values() : []) {
    if (named.has(def.name)) continue;
    resolved.push({
      section,
      ref: { name: def.name, hash: hashText(hash), path: [section] },
      hash,
      builtin: def,
    });
  }
  return { resolved, filled, lost: gone, unlisted: [], problems };
}

/** Stands for the hash of a definition that has no canonical form, since something in it was reported. */
const NO_HASH = new Uint8Array(32);

/** Finding out what a misspelt name was meant to be costs a look at every other one. */
const GUESSES_MAX = 100;

/** Kinds of effects that are listed and did not read. */
function addLostKinds(manifest: ManifestSource, lost: LostDefs, names: Set<string>, kinds: Set<LostKind>): void {
  if (manifest.lost.sections.has('effects') && lost.kinds.has('defeffect')) kinds.add('kinds');
  for (const { name } of manifest.refs.effects) {
    if (!names.has(`effects ${name}`)) continue;
    const kind = lost.effectKinds.get(name);
    if (kind === undefined) kinds.add('kinds');
    else names.add(`kinds ${kind}`);
  }
  if (!manifest.lost.sections.has('effects')) return;
  for (const kind of lost.effectKinds.values()) {
    if (kind === undefined) kinds.add('kinds');
    else names.add(`kinds ${kind}`);
  }
}

function localDefs(defs: readonly CanonicalDef[], section: Section): ReadonlyMap<string, CanonicalDef> {
  return new Map(defs.flatMap((def) => (def.node.kind === SECTION_KINDS[section] ? [[def.node.name, def]] : [])));
}

function knownBuiltins(section: Section): Iterable<string> {
  return isBuiltinSection(section) ? BUILTINS[section].keys() : [];
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
    edit: { kind: 'replace', path: [...authored.path, 'hash'], text: JSON.stringify(used.hash) },
  };
}

function sectionOf(node: DefNode): Section {
  return SECTIONS.find((section) => SECTION_KINDS[section] === node.kind) as Section;
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

function unlistedNames(nodes: readonly DefNode[]): ReadonlySet<string> {
  return new Set(
    nodes.flatMap((node) => [
      `${sectionOf(node)} ${node.name}`,
      ...('def' in node && node.def.kind === 'defeffect' ? [`effects ${node.def.effectKind}`] : []),
    ]),
  );
}
