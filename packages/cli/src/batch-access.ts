import type { World, WorldIdentity } from '@worldline/host';
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
    const answer = await this.#send(world, submission);
    if (!answer.ok) return stopWith(answer.failure);
    const { value } = answer;
    if (value.state === 'applied') return value;
    // Direct submissions are applied before they are answered; what was settled before has nothing new to tell.
    return { state: 'applied', firstSeq: undefined, lastSeq: undefined, duplicate: true, planId: undefined, eventHash: undefined };
  }

  #send(world: World, submission: Submission) {
    switch (submission.kind) {
      case 'event':
        return world.sendEvent(submission.request);
      case 'plan':
        return world.startPlan(submission.request);
      case 'cancel':
        return world.cancelPlan(submission.request);
      case 'decision':
        return world.decideApproval(submission.request);
      default:
        return submission satisfies never;
    }
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
    const { timeoutMs } = this.#ctx.flags;
    const rested = await interruptible(world.runBatch({ timeoutMs }), this.#ctx.interrupted).catch(() => undefined);
    await this.#opened.close();
    if (rested === undefined) throw this.#ctx.interrupted.reason;
    if (!rested.ok) {
      if (rested.failure.code !== 'timeout') return stopWith(rested.failure);
      stop('timeout', `effects were still running after ${timeoutMs} ms`, { hint: 'what was submitted is durable; "worldline run" goes on with it' });
    }
    const { waiting } = rested.value;
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

