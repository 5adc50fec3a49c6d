import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import type { CommitAnswer, PutAnswer, Store, Unavailable } from '@worldline/ports';
import { openReader, openWriter } from './database.ts';
import { Reader } from './reader.ts';
import { RemoteWriter } from './remote-writer.ts';
import { Writer } from './writer.ts';

/**
 * The storage contract on one SQLite file (`hosting.md` §4, §11.1; design page D3).
 *
 * S1  Every change is one transaction, durable when its answer arrives (WAL, `synchronous=FULL`, asserted).
 * S2  Changes are made in a thread of their own; reads in the calling one, on a connection that cannot write. A read
 *     that begins after an answer sees what the answer spoke of.
 */

export interface SqliteStoreOptions {
  /** Nothing is written, created or locked; the folder must hold a store. */
  readonly readOnly?: boolean | undefined;
  /** Store time for tests; given, the writer runs in the calling thread. */
  readonly clock?: { wallNs(): bigint } | undefined;
  /** Unread items at which `inbox.enqueue` answers `full`. Default 1 000 000. */
  readonly inboxMax?: number | undefined;
  /** Largest object. Default 256 MiB. */
  readonly objectBytesMax?: number | undefined;
}

type Call = RemoteWriter['call'];

/** @throws StoreOpenError when the folder holds no usable store. */
export async function openSqliteStore(dir: string, options: SqliteStoreOptions = {}): Promise<Store> {
  const folder = resolve(dir);
  const inboxMax = options.inboxMax ?? 1_000_000;
  const objectBytesMax = options.objectBytesMax ?? 256 * 1024 * 1024;
  const nowNs = options.clock === undefined ? () => BigInt(Date.now()) * 1_000_000n : () => options.clock!.wallNs();
  const { call, close } = await openWriting(folder, options, { inboxMax, objectBytesMax, nowNs });
  let reader: Reader;
  try {
    reader = new Reader(openReader(folder), folder, nowNs);
  } catch (error) {
    await close();
    throw error;
  }
  return makeStore(reader, call, nowNs, close);
}

interface Writing {
  readonly call: Call;
  readonly close: () => Promise<void>;
}

async function openWriting(
  folder: string,
  options: SqliteStoreOptions,
  limits: { readonly inboxMax: number; readonly objectBytesMax: number; readonly nowNs: () => bigint },
): Promise<Writing> {
  if (options.readOnly === true) {
    const refused: Unavailable = { answer: 'unavailable', message: 'the store is open for reading only' };
    return { call: (async () => refused) as unknown as Call, close: async () => {} };
  }
  if (options.clock !== undefined) {
    mkdirSync(folder, { recursive: true });
    const db = openWriter(folder);
    const writer = new Writer(db, folder, limits);
    let isClosed = false;
    const call = async (operation: keyof Writer, ...args: unknown[]) =>
      isClosed
        ? { answer: 'unavailable', message: 'the store is closed' }
        : (writer[operation] as (...values: unknown[]) => unknown).apply(writer, args);
    return {
      call: call as unknown as Call,
      close: async () => {
        if (!isClosed) db.close();
        isClosed = true;
      },
    };
  }
  const remote = await RemoteWriter.open({
    dir: folder,
    inboxMax: limits.inboxMax,
    objectBytesMax: limits.objectBytesMax,
  });
  return { call: remote.call.bind(remote), close: () => remote.close() };
}

function makeStore(reader: Reader, call: Call, nowNs: () => bigint, close: () => Promise<void>): Store {
  let isClosed = false;
  return {
    cas: {
      async put(bytes, expected): Promise<PutAnswer> {
        const hash = new Uint8Array(createHash('sha256').update(bytes).digest());
        const answer = await call('putMany', [{ hash, bytes }], expected);
        return answer.answer === 'ok' ? { answer: 'ok', hash } : answer;
      },
      putMany: (objects) => call('putMany', objects, undefined),
      get: async (hash) => reader.getObject(hash),
      getSync: (hash) => reader.getObject(hash),
      has: async (hash) => reader.stat(hash) !== undefined,
      stat: async (hash) => reader.stat(hash),
    },
    world: {
      create: (spec, batches) => call('create', spec, batches),
      get: async (worldId) => reader.world(worldId),
      list: async () => reader.worlds(),
      setStatus: (worldId, from, to) => call('setStatus', worldId, from, to),
      snapshots: async (worldId) => reader.snapshots(worldId),
    },
    lease: {
      acquire: (worldId, worker, ttlMs, dead) => call('acquire', worldId, worker, ttlMs, dead),
      renew: (worldId, worker, epoch, ttlMs) => call('renew', worldId, worker, epoch, ttlMs),
      release: (worldId, worker, epoch) => call('release', worldId, worker, epoch),
    },
    commit: (worldId, epoch, expected, batches, options = {}): Promise<CommitAnswer> =>
      call('commit', worldId, epoch, expected, batches, options),
    journal: {
      read: async (worldId, fromSeq, limit) => reader.readJournal(worldId, fromSeq, limit),
      head: async (worldId) => reader.head(worldId),
    },
    inbox: {
      enqueue: (worldId, item, digest, dedupeKey) => call('enqueue', worldId, item, digest, dedupeKey),
      read: async (worldId, after, limit) => reader.readInbox(worldId, after, limit),
      applied: async (worldId, seq) => reader.applied(worldId, seq),
      trim: (worldId, olderThanMs) => call('trim', worldId, olderThanMs),
    },
    outbox: {
      claim: (worldId, kinds, _executor, limit, visibilityMs) => call('claim', worldId, kinds, limit, visibilityMs),
      start: (worldId, emissionSeq, token) => call('start', worldId, emissionSeq, token),
      extend: (worldId, emissionSeq, token, visibilityMs) => call('extend', worldId, emissionSeq, token, visibilityMs),
      complete: (worldId, emissionSeq, token, item, digest) =>
        call('complete', worldId, emissionSeq, token, item, digest),
      retry: (worldId, emissionSeq, token, delayMs, _error) => call('retry', worldId, emissionSeq, token, delayMs),
      reconcile: (worldId, epoch, emitted, timers) => call('reconcile', worldId, epoch, emitted, timers),
      list: async (worldId) => reader.outbox(worldId),
    },
    timers: {
      due: async (worldId, limit) => reader.dueTimers(worldId, limit),
      fire: (worldId, emissionSeq) => call('fire', worldId, emissionSeq),
      rearm: (worldId, epoch, emissionSeq, dueWallNs) => call('rearm', worldId, epoch, emissionSeq, dueWallNs),
    },
    nowNs: async () => nowNs(),
    async close() {
      if (isClosed) return;
      isClosed = true;
      await close();
      reader.close();
    },
  };
}
