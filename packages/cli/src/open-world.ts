import {
  ensureKeys,
  type HostFailure,
  inspectLock,
  isDeadWorker,
  type LockState,
  type OpenWorldOptions,
  openWorld,
  Redactor,
  removeLock,
  SecretResolver,
  type World,
  type WorldIdentity,
  workerId,
  workerPid,
  writeLock,
} from '@worldline/host';
import type { Logger, Store } from '@worldline/ports';
import { makeAdapters } from './adapters.ts';
import { approvalNotice } from './approval-notice.ts';
import type { Context } from './context.ts';
import { stop, stopWith } from './failure.ts';

/** A world that this process runs, with the lock file that tells others so (`host.md` §1). */
export interface RunningWorld {
  readonly world: World;
  /** Ends it cleanly. @throws CommandError when the world was lost meanwhile. */
  close(options?: { readonly graceMs?: number; readonly hurry?: AbortSignal }): Promise<void>;
}

export type OpenHow = Pick<OpenWorldOptions, 'strictAdapters' | 'strictSecrets' | 'holdEffects'>;

/**
 * Takes lease and lock and opens the world.
 *
 * @throws CommandError `world.locked` while another process runs it.
 */
export async function openRunning(
  ctx: Context,
  store: Store,
  identity: WorldIdentity,
  mode: 'daemon' | 'batch',
  log: Logger,
  how: OpenHow = {},
): Promise<RunningWorld> {
  const folder = await ctx.folder();
  const config = await ctx.config();
  const before = await inspectLock(folder.lock);
  // One for adapters' own credentials and the world's secrets: what either resolves stays out of every log.
  const redactor = new Redactor();
  const secrets = new SecretResolver(
    {
      env: ctx.worldEnv,
      dir: folder.secrets,
      bindings: config.secrets.bindings,
      placeholders: config.secrets.allowPlaceholders,
    },
    redactor,
  );
  // An adapter may be asked about its world only once there is one.
  const opening = Promise.withResolvers<World>();
  const { adapters, http } = await makeAdapters(
    ctx,
    config,
    (binding) => secrets.binding(binding),
    async (intentHash) => approvalNotice(await opening.promise, redactor, intentHash),
  );
  const keys = await ensureKeys(folder.keys);
  const opened = await openWorld({
    store,
    worldId: identity.world_id,
    adapters,
    http,
    receiptKey: keys.receipts,
    worldKey: keys.world,
    config,
    worker: await workerId(),
    dead: await deadHolder(store, identity.world_id, before),
    leaseTimes: ctx.composition.leaseTimes,
    failpoints: ctx.composition.failpoints,
    log,
    env: ctx.worldEnv,
    secretsDir: folder.secrets,
    redactor,
    strictAdapters: how.strictAdapters,
    strictSecrets: how.strictSecrets,
    holdEffects: how.holdEffects,
  });
  if (!opened.ok) {
    if (opened.failure.code !== 'world.locked') return stopWith(opened.failure);
    return await lockedBy(ctx, store, identity, opened.failure);
  }
  const world = opened.value;
  opening.resolve(world);
  if (before.state === 'alive')
    ctx.out.notice(`process ${before.lock.pid} has not renewed its lease, so its lock is taken over`);
  const lock = await writeLock(folder.lock, { mode, worker: world.worker, epoch: world.epoch });
  return {
    world,
    async close(options = {}) {
      await world.close(options);
      const failure = await world.closed;
      // After the lease has gone to another process, the lock is that one's.
      await removeLock(folder.lock, lock);
      if (failure !== undefined) return stopWith(failure);
    },
  };
}

/** Says who has the world. Between lease and lock file only the lease names the process. */
async function lockedBy(ctx: Context, store: Store, identity: WorldIdentity, failure: HostFailure): Promise<never> {
  const now = await inspectLock((await ctx.folder()).lock);
  const holder = (await store.world.get(identity.world_id))?.lease?.holder;
  if (now.state === 'alive' && (holder === undefined || holder === now.lock.worker)) {
    const { pid, mode } = now.lock;
    return stop('world.locked', `process ${pid} runs this world since ${now.since.toISOString()}`, {
      hint:
        mode === 'daemon'
          ? 'commands reach it without --mode batch; Ctrl-C there ends it'
          : 'it ends by itself; try again',
    });
  }
  const pid = holder === undefined ? undefined : workerPid(holder);
  if (pid === undefined) return stopWith(failure);
  return stop('world.locked', `process ${pid} has just taken this world`, { hint: failure.hint });
}

/** The lease holder, when its process is proved dead: by the lock file, or by its own name. */
async function deadHolder(store: Store, worldId: string, lock: LockState): Promise<string | undefined> {
  const holder = (await store.world.get(worldId))?.lease?.holder;
  if (holder === undefined) return undefined;
  if (lock.state === 'dead' && lock.lock?.worker === holder) return holder;
  return (await isDeadWorker(holder)) ? holder : undefined;
}
