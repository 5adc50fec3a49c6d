import { hashText, ok } from '@worldline/canon';
import type { Clock, Failpoints, Logger, Store } from '@worldline/ports';
import { BaselineVerifier } from './baselines.ts';
import type { Checkpointer } from './checkpointer.ts';
import type { HostConfig } from './config.ts';
import type { Answer, HostFailure } from './failure.ts';
import type { Loop } from './loop.ts';
import type { LoopInput } from './loop-input.ts';

export interface SnapshotsParts {
  readonly worldId: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly config: HostConfig['snapshot'];
  readonly log: Logger;
  readonly checkpoints: Checkpointer | undefined;
  readonly failpoints: Failpoints | undefined;
  /** The baseline that the world was opened from. */
  readonly newest: { readonly height: number; readonly ref: Uint8Array } | undefined;
  readonly loop: () => Loop;
  /** Whether snapshots may still be taken without being asked for. */
  readonly isRunning: () => boolean;
  /** A replay came to another state than the one that was promoted. */
  readonly onDivergence: (failure: HostFailure) => void;
}

export type SnapshotAnswer = Answer<{ readonly height: number; readonly ref: string }>;

/** Automatic snapshots take at most about this share of the time. */
const SHARE = 10;

/** `snapshot` and `baseline`. */
const ENTRIES = 2;

/**
 * When a world's state is written down and promoted to baseline (`host.md` §7.4): after so many entries, after so long, after a
 * change of manifest or config, on request. Taken between batches only; each costs what changed since the one before.
 */
export class Snapshots {
  readonly #parts: SnapshotsParts;
  readonly #verifier: BaselineVerifier | undefined;
  #newest: { readonly height: number; readonly ref: Uint8Array } | undefined;
  #isDue = false;
  #notBeforeNs = 0n;
  #cancelTimer: (() => void) | undefined;

  constructor(parts: SnapshotsParts) {
    this.#parts = parts;
    this.#newest = parts.newest;
    const { config, store, worldId, log } = parts;
    this.#verifier = config.verify
      ? new BaselineVerifier({
          store,
          worldId,
          keep: config.keep,
          onDivergence: parts.onDivergence,
          onTrouble: ({ code, message }) => log.warn('a baseline was not verified', { code, reason: message }),
        })
      : undefined;
  }

  get newest(): { readonly height: number; readonly ref: Uint8Array } | undefined {
    return this.#newest;
  }

  start(): void {
    this.#verifier?.wake();
  }

  stop(): void {
    this.#verifier?.stop();
    this.#cancelTimer?.();
  }

  /** Of the state at head; the newest one when nothing has changed since. The loop must not have stopped. */
  take(done: (answer: SnapshotAnswer) => void): void {
    this.#parts.loop().whenQuiet(() => this.#take(done));
  }

  /** One is due now: a restart then begins behind what just happened. */
  takeSoon(): void {
    if (!this.#parts.isRunning() || this.#isDue) return;
    this.#isDue = true;
    this.take((answer) => {
      if (!answer.ok)
        this.#parts.log.warn('a snapshot was not taken', { code: answer.failure.code, reason: answer.failure.message });
    });
  }

  /**
   * A batch is durable: `snapshot.every_entries` and `snapshot.every_ms`, under load no more often than their cost allows.
   *
   * @param taken - the snapshot that the batch journals, if it does.
   */
  batchDurable(height: number, taken: { readonly height: number; readonly ref: Uint8Array } | undefined): void {
    const { clock, config } = this.#parts;
    if (taken !== undefined) {
      this.#newest = taken;
      this.#cancelTimer?.();
      this.#cancelTimer = undefined;
      this.#verifier?.wake();
      return;
    }
    if (!this.#parts.isRunning() || this.#isDue) return;
    const since = height - (this.#newest?.height ?? 0) - ENTRIES;
    if (since >= config.everyEntries && clock.monoNs() >= this.#notBeforeNs) this.takeSoon();
    else if (this.#cancelTimer === undefined) {
      this.#cancelTimer = clock.setTimer(clock.monoNs() + BigInt(config.everyMs) * 1_000_000n, () => {
        this.#cancelTimer = undefined;
        this.takeSoon();
      });
    }
  }

  #take(done: (answer: SnapshotAnswer) => void): void {
    const { clock, checkpoints, failpoints } = this.#parts;
    const loop = this.#parts.loop();
    this.#isDue = false;
    const { height } = loop.durable;
    if (this.#newest !== undefined && height === this.#newest.height + ENTRIES) {
      done(ok({ height: this.#newest.height, ref: hashText(this.#newest.ref) }));
      return;
    }
    const beganNs = clock.monoNs();
    const { ref, objects } = loop.kernel.snapshot();
    failpoints?.reach('loop.snapshot_made', '');
    const input: LoopInput = {
      ingress: { kind: 'snapshot', snapshotRef: ref, promote: true },
      onDurable: () => {
        const now = clock.monoNs();
        this.#notBeforeNs = now + (now - beganNs) * BigInt(SHARE);
        this.#trimInbox();
        done(ok({ height, ref: hashText(ref) }));
      },
      onDropped: (failure) => done({ ok: false, failure }),
    };
    // What the baseline stands on is signed before it is promoted (`journal.md` §2.1).
    checkpoints?.sign();
    loop.applyNow(input, objects);
  }

  /** Consumed inbox items go after a day, their dedupe keys after a week. */
  #trimInbox(): void {
    const { store, worldId, log } = this.#parts;
    store.inbox.trim(worldId).catch((error: unknown) => {
      log.warn('consumed inbox items were not removed', { error: String(error) });
    });
  }
}
