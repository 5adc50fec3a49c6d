import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { fail, ok, type Result, toBase64 } from '@worldline/canon';
import type { FabricAcceptance, FabricFailure, FabricMessage, FabricPeer, Signal } from '@worldline/ports';
import { describe } from './connection.ts';

/** `POST /api/fabric/inbox` (`host.md` §8.3): hands one message to the process that runs the destination. */

/** Where that process listens: an address with a token, or its control socket. */
export type FabricEndpoint =
  | { readonly url: URL; readonly token: string }
  /** Path of the socket, or name of the pipe. */
  | { readonly socketPath: string };

/** An answer is a few words; whoever sends more is no such process. */
const ANSWER_BYTES_MAX = 64 * 1024;

/**
 * @returns the acceptance, or the failure of the answer. Whatever leaves open if the message arrived is
 *   `fabric.peer_unreachable`: sending it again is one message all the same.
 */
export async function postMessage(
  endpoint: FabricEndpoint,
  message: FabricMessage,
  signal: Signal,
): Promise<Result<FabricAcceptance, FabricFailure>> {
  let answer: { readonly status: number; readonly text: string };
  try {
    answer = await post(endpoint, JSON.stringify(bodyOf(message)), signal as AbortSignal);
  } catch (error) {
    if (signal.aborted) throw error;
    return unreachable(describe(error));
  }
  let body: unknown;
  try {
    body = JSON.parse(answer.text);
  } catch {
    return unreachable(`it answers ${answer.status} and no JSON`);
  }
  return answer.status === 200 ? readAcceptance(body) : fail(failureOf(answer.status, body));
}

/** A peer that is reached over the network. @param token - asked for each message; undefined: it is not there. */
export function urlPeer(url: URL, token: () => Promise<string | undefined>): FabricPeer {
  const inbox = new URL('api/fabric/inbox', url.href.endsWith('/') ? url : new URL(`${url.href}/`));
  return {
    async deliver(message, signal) {
      const secret = await token();
      if (secret === undefined)
        return fail({ code: 'secret.unavailable', message: 'the token for this peer is not there', retryable: false });
      return postMessage({ url: inbox, token: secret.trim() }, message, signal);
    },
  };
}

function bodyOf(message: FabricMessage): { readonly [key: string]: string | undefined } {
  return {
    message_id: message.messageId,
    from_world: message.fromWorld,
    schema: message.schema,
    type_hash: message.typeHash,
    value_b64: toBase64(message.value),
    key_b64: message.key && toBase64(message.key),
    correlation_id: message.correlationId,
    mode: message.mode,
  };
}

function post(
  endpoint: FabricEndpoint,
  body: string,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const request = begin(endpoint, {
      method: 'POST',
      signal,
      agent: false,
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        ...('url' in endpoint ? { authorization: `Bearer ${endpoint.token}` } : { host: 'localhost' }),
      },
    });
    request.on('error', reject);
    request.on('response', (response) => {
      readText(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
    });
    request.end(body);
  });
}

function begin(endpoint: FabricEndpoint, options: RequestOptions): ClientRequest {
  if (!('url' in endpoint))
    return httpRequest({ ...options, socketPath: endpoint.socketPath, path: '/api/fabric/inbox' });
  return endpoint.url.protocol === 'https:' ? httpsRequest(endpoint.url, options) : httpRequest(endpoint.url, options);
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > ANSWER_BYTES_MAX) throw new Error('its answer does not end');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function readAcceptance(body: unknown): Result<FabricAcceptance, FabricFailure> {
  const { seq, duplicate } = (body ?? {}) as { readonly seq?: unknown; readonly duplicate?: unknown };
  const text = typeof seq === 'number' && Number.isSafeInteger(seq) ? String(seq) : seq;
  if (typeof text !== 'string' || !/^[0-9]{1,19}$/.test(text) || typeof duplicate !== 'boolean')
    return unreachable('it answers something else than { seq, duplicate }');
  return ok({ seq: BigInt(text), duplicate });
}

/** Codes that a destination says of itself and that mean the same to the sender. */
const PASSED_ON = new Set(['fabric.refused', 'fabric.schema_mismatch', 'fabric.no_inbox', 'fabric.too_large']);

function failureOf(status: number, body: unknown): FabricFailure {
  const { code, message } = (body ?? {}) as { readonly code?: unknown; readonly message?: unknown };
  const known = typeof code === 'string' ? code : `status ${status}`;
  const why = typeof message === 'string' ? message : 'without a reason';
  if (PASSED_ON.has(known)) return { code: known, message: why, retryable: false };
  const said = `${known}: ${why}`;
  if (known === 'too_large') return { code: 'fabric.too_large', message: why, retryable: false };
  if (known === 'world.archived') return { code: 'fabric.peer_unknown', message: said, retryable: false };
  // Another process runs it now, it is closing, or it is busy: the next attempt may find it.
  const passes = status >= 500 || status === 429 || status === 408 || known === 'world.locked';
  return passes
    ? { code: 'fabric.peer_unreachable', message: said, retryable: true }
    : { code: 'fabric.refused', message: said, retryable: false };
}

function unreachable(why: string): { readonly ok: false; readonly failure: FabricFailure } {
  return fail({ code: 'fabric.peer_unreachable', message: `the peer does not answer: ${why}`, retryable: true });
}
