import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@worldline/host';
import { ApiServer, type ApiServerOptions } from '../src/http-server.ts';

const open: { readonly server: ApiServer; readonly folder: string }[] = [];

/** A server on a socket of its own; closed by `cleanUp`. */
export async function serve(options: Partial<ApiServerOptions>): Promise<{ socket: string; server: ApiServer }> {
  const folder = mkdtempSync(join(tmpdir(), 'wl-server-'));
  const socket = join(folder, 's');
  const server = new ApiServer({
    endpoints: [],
    refusal: () => undefined,
    identity: { name: 'socket:tests', scopes: ['admin'] },
    log: silentLogger,
    ...options,
  });
  await new Promise<void>((resolve) => server.http.listen(socket, resolve));
  open.push({ server, folder });
  return { socket, server };
}

export async function cleanUp(): Promise<void> {
  for (const { server, folder } of open.splice(0)) {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it, and a wrong guess fails them
  readonly body: any;
}

export function send(
  socketPath: string,
  method: string,
  path: string,
  options: { readonly body?: string | Uint8Array; readonly headers?: Record<string, string> } = {},
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path, headers: options.headers ?? {}, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: JSON.parse(text) }),
      );
    });
    sent.on('error', reject);
    sent.end(options.body);
  });
}

/** Bytes as they are; what comes back until the other side closes. */
export function raw(socketPath: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath, () => socket.write(text));
    let got = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      got += chunk;
    });
    socket.on('close', () => resolve(got));
    socket.on('error', reject);
  });
}
