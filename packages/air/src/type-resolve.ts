import { compareCanonicalKeys } from '@worldline/canon';
import type { Type, TypeScope } from './type.ts';

/** Looking through refs (`values.md` §2: resolve until a non-ref type is reached). */

/** Longest alias chain that is followed. Only a cycle, which V-305 forbids, is longer. */
const ALIASES_MAX = 1000;

/**
 * The type behind refs.
 *
 * @throws Error on an unknown name or a cycle: after validation (V-305, V-306) a bug.
 */
export function resolveType(type: Type, scope: TypeScope): Type {
  const resolved = tryResolveType(type, scope);
  if (resolved === undefined) throw new Error(`type ref ${(type as { name: string }).name} does not resolve`);
  return resolved;
}

/** As `resolveType`, but undefined on an unknown name or a cycle. */
export function tryResolveType(type: Type, scope: TypeScope): Type | undefined {
  let current: Type | undefined = type;
  for (let hops = 0; current?.kind === 'ref'; hops += 1) {
    current = hops < ALIASES_MAX ? scope.lookup(current.name) : undefined;
  }
  return current;
}

/** Are the types the same once all refs are expanded? Names of schemas do not matter (`expressions.md` §13.3). */
export function typesEqual(a: Type, b: Type, scope: TypeScope): boolean {
  if (a === b || (a.kind === 'ref' && b.kind === 'ref' && a.name === b.name)) return true;
  const left = resolveType(a, scope);
  const right = resolveType(b, scope);
  if (left === right) return true;
  switch (left.kind) {
    case 'record':
      return right.kind === 'record' && membersEqual(left.fields, right.fields, scope);
    case 'variant':
      return right.kind === 'variant' && membersEqual(left.arms, right.arms, scope);
    case 'list':
    case 'set':
    case 'option':
      return right.kind === left.kind && typesEqual(left.item, right.item, scope);
    case 'map':
      return (
        right.kind === 'map' && typesEqual(left.key, right.key, scope) && typesEqual(left.value, right.value, scope)
      );
    default:
      return left.kind === right.kind;
  }
}

function membersEqual(a: ReadonlyMap<string, Type>, b: ReadonlyMap<string, Type>, scope: TypeScope): boolean {
  if (a.size !== b.size) return false;
  for (const [name, type] of a) {
    const other = b.get(name);
    if (other === undefined || !typesEqual(type, other, scope)) return false;
  }
  return true;
}

const ordered = new WeakMap<ReadonlyMap<string, Type>, readonly (readonly [string, Type])[]>();

/** Fields or arms in canonical key order, whatever order the type was made in. Kept per map: reading values asks each time. */
export function orderedMembers(members: ReadonlyMap<string, Type>): readonly (readonly [string, Type])[] {
  let list = ordered.get(members);
  if (list === undefined) {
    list = [...members].sort(([a], [b]) => compareCanonicalKeys(a, b));
    ordered.set(members, list);
  }
  return list;
}
