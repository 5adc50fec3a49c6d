import type { EdgeSource, PlanSource } from './node-plan.ts';
import { handleOf } from './node-plan-canonical.ts';
import { handleRefs } from './step.ts';

/** The graph of a plan's steps: explicit edges and the data edges they imply (`plans.md` §6.1). */

export interface PlanGraph {
  /** Indices of steps in the order of the edges; one that follows by two edges stands twice. */
  readonly successors: readonly (readonly number[])[];
  /** A cycle as step indices, first repeated at the end; undefined when there is none. */
  readonly cycle: readonly number[] | undefined;
  /** Does `later` come after `step`? Asked of a graph without cycle. */
  comesAfter(step: number, later: number): boolean;
}

/** @param source - Its step ids are unique (V-502); edges that name no step are passed over. */
export function graphOf(source: PlanSource): PlanGraph {
  const indexOf = new Map(source.steps.map((step, index) => [step.id, index]));
  const successors: number[][] = source.steps.map(() => []);
  const add = (from: number | undefined, to: number | undefined) => {
    if (from !== undefined && to !== undefined) successors[from]?.push(to);
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
        const from = ref.root === 'var' ? binders.get(ref.name ?? '') : indexOf.get(ref.name ?? '');
        // What makes no handle implies no edge; that it is awaited all the same is V-703 or V-704.
        if (from !== undefined && isHandleOp(source.steps[from]?.op ?? '')) add(from, index);
      }
    }
  }

  const cycle = findCycle(successors);
  const reaches = new Reach(successors);
  let order: readonly number[] | undefined;
  return {
    successors,
    cycle,
    comesAfter(step, later) {
      // What the order of one walk rules out, which is the usual case, needs no walk of its own.
      order ??= topologicalOrder(successors);
      if (cycle === undefined && (order[later] as number) < (order[step] as number)) return false;
      return reaches.from(step, later);
    },
  };
}

/**
 * Walks of a graph may all be looked at in a plan of any allowed size (512 steps, 2 048 edges). In a plan that is too
 * large, which was said, the answer is no when they would take too long.
 */
const VISITS_MAX = 4_000_000;

class Reach {
  private readonly successors: readonly (readonly number[])[];
  private readonly seen: Int32Array;
  /** Whose walk `seen` holds. */
  private start = -1;
  private visits = 0;

  constructor(successors: readonly (readonly number[])[]) {
    this.successors = successors;
    this.seen = new Int32Array(successors.length).fill(-1);
  }

  from(step: number, later: number): boolean {
    if (this.start !== step) {
      if (this.visits > VISITS_MAX) return false;
      this.start = step;
      const open = [...(this.successors[step] ?? [])];
      for (let next = open.pop(); next !== undefined; next = open.pop()) {
        this.visits += 1;
        if (this.seen[next] === step) continue;
        this.seen[next] = step;
        for (const to of this.successors[next] ?? []) open.push(to);
      }
    }
    return this.seen[later] === step;
  }
}

/** Each step's place in an order that all edges keep; the steps of a cycle and what comes after it stand last. */
function topologicalOrder(successors: readonly (readonly number[])[]): readonly number[] {
  const waiting = successors.map(() => 0);
  for (const list of successors) for (const to of list) waiting[to] = (waiting[to] as number) + 1;
  const order = successors.map(() => successors.length);
  // A step is ready when all before it are placed. Ready ones are taken depth first, so that a list that is written in
  // the order in which it runs keeps that order.
  const open = [...successors.keys()].filter((step) => waiting[step] === 0).reverse();
  let place = 0;
  for (let step = open.pop(); step !== undefined; step = open.pop()) {
    order[step] = place++;
    for (const to of successors[step] ?? []) {
      waiting[to] = (waiting[to] as number) - 1;
      if (waiting[to] === 0) open.push(to);
    }
  }
  return order;
}

export function isHandleOp(op: string): boolean {
  return op === 'emit_effect' || op === 'spawn_plan' || op === 'spawn_for_each';
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
