import { ok, type Result } from '@worldline/canon';
import type { Slot } from './expr.ts';
import { parseExpr, type RefNames } from './expr-parse.ts';
import type { Json } from './json.ts';
import { literalToJson } from './literal.ts';
import { Tree } from './literal-part.ts';
import { readPart } from './literal-read.ts';
import { readUntypedLiteral } from './literal-untyped.ts';
import type { Type, TypeScope } from './type.ts';
import type { Value } from './value.ts';
import type { ValueFailure } from './value-failure.ts';

/**
 * Slots (`definitions.md` §5): places that hold a value or an expression.
 *
 * S1 A slot is an expression iff it holds a reference or an operation; anything else is a literal, whatever lens it was
 *    written in, unless its type is unknown, when what was written is kept.
 * S2 Reading the canonical form again gives the same canonical form.
 */

/** A slot in canonical form: a literal of its type, or a tree to keep in the node (an expression, or an untyped literal). */
export type SlotTree =
  | { readonly literal: Value; readonly tree?: undefined }
  | { readonly tree: Json; readonly literal?: undefined };

/**
 * Read what was authored in a slot with the algorithm of `values.md` §3.3, expressions allowed.
 *
 * @param type - Undefined for an `assign` to a variable without declared local: then only expressions and tagged values
 *   are possible, else `plan.literal_needs_schema`.
 * @param label - What failures outside any named schema call the place, such as `idempotency_key`.
 */
export function readSlot(
  json: Json,
  type: Type | undefined,
  scope: TypeScope,
  label?: string,
): Result<SlotTree, readonly ValueFailure[]> {
  const part = readPart(json, type, { scope, expressions: true, label });
  if (!part.ok) return part;
  if (!(part.value instanceof Tree)) return ok({ literal: part.value });
  const { json: tree, isMixed } = part.value;
  // Sugar around expressions makes a tree that nobody has counted yet.
  const counted = isMixed ? parseExpr(tree) : undefined;
  return counted === undefined || counted.ok ? ok({ tree }) : counted;
}

/** The JSON that a node stores for a slot. */
export function slotToJson(slot: SlotTree): Json {
  return slot.tree === undefined ? literalToJson(slot.literal) : slot.tree;
}

/** A slot ready to be evaluated, its references split by the names that are declared. */
export function slotFromTree(tree: SlotTree, names: RefNames): Result<Slot, readonly ValueFailure[]> {
  if (tree.tree === undefined) return ok({ literal: tree.literal });
  const literal = readUntypedLiteral(tree.tree);
  if (literal !== undefined) return literal.ok ? ok({ literal: literal.value }) : literal;
  const expr = parseExpr(tree.tree, names);
  return expr.ok ? ok({ expr: expr.value }) : expr;
}
