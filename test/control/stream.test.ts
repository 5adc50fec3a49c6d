import { unwrap } from '@worldline/canon';
import { type OpenWorldOptions, Redactor, silentLogger, type World } from '@worldline/host';
import { recordJson } from '@worldline/summary';
import { afterEach, describe, expect, test } from 'vitest';
import {
  approvals,
  Bench,
  type BenchOptions,
  fakeAdapter,
  gate,
  hostConfig,
  job,
  NODES,
  okOutcome,
  settle,
  until,
} from '../../packages/host/test/bench-world.ts';
import { approvalEndpoints } from '../../packages/server/src/approvals.ts';
import { bodyText } from '../../packages/server/src/body.ts';
import type { StreamLimits } from '../../packages/server/src/event-stream.ts';
import type { ApiServerOptions } from '../../packages/server/src/http-server.ts';
import { Streams, streamEndpoints } from '../../packages/server/src/stream.ts';
import { cleanUp, send, serve } from '../../packages/server/test/support.ts';
import { expectedEvents, named, StreamClient } from './stream-client.ts';

/** The event stream over real connections to a real world (`host.md` §9); paces and places are in event-stream.test.ts. */

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await cleanUp();
});

interface Setup {
  readonly open?: Partial<OpenWorldOptions>;
  readonly bench?: BenchOptions;
  readonly limits?: Partial<StreamLimits>;
  readonly server?: Partial<ApiServerOptions>;
}

async function streaming({ open, bench: made, limits, server }: Setup = {}) {
  const bench = await Bench.create(made);
  const world = await bench.open(open);
  // How long a reader of a busy machine takes for the end is no matter here.
  const streams = new Streams({ world, log: silentLogger, limits: { endMs: 600_000, ...limits } });
  const endpoints = [...streamEndpoints(world, streams), ...approvalEndpoints(world)];
  const { socket, server: http } = await serve({ endpoints, refusal: () => world.refusal, ...server });
  closing.push(
    () => world.close({ graceMs: 0 }),
    () => streams.close(),
  );
  const read = async (query = '', headers: Record<string, string> = {}) => {
    const client = await StreamClient.open(socket, `/api/stream${query}`, headers);
    closing.push(() => client.leave());
    return client;
  };
  const refusal = async (query: string, headers: Record<string, string> = {}) => {
    const got = await send(socket, 'GET', `/api/stream${query}`, { headers });
    return [got.status, got.body.code, got.body.details?.pointer];
  };
  const height = () => world.read((kernel) => kernel.head.height);
  const connections = () => new Promise<number>((resolve) => http.http.getConnections((_, count) => resolve(count)));
  return { bench, world, streams, socket, read, refusal, height, connections };
}

const tell = async (world: World, id: string) =>
  unwrap(await world.sendEvent({ schema: 't/Job@1', value: { json: { id } } }));

/** `t/call_plan@1` returns a value. */
const WITH_RESULT: BenchOptions = {
  nodes: NODES.map((node) =>
    node['name'] === 't/call_plan@1'
      ? {
          ...node,
          output: 't/Done@1',
          steps: (node['steps'] as Record<string, unknown>[]).map((step) =>
            step['op'] === 'end' ? { ...step, result: { record: { id: { ref: '@plan.input.id' } } } } : step,
          ),
        }
      : node,
  ),
};

/** Records of nearly every kind: runs that end well and badly, decisions, a withdrawn question, a refused input. */
async function live({ bench, world }: { readonly bench: Bench; readonly world: World }) {
  await tell(world, 'told');
  unwrap(await world.startPlan({ plan: 't/call_plan@1', input: job('called') }));
  await until(async () => (await bench.done()).length === 1);
  for (const [i, decision] of (['approved', 'denied', undefined] as const).entries()) {
    unwrap(await world.startPlan({ plan: 't/ask@1', input: job(`deploy ${i}`) }));
    const intentHash = unwrap(await world.approvals()).at(-1)!.intentHash;
    bench.clock.advanceMs(1_000);
    if (decision === undefined) unwrap(await world.cancelPlan({ planId: 3, reason: 'enough', actor: 'tests' }));
    else unwrap(await world.decideApproval({ intentHash, decision, approver: 'ada', rationale: 'so' }));
  }
  // The question that nobody waits for any more.
  await until(async () => unwrap(await world.approvals()).length === 0);
  expect(await world.cancelPlan({ planId: 99, reason: 'none', actor: 'tests' })).toMatchObject({ ok: false });
}

describe('what is sent', () => {
  test('the head says when to come back and from where; then come records from the head on, as they become durable', async () => {
    const { world, read, height } = await streaming();
    await tell(world, 'before');
    const at = await height();
    const client = await read();
    expect([client.status, client.headers['content-type'], client.headers['cache-control']]).toEqual([
      200,
      'text/event-stream; charset=utf-8',
      'no-store',
    ]);
    expect(client.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    await client.until(({ lastEventId }) => lastEventId === at - 1);
    expect(client.text).toBe(`retry: 2000\nid: ${at - 1}\n\n`);
    await tell(world, 'after');
    const [sent] = await client.events(1);
    expect(sent).toMatchObject({
      event: 'journal',
      id: at,
      data: {
        seq: at,
        kind: 'domain_event',
        record: { schema: 't/Job@1', value: { id: 'after' }, journal_height: at },
      },
    });
    expect(client.text.split('\n\n')[1]?.split('\n').slice(0, 2)).toEqual(['event: journal', `id: ${at}`]);
  });

  test('each topic is a filter over the journal, with names of its own', async () => {
    const setup = await streaming({ bench: WITH_RESULT });
    await live(setup);
    const records = await setup.bench.records();
    const kinds = new Map<number, string>();
    for (const { seq, record } of records) if (record.record_kind === 'effect_intent') kinds.set(seq, record.kind);
    const stamps = await Promise.all(records.map(({ seq }) => setup.world.journalRecord(seq)));
    const json = (seq: number) => {
      const { record } = records[seq]!;
      const kind = record.record_kind === 'effect_receipt' ? kinds.get(record.emission_seq) : undefined;
      const types = { catalog: setup.world.catalog, kindOf: () => kind };
      return JSON.parse(bodyText(recordJson({ seq, record, stamp: unwrap(stamps[seq]!)?.stamp }, types)));
    };
    const seen = new Set<string>();
    for (const topic of ['events', 'effects', 'plans', 'faults', 'governance', 'journal']) {
      const expected = expectedEvents(records, [topic]);
      const client = await setup.read(`?topics=${topic}&from=0`);
      const events = await client.events(expected.length);
      expect(named(events)).toEqual(expected);
      for (const { event, id, data } of events) {
        const record = json(id!);
        const kind = records[id!]!.record.record_kind;
        expect(data).toEqual(event === 'journal' ? { seq: id, kind, record } : record);
        seen.add(event);
      }
    }
    expect([...seen].sort()).toEqual([
      'domain_event',
      'effect_intent',
      'effect_receipt',
      'ingress_rejected',
      'journal',
      'manifest',
      'plan_cancel',
      'plan_ended',
      'plan_result',
      'plan_start',
      'plan_started',
    ]);
  });

  test('an entry of several topics is sent once under its most specific name, and `journal` wins', async () => {
    const setup = await streaming();
    await live(setup);
    const records = await setup.bench.records();
    for (const topics of [
      'effects,approvals',
      'approvals,events,effects',
      'plans,journal,approvals',
      'faults&topics=plans',
    ]) {
      const expected = expectedEvents(records, topics.split(/,|&topics=/));
      const events = await (await setup.read(`?topics=${topics}&from=0`)).events(expected.length);
      expect(named(events)).toEqual(expected);
      expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
    }
  });

  test('approvals are the rows of /api/approvals: asked for and decided, and nothing for one that nobody decided (§5.6)', async () => {
    const rules = [{ subjectPrefix: 'deploy', roles: ['lead'] }];
    const config = hostConfig((c) => ({ approvals: { ...c.approvals, rules } }));
    const setup = await streaming({ open: { config } });
    const client = await setup.read('?topics=approvals');
    await live(setup);
    unwrap(await setup.world.startPlan({ plan: 't/ask@1', input: job('deploy last') }));
    const events = await client.events(6);
    const asked = (i: number) => ['approval_requested', `deploy ${i}`];
    expect(events.map(({ event, data }) => [event, data.subject])).toEqual([
      asked(0),
      ['approval_decided', 'deploy 0'],
      asked(1),
      ['approval_decided', 'deploy 1'],
      asked(2),
      ['approval_requested', 'deploy last'],
    ]);
    const rows = async (status: string) =>
      (await send(setup.socket, 'GET', `/api/approvals?status=${status}`)).body.approvals;
    const decided = events.filter(({ event }) => event === 'approval_decided').map(({ data }) => data);
    expect(decided.reverse()).toEqual(await rows('decided'));
    expect(decided[0]).toMatchObject({ decision: 'denied', approver: 'ada', rationale: 'so', roles: ['lead'] });
    expect(events.at(-1)!.data).toEqual((await rows('pending'))[0]);
    // Also when the question lies before what is read.
    const late = await setup.read(`?topics=approvals&from=${events[1]!.id}`);
    expect((await late.events(5))[0]).toEqual(events[1]);
  });

  test('a question that shares a pending one is asked once', async () => {
    const key = { op: 'hash', args: [{ text: 'one for all' }] };
    const nodes = NODES.map((node) =>
      node['name'] === 't/ask@1'
        ? {
            ...node,
            steps: (node['steps'] as Record<string, unknown>[]).map((step) =>
              step['op'] === 'emit_effect' ? { ...step, idempotency_key: key } : step,
            ),
          }
        : node,
    );
    const { world, bench, read, socket } = await streaming({ bench: { nodes } });
    const client = await read('?topics=approvals');
    for (let i = 0; i < 2; i++) unwrap(await world.startPlan({ plan: 't/ask@1', input: job('both') }));
    expect((await bench.of('effect_intent')).map(({ coalesced_into }) => coalesced_into !== undefined)).toEqual([
      false,
      true,
    ]);
    const { intentHash } = unwrap(await world.approvals())[0]!;
    unwrap(await world.decideApproval({ intentHash, decision: 'approved', approver: 'ada' }));
    const events = await client.events(2);
    expect(events.map(({ event }) => event)).toEqual(['approval_requested', 'approval_decided']);
    expect([events[1]!.data]).toEqual((await send(socket, 'GET', '/api/approvals?status=decided')).body.approvals);
  });

  test('comment lines keep the connection awake', async () => {
    const { read } = await streaming({ limits: { commentMs: 1 } });
    const client = await read();
    expect((await client.until(({ comments }) => comments >= 3)).events).toEqual([]);
  });

  test('what the host tells beside the journal has no id, and no secret in it (§3.2, §6.4)', async () => {
    const redactor = new Redactor();
    redactor.remember('t/key', new TextEncoder().encode('sesame-open'));
    const answered = gate();
    const adapter = fakeAdapter(async (request, { log }) => {
      if (request.attempt > 1) return okOutcome();
      await answered.promise;
      log.warn('opened with sesame-open', { header: { token: 'sesame-open' }, at: 2n ** 60n });
      log.debug('for developers', {});
      return { status: 'error', error: { code: 'x.sesame-open', message: 'not yet', retryable: true } };
    });
    const setup = await streaming({ open: { adapters: [adapter], redactor } });
    const { world, bench } = setup;
    unwrap(await world.startPlan({ plan: 't/call_plan@1', input: job('a') }));
    // Whoever came and went, and whoever else listens, changes nothing.
    (await setup.read('?topics=host')).leave();
    await until(() => setup.streams.size === 0);
    const other = await setup.read('?topics=host');
    const client = await setup.read('?topics=host,plans');
    await client.until(({ lastEventId }) => lastEventId !== undefined);
    answered.open();
    await client.until(({ events }) => events.some(({ event }) => event === 'attempt_failed'));
    bench.clock.advanceMs(1_000);
    const { events } = await client.until((read) => read.events.some(({ event }) => event === 'plan_ended'));
    const told = events.filter(({ id }) => id === undefined);
    const { seq } = (await bench.records()).find(({ record }) => record.record_kind === 'effect_intent')!;
    expect(told).toEqual([
      {
        event: 'log',
        id: undefined,
        data: {
          level: 'warn',
          message: 'opened with «redacted:t/key»',
          fields: { header: { token: '«redacted:t/key»' }, at: '1152921504606846976' },
        },
      },
      {
        event: 'attempt_failed',
        id: undefined,
        data: { emission_seq: seq, kind: 't.call', attempt: 1, code: 'x.«redacted:t/key»' },
      },
      { event: 'dispatch', id: undefined, data: { emission_seq: seq, kind: 't.call', attempt: 2 } },
    ]);
    // A stream of nothing else has no place in the journal.
    expect(await other.events(3)).toEqual(told);
    expect(other.read.lastEventId).toBeUndefined();
  });
});

describe('where it begins', () => {
  test('`from` is the first record; else the one behind Last-Event-ID; else the next one', async () => {
    const setup = await streaming();
    await live(setup);
    const { read, height, bench } = setup;
    const records = await bench.records();
    const first = async (query: string, headers?: Record<string, string>) =>
      (await (await read(query, headers)).events(1))[0]!.id;
    expect(await first('?from=3')).toBe(3);
    expect(await first('', { 'last-event-id': '3' })).toBe(4);
    expect(await first('?from=1', { 'last-event-id': '3' })).toBe(1);
    // In the middle of a batch, which holds more than the start of a run.
    const middle = records.find(({ record }) => record.record_kind === 'plan_started')!.seq;
    expect(await first(`?from=${middle}`)).toBe(middle);
    const last = await height();
    const [atHead, behindLast] = [await read(`?from=${last}`), await read('', { 'last-event-id': String(last - 1) })];
    await tell(setup.world, 'next');
    for (const client of [atHead, behindLast]) expect((await client.events(1))[0]!.id).toBe(last);
  });

  test('what cannot be read or names no place is refused before anything is sent', async () => {
    const { refusal, height, streams } = await streaming();
    const at = await height();
    for (const [query, headers, pointer] of [
      ['?from=-1', {}, '/query/from'],
      ['?from=', {}, '/query/from'],
      ['?from=1.5', {}, '/query/from'],
      ['?from=99999999999999999999', {}, '/query/from'],
      [`?from=${at + 1}`, {}, '/query/from'],
      ['', { 'last-event-id': 'abc' }, '/last-event-id'],
      // Of another journal: what it read has not happened here.
      ['', { 'last-event-id': String(at) }, '/last-event-id'],
      ['?topics=jurnal', {}, '/query/topics'],
      ['?topics=', {}, '/query/topics'],
      ['?topics=plans,,host', {}, '/query/topics'],
      ['?topic=plans', {}, '/query/topic'],
      // A token in an address ends in logs.
      ['?token=x', {}, '/query/token'],
      ['?access_token=x', {}, '/query/access_token'],
    ] as const)
      expect(await refusal(query, headers)).toEqual([400, 'invalid_request', pointer]);
    expect(streams.size).toBe(0);
  });
});

describe('places and ends', () => {
  test('above the limit it is 503 stream.limit; a client that goes away frees its place', async () => {
    const { read, refusal, streams } = await streaming({ limits: { streams: 2 } });
    const [first] = [await read(), await read('?topics=host')];
    expect(await refusal('')).toEqual([503, 'stream.limit', undefined]);
    first.leave();
    await until(() => streams.size === 1);
    expect((await read()).status).toBe(200);
    expect(await refusal('')).toEqual([503, 'stream.limit', undefined]);
  });

  test('an open stream is no request under way', async () => {
    const { read, refusal, socket } = await streaming({
      limits: { streams: 3 },
      server: { limits: { concurrent: 1 } as never },
    });
    for (let i = 0; i < 3; i++) expect((await read()).status).toBe(200);
    expect(await refusal('')).toEqual([503, 'stream.limit', undefined]);
    expect((await send(socket, 'GET', '/api/approvals')).status).toBe(200);
  });

  test('a client that takes nothing is told that it lags, and gets the rest when it comes back', async () => {
    const { read, world, streams, bench } = await streaming({ limits: { events: 3 } });
    const from = (await bench.records()).length;
    const client = await read();
    await client.until(({ lastEventId }) => lastEventId === from - 1);
    client.pause();
    // What the system itself keeps for a connection has to be full first.
    const large = 'x'.repeat(64 * 1024);
    for (let i = 0; streams.size > 0; i++) {
      await tell(world, `${i} ${large}`);
      await settle();
    }
    await tell(world, 'last');
    client.resume();
    expect(await client.ended).toBe('said');
    const { events, lastEventId } = client.read;
    const lagged = events.at(-1)!;
    expect(lagged).toEqual({ event: 'lagged', id: undefined, data: { next_seq: lastEventId! + 1 } });
    const rest = (await bench.records()).length - lagged.data.next_seq;
    const again = await read('', { 'last-event-id': String(lastEventId) });
    const ids = [...events.slice(0, -1), ...(await again.events(rest))].map(({ id }) => id);
    expect(ids).toEqual(Array.from({ length: ids.length }, (_, i) => from + i));
    expect(again.read.events.at(-1)!.data.record.value).toMatchObject({ id: 'last' });
  });

  test('a world that is closed ends its streams behind its last record, and takes no more', async () => {
    const setup = await streaming({ open: { adapters: [fakeAdapter(), approvals()] } });
    const client = await setup.read('?from=0');
    await live(setup);
    const closed = setup.world.close();
    expect(await setup.refusal('')).toEqual([503, 'draining', undefined]);
    await closed;
    expect(await client.ended).toBe('said');
    const records = await setup.bench.records();
    expect(named(client.read.events)).toEqual(expectedEvents(records, ['journal']));
    expect(records.at(-1)!.record.record_kind).toBe('baseline');
  });

  test('a client goes on where it was after the process was killed (§16.10)', async () => {
    const setup = await streaming();
    const client = await setup.read('?from=0&topics=plans,approvals');
    await live(setup);
    const before = expectedEvents(await setup.bench.records(), ['plans', 'approvals']);
    await client.events(before.length - 2);
    setup.streams.close();
    await client.ended;
    const read = named(client.read.events);

    const world = await setup.bench.reopen();
    closing.push(() => world.close({ graceMs: 0 }));
    unwrap(await world.startPlan({ plan: 't/ask@1', input: job('after') }));
    const streams = new Streams({ world, log: silentLogger });
    closing.push(() => streams.close());
    const { socket } = await serve({ endpoints: streamEndpoints(world, streams) });
    const header = { 'last-event-id': String(client.read.lastEventId) };
    const again = await StreamClient.open(socket, '/api/stream?topics=plans,approvals', header);
    closing.push(() => again.leave());
    const all = expectedEvents(await setup.bench.records(), ['plans', 'approvals']);
    expect(all.length).toBeGreaterThan(before.length);
    expect([...read, ...named(await again.events(all.length - read.length))]).toEqual(all);
  });

  test('closing waits for no client that takes nothing', async () => {
    const { read, world, streams, bench, connections } = await streaming({ limits: { endMs: 1 } });
    const [reader, sleeper] = [await read(), await read()];
    sleeper.pause();
    const large = 'x'.repeat(64 * 1024);
    for (let i = 0; i < 20; i++) await tell(world, `${i} ${large}`);
    const all = (await bench.records()).length;
    await reader.until(({ lastEventId }) => lastEventId === all - 1);
    streams.close();
    await until(async () => (await connections()) === 0);
    sleeper.resume();
    await sleeper.ended;
    expect(streams.size).toBe(0);
  });

  test.each(['is refused', 'cannot be judged'])('a stream ends when its caller %s', async (how) => {
    let isOver = false;
    let asked = 0;
    const identity = () => {
      asked++;
      if (isOver && how === 'cannot be judged') throw new Error('no such folder');
      const busy = { code: 'busy', path: [], message: 'others failed too often' };
      const over = { code: 'auth.invalid', path: [], message: 'over' };
      if (asked === 1) return { ok: true as const, value: { name: 'token:reader', scopes: ['read'] } };
      return { ok: false as const, failure: isOver ? over : busy };
    };
    const { read } = await streaming({ limits: { commentMs: 1 }, server: { identity } });
    const client = await read();
    // That the address has to wait is nothing against this caller.
    await client.until(({ comments }) => comments > 2);
    isOver = true;
    expect(await client.ended).toBe('said');
  });
});
