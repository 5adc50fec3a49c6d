import { ExprChecker, type ExprEnv } from './check-expr.ts';
import type { RefExpr } from './expr.ts';
import type { EffectDef, PlanDef, Step } from './node.ts';
import { CORRELATION_ID } from './node-plan.ts';
import { PlanNames } from './plan-names.ts';
import { PlanPlaces, type Position } from './plan-places.ts';
import { slotExpr } from './slot-expr.ts';
import { HASH, type StaticType, TEXT, type TypeTable, UNIT, UNKNOWN } from './static-type.ts';
import { type BindConflict, VariableTypes } from './variable-types.ts';

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

export class PlanTypes {
  readonly names: PlanNames;
  readonly places: PlanPlaces;
  /** Bindings that do not go together. */
  readonly conflicts: readonly BindConflict[];
  private readonly def: PlanDef;
  private readonly context: PlanContext;
  private readonly isWhole: boolean;
  private readonly variables: VariableTypes;

  /** @param isWhole - False when steps or edges are missing that the plan has: then nothing is proven by others. */
  constructor(def: PlanDef, context: PlanContext, isWhole = true) {
    this.isWhole = isWhole;
    this.def = def;
    this.context = context;
    this.names = new PlanNames(def);
    this.places = new PlanPlaces(def, this.names);
    this.variables = new VariableTypes({
      def,
      names: this.names,
      table: context.table,
      order: this.places.flow.order,
      fixed: def.steps.map((step) => this.fixedType(step)),
      assigned: (index) => this.assignedType(index),
    });
    this.conflicts = this.variables.infer();
  }

  /** What an expression at a position may read, and what is known there. */
  env(position: Position, event?: StaticType): ExprEnv {
    const step = position.at === 'step' ? position.step : position.at === 'edge' ? position.from : undefined;
    const { flow } = this.places;
    return {
      table: this.context.table,
      rootType: (ref) => (ref.root === 'event' ? (event ?? UNKNOWN) : this.typeAt(ref, position)),
      rootPlace: (ref) => this.places.rootPlace(ref, position),
      fact: (key) => (step === undefined ? undefined : flow.at(step, key)),
      provable: flow.acyclic && this.isWhole,
    };
  }

  /** A local that receipts bind may hold what a start gave it until one of them has completed (`plans.md` §5). */
  private typeAt(ref: RefExpr, position: Position): StaticType {
    const type = this.rootType(ref);
    if (ref.root !== 'var' || type.kind !== 'receipt' || !type.segments || !this.def.locals.has(ref.name ?? ''))
      return type;
    const binders = this.names.bindersOf(ref.name ?? '');
    return binders.some((step) => this.places.hasCompleted(step, position)) ? type : { ...type, mayBeBare: true };
  }

  private rootType(ref: RefExpr): StaticType {
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
    return this.variables.of(name) ?? UNKNOWN;
  }

  /** `@step:<id>`, as the table of `plans.md` §3 has it. */
  private stepValue(id: string): StaticType {
    const index = this.names.positionOf(id);
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
        return local === undefined ? (this.variables.ofStep(index as number) ?? UNKNOWN) : table.named(local);
      }
      default:
        return this.variables.ofStep(index as number) ?? UNKNOWN;
    }
  }

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
        const kind = this.names.effectOf(step.handle);
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
        return this.outcomeOf(this.names.childOf(step.for));
      case 'await_plans_all': {
        const first = step.handles.form === 'list' ? step.handles.items[0] : step.handles;
        // An empty list waits for nobody, and yields nothing.
        if (first === undefined) return { kind: 'list', item: { kind: 'never' } };
        return { kind: 'list', item: this.outcomeOf(this.names.childOf(first)) };
      }
      case 'raise_event':
      case 'end':
        return undefined;
      default:
        return step satisfies never;
    }
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

  private assignedType(index: number): StaticType {
    const step = this.def.steps[index] as Extract<Step, { op: 'assign' }>;
    const checker = new ExprChecker(this.env({ at: 'step', step: index }), '', () => {});
    return checker.assigned(slotExpr(step.expr));
  }
}

function recordOf(fields: readonly (readonly [string, StaticType])[]): StaticType {
  return { kind: 'record', fields: new Map(fields) };
}
