import { compareCanonicalKeys, fail, ok, type Result } from '@worldline/canon';
import { isConstantTag, isTagBody, readConstant } from './expr-parse.ts';
import { type Json, type JsonObject, memberNames } from './json.ts';
import { ShapeReader } from './literal-shape.ts';
import { isMapKeyKind, isSetItemKind } from './type-parse.ts';
import { NULL, type Value } from './value.ts';
import { canonicalMapOf } from './value-cbor.ts';
import { Problems, type ValueFailure } from './value-failure.ts';
import { canonicalSet } from './value-order.ts';

/** The value of a tagged literal whose type is not known, or undefined when `json` is not wholly one. */
export function readUntypedLiteral(json: Json): Result<Value, readonly ValueFailure[]> | undefined {
  // Whatever holds an expression is no literal, well-formed or not.
  const problems = new Problems({ json: true });
  if (new ShapeReader(problems, { expressions: true, parses: false }).shape(json, 0) !== 'literal') return undefined;
  const value = untypedValue(json, problems);
  const { failures } = problems;
  return value === undefined || failures.length > 0 ? fail(failures) : ok(value);
}

/** The value of a tagged literal by its tags alone; `json` is known to have the shape of one. */
export function untypedValue(json: Json, problems: Problems): Value | undefined {
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
          const value = untypedValue(child, problems);
          return value && tag === 'set' && !isSetItemKind(value.kind) ? problems.mismatch('scalar', value.kind) : value;
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
          const value = untypedValue(entry['key'] as Json, problems);
          return value && !isMapKeyKind(value.kind)
            ? problems.report('value.bad_map_key', `${value.kind} cannot be a map key`, { got: value.kind })
            : value;
        });
        const value = problems.insideJson([index], [tag, index, 'value'], () =>
          untypedValue(entry['value'] as Json, problems),
        );
        if (key && value) entries.push([key, value]);
      }
      const sorted = canonicalMapOf(entries, problems);
      return sorted && entries.length === (body as readonly Json[]).length
        ? { kind: 'map', entries: sorted }
        : undefined;
    }
    case 'record': {
      const names = memberNames(body as JsonObject);
      const fields: (readonly [string, Value])[] = [];
      for (const name of names) {
        const inner = (body as JsonObject)[name] as Json;
        const field = problems.insideJson([name], [tag, name], () => untypedValue(inner, problems));
        if (field) fields.push([name, field]);
      }
      if (fields.length !== names.length) return undefined;
      return { kind: 'record', fields: new Map(fields.sort(([a], [b]) => compareCanonicalKeys(a, b))) };
    }
    case 'variant': {
      const variant = body as JsonObject;
      const arm = variant['tag'] as string;
      if (!Object.hasOwn(variant, 'value')) return { kind: 'variant', tag: arm, value: NULL };
      const at = bare ? ['value'] : [tag, 'value'];
      const value = problems.insideJson(['$value'], at, () => untypedValue(variant['value'] as Json, problems));
      if (value === undefined) return undefined;
      return value.kind === 'null'
        ? { kind: 'variant', tag: arm, value, none: true }
        : { kind: 'variant', tag: arm, value };
    }
    default:
      return isConstantTag(tag) ? problems.insideJson([], [tag], () => readConstant(tag, body, problems)) : undefined;
  }
}
