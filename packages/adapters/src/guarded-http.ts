import { lookup } from 'node:dns/promises';
import type { Failure, Result } from '@worldline/canon';
import { fail, ok, unwrap } from '@worldline/canon';
import type { GuardedFailure, GuardedHttp, GuardedRequest, GuardedResponse } from '@worldline/ports';
import { Client } from 'undici';
import { ConnectError, describe, openConnection } from './connection.ts';
import { headerAllowed } from './header.ts';
import { denied, hopHeaders, MAX_REDIRECTS, nextHop } from './redirect.ts';
import {
  type GuardedUrl,
  guardUrl,
  literalAddress,
  type PrivateExceptions,
  type Resolver,
  readExceptions,
  vetAddresses,
} from './url-guard.ts';

/**
 * Outbound HTTP/1.1 behind the guard (`host.md` §5.1).
 *
 * G1  Every request has a connection of its own. No request can be answered with the rest of another's response, and
 *     none fails because a kept connection had just been closed, which for `at_most_once` would be an unknown outcome.
 * G2  Nothing is decompressed and nothing is cached; the body is the bytes of the wire.
 * G3  A refusal before the first byte says so (`notSent`), so that the dispatcher knows when a retry is safe.
 */
export interface GuardedHttpOptions {
  /** `http.allow_private`: hosts, addresses, ranges. */
  readonly allowPrivate?: readonly string[] | undefined;
  /** `http.proxy`. */
  readonly proxy?: string | undefined;
  /** `http.env_proxy`: the environment to take `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` from. */
  readonly envProxy?: Readonly<Record<string, string | undefined>> | undefined;
  /** Default 10 000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Default: the platform's resolver, all families. */
  readonly resolve?: Resolver | undefined;
  /** PEM certificates to trust beside the platform's. */
  readonly ca?: string | undefined;
}

/** Wide enough to read what a receipt then cuts to 32 KiB; past this an answer is broken. */
const MAX_WIRE_HEADER_BYTES = 256 * 1024;

/** @returns `config.invalid` for an entry of `allow_private` or a proxy that cannot be read. */
export function createGuardedHttp(options: GuardedHttpOptions = {}): Result<GuardedHttp, Failure> {
  const exceptions = readExceptions(options.allowPrivate ?? []);
  if (!exceptions.ok) return exceptions;
  if (options.proxy !== undefined) {
    const proxy = URL.canParse(options.proxy) ? new URL(options.proxy) : undefined;
    if (proxy === undefined || (proxy.protocol !== 'http:' && proxy.protocol !== 'https:')) {
      return fail({
        code: 'config.invalid',
        path: ['http', 'proxy'],
        message: 'the proxy is not an http or https URL',
      });
    }
  }
  return ok(new UndiciGuardedHttp(options, exceptions.value));
}

interface Exchange {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}

class UndiciGuardedHttp implements GuardedHttp {
  readonly #options: GuardedHttpOptions;
  readonly #exceptions: PrivateExceptions;
  readonly #resolve: Resolver;

  constructor(options: GuardedHttpOptions, exceptions: PrivateExceptions) {
    this.#options = options;
    this.#exceptions = exceptions;
    this.#resolve = options.resolve ?? systemResolver;
  }

  async request(request: GuardedRequest): Promise<Result<GuardedResponse, GuardedFailure>> {
    const first = guardUrl(request.url);
    if (!first.ok) return refusal(first.failure);
    for (const [name, value] of Object.entries(request.headers)) {
      // Callers have checked already; this keeps the promise for those that forget.
      if (name !== name.toLowerCase() || !headerAllowed(name, value)) {
        return refusal({
          code: 'http.header_invalid',
          message: `header ${JSON.stringify(name.slice(0, 100))} cannot be sent`,
        });
      }
    }
    let url = first.value;
    let { method, body } = request;
    let headers: Readonly<Record<string, string>> = request.headers;
    for (let hops = 0; ; hops++) {
      const answer = await this.#exchange(request, url, method, headers, body);
      if (!answer.ok) return answer;
      const { status } = answer.value;
      const response = ok({ ...answer.value, url: url.href });
      if (request.recheck === undefined) return response;
      const hop = nextHop(status, answer.value.headers.find(([name]) => name === 'location')?.[1], url, method);
      if (!hop.ok) return sentFailure(hop.failure);
      if (hop.value === undefined) return response;
      if (hops === MAX_REDIRECTS)
        return sentFailure({ code: 'http.redirect_denied', message: `more than ${MAX_REDIRECTS} redirects` });
      const verdict = request.recheck({ url: hop.value.url.href, method: hop.value.method });
      if (!verdict.ok) {
        const refused = denied(`the grant does not allow the redirect: ${verdict.code}: ${verdict.message}`);
        return sentFailure((refused as { failure: Failure }).failure);
      }
      headers = hopHeaders(headers, hop.value);
      if (hop.value.dropBody) body = undefined;
      ({ url, method } = hop.value);
    }
  }

  async #exchange(
    request: GuardedRequest,
    url: GuardedUrl,
    method: string,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array | undefined,
  ): Promise<Result<Exchange, GuardedFailure>> {
    const signal = request.signal as AbortSignal;
    if (signal.aborted) return timedOut(true);
    const connectTimeout = AbortSignal.timeout(request.connectTimeoutMs ?? this.#options.connectTimeoutMs ?? 10_000);
    const connecting = AbortSignal.any([signal, connectTimeout]);

    let addresses: readonly string[];
    const literal = literalAddress(url.host);
    if (literal !== undefined) {
      addresses = [literal];
    } else {
      try {
        addresses = await abortable(this.#resolve(url.host), connecting);
      } catch (error) {
        if (signal.aborted) return timedOut(true);
        return fail({ code: 'http.dns', message: `${url.host}: ${describe(error)}`, retryable: true, notSent: true });
      }
      if (addresses.length === 0) {
        return fail({ code: 'http.dns', message: `${url.host} has no address`, retryable: true, notSent: true });
      }
    }
    const vetted = vetAddresses(url.host, addresses, this.#exceptions, request.grantedHosts);
    if (!vetted.ok) return refusal(vetted.failure);

    let socket: Awaited<ReturnType<typeof openConnection>>;
    try {
      socket = await openConnection({
        url,
        addresses: vetted.value,
        proxy: this.#proxyFor(url),
        signal: connecting,
        ca: this.#options.ca,
      });
    } catch (error) {
      if (signal.aborted) return timedOut(true);
      const stage = error instanceof ConnectError ? error.stage : 'http.connect';
      const message = connectTimeout.aborted ? 'no connection within the time limit' : describe(error);
      return fail({ code: stage, message: `${url.host}: ${message}`, retryable: true, notSent: true });
    }
    return await exchangeOn(socket, url, method, headers, body, signal, request.maxBodyBytes);
  }

  #proxyFor(url: GuardedUrl): URL | undefined {
    if (this.#options.proxy !== undefined) return new URL(this.#options.proxy);
    const env = this.#options.envProxy;
    if (env === undefined || bypassed(url, env['no_proxy'] ?? env['NO_PROXY'] ?? '')) return undefined;
    const text =
      (url.scheme === 'https'
        ? (env['https_proxy'] ?? env['HTTPS_PROXY'])
        : (env['http_proxy'] ?? env['HTTP_PROXY'])) ??
      env['all_proxy'] ??
      env['ALL_PROXY'];
    return text !== undefined && URL.canParse(text) ? new URL(text) : undefined;
  }
}

/** `NO_PROXY`: host names and suffixes, separated by commas; `*` for all. */
function bypassed(url: GuardedUrl, list: string): boolean {
  return list
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      const bare = entry.toLowerCase().replace(/^\*?\./, '');
      return entry === '*' || url.host === bare || `${url.host}:${url.port}` === bare || url.host.endsWith(`.${bare}`);
    });
}

/** One request and its response on a connection of its own (G1). */
function exchangeOn(
  socket: Awaited<ReturnType<typeof openConnection>>,
  url: GuardedUrl,
  method: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array | undefined,
  signal: AbortSignal,
  maxBodyBytes: number,
): Promise<Result<Exchange, GuardedFailure>> {
  const client = new Client(`${url.scheme}://${url.host}:${url.port}`, {
    // Not in the same turn: the client starts writing only after its connector has returned.
    connect: (_options, callback) => queueMicrotask(() => callback(null, socket)),
    allowH2: false,
    // The caller's signal is the only clock; the parser's own timers would answer with other codes.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: MAX_WIRE_HEADER_BYTES,
  });
  return new Promise((resolve) => {
    let status: number | undefined;
    let received: readonly (readonly [string, string])[] = [];
    const chunks: Uint8Array[] = [];
    let size = 0;
    let done = false;
    const finish = (result: Result<Exchange, GuardedFailure>) => {
      if (done) return;
      done = true;
      signal.removeEventListener('abort', aborted);
      resolve(result);
      client.destroy().catch(() => {});
      socket.destroy();
    };
    const aborted = () => finish(timedOut(false));
    signal.addEventListener('abort', aborted, { once: true });
    const tooLarge = () =>
      finish(
        fail({
          code: 'http.response_too_large',
          message: `the response body is longer than ${maxBodyBytes} bytes`,
          retryable: false,
          notSent: false,
        }),
      );
    client.dispatch(
      {
        path: url.target,
        method: method as 'GET',
        headers,
        body: body ?? null,
        reset: true,
      },
      {
        onRequestStart() {},
        onResponseStart(controller, statusCode) {
          // Interim answers (1xx) are passed over; the final one follows.
          if (statusCode < 200) return;
          status = statusCode;
          received = headerPairs(controller.rawHeaders as readonly (Uint8Array | string)[]);
          const announced = received.find(([name]) => name === 'content-length')?.[1];
          if (method !== 'HEAD' && announced !== undefined && Number(announced) > maxBodyBytes) tooLarge();
        },
        onResponseData(_controller, chunk) {
          size += chunk.length;
          if (size > maxBodyBytes) tooLarge();
          else if (!done) chunks.push(chunk);
        },
        onResponseEnd() {
          if (status === undefined) return;
          finish(ok({ status, headers: received, body: Buffer.concat(chunks) }));
        },
        onResponseError(_controller, error) {
          const code = status !== undefined || brokenAnswer(error) ? 'http.read' : 'http.reset';
          finish(
            fail({
              code,
              message: `${url.host}: ${describe(error)}`,
              retryable: code === 'http.reset',
              notSent: false,
            }),
          );
        },
      },
    );
    if (signal.aborted) aborted();
  });
}

/** True when the peer answered, but not in HTTP; a closed or reset connection is not that. */
function brokenAnswer(error: Error): boolean {
  const code = (error as { readonly code?: unknown }).code;
  return (
    error.name === 'HTTPParserError' ||
    code === 'UND_ERR_HEADERS_OVERFLOW' ||
    code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'
  );
}

function headerPairs(raw: readonly (Uint8Array | string)[]): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) pairs.push([latin1(raw[i]!).toLowerCase(), latin1(raw[i + 1]!)]);
  return pairs;
}

function latin1(part: Uint8Array | string): string {
  return typeof part === 'string' ? part : Buffer.from(part).toString('latin1');
}

async function systemResolver(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true, order: 'verbatim' })).map((entry) => entry.address);
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = () => reject(new Error('no answer within the time limit'));
    signal.addEventListener('abort', aborted, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted));
    if (signal.aborted) aborted();
  });
}

function refusal(failure: { readonly code: string; readonly message: string }): Result<never, GuardedFailure> {
  return fail({ code: failure.code, message: failure.message, retryable: false, notSent: true });
}

function sentFailure(failure: { readonly code: string; readonly message: string }): Result<never, GuardedFailure> {
  return fail({ code: failure.code, message: failure.message, retryable: false, notSent: false });
}

function timedOut(notSent: boolean): Result<never, GuardedFailure> {
  return fail({ code: 'adapter.timeout', message: 'the time limit was reached', retryable: false, notSent });
}

/** For callers that were given their options by code, not by a file. */
export function guardedHttp(options: GuardedHttpOptions = {}): GuardedHttp {
  return unwrap(createGuardedHttp(options));
}
