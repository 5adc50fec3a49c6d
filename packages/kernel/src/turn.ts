import { concatBytes, sha256, sha512, u64be, utf8 } from '@worldline/canon';
import type { EmittedRow, ReleasedRow, StoredObject, TimerRow } from './batch.ts';
import type { JournalRecord } from './record.ts';
import { encodeRecord } from './record-codec.ts';
import { UndoLog } from './undo.ts';

/** The root stamp of a batch as it is journaled (`kernel.md` §4). */
export interface Stamp {
  readonly nowNs: bigint;
  readonly logicalNowNs: bigint;
  readonly entropy: Uint8Array;
  readonly manifestHash: Uint8Array;
}

/** Too many tasks or entries: everything this ingress did is rolled back and it is refused (`kernel.md` §6.4). */
export class Runaway extends Error {}

/** The application of one ingress: what it journals and what follows from it. */
export class Turn {
  readonly firstSeq: number;
  readonly stamp: Stamp;
  readonly undo = new UndoLog();
  readonly records: JournalRecord[] = [];
  readonly entries: Uint8Array[] = [];
  readonly emitted: EmittedRow[] = [];
  readonly timers: TimerRow[] = [];
  readonly settled: number[] = [];
  readonly released: ReleasedRow[] = [];
  readonly objects: StoredObject[] = [];
  /** Instances to run, oldest first; each at most once. */
  readonly planQueue: number[] = [];
  readonly queued = new Set<number>();
  readonly #entriesMax: number;

  constructor(firstSeq: number, stamp: Stamp, entriesMax: number) {
    this.firstSeq = firstSeq;
    this.stamp = stamp;
    this.#entriesMax = entriesMax;
  }

  get nextSeq(): number {
    return this.firstSeq + this.records.length;
  }

  /** @returns the record's seq. */
  append(record: JournalRecord): number {
    if (this.records.length >= this.#entriesMax) throw new Runaway();
    const seq = this.nextSeq;
    this.records.push(record);
    this.entries.push(encodeRecord(record));
    return seq;
  }

  /** An object that must be durable with this batch. @returns its hash. */
  store(bytes: Uint8Array): Uint8Array {
    const hash = sha256(bytes);
    this.objects.push({ hash, bytes });
    return hash;
  }

  enqueue(planId: number): void {
    if (this.queued.has(planId)) return;
    this.queued.add(planId);
    this.planQueue.push(planId);
  }
}

const ENTROPY_DOMAIN = utf8('air/entropy/1');

/** Entropy of the i-th derived `domain_event` of a batch, i from 1 (`kernel.md` §4). */
export function derivedEntropy(rootEntropy: Uint8Array, i: number): Uint8Array {
  return sha512(concatBytes(ENTROPY_DOMAIN, rootEntropy, u64be(i)));
}
