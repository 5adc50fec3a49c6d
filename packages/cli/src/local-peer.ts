import { resolve } from 'node:path';
import { postMessage } from '@worldline/adapters';
import { fail, ok, type Result } from '@worldline/canon';
import { enqueueMessage, localSender, prepareMessage, type WorldView } from '@worldline/host';
import { decodeConfig } from '@worldline/kernel';
import type { FabricAcceptance, FabricFailure, FabricMessage, FabricPeer, Signal, Store } from '@worldline/ports';
import { defaultAddress, readDaemonFile } from '@worldline/server';
import type { Context } from './context.ts';
import { CommandError } from './failure.ts';
import { Reader } from './reader.ts';

/**
 * A peer that is a world of the same user on this machine (`fabric.peers.<name>.path`).
 *
 * L1  A running peer is asked over its control socket: it takes the message in at once.
 * L2  Where nobody answers there, the message goes into the peer's durable inbox, as the commands beside a running world
 *     do it: no lock and no lease is taken, so it is right too when somebody has just begun to run the peer. Whoever runs
 *     it next finds the message.
 * L3  Both ways admit by the peer's own definitions and configuration, under the name that the peer gives this world, and
 *     with the same key: after an attempt that may have arrived, the other way is no second message.
 */
export class LocalPeer implements FabricPeer {
  readonly #ctx: Context;
  readonly #socketMs: number;
  #open: Promise<Store> | undefined;
  #users = 0;
  #idle: NodeJS.Timeout | undefined;

  /**
   * @param path - folder of the peer, relative to the sender's.
   * @param socketMs - how long its process may take to answer before the message goes the other way.
   */
  constructor(sender: Context, path: string, socketMs = 5_000) {
    this.#ctx = sender.of(resolve(sender.root, path));
    this.#socketMs = socketMs;
  }

  async deliver(message: FabricMessage, signal: Signal): Promise<Result<FabricAcceptance, FabricFailure>> {
    try {
      return (await this.#ask(message, signal)) ?? (await this.#enqueue(message));
    } catch (error) {
      // What a command would say of that folder: no world there yet, a store that cannot be opened, damage.
      if (error instanceof CommandError) return unreachable(error.failure.message);
      throw error;
    }
  }

  /** @returns undefined when no process took a stand, and the inbox is the way. */
  async #ask(message: FabricMessage, signal: Signal): Promise<Result<FabricAcceptance, FabricFailure> | undefined> {
    const { dir } = await this.#ctx.folder();
    const socketPath = readDaemonFile(dir)?.socket ?? defaultAddress(dir);
    // A stopped process holds its socket and answers nothing; there must be time left for the other way.
    const patience = AbortSignal.any([signal as AbortSignal, AbortSignal.timeout(this.#socketMs)]);
    try {
      const answer = await postMessage({ socketPath }, message, patience);
      return answer.ok || answer.failure.code !== 'fabric.peer_unreachable' ? answer : undefined;
    } catch (error) {
      if (signal.aborted) throw error;
      return undefined;
    }
  }

  async #enqueue(message: FabricMessage): Promise<Result<FabricAcceptance, FabricFailure>> {
    const { readIdentity } = await import('@worldline/host');
    const [folder, config] = [await this.#ctx.folder(), await this.#ctx.config()];
    const identity = await readIdentity(folder);
    if (!identity.ok) return unreachable(identity.failure.message);
    if (identity.value === undefined)
      return unreachable(`there is no world in ${folder.root} yet; "worldline run" there makes it`);
    const { world_id } = identity.value;
    const sender = await localSender(folder.root, config.fabric, message.fromWorld);
    if (sender === undefined)
      return fail({
        code: 'fabric.refused',
        message: `the world in ${folder.root} has no peer whose folder is that of this world (fabric.peers.<name>.path there)`,
        retryable: false,
      });
    return this.#using(async (store) => {
      const prepared = prepareMessage(await viewOf(store, world_id), sender, message, config.fabric.maxBytes);
      const accepted = prepared.ok
        ? await enqueueMessage(store, world_id, prepared.value, BigInt(Date.now()) * 1_000_000n)
        : prepared;
      if (accepted.ok) return ok(accepted.value);
      const { code, message: why } = accepted.failure;
      if (code === 'world.archived') return fail({ code: 'fabric.peer_unknown', message: why, retryable: false });
      if (code.startsWith('fabric.')) return fail({ code, message: why, retryable: false });
      const passes = code === 'host_error' || code === 'full';
      return passes ? unreachable(why) : fail({ code: 'fabric.refused', message: `${code}: ${why}`, retryable: false });
    });
  }

  /** One open store for messages that come close together; opening one costs more than a message. */
  async #using<T>(use: (store: Store) => Promise<T>): Promise<T> {
    clearTimeout(this.#idle);
    this.#users++;
    this.#open ??= this.#openStore();
    const opening = this.#open;
    try {
      const store = await opening.catch((error: unknown) => {
        if (this.#open === opening) this.#open = undefined;
        throw error;
      });
      return await use(store);
    } finally {
      this.#users--;
      if (this.#users === 0) this.#idle = setTimeout(() => void this.#close(), IDLE_MS).unref();
    }
  }

  async #openStore(): Promise<Store> {
    const { openForWriting, openReadOnly } = await import('./open-store.ts');
    const dir = await this.#ctx.storeDir();
    // A store that is not there must be noticed before an empty one is made in its place.
    await (await openReadOnly(dir)).close();
    return openForWriting(dir);
  }

  async #close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.then(
      (store) => store.close(),
      () => {},
    );
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    await this.#close();
  }
}

const IDLE_MS = 1_000;

/** What decides about a message: the peer's live definitions and configuration, as its store has them. */
async function viewOf(store: Store, worldId: string): Promise<WorldView> {
  const reader = await Reader.over(store, worldId);
  const bytes = reader.object(reader.row.configHash);
  const config = bytes === undefined ? undefined : decodeConfig(bytes);
  if (config?.ok !== true)
    throw new CommandError({ code: 'journal.corrupt', message: 'the configuration of the peer is not in its store' });
  return { catalog: await reader.catalog(), config: config.value };
}

function unreachable(why: string): { readonly ok: false; readonly failure: FabricFailure } {
  return fail({ code: 'fabric.peer_unreachable', message: why, retryable: true });
}
