import { authoredPath } from './authored-path.ts';
import { ExprChecker, type ExprEnv, type ExprFinding } from './check-expr.ts';
import type { RefExpr } from './expr.ts';
import { factsOf, type Place, spelledPlace } from './facts.ts';
import type { TriggerSource } from './node-manifest.ts';
import type { Problem } from './node-read.ts';
import { type StaticType, type TypeTable, UNKNOWN } from './static-type.ts';
import type { Type } from './type.ts';
import { draftTrigger, typesAt } from './validate-triggers.ts';
import type { World } from './validate-world.ts';

/**
 * Types of a trigger: `when` is bool, `input_expr` fits the plan's input (`expressions.md` §3, `plans.md` §11). Only
 * `@event` is there; a path that leads nowhere in it is reported by V-707.
 */
export function checkTrigger(source: TriggerSource, world: World, table: TypeTable): readonly Problem[] {
  const { trigger } = draftTrigger(source, world);
  const event = table.named(trigger.event);
  const rootPlace = (ref: RefExpr): Place | undefined =>
    ref.root === 'event' ? { root: 'event', path: [] } : undefined;
  const env: ExprEnv = {
    table,
    rootType: (ref) => (ref.root === 'event' ? event : UNKNOWN),
    rootPlace,
    fact: () => undefined,
    provable: true,
    reportsPath: (ref) => isReported(ref, trigger.event, world),
  };
  const problems: Problem[] = [];
  const report = (finding: ExprFinding, member: string, at?: readonly (string | number)[]) => {
    problems.push({
      origin: world.manifest.origin,
      ...finding,
      path: [...source.path, member, ...finding.path],
      ...(at === undefined ? {} : { at: [...source.path, member, ...at] }),
    });
  };
  if (trigger.when !== undefined) {
    new ExprChecker(env, 'trigger.when', (finding) => report(finding, 'when')).predicate(trigger.when);
  }
  const input = world.plans.get(trigger.plan)?.source.input;
  if (trigger.inputExpr?.expr !== undefined && input !== undefined) {
    const type: Type = { kind: 'ref', name: input };
    // It is evaluated only for events that `when` let through (`plans.md` §11).
    const { when } = trigger;
    const facts = when && factsOf(when, true, (expr) => spelledPlace(expr, rootPlace));
    const behindWhen: ExprEnv = { ...env, fact: (key) => facts?.get(key) };
    const checker = new ExprChecker(behindWhen, 'trigger.input_expr', (finding) => {
      const written = source.inputExpr;
      report(
        finding,
        'input_expr',
        written === undefined ? undefined : authoredPath(written, type, finding.path, world.scope),
      );
    });
    checker.expect(trigger.inputExpr.expr, table.named(input) satisfies StaticType);
  }
  return problems;
}

function isReported(ref: RefExpr, event: string, world: World): boolean {
  return ref.root === 'event' && typesAt({ kind: 'ref', name: event }, ref.path, world.scope).length === 0;
}
