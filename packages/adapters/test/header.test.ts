import { requestHeaders, responseHeaders } from '@worldline/adapters';
import { describe, expect, test } from 'vitest';

describe('request headers (host.md §5.1)', () => {
  test.each([
    'host',
    'Host',
    'content-length',
    'Transfer-Encoding',
    'connection',
    'upgrade',
    'TE',
    'trailer',
    'keep-alive',
    'proxy-authorization',
    'Proxy-Connection',
    'expect',
  ])('%s frames the message or the connection and is refused', (name) => {
    const result = requestHeaders([[name, 'x']]);
    expect(result).toMatchObject({ ok: false, failure: { code: 'http.header_invalid', path: ['headers', name] } });
  });

  test.each(['', 'a b', 'a:b', 'naïve', 'a\r\nb', 'a\0', '(x)'])('%j is not a header name', (name) => {
    expect(requestHeaders([[name, 'x']])).toMatchObject({ ok: false, failure: { code: 'http.header_invalid' } });
  });

  test.each(['a\r\nx: y', 'a\nb', 'a\rb', 'a\0b', 'snow ☃', '\u0007'])('%j is not a header value', (value) => {
    expect(requestHeaders([['x-a', value]])).toMatchObject({ ok: false, failure: { code: 'http.header_invalid' } });
  });

  test('one name in two spellings is refused, because nobody could say which one is meant', () => {
    expect(
      requestHeaders([
        ['X-A', '1'],
        ['x-a', '2'],
      ]),
    ).toMatchObject({ ok: false, failure: { path: ['headers', 'x-a'] } });
  });

  test('names become lower case and values stay as they are', () => {
    expect(requestHeaders([['X-A', ' caf\u00e9\t']])).toEqual({ ok: true, value: new Map([['x-a', ' caf\u00e9\t']]) });
  });
});

describe('response headers (host.md §5.1)', () => {
  test('repeated values are joined by comma, set-cookie by a line feed', () => {
    expect(responseHeaders(['Via', 'a', 'VIA', 'b', 'Set-Cookie', 'a=1, b', 'set-cookie', 'c=2'])).toEqual(
      new Map([
        ['via', 'a, b'],
        ['set-cookie', 'a=1, b\nc=2'],
      ]),
    );
  });

  test('the 101st name is dropped and the cut is marked; a repeat of a kept name is not a new name', () => {
    const raw = Array.from({ length: 101 }, (_, i) => [`h${i}`, 'v']).flat();
    const headers = responseHeaders([...raw, 'h0', 'again']);
    expect(headers.size).toBe(101);
    expect(headers.get('h100')).toBeUndefined();
    expect(headers.get('h0')).toBe('v, again');
    expect(headers.get('x-worldline-truncated')).toBe('1');
  });

  test('a header that exceeds 32 KiB in all is dropped whole, later small ones still fit', () => {
    const headers = responseHeaders(['a', 'x'.repeat(20_000), 'b', 'y'.repeat(20_000), 'c', 'z']);
    expect([...headers.keys()]).toEqual(['a', 'c', 'x-worldline-truncated']);
  });

  test('a server cannot set the mark itself', () => {
    expect(responseHeaders(['X-Worldline-Truncated', '1', 'a', 'b'])).toEqual(new Map([['a', 'b']]));
  });
});
