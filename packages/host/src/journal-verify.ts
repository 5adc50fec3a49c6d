import { loadStored } from '@worldline/air';
import { bytesEqual, hashText, ok, sha256, toHex } from '@worldline/canon';
import { type JournalRecord, nextChain } from '@worldline/kernel';
import type { Head, Store, StoredBatch, WorldRow } from '@worldline/ports';
import { measureSnapshot, retainedBaselines } from './baselines.ts';
import { CheckpointCheck } from './checkpoint-check.ts';
import { WorldKeyLine } from './checkpoint-signature.ts';
import { type Answer, refuse } from './failure.ts';
import { decodeStoredBatch } from './journal-read.ts';
import { useNativeSha256 } from './native-hash.ts';
import { ReceiptCheck } from './receipt-check.ts';
import type { TrustedKey } from './verifier.ts';

export interface JournalVerifyOptions {
  readonly store: Store;
  readonly worldId: string;
  /** Newest baselines that must be complete, down to the last node; default 1, the one that a restart begins from. */
  readonly keep?: number | undefined;
  /** Absent: signatures are not looked at. */
  readonly signatures?: SignatureKeys | undefined;
  /** Called now and then with the height that was reached. */
  readonly onProgress?: ((height: number, head: number) => void) | undefined;
}

export interface SignatureKeys {
  /** Receipt keys of this host, which stand for every adapter it runs. */
  readonly own: readonly Pick<TrustedKey, 'keyId' | 'alg' | 'key'>[];
  readonly trusted: readonly TrustedKey[];
  /** A world key that is known from elsewhere: it must be among the world's. */
  readonly worldKey?: Uint8Array | undefined;
}

export interface JournalProblem {
  /** Entry, or for a checkpoint its `next_seq`. */
  readonly seq: number;
  readonly code: string;
  readonly message: string;
}

export interface JournalReport {
  readonly entries: number;
  readonly batches: number;
  /** The first thousand. */
  readonly problems: readonly JournalProblem[];
  /** How many there are beyond those listed. */
  readonly moreProblems: number;
  /** Absent when signatures were not looked at. */
  readonly signatures?: SignatureReport | undefined;
}

export interface SignatureReport {
  /** Everything before this seq is signed by the world, without a break. */
  readonly signedToSeq: number;
  readonly checkpoints: number;
  /** Receipts whose signature was checked and is good. */
  readonly receiptsVerified: number;
  /** Receipts that the kernel recorded in another form than they were signed in. */
  readonly receiptsUnverifiable: number;
}

const PAGE_ENTRIES = 4096;
const PROBLEMS_MAX = 1000;

/**
 * Checks what is stored, without running it: density, chain, framing, shapes of records, the presence of every object
 * that records name; with keys also that checkpoints form one line over these batches, and every signature. Reads in
 * pieces, so a long journal needs no more memory than a short one. Takes no lease and writes nothing.
 *
 * @returns the report, also when there are problems: `journal.corrupt`, `object.missing`, `object.corrupt`,
 *   `snapshot.missing`, `snapshot.incomplete`, `checkpoint.invalid`, `receipt.bad_signature`. Failures: `not_found`, `host_error`.
 */
export async function verifyJournal(options: JournalVerifyOptions): Promise<Answer<JournalReport>> {
  useNativeSha256();
  const { store, worldId } = options;
  const row = await store.world.get(worldId);
  if (row === undefined) return refuse('not_found', `the store holds no world ${worldId}`);
  const check = new Check(options, row);
  for (let next: number | undefined = row.base.height; next !== undefined; ) {
    const page = await store.journal.read(worldId, next, PAGE_ENTRIES);
    if (page.answer === 'unavailable') return refuse('host_error', `the store does not answer: ${page.message}`);
    if (page.answer === 'corrupt') {
      check.problem(check.height, 'journal.corrupt', `the journal has a hole at ${page.where}`);
      return ok(check.report());
    }
    for (const batch of page.batches) await check.batch(batch);
    options.onProgress?.(check.height, row.head.height);
    next = page.next;
  }
  for (const { height, ref } of retainedBaselines(await store.world.snapshots(worldId), options.keep ?? 1)) {
    const measured = measureSnapshot(store.cas, ref);
    if (!measured.ok) check.problem(height, measured.failure.code, measured.failure.message);
  }
  await check.end((await store.journal.head(worldId)) ?? row.head);
  return ok(check.report());
}

class Check {
  readonly #options: JournalVerifyOptions;
  readonly #problems: JournalProblem[] = [];
  readonly #present = new Set<string>();
  readonly #checkpoints: CheckpointCheck | undefined;
  readonly #receipts: ReceiptCheck | undefined;
  height: number;
  chain: Uint8Array;
  #more = 0;
  #batches = 0;

  constructor(options: JournalVerifyOptions, row: WorldRow) {
    this.#options = options;
    ({ height: this.height, chain: this.chain } = row.base);
    const { store, worldId, signatures } = options;
    if (signatures === undefined) return;
    this.#receipts = new ReceiptCheck({
      worldId,
      own: signatures.own,
      trusted: signatures.trusted,
      object: (hash) => {
        const answer = store.cas.getSync(hash);
        return answer.answer === 'ok' ? answer.bytes : undefined;
      },
      problem: (seq, message) => this.problem(seq, 'receipt.bad_signature', message),
    });
    this.#checkpoints = new CheckpointCheck({
      store,
      worldId,
      base: row.base,
      keys: this.#keys(row, signatures),
      problem: ({ seq, message }) => this.problem(seq, 'checkpoint.invalid', message),
    });
  }

  #keys(row: WorldRow, { worldKey }: SignatureKeys): WorldKeyLine | undefined {
    if (row.keys === undefined) return undefined;
    const line = WorldKeyLine.read(row.worldId, row.keys);
    if (!line.ok) {
      this.problem(0, 'checkpoint.invalid', line.failure.message);
      return undefined;
    }
    if (worldKey !== undefined && !line.value.keys.some((entry) => bytesEqual(entry.key, worldKey)))
      this.problem(0, 'checkpoint.invalid', "this host's world key is not among the world's keys");
    return line.value;
  }

  problem(seq: number, code: string, message: string): void {
    if (this.#problems.length < PROBLEMS_MAX) this.#problems.push({ seq, code, message });
    else this.#more++;
  }

  async batch(batch: StoredBatch): Promise<void> {
    this.#batches++;
    const seq = batch.firstSeq;
    if (seq !== this.height) this.problem(seq, 'journal.corrupt', `a batch begins at ${seq}, ${this.height} expected`);
    const chain = nextChain(this.chain, batch.body);
    if (!bytesEqual(chain, batch.chain))
      this.problem(seq, 'journal.corrupt', 'the chain does not follow from the batch before');
    // Go on from what is stored, so that one damaged batch is one problem.
    this.chain = batch.chain;
    this.height = batch.lastSeq + 1;
    await this.#checkpoints?.batch(batch);
    const decoded = decodeStoredBatch(batch);
    if (!decoded.ok) {
      this.problem(seq, decoded.failure.code, decoded.failure.message);
      return;
    }
    const { body, records } = decoded.value;
    if (body.firstSeq !== seq || records.length !== batch.lastSeq - seq + 1) {
      this.problem(seq, 'journal.corrupt', 'the batch does not hold the entries that its row names');
    }
    records.forEach((record, i) => this.#record(seq + i, record, body.stamp?.nowNs));
  }

  /** @param head - as it is now: a world that is running may be further than what was read. */
  async end(head: Head): Promise<void> {
    const isAtHead = bytesEqual(head.chain, this.chain);
    if (this.height >= head.height && !isAtHead) {
      this.problem(this.height, 'journal.corrupt', "the last chain value is not that of the world's head");
    }
    await this.#checkpoints?.end(isAtHead);
  }

  #record(seq: number, record: JournalRecord, nowNs: bigint | undefined): void {
    switch (record.record_kind) {
      case 'manifest':
        if (this.#object(seq, 'config', record.config_hash)) this.#receipts?.config(record.config_hash);
        if (this.#object(seq, 'manifest', record.manifest_hash)) this.#closure(seq, record.manifest_hash);
        return;
      case 'snapshot':
      case 'baseline':
        this.#object(seq, 'snapshot', record.snapshot_ref);
        return;
      case 'plan_ended':
        if (record.result_ref !== undefined) this.#object(seq, 'plan error', record.result_ref);
        return;
      case 'effect_intent':
        this.#receipts?.intent(seq, record);
        return;
      case 'effect_receipt':
        this.#receipts?.receipt(seq, record, nowNs);
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

  report(): JournalReport {
    const [checkpoints, receipts] = [this.#checkpoints, this.#receipts];
    return {
      entries: this.height,
      batches: this.#batches,
      problems: this.#problems,
      moreProblems: this.#more,
      ...(checkpoints === undefined || receipts === undefined
        ? {}
        : {
            signatures: {
              signedToSeq: checkpoints.signedToSeq,
              checkpoints: checkpoints.count,
              receiptsVerified: receipts.verified,
              receiptsUnverifiable: receipts.unverifiable,
            },
          }),
    };
  }
}
