import { Dice } from '../seeded.ts';
import { forgedEvent } from './answers.ts';
import { anyAnswer, canCome, SoloRuns } from './drive.ts';
import { once } from './duplicates-gate.ts';
import type { Flow } from './flow.ts';
import { type GateOptions, GateTally, type GateWorld } from './gate.ts';
import { type Delivery, GateRun, type Opening, type Request } from './run.ts';
import { hashOfId, idOf } from './templates.ts';

/**
 * `patterns.md` F3, `plans.md` §17. Many requests at once; what they wait for comes shuffled over all of them, doubled,
 * late, and for ids that nobody has. Nobody gets what belongs to somebody else: at every delivery only its own runs move
 * (G1), no other id is in any outcome, and each ends as it would have ended alone.
 */
export function crossTalkGate(
  world: GateWorld,
  flows: readonly Flow[],
  options: GateOptions,
  count: number,
  progress: (done: number, total: number) => void,
): GateTally {
  const tally = new GateTally('cross-talk');
  flows.forEach((flow, i) => {
    if (flow.idPath === undefined) {
      tally.skip(`${flow.name} has no request id: name its field in gates.json`);
      return;
    }
    const seed = (options.seed ?? 1) * 7_919 + i;
    crowd(world, flow, options, tally, count, seed, (done) => progress(i * count + done, flows.length * count));
  });
  return tally;
}

/** Ids that no request has. */
const STRANGERS = 900_000;

function crowd(
  world: GateWorld,
  flow: Flow,
  options: GateOptions,
  tally: GateTally,
  count: number,
  seed: number,
  progress: (done: number) => void,
): void {
  const dice = new Dice(seed);
  const run = new GateRun(world.loaded, options, (name, message, hint) => tally.problem(name, message, hint));
  for (const n of dice.shuffled(Array.from({ length: count }, (_, i) => i + 1))) run.request(flow, idOf(n));
  const requests = [...run.requests.values()];
  tally.count('requests at once', requests.length);
  const events: Delivery[] = [];
  let live = requests;
  let strangers = 0;
  for (let round = 0; live.length > 0 && round < 200; round++) {
    const open = dice.shuffled(
      live.flatMap((request) => run.openings(request).map((opening) => ({ request, opening }))),
    );
    let moved = 0;
    for (const { request, opening } of open) {
      if (options.signal?.aborted === true) return;
      // Another delivery may have ended its run, or moved it on.
      if (!isStillOpen(run, opening)) continue;
      const isLast = run.openings(request).every((one) => one.kind === 'timer');
      if (!canCome(opening) || (opening.kind === 'timer' && !isLast && !dice.chance(10))) continue;
      if (opening.kind === 'event' && dice.chance(25))
        stranger(run, request, opening, STRANGERS + (strangers++ % 99_999), tally);
      const delivery = run.deliver(request, opening, anyAnswer(dice, run, request, opening));
      moved++;
      if (delivery.event !== undefined) events.push(delivery);
      if (dice.chance(20)) {
        run.again(delivery);
        tally.count('deliveries repeated');
      }
    }
    tally.count('deliveries', moved);
    live = live.filter((request) => !run.isOver(request));
    progress(count - live.length);
    if (moved === 0) break;
  }
  // Late: everybody has ended.
  for (const delivery of dice.shuffled(events)) {
    run.again(delivery);
    tally.count('late responses');
  }
  judge(world, flow, requests, tally);
}

/** A response that nobody waits for. */
function stranger(run: GateRun, request: Request, opening: Opening, n: number, tally: GateTally): void {
  const { event, schema } = run.delivery(request, opening, 'event');
  const to = idOf(n);
  const forged = event === undefined ? undefined : forgedEvent(event, request.id, to);
  if (forged === undefined) return;
  tally.count('responses with a wrong id');
  run.again({ request, schema, event: forged, to });
}

function isStillOpen(run: GateRun, { instance, planId, awaits }: Opening): boolean {
  if (!run.isLive(planId)) return false;
  const now = run.w.kernel.instance(planId) ?? instance;
  return now.eventWaits.has(awaits) || now.receiptWaits.has(awaits);
}

function judge(world: GateWorld, flow: Flow, requests: readonly Request[], tally: GateTally): void {
  const solo = new SoloRuns(world);
  const hashes = new Map(requests.map(({ id }) => [hashOfId(id), id]));
  for (const request of requests) {
    once(flow, request, tally, 'one of many requests at once');
    const foreign = request.foreign();
    const told = [...request.raised, ...request.results].join('\n').match(/sha256:[0-9a-f]{64}/g) ?? [];
    const mixed = told.some((hash) => {
      const id = hashes.get(hash);
      return id !== undefined && id !== request.id && !request.shares.has(id);
    });
    if (request.shares.size > 0) tally.count('requests that shared an effect with an equal one');
    if (foreign.length > 0 || mixed)
      tally.problem(flow.name, 'the outcome of one request carries what belongs to another');
    const alone = solo.outcome(request);
    if (alone === request.outcome()) tally.count('outcomes equal to a run alone');
    else
      tally.problem(
        flow.name,
        `a request among many ended otherwise than alone:\n    among many: ${oneLine(request.outcome())}\n    alone: ${oneLine(alone)}`,
      );
  }
}

export function oneLine(text: string): string {
  const line = text.replaceAll('\n', ' · ');
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
