import {
  isSetItemKind,
  type MapKeyKind,
  resolveType,
  type ScalarKind,
  scalarType,
  type Type,
  type TypeScope,
} from '@worldline/air';
import { compareCanonicalKeys } from '@worldline/canon';
import type { Choices } from './typed-choices.ts';

/** Random types and schemas: every form of `values.md` §2, references among each other without cycles. */

export interface TypedSchema {
  readonly name: string;
  readonly type: Type;
}

const SCALARS: readonly ScalarKind[] = [
  'nat',
  'text',
  'bool',
  'int',
  'text',
  'nat',
  'time',
  'duration',
  'dec128',
  'bytes',
  'hash',
  'uuid',
  'unit',
];
const SET_ITEMS = SCALARS.filter(isSetItemKind);
const MAP_KEYS = ['text', 'text', 'nat', 'int', 'uuid', 'hash'] as const satisfies readonly MapKeyKind[];

/** Mostly harmless, few enough to meet again in other types; the last ones are words of the lenses, or no path segments. */
const FIELDS = ['a', 'b', 'id', 'n', 'a', 'b', 'id', 'n', 'flag', 'note', 'text', 'tag', 'value', '__proto__', 'x.y'];
const ARMS = ['A', 'B', 'Go', 'Stop', 'A', 'B', 'Go', 'Stop', 'text', 'value', 'constructor'];

/** What tags a value that is written out (`values.md` §3.3). */
export const LENS_TAGS: ReadonlySet<string> = new Set(
  'null bool int nat dec128 text bytes_b64 time_ns duration_ns hash uuid list set map record variant'.split(' '),
);

/** Names that sugar of a record, variant or map cannot have without looking like something else (`values.md` §3.3). */
const LENS_WORDS: ReadonlySet<string> = new Set([...LENS_TAGS, 'tag', 'value', 'ref', 'op', 'args']);

export function isLensWord(name: string): boolean {
  return LENS_WORDS.has(name) || name.startsWith('$');
}

/**
 * One schema for each list of choices, each free to name those before it.
 *
 * @param namespace - Of the schemas' names.
 */
export function makeSchemas(choices: readonly Choices[], namespace = 't'): TypedSchema[] {
  const schemas: TypedSchema[] = [];
  for (const [index, choice] of choices.entries()) {
    const scope = scopeOf(schemas);
    const known = schemas.map(({ name }) => name);
    // Records first: they are what plans can look into.
    const type =
      index === 0 || choice.chance(60)
        ? recordType(choice, known, scope, 2)
        : choice.chance(60)
          ? variantType(choice, known, scope, 2)
          : makeType(choice, known, scope, 2);
    schemas.push({ name: `${namespace}/S${index}@1`, type });
  }
  return schemas;
}

export function scopeOf(schemas: readonly TypedSchema[], beneath?: TypeScope): TypeScope {
  const types = new Map(schemas.map(({ name, type }) => [name, type]));
  return { lookup: (name) => types.get(name) ?? beneath?.lookup(name) };
}

/** @param depth - How many composites may still lie below. */
function makeType(choice: Choices, known: readonly string[], scope: TypeScope, depth: number): Type {
  const form = choice.weighted<'scalar' | 'option' | 'ref' | 'record' | 'list' | 'map' | 'variant' | 'set'>([
    [8, 'scalar'],
    [3, 'option'],
    ...(known.length > 0 ? [[3, 'ref'] as const] : []),
    [1, 'set'],
    ...(depth > 0
      ? ([
          [2, 'record'],
          [2, 'list'],
          [2, 'map'],
          [2, 'variant'],
        ] as const)
      : []),
  ]);
  switch (form) {
    case 'scalar':
      return scalarType(choice.pick(SCALARS));
    case 'ref':
      return { kind: 'ref', name: choice.pick(known) };
    case 'record':
      return recordType(choice, known, scope, depth - 1);
    case 'variant':
      return variantType(choice, known, scope, depth - 1);
    case 'list':
      return { kind: 'list', item: makeType(choice, known, scope, depth - 1) };
    case 'set':
      return { kind: 'set', item: scalarType(choice.pick(SET_ITEMS)) };
    case 'map':
      return {
        kind: 'map',
        key: scalarType(choice.pick(MAP_KEYS)),
        value: makeType(choice, known, scope, depth - 1),
      };
    case 'option': {
      const item = makeType(choice, known, scope, depth);
      const target = resolveType(item, scope);
      // No option of option, none of unit (V-304).
      if (target.kind === 'option') return item;
      return target.kind === 'unit' ? { kind: 'option', item: scalarType('nat') } : { kind: 'option', item };
    }
    default:
      return form satisfies never;
  }
}

function recordType(choice: Choices, known: readonly string[], scope: TypeScope, depth: number): Type {
  return { kind: 'record', fields: members(choice, FIELDS, choice.count(1, 4), known, scope, depth) };
}

function variantType(choice: Choices, known: readonly string[], scope: TypeScope, depth: number): Type {
  return { kind: 'variant', arms: members(choice, ARMS, choice.count(1, 3), known, scope, depth) };
}

function members(
  choice: Choices,
  names: readonly string[],
  count: number,
  known: readonly string[],
  scope: TypeScope,
  depth: number,
): ReadonlyMap<string, Type> {
  const found = new Map<string, Type>();
  for (let i = 0; i < count; i++) found.set(choice.pick(names), makeType(choice, known, scope, depth));
  return new Map([...found].sort(([a], [b]) => compareCanonicalKeys(a, b)));
}

const keys = new WeakMap<TypeScope, Map<string, string>>();

/** A text that two types share iff they are equal once all refs are expanded (`expressions.md` §13.3). */
export function typeKey(type: Type, scope: TypeScope): string {
  switch (type.kind) {
    case 'ref': {
      let known = keys.get(scope);
      if (known === undefined) {
        known = new Map();
        keys.set(scope, known);
      }
      let key = known.get(type.name);
      if (key === undefined) {
        key = typeKey(resolveType(type, scope), scope);
        known.set(type.name, key);
      }
      return key;
    }
    case 'record':
      return `{${[...type.fields].map(([name, field]) => `${JSON.stringify(name)}:${typeKey(field, scope)}`).join()}}`;
    case 'variant':
      return `<${[...type.arms].map(([name, arm]) => `${JSON.stringify(name)}:${typeKey(arm, scope)}`).join()}>`;
    case 'list':
      return `list(${typeKey(type.item, scope)})`;
    case 'set':
      return `set(${typeKey(type.item, scope)})`;
    case 'option':
      return `option(${typeKey(type.item, scope)})`;
    case 'map':
      return `map(${typeKey(type.key, scope)},${typeKey(type.value, scope)})`;
    default:
      return type.kind;
  }
}

/** May a value of this type be told apart by its data alone: no variant, no option, nothing empty in it? */
export function isPlain(type: Type, scope: TypeScope): boolean {
  const target = resolveType(type, scope);
  switch (target.kind) {
    case 'record':
      return [...target.fields.values()].every((field) => isPlain(field, scope));
    case 'variant':
    case 'option':
    case 'unit':
    case 'list':
    case 'set':
    case 'map':
      return false;
    default:
      return true;
  }
}
