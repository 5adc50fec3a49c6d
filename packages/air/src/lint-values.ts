import type { Edit } from './diagnostic.ts';
import type { RefExpr } from './expr.ts';
import { type Lint, ofPlan, withEdit } from './lint.ts';
import { bindPath, type LintPlan, type Use } from './lint-graph.ts';
import { skippableSteps } from './lint-waits.ts';
import type { Step } from './node.ts';
import { CORRELATION_ID } from './node-plan.ts';
import { boundName } from './step.ts';
import { isHandleOp } from './validate-plan-graph.ts';

/** Lints about what steps bind and who reads it: RL013, RL014, RL018, RL020 (`patterns.md` §8). */

export const VALUE_LINTS: readonly Lint[] = [
  ofPlan('RL013', 'info', (plan, report) => {
    for (const [step, definition] of plan.def.steps.entries()) {
      const name = boundName(definition);
      if (name === undefined || isHandleOp(definition.op)) continue;
      if (plan.uses.some(({ ref }) => names(ref, definition, name))) continue;
      report({
        step,
        path: bindPath(plan, step),
        message: `"${name}" of ${plan.name} is bound by "${definition.id}" and never read`,
        hint: 'Read it where it matters, or leave the step out when it is not needed.',
        fields: { name },
      });
    }
  }),
  ofPlan('RL014', 'warning', (plan, report) => {
    const seen = new Set<string>();
    for (const use of plan.uses) {
      if (use.kind !== 'invariant') continue;
      const binders = bindersOf(plan, use.ref);
      const key = `${use.invariant} ${use.ref.root} ${use.ref.name}`;
      if (binders === undefined || seen.has(key)) continue;
      seen.add(key);
      for (const end of plan.ends) {
        if (binders.some((binder) => binder === end || plan.ancestors[end]?.has(binder))) continue;
        report({
          ...plan.usePath(use),
          message: `invariant ${use.invariant} of ${plan.name} names ${rootText(use.ref)}, which has no value when the plan ends in "${plan.id(end)}": there it may never be checked`,
          hint: 'Let every end follow a step that gives it a value, or check it in the branch that has one.',
          fields: { name: use.ref.name ?? '', end: plan.id(end) },
        });
        break;
      }
    }
  }),
  ofPlan('RL018', 'warning', (plan, report) => {
    const awaited = new Set([...plan.waits].flatMap((wait) => plan.sources[wait] ?? []));
    for (const [step, definition] of plan.def.steps.entries()) {
      switch (definition.op) {
        case 'spawn_plan':
        case 'spawn_for_each': {
          const name = boundName(definition) as string;
          if (awaited.has(step) || isPassedOn(plan, step, name)) break;
          report({
            step,
            path: bindPath(plan, step),
            message: `"${definition.id}" of ${plan.name} spawns ${definition.plan}, and no step awaits it: its failure goes unnoticed`,
            hint: `Await it: ${definition.op === 'spawn_plan' ? 'await_plan' : 'await_plans_all'} of @var:${name}.`,
          });
          break;
        }
        case 'await_plan': {
          const isTested = plan.uses.some(
            (use) =>
              (use.kind === 'guard' || use.kind === 'slot') && readsOutcome(plan, use, step, definition) !== undefined,
          );
          if (isTested) break;
          report({
            step,
            path: plan.stepPath(step),
            message: `no guard or slot of ${plan.name} reads $tag of "${definition.as}", which "${definition.id}" binds: a failed child passes for a good one`,
            hint: `Guard the edges behind "${definition.id}" with @var:${definition.as}.$tag.`,
            fields: { name: definition.as },
          });
          break;
        }
        case 'await_plans_all': {
          const isRead = plan.uses.some(
            ({ kind, ref }) => (kind === 'guard' || kind === 'slot') && names(ref, definition, definition.resultsAs),
          );
          if (isRead) break;
          report({
            step,
            path: plan.stepPath(step),
            message: `no guard or slot of ${plan.name} reads "${definition.resultsAs}", which "${definition.id}" binds: failed children go unnoticed`,
            hint: 'Look at the results, or raise an event that holds them.',
            fields: { name: definition.resultsAs },
          });
          break;
        }
        default:
          break;
      }
    }
  }),
  ofPlan('RL020', 'warning', (plan, report) => {
    const seen = new Set<string>();
    for (const use of plan.uses) {
      if (use.kind === 'invariant') continue;
      const binders = bindersOf(plan, use.ref);
      // A local that no step binds has its value from the start, or never.
      if (binders === undefined || binders.length === 0) continue;
      const before = plan.ancestors[use.step];
      if (binders.some((binder) => before?.has(binder))) continue;
      const key = `${use.step} ${use.ref.root} ${use.ref.name}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const by = binders.map((binder) => `"${plan.id(binder)}"`).join(', ');
      report({
        step: use.step,
        ...plan.usePath(use),
        message: `"${plan.id(use.step)}" of ${plan.name} reads ${rootText(use.ref)}, and nothing says that ${by} has run before`,
        hint: `Add an edge, so that "${plan.id(use.step)}" comes after what it reads.`,
        fields: { name: use.ref.name ?? '' },
        ...withEdit(missingEdge(plan, use, binders)),
      });
    }
  }),
];

/**
 * The edge that RL020 misses, where there is one that can be meant, and all that it does is to let the reader wait: both
 * steps run in every run, the value comes from nowhere else, and no deadline is joined with what it races.
 */
function missingEdge(
  plan: LintPlan,
  use: Exclude<Use, { kind: 'invariant' }>,
  binders: readonly number[],
): Edit | undefined {
  const [binder, ...others] = binders;
  const { step, ref } = use;
  // A guard is looked at before its edge leads anywhere: another edge into the same step does not hold it back.
  if (binder === undefined || others.length > 0 || use.kind === 'guard') return undefined;
  if (binder === step || plan.descendants[step]?.has(binder) === true) return undefined;
  if (ref.root === 'var' && plan.def.locals.has(ref.name ?? '')) return undefined;
  const skippable = skippableSteps(plan);
  if (skippable.has(binder) || skippable.has(step)) return undefined;
  const joined = plan.incoming[step]?.length !== 0;
  if (joined && (plan.timerWaits.has(binder) || plan.ancestors[binder]?.meets(plan.timerWaits))) return undefined;
  if (joined && plan.ancestors[step]?.meets(plan.timerWaits)) return undefined;
  const edge = `{ "from": ${JSON.stringify(plan.id(binder))}, "to": ${JSON.stringify(plan.id(step))} }`;
  return plan.def.edges.length === 0
    ? { kind: 'add', path: [], member: 'edges', text: `[ ${edge} ]`, before: 'steps' }
    : { kind: 'append', path: ['edges'], text: edge };
}

/** Does a reference name a step, or the variable that it binds? */
function names(ref: RefExpr, step: Step, variable: string): boolean {
  return (ref.root === 'var' && ref.name === variable) || (ref.root === 'step' && ref.name === step.id);
}

/** Steps that give a reference its value; undefined for what no step gives. */
function bindersOf(plan: LintPlan, ref: RefExpr): readonly number[] | undefined {
  if (ref.root === 'step') return [plan.indexOf(ref.name ?? '')];
  if (ref.root !== 'var' || ref.name === CORRELATION_ID) return undefined;
  return plan.binders.get(ref.name ?? '') ?? [];
}

function rootText(ref: RefExpr): string {
  return ref.root === 'step' ? `@step:${ref.name}` : `@var:${ref.name}`;
}

/** Is a handle given on by an assign, which a later wait may name? */
function isPassedOn(plan: LintPlan, spawn: number, variable: string): boolean {
  const definition = plan.step(spawn);
  return plan.uses.some(
    (use) => use.kind === 'slot' && plan.step(use.step).op === 'assign' && names(use.ref, definition, variable),
  );
}

/** A read of the tag of a child's outcome, or of the whole of it. */
function readsOutcome(
  plan: LintPlan,
  use: Exclude<Use, { kind: 'invariant' }>,
  wait: number,
  definition: Extract<Step, { op: 'await_plan' }>,
): true | undefined {
  const path = names(use.ref, definition, definition.as)
    ? use.path
    : (() => {
        const place = plan.placeOf({ ...use.ref, path: use.path }, { at: 'step', step: use.step });
        return place?.root === `step ${wait}` ? place.path : undefined;
      })();
  return path !== undefined && (path.length === 0 || path[0] === '$tag') ? true : undefined;
}
