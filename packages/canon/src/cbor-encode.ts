import { type CborValue, NESTING_LIMIT } from './cbor-value.ts';
import { compareBytes } from './order.ts';
import { utf8, writeUtf8 } from './utf8.ts';

/**
 * Canonical CBOR, writing side (`values.md` §5). Invariants:
 *
 * E1 One value has one byte string: shortest heads, definite lengths, map entries sorted by their encoded key.
 * E2 What has no canonical form (floats, lone surrogates, `undefined`, class instances) throws; nothing is dropped or
 *    rounded, except members of plain objects whose value is `undefined`, which count as absent.
 *
 * A world encodes every record it writes, so this is a hot path: one buffer that grows and is used again, and the key
 * order of a plain object is worked out once per sequence of keys (a record of one kind always comes with the same
 * one). Values are plain data; no code of theirs runs while they are written.
 */

const BUFFER_BYTES = 16 * 1024;
/** A buffer that one large value has stretched beyond this is given back. */
const BUFFER_KEPT_BYTES = 4 * 1024 * 1024;
const U64_MAX = 0xffff_ffff_ffff_ffffn;

let buffer = new Uint8Array(BUFFER_BYTES);
let at = 0;

/** Member values of the plain objects that are being written, of all levels. */
const members: (CborValue | undefined)[] = [];
let membersTop = 0;

/** `C(x)`: canonical bytes with the self-describe prefix `d9d9f7`. */
export function encode(value: CborValue): Uint8Array {
  begin();
  buffer[at++] = 0xd9;
  buffer[at++] = 0xd9;
  buffer[at++] = 0xf7;
  writeItem(value, 0);
  return take();
}

/** Canonical bytes of an item without prefix. */
export function encodeItem(value: CborValue): Uint8Array {
  begin();
  writeItem(value, 0);
  return take();
}

function begin(): void {
  at = 0;
  membersTop = 0;
}

function take(): Uint8Array {
  const bytes = new Uint8Array(at);
  bytes.set(buffer.subarray(0, at));
  if (buffer.length > BUFFER_KEPT_BYTES) buffer = new Uint8Array(BUFFER_BYTES);
  return bytes;
}

function reserve(bytes: number): void {
  if (at + bytes <= buffer.length) return;
  const wider = new Uint8Array(Math.max(buffer.length * 2, at + bytes));
  wider.set(buffer.subarray(0, at));
  buffer = wider;
}

/** `major` is the major type in its place, the upper three bits. */
function writeHead(major: number, argument: number): void {
  reserve(9);
  if (argument < 24) {
    buffer[at++] = major | argument;
  } else if (argument < 0x100) {
    buffer[at++] = major | 24;
    buffer[at++] = argument;
  } else if (argument < 0x1_0000) {
    buffer[at++] = major | 25;
    buffer[at++] = argument >> 8;
    buffer[at++] = argument;
  } else if (argument < 0x1_0000_0000) {
    buffer[at++] = major | 26;
    writeWord(argument);
  } else {
    buffer[at++] = major | 27;
    writeWord(Math.floor(argument / 0x1_0000_0000));
    writeWord(argument % 0x1_0000_0000);
  }
}

function writeWord(word: number): void {
  buffer[at++] = word >>> 24;
  buffer[at++] = word >>> 16;
  buffer[at++] = word >>> 8;
  buffer[at++] = word;
}

function writeItem(value: CborValue | undefined, nesting: number): void {
  switch (typeof value) {
    case 'string':
      return writeText(value);
    case 'number':
      if (!Number.isSafeInteger(value)) throw new TypeError(`canonical CBOR has no floats: ${value}`);
      return value >= 0 ? writeHead(0x00, value) : writeHead(0x20, -1 - value);
    case 'boolean':
      reserve(1);
      buffer[at++] = value ? 0xf5 : 0xf4;
      return;
    case 'bigint':
      return writeBigint(value);
    case 'object':
      if (value === null) {
        reserve(1);
        buffer[at++] = 0xf6;
        return;
      }
      if (value instanceof Uint8Array) return writeBytes(value);
      if (nesting >= NESTING_LIMIT) throw new TypeError(`value is cyclic or nested deeper than ${NESTING_LIMIT}`);
      if (Array.isArray(value)) {
        writeHead(0x80, value.length);
        // By index: a hole is an `undefined` and must fail like one.
        for (let i = 0; i < value.length; i++) writeItem(value[i], nesting + 1);
        return;
      }
      if (value instanceof Map) return writeMap(value, nesting + 1);
      return writeObject(value as { readonly [key: string]: CborValue | undefined }, nesting + 1);
    default:
      throw new TypeError(`canonical CBOR has no ${typeof value}`);
  }
}

function writeBigint(value: bigint): void {
  const major = value >= 0n ? 0x00 : 0x20;
  const argument = value >= 0n ? value : -1n - value;
  if (argument > U64_MAX) throw new TypeError(`integer outside -2^64 … 2^64-1: ${value}`);
  if (argument <= 0xffff_ffffn) return writeHead(major, Number(argument));
  reserve(9);
  buffer[at++] = major | 27;
  writeWord(Number(argument >> 32n));
  writeWord(Number(argument & 0xffff_ffffn));
}

function writeText(text: string): void {
  const units = text.length;
  reserve(9 + 3 * units);
  // Nearly all texts are ASCII: leave room for the head that fits this many bytes, and move the text if it was wrong.
  const start = at;
  const expected = headLength(units);
  const end = writeUtf8(text, buffer, start + expected);
  const length = end - start - expected;
  const actual = headLength(length);
  if (actual !== expected) buffer.copyWithin(start + actual, start + expected, end);
  writeHead(0x60, length);
  at = start + actual + length;
}

function headLength(argument: number): number {
  if (argument < 24) return 1;
  if (argument < 0x100) return 2;
  return argument < 0x1_0000 ? 3 : argument < 0x1_0000_0000 ? 5 : 9;
}

function writeBytes(bytes: Uint8Array): void {
  writeHead(0x40, bytes.length);
  writeRaw(bytes);
}

/** A typed array's `set` costs more than a loop over this many bytes. */
const LOOP_BYTES = 96;

function writeRaw(bytes: Uint8Array): void {
  const { length } = bytes;
  reserve(length);
  const target = buffer;
  const start = at;
  if (length > LOOP_BYTES) target.set(bytes, start);
  else for (let i = 0; i < length; i++) target[start + i] = bytes[i] as number;
  at = start + length;
}

// --- maps with any keys

function writeMap(map: ReadonlyMap<CborValue, CborValue>, nesting: number): void {
  writeHead(0xa0, map.size);
  const entries: { readonly key: Uint8Array; readonly value: CborValue }[] = [];
  for (const [key, value] of map) {
    // The key is written at the end of the buffer and taken back, so that it can be sorted.
    const start = at;
    writeItem(key, nesting);
    entries.push({ key: buffer.slice(start, at), value });
    at = start;
  }
  entries.sort((a, b) => compareBytes(a.key, b.key));
  let previous: Uint8Array | undefined;
  for (const { key, value } of entries) {
    if (previous !== undefined && compareBytes(previous, key) === 0) {
      throw new TypeError('map has two keys with the same encoding');
    }
    previous = key;
    writeRaw(key);
    writeItem(value, nesting);
  }
}

// --- plain objects

/**
 * A path of keys in the order in which objects list them. At its end stands how to write such an object.
 * Only a cache: forgetting it changes nothing but time.
 */
interface Shape {
  readonly parent: Shape | undefined;
  readonly key: string;
  /** The step taken last, because the next object is mostly of the same kind. */
  lastKey: string | undefined;
  lastShape: Shape | undefined;
  steps: Map<string, Shape> | undefined;
  order: KeyOrder | undefined;
}

interface KeyOrder {
  /** Encoded keys, ascending. */
  readonly keys: readonly Uint8Array[];
  /** For each of them, its place in the object's own order. */
  readonly places: readonly number[];
}

const SHAPES_MAX = 20_000;
/** Objects with more members than this are rather dictionaries: they are sorted each time. */
const SHAPE_MEMBERS_MAX = 40;
const SHAPE_KEY_UNITS_MAX = 64;

let shapes = emptyShape(undefined, '');
let shapesCount = 0;

function emptyShape(parent: Shape | undefined, key: string): Shape {
  return { parent, key, lastKey: undefined, lastShape: undefined, steps: undefined, order: undefined };
}

function stepTo(shape: Shape, key: string): Shape {
  shape.steps ??= new Map();
  let next = shape.steps.get(key);
  if (next === undefined) {
    next = emptyShape(shape, key);
    shape.steps.set(key, next);
    shapesCount++;
  }
  shape.lastKey = key;
  shape.lastShape = next;
  return next;
}

function writeObject(object: { readonly [key: string]: CborValue | undefined }, nesting: number): void {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    throw new TypeError('canonical CBOR takes plain objects, not class instances');
  }
  const keys = Object.keys(object);
  if (keys.length > SHAPE_MEMBERS_MAX) return writeDictionary(object, keys, nesting);

  const base = membersTop;
  let shape: Shape = shapes;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    const value = object[key];
    if (value === undefined) continue;
    if (key.length > SHAPE_KEY_UNITS_MAX) {
      membersTop = base;
      return writeDictionary(object, keys, nesting);
    }
    shape = shape.lastKey === key ? (shape.lastShape as Shape) : stepTo(shape, key);
    members[membersTop++] = value;
  }
  shape.order ??= orderOf(shape);
  const { keys: encoded, places } = shape.order;
  if (shapesCount > SHAPES_MAX) {
    shapes = emptyShape(undefined, '');
    shapesCount = 0;
  }

  writeHead(0xa0, encoded.length);
  for (let i = 0; i < encoded.length; i++) {
    writeRaw(encoded[i] as Uint8Array);
    const place = base + (places[i] as number);
    const value = members[place];
    members[place] = undefined; // keeps no payload alive
    writeItem(value, nesting);
  }
  membersTop = base;
}

function orderOf(shape: Shape): KeyOrder {
  const texts: string[] = [];
  for (let step = shape; step.parent !== undefined; step = step.parent) texts.push(step.key);
  texts.reverse();
  const entries = texts.map((text, place) => ({ key: encodeKey(text), place }));
  entries.sort((a, b) => compareBytes(a.key, b.key));
  return { keys: entries.map(({ key }) => key), places: entries.map(({ place }) => place) };
}

function writeDictionary(
  object: { readonly [key: string]: CborValue | undefined },
  keys: readonly string[],
  nesting: number,
): void {
  const entries: { readonly key: Uint8Array; readonly value: CborValue }[] = [];
  for (const text of keys) {
    const value = object[text];
    if (value !== undefined) entries.push({ key: encodeKey(text), value });
  }
  entries.sort((a, b) => compareBytes(a.key, b.key));
  writeHead(0xa0, entries.length);
  for (const { key, value } of entries) {
    writeRaw(key);
    writeItem(value, nesting);
  }
}

/** A text with its head, without touching what the buffer holds. */
function encodeKey(text: string): Uint8Array {
  const bytes = utf8(text);
  const start = at;
  writeHead(0x60, bytes.length);
  const head = buffer.slice(start, at);
  at = start;
  const key = new Uint8Array(head.length + bytes.length);
  key.set(head);
  key.set(bytes, head.length);
  return key;
}
