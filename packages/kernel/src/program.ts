import { boundName, type Expr, exprRefs, handleRefs, type PlanDef, type RefExpr } from '@worldline/air';

/**
 * Tables derived from a plan definition once (`plans.md` §6.1): who waits for whom, which invariants need what.
 * Step positions are indexes into `plan.steps`, which is declaration order.
 */

export interface IncomingEdge {
  /** Position in `plan.edges`. */
  readonly edge: number;
  readonly from: number;
  readonly when: Expr | undefined;
}

export interface InvariantProgram {
  readonly expr: Expr;
  readonly variables: readonly string[];
  readonly steps: readonly number[];
}

/** A conjunct of `where` that an index may use (`kernel.md` §6.5). */
export interface MatchCandidate {
  /** `@event` path without its root. */
  readonly path: readonly string[];
  readonly value: Expr;
  /** Variables in `value` that some step binds: they must be settled for the value to stay fixed. */
  readonly binders: readonly number[];
}

export interface WaitProgram {
  /** Bound roots that `where` needs, in evaluation order, with their place below `/steps/<i>/where`. */
  readonly roots: readonly { readonly ref: RefExpr; readonly path: readonly (string | number)[] }[];
  readonly match: MatchCandidate | undefined;
}

export interface PlanProgram {
  /** Explicit edges into each step, in declaration order. */
  readonly incoming: readonly (readonly IncomingEdge[])[];
  /** Steps that must settle before this one is decided: explicit and data predecessors, without duplicates. */
  readonly predecessors: readonly (readonly number[])[];
  readonly successors: readonly (readonly number[])[];
  readonly invariants: readonly InvariantProgram[];
  /** For `await_event` steps. */
  readonly waits: ReadonlyMap<number, WaitProgram>;
  readonly hasOutput: boolean;
  /** Position of a step by its id. */
  readonly positions: ReadonlyMap<string, number>;
  /** Effect kind by the handle that the emitting step binds. */
  readonly kinds: ReadonlyMap<string, string>;
}

const programs = new WeakMap<PlanDef, PlanProgram>();

export function programOf(plan: PlanDef): PlanProgram {
  let program = programs.get(plan);
  if (program === undefined) {
    program = compile(plan);
    programs.set(plan, program);
  }
  return program;
}

function compile(plan: PlanDef): PlanProgram {
  const indexOf = new Map(plan.steps.map((step, i) => [step.id, i]));
  const incoming: IncomingEdge[][] = plan.steps.map(() => []);
  const predecessors: Set<number>[] = plan.steps.map(() => new Set());
  const emitterOf = new Map<string, number>();
  const kinds = new Map<string, string>();
  const spawns = new Map<string, number>();
  const binders = new Map<string, number[]>();
  plan.steps.forEach((step, i) => {
    if (step.op === 'spawn_plan') spawns.set(step.handleAs, i);
    if (step.op === 'spawn_for_each') spawns.set(step.handlesAs, i);
    if (step.op === 'emit_effect') {
      emitterOf.set(step.effectIdAs, i);
      if (!kinds.has(step.effectIdAs)) kinds.set(step.effectIdAs, step.kind);
    }
    const name = boundName(step);
    if (name !== undefined) binders.set(name, [...(binders.get(name) ?? []), i]);
  });
  plan.edges.forEach((edge, e) => {
    const to = indexOf.get(edge.to)!;
    const from = indexOf.get(edge.from)!;
    incoming[to]!.push({ edge: e, from, when: edge.when });
    predecessors[to]!.add(from);
  });
  const waits = new Map<number, WaitProgram>();
  plan.steps.forEach((step, i) => {
    if (step.op === 'await_receipt') predecessors[i]!.add(emitterOf.get(step.handle)!);
    if (step.op === 'await_plan' || step.op === 'await_plans_all') {
      for (const ref of step.op === 'await_plan' ? [step.for] : handleRefs(step.handles)) {
        const spawn = spawnOf(ref, spawns, indexOf);
        if (spawn !== undefined) predecessors[i]!.add(spawn);
      }
    }
    if (step.op === 'await_event') waits.set(i, compileWait(step.where, binders));
  });
  const successors: number[][] = plan.steps.map(() => []);
  predecessors.forEach((set, to) => {
    for (const from of set) successors[from]!.push(to);
  });
  return {
    incoming,
    predecessors: predecessors.map((set) => [...set]),
    successors,
    invariants: plan.invariants.map((expr) => compileInvariant(expr, indexOf)),
    waits,
    hasOutput: plan.output !== undefined,
    positions: indexOf,
    kinds,
  };
}

/** The step that makes the handle of `@var:<handle>` or `@step:<spawn>`. */
function spawnOf(
  ref: Expr,
  spawns: ReadonlyMap<string, number>,
  indexOf: ReadonlyMap<string, number>,
): number | undefined {
  if (ref.form !== 'ref') return undefined;
  return ref.root === 'var' ? spawns.get(ref.name!) : indexOf.get(ref.name!);
}

function compileInvariant(expr: Expr, indexOf: ReadonlyMap<string, number>): InvariantProgram {
  const variables = new Set<string>();
  const steps = new Set<number>();
  for (const { ref } of exprRefs(expr)) {
    if (ref.root === 'var') variables.add(ref.name!);
    if (ref.root === 'step') steps.add(indexOf.get(ref.name!)!);
  }
  return { expr, variables: [...variables], steps: [...steps] };
}

function compileWait(where: Expr | undefined, binders: ReadonlyMap<string, readonly number[]>): WaitProgram {
  if (where === undefined) return { roots: [], match: undefined };
  const roots = exprRefs(where).filter(({ ref }) => ref.root === 'var' || ref.root === 'step');
  let match: MatchCandidate | undefined;
  for (const conjunct of conjuncts(where)) {
    match = qualifies(conjunct, binders);
    if (match !== undefined) break;
  }
  return { roots, match };
}

function conjuncts(expr: Expr): readonly Expr[] {
  return expr.form === 'op' && expr.op === 'and' ? expr.args.flatMap(conjuncts) : [expr];
}

function qualifies(expr: Expr, binders: ReadonlyMap<string, readonly number[]>): MatchCandidate | undefined {
  if (expr.form !== 'op' || expr.op !== 'eq') return undefined;
  const [a, b] = expr.args as [Expr, Expr];
  return fixedAgainst(a, b, binders) ?? fixedAgainst(b, a, binders);
}

function fixedAgainst(
  field: Expr,
  value: Expr,
  binders: ReadonlyMap<string, readonly number[]>,
): MatchCandidate | undefined {
  if (field.form !== 'ref' || field.root !== 'event' || field.path.length === 0) return undefined;
  const settled: number[] = [];
  for (const { ref } of exprRefs(value)) {
    if (ref.root === 'event') return undefined;
    if (ref.root !== 'var' || ref.name === 'correlation_id') continue;
    const steps = binders.get(ref.name!) ?? [];
    if (steps.length !== 1) return undefined;
    settled.push(steps[0]!);
  }
  return { path: field.path, value, binders: settled };
}
