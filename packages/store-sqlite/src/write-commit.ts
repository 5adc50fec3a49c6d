import { bytesEqual } from '@worldline/canon';
import type { Batch, CommitAnswer, CommitOptions, EmittedRow, Head, ReleasedRow, TimerRow } from '@worldline/ports';
import { type CommitMessage, unpackCommit } from './commit-message.ts';
import { seqNumber } from './inbox-seq.ts';
import { clampNs } from './instant.ts';
import { LAST_NS, rowId } from './schema.ts';
import { putObjects } from './write-objects.ts';
import { fenced, isHolder, readWorld, type Tx, type WriteWorld } from './write-tx.ts';

export type Claim = NonNullable<CommitOptions['claim']>;

/** `hosting.md` §4.1, steps 1 to 8. */
export function commit(tx: Tx, message: CommitMessage): CommitAnswer {
  const { worldId, epoch, expected, batches, options } = unpackCommit(message);
  const world = readWorld(tx, worldId);
  if (!isHolder(tx, world, epoch)) return fenced(world);
  const isExpected = world.height === expected.height && bytesEqual(world.chain, expected.chain);
  if (!isExpected || !areDense(batches, expected.height)) {
    return { answer: 'conflict', actual: { height: world.height, chain: world.chain } };
  }
  if (options.objects !== undefined) {
    const stored = putObjects(tx, options.objects);
    if (stored.answer !== 'ok') throw new TypeError(`an object of the commit is ${stored.answer}`);
  }
  tx.failpoints?.reach('store.objects_written', 'commit');
  const head = appendBatches(tx, world, batches, options.claim);
  return { answer: 'ok', ...head };
}

/** Whether each batch begins where the one before it ended. */
export function areDense(batches: readonly Batch[], height: number): boolean {
  let next = height;
  for (const batch of batches) {
    if (batch.firstSeq !== next) return false;
    next = batch.lastSeq + 1;
  }
  return true;
}

/** Steps 3 to 8, after everything was checked. */
export function appendBatches(tx: Tx, world: WriteWorld, batches: readonly Batch[], claim: Claim | undefined): Head {
  const { sql } = tx;
  const { w } = world;
  let ordinal = world.batches;
  let cursor = world.cursor;
  let added = 0;
  for (const batch of batches) {
    const { firstSeq, lastSeq } = batch;
    sql.run(
      'INSERT INTO batches VALUES (?, ?, ?, ?, ?)',
      rowId(w, ordinal++),
      firstSeq,
      lastSeq,
      batch.chain,
      batch.body,
    );
    tx.failpoints?.reach('store.batch_written', '');
    if (batch.inboxCursor !== undefined) {
      const seq = seqNumber(batch.inboxCursor);
      if (lastSeq >= firstSeq) {
        sql.run('UPDATE inbox SET applied_first = ?, applied_last = ? WHERE id = ?', firstSeq, lastSeq, rowId(w, seq));
      }
      if (seq > cursor) cursor = seq;
    }
    for (const row of batch.emitted) insertOutbox(tx, w, row, claim, world.epoch);
    for (const row of batch.timers) insertTimer(tx, w, row);
    added += batch.emitted.length + batch.timers.length;
    for (const seq of batch.settled) {
      sql.run('DELETE FROM outbox WHERE w = ? AND emission_seq = ?', w, seq);
      sql.run('DELETE FROM timers WHERE w = ? AND emission_seq = ?', w, seq);
    }
    for (const row of batch.released) release(tx, w, row);
    if (batch.index !== undefined) applyIndex(tx, w, ordinal, batch.index);
  }
  const last = batches.at(-1);
  if (last === undefined) return { height: world.height, chain: world.chain };
  const height = last.lastSeq + 1;
  sql.run(
    `UPDATE worlds SET height = ?, chain = ?, batches = ?, inbox_cursor = ?, internal_pending = ?, notify = notify + ?
     WHERE w = ?`,
    height,
    last.chain,
    ordinal,
    cursor,
    last.internalPending ? 1 : 0,
    added > 0 ? 1 : 0,
    w,
  );
  return { height, chain: last.chain };
}

export function insertOutbox(tx: Tx, w: number, row: EmittedRow, claim: Claim | undefined, epoch: number): void {
  tx.sql.run(
    'INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, NULL)',
    w,
    row.emissionSeq,
    row.intentHash,
    row.kind,
    row.request,
    claim?.executor ?? null,
    claim?.token ?? null,
    claim === undefined ? null : epoch,
    claim === undefined ? 0 : 1,
    claim === undefined ? 0n : LAST_NS,
  );
}

export function insertTimer(tx: Tx, w: number, row: TimerRow): void {
  tx.sql.run('INSERT INTO timers VALUES (?, ?, ?, ?, 0)', w, row.emissionSeq, row.intentHash, clampNs(row.dueWallNs));
}

/** Claimable again: marked done under that key, or claimed under that token. */
function release(tx: Tx, w: number, { emissionSeq, dedupeKey, token }: ReleasedRow): void {
  tx.sql.run(
    `UPDATE outbox SET executor = NULL, token = NULL, claim_epoch = NULL, visible_at = 0, done_key = NULL
     WHERE w = ? AND emission_seq = ? AND (done_key = ? OR (done_key IS NULL AND token = ?))`,
    w,
    emissionSeq,
    dedupeKey ?? null,
    token ?? null,
  );
}

function applyIndex(tx: Tx, w: number, batches: number, index: NonNullable<Batch['index']>): void {
  const { sql } = tx;
  const { snapshot, baseline } = index;
  if (snapshot !== undefined) indexSnapshot(tx, w, batches, { ...snapshot, baseline: 0 });
  if (baseline !== undefined) {
    const { height, ref } = baseline;
    indexSnapshot(tx, w, batches, { height, ref, baseline: 1 });
    sql.run(
      `UPDATE worlds SET baseline_height = ?, baseline_ref = ?
       WHERE w = ? AND (baseline_height IS NULL OR baseline_height <= ?)`,
      height,
      ref,
      w,
      height,
    );
  }
  if (index.configHash !== undefined) sql.run('UPDATE worlds SET config_hash = ? WHERE w = ?', index.configHash, w);
  if (index.activate === true) sql.run("UPDATE worlds SET status = 'active' WHERE w = ?", w);
}

interface Indexed {
  readonly height: number;
  readonly ref: Uint8Array;
  readonly baseline: 0 | 1;
}

/** What is known of a height stays while it names the same snapshot. A baseline stays one. */
function indexSnapshot(tx: Tx, w: number, batches: number, { height, ref, baseline }: Indexed): void {
  tx.sql.run(
    `INSERT INTO snapshots (w, height, ref, baseline, chain) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET ref = excluded.ref, baseline = max(baseline, excluded.baseline),
       chain = ifnull(chain, excluded.chain), verified_at = iif(ref = excluded.ref, verified_at, NULL)`,
    w,
    height,
    ref,
    baseline,
    chainAt(tx, w, batches, height) ?? null,
  );
}

/**
 * Chain value after the batch with entries that ended at `height`; empty batches after it do not count. Seqs rise with
 * ordinals, so halving finds it.
 */
function chainAt(tx: Tx, w: number, batches: number, height: number): Uint8Array | undefined {
  const base = tx.sql.get('SELECT base_height, base_chain, first_batch FROM worlds WHERE w = ?', w);
  if (height === base?.base_height) return base.base_chain as Uint8Array;
  let low = Number(base?.first_batch);
  let high = batches;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const row = tx.sql.get('SELECT last_seq FROM batches WHERE id = ?', rowId(w, middle));
    if (row === undefined) return undefined;
    if (Number(row.last_seq) + 1 >= height) high = middle;
    else low = middle + 1;
  }
  const row = tx.sql.get('SELECT first_seq, last_seq, chain FROM batches WHERE id = ?', rowId(w, low));
  return row !== undefined && Number(row.last_seq) + 1 === height && Number(row.first_seq) < height
    ? (row.chain as Uint8Array)
    : undefined;
}
