import { bytesEqual } from '@worldline/canon';
import type {
  AppliedRange,
  DueTimer,
  GetAnswer,
  Head,
  InboxItem,
  Labels,
  Lineage,
  PlaceRow,
  SegmentRow,
  SnapshotRow,
  StoredCheckpoint,
  WakeRow,
  WorldRow,
  WorldStatus,
} from '@worldline/ports';
import { seqBytes, seqNumber } from './inbox-seq.ts';
import { type JournalAnswer, JournalReader } from './journal-reader.ts';
import { readObjectFile, sha256 } from './object-file.ts';
import { LAST_NS, ordinalOf, rowId } from './schema.ts';
import { blob, count, isDamage, isOutage, type Sql, type SqlRow, StoreDamage, text } from './sql.ts';

/** Everything that only reads, on a connection of the calling thread: each call sees all that was committed before it. */
export class Reader {
  readonly #sql: Sql;
  readonly #dir: string;
  readonly #journal: JournalReader;
  /** Worlds are never removed, so their numbers can be kept. */
  readonly #numbers = new Map<string, number>();

  constructor(sql: Sql, dir: string) {
    this.#sql = sql;
    this.#dir = dir;
    this.#journal = new JournalReader(sql, (hash) => this.object(hash));
  }

  close(): void {
    this.#sql.db.close();
  }

  object(hash: Uint8Array): GetAnswer {
    try {
      const row = this.#sql.get('SELECT bytes FROM objects WHERE hash = ?', hash);
      if (row === undefined) return { answer: 'not_found' };
      const bytes = row.bytes === null ? readObjectFile(this.#dir, hash) : blob(row.bytes);
      return bytes === undefined || !bytesEqual(sha256(bytes), hash) ? { answer: 'corrupt' } : { answer: 'ok', bytes };
    } catch (error) {
      if (isDamage(error)) return { answer: 'corrupt' };
      if (!isOutage(error)) throw error;
      return { answer: 'unavailable', message: error.message };
    }
  }

  hasObject(hash: Uint8Array): boolean {
    return this.#sql.get('SELECT 1 FROM objects WHERE hash = ?', hash) !== undefined;
  }

  objectStat(hash: Uint8Array): { readonly size: number; readonly storedAtNs: bigint } | undefined {
    const row = this.#sql.bigGet('SELECT size, stored_at FROM objects WHERE hash = ?', hash);
    return row && { size: Number(row.size), storedAtNs: row.stored_at as bigint };
  }

  world(worldId: string): WorldRow | undefined {
    const row = this.#sql.bigGet('SELECT * FROM worlds WHERE world_id = ?', worldId);
    return row && worldRow(row);
  }

  worlds(): readonly WorldRow[] {
    return this.#sql.bigAll('SELECT * FROM worlds ORDER BY w').map(worldRow);
  }

  /** `hosting.md` §9: worlds that `worker` may run and that have something to do. */
  wakeable(worker: string, nowNs: bigint): readonly WakeRow[] {
    const rows = this.#sql.all(
      `SELECT world_id, inbox_last > inbox_cursor AS inbox, internal_pending AS internal, status = 'forking' AS forking,
         maintain_at IS NOT NULL AND maintain_at <= ?1 AS maintenance,
         EXISTS (SELECT 1 FROM timers WHERE timers.w = worlds.w AND due <= ?1) AS timers
       FROM worlds
       WHERE status IN ('active', 'forking') AND (desired_worker IS NULL OR desired_worker = ?2)
         AND (holder IS NULL OR holder = ?2 OR expires_at <= ?1)
         AND (inbox OR internal OR forking OR maintenance OR timers)
       ORDER BY w`,
      nowNs,
      worker,
    );
    return rows.map((row) => ({
      worldId: row.world_id as string,
      reasons: {
        inbox: row.inbox === 1,
        internal: row.internal === 1,
        timers: row.timers === 1,
        forking: row.forking === 1,
        maintenance: row.maintenance === 1,
      },
    }));
  }

  places(nowNs: bigint): readonly PlaceRow[] {
    const rows = this.#sql.all(
      `SELECT world_id, desired_worker, labels, iif(expires_at > ?, holder, NULL) AS holder
       FROM worlds WHERE status <> 'deleted' ORDER BY w`,
      nowNs,
    );
    return rows.map((row) => ({
      worldId: row.world_id as string,
      desiredWorker: (row.desired_worker as string | null) ?? undefined,
      holder: (row.holder as string | null) ?? undefined,
      labels: labels(row.labels),
    }));
  }

  snapshots(worldId: string): readonly SnapshotRow[] {
    const w = this.#number(worldId);
    if (w === undefined) return [];
    const rows = this.#sql.bigAll(
      'SELECT height, ref, baseline, verified_at FROM snapshots WHERE w = ? ORDER BY height',
      w,
    );
    return rows.map((row) => ({
      height: count(row.height),
      ref: blob(row.ref),
      baseline: row.baseline === 1n,
      verifiedAtNs: (row.verified_at as bigint | null) ?? undefined,
    }));
  }

  head(worldId: string): Head | undefined {
    const row = this.#sql.get('SELECT height, chain FROM worlds WHERE world_id = ?', worldId);
    return row && { height: count(row.height), chain: blob(row.chain) };
  }

  journal(worldId: string, fromSeq: number, limit: number): JournalAnswer {
    // One view of head and batches, whatever is committed meanwhile.
    this.#sql.run('BEGIN');
    try {
      return this.#journal.read(worldId, fromSeq, Math.max(1, limit));
    } finally {
      this.#sql.run('COMMIT');
    }
  }

  segments(worldId: string): readonly SegmentRow[] {
    const w = this.#number(worldId);
    if (w === undefined) return [];
    const rows = this.#sql.all('SELECT * FROM segments WHERE w = ? ORDER BY first_batch', w);
    return rows.map((row) => ({
      firstSeq: count(row.first_seq),
      lastSeq: count(row.last_seq),
      ref: blob(row.ref),
      framesAt: count(row.frames_at),
    }));
  }

  checkpoints(worldId: string, from: number, limit: number): readonly StoredCheckpoint[] {
    const w = this.#number(worldId);
    if (w === undefined) return [];
    const rows = this.#sql.all(
      'SELECT * FROM checkpoints WHERE w = ? AND n >= ? ORDER BY n LIMIT ?',
      w,
      from,
      Math.max(0, limit),
    );
    return rows.map(checkpointOf);
  }

  lastCheckpoint(worldId: string): StoredCheckpoint | undefined {
    const w = this.#number(worldId);
    if (w === undefined) return undefined;
    const row = this.#sql.get('SELECT * FROM checkpoints WHERE w = ? ORDER BY n DESC LIMIT 1', w);
    return row && checkpointOf(row);
  }

  inbox(worldId: string, after: Uint8Array, limit: number): readonly InboxItem[] {
    const from = seqNumber(after);
    const w = this.#number(worldId);
    if (w === undefined) return [];
    const rows = this.#sql.bigAll(
      `SELECT id, item, digest, dedupe_key, enqueued_at FROM inbox WHERE id > ? AND id < ? AND item IS NOT NULL
       ORDER BY id LIMIT ?`,
      rowId(w, from),
      rowId(w + 1, 0),
      Math.max(0, limit),
    );
    return rows.map((row) => ({
      seq: seqBytes(ordinalOf(row.id as bigint)),
      item: blob(row.item),
      digest: blob(row.digest),
      dedupeKey: (row.dedupe_key as string | null) ?? undefined,
      enqueuedAtNs: row.enqueued_at as bigint,
    }));
  }

  applied(
    worldId: string,
    seqGiven: Uint8Array,
  ): { readonly done: boolean; readonly applied?: AppliedRange | undefined } {
    const seq = seqNumber(seqGiven);
    const world = this.#sql.get('SELECT w, inbox_cursor FROM worlds WHERE world_id = ?', worldId);
    if (world === undefined) return { done: false, applied: undefined };
    const row = this.#sql.get(
      'SELECT applied_first, applied_last FROM inbox WHERE id = ?',
      rowId(Number(world.w), seq),
    );
    const hasRange = typeof row?.applied_first === 'number';
    return {
      done: seq <= Number(world.inbox_cursor),
      applied: hasRange ? { firstSeq: Number(row.applied_first), lastSeq: Number(row.applied_last) } : undefined,
    };
  }

  outbox(worldId: string, nowNs: bigint) {
    const w = this.#number(worldId);
    if (w === undefined) return [];
    const rows = this.#sql.all(
      `SELECT emission_seq, kind, attempt, started, done_key IS NOT NULL AS done,
         token IS NOT NULL AND done_key IS NULL AND visible_at > ? AS claimed
       FROM outbox WHERE w = ? ORDER BY emission_seq`,
      nowNs,
      w,
    );
    return rows.map((row) => ({
      emissionSeq: count(row.emission_seq),
      kind: text(row.kind),
      attempt: count(row.attempt),
      started: row.started === 1,
      claimed: row.claimed === 1,
      done: row.done === 1,
    }));
  }

  dueTimers(
    worldId: string | undefined,
    limit: number,
    nowNs: bigint,
  ): { readonly rows: readonly DueTimer[]; readonly nextDueWallNs: bigint | undefined } {
    const w = worldId === undefined ? undefined : this.#number(worldId);
    if (worldId !== undefined && w === undefined) return { rows: [], nextDueWallNs: undefined };
    // From the worlds to their timers, so that each is one look into the index.
    const of = w === undefined ? "status NOT IN ('archived', 'deleted')" : 'worlds.w = ?';
    const which = w === undefined ? [] : [w];
    const rows = this.#sql.bigAll(
      `SELECT world_id, emission_seq, intent_hash, due FROM worlds CROSS JOIN timers ON timers.w = worlds.w
       WHERE ${of} AND due <= ? ORDER BY due, world_id, intent_hash LIMIT ?`,
      ...which,
      nowNs,
      Math.max(0, limit),
    );
    const next = this.#sql.bigGet(
      `SELECT min((SELECT min(due) FROM timers WHERE timers.w = worlds.w AND due > ?)) AS due FROM worlds WHERE ${of}`,
      nowNs,
      ...which,
    );
    return {
      rows: rows.map((row) => ({
        worldId: row.world_id as string,
        emissionSeq: count(row.emission_seq),
        intentHash: blob(row.intent_hash),
        dueWallNs: row.due as bigint,
      })),
      nextDueWallNs: (next?.due as bigint | null | undefined) ?? undefined,
    };
  }

  #number(worldId: string): number | undefined {
    const known = this.#numbers.get(worldId);
    if (known !== undefined) return known;
    const row = this.#sql.get('SELECT w FROM worlds WHERE world_id = ?', worldId);
    if (row === undefined) return undefined;
    const w = count(row.w);
    this.#numbers.set(worldId, w);
    return w;
  }
}

function checkpointOf(row: SqlRow): StoredCheckpoint {
  return {
    chainBefore: blob(row.chain_before),
    chain: blob(row.chain),
    nextSeq: count(row.next_seq),
    bytes: blob(row.bytes),
  };
}

function worldRow(row: SqlRow): WorldRow {
  const holder = row.holder as string | null;
  return {
    worldId: text(row.world_id),
    universeId: text(row.universe_id),
    status: text(row.status) as WorldStatus,
    head: { height: count(row.height), chain: blob(row.chain) },
    base: { height: count(row.base_height), chain: blob(row.base_chain) },
    activeBaseline: {
      height: count(row.baseline_height ?? 0n),
      ref: row.baseline_ref === null ? new Uint8Array(0) : blob(row.baseline_ref),
    },
    inboxCursor: seqBytes(count(row.inbox_cursor)),
    internalPending: row.internal_pending === 1n,
    epoch: count(row.epoch),
    lease: holder === null ? undefined : { holder, expiresAtNs: (row.expires_at as bigint | null) ?? LAST_NS },
    desiredWorker: (row.desired_worker as string | null) ?? undefined,
    labels: labels(row.labels),
    configHash: blob(row.config_hash),
    keys: (row.keys as Uint8Array | null) ?? undefined,
    lineage: lineage(row),
    createdAtNs: row.created_at as bigint,
    maintainAtNs: (row.maintain_at as bigint | null) ?? undefined,
    notify: count(row.notify),
  };
}

function labels(value: SqlRow[string] | undefined): Labels {
  try {
    return JSON.parse(text(value)) as Labels;
  } catch {
    throw new StoreDamage('the labels of a world cannot be read');
  }
}

function lineage(row: SqlRow): Lineage | undefined {
  if (row.parent_world === null) return undefined;
  return {
    parentWorld: row.parent_world as string,
    forkedAtHeight: Number(row.base_height),
    snapshotRef: row.parent_ref as Uint8Array,
    policy: {
      effects: row.fork_effects as Lineage['policy']['effects'],
      timers: row.fork_timers as Lineage['policy']['timers'],
    },
  };
}
