import { constantOf, type Known } from './envelope-known.ts';
import { mayHoldSecrets, passesThroughSecretRef, secretRefs } from './secret-refs.ts';
import type { Type, TypeScope } from './type.ts';
import { resolveType } from './type-resolve.ts';

/** Secrets that params may refer to. */
export interface KnownSecrets {
  readonly refs: readonly { readonly alias: string; readonly version: bigint }[];
  /** Some reference is not constant: it may name any secret. */
  readonly isOpen: boolean;
}

/** @param known - Of values that conform to `type`. */
export function knownSecrets(known: Known, type: Type, scope: TypeScope): KnownSecrets {
  const search: Search = { scope, refs: new Map(), isOpen: false };
  collect(known, type, search);
  return { refs: [...search.refs.values()], isOpen: search.isOpen };
}

interface Search {
  readonly scope: TypeScope;
  readonly refs: Map<string, { readonly alias: string; readonly version: bigint }>;
  isOpen: boolean;
}

function add(search: Search, { alias, version }: { readonly alias: string; readonly version: bigint }): void {
  search.refs.set(JSON.stringify([alias, String(version)]), { alias, version });
}

function collect(known: Known, type: Type, search: Search): void {
  const { scope } = search;
  if (!mayHoldSecrets(type, scope)) return;
  if (known.is === 'oneOf') {
    for (const option of known.options) collect(option, type, search);
    return;
  }
  const value = constantOf(known);
  if (value !== undefined) {
    for (const ref of secretRefs(value, type, scope)) add(search, ref);
    return;
  }
  const resolved = resolveType(type, scope);
  if (passesThroughSecretRef(type, scope)) {
    search.isOpen = true;
  } else if (resolved.kind === 'option') {
    collect(known, resolved.item, search);
  } else if (known.is === 'record' && resolved.kind === 'record') {
    for (const [name, field] of known.fields) collect(field, resolved.fields.get(name) as Type, search);
  } else if (known.is === 'variant' && resolved.kind === 'variant') {
    collect(known.value, resolved.arms.get(known.tag) as Type, search);
  } else if (known.is === 'each' && (resolved.kind === 'list' || resolved.kind === 'map')) {
    for (const item of known.items) collect(item, resolved.kind === 'map' ? resolved.value : resolved.item, search);
  } else {
    search.isOpen = true;
  }
}
