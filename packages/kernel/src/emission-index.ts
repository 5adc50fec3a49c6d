import { bytesEqual, type CborValue } from '@worldline/canon';
import type { Emission } from './emission.ts';
import { HashIndex } from './hash-index.ts';
import { IdIndex } from './id-index.ts';
import type { GetNode, PutNode } from './radix-tree.ts';

interface Change {
  readonly emission: Emission;
  /** Settled since; else pending, and perhaps another value than before. */
  readonly isGone: boolean;
  /** The indexes beneath have this seq, with this intent. */
  readonly isIndexed: boolean;
}

/**
 * The pending emissions, by seq and by intent (`kernel.md` §9.5, `journal.md` §6.1 "emissions").
 *
 * Most are settled again before the next snapshot, so changes are kept beside the two content-addressed indexes until
 * `roots` or `entries` brings those up to date.
 */
export class EmissionIndex {
  readonly #bySeq: IdIndex<Emission>;
  readonly #byIntent: HashIndex<number>;
  readonly #changes = new Map<number, Change>();
  /** Pending emissions that the indexes do not have, by the beginning of their intent hash. */
  readonly #intents = new Map<number, Emission | readonly Emission[]>();
  /** The indexes have nothing from here on. */
  #indexedBelow = 0;
  #size = 0;

  /** @param encodeLeaf - what stands in the index by seq. */
  constructor(
    encodeLeaf: (emission: Emission) => CborValue,
    stored?: {
      readonly bySeq: Uint8Array;
      readonly byIntent: Uint8Array;
      readonly get: GetNode;
      readonly decodeLeaf: (value: CborValue) => Emission;
      /** Seqs that were pending are below this height. */
      readonly height: number;
    },
  ) {
    const encodeSeq = (seq: number): CborValue => seq;
    if (stored === undefined) {
      this.#bySeq = new IdIndex(encodeLeaf);
      this.#byIntent = new HashIndex(encodeSeq);
      return;
    }
    this.#bySeq = IdIndex.load(stored.bySeq, stored.get, stored.decodeLeaf, encodeLeaf);
    this.#byIntent = HashIndex.load(stored.byIntent, stored.get, (seq) => seq as number, encodeSeq);
    this.#indexedBelow = stored.height;
    this.#size = this.#bySeq.size;
  }

  get size(): number {
    return this.#size;
  }

  get(emissionSeq: number): Emission | undefined {
    const change = this.#changes.get(emissionSeq);
    if (change !== undefined) return change.isGone ? undefined : change.emission;
    return emissionSeq < this.#indexedBelow ? this.#bySeq.get(emissionSeq) : undefined;
  }

  /** The pending emission with this intent; there is at most one. */
  ofIntent(intentHash: Uint8Array): Emission | undefined {
    const recent = this.#intents.get(beginning(intentHash));
    if (Array.isArray(recent)) {
      for (const emission of recent as readonly Emission[])
        if (bytesEqual(emission.intentHash, intentHash)) return emission;
    } else if (recent !== undefined && bytesEqual((recent as Emission).intentHash, intentHash)) {
      return recent as Emission;
    }
    const seq = this.#byIntent.size === 0 ? undefined : this.#byIntent.get(intentHash);
    const emission = seq === undefined ? undefined : this.get(seq);
    return emission !== undefined && bytesEqual(emission.intentHash, intentHash) ? emission : undefined;
  }

  /** Adds an emission, or takes another value for one that has the same intent. */
  set(emission: Emission): void {
    const { emissionSeq, intentHash } = emission;
    const before = this.#changes.get(emissionSeq);
    const indexed = before === undefined || before.isIndexed ? this.#indexedAt(emissionSeq) : undefined;
    if (indexed !== undefined && !bytesEqual(indexed.intentHash, intentHash)) {
      // A batch was discarded and its seqs came again.
      this.#bySeq.delete(emissionSeq);
      this.#byIntent.delete(indexed.intentHash);
    }
    const isIndexed = indexed !== undefined && bytesEqual(indexed.intentHash, intentHash);
    const wasPending = before === undefined ? indexed !== undefined : !before.isGone;
    this.#changes.set(emissionSeq, { emission, isGone: false, isIndexed });
    if (!wasPending) this.#size++;
    if (isIndexed) return;
    if (wasPending && before !== undefined) this.#dropIntent(before.emission);
    const key = beginning(intentHash);
    const others = this.#intents.get(key);
    this.#intents.set(key, others === undefined ? emission : [others, emission].flat());
  }

  /** @param emission - a pending one. */
  delete(emission: Emission): void {
    const { emissionSeq } = emission;
    const before = this.#changes.get(emissionSeq);
    const isIndexed = before === undefined || before.isIndexed;
    this.#size--;
    if (isIndexed) {
      this.#changes.set(emissionSeq, { emission, isGone: true, isIndexed });
      return;
    }
    this.#changes.delete(emissionSeq);
    this.#dropIntent(before.emission);
  }

  /** Ascending by seq. The emissions must not change while they are iterated. */
  entries(): Iterable<[number, Emission]> {
    this.#settle();
    return this.#bySeq.entries();
  }

  /** Puts every node that changed since the last call; gives both root hashes. */
  roots(put: PutNode): { readonly bySeq: Uint8Array; readonly byIntent: Uint8Array } {
    this.#settle();
    return { bySeq: this.#bySeq.root(put), byIntent: this.#byIntent.root(put) };
  }

  /** Brings the indexes up to date. */
  #settle(): void {
    // What is gone leaves first: its intent may be pending again, with a lower or a higher seq.
    for (const [emissionSeq, { emission, isGone }] of this.#changes) {
      if (!isGone) continue;
      this.#bySeq.delete(emissionSeq);
      this.#byIntent.delete(emission.intentHash);
    }
    for (const [emissionSeq, { emission, isGone, isIndexed }] of this.#changes) {
      if (isGone) continue;
      this.#bySeq.set(emissionSeq, emission);
      if (!isIndexed) this.#byIntent.set(emission.intentHash, emissionSeq);
      if (emissionSeq >= this.#indexedBelow) this.#indexedBelow = emissionSeq + 1;
    }
    this.#changes.clear();
    this.#intents.clear();
  }

  #indexedAt(emissionSeq: number): Emission | undefined {
    return emissionSeq < this.#indexedBelow ? this.#bySeq.get(emissionSeq) : undefined;
  }

  #dropIntent(emission: Emission): void {
    const key = beginning(emission.intentHash);
    const found = this.#intents.get(key);
    if (Array.isArray(found)) {
      const rest = (found as readonly Emission[]).filter((other) => other.emissionSeq !== emission.emissionSeq);
      this.#intents.set(key, rest.length === 1 ? rest[0]! : rest);
    } else {
      this.#intents.delete(key);
    }
  }
}

/** 30 bits, which is what V8 keeps in place of a number object. */
function beginning(hash: Uint8Array): number {
  return (hash[0]! << 22) | (hash[1]! << 14) | (hash[2]! << 6) | (hash[3]! >> 2);
}
