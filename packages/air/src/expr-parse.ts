import { compareCanonicalKeys, fail, fromBase64, ok, type Result } from '@worldline/canon';
import type { Expr, RefExpr } from './expr.ts';
import { CONSTANT_FORMS, type ConstantTag, OPERATIONS, type Operator, RESERVED_SEGMENTS } from './expr-shape.ts';
import {
  emptyObject,
  integerOf,
  isJsonArray,
  isJsonObject,
  type Json,
  type JsonObject,
  memberNames,
  shorten,
} from './json.ts';
import { literalToTree, mapEntry, tagged } from './literal.ts';
import { IDENT } from './name.ts';
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
  const whole = text.startsWith('@plan.input') ? 'input' : text.startsWith('@event') ? 'event' : undefined;
  if (whole !== undefined) {
    const end = whole === 'input' ? '@plan.input'.length : '@event'.length;
    if (text.length === end) return { form: 'ref', root: whole, path: [], text };
    if (text[end] !== '.') return undefined;
    const path = parsePath(text.slice(end));
    return path && { form: 'ref', root: whole, path, text };
  }
  const root = text.startsWith('@var:') ? 'var' : text.startsWith('@step:') ? 'step' : undefined;
  if (root === undefined) return undefined;
  const rest = text.slice(root === 'var' ? 5 : 6);
  const declared = root === 'var' ? names?.variables : names?.steps;
  const name = longestName(rest, declared);
  if (!IDENT.test(name)) return undefined;
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

/** Forms beside the constants that have one member. */
const OTHER_FORMS = ['ref', 'record', 'list', 'set', 'map', 'variant'];

class ExprParser {
  readonly problems = new Problems({ json: true });
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
    // Levels are entered and left by hand: most of the time of reading a plan is spent here.
    const { path } = this.problems;
    path.push(key);
    const expr = this.body(key, json[key] as Json, depth);
    path.pop();
    return expr;
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
    if (typeof op !== 'string' || !Object.hasOwn(OPERATIONS, op)) {
      good = false;
      const found = typeof op === 'string' ? JSON.stringify(shorten(op)) : jsonKind(op);
      const near = typeof op === 'string' ? problems.near(op, Object.keys(OPERATIONS)) : {};
      problems.inside('op', () => this.invalid(`no operator is called ${found}`, near));
    }
    problems.path.push('args');
    const args = this.items(json['args'] as Json, depth);
    if (good && isJsonArray(json['args'])) {
      const [min, max] = OPERATIONS[op as Operator].args;
      const count = json['args'].length;
      if (count < min || count > max) {
        good = false;
        const takes = min === max ? String(min) : `at least ${min}`;
        this.invalid(`${op} takes ${takes} arguments, got ${count}`, { hint: `Give it ${takes}.` });
      }
    }
    problems.path.pop();
    return good && args ? { form: 'op', op: op as Operator, args } : undefined;
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
    const { path } = this.problems;
    for (const name of memberNames(body)) {
      path.push(name);
      const legal = name !== '' && !name.startsWith('$') && name.isWellFormed();
      const field = legal
        ? this.parse(body[name] as Json, depth + 1)
        : this.invalid(`${JSON.stringify(shorten(name))} cannot be a field`);
      if (field) fields.push([name, field]);
      else good = false;
      path.pop();
    }
    if (!good) return undefined;
    return { form: 'record', fields: fields.length > 1 ? fields.sort(byKey) : fields };
  }

  private items(body: Json, depth: number): readonly Expr[] | undefined {
    if (!isJsonArray(body)) return this.invalid(`expected a list of expressions, got ${jsonKind(body)}`);
    const items: Expr[] = [];
    const { path } = this.problems;
    for (let index = 0; index < body.length; index += 1) {
      path.push(index);
      const item = this.parse(body[index] as Json, depth + 1);
      path.pop();
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
    if (!isConstantTag(key)) {
      const near = this.problems.near(key, [...Object.keys(CONSTANT_FORMS), ...OTHER_FORMS]);
      return this.invalid(`no expression is called ${JSON.stringify(shorten(key))}`, near);
    }
    const inner = new Problems({ json: true });
    const value = readConstant(key, body, inner);
    if (value === undefined) {
      const failure = inner.failures[0];
      return this.invalid(failure?.message ?? `malformed ${key}`, {
        text: failure?.text,
        got: failure?.got,
        hint: failure?.hint,
      });
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

/** The kind of value that a tag stands for. */
export function kindOfTag(tag: string): string {
  return isConstantTag(tag) ? CONSTANT_FORMS[tag].kind : tag;
}

export function isConstantTag(tag: string): tag is ConstantTag {
  return Object.hasOwn(CONSTANT_FORMS, tag);
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
      return readInteger(CONSTANT_FORMS[tag].kind satisfies IntegerKind, body, problems);
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

function byKey([a]: readonly [string, Expr], [b]: readonly [string, Expr]): number {
  return compareCanonicalKeys(a, b);
}
