import { sha256 } from '@worldline/canon';

/**
 * `MTH` (`journal.md` §2.1): leaf `sha256(0x00 ‖ x)`, node `sha256(0x01 ‖ left ‖ right)`, a list of n > 1 splits after
 * the largest power of two below n. Leaf and node differ in their first byte, so a node cannot be passed off as a leaf.
 */

/** @throws RangeError for an empty list: a group has at least one member. */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) throw new RangeError('a Merkle tree has at least one leaf');
  return rootOf(leaves, 0, leaves.length);
}

/**
 * Hashes beside the path from a leaf to the root, lowest first.
 *
 * @throws RangeError when there is no leaf `index`.
 */
export function merkleProof(leaves: readonly Uint8Array[], index: number): Uint8Array[] {
  if (!Number.isInteger(index) || index < 0 || index >= leaves.length)
    throw new RangeError(`there is no leaf ${index}`);
  const proof: Uint8Array[] = [];
  let from = 0;
  let to = leaves.length;
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    if (index < middle) {
      proof.push(rootOf(leaves, middle, to));
      to = middle;
    } else {
      proof.push(rootOf(leaves, from, middle));
      from = middle;
    }
  }
  return proof.reverse();
}

/**
 * Root that a proof leads to; the caller compares it with a signed one.
 *
 * @returns undefined when the proof does not have the shape that `index` of `count` needs.
 */
export function merkleRootFromProof(
  leaf: Uint8Array,
  index: number,
  count: number,
  proof: readonly Uint8Array[],
): Uint8Array | undefined {
  if (!Number.isSafeInteger(count) || !Number.isInteger(index) || index < 0 || index >= count) return undefined;
  const isLeft: boolean[] = [];
  let from = 0;
  let to = count;
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    isLeft.push(index < middle);
    if (index < middle) to = middle;
    else from = middle;
  }
  if (proof.length !== isLeft.length) return undefined;
  let hash = leafHash(leaf);
  for (const sibling of proof) {
    if (sibling.length !== 32) return undefined;
    hash = isLeft.pop() ? nodeHash(hash, sibling) : nodeHash(sibling, hash);
  }
  return hash;
}

/**
 * Root and all paths of a Merkle tree at once (`journal.md` §2.1). Splitting a list after the largest power of two below
 * its length is the same tree as pairing neighbours level by level and lifting an odd last one, so n leaves cost 2n
 * hashes instead of n per path.
 */
export interface MerkleTree {
  readonly root: Uint8Array;
  /** Hashes beside the way from leaf `index` to the root, lowest first. */
  path(index: number): readonly Uint8Array[];
}

/** @param leaves - at least one. */
export function merkleTree(leaves: readonly Uint8Array[]): MerkleTree {
  const levels: Uint8Array[][] = [leaves.map(leafHash)];
  for (let level = levels[0]!; level.length > 1; ) {
    const above: Uint8Array[] = [];
    for (let i = 0; i + 1 < level.length; i += 2) above.push(nodeHash(level[i]!, level[i + 1]!));
    if (level.length % 2 === 1) above.push(level.at(-1)!);
    levels.push(above);
    level = above;
  }
  const root = levels.at(-1)![0];
  if (root === undefined) throw new RangeError('a Merkle tree has at least one leaf');
  return {
    root,
    path(index) {
      const path: Uint8Array[] = [];
      for (let at = index, i = 0; i < levels.length - 1; at >>= 1, i++) {
        const sibling = levels[i]![at ^ 1];
        if (sibling !== undefined) path.push(sibling);
      }
      return path;
    },
  };
}

/**
 * The root of a list that is not known at once: one leaf costs two hashes on average and nothing is kept but the roots
 * of the full trees so far, at most one per power of two.
 */
export class MerkleAccumulator {
  /** Root of a full tree of 2^i leaves at place i, where the count has that bit set. */
  readonly #full: (Uint8Array | undefined)[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  push(leaf: Uint8Array): void {
    let hash = leafHash(leaf);
    let level = 0;
    for (let left = this.#full[level]; left !== undefined; left = this.#full[++level]) {
      hash = nodeHash(left, hash);
      this.#full[level] = undefined;
    }
    this.#full[level] = hash;
    this.#count++;
  }

  /** `merkleRoot` of everything pushed. @throws RangeError before the first leaf. */
  root(): Uint8Array {
    let root: Uint8Array | undefined;
    for (const full of this.#full) {
      if (full !== undefined) root = root === undefined ? full : nodeHash(full, root);
    }
    if (root === undefined) throw new RangeError('a Merkle tree has at least one leaf');
    return root;
  }
}

function rootOf(leaves: readonly Uint8Array[], from: number, to: number): Uint8Array {
  if (to - from === 1) return leafHash(leaves[from] as Uint8Array);
  const middle = from + splitOf(to - from);
  return nodeHash(rootOf(leaves, from, middle), rootOf(leaves, middle, to));
}

/** Largest power of two below `count`, which is at least 2. */
function splitOf(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

function leafHash(leaf: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + leaf.length);
  bytes.set(leaf, 1);
  return sha256(bytes);
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(65);
  bytes[0] = 1;
  bytes.set(left, 1);
  bytes.set(right, 33);
  return sha256(bytes);
}
