import { createHash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { bytesEqual, decodeFrame, encodeFrame, ok, toHex } from '@worldline/canon';
import {
  type BatchBody,
  decodeBatchBody,
  decodeSegmentFoot,
  decodeSegmentHead,
  encodeSegmentFoot,
  encodeSegmentHead,
  isSegmentFoot,
  nextChain,
  SEGMENT_HEAD_BYTES_MAX,
  type SegmentFoot,
} from '@worldline/kernel';
import type { Store, StoredBatch, WorldRow } from '@worldline/ports';
import { type Answer, refuse } from './failure.ts';
import { readBatches } from './journal-read.ts';

/**
 * A part of a journal as a file: one segment (`journal.md` §9, `docs/formats/segment.md`).
 *
 * E1 Written and read batch by batch: what lies in memory at a time does not grow with the journal.
 * E2 A file has its name only once it is whole, and its batches are checked when it is read. Checkpoints are signatures: who
 *    wants to know whether they verify needs the world's keys.
 */

export interface ExportOptions {
  readonly store: Store;
  readonly row: WorldRow;
  readonly file: string;
  /** Whole batches, from the one that holds `from` to the one that holds `to`. Default: all up to the head of `row`. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** @param seq - the next one to be written. */
  readonly onProgress?: ((seq: number) => void) | undefined;
  /** Ends the export; nothing is left behind. */
  readonly signal?: AbortSignal | undefined;
}

export interface Exported extends SegmentFoot {
  readonly firstSeq: number;
  readonly bytes: number;
}

/** @returns `not_found` when the range holds no records, `journal.corrupt`, `host_error`, `interrupted`. */
export async function exportJournal(options: ExportOptions): Promise<Answer<Exported>> {
  const { file, row } = options;
  const from = Math.max(options.from ?? 0, row.base.height);
  const to = Math.min(options.to ?? Number.MAX_SAFE_INTEGER, row.head.height - 1);
  if (from > to)
    return refuse('not_found', `the journal holds ${row.base.height}..${row.head.height - 1}, nothing of that range`);
  const part = `${file}.part`;
  let handle: FileHandle | undefined;
  try {
    handle = await open(part, 'w', 0o600);
    const written = await writeSegment(handle, { ...options, from, to });
    if (written.ok) await handle.sync();
    await handle.close();
    handle = undefined;
    if (written.ok) await rename(part, file);
    return written;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EISDIR') return refuse('host_error', `${file} is a folder`, { hint: 'name a file' });
    if (code === 'ENOENT')
      return refuse('host_error', `there is no folder for ${file}`, { hint: 'make it, or name another file' });
    return refuse('host_error', `${file} cannot be written: ${message}`, {
      hint: 'check that its folder can be written',
    });
  } finally {
    await handle?.close();
    await rm(part, { force: true });
  }
}

/** Written at a time. */
const CHUNK_BYTES = 1024 * 1024;

async function writeSegment(
  handle: FileHandle,
  { store, row, from, to, onProgress, signal }: ExportOptions & { readonly from: number; readonly to: number },
): Promise<Answer<Exported>> {
  const hash = createHash('sha256');
  let [bytes, frames, lastSeq] = [0, 0, from - 1];
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  const flush = async () => {
    const chunk = Buffer.concat(pending);
    pending = [];
    pendingBytes = 0;
    for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at)).bytesWritten;
  };
  const put = (piece: Uint8Array) => {
    hash.update(piece);
    pending.push(piece);
    pendingBytes += piece.length;
    bytes += piece.length;
  };
  const beginning = await firstBatch(store, row, from);
  if (!beginning.ok) return beginning;
  const { firstSeq, chainBefore } = beginning.value;
  let chain = chainBefore;
  put(encodeSegmentHead({ firstSeq, chainBefore }));
  for (let next: number | undefined = firstSeq; next !== undefined; ) {
    if (signal?.aborted) return refuse('interrupted', 'the export was interrupted');
    const page = await store.journal.read(row.worldId, next, 4096);
    if (page.answer === 'corrupt') return refuse('journal.corrupt', `the journal has a hole at ${page.where}`);
    if (page.answer === 'unavailable') return refuse('host_error', `the store does not answer: ${page.message}`);
    next = page.next;
    for (const batch of page.batches) {
      if (batch.firstSeq > to) {
        next = undefined;
        break;
      }
      if (!bytesEqual(nextChain(chain, batch.body), batch.chain))
        return refuse('journal.corrupt', `the chain breaks at the batch that begins at ${batch.firstSeq}`);
      ({ chain } = batch);
      lastSeq = Math.max(lastSeq, batch.lastSeq);
      frames += 1;
      put(encodeFrame(batch));
    }
    if (pendingBytes >= CHUNK_BYTES) await flush();
    onProgress?.(lastSeq + 1);
  }
  const foot: SegmentFoot = {
    lastSeq,
    chain,
    frames,
    sha256: new Uint8Array(hash.copy().digest()),
    checkpoints: await checkpointsOf(store, row, { firstSeq, lastSeq, chainBefore }),
  };
  put(encodeSegmentFoot(foot));
  await flush();
  return ok({ ...foot, firstSeq, bytes });
}

/** Where the batch that holds `from` begins, and the chain before it. Empty batches before it belong to it. */
async function firstBatch(
  store: Store,
  row: WorldRow,
  from: number,
): Promise<Answer<{ readonly firstSeq: number; readonly chainBefore: Uint8Array }>> {
  let first: StoredBatch | undefined;
  let read = await readBatches(store, row.worldId, from, (batch) => {
    first = batch;
    return false;
  });
  if (!read.ok) return read;
  if (first === undefined) return refuse('journal.corrupt', `no batch holds ${from}`);
  const { firstSeq, chain } = first;
  if (firstSeq <= row.base.height) return ok({ firstSeq, chainBefore: row.base.chain });
  let chainBefore: Uint8Array | undefined;
  read = await readBatches(store, row.worldId, firstSeq - 1, (batch) => {
    if (bytesEqual(batch.chain, chain)) return false;
    chainBefore = batch.chain;
    return true;
  });
  if (!read.ok) return read;
  return chainBefore === undefined
    ? refuse('journal.corrupt', `nothing is known of the batch before ${firstSeq}`)
    : ok({ firstSeq, chainBefore });
}

async function checkpointsOf(
  store: Store,
  row: WorldRow,
  range: { readonly firstSeq: number; readonly lastSeq: number; readonly chainBefore: Uint8Array },
): Promise<readonly Uint8Array[]> {
  const found: Uint8Array[] = [];
  for (let from = 0; ; ) {
    const page = await store.checkpoint.read(row.worldId, from, 256);
    for (const { nextSeq, chain, bytes } of page) {
      // One that ends exactly where the segment begins is that of the segment before.
      if (nextSeq > range.firstSeq && nextSeq <= range.lastSeq + 1 && !bytesEqual(chain, range.chainBefore))
        found.push(bytes);
    }
    if (page.length === 0) return found;
    from += page.length;
  }
}

export interface SegmentBatch {
  readonly body: BatchBody;
  readonly chain: Uint8Array;
}

/** A segment file, opened; its batches can be read once. */
export class SegmentFile {
  readonly firstSeq: number;
  readonly size: number;
  readonly #file: string;
  readonly #input: Input;
  #chain: Uint8Array;

  private constructor(parts: { file: string; input: Input; firstSeq: number; chainBefore: Uint8Array; size: number }) {
    this.#file = parts.file;
    this.#input = parts.input;
    this.firstSeq = parts.firstSeq;
    this.#chain = parts.chainBefore;
    this.size = parts.size;
  }

  /** @returns `not_found`, `host_error` when it cannot be read, `journal.corrupt` when it is no segment. */
  static async open(file: string): Promise<Answer<SegmentFile>> {
    let handle: FileHandle;
    try {
      handle = await open(file, 'r');
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return code === 'ENOENT'
        ? refuse('not_found', `there is no file ${file}`)
        : refuse('host_error', `${file} cannot be read: ${message}`);
    }
    const input = new Input(handle);
    try {
      const { size } = await handle.stat();
      const head = decodeSegmentHead(await input.peek(SEGMENT_HEAD_BYTES_MAX));
      if (head.ok) {
        const { firstSeq, chainBefore, framesAt } = head.value;
        input.take(framesAt);
        return ok(new SegmentFile({ file, input, firstSeq, chainBefore: chainBefore.slice(), size }));
      }
      await handle.close();
      return refuse('journal.corrupt', `${file}: ${head.failure.message}`, {
        hint: 'Write one with "worldline journal export".',
      });
    } catch (error) {
      await handle.close();
      return refuse('host_error', `${file} cannot be read: ${(error as Error).message}`);
    }
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#input.position;
  }

  /**
   * Every batch in order, each checked against the chain, and at the end all against what the file says of itself.
   *
   * @param visit - false ends the reading, and what follows is not checked.
   * @returns `journal.corrupt` with the place; batches before it have been visited.
   */
  async read(visit: (batch: SegmentBatch) => boolean | void): Promise<Answer<void>> {
    const input = this.#input;
    let [next, frames] = [this.firstSeq, 0];
    try {
      for (;;) {
        const start = await input.peek(4);
        if (start.length < 4) return this.#damaged('it is cut off', next);
        if (isSegmentFoot(start)) return await this.#end(next, frames);
        const frame = decodeFrame(await input.peek(FRAME_HEAD_BYTES + lengthOf(start)), 0);
        if (frame === undefined) return this.#damaged('a batch is cut off or has other bytes', next);
        // What is kept of a batch must not keep all that was read with it.
        const bytes = frame.body.slice();
        input.take(frame.end);
        const chain = nextChain(this.#chain, bytes);
        if (!bytesEqual(chain, frame.chain)) return this.#damaged('the chain breaks', next);
        this.#chain = chain;
        const body = decodeBatchBody(bytes);
        if (!body.ok) return this.#damaged(body.failure.message, next);
        if (body.value.firstSeq !== next) return this.#damaged(`expected a batch that begins at ${next}`, next);
        next += body.value.entries.length;
        frames += 1;
        if (visit({ body: body.value, chain }) === false) return ok(undefined);
      }
    } catch (error) {
      return refuse('host_error', `${this.#file} cannot be read: ${(error as Error).message}`);
    }
  }

  async #end(next: number, frames: number): Promise<Answer<void>> {
    const sha256 = this.#input.digest();
    const foot = decodeSegmentFoot(await this.#input.rest());
    if (!foot.ok) return this.#damaged(foot.failure.message, next);
    const { value } = foot;
    if (value.lastSeq !== next - 1 || value.frames !== frames || !bytesEqual(value.chain, this.#chain))
      return this.#damaged('it does not hold what it says at its end', next);
    if (!bytesEqual(value.sha256, sha256))
      return this.#damaged(`its bytes have the hash ${toHex(sha256)}, and it says another`, next);
    return ok(undefined);
  }

  #damaged(what: string, seq: number): Answer<never> {
    return refuse('journal.corrupt', `${this.#file} is damaged at ${seq}: ${what}`, { hint: 'Export it again.' });
  }

  async close(): Promise<void> {
    await this.#input.close();
  }
}

const FRAME_HEAD_BYTES = 40;

function lengthOf(start: Uint8Array): number {
  return new DataView(start.buffer, start.byteOffset, 4).getUint32(0, true);
}

/** A file from front to back, hashed as it is taken. */
class Input {
  readonly #handle: FileHandle;
  readonly #hash = createHash('sha256');
  #buffer: Uint8Array = new Uint8Array(CHUNK_BYTES);
  #start = 0;
  #end = 0;
  position = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** The next `length` bytes, or as many as there are: a view until the next call. */
  async peek(length: number): Promise<Uint8Array> {
    if (this.#end - this.#start < length) await this.#fill(length);
    return this.#buffer.subarray(this.#start, Math.min(this.#start + length, this.#end));
  }

  async #fill(length: number): Promise<void> {
    // A length that a damaged file claims costs no more memory than the file has bytes.
    for (let size = this.#buffer.length; ; size *= 2) {
      if (size > this.#buffer.length || this.#start > 0) {
        const buffer = size > this.#buffer.length ? new Uint8Array(size) : this.#buffer;
        buffer.set(this.#buffer.subarray(this.#start, this.#end));
        this.#end -= this.#start;
        this.#start = 0;
        this.#buffer = buffer;
      }
      while (this.#end < this.#buffer.length) {
        const { bytesRead } = await this.#handle.read(this.#buffer, this.#end, this.#buffer.length - this.#end);
        if (bytesRead === 0) return;
        this.#end += bytesRead;
      }
      if (this.#end >= length) return;
    }
  }

  /** Moves on over bytes that were peeked at. */
  take(length: number): void {
    this.#hash.update(this.#buffer.subarray(this.#start, this.#start + length));
    this.#start += length;
    this.position += length;
  }

  /** Of all that was taken. */
  digest(): Uint8Array {
    return new Uint8Array(this.#hash.copy().digest());
  }

  /** All that follows, up to what a foot may have. */
  rest(): Promise<Uint8Array> {
    return this.peek(FOOT_BYTES_MAX);
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

const FOOT_BYTES_MAX = 64 * 1024 * 1024;
