import { createHash } from 'node:crypto';
import { mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '@worldline/canon';

/**
 * Where a world's control socket lies (`host.md` §1). It is `.worldline/control.sock` wherever the operating system can
 * name that: a socket's path has about a hundred bytes, and world folders may lie deeper.
 */

/** Longest path of a socket: `sun_path` without its final zero. */
export const SOCKET_PATH_BYTES_MAX = process.platform === 'linux' ? 107 : 103;

/** Room for the name that a socket has before it replaces the one in its place. */
const NAME_ROOM = 8;

/** Begins the name of every folder that stands in for a world folder too deep for a socket. */
export const SHORT_FOLDER = 'worldline-';

/** Where clients look first. @param dir - `.worldline` of the world. */
export function defaultAddress(dir: string): string {
  return process.platform === 'win32' ? pipeName(dir) : join(dir, 'control.sock');
}

/**
 * Where to listen: the default place, or a short one in a private folder of its own. The caller records which in
 * `daemon.json`.
 *
 * @returns undefined when even the folder for temporary files is too deep.
 */
export function chooseAddress(dir: string): { readonly path: string; readonly madeFolder?: string } | undefined {
  const usual = defaultAddress(dir);
  if (process.platform === 'win32' || fits(usual)) return { path: usual };
  const short = join(tmpdir(), `${SHORT_FOLDER}XXXXXX`, 'control.sock');
  if (!fits(short)) return undefined;
  // Mode 0700: what lies in it is nobody else's to open.
  const folder = mkdtempSync(join(tmpdir(), SHORT_FOLDER));
  return { path: join(folder, 'control.sock'), madeFolder: folder };
}

function fits(path: string): boolean {
  return utf8(path).length + NAME_ROOM <= SOCKET_PATH_BYTES_MAX;
}

/** One pipe per world folder, whatever name it was reached by. */
function pipeName(dir: string): string {
  const digest = createHash('sha256').update(realpathSync(dir)).digest('hex');
  return `\\\\.\\pipe\\worldline-${digest.slice(0, 32)}`;
}
