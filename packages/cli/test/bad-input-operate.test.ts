import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { callWorld, wanted } from './call-world.ts';
import { cleanUp, worldline } from './support.ts';

/**
 * Bad input to the commands that operate a world: which exit code, code, pointer and hint it gets. None of it changes
 * the world. Tests start the built command: npx tsc -b packages/cli
 */

// Each command is a process of its own, and a busy machine starts them slowly.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });
afterAll(cleanUp);

type Kind = 'timer.after' | 'approval.request' | 't.call';

interface Case {
  readonly name: string;
  /** `<t.call>` stands for the intent of the pending effect of that kind. */
  readonly args: readonly string[];
  readonly exit: number;
  readonly code: string;
  /** JSON Pointer into what was given. */
  readonly pointer?: string;
  /** Part of the hint. */
  readonly hint?: string;
  readonly env?: Record<string, string>;
}

const NO_HASH = `sha256:${'0'.repeat(64)}`;
const usage = { exit: 2, code: 'invalid_request' };
const flagUsage = { ...usage, hint: '--help' };
const unreachable = { exit: 3, code: 'unreachable' };
const receipt = (...rest: string[]) => ['effects', 'receipt', '<t.call>', ...rest];
const byField = (path: string, value: string) => ['--schema', 't/Wanted@1', '--correlate-by', path, '--value', value];

const CASES: readonly Case[] = [
  // effects
  { name: 'effects: an unknown command', args: ['effects', 'lst'], ...usage, hint: 'did you mean "ls"?' },
  { name: 'effects: no command', args: ['effects'], ...usage, hint: 'effects [options] [command]' },
  { name: 'effects ls: a status that is none', args: ['effects', 'ls', '--status', 'done'], ...flagUsage },
  { name: 'effects ls: an argument too many', args: ['effects', 'ls', 'all'], ...flagUsage },
  {
    name: 'effects ls: only of a running world',
    args: ['--mode', 'daemon', 'effects', 'ls'],
    ...unreachable,
    hint: 'worldline run',
  },
  { name: 'effects get: no intent', args: ['effects', 'get'], ...flagUsage },
  { name: 'effects get: no hash', args: ['effects', 'get', 'first'], ...usage, hint: 'four hex digits' },
  { name: 'effects get: too short', args: ['effects', 'get', 'sha256:0'], ...usage, hint: 'four hex digits' },
  { name: 'effects get: upper case', args: ['effects', 'get', 'sha256:ABCD'], ...usage, hint: 'lower case' },
  { name: 'effects get: unknown', args: ['effects', 'get', NO_HASH], exit: 4, code: 'not_found', hint: 'effects ls' },
  {
    name: 'effects retry: unknown',
    args: ['effects', 'retry', NO_HASH],
    exit: 4,
    code: 'not_found',
    hint: 'effects ls',
  },
  {
    name: 'effects retry: a timer',
    args: ['effects', 'retry', '<timer.after>'],
    exit: 6,
    code: 'effect.deferred',
    hint: 'due',
  },
  {
    name: 'effects retry: an approval',
    args: ['effects', 'retry', '<approval.request>'],
    exit: 6,
    code: 'effect.deferred',
    hint: 'Decide',
  },
  {
    name: 'effects retry: only in a running world',
    args: ['--mode', 'daemon', 'effects', 'retry', '<t.call>'],
    ...unreachable,
  },
  { name: 'effects receipt: no status', args: receipt(), ...flagUsage },
  { name: 'effects receipt: a status that is none', args: receipt('--status', 'done'), ...flagUsage },
  {
    name: 'effects receipt: ok with an error',
    args: receipt('--status', 'ok', '--error-code', 'x'),
    ...usage,
    hint: '--status error',
  },
  {
    name: 'effects receipt: a message without a code',
    args: receipt('--status', 'error', '--error-message', 'x'),
    ...usage,
    hint: 'payment.declined',
  },
  {
    name: 'effects receipt: a payload that is no JSON',
    args: receipt('--status', 'ok', '--payload', '{"text": '),
    exit: 2,
    code: 'decode_error',
    hint: 'give JSON',
  },
  {
    name: 'effects receipt: a bare word',
    args: receipt('--status', 'ok', '--payload', 'done'),
    exit: 2,
    code: 'decode_error',
    hint: `'"done"'`,
  },
  {
    name: 'effects receipt: a file that is not there',
    args: receipt('--status', 'ok', '--payload', '@no.json'),
    exit: 4,
    code: 'not_found',
    hint: 'relative to the current folder',
  },
  {
    name: 'effects receipt: ok without a payload',
    args: receipt('--status', 'ok'),
    exit: 1,
    code: 'receipt.payload_invalid',
    pointer: '/payload',
  },
  {
    name: 'effects receipt: a field of the wrong type',
    args: receipt('--status', 'ok', '--payload', '{"text": 7}'),
    exit: 1,
    code: 'receipt.payload_invalid',
    pointer: '/payload/text',
  },
  {
    name: 'effects receipt: an unknown field',
    args: receipt('--status', 'ok', '--payload', '{"text": "a", "txet": "b"}'),
    exit: 1,
    code: 'receipt.payload_invalid',
    pointer: '/payload/txet',
  },
  {
    name: 'effects receipt: a failure with a payload of another kind',
    args: receipt('--status', 'error', '--payload', '[]'),
    exit: 1,
    code: 'receipt.payload_invalid',
    pointer: '/payload',
  },
  {
    name: 'effects receipt: unknown',
    args: ['effects', 'receipt', NO_HASH, '--status', 'error'],
    exit: 4,
    code: 'not_found',
  },

  // config
  { name: 'config: an unknown command', args: ['config', 'aply'], ...usage, hint: 'did you mean "apply"?' },
  { name: 'config: no command', args: ['config'], ...usage, hint: 'config [options] [command]' },
  {
    name: 'config apply: only of a running world',
    args: ['--mode', 'daemon', 'config', 'apply', '--yes'],
    ...unreachable,
  },

  // stop and the control socket
  { name: 'stop: nothing runs', args: ['stop'], ...unreachable, hint: 'nothing needs to be stopped' },
  { name: 'stop: a time that is none', args: ['stop', '--grace-ms', 'soon'], ...flagUsage },
  { name: 'stop: a time before now', args: ['stop', '--grace-ms', '-1'], ...flagUsage },
  { name: 'stop: an argument', args: ['stop', 'now'], ...flagUsage },
  {
    name: 'a control socket that is not there',
    args: ['--control', 'no.sock', 'effects', 'ls'],
    ...unreachable,
    hint: 'doctor',
  },
  {
    name: 'the same by environment',
    args: ['effects', 'ls'],
    env: { WORLDLINE_CONTROL: 'no.sock' },
    ...unreachable,
    hint: 'doctor',
  },
  { name: 'a control socket that is a folder', args: ['--control', '.', 'effects', 'ls'], ...unreachable },
  {
    name: 'a control socket with a name too long',
    args: ['--control', 'x'.repeat(300), 'effects', 'ls'],
    ...unreachable,
  },

  // trace, trace-find, trace-diagnose
  { name: 'trace: of what?', args: ['trace'], ...usage, hint: '--correlate-by' },
  {
    name: 'trace: half a question',
    args: ['trace', '--schema', 't/Wanted@1', '--value', '1'],
    ...usage,
    hint: '--correlate-by',
  },
  {
    name: 'trace: two questions',
    args: ['trace', '--event-hash', 'abcd', '--schema', 't/Wanted@1'],
    ...usage,
    hint: 'one or the other',
  },
  { name: 'trace: no hash', args: ['trace', '--event-hash', 'newest'], ...usage, hint: 'four hex digits' },
  {
    name: 'trace: an unknown hash',
    args: ['trace', '--event-hash', NO_HASH],
    exit: 4,
    code: 'trace.root_missing',
    hint: 'journal tail',
  },
  {
    name: 'trace: an unknown schema',
    args: ['trace', '--schema', 't/Wantd@1', '--correlate-by', 'id', '--value', '"a"'],
    exit: 4,
    code: 'schema.unknown',
    hint: 'did you mean "t/Wanted@1"?',
  },
  {
    name: 'trace: a value that no event has',
    args: ['trace', ...byField('id', '"zzz"')],
    exit: 4,
    code: 'trace.root_missing',
    hint: 'journal tail',
  },
  {
    name: 'trace: a field that no event has',
    args: ['trace', ...byField('order.id', '"a"')],
    exit: 4,
    code: 'trace.root_missing',
  },
  { name: 'trace: a bare word', args: ['trace', ...byField('id', 'a')], exit: 2, code: 'decode_error', hint: `'"a"'` },
  { name: 'trace: a path with a hole', args: ['trace', ...byField('order..id', '"a"')], ...usage, hint: 'order.id' },
  { name: 'trace: no window', args: ['trace', '--event-hash', 'abcd', '--window-limit', '0'], ...usage },
  { name: 'trace: too large a window', args: ['trace', '--event-hash', 'abcd', '--window-limit', '10001'], ...usage },
  {
    name: 'trace: a window that is no number',
    args: ['trace', '--event-hash', 'abcd', '--window-limit', 'all'],
    ...flagUsage,
  },
  {
    name: 'trace: a pause that is no number',
    args: ['trace', '--event-hash', 'abcd', '--interval-ms', '1.5'],
    ...flagUsage,
  },
  {
    name: 'trace: --follow into a file',
    args: ['trace', ...byField('id', '"a"'), '--follow', '--out', 'x'],
    ...usage,
    hint: '--out',
  },
  {
    name: 'trace: a file where none can be',
    args: ['trace', ...byField('id', '"a"'), '--out', 'no/where.json'],
    exit: 1,
    code: 'host_error',
    hint: 'folder',
  },
  { name: 'trace-find: no schema', args: ['trace-find', '--correlate-by', 'id', '--value', '"a"'], ...flagUsage },
  {
    name: 'trace-find: no value',
    args: ['trace-find', '--schema', 't/Wanted@1', '--correlate-by', 'id'],
    ...flagUsage,
  },
  {
    name: 'trace-find: an unknown schema',
    args: ['trace-find', '--schema', 'x', '--correlate-by', 'id', '--value', '1'],
    exit: 4,
    code: 'schema.unknown',
  },
  {
    name: 'trace-find: a limit that is no number',
    args: ['trace-find', ...byField('id', '1'), '--limit', 'all'],
    ...flagUsage,
  },
  { name: 'trace-diagnose: of what?', args: ['trace-diagnose', '--check'], ...usage, hint: '--correlate-by' },
  {
    name: 'trace-diagnose: an unknown hash',
    args: ['trace-diagnose', '--event-hash', '0000'],
    exit: 4,
    code: 'trace.root_missing',
  },

  // doctor
  { name: 'doctor: an argument', args: ['doctor', 'please'], ...flagUsage },
  { name: 'doctor: a flag it does not have', args: ['doctor', '--fix'], ...usage },
];

let world: string;
const intents = new Map<string, string>();

beforeAll(async () => {
  world = callWorld();
  for (const [id, plan, mode] of [
    ['a', 'nap', 'ok'],
    ['b', 'ask', 'ok'],
    ['c', 'call', 'hang'],
  ] as const)
    await worldline(['event', 'send', 't/Wanted@1', wanted(id, plan, mode), '--timeout-ms', '300'], { cwd: world });
  const { effects } = (await worldline(['effects', 'ls', '--json'], { cwd: world })).json().data;
  for (const { kind, intent_hash } of effects as { kind: Kind; intent_hash: string }[]) intents.set(kind, intent_hash);
  expect([...intents.keys()].sort()).toEqual(['approval.request', 't.call', 'timer.after']);
});

test.each(CASES)('$name', async ({ args, exit, code, pointer, hint, env }) => {
  const given = args.map((arg) => intents.get(arg.replace(/^<(.*)>$/, '$1')) ?? arg);
  const run = await worldline([...given, '--json'], { cwd: world, ...(env === undefined ? {} : { env }) });
  expect({ exit: run.exit, stderr: run.stderr }).toEqual({ exit, stderr: '' });
  const { error } = run.json();
  expect(error).toMatchObject({ code, message: expect.stringMatching(/./) });
  if (pointer !== undefined) expect(error.details?.pointer).toBe(pointer);
  if (hint !== undefined) expect(error.details?.hint).toContain(hint);
});

test('the effects still wait, and the world opens and replays', async () => {
  expect((await worldline(['effects', 'ls', '--json'], { cwd: world })).json().data.effects).toHaveLength(3);
  expect((await worldline(['replay', '--verify', '--from-genesis'], { cwd: world })).exit).toBe(0);
});
