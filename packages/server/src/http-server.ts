import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { ok } from '@worldline/canon';
import { type Answer, type HostFailure, refuse } from '@worldline/host';
import type { Logger } from '@worldline/ports';
import { type Body, bodyText, failureBody } from './body.ts';
import { httpStatus } from './http-status.ts';
import { type Identity, parseBody, readBody } from './request.ts';
import { type Endpoint, type Reply, route, type StreamReply } from './router.ts';
import { hasScope } from './scope.ts';

/**
 * One API over HTTP (`host.md` §8), whatever it listens on.
 *
 * H1  Every request gets one answer, with an `x-request-id`; what goes wrong inside is a 500 and a log line, never an
 *     end of the process.
 * H2  No client can hold the world up: headers, bodies, time and requests at once are limited, and closing waits for
 *     nobody longer than a moment. An answer that goes on is no longer under way once it has begun; its endpoint limits it.
 */

export const LIMITS = {
  bodyBytes: 16 * 1024 * 1024,
  headerBytes: 16 * 1024,
  requestMs: 60_000,
  headersMs: 10_000,
  concurrent: 64,
  /** How long answers under way may take when the server closes. */
  closeMs: 500,
} as const;

export interface ApiServerOptions {
  readonly endpoints: readonly Endpoint[];
  /** Why nothing is done any more: the world is being closed, or is lost. */
  readonly refusal: () => HostFailure | undefined;
  /** Who asks: always the same, or found out for each request. */
  readonly identity: Identity | ((message: IncomingMessage) => Answer<Identity>);
  /** PEM texts; absent: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  readonly log: Logger;
  readonly limits?: Partial<typeof LIMITS> | undefined;
}

export class ApiServer {
  readonly http: Server;
  readonly #options: ApiServerOptions;
  readonly #limits: { readonly [K in keyof typeof LIMITS]: number };
  #active = 0;
  #isClosing = false;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    const limits = { ...LIMITS, ...options.limits };
    this.#limits = limits;
    const times = {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: Math.min(limits.headersMs, limits.requestMs),
      requestTimeout: limits.requestMs,
      keepAliveTimeout: 5_000,
      connectionsCheckingInterval: 1_000,
    };
    const serve = (message: IncomingMessage, response: ServerResponse) => void this.#serve(message, response);
    this.http =
      options.tls === undefined ? createServer(times, serve) : createTlsServer({ ...times, ...options.tls }, serve);
    this.http.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => refuseSocket(error, socket));
  }

  /** No new connections; what is being answered gets a moment, then every connection ends. */
  close(): Promise<void> {
    this.#isClosing = true;
    return new Promise((resolve) => {
      const last = setTimeout(() => this.http.closeAllConnections(), this.#limits.closeMs);
      this.http.close(() => {
        clearTimeout(last);
        resolve();
      });
      this.http.closeIdleConnections();
    });
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const id = randomUUID();
    response.setHeader('x-request-id', id);
    if (this.#active >= this.#limits.concurrent) {
      this.#refuse(message, response, refuse('busy', `${this.#limits.concurrent} requests are under way`).failure);
      return;
    }
    this.#active++;
    try {
      const answer = await this.#inTime(this.#answer(message));
      if ('stream' in answer) this.#begin(message, response, answer);
      else this.#send(message, response, answer.status, answer.body, answer.headers);
    } catch (error) {
      this.#options.log.error('a request failed', { request: id, error: String(error) });
      const failure = refuse('host_error', `the request failed inside; the log has it under ${id}`).failure;
      this.#send(message, response, 500, failureBody(failure), {});
    } finally {
      this.#active--;
    }
  }

  /** `host.md` §8.1: a request has 60 s. What it began goes on without it. */
  async #inTime(answer: Promise<Answered | StreamReply>): Promise<Answered | StreamReply> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Answered>((resolve) => {
      timer = setTimeout(() => {
        const { failure } = refuse('timeout', `no answer within ${this.#limits.requestMs} ms`);
        resolve({ status: httpStatus(failure.code), body: failureBody(failure), headers: {} });
      }, this.#limits.requestMs);
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #answer(message: IncomingMessage): Promise<Answered | StreamReply> {
    const refused = (failure: HostFailure, status = httpStatus(failure.code), headers = {}): Answered => ({
      status,
      body: failureBody(failure),
      headers,
    });
    let url: URL;
    try {
      url = new URL(message.url ?? '', 'http://control');
    } catch {
      return refused(refuse('invalid_request', 'the request names no path').failure);
    }
    const found = route(this.#options.endpoints, message.method ?? '', url.pathname);
    if (!found.found)
      return refused(found.failure, found.status, found.allow === undefined ? {} : { allow: found.allow });
    const { endpoint, params } = found;
    const caller = this.#identify(message, endpoint);
    if (!caller.ok) return refused(caller.failure);
    for (const name of url.searchParams.keys()) {
      if (endpoint.query?.includes(name) === true) continue;
      const known = endpoint.query ?? [];
      return refused(
        refuse('invalid_request', `there is no query parameter "${name.slice(0, 80)}" here`, {
          path: ['query', name],
          ...(known.length === 0 ? {} : { hint: `known: ${known.join(', ')}` }),
        }).failure,
      );
    }
    const bytes = await readBody(message, this.#limits.bodyBytes);
    if (!bytes.ok) return refused(bytes.failure);
    const refusal = endpoint.always === true ? undefined : this.#options.refusal();
    if (refusal !== undefined) return refused(refusal);
    const body = parseBody(bytes.value, message.headers['content-type']);
    if (!body.ok) return refused(body.failure);
    // Node joins a repeated header, and a joined one has a space: it is refused where it is read.
    const idempotencyKey = message.headers['idempotency-key']?.toString();
    const lastEventId = message.headers['last-event-id']?.toString();
    const reply = await endpoint.run({
      params,
      query: url.searchParams,
      body: body.value,
      identity: caller.value,
      idempotencyKey,
      lastEventId,
      isAllowed: () => this.#isAllowed(message, endpoint),
    });
    return reply.ok ? answered(reply.value) : refused(reply.failure);
  }

  /** Who asks, if that one may: found out before anything is read of the body. */
  #identify(message: IncomingMessage, { scope = 'admin' }: Endpoint): Answer<Identity> {
    const { identity } = this.#options;
    const caller = typeof identity === 'function' ? identity(message) : ok(identity);
    if (!caller.ok || scope === 'none' || hasScope(caller.value.scopes, scope)) return caller;
    if (caller.value.scopes.length === 0)
      return refuse('auth.required', 'this needs a token', { hint: 'Send it as "Authorization: Bearer <token>".' });
    return refuse('auth.scope', `${caller.value.name} has no scope "${scope}"`);
  }

  /** Not when it cannot be told. An address that has to wait because of others is not one whose token has ended. */
  #isAllowed(message: IncomingMessage, endpoint: Endpoint): boolean {
    try {
      const caller = this.#identify(message, endpoint);
      return caller.ok || caller.failure.code === 'busy';
    } catch (error) {
      this.#options.log.error('a caller could not be looked at again', { error: String(error) });
      return false;
    }
  }

  #begin(message: IncomingMessage, response: ServerResponse, { stream }: StreamReply): void {
    // Gone while it was looked at: nobody would ever say that it is over.
    if (response.destroyed) return;
    const refusal = stream(response);
    if (refusal !== undefined) this.#refuse(message, response, refusal);
  }

  #refuse(message: IncomingMessage, response: ServerResponse, failure: HostFailure): void {
    this.#send(message, response, httpStatus(failure.code), failureBody(failure), {});
  }

  #send(
    message: IncomingMessage,
    response: ServerResponse,
    status: number,
    body: Body,
    headers: Readonly<Record<string, string>>,
  ): void {
    if (response.destroyed || response.headersSent) return;
    const text = `${bodyText(body)}\n`;
    // A body that was not read to its end would be taken for the next request.
    const mustClose = this.#isClosing || !message.complete;
    response.writeHead(status, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
      ...(mustClose ? { connection: 'close' } : {}),
      ...headers,
    });
    response.end(text);
    if (!message.complete) this.#discard(message);
  }

  /** What a sender still sends is thrown away for a moment: cut off while it writes, it would never read the answer. */
  #discard(message: IncomingMessage): void {
    message.resume();
    const end = setTimeout(() => message.destroy(), this.#limits.closeMs);
    message.once('close', () => clearTimeout(end));
  }
}

interface Answered {
  readonly status: number;
  readonly body: Body;
  readonly headers: Readonly<Record<string, string>>;
}

function answered(reply: Reply | StreamReply): Answered | StreamReply {
  if ('stream' in reply) return reply;
  return { status: reply.status ?? 200, body: reply.body, headers: {} };
}

/** What is no HTTP request, or comes too slowly, is told so and cut off. */
function refuseSocket(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, reason, failure] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [431, 'Request Header Fields Too Large', refuse('too_large', 'the header of the request is too large')]
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'Request Timeout', refuse('timeout', 'the request did not arrive in time')]
        : [400, 'Bad Request', refuse('invalid_request', 'this is no HTTP request')];
  const text = `${bodyText(failureBody((failure as ReturnType<typeof refuse>).failure))}\n`;
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nx-request-id: ${randomUUID()}\r\ncontent-type: application/json; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  );
}
