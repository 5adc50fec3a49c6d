import { isTextual, valuesEqual } from './compare.ts';
import { evaluatePath } from './evaluate.ts';
import type { Type, TypeScope } from './type.ts';
import { orderedMembers, tryResolveType } from './type-resolve.ts';
import { NULL, type Value } from './value.ts';
import { conform } from './value-conform.ts';

/**
 * What is known of a value before anything runs: a set of values, described as closely as the definitions allow.
 *
 * N1 Sound: every operation here gives a set that holds each value that the same operation gives on members of the sets
 *    it was given. An operation that fails gives no value, so it may give any set.
 * N2 Bounded: a description has at most `KNOWN_SIZE_MAX` parts; what would have more is `any`.
 */
export type Known =
  /** Anything; `from` tells where it comes from: `@plan.input.url`. */
  | { readonly is: 'any'; readonly from: string }
  | { readonly is: 'value'; readonly value: Value }
  /** A text that holds `parts` in this order, the first at its beginning, the last at its end; holes between them. */
  | { readonly is: 'text'; readonly parts: readonly string[]; readonly holes: readonly string[] }
  /** Exactly these fields. */
  | { readonly is: 'record'; readonly fields: ReadonlyMap<string, Known>; readonly size: number }
  | { readonly is: 'variant'; readonly tag: string; readonly value: Known; readonly size: number }
  /** A list, set or map whose items (values of a map) are each one of these; how many there are is not known. */
  | { readonly is: 'each'; readonly items: readonly Known[]; readonly size: number }
  /** Never nested, never empty. */
  | { readonly is: 'oneOf'; readonly options: readonly Known[]; readonly size: number };

/** Parts of one description. */
export const KNOWN_SIZE_MAX = 2048;
/** Alternatives that are told apart; a value with more of them is `any`. */
export const ALTERNATIVES_MAX = 16;
/** Characters of constant text that a pattern keeps. */
const PATTERN_LENGTH_MAX = 4096;
const PATTERN_HOLES_MAX = 64;

const LABEL_MAX = 120;

export function anyFrom(from: string): Known {
  return { is: 'any', from: from.length > LABEL_MAX ? '…' : from };
}

export function exactly(value: Value): Known {
  return { is: 'value', value };
}

export const NONE_KNOWN: Known = exactly(NULL);

function sizeOf(known: Known): number {
  return 'size' in known ? known.size : 1;
}

function sizeOfAll(items: Iterable<Known>): number {
  let size = 1;
  for (const item of items) size += sizeOf(item);
  return size;
}

export function knownRecord(fields: ReadonlyMap<string, Known>): Known {
  const size = sizeOfAll(fields.values());
  return size > KNOWN_SIZE_MAX ? anyFrom('…') : { is: 'record', fields, size };
}

export function knownVariant(tag: string, value: Known): Known {
  const size = 1 + sizeOf(value);
  return size > KNOWN_SIZE_MAX ? anyFrom('…') : { is: 'variant', tag, value, size };
}

export function knownEach(items: readonly Known[]): Known {
  const size = sizeOfAll(items);
  return size > KNOWN_SIZE_MAX ? anyFrom('…') : { is: 'each', items, size };
}

/** The alternatives of a description; itself when it is one. */
export function alternatives(known: Known): readonly Known[] {
  return known.is === 'oneOf' ? known.options : [known];
}

/** The set of all their members. At least one must be given. */
export function union(items: readonly Known[]): Known {
  const options: Known[] = [];
  for (const option of items.flatMap(alternatives)) {
    if (option.is === 'any') return option;
    if (!options.some((other) => sameKnown(other, option))) options.push(option);
  }
  if (options.length === 1) return options[0] as Known;
  const size = sizeOfAll(options);
  if (options.length > ALTERNATIVES_MAX || size > KNOWN_SIZE_MAX) return anyFrom('…');
  return { is: 'oneOf', options, size };
}

/** Only for dropping repetitions: two descriptions of one set may count as different. */
function sameKnown(a: Known, b: Known): boolean {
  return (
    a === b || (a.is === 'value' && b.is === 'value' && a.value.kind === b.value.kind && valuesEqual(a.value, b.value))
  );
}

/** Two texts one after the other. What is not known to be a text is a hole: joining anything else fails. */
export function joined(a: Known, b: Known): Known {
  const left = textPattern(a);
  const right = textPattern(b);
  const seam = (left.parts.at(-1) ?? '') + (right.parts[0] ?? '');
  const parts = [...left.parts.slice(0, -1), seam, ...right.parts.slice(1)];
  const holes = [...left.holes, ...right.holes];
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  if (length > PATTERN_LENGTH_MAX || holes.length > PATTERN_HOLES_MAX)
    return { is: 'text', parts: ['', ''], holes: ['…'] };
  return { is: 'text', parts, holes };
}

export interface TextPattern {
  /** One more than there are holes. */
  readonly parts: readonly string[];
  /** What fills each hole: `@plan.input.id`. */
  readonly holes: readonly string[];
}

/** A pattern as people read it: `https://api.example/{@plan.input.id}`. */
export function patternText({ parts, holes }: TextPattern): string {
  return parts.map((part, i) => (i === 0 ? part : `{${holes[i - 1]}}${part}`)).join('');
}

/** A description of one alternative as a text pattern. */
export function textPattern(known: Known): TextPattern {
  if (known.is === 'text') return known;
  if (known.is === 'value' && isTextual(known.value)) return { parts: [known.value.value], holes: [] };
  return { parts: ['', ''], holes: [known.is === 'any' ? known.from : '…'] };
}

/** Is it a text of the pattern? Every part is taken at its first place, which leaves the most for those after it. */
export function matchesPattern(text: string, { parts }: TextPattern): boolean {
  const first = parts[0] as string;
  if (parts.length === 1) return text === first;
  const last = parts.at(-1) as string;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

/** One path step (`expressions.md` §3.1). `from` names the whole reference, for what is not known. */
export function knownMember(known: Known, segment: string, from: string): Known {
  switch (known.is) {
    case 'any':
      return anyFrom(known.from === '…' ? from : `${known.from}.${segment}`);
    case 'value': {
      const reached = evaluatePath(known.value, [segment]);
      return reached.ok ? exactly(reached.value) : anyFrom(from);
    }
    case 'record':
      return known.fields.get(segment) ?? anyFrom(from);
    case 'variant':
      if (segment === '$tag') return exactly({ kind: 'text', value: known.tag });
      return segment === '$value' ? known.value : anyFrom(from);
    case 'oneOf':
      return union(known.options.map((option) => knownMember(option, segment, from)));
    case 'text':
    case 'each':
      return anyFrom(from);
    default:
      return known satisfies never;
  }
}

/** What `conform` makes of the members that fit `type`. */
export function conformKnown(known: Known, type: Type, scope: TypeScope): Known {
  if (known.is === 'any') return known;
  if (known.is === 'value') {
    const fitted = conform(known.value, type, scope);
    return fitted.ok ? exactly(fitted.value) : anyFrom('…');
  }
  if (known.is === 'oneOf') return union(known.options.map((option) => conformKnown(option, type, scope)));
  const target = withoutOptions(type, scope);
  if (target === undefined) return anyFrom('…');
  switch (known.is) {
    case 'text':
      return target.kind === 'text' ? known : anyFrom(known.holes.join(', '));
    case 'record':
      return conformFields(known.fields, target, scope);
    case 'variant': {
      const arm = target.kind === 'variant' ? target.arms.get(known.tag) : undefined;
      return arm === undefined ? anyFrom('…') : knownVariant(known.tag, conformKnown(known.value, arm, scope));
    }
    case 'each': {
      if (target.kind !== 'list' && target.kind !== 'set' && target.kind !== 'map') return anyFrom('…');
      const item = target.kind === 'map' ? target.value : target.item;
      return knownEach(known.items.map((each) => conformKnown(each, item, scope)));
    }
    default:
      return known satisfies never;
  }
}

function conformFields(fields: ReadonlyMap<string, Known>, target: Type, scope: TypeScope): Known {
  // A record whose fields are texts reads as a map as well (`values.md` §6).
  if (target.kind === 'map') {
    return knownEach([...fields.values()].map((field) => conformKnown(field, target.value, scope)));
  }
  if (target.kind !== 'record') return anyFrom('…');
  const fitted = new Map<string, Known>();
  for (const [name, type] of orderedMembers(target.fields)) {
    const field = fields.get(name);
    fitted.set(name, field === undefined ? NONE_KNOWN : conformKnown(field, type, scope));
  }
  return knownRecord(fitted);
}

function withoutOptions(type: Type, scope: TypeScope): Type | undefined {
  let resolved = tryResolveType(type, scope);
  while (resolved?.kind === 'option') resolved = tryResolveType(resolved.item, scope);
  return resolved;
}

/** Is the value a member? */
export function admitsValue(known: Known, value: Value): boolean {
  switch (known.is) {
    case 'any':
      return true;
    case 'value':
      return valuesEqual(known.value, value);
    case 'text':
      return isTextual(value) && matchesPattern(value.value, known);
    case 'record':
      if (value.kind !== 'record' || value.fields.size !== known.fields.size) return false;
      return [...known.fields].every(([name, field]) => {
        const member = value.fields.get(name);
        return member !== undefined && admitsValue(field, member);
      });
    case 'variant':
      return value.kind === 'variant' && value.tag === known.tag && admitsValue(known.value, value.value);
    case 'each': {
      const admitsItem = (item: Value) => known.items.some((option) => admitsValue(option, item));
      if (value.kind === 'map') return value.entries.every(([, item]) => admitsItem(item));
      return (value.kind === 'list' || value.kind === 'set') && value.items.every(admitsItem);
    }
    case 'oneOf':
      return known.options.some((option) => admitsValue(option, value));
    default:
      return known satisfies never;
  }
}

/** The one member, when there is only one and it is known. */
export function constantOf(known: Known): Value | undefined {
  if (known.is === 'value') return known.value;
  if (known.is === 'record') {
    const fields = new Map<string, Value>();
    for (const [name, field] of known.fields) {
      const value = constantOf(field);
      if (value === undefined) return undefined;
      fields.set(name, value);
    }
    return { kind: 'record', fields };
  }
  if (known.is === 'variant') {
    const value = constantOf(known.value);
    return value === undefined ? undefined : { kind: 'variant', tag: known.tag, value };
  }
  return undefined;
}
