import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { cleanUp, emptyFolder, worldline, worldOf } from './support.ts';

/** `worldline check --watch` as a real process: what somebody at an editor does to a folder, and what is said about it. */

const BIN = fileURLToPath(new URL('../bin/worldline.js', import.meta.url));

afterAll(cleanUp);

interface Round {
  readonly check: number;
  readonly at: string;
  readonly changed: readonly string[];
  readonly errors: number;
  readonly warnings: number;
  readonly delta?: { readonly errors: number; readonly warnings: number };
  readonly air_dir?: string;
  readonly findings: readonly { readonly code: string; readonly file?: string }[];
  readonly fixed?: readonly unknown[];
}

/** A watch whose rounds are read one line at a time. */
class Watch {
  readonly #child;
  readonly #closed: Promise<number | null>;
  readonly #waiting: (() => void)[] = [];
  stdout = '';
  stderr = '';

  constructor(folder: string, args: readonly string[] = ['--json']) {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('WORLDLINE_')));
    this.#child = spawn(process.execPath, [BIN, 'check', '--watch', ...args], { cwd: folder, env, stdio: 'pipe' });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#wake();
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.#closed = new Promise((resolve) => this.#child.on('close', resolve));
    void this.#closed.then(() => this.#wake());
  }

  get rounds(): readonly Round[] {
    return this.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Round);
  }

  /** The newest round for which it holds; a file that is written in two steps may be seen in between. */
  async until(holds: (round: Round) => boolean): Promise<Round> {
    return await this.text(() => this.rounds.findLast(holds));
  }

  async text<T>(find: (stdout: string) => T | undefined): Promise<T> {
    for (;;) {
      const found = find(this.stdout);
      if (found !== undefined) return found;
      if (this.#child.exitCode !== null) throw new Error(`the watch ended: ${this.stdout}${this.stderr}`);
      await new Promise<void>((wake) => this.#waiting.push(wake));
    }
  }

  async end(signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    this.#child.kill(signal);
    return await this.#closed;
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

const codes = (round: Round) => round.findings.map(({ code }) => code);

describe('check --watch', () => {
  test('tells each state of the folder, and ends with 130 (host.md §12.1)', async () => {
    const folder = worldOf('minimal');
    const plans = join(folder, 'air/plans.air.json');
    const good = readFileSync(plans, 'utf8');
    const watch = new Watch(folder);
    const first = await watch.until(({ check }) => check === 1);
    expect(first).toMatchObject({ errors: 0, warnings: 0, changed: [], findings: [], air_dir: 'air' });
    expect(Date.parse(first.at)).not.toBeNaN();

    // A mistake.
    writeFileSync(plans, good.replace('"op": "raise_event"', '"op": "raise_evnt"'));
    const mistake = await watch.until((round) => codes(round).includes('node.bad_field'));
    expect(mistake.changed).toEqual(['air/plans.air.json']);
    expect(mistake.delta?.errors).toBeGreaterThan(0);

    // No JSON at all.
    writeFileSync(plans, good.slice(0, 40));
    const broken = await watch.until((round) => codes(round).includes('json.invalid'));
    expect(broken.findings.find(({ code }) => code === 'json.invalid')?.file).toBe('air/plans.air.json');

    // Repaired as editors do it: a new file under another name takes the place of the old one.
    writeFileSync(`${plans}.tmp`, good);
    renameSync(`${plans}.tmp`, plans);
    const repaired = await watch.until((round) => round.check > broken.check && round.errors === 0);
    expect(repaired.findings).toEqual([]);
    expect(repaired.delta?.errors).toBeLessThan(0);

    // A file more, in a folder more.
    mkdirSync(join(folder, 'air/more'));
    const extra = join(folder, 'air/more/extra.air.json');
    writeFileSync(extra, '{"$kind": "defschema", "name": "hello/Unused@1", "type": {"unit": {}}}');
    const more = await watch.until((round) => codes(round).includes('def.unlisted'));
    expect(more).toMatchObject({ errors: 0, warnings: 1 });
    writeFileSync(extra, '{"$kind": "defschema", "name": "hello/Unused@1", "type": {"unit": 1}}');
    await watch.until((round) => codes(round).includes('type.invalid'));
    rmSync(join(folder, 'air/more'), { recursive: true });
    const less = await watch.until((round) => round.check > more.check && round.findings.length === 0);

    // The folder vanishes and comes back.
    renameSync(join(folder, 'air'), join(folder, 'away'));
    const gone = await watch.until((round) => round.check > less.check && codes(round).includes('not_found'));
    expect(gone.errors).toBe(1);
    renameSync(join(folder, 'away'), join(folder, 'air'));
    await watch.until((round) => round.check > gone.check && round.errors === 0);
    writeFileSync(plans, 'no');
    await watch.until((round) => round.check > gone.check && codes(round).includes('json.invalid'));

    expect(await watch.end()).toBe(130);
    expect(watch.stderr).toBe('');
    expect(watch.rounds.map(({ check }) => check)).toEqual(watch.rounds.map((_, index) => index + 1));
  });

  test('sync file and configuration count, and a folder that the sync file names is followed', async () => {
    const folder = worldOf('minimal');
    const sync = join(folder, 'worldline.json');
    const watch = new Watch(folder);
    await watch.until(({ check }) => check === 1);

    writeFileSync(join(folder, 'worldline.host.json'), '{"world": {"require_policy": tru}}');
    await watch.until((round) => codes(round).includes('config.invalid'));
    writeFileSync(join(folder, 'worldline.host.json'), '{"wrld": {}}');
    await watch.until((round) => codes(round).includes('config.unknown_key'));
    rmSync(join(folder, 'worldline.host.json'));
    const clean = await watch.until((round) => round.check > 2 && round.errors === 0);

    writeFileSync(sync, '{');
    await watch.until((round) => codes(round).includes('sync.schema'));
    renameSync(join(folder, 'air'), join(folder, 'air.v2'));
    writeFileSync(sync, '{"version": 1, "air": {"dir": "air.v2"}}');
    const moved = await watch.until((round) => round.check > clean.check && round.air_dir === 'air.v2');
    expect(moved.errors).toBe(0);
    writeFileSync(join(folder, 'air.v2/more.air.json'), '{');
    await watch.until((round) => codes(round).includes('json.invalid'));

    expect(await watch.end('SIGTERM')).toBe(130);
  });

  test('for people: time, what changed, findings with their lines, how many more or fewer; no screen is cleared', async () => {
    const folder = worldOf('minimal');
    const plans = join(folder, 'air/plans.air.json');
    const watch = new Watch(folder, []);
    await watch.text((stdout) => (stdout.includes('no findings') ? true : undefined));
    expect(watch.stdout).toMatch(/^\d\d:\d\d:\d\d {2}check 1 in \d+ ms\n/);
    writeFileSync(plans, '[\n  nope\n]');
    await watch.text((stdout) => (/since the check before: \d+ errors? more/.test(stdout) ? true : undefined));
    expect(watch.stdout).toContain('air/plans.air.json:2:3  error  json.invalid');
    expect(watch.stdout).toContain('changed: air/plans.air.json');
    expect(watch.stdout).toContain('^^^^');
    expect(watch.stdout).not.toContain('\u001b');
    expect(await watch.end()).toBe(130);
  });

  test('with --fix, what is certain is written each time, and nothing while there is an error', async () => {
    const folder = worldOf('http');
    const plans = join(folder, 'air/plans.air.json');
    const keyed = () => readFileSync(plans, 'utf8').includes('"idempotency_key"');
    const watch = new Watch(folder, ['--fix', '--json']);
    await watch.until(({ check }) => check === 1);
    const posting = readFileSync(plans, 'utf8').replace('"GET"', '"POST"');
    writeFileSync(plans, posting.replace('"cap_web"', '"cap_wbe"'));
    const broken = await watch.until((round) => codes(round).includes('grant.not_found'));
    expect(broken).toMatchObject({ fixed: [] });
    expect(keyed()).toBe(false);

    writeFileSync(plans, posting);
    const fixed = await watch.until(({ fixed: done }) => done !== undefined && done.length > 0);
    expect(fixed).toMatchObject({ fixed: [{ code: 'RL003', plan: 'web/fetch@1', step: 'ask' }], findings: [] });
    // What it wrote itself is looked at once more, and then there is nothing to fix.
    const after = await watch.until(({ check }) => check > fixed.check);
    expect(after).toMatchObject({ findings: [], fixed: [], changed: ['air/plans.air.json'] });
    expect(keyed()).toBe(true);
    expect(await watch.end()).toBe(130);
  });

  test('a folder that is not there at the start is a wrong request, and so is a wrong flag', async () => {
    const folder = emptyFolder();
    const missing = await worldline(['--world', 'nope', 'check', '--watch', '--json'], { cwd: folder });
    expect([missing.exit, missing.json().error.code]).toEqual([4, 'not_found']);
    const flag = await worldline(['check', '--watch', '--only', ',', '--json'], { cwd: worldOf('minimal') });
    expect([flag.exit, flag.json().error.code]).toEqual([2, 'invalid_request']);
    const dry = await worldline(['check', '--watch', '--dry-run', '--json'], { cwd: worldOf('minimal') });
    expect([dry.exit, dry.json().error.code]).toEqual([2, 'invalid_request']);
  });

  test('a world whose air folder does not exist yet is waited for', async () => {
    const folder = emptyFolder();
    writeFileSync(join(folder, 'worldline.json'), '{"version": 1}');
    const watch = new Watch(folder);
    await watch.until((round) => codes(round).includes('not_found'));
    mkdirSync(join(folder, 'air'));
    await watch.until((round) => codes(round).includes('air.manifest_missing'));
    expect(await watch.end()).toBe(130);
  });
});
