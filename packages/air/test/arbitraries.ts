import { compareCanonicalKeys, toBase64 } from '@worldline/canon';
import fc from 'fast-check';
import {
  canonicalMap,
  canonicalSet,
  emptyObject,
  type Json,
  JsonFloat,
  jsonInteger,
  literalToJson,
  literalToTree,
  NULL,
  orderedMembers,
  resolveType,
  type ScalarKind,
  scalarType,
  type Type,
  type TypeScope,
  type Value,
} from '../src/index.ts';

/** Random types, values of them, JSON and expressions, for properties of this package and of those above it. */

export interface TypedValue {
  readonly type: Type;
  readonly scope: TypeScope;
  readonly value: Value;
}

/** Names that provoke: prototype members, tags of the lenses, sugar of variants, digits, other scripts. */
const NAMES = [
  'a',
  'b',
  'id',
  'tag',
  'value',
  'text',
  'int',
  'null',
  'record',
  'list',
  'map',
  'variant',
  'ref',
  'op',
  'args',
  '__proto__',
  'constructor',
  'toString',
  '10',
  '9',
  'é',
  '😀',
  'with space',
  'a/b~c',
];

export function nameArb(): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...NAMES) },
    {
      weight: 1,
      arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }).filter((name) => name[0] !== '$'),
    },
  );
}

export function textArb(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.constantFrom('', 'a', 'Z', '@plan.input', '5', '-1', '\uFFFD', '😀', '$tag'),
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.string({ unit: 'grapheme', maxLength: 40 }),
  );
}

const KEY_KINDS = ['int', 'nat', 'text', 'uuid', 'hash'] as const;
const ELEMENT_KINDS = ['bool', 'int', 'nat', 'dec128', 'bytes', 'text', 'time', 'duration', 'hash', 'uuid'] as const;
const SCALAR_KINDS: readonly ScalarKind[] = [...ELEMENT_KINDS, 'unit'];

/**
 * A type without refs, `depth` composites deep at most.
 *
 * @param names - Names of fields and arms.
 */
export function typeArb(depth = 3, names: fc.Arbitrary<string> = nameArb()): fc.Arbitrary<Type> {
  const scalar = fc.constantFrom(...SCALAR_KINDS).map(scalarType);
  if (depth === 0) return scalar;
  const inner = typeArb(depth - 1, names);
  const members = (minLength: number): fc.Arbitrary<ReadonlyMap<string, Type>> =>
    fc
      .uniqueArray(fc.tuple(names, inner), { selector: ([name]) => name, minLength, maxLength: 4 })
      .map((list) => new Map(list.sort(([a], [b]) => compareCanonicalKeys(a, b))));
  return fc.oneof(
    { weight: 3, arbitrary: scalar },
    { weight: 3, arbitrary: members(0).map((fields): Type => ({ kind: 'record', fields })) },
    { weight: 2, arbitrary: members(1).map((arms): Type => ({ kind: 'variant', arms })) },
    { weight: 1, arbitrary: inner.map((item): Type => ({ kind: 'list', item })) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(...ELEMENT_KINDS).map((kind): Type => ({ kind: 'set', item: scalarType(kind) })),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.constantFrom(...KEY_KINDS), inner)
        .map(([key, value]): Type => ({ kind: 'map', key: scalarType(key), value })),
    },
    {
      weight: 2,
      arbitrary: inner
        .filter((item) => item.kind !== 'option' && item.kind !== 'unit')
        .map((item): Type => ({ kind: 'option', item })),
    },
  );
}

/** A type, possibly behind refs, with the scope that resolves them, and a value of it. */
export function typedValueArb(depth = 3, names: fc.Arbitrary<string> = nameArb()): fc.Arbitrary<TypedValue> {
  return fc.tuple(typeArb(depth, names), fc.boolean()).chain(([inner, named]) => {
    const scope: TypeScope = { lookup: (name) => (name === 'test/Inner@1' ? inner : undefined) };
    const type: Type = named ? { kind: 'ref', name: 'test/Inner@1' } : inner;
    return valueArb(type, scope).map((value) => ({ type, scope, value }));
  });
}

/** A canonical value of a type. */
export function valueArb(type: Type, scope: TypeScope): fc.Arbitrary<Value> {
  const target = resolveType(type, scope);
  switch (target.kind) {
    case 'bool':
      return fc.boolean().map((value): Value => ({ kind: 'bool', value }));
    case 'int':
    case 'duration':
      return integerArb(-(2n ** 63n), 2n ** 63n - 1n).map((value): Value => ({ kind: target.kind as 'int', value }));
    case 'nat':
    case 'time':
      return integerArb(0n, 2n ** 64n - 1n).map((value): Value => ({ kind: target.kind as 'nat', value }));
    case 'dec128':
      return dec128Arb().map((value): Value => ({ kind: 'dec128', value }));
    case 'bytes':
      return fc.uint8Array({ maxLength: 12 }).map((value): Value => ({ kind: 'bytes', value: Uint8Array.from(value) }));
    case 'text':
      return textArb().map((value): Value => ({ kind: 'text', value }));
    case 'hash':
      return hexArb(64).map((hex): Value => ({ kind: 'hash', value: `sha256:${hex}` }));
    case 'uuid':
      return hexArb(32).map(
        (hex): Value => ({ kind: 'uuid', value: hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-') }),
      );
    case 'unit':
      return fc.constant(NULL);
    case 'option':
      return fc.oneof(
        { weight: 1, arbitrary: fc.constant(NULL) },
        { weight: 3, arbitrary: valueArb(target.item, scope) },
      );
    case 'list':
      return fc.array(valueArb(target.item, scope), { maxLength: 4 }).map((items): Value => ({ kind: 'list', items }));
    case 'set':
      return fc
        .array(valueArb(target.item, scope), { maxLength: 5 })
        .map((items): Value => ({ kind: 'set', items: canonicalSet(items) }));
    case 'map':
      return fc
        .array(fc.tuple(valueArb(target.key, scope), valueArb(target.value, scope)), { maxLength: 4 })
        .map((entries): Value => ({ kind: 'map', entries: canonicalMap(entries, () => {}) }));
    case 'record': {
      const members = orderedMembers(target.fields);
      return fc.tuple(...members.map(([, field]) => valueArb(field, scope))).map(
        (values): Value => ({
          kind: 'record',
          fields: new Map(members.map(([name], index) => [name, values[index] as Value])),
        }),
      );
    }
    case 'variant':
      return fc.constantFrom(...target.arms).chain(([tag, arm]) => {
        const optional = resolveType(arm, scope).kind === 'option';
        return valueArb(arm, scope).map(
          (value): Value =>
            value.kind === 'null' && optional
              ? { kind: 'variant', tag, value, none: true }
              : { kind: 'variant', tag, value },
        );
      });
    default:
      throw new Error(`no values of ${target.kind}`);
  }
}

/** Names that no lens and no expression uses: sugar made of them reads as sugar only. */
export function plainNameArb(): fc.Arbitrary<string> {
  return fc.constantFrom('a', 'b', 'cc', 'id', 'Go', 'url', '__proto__', 'é', '10');
}

/**
 * One of the many JSON spellings of a value: sugar and tagged literals mixed, members, set elements and pairs shuffled,
 * integers as strings, option fields left out.
 *
 * @param expression - When given, parts of the value may be replaced by what it generates.
 */
export function spellingArb(typed: TypedValue, expression?: fc.Arbitrary<Json>): fc.Arbitrary<Json> {
  const { scope, value } = typed;
  const type = resolveType(typed.type, scope);
  const sugar = sugarArb(value, type, scope, expression);
  const spellings = [
    { weight: 6, arbitrary: sugar },
    { weight: 1, arbitrary: fc.constant(literalToJson(value)) },
    { weight: 1, arbitrary: fc.constant(literalToTree(value)) },
  ];
  return fc.oneof(...spellings, ...(expression === undefined ? [] : [{ weight: 2, arbitrary: expression }]));
}

function sugarArb(
  value: Value,
  type: Type,
  scope: TypeScope,
  expression: fc.Arbitrary<Json> | undefined,
): fc.Arbitrary<Json> {
  const part = (inner: Value, innerType: Type): fc.Arbitrary<Json> =>
    spellingArb({ value: inner, type: innerType, scope }, expression);
  if (type.kind === 'option' && value.kind !== 'null')
    return sugarArb(value, resolveType(type.item, scope), scope, expression);
  switch (value.kind) {
    case 'null':
      return type.kind === 'unit' ? fc.constantFrom<Json>(null, {}) : fc.constant(null);
    case 'int':
    case 'nat':
    case 'time':
    case 'duration':
      return fc.constantFrom<Json>(jsonInteger(value.value), value.value.toString());
    case 'bytes':
      return fc.constant(toBase64(value.value));
    case 'uuid':
      return fc.constantFrom(value.value, value.value.toUpperCase());
    case 'list':
    case 'set': {
      const items = fc.tuple(...value.items.map((item) => part(item, (type as Type & { kind: 'list' }).item)));
      return value.kind === 'list'
        ? items
        : items.chain((list) => fc.shuffledSubarray(list, { minLength: list.length }));
    }
    case 'map': {
      const { key: keyType, value: valueType } = type as Type & { kind: 'map' };
      const pairs = fc
        .tuple(...value.entries.map(([key, item]) => fc.tuple(part(key, keyType), part(item, valueType))))
        .chain((list) => fc.shuffledSubarray(list, { minLength: list.length }));
      if (resolveType(keyType, scope).kind !== 'text') return pairs;
      const object = fc
        .tuple(...value.entries.map(([, item]) => part(item, valueType)))
        .map((items) =>
          objectOf(value.entries.map(([key], index) => [(key as { value: string }).value, items[index] as Json])),
        )
        .filter((json) => !looksLikeAForm(json));
      return fc.oneof(
        pairs,
        value.entries.some(([key]) => LENS_WORDS.has((key as { value: string }).value)) ? pairs : object,
      );
    }
    case 'record': {
      const { fields } = type as Type & { kind: 'record' };
      const given = [...value.fields].filter(([, field]) => field.kind !== 'null');
      const absent = [...value.fields].filter(([, field]) => field.kind === 'null');
      return fc
        .tuple(
          fc.tuple(
            ...[...given, ...absent].map(([name, field]) =>
              part(field, fields.get(name) as Type).map((json) => [name, json] as const),
            ),
          ),
          fc.infiniteStream(fc.boolean()),
        )
        .chain(([members, leaveOut]) => {
          const kept = members.filter(
            ([name], index) =>
              index < given.length ||
              resolveType(fields.get(name) as Type, scope).kind !== 'option' ||
              !leaveOut.next().value,
          );
          return fc.shuffledSubarray(kept, { minLength: kept.length }).map(objectOf);
        });
    }
    case 'variant': {
      const arm = (type as Type & { kind: 'variant' }).arms.get(value.tag) as Type;
      const payload = part(value.value, arm);
      const envelope = payload.map((json) =>
        objectOf([
          ['$tag', value.tag],
          ['$value', json],
        ]),
      );
      const bare = value.value.kind === 'null' ? [fc.constant(objectOf([['$tag', value.tag]]))] : [];
      return fc.oneof(
        payload.map((json) => objectOf([[value.tag, json]])),
        envelope,
        ...bare,
      );
    }
    default:
      return fc.constant((value as { readonly value: string | boolean }).value);
  }
}

const LENS_WORDS: ReadonlySet<string> = new Set(['ref', 'op', 'args', 'tag', 'value', '$comment', '$tag', '$value']);

function looksLikeAForm(json: Json): boolean {
  return Object.keys(json as object).some((key) => LENS_WORDS.has(key));
}

function objectOf(members: readonly (readonly [string, Json])[]): Json {
  const object = emptyObject();
  for (const [name, json] of members) object[name] = json;
  return object;
}

/** Expressions that are well formed, in JSON. */
export function exprArb(): fc.Arbitrary<Json> {
  const leaf: fc.Arbitrary<Json> = fc.constantFrom<Json>(
    { ref: '@plan.input' },
    { ref: '@plan.input.a.b' },
    { ref: '@var:x' },
    { ref: '@var:a.b.c.$status' },
    { ref: '@step:s.id' },
    { op: 'len', args: [{ ref: '@var:x' }] },
  );
  const constant = fc.constantFrom<Json>(
    { int: 5 },
    { text: 'hi' },
    { null: {} },
    { uuid: '123E4567-e89b-12d3-a456-426614174000' },
  );
  return fc.letrec<{ expr: Json; any: Json }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 3 },
      leaf,
      constant,
      tie('expr'),
      fc.record({ a: tie('any'), bb: tie('any') }, { noNullPrototype: false }).map((record): Json => ({ record })),
    ),
    expr: fc.oneof(
      { maxDepth: 3 },
      leaf,
      fc
        .tuple(fc.constantFrom('eq', 'and', 'get', 'add'), tie('any'), tie('any'))
        .map(([op, a, b]): Json => ({ op, args: [a, b] })),
      fc.tuple(leaf, tie('any')).map(([a, b]): Json => ({ list: [a, b] })),
      fc.tuple(tie('any'), leaf).map(([key, value]): Json => ({ map: [{ key, value }] })),
      leaf.map((value): Json => ({ variant: { tag: 'Go', value } })),
    ),
  })).expr;
}

/** Any JSON within depth and size: much of it looks like tagged forms, envelopes and expressions. */
export function jsonArb(): fc.Arbitrary<Json> {
  const keys = fc.oneof(
    nameArb(),
    fc.constantFrom('$tag', '$value', '$comment', 'key', 'set', 'bytes_b64', 'time_ns', 'hash', 'uuid'),
  );
  return fc.letrec<{ json: Json }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      fc.oneof(
        fc.constantFrom<Json>(
          null,
          true,
          0,
          -1,
          5,
          2n ** 63n,
          10n ** 30n,
          new JsonFloat('1.5'),
          'and',
          '@plan.input.x',
          '@var:',
          'Idle',
        ),
        textArb(),
      ),
      fc.array(tie('json'), { maxLength: 3 }),
      fc.dictionary(keys, tie('json'), { maxKeys: 3, noNullPrototype: false }),
      fc.tuple(keys, tie('json')).map(([key, body]) => Object.assign(Object.create(null), { [key]: body }) as Json),
      fc.array(tie('json'), { maxLength: 3 }).map((args): Json => ({ op: 'and', args })),
    ),
  })).json;
}

function integerArb(min: bigint, max: bigint): fc.Arbitrary<bigint> {
  const edges = [min, min + 1n, -1n, 0n, 1n, 2n ** 53n - 1n, 2n ** 53n, max].filter((n) => n >= min && n <= max);
  return fc.oneof(
    fc.constantFrom(...edges),
    fc.bigInt({ min, max }),
    fc.bigInt({ min: min < 0n ? -300n : 0n, max: 300n }),
  );
}

function dec128Arb(): fc.Arbitrary<string> {
  return fc
    .tuple(
      fc.constantFrom('', '+', '-'),
      fc.nat(),
      fc.option(fc.nat()),
      fc.option(fc.integer({ min: -6000, max: 6000 })),
    )
    .map(
      ([sign, whole, fraction, exponent]) =>
        `${sign}${whole}${fraction === null ? '' : `.${fraction}`}${exponent === null ? '' : `e${exponent}`}`,
    );
}

function hexArb(length: number): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
}
