import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unwrap } from '@worldline/canon';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createToken, holderOf, type NewToken, ownerToken, readTokens, revokeToken } from '../src/tokens.ts';

/** Tokens of a world (`host.md` §8.1). */

const NOW = new Date('2026-01-01T00:00:00Z');
const WORLD = '01a22443-6a8e-7f49-ac50-5ce56d30e47a';
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'wl-tokens-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const create = (more: Partial<NewToken> = {}, now = NOW) =>
  createToken(dir, { name: 'reader', scopes: ['read'], ...more }, now);
const holder = (text: string, now = NOW) => unwrap(holderOf(dir, text, now));

test('the text of a token is shown once, and its hash is kept in a file of the owner', () => {
  const text = unwrap(create());
  expect(text).toMatch(/^[\w-]{43}$/);
  const file = join(dir, 'tokens.json');
  expect(readFileSync(file, 'utf8')).not.toContain(text);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(holder(text)).toMatchObject({ name: 'reader', scopes: ['read'], created_at: NOW.toISOString() });
});

test('the owner’s token is made once', () => {
  const text = ownerToken(dir);
  expect(ownerToken(dir)).toBe(text);
  expect(statSync(join(dir, 'token')).mode & 0o777).toBe(0o600);
  expect(holder(text)).toBe('owner');
});

test('an unknown, a revoked and an expired token are nobody’s', () => {
  const text = unwrap(create({ expiresAt: new Date(NOW.getTime() + 1000) }));
  expect(holder('x')).toBeUndefined();
  expect(holder(text, new Date(NOW.getTime() + 999))).toBeDefined();
  expect(holder(text, new Date(NOW.getTime() + 1000))).toBeUndefined();
  unwrap(revokeToken(dir, 'reader'));
  expect(holder(text)).toBeUndefined();
  expect(unwrap(readTokens(dir))).toEqual([]);
});

describe('refusals', () => {
  test.each<[string, Partial<NewToken>]>([
    ['no name', { name: '' }],
    ['a name with a slash, which would end an ingress id', { name: 'a/b' }],
    ['no scope', { scopes: [] }],
    ['an unknown scope', { scopes: ['everything'] }],
    ['a role without a name', { scopes: ['approval'], roles: ['lead', ''] }],
    ['fabric without a peer', { scopes: ['fabric'] }],
    ['a peer that is no world id', { scopes: ['fabric'], peer: 'lab' }],
  ])('%s', (_, more) => {
    expect(create(more)).toMatchObject({ ok: false, failure: { code: 'invalid_request' } });
    expect(unwrap(readTokens(dir))).toEqual([]);
  });

  test('a second token of one name, and the end of one that is not there', () => {
    unwrap(create({ scopes: ['fabric'], peer: WORLD }));
    expect(create()).toMatchObject({ failure: { code: 'token.exists' } });
    expect(revokeToken(dir, 'other')).toMatchObject({ failure: { code: 'not_found' } });
    expect(unwrap(readTokens(dir))).toMatchObject([{ name: 'reader', peer: WORLD }]);
  });

  test('two changes at once, and a damaged file', () => {
    writeFileSync(join(dir, 'tokens.json.new'), '');
    expect(create()).toMatchObject({ failure: { code: 'busy' } });
    rmSync(join(dir, 'tokens.json.new'));
    const oneWith = (more: object) =>
      JSON.stringify({ tokens: [{ name: 'a', sha256: 'a'.repeat(64), scopes: [], ...more }] });
    const damaged = [
      oneWith({ sha256: 'x' }),
      oneWith({ roles: 'lead' }),
      oneWith({ roles: [1] }),
      oneWith({ scopes: ['x'] }),
    ];
    for (const text of ['{', '{}', '{"tokens":[null]}', ...damaged]) {
      writeFileSync(join(dir, 'tokens.json'), text);
      expect(holderOf(dir, 'x', NOW)).toMatchObject({ failure: { code: 'host_error' } });
      expect(create()).toMatchObject({ failure: { code: 'host_error' } });
      expect(readFileSync(join(dir, 'tokens.json'), 'utf8')).toBe(text);
    }
  });
});
