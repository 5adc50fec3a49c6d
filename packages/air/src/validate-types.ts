import type { Path } from '@worldline/canon';
import { shownCycle } from './diagnostic.ts';
import type { CapDef, SchemaDef } from './node.ts';
import { schemaNotFound } from './node-plan-canonical.ts';
import { addAll, type Hint, type Origin, type Problem } from './node-read.ts';
import type { Type, TypeScope } from './type.ts';
import { isSetItemKind } from './type-parse.ts';
import { tryResolveType } from './type-resolve.ts';
import { usualHint } from './usual-hint.ts';
import { isLost, missingHint, type Pass } from './validate-world.ts';

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
    {
      scope: world.scope,
      isLost: (schema) => isLost(world, 'schemas', schema),
      hint: (found) => missingHint(world, 'schemas', found),
    },
  ).problems;

/** What the refs of types are resolved with. */
export interface TypeLookups {
  readonly scope: TypeScope;
  /** Of a schema that is not there: does that follow from something that was reported? */
  readonly isLost: (schema: string) => boolean;
  readonly hint: (schema: string) => Hint;
}

/**
 * @param defs - Schemas and caps in the order in which their problems are wanted.
 * @returns the problems, and the names of the schemas that are part of a cycle: whoever looks into one finds no end.
 */
export function checkTypes(
  defs: readonly TypedDef[],
  lookups: TypeLookups,
): { readonly problems: readonly Problem[]; readonly cyclic: ReadonlySet<string> } {
  const { scope } = lookups;
  const problems: Problem[] = [];
  for (const { def, origin } of defs) {
    for (const { type, path } of partsOf(def)) {
      if (type.kind !== 'ref' || scope.lookup(type.name) !== undefined || lookups.isLost(type.name)) continue;
      problems.push({ origin, ...schemaNotFound('V-306', type.name, path, lookups.hint(type.name)) });
    }
  }
  const cycles = findCycles(defs, scope);
  addAll(problems, cycles.problems);
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
          hint: usualHint('type.bad_set_element', {}),
          fields: { found: item },
        });
      } else if (type.kind === 'option' && (item === 'option' || item === 'unit')) {
        problems.push({
          origin,
          rule: 'V-304',
          code: 'type.ambiguous_option',
          path: [...path, 'option'],
          message: `an option of ${item} cannot tell none from some`,
          hint: usualHint('type.ambiguous_option', {}),
          fields: { found: item },
        });
      }
    }
  }
  return { problems, cyclic: cycles.names };
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
function findCycles(
  defs: readonly TypedDef[],
  scope: TypeScope,
): { readonly problems: readonly Problem[]; readonly names: ReadonlySet<string> } {
  const byName = new Map(
    defs.flatMap((each) => (each.def.kind === 'defschema' ? [[each.def.name, each] as const] : [])),
  );
  const problems: Problem[] = [];
  const cyclic = new Set<string>();
  const done = new Set<string>();
  // An explicit stack: a chain of refs may be longer than the call stack is deep.
  for (const start of byName.keys()) {
    const open: { name: string; origin: Origin; refs: readonly { name: string; path: Path }[]; next: number }[] = [];
    const onPath = new Set<string>();
    const enter = (name: string): void => {
      const node = byName.get(name);
      // Built-in schemas refer only to built-in ones, without a cycle.
      if (node === undefined || done.has(name)) return;
      onPath.add(name);
      const refs = partsOf(node.def).flatMap(({ type, path }) =>
        type.kind === 'ref' && scope.lookup(type.name) !== undefined ? [{ name: type.name, path }] : [],
      );
      open.push({ name, origin: node.origin, refs, next: 0 });
    };
    enter(start);
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const next = top.refs[top.next++];
      if (next === undefined) {
        open.pop();
        onPath.delete(top.name);
        done.add(top.name);
      } else if (onPath.has(next.name)) {
        const names = open.map(({ name }) => name);
        const cycle = [...names.slice(names.indexOf(next.name)), next.name];
        for (const name of cycle) cyclic.add(name);
        problems.push({
          origin: top.origin,
          rule: 'V-305',
          code: 'schema.recursive',
          path: next.path,
          message: `schemas refer to themselves: ${shownCycle(cycle).join(' → ')}`,
          hint: 'Refer to the inner value by a hash or an id instead.',
          fields: { cycle: shownCycle(cycle) },
        });
      } else {
        enter(next.name);
      }
    }
  }
  return { problems, names: cyclic };
}
