import { type CborWriter, concatBytes, sha256, sha512, u64be, utf8 } from '@worldline/canon';
import type { ReleasedRow, StoredObject, TimerRow, UnseenEvent } from './batch.ts';
import type { JournalRecord } from './record.ts';
import { writeRecord } from './record-writer.ts';
import type { UndoLog } from './undo.ts';

/** The root stamp of a batch as it is journaled (`kernel.md` §4). */
export interface Stamp {
  readonly nowNs: bigint;
  readonly logicalNowNs: bigint;
  readonly entropy: Uint8Array;
  readonly manifestHash: Uint8Array;
}

/** Too many tasks or entries: everything this ingress did is rolled back and it is refused (`kernel.md` §6.4). */
export class Runaway extends Error {}

/** An outbox row whose request is a part of the entries: `EmittedRow` before the batch has its bytes. */
export interface EmittedEntry {
  readonly emissionSeq: number;
  readonly intentHash: Uint8Array;
  readonly kind: string;
  /** Where the payload of the `effect_intent` stands among the entries. */
  readonly from: number;
  readonly to: number;
}

/** Most records of one entry are about this long; what it really is only decides whether the bytes are moved once. */
const ENTRY_BYTES = 300;
/** Above this many queued instances, a set says which ones are. */
const SCANNED_MAX = 16;

/** The application of one ingress: what it journals and what follows from it. */
export class Turn {
  readonly firstSeq: number;
  readonly stamp: Stamp;
  readonly undo: UndoLog;
  readonly records: JournalRecord[] = [];
  /** The encoded entries, each with its head. Shared by all turns: it holds what is appended until the batch is sealed. */
  readonly entries: CborWriter;
  readonly emitted: EmittedEntry[] = [];
  readonly timers: TimerRow[] = [];
  readonly settled: number[] = [];
  readonly released: ReleasedRow[] = [];
  readonly objects: StoredObject[] = [];
  /** Made when there is something to say, which is nearly never. */
  unseen: UnseenEvent[] | undefined;
  /** Instances to run, oldest first; each at most once among those that did not run yet. */
  readonly #planQueue: number[] = [];
  #next = 0;
  #queued: Set<number> | undefined;
  readonly #entriesMax: number;
  /** Where the payload of the newest entry begins. */
  #entryFrom = 0;

  constructor(firstSeq: number, stamp: Stamp, entriesMax: number, use: { entries: CborWriter; undo: UndoLog }) {
    this.firstSeq = firstSeq;
    this.stamp = stamp;
    this.#entriesMax = entriesMax;
    this.entries = use.entries;
    this.undo = use.undo;
    use.entries.clear();
  }

  get nextSeq(): number {
    return this.firstSeq + this.records.length;
  }

  /** @returns the record's seq. */
  append(record: JournalRecord): number {
    if (this.records.length >= this.#entriesMax) throw new Runaway();
    const seq = this.nextSeq;
    const { entries } = this;
    const opened = entries.openBytes(ENTRY_BYTES);
    const from = entries.length;
    writeRecord(entries, record);
    const length = entries.length - from;
    entries.closeBytes(opened);
    this.#entryFrom = entries.length - length;
    this.records.push(record);
    return seq;
  }

  /** The `effect_intent` that was just appended asks somebody outside. */
  emit(emissionSeq: number, intentHash: Uint8Array, kind: string): void {
    this.emitted.push({ emissionSeq, intentHash, kind, from: this.#entryFrom, to: this.entries.length });
  }

  /** An object that must be durable with this batch. @returns its hash. */
  store(bytes: Uint8Array): Uint8Array {
    const hash = sha256(bytes);
    this.objects.push({ hash, bytes });
    return hash;
  }

  enqueue(planId: number): void {
    const queue = this.#planQueue;
    if (this.#queued !== undefined) {
      if (this.#queued.has(planId)) return;
      this.#queued.add(planId);
    } else if (queue.length - this.#next > SCANNED_MAX) {
      this.#queued = new Set(queue.slice(this.#next));
      if (this.#queued.has(planId)) return;
      this.#queued.add(planId);
    } else {
      for (let i = this.#next; i < queue.length; i++) if (queue[i] === planId) return;
    }
    queue.push(planId);
  }

  /** The instance to run next, off the queue. */
  dequeue(): number | undefined {
    const planId = this.#planQueue[this.#next];
    if (planId === undefined) return undefined;
    this.#next++;
    this.#queued?.delete(planId);
    return planId;
  }
}

const ENTROPY_DOMAIN = utf8('air/entropy/1');

/** Entropy of the i-th derived `domain_event` of a batch, i from 1 (`kernel.md` §4). */
export function derivedEntropy(rootEntropy: Uint8Array, i: number): Uint8Array {
  return sha512(concatBytes(ENTROPY_DOMAIN, rootEntropy, u64be(i)));
}
