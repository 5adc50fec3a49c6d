import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { AuthoredWorld, isAirFolder, type JsonObject } from '@worldline/air';
import { hashText } from '@worldline/canon';
import { activeManifest } from '../active-manifest.ts';
import { readAirFolder, shown } from '../air-folder.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { stop } from '../failure.ts';
import { makeFolder } from '../folder.ts';
import { type MergedFile, mergeFolder } from '../folder-merge.ts';
import { readImports } from '../imports.ts';
import { counted, printable } from '../output.ts';
import { reading } from '../reader.ts';
import type { SyncFile } from '../sync-file.ts';
import { readSyncState, textHash, writeSyncState } from '../sync-state.ts';

export interface PullFlags {
  readonly map?: string;
  readonly dryRun?: boolean;
  readonly prune?: boolean;
  readonly checkClean?: boolean;
  readonly withImports?: boolean;
  readonly force?: boolean;
}

/** `worldline pull` (`packs.md` §6): the world's definitions become those of the folder. */
export async function pull(ctx: Context, flags: PullFlags): Promise<void> {
  const sync = ctx.syncFile(flags.map);
  const { airDir } = sync;
  const { world, manifestHash, meta } = await reading(ctx, async (reader) => {
    const { hash } = await activeManifest(reader);
    const read = AuthoredWorld.of(hash, (of) => reader.object(of));
    if (!read.ok)
      return stop('journal.corrupt', `manifest ${hashText(hash)} does not load: ${read.failure[0]?.message}`);
    return { world: read.value, manifestHash: hashText(hash), meta: await reader.meta() };
  });
  const before = existsSync(airDir) ? readAirFolder(airDir, ctx.root) : [];
  // Of a folder whose own name is not searched, those below it are (`definitions.md` §8.1).
  const below = isAirFolder(basename(airDir)) ? airDir : join(airDir, 'air');
  const dir = shown(below, ctx.root);
  const merged = mergeFolder(before, world, {
    dir: dir === '.' ? '' : `${dir}/`,
    prune: flags.prune === true,
    elsewhere: flags.withImports === true ? [] : await importedNodes(ctx, sync),
  });
  const state = await readSyncState(ctx);
  const written = new Map(before.map(({ path, text }) => [path, textHash(text)]));
  const isEdited = (file: MergedFile) =>
    (file.status === 'changed' || file.status === 'removed') && state?.files[file.path] !== written.get(file.path);
  const data = {
    manifest_hash: manifestHash,
    files: merged.map((file) => ({
      path: file.path,
      status: file.status,
      replaces: file.loses,
      ...(isEdited(file) ? { local_changes: true } : {}),
    })),
    workspaces: [],
  };
  const human = lines(merged, isEdited);
  if (flags.checkClean === true) {
    ctx.out.answer(human, data, meta);
    if (merged.some(({ status }) => status !== 'unchanged')) process.exitCode = EXIT.check;
    return;
  }
  if (flags.dryRun === true) {
    ctx.out.answer(human, { ...data, dry_run: true }, meta);
    return;
  }
  const edited = merged.filter(isEdited);
  if (edited.length > 0 && flags.force !== true) {
    stop(
      'sync.local_changes',
      `${counted(edited.length, 'file')} with changes that were never pushed would be overwritten`,
      {
        hint: 'push them, or give them up with --force; --dry-run shows what would change',
        details: edited.map(({ path, loses }) => ({
          code: 'sync.local_changes',
          pointer: '',
          file: path,
          message: `replaces ${loses.join(', ')}`,
        })),
      },
    );
  }
  for (const file of merged) write(ctx, file);
  await writeSyncState(ctx, manifestHash, readAirFolder(airDir, ctx.root));
  ctx.out.answer(human, data, meta);
}

/** What is imported needs no copy in the folder. */
async function importedNodes(ctx: Context, sync: SyncFile): Promise<readonly JsonObject[]> {
  if (sync.imports.length === 0) return [];
  return (await readImports(sync, ctx.root)).flatMap(({ nodes }) => nodes.map(({ json }) => json));
}

function write(ctx: Context, { path, status, text }: MergedFile): void {
  const target = resolve(ctx.root, path);
  try {
    if (status === 'removed') rmSync(target);
    if (text === undefined) return;
    makeFolder(dirname(target));
    // Whole or not at all: an editor that has the file open must never see half of it.
    const temporary = `${target}.${process.pid}.tmp`;
    writeFileSync(temporary, text);
    renameSync(temporary, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    stop('host_error', `${path} cannot be written: ${(error as Error).message}`, {
      hint: 'check the folder’s permissions',
    });
  }
}

function lines(merged: readonly MergedFile[], isEdited: (file: MergedFile) => boolean): string[] {
  return merged.map((file) => {
    const note = isEdited(file) ? '  (has changes that were never pushed)' : '';
    return `${file.status.padEnd(10)} ${printable(file.path)}${note}`;
  });
}
