import {
  canonicalMap,
  canonicalSet,
  emptyObject,
  type Json,
  jsonInteger,
  literalToJson,
  literalToTree,
  NULL,
  orderedMembers,
  resolveType,
  type ScalarKind,
  type Type,
  type TypeScope,
  type Value,
} from '@worldline/air';
import { hashText, sha256, toBase64, utf8 } from '@worldline/canon';
import type { Choices } from './typed-choices.ts';
import { isLensWord } from './typed-type.ts';

/** Random values of a type, and their spellings (`values.md` §3). Small pools, so that values meet each other again. */

const TEXTS = ['', 'a', 'b', 'ok', 'error', 'GET', 'https://ok.example/a', 'né😀', '5', '@plan.input', 'A'];
const NATURALS = [0n, 1n, 2n, 3n, 7n, 300n, 5_000_000n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];
const INTEGERS = [0n, 1n, -1n, 2n, 3n, -7n, 300n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)];
const DECIMALS = ['0', '0.5', '0.50', '-1', '1e3', '12.75', '+2.5E-7'];

export const HASHES = ['a', 'b', 'c'].map((text) => hashText(sha256(utf8(text))));
const UUIDS = [
  '00000000-0000-4000-8000-000000000000',
  '123e4567-e89b-12d3-a456-426614174000',
  'ffffffff-ffff-4fff-bfff-ffffffffffff',
];

/** Fields of built-in params that an enforcer looks at, with texts that mostly pass it. */
const NAMED_TEXTS: Readonly<Record<string, readonly string[]>> = {
  url: ['https://ok.example/a', 'https://ok.example/', 'http://other.example:8080/b', 'no url'],
  method: ['GET', 'POST'],
  provider: ['ok', 'a', 'b'],
  server: ['ok', 'a', 'x'],
  dest_world: ['ok', 'a', 'x'],
};

/** A text that suits a field of this name; undefined where any will do. */
export function namedText(choice: Choices, name: string, type: Type): string | undefined {
  const texts = type.kind === 'text' && Object.hasOwn(NAMED_TEXTS, name) ? NAMED_TEXTS[name] : undefined;
  return texts === undefined || choice.chance(20) ? undefined : choice.pick(texts);
}

export interface ValueOptions {
  /** Names and versions that a `sys/SecretRef@1` may have. */
  readonly secrets?: readonly { readonly alias: string; readonly version: number }[] | undefined;
}

/** A canonical value of a type. */
export function makeValue(choice: Choices, type: Type, scope: TypeScope, options: ValueOptions = {}): Value {
  return valueOf(choice, type, scope, options, 3);
}

function valueOf(choice: Choices, type: Type, scope: TypeScope, options: ValueOptions, depth: number): Value {
  if (type.kind === 'ref' && type.name === 'sys/SecretRef@1') return secretOf(choice, options);
  const target = resolveType(type, scope);
  const inner = (part: Type): Value => valueOf(choice, part, scope, options, depth - 1);
  const count = (): number => (depth <= 0 ? 0 : choice.count(0, 3));
  switch (target.kind) {
    case 'option':
      return choice.chance(70) ? valueOf(choice, target.item, scope, options, depth) : NULL;
    case 'list':
      return { kind: 'list', items: Array.from({ length: count() }, () => inner(target.item)) };
    case 'set':
      return { kind: 'set', items: canonicalSet(Array.from({ length: count() }, () => inner(target.item))) };
    case 'map': {
      const entries = new Map<string, readonly [Value, Value]>();
      for (let i = count(); i > 0; i--) {
        const key = inner(target.key);
        entries.set(String((key as { readonly value: unknown }).value), [key, inner(target.value)]);
      }
      return { kind: 'map', entries: canonicalMap([...entries.values()], () => {}) };
    }
    case 'record':
      return {
        kind: 'record',
        fields: new Map(
          orderedMembers(target.fields).map(([name, field]): [string, Value] => {
            const suited = namedText(choice, name, field);
            return [name, suited === undefined ? inner(field) : { kind: 'text', value: suited }];
          }),
        ),
      };
    case 'variant': {
      const [tag, arm] = choice.pick(usableArms(target, options));
      const value = inner(arm);
      return value.kind === 'null' && resolveType(arm, scope).kind === 'option'
        ? { kind: 'variant', tag, value, none: true }
        : { kind: 'variant', tag, value };
    }
    case 'ref':
      throw new Error(`ref ${target.name} resolved to a ref`);
    default:
      return scalarOf(choice, target.kind);
  }
}

/** The arms that a value may have: without a declared secret none that refers to one (V-615). */
export function usableArms(
  type: Extract<Type, { kind: 'variant' }>,
  options: ValueOptions,
): readonly (readonly [string, Type])[] {
  return [...type.arms].filter(
    ([, arm]) => (options.secrets?.length ?? 0) > 0 || arm.kind !== 'ref' || arm.name !== 'sys/SecretRef@1',
  );
}

function secretOf(choice: Choices, options: ValueOptions): Value {
  const { alias, version } = choice.pick(options.secrets ?? []) ?? { alias: 'none', version: 1 };
  return {
    kind: 'record',
    fields: new Map<string, Value>([
      ['alias', { kind: 'text', value: alias }],
      ['version', { kind: 'nat', value: BigInt(version) }],
    ]),
  };
}

export function scalarOf(choice: Choices, kind: ScalarKind): Value {
  switch (kind) {
    case 'bool':
      return { kind, value: choice.chance(50) };
    case 'int':
    case 'duration':
      return { kind, value: choice.chance(30) ? choice.pick(INTEGERS) : BigInt(choice.below(4)) };
    case 'nat':
    case 'time':
      return { kind, value: choice.chance(30) ? choice.pick(NATURALS) : BigInt(choice.below(4)) };
    case 'dec128':
      return { kind, value: choice.pick(DECIMALS) };
    case 'bytes':
      return { kind, value: Uint8Array.from({ length: choice.below(4) }, () => choice.below(256)) };
    case 'text':
      return { kind, value: choice.pick(TEXTS) };
    case 'hash':
      return { kind, value: choice.pick(HASHES) };
    case 'uuid':
      return { kind, value: choice.pick(UUIDS) };
    case 'unit':
      return NULL;
    default:
      return kind satisfies never;
  }
}

/** One of the spellings of a value at a typed place: sugar, canonical literal, constant tree, or a mixture of them. */
export function spell(choice: Choices, value: Value, type: Type, scope: TypeScope): Json {
  return choice.weighted<() => Json>([
    [4, () => sugar(choice, value, resolveType(type, scope), scope)],
    [1, () => literalToJson(value)],
    [1, () => literalToTree(value)],
  ])();
}

function sugar(choice: Choices, value: Value, type: Type, scope: TypeScope): Json {
  const part = (inner: Value, innerType: Type): Json => spell(choice, inner, innerType, scope);
  if (type.kind === 'option' && value.kind !== 'null')
    return sugar(choice, value, resolveType(type.item, scope), scope);
  switch (value.kind) {
    case 'null':
      return null;
    case 'int':
    case 'nat':
    case 'time':
    case 'duration':
      return choice.chance(20) ? value.value.toString() : jsonInteger(value.value);
    case 'bytes':
      return toBase64(value.value);
    case 'list':
    case 'set':
      return value.items.map((item) => part(item, (type as Type & { kind: 'list' }).item));
    case 'map': {
      const { key, value: item } = type as Type & { kind: 'map' };
      if (resolveType(key, scope).kind === 'text' && !value.entries.some(([k]) => isLensWord(textOf(k)))) {
        return objectOf(value.entries.map(([k, v]) => [textOf(k), part(v, item)]));
      }
      return value.entries.map(([k, v]) => [part(k, key), part(v, item)]);
    }
    case 'record': {
      const { fields } = type as Type & { kind: 'record' };
      if ([...fields.keys()].some(isLensWord)) return literalToJson(value);
      const given = [...value.fields].filter(([, field]) => field.kind !== 'null' || !choice.chance(50));
      const kept = new Set(given.map(([name]) => name));
      return objectOf(
        [...value.fields].flatMap(([name, field]) => {
          const fieldType = fields.get(name) as Type;
          const absent = !kept.has(name) && resolveType(fieldType, scope).kind === 'option';
          return absent ? [] : [[name, part(field, fieldType)] as const];
        }),
      );
    }
    case 'variant': {
      const arm = (type as Type & { kind: 'variant' }).arms.get(value.tag) as Type;
      if (isLensWord(value.tag) || choice.chance(20)) {
        return objectOf([
          ['$tag', value.tag],
          ['$value', part(value.value, arm)],
        ]);
      }
      return objectOf([[value.tag, part(value.value, arm)]]);
    }
    case 'receipt':
    case 'handle':
      throw new Error(`a ${value.kind} has no spelling`);
    default:
      return value.value;
  }
}

export function textOf(value: Value): string {
  return (value as { readonly value: string }).value;
}

/** An object without prototype, so that no name is special. */
export function objectOf(members: readonly (readonly [string, Json])[]): Json {
  const object = emptyObject();
  for (const [name, json] of members) object[name] = json;
  return object;
}
