import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Loaded } from '@worldline/air';
import type { HostKey, WorldFolder, WorldIdentity } from '@worldline/host';
import type { Store } from '@worldline/ports';
import { readAirFolder } from './air-folder.ts';
import type { Context } from './context.ts';
import { requireDefinitions } from './definition-files.ts';
import { stop, stopWith } from './failure.ts';
import { makeFolder } from './folder.ts';
import type { SyncFile } from './sync-file.ts';

/** A world's store, open for writing. Whoever writes into a journal also needs lock and lease; a blob or an inbox item needs neither. */
export interface OpenStore {
  readonly store: Store;
  readonly identity: WorldIdentity;
}

/**
 * Opens the store of a world folder, and first makes the world when there is none yet: from its checked definitions, so
 * that wrong ones leave nothing behind.
 *
 * @param checked - those definitions, when the caller has them; default: what the sync file says.
 */
export async function writing<T>(ctx: Context, use: (open: OpenStore) => Promise<T>, checked?: Checked): Promise<T> {
  const { readIdentity } = await import('@worldline/host');
  const { openForWriting, openReadOnly } = await import('./open-store.ts');
  const known = await readIdentity(await ctx.folder());
  if (!known.ok) return stopWith(known.failure);
  const dir = await ctx.storeDir();
  if (known.value !== undefined) {
    // A store that does not hold the world must be noticed before an empty one is made in its place.
    const look = await openReadOnly(dir);
    const row = await look.world.get(known.value.world_id);
    await look.close();
    if (row === undefined)
      stop('not_found', `the store in ${dir} does not hold this world`, {
        hint: 'is --store the store of this world?',
      });
  }
  const from = known.value === undefined ? (checked ?? (await checkedDefinitions(ctx))) : undefined;
  const store = await openForWriting(dir, ctx.composition.storeFailpoints);
  try {
    const identity = known.value ?? (await create(ctx, store, from!));
    return await use({ store, identity });
  } finally {
    await store.close();
  }
}

interface Checked {
  readonly sync: SyncFile;
  readonly loaded: Loaded;
}

async function checkedDefinitions(ctx: Context): Promise<Checked> {
  const sync = ctx.syncFile();
  const { loaded } = await requireDefinitions(ctx, sync, (await ctx.config()).world.require_policy);
  return { sync, loaded };
}

/**
 * Makes the world. Ids are claimed in a file first, so that two processes, or one after a crash, make the same world;
 * `world.json` appears when it is durable.
 */
async function create(ctx: Context, store: Store, { loaded, sync: { airDir } }: Checked): Promise<WorldIdentity> {
  const { createWorld, ensureKeys } = await import('@worldline/host');
  const folder = await ctx.folder();
  let claimed: Claim;
  let worldKey: HostKey;
  try {
    claimed = await claim(folder);
    worldKey = (await ensureKeys(folder.keys)).world;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return stop('host_error', `${folder.dir} cannot be written: ${(error as Error).message}`, {
      hint: 'check the folder’s permissions',
    });
  }
  const { identity, pending } = claimed;
  const config = await ctx.config();
  const created = await createWorld({
    store,
    loaded,
    config: config.world,
    worldKey,
    worldId: identity.world_id,
    universeId: identity.universe_id,
  });
  if (!created.ok && created.failure.code !== 'world.exists') return stopWith(created.failure);
  try {
    renameSync(pending, folder.identity);
  } catch (error) {
    // The other process was faster.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  if (created.ok) {
    const { writeSyncState } = await import('./sync-state.ts');
    await writeSyncState(ctx, created.value.manifestHash, readAirFolder(airDir, ctx.root));
    for (const warning of loaded.warnings)
      ctx.out.notice(`${warning.file ?? ''} ${warning.code}: ${warning.message}`.trim());
    ctx.out.notice(`created world ${identity.world_id}`);
  }
  return identity;
}

interface Claim {
  readonly identity: WorldIdentity;
  readonly pending: string;
}

async function claim(folder: WorldFolder): Promise<Claim> {
  const { readIdentity, uuidv7 } = await import('@worldline/host');
  const wallNs = BigInt(Date.now()) * 1_000_000n;
  const mine: WorldIdentity = {
    world_id: uuidv7(wallNs),
    universe_id: uuidv7(wallNs),
    created_at: new Date().toISOString(),
  };
  const pending = `${folder.identity}.new`;
  const temporary = `${pending}.${process.pid}`;
  makeFolder(folder.dir, 0o700);
  writeFileSync(temporary, `${JSON.stringify(mine, null, 2)}\n`, { mode: 0o600, flush: true });
  try {
    // A link is made or refused as a whole, and what it shows is complete.
    linkSync(temporary, pending);
    // Another process may have finished between the caller's look and the link: then there is a world already.
    const finished = await readIdentity(folder);
    if (!finished.ok || finished.value === undefined) return { identity: mine, pending };
    rmSync(pending);
    return { identity: finished.value, pending };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return { identity: JSON.parse(readFileSync(pending, 'utf8')) as WorldIdentity, pending };
  } finally {
    rmSync(temporary, { force: true });
  }
}
