import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unwrap } from '@worldline/canon';
import { silentLogger } from '@worldline/host';
import { createToken, revokeToken, type Scope, startControlServer } from '@worldline/server';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { cleanUp, daemon, worldline, worldOf } from '../../packages/cli/test/support.ts';
import { Bench, job, until } from '../../packages/host/test/bench-world.ts';
import { expectedEvents, named, StreamClient } from './stream-client.ts';

/** The event stream over socket and network, with real tokens, and through the built command (`host.md` §9, §16.10). */

// Each command is a process of its own, and a busy machine starts them slowly.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(cleanUp);

async function listening(commentMs?: number) {
  const bench = await Bench.create();
  const world = await bench.open();
  const folder = mkdtempSync(join(tmpdir(), 'wl-stream-'));
  const control = unwrap(
    await startControlServer({
      world,
      dir: folder,
      version: '1',
      startedAt: new Date(),
      identity: 'socket:tests',
      log: silentLogger,
      listen: { bind: { host: '127.0.0.1', port: 0 }, allowedHosts: [], allowedOrigins: [] },
      streamLimits: { streams: 3, endMs: 600_000, ...(commentMs === undefined ? {} : { commentMs }) },
      onShutdown: () => {},
    }),
  );
  closing.push(
    () => rmSync(folder, { recursive: true, force: true }),
    () => world.close({ graceMs: 0 }),
    () => control.close(),
  );
  const token = (name: string, ...scopes: Scope[]) => unwrap(createToken(folder, { name, scopes }, new Date()));
  const over = (to: 'socket' | 'network', query = '', authorization?: string) =>
    StreamClient.open(
      to === 'socket' ? control.socket : control.url!,
      `/api/stream${query}`,
      authorization === undefined ? {} : { authorization },
    );
  return { bench, world, folder, control, token, over };
}

test('socket and network give the same, to whoever may read', async () => {
  const { bench, world, over, token } = await listening();
  unwrap(await world.startPlan({ plan: 't/call_plan@1', input: job('a') }));
  await until(async () => (await bench.done()).length === 1);
  const expected = expectedEvents(await bench.records(), ['journal']);
  const bySocket = await (await over('socket', '?from=0')).events(expected.length);
  const reader = `Bearer ${token('board', 'read')}`;
  const byNetwork = await (await over('network', '?from=0', reader)).events(expected.length);
  expect(named(bySocket)).toEqual(expected);
  expect(byNetwork).toEqual(bySocket);
});

test('without a token it is 401, without scope `read` 403, and a token in the address is none', async () => {
  const { over, token } = await listening();
  const outcome = async (...given: [query: string, authorization?: string]) => {
    const client = await over('network', ...given);
    await client.ended;
    return [client.status, JSON.parse(client.text).code];
  };
  const reader = token('board', 'read');
  expect(await outcome('')).toEqual([401, 'auth.required']);
  expect(await outcome('', 'Bearer x')).toEqual([401, 'auth.invalid']);
  expect(await outcome('', `Bearer ${token('desk', 'event', 'approval')}`)).toEqual([403, 'auth.scope']);
  expect(await outcome(`?token=${reader}`)).toEqual([401, 'auth.required']);
  expect(await outcome(`?token=${reader}`, `Bearer ${reader}`)).toEqual([400, 'invalid_request']);
});

test('places are counted over both, and a revoked token loses its own', async () => {
  const { over, token, folder, world } = await listening(1);
  const reader = `Bearer ${token('board', 'read')}`;
  const mine = await over('network', '', reader);
  const others = [await over('socket'), await over('socket', '?topics=host')];
  const full = await over('network', '', reader);
  await full.ended;
  expect([full.status, JSON.parse(full.text).code]).toEqual([503, 'stream.limit']);
  unwrap(revokeToken(folder, 'board'));
  expect(await mine.ended).toBe('said');
  const next = await over('socket');
  expect(next.status).toBe(200);
  unwrap(await world.startPlan({ plan: 't/nap@1', input: job('a', 1) }));
  await others[0]!.events(1);
});

test('the program of the guide hears everything once, and goes on where it stopped', async () => {
  const guide = readFileSync(new URL('../../docs/guides/follow-a-world.md', import.meta.url), 'utf8');
  const program = /^```js\n(.*?)^```$/ms.exec(guide)![1]!;
  const { follow } = await import(`data:text/javascript,${encodeURIComponent(program)}`);
  const { bench, world, control, token } = await listening();
  const reader = token('board', 'read');
  const heard: { readonly event: string; readonly id: number }[] = [];
  /** Until so many events were heard, as a process does that ends then. */
  const hear = async (count: number, id: string | undefined): Promise<string> => {
    const end = new AbortController();
    let last = id;
    const hearing = follow(
      control.url,
      reader,
      'plans,effects',
      id,
      async (event: string, _data: unknown, at: string) => {
        heard.push({ event, id: Number(at) });
        last = at;
        if (heard.length === count) end.abort();
      },
      end.signal,
    );
    await expect(hearing).rejects.toThrow();
    return last!;
  };
  unwrap(await world.startPlan({ plan: 't/call_plan@1', input: job('a') }));
  await until(async () => (await bench.done()).length === 1);
  const place = await hear(2, '0');
  unwrap(await world.startPlan({ plan: 't/call_plan@1', input: job('b') }));
  await until(async () => (await bench.done()).length === 2);
  const expected = expectedEvents(await bench.records(), ['plans', 'effects']);
  await hear(expected.length, place);
  expect(heard).toEqual(expected);
});

test('closing the server ends every stream and waits for none', async () => {
  const { over, token, control } = await listening();
  const streams = [
    await over('socket'),
    await over('network', '?topics=plans', `Bearer ${token('board', 'read')}`),
    await over('socket', '?topics=host'),
  ];
  await control.close();
  for (const stream of streams) expect(await stream.ended).toBe('said');
});

test('`worldline run` streams what `worldline journal tail --json` shows, to the last record before it stops', async () => {
  const world = worldOf('minimal');
  const running = await daemon(world);
  const { socket } = JSON.parse(readFileSync(join(world, '.worldline/daemon.json'), 'utf8'));
  const all = await StreamClient.open(socket, '/api/stream?from=0');
  const changes = await StreamClient.open(socket, '/api/stream?topics=governance');
  await changes.until(({ lastEventId }) => lastEventId !== undefined);
  const done = async (...args: string[]) => expect((await worldline(args, { cwd: world })).exit).toBe(0);
  await done('event', 'send', 'hello/Asked@1', '{"name": "Ada"}');
  const plans = join(world, 'air/plans.air.json');
  writeFileSync(plans, readFileSync(plans, 'utf8').replace('Hello, ', 'Good day, '));
  await done('push');
  expect((await changes.events(2)).map(({ event }) => event)).toEqual(['governance', 'manifest']);
  await done('event', 'send', 'hello/Asked@1', '{"name": "Bob"}');
  await done('stop');
  expect((await running.stop()).exit).toBe(0);
  for (const stream of [all, changes]) expect(await stream.ended).toBe('said');
  const tail = (await worldline(['journal', 'tail', '--from', '0', '--json'], { cwd: world })).json().data.entries;
  expect(all.read.events.map(({ data }) => data)).toEqual(tail);
  expect(tail.at(-1).kind).toBe('baseline');
});
