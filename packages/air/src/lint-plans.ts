import { compareUtf8, type Path } from '@worldline/canon';
import type { Edit } from './diagnostic.ts';
import type { Expr, RefExpr } from './expr.ts';
import { spelledRef } from './facts.ts';
import { type Lint, type LintWorld, withEdit } from './lint.ts';
import { conjuncts, equation, eventPath, type LintPlan, partsOf } from './lint-graph.ts';
import type { Step, Trigger } from './node.ts';
import { CORRELATION_ID } from './node-plan.ts';
import { slotExpr } from './slot-expr.ts';
import { tryResolveType } from './type-resolve.ts';
import { findCycle } from './validate-plan-graph.ts';
import { typesAt } from './validate-triggers.ts';

/** Lints that follow triggers and spawns from plan to plan: RL001, RL019 (`patterns.md` §8). */

export const PLANS_LINTS: readonly Lint[] = [
  { code: 'RL001', level: 'warning', check: uncorrelatedWaits },
  { code: 'RL019', level: 'warning', check: eventLoops },
];

type Spawn = Extract<Step, { op: 'spawn_plan' | 'spawn_for_each' }>;

function spawnsOf(plan: LintPlan): readonly (readonly [number, Spawn])[] {
  return [...plan.steps('spawn_plan'), ...plan.steps('spawn_for_each')].sort(([a], [b]) => a - b);
}

/** A plan and all plans that it spawns, a plan before those that only it or later ones spawn. */
function closure(start: LintPlan, world: LintWorld): readonly LintPlan[] {
  const parents = new Map<LintPlan, number>([[start, 0]]);
  const found = [start];
  for (const plan of found) {
    for (const [, { plan: name }] of spawnsOf(plan)) {
      const child = world.plans.get(name);
      if (child === undefined) continue;
      if (!parents.has(child)) found.push(child);
      parents.set(child, (parents.get(child) ?? 0) + 1);
    }
  }
  // Spawns form no cycle (V-701), so each plan comes up once all that spawn it have.
  const order = [start];
  for (const plan of order) {
    for (const [, { plan: name }] of spawnsOf(plan)) {
      const child = world.plans.get(name);
      if (child === undefined) continue;
      const left = (parents.get(child) as number) - 1;
      parents.set(child, left);
      if (left === 0) order.push(child);
    }
  }
  return order;
}

// RL001

/** Paths into a plan's input that hold the correlation id. */
type Sources = readonly (readonly string[])[];

function uncorrelatedWaits(world: LintWorld, report: (plan: LintPlan, finding: Finding) => void): void {
  for (const trigger of world.triggers) {
    const start = world.plans.get(trigger.plan);
    if (trigger.correlateBy === undefined || start === undefined) continue;
    const sources = new Map<LintPlan, Sources>([[start, startSources(trigger, trigger.correlateBy)]]);
    for (const plan of closure(start, world)) {
      const own = sources.get(plan) ?? [];
      for (const [step, { id, event, where }] of plan.steps('await_event')) {
        const correlated = conjuncts(where).some((conjunct) =>
          equation(conjunct).some(([x, y]) => eventPath(x) !== undefined && isSource(y, own)),
        );
        if (correlated) continue;
        const key = trigger.correlateBy.join('.');
        const field = eventField(event, trigger.correlateBy, world);
        report(plan, {
          step,
          path: where === undefined ? plan.stepPath(step) : plan.stepPath(step, 'where'),
          message:
            `await_event "${id}" of ${plan.name} is reached from trigger ${trigger.event} → ${trigger.plan} ` +
            `(correlate_by ${key}) but its where does not require @event.${field} to equal the correlation id; ` +
            "concurrent runs can take each other's events",
          hint: `Add {"op": "eq", "args": [{"ref": "@event.${field}"}, {"ref": "@var:${CORRELATION_ID}"}]} to its where, under a top-level "and".`,
          fields: { trigger: trigger.event },
          ...withEdit(correlatingEdit(plan, step, field, trigger, world)),
        });
      }
      for (const [, spawn] of spawnsOf(plan)) {
        const child = world.plans.get(spawn.plan);
        if (child === undefined) continue;
        const given = spawn.op === 'spawn_plan' ? sourcePaths(slotExpr(spawn.input), own) : [];
        const before = sources.get(child);
        sources.set(
          child,
          before === undefined ? given : before.filter((path) => given.some((one) => covers(one, path))),
        );
      }
    }
  }
}

type Finding = Parameters<Parameters<Lint['check']>[1]>[1];

function startSources({ inputExpr }: Trigger, key: readonly string[]): Sources {
  if (inputExpr === undefined) return [key];
  return built(slotExpr(inputExpr), [], (expr) => {
    const spelled = spelledRef(expr);
    return spelled?.ref.root === 'event' ? below(spelled.path, key) : undefined;
  });
}

/** Where an input holds a correlation source of the plan that builds it. */
function sourcePaths(input: Expr, sources: Sources): Sources {
  return built(input, [], (expr) => {
    const spelled = spelledRef(expr);
    if (spelled === undefined) return undefined;
    if (isCorrelationId(expr)) return [];
    if (spelled.ref.root !== 'input') return undefined;
    for (const source of sources) {
      const rest = below(spelled.path, source);
      if (rest !== undefined) return rest;
    }
    return undefined;
  });
}

/** Paths below the fields of a constructor; `rest` says where in the value of an expression the key is. */
function built(expr: Expr, path: Path, rest: (expr: Expr) => readonly string[] | undefined): Sources {
  if (expr.form === 'record') return expr.fields.flatMap(([name, field]) => built(field, [...path, name], rest));
  const found = rest(expr);
  return found === undefined ? [] : [[...path.map(String), ...found]];
}

/** The rest of `whole` behind `path`, if it begins with it. */
function below(path: readonly string[], whole: readonly string[]): readonly string[] | undefined {
  return path.every((segment, index) => whole[index] === segment) ? whole.slice(path.length) : undefined;
}

function covers(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && below(a, b) !== undefined;
}

function isSource(expr: Expr, sources: Sources): boolean {
  if (isCorrelationId(expr)) return true;
  const spelled = spelledRef(expr);
  return spelled?.ref.root === 'input' && sources.some((path) => covers(path, spelled.path));
}

function isCorrelationId(expr: Expr): boolean {
  return expr.form === 'ref' && expr.root === 'var' && expr.name === CORRELATION_ID && expr.path.length === 0;
}

/** The field of an event that most likely carries the id. */
function eventField(event: string, key: readonly string[], { world }: LintWorld): string {
  const candidates = [key.join('.'), key.at(-1) ?? '', 'correlation_id', 'request_id', 'id'];
  const type = { kind: 'ref', name: event } as const;
  return candidates.find((path) => typesAt(type, path.split('.'), world.scope).length > 0) ?? '<field>';
}

/**
 * The conjunct that is missing, where nothing of the run is compared yet and the field can hold its correlation id. What
 * compares anything of the run may tell runs apart in a way that is not seen here.
 */
function correlatingEdit(
  plan: LintPlan,
  step: number,
  field: string,
  trigger: Trigger,
  { world }: LintWorld,
): Edit | undefined {
  const { event, where } = plan.step(step) as Extract<Step, { op: 'await_event' }>;
  const kindOf = (schema: string, path: readonly string[]) => {
    const [type, ...others] = typesAt({ kind: 'ref', name: schema }, path, world.scope);
    return type === undefined || others.length > 0 ? undefined : tryResolveType(type, world.scope)?.kind;
  };
  const kind = kindOf(event, field.split('.'));
  if (kind === undefined || kind !== kindOf(trigger.event, trigger.correlateBy ?? [])) return undefined;
  // Other ways to start the plan may give it another type.
  const id = plan.types.variable(CORRELATION_ID);
  const kinds = id.kind === 'payload' ? [...id.arms.values()].map((arm) => arm.kind) : [id.kind];
  if (!kinds.includes(kind)) return undefined;
  if (where !== undefined && looksAt(where, (ref) => ref.root !== 'event' || ref.path.join('.') === field))
    return undefined;
  const text = `{ "op": "eq", "args": [ { "ref": ${JSON.stringify(`@event.${field}`)} }, { "ref": "@var:${CORRELATION_ID}" } ] }`;
  const path = plan.stepPath(step, 'where');
  if (where === undefined) return { kind: 'add', path: plan.stepPath(step), member: 'where', text, before: 'bind' };
  if (where.form === 'op' && where.op === 'and') return { kind: 'append', path: [...path, 'args'], text };
  return { kind: 'wrap', path, open: '{ "op": "and", "args": [ ', close: `, ${text} ] }` };
}

/** Is there such a reference anywhere in an expression? */
function looksAt(expr: Expr, test: (ref: RefExpr) => boolean): boolean {
  const spelled = spelledRef(expr);
  if (spelled !== undefined && test({ ...spelled.ref, path: spelled.path })) return true;
  return partsOf(expr).some(([part]) => looksAt(part, test));
}

// RL019

interface Raise {
  readonly plan: LintPlan;
  /** The step that raises, or spawns what does. */
  readonly step: number;
}

/** An event that starts, without waiting for anything, what raises it again. */
function eventLoops(world: LintWorld, report: (plan: LintPlan, finding: Finding) => void): void {
  const plans = [...world.plans.values()];
  const waits = new Map<LintPlan, boolean>();
  const raises = new Map<LintPlan, ReadonlyMap<string, Raise>>();
  const order = childrenFirst(world);
  for (const plan of order) {
    const children = spawnsOf(plan).flatMap(([, { plan: name }]) => world.plans.get(name) ?? []);
    const own = [...plan.waits].some((wait) => isStop(plan, wait));
    waits.set(plan, own || children.some((child) => waits.get(child) === true));
    const stops = [...plan.waits].filter(
      (wait) =>
        isStop(plan, wait) ||
        (plan.sources[wait] ?? []).some((spawn) => {
          const step = plan.step(spawn);
          return 'plan' in step && waits.get(world.plans.get(step.plan) as LintPlan) === true;
        }),
    );
    const isFree = (step: number) => !stops.some((wait) => plan.ancestors[step]?.has(wait));
    const found = new Map<string, Raise>();
    for (const [step, { event }] of plan.steps('raise_event')) {
      if (isFree(step) && !found.has(event)) found.set(event, { plan, step });
    }
    for (const [step, { plan: name }] of spawnsOf(plan)) {
      const child = world.plans.get(name);
      if (child === undefined || !isFree(step)) continue;
      for (const event of raises.get(child)?.keys() ?? []) if (!found.has(event)) found.set(event, { plan, step });
    }
    raises.set(plan, found);
  }
  const indexOf = new Map(plans.map((plan, index) => [plan.name, index]));
  const starts = (plan: LintPlan) =>
    world.triggers.filter(({ event }) => raises.get(plan)?.has(event)).map((trigger) => trigger.plan);
  const successors = plans.map((plan) => starts(plan).flatMap((name) => indexOf.get(name) ?? []));
  // One cycle is reported at a time; without the edges into its first plan the next one shows.
  for (let cycle = findCycle(successors); cycle !== undefined; cycle = findCycle(successors)) {
    const first = Math.min(...cycle);
    const at = cycle.indexOf(first);
    const round = [...cycle.slice(at, -1), ...cycle.slice(0, at), first].map((index) => plans[index] as LintPlan);
    const [plan, next] = round as [LintPlan, LintPlan];
    const trigger = world.triggers.find(({ event, plan: to }) => to === next.name && raises.get(plan)?.has(event));
    const raise = raises.get(plan)?.get(trigger?.event ?? '');
    if (raise === undefined) throw new Error(`nothing in ${plan.name} starts ${next.name}`);
    const { step } = raise;
    report(plan, {
      step,
      path: plan.stepPath(step),
      message: `${round.map(({ name }) => name).join(' → ')}: each raises an event that starts the next, and none waits for anything before`,
      hint: 'Let one of them wait before it raises, or give a trigger a "when" that ends the chain.',
      fields: { event: trigger?.event ?? '' },
    });
    for (const [index, list] of successors.entries()) successors[index] = list.filter((to) => to !== first);
  }
}

/** A wait for something from outside. */
function isStop(plan: LintPlan, wait: number): boolean {
  const { op } = plan.step(wait);
  return op === 'await_receipt' || op === 'await_event';
}

function childrenFirst(world: LintWorld): readonly LintPlan[] {
  const done = new Set<LintPlan>();
  const order: LintPlan[] = [];
  for (const start of [...world.plans.values()].sort((a, b) => compareUtf8(a.name, b.name))) {
    if (done.has(start)) continue;
    for (const plan of [...closure(start, world)].reverse()) {
      if (done.has(plan)) continue;
      done.add(plan);
      order.push(plan);
    }
  }
  return order;
}
