import { bytesEqual, compareBytes, compareUtf8, encode, hashOf, u64be } from '@worldline/canon';
import type { CompleteAnswer, OutboxRow, RowAnswer, Store } from '@worldline/ports';
import {
  compareNs,
  earlier,
  fenced,
  free,
  isOpen,
  later,
  newRow,
  newTimer,
  type Row,
  type Universe,
  type World,
} from './memory-universe.ts';

const FIRE_AGAIN_NS = 60_000_000_000n;

/** The named world, or every one. */
function chosen(universe: Universe, worldId: string | undefined): readonly World[] {
  const all = [...universe.worlds.values()];
  return worldId === undefined ? all : all.filter((world) => world.worldId === worldId);
}

export function memoryOutbox(universe: Universe): Store['outbox'] {
  const { worlds } = universe;
  let tokens = 0;

  /** The row that `token` still owns. */
  function owned(worldId: string, emissionSeq: number, token: Uint8Array): Row | undefined {
    const row = worlds.get(worldId)?.outbox.get(emissionSeq);
    return row?.token !== undefined && bytesEqual(row.token, token) ? row : undefined;
  }

  const onRow = (
    operation: string,
    [worldId, emissionSeq, token]: readonly [string, number, Uint8Array],
    change: (row: Row) => void,
  ) =>
    universe.run(operation, worldId, (): RowAnswer => {
      const row = owned(worldId, emissionSeq, token);
      if (row === undefined || row.doneKey !== undefined) return { answer: 'lost' };
      change(row);
      return { answer: 'ok' };
    });

  return {
    async claim(worldId, kinds, _executor, limit, visibilityMs) {
      if (universe.fault('outbox.claim', worldId) !== undefined) return [];
      const now = universe.nowNs();
      const isOffered = (row: Row) =>
        row.doneKey === undefined && row.visibleAtNs <= now && (kinds === undefined || kinds.includes(row.kind));
      // Each with its place among the rows of its own world: worlds take turns.
      const open = chosen(universe, worldId).flatMap((world) =>
        [...world.outbox.values()]
          .filter(isOffered)
          .sort((a, b) => a.emissionSeq - b.emissionSeq)
          .map((row, turn) => ({ row, turn, worldId: world.worldId })),
      );
      open.sort((a, b) => a.turn - b.turn || compareUtf8(a.worldId, b.worldId));
      return open.slice(0, Math.max(0, limit)).map(({ row, worldId: id }): OutboxRow => {
        row.token = new Uint8Array([...u64be(0), ...u64be(++tokens)]);
        row.claimEpoch = undefined;
        row.attempt++;
        row.visibleAtNs = later(now, visibilityMs);
        return {
          worldId: id,
          emissionSeq: row.emissionSeq,
          intentHash: row.intentHash.slice(),
          kind: row.kind,
          request: row.request.slice(),
          token: row.token.slice(),
          attempt: row.attempt,
          started: row.started,
        };
      });
    },
    start: (...of) =>
      onRow('outbox.start', of, (row) => {
        row.started = true;
      }),
    extend: (worldId, emissionSeq, token, visibilityMs) =>
      onRow('outbox.extend', [worldId, emissionSeq, token], (row) => {
        if (row.claimEpoch === undefined) row.visibleAtNs = later(universe.nowNs(), visibilityMs);
      }),
    complete: (worldId, emissionSeq, token, item, digest) =>
      universe.run('outbox.complete', worldId, (): CompleteAnswer => {
        if (digest.length !== 32 || item.length === 0 || item.length > universe.objectBytesMax)
          return { answer: 'invalid' };
        const world = worlds.get(worldId);
        const row = owned(worldId, emissionSeq, token);
        if (row === undefined || !isOpen(world)) return { answer: 'lost' };
        const key = `r:${emissionSeq}:${row.attempt}`;
        const added = universe.addItem(world, { item, digest, dedupeKey: key, isDelivery: true, emissionSeq });
        if (added.answer === 'conflict') return { answer: 'conflict' };
        row.doneKey = key;
        return added.answer === 'ok' ? { answer: 'ok', seq: added.seq } : { answer: 'duplicate' };
      }),
    retry: (worldId, emissionSeq, token, delayMs, _error) =>
      onRow('outbox.retry', [worldId, emissionSeq, token], (row) => free(row, later(universe.nowNs(), delayMs))),
    reconcile: (worldId, epoch, emitted, timers) =>
      universe.run('outbox.reconcile', worldId, () => {
        const world = worlds.get(worldId);
        if (!universe.isHolder(world, epoch)) return fenced(world);
        const keep = new Set(emitted.map((row) => row.emissionSeq));
        for (const seq of world.outbox.keys()) if (!keep.has(seq)) world.outbox.delete(seq);
        for (const row of emitted)
          if (!world.outbox.has(row.emissionSeq)) world.outbox.set(row.emissionSeq, newRow(row));
        const keepTimers = new Set(timers.map((row) => row.emissionSeq));
        for (const seq of world.timers.keys()) if (!keepTimers.has(seq)) world.timers.delete(seq);
        for (const row of timers) {
          const found = world.timers.get(row.emissionSeq);
          if (found === undefined) world.timers.set(row.emissionSeq, newTimer(row));
          else found.dueWallNs = earlier(row.dueWallNs);
        }
        return { answer: 'ok' } as const;
      }),
    async list(worldId) {
      const now = universe.nowNs();
      return [...(worlds.get(worldId)?.outbox.values() ?? [])]
        .sort((a, b) => a.emissionSeq - b.emissionSeq)
        .map((row) => ({
          emissionSeq: row.emissionSeq,
          kind: row.kind,
          attempt: row.attempt,
          started: row.started,
          claimed: row.token !== undefined && row.doneKey === undefined && row.visibleAtNs > now,
          done: row.doneKey !== undefined,
        }));
    },
  };
}

export function memoryTimers(universe: Universe): Store['timers'] {
  const { worlds } = universe;
  return {
    async due(worldId, limit) {
      const now = universe.nowNs();
      const sorted = chosen(universe, worldId)
        .filter((world) => worldId !== undefined || isOpen(world))
        .flatMap((world) =>
          [...world.timers].map(([emissionSeq, { intentHash, dueWallNs }]) => ({
            worldId: world.worldId,
            emissionSeq,
            intentHash: intentHash.slice(),
            dueWallNs,
          })),
        )
        .sort(
          (a, b) =>
            compareNs(a.dueWallNs, b.dueWallNs) ||
            compareUtf8(a.worldId, b.worldId) ||
            compareBytes(a.intentHash, b.intentHash),
        );
      return {
        rows: sorted.filter((timer) => timer.dueWallNs <= now).slice(0, Math.max(0, limit)),
        nextDueWallNs: sorted.find((timer) => timer.dueWallNs > now)?.dueWallNs,
      };
    },
    fire: (worldId, emissionSeq) =>
      universe.run('timers.fire', worldId, () => {
        const world = worlds.get(worldId);
        const timer = world?.timers.get(emissionSeq);
        if (timer === undefined || !isOpen(world)) return { answer: 'not_found' };
        const now = universe.nowNs();
        if (timer.dueWallNs > now) return { answer: 'ok' };
        const dedupeKey = `t:${emissionSeq}:${++timer.offers}`;
        const said = { kind: 'timer', emission_seq: emissionSeq };
        universe.addItem(world, {
          item: encode({ ...said, dedupe_key: dedupeKey, enqueued_at_ns: now }),
          digest: hashOf(said),
          dedupeKey,
          isDelivery: true,
          emissionSeq,
        });
        timer.dueWallNs = earlier(now + FIRE_AGAIN_NS);
        return { answer: 'ok' };
      }),
    rearm: (worldId, epoch, emissionSeq, dueWallNs) =>
      universe.run('timers.rearm', worldId, () => {
        const world = worlds.get(worldId);
        if (!universe.isHolder(world, epoch)) return fenced(world);
        const timer = world.timers.get(emissionSeq);
        if (timer === undefined) return { answer: 'not_found' } as const;
        timer.dueWallNs = earlier(dueWallNs);
        return { answer: 'ok' } as const;
      }),
  };
}
