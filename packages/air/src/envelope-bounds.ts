import { asciiLower } from './enforcer-request.ts';
import {
  alternatives,
  constantOf,
  exactly,
  type Known,
  matchesPattern,
  patternText,
  type TextPattern,
  textPattern,
} from './envelope-known.ts';
import { type Denial, type Measure, measuresOf, textOf } from './envelope-measures.ts';
import type { Catalog, EffectDef, Grant } from './node.ts';
import type { Value } from './value.ts';

/**
 * What the params of an effect can be: what the plan says, what the grant allows, and what is left of both
 * (`builtins.md` §4, §6.2).
 *
 * B1 Every params value that the plan can give and the grant's enforcer allows lies within every bound.
 * B2 Where nothing is left, the enforcer denies whatever the plan gives.
 */
export interface ParamBound {
  /** `method`, `host`, `path`, …; else a field of the params. */
  readonly name: string;
  /** All that it can be, when that is a finite list. Texts as they are, other values as JSON. */
  readonly values?: readonly string[] | undefined;
  /** A text of this form. */
  readonly pattern?: TextPattern | undefined;
  /** At or below one of these. */
  readonly below?: readonly string[] | undefined;
  readonly max?: bigint | undefined;
  /** Who bounds it. `nothing`: it can be anything of its type. */
  readonly by: 'plan' | 'grant' | 'both' | 'nothing';
  /** Where a value that is not in the plan comes from: `@plan.input.url`. */
  readonly from?: string | undefined;
  /** Every value that the plan can give is allowed; otherwise the enforcer decides when it is there. */
  readonly isDecided: boolean;
}

export type Bounds =
  | { readonly ok: true; readonly bounds: readonly ParamBound[] }
  /** Nothing is left: the deny code of the enforcer and what the plan gives. */
  | { readonly ok: false; readonly code: string; readonly message: string };

/** The bounds of one step's params. */
export function boundsOf(catalog: Catalog, effect: EffectDef, grant: Grant, params: Known): Bounds {
  const measures = measuresOf(catalog, effect, grant, params);
  if (!('list' in measures)) return { ok: false, ...measures };
  const bounds: ParamBound[] = [];
  for (const measure of measures.list) {
    const bound = boundOf(measure);
    if (!('code' in bound)) bounds.push(measure.isLoose === true ? { ...bound, isDecided: false } : bound);
    else if (measure.isOptional === true)
      bounds.push({ name: measure.name, values: [], by: 'grant', isDecided: false });
    else return { ok: false, ...bound };
  }
  return { ok: true, bounds };
}

/** Is a params value within the bounds? */
export function withinBounds(
  catalog: Catalog,
  effect: EffectDef,
  grant: Grant,
  bounds: readonly ParamBound[],
  params: Value,
): boolean {
  const measures = measuresOf(catalog, effect, grant, exactly(params));
  if (!('list' in measures)) return false;
  return bounds.every((bound) => {
    const measure = measures.list.find(({ name }) => name === bound.name);
    const value = measure?.of(params);
    if (measure === undefined || value === undefined) return true;
    const same = (a: string) => (measure.ignoreCase === true ? asciiLower(a) === asciiLower(value) : a === value);
    if (bound.values !== undefined && !bound.values.some(same)) return false;
    if (bound.pattern !== undefined && !matchesPattern(value, bound.pattern)) return false;
    if ((bound.below !== undefined || bound.max !== undefined) && measure.limit?.permits(value) === false) return false;
    return true;
  });
}

function boundOf({ name, known, limit, ignoreCase }: Measure): ParamBound | Denial {
  const options = alternatives(known);
  const constants = options.map((option) => {
    const value = constantOf(option);
    return value === undefined ? undefined : textOf(value);
  });
  const given = constants.filter((constant) => constant !== undefined);
  if (given.length === constants.length) {
    const values = limit === undefined ? given : given.filter(limit.permits);
    if (values.length === 0)
      return { code: limit!.code, message: `${name} ${given.map((one) => `"${one}"`).join(', ')}` };
    return { name, values, by: limit === undefined ? 'plan' : 'both', isDecided: values.length === given.length };
  }
  const unknown = options.filter((_, i) => constants[i] === undefined);
  const patterns = options.map(textPattern);
  const from = [...new Set(unknown.flatMap((option) => textPattern(option).holes))]
    .filter((hole) => hole !== '…')
    .join(', ');
  const source = from === '' ? {} : { from };
  // With several alternatives only one form would be a bound, and which one is not known.
  const pattern = options.length === 1 && patterns[0]!.parts.some((part) => part !== '') ? patterns[0] : undefined;
  if (limit === undefined) {
    return { name, pattern, by: pattern === undefined ? 'nothing' : 'plan', isDecided: true, ...source };
  }
  if (limit.values !== undefined) {
    const fold = ignoreCase === true ? asciiLower : (one: string) => one;
    const folded = patterns.map(({ parts, holes }) => ({ parts: parts.map(fold), holes }));
    const values = limit.values.filter((one) => folded.some((form) => matchesPattern(fold(one), form)));
    if (values.length === 0) return { code: limit.code, message: `${name} ${patterns.map(patternText).join(' or ')}` };
    return { name, values, by: pattern === undefined ? 'grant' : 'both', isDecided: false, ...source };
  }
  const { below, max } = limit;
  const isLimited = below !== undefined || max !== undefined;
  const by = isLimited ? (pattern === undefined ? 'grant' : 'both') : pattern === undefined ? 'nothing' : 'plan';
  return { name, pattern, below, max, by, isDecided: false, ...source };
}
