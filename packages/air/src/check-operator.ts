import { type Arithmetic, arithmeticType } from './arithmetic-type.ts';
import { FitChecker } from './check-fit.ts';
import { knownHint } from './check-path.ts';
import { comparison } from './comparable.ts';
import { suggestHint } from './diagnostic.ts';
import type { Expr, Operator } from './expr.ts';
import type { Typed } from './expr-findings.ts';
import { factsOf, type Place, placeAt, textOf } from './facts.ts';
import { constant, fold } from './fold.ts';
import { shorten } from './json.ts';
import {
  BOOL,
  HASH,
  isInteger,
  isKeyType,
  isNumeric,
  isOpen,
  isScalarType,
  NAT,
  NEVER,
  type ResolvedType,
  type StaticType,
  TEXT,
  UNKNOWN,
} from './static-type.ts';
import type { Value } from './value.ts';

/** Types of operations (`expressions.md` §7–§9), and what constants come to. */

type Op = Extract<Expr, { readonly form: 'op' }>;

export abstract class OperatorChecker extends FitChecker {
  /** @param hint - Type of the value it is compared with; only a variant constructor needs it, to know its arms. */
  protected abstract infer(expr: Expr, hint?: StaticType): Typed;

  /** An expression as data: no handle, a receipt is its payload. */
  protected value(expr: Expr, hint?: StaticType): Typed {
    const typed = this.infer(expr, hint);
    if (this.isMisused(typed, expr)) return { type: UNKNOWN };
    return this.used(typed, expr);
  }

  protected operation(expr: Op): Typed {
    const { op, args } = expr;
    switch (op) {
      case 'and':
      case 'or':
        return this.connective(expr, op === 'or');
      case 'get':
        return this.get(expr);
      case 'has':
        return this.has(expr);
      case 'contains':
        return this.contains(expr);
      case 'eq':
      case 'ne':
        return this.equality(expr);
      case 'lt':
      case 'le':
      case 'gt':
      case 'ge':
        return this.order(expr);
      case 'add':
      case 'sub':
      case 'mul':
      case 'div':
      case 'mod':
        return this.arithmetic(expr, op);
      case 'concat':
      case 'starts_with':
      case 'ends_with': {
        const parts = args.map((_, index) => this.operand(expr, index, (type) => type.kind === 'text', 'text'));
        return this.result(expr, op === 'concat' ? TEXT : BOOL, parts);
      }
      case 'not':
        return this.result(expr, BOOL, [this.operand(expr, 0, (type) => type.kind === 'bool', 'bool')]);
      case 'hash_bytes':
        return this.result(expr, HASH, [this.operand(expr, 0, (type) => type.kind === 'bytes', 'bytes')]);
      case 'hash':
        return this.result(expr, HASH, [this.arg(expr, 0, (each) => this.value(each))]);
      case 'len':
        return this.length(expr);
      default:
        return op satisfies never;
    }
  }

  private arg(expr: Op, index: number, step: (arg: Expr) => Typed): Typed {
    return this.inside(['args', index], () => step(expr.args[index] as Expr));
  }

  /** An operand of one of the listed types; an option of one is taken too (§7). */
  private operand(expr: Op, index: number, isGood: (type: ResolvedType) => boolean, wanted: string): Typed {
    return this.arg(expr, index, (arg) => {
      const typed = this.value(arg);
      return this.needs(typed, arg, isGood, expr.op, wanted);
    });
  }

  private needs(
    typed: Typed,
    arg: Expr,
    isGood: (type: ResolvedType) => boolean,
    op: Operator,
    wanted: string,
    hint?: string,
  ): Typed {
    if (this.alternatives(typed.type).every((type) => isGood(type) || isOpen(type))) return this.unwrapped(typed, arg);
    this.operandType(typed, arg, op, wanted, hint);
    return { type: UNKNOWN };
  }

  private operandType(typed: Typed, arg: Expr, op: Operator, wanted: string, hint?: string): void {
    const isPayload = this.table.resolve(typed.type).kind === 'payload';
    this.error('operand_type', `${op} takes ${wanted}, found ${this.found(typed, arg)}`, {
      hint: hint ?? (isPayload ? this.armHint(typed.place) : `Give ${wanted}.`),
      fields: { op, expected: wanted, found: this.table.text(typed.type) },
    });
  }

  /** @param parts - All arguments; when each is known, so is the result, or that there is none. */
  private result(expr: Op, type: StaticType, parts: readonly Typed[]): Typed {
    if (!parts.every(({ value }) => value !== undefined)) return { type };
    if (parts.some((part) => this.table.resolve(part.type).kind === 'unknown')) return { type };
    return { type, value: this.folded({ ...expr, args: parts.map(({ value }) => constant(value as Value)) }) };
  }

  protected folded(expr: Expr): Value | undefined {
    const { value, code } = fold(expr);
    if (value !== undefined) return value;
    // What is of a wrong type was reported as that.
    if (code === 'type_mismatch') return undefined;
    this.error('const_error', `this always fails with ${code}`, {
      hint: FOLD_HINTS[code as string] ?? 'Change the constants.',
      fields: { reason: code as string },
    });
    return undefined;
  }

  private connective(expr: Op, deciding: boolean): Typed {
    const forget: (() => void)[] = [];
    let decided: Value | undefined;
    let known = true;
    for (const [index, arg] of expr.args.entries()) {
      const part = this.operand(expr, index, (type) => type.kind === 'bool', 'bool');
      if (known && part.value === undefined) known = false;
      if (known && part.value?.kind === 'bool' && part.value.value === deciding) decided ??= part.value;
      // Later arguments are evaluated only when this one came out the other way.
      if (index < expr.args.length - 1) forget.push(...this.learn(factsOf(arg, !deciding, this.placeOf)));
    }
    for (const undo of forget.reverse()) undo();
    const value = decided ?? (known ? ({ kind: 'bool', value: !deciding } as const) : undefined);
    return { type: BOOL, value };
  }

  private get(expr: Op): Typed {
    const [container, key] = expr.args as readonly [Expr, Expr];
    const typed = this.arg(expr, 0, (arg) => this.infer(arg));
    const type = this.inner(this.table.resolve(typed.type));
    const text = typed.text ?? '…';
    if (type.kind === 'handle' || type.kind === 'plan_handle') {
      this.inside(['args', 0], () => this.misuse(typed, container));
      this.arg(expr, 1, (arg) => this.value(arg));
      return { type: UNKNOWN };
    }
    if (type.kind === 'record' || type.kind === 'variant' || type.kind === 'receipt' || type.kind === 'payload') {
      const keyTyped = this.arg(expr, 1, (arg) => this.value(arg));
      const segment = keyTyped.value?.kind === 'text' ? keyTyped.value.value : undefined;
      if (segment === undefined) {
        if (!isOpen(this.table.resolve(keyTyped.type))) this.keyNotConstant(expr, type);
        return { type: UNKNOWN };
      }
      // The evaluator takes the payload of a variant by how it is spelled.
      const found = this.member(this.refined(typed), segment, isPayloadSpelling(container), expr, text);
      if (found === undefined) return { type: UNKNOWN };
      const value =
        typed.value === undefined ? undefined : this.folded({ ...expr, args: [constant(typed.value), key] });
      const spelled = textOf(key) === undefined ? undefined : `${text}.${segment}`;
      return { ...found, value, text: spelled, ...(spelled === undefined ? { place: undefined } : {}) };
    }
    if (type.kind === 'map') {
      const unwrapped = this.inside(['args', 0], () => this.unwrapped(typed, container));
      const keyTyped = this.arg(expr, 1, (arg) => this.keyFor(type, this.value(arg), arg, expr.op));
      const place = this.entryPlace(unwrapped, key, type);
      return { ...this.result(expr, type.value, [typed, keyTyped]), place };
    }
    if (type.kind === 'list') {
      this.inside(['args', 0], () => this.unwrapped(typed, container));
      const index = this.operand(expr, 1, (each) => isInteger(each), 'an integer');
      return this.result(expr, type.item, [typed, index]);
    }
    this.arg(expr, 1, (arg) => this.value(arg));
    if (isOpen(type)) return { type: type.kind === 'never' ? NEVER : UNKNOWN };
    this.inside(['args', 0], () => this.operandType(typed, container, 'get', 'a record, variant, map or list'));
    return { type: UNKNOWN };
  }

  private entryPlace(typed: Typed, key: Expr, type: Extract<ResolvedType, { kind: 'map' }>): Place | undefined {
    const segment = textOf(key);
    const isText = this.table.resolve(type.key).kind === 'text';
    return typed.place && segment !== undefined && isText ? placeAt(typed.place, [segment]) : undefined;
  }

  /** A key for a map: of its class, since another kind is never found or no key at all. */
  private keyFor(map: Extract<ResolvedType, { kind: 'map' }>, typed: Typed, arg: Expr, op: Operator): Typed {
    const key = this.table.resolve(map.key);
    const isGood = (type: ResolvedType) => isKeyType(type) && comparison(type, key, this.table) !== 'never';
    const unwrapped = this.needs(typed, arg, isGood, op, `a key of type ${this.table.text(map.key)}`);
    if (this.alternatives(typed.type).some((type) => isGood(type) && comparison(type, key, this.table) === 'cross')) {
      this.crossKind(typed.type, map.key);
    }
    return unwrapped;
  }

  private keyNotConstant(expr: Op, type: ResolvedType): void {
    const payload = type.kind === 'receipt' ? this.inner(this.table.resolve(type.payload)).kind : undefined;
    const isCollection = payload === 'list' || payload === 'map';
    this.inside(['args', 1], () =>
      this.error('get_key_not_constant', `${expr.op} on ${this.owner(type)} needs a constant text as key`, {
        hint: isCollection
          ? 'Assign the receipt to a variable of its own, which then holds the payload, and read that one.'
          : 'Write {"text": "<field>"}; for keys that vary use a map.',
        fields: { op: expr.op },
      }),
    );
  }

  /** A receipt is read by its segments, whatever its payload is. */
  private owner(type: ResolvedType): string {
    return type.kind === 'receipt' ? `a receipt of ${this.table.text(type)}` : this.table.text(type);
  }

  private has(expr: Op): Typed {
    const [container, member] = expr.args as readonly [Expr, Expr];
    const typed = this.arg(expr, 0, (arg) => this.used(this.infer(arg), arg));
    const text = typed.text ?? '…';
    const type = this.inner(this.table.resolve(typed.type));
    switch (type.kind) {
      case 'record':
      case 'variant':
      case 'payload': {
        const key = this.arg(expr, 1, (arg) => this.value(arg));
        const segment = key.value?.kind === 'text' ? key.value.value : undefined;
        if (segment === undefined) {
          if (!isOpen(this.table.resolve(key.type))) this.keyNotConstant(expr, type);
          return { type: BOOL };
        }
        if (type.kind === 'payload') {
          const scalar = this.alternatives(type).find((arm) => isScalarType(arm));
          if (scalar !== undefined) {
            this.inside(['args', 0], () => this.operandType(typed, container, 'has', 'a record or a collection'));
          } else if (this.armsHave(type.arms, segment) === false) {
            this.unknownField(segment, () => this.armNames(type.arms), typed, expr, text);
          }
          return { type: BOOL };
        }
        const known = type.kind === 'record' ? type.fields : VARIANT_MEMBERS;
        if (!known.has(segment)) this.unknownField(segment, () => [...known.keys()], typed, expr, text);
        return this.result(expr, BOOL, [typed, key]);
      }
      case 'map':
        return this.result(expr, BOOL, [
          typed,
          this.arg(expr, 1, (arg) => this.keyFor(type, this.value(arg), arg, expr.op)),
        ]);
      case 'list':
      case 'set':
        return this.result(expr, BOOL, [typed, this.element(expr, type.item)]);
      case 'handle':
      case 'plan_handle':
        this.inside(['args', 0], () => this.misuse(typed, container));
        this.arg(expr, 1, (arg) => this.value(arg));
        return { type: BOOL };
      case 'none':
      case 'unknown':
      case 'never':
        return this.result(expr, BOOL, [typed, this.arg(expr, 1, (arg) => this.value(arg))]);
      default:
        this.inside(['args', 0], () =>
          this.operandType(typed, container, 'has', 'a record, map, list or set', containerHint(type, member)),
        );
        this.arg(expr, 1, (arg) => this.value(arg));
        return { type: BOOL };
    }
  }

  /** Undefined when an arm is a collection, where any key may be there. */
  private armsHave(arms: ReadonlyMap<string, StaticType>, segment: string): boolean | undefined {
    let found = false;
    for (const arm of arms.values()) {
      const type = this.inner(this.table.resolve(arm));
      if (type.kind === 'map' || type.kind === 'list' || type.kind === 'set' || isOpen(type)) return undefined;
      found ||= this.armField(type, segment) !== undefined;
    }
    return found;
  }

  /** Membership is by `eq`, so the element must be able to equal one. */
  private element(expr: Op, item: StaticType): Typed {
    return this.arg(expr, 1, (arg) => {
      const typed = this.value(arg, item);
      if (this.table.holdsHandle(item)) return typed;
      const answer = comparison(typed.type, item, this.table);
      if (answer === 'never') {
        this.operandType(typed, arg, expr.op, `an element of type ${this.table.text(item)}`);
        return { type: UNKNOWN };
      }
      if (answer === 'cross') this.crossKind(typed.type, item);
      return typed;
    });
  }

  private contains(expr: Op): Typed {
    const [container] = expr.args as readonly [Expr, Expr];
    const typed = this.arg(expr, 0, (arg) => this.value(arg));
    const type = this.inner(this.table.resolve(typed.type));
    if (isOpen(type)) return this.result(expr, BOOL, [typed, this.arg(expr, 1, (arg) => this.value(arg))]);
    const isContainer = ['text', 'bytes', 'list', 'set', 'map'].includes(type.kind);
    if (!isContainer) {
      this.inside(['args', 0], () => this.operandType(typed, container, 'contains', 'text, bytes, a list, set or map'));
      this.arg(expr, 1, (arg) => this.value(arg));
      return { type: BOOL };
    }
    const whole = this.inside(['args', 0], () => this.unwrapped(typed, container));
    switch (type.kind) {
      case 'map': {
        const key = this.arg(expr, 1, (arg) => this.keyFor(type, this.value(arg), arg, expr.op));
        return this.result(expr, BOOL, [whole, key]);
      }
      case 'list':
      case 'set':
        return this.result(expr, BOOL, [whole, this.element(expr, type.item)]);
      default:
        return this.result(expr, BOOL, [whole, this.operand(expr, 1, (each) => each.kind === type.kind, type.kind)]);
    }
  }

  private equality(expr: Op): Typed {
    const [left, right] = expr.args as readonly [Expr, Expr];
    // A variant constructor takes its arms from the other side.
    const [a, b] = isVariantForm(left)
      ? this.reversed(
          () => this.equalPart(expr, 1),
          (other) => this.equalPart(expr, 0, other.type),
        )
      : this.inOrder(
          () => this.equalPart(expr, 0),
          (other) => this.equalPart(expr, 1, other.type),
        );
    this.knownTag(a, right, 1);
    this.knownTag(b, left, 0);
    if (this.table.holdsHandle(a.type) || this.table.holdsHandle(b.type)) {
      return this.handleEquality(expr, a, b);
    }
    switch (comparison(a.type, b.type, this.table)) {
      case 'never':
        this.error('never_equal', `${this.found(a, left)} never equals ${this.found(b, right)}`, {
          hint: this.neverHint(a, b),
          fields: { expected: this.table.text(a.type), found: this.table.text(b.type) },
        });
        return { type: BOOL };
      case 'cross':
        this.crossKind(a.type, b.type);
        return this.result(expr, BOOL, [a, b]);
      default:
        return this.result(expr, BOOL, [a, b]);
    }
  }

  private equalPart(expr: Op, index: number, hint?: StaticType): Typed {
    return this.arg(expr, index, (arg) => {
      const typed = this.infer(arg, hint);
      const type = this.table.resolve(typed.type);
      // A plan handle is a record made by spawn steps: it can be compared, with its like (§4).
      if (type.kind === 'plan_handle') return typed;
      if (this.isMisused(typed, arg)) return { type: UNKNOWN };
      return this.used(typed, arg);
    });
  }

  private inOrder(first: () => Typed, second: (other: Typed) => Typed): readonly [Typed, Typed] {
    const a = first();
    return [a, second(a)];
  }

  private reversed(first: () => Typed, second: (other: Typed) => Typed): readonly [Typed, Typed] {
    const b = first();
    return [second(b), b];
  }

  private handleEquality(expr: Op, a: Typed, b: Typed): Typed {
    const [left, right] = [this.table.resolve(a.type), this.table.resolve(b.type)];
    if (isOpen(left) || isOpen(right)) return { type: BOOL };
    if (left.kind === 'plan_handle' && right.kind === 'plan_handle') return { type: BOOL };
    const index = left.kind === 'plan_handle' ? 0 : 1;
    this.inside(['args', index], () => this.misuse(index === 0 ? a : b, expr.args[index] as Expr));
    return { type: BOOL };
  }

  /** `eq(P.$tag, "T")`: T must be an arm of P, else the comparison says nothing. */
  private knownTag(typed: Typed, other: Expr, index: number): void {
    const tag = textOf(other);
    if (tag === undefined || typed.tags === undefined || typed.tags.has(tag)) return;
    const arms = [...typed.tags.keys()];
    this.inside(['args', index], () =>
      this.error('unknown_tag', `no arm is called "${shorten(tag)}"`, {
        hint: () => suggestHint(tag, arms) ?? knownHint('The arms are', arms),
        fields: { tag: shorten(tag) },
      }),
    );
  }

  private neverHint(a: Typed, b: Typed): string {
    const kinds = [this.table.resolve(a.type).kind, this.table.resolve(b.type).kind];
    if (kinds.includes('none')) return 'Only an option can be none: leave the comparison out.';
    if (kinds.includes('record') && kinds[0] === kinds[1]) return 'Compare field by field.';
    return 'Compare values of one type.';
  }

  private crossKind(a: StaticType, b: StaticType): void {
    const [left, right] = [this.table.text(a), this.table.text(b)];
    this.warn('cross_kind_compare', `${left} is compared with ${right}`, {
      hint: 'Compare values of one type, so that units and meanings agree.',
      fields: { expected: left, found: right },
    });
  }

  private order(expr: Op): Typed {
    const isOrdered = (type: ResolvedType) => isNumeric(type) || type.kind === 'text' || type.kind === 'dec128';
    const wanted = 'numbers, text or dec128';
    const a = this.arg(expr, 0, (arg) => {
      const typed = this.value(arg);
      // A payload that is a number in one arm and a text in another has no order with anything.
      const isOne = orderClasses(this.alternatives(typed.type)).size <= 1;
      return this.needs(typed, arg, (type) => isOne && isOrdered(type), expr.op, wanted);
    });
    const classes = orderClasses(this.alternatives(a.type));
    const b = this.arg(expr, 1, (arg) => {
      const typed = this.value(arg);
      const isGood = (type: ResolvedType) => isOrdered(type) && (classes.size === 0 || classes.has(orderClass(type)));
      const both = classes.size === 0 ? wanted : `${this.table.text(a.type)} on both sides`;
      return this.needs(typed, arg, isGood, expr.op, both);
    });
    const [left, right] = [this.alternatives(a.type), this.alternatives(b.type)];
    const isCross = left.some((x) =>
      right.some((y) => !isOpen(x) && !isOpen(y) && comparison(x, y, this.table) === 'cross'),
    );
    if (isCross) this.crossKind(a.type, b.type);
    return this.result(expr, BOOL, [a, b]);
  }

  private arithmetic(expr: Op, op: Arithmetic): Typed {
    const a = this.operand(expr, 0, isNumeric, 'a number, time or duration');
    const b = this.operand(expr, 1, isNumeric, 'a number, time or duration');
    const [lefts, rights] = [this.alternatives(a.type), this.alternatives(b.type)];
    const open = [...lefts, ...rights].filter(isOpen);
    if (open.length > 0) return { type: open.every(({ kind }) => kind === 'never') ? NEVER : UNKNOWN };
    const type = arithmeticType(op, lefts, rights);
    if (type === undefined) {
      const found = `${this.table.text(a.type)} and ${this.table.text(b.type)}`;
      this.error('operand_type', `${op} does not go with ${found}`, {
        hint: ARITHMETIC_HINTS[op],
        fields: { op, found },
      });
      return { type: UNKNOWN };
    }
    return this.result(expr, type, [a, b]);
  }

  private length(expr: Op): Typed {
    const isGood = ({ kind }: ResolvedType) => LENGTH_KINDS.has(kind);
    const part = this.arg(expr, 0, (arg) => {
      // A record with a handle in it can be counted, a handle cannot.
      const typed = this.used(this.infer(arg), arg);
      const { kind } = this.inner(this.table.resolve(typed.type));
      if (kind !== 'record' && kind !== 'list' && this.isMisused(typed, arg)) return { type: UNKNOWN };
      return this.needs(typed, arg, isGood, 'len', 'text, bytes, a list, set, map or record');
    });
    return this.result(expr, NAT, [part]);
  }
}

const LENGTH_KINDS: ReadonlySet<string> = new Set(['text', 'bytes', 'list', 'set', 'map', 'record']);

const FOLD_HINTS: Readonly<Record<string, string>> = {
  divide_by_zero: 'Divide by something else than 0.',
  numeric_overflow: 'Use smaller numbers: integers go from -2^63 to 2^64-1.',
  index_out_of_range: 'Indices count from 0 and end before the length.',
  key_not_found: 'Use a key that the map has.',
  duplicate_key: 'Give every key once.',
  none_access: 'Leave none out where a value is needed.',
  value_too_large: 'Make the value smaller.',
};

const ARITHMETIC_HINTS: Readonly<Record<Arithmetic, string>> = {
  add: 'Numbers add to numbers, a duration to a time or a duration.',
  sub: 'Subtract numbers from numbers, a duration or a time from a time, a duration from a duration.',
  mul: 'Multiply numbers, or a duration by a number.',
  div: 'Divide numbers, or a duration by a number.',
  mod: 'Divide numbers, or a duration by a number.',
};

function orderClass(type: ResolvedType): string {
  return isNumeric(type) ? 'number' : type.kind;
}

/** Empty when nothing is known. */
function orderClasses(types: readonly ResolvedType[]): ReadonlySet<string> {
  return new Set(types.filter((type) => !isOpen(type)).map(orderClass));
}

function isVariantForm(expr: Expr): boolean {
  return expr.form === 'variant';
}

/** As the evaluator tells the payload of a variant: by its spelling. */
function isPayloadSpelling(expr: Expr): boolean {
  if (expr.form === 'ref') return expr.path.at(-1) === '$value';
  return expr.form === 'op' && expr.op === 'get' && expr.args[1] !== undefined && textOf(expr.args[1]) === '$value';
}

function containerHint(type: ResolvedType, member: Expr): string | undefined {
  if (type.kind === 'text' || type.kind === 'bytes') return 'Use contains.';
  return member.form === 'const' ? undefined : 'Compare it with eq.';
}

const VARIANT_MEMBERS: ReadonlyMap<string, unknown> = new Map([
  ['$tag', true],
  ['$value', true],
]);
