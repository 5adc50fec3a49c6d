import { decode, encode } from '@worldline/canon';
import { KernelFault } from './fault.ts';
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
  readonly #load: (() => readonly T[]) | undefined;
  #items: T[] | undefined;

  /** @param load - the items to begin with; called when they are first needed. */
  constructor(capacity: number, load?: () => readonly T[]) {
    this.capacity = capacity;
    this.#load = load;
  }

  get items(): readonly T[] {
    const items = this.#all();
    // The backing array grows to twice the capacity before it is cut, so that a push does not shift.
    return items.length > this.capacity ? items.slice(-this.capacity) : items;
  }

  #all(): T[] {
    this.#items ??= [...(this.#load?.() ?? [])];
    return this.#items;
  }

  push(item: T, undo: UndoLog): void {
    const items = this.#all();
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

/** What `recentNode` wrote, read when it is first asked for. */
export class RecentNode {
  readonly #read: () => Uint8Array;
  #node: StoredRecent | undefined;

  /** @param read - gives its bytes, or throws. */
  constructor(read: () => Uint8Array) {
    this.#read = read;
  }

  readonly receipts = (): SettledReceipt[] =>
    this.#decoded().receipts.map(([intentHash, emissionSeq]) => ({ intentHash, emissionSeq }));

  readonly planResults = (): RecentPlanResult[] =>
    this.#decoded().plan_results.map((r) => ({
      planName: r.plan_name,
      planId: r.plan_id,
      outputSchema: r.output_schema,
      valueCbor: r.value_cbor,
    }));

  #decoded(): StoredRecent {
    if (this.#node === undefined) {
      const decoded = decode(this.#read());
      if (!decoded.ok) throw new KernelFault('object.corrupt', `recent node: ${decoded.failure.code}`);
      this.#node = decoded.value as unknown as StoredRecent;
    }
    return this.#node;
  }
}

interface StoredRecent {
  readonly receipts: readonly (readonly [Uint8Array, number])[];
  readonly plan_results: readonly {
    readonly plan_name: string;
    readonly plan_id: number;
    readonly output_schema: string;
    readonly value_cbor: Uint8Array;
  }[];
}
