import { type CborValue, encode } from '@worldline/canon';
import type { UndoLog } from './undo.ts';

/** Bounded memories of what was settled, answered and returned (`kernel.md` §2). */

export interface SettledReceipt {
  readonly intentHash: Uint8Array;
  readonly emissionSeq: number;
}

export interface RecentPlanResult {
  readonly planName: string;
  readonly planId: number;
  readonly outputSchema: string;
  readonly valueCbor: Uint8Array;
}

/** The newest `capacity` items, oldest first. */
export class Ring<T> {
  readonly capacity: number;
  #items: T[];

  constructor(capacity: number, items: readonly T[] = []) {
    this.capacity = capacity;
    this.#items = [...items];
  }

  get items(): readonly T[] {
    // The backing array grows to twice the capacity before it is cut, so that a push does not shift.
    return this.#items.length > this.capacity ? this.#items.slice(-this.capacity) : this.#items;
  }

  push(item: T, undo: UndoLog): void {
    const items = this.#items;
    if (items.length >= this.capacity * 2) {
      const kept = items.slice(-this.capacity);
      kept.push(item);
      this.#items = kept;
      undo.log(Ring.#restore<T>, this, undefined, items);
      return;
    }
    items.push(item);
    undo.log(dropLast<T>, items, undefined, undefined);
  }

  static #restore<T>(ring: Ring<T>, _: undefined, items: T[]): void {
    ring.#items = items;
  }

  some(test: (item: T) => boolean): boolean {
    return this.items.some(test);
  }
}

function dropLast<T>(items: T[]): void {
  items.pop();
}

export interface KnownIngress {
  readonly ingressId: string;
  readonly firstSeq: number;
  readonly digest: Uint8Array;
}

const CHUNK = 1024;
const REMEMBERED = 65_536;

/** The last 65 536 ingress ids, in chunks of 1 024 that never change once full (`journal.md` §6.1). */
export class IngressMemory {
  #entries = new Map<number, KnownIngress>();
  #byId = new Map<string, number>();
  #next = 0;
  #chunkHashes = new Map<number, Uint8Array>();

  find(ingressId: string): KnownIngress | undefined {
    const n = this.#byId.get(ingressId);
    return n === undefined ? undefined : this.#entries.get(n);
  }

  add(entry: KnownIngress, undo: UndoLog): void {
    const n = this.#next;
    undo.setMap(this.#entries, n, entry);
    undo.setMap(this.#byId, entry.ingressId, n);
    this.#next = n + 1;
    undo.log(IngressMemory.#takeBack, this, undefined, n);
    const forgotten = this.#entries.get(n - REMEMBERED);
    if (forgotten !== undefined && this.#byId.get(forgotten.ingressId) === n - REMEMBERED) {
      undo.deleteMap(this.#byId, forgotten.ingressId);
    }
    // Chunks are written whole: a chunk goes when the first one that is still needed lies behind it.
    const first = this.#firstChunk();
    if (first > 0 && this.#next === REMEMBERED + first * CHUNK) {
      for (let k = (first - 1) * CHUNK; k < first * CHUNK; k++) undo.deleteMap(this.#entries, k);
    }
  }

  static #takeBack(memory: IngressMemory, _: undefined, n: number): void {
    memory.#next = n;
    // A chunk that became full was hashed with an entry that is gone again.
    memory.#chunkHashes.delete(Math.floor(n / CHUNK));
  }

  #firstChunk(): number {
    return Math.floor(Math.max(0, this.#next - REMEMBERED) / CHUNK);
  }

  /** Writes the chunks that changed and lists the hashes of all of them. */
  toNode(put: (bytes: Uint8Array) => Uint8Array): CborValue {
    const chunks: Uint8Array[] = [];
    if (this.#next > 0) {
      for (let c = this.#firstChunk(); c <= Math.floor((this.#next - 1) / CHUNK); c++) {
        const full = this.#next >= (c + 1) * CHUNK;
        let hash = full ? this.#chunkHashes.get(c) : undefined;
        if (hash === undefined) {
          const rows: CborValue[] = [];
          for (let n = c * CHUNK; n < Math.min(this.#next, (c + 1) * CHUNK); n++) {
            const entry = this.#entries.get(n)!;
            rows.push([entry.ingressId, entry.firstSeq, entry.digest]);
          }
          hash = put(encode(rows));
          if (full) this.#chunkHashes.set(c, hash);
        }
        chunks.push(hash);
      }
    }
    return { next: this.#next, chunks };
  }

  /** @param chunks - decoded chunk nodes in order, each with the hash it was stored under. */
  static restore(
    next: number,
    chunks: readonly { hash: Uint8Array; entries: readonly KnownIngress[] }[],
  ): IngressMemory {
    const memory = new IngressMemory();
    memory.#next = next;
    const firstChunk = memory.#firstChunk();
    chunks.forEach((chunk, i) => {
      chunk.entries.forEach((entry, k) => {
        const n = (firstChunk + i) * CHUNK + k;
        memory.#entries.set(n, entry);
        if (n >= next - REMEMBERED) memory.#byId.set(entry.ingressId, n);
      });
      if (chunk.entries.length === CHUNK) memory.#chunkHashes.set(firstChunk + i, chunk.hash);
    });
    return memory;
  }
}

/** `recent` node of a snapshot. */
export function recentNode(receipts: readonly SettledReceipt[], results: readonly RecentPlanResult[]): Uint8Array {
  return encode({
    receipts: receipts.map((r) => [r.intentHash, r.emissionSeq]),
    plan_results: results.map((r) => ({
      plan_name: r.planName,
      plan_id: r.planId,
      output_schema: r.outputSchema,
      value_cbor: r.valueCbor,
    })),
  });
}

/** Governance node of a world without proposals; proposals come with governance. */
export const EMPTY_GOVERNANCE: Uint8Array = encode({ next_proposal_id: 0, proposals: [] });
