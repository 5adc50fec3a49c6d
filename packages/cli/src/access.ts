import { userInfo } from 'node:os';
import { hashText, sha256, toHex } from '@worldline/canon';
import {
  type Answer,
  type CancelRequest,
  type DecisionRequest,
  type EventRequest,
  encodeInboxItem,
  ensureKeys,
  type InboxIngress,
  inspectLock,
  type ManifestChangeRequest,
  type PlanStartRequest,
  prepareCancel,
  prepareDecision,
  prepareEvent,
  prepareManifestChange,
  preparePlanStart,
  signReceipts,
  submitItem,
  type WorldIdentity,
} from '@worldline/host';
import { decodeConfig, type PlanEnded } from '@worldline/kernel';
import type { Store } from '@worldline/ports';
import type { Context } from './context.ts';
import { CommandError, stop, stopWith } from './failure.ts';
import type { Meta } from './output.ts';
import { Reader } from './reader.ts';
import { writing } from './writer.ts';

/**
 * How commands submit (`host.md` §7.6, §12.1): beside a running world through its durable inbox, without one by opening
 * the world for as long as the command takes.
 */

export type Submission =
  | { readonly kind: 'event'; readonly request: EventRequest }
  | { readonly kind: 'plan'; readonly request: PlanStartRequest }
  | { readonly kind: 'cancel'; readonly request: CancelRequest }
  | { readonly kind: 'decision'; readonly request: DecisionRequest }
  | { readonly kind: 'manifest'; readonly request: ManifestChangeRequest };

export type Submitted =
  | { readonly state: 'accepted'; readonly ingressId: string | undefined }
  | {
      readonly state: 'applied';
      readonly firstSeq: number | undefined;
      readonly lastSeq: number | undefined;
      readonly duplicate: boolean;
      readonly planId: number | undefined;
      readonly eventHash: string | undefined;
    };

export type WaitFor = 'accepted' | 'applied' | 'settled';

export interface Access {
  /** @throws CommandError with the code of the refusal, or `timeout`. */
  submit(submission: Submission, wait: WaitFor): Promise<Submitted>;
}

/** An `Access` together with what commands read after submitting. */
export interface Settled extends Access {
  readonly store: Store;
  /** The record that ends a run. @throws CommandError `timeout`. */
  ended(planId: number, fromSeq: number | undefined): Promise<PlanEnded>;
  height(): Promise<number>;
  meta(): Promise<Meta>;
}

/** Identity of whoever types commands on this machine (`host.md` §8.1). */
export function operator(): string {
  return `socket:${userInfo().username}`;
}

/** `Idempotency-Key` as an ingress id (`host.md` §8.4). @throws CommandError `invalid_request`. */
export function ingressId(key: string | undefined): string | undefined {
  if (key === undefined) return undefined;
  if (!/^[\x21-\x7e]{1,128}$/.test(key))
    stop('invalid_request', 'an idempotency key has 1 to 128 printable characters and no spaces');
  return `api:${operator()}:${key}`;
}

/** Runs `use` with the access that the mode and the world's state call for. */
export async function submitting<T>(ctx: Context, use: (access: Settled) => Promise<T>): Promise<T> {
  const deadline = performance.now() + ctx.flags.timeoutMs;
  return await writing(ctx, async ({ store, identity }) => {
    for (;;) {
      const holder = await runningWorld(ctx, store, identity);
      if (holder === 'daemon' && ctx.flags.mode !== 'batch') {
        const access = new InboxAccess(ctx, store, identity);
        return await use({
          ...afterwards(ctx, store, identity.world_id),
          submit: (submission, wait) => access.submit(submission, wait),
        });
      }
      if (ctx.flags.mode === 'daemon') notRunning();
      try {
        const { BatchAccess } = await import('./batch-access.ts');
        const batch = await BatchAccess.open(ctx, store, identity);
        let result: T;
        try {
          result = await use({
            ...afterwards(ctx, store, identity.world_id),
            submit: (submission, wait) => batch.submit(submission, wait),
          });
        } catch (error) {
          // The reason why the command failed matters more than what else closing may find.
          await batch.close().catch(() => {});
          throw error;
        }
        await batch.close();
        return result;
      } catch (error) {
        // Another short command has the world; its turn ends soon.
        const locked = error instanceof CommandError && error.failure.code === 'world.locked';
        if (!locked || holder === 'daemon' || performance.now() >= deadline || ctx.interrupted.aborted) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  });
}

/** @throws CommandError `unreachable`. */
export function notRunning(): never {
  stop('unreachable', 'this world is not running', {
    hint: 'start it with "worldline run", or leave out --mode daemon',
  });
}

/** Who runs this world now: lock and lease must both say so (`host.md` §1). */
export async function runningWorld(
  ctx: Context,
  store: Store,
  identity: WorldIdentity,
): Promise<'daemon' | 'batch' | undefined> {
  const lock = await inspectLock((await ctx.folder()).lock);
  if (lock.state !== 'alive') return undefined;
  const row = await store.world.get(identity.world_id);
  if (
    row?.lease === undefined ||
    row.lease.holder !== lock.lock.worker ||
    row.lease.expiresAtNs <= (await store.nowNs())
  )
    return undefined;
  return lock.lock.mode;
}

/** What commands read after a submission: the store as it stands then. */
export function afterwards(ctx: Context, store: Store, worldId: string): Omit<Settled, 'submit'> {
  return {
    store,
    height: async () => (await store.journal.head(worldId))?.height ?? 0,
    meta: async () => (await Reader.over(store, worldId)).meta(),
    ended: (planId, fromSeq) => endedRecord(ctx, store, worldId, planId, fromSeq ?? 0),
  };
}

async function endedRecord(
  ctx: Context,
  store: Store,
  worldId: string,
  planId: number,
  fromSeq: number,
): Promise<PlanEnded> {
  const deadline = performance.now() + ctx.flags.timeoutMs;
  let next = fromSeq;
  for (;;) {
    const reader = await Reader.over(store, worldId);
    for await (const { seq, record } of reader.entries(next)) {
      next = seq + 1;
      if (record.record_kind === 'plan_ended' && record.plan_id === planId) return record;
    }
    if (ctx.interrupted.aborted) throw ctx.interrupted.reason;
    if (performance.now() >= deadline)
      stop('timeout', `plan ${planId} has not ended within ${ctx.flags.timeoutMs} ms`, {
        hint: `it goes on; see "worldline plans get ${planId}", or give a longer --timeout-ms`,
      });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Beside a running world: what is submitted lies in the inbox first, and the answer is found in the journal. */
class InboxAccess implements Access {
  readonly #ctx: Context;
  readonly #store: Store;
  readonly #identity: WorldIdentity;

  constructor(ctx: Context, store: Store, identity: WorldIdentity) {
    this.#ctx = ctx;
    this.#store = store;
    this.#identity = identity;
  }

  async submit(submission: Submission, wait: WaitFor): Promise<Submitted> {
    const worldId = this.#identity.world_id;
    const { ingress, dedupeKey } = await this.#prepare(submission);
    const item = encodeInboxItem({
      ingress,
      dedupeKey: dedupeKey ?? ingress.ingressId,
      enqueuedAtNs: BigInt(Date.now()) * 1_000_000n,
    });
    const timeoutMs = wait === 'accepted' ? 0 : this.#ctx.flags.timeoutMs;
    const submitted = await interruptible(submitItem(this.#store, worldId, item, { timeoutMs }), this.#ctx.interrupted);
    if (!submitted.ok) return stopWith(submitted.failure);
    const { value } = submitted;
    if (wait === 'accepted') return { state: 'accepted', ingressId: ingress.ingressId };
    if (value.state === 'applied') return { state: 'applied', ...value.answer };
    if (value.state === 'accepted') {
      return stop('timeout', `the running world has not taken it up within ${timeoutMs} ms`, {
        hint: 'it stays in the inbox and is applied later; repeat with the same --idempotency-key to get the answer',
      });
    }
    if (submission.kind === 'decision')
      return stop('approval.decided', 'this approval was decided in the meantime', {
        hint: '"worldline approvals ls --all" shows the decision',
      });
    return {
      state: 'applied',
      firstSeq: undefined,
      lastSeq: undefined,
      duplicate: true,
      planId: undefined,
      eventHash: undefined,
    };
  }

  async #prepare(submission: Submission): Promise<{ readonly ingress: InboxIngress; readonly dedupeKey?: string }> {
    const reader = await Reader.over(this.#store, this.#identity.world_id);
    if (submission.kind === 'decision') {
      const receipt = await this.#decision(reader, submission.request);
      return {
        ingress: { kind: 'receipt', receipt, verdict: {} },
        dedupeKey: `r:${hashText(receipt.intentHash)}:${toHex(sha256(receipt.signature))}`,
      };
    }
    if (submission.kind === 'manifest') {
      const change = await prepareManifestChange(this.#store, await this.#ctx.config(), submission.request);
      return change.ok ? { ingress: change.value } : stopWith(change.failure);
    }
    const bytes = reader.object(reader.row.configHash);
    const config = bytes === undefined ? undefined : decodeConfig(bytes);
    if (config?.ok !== true) return stop('journal.corrupt', 'the configuration of this world is not in the store');
    const view = { catalog: await reader.catalog(), config: config.value };
    const prepared: Answer<InboxIngress> =
      submission.kind === 'event'
        ? prepareEvent(view, submission.request)
        : submission.kind === 'plan'
          ? preparePlanStart(view, submission.request)
          : prepareCancel(submission.request);
    if (!prepared.ok) return stopWith(prepared.failure);
    return { ingress: prepared.value };
  }

  async #decision(reader: Reader, request: DecisionRequest) {
    const emission = (await reader.kernel()).emissionOfIntent(request.intentHash);
    if (emission === undefined)
      return stop('approval.decided', 'this approval is not pending', {
        hint: '"worldline approvals ls" shows what is',
      });
    const prepared = prepareDecision(emission, request, 'host.approval');
    if (!prepared.ok) return stopWith(prepared.failure);
    const keys = await ensureKeys((await this.#ctx.folder()).keys);
    return signReceipts(this.#identity.world_id, keys.receipts, [prepared.value])[0]!;
  }
}

/** Rejects when the signal fires; what was begun goes on without an audience. */
export function interruptible<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = () => reject(signal.reason);
    signal.addEventListener('abort', aborted, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted));
    if (signal.aborted) aborted();
  });
}
