import type { JsonObject } from '@worldline/air';
import { dueWallNs, type Emission, type Instance, timerDueNs } from '@worldline/kernel';
import { awaitedEmissions } from './live-wait.ts';
import { planOf, type Scene, stepAt } from './reason.ts';
import { longDuration } from './render.ts';

/** What stands around a wait: its deadline, and who waits for the run that waits. */

/** When the waits of a run end at the latest. */
export interface Deadline {
  readonly dueNs: bigint;
  readonly step: string;
}

export function deadlineOf(scene: Scene, instance: Instance): Deadline | undefined {
  let first: Deadline | undefined;
  for (const emission of awaitedEmissions(instance, scene.live)) {
    if (emission.class !== 'timer') continue;
    const dueNs = dueOf(scene, emission);
    if (first === undefined || dueNs < first.dueNs) first = { dueNs, step: awaitingStep(instance, emission, scene) };
  }
  return first;
}

export function dueOf({ live }: Scene, emission: Emission): bigint {
  return dueWallNs({ nowNs: live.lastNowNs, logicalNowNs: live.logicalNowNs }, timerDueNs(emission));
}

/** Wall time now, or of the newest record when nobody says. */
export function wallOf({ host, live }: Scene): bigint {
  return host?.wallNs ?? live.lastNowNs;
}

/** ` Its deadline, at step late, is due in 5.00s.` */
export function deadlineText(scene: Scene, deadline: Deadline | undefined): string {
  if (deadline === undefined) return '; it has no deadline';
  const ns = deadline.dueNs - wallOf(scene);
  return `; its deadline, at step ${deadline.step}, ${ns >= 0n ? `is due in ${longDuration(ns)}` : `has been due for ${longDuration(-ns)}`}`;
}

export function deadlineFacts(deadline: Deadline | undefined): JsonObject {
  return deadline === undefined ? {} : { deadline_ns: String(deadline.dueNs), deadline_step: deadline.step };
}

/** The step that waits for an emission, which may be shared: then the run's own number is another one. */
export function awaitingStep(instance: Instance, emission: Emission, scene: Scene): string {
  const own = ownSeqs(instance, emission);
  const plan = planOf(instance, scene.live);
  const positions = [...instance.receiptWaits].filter(([, seq]) => own.has(seq)).map(([position]) => position);
  return positions.length === 0 ? '?' : stepAt(plan, Math.min(...positions)).id;
}

export function ownSeqs(instance: Instance, emission: Emission): ReadonlySet<number> {
  const seqs = [emission, ...emission.waiters]
    .filter(({ origin }) => origin.origin_kind === 'plan' && origin.plan_id === instance.id)
    .map(({ emissionSeq }) => emissionSeq);
  return new Set(seqs);
}

/** What of its parents waits for a run: a barrier says how many of its children are still under way. */
export function waitsAbove(scene: Scene, instance: Instance): { readonly text: string; readonly facts: JsonObject } {
  const parent = instance.parent === undefined ? undefined : scene.live.instance(instance.parent.planId);
  if (parent === undefined) return { text: '', facts: {} };
  for (const [position, { planIds: ids, open: unfinished }] of [...parent.planWaits].sort(([a], [b]) => a - b)) {
    if (!unfinished.has(instance.id)) continue;
    const open = ids.filter((id) => unfinished.has(id));
    const step = stepAt(planOf(parent, scene.live), position).id;
    const many = ids.length === 1 ? 'it' : `${open.length} of ${ids.length} children`;
    return {
      text: ` and waits at step ${step} for ${many}`,
      facts: {
        waited_for_by: {
          plan_id: parent.id,
          step,
          children: ids.length,
          open: open.length,
          open_plan_ids: open.slice(0, OPEN_TOLD),
        },
      },
    };
  }
  return { text: '', facts: {} };
}

const OPEN_TOLD = 20;
