import { type Failure, fail, ok, type Result } from '@worldline/canon';
import { type GuardedUrl, guardUrl } from './url-guard.ts';

/** Following redirects under `http.redirects: "recheck"` (`host.md` §5.1). */

export const MAX_REDIRECTS = 5;

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export interface Hop {
  readonly url: GuardedUrl;
  readonly method: string;
  /** The method changed to GET, so body and content headers stay behind. */
  readonly dropBody: boolean;
  /** Another scheme, host or port: credentials stay behind. */
  readonly crossOrigin: boolean;
}

/**
 * Where a response sends the client next.
 *
 * @param location - the response's `location` header.
 * @returns undefined when the response is to be returned as it is; `http.redirect_denied` for a target that the URL
 *   guard refuses.
 */
export function nextHop(
  status: number,
  location: string | undefined,
  from: GuardedUrl,
  method: string,
): Result<Hop | undefined, Failure> {
  if (!REDIRECTS.has(status) || location === undefined) return ok(undefined);
  let absolute: string;
  try {
    const target = new URL(location, from.href);
    // A fragment is never sent and would only make two equal requests look different.
    target.hash = '';
    absolute = target.href;
  } catch {
    return denied('the redirect names no readable URL');
  }
  const url = guardUrl(absolute);
  if (!url.ok) return denied(`the redirect's target is refused: ${url.failure.message}`);
  // RFC 9110 §15.4: 303 turns everything but HEAD into GET; 301 and 302 do so for POST, as every client does.
  const toGet =
    (status === 303 && method !== 'GET' && method !== 'HEAD') ||
    ((status === 301 || status === 302) && method === 'POST');
  return ok({
    url: url.value,
    method: toGet ? 'GET' : method,
    dropBody: toGet,
    crossOrigin: url.value.origin !== from.origin,
  });
}

/** Headers for the next hop: credentials stay at their origin, and content headers go with the body. */
export function hopHeaders(headers: Readonly<Record<string, string>>, hop: Hop): Record<string, string> {
  const next: Record<string, string> = { ...headers };
  if (hop.crossOrigin) for (const name of ['authorization', 'cookie', 'proxy-authorization']) delete next[name];
  if (hop.dropBody) for (const name of Object.keys(next)) if (name.startsWith('content-')) delete next[name];
  return next;
}

/** The refusal of a hop. */
export function denied(message: string): Result<never, Failure> {
  return fail({ code: 'http.redirect_denied', path: ['url'], message });
}
