import { bytesEqual, fail, hashText, ok } from '@worldline/canon';
import { type Kernel, type ReplayedBatch, Restoration } from '@worldline/kernel';
import type { Store, StoredBatch } from '@worldline/ports';
import { type Answer, type HostFailure, refuse } from './failure.ts';
import { useNativeSha256 } from './native-hash.ts';
import { feedBatches, objectSource, readFailure } from './restore.ts';

export interface ReplayOptions {
  readonly store: Store;
  readonly worldId: string;
  /** Rebuild from nothing but the journal; else from the active baseline. */
  readonly fromGenesis: boolean;
  /** Replay entries below this height only; it must end a batch. */
  readonly to?: number | undefined;
}

export interface ReplayDifference {
  readonly seq: number | undefined;
  readonly code: string;
  readonly message: string;
}

export interface ReplayReport {
  /** Height that was reached, or the last one that matched. */
  readonly head: number;
  /** Digest of the rebuilt state, `sha256:…`; absent when it was not reached. */
  readonly snapshot: string | undefined;
  readonly match: boolean;
  readonly differences: readonly ReplayDifference[];
  readonly batches: number;
  readonly records: number;
  /** Snapshots whose digest was computed and compared. */
  readonly snapshotsCompared: number;
}

/**
 * Rebuilds a world and compares every derived record, every snapshot's digest and the chain at head (`journal.md` §7,
 * L1–L3). Takes no lease and writes nothing.
 *
 * @returns the report, also when something differs; failures are those that leave nothing to compare: `not_found`,
 *   `journal.corrupt`, `snapshot.*`, `host_error`.
 */
export async function replayVerify(options: ReplayOptions): Promise<Answer<ReplayReport>> {
  useNativeSha256();
  const { store, worldId, fromGenesis, to } = options;
  const row = await store.world.get(worldId);
  if (row === undefined) return refuse('not_found', `the store holds no world ${worldId}`);
  const base = row.activeBaseline;
  if (!fromGenesis && to !== undefined && to <= base.height) {
    return refuse('invalid_request', `the baseline is of height ${base.height}`, {
      hint: 'Replay from genesis to see earlier heights.',
    });
  }
  if (to !== undefined && to > row.head.height) return notAnEnd(to, row.head.height);
  const objects = objectSource(store.cas);
  const progress = { head: 0, batches: 0, records: 0, snapshotsCompared: 0 };
  const onBatch = (batch: ReplayedBatch) => {
    progress.batches++;
    progress.records += batch.records.length;
    progress.head = batch.firstSeq + batch.records.length;
    if (batch.records[0]?.record_kind === 'snapshot') progress.snapshotsCompared++;
  };
  const restoration = new Restoration({ objects, epoch: 0, verify: true, onBatch }, fromGenesis ? undefined : base);
  // L3: restoring the active baseline and replaying from genesis are two ways to one state.
  const other = fromGenesis && to === undefined ? new Restoration({ objects, epoch: 0 }, base) : undefined;
  let otherFailure: HostFailure | undefined;
  let last: StoredBatch | undefined;
  const fed = await feedBatches(store, worldId, fromGenesis ? 0 : Math.max(0, base.height - 1), (batch) => {
    if (to !== undefined) {
      if (batch.firstSeq >= to) return ok(false);
      if (batch.lastSeq >= to) return notAnEnd(to, batch.lastSeq + 1);
    }
    last = batch;
    const replayed = restoration.feed(batch);
    if (!replayed.ok) return replayed;
    if (other !== undefined && otherFailure === undefined && batch.lastSeq >= base.height - 1) {
      const again = other.feed(batch);
      if (!again.ok) otherFailure = again.failure;
    }
    return ok(true);
  });
  if (!fed.ok) return fromFailure(fed.failure, progress);
  if (last === undefined) return refuse('journal.corrupt', 'the journal is empty');
  const replayed = restoration.end();
  if (!replayed.ok) return fromFailure(replayed.failure, progress);

  const kernel = replayed.value;
  const differences: ReplayDifference[] = [];
  if (!bytesEqual(kernel.head.chain, last.chain)) {
    differences.push({ seq: last.lastSeq, code: 'replay.divergence', message: 'the chain at head differs' });
  }
  const digested = digestOf(kernel);
  if (!digested.ok) return digested;
  const digest = digested.value;
  if (other !== undefined) {
    const restored = otherFailure === undefined ? other.end() : fail(otherFailure);
    const difference = compareRestored(restored, kernel, digest);
    if (difference !== undefined) differences.push({ seq: base.height, ...difference });
  }
  return ok({
    ...progress,
    head: kernel.head.height,
    snapshot: hashText(digest),
    match: differences.length === 0,
    differences,
  });
}

interface Progress {
  head: number;
  batches: number;
  records: number;
  snapshotsCompared: number;
}

function notAnEnd(to: number, nearest: number): Answer<never> {
  return refuse('invalid_request', `height ${to} is not the end of a batch`, {
    hint: `The nearest one is ${nearest}.`,
  });
}

/** The digest needs every node of the state, some of them for the first time. */
function digestOf(kernel: Kernel): Answer<Uint8Array> {
  try {
    return ok(kernel.snapshot().ref);
  } catch (error) {
    const failure = readFailure(error);
    if (failure === undefined) throw error;
    return { ok: false, failure };
  }
}

function compareRestored(
  restored: Answer<Kernel>,
  replayed: Kernel,
  digest: Uint8Array,
): Omit<ReplayDifference, 'seq'> | undefined {
  if (!restored.ok) return { code: restored.failure.code, message: restored.failure.message };
  const digested = digestOf(restored.value);
  if (!digested.ok) return { code: digested.failure.code, message: digested.failure.message };
  const other = digested.value;
  if (restored.value.head.height === replayed.head.height && bytesEqual(other, digest)) return undefined;
  return {
    code: 'replay.divergence',
    message: `restored from its baseline the state is ${hashText(other)}, replayed it is ${hashText(digest)}`,
  };
}

function fromFailure(failure: HostFailure, progress: Progress): Answer<ReplayReport> {
  if (failure.code !== 'replay.divergence') return { ok: false, failure };
  const seq = typeof failure.path[0] === 'number' ? failure.path[0] : undefined;
  return ok({
    ...progress,
    snapshot: undefined,
    match: false,
    differences: [{ seq, code: failure.code, message: failure.message }],
  });
}
