import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { approvalAdapter } from '@worldline/adapters';
import { decode, hashText, unwrap } from '@worldline/canon';
import { type OpenWorldOptions, silentLogger } from '@worldline/host';
import { type ControlServer, createToken, type Scope, startControlServer } from '@worldline/server';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { approvals, Bench, hostConfig, job, until } from '../../packages/host/test/bench-world.ts';
import { approvalEndpoints } from '../../packages/server/src/approvals.ts';
import { ownerToken } from '../../packages/server/src/tokens.ts';
import { cleanUp, send, serve } from '../../packages/server/test/support.ts';

/** Approvals over socket and network of a real world, with real tokens (`host.md` §5.6, §8.1, §8.3). */

const NO_HASH = `sha256:${'0'.repeat(64)}`;
const RULES = [
  { subjectPrefix: 'deploy', roles: ['lead', 'ops'] },
  { subjectPrefix: 'deploy prod', roles: ['owner of prod'] },
  { subjectPrefix: 'sealed', roles: [] },
];

let folder: string;
const closing: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wl-approvals-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await cleanUp();
  rmSync(folder, { recursive: true, force: true });
});

/** A world that asks about `subjects`, in order. */
async function asking(subjects: readonly string[], more: Partial<OpenWorldOptions> = {}) {
  const bench = await Bench.create();
  const config = hostConfig((c) => ({ approvals: { ...c.approvals, rules: RULES } }));
  const world = await bench.open({ adapters: [approvals()], config, ...more });
  closing.push(() => world.close({ graceMs: 0 }));
  const intents: string[] = [];
  for (const subject of subjects) {
    unwrap(await world.startPlan({ plan: 't/ask@1', input: job(subject) }));
    intents.push(hashText(unwrap(await world.approvals()).at(-1)!.intentHash));
    bench.clock.advanceMs(1_000);
  }
  return { bench, world, intents };
}

async function listening({ world }: Pick<Awaited<ReturnType<typeof asking>>, 'world'>) {
  const control: ControlServer = unwrap(
    await startControlServer({
      world,
      dir: folder,
      version: '1.2.3',
      startedAt: new Date(),
      identity: 'socket:tests',
      log: silentLogger,
      listen: { bind: { host: '127.0.0.1', port: 0 }, allowedHosts: [], allowedOrigins: [] },
      onShutdown: () => {},
    }),
  );
  closing.push(() => control.close());
  const overSocket = async (method: string, path: string, body?: unknown) => {
    const given = body === undefined ? {} : { body: JSON.stringify(body) };
    const got = await send(control.socket, method, path, given);
    return { status: got.status, body: got.body };
  };
  /** As the holder of a token; without one as nobody. */
  const as = (token: string | undefined) => async (method: string, path: string, body?: unknown) => {
    const answer = await fetch(new URL(path, control.url), {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
    });
    // biome-ignore lint/suspicious/noExplicitAny: tests look into it, and a wrong guess fails them
    return { status: answer.status, body: (await answer.json()) as any };
  };
  const token = (name: string, scopes: readonly Scope[], roles: readonly string[] = []) =>
    unwrap(createToken(folder, { name, scopes, roles }, new Date()));
  return { overSocket, as, token };
}

const decide = (intent: string | undefined) => `/api/approvals/${intent}`;
const YES = { decision: 'approved' };

test('a decision is taken once, in the name of the caller', async () => {
  const setup = await asking(['a']);
  const { overSocket } = await listening(setup);
  const path = decide(setup.intents[0]);
  const refusal = async (body: unknown) => {
    const got = await overSocket('POST', path, body);
    return [got.status, got.body.code, got.body.details?.pointer];
  };
  expect(await refusal({ decision: 'maybe' })).toEqual([400, 'invalid_request', '/decision']);
  expect(await refusal({ decision: 'denied', by: 'ada' })).toEqual([400, 'invalid_request', '/by']);
  const denied = { decision: 'denied', rationale: 'not today' };
  expect(await overSocket('POST', path, denied)).toEqual({ status: 200, body: {} });
  expect(await refusal(YES)).toEqual([409, 'approval.decided', undefined]);
  const [receipt] = await setup.bench.of('effect_receipt');
  expect(unwrap(decode(receipt!.payload_cbor!))).toEqual({
    decision: 'denied',
    approver: 'socket:tests',
    rationale: 'not today',
  });
});

test('what nobody asked cannot be decided', async () => {
  const { overSocket } = await listening(await asking([]));
  expect(await overSocket('POST', decide(NO_HASH), YES)).toMatchObject({ status: 404, body: { code: 'not_found' } });
  expect(await overSocket('POST', decide('abc'), YES)).toMatchObject({
    status: 400,
    body: { code: 'invalid_request', details: { pointer: '/intent_hash' } },
  });
});

test('pending ones are rows of the state, oldest first; decided ones of the journal, newest first', async () => {
  const setup = await asking(['deploy prod', 'lunch', 'deploy web', 'gone']);
  const { bench, world, intents } = setup;
  const { as, token, overSocket } = await listening(setup);
  const reader = as(token('board', ['read']));
  const rows = async (query = '') => (await reader('GET', `/api/approvals${query}`)).body.approvals;
  const pending = await rows();
  expect(pending).toEqual([
    {
      intent_hash: intents[0],
      subject: 'deploy prod',
      requester: 'tests',
      roles: ['owner of prod'],
      plan: 't/ask@1',
      plan_id: 0,
      requested_ns: expect.stringMatching(/^\d+$/),
    },
    expect.objectContaining({ intent_hash: intents[1], subject: 'lunch', plan_id: 1 }),
    expect.objectContaining({ subject: 'deploy web', roles: ['lead', 'ops'] }),
    expect.objectContaining({ subject: 'gone' }),
  ]);
  expect('roles' in pending[1]).toBe(false);
  expect(BigInt(pending[1].requested_ns) - BigInt(pending[0].requested_ns)).toBe(1_000_000_000n);
  expect(await rows('?status=pending')).toEqual(pending);
  expect(await rows('?status=decided')).toEqual([]);

  const lead = as(token('ada', ['approval'], ['lead']));
  const body = { decision: 'denied', rationale: 'red' };
  expect((await lead('POST', decide(intents[2]), body)).status).toBe(200);
  bench.clock.advanceMs(500);
  expect((await overSocket('POST', decide(intents[1]), YES)).status).toBe(200);
  // Withdrawn is not decided: nobody said yes or no.
  unwrap(await world.cancelPlan({ planId: 3, reason: 'enough', actor: 'tests' }));
  await until(async () => (await rows()).length === 1);
  expect(await rows()).toEqual([pending[0]]);
  const decided = await rows('?status=decided');
  expect(decided).toEqual([
    { ...pending[1], decision: 'approved', approver: 'socket:tests', decided_ns: expect.stringMatching(/^\d+$/) },
    {
      ...pending[2],
      decision: 'denied',
      approver: 'token:ada',
      rationale: 'red',
      decided_ns: expect.stringMatching(/^\d+$/),
    },
  ]);
  // The decision time is the stamp of the receipt's batch (four questions lie a second apart).
  expect(BigInt(decided[1].decided_ns) - BigInt(decided[1].requested_ns)).toBe(2_000_000_000n);
  expect(BigInt(decided[0].decided_ns) - BigInt(decided[1].decided_ns)).toBe(500_000_000n);

  expect(await reader('GET', '/api/approvals?status=all')).toMatchObject({
    status: 400,
    body: { code: 'invalid_request', details: { pointer: '/query/status' } },
  });
  expect(await lead('GET', '/api/approvals')).toMatchObject({ status: 403, body: { code: 'auth.scope' } });
  expect(await as(undefined)('GET', '/api/approvals')).toMatchObject({ status: 401 });
});

test('decided ones survive a restart, and of many the newest are shown', async () => {
  const setup = await asking(['a', 'b', 'c']);
  for (const view of unwrap(await setup.world.approvals()))
    unwrap(await setup.world.decideApproval({ intentHash: view.intentHash, decision: 'approved', approver: 'x' }));
  const before = unwrap(await setup.world.decidedApprovals(10));
  await setup.world.close();
  const world = await setup.bench.open({ adapters: [approvals()] });
  closing.push(() => world.close({ graceMs: 0 }));
  const subjects = async (max: number) => unwrap(await world.decidedApprovals(max)).map(({ subject }) => subject);
  expect(await subjects(10)).toEqual(['c', 'b', 'a']);
  expect(await subjects(2)).toEqual(['c', 'b']);
  expect(unwrap(await world.decidedApprovals(10))).toEqual(before);
});

test('a rule asks for one of its roles: the token has one, or it is 403 with a hint that names them', async () => {
  const setup = await asking(['deploy web', 'deploy prod', 'lunch', 'sealed', 'deploy db', 'deploy cache']);
  const { as, token, overSocket } = await listening(setup);
  const [web, prod, lunch, sealed, db, cache] = setup.intents;
  const outcome = async (who: ReturnType<typeof as>, intent: string | undefined) => {
    const { status, body } = await who('POST', decide(intent), YES);
    return [status, body.code];
  };
  const none = as(token('bot', ['approval']));
  const refused = await none('POST', decide(web), YES);
  expect([refused.status, refused.body.code]).toEqual([403, 'approval.role']);
  expect(refused.body.details.hint).toMatch(/lead, ops/);
  const cook = as(token('cook', ['approval'], ['cook']));
  expect(await outcome(cook, web)).toEqual([403, 'approval.role']);
  // Roles are no scopes: not even `admin` stands for one, and a role stands for no scope.
  expect(await outcome(as(token('root', ['admin'])), web)).toEqual([403, 'approval.role']);
  expect(await outcome(as(token('events', ['event'], ['lead'])), web)).toEqual([403, 'auth.scope']);
  const ops = as(token('ops', ['approval'], ['cook', 'ops']));
  expect(await outcome(ops, web)).toEqual([200, undefined]);
  // The longest prefix wins, a rule without roles is for nobody but the owner, and without a rule the scope is enough.
  expect(await outcome(ops, prod)).toEqual([403, 'approval.role']);
  expect(await outcome(as(token('prod', ['approval'], ['owner of prod'])), prod)).toEqual([200, undefined]);
  expect(await outcome(ops, sealed)).toEqual([403, 'approval.role']);
  expect(await outcome(none, lunch)).toEqual([200, undefined]);
  // Who has the world folder may decide everything.
  expect(await outcome(as(ownerToken(folder)), db)).toEqual([200, undefined]);
  expect(await outcome(as(ownerToken(folder)), sealed)).toEqual([200, undefined]);
  expect((await overSocket('POST', decide(cache), YES)).status).toBe(200);
  const approvers = (await setup.bench.of('effect_receipt')).map(
    (receipt) => (unwrap(decode(receipt.payload_cbor!)) as { approver: string }).approver,
  );
  expect(approvers).toEqual(['token:ops', 'token:prod', 'token:bot', 'owner', 'owner', 'socket:tests']);
});

test('who cannot be asked is told at once, and nobody is asked', async () => {
  const setup = await asking([], { adapters: [approvalAdapter({ maxPending: 1 })] });
  const { world, bench } = setup;
  for (const subject of ['é'.repeat(257), 'first', 'second'])
    unwrap(await world.startPlan({ plan: 't/ask@1', input: job(subject) }));
  await until(async () => (await bench.of('effect_receipt')).length === 2);
  expect((await bench.of('effect_receipt')).map(({ status, error }) => [status, error?.code])).toEqual([
    ['error', 'approval.subject_too_long'],
    ['error', 'approval.too_many'],
  ]);
  const { overSocket } = await listening(setup);
  const pending = (await overSocket('GET', '/api/approvals')).body.approvals;
  expect(pending).toMatchObject([{ subject: 'first' }]);
  expect((await overSocket('GET', '/api/approvals?status=decided')).body.approvals).toEqual([]);
  // A decision frees its place, and so does the end of whoever waited.
  expect((await overSocket('POST', decide(pending[0].intent_hash), YES)).status).toBe(200);
  unwrap(await world.startPlan({ plan: 't/ask@1', input: job('third') }));
  expect((await overSocket('GET', '/api/approvals')).body.approvals).toMatchObject([{ subject: 'third' }]);
  unwrap(await world.cancelPlan({ planId: 3, reason: 'enough', actor: 'tests' }));
  await until(async () => (await bench.of('effect_receipt')).length === 4);
  unwrap(await world.startPlan({ plan: 't/ask@1', input: job('fourth') }));
  expect((await overSocket('GET', '/api/approvals')).body.approvals).toMatchObject([{ subject: 'fourth' }]);
});

test('a receipt by hand is no way around: not in another name, and not with another scope', async () => {
  const setup = await asking(['deploy web', 'lunch']);
  const { as, token, overSocket } = await listening(setup);
  const [web, lunch] = setup.intents;
  const payload = { decision: 'approved', approver: 'ada', rationale: null };
  const receipt = (intent: string | undefined) => ({ intent_hash: intent, status: 'ok', payload });
  const bot = as(token('bot', ['receipt', 'approval', 'admin'], ['lead']));
  for (const intent of [web, lunch]) {
    const refused = await bot('POST', '/api/receipts', receipt(intent));
    expect([refused.status, refused.body.code]).toEqual([403, 'approval.role']);
  }
  // It may say that there will be no answer, and who has the world folder may say everything.
  const failed = { intent_hash: web, status: 'error', error: { code: 'desk.closed' } };
  expect(await bot('POST', '/api/receipts', failed)).toMatchObject({ status: 200, body: { accepted: true } });
  expect(await overSocket('POST', '/api/receipts', receipt(lunch))).toMatchObject({ body: { accepted: true } });
  const receipts = await setup.bench.of('effect_receipt');
  expect(receipts.map(({ adapter_id, status }) => [adapter_id, status])).toEqual([
    ['manual.host.approval', 'error'],
    ['manual.host.approval', 'ok'],
  ]);
});

test('an identity without roles has none, and a plan never decides', async () => {
  const setup = await asking(['deploy web', 'lunch']);
  const endpoints = approvalEndpoints(setup.world);
  const outcome = async (name: string, intent: string | undefined) => {
    const { socket } = await serve({ endpoints, identity: { name, scopes: ['admin'] } });
    const got = await send(socket, 'POST', decide(intent), { body: JSON.stringify(YES) });
    return [got.status, got.body.code];
  };
  expect(await outcome('someone', setup.intents[0])).toEqual([403, 'approval.role']);
  expect(await outcome('plan:t/ask@1', setup.intents[1])).toEqual([403, 'approval.role']);
  expect(await outcome('someone', setup.intents[1])).toEqual([200, undefined]);
});
