import { inspectLock, isAlive, type LockInfo } from '@worldline/host';
import type { Context } from '../context.ts';
import { Control, connect, controlSocket, isListening } from '../control.ts';
import { CommandError, stop } from '../failure.ts';
import { pause } from './journal.ts';

/** How long a world that has just taken its lock may take to listen. */
const LISTENS_WITHIN_MS = 10_000;
const POLL_MS = 25;

/** `worldline stop`: asks the running world to end, and waits until it is gone. */
export async function stopWorld(ctx: Context, flags: { readonly graceMs?: number }): Promise<void> {
  const lock = await holder(ctx);
  await listening(ctx, lock);
  const control = await connect(ctx).catch(async (error: unknown) => {
    if (!(error instanceof CommandError)) throw error;
    // Somebody has asked already; it still takes a shorter grace, and can be waited for.
    if (error.failure.code === 'draining' && ctx.flags.control === undefined)
      return new Control(ctx, await controlSocket(ctx));
    if (error.failure.code !== 'unreachable') throw error;
    return stop('unreachable', `process ${lock.pid} runs this world and does not listen: ${error.failure.message}`, {
      hint: `"kill -TERM ${lock.pid}" ends it cleanly too; "worldline doctor" says what is wrong`,
    });
  });
  await control.post('/api/shutdown', flags.graceMs === undefined ? {} : { grace_ms: flags.graceMs });
  await gone(ctx, lock);
  ctx.out.answer(['stopped'], { stopped: true });
}

/** The daemon of this world. @throws CommandError `unreachable` when there is none. */
async function holder(ctx: Context): Promise<LockInfo> {
  const state = await inspectLock((await ctx.folder()).lock);
  if (state.state === 'alive' && state.lock.mode === 'daemon') return state.lock;
  if (state.state === 'alive')
    return stop('unreachable', `process ${state.lock.pid} has this world for one command only`, {
      hint: 'it ends by itself',
    });
  return stop('unreachable', 'this world is not running', { hint: 'nothing needs to be stopped' });
}

/** A world that was started a moment ago has its lock before it listens. */
async function listening(ctx: Context, lock: LockInfo): Promise<void> {
  if (ctx.flags.control !== undefined) return;
  const deadline = performance.now() + Math.min(ctx.flags.timeoutMs, LISTENS_WITHIN_MS);
  while (performance.now() < deadline) {
    if ((await isListening(ctx, lock)) || !(await isAlive(lock))) return;
    await pause(POLL_MS, ctx.interrupted);
    if (ctx.interrupted.aborted) throw ctx.interrupted.reason;
  }
}

/** Until the process has ended; it gives up lease and lock before. @throws CommandError `timeout`. */
async function gone(ctx: Context, lock: LockInfo): Promise<void> {
  const deadline = performance.now() + ctx.flags.timeoutMs;
  while (await isAlive(lock)) {
    if (ctx.interrupted.aborted) throw ctx.interrupted.reason;
    if (performance.now() >= deadline)
      stop('timeout', `process ${lock.pid} is still stopping after ${ctx.flags.timeoutMs} ms`, {
        hint: 'it waits for effects in flight; "worldline stop --grace-ms 0" does not, or give a longer --timeout-ms',
      });
    await pause(POLL_MS, ctx.interrupted);
  }
}
