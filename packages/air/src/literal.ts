import { fromBase64, toBase64 } from '@worldline/canon';
import {
  emptyObject,
  integerOf,
  isJsonArray,
  isJsonObject,
  type Json,
  type JsonObject,
  jsonInteger,
  member,
} from './json.ts';
import { NULL, type Value } from './value.ts';
import { LITERAL_NESTING_MAX } from './value-size.ts';

/**
 * Canonical literals (`values.md` §3.4): the JSON in which values are stored inside nodes and snapshots, readable
 * without their type. Values are assumed canonical, so sets and maps are written in the order they have.
 */

/** Canonical literal of a value; integers as integers. A receipt is `{receipt: n}`, a handle `{handle: n}` (`plans.md` §14). */
export function literalToJson(value: Value): Json {
  return write(value, false);
}

/** As `literalToJson` but with the `variant` wrapper that expressions demand (`definitions.md` §5). */
export function literalToTree(value: Value): Json {
  return write(value, true);
}

/** An object with one member. */
export function tagged(tag: string, body: Json): Json {
  const json = emptyObject();
  json[tag] = body;
  return json;
}

function write(value: Value, wrapped: boolean): Json {
  switch (value.kind) {
    case 'null':
      return tagged('null', emptyObject());
    case 'bool':
    case 'text':
    case 'dec128':
    case 'hash':
    case 'uuid':
      return tagged(value.kind, value.value);
    case 'bytes':
      return tagged('bytes_b64', toBase64(value.value));
    case 'int':
    case 'nat':
      return tagged(value.kind, jsonInteger(value.value));
    case 'time':
    case 'duration':
      return tagged(`${value.kind}_ns`, jsonInteger(value.value));
    case 'list':
    case 'set':
      return tagged(
        value.kind,
        value.items.map((item) => write(item, wrapped)),
      );
    case 'map':
      return tagged(
        'map',
        value.entries.map(([key, item]) => mapEntry(write(key, wrapped), write(item, wrapped))),
      );
    case 'record': {
      const fields = emptyObject();
      for (const [name, field] of value.fields) fields[name] = write(field, wrapped);
      return tagged('record', fields);
    }
    case 'variant': {
      const body = emptyObject();
      body['tag'] = value.tag;
      if (value.value.kind !== 'null' || value.none === true) body['value'] = write(value.value, wrapped);
      return wrapped ? tagged('variant', body) : body;
    }
    case 'receipt':
    case 'handle':
      return tagged(value.kind, value.emissionSeq);
    default:
      return value satisfies never;
  }
}

export function mapEntry(key: Json, value: Json): Json {
  const entry = emptyObject();
  entry['key'] = key;
  entry['value'] = value;
  return entry;
}

/**
 * The value behind a stored canonical literal. Order and ranges are trusted: they were checked when it was written.
 *
 * @throws Error when the JSON is no literal: stored state is corrupt.
 */
export function literalFromJson(json: Json): Value {
  return restore(json, 0);
}

function restore(json: Json, depth: number): Value {
  if (!isJsonObject(json) || depth > LITERAL_NESTING_MAX) throw corrupt('expected a literal');
  const names = Object.keys(json);
  if (Object.hasOwn(json, 'tag')) {
    const tag = json['tag'];
    const payload = member(json, 'value');
    if (typeof tag !== 'string' || names.length !== (payload === undefined ? 1 : 2)) throw corrupt('malformed variant');
    if (payload === undefined) return { kind: 'variant', tag, value: NULL };
    const value = restore(payload, depth + 1);
    return value.kind === 'null' ? { kind: 'variant', tag, value, none: true } : { kind: 'variant', tag, value };
  }
  const kind = names[0];
  if (kind === undefined || names.length !== 1) throw corrupt('a literal has one tag');
  return restoreBody(kind, json[kind] as Json, depth);
}

function restoreBody(tag: string, body: Json, depth: number): Value {
  switch (tag) {
    case 'null':
      return NULL;
    case 'bool':
      if (typeof body !== 'boolean') break;
      return { kind: tag, value: body };
    case 'text':
    case 'dec128':
    case 'hash':
    case 'uuid':
      if (typeof body !== 'string') break;
      return { kind: tag, value: body };
    case 'bytes_b64': {
      const value = typeof body === 'string' ? fromBase64(body) : undefined;
      if (value === undefined) break;
      return { kind: 'bytes', value };
    }
    case 'int':
    case 'nat':
    case 'time_ns':
    case 'duration_ns': {
      const value = integerOf(body);
      if (value === undefined) break;
      return { kind: tag === 'time_ns' ? 'time' : tag === 'duration_ns' ? 'duration' : tag, value };
    }
    case 'list':
    case 'set':
      if (!isJsonArray(body)) break;
      return { kind: tag, items: body.map((item) => restore(item, depth + 1)) };
    case 'map':
      if (!isJsonArray(body)) break;
      return { kind: tag, entries: body.map((entry) => restoreEntry(entry, depth + 1)) };
    case 'record':
      if (!isJsonObject(body)) break;
      return {
        kind: tag,
        fields: new Map(Object.keys(body).map((name) => [name, restore(body[name] as Json, depth + 1)])),
      };
    case 'receipt':
    case 'handle':
      if (typeof body !== 'number' || !Number.isSafeInteger(body)) break;
      return { kind: tag, emissionSeq: body };
    default:
      break;
  }
  throw corrupt(`malformed ${tag.slice(0, 20)}`);
}

function restoreEntry(json: Json, depth: number): readonly [Value, Value] {
  const entry: JsonObject = isJsonObject(json) ? json : emptyObject();
  const key = member(entry, 'key');
  const value = member(entry, 'value');
  if (key === undefined || value === undefined) throw corrupt('malformed map entry');
  return [restore(key, depth), restore(value, depth)];
}

function corrupt(problem: string): Error {
  return new Error(`stored literal: ${problem}`);
}
