import type { RefExpr } from './expr.ts';
import { factsOf, type Place, placeAt, spelledPlace } from './facts.ts';
import type { PlanDef, Step } from './node.ts';
import { PlanFlow } from './plan-flow.ts';
import type { PlanNames } from './plan-names.ts';

/** Where an expression stands: a step that runs, an edge behind a step that has completed, or nowhere in particular. */
export type Position =
  | { readonly at: 'step'; readonly step: number }
  | { readonly at: 'edge'; readonly from: number }
  | { readonly at: 'plan' };

/** Where the values of a plan lie, as far as they stay as they are, and what guards say about them (`expressions.md` §13.5). */
export class PlanPlaces {
  readonly flow: PlanFlow;
  private readonly def: PlanDef;
  private readonly names: PlanNames;
  /** Place that the value of a step is taken from. */
  private readonly aliases: (Place | undefined)[] = [];

  constructor(def: PlanDef, names: PlanNames) {
    this.def = def;
    this.names = names;
    this.flow = new PlanFlow(
      def.steps.length,
      def.edges.flatMap((edge, index) => {
        const from = names.positionOf(edge.from);
        const to = names.positionOf(edge.to);
        return from === undefined || to === undefined ? [] : [{ from, to, index }];
      }),
    );
    for (const index of this.flow.order) this.aliases[index] = this.aliasOf(index);
    this.flow.learn((edge) => {
      const { from, when } = def.edges[edge] as PlanDef['edges'][number];
      if (when === undefined) return undefined;
      const position: Position = { at: 'edge', from: names.positionOf(from) as number };
      return factsOf(when, true, (expr) => spelledPlace(expr, (ref) => this.rootPlace(ref, position)));
    });
  }

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
        const index = this.names.positionOf(ref.name ?? '');
        return index === undefined ? undefined : this.stepPlace(index);
      }
      case 'var':
        return this.variablePlace(ref.name ?? '', position);
      default:
        return ref.root satisfies never;
    }
  }

  private variablePlace(name: string, position: Position): Place | undefined {
    const binders = this.names.bindersOf(name);
    const [binder] = binders;
    if (binder === undefined) return { root: `var ${name}`, path: [] };
    if (binders.length > 1) return undefined;
    if (this.def.locals.has(name) && !this.hasCompleted(binder, position)) {
      // Within one expression it keeps its value all the same, but what is learnt here may not hold later.
      return position.at === 'edge' ? undefined : { root: `var ${name}`, path: [] };
    }
    return this.stepPlace(binder);
  }

  /** Has a step surely completed, as seen from a position? */
  hasCompleted(step: number, position: Position): boolean {
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
        const other = this.names.positionOf(ref.name ?? '');
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
    const binders = this.names.bindersOf(name);
    return binders.length === 0 || (binders.length === 1 && this.flow.precedes(binders[0] as number, index));
  }
}

const INPUT: Place = { root: 'input', path: [] };
const EVENT: Place = { root: 'event', path: [] };
