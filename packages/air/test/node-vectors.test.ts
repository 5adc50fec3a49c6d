import { readFileSync } from 'node:fs';
import { hashText, parseHashText, type Result, sha256, toHex, unwrap } from '@worldline/canon';
import { describe, expect, test } from 'vitest';
import { type Json, parseJson, printJson } from '../src/json.ts';
import { loadAuthored } from '../src/load-authored.ts';
import { loadStored } from '../src/load-stored.ts';
import { encodeNode, withoutKind } from '../src/node-json.ts';
import { type Authored, line, manifestOf, schema } from './fixtures.ts';

interface Row {
  readonly id: string;
  readonly node: string;
  readonly hash: string;
}

const file: { readonly rows: readonly Row[] } = JSON.parse(
  readFileSync(new URL('../../../test/vectors/nodes.json', import.meta.url), 'utf8'),
);

function row(id: string): Row {
  const found = file.rows.find((each) => each.id === id);
  if (found === undefined) throw new Error(`no vector ${id}`);
  return found;
}

/** Integers of the vectors go beyond 2^53, so texts are put together instead of values. */
function hashesOf(nodes: readonly string[]): Map<string, string> {
  const loaded = loadAuthored([{ path: 'air/a.json', text: `[${nodes.join(',')}]` }]);
  if (!loaded.ok) throw new Error(loaded.failure.map((each) => `${line(each)}: ${each.message}`).join('\n'));
  return new Map(loaded.value.objects.map(({ hash, bytes }) => [hashText(sha256(bytes)), toHex(hash)]));
}

const POINT = schema('com.acme/Point@1', { record: { x: { int: {} }, y: { int: {} } } });

/** What the vectors refer to. */
const CONTEXT: Authored[] = [
  POINT,
  schema('com.acme/Note@1', { record: { body: { text: {} }, tags: { option: { set: { text: {} } } } } }),
  schema('com.acme/Ev@1', {
    variant: { Go: { ref: 'com.acme/Point@1' }, Stop: { unit: {} }, Opt: { option: { nat: {} } } },
  }),
];

const MANIFEST = manifestOf(CONTEXT, {
  effects: [{ name: 'sys/http.request@1' }],
  defaults: { cap_grants: [{ name: 'net', cap: 'sys/http.out@1', params: {} }] },
});

/** The hash of one authored node among its context. */
function hashOfNode(authored: string, context: readonly Authored[] = CONTEXT): readonly string[] {
  const name = JSON.parse(authored.replace(/("(?:int|nat)":)\s*([0-9]+)/g, '$1"$2"')).name;
  const others = context.filter((each) => each.name !== name);
  return [...hashesOf([...[MANIFEST, ...others].map((each) => JSON.stringify(each)), authored]).keys()];
}

describe('the canonical node of each vector has its hash (values.md §10.2)', () => {
  test.each(file.rows.filter(({ id }) => id !== 'C-21' && id !== 'C-22'))('$id as it stands', ({ node, hash }) => {
    expect(hashOfNode(node)).toContain(hash);
  });

  test.each(file.rows)('$id is canonical: its own bytes have the hash', ({ node, hash }) => {
    const json = parseJson(node);
    expect(json.ok && hashText(sha256(encodeNode(json.value as never)))).toBe(hash);
  });
});

function spellings(id: string, change: (node: Authored) => void): string {
  const node = JSON.parse(row(id).node);
  change(node);
  return JSON.stringify(node);
}

describe('every spelling of a node gives one hash (definitions.md §2, §5)', () => {
  const sugar = { method: 'GET', url: 'https://example.com/', headers: { b: '2', a: '1' }, body_ref: null };
  const { body_ref: _, ...withoutBody } = sugar;
  const tagged = {
    record: {
      url: { text: 'https://example.com/' },
      method: { text: 'GET' },
      headers: {
        map: [
          { key: { text: 'b' }, value: { text: '2' } },
          { key: { text: 'a' }, value: { text: '1' } },
        ],
      },
    },
  };

  test.each<[string, (node: Authored) => void]>([
    ['sugar', (node) => (node.steps[0].params = sugar)],
    ['sugar without body_ref', (node) => (node.steps[0].params = withoutBody)],
    ['tagged without body_ref, map unsorted', (node) => (node.steps[0].params = tagged)],
    [
      'pairs for the map',
      (node) =>
        (node.steps[0].params = {
          ...sugar,
          headers: [
            ['b', '2'],
            ['a', '1'],
          ],
        }),
    ],
    [
      'without derived lists',
      (node) => {
        delete node.required_caps;
        delete node.allowed_effects;
      },
    ],
    [
      'with empty derived lists and other empty members',
      (node) =>
        Object.assign(node, { required_caps: [], allowed_effects: [], locals: {}, invariants: [], output: null }),
    ],
    ['doubled derived lists', (node) => Object.assign(node, { required_caps: ['net', 'net'] })],
    [
      'with comments',
      (node) => {
        node.$comment = 'why';
        node.steps[0].$comment = { a: 1 };
        node.steps[0].bind.$comment = ['x'];
        node.steps[0].params = { ...tagged, $comment: 'here' };
        node.edges[0].$comment = null;
      },
    ],
  ])('C-13 in another spelling: %s', (_name, change) => {
    expect(hashOfNode(spellings('C-13', change))).toContain(row('C-13').hash);
  });

  test.each<[string, Authored]>([
    ['sugar', { Go: { x: 1, y: '-2' } }],
    ['envelope of data', { $tag: 'Go', $value: { x: 1, y: -2 } }],
    ['variant wrapper', { variant: { tag: 'Go', value: { record: { x: { int: 1 }, y: { int: '-2' } } } } }],
  ])('C-14 in another spelling: %s', (_name, value) => {
    expect(hashOfNode(spellings('C-14', (node) => (node.steps[0].value = value)))).toContain(row('C-14').hash);
  });

  test('C-12 from a plan that writes out empty lists', () => {
    const changed = spellings('C-12', (node) =>
      Object.assign(node, { edges: [], required_caps: [], allowed_effects: [], invariants: [], locals: {} }),
    );
    expect(hashOfNode(changed)).toContain(row('C-12').hash);
  });

  test('C-15 with comments inside its type', () => {
    const changed = spellings('C-15', (node) => {
      node.type.record.body.$comment = 'text';
      node.type.record.tags.option.set.$comment = 1;
    });
    expect(hashOfNode(changed)).toContain(row('C-15').hash);
  });

  test('C-16 from a cap that names no enforcer: the default is written out', () => {
    expect(hashOfNode(spellings('C-16', (node) => delete node.enforcer))).toContain(row('C-16').hash);
    expect(hashOfNode(spellings('C-16', (node) => (node.enforcer = null)))).toContain(row('C-16').hash);
  });

  test('C-17 from an effect with a description: it is dropped', () => {
    expect(hashOfNode(spellings('C-17', (node) => (node.description = 'sends mail')))).toContain(row('C-17').hash);
  });

  test('C-18 from a policy whose conditions are all null', () => {
    const changed = spellings('C-18', (node) => (node.rules[0].when = { effect_kind: null, cap_name: null }));
    expect(hashOfNode(changed)).toContain(row('C-18').hash);
  });

  test('C-19 with an empty allowed_caps', () => {
    const changed = spellings('C-19', (node) => Object.assign(node, { allowed_caps: [], expected_digest: null }));
    expect(hashOfNode(changed)).toContain(row('C-19').hash);
  });

  test.each([undefined, null, '', 'sha256', ' SHA256: '])(
    'C-20 from a module with the placeholder hash %j (§8.3)',
    (hash) => {
      const changed = spellings('C-20', (node) => {
        node.wasm_hash = hash;
        node.abi.reducer.effects_emitted = [];
        node.abi.reducer.cap_slots = {};
      });
      expect(hashOfNode(changed)).toContain(row('C-20').hash);
    },
  );

  test('C-23 with integers written as decimal strings', () => {
    const changed = row('C-23')
      .node.replace('{"int":5}', '{"int":"5"}')
      .replace('{"nat":18446744073709551615}', '{"nat":"18446744073709551615"}');
    expect(changed).not.toBe(row('C-23').node);
    expect(hashOfNode(changed)).toContain(row('C-23').hash);
  });
});

describe('manifests (definitions.md §3.8)', () => {
  test('C-21 from a manifest with empty members written out; routing stays as an empty object', () => {
    const authored = {
      $kind: 'manifest',
      $comment: 'dropped',
      air_version: '1',
      schemas: [{ name: 'com.acme/Point@1' }, { name: 'sys/TimerSetParams@1', hash: 'sha256' }],
      modules: [],
      plans: [],
      caps: [],
      policies: [],
      effects: [],
      triggers: [],
      module_bindings: {},
      routing: { events: [], inboxes: [] },
    };
    const loaded = loadAuthored([{ path: 'a.json', text: JSON.stringify([authored, POINT]) }]);
    expect(loaded.ok && hashText(loaded.value.catalog.manifestHash)).toBe(row('C-21').hash);
    expect(loaded.ok && printJson(loaded.value.manifestNode)).toBe(
      printJson(unwrap(parseJson(row('C-21').node) as Result<Json>)),
    );
  });

  test('C-22 is the smallest manifest', () => {
    const authored = { $kind: 'manifest', ...JSON.parse(row('C-22').node) };
    const loaded = loadAuthored([{ path: 'a.json', text: JSON.stringify(authored) }]);
    expect(loaded.ok && hashText(loaded.value.catalog.manifestHash)).toBe(row('C-22').hash);
  });

  test('a stored manifest loads with and without $kind, under the hash without it (values.md §8)', () => {
    const plain = parseJson(row('C-22').node);
    if (!plain.ok) throw new Error('vector');
    const withKind = { ...(plain.value as object), $kind: 'manifest' } as never;
    for (const json of [plain.value as never, withKind]) {
      const bytes = encodeNode(json);
      const stored = loadStored(sha256(bytes), () => bytes);
      expect(stored.ok && hashText(stored.value.manifestHash)).toBe(row('C-22').hash);
    }
    expect(hashText(sha256(encodeNode(withoutKind(withKind))))).toBe(row('C-22').hash);
    expect(parseHashText(row('C-22').hash)).toHaveLength(32);
  });
});
