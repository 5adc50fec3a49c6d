import { bytesEqual, hashText, ok } from '@worldline/canon';
import { type Kernel, replayGenesis, restore } from '@worldline/kernel';
import type { Store, StoredBatch } from '@worldline/ports';
import { type Answer, type HostFailure, refuse } from './failure.ts';
import { collectBatches } from './journal-read.ts';
import { useNativeSha256 } from './native-hash.ts';
import { objectSource, StoreUnavailable } from './restore.ts';

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
  const collected = await collectBatches(store, worldId, fromGenesis ? 0 : Math.max(0, base.height - 1));
  if (!collected.ok) return collected;
  const batches = to === undefined ? collected.value : collected.value.filter((b) => b.firstSeq < to);
  const last = batches.at(-1);
  if (last === undefined) return refuse('journal.corrupt', 'the journal is empty');
  if (to !== undefined && last.lastSeq + 1 !== to) {
    return refuse('invalid_request', `height ${to} is not the end of a batch`, {
      hint: `The nearest one is ${last.lastSeq + 1}.`,
    });
  }
  const progress = { head: 0, batches: 0, records: 0, snapshotsCompared: 0 };
  const replayed = run(options, base, batches, progress);
  if (!replayed.ok) return fromFailure(replayed.failure, progress);

  const differences: ReplayDifference[] = [];
  const kernel = replayed.value;
  if (!bytesEqual(kernel.head.chain, last.chain)) {
    differences.push({ seq: last.lastSeq, code: 'replay.divergence', message: 'the chain at head differs' });
  }
  const digest = kernel.snapshot().ref;
  if (fromGenesis && to === undefined)
    differences.push(...compareWithBaseline(store, base, collected.value, kernel, digest));
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

function run(
  options: ReplayOptions,
  base: { readonly height: number; readonly ref: Uint8Array },
  batches: readonly StoredBatch[],
  progress: Progress,
): Answer<Kernel> {
  const given = {
    objects: objectSource(options.store.cas),
    epoch: 0,
    verify: true,
    onBatch(batch: { readonly firstSeq: number; readonly records: readonly { readonly record_kind: string }[] }) {
      progress.batches++;
      progress.records += batch.records.length;
      progress.head = batch.firstSeq + batch.records.length;
      if (batch.records[0]?.record_kind === 'snapshot') progress.snapshotsCompared++;
    },
  };
  try {
    return options.fromGenesis ? replayGenesis(given, batches) : restore(given, base, batches);
  } catch (error) {
    if (error instanceof StoreUnavailable) return refuse('host_error', error.message);
    throw error;
  }
}

/** L3: restoring the active baseline and replaying from genesis are two ways to one state. */
function compareWithBaseline(
  store: Store,
  base: { readonly height: number; readonly ref: Uint8Array },
  batches: readonly StoredBatch[],
  replayed: Kernel,
  digest: Uint8Array,
): ReplayDifference[] {
  const from = batches.findIndex((b) => b.lastSeq >= base.height - 1);
  const restored = restore({ objects: objectSource(store.cas), epoch: 0 }, base, batches.slice(from));
  if (!restored.ok) return [{ seq: base.height, code: restored.failure.code, message: restored.failure.message }];
  const other = restored.value.snapshot().ref;
  if (restored.value.head.height === replayed.head.height && bytesEqual(other, digest)) return [];
  return [
    {
      seq: base.height,
      code: 'replay.divergence',
      message: `restored from its baseline the state is ${hashText(other)}, replayed it is ${hashText(digest)}`,
    },
  ];
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
