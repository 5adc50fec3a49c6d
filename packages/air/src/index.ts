export type {
  Env,
  EvalCode,
  EvalError,
  Expr,
  Operator,
  ReceiptView,
  RefExpr,
  RefRoot,
  Slot,
} from './expr.ts';
export { OPERATORS } from './expr.ts';
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
  parseJson,
  type Position,
  printJson,
} from './json.ts';
export { literalFromJson, literalToJson, literalToTree } from './literal.ts';
export { readKeptLiteral, readLiteral } from './literal-read.ts';
export { toSugar } from './literal-sugar.ts';
export { readSlot, slotFromTree, slotToJson, type SlotTree } from './slot.ts';
export type { MapKeyKind, ScalarKind, Type, TypeScope } from './type.ts';
export { isMapKeyKind, isSetItemKind, parseType, scalarType, typeToJson } from './type-parse.ts';
export { orderedMembers, resolveType, tryResolveType, typesEqual } from './type-resolve.ts';
export { bool, bytes, hash, int, nat, NULL, text, type Value, type ValueKind } from './value.ts';
export { encodeValue, normalizeCbor, valueToCbor } from './value-cbor.ts';
export { conform } from './value-conform.ts';
export type { ValueFailure } from './value-failure.ts';
export { canonicalMap, canonicalSet, compareCanonical } from './value-order.ts';
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
