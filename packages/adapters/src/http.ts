import { type CborValue, utf8 } from '@worldline/canon';
import type {
  AdapterCtx,
  DeliveryClass,
  EffectAdapter,
  EffectOutcome,
  EffectRequest,
  GuardedFailure,
  GuardedResponse,
} from '@worldline/ports';
import { requestHeaders, responseHeaders } from './header.ts';
import { denied, hopHeaders, MAX_REDIRECTS, nextHop } from './redirect.ts';
import { type GuardedUrl, guardUrl } from './url-guard.ts';

/** Effect `http.request` (`host.md` §5.1). Any answer of the service is an ok receipt; only transport trouble is not. */

export interface HttpCredential {
  /** Grant under whose requests the header is set. */
  readonly grant: string;
  /** `https://api.example`, default port left out or not. */
  readonly origin: string;
  readonly header: string;
  /** Put before the secret, `Bearer `. */
  readonly prefix?: string | undefined;
  /** Secret binding, `env:API_KEY`. */
  readonly binding: string;
}

export interface HttpAdapterOptions {
  /** `http.timeout_ms`, default 30 000: all attempts and redirects of one dispatch. */
  readonly timeoutMs?: number | undefined;
  /** `http.max_body_bytes`, default 10 MiB, for requests and responses alike. */
  readonly maxBodyBytes?: number | undefined;
  /** `http.redirects`, default `manual`: a 3xx is returned. */
  readonly redirects?: 'manual' | 'recheck' | undefined;
  /** `http.credentials`. */
  readonly credentials?: readonly HttpCredential[] | undefined;
  /** Reads a secret binding for `credentials`; undefined when it is not available. */
  readonly secret?: ((binding: string) => Promise<string | undefined>) | undefined;
  /** `http.retry_statuses`: answers that are asked for again while time remains. */
  readonly retryStatuses?: readonly number[] | undefined;
}

export const HTTP_ADAPTER_ID = 'host.http';

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
const STATUS_RETRIES = { max: 2, baseMs: 250, factor: 2, capMs: 5_000 } as const;

/** Synthetic status of a failure payload: nothing was answered, but a receipt of this kind always has a status. */
const FAILURE_STATUS: Readonly<Record<string, number>> = {
  'http.url_invalid': 400,
  'http.header_invalid': 400,
  'http.method_unsupported': 405,
  'adapter.timeout': 598,
};

interface Problem {
  readonly code: string;
  readonly message: string;
  readonly retryable?: boolean | undefined;
  readonly notSent?: boolean | undefined;
}

interface Params {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly bodyRef: string | undefined;
}

/** `sys/HttpRequestParams@1` in the form of `EffectRequest.params`; the registry has checked it against its schema. */
function readParams(params: CborValue): Params {
  const { method, url, headers, body_ref } = params as { readonly [key: string]: CborValue };
  return {
    method: String(method).toUpperCase(),
    url: String(url),
    headers: Object.entries((headers ?? {}) as { readonly [key: string]: string }),
    bodyRef: typeof body_ref === 'string' ? body_ref : undefined,
  };
}

function hasKeyHeader(params: Params): boolean {
  return params.headers.some(([name]) => name.toLowerCase() === 'idempotency-key');
}

function hasKey(request: EffectRequest): boolean {
  return request.idempotencyKey.some((byte) => byte !== 0);
}

/**
 * The `http.request` adapter.
 *
 * @throws TypeError for a credential whose origin or header cannot be read: configuration is checked before a world runs.
 */
export function httpAdapter(options: HttpAdapterOptions = {}): EffectAdapter {
  const credentials = (options.credentials ?? []).map((credential) => {
    const origin = guardUrl(credential.origin);
    if (!origin.ok || origin.value.target !== '/')
      throw new TypeError(`http.credentials: not an origin: ${credential.origin}`);
    const header = requestHeaders([[credential.header, credential.prefix ?? '']]);
    if (!header.ok) throw new TypeError(`http.credentials: ${header.failure.message}`);
    return { ...credential, header: credential.header.toLowerCase(), origin: origin.value.origin };
  });
  return new HttpAdapter(options, credentials);
}

class HttpAdapter implements EffectAdapter {
  readonly id = HTTP_ADAPTER_ID;
  readonly kinds = ['http.request'] as const;
  readonly timeoutMs: number;
  readonly #options: HttpAdapterOptions;
  readonly #credentials: readonly HttpCredential[];
  readonly #maxBodyBytes: number;

  constructor(options: HttpAdapterOptions, credentials: readonly HttpCredential[]) {
    this.#options = options;
    this.#credentials = credentials;
    this.timeoutMs = options.timeoutMs ?? 30_000;
    this.#maxBodyBytes = options.maxBodyBytes ?? 10 * 1024 * 1024;
  }

  classify(request: EffectRequest): DeliveryClass {
    const params = readParams(request.params);
    switch (params.method) {
      case 'GET':
      case 'HEAD':
      case 'OPTIONS':
        return 'read';
      case 'PUT':
      case 'DELETE':
        return 'keyed';
      default:
        return hasKey(request) || hasKeyHeader(params) ? 'keyed' : 'at_most_once';
    }
  }

  async execute(request: EffectRequest, ctx: AdapterCtx): Promise<EffectOutcome> {
    const startNs = ctx.clock.wallNs();
    const monoNs = ctx.clock.monoNs();
    const timings = () => ({ start_ns: startNs, end_ns: startNs + (ctx.clock.monoNs() - monoNs) });
    const result = await this.#perform(request, ctx);
    if ('code' in result) return await failure(result, timings(), ctx);
    const { status, headers, body } = result;
    const bodyRef = body.length === 0 ? null : await ctx.blobs.put(body);
    return {
      status: 'ok',
      payload: {
        status,
        headers: textMap(responseHeaders(headers.flat())),
        body_ref: bodyRef,
        timings: timings(),
        adapter_id: this.id,
      },
    };
  }

  async #perform(request: EffectRequest, ctx: AdapterCtx): Promise<GuardedResponse | Problem> {
    const params = readParams(request.params);
    if (!METHODS.has(params.method)) {
      return {
        code: 'http.method_unsupported',
        message: `method ${JSON.stringify(params.method.slice(0, 50))} is not supported`,
        notSent: true,
      };
    }
    const url = guardUrl(params.url);
    if (!url.ok) return { ...url.failure, notSent: true };
    const checked = requestHeaders(params.headers);
    if (!checked.ok) return { ...checked.failure, notSent: true };
    const headers = checked.value;
    if (!headers.has('accept-encoding')) headers.set('accept-encoding', 'identity');
    if ((params.method === 'POST' || params.method === 'PATCH') && hasKey(request) && !headers.has('idempotency-key')) {
      headers.set('idempotency-key', request.externalKey);
    }
    let body: Uint8Array | undefined;
    if (params.bodyRef !== undefined) {
      const blob = await ctx.blobs.get(params.bodyRef, { maxBytes: this.#maxBodyBytes });
      if (!blob.ok) {
        if (blob.failure.code === 'blob.unavailable') return { ...blob.failure, retryable: true, notSent: true };
        const code = blob.failure.code === 'blob.too_large' ? 'http.body_too_large' : 'http.body_missing';
        return { code, message: `request body ${params.bodyRef}: ${blob.failure.message}`, notSent: true };
      }
      if (blob.value.length > this.#maxBodyBytes) {
        return {
          code: 'http.body_too_large',
          message: `request body ${params.bodyRef} is longer than ${this.#maxBodyBytes} bytes`,
          notSent: true,
        };
      }
      body = blob.value;
    }
    const repeatable = this.classify(request) !== 'at_most_once';
    for (let retry = 0; ; retry++) {
      const result = await this.#follow(request, ctx, url.value, params.method, Object.fromEntries(headers), body);
      const again =
        repeatable &&
        'status' in result &&
        retry < STATUS_RETRIES.max &&
        (this.#options.retryStatuses ?? []).includes(result.status);
      if (!again) return result;
      const pauseMs =
        retryAfterMs(result) ?? Math.min(STATUS_RETRIES.baseMs * STATUS_RETRIES.factor ** retry, STATUS_RETRIES.capMs);
      ctx.log.info('http.request is repeated', { status: result.status, pause_ms: pauseMs });
      // A pause that does not fit the remaining time ends with the answer that is there.
      if (!(await pause(ctx, pauseMs))) return result;
    }
  }

  /** One request with the redirects that configuration, guard and grant allow. */
  async #follow(
    request: EffectRequest,
    ctx: AdapterCtx,
    start: GuardedUrl,
    startMethod: string,
    startHeaders: Record<string, string>,
    startBody: Uint8Array | undefined,
  ): Promise<GuardedResponse | Problem> {
    let url = start;
    let method = startMethod;
    let headers = startHeaders;
    let body = startBody;
    for (let hops = 0; ; hops++) {
      // Set afresh for every hop: a credential belongs to one origin and never travels.
      const credentials = await this.#credentialHeaders(request.grant.name, url.origin);
      if (!(credentials instanceof Map)) return credentials;
      const answer = await ctx.http.request({
        method,
        url: url.href,
        headers: { ...headers, ...Object.fromEntries(credentials) },
        body,
        signal: ctx.signal,
        maxBodyBytes: this.#maxBodyBytes,
        grantedHosts: grantedHosts(request.grant.params),
      });
      if (!answer.ok) return hops === 0 ? answer.failure : afterRedirect(answer.failure);
      if (this.#options.redirects !== 'recheck') return answer.value;
      const location = answer.value.headers.find(([name]) => name === 'location')?.[1];
      const hop = nextHop(answer.value.status, location, url, method);
      if (!hop.ok) return hop.failure;
      if (hop.value === undefined) return answer.value;
      if (hops === MAX_REDIRECTS)
        return { code: 'http.redirect_denied', message: `more than ${MAX_REDIRECTS} redirects` };
      const verdict = ctx.recheckCap({
        ...(request.params as { readonly [key: string]: CborValue }),
        url: hop.value.url.href,
        method: hop.value.method,
      });
      if (!verdict.ok) {
        const refused = denied(`the grant does not allow the redirect: ${verdict.code}: ${verdict.message}`);
        return (refused as { readonly failure: Problem }).failure;
      }
      headers = hopHeaders(headers, hop.value);
      if (hop.value.dropBody) body = undefined;
      ({ url, method } = hop.value);
    }
  }

  async #credentialHeaders(grant: string, origin: string): Promise<Map<string, string> | Problem> {
    const headers = new Map<string, string>();
    for (const credential of this.#credentials) {
      if (credential.grant !== grant || credential.origin !== origin) continue;
      const secret = await this.#options.secret?.(credential.binding);
      if (secret === undefined) {
        return {
          code: 'secret.unavailable',
          message: `binding ${credential.binding} of http.credentials has no value`,
          notSent: true,
        };
      }
      const checked = requestHeaders([[credential.header, (credential.prefix ?? '') + secret]]);
      // The message must not show the value, so it names the binding only.
      if (!checked.ok)
        return { code: 'secret.type', message: `binding ${credential.binding} is not a header value`, notSent: true };
      headers.set(credential.header, (credential.prefix ?? '') + secret);
    }
    return headers;
  }
}

/** A hop that the guard refuses before sending is a denied redirect; the first request has been sent by then. */
function afterRedirect(failure: GuardedFailure): Problem {
  const code =
    failure.code === 'http.address_denied' || failure.code === 'http.url_invalid'
      ? 'http.redirect_denied'
      : failure.code;
  return { code, message: failure.message, retryable: failure.retryable };
}

function grantedHosts(params: CborValue): readonly string[] {
  const hosts = (params as { readonly hosts?: CborValue } | null)?.hosts;
  return Array.isArray(hosts) ? hosts.filter((host): host is string => typeof host === 'string') : [];
}

/** Text-keyed map without a prototype, so that a header named `__proto__` is a header. */
function textMap(entries: Iterable<readonly [string, string]>): { readonly [key: string]: string } {
  const map = Object.create(null) as { [key: string]: string };
  for (const [name, value] of entries) map[name] = value;
  return map;
}

function retryAfterMs(response: GuardedResponse): number | undefined {
  const text = response.headers.find(([name]) => name === 'retry-after')?.[1];
  return text !== undefined && /^[0-9]{1,6}$/.test(text) ? Number(text) * 1_000 : undefined;
}

/** @returns false when the signal fired first. */
function pause(ctx: AdapterCtx, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = ctx.clock.setTimer(ctx.clock.monoNs() + BigInt(ms) * 1_000_000n, () => {
      ctx.signal.removeEventListener('abort', aborted);
      resolve(true);
    });
    const aborted = () => {
      cancel();
      resolve(false);
    };
    ctx.signal.addEventListener('abort', aborted, { once: true });
    if (ctx.signal.aborted) aborted();
  });
}

/** A failure with a payload that conforms to `sys/HttpRequestReceipt@1`. */
async function failure(
  problem: Problem,
  timings: { start_ns: bigint; end_ns: bigint },
  ctx: AdapterCtx,
): Promise<EffectOutcome> {
  const timeout = problem.code === 'adapter.timeout';
  const { code, message } = problem;
  const retryable = problem.retryable === true;
  // Nothing is written once the time is over: the host may be stopping.
  const bodyRef = timeout ? null : await ctx.blobs.put(utf8(JSON.stringify({ code, message, retryable })));
  return {
    status: timeout ? 'timeout' : 'error',
    error: { code, message, retryable, notSent: problem.notSent },
    payload: {
      status: FAILURE_STATUS[code] ?? 599,
      headers: textMap([]),
      body_ref: bodyRef,
      timings,
      adapter_id: HTTP_ADAPTER_ID,
    },
  };
}
