import { compareBytes } from '@worldline/canon';

/** A pending timer emission and when it is due, in logical ns. */
export interface DueEntry {
  readonly emissionSeq: number;
  readonly intentHash: Uint8Array;
  readonly dueNs: bigint;
}

/**
 * Due index over pending timer emissions (`kernel.md` §12), a binary heap ordered by (due, intent hash). It can always
 * be rebuilt from the kernel's pending emissions; entries of settled timers are dropped when they come up.
 */
export class TimerIndex {
  #heap: DueEntry[] = [];

  get size(): number {
    return this.#heap.length;
  }

  peek(): DueEntry | undefined {
    return this.#heap[0];
  }

  clear(): void {
    this.#heap = [];
  }

  add(entry: DueEntry): void {
    const heap = this.#heap;
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = entry;
  }

  /** The first entry that is due at `logicalNs`, removed. */
  take(logicalNs: bigint): DueEntry | undefined {
    const heap = this.#heap;
    const top = heap[0];
    if (top === undefined || top.dueNs > logicalNs) return undefined;
    const last = heap.pop()!;
    if (heap.length > 0) this.#sink(last);
    return top;
  }

  #sink(entry: DueEntry): void {
    const heap = this.#heap;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, entry)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = entry;
  }
}

function before(a: DueEntry, b: DueEntry): boolean {
  if (a.dueNs !== b.dueNs) return a.dueNs < b.dueNs;
  return compareBytes(a.intentHash, b.intentHash) < 0;
}
