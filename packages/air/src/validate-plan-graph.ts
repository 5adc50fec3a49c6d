import type { Expr } from './expr.ts';
import type { EdgeSource, PlanSource } from './node-plan.ts';
import { handleOf } from './node-plan-canonical.ts';

/** The graph of a plan's steps: explicit edges and the data edges they imply (`plans.md` §6.1). */

export interface PlanGraph {
  /** Indices of steps, each once, in the order of the edges. */
  readonly successors: readonly (readonly number[])[];
  /** A cycle as step indices, first repeated at the end; undefined when there is none. */
  readonly cycle: readonly number[] | undefined;
  /** Everything that comes after a step. */
  after(step: number): ReadonlySet<number>;
}

/** @param source - Its step ids are unique and its edges name steps (V-502, V-503); other edges are passed over. */
export function graphOf(source: PlanSource): PlanGraph {
  const indexOf = new Map(source.steps.map((step, index) => [step.id, index]));
  const successors: number[][] = source.steps.map(() => []);
  const add = (from: number | undefined, to: number | undefined) => {
    if (from === undefined || to === undefined) return;
    if (successors[from]?.includes(to) === false) successors[from].push(to);
  };
  for (const edge of source.edges satisfies readonly EdgeSource[]) add(indexOf.get(edge.from), indexOf.get(edge.to));

  const binders = new Map<string, number>();
  for (const [index, step] of source.steps.entries()) {
    if (isHandleOp(step.op) && step.bind !== undefined && !binders.has(step.bind)) binders.set(step.bind, index);
  }
  for (const [index, step] of source.steps.entries()) {
    if (step.op === 'await_receipt') {
      const handle = handleOf(step.expr);
      add(handle === undefined ? undefined : binders.get(handle), index);
    } else if (step.op === 'await_plan' || step.op === 'await_plans_all') {
      for (const ref of handleRefs(step.expr)) {
        if (ref.form !== 'ref') continue;
        add(ref.root === 'var' ? binders.get(ref.name ?? '') : indexOf.get(ref.name ?? ''), index);
      }
    }
  }

  const reach = new Map<number, ReadonlySet<number>>();
  return {
    successors,
    cycle: findCycle(successors),
    after(step) {
      let found = reach.get(step);
      if (found === undefined) {
        found = reachable(successors, step);
        reach.set(step, found);
      }
      return found;
    },
  };
}

export function isHandleOp(op: string): boolean {
  return op === 'emit_effect' || op === 'spawn_plan' || op === 'spawn_for_each';
}

/** The references of `for` or `handles`: one, or the items of a list. */
export function handleRefs(expr: Expr | undefined): readonly Expr[] {
  return expr === undefined ? [] : expr.form === 'list' ? expr.items : [expr];
}

function reachable(successors: readonly (readonly number[])[], start: number): ReadonlySet<number> {
  const found = new Set<number>();
  const open = [...(successors[start] ?? [])];
  for (let step = open.pop(); step !== undefined; step = open.pop()) {
    if (found.has(step)) continue;
    found.add(step);
    open.push(...(successors[step] ?? []));
  }
  return found;
}

/** The first cycle met when walking the nodes in order. The walk keeps its own stack. */
export function findCycle(successors: readonly (readonly number[])[]): readonly number[] | undefined {
  const done = new Set<number>();
  for (const start of successors.keys()) {
    const path: { node: number; next: number }[] = [];
    const onPath = new Set<number>();
    const enter = (node: number) => {
      if (done.has(node)) return;
      path.push({ node, next: 0 });
      onPath.add(node);
    };
    enter(start);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const next = successors[top.node]?.[top.next++];
      if (next === undefined) {
        path.pop();
        onPath.delete(top.node);
        done.add(top.node);
      } else if (onPath.has(next)) {
        const nodes = path.map(({ node }) => node);
        return [...nodes.slice(nodes.indexOf(next)), next];
      } else {
        enter(next);
      }
    }
  }
  return undefined;
}
