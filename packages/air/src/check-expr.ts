import type { Path } from '@worldline/canon';
import { OperatorChecker } from './check-operator.ts';
import { knownHint } from './check-path.ts';
import { commonType } from './common-type.ts';
import { suggestHint } from './diagnostic.ts';
import type { Expr, RefExpr } from './expr.ts';
import type { Typed } from './expr-findings.ts';
import { constant } from './fold.ts';
import { shorten } from './json.ts';
import {
  HASH,
  isKeyType,
  isOpen,
  isScalarType,
  NEVER,
  type ResolvedType,
  type StaticType,
  typeOfScalar,
  UNIT,
  UNKNOWN,
} from './static-type.ts';
import type { Type } from './type.ts';
import { orderedMembers } from './type-resolve.ts';
import type { Value } from './value.ts';

/**
 * Static types of expressions (`expressions.md` §5, §6, §10, §13): constants, constructors, and where which type is expected.
 * Beneath it `check-operator.ts` has the operators, `check-fit.ts` whether a value goes where a type is expected,
 * `check-path.ts` the paths, `expr-findings.ts` the places of findings. `assignable.ts`, `comparable.ts`, `common-type.ts` and
 * `arithmetic-type.ts` decide about types, `facts.ts` about what guards prove; who may read what is the environment's part.
 *
 * CE1 Whatever is accepted evaluates without `type_mismatch` in every environment whose values have the types that the
 *     environment gives, and its value has the static type.
 * CE2 Every expression is looked at once. What was reported has the type `unknown`, which fits everything, so one
 *     mistake is one finding, at the innermost place that shows it.
 */

export type { ExprEnv, ExprFinding, Report, Typed } from './expr-findings.ts';

type Constructor = Exclude<Expr, { readonly form: 'ref' | 'const' | 'op' }>;

export class ExprChecker extends OperatorChecker {
  /** A guard, `where`, `when` or invariant: exactly bool (§10). */
  predicate(expr: Expr): void {
    const typed = this.used(this.infer(expr), expr);
    const type = this.table.resolve(typed.type);
    if (type.kind !== 'bool' && !isOpen(type)) {
      this.error('not_bool', `expected bool, found ${this.found(typed, expr)}`, {
        hint:
          type.kind === 'option' && this.table.resolve(type.item).kind === 'bool'
            ? 'Compare it: {"op": "eq", "args": [<it>, {"bool": true}]}.'
            : 'Only true is true: compare the value with what it should be, with eq, ne, lt or has.',
        fields: { expected: 'bool', found: this.table.text(typed.type) },
      });
    } else if (typed.value?.kind === 'bool') {
      this.warn('predicate_constant', `this is always ${typed.value.value}`, {
        hint: typed.value.value
          ? 'Leave the condition out, or compare with something that varies.'
          : 'Compare with something that varies, or remove what depends on it.',
      });
    }
  }

  /** A value for a slot of a known type. */
  expect(expr: Expr, expected: StaticType): void {
    this.check(expr, expected);
  }

  /**
   * A value for a variable without declared type.
   *
   * @returns its type. Handles may be bound, alone or in a list (§13.2).
   */
  assigned(expr: Expr): StaticType {
    if (expr.form === 'ref') {
      const typed = this.infer(expr);
      return this.table.holdsHandle(typed.type) ? typed.type : this.used(typed, expr).type;
    }
    if (expr.form === 'list') return this.list(expr, undefined, true).type;
    const typed = this.infer(expr);
    return this.used(typed, expr).type;
  }

  /** An idempotency key: a hash, text in hash form, or 32 bytes (`values.md` §8). */
  idempotencyKey(expr: Expr): void {
    const typed = this.used(this.infer(expr), expr);
    if (this.isMisused(typed, expr)) return;
    const kinds = this.alternatives(typed.type);
    if (kinds.every(({ kind }) => kind === 'hash' || kind === 'text' || kind === 'bytes')) {
      const needed = this.unwrapped(typed, expr);
      if (this.table.resolve(needed.type).kind === 'text') this.fit({ ...needed, place: undefined }, HASH, expr);
      return;
    }
    this.fit(typed, HASH, expr);
  }

  private check(expr: Expr, expected: StaticType): Typed {
    const target = this.table.resolve(expected);
    if (expr.form === 'ref' || expr.form === 'const' || expr.form === 'op') {
      const typed = this.infer(expr);
      return this.fit(typed, expected, expr) ? typed : { type: UNKNOWN };
    }
    const inner = target.kind === 'option' ? this.table.resolve(target.item) : target;
    if (isOpen(inner)) return this.infer(expr, expected);
    switch (expr.form) {
      case 'record':
        if (inner.kind === 'record') return this.recordOf(expr, inner.fields);
        break;
      case 'list':
        if (inner.kind === 'list') return this.list(expr, inner.item, false);
        break;
      case 'set':
        if (inner.kind === 'set') return this.set(expr, inner.item);
        break;
      case 'map':
        if (inner.kind === 'map') return this.map(expr, { key: inner.key, value: inner.value });
        break;
      case 'variant':
        if (inner.kind === 'variant') return this.variantOf(expr, inner.arms, true);
        break;
      default:
        return expr satisfies never;
    }
    this.mismatch(expected, expr.form, expr, this.formHint(inner, expr));
    // What is inside may be wrong on top of that.
    this.infer(expr, UNKNOWN);
    return { type: UNKNOWN };
  }

  private formHint(target: ResolvedType, expr: Constructor): string {
    if (target.kind === 'set' && expr.form === 'list') return 'Write {"set": […]}.';
    if (target.kind === 'list' && expr.form === 'set') return 'Write {"list": […]}.';
    if (target.kind === 'map' && expr.form === 'record') return 'Write {"map": [{"key": …, "value": …}]}.';
    if (target.kind === 'variant')
      return `Write {"variant": {"tag": …, "value": …}} with one of ${this.fieldNames(target.arms)}.`;
    return `Give ${this.table.text(target)} here.`;
  }

  /** @param hint - Type of the value it is compared with; only a variant constructor needs it, to know its arms. */
  protected infer(expr: Expr, hint?: StaticType): Typed {
    switch (expr.form) {
      case 'ref':
        return this.reference(expr);
      case 'const':
        return { type: typeOfScalar(expr.value), value: expr.value };
      case 'op':
        return this.operation(expr);
      case 'record':
        return this.record(expr, hint);
      case 'list':
        return this.list(expr, undefined, false, hint);
      case 'set':
        return this.set(expr, undefined, hint);
      case 'map':
        return this.map(expr, undefined, hint);
      case 'variant': {
        const known = hint === undefined ? undefined : this.inner(this.table.resolve(hint));
        if (known?.kind === 'variant') return this.variantOf(expr, known.arms, false);
        if (known !== undefined && isOpen(known)) return this.untypedVariant(expr);
        this.untypedVariant(expr);
        this.error('unknown_tag', `"${expr.tag}" is an arm of no known variant here`, {
          hint: 'Declare the variable in locals with the schema of the variant.',
          fields: { tag: shorten(expr.tag) },
        });
        return { type: UNKNOWN };
      }
      default:
        return expr satisfies never;
    }
  }

  private untypedVariant(expr: Extract<Expr, { form: 'variant' }>): Typed {
    if (expr.value !== undefined) {
      const { value } = expr;
      this.inside(['variant', 'value'], () => this.value(value, UNKNOWN));
    }
    return { type: UNKNOWN };
  }

  private record(expr: Extract<Expr, { form: 'record' }>, hint?: StaticType): Typed {
    const against = hint === undefined ? undefined : this.inner(this.table.resolve(hint));
    const fields = new Map<string, StaticType>();
    const parts: (readonly [string, Typed])[] = [];
    for (const [name, field] of expr.fields) {
      const fieldHint =
        against?.kind === 'record' ? against.fields.get(name) : against?.kind === 'unknown' ? UNKNOWN : undefined;
      const typed = this.within(['record', name], `.${name}`, () => this.value(field, fieldHint));
      fields.set(name, typed.type);
      parts.push([name, typed]);
    }
    return { type: { kind: 'record', fields }, value: this.foldRecord(parts) };
  }

  private recordOf(expr: Extract<Expr, { form: 'record' }>, types: ReadonlyMap<string, StaticType>): Typed {
    const parts: (readonly [string, Typed])[] = [];
    const given = new Set<string>();
    for (const [name, field] of expr.fields) {
      given.add(name);
      const type = types.get(name);
      const typed = this.within(['record', name], `.${name}`, () => {
        if (type !== undefined) return this.check(field, type);
        this.error('unknown_field', `no field is called "${shorten(name)}"`, {
          hint: () => suggestHint(name, types.keys()) ?? knownHint('The fields are', [...types.keys()]),
          fields: { field: shorten(name) },
        });
        return { type: UNKNOWN };
      });
      parts.push([name, typed]);
    }
    for (const [name, type] of orderedMembers(types as ReadonlyMap<string, Type>)) {
      const target = this.table.resolve(type);
      if (given.has(name) || target.kind === 'option' || target.kind === 'unknown') continue;
      const wanted = this.table.text(type);
      this.within(['record', name], `.${name}`, () =>
        this.error('value.missing_field', 'missing field', {
          hint: `Add "${shorten(name)}": ${wanted}.`,
          fields: { field: shorten(name), expected: wanted },
        }),
      );
    }
    return { type: { kind: 'record', fields: types }, value: this.foldRecord(parts) };
  }

  private foldRecord(parts: readonly (readonly [string, Typed])[]): Value | undefined {
    if (!parts.every(([, { value }]) => value !== undefined)) return undefined;
    return this.folded({ form: 'record', fields: parts.map(([name, { value }]) => [name, constant(value as Value)]) });
  }

  /** @param handles - Handles may be items: `assign` of a list of them. */
  private list(
    expr: Extract<Expr, { form: 'list' }>,
    item: StaticType | undefined,
    handles: boolean,
    hint?: StaticType,
  ): Typed {
    const against = hint === undefined ? undefined : this.inner(this.table.resolve(hint));
    const itemHint =
      against?.kind === 'list' || against?.kind === 'set'
        ? against.item
        : against?.kind === 'unknown'
          ? UNKNOWN
          : undefined;
    const parts = expr.items.map((part, index) =>
      this.within(['list', index], `[${index}]`, () => {
        if (item !== undefined) return this.check(part, item);
        return handles && part.form === 'ref' ? this.handleOrValue(part) : this.value(part, itemHint);
      }),
    );
    const type = item ?? this.common(parts, (index) => ['list', index], expr.items, { hint });
    return {
      type: { kind: 'list', item: type },
      value: this.foldItems('list', parts),
    };
  }

  private handleOrValue(ref: RefExpr): Typed {
    const typed = this.infer(ref);
    return this.table.holdsHandle(typed.type) ? typed : this.used(typed, ref);
  }

  private set(expr: Extract<Expr, { form: 'set' }>, item: StaticType | undefined, hint?: StaticType): Typed {
    const parts = expr.items.map((part, index) =>
      this.within(['set', index], `[${index}]`, () => {
        const typed = item === undefined ? this.value(part) : this.check(part, item);
        return this.scalar(typed, part, isScalarType, 'element_type', 'a set element is a scalar', item === undefined);
      }),
    );
    const type = item ?? this.common(parts, (index) => ['set', index], expr.items, { hint });
    return { type: { kind: 'set', item: type }, value: this.foldItems('set', parts) };
  }

  private map(
    expr: Extract<Expr, { form: 'map' }>,
    expected: { readonly key: StaticType; readonly value: StaticType } | undefined,
    hint?: StaticType,
  ): Typed {
    const against = hint === undefined ? undefined : this.inner(this.table.resolve(hint));
    const valueHint = against?.kind === 'map' ? against.value : against?.kind === 'unknown' ? UNKNOWN : undefined;
    const keys: Typed[] = [];
    const values: Typed[] = [];
    for (const [index, [key, value]] of expr.entries.entries()) {
      keys.push(
        this.within(['map', index, 'key'], `[${index}].key`, () => {
          const typed = expected === undefined ? this.value(key) : this.check(key, expected.key);
          const why = 'a map key is int, nat, text, uuid or hash';
          return this.scalar(typed, key, isKeyType, 'key_type', why, expected === undefined);
        }),
      );
      values.push(
        this.within(['map', index, 'value'], `[${index}]`, () =>
          expected === undefined ? this.value(value, valueHint) : this.check(value, expected.value),
        ),
      );
    }
    const entries = expr.entries;
    const key =
      expected?.key ??
      this.common(
        keys,
        (index) => ['map', index, 'key'],
        entries.map(([each]) => each),
        { hint, code: 'key_type' },
      );
    const value =
      expected?.value ??
      this.common(
        values,
        (index) => ['map', index, 'value'],
        entries.map(([, each]) => each),
        { hint },
      );
    const known =
      keys.every((typed) => typed.value !== undefined) && values.every((typed) => typed.value !== undefined);
    return {
      type: { kind: 'map', key, value },
      value: known
        ? this.folded({
            form: 'map',
            entries: keys.map((typed, index) => [
              constant(typed.value as Value),
              constant((values[index] as Typed).value as Value),
            ]),
          })
        : undefined,
    };
  }

  /** An element of a set or a key of a map: the evaluator takes nothing else, and no none. */
  private scalar(
    typed: Typed,
    expr: Expr,
    isGood: (type: ResolvedType) => boolean,
    code: string,
    why: string,
    unwrap: boolean,
  ): Typed {
    const bad = this.alternatives(typed.type).find((type) => !isGood(type) && !isOpen(type));
    if (bad !== undefined) {
      this.error(code, `${why}, found ${this.found(typed, expr)}`, {
        hint: isScalarType(bad) ? 'Use a value of one of these types.' : 'Use a hash or an id of it instead.',
        fields: { found: this.table.text(typed.type) },
      });
      return { type: UNKNOWN };
    }
    // Where a type is expected, the fit has said it.
    return unwrap ? this.unwrapped(typed, expr) : typed;
  }

  private variantOf(
    expr: Extract<Expr, { form: 'variant' }>,
    arms: ReadonlyMap<string, StaticType>,
    convert: boolean,
  ): Typed {
    const { tag, value } = expr;
    const arm = arms.get(tag);
    if (arm === undefined) {
      this.inside(['variant', 'tag'], () =>
        this.error('unknown_tag', `no arm is called "${shorten(tag)}"`, {
          hint: () => suggestHint(tag, arms.keys()) ?? knownHint('The arms are', [...arms.keys()]),
          fields: { tag: shorten(tag) },
        }),
      );
      return this.untypedVariant(expr);
    }
    let payload: Typed = { type: UNIT, value: { kind: 'null' } };
    if (value !== undefined) {
      payload = this.within(['variant', 'value'], `.${tag}`, () =>
        convert ? this.check(value, arm) : this.value(value, arm),
      );
    } else if (!['unit', 'unknown'].includes(this.table.resolve(arm).kind)) {
      this.error('value.missing_payload', `arm "${shorten(tag)}" needs a payload`, {
        hint: `Add "value": ${this.table.text(arm)}.`,
        fields: { tag: shorten(tag), expected: this.table.text(arm) },
      });
    }
    const known = payload.value;
    return {
      type: { kind: 'variant', arms: convert ? arms : new Map([[tag, payload.type]]) },
      value:
        known === undefined
          ? undefined
          : this.folded({ form: 'variant', tag, ...(value === undefined ? {} : { value: constant(known) }) }),
    };
  }

  /**
   * §13.4; the first item that does not go with those before it is reported. Where what is wanted is not known, for a
   * mistake that was reported, they might all fit it.
   */
  private common(
    parts: readonly Typed[],
    at: (index: number) => Path,
    exprs: readonly Expr[],
    { hint, code = 'element_type' }: { readonly hint?: StaticType | undefined; readonly code?: string },
  ): StaticType {
    let type: StaticType = NEVER;
    for (const [index, part] of parts.entries()) {
      const next = commonType(type, part.type, this.table);
      if (next === undefined) {
        if (hint !== undefined && isOpen(this.inner(this.table.resolve(hint)))) return UNKNOWN;
        const expected = this.table.text(type);
        this.inside(at(index), () =>
          this.error(
            code,
            `expected ${expected} like the items before, found ${this.found(part, exprs[index] as Expr)}`,
            {
              hint: 'Items of one collection have one type; use a record for different ones.',
              fields: { expected, found: this.table.text(part.type) },
            },
          ),
        );
        return UNKNOWN;
      }
      type = next;
    }
    return type;
  }

  private foldItems(form: 'list' | 'set', parts: readonly Typed[]): Value | undefined {
    if (!parts.every(({ value }) => value !== undefined)) return undefined;
    return this.folded({ form, items: parts.map(({ value }) => constant(value as Value)) });
  }
}
