import { lstatSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { ok } from '@worldline/canon';
import { type Answer, type FabricSender, refuse, type World } from '@worldline/host';
import type { Logger } from '@worldline/ports';
import { chooseAddress, SHORT_FOLDER } from './address.ts';
import { type ApiListener, type ApiListenerOptions, startApiListener, tokenSender } from './api-listener.ts';
import { approvalEndpoints } from './approvals.ts';
import { clientEndpoints } from './clients.ts';
import { configEndpoints } from './config.ts';
import { readDaemonFile, removeDaemonFile, writeDaemonFile } from './daemon-file.ts';
import { effectEndpoints } from './effects.ts';
import type { StreamLimits } from './event-stream.ts';
import { fabricEndpoints } from './fabric.ts';
import { generalEndpoints } from './general.ts';
import { ApiServer } from './http-server.ts';
import { Streams, streamEndpoints } from './stream.ts';
import { summaryEndpoints } from './summary.ts';
import { traceEndpoints } from './trace.ts';

/**
 * The control socket of a world that this process runs (`host.md` §1, §8.1): HTTP for whoever the operating system lets
 * open it, which is the user that runs the world.
 *
 * C1  The caller holds the world's lease, so a socket that is there already belongs to a process that lost it, or died.
 * C2  Socket and `daemon.json` are removed only while they are this process's own.
 */
export interface ControlServer {
  /** Path of the socket, or name of the pipe. */
  readonly socket: string;
  /** Where it listens on the network too. */
  readonly url: string | undefined;
  close(): Promise<void>;
}

export interface ControlServerOptions {
  readonly world: World;
  /** `.worldline` of the world. */
  readonly dir: string;
  readonly version: string;
  readonly startedAt: Date;
  /** Who is on the other side: `socket:<user>`. */
  readonly identity: string;
  readonly log: Logger;
  /** The world of the same user that has this id, as this world knows it. Absent: messages of none are taken. */
  readonly localSender?: ((worldId: string) => Promise<FabricSender | undefined>) | undefined;
  /** Listens on the network too (`server.*`). */
  readonly listen?: Pick<ApiListenerOptions, 'bind' | 'allowedHosts' | 'allowedOrigins' | 'tls'> | undefined;
  readonly onShutdown: (request: { readonly graceMs: number | undefined }) => void;
  readonly streamLimits?: Partial<StreamLimits> | undefined;
}

/** @returns `control.unavailable` when no socket can be made; the world runs all the same. */
export async function startControlServer(options: ControlServerOptions): Promise<Answer<ControlServer>> {
  const { world, dir, log } = options;
  removeShortFolder(readDaemonFile(dir)?.socket);
  const streams = new Streams({ world, log, limits: options.streamLimits });
  const endpoints = [
    ...generalEndpoints({
      world,
      version: options.version,
      startedAtNs: BigInt(options.startedAt.getTime()) * 1_000_000n,
      onShutdown: options.onShutdown,
    }),
    ...effectEndpoints(world),
    ...clientEndpoints(world),
    ...approvalEndpoints(world),
    ...configEndpoints(world),
    ...summaryEndpoints(world),
    ...traceEndpoints(world),
    ...streamEndpoints(world, streams),
  ];
  const refusal = () => world.refusal;
  const server = new ApiServer({
    endpoints: [
      ...endpoints,
      ...fabricEndpoints(world, async (_identity, fromWorld) => options.localSender?.(fromWorld)),
    ],
    refusal,
    identity: { name: options.identity, scopes: ['admin'], roles: 'every' },
    log,
  });
  let address: ReturnType<typeof chooseAddress>;
  let inode: number | undefined;
  let listener: ApiListener | undefined;
  if (options.listen !== undefined) {
    const started = await startApiListener({
      ...options.listen,
      endpoints: [...endpoints, ...fabricEndpoints(world, async (identity, from) => tokenSender(identity, from))],
      refusal,
      dir,
      log,
    });
    if (!started.ok) return started;
    listener = started.value;
  }
  try {
    address = chooseAddress(dir);
    if (address === undefined) {
      await listener?.close();
      return refuse('control.unavailable', 'world folder and temporary folder are both too deep for a socket', {
        hint: 'Set TMPDIR to a folder with a short path.',
      });
    }
    inode = await listen(server, address.path);
    writeDaemonFile(dir, {
      pid: process.pid,
      http_url: listener?.url,
      socket: address.path,
      started_at: options.startedAt.toISOString(),
      version: options.version,
    });
  } catch (error) {
    await listener?.close();
    await server.close();
    return refuse('control.unavailable', `the control socket cannot be made: ${(error as Error).message}`);
  }
  const { path, madeFolder } = address;
  return ok({
    socket: path,
    url: listener?.url,
    async close() {
      streams.close();
      await listener?.close();
      await server.close();
      removeOwn(path, inode);
      if (madeFolder !== undefined) removeFolder(madeFolder);
      removeDaemonFile(dir, process.pid);
    },
  });
}

/**
 * Listens under a name of its own, and only then takes the place: what was there is replaced as a whole, and closing the
 * server, which unlinks the name it was bound to, cannot take away the socket of a later process.
 *
 * @returns the inode of the socket; undefined for a pipe.
 */
async function listen(server: ApiServer, path: string): Promise<number | undefined> {
  const isPipe = process.platform === 'win32';
  const bound = isPipe ? path : join(dirname(path), `c${process.pid}`);
  if (!isPipe) rmSync(bound, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.http.once('error', reject);
    // Bound inside the call, so the socket never has wider permissions than these (0600).
    const before = isPipe ? undefined : process.umask(0o177);
    try {
      server.http.listen(bound, () => {
        server.http.removeListener('error', reject);
        resolve();
      });
    } finally {
      if (before !== undefined) process.umask(before);
    }
  });
  if (isPipe) return undefined;
  renameSync(bound, path);
  return lstatSync(path).ino;
}

function removeOwn(path: string, inode: number | undefined): void {
  if (inode === undefined) return;
  try {
    if (lstatSync(path).ino === inode) rmSync(path, { force: true });
  } catch {
    // Gone already.
  }
}

/** The stand-in folder of an earlier process that could not tidy up. */
function removeShortFolder(socket: string | undefined): void {
  if (socket === undefined) return;
  const folder = dirname(socket);
  if (dirname(folder) !== tmpdir() || !basename(folder).startsWith(SHORT_FOLDER)) return;
  rmSync(socket, { force: true });
  removeFolder(folder);
}

function removeFolder(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Somebody else's things are in it, or it is gone.
  }
}
