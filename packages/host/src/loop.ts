import { bytesEqual, FailureError } from '@worldline/canon';
import { type Applied, type Kernel, KernelFault, type StoredObject } from '@worldline/kernel';
import type { Clock, CommitAnswer, Failpoints, Head, Logger, Store } from '@worldline/ports';
import { CommitPace } from './commit-pace.ts';
import type { HostFailure } from './failure.ts';
import { type GroupEntry, OpenGroup } from './group.ts';
import type { InboxReader } from './inbox-reader.ts';
import type { Lease } from './lease.ts';
import { leaseFailure, lockedFailure, unansweredFailure } from './lease-failure.ts';
import type { FinishedReceipt, LoopInput, OutboxKey } from './loop-input.ts';
import type { LoopQueue } from './loop-queue.ts';
import type { Stamper } from './stamps.ts';
import type { TimerOffers } from './timer-offers.ts';

/**
 * The loop around one kernel (`host.md` §7.2, `hosting.md` §7): the only code that calls `apply`.
 *
 * L1  Nothing is answered, published or dispatched before its batch is durable.
 * L2  At most one commit is in flight. What is applied meanwhile forms the next group; order is kept.
 * L3  A group whose commit did not happen is discarded with everything applied after it. Its inputs are applied again
 *     with new stamps, in the same order, unless the loop stops.
 * L4  Nothing is applied without lease margin, and nothing is written after the lease is gone.
 */

export interface LoopParts {
  readonly worldId: string;
  readonly store: Store;
  readonly kernel: Kernel;
  readonly lease: Lease;
  readonly clock: Clock;
  readonly stamper: Stamper;
  readonly queue: LoopQueue;
  readonly timers: TimerOffers;
  readonly inbox: InboxReader;
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

const TURN_NS = 8_000_000n;

export class Loop {
  #kernel: Kernel;
  readonly #parts: LoopParts;
  readonly #pace = new CommitPace();
  readonly #quiet: (() => void)[] = [];
  #durable: Head;
  #open = new OpenGroup();
  #flight: OpenGroup | undefined;
  #sentNs = 0n;
  #isScheduled = false;
  #isPaused = false;
  #isStopped = false;
  #backoffMs = 0;
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
    this.#parts.queue.addRequest(input);
    this.schedule();
  }

  deliver(finished: FinishedReceipt): void {
    if (this.#isStopped) return;
    this.#parts.queue.addReceipt(finished);
    this.schedule();
  }

  /** Runs `fn` between batches, when everything applied is durable. It may apply through `applyNow`. */
  whenQuiet(fn: () => void): void {
    this.#quiet.push(fn);
    this.schedule();
  }

  /** No further timers and inbox items; what was submitted is still applied. */
  stopIntake(): void {
    this.#parts.timers.stop();
    this.#parts.inbox.stop();
  }

  /** Timers from the kernel's pending emissions, as at opening. */
  rebuildTimers(): void {
    this.#parts.timers.rebuild(this.#kernel);
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
    const { clock, lease, queue, timers, maxGroup, fsync } = this.#parts;
    const beganNs = clock.monoNs();
    const endNs = beganNs + TURN_NS;
    timers.collect(this.#kernel);
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
      if (queue.length === 0) break;
      if (!lease.mayApply()) {
        // The next renewal schedules a turn, or ends the loop.
        this.#parts.log.warn('the lease is short; nothing is applied until it is renewed');
        break;
      }
      const input = queue.next();
      if (input === undefined) break;
      this.#apply(input);
      if (this.#isWorthCommitting()) this.#commit();
      if (n % 16 === 0 && clock.monoNs() > endNs) {
        // Commit answers and sockets get their turn.
        this.#isScheduled = true;
        setImmediate(this.#turn);
        break;
      }
    }
    if (n > 1) this.#pace.applied(n, clock.monoNs() - beganNs);
    if (this.#flight === undefined) {
      if (this.#open.batches.length > 0) this.#commit();
      else if (this.#open.entries.length > 0) this.#answerOpen();
    }
    timers.arm();
    this.#wakeIdle();
  }

  /** Although more is waiting. */
  #isWorthCommitting(): boolean {
    const applied = this.#open.batches.length;
    return this.#flight === undefined && this.#pace.isWorthCommitting({ applied, waiting: this.#parts.queue.length });
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
    this.#pace.committed(this.#parts.clock.monoNs() - this.#sentNs);
    this.#kernel.accept(group.batches.length);
    this.#durable = { height: last.lastSeq + 1, chain: last.chain };
    this.#flight = undefined;
    this.#backoffMs = 0;
    // The writer goes on while answers are given; where it is the slower side, what these answers bring back at once joins.
    const isWorthIt = this.#pace.isLongWork(group.entries.length + this.#open.entries.length);
    if (this.#open.batches.length > 0 && this.#quiet.length === 0 && isWorthIt) this.#commit();
    this.#answer(group.entries);
    this.schedule();
  }

  #answer(entries: readonly GroupEntry[]): void {
    for (const { input, applied } of entries) {
      if (applied.batch !== undefined) {
        this.#parts.timers.add(this.#kernel, applied.batch.timers);
        this.#parts.onDurable(applied);
      }
      input.onDurable(applied);
      if (this.#isStopped) return;
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
    this.#parts.queue.putBack(others);
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
    this.#parts.queue.rewindInbox(kernel.cursor);
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
    this.#parts.timers.stop();
    try {
      this.#kernel.discard();
    } catch {
      // A kernel that faulted may be beyond that, and nobody will ask it again.
    }
    this.#parts.inbox.stop();
    this.#parts.onStopped(failure);
    for (const { input } of entries) input.onDropped(failure);
    this.#parts.queue.drop(failure);
    for (const wake of this.#idleWaiters.splice(0)) wake();
  }

  /** Nothing is applied, being committed, or waiting in this process. */
  get isIdle(): boolean {
    const isApplied = this.#flight === undefined && this.#open.entries.length === 0;
    return isApplied && this.#quiet.length === 0 && this.#parts.queue.length === 0;
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
