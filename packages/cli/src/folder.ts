import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { stop } from './failure.ts';

const MARKS = ['worldline.json', 'air', '.worldline'];

/** The folder of `--world`, else the nearest one upwards that looks like a world. */
export function findWorld(given: string | undefined, cwd: string): string {
  if (given !== undefined) {
    const root = resolve(cwd, given);
    if (!isFolder(root)) {
      stop('not_found', existsSync(root) ? `${given} is not a folder` : `there is no folder ${given}`, {
        hint: `make one with "worldline init ${given}"`,
      });
    }
    return root;
  }
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    if (looksLikeWorld(folder)) return folder;
    if (folder === dirname(folder)) break;
  }
  return stop(
    'not_found',
    `there is no world here: neither ${cwd} nor a folder above it holds worldline.json, air/ or .worldline/`,
    {
      hint: 'make one with "worldline init", or name one with --world <dir>',
    },
  );
}

/** Whether something in the folder says that it is a world. */
export function looksLikeWorld(folder: string): boolean {
  return MARKS.some((mark) => existsSync(join(folder, mark)));
}

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/**
 * Makes a folder and those above it. Not the platform's own recursive form: on file systems that answer "no such file"
 * for what they will not create (`/proc`), that one never returns.
 *
 * @throws the system's error.
 */
export function makeFolder(path: string, mode?: number): void {
  if (isFolder(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeFolder(parent, mode);
  try {
    mkdirSync(path, mode === undefined ? {} : { mode });
  } catch (error) {
    // Another process may have been faster.
    if (!isFolder(path)) throw error;
  }
}
