import { Dice } from '../seeded.ts';
import { TemplateError } from './answers.ts';
import { anyAnswer, canCome } from './drive.ts';
import type { Flow } from './flow.ts';
import { type GateOptions, GateTally, type GateWorld } from './gate.ts';
import { GateRun } from './run.ts';
import { idOf } from './templates.ts';

/** `plans.md` P4, P5; `patterns.md` F2. */

const REQUESTS = 2;
/** Every prefix is replayed from genesis, so a schedule costs the square of its length. */
const DELIVERIES_MAX = 40;

/** @param schedules - of each flow. */
export function replayGate(
  world: GateWorld,
  flows: readonly Flow[],
  options: GateOptions,
  schedules: number,
  progress: (done: number, total: number) => void,
): GateTally {
  const tally = new GateTally('replay');
  let done = 0;
  for (const flow of flows) {
    for (let i = 0; i < schedules; i++) {
      if (options.signal?.aborted === true) return tally;
      schedule(world, flow, options, tally, (options.seed ?? 1) * 1_000_003 + i);
      progress(++done, flows.length * schedules);
    }
  }
  return tally;
}

function schedule(world: GateWorld, flow: Flow, options: GateOptions, tally: GateTally, seed: number): void {
  const dice = new Dice(seed);
  let baselines = 1;
  try {
    // Whether the runs keep to their own requests is for the other gates to say.
    const run = new GateRun(world.loaded, options, () => {}, true);
    for (let n = 1; n <= REQUESTS; n++) run.request(flow, idOf(n));
    const requests = [...run.requests.values()];
    for (let i = 0; i < DELIVERIES_MAX; i++) {
      const open = requests.flatMap((request) =>
        run.openings(request).flatMap((opening) => (canCome(opening) ? [{ request, opening }] : [])),
      );
      if (open.length === 0) break;
      const { request, opening } = dice.pick(open);
      const delivery = run.deliver(request, opening, anyAnswer(dice, run, request, opening));
      if (dice.chance(15)) run.again(delivery);
      if (dice.chance(30)) {
        run.w.snapshot();
        baselines++;
      }
      // The world goes on from what a restart finds.
      if (dice.chance(15)) run.w.reopen();
    }
    run.w.snapshot();
    baselines++;
    run.w.checkParity();
    tally.count('prefixes replayed from genesis', run.w.batches.length);
  } catch (error) {
    if (error instanceof TemplateError) throw error;
    tally.problem(
      flow.name,
      `seed ${seed}: ${(error as Error).message}`,
      'something that is not in the journal decides what happens',
    );
  }
  tally.count('schedules');
  tally.count('baselines restored', baselines);
}
