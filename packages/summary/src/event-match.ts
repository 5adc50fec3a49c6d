import { isJsonArray, isJsonObject, type Json, JsonFloat } from '@worldline/air';
import type { DomainEvent } from '@worldline/kernel';
import { untypedJson } from './record-json.ts';

/** Finding events by a field of their value (`host.md` §10.1). */

/** `order.id`, `$.order.id`, `body.$value.id` as steps. */
export function fieldPath(text: string): readonly string[] {
  const path = text.startsWith('$.') ? text.slice(2) : text;
  return path === '' || path === '$' ? [] : path.split('.');
}

/** What lies at a path; undefined when nothing does. Elements of a list are numbered from 0. */
export function fieldAt(value: Json, path: readonly string[]): Json | undefined {
  let at: Json | undefined = value;
  for (const step of path) {
    if (at === undefined || at === null) return undefined;
    if (isJsonArray(at)) at = /^(0|[1-9][0-9]*)$/.test(step) ? at[Number(step)] : undefined;
    else if (isJsonObject(at)) at = Object.hasOwn(at, step) ? at[step] : undefined;
    else return undefined;
  }
  return at;
}

export interface EventQuery {
  readonly schema: string;
  readonly path: readonly string[];
  readonly value: Json;
}

export function matchesEvent(event: DomainEvent, query: EventQuery): boolean {
  if (event.schema !== query.schema) return false;
  const found = fieldAt(untypedJson(event.value), query.path);
  return found !== undefined && same(found, query.value);
}

function same(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (a instanceof JsonFloat || b instanceof JsonFloat)
    return a instanceof JsonFloat && b instanceof JsonFloat && Number(a.text) === Number(b.text);
  if (isJsonArray(a)) return isJsonArray(b) && a.length === b.length && a.every((one, i) => same(one, b[i]!));
  if (a === null || b === null || !isJsonObject(a) || !isJsonObject(b)) return false;
  const [left, right] = [Object.keys(a), Object.keys(b)];
  return left.length === right.length && left.every((key) => Object.hasOwn(b, key) && same(a[key]!, b[key]!));
}
