import type { Path } from '@worldline/canon';
import { authoredPath } from './authored-path.ts';
import { Bits } from './bits.ts';
import type { Expr, RefExpr, Slot } from './expr.ts';
import { factKey, factsOf, type Place, placeAt, spelledPlace, spelledRef } from './facts.ts';
import type { PlanDef, Step } from './node.ts';
import { BIND_MEMBERS, EXPR_MEMBERS, type PlanSource } from './node-plan.ts';
import { type PlanLookups, slotType } from './node-plan-canonical.ts';
import type { Position } from './plan-places.ts';
import { type PlanContext, PlanTypes } from './plan-types.ts';
import { slotExpr } from './slot-expr.ts';
import { boundName, handleRefs } from './step.ts';
import type { Type } from './type.ts';
import { graphOf, isHandleOp } from './validate-plan-graph.ts';

/**
 * One plan as the lints see it: the terms of `patterns.md` §8.1.
 *
 * L1 The plan has no errors, and nothing that it uses has: names lead somewhere, handles have one binder, edges form no cycle.
 * L2 Ancestors and descendants are over explicit plus data edges; a step is neither its own ancestor nor its descendant.
 * L3 Everything here costs at most steps × edges, in words of 32 steps.
 */
export class LintPlan {
  readonly name: string;
  readonly def: PlanDef;
  readonly source: PlanSource;
  readonly types: PlanTypes;
  readonly context: PlanContext;
  /** Before what comes after them. */
  readonly order: readonly number[];
  readonly ancestors: readonly Bits[];
  readonly descendants: readonly Bits[];
  /** Steps right before a step, by any kind of edge. */
  readonly predecessors: readonly (readonly number[])[];
  /** Positions of explicit edges. */
  readonly incoming: readonly (readonly number[])[];
  readonly outgoing: readonly (readonly number[])[];
  /** All `await_*` steps. */
  readonly waits: Bits;
  readonly timerWaits: Bits;
  readonly ends: Bits;
  /** Emit or spawn steps of the handles that a wait names; for other steps none. */
  readonly sources: readonly (readonly number[])[];
  readonly uses: readonly Use[];
  /** Bound by two or more `assign` steps and read in a guard. */
  readonly decisionVariables: ReadonlySet<string>;
  /** Steps that bind a variable. */
  readonly binders: ReadonlyMap<string, readonly number[]>;
  private readonly lookups: PlanLookups;
  private readonly fired = new Map<number, Bits>();
  private timedOut: readonly string[] | undefined;

  constructor(source: PlanSource, def: PlanDef, context: PlanContext, lookups: PlanLookups) {
    this.name = def.name;
    this.def = def;
    this.source = source;
    this.context = context;
    this.lookups = lookups;
    this.types = new PlanTypes(def, context);
    const count = def.steps.length;
    const { successors } = graphOf(source);
    const lists = () => Array.from({ length: count }, (): number[] => []);
    const predecessors = lists();
    for (const [from, list] of successors.entries()) for (const to of list) predecessors[to]?.push(from);
    this.predecessors = predecessors;
    this.order = topological(successors, predecessors);
    this.ancestors = def.steps.map(() => new Bits(count));
    this.descendants = def.steps.map(() => new Bits(count));
    for (const step of this.order) {
      const bits = this.ancestors[step] as Bits;
      for (const before of predecessors[step] as number[]) bits.addAll(this.ancestors[before] as Bits).add(before);
    }
    for (const step of [...this.order].reverse()) {
      const bits = this.descendants[step] as Bits;
      for (const after of successors[step] as number[]) bits.addAll(this.descendants[after] as Bits).add(after);
    }
    const incoming = lists();
    const outgoing = lists();
    for (const [edge, { from, to }] of def.edges.entries()) {
      incoming[this.indexOf(to)]?.push(edge);
      outgoing[this.indexOf(from)]?.push(edge);
    }
    this.incoming = incoming;
    this.outgoing = outgoing;
    this.binders = bindersOf(def);
    this.sources = def.steps.map((step) => this.sourcesOf(step));
    this.waits = new Bits(count);
    this.timerWaits = new Bits(count);
    this.ends = new Bits(count);
    for (const [index, step] of def.steps.entries()) {
      if (isWait(step)) this.waits.add(index);
      if (step.op === 'end') this.ends.add(index);
      if (step.op === 'await_receipt' && isTimer(this.kindOf(index))) this.timerWaits.add(index);
    }
    this.uses = [...this.collectUses()];
    this.decisionVariables = this.findDecisions();
  }

  step(index: number): Step {
    return this.def.steps[index] as Step;
  }

  id(index: number): string {
    return this.step(index).id;
  }

  /** Position of a step that is there. */
  indexOf(id: string): number {
    return this.types.names.positionOf(id) as number;
  }

  steps<Op extends Step['op']>(op: Op): readonly (readonly [number, Extract<Step, { op: Op }>])[] {
    return this.def.steps.flatMap((step, index) =>
      step.op === op ? [[index, step as Extract<Step, { op: Op }>] as const] : [],
    );
  }

  concurrent(a: number, b: number): boolean {
    return a !== b && !(this.ancestors[a] as Bits).has(b) && !(this.descendants[a] as Bits).has(b);
  }

  /** Effect kind behind an `await_receipt`. */
  kindOf(wait: number): string | undefined {
    for (const index of this.sources[wait] ?? []) {
      const step = this.step(index);
      if (step.op === 'emit_effect') return step.kind;
    }
    return undefined;
  }

  /** Ends; in a plan with a decision variable any step, since there the winner goes on. */
  get outcomes(): Bits {
    if (this.decisionVariables.size === 0) return this.ends;
    const all = new Bits(this.def.steps.length);
    for (const index of this.def.steps.keys()) all.add(index);
    return all;
  }

  /** Steps that a timer wait fires into: those behind it that are not known to run only when the timer failed. */
  firesInto(wait: number): Bits {
    let found = this.fired.get(wait);
    if (found === undefined) {
      found = new Bits(this.def.steps.length);
      const variable = boundName(this.step(wait)) as string;
      for (const step of this.descendants[wait] as Bits) {
        const place = this.placeOf(varRef(variable), { at: 'step', step });
        const error = place && placeAt(place, ['$error']);
        const failed = error !== undefined && this.types.places.flow.at(step, factKey('some', error)) !== undefined;
        if (!failed) found.add(step);
      }
      this.fired.set(wait, found);
    }
    return found;
  }

  placeOf(expr: Expr, position: Position): Place | undefined {
    return spelledPlace(expr, (ref) => this.types.places.rootPlace(ref, position));
  }

  /** Is some variant known to be `TimedOut` where a step runs? */
  knowsTimedOut(step: number): boolean {
    this.timedOut ??= this.def.edges.flatMap(({ from, when }) => {
      if (when === undefined) return [];
      const position: Position = { at: 'edge', from: this.indexOf(from) };
      const facts = factsOf(when, true, (expr) => this.placeOf(expr, position));
      return [...facts].flatMap(([key, value]) => (key.startsWith('tag ') && value === TIMED_OUT ? [key] : []));
    });
    return this.timedOut.some((key) => this.types.places.flow.at(step, key) === TIMED_OUT);
  }

  // Places in the document

  stepPath(index: number, ...rest: Path): Path {
    return ['steps', this.source.steps[index]?.index ?? index, ...rest];
  }

  edgePath(edge: number, ...rest: Path): Path {
    return ['edges', this.source.edges[edge]?.index ?? edge, ...rest];
  }

  /** A place in a slot's canonical form, and where the author wrote it. */
  slotPath(index: number, slot: string, inner: Path): { readonly path: Path; readonly at: Path } {
    const base = this.stepPath(index, slot);
    const written = this.source.steps[index]?.slots.get(slot);
    const type = this.slotType(index, slot);
    const at = written === undefined ? [] : authoredPath(written, type, inner, this.lookups.scope);
    return { path: [...base, ...inner], at: [...base, ...at] };
  }

  slotType(index: number, slot: string): Type | undefined {
    const source = this.source.steps[index];
    const type = source && slotType(source, slot, this.source, this.lookups);
    return type === 'missing' ? undefined : type;
  }

  // Parts

  private sourcesOf(step: Step): readonly number[] {
    switch (step.op) {
      case 'await_receipt':
        return this.handleBinders(step.handle);
      case 'await_plan':
      case 'await_plans_all':
        return handleRefs(step.op === 'await_plan' ? step.for : step.handles).flatMap((expr) => {
          if (expr.form !== 'ref') return [];
          if (expr.root === 'var') return this.handleBinders(expr.name ?? '');
          const index = expr.root === 'step' ? this.types.names.positionOf(expr.name ?? '') : undefined;
          return index !== undefined && isHandleOp(this.step(index).op) ? [index] : [];
        });
      default:
        return [];
    }
  }

  private handleBinders(variable: string): readonly number[] {
    return (this.binders.get(variable) ?? []).filter((index) => isHandleOp(this.step(index).op));
  }

  private *collectUses(): Generator<Use> {
    const { def } = this;
    for (const [index, step] of def.steps.entries()) {
      for (const [name, slot] of slotsOf(step)) {
        if (slot.expr === undefined) continue;
        for (const { ref, path, inner } of spelledRefs(slot.expr)) {
          yield { kind: 'slot', step: index, slot: name, ref, path, inner };
        }
      }
      const expr = exprOf(step);
      const member = EXPR_MEMBERS[step.op];
      if (expr === undefined || member === undefined) continue;
      for (const { ref, path, inner } of spelledRefs(expr)) {
        yield { kind: step.op === 'await_event' ? 'where' : 'handle', step: index, slot: member, ref, path, inner };
      }
    }
    for (const [edge, { to, when }] of def.edges.entries()) {
      if (when === undefined) continue;
      for (const { ref, path, inner } of spelledRefs(when)) {
        yield { kind: 'guard', step: this.indexOf(to), edge, slot: 'when', ref, path, inner };
      }
    }
    for (const [invariant, expr] of def.invariants.entries()) {
      for (const { ref, path, inner } of spelledRefs(expr)) {
        yield { kind: 'invariant', invariant, slot: 'invariants', ref, path, inner };
      }
    }
  }

  /** Where a use stands, in the node and as written. */
  usePath(use: Use): { readonly path: Path; readonly at?: Path } {
    switch (use.kind) {
      case 'slot':
        return this.slotPath(use.step, use.slot, use.inner);
      case 'guard':
        return { path: this.edgePath(use.edge, 'when', ...use.inner) };
      case 'invariant': {
        const written = this.source.invariants[use.invariant]?.index ?? use.invariant;
        return { path: ['invariants', written, ...use.inner] };
      }
      case 'where':
      case 'handle':
        return { path: this.stepPath(use.step, use.slot, ...use.inner) };
      default:
        return use satisfies never;
    }
  }

  private findDecisions(): ReadonlySet<string> {
    const read = new Set<string>();
    for (const { kind, ref } of this.uses) if (kind === 'guard' && ref.root === 'var') read.add(ref.name ?? '');
    const decided = [...this.binders].filter(
      ([name, binders]) => read.has(name) && binders.filter((index) => this.step(index).op === 'assign').length >= 2,
    );
    return new Set(decided.map(([name]) => name));
  }
}

/** The reserved arm for "the deadline won" (`patterns.md` R6). */
export const TIMED_OUT = 'TimedOut';

interface UseOf {
  readonly ref: RefExpr;
  /** Of the reference and of constant `get`s around it. */
  readonly path: readonly string[];
  /** Member that holds the expression. */
  readonly slot: string;
  /** From the root of the expression. */
  readonly inner: Path;
}

/** A reference that a plan reads; `step` is the step that runs with it: of a guard the one that the edge leads to. */
export type Use =
  | (UseOf & { readonly kind: 'slot' | 'where' | 'handle'; readonly step: number })
  | (UseOf & { readonly kind: 'guard'; readonly step: number; readonly edge: number })
  | (UseOf & { readonly kind: 'invariant'; readonly invariant: number });

export function isWait(step: Step): boolean {
  return step.op.startsWith('await_');
}

export function isTimer(kind: string | undefined): boolean {
  return kind === 'timer.set' || kind === 'timer.after';
}

/** Typed forms of a message have kinds of their own (`patterns.md` §4). */
export function isFabricSend(kind: string | undefined): boolean {
  return kind === 'fabric.send' || kind?.startsWith('fabric.send.') === true;
}

export function varRef(name: string): RefExpr {
  return { form: 'ref', root: 'var', name, path: [], text: `@var:${name}` };
}

/** Top-level `and` flattened. */
export function conjuncts(expr: Expr | undefined): readonly Expr[] {
  if (expr === undefined) return [];
  return expr.form === 'op' && expr.op === 'and' ? expr.args.flatMap(conjuncts) : [expr];
}

/** The sides of an equation, in both orders. */
export function equation(expr: Expr): readonly (readonly [Expr, Expr])[] {
  if (expr.form !== 'op' || expr.op !== 'eq') return [];
  const [a, b] = expr.args;
  return a === undefined || b === undefined
    ? []
    : [
        [a, b],
        [b, a],
      ];
}

/** A reference with a path into the event, or `get` of one. */
export function eventPath(expr: Expr): readonly string[] | undefined {
  const spelled = spelledRef(expr);
  return spelled?.ref.root === 'event' && spelled.path.length > 0 ? spelled.path : undefined;
}

interface Spelled {
  readonly ref: RefExpr;
  readonly path: readonly string[];
  readonly inner: Path;
}

function spelledRefs(expr: Expr): readonly Spelled[] {
  const found: Spelled[] = [];
  collect(expr, [], found);
  return found;
}

function collect(expr: Expr, inner: Path, found: Spelled[]): void {
  const spelled = spelledRef(expr);
  if (spelled !== undefined) {
    found.push({ ...spelled, inner });
    return;
  }
  for (const [part, path] of partsOf(expr)) collect(part, [...inner, ...path], found);
}

/** What an expression is made of, each with its path in the tagged form. */
export function partsOf(expr: Expr): readonly (readonly [Expr, Path])[] {
  switch (expr.form) {
    case 'ref':
    case 'const':
      return [];
    case 'op':
      return expr.args.map((arg, index) => [arg, ['args', index]] as const);
    case 'record':
      return expr.fields.map(([name, field]) => [field, ['record', name]] as const);
    case 'list':
    case 'set':
      return expr.items.map((item, index) => [item, [expr.form, index]] as const);
    case 'map':
      return expr.entries.flatMap(
        ([key, value], index) =>
          [
            [key, ['map', index, 'key']],
            [value, ['map', index, 'value']],
          ] as const,
      );
    case 'variant':
      return expr.value === undefined ? [] : [[expr.value, ['variant', 'value']]];
    default:
      return expr satisfies never;
  }
}

/** Slots of a step by member name. */
export function slotsOf(step: Step): readonly (readonly [string, Slot])[] {
  switch (step.op) {
    case 'assign':
      return [['expr', step.expr]];
    case 'emit_effect': {
      const key = step.idempotencyKey;
      return [['params', step.params], ...(key === undefined ? [] : ([['idempotency_key', key]] as const))];
    }
    case 'raise_event':
      return [['value', step.value]];
    case 'spawn_plan':
      return [['input', step.input]];
    case 'spawn_for_each':
      return [['inputs', step.inputs]];
    case 'end':
      return step.result === undefined ? [] : [['result', step.result]];
    case 'await_receipt':
    case 'await_event':
    case 'await_plan':
    case 'await_plans_all':
      return [];
    default:
      return step satisfies never;
  }
}

function exprOf(step: Step): Expr | undefined {
  switch (step.op) {
    case 'await_receipt':
      return varRef(step.handle);
    case 'await_event':
      return step.where;
    case 'await_plan':
      return step.for;
    case 'await_plans_all':
      return step.handles;
    default:
      return undefined;
  }
}

/** A field of a record that a slot builds, as an expression: a literal is a constant. */
export function fieldOf(slot: Slot, name: string): Expr | undefined {
  const expr = slotExpr(slot);
  return expr.form === 'record' ? expr.fields.find(([field]) => field === name)?.[1] : undefined;
}

export function bindPath(plan: LintPlan, index: number): Path {
  return plan.stepPath(index, 'bind', BIND_MEMBERS[plan.step(index).op] as string);
}

function bindersOf(def: PlanDef): ReadonlyMap<string, readonly number[]> {
  const binders = new Map<string, number[]>();
  for (const [index, step] of def.steps.entries()) {
    const name = boundName(step);
    if (name === undefined) continue;
    const list = binders.get(name);
    if (list === undefined) binders.set(name, [index]);
    else list.push(index);
  }
  return binders;
}

function topological(
  successors: readonly (readonly number[])[],
  predecessors: readonly (readonly number[])[],
): readonly number[] {
  const waiting = predecessors.map((list) => list.length);
  const order = [...successors.keys()].filter((step) => waiting[step] === 0);
  for (let next = 0; next < order.length; next += 1) {
    for (const to of successors[order[next] as number] as readonly number[]) {
      waiting[to] = (waiting[to] as number) - 1;
      if (waiting[to] === 0) order.push(to);
    }
  }
  return order;
}
