import fc, { type GeneratorValue } from 'fast-check';
import { expect, test } from 'vitest';
import { ExprChecker, type ExprFinding } from '../src/check-expr.ts';
import { evaluate } from '../src/evaluate.ts';
import type { Env, Expr, ReceiptView, RefExpr } from '../src/expr.ts';
import { isKeyType, isScalarType, type ResolvedType, type StaticType, TypeTable } from '../src/static-type.ts';
import type { Type } from '../src/type.ts';
import { NULL, type Value } from '../src/value.ts';
import { conform } from '../src/value-conform.ts';
import { canonicalMap, canonicalSet } from '../src/value-order.ts';
import { envOf, type Readable, SCOPE } from './check-support.ts';

/** CE1: what the checker accepts evaluates without type_mismatch, and its value has the static type. */

const RUNS = Number(process.env['WORLDLINE_CHECK_RUNS'] ?? 3000);

type Kind = ResolvedType['kind'];
const SCALARS = ['bool', 'int', 'nat', 'dec128', 'bytes', 'text', 'time', 'duration', 'hash', 'uuid'] as const;
const KEYS = ['int', 'nat', 'text', 'uuid', 'hash'] as const;
const FIELDS = ['a', 'b', 'c'] as const;
const TAGS = ['A', 'B', 'C'] as const;

/** Draws everything that a case needs, smaller when it shrinks. */
class Draw {
  private readonly value: GeneratorValue;

  constructor(value: GeneratorValue) {
    this.value = value;
  }

  upTo(max: number): number {
    return this.value(fc.nat, { max });
  }

  once(chances: number): boolean {
    return this.upTo(chances - 1) === chances - 1;
  }

  of<T>(list: readonly T[]): T {
    return list[this.upTo(list.length - 1)] as T;
  }

  type(depth: number): Type {
    if (depth === 0 || this.once(3)) return { kind: this.of(SCALARS) };
    switch (this.upTo(6)) {
      case 0:
      case 1:
        return {
          kind: 'record',
          fields: new Map(FIELDS.slice(0, 1 + this.upTo(2)).map((name) => [name, this.type(depth - 1)])),
        };
      case 2:
        return {
          kind: 'variant',
          arms: new Map(
            TAGS.slice(0, 1 + this.upTo(2)).map((tag) => [tag, this.once(4) ? { kind: 'unit' } : this.type(depth - 1)]),
          ),
        };
      case 3:
        return { kind: 'list', item: this.type(depth - 1) };
      case 4:
        return { kind: 'set', item: { kind: this.of(SCALARS) } };
      case 5:
        return { kind: 'map', key: { kind: this.of(KEYS) }, value: this.type(depth - 1) };
      default: {
        const item = this.type(depth - 1);
        return item.kind === 'option' ? item : { kind: 'option', item };
      }
    }
  }

  scalar(kind: (typeof SCALARS)[number]): Value {
    switch (kind) {
      case 'bool':
        return { kind, value: this.once(2) };
      case 'int':
        return { kind, value: this.of([0n, -1n, 1n, 2n, -(2n ** 63n), 2n ** 63n - 1n]) };
      case 'nat':
        return { kind, value: this.of([0n, 1n, 2n, 2n ** 64n - 1n]) };
      case 'time':
        return { kind, value: this.of([0n, 1n, 2n ** 64n - 1n]) };
      case 'duration':
        return { kind, value: this.of([0n, -1n, 1n]) };
      case 'dec128':
        return { kind, value: this.of(['0.5', '0.50', '1e3']) };
      case 'bytes':
        return { kind, value: this.of([new Uint8Array(), Uint8Array.of(1, 2)]) };
      case 'text':
        return { kind, value: this.of(['', 'a', 'A', 'b', '$tag', `sha256:${'0'.repeat(64)}`]) };
      case 'hash':
        return { kind, value: `sha256:${this.of(['0', '1']).repeat(64)}` };
      case 'uuid':
        return { kind, value: '123e4567-e89b-12d3-a456-426614174000' };
      default:
        return kind satisfies never;
    }
  }

  ofType(type: Type): Value {
    switch (type.kind) {
      case 'unit':
        return NULL;
      case 'option':
        return this.once(2) ? this.ofType(type.item) : NULL;
      case 'list':
        return { kind: 'list', items: this.many(() => this.ofType(type.item)) };
      case 'set':
        return { kind: 'set', items: canonicalSet(this.many(() => this.ofType(type.item))) };
      case 'map':
        return {
          kind: 'map',
          entries: canonicalMap(
            this.many(() => [this.ofType(type.key), this.ofType(type.value)] as const),
            () => {},
          ),
        };
      case 'record':
        return { kind: 'record', fields: new Map([...type.fields].map(([name, field]) => [name, this.ofType(field)])) };
      case 'variant': {
        const [tag, arm] = this.of([...type.arms]);
        return { kind: 'variant', tag, value: this.ofType(arm) };
      }
      case 'ref':
        throw new Error('no names here');
      default:
        return this.scalar(type.kind);
    }
  }

  many<T>(make: () => T): T[] {
    return Array.from({ length: this.upTo(2) }, make);
  }
}

interface Root {
  readonly ref: Pick<RefExpr, 'root' | 'name'>;
  readonly text: string;
  readonly type: StaticType;
}

interface Place {
  readonly ref: RefExpr;
  readonly kind: Kind;
}

/** Every path that might be written from a root, right ones and near misses. */
function placesOf(root: Root, draw: Draw): Place[] {
  const found: Place[] = [];
  const visit = (type: StaticType, path: readonly string[]): void => {
    const text = [root.text, ...path].join('.');
    found.push({ ref: { form: 'ref', ...root.ref, path, text }, kind: type.kind as Kind });
    if (path.length > 3) return;
    switch (type.kind) {
      case 'record':
        for (const [name, field] of type.fields) visit(field, [...path, name]);
        break;
      case 'variant':
        visit({ kind: 'text' }, [...path, '$tag']);
        for (const arm of type.arms.values()) visit(arm, [...path, '$value']);
        break;
      case 'map':
        visit(type.value, [...path, draw.of(['a', 'b'])]);
        break;
      case 'option':
        visit(type.item, path);
        break;
      case 'receipt':
        visit({ kind: 'text' }, [...path, '$status']);
        visit({ kind: 'nat' }, [...path, '$cost_cents']);
        visit({ kind: 'text' }, [...path, '$error', 'code']);
        visit(type.payload, path);
        break;
      default:
        break;
    }
  };
  visit(root.type, []);
  return found;
}

class Builder {
  private readonly draw: Draw;
  private readonly places: readonly Place[];

  constructor(draw: Draw, places: readonly Place[]) {
    this.draw = draw;
    this.places = places;
  }

  /** An expression that should have the type, and now and then has not. */
  expr(wanted: Type, depth: number): Expr {
    const { draw } = this;
    const type = draw.once(10) ? draw.type(1) : wanted;
    const near = this.places.filter(({ kind }) => kind === type.kind || (isNumber(kind) && isNumber(type.kind)));
    if (near.length > 0 && draw.once(2)) return this.spelled(draw.of(near).ref);
    if (this.places.length > 0 && draw.once(12)) return draw.of(this.places).ref;
    if (depth > 0 && draw.once(2)) {
      const made = this.operation(type, depth - 1);
      if (made !== undefined) return made;
    }
    return this.literal(type, depth - 1);
  }

  /** The same place, spelled with get. */
  private spelled(ref: RefExpr): Expr {
    const last = ref.path.at(-1);
    if (last === undefined || !this.draw.once(3)) return ref;
    const text = ref.text.slice(0, -last.length - 1);
    return op(
      'get',
      this.spelled({ ...ref, path: ref.path.slice(0, -1), text }),
      constant({ kind: 'text', value: last }),
    );
  }

  private literal(type: Type, depth: number): Expr {
    const { draw } = this;
    const inner = (part: Type) => (depth > 0 ? this.expr(part, depth) : this.literal(part, depth - 1));
    switch (type.kind) {
      case 'unit':
        return constant(NULL);
      case 'option':
        return draw.once(2) ? inner(type.item) : constant(NULL);
      case 'list':
        return { form: 'list', items: draw.many(() => inner(type.item)) };
      case 'set':
        return { form: 'set', items: draw.many(() => inner(type.item)) };
      case 'map':
        return { form: 'map', entries: draw.many(() => [inner(type.key), inner(type.value)] as const) };
      case 'record':
        return { form: 'record', fields: [...type.fields].map(([name, field]) => [name, inner(field)] as const) };
      case 'variant': {
        const [tag, arm] = draw.of([...type.arms]);
        return arm.kind === 'unit' ? { form: 'variant', tag } : { form: 'variant', tag, value: inner(arm) };
      }
      case 'ref':
        throw new Error('no names here');
      default:
        return constant(draw.scalar(type.kind));
    }
  }

  private operation(type: Type, depth: number): Expr | undefined {
    const { draw } = this;
    const of = (kind: (typeof SCALARS)[number]) => this.expr({ kind }, depth);
    switch (type.kind) {
      case 'bool':
        return this.truth(depth);
      case 'text':
        return op('concat', of('text'), of('text'));
      case 'int':
      case 'nat':
        return draw.once(3)
          ? op(
              'len',
              this.expr(
                draw.of<Type>([{ kind: 'text' }, { kind: 'list', item: { kind: 'nat' } }, { kind: 'bytes' }]),
                depth,
              ),
            )
          : op(draw.of(['add', 'sub', 'mul', 'div', 'mod'] as const), of(draw.of(['int', 'nat'])), of('int'));
      case 'time':
        return op(draw.of(['add', 'sub'] as const), of('time'), of('duration'));
      case 'duration':
        return draw.once(2)
          ? op('sub', of('time'), of('time'))
          : op(draw.of(['add', 'mul', 'div', 'mod'] as const), of('duration'), of(draw.of(['duration', 'int'])));
      case 'hash':
        return draw.once(2) ? op('hash', this.expr(draw.type(1), depth)) : op('hash_bytes', of('bytes'));
      default:
        return draw.once(2)
          ? op('get', this.expr({ kind: 'list', item: type }, depth), of('nat'))
          : op('get', this.expr({ kind: 'map', key: { kind: 'text' }, value: type }, depth), of('text'));
    }
  }

  private truth(depth: number): Expr {
    const { draw } = this;
    const of = (kind: (typeof SCALARS)[number]) => this.expr({ kind }, depth);
    switch (draw.upTo(7)) {
      case 0:
      case 1: {
        const type = draw.type(2);
        return op(
          draw.of(['eq', 'ne'] as const),
          this.expr(type, depth),
          draw.once(3) ? constant(NULL) : this.expr(type, depth),
        );
      }
      case 2: {
        const kind = draw.of(['int', 'nat', 'time', 'text', 'dec128'] as const);
        return op(draw.of(['lt', 'le', 'gt', 'ge'] as const), of(kind), of(kind));
      }
      case 3:
      case 4:
        return op(draw.of(['and', 'or'] as const), this.guard(depth), ...[of('bool'), ...draw.many(() => of('bool'))]);
      case 5:
        return op('not', of('bool'));
      case 6:
        return draw.once(2)
          ? op(
              draw.of(['has', 'contains'] as const),
              this.expr({ kind: 'list', item: { kind: 'text' } }, depth),
              of('text'),
            )
          : op(
              'has',
              this.expr({ kind: 'record', fields: new Map([['a', { kind: 'option', item: { kind: 'nat' } }]]) }, depth),
              constant({ kind: 'text', value: draw.of(FIELDS) }),
            );
      default:
        return op(draw.of(['starts_with', 'ends_with', 'contains'] as const), of('text'), of('text'));
    }
  }

  /** Something that proves something. */
  private guard(depth: number): Expr {
    const { draw } = this;
    const compare = draw.of(['eq', 'ne'] as const);
    const tags = this.places.filter(({ ref }) => ref.path.at(-1) === '$tag' || ref.path.at(-1) === '$status');
    if (tags.length > 0 && draw.once(2)) {
      const { ref } = draw.of(tags);
      const value = ref.path.at(-1) === '$tag' ? draw.of(TAGS) : draw.of(['ok', 'error']);
      return op(compare, this.spelled(ref), constant({ kind: 'text', value }));
    }
    const options = this.places.filter(({ kind }) => kind === 'option');
    if (options.length > 0) return op(compare, this.spelled(draw.of(options).ref), constant(NULL));
    return this.expr({ kind: 'bool' }, depth);
  }
}

function isNumber(kind: string): boolean {
  return kind === 'int' || kind === 'nat';
}

function op(name: Extract<Expr, { form: 'op' }>['op'], ...args: readonly Expr[]): Expr {
  return { form: 'op', op: name, args };
}

function constant(value: Value): Expr {
  return { form: 'const', value };
}

/** Is this a value of the static type, kinds and all? */
function hasType(value: Value, type: StaticType): boolean {
  switch (type.kind) {
    case 'unknown':
      return true;
    case 'never':
    case 'ref':
    case 'handle':
    case 'plan_handle':
      return false;
    case 'none':
    case 'unit':
      return value.kind === 'null';
    case 'integer':
      return value.kind === 'int' || value.kind === 'nat';
    case 'option':
      return value.kind === 'null' || hasType(value, type.item);
    case 'payload':
      return [...type.arms.values()].some((arm) => hasType(value, arm));
    case 'receipt':
      return hasType(value, type.payload);
    case 'list':
    case 'set':
      return value.kind === type.kind && value.items.every((item) => hasType(item, type.item));
    case 'map':
      return (
        value.kind === 'map' &&
        value.entries.every(([key, item]) => hasType(key, type.key) && hasType(item, type.value))
      );
    case 'record':
      return (
        value.kind === 'record' &&
        value.fields.size === type.fields.size &&
        [...type.fields].every(([name, field]) => {
          const part = value.fields.get(name);
          return part !== undefined && hasType(part, field);
        })
      );
    case 'variant': {
      const arm = value.kind === 'variant' ? type.arms.get(value.tag) : undefined;
      return arm !== undefined && value.kind === 'variant' && hasType(value.value, arm);
    }
    default:
      return value.kind === type.kind;
  }
}

interface Case {
  readonly env: Env;
  readonly readable: Readable;
  readonly build: Builder;
  readonly draw: Draw;
}

function caseOf(value: GeneratorValue): Case {
  const draw = new Draw(value);
  const inputType: Type = { kind: 'record', fields: new Map(FIELDS.map((name) => [name, draw.type(3)])) };
  const varType = draw.type(2);
  const payloadType = draw.type(2);
  const eventType = draw.type(2);
  const input = draw.ofType(inputType);
  const variable = draw.ofType(varType);
  const event = draw.ofType(eventType);
  const status = draw.of(['ok', 'error', 'timeout'] as const);
  const receipt: ReceiptView = {
    status,
    payload: status === 'ok' || draw.once(2) ? draw.ofType(payloadType) : undefined,
    adapterId: 'x',
    costCents: draw.once(2) ? 3n : undefined,
    error:
      status === 'ok'
        ? undefined
        : {
            kind: 'record',
            fields: new Map<string, Value>([
              ['code', { kind: 'text', value: 'c' }],
              ['message', { kind: 'text', value: 'm' }],
              ['retryable', NULL],
              ['detail_ref', NULL],
            ]),
          },
  };
  const receiptType: StaticType = { kind: 'receipt', payload: payloadType, segments: true };
  const roots: Root[] = [
    { ref: { root: 'input' }, text: '@plan.input', type: inputType },
    { ref: { root: 'var', name: 'x' }, text: '@var:x', type: varType },
    { ref: { root: 'var', name: 'r' }, text: '@var:r', type: receiptType },
    { ref: { root: 'event' }, text: '@event', type: eventType },
  ];
  const receiptValue: Value = { kind: 'receipt', emissionSeq: 1 };
  return {
    draw,
    build: new Builder(
      draw,
      roots.flatMap((root) => placesOf(root, draw)),
    ),
    readable: { input: inputType, event: eventType, vars: { x: varType, r: receiptType } },
    env: {
      input: () => input,
      event: () => event,
      step: () => undefined,
      variable: (name) => (name === 'x' ? variable : name === 'r' ? receiptValue : undefined),
      receipt: () => receipt,
    },
  };
}

/** Codes of `conform` for what §13.3 lets be checked when it runs. */
const CHECKED = new Set(['value.out_of_range', 'value.bad_hash', 'value.bad_uuid', 'value.bad_dec128']);
const UNPROVEN = new Set(['option_unwrap_unproven', 'variant_unrefined']);

function judge({ build, readable, env, draw }: Case): 'accepted' | 'refused' {
  const table = new TypeTable(SCOPE);
  const findings: ExprFinding[] = [];
  const checker = new ExprChecker(envOf(readable, table), 'x', (finding) => findings.push(finding));
  const wanted = draw.type(2);
  const expr = build.expr(wanted, 3);
  const isSlot = draw.once(2);
  let type: StaticType = wanted;
  if (isSlot) checker.expect(expr, wanted);
  else type = checker.assigned(expr);
  if (findings.some(({ severity }) => severity !== 'warning')) return 'refused';

  const result = evaluate(expr, env);
  const seen = JSON.stringify({ expr, type: table.text(type), findings }, (_, part) =>
    typeof part === 'bigint' ? `${part}n` : part instanceof Map ? [...part] : part,
  );
  if (!result.ok) {
    expect(result.failure.code, seen).not.toBe('type_mismatch');
    // Every unproven read was warned of.
    if (result.failure.code === 'no_payload')
      expect(
        findings.map(({ code }) => code),
        seen,
      ).toContain('payload_unproven');
    // What a payload is made of is one doubt: an arm without the field, or one that may be none where another is a value.
    if (result.failure.code === 'none_access' || result.failure.code === 'missing_field')
      expect(
        findings.some(({ code }) => UNPROVEN.has(code)),
        seen,
      ).toBe(true);
    return 'accepted';
  }
  if (!isSlot) {
    expect(hasType(result.value, type), seen).toBe(true);
    return 'accepted';
  }
  const fitted = conform(result.value, wanted, SCOPE);
  if (!fitted.ok && !findings.some(({ code }) => UNPROVEN.has(code))) {
    for (const { code } of fitted.failure) expect(CHECKED.has(code), `${code} ${seen}`).toBe(true);
  }
  return 'accepted';
}

test.each([
  ['a fixed seed', 4],
  ['a fresh seed', undefined],
])(
  'an accepted expression never meets a wrong type: %s',
  (_, fixed) => {
    const seed = fixed ?? Math.floor(Math.random() * 2 ** 31);
    let accepted = 0;
    fc.assert(
      fc.property(fc.gen(), (value) => {
        if (judge(caseOf(value)) === 'accepted') accepted += 1;
      }),
      { numRuns: RUNS, seed },
    );
    // Else the generator would make nothing but nonsense.
    expect(accepted).toBeGreaterThan(RUNS / 4);
    // A hundred times the time it takes, whatever the count.
  },
  60_000 + RUNS * 20,
);

test('scalars and keys of the checker are those of the evaluator (values.md §2, §4.5)', () => {
  for (const kind of SCALARS) expect(isScalarType({ kind })).toBe(true);
  for (const kind of SCALARS) expect(isKeyType({ kind })).toBe((KEYS as readonly string[]).includes(kind));
});
