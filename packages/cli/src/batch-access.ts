import type { WorldIdentity } from '@worldline/host';
import type { PlanEnded } from '@worldline/kernel';
import type { Logger, Store } from '@worldline/ports';
import { afterwards, interruptible, type Settled, type Submission, type Submitted, type WaitFor } from './access.ts';
import type { Context } from './context.ts';
import { stop, stopWith } from './failure.ts';
import { openRunning, type RunningWorld } from './open-world.ts';
import type { Meta } from './output.ts';

/** Without a running world: the command opens it, submits, lets it come to rest, and closes it (`host.md` §7.6). */
export class BatchAccess implements Settled {
  readonly #ctx: Context;
  readonly #opened: RunningWorld;
  readonly #parts: Omit<Settled, 'submit'>;

  private constructor(ctx: Context, opened: RunningWorld, parts: Omit<Settled, 'submit'>) {
    this.#ctx = ctx;
    this.#opened = opened;
    this.#parts = parts;
  }

  static async open(ctx: Context, store: Store, identity: WorldIdentity): Promise<BatchAccess> {
    const opened = await openRunning(ctx, store, identity, 'batch', noticesOnly(ctx));
    return new BatchAccess(ctx, opened, afterwards(ctx, store, identity.world_id));
  }

  async submit(submission: Submission, _wait: WaitFor): Promise<Submitted> {
    const { world } = this.#opened;
    if (submission.kind === 'decision') {
      const decided = await world.decideApproval(submission.request);
      if (!decided.ok) return stopWith(decided.failure);
      return { state: 'applied', firstSeq: undefined, lastSeq: undefined, duplicate: false, planId: undefined, eventHash: undefined };
    }
    const answer =
      submission.kind === 'event'
        ? await world.sendEvent(submission.request)
        : submission.kind === 'plan'
          ? await world.startPlan(submission.request)
          : await world.cancelPlan(submission.request);
    if (!answer.ok) return stopWith(answer.failure);
    return { state: 'applied', ...answer.value };
  }

  get store(): Store {
    return this.#parts.store;
  }

  ended(planId: number, fromSeq: number | undefined): Promise<PlanEnded> {
    return this.#parts.ended(planId, fromSeq);
  }

  height(): Promise<number> {
    return this.#parts.height();
  }

  meta(): Promise<Meta> {
    return this.#parts.meta();
  }

  /** Runs until nothing can be done now, reports what is still waited for, snapshots and releases the world. */
  async close(): Promise<void> {
    const { world } = this.#opened;
    const limit = AbortSignal.timeout(this.#ctx.flags.timeoutMs);
    const rest = interruptible(world.idle(), AbortSignal.any([limit, this.#ctx.interrupted]));
    let late = false;
    await rest.catch(() => {
      late = true;
    });
    const waiting = world.waiting();
    await this.#opened.close();
    if (this.#ctx.interrupted.aborted) throw this.#ctx.interrupted.reason;
    if (late) {
      stop('timeout', `effects were still running after ${this.#ctx.flags.timeoutMs} ms`, {
        hint: 'what was submitted is durable; "worldline run" goes on with it',
      });
    }
    const open = Object.entries(waiting).filter(([, n]) => n > 0);
    if (open.length > 0) {
      this.#ctx.out.notice(`the world still waits for ${open.map(([what, n]) => `${n} ${n === 1 ? what.slice(0, -1) : what}`).join(', ')}; "worldline run" keeps it going`);
    }
  }
}

/** What a short command says of the world's own log: warnings and errors. */
function noticesOnly(ctx: Context): Logger {
  const say = (message: string, fields?: Record<string, unknown>) => ctx.out.notice(fields === undefined ? message : `${message} ${JSON.stringify(fields)}`);
  return { debug() {}, info() {}, warn: say, error: say };
}

