import type { FabricAccept } from '@worldline/kernel/config';
import type { Section } from './config-section.ts';
import { FABRIC_ACCEPT_SHAPE, PEER_SHAPE } from './config-shape.ts';

/** Configuration of messages between worlds (`host.md` §5.7): where they go, and who is heard. */

export type PeerConfig =
  /** A world of the same user on this machine: its folder, relative to this world's. */
  | { readonly path: string }
  /** `token`: where the token is found, `env:…`, `file:…` or an id of `secrets.bindings`. */
  | { readonly url: URL; readonly token: string };

export interface FabricConfig {
  /** By the name that plans and grants use. */
  readonly peers: ReadonlyMap<string, PeerConfig>;
  /** Of the value of one message. */
  readonly maxBytes: number;
}

/** What a peer may be called: the name is part of ingress ids and inbox sources, which have an end. */
export const PEER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export function readFabric(s: Section, d: FabricConfig, bindings: Readonly<Record<string, string>>): FabricConfig {
  const read = s.map('peers', PEER_SHAPE, (peer) => readPeer(peer, bindings));
  const peers = new Map<string, PeerConfig>();
  for (const [name, peer] of Object.entries(read)) {
    if (!PEER_NAME.test(name))
      s.refuse('peers', `"${name.slice(0, 80)}" is no name of a peer: 1 to 64 letters, digits, ".", "_" and "-"`);
    else if (peer !== undefined) peers.set(name, peer);
  }
  return { peers, maxBytes: s.count('max_bytes', d.maxBytes) };
}

function readPeer(s: Section, bindings: Readonly<Record<string, string>>): PeerConfig | undefined {
  const [path, address] = [s.text('path', ''), s.text('url', '')];
  if (s.has('path')) {
    if (s.has('url') || s.has('token')) s.refuse('path', 'a peer has a "path", or "url" and "token"');
    return path === '' ? undefined : { path };
  }
  if (!s.has('url')) {
    s.refuse('url', 'a peer has a "path", or "url" and "token"');
    return undefined;
  }
  if (!s.has('token')) s.refuse('token', '"token" is missing: it says where the token for this peer is found');
  const token = s.place('token', bindings);
  const url = URL.parse(address);
  if (
    url === null ||
    !['http:', 'https:'].includes(url.protocol) ||
    url.username + url.password !== '' ||
    url.search + url.hash !== ''
  ) {
    if (address !== '') s.refuse('url', 'expected an http or https address without user, query and fragment');
    return undefined;
  }
  return { url, token };
}

/** `world.fabric_accept`, as authored. */
export function readFabricAccept(s: Section, d: readonly FabricAccept[]): readonly FabricAccept[] {
  if (!s.has('fabric_accept')) return d;
  return s.list('fabric_accept', FABRIC_ACCEPT_SHAPE, (accept) => {
    accept.needed();
    return {
      from: accept.text('from', ''),
      ...(accept.has('schemas') ? { schemas: accept.texts('schemas') } : {}),
      ...(accept.has('modes') ? { modes: accept.choices<'event' | 'inbox'>('modes') } : {}),
    };
  });
}
