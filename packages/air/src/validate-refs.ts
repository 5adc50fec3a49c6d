import type { Path } from '@worldline/canon';
import { exprRefs } from './evaluate.ts';
import type { Expr, RefExpr } from './expr.ts';
import { isJsonArray, isJsonObject, type Json, memberNames } from './json.ts';

/** References of an expression with their place in the JSON as written. */

export interface PlacedRef {
  readonly ref: RefExpr;
  /** From the root of the slot as written: sugar and tagged spellings have different ones. */
  readonly path: Path;
}

/**
 * @param json - The JSON that `expr` was read from, in whichever lens.
 * @returns every reference in the order in which it is written.
 */
export function placedRefs(expr: Expr, json: Json): readonly PlacedRef[] {
  const byText = new Map(exprRefs(expr).map(({ ref }) => [ref.text, ref]));
  const found: PlacedRef[] = [];
  const visit = (part: Json, path: Path): void => {
    if (isJsonArray(part)) {
      for (const [index, item] of part.entries()) visit(item, [...path, index]);
    } else if (isJsonObject(part)) {
      const names = memberNames(part);
      const text = names.length === 1 ? part['ref'] : undefined;
      const ref = typeof text === 'string' ? byText.get(text) : undefined;
      if (ref !== undefined) found.push({ ref, path });
      else for (const name of names) visit(part[name] as Json, [...path, name]);
    }
  };
  visit(json, []);
  return found;
}
