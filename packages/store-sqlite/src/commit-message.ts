import type { Batch, BatchIndex, CommitOptions, Head, StoredObject } from '@worldline/ports';

/**
 * A commit on its way to the writer thread: bytes in one buffer, which is handed over and not copied again. Cloning the
 * objects as they are would cost the host's loop several times as much. The bytes stay inside this process and have no
 * version.
 */

export type CommitMessage = Uint8Array<ArrayBuffer>;

export interface CommitArguments {
  readonly worldId: string;
  readonly epoch: number;
  readonly expected: Head;
  readonly batches: readonly Batch[];
  readonly options: CommitOptions;
}

/** The message, in a buffer of its own. */
export function packCommit(given: CommitArguments): CommitMessage {
  const bytes = new Uint8Array(commitBytesMax(given));
  return bytes.subarray(0, writeCommit(given, bytes));
}

/** At most as many bytes `writeCommit` needs. */
export function commitBytesMax({ worldId, expected, batches, options }: CommitArguments): number {
  let size = FIXED_BYTES + textBytesMax(worldId) + expected.chain.length;
  for (const { hash, bytes } of options.objects ?? []) size += 8 + hash.length + bytes.length;
  if (options.claim !== undefined) size += options.claim.token.length + textBytesMax(options.claim.executor);
  for (const batch of batches) {
    size += BATCH_BYTES + batch.chain.length + batch.body.length + (batch.inboxCursor?.length ?? 0);
    for (const row of batch.emitted)
      size += ROW_BYTES + row.intentHash.length + textBytesMax(row.kind) + row.request.length;
    for (const row of batch.timers) size += ROW_BYTES + row.intentHash.length;
    size += 8 * batch.settled.length;
    for (const row of batch.released)
      size += ROW_BYTES + (row.token?.length ?? 0) + (row.dedupeKey === undefined ? 0 : textBytesMax(row.dedupeKey));
    const { index } = batch;
    if (index === undefined) continue;
    for (const bytes of [index.snapshot?.ref, index.baseline?.ref, index.configHash]) size += bytes?.length ?? 0;
  }
  return size;
}

/** Numbers, lengths and flags of a whole message, of one batch with its index, of one row: no more than these. */
const FIXED_BYTES = 64;
const BATCH_BYTES = 96;
const ROW_BYTES = 32;

function textBytesMax(text: string): number {
  return 4 + 3 * text.length;
}

/** @returns how many bytes of `target` it took. */
export function writeCommit(
  { worldId, epoch, expected, batches, options }: CommitArguments,
  target: Uint8Array,
): number {
  const writer = new MessageWriter(target);
  writer.text(worldId);
  writer.number(epoch);
  writer.number(expected.height);
  writer.bytes(expected.chain);
  const objects = options.objects ?? [];
  writer.count(objects.length);
  for (const { hash, bytes } of objects) {
    writer.bytes(hash);
    writer.bytes(bytes);
  }
  writer.optionalBytes(options.claim?.token);
  if (options.claim !== undefined) writer.text(options.claim.executor);
  writer.count(batches.length);
  for (const batch of batches) writeBatch(writer, batch);
  return writer.at;
}

function writeBatch(writer: MessageWriter, batch: Batch): void {
  writer.number(batch.firstSeq);
  writer.number(batch.lastSeq);
  writer.bytes(batch.chain);
  writer.bytes(batch.body);
  writer.optionalBytes(batch.inboxCursor);
  writer.count(batch.internalPending ? 1 : 0);
  writer.count(batch.emitted.length);
  for (const row of batch.emitted) {
    writer.number(row.emissionSeq);
    writer.bytes(row.intentHash);
    writer.text(row.kind);
    writer.bytes(row.request);
  }
  writer.count(batch.timers.length);
  for (const row of batch.timers) {
    writer.number(row.emissionSeq);
    writer.bytes(row.intentHash);
    writer.ns(row.dueWallNs);
  }
  writer.count(batch.settled.length);
  for (const seq of batch.settled) writer.number(seq);
  writer.count(batch.released.length);
  for (const row of batch.released) {
    writer.number(row.emissionSeq);
    writer.optionalBytes(row.token);
    writer.count(row.dedupeKey === undefined ? 0 : 1);
    if (row.dedupeKey !== undefined) writer.text(row.dedupeKey);
  }
  const { index } = batch;
  writer.count(index === undefined ? 0 : 1);
  if (index === undefined) return;
  for (const place of [index.snapshot, index.baseline]) {
    writer.optionalBytes(place?.ref);
    writer.number(place?.height ?? 0);
  }
  writer.optionalBytes(index.configHash);
  writer.count(index.activate === true ? 1 : 0);
}

/** All bytes in the result are views of `bytes`. */
export function unpackCommit(bytes: Uint8Array): CommitArguments {
  const reader = new MessageReader(bytes);
  const worldId = reader.text();
  const epoch = reader.number();
  const expected = { height: reader.number(), chain: reader.bytes() };
  const objects = reader.list((): StoredObject => ({ hash: reader.bytes(), bytes: reader.bytes() }));
  const token = reader.optionalBytes();
  const claim = token && { token, executor: reader.text() };
  const batches = reader.list(() => readBatch(reader));
  return { worldId, epoch, expected, batches, options: { objects, claim } };
}

function readBatch(reader: MessageReader): Batch {
  return {
    firstSeq: reader.number(),
    lastSeq: reader.number(),
    chain: reader.bytes(),
    body: reader.bytes(),
    inboxCursor: reader.optionalBytes(),
    internalPending: reader.count() === 1,
    emitted: reader.list(() => ({
      emissionSeq: reader.number(),
      intentHash: reader.bytes(),
      kind: reader.text(),
      request: reader.bytes(),
    })),
    timers: reader.list(() => ({ emissionSeq: reader.number(), intentHash: reader.bytes(), dueWallNs: reader.ns() })),
    settled: reader.list(() => reader.number()),
    released: reader.list(() => ({
      emissionSeq: reader.number(),
      token: reader.optionalBytes(),
      dedupeKey: reader.count() === 1 ? reader.text() : undefined,
    })),
    index: reader.count() === 1 ? readIndex(reader) : undefined,
  };
}

function readIndex(reader: MessageReader): BatchIndex {
  const place = () => {
    const ref = reader.optionalBytes();
    const height = reader.number();
    return ref && { height, ref };
  };
  return {
    snapshot: place(),
    baseline: place(),
    configHash: reader.optionalBytes(),
    activate: reader.count() === 1 ? true : undefined,
  };
}

/** Length of absent bytes. */
const ABSENT = 0xffff_ffff;
const NS_PER_S = 1_000_000_000n;

class MessageWriter {
  readonly #target: Uint8Array;
  readonly #view: DataView;
  at = 0;

  constructor(target: Uint8Array) {
    this.#target = target;
    this.#view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  }

  /** A count, a length or a flag. */
  count(value: number): void {
    this.#view.setUint32(this.at, value, true);
    this.at += 4;
  }

  number(value: number): void {
    this.#view.setFloat64(this.at, value, true);
    this.at += 8;
  }

  /** As two exact numbers: an instant may lie beyond 64 bits. */
  ns(value: bigint): void {
    this.number(Number(value / NS_PER_S));
    this.count(Number(value % NS_PER_S));
  }

  bytes(value: Uint8Array): void {
    this.count(value.length);
    this.#target.set(value, this.at);
    this.at += value.length;
  }

  optionalBytes(value: Uint8Array | undefined): void {
    if (value === undefined) this.count(ABSENT);
    else this.bytes(value);
  }

  text(value: string): void {
    const start = this.at + 4;
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i);
      if (unit >= 0x80) {
        this.bytes(Buffer.from(value, 'utf8'));
        return;
      }
      this.#target[start + i] = unit;
    }
    this.count(value.length);
    this.at += value.length;
  }
}

/** Reads back in the order of writing. */
class MessageReader {
  readonly #source: Uint8Array;
  readonly #view: DataView;
  readonly #buffer: Buffer;
  #at = 0;

  constructor(source: Uint8Array) {
    this.#source = source;
    this.#view = new DataView(source.buffer, source.byteOffset, source.byteLength);
    this.#buffer = Buffer.from(source.buffer as ArrayBuffer, source.byteOffset, source.byteLength);
  }

  count(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  number(): number {
    this.#at += 8;
    return this.#view.getFloat64(this.#at - 8, true);
  }

  ns(): bigint {
    const seconds = BigInt(this.number());
    return seconds * NS_PER_S + BigInt(this.count());
  }

  bytes(): Uint8Array {
    return this.#take(this.count());
  }

  optionalBytes(): Uint8Array | undefined {
    const length = this.count();
    return length === ABSENT ? undefined : this.#take(length);
  }

  #take(length: number): Uint8Array {
    this.#at += length;
    return this.#source.subarray(this.#at - length, this.#at);
  }

  text(): string {
    const length = this.count();
    this.#at += length;
    return this.#buffer.toString('utf8', this.#at - length, this.#at);
  }

  list<T>(each: () => T): T[] {
    const values: T[] = [];
    for (let left = this.count(); left > 0; left--) values.push(each());
    return values;
  }
}
