import type { Facts } from './facts.ts';

/**
 * The order in which the steps of a plan can run, what must have run before a step, and which facts hold there
 * (`expressions.md` §13.5).
 *
 * F1 A step runs only when one of its explicit edges fired, so what holds at a step is what holds along all of them:
 *    `facts(step)` = intersection over its edges `p→step` of `facts(p) ∪ facts(when)`.
 * F2 Facts are kept where they begin to hold and are found from below through the tree of dominators: a long chain of
 *    guards costs its length, not its square.
 */
export class PlanFlow {
  /** Every step once; before what follows it, where there is no cycle. */
  readonly order: readonly number[];
  /** False when edges form a cycle: then nothing is known about what comes before what. */
  readonly acyclic: boolean;
  private readonly incoming: readonly (readonly FlowEdge[])[];
  /** Immediate dominator; `-1` for a root, and for everything in a plan with a cycle. */
  private readonly parent: Int32Array;
  private readonly depth: Int32Array;
  /** A further dominator, chosen so that any is reached in logarithmically many jumps. */
  private readonly jump: Int32Array;
  /** Facts that hold at a step and not yet at its immediate dominator. */
  private readonly own: (Facts | undefined)[] = [];
  private readonly begins = new Map<string, { readonly step: number; readonly value: string }[]>();

  constructor(count: number, edges: readonly FlowEdge[]) {
    const incoming: FlowEdge[][] = Array.from({ length: count }, () => []);
    const outgoing: number[][] = Array.from({ length: count }, () => []);
    for (const edge of edges) {
      incoming[edge.to]?.push(edge);
      outgoing[edge.from]?.push(edge.to);
    }
    this.incoming = incoming;
    const waiting = Int32Array.from(incoming, (list) => list.length);
    const order: number[] = [];
    for (let step = 0; step < count; step += 1) if (waiting[step] === 0) order.push(step);
    for (let next = 0; next < order.length; next += 1) {
      for (const to of outgoing[order[next] as number] as number[]) {
        waiting[to] = (waiting[to] as number) - 1;
        if (waiting[to] === 0) order.push(to);
      }
    }
    this.acyclic = order.length === count;
    if (!this.acyclic) for (let step = 0; step < count; step += 1) if ((waiting[step] as number) > 0) order.push(step);
    this.order = order;
    this.parent = new Int32Array(count).fill(-1);
    this.jump = new Int32Array(count).fill(-1);
    this.depth = new Int32Array(count);
    if (this.acyclic) for (const step of order) this.place(step);
  }

  private place(step: number): void {
    const edges = this.incoming[step] as readonly FlowEdge[];
    let dominator = edges[0]?.from ?? -1;
    for (const { from } of edges) dominator = this.meet(dominator, from);
    this.parent[step] = dominator;
    this.depth[step] = dominator < 0 ? 1 : (this.depth[dominator] as number) + 1;
    // Skew-binary jumps: twice the same distance joins to one of the sum.
    const once = dominator < 0 ? -1 : (this.jump[dominator] as number);
    const twice = once < 0 ? -1 : (this.jump[once] as number);
    const even = this.depthOf(dominator) - this.depthOf(once) === this.depthOf(once) - this.depthOf(twice);
    this.jump[step] = even ? twice : dominator;
  }

  private depthOf(step: number): number {
    return step < 0 ? 0 : (this.depth[step] as number);
  }

  private raise(step: number, depth: number): number {
    let current = step;
    while (this.depthOf(current) > depth) {
      const far = this.jump[current] as number;
      current = this.depthOf(far) >= depth ? far : (this.parent[current] as number);
    }
    return current;
  }

  private meet(a: number, b: number): number {
    const depth = Math.min(this.depthOf(a), this.depthOf(b));
    let left = this.raise(a, depth);
    let right = this.raise(b, depth);
    while (left !== right) {
      const same = this.jump[left] === this.jump[right];
      left = (same ? this.parent : this.jump)[left] as number;
      right = (same ? this.parent : this.jump)[right] as number;
    }
    return left;
  }

  /** Whenever `later` was decided to run, had `earlier` completed? A step has not completed before itself. */
  precedes(earlier: number, later: number): boolean {
    return earlier !== later && this.precedesOrIs(earlier, later);
  }

  precedesOrIs(earlier: number, later: number): boolean {
    if (earlier === later) return true;
    return this.acyclic && this.raise(later, this.depthOf(earlier)) === earlier;
  }

  /** Facts along edges, once each edge can say what its guard establishes. */
  learn(factsOfEdge: (edge: number) => Facts | undefined): void {
    if (!this.acyclic) return;
    for (const step of this.order) {
      const edges = this.incoming[step] as readonly FlowEdge[];
      const [first] = edges;
      if (first === undefined) continue;
      const guards = edges.map(({ index }) => factsOfEdge(index));
      const facts = new Map<string, string>();
      const along = (position: number, key: string): string | undefined =>
        guards[position]?.get(key) ?? this.at((edges[position] as FlowEdge).from, key);
      const consider = (key: string, value: string): void => {
        if (edges.every((_, position) => along(position, key) === value)) facts.set(key, value);
      };
      if (edges.length === 1) {
        for (const [key, value] of guards[0] ?? []) facts.set(key, value);
      } else {
        // What all edges agree on, the shallowest of them knows.
        const shallow = this.shallowest(edges);
        for (const [key, value] of guards[shallow] ?? []) consider(key, value);
        const end = this.parent[step] as number;
        for (let at = (edges[shallow] as FlowEdge).from; at !== end; at = this.parent[at] as number) {
          for (const [key, value] of this.own[at] ?? []) consider(key, value);
        }
      }
      this.begin(step, facts);
    }
  }

  private shallowest(edges: readonly FlowEdge[]): number {
    let best = 0;
    for (const [position, { from }] of edges.entries()) {
      if (this.depthOf(from) < this.depthOf((edges[best] as FlowEdge).from)) best = position;
    }
    return best;
  }

  private begin(step: number, facts: Map<string, string>): void {
    for (const [key, value] of facts) {
      if (this.at(step, key) === value) {
        facts.delete(key);
        continue;
      }
      const begins = this.begins.get(key);
      if (begins === undefined) this.begins.set(key, [{ step, value }]);
      else begins.push({ step, value });
    }
    if (facts.size > 0) this.own[step] = facts;
  }

  /** The value of a fact that holds when `step` runs. */
  at(step: number, key: string): string | undefined {
    const begins = this.begins.get(key);
    if (begins === undefined) return undefined;
    // The latest one counts: of two that contradict each other the step is never reached anyway.
    for (let i = begins.length - 1; i >= 0; i -= 1) {
      const begin = begins[i] as { readonly step: number; readonly value: string };
      if (this.precedesOrIs(begin.step, step)) return begin.value;
    }
    return undefined;
  }
}

export interface FlowEdge {
  readonly from: number;
  readonly to: number;
  /** In the plan's list of edges. */
  readonly index: number;
}
