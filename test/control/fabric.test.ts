import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { postMessage } from '@worldline/adapters';
import { encode, hashText, ok, sha256, toBase64, unwrap } from '@worldline/canon';
import { silentLogger, type World } from '@worldline/host';
import { type ControlServer, startControlServer } from '@worldline/server';
import { afterEach, expect, test } from 'vitest';
import { Bench, until } from '../../packages/host/test/bench-world.ts';
import { send } from '../../packages/server/test/support.ts';

/** `POST /api/fabric/inbox` (`host.md` §8.3) over the socket of a real world, and the adapter's client against it. */

const open: { readonly control: ControlServer; readonly world: World; readonly folder: string }[] = [];
afterEach(async () => {
  for (const { control, world, folder } of open.splice(0)) {
    await world.close({ graceMs: 0 });
    await control.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

const ID = hashText(sha256(encode('m1')));
const body = (more: object = {}) => ({
  message_id: ID,
  from_world: 'w-desk',
  schema: 't/Done@1',
  value_b64: toBase64(encode({ id: 'a' })),
  mode: 'event',
  ...more,
});

async function destination() {
  const bench = await Bench.create({ config: { fabric_accept: [{ from: 'desk', schemas: ['t/Done@1'] }] } });
  const world = await bench.open();
  const folder = mkdtempSync(join(tmpdir(), 'wl-fabric-'));
  const control = unwrap(
    await startControlServer({
      world,
      dir: folder,
      version: '1',
      startedAt: new Date(),
      identity: 'socket:tests',
      log: silentLogger,
      localSender: async (worldId) => (worldId === 'w-desk' ? { name: 'desk' } : undefined),
      onShutdown: () => {},
    }),
  );
  open.push({ control, world, folder });
  const post = async (message: unknown) => {
    const got = await send(control.socket, 'POST', '/api/fabric/inbox', {
      body: JSON.stringify(message),
      headers: { 'content-type': 'application/json' },
    });
    return { status: got.status, body: got.body };
  };
  return { bench, control, post };
}

test('a message is durable before it is answered, and a repeat gets the first answer', async () => {
  const { bench, post } = await destination();
  expect(await post(body())).toEqual({ status: 200, body: { seq: 1, duplicate: false } });
  expect(await post(body())).toEqual({ status: 200, body: { seq: 1, duplicate: true } });
  await until(async () => (await bench.of('domain_event')).length === 1);
  expect((await bench.of('domain_event'))[0]).toMatchObject({ origin: 'external', ingress_id: `fabric:desk/${ID}` });
  await bench.replays();
});

test('a sender that claims to be another world is not believed', async () => {
  const { bench, post } = await destination();
  expect(await post(body({ from_world: 'w-lab' }))).toMatchObject({ status: 403, body: { code: 'fabric.refused' } });
  expect(await bench.of('domain_event')).toEqual([]);
});

test.each([
  ['a schema that is not let in', { schema: 't/Job@1' }, 403, 'fabric.refused'],
  ['the inbox of nobody', { mode: 'inbox' }, 404, 'fabric.no_inbox'],
  ['a value of another type', { value_b64: toBase64(encode({ id: 7 })) }, 409, 'fabric.schema_mismatch'],
  ['another type under the name', { type_hash: ID }, 409, 'fabric.schema_mismatch'],
  ['a large value', { value_b64: toBase64(encode({ id: 'a'.repeat(2 ** 20) })) }, 413, 'fabric.too_large'],
  ['no message id', { message_id: undefined }, 400, 'invalid_request'],
  ['a message id that is no hash', { message_id: 'm1' }, 400, 'invalid_request'],
  ['a type hash that is none', { type_hash: 'x' }, 400, 'invalid_request'],
  ['a value that is no base64', { value_b64: '*' }, 400, 'invalid_request'],
  ['a key that is no base64', { key_b64: '*' }, 400, 'invalid_request'],
  ['a mode that is none', { mode: 'shout' }, 400, 'invalid_request'],
  ['a member that is not known', { reply_to: 'x' }, 400, 'invalid_request'],
])('%s is %s', async (_, more, status, code) => {
  const { post } = await destination();
  expect(await post(body(more))).toMatchObject({ status, body: { code } });
});

test('the adapter’s client and this endpoint understand each other', async () => {
  const { control } = await destination();
  const { signal } = new AbortController();
  const message = {
    messageId: ID,
    fromWorld: 'w-desk',
    schema: 't/Done@1',
    value: encode({ id: 'a' }),
    correlationId: 'r1',
    mode: 'event',
  } as const;
  const endpoint = { socketPath: control.socket };
  expect(await postMessage(endpoint, message, signal)).toEqual(ok({ seq: 1n, duplicate: false }));
  expect(await postMessage(endpoint, { ...message, fromWorld: 'w-lab' }, signal)).toMatchObject({
    failure: { code: 'fabric.refused', retryable: false },
  });
});
