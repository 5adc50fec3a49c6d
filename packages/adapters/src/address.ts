/**
 * Which addresses of the network an adapter may reach (`host.md` §5.1).
 *
 * The table is closed the safe way round: an IPv4 address is denied when a denied range holds it, an IPv6 address is
 * allowed only inside 2000::/3 and outside the special ranges there. IPv6 forms that carry an IPv4 address (mapped,
 * compatible, 6to4, Teredo, NAT64) are judged by that address, so no spelling reaches what its IPv4 form may not.
 */

/** 4 bytes of an IPv4 address, or 16 of an IPv6 address. */
export type AddressBytes = Uint8Array;

export interface Cidr {
  readonly bytes: AddressBytes;
  readonly prefix: number;
}

/** Dotted decimal with four parts of 0–255 and no leading zeros; nothing else counts as IPv4. */
function parseV4(text: string): AddressBytes | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (const [i, part] of parts.entries()) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part)) return undefined;
    const value = Number(part);
    if (value > 255) return undefined;
    bytes[i] = value;
  }
  return bytes;
}

/** @param dotted - the last part may be an IPv4 address. */
function parseGroups(text: string, dotted: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    if (part.includes('.')) {
      const v4 = dotted && i === parts.length - 1 ? parseV4(part) : undefined;
      if (v4 === undefined) return undefined;
      groups.push((v4[0]! << 8) | v4[1]!, (v4[2]! << 8) | v4[3]!);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

function parseV6(text: string): AddressBytes | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  // Only the very end of an address can be dotted.
  const head = parseGroups(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1]!, true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const bytes = new Uint8Array(16);
  for (const [i, group] of [...head, ...new Array<number>(missing).fill(0), ...tail].entries()) {
    bytes[i * 2] = group >> 8;
    bytes[i * 2 + 1] = group & 0xff;
  }
  return bytes;
}

/**
 * Reads an address as resolvers and sockets print it: dotted IPv4, or IPv6 with or without `::`, a dotted tail or a
 * zone (`%eth0`, dropped: a zone only says by which interface, and zoned addresses are link-local).
 *
 * @returns undefined when the text is not an address.
 */
export function parseAddress(text: string): AddressBytes | undefined {
  if (!text.includes(':')) return parseV4(text);
  const zone = text.indexOf('%');
  return parseV6(zone < 0 ? text : text.slice(0, zone));
}

/** Reads `10.0.0.0/8`, `fd00::/8` or a single address. @returns undefined when it is neither. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/');
  const bytes = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (bytes === undefined) return undefined;
  if (slash < 0) return { bytes, prefix: bytes.length * 8 };
  const digits = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(digits) || Number(digits) > bytes.length * 8) return undefined;
  return { bytes, prefix: Number(digits) };
}

/** True when `cidr` holds `address`; an address of the other family never is. */
export function inCidr(address: AddressBytes, cidr: Cidr): boolean {
  if (address.length !== cidr.bytes.length) return false;
  const whole = cidr.prefix >> 3;
  for (let i = 0; i < whole; i++) if (address[i] !== cidr.bytes[i]) return false;
  const rest = cidr.prefix & 7;
  if (rest === 0) return true;
  const mask = (0xff << (8 - rest)) & 0xff;
  return ((address[whole]! ^ cidr.bytes[whole]!) & mask) === 0;
}

type Range = readonly [cidr: Cidr, reason: string];

function ranges(table: Readonly<Record<string, string>>): readonly Range[] {
  return Object.entries(table).map(([text, reason]) => {
    const cidr = parseCidr(text);
    if (cidr === undefined) throw new Error(`not an address range: ${text}`);
    return [cidr, reason];
  });
}

/** Sources: IANA IPv4 Special-Purpose Address Registry; RFC 5771 (multicast), RFC 1112 §4 (reserved), RFC 7526 (6to4 relays). */
const DENIED_V4 = ranges({
  '0.0.0.0/8': 'unspecified',
  '10.0.0.0/8': 'private',
  '100.64.0.0/10': 'carrier-grade NAT',
  '127.0.0.0/8': 'loopback',
  '169.254.0.0/16': 'link-local',
  '172.16.0.0/12': 'private',
  '192.0.0.0/24': 'reserved',
  '192.0.2.0/24': 'documentation',
  '192.88.99.0/24': 'reserved',
  '192.168.0.0/16': 'private',
  '198.18.0.0/15': 'reserved',
  '198.51.100.0/24': 'documentation',
  '203.0.113.0/24': 'documentation',
  '224.0.0.0/4': 'multicast',
  '255.255.255.255/32': 'broadcast',
  '240.0.0.0/4': 'reserved',
});

/** Source: IANA IPv6 Special-Purpose Address Registry. What is outside 2000::/3 and not named here is reserved. */
const DENIED_V6 = ranges({
  '::/128': 'unspecified',
  '::1/128': 'loopback',
  '64:ff9b:1::/48': 'private',
  '100::/64': 'reserved',
  '2001:2::/48': 'reserved',
  '2001:10::/28': 'reserved',
  '2001:20::/28': 'reserved',
  '2001:db8::/32': 'documentation',
  '3fff::/20': 'documentation',
  'fc00::/7': 'private',
  'fe80::/10': 'link-local',
  'fec0::/10': 'site-local',
  'ff00::/8': 'multicast',
});

/** IPv6 forms with an IPv4 address inside, and where it stands. */
const CARRIERS: readonly { readonly cidr: Cidr; readonly form: string; v4(bytes: AddressBytes): AddressBytes[] }[] = [
  { cidr: cidrOf('::ffff:0:0/96'), form: 'IPv4-mapped', v4: (b) => [b.slice(12)] },
  { cidr: cidrOf('::ffff:0:0:0/96'), form: 'IPv4-translated', v4: (b) => [b.slice(12)] },
  { cidr: cidrOf('64:ff9b::/96'), form: 'NAT64', v4: (b) => [b.slice(12)] },
  { cidr: cidrOf('2002::/16'), form: '6to4', v4: (b) => [b.slice(2, 6)] },
  // Teredo: the server's address in clear, the client's inverted (RFC 4380 §4).
  { cidr: cidrOf('2001::/32'), form: 'Teredo', v4: (b) => [b.slice(4, 8), b.slice(12).map((byte) => byte ^ 0xff)] },
  { cidr: cidrOf('::/96'), form: 'IPv4-compatible', v4: (b) => [b.slice(12)] },
];

const GLOBAL_UNICAST_V6 = cidrOf('2000::/3');

function cidrOf(text: string): Cidr {
  return ranges({ [text]: '' })[0]![0];
}

/** The IPv4 addresses that an IPv6 address stands for; empty for every other address. */
export function embeddedV4(address: AddressBytes): readonly AddressBytes[] {
  if (address.length !== 16) return [];
  return CARRIERS.find((carrier) => inCidr(address, carrier.cidr))?.v4(address) ?? [];
}

/**
 * Why an address may not be reached.
 *
 * @returns a word for messages (`loopback`, `6to4 of private`), or undefined when it is an ordinary public address.
 */
export function deniedRange(address: AddressBytes): string | undefined {
  if (address.length === 4) return DENIED_V4.find(([cidr]) => inCidr(address, cidr))?.[1];
  const direct = DENIED_V6.find(([cidr]) => inCidr(address, cidr))?.[1];
  if (direct !== undefined) return direct;
  const carrier = CARRIERS.find((candidate) => inCidr(address, candidate.cidr));
  if (carrier !== undefined) {
    for (const v4 of carrier.v4(address)) {
      const reason = deniedRange(v4);
      if (reason !== undefined) return `${carrier.form} of ${reason}`;
    }
    return undefined;
  }
  return inCidr(address, GLOBAL_UNICAST_V6) ? undefined : 'reserved';
}
