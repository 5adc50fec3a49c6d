import {
  isJsonArray,
  isJsonObject,
  type Json,
  orderedMembers,
  resolveType,
  type Type,
  type TypeScope,
} from '@worldline/air';
import { hashText, sha256, toHex, utf8 } from '@worldline/canon';
import type { Dice } from '../seeded.ts';

/**
 * Values with places to fill, so that one description makes the values of a thousand requests and each can be told from
 * the others: `${id}` the request's id, `${n}` its number, `${hash}` and `${uuid}` made from it, `${now}` and `${now+60s}`
 * logical time in ns.
 */

/** When worlds under test begin, in ns. Integers from here on are times, and no part of an outcome. */
export const ORIGIN_NS = 1_700_000_000_000_000_000n;

export function hashOfId(id: string): string {
  return hashText(sha256(utf8(id)));
}

export function uuidOfId(id: string): string {
  const hex = toHex(sha256(utf8(id)));
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Ids of requests under test, all of one length, so that none is the beginning of another. */
export const ID_PATTERN = /gate-[0-9]{6}/g;
export function idOf(n: number): string {
  return `gate-${String(n).padStart(6, '0')}`;
}

/** A text without what differs between requests that went the same way: their ids and the times. */
export function generic(text: string, id: string): string {
  return text
    .replaceAll(id, '<id>')
    .replaceAll(hashOfId(id), '<hash>')
    .replaceAll(uuidOfId(id), '<uuid>')
    .replace(/\b1[78][0-9]{17}\b/g, '<time>');
}

function numberOfId(id: string): string {
  return String(Number(/[0-9]+/.exec(id)?.[0] ?? '0'));
}

const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const NOW = /\$\{now(?:\+([0-9]{1,12})(ns|ms|s|m|h))?\}/g;

export function fill(template: Json, id: string): Json {
  if (typeof template === 'string') {
    return template
      .replaceAll('${id}', id)
      .replaceAll('${hash}', hashOfId(id))
      .replaceAll('${uuid}', uuidOfId(id))
      .replaceAll('${n}', numberOfId(id))
      .replace(NOW, (_, n: string | undefined, unit: string) =>
        (ORIGIN_NS + (n === undefined ? 0n : BigInt(n) * (UNITS[unit] as bigint))).toString(),
      );
  }
  if (isJsonArray(template)) return template.map((item) => fill(item, id));
  if (isJsonObject(template)) {
    return Object.fromEntries(
      Object.entries(template).map(([name, value]) => [fill(name, id) as string, fill(value as Json, id)]),
    ) as Json;
  }
  return template;
}

/** One place of a template that holds a text. */
export interface TextPlace {
  readonly path: readonly (string | number)[];
  readonly text: string;
}

export function textPlaces(template: Json, path: readonly (string | number)[] = []): TextPlace[] {
  if (typeof template === 'string') return [{ path, text: template }];
  if (isJsonArray(template)) return template.flatMap((item, i) => textPlaces(item, [...path, i]));
  if (isJsonObject(template))
    return Object.entries(template).flatMap(([name, value]) => textPlaces(value as Json, [...path, name]));
  return [];
}

/** The same template with something else at a path; members on the way that are not there are made. */
export function replaced(template: Json, path: readonly (string | number)[], value: Json): Json {
  const [first, ...rest] = path;
  if (first === undefined) return value;
  if (isJsonArray(template)) return template.map((item, i) => (i === first ? replaced(item, rest, value) : item));
  const object = isJsonObject(template) ? template : {};
  return { ...object, [first]: replaced((object as Record<string, Json>)[first] ?? null, rest, value) } as Json;
}

const LIST_LENGTH = 3;
/** Deep enough for anything that people write; types do not recurse. */
const DEPTH_MAX = 24;

/**
 * A template of a type: everything that can carry the request's id does.
 *
 * @param dice - chooses arms of variants; without it the first arm.
 */
export function templateOf(type: Type, scope: TypeScope, dice?: Dice, name = 'value', depth = 0): Json {
  const target = resolveType(type, scope);
  const inner = (part: Type, its: string): Json => templateOf(part, scope, dice, its, depth + 1);
  if (depth > DEPTH_MAX) return null;
  switch (target.kind) {
    case 'bool':
      return true;
    case 'int':
    case 'nat':
    case 'time':
    case 'duration':
      return integerFor(name, target.kind);
    case 'dec128':
      return '1.5';
    case 'bytes':
      return 'AQID';
    case 'text':
      return textFor(name);
    case 'hash':
      return '${hash}';
    case 'uuid':
      return '${uuid}';
    case 'unit':
      return null;
    case 'option':
      return inner(target.item, name);
    case 'list':
      return Array.from({ length: LIST_LENGTH }, (_, i) => numbered(inner(target.item, name), i + 1));
    case 'set':
      return [inner(target.item, name)];
    case 'map':
      return resolveType(target.key, scope).kind === 'text' ? {} : [];
    case 'record':
      return Object.fromEntries(orderedMembers(target.fields).map(([field, of]) => [field, inner(of, field)])) as Json;
    case 'variant': {
      const arms = [...target.arms];
      const [tag, arm] = dice === undefined ? (arms[0] as (typeof arms)[number]) : dice.pick(arms);
      return { $tag: tag, $value: inner(arm, tag) };
    }
    default:
      throw new Error(`a ${target.kind} has no template`);
  }
}

/** Fields whose name says what they are; ten minutes are long enough that nothing is due before it should be. */
function integerFor(name: string, kind: 'int' | 'nat' | 'time' | 'duration'): Json {
  if (kind === 'duration') return 60_000_000_000;
  if (/(?:^|_)(?:deadline|due|deliver_at|expires?|until|before|by|at)(?:_at)?_ns$/.test(name) || kind === 'time')
    return '${now+10m}';
  if (name.endsWith('_ns')) return 600_000_000_000;
  if (name === 'status') return 200;
  return 1;
}

function textFor(name: string): Json {
  if (name === 'method') return 'GET';
  return `${name}-\${id}`;
}

/** Items of one list differ, so that what is made of each can be told apart. */
function numbered(item: Json, n: number): Json {
  if (typeof item === 'string') return item.includes('${id}') ? item.replace('${id}', `\${id}/${n}`) : item;
  if (isJsonArray(item)) return item.map((part) => numbered(part, n));
  if (!isJsonObject(item)) return item;
  return Object.fromEntries(Object.entries(item).map(([name, part]) => [name, numbered(part as Json, n)])) as Json;
}
