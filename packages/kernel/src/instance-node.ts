import { type Json, literalFromJson, literalToJson, type PlanDef, type Value } from '@worldline/air';
import { type CborValue, compareUtf8, decode, encode, NESTING_LIMIT } from '@worldline/canon';
import { handleUuid, planWait } from './child.ts';
import { KernelFault } from './fault.ts';
import {
  type BufferedReceipt,
  COMPLETED,
  Instance,
  PENDING,
  SKIPPED,
  STEP_STATE_NAMES,
  type StepState,
  WAITING,
} from './instance.ts';
import type { EffectErrorData, EffectStatus } from './record.ts';

/** Instance nodes of a snapshot (`plans.md` §14, `docs/formats/snapshot.md`). */

function valueMap(map: ReadonlyMap<string, Value>): CborValue {
  const out: Record<string, CborValue> = Object.create(null);
  for (const [name, value] of map) out[name] = literalToJson(value) as CborValue;
  return out;
}

export function encodeInstance(instance: Instance, plan: PlanDef): Uint8Array {
  const byStepId = (a: [number, unknown], b: [number, unknown]) =>
    compareUtf8(plan.steps[a[0]]!.id, plan.steps[b[0]]!.id);
  return encode({
    id: instance.id,
    name: instance.name,
    plan_hash: instance.planHash,
    manifest_hash: instance.manifestHash,
    started_seq: instance.startedSeq,
    parent:
      instance.parent === undefined ? undefined : { plan_id: instance.parent.planId, step_id: instance.parent.stepId },
    correlation: instance.correlation,
    env: {
      input: literalToJson(instance.input) as CborValue,
      vars: valueMap(instance.variables),
      steps: valueMap(instance.stepValues),
    },
    step_states: instance.states.map((state, i) => ({ step_id: plan.steps[i]!.id, state: STEP_STATE_NAMES[state] })),
    effect_handles: [...instance.handles]
      .sort((a, b) => compareUtf8(a[0], b[0]))
      .map(([handle, h]) => ({ handle, emission_seq: h.emissionSeq, intent_hash: h.intentHash })),
    receipt_buffer: [...instance.receipts.values()]
      .sort((a, b) => a.emissionSeq - b.emissionSeq)
      .map((r) => ({
        emission_seq: r.emissionSeq,
        status: r.status,
        payload_cbor: r.payloadCbor,
        error: r.error as CborValue | undefined,
        adapter_id: r.adapterId,
        cost_cents: r.costCents,
      })),
    receipt_waits: [...instance.receiptWaits]
      .sort(byStepId)
      .map(([step, emissionSeq]) => ({ step_id: plan.steps[step]!.id, emission_seq: emissionSeq })),
    event_waits: [...instance.eventWaits.values()]
      .sort((a, b) => a.waitId - b.waitId)
      .map((w) => ({
        wait_id: w.waitId,
        step_id: w.stepId,
        schema: w.schema,
        match: w.match as CborValue | undefined,
      })),
    children: [...instance.children.values()]
      .sort((a, b) => a.planId - b.planId)
      .map((child) => ({
        plan_id: child.planId,
        plan: child.plan,
        step_id: child.stepId,
        outcome: child.outcome === undefined ? undefined : (literalToJson(child.outcome) as CborValue),
      })),
    plan_waits: [...instance.planWaits]
      .sort(byStepId)
      .map(([step, { planIds }]) => ({ step_id: plan.steps[step]!.id, plan_ids: [...planIds] })),
  });
}

interface StoredNode {
  readonly id: number;
  readonly name: string;
  readonly plan_hash: Uint8Array;
  readonly manifest_hash: Uint8Array;
  readonly started_seq: number;
  readonly parent?: { readonly plan_id: number; readonly step_id: string };
  readonly correlation?: Uint8Array;
  readonly env: { readonly input: Json; readonly vars: Record<string, Json>; readonly steps: Record<string, Json> };
  readonly step_states: readonly { readonly step_id: string; readonly state: string }[];
  readonly effect_handles: readonly {
    readonly handle: string;
    readonly emission_seq: number;
    readonly intent_hash: Uint8Array;
  }[];
  readonly receipt_buffer: readonly {
    readonly emission_seq: number;
    readonly status: EffectStatus;
    readonly payload_cbor?: Uint8Array;
    readonly error?: EffectErrorData;
    readonly adapter_id: string;
    readonly cost_cents?: number | bigint;
  }[];
  readonly receipt_waits: readonly { readonly step_id: string; readonly emission_seq: number }[];
  readonly event_waits: readonly {
    readonly wait_id: number;
    readonly step_id: string;
    readonly schema: string;
    readonly match?: { readonly path: string; readonly value: Uint8Array };
  }[];
  readonly children: readonly {
    readonly plan_id: number;
    readonly plan: string;
    readonly step_id: string;
    readonly outcome?: Json;
  }[];
  readonly plan_waits: readonly { readonly step_id: string; readonly plan_ids: readonly number[] }[];
}

/**
 * @param planOf - the pinned definition: by manifest hash and plan name.
 * @throws KernelFault `object.corrupt` when the node is not what `encodeInstance` writes.
 */
export function decodeInstance(
  bytes: Uint8Array,
  planOf: (manifestHash: Uint8Array, name: string) => PlanDef,
): Instance {
  // Literals nest deeper than input may: a value of 128 levels takes up to three for each.
  const decoded = decode(bytes, { maxDepth: NESTING_LIMIT });
  if (!decoded.ok) throw new KernelFault('object.corrupt', `instance node: ${decoded.failure.code}`);
  const node = decoded.value as unknown as StoredNode;
  const plan = planOf(node.manifest_hash, node.name);
  const indexOf = new Map(plan.steps.map((step, i) => [step.id, i]));
  const at = (stepId: string): number => {
    const index = indexOf.get(stepId);
    if (index === undefined) throw new KernelFault('object.corrupt', `instance node names unknown step "${stepId}"`);
    return index;
  };
  const instance = new Instance(
    {
      id: node.id,
      name: node.name,
      planHash: node.plan_hash,
      manifestHash: node.manifest_hash,
      startedSeq: node.started_seq,
      correlation: node.correlation,
      parent: node.parent === undefined ? undefined : { planId: node.parent.plan_id, stepId: node.parent.step_id },
    },
    literalFromJson(node.env.input),
    plan,
  );
  for (const [name, json] of Object.entries(node.env.vars)) instance.bind(name, literalFromJson(json));
  for (const [id, json] of Object.entries(node.env.steps)) instance.setStepValue(id, literalFromJson(json));
  node.step_states.forEach(({ step_id, state }) => {
    instance.states[at(step_id)] = stateOf(state);
  });
  for (const h of node.effect_handles)
    instance.setHandle(h.handle, { emissionSeq: h.emission_seq, intentHash: h.intent_hash });
  for (const r of node.receipt_buffer) instance.addReceipt(receiptOf(r));
  for (const w of node.receipt_waits) instance.addReceiptWait(at(w.step_id), w.emission_seq);
  for (const w of node.event_waits) {
    instance.addEventWait(at(w.step_id), {
      waitId: w.wait_id,
      planId: node.id,
      stepId: w.step_id,
      schema: w.schema,
      match: w.match,
    });
  }
  for (const child of node.children) {
    instance.setChild({
      planId: child.plan_id,
      plan: child.plan,
      stepId: child.step_id,
      uuid: handleUuid(child.plan_id),
      outcome: child.outcome === undefined ? undefined : literalFromJson(child.outcome),
    });
  }
  for (const wait of node.plan_waits)
    instance.addPlanWait(at(wait.step_id), planWait(instance.children, wait.plan_ids));
  return instance;
}

function receiptOf(r: StoredNode['receipt_buffer'][number]): BufferedReceipt {
  return {
    emissionSeq: r.emission_seq,
    status: r.status,
    payloadCbor: r.payload_cbor,
    error: r.error,
    adapterId: r.adapter_id,
    costCents: r.cost_cents === undefined ? undefined : BigInt(r.cost_cents),
  };
}

function stateOf(name: string): StepState {
  switch (name) {
    case 'pending':
      return PENDING;
    case 'waiting':
      return WAITING;
    case 'completed':
      return COMPLETED;
    case 'skipped':
      return SKIPPED;
    default:
      throw new KernelFault('object.corrupt', `instance node has step state "${name}"`);
  }
}
