// Replaying a journal that is larger than memory: from genesis to the first baseline, and from each baseline to a later
// one, whose digest is compared. Together that is one replay of everything.
import { objectSource, readBatches } from '@worldline/host';
import { replayGenesis, restore } from '@worldline/kernel';

/** Entries of one part, about. */
const PART = 250_000;

/** @returns `match`, `records`, `parts`, and where it differs a `message`. */
export async function replayInParts(store, worldId) {
  const { height: head } = (await store.world.get(worldId)).head;
  const bases = [];
  for (const { height, ref, baseline } of await store.world.snapshots(worldId)) {
    if (baseline && height >= (bases.at(-1)?.height ?? 0) + PART) bases.push({ height, ref });
  }
  const report = { match: true, records: 0, parts: 0 };
  for (const [i, base] of [undefined, ...bases].entries()) {
    const batches = await batchesBetween(store, worldId, base?.height, bases[i]?.height ?? head);
    const options = {
      objects: objectSource(store.cas),
      epoch: 0,
      verify: true,
      onBatch: ({ records }) => {
        report.records += records.length;
      },
    };
    const replayed = base === undefined ? replayGenesis(options, batches) : restore(options, base, batches);
    if (!replayed.ok)
      return { ...report, match: false, message: `${replayed.failure.code}: ${replayed.failure.message}` };
    report.parts++;
  }
  return report;
}

/** From the batch before a baseline's own to the batch that journals the snapshot at `to`. */
async function batchesBetween(store, worldId, from, to) {
  const batches = [];
  const read = await readBatches(store, worldId, from === undefined ? 0 : Math.max(0, from - 1), (batch) => {
    batches.push(batch);
    return batch.firstSeq < to;
  });
  if (!read.ok) throw new Error(`the journal cannot be read: ${read.failure.message}`);
  return batches;
}
