import { type CborValue, encode } from '@worldline/canon';
import { jsonInteger } from './json.ts';
import type { Value } from './value.ts';

/** Values as data, in the data model of CBOR (`values.md` §6): the kinds of the parts are lost, the type has them. */

/** Deepest value that is read or encoded: what decoders accept (`values.md` §5). */
export const VALUE_DEPTH_MAX = 128;

/** Stands in decoded data for a value that has no data encoding, so that it can be reported as what it is. */
export class Opaque {
  readonly kind: 'receipt' | 'handle';

  constructor(kind: 'receipt' | 'handle') {
    this.kind = kind;
  }
}

/** CBOR of a value with the kinds of its parts lost, as `values.md` §6 has it. */
export type Data = CborValue | Opaque | readonly Data[] | ReadonlyMap<Data, Data> | { readonly [key: string]: Data };

/** Every part in the CBOR data model; `opaque` answers for what is not data. */
export function lower(value: Value, opaque: (kind: 'receipt' | 'handle') => Data): Data {
  switch (value.kind) {
    case 'null':
      return null;
    case 'bool':
    case 'text':
    case 'dec128':
    case 'hash':
    case 'uuid':
    case 'bytes':
      return value.value;
    case 'int':
    case 'nat':
    case 'time':
    case 'duration':
      return jsonInteger(value.value);
    case 'list':
    case 'set':
      return value.items.map((item) => lower(item, opaque));
    case 'map': {
      const entries = value.entries.map(([key, item]) => [lower(key, opaque), lower(item, opaque)] as const);
      return new Map(entries);
    }
    case 'record': {
      const object = emptyData();
      for (const [name, field] of value.fields) object[name] = lower(field, opaque);
      return object;
    }
    case 'variant': {
      const object = emptyData();
      object['$tag'] = value.tag;
      object['$value'] = lower(value.value, opaque);
      return object;
    }
    case 'receipt':
    case 'handle':
      return opaque(value.kind);
    default:
      return value satisfies never;
  }
}

/**
 * The data encoding of a value in the data model of CBOR (`values.md` §6).
 *
 * @throws TypeError on a receipt or an effect handle: neither is data (`expressions.md` §13.2).
 */
export function valueToCbor(value: Value): CborValue {
  return lower(value, (kind) => {
    throw new TypeError(`a ${kind} has no data encoding`);
  }) as CborValue;
}

/**
 * Canonical bytes of a value as data, with prefix (`values.md` §5, §6).
 *
 * @throws TypeError as `valueToCbor`.
 */
export function encodeValue(value: Value): Uint8Array {
  return encode(valueToCbor(value));
}

/** An object without prototype. */
export function emptyData(): { [key: string]: Data } {
  return Object.create(null) as { [key: string]: Data };
}
