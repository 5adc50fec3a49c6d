import { bytesEqual } from '@worldline/canon';
import type { CheckpointAnswer, StoredCheckpoint } from '@worldline/ports';
import { fenced, isHolder, readWorld, type Tx } from './write-tx.ts';

/** Extends the line of signed checkpoints (`journal.md` §2.1); a world has one, without gap and without fork. */
export function appendCheckpoint(tx: Tx, worldId: string, epoch: number, given: StoredCheckpoint): CheckpointAnswer {
  const world = readWorld(tx, worldId);
  if (!isHolder(tx, world, epoch)) return fenced(world);
  const { w } = world;
  // One checkpoint follows from a chain value: the same one again is a repeat, another one would be a fork.
  const known = tx.sql.get('SELECT bytes FROM checkpoints WHERE w = ? AND chain_before = ?', w, given.chainBefore);
  if (known !== undefined) {
    return { answer: bytesEqual(known.bytes as Uint8Array, given.bytes) ? 'ok' : 'conflict' };
  }
  const last = tx.sql.get('SELECT n, chain, next_seq FROM checkpoints WHERE w = ? ORDER BY n DESC LIMIT 1', w);
  const end = last ?? tx.sql.get('SELECT base_chain AS chain, base_height AS next_seq FROM worlds WHERE w = ?', w);
  const follows =
    bytesEqual(given.chainBefore, end?.chain as Uint8Array) &&
    given.nextSeq >= Number(end?.next_seq) &&
    given.nextSeq <= world.height;
  if (!follows) return { answer: 'conflict' };
  tx.sql.run(
    'INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?)',
    w,
    last === undefined ? 0 : Number(last.n) + 1,
    given.chainBefore,
    given.chain,
    given.nextSeq,
    given.bytes,
  );
  return { answer: 'ok' };
}
