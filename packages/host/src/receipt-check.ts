import { bytesEqual, toHex } from '@worldline/canon';
import { decodeConfig, type EffectIntent, type EffectReceipt, receiptDigest } from '@worldline/kernel';
import { isReservedAdapter, isUnsigned, isValidAt, kindMatches, ReceiptKey, type TrustedKey } from './verifier.ts';

/**
 * Holds the receipts of a journal against the registry's keys afterwards, as an auditor does (`kernel.md` §10.3). Fed
 * record by record; what it keeps is one entry per open effect.
 */
export interface ReceiptCheckParts {
  readonly worldId: string;
  /** Keys of the host's own adapters: good for every id that is not of a trusted key. */
  readonly own: readonly Pick<TrustedKey, 'keyId' | 'alg' | 'key'>[];
  readonly trusted: readonly TrustedKey[];
  readonly object: (hash: Uint8Array) => Uint8Array | undefined;
  readonly problem: (seq: number, message: string) => void;
}

export class ReceiptCheck {
  readonly #parts: ReceiptCheckParts;
  readonly #keys = new Map<object, ReceiptKey>();
  /** Intents without a receipt so far, by emission. */
  readonly #open = new Map<number, { readonly kind: string; readonly intentHash: Uint8Array }>();
  #isRequired = true;
  #verified = 0;
  #unverifiable = 0;

  constructor(parts: ReceiptCheckParts) {
    this.#parts = parts;
    for (const key of [...parts.own, ...parts.trusted]) {
      const usable = ReceiptKey.of(key);
      if (usable !== undefined) this.#keys.set(key, usable);
    }
  }

  /** Receipts whose signature was checked and is good. */
  get verified(): number {
    return this.#verified;
  }

  /** Receipts that stand in the journal in another form than they were signed in, which cannot be told any more. */
  get unverifiable(): number {
    return this.#unverifiable;
  }

  /** From here on `receipt_verification` is that of this configuration. */
  config(configHash: Uint8Array): void {
    const bytes = this.#parts.object(configHash);
    const config = bytes === undefined ? undefined : decodeConfig(bytes);
    if (config?.ok === true) this.#isRequired = config.value.receipt_verification === 'required';
  }

  intent(seq: number, record: EffectIntent): void {
    // A coalesced emission shares the receipt of its leader.
    if (record.coalesced_into !== undefined) return;
    this.#open.set(seq, { kind: record.kind, intentHash: record.intent_hash });
  }

  /** @param nowNs - stamp of its batch. */
  receipt(seq: number, record: EffectReceipt, nowNs: bigint | undefined): void {
    const { emission_seq: emissionSeq, adapter_id: adapterId, sig_key: keyId } = record;
    const intent = this.#open.get(emissionSeq);
    this.#open.delete(emissionSeq);
    const { problem, worldId } = this.#parts;
    if (intent === undefined) return problem(seq, `emission ${emissionSeq} is not one that waited for a receipt`);
    if (!bytesEqual(intent.intentHash, record.intent_hash))
      return problem(
        seq,
        `it names intent ${toHex(record.intent_hash).slice(0, 12)}…, which is not that of its emission`,
      );
    if (keyId === undefined) {
      // Built by the kernel or the lease holder, or taken while verification was off.
      if (!this.#isRequired || (isReservedAdapter(adapterId) && isUnsigned(record.signature))) return;
      return problem(seq, `the receipt of ${adapterId} is not signed, and this world requires that`);
    }
    const candidates = this.#candidates(keyId, adapterId, intent.kind, nowNs);
    if (candidates.length === 0) {
      return problem(seq, `no key ${keyId} is known that may sign for ${adapterId} and ${intent.kind}`);
    }
    for (const form of formsOf(record)) {
      const digest = receiptDigest(worldId, form);
      if (!candidates.some((key) => this.#keys.get(key)?.verifies(digest, record.signature))) continue;
      this.#verified++;
      return;
    }
    if (isReplaced(record)) this.#unverifiable++;
    else problem(seq, `the signature of ${adapterId} does not verify with key ${keyId}`);
  }

  #candidates(keyId: string, adapterId: string, kind: string, nowNs: bigint | undefined) {
    const { own, trusted } = this.#parts;
    return [
      ...own.filter((key) => key.keyId === keyId),
      ...trusted.filter(
        (key) =>
          key.keyId === keyId &&
          key.adapterId === adapterId &&
          key.kinds.some((pattern) => kindMatches(pattern, kind)) &&
          (nowNs === undefined || isValidAt(key, nowNs)),
      ),
    ];
  }
}

const PREFIX_BYTES = 3;

type Form = Parameters<typeof receiptDigest>[1];

/**
 * What the executor may have signed: the payload check (`kernel.md` §10.2) records a payload with the self-describe
 * prefix, and gives a failure without an error one of its own.
 */
function* formsOf(record: EffectReceipt): Iterable<Form> {
  const { payload_cbor: payloadCbor, error } = record;
  const form: Form = {
    intentHash: record.intent_hash,
    emissionSeq: record.emission_seq,
    adapterId: record.adapter_id,
    status: record.status,
    payloadCbor,
    error,
    costCents: record.cost_cents === undefined ? undefined : BigInt(record.cost_cents),
    signature: record.signature,
  };
  yield form;
  if (payloadCbor !== undefined) yield { ...form, payloadCbor: payloadCbor.subarray(PREFIX_BYTES) };
  if (error?.code === 'adapter_error' && error.message === '') yield { ...form, error: undefined };
}

/** The kernel put its own failure in the place of a payload that does not conform: the payload is gone. */
function isReplaced({ status, payload_cbor: payloadCbor, error }: EffectReceipt): boolean {
  return status === 'error' && payloadCbor === undefined && error?.code === 'adapter.bad_payload';
}
