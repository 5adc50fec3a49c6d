import type { ScalarKind, Type, TypeScope } from './type.ts';
import { resolveType } from './type-resolve.ts';
import type { Value } from './value.ts';

/** What the built-in enforcers share: reading known fields, allowlists, denials. */

export interface Denial {
  readonly code: string;
  readonly message: string;
}

export interface Request {
  readonly kind: string;
  /** Undefined: the bytes do not decode to a record of their schema. */
  readonly grant: Fields | undefined;
  readonly params: Fields | undefined;
}

/** @returns Undefined to allow. */
export type Check = (request: Request) => Denial | undefined;

/** A field has another type than the enforcer's own schema gives it. */
export const WRONG_TYPE = Symbol('wrong type');
type WrongType = typeof WRONG_TYPE;

/** `undefined` stands for none and for absent; both mean "not restricted" in a grant. */
export type Optional<T> = T | undefined;

/** Fields of a record value, read by the record's type: fields that the reader does not ask for are ignored. */
export class Fields {
  readonly #fields: ReadonlyMap<string, Value>;
  readonly #types: ReadonlyMap<string, Type>;
  readonly #scope: TypeScope;

  private constructor(fields: ReadonlyMap<string, Value>, types: ReadonlyMap<string, Type>, scope: TypeScope) {
    this.#fields = fields;
    this.#types = types;
    this.#scope = scope;
  }

  /** @returns Undefined when the value is not a record. */
  static of(value: Value, type: Type, scope: TypeScope): Fields | undefined {
    const resolved = withoutOption(type, scope);
    if (value.kind !== 'record' || resolved.kind !== 'record') return undefined;
    return new Fields(value.fields, resolved.fields, scope);
  }

  /** A `set<text>` or `list<text>` field. */
  texts(name: string, kind: 'set' | 'list' = 'set'): Optional<ReadonlySet<string>> | WrongType {
    const items = this.#items(name, kind, 'text');
    if (items === undefined || items === WRONG_TYPE) return items;
    return new Set(items.map((item) => (item as { readonly value: string }).value));
  }

  /** A `set<nat>` field. */
  nats(name: string): Optional<ReadonlySet<bigint>> | WrongType {
    const items = this.#items(name, 'set', 'nat');
    if (items === undefined || items === WRONG_TYPE) return items;
    return new Set(items.map((item) => (item as { readonly value: bigint }).value));
  }

  text(name: string): Optional<string> | WrongType {
    const value = this.#typed(name, 'text');
    return value === undefined || value === WRONG_TYPE ? value : (value as { readonly value: string }).value;
  }

  nat(name: string): Optional<bigint> | WrongType {
    const value = this.#typed(name, 'nat');
    return value === undefined || value === WRONG_TYPE ? value : (value as { readonly value: bigint }).value;
  }

  variant(name: string): Optional<{ readonly tag: string; readonly value: Value }> | WrongType {
    const value = this.#typed(name, 'variant');
    return value === undefined || value === WRONG_TYPE ? value : (value as Extract<Value, { kind: 'variant' }>);
  }

  record(name: string): Optional<Fields> | WrongType {
    const value = this.#typed(name, 'record');
    if (value === undefined || value === WRONG_TYPE) return value;
    return Fields.of(value, this.#types.get(name) as Type, this.#scope) ?? WRONG_TYPE;
  }

  /** Records of a `list<record>` field. */
  records(name: string): Optional<readonly Fields[]> | WrongType {
    const value = this.#typed(name, 'list');
    if (value === undefined || value === WRONG_TYPE) return value;
    const list = withoutOption(this.#types.get(name) as Type, this.#scope) as Extract<Type, { kind: 'list' }>;
    const records = (value as { readonly items: readonly Value[] }).items.map((item) =>
      Fields.of(item, list.item, this.#scope),
    );
    return records.every((record) => record !== undefined) ? records : WRONG_TYPE;
  }

  #items(name: string, kind: 'set' | 'list', item: ScalarKind): Optional<readonly Value[]> | WrongType {
    const value = this.#typed(name, kind);
    if (value === undefined || value === WRONG_TYPE) return value;
    const type = withoutOption(this.#types.get(name) as Type, this.#scope) as Extract<Type, { kind: 'set' | 'list' }>;
    if (resolveType(type.item, this.#scope).kind !== item) return WRONG_TYPE;
    return (value as { readonly items: readonly Value[] }).items;
  }

  /** By the declared type, not the value's looks: a set that happens to be empty still has an element type. */
  #typed(name: string, kind: Type['kind']): Optional<Value> | WrongType {
    const type = this.#types.get(name);
    if (type === undefined) return undefined;
    if (withoutOption(type, this.#scope).kind !== kind) return WRONG_TYPE;
    const value = this.#fields.get(name);
    return value === undefined || value.kind === 'null' ? undefined : value;
  }
}

function withoutOption(type: Type, scope: TypeScope): Type {
  const resolved = resolveType(type, scope);
  return resolved.kind === 'option' ? resolveType(resolved.item, scope) : resolved;
}

export function deny(code: string, what: string, value?: string): Denial {
  return { code, message: value === undefined ? what : `${what}: ${shorten(value)}` };
}

export const BAD_GRANT: Denial = deny(
  'cap_params_invalid',
  'the grant params do not have the types of the built-in cap',
);
export const BAD_PARAMS: Denial = deny('effect_params_invalid', 'the effect params do not have the built-in types');

export function wrongKind(kind: string): Denial {
  return deny('effect_kind_mismatch', 'the enforcer does not judge this kind', kind);
}

/** Kinds `base` and `base.<x>`. */
export function isKindOf(kind: string, base: string): boolean {
  return kind === base || kind.startsWith(`${base}.`);
}

export function asciiLower(text: string): string {
  return text.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase());
}

export function hasIgnoringCase(allowed: ReadonlySet<string>, text: string): boolean {
  const wanted = asciiLower(text);
  for (const item of allowed) if (asciiLower(item) === wanted) return true;
  return false;
}

const SHOWN_MAX = 80;

/** Cut at 80 code points, so that no surrogate pair is split: the message becomes part of a record. */
function shorten(text: string): string {
  const points = [...text];
  return points.length <= SHOWN_MAX ? text : `${points.slice(0, SHOWN_MAX).join('')}…`;
}
