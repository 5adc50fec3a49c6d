import type { Json, JsonObject } from './json.ts';
import { isValue, listPart, mapTree, type Part, recordPart, setPart, Tree, variantTree } from './literal-part.ts';
import type { Type, TypeScope } from './type.ts';
import { orderedMembers, tryResolveType } from './type-resolve.ts';
import { NULL, type Value } from './value.ts';
import {
  asBadKey,
  canonicalMapOf,
  isUnitOrOption,
  mayBeAbsent,
  reportMissingPayload,
  reportUnexpectedPayload,
  reportUnknownTag,
  variantValue,
} from './value-cbor.ts';
import { isExpressionForm, jsonKind, type Problems, typeName } from './value-failure.ts';
import { keyName } from './value-order.ts';
import { textScalar } from './value-scalar.ts';

/** How children of a composite are read: in sugar by the whole algorithm, in a tagged literal strictly. */
export type Child = (json: Json, type: Type) => Part | undefined;

/** One authored entry of a map: a member of an object (`name`), a pair, or, without key, something that is no pair. */
export interface MapEntry {
  readonly name?: string | undefined;
  readonly key?: Json | undefined;
  readonly value?: Json | undefined;
  readonly index?: number;
  readonly at: readonly (string | number)[];
  /** Where key and value lie below `at`. */
  readonly parts?: readonly [key: string | number, value: string | number] | undefined;
}

/**
 * Composites of a known type, in either JSON lens (`values.md` §3): which members there may and must be, and what they make
 * together. The lens has found them, and reads each.
 */
export class CompositeReader {
  private readonly problems: Problems;
  private readonly scope: TypeScope;
  private readonly expressions: boolean;

  constructor(problems: Problems, options: { readonly scope: TypeScope; readonly expressions: boolean }) {
    this.problems = problems;
    this.scope = options.scope;
    this.expressions = options.expressions;
  }

  /**
   * @param names - The members of `json` that are fields.
   * @param at - Where `json` lies below the record, as it is spelled.
   */
  record(
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
    return recordPart(ordered.map(([name]) => [name, parts.get(name) as Part]));
  }

  /** @param at - Where `payload` lies below the variant, as it is spelled. */
  variant(
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
      return part instanceof Tree ? variantTree(tag, part) : variantValue(tag, part, arm, scope);
    });
  }

  /** @param at - Where `json` lies below the list or set, as it is spelled. */
  items(
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
    return type.kind === 'list' ? listPart(parts) : setPart(parts);
  }

  entries(given: readonly MapEntry[], type: Type & { kind: 'map' }, child: Child): Part | undefined {
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
}
