import { OPERATIONS } from './operations.ts';
import type { Reply, Request, WriterStart } from './protocol.ts';
import { isOutage, SQLITE, type Sql, sqliteCode } from './sql.ts';
import type { Tx } from './write-tx.ts';

/**
 * Runs requests that wait together in one transaction.
 *
 * @returns one reply each, in order. When the transaction fails, all of them say so and nothing was changed; when the
 *   disk failed while it was being made durable, nobody can say, and they say that.
 */
export function runGroup(sql: Sql, group: readonly Request[], start: WriterStart): Reply[] {
  const replies: Reply[] = [];
  try {
    sql.run('BEGIN IMMEDIATE');
    for (const request of group) replies.push(runOne(sql, request, { start, isShared: group.length > 1 }));
  } catch (error) {
    return failed(sql, group, error, 'unavailable');
  }
  try {
    sql.run('COMMIT');
  } catch (error) {
    // A log write that found no room left no complete transaction behind; one that met an error of the disk may have.
    return failed(sql, group, error, sqliteCode(error) === SQLITE.IOERR ? 'unknown' : 'unavailable');
  }
  return replies;
}

/** @throws when the whole transaction is lost. */
function runOne(
  sql: Sql,
  request: Request,
  { start, isShared }: { readonly start: WriterStart; readonly isShared: boolean },
): Reply {
  const nowNs = request.nowNs ?? BigInt(Date.now()) * 1_000_000n;
  const tx: Tx = { sql, nowNs, dir: start.dir, limits: start.limits };
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
    if (isOutage(error)) throw error;
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

function failed(sql: Sql, group: readonly Request[], error: unknown, how: 'unavailable' | 'unknown'): Reply[] {
  try {
    sql.run('ROLLBACK');
  } catch {
    // The engine has rolled back by itself already, or the transaction never began.
  }
  if (!isOutage(error)) throw error;
  return group.map(({ id }) =>
    how === 'unknown' ? { id, unknown: error.message } : { id, unavailable: error.message },
  );
}
