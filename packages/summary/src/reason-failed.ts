import { exprText, type Json, type JsonObject, type PolicyRule } from '@worldline/air';
import { decode } from '@worldline/canon';
import type { CapDecision, PlanEnded, PolicyDecision, ReducerFault } from '@worldline/kernel';
import {
  atStep,
  catalogOf,
  entryAt,
  type Reason,
  type ReasonCode,
  runPath,
  runText,
  type Scene,
  startedFor,
  startOf,
} from './reason.ts';
import { receiptReason } from './reason-receipt.ts';
import { longDuration } from './render.ts';
import type { TraceEntry } from './trace.ts';

/** Why something failed: from the records that say so, and the manifests that were in force. */

/**
 * Everything that failed, each once.
 *
 * @param shown - the failures that show the cause: they are told first, in either part oldest first.
 */
export function failedReasons(scene: Scene, shown: readonly TraceEntry[]): readonly Reason[] {
  const isShown = new Set(shown);
  const told: Failed[] = [];
  const explained = new Set<number>();
  for (const entry of scene.trace.failures) {
    const rank = entry.record.record_kind === 'plan_ended' ? rankOfEnd(entry, entry.record, told, explained) : 'own';
    const reason = rank === 'explained' ? undefined : reasonOf(scene, entry);
    explained.add(entry.seq);
    for (const seq of reason?.evidence ?? []) explained.add(seq);
    if (rank !== 'explained' && reason !== undefined) told.push({ entry, reason, rank });
  }
  const order = ({ entry, rank }: Failed) => (rank === 'after_child' ? 2 : isShown.has(entry) ? 0 : 1);
  return told.sort((a, b) => order(a) - order(b)).map(({ reason }) => reason);
}

interface Failed {
  readonly entry: TraceEntry;
  readonly reason: Reason;
  /** `after_child`: a child of the run had failed before, so that says more. */
  readonly rank: 'own' | 'after_child';
}

/**
 * @param explained - records that what is told so far explains. The end of a run is one of them when a denial or a receipt led
 *   to it, or directly the end of a child.
 */
function rankOfEnd(
  { seq }: TraceEntry,
  { plan_id: planId, cause }: PlanEnded,
  told: readonly Failed[],
  explained: ReadonlySet<number>,
): Failed['rank'] | 'explained' {
  const hasFailedChild = told.some(({ reason }) => reason.runs.slice(0, -1).some((run) => run.planId === planId));
  if (explained.has(seq) || (hasFailedChild && explained.has(cause))) return 'explained';
  return hasFailedChild ? 'after_child' : 'own';
}

function reasonOf(scene: Scene, entry: TraceEntry): Reason | undefined {
  const { record } = entry;
  switch (record.record_kind) {
    case 'policy_decision':
      return policyReason(scene, entry, record);
    case 'cap_decision':
      return capReason(scene, entry, record);
    case 'plan_ended':
      return endReason(scene, entry, record);
    case 'effect_receipt':
      return receiptReason(scene, entry, record);
    case 'reducer_fault':
      return faultReason(entry, record);
    default:
      return undefined;
  }
}

/** The run that a denial ended: its record stands directly behind. */
function endedBy(scene: Scene, seq: number): PlanEnded | undefined {
  const record = entryAt(scene.trace, seq + 1)?.record;
  return record?.record_kind === 'plan_ended' ? record : undefined;
}

function pathOf(scene: Scene, ended: PlanEnded | undefined) {
  return ended === undefined ? [] : runPath(scene, ended.plan_id, ended.plan_name, ended.step_id);
}

function policyReason(scene: Scene, entry: TraceEntry, decision: PolicyDecision): Reason {
  const ended = endedBy(scene, entry.seq);
  const asked = entryAt(scene.trace, entry.seq - 1)?.record;
  const cap = asked?.record_kind === 'cap_decision' ? asked : undefined;
  const { policy_name: policy, rule_index: index } = decision;
  const def = catalogOf(scene.live, entry.activeManifest)?.policies.get(policy)?.def;
  const rule = index === undefined ? undefined : def?.rules[index];
  const runs = pathOf(scene, ended);
  const what = `${cap?.effect_kind ?? 'the effect'} of ${ended === undefined ? 'a plan' : runText(runs.at(-1)!)}${atStep(ended?.step_id)} with grant ${cap?.cap_name ?? '?'}`;
  const when = rule === undefined ? {} : ruleJson(rule);
  return {
    code: index === undefined ? 'policy_default' : 'policy_rule',
    text:
      index === undefined
        ? `no rule of policy ${policy} allows ${what}, and what no rule allows is denied${startedFor(runs)}`
        : `rule ${index} of policy ${policy}${rule === undefined ? '' : ` (${ruleText(rule)})`} denies ${what}${startedFor(runs)}`,
    hint:
      index === undefined
        ? `add a rule to policy ${policy} that allows ${cap?.effect_kind ?? 'it'}${ended === undefined ? '' : ` for ${ended.plan_name}`}`
        : `change rule ${index} of policy ${policy}, or put one before it that allows ${cap?.effect_kind ?? 'it'}${ended === undefined ? '' : ` for ${ended.plan_name}`}`,
    runs,
    facts: {
      policy,
      ...(index === undefined ? {} : { rule_index: index, rule: when }),
      ...(cap === undefined ? {} : { effect_kind: cap.effect_kind, grant: cap.cap_name, cap_type: cap.cap_type }),
    },
    evidence: [
      ...(cap === undefined ? [] : [entry.seq - 1]),
      entry.seq,
      ...(ended === undefined ? [] : [entry.seq + 1]),
    ],
    intentHash: decision.intent_hash,
  };
}

function ruleJson({ when }: PolicyRule): JsonObject {
  const members: [string, string | undefined][] = [
    ['effect_kind', when.effectKind],
    ['cap_name', when.capName],
    ['cap_type', when.capType],
    ['origin_kind', when.originKind],
    ['origin_name', when.originName],
  ];
  return Object.fromEntries(members.filter((member): member is [string, string] => member[1] !== undefined));
}

function ruleText(rule: PolicyRule): string {
  const members = Object.entries(ruleJson(rule));
  return members.length === 0
    ? 'for everything'
    : members.map(([name, value]) => `${name} ${String(value)}`).join(', ');
}

const CAP_CODES: Readonly<Record<string, ReasonCode>> = {
  expired: 'grant_expired',
  secret_unknown: 'secret_unknown',
  secret_denied: 'secret_denied',
};

function capReason(scene: Scene, entry: TraceEntry, decision: CapDecision): Reason {
  const ended = endedBy(scene, entry.seq);
  const runs = pathOf(scene, ended);
  const { cap_name: grant, effect_kind: kind, expiry_ns: expiry, enforcer_module: enforcer } = decision;
  const denied = decision.deny?.code ?? '';
  const said = decision.deny?.message ?? '';
  const code = CAP_CODES[denied] ?? 'grant_refused';
  const who = `${ended === undefined ? 'a plan' : runText(runs.at(-1)!)}${atStep(ended?.step_id)}`;
  const told: Readonly<Record<string, readonly [string, string]>> = {
    grant_expired: [
      `grant ${grant} had expired${expiry === undefined ? '' : ` ${longDuration(entry.atNs - BigInt(expiry))} before`} when ${who} asked for ${kind}`,
      `give grant ${grant} a later expiry_ns in the manifest and push it; what is started then may use it`,
    ],
    secret_unknown: [
      `${who} asked for ${kind} with a secret that the manifest does not declare: ${said}`,
      `declare the secret with a defsecret, or correct the reference in step ${ended?.step_id ?? '?'}`,
    ],
    secret_denied: [
      `${who} may not use the secret for ${kind} with grant ${grant}: ${said}`,
      `allow it in the secret's allowed_caps and allowed_plans (grant ${grant}${ended === undefined ? '' : `, plan ${ended.plan_name}`})`,
    ],
    grant_refused: [
      `grant ${grant} does not cover the ${kind} that ${who} asked for: ${denied}: ${said}`,
      `change the params of grant ${grant} in the manifest, or what step ${ended?.step_id ?? '?'} asks for`,
    ],
  };
  const [text, hint] = told[code]!;
  return {
    code,
    text: `${text}${startedFor(runs)}`,
    hint,
    runs,
    facts: {
      grant,
      cap_type: decision.cap_type,
      effect_kind: kind,
      enforcer,
      deny_code: denied,
      message: said,
      decided_ns: String(entry.atNs),
      ...(expiry === undefined ? {} : { expiry_ns: String(expiry) }),
    },
    evidence: [entry.seq, ...(ended === undefined ? [] : [entry.seq + 1])],
    intentHash: decision.intent_hash,
  };
}

function faultReason(entry: TraceEntry, fault: ReducerFault): Reason {
  const { reducer, code, message } = fault;
  return {
    code: 'reducer_failed',
    text: `reducer ${reducer} failed on the event at #${fault.event_seq}: ${code}: ${message}`,
    hint: `correct reducer ${reducer}; the event is in the journal at #${fault.event_seq}`,
    runs: [],
    facts: { reducer, error_code: code, message },
    evidence: [fault.event_seq, entry.seq],
  };
}

/** `message` is the code, then what the table of `plans.md` §10 gives as its reason. */
function reasonIn(ended: PlanEnded): string | undefined {
  const prefix = `${ended.error_code}: `;
  return ended.message?.startsWith(prefix) === true ? ended.message.slice(prefix.length) : undefined;
}

/** JSON Pointer into the plan, as far as the stored error says. */
function placeIn(scene: Scene, ended: PlanEnded): string | undefined {
  const stored = ended.result_ref === undefined ? undefined : scene.object?.(ended.result_ref);
  const decoded = stored === undefined ? undefined : decode(stored);
  if (decoded?.ok !== true) return undefined;
  const { details } = decoded.value as { readonly details?: string | null };
  const at = typeof details === 'string' ? (JSON.parse(details) as { at?: string }).at : undefined;
  return at;
}

function endReason(scene: Scene, entry: TraceEntry, ended: PlanEnded): Reason {
  const runs = runPath(scene, ended.plan_id, ended.plan_name, ended.step_id);
  const error = ended.error_code ?? '';
  const reason = reasonIn(ended);
  const place = placeIn(scene, ended);
  const run = runText(runs.at(-1)!);
  const base = {
    runs,
    evidence: [ended.started_seq, entry.seq].filter((seq) => entryAt(scene.trace, seq) !== undefined),
    facts: {
      error_code: error,
      ...(reason === undefined ? {} : { reason }),
      ...(place === undefined ? {} : { at: place }),
    } as { [key: string]: Json },
  };
  const here = `${run} ended${atStep(ended.step_id)}`;
  const suffix = startedFor(runs);
  switch (error) {
    case 'invariant_violation':
      return invariantReason(scene, ended, reason ?? '', { ...base, suffix });
    case 'cap_denied':
      return grantReason(scene, ended, reason ?? '', { ...base, suffix });
    case 'cancelled': {
      const cancel = entryAt(scene.trace, entry.seq - 1)?.record;
      const by = cancel?.record_kind === 'plan_cancel' ? cancel : undefined;
      return {
        ...base,
        code: 'cancelled',
        text: `${by?.actor ?? 'somebody'} cancelled ${run}${by === undefined ? '' : `: ${by.reason}`}${suffix}`,
        hint: `ask ${by?.actor ?? 'whoever did it'}; a run that was cancelled does not go on, start another one`,
        facts: { ...base.facts, ...(by === undefined ? {} : { actor: by.actor, reason: by.reason }) },
        evidence: by === undefined ? base.evidence : [entry.seq - 1, entry.seq],
      };
    }
    // Their decision stands directly before them; a window that begins between the two shows the end alone.
    case 'policy_denied':
    case 'secret_denied':
      return {
        ...base,
        code:
          error === 'policy_denied'
            ? reason === 'default'
              ? 'policy_default'
              : 'policy_rule'
            : reason === 'secret_unknown'
              ? 'secret_unknown'
              : 'secret_denied',
        text: `${here}: ${error}${reason === undefined ? '' : ` (${reason})`}${suffix}`,
        hint: getPlan(ended),
      };
    default: {
      const code = (error in PLAN_HINTS ? error : 'expr_error') as PlanCode;
      return {
        ...base,
        code,
        text: `${here}: ${WHAT[code]}${reason === undefined ? '' : ` (${reason})`}${place === undefined ? '' : `, at ${place} of the plan`}${suffix}`,
        hint: PLAN_HINTS[code](ended),
      };
    }
  }
}

type PlanCode =
  | 'expr_error'
  | 'input_invalid'
  | 'effect_invalid'
  | 'event_invalid'
  | 'event_schema_changed'
  | 'handle_unknown'
  | 'spawn_failed'
  | 'fanout_exceeded'
  | 'result_invalid'
  | 'result_missing'
  | 'fork_dropped';

const WHAT: Readonly<Record<PlanCode, string>> = {
  expr_error: 'an expression could not be evaluated',
  input_invalid: 'its input, or the key it is correlated by, does not fit',
  effect_invalid: 'the effect that it asks for is not valid',
  event_invalid: 'the event that it raises is not valid',
  event_schema_changed: 'the schema of the event that it raises has changed since it started',
  handle_unknown: 'it waits for something that was never asked for, because that step was skipped',
  spawn_failed: 'the input of a child does not fit',
  fanout_exceeded: 'it asked for more children than are allowed',
  result_invalid: 'its result does not fit the output of the plan',
  result_missing: 'all steps are settled, and none of them gave the result that the plan promises',
  fork_dropped: 'the fork of the world dropped it',
};

const PLAN_HINTS: Readonly<Record<PlanCode, (ended: PlanEnded) => string>> = {
  expr_error: (e) =>
    `guard step ${e.step_id ?? '?'} of ${e.plan_name} against values that are not there; ${getPlan(e)}`,
  input_invalid: (e) =>
    `look at the trigger of ${e.plan_name}: its input_expr and correlate_by have to fit every event that its "when" lets through`,
  effect_invalid: (e) => `correct the params of step ${e.step_id ?? '?'} of ${e.plan_name}; ${getPlan(e)}`,
  event_invalid: (e) => `correct the value that step ${e.step_id ?? '?'} of ${e.plan_name} raises; ${getPlan(e)}`,
  event_schema_changed: (e) => `start ${e.plan_name} again: a new run uses the schema that is active now`,
  handle_unknown: (e) =>
    `let step ${e.step_id ?? '?'} of ${e.plan_name} depend on the step that asks, so that both are skipped together`,
  spawn_failed: (e) =>
    `correct the input that step ${e.step_id ?? '?'} of ${e.plan_name} gives its children; ${getPlan(e)}`,
  fanout_exceeded: (e) => `raise max_fanout of step ${e.step_id ?? '?'} of ${e.plan_name}, or hand it fewer inputs`,
  result_invalid: (e) => `correct the result of step ${e.step_id ?? '?'} of ${e.plan_name}; ${getPlan(e)}`,
  result_missing: (e) => `give every way through ${e.plan_name} an end step with a result`,
  fork_dropped: (e) => `start ${e.plan_name} again in the fork`,
};

function getPlan(ended: PlanEnded): string {
  return `"worldline plans get ${ended.plan_id}" shows the place`;
}

type Base = Pick<Reason, 'runs' | 'evidence'> & { readonly facts: { [key: string]: Json }; readonly suffix: string };

function invariantReason(scene: Scene, ended: PlanEnded, reason: string, base: Base): Reason {
  const { suffix, ...rest } = base;
  const found = /^invariants\/(\d+)(?:: (.*))?$/.exec(reason);
  const index = Number(found?.[1] ?? 0);
  const error = found?.[2];
  const manifest = startOf(scene.trace, ended.plan_id)?.manifest_hash;
  const expr = catalogOf(scene.live, manifest)?.plans.get(ended.plan_name)?.def.invariants[index];
  const text = expr === undefined ? '' : ` (${exprText(expr)})`;
  const when = ended.step_id === undefined ? 'at the end' : `after step ${ended.step_id}`;
  return {
    ...rest,
    code: error === undefined ? 'invariant_false' : 'invariant_error',
    text: `invariant ${index}${text} of ${runText(base.runs.at(-1)!)} ${error === undefined ? 'did not hold' : `could not be evaluated (${error})`} ${when}${suffix}`,
    hint: `invariant ${index} of ${ended.plan_name} was checked ${when}: correct what ${ended.step_id === undefined ? 'the plan' : `step ${ended.step_id}`} did, or the invariant`,
    facts: { ...base.facts, invariant: index, ...(expr === undefined ? {} : { expression: exprText(expr) }) },
  };
}

/** A grant that is not there leaves no decision. */
function grantReason(scene: Scene, ended: PlanEnded, reason: string, base: Base): Reason {
  const { suffix, ...rest } = base;
  const manifest = startOf(scene.trace, ended.plan_id)?.manifest_hash;
  const step = catalogOf(scene.live, manifest)
    ?.plans.get(ended.plan_name)
    ?.def.steps.find(({ id }) => id === ended.step_id);
  const emit = step?.op === 'emit_effect' ? step : undefined;
  const grant = emit?.cap ?? '?';
  const isType = reason === 'cap.type_mismatch';
  const who = `${runText(base.runs.at(-1)!)}${atStep(ended.step_id)}`;
  return {
    ...rest,
    code: isType ? 'grant_type' : 'grant_missing',
    text: isType
      ? `grant ${grant} is not one of the capability that ${emit?.kind ?? 'the effect'} needs, which ${who} asked for${suffix}`
      : `the manifest had no grant ${grant} when ${who} asked for ${emit?.kind ?? 'an effect'}${suffix}`,
    hint: isType
      ? `give grant ${grant} the capability of ${emit?.kind ?? 'the effect'} in the manifest`
      : `add a grant ${grant} to the manifest and push it; what is started then may use it`,
    facts: { ...base.facts, grant, ...(emit === undefined ? {} : { effect_kind: emit.kind }) },
  };
}
