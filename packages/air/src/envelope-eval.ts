import { isTextual } from './compare.ts';
import {
  ALTERNATIVES_MAX,
  alternatives,
  anyFrom,
  constantOf,
  exactly,
  joined,
  type Known,
  knownEach,
  knownMember,
  knownRecord,
  knownVariant,
  matchesPattern,
  union,
} from './envelope-known.ts';
import { evaluate } from './evaluate.ts';
import type { Env, Expr, Operator, RefExpr, Slot } from './expr.ts';
import { truth } from './operators.ts';

/** What a reference may hold where an expression is evaluated, without its path. */
export type KnownRoots = (ref: RefExpr) => Known;

/**
 * What an expression may evaluate to: a set that holds every value that `evaluate` can answer with the roots given. An
 * evaluation that fails answers none, so failures widen nothing.
 */
export function knownOf(expr: Expr, roots: KnownRoots): Known {
  switch (expr.form) {
    case 'ref': {
      let known = roots(expr);
      for (const segment of expr.path) known = knownMember(known, segment, expr.text);
      return known;
    }
    case 'const':
      return exactly(expr.value);
    case 'op':
      return operation(expr.op, expr.args, roots);
    case 'record': {
      const fields = expr.fields.map(([name, field]) => [name, knownOf(field, roots)] as const);
      return folded(fields, (constants) => ({ form: 'record', fields: constants })) ?? knownRecord(new Map(fields));
    }
    case 'list':
    case 'set': {
      const { form } = expr;
      const items = expr.items.map((item, i) => [String(i), knownOf(item, roots)] as const);
      const whole = folded(items, (constants) => ({ form, items: constants.map(([, item]) => item) }));
      return whole ?? knownEach(items.map(([, item]) => item));
    }
    case 'map': {
      const entries = expr.entries.map(([key, value]) => [knownOf(key, roots), knownOf(value, roots)] as const);
      const flat = entries.flatMap(([key, value], i) => [[`key ${i}`, key] as const, [`value ${i}`, value] as const]);
      const whole = folded(flat, (constants) => ({
        form: 'map',
        entries: entries.map((_, i) => [constants[2 * i]![1], constants[2 * i + 1]![1]] as const),
      }));
      return whole ?? knownEach(entries.map(([, value]) => value));
    }
    case 'variant': {
      if (expr.value === undefined) return constant({ form: 'variant', tag: expr.tag }) ?? anyFrom('…');
      const value = knownOf(expr.value, roots);
      const whole = folded([['value', value]], (parts) => ({ form: 'variant', tag: expr.tag, value: parts[0]![1] }));
      return whole ?? knownVariant(expr.tag, value);
    }
    default:
      return expr satisfies never;
  }
}

/** What a slot may hold. */
export function knownOfSlot(slot: Slot, roots: KnownRoots): Known {
  return slot.expr === undefined ? exactly(slot.literal) : knownOf(slot.expr, roots);
}

type Constants = readonly (readonly [string, Expr])[];

/** When every part is constant, the evaluator itself says what the whole is. */
function folded(parts: readonly (readonly [string, Known])[], make: (constants: Constants) => Expr): Known | undefined {
  const constants: (readonly [string, Expr])[] = [];
  for (const [name, known] of parts) {
    const value = constantOf(known);
    if (value === undefined) return undefined;
    constants.push([name, { form: 'const', value }]);
  }
  return constant(make(constants));
}

/** The value of an expression without references; undefined when evaluating it fails. */
function constant(expr: Expr): Known | undefined {
  const value = evaluate(expr, NO_ROOTS);
  return value.ok ? exactly(value.value) : undefined;
}

/** Nothing is bound. */
export const NO_ROOTS: Env = {
  input: () => undefined,
  variable: () => undefined,
  step: () => undefined,
  event: () => undefined,
  receipt: () => undefined,
};

const TRUE = exactly(truth(true));
const FALSE = exactly(truth(false));

function operation(op: Operator, args: readonly Expr[], roots: KnownRoots): Known {
  const known = args.map((arg) => knownOf(arg, roots));
  if (op === 'and' || op === 'or') {
    // Where one argument decides, the answer is that or a failure, whatever stands before it.
    const deciding = op === 'or';
    if (known.some((arg) => booleanOf(arg) === deciding)) return deciding ? TRUE : FALSE;
    return known.every((arg) => booleanOf(arg) === !deciding) ? (deciding ? FALSE : TRUE) : anyFrom(`${op}(…)`);
  }
  const label = labelOf(op, args);
  const [first, second] = known;
  if (first === undefined) return anyFrom(label);
  if (second === undefined) return union(alternatives(first).map((a) => applied(op, [a], label)));
  const [lefts, rights] = [alternatives(first), alternatives(second)];
  if (lefts.length * rights.length > ALTERNATIVES_MAX) return anyFrom(label);
  return union(lefts.flatMap((a) => rights.map((b) => applied(op, [a, b], label))));
}

/** One operator on single alternatives. */
function applied(op: Operator, args: readonly Known[], label: string): Known {
  const whole = folded(
    args.map((arg, i) => [String(i), arg] as const),
    (constants) => ({ form: 'op', op, args: constants.map(([, arg]) => arg) }),
  );
  if (whole !== undefined) return whole;
  const [a, b] = args as readonly [Known, Known | undefined];
  if (b === undefined) return anyFrom(label);
  if (op === 'concat') return joined(a, b);
  if ((op === 'eq' || op === 'ne') && (areApart(a, b) || areApart(b, a))) return op === 'ne' ? TRUE : FALSE;
  const key = op === 'get' ? constantOf(b) : undefined;
  if (key?.kind === 'text') return knownMember(a, key.value, label);
  return anyFrom(label);
}

/** No member of one is a member of the other. */
function areApart(a: Known, b: Known): boolean {
  return a.is === 'text' && b.is === 'value' && isTextual(b.value) && !matchesPattern(b.value.value, a);
}

/** The one answer that an expression can give when it gives a bool. */
export function booleanOf(known: Known): boolean | undefined {
  return known.is === 'value' && known.value.kind === 'bool' ? known.value.value : undefined;
}

function labelOf(op: Operator, args: readonly Expr[]): string {
  const [first] = args;
  return first?.form === 'ref' ? `${op}(${first.text}${args.length > 1 ? ', …' : ''})` : `${op}(…)`;
}
