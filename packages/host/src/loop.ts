import { bytesEqual, FailureError } from '@worldline/canon';
import {
  type Applied,
  type Ingress,
  type Kernel,
  KernelFault,
  type ReceiptData,
  type ReceiptVerdict,
  type StoredObject,
  timerDueNs,
} from '@worldline/kernel';
import type { Clock, CommitAnswer, Failpoints, Head, InboxItem, Logger, Store } from '@worldline/ports';
import type { FinishedReceipt } from './dispatcher.ts';
import type { HostFailure } from './failure.ts';
import { type GroupEntry, OpenGroup } from './group.ts';
import type { InboxReader } from './inbox-reader.ts';
import type { HostKey } from './keys.ts';
import type { Lease, LeaseLoss } from './lease.ts';
import { Fifo, type LoopInput, type OutboxKey, outboxKey } from './loop-input.ts';
import { isCorruption } from './restore.ts';
import { SIGNING_GROUP_MAX, signReceipts } from './signer.ts';
import type { Stamper } from './stamps.ts';
import { readStoredItem } from './stored-item.ts';
import type { DueEntry, TimerIndex } from './timers.ts';
import type { ReceiptVerifier } from './verifier.ts';

/**
 * The loop around one kernel (`host.md` §7.2, `hosting.md` §7): the only code that calls `apply`.
 *
 * L1  Nothing is answered, published or dispatched before its batch is durable.
 * L2  At most one commit is in flight. What is applied meanwhile forms the next group; order is kept.
 * L3  A group whose commit did not happen is discarded with everything applied after it. Its inputs are applied again
 *     with new stamps, in the same order, unless the loop stops.
 * L4  Nothing is applied without lease margin, and nothing is written after the lease is gone.
 * L5  Nothing is applied of an inbox item that is not what was enqueued.
 */

export interface LoopParts {
  readonly worldId: string;
  readonly store: Store;
  readonly kernel: Kernel;
  readonly lease: Lease;
  readonly clock: Clock;
  readonly stamper: Stamper;
  readonly timers: TimerIndex;
  readonly inbox: InboxReader;
  readonly verifier: () => ReceiptVerifier;
  readonly receiptKey: HostKey;
  readonly log: Logger;
  readonly maxGroup: number;
  readonly fsync: 'group' | 'always';
  /** Claim under which new outbox rows are inserted. */
  readonly claim: { readonly executor: string; readonly token: Uint8Array };
  /** In order, once per durable batch, before its submitter is answered. */
  readonly onDurable: (applied: Applied) => void;
  /** The world cannot go on in this process. */
  readonly onStopped: (failure: HostFailure) => void;
  /** Rebuilds the kernel from the store after a conflict. */
  readonly reload: () => Promise<Kernel | HostFailure>;
  readonly random: () => number;
  readonly failpoints: Failpoints | undefined;
}

/** Receipts handled before one input of another kind gets its turn (at most 256: `host.md` §7.2). */
const RECEIPTS_PER_OTHER = 64;
/** With the writer idle, a group this large is committed although more is waiting, so that both sides work. */
const EARLY_COMMIT = 32;
/**
 * So is half of a burst, where applying all of it takes longer than a commit: while one half is being made durable the
 * other is applied, and from then on the two take turns. On a slow disk a commit more would cost more than that saves.
 */
const HALF_MIN = 4;
const TURN_NS = 8_000_000n;

/** A timer offer as an input. */
class TimerInput implements LoopInput {
  readonly ingress: Ingress;
  readonly entry: DueEntry;
  readonly #loop: Loop;

  constructor(loop: Loop, entry: DueEntry) {
    this.#loop = loop;
    this.entry = entry;
    this.ingress = { kind: 'timer', emissionSeq: entry.emissionSeq };
  }

  onDurable(applied: Applied): void {
    if (applied.outcome.kind === 'skipped') this.#loop.rearm(this.entry, applied.outcome.rearmWallNs);
  }

  onDropped(): void {}
}

export class Loop {
  #kernel: Kernel;
  readonly #parts: LoopParts;
  readonly #requests = new Fifo<LoopInput>();
  readonly #unsigned = new Fifo<FinishedReceipt>();
  readonly #receipts = new Fifo<LoopInput>();
  readonly #dueTimers = new Fifo<LoopInput>();
  /** Inputs of a discarded group: they come before anything new. */
  readonly #again = new Fifo<LoopInput>();
  readonly #quiet: (() => void)[] = [];
  #durable: Head;
  #open = new OpenGroup();
  #flight: OpenGroup | undefined;
  #sentNs = 0n;
  /** What a commit takes these days, and applying one input. */
  #commitNs = 0;
  #inputNs = 0;
  #isScheduled = false;
  #isPaused = false;
  #isStopped = false;
  #takesNew = true;
  #receiptsInRow = 0;
  #lastOther = 0;
  #backoffMs = 0;
  #timerArmedNs: bigint | undefined;
  #cancelTimer: (() => void) | undefined;
  #idleWaiters: (() => void)[] = [];

  constructor(parts: LoopParts) {
    this.#parts = parts;
    this.#kernel = parts.kernel;
    this.#durable = parts.kernel.head;
  }

  get kernel(): Kernel {
    return this.#kernel;
  }

  /** Head after the last durable batch. */
  get durable(): Head {
    return this.#durable;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  // Inputs

  /** A client's or an operator's ingress. */
  submit(input: LoopInput, stopped: HostFailure): void {
    if (this.#isStopped) {
      input.onDropped(stopped);
      return;
    }
    this.#requests.push(input);
    this.schedule();
  }

  deliver(finished: FinishedReceipt): void {
    if (this.#isStopped) return;
    this.#unsigned.push(finished);
    this.schedule();
  }

  /** Runs `fn` between batches, when everything applied is durable. It may apply through `applyNow`. */
  whenQuiet(fn: () => void): void {
    this.#quiet.push(fn);
    this.schedule();
  }

  /** No further timers and inbox items; what was submitted is still applied. */
  stopIntake(): void {
    this.#takesNew = false;
    this.#cancelTimer?.();
  }

  // Turns

  schedule(): void {
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    queueMicrotask(this.#turn);
  }

  readonly #turn = (): void => {
    this.#isScheduled = false;
    if (this.#isStopped || this.#isPaused) return;
    try {
      this.#pump();
    } catch (error) {
      this.#fault(error);
    }
  };

  #pump(): void {
    const { clock, lease, maxGroup, fsync } = this.#parts;
    const beganNs = clock.monoNs();
    const endNs = beganNs + TURN_NS;
    if (this.#takesNew) this.#collectTimers();
    let n = 1;
    for (; ; n++) {
      if (this.#quiet.length > 0) {
        if (this.#flight !== undefined || this.#open.entries.length > 0) break;
        this.#quiet.shift()!();
        continue;
      }
      if (
        this.#open.isFull(maxGroup) ||
        (fsync === 'always' && (this.#flight !== undefined || this.#open.batches.length > 0))
      )
        break;
      if (this.#waiting === 0) break;
      if (!lease.mayApply()) {
        // The next renewal schedules a turn, or ends the loop.
        this.#parts.log.warn('the lease is short; nothing is applied until it is renewed');
        break;
      }
      const input = this.#next();
      if (input === undefined) break;
      this.#apply(input);
      if (this.#flight === undefined && this.#isWorthCommitting()) this.#commit();
      if (n % 16 === 0 && clock.monoNs() > endNs) {
        // Commit answers and sockets get their turn.
        this.#isScheduled = true;
        setImmediate(this.#turn);
        break;
      }
    }
    if (n > 1) this.#inputNs += (Number(clock.monoNs() - beganNs) / n - this.#inputNs) / 8;
    if (this.#flight === undefined) {
      if (this.#open.batches.length > 0) this.#commit();
      else if (this.#open.entries.length > 0) this.#answerOpen();
    }
    if (this.#takesNew) this.#armTimer();
    this.#wakeIdle();
  }

  /** Although more is waiting. */
  #isWorthCommitting(): boolean {
    const applied = this.#open.batches.length;
    if (applied >= EARLY_COMMIT) return true;
    if (applied < HALF_MIN) return false;
    const waiting = this.#waiting;
    return waiting >= HALF_MIN && applied >= waiting && this.#isLongWork(applied + waiting);
  }

  /** Applying so many inputs takes longer than a commit. */
  #isLongWork(inputs: number): boolean {
    return inputs * this.#inputNs >= this.#commitNs;
  }

  #apply(input: LoopInput): void {
    const applied = this.#kernel.apply(input.ingress, this.#parts.stamper.sample());
    this.#open.add(input, input.row === undefined ? applied : this.#releasing(input.row, applied));
    this.#parts.failpoints?.reach('loop.applied', input.ingress.kind);
  }

  /**
   * An executor's item that did not settle its emission, whatever it was, gives the row back (`hosting.md` §4.1 commit
   * step 6): one that is damaged, of another kind, or for another emission must not strand the effect.
   */
  #releasing(row: OutboxKey, applied: Applied): Applied {
    const { batch } = applied;
    if (batch === undefined || this.#kernel.emission(row.emissionSeq) === undefined) return applied;
    return { ...applied, batch: { ...batch, released: [row] } };
  }

  /** Entries without a batch, with nothing before them that is not durable. */
  #answerOpen(): void {
    const { entries } = this.#open;
    this.#open = new OpenGroup();
    this.#answer(entries);
  }

  /**
   * Applies one ingress from inside `whenQuiet`, as the first of its group.
   *
   * @param objects - made durable with it.
   */
  applyNow(input: LoopInput, objects: readonly StoredObject[]): void {
    this.#open.add(input, this.#kernel.apply(input.ingress, this.#parts.stamper.sample()), objects);
    if (this.#flight === undefined) this.#commit();
  }

  // Choosing the next input

  /** Inputs that could be applied now. */
  get #waiting(): number {
    return (
      this.#again.length +
      this.#receipts.length +
      this.#unsigned.length +
      this.#requests.length +
      this.#dueTimers.length +
      (this.#takesNew ? this.#parts.inbox.length : 0)
    );
  }

  #next(): LoopInput | undefined {
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
          ? this.#dueTimers.shift()
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
      const isRequired = this.#kernel.config.receipt_verification === 'required';
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
    const item = this.#takesNew ? this.#parts.inbox.shift() : undefined;
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
    const emission =
      receipt.emissionSeq === undefined
        ? this.#kernel.emissionOfIntent(receipt.intentHash)
        : this.#kernel.emission(receipt.emissionSeq);
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

  // Timers

  #collectTimers(): void {
    const { timers, stamper } = this.#parts;
    if (timers.size === 0) return;
    const logicalNs = stamper.logicalNs();
    for (;;) {
      const entry = timers.take(logicalNs);
      if (entry === undefined) return;
      const emission = this.#kernel.emission(entry.emissionSeq);
      if (emission === undefined) continue;
      this.#parts.failpoints?.reach('loop.timer_due', emission.kind);
      this.#dueTimers.push(new TimerInput(this, entry));
    }
  }

  #armTimer(): void {
    const { timers, stamper, clock } = this.#parts;
    const first = timers.peek();
    if (first === undefined || first.dueNs === this.#timerArmedNs) return;
    this.#cancelTimer?.();
    this.#timerArmedNs = first.dueNs;
    this.#cancelTimer = clock.setTimer(stamper.monoAtNs(first.dueNs), () => {
      this.#timerArmedNs = undefined;
      this.schedule();
    });
  }

  /** An offer that came too early: it is made again when its time has come. */
  rearm(entry: DueEntry, dueWallNs: bigint | undefined): void {
    const { timers, store, worldId, lease, log } = this.#parts;
    timers.add(entry);
    this.#timerArmedNs = undefined;
    this.schedule();
    if (dueWallNs === undefined) return;
    // The row is an estimate for whoever offers timers from the store; without the new one it only offers too often.
    store.timers.rearm(worldId, lease.epoch, entry.emissionSeq, dueWallNs).catch((error: unknown) => {
      log.warn('a timer row was not re-armed', { error: String(error) });
    });
  }

  /** Timers from the kernel's pending emissions, as at opening. */
  rebuildTimers(): void {
    const { timers } = this.#parts;
    timers.clear();
    this.#dueTimers.drain();
    this.#timerArmedNs = undefined;
    for (const emission of this.#kernel.pending()) {
      if (emission.class !== 'timer') continue;
      timers.add({ emissionSeq: emission.emissionSeq, intentHash: emission.intentHash, dueNs: timerDueNs(emission) });
    }
  }

  // Commit

  #commit(): void {
    const group = this.#open;
    this.#open = new OpenGroup();
    this.#flight = group;
    this.#sentNs = this.#parts.clock.monoNs();
    const { store, worldId, lease, claim } = this.#parts;
    const answer = store.commit(worldId, lease.epoch, this.#durable, group.batches, { objects: group.objects, claim });
    answer.then(
      (result) => this.#committed(group, result),
      (error: unknown) => this.#fault(error),
    );
  }

  #committed(group: OpenGroup, result: CommitAnswer): void {
    if (this.#isStopped) return;
    switch (result.answer) {
      case 'ok':
        this.#accepted(group);
        return;
      case 'fenced':
        this.stop(leaseFailure(this.#parts.lease.lossBy(result.epoch), this.#parts.lease.trouble));
        return;
      case 'conflict':
        void this.#afterConflict();
        return;
      case 'unavailable':
        this.#parts.log.warn('a commit did not happen; its inputs are applied again', { reason: result.message });
        this.#retryLater(result.message);
        return;
      case 'unknown':
        void this.#afterUnknown(group, result.message);
        return;
      default:
        result satisfies never;
    }
  }

  #accepted(group: OpenGroup): void {
    if (this.#parts.failpoints !== undefined) {
      for (const { input } of group.entries) this.#parts.failpoints.reach('loop.committed', input.ingress.kind);
    }
    const last = group.batches.at(-1)!;
    this.#commitNs += (Number(this.#parts.clock.monoNs() - this.#sentNs) - this.#commitNs) / 8;
    this.#kernel.accept(group.batches.length);
    this.#durable = { height: last.lastSeq + 1, chain: last.chain };
    this.#flight = undefined;
    this.#backoffMs = 0;
    // The writer goes on while answers are given; where it is the slower side, what these answers bring back at once joins.
    const isWorthIt = this.#isLongWork(group.entries.length + this.#open.entries.length);
    if (this.#open.batches.length > 0 && this.#quiet.length === 0 && isWorthIt) this.#commit();
    this.#answer(group.entries);
    this.schedule();
  }

  #answer(entries: readonly GroupEntry[]): void {
    for (const { input, applied } of entries) {
      if (applied.batch !== undefined) {
        this.#addTimers(applied);
        this.#parts.onDurable(applied);
      }
      input.onDurable(applied);
      if (this.#isStopped) return;
    }
  }

  #addTimers(applied: Applied): void {
    for (const row of applied.batch!.timers) {
      const emission = this.#kernel.emission(row.emissionSeq);
      if (emission === undefined) continue;
      this.#parts.timers.add({ emissionSeq: row.emissionSeq, intentHash: row.intentHash, dueNs: timerDueNs(emission) });
    }
  }

  // What a commit without `ok` leads to (`hosting.md` §4.3)

  /** Drops everything tentative; its inputs wait to be applied again, in order. */
  #discard(): void {
    const inputs = [...(this.#flight?.entries ?? []), ...this.#open.entries].map((entry) => entry.input);
    this.#kernel.discard();
    this.#flight = undefined;
    this.#open = new OpenGroup();
    // A snapshot ingress names the state it was taken of, which will not be the state then.
    const [snapshots, others] = partition(inputs, (input) => input.ingress.kind === 'snapshot');
    this.#again.unshift(others);
    for (const input of snapshots) input.onDropped(HostFailures.commitLost);
  }

  #retryLater(reason: string): void {
    this.#discard();
    if (this.#parts.lease.expired) {
      this.stop(unansweredFailure(reason));
      return;
    }
    this.#isPaused = true;
    this.#backoffMs = Math.min(2_000, Math.max(25, this.#backoffMs * 2));
    setTimeout(
      () => {
        this.#isPaused = false;
        this.schedule();
      },
      this.#backoffMs * (0.5 + this.#parts.random() / 2),
    );
  }

  async #afterUnknown(group: OpenGroup, message: string): Promise<void> {
    this.#parts.log.warn('it is not known whether a commit happened; reading the head', { reason: message });
    for (let waitMs = 25; ; waitMs = Math.min(1_000, waitMs * 2)) {
      const head = await this.#parts.store.journal.head(this.#parts.worldId).catch(() => undefined);
      if (this.#isStopped) return;
      const last = group.batches.at(-1)!;
      if (head !== undefined && bytesEqual(head.chain, last.chain)) {
        this.#accepted(group);
        return;
      }
      if (head !== undefined && head.height === this.#durable.height && bytesEqual(head.chain, this.#durable.chain)) {
        this.#retryLater(message);
        return;
      }
      if (head !== undefined) {
        this.stop(lockedFailure('the journal went on without this process'));
        return;
      }
      if (this.#parts.lease.expired) {
        this.stop(unansweredFailure(message));
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }

  async #afterConflict(): Promise<void> {
    this.#isPaused = true;
    this.#discard();
    const held = await this.#parts.lease.renew().catch(() => false);
    if (this.#isStopped) return;
    if (!held) {
      this.stop(lockedFailure('the journal moved on and the lease is gone'));
      return;
    }
    this.#parts.log.warn('the journal moved on; the world is loaded again');
    const kernel = await this.#parts.reload();
    if (this.#isStopped) return;
    if ('code' in kernel) {
      this.stop(kernel);
      return;
    }
    this.#kernel = kernel;
    this.#durable = kernel.head;
    // Items are read again from the restored cursor; the rest keeps its order.
    this.#again.unshift(this.#again.drain().filter((input) => input.ingress.inboxSeq === undefined));
    this.#parts.inbox.reset(kernel.cursor);
    this.#isPaused = false;
    this.rebuildTimers();
    this.schedule();
  }

  #fault(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const code = faultCode(error);
    this.#parts.log.error('the world stops', {
      code,
      error: error instanceof Error ? (error.stack ?? message) : message,
    });
    this.stop(error instanceof FailureError ? error.failure : { code, path: [], message });
  }

  // Endings

  /** Drops what is not durable, answers everybody, and writes nothing further. */
  stop(failure: HostFailure): void {
    if (this.#isStopped) return;
    const entries = [...(this.#flight?.entries ?? []), ...this.#open.entries];
    this.#isStopped = true;
    this.#cancelTimer?.();
    try {
      this.#kernel.discard();
    } catch {
      // A kernel that faulted may be beyond that, and nobody will ask it again.
    }
    this.#parts.inbox.stop();
    this.#parts.onStopped(failure);
    for (const { input } of entries) input.onDropped(failure);
    for (const queue of [this.#again, this.#receipts, this.#dueTimers, this.#requests]) {
      for (const input of queue.drain()) input.onDropped(failure);
    }
    for (const finished of this.#unsigned.drain()) finished.onDropped(failure);
    for (const wake of this.#idleWaiters.splice(0)) wake();
  }

  /** Nothing is applied, being committed, or waiting in this process. */
  get isIdle(): boolean {
    return (
      this.#flight === undefined && this.#open.entries.length === 0 && this.#quiet.length === 0 && this.#waiting === 0
    );
  }

  #wakeIdle(): void {
    if (this.#idleWaiters.length === 0 || !this.isIdle) return;
    for (const wake of this.#idleWaiters.splice(0)) wake();
  }

  /** Resolves when the loop has nothing to do, or has stopped. */
  idle(): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idleWaiters.push(resolve);
      this.schedule();
    });
  }
}

function partition<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  const yes: T[] = [];
  const no: T[] = [];
  for (const item of items) (test(item) ? yes : no).push(item);
  return [yes, no];
}

export const HostFailures = {
  commitLost: { code: 'host_error', path: [], message: 'the store did not take the snapshot; try again' },
} as const satisfies Record<string, HostFailure>;

function faultCode(error: unknown): string {
  if (error instanceof FailureError) return error.failure.code;
  if (!(error instanceof KernelFault)) return 'host_error';
  // A node of the state is gone or damaged: reading again will not cure that (F10).
  return error.code === 'object.missing' ? 'snapshot.incomplete' : 'kernel.fatal';
}

export function leaseFailure(loss: LeaseLoss, reason = ''): HostFailure {
  switch (loss) {
    case 'fenced':
      return lockedFailure('another process took the world over');
    case 'expired':
      return lockedFailure('the lease ran out');
    case 'unavailable':
      return unansweredFailure(reason);
    case 'damaged':
      return { code: 'journal.corrupt', path: [], message: reason };
    case 'skewed':
      return { code: 'host_error', path: [], message: "this machine's clock is far from the store's" };
    default:
      return loss satisfies never;
  }
}

/** The disk is full or failing, and the lease could not be kept. */
function unansweredFailure(reason: string): HostFailure {
  return {
    code: 'store.unavailable',
    path: [],
    message: `the store did not answer until the lease ran out: ${reason}`,
    hint: 'Nothing that was acknowledged is lost. Make room or mend the disk, then start the world again.',
  };
}

export function lockedFailure(message: string): HostFailure {
  return { code: 'world.locked', path: [], message, hint: 'Another process runs this world; send the request to it.' };
}
