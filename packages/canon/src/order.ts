import { utf8Length } from './utf8.ts';

/**
 * The two orders of `values.md` §5. They differ: sorted lists use the order of UTF-8 bytes, keys of an encoded map are
 * sorted by length first. Neither is the UTF-16 order of JS strings, and no locale has a say.
 */

/** Bytewise; on a common prefix the shorter one first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = a.length < b.length ? a.length : b.length;
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Ascending UTF-8 bytes ("sorted lists", `values.md` §5), which is the order of code points. */
export function compareUtf8(a: string, b: string): number {
  const shared = a.length < b.length ? a.length : b.length;
  for (let i = 0; i < shared; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return codePointRank(left) - codePointRank(right);
  }
  return a.length - b.length;
}

/** Order of text keys in an encoded map: UTF-8 length first, then bytes. */
export function compareCanonicalKeys(a: string, b: string): number {
  return utf8Length(a) - utf8Length(b) || compareUtf8(a, b);
}

/** UTF-16 sorts surrogates (code points from U+10000) below U+E000 … U+FFFF; UTF-8 sorts them above. */
function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
