import { FailureError } from '@worldline/canon';
import type { InboxItem, Logger, Store } from '@worldline/ports';
import type { HostFailure } from './failure.ts';
import { Fifo } from './loop-input.ts';
import { isCorruption } from './restore.ts';

const PAGE = 256;
const POLL_MS = 50;

/**
 * Items of the world's durable inbox, in seq order, read ahead of the loop (`hosting.md` §5).
 *
 * Other processes enqueue there; nothing tells this one, so it looks every 50 ms. One read is under way at most. Real
 * time, not the world's clock: a world whose clock stands still has an inbox all the same.
 */
export class InboxReader {
  readonly #store: Store;
  readonly #worldId: string;
  readonly #log: Logger;
  readonly #onItems: () => void;
  readonly #onDamage: (failure: HostFailure) => void;
  readonly #items = new Fifo<InboxItem>();
  #after: Uint8Array;
  #reading: Promise<void> | undefined;
  #readAgain = false;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: {
    readonly store: Store;
    readonly worldId: string;
    readonly log: Logger;
    readonly after: Uint8Array;
    readonly onItems: () => void;
    /** The store is damaged; nothing more will come. */
    readonly onDamage: (failure: HostFailure) => void;
  }) {
    this.#store = options.store;
    this.#worldId = options.worldId;
    this.#log = options.log;
    this.#after = options.after;
    this.#onItems = options.onItems;
    this.#onDamage = options.onDamage;
  }

  get length(): number {
    return this.#items.length;
  }

  shift(): InboxItem | undefined {
    const item = this.#items.shift();
    if (item !== undefined && this.#items.length === 0) this.poll();
    return item;
  }

  /** Begins again after another item, as after a reload. */
  reset(after: Uint8Array): void {
    this.#items.drain();
    this.#after = after;
    this.poll();
  }

  /** Looks now. */
  poll(): void {
    if (this.#isStopped) return;
    if (this.#reading !== undefined) {
      this.#readAgain = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#reading = this.#read().then(
      () => this.#rest(),
      (error: unknown) => {
        this.#log.warn('the inbox could not be read', { error: String(error) });
        if (error instanceof FailureError && isCorruption(error.failure.code)) this.#onDamage(error.failure);
        this.#rest();
      },
    );
  }

  /** Looks now, and resolves when what was there has been taken over. */
  async settled(): Promise<void> {
    this.poll();
    while (this.#reading !== undefined) await this.#reading;
  }

  async #read(): Promise<void> {
    const after = this.#after;
    const items = await this.#store.inbox.read(this.#worldId, after, PAGE);
    // A reset in between: these may lie before the new position.
    if (this.#after !== after || this.#isStopped) return;
    for (const item of items) this.#items.push(item);
    const last = items.at(-1);
    if (last !== undefined) {
      this.#after = last.seq;
      this.#onItems();
    }
  }

  #rest(): void {
    this.#reading = undefined;
    if (this.#isStopped) return;
    if (this.#readAgain) {
      this.#readAgain = false;
      this.poll();
      return;
    }
    // With items in hand the next look comes when they are used up.
    if (this.#items.length === 0) this.#timer = setTimeout(() => this.poll(), POLL_MS);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#items.drain();
  }
}
