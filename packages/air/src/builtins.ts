import { fromHex } from '@worldline/canon';
import { BUILTIN_HASHES } from './builtins-hashes.ts';
import { typeFromNotation } from './builtins-notation.ts';
import { BUILTIN_SCHEMAS } from './builtins-schemas.ts';
import type { CapDef, Def, EffectDef, ModuleDef, OriginScope, SchemaDef } from './node.ts';
import type { Type, TypeScope } from './type.ts';

/**
 * The `sys/*` catalogue (`builtins.md`): definitions that come with the runtime and with no one else. Their hashes are
 * published facts (§7) that manifests pin, so a definition here never changes; what the runtime does beyond a published
 * definition is an override (§6.3) and lives in `effectiveScope` and `effectiveEnforcer`.
 */

/** `sys/<kind>@1`: params, receipt, cap type, origin scope (§3, §6.1). */
const EFFECTS: readonly (readonly [kind: string, params: string, receipt: string, capType: string, OriginScope])[] = [
  ['http.request', 'HttpRequestParams', 'HttpRequestReceipt', 'http.out', 'plan'],
  ['blob.put', 'BlobPutParams', 'BlobPutReceipt', 'blob', 'both'],
  ['blob.get', 'BlobGetParams', 'BlobGetReceipt', 'blob', 'reducer'],
  ['timer.set', 'TimerSetParams', 'TimerSetReceipt', 'timer', 'reducer'],
  ['llm.generate', 'LlmGenerateParams', 'LlmGenerateReceipt', 'llm.basic', 'plan'],
  ['vault.put', 'VaultPutParams', 'VaultPutReceipt', 'secret', 'plan'],
  ['vault.rotate', 'VaultRotateParams', 'VaultRotateReceipt', 'secret', 'plan'],
  ['governance.propose', 'GovProposeParams', 'GovProposeReceipt', 'governance', 'plan'],
  ['governance.shadow', 'GovShadowParams', 'GovShadowReceipt', 'governance', 'plan'],
  ['governance.approve', 'GovApproveParams', 'GovApproveReceipt', 'governance', 'plan'],
  ['governance.apply', 'GovApplyParams', 'GovApplyReceipt', 'governance', 'plan'],
  ['workspace.resolve', 'WorkspaceResolveParams', 'WorkspaceResolveReceipt', 'workspace', 'plan'],
  ['workspace.empty_root', 'WorkspaceEmptyRootParams', 'WorkspaceEmptyRootReceipt', 'workspace', 'plan'],
  ['workspace.list', 'WorkspaceListParams', 'WorkspaceListReceipt', 'workspace', 'plan'],
  ['workspace.read_ref', 'WorkspaceReadRefParams', 'WorkspaceReadRefReceipt', 'workspace', 'plan'],
  ['workspace.read_bytes', 'WorkspaceReadBytesParams', 'WorkspaceReadBytesReceipt', 'workspace', 'plan'],
  ['workspace.write_bytes', 'WorkspaceWriteBytesParams', 'WorkspaceWriteBytesReceipt', 'workspace', 'plan'],
  ['workspace.remove', 'WorkspaceRemoveParams', 'WorkspaceRemoveReceipt', 'workspace', 'plan'],
  ['workspace.diff', 'WorkspaceDiffParams', 'WorkspaceDiffReceipt', 'workspace', 'plan'],
  ['workspace.annotations_get', 'WorkspaceAnnotationsGetParams', 'WorkspaceAnnotationsGetReceipt', 'workspace', 'plan'],
  ['workspace.annotations_set', 'WorkspaceAnnotationsSetParams', 'WorkspaceAnnotationsSetReceipt', 'workspace', 'plan'],
  ['introspect.manifest', 'IntrospectManifestParams', 'IntrospectManifestReceipt', 'query', 'plan'],
  ['introspect.reducer_state', 'IntrospectReducerStateParams', 'IntrospectReducerStateReceipt', 'query', 'plan'],
  ['introspect.journal_head', 'IntrospectJournalHeadParams', 'IntrospectJournalHeadReceipt', 'query', 'plan'],
  ['introspect.list_cells', 'IntrospectListCellsParams', 'IntrospectListCellsReceipt', 'query', 'plan'],
  ['timer.after', 'TimerAfterParams', 'TimerSetReceipt', 'timer', 'both'],
  ['approval.request', 'ApprovalRequestParams', 'ApprovalRequestReceipt', 'approval', 'plan'],
  ['fabric.send', 'FabricSendParams', 'FabricSendReceipt', 'fabric', 'plan'],
  ['mcp.call', 'McpCallParams', 'McpCallReceipt', 'mcp', 'plan'],
];

/** Enforcer name that means "no check" (§1). It is no module: nothing may list it. */
export const CAP_ALLOW_ALL = 'sys/CapAllowAll@1';

/** `sys/<cap type>@1`: schema and enforcer (§4, §6.1). */
const CAPS: readonly (readonly [capType: string, schema: string, enforcer: string])[] = [
  ['query', '{scope?: text}', CAP_ALLOW_ALL],
  ['timer', '{}', CAP_ALLOW_ALL],
  ['blob', '{namespaces?: set<text>}', CAP_ALLOW_ALL],
  [
    'http.out',
    '{hosts?: set<text>, schemes?: set<text>, methods?: set<text>, ports?: set<nat>, path_prefixes?: set<text>}',
    'sys/CapEnforceHttpOut@1',
  ],
  [
    'llm.basic',
    '{providers?: set<text>, models?: set<text>, max_tokens?: nat, tools_allow?: set<text>}',
    'sys/CapEnforceLlmBasic@1',
  ],
  ['secret', '{}', CAP_ALLOW_ALL],
  ['workspace', '{workspaces?: list<text>, path_prefixes?: list<text>, ops?: set<text>}', 'sys/CapEnforceWorkspace@1'],
  [
    'governance',
    '{ops?: set<text>, def_kinds?: set<text>, name_prefixes?: set<text>, manifest_sections?: set<text>}',
    'sys/CapEnforceGovernance@1',
  ],
  ['approval', '{}', CAP_ALLOW_ALL],
  ['fabric', '{worlds: set<text>, schemas?: set<text>, modes?: set<text>, max_bytes?: nat}', 'sys/CapEnforceFabric@1'],
  ['mcp', '{servers: set<text>, tools?: set<text>, tool_digests?: map<text, hash>}', 'sys/CapEnforceMcp@1'],
];

/** Pure modules that check grants; part of the runtime, they need not be listed (§4.1, §5, §6.1). */
export const BUILTIN_ENFORCERS: ReadonlySet<string> = new Set([
  'sys/CapEnforceHttpOut@1',
  'sys/CapEnforceLlmBasic@1',
  'sys/CapEnforceGovernance@1',
  'sys/CapEnforceWorkspace@1',
  'sys/CapEnforceFabric@1',
  'sys/CapEnforceMcp@1',
  'sys/CapEnforceQuery@1',
]);

/** "Not built yet", or for `sys/*` modules "provided by the runtime" (`definitions.md` §3.2). */
export const ZERO_HASH_TEXT = `sha256:${'0'.repeat(64)}`;

export interface Builtins {
  readonly schemas: ReadonlyMap<string, Def<SchemaDef>>;
  /** By definition name (`sys/timer.set@1`), with the published origin scope. */
  readonly effects: ReadonlyMap<string, Def<EffectDef>>;
  readonly caps: ReadonlyMap<string, Def<CapDef>>;
  readonly modules: ReadonlyMap<string, Def<ModuleDef>>;
}

/** Made when it is first asked for. A world uses few of the built-in types, and reading them all took 10 ms of every start. */
function lazy<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

function table<D extends { readonly name: string }>(defs: readonly D[]): ReadonlyMap<string, Def<D>> {
  return new Map(
    defs.map((def) => {
      const hash = lazy(() => publishedHash(def.name));
      return [
        def.name,
        {
          def,
          get hash() {
            return hash();
          },
        },
      ];
    }),
  );
}

function publishedHash(name: string): Uint8Array {
  const hash = fromHex(BUILTIN_HASHES[name] ?? '');
  if (hash === undefined || hash.length !== 32) throw new Error(`no published hash for ${name}`);
  return hash;
}

function builtinSchema(name: string, notation: string): SchemaDef {
  const type = lazy(() => typeFromNotation(notation));
  return {
    kind: 'defschema',
    name,
    get type() {
      return type();
    },
  };
}

function builtinCap(capType: string, notation: string, enforcer: string): CapDef {
  const schema = lazy(() => typeFromNotation(notation));
  return {
    kind: 'defcap',
    name: `sys/${capType}@1`,
    capType,
    get schema() {
      return schema();
    },
    enforcer,
  };
}

function enforcerModule(name: string): ModuleDef {
  return {
    kind: 'defmodule',
    name,
    moduleKind: 'pure',
    wasmHash: ZERO_HASH_TEXT,
    pure: { input: 'sys/CapCheckInput@1', output: 'sys/CapCheckOutput@1' },
  };
}

function builtinReducer(name: string, schemas: { state: string; event: string; key?: string }): ModuleDef {
  return {
    kind: 'defmodule',
    name,
    moduleKind: 'reducer',
    wasmHash: ZERO_HASH_TEXT,
    keySchema: schemas.key,
    reducer: {
      state: schemas.state,
      event: schemas.event,
      context: 'sys/ReducerContext@1',
      effectsEmitted: [],
      capSlots: {},
    },
  };
}

/** Every built-in definition with its published hash (`builtins.md` §7). */
export const BUILTINS: Builtins = {
  schemas: table(Object.entries(BUILTIN_SCHEMAS).map(([name, notation]) => builtinSchema(name, notation))),
  effects: table(
    EFFECTS.map(([effectKind, params, receipt, capType, originScope]) => ({
      kind: 'defeffect' as const,
      name: `sys/${effectKind}@1`,
      effectKind,
      paramsSchema: `sys/${params}@1`,
      receiptSchema: `sys/${receipt}@1`,
      capType,
      originScope,
    })),
  ),
  caps: table(CAPS.map(([capType, schema, enforcer]) => builtinCap(capType, schema, enforcer))),
  modules: table([
    ...[...BUILTIN_ENFORCERS].map(enforcerModule),
    builtinReducer('sys/Workspace@1', {
      state: 'sys/WorkspaceHistory@1',
      event: 'sys/WorkspaceCommit@1',
      key: 'sys/WorkspaceName@1',
    }),
    builtinReducer('sys/HttpPublish@1', { state: 'sys/HttpPublishRegistry@1', event: 'sys/HttpPublishSet@1' }),
  ]),
};

const EFFECTS_BY_KIND: ReadonlyMap<string, Def<EffectDef>> = new Map(
  [...BUILTINS.effects.values()].map((effect) => [effect.def.effectKind, effect]),
);

/** The built-in effect of a kind, listed by a manifest or not; its scope is the published one. */
export function builtinEffect(kind: string): Def<EffectDef> | undefined {
  return EFFECTS_BY_KIND.get(kind);
}

/**
 * Who may emit the effect. The published `timer.set` and `blob.get` say `reducer` and count as `both`, so that plans can
 * race deadlines (`builtins.md` §6.3). Only the built-in definitions are widened; kinds are unique, so the name decides.
 */
export function effectiveScope(effect: EffectDef): OriginScope {
  return effect.name === 'sys/timer.set@1' || effect.name === 'sys/blob.get@1' ? 'both' : effect.originScope;
}

/** The module that checks grants of the cap. `sys/query@1` is checked although its definition names none (§6.3). */
export function effectiveEnforcer(cap: CapDef): string {
  return cap.name === 'sys/query@1' ? 'sys/CapEnforceQuery@1' : cap.enforcer;
}

const governanceExtra = lazy(() => typeFromNotation('{actions?: set<text>, self_approve?: bool}'));

/**
 * The schema that grant params of a cap are read with. Grants of `sys/governance@1` may carry two more members
 * (`governance.md` §8); a grant that uses neither keeps the published schema, and so its published grant hash.
 *
 * @param members - Names of the members the grant's author wrote.
 */
export function grantSchema(cap: CapDef, members: readonly string[]): Type {
  const more = governanceExtra();
  if (cap.name !== 'sys/governance@1' || cap.schema.kind !== 'record' || more.kind !== 'record') return cap.schema;
  const extra = more.fields;
  if (!members.some((member) => extra.has(member))) return cap.schema;
  return { kind: 'record', fields: new Map([...cap.schema.fields, ...extra]) };
}

const SCOPE: TypeScope = { lookup: (name) => BUILTINS.schemas.get(name)?.def.type };

/** The built-in schemas alone, as a scope for reading values. */
export function builtinScope(): TypeScope {
  return SCOPE;
}
