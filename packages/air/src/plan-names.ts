import type { Expr } from './expr.ts';
import type { PlanDef } from './node.ts';
import { handleOf } from './node-plan-canonical.ts';
import { boundName } from './step.ts';

/** What the names in a plan stand for: which step has an id, which steps bind a variable, what is behind a handle. */
export class PlanNames {
  /** Variable that each step binds. */
  readonly bound: readonly (string | undefined)[];
  private readonly def: PlanDef;
  private readonly indexOf = new Map<string, number>();
  private readonly binders = new Map<string, number[]>();

  constructor(def: PlanDef) {
    this.def = def;
    this.bound = def.steps.map(boundName);
    for (const [index, step] of def.steps.entries()) {
      if (!this.indexOf.has(step.id)) this.indexOf.set(step.id, index);
      const name = this.bound[index];
      if (name === undefined) continue;
      const list = this.binders.get(name);
      if (list === undefined) this.binders.set(name, [index]);
      else list.push(index);
    }
  }

  /** The first step with this id. */
  positionOf(id: string): number | undefined {
    return this.indexOf.get(id);
  }

  /** Variables that steps bind, in the order of the first that does. */
  get variables(): readonly string[] {
    return [...this.binders.keys()];
  }

  /** Steps that bind a variable, in the order of the list. */
  bindersOf(name: string): readonly number[] {
    return this.binders.get(name) ?? [];
  }

  /** The kind of effect whose handle a variable holds. */
  effectOf(handle: string): string | undefined {
    for (const index of this.bindersOf(handle)) {
      const step = this.def.steps[index];
      if (step?.op === 'emit_effect') return step.kind;
    }
    return undefined;
  }

  /** The plan behind `@var:<handle>`, `@step:<spawn>` or `@step:<spawn>.<handle>`. */
  childOf(expr: Expr): string | undefined {
    if (expr.form !== 'ref') return undefined;
    const candidates =
      expr.root === 'var' ? this.bindersOf(handleOf(expr) ?? '') : [this.positionOf(expr.name ?? '') ?? -1];
    for (const index of candidates) {
      const step = this.def.steps[index];
      if (step?.op === 'spawn_plan' || step?.op === 'spawn_for_each') return step.plan;
    }
    return undefined;
  }
}
