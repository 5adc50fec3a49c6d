import { createHash } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { bytesEqual, compareBytes, u64be } from '@worldline/canon';
import type {
  DueTimer,
  GetAnswer,
  Head,
  InboxItem,
  SnapshotRow,
  StoredBatch,
  WorldRow,
  WorldStatus,
} from '@worldline/ports';
import { readObjectFile } from './object-file.ts';
import { itemBytes, itemNumber } from './wire.ts';

/** Everything that only reads, in the calling thread, on a connection that cannot write. */

const PAGE_BYTES = 4 * 1024 * 1024;
const NO_BYTES = new Uint8Array(0);

type Row = Record<string, unknown>;

export class Reader {
  readonly #db: DatabaseSync;
  readonly #dir: string;
  readonly #nowNs: () => bigint;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync, dir: string, nowNs: () => bigint) {
    this.#db = db;
    this.#dir = dir;
    this.#nowNs = nowNs;
  }

  close(): void {
    this.#db.close();
  }

  getObject(hash: Uint8Array): GetAnswer {
    const row = this.#get('SELECT bytes FROM objects WHERE hash = ?', hash);
    if (row === undefined) return { answer: 'not_found' };
    const bytes = (row['bytes'] as Uint8Array | null) ?? readObjectFile(this.#dir, hash);
    if (bytes === undefined || !bytesEqual(sha256(bytes), hash)) return { answer: 'corrupt' };
    return { answer: 'ok', bytes };
  }

  stat(hash: Uint8Array): { readonly size: number; readonly storedAtNs: bigint } | undefined {
    const row = this.#get('SELECT size, stored_at FROM objects WHERE hash = ?', hash);
    return row && { size: Number(row['size']), storedAtNs: row['stored_at'] as bigint };
  }

  world(worldId: string): WorldRow | undefined {
    const row = this.#get('SELECT * FROM worlds WHERE world = ?', worldId);
    return row && worldRow(row);
  }

  worlds(): readonly WorldRow[] {
    return this.#all('SELECT * FROM worlds ORDER BY id').map(worldRow);
  }

  snapshots(worldId: string): readonly SnapshotRow[] {
    return this.#all(
      'SELECT height, ref, baseline FROM snapshots WHERE world = ? ORDER BY height',
      this.#id(worldId),
    ).map((row) => ({
      height: Number(row['height']),
      ref: row['ref'] as Uint8Array,
      baseline: Number(row['baseline']) === 1,
    }));
  }

  head(worldId: string): Head | undefined {
    const row = this.#get('SELECT height, chain FROM worlds WHERE world = ?', worldId);
    return row && { height: Number(row['height']), chain: row['chain'] as Uint8Array };
  }

  readJournal(worldId: string, fromSeq: number, limit: number) {
    const world = this.#get('SELECT id, height FROM worlds WHERE world = ?', worldId);
    if (world === undefined) return { answer: 'ok', batches: [] } as const;
    // Whoever reads from a seq gets the empty batches directly before it too: they are part of the chain.
    const rows = this.#statement(`SELECT first_seq, last_seq, chain, body FROM batches
      WHERE world = ? AND n >= coalesce((SELECT min(n) FROM batches WHERE world = ?1 AND (last_seq >= ?2 OR first_seq = ?2)), 0)
        AND (last_seq >= ?2 OR first_seq = ?2) ORDER BY n`).iterate(world['id'] as bigint, fromSeq) as Iterable<Row>;
    const found: StoredBatch[] = [];
    let expected: number | undefined;
    let entries = 0;
    let bytes = 0;
    for (const row of rows) {
      const batch = {
        firstSeq: Number(row['first_seq']),
        lastSeq: Number(row['last_seq']),
        chain: row['chain'] as Uint8Array,
        body: row['body'] as Uint8Array,
      };
      if (expected === undefined ? batch.firstSeq > fromSeq : batch.firstSeq !== expected) {
        return { answer: 'corrupt', where: `entry ${expected ?? fromSeq}` } as const;
      }
      if (entries >= Math.max(1, limit) || bytes >= PAGE_BYTES)
        return { answer: 'ok', batches: found, next: expected } as const;
      found.push(batch);
      expected = batch.lastSeq + 1;
      entries += expected - batch.firstSeq;
      bytes += batch.body.length;
    }
    const height = Number(world['height']);
    // A commit between the two reads only adds: compare with the head as of the rows.
    if (expected === undefined ? fromSeq < height : expected < height) {
      return { answer: 'corrupt', where: `entry ${expected ?? fromSeq}` } as const;
    }
    return { answer: 'ok', batches: found } as const;
  }

  readInbox(worldId: string, after: Uint8Array, limit: number): readonly InboxItem[] {
    return this.#all(
      'SELECT seq, item, dedupe_key, enqueued_at FROM items WHERE world = ? AND seq > ? AND item IS NOT NULL ORDER BY seq LIMIT ?',
      this.#id(worldId),
      itemNumber(after),
      limit,
    ).map((row) => ({
      seq: u64be(Number(row['seq'])),
      item: row['item'] as Uint8Array,
      dedupeKey: (row['dedupe_key'] as string | null) ?? undefined,
      enqueuedAtNs: row['enqueued_at'] as bigint,
    }));
  }

  applied(worldId: string, seqBytes: Uint8Array) {
    const seq = itemNumber(seqBytes);
    const world = this.#get('SELECT id, cursor FROM worlds WHERE world = ?', worldId);
    if (world === undefined) return { done: false };
    const row = this.#get(
      'SELECT applied_first, applied_last FROM items WHERE world = ? AND seq = ?',
      world['id'] as bigint,
      seq,
    );
    const isApplied = row !== undefined && row['applied_first'] !== null && row['applied_last'] !== null;
    const applied = isApplied
      ? { firstSeq: Number(row['applied_first']), lastSeq: Number(row['applied_last']) }
      : undefined;
    return { done: seq <= Number(world['cursor']), applied };
  }

  outbox(worldId: string) {
    const now = this.#nowNs();
    return this.#all(
      'SELECT emission, kind, attempt, started, token, visible_at, done_key FROM outbox WHERE world = ? ORDER BY emission',
      this.#id(worldId),
    ).map((row) => ({
      emissionSeq: Number(row['emission']),
      kind: row['kind'] as string,
      attempt: Number(row['attempt']),
      started: Number(row['started']) === 1,
      claimed: row['token'] !== null && row['done_key'] === null && (row['visible_at'] as bigint) > now,
      done: row['done_key'] !== null,
    }));
  }

  dueTimers(
    worldId: string,
    limit: number,
  ): { readonly rows: readonly DueTimer[]; readonly nextDueWallNs?: bigint | undefined } {
    const now = this.#nowNs();
    const world = this.#id(worldId);
    const rows = this.#all(
      'SELECT emission, intent, due FROM timers WHERE world = ? AND due <= ? ORDER BY due, intent LIMIT ?',
      world,
      now,
      limit,
    ).map(
      (row): DueTimer => ({
        worldId,
        emissionSeq: Number(row['emission']),
        intentHash: row['intent'] as Uint8Array,
        dueWallNs: row['due'] as bigint,
      }),
    );
    rows.sort((a, b) =>
      a.dueWallNs < b.dueWallNs ? -1 : a.dueWallNs > b.dueWallNs ? 1 : compareBytes(a.intentHash, b.intentHash),
    );
    const next = this.#get('SELECT min(due) AS due FROM timers WHERE world = ? AND due > ?', world, now);
    return { rows, nextDueWallNs: (next?.['due'] as bigint | null) ?? undefined };
  }

  /** Row id of a world; −1, which no row has, when there is no such world. */
  #id(worldId: string): bigint {
    return (this.#get('SELECT id FROM worlds WHERE world = ?', worldId)?.['id'] as bigint | undefined) ?? -1n;
  }

  #statement(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      statement = this.#db.prepare(text);
      statement.setReadBigInts(true);
      this.#statements.set(text, statement);
    }
    return statement;
  }

  #get(text: string, ...values: (string | number | bigint | Uint8Array)[]): Row | undefined {
    return this.#statement(text).get(...values) as Row | undefined;
  }

  #all(text: string, ...values: (string | number | bigint | Uint8Array)[]): Row[] {
    return this.#statement(text).all(...values) as Row[];
  }
}

function worldRow(row: Row): WorldRow {
  const holder = row['holder'] as string | null;
  return {
    worldId: row['world'] as string,
    universeId: row['universe'] as string,
    status: row['status'] as WorldStatus,
    head: { height: Number(row['height']), chain: row['chain'] as Uint8Array },
    activeBaseline: {
      height: Number(row['baseline_height'] ?? 0),
      ref: (row['baseline_ref'] as Uint8Array | null) ?? NO_BYTES,
    },
    inboxCursor: itemBytes(Number(row['cursor'])),
    internalPending: Number(row['internal_pending']) === 1,
    epoch: Number(row['epoch']),
    lease: holder === null ? undefined : { holder, expiresAtNs: row['lease_until'] as bigint },
    configHash: row['config_hash'] as Uint8Array,
    createdAtNs: row['created_at'] as bigint,
    notify: Number(row['notify']),
  };
}

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}
