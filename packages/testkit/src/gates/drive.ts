import { compareBytes } from '@worldline/canon';
import { timerDueNs } from '@worldline/kernel';
import type { Dice } from '../seeded.ts';
import { TemplateError } from './answers.ts';
import type { Flow } from './flow.ts';
import type { GateWorld } from './gate.ts';
import { type Delivery, GateRun, type Opening, type Request } from './run.ts';
import { idOf } from './templates.ts';

/** Ways to take a request to its end. */

/** No plan has more waits one after another: 512 steps at most, and its children. */
const DELIVERIES_MAX = 2_000;
/** Timers that are due later than this are never fired: no world lives that long. */
const DUE_MAX_NS = 2n ** 62n;

export function canCome(opening: Opening): boolean {
  return opening.kind !== 'timer' || timerDueNs(opening.emission!) < DUE_MAX_NS;
}

/** Answers first and timers last (`answers`), or the other way about (`timers`); of timers the one that is due first. */
export type Style = 'answers' | 'timers';

export function nextOpening(openings: readonly Opening[], style: Style): Opening | undefined {
  const timers = openings.filter((one) => one.kind === 'timer' && canCome(one)).sort(byDue);
  const others = openings.filter((one) => one.kind !== 'timer');
  // Events before receipts: a receipt may only mean that something was sent.
  const event = others.find((one) => one.kind === 'event');
  const answer = others.find((one) => one.kind === 'receipt');
  return style === 'answers' ? (answer ?? event ?? timers[0]) : (timers[0] ?? answer ?? event);
}

/** As the host fires them: the one that is due first, then by intent (`kernel.md` §12). */
function byDue({ emission: a }: Opening, { emission: b }: Opening): number {
  const [dueA, dueB] = [timerDueNs(a!), timerDueNs(b!)];
  return dueA === dueB ? compareBytes(a!.intentHash, b!.intentHash) : dueA < dueB ? -1 : 1;
}

/** Fires every timer of a request that is due, as a host does without being asked. */
export function fireDue(run: GateRun, request: Request): void {
  for (let i = 0; i < DELIVERIES_MAX; i++) {
    const due = run
      .openings(request)
      .filter(({ kind, emission }) => kind === 'timer' && timerDueNs(emission!) <= run.w.logicalNs)
      .sort(byDue);
    if (due[0] === undefined) return;
    run.deliver(request, due[0], 'timer');
  }
}

/**
 * Takes a request to its end, or to where nothing that comes helps.
 *
 * @returns what was delivered; what could not be made up ends it.
 */
export function driveToEnd(run: GateRun, request: Request, style: Style, max = DELIVERIES_MAX): readonly Delivery[] {
  const done: Delivery[] = [];
  while (done.length < max) {
    const opening = nextOpening(run.openings(request), style);
    if (opening === undefined) break;
    done.push(run.deliver(request, opening, run.answers(request, opening)[0] as string));
  }
  return done;
}

/** A random answer: mostly one that the author gave or the usual one. */
export function anyAnswer(dice: Dice, run: GateRun, request: Request, opening: Opening): string {
  const names = run.answers(request, opening);
  return dice.chance(60) ? (names[0] as string) : dice.pick(names);
}

/** Runs a flow once in a world of its own, the usual way; undefined when a value could not be made up. */
export function trial(world: GateWorld, flow: Flow, style: Style): GateRun | TemplateError {
  const run = new GateRun(world.loaded, {}, () => {});
  try {
    run.request(flow, idOf(1));
    driveToEnd(run, [...run.requests.values()][0] as Request, style, 60);
    return run;
  } catch (error) {
    if (error instanceof TemplateError) return error;
    throw error;
  }
}

/** Outcomes of requests that are alone in their world, by the way they went. */
export class SoloRuns {
  readonly #world: GateWorld;
  readonly #known = new Map<string, string>();

  constructor(world: GateWorld) {
    this.#world = world;
  }

  get size(): number {
    return this.#known.size;
  }

  /** What becomes of a request that is alone and gets just the deliveries that this one got, in this order. */
  outcome({ flow, path, id: own }: Request): string {
    // A number cannot be told from other numbers in an outcome, so such requests are compared with themselves alone.
    const id = tellsNumbers(flow) ? own : idOf(0);
    const key = [flow.name, id, ...path].join('\n');
    let outcome = this.#known.get(key);
    if (outcome === undefined) {
      outcome = this.#run(flow, path, id);
      this.#known.set(key, outcome);
    }
    return outcome;
  }

  #run(flow: Flow, path: readonly string[], id: string): string {
    const run = new GateRun(this.#world.loaded, {}, () => {});
    run.request(flow, id);
    const request = run.requests.get(id) as Request;
    for (const part of path) {
      const [ordinal, step, answer] = part.split(':') as [string, string, string];
      const opening = run.openings(request).find((one) => one.ordinal === Number(ordinal) && one.step === step);
      if (opening === undefined) return `alone, it waits for no ${step} after ${path.indexOf(part)} deliveries`;
      run.deliver(request, opening, answer);
    }
    return request.outcome();
  }
}

function tellsNumbers({ request, receipts, responses }: Flow): boolean {
  const text = JSON.stringify([request, receipts, responses], (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  );
  return text.includes('${n}');
}
