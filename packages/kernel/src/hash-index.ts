import { type CborValue, compareBytes } from '@worldline/canon';
import { type GetNode, type KeyProfile, type PutNode, RadixTree } from './radix-tree.ts';

/** Keys are hashes, so their bytes spread by themselves and no digits are skipped. */
const HASHES: KeyProfile<Uint8Array> = {
  leafMax: 64,
  isCompressed: false,
  fanOut: 256,
  digitCount: 32,
  // The top and the 256 below it, each several KiB as bytes and as many objects when read: they lead to four million entries.
  keptLevels: 2,
  digit: (key, position) => key[position] as number,
  compare: compareBytes,
  firstDifference: (a, b) => {
    let position = 0;
    while (a[position] === b[position]) position++;
    return position;
  },
  toBytes: (key) => key,
  fromBytes: (bytes) => (bytes.length === 32 ? bytes : undefined),
};

/**
 * Index from 32-byte hashes to values with a root hash that depends on the content alone (`kernel.md` §7.5,
 * `journal.md` §6.1 "Hash index"). The index keeps the key arrays; they must not be changed afterwards.
 */
export class HashIndex<V> {
  readonly #tree: RadixTree<Uint8Array, V>;

  /** @param encodeLeaf - What stands in the leaf for a value; called once per set value, by the next `root`. */
  constructor(encodeLeaf: (value: V) => CborValue, tree?: RadixTree<Uint8Array, V>) {
    this.#tree = tree ?? new RadixTree(HASHES, encodeLeaf);
  }

  /**
   * The index that had this root. Nodes are read when something below them is needed.
   *
   * @throws KernelFault `object.missing` or `object.corrupt`, now and from every later call that reads a node.
   */
  static load<V>(
    rootHash: Uint8Array,
    get: GetNode,
    decodeLeaf: (value: CborValue, key: Uint8Array) => V,
    encodeLeaf: (value: V) => CborValue,
  ): HashIndex<V> {
    return new HashIndex(encodeLeaf, new RadixTree(HASHES, encodeLeaf, { rootHash, get, decodeLeaf }));
  }

  get size(): number {
    return this.#tree.size;
  }

  get(key: Uint8Array): V | undefined {
    return this.#tree.get(key);
  }

  /** @returns the value before. */
  set(key: Uint8Array, value: V): V | undefined {
    if (key.length !== 32) throw new RangeError(`a hash has 32 bytes, not ${key.length}`);
    return this.#tree.set(key, value);
  }

  /** @returns the value that was there. */
  delete(key: Uint8Array): V | undefined {
    return this.#tree.delete(key);
  }

  /** Ascending by key. The index must not change while it is iterated. */
  entries(): Iterable<[Uint8Array, V]> {
    return this.#tree.entries();
  }

  /** Puts every node that changed since the last call; gives the root hash. */
  root(put: PutNode): Uint8Array {
    return this.#tree.root(put);
  }

  /** Forgets the nodes that have not changed since `root`, but for the uppermost; they are read again when needed. */
  release(get: GetNode, decodeLeaf: (value: CborValue, key: Uint8Array) => V): void {
    this.#tree.release(get, decodeLeaf);
  }
}
