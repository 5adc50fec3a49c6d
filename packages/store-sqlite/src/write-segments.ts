import { bytesEqual, decodeFrame } from '@worldline/canon';
import type { DropAnswer, Fenced, SegmentAnswer, SegmentRow } from '@worldline/ports';
import { readObjectFile, sha256 } from './object-file.ts';
import { rowId } from './schema.ts';
import { fenced, isHolder, readWorld, type Tx } from './write-tx.ts';

type Answered<T> = Exclude<T, { readonly answer: 'unavailable' }>;

/** `journal.md` §9: re-read and compared with the rows, then indexed. */
export function indexSegment(tx: Tx, worldId: string, epoch: number, segment: SegmentRow): Answered<SegmentAnswer> {
  const world = readWorld(tx, worldId);
  if (!isHolder(tx, world, epoch)) return fenced(world);
  const { w } = world;
  const { firstSeq, lastSeq, ref, framesAt } = segment;
  const known = tx.sql.get(
    'SELECT last_seq, frames_at FROM segments WHERE w = ? AND first_seq = ? AND ref = ?',
    w,
    firstSeq,
    ref,
  );
  if (known !== undefined)
    return { answer: known.last_seq === lastSeq && known.frames_at === framesAt ? 'ok' : 'invalid' };
  const bytes = wholeObject(tx, ref);
  if (bytes === undefined) return { answer: 'not_found' };
  const last = tx.sql.get('SELECT max(first_batch + batches) AS next FROM segments WHERE w = ?', w);
  const firstBatch = Number(last?.next ?? 0);
  const counts: number[] = [];
  let at = framesAt;
  let next = firstSeq;
  const rows = tx.sql.all(
    'SELECT first_seq, last_seq, chain, body FROM batches WHERE id >= ? AND id < ? AND last_seq <= ? ORDER BY id',
    rowId(w, firstBatch),
    rowId(w, world.batches),
    lastSeq,
  );
  for (const row of rows) {
    const frame = decodeFrame(bytes, at);
    const isSame =
      row.first_seq === next &&
      frame !== undefined &&
      bytesEqual(frame.chain, row.chain as Uint8Array) &&
      bytesEqual(frame.body, row.body as Uint8Array);
    if (!isSame) break;
    at = frame.end;
    next = Number(row.last_seq) + 1;
    counts.push(next - firstSeqOf(row));
  }
  if (next !== lastSeq + 1 || counts.length === 0 || lastSeq < firstSeq) return { answer: 'invalid' };
  tx.sql.run(
    'INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    w,
    firstSeq,
    lastSeq,
    firstBatch,
    counts.length,
    ref,
    framesAt,
    encodeCounts(counts),
  );
  return { answer: 'ok' };
}

function firstSeqOf(row: { readonly first_seq?: unknown }): number {
  return Number(row.first_seq);
}

function wholeObject(tx: Tx, ref: Uint8Array): Uint8Array | undefined {
  const row = tx.sql.get('SELECT bytes FROM objects WHERE hash = ?', ref);
  if (row === undefined) return undefined;
  const bytes = row.bytes === null ? readObjectFile(tx.dir, ref) : (row.bytes as Uint8Array);
  return bytes !== undefined && bytesEqual(sha256(bytes), ref) ? bytes : undefined;
}

/** Entries of each batch, u32be: what a frame does not say. */
function encodeCounts(counts: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(counts.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, count] of counts.entries()) view.setUint32(i * 4, count);
  return bytes;
}

export function dropBelow(tx: Tx, worldId: string, epoch: number, height: number): Answered<DropAnswer> {
  const world = readWorld(tx, worldId);
  if (!isHolder(tx, world, epoch)) return fenced(world);
  const { w } = world;
  const row = tx.sql.get(
    `SELECT first_batch, base_height, ifnull((SELECT min(height) FROM snapshots WHERE snapshots.w = worlds.w AND baseline = 1),
       base_height) AS oldest FROM worlds WHERE w = ?`,
    w,
  );
  const oldest = Number(row?.oldest);
  if (height >= oldest) return { answer: 'refused', baseline: oldest };
  const first = Number(row?.first_batch);
  const kept = tx.sql.get(
    'SELECT id & 1099511627775 AS n FROM batches WHERE id >= ? AND id < ? AND (first_seq >= ? OR last_seq >= ?) ORDER BY id LIMIT 1',
    rowId(w, first),
    rowId(w, world.batches),
    height,
    height,
  );
  const end = kept === undefined ? world.batches : Number(kept.n);
  const last = tx.sql.get(
    'SELECT first_batch + batches AS covered, last_seq FROM segments WHERE w = ? ORDER BY first_batch DESC LIMIT 1',
    w,
  );
  if (end > first && end > Number(last?.covered ?? 0)) {
    return {
      answer: 'uncovered',
      coveredTo: last === undefined ? Number(row?.base_height) : Number(last.last_seq) + 1,
    };
  }
  const batches = tx.sql.run('DELETE FROM batches WHERE id >= ? AND id < ?', rowId(w, first), rowId(w, end));
  tx.sql.run('UPDATE worlds SET first_batch = ? WHERE w = ?', end, w);
  return { answer: 'ok', batches };
}

export function snapshotVerified(
  tx: Tx,
  worldId: string,
  height: number,
  ref: Uint8Array,
): { readonly answer: 'ok' | 'not_found' } {
  const changed = tx.sql.run(
    `UPDATE snapshots SET verified_at = ifnull(verified_at, ?)
     WHERE w = (SELECT w FROM worlds WHERE world_id = ?) AND height = ? AND ref = ?`,
    tx.nowNs,
    worldId,
    height,
    ref,
  );
  return { answer: changed === 1 ? 'ok' : 'not_found' };
}

export function dropSnapshot(
  tx: Tx,
  worldId: string,
  epoch: number,
  height: number,
): { readonly answer: 'ok' | 'not_found' | 'active' } | Fenced {
  const world = readWorld(tx, worldId);
  if (!isHolder(tx, world, epoch)) return fenced(world);
  const active = tx.sql.get('SELECT baseline_height FROM worlds WHERE w = ?', world.w)?.baseline_height;
  if (active === height) return { answer: 'active' };
  const changed = tx.sql.run('DELETE FROM snapshots WHERE w = ? AND height = ?', world.w, height);
  return { answer: changed === 1 ? 'ok' : 'not_found' };
}
