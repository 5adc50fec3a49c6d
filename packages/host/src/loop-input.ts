import type { Applied, Ingress } from '@worldline/kernel';
import type { HostFailure } from './failure.ts';
import type { UnsignedReceipt } from './signer.ts';

/** Something for the kernel, and who waits for it. */
export interface LoopInput {
  readonly ingress: Ingress;
  /** The outbox row that was marked done with this inbox item. */
  readonly row?: OutboxKey | undefined;
  /** Its batch is durable; or it has none, and everything before it is durable. */
  onDurable(applied: Applied): void;
  /** The loop has stopped; nothing of it is durable as far as this process knows. */
  onDropped(failure: HostFailure): void;
}

/** A finished effect on its way into the loop, which signs its receipt. */
export interface FinishedReceipt {
  readonly receipt: UnsignedReceipt;
  /** Claim token of the outbox row, to release it if the receipt is refused. */
  readonly token: Uint8Array | undefined;
  onDurable(applied: Applied): void;
  onDropped(failure: HostFailure): void;
}

export interface OutboxKey {
  readonly emissionSeq: number;
  readonly dedupeKey: string;
}

const ROW_KEY = /^r:(\d{1,15}):\d+$/;

/** The row that `outbox.complete` enqueued an item for, by its key `r:<emission_seq>:<attempt>` (`hosting.md` §5). */
export function outboxKey(dedupeKey: string | undefined): OutboxKey | undefined {
  const match = dedupeKey === undefined ? null : ROW_KEY.exec(dedupeKey);
  return match === null ? undefined : { emissionSeq: Number(match[1]), dedupeKey: match[0] };
}

/** First in, first out, without moving what waits. */
export class Fifo<T> {
  #items: T[] = [];
  #next = 0;

  get length(): number {
    return this.#items.length - this.#next;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.#next === this.#items.length) return undefined;
    const item = this.#items[this.#next]!;
    this.#next++;
    if (this.#next === this.#items.length) {
      this.#items = [];
      this.#next = 0;
    } else if (this.#next >= 1024) {
      this.#items = this.#items.slice(this.#next);
      this.#next = 0;
    }
    return item;
  }

  /** Puts items before everything else, in their order. */
  unshift(items: readonly T[]): void {
    this.#items = [...items, ...this.#items.slice(this.#next)];
    this.#next = 0;
  }

  drain(): T[] {
    const items = this.#items.slice(this.#next);
    this.#items = [];
    this.#next = 0;
    return items;
  }
}
