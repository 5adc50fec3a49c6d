import { fabricAdapter, MESSAGE_BYTES_MAX, postMessage, urlPeer } from '@worldline/adapters';
import { fail, ok, toBase64, utf8 } from '@worldline/canon';
import type { EffectRequest, FabricFailure, FabricMessage, FabricPeer } from '@worldline/ports';
import { describe, expect, test } from 'vitest';
import { context, request, service, peer as tcpPeer } from './support.ts';

const HASH = `sha256:${'1'.repeat(64)}`;
const noHttp = { request: () => Promise.reject(new Error('no http')) };

const params = (more: object = {}) => ({
  dest_world: 'lab',
  schema: 'app/Note@1',
  value: { $tag: 'cbor', $value: utf8('note') },
  key: null,
  correlation_id: null,
  mode: null,
  ...more,
});
const sending = (more: object = {}, options: Partial<EffectRequest> = {}) =>
  request('fabric.send.note', params(more), {
    grant: { name: 'cap_fabric', cap: 'sys/fabric@1', params: {} },
    ...options,
  });

/** A peer that answers as it is told and remembers what came. */
function fakePeer(answer: Awaited<ReturnType<FabricPeer['deliver']>> = ok({ seq: 7n, duplicate: false })) {
  const messages: FabricMessage[] = [];
  const peer: FabricPeer = {
    async deliver(message) {
      messages.push(message);
      return answer;
    },
  };
  return { messages, peer };
}
const adapterOf = (peer: FabricPeer, maxBytes?: number) =>
  fabricAdapter({ peers: new Map([['lab', peer]]), ...(maxBytes === undefined ? {} : { maxBytes }) });

describe('fabric.send (host.md §5.7)', () => {
  test('the intent hash is the message id, and the receipt tells where the message lies', async () => {
    const { messages, peer } = fakePeer();
    const ctx = { ...context(noHttp), typeHash: (schema: string) => (schema === 'app/Note@1' ? HASH : undefined) };
    const outcome = await adapterOf(peer).execute!(sending({ correlation_id: 'r1', key: utf8('k') }), ctx);
    expect(outcome).toEqual({
      status: 'ok',
      payload: { message_id: HASH, dest_world: 'lab', enqueued_seq: 7n, duplicate: false },
    });
    expect(messages).toEqual([
      {
        messageId: HASH,
        fromWorld: '0190b5a8-0000-7000-8000-000000000001',
        schema: 'app/Note@1',
        typeHash: HASH,
        value: utf8('note'),
        key: utf8('k'),
        correlationId: 'r1',
        mode: 'event',
      },
    ]);
  });

  test('it performs fabric.send and every typed variant, keyed: a repeat is the same message', () => {
    const adapter = adapterOf(fakePeer().peer);
    expect(adapter.kinds).toEqual(['fabric.send', 'fabric.send.*']);
    expect(adapter.classify(sending())).toBe('keyed');
    expect(adapter.timeoutMs).toBe(30_000);
  });

  test('a value in a blob is sent as its bytes', async () => {
    const { messages, peer } = fakePeer();
    const ctx = context(noHttp);
    const ref = await ctx.blobs.put(utf8('large'));
    await adapterOf(peer).execute!(sending({ value: { $tag: 'blob_ref', $value: ref } }), ctx);
    expect(messages[0]!.value).toEqual(utf8('large'));
  });

  test('fabric.peer_unknown: a world that no peer is configured for', async () => {
    const { messages, peer } = fakePeer();
    expect(await adapterOf(peer).execute!(sending({ dest_world: 'elsewhere' }), context(noHttp))).toMatchObject({
      status: 'error',
      error: { code: 'fabric.peer_unknown' },
    });
    expect(messages).toEqual([]);
  });

  test('fabric.too_large: more than 1 MiB, more than the host allows, a blob over what the grant allows', async () => {
    const { messages, peer } = fakePeer();
    const tooLarge = { status: 'error', error: { code: 'fabric.too_large' } };
    const big = new Uint8Array(MESSAGE_BYTES_MAX + 1);
    const run = (adapter: ReturnType<typeof adapterOf>, req: EffectRequest, ctx = context(noHttp)) =>
      adapter.execute!(req, ctx);
    expect(await run(adapterOf(peer), sending({ value: { $tag: 'cbor', $value: big } }))).toMatchObject(tooLarge);
    expect(await run(adapterOf(peer, 3), sending())).toMatchObject(tooLarge);
    const ctx = context(noHttp);
    const ref = await ctx.blobs.put(utf8('large'));
    const grant = { name: 'cap_fabric', cap: 'sys/fabric@1', params: { max_bytes: 4 } };
    const blob = sending({ value: { $tag: 'blob_ref', $value: ref } }, { grant });
    expect(await run(adapterOf(peer), blob, ctx)).toMatchObject(tooLarge);
    expect(messages).toEqual([]);
    await run(adapterOf(peer), sending({ value: { $tag: 'cbor', $value: big.subarray(1) } }));
    expect(messages).toHaveLength(1);
  });

  test('a blob that is not there, and a mode that is none, are errors and send nothing', async () => {
    const { messages, peer } = fakePeer();
    const missing = sending({ value: { $tag: 'blob_ref', $value: HASH } });
    expect(await adapterOf(peer).execute!(missing, context(noHttp))).toMatchObject({
      error: { code: 'blob.missing', retryable: false },
    });
    expect(await adapterOf(peer).execute!(sending({ mode: 'shout' }), context(noHttp))).toMatchObject({
      error: { code: 'fabric.refused' },
    });
    expect(messages).toEqual([]);
  });

  test.each<FabricFailure>([
    { code: 'fabric.peer_unreachable', message: 'm', retryable: true },
    { code: 'fabric.refused', message: 'm', retryable: false },
    { code: 'fabric.schema_mismatch', message: 'm', retryable: false },
    { code: 'fabric.no_inbox', message: 'm', retryable: false },
  ])('what the peer says becomes the receipt: $code', async (failure) => {
    const outcome = await adapterOf(fakePeer(fail(failure)).peer).execute!(sending(), context(noHttp));
    expect(outcome).toEqual({ status: 'error', error: failure });
  });
});

const message: FabricMessage = {
  messageId: HASH,
  fromWorld: 'w1',
  schema: 'app/Note@1',
  typeHash: HASH,
  value: utf8('note'),
  key: undefined,
  correlationId: undefined,
  mode: 'event',
};

/** Delivers `message` to a service that answers so. */
async function answered(status: number, body: string) {
  const there = await service((_seen, response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(body);
  });
  try {
    const peer = urlPeer(new URL(`http://127.0.0.1:${there.port}/base`), async () => 'secret\n');
    return { result: await peer.deliver(message, new AbortController().signal), seen: there.seen };
  } finally {
    await there.close();
  }
}

describe('a peer with an address (host.md §8.3)', () => {
  test('one POST with the token; the answer says where the message lies', async () => {
    const { result, seen } = await answered(200, '{"seq":12,"duplicate":true}');
    expect(result).toEqual(ok({ seq: 12n, duplicate: true }));
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ method: 'POST', url: '/base/api/fabric/inbox' });
    expect(seen[0]!.headers['authorization']).toBe('Bearer secret');
    expect(JSON.parse(seen[0]!.body)).toEqual({
      message_id: HASH,
      from_world: 'w1',
      schema: 'app/Note@1',
      type_hash: HASH,
      value_b64: toBase64(utf8('note')),
      mode: 'event',
    });
  });

  test.each([
    [403, 'fabric.refused', 'fabric.refused', false],
    [409, 'fabric.schema_mismatch', 'fabric.schema_mismatch', false],
    [404, 'fabric.no_inbox', 'fabric.no_inbox', false],
    [413, 'fabric.too_large', 'fabric.too_large', false],
    [413, 'too_large', 'fabric.too_large', false],
    [401, 'auth.invalid', 'fabric.refused', false],
    [403, 'auth.scope', 'fabric.refused', false],
    [409, 'ingress.conflict', 'fabric.refused', false],
    [409, 'world.archived', 'fabric.peer_unknown', false],
    [409, 'world.locked', 'fabric.peer_unreachable', true],
    [429, 'busy', 'fabric.peer_unreachable', true],
    [503, 'draining', 'fabric.peer_unreachable', true],
    [500, 'host_error', 'fabric.peer_unreachable', true],
  ])('the answer %i %s is %s, retryable: %s', async (status, said, code, retryable) => {
    const { result } = await answered(status, JSON.stringify({ code: said, message: 'why' }));
    expect(result).toMatchObject({ ok: false, failure: { code, retryable } });
  });

  test.each([
    ['no JSON', '<html>'],
    ['another answer', '{"seq":"x","duplicate":true}'],
    ['an answer without end', `"${'x'.repeat(70_000)}"`],
  ])('%s is fabric.peer_unreachable, retryable', async (_, body) => {
    const { result } = await answered(200, body);
    expect(result).toMatchObject({ ok: false, failure: { code: 'fabric.peer_unreachable', retryable: true } });
  });

  test('fabric.peer_unreachable: nobody listens, or the connection breaks', async () => {
    const gone = await service(() => {});
    await gone.close();
    const breaks = await tcpPeer((socket) => socket.destroy());
    const { signal } = new AbortController();
    for (const port of [gone.port, breaks.port]) {
      const peer = urlPeer(new URL(`http://127.0.0.1:${port}`), async () => 't');
      expect(await peer.deliver(message, signal)).toMatchObject({
        ok: false,
        failure: { code: 'fabric.peer_unreachable', retryable: true },
      });
    }
    await breaks.close();
  });

  test('secret.unavailable: the token is not there, and nothing is sent', async () => {
    const peer = urlPeer(new URL('http://127.0.0.1:9'), async () => undefined);
    expect(await peer.deliver(message, new AbortController().signal)).toMatchObject({
      failure: { code: 'secret.unavailable', retryable: false },
    });
  });

  test('adapter.timeout is the dispatcher’s: delivery ends with the signal', async () => {
    const silent = await service(() => {});
    const abort = new AbortController();
    const delivered = postMessage(
      { url: new URL(`http://127.0.0.1:${silent.port}/api/fabric/inbox`), token: 't' },
      message,
      abort.signal,
    );
    abort.abort();
    await expect(delivered).rejects.toThrow();
    await silent.close();
  });
});
