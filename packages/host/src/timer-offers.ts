import { type Applied, type Ingress, type Kernel, type TimerRow, timerDueNs } from '@worldline/kernel';
import type { Clock, Failpoints, Logger, Store } from '@worldline/ports';
import type { Lease } from './lease.ts';
import { Fifo, type LoopInput } from './loop-input.ts';
import type { Stamper } from './stamps.ts';
import { type DueEntry, TimerIndex } from './timers.ts';

export interface TimerOffersParts {
  readonly worldId: string;
  readonly store: Pick<Store, 'timers'>;
  readonly lease: Pick<Lease, 'epoch'>;
  readonly clock: Clock;
  readonly stamper: Stamper;
  readonly log: Logger;
  readonly failpoints: Failpoints | undefined;
  /** Something is due, or may be: whoever applies offers should look. */
  readonly onDue: () => void;
}

/**
 * Pending timers of a world, offered to its loop when they are due (`kernel.md` §12, `host.md` §5.3).
 *
 * T1  A pending timer is in the index, or an offer of it is on its way, until its receipt is durable. An offer that came
 *     too early puts it back.
 * T2  None is offered before its logical time, as the stamper has it; the kernel decides by its own.
 * T3  While something is in the index the clock wakes the loop at the first due time, unless intake has ended.
 */
export class TimerOffers {
  readonly #parts: TimerOffersParts;
  readonly #index = new TimerIndex();
  readonly #offers = new Fifo<LoopInput>();
  #armedNs: bigint | undefined;
  #cancel: (() => void) | undefined;
  #isStopped = false;

  constructor(parts: TimerOffersParts) {
    this.#parts = parts;
  }

  /** Offers that nobody has taken. */
  get length(): number {
    return this.#offers.length;
  }

  shift(): LoopInput | undefined {
    return this.#offers.shift();
  }

  /** Makes an offer of each timer that is due; one that was settled meanwhile is dropped. */
  collect(kernel: Pick<Kernel, 'emission'>): void {
    if (this.#isStopped || this.#index.size === 0) return;
    const logicalNs = this.#parts.stamper.logicalNs();
    for (;;) {
      const entry = this.#index.take(logicalNs);
      if (entry === undefined) return;
      const emission = kernel.emission(entry.emissionSeq);
      if (emission === undefined) continue;
      this.#parts.failpoints?.reach('loop.timer_due', emission.kind);
      this.#offers.push(new TimerOffer(entry, this));
    }
  }

  /** Sets the clock to the first due time, when that has changed. */
  arm(): void {
    const first = this.#index.peek();
    if (this.#isStopped || first === undefined || first.dueNs === this.#armedNs) return;
    const { stamper, clock, onDue } = this.#parts;
    this.#cancel?.();
    this.#armedNs = first.dueNs;
    this.#cancel = clock.setTimer(stamper.monoAtNs(first.dueNs), () => {
      this.#armedNs = undefined;
      onDue();
    });
  }

  /** Timers of a durable batch. */
  add(kernel: Pick<Kernel, 'emission'>, rows: readonly Pick<TimerRow, 'emissionSeq' | 'intentHash'>[]): void {
    for (const { emissionSeq, intentHash } of rows) {
      const emission = kernel.emission(emissionSeq);
      if (emission === undefined) continue;
      this.#index.add({ emissionSeq, intentHash, dueNs: timerDueNs(emission) });
    }
  }

  /** An offer that came too early: it is made again when its time has come. */
  putBack(entry: DueEntry, dueWallNs: bigint | undefined): void {
    const { store, worldId, lease, log, onDue } = this.#parts;
    this.#index.add(entry);
    this.#armedNs = undefined;
    onDue();
    if (dueWallNs === undefined) return;
    // The row is an estimate for whoever offers timers from the store; without the new one it only offers too often.
    store.timers.rearm(worldId, lease.epoch, entry.emissionSeq, dueWallNs).catch((error: unknown) => {
      log.warn('a timer row was not re-armed', { error: String(error) });
    });
  }

  /** Begins again from the kernel's pending emissions: at opening, and after a reload. */
  rebuild(kernel: Pick<Kernel, 'pending'>): void {
    this.#index.clear();
    this.drop();
    this.#armedNs = undefined;
    for (const emission of kernel.pending()) {
      if (emission.class !== 'timer') continue;
      const { emissionSeq, intentHash } = emission;
      this.#index.add({ emissionSeq, intentHash, dueNs: timerDueNs(emission) });
    }
  }

  /** Forgets the offers that nobody has taken. */
  drop(): void {
    this.#offers.drain();
  }

  /** Makes no further offers; those that are made can still be taken. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }
}

class TimerOffer implements LoopInput {
  readonly ingress: Ingress;
  readonly #entry: DueEntry;
  readonly #offers: TimerOffers;

  constructor(entry: DueEntry, offers: TimerOffers) {
    this.#entry = entry;
    this.#offers = offers;
    this.ingress = { kind: 'timer', emissionSeq: entry.emissionSeq };
  }

  onDurable(applied: Applied): void {
    if (applied.outcome.kind === 'skipped') this.#offers.putBack(this.#entry, applied.outcome.rearmWallNs);
  }

  onDropped(): void {}
}
