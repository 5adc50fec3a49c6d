/**
 * Types of the built-in schemas in the notation of `builtins.md` §2 and §6.1: `{a: T, b?: U}` is a record whose field
 * `b` is an option of U, `variant(A, B: T)` a variant whose arm A has type unit, a name with `/` a ref.
 */
export const BUILTIN_SCHEMAS: Readonly<Record<string, string>> = {
  'sys/TimerFired@1':
    '{intent_hash: hash, reducer: text, effect_kind: text, adapter_id: text, status: text, requested: sys/TimerSetParams@1, receipt: sys/TimerSetReceipt@1, cost_cents?: nat, signature: bytes}',
  'sys/ReducerContext@1':
    '{now_ns: nat, logical_now_ns: nat, journal_height: nat, entropy: bytes, event_hash: hash, manifest_hash: hash, reducer: text, key?: bytes, cell_mode: bool}',
  'sys/PureContext@1': '{logical_now_ns: nat, journal_height: nat, manifest_hash: hash, module: text}',
  'sys/BlobPutResult@1':
    '{intent_hash: hash, reducer: text, effect_kind: text, adapter_id: text, status: text, requested: sys/BlobPutParams@1, receipt: sys/BlobPutReceipt@1, cost_cents?: nat, signature: bytes}',
  'sys/BlobGetResult@1':
    '{intent_hash: hash, reducer: text, effect_kind: text, adapter_id: text, status: text, requested: sys/BlobGetParams@1, receipt: sys/BlobGetReceipt@1, cost_cents?: nat, signature: bytes}',
  'sys/CapCheckInput@1':
    '{cap_def: text, grant_name: text, cap_params: bytes, effect_kind: text, effect_params: bytes, origin: {kind: text, name: text}, logical_now_ns: nat}',
  'sys/CapCheckOutput@1': '{constraints_ok: bool, deny?: {code: text, message: text}}',
  'sys/TimerSetParams@1': '{deliver_at_ns: nat, key?: text}',
  'sys/TimerSetReceipt@1': '{delivered_at_ns: nat, key?: text}',
  'sys/BlobPutParams@1': '{blob_ref: hash, bytes: bytes}',
  'sys/BlobPutReceipt@1': '{blob_ref: hash, size: nat}',
  'sys/BlobGetParams@1': '{blob_ref: hash}',
  'sys/BlobGetReceipt@1': '{blob_ref: hash, size: nat, bytes: bytes}',
  'sys/HttpRequestParams@1': '{method: text, url: text, headers: map<text, text>, body_ref?: hash}',
  'sys/HttpRequestReceipt@1':
    '{status: int, headers: map<text, text>, body_ref?: hash, timings: {start_ns: nat, end_ns: nat}, adapter_id: text}',
  'sys/LlmToolChoice@1': 'variant(Auto, None, Required, Tool: {name: text})',
  'sys/LlmGenerateParams@1':
    '{provider: text, model: text, temperature: dec128, max_tokens: nat, message_refs: list<hash>, tool_refs?: list<hash>, tool_choice?: sys/LlmToolChoice@1, api_key?: sys/TextOrSecretRef@1}',
  'sys/LlmGenerateReceipt@1':
    '{output_ref: hash, token_usage: {prompt: nat, completion: nat}, cost_cents: nat, provider_id: text}',
  'sys/SecretRef@1': '{alias: text, version: nat}',
  'sys/TextOrSecretRef@1': 'variant(literal: text, secret: sys/SecretRef@1)',
  'sys/BytesOrSecretRef@1': 'variant(literal: bytes, secret: sys/SecretRef@1)',
  'sys/VaultPutParams@1': '{alias: text, binding_id: text, value_ref: hash, expected_digest: hash}',
  'sys/VaultPutReceipt@1': '{alias: text, version: nat, binding_id: text, digest: hash}',
  'sys/VaultRotateParams@1': '{alias: text, version: nat, binding_id: text, expected_digest: hash}',
  'sys/VaultRotateReceipt@1': '{alias: text, version: nat, binding_id: text, digest: hash}',
  'sys/GovPatchInput@1':
    'variant(hash: hash, patch_cbor: bytes, patch_doc_json: bytes, patch_blob_ref: {blob_ref: hash, format: text})',
  'sys/GovPatchSummary@1':
    '{base_manifest_hash?: hash, patch_hash: hash, ops: set<text>, def_changes: list<{kind: text, name: text, action: variant(added, removed, changed)}>, manifest_sections: set<text>}',
  'sys/GovProposeParams@1':
    '{patch: sys/GovPatchInput@1, summary?: sys/GovPatchSummary@1, manifest_base?: hash, description?: text}',
  'sys/GovProposeReceipt@1': '{proposal_id: nat, patch_hash: hash, manifest_base?: hash}',
  'sys/GovShadowParams@1': '{proposal_id: nat}',
  'sys/GovShadowReceipt@1':
    '{proposal_id: nat, manifest_hash: hash, predicted_effects: list<{kind: text, cap: text, intent_hash: hash, params_json?: text}>, pending_receipts: list<{plan_id: nat, plan?: text, intent_hash: hash}>, plan_results: list<{plan: text, plan_id: nat, output_schema: text}>, ledger_deltas: list<{ledger: variant(capability, policy), name: text, change: variant(added, removed, changed)}>}',
  'sys/GovApproveParams@1': '{proposal_id: nat, decision: variant(approve, reject), approver: text, reason?: text}',
  'sys/GovApproveReceipt@1':
    '{proposal_id: nat, decision: variant(approve, reject), patch_hash: hash, approver: text, reason?: text}',
  'sys/GovApplyParams@1': '{proposal_id: nat}',
  'sys/GovApplyReceipt@1': '{proposal_id: nat, manifest_hash_new: hash, patch_hash: hash}',
  'sys/GovActionRequested@1': '{patch: sys/GovPatchInput@1, manifest_base?: hash, description?: text}',
  'sys/WorkspaceName@1': 'text',
  'sys/WorkspaceRef@1': '{workspace: text, version?: nat, path?: text}',
  'sys/HttpPublishRule@1':
    '{route_prefix: text, workspace: sys/WorkspaceRef@1, default_doc?: text, allow_dir_listing: bool, cache: text}',
  'sys/HttpPublishRegistry@1': '{rules: map<text, sys/HttpPublishRule@1>}',
  'sys/HttpPublishSet@1': '{id: text, rule?: sys/HttpPublishRule@1}',
  'sys/WorkspaceCommitMeta@1': '{root_hash: hash, owner: text, created_at: time}',
  'sys/WorkspaceHistory@1': '{latest: nat, versions: map<nat, sys/WorkspaceCommitMeta@1>}',
  'sys/WorkspaceCommit@1': '{workspace: text, expected_head?: nat, meta: sys/WorkspaceCommitMeta@1}',
  'sys/WorkspaceEntry@1': '{name: text, kind: text, hash: hash, size: nat, mode: nat}',
  'sys/WorkspaceTree@1': '{entries: list<sys/WorkspaceEntry@1>}',
  'sys/WorkspaceEntry@2': '{name: text, kind: text, hash: hash, size: nat, mode: nat, annotations_hash?: hash}',
  'sys/WorkspaceTree@2': '{entries: list<sys/WorkspaceEntry@2>, annotations_hash?: hash}',
  'sys/WorkspaceAnnotations@1': 'map<text, hash>',
  'sys/WorkspaceAnnotationsPatch@1': 'map<text, option<hash>>',
  'sys/WorkspaceResolveParams@1': '{workspace: text, version?: nat}',
  'sys/WorkspaceResolveReceipt@1': '{exists: bool, resolved_version?: nat, head?: nat, root_hash?: hash}',
  'sys/WorkspaceListParams@1': '{root_hash: hash, path?: text, scope?: text, cursor?: text, limit: nat}',
  'sys/WorkspaceListEntry@1': '{path: text, kind: text, hash?: hash, size?: nat, mode?: nat}',
  'sys/WorkspaceListReceipt@1': '{entries: list<sys/WorkspaceListEntry@1>, next_cursor?: text}',
  'sys/WorkspaceReadRefParams@1': '{root_hash: hash, path: text}',
  'sys/WorkspaceRefEntry@1': '{kind: text, hash: hash, size: nat, mode: nat}',
  'sys/WorkspaceReadRefReceipt@1': 'option<sys/WorkspaceRefEntry@1>',
  'sys/WorkspaceReadBytesParams@1': '{root_hash: hash, path: text, range?: {start: nat, end: nat}}',
  'sys/WorkspaceReadBytesReceipt@1': 'bytes',
  'sys/WorkspaceWriteBytesParams@1': '{root_hash: hash, path: text, bytes: bytes, mode?: nat}',
  'sys/WorkspaceWriteBytesReceipt@1': '{new_root_hash: hash, blob_hash: hash}',
  'sys/WorkspaceRemoveParams@1': '{root_hash: hash, path: text}',
  'sys/WorkspaceRemoveReceipt@1': '{new_root_hash: hash}',
  'sys/WorkspaceDiffParams@1': '{root_a: hash, root_b: hash, prefix?: text}',
  'sys/WorkspaceDiffChange@1': '{path: text, kind: text, old_hash?: hash, new_hash?: hash}',
  'sys/WorkspaceDiffReceipt@1': '{changes: list<sys/WorkspaceDiffChange@1>}',
  'sys/WorkspaceAnnotationsGetParams@1': '{root_hash: hash, path?: text}',
  'sys/WorkspaceAnnotationsGetReceipt@1': '{annotations?: sys/WorkspaceAnnotations@1}',
  'sys/WorkspaceAnnotationsSetParams@1':
    '{root_hash: hash, path?: text, annotations_patch: sys/WorkspaceAnnotationsPatch@1}',
  'sys/WorkspaceAnnotationsSetReceipt@1': '{new_root_hash: hash, annotations_hash: hash}',
  'sys/WorkspaceEmptyRootParams@1': '{workspace: text}',
  'sys/WorkspaceEmptyRootReceipt@1': '{root_hash: hash}',
  'sys/ReadMeta@1': '{journal_height: nat, snapshot_hash?: hash, manifest_hash: hash}',
  'sys/IntrospectManifestParams@1': '{consistency: text}',
  'sys/IntrospectManifestReceipt@1': '{manifest: bytes, meta: sys/ReadMeta@1}',
  'sys/IntrospectReducerStateParams@1': '{reducer: text, key?: bytes, consistency: text}',
  'sys/IntrospectReducerStateReceipt@1': '{state?: bytes, meta: sys/ReadMeta@1}',
  'sys/IntrospectJournalHeadParams@1': '{}',
  'sys/IntrospectJournalHeadReceipt@1': '{meta: sys/ReadMeta@1}',
  'sys/IntrospectListCellsParams@1': '{reducer: text}',
  'sys/IntrospectListCellsReceipt@1':
    '{cells: list<{key: bytes, state_hash: hash, size: nat, last_active_ns: nat}>, meta: sys/ReadMeta@1}',
  'sys/PlanHandle@1': '{instance: uuid, plan: text}',
  'sys/PlanError@1': '{code: text, message: text, details?: text}',
  'sys/EffectError@1': '{code: text, message: text, retryable?: bool, detail_ref?: hash}',
  'sys/ApprovalRequestParams@1': '{subject: text, requester: text, context_ref?: hash}',
  'sys/ApprovalRequestReceipt@1': '{decision: text, approver: text, rationale?: text}',
  'sys/TimerAfterParams@1': '{after_ns: nat, key?: text}',
  'sys/FabricSendParams@1':
    '{dest_world: text, schema: text, value: variant(cbor: bytes, blob_ref: hash), key?: bytes, correlation_id?: text, mode?: text}',
  'sys/FabricSendReceipt@1': '{message_id: hash, dest_world: text, enqueued_seq: nat, duplicate: bool}',
  'sys/FabricMessage@1':
    '{message_id: hash, from_world: text, schema: text, value: bytes, key?: bytes, correlation_id?: text}',
  'sys/McpArg@1':
    'variant(text: text, int: int, num: dec128, bool: bool, list_text: list<text>, json: text, json_ref: hash, null: unit)',
  'sys/McpCallParams@1':
    '{server: text, tool: text, arguments: map<text, sys/McpArg@1>, arguments_ref?: hash, tool_digest?: hash}',
  'sys/McpCallReceipt@1':
    '{server: text, tool: text, is_error: bool, text?: text, content_ref?: hash, structured_ref?: hash, tool_digest: hash}',
  'sys/WorkspaceCommitRejected@1': '{workspace: text, expected_head?: nat, head: nat, code: text, root_hash: hash}',
  'sys/BlobEdge@1': '{blob_ref: hash, refs: list<hash>}',
};
