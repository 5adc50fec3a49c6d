import type { Path } from '@worldline/canon';
import { authoredPath } from './authored-path.ts';
import { ExprChecker, type ExprFinding } from './check-expr.ts';
import type { Correlation } from './correlation-type.ts';
import { exprRefs } from './evaluate.ts';
import type { Expr, Slot } from './expr.ts';
import { parseExpr } from './expr-parse.ts';
import type { PlanDef, Step } from './node.ts';
import { BIND_MEMBERS, CORRELATION_ID, type PlanSource } from './node-plan.ts';
import { type PlanLookups, type ReadPlan, slotType } from './node-plan-canonical.ts';
import type { Problem, Report } from './node-read.ts';
import type { Position } from './plan-places.ts';
import { type PlanContext, PlanTypes } from './plan-types.ts';
import { slotExpr } from './slot-expr.ts';
import type { StaticType } from './static-type.ts';
import { boundName } from './step.ts';
import { isHandleOp } from './validate-plan-graph.ts';

/**
 * Types of a plan: every slot, guard, `where` and invariant (`expressions.md` §13), and what steps bind.
 *
 * Names, handles and scopes are the business of other rules: what they report has the type `unknown` here. Literals were
 * read with their types.
 */
export function checkPlan(
  source: PlanSource,
  plan: ReadPlan,
  context: PlanContext,
  lookups: PlanLookups,
  correlation: Correlation,
): readonly Problem[] {
  return new PlanChecker(source, plan, context, lookups, correlation).run();
}

class PlanChecker {
  private readonly problems: Problem[] = [];
  private readonly source: PlanSource;
  private readonly plan: ReadPlan;
  private readonly def: PlanDef;
  private readonly context: PlanContext;
  private readonly lookups: PlanLookups;
  private readonly correlation: Correlation;
  private readonly types: PlanTypes;
  private correlationSeen = false;

  constructor(
    source: PlanSource,
    plan: ReadPlan,
    context: PlanContext,
    lookups: PlanLookups,
    correlation: Correlation,
  ) {
    this.source = source;
    this.plan = plan;
    this.def = plan.draft;
    this.context = context;
    this.lookups = lookups;
    this.correlation = correlation;
    this.types = new PlanTypes(plan.draft, context, isWhole(source));
  }

  run(): readonly Problem[] {
    const { def } = this;
    for (const [index, step] of def.steps.entries()) this.step(step, index);
    for (const [index, edge] of def.edges.entries()) {
      if (edge.when === undefined) continue;
      const path = ['edges', this.source.edges[index]?.index ?? index, 'when'];
      const from = this.types.names.positionOf(edge.from);
      const position: Position = from === undefined ? { at: 'plan' } : { at: 'edge', from };
      this.predicate(edge.when, position, `when of ${edge.from} → ${edge.to}`, path, edge.to);
    }
    for (const [index, invariant] of def.invariants.entries()) {
      const written = this.source.invariants[index]?.index ?? index;
      this.predicate(invariant, { at: 'plan' }, `invariant ${written}`, ['invariants', written]);
    }
    for (const conflict of this.types.conflicts) {
      const step = def.steps[conflict.step] as Step;
      // That a handle is bound twice was said (V-508).
      if (isHandleOp(step.op) && handlesOf(def, conflict.variable) > 1) continue;
      const { table } = this.context;
      const [expected, found] = [table.text(conflict.expected), table.text(conflict.found)];
      const { variable } = conflict;
      const bind = ['steps', this.written(conflict.step), 'bind', BIND_MEMBERS[step.op] as string];
      this.report({
        code: 'var_type_conflict',
        path: bind,
        message: conflict.isLocal
          ? `"${variable}" is declared as ${expected}, step "${step.id}" binds ${found}`
          : table.resolve(conflict.expected).kind === 'unknown'
            ? `the type of "${variable}" contains itself: ${found}`
            : `"${variable}" is ${expected} so far, step "${step.id}" binds ${found}`,
        hint: conflict.isLocal
          ? 'Bind another variable, or declare the local with the type that is bound.'
          : 'Bind another variable here, or declare the local and bind one type.',
        fields: { step: step.id, name: variable, expected, found },
      });
    }
    return this.problems;
  }

  /** The place of a step in the list as written: one that did not read is not in the plan. */
  private written(position: number): number {
    return this.source.steps[position]?.index ?? position;
  }

  private step(step: Step, index: number): void {
    switch (step.op) {
      case 'assign':
        return this.slot(step.expr, 'expr', step, index);
      case 'emit_effect':
        this.slot(step.params, 'params', step, index);
        if (step.idempotencyKey !== undefined) this.slot(step.idempotencyKey, 'idempotency_key', step, index);
        return;
      case 'raise_event':
        return this.slot(step.value, 'value', step, index);
      case 'spawn_plan':
        return this.slot(step.input, 'input', step, index);
      case 'spawn_for_each':
        return this.slot(step.inputs, 'inputs', step, index);
      case 'end':
        if (step.result !== undefined) this.slot(step.result, 'result', step, index);
        return;
      case 'await_event': {
        if (step.where === undefined) return;
        const event = this.context.table.named(step.event);
        const position: Position = { at: 'step', step: index };
        this.predicate(
          step.where,
          position,
          'await_event.where',
          ['steps', this.written(index), 'where'],
          step.id,
          event,
        );
        return;
      }
      case 'await_receipt':
      case 'await_plan':
      case 'await_plans_all':
        return;
      default:
        step satisfies never;
    }
  }

  private slot(slot: Slot, name: string, step: Step, index: number): void {
    const source = this.source.steps[index];
    const path: Path = ['steps', this.written(index), name];
    const type = source === undefined ? 'missing' : slotType(source, name, this.source, this.lookups);
    // A literal was read with its type; without one it still has to have a type of its own.
    if (slot.expr === undefined && type !== undefined) return;
    const expr = slot.expr ?? this.untyped(slot, name, index);
    this.correlationUse(expr, path, step.id);
    const env = this.types.env({ at: 'step', step: index });
    const written = source?.slots.get(name);
    const checker = new ExprChecker(env, `${step.op}.${name}`, (finding) => {
      const at =
        written === undefined
          ? undefined
          : authoredPath(written, type === 'missing' ? undefined : type, finding.path, this.lookups.scope);
      this.found(finding, path, step.id, at && [...path, ...at]);
    });
    if (name === 'idempotency_key') checker.idempotencyKey(expr);
    else if (type === undefined) checker.assigned(expr);
    else checker.expect(expr, type === 'missing' ? ({ kind: 'unknown' } as StaticType) : type);
  }

  /** An untyped literal as it stands in the node, so that places in it are those of the node. */
  private untyped(slot: Slot, name: string, index: number): Expr {
    const json = this.plan.slots[index]?.get(name)?.json;
    const parsed = json === undefined ? undefined : parseExpr(json, this.source.names);
    return parsed?.ok === true ? parsed.value : slotExpr(slot);
  }

  private predicate(
    expr: Expr,
    position: Position,
    label: string,
    path: Path,
    step?: string | undefined,
    event?: StaticType,
  ): void {
    this.correlationUse(expr, path, step);
    const checker = new ExprChecker(this.types.env(position, event), label, (finding) =>
      this.found(finding, path, step),
    );
    checker.predicate(expr);
  }

  /** `correlation_type`: once for a plan, where the variable is first read. */
  private correlationUse(expr: Expr, path: Path, step: string | undefined): void {
    const { conflict } = this.correlation;
    if (conflict === undefined || this.correlationSeen) return;
    const use = exprRefs(expr).find(({ ref }) => ref.root === 'var' && ref.name === CORRELATION_ID);
    if (use === undefined) return;
    this.correlationSeen = true;
    this.report({
      code: 'correlation_type',
      path: [...path, ...use.path],
      message: `@var:${CORRELATION_ID} is ${conflict.expected} or ${conflict.found}, depending on what starts the plan`,
      hint: 'Give all triggers of the plan a correlate_by of one type, or start different plans.',
      fields: { ...(step === undefined ? {} : { step }), expected: conflict.expected, found: conflict.found },
    });
  }

  private found(finding: ExprFinding, path: Path, step?: string | undefined, at?: Path | undefined): void {
    const { fields, ...rest } = finding;
    this.report({
      ...rest,
      path: [...path, ...finding.path],
      ...(at === undefined ? {} : { at }),
      fields: { ...(step === undefined ? {} : { step }), ...fields },
    });
  }

  private report(problem: Report): void {
    this.problems.push({ origin: this.source.origin, ...problem });
  }
}

function handlesOf(def: PlanDef, variable: string): number {
  return def.steps.filter((step) => isHandleOp(step.op) && boundName(step) === variable).length;
}

/** Are all steps and edges there? Else nothing is known of what comes before what. */
function isWhole({ edges, names, lost, unread }: PlanSource): boolean {
  if (lost.anyStep || lost.steps.size > 0 || unread.has('edges')) return false;
  return edges.every(({ from, to }) => names.steps.has(from) && names.steps.has(to));
}
