import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { FailureError } from '@worldline/canon';
import type { Failpoints } from '@worldline/ports';
import { openForWriting } from './connection.ts';
import type { Request, WriterMessage, WriterStart } from './protocol.ts';
import { ShortWait } from './short-wait.ts';
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
/** When the host's loop has a next commit, it sends it this soon after an answer. */
const AWAKE_MS = 0.4;
const ROUNDS_MAX = 32;

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
  const nextRequest = new ShortWait(AWAKE_MS);
  let answeredMs = performance.now();

  const run = (first: Request): boolean => {
    nextRequest.took(performance.now() - answeredMs);
    const group = [first];
    while (group.length < GROUP_MAX && group.at(-1)?.operation !== 'close') {
      const next = receiveMessageOnPort(port);
      if (next === undefined) break;
      group.push(next.message as Request);
    }
    const last = group.at(-1)?.operation === 'close' ? group.pop() : undefined;
    if (group.length > 0) send({ replies: connection.run(group) });
    answeredMs = performance.now();
    if (last === undefined) return true;
    connection.close();
    send({ replies: [{ id: last.id, answer: undefined }] });
    port.close();
    return false;
  };
  /** What comes while this thread stays awake. */
  const awaited = (): Request | undefined => {
    const { awakeMs } = nextRequest;
    while (performance.now() - answeredMs < awakeMs) {
      const next = receiveMessageOnPort(port);
      if (next !== undefined) return next.message as Request;
    }
    return undefined;
  };
  port.on('message', (first: Request) => {
    let next: Request | undefined = first;
    // Now and then the event loop gets its turn: the engine's own tasks wait there.
    for (let n = 0; next !== undefined && run(next); n++) next = n < ROUNDS_MAX ? awaited() : undefined;
  });
  send({ ready: true });
}
