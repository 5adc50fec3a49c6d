import { parentPort, workerData } from 'node:worker_threads';
import { openWriter, StoreOpenError } from './database.ts';
import type { Reply, Request, ThreadData } from './remote-writer.ts';
import { Writer } from './writer.ts';

/** The thread that syncs: the host's loop applies the next group while this one waits for the disk. */

const { dir, inboxMax, objectBytesMax } = workerData as ThreadData;
const port = parentPort!;

try {
  const db = openWriter(dir);
  const writer = new Writer(db, dir, { inboxMax, objectBytesMax, nowNs: () => BigInt(Date.now()) * 1_000_000n });
  port.on('message', ({ id, operation, args }: Request) => {
    if (operation === 'close') {
      db.close();
      port.postMessage({ id, value: undefined } satisfies Reply);
      port.close();
      return;
    }
    port.postMessage(perform(writer, id, operation, args));
  });
  port.postMessage({ id: 0, value: undefined } satisfies Reply);
} catch (error) {
  const { code, hint } = error instanceof StoreOpenError ? error : { code: 'store.unavailable', hint: '' };
  port.postMessage({
    id: 0,
    opening: { code, hint, message: error instanceof Error ? error.message : String(error) },
  } satisfies Reply);
}

function perform(
  writer: Writer,
  id: number,
  operation: Exclude<Request['operation'], 'close'>,
  args: readonly unknown[],
): Reply {
  try {
    const method = writer[operation] as (...values: readonly unknown[]) => unknown;
    return { id, value: method.apply(writer, args as unknown[]) };
  } catch (error) {
    // A caller's bug: it is thrown where it was made.
    return { id, thrown: error instanceof Error ? error.message : String(error) };
  }
}
