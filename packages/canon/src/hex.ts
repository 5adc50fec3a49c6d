const DIGITS = '0123456789abcdef';

const CHUNK_BYTES = 2048;

/** Two lower-case digits per byte. */
export function toHex(bytes: Uint8Array): string {
  let text = '';
  // Built from units rather than joined from pieces: hashes become map keys, and a joined text is flattened for that.
  for (let from = 0; from < bytes.length; from += CHUNK_BYTES) {
    const to = Math.min(from + CHUNK_BYTES, bytes.length);
    const units: number[] = [];
    for (let i = from; i < to; i++) {
      const byte = bytes[i] as number;
      units.push(DIGITS.charCodeAt(byte >> 4), DIGITS.charCodeAt(byte & 15));
    }
    text += String.fromCharCode.apply(null, units);
  }
  return text;
}

/** Bytes of a hex text, either case; undefined when it is not one. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    const high = digit(text.charCodeAt(2 * i));
    const low = digit(text.charCodeAt(2 * i + 1));
    if (high < 0 || low < 0) return undefined;
    bytes[i] = (high << 4) | low;
  }
  return bytes;
}

function digit(unit: number): number {
  if (unit >= 48 && unit <= 57) return unit - 48;
  if (unit >= 97 && unit <= 102) return unit - 87;
  if (unit >= 65 && unit <= 70) return unit - 55;
  return -1;
}
