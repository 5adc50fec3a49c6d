import type { JsonObject } from '@worldline/air';
import { hashText } from '@worldline/canon';
import { rolesFor } from '@worldline/host';
import type { EffectProgress, HostFacts, Trace } from '@worldline/summary';
import { runningWorld } from './access.ts';
import { adapterKinds, performs } from './adapter-kinds.ts';
import type { Context } from './context.ts';
import { connectIfRunning } from './control.ts';
import { CommandError } from './failure.ts';
import { type Reader, requireIdentity } from './reader.ts';

/** What the host around a world knows beyond its journal, for the waits of one lineage. */
export async function hostFacts(ctx: Context, reader: Reader, trace: Trace): Promise<HostFacts> {
  const runner = await runningWorld(ctx, reader.store, await requireIdentity(ctx));
  const waits = trace.liveWait.planReceipts;
  const kinds = await kindsPerformed(
    ctx,
    waits.some(({ kind }) => !kind.startsWith('timer.')),
  );
  const rules = kinds === undefined ? [] : (await ctx.config()).approvals.rules;
  return {
    wallNs: await reader.store.nowNs(),
    runner: runner ?? 'none',
    worldStatus: reader.row.status,
    performs: (kind) => kinds === undefined || performs(kinds, kind),
    effects: runner === 'daemon' ? await progressOf(ctx, trace) : new Map(),
    rolesFor: (subject) => rolesFor(rules, subject),
  };
}

/** Undefined when it does not matter, or cannot be told: a broken configuration must not hide why something is stuck. */
async function kindsPerformed(ctx: Context, isAsked: boolean): Promise<readonly string[] | undefined> {
  if (!isAsked) return undefined;
  try {
    return await adapterKinds(ctx);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    ctx.out.notice(`the adapters of this host are not known: ${error.failure.message}`);
    return undefined;
  }
}

/** Effects that are asked about; of a fan-out of a thousand the first ones say it all. */
const ASKED_MAX = 20;

async function progressOf(ctx: Context, trace: Trace): Promise<ReadonlyMap<string, EffectProgress>> {
  const found = new Map<string, EffectProgress>();
  const external = trace.liveWait.planReceipts.filter(({ kind }) => !kind.startsWith('timer.'));
  const control = external.length === 0 ? undefined : await connectIfRunning(ctx);
  if (control === undefined) return found;
  for (const { intentHash } of external.slice(0, ASKED_MAX)) {
    const hash = hashText(intentHash);
    try {
      const progress = progressIn(await control.get(`/api/effects/${hash}`));
      if (progress !== undefined) found.set(hash, progress);
    } catch (error) {
      // It may have its receipt since the trace was read, or the process may have ended.
      if (!(error instanceof CommandError)) throw error;
    }
  }
  return found;
}

function progressIn(effect: JsonObject): EffectProgress | undefined {
  const state = effect['status'];
  if (state !== 'open' && state !== 'in_flight' && state !== 'deferred') return undefined;
  const { attempt, next_attempt_ns: next, last_error_code: code } = effect;
  return {
    state,
    attempt: attempt === undefined ? undefined : Number(attempt),
    nextAttemptNs: typeof next === 'string' ? BigInt(next) : undefined,
    lastErrorCode: typeof code === 'string' ? code : undefined,
  };
}
