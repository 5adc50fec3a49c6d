import { Bits } from './bits.ts';
import { valuesEqual } from './compare.ts';
import type { Expr } from './expr.ts';
import { spelledRef } from './facts.ts';
import { type Lint, ofPlan } from './lint.ts';
import { conjuncts, equation, eventPath, isFabricSend, type LintPlan, partsOf } from './lint-graph.ts';
import { CORRELATION_ID } from './node-plan.ts';
import type { Value } from './value.ts';

/** Lints about waiting: RL002, RL007, RL010, RL015, RL021, RL022 (`patterns.md` §8). */

export const WAIT_LINTS: readonly Lint[] = [
  ofPlan('RL002', 'warning', (plan, report) => {
    const timers = [...plan.timerWaits];
    const { outcomes } = plan;
    for (const wait of plan.waits) {
      const { op, id } = plan.step(wait);
      const isOpen = op === 'await_event' || (op === 'await_receipt' && plan.kindOf(wait) === 'approval.request');
      if (!isOpen) continue;
      const behind = (plan.descendants[wait] as Bits).copy().add(wait);
      const isBounded = timers.some(
        (timer) =>
          plan.concurrent(timer, wait) &&
          !(plan.sources[timer] ?? []).some((source) => behind.has(source)) &&
          plan.firesInto(timer).meetsOutside(outcomes, behind),
      );
      if (isBounded) continue;
      report({
        step: wait,
        path: plan.stepPath(wait),
        message: `"${id}" of ${plan.name} can wait for ever: no concurrent timer leads to an end that does not need it`,
        hint: 'Emit a timer before the wait, await it beside the wait, and end the plan when it fires.',
      });
    }
  }),
  ofPlan('RL007', 'warning', (plan, report) => {
    const skippable = skippableSteps(plan);
    for (const [wait, { id }] of plan.steps('await_receipt')) {
      for (const source of plan.sources[wait] ?? []) {
        if (!skippable.has(source) || skippedWith(plan, source).has(wait)) continue;
        report({
          step: wait,
          path: plan.stepPath(wait),
          message: `"${id}" of ${plan.name} waits for the effect of "${plan.id(source)}", which may not run: then this fails with handle_unknown`,
          hint: `Let "${id}" follow "${plan.id(source)}" only, so that both are skipped together.`,
        });
      }
    }
  }),
  ofPlan('RL010', 'warning', (plan, report) => {
    for (const join of plan.def.steps.keys()) {
      const race = joinedRace(plan, join);
      if (race === undefined) continue;
      const [timer, wait] = race.map((step) => plan.id(step));
      report({
        step: join,
        path: plan.stepPath(join),
        message: `"${plan.id(join)}" of ${plan.name} joins the timer "${timer}" with "${wait}": it waits for both, so the loser of the race holds the plan`,
        hint: 'Give each outcome its own end; the plan then ends with the first.',
      });
    }
  }),
  ofPlan('RL015', 'warning', (plan, report) => {
    for (const [wait, { id, where }] of plan.steps('await_event')) {
      const asked = new Set<string>();
      for (const conjunct of conjuncts(where)) {
        for (const [x, y] of equation(conjunct)) {
          const key = eventPath(x) === undefined ? undefined : placeText(plan, y, wait);
          if (key !== undefined) asked.add(key);
        }
      }
      if (asked.size === 0) continue;
      const before = plan.ancestors[wait] as Bits;
      for (const [receipt, { id: receiptId }] of plan.steps('await_receipt')) {
        if (!before.has(receipt) || !isFabricSend(plan.kindOf(receipt))) continue;
        const sent = (plan.sources[receipt] ?? []).some((source) =>
          plan.uses.some(
            (use) =>
              use.kind === 'slot' &&
              use.step === source &&
              use.slot === 'params' &&
              asked.has(refText(plan, use.ref, use.path, source) ?? ''),
          ),
        );
        if (!sent) continue;
        report({
          step: wait,
          path: plan.stepPath(wait),
          message: `"${id}" of ${plan.name} begins to wait only after "${receiptId}": an answer that comes before the receipt of the send is missed`,
          hint: `Let "${id}" follow the step that sends, beside "${receiptId}".`,
        });
        break;
      }
    }
  }),
  ofPlan('RL021', 'info', (plan, report) => {
    const waits = plan.steps('await_event').map(([step, { id, event, where }]) => ({
      step,
      id,
      event,
      fixed: constants(where),
    }));
    for (const [position, wait] of waits.entries()) {
      const other = waits
        .slice(0, position)
        .find(
          (one) =>
            one.event === wait.event && plan.concurrent(one.step, wait.step) && !areDisjoint(one.fixed, wait.fixed),
        );
      if (other === undefined) continue;
      report({
        step: wait.step,
        path: plan.stepPath(wait.step),
        message: `"${other.id}" and "${wait.id}" of ${plan.name} wait for ${wait.event} at the same time: one event may satisfy both`,
        hint: 'Compare one field of the event with a different constant in each.',
      });
    }
  }),
  ofPlan('RL022', 'info', (plan, report) => {
    for (const [wait, { id, event, where }] of plan.steps('await_event')) {
      if (conjuncts(where).some((conjunct) => isIndexed(plan, conjunct))) continue;
      report({
        step: wait,
        path: where === undefined ? plan.stepPath(wait) : plan.stepPath(wait, 'where'),
        message: `the where of "${id}" of ${plan.name} cannot be looked up: every ${event} is tried against every instance that waits here`,
        hint: 'Compare a field of the event with @plan.input, @var:correlation_id or a step by "eq", under a top-level "and".',
      });
    }
  }),
];

/** Steps that need not run: they have explicit edges, each guarded or from such a step. */
export function skippableSteps(plan: LintPlan): Bits {
  const found = new Bits(plan.def.steps.length);
  for (const step of plan.order) {
    const edges = (plan.incoming[step] as readonly number[]).map((edge) => plan.def.edges[edge]);
    if (edges.length === 0) continue;
    if (edges.every((edge) => edge?.when !== undefined || found.has(plan.indexOf(edge?.from ?? '')))) found.add(step);
  }
  return found;
}

/** A step, and those with explicit predecessors that are all skipped with it. */
function skippedWith(plan: LintPlan, start: number): Bits {
  const found = new Bits(plan.def.steps.length).add(start);
  for (const step of plan.order) {
    const edges = plan.incoming[step] as readonly number[];
    if (edges.length === 0) continue;
    if (edges.every((edge) => found.has(plan.indexOf(plan.def.edges[edge]?.from ?? '')))) found.add(step);
  }
  return found;
}

/**
 * A timer wait and another wait that run beside each other and first meet at this step. That some step before the join has
 * both behind it is the same as that one right before it has.
 */
function joinedRace(plan: LintPlan, join: number): readonly [number, number] | undefined {
  const explicit = new Bits(plan.def.steps.length);
  const edges = plan.incoming[join] as readonly number[];
  for (const edge of edges) {
    const from = plan.indexOf(plan.def.edges[edge]?.from ?? '');
    explicit.addAll(plan.ancestors[from] as Bits).add(from);
  }
  for (const timer of plan.timerWaits) {
    if (!explicit.has(timer)) continue;
    const others = plan.waits
      .copy()
      .retain(explicit)
      .removeAll(plan.ancestors[timer] as Bits)
      .removeAll(plan.descendants[timer] as Bits);
    for (const before of plan.predecessors[join] as readonly number[]) {
      const ancestors = plan.ancestors[before] as Bits;
      if (ancestors.has(timer)) others.removeAll(ancestors);
    }
    for (const wait of others) if (wait !== timer) return [timer, wait];
  }
  return undefined;
}

/** One text for each place, whatever its spelling. */
function placeText(plan: LintPlan, expr: Expr, step: number): string | undefined {
  const spelled = spelledRef(expr);
  return spelled && refText(plan, spelled.ref, spelled.path, step);
}

function refText(
  plan: LintPlan,
  ref: NonNullable<ReturnType<typeof spelledRef>>['ref'],
  path: readonly string[],
  step: number,
): string | undefined {
  if (ref.root === 'event') return undefined;
  const place = plan.placeOf({ ...ref, path }, { at: 'step', step });
  return JSON.stringify(place === undefined ? [ref.root, ref.name, path] : [place.root, place.path]);
}

/** Paths of the event that a predicate compares with a constant. */
function constants(where: Expr | undefined): ReadonlyMap<string, Value> {
  const found = new Map<string, Value>();
  for (const conjunct of conjuncts(where)) {
    for (const [x, y] of equation(conjunct)) {
      const path = eventPath(x);
      if (path !== undefined && y.form === 'const') found.set(JSON.stringify(path), y.value);
    }
  }
  return found;
}

function areDisjoint(a: ReadonlyMap<string, Value>, b: ReadonlyMap<string, Value>): boolean {
  return [...a].some(([path, value]) => {
    const other = b.get(path);
    return other !== undefined && !valuesEqual(value, other);
  });
}

/** Does a conjunct qualify for the wait index (`kernel.md` §6.5)? */
function isIndexed(plan: LintPlan, conjunct: Expr): boolean {
  return equation(conjunct).some(([x, y]) => {
    const isField = x.form === 'ref' && x.root === 'event' && x.path.length > 0;
    return isField && isFixed(plan, y);
  });
}

/** Only references that cannot change while the wait is outstanding. */
function isFixed(plan: LintPlan, expr: Expr): boolean {
  const open = [expr];
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    if (part.form === 'ref') {
      if (part.root === 'event') return false;
      const { name = '' } = part;
      if (part.root === 'var' && name !== CORRELATION_ID && plan.binders.get(name)?.length !== 1) return false;
      continue;
    }
    for (const [child] of partsOf(part)) open.push(child);
  }
  return true;
}
