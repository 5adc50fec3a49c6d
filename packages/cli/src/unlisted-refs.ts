import {
  isJsonArray,
  isJsonObject,
  type Json,
  type JsonObject,
  locate,
  parseJson,
  type SourceFile,
} from '@worldline/air';
import { compareUtf8, type Path, pointer } from '@worldline/canon';
import { KINDS, type Need, needsOf, objectsIn, SECTIONS, type Section } from './definition-needs.ts';
import type { Finding } from './finding.ts';
import type { ResolvedImport } from './imports.ts';

/**
 * Imported definitions that a listed one needs and that the manifest does not list (`packs.md` §2.4). The lines to add are
 * certain; whether to add them is for the author to say, since what a world has is what its manifest lists.
 */
export interface UnlistedRef {
  readonly section: Section;
  readonly name: string;
  readonly pack: string;
  /** `plan "lib/core_x@1"`, or the manifest itself. */
  readonly neededBy: string;
}

interface Manifest {
  readonly node: JsonObject;
  readonly file: SourceFile;
  readonly base: Path;
}

/**
 * @param files - Of the folder and of its imports.
 * @returns In the order of the sections, by name. Nothing where there is no manifest, or more than one.
 */
export function unlistedRefs(files: readonly SourceFile[], imports: readonly ResolvedImport[]): readonly UnlistedRef[] {
  const manifest = manifestOf(files);
  if (manifest === undefined) return [];
  const own = new Map(nodesOf(files).map(({ node }) => [keyOf(String(node['$kind']), node['name']), node]));
  const imported = new Map(
    imports.flatMap(({ nodes, pack }) => nodes.map((node) => [keyOf(node.kind, node.name), { ...node, pack }])),
  );
  const effects = new Map(
    [...imported.values()].flatMap(({ kind, name, json }) => (kind === KINDS.effects ? [[json['kind'], name]] : [])),
  );
  const seen = new Set<string>();
  const found: UnlistedRef[] = [];
  const visit = (section: Section, name: string): void => {
    const key = keyOf(KINDS[section], name);
    if (seen.has(key)) return;
    seen.add(key);
    const node = own.get(key) ?? imported.get(key)?.json;
    if (node !== undefined) needsOf(node, effects, needed(`${section.slice(0, -1)} "${name}"`));
  };
  const needed =
    (neededBy: string): Need =>
    (section, name) => {
      if (typeof name !== 'string') return;
      const key = keyOf(KINDS[section], name);
      const target = imported.get(key);
      if (target === undefined || own.has(key) || seen.has(key)) return;
      found.push({ section, name, pack: target.pack, neededBy });
      visit(section, name);
    };
  // First all that is listed, so that none of it is taken for missing.
  const listed = SECTIONS.flatMap((section) =>
    objectsIn(manifest.node[section]).flatMap(({ name }) => (typeof name === 'string' ? [{ section, name }] : [])),
  );
  const isListed = new Set(listed.map(({ section, name }) => keyOf(KINDS[section], name)));
  for (const { section, name } of listed) visit(section, name);
  needsOf(manifest.node, effects, needed('the manifest'));
  return found
    .filter(({ section, name }) => !isListed.has(keyOf(KINDS[section], name)))
    .sort((a, b) => SECTIONS.indexOf(a.section) - SECTIONS.indexOf(b.section) || compareUtf8(a.name, b.name));
}

/** The lines to add, one finding for each. */
export function unlistedFindings(files: readonly SourceFile[], refs: readonly UnlistedRef[]): readonly Finding[] {
  const manifest = manifestOf(files);
  if (manifest === undefined) return [];
  return refs.map(({ section, name, pack, neededBy }) => {
    const path = manifest.node[section] === undefined ? [] : [section];
    const position = locate(manifest.file.text, [...manifest.base, ...path]);
    const fix = `add {"name": "${name}"} to "${section}", or push with --add-refs`;
    return {
      code: 'import.unlisted_ref',
      level: 'error',
      kind: 'manifest',
      path: pointer(path),
      file: manifest.file.path,
      line: position?.line,
      column: position?.column,
      message: `${neededBy} needs "${name}" of import "${pack}", which the manifest does not list`,
      fix,
      hint: fix,
    };
  });
}

/** The same files with the refs in the manifest. No line moves, so that other findings stay where they are. */
export function withRefs(files: readonly SourceFile[], refs: readonly UnlistedRef[]): readonly SourceFile[] {
  const manifest = manifestOf(files);
  if (manifest === undefined || refs.length === 0) return files;
  const insertions = SECTIONS.flatMap((section) => {
    const added = refs.filter((ref) => ref.section === section).map(({ name }) => JSON.stringify({ name }));
    return added.length === 0 ? [] : [insertionOf(manifest, section, added.join(', '))];
  }).sort((a, b) => b.offset - a.offset);
  let { text } = manifest.file;
  for (const { offset, inserted } of insertions) text = text.slice(0, offset) + inserted + text.slice(offset);
  return files.map((file) => (file === manifest.file ? { ...file, text } : file));
}

function insertionOf({ node, file, base }: Manifest, section: Section, added: string) {
  const list = node[section];
  // Behind its opening bracket; where there is no list, one comes in front of all members.
  const at = list === undefined ? locate(file.text, base) : locate(file.text, [...base, section]);
  const isEmpty = list !== undefined && isJsonArray(list) && list.length === 0;
  const inserted = list === undefined ? `"${section}": [${added}], ` : isEmpty ? added : `${added}, `;
  return { offset: (at?.offset ?? 0) + 1, inserted };
}

function manifestOf(files: readonly SourceFile[]): Manifest | undefined {
  const found = nodesOf(files).filter(({ node }) => node['$kind'] === 'manifest');
  return found.length === 1 ? found[0] : undefined;
}

/** Of the folder itself. */
function nodesOf(files: readonly SourceFile[]): readonly Manifest[] {
  return files.flatMap((file) => {
    if (file.imported === true) return [];
    const json = parseJson(file.text);
    if (!json.ok) return [];
    const { value } = json;
    const list: readonly (readonly [Json, Path])[] = isJsonArray(value)
      ? value.map((node, i) => [node, [i]] as const)
      : [[value, []]];
    return list.flatMap(([node, base]) => (isJsonObject(node) ? [{ node, file, base }] : []));
  });
}

function keyOf(kind: string, name: Json | undefined): string {
  return `${kind} ${String(name)}`;
}
