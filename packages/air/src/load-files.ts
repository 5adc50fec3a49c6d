import { fail, ok, type Result } from '@worldline/canon';
import type { Diagnostic } from './diagnostic.ts';
import { isJsonArray, parseJson } from './json.ts';
import type { Origin } from './node-read.ts';

/** The files of an authored folder: which are read, and the nodes in them (`definitions.md` §8.1, §8.2). */

export interface SourceFile {
  /** As diagnostics show it, relative to the asset root. */
  readonly path: string;
  readonly text: string;
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

/** V-101: each file is blank, one node, or an array of nodes. */
export function readFiles(files: readonly SourceFile[]): Result<readonly Origin[], readonly Diagnostic[]> {
  const origins: Origin[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const [index, { path, text }] of files.entries()) {
    if (text.replace(/^\ufeff/, '').trim() === '') continue;
    const json = parseJson(text);
    if (!json.ok) {
      const { code, path: at, message, line, column } = json.failure;
      diagnostics.push({ rule: 'V-101', code, severity: 'error', path: at, message, file: path, line, column });
      continue;
    }
    const file = { path, text, index };
    if (isJsonArray(json.value)) {
      origins.push(...json.value.map((node, position) => ({ json: node, base: [position], file })));
    } else if (typeof json.value === 'object' && json.value !== null) {
      origins.push({ json: json.value, base: [], file });
    } else {
      const message = 'a file holds one node (an object) or a list of nodes';
      diagnostics.push({
        rule: 'V-101',
        code: 'json.invalid',
        severity: 'error',
        path: [],
        message,
        file: path,
        line: 1,
        column: 1,
      });
    }
  }
  return diagnostics.length > 0 ? fail(diagnostics) : ok(origins);
}
