import { emptyObject, type Json, printJson } from './json.ts';
import { literalToTree, mapEntry, tagged } from './literal.ts';
import type { Value } from './value.ts';
import { canonicalSet, compareCanonical } from './value-order.ts';

/**
 * What is read where an expression may stand: a value, or a tree with expressions in it; and composites of such parts.
 *
 * LP1 A composite of values is a value, any other a tree.
 * LP2 The order in a tree is decided by what is known before anything is evaluated: in a set or map, first what has a literal,
 *     in canonical order, then the others as authored.
 */

/** Part of a slot that holds an expression: its canonical tree (`definitions.md` §5). */
export class Tree {
  readonly json: Json;
  /** Put together from parts: nobody has looked at it as a whole. */
  readonly isMixed: boolean;

  constructor(json: Json, isMixed = true) {
    this.json = json;
    this.isMixed = isMixed;
  }
}

export type Part = Value | Tree;

export function isValue(part: Part): part is Value {
  return !(part instanceof Tree);
}

export function treeOf(part: Part): Json {
  return part instanceof Tree ? part.json : literalToTree(part);
}

/** @param fields - In canonical order. */
export function recordPart(fields: readonly (readonly [string, Part])[]): Part {
  if (fields.every((field): field is readonly [string, Value] => isValue(field[1]))) {
    return { kind: 'record', fields: new Map(fields) };
  }
  const tree = emptyObject();
  for (const [name, part] of fields) tree[name] = treeOf(part);
  return new Tree(tagged('record', tree));
}

export function variantTree(tag: string, payload: Tree): Tree {
  const body = emptyObject();
  body['tag'] = tag;
  body['value'] = payload.json;
  return new Tree(tagged('variant', body));
}

export function listPart(parts: readonly Part[]): Part {
  return parts.every(isValue) ? { kind: 'list', items: parts } : new Tree(tagged('list', parts.map(treeOf)));
}

export function setPart(parts: readonly Part[]): Part {
  const sorted = canonicalSet(parts.filter(isValue));
  if (parts.every(isValue)) return { kind: 'set', items: sorted };
  // Values of expressions are not known yet: they follow the literals in authored order.
  return new Tree(tagged('set', [...sorted, ...parts.filter((part) => part instanceof Tree)].map(treeOf)));
}

/**
 * A map with expressions in it: entries with literal keys in canonical order, then the others as authored. A key may
 * still come twice; whether its values agree is known when they are evaluated (`expressions.md` §6).
 *
 * @param literals - Those of the entries that have no expression, in canonical order.
 */
export function mapTree(
  literals: readonly (readonly [Value, Value])[],
  entries: readonly (readonly [Part, Part])[],
): Tree {
  const mixed = entries.filter(([key, value]) => isValue(key) && !isValue(value)) as (readonly [Value, Tree])[];
  const known = [...literals, ...mixed].sort(([a], [b]) => compareCanonical(a, b));
  const open = entries.filter(([key]) => !isValue(key));
  const seen = new Set<string>();
  const body: Json[] = [];
  for (const [key, value] of [...known, ...open]) {
    const entry = mapEntry(treeOf(key), treeOf(value));
    const text = printJson(entry);
    if (!seen.has(text)) body.push(entry);
    seen.add(text);
  }
  return new Tree(tagged('map', body));
}
