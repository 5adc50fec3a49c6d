import { assignable } from './assignable.ts';
import { PathChecker } from './check-path.ts';
import type { Expr } from './expr.ts';
import type { Typed } from './expr-findings.ts';
import type { Hint } from './node-read.ts';
import { isNumeric, isOpen, isScalarType, type ResolvedType, type StaticType } from './static-type.ts';
import type { Type } from './type.ts';
import type { Value } from './value.ts';
import { conform } from './value-conform.ts';

/**
 * A value where a type is expected (`expressions.md` §13.3): whether it goes there as it is or converted, and what would help when
 * it does not. Where the value is known, its conversion is tried.
 */
export class FitChecker extends PathChecker {
  /** A value that is no constructor, where `expected` is wanted. */
  protected fit(given: Typed, expected: StaticType, expr: Expr): boolean {
    if (this.isMisused(given, expr)) return false;
    const typed = this.used(given, expr);
    const target = this.table.resolve(expected);
    const { label } = this;
    const verdict = assignable(typed.type, expected, this.table);
    if (!verdict.fits) {
      this.mismatch(expected, this.table.text(typed.type), expr, () => this.mismatchHint(typed, target, label));
      return false;
    }
    if (!verdict.checked) return true;
    const failure = typed.value === undefined ? undefined : this.conversionFailure(typed.value, expected);
    if (failure !== undefined) {
      const isRange = failure === 'value.out_of_range';
      this.error(
        isRange ? 'const_range' : 'const_error',
        `${this.shown(expr, typed)} is no ${this.table.text(expected)}`,
        {
          hint: isRange
            ? `${this.table.text(expected)} goes from ${RANGES[this.inner(target).kind] ?? 'less'}.`
            : `Write a valid ${this.table.text(expected)}.`,
          fields: {
            expected: this.table.text(expected),
            found: this.table.text(typed.type),
            ...(isRange ? {} : { reason: 'conversion' }),
          },
        },
      );
      return false;
    }
    for (const warning of verdict.warnings) {
      // A constant was tried.
      if (warning === 'text_conversion' && typed.value !== undefined) continue;
      if (warning === 'option_unwrap_unproven') this.unwrapped(typed, expr);
      else this.conversion(warning, typed, expected, expr);
    }
    return true;
  }

  private conversion(warning: string, typed: Typed, expected: StaticType, expr: Expr): void {
    const [from, to] = [this.table.text(typed.type), this.table.text(expected)];
    const fields = { expected: to, found: from };
    if (warning === 'unit_conversion') {
      this.warn(warning, `${from} becomes ${to} as a bare number${this.of(expr)}`, {
        hint: `Use a value of type ${to}, so that units agree.`,
        fields,
      });
    } else if (warning === 'text_conversion') {
      this.warn(warning, `text that is no ${to} fails when it runs${this.of(expr)}`, {
        hint: `Give the field the type ${to} where it comes from.`,
        fields,
      });
    } else if (this.env.provable) {
      this.warn('variant_unrefined', `not every arm is ${to}${this.of(expr)}`, {
        hint: this.armHint(typed.place),
        fields,
      });
    }
  }

  private conversionFailure(value: Value, expected: StaticType): string | undefined {
    const target = this.inner(this.table.resolve(expected));
    if (!isScalarType(target) || target.kind === 'integer') return undefined;
    const result = conform(value, target as Type, this.table.scope);
    return result.ok ? undefined : result.failure[0]?.code;
  }

  protected mismatch(expected: StaticType, found: string, expr: Expr, hint: Hint): void {
    const wanted = this.table.text(expected);
    this.error('slot_type', `expected ${wanted}, found ${found}${this.of(expr)}`, {
      hint,
      fields: { expected: wanted, found },
    });
  }

  /** A field beside the one that was read, or inside what was read, when exactly one has the type. */
  private mismatchHint(typed: Typed, target: ResolvedType, label: string): string | undefined {
    const wanted = this.inner(target);
    const name = this.table.text(wanted);
    const fits = (type: StaticType) => {
      const verdict = assignable(type, wanted, this.table);
      return verdict.fits && !verdict.checked;
    };
    const type = this.table.resolve(typed.type);
    const within =
      type.kind === 'record' && typed.text !== undefined ? { fields: type.fields, text: typed.text } : undefined;
    const owner = typed.owner ?? within;
    if (owner !== undefined) {
      const good = [...owner.fields].filter(([, field]) => fits(field)).map(([field]) => field);
      const last = label.slice(label.lastIndexOf('.') + 1);
      const best = good.length === 1 ? good[0] : good.find((field) => field === last);
      if (best !== undefined) return `Use the ${name} field ${owner.text}.${best}.`;
    }
    if (isOpen(type)) return undefined;
    if (type.kind === 'variant') return 'Read its payload with .$value in a step that is guarded on .$tag.';
    if (wanted.kind === 'record' && type.kind === 'record') {
      return `Types are nominal by content: make the value with {"record": {…}} out of the fields ${this.fieldNames(wanted.fields)}.`;
    }
    if (wanted.kind === 'text' && isNumeric(type))
      return 'Numbers are never made text: take the text where it comes from.';
    return `Give a value of type ${name}.`;
  }

  protected fieldNames(fields: ReadonlyMap<string, unknown>): string {
    const names = [...fields.keys()];
    return names.length > 8 ? `${names.slice(0, 8).join(', ')}, …` : names.join(', ');
  }
}

const RANGES: Readonly<Record<string, string>> = {
  int: '-2^63 to 2^63-1',
  nat: '0 to 2^64-1',
  time: '0 to 2^64-1 ns',
  duration: '-2^63 to 2^63-1 ns',
};
