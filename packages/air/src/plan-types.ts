import { ExprChecker, type ExprEnv } from './check-expr.ts';
import { commonType } from './common-type.ts';
import { forEachRef } from './evaluate.ts';
import type { Expr, RefExpr, Slot } from './expr.ts';
import { factsOf, type Place, placeAt, spelledPlace } from './facts.ts';
import { constant } from './fold.ts';
import type { EffectDef, PlanDef, Step } from './node.ts';
import { CORRELATION_ID } from './node-plan.ts';
import { handleOf } from './node-plan-canonical.ts';
import { PlanFlow } from './plan-flow.ts';
import { HASH, NEVER, type StaticType, TEXT, type TypeTable, typeOfScalar, UNIT, UNKNOWN } from './static-type.ts';
import { boundName } from './step.ts';
import type { Value } from './value.ts';

/** The typing environment of a plan (`expressions.md` §13.1; step values: `plans.md` §3). */

/** What a plan's types depend on beyond the plan. */
export interface PlanContext {
  readonly table: TypeTable;
  readonly effect: (kind: string) => EffectDef | undefined;
  /** Input and output schema of a plan. */
  readonly plan: (name: string) => { readonly input: string; readonly output?: string | undefined } | undefined;
  /** The type of `@var:correlation_id`; `unknown` when its start paths disagree. */
  readonly correlation: (plan: string) => StaticType;
}

/** A binding that does not go with the others of its variable. */
export interface BindConflict {
  readonly step: number;
  readonly variable: string;
  readonly expected: StaticType;
  readonly found: StaticType;
  /** Expected comes from `locals`. */
  readonly isLocal: boolean;
}

/** How often the type of one step may grow while variables feed on each other: one that contains itself never stops. */
const CHANGES_MAX = 8;

/** Where an expression stands: a step that runs, an edge behind a step that has completed, or nowhere in particular. */
export type Position =
  | { readonly at: 'step'; readonly step: number }
  | { readonly at: 'edge'; readonly from: number }
  | { readonly at: 'plan' };

export class PlanTypes {
  readonly flow: PlanFlow;
  readonly conflicts: readonly BindConflict[];
  private readonly def: PlanDef;
  private readonly context: PlanContext;
  private readonly isWhole: boolean;
  private readonly indexOf = new Map<string, number>();
  /** Steps that bind a variable, in the order of the list. */
  private readonly binders = new Map<string, number[]>();
  /** Variable that a step binds. */
  private readonly bound: readonly (string | undefined)[];
  /** Type of what a step binds; undefined while it is not known. */
  private readonly stepTypes: (StaticType | undefined)[] = [];
  private readonly variables = new Map<string, StaticType>();
  /** Place that the value of a step is taken from. */
  private readonly aliases: (Place | undefined)[] = [];

  /** @param isWhole - False when steps or edges are missing that the plan has: then nothing is proven by others. */
  constructor(def: PlanDef, context: PlanContext, isWhole = true) {
    this.isWhole = isWhole;
    this.def = def;
    this.context = context;
    this.bound = def.steps.map(boundName);
    for (const [index, step] of def.steps.entries()) {
      if (!this.indexOf.has(step.id)) this.indexOf.set(step.id, index);
      const name = this.bound[index];
      if (name === undefined) continue;
      const list = this.binders.get(name);
      if (list === undefined) this.binders.set(name, [index]);
      else list.push(index);
    }
    this.flow = new PlanFlow(
      def.steps.length,
      def.edges.flatMap((edge, index) => {
        const from = this.indexOf.get(edge.from);
        const to = this.indexOf.get(edge.to);
        return from === undefined || to === undefined ? [] : [{ from, to, index }];
      }),
    );
    for (const index of this.flow.order) this.aliases[index] = this.aliasOf(index);
    this.flow.learn((edge) => {
      const { from, when } = def.edges[edge] as PlanDef['edges'][number];
      if (when === undefined) return undefined;
      const position: Position = { at: 'edge', from: this.indexOf.get(from) as number };
      return factsOf(when, true, (expr) => spelledPlace(expr, (ref) => this.rootPlace(ref, position)));
    });
    this.inferAssigned();
    this.conflicts = this.settle();
    this.withdraw(this.conflicts);
  }

  /** The first step with this id. */
  positionOf(id: string): number | undefined {
    return this.indexOf.get(id);
  }

  /** What an expression at a position may read, and what is known there. */
  env(position: Position, event?: StaticType): ExprEnv {
    const step = position.at === 'step' ? position.step : position.at === 'edge' ? position.from : undefined;
    return {
      table: this.context.table,
      rootType: (ref) => (ref.root === 'event' ? (event ?? UNKNOWN) : this.typeAt(ref, position)),
      rootPlace: (ref) => this.rootPlace(ref, position),
      fact: (key) => (step === undefined ? undefined : this.flow.at(step, key)),
      provable: this.flow.acyclic && this.isWhole,
    };
  }

  /** A local that receipts bind may hold what a start gave it until one of them has completed (`plans.md` §5). */
  private typeAt(ref: RefExpr, position: Position): StaticType {
    const type = this.rootType(ref);
    if (ref.root !== 'var' || type.kind !== 'receipt' || !type.segments || !this.def.locals.has(ref.name ?? ''))
      return type;
    const binders = this.binders.get(ref.name ?? '') ?? [];
    return binders.some((step) => this.hasCompleted(step, position)) ? type : { ...type, mayBeBare: true };
  }

  rootType(ref: RefExpr): StaticType {
    switch (ref.root) {
      case 'input':
        return this.context.table.named(this.def.input);
      case 'event':
        return UNKNOWN;
      case 'var':
        return this.variable(ref.name ?? '');
      case 'step':
        return this.stepValue(ref.name ?? '');
      default:
        return ref.root satisfies never;
    }
  }

  /** §13.1; `unknown` for a name that nothing binds. */
  variable(name: string): StaticType {
    if (name === CORRELATION_ID) return this.context.correlation(this.def.name);
    return this.variables.get(name) ?? UNKNOWN;
  }

  /** `@step:<id>`, as the table of `plans.md` §3 has it. */
  stepValue(id: string): StaticType {
    const index = this.indexOf.get(id);
    const step = index === undefined ? undefined : this.def.steps[index];
    const { table } = this.context;
    switch (step?.op) {
      case undefined:
        return UNKNOWN;
      case 'emit_effect': {
        const params = table.named(this.context.effect(step.kind)?.paramsSchema);
        const handle: StaticType = { kind: 'handle', effect: step.kind };
        return recordOf([
          ['handle', handle],
          ['params', params],
          ['intent_hash', HASH],
        ]);
      }
      case 'raise_event':
        return recordOf([
          ['value', table.named(step.event)],
          ['schema', TEXT],
        ]);
      case 'end':
        return this.def.output === undefined || step.result === undefined ? UNIT : table.named(this.def.output);
      case 'assign': {
        const local = this.def.locals.get(step.as);
        return local === undefined ? (this.stepTypes[index as number] ?? UNKNOWN) : table.named(local);
      }
      default:
        return this.stepTypes[index as number] ?? UNKNOWN;
    }
  }

  // Places (§13.5)

  /**
   * The place of a reference's root, as seen from a position. A variable has one when it keeps its value: it is bound by
   * one step, and, if it is a local that a start may have bound before (`plans.md` §5), that step has completed.
   */
  rootPlace(ref: RefExpr, position: Position): Place | undefined {
    switch (ref.root) {
      case 'input':
        return INPUT;
      case 'event':
        return EVENT;
      case 'step': {
        const index = this.indexOf.get(ref.name ?? '');
        return index === undefined ? undefined : this.stepPlace(index);
      }
      case 'var':
        return this.variablePlace(ref.name ?? '', position);
      default:
        return ref.root satisfies never;
    }
  }

  private variablePlace(name: string, position: Position): Place | undefined {
    const binders = this.binders.get(name) ?? [];
    const [binder] = binders;
    if (binder === undefined) return { root: `var ${name}`, path: [] };
    if (binders.length > 1) return undefined;
    if (this.def.locals.has(name) && !this.hasCompleted(binder, position)) {
      // Within one expression it keeps its value all the same, but what is learnt here may not hold later.
      return position.at === 'edge' ? undefined : { root: `var ${name}`, path: [] };
    }
    return this.stepPlace(binder);
  }

  private hasCompleted(step: number, position: Position): boolean {
    switch (position.at) {
      case 'step':
        return this.flow.precedes(step, position.step);
      case 'edge':
        return this.flow.precedesOrIs(step, position.from);
      case 'plan':
        return false;
      default:
        return position satisfies never;
    }
  }

  private stepPlace(index: number): Place {
    return this.aliases[index] ?? { root: `step ${index}`, path: [] };
  }

  /** `assign` of a place is that place. */
  private aliasOf(index: number): Place | undefined {
    const step = this.def.steps[index] as Step;
    if (step.op !== 'assign' || step.expr.expr === undefined) return undefined;
    const place = spelledPlace(step.expr.expr, (ref) => {
      if (ref.root === 'step') {
        const other = this.indexOf.get(ref.name ?? '');
        // A step that comes later is an alias of nothing that is known yet.
        return other === undefined || !this.flow.precedes(other, index) ? undefined : this.stepPlace(other);
      }
      if (ref.root === 'var' && !this.isPlain(ref.name ?? '', index)) return undefined;
      return this.rootPlace(ref, { at: 'step', step: index });
    });
    return place && placeAt(place, []);
  }

  /** Is the variable bound by one step that has surely completed, or by none? */
  private isPlain(name: string, index: number): boolean {
    const binders = this.binders.get(name) ?? [];
    return binders.length === 0 || (binders.length === 1 && this.flow.precedes(binders[0] as number, index));
  }

  // Types of bindings

  /** What a step binds, where that does not depend on an expression. */
  private fixedType(step: Step): StaticType | undefined {
    const { table } = this.context;
    switch (step.op) {
      case 'assign': {
        const local = this.def.locals.get(step.as);
        return local === undefined ? undefined : table.named(local);
      }
      case 'emit_effect':
        return { kind: 'handle', effect: step.kind };
      case 'await_receipt': {
        const kind = this.kindOf(step.handle);
        const payload = table.named(kind === undefined ? undefined : this.context.effect(kind)?.receiptSchema);
        if (kind === undefined) return UNKNOWN;
        return { kind: 'receipt', payload, segments: true };
      }
      case 'await_event':
        return table.named(step.event);
      case 'spawn_plan':
        return { kind: 'plan_handle', plan: step.plan };
      case 'spawn_for_each':
        return { kind: 'list', item: { kind: 'plan_handle', plan: step.plan } };
      case 'await_plan':
        return this.outcomeOf(this.childOf(step.for));
      case 'await_plans_all': {
        const first = step.handles.form === 'list' ? step.handles.items[0] : step.handles;
        // An empty list waits for nobody, and yields nothing.
        if (first === undefined) return { kind: 'list', item: { kind: 'never' } };
        return { kind: 'list', item: this.outcomeOf(this.childOf(first)) };
      }
      case 'raise_event':
      case 'end':
        return undefined;
      default:
        return step satisfies never;
    }
  }

  private kindOf(handle: string): string | undefined {
    for (const index of this.binders.get(handle) ?? []) {
      const step = this.def.steps[index];
      if (step?.op === 'emit_effect') return step.kind;
    }
    return undefined;
  }

  /** The plan behind `@var:<handle>`, `@step:<spawn>` or `@step:<spawn>.<handle>`. */
  private childOf(expr: Expr): string | undefined {
    if (expr.form !== 'ref') return undefined;
    const candidates =
      expr.root === 'var' ? (this.binders.get(handleOf(expr) ?? '') ?? []) : [this.indexOf.get(expr.name ?? '') ?? -1];
    for (const index of candidates) {
      const step = this.def.steps[index];
      if (step?.op === 'spawn_plan' || step?.op === 'spawn_for_each') return step.plan;
    }
    return undefined;
  }

  /** The result variant of a child (`plans.md` §12.3). */
  private outcomeOf(plan: string | undefined): StaticType {
    const child = plan === undefined ? undefined : this.context.plan(plan);
    if (child === undefined) return UNKNOWN;
    const output = child.output === undefined ? UNIT : this.context.table.named(child.output);
    const arms: (readonly [string, StaticType])[] = [
      ['Ok', output],
      ['Error', { kind: 'ref', name: 'sys/PlanError@1' }],
      ['Canceled', UNIT],
    ];
    return { kind: 'variant', arms: new Map(arms) };
  }

  /** Types of `assign` without a declared local: a binding before its readers, as far as there is such an order. */
  private inferAssigned(): void {
    const { steps } = this.def;
    for (const [index, step] of steps.entries()) this.stepTypes[index] = this.fixedType(step);
    for (const name of [...this.binders.keys(), ...this.def.locals.keys()]) this.update(name);
    const open = this.stepTypes.flatMap((type, index) =>
      type === undefined && steps[index]?.op === 'assign' ? [index] : [],
    );
    if (open.length === 0) return;
    const readers = new Map<string, number[]>();
    this.inferTogether(this.inferInOrder(open, readers), readers);
  }

  /**
   * Steps that wait for each other: none of them binds anything as long as nothing else does, and each is typed again when
   * something that it reads has another type.
   */
  private inferTogether(rest: readonly number[], readers: ReadonlyMap<string, readonly number[]>): void {
    this.together = new Set(rest);
    for (const index of rest) this.stepTypes[index] = NEVER;
    for (const index of rest) this.update(this.bound[index] as string);
    const changes = new Map(rest.map((index) => [index, 0]));
    const queue = [...rest];
    const queued = new Set(rest);
    for (let next = 0; next < queue.length; next += 1) {
      const index = queue[next] as number;
      queued.delete(index);
      const type = this.inferStep(index);
      if (this.context.table.same(this.stepTypes[index] as StaticType, type)) continue;
      const count = (changes.get(index) as number) + 1;
      changes.set(index, count);
      if (count > CHANGES_MAX) continue;
      this.stepTypes[index] = type;
      this.update(this.bound[index] as string);
      for (const key of this.keysOf(index)) {
        for (const reader of readers.get(key) ?? []) {
          if (!changes.has(reader) || queued.has(reader)) continue;
          queued.add(reader);
          queue.push(reader);
        }
      }
    }
    this.unsettled.push(...rest.filter((index) => (changes.get(index) as number) > CHANGES_MAX));
  }

  /** What a step is read as. */
  private keysOf(index: number): readonly string[] {
    return [`var ${this.bound[index]}`, `step ${(this.def.steps[index] as Step).id}`];
  }

  private together: ReadonlySet<number> = new Set();
  private readonly unsettled: number[] = [];
  /** Variables without a type of their own; what that breaks is reported once. */
  private readonly conflicting = new Set<string>();

  /**
   * Steps are typed once all binders of what they read are.
   *
   * @param readers - Gets the steps that read what an open step binds.
   * @returns the steps that wait for each other, in the order of the graph.
   */
  private inferInOrder(open: readonly number[], readers: Map<string, number[]>): readonly number[] {
    const isOpen = new Set(open);
    const waiting = new Map<number, number>();
    const pending = new Map<string, number>();
    for (const [name, binders] of this.binders) {
      const count = binders.filter((index) => isOpen.has(index)).length;
      if (count > 0) pending.set(`var ${name}`, count);
    }
    for (const index of open) pending.set(`step ${(this.def.steps[index] as Step).id}`, 1);
    for (const index of open) {
      const step = this.def.steps[index] as Extract<Step, { op: 'assign' }>;
      const needs = new Set(
        refsOf(step.expr)
          .filter(({ root }) => root === 'var' || root === 'step')
          .map(({ root, name }) => `${root} ${name}`)
          .filter((key) => pending.has(key)),
      );
      waiting.set(index, needs.size);
      for (const key of needs) {
        const list = readers.get(key);
        if (list === undefined) readers.set(key, [index]);
        else list.push(index);
      }
    }
    const ready = this.flow.order.filter((index) => waiting.get(index) === 0);
    const done = new Set<number>();
    const settleKey = (key: string): void => {
      const left = (pending.get(key) ?? 0) - 1;
      pending.set(key, left);
      if (left > 0) return;
      for (const reader of readers.get(key) ?? []) {
        const count = (waiting.get(reader) as number) - 1;
        waiting.set(reader, count);
        if (count === 0) ready.push(reader);
      }
    };
    for (let next = 0; next < ready.length; next += 1) {
      const index = ready[next] as number;
      done.add(index);
      this.stepTypes[index] = this.inferStep(index);
      this.update(this.bound[index] as string);
      for (const key of this.keysOf(index)) settleKey(key);
    }
    return this.flow.order.filter((index) => isOpen.has(index) && !done.has(index));
  }

  private inferStep(index: number): StaticType {
    const step = this.def.steps[index] as Extract<Step, { op: 'assign' }>;
    const checker = new ExprChecker(this.env({ at: 'step', step: index }), '', () => {});
    return checker.assigned(slotExpr(step.expr));
  }

  /** The type of a variable from what is known of its binders. */
  private update(name: string): void {
    const type = this.typeOf(name, () => {});
    if (type !== undefined) this.variables.set(name, type);
  }

  private typeOf(name: string, report: (conflict: BindConflict) => void): StaticType | undefined {
    const { table } = this.context;
    const binders = this.binders.get(name) ?? [];
    const schema = this.def.locals.get(name);
    if (schema !== undefined) return this.localType(name, table.named(schema), binders, report);
    if (this.conflicting.has(name)) return UNKNOWN;
    let type: StaticType | undefined;
    let unknown: 'reported' | 'own' | undefined;
    for (const step of binders) {
      const found = this.stepTypes[step];
      if (found === undefined) continue;
      if (table.resolve(found).kind === 'unknown') {
        // What was reported says nothing about the others, which must go together all the same. And where the variable is
        // read in what binds it, it is the others that show what is wrong there.
        if (unknown !== 'reported') unknown = this.together.has(step) ? 'own' : 'reported';
        continue;
      }
      const common = type === undefined ? found : this.commonBinding(type, found);
      if (common === undefined) {
        report({ step, variable: name, expected: type as StaticType, found, isLocal: false });
        break;
      }
      type = common;
    }
    return unknown === 'reported' || (unknown === 'own' && type === undefined) ? UNKNOWN : type;
  }

  /** Handles and receipts only with their like: neither is a value that could be an option or a record. */
  private commonBinding(a: StaticType, b: StaticType): StaticType | undefined {
    const { table } = this.context;
    const [left, right] = [table.resolve(a), table.resolve(b)];
    if (left.kind === 'receipt' && right.kind === 'receipt') {
      // The receipt of an effect that was reported is like any other.
      if (table.resolve(left.payload).kind === 'unknown') return b;
      if (table.resolve(right.payload).kind === 'unknown') return a;
    }
    const isSpecial =
      left.kind === 'receipt' || right.kind === 'receipt' || table.holdsHandle(a) || table.holdsHandle(b);
    if (isSpecial && left.kind !== 'never' && right.kind !== 'never') return table.same(a, b) ? a : undefined;
    return commonType(a, b, table);
  }

  /** A declared local: what binds it besides `assign` must have exactly its type (§13.1). */
  private localType(
    name: string,
    declared: StaticType,
    binders: readonly number[],
    report: (conflict: BindConflict) => void,
  ): StaticType {
    const { table } = this.context;
    let receipts = 0;
    for (const step of binders) {
      const type = this.stepTypes[step];
      if (type === undefined) continue;
      const found = table.resolve(type);
      const bound = found.kind === 'receipt' ? found.payload : type;
      if (found.kind === 'receipt') receipts += 1;
      const isOpen = found.kind === 'unknown' || table.resolve(declared).kind === 'unknown';
      if (isOpen || table.same(bound, declared)) continue;
      report({ step, variable: name, expected: declared, found: bound, isLocal: true });
    }
    if (receipts === 0) return declared;
    // It may hold a receipt or a bare value: the payload, which has to be there. What is read of the receipt itself would be
    // a field that a bare record lacks, when a start binds the local before the receipt is there, and of anything else a
    // wrong type.
    const target = table.resolve(declared);
    const inner = target.kind === 'option' ? table.resolve(target.item) : target;
    return { kind: 'receipt', payload: declared, segments: receipts === binders.length && inner.kind === 'record' };
  }

  private settle(): readonly BindConflict[] {
    const conflicts: BindConflict[] = [];
    for (const name of this.binders.keys()) this.typeOf(name, (conflict) => conflicts.push(conflict));
    for (const index of this.unsettled) {
      const variable = this.bound[index] as string;
      if (conflicts.some((conflict) => conflict.variable === variable)) continue;
      conflicts.push({
        step: index,
        variable,
        expected: UNKNOWN,
        found: this.stepTypes[index] as StaticType,
        isLocal: false,
      });
    }
    return conflicts;
  }

  /** Types everything again, without the variables that have none: what follows from one of them is no finding of its own. */
  private withdraw(conflicts: readonly BindConflict[]): void {
    for (const { variable, isLocal } of conflicts) if (!isLocal) this.conflicting.add(variable);
    if (this.conflicting.size > 0) this.inferAssigned();
  }
}

const INPUT: Place = { root: 'input', path: [] };
const EVENT: Place = { root: 'event', path: [] };

function recordOf(fields: readonly (readonly [string, StaticType])[]): StaticType {
  return { kind: 'record', fields: new Map(fields) };
}

function refsOf(slot: Slot): readonly RefExpr[] {
  const refs: RefExpr[] = [];
  if (slot.expr !== undefined) forEachRef(slot.expr, (ref) => refs.push(ref));
  return refs;
}

/** A slot as an expression: a literal of a variable without declared type is typed by its tags. */
export function slotExpr(slot: Slot): Expr {
  return slot.expr === undefined ? literalExpr(slot.literal) : slot.expr;
}

function literalExpr(value: Value): Expr {
  switch (value.kind) {
    case 'list':
    case 'set':
      return { form: value.kind, items: value.items.map(literalExpr) };
    case 'map':
      return { form: 'map', entries: value.entries.map(([key, item]) => [literalExpr(key), literalExpr(item)]) };
    case 'record':
      return { form: 'record', fields: [...value.fields].map(([name, field]) => [name, literalExpr(field)]) };
    case 'variant':
      return { form: 'variant', tag: value.tag, value: literalExpr(value.value) };
    default:
      // Nothing else is written as a literal.
      typeOfScalar(value);
      return constant(value);
  }
}
