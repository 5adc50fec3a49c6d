import {
  type AuthoredDef,
  type AuthoredWorld,
  isJsonArray,
  isJsonObject,
  type Json,
  type JsonObject,
  member,
  parseJson,
  printJson,
  type SourceFile,
} from '@worldline/air';
import { compareUtf8 } from '@worldline/canon';
import { stop } from './failure.ts';

/**
 * The files that a folder needs to hold a world's definitions (`packs.md` §6).
 *
 * M1  What the folder has and the world has the same stays where it is, as its author wrote it.
 * M2  What differs is replaced in its place; what is missing goes to the file of its kind, by name.
 * M3  A file is written anew only when a node in it changes, and its other nodes keep their members and comments.
 */
export interface MergedFile {
  /** Relative to the folder that the given paths are relative to. */
  readonly path: string;
  readonly status: 'created' | 'changed' | 'unchanged' | 'removed';
  /** New content; undefined for `unchanged` and `removed`. */
  readonly text: string | undefined;
  /** What is replaced or removed: `plan demo/greet@1`. */
  readonly loses: readonly string[];
}

const FILE_OF_KIND: Readonly<Record<AuthoredDef['kind'] | 'manifest', string>> = {
  manifest: 'manifest.air.json',
  defschema: 'schemas.air.json',
  defmodule: 'module.air.json',
  defplan: 'plans.air.json',
  defeffect: 'effects.air.json',
  defcap: 'capabilities.air.json',
  defpolicy: 'policies.air.json',
  defsecret: 'secrets.air.json',
};

interface OpenFile {
  readonly source: SourceFile | undefined;
  nodes: Json[];
  readonly isList: boolean;
  touched: boolean;
  readonly loses: string[];
}

/**
 * @param files - Of the folder, in path order.
 * @param options.dir - Where files of a kind stand, as the paths of `files` are written; with a `/` at its end or empty.
 * @param options.prune - Definitions that the world lacks go.
 * @param options.elsewhere - Imported definitions: one that the world has the same is not missing.
 * @throws CommandError `json.invalid` for a file that cannot be read, so not be merged either.
 */
export function mergeFolder(
  files: readonly SourceFile[],
  world: AuthoredWorld,
  options: { readonly dir: string; readonly prune: boolean; readonly elsewhere?: readonly JsonObject[] },
): readonly MergedFile[] {
  const open = new Map(files.map((file) => [file.path, openFile(file)]));
  const missing = new Map<string, JsonObject>([['manifest', world.manifest]]);
  for (const [key, def] of world.defs) missing.set(key, def.node);
  for (const file of open.values()) {
    file.nodes = file.nodes.flatMap((node) => {
      const key = keyOf(node);
      const wanted = key === 'manifest' ? world.manifest : world.defs.get(key)?.node;
      if (wanted === undefined) {
        if (!options.prune || key === '') return [node];
        file.touched = true;
        file.loses.push(label(key));
        return [];
      }
      const isFirst = missing.delete(key);
      if (world.isSame(node)) return [node];
      file.touched = true;
      file.loses.push(label(key));
      // A second definition of one name in the folder would be a copy of the first.
      return isFirst ? [wanted] : [];
    });
  }
  for (const node of options.elsewhere ?? []) if (world.isSame(node)) missing.delete(keyOf(node));
  for (const [key, node] of missing) {
    const kind = String(node['$kind']) as keyof typeof FILE_OF_KIND;
    const path = `${options.dir}${FILE_OF_KIND[kind]}`;
    const file = open.get(path) ?? {
      source: undefined,
      nodes: [],
      isList: key !== 'manifest',
      touched: true,
      loses: [],
    };
    open.set(path, file);
    file.touched = true;
    insert(file.nodes, node);
  }
  return [...open].map(([path, file]) => closed(path, file)).sort((a, b) => compareUtf8(a.path, b.path));
}

function openFile(source: SourceFile): OpenFile {
  const { text, path } = source;
  const file = { source, touched: false, loses: [] };
  if (text.replace(/^\ufeff/, '').trim() === '') return { ...file, nodes: [], isList: true };
  const json = parseJson(text);
  if (!json.ok) {
    const { line, column, message } = json.failure;
    return stop('json.invalid', `${path}:${line}:${column}: ${message}`, { hint: 'mend or remove this file first' });
  }
  return isJsonArray(json.value)
    ? { ...file, nodes: [...json.value], isList: true }
    : { ...file, nodes: [json.value], isList: false };
}

/** Keeps a file that is sorted by name sorted, and adds to the end of any other. */
function insert(nodes: Json[], node: JsonObject): void {
  const names = nodes.map(nameOf);
  const isSorted = names.every((name, i) => i === 0 || compareUtf8(names[i - 1]!, name) <= 0);
  const at = isSorted ? names.findIndex((name) => compareUtf8(nameOf(node), name) < 0) : -1;
  nodes.splice(at < 0 ? nodes.length : at, 0, node);
}

function closed(path: string, { source, nodes, isList, touched, loses }: OpenFile): MergedFile {
  if (!touched) return { path, status: 'unchanged', text: undefined, loses };
  if (nodes.length === 0) return { path, status: 'removed', text: undefined, loses };
  const content = isList || nodes.length > 1 ? nodes : nodes[0]!;
  return { path, status: source === undefined ? 'created' : 'changed', text: `${printJson(content, 2)}\n`, loses };
}

/** `manifest`, or `kind name`; empty for what is neither. */
function keyOf(node: Json): string {
  if (!isJsonObject(node)) return '';
  const kind = member(node, '$kind');
  if (kind === 'manifest') return kind;
  const name = member(node, 'name');
  return typeof kind === 'string' && typeof name === 'string' ? `${kind} ${name}` : '';
}

function nameOf(node: Json): string {
  const name = isJsonObject(node) ? member(node, 'name') : undefined;
  return typeof name === 'string' ? name : '';
}

function label(key: string): string {
  return key.replace(/^def/, '');
}
