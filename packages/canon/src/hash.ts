import { encode } from './cbor-encode.ts';
import type { CborValue } from './cbor-value.ts';
import { fromHex, toHex } from './hex.ts';
import { sha256 } from './sha256.ts';

const HASH_TEXT = /^sha256:[0-9a-f]{64}$/;

/** `H(x)`: SHA-256 of the canonical bytes with prefix (`values.md` §8). */
export function hashOf(value: CborValue): Uint8Array {
  return sha256(encode(value));
}

/** How a hash is shown: `sha256:` and 64 lower-case hex digits. */
export function hashText(hash: Uint8Array): string {
  if (hash.length !== 32) throw new RangeError(`a hash has 32 bytes, not ${hash.length}`);
  return `sha256:${toHex(hash)}`;
}

/** The 32 bytes of a hash text; undefined unless it is spelled exactly as `hashText` does. */
export function parseHashText(text: string): Uint8Array | undefined {
  return HASH_TEXT.test(text) ? fromHex(text.slice(7)) : undefined;
}
