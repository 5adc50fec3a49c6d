import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cleanUp, daemon, emptyFolder, type Finished, worldline, worldOf } from './support.ts';

/**
 * Bad input through the command (`host.md` §12.1): each case says which exit code, code, pointer and hint it gets,
 * and that the world still opens afterwards. Tests start the built command: npx tsc -b packages/cli
 */

afterAll(cleanUp);

interface Case {
  readonly name: string;
  readonly args: readonly string[];
  readonly exit: number;
  readonly code: string;
  /** JSON Pointer into what was given. */
  readonly pointer?: string;
  /** Part of the hint. */
  readonly hint?: string | RegExp;
  readonly input?: string | Uint8Array;
  readonly env?: Record<string, string>;
  /** Prepares the folder of the case. */
  readonly before?: (folder: string) => void;
}

const ASKED = 'hello/Asked@1';
const GREET = 'hello/greet@1';
const GOOD = '{"name": "Ada"}';
const NO_HASH = `sha256:${'0'.repeat(64)}`;

const deep = (n: number) => '['.repeat(n) + ']'.repeat(n);

/** Cases against one world that has run; none of them may change it. */
const CASES: readonly Case[] = [
  // Usage
  { name: 'an unknown command', args: ['chekc'], exit: 2, code: 'invalid_request', hint: 'did you mean "check"?' },
  {
    name: 'an unknown subcommand',
    args: ['plans', 'strat', GREET, GOOD],
    exit: 2,
    code: 'invalid_request',
    hint: 'did you mean "start"?',
  },
  {
    name: 'a group without a command',
    args: ['plans'],
    exit: 2,
    code: 'invalid_request',
    hint: 'plans [options] [command]',
  },
  {
    name: 'an unknown flag',
    args: ['check', '--fail-on-warnin'],
    exit: 2,
    code: 'invalid_request',
    hint: 'did you mean "--fail-on-warning"?',
  },
  { name: 'a missing argument', args: ['event', 'send', ASKED], exit: 2, code: 'invalid_request', hint: '--help' },
  { name: 'too many arguments', args: ['status', 'now'], exit: 2, code: 'invalid_request', hint: '--help' },
  {
    name: 'a flag with a value it does not take',
    args: ['event', 'send', ASKED, GOOD, '--wait', 'long'],
    exit: 2,
    code: 'invalid_request',
    hint: '--help',
  },
  {
    name: 'a mode that is none',
    args: ['--mode', 'remote', 'status'],
    exit: 2,
    code: 'invalid_request',
    hint: '--help',
  },
  {
    name: 'a limit that is no number',
    args: ['journal', 'tail', '--limit', '-3'],
    exit: 2,
    code: 'invalid_request',
    hint: '--help',
  },
  {
    name: 'a plan id that is no number',
    args: ['plans', 'get', 'first'],
    exit: 2,
    code: 'invalid_request',
    hint: '--help',
  },
  {
    name: 'a time limit that is no number',
    args: ['--timeout-ms', 'soon', 'status'],
    exit: 2,
    code: 'invalid_request',
    hint: '--help',
  },
  {
    name: 'a range that ends before it begins',
    args: ['trace-summary', '--from', '5', '--to', '2'],
    exit: 2,
    code: 'invalid_request',
  },
  {
    name: 'a record kind that is none',
    args: ['journal', 'tail', '--kinds', 'plan_startet'],
    exit: 2,
    code: 'invalid_request',
    hint: 'did you mean "plan_started"?',
  },
  {
    name: 'a definition kind that is none',
    args: ['defs', 'ls', '--kind', 'plna'],
    exit: 2,
    code: 'invalid_request',
    hint: 'did you mean "plan"?',
  },
  {
    name: 'cancelling without confirming',
    args: ['plans', 'cancel', '0'],
    exit: 2,
    code: 'invalid_request',
    hint: '--yes',
  },
  {
    name: 'an idempotency key with a space',
    args: ['event', 'send', ASKED, GOOD, '--idempotency-key', 'a b'],
    exit: 2,
    code: 'invalid_request',
  },
  {
    name: 'a code to show that is none',
    args: ['check', '--only', 'RL01'],
    exit: 2,
    code: 'invalid_request',
    hint: 'RL0',
  },
  {
    name: 'a folder for the sync file',
    args: ['check', '--map', 'air'],
    exit: 4,
    code: 'not_found',
    hint: 'name a file',
  },
  {
    name: 'a folder for what the gates are driven with',
    args: ['gates', '--gates', 'air'],
    exit: 2,
    code: 'invalid_request',
    hint: 'name a file',
  },
  {
    name: 'a search through no records',
    args: ['trace-find', '--schema', ASKED, '--correlate-by', 'name', '--value', '"Ada"', '--limit', '0'],
    exit: 2,
    code: 'invalid_request',
  },
  {
    name: 'an export in the place of a folder',
    args: ['journal', 'export', 'air'],
    exit: 1,
    code: 'host_error',
    hint: 'name a file',
  },

  // JSON
  {
    name: 'JSON that ends early',
    args: ['event', 'send', ASKED, '{"name": "Ada"'],
    exit: 2,
    code: 'decode_error',
    hint: 'give JSON',
  },
  {
    name: 'JSON with something behind it',
    args: ['event', 'send', ASKED, `${GOOD} x`],
    exit: 2,
    code: 'decode_error',
    hint: 'give JSON',
  },
  { name: 'a bare word', args: ['event', 'send', ASKED, 'Ada'], exit: 2, code: 'decode_error', hint: `'"Ada"'` },
  {
    name: 'a key that is there twice',
    args: ['event', 'send', ASKED, '{"name": "a", "name": "b"}'],
    exit: 2,
    code: 'decode_error',
    pointer: '/name',
  },
  { name: 'a lone surrogate', args: ['event', 'send', ASKED, '{"name": "\\ud800"}'], exit: 2, code: 'decode_error' },
  {
    name: 'JSON nested too deeply',
    args: ['event', 'send', ASKED, '@-'],
    input: deep(100_000),
    exit: 2,
    code: 'decode_error',
  },
  {
    name: 'bytes that are not UTF-8',
    args: ['event', 'send', ASKED, '@-'],
    input: Buffer.from([0x22, 0xff, 0x22]),
    exit: 2,
    code: 'decode_error',
  },
  { name: 'nothing on standard input', args: ['event', 'send', ASKED, '@-'], input: '', exit: 2, code: 'decode_error' },
  {
    name: 'a file that is not there',
    args: ['event', 'send', ASKED, '@nowhere.json'],
    exit: 4,
    code: 'not_found',
    hint: 'relative to the current folder',
  },
  {
    name: 'a folder instead of a file',
    args: ['event', 'send', ASKED, '@air'],
    exit: 2,
    code: 'invalid_request',
    hint: 'name a file',
  },
  { name: 'an @ without a name', args: ['event', 'send', ASKED, '@'], exit: 2, code: 'invalid_request', hint: '@file' },
  {
    name: 'more than 16 MiB on standard input',
    args: ['event', 'send', ASKED, '@-'],
    input: `{"name": "${'x'.repeat(17 * 1024 * 1024)}"}`,
    exit: 1,
    code: 'too_large',
    hint: 'blob put',
  },

  // Values against their schema
  {
    name: 'a value of the wrong type',
    args: ['event', 'send', ASKED, '{"name": 7}'],
    exit: 1,
    code: 'event.invalid',
    pointer: '/value/name',
  },
  {
    name: 'a missing field',
    args: ['event', 'send', ASKED, '{}'],
    exit: 1,
    code: 'event.invalid',
    pointer: '/value/name',
  },
  {
    name: 'an unknown field',
    args: ['event', 'send', ASKED, '{"name": "a", "nmae": "b"}'],
    exit: 1,
    code: 'event.invalid',
    pointer: '/value/nmae',
  },
  {
    name: 'a list instead of a record',
    args: ['event', 'send', ASKED, '[]'],
    exit: 1,
    code: 'event.invalid',
    pointer: '/value',
  },
  {
    name: 'an event over the limit of the world',
    args: ['event', 'send', ASKED, '@-'],
    input: `{"name": "${'x'.repeat(9 * 1024 * 1024)}"}`,
    exit: 1,
    code: 'too_large',
  },
  {
    name: 'plan input of the wrong type',
    args: ['plans', 'start', GREET, '{"name": null}'],
    exit: 1,
    code: 'plan.input_invalid',
    pointer: '/input/name',
  },
  {
    name: 'a correlation that is a list',
    args: ['plans', 'start', GREET, GOOD, '--correlation', '[1]'],
    exit: 1,
    code: 'plan.input_invalid',
    pointer: '/correlation',
  },
  {
    name: 'a local that the plan does not have',
    args: ['plans', 'start', GREET, GOOD, '--bind', '{"x": 1}'],
    exit: 1,
    code: 'plan.input_invalid',
    pointer: '/bind_locals/x',
  },
  {
    name: 'locals that are no object',
    args: ['plans', 'start', GREET, GOOD, '--bind', '[]'],
    exit: 2,
    code: 'invalid_request',
  },
  {
    name: 'a routing key for an event without a route',
    args: ['event', 'send', ASKED, GOOD, '--key-json', '{}'],
    exit: 1,
    code: 'event.key',
    pointer: '/key',
  },
  {
    name: 'a key that is not base64',
    args: ['event', 'send', ASKED, GOOD, '--key-b64', '???'],
    exit: 2,
    code: 'invalid_request',
  },

  // Names
  {
    name: 'a schema that the manifest does not list',
    args: ['event', 'send', 'hello/Askt@1', GOOD],
    exit: 4,
    code: 'schema.unknown',
  },
  {
    name: 'a schema in other case',
    args: ['event', 'send', 'hello/asked@1', GOOD],
    exit: 4,
    code: 'schema.unknown',
    hint: ASKED,
  },
  {
    name: 'a schema of the runtime',
    args: ['event', 'send', 'sys/TimerFired@1', '{}'],
    exit: 5,
    code: 'schema.reserved',
  },
  {
    name: 'a plan that the manifest does not list',
    args: ['plans', 'start', 'hello/greet@2', GOOD],
    exit: 4,
    code: 'plan.unknown',
    hint: GREET,
  },
  {
    name: 'a plan id that was never given',
    args: ['plans', 'get', '999'],
    exit: 4,
    code: 'not_found',
    hint: 'plans ls',
  },
  { name: 'cancelling a plan that has ended', args: ['plans', 'cancel', '0', '--yes'], exit: 6, code: 'plan.not_live' },
  {
    name: 'a definition that is not there',
    args: ['defs', 'get', 'hello/gret@1'],
    exit: 4,
    code: 'def.missing',
    hint: `did you mean "${GREET}"?`,
  },

  // Hashes
  {
    name: 'a hash that is none',
    args: ['blob', 'get', 'sha256:xyz'],
    exit: 2,
    code: 'invalid_request',
    hint: '64 hex digits',
  },
  {
    name: 'a hash in upper case',
    args: ['blob', 'stat', `sha256:${'A'.repeat(64)}`],
    exit: 2,
    code: 'invalid_request',
    hint: 'lower case',
  },
  { name: 'a hash of nothing stored', args: ['blob', 'get', NO_HASH], exit: 4, code: 'not_found', hint: 'blob put' },
  {
    name: 'raw bytes as JSON',
    args: ['blob', 'get', NO_HASH, '--raw'],
    exit: 2,
    code: 'invalid_request',
    hint: 'leave one',
  },
  {
    name: 'an approval that is not there',
    args: ['approvals', 'decide', NO_HASH, 'approve'],
    exit: 4,
    code: 'not_found',
    hint: 'approvals ls',
  },
  {
    name: 'an approval by something that is no hash',
    args: ['approvals', 'get', 'release-7'],
    exit: 2,
    code: 'invalid_request',
    hint: 'approvals ls',
  },
  {
    name: 'a decision that is neither',
    args: ['approvals', 'decide', NO_HASH, 'maybe'],
    exit: 2,
    code: 'invalid_request',
  },
  {
    name: 'a height inside a batch',
    args: ['replay', '--from-genesis', '--to', '2'],
    exit: 2,
    code: 'invalid_request',
    hint: /nearest/i,
  },

  // Folders and stores
  {
    name: 'a world folder that is not there',
    args: ['--world', 'nowhere', 'status'],
    exit: 4,
    code: 'not_found',
    hint: 'worldline init nowhere',
  },
  {
    name: 'a file as world folder',
    args: ['--world', 'README.md', 'status'],
    exit: 4,
    code: 'not_found',
    hint: 'worldline init',
  },
  {
    name: 'a store that is a file',
    args: ['--store', 'README.md', 'journal', 'head'],
    exit: 4,
    code: 'store.missing',
    hint: /./,
  },
  {
    name: 'a store of another world',
    args: ['--store', 'other', 'event', 'send', ASKED, GOOD],
    exit: 4,
    code: 'store.missing',
    hint: /./,
  },
  {
    name: 'a cluster store',
    args: ['--store', 'postgres://h/db', 'status'],
    exit: 1,
    code: 'unsupported',
    hint: '--store <dir>',
  },
  {
    name: 'a running world that is not running',
    args: ['--mode', 'daemon', 'event', 'send', ASKED, GOOD],
    exit: 3,
    code: 'unreachable',
    hint: 'worldline run',
  },
  {
    name: 'an output file in a folder that is not there',
    args: ['journal', 'tail', '--out', 'no/such/file'],
    exit: 1,
    code: 'host_error',
  },

  // Configuration
  {
    name: 'an unknown key of worldline.host.json',
    args: ['status'],
    before: (folder) => writeFileSync(join(folder, 'worldline.host.json'), '{"http": {"timout_ms": 1}}'),
    exit: 1,
    code: 'config.unknown_key',
    pointer: '/http/timout_ms',
    hint: 'timeout_ms',
  },
  {
    name: 'worldline.host.json that is no JSON',
    args: ['status'],
    before: (folder) => writeFileSync(join(folder, 'worldline.host.json'), '{'),
    exit: 1,
    code: 'config.invalid',
  },
  {
    name: 'a wrong value of the environment',
    args: ['status'],
    env: { WORLDLINE_LOG: 'loud' },
    exit: 1,
    code: 'config.invalid',
    pointer: '/env/WORLDLINE_LOG',
  },
];

describe('bad input to a world that has run', () => {
  let world: string;

  beforeAll(async () => {
    world = worldOf('minimal');
    const started = await worldline(['event', 'send', ASKED, GOOD, '--json'], { cwd: world });
    expect(started.stderr + started.stdout).toContain('event_hash');
  });

  async function height(): Promise<number> {
    const head = await worldline(['journal', 'head', '--json'], { cwd: world });
    return head.json().data.meta.journal_height;
  }

  test.each(CASES)('$name: exit $exit, $code', async ({ args, exit, code, pointer, hint, input, env, before }) => {
    before?.(world);
    const given = await worldline([...args, '--json'], {
      cwd: world,
      ...(input === undefined ? {} : { input }),
      ...(env === undefined ? {} : { env }),
    });
    rmSync(join(world, 'worldline.host.json'), { force: true });
    expectFailure(given, { exit, code, pointer, hint });
  });

  test('for people the same is said on stderr, with code, place and hint, and stdout stays empty', async () => {
    const given = await worldline(['event', 'send', ASKED, '{"name": 7}'], { cwd: world });
    expect(given.exit).toBe(1);
    expect(given.stdout).toBe('');
    expect(given.stderr).toMatch(/^error\[event\.invalid\]: .*\n {2}at \/value\/name\n/);
  });

  test('what the kernel itself refuses is on record and answered with its code', async () => {
    const first = await worldline(['event', 'send', ASKED, GOOD, '--idempotency-key', 'k-1', '--json'], { cwd: world });
    expect(first.json().data.duplicate).toBe(false);
    const again = await worldline(['event', 'send', ASKED, GOOD, '--idempotency-key', 'k-1', '--json'], { cwd: world });
    expect(again.json().data).toMatchObject({ duplicate: true, first_seq: first.json().data.first_seq });
    const other = await worldline(['event', 'send', ASKED, '{"name": "Bob"}', '--idempotency-key', 'k-1', '--json'], {
      cwd: world,
    });
    expectFailure(other, { exit: 6, code: 'ingress.conflict' });
  });

  test('after all of it the world opens, has recorded no event of a bad case, and replays', async () => {
    const before = await height();
    const good = await worldline(['event', 'send', ASKED, GOOD, '--json'], { cwd: world });
    expect(good.exit).toBe(0);
    expect(await height()).toBeGreaterThan(before);
    const events = await worldline(['journal', 'tail', '--kinds', 'event', '--json'], { cwd: world });
    expect(
      events.json().data.entries.filter((entry: { record: { origin: string } }) => entry.record.origin === 'external'),
    ).toHaveLength(3);
    expect((await worldline(['replay', '--verify', '--from-genesis'], { cwd: world })).exit).toBe(0);
    expect((await worldline(['journal', 'verify', '--signatures'], { cwd: world })).exit).toBe(0);
  });
});

describe('bad definitions leave no world behind', () => {
  const files = (manifest: string, plans?: string) => (folder: string) => {
    if (manifest !== '') writeFileSync(join(folder, 'air/manifest.air.json'), manifest);
    if (plans !== undefined) writeFileSync(join(folder, 'air/plans.air.json'), plans);
  };

  test.each([
    ['no manifest', (folder: string) => rmSync(join(folder, 'air/manifest.air.json')), 'air.manifest_missing'],
    ['JSON that is none', files('{'), 'json.invalid'],
    ['JSON nested too deeply', files('', deep(10_000)), 'json.invalid'],
    ['a node kind that is none', files('', '{"$kind": "defplna", "name": "a/b@1"}'), 'node.unknown_kind'],
    ['a reference to nothing', (folder: string) => rmSync(join(folder, 'air/plans.air.json')), 'ref.unknown'],
    [
      'a definition under sys/',
      files('', '{"$kind": "defschema", "name": "sys/Mine@1", "type": {"unit": {}}}'),
      'air.sys_def',
    ],
  ])('%s', async (_what, spoil, code) => {
    const folder = worldOf('minimal');
    spoil(folder);
    const run = await worldline(['event', 'send', ASKED, GOOD, '--json'], { cwd: folder });
    expect(run.exit).toBe(1);
    const { error } = run.json();
    expect(error.code).toBe('manifest.validation');
    expect(error.details.failures.map((failure: { code: string }) => failure.code)).toContain(code);
    const status = await worldline(['status', '--json'], { cwd: folder });
    expect(status.json().data.created).toBe(false);
    const check = await worldline(['check', '--json'], { cwd: folder });
    expect(check.exit).toBe(7);
    expect(check.json().data.findings.map((finding: { code: string }) => finding.code)).toContain(code);
  });

  test('a world that needs what is not there yet is refused with the pointer', async () => {
    const folder = worldOf('minimal');
    writeFileSync(
      join(folder, 'air/plans.air.json'),
      JSON.stringify({
        $kind: 'defplan',
        name: GREET,
        input: ASKED,
        steps: [
          {
            id: 'look',
            op: 'emit_effect',
            kind: 'introspect.journal_head',
            cap: 'cap_query',
            params: {},
            bind: { effect_id_as: 'h' },
          },
        ],
      }),
    );
    const manifest = join(folder, 'air/manifest.air.json');
    const node = JSON.parse(readFileSync(manifest, 'utf8'));
    node.effects = [{ name: 'sys/introspect.journal_head@1' }];
    node.defaults = { cap_grants: [{ name: 'cap_query', cap: 'sys/query@1', params: {} }] };
    writeFileSync(manifest, JSON.stringify(node));
    const check = await worldline(['check', '--json'], { cwd: folder });
    expect(check.exit).toBe(7);
    expect(check.json().data.findings).toMatchObject([
      { code: 'unsupported', path: '/steps/0/kind', file: 'air/plans.air.json', line: 1 },
    ]);
    expect(check.json().data.findings[0].message).toMatch(/^not supported yet: /);
  });
});

describe('folders that cannot be used', () => {
  test.each([
    ['init into a file', (folder: string) => writeFileSync(join(folder, 'x'), ''), ['init', 'x'], 2, 'invalid_request'],
    [
      'init below a file',
      (folder: string) => writeFileSync(join(folder, 'x'), ''),
      ['init', 'x/y'],
      2,
      'invalid_request',
    ],
    [
      'init over a folder where a file belongs',
      (folder: string) => mkdirSync(join(folder, 'x/worldline.json'), { recursive: true }),
      ['init', 'x'],
      2,
      'invalid_request',
    ],
    ['init of two folders', () => {}, ['--world', 'x', 'init', 'y'], 2, 'invalid_request'],
    ['init where nothing can be written', () => {}, ['init', '/proc/worldline'], 1, 'host_error'],
    ['an unknown template', () => {}, ['init', 'x', '--template', 'htp'], 2, 'invalid_request'],
    ['a template of a later release', () => {}, ['init', 'x', '--template', 'agent'], 1, 'unsupported'],
    ['no world here', () => {}, ['plans', 'ls'], 4, 'not_found'],
    ['a token for no world', () => {}, ['--world', '.', 'token', 'create', 'desk', '--scope', 'read'], 4, 'not_found'],
    [
      'a file instead of .worldline',
      (folder: string) => writeFileSync(join(folder, '.worldline'), ''),
      ['journal', 'head'],
      1,
      'host_error',
    ],
    [
      'definitions in a folder that is not there',
      (folder: string) => writeFileSync(join(folder, 'worldline.json'), '{"version": 1}'),
      ['check'],
      4,
      'not_found',
    ],
  ])('%s', async (_what, before, args, exit, code) => {
    const folder = emptyFolder();
    before(folder);
    expectFailure(await worldline([...args, '--json'], { cwd: folder }), { exit, code });
  });

  test('a store that cannot be written: nothing is made', async () => {
    const folder = worldOf('minimal');
    writeFileSync(join(folder, '.worldline'), 'in the way');
    expectFailure(await worldline(['event', 'send', ASKED, GOOD, '--json'], { cwd: folder }), { exit: 1 });
    rmSync(join(folder, '.worldline'));
    const elsewhere = await worldline(['--store', '/proc/worldline', 'event', 'send', ASKED, GOOD, '--json'], {
      cwd: folder,
    });
    expectFailure(elsewhere, { exit: 1 });
    expect((await worldline(['status', '--json'], { cwd: folder })).json().data.created).toBe(false);
    expect((await worldline(['event', 'send', ASKED, GOOD], { cwd: folder })).exit).toBe(0);
  });

  test('a world that has not run has nothing to read', async () => {
    const folder = worldOf('minimal');
    expectFailure(await worldline(['journal', 'tail', '--json'], { cwd: folder }), {
      exit: 4,
      code: 'not_found',
      hint: 'worldline run',
    });
  });

  test('definitions behind a symbolic link are not followed out of the folder', async () => {
    const folder = worldOf('minimal');
    const outside = emptyFolder();
    writeFileSync(join(outside, 'more.air.json'), '{');
    symlinkSync(outside, join(folder, 'air/linked'));
    expect((await worldline(['check'], { cwd: folder })).exit).toBe(0);
  });
});

describe('two processes and one world', () => {
  test('a second run says who runs it; a batch and --fresh are refused; events go through its inbox', async () => {
    const folder = worldOf('minimal');
    const running = await daemon(folder);
    try {
      const second = await worldline(['run', '--json'], { cwd: folder });
      expect(second.exit).toBe(0);
      expect(second.json().data).toMatchObject({ running: true, pid: running.pid });
      expectFailure(await worldline(['run', '--batch', '--json'], { cwd: folder }), { exit: 6, code: 'world.locked' });
      expectFailure(await worldline(['--mode', 'batch', 'event', 'send', ASKED, GOOD, '--json'], { cwd: folder }), {
        exit: 6,
        code: 'world.locked',
      });
      expectFailure(await worldline(['init', '--fresh', '--yes', '--json'], { cwd: folder }), {
        exit: 6,
        code: 'world.locked',
      });
      expectFailure(await worldline(['event', 'send', ASKED, '{"name": 7}', '--json'], { cwd: folder }), {
        exit: 1,
        code: 'event.invalid',
        pointer: '/value/name',
      });
      expectFailure(await worldline(['plans', 'cancel', '999', '--yes', '--json'], { cwd: folder }), { exit: 4 });
      expect((await worldline(['event', 'send', ASKED, GOOD], { cwd: folder })).exit).toBe(0);
    } finally {
      expect((await running.stop()).exit).toBe(0);
    }
    expect((await worldline(['replay', '--verify', '--from-genesis'], { cwd: folder })).exit).toBe(0);
  });

  test('a run that was killed leaves a world that opens at once', async () => {
    const folder = worldOf('minimal');
    const running = await daemon(folder);
    await running.stop('SIGKILL');
    expect((await worldline(['event', 'send', ASKED, GOOD], { cwd: folder })).exit).toBe(0);
    expect((await worldline(['replay', '--verify', '--from-genesis'], { cwd: folder })).exit).toBe(0);
  });
});

function expectFailure(
  given: Finished,
  expected: {
    exit: number;
    code?: string | undefined;
    pointer?: string | undefined;
    hint?: string | RegExp | undefined;
  },
): void {
  expect({ exit: given.exit, stdout: given.stdout, stderr: given.stderr }).toMatchObject({ exit: expected.exit });
  const { error } = given.json();
  if (expected.code !== undefined) expect(error.code).toBe(expected.code);
  else expect(error.code).not.toBe('');
  expect(error.message).not.toBe('');
  if (expected.pointer !== undefined) expect(error.details?.pointer).toBe(expected.pointer);
  if (expected.hint instanceof RegExp) expect(error.details?.hint).toMatch(expected.hint);
  else if (expected.hint !== undefined) expect(error.details?.hint).toContain(expected.hint);
}
