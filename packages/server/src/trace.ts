import { type Json, parseJson } from '@worldline/air';
import { hashText, ok } from '@worldline/canon';
import { type Answer, refuse, type World } from '@worldline/host';
import {
  type EventQuery,
  eventDigits,
  eventToJson,
  queryPath,
  type TraceQuery,
  traceToJson,
  WINDOW_LIMIT,
  WINDOW_LIMIT_MAX,
} from '@worldline/summary';
import type { Body } from './body.ts';
import { findEvents, findTraceRoot, type JournalSource, readTrace } from './event-trace.ts';
import type { Endpoint } from './router.ts';

/** Endpoints about what followed from events (`host.md` §8.3, §10.1). */

/** As the flags of `trace-find` (`host.md` §12.2). */
const FIND_LIMIT = 1_000;
const FIND_RESULTS = 20;
/** One answer looks at so many records at most. */
const FIND_LIMIT_MAX = 100_000;

export function traceEndpoints(world: World): readonly Endpoint[] {
  const atHead = world.read.bind(world);
  const source = async (): Promise<JournalSource> => ({
    read: (fromSeq, visit) => world.readJournal(fromSeq, visit),
    height: await world.read((kernel) => kernel.head.height),
  });
  const meta = () =>
    world.read((kernel) => ({
      journal_height: kernel.head.height,
      manifest_hash: hashText(kernel.catalog.manifestHash),
    }));
  return [
    {
      method: 'GET',
      path: '/api/debug/trace',
      scope: 'read',
      query: ['event_hash', 'schema', 'correlate_by', 'value', 'plan_id', 'window_limit'],
      async run({ query: given }) {
        const query = traceQuery(given);
        if (!query.ok) return query;
        const limit = count(given, 'window_limit', WINDOW_LIMIT, { min: 1, max: WINDOW_LIMIT_MAX });
        if (!limit.ok) return limit;
        const journal = await source();
        const root = await findTraceRoot(journal, query.value, atHead);
        if (!root.ok) return root;
        const traced = await readTrace(journal.read, root.value, limit.value, atHead, (trace, kernel) =>
          traceToJson(trace, query.value, kernel.catalog),
        );
        return traced.ok ? ok({ body: { ...traced.value, meta: await meta() } as Body }) : traced;
      },
    },
    {
      method: 'GET',
      path: '/api/debug/trace/find',
      scope: 'read',
      query: ['schema', 'correlate_by', 'value', 'from', 'limit', 'max_results'],
      async run({ query: given }) {
        const query = eventQuery(given);
        if (!query.ok) return query;
        const from = given.has('from') ? count(given, 'from', 0, { min: 0 }) : ok(undefined);
        if (!from.ok) return from;
        const limit = count(given, 'limit', FIND_LIMIT, { min: 1, max: FIND_LIMIT_MAX });
        if (!limit.ok) return limit;
        const maxResults = count(given, 'max_results', FIND_RESULTS, { min: 1, max: FIND_LIMIT });
        if (!maxResults.ok) return maxResults;
        const search = { query: query.value, from: from.value, limit: limit.value, maxResults: maxResults.value };
        const found = await findEvents(await source(), search, atHead);
        if (!found.ok) return found;
        const { catalog } = world;
        const matches = found.value.matches.map(({ seq, event }) => ({ seq, ...eventToJson(event, catalog) }));
        return ok({ body: { matches, meta: await meta() } as Body });
      },
    },
  ];
}

/** Exactly one way to name the root. */
function traceQuery(given: URLSearchParams): Answer<TraceQuery> {
  const hash = given.get('event_hash');
  const plan = given.get('plan_id');
  const isField = ['schema', 'correlate_by', 'value'].some((name) => given.has(name));
  if ([hash !== null, plan !== null, isField].filter(Boolean).length > 1)
    return refuse('invalid_request', 'give "event_hash", or "plan_id", or "schema", "correlate_by" and "value"', {
      path: ['query'],
    });
  if (plan !== null) {
    const planId = count(given, 'plan_id', 0, { min: 0 });
    return planId.ok ? ok({ planId: planId.value }) : planId;
  }
  if (hash === null) return eventQuery(given);
  const digits = eventDigits(hash);
  return digits === undefined
    ? refuse('invalid_request', `"${hash.slice(0, 80)}" is not an event hash`, {
        path: ['query', 'event_hash'],
        hint: 'It is "sha256:" and at least four hex digits in lower case.',
      })
    : ok({ digits });
}

function eventQuery(given: URLSearchParams): Answer<EventQuery> {
  const [schema, correlateBy, text] = ['schema', 'correlate_by', 'value'].map((name) => given.get(name));
  for (const [name, value] of [
    ['schema', schema],
    ['correlate_by', correlateBy],
    ['value', text],
  ] as const)
    if (value === null || value === undefined)
      return refuse('invalid_request', `"${name}" is missing`, { path: ['query', name] });
  const path = queryPath(correlateBy!);
  if (path === undefined)
    return refuse('invalid_request', `"${correlateBy!.slice(0, 80)}" is not a field path`, {
      path: ['query', 'correlate_by'],
      hint: 'Names separated by dots: order.id',
    });
  const value = parseJson(text!);
  if (!value.ok)
    return refuse('invalid_request', `"value" is not JSON: ${value.failure.message}`, {
      path: ['query', 'value'],
      hint: 'A text is written with quotes: "Ada"',
    });
  return ok({ schema: schema!, path, value: value.value as Json });
}

function count(
  given: URLSearchParams,
  name: string,
  fallback: number,
  range: { readonly min: number; readonly max?: number },
): Answer<number> {
  const text = given.get(name);
  if (text === null) return ok(fallback);
  const number = /^[0-9]{1,15}$/.test(text) ? Number(text) : -1;
  if (number >= range.min && (range.max === undefined || number <= range.max)) return ok(number);
  const said = range.max === undefined ? `from ${range.min}` : `between ${range.min} and ${range.max}`;
  return refuse('invalid_request', `"${name}" is a whole number ${said}`, { path: ['query', name] });
}
