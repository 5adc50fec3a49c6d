import type { Answer, World } from '@worldline/host';
import type { Logger, LogLevel } from '@worldline/ports';
import { interruptible, runningWorld } from '../access.ts';
import type { Context } from '../context.ts';
import { stop, stopWith } from '../failure.ts';
import { streamLogger } from '../log.ts';
import { openRunning, type RunningWorld } from '../open-world.ts';
import { writing } from '../writer.ts';

export interface RunFlags {
  readonly batch?: boolean;
  readonly wait?: boolean;
  readonly strictAdapters?: boolean;
  readonly strictSecrets?: boolean;
  readonly logLevel?: LogLevel;
  readonly logJson?: boolean;
}

/** `worldline run`. */
export async function run(ctx: Context, flags: RunFlags): Promise<void> {
  if (flags.wait === true && flags.batch !== true) stop('invalid_request', '--wait goes with --batch', { hint: 'without --batch the world runs until it is stopped anyway' });
  const config = await ctx.config();
  const log = streamLogger((line) => process.stderr.write(line), {
    level: flags.logLevel ?? config.log.level,
    json: flags.logJson ?? config.log.json,
  });
  await writing(ctx, async ({ store, identity }) => {
    if ((await runningWorld(ctx, store, identity)) === 'daemon') {
      if (flags.batch === true) stop('world.locked', 'this world is running already', { hint: 'submit to it, or stop it first' });
      ctx.out.answer(['this world is running already'], { running: true, world_id: identity.world_id });
      return;
    }
    const opened = await openRunning(ctx, store, identity, flags.batch === true ? 'batch' : 'daemon', log);
    try {
      await refuseIncomplete(opened, flags, log);
    } catch (error) {
      await opened.close();
      throw error;
    }
    if (flags.batch === true) await batch(ctx, opened, flags);
    else await daemon(ctx, opened, log);
  });
}

/** Adapters and secrets that are missing: warned about, or refused when asked to be strict. */
async function refuseIncomplete({ world, secrets }: RunningWorld, flags: RunFlags, log: Logger): Promise<void> {
  const kinds = world.missingAdapters();
  if (flags.strictAdapters === true && kinds.length > 0) {
    stop('adapter.missing', `no adapter performs ${kinds.join(', ')}`, { hint: 'add one under "adapters" in worldline.host.json, or leave out --strict-adapters' });
  }
  const missing = await secrets.probe(world.kernel.catalog.secrets, log);
  if (flags.strictSecrets === true && missing.length > 0) {
    stop('secret.unavailable', `no value for ${missing.join(', ')}`, { hint: 'set the environment variable or file that the secret is bound to, or leave out --strict-secrets' });
  }
}

/** Until a signal ends it, or the world can no longer be run here. */
async function daemon(ctx: Context, opened: RunningWorld, log: Logger): Promise<void> {
  const { world } = opened;
  const hurry = new AbortController();
  const second = () => hurry.abort();
  log.info('running', { world: world.worldId, height: world.kernel.head.height, live: world.kernel.liveCount, pid: process.pid });
  const stopped = new Promise<Extract<Answer<never>, { ok: false }>>((resolve) => world.onStopped((failure) => resolve({ ok: false, failure })));
  // The store and its thread do not keep a process alive; this does.
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    const interrupted = new Promise<'signal'>((resolve) => {
      if (ctx.interrupted.aborted) resolve('signal');
      ctx.interrupted.addEventListener('abort', () => resolve('signal'), { once: true });
    });
    const why = await Promise.race([interrupted, stopped]);
    if (why !== 'signal') {
      log.error('the world stops', { code: why.failure.code, reason: why.failure.message });
      return stopWith(why.failure);
    }
    log.info('stopping; a second signal does not wait for effects in flight');
    process.once('SIGINT', second);
    process.once('SIGTERM', second);
    await opened.close({ hurry: hurry.signal });
    log.info('stopped', { height: world.kernel.head.height });
  } finally {
    clearInterval(alive);
    process.removeListener('SIGINT', second);
    process.removeListener('SIGTERM', second);
  }
}

/** Until nothing can be done now; with `--wait` until every plan has ended. */
async function batch(ctx: Context, opened: RunningWorld, flags: RunFlags): Promise<void> {
  const { world } = opened;
  const counts = { effects: 0, receipts: 0 };
  world.onBatch(({ records }) => {
    for (const { record_kind } of records) {
      if (record_kind === 'effect_intent') counts.effects++;
      else if (record_kind === 'effect_receipt') counts.receipts++;
    }
  });
  const limit = AbortSignal.timeout(ctx.flags.timeoutMs);
  let problem: unknown;
  try {
    await interruptible(flags.wait === true ? plansEnded(world) : world.idle(), AbortSignal.any([limit, ctx.interrupted]));
  } catch (error) {
    problem = error;
  }
  const waiting = world.waiting();
  const live = world.kernel.liveCount;
  await opened.close();
  if (ctx.interrupted.aborted) throw ctx.interrupted.reason;
  if (problem !== undefined && !limit.aborted) throw problem;
  if (limit.aborted && problem !== undefined) {
    const what = flags.wait === true ? `${live} plans had not ended` : 'effects were still running';
    stop('timeout', `${what} after ${ctx.flags.timeoutMs} ms`, { hint: 'give a longer --timeout-ms, or use "worldline run"; nothing is lost' });
  }
  const open = Object.entries(waiting).filter(([, n]) => n > 0);
  const rest = open.length === 0 ? 'nothing is waited for' : `waiting for ${open.map(([what, n]) => `${n} ${n === 1 ? what.slice(0, -1) : what}`).join(', ')}`;
  ctx.out.answer([`${counts.effects} effects, ${counts.receipts} receipts; ${rest}`], { ...counts, waiting: { ...waiting } });
}

async function plansEnded(world: World): Promise<void> {
  for (;;) {
    await world.idle();
    if (world.kernel.liveCount === 0) return;
    // Timers and people: there is nothing to do but look again.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
