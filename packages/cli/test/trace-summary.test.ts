import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { callWorld, wanted } from './call-world.ts';
import { cleanUp, emptyFolder, worldline } from './support.ts';

/** Run summaries through the built command (summaries.md §7–§9); what they count is explained in packages/summary. */

// Each command is a process of its own, and a busy machine starts them slowly.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });
afterAll(cleanUp);

let world: string;
const run = (...args: string[]) => worldline(['trace-summary', ...args], { cwd: world });

beforeAll(async () => {
  world = callWorld();
  for (const [id, plan] of [
    ['a', 'call'],
    ['b', 'ask'],
  ] as const)
    await worldline(['event', 'send', 't/Wanted@1', wanted(id, plan)], { cwd: world });
});

describe('files and formats', () => {
  test('--out is repeatable, and the end of the name says what is written', async () => {
    const filed = await run('--label', 'desk', '--out', 's.json', '--out', 's.md', '--out', 's.txt', '--json');
    expect(filed.exit).toBe(0);
    const text = readFileSync(join(world, 's.json'), 'utf8');
    expect(JSON.parse(text)).toEqual(filed.json().data);
    expect(text).toBe(`${JSON.stringify(JSON.parse(text), undefined, 2)}\n`);
    expect(readFileSync(join(world, 's.txt'), 'utf8')).toBe((await run()).stdout);
    const markdown = readFileSync(join(world, 's.md'), 'utf8');
    expect(markdown).toMatch(/^# Plan runs of desk\n/);
    expect((await run('--label', 'desk', '--format', 'md')).stdout).toBe(markdown);
  });

  test('what cannot be done is said', async () => {
    expect((await run('--format', 'md', '--json')).json().error).toMatchObject({ code: 'invalid_request' });
    const nowhere = await run('--out', 'no/such/folder/s.json', '--json');
    expect([nowhere.exit, nowhere.json().error.code]).toEqual([1, 'host_error']);
  });

  test('a plan that never ran is said, beside what there is', async () => {
    const typo = await run('--plan', 't/cal@1');
    expect([typo.exit, typo.stderr]).toEqual([0, expect.stringContaining('no run of t/cal@1')]);
    expect((await run('--plan', 't/call@1')).stderr).not.toContain('no run of');
  });
});

test('a range behind the end of the journal is said: zeros alone would pass for a quiet world', async () => {
  const behind = await run('--from', '1000000');
  expect([behind.exit, behind.stderr]).toEqual([
    0,
    expect.stringContaining('the journal holds nothing from 1000000 on'),
  ]);
  expect((await run('--from', '1')).stderr).not.toContain('holds nothing');
});

describe('--check', () => {
  const check = async (thresholds: string, ...flags: string[]) => {
    writeFileSync(join(world, 'thresholds.json'), thresholds);
    return run('--check', 'thresholds.json', ...flags);
  };

  test('thresholds that hold: exit 0, and the summary is there', async () => {
    const held = await check('{"totals.runs.live": {"max": 1}, "totals.errors.*": {"max": 0}}');
    expect([held.exit, held.stdout.trimEnd().split('\n').at(-1)]).toEqual([0, 'all 2 thresholds hold']);
    const json = (await check('{"plans[t/ask@1].runs.live": {"min": 1}}', '--json')).json();
    expect(json.data).toMatchObject({ v: 1, check: { ok: true, thresholds: 1, problems: [] } });
  });

  test('every violation is listed, with exit 7', async () => {
    const thresholds = '{"totals.runs.live": {"max": 0}, "totals.nothing": {"max": 0}, "totals.runs.ok": {"max": 9}}';
    const broken = await check(thresholds, '--quiet', '--out', 'broken.json');
    expect(broken.exit).toBe(7);
    expect(broken.stdout.trimEnd().split('\n').slice(-2)).toEqual([
      'summary.threshold  totals.runs.live is 1, at most 0 is allowed',
      expect.stringContaining('summary.threshold  totals.nothing matches nothing in the summary'),
    ]);
    const json = await check(thresholds, '--json');
    expect([json.exit, json.json().data.check]).toMatchObject([
      7,
      { ok: false, thresholds: 3, problems: [{ code: 'summary.threshold' }, { code: 'summary.threshold' }] },
    ]);
    // The file holds what the journal says, whatever was asked of it.
    expect(Object.keys(JSON.parse(readFileSync(join(world, 'broken.json'), 'utf8')))).not.toContain('check');
  });

  test('a file that holds no thresholds is refused before anything is read', async () => {
    const faults = await check('{"totals.runs.live": {"most": 0}}', '--json');
    expect(faults.exit).toBe(2);
    expect(faults.json().error).toMatchObject({
      code: 'invalid_request',
      details: { failures: [{ pointer: '/totals.runs.live/most' }, { pointer: '/totals.runs.live' }] },
    });
    expect((await run('--check', 'nowhere.json', '--json')).json().error.code).toBe('not_found');
  });
});

describe('--journal', () => {
  test('an exported journal and the folder of a world say what the world itself says', async () => {
    const exported = await worldline(['journal', 'export', 'a.wlj', '--json'], { cwd: world });
    expect(exported.json()).toMatchObject({
      data: { file: 'a.wlj', from: 0, to: exported.json().meta.journal_height - 1, batches: expect.any(Number) },
    });
    const all = ['--instances', '--correlations', '--json', '--no-meta'];
    const live = await run(...all);
    expect(live.json().data.instances).toHaveLength(2);
    const elsewhere = emptyFolder();
    for (const journal of [join(world, 'a.wlj'), world]) {
      const read = await worldline(['trace-summary', '--journal', journal, ...all], { cwd: elsewhere });
      expect(read.stdout).toBe(live.stdout);
    }
    const part = ['--from', '3', '--to', '6', '--json', '--no-meta'];
    expect((await run('--journal', 'a.wlj', ...part)).stdout).toBe((await run(...part)).stdout);
  });

  test('several are one view, each with its label', async () => {
    await worldline(['journal', 'export', 'b.wlj'], { cwd: world });
    const seen = await run(
      '--journal',
      'b.wlj',
      '--journal',
      world,
      '--label',
      'left',
      '--correlation',
      '"a"',
      '--json',
    );
    expect(seen.json().data).toMatchObject({
      v: 1,
      worlds: [{ label: 'left' }, { label: basename(world) }],
      flows: [{ correlation: 'a', state: 'settled', worlds: [{ world: 'left', runs: 1 }, { runs: 1 }] }],
    });
    const human = await run('--journal', 'b.wlj', '--journal', world, '--label', 'left', '--correlation', '"a"');
    expect(human.stdout).toMatch(/^left\nplan runs /);
    expect(human.stdout).toMatch(/\nflow "a" +A: left +B: /);
    expect(human.stdout).toMatch(/\nsettled: 1 run A, 1 run B\n$/);
    const checked = await run('--journal', 'b.wlj', '--journal', world, '--check', 'none-live.json');
    expect(checked.exit).toBe(4);
    writeFileSync(join(world, 'none-live.json'), '{"totals.runs.live": {"max": 0}}');
    const broken = await run('--journal', 'b.wlj', '--journal', world, '--check', 'none-live.json');
    expect([broken.exit, broken.stdout]).toEqual([
      7,
      expect.stringContaining('summary.threshold  b: totals.runs.live'),
    ]);
  });

  test('what cannot be read is said, with what to do', async () => {
    writeFileSync(join(world, 'no.wlj'), 'nothing');
    const code = async (...args: string[]) => (await run(...args, '--json')).json().error;
    expect(await code('--journal', 'no.wlj')).toMatchObject({
      code: 'journal.corrupt',
      details: { hint: expect.stringContaining('export') },
    });
    expect(await code('--journal', 'nowhere.wlj')).toMatchObject({ code: 'not_found' });
    expect(await code('--journal', emptyFolder())).toMatchObject({ code: 'not_found' });
    expect(await code('--journal', world, '--journal', world)).toMatchObject({ code: 'invalid_request' });
    expect(await code('--label', 'a', '--label', 'b')).toMatchObject({ code: 'invalid_request' });
    expect(await code('--correlation', 'r-17')).toMatchObject({ code: 'decode_error' });
    const far = await worldline(['journal', 'export', 'far.wlj', '--from', '100000', '--json'], { cwd: world });
    expect([far.exit, far.json().error.code]).toEqual([4, 'not_found']);
  });
});

describe('lists for people', () => {
  test('--instances and --correlations stand below the table', async () => {
    const listed = await run('--instances', '--correlations');
    expect(listed.stdout).toMatch(/\nrun +plan +parent +correlation +status +time +intents\n#0 +t\/call@1 +"a" +ok /);
    expect(listed.stdout).toMatch(/\n#1 +t\/ask@1 +"b" +live +\S+ so far +1\n/);
    expect(listed.stdout).toMatch(/\ncorrelation +state +runs +live +err +events +effects\n"a" +settled +1 /);
  });
});
