import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { ok } from '@worldline/canon';
import { refuse } from '@worldline/host';
import { afterEach, describe, expect, test } from 'vitest';
import { Members } from '../src/request.ts';
import type { Endpoint, StreamReply } from '../src/router.ts';
import { cleanUp, type Got, raw, send, serve } from './support.ts';

afterEach(cleanUp);

const echo: Endpoint = {
  method: 'POST',
  path: '/api/echo/{name}',
  query: ['kind'],
  async run({ params, query, body, identity }) {
    const members = new Members(body, ['text', 'n', 'inner']);
    const inner = members.optionalObject('inner', ['code']);
    const code = inner?.optionalText('code');
    const text = members.optionalText('text');
    const n = members.optionalCount('n');
    const problem = members.problem ?? inner?.problem;
    if (problem !== undefined) return problem;
    return ok({ body: { name: params[0], kind: query.get('kind'), text, n, code, who: identity.name } });
  },
};
const large: Endpoint = { method: 'GET', path: '/api/large', run: async () => ok({ body: { n: 2n ** 60n, m: 7n } }) };
const broken: Endpoint = {
  method: 'GET',
  path: '/api/broken',
  run: () => Promise.reject(new Error('a bug with a secret in it')),
};
const JSON_TYPE = { 'content-type': 'application/json' };

describe('answers (`host.md` §8.2)', () => {
  test('parts of the path, query, body and identity reach the endpoint; every answer has a request id', async () => {
    const { socket } = await serve({ endpoints: [echo] });
    const got = await send(socket, 'POST', '/api/echo/demo%2FCounter%401?kind=x', {
      body: '{"text": "hi", "n": "12", "inner": {"code": "c"}}',
      headers: JSON_TYPE,
    });
    expect(got.status).toBe(200);
    expect(got.body).toEqual({ name: 'demo/Counter@1', kind: 'x', text: 'hi', n: 12, code: 'c', who: 'socket:tests' });
    expect(got.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('integers beyond 2^53 are decimal text, others are numbers', async () => {
    const { socket } = await serve({ endpoints: [large] });
    expect((await send(socket, 'GET', '/api/large')).body).toEqual({ n: '1152921504606846976', m: 7 });
  });

  test('a refusal carries code, pointer, hint and the single failures behind it', async () => {
    const failing: Endpoint = {
      method: 'GET',
      path: '/api/no',
      run: async () =>
        refuse('receipt.payload_invalid', 'no', {
          path: ['payload', 'a/b'],
          hint: 'try this',
          details: [{ code: 'value.type', path: ['a/b'], message: 'wrong' }],
        }),
    };
    const { socket } = await serve({ endpoints: [failing] });
    const got = await send(socket, 'GET', '/api/no');
    expect(got.status).toBe(422);
    expect(got.body).toEqual({
      code: 'receipt.payload_invalid',
      message: 'no',
      details: {
        pointer: '/payload/a~1b',
        hint: 'try this',
        failures: [{ code: 'value.type', pointer: '/a~1b', message: 'wrong' }],
      },
    });
  });

  test('a bug is a 500 that tells nothing of the inside, and the server goes on (H1)', async () => {
    const { socket } = await serve({ endpoints: [broken, large] });
    const got = await send(socket, 'GET', '/api/broken');
    expect([got.status, got.body.code]).toEqual([500, 'host_error']);
    expect(JSON.stringify(got.body)).not.toContain('secret');
    expect((await send(socket, 'GET', '/api/large')).status).toBe(200);
  });

  test('a world that is being closed or is lost refuses everything but what always answers', async () => {
    const always: Endpoint = { ...large, path: '/api/always', always: true };
    for (const [code, status] of [
      ['draining', 503],
      ['world.locked', 409],
    ] as const) {
      const { socket } = await serve({
        endpoints: [echo, always],
        refusal: () => ({ code, path: [], message: 'over' }),
      });
      const got = await send(socket, 'POST', '/api/echo/a', { body: '{', headers: JSON_TYPE });
      expect([got.status, got.body.code]).toEqual([status, code]);
      expect((await send(socket, 'GET', '/api/always')).status).toBe(200);
    }
  });
});

describe('what cannot be understood is refused with a code, and harms nobody (H2)', () => {
  const cases: readonly {
    readonly name: string;
    readonly method?: string;
    readonly path?: string;
    readonly body?: string | Uint8Array;
    readonly headers?: Record<string, string>;
    readonly expected: readonly [status: number, code: string, pointer?: string];
  }[] = [
    { name: 'an unknown path', path: '/api/ecko/a', expected: [404, 'not_found'] },
    { name: 'a path outside the API', path: '/', expected: [404, 'not_found'] },
    { name: 'a path that does not decode', path: '/api/echo/%zz', expected: [404, 'not_found'] },
    { name: 'a wrong method', method: 'GET', expected: [405, 'invalid_request'] },
    {
      name: 'an unknown query parameter',
      path: '/api/echo/a?kinds=x',
      expected: [400, 'invalid_request', '/query/kinds'],
    },
    { name: 'a body that is no JSON', body: '{"text": ', expected: [400, 'decode_error', '/text'] },
    { name: 'a member twice', body: '{"text": "a", "text": "b"}', expected: [400, 'decode_error', '/text'] },
    { name: 'bytes that are not UTF-8', body: Buffer.from([0x22, 0xff, 0x22]), expected: [400, 'decode_error'] },
    { name: 'a body that is no object', body: '[1]', expected: [400, 'invalid_request'] },
    { name: 'an unknown member', body: '{"txt": "a"}', expected: [400, 'invalid_request', '/txt'] },
    { name: 'a member of the wrong type', body: '{"text": 1}', expected: [400, 'invalid_request', '/text'] },
    { name: 'a number that is no count', body: '{"n": -1}', expected: [400, 'invalid_request', '/n'] },
    { name: 'a fraction', body: '{"n": 1.5}', expected: [400, 'invalid_request', '/n'] },
    { name: 'an object that is none', body: '{"inner": "x"}', expected: [400, 'invalid_request', '/inner'] },
    {
      name: 'another kind of body',
      body: 'text=a',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      expected: [400, 'invalid_request', '/content-type'],
    },
    {
      name: 'nesting too deep',
      body: `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
      expected: [400, 'decode_error', '/0'.repeat(128)],
    },
  ];
  test.each(cases)('$name', async ({ method = 'POST', path = '/api/echo/a', body, headers = JSON_TYPE, expected }) => {
    const { socket } = await serve({ endpoints: [echo, large] });
    const got = await send(socket, method, path, { ...(body === undefined ? {} : { body }), headers });
    const [status, code, pointer] = expected;
    expect({ status: got.status, code: got.body.code, pointer: got.body.details?.pointer }).toEqual({
      status,
      code,
      pointer,
    });
    expect((await send(socket, 'GET', '/api/large')).status).toBe(200);
  });

  test('a body over the limit is refused, whether its length is announced or not', async () => {
    const { socket } = await serve({ endpoints: [echo, large], limits: { bodyBytes: 1_000 } as never });
    const body = JSON.stringify({ text: 'x'.repeat(5_000) });
    const announced = await send(socket, 'POST', '/api/echo/a', {
      body,
      headers: { ...JSON_TYPE, 'content-length': String(body.length) },
    });
    expect([announced.status, announced.body.code, announced.headers.connection]).toEqual([413, 'too_large', 'close']);
    const chunked = `POST /api/echo/a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1388\r\n${'x'.repeat(5_000)}\r\n`;
    expect(await raw(socket, chunked)).toContain('HTTP/1.1 413');
    // One that writes on and on still gets to read it.
    const endless = await send(socket, 'POST', '/api/echo/a', {
      body: JSON.stringify({ text: 'x'.repeat(8_000_000) }),
      headers: JSON_TYPE,
    });
    expect([endless.status, endless.body.code]).toEqual([413, 'too_large']);
    expect((await send(socket, 'GET', '/api/large')).status).toBe(200);
  });

  test.each([
    ['nonsense instead of HTTP', 'hello\r\n\r\n', 'HTTP/1.1 400', 'invalid_request'],
    [
      'a header over 16 KiB',
      `GET /api/large HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
      'HTTP/1.1 431',
      'too_large',
    ],
    ['a request without a path', 'GET http:// HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 'HTTP/1.1 4', 'code'],
  ])('%s', async (_name, text, status, code) => {
    const { socket } = await serve({ endpoints: [large] });
    const got = await raw(socket, text);
    expect(got.slice(0, 20)).toContain(status);
    expect(got).toContain(code);
    expect((await send(socket, 'GET', '/api/large')).status).toBe(200);
  });

  test('a sender that stops half-way is cut off', async () => {
    const { socket } = await serve({ endpoints: [echo], limits: { requestMs: 300, headersMs: 200 } as never });
    expect(await raw(socket, 'POST /api/echo/a HTTP/1.1\r\nhost: x\r\n')).toContain('HTTP/1.1 408');
    expect(await raw(socket, 'POST /api/echo/a HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{')).toMatch(
      /HTTP\/1.1 (408|504)/,
    );
  });

  test('an endpoint that takes too long is a timeout, and more requests than 64 at once are busy', async () => {
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow: Endpoint = {
      method: 'GET',
      path: '/api/slow',
      run: () => held.then(() => ok({ body: {} })),
    };
    const { socket } = await serve({
      endpoints: [slow, large],
      limits: { concurrent: 2, requestMs: 1_500 } as never,
    });
    const first = [send(socket, 'GET', '/api/slow'), send(socket, 'GET', '/api/slow')];
    let busy = await send(socket, 'GET', '/api/large');
    while (busy.status === 200) busy = await send(socket, 'GET', '/api/large');
    expect([busy.status, busy.body.code]).toEqual([429, 'busy']);
    for (const late of await Promise.all(first)) expect([late.status, late.body.code]).toEqual([504, 'timeout']);
    release();
    expect((await send(socket, 'GET', '/api/large')).status).toBe(200);
  });

  test('closing waits for an answer under way, and not for a client that only keeps its connection', async () => {
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let begun: () => void = () => {};
    const started = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const slow: Endpoint = {
      method: 'GET',
      path: '/api/slow',
      run: () => {
        begun();
        return held.then(() => ok({ body: { done: true } }));
      },
    };
    const { socket, server } = await serve({ endpoints: [slow] });
    const idle = raw(socket, '');
    const answer = send(socket, 'GET', '/api/slow');
    await started;
    const closed = server.close();
    release();
    expect((await answer).body).toEqual({ done: true });
    await closed;
    expect(await idle).toBe('');
  });
});

describe('an answer that goes on', () => {
  const goesOn = (stream: StreamReply['stream'], before: Promise<unknown> = Promise.resolve()): Endpoint => ({
    method: 'GET',
    path: '/api/on',
    run: () => before.then(() => ok({ stream })),
  });

  test('is written by its endpoint, has a request id, and takes no place among requests', async () => {
    const responses: ServerResponse[] = [];
    let begun: () => void = () => {};
    const stream = (response: ServerResponse) => {
      responses.push(response);
      response.writeHead(200);
      response.write('{"n":');
      begun();
      return undefined;
    };
    const { socket } = await serve({ endpoints: [goesOn(stream), large], limits: { concurrent: 1 } as never });
    const answers: Promise<Got>[] = [];
    for (let i = 0; i < 2; i++) {
      const next = new Promise<void>((resolve) => {
        begun = resolve;
      });
      answers.push(send(socket, 'GET', '/api/on'));
      await next;
    }
    expect((await send(socket, 'GET', '/api/large')).status).toBe(200);
    for (const [n, response] of responses.entries()) response.end(`${n}}`);
    const got = await Promise.all(answers);
    expect(got.map(({ body }) => body.n).sort()).toEqual([0, 1]);
    expect(got[0]!.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('that cannot begin is refused like any other', async () => {
    const { socket } = await serve({ endpoints: [goesOn(() => refuse('stream.limit', 'full').failure)] });
    const got = await send(socket, 'GET', '/api/on');
    expect([got.status, got.body.code]).toEqual([503, 'stream.limit']);
  });

  test('does not begin for a client that has gone meanwhile: nobody would tell that it is over', async () => {
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let begun = 0;
    const stream = () => {
      begun++;
      return undefined;
    };
    const { socket, server } = await serve({ endpoints: [goesOn(stream, held), large] });
    const gone = new Promise((resolve) => {
      server.http.once('connection', (connection) => connection.once('close', resolve));
    });
    const asked = new Promise((resolve) => {
      server.http.once('request', resolve);
    });
    const client = connect(socket, () => client.write('GET /api/on HTTP/1.1\r\nhost: x\r\n\r\n'));
    await asked;
    client.destroy();
    await gone;
    release();
    expect((await send(socket, 'GET', '/api/large')).status).toBe(200);
    expect(begun).toBe(0);
  });
});
