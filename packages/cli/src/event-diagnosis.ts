import type { Json, JsonObject } from '@worldline/air';
import { readBatches } from '@worldline/host';
import { findTraceRoot, type JournalSource, readTrace, traceBatch } from '@worldline/server';
import { type Diagnosis, diagnose, EventWatch, type Trace, type TraceQuery, traceToJson } from '@worldline/summary';
import type { Context } from './context.ts';
import { stop, stopWith } from './failure.ts';
import { hostFacts } from './host-facts.ts';
import type { Meta } from './output.ts';
import type { Reader } from './reader.ts';
import { didYouMean } from './suggest.ts';

/** Traces of a world in its store, and why they stand where they stand. */

export interface Traced {
  readonly traced: Trace;
  /** In the form of `/api/debug/trace`. */
  readonly data: JsonObject;
  readonly meta: Meta;
}

export function sourceOf(reader: Reader): JournalSource {
  return {
    read: (fromSeq, visit) => readBatches(reader.store, reader.row.worldId, fromSeq, visit),
    height: reader.height,
  };
}

/** @throws CommandError `trace.root_missing`, `schema.unknown`, `not_found`. */
export async function traceOf(reader: Reader, query: TraceQuery, windowLimit: number): Promise<Traced> {
  const kernel = await reader.kernel();
  const atHead = async <T>(fn: (at: typeof kernel) => T): Promise<T> => fn(kernel);
  const source = sourceOf(reader);
  if ('schema' in query) await knownSchema(reader, query.schema);
  const root = await findTraceRoot(source, query, atHead);
  if (!root.ok) return stopWith(root.failure);
  const traced = await readTrace(source.read, root.value, windowLimit, atHead, (trace) => trace);
  if (!traced.ok) return stopWith(traced.failure);
  const meta = await reader.meta();
  const json = traceToJson(traced.value, query, await reader.catalog());
  return { traced: traced.value, data: { ...json, meta: { ...meta } as Json }, meta };
}

/** A schema that the manifest does not have may be an old one; a mistyped one is worth a word. @throws CommandError. */
export async function knownSchema(reader: Reader, schema: string): Promise<void> {
  const { schemas } = await reader.catalog();
  if (!schemas.has(schema))
    stop('schema.unknown', `the manifest lists no schema ${schema}`, { hint: didYouMean(schema, schemas.keys()) });
}

/** With a second look at the journal, and with what the host knows. */
export async function diagnosed(ctx: Context, reader: Reader, traced: Trace): Promise<Diagnosis> {
  const kernel = await reader.kernel();
  const watch = new EventWatch(traced, kernel);
  if (watch.fromSeq !== undefined) {
    for await (const stored of reader.batches(watch.fromSeq)) {
      const batch = traceBatch(stored);
      if (!batch.ok) return stopWith(batch.failure);
      watch.add(batch.value);
    }
  }
  const host = await hostFacts(ctx, reader, traced);
  return diagnose(traced, kernel, { watch, host, object: (hash) => reader.object(hash) });
}
