import { type Catalog, normalizeCbor } from '@worldline/air';
import { type CborValue, decode, encode, isWellFormed, utf8 } from '@worldline/canon';
import type { EffectErrorData, Emission } from '@worldline/kernel';
import type { Blobs, EffectError, EffectOutcome } from '@worldline/ports';
import { APPROVAL_KIND } from './approvals.ts';
import type { Redactor } from './secrets.ts';
import type { UnsignedReceipt } from './signer.ts';

/** How an adapter's outcome becomes a receipt (`host.md` §2, rules 1–4). */

export interface OutcomeRules {
  /** Of the manifest that the emission's origin pins. */
  readonly catalog: Catalog;
  /** Encoded payload bytes. */
  readonly maxReceiptBytes: number;
  readonly redactor: Redactor;
  /** Stores an error's detail. */
  readonly blobs: Blobs;
  /** `secrets.allow_echo` lists the kind. */
  readonly mayEcho: boolean;
}

const MESSAGE_BYTES_MAX = 2048;

export function errorOutcome(code: string, message: string, retryable?: boolean): EffectOutcome {
  return { status: 'error', error: { code, message, retryable } };
}

/** An outcome object is foreign data: anything may have been returned. */
export function checkedOutcome(given: unknown): EffectOutcome {
  const bad = (why: string) => errorOutcome('adapter.bad_payload', `the adapter answered with no outcome: ${why}`);
  if (given === null || typeof given !== 'object')
    return bad(`${given === null ? 'null' : typeof given} instead of an object`);
  const outcome = given as { status?: unknown; payload?: unknown; error?: unknown; costCents?: unknown };
  const { costCents } = outcome;
  if (costCents !== undefined && !(typeof costCents === 'bigint' && costCents >= 0n && costCents < 2n ** 64n))
    return bad('costCents is no nat');
  if (outcome.status === 'ok')
    return outcome.payload === undefined ? bad('status ok without a payload') : (given as EffectOutcome);
  if (outcome.status !== 'error' && outcome.status !== 'timeout') return bad('unknown status');
  const error = outcome.error as Partial<EffectError> | null | undefined;
  if (
    typeof error !== 'object' ||
    error === null ||
    typeof error.code !== 'string' ||
    typeof error.message !== 'string'
  ) {
    return bad(`status ${outcome.status} without an error`);
  }
  return given as EffectOutcome;
}

/** What a thrown value says; errors that carry a permanent code keep it. */
export function thrownOutcome(thrown: unknown): EffectOutcome {
  const code = (thrown as { code?: unknown } | null)?.code;
  const coded = typeof code === 'string' && /^[a-z_]+\.[a-z_.]+$/.test(code);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return errorOutcome(coded ? code : 'adapter.exception', message);
}

/**
 * The receipt of one outcome, unsigned. Synchronous unless an error's detail has to be stored.
 *
 * @param adapterId - the adapter, or the dispatcher for what no adapter did.
 */
export function receiptOf(
  emission: Emission,
  adapterId: string,
  outcome: EffectOutcome,
  rules: OutcomeRules,
): UnsignedReceipt | Promise<UnsignedReceipt> {
  const payload = outcome.payload === undefined ? undefined : readPayload(emission, outcome.payload, rules);
  const base = {
    intentHash: emission.intentHash,
    emissionSeq: emission.emissionSeq,
    adapterId,
    costCents: outcome.costCents,
  };
  if (outcome.status === 'ok') {
    if (payload?.ok === true) return { ...base, status: 'ok', payloadCbor: payload.bytes };
    const { code, message } = payload ?? { code: 'adapter.bad_payload', message: 'no payload' };
    return { ...base, status: 'error', error: errorData({ code, message }, null, rules.redactor) };
  }
  if (payload !== undefined && !payload.ok && payload.code === 'secret.leak') {
    return {
      ...base,
      status: 'error',
      error: errorData({ code: payload.code, message: payload.message }, null, rules.redactor),
    };
  }
  const { error, status } = outcome;
  const payloadCbor = payload?.ok === true ? payload.bytes : undefined;
  if (error.detail === undefined)
    return { ...base, status, payloadCbor, error: errorData(error, null, rules.redactor) };
  return storeDetail(error.detail, rules).then((detailRef) => ({
    ...base,
    status,
    payloadCbor,
    error: errorData(error, detailRef, rules.redactor),
  }));
}

type Payload =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly code: string; readonly message: string };

function readPayload(emission: Emission, payload: CborValue, rules: OutcomeRules): Payload {
  const bad = (message: string): Payload => ({ ok: false, code: 'adapter.bad_payload', message });
  const effect = rules.catalog.effects.get(emission.kind);
  if (effect === undefined) return bad(`effect kind ${emission.kind} is not in the manifest`);
  let encoded: Uint8Array;
  try {
    encoded = encode(payload);
  } catch (error) {
    return bad(error instanceof Error ? error.message : 'the payload cannot be encoded');
  }
  if (encoded.length > rules.maxReceiptBytes) {
    return {
      ok: false,
      code: 'adapter.payload_too_large',
      message: `the payload has ${encoded.length} bytes, at most ${rules.maxReceiptBytes} are allowed`,
    };
  }
  const schema = effect.def.receiptSchema;
  const read = normalizeCbor(encoded, { kind: 'ref', name: schema }, rules.catalog.scope, schema);
  if (!read.ok) return bad(`${read.failure[0]!.code}: ${read.failure[0]!.message}`);
  if (emission.kind === APPROVAL_KIND && !isDecision(read.value.bytes))
    return bad('a decision is "approved" or "denied"');
  const alias = rules.mayEcho ? undefined : rules.redactor.leak(read.value.bytes);
  if (alias !== undefined) return { ok: false, code: 'secret.leak', message: `the payload holds the secret ${alias}` };
  return { ok: true, bytes: read.value.bytes };
}

/** @param payloadCbor - a `sys/ApprovalRequestReceipt@1`, whose schema takes any text (`builtins.md` §6). */
function isDecision(payloadCbor: Uint8Array): boolean {
  const payload = decode(payloadCbor);
  const { decision } = (payload.ok ? payload.value : {}) as { readonly decision?: CborValue };
  return decision === 'approved' || decision === 'denied';
}

function errorData(error: EffectError, detailRef: string | null, redactor: Redactor): EffectErrorData {
  return {
    code: cut(wellFormed(error.code), 200),
    message: cut(redactor.text(wellFormed(error.message)), MESSAGE_BYTES_MAX),
    retryable: typeof error.retryable === 'boolean' ? error.retryable : null,
    detail_ref: detailRef,
  };
}

/** @returns the blob's hash text; null when the detail cannot be kept, which must not cost the receipt. */
async function storeDetail(detail: unknown, rules: OutcomeRules): Promise<string | null> {
  try {
    const json = JSON.stringify(rules.redactor.data(detail), (_, value: unknown) =>
      typeof value === 'bigint'
        ? String(value)
        : value instanceof Uint8Array
          ? Buffer.from(value).toString('base64')
          : value,
    );
    return json === undefined ? null : await rules.blobs.put(utf8(wellFormed(json)));
  } catch {
    return null;
  }
}

function wellFormed(text: string): string {
  return isWellFormed(text) ? text : text.toWellFormed();
}

/** At most `bytesMax` bytes of UTF-8, never half a character. */
function cut(text: string, bytesMax: number): string {
  if (text.length * 3 <= bytesMax || utf8(text).length <= bytesMax) return text;
  const bytes = utf8(text).subarray(0, bytesMax);
  let end = bytes.length;
  // Continuation bytes at the cut belong to a character that is not whole.
  while (end > 0 && (bytes[end - 1]! & 0xc0) === 0x80) end--;
  const lead = bytes[end - 1]!;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  const whole = end - 1 + length <= bytes.length ? end - 1 + length : end - 1;
  return new TextDecoder().decode(bytes.subarray(0, whole));
}
