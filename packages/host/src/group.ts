import type { Applied, Batch, StoredObject } from '@worldline/kernel';
import type { LoopInput } from './loop-input.ts';

/** One applied input, waiting for durability. */
export interface GroupEntry {
  readonly input: LoopInput;
  readonly applied: Applied;
}

/** `hosting.md` §7: a group is full at this size, whatever `journal.max_group` says about batches. */
export const GROUP_BYTES_MAX = 4 * 1024 * 1024;

/**
 * What was applied while the group before it was being synced, and becomes durable with one commit.
 *
 * G1  Entries stand in the order they were applied. One without a batch (a duplicate, a skipped offer) is answered
 *     after everything before it is durable, since its answer speaks of that.
 */
export class OpenGroup {
  readonly entries: GroupEntry[] = [];
  readonly batches: Batch[] = [];
  readonly objects: StoredObject[] = [];
  bytes = 0;

  add(input: LoopInput, applied: Applied, extra: readonly StoredObject[] = []): void {
    this.entries.push({ input, applied });
    if (applied.batch !== undefined) {
      this.batches.push(applied.batch);
      this.bytes += applied.batch.body.length;
    }
    for (const object of applied.objects) this.#addObject(object);
    for (const object of extra) this.#addObject(object);
  }

  #addObject(object: StoredObject): void {
    this.objects.push(object);
    this.bytes += object.bytes.length;
  }

  isFull(batchesMax: number): boolean {
    return this.batches.length >= batchesMax || this.bytes >= GROUP_BYTES_MAX;
  }
}
