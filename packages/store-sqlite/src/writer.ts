import { createHash, randomBytes } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { bytesEqual, encode, u64be } from '@worldline/canon';
import type {
  AcquireAnswer,
  Batch,
  CommitAnswer,
  CommitOptions,
  CompleteAnswer,
  EmittedRow,
  EnqueueAnswer,
  Fenced,
  Head,
  OutboxRow,
  PutAnswer,
  RowAnswer,
  StoredObject,
  TimerRow,
  Unavailable,
  WorldSpec,
  WorldStatus,
} from '@worldline/ports';
import { INLINE_MAX, writeObjectFile } from './object-file.ts';
import { bounded, itemNumber, LAST_NS, later } from './wire.ts';

/**
 * Every operation of the contract that changes something, as one `BEGIN IMMEDIATE` transaction each.
 *
 * W1  An operation checks before it changes, and a failure rolls everything back.
 * W2  Epoch and lease are judged in the same transaction as the change, by this process's wall clock.
 * W3  Inbox seqs come from the world's own counter inside the transaction, so they become visible in order.
 */

interface WorldRow {
  readonly id: number;
  readonly status: WorldStatus;
  readonly height: number;
  readonly chain: Uint8Array;
  readonly batches: number;
  readonly cursor: number;
  readonly epoch: number;
  readonly holder: string | null;
  readonly lease_until: bigint | null;
  readonly baseline_height: number | null;
  readonly last_item: number;
}

interface OutboxState {
  readonly token: Uint8Array | null;
  readonly claim_epoch: number | null;
  readonly attempt: number;
  readonly done_key: string | null;
}

const FIRE_AGAIN_NS = 60_000_000_000n;

export interface WriterOptions {
  readonly inboxMax: number;
  readonly objectBytesMax: number;
  readonly nowNs: () => bigint;
}

export class Writer {
  readonly #db: DatabaseSync;
  readonly #dir: string;
  readonly #options: WriterOptions;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync, dir: string, options: WriterOptions) {
    this.#db = db;
    this.#dir = dir;
    this.#options = options;
  }

  // Objects

  putMany(objects: readonly StoredObject[], expected?: Uint8Array): PutAnswer | { readonly answer: 'ok' } {
    const refusal = this.#objectRefusal(objects, expected);
    if (refusal !== undefined) return refusal;
    return this.#transaction((now) => {
      for (const object of objects) this.#insertObject(object, now);
      return { answer: 'ok' } as const;
    });
  }

  #objectRefusal(objects: readonly StoredObject[], expected?: Uint8Array): PutAnswer | undefined {
    for (const { hash, bytes } of objects) {
      if (bytes.length > this.#options.objectBytesMax) return { answer: 'too_large' };
      if (!bytesEqual(sha256(bytes), expected ?? hash)) return { answer: 'invalid', reason: 'hash_mismatch' };
    }
    return undefined;
  }

  #insertObject({ hash, bytes }: StoredObject, now: bigint): void {
    if (bytes.length > INLINE_MAX) {
      if (this.#sql('SELECT 1 FROM objects WHERE hash = ?').get(hash) !== undefined) return;
      // The file is durable before the row that speaks of it.
      writeObjectFile(this.#dir, hash, bytes);
    }
    this.#sql('INSERT OR IGNORE INTO objects (hash, size, stored_at, bytes) VALUES (?, ?, ?, ?)').run(
      hash,
      bytes.length,
      now,
      bytes.length > INLINE_MAX ? null : bytes,
    );
  }

  // Worlds and leases

  create(spec: WorldSpec, batches: readonly Batch[]): { readonly answer: 'ok' | 'exists' } | Unavailable {
    checkBatches(batches);
    if (!areDense(batches, 0)) throw new TypeError('the batches of a new world are dense from 0');
    return this.#transaction((now) => {
      if (this.#world(spec.worldId) !== undefined) return { answer: 'exists' } as const;
      // The creator wrote the genesis batch under epoch 1; the first lease gets 2 (L1).
      this.#sql(`INSERT INTO worlds (world, universe, status, height, chain, batches, cursor, internal_pending, epoch,
        config_hash, created_at, notify, last_item) VALUES (?, ?, 'active', 0, ?, 0, 0, 0, 1, ?, ?, 0, 0)`).run(
        spec.worldId,
        spec.universeId,
        new Uint8Array(32),
        spec.configHash,
        now,
      );
      this.#append(this.#world(spec.worldId)!, batches, undefined);
      return { answer: 'ok' } as const;
    });
  }

  setStatus(worldId: string, from: WorldStatus, to: WorldStatus): { readonly answer: 'ok' | 'conflict' } | Unavailable {
    return this.#transaction(() => {
      const { changes } = this.#sql('UPDATE worlds SET status = ? WHERE world = ? AND status = ?').run(
        to,
        worldId,
        from,
      );
      return { answer: Number(changes) === 1 ? 'ok' : 'conflict' } as const;
    });
  }

  acquire(worldId: string, worker: string, ttlMs: number, dead: string | undefined): AcquireAnswer {
    return this.#transaction((now): AcquireAnswer => {
      const world = this.#world(worldId);
      if (world === undefined) return { answer: 'not_found' };
      if (world.status !== 'active' && world.status !== 'forking') return { answer: 'status', status: world.status };
      const { holder, lease_until } = world;
      if (holder !== null && lease_until !== null && lease_until > now && holder !== worker && holder !== dead) {
        return { answer: 'held', holder, expiresAtNs: lease_until, storeNowNs: now };
      }
      const epoch = world.epoch + 1;
      const expiresAtNs = later(now, ttlMs);
      this.#sql('UPDATE worlds SET epoch = ?, holder = ?, lease_until = ? WHERE id = ?').run(
        epoch,
        worker,
        expiresAtNs,
        world.id,
      );
      // Claims that were made by a commit die with the lease.
      this.#sql(`UPDATE outbox SET token = NULL, claim_epoch = NULL, visible_at = 0
        WHERE world = ? AND claim_epoch IS NOT NULL AND done_key IS NULL`).run(world.id);
      const cursor = world.cursor === 0 ? new Uint8Array(0) : u64be(world.cursor);
      return { answer: 'ok', epoch, expiresAtNs, storeNowNs: now, head: headOf(world), cursor };
    });
  }

  renew(worldId: string, worker: string, epoch: number, ttlMs: number) {
    return this.#transaction((now) => {
      const world = this.#world(worldId);
      if (!isHolder(world, epoch, now) || world.holder !== worker) return fenced(world);
      const expiresAtNs = later(now, ttlMs);
      this.#sql('UPDATE worlds SET lease_until = ? WHERE id = ?').run(expiresAtNs, world.id);
      return { answer: 'ok', expiresAtNs, storeNowNs: now } as const;
    });
  }

  release(worldId: string, worker: string, epoch: number) {
    return this.#transaction(() => {
      const world = this.#world(worldId);
      if (world?.epoch !== epoch || (world.holder !== null && world.holder !== worker)) return fenced(world);
      this.#sql('UPDATE worlds SET holder = NULL, lease_until = NULL WHERE id = ?').run(world.id);
      return { answer: 'ok' } as const;
    });
  }

  // The one write path into a world (§4.1)

  commit(
    worldId: string,
    epoch: number,
    expected: Head,
    batches: readonly Batch[],
    options: CommitOptions,
  ): CommitAnswer {
    checkBatches(batches);
    const objects = options.objects ?? [];
    const refusal = this.#objectRefusal(objects);
    if (refusal !== undefined) throw new TypeError(`an object of the commit is ${refusal.answer}`);
    return this.#transaction(
      (now): CommitAnswer => {
        const world = this.#world(worldId);
        if (!isHolder(world, epoch, now)) return fenced(world);
        const isExpected = world.height === expected.height && bytesEqual(world.chain, expected.chain);
        if (!isExpected || !areDense(batches, expected.height)) return { answer: 'conflict', actual: headOf(world) };
        for (const object of objects) this.#insertObject(object, now);
        const head = this.#append(world, batches, options.claim);
        return { answer: 'ok', ...head };
      },
      (message) => ({ answer: 'unknown', message }),
    );
  }

  #append(world: WorldRow, batches: readonly Batch[], claim: CommitOptions['claim']): Head {
    const insertBatch = this.#sql(
      'INSERT INTO batches (world, n, first_seq, last_seq, chain, body) VALUES (?, ?, ?, ?, ?, ?)',
    );
    let { cursor, height, chain } = world;
    let internalPending = false;
    let added = false;
    batches.forEach((batch, i) => {
      insertBatch.run(world.id, world.batches + i, batch.firstSeq, batch.lastSeq, batch.chain, batch.body);
      height = batch.lastSeq + 1;
      chain = batch.chain;
      internalPending = batch.internalPending;
      if (batch.inboxCursor !== undefined) cursor = Math.max(cursor, this.#consume(world.id, batch, batch.inboxCursor));
      for (const row of batch.emitted) this.#insertOutbox(world.id, world.epoch, row, claim);
      for (const row of batch.timers) this.#insertTimer(world.id, row);
      added ||= batch.emitted.length > 0 || batch.timers.length > 0;
      for (const seq of batch.settled) {
        // An emission has a row in one of the two tables.
        const { changes } = this.#sql('DELETE FROM outbox WHERE world = ? AND emission = ?').run(world.id, seq);
        if (Number(changes) === 0) {
          this.#sql('DELETE FROM timers WHERE world = ? AND emission = ?').run(world.id, seq);
        }
      }
      for (const row of batch.released) {
        this.#sql(`UPDATE outbox SET token = NULL, claim_epoch = NULL, done_key = NULL, visible_at = 0
          WHERE world = ? AND emission = ? AND (done_key = ? OR (done_key IS NULL AND token = ?))`).run(
          world.id,
          row.emissionSeq,
          row.dedupeKey ?? null,
          row.token ?? null,
        );
      }
      if (batch.index !== undefined) this.#index(world.id, batch.index);
    });
    this.#sql(`UPDATE worlds SET height = ?, chain = ?, batches = batches + ?, cursor = ?, internal_pending = ?,
      notify = notify + ? WHERE id = ?`).run(
      height,
      chain,
      batches.length,
      cursor,
      internalPending ? 1 : 0,
      added ? 1 : 0,
      world.id,
    );
    return { height, chain };
  }

  #consume(world: number, batch: Batch, inboxCursor: Uint8Array): number {
    const seq = itemNumber(inboxCursor);
    if (batch.lastSeq >= batch.firstSeq) {
      this.#sql('UPDATE items SET applied_first = ?, applied_last = ? WHERE world = ? AND seq = ?').run(
        batch.firstSeq,
        batch.lastSeq,
        world,
        seq,
      );
    }
    return seq;
  }

  #insertOutbox(world: number, epoch: number, row: EmittedRow, claim: CommitOptions['claim']): void {
    this.#sql(`INSERT INTO outbox (world, emission, intent, kind, request, token, claim_epoch, attempt, visible_at, started)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`).run(
      world,
      row.emissionSeq,
      row.intentHash,
      row.kind,
      row.request,
      claim?.token ?? null,
      claim === undefined ? null : epoch,
      claim === undefined ? 0 : 1,
      claim === undefined ? 0n : LAST_NS,
    );
  }

  #insertTimer(world: number, row: TimerRow): void {
    this.#sql('INSERT INTO timers (world, emission, intent, due, offers) VALUES (?, ?, ?, ?, 0)').run(
      world,
      row.emissionSeq,
      row.intentHash,
      bounded(row.dueWallNs),
    );
  }

  #index(world: number, index: NonNullable<Batch['index']>): void {
    if (index.snapshot !== undefined) {
      this.#sql(`INSERT INTO snapshots (world, height, ref, baseline) VALUES (?, ?, ?, 0)
        ON CONFLICT (world, height) DO UPDATE SET ref = excluded.ref`).run(
        world,
        index.snapshot.height,
        index.snapshot.ref,
      );
    }
    if (index.baseline !== undefined) {
      const { height, ref } = index.baseline;
      this.#sql(`INSERT INTO snapshots (world, height, ref, baseline) VALUES (?, ?, ?, 1)
        ON CONFLICT (world, height) DO UPDATE SET ref = excluded.ref, baseline = 1`).run(world, height, ref);
      this.#sql(`UPDATE worlds SET baseline_height = ?, baseline_ref = ?
        WHERE id = ? AND (baseline_height IS NULL OR baseline_height <= ?)`).run(height, ref, world, height);
    }
    if (index.configHash !== undefined)
      this.#sql('UPDATE worlds SET config_hash = ? WHERE id = ?').run(index.configHash, world);
    if (index.activate === true) this.#sql("UPDATE worlds SET status = 'active' WHERE id = ?").run(world);
  }

  // Inbox

  enqueue(worldId: string, item: Uint8Array, digest: Uint8Array, dedupeKey: string | undefined): EnqueueAnswer {
    return this.#transaction((now): EnqueueAnswer => {
      const world = this.#world(worldId);
      if (world === undefined || world.status === 'deleted') return { answer: 'not_found' };
      if (world.status === 'archived') return { answer: 'world.archived' };
      const known = this.#knownItem(world.id, digest, dedupeKey);
      if (known !== undefined) return known;
      if (world.last_item - world.cursor >= this.#options.inboxMax) return { answer: 'full' };
      return { answer: 'ok', seq: this.#addItem(world, item, digest, dedupeKey, now) };
    });
  }

  #knownItem(world: number, digest: Uint8Array, dedupeKey: string | undefined) {
    if (dedupeKey === undefined) return undefined;
    const row = this.#sql(
      'SELECT seq, digest, applied_first, applied_last FROM items WHERE world = ? AND dedupe_key = ?',
    ).get(world, dedupeKey) as
      | { seq: number; digest: Uint8Array; applied_first: number | null; applied_last: number | null }
      | undefined;
    if (row === undefined) return undefined;
    const seq = u64be(Number(row.seq));
    if (!bytesEqual(row.digest, digest)) return { answer: 'conflict', seq } as const;
    const isApplied = row.applied_first !== null && row.applied_last !== null;
    const applied = isApplied ? { firstSeq: Number(row.applied_first), lastSeq: Number(row.applied_last) } : undefined;
    return { answer: 'duplicate', seq, applied } as const;
  }

  #addItem(
    world: WorldRow,
    item: Uint8Array,
    digest: Uint8Array,
    dedupeKey: string | undefined,
    now: bigint,
  ): Uint8Array {
    const seq = world.last_item + 1;
    this.#sql('INSERT INTO items (world, seq, item, digest, dedupe_key, enqueued_at) VALUES (?, ?, ?, ?, ?, ?)').run(
      world.id,
      seq,
      item,
      digest,
      dedupeKey ?? null,
      now,
    );
    this.#sql('UPDATE worlds SET last_item = ?, notify = notify + 1 WHERE id = ?').run(seq, world.id);
    return u64be(seq);
  }

  trim(worldId: string, olderThanMs: number): number {
    const trimmed = this.#transaction((now) => {
      const world = this.#world(worldId);
      if (world === undefined) return { answer: 'ok', count: 0 } as const;
      const before = now - BigInt(Math.round(olderThanMs)) * 1_000_000n;
      // A key outlives its item: a producer may still repeat itself.
      const kept = this.#sql(`UPDATE items SET item = NULL WHERE world = ? AND seq <= ? AND enqueued_at <= ?
        AND item IS NOT NULL AND dedupe_key IS NOT NULL`).run(world.id, world.cursor, before);
      const gone = this.#sql(
        'DELETE FROM items WHERE world = ? AND seq <= ? AND enqueued_at <= ? AND dedupe_key IS NULL',
      ).run(world.id, world.cursor, before);
      return { answer: 'ok', count: Number(kept.changes) + Number(gone.changes) } as const;
    });
    return trimmed.answer === 'ok' ? trimmed.count : 0;
  }

  // Outbox

  claim(
    worldId: string,
    kinds: readonly string[] | undefined,
    limit: number,
    visibilityMs: number,
  ): readonly OutboxRow[] {
    const claimed = this.#transaction((now) => {
      const world = this.#world(worldId);
      if (world === undefined) return { answer: 'ok', rows: [] as OutboxRow[] } as const;
      const filter = kinds === undefined ? '' : ` AND kind IN (${kinds.map(() => '?').join(', ')})`;
      const open = this.#sql(`SELECT emission, intent, kind, request, attempt, started FROM outbox
        WHERE world = ? AND done_key IS NULL AND visible_at <= ?${filter} ORDER BY emission LIMIT ?`).all(
        world.id,
        now,
        ...(kinds ?? []),
        limit,
      ) as unknown as {
        emission: number;
        intent: Uint8Array;
        kind: string;
        request: Uint8Array;
        attempt: number;
        started: number;
      }[];
      const rows = open.map((row): OutboxRow => {
        const token = new Uint8Array(randomBytes(16));
        const attempt = Number(row.attempt) + 1;
        this.#sql(
          'UPDATE outbox SET token = ?, claim_epoch = NULL, attempt = ?, visible_at = ? WHERE world = ? AND emission = ?',
        ).run(token, attempt, later(now, visibilityMs), world.id, row.emission);
        const { intent: intentHash, kind, request } = row;
        return {
          worldId,
          emissionSeq: Number(row.emission),
          intentHash,
          kind,
          request,
          token,
          attempt,
          started: Number(row.started) === 1,
        };
      });
      return { answer: 'ok', rows } as const;
    });
    return claimed.answer === 'ok' ? claimed.rows : [];
  }

  /** Changes a row that `token` still owns. */
  #onRow(
    worldId: string,
    emissionSeq: number,
    token: Uint8Array,
    change: (world: number, now: bigint) => void,
  ): RowAnswer {
    return this.#transaction((now) => {
      const owned = this.#owned(worldId, emissionSeq, token);
      if (owned === undefined || owned.row.done_key !== null) return { answer: 'lost' } as const;
      change(owned.world.id, now);
      return { answer: 'ok' } as const;
    });
  }

  #owned(worldId: string, emissionSeq: number, token: Uint8Array): { world: WorldRow; row: OutboxState } | undefined {
    const world = this.#world(worldId);
    if (world === undefined) return undefined;
    const row = this.#sql(
      'SELECT token, claim_epoch, attempt, done_key FROM outbox WHERE world = ? AND emission = ?',
    ).get(world.id, emissionSeq) as unknown as OutboxState | undefined;
    return row?.token != null && bytesEqual(row.token, token) ? { world, row } : undefined;
  }

  start(worldId: string, emissionSeq: number, token: Uint8Array): RowAnswer {
    return this.#onRow(worldId, emissionSeq, token, (world) => {
      this.#sql('UPDATE outbox SET started = 1 WHERE world = ? AND emission = ?').run(world, emissionSeq);
    });
  }

  extend(worldId: string, emissionSeq: number, token: Uint8Array, visibilityMs: number): RowAnswer {
    return this.#onRow(worldId, emissionSeq, token, (world, now) => {
      this.#sql('UPDATE outbox SET visible_at = ? WHERE world = ? AND emission = ? AND claim_epoch IS NULL').run(
        later(now, visibilityMs),
        world,
        emissionSeq,
      );
    });
  }

  retry(worldId: string, emissionSeq: number, token: Uint8Array, delayMs: number): RowAnswer {
    return this.#onRow(worldId, emissionSeq, token, (world, now) => {
      this.#sql(
        'UPDATE outbox SET token = NULL, claim_epoch = NULL, visible_at = ? WHERE world = ? AND emission = ?',
      ).run(later(now, delayMs), world, emissionSeq);
    });
  }

  complete(
    worldId: string,
    emissionSeq: number,
    token: Uint8Array,
    item: Uint8Array,
    digest: Uint8Array,
  ): CompleteAnswer {
    return this.#transaction((now): CompleteAnswer => {
      const owned = this.#owned(worldId, emissionSeq, token);
      if (owned === undefined || owned.world.status === 'archived' || owned.world.status === 'deleted')
        return { answer: 'lost' };
      const { world, row } = owned;
      const key = `r:${emissionSeq}:${Number(row.attempt)}`;
      const known = this.#knownItem(world.id, digest, key);
      if (known?.answer === 'conflict') return { answer: 'conflict' };
      this.#sql('UPDATE outbox SET done_key = ? WHERE world = ? AND emission = ?').run(key, world.id, emissionSeq);
      if (known !== undefined) return { answer: 'duplicate' };
      return { answer: 'ok', seq: this.#addItem(world, item, digest, key, now) };
    });
  }

  reconcile(worldId: string, epoch: number, emitted: readonly EmittedRow[], timers: readonly TimerRow[]) {
    return this.#transaction((now) => {
      const world = this.#world(worldId);
      if (!isHolder(world, epoch, now)) return fenced(world);
      this.#dropSurplus('outbox', world.id, new Set(emitted.map((row) => row.emissionSeq)));
      const outbox = this.#emissions('outbox', world.id);
      for (const row of emitted) if (!outbox.has(row.emissionSeq)) this.#insertOutbox(world.id, epoch, row, undefined);
      this.#dropSurplus('timers', world.id, new Set(timers.map((row) => row.emissionSeq)));
      const rows = this.#emissions('timers', world.id);
      for (const row of timers) {
        if (!rows.has(row.emissionSeq)) this.#insertTimer(world.id, row);
        else this.#setDue(world.id, row.emissionSeq, row.dueWallNs);
      }
      return { answer: 'ok' } as const;
    });
  }

  #emissions(table: 'outbox' | 'timers', world: number): ReadonlySet<number> {
    const rows = this.#sql(`SELECT emission FROM ${table} WHERE world = ?`).all(world) as { emission: number }[];
    return new Set(rows.map((row) => Number(row.emission)));
  }

  #dropSurplus(table: 'outbox' | 'timers', world: number, keep: ReadonlySet<number>): void {
    for (const emission of this.#emissions(table, world)) {
      if (!keep.has(emission)) this.#sql(`DELETE FROM ${table} WHERE world = ? AND emission = ?`).run(world, emission);
    }
  }

  // Timers

  fire(worldId: string, emissionSeq: number): { readonly answer: 'ok' | 'not_found' } | Unavailable {
    return this.#transaction((now) => {
      const world = this.#world(worldId);
      const row =
        world === undefined
          ? undefined
          : (this.#sql('SELECT due, offers FROM timers WHERE world = ? AND emission = ?').get(
              world.id,
              emissionSeq,
            ) as unknown as { due: bigint; offers: number } | undefined);
      if (world === undefined || row === undefined || world.status === 'archived' || world.status === 'deleted') {
        return { answer: 'not_found' } as const;
      }
      if (BigInt(row.due) > now) return { answer: 'ok' } as const;
      const offers = Number(row.offers) + 1;
      const item = encode({ kind: 'timer', emission_seq: emissionSeq });
      this.#addItem(world, item, sha256(item), `t:${emissionSeq}:${offers}`, now);
      this.#sql('UPDATE timers SET due = ?, offers = ? WHERE world = ? AND emission = ?').run(
        now + FIRE_AGAIN_NS,
        offers,
        world.id,
        emissionSeq,
      );
      return { answer: 'ok' } as const;
    });
  }

  rearm(worldId: string, epoch: number, emissionSeq: number, dueWallNs: bigint) {
    return this.#transaction((now) => {
      const world = this.#world(worldId);
      if (!isHolder(world, epoch, now)) return fenced(world);
      return { answer: this.#setDue(world.id, emissionSeq, dueWallNs) ? 'ok' : 'not_found' } as const;
    });
  }

  #setDue(world: number, emissionSeq: number, dueWallNs: bigint): boolean {
    const { changes } = this.#sql('UPDATE timers SET due = ? WHERE world = ? AND emission = ?').run(
      bounded(dueWallNs),
      world,
      emissionSeq,
    );
    return Number(changes) === 1;
  }

  // Transactions

  #world(worldId: string): WorldRow | undefined {
    const row = this.#sql('SELECT * FROM worlds WHERE world = ?').get(worldId) as Record<string, unknown> | undefined;
    if (row === undefined) return undefined;
    return {
      id: Number(row['id']),
      status: row['status'] as WorldStatus,
      height: Number(row['height']),
      chain: row['chain'] as Uint8Array,
      batches: Number(row['batches']),
      cursor: Number(row['cursor']),
      epoch: Number(row['epoch']),
      holder: row['holder'] as string | null,
      lease_until: row['lease_until'] === null ? null : BigInt(row['lease_until'] as bigint),
      baseline_height: row['baseline_height'] === null ? null : Number(row['baseline_height']),
      last_item: Number(row['last_item']),
    };
  }

  #sql(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      statement = this.#db.prepare(text);
      statement.setReadBigInts(true);
      this.#statements.set(text, statement);
    }
    return statement;
  }

  /**
   * @param unknown - the answer when nobody knows whether the COMMIT happened. Without it the answer is `unavailable`:
   *   every operation but `commit` may simply be repeated.
   */
  #transaction<T>(body: (nowNs: bigint) => T, unknown?: (message: string) => T): T | Unavailable {
    try {
      this.#db.exec('BEGIN IMMEDIATE');
    } catch (error) {
      return unavailable(error);
    }
    let result: T;
    try {
      result = body(this.#options.nowNs());
    } catch (error) {
      this.#rollback();
      if (isStoreTrouble(error)) return unavailable(error);
      throw error;
    }
    try {
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      // A failed COMMIT that left the transaction open did not happen; otherwise only the file knows.
      if (this.#db.isTransaction) {
        this.#rollback();
        return unavailable(error);
      }
      if (unknown === undefined) return unavailable(error);
      return unknown(error instanceof Error ? error.message : String(error));
    }
  }

  #rollback(): void {
    try {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
    } catch {
      // SQLite rolled back by itself.
    }
  }
}

function unavailable(error: unknown): Unavailable {
  return { answer: 'unavailable', message: error instanceof Error ? error.message : String(error) };
}

/** Trouble of SQLite or of the file system, as against a caller's bug. */
function isStoreTrouble(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  if (code === 'ERR_SQLITE_ERROR') return !/constraint/i.test(String((error as Error).message));
  return typeof code === 'string' && /^E[A-Z]+$/.test(code);
}

function isHolder(world: WorldRow | undefined, epoch: number, now: bigint): world is WorldRow {
  return (
    world !== undefined &&
    world.holder !== null &&
    world.epoch === epoch &&
    world.lease_until !== null &&
    world.lease_until > now
  );
}

function fenced(world: WorldRow | undefined): Fenced {
  return { answer: 'fenced', epoch: world?.epoch ?? 0 };
}

function headOf(world: WorldRow): Head {
  return { height: world.height, chain: world.chain };
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

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}
