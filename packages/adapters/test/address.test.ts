import { deniedRange, embeddedV4, inCidr, parseAddress, parseCidr } from '@worldline/adapters';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

function judge(text: string): string | undefined {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return deniedRange(address);
}

describe('denied addresses (host.md §5.1 "Denied addresses")', () => {
  test.each([
    ['0.0.0.0', 'unspecified'],
    ['0.255.1.2', 'unspecified'],
    ['10.0.0.1', 'private'],
    ['10.255.255.255', 'private'],
    ['100.64.0.1', 'carrier-grade NAT'],
    ['100.127.255.255', 'carrier-grade NAT'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['169.254.169.254', 'link-local'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['192.0.0.8', 'reserved'],
    ['192.0.2.1', 'documentation'],
    ['192.88.99.1', 'reserved'],
    ['192.168.1.1', 'private'],
    ['198.18.0.1', 'reserved'],
    ['198.19.255.255', 'reserved'],
    ['198.51.100.7', 'documentation'],
    ['203.0.113.7', 'documentation'],
    ['224.0.0.1', 'multicast'],
    ['239.255.255.255', 'multicast'],
    ['240.0.0.1', 'reserved'],
    ['255.255.255.255', 'broadcast'],
    ['::', 'unspecified'],
    ['::1', 'loopback'],
    ['fc00::1', 'private'],
    ['fd12:3456::1', 'private'],
    ['fe80::1', 'link-local'],
    ['fe80::1%eth0', 'link-local'],
    ['febf::1', 'link-local'],
    ['fec0::1', 'site-local'],
    ['ff02::1', 'multicast'],
    ['2001:db8::1', 'documentation'],
    ['3fff:fff::1', 'documentation'],
    ['2001:2::1', 'reserved'],
    ['2001:10::1', 'reserved'],
    ['2001:20::1', 'reserved'],
    ['100::1', 'reserved'],
    ['5f00::1', 'reserved'],
    ['4000::1', 'reserved'],
    ['64:ff9b:1::1', 'private'],
    ['::ffff:127.0.0.1', 'IPv4-mapped of loopback'],
    ['::ffff:7f00:1', 'IPv4-mapped of loopback'],
    ['0:0:0:0:0:ffff:0a00:0001', 'IPv4-mapped of private'],
    ['::ffff:0:10.0.0.1', 'IPv4-translated of private'],
    ['::10.0.0.1', 'IPv4-compatible of private'],
    ['64:ff9b::169.254.169.254', 'NAT64 of link-local'],
    ['64:ff9b::a9fe:a9fe', 'NAT64 of link-local'],
    ['2002:7f00:1::', '6to4 of loopback'],
    ['2002:c0a8:101::1', '6to4 of private'],
    ['2001:0:a00:1::f7f7:f7f7', 'Teredo of private'],
    // The client's address is stored inverted: f5ff:fffe is 10.0.0.1.
    ['2001:0:808:808::f5ff:fffe', 'Teredo of private'],
  ])('%s is %s', (text, reason) => {
    expect(judge(text)).toBe(reason);
  });

  test.each([
    '1.1.1.1',
    '8.8.8.8',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.1',
    '169.253.255.255',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.255.255',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2606:4700::1111',
    '2a00:1450:4001::200e',
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
    '2002:808:808::1',
    '2001:0:808:808::f7f7:f7f7',
  ])('%s may be reached: the ranges end where they should', (text) => {
    expect(judge(text)).toBeUndefined();
  });

  test('whatever IPv4 address is denied stays denied in every IPv6 form that carries it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (v4) => {
        const [a, b, c, d] = v4 as unknown as [number, number, number, number];
        const dotted = `${a}.${b}.${c}.${d}`;
        const high = ((a << 8) | b).toString(16);
        const low = ((c << 8) | d).toString(16);
        const denied = judge(dotted) !== undefined;
        for (const form of [`::ffff:${dotted}`, `64:ff9b::${dotted}`, `2002:${high}:${low}::1`]) {
          expect(judge(form) !== undefined).toBe(denied);
          expect(embeddedV4(parseAddress(form)!)[0]).toEqual(new Uint8Array(v4));
        }
      }),
    );
  });
});

describe('reading addresses and ranges', () => {
  test.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '256.1.1.1',
    '0x7f.0.0.1',
    '1.2.3.4 ',
    ':::',
    '1::2::3',
    'g::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8:9',
    '::1.2.3',
    '1.2.3.4::',
    '12345::',
  ])('%j is no address', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  test.each([
    ['10.0.0.0/8', '10.200.3.4', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['172.16.0.0/12', '172.31.0.1', true],
    ['172.16.0.0/12', '172.32.0.1', false],
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.1', '127.0.0.2', false],
    ['0.0.0.0/0', '255.1.2.3', true],
    ['fd00::/8', 'fd99::1', true],
    ['fd00::/8', 'fc00::1', false],
    ['0.0.0.0/0', '::1', false],
  ])('%s holds %s: %s', (cidr, address, holds) => {
    expect(inCidr(parseAddress(address)!, parseCidr(cidr)!)).toBe(holds);
  });

  test.each(['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/08', 'x/8', '::1/129'])('%j is no range', (text) => {
    expect(parseCidr(text)).toBeUndefined();
  });
});
