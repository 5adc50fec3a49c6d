/** UTF-8 without platform help: texts here are mostly short, and pure packages know no `TextEncoder`. */

const CHUNK_UNITS = 4096;

/** True when the text has no lone surrogate, that is, when it has a UTF-8 encoding. */
export function isWellFormed(text: string): boolean {
  return text.isWellFormed();
}

/**
 * Write the UTF-8 bytes of `text` into `target` from `start`. The caller provides room for 3 bytes per UTF-16 unit.
 *
 * @returns The position after the last byte.
 * @throws TypeError on a lone surrogate: such text has no bytes, and replacing it would let two texts share one hash.
 */
export function writeUtf8(text: string, target: Uint8Array, start: number): number {
  const { length } = text;
  let at = start;
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      target[at++] = unit;
    } else if (unit < 0x800) {
      target[at++] = 0xc0 | (unit >> 6);
      target[at++] = 0x80 | (unit & 0x3f);
    } else if (unit < 0xd800 || unit > 0xdfff) {
      target[at++] = 0xe0 | (unit >> 12);
      target[at++] = 0x80 | ((unit >> 6) & 0x3f);
      target[at++] = 0x80 | (unit & 0x3f);
    } else {
      const low = unit < 0xdc00 && i + 1 < length ? text.charCodeAt(i + 1) : 0;
      if (low < 0xdc00 || low > 0xdfff) throw new TypeError('text with a lone surrogate has no UTF-8 encoding');
      i++;
      const point = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
      target[at++] = 0xf0 | (point >> 18);
      target[at++] = 0x80 | ((point >> 12) & 0x3f);
      target[at++] = 0x80 | ((point >> 6) & 0x3f);
      target[at++] = 0x80 | (point & 0x3f);
    }
  }
  return at;
}

/** Number of UTF-8 bytes; a lone surrogate counts 3. */
export function utf8Length(text: string): number {
  const { length } = text;
  let bytes = length;
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    // Each half of a surrogate pair adds 1 to the 2 units: 4 bytes together.
    else if (unit >= 0xd800 && unit < 0xdc00 && i + 1 < length && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      bytes += 2;
      i++;
    } else bytes += 2;
  }
  return bytes;
}

/**
 * UTF-8 bytes of a text.
 *
 * @throws TypeError on a lone surrogate.
 */
export function utf8(text: string): Uint8Array {
  const bytes = new Uint8Array(utf8Length(text));
  writeUtf8(text, bytes, 0);
  return bytes;
}

/** Text of UTF-8 bytes; undefined when they are not UTF-8 (overlong forms, surrogates, beyond U+10FFFF, cut off). */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  return readUtf8(bytes, 0, bytes.length);
}

/** `fromUtf8` of `bytes[start, end)` without a copy. */
export function readUtf8(bytes: Uint8Array, start: number, end: number): string | undefined {
  let ascii = start;
  while (ascii < end && (bytes[ascii] as number) < 0x80) ascii++;
  if (ascii === end) return readAscii(bytes, start, end);

  let text = readAscii(bytes, start, ascii);
  let units: number[] = [];
  let at = ascii;
  while (at < end) {
    const first = bytes[at++] as number;
    if (first < 0x80) {
      units.push(first);
    } else {
      let more: number;
      let min: number;
      let point: number;
      if (first >= 0xc2 && first < 0xe0) [more, min, point] = [1, 0x80, first & 0x1f];
      else if (first >= 0xe0 && first < 0xf0) [more, min, point] = [2, 0x800, first & 0x0f];
      else if (first >= 0xf0 && first < 0xf5) [more, min, point] = [3, 0x10000, first & 0x07];
      else return undefined;
      if (at + more > end) return undefined;
      for (; more > 0; more--) {
        const next = bytes[at++] as number;
        if ((next & 0xc0) !== 0x80) return undefined;
        point = (point << 6) | (next & 0x3f);
      }
      if (point < min || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return undefined;
      if (point < 0x10000) units.push(point);
      else units.push(0xd800 + ((point - 0x10000) >> 10), 0xdc00 + (point & 0x3ff));
    }
    if (units.length >= CHUNK_UNITS) {
      text += String.fromCharCode.apply(null, units);
      units = [];
    }
  }
  return text + String.fromCharCode.apply(null, units);
}

function readAscii(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let from = start; from < end; from += CHUNK_UNITS) {
    const to = from + CHUNK_UNITS < end ? from + CHUNK_UNITS : end;
    const units: number[] = [];
    for (let i = from; i < to; i++) units.push(bytes[i] as number);
    text += String.fromCharCode.apply(null, units);
  }
  return text;
}
