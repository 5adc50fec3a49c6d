import { fail, ok, type Result } from '@worldline/canon';
import { isConstantTag, isTagBody, kindOfTag, readBase64, readConstant, readInteger } from './expr-parse.ts';
import {
  isJsonArray,
  isJsonObject,
  JSON_DEPTH_MAX,
  type Json,
  JsonFloat,
  type JsonObject,
  member,
  memberNames,
} from './json.ts';
import { literalToJson } from './literal.ts';
import { type Child, CompositeReader } from './literal-composite.ts';
import { keep } from './literal-keep.ts';
import { type Part, Tree } from './literal-part.ts';
import { isNumeric, looksTagged, ShapeReader } from './literal-shape.ts';
import { untypedValue } from './literal-untyped.ts';
import type { Type, TypeScope } from './type.ts';
import { tryResolveType } from './type-resolve.ts';
import { NULL, type Value } from './value.ts';
import { nearestName } from './value-cbor.ts';
import { isExpressionForm, jsonKind, Problems, typeName, type ValueFailure } from './value-failure.ts';
import { isTextKind, textScalar, timeText } from './value-scalar.ts';

/**
 * Both JSON lenses (`values.md` §3): the type decides, never the look of the JSON alone. Beneath it `literal-shape.ts` tells what
 * looks tagged, `literal-composite.ts` what a composite of a type needs, in both lenses, and `literal-part.ts` what is read.
 *
 * L1 Whatever the JSON, the reader answers; recursion is bounded by `JSON_DEPTH_MAX`.
 * L2 A canonical literal of a value reads back as that value.
 * L3 Work is at most (depth of the JSON) × (size of the JSON): a subtree that is no tagged form is looked at once per level.
 */

/**
 * Read a value in either lens, without expressions.
 *
 * @param label - What failures outside any named schema call the place.
 * @returns all failures of `values.md` §9 in document order; the first is the primary one.
 */
export function readLiteral(
  json: Json,
  type: Type,
  scope: TypeScope,
  label?: string,
): Result<Value, readonly ValueFailure[]> {
  const part = readPart(json, type, { scope, expressions: false, label });
  // Without expressions no part is a tree.
  return part.ok ? ok(part.value as Value) : part;
}

/**
 * As `readLiteral`, and the JSON that a manifest keeps of it: what was written in the tagged lens stays as written, set
 * order and left-out option fields included, with bare variants and integers as integers; what was written in sugar
 * becomes the canonical literal (`definitions.md` §3.8).
 */
export function readKeptLiteral(
  json: Json,
  type: Type,
  scope: TypeScope,
  label?: string,
): Result<{ readonly value: Value; readonly json: Json }, readonly ValueFailure[]> {
  const value = readLiteral(json, type, scope, label);
  if (!value.ok) return value;
  const reader = new Reader({ scope, expressions: false });
  const asTagged = reader.shapes.shape(json, 0) === 'literal' && reader.fits(json, type) !== undefined;
  return ok({ value: value.value, json: asTagged ? keep(json, { bareVariants: true }) : literalToJson(value.value) });
}

export interface ReadOptions {
  readonly scope: TypeScope;
  /** May references and operations stand for values? Only in slots. */
  readonly expressions: boolean;
  readonly label?: string | undefined;
}

/** The reading algorithm of `values.md` §3.3; without a type only its forms 1 and 2. */
export function readPart(
  json: Json,
  type: Type | undefined,
  options: ReadOptions,
): Result<Part, readonly ValueFailure[]> {
  const reader = new Reader(options);
  const part = type === undefined ? reader.readUntyped(json) : reader.read(json, type, 0);
  const { failures } = reader.problems;
  return part === undefined || failures.length > 0 ? fail(failures) : ok(part);
}

class Reader {
  readonly problems: Problems;
  readonly shapes: ShapeReader;
  private readonly composites: CompositeReader;
  private readonly scope: TypeScope;
  private readonly expressions: boolean;

  constructor(options: ReadOptions) {
    this.problems = new Problems({ label: options.label, json: true });
    this.shapes = new ShapeReader(this.problems, options);
    this.composites = new CompositeReader(this.problems, options);
    this.scope = options.scope;
    this.expressions = options.expressions;
  }

  read(json: Json, type: Type, depth: number): Part | undefined {
    if (depth > JSON_DEPTH_MAX) return this.problems.report('json.invalid', `nested deeper than ${JSON_DEPTH_MAX}`);
    return this.resolved(type, (target) => this.readResolved(json, target, depth));
  }

  /** A slot without known type takes expressions and tagged literals, both kept as written. */
  readUntyped(json: Json): Part | undefined {
    if (this.expressions && isExpressionForm(json)) return this.expression(json);
    const shape = this.shapes.shape(json, 0);
    switch (shape) {
      case 'broken':
        return undefined;
      case 'expression':
        return this.expression(json);
      case 'literal':
        return untypedValue(json, this.problems) && new Tree(keep(json), false);
      case 'none':
        return this.problems.report('plan.literal_needs_schema', `expected a tagged value, got ${jsonKind(json)}`, {
          got: jsonKind(json),
          hint: 'Declare the variable in locals, or write the value with its tag, such as {"text":"…"}.',
        });
      default:
        return shape satisfies never;
    }
  }

  private readResolved(json: Json, type: Type, depth: number): Part | undefined {
    const { problems } = this;
    if (this.expressions && isExpressionForm(json)) return this.expression(json);
    const start = problems.failures.length;
    let kept: ValueFailure[] = [];
    if (looksTagged(json)) {
      const shape = this.shapes.shape(json, depth);
      if (shape === 'broken') return undefined;
      const part =
        shape === 'expression' ? this.expression(json) : shape === 'literal' ? this.fits(json, type) : undefined;
      if (part !== undefined) return part;
      kept = problems.failures.splice(start);
    }
    const part = this.sugar(json, type, depth);
    if (part === undefined && kept.length > 0) {
      problems.failures.splice(start);
      problems.failures.push(...kept);
    }
    return part;
  }

  /** A tree that is an expression as a whole, kept as written. */
  private expression(json: Json): Tree | undefined {
    return this.shapes.isExpression(json) ? new Tree(keep(json), false) : undefined;
  }

  /** Check a tagged literal strictly against a type: tags, fields, arms and elements must be the type's own. */
  fits(json: Json, type: Type): Value | undefined {
    return this.resolved(type, (target) => this.fitsResolved(json as JsonObject, target)) as Value | undefined;
  }

  private fitsResolved(json: JsonObject, type: Type): Value | undefined {
    const bare = isTagBody(json);
    const tag = bare ? 'variant' : (memberNames(json)[0] as string);
    if (type.kind === 'option') return tag === 'null' ? NULL : this.fits(json, type.item);
    const body = bare ? json : (json[tag] as Json);
    if (
      type.kind === 'unit' &&
      (tag === 'null' || (tag === 'record' && memberNames(body as JsonObject).length === 0))
    ) {
      return NULL;
    }
    if (kindOfTag(tag) !== type.kind) return this.problems.mismatch(typeName(type, this.scope), kindOfTag(tag));
    const strict: Child = (child, childType) => this.fits(child, childType);
    let part: Part | undefined;
    switch (type.kind) {
      case 'record':
        part = this.composites.record(body as JsonObject, memberNames(body as JsonObject), type.fields, [tag], strict);
        break;
      case 'variant': {
        const variant = body as JsonObject;
        const payload = member(variant, 'value');
        part = this.composites.variant(
          variant['tag'] as string,
          payload,
          type.arms,
          bare ? ['value'] : [tag, 'value'],
          strict,
        );
        break;
      }
      case 'list':
      case 'set':
        part = this.composites.items(body as readonly Json[], type, [tag], strict);
        break;
      case 'map':
        part = this.composites.entries(
          (body as readonly JsonObject[]).map((entry, index) => ({
            key: entry['key'] as Json,
            value: entry['value'] as Json,
            index,
            at: [tag, index],
            parts: ['key', 'value'] as const,
          })),
          type,
          strict,
        );
        break;
      default:
        return isConstantTag(tag)
          ? this.problems.insideJson([], [tag], () => readConstant(tag, body, this.problems))
          : undefined;
    }
    // Children of a literal are literals.
    return part as Value | undefined;
  }

  /** Natural JSON by the type (`values.md` §3.2). */
  private sugar(json: Json, type: Type, depth: number): Part | undefined {
    const { problems } = this;
    const child: Child = (part, partType) => this.read(part, partType, depth + 1);
    switch (type.kind) {
      case 'bool':
        return typeof json === 'boolean' ? { kind: 'bool', value: json } : this.mismatch(type, json);
      case 'int':
      case 'nat':
      case 'duration':
        return isNumeric(json) ? readInteger(type.kind, json, problems) : this.mismatch(type, json);
      case 'time':
        if (typeof json === 'string') return timeText(json, problems);
        return isNumeric(json) ? readInteger(type.kind, json, problems) : this.mismatch(type, json);
      case 'bytes':
        return typeof json === 'string' ? readBase64(json, problems) : this.mismatch(type, json);
      case 'text':
      case 'dec128':
      case 'hash':
      case 'uuid':
        if (typeof json === 'string' && isTextKind(type.kind)) return textScalar(type.kind, json, problems);
        if (type.kind === 'dec128' && json instanceof JsonFloat) {
          return problems.text('value.bad_dec128', 'a decimal is written as a string', json.text, {
            expected: type.kind,
            hint: `Write "${json.text.slice(0, 80)}".`,
          });
        }
        return this.mismatch(type, json);
      case 'unit':
        return json === null || (isJsonObject(json) && Object.keys(json).length === 0)
          ? NULL
          : this.mismatch(type, json);
      case 'option':
        return json === null ? NULL : this.resolved(type.item, (inner) => this.sugar(json, inner, depth));
      case 'record':
        return isJsonObject(json)
          ? this.composites.record(json, Object.keys(json), type.fields, [], child)
          : this.mismatch(type, json);
      case 'variant':
        return isJsonObject(json)
          ? this.sugarVariant(json, type.arms, child)
          : this.mismatch(
              type,
              json,
              typeof json === 'string' ? `Write {${JSON.stringify(json.slice(0, 80))}: null}.` : undefined,
            );
      case 'list':
      case 'set':
        return isJsonArray(json) ? this.composites.items(json, type, [], child) : this.mismatch(type, json);
      case 'map':
        return this.sugarMap(json, type, child);
      default:
        throw new Error(`unresolved type ${type.kind}`);
    }
  }

  private sugarMap(json: Json, type: Type & { kind: 'map' }, child: Child): Part | undefined {
    if (isJsonArray(json)) {
      const pairs = json.map((pair, index) =>
        isJsonArray(pair) && pair.length === 2
          ? { key: pair[0] as Json, value: pair[1] as Json, index, at: [index], parts: [0, 1] as const }
          : { index, at: [index] },
      );
      return this.composites.entries(pairs, type, child);
    }
    if (!isJsonObject(json)) return this.mismatch(type, json);
    if (tryResolveType(type.key, this.scope)?.kind !== 'text') {
      return this.problems.mismatch('list of [key, value] pairs', jsonKind(json));
    }
    const members = Object.keys(json).map((name) => ({ name, value: json[name] as Json, at: [name] }));
    return this.composites.entries(members, type, child);
  }

  private sugarVariant(json: JsonObject, arms: ReadonlyMap<string, Type>, child: Child): Part | undefined {
    const { problems } = this;
    const names = Object.keys(json);
    if (Object.hasOwn(json, '$tag')) {
      const unknown = names.filter((name) => name !== '$tag' && name !== '$value');
      for (const name of unknown) {
        problems.insideJson([name], [name], () =>
          problems.report('value.unknown_field', 'unknown field', {
            field: name,
            ...problems.near(name, ['$tag', '$value']),
          }),
        );
      }
      const tag = json['$tag'] as Json;
      if (typeof tag !== 'string') {
        return problems.insideJson(['$tag'], ['$tag'], () => problems.mismatch('text', jsonKind(tag)));
      }
      const part = this.composites.variant(tag, member(json, '$value'), arms, ['$value'], child);
      return unknown.length === 0 ? part : undefined;
    }
    const only = names[0];
    if (names.length === 1 && only !== undefined && !only.startsWith('$')) {
      return this.composites.variant(only, json[only] as Json, arms, [only], child);
    }
    if (Object.hasOwn(json, '$value')) {
      return problems.insideJson(['$tag'], ['$tag'], () =>
        problems.report('value.missing_field', 'missing field', { field: '$tag', expected: 'text' }),
      );
    }
    return problems.mismatch('variant', jsonKind(json), 'Write {"Arm": payload} with exactly one arm.');
  }

  private mismatch(type: Type, json: Json, hint?: string): undefined {
    return this.problems.mismatch(typeName(type, this.scope), jsonKind(json), hint);
  }

  /** Look through refs, with the nearest schema's name set for failures inside. */
  private resolved<T>(type: Type, step: (target: Type) => T | undefined): T | undefined {
    if (type.kind !== 'ref') return step(type);
    const { problems, scope } = this;
    const target = tryResolveType(type, scope);
    if (target === undefined) {
      return problems.report('schema.not_found', `no schema is called ${type.name}`, { expected: type.name });
    }
    const outer = problems.schema;
    problems.schema = nearestName(type, scope);
    const result = step(target);
    problems.schema = outer;
    return result;
  }
}
