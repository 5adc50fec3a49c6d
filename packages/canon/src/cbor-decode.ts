import { encodeItem } from './cbor-encode.ts';
import { type CborFailure, type CborFailureCode, type CborValue, NESTING_LIMIT, NESTING_MAX } from './cbor-value.ts';
import { fail, ok, type Result } from './result.ts';
import { textAt } from './short-text.ts';

/**
 * CBOR, reading side (`values.md` §5). Two readers share one walk:
 *
 * - `decode` takes what modules, adapters and tools send: any well-formed heads, key order and indefinite lengths;
 * - `decodeCanonical` takes exactly the bytes that `encode` writes.
 *
 * D1 Neither throws, whatever the bytes. D2 Memory stays proportional to the input: a declared length is believed only
 * as far as bytes are there. D3 Bytes in the result are copies; the input may be reused.
 */

export interface DecodeOptions {
  /** Nesting of arrays and maps, at most 1 024; default 128 (`values.md` §5). */
  readonly maxDepth?: number | undefined;
  /** Longer input is refused unread. */
  readonly maxBytes?: number | undefined;
}

/**
 * Read one CBOR item with or without the self-describe prefix.
 *
 * Maps whose keys are all text become objects without prototype, so `__proto__` is an ordinary key; any other map
 * becomes a `Map` in the order of its encoded keys.
 *
 * @returns `cbor.malformed` (cut off, reserved heads, invalid UTF-8, longer than `maxBytes`), `cbor.trailing`,
 *   `cbor.depth`, `cbor.unsupported` (floats, tags, simple values), `cbor.duplicate_key`; each with its byte `offset`.
 */
export function decode(bytes: Uint8Array, options?: DecodeOptions): Result<CborValue, CborFailure> {
  return read(bytes, options, false);
}

/**
 * Read canonical bytes with prefix; `encode` of the value gives them back.
 *
 * @returns `cbor.malformed` for everything else, or `cbor.depth`.
 */
export function decodeCanonical(bytes: Uint8Array, options?: DecodeOptions): Result<CborValue, CborFailure> {
  return read(bytes, options, true);
}

/** Leaves the walk from any depth. Caught below; not an Error, so hostile input costs no stack traces. */
class Refusal {
  readonly code: CborFailureCode;
  readonly offset: number;
  readonly message: string;

  constructor(code: CborFailureCode, offset: number, message: string) {
    this.code = code;
    this.offset = offset;
    this.message = message;
  }
}

const TWO_32 = 0x1_0000_0000;
const BREAK = 0xff;
const INDEFINITE = 31;

let source: Uint8Array = new Uint8Array(0);
let at = 0;
let end = 0;
let strict = false;
let nestingMax = NESTING_MAX;

function read(
  bytes: Uint8Array,
  options: DecodeOptions | undefined,
  canonical: boolean,
): Result<CborValue, CborFailure> {
  // A subclass (a host's buffer) would give copies of its own class.
  source = bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  at = 0;
  end = source.length;
  strict = canonical;
  nestingMax = Math.min(options?.maxDepth ?? NESTING_MAX, NESTING_LIMIT);
  try {
    const maxBytes = options?.maxBytes;
    if (maxBytes !== undefined && end > maxBytes) {
      throw new Refusal('cbor.malformed', maxBytes, `longer than ${maxBytes} bytes`);
    }
    readPrefix();
    const value = readItem(0);
    if (at < end) throw new Refusal('cbor.trailing', at, `${end - at} bytes follow the item`);
    return ok(value);
  } catch (thrown) {
    if (!(thrown instanceof Refusal)) throw thrown;
    const code = canonical && thrown.code !== 'cbor.depth' ? 'cbor.malformed' : thrown.code;
    return fail({ code, path: [], offset: thrown.offset, message: `at byte ${thrown.offset}: ${thrown.message}` });
  } finally {
    source = EMPTY;
  }
}

const EMPTY = new Uint8Array(0);

function malformed(offset: number, message: string): Refusal {
  return new Refusal('cbor.malformed', offset, message);
}

function readPrefix(): void {
  if (source[0] === 0xd9 && source[1] === 0xd9 && source[2] === 0xf7) {
    at = 3;
    return;
  }
  if (strict) throw malformed(0, 'canonical bytes begin with d9d9f7');
  // The same tag number with a longer head.
  if (end > 0 && (source[0] as number) >> 5 === 6) {
    at = 1;
    if (readArgument((source[0] as number) & 31) !== 55799) throw new Refusal('cbor.unsupported', 0, 'tag');
  }
}

/** The number of a head whose additional information is `info`; beyond 2^53 only its magnitude is right. */
function readArgument(info: number): number {
  if (info < 24) return info;
  const head = at - 1;
  if (info > 27) throw malformed(head, 'reserved head');
  const bytes = 1 << (info - 24);
  if (at + bytes > end) throw malformed(head, 'cut off in a head');
  let argument: number;
  if (info === 24) {
    argument = source[at] as number;
    if (strict && argument < 24) throw malformed(head, 'head is not the shortest');
  } else if (info === 25) {
    argument = ((source[at] as number) << 8) | (source[at + 1] as number);
    if (strict && argument < 0x100) throw malformed(head, 'head is not the shortest');
  } else if (info === 26) {
    argument = readWord(at);
    if (strict && argument < 0x1_0000) throw malformed(head, 'head is not the shortest');
  } else {
    argument = readWord(at) * TWO_32 + readWord(at + 4);
    if (strict && argument < TWO_32) throw malformed(head, 'head is not the shortest');
  }
  at += bytes;
  return argument;
}

function readWord(from: number): number {
  return (
    (((source[from] as number) << 24) |
      ((source[from + 1] as number) << 16) |
      ((source[from + 2] as number) << 8) |
      (source[from + 3] as number)) >>>
    0
  );
}

function readItem(nesting: number): CborValue {
  if (at >= end) throw malformed(at, 'cut off');
  const head = at;
  const initial = source[at++] as number;
  const info = initial & 31;
  switch (initial >> 5) {
    case 0: {
      const argument = readArgument(info);
      return argument <= Number.MAX_SAFE_INTEGER ? argument : exactArgument();
    }
    case 1: {
      const argument = readArgument(info);
      return argument < Number.MAX_SAFE_INTEGER ? -1 - argument : -1n - exactArgument();
    }
    case 2:
      return info === INDEFINITE ? readByteChunks(head) : readBytes(info);
    case 3:
      return info === INDEFINITE ? readTextChunks(head) : readText(info);
    case 4:
      if (nesting >= nestingMax) throw new Refusal('cbor.depth', head, `nested deeper than ${nestingMax}`);
      return readArray(head, info, nesting + 1);
    case 5:
      if (nesting >= nestingMax) throw new Refusal('cbor.depth', head, `nested deeper than ${nestingMax}`);
      return readMap(head, info, nesting + 1);
    case 6:
      readArgument(info);
      throw new Refusal('cbor.unsupported', head, 'tag');
    default:
      return readSimple(head, info);
  }
}

/** The 8-byte argument that was just read, to the last bit. */
function exactArgument(): bigint {
  return (BigInt(readWord(at - 8)) << 32n) | BigInt(readWord(at - 4));
}

function readSimple(head: number, info: number): null | boolean {
  if (info === 22) return null;
  if (info === 21) return true;
  if (info === 20) return false;
  if (info === INDEFINITE) throw malformed(head, 'break outside an indefinite length');
  if (info > 27) throw malformed(head, 'reserved head');
  if (info === 24) {
    if (at >= end || (source[at] as number) < 32) throw malformed(head, 'simple value');
    throw new Refusal('cbor.unsupported', head, 'simple value');
  }
  readArgument(info);
  throw new Refusal('cbor.unsupported', head, info > 24 ? 'float' : info === 23 ? 'undefined' : 'simple value');
}

/** Length of a string whose bytes are all there. */
function readLength(info: number): number {
  const head = at - 1;
  const length = readArgument(info);
  if (length > end - at) throw malformed(head, 'string is cut off');
  return length;
}

function readBytes(info: number): Uint8Array {
  const length = readLength(info);
  const bytes = source.slice(at, at + length);
  at += length;
  return bytes;
}

function readText(info: number): string {
  const length = readLength(info);
  const start = at;
  at += length;
  const text = textAt(source, start, length);
  if (text === undefined) throw malformed(start, 'text is not UTF-8');
  return text;
}

function refuseIndefinite(head: number): void {
  if (strict) throw malformed(head, 'indefinite length');
}

function atBreak(): boolean {
  if (at >= end) throw malformed(at, 'cut off');
  if (source[at] !== BREAK) return false;
  at++;
  return true;
}

/** Chunks have definite lengths and the string's own major type (RFC 8949 §3.2.3). */
function chunkInfo(major: number): number {
  const initial = source[at] as number;
  if (initial >> 5 !== major || (initial & 31) === INDEFINITE) throw malformed(at, 'wrong chunk in a string');
  at++;
  return initial & 31;
}

function readByteChunks(head: number): Uint8Array {
  refuseIndefinite(head);
  const ranges: number[] = [];
  let total = 0;
  while (!atBreak()) {
    const length = readLength(chunkInfo(2));
    ranges.push(at, at + length);
    total += length;
    at += length;
  }
  const bytes = new Uint8Array(total);
  let to = 0;
  for (let i = 0; i < ranges.length; i += 2) {
    const from = ranges[i] as number;
    const until = ranges[i + 1] as number;
    bytes.set(source.subarray(from, until), to);
    to += until - from;
  }
  return bytes;
}

function readTextChunks(head: number): string {
  refuseIndefinite(head);
  const chunks: string[] = [];
  // Each chunk is UTF-8 on its own: characters are not split between chunks.
  while (!atBreak()) chunks.push(readText(chunkInfo(3)));
  return chunks.join('');
}

function readArray(head: number, info: number, nesting: number): CborValue[] {
  const items: CborValue[] = [];
  if (info === INDEFINITE) {
    refuseIndefinite(head);
    while (!atBreak()) items.push(readItem(nesting));
    return items;
  }
  const length = readArgument(info);
  if (length > end - at) throw malformed(head, 'array is cut off');
  for (let i = 0; i < length; i++) items.push(readItem(nesting));
  return items;
}

type Entry = { readonly key: CborValue; readonly value: CborValue };

function readMap(head: number, info: number, nesting: number): CborValue {
  // Measured: V8 keeps such an object like a struct, three times smaller and faster to read than `Object.create(null)`.
  const object = Object.setPrototypeOf({}, null) as { [key: string]: CborValue };
  const indefinite = info === INDEFINITE;
  if (indefinite) refuseIndefinite(head);
  const length = indefinite ? Number.POSITIVE_INFINITY : readArgument(info);
  if (!indefinite && 2 * length > end - at) throw malformed(head, 'map is cut off');

  /** Once there is a key that is no text. */
  let others: Map<string, Entry> | undefined;
  let previousStart = 0;
  let previousEnd = 0;
  for (let i = 0; i < length; i++) {
    if (indefinite && atBreak()) break;
    const keyStart = at;
    const key = readItem(nesting);
    if (strict) {
      if (i > 0 && compareRanges(previousStart, previousEnd, keyStart, at) >= 0) {
        throw malformed(keyStart, 'keys are not in ascending order');
      }
      previousStart = keyStart;
      previousEnd = at;
    }
    if (others === undefined) {
      if (typeof key === 'string') {
        if (!strict && key in object) throw new Refusal('cbor.duplicate_key', keyStart, 'duplicate map key');
        object[key] = readItem(nesting);
        continue;
      }
      others = new Map();
      for (const text of Object.keys(object)) {
        others.set(byteText(encodeItem(text)), { key: text, value: object[text] as CborValue });
      }
    }
    const encoded = byteText(encodeItem(key));
    if (others.has(encoded)) throw new Refusal('cbor.duplicate_key', keyStart, 'duplicate map key');
    others.set(encoded, { key, value: readItem(nesting) });
  }
  if (others === undefined) return object;
  const sorted = [...others.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(sorted.map(([, { key, value }]) => [key, value]));
}

/** One unit per byte, so that texts sort and compare as their bytes do. */
function byteText(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}

/** `compareBytes` of two ranges of the source. */
function compareRanges(aStart: number, aEnd: number, bStart: number, bEnd: number): number {
  let a = aStart;
  let b = bStart;
  while (a < aEnd && b < bEnd) {
    const difference = (source[a++] as number) - (source[b++] as number);
    if (difference !== 0) return difference;
  }
  return aEnd - aStart - (bEnd - bStart);
}
