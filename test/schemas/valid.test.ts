import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { smallWorld } from '../../packages/air/test/fixtures.ts';
import type { DiagnosticEntry, Example } from '../../packages/cli/src/diagnostics/entry.ts';
import { DIAGNOSTICS } from '../../packages/cli/src/diagnostics/table.ts';
import { folderOf } from '../../packages/cli/src/diagnostics/world.ts';
import { schemaFiles, schemaText } from '../../packages/cli/src/editor/editor-files.ts';
import { plan, SCHEMAS, world } from '../cases/nodes.ts';
import { ROOT } from '../house/repository.ts';
import { everyNode } from './every-node.ts';
import { AIR, HOST, SYNC, validator } from './schema-files.ts';

const FILES: Readonly<Record<string, string>> = { 'worldline.json': SYNC, 'worldline.host.json': HOST };
const judges: Readonly<Record<string, (json: unknown) => string[]>> = {
  [AIR]: validator(AIR),
  [SYNC]: validator(SYNC),
  [HOST]: validator(HOST),
};

/** Every authored file of the repository. */
function authoredFiles(): { readonly path: string; readonly schema: string }[] {
  return ['examples', 'packages/cli/templates', 'packs'].flatMap((folder) => {
    let names: string[];
    try {
      names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
    } catch {
      return [];
    }
    return names.flatMap((name) => {
      const schema = name.endsWith('.air.json') ? AIR : FILES[name.split('/').at(-1) as string];
      const made = /(^|\/)(node_modules|\.worldline|demo-world|artifacts|\.vscode)\//.test(name);
      return schema === undefined || made ? [] : [{ path: relative(ROOT, join(ROOT, folder, name)), schema }];
    });
  });
}

describe('the schemas are those that the parsers read', () => {
  test.each([...schemaFiles()])('schemas/%s is current (npm run schemas)', (name, schema) => {
    expect(readFileSync(join(ROOT, 'schemas', name), 'utf8')).toBe(schemaText(schema));
  });
});

describe('every authored file of the repository is valid', () => {
  const files = authoredFiles();

  test('there are some of each', () => {
    expect(new Set(files.map(({ schema }) => schema))).toEqual(new Set([AIR, SYNC, HOST]));
  });

  test.each(files)('$path', ({ path, schema }) => {
    expect(judges[schema]?.(JSON.parse(readFileSync(join(ROOT, path), 'utf8')))).toEqual([]);
  });
});

describe('fixtures of other tests are valid', () => {
  test('the small world of the language tests', () => {
    expect(judges[AIR]?.(smallWorld().nodes)).toEqual([]);
  });

  test('the world of the worked cases', () => {
    expect(judges[AIR]?.(world([plan('t/p@1', [{ id: 'e', op: 'end' }])]))).toEqual([]);
    expect(judges[AIR]?.(SCHEMAS)).toEqual([]);
  });

  const vectors: { readonly rows: readonly { readonly id: string; readonly node: string }[] } = JSON.parse(
    readFileSync(join(ROOT, 'test/vectors/nodes.json'), 'utf8'),
  );
  // C-21 and C-22 are stored manifests, which need no $kind.
  test.each(vectors.rows.filter(({ id }) => id !== 'C-21' && id !== 'C-22'))('vector $id', ({ node }) => {
    expect(judges[AIR]?.(JSON.parse(node))).toEqual([]);
  });

  test.each(everyNode().map((node) => [node.$kind, node]))('a %s with every member', (_, node) => {
    expect(judges[AIR]?.(node)).toEqual([]);
  });
});

describe('examples of `worldline check --explain`', () => {
  /** What the schemas say of the files of an example, as far as they are JSON. */
  function said(example: Example): string[] {
    return Object.entries(folderOf(example).files).flatMap(([path, text]) => {
      if (text.trim() === '') return [];
      try {
        return judges[FILES[path] ?? AIR]?.(JSON.parse(text)) ?? [];
      } catch {
        return [`${path} is no JSON`];
      }
    });
  }

  const entries: readonly DiagnosticEntry[] = [...DIAGNOSTICS.values()];

  test.each(entries.flatMap(({ code, right }) => (right === undefined ? [] : [[code, right] as const])))(
    'the right one of %s is valid',
    (_, right) => {
      expect(said(right)).toEqual([]);
    },
  );

  /** Codes of structure: the whole of the rule is in the schema. */
  const STRUCTURE = [
    'json.invalid',
    'node.unknown_kind',
    'node.bad_field',
    'node.unknown_field',
    'name.invalid',
    'ident.invalid',
    'hash.invalid',
    'module.abi_mismatch',
    'expr.invalid',
    'type.invalid',
    'type.bad_map_key',
    'type.bad_set_element',
    'type.bad_member',
    'manifest.air_version_missing',
    'manifest.air_version_unsupported',
    'sync.schema',
    'sync.version',
    'config.unknown_key',
    'config.invalid',
  ];

  test.each(
    entries.flatMap(({ code, wrong }) =>
      wrong === undefined || !STRUCTURE.includes(code) ? [] : [[code, wrong] as const],
    ),
  )('the wrong one of %s is refused', (_, wrong) => {
    expect(said(wrong)).not.toEqual([]);
  });
});
