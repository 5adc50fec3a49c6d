import { FailureError } from '@worldline/canon';
import type { Ingress, Kernel, ReceiptData, ReceiptVerdict } from '@worldline/kernel';
import type { Clock, InboxItem } from '@worldline/ports';
import type { HostFailure } from './failure.ts';
import type { InboxReader } from './inbox-reader.ts';
import type { HostKey } from './keys.ts';
import { Fifo, type FinishedReceipt, type LoopInput, outboxKey } from './loop-input.ts';
import { isCorruption } from './restore.ts';
import { SIGNING_GROUP_MAX, signReceipts } from './signer.ts';
import { readStoredItem } from './stored-item.ts';
import type { TimerOffers } from './timer-offers.ts';
import type { ReceiptVerifier } from './verifier.ts';

export interface LoopQueueParts {
  readonly worldId: string;
  readonly clock: Clock;
  readonly timers: Pick<TimerOffers, 'length' | 'shift' | 'drop'>;
  readonly inbox: Pick<InboxReader, 'length' | 'shift' | 'reset'>;
  readonly verifier: () => Pick<ReceiptVerifier, 'judge'>;
  readonly receiptKey: HostKey;
  /** The one that the next input is for. */
  readonly kernel: () => Pick<Kernel, 'config' | 'emission' | 'emissionOfIntent'>;
}

/** Receipts handled before one input of another kind gets its turn (at most 256: `host.md` §7.2). */
const RECEIPTS_PER_OTHER = 64;

/**
 * What waits to be applied, and what comes next (`host.md` §7.2): inputs that were put back, then receipts, and between
 * them timers, requests and inbox items in turn.
 *
 * Q1  Each kind keeps its order. What was put back comes before everything else, as it was.
 * Q2  No kind waits for another to run out.
 * Q3  A receipt comes out signed by this host or judged by it, whatever its sender says of it.
 * Q4  Nothing comes out of an inbox item that is not what was enqueued.
 */
export class LoopQueue {
  readonly #parts: LoopQueueParts;
  readonly #again = new Fifo<LoopInput>();
  readonly #unsigned = new Fifo<FinishedReceipt>();
  readonly #receipts = new Fifo<LoopInput>();
  readonly #requests = new Fifo<LoopInput>();
  #receiptsInRow = 0;
  #lastOther = 0;

  constructor(parts: LoopQueueParts) {
    this.#parts = parts;
  }

  /** Inputs that could be applied now. */
  get length(): number {
    const { timers, inbox } = this.#parts;
    return (
      this.#again.length +
      this.#receipts.length +
      this.#unsigned.length +
      this.#requests.length +
      timers.length +
      inbox.length
    );
  }

  /** A client's or an operator's ingress. */
  addRequest(input: LoopInput): void {
    this.#requests.push(input);
  }

  addReceipt(finished: FinishedReceipt): void {
    this.#unsigned.push(finished);
  }

  /** Inputs whose batches were discarded: they come before anything new. */
  putBack(inputs: readonly LoopInput[]): void {
    this.#again.unshift(inputs);
  }

  /** After a reload: inbox items come again from behind the restored cursor; the rest keeps its order. */
  rewindInbox(cursor: Uint8Array): void {
    this.#again.unshift(this.#again.drain().filter((input) => input.ingress.inboxSeq === undefined));
    this.#parts.inbox.reset(cursor);
  }

  /** Forgets everything, and tells who waits. */
  drop(failure: HostFailure): void {
    for (const queue of [this.#again, this.#receipts, this.#requests, this.#unsigned]) {
      for (const waiting of queue.drain()) waiting.onDropped(failure);
    }
    this.#parts.timers.drop();
  }

  /** @throws FailureError for an inbox item that is not what was enqueued: the store is damaged. */
  next(): LoopInput | undefined {
    const again = this.#again.shift();
    if (again !== undefined) return again;
    if (this.#receiptsInRow < RECEIPTS_PER_OTHER) {
      const receipt = this.#nextReceipt();
      if (receipt !== undefined) {
        this.#receiptsInRow++;
        return receipt;
      }
    }
    this.#receiptsInRow = 0;
    return this.#nextOther() ?? this.#nextReceipt();
  }

  /** Timers, requests and inbox items in turn. */
  #nextOther(): LoopInput | undefined {
    for (let k = 0; k < 3; k++) {
      this.#lastOther = (this.#lastOther + 1) % 3;
      const input =
        this.#lastOther === 0
          ? this.#parts.timers.shift()
          : this.#lastOther === 1
            ? this.#judged(this.#requests.shift())
            : this.#nextItem();
      if (input !== undefined) return input;
    }
    return undefined;
  }

  /** Receipts are signed when they are taken: one signature for all that are finished by then. */
  #nextReceipt(): LoopInput | undefined {
    if (this.#receipts.length === 0 && this.#unsigned.length > 0) {
      const { worldId, receiptKey } = this.#parts;
      const group: FinishedReceipt[] = [];
      while (group.length < SIGNING_GROUP_MAX) {
        const finished = this.#unsigned.shift();
        if (finished === undefined) break;
        group.push(finished);
      }
      const isRequired = this.#parts.kernel().config.receipt_verification === 'required';
      const verdict = isRequired ? { sigKey: receiptKey.keyId } : {};
      signReceipts(
        worldId,
        receiptKey,
        group.map((f) => f.receipt),
      ).forEach((receipt, i) => {
        const finished = group[i]!;
        this.#receipts.push({
          ingress: { kind: 'receipt', receipt, verdict, token: finished.token },
          onDurable: (applied) => finished.onDurable(applied),
          onDropped: (failure) => finished.onDropped(failure),
        });
      });
    }
    return this.#receipts.shift();
  }

  #nextItem(): LoopInput | undefined {
    const item = this.#parts.inbox.shift();
    if (item === undefined) return undefined;
    return { ingress: this.#ingressOf(item), row: outboxKey(item.dedupeKey), onDurable() {}, onDropped() {} };
  }

  /** A receipt that somebody hands over is judged like one from the inbox, whatever its sender says of it. */
  #judged(input: LoopInput | undefined): LoopInput | undefined {
    if (input?.ingress.kind !== 'receipt') return input;
    const { receipt } = input.ingress;
    return {
      ingress: { kind: 'receipt', receipt, verdict: this.#verdict(receipt) },
      onDurable: (applied) => input.onDurable(applied),
      onDropped: (failure) => input.onDropped(failure),
    };
  }

  #verdict(receipt: ReceiptData): ReceiptVerdict {
    const kernel = this.#parts.kernel();
    const emission =
      receipt.emissionSeq === undefined
        ? kernel.emissionOfIntent(receipt.intentHash)
        : kernel.emission(receipt.emissionSeq);
    return this.#parts.verifier().judge(receipt, emission, this.#parts.clock.wallNs());
  }

  #ingressOf(item: InboxItem): Ingress {
    const stored = readStoredItem(item);
    if (!stored.ok) {
      if (isCorruption(stored.failure.code)) throw new FailureError(stored.failure);
      // No item at all: an event without a schema, which the kernel refuses on record, so that the cursor moves on.
      return { kind: 'event', schema: '', value: item.item.subarray(0, 1024), inboxSeq: item.seq };
    }
    const { ingress } = stored.value;
    if (ingress.kind !== 'receipt') return { ...ingress, inboxSeq: item.seq };
    const verdict = this.#verdict(ingress.receipt);
    return { ...ingress, verdict, inboxSeq: item.seq, dedupeKey: item.dedupeKey };
  }
}
