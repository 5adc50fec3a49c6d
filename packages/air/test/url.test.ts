import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseUrl } from '../src/url.ts';

describe('the URL form of kernel.md §9.6.1, its table row by row', () => {
  it.each([
    ['https://example.com', 'https', 'example.com', 443, '/'],
    ['HTTP://Example.COM:8080/A?q#f', 'http', 'example.com', 8080, '/A'],
    ['https://example.com:443/', 'https', 'example.com', 443, '/'],
    ['http://h.example?x', 'http', 'h.example', 80, '/'],
    ['http://xn--d4f.example/', 'http', 'xn--d4f.example', 80, '/'],
    ['http://127.0.0.1/', 'http', '127.0.0.1', 80, '/'],
    ['http://[2001:DB8::1]:8080/x', 'http', '[2001:db8::1]', 8080, '/x'],
    ['https://h.example/ok/../secret', 'https', 'h.example', 443, '/secret'],
    ['https://h.example/ok/./a//b/..', 'https', 'h.example', 443, '/ok/a//'],
    ['https://h.example/a%c3%a9/b', 'https', 'h.example', 443, '/a%c3%a9/b'],
  ])('%s is accepted', (text, scheme, host, port, path) => {
    expect(parseUrl(text)).toEqual({ ok: true, value: { scheme, host, port, path } });
  });

  it.each([
    'http://faß.de/',
    'http://example.com./',
    'http://a_b.example/',
    'http://user@example.com/',
    'http://127.1/',
    'http://0x7f.0.0.1/',
    'http://[2001:db8:0:0:0:0:0:1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://example.com:0080/',
    'http://example.com:65536/',
    'https://h.example/a/%2e%2e/b',
    'http://h.example/a\\b',
    'http://h.example/a b',
    'ftp://h.example/',
    'http:/h.example/',
  ])('%s is invalid_url', (text) => {
    expect(parseUrl(text)).toEqual({ ok: false, failure: 'invalid_url' });
  });
});

describe('what the rules of the table say beyond its rows', () => {
  it.each([
    ['http://localhost', 'localhost', '/'],
    ['http://1a.b2/', '1a.b2', '/'],
    ['http://0x.example/', '0x.example', '/'],
    ['http://0.0.0.0/', '0.0.0.0', '/'],
    ['http://[::]/', '[::]', '/'],
    ['http://[::1]/', '[::1]', '/'],
    ['http://[1::]/', '[1::]', '/'],
    ['http://[1:0:0:2::3]/', '[1:0:0:2::3]', '/'],
    ['http://[1::2:0:0:3:4]/', '[1::2:0:0:3:4]', '/'],
    ['http://[1:2:3:4:5:6:7:0]/', '[1:2:3:4:5:6:7:0]', '/'],
    ['http://h/..', 'h', '/'],
    ['http://h/.', 'h', '/'],
    ['http://h/../../a/..', 'h', '/'],
    ['http://h//..//x', 'h', '//x'],
    ['http://h/...', 'h', '/...'],
    ['http://h/a?/../b', 'h', '/a'],
    ['http://h/a#/../b?c#d', 'h', '/a'],
    ["http://h/-._~!$&'()*+,;=:@", 'h', "/-._~!$&'()*+,;=:@"],
  ])('%s has host %s and path %s', (text, host, path) => {
    expect(parseUrl(text)).toMatchObject({ ok: true, value: { host, path } });
  });

  it.each([
    '',
    'http://',
    'http:///x',
    'http://:80/',
    'http://h:/',
    'http://h:0/',
    'http://h:99999/',
    'http://h:8o/',
    'http://h:80:80/',
    'http://-a.example/',
    'http://a-.example/',
    'http://a..b/',
    'http://.a/',
    `http://${'a'.repeat(64)}/`,
    `http://${Array(5).fill('a'.repeat(63)).join('.')}/`,
    'http://256.1.1.1/',
    'http://01.1.1.1/',
    'http://1.2.3/',
    'http://a.0x/',
    'http://a.0xff/',
    'http://a.12/',
    'http://[::1/',
    'http://::1/',
    'http://[]/',
    'http://[1:2:3:4:5:6:7]/',
    'http://[1:2:3:4:5:6:7:8:9]/',
    'http://[1:2:3:4:5:6:7::]/',
    'http://[1::2::3]/',
    'http://[0:0::1]/',
    'http://[01::1]/',
    'http://[::1%eth0]/',
    'http://[::1]x/',
    'http://h/%2',
    'http://h/%zz',
    'http://h/%2F',
    'http://h/%5C',
    'http://h/{x}',
    'http://h/\u007f',
    'http://h/é',
    'http://h\n/',
    'http://h/\n',
    ' http://h/',
    'https//h/',
    `http://h/${'a'.repeat(8184)}`,
  ])('%s is invalid_url', (text) => {
    expect(parseUrl(text)).toEqual({ ok: false, failure: 'invalid_url' });
  });

  it('takes exactly 8 192 bytes', () => {
    expect(parseUrl(`http://h/${'a'.repeat(8183)}`).ok).toBe(true);
  });
});

describe('arbitrary texts', () => {
  const piece = fc.constantFrom(
    ...[
      'http',
      'https',
      '://',
      '/',
      '//',
      '.',
      '..',
      ':',
      '80',
      '443',
      '[',
      ']',
      '::',
      '1',
      '0',
      'db8',
      'A',
      'h.example',
    ],
    ...['%41', '%2e', '%', '?', '#', '@', '\\', ' ', '127.0.0.1', '0x7f', 'xn--', '-', '_', 'é'],
  );
  const near = fc
    .tuple(fc.constantFrom('http://', 'https://', 'HTTP://h', 'https://[::1]'), fc.array(piece, { maxLength: 8 }))
    .map(([head, rest]) => head + rest.join(''));

  it('what is accepted, written out again, is accepted as itself', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          near,
          fc.array(piece).map((parts) => parts.join('')),
          fc.webUrl(),
          fc.string(),
        ),
        (text) => {
          const parsed = parseUrl(text);
          if (!parsed.ok) return;
          const { scheme, host, port, path } = parsed.value;
          expect(parseUrl(`${scheme}://${host}:${port}${path}`)).toEqual(parsed);
          expect(path).toMatch(/^\//);
          expect(path.split('/')).not.toContain('..');
          expect(path.split('/')).not.toContain('.');
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('IPv6 is accepted in exactly one spelling', () => {
    const group = fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const hex = groups.map((part) => part.toString(16));
        const spellings = new Set([hex.join(':')]);
        for (let from = 0; from < 8; from += 1) {
          for (let to = from; to < 8 && groups[to] === 0; to += 1) {
            spellings.add(`${hex.slice(0, from).join(':')}::${hex.slice(to + 1).join(':')}`);
          }
        }
        const accepted = [...spellings].filter((text) => parseUrl(`http://[${text}]/`).ok);
        expect(accepted).toHaveLength(1);
      }),
    );
  });
});
