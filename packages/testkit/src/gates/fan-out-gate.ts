import { type Json, literalToTree, type Value } from '@worldline/air';
import type { Instance } from '@worldline/kernel';
import { Dice } from '../seeded.ts';
import { ChangeError, demanding } from './changed-world.ts';
import { canCome } from './drive.ts';
import { once } from './duplicates-gate.ts';
import type { Flow } from './flow.ts';
import { type GateOptions, GateTally, type GateWorld } from './gate.ts';
import { GateRun, type Request } from './run.ts';
import { idOf } from './templates.ts';

/**
 * `patterns.md` F8, cases C51–C54: children end in any order, one of them in an error or cancelled; the barrier opens after
 * the last one and not before, every child has an outcome there, and the request is settled.
 */
export function fanOutGate(world: GateWorld, flows: readonly Flow[], options: GateOptions, orders: number): GateTally {
  const tally = new GateTally('fan-out');
  const fanning = flows.filter(({ envelope }) =>
    envelope.spawns.some((one) => one.via !== 'triggered' && isFanOut(world, one.plan, one.step)),
  );
  if (fanning.length === 0) tally.skip('no run starts children for a list (spawn_for_each)');
  for (const flow of fanning) {
    for (let i = 0; i < orders; i++) {
      const seed = (options.seed ?? 1) * 104_729 + i;
      barrier(world, flow, options, tally, seed, i % 3 === 1 ? 'canceled' : 'none');
      if (i % 3 !== 1) failing(world, flow, options, tally, seed);
    }
  }
  return tally;
}

function isFanOut(world: GateWorld, plan: string, step: string): boolean {
  const def = world.loaded.catalog.plans.get(plan)?.def;
  return def?.steps.some((one) => one.id === step && one.op === 'spawn_for_each') === true;
}

/** One child breaks an invariant that only its input breaks. */
function failing(world: GateWorld, flow: Flow, options: GateOptions, tally: GateTally, seed: number): void {
  const run = new GateRun(world.loaded, {}, () => {});
  run.request(flow, idOf(1));
  const request = run.requests.get(idOf(1)) as Request;
  const parent = advanceToBarrier(run, request, new Dice(seed));
  if (parent === undefined) return;
  const children = [...parent.children.keys()].flatMap((id) => run.w.kernel.instance(id) ?? []);
  const [first] = children;
  const one = first === undefined ? undefined : ownField(children, first);
  if (first === undefined || one === undefined) {
    tally.skip('children whose inputs have no field of their own: none of them can be made to fail alone');
    return;
  }
  const invariant = {
    op: 'ne',
    args: [{ ref: `@plan.input.${one.name}` }, literalToTree(one.value)],
  } as unknown as Json;
  try {
    const changed = demanding(world, first.name, invariant);
    barrier(changed, flow, options, tally, seed, 'error');
  } catch (error) {
    if (!(error instanceof ChangeError)) throw error;
    tally.skip(`a failing child of ${flow.name}: ${error.message}`);
  }
}

const SCALARS: ReadonlySet<string> = new Set(['text', 'int', 'nat', 'uuid', 'hash']);

/** A field of a child's input that no sibling has like that. */
function ownField(
  children: readonly Instance[],
  child: Instance,
): { readonly name: string; readonly value: Value } | undefined {
  if (child.input.kind !== 'record') return undefined;
  for (const [name, value] of child.input.fields) {
    if (!SCALARS.has(value.kind)) continue;
    const others = children.filter((one) => one !== child).map((one) => fieldOf(one, name));
    const own = fieldOf(child, name);
    if (others.length > 0 && !others.includes(own)) return { name, value };
  }
  return undefined;
}

function fieldOf({ input }: Instance, name: string): string {
  const value = input.kind === 'record' ? input.fields.get(name) : undefined;
  return value === undefined || !('value' in value) ? '' : String(value.value);
}

/** Delivers at random until a run waits for two children or more; the run, if that happens. */
function advanceToBarrier(run: GateRun, request: Request, dice: Dice): Instance | undefined {
  for (let i = 0; i < 200; i++) {
    const parent = request.plans
      .filter((id) => run.isLive(id))
      .flatMap((id) => run.w.kernel.instance(id) ?? [])
      .find(({ planWaits }) => [...planWaits.values()].some(({ planIds }) => planIds.length > 1));
    if (parent !== undefined) return parent;
    const open = run.openings(request).filter(canCome);
    if (open.length === 0) return undefined;
    const opening = open.find(({ kind }) => kind !== 'timer') ?? dice.pick(open);
    run.deliver(request, opening, run.answers(request, opening)[0] as string);
  }
  return undefined;
}

function barrier(
  world: GateWorld,
  flow: Flow,
  options: GateOptions,
  tally: GateTally,
  seed: number,
  fault: 'none' | 'error' | 'canceled',
): void {
  const dice = new Dice(seed);
  const run = new GateRun(world.loaded, options, (name, message, hint) => tally.problem(name, message, hint));
  const id = idOf(1);
  run.request(flow, id);
  const request = run.requests.get(id) as Request;
  const parent = advanceToBarrier(run, request, dice);
  if (parent === undefined) {
    tally.skip(`${flow.name}: no run came to a barrier over two children or more; give it a longer list in gates.json`);
    return;
  }
  const [step, { planIds: ids }] = [...parent.planWaits].find(([, { planIds }]) => planIds.length > 1)!;
  const isOpen = () => !run.isLive(parent.id) || run.stateOf(parent.id, step) === 'completed';
  tally.count('barriers');
  tally.count('children', ids.length);
  const ended = () => ids.filter((child) => !run.isLive(child)).length;
  if (fault === 'canceled') {
    const live = ids.filter((child) => run.isLive(child));
    if (live.length > 0) run.cancel(request, dice.pick(live));
  }
  for (let i = 0; i < 500 && !isOpen(); i++) {
    if (ended() === ids.length) break;
    const open = run.openings(request).filter((one) => canCome(one) && ids.includes(one.planId));
    // Children of children.
    const any = open.length > 0 ? open : run.openings(request).filter(canCome);
    if (any.length === 0) break;
    const opening = dice.pick(
      any.filter(({ kind }) => kind !== 'timer').length > 0 ? any.filter(({ kind }) => kind !== 'timer') : any,
    );
    run.deliver(request, opening, run.answers(request, opening)[0] as string);
    if (isOpen() && ended() < ids.length)
      tally.problem(flow.name, `seed ${seed}: the barrier opened when ${ended()} of ${ids.length} children had ended`);
  }
  const codes = request.ends.filter(({ planId }) => ids.includes(planId)).map(({ code }) => code);
  const bad = codes.filter((code) => code !== 'ok').length;
  if (fault !== 'none') {
    tally.count(`barriers with a child ${fault === 'error' ? 'in error' : 'cancelled'}`);
    if (bad === 0) tally.problem(flow.name, `seed ${seed}: no child of the barrier failed`);
    if (bad > 1) tally.problem(flow.name, `seed ${seed}: one child was made to fail and ${bad} did`);
  }
  if (!isOpen()) {
    tally.problem(flow.name, `seed ${seed}: ${ended()} of ${ids.length} children have ended, and the barrier is shut`);
    return;
  }
  for (let i = 0; i < 500; i++) {
    const open = run.openings(request).filter(canCome);
    const opening = open.find(({ kind }) => kind !== 'timer') ?? open[0];
    if (opening === undefined) break;
    run.deliver(request, opening, run.answers(request, opening)[0] as string);
  }
  once(flow, request, tally, `seed ${seed}: a request with a barrier`);
  const entry = request.ends.find(({ planId }) => planId === request.plans[0]);
  if (entry !== undefined && entry.code !== 'ok')
    tally.problem(
      flow.name,
      `seed ${seed}: the entry ended with ${entry.code}: a child's failure is a value to its parent`,
    );
}
