import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isJsonArray, isJsonObject, type Json, type JsonObject, locate, memberNames, parseJson } from '@worldline/air';
import { fromUtf8, type Path, pointer } from '@worldline/canon';
import { CommandError } from './failure.ts';

/** `worldline.json` (`packs.md` §1). */
export interface SyncFile {
  /** Path of the file; undefined when the folder has none. */
  readonly path: string | undefined;
  /** Primary AIR folder, absolute. */
  readonly airDir: string;
  readonly ignore: readonly IgnoredFinding[];
}

export interface IgnoredFinding {
  readonly code: string;
  readonly plan?: string | undefined;
  readonly step?: string | undefined;
  readonly reason: string;
}

/** Sections of the format that a later release reads. */
const LATER = ['build', 'modules', 'workspaces'];

/**
 * Reads the sync file of a world folder.
 *
 * @param map - `--map`, absolute; default `<root>/worldline.json`, which may be absent.
 * @param air - `--air`, absolute.
 * @throws CommandError with `not_found` (only for `--map`), `sync.version`, `sync.schema`, `unsupported`.
 */
export function readSyncFile(root: string, map?: string, air?: string): SyncFile {
  const path = map ?? join(root, 'worldline.json');
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (map === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT')
      return { path: undefined, airDir: air ?? join(root, 'air'), ignore: [] };
    throw new CommandError({ code: 'not_found', message: `${path} cannot be read: ${(error as Error).message}` });
  }
  const base = map === undefined ? root : resolve(map, '..');
  const text = fromUtf8(bytes);
  if (text === undefined) throw new CommandError({ code: 'sync.schema', message: `${path} is not UTF-8 text` });
  const json = parseJson(text);
  const reader = new SyncReader(path, text);
  if (!json.ok) return reader.refuse('sync.schema', json.failure.path, json.failure.message, undefined, json.failure);
  const file = reader.object(json.value, [], ['version', 'air', 'build', 'modules', 'workspaces', 'checks']);
  if (file['version'] !== 1) reader.refuse('sync.version', ['version'], 'version must be 1', 'write "version": 1');
  for (const key of LATER) {
    const section = file[key];
    if (section === undefined || isEmpty(section)) continue;
    reader.refuse('unsupported', [key], `not supported yet: "${key}"`, 'remove this section');
  }
  const airSection = reader.object(file['air'] ?? {}, ['air'], ['dir', 'imports']);
  const dir = airSection['dir'] ?? 'air';
  if (typeof dir !== 'string' || dir === '') reader.refuse('sync.schema', ['air', 'dir'], 'expected a path');
  const imports = airSection['imports'] ?? [];
  if (!isJsonArray(imports)) reader.refuse('sync.schema', ['air', 'imports'], 'expected a list');
  else if (imports.length > 0)
    reader.refuse(
      'unsupported',
      ['air', 'imports', 0],
      'not supported yet: imports',
      'copy the definitions into the air folder',
    );
  const checks = reader.object(file['checks'] ?? {}, ['checks'], ['ignore']);
  const ignore = checks['ignore'] ?? [];
  if (!isJsonArray(ignore)) return reader.refuse('sync.schema', ['checks', 'ignore'], 'expected a list');
  return {
    path,
    airDir: air ?? resolve(base, dir as string),
    ignore: ignore.map((entry, i) => {
      const at = ['checks', 'ignore', i];
      const object = reader.object(entry, at, ['code', 'plan', 'step', 'reason']);
      const text = (key: string) => {
        const value = object[key];
        if (value !== undefined && typeof value !== 'string')
          reader.refuse('sync.schema', [...at, key], 'expected text');
        return value as string | undefined;
      };
      const code = text('code') ?? reader.refuse('sync.schema', [...at, 'code'], '"code" is missing');
      const reason =
        text('reason') ??
        reader.refuse('sync.schema', [...at, 'reason'], '"reason" is missing', 'say why this finding is accepted');
      return { code, plan: text('plan'), step: text('step'), reason };
    }),
  };
}

function isEmpty(section: Json): boolean {
  return isJsonArray(section) ? section.length === 0 : isJsonObject(section) && memberNames(section).length === 0;
}

class SyncReader {
  readonly #path: string;
  readonly #text: string;

  constructor(path: string, text: string) {
    this.#path = path;
    this.#text = text;
  }

  refuse(
    code: string,
    path: Path,
    message: string,
    hint?: string,
    position?: { readonly line: number; readonly column: number },
  ): never {
    const at = position ?? locate(this.#text, path);
    const where = at === undefined ? this.#path : `${this.#path}:${at.line}:${at.column}`;
    throw new CommandError({
      code,
      message: `${where}: ${message}`,
      path,
      hint,
      details: [{ code, pointer: pointer(path), message, hint, file: this.#path, line: at?.line, column: at?.column }],
    });
  }

  object(json: Json, path: Path, keys: readonly string[]): JsonObject {
    if (!isJsonObject(json)) return this.refuse('sync.schema', path, 'expected an object');
    for (const key of memberNames(json)) {
      if (!keys.includes(key))
        this.refuse('sync.schema', [...path, key], `unknown key "${key}"`, `known keys: ${keys.join(', ')}`);
    }
    return json;
  }
}
