import { suggestHint } from './diagnostic.ts';
import type { Expr, RefExpr } from './expr.ts';
import { ExprFindings, type Typed } from './expr-findings.ts';
import { type Facts, factKey, type Place, placeAt, spelledPlace } from './facts.ts';
import { shorten } from './json.ts';
import {
  asValue,
  NAT,
  NEVER,
  type ResolvedType,
  type StaticType,
  TEXT,
  type TypeTable,
  UNKNOWN,
} from './static-type.ts';

/**
 * Types along paths (`expressions.md` §3.1), and what facts prove about them (§13.5): options that are there, payloads of
 * known arms, receipts that have one.
 */

const STATUS_SEGMENTS: ReadonlyMap<string, StaticType> = new Map<string, StaticType>([
  ['$status', TEXT],
  ['$adapter_id', TEXT],
  ['$cost_cents', { kind: 'option', item: NAT }],
  ['$error', { kind: 'option', item: { kind: 'ref', name: 'sys/EffectError@1' } }],
]);

type ReceiptType = Extract<StaticType, { kind: 'receipt' }>;

export class PathChecker extends ExprFindings {
  /** Facts of earlier arguments of `and` and `or`, on top of those of the environment. */
  private readonly local = new Map<string, string>();

  protected reference(ref: RefExpr): Typed {
    let typed: Typed = { type: this.env.rootType(ref), place: this.env.rootPlace(ref), text: ref.text };
    let inPayload = false;
    // The text of a reference ends with its path, so prefixes are found from behind.
    let end = ref.text.length - ref.path.reduce((sum, segment) => sum + segment.length + 1, 0);
    typed = this.refined(typed);
    for (const segment of ref.path) {
      const next = this.member(typed, segment, inPayload, ref, ref.text.slice(0, end));
      if (next === undefined) return { type: UNKNOWN };
      inPayload = segment === '$value';
      end += segment.length + 1;
      typed = { ...next, text: ref.text.slice(0, end) };
    }
    return typed;
  }

  /** The payload of a variant whose tag is known is that arm's, wherever the payload is kept. */
  protected refined(typed: Typed): Typed {
    const type = this.table.resolve(typed.type);
    if (type.kind !== 'payload' || typed.place?.path.at(-1) !== '$value') return typed;
    const arm = type.arms.get(this.tagOf(typed.place) ?? '');
    return arm === undefined ? typed : { ...typed, type: arm };
  }

  /** The tag that is proven of the variant whose payload `place` is. */
  private tagOf(place: Place): string | undefined {
    return this.fact(factKey('tag', { root: place.root, path: place.path.slice(0, -1) }));
  }

  /**
   * One path step (§3.1).
   *
   * @param inPayload - As the evaluator has it: the value is spelled as a payload, so what an arm lacks is
   *   `missing_field` whatever the arm is.
   * @param text - The expression up to here, for messages.
   * @returns undefined when something was reported.
   */
  protected member(given: Typed, segment: string, inPayload: boolean, expr: Expr, text: string): Typed | undefined {
    const { table } = this;
    let typed = given;
    let type = table.resolve(typed.type);
    if (type.kind === 'option') {
      typed = this.unwrapped(typed, expr, text);
      type = table.resolve(typed.type);
    }
    const place = typed.place && placeAt(typed.place, [segment]);
    switch (type.kind) {
      case 'unknown':
      case 'never':
        return { type: type.kind === 'never' ? NEVER : UNKNOWN };
      case 'record': {
        const field = type.fields.get(segment);
        if (field === undefined) return this.unknownField(segment, () => [...type.fields.keys()], typed, expr, text);
        return { type: field, place, isField: true, owner: { fields: type.fields, text } };
      }
      case 'variant':
        if (segment === '$tag') return { type: TEXT, place, tags: type.arms };
        if (segment === '$value') return this.refined({ type: this.payloadOf(type.arms), place });
        return this.unknownField(segment, () => [], typed, expr, text, 'Fields of a variant begin with $value.');
      case 'map':
        if (table.resolve(type.key).kind !== 'text') {
          return this.onScalar(segment, type, expr, text, 'Read an entry with {"op": "get", "args": [<map>, <key>]}.');
        }
        return { type: type.value, place };
      case 'receipt':
        return this.receiptMember(type, typed, segment, expr, text);
      case 'payload':
        return this.armMember(type.arms, typed, segment, inPayload, expr, text);
      case 'handle':
      case 'plan_handle':
        this.misuse(typed, expr);
        return undefined;
      default:
        return this.onScalar(
          segment,
          type,
          expr,
          text,
          type.kind === 'list' ? 'Read an item with {"op": "get", "args": [<list>, <index>]}.' : undefined,
        );
    }
  }

  /** The payload where the arm is not known. When all arms have one type, that is it. */
  private payloadOf(arms: ReadonlyMap<string, StaticType>): StaticType {
    const types = [...arms.values()];
    const first = types[0];
    if (first !== undefined && types.every((type) => this.table.same(type, first))) return first;
    return { kind: 'payload', arms };
  }

  private receiptMember(
    receipt: ReceiptType,
    typed: Typed,
    segment: string,
    expr: Expr,
    text: string,
  ): Typed | undefined {
    const known = STATUS_SEGMENTS.get(segment);
    const place = typed.place && placeAt(typed.place, [segment]);
    if (known !== undefined) {
      if (receipt.segments) {
        if (receipt.mayBeBare === true) this.mayBeBare(segment, expr);
        return { type: known, place };
      }
      return this.unknownField(
        segment,
        () => [],
        typed,
        expr,
        text,
        'The variable is declared, so it may hold a bare value as well: bind the receipt to one that is not in locals.',
      );
    }
    this.needsPayload(receipt, typed.place, expr);
    return this.member({ type: receipt.payload, place: typed.place }, segment, false, expr, text);
  }

  private mayBeBare(segment: string, expr: Expr): void {
    if (!this.env.provable) return;
    this.warn(
      'variant_unrefined',
      `a start may bind the variable to a record, which has no "${segment}"${this.of(expr)}`,
      {
        hint: 'Read it behind the step that binds the receipt, or bind the receipt to a variable that is not in locals.',
        fields: { field: segment },
      },
    );
  }

  /** A member of a payload whose arm is not known: what the arms that have it agree on (§13.5). */
  private armMember(
    arms: ReadonlyMap<string, StaticType>,
    typed: Typed,
    segment: string,
    inPayload: boolean,
    expr: Expr,
    text: string,
  ): Typed | undefined {
    const { table } = this;
    const found: { tag: string; type: StaticType }[] = [];
    const lacking: string[] = [];
    for (const [tag, arm] of arms) {
      const type = this.inner(table.resolve(arm));
      if (type.kind === 'unknown') return { type: UNKNOWN };
      const member = this.armField(type, segment);
      if (member !== undefined) {
        found.push({ tag, type: member });
        continue;
      }
      lacking.push(tag);
      const isMissing = type.kind === 'record' || type.kind === 'unit' || type.kind === 'none';
      if (!inPayload && !isMissing) {
        return this.onScalar(segment, type, expr, text, this.armHint(typed.place));
      }
    }
    const [first] = found;
    if (first === undefined) return this.unknownField(segment, () => this.armNames(arms), typed, expr, text);
    const other = found.find(({ type }) => !table.same(type, first.type));
    if (other !== undefined) {
      this.error(
        'arm_type_conflict',
        `"${segment}" is ${table.text(first.type)} in arm ${first.tag} and ${table.text(other.type)} in arm ${other.tag}`,
        {
          hint: this.armHint(typed.place),
          fields: { field: shorten(segment), expected: table.text(first.type), found: table.text(other.type) },
        },
      );
      return undefined;
    }
    if (lacking.length > 0 && this.env.provable) {
      this.warn('variant_unrefined', `arm ${lacking.slice(0, 5).join(', ')} has no "${shorten(segment)}" (${text})`, {
        hint: this.armHint(
          typed.place,
          found.map(({ tag }) => tag),
        ),
        fields: { field: shorten(segment) },
      });
    }
    const optional = found.find(({ tag }) => table.resolve(arms.get(tag) as StaticType).kind === 'option');
    if (optional !== undefined && this.env.provable) {
      this.warn('option_unwrap_unproven', `the payload of arm ${optional.tag} may be none (${shorten(text)})`, {
        hint: this.armHint(typed.place, [optional.tag]),
        fields: { field: shorten(segment) },
      });
    }
    // The entry of a map may be there and hold none.
    const isEntry = found.some(({ tag }) => this.inner(table.resolve(arms.get(tag) as StaticType)).kind === 'map');
    const isField = (found.length === arms.size && !isEntry) || undefined;
    return { type: first.type, place: typed.place && placeAt(typed.place, [segment]), isField };
  }

  protected armField(type: ResolvedType, segment: string): StaticType | undefined {
    if (type.kind === 'record') return type.fields.get(segment);
    if (type.kind === 'map') return this.table.resolve(type.key).kind === 'text' ? type.value : undefined;
    if (type.kind !== 'variant') return undefined;
    if (segment === '$tag') return TEXT;
    return segment === '$value' ? this.payloadOf(type.arms) : undefined;
  }

  protected armNames(arms: ReadonlyMap<string, StaticType>): readonly string[] {
    const names = new Set<string>();
    for (const arm of arms.values()) {
      const type = this.inner(this.table.resolve(arm));
      if (type.kind === 'record') for (const name of type.fields.keys()) names.add(name);
    }
    return [...names];
  }

  protected armHint(place: Place | undefined, tags?: readonly string[]): string {
    const variant = place?.path.at(-1) === '$value' ? 'the variant' : 'it';
    const tag = tags?.length === 1 ? JSON.stringify(tags[0]) : '<arm>';
    return `Guard the step that reads ${variant} with {"op": "eq", "args": [{"ref": "….$tag"}, {"text": ${tag}}]}.`;
  }

  protected unknownField(
    segment: string,
    known: () => readonly string[],
    typed: Typed,
    expr: Expr,
    text: string,
    hint?: string,
  ): undefined {
    if (this.isReportedElsewhere(expr)) return undefined;
    this.error('unknown_field', `${this.table.text(typed.type)} has no "${shorten(segment)}" (${shorten(text)})`, {
      hint: hint ?? (() => suggestHint(segment, known()) ?? knownHint('It has', known()) ?? 'End the path before it.'),
      fields: { field: shorten(segment), found: this.table.text(typed.type) },
    });
    return undefined;
  }

  private onScalar(segment: string, type: StaticType, expr: Expr, text: string, hint?: string): undefined {
    if (this.isReportedElsewhere(expr)) return undefined;
    this.error('path_on_scalar', `${this.table.text(type)} has no "${shorten(segment)}" (${shorten(text)})`, {
      hint: hint ?? `End the path at ${shorten(text)}.`,
      fields: { field: shorten(segment), found: this.table.text(type) },
    });
    return undefined;
  }

  private isReportedElsewhere(expr: Expr): boolean {
    return expr.form === 'ref' && this.env.reportsPath?.(expr) === true;
  }

  private fact(key: string): string | undefined {
    return this.local.get(key) ?? this.env.fact(key);
  }

  /** @returns what takes each fact back, in the order in which they were learnt. */
  protected learn(facts: Facts): readonly (() => void)[] {
    return [...facts].map(([key, value]) => {
      const before = this.local.get(key);
      this.local.set(key, value);
      return () => (before === undefined ? void this.local.delete(key) : void this.local.set(key, before));
    });
  }

  private needsPayload(receipt: ReceiptType, place: Place | undefined, expr: Expr): void {
    if (!this.env.provable) return;
    if (place !== undefined && this.fact(factKey('payload', place)) !== undefined) return;
    const name = place === undefined ? '@var:…' : expr.form === 'ref' ? rootText(expr) : '…';
    this.warn('payload_unproven', `the receipt may have no payload${this.of(expr)}`, {
      hint: receipt.segments
        ? `Guard the step with {"op": "eq", "args": [{"ref": "${name}.$status"}, {"text": "ok"}]}.`
        : 'Bind the receipt to a variable that is not in locals, and assign it to this one where its $status is "ok".',
    });
  }

  /** The value of an option where a value is needed: none fails with `none_access`. */
  protected unwrapped(typed: Typed, expr: Expr, text?: string): Typed {
    const type = this.table.resolve(typed.type);
    const isMixed = type.kind === 'payload' && someOption(type.arms, this.table);
    if (type.kind !== 'option' && !isMixed) return typed;
    const { place } = typed;
    const isProven =
      place !== undefined &&
      (this.fact(factKey('some', place)) !== undefined ||
        (typed.isField === true && this.fact(factKey('has', place)) !== undefined));
    const isKnown = typed.value !== undefined && typed.value.kind !== 'null';
    if (!isProven && !isKnown && this.env.provable) {
      const what = text ?? (expr.form === 'ref' ? expr.text : undefined);
      this.warn('option_unwrap_unproven', `the value may be none${what === undefined ? '' : ` (${shorten(what)})`}`, {
        hint: `Guard the step with {"op": "ne", "args": [${what === undefined ? '<it>' : `{"ref": ${JSON.stringify(shorten(what))}}`}, {"null": {}}]}.`,
        fields: { found: this.table.text(type) },
      });
    }
    return type.kind === 'option' ? { ...typed, type: type.item } : typed;
  }

  protected placeOf = (expr: Expr): Place | undefined => spelledPlace(expr, (ref) => this.env.rootPlace(ref));

  /** A receipt that is used whole is its payload, and has to have one. */
  protected used(typed: Typed, expr: Expr): Typed {
    const type = this.table.resolve(typed.type);
    if (type.kind !== 'receipt') return typed;
    this.needsPayload(type, typed.place, expr);
    return { ...typed, type: asValue(type) };
  }

  protected isMisused(typed: Typed, expr: Expr): boolean {
    if (!this.table.holdsHandle(typed.type)) return false;
    this.misuse(typed, expr);
    return true;
  }

  protected misuse(typed: Typed, expr: Expr): void {
    const type = this.table.resolve(typed.type);
    const isPlan = type.kind === 'plan_handle';
    this.error('handle_misuse', `a ${this.table.text(typed.type)} is no value${this.of(expr)}`, {
      hint: isPlan
        ? 'Wait for the child with await_plan, and read what it binds.'
        : 'Wait for the effect with await_receipt, and read what it binds.',
      fields: { found: this.table.text(typed.type) },
    });
  }

  protected inner(type: ResolvedType): ResolvedType {
    return type.kind === 'option' ? this.table.resolve(type.item) : type;
  }

  /** What a value may turn out to be: options looked through, a payload by its arms. */
  protected alternatives(given: StaticType): readonly ResolvedType[] {
    const type = this.inner(this.table.resolve(given));
    if (type.kind === 'receipt') return this.alternatives(type.payload);
    if (type.kind !== 'payload') return [type];
    return [...type.arms.values()].flatMap((arm) => this.alternatives(arm));
  }
}

/** May the payload of some arm be none? */
function someOption(arms: ReadonlyMap<string, StaticType>, table: TypeTable): boolean {
  for (const arm of arms.values()) if (table.resolve(arm).kind === 'option') return true;
  return false;
}

function rootText(ref: RefExpr): string {
  const tail = ref.path.reduce((sum, segment) => sum + segment.length + 1, 0);
  return shorten(ref.text.slice(0, ref.text.length - tail));
}

/** A few of the names that would do. */
export function knownHint(intro: string, names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  const shown = names.slice(0, 10).map((name) => shorten(name));
  return `${intro} ${shown.join(', ')}${names.length > 10 ? ', …' : ''}.`;
}
