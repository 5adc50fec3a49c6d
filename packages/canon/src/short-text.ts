import { readUtf8 } from './utf8.ts';

/**
 * Texts of decoded bytes. Keys and names come again and again, so short ones are looked up by their bytes before they are
 * built: one slot per hash value, the last text wins. Only a cache.
 */
const TEXT_KEPT_BYTES = 40;
const TEXT_SLOTS = 4096;
const textSlots: (string | undefined)[] = new Array<string | undefined>(TEXT_SLOTS).fill(undefined);

/** The text of `bytes[start, start + length)`; undefined when that is not UTF-8. */
export function textAt(bytes: Uint8Array, start: number, length: number): string | undefined {
  if (length > TEXT_KEPT_BYTES) return readUtf8(bytes, start, start + length);
  let hash = length;
  let high = 0;
  for (let i = start; i < start + length; i++) {
    const byte = bytes[i] as number;
    hash = (Math.imul(hash, 31) + byte) | 0;
    high |= byte;
  }
  if (high >= 0x80) return readUtf8(bytes, start, start + length);
  const slot = (hash ^ (hash >>> 12)) & (TEXT_SLOTS - 1);
  const kept = textSlots[slot];
  if (kept !== undefined && kept.length === length && isAscii(kept, bytes, start)) return kept;
  const text = readUtf8(bytes, start, start + length) as string;
  textSlots[slot] = text;
  return text;
}

function isAscii(text: string, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}
