import { bytesEqual, hashOf } from '@worldline/canon';
import type { AcquireAnswer, Batch, CreateAnswer, ForkAnswer, SnapshotRow, Store } from '@worldline/ports';
import { append, areDense, checkBatches, checkRows } from './memory-commit.ts';
import {
  copyHead,
  copyPolicy,
  fenced,
  free,
  itemBytes,
  later,
  newWorld,
  type Universe,
  type World,
  worldRow,
} from './memory-universe.ts';

export function memoryWorlds(universe: Universe): Store['world'] {
  const { worlds } = universe;

  function isMissing(batches: readonly Batch[]): boolean {
    return batches.some(({ index }) =>
      [index?.snapshot, index?.baseline].some((place) => place !== undefined && !universe.has(place.ref)),
    );
  }

  function fork(source: string, height: number, spec: Parameters<Store['world']['fork']>[2]): ForkAnswer {
    const parent = worlds.get(source);
    if (parent === undefined || parent.status === 'deleted') return { answer: 'not_found' };
    const known = worlds.get(spec.worldId);
    if (known !== undefined) {
      const from = known.lineage;
      return from?.parentWorld === source && from.forkedAtHeight === height
        ? { answer: 'ok', worldId: known.worldId, head: copyHead(known.base) }
        : { answer: 'exists' };
    }
    const snapshot = parent.snapshots.get(height);
    if (snapshot?.chain === undefined || !universe.has(snapshot.ref)) return { answer: 'snapshot_missing' };
    const chain = hashOf(['fork', snapshot.chain, spec.worldId]);
    const world = newWorld(
      { ...spec, universeId: parent.universeId, configHash: parent.configHash },
      {
        createdAtNs: universe.nowNs(),
        status: 'forking',
        base: { height, chain },
        // Nobody has written to it: its first lease gets epoch 1.
        epoch: 0,
        lineage: {
          parentWorld: source,
          forkedAtHeight: height,
          snapshotRef: snapshot.ref.slice(),
          policy: copyPolicy(spec.policy),
        },
      },
    );
    world.baseline = { height, ref: snapshot.ref.slice() };
    world.snapshots.set(height, { ref: snapshot.ref.slice(), baseline: true, chain, verifiedAtNs: undefined });
    worlds.set(spec.worldId, world);
    universe.hint(spec.worldId);
    return { answer: 'ok', worldId: spec.worldId, head: copyHead(world.base) };
  }

  return {
    create: (spec, batches) =>
      universe.run('world.create', spec.worldId, (): CreateAnswer => {
        checkBatches(batches);
        if (spec.worldId === '' || spec.configHash.length !== 32) return { answer: 'invalid', reason: 'spec' };
        if (!areDense(batches, 0)) return { answer: 'invalid', reason: 'batches' };
        if (worlds.has(spec.worldId)) return { answer: 'exists' };
        if (isMissing(batches)) return { answer: 'invalid', reason: 'snapshot' };
        const world = newWorld(spec, {
          createdAtNs: universe.nowNs(),
          status: 'active',
          base: { height: 0, chain: new Uint8Array(32) },
          // The creator wrote the genesis batch under epoch 1; the first lease gets 2 (L1).
          epoch: 1,
          lineage: undefined,
        });
        checkRows(world, batches);
        append(world, batches, undefined);
        worlds.set(spec.worldId, world);
        universe.hint(spec.worldId);
        return { answer: 'ok' };
      }),
    fork: (source, height, spec) => universe.run('world.fork', spec.worldId, () => fork(source, height, spec)),
    async get(worldId) {
      const world = worlds.get(worldId);
      return world && worldRow(world);
    },
    list: async () => [...worlds.values()].map(worldRow),
    setStatus: (worldId, from, to) =>
      universe.run('world.setStatus', worldId, () => {
        const world = worlds.get(worldId);
        if (world?.status !== from) return { answer: 'conflict' };
        world.status = to;
        universe.hint(worldId);
        return { answer: 'ok' };
      }),
    setKeys: (worldId, epoch, expected, keys) =>
      universe.run('world.setKeys', worldId, () => {
        const world = worlds.get(worldId);
        if (!universe.isHolder(world, epoch)) return fenced(world);
        const isThere = (given: Uint8Array | undefined) =>
          given === undefined || world.keys === undefined ? given === world.keys : bytesEqual(given, world.keys);
        if (!isThere(expected) && !isThere(keys)) return { answer: 'conflict' } as const;
        world.keys = keys.slice();
        return { answer: 'ok' } as const;
      }),
    markVerified: (worldId, height, ref) =>
      universe.run('world.markVerified', worldId, () => {
        const found = worlds.get(worldId)?.snapshots.get(height);
        if (found === undefined || !bytesEqual(found.ref, ref)) return { answer: 'not_found' } as const;
        found.verifiedAtNs ??= universe.nowNs();
        return { answer: 'ok' } as const;
      }),
    async snapshots(worldId) {
      const found = [...(worlds.get(worldId)?.snapshots ?? [])].sort(([a], [b]) => a - b);
      return found.map(
        ([height, { ref, baseline, verifiedAtNs }]): SnapshotRow => ({
          height,
          ref: ref.slice(),
          baseline,
          verifiedAtNs,
        }),
      );
    },
  };
}

export function memoryLeases(universe: Universe): Store['lease'] {
  const { worlds } = universe;
  return {
    acquire: (worldId, worker, ttlMs, dead) =>
      universe.run('lease.acquire', worldId, (): AcquireAnswer => {
        const world = worlds.get(worldId);
        const now = universe.nowNs();
        if (world === undefined) return { answer: 'not_found' };
        if (world.status !== 'active' && world.status !== 'forking') return { answer: 'status', status: world.status };
        const { lease, desiredWorker } = world;
        if (desiredWorker !== undefined && desiredWorker !== worker) return { answer: 'not_placed', desiredWorker };
        if (lease !== undefined && lease.expiresAtNs > now && lease.holder !== worker && lease.holder !== dead) {
          return { answer: 'held', holder: lease.holder, expiresAtNs: lease.expiresAtNs, storeNowNs: now };
        }
        world.epoch++;
        world.lease = { holder: worker, expiresAtNs: later(now, ttlMs) };
        for (const row of world.outbox.values()) {
          if (row.claimEpoch !== undefined && row.doneKey === undefined) free(row, 0n);
        }
        return {
          answer: 'ok',
          epoch: world.epoch,
          expiresAtNs: world.lease.expiresAtNs,
          storeNowNs: now,
          head: copyHead(world.head),
          cursor: itemBytes(world.cursor),
        };
      }),
    renew: (worldId, worker, epoch, ttlMs) =>
      universe.run('lease.renew', worldId, () => {
        const world = worlds.get(worldId);
        const now = universe.nowNs();
        if (!universe.isHolder(world, epoch) || world.lease?.holder !== worker) return fenced(world);
        world.lease = { holder: worker, expiresAtNs: later(now, ttlMs) };
        return { answer: 'ok', expiresAtNs: world.lease.expiresAtNs, storeNowNs: now } as const;
      }),
    release: (worldId, worker, epoch) =>
      universe.run('lease.release', worldId, () => {
        const world = worlds.get(worldId);
        if (world?.epoch !== epoch || (world.lease !== undefined && world.lease.holder !== worker))
          return fenced(world);
        world.lease = undefined;
        universe.hint(worldId);
        return { answer: 'ok' } as const;
      }),
  };
}

/** `hosting.md` §9. */
export function memoryWake(universe: Universe): Store['wake'] {
  function reasons(world: World, now: bigint) {
    return {
      inbox: world.lastItem > world.cursor,
      internal: world.internalPending,
      timers: [...world.timers.values()].some((timer) => timer.dueWallNs <= now),
      forking: world.status === 'forking',
      maintenance: world.maintainAtNs !== undefined && world.maintainAtNs <= now,
    };
  }

  return {
    async poll(worker) {
      const now = universe.nowNs();
      return [...universe.worlds.values()]
        .filter((world) => {
          const mayRun = world.status === 'active' || world.status === 'forking';
          const isHere = world.desiredWorker === undefined || world.desiredWorker === worker;
          const isElsewhere =
            world.lease !== undefined && world.lease.expiresAtNs > now && world.lease.holder !== worker;
          return mayRun && isHere && !isElsewhere;
        })
        .map((world) => ({ worldId: world.worldId, reasons: reasons(world, now) }))
        .filter(({ reasons: why }) => Object.values(why).includes(true));
    },
    subscribe: (listener) => universe.subscribe(listener),
    maintain: (worldId, epoch, atNs) =>
      universe.run('wake.maintain', worldId, () => {
        const world = universe.worlds.get(worldId);
        if (!universe.isHolder(world, epoch)) return fenced(world);
        world.maintainAtNs = atNs === undefined ? undefined : later(atNs, 0);
        return { answer: 'ok' } as const;
      }),
  };
}

export function memoryPlaces(universe: Universe): Store['place'] {
  return {
    set: (worldId, worker) =>
      universe.run('place.set', worldId, () => {
        const world = universe.worlds.get(worldId);
        if (world === undefined || world.status === 'deleted') return { answer: 'not_found' };
        world.desiredWorker = worker;
        universe.hint(worldId);
        return { answer: 'ok' };
      }),
    async list() {
      const now = universe.nowNs();
      return [...universe.worlds.values()]
        .filter((world) => world.status !== 'deleted')
        .map(({ worldId, desiredWorker, lease, labels }) => ({
          worldId,
          desiredWorker,
          holder: lease !== undefined && lease.expiresAtNs > now ? lease.holder : undefined,
          labels: { ...labels },
        }));
    },
  };
}
