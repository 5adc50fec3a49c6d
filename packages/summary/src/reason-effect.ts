import { decode, hashText } from '@worldline/canon';
import type { Emission, Instance } from '@worldline/kernel';
import { shown } from './predicate.ts';
import { entryAt, type Reason, type ReasonCode, runPath, runText, type Scene, startedFor } from './reason.ts';
import { longDuration } from './render.ts';
import {
  awaitingStep,
  type Deadline,
  deadlineFacts,
  deadlineText,
  dueOf,
  ownSeqs,
  waitsAbove,
  wallOf,
} from './wait-context.ts';

/** Why an effect has no answer yet: who has to give it, and what keeps them from it. */

export function timerReason(scene: Scene, instance: Instance, emission: Emission): Reason {
  const step = awaitingStep(instance, emission, scene);
  const dueNs = dueOf(scene, emission);
  const left = dueNs - wallOf(scene);
  const runs = runPath(scene, instance.id, instance.name, step);
  const run = runText(runs.at(-1)!);
  const above = waitsAbove(scene, instance);
  const trouble = hostTrouble(scene);
  const stopped = left < 0n ? trouble : undefined;
  const idle = trouble?.code === 'world_stopped' ? trouble : undefined;
  const base = {
    runs,
    facts: { effect_kind: emission.kind, due_ns: String(dueNs), ...above.facts },
    evidence: intentsOf(scene, emission, instance),
    intentHash: emission.intentHash,
  };
  if (stopped !== undefined)
    return {
      ...base,
      code: stopped.code,
      text: `the timer of ${run} at step ${step} was due ${longDuration(-left)} ago, but ${stopped.text}${startedFor(runs)}`,
      hint: stopped.hint,
    };
  return {
    ...base,
    code: 'timer_running',
    text: `${run} waits at step ${step} for a timer that ${left >= 0n ? `is due in ${longDuration(left)}` : 'is due now'}${idle === undefined ? '' : `, and ${idle.text}`}${startedFor(runs)}${above.text}`,
    hint:
      idle === undefined
        ? 'nothing to do but wait: the timer fires at its time'
        : `${idle.hint}; the timer fires at its time, or as soon as the world runs`,
  };
}

/** Why nothing is performed at all. */
export function hostTrouble({
  host,
}: Scene): { readonly code: ReasonCode; readonly text: string; readonly hint: string } | undefined {
  if (host === undefined) return undefined;
  if (host.worldStatus !== 'active')
    return {
      code: 'world_inactive',
      text: `the world is ${host.worldStatus}`,
      hint: `"worldline doctor" says why the world is ${host.worldStatus}, and what to do`,
    };
  if (host.runner === 'none')
    return {
      code: 'world_stopped',
      text: 'nobody runs the world',
      hint: 'start the world: "worldline run"',
    };
  return undefined;
}

function intentsOf(scene: Scene, emission: Emission, instance: Instance): readonly number[] {
  const own = [...ownSeqs(instance, emission)];
  const shared = own.includes(emission.emissionSeq) ? own : [emission.emissionSeq, ...own];
  const known = shared.filter((seq) => entryAt(scene.trace, seq) !== undefined);
  return known.length > 0 ? known : shared;
}

export function effectReason(
  scene: Scene,
  instance: Instance,
  emission: Emission,
  deadline: Deadline | undefined,
): Reason {
  const step = awaitingStep(instance, emission, scene);
  const runs = runPath(scene, instance.id, instance.name, step);
  const above = waitsAbove(scene, instance);
  const asked = askedAgo(scene, emission);
  const own = ownSeqs(instance, emission);
  const isShared = !own.has(emission.emissionSeq);
  const leader = isShared && emission.origin.origin_kind === 'plan' ? emission.origin : undefined;
  const common: Told = {
    run: runText(runs.at(-1)!),
    step,
    kind: emission.kind,
    short: hashText(emission.intentHash).slice(0, 19),
    asked,
    tail: `${deadlineText(scene, deadline)}${startedFor(runs)}${above.text}`,
    shared:
      leader === undefined
        ? ''
        : `; it shares the one that ${leader.name} ${leader.plan_id} asked for at step ${leader.step_id} (#${emission.emissionSeq})`,
  };
  const told =
    emission.kind === 'approval.request'
      ? approval(scene, emission, common)
      : performance(scene, emission, common, isShared);
  return {
    code: told.code,
    text: told.text,
    hint: told.hint,
    runs,
    facts: {
      effect_kind: emission.kind,
      grant: emission.capName,
      asked_ns: String(emission.logicalNowNs),
      ...deadlineFacts(deadline),
      ...(isShared ? { shared_with_seq: emission.emissionSeq } : {}),
      ...told.facts,
      ...above.facts,
    },
    evidence: [...intentsOf(scene, emission, instance), ...(told.evidence ?? [])],
    intentHash: emission.intentHash,
  };
}

interface Told {
  readonly run: string;
  readonly step: string;
  readonly kind: string;
  readonly short: string;
  readonly asked: string;
  readonly tail: string;
  readonly shared: string;
}

type Telling = Pick<Reason, 'code' | 'text' | 'hint'> & {
  readonly facts?: Reason['facts'];
  readonly evidence?: readonly number[];
};

/** `, asked 5.00s ago`; by logical time, which both sides of a restart share. */
function askedAgo(scene: Scene, emission: Emission): string {
  const { live } = scene;
  const ns = wallOf(scene) - (live.lastNowNs - (live.logicalNowNs - emission.logicalNowNs));
  return ns <= 0n ? '' : `, asked ${longDuration(ns)} ago`;
}

function approval(scene: Scene, emission: Emission, told: Told): Telling {
  const params = paramsOf(emission);
  const subject = typeof params['subject'] === 'string' ? params['subject'] : '';
  const requester = typeof params['requester'] === 'string' ? params['requester'] : '';
  const roles = scene.host?.rolesFor(subject);
  const who = roles === undefined ? 'whoever may decide approvals' : `somebody with role ${roles.join(' or ')}`;
  return {
    code: 'approval_pending',
    text: `${told.run} waits at step ${told.step} for ${who} to decide about ${shown(subject)}, asked for by ${shown(requester)}${told.asked}${told.tail}`,
    hint: `somebody has to decide: "worldline approvals decide ${told.short} approve" or "… deny"`,
    facts: { subject, requester, ...(roles === undefined ? {} : { roles: [...roles] }) },
  };
}

function paramsOf(emission: Emission): { readonly [key: string]: unknown } {
  const decoded = decode(emission.paramsCbor);
  return decoded.ok ? (decoded.value as { readonly [key: string]: unknown }) : {};
}

function performance(scene: Scene, emission: Emission, told: Told, isShared: boolean): Telling {
  const { run, step, kind, short, asked, tail, shared } = told;
  const waits = `${run} waits at step ${step} for ${kind}${asked}`;
  const get = `"worldline effects get ${short}" shows it`;
  const refused = refusedAnswer(scene, emission);
  if (refused !== undefined)
    return {
      code: 'receipt_refused',
      text: `${waits}; an answer came and was refused: ${refused.code}: ${refused.message}${shared}${tail}`,
      hint: `the answer of ${short} has to be sent again in a form that is taken: ${refused.code}; ${get}`,
      facts: { refused_code: refused.code, message: refused.message },
      evidence: [refused.seq],
    };
  const { host } = scene;
  if (host !== undefined && host.worldStatus === 'active' && !host.performs(kind))
    return {
      code: 'adapter_missing',
      text: `${waits}, which no adapter performs${shared}${tail}`,
      hint: `add an adapter for ${kind} to "adapters" of worldline.host.json and start the world, or answer it: "worldline effects receipt ${short} --status ok --payload …"`,
    };
  const trouble = hostTrouble(scene);
  if (trouble !== undefined) return { ...trouble, text: `${waits}, but ${trouble.text}${shared}${tail}` };
  const progress = host?.effects.get(hashText(emission.intentHash));
  if (progress?.state === 'in_flight') {
    const { attempt, nextAttemptNs, lastErrorCode } = progress;
    const facts = {
      ...(attempt === undefined ? {} : { attempt }),
      ...(lastErrorCode === undefined ? {} : { last_error_code: lastErrorCode }),
      ...(nextAttemptNs === undefined ? {} : { next_attempt_ns: String(nextAttemptNs) }),
    };
    if (nextAttemptNs !== undefined && attempt !== undefined) {
      const left = nextAttemptNs - wallOf(scene);
      return {
        code: 'retry_pending',
        text: `${waits}; attempt ${attempt - 1} failed${lastErrorCode === undefined ? '' : ` (${lastErrorCode})`}, attempt ${attempt} ${left > 0n ? `comes in ${longDuration(left)}` : 'comes now'}${shared}${tail}`,
        hint: `it is tried again by itself; ${get}`,
        facts,
      };
    }
    return {
      code: 'effect_in_flight',
      text: `${waits}; it is being performed, attempt ${attempt ?? 1}${shared}${tail}`,
      hint: `an answer comes by itself, or the time limit ends it; ${get}`,
      facts,
    };
  }
  if (progress?.state === 'open')
    return {
      code: 'effect_queued',
      text: `${waits}; it waits for its turn, because as much is under way as may be, or because its last process has just ended${shared}${tail}`,
      hint: `"worldline effects ls" shows what is under way; "worldline effects retry ${short}" takes it up at once when nobody has it`,
    };
  if (isShared)
    return {
      code: 'effect_shared',
      text: `${waits}${shared}; that has no answer yet${tail}`,
      hint: `one answer to ${short} serves both; give the effects different idempotency keys if they are not the same; ${get}`,
    };
  return {
    code: 'effect_unanswered',
    text: `${waits}, which has no answer yet${tail}`,
    hint: `${get}, "worldline status" whether the world runs`,
  };
}

function refusedAnswer(
  scene: Scene,
  emission: Emission,
): { readonly seq: number; readonly code: string; readonly message: string } | undefined {
  const found = scene.trace.entries.findLast(
    ({ record }) => record.record_kind === 'ingress_rejected' && record.emission_seq === emission.emissionSeq,
  );
  if (found?.record.record_kind !== 'ingress_rejected') return undefined;
  return { seq: found.seq, code: found.record.code, message: found.record.message };
}
