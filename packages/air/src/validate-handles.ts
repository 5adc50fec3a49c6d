import type { Path } from '@worldline/canon';
import { suggestHint } from './diagnostic.ts';
import type { Expr } from './expr.ts';
import type { PlanSource, StepSource } from './node-plan.ts';
import { handleOf, sortedSet } from './node-plan-canonical.ts';
import type { Problem, Report } from './node-read.ts';
import { handleRefs, isHandleOp } from './validate-plan-graph.ts';
import type { Pass, World } from './validate-world.ts';

/** Handles of effects and children, and who waits for them: V-508 … V-510, V-703, V-704, V-706. */

export const checkHandles: Pass = (world) => [
  ...[...world.plans.values()].flatMap(({ source }) => new HandleRules(source).run()),
  ...checkSpawnCycles(world),
];

class HandleRules {
  private readonly source: PlanSource;
  private readonly problems: Problem[] = [];

  constructor(source: PlanSource) {
    this.source = source;
  }

  run(): readonly Problem[] {
    const handles = new Set<string>();
    for (const step of this.source.steps) {
      if (isHandleOp(step.op) && step.bind !== undefined) {
        if (handles.has(step.bind)) {
          this.report({
            rule: 'V-508',
            code: 'plan.duplicate_handle',
            path: ['steps', step.index, 'bind'],
            message: `two steps bind the handle "${step.bind}"`,
            fields: { handle: step.bind },
          });
        }
        handles.add(step.bind);
      }
      this.await(step);
    }
    return this.problems;
  }

  /** V-509, V-510, V-703, V-704. */
  private await(step: StepSource): void {
    if (step.op === 'await_receipt') {
      const path = ['steps', step.index, 'for'];
      const handle = handleOf(step.expr);
      if (handle === undefined) {
        this.report({
          rule: 'V-509',
          code: 'plan.await_bad_ref',
          path,
          message: `step "${step.id}" must wait for exactly {"ref": "@var:<handle>"}`,
          fields: { step: step.id },
        });
      } else if (!this.earlier(step).some((other) => other.op === 'emit_effect' && other.bind === handle)) {
        const handles = this.source.steps.flatMap((other) => (other.op === 'emit_effect' ? (other.bind ?? []) : []));
        this.report({
          rule: 'V-510',
          code: 'plan.await_unknown_handle',
          path,
          message: `no step before "${step.id}" in the list binds the effect handle "${handle}"`,
          hint: handles.includes(handle) ? 'Move the emit_effect step up.' : suggestHint(handle, handles),
          fields: { step: step.id, handle },
        });
      }
    } else if (step.op === 'await_plan') {
      if (this.spawnOf(step.expr, step, 'spawn_plan') === undefined) this.badHandle(step, ['for']);
    } else if (step.op === 'await_plans_all') {
      this.awaitAll(step);
    }
  }

  private awaitAll(step: StepSource): void {
    if (step.expr?.form !== 'list') {
      if (this.spawnOf(step.expr, step, 'spawn_for_each') === undefined) this.badHandle(step, ['handles']);
      return;
    }
    const plans: string[] = [];
    for (const [index, item] of handleRefs(step.expr).entries()) {
      const spawn = this.spawnOf(item, step, 'spawn_plan');
      if (spawn === undefined) this.badHandle(step, ['handles', 'list', index]);
      else if (spawn.plan !== undefined) plans.push(spawn.plan);
    }
    const distinct = sortedSet(plans);
    if (distinct.length > 1) {
      this.report({
        rule: 'V-704',
        code: 'plan.handles_mixed',
        path: ['steps', step.index, 'handles'],
        message: `the handles belong to several plans: ${distinct.join(', ')}`,
        fields: { step: step.id, plans: distinct },
      });
    }
  }

  private badHandle(step: StepSource, path: Path): void {
    this.report({
      rule: step.op === 'await_plan' ? 'V-703' : 'V-704',
      code: 'plan.await_bad_handle',
      path: ['steps', step.index, ...path],
      message: `step "${step.id}" must wait for a handle that an earlier spawn step binds`,
      fields: { step: step.id },
    });
  }

  /** The earlier spawn step behind `@var:<handle>`, `@step:<id>` or `@step:<id>.<handle>`. */
  private spawnOf(
    expr: Expr | undefined,
    step: StepSource,
    op: 'spawn_plan' | 'spawn_for_each',
  ): StepSource | undefined {
    if (expr?.form !== 'ref') return undefined;
    const spawn = this.earlier(step).find(
      (other) =>
        other.op === op && (expr.root === 'var' ? other.bind : expr.root === 'step' ? other.id : '') === expr.name,
    );
    const [handle, ...rest] = expr.path;
    const whole = handle === undefined || (expr.root === 'step' && rest.length === 0 && handle === spawn?.bind);
    return whole ? spawn : undefined;
  }

  private earlier(step: StepSource): readonly StepSource[] {
    return this.source.steps.slice(0, this.source.steps.indexOf(step));
  }

  private report(problem: Report): void {
    this.problems.push({ origin: this.source.origin, ...problem });
  }
}

/** V-706. Reported once per cycle, at the spawn step that closes it. */
function checkSpawnCycles(world: World): readonly Problem[] {
  const problems: Problem[] = [];
  const done = new Set<string>();
  for (const start of world.plans.keys()) {
    const path: { name: string; spawns: StepSource[] }[] = [];
    const enter = (name: string): void => {
      const plan = world.plans.get(name);
      if (plan === undefined || done.has(name)) return;
      path.push({ name, spawns: plan.source.steps.filter((step) => step.plan !== undefined) });
    };
    enter(start);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const spawn = top.spawns.shift();
      const names = path.map(({ name }) => name);
      if (spawn === undefined) {
        path.pop();
        done.add(top.name);
      } else if (names.includes(spawn.plan as string)) {
        const cycle = [...names.slice(names.indexOf(spawn.plan as string)), spawn.plan as string];
        problems.push({
          origin: (world.plans.get(top.name) as { source: PlanSource }).source.origin,
          rule: 'V-706',
          code: 'plan.spawn_cycle',
          path: ['steps', spawn.index, 'plan'],
          message: `plans spawn each other: ${cycle.join(' → ')}`,
          fields: { cycle },
        });
      } else {
        enter(spawn.plan as string);
      }
    }
  }
  return problems;
}
