import { bytesEqual, hashText, ok } from '@worldline/canon';
import { type Kernel, KernelFault, type ObjectSource, Restoration } from '@worldline/kernel';
import type { CasStore, Store, StoredBatch, WorldRow } from '@worldline/ports';
import { type Answer, type HostFailure, refuse } from './failure.ts';
import { readBatches } from './journal-read.ts';

/** The store did not answer while the kernel was reading; a host abort (`kernel.md` §13.3), never journaled. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

/** Objects for a kernel. A missing or damaged one is a world fault there. */
export function objectSource(cas: CasStore): ObjectSource {
  return {
    get(hash) {
      const answer = cas.getSync(hash);
      if (answer.answer === 'ok') return answer.bytes;
      if (answer.answer === 'unavailable') throw new StoreUnavailable(`object ${hashText(hash)}: ${answer.message}`);
      return undefined;
    },
  };
}

/**
 * Active baseline + tail (`journal.md` §6.3), up to the head of `row` exactly: beside a running world the journal goes on
 * while it is read.
 *
 * @returns the kernel at that head; `journal.corrupt`, `replay.divergence`, `snapshot.*`, or `host_error` when
 *   the store does not answer.
 */
export async function restoreKernel(store: Store, row: WorldRow, epoch: number): Promise<Answer<Kernel>> {
  const { height, ref } = row.activeBaseline;
  const restoration = new Restoration({ objects: objectSource(store.cas), epoch }, { height, ref });
  // The batch before the baseline's own gives the chain value that the tail continues.
  const fed = await feedBatches(store, row.worldId, Math.max(0, height - 1), (batch) => {
    const replayed = restoration.feed(batch);
    // The chain names one prefix of the journal; a height alone does not, for empty batches move it nowhere.
    return replayed.ok ? ok(!bytesEqual(batch.chain, row.head.chain)) : replayed;
  });
  if (!fed.ok) return fed;
  const restored = restoration.end();
  if (!restored.ok) return restored;
  const { head } = restored.value;
  if (row.head.height !== head.height || !bytesEqual(row.head.chain, head.chain)) {
    return refuse('journal.corrupt', `the head is ${row.head.height}, the batches end at ${head.height}`);
  }
  return ok(restored.value);
}

/**
 * Hands whole batches to a kernel, from the one that holds `fromSeq`, in order and page by page: a journal may be larger
 * than memory.
 *
 * @param feed - answers whether to go on; a failure ends the reading.
 * @returns that failure; `journal.corrupt` for a hole; `host_error` when the store does not answer.
 */
export async function feedBatches(
  store: Store,
  worldId: string,
  fromSeq: number,
  feed: (batch: StoredBatch) => Answer<boolean>,
): Promise<Answer<void>> {
  let refused: Answer<never> | undefined;
  try {
    const read = await readBatches(store, worldId, fromSeq, (batch) => {
      const answer = feed(batch);
      if (answer.ok) return answer.value;
      refused = answer;
      return false;
    });
    return refused ?? read;
  } catch (error) {
    if (error instanceof StoreUnavailable) return refuse('host_error', error.message);
    throw error;
  }
}

/**
 * What a kernel met while it read its state, which it does piece by piece and long after it was restored.
 *
 * @returns undefined for any other error.
 */
export function readFailure(error: unknown): HostFailure | undefined {
  if (error instanceof StoreUnavailable) return { code: 'host_error', path: [], message: error.message };
  if (!(error instanceof KernelFault)) return undefined;
  const code = error.code === 'object.missing' ? 'snapshot.incomplete' : 'journal.corrupt';
  const hint = 'Restore the store from a copy; it lacks or damaged what the journal refers to.';
  return { code, path: [], message: error.message, hint };
}

/** Trouble that reading again will not cure: the world is quarantined (`hosting.md` L9). */
export function isCorruption(code: string): boolean {
  return code === 'journal.corrupt' || code === 'replay.divergence' || code.startsWith('snapshot.');
}
