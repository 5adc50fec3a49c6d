/** With the writer idle, a group this large is committed although more is waiting, so that both sides work. */
const EARLY_COMMIT = 32;
/**
 * So is half of a burst, where applying all of it takes longer than a commit: while one half is being made durable the
 * other is applied, and from then on the two take turns. On a slow disk a commit more would cost more than that saves.
 */
const HALF_MIN = 4;

/**
 * Whether a commit pays although more could be applied before it, judged by what applying and committing took of late.
 * Both are running means over about eight measurements. It decides about speed alone: any grouping gives the same journal.
 */
export class CommitPace {
  #inputNs = 0;
  #commitNs = 0;

  /** A turn of the loop took `ns` for `inputs` of them, at least 1. */
  applied(inputs: number, ns: bigint): void {
    this.#inputNs += (Number(ns) / inputs - this.#inputNs) / 8;
  }

  /** A commit was answered after `ns`. */
  committed(ns: bigint): void {
    this.#commitNs += (Number(ns) - this.#commitNs) / 8;
  }

  /** Applying so many inputs takes longer than a commit. */
  isLongWork(inputs: number): boolean {
    return inputs * this.#inputNs >= this.#commitNs;
  }

  /** With the writer idle: whether the `applied` batches go now, before what is `waiting` has been applied. */
  isWorthCommitting({ applied, waiting }: { readonly applied: number; readonly waiting: number }): boolean {
    if (applied >= EARLY_COMMIT) return true;
    if (applied < HALF_MIN || waiting < HALF_MIN) return false;
    return applied >= waiting && this.isLongWork(applied + waiting);
  }
}
