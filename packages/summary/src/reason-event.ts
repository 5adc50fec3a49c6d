import { exprText, type JsonObject, type PlanDef, type Step } from '@worldline/air';
import { decode } from '@worldline/canon';
import type { Instance, Wait } from '@worldline/kernel';
import { type Conjunct, differences } from './predicate.ts';
import { planOf, type Reason, runPath, runText, type Scene, startedFor } from './reason.ts';
import { type Deadline, deadlineFacts, deadlineText, waitsAbove } from './wait-context.ts';

/** Why a wait for an event goes on: what came instead, what came too early, or that nothing came. */

export function eventReason(scene: Scene, instance: Instance, wait: Wait, deadline: Deadline | undefined): Reason {
  const { schema, stepId } = wait;
  const plan = planOf(instance, scene.live);
  const runs = runPath(scene, instance.id, instance.name, stepId);
  const above = waitsAbove(scene, instance);
  const run = runText(runs.at(-1)!);
  const where = whereOf(plan, stepId);
  const waits = `${run} waits at step ${stepId} for ${schema}`;
  const asked = askedOf(scene, instance);
  const tail = `${asked.text}${deadlineText(scene, deadline)}${startedFor(runs)}${above.text}`;
  const base = {
    runs,
    facts: {
      schema,
      ...(where === undefined ? {} : { where: exprText(where) }),
      ...asked.facts,
      ...deadlineFacts(deadline),
      ...above.facts,
    },
    evidence: [instance.startedSeq, ...asked.evidence],
  };
  const seen = scene.watch?.sighting(instance.id, stepId);
  if (seen?.changed !== undefined)
    return {
      ...base,
      code: 'event_schema_changed',
      text: `${waits}; the one at #${seen.changed.seq} was of another definition of ${schema} than the run pins${tail}`,
      hint: `cancel ${run} and start it again: a new run uses the definition of ${schema} that is active now`,
      facts: { ...base.facts, event_seq: seen.changed.seq },
      evidence: [...base.evidence, seen.changed.seq],
    };
  if (seen?.early !== undefined)
    return {
      ...base,
      code: 'event_before_wait',
      text: `${waits}; the one at #${seen.early.seq} would do, but it came before the run waited, and a wait sees only what comes later${tail}`,
      hint: `send ${schema} again; to lose none, let step ${stepId} wait before what the event answers is asked for`,
      facts: { ...base.facts, event_seq: seen.early.seq },
      evidence: [...base.evidence, seen.early.seq],
    };
  const join = passedDeadline(plan, instance, stepId);
  if (join !== undefined)
    return {
      ...base,
      code: 'join_waits',
      text: `${waits} although the timer of step ${join.timer} has fired: step ${join.step} stands behind both, so it waits for both${startedFor(runs)}${above.text}`,
      hint: `give each branch of ${instance.name} its own end instead of step ${join.step}, so that the first one decides (RL010); send ${schema} or cancel ${run} to end this run`,
      facts: { ...base.facts, join_step: join.step, timer_step: join.timer },
    };
  if (seen?.nearest !== undefined) {
    const { seq, conjuncts } = seen.nearest;
    const more = seen.missed === 1 ? '' : `, the nearest of ${seen.missed} that came`;
    return {
      ...base,
      code: 'event_differs',
      text: `${waits}; the one at #${seq}${more}, does not satisfy ${differences(conjuncts)}${tail}`.replace(
        /(#\d+), does/,
        '$1 does',
      ),
      hint: `send ${schema} with what ${run} waits for (${wanted(conjuncts)}), or correct whoever sends it`,
      facts: { ...base.facts, event_seq: seq, missed: seen.missed, conjuncts: conjuncts.map(conjunctJson) },
      evidence: [...base.evidence, seq],
    };
  }
  const refused = seen?.refused.at(-1);
  if (refused !== undefined)
    return {
      ...base,
      code: 'event_refused',
      text: `${waits}, and none has come; an event was refused at #${refused.seq}: ${refused.code}: ${refused.message}${tail}`,
      hint: `if the event at #${refused.seq} was this one, send it again in the form of ${schema}: "worldline defs get ${schema}" shows it`,
      facts: { ...base.facts, refused_seq: refused.seq, refused_code: refused.code, message: refused.message },
      evidence: [...base.evidence, ...(seen?.refused ?? []).map(({ seq }) => seq)],
    };
  const raisers = raisedBy(scene, schema);
  const isOurs = asked.world === undefined && raisers.length === 0;
  const whence = isOurs
    ? '; no plan raises it, so it has to be sent'
    : raisers.length === 0
      ? ''
      : `; ${raisers.join(', ')} would raise it`;
  return {
    ...base,
    code: 'event_missing',
    text: `${waits}, and none has come${whence}${tail}`,
    hint: `it goes on when ${schema} arrives that ${run} waits for${where === undefined ? '' : ` (${exprText(where)})`}: ${asked.world === undefined ? `"worldline event send ${schema} …"` : `look in world ${asked.world} what became of the message`}`,
    facts: { ...base.facts, raised_by: [...raisers] },
  };
}

interface Asked {
  readonly text: string;
  readonly facts: JsonObject;
  readonly evidence: readonly number[];
  readonly world?: string | undefined;
}

const NOT_ASKED: Asked = { text: '', facts: {}, evidence: [] };

/** The newest message to another world that the run sent: what it waits for may be the answer. */
function askedOf({ trace }: Scene, instance: Instance): Asked {
  const sent = trace.entries.findLast(
    ({ record }) =>
      record.record_kind === 'effect_intent' &&
      record.kind.startsWith('fabric.send') &&
      record.origin.origin_kind === 'plan' &&
      record.origin.plan_id === instance.id,
  );
  if (sent?.record.record_kind !== 'effect_intent') return NOT_ASKED;
  const receipt = trace.entries.find(
    ({ record, causeSeq }) => record.record_kind === 'effect_receipt' && causeSeq === sent.seq,
  );
  if (receipt?.record.record_kind !== 'effect_receipt' || receipt.record.status !== 'ok') return NOT_ASKED;
  const params = decode(sent.record.params_cbor);
  const world = params.ok ? (params.value as { readonly dest_world?: unknown }).dest_world : undefined;
  if (typeof world !== 'string') return NOT_ASKED;
  return {
    text: `; world ${world} took its message (#${sent.seq}) at #${receipt.seq}, and the answer has to come from there`,
    facts: { asked_world: world, message_seq: sent.seq },
    evidence: [sent.seq, receipt.seq],
    world,
  };
}

function whereOf(plan: PlanDef, stepId: string) {
  const step = plan.steps.find(({ id }) => id === stepId);
  return step?.op === 'await_event' ? step.where : undefined;
}

/** Without values: a hint is shown where values are not. */
function wanted(conjuncts: readonly Conjunct[]): string {
  return conjuncts
    .filter(({ verdict }) => verdict !== 'true')
    .map(({ expr }) => expr)
    .join('; ');
}

export function conjunctJson({ expr, verdict, error, came, wanted: expected }: Conjunct): JsonObject {
  return {
    expr,
    verdict,
    ...(error === undefined ? {} : { error }),
    ...(came === undefined ? {} : { came }),
    ...(expected === undefined ? {} : { wanted: expected }),
  };
}

function raisedBy({ live }: Scene, schema: string): readonly string[] {
  return [...live.catalog.plans.values()]
    .filter(({ def }) => def.steps.some((step) => step.op === 'raise_event' && step.event === schema))
    .map(({ def }) => def.name);
}

/**
 * A race that was joined instead of ended: the timer's branch is through, and a step that is still pending stands
 * behind both.
 */
function passedDeadline(
  plan: PlanDef,
  instance: Instance,
  waiting: string,
): { readonly step: string; readonly timer: string } | undefined {
  const position = new Map(plan.steps.map((step, i) => [step.id, i]));
  const isCompleted = (id: string) => instance.states[position.get(id)!] === COMPLETED;
  const fired = plan.steps.filter((step) => awaitsTimer(plan, step) && isCompleted(step.id)).map(({ id }) => id);
  if (fired.length === 0) return undefined;
  const behindWait = reachable(plan, waiting);
  for (const timer of fired) {
    const behindTimer = reachable(plan, timer);
    // The wait itself stands behind the timer: then it is no race, but one after the other.
    if (behindTimer.has(waiting)) continue;
    const step = plan.steps.find(
      ({ id }) => behindTimer.has(id) && behindWait.has(id) && instance.states[position.get(id)!] === PENDING,
    );
    if (step !== undefined) return { step: step.id, timer };
  }
  return undefined;
}

const PENDING = 0;
const COMPLETED = 3;

function awaitsTimer(plan: PlanDef, step: Step): boolean {
  if (step.op !== 'await_receipt') return false;
  return plan.steps.some(
    (other) => other.op === 'emit_effect' && other.effectIdAs === step.handle && other.kind.startsWith('timer.'),
  );
}

function reachable(plan: PlanDef, from: string): ReadonlySet<string> {
  const found = new Set<string>();
  const queue = [from];
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    for (const edge of plan.edges) {
      if (edge.from !== at || found.has(edge.to)) continue;
      found.add(edge.to);
      queue.push(edge.to);
    }
  }
  return found;
}
