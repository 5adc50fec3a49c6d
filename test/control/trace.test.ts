import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unwrap } from '@worldline/canon';
import { silentLogger, type World } from '@worldline/host';
import type { EffectOutcome } from '@worldline/ports';
import { type ControlServer, startControlServer } from '@worldline/server';
import { afterEach, describe, expect, test } from 'vitest';
import {
  approvals,
  Bench,
  fakeAdapter,
  gate,
  hostConfig,
  job,
  NODES,
  okOutcome,
  until,
} from '../../packages/host/test/bench-world.ts';
import { send } from '../../packages/server/test/support.ts';

/** `/api/debug/trace` and `/api/debug/trace/find` of a running world (`host.md` §8.3, §10.1). */

const open: { readonly control: ControlServer; readonly world: World; readonly folder: string }[] = [];

afterEach(async () => {
  for (const { control, world, folder } of open.splice(0)) {
    await world.close({ graceMs: 0 });
    await control.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

const HASH = expect.stringMatching(/^sha256:[0-9a-f]{64}$/);

/** Every job starts a run of `t/call_plan@1`. */
const TRIGGERED = NODES.map((node) =>
  node['$kind'] === 'manifest' ? { ...node, triggers: [{ event: 't/Job@1', plan: 't/call_plan@1' }] } : node,
);

async function api(execute: () => Promise<EffectOutcome>, config = hostConfig()) {
  const bench = await Bench.create({ nodes: TRIGGERED });
  const adapter = fakeAdapter(execute);
  const world = await bench.open({ adapters: [adapter, approvals()], config });
  const folder = mkdtempSync(join(tmpdir(), 'wl-trace-'));
  const control = unwrap(
    await startControlServer({
      world,
      dir: folder,
      version: '1.2.3',
      startedAt: new Date(1_700_000_000_000),
      identity: 'socket:tests',
      log: silentLogger,
      onShutdown: () => {},
    }),
  );
  open.push({ control, world, folder });
  const get = async (path: string, query: Record<string, string> = {}) => {
    const got = await send(control.socket, 'GET', `${path}?${new URLSearchParams(query)}`, {});
    return { status: got.status, body: got.body };
  };
  const trace = (query: Record<string, string>) => get('/api/debug/trace', query);
  const find = (query: Record<string, string>) => get('/api/debug/trace/find', query);
  const sent = async (id: string) => {
    const answer = unwrap(await world.sendEvent({ schema: 't/Job@1', value: job(id) }));
    if (answer.state !== 'applied') throw new Error(answer.state);
    return answer.eventHash!;
  };
  return { adapter, world, get, trace, find, sent };
}

describe('trace', () => {
  test('by hash, by field and by run, while the run waits and when it has ended', async () => {
    const held = gate();
    const { adapter, world, trace, sent } = await api(async () => {
      await held.promise;
      return okOutcome('fine');
    });
    const hash = await sent('a');
    await until(() => adapter.calls.length === 1);
    const byHash = await trace({ event_hash: hash });
    expect(byHash).toEqual({
      status: 200,
      body: {
        query: { event_hash: hash },
        root: { schema: 't/Job@1', event_hash: hash, seq: expect.any(Number), value: { id: 'a', ns: null } },
        journal_window: {
          from_seq: expect.any(Number),
          to_seq: expect.any(Number),
          truncated: false,
          entries: expect.any(Array),
        },
        plans: [{ plan_id: 0, plan: 't/call_plan@1', status: 'live', manifest_hash: HASH }],
        live_wait: {
          pending_plan_receipts: [{ plan_id: 0, plan_name: 't/call_plan@1', intent_hash: HASH, kind: 't.call' }],
          plan_waiting_events: [],
          pending_reducer_receipts: [],
          queued_effects: [{ intent_hash: HASH, kind: 't.call', cap_name: 'cap_t' }],
          timers: [],
        },
        terminal_state: 'waiting_receipt',
        meta: { journal_height: expect.any(Number), manifest_hash: HASH },
      },
    });
    // The params are typed by the schema of their kind.
    expect(byHash.body.journal_window.entries.at(-1)).toMatchObject({
      kind: 'effect_intent',
      record: { params: { id: 'a', mode: 'one' } },
      cause_seq: byHash.body.root.seq,
    });
    const { query: _, ...same } = byHash.body;
    const { query: byField, ...found } = (await trace({ schema: 't/Job@1', correlate_by: '$.id', value: '"a"' })).body;
    expect(byField).toEqual({ schema: 't/Job@1', correlate_by: 'id', value: 'a' });
    expect(found).toEqual(same);
    const byRun = (await trace({ plan_id: '0' })).body;
    expect(byRun).toMatchObject({
      query: { plan_id: 0 },
      root: { plan: 't/call_plan@1', plan_id: 0 },
      terminal_state: 'waiting_receipt',
    });
    held.open();
    await until(async () => (await world.status()).livePlans === 0);
    const ended = (await trace({ event_hash: hash.slice(0, 15) })).body;
    expect([ended.terminal_state, ended.plans[0].status]).toEqual(['completed', 'ok']);
    expect((await trace({ plan_id: '0' })).body.terminal_state).toBe('completed');
    expect((await trace({ event_hash: hash, window_limit: '2' })).body).toMatchObject({
      journal_window: { truncated: true },
      terminal_state: 'unknown',
    });
  });

  test('what is asked wrongly, and what is not there', async () => {
    const { trace } = await api(async () => okOutcome());
    const refused = async (query: Record<string, string>) => {
      const { status, body } = await trace(query);
      return [status, body.code, body.details?.pointer];
    };
    expect(await refused({})).toEqual([400, 'invalid_request', '/query/schema']);
    expect(await refused({ event_hash: 'x' })).toEqual([400, 'invalid_request', '/query/event_hash']);
    expect(await refused({ event_hash: 'abcd', plan_id: '1' })).toEqual([400, 'invalid_request', '/query']);
    expect(await refused({ schema: 't/Job@1', correlate_by: 'a..b', value: '1' })).toEqual([
      400,
      'invalid_request',
      '/query/correlate_by',
    ]);
    expect(await refused({ schema: 't/Job@1', correlate_by: 'id', value: 'a' })).toEqual([
      400,
      'invalid_request',
      '/query/value',
    ]);
    expect(await refused({ event_hash: 'abcd', window_limit: '10001' })).toEqual([
      400,
      'invalid_request',
      '/query/window_limit',
    ]);
    expect(await refused({ event_hash: 'abcd', limit: '3' })).toEqual([400, 'invalid_request', '/query/limit']);
    expect(await refused({ event_hash: 'abcd' })).toEqual([404, 'trace.root_missing', undefined]);
    expect(await refused({ schema: 't/Jib@1', correlate_by: 'id', value: '1' })).toEqual([
      404,
      'schema.unknown',
      undefined,
    ]);
    expect(await refused({ schema: 't/Job@1', correlate_by: 'id', value: '"z"' })).toEqual([
      404,
      'trace.root_missing',
      undefined,
    ]);
    expect(await refused({ plan_id: '7' })).toEqual([404, 'not_found', undefined]);
  });
});

describe('find', () => {
  test('newest first, as many as asked for, out of the records asked for', async () => {
    const { find, sent } = await api(async () => okOutcome());
    const hashes = [await sent('a'), await sent('b'), await sent('a')];
    const query = { schema: 't/Job@1', correlate_by: 'id', value: '"a"' };
    const { status, body } = await find(query);
    expect(status).toBe(200);
    expect(body.matches).toEqual(
      [hashes[2], hashes[0]].map((event_hash) => ({
        seq: expect.any(Number),
        event_hash,
        schema: 't/Job@1',
        value: { id: 'a', ns: null },
      })),
    );
    expect(body.matches[0].seq).toBeGreaterThan(body.matches[1].seq);
    expect((await find({ ...query, max_results: '1' })).body.matches).toEqual([body.matches[0]]);
    expect((await find({ ...query, from: '0', limit: '1' })).body.matches).toEqual([]);
    const early = { ...query, from: String(body.matches[1].seq), limit: '1' };
    expect((await find(early)).body.matches).toEqual([body.matches[1]]);
    expect(await find({ ...query, limit: '0' })).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(await find({ ...query, schema: 'x' })).toMatchObject({ status: 404, body: { code: 'schema.unknown' } });
  });
});

describe('effects', () => {
  test('one that waits for its next attempt says when that comes, and why', async () => {
    const retry = { max: 2, baseMs: 4_000, factor: 2, capMs: 4_000 };
    const failing = async (): Promise<EffectOutcome> => ({
      status: 'error',
      error: { code: 'http.connect', message: 'refused', retryable: true, retryAfterMs: 5_000 },
    });
    const { adapter, get, sent } = await api(
      failing,
      hostConfig(({ effects }) => ({ effects: { ...effects, retry: { ...effects.retry, ...retry } } })),
    );
    await sent('a');
    await until(
      async () => adapter.calls.length === 1 && 'next_attempt_ns' in (await get('/api/effects')).body.effects[0],
    );
    expect((await get('/api/effects')).body.effects[0]).toMatchObject({
      status: 'in_flight',
      attempt: 2,
      next_attempt_ns: expect.stringMatching(/^\d+$/),
      last_error_code: 'http.connect',
    });
  });
});
