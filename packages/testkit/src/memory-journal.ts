import { bytesEqual } from '@worldline/canon';
import type { FollowAnswer, FollowOptions, Store, StoredBatch } from '@worldline/ports';
import { coldBatches, dropBelow } from './memory-segments.ts';
import { copyHead, type Universe } from './memory-universe.ts';

const PAGE_BYTES = 4 * 1024 * 1024;
const POLL_MS = 250;

export function memoryJournal(universe: Universe): Store['journal'] {
  const read: Store['journal']['read'] = async (worldId, fromSeq, limit) => {
    if (universe.isClosed) return universe.unavailable();
    const world = universe.worlds.get(worldId);
    if (world === undefined) return { answer: 'ok', batches: [] };
    const from = Math.max(fromSeq, world.base.height);
    const found: StoredBatch[] = [];
    let expected: number | undefined;
    let entries = 0;
    let bytes = 0;
    // Empty batches at `from` may be the last of a segment that ends before it.
    const needsCold = world.firstHot > 0 && (world.batches[0]?.firstSeq ?? from) >= from;
    for (const batch of [...(needsCold ? coldBatches(universe, world) : []), ...world.batches]) {
      if (batch === undefined) return { answer: 'corrupt', where: `entry ${expected ?? from}` };
      // Whoever reads from a seq gets the empty batches directly before it too: they are part of the chain.
      if (batch.lastSeq < from && batch.firstSeq !== from) continue;
      if (expected === undefined ? batch.firstSeq > from : batch.firstSeq !== expected) {
        return { answer: 'corrupt', where: `entry ${expected ?? from}` };
      }
      // Never behind an empty batch: the next page begins at its seq, and would bring it again.
      const last = found.at(-1);
      const mayEnd = last === undefined || last.lastSeq >= last.firstSeq;
      if (mayEnd && (entries >= Math.max(1, limit) || bytes >= PAGE_BYTES)) {
        return { answer: 'ok', batches: found, next: expected };
      }
      found.push({ ...batch, chain: batch.chain.slice(), body: batch.body.slice() });
      expected = batch.lastSeq + 1;
      entries += expected - batch.firstSeq;
      bytes += batch.body.length;
    }
    if (expected === undefined ? from < world.head.height : expected !== world.head.height) {
      return { answer: 'corrupt', where: `entry ${expected ?? from}` };
    }
    return { answer: 'ok', batches: found };
  };

  return {
    read,
    async head(worldId) {
      const world = universe.worlds.get(worldId);
      return world && copyHead(world.head);
    },
    dropBelow: (worldId, epoch, height) =>
      universe.run('journal.dropBelow', worldId, () => dropBelow(universe, worldId, epoch, height)),
    follow: (worldId, fromSeq, options = {}) => follow(universe, read, { ...options, worldId, fromSeq }),
  };
}

interface Following extends FollowOptions {
  readonly worldId: string;
  readonly fromSeq: number;
}

async function* follow(
  universe: Universe,
  read: Store['journal']['read'],
  { worldId, fromSeq, signal, pollMs = POLL_MS }: Following,
): AsyncGenerator<FollowAnswer> {
  let next = fromSeq;
  // Empty batches stand under the seq that follows them: those given already come again with the next reading.
  let given: Uint8Array[] = [];
  let wake: () => void = () => undefined;
  let isHinted = false;
  const stop = universe.subscribe((changed) => {
    if (changed !== worldId) return;
    isHinted = true;
    wake();
  });
  const isAborted = () => signal?.aborted === true;
  const abort = () => wake();
  signal?.addEventListener('abort', abort);
  try {
    while (!isAborted()) {
      isHinted = false;
      const page = await read(worldId, next, 1_000);
      if (page.answer === 'corrupt') {
        yield page;
        return;
      }
      if (page.answer === 'ok') {
        const batches = page.batches.filter((batch) => !given.some((chain) => bytesEqual(chain, batch.chain)));
        for (const { lastSeq, firstSeq, chain } of batches) {
          if (lastSeq >= firstSeq) given = [];
          else given.push(chain);
          next = lastSeq + 1;
        }
        if (batches.length > 0) yield { answer: 'ok', batches };
        if (page.next !== undefined) continue;
      }
      if (universe.isClosed) return;
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
    stop();
    signal?.removeEventListener('abort', abort);
  }
}
