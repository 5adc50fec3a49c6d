import { CborReader, type CborValue, CborWriter } from '@worldline/canon';
import { KernelFault } from './fault.ts';
import type { UndoLog } from './undo.ts';

/** What is remembered of an ingress that had an id (`kernel.md` §3 rule 2). */
export interface KnownIngress {
  readonly ingressId: string;
  readonly firstSeq: number;
  readonly digest: Uint8Array;
}

const CHUNK = 1024;
const REMEMBERED = 65_536;
/**
 * The index forgets in bulk: an id that is this far behind what is remembered. No undo reaches back that far: two groups
 * of 4 MiB hold fewer batches with an id.
 */
const SLACK = 32_768;

/** Entries `CHUNK · number …`; those that are not at hand are in the node that has this hash. */
interface Chunk {
  entries: KnownIngress[] | undefined;
  /** Of its node; undefined while it has changed since it was put. */
  hash: Uint8Array | undefined;
}

/**
 * The last 65 536 ingress ids, in chunks of 1 024 that never change once full (`journal.md` §6.1).
 *
 * In memory is where each id stands and what came since the last snapshot; the rest is in nodes, which are read when an
 * id is met again. A memory that was loaded reads nothing before it is first asked.
 */
export class IngressMemory {
  readonly #read: (hash: Uint8Array) => Uint8Array;
  #chunks = new Map<number, Chunk>();
  /** Number of the newest entry of each id; made when it is first needed. May hold numbers that are forgotten. */
  #numbers: Map<string, number> | undefined;
  #next: number;
  /** Smaller numbers are not in the index any more. */
  #indexedFrom = 0;

  /** @param read - gives the bytes of a node that was put, or throws. */
  constructor(read: (hash: Uint8Array) => Uint8Array, next = 0, chunkHashes: readonly Uint8Array[] = []) {
    this.#read = read;
    this.#next = next;
    chunkHashes.forEach((hash, i) => {
      this.#chunks.set(this.#firstChunk() + i, { entries: undefined, hash });
    });
  }

  find(ingressId: string): KnownIngress | undefined {
    const n = this.#index().get(ingressId);
    if (n === undefined || n < this.#next - REMEMBERED) return undefined;
    return this.#entriesOf(this.#chunks.get(Math.floor(n / CHUNK))!)[n % CHUNK];
  }

  add(entry: KnownIngress, undo: UndoLog): void {
    const n = this.#next;
    const number = Math.floor(n / CHUNK);
    let chunk = this.#chunks.get(number);
    if (chunk === undefined) {
      chunk = { entries: [], hash: undefined };
      this.#chunks.set(number, chunk);
    }
    chunk.entries = this.#entriesOf(chunk) as KnownIngress[];
    chunk.entries.push(entry);
    chunk.hash = undefined;
    this.#next = n + 1;
    undo.log(takeBack, this, n, undefined);
    undo.setMap(this.#index(), entry.ingressId, n);
    if (this.#next - this.#indexedFrom > REMEMBERED + 2 * SLACK) this.#forgetBelow(this.#next - REMEMBERED - SLACK);
  }

  /** Writes the chunks that changed and lists the hashes of all of them. */
  toNode(put: (bytes: Uint8Array) => Uint8Array): CborValue {
    const chunks: Uint8Array[] = [];
    const first = this.#firstChunk();
    for (const number of this.#chunks.keys()) if (number < first) this.#chunks.delete(number);
    for (let number = first; number * CHUNK < this.#next; number++) {
      const chunk = this.#chunks.get(number)!;
      if (chunk.hash === undefined) {
        chunk.hash = put(encodeChunk(chunk.entries!));
        if (chunk.entries!.length === CHUNK) chunk.entries = undefined;
      }
      chunks.push(chunk.hash);
    }
    return { next: this.#next, chunks };
  }

  /** Undoes the addition of entry `n`, the newest. */
  takeBack(n: number): void {
    const number = Math.floor(n / CHUNK);
    const chunk = this.#chunks.get(number)!;
    chunk.entries = this.#entriesOf(chunk) as KnownIngress[];
    chunk.entries.pop();
    chunk.hash = undefined;
    if (n % CHUNK === 0) this.#chunks.delete(number);
    this.#next = n;
    if (n - REMEMBERED < this.#indexedFrom && this.#indexedFrom > 0)
      throw new KernelFault('state.impossible', 'ingress ids are undone further than the index goes back');
  }

  #firstChunk(): number {
    return Math.floor(Math.max(0, this.#next - REMEMBERED) / CHUNK);
  }

  #entriesOf(chunk: Chunk): readonly KnownIngress[] {
    return chunk.entries ?? decodeChunk(this.#read(chunk.hash!));
  }

  #index(): Map<string, number> {
    if (this.#numbers !== undefined) return this.#numbers;
    const numbers = new Map<string, number>();
    for (const [number, chunk] of this.#chunks) {
      this.#entriesOf(chunk).forEach(({ ingressId }, i) => {
        numbers.set(ingressId, number * CHUNK + i);
      });
    }
    this.#numbers = numbers;
    this.#indexedFrom = this.#firstChunk() * CHUNK;
    return numbers;
  }

  #forgetBelow(from: number): void {
    const numbers = this.#index();
    for (const [ingressId, n] of numbers) if (n < from) numbers.delete(ingressId);
    this.#indexedFrom = from;
  }
}

function takeBack(memory: IngressMemory, n: number): void {
  memory.takeBack(n);
}

const writer = new CborWriter();
const reader = new CborReader();

function encodeChunk(entries: readonly KnownIngress[]): Uint8Array {
  writer.clear();
  writer.prefix();
  writer.array(entries.length);
  for (const { ingressId, firstSeq, digest } of entries) {
    writer.array(3);
    writer.text(ingressId);
    writer.integer(firstSeq);
    writer.bytes(digest);
  }
  return writer.take();
}

/** @throws KernelFault when it is none. */
function decodeChunk(bytes: Uint8Array): KnownIngress[] {
  const entries: KnownIngress[] = [];
  reader.begin(bytes);
  const count = reader.array();
  for (let i = 0; i < count && reader.isGood; i++) {
    const isEntry = reader.array() === 3;
    const ingressId = reader.text();
    const firstSeq = reader.count();
    const digest = reader.bytes();
    if (!isEntry || digest.length !== 32) break;
    entries.push({ ingressId, firstSeq, digest });
  }
  if (!reader.end() || entries.length !== count) throw new KernelFault('object.corrupt', 'not a chunk of ingress ids');
  return entries;
}
