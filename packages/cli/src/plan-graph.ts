import { type EffectEnvelope, exprText, handleRefs, type PlanDef, type Step, slotText } from '@worldline/air';

/** A plan as a graph to be drawn: its steps in an order in which each stands behind those before it. */
export interface PlanGraph {
  readonly plan: PlanDef;
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

export interface GraphNode {
  /** Position in `nodes`. */
  readonly index: number;
  /** What it is: how it is drawn follows from this. */
  readonly role: 'do' | 'effect' | 'wait' | 'event' | 'child' | 'end' | 'plan';
  /** Step id, or the name of another plan. */
  readonly title: string;
  readonly text: string;
  /** Never runs. */
  readonly isDead: boolean;
}

export interface GraphEdge {
  readonly from: number;
  readonly to: number;
  /** `after`: an edge of the plan. `data`: a wait for what a step made. `spawns`, `starts`: another plan. */
  readonly kind: 'after' | 'data' | 'spawns' | 'starts';
  /** The guard, or what starts the other plan. */
  readonly label?: string | undefined;
}

/** @param deep - also the plans that it spawns and that its events start, with theirs. */
export function planGraph(envelope: EffectEnvelope, deep: boolean): PlanGraph {
  const plan = envelope.catalog.plans.get(envelope.plan)!.def;
  const dead = new Set(envelope.plans.find(({ via }) => via === 'itself')!.dead);
  const order = inOrder(plan);
  const index = new Map(order.map((step, i) => [step.id, i]));
  const nodes: GraphNode[] = order.map((step, i) => ({
    index: i,
    role: roleOf(step),
    title: step.id,
    text: textOf(step, plan),
    isDead: dead.has(step.id),
  }));
  const edges: GraphEdge[] = plan.edges.map(({ from, to, when }) => ({
    from: index.get(from)!,
    to: index.get(to)!,
    kind: 'after',
    label: when === undefined ? undefined : exprText(when),
  }));
  const isThere = (from: number, to: number) => edges.some((edge) => edge.from === from && edge.to === to);
  for (const step of order) {
    for (const source of sourcesOf(step, plan)) {
      const [from, to] = [index.get(source)!, index.get(step.id)!];
      if (!isThere(from, to)) edges.push({ from, to, kind: 'data' });
    }
  }
  if (deep) addPlans(envelope, index, nodes, edges);
  return { plan, nodes, edges };
}

function addPlans(
  envelope: EffectEnvelope,
  steps: ReadonlyMap<string, number>,
  nodes: GraphNode[],
  edges: GraphEdge[],
): void {
  const plans = new Map<string, number>();
  const nodeOf = (name: string) => {
    let index = plans.get(name);
    if (index === undefined) {
      index = nodes.length;
      plans.set(name, index);
      nodes.push({ index, role: 'plan', title: name, text: 'plan', isDead: false });
    }
    return index;
  };
  const links = new Set<string>();
  const link = (from: number, to: number, kind: GraphEdge['kind'], label?: string) => {
    const key = JSON.stringify([from, to, kind, label]);
    if (!links.has(key)) edges.push({ from, to, kind, label });
    links.add(key);
  };
  const sourceOf = (one: { via: string; plan: string; step: string }) =>
    one.via === 'itself' ? steps.get(one.step)! : nodeOf(one.plan);
  for (const spawn of envelope.spawns) link(sourceOf(spawn), nodeOf(spawn.child), 'spawns');
  for (const raise of envelope.raises) {
    for (const { plan, when } of raise.starts) {
      link(sourceOf(raise), nodeOf(plan), 'starts', when === 'always' ? raise.event : `${raise.event}, maybe`);
    }
  }
}

/** Steps in declaration order as far as their edges allow. */
function inOrder(plan: PlanDef): readonly Step[] {
  const left = new Map(plan.steps.map((step) => [step.id, new Set<string>()]));
  const after = new Map(plan.steps.map((step) => [step.id, new Set<string>()]));
  const add = (from: string, to: string) => {
    left.get(to)!.add(from);
    after.get(from)!.add(to);
  };
  for (const { from, to } of plan.edges) add(from, to);
  for (const step of plan.steps) for (const source of sourcesOf(step, plan)) add(source, step.id);
  const position = new Map(plan.steps.map((step, i) => [step.id, i]));
  const byId = new Map(plan.steps.map((step) => [step.id, step]));
  const ready = plan.steps.filter(({ id }) => left.get(id)!.size === 0).map(({ id }) => id);
  const order: Step[] = [];
  // A step whose last predecessor was just listed follows it: a branch is read to its end before the next one.
  for (let id = ready.shift(); id !== undefined; id = ready.shift()) {
    order.push(byId.get(id)!);
    const unblocked: string[] = [];
    for (const next of after.get(id)!) {
      left.get(next)!.delete(id);
      if (left.get(next)!.size === 0) unblocked.push(next);
    }
    ready.unshift(...unblocked.sort((a, b) => position.get(a)! - position.get(b)!));
  }
  return order;
}

const makers = new WeakMap<PlanDef, ReadonlyMap<string, string>>();

/** The step that binds each handle. */
function makersOf(plan: PlanDef): ReadonlyMap<string, string> {
  let found = makers.get(plan);
  if (found === undefined) {
    found = new Map(
      plan.steps.flatMap((step): [string, string][] => {
        if (step.op === 'emit_effect') return [[step.effectIdAs, step.id]];
        if (step.op === 'spawn_plan') return [[step.handleAs, step.id]];
        return step.op === 'spawn_for_each' ? [[step.handlesAs, step.id]] : [];
      }),
    );
    makers.set(plan, found);
  }
  return found;
}

/** Steps that made what this one waits for (`plans.md` §6.1, data edges). */
function sourcesOf(step: Step, plan: PlanDef): readonly string[] {
  const maker = (name: string | undefined) => makersOf(plan).get(name ?? '') ?? [];
  if (step.op === 'await_receipt') return [maker(step.handle)].flat();
  if (step.op !== 'await_plan' && step.op !== 'await_plans_all') return [];
  return handleRefs(step.op === 'await_plan' ? step.for : step.handles).flatMap((ref) => {
    if (ref.form !== 'ref') return [];
    return ref.root === 'step' ? [ref.name ?? ''] : maker(ref.name);
  });
}

function roleOf(step: Step): GraphNode['role'] {
  switch (step.op) {
    case 'assign':
      return 'do';
    case 'emit_effect':
      return 'effect';
    case 'await_receipt':
    case 'await_event':
    case 'await_plan':
    case 'await_plans_all':
      return 'wait';
    case 'raise_event':
      return 'event';
    case 'spawn_plan':
    case 'spawn_for_each':
      return 'child';
    case 'end':
      return 'end';
    default:
      return step satisfies never;
  }
}

function textOf(step: Step, plan: PlanDef): string {
  switch (step.op) {
    case 'assign':
      return `${step.as} := ${slotText(step.expr)}`;
    case 'emit_effect':
      return `emits ${step.kind} with grant ${step.cap}`;
    case 'await_receipt':
      return `waits for the receipt of ${sourcesOf(step, plan).join(', ')}`;
    case 'await_event':
      return `waits for event ${step.event}${step.where === undefined ? '' : ` where ${exprText(step.where)}`}`;
    case 'raise_event':
      return `raises event ${step.event}`;
    case 'spawn_plan':
      return `spawns ${step.plan}`;
    case 'spawn_for_each':
      return `spawns ${step.plan} for each of ${slotText(step.inputs)}`;
    case 'await_plan':
      return `waits for the child of ${sourcesOf(step, plan).join(', ')}`;
    case 'await_plans_all':
      return `waits for all children of ${sourcesOf(step, plan).join(', ')}`;
    case 'end':
      return step.result === undefined ? 'ends' : `ends with ${slotText(step.result)}`;
    default:
      return step satisfies never;
  }
}
