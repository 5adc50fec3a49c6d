import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { workerId } from '@worldline/host';
import { afterAll, describe, expect, test } from 'vitest';
import { cleanUp, emptyFolder, start, worldline, worldOf } from './support.ts';

/** `worldline gates` as a user runs it: the suite itself is tested in `test/gates`. */

afterAll(cleanUp);

const QUICK = ['gates', '--count', '5', '--only', 'duplicates,cross-talk,fan-out'];

interface Gate {
  readonly gate: string;
  readonly verdict: string;
  readonly not_applicable: readonly string[];
}

/** A world of the template, with a `gates.json`. */
function withGates(gates: unknown): string {
  const world = worldOf('http');
  writeFileSync(join(world, 'gates.json'), typeof gates === 'string' ? gates : JSON.stringify(gates));
  return world;
}

describe('worldline gates', () => {
  test('every gate has its verdict, and one without anything to try says why', async () => {
    const run = await worldline([...QUICK, '--json'], { cwd: worldOf('http') });
    expect(run.exit).toBe(0);
    const { data } = run.json();
    expect(data).toMatchObject({ passed: true, seed: 1, flows: [{ name: 'web/Wanted@1', plan: 'web/fetch@1' }] });
    expect(data.gates.map(({ gate, verdict }: Gate) => `${gate} ${verdict}`)).toEqual([
      'duplicates passed',
      'cross-talk passed',
      'fan-out not_applicable',
    ]);
    expect(data.gates[2].not_applicable).toEqual(['no run starts children for a list (spawn_for_each)']);
  });

  test('a table for people', async () => {
    const run = await worldline(QUICK, { cwd: worldOf('http') });
    expect(run.exit).toBe(0);
    expect(run.stdout).toMatch(/^GATE +VERDICT +TRIED\nduplicates +passed/);
    expect(run.stdout).toContain('all gates passed, seed 1');
  });

  test('the same seed does the same', async () => {
    const args = [...QUICK, '--seed', '77', '--json'];
    const [first, second] = await Promise.all([
      worldline(args, { cwd: worldOf('http') }),
      worldline(args, { cwd: worldOf('http') }),
    ]);
    expect(first.stdout).toBe(second.stdout);
  });

  test('a gate that fails is exit 7, with the flow and what to look at', async () => {
    const world = withGates({ flows: [{ event: 'web/Wanted@1', settled: { event: 'web/Fetched@1' } }] });
    const plans = join(world, 'air', 'plans.air.json');
    // Failed answers lead nowhere any more.
    writeFileSync(plans, readFileSync(plans, 'utf8').replace('"op": "ne"', '"op": "eq"'));
    const run = await worldline(['gates', '--count', '30', '--only', 'cross-talk'], { cwd: world });
    expect(run.exit).toBe(7);
    expect(run.stdout).toContain('FAILED');
    expect(run.stdout).toContain('web/Wanted@1: one of many requests at once has 0 events web/Fetched@1, not one');
    expect(run.stdout).toContain('1 of 1 gates failed, seed 1');
  });

  test('the world folder may be named, and one that is none is not found', async () => {
    const [elsewhere, there] = [{ cwd: '/' }, worldOf('http')];
    const run = await worldline(['gates', there, '--count', '5', '--only', 'duplicates'], elsewhere);
    expect([run.exit, run.stdout]).toEqual([0, expect.stringContaining('all gates passed')]);
    const none = await worldline(['gates', join(there, 'air')], elsewhere);
    expect([none.exit, none.stderr]).toEqual([4, expect.stringContaining('not_found')]);
  });

  test('a folder and a --world that names another one contradict each other', async () => {
    const [one, other] = [worldOf('http'), worldOf('http')];
    const both = await worldline(['--world', other, 'gates', one, '--print', '--json'], { cwd: '/' });
    expect([both.exit, both.json().error.code]).toEqual([2, 'invalid_request']);
    const same = await worldline(['--world', `${one}/.`, 'gates', one, '--print'], { cwd: '/' });
    expect(same.exit).toBe(0);
    // What the environment says is for whoever names no folder.
    const named = await worldline(['gates', one, '--print'], { cwd: '/', env: { WORLDLINE_WORLD: '/nowhere' } });
    expect(named.exit).toBe(0);
  });

  test('nothing of the world is opened, made or changed', async () => {
    const world = worldOf('http');
    const before = await worldline(['status', '--json'], { cwd: world });
    await worldline(QUICK, { cwd: world });
    const after = await worldline(['status', '--json'], { cwd: world });
    expect(after).toMatchObject({ exit: before.exit, stdout: before.stdout });
  });

  test('--print writes what it drives the world with, and the file is taken back', async () => {
    const printed = await worldline(['gates', '--print'], { cwd: worldOf('http') });
    expect(JSON.parse(printed.stdout).flows).toMatchObject([
      { event: 'web/Wanted@1', id: 'id', request: { id: '${id}', url: 'https://example.com/${id}' } },
    ]);
    const run = await worldline([...QUICK, '--json'], { cwd: withGates(printed.stdout) });
    expect(run.exit).toBe(0);
  });
});

describe('what it refuses', () => {
  test.each([
    ['{', 'gates.schema', 'gates.json:1:2'],
    [{ flow: [] }, 'gates.schema', 'unknown key "flow"'],
    [{ flows: [{}] }, 'gates.schema', 'neither "event" nor "plan"'],
    [{ flows: [{ event: 'no name' }] }, 'gates.schema', 'expected a name'],
    [{ receipts: [{ payload: 1 }] }, 'gates.schema', '"kind" is missing'],
    [{ receipts: [{ kind: 'http.request', status: 'fine' }] }, 'gates.schema', 'expected one of ok, error, timeout'],
    [{ flows: [{ event: 'web/Nothing@1' }] }, 'gates.flow', 'no trigger or plan'],
    [{ receipts: [{ kind: 'llm.generate' }] }, 'gates.flow', 'no effect of kind llm.generate'],
    [{ flows: [{ event: 'web/Wanted@1', request: { id: 5 } }] }, 'gates.flow', 'web/Wanted@1'],
    [
      { flows: [{ event: 'web/Wanted@1', request: { id: '${id}', url: 'https://elsewhere.example/' } }] },
      'gates.flow',
      'a request ends with cap_denied in step "ask"',
    ],
  ])('%j is %s', async (gates, code, message) => {
    const run = await worldline([...QUICK, '--json'], { cwd: withGates(gates) });
    expect(run.exit).not.toBe(0);
    expect(run.json().error.code).toBe(code);
    expect(run.json().error.message).toContain(message);
  });

  test.each([
    [['--only', 'replays'], 'there is no gate "replays"'],
    [['--count', '0'], '--count is at least 1'],
    [['--gates', 'nowhere.json'], 'there is no file nowhere.json'],
  ])('%j', async (args, message) => {
    const run = await worldline(['gates', ...args], { cwd: worldOf('http') });
    expect([2, 4]).toContain(run.exit);
    expect(run.stderr).toContain(message);
  });

  test('definitions with errors are for "worldline check"', async () => {
    const world = worldOf('http');
    const plans = join(world, 'air', 'plans.air.json');
    writeFileSync(plans, readFileSync(plans, 'utf8').replace('"cap_web"', '"cap_wbe"'));
    const run = await worldline(['gates', '--json'], { cwd: world });
    expect(run.json().error.code).toBe('manifest.validation');
  });
});

describe('what it keeps for as long as it runs', () => {
  const CRASH = ['gates', '--only', 'crash', '--count', '1'];
  const kept = (folder: string) => readdirSync(folder).filter((name) => name.startsWith('worldline-gates-'));
  /** Killed while its folder is there; ended when this resolves. @returns where its folder was. */
  async function killed(signal: NodeJS.Signals): Promise<string> {
    const [cwd, temporary] = [worldOf('http'), emptyFolder()];
    const command = start(CRASH, { cwd, env: { TMPDIR: temporary } });
    while (!kept(temporary).some((name) => existsSync(join(temporary, name, 'store')))) await command.running();
    command.kill(signal);
    await command.ended;
    return temporary;
  }

  test.each(['SIGTERM', 'SIGHUP'] as const)('is gone after %s', async (signal) => {
    expect(kept(await killed(signal))).toEqual([]);
  });

  test('is removed by the next run after SIGKILL, and never while its process lives', async () => {
    const temporary = await killed('SIGKILL');
    expect(kept(temporary)).toHaveLength(1);
    const mine = join(temporary, 'worldline-gates-mine');
    mkdirSync(mine);
    writeFileSync(join(mine, 'owner'), await workerId());
    const run = await worldline(CRASH, { cwd: worldOf('http'), env: { TMPDIR: temporary } });
    expect(run.exit).toBe(0);
    expect(kept(temporary)).toEqual(['worldline-gates-mine']);
  });
});
