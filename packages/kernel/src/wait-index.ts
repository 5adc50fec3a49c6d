import { type CborValue, compareUtf8, hashOf, sha256, toHex } from '@worldline/canon';
import { KernelFault } from './fault.ts';
import { HashIndex } from './hash-index.ts';
import { IdIndex } from './id-index.ts';
import type { GetNode, PutNode } from './radix-tree.ts';

/** An outstanding `await_event` (`kernel.md` §6.5). */
export interface Wait {
  readonly waitId: number;
  readonly planId: number;
  readonly stepId: string;
  readonly schema: string;
  /** Only events whose value at `path` has the encoding `value` can satisfy it; absent: any event of the schema. */
  readonly match?: { readonly path: string; readonly value: Uint8Array } | undefined;
}

/** How many waits each schema has per path, as the snapshot root lists it. An alias, so that it is plain data. */
export type WaitSchema = {
  readonly schema: string;
  readonly paths: readonly (readonly [path: string | null, waits: number])[];
};

/** More waits than this on one schema, path and value are an id index of their own. */
const LIST_MAX = 64;

/** The waits of one schema, path and value. */
interface Bucket {
  readonly schema: string;
  readonly path: string | null;
  readonly value: Uint8Array | null;
  /** Ascending by wait id while there are at most `LIST_MAX`; then `many` holds them. */
  list: Wait[];
  many: IdIndex<Wait> | undefined;
  /** The hash index has an entry for it. */
  isStored: boolean;
}

interface PathWaits {
  readonly path: string | null;
  count: number;
  /** By match value, see `valueKey`; the waits without match are under the empty text. */
  readonly buckets: Map<string, Bucket>;
  /** The loaded index may hold buckets of this path that are not in `buckets` yet. */
  hasStored: boolean;
}

interface SchemaWaits {
  readonly paths: Map<string | null, PathWaits>;
}

/**
 * All outstanding event waits, found by what an event carries, so that publishing costs what it wakes, not what is
 * parked (`kernel.md` §6.5, `journal.md` §6.1 "Wait index").
 *
 * Changes only touch the maps; the content-addressed index beneath is brought up to date by `root`, because most waits
 * are gone again before the next snapshot. A loaded index reads a bucket when an event or a change first needs it.
 */
export class WaitIndex {
  readonly #schemas = new Map<string, SchemaWaits>();
  readonly #dirty = new Set<Bucket>();
  readonly #index: HashIndex<Bucket>;
  #get: GetNode | undefined;
  #size = 0;
  /** Where `encodeBucket` puts inner nodes; set while `root` runs. */
  #put: PutNode | undefined;

  constructor(stored?: {
    readonly rootHash: Uint8Array;
    readonly get: GetNode;
    readonly schemas?: readonly WaitSchema[] | undefined;
  }) {
    this.#get = stored?.get;
    const encodeBucket = (bucket: Bucket): CborValue => this.#encodeBucket(bucket);
    if (stored === undefined) {
      this.#index = new HashIndex<Bucket>(encodeBucket);
      return;
    }
    this.#index = HashIndex.load(stored.rootHash, stored.get, (value) => this.#decodeBucket(value), encodeBucket);
    if (stored.schemas === undefined) {
      for (const [, bucket] of this.#index.entries()) this.#adopt(bucket);
      return;
    }
    for (const { schema, paths } of stored.schemas) {
      for (const [path, count] of paths) {
        const pathWaits = this.#pathWaits(schema, path);
        pathWaits.count = count;
        pathWaits.hasStored = true;
        this.#size += count;
      }
    }
  }

  /**
   * The index of a snapshot root's `waits`.
   *
   * @param schemas - The list beside the root. With it, buckets are read when they are needed; without it, all now.
   * @throws KernelFault `object.missing` or `object.corrupt`, now and from every later call that reads a node.
   */
  static load(rootHash: Uint8Array, get: GetNode, schemas?: readonly WaitSchema[]): WaitIndex {
    return new WaitIndex({ rootHash, get, schemas });
  }

  get size(): number {
    return this.#size;
  }

  hasSchema(schema: string): boolean {
    return this.#schemas.has(schema);
  }

  add(wait: Wait): void {
    const { schema, match } = wait;
    const pathWaits = this.#pathWaits(schema, match?.path ?? null);
    const key = match === undefined ? '' : valueKey(match.value);
    let bucket = this.#bucket(schema, pathWaits, match?.value ?? null, key);
    if (bucket === undefined) {
      // Most buckets hold one wait, and a list that is written down with it has no room to spare.
      bucket = {
        schema,
        path: pathWaits.path,
        value: match?.value ?? null,
        list: [wait],
        many: undefined,
        isStored: false,
      };
      pathWaits.buckets.set(key, bucket);
    } else if (bucket.many !== undefined) {
      bucket.many.set(wait.waitId, wait);
    } else {
      const { list } = bucket;
      let place = list.length;
      while (place > 0 && (list[place - 1] as Wait).waitId > wait.waitId) place--;
      list.splice(place, 0, wait);
      if (list.length > LIST_MAX) {
        bucket.many = new IdIndex(encodeWait);
        for (const one of list) bucket.many.set(one.waitId, one);
        bucket.list = [];
      }
    }
    this.#dirty.add(bucket);
    pathWaits.count++;
    this.#size++;
  }

  /** @param wait - One that was added: found by its schema, match and wait id. */
  remove(wait: Wait): void {
    const { schema, match, waitId } = wait;
    const path = match?.path ?? null;
    const schemaWaits = this.#schemas.get(schema);
    const pathWaits = schemaWaits?.paths.get(path);
    const key = match === undefined ? '' : valueKey(match.value);
    const bucket = pathWaits === undefined ? undefined : this.#bucket(schema, pathWaits, match?.value ?? null, key);
    if (schemaWaits === undefined || pathWaits === undefined || bucket === undefined || !removeFrom(bucket, waitId)) {
      throw new KernelFault('state.impossible', `wait ${waitId} is not registered`);
    }
    this.#dirty.add(bucket);
    // One that the index has stays until `root` takes it out there: else it would be found and read again.
    if (isEmpty(bucket) && !bucket.isStored) pathWaits.buckets.delete(key);
    this.#size--;
    if (--pathWaits.count > 0) return;
    schemaWaits.paths.delete(path);
    if (schemaWaits.paths.size === 0) this.#schemas.delete(schema);
  }

  /**
   * Waits that an event may satisfy, ascending by wait id. The cost does not depend on waits for other values.
   *
   * @param valueAt - `C(v)` of the event's value at a path; undefined when there is none.
   */
  candidates(schema: string, valueAt: (path: string) => Uint8Array | undefined): Wait[] {
    const found: Wait[] = [];
    const schemaWaits = this.#schemas.get(schema);
    if (schemaWaits === undefined) return found;
    let sources = 0;
    for (const pathWaits of schemaWaits.paths.values()) {
      const value = pathWaits.path === null ? null : valueAt(pathWaits.path);
      if (value === undefined) continue;
      const bucket = this.#bucket(schema, pathWaits, value, value === null ? '' : valueKey(value));
      if (bucket === undefined) continue;
      sources++;
      if (bucket.many === undefined) found.push(...bucket.list);
      else for (const [, wait] of bucket.many.entries()) found.push(wait);
    }
    return sources > 1 ? found.sort((a, b) => a.waitId - b.waitId) : found;
  }

  /** Schemas by name, paths by UTF-8 bytes, null first. */
  schemas(): WaitSchema[] {
    return [...this.#schemas.entries()]
      .sort(([a], [b]) => compareUtf8(a, b))
      .map(([schema, { paths }]) => ({
        schema,
        paths: [...paths.values()]
          .sort((a, b) => (a.path === null ? -1 : b.path === null ? 1 : compareUtf8(a.path, b.path)))
          .map(({ path, count }) => [path, count] as const),
      }));
  }

  /** Puts every node that changed since the last call; gives the root hash. */
  root(put: PutNode): Uint8Array {
    this.#put = put;
    // First all that are gone: another bucket may have taken the place of one since.
    for (const bucket of this.#dirty) {
      if (!isEmpty(bucket) || !bucket.isStored) continue;
      this.#index.delete(keyOf(bucket));
      bucket.isStored = false;
      const { schema, path, value } = bucket;
      const buckets = this.#schemas.get(schema)?.paths.get(path)?.buckets;
      const key = value === null ? '' : valueKey(value);
      if (buckets?.get(key) === bucket) buckets.delete(key);
    }
    for (const bucket of this.#dirty) {
      if (isEmpty(bucket)) continue;
      this.#index.set(keyOf(bucket), bucket);
      bucket.isStored = true;
    }
    this.#dirty.clear();
    const root = this.#index.root(put);
    this.#put = undefined;
    return root;
  }

  /**
   * Forgets the nodes that have not changed since `root`: only the next `root` needs them, and only where something
   * changes until then.
   *
   * @param get - gives every node that was put.
   */
  releaseNodes(get: GetNode): void {
    this.#get = get;
    this.#index.release(get, (value) => this.#decodeBucket(value));
  }

  /**
   * Forgets the waits too, but for those of the instances that `isKept` names. They are read again when an event or a
   * change needs them.
   */
  release(get: GetNode, isKept: (planId: number) => boolean): void {
    this.releaseNodes(get);
    for (const { paths } of this.#schemas.values()) {
      for (const pathWaits of paths.values()) {
        for (const [key, bucket] of pathWaits.buckets) {
          const isChanged = !bucket.isStored || this.#dirty.has(bucket);
          if (isChanged || bucket.many !== undefined || bucket.list.some((wait) => isKept(wait.planId))) continue;
          pathWaits.buckets.delete(key);
          pathWaits.hasStored = true;
        }
      }
    }
  }

  #adopt(bucket: Bucket): void {
    const pathWaits = this.#pathWaits(bucket.schema, bucket.path);
    const count = bucket.many?.size ?? bucket.list.length;
    pathWaits.buckets.set(bucket.value === null ? '' : valueKey(bucket.value), bucket);
    pathWaits.count += count;
    this.#size += count;
  }

  #pathWaits(schema: string, path: string | null): PathWaits {
    let schemaWaits = this.#schemas.get(schema);
    if (schemaWaits === undefined) {
      schemaWaits = { paths: new Map() };
      this.#schemas.set(schema, schemaWaits);
    }
    let pathWaits = schemaWaits.paths.get(path);
    if (pathWaits === undefined) {
      pathWaits = { path, count: 0, buckets: new Map(), hasStored: false };
      schemaWaits.paths.set(path, pathWaits);
    }
    return pathWaits;
  }

  #bucket(schema: string, pathWaits: PathWaits, value: Uint8Array | null, key: string): Bucket | undefined {
    const bucket = pathWaits.buckets.get(key);
    if (bucket !== undefined || !pathWaits.hasStored) return bucket;
    const stored = this.#index.get(waitKey(schema, pathWaits.path, value));
    if (stored === undefined) return undefined;
    pathWaits.buckets.set(key, stored);
    return stored;
  }

  #encodeBucket(bucket: Bucket): CborValue {
    const waits: CborValue =
      bucket.many !== undefined
        ? bucket.many.root(this.#put as PutNode)
        : bucket.list.map(({ waitId, planId, stepId }) => [waitId, planId, stepId]);
    return { schema: bucket.schema, path: bucket.path, value: bucket.value, waits };
  }

  #decodeBucket(node: CborValue): Bucket {
    const { schema, path, value, waits } = node as { readonly [key: string]: CborValue | undefined };
    if (typeof schema !== 'string' || (path !== null && typeof path !== 'string')) throw corruptBucket();
    if (path === null ? value !== null : !(value instanceof Uint8Array)) throw corruptBucket();
    const match = path === null ? undefined : { path, value: value as Uint8Array };
    const toWait = (waitId: CborValue, planId: CborValue, stepId: CborValue): Wait => {
      if (!isId(waitId) || !isId(planId) || typeof stepId !== 'string') throw corruptBucket();
      return { waitId, planId, stepId, schema, match };
    };
    let list: Wait[] = [];
    let many: IdIndex<Wait> | undefined;
    if (waits instanceof Uint8Array) {
      many = IdIndex.load(
        waits,
        this.#get as GetNode,
        (wait, waitId) => {
          if (!Array.isArray(wait) || wait.length !== 2) throw corruptBucket();
          return toWait(waitId, wait[0] as CborValue, wait[1] as CborValue);
        },
        encodeWait,
      );
      if (many.size <= LIST_MAX) throw corruptBucket();
    } else {
      if (!Array.isArray(waits) || waits.length === 0 || waits.length > LIST_MAX) throw corruptBucket();
      list = (waits as readonly CborValue[]).map((wait) => {
        if (!Array.isArray(wait) || wait.length !== 3) throw corruptBucket();
        return toWait(wait[0] as CborValue, wait[1] as CborValue, wait[2] as CborValue);
      });
    }
    return { schema, path, value: value as Uint8Array | null, list, many, isStored: true };
  }
}

function encodeWait({ planId, stepId }: Wait): CborValue {
  return [planId, stepId];
}

function removeFrom(bucket: Bucket, waitId: number): boolean {
  const { many } = bucket;
  if (many !== undefined) {
    if (many.delete(waitId) === undefined) return false;
    if (many.size <= LIST_MAX) {
      bucket.list = [...many.entries()].map(([, wait]) => wait);
      bucket.many = undefined;
    }
    return true;
  }
  const index = bucket.list.findIndex((wait) => wait.waitId === waitId);
  if (index < 0) return false;
  bucket.list.splice(index, 1);
  return true;
}

function isEmpty(bucket: Bucket): boolean {
  return bucket.many === undefined && bucket.list.length === 0;
}

function keyOf(bucket: Bucket): Uint8Array {
  return waitKey(bucket.schema, bucket.path, bucket.value);
}

/** Key of the wait index: `H([schema, path or null, C(value) or null])`. */
export function waitKey(schema: string, path: string | null, value: Uint8Array | null): Uint8Array {
  return hashOf([schema, path, value]);
}

const VALUE_KEY_BYTES = 64;

/** A text that stands for the bytes. Long values by their hash; `#` cannot begin bytes with the CBOR prefix. */
function valueKey(value: Uint8Array): string {
  if (value.length > VALUE_KEY_BYTES) return `#${toHex(sha256(value))}`;
  return String.fromCharCode.apply(null, value as unknown as number[]);
}

function isId(value: CborValue): value is number {
  return typeof value === 'number' && value >= 0;
}

function corruptBucket(): KernelFault {
  return new KernelFault('object.corrupt', 'wait index: not an entry');
}
