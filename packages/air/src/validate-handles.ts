import type { Path } from '@worldline/canon';
import { shownCycle, suggestHint } from './diagnostic.ts';
import type { Expr } from './expr.ts';
import { EXPR_MEMBERS, type PlanSource, type StepSource } from './node-plan.ts';
import { handleOf, sortedSet } from './node-plan-canonical.ts';
import type { Problem, Report } from './node-read.ts';
import { handleRefs } from './step.ts';
import { isHandleOp } from './validate-plan-graph.ts';
import type { Pass, World } from './validate-world.ts';

/** Handles of effects and children, and who waits for them: V-508 … V-510, V-703, V-704, V-706. */

type SpawnOp = 'spawn_plan' | 'spawn_for_each';

export const checkHandles: Pass = (world) => [
  ...[...world.plans.values()].flatMap(({ source }) => new HandleRules(source).run()),
  ...checkSpawnCycles(world),
];

class HandleRules {
  private readonly source: PlanSource;
  /** Emitting and spawning steps before the one that is looked at: by handle, and the spawning ones by id. */
  private readonly emitted = new Map<string, StepSource>();
  private readonly spawned = { var: new Map<string, StepSource[]>(), step: new Map<string, StepSource[]>() };
  private readonly problems: Problem[] = [];

  constructor(source: PlanSource) {
    this.source = source;
  }

  run(): readonly Problem[] {
    const handles = new Set<string>();
    for (const step of this.source.steps) {
      this.await(step);
      if (isHandleOp(step.op) && step.bind !== undefined) {
        if (handles.has(step.bind)) {
          this.report({
            rule: 'V-508',
            code: 'plan.duplicate_handle',
            path: ['steps', step.index, 'bind'],
            message: `two steps bind the handle "${step.bind}"`,
            hint: 'Give each emitting or spawning step a handle of its own.',
            fields: { handle: step.bind },
          });
        }
        handles.add(step.bind);
      }
      this.remember(step);
    }
    return this.problems;
  }

  private remember(step: StepSource): void {
    const { id, op, bind } = step;
    if (op === 'emit_effect' && bind !== undefined) this.emitted.set(bind, step);
    if (op !== 'spawn_plan' && op !== 'spawn_for_each') return;
    if (bind !== undefined) this.spawned.var.set(bind, [...(this.spawned.var.get(bind) ?? []), step]);
    this.spawned.step.set(id, [...(this.spawned.step.get(id) ?? []), step]);
  }

  /** V-509, V-510, V-703, V-704. */
  private await(step: StepSource): void {
    // What a wait is for may not have read.
    if (this.source.unread.has('steps', step.index, EXPR_MEMBERS[step.op] ?? '')) return;
    if (step.op === 'await_receipt') {
      const path = ['steps', step.index, 'for'];
      const handle = handleOf(step.expr);
      if (handle === undefined) {
        this.report({
          rule: 'V-509',
          code: 'plan.await_bad_ref',
          path,
          message: `step "${step.id}" must wait for exactly {"ref": "@var:<handle>"}`,
          hint: 'Name the variable that an emit_effect step binds as effect_id_as.',
          fields: { step: step.id },
        });
      } else if (!this.emitted.has(handle) && !this.isLost('var', handle)) {
        this.report({
          rule: 'V-510',
          code: 'plan.await_unknown_handle',
          path,
          message: `no step before "${step.id}" in the list binds the effect handle "${handle}"`,
          hint: () => this.handleHint(handle),
          fields: { step: step.id, handle },
        });
      }
    } else if (step.op === 'await_plan') {
      if (this.spawnOf(step.expr, 'spawn_plan') === undefined) this.badHandle(step, ['for'], step.expr, 'spawn_plan');
    } else if (step.op === 'await_plans_all') {
      this.awaitAll(step);
    }
  }

  private handleHint(handle: string): string | undefined {
    const handles = this.source.steps.flatMap((other) => (other.op === 'emit_effect' ? (other.bind ?? []) : []));
    if (handles.includes(handle)) return 'Move the emit_effect step up in the list.';
    return (
      suggestHint(handle, handles) ?? 'Emit an effect before it in the list, and name what it binds as effect_id_as.'
    );
  }

  private awaitAll(step: StepSource): void {
    if (step.expr?.form !== 'list') {
      if (this.spawnOf(step.expr, 'spawn_for_each') === undefined)
        this.badHandle(step, ['handles'], step.expr, 'spawn_for_each');
      return;
    }
    const plans: string[] = [];
    for (const [index, item] of handleRefs(step.expr).entries()) {
      const spawn = this.spawnOf(item, 'spawn_plan');
      if (spawn === undefined) this.badHandle(step, ['handles', 'list', index], item, 'spawn_plan');
      else if (spawn.plan !== undefined) plans.push(spawn.plan);
    }
    const distinct = sortedSet(plans);
    if (distinct.length > 1) {
      this.report({
        rule: 'V-704',
        code: 'plan.handles_mixed',
        path: ['steps', step.index, 'handles'],
        message: `the handles belong to several plans: ${distinct.join(', ')}`,
        hint: 'Await the children of each plan in a step of their own.',
        fields: { step: step.id, plans: distinct },
      });
    }
  }

  private badHandle(step: StepSource, path: Path, expr: Expr | undefined, wanted: SpawnOp): void {
    if (
      expr?.form === 'ref' &&
      (expr.root === 'var' || expr.root === 'step') &&
      this.isLost(expr.root, expr.name ?? '')
    )
      return;
    this.report({
      rule: step.op === 'await_plan' ? 'V-703' : 'V-704',
      code: 'plan.await_bad_handle',
      path: ['steps', step.index, ...path],
      message: `step "${step.id}" must wait for a handle that an earlier spawn step binds`,
      hint: () => this.spawnHint(expr, wanted),
      fields: { step: step.id },
    });
  }

  /** The earlier spawn step behind `@var:<handle>`, `@step:<id>` or `@step:<id>.<handle>`. */
  private spawnOf(expr: Expr | undefined, op: SpawnOp): StepSource | undefined {
    if (expr?.form !== 'ref' || (expr.root !== 'var' && expr.root !== 'step')) return undefined;
    const spawn = this.spawned[expr.root].get(expr.name ?? '')?.find((other) => other.op === op);
    const [handle, ...rest] = expr.path;
    // A handle that did not read may have this name.
    const bound = spawn?.bind ?? handle;
    const whole = handle === undefined || (expr.root === 'step' && rest.length === 0 && handle === bound);
    return whole ? spawn : undefined;
  }

  private spawnHint(expr: Expr | undefined, wanted: SpawnOp): string {
    if (wanted === 'spawn_plan' && this.spawnOf(expr, 'spawn_for_each') !== undefined)
      return 'These are the handles of many children: wait for them with await_plans_all.';
    if (wanted === 'spawn_for_each' && this.spawnOf(expr, 'spawn_plan') !== undefined)
      return 'This is the handle of one child: wait for it with await_plan, or put it into a list: {"list": [{"ref": "@var:<handle>"}]}.';
    if (expr?.form !== 'ref' || expr.root !== 'var') return 'Write {"ref": "@var:<handle>"}.';
    const handles = this.source.steps.flatMap(({ op, bind }) => (op === wanted ? (bind ?? []) : []));
    if (handles.includes(expr.name ?? ''))
      return 'Move the spawning step up in the list, and name the handle without a path.';
    const near = suggestHint(expr.name ?? '', handles);
    return near ?? `Name the handle that a step ${wanted} further up in the list binds.`;
  }

  /** May it be the handle or the id of a step that did not read? */
  private isLost(root: 'var' | 'step', name: string): boolean {
    const { lost, names } = this.source;
    return root === 'var'
      ? lost.variables.has(name) || (lost.anyVariable && !names.variables.has(name))
      : lost.steps.has(name) || (lost.anyStep && !names.steps.has(name));
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
    const path: { name: string; spawns: readonly StepSource[]; next: number }[] = [];
    const onPath = new Set<string>();
    const enter = (name: string): void => {
      const plan = world.plans.get(name);
      if (plan === undefined || done.has(name)) return;
      path.push({ name, spawns: plan.source.steps.filter((step) => step.plan !== undefined), next: 0 });
      onPath.add(name);
    };
    enter(start);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const spawn = top.spawns[top.next++];
      if (spawn === undefined) {
        path.pop();
        onPath.delete(top.name);
        done.add(top.name);
      } else if (onPath.has(spawn.plan as string)) {
        const names = path.map(({ name }) => name);
        const cycle = shownCycle([...names.slice(names.indexOf(spawn.plan as string)), spawn.plan as string]);
        problems.push({
          origin: (world.plans.get(top.name) as { source: PlanSource }).source.origin,
          rule: 'V-706',
          code: 'plan.spawn_cycle',
          path: ['steps', spawn.index, 'plan'],
          message: `plans spawn each other: ${cycle.join(' → ')}`,
          hint: 'Let a child end, and start the next one by an event.',
          fields: { cycle },
        });
      } else {
        enter(spawn.plan as string);
      }
    }
  }
  return problems;
}
