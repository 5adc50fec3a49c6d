import { encode, sha256 } from '@worldline/canon';
import type { Type, TypeScope } from './type.ts';
import { orderedMembers } from './type-resolve.ts';

/**
 * Hash of a type with all refs expanded: two worlds mean the same by a schema exactly when theirs are equal, whatever
 * the schemas inside it are called (`host.md` §5.7).
 *
 * A tree of hashes, not the hash of a tree: sharing makes small schemas endless when they are written out, and here
 * each schema is looked at once. A node is `H([kind, …])` over the hashes of its parts, members in canonical key order; a
 * ref is what it leads to. docs/formats/fabric-message.md
 *
 * @returns 32 bytes; undefined when a ref leads nowhere or back to itself.
 */
export function typeDigest(type: Type, scope: TypeScope): Uint8Array | undefined {
  return digest(type, scope, new Map());
}

/** @param known - digest by schema name; undefined while it is being computed, which only a cycle meets again. */
function digest(type: Type, scope: TypeScope, known: Map<string, Uint8Array | undefined>): Uint8Array | undefined {
  switch (type.kind) {
    case 'ref': {
      if (known.has(type.name)) return known.get(type.name);
      known.set(type.name, undefined);
      const target = scope.lookup(type.name);
      const found = target === undefined ? undefined : digest(target, scope, known);
      known.set(type.name, found);
      return found;
    }
    case 'record':
      return memberDigest('record', type.fields, scope, known);
    case 'variant':
      return memberDigest('variant', type.arms, scope, known);
    case 'list':
    case 'set':
    case 'option':
      return partsDigest(type.kind, [digest(type.item, scope, known)]);
    case 'map':
      return partsDigest('map', [digest(type.key, scope, known), digest(type.value, scope, known)]);
    default:
      return sha256(encode([type.kind]));
  }
}

function memberDigest(
  kind: 'record' | 'variant',
  members: ReadonlyMap<string, Type>,
  scope: TypeScope,
  known: Map<string, Uint8Array | undefined>,
): Uint8Array | undefined {
  const parts: (string | Uint8Array)[] = [];
  for (const [name, type] of orderedMembers(members)) {
    const part = digest(type, scope, known);
    if (part === undefined) return undefined;
    parts.push(name, part);
  }
  return sha256(encode([kind, ...parts]));
}

function partsDigest(kind: string, parts: readonly (Uint8Array | undefined)[]): Uint8Array | undefined {
  return parts.every((part) => part !== undefined) ? sha256(encode([kind, ...parts])) : undefined;
}
