import { Bits } from './bits.ts';
import type { Expr } from './expr.ts';
import { factKey, placeAt, spelledRef, textOf } from './facts.ts';
import { type Lint, ofPlan } from './lint.ts';
import { conjuncts, type LintPlan } from './lint-graph.ts';
import { areExhaustive, foldedGuard } from './lint-guards.ts';

/** Lints about guards: RL009, RL011 (`patterns.md` §8). */

export const BRANCH_LINTS: readonly Lint[] = [
  ofPlan('RL009', 'warning', (plan, report) => {
    const { outcomes } = plan;
    for (const [step, { op, id }] of plan.def.steps.entries()) {
      const edges = plan.outgoing[step] as readonly number[];
      if (op === 'end' || edges.length === 0) continue;
      const guards = edges.flatMap((edge) => plan.def.edges[edge]?.when ?? []);
      if (guards.length < edges.length || areExhaustive(guards, plan, step) || hasWayRound(plan, step, outcomes))
        continue;
      report({
        step,
        path: plan.stepPath(step),
        message: `the guards behind "${id}" of ${plan.name} leave a case out: then nothing follows it`,
        hint: 'Add an edge for the remaining case, such as a status other than "ok", and let it lead to an end.',
      });
    }
  }),
  ofPlan('RL011', 'warning', (plan, report) => {
    const never = new Bits(plan.def.steps.length);
    for (const step of plan.order) {
      const edges = plan.incoming[step] as readonly number[];
      if (edges.length === 0 || !edges.every((edge) => isDead(plan, edge, never))) continue;
      never.add(step);
      report({
        step,
        path: plan.stepPath(step),
        message: `"${plan.id(step)}" of ${plan.name} can never run: ${reason(plan, edges, never)}`,
        hint: 'Correct the edges that lead to it, or remove the step.',
      });
    }
  }),
];

/** Does some wait that goes on beside the step lead to an end without it? */
function hasWayRound(plan: LintPlan, step: number, outcomes: Bits): boolean {
  const behind = (plan.descendants[step] as Bits).copy().add(step);
  for (const wait of plan.waits) {
    if (plan.concurrent(wait, step) && (plan.descendants[wait] as Bits).meetsOutside(outcomes, behind)) return true;
  }
  return false;
}

function isDead(plan: LintPlan, edge: number, never: Bits): boolean {
  const { from, when } = plan.def.edges[edge] as LintPlan['def']['edges'][number];
  const source = plan.indexOf(from);
  if (plan.step(source).op === 'end' || never.has(source)) return true;
  if (when === undefined) return false;
  return foldedGuard(when) === false || conjuncts(when).some((conjunct) => isContradicted(plan, conjunct, source));
}

function reason(plan: LintPlan, edges: readonly number[], never: Bits): string {
  const reasons = edges.map((edge) => {
    const { from } = plan.def.edges[edge] as LintPlan['def']['edges'][number];
    const source = plan.indexOf(from);
    if (plan.step(source).op === 'end') return `"${from}" is an end`;
    if (never.has(source)) return `neither can "${from}"`;
    return `the guard behind "${from}" is never true there`;
  });
  return [...new Set(reasons)].join(', and ');
}

/** Does a conjunct require a tag or status that the facts at a step rule out? */
function isContradicted(plan: LintPlan, conjunct: Expr, step: number): boolean {
  if (conjunct.form !== 'op' || (conjunct.op !== 'eq' && conjunct.op !== 'ne')) return false;
  const [a, b] = conjunct.args;
  if (a === undefined || b === undefined) return false;
  const equal = conjunct.op === 'eq';
  return contradicts(plan, a, textOf(b), equal, step) || contradicts(plan, b, textOf(a), equal, step);
}

function contradicts(plan: LintPlan, expr: Expr, text: string | undefined, equal: boolean, step: number): boolean {
  const spelled = spelledRef(expr);
  const last = spelled?.path.at(-1);
  if (text === undefined || spelled === undefined || (last !== '$tag' && last !== '$status')) return false;
  const owner: Expr = { ...spelled.ref, path: spelled.path.slice(0, -1) };
  const place = plan.placeOf(owner, { at: 'edge', from: step });
  if (place === undefined) return false;
  const { flow } = plan.types.places;
  if (last === '$tag') {
    const tag = flow.at(step, factKey('tag', place));
    return tag !== undefined && (tag === text) !== equal;
  }
  if (flow.at(step, factKey('payload', place)) !== undefined) return equal ? text !== 'ok' : text === 'ok';
  const error = placeAt(place, ['$error']);
  const failed = error !== undefined && flow.at(step, factKey('some', error)) !== undefined;
  return failed && equal && text === 'ok';
}
