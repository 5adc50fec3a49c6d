import type { Value } from '@worldline/air';
import { encode } from '@worldline/canon';
import { deliverOutcome } from './child.ts';
import { type Instance, NO_WAKES } from './instance.ts';
import type { WorldState } from './state.ts';
import type { Turn } from './turn.ts';

/** How an instance ends (`plans.md` §8, §10): once, for ever, with a record. */

/** Closed list of `plans.md` §10. */
export type PlanFailureCode =
  | 'invariant_violation'
  | 'expr_error'
  | 'input_invalid'
  | 'effect_invalid'
  | 'cap_denied'
  | 'policy_denied'
  | 'secret_denied'
  | 'event_invalid'
  | 'event_schema_changed'
  | 'handle_unknown'
  | 'spawn_failed'
  | 'fanout_exceeded'
  | 'result_invalid'
  | 'result_missing'
  | 'cancelled'
  | 'fork_dropped';

export interface FailureDetail {
  /** JSON Pointer into the plan node. */
  readonly at?: string | undefined;
  readonly reason?: string | undefined;
  /** Step id. */
  readonly step?: string | undefined;
}

/** `sys/PlanError@1` as data. No data value ever appears in it, so replay gives the same bytes. */
export function planErrorData(
  code: PlanFailureCode,
  detail: FailureDetail,
): { code: string; message: string; details: string | null } {
  const members: [string, string | undefined][] = [
    ['at', detail.at],
    ['reason', detail.reason],
    ['step', detail.step],
  ];
  const given = members.filter(([, value]) => value !== undefined);
  return {
    code,
    message: detail.reason === undefined ? code : `${code}: ${detail.reason}`,
    details:
      given.length === 0 ? null : `{${given.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join(',')}}`,
  };
}

export function endWithFailure(
  state: WorldState,
  turn: Turn,
  instance: Instance,
  code: PlanFailureCode,
  detail: FailureDetail,
): void {
  const error = planErrorData(code, detail);
  const resultRef = turn.store(encode(error));
  retire(state, turn, instance);
  const endedSeq = turn.append({
    record_kind: 'plan_ended',
    plan_name: instance.name,
    plan_id: instance.id,
    status: 'error',
    error_code: code,
    step_id: detail.step,
    message: error.message,
    result_ref: resultRef,
    started_seq: instance.startedSeq,
    correlation: instance.correlation,
    cause: instance.cause,
  });
  deliverOutcome(state, turn, instance, { status: 'error', ...error }, endedSeq);
}

/** @param result - the plan's output and its canonical bytes, when it declares one. */
export function endOk(
  state: WorldState,
  turn: Turn,
  instance: Instance,
  result: { readonly schema: string; readonly value: Value; readonly valueCbor: Uint8Array } | undefined,
): void {
  retire(state, turn, instance);
  const endedSeq = turn.append({
    record_kind: 'plan_ended',
    plan_name: instance.name,
    plan_id: instance.id,
    status: 'ok',
    started_seq: instance.startedSeq,
    correlation: instance.correlation,
    cause: instance.cause,
  });
  if (result !== undefined) {
    turn.append({
      record_kind: 'plan_result',
      plan_name: instance.name,
      plan_id: instance.id,
      output_schema: result.schema,
      value_cbor: result.valueCbor,
    });
    state.planResults.push(
      { planName: instance.name, planId: instance.id, outputSchema: result.schema, valueCbor: result.valueCbor },
      turn.undo,
    );
  }
  deliverOutcome(state, turn, instance, { status: 'ok', result: result?.value }, endedSeq);
}

/** The fence: waits and wakes are dropped, open emissions stay, nothing reaches the instance any more. */
function retire(state: WorldState, turn: Turn, instance: Instance): void {
  state.touch(instance, turn.undo);
  for (const wait of instance.eventWaits.values()) state.removeWait(wait, turn.undo);
  if (instance.wakes.length > 0) instance.setWakes(NO_WAKES, turn.undo);
  state.removeInstance(instance, turn.undo);
}
