import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { FailureError } from '@worldline/canon';
import { openForWriting } from './connection.ts';
import { OPERATIONS } from './operations.ts';
import type { Reply, Request, WriterMessage, WriterStart } from './protocol.ts';
import { isOutage, SQLITE, type Sql, sqliteCode } from './sql.ts';
import type { Tx } from './write-tx.ts';

/**
 * The thread that owns the writing connection.
 *
 * W1  Requests are taken in the order they were sent. Those that wait together share one transaction and so one sync;
 *     each is atomic by itself, and none is answered before the transaction is durable.
 * W2  A failed transaction answers for everything in it and leaves nothing behind.
 */

/** Bounds one transaction, so that the first of many waiting callers is not kept for long. */
const GROUP_MAX = 128;

if (parentPort === null) throw new Error('this module is the entry of a worker thread');
const port = parentPort;
const start = workerData as WriterStart;

function send(message: WriterMessage): void {
  port.postMessage(message);
}

try {
  serve(openForWriting(start.dir));
} catch (error) {
  if (!(error instanceof FailureError)) throw error;
  send({ failure: error.failure });
  port.close();
}

function serve(sql: Sql): void {
  port.on('message', (first: Request) => {
    const group = [first];
    while (group.length < GROUP_MAX && group.at(-1)?.operation !== 'close') {
      const next = receiveMessageOnPort(port);
      if (next === undefined) break;
      group.push(next.message as Request);
    }
    const last = group.at(-1)?.operation === 'close' ? group.pop() : undefined;
    if (group.length > 0) send({ replies: runGroup(sql, group) });
    if (last !== undefined) {
      sql.db.close();
      send({ replies: [{ id: last.id, answer: undefined }] });
      port.close();
    }
  });
  send({ ready: true });
}

function runGroup(sql: Sql, group: readonly Request[]): Reply[] {
  const replies: Reply[] = [];
  try {
    sql.run('BEGIN IMMEDIATE');
    for (const request of group) replies.push(runOne(sql, request, group.length > 1));
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
function runOne(sql: Sql, request: Request, isShared: boolean): Reply {
  const nowNs = request.nowNs ?? BigInt(Date.now()) * 1_000_000n;
  const tx: Tx = { sql, nowNs, dir: start.dir, limits: start.limits };
  const run = OPERATIONS[request.operation as keyof typeof OPERATIONS] as (tx: Tx, ...args: readonly unknown[]) => unknown;
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
  return group.map(({ id }) => (how === 'unknown' ? { id, unknown: error.message } : { id, unavailable: error.message }));
}
