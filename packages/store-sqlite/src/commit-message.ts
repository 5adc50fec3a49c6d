import type { Batch, BatchIndex, CommitOptions, Head, StoredObject } from '@worldline/ports';

/**
 * A commit on its way to the writer thread: all bytes in one buffer that is handed over, not copied again, and all
 * numbers in another. Cloning the objects as they are would cost the host's loop several times as much.
 */
export interface CommitMessage {
  readonly worldId: string;
  readonly epoch: number;
  readonly heap: Uint8Array<ArrayBuffer>;
  readonly numbers: Float64Array<ArrayBuffer>;
  readonly texts: readonly string[];
}

export interface CommitArguments {
  readonly worldId: string;
  readonly epoch: number;
  readonly expected: Head;
  readonly batches: readonly Batch[];
  readonly options: CommitOptions;
}

/** Absent bytes; a length is never negative. */
const ABSENT = -1;

export function packCommit({ worldId, epoch, expected, batches, options }: CommitArguments): CommitMessage {
  const pack = new Pack();
  pack.number(expected.height);
  pack.bytes(expected.chain);
  pack.list(options.objects ?? [], ({ hash, bytes }) => {
    pack.bytes(hash);
    pack.bytes(bytes);
  });
  pack.bytes(options.claim?.token);
  if (options.claim !== undefined) pack.text(options.claim.executor);
  pack.list(batches, (batch) => {
    pack.number(batch.firstSeq);
    pack.number(batch.lastSeq);
    pack.bytes(batch.chain);
    pack.bytes(batch.body);
    pack.bytes(batch.inboxCursor);
    pack.number(batch.internalPending ? 1 : 0);
    pack.list(batch.emitted, (row) => {
      pack.number(row.emissionSeq);
      pack.bytes(row.intentHash);
      pack.text(row.kind);
      pack.bytes(row.request);
    });
    pack.list(batch.timers, (row) => {
      pack.number(row.emissionSeq);
      pack.bytes(row.intentHash);
      pack.ns(row.dueWallNs);
    });
    pack.list(batch.settled, (seq) => pack.number(seq));
    pack.list(batch.released, (row) => {
      pack.number(row.emissionSeq);
      pack.bytes(row.token);
      pack.number(row.dedupeKey === undefined ? 0 : 1);
      if (row.dedupeKey !== undefined) pack.text(row.dedupeKey);
    });
    const { index } = batch;
    pack.number(index === undefined ? 0 : 1);
    if (index === undefined) return;
    for (const place of [index.snapshot, index.baseline]) {
      pack.bytes(place?.ref);
      pack.number(place?.height ?? 0);
    }
    pack.bytes(index.configHash);
    pack.number(index.activate === true ? 1 : 0);
  });
  return { worldId, epoch, ...pack.finish() };
}

export function unpackCommit(message: CommitMessage): CommitArguments {
  const unpack = new Unpack(message);
  const expected = { height: unpack.number(), chain: unpack.bytes() };
  const objects = unpack.list((): StoredObject => ({ hash: unpack.bytes(), bytes: unpack.bytes() }));
  const token = unpack.optionalBytes();
  const claim = token && { token, executor: unpack.text() };
  const batches = unpack.list(
    (): Batch => ({
      firstSeq: unpack.number(),
      lastSeq: unpack.number(),
      chain: unpack.bytes(),
      body: unpack.bytes(),
      inboxCursor: unpack.optionalBytes(),
      internalPending: unpack.number() === 1,
      emitted: unpack.list(() => ({
        emissionSeq: unpack.number(),
        intentHash: unpack.bytes(),
        kind: unpack.text(),
        request: unpack.bytes(),
      })),
      timers: unpack.list(() => ({ emissionSeq: unpack.number(), intentHash: unpack.bytes(), dueWallNs: unpack.ns() })),
      settled: unpack.list(() => unpack.number()),
      released: unpack.list(() => ({
        emissionSeq: unpack.number(),
        token: unpack.optionalBytes(),
        dedupeKey: unpack.number() === 1 ? unpack.text() : undefined,
      })),
      index: unpack.number() === 1 ? unpackIndex(unpack) : undefined,
    }),
  );
  return { worldId: message.worldId, epoch: message.epoch, expected, batches, options: { objects, claim } };
}

function unpackIndex(unpack: Unpack): BatchIndex {
  const place = () => {
    const ref = unpack.optionalBytes();
    const height = unpack.number();
    return ref && { height, ref };
  };
  return {
    snapshot: place(),
    baseline: place(),
    configHash: unpack.optionalBytes(),
    activate: unpack.number() === 1 ? true : undefined,
  };
}

class Pack {
  readonly #numbers: number[] = [];
  readonly #texts: string[] = [];
  readonly #parts: Uint8Array[] = [];
  #size = 0;

  number(value: number): void {
    this.#numbers.push(value);
  }

  /** A bigint as two exact numbers. */
  ns(value: bigint): void {
    this.#numbers.push(Number(value / 1_000_000_000n), Number(value % 1_000_000_000n));
  }

  text(value: string): void {
    this.#texts.push(value);
  }

  bytes(value: Uint8Array | undefined): void {
    this.#numbers.push(value?.length ?? ABSENT);
    if (value === undefined) return;
    this.#parts.push(value);
    this.#size += value.length;
  }

  list<T>(values: readonly T[], each: (value: T) => void): void {
    this.#numbers.push(values.length);
    for (const value of values) each(value);
  }

  finish(): Pick<CommitMessage, 'heap' | 'numbers' | 'texts'> {
    const heap = new Uint8Array(this.#size);
    let at = 0;
    for (const part of this.#parts) {
      heap.set(part, at);
      at += part.length;
    }
    return { heap, numbers: Float64Array.from(this.#numbers), texts: this.#texts };
  }
}

/** Reads back in the order of writing. Bytes are views of the heap. */
class Unpack {
  readonly #message: CommitMessage;
  #number = 0;
  #text = 0;
  #byte = 0;

  constructor(message: CommitMessage) {
    this.#message = message;
  }

  number(): number {
    return this.#message.numbers[this.#number++]!;
  }

  ns(): bigint {
    const seconds = BigInt(this.number());
    return seconds * 1_000_000_000n + BigInt(this.number());
  }

  text(): string {
    return this.#message.texts[this.#text++]!;
  }

  bytes(): Uint8Array {
    const length = this.number();
    this.#byte += length;
    return this.#message.heap.subarray(this.#byte - length, this.#byte);
  }

  optionalBytes(): Uint8Array | undefined {
    if (this.#message.numbers[this.#number] !== ABSENT) return this.bytes();
    this.#number++;
    return undefined;
  }

  list<T>(each: () => T): T[] {
    return Array.from({ length: this.number() }, each);
  }
}
