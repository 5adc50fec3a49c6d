import { checkPlan } from './check-plan.ts';
import { checkTrigger } from './check-trigger.ts';
import { type Correlation, correlationTypes } from './correlation-type.ts';
import type { PlanLookups } from './node-plan-canonical.ts';
import type { PlanContext } from './plan-types.ts';
import { TypeTable, UNKNOWN } from './static-type.ts';
import { lookupsOf, type Pass, type World } from './validate-world.ts';

/**
 * The static type checker (`expressions.md` §13) over all plans and triggers of a world: errors and warnings.
 *
 * It runs where something is admitted: authored folders, patches, a change of the manifest. A manifest that a journal
 * already pins is read without it, so that no later, stricter checker can make a world unable to reopen (D10); evaluation
 * stays total. Of a plan with problems that were reported everything is checked that reads; what does not is `unknown`.
 */
export const checkStaticTypes: Pass = (world) => {
  const table = new TypeTable(world.scope);
  const lookups = lookupsOf(world);
  const correlations = correlationsOf(world, table);
  const context = contextOf(world, table, lookups, correlations);
  const plans = [...world.plans].flatMap(([name, { source }]) => {
    const read = world.read.get(name);
    const correlation = correlations.get(name) ?? { type: UNKNOWN };
    return read === undefined ? [] : checkPlan(source, read, context, lookups, correlation);
  });
  return [...plans, ...world.manifest.triggers.flatMap((trigger) => checkTrigger(trigger, world, table))];
};

/** What the types of the plans of a world depend on. */
export function planContextOf(world: World, table: TypeTable, lookups: PlanLookups): PlanContext {
  return contextOf(world, table, lookups, correlationsOf(world, table));
}

function correlationsOf(world: World, table: TypeTable): ReadonlyMap<string, Correlation> {
  // A trigger that did not read may start any plan.
  return world.manifest.unread.has('triggers') ? new Map() : correlationTypes(world, table);
}

function contextOf(
  world: World,
  table: TypeTable,
  lookups: PlanLookups,
  correlations: ReadonlyMap<string, Correlation>,
): PlanContext {
  return {
    table,
    effect: lookups.effect,
    plan: (name) => world.read.get(name)?.draft,
    correlation: (plan) => correlations.get(plan)?.type ?? UNKNOWN,
  };
}
