import { dueWallNs, type Emission, type Kernel, timerDueNs } from '@worldline/kernel';
import { APPROVAL_KIND } from './approvals.ts';

/** Pending effects as operators see them (`host.md` §8.3). */

/** `open`: nobody works on it now. `deferred`: it ends by itself at its time, or when somebody decides. */
export type EffectState = 'open' | 'in_flight' | 'deferred';

export interface EffectView {
  readonly emission: Emission;
  readonly state: EffectState;
  /** Absent before the first one. */
  readonly attempt: number | undefined;
  /** When a timer is due by the wall clock. */
  readonly dueNs: bigint | undefined;
  /** While it waits for another attempt: when that comes by the wall clock, and with what the one before ended. */
  readonly pause?: { readonly untilNs: bigint; readonly code: string } | undefined;
}

/** What whoever performs effects knows of one; undefined when nothing. */
export type Progress = (emission: Emission) =>
  | {
      readonly state: EffectState;
      readonly attempt: number;
      readonly pause?: EffectView['pause'];
    }
  | undefined;

/** Pending effects, oldest first. */
export function effectViews(kernel: Kernel, progress: Progress): readonly EffectView[] {
  return [...kernel.pending()].map((emission) => effectView(kernel, emission, progress));
}

export function effectView(kernel: Kernel, emission: Emission, progress: Progress): EffectView {
  const known = emission.class === 'external' ? progress(emission) : undefined;
  const isDeferred = emission.class === 'timer' || emission.kind === APPROVAL_KIND;
  const now = { nowNs: kernel.lastNowNs, logicalNowNs: kernel.logicalNowNs };
  return {
    emission,
    state: isDeferred ? 'deferred' : (known?.state ?? 'open'),
    attempt: known === undefined || known.attempt === 0 ? undefined : known.attempt,
    dueNs: emission.class === 'timer' ? dueWallNs(now, timerDueNs(emission)) : undefined,
    pause: known?.pause,
  };
}
