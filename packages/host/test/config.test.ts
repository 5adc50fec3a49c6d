import { unwrap } from '@worldline/canon';
import { decodeConfig, encodeConfig } from '@worldline/kernel';
import { describe, expect, test } from 'vitest';
import { defaultHostConfig, readHostConfig } from '../src/config.ts';

const problems = (json: unknown, env = {}) => {
  const read = readHostConfig(json, env);
  if (read.ok) throw new Error('it was accepted');
  return read.failure.map(({ code, path }) => [code, path.join('.')]);
};

describe('worldline.host.json (`host.md` §13)', () => {
  test('without a file every default holds', () => {
    const config = unwrap(readHostConfig(undefined, {}) as never) as ReturnType<typeof defaultHostConfig>;
    expect(config).toEqual(defaultHostConfig());
    expect(config.effects).toMatchObject({
      timeoutMs: 30_000,
      maxInFlight: 64,
      claimsMax: 5,
      retry: { max: 2, baseMs: 250, factor: 2, capMs: 5_000 },
    });
    expect(config.http).toMatchObject({
      timeoutMs: 30_000,
      maxBodyBytes: 10_485_760,
      redirects: 'manual',
      envProxy: false,
    });
    expect(config.snapshot).toEqual({ everyEntries: 1_000, everyMs: 300_000, keep: 3, verify: false });
    expect(config.journal).toEqual({ fsync: 'group', maxGroup: 256 });
    expect(config.shutdown.graceMs).toBe(10_000);
  });

  test('every key is read', () => {
    const key = 'ab'.repeat(32);
    const read = readHostConfig(
      {
        effects: { timeout_ms: 1, max_in_flight: 2, retry: { 'host.http': { max: 0, cap_ms: 9 } } },
        http: {
          timeout_ms: 3,
          max_body_bytes: 4,
          redirects: 'recheck',
          allow_private: ['127.0.0.1'],
          credentials: [
            { grant: 'g', origin: 'https://a', header: 'authorization', prefix: 'Bearer ', binding: 'env:X' },
          ],
          proxy: 'http://p',
          env_proxy: true,
          retry_statuses: [503],
        },
        approvals: {
          max_pending: 5,
          rules: [{ subject_prefix: 'x', roles: ['r'] }],
          webhook: { url: 'https://desk.test/in?team=a', secret: 'b' },
        },
        secrets: { bindings: { b: 'env:B' }, allow_placeholders: true, allow_echo: ['k'] },
        receipts: {
          trusted_keys: [
            { adapter_id: 'a', key_id: 'k', alg: 'ed25519', key, kinds: ['x.*'], from_ns: '1', until_ns: '2000' },
          ],
        },
        store: { engine: 'sqlite', dir: 'elsewhere' },
        journal: { fsync: 'always', max_group: 6 },
        snapshot: { every_entries: 7, every_ms: 8, keep: 9, verify: true },
        shutdown: { grace_ms: 9 },
        world: {
          clock: 'virtual',
          logical_origin: '18446744073709551615',
          limits: { max_event_bytes: 10 },
          require_policy: true,
        },
        adapters: [{ module: './mine.mjs', options: { a: 1 } }],
        log: { level: 'debug', json: true },
      },
      {},
    );
    if (!read.ok) throw new Error(JSON.stringify(read.failure));
    expect(read.value).toMatchObject({
      effects: { timeoutMs: 1, maxInFlight: 2, retryOf: { 'host.http': { max: 0, baseMs: 250, factor: 2, capMs: 9 } } },
      http: {
        timeoutMs: 3,
        maxBodyBytes: 4,
        redirects: 'recheck',
        allowPrivate: ['127.0.0.1'],
        proxy: 'http://p',
        envProxy: true,
        retryStatuses: [503],
      },
      approvals: {
        maxPending: 5,
        rules: [{ subjectPrefix: 'x', roles: ['r'] }],
        webhook: { url: 'https://desk.test/in?team=a', secret: 'b' },
      },
      secrets: { bindings: { b: 'env:B' }, allowPlaceholders: true, allowEcho: ['k'] },
      receipts: {
        trustedKeys: [{ adapterId: 'a', keyId: 'k', alg: 'ed25519', kinds: ['x.*'], fromNs: 1n, untilNs: 2000n }],
      },
      store: { engine: 'sqlite', dir: 'elsewhere' },
      journal: { fsync: 'always', maxGroup: 6 },
      snapshot: { everyEntries: 7, everyMs: 8, keep: 9, verify: true },
      shutdown: { graceMs: 9 },
      world: {
        clock: 'virtual',
        logical_origin: 2n ** 64n - 1n,
        require_policy: true,
        limits: { max_event_bytes: 10, max_tasks_per_ingress: 100_000 },
      },
      adapters: [{ module: './mine.mjs', export: 'default', options: { a: 1 } }],
      log: { level: 'debug', json: true },
    });
    expect(read.value.receipts.trustedKeys[0]!.key.length).toBe(32);
    expect(() => encodeConfig(read.value.world)).not.toThrow();
  });

  test('an unknown key is refused where it stands, with the key that was meant', () => {
    const read = readHostConfig({ effects: { timeout: 1, limit: 2 }, htpp: {}, journal: { fsnc: 'group' } }, {});
    expect(read.ok).toBe(false);
    if (read.ok) return;
    expect(read.failure.map((f) => [f.code, f.path.join('.'), f.hint])).toEqual([
      ['config.unknown_key', 'htpp', 'Did you mean "http"?'],
      ['config.unknown_key', 'effects.timeout', 'Did you mean "timeout_ms"?'],
      ['config.unknown_key', 'effects.limit', 'Known keys: timeout_ms, max_in_flight, retry.'],
      ['config.unknown_key', 'journal.fsnc', 'Did you mean "fsync"?'],
    ]);
  });

  test('a section that a later release brings is "not supported yet"', () => {
    expect(problems({ publish: {}, llm: {} })).toEqual([
      ['unsupported', 'publish'],
      ['unsupported', 'llm'],
    ]);
    expect(problems({ store: { engine: 'postgres' } })).toEqual([['config.invalid', 'store.engine']]);
  });

  test.each([
    [[], ''],
    ['text', ''],
    [{ effects: 7 }, 'effects'],
    [{ effects: { timeout_ms: 'x' } }, 'effects.timeout_ms'],
    [{ effects: { timeout_ms: -1 } }, 'effects.timeout_ms'],
    [{ effects: { retry: 5 } }, 'effects.retry'],
    [{ effects: { retry: [{ max: 1 }] } }, 'effects.retry'],
    [{ effects: { retry: { 'host.http': null } } }, 'effects.retry.host.http'],
    [{ http: { allow_private: [7] } }, 'http.allow_private'],
    [{ http: { redirects: 'follow' } }, 'http.redirects'],
    [{ http: { credentials: [{}] } }, 'http.credentials.0.grant'],
    [{ receipts: { trusted_keys: [{ alg: 'hmac-sha256' }] } }, 'receipts.trusted_keys.0.key'],
    [{ receipts: { trusted_keys: [{ key: 'zz' }] } }, 'receipts.trusted_keys.0.key'],
    [{ receipts: { trusted_keys: [{ key: 'abcd' }] } }, 'receipts.trusted_keys.0.key'],
    [{ receipts: { trusted_keys: [{ key: 'ab'.repeat(32), from_ns: 7 }] } }, 'receipts.trusted_keys.0.from_ns'],
    [{ world: { logical_origin: 1.5 } }, 'world.logical_origin'],
    [{ world: { logical_origin: '-1' } }, 'world.logical_origin'],
    [{ world: { limits: { max_event_bytes: 'x' } } }, 'world.limits.max_event_bytes'],
    [{ adapters: [{}] }, 'adapters.0.module'],
    [{ governance: { direct_apply: 'no' } }, 'governance.direct_apply'],
    [{ secrets: { bindings: ['env:B'] } }, 'secrets.bindings'],
    [{ secrets: { bindings: { a: 'env:A', b: 7 } } }, 'secrets.bindings.b'],
    [{ log: { level: 'loud' } }, 'log.level'],
    [{ server: { bind: '127.0.0.1:0', insecure_bind: null } }, 'server.insecure_bind'],
  ])('%j: config.invalid at %s', (json, path) => {
    expect(problems(json)[0]).toEqual(['config.invalid', path]);
  });

  test('objects that are null are empty, at every depth', () => {
    const nothing = {
      approvals: { webhook: null },
      effects: null,
      fabric: { peers: null },
      secrets: { bindings: null },
      server: { tls: null },
    };
    expect(readHostConfig(nothing, {})).toEqual(readHostConfig({}, {}));
  });

  test('the environment wins over the file, and is checked too', () => {
    const env = {
      WORLDLINE_EFFECT_TIMEOUT_MS: '11',
      WORLDLINE_HTTP_TIMEOUT_MS: '12',
      WORLDLINE_HTTP_MAX_BODY_BYTES: '13',
      WORLDLINE_STORE: 'there',
      WORLDLINE_LOG: 'warn',
      WORLDLINE_LOG_JSON: 'true',
    };
    const read = readHostConfig({ effects: { timeout_ms: 1 } }, env);
    if (!read.ok) throw new Error(JSON.stringify(read.failure));
    expect(read.value.effects.timeoutMs).toBe(11);
    expect(read.value.http).toMatchObject({ timeoutMs: 12, maxBodyBytes: 13 });
    expect(read.value.store.dir).toBe('there');
    expect(read.value.log).toEqual({ level: 'warn', json: true });
    expect(problems({}, { WORLDLINE_EFFECT_TIMEOUT_MS: 'soon', WORLDLINE_LOG: 'loud' })).toEqual([
      ['config.invalid', 'env.WORLDLINE_EFFECT_TIMEOUT_MS'],
      ['config.invalid', 'env.WORLDLINE_LOG'],
    ]);
  });
});

describe('messages between worlds: fabric.* and world.fabric_accept', () => {
  test('peers by path or by address and token, and who is heard', () => {
    const read = readHostConfig(
      {
        fabric: {
          peers: {
            lab: { path: '../lab' },
            far: { url: 'https://far.test/w', token: 'env:FAR' },
            via: { url: 'http://[::1]:7', token: 'far-token' },
          },
          max_bytes: 99,
        },
        secrets: { bindings: { 'far-token': 'file:far' } },
        world: {
          fabric_accept: [{ from: 'lab' }, { from: 'air://u/*', schemas: ['a/B@1'], modes: ['inbox', 'event'] }],
        },
      },
      {},
    );
    if (!read.ok) throw new Error(JSON.stringify(read.failure));
    const { peers, maxBytes } = read.value.fabric;
    expect([...peers.keys()]).toEqual(['lab', 'far', 'via']);
    expect(peers.get('lab')).toEqual({ path: '../lab' });
    expect(peers.get('far')).toEqual({ url: new URL('https://far.test/w'), token: 'env:FAR' });
    expect(maxBytes).toBe(99);
    expect(read.value.world.fabric_accept).toEqual([
      { from: 'lab' },
      { from: 'air://u/*', schemas: ['a/B@1'], modes: ['inbox', 'event'] },
    ]);
    expect(decodeConfig(encodeConfig(read.value.world)).ok).toBe(true);
  });

  const webhook = (given: unknown) => ({ approvals: { webhook: given } });
  const peers = (peer: unknown) => ({ fabric: { peers: { lab: peer } } });
  test.each([
    [webhook({ url: 'https://a' }), 'approvals.webhook.secret'],
    [webhook({ secret: 'env:A' }), 'approvals.webhook.url'],
    [webhook({ url: 'https://a', secret: 'abc' }), 'approvals.webhook.secret'],
    [webhook({ url: 'https://u:p@a', secret: 'env:A' }), 'approvals.webhook.url'],
    [webhook({ url: 'mailto:a', secret: 'env:A' }), 'approvals.webhook.url'],
    [peers({}), 'fabric.peers.lab.url'],
    [peers({ path: '' }), 'fabric.peers.lab.path'],
    [peers({ path: 'a', url: 'http://a' }), 'fabric.peers.lab.path'],
    [peers({ url: 'http://a' }), 'fabric.peers.lab.token'],
    [peers({ url: 'http://a', token: 'abc' }), 'fabric.peers.lab.token'],
    [peers({ url: 'ftp://a', token: 'env:A' }), 'fabric.peers.lab.url'],
    [peers({ url: 'http://u:p@a', token: 'env:A' }), 'fabric.peers.lab.url'],
    [peers({ url: 'http://a?b', token: 'env:A' }), 'fabric.peers.lab.url'],
    [peers({ url: 'no address', token: 'env:A' }), 'fabric.peers.lab.url'],
    [{ fabric: { peers: { 'a/b': { path: 'x' } } } }, 'fabric.peers'],
    [{ fabric: { max_bytes: 0 } }, 'fabric.max_bytes'],
    [{ world: { fabric_accept: 'lab' } }, 'world.fabric_accept'],
    [{ world: { fabric_accept: [{}] } }, 'world.fabric_accept.0.from'],
    [{ world: { fabric_accept: [{ from: 'a', modes: ['shout'] }] } }, 'world.fabric_accept.0.modes'],
    [{ world: { fabric_accept: [{ from: 'a', schemas: [7] }] } }, 'world.fabric_accept.0.schemas'],
  ])('%j is refused at %s', (file, path) => {
    expect(problems(file)).toEqual([['config.invalid', path]]);
  });

  test('messages are tried for as long as there is time, unless the file says otherwise', () => {
    const retry = (file: unknown) => {
      const read = readHostConfig(file, {});
      return read.ok && read.value.effects.retryOf['host.fabric']?.max;
    };
    expect(retry({})).toBeGreaterThan(2);
    expect(retry({ effects: { retry: { 'host.http': { max: 1 } } } })).toBeGreaterThan(2);
    expect(retry({ effects: { retry: { 'host.fabric': { max: 1 } } } })).toBe(1);
  });
});

describe('the API on the network: server.*', () => {
  const server = (file: unknown, env: Record<string, string> = {}) => {
    const read = readHostConfig({ server: file }, env);
    if (!read.ok) throw new Error(JSON.stringify(read.failure));
    const { enabled, host, port } = read.value.server;
    return [enabled, host, port];
  };

  test('it is off until an address is given or it is switched on', () => {
    expect(server({})).toEqual([false, '127.0.0.1', 7777]);
    expect(server({ enabled: true })).toEqual([true, '127.0.0.1', 7777]);
    expect(server({ bind: 'localhost:0' })).toEqual([true, 'localhost', 0]);
    expect(server({ bind: '[::1]:80' })).toEqual([true, '::1', 80]);
    expect(server({ bind: '127.0.0.1:1', enabled: false })).toEqual([false, '127.0.0.1', 1]);
    expect(server({}, { WORLDLINE_HTTP_BIND: '127.0.0.1:5' })).toEqual([true, '127.0.0.1', 5]);
    expect(server({ bind: '127.0.0.1:1' }, { WORLDLINE_HTTP_DISABLE: 'true' })[0]).toBe(false);
  });

  test('an address that other machines reach needs TLS, or a word', () => {
    expect(problems({ server: { bind: '0.0.0.0:1' } })).toEqual([['config.invalid', 'server.bind']]);
    expect(server({ bind: '0.0.0.0:1', insecure_bind: true })).toEqual([true, '0.0.0.0', 1]);
    expect(server({ bind: '0.0.0.0:1', tls: { cert: 'c.pem', key: 'k.pem' } })).toEqual([true, '0.0.0.0', 1]);
  });

  test.each([
    [{ bind: '127.0.0.1' }, 'server.bind'],
    [{ bind: '127.0.0.1:99999' }, 'server.bind'],
    [{ bind: 7 }, 'server.bind'],
    [{ tls: { cert: 'c' } }, 'server.tls.key'],
    [{ allowed_hosts: 'x' }, 'server.allowed_hosts'],
  ])('%j is refused at %s', (file, path) => {
    expect(problems({ server: file })).toEqual([['config.invalid', path]]);
  });
});
