import type { Path } from '@worldline/canon';
import type { CapDef, SchemaDef } from './node.ts';
import { schemaNotFound } from './node-plan-canonical.ts';
import type { Origin, Problem } from './node-read.ts';
import type { Type, TypeScope } from './type.ts';
import { isSetItemKind } from './type-parse.ts';
import { tryResolveType } from './type-resolve.ts';
import { missingHint, type Pass } from './validate-world.ts';

/** Rules on types that look behind refs: V-303, V-304, V-305, V-306 (`definitions.md` §10). */

export interface TypedDef {
  readonly def: SchemaDef | CapDef;
  readonly origin: Origin;
}

export const checkListedTypes: Pass = (world) =>
  checkTypes(
    [...world.schemas.values(), ...world.caps.values()].flatMap(({ def, origin }) =>
      origin === undefined ? [] : [{ def, origin }],
    ),
    world.scope,
    (found) => missingHint(world, 'schemas', found),
  );

/**
 * @param defs - Schemas and caps in the order in which their problems are wanted.
 * @returns V-305 and V-306 problems; only when there are none, V-303 and V-304, which need every ref to resolve.
 */
export function checkTypes(
  defs: readonly TypedDef[],
  scope: TypeScope,
  hint: (schema: string) => string | undefined,
): readonly Problem[] {
  const problems: Problem[] = [];
  for (const { def, origin } of defs) {
    for (const part of partsOf(def)) {
      if (part.type.kind === 'ref' && scope.lookup(part.type.name) === undefined) {
        problems.push({ origin, ...schemaNotFound('V-306', part.type.name, part.path, hint(part.type.name)) });
      }
    }
  }
  problems.push(...findCycles(defs, scope));
  if (problems.length > 0) return problems;

  for (const { def, origin } of defs) {
    for (const { type, path } of partsOf(def)) {
      if (type.kind !== 'set' && type.kind !== 'option') continue;
      const item = tryResolveType(type.item, scope)?.kind;
      if (item === undefined) continue;
      if (type.kind === 'set' && !isSetItemKind(item)) {
        problems.push({
          origin,
          rule: 'V-303',
          code: 'type.bad_set_element',
          path: [...path, 'set'],
          message: `${item} cannot be a set element`,
          fields: { found: item },
        });
      } else if (type.kind === 'option' && (item === 'option' || item === 'unit')) {
        problems.push({
          origin,
          rule: 'V-304',
          code: 'type.ambiguous_option',
          path: [...path, 'option'],
          message: `an option of ${item} cannot tell none from some`,
          fields: { found: item },
        });
      }
    }
  }
  return problems;
}

interface Part {
  readonly type: Type;
  readonly path: Path;
}

/** The type of a definition and everything in it, outer before inner, with its path in the node. */
function partsOf(def: SchemaDef | CapDef): readonly Part[] {
  const parts: Part[] = [];
  const visit = (type: Type, path: Path): void => {
    parts.push({ type, path });
    switch (type.kind) {
      case 'record':
        for (const [name, field] of type.fields) visit(field, [...path, 'record', name]);
        break;
      case 'variant':
        for (const [name, arm] of type.arms) visit(arm, [...path, 'variant', name]);
        break;
      case 'list':
      case 'set':
      case 'option':
        visit(type.item, [...path, type.kind]);
        break;
      case 'map':
        visit(type.key, [...path, 'map', 'key']);
        visit(type.value, [...path, 'map', 'value']);
        break;
      default:
        break;
    }
  };
  visit(def.kind === 'defschema' ? def.type : def.schema, [def.kind === 'defschema' ? 'type' : 'schema']);
  return parts;
}

/** V-305: each cycle through refs once, at the ref that closes it. */
function findCycles(defs: readonly TypedDef[], scope: TypeScope): readonly Problem[] {
  const byName = new Map(
    defs.flatMap((each) => (each.def.kind === 'defschema' ? [[each.def.name, each] as const] : [])),
  );
  const problems: Problem[] = [];
  const done = new Set<string>();
  // An explicit stack: a chain of refs may be longer than the call stack is deep.
  for (const start of byName.keys()) {
    const open: { name: string; origin: Origin; refs: { name: string; path: Path }[] }[] = [];
    const onPath = new Set<string>();
    const enter = (name: string): void => {
      const node = byName.get(name);
      // Built-in schemas refer only to built-in ones, without a cycle.
      if (node === undefined || done.has(name)) return;
      onPath.add(name);
      const refs = partsOf(node.def).flatMap(({ type, path }) =>
        type.kind === 'ref' && scope.lookup(type.name) !== undefined ? [{ name: type.name, path }] : [],
      );
      open.push({ name, origin: node.origin, refs });
    };
    enter(start);
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const next = top.refs.shift();
      if (next === undefined) {
        open.pop();
        onPath.delete(top.name);
        done.add(top.name);
      } else if (onPath.has(next.name)) {
        const names = open.map(({ name }) => name);
        const cycle = [...names.slice(names.indexOf(next.name)), next.name];
        problems.push({
          origin: top.origin,
          rule: 'V-305',
          code: 'schema.recursive',
          path: next.path,
          message: `schemas refer to themselves: ${cycle.join(' → ')}`,
          hint: 'Refer to the inner value by a hash or an id instead.',
          fields: { cycle },
        });
      } else {
        enter(next.name);
      }
    }
  }
  return problems;
}
