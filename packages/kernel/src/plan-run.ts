import {
  boundName,
  type Catalog,
  CORRELATION_ID,
  conform,
  type Expr,
  encodeValue,
  evaluate,
  evaluateSlot,
  FANOUT_MAX,
  hash as hashValue,
  isData,
  isStorable,
  type PlanDef,
  type Slot,
  type Step,
  type Type,
  text,
  type Value,
} from '@worldline/air';
import { bytesEqual, hashText, parseHashText, pointer } from '@worldline/canon';
import { type Child, ChildHandles, handleUuid, outcomesOf, planHandle, planWait } from './child.ts';
import { InstanceEnv } from './env.ts';
import { admit, admitsPlans, paramsTypeOf } from './gate.ts';
import {
  COMPLETED,
  type Instance,
  makeSchedule,
  NO_WAKES,
  READY,
  type Schedule,
  SKIPPED,
  WAITING,
} from './instance.ts';
import { endOk, endWithFailure, type FailureDetail, type PlanFailureCode } from './plan-end.ts';
import type { PlanProgram } from './program.ts';
import { publish, startInstance } from './publish.ts';
import { RESERVED_SCHEMAS } from './reserved.ts';
import type { WorldState } from './state.ts';
import type { Turn } from './turn.ts';
import type { Wait } from './wait-index.ts';

/** Runs one instance until it parks or ends (`plans.md` §6.2). */
export function runInstance(state: WorldState, turn: Turn, instance: Instance): void {
  new PlanRun(state, turn, instance).run();
}

/** Thrown inside a run when a step has ended the instance; never leaves this file. */
const ENDED = Symbol('ended');

type EmitStep = Extract<Step, { op: 'emit_effect' }>;
type AwaitChildStep = Extract<Step, { op: 'await_plan' | 'await_plans_all' }>;

class PlanRun {
  readonly #state: WorldState;
  readonly #turn: Turn;
  readonly #instance: Instance;
  readonly #plan: PlanDef;
  readonly #program: PlanProgram;
  /** Of the manifest the instance pins. */
  readonly #pinned: Catalog;
  readonly #env: InstanceEnv;
  readonly #schedule: Schedule;

  constructor(state: WorldState, turn: Turn, instance: Instance) {
    this.#state = state;
    this.#turn = turn;
    this.#instance = instance;
    const definition = state.definitionOf(instance);
    this.#pinned = definition.catalog;
    this.#plan = definition.plan;
    this.#program = definition.program;
    this.#env = new InstanceEnv(instance, definition);
    state.touch(instance, turn.undo);
    instance.beginRun(turn.undo);
    instance.schedule ??= makeSchedule(this.#program, instance.states);
    this.#schedule = instance.schedule;
  }

  run(): void {
    try {
      this.#loop();
      // A receipt is mostly there soon; an event may be far away, and there may be a hundred thousand who wait for one.
      if (this.#instance.receiptWaits.size === 0) this.#instance.schedule = undefined;
    } catch (signal) {
      if (signal !== ENDED) throw signal;
    }
  }

  #loop(): void {
    for (;;) {
      this.#decideAll();
      const { ready } = this.#schedule;
      if (ready.size > 0) {
        if (!this.#execEmits()) this.#exec(ready.next(-1));
        continue;
      }
      const wake = this.#instance.wakes[0];
      if (wake !== undefined) {
        const { wakes } = this.#instance;
        this.#instance.setWakes(wakes.length === 1 ? NO_WAKES : wakes.slice(1), this.#turn.undo);
        this.#instance.cause = wake.cause;
        this.#complete(wake.step, wake.value);
        continue;
      }
      if (this.#schedule.unsettled === 0) this.#finish();
      return;
    }
  }

  /** Runs the ready `emit_effect` steps, in order. @returns whether there was one. */
  #execEmits(): boolean {
    const { steps } = this.#plan;
    const { ready } = this.#schedule;
    let isOne = false;
    // What these unblock is decided later, so the set only loses what was run.
    for (let i = ready.next(-1); i >= 0; i = ready.next(i)) {
      if (steps[i]!.op !== 'emit_effect') continue;
      isOne = true;
      this.#exec(i);
    }
    return isOne;
  }

  // Deciding (§6.1): in declaration order, again and again until nothing changes; each decision is latched.

  #decideAll(): void {
    const { decidable } = this.#schedule;
    for (let step = decidable.next(-1); step >= 0; ) {
      decidable.delete(step);
      this.#decide(step);
      step = decidable.next(step);
      if (step < 0) step = decidable.next(-1);
    }
  }

  #decide(step: number): void {
    const incoming = this.#program.incoming[step]!;
    let live = incoming.length === 0;
    for (const { edge, from, when } of incoming) {
      if (this.#instance.states[from] !== COMPLETED) continue;
      if (when === undefined) live = true;
      else if (this.#guard(when, edge, step)) live = true;
    }
    if (live) {
      this.#instance.setState(step, READY, this.#turn.undo);
      this.#schedule.ready.add(step);
    } else {
      this.#settle(step, SKIPPED);
    }
  }

  #guard(when: Expr, edge: number, step: number): boolean {
    const verdict = evaluate(when, this.#env);
    if (verdict.ok && verdict.value.kind === 'bool') return verdict.value.value;
    return this.#fail('expr_error', {
      at: pointer(['edges', edge, 'when', ...(verdict.ok ? [] : verdict.failure.path)]),
      reason: verdict.ok ? 'type_mismatch' : verdict.failure.code,
      step: this.#plan.steps[step]!.id,
    });
  }

  #settle(step: number, state: typeof COMPLETED | typeof SKIPPED): void {
    this.#instance.setState(step, state, this.#turn.undo);
    const schedule = this.#schedule;
    schedule.ready.delete(step);
    schedule.unsettled--;
    for (const next of this.#program.successors[step]!) {
      const left = schedule.remaining[next]! - 1;
      schedule.remaining[next] = left;
      if (left === 0) schedule.decidable.add(next);
    }
  }

  // Executing one ready step (§3.1)

  #exec(i: number): void {
    const step = this.#plan.steps[i]!;
    switch (step.op) {
      case 'assign':
        return this.#assign(i, step);
      case 'emit_effect':
        return this.#emit(i, step);
      case 'await_receipt':
        return this.#awaitReceipt(i, step);
      case 'await_event':
        return this.#awaitEvent(i, step);
      case 'raise_event':
        return this.#raise(i, step);
      case 'end':
        return this.#end(i, step);
      case 'spawn_plan':
        return this.#spawnPlan(i, step);
      case 'await_plan':
        return this.#awaitPlan(i, step);
      case 'spawn_for_each':
        return this.#spawnForEach(i, step);
      case 'await_plans_all':
        return this.#awaitPlansAll(i, step);
      default:
        return step satisfies never;
    }
  }

  #assign(i: number, step: Extract<Step, { op: 'assign' }>): void {
    const value = this.#slot(i, 'expr', step.expr);
    const local = this.#plan.locals.get(step.as);
    if (local === undefined) return this.#complete(i, value);
    const fitted = conform(value, ref(local), this.#pinned.scope, local);
    if (!fitted.ok) this.#failAt(i, 'expr_error', 'expr', 'conversion');
    if (!isStorable(fitted.value)) this.#failAt(i, 'expr_error', 'expr', 'value_too_large');
    this.#complete(i, fitted.value);
  }

  #emit(i: number, step: EmitStep): void {
    const evaluated = this.#slot(i, 'params', step.params);
    const keyValue =
      step.idempotencyKey === undefined ? undefined : this.#slot(i, 'idempotency_key', step.idempotencyKey);
    const effect = this.#state.catalog.effects.get(step.kind)?.def;
    if (effect === undefined) this.#failAt(i, 'effect_invalid', 'kind', 'effect.kind_unsupported');
    if (!admitsPlans(effect)) this.#failAt(i, 'effect_invalid', 'kind', 'effect.origin_denied');
    const paramsType = paramsTypeOf(this.#pinned, step.kind);
    const params = conform(evaluated, paramsType.type, paramsType.scope, paramsType.type.name);
    if (!params.ok) this.#failAt(i, 'effect_invalid', 'params', params.failure[0]!.code);
    const idempotencyKey = keyValue === undefined ? undefined : keyBytes(keyValue);
    if (idempotencyKey === null) this.#failAt(i, 'effect_invalid', 'idempotency_key', 'idempotency.invalid');

    const admission = admit(this.#state, this.#turn, effect, {
      kind: step.kind,
      params: params.value,
      paramsType,
      cap: step.cap,
      idempotencyKey,
      origin: { origin_kind: 'plan', name: this.#plan.name, plan_id: this.#instance.id, step_id: step.id },
      cause: this.#instance.cause,
    });
    if (!admission.ok) {
      const { code, reason } = admission.denial;
      if (code === 'policy_denied') return this.#fail(code, { at: pointer(['steps', i]), reason, step: step.id });
      this.#failAt(i, code, code === 'cap_denied' ? 'cap' : 'params', reason);
    }
    const { emissionSeq, intentHash } = admission;
    this.#instance.setHandle(step.effectIdAs, { emissionSeq, intentHash }, this.#turn.undo);
    const handle: Value = { kind: 'handle', emissionSeq };
    this.#complete(i, new EmittedValue(handle, params.value, intentHash), handle);
  }

  #awaitReceipt(i: number, step: Extract<Step, { op: 'await_receipt' }>): void {
    const handle = this.#instance.handles.get(step.handle);
    if (handle === undefined) return this.#fail('handle_unknown', { at: pointer(['steps', i, 'for']), step: step.id });
    if (this.#instance.receipts.has(handle.emissionSeq)) {
      return this.#complete(i, { kind: 'receipt', emissionSeq: handle.emissionSeq });
    }
    this.#wait(i);
    this.#instance.addReceiptWait(i, handle.emissionSeq, this.#turn.undo);
  }

  #awaitEvent(i: number, step: Extract<Step, { op: 'await_event' }>): void {
    const wait = this.#program.waits.get(i)!;
    for (const { ref: root, path } of wait.roots) {
      const bound = root.root === 'var' ? this.#env.variable(root.name!) : this.#env.step(root.name!);
      if (bound === undefined) {
        return this.#fail('expr_error', {
          at: pointer(['steps', i, 'where', ...path]),
          reason: 'missing_ref',
          step: step.id,
        });
      }
    }
    const waitId = this.#state.nextWaitId;
    this.#turn.undo.assign(this.#state, 'nextWaitId', waitId + 1);
    const entry: Wait = {
      waitId,
      planId: this.#instance.id,
      stepId: step.id,
      schema: step.event,
      match: this.#match(i),
    };
    this.#wait(i);
    this.#instance.addEventWait(i, entry, this.#turn.undo);
    this.#state.addWait(entry, this.#turn.undo);
  }

  /** The field and the fixed value that an index may compare (`kernel.md` §6.5). */
  #match(i: number): Wait['match'] {
    const candidate = this.#program.waits.get(i)!.match;
    if (candidate === undefined) return undefined;
    // A local given at the start may still be bound by its step while the wait is open; then its value is not fixed.
    const states = this.#instance.states;
    if (candidate.binders.some((b) => states[b] !== COMPLETED && states[b] !== SKIPPED)) return undefined;
    const value = evaluate(candidate.value, this.#env);
    if (!value.ok || !isData(value.value)) return undefined;
    return { path: candidate.path.join('.'), value: encodeValue(value.value) };
  }

  #wait(i: number): void {
    this.#instance.setState(i, WAITING, this.#turn.undo);
    this.#schedule.ready.delete(i);
  }

  #raise(i: number, step: Extract<Step, { op: 'raise_event' }>): void {
    const evaluated = this.#slot(i, 'value', step.value);
    const fitted = conform(evaluated, ref(step.event), this.#pinned.scope, step.event);
    if (!fitted.ok) this.#failAt(i, 'event_invalid', 'value', fitted.failure[0]!.code);
    const valueCbor = encodeValue(fitted.value);
    if (valueCbor.length > this.#state.config.limits.max_event_bytes)
      this.#failAt(i, 'event_invalid', 'value', 'too_large');
    if (RESERVED_SCHEMAS.has(step.event)) this.#failAt(i, 'event_invalid', 'value', 'schema.reserved');
    const pinned = this.#pinned.schemas.get(step.event)!.hash;
    const active = this.#state.catalog.schemas.get(step.event)?.hash;
    if (active === undefined || !bytesEqual(pinned, active)) {
      return this.#fail('event_schema_changed', { at: pointer(['steps', i, 'event']), step: step.id });
    }
    publish(
      this.#state,
      this.#turn,
      { schema: step.event, valueCbor, value: fitted.value },
      { origin: 'plan', origin_name: this.#plan.name, plan_id: this.#instance.id, cause: this.#instance.cause },
    );
    this.#complete(i, {
      kind: 'record',
      fields: new Map([
        ['value', fitted.value],
        ['schema', text(step.event)],
      ]),
    });
  }

  // Children (§12)

  #spawnPlan(i: number, step: Extract<Step, { op: 'spawn_plan' }>): void {
    const input = this.#childInput(step.plan, this.#slot(i, 'input', step.input));
    if (typeof input === 'string') this.#failAt(i, 'spawn_failed', 'input', input);
    this.#complete(i, this.#spawn(step.id, step.plan, input));
  }

  /** All children or none: every input is checked before the first id is given. */
  #spawnForEach(i: number, step: Extract<Step, { op: 'spawn_for_each' }>): void {
    const evaluated = this.#slot(i, 'inputs', step.inputs);
    if (evaluated.kind !== 'list') this.#failAt(i, 'spawn_failed', 'inputs', 'value.type_mismatch');
    if (evaluated.items.length > Math.min(step.maxFanout ?? FANOUT_MAX, FANOUT_MAX)) {
      return this.#fail('fanout_exceeded', { at: pointer(['steps', i, 'inputs']), step: step.id });
    }
    const inputs = evaluated.items.map((item, n) => {
      const input = this.#childInput(step.plan, item);
      if (typeof input !== 'string') return input;
      return this.#fail('spawn_failed', { at: pointer(['steps', i, 'inputs', n]), reason: input, step: step.id });
    });
    this.#complete(i, { kind: 'list', items: inputs.map((input) => this.#spawn(step.id, step.plan, input)) });
  }

  /** The value as the child's input; the code of what is wrong when it is none. */
  #childInput(plan: string, value: Value): Value | string {
    const schema = this.#pinned.plans.get(plan)!.def.input;
    const fitted = conform(value, ref(schema), this.#pinned.scope, schema);
    if (!fitted.ok) return fitted.failure[0]!.code;
    return isStorable(fitted.value) ? fitted.value : 'value_too_large';
  }

  /** Starts one child under this instance's own pin. @returns its handle. */
  #spawn(stepId: string, plan: string, input: Value): Value {
    const planId = startInstance(this.#state, this.#turn, {
      plan,
      catalog: this.#pinned,
      parent: { planId: this.#instance.id, stepId },
      cause: this.#instance.cause,
      input,
      correlation: this.#env.variable(CORRELATION_ID),
    });
    const child: Child = { planId, plan, stepId, uuid: handleUuid(planId) };
    this.#instance.setChild(child, this.#turn.undo);
    return planHandle(child);
  }

  #awaitPlan(i: number, step: Extract<Step, { op: 'await_plan' }>): void {
    this.#awaitChildren(i, step, [this.#handle(i, step, step.for)]);
  }

  #awaitPlansAll(i: number, step: Extract<Step, { op: 'await_plans_all' }>): void {
    const { handles } = step;
    if (handles.form === 'list') {
      return this.#awaitChildren(
        i,
        step,
        handles.items.map((one) => this.#handle(i, step, one)),
      );
    }
    const list = this.#handle(i, step, handles);
    if (list.kind !== 'list') return this.#handleUnknown(i, step);
    this.#awaitChildren(i, step, list.items);
  }

  /** What a handle reference yields; `@step:<spawn>.<handle_as>` is another way to write `@step:<spawn>` (§3). */
  #handle(i: number, step: AwaitChildStep, expr: Expr): Value {
    const value =
      expr.form !== 'ref'
        ? undefined
        : expr.root === 'var'
          ? this.#env.variable(expr.name!)
          : this.#env.step(expr.name!);
    return value ?? this.#handleUnknown(i, step);
  }

  #awaitChildren(i: number, step: AwaitChildStep, handles: readonly Value[]): void {
    const known = new ChildHandles(this.#instance);
    const planIds = handles.map((handle) => known.planIdOf(handle) ?? this.#handleUnknown(i, step));
    const wait = planWait(this.#instance.children, planIds);
    if (wait.open.size === 0) {
      return this.#complete(i, outcomesOf(this.#instance, planIds, step.op === 'await_plans_all'));
    }
    this.#wait(i);
    this.#instance.addPlanWait(i, wait, this.#turn.undo);
  }

  #handleUnknown(i: number, step: AwaitChildStep): never {
    const member = step.op === 'await_plan' ? 'for' : 'handles';
    return this.#fail('handle_unknown', { at: pointer(['steps', i, member]), step: step.id });
  }

  #end(i: number, step: Extract<Step, { op: 'end' }>): void {
    let result: { schema: string; value: Value; valueCbor: Uint8Array } | undefined;
    let value: Value = { kind: 'null' };
    if (step.result !== undefined) {
      const schema = this.#plan.output!;
      const evaluated = this.#slot(i, 'result', step.result);
      const fitted = conform(evaluated, ref(schema), this.#pinned.scope, schema);
      if (!fitted.ok) this.#failAt(i, 'result_invalid', 'result', fitted.failure[0]!.code);
      value = fitted.value;
      result = { schema, value, valueCbor: encodeValue(value) };
    }
    this.#complete(i, value);
    endOk(this.#state, this.#turn, this.#instance, result);
    throw ENDED;
  }

  /** All steps are settled and no `end` ran (§8). */
  #finish(): void {
    this.#checkInvariants(undefined);
    if (this.#program.hasOutput) return this.#fail('result_missing', {});
    endOk(this.#state, this.#turn, this.#instance, undefined);
    throw ENDED;
  }

  // Completing (§6.2)

  /** @param bound - what the step's variable gets when that is not the step value. */
  #complete(i: number, value: Value, bound: Value = value): void {
    const step = this.#plan.steps[i]!;
    const name = boundName(step);
    const { undo } = this.#turn;
    if (name !== undefined) this.#instance.bind(name, bound, undo);
    this.#instance.setStepValue(step.id, value, undo);
    this.#settle(i, COMPLETED);
    if (this.#program.invariants.length > 0) this.#checkInvariants(step.id);
  }

  #checkInvariants(step: string | undefined): void {
    this.#program.invariants.forEach((invariant, k) => {
      const applicable =
        invariant.variables.every((name) => this.#instance.variables.has(name)) &&
        invariant.steps.every((s) => this.#instance.states[s] === COMPLETED);
      if (!applicable) return;
      const verdict = evaluate(invariant.expr, this.#env);
      if (verdict.ok && verdict.value.kind === 'bool' && verdict.value.value) return;
      const failed = !verdict.ok
        ? verdict.failure
        : verdict.value.kind === 'bool'
          ? undefined
          : { code: 'type_mismatch', path: [] };
      this.#fail('invariant_violation', {
        at: pointer(['invariants', k, ...(failed?.path ?? [])]),
        reason: failed === undefined ? `invariants/${k}` : `invariants/${k}: ${failed.code}`,
        step,
      });
    });
  }

  // Failing (§10): ends the instance at once

  #slot(i: number, member: string, slot: Slot): Value {
    const value = evaluateSlot(slot, this.#env);
    if (value.ok) return value.value;
    return this.#fail('expr_error', {
      at: pointer(['steps', i, member, ...value.failure.path]),
      reason: value.failure.code,
      step: this.#plan.steps[i]!.id,
    });
  }

  #failAt(i: number, code: PlanFailureCode, member: string, reason: string): never {
    return this.#fail(code, { at: pointer(['steps', i, member]), reason, step: this.#plan.steps[i]!.id });
  }

  #fail(code: PlanFailureCode, detail: FailureDetail): never {
    endWithFailure(this.#state, this.#turn, this.#instance, code, detail);
    throw ENDED;
  }
}

/**
 * Value of an `emit_effect` step: `{handle, params, intent_hash}` (`plans.md` §3). Few plans read it, so the record is
 * made when somebody does.
 */
class EmittedValue {
  readonly kind = 'record';
  readonly #handle: Value;
  readonly #params: Value;
  readonly #intentHash: Uint8Array;
  #fields: ReadonlyMap<string, Value> | undefined;

  constructor(handle: Value, params: Value, intentHash: Uint8Array) {
    this.#handle = handle;
    this.#params = params;
    this.#intentHash = intentHash;
  }

  /** In canonical key order. */
  get fields(): ReadonlyMap<string, Value> {
    this.#fields ??= new Map([
      ['handle', this.#handle],
      ['params', this.#params],
      ['intent_hash', hashValue(hashText(this.#intentHash))],
    ]);
    return this.#fields;
  }
}

function ref(name: string): Type {
  return { kind: 'ref', name };
}

/** The 32 bytes of an idempotency key (`values.md` §8); null when the value is none. */
function keyBytes(value: Value): Uint8Array | null {
  if (value.kind === 'bytes') return value.value.length === 32 ? value.value : null;
  if (value.kind === 'hash' || value.kind === 'text') return parseHashText(value.value) ?? null;
  return null;
}
