import type { Json, JsonObject } from '@worldline/air';
import { hashText, toHex } from '@worldline/canon';
import type { DomainEvent } from '@worldline/kernel';
import {
  diagnose,
  diagnosisToJson,
  type EventQuery,
  fieldPath,
  isTold,
  matchesEvent,
  renderTrace,
  type Trace,
  TraceFold,
  type Types,
  traceLine,
  traceToJson,
  typedJson,
  WINDOW_LIMIT_MAX,
} from '@worldline/summary';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { stop } from '../failure.ts';
import { readJson } from '../input.ts';
import { type Data, type Meta, printable, table } from '../output.ts';
import { entriesOf, Reader, reading } from '../reader.ts';
import { brief } from '../record-view.ts';
import { didYouMean } from '../suggest.ts';
import { writeOut } from '../write-out.ts';
import { pause } from './journal.ts';

/** `worldline trace`, `trace-find`, `trace-diagnose` (`host.md` §10.1, §10.2, §12.2). */

export interface RootFlags {
  readonly eventHash?: string;
  readonly schema?: string;
  readonly correlateBy?: string;
  readonly value?: string;
  readonly windowLimit: number;
}

export interface TraceFlags extends RootFlags {
  readonly follow?: boolean;
  readonly intervalMs: number;
  readonly maxPolls: number;
  readonly out?: string;
}

export async function trace(ctx: Context, flags: TraceFlags): Promise<void> {
  const query = readQuery(ctx, flags);
  if (flags.follow === true && flags.out !== undefined)
    stop('invalid_request', '--follow writes to standard output only', {
      hint: 'leave out --out, or redirect the output',
    });
  const reader = await Reader.open(ctx);
  try {
    if (flags.follow === true) {
      await follow(ctx, reader, query, flags);
      return;
    }
    const { traced, data, meta } = await traceOf(reader, query, flags.windowLimit);
    const human = renderTrace(traced, await reader.store.nowNs()).map(printable);
    if (flags.out === undefined) ctx.out.answer(human, data, meta);
    else {
      writeOut(ctx, flags.out, { human, data, meta });
      ctx.out.answer([`trace written to ${flags.out}`], { out: flags.out, terminal_state: traced.terminalState }, meta);
    }
  } finally {
    await reader.close();
  }
}

export async function traceDiagnose(ctx: Context, flags: RootFlags & { readonly check?: boolean }): Promise<void> {
  const query = readQuery(ctx, flags);
  await reading(ctx, async (reader) => {
    const { traced, meta } = await traceOf(reader, query, flags.windowLimit);
    const diagnosis = diagnose(traced);
    const rows: readonly (readonly [string, string])[] = [
      ['state', traced.terminalState],
      ['cause', diagnosis.cause],
      ['hint', diagnosis.hint],
      ['event', diagnosis.eventHash],
      ...(diagnosis.intentHash === undefined ? [] : [['intent', diagnosis.intentHash] as const]),
      ['evidence', diagnosis.evidence.map((seq) => `#${seq}`).join(' ')],
    ];
    ctx.out.answer(
      rows.map(([name, text]) => `${name.padEnd(9)} ${printable(text)}`),
      diagnosisToJson(diagnosis),
      meta,
    );
    if (flags.check === true && traced.terminalState !== 'completed') process.exitCode = EXIT.check;
  });
}

export interface FindFlags {
  readonly schema: string;
  readonly correlateBy: string;
  readonly value: string;
  readonly from?: number;
  readonly limit: number;
  readonly maxResults: number;
  readonly out?: string;
}

export async function traceFind(ctx: Context, flags: FindFlags): Promise<void> {
  const query = eventQuery(ctx, flags.schema, flags.correlateBy, flags.value);
  await reading(ctx, async (reader) => {
    await knownSchema(reader, flags.schema);
    const from = flags.from ?? Math.max(0, reader.height - flags.limit);
    const to = Math.min(reader.height, from + flags.limit);
    const found: { readonly seq: number; readonly event: DomainEvent }[] = [];
    for await (const { seq, record } of reader.entries(from, to)) {
      if (record.record_kind !== 'domain_event' || !matchesEvent(record, query)) continue;
      found.push({ seq, event: record });
      if (found.length > flags.maxResults) found.shift();
    }
    const catalog = await reader.catalog();
    const matches = found.reverse().map(({ seq, event }) => ({
      seq,
      event_hash: hashText(event.event_hash),
      schema: event.schema,
      value: typedJson(event.value, catalog.scope.lookup(event.schema), catalog),
    }));
    if (matches.length === 0 && to - from < reader.height)
      ctx.out.notice(
        `records ${from} to ${to - 1} of ${reader.height} were looked at; --from and --limit choose others`,
      );
    const human = table(
      ['SEQ', 'EVENT', 'SCHEMA', 'VALUE'],
      matches.map(({ seq, event_hash, schema, value }) => [
        `#${seq}`,
        event_hash.slice(0, 19),
        schema,
        brief(value, 60),
      ]),
    );
    const meta = await reader.meta();
    const data = { matches };
    if (flags.out === undefined) ctx.out.answer(human, data, meta);
    else {
      writeOut(ctx, flags.out, { human, data, meta });
      ctx.out.answer([`${matches.length} matches written to ${flags.out}`], { out: flags.out }, meta);
    }
  });
}

type Query = { readonly hash: string } | EventQuery;

/** Exactly one way to name the root. @throws CommandError `invalid_request`. */
function readQuery(ctx: Context, flags: RootFlags): Query {
  const { eventHash, schema, correlateBy, value, windowLimit } = flags;
  if (windowLimit < 1 || windowLimit > WINDOW_LIMIT_MAX)
    stop('invalid_request', `--window-limit is between 1 and ${WINDOW_LIMIT_MAX}`);
  if (eventHash !== undefined) {
    if (schema !== undefined || correlateBy !== undefined || value !== undefined)
      stop('invalid_request', '--event-hash names the event; --schema, --correlate-by and --value look for one', {
        hint: 'give one or the other',
      });
    const digits = eventHash.replace(/^sha256:/, '').replace(/…$/, '');
    if (!/^[0-9a-f]{4,64}$/.test(digits))
      stop('invalid_request', `"${eventHash.slice(0, 80)}" is not an event hash`, {
        hint: 'it is "sha256:" and at least four hex digits in lower case, as "worldline event send" prints it',
      });
    return { hash: digits };
  }
  if (schema === undefined || correlateBy === undefined || value === undefined)
    return stop('invalid_request', 'which event? Give --event-hash, or --schema with --correlate-by and --value', {
      hint: `worldline trace --schema hello/Asked@1 --correlate-by name --value '"Ada"'`,
    });
  return eventQuery(ctx, schema, correlateBy, value);
}

function eventQuery(ctx: Context, schema: string, correlateBy: string, value: string): EventQuery {
  const path = fieldPath(correlateBy);
  if (path.some((step) => step === ''))
    stop('invalid_request', `"${correlateBy.slice(0, 80)}" is not a field path`, {
      hint: 'names separated by dots: order.id',
    });
  return { schema, path, value: readJson(value, '--value', ctx.cwd) };
}

interface Traced {
  readonly traced: Trace;
  readonly data: JsonObject;
  readonly meta: Meta;
}

async function traceOf(reader: Reader, query: Query, windowLimit: number): Promise<Traced> {
  const root = await findRoot(reader, query);
  const fold = new TraceFold(root, windowLimit);
  for await (const batch of reader.batches(root)) {
    const entries = entriesOf(batch);
    fold.add({
      firstSeq: batch.firstSeq,
      logicalNowNs: entries[0]?.stamp?.logicalNowNs,
      records: entries.map((entry) => entry.record),
    });
    if (fold.isClosed) break;
  }
  const traced = fold.finish(await reader.kernel());
  const kinds = new Map<string, string>();
  for (const { record } of traced.entries)
    if (record.record_kind === 'effect_intent') kinds.set(toHex(record.intent_hash), record.kind);
  const types: Types = { catalog: await reader.catalog(), kindOf: (hash) => kinds.get(toHex(hash)) };
  const meta = await reader.meta();
  return { traced, data: { ...traceToJson(traced, queryJson(query), types), meta: { ...meta } as Json }, meta };
}

function queryJson(query: Query): JsonObject {
  return 'hash' in query
    ? { event_hash: `sha256:${query.hash}` }
    : { schema: query.schema, correlate_by: query.path.join('.'), value: query.value };
}

/** Seq of the newest event that the query means. @throws CommandError `trace.root_missing`. */
async function findRoot(reader: Reader, query: Query): Promise<number> {
  if (!('hash' in query)) await knownSchema(reader, query.schema);
  for await (const { seq, record } of reader.entriesBackwards()) {
    if (record.record_kind !== 'domain_event') continue;
    if ('hash' in query ? toHex(record.event_hash).startsWith(query.hash) : matchesEvent(record, query)) return seq;
  }
  return stop(
    'trace.root_missing',
    'hash' in query ? `there is no event sha256:${query.hash}` : `no event ${query.schema} has that value there`,
    {
      hint:
        'hash' in query
          ? '"worldline journal tail --kinds event --json" shows their hashes'
          : `see "worldline journal tail --kinds event"; a text is written with quotes: --value '"Ada"'`,
    },
  );
}

/** A schema that the manifest does not have may be an old one; a mistyped one is worth a word. */
async function knownSchema(reader: Reader, schema: string): Promise<void> {
  const { schemas } = await reader.catalog();
  if (!schemas.has(schema))
    stop('schema.unknown', `the manifest lists no schema ${schema}`, { hint: didYouMean(schema, schemas.keys()) });
}

/** The timeline as it grows, until nothing more can follow, a failure shows, or the polls are used up. */
async function follow(ctx: Context, first: Reader, query: Query, flags: TraceFlags): Promise<void> {
  const { store, row } = first;
  const seen = new Set<number>();
  let last: string | undefined;
  for (let poll = 0; ; poll++) {
    const { traced, data } = await traceOf(await Reader.over(store, row.worldId), query, flags.windowLimit);
    const state = `${traced.terminalState} ${traced.entries.length}`;
    if (ctx.out.json && state !== last) ctx.out.line('', data as Data);
    const rootNs = traced.entries[0]?.atNs ?? 0n;
    for (const entry of traced.entries) {
      if (!ctx.out.json && !seen.has(entry.seq) && isTold(entry))
        ctx.out.line(printable(traceLine(entry, rootNs)), null);
      seen.add(entry.seq);
    }
    last = state;
    const isOver = !traced.terminalState.startsWith('waiting_');
    if (isOver || ctx.interrupted.aborted || poll + 1 >= flags.maxPolls) {
      if (!ctx.out.json) {
        const rendered = renderTrace(traced, await store.nowNs());
        ctx.out.line(
          rendered
            .slice(rendered.lastIndexOf('') + 1)
            .map(printable)
            .join('\n'),
          null,
        );
      }
      if (ctx.interrupted.aborted) process.exitCode = EXIT.interrupted;
      else if (!isOver) process.exitCode = EXIT.timeout;
      return;
    }
    await pause(flags.intervalMs, ctx.interrupted);
  }
}
