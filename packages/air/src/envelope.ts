import { certainOf, familyOf, startedBy, startsOf } from './envelope-family.ts';
import { effectOf } from './envelope-gate.ts';
import type { PlanReach } from './envelope-plan.ts';
import type { EffectEnvelope, ReachedRaise, ReachedReducer, ReachedStep, StepOf, Via } from './envelope-reached.ts';
import type { Catalog, PlanDef, Step } from './node.ts';
import { FANOUT_MAX } from './step.ts';
import type { Type } from './type.ts';
import { tryResolveType } from './type-resolve.ts';

/** Making the effect envelope of a plan; what it says is in `envelope-reached.ts`. */

/**
 * @param name - A plan of the catalog, started with any input of its schema, by hand or by a trigger.
 * @returns Undefined when the catalog has no such plan.
 */
export function effectEnvelope(catalog: Catalog, name: string): EffectEnvelope | undefined {
  if (!catalog.plans.has(name)) return undefined;
  const own = familyOf(catalog, new Set([name]));
  const certain = certainOf(own, name);
  // Each round follows the events of the plans found so far, until no trigger starts another one.
  const triggered = new Set<string>();
  let others: ReadonlyMap<string, PlanReach> = new Map();
  let isReduced = false;
  for (let before = -1; before !== triggered.size; ) {
    before = triggered.size;
    for (const reach of [...own.values(), ...others.values()]) {
      for (const started of startedBy(catalog, reach)) triggered.add(started);
      isReduced ||= raisedEvents(reach).some((event) => reducersOf(catalog, event).length > 0);
    }
    // What a reducer raises may be any event (V4).
    for (const { plan } of isReduced ? catalog.triggers : []) triggered.add(plan);
    others = familyOf(catalog, triggered);
  }
  const all: readonly Member[] = [
    ...[...own.values()].map((reach): Member => {
      const via = reach.plan.name === name ? 'itself' : 'spawned';
      return { reach, via, isCertain: certain.has(reach.plan.name) };
    }),
    ...[...others.values()].map((reach): Member => ({ reach, via: 'triggered', isCertain: false })),
  ];
  return {
    plan: name,
    plans: all.map(({ reach, via }) => ({
      plan: reach.plan.name,
      via,
      dead: reach.plan.steps.flatMap((step, i) => (reach.steps[i] === 'dead' ? [step.id] : [])),
    })),
    effects: all.flatMap((one) => live(one, 'emit_effect', (step, at) => effectOf(catalog, one.reach, step, at))),
    raises: all.flatMap((one) => live(one, 'raise_event', (step, at) => raiseOf(catalog, one.reach, step, at))),
    awaits: all.flatMap((one) =>
      live(one, 'await_event', (step, at) => ({ ...at, event: step.event, isFiltered: step.where !== undefined })),
    ),
    spawns: all.flatMap((one) =>
      [
        ...live(one, 'spawn_plan', (step, at) => ({ ...at, child: step.plan, fanoutMax: 1 })),
        ...live(one, 'spawn_for_each', (step, at) => ({
          ...at,
          child: step.plan,
          fanoutMax: Math.min(step.maxFanout ?? FANOUT_MAX, FANOUT_MAX),
        })),
      ].sort((a, b) => a.position - b.position),
    ),
    reducers: isReduced ? reducersOf(catalog) : [],
    catalog,
  };
}

function raisedEvents(reach: PlanReach): readonly string[] {
  return reach.plan.steps.flatMap((step, i) =>
    step.op === 'raise_event' && reach.steps[i] !== 'dead' ? [step.event] : [],
  );
}

interface Member {
  readonly reach: PlanReach;
  readonly via: Via;
  /** Every run of the envelope's plan that gets far enough has an instance of it. */
  readonly isCertain: boolean;
}

/** What the steps of one kind that can run come to. */
function live<Op extends Step['op'], T>(
  { reach, via, isCertain }: Member,
  op: Op,
  make: (step: StepOf<Op>, at: ReachedStep) => T,
): readonly T[] {
  return reach.plan.steps.flatMap((step, position) => {
    const state = reach.steps[position];
    if (step.op !== op || state === 'dead') return [];
    const at = { plan: reach.plan.name, via, step: step.id, position, isGuarded: state === 'guarded' || !isCertain };
    return [make(step as StepOf<Op>, at)];
  });
}

function raiseOf(catalog: Catalog, reach: PlanReach, step: StepOf<'raise_event'>, at: ReachedStep): ReachedRaise {
  const value = reach.slot(at.position, step.value, step.event);
  const waits = (plan: PlanDef) => plan.steps.some((one) => one.op === 'await_event' && one.event === step.event);
  return {
    ...at,
    event: step.event,
    value,
    starts: startsOf(catalog, step.event, value),
    wakes: [...catalog.plans.values()].filter(({ def }) => waits(def)).map(({ def }) => def.name),
    reducers: reducersOf(catalog, step.event),
  };
}

/**
 * Routes are not needed to be sound: a reducer may take what its event schema names (`definitions.md` §3.8).
 *
 * @param event - Absent: any.
 */
function reducersOf(catalog: Catalog, event?: string): readonly ReachedReducer[] {
  return [...catalog.modules.values()].flatMap(({ def: { name, reducer } }) => {
    if (reducer === undefined) return [];
    const takes =
      event === undefined || reducer.event === event || mentions({ kind: 'ref', name: reducer.event }, event, catalog);
    return takes ? [{ module: name, effects: reducer.effectsEmitted }] : [];
  });
}

/** The event schema is the reducer's, through aliases, or one of its arms. */
function mentions(type: Type, event: string, catalog: Catalog): boolean {
  for (let current: Type | undefined = type; current?.kind === 'ref'; current = catalog.scope.lookup(current.name)) {
    if (current.name === event) return true;
  }
  const resolved = tryResolveType(type, catalog.scope);
  return (
    resolved?.kind === 'variant' && [...resolved.arms.values()].some((arm) => arm.kind === 'ref' && arm.name === event)
  );
}
