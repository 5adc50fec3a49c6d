import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ensureKeys,
  inspectLock,
  type LockInfo,
  openWorld,
  Redactor,
  removeLock,
  SecretResolver,
  type WorldIdentity,
  writeLock,
  type World,
} from '@worldline/host';
import type { Logger, Store } from '@worldline/ports';
import { makeAdapters } from './adapters.ts';
import type { Context } from './context.ts';
import { stop, stopWith } from './failure.ts';
import { version } from './version.ts';

/** A world that this process runs: lease, lock file, adapters, loop (`host.md` §1, §7.1). */
export interface OpenedWorld {
  readonly world: World;
  readonly secrets: SecretResolver;
  /** Clean shutdown, then lock and `daemon.json` are removed. @throws CommandError when the end was not clean. */
  close(hurry?: AbortSignal): Promise<void>;
}

/** @throws CommandError `world.locked` when another process runs it, or why it cannot be opened. */
export async function openHere(ctx: Context, store: Store, identity: WorldIdentity, mode: LockInfo['mode'], log: Logger): Promise<OpenedWorld> {
  const folder = await ctx.folder();
  const config = await ctx.config();
  const lock = await inspectLock(folder.lock);
  const redactor = new Redactor();
  const { bindings, allowPlaceholders: placeholders } = config.secrets;
  const secrets = new SecretResolver({ env: ctx.worldEnv, dir: folder.secrets, bindings, placeholders }, redactor);
  const { adapters, http } = await makeAdapters(config, ctx.root, ctx.worldEnv, (binding) => secrets.binding(binding));
  const opened = await openWorld({
    store,
    worldId: identity.world_id,
    adapters,
    http,
    keys: await ensureKeys(folder.keys),
    config,
    // A process that is proved dead renews nothing: its lease need not run out first.
    dead: lock.state === 'dead' ? lock.lock?.worker : undefined,
    log,
    env: ctx.worldEnv,
    secretsDir: folder.secrets,
    redactor,
  });
  if (!opened.ok) {
    if (opened.failure.code === 'world.locked' && lock.state === 'alive') {
      return stop('world.locked', `process ${lock.lock.pid} runs this world`, { hint: 'submit through it (--mode auto), or stop it first' });
    }
    return stopWith(opened.failure);
  }
  const world = opened.value;
  const own = await writeLock(folder.lock, { mode, worker: world.worker, epoch: world.epoch });
  const daemonFile = join(folder.dir, 'daemon.json');
  if (mode === 'daemon') {
    const about = { pid: process.pid, started_at: new Date().toISOString(), version: version() };
    writeFileSync(daemonFile, `${JSON.stringify(about)}\n`, { mode: 0o600 });
  }
  return {
    world,
    secrets,
    async close(hurry) {
      const closed = await world.close({ hurry });
      // After a takeover the files speak of somebody else.
      if (closed.ok && mode === 'daemon') rmSync(daemonFile, { force: true });
      await removeLock(folder.lock, own);
      if (!closed.ok) stopWith(closed.failure);
    },
  };
}
