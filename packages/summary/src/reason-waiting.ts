import { hashText } from '@worldline/canon';
import { awaitedEmissions, byStep, liveRuns } from './live-wait.ts';
import type { Reason, ReasonCode, Scene } from './reason.ts';
import { effectReason, hostTrouble, timerReason } from './reason-effect.ts';
import { eventReason } from './reason-event.ts';
import { deadlineOf } from './wait-context.ts';

/** What a lineage waits for, one reason for each wait: what somebody can act on first, timers last. */
export function waitingReasons(
  scene: Scene,
  planIds: readonly number[] = scene.trace.plans.map(({ planId }) => planId),
): readonly Reason[] {
  const found: { readonly rank: number; readonly reason: Reason }[] = [];
  for (const instance of liveRuns(planIds, scene.live)) {
    const deadline = deadlineOf(scene, instance);
    for (const emission of awaitedEmissions(instance, scene.live)) {
      const reason =
        emission.class === 'timer'
          ? timerReason(scene, instance, emission)
          : effectReason(scene, instance, emission, deadline);
      found.push({ rank: rankOf(reason.code), reason });
    }
    for (const wait of byStep(instance.eventWaits)) {
      const reason = eventReason(scene, instance, wait, deadline);
      found.push({ rank: rankOf(reason.code), reason });
    }
  }
  return found
    .sort((a, b) => a.rank - b.rank)
    .map(({ reason }) => (isInactive(scene) ? inInactive(scene, reason) : reason));
}

function isInactive({ host }: Scene): boolean {
  return host !== undefined && host.worldStatus !== 'active';
}

/** Whatever would end the wait, a world that may not run does not take it in. */
function inInactive(scene: Scene, reason: Reason): Reason {
  if (reason.code === 'world_inactive') return reason;
  const trouble = hostTrouble(scene)!;
  return {
    ...reason,
    code: trouble.code,
    text: `${trouble.text} and takes nothing in; ${reason.text}`,
    hint: trouble.hint,
    facts: { ...reason.facts, waits: reason.code },
  };
}

/** Effects of reducers, which no run waits for. */
export function reducerReasons({ trace, live }: Scene): readonly Reason[] {
  return trace.liveWait.reducerReceipts.map(({ reducer, kind, intentHash }) => {
    const short = hashText(intentHash).slice(0, 19);
    const seq = live.emissionOfIntent(intentHash)?.emissionSeq;
    return {
      code: 'effect_unanswered',
      text: `reducer ${reducer} asked for ${kind}, which has no answer yet`,
      hint: `"worldline effects get ${short}" shows it, "worldline status" whether the world runs`,
      runs: [],
      facts: { reducer, effect_kind: kind },
      evidence: seq === undefined ? [] : [seq],
      intentHash,
    };
  });
}

/** Lower first. Sorting keeps the order of equal ones: by run. */
function rankOf(code: ReasonCode): number {
  switch (code) {
    case 'approval_pending':
      return 0;
    // A world that does not run keeps its timers from firing, whatever else is waited for beside them.
    case 'world_inactive':
    case 'world_stopped':
      return 1;
    case 'timer_running':
      return 4;
    default:
      return code.startsWith('event_') || code === 'join_waits' ? 3 : 2;
  }
}
