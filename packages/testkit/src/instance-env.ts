import { type Env, normalizeCbor, type ReceiptView, type Type, type Value } from '@worldline/air';
import { encode } from '@worldline/canon';
import type { Instance, Kernel } from '@worldline/kernel';

/** What the expressions of a parked instance read, with an event at hand: the same as the kernel would give them. */
export function instanceEnv(kernel: Kernel, instance: Instance, event: Value | undefined): Env {
  const { catalog } = kernel;
  const kindOf = (emissionSeq: number): string | undefined => {
    const plan = catalog.plans.get(instance.name)?.def;
    for (const step of plan?.steps ?? []) {
      if (step.op !== 'emit_effect') continue;
      if (instance.handles.get(step.effectIdAs)?.emissionSeq === emissionSeq) return step.kind;
    }
    return undefined;
  };
  return {
    input: () => instance.input,
    variable: (name) => instance.variables.get(name),
    step: (id) => instance.stepValues.get(id),
    event: () => event,
    receipt: (emissionSeq): ReceiptView | undefined => {
      const receipt = instance.receipts.get(emissionSeq);
      const effect = catalog.effects.get(kindOf(emissionSeq) ?? '')?.def;
      if (receipt === undefined || effect === undefined) return undefined;
      const { payloadCbor, error } = receipt;
      const payload: Type = { kind: 'ref', name: effect.receiptSchema };
      const errorType: Type = { kind: 'ref', name: 'sys/EffectError@1' };
      const read = (bytes: Uint8Array, type: Type): Value | undefined => {
        const value = normalizeCbor(bytes, type, catalog.scope);
        return value.ok ? value.value.value : undefined;
      };
      return {
        status: receipt.status,
        payload: payloadCbor === undefined ? undefined : read(payloadCbor, payload),
        adapterId: receipt.adapterId,
        costCents: receipt.costCents,
        error: error === undefined ? undefined : read(encode({ ...error }), errorType),
      };
    },
  };
}
