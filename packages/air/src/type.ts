/** Type expressions (`values.md` §2): what a value may be. */

export type ScalarKind =
  | 'bool'
  | 'int'
  | 'nat'
  | 'dec128'
  | 'bytes'
  | 'text'
  | 'time'
  | 'duration'
  | 'hash'
  | 'uuid'
  | 'unit';

export type MapKeyKind = 'int' | 'nat' | 'text' | 'uuid' | 'hash';

export type Type =
  | { readonly kind: ScalarKind }
  | { readonly kind: 'record'; readonly fields: ReadonlyMap<string, Type> }
  | { readonly kind: 'variant'; readonly arms: ReadonlyMap<string, Type> }
  | { readonly kind: 'list'; readonly item: Type }
  | { readonly kind: 'set'; readonly item: Type }
  | { readonly kind: 'map'; readonly key: Type; readonly value: Type }
  | { readonly kind: 'option'; readonly item: Type }
  | { readonly kind: 'ref'; readonly name: string };

/** Where named schemas are found: a manifest's schemas over the built-ins. */
export interface TypeScope {
  /** @returns the type that the schema `name` declares, or undefined when there is no such schema. */
  lookup(name: string): Type | undefined;
}
