import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { FailureError } from '@worldline/canon';
import type { Failpoints } from '@worldline/ports';
import { openForWriting } from './connection.ts';
import type { Request, WriterMessage, WriterStart } from './protocol.ts';
import type { Sql } from './sql.ts';
import { WriterConnection } from './writer-connection.ts';

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
  serve(openForWriting(start.dir), await armed(start));
} catch (error) {
  if (!(error instanceof FailureError)) throw error;
  send({ failure: error.failure });
  port.close();
}

async function armed({ failpoints: given }: WriterStart): Promise<Failpoints | undefined> {
  if (given === undefined) return undefined;
  const made = (await import(given.url)) as { failpoints(plan: unknown): Failpoints };
  return made.failpoints(given.plan);
}

function serve(sql: Sql, failpoints: Failpoints | undefined): void {
  const connection = new WriterConnection(sql, start, failpoints);
  port.on('message', (first: Request) => {
    const group = [first];
    while (group.length < GROUP_MAX && group.at(-1)?.operation !== 'close') {
      const next = receiveMessageOnPort(port);
      if (next === undefined) break;
      group.push(next.message as Request);
    }
    const last = group.at(-1)?.operation === 'close' ? group.pop() : undefined;
    if (group.length > 0) send({ replies: connection.run(group) });
    if (last === undefined) return;
    connection.close();
    send({ replies: [{ id: last.id, answer: undefined }] });
    port.close();
  });
  send({ ready: true });
}
