import { isConstantTag, isMapEntry, isTagBody, parseExpr } from './expr-parse.ts';
import { CONSTANT_FORMS, CONSTRUCTOR_FORMS, type ConstantTag } from './expr-shape.ts';
import {
  isJsonArray,
  isJsonObject,
  JSON_DEPTH_MAX,
  type Json,
  JsonFloat,
  type JsonObject,
  memberNames,
} from './json.ts';
import { isExpressionForm, type Problems } from './value-failure.ts';

/** Tagged forms as they look, without any type (`values.md` §3.3, rule 2). */

/** What a subtree is when only its shape is looked at. `broken`: an expression in it is malformed, already reported. */
export type Shape = 'none' | 'literal' | 'expression' | 'broken';

export class ShapeReader {
  private readonly problems: Problems;
  private readonly expressions: boolean;
  /** Are expressions inside a tagged form read, or is it enough to see them? */
  private readonly parses: boolean;

  /** @param problems - Where a malformed expression is reported. */
  constructor(problems: Problems, options: { readonly expressions: boolean; readonly parses?: boolean }) {
    this.problems = problems;
    this.expressions = options.expressions;
    this.parses = options.parses ?? true;
  }

  /** Is the subtree tagged throughout (`values.md` §3.3, rule 2)? Contents of scalars are not looked at. */
  shape(json: Json, depth: number): Shape {
    if (!isJsonObject(json) || depth > JSON_DEPTH_MAX) return 'none';
    if (this.expressions && isExpressionForm(json)) {
      return !this.parses || this.isExpression(json) ? 'expression' : 'broken';
    }
    if (isTagBody(json)) return this.tagBodyShape(json, [], depth);
    const names = memberNames(json);
    const tag = names[0];
    if (tag === undefined || names.length !== 1) return 'none';
    const body = json[tag] as Json;
    switch (tag) {
      case 'list':
      case 'set':
        if (!isJsonArray(body)) return 'none';
        return this.allShapes(
          body.map((item, index) => [item, [index], [tag, index]]),
          depth,
        );
      case 'map':
        if (!isJsonArray(body) || !body.every(isMapEntry)) return 'none';
        return this.allShapes(
          body.flatMap((entry, index) => [
            [entry['key'] as Json, [index], [tag, index, 'key']],
            [entry['value'] as Json, [index], [tag, index, 'value']],
          ]),
          depth,
        );
      case 'record': {
        if (!isJsonObject(body)) return 'none';
        const fields = memberNames(body);
        if (fields.some((name) => name === '' || name.startsWith('$'))) return 'none';
        return this.allShapes(
          fields.map((name) => [body[name] as Json, [name], [tag, name]]),
          depth,
        );
      }
      case 'variant':
        return isTagBody(body) ? this.tagBodyShape(body, [tag], depth) : 'none';
      default:
        return isConstantTag(tag) && isBodyOf(tag, body) ? 'literal' : 'none';
    }
  }

  private tagBodyShape(json: JsonObject, at: readonly string[], depth: number): Shape {
    if (!Object.hasOwn(json, 'value')) return 'literal';
    return this.allShapes([[json['value'] as Json, ['$value'], [...at, 'value']]], depth);
  }

  private allShapes(
    children: readonly (readonly [Json, readonly (string | number)[], readonly (string | number)[]])[],
    depth: number,
  ): Shape {
    let result: Shape = 'literal';
    for (const [child, path, at] of children) {
      const shape = this.problems.insideJson(path, at, () => this.shape(child, depth + 1));
      if (shape === 'none' || shape === 'broken') return shape;
      if (shape === 'expression') result = shape;
    }
    return result;
  }

  /** Is the tree an expression as a whole? Reports what is wrong with it. */
  isExpression(json: Json): boolean {
    const parsed = parseExpr(json);
    if (parsed.ok) return true;
    for (const failure of parsed.failure) {
      const problem = failure.message.slice(failure.message.indexOf(': ') + 2);
      const { hint, text, got } = failure;
      this.problems.insideJson(failure.path, failure.path, () =>
        this.problems.report(failure.code, failure.path.length === 0 ? failure.message : problem, { hint, text, got }),
      );
    }
    return false;
  }
}

/** Has the object the members of a tagged form (`values.md` §3.3, rule 2)? */
export function looksTagged(json: Json): boolean {
  if (!isJsonObject(json)) return false;
  const names = memberNames(json);
  const tag = names[0];
  if (names.length === 1 && tag !== undefined && (isConstantTag(tag) || Object.hasOwn(CONSTRUCTOR_FORMS, tag)))
    return true;
  return isTagBody(json);
}

/** Has the body of a tagged scalar the right JSON kind? */
function isBodyOf(tag: ConstantTag, body: Json): boolean {
  switch (CONSTANT_FORMS[tag].body) {
    case 'nothing':
      return isJsonObject(body) && memberNames(body).length === 0;
    case 'bool':
      return typeof body === 'boolean';
    case 'integer':
      return isNumeric(body);
    default:
      return typeof body === 'string';
  }
}

/** A number, or what may be the text of one. */
export function isNumeric(json: Json): boolean {
  return typeof json === 'number' || typeof json === 'bigint' || typeof json === 'string' || json instanceof JsonFloat;
}
