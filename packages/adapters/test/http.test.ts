import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer as createTls } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GuardedHttpOptions, guardedHttp, type HttpAdapterOptions, httpAdapter } from '@worldline/adapters';
import { utf8 } from '@worldline/canon';
import type { CapVerdict, EffectOutcome, EffectRequest } from '@worldline/ports';
import { afterEach, describe, expect, test } from 'vitest';
import { type Context, context, payload, peer, request, service } from './support.ts';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function serving(...args: Parameters<typeof service>) {
  const one = await service(...args);
  open.push(one);
  return one;
}

async function peering(...args: Parameters<typeof peer>) {
  const one = await peer(...args);
  open.push(one);
  return one;
}

const LOCAL: GuardedHttpOptions = { allowPrivate: ['127.0.0.0/8', '::1'], resolve: async () => ['127.0.0.1'] };

interface Call {
  readonly outcome: EffectOutcome;
  readonly ctx: Context;
}

async function call(
  params: Record<string, unknown>,
  options: HttpAdapterOptions = {},
  given: {
    request?: Partial<EffectRequest>;
    http?: GuardedHttpOptions;
    signal?: AbortSignal;
    recheck?: (params: unknown) => CapVerdict;
    blobs?: readonly Uint8Array[];
  } = {},
): Promise<Call> {
  const ctx = context(guardedHttp({ ...LOCAL, ...given.http }), {
    ...(given.signal ? { signal: given.signal } : {}),
    ...(given.recheck ? { recheck: given.recheck } : {}),
  });
  for (const blob of given.blobs ?? []) await ctx.blobs.put(blob);
  const outcome = await httpAdapter(options).execute!(
    request('http.request', { method: 'GET', headers: {}, body_ref: null, ...params }, given.request),
    ctx,
  );
  return { outcome, ctx };
}

describe('an answer is an ok receipt, whatever its status (host.md §5.1)', () => {
  test('status, headers, body and timings of a real exchange', async () => {
    const svc = await serving((_seen, response) => {
      response.writeHead(
        201,
        [
          ['X-Two', 'a'],
          ['x-two', 'b'],
          ['Set-Cookie', 'k=1'],
          ['set-cookie', 'l=2'],
        ].flat(),
      );
      response.end('h\u00e9llo');
    });
    const { outcome, ctx } = await call({
      url: `http://127.0.0.1:${svc.port}/p/../q?x=1#frag`,
      headers: { 'X-Mine': 'yes' },
    });
    expect(outcome.status).toBe('ok');
    const receipt = payload(outcome);
    expect(receipt).toMatchObject({
      status: 201,
      adapter_id: 'host.http',
      headers: { 'x-two': 'a, b', 'set-cookie': 'k=1\nl=2' },
    });
    expect(ctx.blobs.text(receipt['body_ref'])).toBe('h\u00e9llo');
    const timings = receipt['timings'] as { start_ns: bigint; end_ns: bigint };
    expect(timings.end_ns > timings.start_ns).toBe(true);
    expect(svc.seen).toMatchObject([
      {
        method: 'GET',
        url: '/q?x=1',
        headers: { 'x-mine': 'yes', 'accept-encoding': 'identity', host: `127.0.0.1:${svc.port}` },
        body: '',
      },
    ]);
  });

  test.each([204, 304, 404, 500, 503])('%i is ok', async (status) => {
    const svc = await serving((_seen, response) => response.writeHead(status).end());
    const { outcome } = await call({ url: `http://127.0.0.1:${svc.port}/` });
    expect(outcome.status).toBe('ok');
    expect(payload(outcome)).toMatchObject({ status, body_ref: null });
    expect(svc.seen).toHaveLength(1);
  });

  test('a compressed body is stored as received, and an accept-encoding of the params is kept', async () => {
    const svc = await serving((_seen, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end('not really gzip'),
    );
    const { outcome, ctx } = await call({
      url: `http://127.0.0.1:${svc.port}/`,
      headers: { 'Accept-Encoding': 'gzip' },
    });
    expect(ctx.blobs.text(payload(outcome)['body_ref'])).toBe('not really gzip');
    expect(svc.seen[0]!.headers['accept-encoding']).toBe('gzip');
  });

  test('a request body is the blob, with its length; the method may be in any case', async () => {
    const svc = await serving((_seen, response) => response.end());
    const body = utf8('{"a":1}');
    const { ctx } = await call(
      { method: 'post', url: `http://127.0.0.1:${svc.port}/`, body_ref: await blobHash(body) },
      {},
      { blobs: [body] },
    );
    expect(svc.seen).toMatchObject([{ method: 'POST', body: '{"a":1}', headers: { 'content-length': '7' } }]);
    expect(ctx.blobs.stored.size).toBe(1);
  });

  test('a HEAD answer announces a body that never comes', async () => {
    const svc = await serving((_seen, response) => response.writeHead(200, { 'content-length': '99999999999' }).end());
    const { outcome } = await call({ method: 'HEAD', url: `http://127.0.0.1:${svc.port}/` });
    expect(payload(outcome)).toMatchObject({ status: 200, body_ref: null });
  });

  test('response headers over the limits are cut and marked', async () => {
    const svc = await serving((_seen, response) => {
      for (let i = 0; i < 150; i++) response.setHeader(`x-${i}`, 'v');
      response.end();
    });
    const { outcome } = await call({ url: `http://127.0.0.1:${svc.port}/` });
    const headers = payload(outcome)['headers'] as Record<string, string>;
    expect(Object.keys(headers)).toHaveLength(101);
    expect(headers['x-worldline-truncated']).toBe('1');
  });

  test('interim answers are passed over', async () => {
    const svc = await serving((_seen, response) => {
      response.writeEarlyHints({ link: '</a>; rel=preload' });
      response.end('final');
    });
    const { outcome, ctx } = await call({ url: `http://127.0.0.1:${svc.port}/` });
    expect(ctx.blobs.text(payload(outcome)['body_ref'])).toBe('final');
  });

  test('a name goes to the vetted address, with Host from the URL', async () => {
    const svc = await serving((_seen, response) => response.end());
    const { outcome } = await call({ url: `http://svc.test:${svc.port}/` });
    expect(outcome.status).toBe('ok');
    expect(svc.seen[0]!.headers.host).toBe(`svc.test:${svc.port}`);
  });
});

async function blobHash(bytes: Uint8Array): Promise<string> {
  return await context(guardedHttp()).blobs.put(bytes);
}

describe('failures (host.md §5.1 "Failures"): status, code, and a payload that conforms', () => {
  async function failed(
    promise: Promise<Call>,
    status: 'error' | 'timeout',
    code: string,
    payloadStatus: number,
    retryable = false,
  ) {
    const { outcome, ctx } = await promise;
    expect(outcome).toMatchObject({ status, error: { code, retryable } });
    const receipt = payload(outcome);
    expect(receipt).toMatchObject({ status: payloadStatus, adapter_id: 'host.http' });
    expect(Object.keys(receipt['headers'] as object)).toEqual([]);
    if (status === 'timeout') expect(receipt['body_ref']).toBeNull();
    else expect(JSON.parse(ctx.blobs.text(receipt['body_ref']))).toMatchObject({ code });
    return outcome as Extract<EffectOutcome, { status: 'error' | 'timeout' }>;
  }

  test('a URL that is not of the accepted form', async () => {
    expect(
      (await failed(call({ url: 'http://user@h.example/' }), 'error', 'http.url_invalid', 400)).error.notSent,
    ).toBe(true);
  });

  test.each(['TRACE', 'CONNECT', '', 'G E T', 'QUERY'])('method %j', async (method) => {
    await failed(call({ method, url: 'http://h.example/' }), 'error', 'http.method_unsupported', 405);
  });

  test.each([
    [{ host: 'evil' }],
    [{ 'content-length': '5' }],
    [{ 'transfer-encoding': 'chunked' }],
    [{ 'x-a': 'a\r\nx-b: c' }],
    [{ 'a b': 'c' }],
  ])('header %j', async (headers) => {
    await failed(call({ url: 'http://h.example/', headers }), 'error', 'http.header_invalid', 400);
  });

  test('a body that is not in the store', async () => {
    await failed(
      call({ method: 'POST', url: 'http://svc.test/', body_ref: `sha256:${'0'.repeat(64)}` }),
      'error',
      'http.body_missing',
      599,
    );
  });

  test('a body over the limit', async () => {
    const body = new Uint8Array(11);
    await failed(
      call(
        { method: 'POST', url: 'http://svc.test/', body_ref: await blobHash(body) },
        { maxBodyBytes: 10 },
        { blobs: [body] },
      ),
      'error',
      'http.body_too_large',
      599,
    );
  });

  test('an address that may not be reached', async () => {
    const outcome = await failed(
      call({ url: 'http://10.0.0.1/' }, {}, { http: { allowPrivate: [] } }),
      'error',
      'http.address_denied',
      599,
    );
    expect(outcome.error.notSent).toBe(true);
  });

  test('a name that does not resolve', async () => {
    const resolve = () => Promise.reject(new Error('no such name'));
    await failed(call({ url: 'http://svc.test/' }, {}, { http: { resolve } }), 'error', 'http.dns', 599, true);
  });

  test('a port where nobody listens', async () => {
    const svc = await service((_seen, response) => response.end());
    await svc.close();
    const outcome = await failed(call({ url: `http://127.0.0.1:${svc.port}/` }), 'error', 'http.connect', 599, true);
    expect(outcome.error.notSent).toBe(true);
  });

  test('TLS with a peer that speaks none', async () => {
    const svc = await peering((socket) => socket.end('HTTP/1.1 400 no\r\n\r\n'));
    const outcome = await failed(call({ url: `https://127.0.0.1:${svc.port}/` }), 'error', 'http.tls', 599, true);
    expect(outcome.error.notSent).toBe(true);
  });

  test('a reset before the answer: the request may have been received', async () => {
    const svc = await peering((socket) => socket.resetAndDestroy());
    const outcome = await failed(call({ url: `http://127.0.0.1:${svc.port}/` }), 'error', 'http.reset', 599, true);
    expect(outcome.error.notSent).not.toBe(true);
    expect(svc.connections()).toBe(1);
  });

  test('a connection closed without an answer', async () => {
    const svc = await peering((socket) => socket.end());
    await failed(call({ url: `http://127.0.0.1:${svc.port}/` }), 'error', 'http.reset', 599, true);
  });

  test('a body that announces more than the limit is not read', async () => {
    const svc = await serving((_seen, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('x');
    });
    await failed(
      call({ url: `http://127.0.0.1:${svc.port}/` }, { maxBodyBytes: 100 }),
      'error',
      'http.response_too_large',
      599,
    );
  });

  test('an endless body is cut off at the limit', async () => {
    const svc = await serving((_seen, response) => {
      const more = () => {
        while (response.write('x'.repeat(1024)));
        response.once('drain', more);
      };
      more();
    });
    const { outcome, ctx } = await call({ url: `http://127.0.0.1:${svc.port}/` }, { maxBodyBytes: 100_000 });
    expect(outcome).toMatchObject({ status: 'error', error: { code: 'http.response_too_large' } });
    expect(ctx.blobs.stored.size).toBe(1);
  });

  test('a body exactly at the limit is kept', async () => {
    const svc = await serving((_seen, response) => response.end('x'.repeat(100)));
    expect((await call({ url: `http://127.0.0.1:${svc.port}/` }, { maxBodyBytes: 100 })).outcome.status).toBe('ok');
  });

  test.each([
    ['a body cut short', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'],
    ['a chunk that is none', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'],
    ['an answer that is not HTTP', 'hello\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'],
    ['headers without end', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(300_000)}`],
  ])('%s is http.read', async (_what, answer) => {
    const svc = await peering((socket) => socket.end(answer));
    await failed(call({ url: `http://127.0.0.1:${svc.port}/` }), 'error', 'http.read', 599);
  });

  test('the time limit before, during and after the headers', async () => {
    const abort = new AbortController();
    abort.abort();
    await failed(call({ url: 'http://svc.test/' }, {}, { signal: abort.signal }), 'timeout', 'adapter.timeout', 598);

    const silent = new AbortController();
    const mute = await peering(() => silent.abort());
    await failed(
      call({ url: `http://127.0.0.1:${mute.port}/` }, {}, { signal: silent.signal }),
      'timeout',
      'adapter.timeout',
      598,
    );

    const slow = new AbortController();
    const svc = await peering((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', () => slow.abort());
    });
    await failed(
      call({ url: `http://127.0.0.1:${svc.port}/` }, {}, { signal: slow.signal }),
      'timeout',
      'adapter.timeout',
      598,
    );

    const asking = new AbortController();
    const resolve = () => {
      asking.abort();
      return new Promise<never>(() => {});
    };
    await failed(
      call({ url: 'http://svc.test/' }, {}, { signal: asking.signal, http: { resolve } }),
      'timeout',
      'adapter.timeout',
      598,
    );
  });

  test('a connection that does not come about within its own limit is http.connect, long before the total', async () => {
    // A resolver that never answers stands for a network that swallows packets: the same limit covers both.
    const resolve = () => new Promise<never>(() => {});
    await failed(
      call({ url: 'http://svc.test/' }, {}, { http: { resolve, connectTimeoutMs: 5 } }),
      'error',
      'http.dns',
      599,
      true,
    );
  });
});

describe('delivery class and idempotency key (host.md §5.1 "Class", §3.4)', () => {
  const key = { idempotencyKey: new Uint8Array(32).fill(1) };
  test.each([
    ['GET', {}, {}, 'read'],
    ['head', {}, {}, 'read'],
    ['OPTIONS', {}, {}, 'read'],
    ['PUT', {}, {}, 'keyed'],
    ['DELETE', {}, {}, 'keyed'],
    ['POST', {}, {}, 'at_most_once'],
    ['PATCH', {}, {}, 'at_most_once'],
    ['POST', {}, key, 'keyed'],
    ['patch', {}, key, 'keyed'],
    ['POST', { 'Idempotency-Key': 'k' }, {}, 'keyed'],
    ['NONSENSE', {}, {}, 'at_most_once'],
  ])('%s with headers %j and %j', (method, headers, options, expected) => {
    const one = request('http.request', { method, url: 'http://h.example/', headers, body_ref: null }, options);
    expect(httpAdapter().classify(one)).toBe(expected);
  });

  test.each([
    ['POST', {}, key, 'ab'.repeat(32)],
    ['POST', { 'Idempotency-Key': 'mine' }, key, 'mine'],
    ['POST', { 'Idempotency-Key': 'mine' }, {}, 'mine'],
    ['POST', {}, {}, undefined],
    ['PUT', {}, key, undefined],
  ])('%s with headers %j and %j sends key %s', async (method, headers, options, expected) => {
    const svc = await serving((_seen, response) => response.end());
    await call({ method, url: `http://127.0.0.1:${svc.port}/`, headers }, {}, { request: options });
    expect(svc.seen[0]!.headers['idempotency-key']).toBe(expected);
  });
});

describe('redirects (host.md §5.1 "Redirects")', () => {
  test('are returned, not followed, by default', async () => {
    const svc = await serving((_seen, response) => response.writeHead(302, { location: '/next' }).end());
    const { outcome } = await call({ url: `http://127.0.0.1:${svc.port}/` });
    expect(payload(outcome)).toMatchObject({ status: 302, headers: { location: '/next' } });
    expect(svc.seen).toHaveLength(1);
  });

  test('with recheck, every hop is judged with its new URL and method', async () => {
    const svc = await serving((seen, response) =>
      seen.url === '/end' ? response.end('there') : response.writeHead(303, { location: '/end' }).end(),
    );
    const judged: unknown[] = [];
    const recheck = (params: unknown): CapVerdict => {
      judged.push(params);
      return { ok: true };
    };
    const body = utf8('x');
    const { outcome, ctx } = await call(
      {
        method: 'POST',
        url: `http://127.0.0.1:${svc.port}/`,
        headers: { 'content-type': 'a/b', 'x-a': '1' },
        body_ref: await blobHash(body),
      },
      { redirects: 'recheck' },
      { recheck, blobs: [body] },
    );
    expect(judged).toMatchObject([{ method: 'GET', url: `http://127.0.0.1:${svc.port}/end` }]);
    expect(ctx.blobs.text(payload(outcome)['body_ref'])).toBe('there');
    expect(svc.seen[1]).toMatchObject({ method: 'GET', body: '', headers: { 'x-a': '1' } });
    expect(svc.seen[1]!.headers['content-type']).toBeUndefined();
  });

  test('307 keeps method and body', async () => {
    const svc = await serving((seen, response) =>
      seen.url === '/end' ? response.end() : response.writeHead(307, { location: '/end' }).end(),
    );
    const body = utf8('x');
    await call(
      { method: 'POST', url: `http://127.0.0.1:${svc.port}/`, body_ref: await blobHash(body) },
      { redirects: 'recheck' },
      { blobs: [body] },
    );
    expect(svc.seen[1]).toMatchObject({ method: 'POST', body: 'x' });
  });

  test('a hop that the grant refuses is http.redirect_denied', async () => {
    const svc = await serving((_seen, response) => response.writeHead(302, { location: '/next' }).end());
    const { outcome } = await call(
      { url: `http://127.0.0.1:${svc.port}/` },
      { redirects: 'recheck' },
      { recheck: () => ({ ok: false, code: 'path_not_allowed', message: 'no' }) },
    );
    expect(outcome).toMatchObject({ status: 'error', error: { code: 'http.redirect_denied' } });
    expect(payload(outcome)).toMatchObject({ status: 599 });
    expect(svc.seen).toHaveLength(1);
  });

  test.each([
    'http://10.0.0.1/',
    'http://user@svc.test/',
    'ftp://svc.test/',
    'http://[',
    'http://169.254.169.254/latest',
  ])('a hop to %s is http.redirect_denied', async (location) => {
    const svc = await serving((_seen, response) => response.writeHead(302, { location }).end());
    const { outcome } = await call({ url: `http://127.0.0.1:${svc.port}/` }, { redirects: 'recheck' });
    expect(outcome).toMatchObject({ status: 'error', error: { code: 'http.redirect_denied', retryable: false } });
    expect((outcome as { error: { notSent?: boolean } }).error.notSent).not.toBe(true);
  });

  test('five hops are followed, a sixth is refused', async () => {
    const chain = (length: number) =>
      serving((seen, response) => {
        const at = Number(seen.url.slice(1));
        if (at === length) response.end('end');
        else response.writeHead(302, { location: `/${at + 1}` }).end();
      });
    const five = await chain(5);
    expect((await call({ url: `http://127.0.0.1:${five.port}/0` }, { redirects: 'recheck' })).outcome.status).toBe(
      'ok',
    );
    const six = await chain(6);
    const { outcome } = await call({ url: `http://127.0.0.1:${six.port}/0` }, { redirects: 'recheck' });
    expect(outcome).toMatchObject({ status: 'error', error: { code: 'http.redirect_denied' } });
    expect(six.seen).toHaveLength(6);
  });

  test('credentials stay at their origin: params and configuration alike', async () => {
    const other = await serving((_seen, response) => response.end());
    const svc = await serving((seen, response) => {
      if (seen.url === '/') response.writeHead(307, { location: '/same' }).end();
      else response.writeHead(307, { location: `http://127.0.0.1:${other.port}/` }).end();
    });
    await call(
      {
        url: `http://127.0.0.1:${svc.port}/`,
        headers: { authorization: 'params', cookie: 'c=1', 'x-token': 'from params', 'x-plain': 'stays' },
      },
      {
        redirects: 'recheck',
        credentials: [
          {
            grant: 'net',
            origin: `http://127.0.0.1:${svc.port}`,
            header: 'X-Token',
            prefix: 'T ',
            binding: 'env:TOKEN',
          },
        ],
        secret: async () => 's3cret',
      },
    );
    expect(svc.seen.map((seen) => seen.headers['x-token'])).toEqual(['T s3cret', 'T s3cret']);
    expect(svc.seen[1]!.headers.authorization).toBe('params');
    expect(other.seen[0]!.headers).toMatchObject({ 'x-plain': 'stays', 'x-token': 'from params' });
    expect(other.seen[0]!.headers.authorization).toBeUndefined();
    expect(other.seen[0]!.headers.cookie).toBeUndefined();
  });

  test('the shared guard follows redirects for other adapters under the same rules', async () => {
    const svc = await serving((seen, response) =>
      seen.url === '/end' ? response.end('there') : response.writeHead(302, { location: '/end' }).end(),
    );
    const send = (recheck?: () => CapVerdict) =>
      guardedHttp(LOCAL).request({
        method: 'GET',
        url: `http://127.0.0.1:${svc.port}/`,
        headers: {},
        signal: new AbortController().signal as never,
        maxBodyBytes: 100,
        grantedHosts: ['127.0.0.1'],
        ...(recheck ? { recheck } : {}),
      });
    expect(await send()).toMatchObject({ ok: true, value: { status: 302 } });
    expect(await send(() => ({ ok: true }))).toMatchObject({
      ok: true,
      value: { status: 200, url: `http://127.0.0.1:${svc.port}/end` },
    });
    expect(await send(() => ({ ok: false, code: 'x', message: 'y' }))).toMatchObject({
      ok: false,
      failure: { code: 'http.redirect_denied' },
    });
  });
});

describe('credentials (host.md §5.1 "Credentials")', () => {
  const credential = (origin: string, grant = 'net') => ({
    grant,
    origin,
    header: 'authorization',
    prefix: 'Bearer ',
    binding: 'env:TOKEN',
  });

  test.each([
    ['another grant', 'other', undefined],
    ['the grant of the request', 'net', 'Bearer s3cret'],
  ])('under %s', async (_what, grant, expected) => {
    const svc = await serving((_seen, response) => response.end());
    await call(
      { url: `http://127.0.0.1:${svc.port}/` },
      { credentials: [credential(`http://127.0.0.1:${svc.port}`, grant)], secret: async () => 's3cret' },
    );
    expect(svc.seen[0]!.headers.authorization).toBe(expected);
  });

  test('without a value nothing is sent, and no value is ever shown', async () => {
    const svc = await serving((_seen, response) => response.end());
    const options = (secret: string | undefined): HttpAdapterOptions => ({
      credentials: [credential(`http://127.0.0.1:${svc.port}`)],
      secret: async () => secret,
    });
    const missing = await call({ url: `http://127.0.0.1:${svc.port}/` }, options(undefined));
    expect(missing.outcome).toMatchObject({ status: 'error', error: { code: 'secret.unavailable', notSent: true } });
    const broken = await call({ url: `http://127.0.0.1:${svc.port}/` }, options('line\nbreak'));
    expect(broken.outcome).toMatchObject({ status: 'error', error: { code: 'secret.type' } });
    expect(JSON.stringify(broken.outcome, (_k, v: unknown) => (typeof v === 'bigint' ? String(v) : v))).not.toContain(
      'line',
    );
    expect(svc.seen).toHaveLength(0);
  });

  test.each([['not a url'], ['http://h.example/path']])('an origin %j stops the start', (origin) => {
    expect(() => httpAdapter({ credentials: [credential(origin)] })).toThrow(TypeError);
  });
});

describe('retry of listed statuses (host.md §5.1 "http.retry_statuses")', () => {
  test('only listed ones, only when repeating is safe, and the last answer is the receipt', async () => {
    const svc = await serving((_seen, response, count) => response.writeHead(count < 3 ? 503 : 200).end());
    const first = await call({ url: `http://127.0.0.1:${svc.port}/` });
    expect(payload(first.outcome)).toMatchObject({ status: 503 });
    const second = await call({ url: `http://127.0.0.1:${svc.port}/` }, { retryStatuses: [503] });
    expect(payload(second.outcome)).toMatchObject({ status: 200 });
    expect(svc.seen).toHaveLength(3);
  });

  test('a plain POST is never repeated', async () => {
    const svc = await serving((_seen, response) => response.writeHead(503).end());
    await call({ method: 'POST', url: `http://127.0.0.1:${svc.port}/` }, { retryStatuses: [503] });
    expect(svc.seen).toHaveLength(1);
  });

  test('after two repetitions the refusal is the answer', async () => {
    const svc = await serving((_seen, response) => response.writeHead(429, { 'retry-after': '1' }).end());
    const { outcome } = await call({ url: `http://127.0.0.1:${svc.port}/` }, { retryStatuses: [429] });
    expect(payload(outcome)).toMatchObject({ status: 429 });
    expect(svc.seen).toHaveLength(3);
  });
});

describe('TLS (host.md §5.1 "TLS")', () => {
  function certificate() {
    const dir = mkdtempSync(join(tmpdir(), 'worldline-tls-'));
    try {
      execFileSync(
        'openssl',
        [
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:prime256v1',
          '-nodes',
          '-days',
          '2',
          '-subj',
          '/CN=svc.test',
          '-addext',
          'subjectAltName=DNS:svc.test',
          '-keyout',
          join(dir, 'k.pem'),
          '-out',
          join(dir, 'c.pem'),
        ],
        { stdio: 'ignore' },
      );
      return { key: readFileSync(join(dir, 'k.pem'), 'utf8'), cert: readFileSync(join(dir, 'c.pem'), 'utf8') };
    } finally {
      rmSync(dir, { recursive: true });
    }
  }

  async function secureService() {
    const pem = certificate();
    const names: (string | undefined)[] = [];
    const server = createTls(pem, (incoming, response) => {
      names.push((incoming.socket as { servername?: string }).servername);
      response.end('secure');
    });
    server.on('tlsClientError', () => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push({
      close: () =>
        new Promise((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    });
    return { port: (server.address() as AddressInfo).port, names, ...pem };
  }

  test('SNI and certificate check go by the host of the URL, the connection to the vetted address', async () => {
    const svc = await secureService();
    const good = await call({ url: `https://svc.test:${svc.port}/` }, {}, { http: { ca: svc.cert } });
    expect(good.outcome.status).toBe('ok');
    expect(svc.names).toEqual(['svc.test']);
    const wrongName = await call({ url: `https://127.0.0.1:${svc.port}/` }, {}, { http: { ca: svc.cert } });
    expect(wrongName.outcome).toMatchObject({ status: 'error', error: { code: 'http.tls' } });
    const untrusted = await call({ url: `https://svc.test:${svc.port}/` });
    expect(untrusted.outcome).toMatchObject({ status: 'error', error: { code: 'http.tls', notSent: true } });
    expect(svc.names).toHaveLength(1);
  });

  test('the environment cannot switch verification off', async () => {
    const svc = await secureService();
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    try {
      expect((await call({ url: `https://svc.test:${svc.port}/` })).outcome).toMatchObject({
        status: 'error',
        error: { code: 'http.tls' },
      });
    } finally {
      delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    }
  });
});

describe('proxy (host.md §5.1 "Proxy")', () => {
  async function proxy() {
    const targets: string[] = [];
    const server = createHttp((_incoming, response) => response.writeHead(500).end());
    server.on('connect', (incoming, socket, head) => {
      targets.push(incoming.url ?? '');
      const [host, port] = (incoming.url ?? '').split(':');
      const upstream = connect(Number(port), host!, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        upstream.write(head);
        upstream.pipe(socket).pipe(upstream);
      });
      upstream.on('error', () => socket.destroy());
      socket.on('error', () => upstream.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push({
      close: () =>
        new Promise((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    });
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, targets };
  }

  test('the tunnel ends at the vetted address, so the proxy resolves nothing', async () => {
    const svc = await serving((_seen, response) => response.end());
    const through = await proxy();
    const { outcome } = await call({ url: `http://svc.test:${svc.port}/` }, {}, { http: { proxy: through.url } });
    expect(outcome.status).toBe('ok');
    expect(through.targets).toEqual([`127.0.0.1:${svc.port}`]);
    expect(svc.seen[0]!.headers.host).toBe(`svc.test:${svc.port}`);
  });

  test('the environment counts only when configuration says so, and NO_PROXY is respected', async () => {
    const svc = await serving((_seen, response) => response.end());
    const through = await proxy();
    const url = `http://svc.test:${svc.port}/`;
    await call({ url });
    await call({ url }, {}, { http: { envProxy: { HTTP_PROXY: through.url, NO_PROXY: '.test' } } });
    expect(through.targets).toHaveLength(0);
    await call({ url }, {}, { http: { envProxy: { HTTP_PROXY: through.url } } });
    expect(through.targets).toHaveLength(1);
    expect(svc.seen).toHaveLength(3);
  });

  test('a proxy does not open the inner network', async () => {
    const through = await proxy();
    const { outcome } = await call({ url: 'http://svc.test/' }, {}, { http: { proxy: through.url, allowPrivate: [] } });
    expect(outcome).toMatchObject({ status: 'error', error: { code: 'http.address_denied' } });
    expect(through.targets).toHaveLength(0);
  });
});
