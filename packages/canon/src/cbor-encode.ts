import type { CborValue } from './cbor-value.ts';
import { CborWriter } from './cbor-writer.ts';

/** Whole values as canonical CBOR (`values.md` §5); what is refused is listed in `cbor-writer.ts`. */

const writer = new CborWriter();

/** `C(x)`: canonical bytes with the self-describe prefix `d9d9f7`. */
export function encode(value: CborValue): Uint8Array {
  writer.clear();
  writer.prefix();
  writer.item(value);
  return writer.take();
}

/** Canonical bytes of an item without prefix. */
export function encodeItem(value: CborValue): Uint8Array {
  writer.clear();
  writer.item(value);
  return writer.take();
}
