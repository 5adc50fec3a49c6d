import { type Catalog, loadStored } from '@worldline/air';
import { hashText } from '@worldline/canon';
import type { WorldIdentity } from '@worldline/host';
import { decodeBatchBody, decodeRecord, type JournalRecord, type Kernel } from '@worldline/kernel';
import type { SnapshotRow, Store, StoredBatch, WorldRow } from '@worldline/ports';
import type { Entry } from '@worldline/summary';
import type { Context } from './context.ts';
import { stop, stopWith } from './failure.ts';
import type { Meta } from './output.ts';

/**
 * A world as it stands in its store, for commands that only read.
 *
 * R1  Nothing is written and no lock is taken, so reading works beside a running world and after a crash alike.
 * R2  Everything is as of the head found at opening: what a running world appends meanwhile is not seen.
 */

/** Ids of the world in a folder. @throws CommandError `not_found` when it holds none yet. */
export async function requireIdentity(ctx: Context): Promise<WorldIdentity> {
  const { readIdentity } = await import('@worldline/host');
  const identity = await readIdentity(await ctx.folder());
  if (!identity.ok) return stopWith(identity.failure);
  return (
    identity.value ??
    stop('not_found', 'this world has not run yet, so there is nothing to read', {
      hint: 'create it with "worldline run" or by submitting something',
    })
  );
}

export class Reader {
  readonly store: Store;
  readonly row: WorldRow;
  readonly snapshots: readonly SnapshotRow[];
  #kernel: Kernel | undefined;
  #catalog: Catalog | undefined;
  readonly #catalogs = new Map<string, Catalog>();

  private constructor(store: Store, row: WorldRow, snapshots: readonly SnapshotRow[]) {
    this.store = store;
    this.row = row;
    this.snapshots = snapshots;
  }

  /** @throws CommandError `not_found` when there is no world, `store.unavailable` when its store cannot be opened. */
  static async open(ctx: Context): Promise<Reader> {
    const identity = await requireIdentity(ctx);
    const { openReadOnly } = await import('./open-store.ts');
    const store = await openReadOnly(await ctx.storeDir());
    try {
      if (ctx.flags.mode === 'daemon') await requireRunning(ctx, store, identity);
      return await Reader.over(store, identity.world_id);
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  static async over(store: Store, worldId: string): Promise<Reader> {
    const row = await store.world.get(worldId);
    if (row === undefined)
      return stop('not_found', `the store holds no world ${worldId}`, { hint: 'is --store the store of this world?' });
    return new Reader(store, row, await store.world.snapshots(worldId));
  }

  get height(): number {
    return this.row.head.height;
  }

  async close(): Promise<void> {
    await this.store.close();
  }

  async meta(): Promise<Meta> {
    const newest = this.snapshots.at(-1);
    return {
      journal_height: this.height,
      snapshot_hash: newest === undefined ? undefined : hashText(newest.ref),
      manifest_hash: hashText((await this.catalog()).manifestHash),
    };
  }

  /** Whole batches that hold entries of [from, to), in order. */
  async *batches(from: number, to: number = this.height): AsyncIterable<StoredBatch> {
    let next: number | undefined = from;
    while (next !== undefined && next < to) {
      const page = await this.store.journal.read(this.row.worldId, next, 2_000);
      if (page.answer === 'corrupt')
        return stop('journal.corrupt', `the journal is damaged: ${page.where}`, {
          hint: 'restore the store from a copy',
        });
      if (page.answer === 'unavailable') return stop('host_error', `the store did not answer: ${page.message}`);
      for (const batch of page.batches) {
        if (batch.firstSeq >= to) return;
        yield batch;
      }
      ({ next } = page);
    }
  }

  /** Entries of [from, to), in order. */
  async *entries(from: number, to: number = this.height): AsyncIterable<Entry> {
    for await (const batch of this.batches(from, to)) {
      for (const entry of entriesOf(batch)) if (entry.seq >= from && entry.seq < to) yield entry;
    }
  }

  async recordAt(seq: number): Promise<JournalRecord | undefined> {
    const page = await this.store.journal.read(this.row.worldId, seq, 1);
    if (page.answer !== 'ok') return undefined;
    return page.batches.flatMap(entriesOf).find((entry) => entry.seq === seq)?.record;
  }

  /** Entries from head towards 0, newest first; stop iterating to stop reading. */
  async *entriesBackwards(window = 2_000): AsyncIterable<Entry> {
    for (let to = this.height; to > 0; to = Math.max(0, to - window)) {
      const page: Entry[] = [];
      for await (const entry of this.entries(Math.max(0, to - window), to)) page.push(entry);
      yield* page.reverse();
    }
  }

  /** The live manifest, as the newest stamped batch names it. */
  async catalog(): Promise<Catalog> {
    if (this.#catalog !== undefined) return this.#catalog;
    let manifest: Uint8Array | undefined;
    for await (const entry of this.entriesBackwards(64)) {
      manifest = entry.record.record_kind === 'manifest' ? entry.record.manifest_hash : entry.stamp?.manifestHash;
      if (manifest !== undefined) break;
    }
    if (manifest === undefined) return stop('journal.corrupt', 'no batch of the journal names a manifest');
    this.#catalog = this.catalogOf(manifest);
    return this.#catalog;
  }

  catalogOf(manifestHash: Uint8Array): Catalog {
    const key = hashText(manifestHash);
    let catalog = this.#catalogs.get(key);
    if (catalog === undefined) {
      const loaded = loadStored(manifestHash, (hash) => this.object(hash));
      if (!loaded.ok)
        return stop('journal.corrupt', `manifest ${key} does not load: ${loaded.failure[0]?.message ?? ''}`);
      catalog = loaded.value;
      this.#catalogs.set(key, catalog);
    }
    return catalog;
  }

  object(hash: Uint8Array): Uint8Array | undefined {
    const got = this.store.cas.getSync(hash);
    return got.answer === 'ok' ? got.bytes : undefined;
  }

  /** State at head: newest baseline and the journal after it. */
  async kernel(): Promise<Kernel> {
    if (this.#kernel !== undefined) return this.#kernel;
    const { restoreKernel } = await import('@worldline/host');
    const restored = await restoreKernel(this.store, this.row, this.row.epoch);
    if (!restored.ok) return stopWith(restored.failure);
    this.#kernel = restored.value;
    return restored.value;
  }
}

/** `--mode daemon`: no answer without a running world. @throws CommandError `unreachable`. */
async function requireRunning(ctx: Context, store: Store, identity: WorldIdentity): Promise<void> {
  const { notRunning, runningWorld } = await import('./access.ts');
  if ((await runningWorld(ctx, store, identity)) !== 'daemon') notRunning();
}

/** The records of one batch with their sequence numbers. @throws CommandError `journal.corrupt`. */
export function entriesOf(batch: Pick<StoredBatch, 'body' | 'firstSeq'>): Entry[] {
  const body = decodeBatchBody(batch.body);
  if (!body.ok)
    return stop('journal.corrupt', `the batch at ${batch.firstSeq} cannot be read: ${body.failure.message}`);
  const { stamp } = body.value;
  return body.value.entries.map((bytes, i) => {
    const record = decodeRecord(bytes);
    if (!record.ok)
      return stop('journal.corrupt', `entry ${batch.firstSeq + i} cannot be read: ${record.failure.message}`);
    return { seq: batch.firstSeq + i, record: record.value, stamp };
  });
}

/** Runs `use` over a reader and closes it. */
export async function reading<T>(ctx: Context, use: (reader: Reader) => Promise<T>): Promise<T> {
  const reader = await Reader.open(ctx);
  try {
    return await use(reader);
  } finally {
    await reader.close();
  }
}
