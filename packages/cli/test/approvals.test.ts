import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { approvalWorld } from './approval-world.ts';
import { cleanUp, daemon, worldline } from './support.ts';

/** Approvals through the built command and the address it listens on (`host.md` §5.6, §8.1, §12.2). */

vi.setConfig({ testTimeout: 240_000 });
afterAll(cleanUp);

const commands = (cwd: string) => ({
  run: (...args: string[]) => worldline(args, { cwd }),
  async data(...args: string[]) {
    const answer = await worldline([...args, '--json'], { cwd });
    if (answer.exit !== 0) throw new Error(`${args.join(' ')}: ${answer.stdout} ${answer.stderr}`);
    return answer.json().data;
  },
});

const ask = (what: string, notes?: string) => ['plans', 'start', 'ask/ask@1', JSON.stringify({ what, notes })];

test('a token with the role decides over the network; command and API show the same rows', async () => {
  const cwd = approvalWorld({
    server: { bind: '127.0.0.1:0' },
    approvals: { rules: [{ subject_prefix: 'deploy', roles: ['lead', 'ops'] }] },
  });
  const { data, run } = commands(cwd);
  const running = await daemon(cwd);
  const { http_url } = JSON.parse(readFileSync(join(cwd, '.worldline/daemon.json'), 'utf8')) as { http_url: string };
  const scopes = ['--scope', 'read', '--scope', 'approval'];
  const { token } = await data('token', 'create', 'ada', ...scopes, '--role', 'cook', '--role', 'lead');
  const call = async (method: string, path: string, body?: object) => {
    const answer = await fetch(new URL(path, http_url), {
      method,
      body: body === undefined ? null : JSON.stringify(body),
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    });
    // biome-ignore lint/suspicious/noExplicitAny: tests look into it, and a wrong guess fails them
    return { status: answer.status, body: (await answer.json()) as any };
  };
  for (const what of ['deploy web', 'lunch']) await data(...ask(what));

  const pending = (await call('GET', '/api/approvals')).body.approvals;
  expect(pending).toMatchObject([{ subject: 'deploy web', roles: ['lead', 'ops'] }, { subject: 'lunch' }]);
  expect((await data('approvals', 'ls')).approvals).toEqual(pending);
  const [web, lunch] = pending.map((row: { intent_hash: string }) => row.intent_hash);
  expect((await run('approvals', 'get', web)).stdout).toMatch(/^roles {6}lead, ops$/m);

  const yes = { decision: 'approved', rationale: 'green' };
  expect(await call('POST', `/api/approvals/${web}`, yes)).toEqual({ status: 200, body: {} });
  expect((await call('POST', `/api/approvals/${web}`, yes)).body.code).toBe('approval.decided');
  expect((await run('approvals', 'decide', web, 'deny')).exit).toBe(6);
  await data('approvals', 'decide', lunch, 'deny');

  const decided = (await call('GET', '/api/approvals?status=decided')).body.approvals;
  expect(decided).toMatchObject([
    { subject: 'lunch', decision: 'denied', approver: expect.stringMatching(/^socket:/) },
    { subject: 'deploy web', decision: 'approved', approver: 'token:ada', rationale: 'green' },
  ]);
  expect((await data('approvals', 'ls', '--all')).approvals).toEqual(decided.toReversed());
  expect((await running.stop()).exit).toBe(0);
});

test('what is asked is shown as data: it steers no terminal and begins no line of its own', async () => {
  const cwd = approvalWorld();
  const { data, run } = commands(cwd);
  const hidden = 'web\u001b[2K\ndecision   approved';
  const put = await worldline(['blob', 'put', '@-', '--json'], { cwd, input: `${hidden}\r<b>bold</b>` });
  const { hash } = put.json().data;
  await data(...ask(hidden, hash));
  const [{ intent_hash }] = (await data('approvals', 'ls')).approvals;
  expect((await run('approvals', 'get', intent_hash)).stdout).toBe(
    [
      `intent     ${intent_hash}`,
      'subject    web\\u001b[2K\\ndecision   approved',
      'requester  tests',
      'plan       ask/ask@1 0 step ask',
      'state      pending',
      `context    ${hash}`,
      '  web\\u001b[2K',
      '  decision   approved\\u000d<b>bold</b>',
      '',
    ].join('\n'),
  );

  await data('plans', 'cancel', '0', '--reason', 'enough', '--yes');
  const [withdrawn] = (await data('approvals', 'ls', '--all')).approvals;
  expect(withdrawn).toMatchObject({ intent_hash, error_code: 'approval.withdrawn' });
  for (const key of ['decision', 'approver', 'decided_ns']) expect(withdrawn[key]).toBeUndefined();
  const late = await run('approvals', 'decide', intent_hash, 'approve', '--json');
  expect([late.exit, late.json().error.code]).toEqual([6, 'approval.decided']);
});
