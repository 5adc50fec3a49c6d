import type { JsonObject } from '@worldline/air';
import { hashText } from '@worldline/canon';
import { findEvents } from '@worldline/server';
import {
  type Diagnosis,
  diagnosisToJson,
  type EventQuery,
  eventDigits,
  eventToJson,
  isTold,
  placeText,
  queryPath,
  renderTrace,
  type TraceQuery,
  traceLine,
  WINDOW_LIMIT_MAX,
} from '@worldline/summary';
import type { Context } from '../context.ts';
import { diagnosed, knownSchema, sourceOf, traceOf } from '../event-diagnosis.ts';
import { EXIT } from '../exit-code.ts';
import { stop, stopWith } from '../failure.ts';
import { readJson } from '../input.ts';
import { type Data, printable, table } from '../output.ts';
import { Reader, reading } from '../reader.ts';
import { brief } from '../record-view.ts';
import { writeOut } from '../write-out.ts';
import { pause } from './journal.ts';

/** `worldline trace`, `trace-find`, `trace-diagnose` (`host.md` §10.1, §10.2, §12.2). */

export interface RootFlags {
  readonly eventHash?: string;
  readonly schema?: string;
  readonly correlateBy?: string;
  readonly value?: string;
  /** Id of a run. */
  readonly plan?: number;
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
    const diagnosis = await diagnosed(ctx, reader, traced);
    const human = renderTrace(traced, diagnosis, await reader.store.nowNs()).map(printable);
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
    const diagnosis = await diagnosed(ctx, reader, traced);
    ctx.out.answer(diagnosisLines(diagnosis).map(printable), diagnosisToJson(diagnosis), meta);
    if (flags.check === true && traced.terminalState !== 'completed') process.exitCode = EXIT.check;
  });
}

function diagnosisLines(diagnosis: Diagnosis): readonly string[] {
  const { reason, moreReasons, reasonsTotal } = diagnosis;
  const untold = reasonsTotal - 1 - moreReasons.length;
  const rows: readonly (readonly [string, string])[] = [
    ['state', diagnosis.terminalState],
    ['cause', diagnosis.cause],
    ['reason', reason.code],
    ['why', reason.text],
    ...(reason.runs.length < 2 ? [] : [['run', reason.runs.map(placeText).join(' > ')] as const]),
    ['hint', diagnosis.hint],
    ...(diagnosis.eventHash === undefined ? [] : [['event', diagnosis.eventHash] as const]),
    ...(diagnosis.intentHash === undefined ? [] : [['intent', diagnosis.intentHash] as const]),
    ['evidence', reason.evidence.map((seq) => `#${seq}`).join(' ')],
    ...moreReasons.map((more) => ['also', `${more.code}: ${more.text}`] as const),
    ...(untold > 0 ? [['also', `${untold} more`] as const] : []),
  ];
  return rows.map(([name, text]) => `${name.padEnd(9)} ${text}`);
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
  const { from, limit, maxResults } = flags;
  if (limit < 1) stop('invalid_request', '--limit is at least 1');
  if (maxResults < 1) stop('invalid_request', '--max-results is at least 1');
  const query = eventQuery(ctx, flags.schema, flags.correlateBy, flags.value);
  await reading(ctx, async (reader) => {
    const kernel = await reader.kernel();
    await knownSchema(reader, query.schema);
    const found = await findEvents(sourceOf(reader), { query, from, limit, maxResults }, async (fn) => fn(kernel));
    if (!found.ok) return stopWith(found.failure);
    const catalog = await reader.catalog();
    const matches = found.value.matches.map(({ seq, event }): JsonObject => ({ seq, ...eventToJson(event, catalog) }));
    if (matches.length === 0 && found.value.to - found.value.from < reader.height)
      ctx.out.notice(
        `records ${found.value.from} to ${found.value.to - 1} of ${reader.height} were looked at; --from and --limit choose others`,
      );
    const human = table(
      ['SEQ', 'EVENT', 'SCHEMA', 'VALUE'],
      found.value.matches.map(({ seq, event }, i) => [
        `#${seq}`,
        hashText(event.event_hash).slice(0, 19),
        event.schema,
        brief(matches[i]!['value'] ?? null, 60),
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

/** Exactly one way to name the root. @throws CommandError `invalid_request`. */
function readQuery(ctx: Context, flags: RootFlags): TraceQuery {
  const { eventHash, schema, correlateBy, value, plan, windowLimit } = flags;
  if (windowLimit < 1 || windowLimit > WINDOW_LIMIT_MAX)
    stop('invalid_request', `--window-limit is between 1 and ${WINDOW_LIMIT_MAX}`);
  const isField = schema !== undefined || correlateBy !== undefined || value !== undefined;
  if ([eventHash !== undefined, plan !== undefined, isField].filter(Boolean).length > 1)
    stop(
      'invalid_request',
      '--event-hash names the event, --plan a run; --schema, --correlate-by and --value look for an event',
      { hint: 'give one or the other: an event, a run, or a field' },
    );
  if (plan !== undefined) return { planId: plan };
  if (eventHash !== undefined) {
    const digits = eventDigits(eventHash);
    if (digits === undefined)
      return stop('invalid_request', `"${eventHash.slice(0, 80)}" is not an event hash`, {
        hint: 'it is "sha256:" and at least four hex digits in lower case, as "worldline event send" prints it',
      });
    return { digits };
  }
  if (schema === undefined || correlateBy === undefined || value === undefined)
    return stop(
      'invalid_request',
      'which event? Give --event-hash, or --plan with the id of a run, or --schema with --correlate-by and --value',
      { hint: `worldline trace --schema hello/Asked@1 --correlate-by name --value '"Ada"'` },
    );
  return eventQuery(ctx, schema, correlateBy, value);
}

function eventQuery(ctx: Context, schema: string, correlateBy: string, value: string): EventQuery {
  const path = queryPath(correlateBy);
  if (path === undefined)
    return stop('invalid_request', `"${correlateBy.slice(0, 80)}" is not a field path`, {
      hint: 'names separated by dots: order.id',
    });
  return { schema, path, value: readJson(value, '--value', ctx.cwd) };
}

/** The timeline as it grows, until nothing more can follow, a failure shows, or the polls are used up. */
async function follow(ctx: Context, first: Reader, query: TraceQuery, flags: TraceFlags): Promise<void> {
  const { store, row } = first;
  const seen = new Set<number>();
  let last: string | undefined;
  for (let poll = 0; ; poll++) {
    const reader = await Reader.over(store, row.worldId);
    const { traced, data } = await traceOf(reader, query, flags.windowLimit);
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
        const rendered = renderTrace(traced, await diagnosed(ctx, reader, traced), await store.nowNs());
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
