import { type Env, encodeValue, exprText } from '@worldline/air';
import { bytesEqual } from '@worldline/canon';
import type { DomainEvent, Instance } from '@worldline/kernel';
import { readEvent } from './event-watch.ts';
import { adapterSignal, membersOf } from './evidence.ts';
import { byStep } from './live-wait.ts';
import { type Conjunct, differences, holds, judgePredicate, shown } from './predicate.ts';
import { catalogOf, entryAt, planOf, type Reason, runPath, runText, type Scene, startedFor } from './reason.ts';
import { deadlinesWon } from './reason-deadline.ts';
import { conjunctJson } from './reason-event.ts';
import { httpRefusals } from './reason-http.ts';
import { receiptReason } from './reason-receipt.ts';
import { waitingReasons } from './reason-waiting.ts';

/** Nothing fails and nothing waits: whether that is how it should be. */
export function doneReasons(scene: Scene): readonly Reason[] {
  const { trace } = scene;
  const { root } = trace;
  if (root.event !== undefined && trace.entries.length === 1) return overlooked(scene, root.event);
  const told = [
    ...deadlinesWon(scene),
    ...approvalsDenied(scene),
    ...handledFailures(scene),
    ...httpRefusals(scene),
    ...lateAnswers(scene),
  ];
  if (told.length > 0) return told;
  const runs = trace.plans.length;
  return [
    {
      code: 'done',
      text:
        runs === 0
          ? 'nothing failed and nothing waits'
          : `${runs === 1 ? 'the run that followed has' : `all ${runs} runs that followed have`} ended ok`,
      hint: 'nothing to do',
      runs: [],
      facts: { plans: runs },
      evidence: [trace.entries.at(-1)!.seq],
    },
  ];
}

function approvalsDenied(scene: Scene): readonly Reason[] {
  return scene.trace.entries.flatMap(({ seq, record, causeSeq }): Reason[] => {
    if (record.record_kind !== 'effect_receipt' || record.payload_cbor === undefined) return [];
    const asked = entryAt(scene.trace, causeSeq)?.record;
    if (asked?.record_kind !== 'effect_intent' || asked.kind !== 'approval.request') return [];
    const { decision, approver, rationale } = membersOf(record.payload_cbor);
    if (decision !== 'denied' || asked.origin.origin_kind !== 'plan') return [];
    const { name, plan_id: planId, step_id: step } = asked.origin;
    const runs = runPath(scene, planId, name, step);
    const who = typeof approver === 'string' ? approver : 'somebody';
    const { subject } = membersOf(asked.params_cbor);
    return [
      {
        code: 'approval_denied',
        text: `${who} said no to ${shown(typeof subject === 'string' ? subject : '')}, which ${runText(runs.at(-1)!)} asked at step ${step}${typeof rationale === 'string' ? `: ${shown(rationale)}` : ''}${startedFor(runs)}`,
        hint: `ask ${who}; a new run may ask again`,
        runs,
        facts: { approver: who, ...(typeof rationale === 'string' ? { rationale } : {}) },
        evidence: [causeSeq!, seq],
        intentHash: record.intent_hash,
      },
    ];
  });
}

/** Answers that were not ok, and that their runs expected as such. */
function handledFailures(scene: Scene): readonly Reason[] {
  return scene.trace.entries.flatMap((entry): Reason[] => {
    const { record } = entry;
    // A late one changed nothing, whatever it says.
    if (record.record_kind !== 'effect_receipt' || record.disposition === 'late') return [];
    if (adapterSignal(record) === undefined) return [];
    const reason = receiptReason(scene, entry, record);
    return [
      {
        ...reason,
        code: 'handled_failure',
        hint: `nothing is open; ${reason.hint}`,
        facts: { ...reason.facts, failure: reason.code },
      },
    ];
  });
}

/** Receipts of effects that somebody waited for, which came when the run had ended another way. */
function lateAnswers(scene: Scene): readonly Reason[] {
  return scene.trace.entries.flatMap(({ seq, record, causeSeq }): Reason[] => {
    if (record.record_kind !== 'effect_receipt' || record.disposition !== 'late') return [];
    // Timers of ended runs fire all the same, and a withdrawn approval is the end of a race, not an answer.
    if (record.adapter_id === 'timer.set' || record.error?.code === 'approval.withdrawn') return [];
    const intent = scene.trace.entries.find((entry) => entry.seq === causeSeq)?.record;
    if (intent?.record_kind !== 'effect_intent' || intent.origin.origin_kind !== 'plan') return [];
    const { name, plan_id: planId, step_id: step } = intent.origin;
    const ended = scene.trace.entries.find(
      (entry) => entry.record.record_kind === 'plan_ended' && entry.record.plan_id === planId,
    );
    const runs = runPath(scene, planId, name, step);
    return [
      {
        code: 'late_answer',
        text: `the answer to ${intent.kind} of ${runText(runs.at(-1)!)} at step ${step} came at #${seq}, when the run had ended${ended === undefined ? '' : ` at #${ended.seq}`}, so it changed nothing`,
        hint: `give ${name} a later deadline if the answer should have counted; what ${intent.kind} did outside is not taken back`,
        runs,
        facts: {
          effect_kind: intent.kind,
          status: record.status,
          ...(ended === undefined ? {} : { ended_seq: ended.seq }),
        },
        evidence: [...(causeSeq === undefined ? [] : [causeSeq]), ...(ended === undefined ? [] : [ended.seq]), seq],
        intentHash: record.intent_hash,
      },
    ];
  });
}

/** Instances that are looked at for a wait; a world may have a million of them. */
const INSTANCES_LOOKED_AT = 2_000;

/** No record follows from the root: who might have listened, and why nobody did. */
function overlooked(scene: Scene, event: DomainEvent): readonly Reason[] {
  const { trace, live } = scene;
  const { seq } = trace.root;
  const { schema } = event;
  const catalog = catalogOf(live, trace.entries[0]!.activeManifest) ?? live.catalog;
  const value = readEvent(event, catalog);
  const found: Reason[] = [];
  const triggers = catalog.triggers.filter((trigger) => trigger.event === schema);
  for (const { plan, when } of triggers) {
    if (when === undefined || value === undefined) continue;
    const env: Env = { input: none, variable: none, step: none, receipt: none, event: () => value };
    const conjuncts = judgePredicate(when, env);
    found.push({
      code: 'trigger_filtered',
      text: `the trigger of ${plan} for ${schema} does not take the event at #${seq}: ${differences(conjuncts)}`,
      hint: `send ${schema} with what the trigger of ${plan} looks for (${exprText(when)}), or change its "when"`,
      runs: [],
      facts: { schema, plan, when: exprText(when), conjuncts: conjuncts.map(conjunctJson) },
      evidence: [seq],
    });
  }
  const missed = scene.watch?.missedRuns.at(-1);
  if (missed !== undefined) {
    const { planId, plan, stepId, endedSeq, startedSeq, correlation, status, errorCode } = missed;
    const runs = runPath(scene, planId, plan, stepId);
    found.push({
      code: 'event_after_end',
      text: `the event at #${seq} was for ${plan} ${planId}, which would have taken it at step ${stepId} and had ended ${status === 'ok' ? 'ok' : `with ${errorCode}`} at #${endedSeq}`,
      hint: `give ${plan} a later deadline if the event should have counted, or let whoever sends ${schema} look first whether somebody still waits`,
      runs,
      facts: { schema, plan_id: planId, ended_seq: endedSeq, correlation },
      evidence: [startedSeq, endedSeq, seq],
    });
  }
  if (value !== undefined) found.push(...waiting(scene, event, value));
  if (found.length > 0) return found;
  const awaits = [...catalog.plans.values()].filter(({ def }) =>
    def.steps.some((step) => step.op === 'await_event' && step.event === schema),
  );
  if (triggers.length === 0 && awaits.length === 0)
    return [
      {
        code: 'no_listener',
        text: `no trigger starts a plan on ${schema}, and no plan waits for it, so the event at #${seq} did nothing`,
        hint: `add a trigger on ${schema} to the manifest, or send an event that something listens to`,
        runs: [],
        facts: { schema },
        evidence: [seq],
      },
    ];
  return [
    {
      code: 'event_unmatched',
      text: `no record follows from the event at #${seq}: no run that is live waits for it${awaits.length === 0 ? '' : `; ${awaits.map(({ def }) => def.name).join(', ')} would wait for ${schema}`}`,
      hint: `"worldline plans ls" shows what is live and what it waits for`,
      runs: [],
      facts: { schema, awaited_by: awaits.map(({ def }) => def.name) },
      evidence: [seq],
    },
  ];
}

function none(): undefined {
  return undefined;
}

/** Live runs that wait for the schema of the root, the one that it comes nearest to first. */
function waiting(
  scene: Scene,
  event: DomainEvent,
  value: NonNullable<ReturnType<typeof readEvent>>,
): readonly Reason[] {
  const { live, trace } = scene;
  const { seq } = trace.root;
  const found: { readonly instance: Instance; readonly stepId: string; readonly conjuncts: readonly Conjunct[] }[] = [];
  let looked = 0;
  for (const instance of live.instances()) {
    if (++looked > INSTANCES_LOOKED_AT) break;
    // It may have taken the event and come to its next wait without leaving a record.
    for (const step of planOf(instance, live).steps) {
      if (step.op !== 'await_event' || step.event !== event.schema) continue;
      const taken = instance.stepValues.get(step.id);
      if (taken !== undefined && bytesEqual(encodeValue(taken), event.value))
        return [takenSilently(scene, instance, step.id)];
    }
    for (const wait of byStep(instance.eventWaits)) {
      if (wait.schema !== event.schema) continue;
      const step = planOf(instance, live).steps.find(({ id }) => id === wait.stepId);
      if (step?.op !== 'await_event' || step.where === undefined) continue;
      const conjuncts = judgePredicate(step.where, live.environmentOf(instance, value));
      // A run that started later is of interest only if the event was for it.
      if (instance.startedSeq > seq && !holds(conjuncts)) continue;
      found.push({ instance, stepId: wait.stepId, conjuncts });
    }
  }
  const missing = (list: readonly Conjunct[]) => list.filter(({ verdict }) => verdict !== 'true').length;
  const nearest = found.sort((a, b) => missing(a.conjuncts) - missing(b.conjuncts))[0];
  if (nearest === undefined) return [];
  const { instance, stepId, conjuncts } = nearest;
  const runs = runPath(scene, instance.id, instance.name, stepId);
  const run = runText(runs.at(-1)!);
  const base = {
    runs,
    facts: { schema: event.schema, waiting: found.length, conjuncts: conjuncts.map(conjunctJson) },
    evidence: [instance.startedSeq, seq],
  };
  if (holds(conjuncts))
    return [
      {
        ...base,
        code: 'event_before_wait',
        text: `the event at #${seq} is what ${run} waits for at step ${stepId}, but it came before the run waited, and a wait sees only what comes later`,
        hint: `send ${event.schema} again; to lose none, let step ${stepId} wait before what the event answers is asked for`,
      },
    ];
  return [
    {
      ...base,
      code: 'wait_filtered',
      text: `${found.length === 1 ? 'one run waits' : `${found.length} runs wait`} for ${event.schema}, and the event at #${seq} is for none of them; ${run} at step ${stepId} is nearest: ${differences(conjuncts)}`,
      hint: `send ${event.schema} with what ${run} waits for, or correct whoever sends it`,
    },
  ];
}

/** The lineage follows records, and it left none: what the run waits for now is what matters. */
function takenSilently(scene: Scene, instance: Instance, step: string): Reason {
  const runs = runPath(scene, instance.id, instance.name, step);
  const next = waitingReasons(scene, [instance.id])[0];
  return {
    code: 'event_taken',
    text: `${runText(runs.at(-1)!)} took the event at step ${step} and went on without a record${next === undefined ? '' : `; ${next.text}`}`,
    hint: next?.hint ?? `"worldline plans get ${instance.id}" shows what it waits for now`,
    runs,
    facts: { ...next?.facts, ...(next === undefined ? {} : { waits: next.code }) },
    evidence: [scene.trace.root.seq, ...(next?.evidence ?? [])],
  };
}
