import { ok, type Result } from '@worldline/canon';
import type { Type, TypeScope } from './type.ts';
import { tryResolveType } from './type-resolve.ts';
import type { Value } from './value.ts';
import { valueFromData, variantValue } from './value-cbor.ts';
import { type Data, emptyData, lower, Opaque, VALUE_DEPTH_MAX } from './value-data.ts';
import type { ValueFailure } from './value-failure.ts';
import { inRange, isIntegerKind, isTextKind } from './value-scalar.ts';

/**
 * An engine value where a typed one is wanted: map to the CBOR data model, then normalise with the target type
 * (`values.md` §7 "Out"). So int, nat, time and duration convert when in range, text, hash, uuid and dec128 when the text
 * is valid for the target, and option fields that are left out become none.
 *
 * @returns the value with the kinds of `type`, the same object when nothing changes. The first failure's code is the
 *   "value code" of `plans.md` §10. A receipt or an effect handle is a `value.type_mismatch`.
 */
export function conform(
  value: Value,
  type: Type,
  scope: TypeScope,
  label?: string,
): Result<Value, readonly ValueFailure[]> {
  const quick = fit(value, type, scope, 0);
  if (quick !== undefined) return ok(quick);
  // A value can be deeper than any type (`assign` without a local, again and again): cut it where the type ends anyway.
  return valueFromData(lowerWithin(value, VALUE_DEPTH_MAX + 1), type, scope, label);
}

/** The common case, by kinds and without encoding. Undefined means: take the long way, which also knows what is wrong. */
function fit(value: Value, type: Type, scope: TypeScope, depth: number): Value | undefined {
  if (depth > VALUE_DEPTH_MAX) return undefined;
  switch (type.kind) {
    case 'ref': {
      const target = tryResolveType(type, scope);
      return target && fit(value, target, scope, depth);
    }
    case 'option':
      return value.kind === 'null' ? value : fit(value, type.item, scope, depth);
    case 'unit':
      return value.kind === 'null' ? value : undefined;
    case 'bool':
    case 'bytes':
    case 'dec128':
    case 'hash':
    case 'uuid':
      return value.kind === type.kind ? value : undefined;
    case 'text':
      if (value.kind === 'text') return value;
      return isTextKind(value.kind) ? { kind: 'text', value: (value as { readonly value: string }).value } : undefined;
    case 'int':
    case 'nat':
    case 'time':
    case 'duration': {
      if (!isIntegerKind(value.kind)) return undefined;
      const integer = (value as { readonly value: bigint }).value;
      if (!inRange(type.kind, integer)) return undefined;
      return value.kind === type.kind ? value : { kind: type.kind, value: integer };
    }
    case 'list': {
      if (value.kind !== 'list') return undefined;
      const items = fitAll(value.items, type.item, scope, depth + 1);
      return items === value.items ? value : items && { kind: 'list', items };
    }
    case 'set':
      // Elements that change their kind may change their place.
      return value.kind === 'set' && fitAll(value.items, type.item, scope, depth + 1) === value.items
        ? value
        : undefined;
    case 'map': {
      if (value.kind !== 'map') return undefined;
      let changed = false;
      const entries: (readonly [Value, Value])[] = [];
      for (const entry of value.entries) {
        const [key, item] = entry;
        if (fit(key, type.key, scope, depth + 1) !== key) return undefined;
        const fitted = fit(item, type.value, scope, depth + 1);
        if (fitted === undefined) return undefined;
        changed ||= fitted !== item;
        entries.push(fitted === item ? entry : [key, fitted]);
      }
      return changed ? { kind: 'map', entries } : value;
    }
    case 'record': {
      if (value.kind !== 'record' || value.fields.size !== type.fields.size) return undefined;
      let changed: Map<string, Value> | undefined;
      for (const [name, field] of value.fields) {
        const fieldType = type.fields.get(name);
        const fitted = fieldType && fit(field, fieldType, scope, depth + 1);
        if (fitted === undefined) return undefined;
        if (fitted !== field) {
          // Replacing a field keeps its place, so the copy stays in canonical key order.
          changed ??= new Map(value.fields);
          changed.set(name, fitted);
        }
      }
      return changed ? { kind: 'record', fields: changed } : value;
    }
    case 'variant': {
      if (value.kind !== 'variant') return undefined;
      const arm = type.arms.get(value.tag);
      const payload = arm && fit(value.value, arm, scope, depth + 1);
      if (arm === undefined || payload === undefined) return undefined;
      const made = variantValue(value.tag, payload, arm, scope);
      return payload === value.value && (made as { none?: true }).none === value.none ? value : made;
    }
    default:
      return type satisfies never;
  }
}

function fitAll(items: readonly Value[], type: Type, scope: TypeScope, depth: number): readonly Value[] | undefined {
  let changed: Value[] | undefined;
  for (let index = 0; index < items.length; index += 1) {
    const item = items[index] as Value;
    const fitted = fit(item, type, scope, depth);
    if (fitted === undefined) return undefined;
    if (fitted !== item) {
      changed ??= [...items];
      changed[index] = fitted;
    }
  }
  return changed ?? items;
}

/** As `lower`, with everything below `depth` levels replaced by what fits no type. */
function lowerWithin(value: Value, depth: number): Data {
  const inner = (part: Value): Data => lowerWithin(part, depth - 1);
  if (depth === 0) return new Opaque('handle');
  switch (value.kind) {
    case 'list':
    case 'set':
      return value.items.map(inner);
    case 'map': {
      const textKeys = value.entries.every(([key]) => isTextKind(key.kind));
      // Text keys make an object, as a decoder would: only so can a map become a record.
      if (textKeys) {
        return objectOf(value.entries.map(([key, item]) => [(key as { readonly value: string }).value, inner(item)]));
      }
      return new Map(value.entries.map(([key, item]) => [inner(key), inner(item)] as const));
    }
    case 'record':
      return objectOf([...value.fields].map(([name, field]) => [name, inner(field)]));
    case 'variant':
      return objectOf([
        ['$tag', value.tag],
        ['$value', inner(value.value)],
      ]);
    default:
      return lower(value, (kind) => new Opaque(kind));
  }
}

function objectOf(entries: readonly (readonly [string, Data])[]): Data {
  const object = emptyData();
  for (const [key, item] of entries) object[key] = item;
  return object;
}
