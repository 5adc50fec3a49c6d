import type { Expr } from './expr.ts';
import type { Step } from './node.ts';

/** What the rules, the checker, the envelope and the kernel all ask of a step (`plans.md` §3, §12). */

/** More children than that are never started at once (`plans.md` §12.1). */
export const FANOUT_MAX = 1024;

/** The variable that a step binds, if any. */
export function boundName(step: Step): string | undefined {
  switch (step.op) {
    case 'assign':
    case 'await_receipt':
    case 'await_event':
    case 'await_plan':
      return step.as;
    case 'emit_effect':
      return step.effectIdAs;
    case 'spawn_plan':
      return step.handleAs;
    case 'spawn_for_each':
      return step.handlesAs;
    case 'await_plans_all':
      return step.resultsAs;
    case 'raise_event':
    case 'end':
      return undefined;
    default:
      return step satisfies never;
  }
}

/** The references of `for` or `handles`: one, or the items of a list. */
export function handleRefs(expr: Expr | undefined): readonly Expr[] {
  return expr === undefined ? [] : expr.form === 'list' ? expr.items : [expr];
}
