import type { Emission, Instance, Kernel } from '@worldline/kernel';
import { dueWallNs, timerDueNs } from '@worldline/kernel';

/** What the live runs of a lineage wait for (`host.md` §10.1), read from the state at head. */

export interface PendingReceipt {
  readonly planId: number;
  readonly planName: string;
  readonly intentHash: Uint8Array;
  readonly kind: string;
}

export interface LiveWait {
  readonly planReceipts: readonly PendingReceipt[];
  readonly planEvents: readonly { readonly planId: number; readonly planName: string; readonly schema: string }[];
  readonly reducerReceipts: readonly {
    readonly intentHash: Uint8Array;
    readonly reducer: string;
    readonly kind: string;
  }[];
  /** External effects without a receipt. */
  readonly queued: readonly { readonly intentHash: Uint8Array; readonly kind: string; readonly capName: string }[];
  readonly timers: readonly { readonly intentHash: Uint8Array; readonly dueNs: bigint }[];
}

/** What a trace and its explanation need to know of the state at head. */
export type LiveState = Pick<
  Kernel,
  | 'catalog'
  | 'catalogFor'
  | 'emission'
  | 'emissionOfIntent'
  | 'environmentOf'
  | 'instance'
  | 'instances'
  | 'lastNowNs'
  | 'logicalNowNs'
>;

/**
 * @param planIds - runs of the lineage.
 * @param openSeqs - its emissions without a receipt.
 */
export function liveWaitOf(planIds: Iterable<number>, openSeqs: Iterable<number>, live: LiveState): LiveWait {
  const planReceipts: PendingReceipt[] = [];
  const planEvents: { planId: number; planName: string; schema: string }[] = [];
  for (const instance of liveRuns(planIds, live)) {
    const planId = instance.id;
    for (const { intentHash, kind } of awaitedEmissions(instance, live))
      planReceipts.push({ planId, planName: instance.name, intentHash, kind });
    for (const { schema } of byStep(instance.eventWaits)) planEvents.push({ planId, planName: instance.name, schema });
  }
  const now = { nowNs: live.lastNowNs, logicalNowNs: live.logicalNowNs };
  const open = [...openSeqs].flatMap((seq) => live.emission(seq) ?? []);
  return {
    planReceipts,
    planEvents,
    reducerReceipts: open
      .filter(({ origin }) => origin.origin_kind === 'reducer')
      .map(({ intentHash, kind, origin }) => ({ intentHash, kind, reducer: origin.name })),
    queued: open
      .filter((emission) => emission.class !== 'timer')
      .map(({ intentHash, kind, capName }) => ({ intentHash, kind, capName })),
    timers: open
      .filter((emission) => emission.class === 'timer')
      .map((emission) => ({ intentHash: emission.intentHash, dueNs: dueWallNs(now, timerDueNs(emission)) })),
  };
}

/** Live runs among `planIds`, and the live children that they wait for (T4); each once, parents first. */
export function liveRuns(planIds: Iterable<number>, live: Pick<LiveState, 'instance'>): readonly Instance[] {
  const found = new Map<number, Instance>();
  const queue = [...planIds];
  for (let i = 0; i < queue.length; i++) {
    const planId = queue[i] as number;
    const instance = found.has(planId) ? undefined : live.instance(planId);
    if (instance === undefined) continue;
    found.set(planId, instance);
    for (const { open } of byStep(instance.planWaits)) queue.push(...[...open].sort((a, b) => a - b));
  }
  return [...found.values()];
}

/** What waits at the steps of a run, in their order: maps of a live run and of a restored one are filled in other orders. */
export function byStep<T>(waits: ReadonlyMap<number, T>): readonly T[] {
  return [...waits].sort(([a], [b]) => a - b).map(([, wait]) => wait);
}

/** The pending emissions whose receipts a run waits for. */
export function awaitedEmissions(
  instance: Instance,
  live: Pick<LiveState, 'emission' | 'emissionOfIntent'>,
): readonly Emission[] {
  const handles = new Map([...instance.handles.values()].map((handle) => [handle.emissionSeq, handle.intentHash]));
  return [...new Set(byStep(instance.receiptWaits))].flatMap((seq) => {
    // A shared emission stands under the number of its leader, so it is found by its intent.
    const intentHash = handles.get(seq);
    return (intentHash === undefined ? live.emission(seq) : live.emissionOfIntent(intentHash)) ?? [];
  });
}
