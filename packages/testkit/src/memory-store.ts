import { toHex } from '@worldline/canon';
import type { Store } from '@worldline/ports';
import { memoryCas } from './memory-cas.ts';
import { memoryCheckpoints } from './memory-checkpoints.ts';
import { memoryCommit } from './memory-commit.ts';
import { memoryInbox } from './memory-inbox.ts';
import { memoryJournal } from './memory-journal.ts';
import { memoryOutbox, memoryTimers } from './memory-outbox.ts';
import { memorySegments, memorySnapshots } from './memory-segments.ts';
import { type MemoryStoreOptions, Universe } from './memory-universe.ts';
import { memoryLeases, memoryPlaces, memoryWake, memoryWorlds } from './memory-world.ts';

export type { MemoryStoreOptions, StoreFault } from './memory-universe.ts';

/**
 * The storage contract (`hosting.md` §4) as a single-threaded model, the oracle that every engine is compared with
 * (§11.4). Written for reading: maps and loops, nothing clever, nothing shared with an engine.
 *
 * M1  An operation checks everything before it changes anything, so that it happens entirely or not at all.
 * M2  Bytes are copied on the way in and on the way out; no caller can change what is stored.
 * M3  An outbox row is claimable exactly when it is not done and `visibleAtNs` ≤ now.
 */
export interface MemoryStore extends Store {
  /** Flips one bit of a stored object, as a failing disk would. */
  corruptObject(hash: Uint8Array): void;
  /** Removes the batch that begins at `firstSeq`, as a lost page would. */
  removeBatch(worldId: string, firstSeq: number): void;
}

/** A new, empty universe in memory. */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  const universe = new Universe(options);
  return {
    cas: memoryCas(universe),
    world: memoryWorlds(universe),
    lease: memoryLeases(universe),
    commit: memoryCommit(universe),
    journal: memoryJournal(universe),
    segment: memorySegments(universe),
    snapshot: memorySnapshots(universe),
    checkpoint: memoryCheckpoints(universe),
    inbox: memoryInbox(universe),
    outbox: memoryOutbox(universe),
    timers: memoryTimers(universe),
    wake: memoryWake(universe),
    place: memoryPlaces(universe),
    nowNs: async () => universe.nowNs(),
    async close() {
      universe.isClosed = true;
    },
    corruptObject(hash) {
      const found = universe.objects.get(toHex(hash));
      if (found === undefined || found.bytes.length === 0) throw new RangeError('no such object, or an empty one');
      found.bytes[0]! ^= 1;
    },
    removeBatch(worldId, firstSeq) {
      const batches = universe.worlds.get(worldId)?.batches ?? [];
      const at = batches.findIndex((batch) => batch.firstSeq === firstSeq && batch.lastSeq >= firstSeq);
      if (at < 0) throw new RangeError(`no batch begins at ${firstSeq}`);
      batches.splice(at, 1);
    },
  };
}
