import { bytesEqual, decodeFrame, toHex } from '@worldline/canon';
import type { DropAnswer, SegmentAnswer, SegmentRow, Store, StoredBatch } from '@worldline/ports';
import { fenced, sha256, type Universe, type World } from './memory-universe.ts';

/** A segment, with the entries of each of its batches as they were when it was indexed. */
export interface Segment extends SegmentRow {
  /** Ordinal of its first batch. */
  readonly firstBatch: number;
  readonly spans: readonly { readonly firstSeq: number; readonly lastSeq: number }[];
}

/** The bytes of an object that is whole. */
function wholeObject(universe: Universe, ref: Uint8Array): Uint8Array | undefined {
  const bytes = universe.objects.get(toHex(ref))?.bytes;
  return bytes !== undefined && bytesEqual(sha256(bytes), ref) ? bytes : undefined;
}

/** Batches that were dropped from the rows, from their segments; undefined where one is gone or damaged. */
export function* coldBatches(universe: Universe, world: World): Generator<StoredBatch | undefined> {
  for (const { firstBatch, framesAt, ref, spans } of world.segments) {
    const bytes = wholeObject(universe, ref);
    let at = framesAt;
    for (const [i, span] of spans.entries()) {
      if (firstBatch + i >= world.firstHot) return;
      const frame = bytes && decodeFrame(bytes, at);
      if (frame === undefined) {
        yield undefined;
        return;
      }
      at = frame.end;
      yield { ...span, chain: frame.chain, body: frame.body };
    }
  }
}

export function memorySegments(universe: Universe): Store['segment'] {
  const { worlds } = universe;

  function index(world: World, row: SegmentRow): SegmentAnswer {
    const known = world.segments.find(
      (segment) => segment.firstSeq === row.firstSeq && bytesEqual(segment.ref, row.ref),
    );
    if (known !== undefined) {
      const isSame = known.lastSeq === row.lastSeq && known.framesAt === row.framesAt;
      return { answer: isSame ? 'ok' : 'invalid' };
    }
    const bytes = wholeObject(universe, row.ref);
    if (bytes === undefined) return { answer: 'not_found' };
    const last = world.segments.at(-1);
    const firstBatch = last === undefined ? 0 : last.firstBatch + last.spans.length;
    // Rows are kept by ordinal: the first of them is that of batch number `firstHot`.
    const spans: Segment['spans'][number][] = [];
    let at = row.framesAt;
    for (let next = row.firstSeq; ; ) {
      const batch = world.batches[firstBatch + spans.length - world.firstHot];
      if (batch === undefined || batch.firstSeq !== next || batch.lastSeq > row.lastSeq) break;
      const frame = decodeFrame(bytes, at);
      if (frame === undefined || !bytesEqual(frame.chain, batch.chain) || !bytesEqual(frame.body, batch.body)) break;
      at = frame.end;
      next = batch.lastSeq + 1;
      spans.push({ firstSeq: batch.firstSeq, lastSeq: batch.lastSeq });
    }
    if (spans.at(-1)?.lastSeq !== row.lastSeq || row.lastSeq < row.firstSeq) return { answer: 'invalid' };
    const { firstSeq, lastSeq, framesAt } = row;
    world.segments.push({ firstSeq, lastSeq, framesAt, ref: row.ref.slice(), firstBatch, spans });
    return { answer: 'ok' };
  }

  return {
    put: (bytes) =>
      universe.run('segment.put', undefined, () => {
        const hash = sha256(bytes);
        const stored = universe.storeObjects([{ hash, bytes }]);
        return stored.answer === 'ok' ? { answer: 'ok', hash } : stored;
      }),
    index: (worldId, epoch, row) =>
      universe.run('segment.index', worldId, () => {
        const world = worlds.get(worldId);
        return universe.isHolder(world, epoch) ? index(world, row) : fenced(world);
      }),
    list: async (worldId) =>
      (worlds.get(worldId)?.segments ?? []).map(({ firstSeq, lastSeq, ref, framesAt }) => ({
        firstSeq,
        lastSeq,
        ref: ref.slice(),
        framesAt,
      })),
  };
}

export function dropBelow(universe: Universe, worldId: string, epoch: number, height: number): DropAnswer {
  const world = universe.worlds.get(worldId);
  if (!universe.isHolder(world, epoch)) return fenced(world);
  const baselines = [...world.snapshots].filter(([, { baseline }]) => baseline).map(([at]) => at);
  const oldest = Math.min(...(baselines.length === 0 ? [world.base.height] : baselines));
  if (height >= oldest) return { answer: 'refused', baseline: oldest };
  const last = world.segments.at(-1);
  const covered = last === undefined ? 0 : last.firstBatch + last.spans.length;
  const isBelow = ({ firstSeq, lastSeq }: StoredBatch) => firstSeq < height && lastSeq < height;
  const going = world.batches.findIndex((batch) => !isBelow(batch));
  const count = going < 0 ? world.batches.length : going;
  if (world.firstHot + count > covered) {
    return { answer: 'uncovered', coveredTo: last === undefined ? world.base.height : last.lastSeq + 1 };
  }
  world.batches.splice(0, count);
  world.firstHot += count;
  return { answer: 'ok', batches: count };
}

export function memorySnapshots(universe: Universe): Store['snapshot'] {
  const { worlds } = universe;
  return {
    verified: (worldId, height, ref) =>
      universe.run('snapshot.verified', worldId, () => {
        const found = worlds.get(worldId)?.snapshots.get(height);
        if (found === undefined || !bytesEqual(found.ref, ref)) return { answer: 'not_found' };
        found.verifiedAtNs ??= universe.nowNs();
        return { answer: 'ok' };
      }),
    drop: (worldId, epoch, height) =>
      universe.run('snapshot.drop', worldId, () => {
        const world = worlds.get(worldId);
        if (!universe.isHolder(world, epoch)) return fenced(world);
        if (world.baseline?.height === height) return { answer: 'active' } as const;
        return { answer: world.snapshots.delete(height) ? 'ok' : 'not_found' } as const;
      }),
  };
}
