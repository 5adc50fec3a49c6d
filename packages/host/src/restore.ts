import { hashText, ok } from '@worldline/canon';
import { type Kernel, type ObjectSource, restore } from '@worldline/kernel';
import type { CasStore, Store, WorldRow } from '@worldline/ports';
import { type Answer, refuse } from './failure.ts';
import { collectBatches } from './journal-read.ts';

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
 * Active baseline + tail (`journal.md` §6.3).
 *
 * @returns the kernel at the durable head; `journal.corrupt`, `replay.divergence`, `snapshot.*`, or `host_error` when
 *   the store does not answer.
 */
export async function restoreKernel(store: Store, row: WorldRow, epoch: number): Promise<Answer<Kernel>> {
  const { height, ref } = row.activeBaseline;
  // The batch before the baseline's own gives the chain value that the tail continues.
  const batches = await collectBatches(store, row.worldId, Math.max(0, height - 1));
  if (!batches.ok) return batches;
  try {
    const restored = restore({ objects: objectSource(store.cas), epoch }, { height, ref }, batches.value);
    if (!restored.ok) return restored;
    const { head } = restored.value;
    const stored = await store.journal.head(row.worldId);
    if (stored !== undefined && stored.height !== head.height) {
      return refuse('journal.corrupt', `the head is ${stored.height}, the batches end at ${head.height}`);
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
