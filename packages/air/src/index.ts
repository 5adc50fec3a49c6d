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
export { type Diagnostic, suggest, suggestHint } from './diagnostic.ts';
export { type EnforcerInput, type EnforcerVerdict, runBuiltinEnforcer } from './enforcer.ts';
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
export { keep, readKeptLiteral, readLiteral } from './literal-read.ts';
export { toSugar } from './literal-sugar.ts';
export { type Loaded, loadAuthored, type StoredObjectLike } from './load-authored.ts';
export { isAirFile, isAirFolder, type SourceFile } from './load-files.ts';
export { loadStored } from './load-stored.ts';
export { type ManifestParts, type ManifestRef, manifestOfParts, manifestParts } from './manifest-parts.ts';
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
export { AIR_VERSION } from './node-manifest.ts';
export { DEF_KINDS, type DefKind } from './node-parse.ts';
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
export { SECRET_REF_SCHEMA, type SecretRef, secretRefs } from './secret-refs.ts';
export { readSlot, type SlotTree, slotFromTree, slotToJson } from './slot.ts';
export type { MapKeyKind, ScalarKind, Type, TypeScope } from './type.ts';
export { isMapKeyKind, isSetItemKind, parseType, scalarType, typeToJson } from './type-parse.ts';
export { orderedMembers, resolveType, tryResolveType, typesEqual } from './type-resolve.ts';
export { parseUrl, type UrlParts } from './url.ts';
export { UNSUPPORTED } from './validate-support.ts';
export type { LoadOptions } from './validate-world.ts';
export { bool, bytes, hash, int, NULL, nat, text, type Value, type ValueKind } from './value.ts';
export { normalizeCbor } from './value-cbor.ts';
export { conform } from './value-conform.ts';
export { encodeValue, valueToCbor } from './value-data.ts';
export type { ValueFailure } from './value-failure.ts';
export { canonicalMap, canonicalSet, compareCanonical } from './value-order.ts';
export { isStorable, LITERAL_NESTING_MAX, VALUE_SIZE_MAX } from './value-size.ts';
