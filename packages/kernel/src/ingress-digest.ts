import { type CborValue, hashOf } from '@worldline/canon';
import type { Ingress } from './ingress.ts';

/**
 * Identity of what an ingress says (`kernel.md` §3 rule 2): kind and fields, never `ingress_id`, inbox position,
 * time or verdict.
 */
export function ingressDigest(ingress: Ingress): Uint8Array {
  return hashOf(digested(ingress));
}

function digested(ingress: Ingress): CborValue {
  switch (ingress.kind) {
    case 'event':
      return { kind: 'event', schema: ingress.schema, value: ingress.value, key: ingress.key };
    case 'inbox':
      return { kind: 'inbox', source: ingress.source, schema: ingress.schema, value: ingress.value, key: ingress.key };
    case 'receipt': {
      const r = ingress.receipt;
      return {
        kind: 'receipt',
        intent_hash: r.intentHash,
        emission_seq: r.emissionSeq,
        adapter_id: r.adapterId,
        status: r.status,
        payload_cbor: r.payloadCbor,
        error: r.error as CborValue | undefined,
        cost_cents: r.costCents,
        signature: r.signature,
      };
    }
    case 'timer':
      return { kind: 'timer', emission_seq: ingress.emissionSeq };
    case 'plan_start':
      return {
        kind: 'plan_start',
        plan: ingress.plan,
        input: ingress.input,
        correlation: ingress.correlation,
        bind_locals: ingress.bindLocals,
      };
    case 'control':
      return { kind: 'control', command: ingress.command, ...controlFields(ingress) };
    case 'genesis':
      return { kind: 'genesis', manifest_hash: ingress.manifestHash, config_hash: ingress.configHash };
    case 'snapshot':
      return { kind: 'snapshot', snapshot_ref: ingress.snapshotRef, promote: ingress.promote };
    default:
      return ingress satisfies never;
  }
}

function controlFields(ingress: Extract<Ingress, { kind: 'control' }>): { [field: string]: CborValue } {
  switch (ingress.command) {
    case 'plan_cancel':
      return { plan_id: ingress.planId, reason: ingress.reason, actor: ingress.actor };
    case 'pin':
      return { add: [...ingress.add], remove: [...ingress.remove] };
    case 'manifest':
      return { manifest_hash: ingress.manifestHash };
    case 'config':
      return { config_hash: ingress.configHash };
    default:
      return ingress satisfies never;
  }
}
