import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { applyIgnores, type Finding } from '../src/finding.ts';
import { cleanUp, emptyFolder, type Finished, worldline, worldOf } from './support.ts';

/** `worldline check` on what strangers do to a folder (`packs.md` §4, `host.md` §12.1). */

afterAll(cleanUp);

const PLANS = 'air/plans.air.json';

interface Found {
  readonly code: string;
  readonly level: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly hint?: string;
}

async function checked(folder: string, ...args: string[]): Promise<{ exit: number | null; findings: Found[] }> {
  const run = await worldline(['check', '--json', ...args], { cwd: folder });
  return { exit: run.exit, findings: run.json().data.findings };
}

/** `code file:line:column`. */
function places(findings: readonly Found[]): string[] {
  return findings.map(({ code, file, line, column }) =>
    [code, [file, line, column].filter((part) => part !== undefined).join(':')].join(' ').trimEnd(),
  );
}

describe('folders that are no world', () => {
  test.each([
    ['no folder of that name', () => {}, ['--world', 'nope']],
    ['a file in its place', (folder: string) => writeFileSync(join(folder, 'nope'), ''), ['--world', 'nope']],
    ['an empty folder', () => {}, []],
    ['a sync file that is not there', (folder: string) => mkdirSync(join(folder, 'air')), ['--map', 'nope.json']],
    ['a folder of definitions that is not there', (folder: string) => mkdirSync(join(folder, 'air')), ['--air', 'x']],
  ])('%s: exit 4 and what to do', async (_what, before, args) => {
    const folder = emptyFolder();
    before(folder);
    const [first, second] = args;
    const global = first === '--map' ? [] : args;
    const own = first === '--map' ? [first, second as string] : [];
    const run: Finished = await worldline([...global, 'check', ...own, '--json'], { cwd: folder });
    expect([run.exit, run.json().error.code]).toEqual([4, 'not_found']);
  });

  test('V-204: a folder without any file, or with blank ones only, lacks a manifest', async () => {
    const folder = emptyFolder();
    mkdirSync(join(folder, 'air'));
    expect(await checked(folder)).toMatchObject({
      exit: 7,
      findings: [{ code: 'air.manifest_missing', level: 'error' }],
    });
    writeFileSync(join(folder, 'air/blank.json'), ' \r\n\t');
    expect((await checked(folder)).findings.map(({ code }) => code)).toEqual(['air.manifest_missing']);
    const human = await worldline(['check'], { cwd: folder });
    expect(human.stdout.split('\n')[0]).toMatch(/^\/ {2}error {2}air\.manifest_missing {2}V-204 {2}/);
  });
});

describe('files that are no text, or odd text', () => {
  test('all files that are not UTF-8 are told at once, with what to do', async () => {
    const folder = worldOf('minimal');
    writeFileSync(join(folder, 'air/a.json'), Buffer.from([0xff, 0xfe, 0x7b, 0x00]));
    writeFileSync(join(folder, 'air/b.json'), Buffer.from('{"$comment": "caf\xe9"}', 'latin1'));
    const { exit, findings } = await checked(folder);
    expect(exit).toBe(7);
    expect(places(findings)).toEqual(['air.unreadable air/a.json', 'air.unreadable air/b.json']);
    expect(findings[0]?.hint).toMatch(/UTF-8/);
  });

  test('what else is wrong is told, too; names that may be defined in an unreadable file are not', async () => {
    const folder = worldOf('minimal');
    const file = join(folder, PLANS);
    const plans = readFileSync(file, 'utf8');
    writeFileSync(file, plans.replace('"op": "raise_event"', '"op": "raise_evnt"'));
    renameSync(join(folder, 'air/schemas.air.json'), join(folder, 'schemas'));
    writeFileSync(join(folder, 'air/schemas.air.json'), Buffer.from([0xff, 0xfe]));
    expect(places((await checked(folder)).findings)).toEqual([
      expect.stringMatching(/^node\.bad_field air\/plans\.air\.json:/),
      'air.unreadable air/schemas.air.json',
    ]);
  });

  test('of more than a thousand findings the first thousand are shown, and last how many more there are', async () => {
    const folder = worldOf('minimal');
    writeFileSync(join(folder, 'air/many.json'), `[${'1,\n'.repeat(1_500)}1]`);
    const { findings } = await checked(folder);
    expect(findings).toHaveLength(1_001);
    expect(findings.at(-1)).toMatchObject({ code: 'findings.truncated', level: 'warning' });
    const human = await worldline(['check'], { cwd: folder });
    expect(human.stdout).toContain('501 more findings are not shown');
  });

  test('a folder called x.json is a folder', async () => {
    const folder = worldOf('minimal');
    mkdirSync(join(folder, 'air/x.json'));
    expect((await checked(folder)).findings).toEqual([]);
    writeFileSync(join(folder, 'air/x.json/more.json'), '{');
    expect(places((await checked(folder)).findings)[0]).toBe('json.invalid air/x.json/more.json:1:2');
  });

  test('a byte order mark is passed over, and columns do not count it', async () => {
    const folder = worldOf('minimal');
    const file = join(folder, PLANS);
    const good = readFileSync(file, 'utf8');
    writeFileSync(file, `\ufeff${good}`);
    expect((await checked(folder)).findings).toEqual([]);
    writeFileSync(file, '\ufeff[1]');
    expect(places((await checked(folder)).findings)[0]).toMatch(/air\/plans\.air\.json:1:2$/);
    writeFileSync(file, '\ufeff[x]');
    expect(places((await checked(folder)).findings)).toContain('json.invalid air/plans.air.json:1:2');
    const human = await worldline(['check'], { cwd: folder });
    expect(human.stdout).toContain('  1 | [x]\n    |  ^\n');
  });

  test('lines may end with CR LF', async () => {
    const folder = worldOf('minimal');
    const file = join(folder, PLANS);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replaceAll('\n', '\r\n'));
    expect((await checked(folder)).findings).toEqual([]);
    const broken = text.replace('"op": "raise_event"', '"op": "raise_evnt"');
    writeFileSync(file, broken);
    const unix = places((await checked(folder)).findings);
    expect(unix.length).toBeGreaterThan(0);
    writeFileSync(file, broken.replaceAll('\n', '\r\n'));
    expect(places((await checked(folder)).findings)).toEqual(unix);
    expect((await worldline(['check'], { cwd: folder })).stdout).not.toContain('\r');
  });

  test('nesting deeper than 128 is refused at its place, whatever is nested', async () => {
    const folder = worldOf('minimal');
    writeFileSync(join(folder, 'air/deep.json'), '['.repeat(100_000));
    writeFileSync(join(folder, 'air/deeper.json'), '{"a":'.repeat(100_000));
    const found = places((await checked(folder)).findings);
    expect(found).toContain('json.invalid air/deep.json:1:129');
    expect(found).toContain('json.invalid air/deeper.json:1:641');
  });

  test('a file of 50 MB is read, and what is wrong at its end is shown as one short line', async () => {
    const folder = worldOf('minimal');
    const filler = `"${'x'.repeat(999)}",`.repeat(50_000);
    writeFileSync(
      join(folder, 'air/huge.json'),
      `{"$kind": "defschema", "name": "hello/Huge@1", "type": [${filler} nope]}`,
    );
    const human = await worldline(['check'], { cwd: folder });
    expect(human.exit).toBe(7);
    expect(human.stdout).toContain('json.invalid');
    expect(Math.max(...human.stdout.split('\n').map((line) => line.length))).toBeLessThan(400);
    expect(human.stdout).toMatch(/… {0,1}.*nope\]\}\n/);
  });

  test('a pipe among the files is not waited for', async () => {
    const folder = worldOf('minimal');
    execFileSync('mkfifo', [join(folder, 'air/pipe.json')]);
    expect((await checked(folder)).exit).toBe(0);
  });

  test('nothing in a file steers the terminal', async () => {
    const folder = worldOf('minimal');
    writeFileSync(join(folder, 'air/x.json'), '[\n{"\\u001b]0;x\\u0007": 1, "\u202e": \u001b[31m}]');
    const human = await worldline(['check'], { cwd: folder });
    expect(human.exit).toBe(7);
    expect(human.stdout).not.toMatch(/[\u202e]|(?!\n)\p{Cc}/u);
  });
});

describe('sync file and configuration', () => {
  test('a broken configuration hides nothing about the definitions, and is shown with its line', async () => {
    const folder = worldOf('minimal');
    writeFileSync(join(folder, 'worldline.host.json'), '{\n  "world": { "require_polcy": 1 },\n  "efects": {}\n}');
    writeFileSync(join(folder, PLANS), '[\n  nope\n]');
    const { exit, findings } = await checked(folder);
    expect(exit).toBe(7);
    expect(places(findings)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^config\.\w+ worldline\.host\.json:2:/),
        expect.stringMatching(/^config\.unknown_key worldline\.host\.json:3:/),
        'json.invalid air/plans.air.json:2:3',
      ]),
    );
    const human = await worldline(['check'], { cwd: folder });
    expect(human.stdout).toContain('  3 |   "efects": {}\n');
  });

  test.each([
    ['worldline.json', '{"version": 1,\n "air": {"dri": "air"}}', 'sync.schema worldline.json:2:'],
    ['worldline.json', '{"version": 1,\n', 'sync.schema worldline.json:2:1'],
    ['worldline.host.json', '{"world":\n', 'config.invalid worldline.host.json:2:1'],
  ])('%s: %j is one finding at its place', async (name, text, found) => {
    const folder = worldOf('minimal');
    writeFileSync(join(folder, name), text);
    const { exit, findings } = await checked(folder);
    expect(exit).toBe(7);
    expect(places(findings)).toEqual([expect.stringContaining(found)]);
    // Other commands stop at it, and name it alike.
    const other = await worldline(['plans', 'effects', 'hello/greet@1'], { cwd: folder });
    expect(other.stderr).toContain(`: ${name}:2:`);
  });

  test('neither need be UTF-8 to be told about', async () => {
    for (const [name, code] of [
      ['worldline.json', 'sync.schema'],
      ['worldline.host.json', 'config.invalid'],
    ] as const) {
      const folder = worldOf('minimal');
      writeFileSync(join(folder, name), Buffer.from([0x7b, 0xff]));
      expect(places((await checked(folder)).findings)).toEqual([`${code} ${name}`]);
    }
  });

  test('an entry of checks.ignore that silences nothing is shown where it stands', async () => {
    const folder = worldOf('minimal');
    writeFileSync(
      join(folder, 'worldline.json'),
      '{"version": 1, "checks": {"ignore": [\n  {"code": "def.unlisted", "reason": "later"}\n]}}',
    );
    const { exit, findings } = await checked(folder);
    expect(exit).toBe(0);
    expect(places(findings)).toEqual(['checks.ignore_unused worldline.json:2:3']);
    expect((await checked(folder, '--fail-on-warning')).exit).toBe(7);
  });

  test('so is one for an error, which nothing silences; two for one finding are both of use', () => {
    const finding = (code: string, level: Finding['level']): Finding => ({
      code,
      level,
      path: '',
      message: 'm',
      plan: 'p',
    });
    const found = [finding('PK005', 'error'), finding('RL003', 'warning')];
    const ignore = [{ code: 'PK005' }, { code: 'RL003' }, { code: 'RL003', plan: 'p' }].map((one) => ({
      ...one,
      reason: 'r',
    }));
    const left = applyIgnores(found, ignore, 'worldline.json');
    expect(left.map(({ code, level, path }) => `${code} ${level} ${path}`)).toEqual([
      'PK005 error ',
      'checks.ignore_unused warning /checks/ignore/0',
    ]);
    expect(left[1]!.message).toContain('PK005 is an error');
  });
});

describe('how findings are told', () => {
  test('errors that --only hides are counted, for the lints have then seen a part', async () => {
    const folder = worldOf('minimal');
    const sound = await worldline(['check', '--only', 'RL001'], { cwd: folder });
    expect(sound.stdout).toBe('no findings in 3 files\n');
    writeFileSync(join(folder, 'air/broken.json'), '{');
    const human = await worldline(['check', '--only', 'RL001'], { cwd: folder });
    // An error is one, shown or not (`packs.md` §4).
    expect([human.exit, human.stdout]).toEqual([7, expect.stringContaining('1 error is not shown')]);
    const data = await worldline(['check', '--only', 'RL001', '--json'], { cwd: folder });
    expect(data.json().data).toMatchObject({ findings: [], hidden_errors: 1 });
  });

  test('in document order, errors and warnings mixed; the last line counts them and their files', async () => {
    const folder = worldOf('minimal');
    const schema = (name: string) => `{"$kind": "defschema", "name": "${name}", "type": {"unit": {}}}`;
    writeFileSync(join(folder, 'air/a.json'), `[\n${schema('hello/A@1')},\n${schema('hello/B@1')}\n]`);
    writeFileSync(join(folder, 'air/z.json'), `[\n${schema('hello/Z@1')}\n]`);
    const { findings } = await checked(folder);
    expect(places(findings)).toEqual([
      expect.stringMatching(/^def\.unlisted air\/a\.json:2:/),
      expect.stringMatching(/^def\.unlisted air\/a\.json:3:/),
      expect.stringMatching(/^def\.unlisted air\/z\.json:2:/),
    ]);
    const human = await worldline(['check'], { cwd: folder });
    expect(human.stdout).toContain('0 errors, 3 warnings in 2 files\n');
  });

  test('a finding carries what its rule names, in the words of both chapters', async () => {
    const folder = worldOf('minimal');
    const file = join(folder, PLANS);
    writeFileSync(file, readFileSync(file, 'utf8').replace('"op": "raise_event"', '"op": "raise_evnt"'));
    const { findings } = await checked(folder);
    expect(findings[0]).toMatchObject({
      code: 'node.bad_field',
      level: 'error',
      rule: 'V-103',
      kind: 'defplan',
      name: 'hello/greet@1',
      def: 'hello/greet@1',
      path: expect.stringMatching(/^\/steps\/\d+\/op$/),
      expected: expect.stringContaining('"raise_event"'),
      found: 'raise_evnt',
      fix: 'Did you mean "raise_event"?',
      hint: 'Did you mean "raise_event"?',
    });
  });

  test('without a terminal there is no colour', async () => {
    const folder = worldOf('minimal');
    rmSync(join(folder, PLANS));
    expect((await worldline(['check'], { cwd: folder })).stdout).not.toContain('\u001b');
  });
});
