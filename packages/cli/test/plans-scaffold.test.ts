import { mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { cleanUp, emptyFolder, worldline } from './support.ts';

/** `worldline plans scaffold` (`packs.md` §5, §9.7). */

afterAll(cleanUp);

const PACKS = fileURLToPath(new URL('../../../packs/', import.meta.url));
const PACK_NAMES = ['deadline-race', 'approval-gate', 'request-response'] as const;

type Json = Record<string, unknown>;

/** A world that imports the packs of this repository and has nothing yet. */
function world(): string {
  const root = emptyFolder();
  mkdirSync(join(root, 'air'));
  mkdirSync(join(root, 'node_modules/@worldline'), { recursive: true });
  for (const name of PACK_NAMES) symlinkSync(join(PACKS, name), join(root, 'node_modules/@worldline', name));
  importing(root, PACK_NAMES);
  return root;
}

function importing(root: string, names: readonly string[]): void {
  const imports = names.map((pack) => ({ npm: { package: `@worldline/${pack}`, pack } }));
  writeFileSync(join(root, 'worldline.json'), JSON.stringify({ version: 1, air: { imports } }));
}

const scaffold = (cwd: string, ...args: string[]) =>
  worldline(['plans', 'scaffold', '--json', ...args], { cwd, env: { CI: '' } });

const readJson = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'));

/** What an author does with it: pastes it, and takes the notes off. */
function paste(root: string, profile: string, pack: string): void {
  const made = readJson(root, `air/scaffolds/plan-pack-${pack}-${profile}.json`) as Json;
  const snippet = made['manifest_snippet'] as Json;
  const policy = made['policy_def'] as Json;
  const grants = (snippet['defaults'] as { cap_grants: { params: Json }[] }).cap_grants;
  for (const { params } of grants) delete params['$todo'];
  const manifest = {
    $kind: 'manifest',
    air_version: '1',
    modules: [],
    caps: [],
    ...snippet,
    policies: [{ name: policy['name'] }],
    defaults: { policy: policy['name'], cap_grants: grants },
  };
  writeFileSync(join(root, 'air/manifest.air.json'), JSON.stringify([manifest, policy]));
  const templates = join(root, 'air/plans');
  if (profile === 'turnkey') return;
  for (const name of readdirSync(templates))
    renameSync(join(templates, name), join(templates, name.replace('_template.air.json', '.air.json')));
}

describe('what it writes is sound once it is pasted', () => {
  test.each(PACK_NAMES.flatMap((pack) => ['turnkey', 'composable-core'].map((profile) => [pack, profile] as const)))(
    '%s, %s',
    async (pack, profile) => {
      const root = world();
      importing(root, [pack]);
      const plan = {
        'request-response': { turnkey: 'pack.reqresp/entry_ask@1', 'composable-core': 'pack.reqresp/core_ask@1' },
      }[pack as 'request-response']?.[profile as 'turnkey'];
      const args = ['--pack', pack, '--profile', profile, ...(plan === undefined ? [] : ['--plan', plan])];
      const run = await scaffold(root, ...args);
      expect(run.exit, run.stderr + run.stdout).toBe(0);
      expect(run.json().data.written).toHaveLength(profile === 'turnkey' ? 1 : 2);
      paste(root, profile, pack);
      const checked = await worldline(['check', '--json'], { cwd: root, env: { CI: '' } });
      const { findings } = checked.json().data as { findings: { code: string; level: string; message: string }[] };
      // Locks, and who hears of the outcome, are left to the author: a note says so.
      const left = findings.filter(({ code, level }) => level !== 'info' && code !== 'PK012' && code !== 'PK011');
      expect(left.map(({ code, message }) => `${code} ${message}`)).toEqual([]);
      expect(checked.exit).toBe(0);
    },
  );
});

test('a core plan with a variant as its input, and with locals of its own schemas, is wrapped soundly, too', async () => {
  const root = world();
  const text = { text: {} };
  const pack = [
    { $kind: 'defschema', name: 'lib/Job@1', type: { variant: { Url: { record: { url: text } }, Text: text } } },
    { $kind: 'defschema', name: 'lib/Score@1', type: { nat: {} } },
    { $kind: 'defschema', name: 'lib/Notes@1', type: { record: { score: { ref: 'lib/Score@1' } } } },
    {
      $kind: 'defplan',
      name: 'lib/core_score@1',
      input: 'lib/Job@1',
      output: 'lib/Score@1',
      locals: { notes: 'lib/Notes@1' },
      steps: [
        { id: 'note', op: 'assign', expr: { record: { score: { nat: 3 } } }, bind: { as: 'notes' } },
        { id: 'done', op: 'end', result: { ref: '@var:notes.score' } },
      ],
      edges: [{ from: 'note', to: 'done' }],
    },
  ];
  mkdirSync(join(root, 'plan-packs/triage'), { recursive: true });
  writeFileSync(join(root, 'plan-packs/triage/defs.air.json'), JSON.stringify(pack));
  const sync = { version: 1, air: { imports: [{ path: 'plan-packs/triage' }] } };
  writeFileSync(join(root, 'worldline.json'), JSON.stringify(sync));
  const run = await scaffold(root, '--pack', 'triage', '--profile', 'composable-core');
  expect(run.exit, run.stderr + run.stdout).toBe(0);
  paste(root, 'composable-core', 'triage');
  const checked = await worldline(['check', '--json'], { cwd: root, env: { CI: '' } });
  const { findings } = checked.json().data as { findings: { code: string; level: string; message: string }[] };
  expect(findings.filter(({ code }) => code !== 'PK012').map(({ code, message }) => `${code} ${message}`)).toEqual([]);
  // Without the wrapper, by the trigger that the scaffold names instead.
  const made = readJson(root, 'air/scaffolds/plan-pack-triage-composable-core.json') as Json;
  const file = join(root, 'air/manifest.air.json');
  const [manifest, policy] = readJson(file) as [Json, Json];
  writeFileSync(file, JSON.stringify([{ ...manifest, triggers: [made['trigger_alternative']] }, policy]));
  const direct = await worldline(['check', '--json'], { cwd: root, env: { CI: '' } });
  expect(direct.json().data.findings.map(({ code }: { code: string }) => code)).toEqual(['PK012']);
});

test('a grant allows nothing until somebody widens it', async () => {
  const run = await scaffold(world(), '--pack', 'deadline-race', '--profile', 'turnkey', '--dry-run');
  const { scaffold: made } = run.json().data;
  expect(made.manifest_snippet.defaults.cap_grants[0]).toMatchObject({
    name: 'cap_http',
    cap: 'sys/http.out@1',
    params: { hosts: [], $todo: expect.any(String) },
  });
  // The plan that emits is the child of the one that is triggered.
  expect(made.policy_def.rules.map((rule: { when: Json }) => rule.when['origin_name'])).toEqual([
    'pack.deadline/core_fetch_by_deadline@1',
    'pack.deadline/core_fetch_by_deadline@1',
  ]);
});

test('files that exist stay, unless --force is given', async () => {
  const root = world();
  const args = ['--pack', 'deadline-race', '--profile', 'composable-core'];
  expect((await scaffold(root, ...args)).exit).toBe(0);
  const files = [
    'air/scaffolds/plan-pack-deadline-race-composable-core.json',
    'air/plans/adapter_fetch_by_deadline_template.air.json',
  ];
  for (const file of files) writeFileSync(join(root, file), '{}');
  const again = await scaffold(root, ...args);
  expect([again.exit, again.json().error.code]).toEqual([1, 'plans.exists']);
  const elsewhere = await scaffold(root, ...args, '--out', 'other.json');
  expect(elsewhere.json().data.written).toEqual(['other.json']);
  for (const file of files) expect(readJson(root, file)).toEqual({});
  expect((await scaffold(root, ...args, '--force')).exit).toBe(0);
  for (const file of files) expect(readJson(root, file)).not.toEqual({});
});

test('a folder is no file to write to, and nothing is left beside it', async () => {
  const root = world();
  const before = readdirSync(root);
  const args = ['--pack', 'deadline-race', '--profile', 'turnkey', '--out', 'air', '--force'];
  const run = await scaffold(root, ...args);
  expect([run.exit, run.json().error.code]).toEqual([2, 'invalid_request']);
  expect(readdirSync(root)).toEqual(before);
});

test.each([
  ['a pack that is not imported', ['--pack', 'nope', '--profile', 'turnkey'], 'plans.pack_unknown'],
  ['several plans', ['--pack', 'request-response', '--profile', 'turnkey'], 'plans.ambiguous'],
  [
    'a plan of another role',
    ['--pack', 'deadline-race', '--profile', 'turnkey', '--plan', 'pack.deadline/core_fetch_by_deadline@1'],
    'plans.no_candidate',
  ],
  [
    'a trigger event that is no name',
    ['--pack', 'deadline-race', '--profile', 'turnkey', '--trigger-event', 'nope'],
    'invalid_request',
  ],
  ['no such profile', ['--pack', 'deadline-race', '--profile', 'turnkeys'], 'invalid_request'],
])('%s is refused', async (_, args, code) => {
  const run = await scaffold(world(), ...args);
  expect(run.json().error.code).toBe(code);
});

test('in CI locks are asked for', async () => {
  const args = ['plans', 'scaffold', '--json', '--pack', 'deadline-race', '--profile', 'turnkey'];
  const run = await worldline(args, { cwd: world(), env: { CI: '1' } });
  expect([run.exit, run.json().error.code]).toEqual([7, 'import.lock_missing']);
});
