import { JsonFloat, type Type, type TypeScope, tryResolveType } from '@worldline/air';
import { pointer } from '@worldline/canon';
import { type Authored, copy, keys, type MutantWorld, type MutationClass, type Place, put } from './mutant.ts';
import {
  isExpression,
  looksTagged,
  type SlotPart,
  type SlotPlace,
  scopeOf,
  slotsOf,
  sugarParts,
} from './mutant-view.ts';

/** Values in slots that do not fit: V-514, V-517, V-702, V-708 with the codes of `values.md` §9. */

const CODES: Readonly<Record<string, readonly [code: string, rule: string]>> = {
  params: ['plan.literal_invalid', 'V-514'],
  idempotency_key: ['plan.literal_invalid', 'V-514'],
  value: ['plan.literal_invalid', 'V-517'],
  expr: ['plan.literal_invalid', 'V-515'],
  result: ['plan.literal_invalid', 'V-516'],
  input: ['plan.literal_invalid', 'V-702'],
  inputs: ['plan.literal_invalid', 'V-702'],
  input_expr: ['trigger.literal_invalid', 'V-708'],
};

interface Fault {
  /** What stands at the part instead. */
  readonly value: Authored;
  readonly cause: string;
  /** Below the part. */
  readonly found?: readonly (string | number)[];
}

/** A class of faults of parts that are written in sugar, of the types that `find` knows. */
function slotClass(
  name: string,
  find: (type: Type, json: Authored, scope: TypeScope, optional: boolean) => readonly Fault[],
): MutationClass {
  return {
    name,
    places: (world) => {
      const scope = scopeOf(world);
      return slotsOf(world).flatMap((slot) =>
        sugarParts(slot, scope).flatMap((part) => {
          const type = tryResolveType(part.type, scope);
          if (type === undefined || looksTagged(part.json)) return [];
          return find(type, part.json, scope, part.optional).map((fault) => placeOf(world, slot, part, fault));
        }),
      );
    },
  };
}

function placeOf(world: MutantWorld, slot: SlotPlace, part: SlotPart, { value, cause, found = [] }: Fault): Place {
  const [code, rule] = CODES[slot.name] as readonly [string, string];
  return {
    at: `${world.nodes[slot.node].name ?? 'manifest'} ${pointer(part.path)} (${cause})`,
    node: slot.node,
    change: (draft) => {
      put(draft.nodes[slot.node], part.path, copy(value));
      return [{ code, rule, node: slot.node, path: [...part.path, ...found], cause }];
    },
  };
}

const INTEGERS: Readonly<Record<string, readonly [low: string, high: string]>> = {
  int: ['-9223372036854775809', '9223372036854775808'],
  nat: ['-1', '18446744073709551616'],
  time: ['-1', '18446744073709551616'],
  duration: ['-9223372036854775809', '9223372036854775808'],
};

/** JSON of a kind that the sugar of a type never has. */
function wrongKind(type: Type): Authored {
  switch (type.kind) {
    case 'text':
    case 'hash':
    case 'uuid':
    case 'dec128':
    case 'bytes':
      return 7;
    case 'list':
    case 'set':
      return true;
    case 'unit':
    case 'map':
      return 1;
    default:
      return [[[]]];
  }
}

/** Texts that a scalar does not take. */
const BAD_TEXTS: Readonly<Record<string, readonly [cause: string, ...texts: string[]]>> = {
  int: ['value.bad_number', 'x', '1.0', '0x1', ' 1', ''],
  nat: ['value.bad_number', 'x', '1e3', '1_000'],
  duration: ['value.bad_number', 'PT1S', '1s'],
  time: ['value.bad_time', 'yesterday', '2024-01-01', '2024-13-01T00:00:00Z', '2024-01-01T00:00:00.1234567890Z'],
  dec128: ['value.bad_dec128', 'x', '1.', '--1', 'NaN'],
  bytes: ['value.bad_base64', 'x', 'AAE', 'AAE_', 'AA==='],
  hash: ['value.bad_hash', 'x', `sha256:${'AB'.repeat(32)}`, 'sha256:'],
  uuid: ['value.bad_uuid', 'x', '123e4567e89b12d3a456426614174000', '{123e4567-e89b-12d3-a456-426614174000}'],
};

export const SLOT_CLASSES: readonly MutationClass[] = [
  slotClass('a value of the wrong kind in a slot', (type) =>
    type.kind === 'option' ? [] : [{ value: wrongKind(type), cause: 'value.type_mismatch' }],
  ),
  slotClass('null where nothing is optional', (type, _json, _scope, optional) =>
    // Null is the one value of unit and the none of an option.
    type.kind === 'unit' || type.kind === 'option' || optional ? [] : [{ value: null, cause: 'value.type_mismatch' }],
  ),
  slotClass('a record without a field', (type, json, scope) =>
    type.kind !== 'record' || isExpression(json)
      ? []
      : keys(json).flatMap((name) => {
          const field = type.fields.get(name);
          if (field === undefined || tryResolveType(field, scope)?.kind === 'option') return [];
          const rest = copy(json);
          delete rest[name];
          // What is left may be sugar no more: a record of one field may look like a tagged value.
          return looksTagged(rest) || isExpression(rest)
            ? []
            : [{ value: rest, cause: 'value.missing_field', found: [name] }];
        }),
  ),
  slotClass('a record with a field too many', (type, json) =>
    type.kind !== 'record' || isExpression(json)
      ? []
      : [{ value: { ...copy(json), zz_other: 1 }, cause: 'value.unknown_field', found: ['zz_other'] }],
  ),
  slotClass('a number that is none', (type) =>
    type.kind in INTEGERS
      ? ['1.5', '1e3', '1.0'].map((text) => ({ value: new JsonFloat(text), cause: 'value.bad_number' }))
      : [],
  ),
  slotClass('a number out of its range', (type) =>
    (INTEGERS[type.kind] ?? []).flatMap((digits) => [
      // As an integer token: a string of digits is another spelling of it.
      { value: new JsonFloat(digits), cause: 'value.out_of_range' },
      ...(type.kind === 'time' ? [] : [{ value: digits, cause: 'value.out_of_range' }]),
    ]),
  ),
  ...Object.keys(BAD_TEXTS).map((kind) =>
    slotClass(`a text that is no ${kind}`, (type) => {
      if (type.kind !== kind) return [];
      const [cause, ...texts] = BAD_TEXTS[kind] as readonly [string, ...string[]];
      return texts.map((value) => ({ value, cause }));
    }),
  ),
  slotClass('a variant with an unknown tag', (type, json) =>
    type.kind !== 'variant' || isExpression(json)
      ? []
      : [
          { value: { ZzOther: null }, cause: 'value.unknown_tag' },
          { value: { $tag: 'ZzOther' }, cause: 'value.unknown_tag' },
        ],
  ),
  slotClass('a variant written as a bare word', (type) =>
    type.kind === 'variant'
      ? [...type.arms.keys()].slice(0, 1).map((value) => ({ value, cause: 'value.type_mismatch' }))
      : [],
  ),
  slotClass('a payload missing or too many', (type, json, scope) =>
    type.kind !== 'variant' || isExpression(json)
      ? []
      : [...type.arms].flatMap(([tag, arm]): Fault[] => {
          const kind = tryResolveType(arm, scope)?.kind;
          if (kind === 'unit')
            return [{ value: { $tag: tag, $value: 7 }, cause: 'value.unexpected_payload', found: ['$value'] }];
          return kind === 'option' ? [] : [{ value: { $tag: tag }, cause: 'value.missing_payload', found: ['$value'] }];
        }),
  ),
  slotClass('a map of bad pairs', (type, json) => {
    if (type.kind !== 'map' || isExpression(json)) return [];
    return [
      { value: [[1]], cause: 'value.bad_pair', found: [0] },
      { value: [[]], cause: 'value.bad_pair', found: [0] },
    ];
  }),
  slotClass('an object for a map whose keys are no texts', (type) =>
    type.kind === 'map' && type.key.kind !== 'text' ? [{ value: { a: 1 }, cause: 'value.type_mismatch' }] : [],
  ),
  slotClass('a map with one key twice', (type) =>
    type.kind === 'map' && type.key.kind === 'text' && type.value.kind === 'text'
      ? [
          {
            value: [
              ['a', 'x'],
              ['b', 'y'],
              ['a', 'z'],
            ],
            cause: 'value.duplicate_key',
          },
        ]
      : [],
  ),
];
