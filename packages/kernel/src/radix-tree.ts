import { bytesEqual, type CborValue, decodeCanonical, encode, hashText, NESTING_LIMIT, sha256 } from '@worldline/canon';
import { KernelFault } from './fault.ts';
import { isTextMap } from './wire.ts';

/**
 * Content-addressed index in memory and as nodes (`journal.md` §6.1, `kernel.md` §7.5): what `IdIndex` and `HashIndex`
 * have in common. Invariants:
 *
 * X1 The shape of the nodes follows from the keys alone: a subtree is a leaf iff it holds at most `leafMax` entries.
 * X2 `root` writes the nodes that changed since it was called last and no others.
 * X3 A loaded index reads a node when something below it is first needed.
 */
export interface KeyProfile<K> {
  readonly leafMax: number;
  /** Branches skip digits that all keys below share, and say at which digit they fan out (`d`). */
  readonly isCompressed: boolean;
  /** Values of one digit. */
  readonly fanOut: number;
  readonly digitCount: number;
  /** Levels of branches, counted from the top, that `release` leaves in memory: the way to every entry begins with them. */
  readonly keptLevels: number;
  digit(key: K, position: number): number;
  compare(a: K, b: K): number;
  /** First position at which the keys differ; they are not equal. */
  firstDifference(a: K, b: K): number;
  toBytes(key: K): Uint8Array;
  /** Undefined when the bytes are no key. */
  fromBytes(bytes: Uint8Array): K | undefined;
}

/** Keeps a node and gives its hash. */
export type PutNode = (bytes: Uint8Array) => Uint8Array;
/** Bytes of a node that was put. */
export type GetNode = (hash: Uint8Array) => Uint8Array | undefined;

interface Leaf<K, V> {
  readonly kind: 'leaf';
  /** Ascending; the two lists beside it are parallel. */
  readonly keys: K[];
  readonly values: V[];
  /** Encoded values, as far as they are known; forgotten when a value is set. */
  readonly encoded: (CborValue | undefined)[];
  /** Undefined while it or something below has changed since `root`. */
  hash: Uint8Array | undefined;
}

interface Branch<K, V> {
  readonly kind: 'branch';
  /** Position of the digit it fans out on. */
  readonly position: number;
  /** Some key below it, or one that was: all share the digits before `position`. */
  readonly sample: K;
  readonly children: (Node<K, V> | undefined)[];
  count: number;
  hash: Uint8Array | undefined;
}

/** A node that was not read yet. */
interface Stored {
  readonly kind: 'stored';
  readonly count: number;
  readonly hash: Uint8Array;
}

type Node<K, V> = Leaf<K, V> | Branch<K, V> | Stored;
type Loaded<K, V> = Leaf<K, V> | Branch<K, V>;

export class RadixTree<K, V> {
  readonly #profile: KeyProfile<K>;
  readonly #encodeLeaf: (value: V) => CborValue;
  #decodeLeaf: ((value: CborValue, key: K) => V) | undefined;
  #get: GetNode | undefined;
  #root: Node<K, V>;

  /** @param stored - Where to load from; without it the index is empty. */
  constructor(
    profile: KeyProfile<K>,
    encodeLeaf: (value: V) => CborValue,
    stored?: {
      readonly rootHash: Uint8Array;
      readonly get: GetNode;
      readonly decodeLeaf: (value: CborValue, key: K) => V;
    },
  ) {
    this.#profile = profile;
    this.#encodeLeaf = encodeLeaf;
    this.#get = stored?.get;
    this.#decodeLeaf = stored?.decodeLeaf;
    this.#root = stored === undefined ? newLeaf() : this.#read(stored.rootHash, undefined, 0);
  }

  get size(): number {
    return countOf(this.#root);
  }

  get(key: K): V | undefined {
    const profile = this.#profile;
    let node = this.#loadedRoot();
    while (node.kind === 'branch') {
      const child = this.#child(node, profile.digit(key, node.position));
      if (child === undefined) return undefined;
      node = child;
    }
    const index = find(profile, node.keys, key);
    return index < 0 ? undefined : node.values[index];
  }

  /** @returns the value before. */
  set(key: K, value: V): V | undefined {
    const before: { value: V | undefined } = { value: undefined };
    this.#root = this.#setIn(this.#loadedRoot(), 0, key, value, before);
    return before.value;
  }

  /** @returns the value that was there. */
  delete(key: K): V | undefined {
    const before: { value: V | undefined; found: boolean } = { value: undefined, found: false };
    this.#root = this.#deleteIn(this.#loadedRoot(), key, before) ?? newLeaf();
    return before.value;
  }

  /** Ascending by key. The index must not change while it is iterated. */
  entries(): Generator<[K, V], void, undefined> {
    return this.#entriesOf(this.#loadedRoot());
  }

  /** Puts every node that changed since the last call, children first. */
  root(put: PutNode): Uint8Array {
    return this.#hashOf(this.#root, put);
  }

  /**
   * Forgets what is below the uppermost branches and has not changed since `root`; it is read again when it is needed.
   *
   * @param get - gives every node that was put.
   */
  release(get: GetNode, decodeLeaf: (value: CborValue, key: K) => V): void {
    this.#get = get;
    this.#decodeLeaf = decodeLeaf;
    if (this.#root.kind === 'branch') releaseBelow(this.#root, this.#profile.keptLevels);
  }

  *#entriesOf(node: Loaded<K, V>): Generator<[K, V], void, undefined> {
    if (node.kind === 'leaf') {
      for (let i = 0; i < node.keys.length; i++) yield [node.keys[i] as K, node.values[i] as V];
      return;
    }
    for (let digit = 0; digit < node.children.length; digit++) {
      const child = this.#child(node, digit);
      if (child !== undefined) yield* this.#entriesOf(child);
    }
  }

  #setIn(node: Loaded<K, V>, position: number, key: K, value: V, before: { value: V | undefined }): Loaded<K, V> {
    const profile = this.#profile;
    if (node.kind === 'leaf') {
      node.hash = undefined;
      const index = find(profile, node.keys, key);
      if (index >= 0) {
        before.value = node.values[index];
        node.values[index] = value;
        node.encoded[index] = undefined;
        return node;
      }
      const place = -1 - index;
      node.keys.splice(place, 0, key);
      node.values.splice(place, 0, value);
      node.encoded.splice(place, 0, undefined);
      return node.keys.length > profile.leafMax ? this.#build(node, position) : node;
    }

    if (profile.isCompressed) {
      const differs =
        profile.compare(node.sample, key) === 0 ? node.position : profile.firstDifference(node.sample, key);
      if (differs < node.position) {
        // The key leaves the path above this branch, so a new one goes between.
        const leaf = newLeaf<K, V>();
        leaf.keys.push(key);
        leaf.values.push(value);
        leaf.encoded.push(undefined);
        const above = this.#newBranch(differs, key);
        above.children[profile.digit(node.sample, differs)] = node;
        above.children[profile.digit(key, differs)] = leaf;
        above.count = node.count + 1;
        return above;
      }
    }
    const digit = profile.digit(key, node.position);
    const child = this.#child(node, digit) ?? newLeaf<K, V>();
    const childCount = countOf(child);
    const changed = this.#setIn(child, node.position + 1, key, value, before);
    node.children[digit] = changed;
    node.count += countOf(changed) - childCount;
    node.hash = undefined;
    return node;
  }

  #deleteIn(node: Loaded<K, V>, key: K, before: { value: V | undefined; found: boolean }): Loaded<K, V> | undefined {
    const profile = this.#profile;
    if (node.kind === 'leaf') {
      const index = find(profile, node.keys, key);
      if (index < 0) return node;
      before.found = true;
      before.value = node.values[index];
      node.keys.splice(index, 1);
      node.values.splice(index, 1);
      node.encoded.splice(index, 1);
      node.hash = undefined;
      return node.keys.length === 0 ? undefined : node;
    }
    const digit = profile.digit(key, node.position);
    const child = this.#child(node, digit);
    if (child === undefined) return node;
    node.children[digit] = this.#deleteIn(child, key, before);
    if (!before.found) return node;
    node.hash = undefined;
    node.count--;
    if (node.count <= profile.leafMax) return this.#collapse(node);
    // A compressed branch with one child would be at a digit in which no keys differ.
    if (profile.isCompressed && node.children[digit] === undefined) {
      let only: number | undefined;
      for (let i = 0; i < node.children.length; i++) {
        if (node.children[i] === undefined) continue;
        if (only !== undefined) return node;
        only = i;
      }
      return this.#child(node, only as number);
    }
    return node;
  }

  #collapse(branch: Branch<K, V>): Leaf<K, V> {
    const leaf = newLeaf<K, V>();
    const take = (node: Loaded<K, V>): void => {
      if (node.kind === 'leaf') {
        for (let i = 0; i < node.keys.length; i++) {
          leaf.keys.push(node.keys[i] as K);
          leaf.values.push(node.values[i] as V);
          leaf.encoded.push(node.encoded[i]);
        }
        return;
      }
      for (let digit = 0; digit < node.children.length; digit++) {
        const child = this.#child(node, digit);
        if (child !== undefined) take(child);
      }
    };
    take(branch);
    return leaf;
  }

  /** The canonical subtree of the entries, whose keys share the digits before `position`. */
  #build(entries: Leaf<K, V>, position: number): Loaded<K, V> {
    const profile = this.#profile;
    const { keys } = entries;
    if (keys.length <= profile.leafMax) return entries;
    const first = keys[0] as K;
    const at = profile.isCompressed ? profile.firstDifference(first, keys[keys.length - 1] as K) : position;
    const branch = this.#newBranch(at, first);
    branch.count = keys.length;
    for (let from = 0; from < keys.length; ) {
      const digit = profile.digit(keys[from] as K, at);
      let to = from + 1;
      while (to < keys.length && profile.digit(keys[to] as K, at) === digit) to++;
      const child: Leaf<K, V> = {
        kind: 'leaf',
        keys: keys.slice(from, to),
        values: entries.values.slice(from, to),
        encoded: entries.encoded.slice(from, to),
        hash: undefined,
      };
      branch.children[digit] = this.#build(child, at + 1);
      from = to;
    }
    return branch;
  }

  #newBranch(position: number, sample: K): Branch<K, V> {
    const children = new Array<Node<K, V> | undefined>(this.#profile.fanOut).fill(undefined);
    return { kind: 'branch', position, sample, children, count: 0, hash: undefined };
  }

  // --- nodes as bytes

  #hashOf(node: Node<K, V>, put: PutNode): Uint8Array {
    if (node.kind === 'stored' || node.hash !== undefined) return node.hash as Uint8Array;
    const c: CborValue[] = [];
    if (node.kind === 'leaf') {
      for (let i = 0; i < node.keys.length; i++) {
        node.encoded[i] ??= this.#encodeLeaf(node.values[i] as V);
        c.push([this.#profile.toBytes(node.keys[i] as K), node.encoded[i] as CborValue]);
      }
      node.hash = put(encode({ t: 'Leaf', c }));
      return node.hash;
    }
    for (let digit = 0; digit < node.children.length; digit++) {
      const child = node.children[digit];
      if (child !== undefined) c.push([digit, this.#hashOf(child, put), countOf(child)]);
    }
    node.hash = put(encode(this.#profile.isCompressed ? { t: 'Branch', d: node.position, c } : { t: 'Branch', c }));
    return node.hash;
  }

  #loadedRoot(): Loaded<K, V> {
    const node = this.#root;
    if (node.kind !== 'stored') return node;
    const loaded = this.#read(node.hash, node.count, 0);
    this.#root = loaded;
    return loaded;
  }

  #child(branch: Branch<K, V>, digit: number): Loaded<K, V> | undefined {
    const node = branch.children[digit];
    if (node === undefined || node.kind !== 'stored') return node;
    const loaded = this.#read(node.hash, node.count, branch.position + 1);
    branch.children[digit] = loaded;
    return loaded;
  }

  /** @throws KernelFault `object.missing`, `object.corrupt`: class 13.4, since nodes are found by their hash. */
  #read(hash: Uint8Array, count: number | undefined, position: number): Loaded<K, V> {
    const bytes = this.#get?.(hash);
    if (bytes === undefined) throw new KernelFault('object.missing', hashText(hash));
    const corrupt = (why: string): KernelFault => new KernelFault('object.corrupt', `${hashText(hash)}: ${why}`);
    if (!bytesEqual(sha256(bytes), hash)) throw corrupt('bytes do not have this hash');
    // A node of the state is as deep as what was put into it, which the limit for input does not bound.
    const decoded = decodeCanonical(bytes, { maxDepth: NESTING_LIMIT });
    if (!decoded.ok) throw corrupt(decoded.failure.message);
    const node = this.#parse(decoded.value, hash, position);
    if (node === undefined || (count !== undefined && count !== countOf(node)))
      throw corrupt('not a node of this index');
    return node;
  }

  #parse(value: CborValue, hash: Uint8Array, position: number): Loaded<K, V> | undefined {
    const profile = this.#profile;
    if (!isTextMap(value) || !Array.isArray(value.c)) return undefined;
    const entries = value.c as readonly CborValue[];
    if (value.t === 'Leaf') {
      if (entries.length > profile.leafMax || Object.keys(value).length !== 2) return undefined;
      const leaf = newLeaf<K, V>();
      leaf.hash = hash;
      for (const entry of entries) {
        if (!Array.isArray(entry) || entry.length !== 2) return undefined;
        const [keyBytes, encoded] = entry as [CborValue, CborValue];
        const key = keyBytes instanceof Uint8Array ? profile.fromBytes(keyBytes) : undefined;
        if (key === undefined) return undefined;
        const last = leaf.keys[leaf.keys.length - 1];
        if (last !== undefined && profile.compare(last, key) >= 0) return undefined;
        leaf.keys.push(key);
        leaf.values.push((this.#decodeLeaf as (value: CborValue, key: K) => V)(encoded, key));
        leaf.encoded.push(encoded);
      }
      return leaf;
    }
    if (value.t !== 'Branch' || Object.keys(value).length !== (profile.isCompressed ? 3 : 2)) return undefined;
    const at = profile.isCompressed ? value.d : position;
    if (typeof at !== 'number' || !Number.isInteger(at) || at < position || at >= profile.digitCount) return undefined;
    const children: (Node<K, V> | undefined)[] = new Array<Node<K, V> | undefined>(profile.fanOut).fill(undefined);
    let total = 0;
    let lastDigit = -1;
    for (const entry of entries) {
      if (!Array.isArray(entry) || entry.length !== 3) return undefined;
      const [digit, childHash, childCount] = entry as [CborValue, CborValue, CborValue];
      if (typeof digit !== 'number' || digit <= lastDigit || digit >= profile.fanOut) return undefined;
      if (!(childHash instanceof Uint8Array) || childHash.length !== 32) return undefined;
      if (typeof childCount !== 'number' || childCount < 1) return undefined;
      children[digit] = { kind: 'stored', hash: childHash, count: childCount };
      lastDigit = digit;
      total += childCount;
    }
    if (total <= profile.leafMax) return undefined;
    const branch: Branch<K, V> = { kind: 'branch', position: at, sample: undefined as K, children, count: total, hash };
    if (!profile.isCompressed) return branch;
    // Which digits were skipped is known to the keys only, so one path is read down to a leaf.
    const below = this.#child(branch, lastDigit);
    if (below === undefined) return undefined;
    const sample = below.kind === 'branch' ? below.sample : (below.keys[0] as K);
    if (profile.digit(sample, at) !== lastDigit) return undefined;
    return { ...branch, sample };
  }
}

/** @param keptLevels - of branches, this one included. */
function releaseBelow<K, V>(branch: Branch<K, V>, keptLevels: number): void {
  const { children } = branch;
  for (let digit = 0; digit < children.length; digit++) {
    const child = children[digit];
    if (child === undefined || child.kind === 'stored') continue;
    const isKept = child.kind === 'branch' && keptLevels > 1;
    if (child.hash !== undefined && !isKept)
      children[digit] = { kind: 'stored', hash: child.hash, count: countOf(child) };
    else if (child.kind === 'branch') releaseBelow(child, keptLevels - 1);
  }
}

function newLeaf<K, V>(): Leaf<K, V> {
  return { kind: 'leaf', keys: [], values: [], encoded: [], hash: undefined };
}

function countOf<K, V>(node: Node<K, V>): number {
  return node.kind === 'leaf' ? node.keys.length : node.count;
}

/** Index of the key, or −1 − the place where it belongs. */
function find<K>(profile: KeyProfile<K>, keys: readonly K[], key: K): number {
  let low = 0;
  let high = keys.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const order = profile.compare(keys[middle] as K, key);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return -1 - low;
}
