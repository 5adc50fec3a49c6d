import { hashText, sha256 } from '@worldline/canon';
import { compareOrdered, isInteger, isMapKey, lookupEntry, valuesEqual } from './compare.ts';
import type { EvalCode, Operator } from './expr.ts';
import { isData, type Value } from './value.ts';
import { encodeValue } from './value-cbor.ts';

/**
 * The operators of `expressions.md` §7 on values that are already there, each total: what the static checker would have
 * refused answers `type_mismatch`. `get`, `and` and `or` also need to know about the expression around them and are in
 * `evaluate.ts`.
 *
 * An operator answers its value, or an evaluation code as a bare text, so that nothing is allocated for an error that a
 * caller may only want to know as "no match".
 */
export type OperatorAnswer = Value | EvalCode;

/** Bytes of text or bytes that one operator may produce (`expressions.md` §12). */
export const PRODUCED_BYTES_MAX = 1_048_576;
/** Elements of one constructed list, set or map (`expressions.md` §12). */
export const ELEMENTS_MAX = 65_536;

const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;
const NAT_MAX = 2n ** 64n - 1n;

const TRUE: Value = { kind: 'bool', value: true };
const FALSE: Value = { kind: 'bool', value: false };

export type UnaryOperator = 'len' | 'not' | 'hash' | 'hash_bytes';
export type BinaryOperator = Exclude<Operator, UnaryOperator | 'get' | 'and' | 'or'>;

export function isUnary(op: Operator): op is UnaryOperator {
  return op === 'len' || op === 'not' || op === 'hash' || op === 'hash_bytes';
}

export function truth(value: boolean): Value {
  return value ? TRUE : FALSE;
}

/** What is wrong with an operand: none where a value is needed, else a kind the operator does not take. */
export function unfit(operand: Value): EvalCode {
  return operand.kind === 'null' ? 'none_access' : 'type_mismatch';
}

export function applyUnary(op: UnaryOperator, operand: Value): OperatorAnswer {
  switch (op) {
    case 'len':
      return lengthOf(operand);
    case 'not':
      return operand.kind === 'bool' ? truth(!operand.value) : unfit(operand);
    case 'hash':
      return isData(operand) ? { kind: 'hash', value: hashText(sha256(encodeValue(operand))) } : 'type_mismatch';
    case 'hash_bytes':
      return operand.kind === 'bytes' ? { kind: 'hash', value: hashText(sha256(operand.value)) } : unfit(operand);
    default:
      return op satisfies never;
  }
}

export function applyBinary(op: BinaryOperator, a: Value, b: Value): OperatorAnswer {
  switch (op) {
    case 'eq':
      return truth(valuesEqual(a, b));
    case 'ne':
      return truth(!valuesEqual(a, b));
    case 'lt':
    case 'le':
    case 'gt':
    case 'ge':
      return ordered(op, a, b);
    case 'add':
    case 'sub':
    case 'mul':
    case 'div':
    case 'mod':
      return isInteger(a) && isInteger(b) ? arithmetic(op, a, b) : unfitPair(a, b);
    case 'concat':
      if (a.kind !== 'text' || b.kind !== 'text') return unfitPair(a, b);
      return joinedFits(a.value, b.value) ? { kind: 'text', value: a.value + b.value } : 'value_too_large';
    case 'starts_with':
      return a.kind === 'text' && b.kind === 'text' ? truth(a.value.startsWith(b.value)) : unfitPair(a, b);
    case 'ends_with':
      return a.kind === 'text' && b.kind === 'text' ? truth(a.value.endsWith(b.value)) : unfitPair(a, b);
    case 'has':
      return a.kind === 'null' ? FALSE : has(a, b);
    case 'contains':
      return contains(a, b);
    default:
      return op satisfies never;
  }
}

/** `none_access` if either operand is none: it says more than that the kinds do not go together. */
function unfitPair(a: Value, b: Value): EvalCode {
  return a.kind === 'null' || b.kind === 'null' ? 'none_access' : 'type_mismatch';
}

function lengthOf(value: Value): OperatorAnswer {
  switch (value.kind) {
    case 'text':
      return natural(scalarCount(value.value));
    case 'bytes':
      return natural(value.value.length);
    case 'list':
    case 'set':
      return natural(value.items.length);
    case 'map':
      return natural(value.entries.length);
    case 'record':
      return natural(value.fields.size);
    default:
      return unfit(value);
  }
}

function natural(count: number): Value {
  return { kind: 'nat', value: BigInt(count) };
}

/** Unicode scalar values of a well-formed text: the second halves of surrogate pairs do not count. */
function scalarCount(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit >= 0xdc00 && unit < 0xe000) count -= 1;
  }
  return count;
}

function ordered(op: 'lt' | 'le' | 'gt' | 'ge', a: Value, b: Value): OperatorAnswer {
  const order = compareOrdered(a, b);
  if (order === undefined) return unfitPair(a, b);
  switch (op) {
    case 'lt':
      return truth(order < 0);
    case 'le':
      return truth(order <= 0);
    case 'gt':
      return truth(order > 0);
    case 'ge':
      return truth(order >= 0);
    default:
      return op satisfies never;
  }
}

type Arithmetic = 'add' | 'sub' | 'mul' | 'div' | 'mod';
type IntegerValue = Extract<Value, { readonly value: bigint }>;
type ResultClass = 'integer' | 'time' | 'duration';

/** `expressions.md` §9: exact, then range-checked. bigint division truncates toward zero, as `div` and `mod` must. */
function arithmetic(op: Arithmetic, a: IntegerValue, b: IntegerValue): OperatorAnswer {
  const result = resultClass(op, classOf(a), classOf(b));
  if (result === undefined) return 'type_mismatch';
  switch (op) {
    case 'add':
      return inRange(result, a.value + b.value);
    case 'sub':
      return inRange(result, a.value - b.value);
    case 'mul':
      return inRange(result, a.value * b.value);
    case 'div':
      return b.value === 0n ? 'divide_by_zero' : inRange(result, a.value / b.value);
    case 'mod':
      return b.value === 0n ? 'divide_by_zero' : inRange(result, a.value % b.value);
    default:
      return op satisfies never;
  }
}

function classOf(value: IntegerValue): ResultClass {
  return value.kind === 'time' || value.kind === 'duration' ? value.kind : 'integer';
}

/** The table of `expressions.md` §9; undefined where it has a dash. */
function resultClass(op: Arithmetic, a: ResultClass, b: ResultClass): ResultClass | undefined {
  if (a === 'integer') {
    if (b === 'integer') return 'integer';
    return b === 'duration' && op === 'mul' ? 'duration' : undefined;
  }
  if (a === 'time') {
    if (b === 'duration') return op === 'add' || op === 'sub' ? 'time' : undefined;
    return b === 'time' && op === 'sub' ? 'duration' : undefined;
  }
  if (b === 'integer') return op === 'add' || op === 'sub' ? undefined : 'duration';
  if (b === 'time') return op === 'add' ? 'time' : undefined;
  return op === 'add' || op === 'sub' ? 'duration' : undefined;
}

/** An untyped integer is an int while it fits, else a nat (`plans.md` §14). */
function inRange(result: ResultClass, value: bigint): OperatorAnswer {
  switch (result) {
    case 'integer':
      if (value < INT_MIN || value > NAT_MAX) return 'numeric_overflow';
      return { kind: value > INT_MAX ? 'nat' : 'int', value };
    case 'time':
      return value < 0n || value > NAT_MAX ? 'numeric_overflow' : { kind: 'time', value };
    case 'duration':
      return value < INT_MIN || value > INT_MAX ? 'numeric_overflow' : { kind: 'duration', value };
    default:
      return result satisfies never;
  }
}

/** Does the joined text stay within the limit, in UTF-8 bytes? A UTF-16 unit takes one to three of them. */
function joinedFits(a: string, b: string): boolean {
  const units = a.length + b.length;
  if (units > PRODUCED_BYTES_MAX) return false;
  return units * 3 <= PRODUCED_BYTES_MAX || utf8Bytes(a) + utf8Bytes(b) <= PRODUCED_BYTES_MAX;
}

function utf8Bytes(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // A pair of surrogates is two units and four bytes.
    count += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
  }
  return count;
}

function has(container: Value, member: Value): OperatorAnswer {
  switch (container.kind) {
    case 'record': {
      if (member.kind !== 'text') return unfit(member);
      const field = container.fields.get(member.value);
      return truth(field !== undefined && field.kind !== 'null');
    }
    case 'variant':
      if (member.kind !== 'text') return unfit(member);
      if (member.value === '$tag') return TRUE;
      return truth(member.value === '$value' && container.value.kind !== 'null');
    case 'map':
    case 'list':
    case 'set':
      return holds(container, member);
    default:
      return 'type_mismatch';
  }
}

function holds(container: Extract<Value, { kind: 'map' | 'list' | 'set' }>, member: Value): OperatorAnswer {
  if (container.kind === 'map') {
    return isMapKey(member) ? truth(lookupEntry(container.entries, member) !== undefined) : unfit(member);
  }
  for (const item of container.items) {
    if (valuesEqual(item, member)) return TRUE;
  }
  return FALSE;
}

function contains(a: Value, b: Value): OperatorAnswer {
  switch (a.kind) {
    case 'text':
      // Both are well-formed, so a match never begins or ends inside a surrogate pair.
      return b.kind === 'text' ? truth(a.value.includes(b.value)) : unfit(b);
    case 'bytes':
      return b.kind === 'bytes' ? truth(indexOfBytes(a.value, b.value) >= 0) : unfit(b);
    case 'list':
    case 'set':
    case 'map':
      return holds(a, b);
    default:
      return unfit(a);
  }
}

/**
 * Knuth–Morris–Pratt: linear whatever the data, since both sides may be an adversary's.
 *
 * @returns The first position of `needle`, or −1.
 */
function indexOfBytes(haystack: Uint8Array, needle: Uint8Array): number {
  if (needle.length === 0) return 0;
  if (needle.length > haystack.length) return -1;
  const borders = new Int32Array(needle.length);
  for (let i = 1, border = 0; i < needle.length; i += 1) {
    while (border > 0 && needle[i] !== needle[border]) border = borders[border - 1] as number;
    if (needle[i] === needle[border]) border += 1;
    borders[i] = border;
  }
  for (let i = 0, matched = 0; i < haystack.length; i += 1) {
    while (matched > 0 && haystack[i] !== needle[matched]) matched = borders[matched - 1] as number;
    if (haystack[i] === needle[matched]) matched += 1;
    if (matched === needle.length) return i - needle.length + 1;
  }
  return -1;
}
