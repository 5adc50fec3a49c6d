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
    const strict = { adapters: flags.strictAdapters, secrets: flags.strictSecrets };
    const opened = await openRunning(ctx, store, identity, flags.batch === true ? 'batch' : 'daemon', log, strict);
    if (flags.batch === true) await batch(ctx, opened, flags);
    else await daemon(ctx, opened, log);
  });
}

/** Until a signal ends it, or the world can no longer be run here. */
async function daemon(ctx: Context, opened: RunningWorld, log: Logger): Promise<void> {
  const { world } = opened;
  const hurry = new AbortController();
  const second = () => hurry.abort();
  const { head, livePlans } = await world.status();
  log.info('running', { world: world.worldId, height: head.height, live: livePlans, pid: process.pid });
  // The store and its thread do not keep a process alive; this does.
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    const interrupted = new Promise<'signal'>((resolve) => {
      if (ctx.interrupted.aborted) resolve('signal');
      ctx.interrupted.addEventListener('abort', () => resolve('signal'), { once: true });
    });
    const why = await Promise.race([interrupted, world.closed]);
    if (why !== 'signal') {
      if (why === undefined) return;
      log.error('the world stops', { code: why.code, reason: why.message });
      return stopWith(why);
    }
    log.info('stopping; a second signal does not wait for effects in flight');
    process.once('SIGINT', second);
    process.once('SIGTERM', second);
    await opened.close({ hurry: hurry.signal });
    log.info('stopped');
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
  const { timeoutMs } = ctx.flags;
  const rested = await interruptible(world.runBatch({ wait: flags.wait, timeoutMs }), ctx.interrupted).catch(() => undefined);
  const { livePlans } = await world.status();
  await opened.close();
  if (rested === undefined) throw ctx.interrupted.reason;
  if (!rested.ok) {
    if (rested.failure.code !== 'timeout') return stopWith(rested.failure);
    const what = flags.wait === true ? `${livePlans} plans had not ended` : 'effects were still running';
    stop('timeout', `${what} after ${timeoutMs} ms`, { hint: 'give a longer --timeout-ms, or use "worldline run"; nothing is lost' });
  }
  const { waiting } = rested.value;
  const open = Object.entries(waiting).filter(([, n]) => n > 0);
  const rest = open.length === 0 ? 'nothing is waited for' : `waiting for ${open.map(([what, n]) => `${n} ${n === 1 ? what.slice(0, -1) : what}`).join(', ')}`;
  ctx.out.answer([`${counts.effects} effects, ${counts.receipts} receipts; ${rest}`], { ...counts, waiting: { ...waiting } });
}
