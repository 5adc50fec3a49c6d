import { encode, hashOf } from '@worldline/canon';
import type { Fenced } from '@worldline/ports';
import { clampNs } from './instant.ts';
import { addItem } from './write-inbox.ts';
import { fenced, isHolder, readWorld, type Tx } from './write-tx.ts';

/** A fired timer that nobody applied is offered again after this time. */
const FIRE_AGAIN_NS = 60_000_000_000n;

/** Puts the next offer of a due timer into the inbox. A row that is not due, because it was just fired, stays as it is. */
export function fire(tx: Tx, worldId: string, emissionSeq: number): { readonly answer: 'ok' | 'not_found' } {
  const world = readWorld(tx, worldId);
  if (world === undefined || world.status === 'archived' || world.status === 'deleted') return { answer: 'not_found' };
  const row = tx.sql.bigGet('SELECT due, offers FROM timers WHERE w = ? AND emission_seq = ?', world.w, emissionSeq);
  if (row === undefined) return { answer: 'not_found' };
  if ((row.due as bigint) > tx.nowNs) return { answer: 'ok' };
  const offer = Number(row.offers) + 1;
  const dedupeKey = `t:${emissionSeq}:${offer}`;
  const said = { kind: 'timer', emission_seq: emissionSeq };
  const item = encode({ ...said, dedupe_key: dedupeKey, enqueued_at_ns: tx.nowNs });
  addItem(tx, world, { item, digest: hashOf(said), dedupeKey, isDelivery: true, emissionSeq });
  tx.sql.run(
    'UPDATE timers SET due = ?, offers = ? WHERE w = ? AND emission_seq = ?',
    clampNs(tx.nowNs + FIRE_AGAIN_NS),
    offer,
    world.w,
    emissionSeq,
  );
  return { answer: 'ok' };
}

export function rearm(
  tx: Tx,
  worldId: string,
  epoch: number,
  emissionSeq: number,
  dueWallNs: bigint,
): { readonly answer: 'ok' | 'not_found' } | Fenced {
  const world = readWorld(tx, worldId);
  if (!isHolder(tx, world, epoch)) return fenced(world);
  const changed = tx.sql.run(
    'UPDATE timers SET due = ? WHERE w = ? AND emission_seq = ?',
    clampNs(dueWallNs),
    world.w,
    emissionSeq,
  );
  return { answer: changed === 1 ? 'ok' : 'not_found' };
}
