import { createHash } from 'node:crypto';
import { bytesEqual, compareBytes, encode, hashOf, toHex, u64be } from '@worldline/canon';
import type {
  AcquireAnswer,
  AppliedRange,
  Batch,
  CasStore,
  CheckpointAnswer,
  Clock,
  CommitAnswer,
  CommitOptions,
  CompleteAnswer,
  EmittedRow,
  EnqueueAnswer,
  Fenced,
  GetAnswer,
  Head,
  OutboxRow,
  PutAnswer,
  RowAnswer,
  SnapshotRow,
  Store,
  StoredBatch,
  StoredCheckpoint,
  StoredObject,
  TimerRow,
  Unavailable,
  WorldRow,
  WorldSpec,
  WorldStatus,
} from '@worldline/ports';

/**
 * The storage contract (`hosting.md` §4) as a single-threaded model, the oracle that every engine is compared with
 * (§11.4). Written for reading: maps and loops, nothing clever, nothing shared with an engine.
 *
 * M1  An operation checks everything before it changes anything, so that it happens entirely or not at all.
 * M2  Bytes are copied on the way in and on the way out; no caller can change what is stored.
 * M3  An outbox row is claimable exactly when it is not done and `visibleAtNs` ≤ now.
 */

/** What happens to one call instead of its normal course. */
export type StoreFault =
  /** Nothing happened, and the answer says so. */
  | 'unavailable'
  /** Commits only: nothing happened, but the answer is `unknown`. */
  | 'lost_request'
  /** Commits only: it happened, but the answer is `unknown`. */
  | 'lost_answer';

export interface MemoryStoreOptions {
  /** Store time; the wall clock of the machine when absent. */
  readonly clock?: Pick<Clock, 'wallNs'> | undefined;
  /** Asked before every operation that changes something, by its name in the contract (`commit`, `inbox.enqueue`). */
  readonly fault?: ((operation: string, worldId: string | undefined) => StoreFault | undefined) | undefined;
  /** Unread items at which `inbox.enqueue` answers `full`. Default 1 000 000. */
  readonly inboxMax?: number | undefined;
  /** Largest object. Default 256 MiB. */
  readonly objectBytesMax?: number | undefined;
}

export interface MemoryStore extends Store {
  /** Flips one bit of a stored object, as a failing disk would. */
  corruptObject(hash: Uint8Array): void;
  /** Removes the batch that begins at `firstSeq`, as a lost page would. */
  removeBatch(worldId: string, firstSeq: number): void;
}

/** Instants are kept as signed 64-bit ns: later ones read back as this one, in the year 2262. */
const LAST_NS = 2n ** 63n - 1n;
const FIRE_AGAIN_NS = 60_000_000_000n;
const PAGE_BYTES = 4 * 1024 * 1024;
const NO_BYTES = new Uint8Array(0);
/** Chain value before a world's first batch. */
const ORIGIN = new Uint8Array(32);

interface Item {
  item: Uint8Array | undefined;
  readonly digest: Uint8Array;
  readonly dedupeKey: string | undefined;
  readonly enqueuedAtNs: bigint;
  applied: AppliedRange | undefined;
}

interface Row extends EmittedRow {
  token: Uint8Array | undefined;
  /** Set while the claim was made by a commit: it then dies with the lease. */
  claimEpoch: number | undefined;
  attempt: number;
  visibleAtNs: bigint;
  started: boolean;
  doneKey: string | undefined;
}

interface Timer {
  readonly intentHash: Uint8Array;
  dueWallNs: bigint;
  offers: number;
}

interface World {
  readonly spec: WorldSpec;
  readonly createdAtNs: bigint;
  status: WorldStatus;
  head: Head;
  baseline: { height: number; ref: Uint8Array } | undefined;
  cursor: number;
  internalPending: boolean;
  epoch: number;
  lease: { holder: string; expiresAtNs: bigint } | undefined;
  configHash: Uint8Array;
  notify: number;
  readonly batches: StoredBatch[];
  readonly checkpoints: StoredCheckpoint[];
  lastItem: number;
  readonly items: Map<number, Item>;
  readonly keys: Map<string, number>;
  readonly outbox: Map<number, Row>;
  readonly timers: Map<number, Timer>;
  readonly snapshots: Map<number, { ref: Uint8Array; baseline: boolean }>;
}

/** A new, empty universe in memory. */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  const worlds = new Map<string, World>();
  const objects = new Map<string, { bytes: Uint8Array; storedAtNs: bigint }>();
  const inboxMax = options.inboxMax ?? 1_000_000;
  const objectBytesMax = options.objectBytesMax ?? 256 * 1024 * 1024;
  const wallNs = options.clock === undefined ? () => BigInt(Date.now()) * 1_000_000n : () => options.clock!.wallNs();
  let tokens = 0;
  let closed = false;

  const fault = (operation: string, worldId?: string): StoreFault | undefined =>
    closed ? 'unavailable' : options.fault?.(operation, worldId);
  const unavailable = (): Unavailable => ({
    answer: 'unavailable',
    message: closed ? 'the store is closed' : 'injected fault',
  });
  /** Runs one operation unless a fault stops it. Thrown bugs become rejections, as with an engine. */
  const run = async <T>(operation: string, worldId: string | undefined, body: () => T): Promise<T | Unavailable> =>
    fault(operation, worldId) === undefined ? body() : unavailable();

  function isHolder(world: World | undefined, epoch: number): world is World {
    return world?.lease !== undefined && world.epoch === epoch && world.lease.expiresAtNs > wallNs();
  }

  function fenced(world: World | undefined): Fenced {
    return { answer: 'fenced', epoch: world?.epoch ?? 0 };
  }

  function storeObjects(given: readonly StoredObject[]): PutAnswer | { readonly answer: 'ok' } {
    for (const { hash, bytes } of given) {
      if (bytes.length > objectBytesMax) return { answer: 'too_large' };
      if (!bytesEqual(sha256(bytes), hash)) return { answer: 'invalid', reason: 'hash_mismatch' };
    }
    for (const { hash, bytes } of given) {
      const key = toHex(hash);
      if (!objects.has(key)) objects.set(key, { bytes: bytes.slice(), storedAtNs: wallNs() });
    }
    return { answer: 'ok' };
  }

  function getObject(hash: Uint8Array): GetAnswer {
    const found = objects.get(toHex(hash));
    if (found === undefined) return { answer: 'not_found' };
    if (!bytesEqual(sha256(found.bytes), hash)) return { answer: 'corrupt' };
    return { answer: 'ok', bytes: found.bytes.slice() };
  }

  const cas: CasStore = {
    put: (bytes, expected) =>
      run('cas.put', undefined, (): PutAnswer => {
        const hash = sha256(bytes);
        if (bytes.length > objectBytesMax) return { answer: 'too_large' };
        if (expected !== undefined && !bytesEqual(hash, expected))
          return { answer: 'invalid', reason: 'hash_mismatch' };
        storeObjects([{ hash, bytes }]);
        return { answer: 'ok', hash };
      }),
    putMany: (given) => run('cas.putMany', undefined, () => storeObjects(given)),
    get: async (hash) => getObject(hash),
    getSync: getObject,
    has: async (hash) => objects.has(toHex(hash)),
    async stat(hash) {
      const found = objects.get(toHex(hash));
      return found && { size: found.bytes.length, storedAtNs: found.storedAtNs };
    },
  };

  /** Steps 3 to 8 of a commit, after everything was checked. */
  function append(world: World, batches: readonly Batch[], claim: CommitOptions['claim']): void {
    let added = false;
    for (const batch of batches) {
      const { firstSeq, lastSeq, index } = batch;
      world.batches.push({ firstSeq, lastSeq, chain: batch.chain.slice(), body: batch.body.slice() });
      world.head = { height: lastSeq + 1, chain: batch.chain.slice() };
      world.internalPending = batch.internalPending;
      if (batch.inboxCursor !== undefined) {
        const seq = itemNumber(batch.inboxCursor);
        const item = world.items.get(seq);
        if (item !== undefined && lastSeq >= firstSeq) item.applied = { firstSeq, lastSeq };
        if (seq > world.cursor) world.cursor = seq;
      }
      for (const row of batch.emitted) {
        added = true;
        world.outbox.set(row.emissionSeq, {
          ...newRow(row),
          ...(claim && { token: claim.token.slice(), claimEpoch: world.epoch, attempt: 1, visibleAtNs: LAST_NS }),
        });
      }
      for (const row of batch.timers) {
        added = true;
        world.timers.set(row.emissionSeq, newTimer(row));
      }
      for (const seq of batch.settled) {
        world.outbox.delete(seq);
        world.timers.delete(seq);
      }
      for (const { emissionSeq, dedupeKey, token } of batch.released) {
        const row = world.outbox.get(emissionSeq);
        if (row === undefined) continue;
        const underKey = row.doneKey !== undefined && row.doneKey === dedupeKey;
        const underToken =
          row.doneKey === undefined && row.token !== undefined && token !== undefined && bytesEqual(row.token, token);
        if (underKey || underToken) free(row, 0n);
      }
      if (index?.snapshot !== undefined) {
        const { height, ref } = index.snapshot;
        world.snapshots.set(height, { ref: ref.slice(), baseline: world.snapshots.get(height)?.baseline ?? false });
      }
      if (index?.baseline !== undefined) {
        const { height, ref } = index.baseline;
        world.snapshots.set(height, { ref: ref.slice(), baseline: true });
        if (world.baseline === undefined || height >= world.baseline.height)
          world.baseline = { height, ref: ref.slice() };
      }
      if (index?.configHash !== undefined) world.configHash = index.configHash.slice();
      if (index?.activate === true) world.status = 'active';
    }
    if (added) world.notify++;
  }

  /** `key` known with the same digest, with another one, or a new item. */
  function addItem(world: World, item: Uint8Array, digest: Uint8Array, dedupeKey: string | undefined) {
    const known = dedupeKey === undefined ? undefined : world.keys.get(dedupeKey);
    if (known !== undefined) {
      const found = world.items.get(known)!;
      return {
        answer: bytesEqual(found.digest, digest) ? 'duplicate' : 'conflict',
        seq: u64be(known),
        applied: found.applied,
      } as const;
    }
    const seq = ++world.lastItem;
    world.items.set(seq, {
      item: item.slice(),
      digest: digest.slice(),
      dedupeKey,
      enqueuedAtNs: wallNs(),
      applied: undefined,
    });
    if (dedupeKey !== undefined) world.keys.set(dedupeKey, seq);
    world.notify++;
    return { answer: 'ok', seq: u64be(seq) } as const;
  }

  /** The row that `token` still owns. */
  function owned(worldId: string, emissionSeq: number, token: Uint8Array): Row | undefined {
    const row = worlds.get(worldId)?.outbox.get(emissionSeq);
    if (row?.token === undefined || !bytesEqual(row.token, token)) return undefined;
    return row;
  }

  const onRow = (
    operation: string,
    worldId: string,
    emissionSeq: number,
    token: Uint8Array,
    change: (row: Row) => void,
  ) =>
    run(operation, worldId, (): RowAnswer => {
      const row = owned(worldId, emissionSeq, token);
      if (row === undefined || row.doneKey !== undefined) return { answer: 'lost' };
      change(row);
      return { answer: 'ok' };
    });

  return {
    cas,
    world: {
      create: (spec, batches) =>
        run('world.create', spec.worldId, () => {
          checkBatches(batches);
          if (!areDense(batches, 0)) throw new TypeError('the batches of a new world are dense from 0');
          if (worlds.has(spec.worldId)) return { answer: 'exists' };
          const world = newWorld(spec, wallNs());
          checkRows(world, batches);
          append(world, batches, undefined);
          worlds.set(spec.worldId, world);
          return { answer: 'ok' };
        }),
      async get(worldId) {
        const world = worlds.get(worldId);
        return world && worldRow(world);
      },
      list: async () => [...worlds.values()].map(worldRow),
      setStatus: (worldId, from, to) =>
        run('world.setStatus', worldId, () => {
          const world = worlds.get(worldId);
          if (world?.status !== from) return { answer: 'conflict' };
          world.status = to;
          return { answer: 'ok' };
        }),
      async snapshots(worldId) {
        const found = [...(worlds.get(worldId)?.snapshots ?? [])].sort(([a], [b]) => a - b);
        return found.map(([height, { ref, baseline }]): SnapshotRow => ({ height, ref: ref.slice(), baseline }));
      },
    },
    lease: {
      acquire: (worldId, worker, ttlMs, dead) =>
        run('lease.acquire', worldId, (): AcquireAnswer => {
          const world = worlds.get(worldId);
          const now = wallNs();
          if (world === undefined) return { answer: 'not_found' };
          if (world.status !== 'active' && world.status !== 'forking')
            return { answer: 'status', status: world.status };
          const { lease } = world;
          if (lease !== undefined && lease.expiresAtNs > now && lease.holder !== worker && lease.holder !== dead) {
            return { answer: 'held', holder: lease.holder, expiresAtNs: lease.expiresAtNs, storeNowNs: now };
          }
          world.epoch++;
          world.lease = { holder: worker, expiresAtNs: later(now, ttlMs) };
          for (const row of world.outbox.values()) {
            if (row.claimEpoch !== undefined && row.doneKey === undefined) free(row, 0n);
          }
          return {
            answer: 'ok',
            epoch: world.epoch,
            expiresAtNs: world.lease.expiresAtNs,
            storeNowNs: now,
            head: copyHead(world.head),
            cursor: itemBytes(world.cursor),
          };
        }),
      renew: (worldId, worker, epoch, ttlMs) =>
        run('lease.renew', worldId, () => {
          const world = worlds.get(worldId);
          const now = wallNs();
          if (!isHolder(world, epoch) || world.lease?.holder !== worker) return fenced(world);
          world.lease = { holder: worker, expiresAtNs: later(now, ttlMs) };
          return { answer: 'ok', expiresAtNs: world.lease.expiresAtNs, storeNowNs: now } as const;
        }),
      release: (worldId, worker, epoch) =>
        run('lease.release', worldId, () => {
          const world = worlds.get(worldId);
          if (world?.epoch !== epoch || (world.lease !== undefined && world.lease.holder !== worker))
            return fenced(world);
          world.lease = undefined;
          return { answer: 'ok' } as const;
        }),
    },
    async commit(worldId, epoch, expected, batches, given = {}): Promise<CommitAnswer> {
      checkBatches(batches);
      const happening = fault('commit', worldId);
      if (happening === 'unavailable') return unavailable();
      if (happening === 'lost_request') return { answer: 'unknown', message: 'injected fault' };
      const world = worlds.get(worldId);
      if (!isHolder(world, epoch)) return fenced(world);
      const isExpected = world.head.height === expected.height && bytesEqual(world.head.chain, expected.chain);
      if (!isExpected || !areDense(batches, expected.height)) {
        return { answer: 'conflict', actual: copyHead(world.head) };
      }
      checkRows(world, batches);
      const stored = storeObjects(given.objects ?? []);
      if (stored.answer !== 'ok') throw new TypeError(`an object of the commit is ${stored.answer}`);
      append(world, batches, given.claim);
      if (happening === 'lost_answer') return { answer: 'unknown', message: 'injected fault' };
      return { answer: 'ok', ...copyHead(world.head) };
    },
    journal: {
      async read(worldId, fromSeq, limit) {
        const world = worlds.get(worldId);
        if (world === undefined) return { answer: 'ok', batches: [] };
        const found: StoredBatch[] = [];
        let expected: number | undefined;
        let entries = 0;
        let bytes = 0;
        for (const batch of world.batches) {
          // Whoever reads from a seq gets the empty batches directly before it too: they are part of the chain.
          if (batch.lastSeq < fromSeq && batch.firstSeq !== fromSeq) continue;
          if (expected === undefined ? batch.firstSeq > fromSeq : batch.firstSeq !== expected) {
            return { answer: 'corrupt', where: `entry ${expected ?? fromSeq}` };
          }
          if (entries >= Math.max(1, limit) || bytes >= PAGE_BYTES) {
            return { answer: 'ok', batches: found, next: expected };
          }
          found.push({ ...batch, chain: batch.chain.slice(), body: batch.body.slice() });
          expected = batch.lastSeq + 1;
          entries += expected - batch.firstSeq;
          bytes += batch.body.length;
        }
        if (expected === undefined ? fromSeq < world.head.height : expected !== world.head.height) {
          return { answer: 'corrupt', where: `entry ${expected ?? fromSeq}` };
        }
        return { answer: 'ok', batches: found };
      },
      async head(worldId) {
        const world = worlds.get(worldId);
        return world && copyHead(world.head);
      },
    },
    checkpoint: {
      append: (worldId, epoch, given) =>
        run('checkpoint.append', worldId, (): CheckpointAnswer => {
          const world = worlds.get(worldId);
          if (!isHolder(world, epoch)) return fenced(world);
          const known = world.checkpoints.find((c) => bytesEqual(c.chainBefore, given.chainBefore));
          if (known !== undefined) return { answer: bytesEqual(known.bytes, given.bytes) ? 'ok' : 'conflict' };
          const last = world.checkpoints.at(-1);
          const follows =
            bytesEqual(given.chainBefore, last?.chain ?? ORIGIN) &&
            given.nextSeq >= (last?.nextSeq ?? 0) &&
            given.nextSeq <= world.head.height;
          if (!follows) return { answer: 'conflict' };
          world.checkpoints.push(copyCheckpoint(given));
          return { answer: 'ok' };
        }),
      async read(worldId, from, limit) {
        const found = worlds.get(worldId)?.checkpoints.slice(from, from + Math.max(0, limit)) ?? [];
        return found.map(copyCheckpoint);
      },
      async last(worldId) {
        const last = worlds.get(worldId)?.checkpoints.at(-1);
        return last && copyCheckpoint(last);
      },
    },
    inbox: {
      enqueue: (worldId, item, digest, dedupeKey) =>
        run('inbox.enqueue', worldId, (): EnqueueAnswer => {
          const world = worlds.get(worldId);
          if (world === undefined || world.status === 'deleted') return { answer: 'not_found' };
          if (world.status === 'archived') return { answer: 'world.archived' };
          const isKnown = dedupeKey !== undefined && world.keys.has(dedupeKey);
          if (!isKnown && world.lastItem - world.cursor >= inboxMax) return { answer: 'full' };
          const added = addItem(world, item, digest, dedupeKey);
          return added.answer === 'conflict' ? { answer: 'conflict', seq: added.seq } : added;
        }),
      async read(worldId, after, limit) {
        const from = itemNumber(after);
        const found = [...(worlds.get(worldId)?.items ?? [])].filter(
          ([seq, { item }]) => seq > from && item !== undefined,
        );
        return found.slice(0, limit).map(([seq, { item, dedupeKey, enqueuedAtNs }]) => ({
          seq: u64be(seq),
          item: item!.slice(),
          dedupeKey,
          enqueuedAtNs,
        }));
      },
      async applied(worldId, seqBytes) {
        const world = worlds.get(worldId);
        const seq = itemNumber(seqBytes);
        return { done: world !== undefined && seq <= world.cursor, applied: world?.items.get(seq)?.applied };
      },
      async trim(worldId, olderThanMs) {
        const world = worlds.get(worldId);
        if (world === undefined || fault('inbox.trim', worldId) !== undefined) return 0;
        let trimmed = 0;
        for (const [seq, found] of world.items) {
          if (seq > world.cursor || found.item === undefined || later(found.enqueuedAtNs, olderThanMs) > wallNs())
            continue;
          trimmed++;
          // A key outlives its item: a producer may still repeat itself.
          if (found.dedupeKey === undefined) world.items.delete(seq);
          else found.item = undefined;
        }
        return trimmed;
      },
    },
    outbox: {
      async claim(worldId, kinds, _executor, limit, visibilityMs) {
        const world = worlds.get(worldId);
        if (world === undefined || fault('outbox.claim', worldId) !== undefined) return [];
        const now = wallNs();
        const open = [...world.outbox.values()]
          .filter(
            (row) =>
              row.doneKey === undefined && row.visibleAtNs <= now && (kinds === undefined || kinds.includes(row.kind)),
          )
          .sort((a, b) => a.emissionSeq - b.emissionSeq);
        return open.slice(0, limit).map((row): OutboxRow => {
          row.token = new Uint8Array([...u64be(0), ...u64be(++tokens)]);
          row.claimEpoch = undefined;
          row.attempt++;
          row.visibleAtNs = later(now, visibilityMs);
          return {
            worldId,
            emissionSeq: row.emissionSeq,
            intentHash: row.intentHash.slice(),
            kind: row.kind,
            request: row.request.slice(),
            token: row.token.slice(),
            attempt: row.attempt,
            started: row.started,
          };
        });
      },
      start: (worldId, emissionSeq, token) =>
        onRow('outbox.start', worldId, emissionSeq, token, (row) => {
          row.started = true;
        }),
      extend: (worldId, emissionSeq, token, visibilityMs) =>
        onRow('outbox.extend', worldId, emissionSeq, token, (row) => {
          if (row.claimEpoch === undefined) row.visibleAtNs = later(wallNs(), visibilityMs);
        }),
      complete: (worldId, emissionSeq, token, item, digest) =>
        run('outbox.complete', worldId, (): CompleteAnswer => {
          const world = worlds.get(worldId);
          const row = owned(worldId, emissionSeq, token);
          if (world === undefined || row === undefined || world.status === 'archived' || world.status === 'deleted') {
            return { answer: 'lost' };
          }
          const key = `r:${emissionSeq}:${row.attempt}`;
          const added = addItem(world, item, digest, key);
          if (added.answer === 'conflict') return { answer: 'conflict' };
          row.doneKey = key;
          return added.answer === 'ok' ? { answer: 'ok', seq: added.seq } : { answer: 'duplicate' };
        }),
      retry: (worldId, emissionSeq, token, delayMs, _error) =>
        onRow('outbox.retry', worldId, emissionSeq, token, (row) => free(row, later(wallNs(), delayMs))),
      reconcile: (worldId, epoch, emitted, timers) =>
        run('outbox.reconcile', worldId, () => {
          const world = worlds.get(worldId);
          if (!isHolder(world, epoch)) return fenced(world);
          const keep = new Set(emitted.map((row) => row.emissionSeq));
          for (const seq of world.outbox.keys()) if (!keep.has(seq)) world.outbox.delete(seq);
          for (const row of emitted)
            if (!world.outbox.has(row.emissionSeq)) world.outbox.set(row.emissionSeq, newRow(row));
          const keepTimers = new Set(timers.map((row) => row.emissionSeq));
          for (const seq of world.timers.keys()) if (!keepTimers.has(seq)) world.timers.delete(seq);
          for (const row of timers) {
            const found = world.timers.get(row.emissionSeq);
            if (found === undefined) world.timers.set(row.emissionSeq, newTimer(row));
            else found.dueWallNs = earlier(row.dueWallNs);
          }
          return { answer: 'ok' } as const;
        }),
      async list(worldId) {
        const now = wallNs();
        return [...(worlds.get(worldId)?.outbox.values() ?? [])]
          .sort((a, b) => a.emissionSeq - b.emissionSeq)
          .map((row) => ({
            emissionSeq: row.emissionSeq,
            kind: row.kind,
            attempt: row.attempt,
            started: row.started,
            claimed: row.token !== undefined && row.doneKey === undefined && row.visibleAtNs > now,
            done: row.doneKey !== undefined,
          }));
      },
    },
    timers: {
      async due(worldId, limit) {
        const now = wallNs();
        const sorted = [...(worlds.get(worldId)?.timers ?? [])].sort(
          ([, a], [, b]) => compareNs(a.dueWallNs, b.dueWallNs) || compareBytes(a.intentHash, b.intentHash),
        );
        const due = sorted.filter(([, timer]) => timer.dueWallNs <= now).slice(0, limit);
        return {
          rows: due.map(([emissionSeq, { intentHash, dueWallNs }]) => ({
            worldId,
            emissionSeq,
            intentHash: intentHash.slice(),
            dueWallNs,
          })),
          nextDueWallNs: sorted.find(([, timer]) => timer.dueWallNs > now)?.[1].dueWallNs,
        };
      },
      fire: (worldId, emissionSeq) =>
        run('timers.fire', worldId, () => {
          const world = worlds.get(worldId);
          const timer = world?.timers.get(emissionSeq);
          if (world === undefined || timer === undefined || world.status === 'archived' || world.status === 'deleted') {
            return { answer: 'not_found' };
          }
          const now = wallNs();
          if (timer.dueWallNs > now) return { answer: 'ok' };
          const key = `t:${emissionSeq}:${++timer.offers}`;
          const said = { kind: 'timer', emission_seq: emissionSeq };
          addItem(world, encode({ ...said, dedupe_key: key, enqueued_at_ns: now }), hashOf(said), key);
          timer.dueWallNs = now + FIRE_AGAIN_NS;
          return { answer: 'ok' };
        }),
      rearm: (worldId, epoch, emissionSeq, dueWallNs) =>
        run('timers.rearm', worldId, () => {
          const world = worlds.get(worldId);
          if (!isHolder(world, epoch)) return fenced(world);
          const timer = world.timers.get(emissionSeq);
          if (timer === undefined) return { answer: 'not_found' } as const;
          timer.dueWallNs = earlier(dueWallNs);
          return { answer: 'ok' } as const;
        }),
    },
    nowNs: async () => wallNs(),
    async close() {
      closed = true;
    },
    corruptObject(hash) {
      const found = objects.get(toHex(hash));
      if (found === undefined || found.bytes.length === 0) throw new RangeError('no such object, or an empty one');
      found.bytes[0]! ^= 1;
    },
    removeBatch(worldId, firstSeq) {
      const world = worlds.get(worldId);
      const at = world?.batches.findIndex((batch) => batch.firstSeq === firstSeq && batch.lastSeq >= firstSeq) ?? -1;
      if (world === undefined || at < 0) throw new RangeError(`no batch begins at ${firstSeq}`);
      world.batches.splice(at, 1);
    },
  };
}

function newWorld(spec: WorldSpec, nowNs: bigint): World {
  return {
    spec: { ...spec, keys: spec.keys?.slice() },
    createdAtNs: nowNs,
    status: 'active',
    head: { height: 0, chain: new Uint8Array(32) },
    baseline: undefined,
    cursor: 0,
    internalPending: false,
    // The creator wrote the genesis batch under epoch 1; the first lease gets 2 (L1).
    epoch: 1,
    lease: undefined,
    configHash: spec.configHash.slice(),
    notify: 0,
    batches: [],
    checkpoints: [],
    lastItem: 0,
    items: new Map(),
    keys: new Map(),
    outbox: new Map(),
    timers: new Map(),
    snapshots: new Map(),
  };
}

function newRow(row: EmittedRow): Row {
  return {
    emissionSeq: row.emissionSeq,
    intentHash: row.intentHash.slice(),
    kind: row.kind,
    request: row.request.slice(),
    token: undefined,
    claimEpoch: undefined,
    attempt: 0,
    visibleAtNs: 0n,
    started: false,
    doneKey: undefined,
  };
}

function newTimer(row: TimerRow): Timer {
  return { intentHash: row.intentHash.slice(), dueWallNs: earlier(row.dueWallNs), offers: 0 };
}

/** Claimable from `atNs` on. Attempts and the started mark stay: they are history. */
function free(row: Row, atNs: bigint): void {
  row.token = undefined;
  row.claimEpoch = undefined;
  row.doneKey = undefined;
  row.visibleAtNs = atNs;
}

function worldRow(world: World): WorldRow {
  return {
    worldId: world.spec.worldId,
    universeId: world.spec.universeId,
    status: world.status,
    head: copyHead(world.head),
    activeBaseline: { height: world.baseline?.height ?? 0, ref: world.baseline?.ref.slice() ?? NO_BYTES },
    inboxCursor: itemBytes(world.cursor),
    internalPending: world.internalPending,
    epoch: world.epoch,
    lease: world.lease && { ...world.lease },
    configHash: world.configHash.slice(),
    keys: world.spec.keys?.slice(),
    createdAtNs: world.createdAtNs,
    notify: world.notify,
  };
}

/** What can be wrong with a batch whatever the store holds is a bug of the caller. */
function checkBatches(batches: readonly Batch[]): void {
  for (const batch of batches) {
    if (batch.lastSeq < batch.firstSeq - 1)
      throw new TypeError(`a batch cannot span ${batch.firstSeq}..${batch.lastSeq}`);
    if (batch.chain.length !== 32) throw new TypeError('a chain value has 32 bytes');
    if (batch.inboxCursor !== undefined) itemNumber(batch.inboxCursor);
  }
}

/** Whether each batch begins where the one before it ended. */
function areDense(batches: readonly Batch[], height: number): boolean {
  return batches.every((batch, i) => batch.firstSeq === (i === 0 ? height : batches[i - 1]!.lastSeq + 1));
}

/** Emissions are unique; a second row of one is a bug of the caller. */
function checkRows(world: World, batches: readonly Batch[]): void {
  const outbox = new Set(world.outbox.keys());
  const timers = new Set(world.timers.keys());
  for (const batch of batches) {
    for (const [rows, known] of [
      [batch.emitted, outbox],
      [batch.timers, timers],
    ] as const) {
      for (const { emissionSeq } of rows) {
        if (known.has(emissionSeq)) throw new TypeError(`emission ${emissionSeq} has a row already`);
        known.add(emissionSeq);
      }
    }
    for (const seq of batch.settled) {
      outbox.delete(seq);
      timers.delete(seq);
    }
  }
}

function copyCheckpoint({ chainBefore, chain, nextSeq, bytes }: StoredCheckpoint): StoredCheckpoint {
  return { chainBefore: chainBefore.slice(), chain: chain.slice(), nextSeq, bytes: bytes.slice() };
}

function copyHead(head: Head): Head {
  return { height: head.height, chain: head.chain.slice() };
}

function itemBytes(seq: number): Uint8Array {
  return seq === 0 ? NO_BYTES : u64be(seq);
}

/** @throws TypeError for bytes that are neither empty nor a seq of this store. */
function itemNumber(bytes: Uint8Array): number {
  if (bytes.length !== 0 && bytes.length !== 8) throw new TypeError('an inbox seq has 8 bytes');
  let seq = 0;
  for (const byte of bytes) seq = seq * 256 + byte;
  if (!Number.isSafeInteger(seq)) throw new TypeError('an inbox seq of this store is below 2^53');
  return seq;
}

function later(ns: bigint, ms: number): bigint {
  return earlier(ns + BigInt(Math.round(ms)) * 1_000_000n);
}

function earlier(ns: bigint): bigint {
  return ns > LAST_NS ? LAST_NS : ns;
}

function compareNs(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}
