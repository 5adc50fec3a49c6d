import { fail, ok, type Result } from '@worldline/canon';
import { isMapKey, isScalar, lookupEntry, valuesEqual } from './compare.ts';
import type { Env, EvalCode, EvalError, Expr, RefExpr, Slot } from './expr.ts';
import { applyBinary, applyUnary, ELEMENTS_MAX, isUnary, truth, unfit } from './operators.ts';
import { NULL, type Value } from './value.ts';
import { canonicalSet, compareCanonical } from './value-order.ts';
import { isStorable } from './value-size.ts';

/**
 * Evaluation of expressions (`expressions.md` §3.1, §4–§12). Neighbours: `operators.ts` has the operators on values,
 * `compare.ts` equality and order.
 *
 * V1 Total: any expression over any environment yields a value or one error. What a checked manifest excludes answers
 *    `type_mismatch`.
 * V2 Evaluation order is fixed (§6), so the reported error is a function of expression and environment.
 * V3 A value costs its own allocation and nothing more; the path of an error is collected while unwinding.
 * V4 A receipt is kept as such only inside a path or as container of `get`; anywhere else it is its payload (§3.1).
 */

/** An error on its way to the root: `path` is collected from the failing expression upward. */
class Fault {
  readonly kind = 'fault';
  readonly code: EvalCode;
  readonly path: (string | number)[] = [];

  constructor(code: EvalCode) {
    this.code = code;
  }

  below(part: string | number): this {
    this.path.push(part);
    return this;
  }
}

type Outcome = Value | Fault;
type Operation = Extract<Expr, { readonly form: 'op' }>;

/**
 * The value of an expression.
 *
 * @returns One of the codes of `expressions.md` §11, with the path from the expression's root to the innermost failing
 *   expression in its tagged form: `['args', 0, 'record', 'url']`.
 */
export function evaluate(expr: Expr, env: Env): Result<Value, EvalError> {
  return asResult(valueOf(expr, env));
}

/** The value of a slot: its literal, or what its expression evaluates to. */
export function evaluateSlot(slot: Slot, env: Env): Result<Value, EvalError> {
  return slot.expr === undefined ? ok(slot.literal) : evaluate(slot.expr, env);
}

/**
 * Path steps of `expressions.md` §3.1 on a value that is already there.
 *
 * @param path - Segments without dots.
 * @param env - Where receipts are looked up; without it a receipt is `missing_ref`.
 * @returns An error has the empty path: the whole path is one expression.
 */
export function evaluatePath(value: Value, path: readonly string[], env?: Env): Result<Value, EvalError> {
  const reached = walk(value, path, env);
  return asResult(reached.kind === 'receipt' ? payloadOf(reached.emissionSeq, env) : reached);
}

/** The references of an expression in evaluation order (§6), each with its path from the root. */
export function exprRefs(
  expr: Expr,
): readonly { readonly ref: RefExpr; readonly path: readonly (string | number)[] }[] {
  const found: { ref: RefExpr; path: readonly (string | number)[] }[] = [];
  collectRefs(expr, [], found);
  return found;
}

/** As `exprRefs`, where nobody asks for paths. */
export function forEachRef(expr: Expr, use: (ref: RefExpr) => void): void {
  switch (expr.form) {
    case 'ref':
      use(expr);
      return;
    case 'const':
      return;
    case 'op':
      for (const arg of expr.args) forEachRef(arg, use);
      return;
    case 'record':
      for (const [, field] of expr.fields) forEachRef(field, use);
      return;
    case 'list':
    case 'set':
      for (const item of expr.items) forEachRef(item, use);
      return;
    case 'map':
      for (const [key, value] of expr.entries) {
        forEachRef(key, use);
        forEachRef(value, use);
      }
      return;
    case 'variant':
      if (expr.value !== undefined) forEachRef(expr.value, use);
      return;
    default:
      expr satisfies never;
  }
}

function asResult(outcome: Outcome): Result<Value, EvalError> {
  return outcome.kind === 'fault' ? fail({ code: outcome.code, path: outcome.path.reverse() }) : ok(outcome);
}

/** The value of an expression as data: a receipt is its payload. */
function valueOf(expr: Expr, env: Env): Outcome {
  const value = containerOf(expr, env);
  return value.kind === 'receipt' ? payloadOf(value.emissionSeq, env) : value;
}

/** As `valueOf`, but a receipt stays a receipt, so that `get` can reach its `$` segments. */
function containerOf(expr: Expr, env: Env): Outcome {
  switch (expr.form) {
    case 'ref':
      return reference(expr, env);
    case 'const':
      return expr.value;
    case 'op':
      return operation(expr, env);
    case 'record':
      return bounded(record(expr.fields, env));
    case 'list': {
      const items = itemsOf(expr.items, 'list', env);
      return items instanceof Fault ? items : bounded({ kind: 'list', items });
    }
    case 'set':
      return set(expr.items, env);
    case 'map':
      return bounded(map(expr.entries, env));
    case 'variant': {
      if (expr.value === undefined) return { kind: 'variant', tag: expr.tag, value: NULL };
      const value = valueOf(expr.value, env);
      if (value.kind === 'fault') return value.below('value').below('variant');
      return bounded({ kind: 'variant', tag: expr.tag, value });
    }
    default:
      return expr satisfies never;
  }
}

/**
 * A constructed value may name one large variable many times; shared in memory, it is not in bytes. So it is measured
 * before anything compares, hashes or stores it.
 */
function bounded(made: Outcome): Outcome {
  return made.kind === 'fault' || isStorable(made) ? made : new Fault('value_too_large');
}

function reference(ref: RefExpr, env: Env): Outcome {
  const root = rootOf(ref, env);
  if (root === undefined) return new Fault('missing_ref');
  return ref.path.length === 0 ? root : walk(root, ref.path, env);
}

function rootOf(ref: RefExpr, env: Env): Value | undefined {
  switch (ref.root) {
    case 'input':
      return env.input();
    case 'var':
      return env.variable(ref.name ?? '');
    case 'step':
      return env.step(ref.name ?? '');
    case 'event':
      return env.event();
    default:
      return ref.root satisfies never;
  }
}

function walk(root: Value, path: readonly string[], env: Env | undefined): Outcome {
  let value: Outcome = root;
  let inPayload = false;
  for (const segment of path) {
    value = member(value, segment, inPayload, env);
    if (value.kind === 'fault') return value;
    inPayload = segment === '$value';
  }
  return value;
}

/**
 * One path step (§3.1).
 *
 * @param inPayload - The value is a variant's payload, so another arm than the author's may be there: what it lacks is
 *   `missing_field` whatever it is.
 */
function member(value: Value, segment: string, inPayload: boolean, env: Env | undefined): Outcome {
  switch (value.kind) {
    case 'record': {
      const field = value.fields.get(segment);
      return field ?? new Fault('missing_field');
    }
    case 'variant':
      if (segment === '$tag') return { kind: 'text', value: value.tag };
      if (segment === '$value') return value.value;
      return new Fault(inPayload ? 'missing_field' : 'type_mismatch');
    case 'map':
      return entryAt(value, segment, inPayload);
    case 'receipt':
      return receiptMember(value.emissionSeq, segment, env);
    case 'null':
      // A unit payload is an arm without fields; none is an option that holds nothing.
      return new Fault(inPayload ? 'missing_field' : 'none_access');
    default:
      return new Fault(inPayload ? 'missing_field' : 'type_mismatch');
  }
}

function entryAt(map: Extract<Value, { kind: 'map' }>, segment: string, inPayload: boolean): Outcome {
  const first = map.entries[0];
  if (first !== undefined && first[0].kind !== 'text') return new Fault(inPayload ? 'missing_field' : 'type_mismatch');
  return lookupEntry(map.entries, { kind: 'text', value: segment }) ?? new Fault('key_not_found');
}

function receiptMember(emissionSeq: number, segment: string, env: Env | undefined): Outcome {
  const receipt = env?.receipt(emissionSeq);
  if (receipt === undefined) return new Fault('missing_ref');
  switch (segment) {
    case '$status':
      return { kind: 'text', value: receipt.status };
    case '$adapter_id':
      return { kind: 'text', value: receipt.adapterId };
    case '$cost_cents':
      return receipt.costCents === undefined ? NULL : { kind: 'nat', value: receipt.costCents };
    case '$error':
      return receipt.error ?? NULL;
    default:
      return receipt.payload === undefined ? new Fault('no_payload') : member(receipt.payload, segment, false, env);
  }
}

function payloadOf(emissionSeq: number, env: Env | undefined): Outcome {
  const receipt = env?.receipt(emissionSeq);
  if (receipt === undefined) return new Fault('missing_ref');
  return receipt.payload ?? new Fault('no_payload');
}

function operation(expr: Operation, env: Env): Outcome {
  const { op, args } = expr;
  if (op === 'and' || op === 'or') return connective(args, op === 'or', env);
  const first = args[0];
  const second = args[1];
  if (first === undefined) return new Fault('type_mismatch');
  if (isUnary(op)) {
    if (second !== undefined) return new Fault('type_mismatch');
    const operand = valueOf(first, env);
    if (operand.kind === 'fault') return operand.below(0).below('args');
    const answer = applyUnary(op, operand);
    return typeof answer === 'string' ? new Fault(answer) : answer;
  }
  if (second === undefined || args.length > 2) return new Fault('type_mismatch');
  const left = op === 'get' ? containerOf(first, env) : valueOf(first, env);
  if (left.kind === 'fault') return left.below(0).below('args');
  const right = valueOf(second, env);
  if (right.kind === 'fault') return right.below(1).below('args');
  if (op === 'get') return get(left, right, isPayload(first), env);
  const answer = applyBinary(op, left, right);
  return typeof answer === 'string' ? new Fault(answer) : answer;
}

/** `and` stops at the first false, `or` at the first true; later arguments are not evaluated. */
function connective(args: readonly Expr[], deciding: boolean, env: Env): Outcome {
  if (args.length < 2) return new Fault('type_mismatch');
  for (let i = 0; i < args.length; i += 1) {
    const value = valueOf(args[i] as Expr, env);
    if (value.kind === 'fault') return value.below(i).below('args');
    if (value.kind !== 'bool') return new Fault(unfit(value));
    if (value.value === deciding) return value;
  }
  return truth(!deciding);
}

function get(container: Value, key: Value, inPayload: boolean, env: Env): Outcome {
  // `get(E, "s")` is `E.s` (§7): an arm that the author did not mean lacks the field, whatever it holds.
  if (inPayload && key.kind === 'text' && container.kind !== 'map') return member(container, key.value, true, env);
  switch (container.kind) {
    case 'map':
      if (!isMapKey(key)) return new Fault(unfit(key));
      return lookupEntry(container.entries, key) ?? new Fault('key_not_found');
    case 'list': {
      if (key.kind !== 'int' && key.kind !== 'nat') return new Fault(unfit(key));
      // Compared as bigints: an index may be far beyond what a number can hold.
      if (key.value < 0n || key.value >= BigInt(container.items.length)) return new Fault('index_out_of_range');
      return container.items[Number(key.value)] as Value;
    }
    default:
      if (key.kind !== 'text') return new Fault(container.kind === 'null' ? 'none_access' : unfit(key));
      return member(container, key.value, inPayload, env);
  }
}

/** Does the expression spell the payload of a variant: `….$value` or `get(…, "$value")`? */
function isPayload(expr: Expr): boolean {
  if (expr.form === 'ref') return expr.path.at(-1) === '$value';
  if (expr.form !== 'op' || expr.op !== 'get') return false;
  const key = expr.args[1];
  return key?.form === 'const' && key.value.kind === 'text' && key.value.value === '$value';
}

function record(fields: readonly (readonly [string, Expr])[], env: Env): Outcome {
  const values = new Map<string, Value>();
  for (const [name, expr] of fields) {
    const value = valueOf(expr, env);
    if (value.kind === 'fault') return value.below(name).below('record');
    values.set(name, value);
  }
  return { kind: 'record', fields: values };
}

function itemsOf(exprs: readonly Expr[], form: 'list' | 'set', env: Env): Value[] | Fault {
  const items: Value[] = [];
  for (let i = 0; i < exprs.length; i += 1) {
    const value = valueOf(exprs[i] as Expr, env);
    if (value.kind === 'fault') return value.below(i).below(form);
    items.push(value);
  }
  return items.length > ELEMENTS_MAX ? new Fault('value_too_large') : items;
}

function set(exprs: readonly Expr[], env: Env): Outcome {
  const items = itemsOf(exprs, 'set', env);
  if (items instanceof Fault) return items;
  for (const item of items) {
    if (!isScalar(item)) return new Fault(unfit(item));
  }
  if (!isStorable({ kind: 'list', items })) return new Fault('value_too_large');
  return { kind: 'set', items: canonicalSet(items) };
}

function map(exprs: readonly (readonly [Expr, Expr])[], env: Env): Outcome {
  const entries: (readonly [Value, Value])[] = [];
  for (let i = 0; i < exprs.length; i += 1) {
    const [keyExpr, valueExpr] = exprs[i] as readonly [Expr, Expr];
    const key = valueOf(keyExpr, env);
    if (key.kind === 'fault') return key.below('key').below(i).below('map');
    const value = valueOf(valueExpr, env);
    if (value.kind === 'fault') return value.below('value').below(i).below('map');
    entries.push([key, value]);
  }
  for (const [key] of entries) {
    if (!isMapKey(key)) return new Fault(unfit(key));
  }
  entries.sort(([a], [b]) => compareCanonical(a, b));
  const distinct: (readonly [Value, Value])[] = [];
  for (const entry of entries) {
    const previous = distinct.at(-1);
    if (previous === undefined || !valuesEqual(previous[0], entry[0])) distinct.push(entry);
    else if (!valuesEqual(previous[1], entry[1])) return new Fault('duplicate_key');
  }
  return distinct.length > ELEMENTS_MAX ? new Fault('value_too_large') : { kind: 'map', entries: distinct };
}

type Located = { ref: RefExpr; path: readonly (string | number)[] }[];

/** @param path - Where `expr` is; as before when the call ends. */
function collectRefs(expr: Expr, path: (string | number)[], found: Located): void {
  const depth = path.length;
  switch (expr.form) {
    case 'ref':
      found.push({ ref: expr, path: [...path] });
      return;
    case 'const':
      return;
    case 'op':
      for (const [i, arg] of expr.args.entries()) {
        path.push('args', i);
        collectRefs(arg, path, found);
        path.length = depth;
      }
      return;
    case 'record':
      for (const [name, field] of expr.fields) {
        path.push('record', name);
        collectRefs(field, path, found);
        path.length = depth;
      }
      return;
    case 'list':
    case 'set':
      for (const [i, item] of expr.items.entries()) {
        path.push(expr.form, i);
        collectRefs(item, path, found);
        path.length = depth;
      }
      return;
    case 'map':
      for (const [i, [key, value]] of expr.entries.entries()) {
        path.push('map', i, 'key');
        collectRefs(key, path, found);
        path[depth + 2] = 'value';
        collectRefs(value, path, found);
        path.length = depth;
      }
      return;
    case 'variant':
      if (expr.value === undefined) return;
      path.push('variant', 'value');
      collectRefs(expr.value, path, found);
      path.length = depth;
      return;
    default:
      expr satisfies never;
  }
}
