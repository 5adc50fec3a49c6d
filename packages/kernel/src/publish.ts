import {
  bytes as bytesValue,
  type Catalog,
  conform,
  type Env,
  encodeValue,
  evaluate,
  evaluatePath,
  evaluateSlot,
  normalizeCbor,
  type Trigger,
  type Value,
} from '@worldline/air';
import { bytesEqual, CborWriter, compareUtf8, encodedText, sha256 } from '@worldline/canon';
import { InstanceEnv } from './env.ts';
import { KernelFault } from './fault.ts';
import { Instance, type ParentLink } from './instance.ts';
import { endWithFailure } from './plan-end.ts';
import type { DomainEvent } from './record.ts';
import type { WorldState } from './state.ts';
import type { Turn } from './turn.ts';

/** Publication of events and starts of instances (`kernel.md` §6.3, `plans.md` §11). */

export interface PublishedEvent {
  readonly schema: string;
  /** Canonical, with prefix. */
  readonly valueCbor: Uint8Array;
  readonly key?: Uint8Array | undefined;
  /** Decoded value and event hash, when the caller has them. */
  readonly value?: Value | undefined;
  readonly hash?: Uint8Array | undefined;
}

export type EventOrigin = Pick<DomainEvent, 'origin' | 'ingress_id' | 'origin_name' | 'plan_id' | 'source' | 'cause'>;

export const NO_ENV: Env = {
  input: () => undefined,
  variable: () => undefined,
  step: () => undefined,
  event: () => undefined,
  receipt: () => undefined,
};

const hashed = new CborWriter();
const KEY = encodedText('key');
const VALUE = encodedText('value');
const SCHEMA = encodedText('schema');

/** `H({schema, value, key?})` (`kernel.md` §4). */
export function eventHash(event: {
  readonly schema: string;
  readonly valueCbor: Uint8Array;
  readonly key?: Uint8Array | undefined;
}): Uint8Array {
  const { key } = event;
  hashed.clear();
  hashed.prefix();
  hashed.map(key === undefined ? 2 : 3);
  if (key !== undefined) {
    hashed.raw(KEY);
    hashed.bytes(key);
  }
  hashed.raw(VALUE);
  hashed.bytes(event.valueCbor);
  hashed.raw(SCHEMA);
  hashed.text(event.schema);
  return sha256(hashed.peek());
}

/** Appends the `domain_event`, then hands it to waits and triggers. @returns its seq. */
export function publish(state: WorldState, turn: Turn, event: PublishedEvent, origin: EventOrigin): number {
  const hash = event.hash ?? eventHash(event);
  const seq = turn.append({
    record_kind: 'domain_event',
    schema: event.schema,
    value: event.valueCbor,
    key: event.key,
    event_hash: hash,
    ...origin,
  });
  const triggers = triggersOn(state, event.schema);
  if (triggers.length === 0 && !state.waits.hasSchema(event.schema)) return seq;
  const value = event.value ?? decodeEvent(state, event);
  wakeWaiters(state, turn, event.schema, value, seq);
  for (const trigger of triggers) fire(state, turn, trigger, event, value, seq);
  return seq;
}

function decodeEvent(state: WorldState, event: PublishedEvent): Value {
  const read = normalizeCbor(event.valueCbor, { kind: 'ref', name: event.schema }, state.catalog.scope, event.schema);
  if (!read.ok) throw new KernelFault('state.impossible', `a canonical ${event.schema} does not decode`);
  return read.value.value;
}

function wakeWaiters(state: WorldState, turn: Turn, schema: string, event: Value, seq: number): void {
  const valueAt = (path: string): Uint8Array | undefined => {
    const at = evaluatePath(event, path.split('.'));
    return at.ok ? encodeValue(at.value) : undefined;
  };
  const active = state.catalog.schemas.get(schema)!.hash;
  for (const wait of state.waits.candidates(schema, valueAt)) {
    const instance = state.instance(wait.planId);
    if (instance === undefined) throw new KernelFault('state.impossible', `wait ${wait.waitId} has no instance`);
    const definition = state.definitionOf(instance);
    const pinned = definition.catalog;
    // Delivery is by pinned schema: another definition under the same name is another event (`plans.md` §7.2).
    if (!bytesEqual(pinned.schemas.get(schema)!.hash, active)) {
      turn.unseen ??= [];
      turn.unseen.push({ planId: wait.planId, stepId: wait.stepId, schema });
      continue;
    }
    const position = definition.program.positions.get(wait.stepId);
    const step = position === undefined ? undefined : definition.plan.steps[position];
    if (position === undefined || step?.op !== 'await_event')
      throw new KernelFault('state.impossible', `wait ${wait.waitId} names no await_event`);
    if (step.where !== undefined) {
      const verdict = evaluate(step.where, new InstanceEnv(instance, definition, event));
      // An error means no match: a foreign event can never end a plan (`expressions.md` §10).
      if (!verdict.ok || verdict.value.kind !== 'bool' || !verdict.value.value) continue;
    }
    state.touch(instance, turn.undo);
    state.removeWait(wait, turn.undo);
    instance.removeEventWait(position, turn.undo);
    instance.setWakes([...instance.wakes, { step: position, value: event, cause: seq }], turn.undo);
    turn.enqueue(instance.id);
  }
}

const sortedTriggers = new WeakMap<readonly Trigger[], ReadonlyMap<string, readonly Trigger[]>>();

/** By plan Name, ties in manifest order. */
function triggersOn(state: WorldState, schema: string): readonly Trigger[] {
  let bySchema = sortedTriggers.get(state.catalog.triggers);
  if (bySchema === undefined) {
    const map = new Map<string, Trigger[]>();
    for (const trigger of state.catalog.triggers) map.set(trigger.event, [...(map.get(trigger.event) ?? []), trigger]);
    for (const list of map.values()) list.sort((a, b) => compareUtf8(a.plan, b.plan));
    bySchema = map;
    sortedTriggers.set(state.catalog.triggers, bySchema);
  }
  return bySchema.get(schema) ?? [];
}

function fire(state: WorldState, turn: Turn, trigger: Trigger, event: PublishedEvent, value: Value, seq: number): void {
  const env: Env = { ...NO_ENV, event: () => value };
  if (trigger.when !== undefined) {
    const verdict = evaluate(trigger.when, env);
    if (!verdict.ok || verdict.value.kind !== 'bool' || !verdict.value.value) return;
  }
  const plan = state.catalog.plans.get(trigger.plan)!;
  const input = triggerInput(state, trigger, env, value, plan.def.input);
  const correlation = triggerCorrelation(trigger, event, value);
  const failure = !input.ok ? input.failure : correlation === 'absent' ? 'value.missing_field' : undefined;
  startInstance(state, turn, {
    plan: trigger.plan,
    cause: seq,
    input: input.ok ? input.value : undefined,
    eventValueHash: input.ok ? undefined : sha256(event.valueCbor),
    correlation: correlation === 'absent' ? undefined : correlation,
    failure,
  });
}

function triggerInput(
  state: WorldState,
  trigger: Trigger,
  env: Env,
  value: Value,
  schema: string,
): { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly failure: string } {
  let input = value;
  if (trigger.inputExpr !== undefined) {
    const evaluated = evaluateSlot(trigger.inputExpr, env);
    if (!evaluated.ok) return { ok: false, failure: evaluated.failure.code };
    input = evaluated.value;
  }
  const fitted = conform(input, { kind: 'ref', name: schema }, state.catalog.scope, schema);
  return fitted.ok ? { ok: true, value: fitted.value } : { ok: false, failure: fitted.failure[0]!.code };
}

/** The value bound as `@var:correlation_id`; `absent` when a declared path leads nowhere. */
function triggerCorrelation(trigger: Trigger, event: PublishedEvent, value: Value): Value | 'absent' | undefined {
  if (trigger.correlateBy === undefined) return event.key === undefined ? undefined : bytesValue(event.key);
  const at = evaluatePath(value, trigger.correlateBy);
  return at.ok && at.value.kind !== 'null' ? at.value : 'absent';
}

export interface Start {
  readonly plan: string;
  /** Where the plan is defined and what the instance pins: the active manifest, for a child that of its parent. */
  readonly catalog?: Catalog | undefined;
  readonly parent?: ParentLink | undefined;
  readonly cause: number;
  /** Conforms to the plan's input schema; absent when it does not, then `failure` says why. */
  readonly input: Value | undefined;
  /** In place of the hash of an input that is absent. */
  readonly eventValueHash?: Uint8Array | undefined;
  readonly correlation: Value | undefined;
  readonly bindLocals?: ReadonlyMap<string, Value> | undefined;
  /** The instance ends at once with `input_invalid` for this reason (`plans.md` §5). */
  readonly failure?: string | undefined;
}

/** Appends `plan_started` and queues the instance. @returns its plan id. */
export function startInstance(state: WorldState, turn: Turn, start: Start): number {
  const { manifestHash, plans } = start.catalog ?? state.catalog;
  const { def, hash } = plans.get(start.plan)!;
  const id = state.nextPlanId;
  turn.undo.assign(state, 'nextPlanId', id + 1);
  const correlation = start.correlation === undefined ? undefined : encodeValue(start.correlation);
  const startedSeq = turn.append({
    record_kind: 'plan_started',
    plan_name: def.name,
    plan_id: id,
    manifest_hash: manifestHash,
    input_hash: start.input === undefined ? start.eventValueHash! : sha256(encodeValue(start.input)),
    correlation,
    parent_instance_id: start.parent?.planId,
    parent_step_id: start.parent?.stepId,
    cause: start.cause,
  });
  const instance = new Instance(
    { id, name: def.name, planHash: hash, manifestHash, startedSeq, correlation, parent: start.parent },
    start.input ?? { kind: 'null' },
    def,
  );
  instance.cause = start.cause;
  if (start.correlation !== undefined) instance.bind('correlation_id', start.correlation);
  for (const [name, value] of start.bindLocals ?? []) instance.bind(name, value);
  state.addInstance(instance, turn.undo);
  if (start.failure !== undefined) endWithFailure(state, turn, instance, 'input_invalid', { reason: start.failure });
  else turn.enqueue(id);
  return id;
}
