import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SourceFile } from '@worldline/air';
import { hashText, sha256, utf8 } from '@worldline/canon';
import type { Context } from './context.ts';
import { makeFolder } from './folder.ts';

/**
 * `.worldline/sync-state.json` (`host.md` §1): hashes of the authored files when folder and world were last known to hold
 * the same. What has changed since is somebody's work, which `pull` must not overwrite in silence.
 */
export interface SyncState {
  readonly manifestHash: string;
  /** Hash of each file's text, by its path as diagnostics show it. */
  readonly files: Readonly<Record<string, string>>;
}

const NAME = 'sync-state.json';

/** @returns undefined when there is none, or none that can be read: then every file counts as somebody's work. */
export async function readSyncState(ctx: Context): Promise<SyncState | undefined> {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(join((await ctx.folder()).dir, NAME), 'utf8'));
  } catch {
    return undefined;
  }
  const { manifest_hash: manifestHash, files } = (json ?? {}) as { manifest_hash?: unknown; files?: unknown };
  return typeof manifestHash === 'string' && typeof files === 'object' && files !== null
    ? { manifestHash, files: files as Readonly<Record<string, string>> }
    : undefined;
}

/** Remembers that these files and the world hold the same. */
export async function writeSyncState(ctx: Context, manifestHash: string, files: readonly SourceFile[]): Promise<void> {
  const { dir } = await ctx.folder();
  makeFolder(dir, 0o700);
  const hashes = Object.fromEntries(files.map(({ path, text }) => [path, textHash(text)]));
  const path = join(dir, NAME);
  const temporary = `${path}.${process.pid}`;
  const content = { version: 1, manifest_hash: manifestHash, files: hashes };
  writeFileSync(temporary, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, path);
}

export function textHash(text: string): string {
  return hashText(sha256(utf8(text)));
}
