// What the soak's world does all day: runs of several plans, timers, events that wake who waits for them.
import { performance } from 'node:perf_hooks';
import { unwrap } from '@worldline/canon';

/** Of a hundred jobs; each is a run or two. */
const SHARES = { one_step: 40, ten_steps: 10, nap: 20, wake_by_plan: 15, wake_by_event: 15 };
const NAP_MS = [50, 500];
/** How long a parked run waits until something is done about it. */
const PARKED_MS = [100, 2_000];

/** A small random generator with a seed, so that two soaks can do the same. */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class Traffic {
  #live;
  #random;
  /** Jobs that have begun and not ended. */
  open = 0;
  done = 0;
  errors = [];
  /** Milliseconds since they were last taken, by what they are of. */
  #latencies = emptyLatencies();

  constructor(live, random) {
    this.#live = live;
    this.#random = random;
  }

  /** One job of a random kind, from its start to its end. Resolves also when it failed; `errors` has it then. */
  async job() {
    this.open++;
    try {
      await this.#begin(pick(this.#random));
    } catch (error) {
      this.errors.push(String(error));
    }
    this.open--;
    this.done++;
  }

  /** Takes what was measured since the last call. */
  takeLatencies() {
    const taken = this.#latencies;
    this.#latencies = emptyLatencies();
    return taken;
  }

  #begin(kind) {
    switch (kind) {
      case 'one_step':
        return this.#oneStep();
      case 'ten_steps':
        return this.#live.run('bench/ten_steps@1');
      case 'nap':
        return this.#nap();
      case 'wake_by_plan':
        return this.#wake((run) => this.#live.start('bench/signal@1', { run }));
      case 'wake_by_event':
        return this.#wake((run) => this.#send(run));
      default:
        throw new Error(`no job ${kind}`);
    }
  }

  async #oneStep() {
    const began = performance.now();
    await this.#live.run('bench/one_step@1');
    this.#latencies.run.push(performance.now() - began);
  }

  async #nap() {
    const ms = this.#between(NAP_MS);
    const began = performance.now();
    await this.#live.run('bench/nap@1', { run: this.#live.nextRun(), ns: ms * 1_000_000 });
    this.#latencies.late.push(performance.now() - began - ms);
  }

  /** Through the inbox, as another process sends it. */
  async #send(run) {
    const request = { schema: 'bench/Signal@1', value: { json: { run } } };
    unwrap(await this.#live.world.sendEvent(request, 'accepted'));
  }

  async #wake(by) {
    const run = this.#live.nextRun();
    const parked = await this.#live.start('bench/parked@1', { run });
    await new Promise((resolve) => setTimeout(resolve, this.#between(PARKED_MS)));
    const began = performance.now();
    await by(run);
    await this.#live.ended(parked);
    this.#latencies.wake.push(performance.now() - began);
  }

  #between([from, to]) {
    return Math.round(from + this.#random() * (to - from));
  }
}

/** `run`: submitted → durable end of a run of one step. `wake`: event sent → durable end of who waited. `late`: timers. */
function emptyLatencies() {
  return { run: [], wake: [], late: [] };
}

function pick(random) {
  let left = random() * 100;
  for (const [kind, share] of Object.entries(SHARES)) {
    left -= share;
    if (left < 0) return kind;
  }
  return 'one_step';
}
