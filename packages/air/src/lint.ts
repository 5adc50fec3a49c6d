import type { Path } from '@worldline/canon';
import type { DiagnosticFields, Edit } from './diagnostic.ts';
import type { LintPlan } from './lint-graph.ts';
import type { Trigger } from './node.ts';
import type { Hint } from './node-read.ts';
import type { World } from './validate-world.ts';

/**
 * A lint (`patterns.md` §8): one kind of mistake in plans that are valid. What each looks at is in `lint-*.ts`;
 * `lint-world.ts` runs them.
 */

export type LintLevel = 'warning' | 'info';

export interface LintFinding {
  /** Position in the plan's list. */
  readonly step?: number | undefined;
  readonly path: Path;
  /** The place as written, where it differs. */
  readonly at?: Path | undefined;
  readonly message: string;
  readonly hint?: Hint;
  readonly fields?: DiagnosticFields | undefined;
  readonly edit?: Edit | undefined;
}

export type ReportFinding = (plan: LintPlan, finding: LintFinding) => void;

/** One check over all plans of a world; most look at each plan alone. */
export interface Lint {
  readonly code: string;
  readonly level: LintLevel;
  readonly check: (world: LintWorld, report: ReportFinding) => void;
}

export interface LintWorld {
  /** Listed plans, by name. */
  readonly plans: ReadonlyMap<string, LintPlan>;
  /** In manifest order. */
  readonly triggers: readonly Trigger[];
  readonly world: World;
}

/** The part of a finding that says how it is mended, if that is certain. */
export function withEdit(edit: Edit | undefined): Pick<LintFinding, 'edit'> {
  return edit === undefined ? {} : { edit };
}

/** A lint that looks at plans one by one. */
export function ofPlan(
  code: string,
  level: LintLevel,
  check: (plan: LintPlan, report: (finding: LintFinding) => void, world: LintWorld) => void,
): Lint {
  return {
    code,
    level,
    check: (world, report) => {
      for (const plan of world.plans.values()) check(plan, (finding) => report(plan, finding), world);
    },
  };
}
