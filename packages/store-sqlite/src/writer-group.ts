import type { FailpointName, Failpoints } from '@worldline/ports';
import { OPERATIONS } from './operations.ts';
import type { Reply, Request } from './protocol.ts';
import { isDamage, isOutage, SQLITE, type Sql, sqliteCode } from './sql.ts';
import type { Tx, WriteLimits } from './write-tx.ts';

/** What all groups of one writer share. */
export interface GroupParts {
  readonly dir: string;
  readonly limits: WriteLimits;
  readonly failpoints?: Failpoints | undefined;
  /** The disk failed. What the connection thinks it wrote can no longer be relied on. */
  readonly onDiskError?: (() => void) | undefined;
}

/**
 * Runs requests that wait together in one transaction.
 *
 * @returns one reply each, in order. When the transaction fails, all of them say so and nothing was changed; when the
 *   disk failed while it was being made durable, nobody can say, and they say that.
 */
export function runGroup(sql: Sql, group: readonly Request[], parts: GroupParts): Reply[] {
  const replies: Reply[] = [];
  try {
    reach(parts, 'store.taken', group);
    sql.run('BEGIN IMMEDIATE');
    for (const request of group) replies.push(runOne(sql, request, { parts, isShared: group.length > 1 }));
  } catch (error) {
    return failed(sql, group, { error, how: 'unavailable', parts });
  }
  try {
    reach(parts, 'store.sync', group);
    sql.run('COMMIT');
    reach(parts, 'store.synced', group);
  } catch (error) {
    // A log write that found no room left no complete transaction behind; one that met an error of the disk may have.
    return failed(sql, group, { error, how: isDiskError(error) ? 'unknown' : 'unavailable', parts });
  }
  return replies;
}

/** @throws when the whole transaction is lost. */
function runOne(
  sql: Sql,
  request: Request,
  { parts, isShared }: { readonly parts: GroupParts; readonly isShared: boolean },
): Reply {
  const nowNs = request.nowNs ?? BigInt(Date.now()) * 1_000_000n;
  const tx: Tx = { sql, nowNs, dir: parts.dir, limits: parts.limits, failpoints: parts.failpoints };
  const run = OPERATIONS[request.operation as keyof typeof OPERATIONS] as (
    tx: Tx,
    ...args: readonly unknown[]
  ) => unknown;
  if (isShared) sql.run('SAVEPOINT one');
  try {
    const answer = run(tx, ...request.args);
    if (isShared) sql.run('RELEASE one');
    return { id: request.id, answer };
  } catch (error) {
    if (isOutage(error) || isDamage(error)) throw error;
    if (isShared) {
      sql.run('ROLLBACK TO one');
      sql.run('RELEASE one');
    } else {
      // Nothing else is in this transaction; what follows commits an empty one.
      sql.run('ROLLBACK');
      sql.run('BEGIN');
    }
    return { id: request.id, bug: error instanceof Error ? error.message : String(error) };
  }
}

function reach({ failpoints }: GroupParts, point: FailpointName, group: readonly Request[]): void {
  if (failpoints !== undefined) for (const { operation } of group) failpoints.reach(point, operation);
}

function isDiskError(error: unknown): boolean {
  return sqliteCode(error) === SQLITE.IOERR;
}

interface Trouble {
  readonly error: unknown;
  readonly how: 'unavailable' | 'unknown';
  readonly parts: GroupParts;
}

function failed(sql: Sql, group: readonly Request[], { error, how, parts }: Trouble): Reply[] {
  try {
    sql.run('ROLLBACK');
  } catch {
    // The engine has rolled back by itself already, or the transaction never began.
  }
  if (isDamage(error)) return group.map(({ id }) => ({ id, corrupt: error.message }));
  if (!isOutage(error)) throw error;
  if (isDiskError(error)) parts.onDiskError?.();
  return group.map(({ id }) =>
    how === 'unknown' ? { id, unknown: error.message } : { id, unavailable: error.message },
  );
}
