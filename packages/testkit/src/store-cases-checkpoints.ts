import { concatBytes, utf8 } from '@worldline/canon';
import type { Head, StoredCheckpoint } from '@worldline/ports';
import { answers, answersWith, hash, makeBatch, type StoreCase, same, TTL_MS } from './store-case.ts';

const START: Head = { height: 0, chain: new Uint8Array(32) };

/** A checkpoint over whatever lies between two heads; its bytes are opaque. */
function checkpoint(before: Head, after: Head, text = 'signed'): StoredCheckpoint {
  return {
    chainBefore: before.chain,
    chain: after.chain,
    nextSeq: after.height,
    bytes: concatBytes(utf8(text), after.chain),
  };
}

export const CHECKPOINT_CASES: readonly StoreCase[] = [
  {
    name: '§2 a world row carries the public keys it was created with, also across reopening; without keys none',
    async run(t) {
      const keys = utf8('public keys');
      await t.store.world.create({ worldId: 'a', universeId: 'u', configHash: hash('config'), keys }, []);
      await t.store.world.create({ worldId: 'b', universeId: 'u', configHash: hash('config') }, []);
      const store = await t.harness.reopen();
      await answersWith(store.world.get('a'), { keys });
      await answersWith(store.world.get('b'), { keys: undefined });
    },
  },
  {
    name: '§4.1 checkpoint.append extends a line that read gives back in order, and last its end',
    async run(t) {
      const world = await t.world();
      await answers(t.store.checkpoint.last(world.worldId), undefined);
      await answers(t.store.checkpoint.read(world.worldId, 0, 10), []);
      const line: StoredCheckpoint[] = [];
      let before = START;
      for (let i = 0; i < 4; i++) {
        await world.commit({ entries: i });
        line.push(checkpoint(before, world.head));
        before = world.head;
        await answers(t.store.checkpoint.append(world.worldId, world.epoch, line[i]!), { answer: 'ok' });
      }
      await answers(t.store.checkpoint.read(world.worldId, 0, 10), line);
      await answers(t.store.checkpoint.read(world.worldId, 1, 2), line.slice(1, 3));
      await answers(t.store.checkpoint.read(world.worldId, 4, 10), []);
      await answers(t.store.checkpoint.read(world.worldId, 0, 0), []);
      await answers(t.store.checkpoint.last(world.worldId), line[3]);
    },
  },
  {
    name: 'journal.md §2.1 a group of empty batches has its checkpoint: the chain moves on while next_seq stands',
    async run(t) {
      const world = await t.world();
      const first = checkpoint(START, world.head);
      await answers(t.store.checkpoint.append(world.worldId, world.epoch, first), { answer: 'ok' });
      const before = world.head;
      await world.commit({ entries: 0 });
      const second = checkpoint(before, world.head);
      same(second.nextSeq, first.nextSeq);
      await answers(t.store.checkpoint.append(world.worldId, world.epoch, second), { answer: 'ok' });
      await answers(t.store.checkpoint.read(world.worldId, 0, 10), [first, second]);
    },
  },
  {
    name: '§4.1 the same checkpoint again is ok and changes nothing, whether it is the last one or not',
    async run(t) {
      const world = await t.world();
      const first = checkpoint(START, world.head);
      const before = world.head;
      await world.commit();
      const second = checkpoint(before, world.head);
      for (const each of [first, first, second, first, second]) {
        await answers(t.store.checkpoint.append(world.worldId, world.epoch, each), { answer: 'ok' });
      }
      await answers(t.store.checkpoint.read(world.worldId, 0, 10), [first, second]);
    },
  },
  {
    name: 'I2 a checkpoint that does not follow from the last one is a conflict: no gap, no fork, no second beginning',
    async run(t) {
      const world = await t.world();
      const first = world.head;
      await world.commit();
      const second = world.head;
      await world.commit();
      const third = world.head;
      const append = (given: StoredCheckpoint) => t.store.checkpoint.append(world.worldId, world.epoch, given);
      await answers(append(checkpoint(first, second)), { answer: 'conflict' });
      await answers(append(checkpoint(START, first)), { answer: 'ok' });
      await answers(append(checkpoint(second, third)), { answer: 'conflict' });
      await answers(append(checkpoint(START, second)), { answer: 'conflict' });
      await answers(append(checkpoint(START, first, 'signed by another')), { answer: 'conflict' });
      await answers(append(checkpoint({ height: 1, chain: hash('elsewhere') }, second)), { answer: 'conflict' });
      await answers(append(checkpoint(first, third)), { answer: 'ok' });
      await answers(append(checkpoint(first, second)), { answer: 'conflict' });
      await answers(t.store.checkpoint.read(world.worldId, 0, 10), [
        checkpoint(START, first),
        checkpoint(first, third),
      ]);
    },
  },
  {
    name: 'I11 a checkpoint neither moves back nor passes the head',
    async run(t) {
      const world = await t.world();
      await world.commit({ entries: 4 });
      const middle = world.head;
      const append = (given: StoredCheckpoint) => t.store.checkpoint.append(world.worldId, world.epoch, given);
      await answers(append({ ...checkpoint(START, middle), nextSeq: middle.height + 1 }), { answer: 'conflict' });
      await answers(append(checkpoint(START, middle)), { answer: 'ok' });
      await world.commit();
      await answers(append({ ...checkpoint(middle, world.head), nextSeq: middle.height - 1 }), { answer: 'conflict' });
      await answers(append(checkpoint(middle, world.head)), { answer: 'ok' });
    },
  },
  {
    name: '§6 L2 another epoch, an expired or a released lease, and an unknown world are fenced',
    async run(t) {
      const world = await t.world();
      const { worldId, epoch } = world;
      const first = checkpoint(START, world.head);
      await answers(t.store.checkpoint.append(worldId, epoch - 1, first), { answer: 'fenced', epoch });
      await answers(t.store.checkpoint.append('unknown', 1, first), { answer: 'fenced', epoch: 0 });
      await t.store.lease.release(worldId, 'w1', epoch);
      await answers(t.store.checkpoint.append(worldId, epoch, first), { answer: 'fenced', epoch });
      await world.acquire('w2');
      t.clock.advance(BigInt(TTL_MS) * 1_000_000n);
      await answers(t.store.checkpoint.append(worldId, world.epoch, first), { answer: 'fenced', epoch: world.epoch });
      await answers(t.store.checkpoint.read(worldId, 0, 10), []);
    },
  },
  {
    name: '§2.1 the next lease holder goes on from the last checkpoint, which survives reopening',
    async run(t) {
      const world = await t.world();
      const first = checkpoint(START, world.head);
      await answers(t.store.checkpoint.append(world.worldId, world.epoch, first), { answer: 'ok' });
      t.store = await t.harness.reopen();
      await world.acquire('w2', 'w1');
      await answers(t.store.checkpoint.last(world.worldId), first);
      const before = world.head;
      await world.commit();
      const second = checkpoint(before, world.head);
      await answers(t.store.checkpoint.append(world.worldId, world.epoch, second), { answer: 'ok' });
      await answers((await t.harness.another()).checkpoint.read(world.worldId, 0, 10), [first, second]);
    },
  },
  {
    name: 'worlds have lines of their own, and the checkpoints of a world leave its row and its journal alone',
    async run(t) {
      const a = await t.world();
      const b = await t.world();
      const row = await t.store.world.get(a.worldId);
      await answers(t.store.checkpoint.append(a.worldId, a.epoch, checkpoint(START, a.head)), { answer: 'ok' });
      await answers(t.store.checkpoint.last(b.worldId), undefined);
      await answers(t.store.world.get(a.worldId), row);
      await answers(t.store.checkpoint.append(b.worldId, b.epoch, checkpoint(START, b.head)), { answer: 'ok' });
      await answers(t.store.commit(a.worldId, a.epoch, a.head, [makeBatch(a.head)]), {
        answer: 'ok',
        ...nextHead(a.head),
      });
    },
  },
];

function nextHead(before: Head): Head {
  const batch = makeBatch(before);
  return { height: batch.lastSeq + 1, chain: batch.chain };
}
