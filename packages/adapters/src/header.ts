import { type Failure, fail, ok, type Result } from '@worldline/canon';

/** Headers of requests and responses (`host.md` §5.1). */

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Field content of RFC 9110 §5.5 in one-byte characters; CR, LF and NUL would end the header or the request. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Headers that frame the message or belong to the connection. Setting them would let params disagree with what is
 * really sent (request smuggling) or speak for the proxy. `expect` would make the exchange wait for an interim answer.
 */
const REFUSED = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'upgrade',
  'te',
  'trailer',
  'keep-alive',
  'expect',
  'http2-settings',
]);

/** True for a header that params and credentials may not set. @param name - lower case. */
function refused(name: string): boolean {
  return REFUSED.has(name) || name.startsWith('proxy-');
}

/** True when `name` and `value` may be sent. */
export function headerAllowed(name: string, value: string): boolean {
  return TOKEN.test(name) && !refused(name.toLowerCase()) && VALUE.test(value);
}

/**
 * Checks the headers of a request and gives them lower-case names.
 *
 * @returns `http.header_invalid` with the name in the path for a name that is no token or is refused, a value with
 *   characters a header cannot carry, or one name in two spellings.
 */
export function requestHeaders(given: Iterable<readonly [string, string]>): Result<Map<string, string>, Failure> {
  const headers = new Map<string, string>();
  for (const [name, value] of given) {
    const lower = name.toLowerCase();
    const problem = !TOKEN.test(name)
      ? 'is not a header name'
      : refused(lower)
        ? 'is set by the transport and cannot be given'
        : !VALUE.test(value)
          ? 'has a value with characters that a header cannot carry'
          : headers.has(lower)
            ? 'is given twice, in different spellings'
            : undefined;
    if (problem !== undefined) {
      return fail({
        code: 'http.header_invalid',
        path: ['headers', name],
        message: `header ${JSON.stringify(name.slice(0, 100))} ${problem}`,
        hint: 'remove it from the params, or change its name or value',
      });
    }
    headers.set(lower, value);
  }
  return ok(headers);
}

export const MAX_RESPONSE_HEADERS = 100;
export const MAX_RESPONSE_HEADER_BYTES = 32 * 1024;
/** Marks a response whose headers did not all fit. */
export const TRUNCATED_HEADER = 'x-worldline-truncated';

/**
 * Response headers as a receipt keeps them: lower-case names, repeated values joined (`set-cookie` by a line feed,
 * because a cookie may contain a comma), at most 100 names and 32 KiB. What does not fit is dropped whole, in the order
 * received, and `x-worldline-truncated: 1` says so. The mark itself is not counted.
 *
 * @param raw - name and value by turns, one character per byte.
 */
export function responseHeaders(raw: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>();
  let size = 0;
  let truncated = false;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase();
    const value = raw[i + 1]!;
    // The mark is ours alone: a server cannot claim that its answer was cut.
    if (name === TRUNCATED_HEADER) continue;
    const before = headers.get(name);
    const separator = name === 'set-cookie' ? '\n' : ', ';
    const growth = before === undefined ? name.length + value.length : separator.length + value.length;
    if ((before === undefined && headers.size >= MAX_RESPONSE_HEADERS) || size + growth > MAX_RESPONSE_HEADER_BYTES) {
      truncated = true;
      continue;
    }
    size += growth;
    headers.set(name, before === undefined ? value : before + separator + value);
  }
  if (truncated) headers.set(TRUNCATED_HEADER, '1');
  return headers;
}
