import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { approvalWorld, configure } from './approval-world.ts';
import { cleanUp, daemon, worldline } from './support.ts';

/** `approvals.webhook` through the built command (`host.md` §5.6). */

vi.setConfig({ testTimeout: 240_000 });
afterAll(cleanUp);

const KEY = 'a-key-of-the-desk';

test('who is to be told is told what the API shows, signed, and again by every process that finds it pending', async () => {
  const told: { readonly signature: unknown; readonly text: string }[] = [];
  let status = 500;
  const desk = createServer((incoming, response) => {
    let text = '';
    incoming.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    incoming.on('end', () => {
      told.push({ signature: incoming.headers['x-worldline-signature'], text });
      response.statusCode = status;
      response.end();
    });
  });
  await new Promise<void>((resolve) => desk.listen(0, '127.0.0.1', resolve));
  const { port } = desk.address() as AddressInfo;
  const cwd = approvalWorld();
  const webhook = { url: `http://127.0.0.1:${port}/asked`, secret: 'env:DESK_KEY' };
  const config = { approvals: { webhook }, http: { allow_private: ['127.0.0.1'] } };
  configure(cwd, config);
  writeFileSync(join(cwd, '.env'), `DESK_KEY=${KEY}\n`);
  const run = (...args: string[]) => worldline([...args, '--json'], { cwd });

  // A command that opens the world for a moment tells, too. It is in vain, and the effect does not notice.
  expect((await run('plans', 'start', 'ask/ask@1', '{"what": "deploy web"}')).exit).toBe(0);
  const before = told.length;
  expect(before).toBeGreaterThan(0);
  const [row] = (await run('approvals', 'ls')).json().data.approvals;

  status = 204;
  const running = await daemon(cwd);
  while (told.length === before) await new Promise((resolve) => setTimeout(resolve, 5));
  for (const { text, signature } of told) {
    expect(signature).toBe(`sha256=${createHmac('sha256', KEY).update(text).digest('hex')}`);
    expect(JSON.parse(text)).toEqual({ event: 'approval_requested', world_id: expect.any(String), approval: row });
  }
  await run('approvals', 'decide', row.intent_hash, 'approve');
  // What is asked while it runs. A secret of this host that somebody wrote into the subject stays here.
  await run('plans', 'start', 'ask/ask@1', JSON.stringify({ what: `lunch ${KEY}` }));
  while (told.length === before + 1) await new Promise((resolve) => setTimeout(resolve, 5));
  expect((await running.stop()).exit).toBe(0);
  const subjects = told.slice(before).map(({ text }) => JSON.parse(text).approval.subject);
  expect(subjects).toEqual(['deploy web', 'lunch «redacted:env:DESK_KEY»']);

  // Nobody there: a decision is taken all the same.
  await new Promise((resolve) => {
    desk.close(resolve);
    desk.closeAllConnections();
  });
  const [lunch] = (await run('approvals', 'ls')).json().data.approvals;
  const decided = await run('approvals', 'decide', lunch.intent_hash, 'deny');
  expect(decided.exit).toBe(0);
});
