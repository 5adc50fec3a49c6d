import { type Dirent, readdirSync, readFileSync } from 'node:fs';
import { basename, isAbsolute, join, parse, relative, sep } from 'node:path';
import { type Diagnostic, isAirFile, type Loaded, type SourceFile } from '@worldline/air';
import { compareUtf8, fromUtf8, type Result } from '@worldline/canon';
import { CommandError, type Detail, detail, stop } from './failure.ts';
import { isFolder } from './folder.ts';

/**
 * The authored files below an asset root (`definitions.md` §8.1), in path order. Symbolic links are not followed.
 *
 * @param shownFrom - folder that the paths in diagnostics are relative to.
 * @throws CommandError `not_found` when there is no such folder, `air.unreadable` for a file that cannot be read as text.
 */
export function readAirFolder(airDir: string, shownFrom: string): readonly SourceFile[] {
  const files = readFolder(airDir, shownFrom);
  const unreadable = files.flatMap(({ path, unreadable: problem }): Detail[] =>
    problem === undefined ? [] : [{ code: 'air.unreadable', pointer: '', file: path, ...problem }],
  );
  const [first] = unreadable;
  if (first !== undefined) {
    stop('air.unreadable', `${first.file}: ${first.message}`, { hint: first.hint, details: unreadable });
  }
  return files;
}

/** As `readAirFolder`; a file that cannot be read as text says why. */
export function readFolder(airDir: string, shownFrom: string): readonly SourceFile[] {
  if (!isFolder(airDir)) {
    stop('not_found', `there is no folder ${shown(airDir, shownFrom)} with definitions`, {
      hint: 'make a world with "worldline init", or name the folder with --air <dir>',
    });
  }
  const listed = listAirFolder(airDir);
  const unreadable = (path: string, problem: Unreadable) => ({
    path: shown(path, shownFrom),
    text: '',
    unreadable: problem,
  });
  const files = listed.files.map((path): SourceFile => {
    const text = textOf(path);
    return typeof text === 'string' ? { path: shown(path, shownFrom), text } : unreadable(path, text);
  });
  for (const { path, problem } of listed.unreadable) files.push(unreadable(path, problem));
  return files.sort((a, b) => compareUtf8(a.path, b.path));
}

interface Unreadable {
  readonly message: string;
  readonly hint: string;
}

export interface AirListing {
  /** Absolute. */
  readonly files: readonly string[];
  /** All folders walked, the root first. */
  readonly folders: readonly string[];
  readonly unreadable: readonly { readonly path: string; readonly problem: Unreadable }[];
}

/** What the walk of an asset root meets; nothing but an unreadable root when there is none. */
export function listAirFolder(airDir: string): AirListing {
  const files: string[] = [];
  const folders: string[] = [];
  const unreadable: AirListing['unreadable'][number][] = [];
  const rootName = basename(airDir);
  const wanted = (entry: Dirent, path: string) =>
    entry.isFile() && isAirFile(relative(airDir, path).split(sep).join('/'), rootName);
  const walk = (folder: string) => {
    let entries: Dirent[];
    try {
      entries = readdirSync(folder, { withFileTypes: true });
    } catch (error) {
      unreadable.push({ path: folder, problem: cannotRead(error) });
      return;
    }
    folders.push(folder);
    for (const entry of entries.sort((a, b) => compareUtf8(a.name, b.name))) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (wanted(entry, path)) files.push(path);
    }
  };
  walk(airDir);
  return { files, folders, unreadable };
}

function cannotRead(error: unknown): Unreadable {
  return {
    message: `cannot be read: ${(error as Error).message}`,
    hint: 'let this user read it, or move it away',
  };
}

/** The text of a file, or why there is none. */
function textOf(path: string): string | Unreadable {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    return cannotRead(error);
  }
  const text = fromUtf8(bytes);
  if (text !== undefined) return text;
  return { message: 'not UTF-8 text', hint: 'save the file as UTF-8; if it is no definition, move it elsewhere' };
}

/**
 * A path for people, with `/`: relative, so that it reads the same wherever the folders lie. One that shares nothing with
 * `from` but the root of the disk stays as it is.
 */
export function shown(path: string, from: string): string {
  const near = relative(from, path);
  if (near === '') return '.';
  const [first] = near.split(sep);
  const top = (one: string) => relative(parse(one).root, one).split(sep)[0];
  if (isAbsolute(near) || (first === '..' && top(from) !== top(path))) return path;
  return near.split(sep).join('/');
}

/** What was loaded. @throws CommandError `manifest.validation`. */
export function valid(result: Result<Loaded, readonly Diagnostic[]>, airDir: string, shownFrom: string): Loaded {
  if (result.ok) return result.value;
  const errors = result.failure.filter((diagnostic) => diagnostic.severity === 'error');
  throw new CommandError({
    code: 'manifest.validation',
    message: `the definitions in ${shown(airDir, shownFrom)} have ${errors.length} ${errors.length === 1 ? 'error' : 'errors'}`,
    hint: 'run "worldline check" to see them with their source lines',
    details: errors.map(detail),
  });
}
