import type { IncomingMessage } from 'node:http';
import { ok } from '@worldline/canon';
import { type Answer, refuse } from '@worldline/host';
import type { Identity } from './request.ts';
import { holderOf } from './tokens.ts';

/** Who asks over the network (`host.md` §8.1): a bearer token, always. */
export interface TokenAuthenticationOptions {
  /** `.worldline` of the world. */
  readonly dir: string;
  /** `Host` headers that are right, in lower case and without a port. */
  readonly hosts: ReadonlySet<string>;
  /** `server.allowed_origins`. */
  readonly origins: ReadonlySet<string>;
}

/** Failures in a minute after which an address is told to wait. */
const FAILURES_MAX = 20;
const WINDOW_MS = 60_000;
/** Addresses that are remembered. */
const ADDRESSES_MAX = 10_000;

export function tokenAuthentication(
  options: TokenAuthenticationOptions,
): (message: IncomingMessage) => Answer<Identity> {
  const failures = new Map<string, { count: number; untilMs: number }>();
  return (message) => {
    const address = message.socket.remoteAddress ?? '';
    const nowMs = Date.now();
    let failed = failures.get(address);
    if (failed !== undefined && failed.untilMs <= nowMs) {
      failures.delete(address);
      failed = undefined;
    }
    if (failed !== undefined && failed.count >= FAILURES_MAX)
      return refuse('busy', 'too many requests of this address had no valid token', { hint: 'Wait a minute.' });
    const identity = identify(message, options, new Date(nowMs));
    if (!identity.ok && identity.failure.code.startsWith('auth.')) {
      if (failed !== undefined) failed.count++;
      else {
        if (failures.size >= ADDRESSES_MAX) failures.clear();
        failures.set(address, { count: 1, untilMs: nowMs + WINDOW_MS });
      }
    }
    return identity;
  };
}

function identify(message: IncomingMessage, options: TokenAuthenticationOptions, now: Date): Answer<Identity> {
  const { host, origin, authorization } = message.headers;
  // A page that a browser has under another name must not reach this one.
  if (host === undefined || !options.hosts.has(nameOf(host)))
    return refuse('auth.host', 'this address has another name', { hint: 'server.allowed_hosts lists further names.' });
  if (origin !== undefined && !options.origins.has(origin))
    return refuse('auth.origin', 'this origin may not ask', { hint: 'server.allowed_origins lists those that may.' });
  // `/api/health` alone is answered to nobody in particular.
  if (authorization === undefined) return ok({ name: 'nobody', scopes: [] });
  const token = /^Bearer ([\x21-\x7e]+)$/i.exec(authorization)?.[1];
  const holder = token === undefined ? ok(undefined) : holderOf(options.dir, token, now);
  if (!holder.ok) return holder;
  if (holder.value === undefined) return refuse('auth.invalid', 'the token is not valid, or no longer');
  if (holder.value === 'owner') return ok({ name: 'owner', scopes: ['admin'], roles: 'every' });
  const { name, scopes, roles, peer } = holder.value;
  return ok({ name: `token:${name}`, scopes, roles, ...(peer === undefined ? {} : { peer: { name, world: peer } }) });
}

/** Without the port. */
function nameOf(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, '');
}
