import type { AcquireAnswer, Fenced } from '@worldline/ports';
import { seqBytes } from './inbox-seq.ts';
import { laterNs } from './instant.ts';
import { fenced, isHolder, readWorld, type Tx } from './write-tx.ts';

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
  const desiredWorker = tx.sql.get('SELECT desired_worker FROM worlds WHERE w = ?', world.w)?.desired_worker;
  if (typeof desiredWorker === 'string' && desiredWorker !== worker) return { answer: 'not_placed', desiredWorker };
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
