import { type Authored, add, INT, NAT, plan, record, schema, TEXT, type WorldFixture } from '../fixtures.ts';
import { P } from './plans.ts';
import type { RuleCase } from './rule-case.ts';

/** The codes of `values.md` §9, read through a slot of a plan and through a grant of a folder. */

interface ValueCase {
  readonly code: string;
  readonly why: string;
  readonly type: Authored;
  readonly wrong: Authored;
  /** From the root of the value as written. */
  readonly path?: string;
  readonly right: Authored;
  readonly expected?: string;
  readonly got?: string;
}

const CASES: readonly ValueCase[] = [
  {
    code: 'value.type_mismatch',
    why: 'a number for a text',
    type: record({ a: TEXT }),
    wrong: { a: 7 },
    path: '/a',
    right: { a: '7' },
    expected: 'text',
    got: 'int',
  },
  {
    code: 'value.type_mismatch',
    why: 'another tag',
    type: INT,
    wrong: { nat: 1 },
    right: { int: 1 },
    expected: 'int',
    got: 'nat',
  },
  {
    code: 'value.type_mismatch',
    why: 'a bare text for a variant',
    type: { variant: { Idle: { unit: {} } } },
    wrong: 'Idle',
    right: { Idle: null },
    expected: 'variant',
    got: 'text',
  },
  {
    code: 'value.missing_field',
    why: 'a field that is no option',
    type: record({ a: NAT, b: { option: NAT } }),
    wrong: {},
    path: '/a',
    right: { a: 1 },
    expected: 'nat',
  },
  {
    code: 'value.unknown_field',
    why: 'a field that the record has not',
    type: record({ a: NAT }),
    wrong: { a: 1, b: 2 },
    path: '/b',
    right: { a: 1 },
  },
  {
    code: 'value.unknown_tag',
    why: 'an arm that the variant has not',
    type: { variant: { Go: NAT } },
    wrong: { $tag: 'Stop', $value: 1 },
    right: { $tag: 'Go', $value: 1 },
    expected: 'Go',
  },
  {
    code: 'value.missing_payload',
    why: 'an arm with data and without payload',
    type: { variant: { Go: NAT } },
    wrong: { $tag: 'Go' },
    path: '/$value',
    right: { Go: 1 },
    expected: 'nat',
  },
  {
    code: 'value.unexpected_payload',
    why: 'an arm without data and with payload',
    type: { variant: { Idle: { unit: {} } } },
    wrong: { $tag: 'Idle', $value: 1 },
    path: '/$value',
    right: { $tag: 'Idle' },
    expected: 'unit',
    got: 'int',
  },
  {
    code: 'value.bad_pair',
    why: 'a pair of one',
    type: { map: { key: INT, value: TEXT } },
    wrong: [[1]],
    path: '/0',
    right: [[1, 'a']],
  },
  {
    code: 'value.bad_map_key',
    why: 'a key of another type',
    type: { map: { key: { uuid: {} }, value: TEXT } },
    wrong: [[1, 'a']],
    path: '/0/0',
    right: [['123e4567-e89b-12d3-a456-426614174000', 'a']],
    expected: 'uuid',
    got: 'int',
  },
  {
    code: 'value.duplicate_key',
    why: 'one key with two values',
    type: { map: { key: INT, value: TEXT } },
    wrong: [
      [1, 'a'],
      [1, 'b'],
    ],
    right: [
      [1, 'a'],
      [1, 'a'],
    ],
  },
  { code: 'value.out_of_range', why: 'a negative nat', type: NAT, wrong: -1, right: 0, expected: 'nat' },
  {
    code: 'value.bad_number',
    why: 'a text that is no integer',
    type: NAT,
    wrong: 'many',
    right: '12',
    expected: 'nat',
  },
  {
    code: 'value.bad_dec128',
    why: 'a text that is no decimal',
    type: { dec128: {} },
    wrong: '1,5',
    right: '1.5',
    expected: 'dec128',
  },
  {
    code: 'value.bad_base64',
    why: 'a text that is no base64',
    type: { bytes: {} },
    wrong: 'A?',
    right: 'AAEC',
    expected: 'bytes',
  },
  {
    code: 'value.bad_hash',
    why: 'a short hash',
    type: { hash: {} },
    wrong: 'sha256:00',
    right: `sha256:${'0'.repeat(64)}`,
    expected: 'hash',
  },
  {
    code: 'value.bad_uuid',
    why: 'a text that is no uuid',
    type: { uuid: {} },
    wrong: '123e4567',
    right: '123E4567-e89b-12d3-a456-426614174000',
    expected: 'uuid',
  },
  {
    code: 'value.bad_time',
    why: 'a date without time',
    type: { time: {} },
    wrong: '2023-11-14',
    right: '2023-11-14T22:13:20Z',
    expected: 'time',
  },
];

const inSlot = (type: Authored, value: Authored) => (world: WorldFixture) => {
  add(
    world,
    schema('demo/V@1', record({ v: type })),
    plan(P, { steps: [{ id: 'r', op: 'raise_event', event: 'demo/V@1', value: { v: value } }] }),
  );
};
const inGrant = (type: Authored, value: Authored) => (world: WorldFixture) => {
  add(world, { $kind: 'defcap', name: 'demo/c@1', cap_type: 'x', schema: record({ v: type }) });
  world.manifest.defaults.cap_grants.push({ name: 'g', cap: 'demo/c@1', params: { v: value } });
};

const told = ({ expected, got }: ValueCase) => ({
  ...(expected === undefined ? {} : { expected }),
  ...(got === undefined ? {} : { got }),
});

export const VALUES: readonly RuleCase[] = CASES.flatMap((each): RuleCase[] => {
  const { code, why, type, wrong, path = '', right } = each;
  return [
    {
      of: `${code} in a slot: ${why}`,
      wrong: inSlot(type, wrong),
      finds: [`V-517 plan.literal_invalid ${P} /steps/0/value/v${path}`],
      fields: { step: 'r', slot: 'raise_event.value', cause: code, schema: 'demo/V@1', ...told(each) },
      right: inSlot(type, right),
    },
    {
      of: `${code} in a grant: ${why}`,
      wrong: inGrant(type, wrong),
      finds: [`V-603 grant.params_invalid manifest /defaults/cap_grants/1/params/v${path}`],
      fields: { grant: 'g', cap: 'demo/c@1', cause: code, ...told(each) },
      right: inGrant(type, right),
    },
  ];
});
