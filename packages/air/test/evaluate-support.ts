import fc from 'fast-check';
import type { Env, Expr, Operator, ReceiptView, RefRoot } from '../src/expr.ts';
import { OPERATORS } from '../src/expr.ts';
import type { Value } from '../src/value.ts';
import { canonicalMap, canonicalSet } from '../src/value-order.ts';

/** Short spellings and arbitraries for the evaluator's tests. */

export const t = (value: string): Value => ({ kind: 'text', value });
export const n = (value: bigint | number): Value => ({ kind: 'nat', value: BigInt(value) });
export const i = (value: bigint | number): Value => ({ kind: 'int', value: BigInt(value) });
export const time = (value: bigint | number): Value => ({ kind: 'time', value: BigInt(value) });
export const dur = (value: bigint | number): Value => ({ kind: 'duration', value: BigInt(value) });
export const dec = (value: string): Value => ({ kind: 'dec128', value });
export const yes: Value = { kind: 'bool', value: true };
export const no: Value = { kind: 'bool', value: false };
export const none: Value = { kind: 'null' };
export const raw = (text: string): Value => ({ kind: 'bytes', value: Uint8Array.from(text, (c) => c.charCodeAt(0)) });
export const list = (...items: readonly Value[]): Value => ({ kind: 'list', items });
export const set = (...items: readonly Value[]): Value => ({ kind: 'set', items: canonicalSet(items) });
export const rec = (fields: Readonly<Record<string, Value>>): Value => ({
  kind: 'record',
  fields: new Map(Object.entries(fields)),
});
export const dict = (...entries: readonly (readonly [Value, Value])[]): Value => ({
  kind: 'map',
  entries: canonicalMap(entries, () => {}),
});
export const arm = (tag: string, value: Value = none): Value => ({ kind: 'variant', tag, value });

export const c = (value: Value): Expr => ({ form: 'const', value });
export const op = (name: Operator, ...args: readonly Expr[]): Expr => ({ form: 'op', op: name, args });

/** `ref('@var:r.$status')`: names without dots. */
export function ref(text: string): Expr {
  const [head = '', ...path] = text.split('.');
  if (head === '@plan') return { form: 'ref', root: 'input', path: path.slice(1), text };
  if (head === '@event') return { form: 'ref', root: 'event', path, text };
  const [root, name] = head.slice(1).split(':');
  return { form: 'ref', root: root as RefRoot, name, path, text };
}

export interface EnvParts {
  readonly input?: Value;
  readonly event?: Value;
  readonly vars?: Readonly<Record<string, Value>>;
  readonly steps?: Readonly<Record<string, Value>>;
  readonly receipts?: ReadonlyMap<number, ReceiptView>;
}

export function env(parts: EnvParts): Env {
  return {
    input: () => parts.input,
    event: () => parts.event,
    variable: (name) => (parts.vars !== undefined && Object.hasOwn(parts.vars, name) ? parts.vars[name] : undefined),
    step: (id) => (parts.steps !== undefined && Object.hasOwn(parts.steps, id) ? parts.steps[id] : undefined),
    receipt: (emissionSeq) => parts.receipts?.get(emissionSeq),
  };
}

/** Few names, so that expressions meet what the environment holds. */
const names = fc.constantFrom('a', 'b', 'a.b', '$tag', '$value', '$status', '$error', '__proto__', 'é', '');
const bigs = fc.oneof(fc.bigInt({ min: -3n, max: 3n }), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }));

export const scalarValue: fc.Arbitrary<Value> = fc.oneof(
  fc.boolean().map((value): Value => ({ kind: 'bool', value })),
  fc
    .record({ kind: fc.constantFrom('int', 'nat', 'time', 'duration'), value: bigs })
    .map((parts): Value => parts as Value),
  fc.oneof(names, fc.string({ unit: 'binary', maxLength: 4 })).map(t),
  fc.constantFrom('0.5', '0.50', '5e-1', '-0', '1e10', '9').map(dec),
  fc.constantFrom('0', '1').map((digit): Value => ({ kind: 'hash', value: `sha256:${digit.repeat(64)}` })),
  fc.constant<Value>({ kind: 'uuid', value: '123e4567-e89b-12d3-a456-426614174000' }),
  fc.uint8Array({ maxLength: 3 }).map((value): Value => ({ kind: 'bytes', value })),
);

const mapKeys = scalarValue.filter((value) => ['int', 'nat', 'text', 'uuid', 'hash'].includes(value.kind));

/** Values that have a data encoding. */
export const dataValue: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(none),
    scalarValue,
    fc.array(tie('value'), { maxLength: 3 }).map((items) => list(...items)),
    fc.array(scalarValue, { maxLength: 3 }).map((items) => set(...items)),
    fc.array(fc.tuple(mapKeys, tie('value')), { maxLength: 3 }).map((entries) => dict(...entries)),
    fc
      .array(
        fc.tuple(
          names.filter((name) => !name.startsWith('$')),
          tie('value'),
        ),
        { maxLength: 3 },
      )
      .map((fields): Value => ({ kind: 'record', fields: new Map(fields) })),
    fc.tuple(fc.constantFrom('A', 'B'), tie('value')).map(([tag, value]): Value => ({ kind: 'variant', tag, value })),
  ),
})).value;

/** The same, with what only a plan's environment holds. */
export const anyValue: fc.Arbitrary<Value> = fc.oneof(
  { weight: 8, arbitrary: dataValue },
  { weight: 1, arbitrary: fc.nat(2).map((emissionSeq): Value => ({ kind: 'receipt', emissionSeq })) },
  { weight: 1, arbitrary: fc.nat(2).map((emissionSeq): Value => ({ kind: 'handle', emissionSeq })) },
  { weight: 1, arbitrary: fc.nat(2).map((emissionSeq) => list({ kind: 'handle', emissionSeq })) },
);

const anyRef: fc.Arbitrary<Expr> = fc
  .record({
    root: fc.constantFrom('input', 'var', 'step', 'event'),
    name: fc.constantFrom('x', 'y', 'missing'),
    path: fc.array(names, { maxLength: 2 }),
  })
  .map((parts): Expr => ({ form: 'ref', ...(parts as { root: RefRoot; name: string; path: string[] }), text: '' }));

/** Expressions that a checker would mostly refuse: wrong kinds, wrong arity, unbound names. */
export const anyExpr: fc.Arbitrary<Expr> = fc.letrec<{ expr: Expr }>((tie) => ({
  expr: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    anyRef,
    anyValue.map(c),
    fc
      .tuple(fc.constantFrom(...OPERATORS), fc.array(tie('expr'), { minLength: 0, maxLength: 3 }))
      .map(([name, args]) => op(name, ...args)),
    fc
      .uniqueArray(fc.tuple(names, tie('expr')), { maxLength: 2, selector: ([name]) => name })
      .map((fields): Expr => ({ form: 'record', fields })),
    fc.array(tie('expr'), { maxLength: 3 }).map((items): Expr => ({ form: 'list', items })),
    fc.array(tie('expr'), { maxLength: 3 }).map((items): Expr => ({ form: 'set', items })),
    fc.array(fc.tuple(tie('expr'), tie('expr')), { maxLength: 2 }).map((entries): Expr => ({ form: 'map', entries })),
    fc.tuple(fc.constantFrom('A', 'B'), tie('expr')).map(([tag, value]): Expr => ({ form: 'variant', tag, value })),
  ),
})).expr;

const receiptView: fc.Arbitrary<ReceiptView> = fc.record({
  status: fc.constantFrom('ok', 'error', 'timeout'),
  payload: fc.option(dataValue, { nil: undefined }),
  adapterId: fc.constant('host.http'),
  costCents: fc.option(fc.bigInt({ min: 0n, max: 9n }), { nil: undefined }),
  error: fc.option(dataValue, { nil: undefined }),
});

const maybe = fc.option(anyValue, { nil: undefined });

export const anyEnv: fc.Arbitrary<Env> = fc
  .record({ input: maybe, event: maybe, x: maybe, y: maybe, receipt: receiptView })
  .map(({ input, event, x, y, receipt }) =>
    env({
      ...(input === undefined ? {} : { input }),
      ...(event === undefined ? {} : { event }),
      vars: { ...(x === undefined ? {} : { x }), ...(y === undefined ? {} : { y }) },
      steps: x === undefined ? {} : { x },
      receipts: new Map([[0, receipt]]),
    }),
  );
