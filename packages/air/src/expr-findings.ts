import type { Path } from '@worldline/canon';
import type { DiagnosticFields } from './diagnostic.ts';
import type { Expr, RefExpr } from './expr.ts';
import type { Place } from './facts.ts';
import { shorten } from './json.ts';
import type { Hint } from './node-read.ts';
import type { StaticType, TypeTable } from './static-type.ts';
import type { Value } from './value.ts';

/** What the checker finds in an expression, and where it stands while it looks. */

export interface ExprFinding {
  readonly code: string;
  readonly severity?: 'warning' | undefined;
  /** From the root of the expression, in its tagged form. */
  readonly path: Path;
  readonly message: string;
  readonly hint?: Hint;
  readonly fields?: DiagnosticFields | undefined;
}

/** What an expression reads, and what is known where it stands. */
export interface ExprEnv {
  readonly table: TypeTable;
  /** The type of a reference's root; `unknown` where another rule reports the reference. */
  rootType(ref: RefExpr): StaticType;
  /** The place of a root that cannot get another value while facts about it are used. */
  rootPlace(ref: RefExpr): Place | undefined;
  /** The value of a fact that holds wherever the expression is evaluated. */
  fact(key: string): string | undefined;
  /** False where it is not known what comes before: then unproven reads are no finding. */
  readonly provable: boolean;
  /** Does another rule report what this reference leads to (V-707)? */
  reportsPath?(ref: RefExpr): boolean;
}

export type Report = (finding: ExprFinding) => void;

/** An expression with its type. */
export interface Typed {
  readonly type: StaticType;
  /** What it evaluates to, when that is known at load. */
  readonly value?: Value | undefined;
  readonly place?: Place | undefined;
  /** The last segment of the place is a field of a record: `has` proves that it is not none. */
  readonly isField?: boolean | undefined;
  /** The record whose field this is, to suggest another one. */
  readonly owner?: { readonly fields: ReadonlyMap<string, StaticType>; readonly text: string } | undefined;
  /** How it is spelled as a path, for messages. */
  readonly text?: string | undefined;
  /** This is the tag of a variant with these arms. */
  readonly tags?: ReadonlyMap<string, StaticType> | undefined;
}

/** Collects findings with their places: paths from the root of the expression, labels in the author's words. */
export class ExprFindings {
  protected readonly env: ExprEnv;
  protected readonly table: TypeTable;
  private readonly report: Report;
  private readonly path: (string | number)[] = [];

  /** Where a value goes, in the author's words: `emit_effect.params.url`. */
  protected label: string;

  constructor(env: ExprEnv, label: string, report: Report) {
    this.env = env;
    this.table = env.table;
    this.label = label;
    this.report = report;
  }

  protected inside<T>(parts: Path, step: () => T): T {
    const depth = this.path.length;
    this.path.push(...parts);
    const result = step();
    this.path.length = depth;
    return result;
  }

  protected within<T>(parts: Path, label: string, step: () => T): T {
    const outer = this.label;
    this.label = outer.length > 200 ? outer : outer + label;
    const result = this.inside(parts, step);
    this.label = outer;
    return result;
  }

  protected error(code: string, problem: string, extra: Pick<ExprFinding, 'hint' | 'fields'> = {}): void {
    this.report({ code, path: [...this.path], message: `${shorten(this.label, 120)}: ${problem}`, ...extra });
  }

  protected warn(code: string, problem: string, extra: Pick<ExprFinding, 'hint' | 'fields'> = {}): void {
    this.report({
      code,
      severity: 'warning',
      path: [...this.path],
      message: `${shorten(this.label, 120)}: ${problem}`,
      ...extra,
    });
  }

  /** ` (@plan.input.order_no)` behind a message about a reference. */
  protected of(expr: Expr): string {
    return expr.form === 'ref' ? ` (${shorten(expr.text)})` : '';
  }

  protected found(typed: Typed, expr: Expr): string {
    return `${this.table.text(typed.type)}${this.of(expr)}`;
  }

  protected shown(expr: Expr, typed: Typed): string {
    const { value } = typed;
    if (
      value !== undefined &&
      'value' in value &&
      (typeof value.value === 'bigint' || typeof value.value === 'string')
    ) {
      return typeof value.value === 'bigint' ? String(value.value) : JSON.stringify(shorten(value.value));
    }
    return this.found(typed, expr);
  }
}
