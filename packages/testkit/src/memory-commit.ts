import { bytesEqual } from '@worldline/canon';
import type { Batch, CommitAnswer, CommitOptions, Store } from '@worldline/ports';
import {
  copyHead,
  fenced,
  free,
  itemNumber,
  LAST_NS,
  newRow,
  newTimer,
  type Snapshot,
  type Universe,
  type World,
} from './memory-universe.ts';

/** `hosting.md` §4.1, the one write path into a world. */
export function memoryCommit(universe: Universe): Store['commit'] {
  return async (worldId, epoch, expected, batches, given = {}): Promise<CommitAnswer> => {
    checkBatches(batches);
    const happening = universe.fault('commit', worldId);
    if (happening === 'unavailable') return universe.unavailable();
    if (happening === 'lost_request') return { answer: 'unknown', message: 'injected fault' };
    const world = universe.worlds.get(worldId);
    if (!universe.isHolder(world, epoch)) return fenced(world);
    const isExpected = world.head.height === expected.height && bytesEqual(world.head.chain, expected.chain);
    if (!isExpected || !areDense(batches, expected.height)) {
      return { answer: 'conflict', actual: copyHead(world.head) };
    }
    checkRows(world, batches);
    const stored = universe.storeObjects(given.objects ?? []);
    if (stored.answer !== 'ok') throw new TypeError(`an object of the commit is ${stored.answer}`);
    append(world, batches, given.claim);
    if (batches.length > 0) universe.hint(worldId);
    if (happening === 'lost_answer') return { answer: 'unknown', message: 'injected fault' };
    return { answer: 'ok', ...copyHead(world.head) };
  };
}

/** Steps 3 to 8 of a commit, after everything was checked. */
export function append(world: World, batches: readonly Batch[], claim: CommitOptions['claim']): void {
  let added = false;
  for (const batch of batches) {
    const { firstSeq, lastSeq, index } = batch;
    world.batches.push({ firstSeq, lastSeq, chain: batch.chain.slice(), body: batch.body.slice() });
    world.head = { height: lastSeq + 1, chain: batch.chain.slice() };
    world.internalPending = batch.internalPending;
    if (batch.inboxCursor !== undefined) {
      const seq = itemNumber(batch.inboxCursor);
      const item = world.items.get(seq);
      if (item !== undefined && lastSeq >= firstSeq) item.applied = { firstSeq, lastSeq };
      if (seq > world.cursor) world.cursor = seq;
    }
    for (const row of batch.emitted) {
      added = true;
      world.outbox.set(row.emissionSeq, {
        ...newRow(row),
        ...(claim && { token: claim.token.slice(), claimEpoch: world.epoch, attempt: 1, visibleAtNs: LAST_NS }),
      });
    }
    for (const row of batch.timers) {
      added = true;
      world.timers.set(row.emissionSeq, newTimer(row));
    }
    for (const seq of batch.settled) {
      world.outbox.delete(seq);
      world.timers.delete(seq);
    }
    for (const { emissionSeq, dedupeKey, token } of batch.released) {
      const row = world.outbox.get(emissionSeq);
      if (row === undefined) continue;
      const underKey = row.doneKey !== undefined && row.doneKey === dedupeKey;
      const underToken =
        row.doneKey === undefined && row.token !== undefined && token !== undefined && bytesEqual(row.token, token);
      if (underKey || underToken) free(row, 0n);
    }
    if (index?.snapshot !== undefined) {
      const { height, ref } = index.snapshot;
      world.snapshots.set(height, snapshotRow(world, { height, ref }));
    }
    if (index?.baseline !== undefined) {
      const { height, ref } = index.baseline;
      world.snapshots.set(height, { ...snapshotRow(world, { height, ref }), baseline: true });
      if (world.baseline === undefined || height >= world.baseline.height)
        world.baseline = { height, ref: ref.slice() };
    }
    if (index?.configHash !== undefined) world.configHash = index.configHash.slice();
    if (index?.activate === true) world.status = 'active';
  }
  if (added) world.notify++;
}

/** The row at that height, with what is known of it kept while it names the same snapshot. */
function snapshotRow(world: World, { height, ref }: { readonly height: number; readonly ref: Uint8Array }): Snapshot {
  const known = world.snapshots.get(height);
  const isSame = known !== undefined && bytesEqual(known.ref, ref);
  return {
    ref: ref.slice(),
    baseline: known?.baseline ?? false,
    chain: known?.chain ?? chainAt(world, height)?.slice(),
    verifiedAtNs: isSame ? known.verifiedAtNs : undefined,
  };
}

/** Chain value after the batch with entries that ended at `height`; empty batches after it do not count. */
function chainAt(world: World, height: number): Uint8Array | undefined {
  if (height === world.base.height) return world.base.chain;
  return world.batches.find((batch) => batch.lastSeq + 1 === height && batch.firstSeq < height)?.chain;
}

/** What can be wrong with a batch whatever the store holds is a bug of the caller. */
export function checkBatches(batches: readonly Batch[]): void {
  for (const batch of batches) {
    if (batch.lastSeq < batch.firstSeq - 1)
      throw new TypeError(`a batch cannot span ${batch.firstSeq}..${batch.lastSeq}`);
    if (batch.chain.length !== 32) throw new TypeError('a chain value has 32 bytes');
    if (batch.inboxCursor !== undefined) itemNumber(batch.inboxCursor);
  }
}

/** Whether each batch begins where the one before it ended. */
export function areDense(batches: readonly Batch[], height: number): boolean {
  return batches.every((batch, i) => batch.firstSeq === (i === 0 ? height : batches[i - 1]!.lastSeq + 1));
}

/** Emissions are unique; a second row of one is a bug of the caller. */
export function checkRows(world: World, batches: readonly Batch[]): void {
  const outbox = new Set(world.outbox.keys());
  const timers = new Set(world.timers.keys());
  for (const batch of batches) {
    for (const [rows, known] of [
      [batch.emitted, outbox],
      [batch.timers, timers],
    ] as const) {
      for (const { emissionSeq } of rows) {
        if (known.has(emissionSeq)) throw new TypeError(`emission ${emissionSeq} has a row already`);
        known.add(emissionSeq);
      }
    }
    for (const seq of batch.settled) {
      outbox.delete(seq);
      timers.delete(seq);
    }
  }
}
