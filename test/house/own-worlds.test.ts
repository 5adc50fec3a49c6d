import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { BUILTINS, builtinEffect } from '@worldline/air';
import { afterAll, describe, expect, test } from 'vitest';
import { ROOT } from './repository.ts';
import { shell } from './sessions.ts';

// The project's own packs and examples have nothing that `worldline check` could find, in the strict mode of CI: no error, no
// warning, no lint, and no lock that is missing or different (`patterns.md` F9). Both are found by listing.

const IGNORED = new Set(['node_modules', '.worldline', 'dist']);

/** Folders below `folder`, it included, that hold a file or folder of one of these names. */
function holding(folder: string, ...names: readonly string[]): readonly string[] {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { withFileTypes: true });
  if (entries.some(({ name }) => names.includes(name))) return [folder];
  return entries.flatMap((entry) =>
    entry.isDirectory() && !IGNORED.has(entry.name) ? holding(join(folder, entry.name), ...names) : [],
  );
}

interface Found {
  readonly code: string;
  readonly path?: string;
  readonly message: string;
}

function findingsOf(world: string): readonly string[] {
  const said = shell(`CI=1 npx worldline --world '${world}' check --json`, ROOT);
  const { data, error } = JSON.parse(said) as { data?: { findings: readonly Found[] }; error?: Found };
  const found = data?.findings ?? (error === undefined ? [] : [error]);
  return found.map(({ code, path, message }) => `${code} ${path ?? ''} ${message}`);
}

const examples = holding(join(ROOT, 'examples'), 'worldline.json', 'air').map((path) => relative(ROOT, path));

describe('examples', () => {
  test('are found', () => {
    expect(examples).toEqual(expect.arrayContaining(['examples/01-release-gate', 'examples/05-approval-gate-core']));
  });

  test.each(examples)('%s has no finding', (path) => {
    expect(findingsOf(join(ROOT, path))).toEqual([]);
  });
});

type Node = Readonly<Record<string, unknown>>;
const stepsOf = (node: Node) => (node['steps'] ?? []) as readonly Node[];
const textOf = (value: unknown) => String(value);

/** The least that a world needs to list all of a pack: a grant for each slot, a policy, and nothing of its own. */
function consumerOf(nodes: readonly Node[]): readonly Node[] {
  const listed = (kind: string) => nodes.filter((node) => node['$kind'] === kind).map(({ name }) => ({ name }));
  const emits = nodes.flatMap(stepsOf).filter(({ op }) => op === 'emit_effect');
  const own = new Map(nodes.flatMap((node) => (node['$kind'] === 'defeffect' ? [[node['kind'], node] as const] : [])));
  const capOf = (kind: string) => {
    const type = own.get(kind)?.['cap_type'] ?? builtinEffect(kind)?.def.capType;
    return [...BUILTINS.caps].find(([, { def }]) => def.capType === type)?.[0];
  };
  const grants = new Map(emits.map(({ kind, cap }) => [textOf(cap), capOf(textOf(kind))]));
  const builtin = new Set(emits.flatMap(({ kind }) => builtinEffect(textOf(kind))?.def.name ?? []));
  return [
    { $kind: 'defpolicy', name: 'app/policy@1', rules: [{ when: { origin_kind: 'plan' }, decision: 'allow' }] },
    {
      $kind: 'manifest',
      air_version: '1',
      schemas: listed('defschema'),
      modules: [],
      plans: listed('defplan'),
      effects: [...listed('defeffect'), ...[...builtin].map((name) => ({ name }))],
      caps: [],
      policies: [{ name: 'app/policy@1' }],
      triggers: nodes
        .filter(({ $kind, name }) => $kind === 'defplan' && textOf(name).includes('/entry_'))
        .map(({ name, input }) => ({ event: input, plan: name })),
      defaults: {
        policy: 'app/policy@1',
        cap_grants: [...grants].map(([name, cap]) => ({
          name,
          cap,
          params: cap === 'sys/fabric@1' ? { worlds: ['other'] } : {},
        })),
      },
    },
  ];
}

describe('packs', () => {
  const packs = readdirSync(join(ROOT, 'packs')).filter((name) =>
    existsSync(join(ROOT, 'packs', name, 'package.json')),
  );
  const folder = mkdtempSync(join(tmpdir(), 'worldline-packs-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('are found', () => {
    expect(packs).toEqual(expect.arrayContaining(['approval-gate', 'deadline-race', 'request-response']));
  });

  test.each(packs)('%s has no finding in a world that lists all of it', (name) => {
    const world = join(folder, name);
    mkdirSync(join(world, 'air'), { recursive: true });
    mkdirSync(join(world, 'node_modules', '@worldline'), { recursive: true });
    symlinkSync(join(ROOT, 'packs', name), join(world, 'node_modules', '@worldline', name));
    const defs = join(ROOT, 'packs', name, 'air', 'exports', 'plan-packs', name, 'defs.air.json');
    const nodes = JSON.parse(readFileSync(defs, 'utf8')) as readonly Node[];
    const imports = [{ npm: { package: `@worldline/${name}`, pack: name } }];
    // Who hears of the outcome is the consumer's business: here nobody does.
    const checks = { ignore: [{ code: 'PK011', reason: 'nobody listens in this test' }] };
    writeFileSync(join(world, 'worldline.json'), JSON.stringify({ version: 1, air: { imports }, checks }));
    writeFileSync(join(world, 'air', 'manifest.air.json'), JSON.stringify(consumerOf(nodes)));
    shell(`npx worldline --world '${world}' sync lock`, ROOT);
    expect(findingsOf(world)).toEqual([]);
  });
});
