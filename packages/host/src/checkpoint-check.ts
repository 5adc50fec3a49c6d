import { bytesEqual, toHex } from '@worldline/canon';
import { type Checkpoint, decodeCheckpoint, MerkleAccumulator } from '@worldline/kernel';
import type { Head, Store, StoredBatch, StoredCheckpoint } from '@worldline/ports';
import type { WorldKeyLine } from './checkpoint-signature.ts';

/**
 * Holds a world's checkpoints against its batches (`journal.md` §2.1), both read once, in order, in pieces.
 *
 * X1  The checkpoints form one line: each begins where the one before it ended, the first at the beginning.
 * X2  Each is signed by the world's key of its place.
 * X3  Each names exactly the batches that are there: their number, the root over their chain values, chain and head
 *     after the last.
 */
export interface CheckpointProblem {
  /** `next_seq` of the checkpoint. */
  readonly seq: number;
  readonly message: string;
}

const PAGE = 256;

/** The checkpoint whose group is being looked for or collected. */
interface Open {
  readonly checkpoint: Checkpoint;
  /** One problem is told of each. */
  isBad: boolean;
  /** Absent until its first batch was seen. */
  group: MerkleAccumulator | undefined;
}

export class CheckpointCheck {
  readonly #store: Store;
  readonly #worldId: string;
  /** Undefined: the world has no usable keys, so no checkpoint can verify. */
  readonly #keys: WorldKeyLine | undefined;
  readonly #problem: (problem: CheckpointProblem) => void;
  #page: readonly StoredCheckpoint[] = [];
  #at = 0;
  #number = 0;
  #open: Open | undefined;
  /** Chain after the batch before the one at hand. */
  #before: Uint8Array;
  /** Where the line goes on: `chain` of the last checkpoint, and the chain value after the last batch of its group. */
  #line: readonly Uint8Array[];
  /** The last group ended with the batch before. */
  #continues = true;
  #isWhole = true;
  #signedToSeq: number;
  #count = 0;

  constructor(parts: {
    readonly store: Store;
    readonly worldId: string;
    /** Where the world's own batches begin. */
    readonly base: Head;
    readonly keys: WorldKeyLine | undefined;
    readonly problem: (problem: CheckpointProblem) => void;
  }) {
    this.#store = parts.store;
    this.#worldId = parts.worldId;
    this.#keys = parts.keys;
    this.#problem = parts.problem;
    this.#before = parts.base.chain;
    this.#line = [parts.base.chain];
    this.#signedToSeq = parts.base.height;
  }

  /** Head up to which everything is signed without a break. */
  get signedToSeq(): number {
    return this.#signedToSeq;
  }

  get count(): number {
    return this.#count;
  }

  /** The next batch of the journal. */
  async batch(batch: StoredBatch): Promise<void> {
    const nextSeq = batch.lastSeq + 1;
    for (;;) {
      const open = this.#open ?? (await this.#next());
      if (open === undefined) break;
      if (open.group === undefined) {
        const begins =
          bytesEqual(open.checkpoint.chainBefore, this.#before) ||
          (this.#continues && bytesEqual(open.checkpoint.chainBefore, this.#line[0]!));
        if (begins) open.group = new MerkleAccumulator();
        else if (bytesEqual(open.checkpoint.chain, this.#before) || nextSeq > open.checkpoint.nextSeq) {
          // Its place has passed.
          this.#bad(open, 'the batches it names are not in the journal');
          this.#end(open);
          continue;
        } else break;
      }
      this.#collect(open, batch.chain, nextSeq);
      break;
    }
    this.#before = batch.chain;
  }

  /**
   * After the last batch.
   *
   * @param isAtHead - no batch was added meanwhile; else checkpoints may be of those that were.
   */
  async end(isAtHead: boolean): Promise<void> {
    if (!isAtHead) return;
    for (let open = this.#open ?? (await this.#next()); open !== undefined; open = await this.#next()) {
      this.#bad(open, 'the journal ends before the batches it names');
      this.#open = undefined;
      this.#line = [open.checkpoint.chain];
    }
  }

  #collect(open: Open, chain: Uint8Array, nextSeq: number): void {
    const { checkpoint } = open;
    const group = open.group!;
    group.push(chain);
    const isLast = bytesEqual(chain, checkpoint.chain) || group.count === checkpoint.batches;
    if (!isLast && nextSeq <= checkpoint.nextSeq) {
      this.#continues = false;
      return;
    }
    if (group.count !== checkpoint.batches)
      this.#bad(open, `it names ${checkpoint.batches} batches where the journal has ${group.count}`);
    if (!bytesEqual(chain, checkpoint.chain) || !bytesEqual(group.root(), checkpoint.root))
      this.#bad(open, 'the batches are not those that were signed');
    if (nextSeq !== checkpoint.nextSeq)
      this.#bad(open, `its last batch ends at ${nextSeq}, it says ${checkpoint.nextSeq}`);
    this.#end(open, chain);
    // Where chain values were made to fit a change, none of the line is found again; places still are.
    this.#continues = nextSeq === checkpoint.nextSeq;
  }

  /** @param chain - after the last batch of its group, when one was found. */
  #end(open: Open, chain?: Uint8Array): void {
    this.#line = chain === undefined ? [open.checkpoint.chain] : [open.checkpoint.chain, chain];
    this.#continues = false;
    this.#open = undefined;
    if (!open.isBad && this.#isWhole) this.#signedToSeq = open.checkpoint.nextSeq;
  }

  async #next(): Promise<Open | undefined> {
    for (;;) {
      if (this.#at === this.#page.length) {
        this.#page = await this.#store.checkpoint.read(this.#worldId, this.#number, PAGE);
        this.#at = 0;
        this.#number += this.#page.length;
        if (this.#page.length === 0) return undefined;
      }
      const stored = this.#page[this.#at++]!;
      this.#count++;
      const decoded = decodeCheckpoint(stored.bytes);
      if (!decoded.ok) {
        this.#report(stored.nextSeq, decoded.failure.message);
        // Its row says where it ended, so that the next one is not a problem of its own.
        this.#continues = false;
        this.#line = [stored.chain];
        continue;
      }
      const open: Open = { checkpoint: decoded.value, isBad: false, group: undefined };
      this.#look(open, stored);
      this.#open = open;
      return open;
    }
  }

  /** What can be said of a checkpoint without its batches. */
  #look(open: Open, stored: StoredCheckpoint): void {
    const { checkpoint } = open;
    const isRow =
      bytesEqual(stored.chainBefore, checkpoint.chainBefore) &&
      bytesEqual(stored.chain, checkpoint.chain) &&
      stored.nextSeq === checkpoint.nextSeq;
    if (!isRow) this.#bad(open, 'its row says something else than its signed bytes');
    if (this.#keys === undefined) this.#bad(open, 'this world has no key it could be verified with');
    else {
      const verified = this.#keys.verify(checkpoint);
      if (!verified.ok) this.#bad(open, verified.failure.message);
    }
    if (!this.#line.some((chain) => bytesEqual(chain, checkpoint.chainBefore)))
      this.#bad(
        open,
        `it begins at chain ${short(checkpoint.chainBefore)}, the one before it ended at ${short(this.#line[0]!)}`,
      );
  }

  #bad(open: Open, message: string): void {
    if (!open.isBad) this.#report(open.checkpoint.nextSeq, message);
    open.isBad = true;
  }

  #report(seq: number, message: string): void {
    this.#isWhole = false;
    this.#problem({ seq, message });
  }
}

function short(chain: Uint8Array): string {
  return `${toHex(chain).slice(0, 12)}…`;
}
