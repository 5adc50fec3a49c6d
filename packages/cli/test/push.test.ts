import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { cleanUp, daemon, emptyFolder, worldline, worldOf } from './support.ts';

/** Folder and world (packs.md §6, §7; governance.md §6). Tests start the built command: npx tsc -b packages/cli */

afterAll(cleanUp);

const GREET = 'hello/greet@1';
const HASH = expect.stringMatching(/^sha256:[0-9a-f]{64}$/);
const PLANS = 'air/plans.air.json';

async function run(world: string, ...args: string[]) {
  const done = await worldline([...args, '--json'], { cwd: world });
  return { exit: done.exit, ...done.json() };
}

async function data(world: string, ...args: string[]) {
  const { exit, data, error } = await run(world, ...args);
  expect({ args, exit, error }).toEqual({ args, exit: 0, error: undefined });
  return data;
}

// biome-ignore lint/suspicious/noExplicitAny: authored JSON of every shape
function edit(world: string, file: string, change: (json: any) => any): void {
  const path = join(world, file);
  writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8'))), undefined, 2));
}

/** Another greeting, so another definition of the plan. */
function greetWith(world: string, greeting: string): void {
  edit(world, PLANS, (plan) => {
    const compose = plan.steps.find((step: { id: string }) => step.id === 'compose');
    compose.expr.record.text.args[0].text = greeting;
    return plan;
  });
}

/** A plan that waits for a second question. */
function waits(world: string): void {
  edit(world, PLANS, (plan) => ({
    ...plan,
    steps: [{ id: 'wait', op: 'await_event', event: 'hello/Asked@1', bind: { as: 'asked' } }, ...plan.steps],
    edges: [{ from: 'wait', to: 'compose' }, ...plan.edges],
  }));
}

const files = (world: string) =>
  Object.fromEntries(
    readdirSync(join(world, 'air'))
      .sort()
      .map((name) => [name, readFileSync(join(world, 'air', name), 'utf8')]),
  );

/** Everything that a world keeps. Readers of a database leave index files beside it, whatever they read. */
const kept = (world: string) =>
  readdirSync(join(world, '.worldline'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/-(shm|wal)$/.test(entry.name))
    .map((entry) => [entry.name, readFileSync(join(entry.parentPath, entry.name)).toString('base64')]);

let template: Promise<string> | undefined;

/** A world that runs what the template says. */
async function pushed(): Promise<string> {
  template ??= (async () => {
    const world = worldOf('minimal');
    await data(world, 'push');
    return world;
  })();
  const world = emptyFolder();
  cpSync(await template, world, { recursive: true });
  return world;
}

describe('push', () => {
  test('makes the world at first, then changes it; nothing to change is "unchanged" and journals nothing', async () => {
    const world = worldOf('minimal');
    expect(await data(world, 'push', '--dry-run')).toMatchObject({ changed: true, created: true, dry_run: true });
    expect(existsSync(join(world, '.worldline', 'world.json'))).toBe(false);
    const created = await data(world, 'push');
    expect(created).toMatchObject({ manifest_hash: HASH, changed: true, created: true });
    const before = kept(world);
    expect(await data(world, 'push')).toMatchObject({ manifest_hash: created.manifest_hash, changed: false });
    expect(kept(world)).toEqual(before);

    greetWith(world, 'Good day, ');
    const changed = await data(world, 'push');
    expect(changed).toMatchObject({
      manifest_base: created.manifest_hash,
      patch_hash: HASH,
      summary: { ops: ['replace_def', 'set_manifest_refs'], manifest_sections: ['manifest_refs'] },
      authority: [],
      pinned: [],
      kept: [],
      workspaces: [],
    });
    const { entries } = await data(world, 'journal', 'tail', '--kinds', 'governance,manifest,snapshot');
    // biome-ignore lint/suspicious/noExplicitAny: one entry of the answer
    expect(entries.map((entry: any) => entry.kind)).toEqual([
      'manifest',
      'snapshot',
      'governance',
      'manifest',
      'snapshot',
    ]);
    expect(await data(world, 'replay', '--verify', '--from-genesis')).toMatchObject({ match: true });
  });

  test('--dry-run writes nothing at all and tells definitions, sections, authority and pinned runs', async () => {
    const world = worldOf('minimal');
    waits(world);
    await data(world, 'push');
    await data(world, 'plans', 'start', GREET, '{"name": "Ada"}');
    const before = kept(world);
    greetWith(world, 'Good day, ');
    edit(world, 'air/manifest.air.json', (manifest) => ({
      ...manifest,
      defaults: { cap_grants: [{ name: 'web', cap: 'sys/http.out@1', params: { hosts: ['example.org'] } }] },
    }));
    const shown = await data(world, 'push', '--dry-run');
    expect(shown).toMatchObject({
      dry_run: true,
      changed: true,
      patch: { version: '1', base_manifest_hash: HASH },
      summary: {
        def_changes: [{ kind: 'defplan', name: GREET, action: { changed: null } }],
        manifest_sections: ['defaults', 'manifest_refs'],
      },
      authority: [{ ledger: 'grant', name: 'web', change: 'added' }],
      pinned: [{ plan: GREET, count: 1, plan_ids: [0] }],
    });
    const human = await worldline(['push', '--dry-run'], { cwd: world });
    expect(human.stdout).toContain(`~ plan ${GREET}`);
    expect(human.stdout).toContain('+ grant web');
    expect(human.stdout).toContain(`1 run under way ends as begun: ${GREET} (1)`);
    expect(kept(world)).toEqual(before);

    // What was shown is what is done, and the run that is under way keeps its greeting.
    expect((await data(world, 'push')).manifest_hash).toBe(shown.manifest_hash);
    await data(world, 'event', 'send', 'hello/Asked@1', '{"name": "Bob"}');
    expect((await data(world, 'plans', 'get', '0')).result).toMatchObject({ text: 'Hello, Ada' });
  });

  test('works beside a running world, which switches and takes a snapshot', async () => {
    const world = await pushed();
    const running = await daemon(world);
    greetWith(world, 'Good day, ');
    const { manifest_hash } = await data(world, 'push', '--mode', 'daemon');
    expect(await data(world, 'status')).toMatchObject({ manifest_hash, folder_differs: false });
    await data(world, 'plans', 'start', GREET, '{"name": "Ada"}', '--wait');
    const [last] = (await data(world, 'plans', 'ls')).plans;
    expect((await data(world, 'plans', 'get', String(last.plan_id))).result).toMatchObject({ text: 'Good day, Ada' });
    expect((await running.stop()).exit).toBe(0);
    expect(await data(world, 'replay', '--verify', '--from-genesis')).toMatchObject({ match: true });
  });

  test('what only the world has is kept and named; --prune-defs removes it', async () => {
    const world = await pushed();
    edit(world, 'air/manifest.air.json', (manifest) => ({ ...manifest, plans: [], triggers: [] }));
    rmSync(join(world, PLANS));
    const kept = await run(world, 'push');
    expect(kept.data).toMatchObject({ changed: true, kept: [{ kind: 'plan', name: GREET }] });
    expect(kept.warnings).toEqual([expect.stringContaining('--prune-defs')]);
    expect((await data(world, 'plans', 'start', GREET, '{"name": "Ada"}', '--wait')).plan_id).toBe(0);
    const pruned = await data(world, 'push', '--prune-defs');
    expect(pruned.summary.def_changes).toEqual([{ kind: 'defplan', name: GREET, action: { removed: null } }]);
    expect(await run(world, 'plans', 'start', GREET, '{"name": "Ada"}')).toMatchObject({
      exit: 4,
      error: { code: 'plan.unknown' },
    });
  });

  test('definitions that check refuses are refused with its findings, and nothing is written', async () => {
    const world = await pushed();
    const before = kept(world);
    edit(world, PLANS, (plan) => ({ ...plan, input: 'hello/Akked@1' }));
    const refused = await run(world, 'push');
    expect(refused).toMatchObject({ exit: 1, error: { code: 'manifest.validation' } });
    expect(refused.error.details.failures[0]).toMatchObject({ code: 'schema.not_found', file: PLANS });
    expect(kept(world)).toEqual(before);
  });

  test('keeping what the folder lacks may not load: then the reason and --prune-defs are named', async () => {
    const world = worldOf('minimal');
    const steps = [{ id: 'say', op: 'raise_event', event: 'hello/Said@1', value: { text: 'hi' } }];
    const said = { $kind: 'defschema', name: 'hello/Said@1', type: { record: { text: { text: {} } } } };
    const fixed = { $kind: 'defplan', name: 'hello/fixed@1', input: 'hello/Asked@1', steps };
    const list = (...plans: string[]) =>
      edit(world, 'air/manifest.air.json', (manifest) => ({
        ...manifest,
        schemas: ['hello/Asked@1', 'hello/Greeted@1', 'hello/Said@1'].map((name) => ({ name })),
        plans: plans.map((name) => ({ name })),
      }));
    writeFileSync(join(world, 'air', 'said.air.json'), JSON.stringify(said));
    writeFileSync(join(world, 'air', 'fixed.air.json'), JSON.stringify(fixed));
    list(GREET, 'hello/fixed@1');
    await data(world, 'push');
    rmSync(join(world, 'air', 'fixed.air.json'));
    list(GREET);
    writeFileSync(join(world, 'air', 'said.air.json'), JSON.stringify({ ...said, type: { text: {} } }));
    const refused = await run(world, 'push');
    expect(refused).toMatchObject({ exit: 1, error: { code: 'manifest.validation' } });
    expect(refused.error.details.hint).toContain('--prune-defs');
    await data(world, 'push', '--prune-defs');
  });

  test('governance.direct_apply: false refuses with exit 5, a first push and a dry run still work', async () => {
    const world = worldOf('minimal');
    writeFileSync(join(world, 'worldline.host.json'), '{"governance": {"direct_apply": false}}');
    await data(world, 'push');
    greetWith(world, 'Good day, ');
    await data(world, 'push', '--dry-run');
    const before = kept(world);
    expect(await run(world, 'push')).toMatchObject({ exit: 5, error: { code: 'governance.direct_apply_disabled' } });
    expect(kept(world)).toEqual(before);
  });
});

describe('pull', () => {
  test('into an empty folder gives equal definitions: a world made of them has the same manifest', async () => {
    const world = await pushed();
    const { manifest_hash } = await data(world, 'push');
    const copy = emptyFolder();
    rmSync(join(world, 'air'), { recursive: true });
    const { files: made } = await data(world, 'pull');
    expect(made).toMatchObject([
      { path: 'air/manifest.air.json', status: 'created' },
      { path: PLANS, status: 'created' },
      { path: 'air/schemas.air.json', status: 'created' },
    ]);
    const first = files(world);
    expect(await data(world, 'push')).toMatchObject({ changed: false });
    mkdirSync(join(copy, 'air'));
    for (const [name, text] of Object.entries(first)) writeFileSync(join(copy, 'air', name), text);
    expect(await data(copy, 'push')).toMatchObject({ created: true, manifest_hash });
    // The same bytes whenever it is done.
    rmSync(join(world, 'air'), { recursive: true });
    await data(world, 'pull');
    expect(files(world)).toEqual(first);
  });

  test('leaves alone what is the same, comments and order included', async () => {
    const world = await pushed();
    const before = files(world);
    const pulled = await data(world, 'pull');
    expect(pulled.files.map((file: { status: string }) => file.status)).toEqual([
      'unchanged',
      'unchanged',
      'unchanged',
    ]);
    expect(files(world)).toEqual(before);
    expect(await data(world, 'push')).toMatchObject({ changed: false });
  });

  test('refuses to overwrite what was never pushed; --force gives it up', async () => {
    const world = await pushed();
    greetWith(world, 'Good day, ');
    expect((await data(world, 'pull', '--dry-run')).files).toContainEqual({
      path: PLANS,
      status: 'changed',
      replaces: [`plan ${GREET}`],
      local_changes: true,
    });
    const mine = files(world);
    const refused = await run(world, 'pull');
    expect(refused).toMatchObject({ exit: 6, error: { code: 'sync.local_changes' } });
    expect(refused.error.details.failures[0]).toMatchObject({ file: PLANS });
    expect(files(world)).toEqual(mine);
    await data(world, 'pull', '--force');
    expect(await data(world, 'push')).toMatchObject({ changed: false });
  });

  test('takes a change that came from elsewhere into a folder that nobody touched', async () => {
    const world = await pushed();
    const state = join(world, '.worldline', 'sync-state.json');
    const [before, synced] = [files(world), readFileSync(state)];
    greetWith(world, 'Good day, ');
    await data(world, 'push');
    // As the folder of somebody who did not push.
    for (const [name, text] of Object.entries(before)) writeFileSync(join(world, 'air', name), text);
    writeFileSync(state, synced);
    const { files: changed } = await data(world, 'pull');
    expect(changed.map((file: { status: string }) => file.status)).toEqual(['unchanged', 'changed', 'unchanged']);
    expect(readFileSync(join(world, PLANS), 'utf8')).toContain('Good day, ');
    expect(files(world)['schemas.air.json']).toBe(before['schemas.air.json']);
  });

  test('--check-clean writes nothing and exits 7 when folder and world differ', async () => {
    const world = await pushed();
    expect((await run(world, 'pull', '--check-clean')).exit).toBe(0);
    greetWith(world, 'Good day, ');
    const before = files(world);
    const checked = await run(world, 'pull', '--check-clean');
    expect(checked).toMatchObject({ exit: 7, data: { files: [{}, { status: 'changed' }, {}] } });
    expect(files(world)).toEqual(before);
  });

  test('--prune removes definitions that only the folder has, and the files that are empty then', async () => {
    const world = await pushed();
    const extra = { $kind: 'defschema', name: 'hello/Extra@1', type: { text: {} } };
    writeFileSync(join(world, 'air', 'extra.air.json'), JSON.stringify(extra));
    expect((await run(world, 'pull')).data.files).toContainEqual({
      path: 'air/extra.air.json',
      status: 'unchanged',
      replaces: [],
    });
    const pruned = await data(world, 'pull', '--prune');
    expect(pruned.files).toContainEqual({
      path: 'air/extra.air.json',
      status: 'removed',
      replaces: ['schema hello/Extra@1'],
    });
    expect(existsSync(join(world, 'air', 'extra.air.json'))).toBe(false);
    // What cannot be read cannot be merged either.
    writeFileSync(join(world, 'air', 'broken.air.json'), '{');
    expect(await run(world, 'pull')).toMatchObject({ exit: 1, error: { code: 'json.invalid' } });
  });
});

describe('manifest get', () => {
  test('the canonical manifest, as JSON and as the bytes that its hash is taken of', async () => {
    const world = await pushed();
    const { data: manifest, meta } = await run(world, 'manifest', 'get');
    expect(manifest).toMatchObject({ air_version: '1', plans: [{ name: GREET, hash: HASH }] });
    const bin = fileURLToPath(new URL('../bin/worldline.js', import.meta.url));
    const bytes = spawnSync(process.execPath, [bin, 'manifest', 'get', '--raw'], { cwd: world }).stdout;
    expect(`sha256:${createHash('sha256').update(bytes).digest('hex')}`).toBe(meta.manifest_hash);
  });

  test('as it was at every height of the journal', async () => {
    const world = await pushed();
    const { data: before, meta } = await run(world, 'manifest', 'get');
    greetWith(world, 'Good day, ');
    const { data: after } = await run(world, 'push');
    expect(after.manifest_base).toBe(meta.manifest_hash);
    const at = async (text: string) => (await run(world, 'manifest', 'get', '--consistency', text)).meta?.manifest_hash;
    // The batch of the change is two records: who asked, then the switch.
    const height = meta.journal_height;
    expect(await at(`exact:${height + 1}`)).toBe(after.manifest_base);
    expect(await at(`exact:${height + 2}`)).toBe(after.manifest_hash);
    expect(await at(' AT_LEAST:1 ')).toBe(after.manifest_hash);
    expect(before.plans).toHaveLength(1);
    expect(await run(world, 'manifest', 'get', '--consistency', 'exact:100000')).toMatchObject({
      exit: 6,
      error: { code: 'query.height_unavailable' },
    });
    expect(await run(world, 'manifest', 'get', '--consistency', 'soon')).toMatchObject({
      error: { code: 'query.bad_consistency' },
    });
  });
});
