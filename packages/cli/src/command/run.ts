import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { bytesEqual, sha256 } from '@worldline/canon';
import { inspectLock, localSender, type ServerConfig, type WorldIdentity } from '@worldline/host';
import { encodeConfig } from '@worldline/kernel';
import type { Logger, LogLevel, Store } from '@worldline/ports';
import { type ControlServerOptions, startControlServer } from '@worldline/server';
import { interruptible, operator, runningWorld } from '../access.ts';
import { noticeLogger, waitingText } from '../batch-access.ts';
import type { Context } from '../context.ts';
import { stop, stopWith } from '../failure.ts';
import { streamLogger } from '../log.ts';
import { folderDiffers } from '../manifest-difference.ts';
import { openRunning, type RunningWorld } from '../open-world.ts';
import { counted } from '../output.ts';
import { Reader } from '../reader.ts';
import { version } from '../version.ts';
import { writing } from '../writer.ts';

export interface RunFlags {
  readonly batch?: boolean;
  readonly wait?: boolean;
  readonly strictAdapters?: boolean;
  readonly strictSecrets?: boolean;
  readonly logLevel?: LogLevel;
  readonly logJson?: boolean;
}

/** `worldline run` (`host.md` §7, §12.2). */
export async function run(ctx: Context, flags: RunFlags): Promise<void> {
  if (flags.wait === true && flags.batch !== true) {
    stop('invalid_request', '--wait goes with --batch', {
      hint: 'without --batch the world runs until it is stopped anyway',
    });
  }
  const config = await ctx.config();
  const log =
    flags.batch === true
      ? noticeLogger(ctx)
      : streamLogger((line) => process.stderr.write(line), {
          level: flags.logLevel ?? config.log.level,
          json: flags.logJson ?? config.log.json,
        });
  await writing(ctx, async ({ store, identity }) => {
    if ((await runningWorld(ctx, store, identity)) === 'daemon') return await alreadyRunning(ctx, flags, identity);
    const { height } = await tellDifferences(ctx, store, identity, log);
    const strict = { strictAdapters: flags.strictAdapters, strictSecrets: flags.strictSecrets };
    const opened = await openRunning(ctx, store, identity, flags.batch === true ? 'batch' : 'daemon', log, strict);
    if (flags.batch === true) await batch(ctx, opened, flags, store, height);
    else await daemon(ctx, opened, log);
  });
}

async function alreadyRunning(ctx: Context, flags: RunFlags, identity: WorldIdentity): Promise<void> {
  const lock = await inspectLock((await ctx.folder()).lock);
  const pid = lock.state === 'alive' ? lock.lock.pid : undefined;
  const who = pid === undefined ? 'another process' : `process ${pid}`;
  const since = lock.state === 'alive' ? ` since ${lock.since.toISOString()}` : '';
  if (flags.batch === true)
    stop('world.locked', `${who} runs this world${since}`, { hint: 'submit to it, or stop it first' });
  ctx.out.answer([`${who} runs this world already${since}`], { running: true, pid, world_id: identity.world_id });
}

/**
 * What the folder says and the world does not do: both are told, neither stops it (`host.md` §7.1).
 *
 * @returns the world as it was found.
 */
async function tellDifferences(ctx: Context, store: Store, identity: WorldIdentity, log: Logger): Promise<Reader> {
  const reader = await Reader.over(store, identity.world_id);
  const config = await ctx.config();
  if (!bytesEqual(sha256(encodeConfig(config.world)), reader.row.configHash)) {
    log.warn(
      'the "world" settings of worldline.host.json are not those in force; "worldline config get" shows the differences, "worldline config apply" journals them',
    );
  }
  if (await folderDiffers(ctx, reader))
    log.warn('the definitions of the folder are not the ones that this world runs; "worldline push" makes them so');
  return reader;
}

/** Until a signal or a request ends it, or the world can no longer be run here. */
async function daemon(ctx: Context, opened: RunningWorld, log: Logger): Promise<void> {
  const { world } = opened;
  const hurry = new AbortController();
  const second = () => hurry.abort();
  let graceMs: number | undefined;
  let ask: () => void;
  const asked = new Promise<'asked'>((resolve) => {
    ask = () => resolve('asked');
  });
  const { dir } = await ctx.folder();
  const { fabric, server } = await ctx.config();
  const control = await startControlServer({
    world,
    dir,
    version: version(),
    startedAt: new Date(),
    identity: operator(),
    log,
    listen: listenOptions(ctx, server),
    localSender: (worldId) => localSender(ctx.root, fabric, worldId),
    onShutdown(request) {
      // The first one says how long; a later one can only shorten that.
      if (world.state === 'running') graceMs = request.graceMs;
      else if (request.graceMs !== undefined) setTimeout(second, request.graceMs).unref();
      ask();
    },
  });
  if (!control.ok && server.enabled) {
    // Somebody was promised this address.
    await opened.close({ graceMs: 0 });
    return stopWith(control.failure);
  }
  if (!control.ok)
    log.warn('the world runs without a control socket; Ctrl-C and signals end it', {
      code: control.failure.code,
      reason: control.failure.message,
    });
  // The store and its thread do not keep a process alive; this does.
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    const interrupted = new Promise<'asked'>((resolve) => {
      if (ctx.interrupted.aborted) resolve('asked');
      ctx.interrupted.addEventListener('abort', () => resolve('asked'), { once: true });
    });
    const { head, livePlans } = await world.status();
    const url = control.ok ? control.value.url : undefined;
    const at = url === undefined ? {} : { url };
    log.info('running', { world: world.worldId, height: head.height, live: livePlans, pid: process.pid, ...at });
    const why = await Promise.race([interrupted, asked, world.closed]);
    if (why === 'asked') {
      log.info('stopping; a second signal does not wait for effects in flight');
      process.once('SIGINT', second);
      process.once('SIGTERM', second);
    } else if (why !== undefined) log.error('the world stops', { code: why.code, reason: why.message });
    await opened.close({ graceMs, hurry: hurry.signal });
    log.info('stopped');
  } finally {
    if (control.ok) await control.value.close();
    clearInterval(alive);
    process.removeListener('SIGINT', second);
    process.removeListener('SIGTERM', second);
  }
}

/** @throws CommandError `config.invalid` when certificate or key cannot be read. */
function listenOptions(ctx: Context, server: ServerConfig): ControlServerOptions['listen'] {
  const { enabled, host, port, allowedHosts, allowedOrigins, tls } = server;
  if (!enabled) return undefined;
  const pem = (name: 'cert' | 'key', file: string): string => {
    try {
      return readFileSync(resolve(ctx.root, file), 'utf8');
    } catch (error) {
      return stop('config.invalid', `server.tls.${name} cannot be read: ${(error as Error).message}`);
    }
  };
  const pair = tls && { cert: pem('cert', tls.cert), key: pem('key', tls.key) };
  return { bind: { host, port }, allowedHosts, allowedOrigins, tls: pair };
}

/** Until nothing can be done now; with `--wait` until every plan has ended. */
async function batch(
  ctx: Context,
  opened: RunningWorld,
  flags: RunFlags,
  store: Store,
  foundHeight: number,
): Promise<void> {
  const { world } = opened;
  const { timeoutMs, timeoutGiven } = ctx.flags;
  // Waiting for people takes as long as it takes, unless somebody said how long.
  const limit = flags.wait === true && !timeoutGiven ? undefined : timeoutMs;
  const rested = await interruptible(world.runBatch({ wait: flags.wait, timeoutMs: limit }), ctx.interrupted).catch(
    () => undefined,
  );
  const { livePlans, waiting } = await world.status();
  await opened.close(rested?.ok === true ? {} : { graceMs: 0 });
  if (rested === undefined) throw ctx.interrupted.reason;
  if (!rested.ok) {
    if (rested.failure.code !== 'timeout') return stopWith(rested.failure);
    if (flags.wait === true) {
      stop('timeout', `${counted(livePlans, 'plan')} had not ended after ${timeoutMs} ms`, {
        hint: 'see "worldline plans ls --live"; nothing is lost, the next run goes on',
      });
    }
    ctx.out.notice(`effects were still running after ${timeoutMs} ms; the next run goes on with them`);
  }
  const reader = await Reader.over(store, world.worldId);
  const counts = { effects: 0, receipts: 0 };
  // From the journal: what lay in the inbox may have been taken up while the world was being opened.
  for await (const { record } of reader.entries(foundHeight)) {
    if (record.record_kind === 'effect_intent') counts.effects++;
    else if (record.record_kind === 'effect_receipt') counts.receipts++;
  }
  const meta = await reader.meta();
  const rest = waitingText(waiting);
  ctx.out.answer(
    [
      `${counted(counts.effects, 'effect')}, ${counted(counts.receipts, 'receipt')}; ${rest === undefined ? 'nothing is waited for' : `waiting for ${rest}`}`,
    ],
    { ...counts, waiting: { ...waiting } },
    meta,
  );
}
