import { decodeFrame } from '@worldline/canon';
import type { GetAnswer, StoredBatch, Unavailable } from '@worldline/ports';
import { ordinalOf, rowId } from './schema.ts';
import { blob, count, type Sql } from './sql.ts';

/** A page of the journal also ends when its bodies reach this size. */
const PAGE_BYTES = 4 * 1024 * 1024;

export type JournalAnswer =
  | { readonly answer: 'ok'; readonly batches: readonly StoredBatch[]; readonly next?: number | undefined }
  | { readonly answer: 'corrupt'; readonly where: string }
  | Unavailable;

/** A segment that the disk does not give; it may be whole. */
class Outage extends Error {}

interface NumberedBatch extends StoredBatch {
  readonly ordinal: number;
}

/** Where the batches of a world are. */
interface Extent {
  readonly w: number;
  /** Ordinal of the first batch that has a row; those before it are in segments. */
  readonly firstBatch: number;
  readonly total: number;
}

/**
 * The journal as one, whether its batches have rows or lie in segments (`journal.md` §9). Whoever calls holds one view
 * of the database.
 */
export class JournalReader {
  readonly #sql: Sql;
  readonly #object: (hash: Uint8Array) => GetAnswer;
  /** The segment read last: pages of one reader follow each other. */
  #segment: { readonly key: string; readonly batches: readonly NumberedBatch[] } | undefined;

  constructor(sql: Sql, object: (hash: Uint8Array) => GetAnswer) {
    this.#sql = sql;
    this.#object = object;
  }

  read(worldId: string, asked: number, limit: number): JournalAnswer {
    try {
      return this.#read(worldId, asked, limit);
    } catch (error) {
      if (error instanceof Outage) return { answer: 'unavailable', message: error.message };
      throw error;
    }
  }

  #read(worldId: string, asked: number, limit: number): JournalAnswer {
    const world = this.#sql.get(
      'SELECT w, height, batches, base_height, first_batch FROM worlds WHERE world_id = ?',
      worldId,
    );
    if (world === undefined) return { answer: 'ok', batches: [] };
    const extent: Extent = {
      w: count(world.w),
      firstBatch: count(world.first_batch),
      total: count(world.batches),
    };
    const height = count(world.height);
    const fromSeq = Math.max(asked, count(world.base_height));
    const batches: StoredBatch[] = [];
    let ordinal: number | undefined;
    let seq: number | undefined;
    let entries = 0;
    let bytes = 0;
    for (const batch of this.#from(extent, fromSeq)) {
      const isNext =
        batch !== undefined &&
        batch.ordinal === (ordinal ?? batch.ordinal) &&
        (seq === undefined ? batch.firstSeq <= fromSeq : batch.firstSeq === seq);
      if (!isNext) return { answer: 'corrupt', where: `entry ${seq ?? fromSeq}` };
      // Never behind an empty batch: the next page begins at its seq, and would bring it again.
      const last = batches.at(-1);
      const mayEnd = last === undefined || last.lastSeq >= last.firstSeq;
      if (mayEnd && (entries >= limit || bytes >= PAGE_BYTES)) return { answer: 'ok', batches, next: batch.firstSeq };
      const { firstSeq, lastSeq, chain, body } = batch;
      batches.push({ firstSeq, lastSeq, chain, body });
      ordinal = batch.ordinal + 1;
      seq = lastSeq + 1;
      entries += seq - firstSeq;
      bytes += body.length;
    }
    const isWhole = seq === undefined ? fromSeq >= height : seq === height && ordinal === extent.total;
    return isWhole ? { answer: 'ok', batches } : { answer: 'corrupt', where: `entry ${seq ?? fromSeq}` };
  }

  /**
   * Batches from the first that holds `fromSeq` or begins there: empty ones directly before it belong to the chain and
   * are read with it. undefined where one cannot be read.
   */
  *#from(extent: Extent, fromSeq: number): Generator<NumberedBatch | undefined> {
    const { w, firstBatch, total } = extent;
    if (firstBatch === 0 || this.#firstRowSeq(extent) < fromSeq) {
      const start = this.#findRow(extent, fromSeq);
      if (start === undefined) yield undefined;
      else yield* this.#rows(w, start, total);
      return;
    }
    // Empty batches at `fromSeq` may be the last of a segment that ends before it.
    const segments = this.#sql.all(
      'SELECT first_batch, first_seq, ref, frames_at, entries FROM segments WHERE w = ? AND last_seq >= ? ORDER BY first_batch',
      w,
      fromSeq - 1,
    );
    for (const row of segments) {
      const batches = this.#segmentBatches({
        key: `${w}/${count(row.first_batch)}`,
        firstBatch: count(row.first_batch),
        firstSeq: count(row.first_seq),
        ref: blob(row.ref),
        framesAt: count(row.frames_at),
        entries: blob(row.entries),
      });
      if (batches === undefined) {
        yield undefined;
        return;
      }
      for (const batch of batches) {
        if (batch.ordinal >= firstBatch) break;
        if (batch.firstSeq >= fromSeq || batch.lastSeq >= fromSeq) yield batch;
      }
    }
    yield* this.#rows(w, firstBatch, total);
  }

  *#rows(w: number, start: number, end: number): Generator<NumberedBatch> {
    const rows = this.#sql.bigIterate(
      'SELECT * FROM batches WHERE id >= ? AND id < ? ORDER BY id',
      rowId(w, start),
      rowId(w, end),
    );
    for (const row of rows) {
      yield {
        ordinal: ordinalOf(row.id as bigint),
        firstSeq: count(row.first_seq),
        lastSeq: count(row.last_seq),
        chain: blob(row.chain),
        body: blob(row.body),
      };
    }
  }

  #firstRowSeq({ w, firstBatch }: Extent): number {
    const row = this.#sql.get('SELECT first_seq FROM batches WHERE id = ?', rowId(w, firstBatch));
    return row === undefined ? Number.POSITIVE_INFINITY : count(row.first_seq);
  }

  /**
   * Ordinal of the first row that holds `fromSeq` or begins there. Seqs rise with ordinals, so halving finds it without
   * an index.
   *
   * @returns `total` when every batch ends before; undefined when a row is missing.
   */
  #findRow({ w, firstBatch, total }: Extent, fromSeq: number): number | undefined {
    let low = firstBatch;
    let high = total;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const row = this.#sql.get('SELECT first_seq, last_seq FROM batches WHERE id = ?', rowId(w, middle));
      if (row === undefined) return undefined;
      if (count(row.first_seq) >= fromSeq || count(row.last_seq) >= fromSeq) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #segmentBatches(segment: {
    readonly key: string;
    readonly firstBatch: number;
    readonly firstSeq: number;
    readonly ref: Uint8Array;
    readonly framesAt: number;
    readonly entries: Uint8Array;
  }): readonly NumberedBatch[] | undefined {
    if (this.#segment?.key === segment.key) return this.#segment.batches;
    const got = this.#object(segment.ref);
    if (got.answer === 'unavailable') throw new Outage(got.message);
    if (got.answer !== 'ok') return undefined;
    const counts = new DataView(segment.entries.buffer, segment.entries.byteOffset, segment.entries.byteLength);
    const batches: NumberedBatch[] = [];
    let at = segment.framesAt;
    let firstSeq = segment.firstSeq;
    for (let i = 0; i * 4 < segment.entries.length; i++) {
      const frame = decodeFrame(got.bytes, at);
      if (frame === undefined) return undefined;
      const lastSeq = firstSeq + counts.getUint32(i * 4) - 1;
      batches.push({ ordinal: segment.firstBatch + i, firstSeq, lastSeq, chain: frame.chain, body: frame.body });
      at = frame.end;
      firstSeq = lastSeq + 1;
    }
    this.#segment = { key: segment.key, batches };
    return batches;
  }
}
