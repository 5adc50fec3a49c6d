import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { toHex } from '@worldline/canon';

/** Objects above this size lie in files; the row keeps their size (`hosting.md` §3). */
export const INLINE_MAX = 16 * 1024;

export function objectPath(dir: string, hash: Uint8Array): string {
  const hex = toHex(hash);
  return join(dir, 'objects', hex.slice(0, 2), hex.slice(2));
}

/** Durable when it returns: write a temporary file, sync it, rename it, sync the folder. */
export function writeObjectFile(dir: string, hash: Uint8Array, bytes: Uint8Array): void {
  const path = objectPath(dir, hash);
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.tmp`;
  const file = openSync(temporary, 'w', 0o600);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  syncFolder(folder);
  syncFolder(dirname(folder));
}

function syncFolder(path: string): void {
  // Windows cannot open a folder; its rename is durable with the file.
  if (process.platform === 'win32') return;
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

export function readObjectFile(dir: string, hash: Uint8Array): Uint8Array | undefined {
  try {
    return new Uint8Array(readFileSync(objectPath(dir, hash)));
  } catch {
    return undefined;
  }
}
