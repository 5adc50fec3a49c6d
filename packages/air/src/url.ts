import { fail, ok, type Result } from '@worldline/canon';

/**
 * The one URL form of `kernel.md` §9.6.1. Decisions of the gate are recomputed on replay, perhaps years later, so they
 * never rest on a platform's parser. What is not accepted here is refused, even where browsers would guess a meaning.
 */
export interface UrlParts {
  /** Lower case. */
  readonly scheme: 'http' | 'https';
  /** Lower case; IPv6 in brackets. */
  readonly host: string;
  readonly port: number;
  /** From `/`, dot segments removed, escapes as written. */
  readonly path: string;
}

const URL_BYTES_MAX = 8192;
const HOST_BYTES_MAX = 253;

const VISIBLE_ASCII = /^[\x21-\x7e]*$/;
/** Scheme, authority, path, query, fragment. The authority ends at the first `/`, `?` or `#`. */
const PARTS = /^(https?):\/\/([^/?#]*)([^?#]*)(?:\?[^#]*)?(?:#.*)?$/i;
const AUTHORITY = /^(\[[^\]]*\]|[^:]*)(?::([0-9]+))?$/;
const PORT = /^[1-9][0-9]{0,4}$/;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** A last label that some parser would take for a number: decimal, octal or hexadecimal IPv4. */
const NUMBER_LIKE = /^(?:[0-9]+|0x[0-9a-f]*)$/;
const IPV4_PART = /^(?:0|[1-9][0-9]{0,2})$/;
const IPV6_GROUP = /^[0-9a-f]{1,4}$/;
const PATH = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*$/;
/** Escapes of `.`, `/` and `\`: a server may decode them after the prefix was judged. */
const HIDDEN_SEPARATOR = /%(?:2e|2f|5c)/i;

export function parseUrl(text: string): Result<UrlParts, 'invalid_url'> {
  if (text.length > URL_BYTES_MAX || !VISIBLE_ASCII.test(text)) return fail('invalid_url');
  const parts = PARTS.exec(text);
  const authority = AUTHORITY.exec(parts?.[2] ?? '');
  if (parts === null || authority === null) return fail('invalid_url');
  const scheme = (parts[1] as string).toLowerCase() as UrlParts['scheme'];
  const host = parseHost((authority[1] as string).toLowerCase());
  const port = parsePort(authority[2], scheme);
  const path = parts[3] as string;
  if (host === undefined || port === undefined || !PATH.test(path) || HIDDEN_SEPARATOR.test(path)) {
    return fail('invalid_url');
  }
  return ok({ scheme, host, port, path: withoutDotSegments(path) });
}

function parsePort(text: string | undefined, scheme: UrlParts['scheme']): number | undefined {
  if (text === undefined) return scheme === 'http' ? 80 : 443;
  const port = PORT.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

/** @param host - Lower case. */
function parseHost(host: string): string | undefined {
  if (host.startsWith('[')) return isCanonicalIpv6(host.slice(1, -1)) ? host : undefined;
  return isIpv4(host) || isName(host) ? host : undefined;
}

function isName(host: string): boolean {
  if (host.length > HOST_BYTES_MAX) return false;
  const labels = host.split('.');
  return labels.every((label) => LABEL.test(label)) && !NUMBER_LIKE.test(labels.at(-1) as string);
}

function isIpv4(host: string): boolean {
  const parts = host.split('.');
  return parts.length === 4 && parts.every((part) => IPV4_PART.test(part) && Number(part) <= 255);
}

/** Canonical is what writing the address again gives. */
function isCanonicalIpv6(text: string): boolean {
  const groups = parseIpv6(text);
  return groups !== undefined && formatIpv6(groups) === text;
}

function parseIpv6(text: string): readonly number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  if (!groups.flat().every((group) => IPV6_GROUP.test(group))) return undefined;
  const [head = [], tail] = groups.map((half) => half.map((group) => Number.parseInt(group, 16)));
  if (tail === undefined) return head.length === 8 ? head : undefined;
  const missing = 8 - head.length - tail.length;
  return missing >= 1 ? [...head, ...Array<number>(missing).fill(0), ...tail] : undefined;
}

/** No leading zeros; the first longest run of two or more zero groups as `::`. */
function formatIpv6(groups: readonly number[]): string {
  let longest = { start: 0, length: 1 };
  for (let start = 0; start < groups.length; start += 1) {
    let end = start;
    while (end < groups.length && groups[end] === 0) end += 1;
    if (end - start > longest.length) longest = { start, length: end - start };
  }
  const hex = groups.map((group) => group.toString(16));
  if (longest.length < 2) return hex.join(':');
  return `${hex.slice(0, longest.start).join(':')}::${hex.slice(longest.start + longest.length).join(':')}`;
}

/** RFC 3986 §5.2.4 on an absolute path; empty segments are segments like any other. */
function withoutDotSegments(path: string): string {
  if (path === '') return '/';
  const kept: string[] = [];
  const segments = path.slice(1).split('/');
  segments.forEach((segment, index) => {
    if (segment !== '.' && segment !== '..') {
      kept.push(segment);
      return;
    }
    if (segment === '..') kept.pop();
    // A path that ends in a dot segment names a folder.
    if (index === segments.length - 1) kept.push('');
  });
  return `/${kept.join('/')}`;
}
