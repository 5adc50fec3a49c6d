import { isJsonArray, isJsonObject, parseJson } from './json.ts';
import type { Origin, Problem } from './node-read.ts';

/** The files of an authored folder: which are read, and the nodes in them (`definitions.md` §8.1, §8.2). */

export interface SourceFile {
  /** As diagnostics show it, relative to the asset root. */
  readonly path: string;
  readonly text: string;
  /** From elsewhere: a copy of a definition in it is silent, and so is one that the manifest does not list (`packs.md` §2.4). */
  readonly imported?: boolean | undefined;
  /** Why there is no text: the file could not be read. Then nothing is known of what it defines. */
  readonly unreadable?: { readonly message: string; readonly hint: string } | undefined;
}

/**
 * Does the walk of an asset root read this file (`definitions.md` §8.1)? The folders directly below the root count, and
 * the root itself when its own name does.
 *
 * @param relativePath - From the asset root, with `/`.
 * @param rootName - Name of the root folder itself.
 */
export function isAirFile(relativePath: string, rootName = ''): boolean {
  const parts = relativePath.split('/');
  const file = parts.at(-1) ?? '';
  const folders = parts.slice(0, -1);
  if (!file.toLowerCase().endsWith('.json') || file.endsWith('_template.air.json') || file === 'worldline.json')
    return false;
  const [top, ...below] = folders;
  const inRoot = isAirFolder(rootName) && !folders.includes('scaffolds');
  return inRoot || (top !== undefined && isAirFolder(top) && !below.includes('scaffolds'));
}

/** Folder names that are searched for definitions. */
export function isAirFolder(name: string): boolean {
  return name.startsWith('air') || name === 'defs' || name === 'plans';
}

const JSON_HINTS = {
  'json.invalid': 'Files hold plain JSON: no comments, no trailing commas, texts in double quotes.',
  'json.duplicate_key': 'Keep one of the two.',
} as const;

/** What stands in the files: nodes in document order, and V-101 for each file that is something else. */
export interface ReadFiles {
  readonly origins: readonly Origin[];
  readonly problems: readonly Problem[];
}

/** V-101: each file is blank, one node, or an array of nodes. Of a file that does not read nothing is known. */
export function readFiles(files: readonly SourceFile[]): ReadFiles {
  const origins: Origin[] = [];
  const problems: Problem[] = [];
  for (const [index, { path, text, unreadable, imported }] of files.entries()) {
    if (unreadable !== undefined) {
      const origin: Origin = { json: null, base: [], file: { path, text, index } };
      problems.push({ origin, code: 'air.unreadable', path: [], ...unreadable });
      continue;
    }
    if (text.replace(/^\ufeff/, '').trim() === '') continue;
    const file = { path, text, index, imported };
    const json = parseJson(text);
    if (!json.ok) {
      const { code, path: at, message, hint, line, column, offset } = json.failure;
      const origin: Origin = { json: null, base: [], file };
      problems.push({
        origin,
        rule: 'V-101',
        code,
        path: at,
        position: { line, column, offset },
        message,
        hint: hint ?? JSON_HINTS[code],
      });
    } else if (isJsonArray(json.value)) {
      for (const [position, node] of json.value.entries()) origins.push({ json: node, base: [position], file });
    } else if (isJsonObject(json.value)) {
      origins.push({ json: json.value, base: [], file });
    } else {
      problems.push({
        origin: { json: json.value, base: [], file },
        rule: 'V-101',
        code: 'json.invalid',
        path: [],
        message: 'a file holds one node (an object) or a list of nodes',
        hint: 'Begin the file with { or [.',
      });
    }
  }
  return { origins, problems };
}
