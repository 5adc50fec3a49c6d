import {
  BAD_GRANT,
  BAD_PARAMS,
  type Denial,
  deny,
  hasIgnoringCase,
  type Request,
  WRONG_TYPE,
  wrongKind,
} from './enforcer-request.ts';
import { parseUrl } from './url.ts';

/** `sys/CapEnforceHttpOut@1` (`builtins.md` §4.2). */
export function enforceHttpOut({ kind, grant, params }: Request): Denial | undefined {
  const hosts = grant?.texts('hosts');
  const schemes = grant?.texts('schemes');
  const methods = grant?.texts('methods');
  const ports = grant?.nats('ports');
  const prefixes = grant?.texts('path_prefixes');
  if (
    grant === undefined ||
    hosts === WRONG_TYPE ||
    schemes === WRONG_TYPE ||
    methods === WRONG_TYPE ||
    ports === WRONG_TYPE ||
    prefixes === WRONG_TYPE
  ) {
    return BAD_GRANT;
  }
  if (params === undefined) return BAD_PARAMS;
  if (kind !== 'http.request') return wrongKind(kind);
  const method = params.text('method');
  const text = params.text('url');
  if (typeof method !== 'string' || typeof text !== 'string') return BAD_PARAMS;

  const url = parseUrl(text);
  if (!url.ok) return deny('invalid_url', 'the url does not have the accepted form');
  const { scheme, host, port, path } = url.value;
  if (hosts !== undefined && !hasIgnoringCase(hosts, host)) return deny('host_not_allowed', 'host not allowed', host);
  if (schemes !== undefined && !hasIgnoringCase(schemes, scheme)) {
    return deny('scheme_not_allowed', 'scheme not allowed', scheme);
  }
  if (methods !== undefined && !hasIgnoringCase(methods, method)) {
    return deny('method_not_allowed', 'method not allowed', method);
  }
  if (ports !== undefined && !ports.has(BigInt(port)))
    return deny('port_not_allowed', 'port not allowed', String(port));
  if (prefixes !== undefined && ![...prefixes].some((prefix) => isBelow(path, prefix))) {
    return deny('path_not_allowed', 'path not allowed', path);
  }
  return undefined;
}

/** A prefix matches at a segment border only: `/ok` allows `/ok` and `/ok/x`, never `/okay`. */
export function isBelow(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false;
  return path.length === prefix.length || prefix.endsWith('/') || path[prefix.length] === '/';
}
