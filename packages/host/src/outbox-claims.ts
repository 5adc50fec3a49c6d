import { FailureError } from '@worldline/canon';
import type { Failpoints, Logger, Store } from '@worldline/ports';
import type { Dispatcher } from './dispatcher.ts';
import type { Loop } from './loop.ts';
import { isCorruption } from './restore.ts';

export interface OutboxClaimsParts {
  readonly worldId: string;
  readonly store: Pick<Store, 'outbox'>;
  readonly worker: string;
  readonly log: Logger;
  readonly failpoints: Failpoints | undefined;
  readonly loop: () => Pick<Loop, 'kernel' | 'isStopped' | 'stop'>;
  readonly dispatcher: () => Pick<Dispatcher, 'dispatch' | 'isHeld'>;
  /** The store was asked, with or without success. */
  readonly onLooked: () => void;
}

const PAGE = 256;
const VISIBILITY_MS = 2_000;
const POLL_MS = 250;

/**
 * Outbox rows that no commit of this process claimed: all of them after opening, later those that were given back.
 *
 * B1  A look that leaves an external effect pending which the dispatcher does not hold is followed by another.
 * B2  What is claimed goes to the dispatcher, unless its emission was settled meanwhile.
 */
export class OutboxClaims {
  readonly #parts: OutboxClaimsParts;
  #timer: NodeJS.Timeout | undefined;
  #mayBeLeft = true;
  #isStopped = false;

  constructor(parts: OutboxClaimsParts) {
    this.#parts = parts;
  }

  /** A row may wait for somebody to claim it. */
  get mayBeLeft(): boolean {
    return this.#mayBeLeft;
  }

  /** Claims what there is, now; resolves when it is with the dispatcher. Trouble is reported, and tried again. */
  async claim(): Promise<void> {
    const { worldId, store, worker, log, failpoints } = this.#parts;
    const loop = this.#parts.loop();
    const dispatcher = this.#parts.dispatcher();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isStopped) return;
    try {
      for (;;) {
        const rows = await store.outbox.claim(worldId, undefined, worker, PAGE, VISIBILITY_MS);
        if (loop.isStopped) return;
        for (const row of rows) {
          const emission = loop.kernel.emission(row.emissionSeq);
          if (emission === undefined) continue;
          failpoints?.reach('dispatch.claimed', emission.kind);
          dispatcher.dispatch(emission, row);
        }
        if (rows.length < PAGE) break;
      }
    } catch (error) {
      if (error instanceof FailureError && isCorruption(error.failure.code)) {
        loop.stop(error.failure);
        return;
      }
      log.warn('outbox rows could not be claimed', { error: String(error) });
    }
    this.#mayBeLeft = [...loop.kernel.pending()].some(
      (e) => e.class === 'external' && !dispatcher.isHeld(e.emissionSeq),
    );
    if (this.#mayBeLeft) this.#soon();
    this.#parts.onLooked();
  }

  /** A row was given back. */
  rowLeft(): void {
    this.#mayBeLeft = true;
    this.#soon();
  }

  #soon(): void {
    if (this.#isStopped) return;
    this.#timer ??= setTimeout(() => void this.claim(), POLL_MS);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }
}
