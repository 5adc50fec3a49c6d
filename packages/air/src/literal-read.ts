import { fail, ok, type Result } from '@worldline/canon';
import {
  isConstantTag,
  isMapEntry,
  isTagBody,
  kindOfTag,
  parseExpr,
  readBase64,
  readConstant,
  readInteger,
} from './expr-parse.ts';
import { CONSTANT_FORMS, CONSTRUCTOR_FORMS, type ConstantTag } from './expr-shape.ts';
import {
  emptyObject,
  isJsonArray,
  isJsonObject,
  JSON_DEPTH_MAX,
  type Json,
  JsonFloat,
  type JsonObject,
  member,
  memberNames,
  printJson,
} from './json.ts';
import { literalToJson, literalToTree, mapEntry, tagged } from './literal.ts';
import type { Type, TypeScope } from './type.ts';
import { isMapKeyKind, isSetItemKind } from './type-parse.ts';
import { orderedMembers, tryResolveType } from './type-resolve.ts';
import { NULL, type Value } from './value.ts';
import {
  asBadKey,
  canonicalMapOf,
  isUnitOrOption,
  mayBeAbsent,
  nearestName,
  reportMissingPayload,
  reportUnexpectedPayload,
  reportUnknownTag,
  variantValue,
} from './value-cbor.ts';
import { isExpressionForm, jsonKind, Problems, typeName, type ValueFailure } from './value-failure.ts';
import { canonicalSet, compareCanonical, keyName } from './value-order.ts';
import { isTextKind, textScalar, timeText } from './value-scalar.ts';

/**
 * Both JSON lenses (`values.md` §3): the type decides, never the look of the JSON alone.
 *
 * L1 Whatever the JSON, the reader answers; recursion is bounded by `JSON_DEPTH_MAX`.
 * L2 A canonical literal of a value reads back as that value.
 * L3 Work is at most (depth of the JSON) × (size of the JSON): a subtree that is no tagged form is looked at once per level.
 */

/** Part of a slot that holds an expression: its canonical tree (`definitions.md` §5). */
export class Tree {
  readonly json: Json;
  /** Put together from parts: nobody has looked at it as a whole. */
  readonly isMixed: boolean;

  constructor(json: Json, isMixed = true) {
    this.json = json;
    this.isMixed = isMixed;
  }
}

export type Part = Value | Tree;

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
  const asTagged = reader.shape(json, 0) === 'literal' && reader.fits(json, type) !== undefined;
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

/** The value of a tagged literal whose type is not known, or undefined when `json` is not wholly one. */
export function readUntypedLiteral(json: Json): Result<Value, readonly ValueFailure[]> | undefined {
  // Whatever holds an expression is no literal, well-formed or not.
  const reader = new Reader({ scope: NO_SCHEMAS, expressions: true }, false);
  if (reader.shape(json, 0) !== 'literal') return undefined;
  const value = reader.untyped(json);
  const { failures } = reader.problems;
  return value === undefined || failures.length > 0 ? fail(failures) : ok(value);
}

const NO_SCHEMAS: TypeScope = { lookup: () => undefined };

/** A tagged tree as written, minus comments, integers as integers (`definitions.md` §5). The tree is known to be well formed. */
export function keep(json: Json, options: { readonly bareVariants?: boolean } = {}): Json {
  if (!isJsonObject(json)) return json;
  const inner = (part: Json | undefined): Json => keep(part as Json, options);
  if (Object.hasOwn(json, 'op')) {
    const operation = emptyObject();
    operation['op'] = json['op'] as Json;
    operation['args'] = (json['args'] as readonly Json[]).map(inner);
    return operation;
  }
  if (Object.hasOwn(json, 'tag')) return keepTagBody(json, inner);
  const tag = memberNames(json)[0] as string;
  const body = json[tag] as Json;
  switch (tag) {
    case 'null':
      return tagged('null', emptyObject());
    case 'int':
    case 'nat':
    case 'time_ns':
    case 'duration_ns': {
      const value = readConstant(tag, body, new Problems());
      return value === undefined ? json : literalToJson(value);
    }
    case 'list':
    case 'set':
      return tagged(tag, (body as readonly Json[]).map(inner));
    case 'map':
      return tagged(
        tag,
        (body as readonly JsonObject[]).map((entry) => mapEntry(inner(entry['key']), inner(entry['value']))),
      );
    case 'record': {
      const fields = emptyObject();
      for (const name of memberNames(body as JsonObject)) fields[name] = inner((body as JsonObject)[name]);
      return tagged(tag, fields);
    }
    case 'variant': {
      const variant = keepTagBody(body as JsonObject, inner);
      return options.bareVariants === true ? variant : tagged(tag, variant);
    }
    default:
      return tagged(tag, body);
  }
}

function keepTagBody(json: JsonObject, inner: (part: Json | undefined) => Json): Json {
  const body = emptyObject();
  body['tag'] = json['tag'] as Json;
  if (Object.hasOwn(json, 'value')) body['value'] = inner(json['value']);
  return body;
}

/** What a subtree is when only its shape is looked at. `broken`: an expression in it is malformed, already reported. */
type Shape = 'none' | 'literal' | 'expression' | 'broken';

/** How children of a composite are read: in sugar by the whole algorithm, in a tagged literal strictly. */
type Child = (json: Json, type: Type) => Part | undefined;

class Reader {
  readonly problems: Problems;
  private readonly scope: TypeScope;
  private readonly expressions: boolean;
  /** Are expressions inside a tagged form read, or is it enough to see them? */
  private readonly parses: boolean;

  constructor(options: ReadOptions, parses = true) {
    this.problems = new Problems({ label: options.label, json: true });
    this.scope = options.scope;
    this.expressions = options.expressions;
    this.parses = parses;
  }

  read(json: Json, type: Type, depth: number): Part | undefined {
    if (depth > JSON_DEPTH_MAX) return this.problems.report('json.invalid', `nested deeper than ${JSON_DEPTH_MAX}`);
    return this.resolved(type, (target) => this.readResolved(json, target, depth));
  }

  /** A slot without known type takes expressions and tagged literals, both kept as written. */
  readUntyped(json: Json): Part | undefined {
    if (this.expressions && isExpressionForm(json)) return this.expression(json);
    const shape = this.shape(json, 0);
    switch (shape) {
      case 'broken':
        return undefined;
      case 'expression':
        return this.expression(json);
      case 'literal':
        return this.untyped(json) && new Tree(keep(json), false);
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
      const shape = this.shape(json, depth);
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
    return this.isExpression(json) ? new Tree(keep(json), false) : undefined;
  }

  /** Reports what is wrong with it. */
  private isExpression(json: Json): boolean {
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
        part = this.record(body as JsonObject, memberNames(body as JsonObject), type.fields, [tag], strict);
        break;
      case 'variant': {
        const variant = body as JsonObject;
        const payload = member(variant, 'value');
        part = this.variant(variant['tag'] as string, payload, type.arms, bare ? ['value'] : [tag, 'value'], strict);
        break;
      }
      case 'list':
      case 'set':
        part = this.items(body as readonly Json[], type, [tag], strict);
        break;
      case 'map':
        part = this.entries(
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

  /** The value of a tagged literal by its tags alone. */
  untyped(json: Json): Value | undefined {
    const { problems } = this;
    const object = json as JsonObject;
    const bare = isTagBody(object);
    const tag = bare ? 'variant' : (memberNames(object)[0] as string);
    const body = bare ? object : (object[tag] as Json);
    switch (tag) {
      case 'list':
      case 'set': {
        const items: Value[] = [];
        for (const [index, child] of (body as readonly Json[]).entries()) {
          const item = problems.insideJson([index], [tag, index], () => {
            const value = this.untyped(child);
            return value && tag === 'set' && !isSetItemKind(value.kind)
              ? problems.mismatch('scalar', value.kind)
              : value;
          });
          if (item) items.push(item);
        }
        if (items.length !== (body as readonly Json[]).length) return undefined;
        return { kind: tag, items: tag === 'set' ? canonicalSet(items) : items };
      }
      case 'map': {
        const entries: (readonly [Value, Value])[] = [];
        for (const [index, entry] of (body as readonly JsonObject[]).entries()) {
          const key = problems.insideJson([index], [tag, index, 'key'], () => {
            const value = this.untyped(entry['key'] as Json);
            return value && !isMapKeyKind(value.kind)
              ? problems.report('value.bad_map_key', `${value.kind} cannot be a map key`, { got: value.kind })
              : value;
          });
          const value = problems.insideJson([index], [tag, index, 'value'], () => this.untyped(entry['value'] as Json));
          if (key && value) entries.push([key, value]);
        }
        const sorted = canonicalMapOf(entries, problems);
        return sorted && entries.length === (body as readonly Json[]).length
          ? { kind: 'map', entries: sorted }
          : undefined;
      }
      case 'record': {
        const fields = new Map<string, Type>();
        for (const name of memberNames(body as JsonObject)) fields.set(name, UNKNOWN);
        return this.record(body as JsonObject, [...fields.keys()], fields, [tag], (child) => this.untyped(child)) as
          | Value
          | undefined;
      }
      case 'variant': {
        const variant = body as JsonObject;
        const arm = variant['tag'] as string;
        if (!Object.hasOwn(variant, 'value')) return { kind: 'variant', tag: arm, value: NULL };
        const at = bare ? ['value'] : [tag, 'value'];
        const value = problems.insideJson(['$value'], at, () => this.untyped(variant['value'] as Json));
        if (value === undefined) return undefined;
        return value.kind === 'null'
          ? { kind: 'variant', tag: arm, value, none: true }
          : { kind: 'variant', tag: arm, value };
      }
      default:
        return isConstantTag(tag) ? problems.insideJson([], [tag], () => readConstant(tag, body, problems)) : undefined;
    }
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
          ? this.record(json, Object.keys(json), type.fields, [], child)
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
        return isJsonArray(json) ? this.items(json, type, [], child) : this.mismatch(type, json);
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
      return this.entries(pairs, type, child);
    }
    if (!isJsonObject(json)) return this.mismatch(type, json);
    if (tryResolveType(type.key, this.scope)?.kind !== 'text') {
      return this.problems.mismatch('list of [key, value] pairs', jsonKind(json));
    }
    const members = Object.keys(json).map((name) => ({ name, value: json[name] as Json, at: [name] }));
    return this.entries(members, type, child);
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
      const part = this.variant(tag, member(json, '$value'), arms, ['$value'], child);
      return unknown.length === 0 ? part : undefined;
    }
    const only = names[0];
    if (names.length === 1 && only !== undefined && !only.startsWith('$')) {
      return this.variant(only, json[only] as Json, arms, [only], child);
    }
    if (Object.hasOwn(json, '$value')) {
      return problems.insideJson(['$tag'], ['$tag'], () =>
        problems.report('value.missing_field', 'missing field', { field: '$tag', expected: 'text' }),
      );
    }
    return problems.mismatch('variant', jsonKind(json), 'Write {"Arm": payload} with exactly one arm.');
  }

  private record(
    json: JsonObject,
    names: readonly string[],
    types: ReadonlyMap<string, Type>,
    at: readonly string[],
    child: Child,
  ): Part | undefined {
    const { problems } = this;
    const parts = new Map<string, Part>();
    let good = true;
    for (const name of names) {
      problems.insideJson([name], [...at, name], () => {
        const type = types.get(name);
        const part =
          type === undefined
            ? problems.report('value.unknown_field', 'unknown field', {
                field: name,
                ...problems.near(name, types.keys()),
              })
            : child(json[name] as Json, type);
        if (part === undefined) good = false;
        else parts.set(name, part);
      });
    }
    const ordered = orderedMembers(types);
    for (const [name, type] of ordered) {
      if (Object.hasOwn(json, name)) continue;
      if (mayBeAbsent(type, this.scope)) {
        parts.set(name, NULL);
      } else {
        good = false;
        problems.insideJson([name], [...at, name], () =>
          problems.report('value.missing_field', 'missing field', {
            field: name,
            expected: typeName(type, this.scope),
          }),
        );
      }
    }
    if (!good) return undefined;
    const fields = ordered.map(([name]) => [name, parts.get(name) as Part] as const);
    if (fields.every((field): field is readonly [string, Value] => !(field[1] instanceof Tree))) {
      return { kind: 'record', fields: new Map(fields) };
    }
    const tree = emptyObject();
    for (const [name, part] of fields) tree[name] = treeOf(part);
    return new Tree(tagged('record', tree));
  }

  private variant(
    tag: string,
    payload: Json | undefined,
    arms: ReadonlyMap<string, Type>,
    at: readonly string[],
    child: Child,
  ): Part | undefined {
    const { problems, scope } = this;
    const arm = arms.get(tag);
    if (arm === undefined) return reportUnknownTag(tag, arms, problems);
    return problems.insideJson(['$value'], at, () => {
      if (payload === undefined) {
        return isUnitOrOption(arm, scope)
          ? variantValue(tag, NULL, arm, scope)
          : reportMissingPayload(tag, typeName(arm, scope), problems);
      }
      const start = problems.failures.length;
      const part = child(payload, arm);
      if (part === undefined) {
        if (tryResolveType(arm, scope)?.kind !== 'unit' || (this.expressions && isExpressionForm(payload)))
          return undefined;
        problems.failures.splice(start);
        return reportUnexpectedPayload(tag, jsonKind(payload), problems);
      }
      if (!(part instanceof Tree)) return variantValue(tag, part, arm, scope);
      const body = emptyObject();
      body['tag'] = tag;
      body['value'] = part.json;
      return new Tree(tagged('variant', body));
    });
  }

  private items(
    json: readonly Json[],
    type: Type & { kind: 'list' | 'set' },
    at: readonly string[],
    child: Child,
  ): Part | undefined {
    const parts: Part[] = [];
    for (const [index, item] of json.entries()) {
      const part = this.problems.insideJson([index], [...at, index], () => child(item, type.item));
      if (part !== undefined) parts.push(part);
    }
    if (parts.length !== json.length) return undefined;
    const literals = parts.filter(isValue);
    const all = literals.length === parts.length;
    if (type.kind === 'list') {
      return all ? { kind: 'list', items: literals } : new Tree(tagged('list', parts.map(treeOf)));
    }
    const sorted = canonicalSet(literals);
    if (all) return { kind: 'set', items: sorted };
    // Values of expressions are not known yet: they follow the literals in authored order.
    return new Tree(tagged('set', [...sorted, ...parts.filter((part) => part instanceof Tree)].map(treeOf)));
  }

  private entries(given: readonly MapEntry[], type: Type & { kind: 'map' }, child: Child): Part | undefined {
    const { problems } = this;
    const entries: (readonly [Part, Part])[] = [];
    for (const entry of given) {
      const key = this.entryKey(entry, type, child);
      if (key === undefined && entry.value === undefined) continue;
      const step = key === undefined || key instanceof Tree ? (entry.index ?? 0) : keyName(key);
      const valueAt = entry.parts === undefined ? entry.at : [...entry.at, entry.parts[1]];
      const value = problems.insideJson([step], valueAt, () => child(entry.value as Json, type.value));
      if (key !== undefined && value !== undefined) entries.push([key, value]);
    }
    const complete = entries.length === given.length;
    const literals = entries.filter((entry): entry is readonly [Value, Value] => entry.every(isValue));
    const sorted = canonicalMapOf(literals, problems);
    if (sorted === undefined || !complete) return undefined;
    return literals.length === entries.length ? { kind: 'map', entries: sorted } : mapTree(sorted, entries);
  }

  private entryKey(entry: MapEntry, type: Type & { kind: 'map' }, child: Child): Part | undefined {
    const { problems } = this;
    if (entry.name !== undefined) {
      const { name } = entry;
      return problems.insideJson([name], [name], () => textScalar('text', name, problems));
    }
    const index = entry.index ?? 0;
    if (entry.key === undefined || entry.parts === undefined) {
      return problems.insideJson([index], entry.at, () =>
        problems.report('value.bad_pair', 'a map entry is exactly [key, value]'),
      );
    }
    const start = problems.failures.length;
    const key = problems.insideJson([index], [...entry.at, entry.parts[0]], () => child(entry.key as Json, type.key));
    if (key === undefined) asBadKey(problems, start);
    return key;
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

/** One authored entry of a map: a member of an object (`name`), a pair, or, without key, something that is no pair. */
interface MapEntry {
  readonly name?: string | undefined;
  readonly key?: Json | undefined;
  readonly value?: Json | undefined;
  readonly index?: number;
  readonly at: readonly (string | number)[];
  /** Where key and value lie below `at`. */
  readonly parts?: readonly [key: string | number, value: string | number] | undefined;
}

/** Stands for the types of an untyped record's fields; nothing asks for it. */
const UNKNOWN: Type = { kind: 'unit' };

function isValue(part: Part): part is Value {
  return !(part instanceof Tree);
}

function treeOf(part: Part): Json {
  return part instanceof Tree ? part.json : literalToTree(part);
}

/**
 * A map with expressions in it: entries with literal keys in canonical order, then the others as authored. A key may
 * still come twice; whether its values agree is known when they are evaluated (`expressions.md` §6).
 */
function mapTree(literals: readonly (readonly [Value, Value])[], entries: readonly (readonly [Part, Part])[]): Tree {
  const mixed = entries.filter(([key, value]) => isValue(key) && !isValue(value)) as (readonly [Value, Tree])[];
  const known = [...literals, ...mixed].sort(([a], [b]) => compareCanonical(a, b));
  const open = entries.filter(([key]) => !isValue(key));
  const seen = new Set<string>();
  const body: Json[] = [];
  for (const [key, value] of [...known, ...open]) {
    const entry = mapEntry(treeOf(key), treeOf(value));
    const text = printJson(entry);
    if (!seen.has(text)) body.push(entry);
    seen.add(text);
  }
  return new Tree(tagged('map', body));
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

function isNumeric(json: Json): boolean {
  return typeof json === 'number' || typeof json === 'bigint' || typeof json === 'string' || json instanceof JsonFloat;
}
