import { bytesEqual } from '@worldline/canon';
import type { CheckpointAnswer, Store, StoredCheckpoint } from '@worldline/ports';
import { fenced, type Universe } from './memory-universe.ts';

/** `journal.md` §2.1. */
export function memoryCheckpoints(universe: Universe): Store['checkpoint'] {
  const { worlds } = universe;
  return {
    append: (worldId, epoch, given) =>
      universe.run('checkpoint.append', worldId, (): CheckpointAnswer => {
        const world = worlds.get(worldId);
        if (!universe.isHolder(world, epoch)) return fenced(world);
        const known = world.checkpoints.find((c) => bytesEqual(c.chainBefore, given.chainBefore));
        if (known !== undefined) return { answer: bytesEqual(known.bytes, given.bytes) ? 'ok' : 'conflict' };
        const last = world.checkpoints.at(-1) ?? { chain: world.base.chain, nextSeq: world.base.height };
        const follows =
          bytesEqual(given.chainBefore, last.chain) &&
          given.nextSeq >= last.nextSeq &&
          given.nextSeq <= world.head.height;
        if (!follows) return { answer: 'conflict' };
        world.checkpoints.push(copyCheckpoint(given));
        return { answer: 'ok' };
      }),
    async read(worldId, from, limit) {
      const found = worlds.get(worldId)?.checkpoints.slice(from, from + Math.max(0, limit)) ?? [];
      return found.map(copyCheckpoint);
    },
    async last(worldId) {
      const last = worlds.get(worldId)?.checkpoints.at(-1);
      return last && copyCheckpoint(last);
    },
  };
}

function copyCheckpoint({ chainBefore, chain, nextSeq, bytes }: StoredCheckpoint): StoredCheckpoint {
  return { chainBefore: chainBefore.slice(), chain: chain.slice(), nextSeq, bytes: bytes.slice() };
}
