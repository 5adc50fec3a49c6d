import {
  BAD_GRANT,
  BAD_PARAMS,
  type Denial,
  deny,
  isKindOf,
  type Request,
  WRONG_TYPE,
  wrongKind,
} from './enforcer-request.ts';

/** Enforcers of the extensions (`builtins.md` §6.2). */

/** `sys/CapEnforceFabric@1`. A blob's size is the adapter's to check. */
export function enforceFabric({ kind, grant, params }: Request): Denial | undefined {
  const worlds = grant?.texts('worlds');
  const schemas = grant?.texts('schemas');
  const modes = grant?.texts('modes');
  const bytesMax = grant?.nat('max_bytes');
  if (
    grant === undefined ||
    worlds === WRONG_TYPE ||
    schemas === WRONG_TYPE ||
    modes === WRONG_TYPE ||
    bytesMax === WRONG_TYPE
  ) {
    return BAD_GRANT;
  }
  if (params === undefined) return BAD_PARAMS;
  if (!isKindOf(kind, 'fabric.send')) return wrongKind(kind);
  const world = params.text('dest_world');
  const schema = params.text('schema');
  const mode = params.text('mode');
  const value = params.variant('value');
  if (
    typeof world !== 'string' ||
    typeof schema !== 'string' ||
    mode === WRONG_TYPE ||
    value === WRONG_TYPE ||
    value === undefined
  ) {
    return BAD_PARAMS;
  }

  if (worlds !== undefined && !worlds.has(world)) return deny('world_not_allowed', 'world not allowed', world);
  if (schemas !== undefined && !schemas.has(schema)) return deny('schema_not_allowed', 'schema not allowed', schema);
  if (modes !== undefined && !modes.has(mode ?? 'event')) {
    return deny('mode_not_allowed', 'mode not allowed', mode ?? 'event');
  }
  if (bytesMax !== undefined && value.tag === 'cbor') {
    if (value.value.kind !== 'bytes') return BAD_PARAMS;
    const size = value.value.value.length;
    if (BigInt(size) > bytesMax) {
      return deny('message_too_large', 'more bytes than the grant allows', `${size} > ${bytesMax}`);
    }
  }
  return undefined;
}

/** `sys/CapEnforceMcp@1`. */
export function enforceMcp({ kind, grant, params }: Request): Denial | undefined {
  const servers = grant?.texts('servers');
  const tools = grant?.texts('tools');
  if (grant === undefined || servers === WRONG_TYPE || tools === WRONG_TYPE) return BAD_GRANT;
  if (params === undefined) return BAD_PARAMS;
  if (!isKindOf(kind, 'mcp.call')) return wrongKind(kind);
  const server = params.text('server');
  const tool = params.text('tool');
  if (typeof server !== 'string' || typeof tool !== 'string') return BAD_PARAMS;

  if (servers !== undefined && !servers.has(server)) return deny('server_not_allowed', 'server not allowed', server);
  if (tools !== undefined && !tools.has(`${server}/${tool}`) && !tools.has(`${server}/*`)) {
    return deny('tool_not_allowed', 'tool not allowed', `${server}/${tool}`);
  }
  return undefined;
}

/** What an entry of the scope must say for each kind; a colon asks for a prefix of the reducer's name. */
const QUERIES: ReadonlyMap<string, string> = new Map([
  ['introspect.manifest', 'manifest'],
  ['introspect.journal_head', 'journal'],
  ['introspect.reducer_state', 'state:'],
  ['introspect.list_cells', 'cells:'],
]);

export function isQueryKind(kind: string): boolean {
  return QUERIES.has(kind);
}

/** `sys/CapEnforceQuery@1` (`workspaces.md` §10.3). */
export function enforceQuery({ kind, grant, params }: Request): Denial | undefined {
  const scope = grant?.text('scope');
  if (grant === undefined || scope === WRONG_TYPE) return BAD_GRANT;
  if (params === undefined) return BAD_PARAMS;
  const query = QUERIES.get(kind);
  if (query === undefined) return wrongKind(kind);
  const reducer = query.endsWith(':') ? params.text('reducer') : '';
  if (typeof reducer !== 'string') return BAD_PARAMS;

  if (scope === undefined || scope === '') return undefined;
  const allowed = scope
    .split(',')
    .some((entry) =>
      query.endsWith(':') ? entry.startsWith(query) && reducer.startsWith(entry.slice(query.length)) : entry === query,
    );
  return allowed ? undefined : deny('scope_not_allowed', 'outside the scope of the grant', `${query}${reducer}`);
}
