import { bytesEqual } from '@worldline/canon';
import type { AppliedRange, EnqueueAnswer } from '@worldline/ports';
import { seqBytes } from './inbox-seq.ts';
import { ordinalOf, rowId } from './schema.ts';
import { readWorld, type Tx, type WriteWorld } from './write-tx.ts';

interface Known {
  readonly answer: 'duplicate' | 'conflict';
  readonly seq: Uint8Array;
  readonly applied: AppliedRange | undefined;
}

function findKey(tx: Tx, w: number, dedupeKey: string, digest: Uint8Array): Known | undefined {
  const row = tx.sql.bigGet(
    'SELECT id, digest, applied_first, applied_last FROM inbox WHERE w = ? AND dedupe_key = ?',
    w,
    dedupeKey,
  );
  if (row === undefined) return undefined;
  return {
    answer: bytesEqual(row.digest as Uint8Array, digest) ? 'duplicate' : 'conflict',
    seq: seqBytes(ordinalOf(row.id as bigint)),
    applied:
      row.applied_first === null
        ? undefined
        : { firstSeq: Number(row.applied_first), lastSeq: Number(row.applied_last) },
  };
}

export interface NewItem {
  readonly item: Uint8Array;
  /** 32 bytes (`kernel.md` §3 rule 2). */
  readonly digest: Uint8Array;
  readonly dedupeKey: string | undefined;
}

/**
 * The item of a known key, or a new one. Its seq comes from the world's counter inside the transaction that inserts it,
 * so that an item never becomes visible at or below one that was visible before (`hosting.md` §4.2).
 */
export function addItem(
  tx: Tx,
  world: WriteWorld,
  { item, digest, dedupeKey }: NewItem,
): Known | { readonly answer: 'ok'; readonly seq: Uint8Array } {
  const known = dedupeKey === undefined ? undefined : findKey(tx, world.w, dedupeKey, digest);
  if (known !== undefined) return known;
  const row = tx.sql.get(
    'UPDATE worlds SET inbox_last = inbox_last + 1, notify = notify + 1 WHERE w = ? RETURNING inbox_last',
    world.w,
  );
  const seq = Number(row?.inbox_last);
  tx.failpoints?.reach('store.item', '');
  tx.sql.run(
    'INSERT INTO inbox VALUES (?, ?, ?, ?, ?, ?, NULL, NULL)',
    rowId(world.w, seq),
    world.w,
    item,
    digest,
    dedupeKey ?? null,
    tx.nowNs,
  );
  return { answer: 'ok', seq: seqBytes(seq) };
}

export function enqueue(
  tx: Tx,
  worldId: string,
  item: Uint8Array,
  digest: Uint8Array,
  dedupeKey: string | undefined,
): EnqueueAnswer {
  const world = readWorld(tx, worldId);
  if (world === undefined || world.status === 'deleted') return { answer: 'not_found' };
  if (world.status === 'archived') return { answer: 'world.archived' };
  if (world.lastItem - world.cursor >= tx.limits.inboxMax) {
    const known = dedupeKey === undefined ? undefined : findKey(tx, world.w, dedupeKey, digest);
    if (known === undefined) return { answer: 'full' };
  }
  const added = addItem(tx, world, { item, digest, dedupeKey });
  return added.answer === 'conflict' ? { answer: 'conflict', seq: added.seq } : added;
}

/** @returns how many items went. A dedupe key outlives its item: a producer may still repeat itself. */
export function trimInbox(tx: Tx, worldId: string, olderThanMs: number): number {
  const world = readWorld(tx, worldId);
  if (world === undefined) return 0;
  const range = [
    rowId(world.w, 0),
    rowId(world.w, world.cursor),
    tx.nowNs - BigInt(Math.round(olderThanMs)) * 1_000_000n,
  ] as const;
  const kept = tx.sql.run(
    'UPDATE inbox SET item = NULL WHERE id BETWEEN ? AND ? AND enqueued_at <= ? AND dedupe_key IS NOT NULL AND item IS NOT NULL',
    ...range,
  );
  return (
    kept +
    tx.sql.run('DELETE FROM inbox WHERE id BETWEEN ? AND ? AND enqueued_at <= ? AND dedupe_key IS NULL', ...range)
  );
}
