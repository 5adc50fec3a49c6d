import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '@worldline/canon';
import type { Failpoints } from '@worldline/ports';
import { syncDirectory } from './connection.ts';

/** Objects above the inline threshold, one file each (`hosting.md` §11.1). */

export function objectPath(dir: string, hash: Uint8Array): string {
  const hex = toHex(hash);
  return join(dir, 'objects', hex.slice(0, 2), hex);
}

/**
 * Makes the file durable under its name: temporary file, fsync, rename, fsync of the folders. A file that is there
 * already is replaced: it may be what a crash left of an earlier attempt.
 */
export function writeObjectFile(dir: string, hash: Uint8Array, bytes: Uint8Array, failpoints?: Failpoints): void {
  const path = objectPath(dir, hash);
  const folder = join(path, '..');
  const made = mkdirSync(folder, { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const fd = openSync(temporary, 'w', 0o600);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  failpoints?.reach('store.object_renamed', '');
  syncDirectory(folder);
  if (made !== undefined) {
    syncDirectory(join(dir, 'objects'));
    syncDirectory(dir);
  }
}

/** @returns undefined when there is no such file. */
export function readObjectFile(dir: string, hash: Uint8Array): Uint8Array | undefined {
  try {
    return new Uint8Array(readFileSync(objectPath(dir, hash)));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Removing what is not there is no failure: repeating it finishes what a crash left. */
export function removeObjectFile(dir: string, hash: Uint8Array): void {
  rmSync(objectPath(dir, hash), { force: true });
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}
