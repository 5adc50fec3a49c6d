import { guardedHttp, guardUrl, readExceptions, vetAddresses } from '@worldline/adapters';
import { unwrap } from '@worldline/canon';
import { describe, expect, test } from 'vitest';

const NONE = unwrap(readExceptions([]));

describe('the fixed parser and the platform must agree (host.md §5.1, kernel.md §9.6.1)', () => {
  test.each([
    ['https://example.com', 'https', 'example.com', 443, '/'],
    ['HTTP://Example.COM:8080/A?q#f', 'http', 'example.com', 8080, '/A?q'],
    ['https://example.com:443/', 'https', 'example.com', 443, '/'],
    ['http://h.example?x', 'http', 'h.example', 80, '/?x'],
    ['http://xn--d1acufc.example/', 'http', 'xn--d1acufc.example', 80, '/'],
    ['http://127.0.0.1/', 'http', '127.0.0.1', 80, '/'],
    ['http://[2001:DB8::1]:8080/x', 'http', '[2001:db8::1]', 8080, '/x'],
    ['https://h.example/ok/../secret', 'https', 'h.example', 443, '/secret'],
    ['https://h.example/ok/./a//b/..', 'https', 'h.example', 443, '/ok/a//'],
    ['https://h.example/a%c3%a9/b', 'https', 'h.example', 443, '/a%c3%a9/b'],
  ])('%s is read', (text, scheme, host, port, target) => {
    expect(guardUrl(text)).toMatchObject({
      ok: true,
      value: { scheme, host, port, target, origin: `${scheme}://${host}:${port}` },
    });
  });

  test.each([
    'http://faß.de/',
    'http://example.com./',
    'http://a_b.example/',
    'http://user@example.com/',
    'http://user:pw@example.com/',
    'http://127.1/',
    'http://0x7f.0.0.1/',
    'http://0177.0.0.1/',
    'http://2130706433/',
    'http://017700000001/',
    'http://127.0.0.1./',
    'http://[2001:db8:0:0:0:0:0:1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[fe80::1%25eth0]/',
    'http://example.com:0080/',
    'http://example.com:65536/',
    'http://example.com:/',
    'https://h.example/a/%2e%2e/b',
    'http://h.example/a\\b',
    'http://h.example/a b',
    'http://h.example/a\tb',
    'http://h.example/a\r\nhost: evil',
    'ftp://h.example/',
    'http:/h.example/',
    'http://',
    '//h.example/',
    'http://①②⑦.0.0.1/',
    'http://h.example\\@evil.example/',
    'file:///etc/passwd',
  ])('%j is refused', (text) => {
    expect(guardUrl(text)).toMatchObject({ ok: false, failure: { code: 'http.url_invalid', path: ['url'] } });
  });
});

describe('every address of a name must be allowed (host.md §5.1)', () => {
  test('public answers pass', () => {
    expect(vetAddresses('a.example', ['1.1.1.1', '2606:4700::1111'], NONE, [])).toMatchObject({ ok: true });
  });

  test.each([
    [['1.1.1.1', '10.0.0.1']],
    [['2606:4700::1111', '::ffff:169.254.169.254']],
    [['127.0.0.1']],
    [['not-an-address']],
  ])('one bad address among %j denies the name', (addresses) => {
    expect(vetAddresses('a.example', addresses, NONE, ['a.example'])).toMatchObject({
      ok: false,
      failure: { code: 'http.address_denied' },
    });
  });

  test.each([
    ['host', ['svc.internal'], ['svc.internal'], true],
    ['host, other case in both', ['SVC.internal'], ['Svc.Internal'], true],
    ['range', ['10.0.0.0/8'], ['svc.internal'], true],
    ['single address', ['10.1.2.3'], ['svc.internal'], true],
    ['listed, but the grant does not name it', ['svc.internal'], [], false],
    ['listed, but the grant names another host', ['svc.internal'], ['internal'], false],
    ['granted, but not listed', [], ['svc.internal'], false],
    ['another range', ['10.2.0.0/16'], ['svc.internal'], false],
    ['a parent domain is not the host', ['internal'], ['svc.internal'], false],
  ])('exception by %s', (_what, allowPrivate, granted, allowed) => {
    const exceptions = unwrap(readExceptions(allowPrivate));
    expect(vetAddresses('svc.internal', ['10.1.2.3'], exceptions, granted).ok).toBe(allowed);
  });

  test('a range covers the IPv4-mapped spelling too', () => {
    const exceptions = unwrap(readExceptions(['10.0.0.0/8']));
    expect(vetAddresses('svc.internal', ['::ffff:10.1.2.3'], exceptions, ['svc.internal']).ok).toBe(true);
    expect(vetAddresses('svc.internal', ['::ffff:127.0.0.1'], exceptions, ['svc.internal']).ok).toBe(false);
  });

  test.each(['10.0.0.0/40', 'a b', 'http://x', '', 'a/b'])('%j in http.allow_private stops the start', (entry) => {
    expect(readExceptions([entry])).toMatchObject({
      ok: false,
      failure: { code: 'config.invalid', path: ['http', 'allow_private', 0] },
    });
  });
});

describe('the guard in front of the network', () => {
  const send = (
    url: string,
    resolve: (host: string) => Promise<readonly string[]>,
    allowPrivate: readonly string[] = [],
  ) =>
    guardedHttp({ resolve, allowPrivate }).request({
      method: 'GET',
      url,
      headers: {},
      signal: new AbortController().signal as never,
      maxBodyBytes: 1024,
      grantedHosts: ['a.example'],
    });

  test.each([
    ['http://127.0.0.1/'],
    ['http://[::1]/'],
    ['http://169.254.169.254/latest/meta-data'],
    ['http://10.0.0.1/'],
    ['http://[::ffff:7f00:1]/'],
    ['http://[64:ff9b::a00:1]/'],
  ])('%s is denied without a look-up and without sending', async (url) => {
    const resolve = () => Promise.reject(new Error('must not be asked'));
    expect(await send(url, resolve)).toMatchObject({
      ok: false,
      failure: { code: 'http.address_denied', notSent: true, retryable: false },
    });
  });

  test('a name is resolved exactly once, and a later answer cannot change where the request goes', async () => {
    let asked = 0;
    const resolve = async () => [['10.0.0.1'], ['1.1.1.1']][asked++] ?? [];
    expect(await send('http://a.example/', resolve)).toMatchObject({
      ok: false,
      failure: { code: 'http.address_denied' },
    });
    expect(asked).toBe(1);
  });

  test('a name without addresses, and a resolver that fails, are http.dns and may be retried', async () => {
    const missing = await send('http://a.example/', async () => []);
    const failing = await send('http://a.example/', () => Promise.reject(new Error('SERVFAIL')));
    for (const result of [missing, failing])
      expect(result).toMatchObject({ ok: false, failure: { code: 'http.dns', retryable: true, notSent: true } });
  });
});
