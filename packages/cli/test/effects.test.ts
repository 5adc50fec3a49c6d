import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ambiguous } from '../src/intent-text.ts';
import { callWorld, configure, letGo, wanted } from './call-world.ts';
import { cleanUp, daemon, worldline } from './support.ts';

/** `effects` and `config`, with and without a running world (host.md §8.3, §12.2). Tests start the built command. */

// Each command is a process of its own, and a busy machine starts them slowly.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });
afterAll(cleanUp);

const HASH = expect.stringMatching(/^sha256:[0-9a-f]{64}$/);

async function data(world: string, ...args: string[]) {
  const run = await worldline([...args, '--json'], { cwd: world });
  expect({ args, exit: run.exit, out: run.exit === 0 ? '' : run.stdout }).toEqual({ args, exit: 0, out: '' });
  return run.json().data;
}

async function error(world: string, ...args: string[]) {
  const run = await worldline([...args, '--json'], { cwd: world });
  const { code, details } = run.json().error;
  return { exit: run.exit, code, pointer: details?.pointer, hint: details?.hint };
}

const send = (world: string, id: string, plan: string, mode = 'ok') =>
  data(world, 'event', 'send', 't/Wanted@1', wanted(id, plan, mode), '--wait', 'applied', '--timeout-ms', '400');

const records = async (world: string, kind: string) =>
  (await data(world, 'journal', 'tail', '--kinds', kind)).entries.map((entry: { record: unknown }) => entry.record);

/** The intent of the one pending effect of a kind. */
async function intent(world: string, kind = 't.call'): Promise<string> {
  const { effects } = await data(world, 'effects', 'ls', '--kind', kind);
  expect(effects).toHaveLength(1);
  return effects[0].intent_hash;
}

describe('pending effects', () => {
  let world: string;
  beforeAll(async () => {
    world = callWorld();
    await send(world, 'a', 'nap');
    await send(world, 'b', 'ask');
    await send(world, 'c', 'call', 'hang');
  });

  const shape = (kind: string, status: string, params: unknown, more = {}) => ({
    intent_hash: HASH,
    emission_seq: expect.any(Number),
    kind,
    cap: expect.any(String),
    origin: { origin_kind: 'plan', name: expect.stringMatching(/^t\//), plan_id: expect.any(Number), step_id: 'go' },
    enqueued_seq: expect.any(Number),
    status,
    params,
    ...more,
  });

  test('ls and get tell the same beside a running world and without one, but for who works on what', async () => {
    const expected = (status: string) => [
      shape('timer.after', 'deferred', { key: null, after_ns: 3_600_000_000_000 }, { due_ns: expect.any(String) }),
      shape('approval.request', 'deferred', expect.anything(), { attempt: expect.any(Number) }),
      shape('t.call', status, { id: 'c', mode: 'hang' }, { attempt: expect.any(Number) }),
    ];
    const without = await data(world, 'effects', 'ls');
    expect(without.effects).toEqual(expected('open'));
    const running = await daemon(world);
    // The daemon starts what was open one after the other.
    const isStarted = (effect: { kind: string; attempt?: number; status: string }) =>
      effect.kind === 'timer.after' || (effect.attempt !== undefined && effect.status !== 'open');
    let beside = await data(world, 'effects', 'ls');
    while (!beside.effects.every(isStarted)) beside = await data(world, 'effects', 'ls');
    expect(beside.effects).toEqual(expected('in_flight'));
    const stable = (list: { attempt?: number; status: string }[]) =>
      list.map(({ attempt: _attempt, status: _status, ...rest }) => rest);
    expect(stable(beside.effects)).toEqual(stable(without.effects));

    expect((await data(world, 'effects', 'ls', '--status', 'deferred', '--kind', 'timer.after')).effects).toHaveLength(
      1,
    );
    const one = await data(world, 'effects', 'get', beside.effects[2].intent_hash.slice(0, 17));
    expect(one).toEqual(beside.effects[2]);
    expect(await error(world, 'effects', 'retry', one.intent_hash)).toMatchObject({
      exit: 6,
      code: 'effect.in_flight',
    });
    // One that the system has stopped blocks nobody who reads.
    const { pid } = JSON.parse(readFileSync(join(world, '.worldline/lock'), 'utf8'));
    process.kill(pid, 'SIGSTOP');
    try {
      const frozen = await worldline(['effects', 'ls', '--json', '--timeout-ms', '700'], { cwd: world });
      expect([frozen.exit, frozen.json().data.effects.length]).toEqual([0, 3]);
      expect(frozen.json().warnings).toEqual([expect.stringContaining('doctor')]);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await running.stop();
    const table = await worldline(['effects', 'ls'], { cwd: world });
    expect(table.stdout.split('\n')[0]).toMatch(/^INTENT +KIND +STATUS +ATTEMPT +DUE +FROM$/);
    expect(table.stdout).toMatch(/timer\.after +deferred +in 59\.\d+m +t\/nap@1 0 step go/);
  });
});

test('a beginning that several intents share is refused with the ones it may mean', () => {
  const refused = () => ambiguous('sha256:3f2a', ['sha256:3f2a1… t.call', 'sha256:3f2a2… t.call']);
  expect(refused).toThrow(expect.objectContaining({ failure: expect.objectContaining({ code: 'invalid_request' }) }));
  expect(refused).toThrow(
    expect.objectContaining({ failure: expect.objectContaining({ hint: expect.stringContaining('3f2a2') }) }),
  );
});

describe('a receipt by hand (host.md §2, §8.3)', () => {
  test('without a running world: refused if it does not conform, else the plan goes on, and no adapter is asked', async () => {
    const world = callWorld();
    await send(world, 'c', 'call', 'hang');
    const hash = await intent(world);
    const calls = readFileSync(join(world, 'calls'), 'utf8');
    expect(await error(world, 'effects', 'receipt', hash, '--status', 'ok', '--payload', '{"text": 7}')).toMatchObject({
      exit: 1,
      code: 'receipt.payload_invalid',
      pointer: '/payload/text',
    });
    const answer = ['effects', 'receipt', hash, '--status', 'ok', '--payload', '{"text": "by hand"}'];
    expect(await data(world, ...answer)).toEqual({ accepted: true, duplicate: false });
    // The adapter writes a line per call: it was asked before, and not again.
    expect(readFileSync(join(world, 'calls'), 'utf8')).toBe(calls);
    const [receipt] = await records(world, 'receipt');
    expect(receipt).toMatchObject({
      adapter_id: 'manual.tests.call',
      status: 'ok',
      payload: { text: 'by hand', n: null },
      disposition: 'applied',
      sig_key: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
    expect((await data(world, 'plans', 'ls')).plans[0]).toMatchObject({ status: 'ok' });
    expect(await data(world, ...answer)).toEqual({ accepted: false, duplicate: true });
    expect(await data(world, 'effects', 'get', hash)).toMatchObject({
      intent_hash: hash,
      params: { id: 'c', mode: 'hang' },
      receipt: { seq: expect.any(Number), adapter_id: 'manual.tests.call', payload: { text: 'by hand', n: null } },
    });
    expect(await error(world, 'effects', 'retry', hash)).toMatchObject({ exit: 4, code: 'not_found' });
    expect((await worldline(['journal', 'verify', '--signatures'], { cwd: world })).exit).toBe(0);
    expect((await worldline(['replay', '--verify'], { cwd: world })).exit).toBe(0);
  });

  test('beside a running world: it ends an effect that an adapter is still performing', async () => {
    const world = callWorld();
    const running = await daemon(world);
    await send(world, 'c', 'call', 'hang');
    const hash = await intent(world);
    const given = ['--status', 'error', '--error-code', 'call.lost', '--error-message', 'nobody knows'];
    expect(await error(world, 'effects', 'receipt', hash, '--status', 'timeout', '--payload', '[]')).toMatchObject({
      exit: 1,
      code: 'receipt.payload_invalid',
      pointer: '/payload',
    });
    expect(await data(world, 'effects', 'receipt', hash, ...given)).toEqual({ accepted: true, duplicate: false });
    expect((await records(world, 'receipt'))[0]).toMatchObject({
      adapter_id: 'manual.tests.call',
      status: 'error',
      error: { code: 'call.lost', message: 'nobody knows' },
    });
    expect((await data(world, 'effects', 'ls')).effects).toEqual([]);
    expect((await worldline(['stop'], { cwd: world })).exit).toBe(0);
    await running.stop();
  });

  test('retry performs an open effect again, and the command waits for what comes of it', async () => {
    const world = callWorld();
    await send(world, 'c', 'call', 'hang');
    const hash = await intent(world);
    letGo(world);
    expect(await data(world, 'effects', 'retry', hash)).toEqual({});
    expect((await records(world, 'receipt'))[0]).toMatchObject({ adapter_id: 'tests.call', status: 'ok' });
  });
});

describe('config (host.md §7.1, kernel.md §15)', () => {
  const small = { world: { limits: { max_event_bytes: 200 } } };

  test('get shows the differences, run reports them, apply journals them; then they hold', async () => {
    const world = callWorld();
    await send(world, 'a', 'nap');
    const before = await data(world, 'config', 'get');
    expect(before).toMatchObject({
      config_hash: HASH,
      config: { limits: { max_event_bytes: 1_048_576 } },
      changed: [],
    });
    configure(world, small);
    const changed = [{ member: 'limits.max_event_bytes', from: 1_048_576, to: 200 }];
    expect(await data(world, 'config', 'get')).toEqual({ ...before, changed });
    const long = wanted('x'.repeat(300), 'none');
    expect((await worldline(['event', 'send', 't/Wanted@1', long], { cwd: world })).exit).toBe(0);

    expect(await error(world, 'config', 'apply')).toMatchObject({
      exit: 2,
      code: 'invalid_request',
      hint: 'confirm with --yes',
    });
    const running = await daemon(world);
    const applied = await data(world, 'config', 'apply', '--yes');
    expect(applied).toEqual({ config_hash: HASH, changed });
    expect(applied.config_hash).not.toBe(before.config_hash);
    expect(await error(world, 'event', 'send', 't/Wanted@1', long)).toMatchObject({ code: 'too_large' });
    const { stderr } = await running.stop();
    expect(stderr).toContain('config apply');
    expect((await records(world, 'manifest')).map((record: { config_hash: string }) => record.config_hash)).toEqual([
      before.config_hash,
      applied.config_hash,
    ]);

    // And back, without a running world.
    configure(world, {});
    expect(await data(world, 'config', 'apply', '--yes')).toEqual({
      config_hash: before.config_hash,
      changed: [{ member: 'limits.max_event_bytes', from: 200, to: 1_048_576 }],
    });
    expect((await data(world, 'config', 'apply')).changed).toEqual([]);
    expect((await worldline(['replay', '--verify', '--from-genesis'], { cwd: world })).exit).toBe(0);
  });

  test('settings that the world refuses change nothing', async () => {
    const world = callWorld();
    await send(world, 'a', 'nap');
    configure(world, { world: { require_policy: true } });
    expect(await error(world, 'config', 'apply', '--yes')).toMatchObject({ exit: 1, code: 'policy.required' });
    expect((await data(world, 'config', 'get')).config.require_policy).toBe(false);
    writeFileSync(join(world, 'worldline.host.json'), '{"world": {"limits": {"max_evnt_bytes": 1}}}');
    expect(await error(world, 'config', 'get')).toMatchObject({ pointer: '/world/limits/max_evnt_bytes' });
  });
});
