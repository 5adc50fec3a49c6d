import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encode, unwrap } from '@worldline/canon';
import { silentLogger, type World } from '@worldline/host';
import { type ControlServer, startControlServer } from '@worldline/server';
import { afterEach, describe, expect, test } from 'vitest';
import { approvals, Bench, fakeAdapter, gate, job, okOutcome, until } from '../../packages/host/test/bench-world.ts';
import { send } from '../../packages/server/test/support.ts';

/** The endpoints of `host.md` §8.3 over the socket of a real world. */

const open: { readonly control: ControlServer; readonly world: World; readonly folder: string }[] = [];

afterEach(async () => {
  for (const { control, world, folder } of open.splice(0)) {
    await world.close({ graceMs: 0 });
    await control.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

const HASH = expect.stringMatching(/^sha256:[0-9a-f]{64}$/);
const NO_HASH = `sha256:${'0'.repeat(64)}`;

/** A world whose `t.call` waits until it is let go. */
async function api() {
  const bench = await Bench.create();
  const held = gate();
  const adapter = fakeAdapter(async () => {
    await held.promise;
    return okOutcome();
  });
  const world = await bench.open({ adapters: [adapter, approvals()] });
  const folder = mkdtempSync(join(tmpdir(), 'wl-api-'));
  const shutdowns: (number | undefined)[] = [];
  const control = unwrap(
    await startControlServer({
      world,
      dir: folder,
      version: '1.2.3',
      startedAt: new Date(1_700_000_000_000),
      identity: 'socket:tests',
      log: silentLogger,
      onShutdown: ({ graceMs }) => shutdowns.push(graceMs),
    }),
  );
  open.push({ control, world, folder });
  const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const got = await send(control.socket, method, path, {
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: { 'content-type': 'application/json', ...headers },
    });
    return { status: got.status, body: got.body };
  };
  const refusal = async (method: string, path: string, body?: unknown) => {
    const got = await call(method, path, body);
    return [got.status, got.body.code, got.body.details?.pointer];
  };
  const begin = async () => {
    await world.startPlan({ plan: 't/call_plan@1', input: job('a') });
    await until(() => adapter.calls.length === 1);
    return (await call('GET', '/api/effects')).body.effects[0].intent_hash as string;
  };
  return { bench, world, held, shutdowns, call, refusal, begin };
}

describe('general', () => {
  test('health, info, snapshot and shutdown', async () => {
    const { call, world, shutdowns } = await api();
    const head = (await world.status()).head.height;
    expect(await call('GET', '/api/health')).toEqual({
      status: 200,
      body: { ok: true, manifest_hash: HASH, journal_height: head, status: 'active', draining: false },
    });
    const info = (await call('GET', '/api/info')).body;
    expect(info).toMatchObject({
      version: '1.2.3',
      world_id: world.worldId,
      universe_id: world.universeId,
      air_version: '1',
      started_at_ns: '1700000000000000000',
      missing_adapters: [],
      identity: { name: 'socket:tests', scopes: ['admin'] },
    });
    expect(info.adapters).toContainEqual({ id: 'test.call', kinds: ['t.call'] });
    const taken = await call('POST', '/api/snapshot', {});
    expect(taken).toEqual({ status: 200, body: { snapshot_hash: HASH, height: expect.any(Number) } });
    expect(await call('POST', '/api/shutdown', { grace_ms: 5 })).toEqual({ status: 202, body: {} });
    expect((await call('POST', '/api/shutdown')).status).toBe(202);
    expect(shutdowns).toEqual([5, undefined]);
  });

  test('while it drains everything is 503 but a further shutdown', async () => {
    const { call, refusal, begin, world, held, bench } = await api();
    const intent = await begin();
    const closing = world.close({ graceMs: 60_000 });
    for (const [method, path, body] of [
      ['GET', '/api/health'],
      ['GET', '/api/effects'],
      ['POST', '/api/snapshot', {}],
      ['POST', '/api/receipts', { intent_hash: intent, status: 'error' }],
      ['PUT', '/api/config', {}],
    ] as const)
      expect(await refusal(method, path, body)).toEqual([503, 'draining', undefined]);
    expect((await call('POST', '/api/shutdown', {})).status).toBe(202);
    held.open();
    await closing;
    expect(await bench.done()).toEqual(['a']);
  });

  test('a world that another process took over answers 409 world.locked', async () => {
    const { refusal, world, bench } = await api();
    const heir = await bench.reopen();
    unwrap(await heir.startPlan({ plan: 't/call_plan@1', input: job('b') }));
    // The next thing that the old one wants to make durable finds it fenced.
    expect(await world.startPlan({ plan: 't/call_plan@1', input: job('c') })).toMatchObject({
      failure: { code: 'world.locked' },
    });
    expect(await refusal('GET', '/api/effects')).toEqual([409, 'world.locked', undefined]);
    expect(await refusal('POST', '/api/snapshot', {})).toEqual([409, 'world.locked', undefined]);
    await heir.close({ graceMs: 0 });
  });
});

test('closing takes away only what is this process’s own (C2)', async () => {
  const { world, bench } = await api();
  const folder = mkdtempSync(join(tmpdir(), 'wl-api-'));
  const start = async (of: World) =>
    unwrap(
      await startControlServer({
        world: of,
        dir: folder,
        version: '1',
        startedAt: new Date(),
        identity: 'socket:tests',
        log: silentLogger,
        onShutdown: () => {},
      }),
    );
  const before = await start(world);
  const heir = await bench.reopen();
  const after = await start(heir);
  expect(after.socket).toBe(before.socket);
  const file = join(folder, 'daemon.json');
  const other = readFileSync(file, 'utf8').replace(String(process.pid), '1');
  writeFileSync(file, other);
  await before.close();
  expect(readFileSync(file, 'utf8')).toBe(other);
  expect((await send(after.socket, 'GET', '/api/health')).status).toBe(200);
  await heir.close({ graceMs: 0 });
  await after.close();
  expect(existsSync(after.socket)).toBe(false);
  rmSync(folder, { recursive: true, force: true });
});

describe('effects and receipts', () => {
  test('an effect is listed while it is pending, and has its receipt afterwards', async () => {
    const { call, begin, held, bench } = await api();
    const intent = await begin();
    const listed = {
      intent_hash: intent,
      emission_seq: expect.any(Number),
      kind: 't.call',
      cap: 'cap_t',
      origin: { origin_kind: 'plan', name: 't/call_plan@1', plan_id: 0, step_id: 'go' },
      enqueued_seq: expect.any(Number),
      status: 'in_flight',
      attempt: 1,
      params: { id: 'a', mode: 'one' },
    };
    expect((await call('GET', '/api/effects')).body).toEqual({ effects: [listed] });
    expect((await call('GET', '/api/effects?status=in_flight&kind=t.call')).body.effects).toHaveLength(1);
    expect((await call('GET', '/api/effects?status=open')).body.effects).toEqual([]);
    expect((await call('GET', '/api/effects?kind=http.request')).body.effects).toEqual([]);
    expect((await call('GET', `/api/effects/${encodeURIComponent(intent)}`)).body).toEqual(listed);
    held.open();
    await until(async () => (await bench.done()).length === 1);
    const settled = (await call('GET', `/api/effects/${intent}`)).body;
    expect(settled).toMatchObject({ intent_hash: intent, params: { id: 'a', mode: 'one' }, receipt: { status: 'ok' } });
    expect(settled.status).toBeUndefined();
    expect(settled.receipt.payload).toEqual({ text: 'ok', note: null });
  });

  test('a receipt by hand is taken once, and the adapter’s own comes too late', async () => {
    const { call, begin, held, bench } = await api();
    const intent = await begin();
    const receipt = { intent_hash: intent, status: 'ok', payload: { text: 'mine' }, adapter_id: 'ada' };
    expect(await call('POST', '/api/receipts', receipt)).toEqual({
      status: 200,
      body: { accepted: true, duplicate: false },
    });
    expect((await call('POST', '/api/receipts', receipt)).body).toEqual({ accepted: false, duplicate: true });
    held.open();
    const receipts = await bench.of('effect_receipt');
    expect(receipts.map((one) => [one.adapter_id, one.status])).toEqual([['manual.ada', 'ok']]);
  });

  test('what is wrong with a receipt is said with its place', async () => {
    const { refusal, begin } = await api();
    const intent = await begin();
    const receipt = (more: object) => ({ intent_hash: intent, status: 'ok', payload: { text: 'x' }, ...more });
    const cases: readonly (readonly [object, readonly unknown[]])[] = [
      [{ status: 'ok' }, [400, 'invalid_request', '/intent_hash']],
      [receipt({ intent_hash: 'sha256:12' }), [400, 'invalid_request', '/intent_hash']],
      [receipt({ intent_hash: NO_HASH }), [404, 'receipt.unknown', undefined]],
      [receipt({ status: 'done' }), [400, 'invalid_request', '/status']],
      [receipt({ emission_seq: 1 }), [404, 'receipt.unknown', undefined]],
      [receipt({ emission_seq: -1 }), [400, 'invalid_request', '/emission_seq']],
      [receipt({ payload: { text: 1 } }), [422, 'receipt.payload_invalid', '/payload/text']],
      [receipt({ payload: undefined }), [422, 'receipt.payload_invalid', '/payload']],
      [receipt({ payload: undefined, payload_b64: '*' }), [400, 'invalid_request', '/payload_b64']],
      [receipt({ payload_b64: 'oA==' }), [400, 'invalid_request', '/payload_b64']],
      [receipt({ error: { code: 'x' } }), [400, 'invalid_request', '/error']],
      [receipt({ status: 'error', error: {} }), [400, 'invalid_request', '/error/code']],
      [
        receipt({ status: 'error', error: { code: 'x', retryable: 'no' } }),
        [400, 'invalid_request', '/error/retryable'],
      ],
      [receipt({ adapter_id: 'a b' }), [400, 'invalid_request', '/adapter_id']],
      [receipt({ adpater_id: 'a' }), [400, 'invalid_request', '/adpater_id']],
    ];
    for (const [body, expected] of cases) expect(await refusal('POST', '/api/receipts', body)).toEqual(expected);
  });

  test('retry: only what is open and nobody works on', async () => {
    const { refusal, begin, world, call } = await api();
    const intent = await begin();
    expect(await refusal('POST', `/api/effects/${intent}/retry`)).toEqual([409, 'effect.in_flight', undefined]);
    await world.startPlan({ plan: 't/after@1', input: job('b') });
    const [, timer] = (await call('GET', '/api/effects')).body.effects;
    expect(timer).toMatchObject({ kind: 'timer.after', status: 'deferred', due_ns: expect.stringMatching(/^\d+$/) });
    expect(await refusal('POST', `/api/effects/${timer.intent_hash}/retry`)).toEqual([
      409,
      'effect.deferred',
      undefined,
    ]);
    expect(await refusal('POST', `/api/effects/${NO_HASH}/retry`)).toEqual([404, 'not_found', undefined]);
    expect(await refusal('GET', '/api/effects/abc')).toEqual([400, 'invalid_request', '/intent_hash']);
    expect(await refusal('GET', `/api/effects/${NO_HASH}`)).toEqual([404, 'not_found', undefined]);
    expect(await refusal('GET', '/api/effects?status=done')).toEqual([400, 'invalid_request', '/query/status']);
  });
});

describe('events', () => {
  const done = { schema: 't/Done@1', value: { id: 'e' } };

  test('an event is published; the answer says where it is in the journal', async () => {
    const { call, world, bench } = await api();
    const sent = await call('POST', '/api/events', done);
    expect(sent).toEqual({
      status: 200,
      body: {
        event_hash: HASH,
        first_seq: expect.any(Number),
        last_seq: expect.any(Number),
        duplicate: false,
        meta: {
          journal_height: (await world.status()).head.height,
          snapshot_hash: expect.anything(),
          manifest_hash: HASH,
        },
      },
    });
    expect(await bench.done()).toEqual(['e']);
    const bytes = Buffer.from(encode({ id: 'f' })).toString('base64');
    expect((await call('POST', '/api/events?wait=applied', { schema: 't/Done@1', value_b64: bytes })).status).toBe(200);
    const accepted = await call('POST', '/api/events?wait=accepted', done);
    expect(accepted).toEqual({ status: 202, body: { ingress_id: expect.any(String) } });
    await until(async () => (await bench.done()).length === 3);
    expect(await bench.done()).toEqual(['e', 'f', 'e']);
  });

  test('a repeat under one idempotency key is one event, another event under it is a conflict', async () => {
    const { call, bench } = await api();
    const headers = { 'idempotency-key': 'k-1' };
    const first = await call('POST', '/api/events', done, headers);
    const again = await call('POST', '/api/events', done, headers);
    const { event_hash, first_seq, last_seq } = first.body;
    expect(again).toMatchObject({ status: 200, body: { event_hash, first_seq, last_seq, duplicate: true } });
    const other = await call('POST', '/api/events', { ...done, value: { id: 'g' } }, headers);
    expect([other.status, other.body.code]).toEqual([409, 'ingress.conflict']);
    expect(await bench.done()).toEqual(['e']);
  });

  test('what is wrong with an event is said with its place', async () => {
    const { call } = await api();
    const cases: readonly (readonly [object, readonly unknown[]])[] = [
      [{ value: {} }, [400, 'invalid_request', '/schema']],
      [{ schema: 't/Done@1' }, [400, 'invalid_request', '/value']],
      [{ ...done, value_b64: 'oA==' }, [400, 'invalid_request', '/value']],
      [{ schema: 't/Done@1', value_b64: '*' }, [400, 'invalid_request', '/value_b64']],
      [{ ...done, key: 'a', key_b64: 'YWE=' }, [400, 'invalid_request', '/key_b64']],
      [{ ...done, key: true }, [422, 'event.key', '/key']],
      [{ ...done, vlaue: 1 }, [400, 'invalid_request', '/vlaue']],
      [{ ...done, value: { id: 7 } }, [422, 'event.invalid', '/value/id']],
      [{ ...done, schema: 't/Gone@1' }, [404, 'schema.unknown', undefined]],
      [{ ...done, schema: 'sys/TimerFired@1' }, [403, 'schema.reserved', undefined]],
    ];
    for (const [body, expected] of cases) {
      const got = await call('POST', '/api/events', body);
      expect([got.status, got.body.code, got.body.details?.pointer]).toEqual(expected);
    }
    expect((await call('POST', '/api/events?wait=done', done)).status).toBe(400);
    expect((await call('POST', '/api/events', done, { 'idempotency-key': 'a b' })).status).toBe(400);
  });
});

describe('configuration (`kernel.md` §15)', () => {
  test('a change is journaled and holds for the next input; a stale one is a conflict', async () => {
    const { call, refusal, bench, world } = await api();
    const before = (await call('GET', '/api/config')).body;
    expect(before).toMatchObject({
      config_hash: HASH,
      config: { limits: { max_event_bytes: 1_048_576 }, logical_origin: 0 },
    });
    const config = { ...before.config, limits: { ...before.config.limits, max_event_bytes: 64 } };
    const changed = await call('PUT', '/api/config', { config, expected_hash: before.config_hash });
    expect(changed).toEqual({ status: 200, body: { config_hash: HASH } });
    expect((await call('GET', '/api/config')).body).toEqual({ config, config_hash: changed.body.config_hash });
    const long = { schema: 't/Done@1', value: { json: { id: 'x'.repeat(100) } } };
    expect(await world.sendEvent(long)).toMatchObject({ failure: { code: 'too_large' } });
    expect(await refusal('PUT', '/api/config', { config: before.config, expected_hash: before.config_hash })).toEqual([
      409,
      'config.conflict',
      undefined,
    ]);
    // Putting the same again journals nothing.
    const { height } = (await world.status()).head;
    const same = { config: { ...config, logical_origin: '0' }, expected_hash: changed.body.config_hash };
    expect((await call('PUT', '/api/config', same)).body).toEqual(changed.body);
    expect((await world.status()).head.height).toBe(height);
    expect(await bench.of('manifest')).toHaveLength(2);
    await world.close({ graceMs: 0 });
    await bench.replays();
  });

  test('what is no configuration is refused with its place, and changes nothing', async () => {
    const { call, refusal, bench } = await api();
    const { config, config_hash: expected_hash } = (await call('GET', '/api/config')).body;
    const put = (given: unknown, hash: unknown = expected_hash) =>
      refusal('PUT', '/api/config', { config: given, expected_hash: hash });
    expect(await put(undefined)).toEqual([422, 'config.invalid', '/config']);
    expect(await put([])).toEqual([422, 'config.invalid', '/config']);
    expect(await put({ ...config, clock: 'sun' })).toEqual([422, 'config.invalid', '/config/clock']);
    expect(await put({ ...config, more: 1 })).toEqual([422, 'config.invalid', '/config/more']);
    expect(await put({ ...config, require_policy: undefined })).toEqual([
      422,
      'config.invalid',
      '/config/require_policy',
    ]);
    expect(await put({ ...config, limits: { ...config.limits, max_event_bytes: 1.5 } })).toEqual([
      422,
      'config.invalid',
      '/config',
    ]);
    expect(await put({ ...config, limits: { ...config.limits, max_event_bytes: -1 } })).toEqual([
      422,
      'config.invalid',
      '/config/limits/max_event_bytes',
    ]);
    expect(await put({ ...config, require_policy: true })).toEqual([422, 'policy.required', undefined]);
    expect(await put(config, 'sha256:1')).toEqual([400, 'invalid_request', '/expected_hash']);
    expect(await put(config, null)).toEqual([400, 'invalid_request', '/expected_hash']);
    expect(await bench.of('manifest')).toHaveLength(1);
  });
});

describe('GET /api/debug/summary', () => {
  test('says what trace-summary says, of the running world', async () => {
    const { call, begin, held, world } = await api();
    await begin();
    held.open();
    await until(async () => (await world.status()).livePlans === 0);
    const { status, body } = await call('GET', '/api/debug/summary?instances&correlations=true');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      v: 1,
      from: 0,
      partial: false,
      totals: { runs: { started: 1, ok: 1, live: 0 }, effects: { intents: 1, receipts: { ok: 1 } } },
      correlations: [],
      instances: [{ plan_id: 0, plan_name: 't/call_plan@1', status: 'ok', intents: 1 }],
    });
    const plain = (await call('GET', '/api/debug/summary?plan=nobody@1')).body;
    expect(Object.keys(plain)).toEqual([
      'v',
      'from',
      'to',
      'partial',
      'plans',
      'totals',
      'roots',
      'outside_plans',
      'receipts_orphaned',
      'ingress_rejected',
      'reducer_faults',
    ]);
    expect(plain.plans).toEqual([]);
    const part = (await call('GET', '/api/debug/summary?from=1&to=2&correlation=%22a%22')).body;
    expect(part.to).toBeLessThan(body.to);
    expect(part.correlations).toEqual([]);
  });

  test('parameters that are none are refused', async () => {
    const { refusal } = await api();
    const at = (query: string) => refusal('GET', `/api/debug/summary?${query}`);
    expect(await at('from=soon')).toEqual([400, 'invalid_request', '/query/from']);
    expect(await at('from=5&to=4')).toEqual([400, 'invalid_request', '/query/to']);
    expect(await at('instances=maybe')).toEqual([400, 'invalid_request', '/query/instances']);
    expect(await at('correlation=r-17')).toEqual([400, 'invalid_request', '/query/correlation']);
    expect((await at('until=3'))[0]).toBe(400);
  });
});
