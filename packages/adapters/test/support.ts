import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net';
import { fail, fromUtf8, hashText, ok, sha256 } from '@worldline/canon';
import type { AdapterCtx, Blobs, CapVerdict, Clock, EffectOutcome, EffectRequest, GuardedHttp } from '@worldline/ports';

/** A store of blobs in memory that counts what is put. */
export class MemoryBlobs implements Blobs {
  readonly stored = new Map<string, Uint8Array>();

  async get(hash: string, options?: { readonly maxBytes?: number }) {
    const bytes = this.stored.get(hash);
    if (bytes === undefined) return fail({ code: 'blob.missing' as const, message: 'no such blob' });
    if (bytes.length > (options?.maxBytes ?? Infinity))
      return fail({ code: 'blob.too_large' as const, message: 'too large' });
    if (hashText(sha256(bytes)) !== hash) return fail({ code: 'blob.corrupt' as const, message: 'changed on disk' });
    return ok(bytes);
  }

  async put(bytes: Uint8Array): Promise<string> {
    const hash = hashText(sha256(bytes));
    this.stored.set(hash, bytes);
    return hash;
  }

  async has(hash: string): Promise<boolean> {
    return this.stored.has(hash);
  }

  text(hash: unknown): string {
    return fromUtf8(this.stored.get(hash as string) ?? new Uint8Array()) ?? '';
  }
}

/** A clock that moves 1 ms per reading; timers run at once, so no test waits. */
export function steppingClock(): Clock {
  let now = 1_700_000_000_000_000_000n;
  return {
    wallNs: () => (now += 1_000_000n),
    monoNs: () => (now += 1_000_000n),
    setTimer: (_at, fn) => {
      const handle = setImmediate(fn);
      return () => clearImmediate(handle);
    },
  };
}

export interface Context extends AdapterCtx {
  readonly blobs: MemoryBlobs;
}

export function context(
  http: GuardedHttp,
  options: { signal?: AbortSignal; recheck?: (params: unknown) => CapVerdict } = {},
): Context {
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  return {
    signal: (options.signal ?? new AbortController().signal) as AdapterCtx['signal'],
    clock: steppingClock(),
    log,
    blobs: new MemoryBlobs(),
    http,
    recheckCap: options.recheck ?? (() => ({ ok: true })),
    typeHash: () => undefined,
    complete: async () => {},
  };
}

export function request(
  kind: string,
  params: Record<string, unknown>,
  options: Partial<EffectRequest> = {},
): EffectRequest {
  return {
    intentHash: `sha256:${'1'.repeat(64)}`,
    emissionSeq: 7,
    dispatchId: `sha256:${'2'.repeat(64)}`,
    worldId: '0190b5a8-0000-7000-8000-000000000001',
    kind,
    capName: 'net',
    paramsCbor: new Uint8Array(),
    params: params as EffectRequest['params'],
    idempotencyKey: new Uint8Array(32),
    externalKey: 'ab'.repeat(32),
    origin: { kind: 'plan', name: 'demo/plan@1', planId: 1, stepId: 'call' },
    grant: { name: 'net', cap: 'sys/http.out@1', params: { hosts: ['127.0.0.1', 'svc.test', '[::1]'] } },
    enqueuedLogicalNs: 0n,
    attempt: 1,
    recovered: false,
    ...options,
  };
}

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

/** A real HTTP service on the loopback that remembers what it received. */
export async function service(answer: (seen: Seen, response: ServerResponse, count: number) => void): Promise<{
  readonly port: number;
  readonly seen: Seen[];
  close(): Promise<void>;
}> {
  const seen: Seen[] = [];
  const server: Server = createServer((incoming: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const one = {
        method: incoming.method ?? '',
        url: incoming.url ?? '',
        headers: incoming.headers,
        rawHeaders: incoming.rawHeaders,
        body: Buffer.concat(chunks).toString('latin1'),
      };
      seen.push(one);
      answer(one, response, seen.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A bare TCP peer, for answers no HTTP library would give. */
export async function peer(
  serve: (socket: Socket, firstBytes: string) => void,
): Promise<{ readonly port: number; connections(): number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server: TcpServer = createTcpServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.once('data', (data) => serve(socket, data.toString('latin1')));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** The parts of an outcome that tests look at, whatever its status. */
export function payload(outcome: EffectOutcome): Record<string, unknown> {
  return outcome.payload as Record<string, unknown>;
}
