import { toBase64 } from '@worldline/canon';
import { emptyObject, isJsonArray, isJsonObject, type Json } from './json.ts';
import { literalToJson } from './literal.ts';
import { readLiteral } from './literal-read.ts';
import { looksTagged } from './literal-shape.ts';
import type { Type, TypeScope } from './type.ts';
import { tryResolveType } from './type-resolve.ts';
import type { Value } from './value.ts';
import { compareCanonical } from './value-order.ts';

/**
 * A value as people and tools want to see it: JSON sugar (`values.md` §3.2), integers beyond ±(2^53−1) as decimal
 * strings, so that `JSON.stringify` and any JSON parser keep them. Reading it with `readLiteral` gives the value back;
 * the rare sugar that would be taken for a tagged form is written tagged instead.
 *
 * A part that does not have the type (a display of state that a newer schema no longer describes) is written tagged.
 */
export function toSugar(value: Value, type: Type, scope: TypeScope): Json {
  const target = tryResolveType(type, scope);
  if (target === undefined) return plain(literalToJson(value));
  const json = sugar(value, target, scope);
  if (json === undefined) return plain(literalToJson(value));
  return looksTagged(json) && !readsBack(json, value, target, scope) ? plain(literalToJson(value)) : json;
}

function sugar(value: Value, type: Type, scope: TypeScope): Json | undefined {
  if (type.kind === 'option') return value.kind === 'null' ? null : toSugar(value, type.item, scope);
  if (type.kind === 'unit') return value.kind === 'null' ? null : undefined;
  if (value.kind !== type.kind) return undefined;
  switch (value.kind) {
    case 'bool':
    case 'text':
    case 'dec128':
    case 'hash':
    case 'uuid':
      return value.value;
    case 'int':
    case 'nat':
    case 'time':
    case 'duration':
      return plainInteger(value.value);
    case 'bytes':
      return toBase64(value.value);
    case 'list':
    case 'set': {
      const { item: itemType } = type as Type & { kind: 'list' | 'set' };
      return value.items.map((item) => toSugar(item, itemType, scope));
    }
    case 'map':
      return mapSugar(value, type as Type & { kind: 'map' }, scope);
    case 'record': {
      const { fields } = type as Type & { kind: 'record' };
      if (fields.size !== value.fields.size) return undefined;
      const json = emptyObject();
      for (const [name, field] of value.fields) {
        const fieldType = fields.get(name);
        if (fieldType === undefined) return undefined;
        json[name] = toSugar(field, fieldType, scope);
      }
      return json;
    }
    case 'variant': {
      const arm = (type as Type & { kind: 'variant' }).arms.get(value.tag);
      if (arm === undefined) return undefined;
      const json = emptyObject();
      json[value.tag] = toSugar(value.value, arm, scope);
      return json;
    }
    default:
      return undefined;
  }
}

function mapSugar(value: Value & { kind: 'map' }, type: Type & { kind: 'map' }, scope: TypeScope): Json {
  if (tryResolveType(type.key, scope)?.kind !== 'text') {
    return value.entries.map(([key, item]) => [toSugar(key, type.key, scope), toSugar(item, type.value, scope)]);
  }
  const json = emptyObject();
  for (const [key, item] of value.entries) json[(key as { value: string }).value] = toSugar(item, type.value, scope);
  return json;
}

function readsBack(json: Json, value: Value, type: Type, scope: TypeScope): boolean {
  const read = readLiteral(json, type, scope);
  return read.ok && compareCanonical(read.value, value) === 0;
}

function plainInteger(value: bigint): Json {
  const safe = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
  return safe ? Number(value) : value.toString();
}

/** A literal with its large integers as strings. */
function plain(json: Json): Json {
  if (typeof json === 'bigint') return json.toString();
  if (isJsonArray(json)) return json.map(plain);
  if (!isJsonObject(json)) return json;
  const copy = emptyObject();
  for (const name of Object.keys(json)) copy[name] = plain(json[name] as Json);
  return copy;
}
