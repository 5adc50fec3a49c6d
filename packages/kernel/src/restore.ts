import { bytesEqual, fail, hashText, ok, type Result, sha256 } from '@worldline/canon';
import type { Applied } from './batch.ts';
import type { RecordedBatch } from './batch-log.ts';
import { type BatchBody, decodeBatchBody } from './body.ts';
import { nextChain, ZERO_CHAIN } from './chain.ts';
import { KernelFault } from './fault.ts';
import { genesisState, Kernel, type KernelOptions } from './kernel.ts';
import type { JournalRecord } from './record.ts';
import { decodeRecord } from './record-codec.ts';
import { loadState } from './state-load.ts';

/** Restore = baseline snapshot + tail; there is no other mode (`journal.md` §6.3, §7). */

export interface RestoreOptions extends KernelOptions {
  /** Also compute the digest at every snapshot in the tail and compare (R5). */
  readonly verify?: boolean | undefined;
  /** Called after each batch that was replayed and matched. */
  readonly onBatch?: ((batch: ReplayedBatch) => void) | undefined;
}

export interface ReplayedBatch {
  readonly firstSeq: number;
  /** Equal to the recorded ones. */
  readonly records: readonly JournalRecord[];
  readonly logicalNowNs: bigint | undefined;
}

/** The active baseline. */
export interface RestoreBase {
  readonly ref: Uint8Array;
  readonly height: number;
}

/**
 * A kernel that is being rebuilt from recorded batches, which come in order and in pieces of any size.
 *
 * From a baseline: the batches from the one before the baseline's own (that is, from seq `base.height − 1`), which gives
 * the chain value that the tail continues; batches between the two are skipped. From genesis: all of them.
 */
export class Restoration {
  readonly #options: RestoreOptions;
  /** Undefined: from genesis. */
  readonly #base: RestoreBase | undefined;
  #kernel: Kernel | undefined;
  /** Chain after the batch before. */
  #chain: Uint8Array | undefined;

  constructor(options: RestoreOptions, base?: RestoreBase) {
    this.#options = options;
    this.#base = base;
  }

  /** @returns `snapshot.missing`, `snapshot.incomplete`, `snapshot.digest_mismatch`, `journal.corrupt` or
   *   `replay.divergence`. After a failure nothing further may be fed. */
  feed(batch: RecordedBatch): Result<void> {
    return guarded(() => {
      if (this.#kernel === undefined) {
        const begun = this.#base === undefined ? this.#fromGenesis(batch) : this.#fromBase(batch, this.#base);
        if (!begun.ok) return begun;
        if (begun.value === undefined) return ok(undefined);
        this.#kernel = begun.value;
      }
      return replayBatch(this.#kernel, this.#options, batch);
    });
  }

  /** The kernel after everything that was fed. */
  end(): Result<Kernel> {
    if (this.#kernel !== undefined) return ok(this.#kernel);
    return corrupt(this.#base === undefined ? 'the journal is empty' : `no snapshot batch at ${this.#base.height}`);
  }

  #fromGenesis(batch: RecordedBatch): Result<Kernel> {
    const root = genesisRecord(batch);
    if (!root.ok) return root;
    const state = genesisState(this.#options.objects, {
      manifestHash: root.value.manifest_hash,
      configHash: root.value.config_hash,
    });
    if (!state.ok) return corrupt(`genesis manifest: ${state.failure[0]?.code ?? 'does not load'}`);
    // The nodes of a snapshot that was taken long ago may be collected since.
    return ok(Kernel.over(state.value, { ...this.#options, keepsAll: true }));
  }

  /** @returns undefined before the baseline's own batch. */
  #fromBase(batch: RecordedBatch, base: RestoreBase): Result<Kernel | undefined> {
    const cursor = cursorOfSnapshot(batch, base);
    if (cursor === undefined) {
      this.#chain = batch.chain;
      return ok(undefined);
    }
    if (this.#chain === undefined) return corrupt(`no batch before the baseline of height ${base.height}`);
    const state = loadState(this.#options.objects, base, { chain: this.#chain, cursor });
    return state.ok ? ok(Kernel.over(state.value, this.#options)) : state;
  }
}

/** A `Restoration` from the baseline over batches that are at hand. */
export function restore(options: RestoreOptions, base: RestoreBase, batches: Iterable<RecordedBatch>): Result<Kernel> {
  return feedAll(new Restoration(options, base), batches);
}

/** A `Restoration` from nothing but the journal, over batches that are at hand. */
export function replayGenesis(options: RestoreOptions, batches: Iterable<RecordedBatch>): Result<Kernel> {
  return feedAll(new Restoration(options), batches);
}

function feedAll(restoration: Restoration, batches: Iterable<RecordedBatch>): Result<Kernel> {
  for (const batch of batches) {
    const fed = restoration.feed(batch);
    if (!fed.ok) return fed;
  }
  return restoration.end();
}

/** Inbox cursor when `batch` is the one that journaled the baseline's snapshot. */
function cursorOfSnapshot(batch: RecordedBatch, base: RestoreBase): Uint8Array | undefined {
  const body = decodeBatchBody(batch.body);
  if (!body.ok || body.value.firstSeq !== base.height || body.value.entries.length === 0) return undefined;
  const record = decodeRecord(body.value.entries[0]!);
  if (!record.ok || record.value.record_kind !== 'snapshot') return undefined;
  return bytesEqual(record.value.snapshot_ref, base.ref) ? body.value.cursor : undefined;
}

/** A world fault met while reading is a refusal to open, not a crash of the caller. */
function guarded(run: () => Result<void>): Result<void> {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof KernelFault)) throw error;
    const code = error.code === 'object.missing' ? 'snapshot.incomplete' : 'journal.corrupt';
    return fail({
      code,
      path: [],
      message: error.message,
      hint: 'Restore the store from a copy; it lacks or damaged what the journal refers to.',
    });
  }
}

function genesisRecord(batch: RecordedBatch): Result<Extract<JournalRecord, { record_kind: 'manifest' }>> {
  if (!bytesEqual(nextChain(ZERO_CHAIN, batch.body), batch.chain)) return corrupt('chain broken at 0');
  const body = decodeBatchBody(batch.body);
  if (!body.ok) return body;
  const first = body.value.entries[0];
  const record = first === undefined ? undefined : decodeRecord(first);
  if (record === undefined || !record.ok || record.value.record_kind !== 'manifest' || body.value.firstSeq !== 0) {
    return corrupt('the journal does not begin with a genesis');
  }
  return ok(record.value);
}

/**
 * Checks one batch and feeds it. Derived records are compared as bytes: those that this kernel makes again are records
 * it knows (R7), so only others need to be read, to say what is wrong with them.
 */
function replayBatch(kernel: Kernel, options: RestoreOptions, batch: RecordedBatch): Result<void> {
  const decoded = decodeBatchBody(batch.body);
  if (!decoded.ok) return decoded;
  const body = decoded.value;
  if (body.firstSeq !== kernel.head.height)
    return corrupt(`batch begins at ${body.firstSeq}, ${kernel.head.height} expected`);
  // Before anything is fed: damage is damage, whatever it would have led to.
  if (!bytesEqual(nextChain(kernel.head.chain, batch.body), batch.chain))
    return corrupt(`chain broken at ${body.firstSeq}`);
  const first = body.entries[0];
  const root = first === undefined ? undefined : decodeRecord(first);
  if (root !== undefined && !root.ok) return unreadable(body.firstSeq, root.failure.message);
  const input = root?.value;
  let applied: Result<Applied>;
  try {
    if (options.verify === true && input?.record_kind === 'snapshot') {
      const digest = kernel.snapshot().ref;
      if (!bytesEqual(digest, input.snapshot_ref)) {
        return checkEntries(body) ?? divergence(body.firstSeq, 'snapshot', input.snapshot_ref, digest);
      }
    }
    applied = kernel.replay(batch, body, input);
  } catch (error) {
    const unread = error instanceof KernelFault ? checkEntries(body) : undefined;
    if (unread === undefined) throw error;
    return unread;
  }
  if (!applied.ok) return checkEntries(body) ?? applied;
  const produced = applied.value.batch!.body;
  // The very bytes, when they were the same.
  if (produced !== batch.body)
    return checkEntries(body) ?? difference(body.firstSeq, body.entries, produced, batch.body);
  kernel.accept(1);
  options.onBatch?.({
    firstSeq: body.firstSeq,
    records: applied.value.records,
    logicalNowNs: body.stamp?.logicalNowNs,
  });
  return ok(undefined);
}

/** A failure when some entry is no record of this release. */
function checkEntries(body: BatchBody): Result<never> | undefined {
  for (const [i, entry] of body.entries.entries()) {
    const record = decodeRecord(entry);
    if (!record.ok) return unreadable(body.firstSeq + i, record.failure.message);
  }
  return undefined;
}

function unreadable(seq: number, message: string): Result<never> {
  return corrupt(`entry ${seq}: ${message}`);
}

/** Names the first record that differs. */
function difference(
  firstSeq: number,
  recorded: readonly Uint8Array[],
  producedBody: Uint8Array,
  recordedBody: Uint8Array,
): Result<never> {
  const produced = decodeBatchBody(producedBody);
  const entries = produced.ok ? produced.value.entries : [];
  for (let i = 0; i < Math.max(recorded.length, entries.length); i++) {
    const expected = recorded[i] ?? EMPTY;
    const actual = entries[i] ?? EMPTY;
    if (bytesEqual(expected, actual)) continue;
    const record = decodeRecord(recorded[i] ?? actual);
    return divergence(firstSeq + i, record.ok ? record.value.record_kind : 'record', sha256(expected), sha256(actual));
  }
  return divergence(firstSeq, 'batch', sha256(recordedBody), sha256(producedBody));
}

const EMPTY = new Uint8Array(0);

function divergence(seq: number, kind: string, expected: Uint8Array, actual: Uint8Array): Result<never> {
  return fail({
    code: 'replay.divergence',
    path: [seq],
    message: `seq ${seq} (${kind}): expected ${hashText(expected)}, got ${hashText(actual)}`,
    hint: 'The journal and this runtime disagree about what happened; keep the store and report it.',
  });
}

function corrupt(message: string): Result<never> {
  return fail({ code: 'journal.corrupt', path: [], message });
}
