import type { AcquireAnswer, Batch, Fenced, WorldSpec, WorldStatus } from '@worldline/ports';
import { seqBytes } from './inbox-seq.ts';
import { laterNs } from './instant.ts';
import { appendBatches, areDense } from './write-commit.ts';
import { fenced, isHolder, readWorld, type Tx } from './write-tx.ts';

export function createWorld(tx: Tx, spec: WorldSpec, batches: readonly Batch[]): { readonly answer: 'ok' | 'exists' } {
  if (!areDense(batches, 0)) throw new TypeError('the batches of a new world are dense from 0');
  // The creator wrote the genesis batch under epoch 1; the first lease gets 2 (L1).
  const added = tx.sql.run(
    `INSERT INTO worlds (world_id, universe_id, status, height, chain, batches, inbox_cursor, inbox_last, internal_pending,
       epoch, config_hash, keys, created_at, notify)
     VALUES (?, ?, 'active', 0, zeroblob(32), 0, 0, 0, 0, 1, ?, ?, ?, 0) ON CONFLICT DO NOTHING`,
    spec.worldId,
    spec.universeId,
    spec.configHash,
    spec.keys ?? null,
    tx.nowNs,
  );
  if (added === 0) return { answer: 'exists' };
  const world = readWorld(tx, spec.worldId);
  if (world === undefined) throw new Error('a row that was just inserted is gone');
  appendBatches(tx, world, batches, undefined);
  return { answer: 'ok' };
}

export function setStatus(
  tx: Tx,
  worldId: string,
  from: WorldStatus,
  to: WorldStatus,
): { readonly answer: 'ok' | 'conflict' } {
  const changed = tx.sql.run('UPDATE worlds SET status = ? WHERE world_id = ? AND status = ?', to, worldId, from);
  return { answer: changed === 1 ? 'ok' : 'conflict' };
}

export function acquireLease(
  tx: Tx,
  worldId: string,
  worker: string,
  ttlMs: number,
  dead: string | undefined,
): AcquireAnswer {
  const world = readWorld(tx, worldId);
  if (world === undefined) return { answer: 'not_found' };
  if (world.status !== 'active' && world.status !== 'forking') return { answer: 'status', status: world.status };
  const { holder } = world;
  if (holder !== undefined && world.expiresAtNs > tx.nowNs && holder !== worker && holder !== dead) {
    return { answer: 'held', holder, expiresAtNs: world.expiresAtNs, storeNowNs: tx.nowNs };
  }
  const epoch = world.epoch + 1;
  const expiresAtNs = laterNs(tx.nowNs, ttlMs);
  tx.sql.run(
    'UPDATE worlds SET epoch = ?, holder = ?, expires_at = ? WHERE w = ?',
    epoch,
    worker,
    expiresAtNs,
    world.w,
  );
  // Claims made by commits die with the lease that made them; rows already done keep the key they were done under.
  tx.sql.run(
    `UPDATE outbox SET executor = NULL, token = NULL, claim_epoch = NULL, visible_at = 0
     WHERE w = ? AND claim_epoch IS NOT NULL AND done_key IS NULL`,
    world.w,
  );
  return {
    answer: 'ok',
    epoch,
    expiresAtNs,
    storeNowNs: tx.nowNs,
    head: { height: world.height, chain: world.chain },
    cursor: seqBytes(world.cursor),
  };
}

export function renewLease(
  tx: Tx,
  worldId: string,
  worker: string,
  epoch: number,
  ttlMs: number,
): { readonly answer: 'ok'; readonly expiresAtNs: bigint; readonly storeNowNs: bigint } | Fenced {
  const world = readWorld(tx, worldId);
  if (!isHolder(tx, world, epoch) || world.holder !== worker) return fenced(world);
  const expiresAtNs = laterNs(tx.nowNs, ttlMs);
  tx.sql.run('UPDATE worlds SET expires_at = ? WHERE w = ?', expiresAtNs, world.w);
  return { answer: 'ok', expiresAtNs, storeNowNs: tx.nowNs };
}

export function releaseLease(
  tx: Tx,
  worldId: string,
  worker: string,
  epoch: number,
): { readonly answer: 'ok' } | Fenced {
  const world = readWorld(tx, worldId);
  if (world?.epoch !== epoch || (world.holder !== undefined && world.holder !== worker)) return fenced(world);
  tx.sql.run('UPDATE worlds SET holder = NULL, expires_at = NULL WHERE w = ?', world.w);
  return { answer: 'ok' };
}
