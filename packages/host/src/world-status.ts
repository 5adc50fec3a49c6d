import type { Catalog } from '@worldline/air';
import type { Kernel } from '@worldline/kernel';
import type { EffectAdapter, Head } from '@worldline/ports';
import { APPROVAL_KIND } from './approvals.ts';
import type { CheckpointStatus } from './checkpointer.ts';

/** What a running world says of itself. */

export type WorldState = 'running' | 'draining' | 'stopped';

export interface WorldStatus {
  readonly worldId: string;
  readonly universeId: string;
  readonly state: WorldState;
  readonly worker: string;
  readonly epoch: number;
  readonly head: Head;
  readonly manifestHash: string;
  readonly snapshot: { readonly height: number; readonly ref: string } | undefined;
  /** Absent when this host signs no checkpoints for the world. */
  readonly checkpoints: CheckpointStatus | undefined;
  readonly livePlans: number;
  readonly waiting: Waiting;
  readonly effectsInFlight: number;
  readonly adapters: readonly { readonly id: string; readonly kinds: readonly string[] }[];
  readonly missingAdapters: readonly string[];
}

/** How many things of each kind a world waits for. */
export interface Waiting {
  readonly timers: number;
  readonly approvals: number;
  /** Other effects that somebody outside has to answer. */
  readonly receipts: number;
  readonly events: number;
}

export function waitingOf(kernel: Pick<Kernel, 'pending' | 'waitCount'>): Waiting {
  let [timers, approvals, receipts] = [0, 0, 0];
  for (const emission of kernel.pending()) {
    if (emission.class === 'timer') timers++;
    else if (emission.kind === APPROVAL_KIND) approvals++;
    else receipts++;
  }
  return { timers, approvals, receipts, events: kernel.waitCount };
}

/** Effect kinds of a manifest that nobody here performs; timers are the loop's own. */
export function missingAdapters(
  catalog: Catalog,
  registry: { find(kind: string): EffectAdapter | undefined },
): readonly string[] {
  return [...catalog.effects.keys()]
    .filter((kind) => !kind.startsWith('timer.') && registry.find(kind) === undefined)
    .sort();
}
