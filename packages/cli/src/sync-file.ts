import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  isJsonArray,
  isJsonObject,
  type Json,
  type JsonObject,
  locate,
  memberNames,
  parseJson,
  type Shape,
  suggestHint,
} from '@worldline/air';
import { fromUtf8, type Path, pointer } from '@worldline/canon';
import { shown } from './air-folder.ts';
import { CommandError, stop } from './failure.ts';
import {
  CHECKS_SHAPE,
  IGNORED_SHAPE,
  IMPORT_SHAPE,
  LOCK_SHAPE,
  NPM_SHAPE,
  SYNC_AIR_SHAPE,
  SYNC_FILE_SHAPE,
} from './sync-file-shape.ts';

/** `worldline.json` (`packs.md` §1). */
export interface SyncFile {
  /** Path of the file; undefined when the folder has none. */
  readonly path: string | undefined;
  /** What is in it, as it was read. */
  readonly text: string | undefined;
  /** Primary AIR folder, absolute. */
  readonly airDir: string;
  /** Folder that relative paths belong to, absolute. */
  readonly base: string;
  readonly imports: readonly ImportEntry[];
  readonly ignore: readonly IgnoredFinding[];
}

/** One entry of `air.imports` (`packs.md` §2.1). */
export interface ImportEntry {
  /** In the list. */
  readonly index: number;
  readonly source: PathSource | NpmSource;
  /** A hash, or members to compare; undefined when there is none. */
  readonly lock: string | JsonObject | undefined;
  /** Where the entry stands in the sync file. */
  readonly position: Position | undefined;
  /** Where a part of it stands; undefined when it has no such part. */
  readonly positionOf: (part: Path) => Position | undefined;
}

interface Position {
  readonly line: number;
  readonly column: number;
}

export interface PathSource {
  readonly kind: 'path';
  readonly path: string;
}

export interface NpmSource {
  readonly kind: 'npm';
  readonly package: string;
  readonly version?: string | undefined;
  readonly airDir?: string | undefined;
  readonly pack?: string | undefined;
  readonly from?: string | undefined;
}

export interface IgnoredFinding {
  readonly code: string;
  readonly plan?: string | undefined;
  readonly step?: string | undefined;
  readonly reason: string;
  /** Where the entry stands in the sync file. */
  readonly position?: Position | undefined;
}

/** Sections of the format that a later release reads. */
const LATER = Object.entries(SYNC_FILE_SHAPE)
  .filter(([, { holds }]) => holds.is === 'later')
  .map(([key]) => key);

/**
 * Reads the sync file of a world folder.
 *
 * @param map - `--map`, absolute; default `<root>/worldline.json`, which may be absent.
 * @param air - `--air`, absolute.
 * @throws CommandError with `not_found` (only for `--map`), `sync.version`, `sync.schema`, `unsupported`.
 */
export function readSyncFile(root: string, map?: string, air?: string): SyncFile {
  const path = map ?? join(root, 'worldline.json');
  const name = shown(path, root);
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (map === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT')
      return {
        path: undefined,
        text: undefined,
        airDir: air ?? join(root, 'air'),
        base: root,
        imports: [],
        ignore: [],
      };
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return stop('not_found', `there is no file ${name}`);
    if (code === 'EISDIR') return stop('not_found', `${name} is a folder`, { hint: 'name a file' });
    return stop('not_found', `${name} cannot be read: ${message}`);
  }
  const base = map === undefined ? root : resolve(map, '..');
  const textOfFile = fromUtf8(bytes);
  if (textOfFile === undefined) {
    const message = `${name} is not UTF-8 text`;
    throw new CommandError({
      code: 'sync.schema',
      message,
      details: [{ code: 'sync.schema', pointer: '', message: 'not UTF-8 text', file: name }],
    });
  }
  const json = parseJson(textOfFile);
  const reader = new FileReader(name, textOfFile, 'sync.schema');
  if (!json.ok) return reader.refuse('sync.schema', json.failure.path, json.failure.message, undefined, json.failure);
  const file = reader.object(json.value, [], SYNC_FILE_SHAPE);
  if (file['version'] !== SYNC_FILE_SHAPE.version.holds.value)
    reader.refuse('sync.version', ['version'], 'version must be 1', 'write "version": 1');
  for (const key of LATER) {
    const section = file[key];
    if (section === undefined || isEmpty(section)) continue;
    reader.refuse('unsupported', [key], `not supported yet: "${key}"`, 'remove this section');
  }
  const airSection = reader.object(file['air'] ?? {}, ['air'], SYNC_AIR_SHAPE);
  const dir = airSection['dir'] ?? 'air';
  if (typeof dir !== 'string' || dir === '') reader.refuse('sync.schema', ['air', 'dir'], 'expected a path');
  const imports = airSection['imports'] ?? [];
  if (!isJsonArray(imports)) return reader.refuse('sync.schema', ['air', 'imports'], 'expected a list');
  const checks = reader.object(file['checks'] ?? {}, ['checks'], CHECKS_SHAPE);
  const ignore = checks['ignore'] ?? [];
  if (!isJsonArray(ignore)) return reader.refuse('sync.schema', ['checks', 'ignore'], 'expected a list');
  return {
    path,
    airDir: air ?? resolve(base, dir as string),
    base,
    imports: imports.map((entry, index) => readImport(reader, entry, index)),
    text: textOfFile,
    ignore: ignore.map((entry, i) => {
      const at = ['checks', 'ignore', i];
      const object = reader.object(entry, at, IGNORED_SHAPE);
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
      return { code, plan: text('plan'), step: text('step'), reason, position: locate(textOfFile, at) };
    }),
  };
}

/** Name of a package as npm has them: no URL, no path, no version behind it. */
const NPM_NAME = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/;

function readImport(reader: FileReader, json: Json, index: number): ImportEntry {
  const at: Path = ['air', 'imports', index];
  const entry = reader.object(json, at, IMPORT_SHAPE);
  const { path, npm, lock } = entry;
  if ((path === undefined) === (npm === undefined)) {
    const found = path === undefined ? 'neither "path" nor "npm"' : '"path" and "npm"';
    return reader.refuse('import.shape', at, `an import has ${found}`, 'give one of them');
  }
  const positionOf = (part: Path) => reader.position([...at, ...part]);
  const position = positionOf([]);
  const locked = lock === undefined || lock === null ? undefined : readLock(reader, lock, [...at, 'lock']);
  if (npm === undefined) {
    const source = { kind: 'path', path: reader.text(path, [...at, 'path'])! } as const;
    return { index, source, lock: locked, position, positionOf };
  }
  const inNpm: Path = [...at, 'npm'];
  const fields = reader.object(npm, inNpm, NPM_SHAPE);
  const text = (key: keyof typeof NPM_SHAPE) => reader.text(fields[key], [...inNpm, key]);
  const name = text('package') ?? reader.refuse('import.shape', inNpm, '"package" is missing', 'name the package');
  if (!NPM_NAME.test(name) || name.length > 214) {
    const hint = 'a name such as agent-defs or @acme/agent-defs; a range of versions goes into "version"';
    reader.refuse('import.shape', [...inNpm, 'package'], `"${name}" is no package name`, hint);
  }
  const [pack, airDir] = [text('pack'), text('air_dir')];
  if (pack !== undefined && airDir !== undefined)
    reader.refuse(
      'import.shape',
      [...inNpm, 'air_dir'],
      '"pack" and "air_dir" exclude each other',
      'remove one of them',
    );
  if (pack !== undefined && !NPM_SHAPE.pack.holds.pattern.test(pack))
    reader.refuse(
      'import.shape',
      [...inNpm, 'pack'],
      `"${pack}" is no name of a pack`,
      'small letters, digits and "-"',
    );
  const source = { kind: 'npm', package: name, version: text('version'), airDir, pack, from: text('from') } as const;
  return { index, source, lock: locked, position, positionOf };
}

function readLock(reader: FileReader, lock: Json, at: Path): string | JsonObject {
  if (typeof lock === 'string') return lock;
  const members = reader.object(lock, at, LOCK_SHAPE);
  for (const key of memberNames(members)) reader.text(members[key], [...at, key]);
  if (members['defs_hash'] === undefined) {
    const hint = '"worldline sync lock" writes it';
    reader.refuse('sync.schema', at, '"defs_hash" is missing', hint);
  }
  return members;
}

function isEmpty(section: Json): boolean {
  return isJsonArray(section) ? section.length === 0 : isJsonObject(section) && memberNames(section).length === 0;
}

/** Reads the members of an authored JSON file, and says where in it something is wrong. */
export class FileReader {
  readonly #path: string;
  readonly #text: string;
  readonly #code: string;

  /**
   * @param path - as messages show it.
   * @param code - of what is no member, or has another type.
   */
  constructor(path: string, text: string, code: string) {
    this.#path = path;
    this.#text = text;
    this.#code = code;
  }

  refuse(code: string, path: Path, message: string, hint?: string, position?: Position, atKey = false): never {
    const at = position ?? locate(this.#text, path, { key: atKey });
    const where = at === undefined ? this.#path : `${this.#path}:${at.line}:${at.column}`;
    throw new CommandError({
      code,
      message: `${where}: ${message}`,
      path,
      hint,
      details: [{ code, pointer: pointer(path), message, hint, file: this.#path, line: at?.line, column: at?.column }],
    });
  }

  position(path: Path): Position | undefined {
    return locate(this.#text, path);
  }

  /** A text that is not empty; undefined when there is none. */
  text(value: Json | undefined, path: Path): string | undefined {
    if (value === undefined) return undefined;
    return typeof value === 'string' && value !== '' ? value : this.refuse(this.#code, path, 'expected text');
  }

  object(json: Json, path: Path, shape: Shape): JsonObject {
    const keys = Object.keys(shape);
    if (!isJsonObject(json)) return this.refuse(this.#code, path, 'expected an object');
    for (const key of memberNames(json)) {
      if (!keys.includes(key)) {
        const hint = suggestHint(key, keys) ?? `known keys: ${keys.join(', ')}`;
        this.refuse(this.#code, [...path, key], `unknown key "${key}"`, hint, undefined, true);
      }
    }
    return json;
  }
}
