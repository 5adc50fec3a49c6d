import { type CborValue, decodeCanonical, toHex } from '@worldline/canon';
import { isHash32, isTextMap, type TextMap } from './wire.ts';

/** One node of a snapshot; `bytes` are undefined when it is not there or cannot be read as what it must be. */
export interface SnapshotNode {
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array | undefined;
}

type Follow = (node: CborValue) => Iterable<Reference>;
interface Reference {
  readonly hash: Uint8Array;
  readonly follow: Follow | undefined;
}

/**
 * Every node of a snapshot from its root down (`journal.md` §6.1), each once: what must be in the store for the snapshot
 * to be complete, and what a collector must keep. Definitions, configuration and pinned roots are not part of the tree.
 *
 * @param get - bytes of a node that is there and has this hash.
 */
export function* snapshotNodes(
  root: Uint8Array,
  get: (hash: Uint8Array) => Uint8Array | undefined,
): Generator<SnapshotNode, void, void> {
  const seen = new Set<string>();
  // Depth first, so that what waits to be visited is bounded by the tree's height times its fan-out.
  const stack: Reference[] = [{ hash: root, follow: ofRoot }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { hash, follow } = next;
    // Only nodes with something below them are ever shared (empty indexes are one node), and those are few.
    if (follow !== undefined) {
      const key = toHex(hash);
      if (seen.has(key)) continue;
      seen.add(key);
    }
    const bytes = get(hash);
    const below = bytes === undefined || follow === undefined ? [] : references(bytes, follow);
    yield { hash, bytes: below === undefined ? undefined : bytes };
    if (below !== undefined) stack.push(...below.toReversed());
  }
}

function references(bytes: Uint8Array, follow: Follow): readonly Reference[] | undefined {
  const decoded = decodeCanonical(bytes);
  if (!decoded.ok) return undefined;
  try {
    return [...follow(decoded.value)];
  } catch (error) {
    if (error instanceof Misshapen) return undefined;
    throw error;
  }
}

class Misshapen extends Error {}

function* ofRoot(node: CborValue): Iterable<Reference> {
  const root = mapOf(node);
  yield { hash: hashOf(mapOf(root['plans'])['root']), follow: ofIndex(ofHash) };
  yield { hash: hashOf(mapOf(root['waits'])['root']), follow: ofIndex(ofWaits) };
  const emissions = mapOf(root['emissions']);
  yield { hash: hashOf(emissions['root']), follow: ofIndex(ofHash) };
  yield { hash: hashOf(emissions['by_intent']), follow: ofIndex(() => []) };
  yield { hash: hashOf(root['recent']), follow: undefined };
  for (const chunk of listOf(mapOf(root['ingress_recent'])['chunks'])) yield { hash: hashOf(chunk), follow: undefined };
  yield { hash: hashOf(root['governance']), follow: undefined };
}

/** A node of an id index or a hash index. */
function ofIndex(ofValue: (value: CborValue) => Iterable<Reference>): Follow {
  return function* follow(node) {
    const { t, c } = mapOf(node);
    for (const item of listOf(c)) {
      const parts = listOf(item);
      if (t === 'Branch') yield { hash: hashOf(parts[1]), follow };
      else if (parts[1] !== undefined) yield* ofValue(parts[1]);
      else throw new Misshapen();
    }
  };
}

function* ofHash(value: CborValue): Iterable<Reference> {
  yield { hash: hashOf(value), follow: undefined };
}

/** More than 64 waits of one kind are an id index of their own. */
function* ofWaits(value: CborValue): Iterable<Reference> {
  const { waits } = mapOf(value);
  if (isHash32(waits)) yield { hash: waits, follow: ofIndex(() => []) };
}

function mapOf(value: CborValue | undefined): TextMap {
  if (!isTextMap(value)) throw new Misshapen();
  return value;
}

function listOf(value: CborValue | undefined): readonly CborValue[] {
  if (!Array.isArray(value)) throw new Misshapen();
  return value;
}

function hashOf(value: CborValue | undefined): Uint8Array {
  if (!isHash32(value)) throw new Misshapen();
  return value;
}
