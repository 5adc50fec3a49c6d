import { decode, fail, ok, type Result } from '@worldline/canon';
import type { Type, TypeScope } from './type.ts';
import { orderedMembers, tryResolveType } from './type-resolve.ts';
import { NULL, type Value } from './value.ts';
import { type Data, encodeValue, Opaque, VALUE_DEPTH_MAX } from './value-data.ts';
import { Problems, typeName, type ValueFailure } from './value-failure.ts';
import { canonicalMap, canonicalSet, keyName } from './value-order.ts';
import { integer, textScalar } from './value-scalar.ts';

/**
 * Values as data in CBOR (`values.md` §4, §6).
 *
 * N1 One value has one encoding: `encodeValue` of what `normalizeCbor` returns is the returned `bytes`.
 * N2 Normalising is idempotent, and total: any bytes give a value or failures.
 */

export { encodeValue, valueToCbor } from './value-data.ts';

/**
 * Decode, check against `type` and canonicalise (`values.md` §4, §5). The prefix is optional and any well-formed
 * spelling is accepted; the returned bytes are the canonical ones.
 *
 * @param label - What failures outside any named schema call the place, such as `idempotency_key`.
 */
export function normalizeCbor(
  bytes: Uint8Array,
  type: Type,
  scope: TypeScope,
  label?: string,
): Result<{ readonly value: Value; readonly bytes: Uint8Array }, readonly ValueFailure[]> {
  const decoded = decode(bytes, { maxDepth: VALUE_DEPTH_MAX });
  if (!decoded.ok) return fail([{ ...decoded.failure, ...(label === undefined ? {} : { schema: label }) }]);
  const value = valueFromData(decoded.value, type, scope, label);
  return value.ok ? ok({ value: value.value, bytes: encodeValue(value.value) }) : value;
}

/** Check decoded data against `type` and give each part its kind. */
export function valueFromData(
  data: Data,
  type: Type,
  scope: TypeScope,
  label?: string,
): Result<Value, readonly ValueFailure[]> {
  const problems = new Problems({ label });
  const value = normalize(data, type, { scope, problems }, 0);
  return value === undefined || problems.failures.length > 0 ? fail(problems.failures) : ok(value);
}

interface Context {
  readonly scope: TypeScope;
  readonly problems: Problems;
}

type DataObject = { readonly [key: string]: Data };

function normalize(data: Data, type: Type, context: Context, depth: number): Value | undefined {
  const { problems } = context;
  switch (type.kind) {
    case 'ref': {
      const target = tryResolveType(type, context.scope);
      if (target === undefined) {
        return problems.report('schema.not_found', `no schema is called ${type.name}`, { expected: type.name });
      }
      const outer = problems.schema;
      problems.schema = nearestName(type, context.scope);
      const value = normalize(data, target, context, depth);
      problems.schema = outer;
      return value;
    }
    case 'text':
    case 'dec128':
    case 'hash':
    case 'uuid':
      return typeof data === 'string'
        ? textScalar(type.kind, data, problems)
        : problems.mismatch(type.kind, dataKind(data));
    case 'int':
    case 'nat':
    case 'time':
    case 'duration':
      return typeof data === 'number' || typeof data === 'bigint'
        ? integer(type.kind, BigInt(data), problems)
        : problems.mismatch(type.kind, dataKind(data));
    case 'bool':
      return typeof data === 'boolean' ? { kind: 'bool', value: data } : problems.mismatch('bool', dataKind(data));
    case 'bytes':
      return data instanceof Uint8Array ? { kind: 'bytes', value: data } : problems.mismatch('bytes', dataKind(data));
    case 'unit':
      return data === null || isEmptyMap(data) ? NULL : problems.mismatch('unit', dataKind(data));
    case 'option':
      return data === null ? NULL : normalize(data, type.item, context, depth);
    default:
      if (depth >= VALUE_DEPTH_MAX) return problems.report('cbor.depth', `nested deeper than ${VALUE_DEPTH_MAX}`);
      switch (type.kind) {
        case 'record':
          return isDataObject(data)
            ? normalizeRecord(data, type.fields, context, depth + 1)
            : problems.mismatch('record', dataKind(data));
        case 'variant':
          return isDataObject(data)
            ? normalizeVariant(data, type.arms, context, depth + 1)
            : problems.mismatch('variant', dataKind(data));
        case 'list':
        case 'set':
          return Array.isArray(data)
            ? normalizeItems(data as readonly Data[], type, context, depth + 1)
            : problems.mismatch(type.kind, dataKind(data));
        case 'map':
          return data instanceof Map || isDataObject(data)
            ? normalizeMap(data as ReadonlyMap<Data, Data> | DataObject, type, context, depth + 1)
            : problems.mismatch('map', dataKind(data));
        default:
          return type satisfies never;
      }
  }
}

function normalizeRecord(
  data: DataObject,
  types: ReadonlyMap<string, Type>,
  context: Context,
  depth: number,
): Value | undefined {
  const { problems } = context;
  const ordered = orderedMembers(types);
  const fields = new Map<string, Value>();
  let good = true;
  let canonical = true;
  for (const name of Object.keys(data)) {
    const type = types.get(name);
    problems.path.push(name);
    if (type === undefined) {
      good = false;
      problems.report('value.unknown_field', 'unknown field', { field: name });
    } else {
      const value = normalize(data[name] as Data, type, context, depth);
      if (value === undefined) {
        good = false;
      } else {
        canonical &&= ordered[fields.size]?.[0] === name;
        fields.set(name, value);
      }
    }
    problems.path.pop();
  }
  if (good && canonical && fields.size === ordered.length) return { kind: 'record', fields };
  return completeRecord(fields, (name) => Object.hasOwn(data, name), ordered, context) && good
    ? { kind: 'record', fields: inOrder(fields, ordered) }
    : undefined;
}

/** Fill missing option fields with none, report the others. */
function completeRecord(
  fields: Map<string, Value>,
  given: (name: string) => boolean,
  ordered: readonly (readonly [string, Type])[],
  context: Context,
): boolean {
  let good = true;
  for (const [name, type] of ordered) {
    if (fields.has(name) || given(name)) continue;
    if (mayBeAbsent(type, context.scope)) {
      fields.set(name, NULL);
    } else {
      good = false;
      context.problems.inside(name, () =>
        context.problems.report('value.missing_field', 'missing field', {
          field: name,
          expected: typeName(type, context.scope),
        }),
      );
    }
  }
  return good;
}

function inOrder(
  fields: ReadonlyMap<string, Value>,
  ordered: readonly (readonly [string, Type])[],
): ReadonlyMap<string, Value> {
  return new Map(ordered.map(([name]) => [name, fields.get(name) as Value]));
}

function normalizeVariant(
  data: DataObject,
  arms: ReadonlyMap<string, Type>,
  context: Context,
  depth: number,
): Value | undefined {
  const { problems } = context;
  const names = Object.keys(data);
  let tag: string;
  let payload: Data | undefined;
  let good = true;
  if (Object.hasOwn(data, '$tag')) {
    for (const name of names) {
      if (name === '$tag' || name === '$value') continue;
      good = false;
      problems.inside(name, () => problems.report('value.unknown_field', 'unknown field', { field: name }));
    }
    const given = data['$tag'];
    if (typeof given !== 'string') {
      return problems.inside('$tag', () => problems.mismatch('text', dataKind(given as Data)));
    }
    tag = given;
    payload = data['$value'];
  } else {
    const only = names[0];
    if (names.length !== 1 || only === undefined || only.startsWith('$')) {
      if (!Object.hasOwn(data, '$value')) return problems.mismatch('variant', 'record');
      return problems.inside('$tag', () =>
        problems.report('value.missing_field', 'missing field', { field: '$tag', expected: 'text' }),
      );
    }
    tag = only;
    payload = data[only];
  }
  const arm = arms.get(tag);
  if (arm === undefined) return reportUnknownTag(tag, arms, problems);
  problems.path.push('$value');
  const value = normalizePayload(tag, payload, arm, context, depth);
  problems.path.pop();
  return value && good ? variantValue(tag, value, arm, context.scope) : undefined;
}

function normalizePayload(
  tag: string,
  payload: Data | undefined,
  arm: Type,
  context: Context,
  depth: number,
): Value | undefined {
  if (payload === undefined || payload === null) {
    if (isUnitOrOption(arm, context.scope)) return NULL;
    if (payload === undefined) return reportMissingPayload(tag, typeName(arm, context.scope), context.problems);
  } else if (tryResolveType(arm, context.scope)?.kind === 'unit' && !isEmptyMap(payload)) {
    return reportUnexpectedPayload(tag, dataKind(payload), context.problems);
  }
  return normalize(payload, arm, context, depth);
}

function normalizeItems(
  data: readonly Data[],
  type: Type & { kind: 'list' | 'set' },
  context: Context,
  depth: number,
): Value | undefined {
  const { path } = context.problems;
  const items: Value[] = [];
  for (let index = 0; index < data.length; index += 1) {
    path.push(index);
    const item = normalize(data[index] as Data, type.item, context, depth);
    path.pop();
    if (item !== undefined) items.push(item);
  }
  if (items.length !== data.length) return undefined;
  return { kind: type.kind, items: type.kind === 'set' ? canonicalSet(items) : items };
}

function normalizeMap(
  data: ReadonlyMap<Data, Data> | DataObject,
  type: Type & { kind: 'map' },
  context: Context,
  depth: number,
): Value | undefined {
  const { problems } = context;
  const given: readonly (readonly [Data, Data])[] = data instanceof Map ? [...data] : Object.entries(data);
  const entries: (readonly [Value, Value])[] = [];
  for (const [keyData, valueData] of given) {
    problems.path.push(dataKeyName(keyData));
    const before = problems.failures.length;
    const key = normalize(keyData, type.key, context, depth);
    if (key === undefined) asBadKey(problems, before);
    const value = normalize(valueData, type.value, context, depth);
    problems.path.pop();
    if (key !== undefined && value !== undefined) entries.push([key, value]);
  }
  const complete = entries.length === given.length;
  const sorted = canonicalMapOf(entries, problems);
  return complete && sorted ? { kind: 'map', entries: sorted } : undefined;
}

/** Sorted entries, or undefined after reporting each key that has two values. */
export function canonicalMapOf(
  entries: readonly (readonly [Value, Value])[],
  problems: Problems,
): readonly (readonly [Value, Value])[] | undefined {
  let good = true;
  const sorted = canonicalMap(entries, (key) => {
    good = false;
    problems.inside(keyName(key), () =>
      problems.text('value.duplicate_key', 'key with two different values', keyName(key)),
    );
  });
  return good ? sorted : undefined;
}

/** A key of the wrong type has its own code; a malformed one keeps the more telling code. */
export function asBadKey(problems: Problems, from: number): void {
  if (problems.failures.length === from) return;
  problems.failures = problems.failures.map((failure, index) =>
    index >= from && failure.code === 'value.type_mismatch' ? { ...failure, code: 'value.bad_map_key' } : failure,
  );
}

/** May a record leave this field out (`values.md` §4.1)? */
export function mayBeAbsent(type: Type, scope: TypeScope): boolean {
  return tryResolveType(type, scope)?.kind === 'option';
}

export function isUnitOrOption(type: Type, scope: TypeScope): boolean {
  const kind = tryResolveType(type, scope)?.kind;
  return kind === 'unit' || kind === 'option';
}

/** A variant value that remembers whether its null is an option's none. */
export function variantValue(tag: string, value: Value, arm: Type, scope: TypeScope): Value {
  return value.kind === 'null' && tryResolveType(arm, scope)?.kind === 'option'
    ? { kind: 'variant', tag, value, none: true }
    : { kind: 'variant', tag, value };
}

export function reportUnknownTag(tag: string, arms: ReadonlyMap<string, Type>, problems: Problems): undefined {
  const expected = orderedMembers(arms)
    .map(([name]) => name)
    .join(', ');
  return problems.text('value.unknown_tag', `no such arm (${expected})`, tag, {
    tag,
    expected,
    ...problems.near(tag, arms.keys()),
  });
}

export function reportMissingPayload(tag: string, expected: string, problems: Problems): undefined {
  return problems.report('value.missing_payload', 'missing payload', { tag, expected });
}

export function reportUnexpectedPayload(tag: string, got: string, problems: Problems): undefined {
  return problems.report('value.unexpected_payload', `an arm without data has no payload, got ${got}`, {
    tag,
    expected: 'unit',
    got,
  });
}

/** The last name before the type behind refs: the nearest enclosing schema. */
export function nearestName(type: Type & { kind: 'ref' }, scope: TypeScope): string {
  let { name } = type;
  for (let target = scope.lookup(name); target?.kind === 'ref'; target = scope.lookup(name)) name = target.name;
  return name;
}

function isDataObject(data: Data): data is DataObject {
  return (
    typeof data === 'object' &&
    data !== null &&
    !Array.isArray(data) &&
    !(data instanceof Uint8Array) &&
    !(data instanceof Map) &&
    !(data instanceof Opaque)
  );
}

function isEmptyMap(data: Data): boolean {
  return data instanceof Map ? data.size === 0 : isDataObject(data) && Object.keys(data).length === 0;
}

function dataKeyName(key: Data): string {
  return typeof key === 'string' || typeof key === 'number' || typeof key === 'bigint' ? String(key) : dataKind(key);
}

function dataKind(data: Data): string {
  if (data === null) return 'null';
  if (typeof data === 'boolean') return 'bool';
  if (typeof data === 'number' || typeof data === 'bigint') return 'int';
  if (typeof data === 'string') return 'text';
  if (data instanceof Uint8Array) return 'bytes';
  if (Array.isArray(data)) return 'list';
  if (data instanceof Map) return 'map';
  return data instanceof Opaque ? data.kind : 'record';
}
