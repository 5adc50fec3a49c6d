import { bytesEqual } from '@worldline/canon';
import { BATCHES_PER_CHECKPOINT, encodeCheckpoint, MerkleAccumulator, nextChain } from '@worldline/kernel';
import type { CheckpointAnswer, Clock, Head, Logger, Store } from '@worldline/ports';
import { signCheckpoint } from './checkpoint-signature.ts';
import type { HostKey } from './keys.ts';

/**
 * Signs durable batches in groups, beside the loop (`journal.md` §2.1). It is told chain values and nothing else.
 *
 * P1  A group is signed at the latest when it has 4 096 batches or one second after its first, and when somebody asks
 *     (before a promotion, at release).
 * P2  The line in the store is the truth. After any answer but `ok`, and at opening, it is read again and continued from
 *     its end by reading the batches since, in pieces.
 * P3  Trouble here is reported and tried again; it never reaches the loop. What is lost is proof, until the next success.
 */
export interface CheckpointerParts {
  readonly store: Store;
  readonly worldId: string;
  readonly epoch: number;
  readonly key: HostKey;
  /** Where the world's own batches begin: the line of its checkpoints does too. */
  readonly base: Head;
  /** Head of the restored world: no batch up to it will be reported. */
  readonly head: Head;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface CheckpointStatus {
  /** Head after the last batch whose checkpoint is stored. */
  readonly signedToSeq: number;
  /** Durable batches that no stored checkpoint covers; undefined while older ones are still being read. */
  readonly unsignedBatches: number | undefined;
}

const SIGN_AFTER_NS = 1_000_000_000n;
const PAGE_ENTRIES = 1024;
const RETRY_FIRST_MS = 250;
const RETRY_MAX_MS = 30_000;

interface Link {
  readonly chain: Uint8Array;
  readonly nextSeq: number;
}

/** The group that is being collected, after the checkpoint that ends at `before`. */
class Group {
  readonly before: Uint8Array;
  readonly #tree = new MerkleAccumulator();
  #end: Link;

  constructor(before: Link) {
    this.before = before.chain;
    this.#end = before;
  }

  get count(): number {
    return this.#tree.count;
  }

  get end(): Link {
    return this.#end;
  }

  add(link: Link): void {
    this.#tree.push(link.chain);
    this.#end = link;
  }

  root(): Uint8Array {
    return this.#tree.root();
  }
}

export class Checkpointer {
  readonly #parts: CheckpointerParts;
  /** `behind`: the batches since the last stored checkpoint are not in `#group`. */
  #state: 'live' | 'behind' | 'stopped' = 'behind';
  #group: Group;
  /** Latest batch that the loop reported, or the restored head. */
  #reported: Uint8Array;
  /** What the loop reports while a page is being read. */
  #meanwhile: Link[] | undefined;
  /** The page was ahead of the loop: what it reports is known up to this chain value. */
  #knownTo: Uint8Array | undefined;
  #signedToSeq = 0;
  /** Batches in appends that have no answer yet. */
  #inFlight = 0;
  readonly #appends = new Set<Promise<unknown>>();
  #catchingUp: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  #retryMs = 0;
  /** Counts how often it fell behind: what was read before that is of no use. */
  #round = 0;

  constructor(parts: CheckpointerParts) {
    this.#parts = parts;
    this.#group = new Group(this.#origin);
    this.#reported = parts.head.chain;
  }

  get #origin(): Link {
    const { chain, height } = this.#parts.base;
    return { chain, nextSeq: height };
  }

  /** Begins with what the last holder left unsigned. */
  start(): void {
    this.#catchUp();
  }

  /** One durable batch, in order. On the hot path: two hashes, and a signature every 4 096 batches. */
  batch(chain: Uint8Array, nextSeq: number): void {
    this.#reported = chain;
    if (this.#state !== 'live') {
      this.#meanwhile?.push({ chain, nextSeq });
      return;
    }
    if (this.#knownTo !== undefined) {
      if (bytesEqual(this.#knownTo, chain)) this.#knownTo = undefined;
      return;
    }
    this.#add({ chain, nextSeq });
  }

  /** Signs what was reported so far. The store gets it before anything that is sent after this call. */
  sign(): void {
    // While it is behind, the timer is that of the next try.
    if (this.#state !== 'live') return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#group.count === 0) return;
    const group = this.#group;
    this.#group = new Group(group.end);
    this.#inFlight += group.count;
    const append = this.#append(group).then((answer) => {
      this.#inFlight -= group.count;
      this.#appends.delete(append);
      // After the first that failed, those sent behind it cannot have followed.
      if (this.#state === 'live' || answer.answer === 'ok') this.#answered(group, answer);
    });
    this.#appends.add(append);
  }

  /** @returns whether everything reported so far is signed and stored. */
  async flush(): Promise<boolean> {
    if (this.#state === 'behind') {
      this.#catchUp();
      await this.#catchingUp;
    }
    this.sign();
    await Promise.all(this.#appends);
    return this.#state === 'live' && this.#group.count === 0;
  }

  /** The world was loaded again: batches may have become durable that nobody reported. */
  resync(head: Head): void {
    if (this.#state === 'stopped') return;
    this.#reported = head.chain;
    this.#fallBehind(0);
  }

  stop(): void {
    this.#state = 'stopped';
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  get status(): CheckpointStatus {
    return {
      signedToSeq: this.#signedToSeq,
      unsignedBatches: this.#state === 'live' ? this.#group.count + this.#inFlight : undefined,
    };
  }

  #add(link: Link): void {
    this.#group.add(link);
    if (this.#group.count >= BATCHES_PER_CHECKPOINT) this.sign();
    else if (this.#cancelTimer === undefined) {
      const { clock } = this.#parts;
      this.#cancelTimer = clock.setTimer(clock.monoNs() + SIGN_AFTER_NS, () => this.sign());
    }
  }

  async #append(group: Group): Promise<CheckpointAnswer> {
    const { store, worldId, epoch, key } = this.#parts;
    const { chain, nextSeq } = group.end;
    const data = { worldId, chainBefore: group.before, chain, nextSeq, batches: group.count, root: group.root() };
    const bytes = encodeCheckpoint(signCheckpoint(key, data));
    return store.checkpoint
      .append(worldId, epoch, { chainBefore: group.before, chain, nextSeq, bytes })
      .catch((error: unknown) => ({ answer: 'unavailable' as const, message: String(error) }));
  }

  /** @returns whether the checkpoint is stored. */
  #answered(group: Group, answer: CheckpointAnswer): boolean {
    switch (answer.answer) {
      case 'ok':
        this.#signedToSeq = Math.max(this.#signedToSeq, group.end.nextSeq);
        this.#retryMs = 0;
        return true;
      case 'fenced':
        // The loop learns it from its own writes.
        this.stop();
        return false;
      case 'conflict':
        this.#trouble('the line of checkpoints does not end where it was left; it is read again');
        return false;
      case 'unavailable':
        this.#trouble(`a checkpoint was not stored: ${answer.message}`);
        return false;
      default:
        return answer satisfies never;
    }
  }

  #trouble(reason: string): void {
    if (this.#state === 'stopped') return;
    this.#retryMs = Math.min(RETRY_MAX_MS, Math.max(RETRY_FIRST_MS, this.#retryMs * 2));
    this.#parts.log.warn('batches are not signed yet', { reason, next_try_ms: this.#retryMs });
    this.#fallBehind(this.#retryMs);
  }

  #fallBehind(retryMs: number): void {
    this.#state = 'behind';
    this.#round++;
    this.#group = new Group(this.#origin);
    this.#meanwhile = undefined;
    this.#knownTo = undefined;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (retryMs === 0) return this.#catchUp();
    const { clock } = this.#parts;
    this.#cancelTimer = clock.setTimer(clock.monoNs() + BigInt(retryMs) * 1_000_000n, () => {
      this.#cancelTimer = undefined;
      this.#catchUp();
    });
  }

  // From the end of the stored line to the present

  #catchUp(): void {
    if (this.#state !== 'behind' || this.#catchingUp !== undefined) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    // What is under way belongs to the line that is read next.
    this.#catchingUp = Promise.all(this.#appends)
      .then(() => this.#readSince())
      .catch((error: unknown) => this.#trouble(String(error)))
      .finally(() => {
        this.#catchingUp = undefined;
        // It was to begin again while it ran.
        if (this.#cancelTimer === undefined) this.#catchUp();
      });
  }

  async #readSince(): Promise<void> {
    const { store, worldId } = this.#parts;
    const round = this.#round;
    const last = await store.checkpoint.last(worldId);
    const start: Link = last ?? this.#origin;
    this.#signedToSeq = start.nextSeq;
    let group = new Group(start);
    let from: number | undefined = start.nextSeq;
    let found = false;
    while (from !== undefined) {
      const reportedBefore = this.#reported;
      this.#meanwhile = [];
      const page = await store.journal.read(worldId, from, PAGE_ENTRIES);
      if (this.#isOver(round)) return;
      if (page.answer === 'unavailable') return this.#trouble(`the journal cannot be read: ${page.message}`);
      if (page.answer === 'corrupt') return this.#trouble(`the journal has a hole at ${page.where}`);
      for (const batch of page.batches) {
        if (!found) {
          // Empty batches at this seq may lie before the end of the line.
          if (!bytesEqual(nextChain(start.chain, batch.body), batch.chain)) continue;
          found = true;
        }
        group.add({ chain: batch.chain, nextSeq: batch.lastSeq + 1 });
        if (group.count < BATCHES_PER_CHECKPOINT) continue;
        const full = group;
        group = new Group(full.end);
        const answer = await this.#append(full);
        if (this.#isOver(round) || !this.#answered(full, answer)) return;
      }
      from = page.next;
      // The loop and its answers come first.
      if (from !== undefined) await new Promise((resolve) => setImmediate(resolve));
      else this.#goLive(group, reportedBefore);
      if (this.#isOver(round)) return;
    }
  }

  #isOver(round: number): boolean {
    return this.#state !== 'behind' || this.#round !== round;
  }

  /** The last page was read: what the loop reported meanwhile continues it, or is part of it. */
  #goLive(group: Group, reportedBefore: Uint8Array): void {
    const meanwhile = this.#meanwhile ?? [];
    const { chain } = group.end;
    const at = meanwhile.findIndex((link) => bytesEqual(link.chain, chain));
    const isAhead = at < 0 && !bytesEqual(chain, reportedBefore);
    if (isAhead && group.count === 0) return this.#trouble('the stored checkpoints are not of this journal');
    this.#meanwhile = undefined;
    this.#state = 'live';
    this.#group = group;
    this.#knownTo = isAhead ? chain : undefined;
    if (!isAhead) for (const link of meanwhile.slice(at + 1)) this.#add(link);
    // What was left behind is older than a second.
    this.sign();
  }
}
