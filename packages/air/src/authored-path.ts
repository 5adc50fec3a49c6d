import type { Path } from '@worldline/canon';
import { isMapEntry, isTagBody } from './expr-parse.ts';
import { isJsonArray, isJsonObject, type Json, type JsonObject, member, memberNames, printJson } from './json.ts';
import { literalToTree, mapEntry } from './literal.ts';
import { type Part, Tree } from './literal-part.ts';
import { readPart } from './literal-read.ts';
import type { Type, TypeScope } from './type.ts';
import { tryResolveType } from './type-resolve.ts';
import type { Value } from './value.ts';
import { isExpressionForm } from './value-failure.ts';
import { canonicalSet, compareCanonical } from './value-order.ts';

/**
 * Where a place in the canonical form of a slot is in what the author wrote (`values.md` §3, `definitions.md` §5).
 *
 * A slot written in the tagged lens is kept as it stands, so both places are one. Sugar around expressions became a
 * tagged tree: fields lost the `record` above them, arms are members, sets and maps were sorted. The way down is taken
 * with the type, as the reader took it.
 */

/**
 * @param json - The slot as written.
 * @param type - The type it was read with; undefined when it had none.
 * @param path - In the canonical form of the slot.
 * @returns the place as written; of something that was not written (a field that is missing), the place around it.
 */
export function authoredPath(json: Json, type: Type | undefined, path: Path, scope: TypeScope): Path {
  const found: (string | number)[] = [];
  follow(json, type, path, scope, found);
  return found;
}

function follow(json: Json, type: Type | undefined, path: Path, scope: TypeScope, found: (string | number)[]): void {
  let part = json;
  let target = type;
  let rest = path;
  for (;;) {
    if (rest.length === 0) return;
    const resolved = resolveItem(target, scope);
    if (resolved === undefined || isExpressionForm(part) || isKept(part, resolved, scope)) {
      found.push(...written(part, rest));
      return;
    }
    const step = stepDown(part, resolved, rest, scope);
    if (step === undefined) return;
    found.push(...step.at);
    part = step.json;
    target = step.type;
    rest = step.rest;
  }
}

/** The path as far as it exists: nobody wrote what is missing. */
function written(json: Json, path: Path): Path {
  let part: Json | undefined = json;
  for (const [length, step] of path.entries()) {
    if (isJsonArray(part)) part = part[step as number];
    else if (isJsonObject(part)) part = member(part, String(step));
    else part = undefined;
    if (part === undefined) return path.slice(0, length);
  }
  return path;
}

/** The type of a part: refs and the option around it looked through. */
function resolveItem(type: Type | undefined, scope: TypeScope): Type | undefined {
  const target = type === undefined ? undefined : tryResolveType(type, scope);
  return target?.kind === 'option' ? tryResolveType(target.item, scope) : target;
}

/** Was the part read in the tagged lens, and so kept as it stands? Sugar never has that tree. */
function isKept(json: Json, type: Type, scope: TypeScope): boolean {
  if (!isJsonObject(json)) return false;
  const names = memberNames(json);
  if (names.length !== 1 || names[0] !== type.kind) return false;
  return remembered(kept, json, type, () => {
    const part = readPart(json, type, { scope, expressions: true });
    return part.ok && part.value instanceof Tree && printJson(sorted(part.value.json)) === printJson(sorted(json));
  });
}

/**
 * What was found out about a part of a node: a slot with a thousand findings is read once. The part itself is the key, and
 * nobody changes it.
 */
type Memory<T> = WeakMap<object, { readonly type: Type; readonly answer: T }>;

const kept: Memory<boolean> = new WeakMap();
const setOrders: Memory<readonly number[]> = new WeakMap();
const mapOrders: Memory<readonly EntryPlace[]> = new WeakMap();

function remembered<T>(memory: Memory<T>, json: Json, type: Type, answer: () => T): T {
  const before = memory.get(json as object);
  if (before !== undefined && before.type === type) return before.answer;
  const made = answer();
  memory.set(json as object, { type, answer: made });
  return made;
}

/** Members in one order, comments dropped: what makes two spellings one tree. */
function sorted(json: Json): Json {
  if (isJsonArray(json)) return json.map(sorted);
  if (!isJsonObject(json)) return typeof json === 'bigint' ? json.toString() : json;
  const copy: Record<string, Json> = Object.create(null) as Record<string, Json>;
  for (const name of memberNames(json).sort()) copy[name] = sorted(json[name] as Json);
  return copy;
}

interface StepDown {
  readonly at: Path;
  readonly json: Json;
  readonly type: Type;
  readonly rest: Path;
}

/** One level of sugar. Undefined when the place is not below anything that was written. */
function stepDown(json: Json, type: Type, path: Path, scope: TypeScope): StepDown | undefined {
  const [form, second, ...rest] = path;
  if (form !== type.kind) return undefined;
  switch (type.kind) {
    case 'record': {
      const field = type.fields.get(String(second));
      const part = isJsonObject(json) ? member(json, String(second)) : undefined;
      return field === undefined || part === undefined
        ? undefined
        : { at: [String(second)], json: part, type: field, rest };
    }
    case 'variant':
      return isJsonObject(json) && second === 'value' ? payloadOf(json, type.arms, rest) : undefined;
    case 'list': {
      const part = isJsonArray(json) ? json[second as number] : undefined;
      return part === undefined ? undefined : { at: [second as number], json: part, type: type.item, rest };
    }
    case 'set': {
      if (!isJsonArray(json)) return undefined;
      const order = remembered(setOrders, json, type, () => setOrder(json, type.item, scope));
      const index = order[second as number];
      return index === undefined ? undefined : { at: [index], json: json[index] as Json, type: type.item, rest };
    }
    case 'map': {
      if (!isJsonArray(json) && !isJsonObject(json)) return undefined;
      const order = remembered(mapOrders, json, type, () => mapOrder(json, type, scope));
      const entry = order[second as number];
      const [side, ...inner] = rest;
      if (entry === undefined || (side !== 'key' && side !== 'value')) return undefined;
      return side === 'key'
        ? { ...entry.key, type: type.key, rest: inner }
        : { ...entry.value, type: type.value, rest: inner };
    }
    default:
      return undefined;
  }
}

/** `{"Arm": payload}`, `{"$tag": …, "$value": …}`, or a body with `tag` and `value`. */
function payloadOf(json: JsonObject, arms: ReadonlyMap<string, Type>, rest: Path): StepDown | undefined {
  const spelled: readonly (readonly [Json | undefined, string])[] = [
    [member(json, '$tag'), '$value'],
    [isTagBody(json) ? member(json, 'tag') : undefined, 'value'],
  ];
  for (const [tag, key] of spelled) {
    const arm = typeof tag === 'string' ? arms.get(tag) : undefined;
    const part = member(json, key);
    if (arm !== undefined && part !== undefined) return { at: [key], json: part, type: arm, rest };
  }
  const only = memberNames(json)[0];
  const arm = only === undefined ? undefined : arms.get(only);
  return only === undefined || arm === undefined
    ? undefined
    : { at: [only], json: json[only] as Json, type: arm, rest };
}

function partOf(json: Json, type: Type, scope: TypeScope): Part | undefined {
  const read = readPart(json, type, { scope, expressions: true });
  return read.ok ? read.value : undefined;
}

type Known = { readonly part: Value; readonly index: number };

/** Authored index by canonical index: literals sorted and each once, then expressions as written. */
function setOrder(items: readonly Json[], type: Type, scope: TypeScope): readonly number[] {
  const parts = items.map((item) => partOf(item, type, scope));
  const literals = parts.flatMap((part, index) =>
    part === undefined || part instanceof Tree ? [] : [{ part, index }],
  );
  const values = canonicalSet(literals.map(({ part }) => part));
  // A literal that was written twice is shown where it stands first.
  const written = [...literals].sort((a, b) => compareCanonical(a.part, b.part) || a.index - b.index);
  let next = 0;
  const indexOf = (value: Value): number => {
    while (next < written.length - 1 && compareCanonical((written[next] as Known).part, value) < 0) next += 1;
    return (written[next] as Known).index;
  };
  return [...values.map(indexOf), ...parts.flatMap((part, index) => (part instanceof Tree ? [index] : []))];
}

interface Spelled {
  readonly at: Path;
  readonly json: Json;
}

interface EntryPlace {
  readonly key: Spelled;
  readonly value: Spelled;
}

/** Entries in canonical order: keys that are known sorted, then the others as written; equal entries once. */
function mapOrder(json: Json, type: Type & { kind: 'map' }, scope: TypeScope): readonly EntryPlace[] {
  const entries = entryPlaces(json).map((place) => {
    const key = place.isName
      ? ({ kind: 'text', value: String(place.key.json) } as const)
      : partOf(place.key.json, type.key, scope);
    return { place, key, value: partOf(place.value.json, type.value, scope) };
  });
  type Known = { place: EntryPlace; key: Value; value: Part | undefined };
  const isKnown = (entry: (typeof entries)[number]): entry is Known =>
    entry.key !== undefined && !(entry.key instanceof Tree);
  // Literal entries come first where keys are equal, as the reader has them.
  const literals = entries.filter((entry): entry is Known => isKnown(entry) && !(entry.value instanceof Tree));
  const mixed = entries.filter((entry): entry is Known => isKnown(entry) && entry.value instanceof Tree);
  const known = [...literals, ...mixed].sort((a, b) => compareCanonical(a.key, b.key));
  const open = entries.filter((entry) => !isKnown(entry));
  const seen = new Set<string>();
  const order: EntryPlace[] = [];
  for (const { place, key, value } of [...known, ...open]) {
    const text = printJson(mapEntry(treeOf(key), treeOf(value)));
    if (!seen.has(text)) order.push(place);
    seen.add(text);
  }
  return order;
}

function treeOf(part: Part | undefined): Json {
  return part === undefined ? null : part instanceof Tree ? part.json : literalToTree(part);
}

function entryPlaces(json: Json): readonly (EntryPlace & { readonly isName?: boolean })[] {
  if (isJsonArray(json)) {
    return json.flatMap((pair, index) => {
      if (isMapEntry(pair)) {
        return [
          {
            key: { at: [index, 'key'], json: pair['key'] as Json },
            value: { at: [index, 'value'], json: pair['value'] as Json },
          },
        ];
      }
      if (!isJsonArray(pair) || pair.length !== 2) return [];
      return [{ key: { at: [index, 0], json: pair[0] as Json }, value: { at: [index, 1], json: pair[1] as Json } }];
    });
  }
  if (!isJsonObject(json)) return [];
  return Object.keys(json).map((name) => ({
    key: { at: [name], json: name },
    value: { at: [name], json: json[name] as Json },
    isName: true,
  }));
}
