import type { Path } from '@worldline/canon';
import { forEachRef } from './evaluate.ts';
import type { Expr, RefExpr } from './expr.ts';
import { parseExpr, type RefNames } from './expr-parse.ts';
import { isJsonArray, isJsonObject, type Json, memberNames } from './json.ts';
import { addAll } from './node-read.ts';
import { isExpressionForm, type ValueFailure } from './value-failure.ts';

/** References of an expression with their place in the JSON as written. */

export interface PlacedRef {
  readonly ref: RefExpr;
  /** From the root of the slot as written: sugar and tagged spellings have different ones. */
  readonly path: Path;
}

const NONE: readonly PlacedRef[] = [];

/**
 * @param json - The JSON that `expr` was read from, in whichever lens.
 * @returns every reference in the order in which it is written.
 */
export function placedRefs(expr: Expr, json: Json): readonly PlacedRef[] {
  const byText = new Map<string, RefExpr>();
  forEachRef(expr, (ref) => byText.set(ref.text, ref));
  if (byText.size === 0) return NONE;
  const found: PlacedRef[] = [];
  const path: (string | number)[] = [];
  const visit = (part: Json): void => {
    if (isJsonArray(part)) {
      for (let index = 0; index < part.length; index++) inside(index, part[index] as Json);
    } else if (isJsonObject(part)) {
      const names = memberNames(part);
      const text = names.length === 1 ? part['ref'] : undefined;
      const ref = typeof text === 'string' ? byText.get(text) : undefined;
      if (ref !== undefined) found.push({ ref, path: [...path] });
      else for (const name of names) inside(name, part[name] as Json);
    }
  };
  const inside = (step: string | number, part: Json): void => {
    // Texts and numbers, which are most of what there is, hold no reference.
    if (typeof part !== 'object') return;
    path.push(step);
    visit(part);
    path.pop();
  };
  visit(json);
  return found;
}

/**
 * The expressions in a slot whose type is not known, or that does not fit its type. What is an expression form is one
 * whatever the type says (`values.md` §3.3, rule 1).
 */
export function exprsIn(
  json: Json,
  names: RefNames,
): { readonly refs: readonly PlacedRef[]; readonly failures: readonly ValueFailure[] } {
  const refs: PlacedRef[] = [];
  const failures: ValueFailure[] = [];
  const children = (part: Json, path: Path): void => {
    if (isJsonArray(part)) {
      for (const [index, item] of part.entries()) visit(item, [...path, index]);
    } else if (isJsonObject(part)) {
      const members = memberNames(part);
      for (const name of members) {
        const child = part[name] as Json;
        // The body of a tagged record is no form, though its fields may be called like the members of one.
        if (members.length === 1 && name === 'record') children(child, [...path, name]);
        else visit(child, [...path, name]);
      }
    }
  };
  const visit = (part: Json, path: Path): void => {
    if (!isExpressionForm(part)) {
      children(part, path);
      return;
    }
    const parsed = parseExpr(part, names);
    if (parsed.ok) {
      addAll(
        refs,
        placedRefs(parsed.value, part).map((found) => ({ ...found, path: [...path, ...found.path] })),
      );
    } else {
      addAll(
        failures,
        parsed.failure.map((failure) => ({ ...failure, path: [...path, ...failure.path] })),
      );
    }
  };
  visit(json, []);
  return { refs, failures };
}
