import { type CborValue, CborWriter, compareCanonicalKeys, NESTING_LIMIT } from '@worldline/canon';
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
  writer.clear();
  writer.prefix();
  writeValue(writer, value, 0);
  return writer.take();
}

const writer = new CborWriter();

/** `writer.item(valueToCbor(value))`, without making the data first. */
function writeValue(writer: CborWriter, value: Value, nesting: number): void {
  switch (value.kind) {
    case 'null':
      return writer.simple(null);
    case 'bool':
      return writer.simple(value.value);
    case 'text':
    case 'dec128':
    case 'hash':
    case 'uuid':
      return writer.text(value.value);
    case 'bytes':
      return writer.bytes(value.value);
    case 'int':
    case 'nat':
    case 'time':
    case 'duration':
      return writer.integer(value.value);
    case 'map':
      return writer.item(valueToCbor(value));
    default:
      if (nesting >= NESTING_LIMIT) throw new TypeError(`value is nested deeper than ${NESTING_LIMIT}`);
      return writeComposite(writer, value, nesting + 1);
  }
}

function writeComposite(
  writer: CborWriter,
  value: Extract<Value, { kind: 'list' | 'set' | 'record' | 'variant' | 'receipt' | 'handle' }>,
  nesting: number,
): void {
  switch (value.kind) {
    case 'list':
    case 'set':
      writer.array(value.items.length);
      for (const item of value.items) writeValue(writer, item, nesting);
      return;
    case 'record':
      if (!isInKeyOrder(value.fields)) return writer.item(valueToCbor(value));
      writer.map(value.fields.size);
      for (const [name, field] of value.fields) {
        writer.text(name);
        writeValue(writer, field, nesting);
      }
      return;
    case 'variant':
      writer.map(2);
      writer.text('$tag');
      writer.text(value.tag);
      writer.text('$value');
      return writeValue(writer, value.value, nesting);
    case 'receipt':
    case 'handle':
      throw new TypeError(`a ${value.kind} has no data encoding`);
    default:
      return value satisfies never;
  }
}

/** As the fields of a record value are (`values.md` §7); a caller who builds one by hand is not trusted with the bytes. */
function isInKeyOrder(fields: ReadonlyMap<string, Value>): boolean {
  let previous: string | undefined;
  for (const name of fields.keys()) {
    if (previous !== undefined && compareCanonicalKeys(previous, name) >= 0) return false;
    previous = name;
  }
  return true;
}

/** An object without prototype. */
export function emptyData(): { [key: string]: Data } {
  return Object.create(null) as { [key: string]: Data };
}
