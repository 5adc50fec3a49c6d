import type { Section } from './config-section.ts';

/** Configuration of the control API on a network address (`host.md` §8.1). */
export interface ServerConfig {
  readonly enabled: boolean;
  /** Of an IPv6 address without brackets. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  /** Files, relative to the world folder. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
}

/**
 * Off unless asked for: several worlds of one machine would want the same port, and who is on the machine reaches a world
 * over its socket.
 */
export const DEFAULT_SERVER: ServerConfig = {
  enabled: false,
  host: '127.0.0.1',
  port: 7777,
  allowedHosts: [],
  allowedOrigins: [],
};

/** @param env - `WORLDLINE_HTTP_BIND` and `WORLDLINE_HTTP_DISABLE` win over the file. */
export function readServer(s: Section, env: Readonly<Record<string, string | undefined>>): ServerConfig {
  const d = DEFAULT_SERVER;
  const fromEnv = env['WORLDLINE_HTTP_BIND'];
  const bind =
    fromEnv === undefined || fromEnv === '' ? s.matching('bind', 'address and port, such as 127.0.0.1:7777') : fromEnv;
  const isDisabled = ['true', '1'].includes(env['WORLDLINE_HTTP_DISABLE'] ?? '');
  const enabled = s.flag('enabled', bind !== undefined || d.enabled) && !isDisabled;
  const [host, port] = bind === undefined ? [d.host, d.port] : addressOf(bind);
  if (!(port <= 65_535)) s.refuse('bind', 'expected address and port, such as 127.0.0.1:7777');
  const tls = s.optionalChild('tls');
  tls?.needed();
  const isPlainAllowed = s.flag('insecure_bind', false);
  if (enabled && tls === undefined && !isLoopback(host) && !isPlainAllowed)
    s.refuse('bind', `"${host}" is reached from other machines: give "tls", or set "insecure_bind" to true`);
  return {
    enabled,
    host,
    port,
    allowedHosts: s.texts('allowed_hosts'),
    allowedOrigins: s.texts('allowed_origins'),
    ...(tls === undefined ? {} : { tls: { cert: tls.text('cert', ''), key: tls.text('key', '') } }),
  };
}

function addressOf(bind: string): readonly [string, number] {
  const colon = bind.lastIndexOf(':');
  const text = bind.slice(colon + 1);
  return [bind.slice(0, colon).replace(/^\[|\]$/g, ''), /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN];
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
