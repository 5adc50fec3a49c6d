import { type CborValue, NESTING_LIMIT } from './cbor-value.ts';
import { compareBytes } from './order.ts';
import { utf8, writeUtf8 } from './utf8.ts';

/**
 * Canonical CBOR, writing side (`values.md` §5): a buffer that grows and is used again, and what can be put into it.
 * `encode` (`cbor-encode.ts`) writes whole values with it. Who knows the shape of what is written, a record of one kind,
 * puts heads, keys and members one by one and saves looking at them; then the order of keys is the caller's to keep.
 *
 * E1 One value has one byte string: shortest heads, definite lengths, map entries sorted by their encoded key.
 * E2 What has no canonical form (floats, lone surrogates, `undefined`, class instances) throws; nothing is dropped or
 *    rounded, except members of plain objects whose value is `undefined`, which count as absent.
 *
 * A world encodes every record it writes, so this is a hot path: the key order of a plain object is worked out once per
 * sequence of keys (a record of one kind always comes with the same one). Values are plain data; no code of theirs runs
 * while they are written.
 */

const BUFFER_BYTES = 16 * 1024;
/** A buffer that one large value has stretched beyond this is given back. */
const BUFFER_KEPT_BYTES = 4 * 1024 * 1024;
const U64_MAX = 0xffff_ffff_ffff_ffffn;

export class CborWriter {
  #buffer = new Uint8Array(BUFFER_BYTES);
  #view = new DataView(this.#buffer.buffer);
  #at = 0;

  /** Bytes written. */
  get length(): number {
    return this.#at;
  }

  /** Begins anew. */
  clear(): void {
    this.#at = 0;
    if (this.#buffer.length > BUFFER_KEPT_BYTES) this.#use(new Uint8Array(BUFFER_BYTES));
  }

  /** What was written, as a copy. */
  take(): Uint8Array {
    const bytes = new Uint8Array(this.#at);
    this.copyTo(bytes, 0);
    return bytes;
  }

  /** What was written, as a view that lasts until the next call of the writer. */
  peek(): Uint8Array {
    return this.#buffer.subarray(0, this.#at);
  }

  /** Puts what was written into `target` from `start`, where there is room for it. */
  copyTo(target: Uint8Array, start: number): void {
    const length = this.#at;
    const buffer = this.#buffer;
    if (length > LOOP_BYTES) target.set(buffer.subarray(0, length), start);
    else for (let i = 0; i < length; i++) target[start + i] = buffer[i] as number;
  }

  /** The self-describe prefix `d9d9f7` that begins a document. */
  prefix(): void {
    this.#reserve(3);
    const buffer = this.#buffer;
    buffer[this.#at++] = 0xd9;
    buffer[this.#at++] = 0xd9;
    buffer[this.#at++] = 0xf7;
  }

  /** A map of so many entries follows: keys and values in turn, ascending by encoded key. */
  map(entries: number): void {
    this.#head(0xa0, entries);
  }

  array(items: number): void {
    this.#head(0x80, items);
  }

  text(text: string): void {
    const units = text.length;
    this.#reserve(9 + 3 * units);
    // Nearly all texts are ASCII: leave room for the head that fits this many bytes, and move the text if it was wrong.
    const buffer = this.#buffer;
    const start = this.#at;
    const expected = headLength(units);
    const end = writeUtf8(text, buffer, start + expected);
    const length = end - start - expected;
    const actual = headLength(length);
    if (actual !== expected) buffer.copyWithin(start + actual, start + expected, end);
    this.#head(0x60, length);
    this.#at = start + actual + length;
  }

  bytes(bytes: Uint8Array): void {
    this.#head(0x40, bytes.length);
    this.raw(bytes);
  }

  /** Bytes that are encoded already. */
  raw(bytes: Uint8Array): void {
    const { length } = bytes;
    this.#reserve(length);
    const buffer = this.#buffer;
    const start = this.#at;
    if (length > LOOP_BYTES) buffer.set(bytes, start);
    else for (let i = 0; i < length; i++) buffer[start + i] = bytes[i] as number;
    this.#at = start + length;
  }

  /** A number must be a safe integer, a bigint within −2^64 … 2^64−1. */
  integer(value: number | bigint): void {
    if (typeof value === 'bigint') return this.#bigint(value);
    if (!Number.isSafeInteger(value)) throw new TypeError(`canonical CBOR has no floats: ${value}`);
    if (value >= 0) this.#head(0x00, value);
    else this.#head(0x20, -1 - value);
  }

  simple(value: boolean | null): void {
    this.#reserve(1);
    this.#buffer[this.#at++] = value === null ? 0xf6 : value ? 0xf5 : 0xf4;
  }

  /**
   * A byte string follows whose length is not known yet; `closeBytes` writes its head.
   *
   * @param expected - Bytes it may have: right or wrong costs time only.
   * @returns what `closeBytes` needs.
   */
  openBytes(expected: number): number {
    const start = this.#at;
    this.#reserve(9);
    this.#at = start + headLength(expected);
    return start * 16 + headLength(expected);
  }

  closeBytes(opened: number): void {
    const start = Math.floor(opened / 16);
    const from = start + (opened % 16);
    const end = this.#at;
    const length = end - from;
    const head = headLength(length);
    if (start + head !== from) {
      this.#reserve(9);
      this.#buffer.copyWithin(start + head, from, end);
    }
    this.#at = start;
    this.#head(0x40, length);
    this.#at = start + head + length;
  }

  /** Any value. */
  item(value: CborValue | undefined): void {
    membersTop = 0;
    this.#item(value, 0);
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const wider = new Uint8Array(Math.max(this.#buffer.length * 2, this.#at + bytes));
    wider.set(this.#buffer.subarray(0, this.#at));
    this.#use(wider);
  }

  #use(buffer: Uint8Array<ArrayBuffer>): void {
    this.#buffer = buffer;
    this.#view = new DataView(buffer.buffer);
  }

  /** `major` is the major type in its place, the upper three bits. */
  #head(major: number, argument: number): void {
    this.#reserve(9);
    const buffer = this.#buffer;
    let at = this.#at;
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
      at = putWord(buffer, at, argument);
    } else {
      buffer[at++] = major | 27;
      at = putWord(buffer, at, Math.floor(argument / 0x1_0000_0000));
      at = putWord(buffer, at, argument % 0x1_0000_0000);
    }
    this.#at = at;
  }

  #bigint(value: bigint): void {
    const major = value >= 0n ? 0x00 : 0x20;
    const argument = value >= 0n ? value : -1n - value;
    if (argument > U64_MAX) throw new TypeError(`integer outside -2^64 … 2^64-1: ${value}`);
    if (argument <= 0xffff_ffffn) return this.#head(major, Number(argument));
    this.#reserve(9);
    this.#buffer[this.#at++] = major | 27;
    // Splitting a bigint would make two more of them.
    this.#view.setBigUint64(this.#at, argument);
    this.#at += 8;
  }

  #item(value: CborValue | undefined, nesting: number): void {
    switch (typeof value) {
      case 'string':
        return this.text(value);
      case 'number':
      case 'bigint':
        return this.integer(value);
      case 'boolean':
        return this.simple(value);
      case 'object':
        if (value === null) return this.simple(null);
        if (value instanceof Uint8Array) return this.bytes(value);
        if (nesting >= NESTING_LIMIT) throw new TypeError(`value is cyclic or nested deeper than ${NESTING_LIMIT}`);
        if (Array.isArray(value)) {
          this.#head(0x80, value.length);
          // By index: a hole is an `undefined` and must fail like one.
          for (let i = 0; i < value.length; i++) this.#item(value[i], nesting + 1);
          return;
        }
        if (value instanceof Map) return this.#anyMap(value, nesting + 1);
        return this.#object(value as { readonly [key: string]: CborValue | undefined }, nesting + 1);
      default:
        throw new TypeError(`canonical CBOR has no ${typeof value}`);
    }
  }

  /** A map with any keys. */
  #anyMap(map: ReadonlyMap<CborValue, CborValue>, nesting: number): void {
    this.#head(0xa0, map.size);
    const entries: { readonly key: Uint8Array; readonly value: CborValue }[] = [];
    for (const [key, value] of map) {
      // The key is written at the end of the buffer and taken back, so that it can be sorted.
      const start = this.#at;
      this.#item(key, nesting);
      entries.push({ key: this.#buffer.slice(start, this.#at), value });
      this.#at = start;
    }
    entries.sort((a, b) => compareBytes(a.key, b.key));
    let previous: Uint8Array | undefined;
    for (const { key, value } of entries) {
      if (previous !== undefined && compareBytes(previous, key) === 0) {
        throw new TypeError('map has two keys with the same encoding');
      }
      previous = key;
      this.raw(key);
      this.#item(value, nesting);
    }
  }

  #object(object: { readonly [key: string]: CborValue | undefined }, nesting: number): void {
    const prototype: unknown = Object.getPrototypeOf(object);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      throw new TypeError('canonical CBOR takes plain objects, not class instances');
    }
    const keys = Object.keys(object);
    if (keys.length > SHAPE_MEMBERS_MAX) return this.#dictionary(object, keys, nesting);

    const base = membersTop;
    let shape: Shape = shapes;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string;
      const value = object[key];
      if (value === undefined) continue;
      if (key.length > SHAPE_KEY_UNITS_MAX) {
        membersTop = base;
        return this.#dictionary(object, keys, nesting);
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

    this.#head(0xa0, encoded.length);
    for (let i = 0; i < encoded.length; i++) {
      this.raw(encoded[i] as Uint8Array);
      const place = base + (places[i] as number);
      const value = members[place];
      members[place] = undefined; // keeps no payload alive
      this.#item(value, nesting);
    }
    membersTop = base;
  }

  #dictionary(
    object: { readonly [key: string]: CborValue | undefined },
    keys: readonly string[],
    nesting: number,
  ): void {
    const entries: { readonly key: Uint8Array; readonly value: CborValue }[] = [];
    for (const text of keys) {
      const value = object[text];
      if (value !== undefined) entries.push({ key: encodedText(text), value });
    }
    entries.sort((a, b) => compareBytes(a.key, b.key));
    this.#head(0xa0, entries.length);
    for (const { key, value } of entries) {
      this.raw(key);
      this.#item(value, nesting);
    }
  }
}

/** A typed array's `set` costs more than a loop over this many bytes. */
const LOOP_BYTES = 96;

function putWord(buffer: Uint8Array, start: number, word: number): number {
  buffer[start] = word >>> 24;
  buffer[start + 1] = word >>> 16;
  buffer[start + 2] = word >>> 8;
  buffer[start + 3] = word;
  return start + 4;
}

function headLength(argument: number): number {
  if (argument < 24) return 1;
  if (argument < 0x100) return 2;
  return argument < 0x1_0000 ? 3 : argument < 0x1_0000_0000 ? 5 : 9;
}

/** A text with its head: a key of a map, to be written with `raw`. */
export function encodedText(text: string): Uint8Array {
  const bytes = utf8(text);
  const head = headLength(bytes.length);
  const key = new Uint8Array(head + bytes.length);
  key.set(bytes, head);
  if (head === 1) {
    key[0] = 0x60 | bytes.length;
    return key;
  }
  key[0] = 0x60 | (head === 2 ? 24 : head === 3 ? 25 : head === 5 ? 26 : 27);
  for (let i = head - 1, rest = bytes.length; i > 0; i--) {
    key[i] = rest % 0x100;
    rest = Math.floor(rest / 0x100);
  }
  return key;
}

// --- plain objects

/** Member values of the plain objects that are being written, of all levels. */
const members: (CborValue | undefined)[] = [];
let membersTop = 0;

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

function orderOf(shape: Shape): KeyOrder {
  const texts: string[] = [];
  for (let step = shape; step.parent !== undefined; step = step.parent) texts.push(step.key);
  texts.reverse();
  const entries = texts.map((text, place) => ({ key: encodedText(text), place }));
  entries.sort((a, b) => compareBytes(a.key, b.key));
  return { keys: entries.map(({ key }) => key), places: entries.map(({ place }) => place) };
}
