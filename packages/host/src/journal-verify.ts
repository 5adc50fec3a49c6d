import { loadStored } from '@worldline/air';
import { bytesEqual, hashText, ok, sha256, toHex } from '@worldline/canon';
import { type JournalRecord, nextChain, ZERO_CHAIN } from '@worldline/kernel';
import type { Store, StoredBatch } from '@worldline/ports';
import { type Answer, refuse } from './failure.ts';
import { decodeStoredBatch, readBatches } from './journal-read.ts';
import { useNativeSha256 } from './native-hash.ts';
import { isUnsigned, type TrustedKey, verifyReceipt } from './verifier.ts';

export interface JournalVerifyOptions {
  readonly store: Store;
  readonly worldId: string;
  /** Keys that receipts were signed with, to check their signatures too; absent: they are not looked at. */
  readonly receiptKeys?: readonly Pick<TrustedKey, 'keyId' | 'alg' | 'key'>[] | undefined;
}

export interface JournalProblem {
  readonly seq: number;
  readonly code: string;
  readonly message: string;
}

export interface JournalReport {
  readonly entries: number;
  readonly batches: number;
  /** Receipts whose signature was checked and is good. */
  readonly receiptsVerified: number;
  readonly problems: readonly JournalProblem[];
}

/**
 * Checks what is stored, without running it: density, chain, framing, shapes of records, the presence of every object
 * that records name, and receipt signatures when keys are given. Takes no lease and writes nothing.
 */
export async function verifyJournal(options: JournalVerifyOptions): Promise<Answer<JournalReport>> {
  useNativeSha256();
  const { store, worldId } = options;
  const row = await store.world.get(worldId);
  if (row === undefined) return refuse('not_found', `the store holds no world ${worldId}`);
  const check = new Check(options);
  const read = await readBatches(store, worldId, 0, (batch) => check.batch(batch));
  if (!read.ok) {
    if (read.failure.code !== 'journal.corrupt') return read;
    check.problem(check.height, 'journal.corrupt', read.failure.message);
  } else if (row.head.height !== check.height || !bytesEqual(row.head.chain, check.chain)) {
    check.problem(
      check.height,
      'journal.corrupt',
      `the batches end at ${check.height}, the world's head is ${row.head.height}`,
    );
  }
  return ok(check.report());
}

class Check {
  readonly #options: JournalVerifyOptions;
  readonly #problems: JournalProblem[] = [];
  readonly #present = new Set<string>();
  height = 0;
  chain: Uint8Array = ZERO_CHAIN;
  #batches = 0;
  #verified = 0;

  constructor(options: JournalVerifyOptions) {
    this.#options = options;
  }

  problem(seq: number, code: string, message: string): void {
    this.#problems.push({ seq, code, message });
  }

  batch(batch: StoredBatch): void {
    this.#batches++;
    const seq = batch.firstSeq;
    if (seq !== this.height) this.problem(seq, 'journal.corrupt', `a batch begins at ${seq}, ${this.height} expected`);
    const chain = nextChain(this.chain, batch.body);
    if (!bytesEqual(chain, batch.chain))
      this.problem(seq, 'journal.corrupt', 'the chain does not follow from the batch before');
    // Go on from what is stored, so that one damaged batch is one problem.
    this.chain = batch.chain;
    this.height = batch.lastSeq + 1;
    const decoded = decodeStoredBatch(batch);
    if (!decoded.ok) {
      this.problem(seq, decoded.failure.code, decoded.failure.message);
      return;
    }
    const { body, records } = decoded.value;
    if (body.firstSeq !== seq || records.length !== batch.lastSeq - seq + 1) {
      this.problem(seq, 'journal.corrupt', 'the batch does not hold the entries that its row names');
    }
    records.forEach((record, i) => this.#record(seq + i, record));
  }

  #record(seq: number, record: JournalRecord): void {
    switch (record.record_kind) {
      case 'manifest':
        this.#object(seq, 'config', record.config_hash);
        if (this.#object(seq, 'manifest', record.manifest_hash)) this.#closure(seq, record.manifest_hash);
        return;
      case 'snapshot':
      case 'baseline':
        this.#object(seq, 'snapshot', record.snapshot_ref);
        return;
      case 'plan_ended':
        if (record.result_ref !== undefined) this.#object(seq, 'plan error', record.result_ref);
        return;
      case 'effect_receipt':
        this.#receipt(seq, record);
        return;
      default:
    }
  }

  #object(seq: number, what: string, hash: Uint8Array): boolean {
    const key = toHex(hash);
    if (this.#present.has(key)) return true;
    const answer = this.#options.store.cas.getSync(hash);
    if (answer.answer === 'ok' && bytesEqual(sha256(answer.bytes), hash)) {
      this.#present.add(key);
      return true;
    }
    const code = answer.answer === 'not_found' ? 'object.missing' : 'object.corrupt';
    this.problem(seq, code, `${what} ${hashText(hash)}: ${answer.answer === 'ok' ? 'other bytes' : answer.answer}`);
    return false;
  }

  /** Every definition that a manifest names. */
  #closure(seq: number, manifestHash: Uint8Array): void {
    const { cas } = this.#options.store;
    const loaded = loadStored(manifestHash, (hash) => {
      const answer = cas.getSync(hash);
      return answer.answer === 'ok' ? answer.bytes : undefined;
    });
    if (!loaded.ok)
      this.problem(
        seq,
        'object.missing',
        `manifest ${hashText(manifestHash)}: ${loaded.failure[0]?.message ?? 'does not load'}`,
      );
  }

  #receipt(seq: number, record: Extract<JournalRecord, { record_kind: 'effect_receipt' }>): void {
    const keys = this.#options.receiptKeys;
    if (keys === undefined || record.sig_key === undefined || isUnsigned(record.signature)) return;
    const receipt = {
      intentHash: record.intent_hash,
      emissionSeq: record.emission_seq,
      adapterId: record.adapter_id,
      status: record.status,
      payloadCbor: record.payload_cbor,
      error: record.error,
      costCents: record.cost_cents === undefined ? undefined : BigInt(record.cost_cents),
      signature: record.signature,
    };
    const candidates = keys.filter((key) => key.keyId === record.sig_key);
    if (candidates.length === 0) this.problem(seq, 'receipt.bad_signature', `no key ${record.sig_key} is known`);
    else if (candidates.some((key) => verifyReceipt(this.#options.worldId, receipt, key))) this.#verified++;
    else this.problem(seq, 'receipt.bad_signature', `the signature of ${record.adapter_id} does not verify`);
  }

  report(): JournalReport {
    return { entries: this.height, batches: this.#batches, receiptsVerified: this.#verified, problems: this.#problems };
  }
}
