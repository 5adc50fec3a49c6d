import { type Catalog, normalizeCbor, type Type } from '@worldline/air';
import { bytesEqual, encode } from '@worldline/canon';
import { type Emission, timerKey } from './emission.ts';
import type { ReceiptIngress } from './ingress.ts';
import type { Refusal } from './input.ts';
import type { BufferedReceipt, Instance } from './instance.ts';
import type { Disposition, EffectReceipt, IntentOrigin } from './record.ts';
import type { WorldState } from './state.ts';
import type { Turn } from './turn.ts';

/** Acceptance and delivery of receipts (`kernel.md` §10). */

export type Binding =
  | { readonly kind: 'bound'; readonly emission: Emission }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

const SIGNATURE_NONE = new Uint8Array(64);
const MANUAL_PREFIX = 'manual.';

/** Cases 1–5 of §10.2. */
export function bindReceipt(state: WorldState, intentHash: Uint8Array, emissionSeq: number | undefined): Binding {
  if (emissionSeq === undefined) {
    const emission = state.emissions.ofIntent(intentHash);
    if (emission !== undefined) return { kind: 'bound', emission };
  } else {
    const emission = state.emissions.get(emissionSeq);
    if (emission !== undefined) {
      return bytesEqual(emission.intentHash, intentHash)
        ? { kind: 'bound', emission }
        : {
            kind: 'refused',
            refusal: { code: 'receipt.intent_mismatch', message: `emission ${emissionSeq} has another intent` },
          };
    }
    // Every seq below head is past: whatever it was, it is not open any more.
    if (emissionSeq < state.height) return { kind: 'duplicate' };
  }
  if (state.receiptsRecent.some((r) => bytesEqual(r.intentHash, intentHash))) return { kind: 'duplicate' };
  return { kind: 'refused', refusal: { code: 'receipt.unknown', message: 'no open emission has this intent' } };
}

export type AcceptedReceipt = Omit<EffectReceipt, 'record_kind' | 'disposition'>;

/** The payload check of §10.2: what is recorded, or why a manual receipt is refused. */
export function acceptReceipt(
  state: WorldState,
  emission: Emission,
  ingress: ReceiptIngress,
): AcceptedReceipt | Refusal {
  const { receipt, verdict } = ingress;
  const manual = receipt.adapterId.startsWith(MANUAL_PREFIX);
  const payload = receipt.payloadCbor === undefined ? undefined : readPayload(state, emission, receipt.payloadCbor);
  const base = {
    intent_hash: emission.intentHash,
    emission_seq: emission.emissionSeq,
    adapter_id: receipt.adapterId,
    cost_cents: receipt.costCents,
    signature: receipt.signature,
    sig_key: verdict.sigKey,
  };
  if (receipt.status === 'ok') {
    if (payload?.ok === true) return { ...base, status: 'ok', payload_cbor: payload.bytes };
    const why = payload === undefined ? 'payload missing' : payload.why;
    if (manual) return { code: 'receipt.payload_invalid', message: why };
    return {
      ...base,
      status: 'error',
      error: { code: 'adapter.bad_payload', message: why, retryable: null, detail_ref: null },
    };
  }
  if (manual && payload !== undefined && !payload.ok) return { code: 'receipt.payload_invalid', message: payload.why };
  return {
    ...base,
    status: receipt.status,
    payload_cbor: payload?.ok === true ? payload.bytes : undefined,
    error: receipt.error ?? { code: 'adapter_error', message: '', retryable: null, detail_ref: null },
  };
}

type Payload = { readonly ok: true; readonly bytes: Uint8Array } | { readonly ok: false; readonly why: string };

/** Against the schema that the origin pins; an origin that is gone leaves the active one. */
function readPayload(state: WorldState, emission: Emission, payloadCbor: Uint8Array): Payload {
  if (payloadCbor.length > state.config.limits.max_receipt_bytes) return { ok: false, why: 'payload too large' };
  const catalog = pinnedCatalog(state, emission);
  const effect = catalog.effects.get(emission.kind);
  if (effect === undefined) return { ok: false, why: `effect kind ${emission.kind} is not in the manifest` };
  const type: Type = { kind: 'ref', name: effect.def.receiptSchema };
  const read = normalizeCbor(payloadCbor, type, catalog.scope, effect.def.receiptSchema);
  return read.ok ? { ok: true, bytes: read.value.bytes } : { ok: false, why: read.failure[0]!.message };
}

function pinnedCatalog(state: WorldState, emission: Emission): Catalog {
  const leader = catalogOf(state, emission.origin);
  if (leader !== undefined) return leader;
  for (const { origin } of emission.waiters) {
    const waiter = catalogOf(state, origin);
    if (waiter !== undefined) return waiter;
  }
  return state.catalog;
}

function catalogOf(state: WorldState, origin: IntentOrigin): Catalog | undefined {
  const instance = instanceOf(state, origin);
  return instance === undefined ? undefined : state.definitionOf(instance).catalog;
}

/** What the lease holder answers for a due timer (§12). */
export function timerReceipt(emission: Emission, logicalNowNs: bigint): AcceptedReceipt {
  return {
    intent_hash: emission.intentHash,
    emission_seq: emission.emissionSeq,
    adapter_id: 'timer.set',
    status: 'ok',
    payload_cbor: encode({ delivered_at_ns: logicalNowNs, key: timerKey(emission) }),
    cost_cents: 0,
    signature: SIGNATURE_NONE,
  };
}

/**
 * Appends the `effect_receipt`, settles the emission and hands the outcome to leader and waiters (§10.4).
 *
 * @param receipt - may be the recorded receipt itself; its disposition is computed again.
 */
export function deliverReceipt(state: WorldState, turn: Turn, emission: Emission, receipt: AcceptedReceipt): void {
  const { emissionSeq, origin } = emission;
  const leader = instanceOf(state, origin);
  const waiting = leader === undefined ? NOBODY : stepsAwaiting(leader, emissionSeq);
  const seq = turn.append({
    record_kind: 'effect_receipt',
    intent_hash: receipt.intent_hash,
    emission_seq: receipt.emission_seq,
    adapter_id: receipt.adapter_id,
    status: receipt.status,
    payload_cbor: receipt.payload_cbor,
    error: receipt.error,
    cost_cents: receipt.cost_cents,
    signature: receipt.signature,
    sig_key: receipt.sig_key,
    disposition: dispositionOf(origin, leader, waiting),
  });
  state.removeEmission(emission, turn.undo);
  state.receiptsRecent.push({ intentHash: emission.intentHash, emissionSeq }, turn.undo);
  turn.settled.push(emissionSeq);
  if (leader !== undefined) handTo(state, turn, leader, { emissionSeq, waiting, receipt, cause: seq });
  for (const waiter of emission.waiters) {
    const instance = instanceOf(state, waiter.origin);
    if (instance === undefined) continue;
    const steps = stepsAwaiting(instance, waiter.emissionSeq);
    handTo(state, turn, instance, { emissionSeq: waiter.emissionSeq, waiting: steps, receipt, cause: seq });
  }
}

const NOBODY: readonly number[] = [];

function instanceOf(state: WorldState, origin: IntentOrigin): Instance | undefined {
  return origin.origin_kind === 'plan' ? state.instance(origin.plan_id) : undefined;
}

/** Positions of the steps that wait for this emission, ascending. */
function stepsAwaiting(instance: Instance, emissionSeq: number): readonly number[] {
  const steps: number[] = [];
  for (const [step, awaited] of instance.receiptWaits) if (awaited === emissionSeq) steps.push(step);
  return steps.length > 1 ? steps.sort((a, b) => a - b) : steps;
}

function dispositionOf(origin: IntentOrigin, leader: Instance | undefined, waiting: readonly number[]): Disposition {
  if (origin.origin_kind !== 'plan') return 'orphaned';
  if (leader === undefined) return 'late';
  return waiting.length > 0 ? 'applied' : 'buffered';
}

function handTo(
  state: WorldState,
  turn: Turn,
  instance: Instance,
  outcome: {
    readonly emissionSeq: number;
    readonly waiting: readonly number[];
    readonly receipt: AcceptedReceipt;
    readonly cause: number;
  },
): void {
  const { emissionSeq, waiting, receipt, cause } = outcome;
  const { undo } = turn;
  state.touch(instance, undo);
  const buffered: BufferedReceipt = {
    emissionSeq,
    status: receipt.status,
    payloadCbor: receipt.payload_cbor,
    error: receipt.error,
    adapterId: receipt.adapter_id,
    costCents: receipt.cost_cents === undefined ? undefined : BigInt(receipt.cost_cents),
  };
  instance.addReceipt(buffered, undo);
  if (waiting.length === 0) return;
  const wakes = [...instance.wakes];
  for (const step of waiting) {
    instance.removeReceiptWait(step, undo);
    wakes.push({ step, value: { kind: 'receipt', emissionSeq }, cause });
  }
  instance.setWakes(wakes, undo);
  turn.enqueue(instance.id);
}
