import { compareCanonicalKeys } from '@worldline/canon';
import type { Type, TypeScope } from './type.ts';

/** Looking through refs (`values.md` §2: resolve until a non-ref type is reached). */

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
  // Goes half as fast: on a cycle, which V-305 forbids, the two meet.
  let slow: Type | undefined = type;
  for (let hops = 0; current?.kind === 'ref'; hops += 1) {
    current = scope.lookup(current.name);
    if (hops % 2 === 0) continue;
    if (slow?.kind === 'ref') slow = scope.lookup(slow.name);
    if (current?.kind === 'ref' && slow?.kind === 'ref' && current.name === slow.name) return undefined;
  }
  return current;
}

/**
 * Are the types the same once all refs are expanded? Names of schemas do not matter (`expressions.md` §13.3). A ref that
 * leads nowhere was reported where it stands, and equals everything.
 */
export function typesEqual(a: Type, b: Type, scope: TypeScope): boolean {
  // A stack of its own, and each pair of schemas once: sharing makes small schemas endless when they are expanded.
  const open: (readonly [Type, Type])[] = [[a, b]];
  const seen = new Set<string>();
  for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
    const [one, other] = pair;
    if (one === other) continue;
    if (one.kind === 'ref' && other.kind === 'ref') {
      if (one.name === other.name) continue;
      const key = `${one.name} ${other.name}`;
      if (seen.has(key)) continue;
      seen.add(key);
    }
    const left = tryResolveType(one, scope);
    const right = tryResolveType(other, scope);
    if (left === right || left === undefined || right === undefined) continue;
    if (left.kind === 'record' && right.kind === 'record') {
      if (!pairMembers(left.fields, right.fields, open)) return false;
    } else if (left.kind === 'variant' && right.kind === 'variant') {
      if (!pairMembers(left.arms, right.arms, open)) return false;
    } else if (left.kind === 'map' && right.kind === 'map') {
      open.push([left.value, right.value], [left.key, right.key]);
    } else if ('item' in left && 'item' in right && left.kind === right.kind) {
      open.push([left.item, right.item]);
    } else if (left.kind !== right.kind) {
      return false;
    }
  }
  return true;
}

/** Members of the same names, to be compared; false when the names differ. */
function pairMembers(
  a: ReadonlyMap<string, Type>,
  b: ReadonlyMap<string, Type>,
  open: (readonly [Type, Type])[],
): boolean {
  if (a.size !== b.size) return false;
  for (const [name, type] of a) {
    const other = b.get(name);
    if (other === undefined) return false;
    open.push([type, other]);
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
