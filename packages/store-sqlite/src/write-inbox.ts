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
  /** A receipt, timer or message of another world. */
  readonly isDelivery: boolean;
  /** Of the outbox or timer row that it was made from here. */
  readonly emissionSeq?: number | undefined;
}

/**
 * The item of a known key, or a new one. Its seq comes from the world's counter inside the transaction that inserts it,
 * so that an item never becomes visible at or below one that was visible before (`hosting.md` §4.2).
 */
export function addItem(
  tx: Tx,
  world: WriteWorld,
  { item, digest, dedupeKey, isDelivery, emissionSeq }: NewItem,
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
    'INSERT INTO inbox VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, ?, ?)',
    rowId(world.w, seq),
    world.w,
    item,
    digest,
    dedupeKey ?? null,
    tx.nowNs,
    isDelivery ? 1 : 0,
    emissionSeq ?? null,
  );
  return { answer: 'ok', seq: seqBytes(seq) };
}

export function enqueue(
  tx: Tx,
  worldId: string,
  item: Uint8Array,
  digest: Uint8Array,
  dedupeKey: string | undefined,
  isDelivery: boolean,
): EnqueueAnswer {
  const world = readWorld(tx, worldId);
  if (world === undefined || world.status === 'deleted') return { answer: 'not_found' };
  if (world.status === 'archived') return { answer: 'world.archived' };
  if (!isDelivery && world.lastItem - world.cursor >= tx.limits.inboxMax) {
    const known = dedupeKey === undefined ? undefined : findKey(tx, world.w, dedupeKey, digest);
    if (known === undefined) return { answer: 'full' };
  }
  const added = addItem(tx, world, { item, digest, dedupeKey, isDelivery });
  return added.answer === 'conflict' ? { answer: 'conflict', seq: added.seq } : added;
}

/**
 * Consumed items go after the grace period. A dedupe key outlives its item: a client's until nobody repeats itself any
 * more, that of a delivery until its row is gone or, where it came from outside, for good.
 */
export function trimInbox(
  tx: Tx,
  worldId: string,
  graceMs: number,
  dedupeTtlMs: number,
): { readonly answer: 'ok'; readonly items: number; readonly keys: number } {
  const world = readWorld(tx, worldId);
  if (world === undefined) return { answer: 'ok', items: 0, keys: 0 };
  const { w } = world;
  const consumed = [rowId(w, 0), rowId(w, world.cursor)] as const;
  const ms = (value: number) => tx.nowNs - BigInt(Math.round(value)) * 1_000_000n;
  const items = tx.sql.run(
    'UPDATE inbox SET item = NULL WHERE id BETWEEN ? AND ? AND enqueued_at <= ? AND item IS NOT NULL',
    ...consumed,
    ms(graceMs),
  );
  tx.sql.run('DELETE FROM inbox WHERE id BETWEEN ? AND ? AND item IS NULL AND dedupe_key IS NULL', ...consumed);
  const keys = tx.sql.run(
    `DELETE FROM inbox WHERE id BETWEEN ? AND ? AND enqueued_at <= ? AND item IS NULL AND (delivery = 0 OR (
       emission_seq IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.w = inbox.w AND outbox.emission_seq = inbox.emission_seq)
       AND NOT EXISTS (SELECT 1 FROM timers WHERE timers.w = inbox.w AND timers.emission_seq = inbox.emission_seq)))`,
    ...consumed,
    ms(Math.max(graceMs, dedupeTtlMs)),
  );
  return { answer: 'ok', items, keys };
}
