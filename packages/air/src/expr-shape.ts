/** The forms of expressions (`expressions.md` §2, §3, §5, §6, §7; `definitions.md` §4). */

export interface Operation {
  /** Least and greatest number of arguments. */
  readonly args: readonly [min: number, max: number];
  /** Types of the operands and of the result. */
  readonly takes: string;
  /** For people. */
  readonly says: string;
}

const MANY = Number.POSITIVE_INFINITY;
const NUMBERS = '(number, number) → number';
const ORDERED = '(A, A) → bool, A: number, text or dec128';

export const OPERATIONS = {
  len: {
    args: [1, 1],
    takes: '(list, set, map, text, bytes or record) → nat',
    says: 'Number of elements, entries, characters, bytes or fields.',
  },
  get: {
    args: [2, 2],
    takes: '(record, text), (map<K, V>, K) or (list, integer) → the part',
    says: 'The field, the value at a key, or the element at an index from 0. Absent: the evaluation fails.',
  },
  has: {
    args: [2, 2],
    takes: '(record, text), (map<K, V>, K) or (list or set, element) → bool',
    says: 'Is the field given, the key there, the element in the collection?',
  },
  eq: { args: [2, 2], takes: '(A, A) → bool', says: 'Are they equal? `{"null": {}}` as one side asks for none.' },
  ne: { args: [2, 2], takes: '(A, A) → bool', says: 'Are they different?' },
  lt: { args: [2, 2], takes: ORDERED, says: 'Less than.' },
  le: { args: [2, 2], takes: ORDERED, says: 'Less than or equal.' },
  gt: { args: [2, 2], takes: ORDERED, says: 'Greater than.' },
  ge: { args: [2, 2], takes: ORDERED, says: 'Greater than or equal.' },
  and: {
    args: [2, MANY],
    takes: '(bool, bool, …) → bool',
    says: 'Do all hold? Stops at the first that does not.',
  },
  or: { args: [2, MANY], takes: '(bool, bool, …) → bool', says: 'Does one hold? Stops at the first that does.' },
  not: { args: [1, 1], takes: '(bool) → bool', says: 'The opposite.' },
  concat: { args: [2, 2], takes: '(text, text) → text', says: 'Both texts, one after the other.' },
  hash: { args: [1, 1], takes: '(any value) → hash', says: 'SHA-256 of the value’s canonical bytes.' },
  hash_bytes: { args: [1, 1], takes: '(bytes) → hash', says: 'SHA-256 of the bytes themselves.' },
  add: { args: [2, 2], takes: NUMBERS, says: 'Sum; a time and a duration give a time.' },
  sub: { args: [2, 2], takes: NUMBERS, says: 'Difference.' },
  mul: { args: [2, 2], takes: NUMBERS, says: 'Product.' },
  div: { args: [2, 2], takes: NUMBERS, says: 'Quotient. Division by zero: the evaluation fails.' },
  mod: { args: [2, 2], takes: NUMBERS, says: 'Remainder. Division by zero: the evaluation fails.' },
  starts_with: { args: [2, 2], takes: '(text, text) → bool', says: 'Does the first text begin with the second?' },
  ends_with: { args: [2, 2], takes: '(text, text) → bool', says: 'Does the first text end with the second?' },
  contains: {
    args: [2, 2],
    takes: '(text, text), (bytes, bytes) or (collection, element or key) → bool',
    says: 'Is the second in the first?',
  },
} as const satisfies Readonly<Record<string, Operation>>;

export type Operator = keyof typeof OPERATIONS;

export const OPERATORS = Object.keys(OPERATIONS) as readonly Operator[];

export interface ConstantForm {
  /** The kind of the value. */
  readonly kind: string;
  /** Nothing is `{}`; an integer may also be decimal text. */
  readonly body: 'nothing' | 'bool' | 'integer' | 'text';
  /** For people. */
  readonly says: string;
}

/** Constants by their tag: a scalar value with its type written beside it. */
export const CONSTANT_FORMS = {
  null: { kind: 'null', body: 'nothing', says: 'None, or the one value of unit: `{"null": {}}`.' },
  bool: { kind: 'bool', body: 'bool', says: 'A bool: `{"bool": true}`.' },
  int: { kind: 'int', body: 'integer', says: 'An integer: `{"int": -42}`.' },
  nat: { kind: 'nat', body: 'integer', says: 'An integer from 0: `{"nat": 300}`.' },
  dec128: { kind: 'dec128', body: 'text', says: 'A decimal number as text: `{"dec128": "0.50"}`.' },
  text: { kind: 'text', body: 'text', says: 'A text: `{"text": "hi"}`.' },
  bytes_b64: { kind: 'bytes', body: 'text', says: 'Bytes in base64 with padding: `{"bytes_b64": "AAEC"}`.' },
  time_ns: { kind: 'time', body: 'integer', says: 'An instant, in nanoseconds since 1970.' },
  duration_ns: {
    kind: 'duration',
    body: 'integer',
    says: 'A span of time in nanoseconds: `{"duration_ns": 1000000000}`.',
  },
  hash: { kind: 'hash', body: 'text', says: 'A hash: `"sha256:"` and 64 lower-case hex digits.' },
  uuid: { kind: 'uuid', body: 'text', says: 'A uuid.' },
} as const satisfies Readonly<Record<string, ConstantForm>>;

export type ConstantTag = keyof typeof CONSTANT_FORMS;

export interface ConstructorForm {
  readonly body: 'members' | 'items' | 'entries' | 'tag and value';
  /** For people. */
  readonly says: string;
}

/** Composite values made of expressions. */
export const CONSTRUCTOR_FORMS = {
  record: { body: 'members', says: 'A record: field → expression.' },
  list: { body: 'items', says: 'A list of expressions.' },
  set: { body: 'items', says: 'A set of expressions; equal elements become one.' },
  map: { body: 'entries', says: 'A map: a list of `{"key": …, "value": …}`.' },
  variant: { body: 'tag and value', says: 'One arm of a variant: `{"tag": "Arm", "value": …}`.' },
} as const satisfies Readonly<Record<string, ConstructorForm>>;

export type Constructor = keyof typeof CONSTRUCTOR_FORMS;

/** Members that are no constants and no constructors. */
export const FORM_MEMBERS = {
  ref: 'A reference: `@plan.input`, `@var:NAME`, `@step:ID` or `@event`, each with a path such as `.order.id` behind it.',
  op: 'An operation; `args` holds its operands.',
  args: 'The operands, each an expression.',
  key: 'The key, an expression.',
  value: 'The value, an expression.',
  tag: 'The name of the arm.',
} as const;

/** Where a reference begins (`expressions.md` §3). */
export const REF_ROOTS = {
  '@plan.input': 'The input of the plan.',
  '@var:': 'A variable: a local, a bound name, or `correlation_id`.',
  '@step:': 'What the step with this id has bound.',
  '@event': 'The event: in `await_event.where`, and in `when` and `input_expr` of triggers.',
} as const;

/** Segments of a path that begin with `$`: parts of variants and receipts (`expressions.md` §3.1). */
export const RESERVED_SEGMENTS: ReadonlySet<string> = new Set([
  '$tag',
  '$value',
  '$status',
  '$adapter_id',
  '$cost_cents',
  '$error',
]);
