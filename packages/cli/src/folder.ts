import { existsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { stop } from './failure.ts';

const MARKS = ['worldline.json', 'air', '.worldline'];

/** The folder of `--world`, else the nearest one upwards that looks like a world. */
export function findWorld(given: string | undefined, cwd: string): string {
  if (given !== undefined) {
    const root = resolve(cwd, given);
    if (!isFolder(root)) {
      stop('not_found', existsSync(root) ? `${given} is not a folder` : `there is no folder ${given}`, { hint: `make one with "worldline init ${given}"` });
    }
    return root;
  }
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    if (MARKS.some((mark) => existsSync(join(folder, mark)))) return folder;
    if (folder === dirname(folder)) break;
  }
  return stop('not_found', `there is no world here: neither ${cwd} nor a folder above it holds worldline.json, air/ or .worldline/`, {
    hint: 'make one with "worldline init", or name one with --world <dir>',
  });
}

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
