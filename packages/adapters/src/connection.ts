import { connect as connectTcp, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { Client } from 'undici';
import { parseAddress } from './address.ts';
import { type GuardedUrl, literalAddress } from './url-guard.ts';

/** One connection to a vetted address, with SNI and certificate check by the URL's host. */

export type ConnectStage = 'http.connect' | 'http.tls';

export class ConnectError extends Error {
  override readonly name = 'ConnectError';
  readonly stage: ConnectStage;

  constructor(stage: ConnectStage, cause: unknown) {
    super(describe(cause), { cause });
    this.stage = stage;
  }
}

/** Message of a transport error; Node's aggregate of several attempts has none of its own. */
export function describe(cause: unknown): string {
  if (cause instanceof AggregateError && cause.message === '') return cause.errors.map(describe).join('; ');
  return cause instanceof Error ? cause.message : String(cause);
}

export interface ConnectOptions {
  readonly url: GuardedUrl;
  /** Vetted addresses, tried in this order. */
  readonly addresses: readonly string[];
  /** Goes through this HTTP proxy; the tunnel ends at the first vetted address, so the proxy resolves nothing. */
  readonly proxy?: URL | undefined;
  readonly signal: AbortSignal;
  /** Certificates trusted beside the platform's; `NODE_EXTRA_CA_CERTS` is read by the platform itself. */
  readonly ca?: string | undefined;
}

/**
 * @returns a socket ready for the request: TLS is already done.
 * @throws ConnectError; when the signal fires, with the stage it interrupted.
 */
export async function openConnection(options: ConnectOptions): Promise<Socket | TLSSocket> {
  const { url } = options;
  const stream = options.proxy === undefined ? await openTcp(options) : await openTunnel(options, options.proxy);
  return url.scheme === 'https' ? await startTls(options, stream) : (stream as Socket);
}

function openTcp({ url, addresses, signal }: ConnectOptions): Promise<Socket> {
  const entries = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  return new Promise((resolve, reject) => {
    const socket = connectTcp({
      // A literal address is connected to as it is; a name only ever through the vetted list.
      host: literalAddress(url.host) ?? url.host,
      port: url.port,
      lookup: (_host, lookup, callback) => {
        if (lookup.all === true) callback(null, entries);
        else callback(null, entries[0]!.address, entries[0]!.family);
      },
      autoSelectFamily: true,
      noDelay: true,
      signal,
    });
    socket.once('error', (error) => reject(new ConnectError('http.connect', error)));
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      socket.on('error', () => {});
      if (!addresses.some((address) => sameAddress(address, socket.remoteAddress ?? ''))) {
        socket.destroy();
        reject(new ConnectError('http.connect', new Error('the connection went to an address that was not vetted')));
        return;
      }
      resolve(socket);
    });
  });
}

function sameAddress(a: string, b: string): boolean {
  const left = parseAddress(a);
  const right = parseAddress(b);
  return (
    left !== undefined &&
    right !== undefined &&
    left.length === right.length &&
    left.every((byte, i) => byte === right[i])
  );
}

async function openTunnel({ url, addresses, signal }: ConnectOptions, proxy: URL): Promise<Duplex> {
  const first = addresses[0]!;
  const authority = `${first.includes(':') ? `[${first}]` : first}:${url.port}`;
  const client = new Client(proxy.origin, { allowH2: false, headersTimeout: 0 });
  try {
    const { statusCode, socket } = await client.connect({
      path: authority,
      headers: { host: authority, ...proxyAuthorization(proxy) },
      signal,
    });
    if (statusCode !== 200) {
      socket.destroy();
      throw new Error(`the proxy answered ${statusCode}`);
    }
    return socket;
  } catch (error) {
    throw new ConnectError('http.connect', error);
  } finally {
    // The tunnel's socket has left the client, so nothing of it is closed here.
    client.close().catch(() => {});
  }
}

function proxyAuthorization(proxy: URL): Record<string, string> {
  if (proxy.username === '' && proxy.password === '') return {};
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(credentials).toString('base64')}` };
}

function startTls({ url, signal, ca }: ConnectOptions, stream: Duplex): Promise<TLSSocket> {
  const literal = literalAddress(url.host);
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      socket: stream,
      // SNI carries names only (RFC 6066 §3); an address is checked against the certificate all the same.
      ...(literal === undefined ? { servername: url.host } : { host: literal }),
      ALPNProtocols: ['http/1.1'],
      // Said out loud, so that NODE_TLS_REJECT_UNAUTHORIZED cannot switch it off.
      rejectUnauthorized: true,
      ...(ca === undefined ? {} : { ca }),
    });
    const aborted = () => socket.destroy(new Error('aborted'));
    const settle = () => {
      signal.removeEventListener('abort', aborted);
      socket.removeAllListeners('error');
      socket.removeAllListeners('close');
      socket.on('error', () => {});
    };
    const failed = (cause: unknown) => {
      settle();
      socket.destroy();
      reject(new ConnectError('http.tls', cause));
    };
    signal.addEventListener('abort', aborted, { once: true });
    socket.once('error', failed);
    socket.once('close', () => failed(new Error('the connection was closed during the TLS handshake')));
    socket.once('secureConnect', () => {
      settle();
      resolve(socket);
    });
    if (signal.aborted) aborted();
  });
}
