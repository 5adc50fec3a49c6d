import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseJson } from '@worldline/air';
import { unwrap } from '@worldline/canon';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { defsHash } from '../src/import-lock.ts';
import { findPackage } from '../src/npm-package.ts';
import { readSyncFile } from '../src/sync-file.ts';
import { withLocks } from '../src/sync-file-edit.ts';
import { cleanUp, emptyFolder, worldline } from './support.ts';

/** Imports and their locks (`packs.md` §2, §9). */

afterAll(cleanUp);

const PACKS = fileURLToPath(new URL('../../../packs/', import.meta.url));

type Files = Readonly<Record<string, unknown>>;

const schema = (name: string, type: unknown = { record: { id: { text: {} } } }) => ({ $kind: 'defschema', name, type });

const manifest = (schemas: readonly string[], more: object = {}) => ({
  $kind: 'manifest',
  air_version: '1',
  schemas: schemas.map((name) => ({ name })),
  modules: [],
  plans: [],
  effects: [],
  caps: [],
  policies: [],
  ...more,
});

const imports = (...entries: readonly unknown[]) => ({ version: 1, air: { imports: entries } });

/** A world in `world/` of an empty folder, and whatever stands around it. */
function folderWith(files: Files): string {
  const root = emptyFolder();
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), typeof content === 'string' ? content : JSON.stringify(content, null, 2));
  }
  return root;
}

interface Found {
  readonly code: string;
  readonly level: string;
  readonly cause?: string;
  readonly file?: string;
  readonly line?: number;
  readonly path?: string;
  readonly plan?: string;
  readonly message: string;
}

async function checked(root: string, env: Record<string, string> = { CI: '' }, args: readonly string[] = []) {
  const run = await worldline(['check', '--json', ...args], { cwd: join(root, 'world'), env });
  const { findings, imports: found } = run.json().data as { findings: Found[]; imports: Record<string, unknown>[] };
  return { exit: run.exit, findings, imports: found, codes: findings.map(({ code, cause }) => cause ?? code) };
}

/** All but the missing lock, which most of these worlds lack. */
const others = (codes: readonly string[]) => codes.filter((code) => code !== 'import.lock_missing');

const SHARED = { 'shared/defs.json': schema('lib/Thing@1') };
const LISTED = { 'world/air/manifest.json': manifest(['lib/Thing@1']) };

const packageOf = (name: string, version = '1.2.3', more: object = {}) => ({ name, version, ...more });

describe('a path', () => {
  test('brings its definitions; the sync file of the folder is not one of them', async () => {
    const root = folderWith({
      ...SHARED,
      ...LISTED,
      'shared/worldline.json': imports({ path: 'elsewhere' }),
      'shared/blank.json': ' \n',
      'shared/more/deep.json': [schema('lib/Other@1')],
      'world/worldline.json': imports({ path: '../shared' }),
    });
    const { codes, imports: found } = await checked(root);
    expect(codes).toEqual(['import.lock_missing']);
    expect(found).toMatchObject([{ pack: 'shared', source: 'path', defs_hash: expect.stringMatching(/^sha256:/) }]);
  });

  test('what the host keeps in an imported folder is not read', async () => {
    const root = folderWith({
      ...SHARED,
      ...LISTED,
      'shared/.worldline/tokens.json': { tokens: [] },
      'world/worldline.json': imports({ path: '../shared' }),
    });
    expect((await checked(root)).codes).toEqual(['import.lock_missing']);
  });

  test('a finding in an imported file names that file', async () => {
    const root = folderWith({
      'shared/defs.json': [schema('lib/Thing@1', { record: { id: { txt: {} } } })],
      ...LISTED,
      'world/worldline.json': imports({ path: '../shared' }),
    });
    const { findings } = await checked(root);
    expect(findings.find(({ level }) => level === 'error')).toMatchObject({ file: '../shared/defs.json' });
  });

  test.each([
    ['that is not there', { path: '../nowhere' }, 'import.shape'],
    ['together with npm', { path: '../shared', npm: { package: 'x' } }, 'import.shape'],
    ['or npm: neither', {}, 'import.shape'],
    ['an npm name with a version', { npm: { package: 'x@1' } }, 'import.shape'],
    ['an npm name that is a URL', { npm: { package: 'https://example.com/x' } }, 'import.shape'],
    ['pack and air_dir', { npm: { package: 'x', pack: 'p', air_dir: 'air' } }, 'import.shape'],
    ['a key that is not known', { path: '../shared', locked: 'x' }, 'sync.schema'],
    ['a lock without hash', { path: '../shared', lock: { source: 'path' } }, 'sync.schema'],
  ])('%s is refused where it is written', async (_, entry, code) => {
    const root = folderWith({ ...SHARED, ...LISTED, 'world/worldline.json': imports(entry) });
    const { exit, findings } = await checked(root);
    expect(findings).toMatchObject([{ code, level: 'error', file: 'worldline.json' }]);
    expect(findings[0]!.path).toMatch(/^\/air\/imports\/0/);
    expect(exit).toBe(7);
  });

  test.each([
    ['no JSON', '{', 'import.parse'],
    ['a number', '7', 'import.parse'],
    ['a node without name', [{ $kind: 'defschema' }], 'import.parse'],
    ['a manifest', manifest([]), 'import.manifest'],
    ['a built-in name', schema('sys/Thing@1'), 'import.sys_def'],
  ])('a file that is %s is refused with its place', async (_, content, code) => {
    const root = folderWith({
      ...LISTED,
      'shared/bad.json': content,
      'world/worldline.json': imports({ path: '../shared' }),
    });
    const { exit, findings } = await checked(root);
    expect(findings).toMatchObject([{ code, level: 'error', file: '../shared/bad.json' }]);
    expect(findings[0]!.line).toBeGreaterThan(0);
    expect(exit).toBe(7);
  });

  test('a file that is too large, and too many of them, are refused', async () => {
    const large = folderWith({ ...LISTED, 'world/worldline.json': imports({ path: '../shared' }) });
    mkdirSync(join(large, 'shared'));
    writeFileSync(join(large, 'shared/large.json'), ' '.repeat(4 * 1024 * 1024 + 1));
    expect((await checked(large)).codes).toEqual(['import.too_large']);
    rmSync(join(large, 'shared/large.json'));
    for (let i = 0; i <= 2_000; i += 1) writeFileSync(join(large, `shared/${i}.json`), '');
    expect((await checked(large)).codes).toEqual(['import.too_large']);
  });

  test('its files are shown from the world folder, wherever both lie', async () => {
    const note = { $kind: 'defplan', name: 'lib/note@1', input: 'lib/Thing@1', steps: [{ id: 'done', op: 'end' }] };
    const root = folderWith({
      ...SHARED,
      'shared/more.json': [note, { $kind: 'defpolicy', name: 'lib/policy@1', rules: [] }],
      'world/air/manifest.json': manifest(['lib/Thing@1'], { plans: [{ name: 'lib/note@1' }] }),
      'world/worldline.json': imports({ path: '../shared' }),
    });
    const { findings, imports: found } = await checked(root);
    expect(findings.find(({ code }) => code === 'PK013')?.file).toBe('../shared/more.json');
    expect(found).toMatchObject([{ root: '../shared' }]);
    const effects = await worldline(['plans', 'effects', 'lib/note@1'], { cwd: join(root, 'world') });
    expect(effects.stdout).toMatch(/^lib\/note@1 {2}\.\.\/shared\/more\.json:\d+:\d+\n/);
  });

  test('policies and secrets are warned about: authority belongs to the consumer', async () => {
    const root = folderWith({
      ...SHARED,
      ...LISTED,
      'shared/policy.json': { $kind: 'defpolicy', name: 'lib/policy@1', rules: [] },
      'world/worldline.json': imports({ path: '../shared' }),
    });
    const { exit, findings } = await checked(root);
    expect(findings.filter(({ cause }) => cause === 'import.authority')).toMatchObject([
      { code: 'PK013', level: 'warning', file: '../shared/policy.json' },
    ]);
    expect(exit).toBe(0);
  });
});

describe('an npm package', () => {
  const npm = (more: object = {}) => imports({ npm: { package: '@acme/defs', ...more } });
  const installed = (at: string, more: object = {}): Files => ({
    [`${at}/node_modules/@acme/defs/package.json`]: packageOf('@acme/defs', '1.2.3', more),
    [`${at}/node_modules/@acme/defs/air/defs.json`]: schema('lib/Thing@1'),
  });

  test.each([
    ['beside the world', 'world'],
    ['hoisted above it', '.'],
  ])('is found %s', async (_, at) => {
    const root = folderWith({ ...LISTED, ...installed(at), 'world/worldline.json': npm({ version: '^1.2.0' }) });
    const { codes, imports: found } = await checked(root);
    expect(codes).toEqual(['import.lock_missing']);
    expect(found).toMatchObject([{ source: 'npm', version: '1.2.3' }]);
  });

  test('the nearest one is taken', async () => {
    const root = folderWith({
      ...LISTED,
      ...installed('.'),
      'world/node_modules/@acme/defs/package.json': packageOf('@acme/defs', '2.0.0'),
      'world/node_modules/@acme/defs/air/defs.json': schema('lib/Thing@1'),
      'world/worldline.json': npm(),
    });
    expect((await checked(root)).imports).toMatchObject([{ version: '2.0.0' }]);
  });

  test('`from` says where to look from', async () => {
    const root = folderWith({ ...LISTED, ...installed('tools'), 'world/worldline.json': npm({ from: '../tools' }) });
    expect(others((await checked(root)).codes)).toEqual([]);
  });

  test('a linked package is taken where it really is', async () => {
    const root = folderWith({
      ...LISTED,
      'defs/package.json': packageOf('@acme/defs'),
      'defs/air/defs.json': schema('lib/Thing@1'),
      'world/worldline.json': npm(),
    });
    mkdirSync(join(root, 'world/node_modules/@acme'), { recursive: true });
    symlinkSync(join(root, 'defs'), join(root, 'world/node_modules/@acme/defs'));
    expect(others((await checked(root)).codes)).toEqual([]);
  });

  test('the folder is that of package.json, of air_dir, or of the pack', async () => {
    const worldline = { air: 'defs', planPacks: 'packs' };
    const files = {
      ...LISTED,
      'node_modules/@acme/defs/package.json': packageOf('@acme/defs', '1.2.3', { worldline }),
      'node_modules/@acme/defs/defs/a.json': schema('lib/Thing@1'),
      'node_modules/@acme/defs/other/a.json': schema('lib/Thing@1'),
      'node_modules/@acme/defs/packs/core/a.json': schema('lib/Thing@1'),
    };
    for (const more of [{}, { air_dir: 'other' }, { pack: 'core' }]) {
      const root = folderWith({ ...files, 'world/worldline.json': npm(more) });
      expect(others((await checked(root)).codes)).toEqual([]);
    }
  });

  test.each([
    ['not installed', {}, {}, 'import.package_missing', 'package'],
    ['of another version', installed('world'), { version: '^2.0.0' }, 'import.version', 'version'],
    ['asked for in no range', installed('world'), { version: 'newest' }, 'import.version', 'version'],
    ['without that pack', installed('world'), { pack: 'none' }, 'import.shape', 'pack'],
    ['without that folder', installed('world'), { air_dir: 'none' }, 'import.shape', 'air_dir'],
    ['left by its own air_dir', installed('world'), { air_dir: '../../..' }, 'import.escapes_package', 'air_dir'],
  ])('%s is refused at the member that says so', async (_, files, more, code, member) => {
    const root = folderWith({ ...LISTED, ...files, 'world/worldline.json': npm(more) });
    const path = `/air/imports/0/npm/${member}`;
    const { findings } = await checked(root);
    expect(findings).toMatchObject([{ code, level: 'error', file: 'worldline.json', path }]);
    const line = readFileSync(join(root, 'world/worldline.json'), 'utf8').split('\n')[findings[0]!.line! - 1];
    expect(line).toContain(`"${member}"`);
  });

  test('the packs that there are are named where another one is asked for', async () => {
    const packs = { 'world/node_modules/@acme/defs/air/exports/plan-packs/triage/defs.json': schema('lib/Thing@1') };
    const root = folderWith({
      ...LISTED,
      ...installed('world'),
      ...packs,
      'world/worldline.json': npm({ pack: 'triages' }),
    });
    expect((await checked(root)).findings).toMatchObject([{ code: 'import.shape', hint: 'did you mean "triage"?' }]);
  });

  test.each([
    ['a folder', 'air/more', '../../../../../shared'],
    ['a file', 'air/more.json', '../../../../../shared/defs.json'],
  ])('%s that leads out of the package is not read', async (_, link, target) => {
    const root = folderWith({ ...SHARED, ...LISTED, ...installed('world'), 'world/worldline.json': npm() });
    const at = join(root, 'world/node_modules/@acme/defs', link);
    symlinkSync(target, at);
    expect(existsSync(at)).toBe(true);
    expect((await checked(root)).codes).toEqual(['import.escapes_package']);
  });

  test('an alias is taken, and both names are told', async () => {
    const root = folderWith({
      ...LISTED,
      ...installed('world'),
      'world/node_modules/@acme/defs/package.json': packageOf('@other/defs'),
      'world/worldline.json': npm(),
    });
    const { findings } = await checked(root);
    const [alias] = findings.filter(({ code }) => code === 'import.shape');
    expect(alias).toMatchObject({ level: 'warning', message: expect.stringMatching(/@acme\/defs.*@other\/defs/) });
  });

  test('inside an archive it is refused', async () => {
    const pnp = { resolveToUnqualified: () => '/cache/defs.zip/node_modules/@acme/defs' };
    const found = await findPackage({ kind: 'npm', package: '@acme/defs' }, '/tmp', pnp);
    expect(found).toMatchObject({ ok: false, failure: { code: 'import.archive' } });
  });
});

test('PK001, PK002: plans without a role are errors in a plan pack, warnings in other imports', async () => {
  const plan = { $kind: 'defplan', name: 'lib/ask@1', input: 'lib/Thing@1', steps: [{ id: 'done', op: 'end' }] };
  for (const [folder, level] of [
    ['shared', 'warning'],
    ['plan-packs/shared', 'error'],
  ] as const) {
    const root = folderWith({
      ...LISTED,
      [`${folder}/defs.json`]: [schema('lib/Thing@1'), plan],
      'world/worldline.json': imports({ path: `../${folder}` }),
    });
    const { findings, imports: found } = await checked(root);
    const roles = findings.filter(({ code }) => code === 'PK001' || code === 'PK002');
    expect(roles.map(({ code, level: of }) => `${code} ${of}`).sort()).toEqual([`PK001 ${level}`, `PK002 ${level}`]);
    expect(found).toMatchObject([{ unknown_role_plans: ['lib/ask@1'], turnkey_capable: false }]);
  }
});

describe('PK010, PK011: a consumer and what a pack keeps to itself, or says to nobody', () => {
  const end = { id: 'done', op: 'end' };
  const plan = (name: string, steps: readonly object[], more: object = {}) => ({
    $kind: 'defplan',
    name,
    input: 'lib/Thing@1',
    steps: [...steps, end],
    ...more,
  });
  const say = { id: 'say', op: 'raise_event', event: 'lib/Said@1', value: { id: 'x' } };
  const pack = [
    schema('lib/Thing@1'),
    schema('lib/Said@1'),
    plan('lib/_internal_map@1', []),
    plan('lib/core_plain@1', []),
    plan('lib/entry_say@1', [say], { edges: [{ from: 'say', to: 'done' }] }),
  ];
  const spawning = (child: string) =>
    plan(
      'app/plan@1',
      [{ id: 'run', op: 'spawn_plan', plan: child, input: { ref: '@plan.input' }, bind: { handle_as: 'h' } }],
      {
        edges: [{ from: 'run', to: 'done' }],
      },
    );
  const rule = (origin_name: string) => ({
    $kind: 'defpolicy',
    name: 'app/policy@1',
    rules: [
      { when: { effect_kind: 'timer.set' }, decision: 'deny' },
      { when: { origin_kind: 'plan', origin_name }, decision: 'allow' },
    ],
  });
  const hearing = plan('app/hear@1', [{ id: 'w', op: 'await_event', event: 'lib/Said@1', bind: { as: 'said' } }], {
    edges: [{ from: 'w', to: 'done' }],
  });
  const note = { ...plan('app/note@1', []), input: 'lib/Said@1' };
  const named = (...names: readonly string[]) => names.map((name) => ({ name }));
  const SAY = { plans: named('lib/entry_say@1'), triggers: [{ event: 'lib/Thing@1', plan: 'lib/entry_say@1' }] };

  /** Where the code is found, `file pointer plan`, in a world with these nodes of its own. */
  async function places(code: string, own: readonly object[], wiring: object): Promise<readonly string[]> {
    const root = folderWith({
      'plan-packs/lib/defs.json': pack,
      'world/air/manifest.json': manifest(['lib/Thing@1', 'lib/Said@1'], wiring),
      'world/air/own.json': own,
      'world/worldline.json': imports({ path: '../plan-packs/lib' }),
    });
    const { findings, exit } = await checked(root);
    expect(findings.filter(({ level }) => level === 'error')).toEqual([]);
    expect(exit).toBe(0);
    const found = findings.filter((finding) => finding.code === code);
    return found.map(({ file, path, plan: about }) => `${file} ${path} ${about}`);
  }

  test.each([
    [
      'a trigger',
      [],
      { plans: named('lib/_internal_map@1'), triggers: [{ event: 'lib/Thing@1', plan: 'lib/_internal_map@1' }] },
      'manifest.json /triggers/0/plan',
    ],
    [
      'a child',
      [spawning('lib/_internal_map@1')],
      { plans: named('lib/_internal_map@1', 'app/plan@1') },
      'own.json /steps/0/plan',
    ],
    [
      'a rule of a policy',
      [rule('lib/_internal_map@1')],
      { policies: named('app/policy@1') },
      'own.json /rules/1/when/origin_name',
    ],
  ])('PK010: %s that names an internal plan', async (_, own, wiring, place) => {
    expect(await places('PK010', own, wiring)).toEqual([`air/${place} lib/_internal_map@1`]);
  });

  test('PK010: core plans, plans of the folder and rules without a name are nobody’s internals', async () => {
    const own = [plan('app/_internal_own@1', []), spawning('lib/core_plain@1'), rule('app/_internal_own@1')];
    const wiring = {
      plans: named('lib/core_plain@1', 'app/plan@1', 'app/_internal_own@1'),
      policies: named('app/policy@1'),
      triggers: [{ event: 'lib/Thing@1', plan: 'app/_internal_own@1' }],
    };
    expect(await places('PK010', own, wiring)).toEqual([]);
  });

  test('PK011: an event that an imported plan raises and nobody hears', async () => {
    expect(await places('PK011', [], SAY)).toEqual(['air/manifest.json /plans/0 lib/entry_say@1']);
    // A plan that would hear it, and that the manifest does not list.
    expect(await places('PK011', [hearing], SAY)).toHaveLength(1);
  });

  test.each([
    ['a plan awaits it', [hearing], { ...SAY, plans: named('lib/entry_say@1', 'app/hear@1') }],
    [
      'a trigger starts a plan by it',
      [note],
      {
        plans: named('lib/entry_say@1', 'app/note@1'),
        triggers: [...SAY.triggers, { event: 'lib/Said@1', plan: 'app/note@1' }],
      },
    ],
    ['the plan that raises it is not listed', [], {}],
    [
      'the plan that raises it is one of the folder',
      [plan('app/say@1', [say], { edges: [{ from: 'say', to: 'done' }] })],
      { plans: named('app/say@1') },
    ],
  ])('PK011 is silent: %s', async (_, own, wiring) => {
    expect(await places('PK011', own, wiring)).toEqual([]);
  });
});

describe('the merge', () => {
  const number = { nat: {} };

  test('a copy is silent, however it is written; its second form is no conflict', async () => {
    const plan = (value: unknown) => ({
      $kind: 'defplan',
      name: 'lib/core_plan@1',
      input: 'lib/Thing@1',
      steps: [
        { id: 'say', op: 'raise_event', event: 'lib/Thing@1', value },
        { id: 'done', op: 'end' },
      ],
      edges: [{ from: 'say', to: 'done' }],
    });
    const root = folderWith({
      'shared/defs.json': [schema('lib/Thing@1'), plan({ id: 'x' })],
      'world/air/manifest.json': manifest(['lib/Thing@1'], { plans: [{ name: 'lib/core_plan@1' }] }),
      'world/air/copy.json': [schema('lib/Thing@1'), plan({ record: { id: { text: 'x' } } })],
      'world/worldline.json': imports({ path: '../shared' }),
    });
    // What it raises is heard by nobody.
    expect(others((await checked(root)).codes)).toEqual(['PK007', 'PK011']);
  });

  test.each([
    ['with the folder', { 'world/air/own.json': schema('lib/Thing@1', number) }, [{ path: '../shared' }]],
    [
      'between two imports',
      { 'b/defs.json': schema('lib/Thing@1', number) },
      [{ path: '../shared' }, { path: '../b' }],
    ],
  ])('another definition under one name is a conflict: %s', async (_, files, entries) => {
    const root = folderWith({ ...SHARED, ...LISTED, ...files, 'world/worldline.json': imports(...entries) });
    const { exit, findings } = await checked(root);
    const [conflict] = findings.filter(({ code }) => code === 'import.conflict');
    expect(conflict!.message.match(/sha256:[0-9a-f]{64}/g)).toHaveLength(2);
    expect(exit).toBe(7);
  });

  test('what is not listed is only available: no finding, and not in the world', async () => {
    const root = folderWith({
      'shared/defs.json': [schema('lib/Thing@1'), schema('lib/Spare@1')],
      ...LISTED,
      'world/worldline.json': imports({ path: '../shared' }),
    });
    expect(others((await checked(root)).codes)).toEqual([]);
    const cwd = join(root, 'world');
    expect((await worldline(['push', '--json'], { cwd, env: { CI: '' } })).exit).toBe(0);
    const listed = (await worldline(['defs', 'ls', '--kind', 'schema', '--json'], { cwd })).stdout;
    expect(listed).toContain('lib/Thing@1');
    expect(listed).not.toContain('lib/Spare@1');
  });

  test('push, pull, push: nothing to do, and no copies in the folder', async () => {
    const root = folderWith({ ...SHARED, ...LISTED, 'world/worldline.json': imports({ path: '../shared' }) });
    const cwd = join(root, 'world');
    const env = { CI: '' };
    expect((await worldline(['push'], { cwd, env })).exit).toBe(0);
    const pulled = (await worldline(['pull', '--json'], { cwd, env })).json().data.files;
    expect(pulled).toMatchObject([{ path: 'air/manifest.json', status: 'unchanged' }]);
    expect((await worldline(['push', '--json'], { cwd, env })).json().data).toMatchObject({ changed: false });
    // A folder that is to stand alone gets them all.
    const whole = await worldline(['pull', '--with-imports', '--json'], { cwd, env });
    expect(whole.json().data.files).toMatchObject([
      { path: 'air/manifest.json', status: 'unchanged' },
      { path: 'air/schemas.air.json', status: 'created' },
    ]);
    expect(readFileSync(join(cwd, 'air/schemas.air.json'), 'utf8')).toContain('lib/Thing@1');
    expect((await worldline(['push', '--json'], { cwd, env })).json().data).toMatchObject({ changed: false });
  });
});

describe('what listed definitions need of an import, and the manifest does not list', () => {
  const part = (name: string) => ({ ref: name });
  const LIB = [
    schema('lib/Thing@1', { record: { part: { list: part('lib/Part@1') } } }),
    schema('lib/Part@1', { record: { unit: part('lib/Unit@1') } }),
    schema('lib/Unit@1', { text: {} }),
    schema('lib/Told@1'),
    schema('lib/Spare@1'),
    { ...schema('lib/Params@1') },
    { $kind: 'defcap', name: 'lib/cap@1', cap_type: 'lib', schema: { record: {} } },
    {
      $kind: 'defeffect',
      name: 'lib/effect@1',
      kind: 'lib.effect',
      params_schema: 'lib/Params@1',
      receipt_schema: 'lib/Unit@1',
      cap_type: 'lib',
      origin_scope: 'plan',
    },
    {
      $kind: 'defplan',
      name: 'lib/core_child@1',
      input: 'lib/Params@1',
      steps: [
        {
          id: 'ask',
          op: 'emit_effect',
          kind: 'lib.effect',
          cap: 'cap_lib',
          params: { id: { ref: '@plan.input.id' } },
          bind: { effect_id_as: 'h' },
        },
        { id: 'wait', op: 'await_receipt', for: { ref: '@var:h' }, bind: { as: 'r' } },
        { id: 'tell', op: 'raise_event', event: 'lib/Told@1', value: { id: { ref: '@plan.input.id' } } },
      ],
      edges: [
        { from: 'ask', to: 'wait' },
        { from: 'wait', to: 'tell' },
      ],
    },
    {
      $kind: 'defplan',
      name: 'lib/core_parent@1',
      input: 'lib/Thing@1',
      steps: [
        { id: 'start', op: 'spawn_plan', plan: 'lib/core_child@1', input: { id: 'x' }, bind: { handle_as: 'c' } },
        { id: 'join', op: 'await_plan', for: { ref: '@var:c' }, bind: { as: 'out' } },
      ],
      edges: [{ from: 'start', to: 'join' }],
    },
  ];
  const grant = { name: 'cap_lib', cap: 'lib/cap@1', params: {} };
  const lacking = (more: object = {}) =>
    folderWith({
      'shared/defs.json': LIB,
      'world/air/manifest.json': manifest(['lib/Thing@1'], {
        plans: [{ name: 'lib/core_parent@1' }],
        defaults: { cap_grants: [grant] },
        ...more,
      }),
      'world/worldline.json': imports({ path: '../shared' }),
    });
  const ADDED = [
    ['schemas', 'lib/Params@1'],
    ['schemas', 'lib/Part@1'],
    ['schemas', 'lib/Told@1'],
    ['schemas', 'lib/Unit@1'],
    ['plans', 'lib/core_child@1'],
    ['effects', 'lib/effect@1'],
    ['caps', 'lib/cap@1'],
  ].map(([section, name]) => ({ section, name }));

  test('each is an error with the line to add, followed to the end; nothing else is found for that', async () => {
    const { exit, findings, imports: found } = await checked(lacking());
    const refs = findings.filter(({ code }) => code === 'import.unlisted_ref');
    // Of the plans lints may have something to say.
    expect(findings.filter(({ level }) => level === 'error')).toEqual(refs);
    expect(refs.map((one) => (one as unknown as { fix: string }).fix)).toEqual(
      ADDED.map(({ section, name }) => `add {"name": "${name}"} to "${section}", or push with --add-refs`),
    );
    expect(refs[1]).toMatchObject({
      level: 'error',
      file: 'air/manifest.json',
      path: '/schemas',
      message: 'schema "lib/Thing@1" needs "lib/Part@1" of import "shared", which the manifest does not list',
    });
    expect(exit).toBe(7);
    // Contracts have the hash of the plan as the world would have it.
    const contracts = found[0]!['contracts'] as { name: string; hash?: string }[];
    expect(contracts.map(({ name }) => name)).toEqual(['lib/core_child@1', 'lib/core_parent@1']);
    for (const { hash } of contracts) expect(hash).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  test('push refuses; --add-refs lists them in the world, and says so; once they are listed nothing differs', async () => {
    const root = lacking();
    const [cwd, env] = [join(root, 'world'), { CI: '' }];
    const refused = await worldline(['push', '--json'], { cwd, env });
    expect(refused.exit).not.toBe(0);
    expect(refused.json()).toMatchObject({ error: { code: 'import.unlisted_ref' } });

    const shown = await worldline(['push', '--add-refs', '--dry-run'], { cwd, env });
    expect(shown.stdout).toContain('"caps": {"name": "lib/cap@1"}');
    expect(existsSync(join(cwd, '.worldline/store'))).toBe(false);
    const pushed = await worldline(['push', '--add-refs', '--json'], { cwd, env });
    expect(pushed.json().data).toMatchObject({ created: true, added_refs: ADDED });
    const again = await worldline(['push', '--add-refs', '--json'], { cwd, env });
    expect(again.json().data).toMatchObject({ changed: false, added_refs: ADDED });

    const names = (section: string) => ADDED.filter((one) => one.section === section).map(({ name }) => ({ name }));
    const whole = manifest([], {
      schemas: [{ name: 'lib/Thing@1' }, ...names('schemas')],
      plans: [{ name: 'lib/core_parent@1' }, ...names('plans')],
      effects: names('effects'),
      caps: names('caps'),
      defaults: { cap_grants: [grant] },
    });
    writeFileSync(join(cwd, 'air/manifest.json'), JSON.stringify(whole));
    expect((await checked(root)).findings.filter(({ level }) => level === 'error')).toEqual([]);
    const last = (await worldline(['push', '--json'], { cwd, env })).json().data;
    expect(last).toMatchObject({ changed: false, manifest_hash: pushed.json().data.manifest_hash });
    expect(last).not.toHaveProperty('added_refs');
  });

  test('other findings stay where they are in a manifest that lacks whole sections', async () => {
    const root = lacking({ schemas: undefined, effects: undefined, wrong: 1 });
    const { findings } = await checked(root);
    const wrong = findings.find(({ code }) => code === 'node.unknown_field');
    expect(wrong).toMatchObject({ file: 'air/manifest.json', path: '/wrong' });
    const line = readFileSync(join(root, 'world/air/manifest.json'), 'utf8').split('\n')[wrong!.line! - 1];
    expect(line).toContain('"wrong"');
  });

  test('what the folder itself has and does not list is told as ever', async () => {
    const root = folderWith({
      'shared/defs.json': LIB,
      'world/air/part.json': schema('lib/Part@1', { record: { unit: part('lib/Unit@1') } }),
      'world/air/manifest.json': manifest(['lib/Thing@1', 'lib/Unit@1']),
      'world/worldline.json': imports({ path: '../shared' }),
    });
    const { codes } = await checked(root);
    expect(codes).not.toContain('import.unlisted_ref');
    expect(others(codes)).not.toEqual([]);
  });
});

describe('locks', () => {
  const unlocked = () => folderWith({ ...SHARED, ...LISTED, 'world/worldline.json': imports({ path: '../shared' }) });

  test.each([
    ['locally a warning', { CI: '' }, 'warning', 0],
    ['with CI=false a warning', { CI: 'false' }, 'warning', 0],
    ['in CI an error', { CI: 'true' }, 'error', 7],
    ['an error when that is wanted', { CI: '', WORLDLINE_IMPORT_LOCK_STRICT: 'On' }, 'error', 7],
  ])('a missing one is %s', async (_, env, level, exit) => {
    const found = await checked(unlocked(), env);
    expect(found.findings).toMatchObject([{ code: 'PK012', cause: 'import.lock_missing', level }]);
    expect(found.findings[0]!.message).toContain('"defs_hash":"sha256:');
    expect(found.exit).toBe(exit);
  });

  test('push in CI refuses what is not locked, with exit 7, and makes no world', async () => {
    const cwd = join(unlocked(), 'world');
    const run = await worldline(['push', '--json'], { cwd, env: { CI: '1' } });
    expect([run.exit, run.json().error.code]).toEqual([7, 'import.lock_missing']);
    expect(existsSync(join(cwd, '.worldline'))).toBe(false);
  });

  test('sync lock writes them, again changes nothing, --check agrees; a change of the import is noticed', async () => {
    const root = unlocked();
    const cwd = join(root, 'world');
    expect((await worldline(['sync', 'lock', '--check'], { cwd })).exit).toBe(7);
    expect((await worldline(['sync', 'lock', '--json'], { cwd })).json().data).toMatchObject({ changed: true });
    const written = readFileSync(join(cwd, 'worldline.json'), 'utf8');
    expect((await worldline(['sync', 'lock', '--json'], { cwd })).json().data).toMatchObject({ changed: false });
    expect(readFileSync(join(cwd, 'worldline.json'), 'utf8')).toBe(written);
    expect((await worldline(['sync', 'lock', '--check'], { cwd })).exit).toBe(0);
    expect((await checked(root, { CI: '1' })).findings).toEqual([]);

    writeFileSync(join(root, 'shared/defs.json'), JSON.stringify(schema('lib/Thing@1', { nat: {} })));
    expect((await checked(root, { CI: '1' })).codes).toEqual(['import.lock_mismatch']);
    expect((await worldline(['sync', 'lock', '--check'], { cwd })).exit).toBe(7);
    const other = await worldline(['sync', 'lock', '--update', '../nowhere', '--json'], { cwd });
    expect([other.exit, other.json().error.code]).toEqual([4, 'not_found']);
    expect((await worldline(['sync', 'lock', '--update', '../shared'], { cwd })).exit).toBe(0);
    expect((await checked(root, { CI: '1' })).findings).toEqual([]);
  });

  test('a text compares the definitions alone, an object each of its members', async () => {
    const root = unlocked();
    const map = join(root, 'world/worldline.json');
    const hash = String((await checked(root)).imports[0]!['defs_hash']);
    const lockedBy = async (lock: unknown) => {
      writeFileSync(map, JSON.stringify(imports({ path: '../shared', lock })));
      return (await checked(root)).codes;
    };
    expect(await lockedBy(hash)).toEqual([]);
    expect(await lockedBy({ defs_hash: hash })).toEqual([]);
    expect(await lockedBy({ defs_hash: hash, source: 'path', path: '../shared' })).toEqual([]);
    expect(await lockedBy({ defs_hash: hash, path: '../other' })).toEqual(['import.lock_mismatch']);
    expect(await lockedBy(`sha256:${'0'.repeat(64)}`)).toEqual(['import.lock_mismatch']);
  });

  test('the hash does not depend on layout, order of members, or copies; it does on any definition', () => {
    const seeds = [20261128, Date.now() & 0x7fffffff];
    const nodeArb = fc.record({ name: fc.stringMatching(/^[a-z]{1,3}$/), a: fc.nat(5), b: fc.boolean() });
    for (const seed of seeds) {
      fc.assert(
        fc.property(
          fc.uniqueArray(nodeArb, { minLength: 1, selector: ({ name }) => name }),
          fc.nat(),
          (nodes, pick) => {
            const rows = (list: readonly Record<string, unknown>[]) =>
              list.map((json) => ({ json: json as never, kind: 'defschema', name: String(json['name']) }));
            const hash = defsHash(rows(nodes));
            const turned = [...nodes].reverse().map(({ name, a, b }) => ({ b, a, name }));
            expect(defsHash(rows([...turned, turned[0]!]))).toBe(hash);
            const at = pick % nodes.length;
            const changed = nodes.map((node, i) => (i === at ? { ...node, a: node.a + 1 } : node));
            expect(defsHash(rows(changed))).not.toBe(hash);
          },
        ),
        { seed, verbose: 1 },
      );
    }
  });
});

describe('writing locks into worldline.json', () => {
  const LOCK = { source: 'path', defs_hash: 'sha256:x' } as const;

  test.each([
    ['one line', '{"air":{"imports":[{"path":"a"}]}}', '{"air":{"imports":[{"path":"a", "lock": LOCK}]}}'],
    [
      'own lines',
      '{\n\t"air": { "imports": [\n\t\t{\n\t\t\t"path": "a"\n\t\t}\n\t] }\n}\n',
      '{\n\t"air": { "imports": [\n\t\t{\n\t\t\t"path": "a",\n\t\t\t"lock": LOCK\n\t\t}\n\t] }\n}\n',
    ],
    [
      'an old lock, in the middle',
      '{"air":{"imports":[{"lock" : {"defs_hash": "}"} , "path":"a"}]}}',
      '{"air":{"imports":[{"lock" : LOCK , "path":"a"}]}}',
    ],
    [
      'an old text',
      '{"air":{"imports":[{"path":"a","lock":"x\\"}"}]}}',
      '{"air":{"imports":[{"path":"a","lock":LOCK}]}}',
    ],
    ['null', '{"air":{"imports":[{"path":"a","lock":null}]}}', '{"air":{"imports":[{"path":"a","lock":LOCK}]}}'],
  ])('%s', (_, before, after) => {
    const edited = withLocks(before, [{ index: 0, lock: LOCK }]);
    expect(edited).toBe(after.replace('LOCK', JSON.stringify(LOCK)));
    expect(parseJson(edited).ok).toBe(true);
  });

  test('several at once', () => {
    const text = '{ "air": { "imports": [{ "path": "a" }, { "path": "b" }] } }';
    const edited = withLocks(text, [
      { index: 0, lock: 'one' },
      { index: 1, lock: 'two' },
    ]);
    expect(unwrap(parseJson(edited))).toEqual({
      air: {
        imports: [
          { path: 'a', lock: 'one' },
          { path: 'b', lock: 'two' },
        ],
      },
    });
  });
});

test('PK007: only a definition that is the same is a copy; another one is a conflict and nothing else', async () => {
  const plan = (parts: object) => ({
    $kind: 'defplan',
    name: 'lib/core_done@1',
    input: 'lib/Thing@1',
    steps: [{ id: 'done', op: 'end' }],
    ...parts,
  });
  const codesWith = async (own: object) =>
    others(
      (
        await checked(
          folderWith({
            'plan-packs/lib/defs.json': [schema('lib/Thing@1'), plan({})],
            'world/air/manifest.json': manifest(['lib/Thing@1'], { plans: [{ name: 'lib/core_done@1' }] }),
            'world/air/own.json': own,
            'world/worldline.json': imports({ path: '../plan-packs/lib' }),
          }),
        )
      ).codes,
    );
  expect(await codesWith(plan({}))).toEqual(['PK007']);
  // Written otherwise, and the same.
  expect(await codesWith(plan({ required_caps: [], edges: [] }))).toEqual(['PK007']);
  expect(await codesWith(plan({ steps: [{ id: 'finished', op: 'end' }] }))).toEqual(['import.conflict']);
});

test('the packs of this repository are imported as packages, by name of pack', async () => {
  const root = folderWith({
    'world/air/manifest.json': manifest([
      'pack.deadline/FetchRequest@1',
      'pack.deadline/FetchResult@1',
      'pack.deadline/FetchSettled@1',
    ]),
    'world/worldline.json': imports({ npm: { package: '@worldline/deadline-race', pack: 'deadline-race' } }),
  });
  mkdirSync(join(root, 'node_modules/@worldline'), { recursive: true });
  symlinkSync(join(PACKS, 'deadline-race'), join(root, 'node_modules/@worldline/deadline-race'));
  const { codes, imports: found } = await checked(root);
  expect(others(codes)).toEqual([]);
  expect(found).toMatchObject([
    {
      pack: 'deadline-race',
      source: 'npm',
      version: '0.1.0',
      has_plans: true,
      turnkey_capable: true,
      composable_core_capable: true,
      unknown_role_plans: [],
    },
  ]);
  const [core, entry] = found[0]!['contracts'] as Record<string, unknown>[];
  const needs = { required_caps: ['cap_http', 'cap_timer'], allowed_effects: ['http.request', 'timer.set'] };
  expect(core).toMatchObject({ role: 'core', ...needs, output: 'pack.deadline/FetchResult@1', children: [] });
  // What its child needs, the entry plan needs.
  expect(entry).toMatchObject({
    role: 'entry',
    ...needs,
    input: 'pack.deadline/FetchRequest@1',
    emitted_events: ['pack.deadline/FetchSettled@1'],
    awaited_events: [],
    children: ['pack.deadline/core_fetch_by_deadline@1'],
  });
  expect(readSyncFile(join(root, 'world')).imports).toHaveLength(1);
});
