import { compareCanonicalKeys, fail, ok, type Result } from '@worldline/canon';
import {
  emptyObject,
  isJsonObject,
  JSON_DEPTH_MAX,
  type Json,
  type JsonObject,
  member,
  memberNames,
  shorten,
} from './json.ts';
import { NAME } from './name.ts';
import type { ScalarKind, Type } from './type.ts';
import { MAP_MEMBERS, typeKinds } from './type-shape.ts';
import { jsonKind, Problems, type ValueFailure } from './value-failure.ts';

/** Type expressions from and to JSON (`values.md` §2), with the rules of V-301 … V-304 and V-307 that need no schema. */

/** One object per kind. */
const SCALAR_TYPES = Object.fromEntries(
  typeKinds((form) => form.body === 'nothing').map((kind) => [kind, { kind }]),
) as { readonly [K in ScalarKind]: Type };

const MAP_KEYS: ReadonlySet<string> = new Set(typeKinds((form) => form.mapKey === true));

/** What stands behind a reference is judged after resolving it. */
const SET_ITEMS: ReadonlySet<string> = new Set(typeKinds((form) => form.setItem === true && form.body === 'nothing'));

const NOT_OPTIONAL: ReadonlySet<string> = new Set(typeKinds((form) => form.notOptional === true));

/** Kinds of types that are made of others. */
const OTHER_KINDS = ['record', 'variant', 'list', 'set', 'option', 'map', 'ref'];

/** The type of a scalar kind; one object per kind. */
export function scalarType(kind: ScalarKind): Type {
  return SCALAR_TYPES[kind];
}

/** May values of this kind be map keys (V-302)? */
export function isMapKeyKind(kind: string): boolean {
  return MAP_KEYS.has(kind);
}

/** May values of this kind be set elements (V-303)? To be asked after resolving refs. */
export function isSetItemKind(kind: string): boolean {
  return SET_ITEMS.has(kind);
}

/**
 * Read a type expression. What lies behind a ref is not looked at: V-303 and V-304 are to be asked again after resolving.
 *
 * @returns a type whose fields and arms are in canonical key order; or all failures in document order, paths from the
 *   type's own root: `type.invalid`, `type.bad_map_key`, `type.bad_set_element`, `type.ambiguous_option`,
 *   `type.bad_member`.
 */
export function parseType(json: Json): Result<Type, readonly ValueFailure[]> {
  const problems = new Problems({ json: true });
  const type = read(json, problems);
  return type === undefined || problems.failures.length > 0 ? fail(problems.failures) : ok(type);
}

/** Canonical JSON of a type, without comments. */
export function typeToJson(type: Type): Json {
  const json = emptyObject();
  switch (type.kind) {
    case 'record':
      json['record'] = membersToJson(type.fields);
      break;
    case 'variant':
      json['variant'] = membersToJson(type.arms);
      break;
    case 'list':
    case 'set':
    case 'option':
      json[type.kind] = typeToJson(type.item);
      break;
    case 'map': {
      const body = emptyObject();
      body['key'] = typeToJson(type.key);
      body['value'] = typeToJson(type.value);
      json['map'] = body;
      break;
    }
    case 'ref':
      json['ref'] = type.name;
      break;
    default:
      json[type.kind] = emptyObject();
  }
  return json;
}

function membersToJson(members: ReadonlyMap<string, Type>): Json {
  const json = emptyObject();
  for (const [name, type] of members) json[name] = typeToJson(type);
  return json;
}

function read(json: Json, problems: Problems): Type | undefined {
  if (problems.path.length > JSON_DEPTH_MAX) return problems.report('type.invalid', 'type nested too deeply');
  if (!isJsonObject(json)) {
    return problems.report('type.invalid', `expected a type expression, got ${jsonKind(json)}`, {
      got: jsonKind(json),
      ...(typeof json === 'string' && Object.hasOwn(SCALAR_TYPES, json) ? { hint: `Write {"${json}": {}}.` } : {}),
    });
  }
  const names = memberNames(json);
  const kind = names[0];
  if (kind === undefined) return problems.report('type.invalid', 'expected a type expression, got an empty object');
  if (names.length > 1) {
    const quoted = names.map((name) => JSON.stringify(shorten(name))).slice(0, 8);
    return problems.report('type.invalid', `a type has exactly one key, got ${quoted.join(', ')}`);
  }
  const body = member(json, kind) as Json;
  return problems.inside(kind, () => readBody(kind, body, problems));
}

function readBody(kind: string, body: Json, problems: Problems): Type | undefined {
  switch (kind) {
    case 'record': {
      const fields = readMembers(body, problems);
      return fields && { kind, fields };
    }
    case 'variant': {
      const arms = readMembers(body, problems);
      if (arms?.size === 0 && isJsonObject(body) && memberNames(body).length === 0) {
        return problems.report('type.bad_member', 'a variant needs at least one arm');
      }
      return arms && { kind, arms };
    }
    case 'list': {
      const item = read(body, problems);
      return item && { kind, item };
    }
    case 'set': {
      const item = read(body, problems);
      if (item && item.kind !== 'ref' && !SET_ITEMS.has(item.kind)) {
        return problems.report('type.bad_set_element', `${item.kind} cannot be a set element`, { got: item.kind });
      }
      return item && { kind, item };
    }
    case 'option': {
      const item = read(body, problems);
      if (item && NOT_OPTIONAL.has(item.kind)) {
        return problems.report('type.ambiguous_option', `an option of ${item.kind} cannot tell none from some`, {
          got: item.kind,
        });
      }
      return item && { kind, item };
    }
    case 'map':
      return readMap(body, problems);
    case 'ref':
      if (typeof body !== 'string' || !NAME.test(body)) {
        const found = typeof body === 'string' ? JSON.stringify(shorten(body)) : jsonKind(body);
        return problems.report('type.invalid', `expected a schema name like "acme/Point@1", got ${found}`);
      }
      return { kind, name: body };
    default: {
      if (!Object.hasOwn(SCALAR_TYPES, kind)) {
        const near = problems.near(kind, [...Object.keys(SCALAR_TYPES), ...OTHER_KINDS]);
        return problems.report('type.invalid', `no type is called ${JSON.stringify(shorten(kind))}`, near);
      }
      if (!isJsonObject(body) || memberNames(body).length > 0) {
        return problems.report('type.invalid', `the body of ${kind} is {}`);
      }
      return SCALAR_TYPES[kind as ScalarKind];
    }
  }
}

function readMap(body: Json, problems: Problems): Type | undefined {
  if (!isJsonObject(body)) return problems.report('type.invalid', `expected {key, value}, got ${jsonKind(body)}`);
  let key: Type | undefined;
  let value: Type | undefined;
  for (const name of memberNames(body)) {
    problems.inside(name, () => {
      if (name === 'key') {
        key = read(member(body, name) as Json, problems);
        if (key && !MAP_KEYS.has(key.kind)) {
          const found = key.kind;
          key = undefined;
          problems.report('type.bad_map_key', `${found} cannot be a map key`, {
            expected: 'int, nat, text, uuid or hash',
            got: found,
          });
        }
      } else if (name === 'value') {
        value = read(member(body, name) as Json, problems);
      } else {
        problems.report('type.invalid', `a map type has no member ${JSON.stringify(shorten(name))}`);
      }
    });
  }
  for (const name of Object.keys(MAP_MEMBERS)) {
    if (!Object.hasOwn(body, name)) {
      problems.inside(name, () =>
        problems.report('type.bad_map_key', `a map type needs ${name}`, { field: name, got: 'missing' }),
      );
    }
  }
  return key && value && { kind: 'map', key, value };
}

function readMembers(body: Json, problems: Problems): ReadonlyMap<string, Type> | undefined {
  if (!isJsonObject(body)) return problems.report('type.invalid', `expected an object of types, got ${jsonKind(body)}`);
  const members: [string, Type][] = [];
  for (const name of memberNames(body as JsonObject)) {
    problems.inside(name, () => {
      if (name === '' || name.startsWith('$') || !name.isWellFormed()) {
        problems.report('type.bad_member', `${JSON.stringify(shorten(name))} cannot be a field or arm`, {
          field: name,
        });
        return;
      }
      const type = read(member(body as JsonObject, name) as Json, problems);
      if (type) members.push([name, type]);
    });
  }
  return new Map(members.sort(([a], [b]) => compareCanonicalKeys(a, b)));
}
