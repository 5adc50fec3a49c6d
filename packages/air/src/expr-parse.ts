import { compareCanonicalKeys, fail, fromBase64, ok, type Result } from '@worldline/canon';
import { type Expr, OPERATORS, type Operator, type RefExpr } from './expr.ts';
import {
  emptyObject,
  integerOf,
  isJsonArray,
  isJsonObject,
  type Json,
  type JsonObject,
  member,
  memberNames,
  shorten,
} from './json.ts';
import { literalToTree, mapEntry, tagged } from './literal.ts';
import { NULL, type Value } from './value.ts';
import { jsonKind, Problems, type ValueFailure } from './value-failure.ts';
import { type IntegerKind, integer, integerText, type TextKind, textScalar } from './value-scalar.ts';

/** Expressions from and to JSON (`expressions.md` §2, §3, §5, §12; `definitions.md` §4). */

/** Names that a reference may mean, to split `@var:a.b.c` at the longest declared one. */
export interface RefNames {
  readonly variables: ReadonlySet<string>;
  readonly steps: ReadonlySet<string>;
}

/** Limits of AIR v1, not configuration (`expressions.md` §12). */
export const EXPR_DEPTH_MAX = 64;
export const EXPR_NODES_MAX = 10_000;

const ARITY: { readonly [O in Operator]: readonly [min: number, max: number] } = {
  len: [1, 1],
  get: [2, 2],
  has: [2, 2],
  eq: [2, 2],
  ne: [2, 2],
  lt: [2, 2],
  le: [2, 2],
  gt: [2, 2],
  ge: [2, 2],
  and: [2, Number.POSITIVE_INFINITY],
  or: [2, Number.POSITIVE_INFINITY],
  not: [1, 1],
  concat: [2, 2],
  hash: [1, 1],
  hash_bytes: [1, 1],
  add: [2, 2],
  sub: [2, 2],
  mul: [2, 2],
  div: [2, 2],
  mod: [2, 2],
  starts_with: [2, 2],
  ends_with: [2, 2],
  contains: [2, 2],
};

const RESERVED_SEGMENTS: ReadonlySet<string> = new Set([
  '$tag',
  '$value',
  '$status',
  '$adapter_id',
  '$cost_cents',
  '$error',
]);

const NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/;
const NAME_LENGTH_MAX = 64;

/**
 * Read an expression.
 *
 * @param names - What references may name. A name that is not declared ends at the first dot; that it is unknown is
 *   reported by the rules that know the position (V-511 … V-513). Undefined when the names are not known yet: then the
 *   part of a reference behind `@var:` and `@step:` is checked only for its first character.
 * @returns the expression; or all failures in document order, `expr.invalid` or `expr_too_large`, paths from the
 *   expression's own root.
 */
export function parseExpr(json: Json, names?: RefNames): Result<Expr, readonly ValueFailure[]> {
  const parser = new ExprParser(names);
  const expr = parser.parse(json, 1);
  const { failures } = parser.problems;
  return expr === undefined || failures.length > 0 ? fail(failures) : ok(expr);
}

/** JSON of a parsed expression, equal to what was authored but for comments, integer spelling and member order. */
export function exprToJson(expr: Expr): Json {
  switch (expr.form) {
    case 'ref':
      return tagged('ref', expr.text);
    case 'const':
      return expr.written === undefined ? literalToTree(expr.value) : tagged(expr.value.kind, expr.written);
    case 'op': {
      const json = emptyObject();
      json['op'] = expr.op;
      json['args'] = expr.args.map(exprToJson);
      return json;
    }
    case 'record': {
      const fields = emptyObject();
      for (const [name, field] of expr.fields) fields[name] = exprToJson(field);
      return tagged('record', fields);
    }
    case 'list':
    case 'set':
      return tagged(expr.form, expr.items.map(exprToJson));
    case 'map':
      return tagged(
        'map',
        expr.entries.map(([key, value]) => mapEntry(exprToJson(key), exprToJson(value))),
      );
    case 'variant': {
      const body = emptyObject();
      body['tag'] = expr.tag;
      if (expr.value !== undefined) body['value'] = exprToJson(expr.value);
      return tagged('variant', body);
    }
    default:
      return expr satisfies never;
  }
}

/**
 * Split the text of a reference (`expressions.md` §3).
 *
 * @returns undefined when the text is not one; names as for `parseExpr`.
 */
export function parseRef(text: string, names?: RefNames): RefExpr | undefined {
  if (!text.isWellFormed()) return undefined;
  for (const [root, prefix] of [
    ['input', '@plan.input'],
    ['event', '@event'],
  ] as const) {
    if (text === prefix) return { form: 'ref', root, path: [], text };
    if (text.startsWith(`${prefix}.`)) {
      const path = parsePath(text.slice(prefix.length));
      return path && { form: 'ref', root, path, text };
    }
  }
  const root = text.startsWith('@var:') ? 'var' : text.startsWith('@step:') ? 'step' : undefined;
  if (root === undefined) return undefined;
  const rest = text.slice(root === 'var' ? 5 : 6);
  const declared = root === 'var' ? names?.variables : names?.steps;
  const name = longestName(rest, declared);
  if (!NAME.test(name)) return undefined;
  const path = parsePath(rest.slice(name.length));
  if (path !== undefined) return { form: 'ref', root, name, path, text };
  // A declared name may end with dots or contain two in a row, so without the names nothing more can be said.
  return names === undefined ? { form: 'ref', root, name, path: [], text } : undefined;
}

function longestName(rest: string, declared: ReadonlySet<string> | undefined): string {
  if (declared !== undefined) {
    for (let end = Math.min(rest.length, NAME_LENGTH_MAX); end > 0; end -= 1) {
      const followed = end === rest.length || rest.charAt(end) === '.';
      if (followed && declared.has(rest.slice(0, end))) return rest.slice(0, end);
    }
  }
  const dot = rest.indexOf('.');
  return dot < 0 ? rest : rest.slice(0, dot);
}

/** Segments of `.a.b`; the empty text is the empty path. */
function parsePath(text: string): readonly string[] | undefined {
  if (text === '') return [];
  const segments = text.slice(1).split('.');
  const good = segments.every((segment) => segment !== '' && (segment[0] !== '$' || RESERVED_SEGMENTS.has(segment)));
  return good ? segments : undefined;
}

class ExprParser {
  readonly problems = new Problems();
  private readonly names: RefNames | undefined;
  private nodes = 0;
  private tooDeep = false;

  constructor(names: RefNames | undefined) {
    this.names = names;
  }

  parse(json: Json, depth: number): Expr | undefined {
    this.nodes += 1;
    if (this.nodes > EXPR_NODES_MAX) {
      // Said once; what follows is not looked at.
      return this.nodes === EXPR_NODES_MAX + 1
        ? this.problems.report('expr_too_large', `more than ${EXPR_NODES_MAX} nodes`)
        : undefined;
    }
    if (depth > EXPR_DEPTH_MAX) {
      if (!this.tooDeep) this.problems.report('expr_too_large', `nested deeper than ${EXPR_DEPTH_MAX}`);
      this.tooDeep = true;
      return undefined;
    }
    if (!isJsonObject(json)) {
      return this.invalid(`expected an expression, got ${jsonKind(json)}`, {
        got: jsonKind(json),
        hint: 'Write a constant with its tag, such as {"text":"…"}, or a reference {"ref":"@…"}.',
      });
    }
    const names = memberNames(json);
    if (names.length === 2 && Object.hasOwn(json, 'op') && Object.hasOwn(json, 'args'))
      return this.operation(json, depth);
    const key = names[0];
    if (key === undefined || names.length !== 1 || key === 'tag') {
      const found = names.slice(0, 8).map((name) => JSON.stringify(shorten(name)));
      return this.invalid(
        found.length === 0 ? 'an empty object is no expression' : `no expression has the members ${found.join(', ')}`,
        {
          ...(isTagBody(json)
            ? { hint: 'Inside an expression a variant is written {"variant":{"tag":…,"value":…}}.' }
            : {}),
        },
      );
    }
    return this.problems.inside(key, () => this.body(key, member(json, key) as Json, depth));
  }

  private body(key: string, body: Json, depth: number): Expr | undefined {
    switch (key) {
      case 'ref':
        return this.reference(body);
      case 'record':
        return this.record(body, depth);
      case 'list':
      case 'set': {
        const items = this.items(body, depth);
        return items && { form: key, items };
      }
      case 'map':
        return this.map(body, depth);
      case 'variant':
        return this.variant(body, depth);
      default:
        return this.constant(key, body);
    }
  }

  private operation(json: JsonObject, depth: number): Expr | undefined {
    const { problems } = this;
    const op = json['op'] as Json;
    let good = true;
    if (typeof op !== 'string' || !(OPERATORS as readonly string[]).includes(op)) {
      good = false;
      const found = typeof op === 'string' ? JSON.stringify(shorten(op)) : jsonKind(op);
      problems.inside('op', () => this.invalid(`no operator is called ${found}`));
    }
    return problems.inside('args', () => {
      const args = this.items(json['args'] as Json, depth);
      if (good && isJsonArray(json['args'])) {
        const [min, max] = ARITY[op as Operator];
        const count = json['args'].length;
        if (count < min || count > max) {
          good = false;
          this.invalid(`${op} takes ${min === max ? min : `at least ${min}`} arguments, got ${count}`);
        }
      }
      return good && args ? { form: 'op', op: op as Operator, args } : undefined;
    });
  }

  private reference(body: Json): Expr | undefined {
    if (typeof body !== 'string') return this.invalid(`expected the text of a reference, got ${jsonKind(body)}`);
    return (
      parseRef(body, this.names) ??
      this.invalid(`not a reference: ${JSON.stringify(shorten(body))}`, {
        text: shorten(body),
        hint: 'References begin with @plan.input, @var:NAME, @step:ID or @event, followed by .segments.',
      })
    );
  }

  private record(body: Json, depth: number): Expr | undefined {
    if (!isJsonObject(body)) return this.invalid(`expected an object of expressions, got ${jsonKind(body)}`);
    const fields: [string, Expr][] = [];
    let good = true;
    for (const name of memberNames(body)) {
      this.problems.inside(name, () => {
        const legal = name !== '' && !name.startsWith('$') && name.isWellFormed();
        const field = legal
          ? this.parse(member(body, name) as Json, depth + 1)
          : this.invalid(`${JSON.stringify(shorten(name))} cannot be a field`);
        if (field) fields.push([name, field]);
        else good = false;
      });
    }
    if (!good) return undefined;
    return { form: 'record', fields: fields.sort(([a], [b]) => compareCanonicalKeys(a, b)) };
  }

  private items(body: Json, depth: number): readonly Expr[] | undefined {
    if (!isJsonArray(body)) return this.invalid(`expected a list of expressions, got ${jsonKind(body)}`);
    const items: Expr[] = [];
    for (const [index, json] of body.entries()) {
      const item = this.problems.inside(index, () => this.parse(json, depth + 1));
      if (item) items.push(item);
      if (this.nodes > EXPR_NODES_MAX) break;
    }
    return items.length === body.length ? items : undefined;
  }

  private map(body: Json, depth: number): Expr | undefined {
    if (!isJsonArray(body)) return this.invalid(`expected a list of {key, value}, got ${jsonKind(body)}`);
    const entries: (readonly [Expr, Expr])[] = [];
    for (const [index, json] of body.entries()) {
      this.problems.inside(index, () => {
        if (!isMapEntry(json)) {
          this.invalid('a map entry is exactly {key, value}');
          return;
        }
        const key = this.problems.inside('key', () => this.parse(json['key'] as Json, depth + 1));
        const value = this.problems.inside('value', () => this.parse(json['value'] as Json, depth + 1));
        if (key && value) entries.push([key, value]);
      });
      if (this.nodes > EXPR_NODES_MAX) break;
    }
    return entries.length === body.length ? { form: 'map', entries } : undefined;
  }

  private variant(body: Json, depth: number): Expr | undefined {
    if (!isTagBody(body)) return this.invalid('expected {tag, value?} with a text tag');
    const tag = body['tag'] as string;
    if (!tag.isWellFormed()) return this.invalid('tag with a lone surrogate');
    if (!Object.hasOwn(body, 'value')) return { form: 'variant', tag };
    const value = this.problems.inside('value', () => this.parse(body['value'] as Json, depth + 1));
    return value && { form: 'variant', tag, value };
  }

  private constant(key: string, body: Json): Expr | undefined {
    if (!isConstantTag(key)) return this.invalid(`no expression is called ${JSON.stringify(shorten(key))}`);
    const inner = new Problems();
    const value = readConstant(key, body, inner);
    if (value === undefined) {
      const failure = inner.failures[0];
      return this.invalid(failure?.message ?? `malformed ${key}`, { text: failure?.text, got: failure?.got });
    }
    // The one constant whose value is not what was written; nodes keep what was written (`definitions.md` §5).
    return value.kind === 'uuid' && value.value !== body
      ? { form: 'const', value, written: body as string }
      : { form: 'const', value };
  }

  private invalid(problem: string, extra: Parameters<Problems['report']>[2] = {}): undefined {
    return this.problems.report('expr.invalid', problem, extra);
  }
}

/** Exactly `{key, value}`. */
export function isMapEntry(json: Json): json is JsonObject {
  return (
    isJsonObject(json) && Object.hasOwn(json, 'key') && Object.hasOwn(json, 'value') && memberNames(json).length === 2
  );
}

/** Exactly `{tag}` or `{tag, value}` with a text tag. */
export function isTagBody(json: Json): json is JsonObject {
  if (!isJsonObject(json) || !Object.hasOwn(json, 'tag') || typeof json['tag'] !== 'string') return false;
  return memberNames(json).length === (Object.hasOwn(json, 'value') ? 2 : 1);
}

/** Kinds of values by the tag of their constants, but for null. */
const CONSTANT_KINDS = {
  bool: 'bool',
  int: 'int',
  nat: 'nat',
  dec128: 'dec128',
  text: 'text',
  bytes_b64: 'bytes',
  time_ns: 'time',
  duration_ns: 'duration',
  hash: 'hash',
  uuid: 'uuid',
} as const;

export type ConstantTag = keyof typeof CONSTANT_KINDS | 'null';

/** The kind of value that a tag stands for. */
export function kindOfTag(tag: string): string {
  return Object.hasOwn(CONSTANT_KINDS, tag) ? CONSTANT_KINDS[tag as keyof typeof CONSTANT_KINDS] : tag;
}

export function isConstantTag(tag: string): tag is ConstantTag {
  return tag === 'null' || Object.hasOwn(CONSTANT_KINDS, tag);
}

/** The value of a tagged scalar (`expressions.md` §5), or a reported failure. */
export function readConstant(tag: ConstantTag, body: Json, problems: Problems): Value | undefined {
  switch (tag) {
    case 'null':
      return isJsonObject(body) && memberNames(body).length === 0
        ? NULL
        : problems.report('value.type_mismatch', 'the body of null is {}');
    case 'bool':
      return typeof body === 'boolean' ? { kind: 'bool', value: body } : problems.mismatch('bool', jsonKind(body));
    case 'bytes_b64': {
      if (typeof body !== 'string') return problems.mismatch('bytes', jsonKind(body));
      return readBase64(body, problems);
    }
    case 'text':
    case 'dec128':
    case 'hash':
    case 'uuid':
      return typeof body === 'string'
        ? textScalar(tag satisfies TextKind, body, problems)
        : problems.mismatch(tag, jsonKind(body));
    default:
      return readInteger(CONSTANT_KINDS[tag] satisfies IntegerKind, body, problems);
  }
}

/** An integer or its decimal string, for int, nat, and the tagged time and duration (`values.md` §3.2). */
export function readInteger(kind: IntegerKind, body: Json, problems: Problems): Value | undefined {
  const value = integerOf(body);
  if (value !== undefined) return integer(kind, value, problems);
  if (typeof body === 'string') return integerText(kind, body, problems);
  if (jsonKind(body) !== 'dec128' && jsonKind(body) !== 'int') return problems.mismatch(kind, jsonKind(body));
  return problems.report('value.bad_number', 'a number with a fraction or exponent is never an integer', {
    expected: kind,
    text: shorten(typeof body === 'object' && body !== null && 'text' in body ? String(body.text) : String(body)),
  });
}

/** Standard base64 with padding and zero spare bits (`values.md` §4.4). */
export function readBase64(text: string, problems: Problems): Value | undefined {
  const value = fromBase64(text);
  return value === undefined
    ? problems.text('value.bad_base64', 'not standard base64 with padding', text, { expected: 'bytes' })
    : { kind: 'bytes', value };
}
