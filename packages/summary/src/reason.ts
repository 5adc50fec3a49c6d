import type { Catalog, JsonObject, PlanDef, Step } from '@worldline/air';
import type { Instance } from '@worldline/kernel';
import type { EventWatch } from './event-watch.ts';
import type { LiveState } from './live-wait.ts';
import type { Trace, TraceEntry } from './trace.ts';

/**
 * The true cause behind the cause of `host.md` §10.2: which rule, which grant, which value, which run.
 *
 * RE1  A reason says only what records, manifests, the state at head and the facts of the host show.
 * RE2  Codes are permanent; texts are not. What a text names stands in `facts` too.
 */

/** Every code, with what it means. */
export const REASONS = {
  // The gate
  policy_rule: 'A rule of the policy denies the effect.',
  policy_default: 'No rule of the policy allows the effect.',
  grant_missing: 'The manifest has no grant of that name.',
  grant_type: 'The grant is one of another capability.',
  grant_expired: 'The grant had expired.',
  grant_refused: 'The grant does not cover what was asked for.',
  secret_unknown: 'The effect refers to a secret that the manifest does not declare.',
  secret_denied: 'The secret may not be used with this grant or by this plan.',
  // Receipts
  secret_unavailable: 'A secret has no value here, or not the one that it should have.',
  delivery_unknown: 'The call had begun when its process ended, so it may have happened.',
  delivery_exhausted: 'Every process that performed the effect ended before an answer.',
  adapter_missing: 'Nothing here performs effects of this kind.',
  effect_timed_out: 'The effect took longer than its time limit.',
  effect_failed: 'The adapter answered with an error.',
  reducer_failed: 'A reducer failed on an event.',
  // Plans
  invariant_false: 'An invariant of the plan did not hold.',
  invariant_error: 'An invariant of the plan could not be evaluated, which counts as not holding.',
  expr_error: 'An expression of the plan could not be evaluated.',
  input_invalid: 'The input, or the key that the run is correlated by, does not fit.',
  effect_invalid: 'The effect that the plan asks for does not fit its schema.',
  event_invalid: 'The event that the plan raises does not fit its schema or its route.',
  event_schema_changed: 'The schema of an event is not the one that the run pins.',
  handle_unknown: 'The run waits for something that was never asked for.',
  spawn_failed: 'The input of a child does not fit.',
  fanout_exceeded: 'More children were asked for than are allowed.',
  result_invalid: 'The result does not fit the output of the plan.',
  result_missing: 'The plan promises a result and ended without one.',
  cancelled: 'Somebody cancelled the run.',
  fork_dropped: 'The run was ended when the world was forked.',
  // Waits for receipts
  approval_pending: 'Somebody has to decide.',
  receipt_refused: 'An answer came and was refused.',
  retry_pending: 'An attempt failed; the next one has a time.',
  effect_in_flight: 'The effect is being performed.',
  effect_queued: 'The effect waits for its turn.',
  effect_shared: 'The effect is the same as one that another run asked for first; one answer will serve both.',
  effect_unanswered: 'The effect has no answer yet.',
  world_stopped: 'Nobody runs the world, so nothing is performed and no timer fires.',
  world_inactive: 'The world may not run now.',
  timer_running: 'A timer is not due yet.',
  // Waits for events
  event_missing: 'No event of the schema has come.',
  event_differs: 'Events of the schema came, and none of them satisfies the predicate.',
  event_before_wait: 'An event that would do came before the run waited for it.',
  event_refused: 'An event was refused when it came in.',
  join_waits: 'The deadline has passed, but a step behind it waits for the other branch too.',
  // Nothing waits
  done: 'Everything that followed has ended.',
  deadline_won: 'A deadline came before what a run waited for, and the run ended with TimedOut.',
  approval_denied: 'Somebody was asked and said no.',
  http_status: 'A service answered with an HTTP status that reports a failure, which is an answer like any other.',
  handled_failure: 'An effect failed; the run that asked for it dealt with that and ended ok.',
  late_answer: 'An answer came after the run that asked had ended.',
  no_listener: 'Nothing listens to events of this schema.',
  trigger_filtered: 'A trigger looks for such events, and this one does not satisfy its predicate.',
  wait_filtered: 'Runs wait for events of this schema, and this one satisfies none of them.',
  event_taken: 'A run took the event and waits for something else now.',
  event_after_end: 'The run that this event was for had ended.',
  event_unmatched: 'No run that is live waits for this event.',
  window_too_small: 'More follows than was looked at.',
} as const;

export type ReasonCode = keyof typeof REASONS;

/** A run, and the step of it that matters: where it failed or waits, or where it started the next run of the path. */
export interface RunPlace {
  readonly planId: number;
  readonly plan: string;
  readonly step?: string | undefined;
}

export interface Reason {
  readonly code: ReasonCode;
  /** What happened, with the names and numbers that are needed to find it. */
  readonly text: string;
  /** What to do about it. */
  readonly hint: string;
  /** From the outermost run down to the one where it happened; empty when no run is involved. */
  readonly runs: readonly RunPlace[];
  /** What the text says, for programs; which members there are depends on the code. */
  readonly facts: JsonObject;
  /** Seqs of the records that show it. */
  readonly evidence: readonly number[];
  readonly intentHash?: Uint8Array | undefined;
}

/** What only the host can say. Everything is as of now. */
export interface HostFacts {
  readonly wallNs: bigint;
  /** A short command that has the world open runs it only for a moment. */
  readonly runner: 'daemon' | 'batch' | 'none';
  /** Status of the world in its store; `active` is the one that may run. */
  readonly worldStatus: string;
  /** Whether an adapter is there for an effect kind. */
  readonly performs: (kind: string) => boolean;
  /** What the process that runs the world says of a pending effect, by intent hash text. */
  readonly effects: ReadonlyMap<string, EffectProgress>;
  /** Roles that may decide about a subject; undefined: whoever may decide at all. */
  readonly rolesFor: (subject: string) => readonly string[] | undefined;
}

export interface EffectProgress {
  readonly state: 'open' | 'in_flight' | 'deferred';
  readonly attempt?: number | undefined;
  /** Wall time of the next attempt, after one that failed. */
  readonly nextAttemptNs?: bigint | undefined;
  readonly lastErrorCode?: string | undefined;
}

/** Everything that a reason may be read from. */
export interface Scene {
  readonly trace: Trace;
  readonly live: LiveState;
  readonly watch?: EventWatch | undefined;
  readonly host?: HostFacts | undefined;
  /** Stored objects, for the details of errors. */
  readonly object?: ((hash: Uint8Array) => Uint8Array | undefined) | undefined;
}

/** A catalog that may no longer be stored: what was live long ago may have been collected. */
export function catalogOf(live: LiveState, manifestHash: Uint8Array | undefined): Catalog | undefined {
  if (manifestHash === undefined) return undefined;
  try {
    return live.catalogFor(manifestHash);
  } catch {
    return undefined;
  }
}

export function planOf(instance: Instance, live: LiveState): PlanDef {
  return live.catalogFor(instance.manifestHash).plans.get(instance.name)!.def;
}

export function stepAt(plan: PlanDef, position: number): Step {
  return plan.steps[position]!;
}

export function runText({ plan, planId }: Pick<RunPlace, 'plan' | 'planId'>): string {
  return `${plan} ${planId}`;
}

/** The run and those that started it, as far as they belong to the lineage or are live; outermost first. */
export function runPath(scene: Scene, planId: number, plan: string, step: string | undefined): readonly RunPlace[] {
  const path: RunPlace[] = [{ planId, plan, step }];
  for (let at = planId; ; ) {
    const parent = parentOf(scene, at);
    if (parent === undefined) return path;
    path.unshift(parent);
    at = parent.planId;
  }
}

function parentOf(scene: Scene, planId: number): RunPlace | undefined {
  const live = scene.live.instance(planId)?.parent;
  if (live !== undefined) return { planId: live.planId, plan: planName(scene, live.planId) ?? '', step: live.stepId };
  const started = startOf(scene.trace, planId);
  if (started?.parent_instance_id === undefined) return undefined;
  const parentId = started.parent_instance_id;
  return { planId: parentId, plan: planName(scene, parentId) ?? '', step: started.parent_step_id };
}

export function startOf(trace: Trace, planId: number) {
  for (const { record } of trace.entries)
    if (record.record_kind === 'plan_started' && record.plan_id === planId) return record;
  return undefined;
}

export function endOf(trace: Trace, planId: number) {
  for (const { record } of trace.entries)
    if (record.record_kind === 'plan_ended' && record.plan_id === planId) return record;
  return undefined;
}

function planName(scene: Scene, planId: number): string | undefined {
  return scene.live.instance(planId)?.name ?? scene.trace.plans.find((plan) => plan.planId === planId)?.plan;
}

export function entryAt(trace: Trace, seq: number | undefined): TraceEntry | undefined {
  return seq === undefined ? undefined : trace.entries.find((entry) => entry.seq === seq);
}

/** `; t/parent@1 0 started t/child@1 1 at step s`, for a run that another one started. */
export function startedFor(runs: readonly RunPlace[]): string {
  const [parent, run] = [runs.at(-2), runs.at(-1)];
  if (parent === undefined || run === undefined) return '';
  return `; ${runText(parent)} started ${runText(run)} at step ${parent.step ?? '?'}`;
}

export function atStep(step: string | undefined): string {
  return step === undefined ? '' : ` at step ${step}`;
}
