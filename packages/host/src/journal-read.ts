import { ok } from '@worldline/canon';
import { type BatchBody, decodeBatchBody, decodeRecord, type JournalRecord } from '@worldline/kernel';
import type { Store, StoredBatch } from '@worldline/ports';
import { type Answer, refuse } from './failure.ts';

const PAGE_ENTRIES = 4096;

/**
 * Whole batches from the one that holds `fromSeq`, in order.
 *
 * @param visit - called per batch; false ends the reading.
 * @returns `journal.corrupt` for a hole, `host_error` when the store does not answer.
 */
export async function readBatches(
  store: Store,
  worldId: string,
  fromSeq: number,
  visit: (batch: StoredBatch) => boolean | void,
): Promise<Answer<void>> {
  return readPages(store, worldId, fromSeq, { entries: PAGE_ENTRIES, end: Number.POSITIVE_INFINITY }, visit);
}

/** Entries between two turns for everything else that a running world does: a few milliseconds of decoding. */
const TURN_ENTRIES = 512;

/**
 * As `readBatches`, for readers in the process of a running world: lets go of the thread after every page, and ends with
 * the head as it was at the beginning.
 */
export async function readBatchesInTurns(
  store: Store,
  worldId: string,
  fromSeq: number,
  visit: (batch: StoredBatch) => boolean | void,
): Promise<Answer<void>> {
  const height = (await store.journal.head(worldId))?.height ?? 0;
  const between = () => new Promise<void>((resolve) => setImmediate(resolve));
  return readPages(store, worldId, fromSeq, { entries: TURN_ENTRIES, end: height, between }, visit);
}

interface Pages {
  /** Of one page. */
  readonly entries: number;
  /** No batch that begins here or later is visited. */
  readonly end: number;
  readonly between?: () => Promise<void>;
}

export interface JournalPage {
  readonly batches: readonly StoredBatch[];
  /** Where the next page begins; undefined: this one reaches the head. */
  readonly next?: number | undefined;
}

/**
 * Whole batches from the one that holds `fromSeq`, about `entries` entries, fewer where they are large.
 *
 * @returns as `readBatches`.
 */
export async function readPage(
  store: Store,
  worldId: string,
  fromSeq: number,
  entries: number,
): Promise<Answer<JournalPage>> {
  const page = await store.journal.read(worldId, fromSeq, entries);
  if (page.answer === 'corrupt') return refuse('journal.corrupt', `the journal has a hole at ${page.where}`);
  if (page.answer === 'unavailable') return refuse('host_error', `the store does not answer: ${page.message}`);
  return ok(page);
}

async function readPages(
  store: Store,
  worldId: string,
  fromSeq: number,
  { entries, end, between }: Pages,
  visit: (batch: StoredBatch) => boolean | void,
): Promise<Answer<void>> {
  let next: number | undefined = fromSeq;
  while (next !== undefined && next < end) {
    const page: Answer<JournalPage> = await readPage(store, worldId, next, entries);
    if (!page.ok) return page;
    for (const batch of page.value.batches) {
      if (batch.firstSeq >= end || visit(batch) === false) return ok(undefined);
    }
    next = page.value.next;
    if (between !== undefined) await between();
  }
  return ok(undefined);
}

export async function collectBatches(store: Store, worldId: string, fromSeq: number): Promise<Answer<StoredBatch[]>> {
  const batches: StoredBatch[] = [];
  const read = await readBatches(store, worldId, fromSeq, (batch) => {
    batches.push(batch);
  });
  return read.ok ? ok(batches) : read;
}

export interface DecodedBatch {
  readonly body: BatchBody;
  readonly records: readonly JournalRecord[];
}

export function decodeStoredBatch(batch: StoredBatch): Answer<DecodedBatch> {
  const body = decodeBatchBody(batch.body);
  if (!body.ok) return body;
  const records: JournalRecord[] = [];
  for (const [i, entry] of body.value.entries.entries()) {
    const record = decodeRecord(entry);
    if (!record.ok) return refuse('journal.corrupt', `entry ${body.value.firstSeq + i}: ${record.failure.message}`);
    records.push(record.value);
  }
  return ok({ body: body.value, records });
}

export interface StampedRecord {
  readonly record: JournalRecord;
  /** Of its batch. */
  readonly stamp: BatchBody['stamp'];
}

/** One record; undefined when the store no longer has it. */
export async function recordAt(store: Store, worldId: string, seq: number): Promise<Answer<StampedRecord | undefined>> {
  let found: Answer<StampedRecord | undefined> = ok(undefined);
  const read = await readPages(store, worldId, seq, { entries: 1, end: seq + 1 }, (batch) => {
    if (batch.lastSeq < seq) return true;
    const body = decodeBatchBody(batch.body);
    if (!body.ok) found = body;
    else {
      const record = decodeRecord(body.value.entries[seq - batch.firstSeq]!);
      found = record.ok
        ? ok({ record: record.value, stamp: body.value.stamp })
        : refuse('journal.corrupt', `entry ${seq}: ${record.failure.message}`);
    }
    return false;
  });
  return read.ok ? found : read;
}

/** The batch whose first entry is `firstSeq`. */
export async function batchAt(
  store: Store,
  worldId: string,
  firstSeq: number,
): Promise<Answer<DecodedBatch & { readonly lastSeq: number }>> {
  let found: StoredBatch | undefined;
  const read = await readBatches(store, worldId, firstSeq, (batch) => {
    // Empty batches stand before it under the same number.
    if (batch.firstSeq !== firstSeq || batch.lastSeq < firstSeq) return batch.firstSeq <= firstSeq;
    found = batch;
    return false;
  });
  if (!read.ok) return read;
  if (found === undefined) return refuse('journal.corrupt', `no batch begins at ${firstSeq}`);
  const decoded = decodeStoredBatch(found);
  return decoded.ok ? ok({ ...decoded.value, lastSeq: found.lastSeq }) : decoded;
}
