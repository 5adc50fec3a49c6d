import type { ServerResponse } from 'node:http';
import { suggestHint } from '@worldline/air';
import type { Answer, HostFailure } from '@worldline/host';
import type { Body } from './body.ts';
import type { ApiRequest } from './request.ts';
import type { Scope } from './scope.ts';

export type Method = 'GET' | 'POST' | 'PUT';

export interface Reply {
  /** Default 200. */
  readonly status?: number;
  readonly body: Body;
}

/** An answer that goes on: whoever begins it owns the response from then on, head and end. */
export interface StreamReply {
  /** @returns why there is no stream; then nothing was written. */
  readonly stream: (response: ServerResponse) => HostFailure | undefined;
}

export interface Endpoint {
  readonly method: Method;
  /** `/api/effects/{intent_hash}`: one segment per pair of braces. */
  readonly path: string;
  /** Query parameters that it knows; any other is refused. */
  readonly query?: readonly string[];
  /** What the caller must be allowed. Default `admin`; `none`: nothing. */
  readonly scope?: Scope | 'none';
  /** It answers although the world is being closed or is lost. */
  readonly always?: boolean;
  run(request: ApiRequest): Promise<Answer<Reply | StreamReply>>;
}

export type Route =
  | { readonly found: true; readonly endpoint: Endpoint; readonly params: readonly string[] }
  | { readonly found: false; readonly failure: HostFailure; readonly status: number; readonly allow?: string };

/** Finds the endpoint of a request. */
export function route(endpoints: readonly Endpoint[], method: string, pathname: string): Route {
  const segments = pathname.split('/');
  const allowed: string[] = [];
  for (const endpoint of endpoints) {
    const params = match(endpoint.path.split('/'), segments);
    if (params === undefined) continue;
    if (endpoint.method === method) return { found: true, endpoint, params };
    allowed.push(endpoint.method);
  }
  if (allowed.length > 0)
    return {
      found: false,
      status: 405,
      allow: allowed.join(', '),
      failure: { code: 'invalid_request', path: [], message: `${pathname} takes ${allowed.join(' and ')}` },
    };
  const hint = suggestHint(pathname, new Set(endpoints.map(({ path }) => path)));
  return {
    found: false,
    status: 404,
    failure: { code: 'not_found', path: [], message: `there is no ${pathname.slice(0, 200)}`, hint },
  };
}

function match(pattern: readonly string[], segments: readonly string[]): readonly string[] | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params: string[] = [];
  for (const [i, part] of pattern.entries()) {
    const segment = segments[i]!;
    if (!part.startsWith('{')) {
      if (part !== segment) return undefined;
      continue;
    }
    try {
      params.push(decodeURIComponent(segment));
    } catch {
      return undefined;
    }
  }
  return params;
}
