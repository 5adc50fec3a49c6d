import { bytesEqual } from '@worldline/canon';
import type { FollowAnswer, FollowOptions, Store } from '@worldline/ports';
import type { Hints } from './hints.ts';

const PAGE_ENTRIES = 1_000;
/** How long a lost hint, or a commit of another process, may go unnoticed. */
const POLL_MS = 250;

export interface FollowParts {
  readonly read: Store['journal']['read'];
  readonly hints: Hints;
  readonly isClosed: () => boolean;
}

export interface FollowFrom extends FollowOptions {
  readonly worldId: string;
  readonly fromSeq: number;
}

/** `journal.md` §8: what is there and what comes later, in whole batches. Ends with the signal or the store. */
export async function* follow(
  { read, hints, isClosed }: FollowParts,
  { worldId, fromSeq, signal, pollMs = POLL_MS }: FollowFrom,
): AsyncGenerator<FollowAnswer> {
  let next = fromSeq;
  // Empty batches stand under the seq that follows them: those given already come again with the next reading.
  let given: Uint8Array[] = [];
  let isHinted = false;
  let wake: () => void = () => undefined;
  const unsubscribe = hints.subscribe((changed) => {
    if (changed !== worldId) return;
    isHinted = true;
    wake();
  });
  const isAborted = () => signal?.aborted === true;
  const abort = () => wake();
  signal?.addEventListener('abort', abort);
  try {
    while (!isAborted() && !isClosed()) {
      isHinted = false;
      const page = await read(worldId, next, PAGE_ENTRIES);
      if (page.answer === 'corrupt') {
        yield page;
        return;
      }
      if (page.answer === 'ok') {
        const batches = page.batches.filter((batch) => !given.some((chain) => bytesEqual(chain, batch.chain)));
        for (const { firstSeq, lastSeq, chain } of batches) {
          if (lastSeq >= firstSeq) given = [];
          else given.push(chain);
          next = lastSeq + 1;
        }
        if (batches.length > 0) yield { answer: 'ok', batches };
        if (page.next !== undefined) continue;
      }
      if (isHinted || isAborted()) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pollMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } finally {
    unsubscribe();
    signal?.removeEventListener('abort', abort);
  }
}
