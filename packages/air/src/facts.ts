import type { Expr, RefExpr } from './expr.ts';

/** Facts that guards establish about places (`expressions.md` §13.5). */

/** Where a value lies: a root that keeps its value once it has one, and the path from there. */
export interface Place {
  readonly root: string;
  readonly path: readonly string[];
}

/** Longer paths are no places: no type is that deep, and aliases of aliases could grow without end. */
const PLACE_SEGMENTS_MAX = 64;

export function placeAt(place: Place, segments: readonly string[]): Place | undefined {
  const path = segments.length === 0 ? place.path : [...place.path, ...segments];
  return path.length > PLACE_SEGMENTS_MAX ? undefined : { root: place.root, path };
}

/**
 * Facts by key; the value of a tag fact is the tag, of the others the empty text.
 *
 * `some` holds of any place; `has` says that `has(R, "f")` was true, which proves a field of a record to be there, while
 * the entry of a map may still hold none.
 */
export type Facts = ReadonlyMap<string, string>;
export type FactKind = 'tag' | 'some' | 'has' | 'payload';

export function factKey(kind: FactKind, place: Place): string {
  let key = `${kind} ${place.root}`;
  for (const segment of place.path) key += ` ${segment.length}:${segment}`;
  return key;
}

/** The place that an expression spells, if it is one. */
export type PlaceOf = (expr: Expr) => Place | undefined;

const NO_FACTS: Facts = new Map();

/**
 * What is known once an expression came out as `outcome`: of `and` that was true and of `or` that was false every
 * argument, and `eq` that was false is `ne`.
 */
export function factsOf(expr: Expr, outcome: boolean, placeOf: PlaceOf): Facts {
  if (expr.form !== 'op') return NO_FACTS;
  const facts = new Map<string, string>();
  collect(expr, outcome, placeOf, facts);
  return facts;
}

function collect(expr: Expr, outcome: boolean, placeOf: PlaceOf, facts: Map<string, string>): void {
  if (expr.form !== 'op') return;
  const [a, b] = expr.args;
  switch (expr.op) {
    case 'and':
    case 'or':
      if ((expr.op === 'and') === outcome) for (const arg of expr.args) collect(arg, outcome, placeOf, facts);
      return;
    case 'not':
      if (a !== undefined) collect(a, !outcome, placeOf, facts);
      return;
    case 'has': {
      const place = outcome && a !== undefined ? placeOf(a) : undefined;
      const key = b === undefined ? undefined : textOf(b);
      const field = place && key !== undefined ? placeAt(place, [key]) : undefined;
      if (field !== undefined) facts.set(factKey('has', field), '');
      return;
    }
    case 'eq':
    case 'ne': {
      if (a === undefined || b === undefined) return;
      const equal = (expr.op === 'eq') === outcome;
      if (!compared(a, b, equal, placeOf, facts)) compared(b, a, equal, placeOf, facts);
      return;
    }
    default:
      return;
  }
}

/** `a` is the place, `b` what it was compared with. */
function compared(a: Expr, b: Expr, equal: boolean, placeOf: PlaceOf, facts: Map<string, string>): boolean {
  if (b.form !== 'const') return false;
  const place = placeOf(a);
  if (place === undefined) return false;
  if (b.value.kind === 'null') {
    if (!equal) facts.set(factKey('some', place), '');
    return true;
  }
  const text = b.value.kind === 'text' ? b.value.value : undefined;
  const last = place.path.at(-1);
  if (text === undefined || (last !== '$tag' && last !== '$status')) return true;
  const owner: Place = { root: place.root, path: place.path.slice(0, -1) };
  if (last === '$tag') {
    if (equal) facts.set(factKey('tag', owner), text);
  } else if (equal && text === 'ok') {
    facts.set(factKey('payload', owner), '');
  } else if (equal || text === 'ok') {
    // Any other status than ok comes with its error (§3.1).
    const error = placeAt(owner, ['$error']);
    if (error !== undefined) facts.set(factKey('some', error), '');
  }
  return true;
}

/** The text of a constant key. */
export function textOf(expr: Expr): string | undefined {
  return expr.form === 'const' && expr.value.kind === 'text' ? expr.value.value : undefined;
}

/** A reference, or `get` of one with constant keys (§13.5): the two spellings are one place. */
export function spelledRef(expr: Expr): { readonly ref: RefExpr; readonly path: readonly string[] } | undefined {
  const segments: string[] = [];
  let current = expr;
  while (current.form === 'op' && current.op === 'get') {
    const [container, key] = current.args;
    const segment = key && textOf(key);
    if (container === undefined || segment === undefined) return undefined;
    segments.unshift(segment);
    current = container;
  }
  return current.form === 'ref' ? { ref: current, path: [...current.path, ...segments] } : undefined;
}

/** The place that is spelled. */
export function spelledPlace(expr: Expr, rootOf: (ref: RefExpr) => Place | undefined): Place | undefined {
  const spelled = spelledRef(expr);
  const root = spelled && rootOf(spelled.ref);
  return root && placeAt(root, spelled.path);
}
