export { typeErrors } from './admission.ts';
export { type AuthoredDef, AuthoredWorld } from './authored.ts';
export { type AuthorityChange, authorityChanges } from './authority.ts';
export {
  BUILTIN_ENFORCERS,
  BUILTINS,
  type Builtins,
  builtinEffect,
  builtinScope,
  CAP_ALLOW_ALL,
  effectiveEnforcer,
  effectiveScope,
  grantSchema,
  ZERO_HASH_TEXT,
} from './builtins.ts';
export { valuesEqual } from './compare.ts';
export { type AddedMember, type Diagnostic, type Edit, suggest, suggestHint } from './diagnostic.ts';
export { type EnforcerInput, type EnforcerVerdict, runBuiltinEnforcer } from './enforcer.ts';
export { effectEnvelope } from './envelope.ts';
export {
  type EnvelopeQuestion,
  envelopeAllows,
  envelopeRaises,
  envelopeStarts,
  grantBounds,
} from './envelope-allows.ts';
export type { ParamBound } from './envelope-bounds.ts';
export { constantOf, type Known, patternText, type TextPattern } from './envelope-known.ts';
export type {
  Answer,
  EffectEnvelope,
  ReachedAwait,
  ReachedEffect,
  ReachedPlan,
  ReachedRaise,
  ReachedReducer,
  ReachedSecret,
  ReachedSpawn,
  ReachedStep,
  ReachReason,
  Via,
} from './envelope-reached.ts';
export { evaluate, evaluatePath, evaluateSlot, exprRefs } from './evaluate.ts';
export {
  type Env,
  type EvalCode,
  type EvalError,
  type Expr,
  OPERATORS,
  type Operator,
  type ReceiptView,
  type RefExpr,
  type RefRoot,
  type Slot,
} from './expr.ts';
export { EXPR_DEPTH_MAX, EXPR_NODES_MAX, exprToJson, parseExpr, parseRef, type RefNames } from './expr-parse.ts';
export {
  CONSTANT_FORMS,
  CONSTRUCTOR_FORMS,
  type ConstantForm,
  FORM_MEMBERS,
  OPERATIONS,
  type Operation,
  REF_ROOTS,
  RESERVED_SEGMENTS,
} from './expr-shape.ts';
export { exprText, slotText } from './expr-text.ts';
export {
  emptyObject,
  integerOf,
  isJsonArray,
  isJsonObject,
  type Json,
  type JsonFailure,
  JsonFloat,
  type JsonObject,
  jsonInteger,
  locate,
  member,
  memberNames,
  type Position,
  parseJson,
  printJson,
} from './json.ts';
export { literalFromJson, literalToJson, literalToTree } from './literal.ts';
export { keep } from './literal-keep.ts';
export { readKeptLiteral, readLiteral } from './literal-read.ts';
export { toSugar } from './literal-sugar.ts';
export { type Loaded, loadAuthored, type StoredObjectLike } from './load-authored.ts';
export { isAirFile, isAirFolder, type SourceFile } from './load-files.ts';
export { SECTION_KINDS } from './load-resolve.ts';
export { loadStored } from './load-stored.ts';
export { type ManifestParts, type ManifestRef, manifestOfParts, manifestParts } from './manifest-parts.ts';
export { HASH, IDENT, KIND, NAME } from './name.ts';
export type {
  CapDef,
  Catalog,
  Def,
  Edge,
  EffectDef,
  Grant,
  ModuleDef,
  OriginScope,
  PlanDef,
  PolicyDef,
  PolicyRule,
  SchemaDef,
  SecretDef,
  Step,
  StepOp,
  Trigger,
} from './node.ts';
export { AIR_VERSION, SECTIONS } from './node-manifest.ts';
export { DEF_KINDS, type DefKind } from './node-parse.ts';
export { CORRELATION_ID } from './node-plan.ts';
export {
  EDGE_SHAPE,
  GRANT_SHAPE,
  INLINE_SECRET_SHAPE,
  MANIFEST_SHAPE,
  NODE_SHAPES,
  REF_SHAPE,
  ROUTE_SHAPE,
  RULE_SHAPE,
  SECRET_REF_SHAPE,
  STEP_OPS,
  STEP_SHAPES,
  TRIGGER_SHAPE,
} from './node-shape.ts';
export {
  type CompiledPatch,
  type CompileOptions,
  compilePatch,
  encodeCompiledPatch,
  type GetObject,
} from './patch-compile.ts';
export { type DiffOptions, diffManifests, type ManifestDiff } from './patch-diff.ts';
export { DOCUMENT_BYTES_MAX, NODE_BYTES_MAX, OPS_MAX, type PatchFailure } from './patch-document.ts';
export { type DefAction, type DefChange, type PatchSummary, summaryToJson } from './patch-summary.ts';
export { ALLOW_ALL_POLICY, judgePolicy, type PolicyRuling } from './policy.ts';
export { isTypedMessage, messageType, recordedMessage, recordedParamsSchema } from './recorded-params.ts';
export { judgeSecret, SECRET_REF_SCHEMA, type SecretDenial, type SecretRef, secretRefs } from './secret-refs.ts';
export { type Held, type Holds, type Member, may, type NameOf, need, nullIsAbsent, type Shape } from './shape.ts';
export { readSlot, type SlotTree, slotFromTree, slotToJson } from './slot.ts';
export { boundName, FANOUT_MAX, handleRefs } from './step.ts';
export type { MapKeyKind, ScalarKind, Type, TypeScope } from './type.ts';
export { typeDigest } from './type-digest.ts';
export { isMapKeyKind, isSetItemKind, parseType, scalarType, typeToJson } from './type-parse.ts';
export { orderedMembers, resolveType, tryResolveType, typesEqual } from './type-resolve.ts';
export { MAP_MEMBERS, TYPE_FORMS, type TypeForm, type TypeKind, typeKinds } from './type-shape.ts';
export { parseUrl, type UrlParts } from './url.ts';
export { UNSUPPORTED } from './validate-support.ts';
export type { LoadOptions } from './validate-world.ts';
export { bool, bytes, hash, int, isData, NULL, nat, text, type Value, type ValueKind } from './value.ts';
export { normalizeCbor } from './value-cbor.ts';
export { conform } from './value-conform.ts';
export { encodeValue, valueToCbor } from './value-data.ts';
export type { ValueFailure } from './value-failure.ts';
export { canonicalMap, canonicalSet, compareCanonical } from './value-order.ts';
export { DEC128, INT_MAX, INT_MIN, INTEGER_TEXT, NAT_MAX, UUID } from './value-scalar.ts';
export { isStorable, LITERAL_NESTING_MAX, VALUE_SIZE_MAX } from './value-size.ts';
