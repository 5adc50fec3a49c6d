import { commonType } from './common-type.ts';
import { forEachRef } from './evaluate.ts';
import type { RefExpr, Slot } from './expr.ts';
import type { PlanDef, Step } from './node.ts';
import type { PlanNames } from './plan-names.ts';
import { NEVER, type StaticType, type TypeTable, UNKNOWN } from './static-type.ts';

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

/**
 * The types of a plan's variables (`expressions.md` §13.1).
 *
 * V1 What binds a variable has one type in common. The first binding that does not go with those before it is a conflict, and
 *    the variable has no type then. A declared local keeps its type, and each binding of another one is a conflict.
 * V2 An expression is typed after what it reads. Where expressions read each other there is no such order: they begin
 *    with no value at all and grow until nothing changes, or too often, which is a conflict as well.
 */
export class VariableTypes {
  private readonly def: PlanDef;
  private readonly names: PlanNames;
  private readonly table: TypeTable;
  private readonly order: readonly number[];
  private readonly fixed: readonly (StaticType | undefined)[];
  private readonly assigned: (step: number) => StaticType;
  /** Type of what a step binds; undefined while it is not known. */
  private readonly stepTypes: (StaticType | undefined)[] = [];
  private readonly variables = new Map<string, StaticType>();
  /** Steps that wait for each other. */
  private together: ReadonlySet<number> = new Set();
  /** Those of them whose type never stopped growing. */
  private readonly unsettled: number[] = [];
  /** Variables without a type of their own; what that breaks is reported once. */
  private readonly conflicting = new Set<string>();

  /**
   * @param parts.order - The steps as `PlanFlow` orders them.
   * @param parts.fixed - What each step binds, where that does not depend on an expression.
   * @param parts.assigned - Types the expression of an `assign` from what is known here so far.
   */
  constructor(parts: {
    readonly def: PlanDef;
    readonly names: PlanNames;
    readonly table: TypeTable;
    readonly order: readonly number[];
    readonly fixed: readonly (StaticType | undefined)[];
    readonly assigned: (step: number) => StaticType;
  }) {
    this.def = parts.def;
    this.names = parts.names;
    this.table = parts.table;
    this.order = parts.order;
    this.fixed = parts.fixed;
    this.assigned = parts.assigned;
  }

  /** Types all variables. Before, none has a type. */
  infer(): readonly BindConflict[] {
    this.inferAssigned();
    const conflicts = this.settle();
    this.withdraw(conflicts);
    return conflicts;
  }

  /** The type of a variable; undefined when nothing binds it. */
  of(name: string): StaticType | undefined {
    return this.variables.get(name);
  }

  /** The type of what a step binds. */
  ofStep(step: number): StaticType | undefined {
    return this.stepTypes[step];
  }

  /** Types of `assign` without a declared local: a binding before its readers, as far as there is such an order. */
  private inferAssigned(): void {
    const { steps } = this.def;
    for (const index of steps.keys()) this.stepTypes[index] = this.fixed[index];
    for (const name of [...this.names.variables, ...this.def.locals.keys()]) this.update(name);
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
    for (const index of rest) this.update(this.names.bound[index] as string);
    const changes = new Map(rest.map((index) => [index, 0]));
    const queue = [...rest];
    const queued = new Set(rest);
    for (let next = 0; next < queue.length; next += 1) {
      const index = queue[next] as number;
      queued.delete(index);
      const type = this.assigned(index);
      if (this.table.same(this.stepTypes[index] as StaticType, type)) continue;
      const count = (changes.get(index) as number) + 1;
      changes.set(index, count);
      if (count > CHANGES_MAX) continue;
      this.stepTypes[index] = type;
      this.update(this.names.bound[index] as string);
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
    return [`var ${this.names.bound[index]}`, `step ${(this.def.steps[index] as Step).id}`];
  }

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
    for (const name of this.names.variables) {
      const count = this.names.bindersOf(name).filter((index) => isOpen.has(index)).length;
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
    const ready = this.order.filter((index) => waiting.get(index) === 0);
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
      this.stepTypes[index] = this.assigned(index);
      this.update(this.names.bound[index] as string);
      for (const key of this.keysOf(index)) settleKey(key);
    }
    return this.order.filter((index) => isOpen.has(index) && !done.has(index));
  }

  /** The type of a variable from what is known of its binders. */
  private update(name: string): void {
    const type = this.typeOf(name, () => {});
    if (type !== undefined) this.variables.set(name, type);
  }

  private typeOf(name: string, report: (conflict: BindConflict) => void): StaticType | undefined {
    const { table } = this;
    const binders = this.names.bindersOf(name);
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
    const { table } = this;
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
    const { table } = this;
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
    for (const name of this.names.variables) this.typeOf(name, (conflict) => conflicts.push(conflict));
    for (const index of this.unsettled) {
      const variable = this.names.bound[index] as string;
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

function refsOf(slot: Slot): readonly RefExpr[] {
  const refs: RefExpr[] = [];
  if (slot.expr !== undefined) forEachRef(slot.expr, (ref) => refs.push(ref));
  return refs;
}
