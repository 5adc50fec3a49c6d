import { hashOf } from '@worldline/canon';
import type { Batch, CreateAnswer, Fenced, ForkAnswer, ForkSpec, WorldSpec, WorldStatus } from '@worldline/ports';
import { clampNs } from './instant.ts';
import { appendBatches, areDense } from './write-commit.ts';
import { fenced, isHolder, readWorld, type Tx } from './write-tx.ts';

type Answered<T> = Exclude<T, { readonly answer: 'unavailable' }>;

export function createWorld(tx: Tx, spec: WorldSpec, batches: readonly Batch[]): Answered<CreateAnswer> {
  if (spec.worldId === '' || spec.configHash.length !== 32) return { answer: 'invalid', reason: 'spec' };
  if (!areDense(batches, 0)) return { answer: 'invalid', reason: 'batches' };
  if (readWorld(tx, spec.worldId) !== undefined) return { answer: 'exists' };
  for (const { index } of batches) {
    for (const place of [index?.snapshot, index?.baseline])
      if (place !== undefined && !hasObject(tx, place.ref)) return { answer: 'invalid', reason: 'snapshot' };
  }
  // The creator wrote the genesis batch under epoch 1; the first lease gets 2 (L1).
  insertWorld(tx, spec, { status: 'active', epoch: 1, height: 0, chain: new Uint8Array(32) });
  const world = readWorld(tx, spec.worldId);
  if (world === undefined) throw new Error('a row that was just inserted is gone');
  appendBatches(tx, world, batches, undefined);
  return { answer: 'ok' };
}

/** `journal.md` §10, step 2. */
export function forkWorld(tx: Tx, source: string, height: number, spec: ForkSpec): Answered<ForkAnswer> {
  const { sql } = tx;
  const parent = sql.get('SELECT w, universe_id, status, config_hash FROM worlds WHERE world_id = ?', source);
  if (parent === undefined || parent.status === 'deleted') return { answer: 'not_found' };
  const known = sql.get('SELECT parent_world, base_height, base_chain FROM worlds WHERE world_id = ?', spec.worldId);
  if (known !== undefined) {
    if (known.parent_world !== source || known.base_height !== height) return { answer: 'exists' };
    return { answer: 'ok', worldId: spec.worldId, head: { height, chain: known.base_chain as Uint8Array } };
  }
  const snapshot = sql.get('SELECT ref, chain FROM snapshots WHERE w = ? AND height = ?', parent.w ?? null, height);
  if (!(snapshot?.ref instanceof Uint8Array) || !(snapshot.chain instanceof Uint8Array) || !hasObject(tx, snapshot.ref))
    return { answer: 'snapshot_missing' };
  const { ref } = snapshot;
  const chain = hashOf(['fork', snapshot.chain, spec.worldId]);
  // Nobody has written to it: its first lease gets epoch 1.
  insertWorld(
    tx,
    { ...spec, universeId: parent.universe_id as string, configHash: parent.config_hash as Uint8Array },
    { status: 'forking', epoch: 0, height, chain },
  );
  sql.run(
    `UPDATE worlds SET parent_world = ?, parent_ref = ?, fork_effects = ?, fork_timers = ?, baseline_height = ?,
       baseline_ref = ? WHERE world_id = ?`,
    source,
    ref,
    spec.policy.effects,
    spec.policy.timers,
    height,
    ref,
    spec.worldId,
  );
  const world = readWorld(tx, spec.worldId);
  if (world === undefined) throw new Error('a row that was just inserted is gone');
  sql.run(
    'INSERT INTO snapshots (w, height, ref, baseline, chain) VALUES (?, ?, ?, 1, ?)',
    world.w,
    height,
    ref,
    chain,
  );
  return { answer: 'ok', worldId: spec.worldId, head: { height, chain } };
}

interface Start {
  readonly status: WorldStatus;
  readonly epoch: number;
  readonly height: number;
  readonly chain: Uint8Array;
}

function insertWorld(tx: Tx, spec: WorldSpec, { status, epoch, height, chain }: Start): void {
  tx.sql.run(
    `INSERT INTO worlds (world_id, universe_id, status, height, chain, batches, inbox_cursor, inbox_last, internal_pending,
       epoch, config_hash, keys, created_at, notify, base_height, base_chain, labels, desired_worker)
     VALUES (?, ?, ?, ?, ?, 0, 0, 0, 0, ?, ?, ?, ?, 0, ?, ?, ?, ?)`,
    spec.worldId,
    spec.universeId,
    status,
    height,
    chain,
    epoch,
    spec.configHash,
    spec.keys ?? null,
    tx.nowNs,
    height,
    chain,
    JSON.stringify(spec.labels ?? {}),
    spec.desiredWorker ?? null,
  );
}

function hasObject(tx: Tx, hash: Uint8Array): boolean {
  return tx.sql.get('SELECT 1 FROM objects WHERE hash = ?', hash) !== undefined;
}

/** Compares and sets. */
export function markVerified(
  tx: Tx,
  worldId: string,
  height: number,
  ref: Uint8Array,
): { readonly answer: 'ok' | 'not_found' } {
  const world = readWorld(tx, worldId);
  const changed = tx.sql.run(
    'UPDATE snapshots SET verified_at = ifnull(verified_at, ?) WHERE w = ? AND height = ? AND ref = ?',
    tx.nowNs,
    world?.w ?? -1,
    height,
    ref,
  );
  return { answer: changed === 1 ? 'ok' : 'not_found' };
}

export function setKeys(
  tx: Tx,
  worldId: string,
  epoch: number,
  expected: Uint8Array | undefined,
  keys: Uint8Array,
): { readonly answer: 'ok' | 'conflict' } | Fenced {
  const world = readWorld(tx, worldId);
  if (!isHolder(tx, world, epoch)) return fenced(world);
  const changed = tx.sql.run(
    'UPDATE worlds SET keys = ? WHERE w = ? AND (keys IS ? OR keys = ?)',
    keys,
    world.w,
    expected ?? null,
    keys,
  );
  return { answer: changed === 1 ? 'ok' : 'conflict' };
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

/** `hosting.md` §9. Whoever holds the world keeps it until its lease ends. */
export function placeWorld(
  tx: Tx,
  worldId: string,
  worker: string | undefined,
): { readonly answer: 'ok' | 'not_found' } {
  const changed = tx.sql.run(
    "UPDATE worlds SET desired_worker = ? WHERE world_id = ? AND status <> 'deleted'",
    worker ?? null,
    worldId,
  );
  return { answer: changed === 1 ? 'ok' : 'not_found' };
}

export function maintainWorld(
  tx: Tx,
  worldId: string,
  epoch: number,
  atNs: bigint | undefined,
): { readonly answer: 'ok' } | Fenced {
  const world = readWorld(tx, worldId);
  if (!isHolder(tx, world, epoch)) return fenced(world);
  tx.sql.run('UPDATE worlds SET maintain_at = ? WHERE w = ?', atNs === undefined ? null : clampNs(atNs), world.w);
  return { answer: 'ok' };
}
