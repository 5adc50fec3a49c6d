import { randomBytes } from 'node:crypto';
import { bytesEqual } from '@worldline/canon';
import type { CompleteAnswer, EmittedRow, Fenced, OutboxRow, TimerRow } from '@worldline/ports';
import { clampNs, laterNs } from './instant.ts';
import { LAST_NS } from './schema.ts';
import { insertOutbox, insertTimer } from './write-commit.ts';
import { addItem } from './write-inbox.ts';
import { fenced, isHolder, readWorld, type Tx } from './write-tx.ts';

type OkOrLost = { readonly answer: 'ok' } | { readonly answer: 'lost' };

/** Rows that wait for people or hold a live claim may be many; the index has only those that are or will be visible. */
const OPEN = `done_key IS NULL AND visible_at < ${LAST_NS} AND visible_at <= ?
  AND (? IS NULL OR kind IN (SELECT value FROM json_each(?)))`;

const CLAIMED = 'emission_seq, intent_hash, kind, request, attempt, started';

const OF_ONE = `SELECT w, ? AS world_id, ${CLAIMED} FROM outbox INDEXED BY outbox_open
  WHERE w = ? AND ${OPEN} ORDER BY emission_seq LIMIT ?`;

/** Worlds take turns: the first row of each before the second of any. */
const OF_ALL = `SELECT open.w, world_id, ${CLAIMED} FROM (
    SELECT w, ${CLAIMED}, row_number() OVER (PARTITION BY w ORDER BY emission_seq) AS turn
    FROM outbox INDEXED BY outbox_open WHERE ${OPEN}
  ) AS open JOIN worlds ON worlds.w = open.w ORDER BY turn, world_id LIMIT ?`;

export function claim(
  tx: Tx,
  worldId: string | undefined,
  kinds: readonly string[] | undefined,
  executor: string,
  limit: number,
  visibilityMs: number,
): readonly OutboxRow[] {
  const open = [
    tx.nowNs,
    ...(kinds === undefined ? ([null, null] as const) : ([1, JSON.stringify(kinds)] as const)),
    Math.max(0, limit),
  ] as const;
  const world = worldId === undefined ? undefined : readWorld(tx, worldId);
  if (worldId !== undefined && world === undefined) return [];
  const rows =
    world === undefined || worldId === undefined
      ? tx.sql.all(OF_ALL, ...open)
      : tx.sql.all(OF_ONE, worldId, world.w, ...open);
  const visibleAtNs = laterNs(tx.nowNs, visibilityMs);
  return rows.map((row) => {
    const token = new Uint8Array(randomBytes(16));
    const attempt = Number(row.attempt) + 1;
    tx.sql.run(
      `UPDATE outbox SET executor = ?, token = ?, claim_epoch = NULL, attempt = ?, visible_at = ?
       WHERE w = ? AND emission_seq = ?`,
      executor,
      token,
      attempt,
      visibleAtNs,
      row.w ?? null,
      row.emission_seq ?? null,
    );
    return {
      worldId: row.world_id as string,
      emissionSeq: Number(row.emission_seq),
      intentHash: row.intent_hash as Uint8Array,
      kind: row.kind as string,
      request: row.request as Uint8Array,
      token,
      attempt,
      started: row.started === 1,
    };
  });
}

const MINE = '(SELECT w FROM worlds WHERE world_id = ?) AND emission_seq = ? AND token = ? AND done_key IS NULL';

function okOrLost(changed: number): OkOrLost {
  return { answer: changed === 1 ? 'ok' : 'lost' };
}

export function start(tx: Tx, worldId: string, emissionSeq: number, token: Uint8Array): OkOrLost {
  return okOrLost(tx.sql.run(`UPDATE outbox SET started = 1 WHERE w = ${MINE}`, worldId, emissionSeq, token));
}

export function extend(
  tx: Tx,
  worldId: string,
  emissionSeq: number,
  token: Uint8Array,
  visibilityMs: number,
): OkOrLost {
  // A claim made by a commit lasts as long as the lease: there is nothing to extend.
  return okOrLost(
    tx.sql.run(
      `UPDATE outbox SET visible_at = iif(claim_epoch IS NULL, ?, visible_at) WHERE w = ${MINE}`,
      laterNs(tx.nowNs, visibilityMs),
      worldId,
      emissionSeq,
      token,
    ),
  );
}

export function retry(
  tx: Tx,
  worldId: string,
  emissionSeq: number,
  token: Uint8Array,
  delayMs: number,
  error: string,
): OkOrLost {
  return okOrLost(
    tx.sql.run(
      `UPDATE outbox SET executor = NULL, token = NULL, claim_epoch = NULL, visible_at = ?, error = ? WHERE w = ${MINE}`,
      laterNs(tx.nowNs, delayMs),
      error,
      worldId,
      emissionSeq,
      token,
    ),
  );
}

/** The receipt into the inbox and the row done, in one step. Both stay until a commit settles or releases the row. */
export function complete(
  tx: Tx,
  worldId: string,
  emissionSeq: number,
  token: Uint8Array,
  item: Uint8Array,
  digest: Uint8Array,
): Exclude<CompleteAnswer, { readonly answer: 'unavailable' }> {
  if (digest.length !== 32 || item.length === 0 || item.length > tx.limits.objectBytesMax) return { answer: 'invalid' };
  const world = readWorld(tx, worldId);
  if (world === undefined || world.status === 'archived' || world.status === 'deleted') return { answer: 'lost' };
  const row = tx.sql.get('SELECT token, attempt FROM outbox WHERE w = ? AND emission_seq = ?', world.w, emissionSeq);
  if (!(row?.token instanceof Uint8Array) || !bytesEqual(row.token, token)) return { answer: 'lost' };
  const dedupeKey = `r:${emissionSeq}:${Number(row.attempt)}`;
  const added = addItem(tx, world, { item, digest, dedupeKey, isDelivery: true, emissionSeq });
  if (added.answer === 'conflict') return { answer: 'conflict' };
  tx.failpoints?.reach('store.done', 'outbox.complete');
  tx.sql.run('UPDATE outbox SET done_key = ? WHERE w = ? AND emission_seq = ?', dedupeKey, world.w, emissionSeq);
  return added.answer === 'ok' ? { answer: 'ok', seq: added.seq } : { answer: 'duplicate' };
}

/** L7: missing rows in, surplus rows out; claims, attempts and marks of the others stay. */
export function reconcile(
  tx: Tx,
  worldId: string,
  epoch: number,
  emitted: readonly EmittedRow[],
  timers: readonly TimerRow[],
): { readonly answer: 'ok' } | Fenced {
  const world = readWorld(tx, worldId);
  if (!isHolder(tx, world, epoch)) return fenced(world);
  const { w } = world;
  const missing = new Map(emitted.map((row) => [row.emissionSeq, row]));
  for (const { emission_seq } of tx.sql.all('SELECT emission_seq FROM outbox WHERE w = ?', w)) {
    if (missing.delete(Number(emission_seq))) continue;
    tx.sql.run('DELETE FROM outbox WHERE w = ? AND emission_seq = ?', w, Number(emission_seq));
  }
  for (const row of missing.values()) insertOutbox(tx, w, row, undefined, epoch);
  const missingTimers = new Map(timers.map((row) => [row.emissionSeq, row]));
  for (const { emission_seq } of tx.sql.all('SELECT emission_seq FROM timers WHERE w = ?', w)) {
    const row = missingTimers.get(Number(emission_seq));
    missingTimers.delete(Number(emission_seq));
    if (row === undefined) tx.sql.run('DELETE FROM timers WHERE w = ? AND emission_seq = ?', w, Number(emission_seq));
    else
      tx.sql.run(
        'UPDATE timers SET due = ? WHERE w = ? AND emission_seq = ?',
        clampNs(row.dueWallNs),
        w,
        row.emissionSeq,
      );
  }
  for (const row of missingTimers.values()) insertTimer(tx, w, row);
  return { answer: 'ok' };
}
