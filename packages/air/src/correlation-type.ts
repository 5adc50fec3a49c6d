import { INTEGER, isInteger, type StaticType, TEXT, type TypeTable, UNKNOWN } from './static-type.ts';
import { CORRELATION_KINDS, typesAt } from './validate-triggers.ts';
import type { World } from './validate-world.ts';

/**
 * The type of `@var:correlation_id` (`expressions.md` §13.1, `plans.md` §5, §11): what all ways to start a plan have in
 * common.
 *
 * A trigger with `correlate_by` gives the type of its path, one without gives the key of the event, bytes. A child
 * inherits what its parents have. A manual start is held to the type of the correlated triggers; without one it may give
 * text, an integer or bytes, and so the variable may hold any of them, whatever else starts the plan.
 */
export interface Correlation {
  readonly type: StaticType;
  /** Two start paths that disagree, in words; then the type is `unknown`. */
  readonly conflict?: { readonly expected: string; readonly found: string } | undefined;
}

/** Key of an event, and what a manual start may give. */
const BYTES: StaticType = { kind: 'bytes' };

const ANY: StaticType = {
  kind: 'payload',
  arms: new Map<string, StaticType>([
    ['text', TEXT],
    ['integer', INTEGER],
    ['bytes', BYTES],
  ]),
};

interface Starts {
  readonly types: StaticType[];
  isAny: boolean;
  /** Some path has a type that is not known, or none that may be one (V-433). */
  isUnknown: boolean;
}

/** By plan, for all plans of a world at once. */
export function correlationTypes(world: World, table: TypeTable): ReadonlyMap<string, Correlation> {
  const starts = new Map<string, Starts>();
  for (const name of world.plans.keys()) starts.set(name, { types: [], isAny: true, isUnknown: false });
  let isAstray = false;
  for (const trigger of world.manifest.triggers) {
    const plan = starts.get(trigger.plan);
    if (plan === undefined) {
      isAstray = true;
      continue;
    }
    if (trigger.correlateBy === undefined) {
      addType(plan, BYTES, table);
      continue;
    }
    plan.isAny = false;
    const event = { kind: 'ref', name: trigger.event } as const;
    const types = typesAt(event, trigger.correlateBy.split('.'), world.scope);
    if (types.length === 0) plan.isUnknown = true;
    for (const type of types) {
      if (CORRELATION_KINDS.has(table.resolve(type).kind)) addType(plan, type, table);
      else plan.isUnknown = true;
    }
  }
  // A trigger of a plan that is not there, which V-431 reports, was meant for one that has none.
  for (const plan of isAstray ? starts.values() : []) if (plan.types.length === 0) plan.isUnknown = true;
  inherit(world, starts, table);
  return new Map([...starts].map(([name, plan]) => [name, correlationOf(plan, table)]));
}

function addType(plan: Starts, type: StaticType, table: TypeTable): boolean {
  const resolved = table.resolve(type);
  const same = plan.types.some(
    (other) => table.same(other, resolved) || (isInteger(table.resolve(other)) && isInteger(resolved)),
  );
  if (!same) plan.types.push(resolved);
  // Integers of different types mix (§13.4).
  else if (isInteger(resolved) && !plan.types.some((other) => table.same(other, resolved))) {
    const index = plan.types.findIndex((other) => isInteger(table.resolve(other)));
    if (table.resolve(plan.types[index] as StaticType).kind === 'integer') return false;
    plan.types[index] = INTEGER;
    return true;
  }
  return !same;
}

/** From parents to children until nothing changes: a plan gains at most a handful of types. */
function inherit(world: World, starts: ReadonlyMap<string, Starts>, table: TypeTable): void {
  const open = [...world.plans.keys()];
  const queued = new Set(open);
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    queued.delete(name);
    const parent = starts.get(name) as Starts;
    const children = new Set(world.plans.get(name)?.source.steps.flatMap(({ plan }) => plan ?? []));
    for (const childName of children) {
      const child = starts.get(childName);
      if (child === undefined || child === parent) continue;
      let changed = false;
      for (const type of parent.types) if (addType(child, type, table)) changed = true;
      if (parent.isUnknown && !child.isUnknown) {
        child.isUnknown = true;
        changed = true;
      }
      if (parent.isAny && !child.isAny) {
        child.isAny = true;
        changed = true;
      }
      if (changed && !queued.has(childName)) {
        queued.add(childName);
        open.push(childName);
      }
    }
  }
}

function correlationOf(plan: Starts, table: TypeTable): Correlation {
  if (plan.isUnknown) return { type: UNKNOWN };
  const [first, second] = plan.types;
  if (first !== undefined && second !== undefined) {
    return { type: UNKNOWN, conflict: { expected: table.text(first), found: table.text(second) } };
  }
  if (first === undefined) return { type: ANY };
  if (!plan.isAny) return { type: first };
  const arms = ANY.kind === 'payload' ? new Map(ANY.arms) : new Map<string, StaticType>();
  const resolved = table.resolve(first);
  if (!isInteger(resolved)) arms.set(resolved.kind, first);
  return { type: { kind: 'payload', arms } };
}
