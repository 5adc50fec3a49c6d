import { bytesEqual, CborWriter } from '@worldline/canon';
import type { Applied, Batch, BatchIndex, Outcome } from './batch.ts';
import type { BatchBody } from './body.ts';
import { writeBatchBody } from './body-bytes.ts';
import { nextChain, ZERO_CHAIN } from './chain.ts';
import type { GenesisIngress, SnapshotIngress } from './ingress.ts';
import { runInstance } from './plan-run.ts';
import type { JournalRecord } from './record.ts';
import type { WorldState } from './state.ts';
import { Runaway, type Stamp, Turn } from './turn.ts';
import { UndoLog } from './undo.ts';

/** A batch as it is stored. */
export interface RecordedBatch {
  readonly body: Uint8Array;
  /** Chain value after it. */
  readonly chain: Uint8Array;
}

interface Position {
  readonly height: number;
  readonly chain: Uint8Array;
  readonly cursor: Uint8Array;
}

type Rows = Partial<Pick<Batch, 'inboxCursor' | 'timers' | 'settled' | 'released' | 'index'>>;

const NOTHING: readonly never[] = [];

/**
 * Makes batches of turns: drains what a turn caused, encodes and chains it, and knows how to take back what is not
 * accepted yet (`kernel.md` §16 `accept`, `discard`). Applying and replaying share it, so they cannot differ.
 */
export class BatchLog {
  readonly #state: WorldState;
  readonly #epoch: number;
  /** The batch that is being replayed, and the epoch in its body. */
  #recorded: (RecordedBatch & { readonly epoch: number }) | undefined;
  /** Tentative batches, oldest first: how to take each back. */
  readonly #tentative: { readonly undo: UndoLog | undefined; readonly before: Position; readonly isSnapshot?: true }[] =
    [];
  readonly #entries = new CborWriter();
  readonly #body = new CborWriter();
  readonly #spareLogs: UndoLog[] = [];
  #piece = new Uint8Array(0);
  #pieceAt = PIECE_BYTES;

  /** @param epoch - lease epoch of the writer, for batches that are not replayed. */
  constructor(state: WorldState, epoch: number) {
    this.#state = state;
    this.#epoch = epoch;
  }

  get tentativeCount(): number {
    return this.#tentative.length;
  }

  /** The oldest `count` tentative batches are durable. @returns whether a snapshot is among them. */
  accept(count: number): boolean {
    if (count > this.#tentative.length)
      throw new Error(`${count} batches accepted, ${this.#tentative.length} are tentative`);
    let isSnapshot = false;
    for (const accepted of this.#tentative.splice(0, count)) {
      if (accepted.undo !== undefined) this.#release(accepted.undo);
      if (accepted.isSnapshot === true) isSnapshot = true;
    }
    return isSnapshot;
  }

  /** Takes every tentative batch back. */
  discard(): void {
    const state = this.#state;
    for (let i = this.#tentative.length - 1; i >= 0; i--) {
      const { undo, before } = this.#tentative[i]!;
      if (undo !== undefined) {
        undo.rollback();
        this.#release(undo);
      }
      state.height = before.height;
      state.chain = before.chain;
      state.cursor = before.cursor;
    }
    this.#tentative.length = 0;
  }

  /** Batches that `run` makes carry the epoch of `recorded`, and its bytes where they are the same. */
  replaying<T>(recorded: RecordedBatch & { readonly epoch: number }, run: () => T): T {
    this.#recorded = recorded;
    try {
      return run();
    } finally {
      this.#recorded = undefined;
    }
  }

  newTurn(stamp: Stamp): Turn {
    return this.#turn(stamp, this.#state.config.limits.max_entries_per_batch);
  }

  /** One record always fits, whatever the limits are: a refusal is never refused. */
  refusalTurn(stamp: Stamp): Turn {
    return this.#turn(stamp, 1);
  }

  #turn(stamp: Stamp, entriesMax: number): Turn {
    const undo = this.#spareLogs.pop() ?? new UndoLog();
    return new Turn(this.#state.height, stamp, entriesMax, { entries: this.#entries, undo });
  }

  /** Undoes what a turn did that becomes no batch. */
  abandon(turn: Turn): void {
    turn.undo.rollback();
    this.#release(turn.undo);
  }

  #release(undo: UndoLog): void {
    undo.forget();
    if (this.#spareLogs.length < SPARE_LOGS_MAX) this.#spareLogs.push(undo);
  }

  /** Runs what the turn queued until nothing is left (`kernel.md` §6.4). @throws Runaway over the limit of tasks. */
  drain(turn: Turn): void {
    const limit = this.#state.config.limits.max_tasks_per_ingress;
    let tasks = 0;
    for (let planId = turn.dequeue(); planId !== undefined; planId = turn.dequeue()) {
      const instance = this.#state.instance(planId);
      if (instance === undefined) continue;
      if (++tasks > limit) throw new Runaway();
      runInstance(this.#state, turn, instance);
    }
  }

  /** @param remember - whether the `ingress_id` of the envelope becomes known. */
  close(turn: Turn, envelope: BatchBody['ingress'], outcome: Outcome, remember: boolean, index?: BatchIndex): Applied {
    const state = this.#state;
    const before = this.#position();
    turn.undo.log(restoreTimes, state, state.logicalNowNs, state.lastNowNs);
    state.logicalNowNs = turn.stamp.logicalNowNs;
    state.lastNowNs = turn.stamp.nowNs;
    const { ingressId, digest, inboxSeq } = envelope;
    if (ingressId !== undefined && digest !== undefined && remember) {
      state.ingressMemory.add({ ingressId, firstSeq: turn.firstSeq, digest }, turn.undo);
    }
    if (inboxSeq !== undefined) state.cursor = inboxSeq;
    const { timers, settled, released } = turn;
    const batch = this.#seal(envelope, turn.stamp, turn, { inboxCursor: inboxSeq, timers, settled, released, index });
    this.#tentative.push({ undo: turn.undo, before });
    return { outcome, batch, records: turn.records, objects: turn.objects, unseen: turn.unseen };
  }

  /** A batch without entries: `seal`, or `skip` when the inbox cursor moves past an item. */
  empty(envelope: BatchBody['ingress'], outcome: Outcome): Applied {
    const before = this.#position();
    const { inboxSeq } = envelope;
    if (inboxSeq !== undefined) this.#state.cursor = inboxSeq;
    const batch = this.#seal(envelope, undefined, undefined, { inboxCursor: inboxSeq });
    this.#tentative.push({ undo: undefined, before });
    return { outcome, batch, records: NOTHING, objects: NOTHING };
  }

  snapshot(ingress: SnapshotIngress): Applied {
    if (this.#tentative.length > 0) throw new Error('a snapshot is journaled only when every batch is accepted');
    const before = this.#position();
    const { height } = this.#state;
    const ref = ingress.snapshotRef;
    const records = snapshotRecords(this.#state, ingress);
    const turn = this.#turn(NO_STAMP, records.length);
    for (const record of records) turn.append(record);
    const index: BatchIndex = {
      snapshot: { height, ref },
      baseline: ingress.promote ? { height, ref } : undefined,
    };
    const batch = this.#seal({ kind: 'snapshot' }, undefined, turn, { index });
    this.#tentative.push({ undo: turn.undo, before, isSnapshot: true });
    const outcome: Outcome = { kind: 'applied', firstSeq: height, lastSeq: batch.lastSeq };
    return { outcome, batch, records, objects: NOTHING };
  }

  genesis(ingress: Pick<GenesisIngress, 'manifestHash' | 'configHash'>, stamp: Stamp): Applied {
    const before = this.#position();
    const turn = this.#turn(stamp, 1);
    turn.append({ record_kind: 'manifest', manifest_hash: ingress.manifestHash, config_hash: ingress.configHash });
    this.#state.logicalNowNs = stamp.logicalNowNs;
    this.#state.lastNowNs = stamp.nowNs;
    const index: BatchIndex = { configHash: ingress.configHash, activate: true };
    const batch = this.#seal({ kind: 'genesis' }, stamp, turn, { index });
    this.#tentative.push({ undo: turn.undo, before });
    return { outcome: { kind: 'applied', firstSeq: 0, lastSeq: 0 }, batch, records: turn.records, objects: NOTHING };
  }

  #position(): Position {
    return { height: this.#state.height, chain: this.#state.chain, cursor: this.#state.cursor };
  }

  #store(body: CborWriter): Uint8Array {
    const { length } = body;
    if (length > SHARED_BYTES_MAX) return body.take();
    if (this.#pieceAt + length > PIECE_BYTES) {
      this.#piece = new Uint8Array(PIECE_BYTES);
      this.#pieceAt = 0;
    }
    body.copyTo(this.#piece, this.#pieceAt);
    const bytes = this.#piece.subarray(this.#pieceAt, this.#pieceAt + length);
    this.#pieceAt += length;
    return bytes;
  }

  /** Encodes the batch and moves head and chain. */
  #seal(ingress: BatchBody['ingress'], stamp: Stamp | undefined, turn: Turn | undefined, rows: Rows): Batch {
    const state = this.#state;
    const firstSeq = state.height;
    const count = turn === undefined ? 0 : turn.records.length;
    const recorded = this.#recorded;
    const out = this.#body;
    out.clear();
    const epoch = recorded === undefined ? this.#epoch : recorded.epoch;
    const entries = { count, bytes: turn === undefined ? EMPTY : turn.entries.peek() };
    const from = writeBatchBody(out, { v: 1, firstSeq, epoch, cursor: state.cursor, ingress, stamp }, entries);
    let body: Uint8Array;
    if (recorded !== undefined && bytesEqual(recorded.body, out.peek())) {
      body = recorded.body;
      state.chain = recorded.chain;
    } else {
      body = this.#store(out);
      state.chain = nextChain(state.chain, body);
    }
    state.height = firstSeq + count;
    return {
      chain: state.chain,
      body,
      firstSeq,
      lastSeq: state.height - 1,
      inboxCursor: rows.inboxCursor,
      emitted:
        turn === undefined || turn.emitted.length === 0
          ? NOTHING
          : turn.emitted.map(({ emissionSeq, intentHash, kind, from: start, to }) => ({
              emissionSeq,
              intentHash,
              kind,
              request: body.subarray(from + start, from + to),
            })),
      timers: rows.timers ?? NOTHING,
      settled: rows.settled ?? NOTHING,
      released: rows.released ?? NOTHING,
      index: rows.index,
      internalPending: false,
    };
  }
}

/** Outcome of a batch that is closed as it stands. */
export function appliedOutcome(turn: Turn): Outcome {
  return { kind: 'applied', firstSeq: turn.firstSeq, lastSeq: turn.nextSeq - 1 };
}

function restoreTimes(state: WorldState, logicalNowNs: bigint, lastNowNs: bigint): void {
  state.logicalNowNs = logicalNowNs;
  state.lastNowNs = lastNowNs;
}

const EMPTY = new Uint8Array(0);

/** As many as there are tentative batches of a busy world. */
const SPARE_LOGS_MAX = 512;

/**
 * Bodies of a usual size share a piece of memory: getting one of its own takes longer than filling it. What is kept of a
 * batch keeps its piece, so pieces are small.
 */
const PIECE_BYTES = 32 * 1024;
const SHARED_BYTES_MAX = 2048;

const NO_STAMP: Stamp = { nowNs: 0n, logicalNowNs: 0n, entropy: new Uint8Array(64), manifestHash: ZERO_CHAIN };

function snapshotRecords(state: WorldState, ingress: SnapshotIngress): JournalRecord[] {
  const manifestHash = state.catalog.manifestHash;
  const height = state.height;
  const records: JournalRecord[] = [
    { record_kind: 'snapshot', snapshot_ref: ingress.snapshotRef, height, manifest_hash: manifestHash },
  ];
  if (ingress.promote) {
    const oldest = state.emissions.entries()[Symbol.iterator]().next();
    records.push({
      record_kind: 'baseline',
      snapshot_ref: ingress.snapshotRef,
      height,
      manifest_hash: manifestHash,
      logical_time_ns: state.logicalNowNs,
      receipt_horizon_height: oldest.done === true ? height : oldest.value[0],
    });
  }
  return records;
}
