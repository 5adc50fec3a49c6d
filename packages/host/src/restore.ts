import { bytesEqual, hashText, ok } from '@worldline/canon';
import { type Kernel, type ObjectSource, restore } from '@worldline/kernel';
import type { CasStore, Store, StoredBatch, WorldRow } from '@worldline/ports';
import { type Answer, refuse } from './failure.ts';
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
  // The batch before the baseline's own gives the chain value that the tail continues.
  const batches: StoredBatch[] = [];
  // The chain names one prefix of the journal; a height alone does not, for empty batches move it nowhere.
  const read = await readBatches(store, row.worldId, Math.max(0, height - 1), (batch) => {
    batches.push(batch);
    return !bytesEqual(batch.chain, row.head.chain);
  });
  if (!read.ok) return read;
  try {
    const restored = restore({ objects: objectSource(store.cas), epoch }, { height, ref }, batches);
    if (!restored.ok) return restored;
    const { head } = restored.value;
    if (row.head.height !== head.height || !bytesEqual(row.head.chain, head.chain)) {
      return refuse('journal.corrupt', `the head is ${row.head.height}, the batches end at ${head.height}`);
    }
    return ok(restored.value);
  } catch (error) {
    if (error instanceof StoreUnavailable) return refuse('host_error', error.message);
    throw error;
  }
}

/** Trouble that reading again will not cure: the world is quarantined (`hosting.md` L9). */
export function isCorruption(code: string): boolean {
  return code === 'journal.corrupt' || code === 'replay.divergence' || code.startsWith('snapshot.');
}
