import { booleanOf, type KnownRoots, knownOf, knownOfSlot } from './envelope-eval.ts';
import { anyFrom, conformKnown, exactly, type Known, knownRecord, union } from './envelope-known.ts';
import type { Expr, RefExpr, Slot } from './expr.ts';
import type { Catalog, PlanDef, Step } from './node.ts';
import { boundName, handleRefs } from './step.ts';
import type { Type } from './type.ts';

/**
 * What one plan may do, step by step, before it runs: which steps can run at all, and what their slots may hold.
 *
 * It follows the scheduling of `plans.md` §6: a step is decided when everything before it is settled; it runs when one
 * edge from a completed step fires. Sets of steps are bits of an integer, by position.
 *
 * E1 A step counts as dead only when no run can execute it: each of its edges comes from a dead step or from an `end`,
 *    or has a guard that can give nothing but false.
 * E2 A variable may hold what any of its binders gives, except those that cannot have run yet and those that were surely
 *    overwritten; a declared local also what a manual start binds (`bind_locals`), unless a binder surely ran.
 */
export interface PlanReach {
  readonly plan: PlanDef;
  /** By position. */
  readonly steps: readonly StepReach[];
  /** What a slot of a step may hold once it is made to fit the schema; without one, as it is evaluated. */
  slot(position: number, slot: Slot, schema?: string): Known;
}

export type StepReach =
  /** Never runs. */
  | 'dead'
  /** Runs only if some guard holds. */
  | 'guarded'
  /** Runs in every run that gets that far. */
  | 'certain';

/** @param input - What the plan may be started with. */
export function reachOf(plan: PlanDef, input: Known, catalog: Catalog): PlanReach {
  return new Reach(plan, input, catalog);
}

type Binder = { readonly position: number; readonly known: () => Known };

const NO_STEPS = 0n;

class Reach implements PlanReach {
  readonly plan: PlanDef;
  readonly steps: readonly StepReach[];
  readonly #catalog: Catalog;
  readonly #input: Known;
  readonly #positions: ReadonlyMap<string, number>;
  /** Explicit edges into each step. */
  readonly #incoming: readonly (readonly { readonly from: number; readonly when: Expr | undefined }[])[];
  /** Steps that are settled before this one is decided, and those that are decided after it. */
  readonly #before: readonly bigint[];
  readonly #after: readonly bigint[];
  /** Steps that have surely completed when this one is executed. */
  readonly #done: readonly bigint[];
  readonly #binders: ReadonlyMap<string, readonly Binder[]>;
  readonly #values: (Known | 'open' | undefined)[];

  constructor(plan: PlanDef, input: Known, catalog: Catalog) {
    this.plan = plan;
    this.#catalog = catalog;
    this.#input = input;
    this.#positions = new Map(plan.steps.map((step, i) => [step.id, i]));
    const incoming: { from: number; when: Expr | undefined }[][] = plan.steps.map(() => []);
    for (const { from, to, when } of plan.edges) {
      incoming[this.#position(to)]!.push({ from: this.#position(from), when });
    }
    this.#incoming = incoming;
    const emitters = emittersOf(plan);
    const predecessors = plan.steps.map((step, i) => [
      ...incoming[i]!.map(({ from }) => from),
      ...dataPredecessors(step, plan, emitters, this.#positions),
    ]);
    const order = topological(predecessors);
    this.#before = closure(predecessors, order);
    this.#after = closure(successorsOf(predecessors), [...order].reverse());
    const certain = certainSteps(incoming, order);
    this.#done = this.#doneSteps(order, certain, emitters);
    this.#binders = this.#bindersOf();
    this.#values = plan.steps.map(() => undefined);
    // In this order a value finds those it needs, so that no chain of variables becomes a deep recursion.
    for (const step of order) this.#stepValue(step);
    this.steps = this.#reach(order, certain);
  }

  slot(position: number, slot: Slot, schema?: string): Known {
    const known = knownOfSlot(slot, this.#roots(this.#done[position]!, position));
    return schema === undefined ? known : conformKnown(known, named(schema), this.#catalog.scope);
  }

  #position(id: string): number {
    const position = this.#positions.get(id);
    if (position === undefined) throw new Error(`an edge of ${this.plan.name} names no step "${id}"`);
    return position;
  }

  // What has surely happened

  #doneSteps(order: readonly number[], certain: bigint, emitters: ReadonlyMap<string, readonly number[]>): bigint[] {
    const done: bigint[] = this.plan.steps.map(() => NO_STEPS);
    /** What has completed once the step itself has. */
    const upTo = (step: number) => {
      const node = this.plan.steps[step]!;
      const [emitter, ...others] = node.op === 'await_receipt' ? (emitters.get(node.handle) ?? []) : [];
      // A wait completes from a receipt of what was emitted.
      const emitted = emitter === undefined || others.length > 0 ? NO_STEPS : bit(emitter) | done[emitter]!;
      return bit(step) | done[step]! | emitted;
    };
    for (const step of order) {
      const edges = this.#incoming[step]!;
      // One edge fired, from a step that had completed; which one is not known.
      const fired = edges.map(({ from }) => upTo(from)).reduce<bigint | undefined>(intersection, undefined);
      done[step] = (this.#before[step]! & certain) | (fired ?? NO_STEPS);
    }
    return done;
  }

  #reach(order: readonly number[], certain: bigint): StepReach[] {
    const steps: StepReach[] = this.plan.steps.map(() => 'guarded');
    for (const step of order) {
      const edges = this.#incoming[step]!;
      const isDead =
        edges.length > 0 && edges.every(({ from, when }) => steps[from] === 'dead' || !this.#mayFire(from, step, when));
      steps[step] = isDead ? 'dead' : has(certain, step) ? 'certain' : 'guarded';
    }
    return steps;
  }

  #mayFire(from: number, to: number, when: Expr | undefined): boolean {
    if (this.plan.steps[from]!.op === 'end') return false;
    if (when === undefined) return true;
    const done = bit(from) | this.#done[from]! | this.#done[to]!;
    return booleanOf(knownOf(when, this.#roots(done, to))) !== false;
  }

  // What references may hold

  /**
   * @param done - Steps that have surely completed.
   * @param position - The step that is being decided or executed: neither it nor anything behind it has run.
   */
  #roots(done: bigint, position: number): KnownRoots {
    return (ref) => this.#root(ref, done, position);
  }

  #root(ref: RefExpr, done: bigint, position: number): Known {
    switch (ref.root) {
      case 'input':
        return this.#input.is === 'any' ? anyFrom('@plan.input') : this.#input;
      case 'event':
        return anyFrom('@event');
      case 'step': {
        const step = this.#positions.get(ref.name ?? '');
        return step === undefined ? anyFrom(`@step:${ref.name}`) : this.#stepValue(step);
      }
      case 'var':
        return this.#variable(ref.name ?? '', done, position);
      default:
        return ref.root satisfies never;
    }
  }

  #variable(name: string, done: bigint, position: number): Known {
    const unknown = anyFrom(`@var:${name}`);
    const binders = (this.#binders.get(name) ?? []).filter(
      (one) => one.position !== position && !has(this.#after[position]!, one.position),
    );
    const settled = binders.filter((one) => has(done, one.position));
    const isOverwritten = (one: Binder) => settled.some((later) => has(this.#before[later.position]!, one.position));
    const options = binders.filter((one) => !isOverwritten(one)).map((one) => one.known());
    if (settled.length === 0 && (this.plan.locals.has(name) || name === 'correlation_id')) return unknown;
    return options.length === 0 ? unknown : union(options);
  }

  #bindersOf(): ReadonlyMap<string, readonly Binder[]> {
    const binders = new Map<string, Binder[]>();
    const add = (name: string, position: number, known: () => Known) => {
      binders.set(name, [...(binders.get(name) ?? []), { position, known }]);
    };
    this.plan.steps.forEach((step, i) => {
      const bound = boundName(step);
      if (bound === undefined) return;
      const unknown = anyFrom(`@var:${bound}`);
      add(bound, i, step.op === 'assign' ? () => this.#stepValue(i) : () => unknown);
    });
    return binders;
  }

  /** What `@step:<id>` may hold once the step has completed. */
  #stepValue(position: number): Known {
    const known = this.#values[position];
    // A value that needs itself can never be there.
    if (known === 'open') return anyFrom('…');
    if (known !== undefined) return known;
    this.#values[position] = 'open';
    const value = this.#computeStepValue(position);
    this.#values[position] = value;
    return value;
  }

  #computeStepValue(position: number): Known {
    const step = this.plan.steps[position]!;
    const unknown = anyFrom(`@step:${step.id}`);
    switch (step.op) {
      case 'assign':
        return this.slot(position, step.expr, this.plan.locals.get(step.as));
      case 'emit_effect':
        return knownRecord(
          new Map([
            ['handle', unknown],
            ['params', this.slot(position, step.params, this.#catalog.effects.get(step.kind)?.def.paramsSchema)],
            ['intent_hash', unknown],
          ]),
        );
      case 'raise_event':
        return knownRecord(
          new Map([
            ['value', this.slot(position, step.value, step.event)],
            ['schema', exactly({ kind: 'text', value: step.event })],
          ]),
        );
      default:
        return unknown;
    }
  }
}

function named(schema: string): Type {
  return { kind: 'ref', name: schema };
}

/** Positions of the steps that bind a handle, by its name. */
function emittersOf(plan: PlanDef): ReadonlyMap<string, readonly number[]> {
  const emitters = new Map<string, number[]>();
  plan.steps.forEach((step, i) => {
    if (step.op !== 'emit_effect' && step.op !== 'spawn_plan' && step.op !== 'spawn_for_each') return;
    const handle = boundName(step) as string;
    emitters.set(handle, [...(emitters.get(handle) ?? []), i]);
  });
  return emitters;
}

/** Data edges (`plans.md` §6.1): what binds a handle comes before what waits for it. */
function dataPredecessors(
  step: Step,
  plan: PlanDef,
  emitters: ReadonlyMap<string, readonly number[]>,
  positions: ReadonlyMap<string, number>,
): readonly number[] {
  const only = (found: readonly number[] | undefined) => (found?.length === 1 ? found : []);
  if (step.op === 'await_receipt') return only(emitters.get(step.handle));
  if (step.op !== 'await_plan' && step.op !== 'await_plans_all') return [];
  return handleRefs(step.op === 'await_plan' ? step.for : step.handles).flatMap((ref) => {
    if (ref.form !== 'ref') return [];
    if (ref.root === 'var') return only(emitters.get(ref.name ?? ''));
    const spawn = ref.root === 'step' ? positions.get(ref.name ?? '') : undefined;
    const op = spawn === undefined ? undefined : plan.steps[spawn]!.op;
    return spawn !== undefined && (op === 'spawn_plan' || op === 'spawn_for_each') ? [spawn] : [];
  });
}

// Graphs. A plan that was loaded has no cycle (`plan.cyclic`).

function successorsOf(predecessors: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const successors: number[][] = predecessors.map(() => []);
  predecessors.forEach((before, step) => {
    for (const one of before) successors[one]!.push(step);
  });
  return successors;
}

function topological(predecessors: readonly (readonly number[])[]): readonly number[] {
  const successors = successorsOf(predecessors);
  const left = predecessors.map((before) => before.length);
  const order = [...left.keys()].filter((step) => left[step] === 0);
  for (let at = 0; at < order.length; at += 1) {
    for (const next of successors[order[at]!]!) {
      left[next]! -= 1;
      if (left[next] === 0) order.push(next);
    }
  }
  if (order.length !== predecessors.length) throw new Error('the steps of a plan form a cycle');
  return order;
}

/** Everything that the neighbours lead to, and theirs. `order` has neighbours first. */
function closure(neighbours: readonly (readonly number[])[], order: readonly number[]): bigint[] {
  const reached = neighbours.map(() => NO_STEPS);
  for (const step of order) {
    for (const one of neighbours[step]!) reached[step]! |= bit(one) | reached[one]!;
  }
  return reached;
}

/** Steps that are never skipped: roots, and what such a step leads to without a guard. */
function certainSteps(
  incoming: readonly (readonly { readonly from: number; readonly when: Expr | undefined }[])[],
  order: readonly number[],
): bigint {
  let certain = NO_STEPS;
  for (const step of order) {
    const edges = incoming[step]!;
    const isCertain = edges.length === 0 || edges.some(({ from, when }) => when === undefined && has(certain, from));
    if (isCertain) certain |= bit(step);
  }
  return certain;
}

function bit(step: number): bigint {
  return 1n << BigInt(step);
}

function has(steps: bigint, step: number): boolean {
  return ((steps >> BigInt(step)) & 1n) === 1n;
}

function intersection(all: bigint | undefined, steps: bigint): bigint {
  return all === undefined ? steps : all & steps;
}
