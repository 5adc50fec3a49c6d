import type { Edge, PlanDef } from '@worldline/air';
import { decode } from '@worldline/canon';
import { timerDueNs } from '@worldline/kernel';
import { Dice } from '../seeded.ts';
import { oneLine } from './cross-talk-gate.ts';
import { anyAnswer, canCome, SoloRuns } from './drive.ts';
import { once } from './duplicates-gate.ts';
import type { Flow } from './flow.ts';
import { type GateOptions, GateTally, type GateWorld } from './gate.ts';
import { type Delivery, GateRun, type Opening, type Request } from './run.ts';
import { idOf } from './templates.ts';

/**
 * `patterns.md` R1–R3, F6; cases C38–C40.
 *
 * Waits of one run race when no step follows from both, or when one of them is a timer whose key begins `deadline:` (R7).
 * Each seed puts the racers in an order, at one and the same logical time for every second seed. The first that leads
 * anywhere has won: with it alone, and with none of the others, the run must come to its end, and to the end to which it
 * comes when the others never arrive. Then the others do.
 */
export function lateLosersGate(
  world: GateWorld,
  flows: readonly Flow[],
  options: GateOptions,
  seeds: number,
  progress: (done: number, total: number) => void,
): GateTally {
  const tally = new GateTally('late-losers');
  const racing = flows.filter((flow) => hasRace(world, flow));
  if (racing.length === 0) tally.skip('no run has two waits that race');
  racing.forEach((flow, f) => {
    const solo = new SoloRuns(world);
    // A world of its own for a hundred seeds: what has ended costs nothing, and what went wrong is near.
    for (let from = 0; from < seeds; from += SEEDS_PER_WORLD) {
      const run = new GateRun(world.loaded, options, (name, message, hint) => tally.problem(name, message, hint));
      for (let i = from; i < Math.min(seeds, from + SEEDS_PER_WORLD); i++) {
        if (options.signal?.aborted === true) return;
        race(run, solo, flow, tally, (options.seed ?? 1) * 1_000_003 + i, i);
      }
      if (from + SEEDS_PER_WORLD >= SEEDS_WITHOUT_RACE && !hasRaced(tally)) {
        tally.skip(`in ${from + SEEDS_PER_WORLD} runs of ${flow.name} no two waits raced`);
        break;
      }
      progress(f * seeds + Math.min(seeds, from + SEEDS_PER_WORLD), racing.length * seeds);
    }
    tally.count('ways to an end', solo.size);
  });
  if (racing.length > 0 && !hasRaced(tally)) tally.skip('no two waits of a run raced');
  return tally;
}

const SEEDS_PER_WORLD = 100;
/** A flow that has not raced by then does not race. */
const SEEDS_WITHOUT_RACE = 500;

function hasRaced(tally: GateTally): boolean {
  return tally.counted('races') + tally.counted('races at equal times') > 0;
}

const DELIVERIES_MAX = 200;

function race(run: GateRun, solo: SoloRuns, flow: Flow, tally: GateTally, seed: number, n: number): void {
  const dice = new Dice(seed);
  const { w } = run;
  const tickNs = w.tickNs;
  const equal = dice.chance(50);
  if (equal) w.tickNs = 0n;
  const id = idOf(n + 1);
  run.request(flow, id);
  const request = run.requests.get(id) as Request;
  const losers: { readonly opening: Opening; readonly delivery: Delivery }[] = [];
  const isLoser = (opening: Opening) =>
    losers.some((one) => one.opening.planId === opening.planId && one.opening.awaits === opening.awaits);
  let raced = false;
  for (let i = 0; i < DELIVERIES_MAX && !run.isOver(request); i++) {
    const open = run.openings(request).filter((one) => canCome(one) && !isLoser(one));
    if (open.length === 0) break;
    const opening = dice.pick(open);
    const rivals = open.filter((one) => one !== opening && doRace(run, opening, one));
    // Before the winner is known: what the others bring can be made up only while they are waited for.
    const late = rivals.map((one) => ({
      opening: one,
      delivery: run.delivery(request, one, anyAnswer(dice, run, request, one)),
    }));
    if (equal && rivals.length > 0) beDue(run, [opening, ...rivals]);
    run.deliver(request, opening, anyAnswer(dice, run, request, opening));
    if (rivals.length === 0 || !leadsOn(run, opening)) continue;
    raced = true;
    losers.push(...late);
    // A run that goes on after its decision meets the loser while it lives.
    if (run.isLive(opening.planId) && dice.chance(50)) come(run, losers.splice(0), tally, dice, request);
  }
  w.tickNs = tickNs;
  tally.count('seeds');
  if (raced) tally.count(equal ? 'races at equal times' : 'races');
  if (!run.isOver(request)) {
    const waits = run.openings(request).map(({ step }) => `"${step}"`);
    tally.problem(
      flow.name,
      `seed ${seed}: the winner of a race does not settle it: the run still waits for ${[...new Set(waits)].join(', ')}`,
      'give each outcome an end of its own, and join the branches of a race nowhere (patterns.md R2)',
    );
    return;
  }
  const before = request.outcome();
  come(run, losers, tally, dice, request);
  if (request.outcome() !== before)
    tally.problem(flow.name, `seed ${seed}: what came after the end changed the outcome`);
  if (raced) once(flow, request, tally, `seed ${seed}: a request whose losers came`);
  const alone = solo.outcome(request);
  if (alone !== before)
    tally.problem(
      flow.name,
      `seed ${seed}: with its losers it ended "${oneLine(before)}", without them "${oneLine(alone)}"`,
    );
}

/** Both timers are due, so that nothing but the journal says which was first. */
function beDue(run: GateRun, openings: readonly Opening[]): void {
  for (const { kind, emission } of openings) {
    const due = kind === 'timer' ? timerDueNs(emission!) : 0n;
    if (due > run.w.logicalNs) run.w.advance(due - run.w.logicalNs);
  }
}

/** The losers arrive, some of them twice. */
function come(
  run: GateRun,
  losers: readonly { readonly opening: Opening; readonly delivery: Delivery }[],
  tally: GateTally,
  dice: Dice,
  request: Request,
): void {
  for (const { opening, delivery } of dice.shuffled(losers)) {
    const hadEnded = !run.isLive(opening.planId);
    const { records } = run.again(delivery);
    tally.count('losers delivered');
    const receipt = records.find((one) => one.record_kind === 'effect_receipt');
    const isShared = (delivery.emission?.waiters.length ?? 0) > 0;
    if (hadEnded && !isShared && receipt !== undefined && receipt.disposition !== 'late')
      tally.problem(request.flow.name, `the receipt of a loser is recorded "${receipt.disposition}", not "late"`);
    if (dice.chance(25)) run.again(delivery);
  }
}

function planOf(run: GateRun, { instance }: Opening): PlanDef {
  return run.w.kernel.catalog.plans.get(instance.name)!.def;
}

function doRace(run: GateRun, one: Opening, other: Opening): boolean {
  if (one.planId !== other.planId) return false;
  if (isDeadline(one) || isDeadline(other)) return true;
  const plan = planOf(run, one);
  const after = following(plan, one.awaits);
  return ![...following(plan, other.awaits)].some((step) => after.has(step));
}

/** R7. */
function isDeadline({ kind, emission }: Opening): boolean {
  if (kind !== 'timer') return false;
  const params = decode(emission!.paramsCbor);
  const key = params.ok ? (params.value as { readonly key?: unknown }).key : undefined;
  return typeof key === 'string' && key.startsWith('deadline:');
}

/** Ids of the steps that come after a step, by edges. */
function following(plan: PlanDef, step: number): ReadonlySet<string> {
  const found = new Set<string>();
  const queue = [plan.steps[step]?.id];
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    for (const { from, to } of plan.edges as readonly Edge[]) {
      if (from !== id || found.has(to)) continue;
      found.add(to);
      queue.push(to);
    }
  }
  return found;
}

/** Whether a wait that is over leads anywhere: its run has ended, or not all that follows is skipped. */
function leadsOn(run: GateRun, opening: Opening): boolean {
  if (!run.isLive(opening.planId)) return true;
  const plan = planOf(run, opening);
  const id = plan.steps[opening.awaits]?.id;
  const next = plan.edges.flatMap(({ from, to }) =>
    from === id ? [plan.steps.findIndex((step) => step.id === to)] : [],
  );
  return next.some((step) => run.stateOf(opening.planId, step) !== 'skipped');
}

/** A plan of the flow may have two waits at once that race, by its edges. */
function hasRace(world: GateWorld, flow: Flow): boolean {
  return flow.envelope.plans.some(({ plan: name, via }) => {
    const plan = world.loaded.catalog.plans.get(name)?.def;
    if (via === 'triggered' || plan === undefined) return false;
    const waits = plan.steps.flatMap((step, i) =>
      step.op === 'await_receipt' || step.op === 'await_event' ? [i] : [],
    );
    return waits.some((a) =>
      waits.some((b) => {
        if (a >= b) return false;
        const [afterA, afterB] = [following(plan, a), following(plan, b)];
        const [idA, idB] = [plan.steps[a]!.id, plan.steps[b]!.id];
        return !afterA.has(idB) && !afterB.has(idA);
      }),
    );
  });
}
