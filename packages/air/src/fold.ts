import { evaluate } from './evaluate.ts';
import type { Env, EvalCode, Expr } from './expr.ts';
import type { Value } from './value.ts';

/**
 * Constant folding (`expressions.md` §13.6, `const_error`): what an operation or a constructor makes of parts that are
 * known at load, found by the evaluator itself.
 */

const NOTHING: Env = {
  input: () => undefined,
  variable: () => undefined,
  step: () => undefined,
  event: () => undefined,
  receipt: () => undefined,
};

export type Folded =
  | { readonly value: Value; readonly code?: undefined }
  | { readonly code: EvalCode; readonly value?: undefined };

/** @param expr - Its parts are constants: one level is folded at a time, so the place of an error is its own. */
export function fold(expr: Expr): Folded {
  const result = evaluate(expr, NOTHING);
  return result.ok ? { value: result.value } : { code: result.failure.code };
}

export function constant(value: Value): Expr {
  return { form: 'const', value };
}
