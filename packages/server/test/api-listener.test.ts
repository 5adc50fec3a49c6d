import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ok, unwrap } from '@worldline/canon';
import { silentLogger } from '@worldline/host';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ApiListener, startApiListener, tokenSender } from '../src/api-listener.ts';
import type { Endpoint } from '../src/router.ts';
import { createToken, ownerToken, revokeToken } from '../src/tokens.ts';
import { CERT, KEY } from './tls.ts';

/** The API on a network address (`host.md` §8.1): tokens, scopes, names and origins. */

const WORLD = '01a22443-6a8e-7f49-ac50-5ce56d30e47a';
const endpoint = (path: string, scope?: Endpoint['scope']): Endpoint => ({
  method: 'GET',
  path,
  ...(scope === undefined ? {} : { scope }),
  run: async ({ identity }) =>
    ok({ body: { name: identity.name, sender: tokenSender(identity, WORLD)?.name ?? null } }),
});

let dir: string;
let listener: ApiListener;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'wl-listen-'));
  listener = unwrap(
    await startApiListener({
      dir,
      bind: { host: '127.0.0.1', port: 0 },
      allowedHosts: ['Worlds.test'],
      allowedOrigins: ['https://ok.test'],
      endpoints: [
        endpoint('/read', 'read'),
        endpoint('/fabric', 'fabric'),
        endpoint('/none', 'none'),
        endpoint('/bare'),
      ],
      refusal: () => undefined,
      log: silentLogger,
    }),
  );
});
afterEach(async () => {
  await listener.close();
  rmSync(dir, { recursive: true, force: true });
});

async function ask(path: string, headers: Record<string, string> = {}) {
  const { request } = await import('node:http');
  return new Promise<{ status: number; body: { code?: string; name?: string; sender?: string } }>((resolve, reject) => {
    const sent = request(new URL(path, listener.url), { headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
    });
    sent.on('error', reject);
    sent.end();
  });
}
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const token = (name: string, scopes: string[], peer?: string) =>
  unwrap(createToken(dir, { name, scopes, peer }, new Date()));
const outcome = async (path: string, headers: Record<string, string> = {}) => {
  const { status, body } = await ask(path, headers);
  return [status, body.code ?? body.name];
};

describe('who may ask', () => {
  test('without a token nothing but what is for everybody', async () => {
    expect(await outcome('/read')).toEqual([401, 'auth.required']);
    expect(await outcome('/none')).toEqual([200, 'nobody']);
  });

  test('a token has its scopes and no others; an endpoint that names none is for admin', async () => {
    const reader = bearer(token('reader', ['read']));
    expect(await outcome('/read', reader)).toEqual([200, 'token:reader']);
    expect(await outcome('/fabric', reader)).toEqual([403, 'auth.scope']);
    expect(await outcome('/bare', reader)).toEqual([403, 'auth.scope']);
    const owner = bearer(ownerToken(dir));
    for (const path of ['/read', '/fabric', '/bare']) expect(await outcome(path, owner)).toEqual([200, 'owner']);
  });

  test('a revoked token, a wrong one, and another scheme are invalid at once', async () => {
    const reader = token('reader', ['read']);
    unwrap(revokeToken(dir, 'reader'));
    for (const authorization of [`Bearer ${reader}`, 'Bearer x', 'Basic eDp5', 'Bearer '])
      expect(await outcome('/read', { authorization })).toEqual([401, 'auth.invalid']);
  });

  test('a token that has expired is invalid from that moment on', async () => {
    const until = (ms: number) =>
      unwrap(createToken(dir, { name: `t${ms}`, scopes: ['read'], expiresAt: new Date(Date.now() + ms) }, new Date()));
    expect(await outcome('/read', bearer(until(3_600_000)))).toEqual([200, 'token:t3600000']);
    expect(await outcome('/read', bearer(until(0)))).toEqual([401, 'auth.invalid']);
    const short = bearer(until(200));
    // It may be over before it was ever asked about; it never comes back.
    while ((await outcome('/read', short))[0] === 200);
    expect(await outcome('/read', short)).toEqual([401, 'auth.invalid']);
  });

  test('the peer is that of the token: the owner is none, and another world’s token is another sender', async () => {
    const peer = token('desk', ['fabric'], WORLD);
    const other = token('lab', ['fabric'], WORLD.replace('01', '02'));
    expect((await ask('/fabric', bearer(peer))).body.sender).toBe('desk');
    expect((await ask('/fabric', bearer(other))).body.sender).toBeNull();
    expect((await ask('/fabric', bearer(ownerToken(dir)))).body.sender).toBeNull();
  });

  test('after twenty failures an address has to wait', async () => {
    for (let i = 0; i < 20; i++) expect((await outcome('/read', bearer('x')))[0]).toBe(401);
    expect(await outcome('/read', bearer(ownerToken(dir)))).toEqual([429, 'busy']);
  });
});

describe('names and origins', () => {
  test('another Host is refused, whoever asks', async () => {
    const owner = bearer(ownerToken(dir));
    expect(await outcome('/read', { ...owner, host: 'evil.test' })).toEqual([403, 'auth.host']);
    for (const host of ['localhost', '127.0.0.1:1', 'worlds.test:80', 'WORLDS.TEST'])
      expect(await outcome('/read', { ...owner, host })).toEqual([200, 'owner']);
  });

  test('a page of another origin is refused, also with a token', async () => {
    const owner = bearer(ownerToken(dir));
    expect(await outcome('/read', { ...owner, origin: 'https://evil.test' })).toEqual([403, 'auth.origin']);
    expect(await outcome('/read', { ...owner, origin: 'https://ok.test' })).toEqual([200, 'owner']);
  });
});

test('with certificate and key it is HTTPS and nothing else', async () => {
  const secure = unwrap(
    await startApiListener({
      dir,
      bind: { host: '127.0.0.1', port: 0 },
      allowedHosts: [],
      allowedOrigins: [],
      tls: { cert: CERT, key: KEY },
      endpoints: [endpoint('/read', 'read')],
      refusal: () => undefined,
      log: silentLogger,
    }),
  );
  expect(secure.url).toMatch(/^https:/);
  const { request } = await import('node:https');
  const status = await new Promise((resolve, reject) => {
    const headers = bearer(ownerToken(dir));
    const sent = request(new URL('/read', secure.url), { headers, ca: CERT, agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    });
    sent.on('error', reject);
    sent.end();
  });
  expect(status).toBe(200);
  await expect(fetch(secure.url.replace('https:', 'http:'))).rejects.toThrow();
  await secure.close();
});

test('a certificate that is none is told, and nothing listens', async () => {
  const started = await startApiListener({
    dir,
    bind: { host: '127.0.0.1', port: 0 },
    allowedHosts: [],
    allowedOrigins: [],
    tls: { cert: 'none', key: 'none' },
    endpoints: [],
    refusal: () => undefined,
    log: silentLogger,
  });
  expect(started).toMatchObject({ ok: false, failure: { code: 'control.unavailable' } });
});

test('an address that is taken is control.unavailable', async () => {
  const port = Number(new URL(listener.url).port);
  const second = await startApiListener({
    dir,
    bind: { host: '127.0.0.1', port },
    allowedHosts: [],
    allowedOrigins: [],
    endpoints: [],
    refusal: () => undefined,
    log: silentLogger,
  });
  expect(second).toMatchObject({ ok: false, failure: { code: 'control.unavailable' } });
});
