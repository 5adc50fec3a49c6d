import { compareUtf8 } from '@worldline/canon';
import { booleanOf, knownOf, NO_ROOTS } from './envelope-eval.ts';
import { anyFrom, conformKnown, constantOf, type Known, union } from './envelope-known.ts';
import { type PlanReach, reachOf } from './envelope-plan.ts';
import type { ReachedRaise } from './envelope-reached.ts';
import { evaluate } from './evaluate.ts';
import type { Catalog, Trigger } from './node.ts';

/** Which plans a run reaches: children by its spawn steps, others by the triggers on its events. */

/**
 * Plans with their children and theirs, by name: parents before children. Children are reached with what their parents
 * give them, the others with any input.
 */
export function familyOf(catalog: Catalog, starts: ReadonlySet<string>): ReadonlyMap<string, PlanReach> {
  const order: string[] = [];
  const seen = new Set<string>();
  // The spawn graph has no cycle (V-706).
  const visit = (name: string) => {
    const plan = catalog.plans.get(name)?.def;
    if (plan === undefined || seen.has(name)) return;
    seen.add(name);
    for (const step of [...plan.steps].reverse()) {
      if (step.op === 'spawn_plan' || step.op === 'spawn_for_each') visit(step.plan);
    }
    order.push(name);
  };
  // The order is turned round below, so what is to come first is visited last.
  for (const name of [...starts].sort(compareUtf8).reverse()) visit(name);

  const inputs = new Map<string, Known[]>();
  const family = new Map<string, PlanReach>();
  for (const name of order.reverse()) {
    const { def } = catalog.plans.get(name)!;
    const given = inputs.get(name);
    // Every step that would spawn it is dead.
    if (given === undefined && !starts.has(name)) continue;
    const input = starts.has(name) ? ANY_INPUT : union(given!);
    const reach = reachOf(def, input, catalog);
    family.set(name, reach);
    for (const { child, input } of childrenOf(catalog, reach)) inputs.set(child, [...(inputs.get(child) ?? []), input]);
  }
  return family;
}

/** Plans of a family, parents first, that are started in every run that gets that far. */
export function certainOf(family: ReadonlyMap<string, PlanReach>, name: string): ReadonlySet<string> {
  const certain = new Set([name]);
  for (const { plan, steps } of family.values()) {
    if (!certain.has(plan.name)) continue;
    // A `spawn_for_each` may find nothing to spawn for.
    plan.steps.forEach((step, i) => {
      if (step.op === 'spawn_plan' && steps[i] === 'certain') certain.add(step.plan);
    });
  }
  return certain;
}

const ANY_INPUT = anyFrom('@plan.input');

function childrenOf(catalog: Catalog, reach: PlanReach): readonly { readonly child: string; readonly input: Known }[] {
  return reach.plan.steps.flatMap((step, i) => {
    if ((step.op !== 'spawn_plan' && step.op !== 'spawn_for_each') || reach.steps[i] === 'dead') return [];
    const schema = catalog.plans.get(step.plan)?.def.input;
    if (schema === undefined) return [];
    if (step.op === 'spawn_plan') return [{ child: step.plan, input: reach.slot(i, step.input, schema) }];
    return [{ child: step.plan, input: itemOf(reach.slot(i, step.inputs), schema, catalog) }];
  });
}

/** What each item of a list may be, as the child's input. */
function itemOf(list: Known, schema: string, catalog: Catalog): Known {
  const fitted = conformKnown(list, { kind: 'list', item: { kind: 'ref', name: schema } }, catalog.scope);
  if (fitted.is === 'each' && fitted.items.length > 0) return union(fitted.items);
  if (fitted.is === 'value' && fitted.value.kind === 'list' && fitted.value.items.length > 0) {
    return union(fitted.value.items.map((value) => ({ is: 'value', value })));
  }
  return ANY_INPUT;
}

/** Plans that triggers start for the events of one plan. */
export function startedBy(catalog: Catalog, reach: PlanReach): readonly string[] {
  return reach.plan.steps.flatMap((step, i) => {
    if (step.op !== 'raise_event' || reach.steps[i] === 'dead') return [];
    return startsOf(catalog, step.event, reach.slot(i, step.value, step.event)).map(({ plan }) => plan);
  });
}

export function startsOf(catalog: Catalog, event: string, value: Known): ReachedRaise['starts'] {
  const starts = new Map<string, 'always' | 'maybe'>();
  for (const trigger of catalog.triggers) {
    const when = trigger.event === event ? fires(trigger, value) : false;
    if (when === false || !catalog.plans.has(trigger.plan)) continue;
    if (when === true) starts.set(trigger.plan, 'always');
    else if (!starts.has(trigger.plan)) starts.set(trigger.plan, 'maybe');
  }
  return [...starts].map(([plan, when]) => ({ plan, when }));
}

/** Undefined: it depends on the value. A condition that fails starts nothing (`plans.md` §11). */
function fires({ when }: Trigger, value: Known): boolean | undefined {
  if (when === undefined) return true;
  const event = constantOf(value);
  if (event !== undefined) {
    const verdict = evaluate(when, { ...NO_ROOTS, event: () => event });
    return verdict.ok && verdict.value.kind === 'bool' && verdict.value.value;
  }
  // That it can give nothing but true does not say that it never fails.
  const folded = booleanOf(knownOf(when, ({ root }) => (root === 'event' ? value : anyFrom('…'))));
  return folded === false ? false : undefined;
}
