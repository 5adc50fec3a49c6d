import { createHmac } from 'node:crypto';
import type { GuardedHttp } from '@worldline/ports';
import { afterEach, describe, expect, test } from 'vitest';
import { ApprovalWebhook, type ApprovalWebhookOptions } from '../src/approval-webhook.ts';
import { guardedHttp } from '../src/guarded-http.ts';
import { context, type Seen, service } from './support.ts';

/** `approvals.webhook` (`host.md` §5.6): signed, at least once, and without any effect on effects. */

const KEY = 'the key of the desk';
const INTENT = (digit: number) => `sha256:${String(digit).repeat(64)}`;

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Waits for a condition; the test's own time limit ends it when it never comes. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

interface Setup extends Partial<ApprovalWebhookOptions> {
  readonly http?: GuardedHttp;
  /** Pauses never end. */
  readonly isFrozen?: boolean;
  /** By the number of the request. */
  readonly status?: (count: number) => number;
}

async function webhook({ status = () => 204, http, isFrozen, ...options }: Setup = {}) {
  const desk = await service((_, response, count) => {
    response.statusCode = status(count);
    response.end();
  });
  closing.push(() => desk.close());
  const ctx = context(http ?? guardedHttp({ allowPrivate: ['127.0.0.1'] }));
  const warnings: string[] = [];
  const made = new ApprovalWebhook({
    url: `http://127.0.0.1:${desk.port}/asked?team=a`,
    secret: async () => KEY,
    describe: async (intentHash) => JSON.stringify({ intentHash }),
    ...options,
  });
  await made.start({
    worldId: 'w',
    universeId: 'u',
    clock: isFrozen === true ? { ...ctx.clock, setTimer: () => () => {} } : ctx.clock,
    log: { ...ctx.log, warn: (message, fields) => warnings.push(`${message} ${JSON.stringify(fields)}`) },
    blobs: ctx.blobs,
    http: ctx.http,
  });
  const asked = () => desk.seen.map((seen: Seen) => (JSON.parse(seen.body) as { intentHash: string }).intentHash);
  return { made, desk, warnings, asked };
}

test('what is asked is posted as JSON, with the HMAC of its bytes', async () => {
  const { made, desk } = await webhook({ describe: async () => '{"subject":"für alle"}' });
  made.requested(INTENT(1));
  await made.stop();
  expect(desk.seen).toHaveLength(1);
  const [{ method, url, headers, body }] = desk.seen as [Seen];
  expect([method, url, headers['content-type']]).toEqual(['POST', '/asked?team=a', 'application/json']);
  const bytes = Buffer.from(body, 'latin1');
  expect(bytes.toString()).toBe('{"subject":"für alle"}');
  expect(headers['x-worldline-signature']).toBe(`sha256=${createHmac('sha256', KEY).update(bytes).digest('hex')}`);
});

describe('what fails is tried again until it is delivered or nobody asks any more', () => {
  test.each([500, 429, 404, 302])('after an answer %i', async (bad) => {
    const { made, warnings, asked, desk } = await webhook({ status: (count) => (count < 3 ? bad : 200) });
    made.requested(INTENT(1));
    await until(() => desk.seen.length === 3);
    await made.stop();
    expect(asked()).toEqual([INTENT(1), INTENT(1), INTENT(1)]);
    // Told once, not with every attempt, and without the address, which may hold a secret.
    expect(warnings).toEqual([expect.stringContaining(`it answers ${bad}`)]);
    expect(warnings[0]).not.toContain('team=a');
  });

  test('what is over meanwhile is not sent: decided while it waited, or before it was sent', async () => {
    const pending = new Set([INTENT(1), INTENT(2)]);
    const describe = async (intentHash: string) =>
      pending.has(intentHash) ? JSON.stringify({ intentHash }) : undefined;
    const { made, asked, desk } = await webhook({
      status: (count) => (count === 1 ? 500 : 200),
      describe,
      isFrozen: true,
    });
    made.requested(INTENT(1));
    await until(() => desk.seen.length === 1);
    made.over(INTENT(1));
    made.requested(INTENT(3));
    made.requested(INTENT(2));
    await made.stop();
    expect(asked()).toEqual([INTENT(1), INTENT(2)]);
  });

  test('others do not wait for one that fails', async () => {
    const { made, asked, desk } = await webhook({ status: (count) => (count === 1 ? 500 : 200), isFrozen: true });
    made.requested(INTENT(1));
    await until(() => desk.seen.length === 1);
    made.requested(INTENT(2));
    // Its delivery also shows that the address answers again, so the first one need not wait for the end of the pause.
    await until(() => desk.seen.length === 3);
    expect(asked()).toEqual([INTENT(1), INTENT(2), INTENT(1)]);
    await made.stop();
  });

  test('without its key nothing is sent unsigned; with it what waits is', async () => {
    let looks = 0;
    const { made, desk } = await webhook({ secret: async () => (++looks < 3 ? undefined : KEY) });
    made.requested(INTENT(1));
    await until(() => desk.seen.length === 1);
    expect(looks).toBe(3);
    expect(desk.seen[0]!.headers['x-worldline-signature']).toMatch(/^sha256=[0-9a-f]{64}$/);
    await made.stop();
  });
});

describe('stopping', () => {
  test('waits for what was never tried, however much it is', async () => {
    const { made, asked } = await webhook();
    const all = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(INTENT);
    for (const intent of all) made.requested(intent);
    await made.stop();
    expect(asked().sort()).toEqual(all);
    made.requested(INTENT(1));
    expect(asked()).toHaveLength(9);
  });

  test('does not wait for what failed, and says that the next start announces it', async () => {
    const { made, warnings } = await webhook({ status: () => 503, isFrozen: true });
    for (const intent of [1, 2].map(INTENT)) made.requested(intent);
    await made.stop();
    expect(warnings.at(-1)).toMatch(/next start announces them .*"approvals":2/);
  });
});

test('the guard holds: a private address has to be allowed (`http.allow_private`)', async () => {
  const { made, desk, warnings } = await webhook({ http: guardedHttp(), isFrozen: true });
  made.requested(INTENT(1));
  await made.stop();
  expect(desk.seen).toEqual([]);
  expect(warnings.join()).toContain('http.address_denied');
});

test('whatever throws is a failure like others', async () => {
  let looks = 0;
  const { made, desk } = await webhook({
    async describe() {
      if (++looks === 1) throw new Error('the store does not answer');
      return '{}';
    },
  });
  made.requested(INTENT(1));
  await until(() => desk.seen.length === 1);
  await made.stop();
});
