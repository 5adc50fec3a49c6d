import { FailureError, type Result } from '@worldline/canon';
import type { Batch, Clock, FailpointModule, Store, StoredObject, Unavailable } from '@worldline/ports';
import { openForReading } from './connection.ts';
import { follow } from './follow.ts';
import { Hints } from './hints.ts';
import { seqNumber } from './inbox-seq.ts';
import { sha256 } from './object-file.ts';
import type { OperationArguments, PostedOperation } from './operations.ts';
import { Reader } from './reader.ts';
import { damageFailure, isDamage, isOutage } from './sql.ts';
import type { WriteLimits } from './write-tx.ts';
import { type CallAnswer, WriterThread } from './writer-thread.ts';

export interface SqliteStoreOptions {
  /** No writer thread; whatever would change something is answered `unavailable`. Works beside a writing process. */
  readonly readOnly?: boolean | undefined;
  /** Store time; the wall clock of the machine when absent. */
  readonly clock?: Pick<Clock, 'wallNs'> | undefined;
  /** Unread items at which `inbox.enqueue` answers `full`. Default 1 000 000. */
  readonly inboxMax?: number | undefined;
  /** Largest object. Default 256 MiB. */
  readonly objectBytesMax?: number | undefined;
  /** Objects above this size are kept in files. Default 16 KiB (`hosting.md` §3). */
  readonly inlineBytesMax?: number | undefined;
  /** For tests of crashes: failpoints of the writer thread. */
  readonly failpoints?: FailpointModule | undefined;
}

/**
 * The universe in folder `dir`, made when absent (`hosting.md` §11.1).
 *
 * Writes happen in a thread of their own; reads in the calling thread, on a connection that sees everything that was
 * answered. Several processes may have one folder open.
 *
 * @returns failures `store.missing` (read-only, and there is none), `store.foreign`, `store.newer`, `store.older`, `store.read_only`
 *   (the folder cannot be written), `store.unsafe` (durability could not be set), `store.unavailable`, and
 *   `journal.corrupt` for a damaged file. Damage that is met later is `corrupt` where an answer has a place for it, else
 *   the call rejects with a FailureError `journal.corrupt`.
 */
export async function openSqliteStore(dir: string, options: SqliteStoreOptions = {}): Promise<Result<Store>> {
  const { clock } = options;
  const clockNs = clock === undefined ? undefined : () => clock.wallNs();
  const limits: WriteLimits = {
    inboxMax: options.inboxMax ?? 1_000_000,
    objectBytesMax: options.objectBytesMax ?? 256 * 1024 * 1024,
    inlineBytesMax: options.inlineBytesMax ?? 16 * 1024,
  };
  let writer: WriterThread | undefined;
  if (options.readOnly !== true) {
    const started = await WriterThread.start({ dir, limits, failpoints: options.failpoints }, clockNs);
    if (!started.ok) return started;
    writer = started.value;
  }
  try {
    const reader = new Reader(openForReading(dir, writer !== undefined), dir);
    return {
      ok: true,
      value: sqliteStore({ writer, reader, clockNs: clockNs ?? (() => BigInt(Date.now()) * 1_000_000n) }),
    };
  } catch (error) {
    await writer?.close();
    if (error instanceof FailureError) return { ok: false, failure: error.failure };
    throw error;
  }
}

interface Parts {
  readonly writer: WriterThread | undefined;
  readonly reader: Reader;
  readonly clockNs: () => bigint;
}

function sqliteStore({ writer, reader, clockNs }: Parts): Store {
  let isClosed = false;
  const hints = new Hints();
  /** Tells whoever waits that something of the world changed. */
  const hinting = async <T extends { readonly answer: string }>(worldId: string, answering: Promise<T>): Promise<T> => {
    const answer = await answering;
    if (answer.answer === 'ok' || answer.answer === 'unknown') hints.tell(worldId);
    return answer;
  };

  const call = <K extends PostedOperation>(operation: K, ...args: OperationArguments<K>): Promise<CallAnswer<K>> =>
    writer === undefined ? Promise.resolve(READ_ONLY) : writer.call(operation, ...args);
  const write = async <K extends PostedOperation>(operation: K, ...args: OperationArguments<K>) => {
    const result = await call(operation, ...args);
    // Only commits have an answer for "perhaps"; every other operation is safe to repeat, which is what a caller does
    // with this one.
    return result.done ? result.answer : unavailable(result.message);
  };
  /** @throws FailureError `store.unavailable` or `journal.corrupt`: answers of reads have no place for these. */
  const read = async <T>(body: () => T): Promise<T> => {
    try {
      if (isClosed) throw new FailureError({ code: 'store.unavailable', path: [], message: 'the store is closed' });
      return body();
    } catch (error) {
      if (isDamage(error)) throw new FailureError(damageFailure(error));
      if (!isOutage(error)) throw error;
      throw new FailureError({ code: 'store.unavailable', path: [], message: error.message });
    }
  };

  const readJournal: Store['journal']['read'] = async (worldId, fromSeq, limit) => {
    if (isClosed) return unavailable('the store is closed');
    try {
      return reader.journal(worldId, fromSeq, limit);
    } catch (error) {
      if (isDamage(error)) return { answer: 'corrupt', where: `entry ${fromSeq} or behind: ${error.message}` };
      if (!isOutage(error)) throw error;
      return unavailable(error.message);
    }
  };

  return {
    cas: {
      async put(bytes, expected) {
        const hash = sha256(bytes);
        const answer = await write('cas.putMany', [{ hash: expected ?? hash, bytes: compact(bytes) }]);
        return answer.answer === 'ok' ? { answer: 'ok', hash } : answer;
      },
      putMany: (objects) => write('cas.putMany', objects.map(compactObject)),
      get: async (hash) => (isClosed ? unavailable('the store is closed') : reader.object(hash)),
      getSync: (hash) => (isClosed ? unavailable('the store is closed') : reader.object(hash)),
      has: (hash) => read(() => reader.hasObject(hash)),
      stat: (hash) => read(() => reader.objectStat(hash)),
      async delete(hash, olderThanMs) {
        const answer = await write('cas.delete', compact(hash), olderThanMs);
        // A crash before this leaves a file without a row: garbage that the next `put` of the object replaces.
        if (answer.answer === 'ok') await write('cas.sweep', compact(hash));
        return answer;
      },
    },
    world: {
      async create(spec, batches) {
        checkBatches(batches);
        const { keys } = spec;
        const given = keys === undefined ? spec : { ...spec, keys: compact(keys) };
        return hinting(spec.worldId, write('world.create', given, batches.map(compactBatch)));
      },
      fork: (source, height, spec) =>
        hinting(spec.worldId, write('world.fork', source, height, { ...spec, keys: spec.keys && compact(spec.keys) })),
      get: (worldId) => read(() => reader.world(worldId)),
      list: () => read(() => reader.worlds()),
      setStatus: (worldId, from, to) => hinting(worldId, write('world.setStatus', worldId, from, to)),
      markVerified: (worldId, height, ref) => write('world.markVerified', worldId, height, compact(ref)),
      setKeys: (worldId, epoch, expected, keys) =>
        write('world.setKeys', worldId, epoch, expected && compact(expected), compact(keys)),
      snapshots: (worldId) => read(() => reader.snapshots(worldId)),
    },
    lease: {
      acquire: (worldId, worker, ttlMs, dead) => write('lease.acquire', worldId, worker, ttlMs, dead),
      renew: (worldId, worker, epoch, ttlMs) => write('lease.renew', worldId, worker, epoch, ttlMs),
      release: (worldId, worker, epoch) => hinting(worldId, write('lease.release', worldId, worker, epoch)),
    },
    async commit(worldId, epoch, expected, batches, options = {}) {
      checkBatches(batches);
      const result = await (writer?.commit({ worldId, epoch, expected, batches, options }) ?? READ_ONLY);
      if (result.done) {
        if (result.answer.answer === 'ok' && batches.length > 0) hints.tell(worldId);
        return result.answer;
      }
      return result.isUnknown ? { answer: 'unknown', message: result.message } : unavailable(result.message);
    },
    journal: {
      read: readJournal,
      head: (worldId) => read(() => reader.head(worldId)),
      dropBelow: (worldId, epoch, height) => write('journal.dropBelow', worldId, epoch, height),
      follow: (worldId, fromSeq, given = {}) =>
        follow({ read: readJournal, hints, isClosed: () => isClosed }, { ...given, worldId, fromSeq }),
    },
    segment: {
      async put(bytes) {
        const hash = sha256(bytes);
        const answer = await write('cas.putMany', [{ hash, bytes: compact(bytes) }]);
        return answer.answer === 'ok' ? { answer: 'ok', hash } : answer;
      },
      index: (worldId, epoch, { firstSeq, lastSeq, ref, framesAt }) =>
        write('segment.index', worldId, epoch, { firstSeq, lastSeq, ref: compact(ref), framesAt }),
      list: (worldId) => read(() => reader.segments(worldId)),
    },
    snapshot: {
      verified: (worldId, height, ref) => write('snapshot.verified', worldId, height, compact(ref)),
      drop: (worldId, epoch, height) => write('snapshot.drop', worldId, epoch, height),
    },
    checkpoint: {
      append: (worldId, epoch, { chainBefore, chain, nextSeq, bytes }) =>
        write('checkpoint.append', worldId, epoch, {
          chainBefore: compact(chainBefore),
          chain: compact(chain),
          nextSeq,
          bytes: compact(bytes),
        }),
      read: (worldId, from, limit) => read(() => reader.checkpoints(worldId, from, limit)),
      last: (worldId) => read(() => reader.lastCheckpoint(worldId)),
    },
    inbox: {
      async enqueue(worldId, item, digest, dedupeKey, { isDelivery = false } = {}) {
        if (digest.length !== 32) throw new TypeError('a digest has 32 bytes');
        return hinting(worldId, write('inbox.enqueue', worldId, compact(item), compact(digest), dedupeKey, isDelivery));
      },
      read: (worldId, after, limit) => read(() => reader.inbox(worldId, after, limit)),
      applied: (worldId, seq) => read(() => reader.applied(worldId, seq)),
      trim: (worldId, { graceMs = DAY_MS, dedupeTtlMs = 7 * DAY_MS } = {}) =>
        write('inbox.trim', worldId, graceMs, dedupeTtlMs),
    },
    outbox: {
      async claim(worldId, kinds, executor, limit, visibilityMs) {
        const result = await call('outbox.claim', worldId, kinds, executor, limit, visibilityMs);
        return result.done ? result.answer : [];
      },
      start: (worldId, emissionSeq, token) => write('outbox.start', worldId, emissionSeq, compact(token)),
      extend: (worldId, emissionSeq, token, visibilityMs) =>
        write('outbox.extend', worldId, emissionSeq, compact(token), visibilityMs),
      complete: (worldId, emissionSeq, token, item, digest) =>
        hinting(
          worldId,
          write('outbox.complete', worldId, emissionSeq, compact(token), compact(item), compact(digest)),
        ),
      retry: (worldId, emissionSeq, token, delayMs, error) =>
        write('outbox.retry', worldId, emissionSeq, compact(token), delayMs, error),
      reconcile: (worldId, epoch, emitted, timers) => write('outbox.reconcile', worldId, epoch, emitted, timers),
      list: (worldId) => read(() => reader.outbox(worldId, clockNs())),
    },
    timers: {
      due: (worldId, limit) => read(() => reader.dueTimers(worldId, limit, clockNs())),
      fire: (worldId, emissionSeq) => hinting(worldId, write('timers.fire', worldId, emissionSeq)),
      rearm: (worldId, epoch, emissionSeq, dueWallNs) => write('timers.rearm', worldId, epoch, emissionSeq, dueWallNs),
    },
    wake: {
      poll: (worker) => read(() => reader.wakeable(worker, clockNs())),
      subscribe: (listener) => hints.subscribe(listener),
      maintain: (worldId, epoch, atNs) => write('wake.maintain', worldId, epoch, atNs),
    },
    place: {
      set: (worldId, worker) => hinting(worldId, write('place.set', worldId, worker)),
      list: () => read(() => reader.places(clockNs())),
    },
    nowNs: async () => clockNs(),
    async close() {
      if (!isClosed) {
        isClosed = true;
        // Before the writer: the last connection to close folds the write-ahead log into the file.
        reader.close();
      }
      await writer?.close();
    },
  };
}

const DAY_MS = 86_400_000;

const READ_ONLY = { done: false, isUnknown: false, message: 'the store is open for reading only' } as const;

function unavailable(message: string): Unavailable {
  return { answer: 'unavailable', message };
}

/** What can be wrong with a batch whatever the store holds is a bug of the caller. */
function checkBatches(batches: readonly Batch[]): void {
  for (const batch of batches) {
    if (batch.lastSeq < batch.firstSeq - 1)
      throw new TypeError(`a batch cannot span ${batch.firstSeq}..${batch.lastSeq}`);
    if (batch.chain.length !== 32) throw new TypeError('a chain value has 32 bytes');
    if (batch.inboxCursor !== undefined) seqNumber(batch.inboxCursor);
  }
}

/** A view is copied to another thread together with all of its buffer; a part of a large one is cut out first. */
function compact(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}

function compactObject({ hash, bytes }: StoredObject): StoredObject {
  return { hash: compact(hash), bytes: compact(bytes) };
}

function compactBatch(batch: Batch): Batch {
  return { ...batch, body: compact(batch.body), chain: compact(batch.chain) };
}
