import { suggestHint } from '@worldline/air';
import { ok } from '@worldline/canon';
import { type Answer, decodeStoredBatch, refuse } from '@worldline/host';
import type { DomainEvent, JournalRecord, Kernel } from '@worldline/kernel';
import type { StoredBatch } from '@worldline/ports';
import {
  type EventQuery,
  isQueried,
  matchesEvent,
  type Trace,
  type TraceBatch,
  TraceFold,
  type TraceQuery,
} from '@worldline/summary';

/**
 * Traces and searches over the journal of a world that may be running (`host.md` §10.1).
 *
 * Reading lets go of the thread between windows, so that the world goes on meanwhile.
 */

/** Whole durable batches from the one that holds `fromSeq`, in order, until `visit` answers false. */
export type ReadJournal = (fromSeq: number, visit: (batch: StoredBatch) => boolean | void) => Promise<Answer<void>>;

export interface JournalSource {
  readonly read: ReadJournal;
  /** Entries from here on are not looked at. */
  readonly height: number;
}

/** Runs `fn` on the state at a batch boundary, when everything before it is durable. */
export type AtHead = <T>(fn: (kernel: Kernel) => T) => Promise<T>;

const WINDOW = 2_000;

/**
 * Seq of the record that a trace begins at: of several events the newest.
 *
 * @returns `schema.unknown`, `trace.root_missing`, or `not_found` for a run that never was.
 */
export async function findTraceRoot(source: JournalSource, query: TraceQuery, atHead: AtHead): Promise<Answer<number>> {
  if ('planId' in query) return await findStart(source, query.planId, atHead);
  if (!('digits' in query)) {
    const known = await knownSchema(query.schema, atHead);
    if (!known.ok) return known;
  }
  const found = await newest(source, (record) => record.record_kind === 'domain_event' && isQueried(record, query));
  if (!found.ok || found.value !== undefined) return found.ok ? ok(found.value!.seq) : found;
  return 'digits' in query
    ? refuse('trace.root_missing', `there is no event sha256:${query.digits}`, {
        hint: '"worldline journal tail --kinds event --json" shows their hashes',
      })
    : refuse('trace.root_missing', `no event ${query.schema} has that value there`, {
        hint: `see "worldline journal tail --kinds event"; a text is written with quotes: '"Ada"'`,
      });
}

/** A schema that the manifest does not have may be an old one; a mistyped one is worth a word. */
async function knownSchema(schema: string, atHead: AtHead): Promise<Answer<void>> {
  const schemas = await atHead((kernel) => [...kernel.catalog.schemas.keys()]);
  if (schemas.includes(schema)) return ok(undefined);
  const hint = suggestHint(schema, schemas);
  return refuse('schema.unknown', `the manifest lists no schema ${schema}`, hint === undefined ? {} : { hint });
}

async function findStart(source: JournalSource, planId: number, atHead: AtHead): Promise<Answer<number>> {
  const { isKnown, startedSeq } = await atHead((kernel) => ({
    isKnown: planId < kernel.nextPlanId,
    startedSeq: kernel.instance(planId)?.startedSeq,
  }));
  const hint = { hint: '"worldline plans ls" shows them' };
  if (!isKnown) return refuse('not_found', `there is no plan ${planId} in this world`, hint);
  if (startedSeq !== undefined) return ok(startedSeq);
  const ended = await newest(source, (record) => record.record_kind === 'plan_ended' && record.plan_id === planId);
  if (!ended.ok) return ended;
  const record = ended.value?.record;
  return record?.record_kind === 'plan_ended'
    ? ok(record.started_seq)
    : refuse('not_found', `plan ${planId} is not in this journal: it began before its first record`, hint);
}

interface Found {
  readonly seq: number;
  readonly record: JournalRecord;
}

async function newest(
  source: JournalSource,
  isWanted: (record: JournalRecord) => boolean,
): Promise<Answer<Found | undefined>> {
  for (let to = source.height; to > 0; to = Math.max(0, to - WINDOW)) {
    const window = await collect(source, Math.max(0, to - WINDOW), to, isWanted);
    if (!window.ok) return window;
    if (window.value.length > 0) return ok(window.value.at(-1));
    await nextTurn();
  }
  return ok(undefined);
}

/** Wanted records of [from, to), in order. */
async function collect(
  { read: journal }: JournalSource,
  from: number,
  to: number,
  isWanted: (record: JournalRecord) => boolean,
): Promise<Answer<readonly Found[]>> {
  const found: Found[] = [];
  const read = await visit(journal, from, to, (batch) => {
    batch.records.forEach((record, i) => {
      const seq = batch.firstSeq + i;
      if (seq >= from && seq < to && isWanted(record)) found.push({ seq, record });
    });
  });
  return read.ok ? ok(found) : read;
}

/** Whole batches that hold entries of [from, to), in order. @param use - false ends the reading. */
async function visit(
  journal: ReadJournal,
  from: number,
  to: number,
  use: (batch: TraceBatch) => boolean | void,
): Promise<Answer<void>> {
  let problem: Answer<void> | undefined;
  const read = await journal(from, (stored) => {
    if (stored.firstSeq >= to) return false;
    const batch = traceBatch(stored);
    if (batch.ok) return use(batch.value);
    problem = batch;
    return false;
  });
  return problem ?? read;
}

/** A stored batch in the form that traces are folded from. */
export function traceBatch(stored: StoredBatch): Answer<TraceBatch> {
  const decoded = decodeStoredBatch(stored);
  if (!decoded.ok) return decoded;
  const { body, records } = decoded.value;
  return ok({
    firstSeq: body.firstSeq,
    logicalNowNs: body.stamp?.logicalNowNs,
    manifestHash: body.stamp?.manifestHash,
    records,
  });
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** What goes on between reading and looking at the state is read too, so often; then the state is taken as it is. */
const CATCH_UP_MAX = 20;

/**
 * The lineage of the record at `rootSeq`, with the state at the height that it was read to.
 *
 * @param finish - called with the trace where the state is at hand; it must not keep the kernel.
 */
export async function readTrace<T>(
  journal: ReadJournal,
  rootSeq: number,
  windowLimit: number,
  atHead: AtHead,
  finish: (trace: Trace, kernel: Kernel) => T,
): Promise<Answer<T>> {
  const fold = new TraceFold(rootSeq, windowLimit);
  let next = rootSeq;
  let height = await atHead((kernel) => kernel.head.height);
  for (let turn = 0; ; turn++) {
    while (next < height && !fold.isClosed) {
      const to = Math.min(height, next + WINDOW);
      const from = next;
      const read = await visit(journal, from, to, (batch) => {
        const end = batch.firstSeq + batch.records.length;
        // The batch that a window ends in is read whole.
        if (end <= next && batch.records.length > 0) return true;
        fold.add(batch);
        next = Math.max(next, end);
        return !fold.isClosed;
      });
      if (!read.ok) return read;
      if (next === from) return refuse('journal.corrupt', `the journal ends at ${from}, before its head ${height}`);
      await nextTurn();
    }
    const done = await atHead((kernel) => {
      const isBehind = !fold.isClosed && kernel.head.height > next && turn < CATCH_UP_MAX;
      if (!isBehind) return { value: finish(fold.finish(kernel), kernel) };
      height = kernel.head.height;
      return undefined;
    });
    if (done !== undefined) return ok(done.value);
  }
}

export interface EventSearch {
  readonly query: EventQuery;
  /** First record; default: so that the last one is the newest. */
  readonly from?: number | undefined;
  readonly limit: number;
  readonly maxResults: number;
}

export interface EventsFound {
  /** Newest first. */
  readonly matches: readonly { readonly seq: number; readonly event: DomainEvent }[];
  /** What was looked at: [from, to). */
  readonly from: number;
  readonly to: number;
}

/** Events whose field has a value, among the records asked for. @returns `schema.unknown` for one that is not listed. */
export async function findEvents(
  source: JournalSource,
  search: EventSearch,
  atHead: AtHead,
): Promise<Answer<EventsFound>> {
  const known = await knownSchema(search.query.schema, atHead);
  if (!known.ok) return known;
  const start = search.from ?? Math.max(0, source.height - search.limit);
  const end = Math.min(source.height, start + search.limit);
  const matches: { readonly seq: number; readonly event: DomainEvent }[] = [];
  for (let at = start; at < end; at += WINDOW) {
    const window = await collect(
      source,
      at,
      Math.min(end, at + WINDOW),
      (record) => record.record_kind === 'domain_event' && matchesEvent(record, search.query),
    );
    if (!window.ok) return window;
    for (const { seq, record } of window.value) matches.push({ seq, event: record as DomainEvent });
    if (matches.length > search.maxResults) matches.splice(0, matches.length - search.maxResults);
    await nextTurn();
  }
  return ok({ matches: matches.reverse(), from: start, to: end });
}
