/**
 * Engine values (`values.md` §7): data that entered through its schema, so each part knows its kind.
 *
 * Unit and none are both `null`. A present option is its inner value. `map` entries are sorted by the bytes of the
 * canonical key, `set` items by their canonical bytes, record fields in canonical key order (shorter first, then
 * bytewise). `receipt` and `handle` exist only inside a plan instance's environment (`plans.md` §14).
 */
export type Value =
  | { readonly kind: 'null' }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'int' | 'nat' | 'time' | 'duration'; readonly value: bigint }
  | { readonly kind: 'text' | 'dec128' | 'hash' | 'uuid'; readonly value: string }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'list' | 'set'; readonly items: readonly Value[] }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [Value, Value])[] }
  | { readonly kind: 'record'; readonly fields: ReadonlyMap<string, Value> }
  | {
      readonly kind: 'variant';
      readonly tag: string;
      readonly value: Value;
      /**
       * The arm's type is an option, and it is none. Only the literal form needs to know: `{tag, value: {null: {}}}`
       * here, `{tag}` for an arm without data (`values.md` §3.4). Two values that differ only in this are equal.
       */
      readonly none?: true;
    }
  | { readonly kind: 'receipt'; readonly emissionSeq: number }
  | { readonly kind: 'handle'; readonly emissionSeq: number };

export type ValueKind = Value['kind'];

export const NULL: Value = { kind: 'null' };

export function text(value: string): Value {
  return { kind: 'text', value };
}

export function nat(value: bigint): Value {
  return { kind: 'nat', value };
}

export function int(value: bigint): Value {
  return { kind: 'int', value };
}

export function bool(value: boolean): Value {
  return { kind: 'bool', value };
}

/** @param hashText - `sha256:` and 64 lower-case hex digits. */
export function hash(hashText: string): Value {
  return { kind: 'hash', value: hashText };
}

export function bytes(value: Uint8Array): Value {
  return { kind: 'bytes', value };
}

/** Handles and receipts have no encoding (`expressions.md` §13.2): no hash, no index and no stored value holds one. */
export function isData(value: Value): boolean {
  switch (value.kind) {
    case 'receipt':
    case 'handle':
      return false;
    case 'list':
      return value.items.every(isData);
    case 'map':
      return value.entries.every(([, item]) => isData(item));
    case 'record':
      for (const field of value.fields.values()) if (!isData(field)) return false;
      return true;
    case 'variant':
      return isData(value.value);
    default:
      return true;
  }
}
