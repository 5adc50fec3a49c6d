import type { JsonObject } from '@worldline/air';
import { toHex } from '@worldline/canon';
import type { DomainEvent } from '@worldline/kernel';
import { type EventQuery, fieldPath, matchesEvent } from './event-match.ts';

/** What a trace begins at (`host.md` §10.1). */
export type TraceQuery =
  /** The event whose hash begins with these hex digits. */
  | { readonly digits: string }
  /** The newest event whose field has this value. */
  | EventQuery
  /** The start of a run. */
  | { readonly planId: number };

/** The digits of an event hash or of its beginning, as people copy it; undefined when it is none. */
export function eventDigits(text: string): string | undefined {
  const digits = text.replace(/^sha256:/, '').replace(/…$/, '');
  return /^[0-9a-f]{4,64}$/.test(digits) ? digits : undefined;
}

/** The steps of a field path; undefined when one of them is empty. */
export function queryPath(text: string): readonly string[] | undefined {
  const path = fieldPath(text);
  return path.some((step) => step === '') ? undefined : path;
}

/** @returns false for the start of a run, which is no event. */
export function isQueried(event: DomainEvent, query: TraceQuery): boolean {
  if ('planId' in query) return false;
  return 'digits' in query ? toHex(event.event_hash).startsWith(query.digits) : matchesEvent(event, query);
}

export function queryToJson(query: TraceQuery): JsonObject {
  if ('planId' in query) return { plan_id: query.planId };
  return 'digits' in query
    ? { event_hash: `sha256:${query.digits}` }
    : { schema: query.schema, correlate_by: query.path.join('.'), value: query.value };
}
