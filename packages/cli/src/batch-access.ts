import type { Waiting, World, WorldIdentity } from '@worldline/host';
import type { Logger, Store } from '@worldline/ports';
import { type Access, interruptible, type Submission, type Submitted, type WaitFor } from './access.ts';
import type { Context } from './context.ts';
import { stopWith } from './failure.ts';
import { openRunning, type RunningWorld } from './open-world.ts';

/**
 * Without a running world a command opens it itself (`host.md` §7.6): it applies what was submitted, goes on until
 * nothing can be done now, leaves a snapshot and lets go.
 */
export class BatchAccess implements Access {
  readonly #ctx: Context;
  readonly #running: RunningWorld;
  /** What was submitted has come to rest; else effects are still under way when the world is closed. */
  #isAtRest = true;

  private constructor(ctx: Context, running: RunningWorld) {
    this.#ctx = ctx;
    this.#running = running;
  }

  static async open(
    ctx: Context,
    store: Store,
    identity: WorldIdentity,
    how: { readonly holdEffects?: boolean } = {},
  ): Promise<BatchAccess> {
    return new BatchAccess(ctx, await openRunning(ctx, store, identity, 'batch', noticeLogger(ctx), how));
  }

  /** Runs `use`, lets effects go that were held until then, and comes to rest. */
  async act<T>(use: (world: World) => Promise<T>): Promise<T> {
    const { world } = this.#running;
    const result = await use(world);
    world.releaseEffects();
    await this.#rest(world);
    return result;
  }

  async submit(submission: Submission, wait: WaitFor): Promise<Submitted> {
    const { world } = this.#running;
    const answer = await send(world, submission);
    if (!answer.ok) return stopWith(answer.failure);
    await this.#rest(world);
    if (wait === 'accepted' && submission.kind !== 'decision')
      return { state: 'accepted', ingressId: submission.request.ingressId };
    const { value } = answer;
    if (value.state === 'applied') return value;
    // Direct submissions are applied before they are answered; what was settled before has nothing new to tell.
    return {
      state: 'applied',
      firstSeq: undefined,
      lastSeq: undefined,
      duplicate: true,
      planId: undefined,
      eventHash: undefined,
    };
  }

  /** Before the command answers, so that its answer stays the last word and nothing is left half-way unsaid. */
  async #rest(world: World): Promise<void> {
    const { timeoutMs } = this.#ctx.flags;
    const rested = await interruptible(world.runBatch({ timeoutMs }), this.#ctx.interrupted);
    this.#isAtRest = rested.ok;
    if (rested.ok) {
      const open = waitingText(rested.value.waiting);
      if (open !== undefined) this.#ctx.out.notice(`the world still waits for ${open}; "worldline run" keeps it going`);
      return;
    }
    if (rested.failure.code !== 'timeout') return stopWith(rested.failure);
    this.#ctx.out.notice(
      `effects were still running after ${timeoutMs} ms; what was submitted is durable, and the next run goes on with it`,
    );
  }

  /** Snapshot, release. */
  async close(): Promise<void> {
    await this.#running.close(this.#isAtRest ? {} : { graceMs: 0 });
  }
}

function send(world: World, submission: Submission) {
  switch (submission.kind) {
    case 'event':
      return world.sendEvent(submission.request);
    case 'plan':
      return world.startPlan(submission.request);
    case 'cancel':
      return world.cancelPlan(submission.request);
    case 'decision':
      return world.decideApproval(submission.request);
    case 'manifest':
      return world.changeManifest(submission.request);
    default:
      return submission satisfies never;
  }
}

/** `1 timer, 2 approvals`; undefined when nothing is waited for. */
export function waitingText(waiting: Waiting): string | undefined {
  const open = Object.entries(waiting).filter(([, n]) => n > 0);
  return open.length === 0
    ? undefined
    : open.map(([what, n]) => `${n} ${n === 1 ? what.slice(0, -1) : what}`).join(', ');
}

/** What a short command says of the world's own log: warnings and errors. */
export function noticeLogger(ctx: Context): Logger {
  const say = (message: string, fields?: Readonly<Record<string, unknown>>) => {
    const rest = Object.entries(fields ?? {}).map(
      ([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
    );
    ctx.out.notice(rest.length === 0 ? message : `${message} (${rest.join(', ')})`);
  };
  return { debug() {}, info() {}, warn: say, error: say };
}
