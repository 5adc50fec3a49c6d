import { type Dirent, readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';
import { type Diagnostic, isAirFile, type Loaded, loadAuthored, type SourceFile } from '@worldline/air';
import { compareUtf8, fromUtf8, type Result } from '@worldline/canon';
import { CommandError, detail, stop } from './failure.ts';
import { isFolder } from './folder.ts';

/**
 * The authored files below an asset root (`definitions.md` §8.1), in path order. Symbolic links are not followed.
 *
 * @param shownFrom - folder that the paths in diagnostics are relative to.
 * @throws CommandError `not_found` when there is no such folder, `air.unreadable` for a file that cannot be read as text.
 */
export function readAirFolder(airDir: string, shownFrom: string): readonly SourceFile[] {
  if (!isFolder(airDir)) {
    stop('not_found', `there is no folder ${shown(airDir, shownFrom)} with definitions`, {
      hint: 'make a world with "worldline init", or name the folder with --air <dir>',
    });
  }
  const files: SourceFile[] = [];
  const rootName = basename(airDir);
  const walk = (folder: string) => {
    const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => compareUtf8(a.name, b.name));
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (wanted(entry, path)) files.push({ path: shown(path, shownFrom), text: textOf(path) });
    }
  };
  const wanted = (entry: Dirent, path: string) =>
    entry.isFile() && isAirFile(relative(airDir, path).split(sep).join('/'), rootName);
  const textOf = (path: string) => {
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(path);
    } catch (error) {
      return stop('air.unreadable', `${shown(path, shownFrom)} cannot be read: ${(error as Error).message}`);
    }
    return fromUtf8(bytes) ?? stop('air.unreadable', `${shown(path, shownFrom)} is not UTF-8 text`);
  };
  walk(airDir);
  return files.sort((a, b) => compareUtf8(a.path, b.path));
}

/** A path for people: relative where that is shorter, with `/`. */
export function shown(path: string, from: string): string {
  const near = relative(from, path).split(sep).join('/');
  return near === '' ? '.' : near.startsWith('..') ? path : near;
}

/** Loads a folder. @returns the diagnostics when it does not hold a valid world. */
export function loadFolder(
  airDir: string,
  shownFrom: string,
  requirePolicy: boolean,
): { readonly files: readonly SourceFile[]; readonly result: Result<Loaded, readonly Diagnostic[]> } {
  const files = readAirFolder(airDir, shownFrom);
  return { files, result: loadAuthored(files, { requirePolicy }) };
}

/** The definitions of a folder, for commands that need them valid. @throws CommandError `manifest.validation`. */
export function requireLoaded(airDir: string, shownFrom: string, requirePolicy: boolean): Loaded {
  const { result } = loadFolder(airDir, shownFrom, requirePolicy);
  if (result.ok) return result.value;
  const errors = result.failure.filter((diagnostic) => diagnostic.severity === 'error');
  throw new CommandError({
    code: 'manifest.validation',
    message: `the definitions in ${shown(airDir, shownFrom)} have ${errors.length} ${errors.length === 1 ? 'error' : 'errors'}`,
    hint: 'run "worldline check" to see them with their source lines',
    details: errors.map(detail),
  });
}
