import { describe, expect, test } from 'vitest';
import { loadAuthored } from '../../src/load-authored.ts';
import { line, smallWorld } from '../fixtures.ts';
import { AUTHORITY } from './authority.ts';
import { SUBPLANS, TRIGGERS } from './extensions.ts';
import { LOADING, TYPES, WARNINGS } from './loading.ts';
import { EFFECTS, MODULES, moduleWorld } from './modules.ts';
import { PLANS } from './plans.ts';
import { allFindings, describeRules } from './rule-case.ts';
import { files, STRUCTURE } from './structure.ts';
import { VALUES } from './values.ts';

/**
 * Every V-rule of `definitions.md` §10: the smallest change of a small sound world that triggers it, with rule, code,
 * node, path, position and fields; and the nearest form that loads without a finding.
 */

const CASES = [STRUCTURE, LOADING, TYPES, MODULES, EFFECTS, TRIGGERS, PLANS, AUTHORITY, SUBPLANS].flat();

describeRules('V-1xx: structure (definitions.md §10)', STRUCTURE);
describeRules('V-2xx: loading', LOADING);
describeRules('warnings of loading', WARNINGS);
describeRules('V-3xx: types', TYPES);
describeRules('V-4xx: modules and routing', MODULES, moduleWorld);
describeRules('V-42x: effects', EFFECTS);
describeRules('V-43x, V-707, V-708: triggers', TRIGGERS);
describeRules('V-5xx: plans', PLANS);
describeRules('V-6xx: grants, caps, policies, secrets', AUTHORITY);
describeRules('V-7xx: subplans', SUBPLANS);

describeRules('codes of values.md §9, read in a folder', VALUES);

describe('V-101: a file is one node, an array of nodes, or blank', () => {
  const world = JSON.stringify(smallWorld().nodes);

  test.each([
    ['"text"', 'V-101 json.invalid -', 1, 1],
    ['12', 'V-101 json.invalid -', 1, 1],
    ['[1,', 'V-101 json.invalid - /1', 1, 4],
    ['{\n  "x": tru }', 'V-101 json.invalid - /x', 2, 8],
    ['{"$kind":"defschema","$kind":"x"}', 'V-101 json.duplicate_key - /$kind', 1, 22],
  ])('%j', (text, finding, row, column) => {
    const [found, ...others] = allFindings(files(world, text));
    expect(others).toEqual([]);
    expect([line(found!), found!.file, found!.line, found!.column]).toEqual([finding, 'air/1.json', row, column]);
    expect(found!.hint).toBeDefined();
  });

  test.each(['', ' \n\t', '\ufeff', '[]'])('%j holds no node, and nothing is wrong with it', (text) => {
    expect(allFindings(files(world, text))).toEqual([]);
  });

  test('no files at all are no manifest (V-204)', () => {
    expect(allFindings([]).map(line)).toEqual(['V-204 air.manifest_missing -']);
    expect(loadAuthored([]).ok).toBe(false);
  });
});

describe('values.md §9', () => {
  /** Codes of values that are no JSON, and of files. */
  const ELSEWHERE: Readonly<Record<string, string>> = {
    'value.bad_text': 'texts read from JSON are well formed (§3.1): value-cbor',
    'schema.not_found': 'V-306 and the rules of names, above',
    'cbor.malformed': 'decoding',
    'cbor.trailing': 'decoding',
    'cbor.depth': 'decoding',
    'cbor.unsupported': 'decoding',
    'cbor.duplicate_key': 'decoding',
    'json.invalid': 'V-101, below',
    'json.duplicate_key': 'V-101, below',
    'expr.invalid': 'V-109, above',
  };
  const CODES = [
    ...['type_mismatch', 'missing_field', 'unknown_field', 'unknown_tag', 'missing_payload', 'unexpected_payload'],
    ...[
      'bad_pair',
      'bad_map_key',
      'duplicate_key',
      'out_of_range',
      'bad_number',
      'bad_dec128',
      'bad_base64',
      'bad_hash',
    ],
    ...['bad_uuid', 'bad_time', 'bad_text'],
  ].map((code) => `value.${code}`);

  test.each([...CODES, ...Object.keys(ELSEWHERE).filter((code) => !code.startsWith('value.'))])(
    '%s has a case in a slot and in a grant, or a reason to have none',
    (code) => {
      const cases = VALUES.filter(({ of }) => of.startsWith(`${code} `));
      expect(cases.length >= 2).toBe(!Object.hasOwn(ELSEWHERE, code));
    },
  );
});

describe('the chapter', () => {
  const RULES = [
    [101, 109],
    [201, 211],
    [301, 307],
    [401, 414],
    [420, 421],
    [430, 433],
    [501, 523],
    [601, 608],
    [611, 618],
    [701, 708],
  ].flatMap(([first, last]) => Array.from({ length: last! - first! + 1 }, (_, i) => `V-${first! + i}`));

  /** Rules without a case here, and why. */
  const ELSEWHERE: Readonly<Record<string, string>> = {
    'V-101': 'about files, above',
    'V-207': 'authored references take the published hash (§8.4): load-stored.test.ts',
    'V-208': 'needs a stored manifest: load-stored.test.ts',
    'V-209': 'needs a store: load-stored.test.ts',
    'V-210': 'authored references are found by kind and name: load-stored.test.ts',
    'V-520': 'the lists equal those of the steps (V-506, V-507), whose kinds and grants are V-514 and V-519',
  };

  test.each(RULES)('%s has a case, or a reason to have none', (rule) => {
    const cases = CASES.filter(({ of }) => of.startsWith(`${rule} `));
    expect(cases.length > 0).toBe(!Object.hasOwn(ELSEWHERE, rule));
  });
});
