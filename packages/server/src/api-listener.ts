import type { AddressInfo } from 'node:net';
import { ok } from '@worldline/canon';
import { type Answer, type FabricSender, refuse } from '@worldline/host';
import { tokenAuthentication } from './authenticate.ts';
import { ApiServer, type ApiServerOptions } from './http-server.ts';
import type { Identity } from './request.ts';
import { ownerToken } from './tokens.ts';

/** The control API on a network address (`host.md` §8.1), for whoever has a token. */
export interface ApiListener {
  /** `http://127.0.0.1:7777` */
  readonly url: string;
  close(): Promise<void>;
}

export interface ApiListenerOptions extends Pick<ApiServerOptions, 'endpoints' | 'refusal' | 'log'> {
  /** `.worldline` of the world. */
  readonly dir: string;
  readonly bind: { readonly host: string; readonly port: number };
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  /** PEM texts. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
}

/** @returns `control.unavailable` when the address cannot be bound. */
export async function startApiListener(options: ApiListenerOptions): Promise<Answer<ApiListener>> {
  const { dir, bind, tls, log } = options;
  const shown = bind.host.includes(':') ? `[${bind.host}]` : bind.host;
  try {
    ownerToken(dir);
    const server = new ApiServer({
      endpoints: options.endpoints,
      refusal: options.refusal,
      log,
      tls,
      identity: tokenAuthentication({
        dir,
        hosts: new Set(['localhost', shown.toLowerCase(), ...options.allowedHosts.map((host) => host.toLowerCase())]),
        origins: new Set(options.allowedOrigins),
      }),
    });
    await new Promise<void>((resolve, reject) => {
      server.http.once('error', reject);
      server.http.listen(bind.port, bind.host, () => {
        server.http.removeListener('error', reject);
        resolve();
      });
    });
    const { port } = server.http.address() as AddressInfo;
    return ok({ url: `${tls === undefined ? 'http' : 'https'}://${shown}:${port}`, close: () => server.close() });
  } catch (error) {
    return refuse('control.unavailable', `${shown}:${bind.port} cannot be listened on: ${(error as Error).message}`, {
      hint: 'Choose another server.bind in worldline.host.json, or port 0 for any free one.',
    });
  }
}

/** The peer whose token this is, when the message says that it comes from that world and no other. */
export function tokenSender(identity: Identity, fromWorld: string): FabricSender | undefined {
  const { peer } = identity;
  if (peer === undefined) return undefined;
  const world = peer.world.slice(peer.world.lastIndexOf('/') + 1);
  if (fromWorld !== world && fromWorld !== peer.world) return undefined;
  return { name: peer.name, address: peer.world.startsWith('air://') ? peer.world : undefined };
}
