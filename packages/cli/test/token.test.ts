import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { cleanUp, daemon, worldline, worldOf } from './support.ts';

/** `worldline token …`, and the address that tokens are for (`host.md` §8.1, §12.2). */

vi.setConfig({ testTimeout: 180_000 });
afterAll(cleanUp);

const PEER = '01a22443-6a8e-7f49-ac50-5ce56d30e47a';

test('a token is made, shown once, listed without its text, and ended', async () => {
  const cwd = worldOf('minimal');
  const made = await worldline(['token', 'create', 'desk', '--peer', PEER, '--json'], { cwd });
  expect([made.exit, made.json().data.name]).toEqual([0, 'desk']);
  const { token } = made.json().data;
  expect(token).toMatch(/^[\w-]{43}$/);
  const reader = [
    'token',
    'create',
    'board',
    '--scope',
    'read',
    '--scope',
    'event',
    '--role',
    'lead',
    '--expires',
    '90d',
  ];
  expect((await worldline(reader, { cwd })).exit).toBe(0);
  const listed = await worldline(['token', 'ls', '--json'], { cwd });
  expect(listed.json().data.tokens).toMatchObject([
    { name: 'desk', scopes: ['fabric'], peer: PEER },
    { name: 'board', scopes: ['read', 'event'], roles: ['lead'], expires_at: expect.any(String) },
  ]);
  const people = await worldline(['token', 'ls'], { cwd });
  expect(people.stdout).toMatch(/^desk +fabric +01a22443-\S+ +never$/m);
  for (const said of [listed.stdout, people.stdout, readFileSync(join(cwd, '.worldline/tokens.json'), 'utf8')])
    expect(said).not.toContain(token);
  expect(statSync(join(cwd, '.worldline/tokens.json')).mode & 0o777).toBe(0o600);
  expect((await worldline(['token', 'revoke', 'desk'], { cwd })).stdout).toBe('revoked desk\n');
  expect((await worldline(['token', 'revoke', 'desk'], { cwd })).exit).toBe(4);
});

test.each([
  [['create', 'desk'], 2],
  [['create', 'a/b', '--scope', 'read'], 2],
  [['create', 'desk', '--scope', 'everything'], 2],
  [['create', 'desk', '--scope', 'read', '--expires', 'soon'], 2],
  [['create', 'desk', '--peer', 'lab'], 2],
])('token %j is refused', async (args, exit) => {
  const found = await worldline(['token', ...args, '--json'], { cwd: worldOf('minimal') });
  expect([found.exit, found.json().error.code]).toEqual([exit, 'invalid_request']);
});

test('the running world listens, says where, and knows a token that is made and ended meanwhile', async () => {
  const cwd = worldOf('minimal');
  writeFileSync(join(cwd, 'worldline.host.json'), JSON.stringify({ server: { bind: '127.0.0.1:0' } }));
  const running = await daemon(cwd);
  const { http_url } = JSON.parse(readFileSync(join(cwd, '.worldline/daemon.json'), 'utf8')) as { http_url: string };
  const { token } = (await worldline(['token', 'create', 'board', '--scope', 'read', '--json'], { cwd })).json().data;
  const ask = async (path: string, given?: string) => {
    const headers = given === undefined ? {} : { authorization: `Bearer ${given}` };
    const answer = await fetch(new URL(path, http_url), { headers });
    return [answer.status, ((await answer.json()) as { code?: string; status?: string }).code];
  };
  expect(await ask('/api/health')).toEqual([200, undefined]);
  expect(await ask('/api/effects')).toEqual([401, 'auth.required']);
  expect(await ask('/api/effects', token)).toEqual([200, undefined]);
  expect(await ask('/api/config', token)).toEqual([403, 'auth.scope']);
  await worldline(['token', 'revoke', 'board'], { cwd });
  expect(await ask('/api/effects', token)).toEqual([401, 'auth.invalid']);
  const owner = readFileSync(join(cwd, '.worldline/token'), 'utf8').trim();
  expect(await ask('/api/config', owner)).toEqual([200, undefined]);
  expect((await running.stop()).exit).toBe(0);
});

test('an address that somebody else has ends the start, and the world is not held', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const cwd = worldOf('minimal');
  const bind = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
  writeFileSync(join(cwd, 'worldline.host.json'), JSON.stringify({ server: { bind } }));
  const failed = await worldline(['run'], { cwd });
  expect([failed.exit, failed.stderr]).toEqual([1, expect.stringContaining('control.unavailable')]);
  taken.close();
  expect((await worldline(['run', '--batch'], { cwd })).exit).toBe(0);
});
