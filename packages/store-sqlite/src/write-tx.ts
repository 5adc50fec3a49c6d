import type { Failpoints, WorldStatus } from '@worldline/ports';
import { blob, type Sql } from './sql.ts';

/** What every writing operation gets: the open transaction, store time, and where files go. */
export interface Tx {
  readonly sql: Sql;
  readonly nowNs: bigint;
  readonly dir: string;
  readonly limits: WriteLimits;
  readonly failpoints: Failpoints | undefined;
}

export interface WriteLimits {
  /** Unread items at which `inbox.enqueue` answers `full`. */
  readonly inboxMax: number;
  readonly objectBytesMax: number;
  /** Objects above this size go to files. */
  readonly inlineBytesMax: number;
}

/** The parts of a world row that decisions depend on. */
export interface WriteWorld {
  readonly w: number;
  readonly status: WorldStatus;
  readonly height: number;
  readonly chain: Uint8Array;
  readonly batches: number;
  readonly cursor: number;
  readonly lastItem: number;
  readonly epoch: number;
  readonly holder: string | undefined;
  readonly expiresAtNs: bigint;
}

export function readWorld(tx: Tx, worldId: string): WriteWorld | undefined {
  const row = tx.sql.bigGet(
    `SELECT w, status, height, chain, batches, inbox_cursor, inbox_last, epoch, holder, expires_at
     FROM worlds WHERE world_id = ?`,
    worldId,
  );
  if (row === undefined) return undefined;
  return {
    w: Number(row.w),
    status: row.status as WorldStatus,
    height: Number(row.height),
    chain: blob(row.chain),
    batches: Number(row.batches),
    cursor: Number(row.inbox_cursor),
    lastItem: Number(row.inbox_last),
    epoch: Number(row.epoch),
    holder: (row.holder as string | null) ?? undefined,
    expiresAtNs: (row.expires_at as bigint | null) ?? 0n,
  };
}

/** Rule L2: the epoch is that of a lease that holds now, by the store's clock. */
export function isHolder(tx: Tx, world: WriteWorld | undefined, epoch: number): world is WriteWorld {
  return world?.holder !== undefined && world.epoch === epoch && world.expiresAtNs > tx.nowNs;
}

export function fenced(world: WriteWorld | undefined): { readonly answer: 'fenced'; readonly epoch: number } {
  return { answer: 'fenced', epoch: world?.epoch ?? 0 };
}
