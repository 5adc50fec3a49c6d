import { type CborValue, decode, encode } from '@worldline/canon';
import { KernelFault } from './fault.ts';
import type { IntentOrigin } from './record.ts';

export type EmissionClass = 'internal' | 'timer' | 'external';

/** A pending effect (`kernel.md` §9.5). Immutable; coalescing replaces it. */
export interface Emission {
  /** Seq of its `effect_intent`. */
  readonly emissionSeq: number;
  readonly intentHash: Uint8Array;
  readonly kind: string;
  readonly capName: string;
  readonly paramsCbor: Uint8Array;
  readonly idempotencyKey: Uint8Array;
  /** Logical time of its batch, ns. */
  readonly logicalNowNs: bigint;
  readonly origin: IntentOrigin;
  readonly class: EmissionClass;
  /** Emissions coalesced into this one, in order, each by the seq of its own `effect_intent`. */
  readonly waiters: readonly { readonly emissionSeq: number; readonly origin: IntentOrigin }[];
}

export function classOf(kind: string): EmissionClass {
  if (kind === 'timer.set' || kind === 'timer.after') return 'timer';
  const isInternal = kind.startsWith('workspace.') || kind.startsWith('introspect.') || kind.startsWith('governance.');
  return isInternal ? 'internal' : 'external';
}

export function encodeEmission(e: Emission): Uint8Array {
  return encode({
    emission_seq: e.emissionSeq,
    intent_hash: e.intentHash,
    kind: e.kind,
    cap_name: e.capName,
    params_cbor: e.paramsCbor,
    idempotency_key: e.idempotencyKey,
    logical_now_ns: e.logicalNowNs,
    origin: e.origin as unknown as CborValue,
    class: e.class,
    waiters: e.waiters.map((w) => ({ emission_seq: w.emissionSeq, origin: w.origin as unknown as CborValue })),
  });
}

export function decodeEmission(bytes: Uint8Array): Emission {
  const decoded = decode(bytes);
  if (!decoded.ok) throw new KernelFault('object.corrupt', `emission node: ${decoded.failure.code}`);
  const node = decoded.value as unknown as {
    emission_seq: number;
    intent_hash: Uint8Array;
    kind: string;
    cap_name: string;
    params_cbor: Uint8Array;
    idempotency_key: Uint8Array;
    logical_now_ns: number | bigint;
    origin: IntentOrigin;
    class: EmissionClass;
    waiters: { emission_seq: number; origin: IntentOrigin }[];
  };
  return {
    emissionSeq: node.emission_seq,
    intentHash: node.intent_hash,
    kind: node.kind,
    capName: node.cap_name,
    paramsCbor: node.params_cbor,
    idempotencyKey: node.idempotency_key,
    logicalNowNs: BigInt(node.logical_now_ns),
    origin: node.origin,
    class: node.class,
    waiters: node.waiters.map((w) => ({ emissionSeq: w.emission_seq, origin: w.origin })),
  };
}

/** When a timer emission is due, in logical ns (`kernel.md` §12). */
export function timerDueNs(emission: Emission): bigint {
  const decoded = decode(emission.paramsCbor);
  if (!decoded.ok) throw new KernelFault('state.impossible', 'timer params do not decode');
  const params = decoded.value as { deliver_at_ns?: number | bigint; after_ns?: number | bigint };
  return emission.kind === 'timer.set'
    ? BigInt(params.deliver_at_ns!)
    : emission.logicalNowNs + BigInt(params.after_ns!);
}

/** The timer's `key`, echoed in its receipt; null when the author gave none. */
export function timerKey(emission: Emission): string | null {
  const decoded = decode(emission.paramsCbor);
  return decoded.ok ? ((decoded.value as { key: string | null }).key ?? null) : null;
}
