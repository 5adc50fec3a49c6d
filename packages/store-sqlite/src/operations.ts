import { appendCheckpoint } from './write-checkpoint.ts';
import { commit } from './write-commit.ts';
import { enqueue, trimInbox } from './write-inbox.ts';
import { acquireLease, releaseLease, renewLease } from './write-lease.ts';
import { deleteObject, putObjects, sweepObject } from './write-objects.ts';
import { claim, complete, extend, reconcile, retry, start } from './write-outbox.ts';
import { dropBelow, dropSnapshot, indexSegment, snapshotVerified } from './write-segments.ts';
import { fire, rearm } from './write-timers.ts';
import type { Tx } from './write-tx.ts';
import { createWorld, forkWorld, maintainWorld, markVerified, placeWorld, setKeys, setStatus } from './write-world.ts';

/** Everything that changes the store, by the names of the contract. Each runs inside one transaction. */
export const OPERATIONS = {
  'cas.putMany': putObjects,
  'cas.delete': deleteObject,
  'cas.sweep': sweepObject,
  'world.create': createWorld,
  'world.fork': forkWorld,
  'world.setKeys': setKeys,
  'world.markVerified': markVerified,
  'world.setStatus': setStatus,
  'lease.acquire': acquireLease,
  'lease.renew': renewLease,
  'lease.release': releaseLease,
  commit,
  'checkpoint.append': appendCheckpoint,
  'inbox.enqueue': enqueue,
  'inbox.trim': trimInbox,
  'outbox.claim': claim,
  'outbox.start': start,
  'outbox.extend': extend,
  'outbox.complete': complete,
  'outbox.retry': retry,
  'outbox.reconcile': reconcile,
  'timers.fire': fire,
  'timers.rearm': rearm,
  'segment.index': indexSegment,
  'journal.dropBelow': dropBelow,
  'snapshot.verified': snapshotVerified,
  'snapshot.drop': dropSnapshot,
  'wake.maintain': maintainWorld,
  'place.set': placeWorld,
};

export type OperationName = keyof typeof OPERATIONS;
/** Every operation whose arguments go to the writer thread as they are. */
export type PostedOperation = Exclude<OperationName, 'commit'>;

export type OperationArguments<K extends OperationName> = (typeof OPERATIONS)[K] extends (
  tx: Tx,
  ...args: infer A
) => unknown
  ? A
  : never;

export type OperationAnswer<K extends OperationName> = ReturnType<(typeof OPERATIONS)[K]>;
