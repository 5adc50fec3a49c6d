import { type CborValue, u64be } from '@worldline/canon';
import { type GetNode, type KeyProfile, type PutNode, RadixTree } from './radix-tree.ts';

const TWO_32 = 0x1_0000_0000;

/** Ids are numbers below 2^53; their digits are the 16 nibbles of the u64, highest first. */
const IDS: KeyProfile<number> = {
  leafMax: 256,
  isCompressed: true,
  fanOut: 16,
  digitCount: 16,
  // A branch has more than 256 entries below it, so all of them together are a small part of the index.
  keptLevels: 16,
  digit: (id, position) =>
    position < 8
      ? (Math.floor(id / TWO_32) >>> (28 - 4 * position)) & 15
      : ((id % TWO_32) >>> (28 - 4 * (position - 8))) & 15,
  compare: (a, b) => a - b,
  firstDifference: (a, b) => {
    const high = Math.floor(a / TWO_32) ^ Math.floor(b / TWO_32);
    return high !== 0 ? Math.clz32(high) >> 2 : 8 + (Math.clz32((a % TWO_32) ^ (b % TWO_32)) >> 2);
  },
  toBytes: u64be,
  fromBytes: (bytes) => {
    if (bytes.length !== 8) return undefined;
    let id = 0;
    for (let i = 0; i < 8; i++) id = id * 256 + (bytes[i] as number);
    return Number.isSafeInteger(id) ? id : undefined;
  },
};

/**
 * Index from ids to values with a root hash that depends on the content alone (`journal.md` §6.1, "Id index").
 *
 * `set` and `delete` give the value before, so that a caller can log the inverse. Setting the same value again tells
 * the index that its encoding changed.
 */
export class IdIndex<V> {
  readonly #tree: RadixTree<number, V>;

  /** @param encodeLeaf - What stands in the leaf for a value; called once per set value, by the next `root`. */
  constructor(encodeLeaf: (value: V) => CborValue, tree?: RadixTree<number, V>) {
    this.#tree = tree ?? new RadixTree(IDS, encodeLeaf);
  }

  /**
   * The index that had this root. Nodes are read when something below them is needed.
   *
   * @throws KernelFault `object.missing` or `object.corrupt`, now and from every later call that reads a node.
   */
  static load<V>(
    rootHash: Uint8Array,
    get: GetNode,
    decodeLeaf: (value: CborValue, id: number) => V,
    encodeLeaf: (value: V) => CborValue,
  ): IdIndex<V> {
    return new IdIndex(encodeLeaf, new RadixTree(IDS, encodeLeaf, { rootHash, get, decodeLeaf }));
  }

  get size(): number {
    return this.#tree.size;
  }

  get(id: number): V | undefined {
    return this.#tree.get(id);
  }

  /** @returns the value before. */
  set(id: number, value: V): V | undefined {
    if (!Number.isSafeInteger(id) || id < 0) throw new RangeError(`${id} is no id`);
    return this.#tree.set(id, value);
  }

  /** @returns the value that was there. */
  delete(id: number): V | undefined {
    return this.#tree.delete(id);
  }

  /** Ascending by id. The index must not change while it is iterated. */
  entries(): Iterable<[number, V]> {
    return this.#tree.entries();
  }

  /** Puts every node that changed since the last call; gives the root hash. */
  root(put: PutNode): Uint8Array {
    return this.#tree.root(put);
  }

  /** Forgets the nodes that have not changed since `root`, but for the uppermost; they are read again when needed. */
  release(get: GetNode, decodeLeaf: (value: CborValue, key: number) => V): void {
    this.#tree.release(get, decodeLeaf);
  }
}
