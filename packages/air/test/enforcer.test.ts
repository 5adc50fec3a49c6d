import { type CborValue, encode } from '@worldline/canon';
import { describe, expect, it } from 'vitest';
import { BUILTIN_ENFORCERS, BUILTINS, builtinEffect, builtinScope, grantSchema } from '../src/builtins.ts';
import { type EnforcerInput, type EnforcerVerdict, runBuiltinEnforcer } from '../src/enforcer.ts';
import type { Type } from '../src/type.ts';
import { normalizeCbor } from '../src/value-cbor.ts';

const scope = builtinScope();

interface Case {
  readonly cap?: string;
  readonly schema?: Type;
  readonly grant: CborValue;
  readonly kind: string;
  readonly params: CborValue;
  readonly paramsType?: Type;
}

function judge(module: string, given: Case): EnforcerVerdict | undefined {
  const cap = BUILTINS.caps.get(given.cap ?? '');
  const members = Object.keys(given.grant as object);
  const input: EnforcerInput = {
    capDef: given.cap ?? 'com.acme/cap@1',
    grantName: 'g',
    capSchema: given.schema ?? grantSchema((cap as NonNullable<typeof cap>).def, members),
    capParams: encode(given.grant),
    effectKind: given.kind,
    effectParams: encode(given.params),
    paramsType: given.paramsType ?? { kind: 'ref', name: builtinEffect(given.kind)?.def.paramsSchema ?? '' },
    origin: { kind: 'plan', name: 'com.acme/P@1' },
    logicalNowNs: 0n,
    scope,
  };
  const verdict = runBuiltinEnforcer(module, input);
  // Who has the value need not have it read from its bytes.
  const read = normalizeCbor(input.effectParams, input.paramsType, scope);
  if (read.ok) expect(runBuiltinEnforcer(module, { ...input, effectValue: read.value.value })).toEqual(verdict);
  return verdict;
}

/** `ok`, or the deny code. */
function code(module: string, given: Case): string {
  const verdict = judge(module, given);
  if (verdict === undefined) return 'not built in';
  if (verdict.ok) return 'ok';
  expect(verdict.message).not.toBe('');
  return verdict.code;
}

const record = (fields: Readonly<Record<string, Type>>): Type => ({
  kind: 'record',
  fields: new Map(Object.entries(fields)),
});
const setOf = (item: Type): Type => ({ kind: 'set', item });
const text: Type = { kind: 'text' };

describe('which modules are built in', () => {
  it('every enforcer of the catalogue is, and nothing else', () => {
    const given: Case = { schema: record({}), grant: {}, kind: 'x.y', params: {}, paramsType: record({}) };
    for (const name of BUILTIN_ENFORCERS) expect(judge(name, given)).toBeDefined();
    expect(judge('com.acme/enforce@1', given)).toBeUndefined();
    expect(judge('sys/Workspace@1', given)).toBeUndefined();
  });

  it('sys/CapAllowAll@1 allows without looking at anything (§1)', () => {
    expect(code('sys/CapAllowAll@1', { schema: text, grant: 5, kind: 'x', params: 5, paramsType: text })).toBe('ok');
  });

  it('a kind the enforcer does not know is effect_kind_mismatch (§4.1)', () => {
    const given: Case = { schema: record({}), grant: {}, kind: 'x.y', params: {}, paramsType: record({}) };
    for (const name of BUILTIN_ENFORCERS) expect(code(name, given)).toBe('effect_kind_mismatch');
  });

  it('bytes that do not decode: the grant first, then the params (§4.1)', () => {
    for (const name of BUILTIN_ENFORCERS) {
      const base: Case = { schema: record({}), grant: {}, kind: 'x.y', params: {}, paramsType: record({}) };
      expect(code(name, { ...base, grant: { a: 1 }, params: 1 })).toBe('cap_params_invalid');
      expect(code(name, { ...base, params: 1 })).toBe('effect_params_invalid');
    }
  });
});

describe('sys/CapEnforceHttpOut@1 (builtins.md §4.2)', () => {
  const http = (grant: CborValue, url: string, method = 'GET'): string =>
    code('sys/CapEnforceHttpOut@1', {
      cap: 'sys/http.out@1',
      grant,
      kind: 'http.request',
      params: { method, url, headers: {}, body_ref: null },
    });

  it.each<[string, string, CborValue, string, string]>([
    ['an empty grant restricts nothing', 'ok', {}, 'http://h.example/', 'DELETE'],
    ['step 1: the url must have the form', 'invalid_url', {}, 'http://h_example/', 'GET'],
    ['step 2: the host, whatever its case', 'ok', { hosts: ['H.Example'] }, 'http://h.EXAMPLE/', 'GET'],
    ['step 2: no subdomain', 'host_not_allowed', { hosts: ['example'] }, 'http://h.example/', 'GET'],
    ['step 2: IPv6 stands with brackets', 'ok', { hosts: ['[::1]'] }, 'http://[::1]:80/', 'GET'],
    ['step 3: the scheme', 'scheme_not_allowed', { schemes: ['HTTPS'] }, 'http://h/', 'GET'],
    ['step 3: any case', 'ok', { schemes: ['HTTPS'] }, 'https://h/', 'GET'],
    ['step 4: the method', 'method_not_allowed', { methods: ['GET'] }, 'http://h/', 'POST'],
    ['step 4: any case', 'ok', { methods: ['post'] }, 'http://h/', 'POST'],
    ['step 5: the default port', 'ok', { ports: [443] }, 'https://h/', 'GET'],
    ['step 5: another port', 'port_not_allowed', { ports: [80, 443] }, 'https://h:8443/', 'GET'],
    ['step 6: the path itself', 'ok', { path_prefixes: ['/ok'] }, 'https://h/ok?x=/', 'GET'],
    ['step 6: below it', 'ok', { path_prefixes: ['/ok'] }, 'https://h/ok/x', 'GET'],
    ['step 6: not beside it', 'path_not_allowed', { path_prefixes: ['/ok'] }, 'https://h/okay', 'GET'],
    ['step 6: not out of it', 'path_not_allowed', { path_prefixes: ['/ok'] }, 'https://h/ok/../secret', 'GET'],
    ['step 6: a prefix that ends in a slash', 'ok', { path_prefixes: ['/ok/'] }, 'https://h/ok/x', 'GET'],
    ['step 6: and not the folder itself', 'path_not_allowed', { path_prefixes: ['/ok/'] }, 'https://h/ok', 'GET'],
    ['step 6: the root allows all', 'ok', { path_prefixes: ['/'] }, 'https://h', 'GET'],
    ['an empty set of hosts allows none', 'host_not_allowed', { hosts: [] }, 'http://h/', 'GET'],
    ['an empty set of schemes allows none', 'scheme_not_allowed', { schemes: [] }, 'http://h/', 'GET'],
    ['an empty set of methods allows none', 'method_not_allowed', { methods: [] }, 'http://h/', 'GET'],
    ['an empty set of ports allows none', 'port_not_allowed', { ports: [] }, 'http://h/', 'GET'],
    ['an empty set of prefixes allows none', 'path_not_allowed', { path_prefixes: [] }, 'http://h/', 'GET'],
    ['null is absent', 'ok', { hosts: null, ports: null }, 'http://h/', 'GET'],
  ])('%s → %s', (_, expected, grant, url, method) => {
    expect(http(grant, url, method)).toBe(expected);
  });

  it('the first failing step decides', () => {
    const nothing = { hosts: [], schemes: [], methods: [], ports: [], path_prefixes: [] };
    expect(http(nothing, 'nonsense')).toBe('invalid_url');
    expect(http(nothing, 'http://h/')).toBe('host_not_allowed');
    expect(http({ ...nothing, hosts: ['h'] }, 'http://h/')).toBe('scheme_not_allowed');
    expect(http({ ...nothing, hosts: ['h'], schemes: ['http'] }, 'http://h/')).toBe('method_not_allowed');
    expect(http({ ports: [], path_prefixes: [] }, 'http://h/')).toBe('port_not_allowed');
  });

  it('a world may narrow the cap: fields may be required, missing or added (§4.1)', () => {
    const params = { method: 'GET', url: 'https://h/', headers: {}, body_ref: null };
    const narrow = record({ hosts: setOf(text), note: text });
    const given: Case = { schema: narrow, grant: { hosts: ['h'], note: 'ours' }, kind: 'http.request', params };
    expect(code('sys/CapEnforceHttpOut@1', given)).toBe('ok');
    expect(code('sys/CapEnforceHttpOut@1', { ...given, grant: { hosts: [], note: '' } })).toBe('host_not_allowed');
  });

  it('a known field of another type is cap_params_invalid, even while it is empty (§4.1)', () => {
    const params = { method: 'GET', url: 'https://h/', headers: {}, body_ref: null };
    const wrong = [
      record({ hosts: { kind: 'list', item: text } }),
      record({ hosts: setOf({ kind: 'nat' }) }),
      record({ hosts: { kind: 'option', item: setOf({ kind: 'bytes' }) } }),
    ];
    for (const schema of wrong) {
      const given: Case = { schema, grant: { hosts: [] }, kind: 'http.request', params };
      expect(code('sys/CapEnforceHttpOut@1', given)).toBe('cap_params_invalid');
    }
  });

  it('the message names what was refused and is cut without splitting a character', () => {
    const given: Case = {
      cap: 'sys/http.out@1',
      grant: { methods: [] },
      kind: 'http.request',
      params: { method: '😀'.repeat(100), url: 'http://h/', headers: {}, body_ref: null },
    };
    expect(judge('sys/CapEnforceHttpOut@1', given)).toEqual({
      ok: false,
      code: 'method_not_allowed',
      message: `method not allowed: ${'😀'.repeat(80)}…`,
    });
  });
});

describe('sys/CapEnforceLlmBasic@1 (builtins.md §4.3)', () => {
  const params = {
    provider: 'p',
    model: 'm',
    temperature: '0',
    max_tokens: 100,
    message_refs: [],
    tool_refs: null,
    tool_choice: null,
    api_key: null,
  };
  const tool = { ...params, tool_choice: { Tool: { name: 'search' } } };
  it.each<[string, CborValue, CborValue]>([
    ['ok', {}, params],
    ['ok', { providers: ['p'], models: ['m'], max_tokens: 100, tools_allow: [] }, params],
    ['provider_not_allowed', { providers: ['P'], models: [] }, params],
    ['model_not_allowed', { models: [], max_tokens: 1 }, params],
    ['max_tokens_exceeded', { max_tokens: 99, tools_allow: [] }, tool],
    ['tool_not_allowed', { tools_allow: [] }, tool],
    ['ok', { tools_allow: ['search'] }, tool],
    ['ok', { tools_allow: [] }, { ...params, tool_choice: { Required: null } }],
  ])('%s', (expected, grant, given) => {
    expect(
      code('sys/CapEnforceLlmBasic@1', { cap: 'sys/llm.basic@1', grant, kind: 'llm.generate', params: given }),
    ).toBe(expected);
  });
});

describe('sys/CapEnforceGovernance@1 (builtins.md §4.4, actions of governance.md §8)', () => {
  const hash = `sha256:${'0'.repeat(64)}`;
  const summary = {
    base_manifest_hash: null,
    patch_hash: hash,
    ops: ['add_def'],
    def_changes: [{ kind: 'defplan', name: 'com.acme/P@1', action: { added: null } }],
    manifest_sections: ['triggers'],
  };
  const params = { patch: { hash }, summary, manifest_base: null, description: null };
  const propose = (grant: CborValue, given: CborValue = params): string =>
    code('sys/CapEnforceGovernance@1', { cap: 'sys/governance@1', grant, kind: 'governance.propose', params: given });

  it.each<[string, CborValue]>([
    ['ok', {}],
    ['ok', { ops: ['add_def'], def_kinds: ['defplan'], name_prefixes: ['com.acme/'], manifest_sections: ['triggers'] }],
    ['op_not_allowed', { ops: [], def_kinds: [] }],
    ['def_kind_not_allowed', { def_kinds: ['defschema'], name_prefixes: [] }],
    ['name_prefix_not_allowed', { name_prefixes: ['com.other/'], manifest_sections: [] }],
    ['manifest_section_not_allowed', { manifest_sections: [] }],
    ['action_not_allowed', { actions: [], ops: [] }],
    ['ok', { actions: ['propose'], self_approve: true }],
  ])('%s', (expected, grant) => {
    expect(propose(grant)).toBe(expected);
  });

  it('no summary is no change', () => {
    expect(propose({ ops: [], def_kinds: [], manifest_sections: [] }, { ...params, summary: null })).toBe('ok');
  });

  it('approve and apply need to be granted', () => {
    const given: Case = { cap: 'sys/governance@1', grant: {}, kind: 'governance.apply', params: { proposal_id: 1 } };
    expect(code('sys/CapEnforceGovernance@1', given)).toBe('action_not_allowed');
    expect(code('sys/CapEnforceGovernance@1', { ...given, grant: { actions: ['apply'] } })).toBe('ok');
    expect(code('sys/CapEnforceGovernance@1', { ...given, kind: 'governance.shadow' })).toBe('ok');
  });
});

describe('sys/CapEnforceWorkspace@1 (builtins.md §4.5)', () => {
  const root = `sha256:${'0'.repeat(64)}`;
  const list = (path: string | null): CborValue => ({ root_hash: root, path, scope: null, cursor: null, limit: 1 });
  const judged = (kind: string, grant: CborValue, params: CborValue): string =>
    code('sys/CapEnforceWorkspace@1', { cap: 'sys/workspace@1', grant, kind, params });

  it.each<[string, string, CborValue, CborValue]>([
    [
      'ok',
      'workspace.resolve',
      { workspaces: ['w'], ops: ['RESOLVE'], path_prefixes: [] },
      { workspace: 'w', version: null },
    ],
    ['workspace_not_allowed', 'workspace.resolve', { workspaces: [] }, { workspace: 'w', version: null }],
    ['workspace_not_allowed', 'workspace.empty_root', { workspaces: ['W'] }, { workspace: 'w' }],
    ['op_not_allowed', 'workspace.empty_root', { ops: ['resolve'], workspaces: [] }, { workspace: 'w' }],
    ['op_not_allowed', 'workspace.list', { ops: [] }, list('a')],
    ['ok', 'workspace.list', { path_prefixes: ['a'], ops: ['list'], workspaces: [] }, list('a')],
    ['ok', 'workspace.list', { path_prefixes: ['a/'] }, list('a/b')],
    ['path_not_allowed', 'workspace.list', { path_prefixes: ['a'] }, list('ab')],
    ['path_not_allowed', 'workspace.list', { path_prefixes: ['a'] }, list(null)],
    ['path_not_allowed', 'workspace.list', { path_prefixes: [] }, list('a')],
    ['ok', 'workspace.list', { path_prefixes: [''] }, list(null)],
    ['ok', 'workspace.list', {}, list(null)],
    ['op_not_allowed', 'workspace.remove', { ops: ['read'] }, { root_hash: root, path: 'a' }],
    ['ok', 'workspace.read_ref', { ops: ['read'] }, { root_hash: root, path: 'a' }],
    ['ok', 'workspace.diff', { ops: ['diff'], path_prefixes: ['a'] }, { root_a: root, root_b: root, prefix: 'a/b' }],
    ['path_not_allowed', 'workspace.diff', { path_prefixes: ['a'] }, { root_a: root, root_b: root, prefix: null }],
  ])('%s for %s', (expected, kind, grant, params) => {
    expect(judged(kind, grant, params)).toBe(expected);
  });

  it('knows the operation of every workspace kind of the catalogue', () => {
    const kinds = [...BUILTINS.effects.values()]
      .map(({ def }) => def.effectKind)
      .filter((kind) => kind.startsWith('workspace.'));
    expect(kinds).toHaveLength(10);
    for (const kind of kinds) {
      const anything = record({ workspace: { kind: 'option', item: text } });
      const params = { workspace: 'w' };
      const given: Case = { cap: 'sys/workspace@1', grant: {}, kind, params, paramsType: anything };
      expect(code('sys/CapEnforceWorkspace@1', given)).toBe('ok');
    }
  });
});

describe('enforcers of the extensions (builtins.md §6.2)', () => {
  const message = {
    dest_world: 'w',
    schema: 'com.acme/E@1',
    value: { cbor: new Uint8Array(10) },
    key: null,
    correlation_id: null,
    mode: null,
  };
  it.each<[string, CborValue, CborValue]>([
    ['ok', { worlds: ['w'] }, message],
    ['world_not_allowed', { worlds: [], schemas: [] }, message],
    ['world_not_allowed', { worlds: ['W'] }, message],
    ['schema_not_allowed', { worlds: ['w'], schemas: [], modes: [] }, message],
    ['mode_not_allowed', { worlds: ['w'], modes: ['inbox'], max_bytes: 0 }, message],
    ['ok', { worlds: ['w'], modes: ['event'] }, message],
    ['mode_not_allowed', { worlds: ['w'], modes: ['event'] }, { ...message, mode: 'inbox' }],
    ['message_too_large', { worlds: ['w'], max_bytes: 9 }, message],
    ['ok', { worlds: ['w'], max_bytes: 10 }, message],
    ['ok', { worlds: ['w'], max_bytes: 0 }, { ...message, value: { blob_ref: `sha256:${'0'.repeat(64)}` } }],
  ])('fabric: %s', (expected, grant, params) => {
    expect(code('sys/CapEnforceFabric@1', { cap: 'sys/fabric@1', grant, kind: 'fabric.send', params })).toBe(expected);
  });

  it('fabric: a typed kind is judged by its rewritten params', () => {
    const paramsType: Type = { kind: 'ref', name: 'sys/FabricSendParams@1' };
    const given: Case = {
      cap: 'sys/fabric@1',
      grant: { worlds: [] },
      kind: 'fabric.send.ask',
      params: message,
      paramsType,
    };
    expect(code('sys/CapEnforceFabric@1', given)).toBe('world_not_allowed');
    expect(code('sys/CapEnforceFabric@1', { ...given, kind: 'fabric.sender' })).toBe('effect_kind_mismatch');
  });

  const call = { server: 's', tool: 't', arguments: {}, arguments_ref: null, tool_digest: null };
  it.each<[string, CborValue]>([
    ['ok', { servers: ['s'] }],
    ['server_not_allowed', { servers: [], tools: [] }],
    ['tool_not_allowed', { servers: ['s'], tools: [] }],
    ['tool_not_allowed', { servers: ['s'], tools: ['t', 'x/t', 's/'] }],
    ['ok', { servers: ['s'], tools: ['s/t'] }],
    ['ok', { servers: ['s'], tools: ['s/*'] }],
  ])('mcp: %s', (expected, grant) => {
    expect(code('sys/CapEnforceMcp@1', { cap: 'sys/mcp@1', grant, kind: 'mcp.call', params: call })).toBe(expected);
  });

  it('mcp: of typed params only server and tool are read', () => {
    const paramsType = record({ server: text, tool: text, arguments: record({ q: text }) });
    const params = { server: 's', tool: 't', arguments: { q: 'x' } };
    const given: Case = { cap: 'sys/mcp@1', grant: { servers: ['s'] }, kind: 'mcp.call.search', params, paramsType };
    expect(code('sys/CapEnforceMcp@1', given)).toBe('ok');
    const other = { ...given, params: { server: 's' }, paramsType: record({ server: text }) };
    expect(code('sys/CapEnforceMcp@1', other)).toBe('effect_params_invalid');
  });

  it.each<[string, string | null, string, CborValue]>([
    ['ok', null, 'introspect.manifest', { consistency: 'head' }],
    ['ok', '', 'introspect.list_cells', { reducer: 'a/R@1' }],
    ['ok', 'journal,manifest', 'introspect.manifest', { consistency: 'head' }],
    ['scope_not_allowed', 'manifest', 'introspect.journal_head', {}],
    ['ok', 'journal', 'introspect.journal_head', {}],
    ['ok', 'state:com.acme/', 'introspect.reducer_state', { reducer: 'com.acme/R@1', key: null, consistency: 'head' }],
    [
      'scope_not_allowed',
      'state:com.acme/',
      'introspect.reducer_state',
      { reducer: 'com.b/R@1', key: null, consistency: 'head' },
    ],
    ['scope_not_allowed', 'state:com.acme/', 'introspect.list_cells', { reducer: 'com.acme/R@1' }],
    ['ok', 'journal,cells:com.acme/R@1', 'introspect.list_cells', { reducer: 'com.acme/R@1' }],
    ['scope_not_allowed', ',', 'introspect.journal_head', {}],
  ])('query: %s for scope %s and %s', (expected, allowed, kind, params) => {
    expect(code('sys/CapEnforceQuery@1', { cap: 'sys/query@1', grant: { scope: allowed }, kind, params })).toBe(
      expected,
    );
  });
});
