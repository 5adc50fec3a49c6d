const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

const SEXTETS: Int8Array = new Int8Array(128).fill(-1);
for (let i = 0; i < ALPHABET.length; i++) SEXTETS[ALPHABET.charCodeAt(i)] = i;

/** Standard base64 with padding (RFC 4648 §4). */
export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const group = ((bytes[i] as number) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text += ALPHABET[group >> 18];
    text += ALPHABET[(group >> 12) & 63];
    text += left > 1 ? ALPHABET[(group >> 6) & 63] : '=';
    text += left > 2 ? ALPHABET[group & 63] : '=';
  }
  return text;
}

/**
 * Bytes of standard base64 text. Strict, so that bytes have one spelling (`values.md` §4.4): padding required, spare
 * bits zero, no line breaks, no URL alphabet.
 */
export function fromBase64(text: string): Uint8Array | undefined {
  const { length } = text;
  if (length % 4 !== 0) return undefined;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((length / 4) * 3 - padding);
  let at = 0;
  for (let i = 0; i < length; i += 4) {
    const used = i + 4 === length ? 4 - padding : 4;
    let group = 0;
    for (let j = 0; j < 4; j++) {
      const unit = text.charCodeAt(i + j);
      const sextet = j >= used ? 0 : unit < 128 ? (SEXTETS[unit] as number) : -1;
      if (sextet < 0) return undefined;
      group = (group << 6) | sextet;
    }
    if (used === 2 && (group & 0xffff) !== 0) return undefined;
    if (used === 3 && (group & 0xff) !== 0) return undefined;
    bytes[at++] = group >> 16;
    if (used > 2) bytes[at++] = (group >> 8) & 0xff;
    if (used > 3) bytes[at++] = group & 0xff;
  }
  return bytes;
}
