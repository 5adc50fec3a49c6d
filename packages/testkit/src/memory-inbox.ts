import { u64be } from '@worldline/canon';
import type { EnqueueAnswer, Store } from '@worldline/ports';
import { type Item, itemNumber, later, type Universe, type World } from './memory-universe.ts';

const DAY_MS = 86_400_000;

export function memoryInbox(universe: Universe): Store['inbox'] {
  const { worlds } = universe;

  /** Whether a late repeat can no longer come, or is known by the kernel anyway. */
  function isForgettable(world: World, item: Item, ttlMs: number): boolean {
    if (item.dedupeKey === undefined) return true;
    if (later(item.enqueuedAtNs, ttlMs) > universe.nowNs()) return false;
    if (!item.isDelivery) return true;
    // Its source is the row of an emission: once that is gone, nobody can send it again.
    const { emissionSeq } = item;
    return emissionSeq !== undefined && !world.outbox.has(emissionSeq) && !world.timers.has(emissionSeq);
  }

  return {
    enqueue: async (worldId, item, digest, dedupeKey, { isDelivery = false } = {}) => {
      if (digest.length !== 32) throw new TypeError('a digest has 32 bytes');
      return universe.run('inbox.enqueue', worldId, (): EnqueueAnswer => {
        const world = worlds.get(worldId);
        if (world === undefined || world.status === 'deleted') return { answer: 'not_found' };
        if (world.status === 'archived') return { answer: 'world.archived' };
        const isKnown = dedupeKey !== undefined && world.dedupe.has(dedupeKey);
        const isFull = world.lastItem - world.cursor >= universe.inboxMax;
        if (!isKnown && !isDelivery && isFull) return { answer: 'full' };
        const { answer, seq, applied } = universe.addItem(world, {
          item,
          digest,
          dedupeKey,
          isDelivery,
          emissionSeq: undefined,
        });
        return answer === 'duplicate' ? { answer, seq, applied } : { answer, seq };
      });
    },
    async read(worldId, after, limit) {
      const from = itemNumber(after);
      const found = [...(worlds.get(worldId)?.items ?? [])].filter(
        ([seq, { item }]) => seq > from && item !== undefined,
      );
      return found.slice(0, Math.max(0, limit)).map(([seq, { item, digest, dedupeKey, enqueuedAtNs }]) => ({
        seq: u64be(seq),
        item: item!.slice(),
        digest: digest.slice(),
        dedupeKey,
        enqueuedAtNs,
      }));
    },
    async applied(worldId, seqBytes) {
      const world = worlds.get(worldId);
      const seq = itemNumber(seqBytes);
      return { done: world !== undefined && seq <= world.cursor, applied: world?.items.get(seq)?.applied };
    },
    trim: (worldId, { graceMs = DAY_MS, dedupeTtlMs = 7 * DAY_MS } = {}) =>
      universe.run('inbox.trim', worldId, () => {
        const world = worlds.get(worldId);
        let items = 0;
        let keys = 0;
        for (const [seq, found] of world?.items ?? []) {
          if (world === undefined || seq > world.cursor) continue;
          if (later(found.enqueuedAtNs, graceMs) > universe.nowNs()) continue;
          if (found.item !== undefined) items++;
          if (isForgettable(world, found, Math.max(graceMs, dedupeTtlMs))) {
            if (found.dedupeKey !== undefined) {
              world.dedupe.delete(found.dedupeKey);
              keys++;
            }
            world.items.delete(seq);
          } else {
            found.item = undefined;
          }
        }
        return { answer: 'ok', items, keys } as const;
      }),
  };
}
