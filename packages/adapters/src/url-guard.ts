import { parseUrl } from '@worldline/air';
import { type Failure, fail, ok, type Result } from '@worldline/canon';
import { type AddressBytes, type Cidr, deniedRange, embeddedV4, inCidr, parseAddress, parseCidr } from './address.ts';

/**
 * The URL and network guard of `host.md` §5.1.
 *
 * U1  A URL is read by the fixed parser (`kernel.md` §9.6.1), which the cap enforcer used too, and then by the
 *     platform's. Nothing is sent when the two see a different scheme, host, port or path.
 * U2  A name is resolved once. Every address it has must be allowed, and only those addresses are connected to.
 * U3  A denied address is reachable only when the operator listed the host or its range in `http.allow_private` and the
 *     grant names the host: neither the configuration nor the world's author can open the inner network alone.
 */

export interface GuardedUrl {
  /** `http` or `https`. */
  readonly scheme: string;
  /** Lower case; IPv6 in brackets. */
  readonly host: string;
  readonly port: number;
  /** `scheme://host:port`, always with the port: what "the same origin" means here. */
  readonly origin: string;
  /** What is sent in the request line: path and query as the platform's parser writes them. */
  readonly target: string;
  readonly href: string;
}

/** Reads a URL with both parsers (U1). @returns `http.url_invalid` at `['url']`. */
export function guardUrl(text: string): Result<GuardedUrl, Failure> {
  const parsed = parseUrl(text);
  if (!parsed.ok)
    return refuse(
      'the URL is not of the accepted form',
      'write http or https, a plain host name in its xn-- form, and no user information',
    );
  const { scheme, host, port, path } = parsed.value;
  let platform: URL;
  try {
    platform = new URL(text);
  } catch {
    return refuse('the platform cannot read the URL');
  }
  const platformPort = platform.port === '' ? (platform.protocol === 'https:' ? 443 : 80) : Number(platform.port);
  if (
    platform.protocol !== `${scheme}:` ||
    platform.hostname !== host ||
    platformPort !== port ||
    platform.pathname !== path ||
    platform.username !== '' ||
    platform.password !== ''
  ) {
    return refuse(
      'the URL reads differently to the gate and to the platform',
      'write it in its plain, normalised form',
    );
  }
  return ok({
    scheme,
    host,
    port,
    origin: `${scheme}://${host}:${port}`,
    target: platform.pathname + platform.search,
    href: platform.href,
  });
}

function refuse(message: string, hint?: string): Result<never, Failure> {
  return fail({ code: 'http.url_invalid', path: ['url'], message, hint });
}

/** Host names, addresses and ranges of `http.allow_private`, read once. */
export interface PrivateExceptions {
  readonly hosts: ReadonlySet<string>;
  readonly cidrs: readonly Cidr[];
}

/** Reads `http.allow_private`. @returns the entries that are neither a host nor a range, as failures. */
export function readExceptions(entries: readonly string[]): Result<PrivateExceptions, Failure> {
  const hosts = new Set<string>();
  const cidrs: Cidr[] = [];
  for (const [i, entry] of entries.entries()) {
    const lower = entry.toLowerCase();
    const cidr = parseCidr(lower.startsWith('[') && lower.endsWith(']') ? lower.slice(1, -1) : lower);
    if (cidr !== undefined) cidrs.push(cidr);
    else if (!lower.includes('/') && parseUrl(`http://${lower}/`).ok) hosts.add(lower);
    else {
      return fail({
        code: 'config.invalid',
        path: ['http', 'allow_private', i],
        message: `${JSON.stringify(entry.slice(0, 100))} is neither a host name nor an address range`,
        hint: 'write a host like "build.internal", an address like "127.0.0.1" or a range like "10.0.0.0/8"',
      });
    }
  }
  return ok({ hosts, cidrs });
}

/** All addresses of a name, in the resolver's order of preference. Rejects when there are none. */
export type Resolver = (host: string) => Promise<readonly string[]>;

/**
 * Judges the addresses of a host (U2, U3).
 *
 * @param host - as in `GuardedUrl.host`.
 * @param grantedHosts - hosts the grant names, any case.
 * @returns `http.address_denied` when one address may not be reached, however many others may.
 */
export function vetAddresses(
  host: string,
  addresses: readonly string[],
  exceptions: PrivateExceptions,
  grantedHosts: readonly string[],
): Result<readonly string[], Failure> {
  const named = grantedHosts.some((granted) => granted.toLowerCase() === host);
  for (const text of addresses) {
    const address = parseAddress(text);
    const reason = address === undefined ? 'not an address' : deniedRange(address);
    if (reason === undefined) continue;
    if (named && address !== undefined && (exceptions.hosts.has(host) || excepted(address, exceptions.cidrs))) continue;
    return fail({
      code: 'http.address_denied',
      path: ['url'],
      message: `${host} leads to ${text}, which is ${reason}`,
      hint: 'to allow it, list the host or its range in http.allow_private and name the host in the grant',
    });
  }
  return ok(addresses);
}

/** A mapped address counts as the IPv4 address in it, so one range covers both spellings. */
function excepted(address: AddressBytes, cidrs: readonly Cidr[]): boolean {
  if (cidrs.some((cidr) => inCidr(address, cidr))) return true;
  const inner = embeddedV4(address);
  return inner.length > 0 && inner.every((v4) => cidrs.some((cidr) => inCidr(v4, cidr)));
}

/** The address that a URL's host is, without brackets; undefined for a name. */
export function literalAddress(host: string): string | undefined {
  const bare = host.startsWith('[') ? host.slice(1, -1) : host;
  return parseAddress(bare) === undefined ? undefined : bare;
}
