import type { Operator } from './expr-shape.ts';
import type { Value } from './value.ts';

/** Expressions (`expressions.md` §2), parsed: references split, constants normalised, records in canonical key order. */

export { OPERATORS, type Operator } from './expr-shape.ts';

export type RefRoot = 'input' | 'var' | 'step' | 'event';

export interface RefExpr {
  readonly form: 'ref';
  readonly root: RefRoot;
  /** Variable name or step id; absent for `@plan.input` and `@event`. */
  readonly name?: string | undefined;
  /** Segments after the root, without dots. */
  readonly path: readonly string[];
  /** As written. */
  readonly text: string;
}

export type Expr =
  | RefExpr
  /** `written`: a uuid as authored, when it has upper-case digits. Nodes keep what was written (`definitions.md` §5). */
  | { readonly form: 'const'; readonly value: Value; readonly written?: string | undefined }
  | { readonly form: 'op'; readonly op: Operator; readonly args: readonly Expr[] }
  /** Fields in canonical key order: it decides which error is reported first (`expressions.md` §6). */
  | { readonly form: 'record'; readonly fields: readonly (readonly [string, Expr])[] }
  | { readonly form: 'list'; readonly items: readonly Expr[] }
  | { readonly form: 'set'; readonly items: readonly Expr[] }
  | { readonly form: 'map'; readonly entries: readonly (readonly [Expr, Expr])[] }
  | { readonly form: 'variant'; readonly tag: string; readonly value?: Expr | undefined };

/** What a slot holds: a value known at load, or an expression. */
export type Slot =
  | { readonly literal: Value; readonly expr?: undefined }
  | { readonly expr: Expr; readonly literal?: undefined };

/** Codes of `expressions.md` §11, closed. */
export type EvalCode =
  | 'missing_ref'
  | 'missing_field'
  | 'none_access'
  | 'no_payload'
  | 'key_not_found'
  | 'duplicate_key'
  | 'index_out_of_range'
  | 'numeric_overflow'
  | 'conversion'
  | 'divide_by_zero'
  | 'value_too_large'
  | 'type_mismatch';

export interface EvalError {
  readonly code: EvalCode;
  /** From the expression's own root to the innermost failing one: `['args', 0]`. The caller puts its own location before it. */
  readonly path: readonly (string | number)[];
}

/** A receipt as an expression sees it (`expressions.md` §3.1). */
export interface ReceiptView {
  readonly status: 'ok' | 'error' | 'timeout';
  /** Typed by the receipt schema; absent when the receipt carried none. */
  readonly payload?: Value | undefined;
  readonly adapterId: string;
  readonly costCents?: bigint | undefined;
  /** `sys/EffectError@1` record; absent when status is ok. */
  readonly error?: Value | undefined;
}

/** What an expression may read. Every lookup returns undefined for what is not bound (yet). */
export interface Env {
  input(): Value | undefined;
  variable(name: string): Value | undefined;
  step(id: string): Value | undefined;
  event(): Value | undefined;
  receipt(emissionSeq: number): ReceiptView | undefined;
}
