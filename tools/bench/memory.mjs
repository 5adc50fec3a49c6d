// What a process keeps when its garbage is gone.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect;

/** Collects garbage, also in processes that were not started with --expose-gc. */
export function collectGarbage() {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc');
  }
  collect();
}

/** Bytes: objects and buffers of this thread after a collection, and all pages of the process. */
export async function memory() {
  // Buffers are freed in a later turn than the objects that held them.
  for (let n = 0; n < 3; n++) {
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapUsed, external, kept: heapUsed + external, rss };
}
