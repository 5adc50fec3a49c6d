import type { Batch, EmittedRow, StoredObject, TimerRow } from '@worldline/kernel';
import type { Signal } from './adapter.ts';

/** What a store takes, so that a driver needs no other package than this one. */
export type { Batch, BatchIndex, EmittedRow, ReleasedRow, StoredObject, TimerRow } from '@worldline/kernel';

/**
 * The storage contract (`hosting.md` §4). All calls are scoped to one universe. Every operation is safe to repeat with
 * the same arguments. Lease times, visibility and due times are judged by the store's clock only.
 *
 * An answer is a value; a promise rejects for a caller's bug, and, for reads whose answer has no place for an outage,
 * with a `FailureError` `store.unavailable`. `unavailable` means certainly nothing happened, `unknown` means it may have
 * happened: read before writing again. Where an operation has no `unknown`, repeating it finds out.
 */
export type Unavailable = { readonly answer: 'unavailable'; readonly message: string };

export type WorldStatus = 'forking' | 'active' | 'paused' | 'quarantined' | 'archived' | 'deleted';

export interface Head {
  /** Next seq to be written. */
  readonly height: number;
  /** Chain value after the last batch; 32 zero bytes before the first. */
  readonly chain: Uint8Array;
}

export interface BaselineRef {
  readonly height: number;
  readonly ref: Uint8Array;
}

/** What becomes of emissions that are pending at a fork (`journal.md` §10). */
export interface ForkPolicy {
  readonly effects: 'fail' | 'end' | 'carry';
  readonly timers: 'carry' | 'fail';
}

/** Where a forked world comes from. Its first lease holder reads the policy here. */
export interface Lineage {
  readonly parentWorld: string;
  readonly forkedAtHeight: number;
  readonly snapshotRef: Uint8Array;
  readonly policy: ForkPolicy;
}

export type Labels = Readonly<Record<string, string>>;

export interface WorldRow {
  readonly worldId: string;
  readonly universeId: string;
  readonly status: WorldStatus;
  readonly head: Head;
  /** Where the journal of this world begins: height 0, or for a fork the head it was made with. */
  readonly base: Head;
  readonly activeBaseline: BaselineRef;
  /** Empty before the first item. */
  readonly inboxCursor: Uint8Array;
  readonly internalPending: boolean;
  readonly epoch: number;
  readonly lease?: { readonly holder: string; readonly expiresAtNs: bigint } | undefined;
  /** The only worker that may acquire it; absent: any. */
  readonly desiredWorker?: string | undefined;
  readonly labels: Labels;
  readonly configHash: Uint8Array;
  /** Public world keys as they were given (`docs/formats/checkpoint.md`); absent when the world has none. */
  readonly keys?: Uint8Array | undefined;
  /** Absent unless the world is a fork. */
  readonly lineage?: Lineage | undefined;
  readonly createdAtNs: bigint;
  /** From this instant on `wake.poll` names the world, whatever else there is to do. */
  readonly maintainAtNs?: bigint | undefined;
  /** Rises whenever there is something new to do. A hint, never the truth (`hosting.md` §9). */
  readonly notify: number;
}

export interface WorldSpec {
  readonly worldId: string;
  readonly universeId: string;
  /** 32 bytes. */
  readonly configHash: Uint8Array;
  /** Public world keys, encoded by the host. Opaque to the store. */
  readonly keys?: Uint8Array | undefined;
  readonly labels?: Labels | undefined;
  readonly desiredWorker?: string | undefined;
}

export type CreateAnswer =
  | { readonly answer: 'ok' }
  | { readonly answer: 'exists' }
  /** `spec`: no id, or a hash of the wrong form. `batches`: not dense from 0. `snapshot`: an indexed one is not stored (P5). */
  | { readonly answer: 'invalid'; readonly reason: 'spec' | 'batches' | 'snapshot' }
  | Unavailable;

export interface ForkSpec {
  readonly worldId: string;
  readonly policy: ForkPolicy;
  readonly keys?: Uint8Array | undefined;
  readonly labels?: Labels | undefined;
  readonly desiredWorker?: string | undefined;
}

export type ForkAnswer =
  | { readonly answer: 'ok'; readonly worldId: string; readonly head: Head }
  /** Another world, or a fork from elsewhere, has that id. */
  | { readonly answer: 'exists' }
  | { readonly answer: 'not_found' }
  /** No snapshot is indexed at that height, its object is gone, or no batch ends there. */
  | { readonly answer: 'snapshot_missing' }
  | Unavailable;

export type PutAnswer =
  | { readonly answer: 'ok'; readonly hash: Uint8Array }
  | { readonly answer: 'invalid'; readonly reason: 'hash_mismatch' }
  | { readonly answer: 'too_large' }
  | Unavailable;

export type GetAnswer =
  | { readonly answer: 'ok'; readonly bytes: Uint8Array }
  | { readonly answer: 'not_found' }
  | { readonly answer: 'corrupt' }
  | Unavailable;

export type DeleteAnswer = { readonly answer: 'ok' | 'young' | 'not_found' } | Unavailable;

export interface CasStore {
  /**
   * A `put` of bytes that are there already stores nothing, but is a sign that somebody wants them: it makes an object
   * young again (once an hour at most), so that a collector which marked before cannot take it (`journal.md` §12).
   */
  put(bytes: Uint8Array, expected?: Uint8Array): Promise<PutAnswer>;
  /** Returns when all are durable. */
  putMany(objects: readonly StoredObject[]): Promise<PutAnswer | { readonly answer: 'ok' }>;
  get(hash: Uint8Array): Promise<GetAnswer>;
  /** The same, without leaving the thread; for the kernel's object source. */
  getSync(hash: Uint8Array): GetAnswer;
  has(hash: Uint8Array): Promise<boolean>;
  /** `storedAtNs`: when it was last known to be wanted. */
  stat(hash: Uint8Array): Promise<{ readonly size: number; readonly storedAtNs: bigint } | undefined>;
  /**
   * For a collector alone. Repeated, it answers `not_found`.
   *
   * @param olderThanMs - the grace period (`journal.md` §12), well above an hour; an object stored since is `young`.
   */
  delete(hash: Uint8Array, olderThanMs: number): Promise<DeleteAnswer>;
}

export type AcquireAnswer =
  | {
      readonly answer: 'ok';
      readonly epoch: number;
      readonly expiresAtNs: bigint;
      readonly storeNowNs: bigint;
      readonly head: Head;
      readonly cursor: Uint8Array;
    }
  | { readonly answer: 'held'; readonly holder: string; readonly expiresAtNs: bigint; readonly storeNowNs: bigint }
  /** It is placed with another worker (`hosting.md` §9). */
  | { readonly answer: 'not_placed'; readonly desiredWorker: string }
  | { readonly answer: 'status'; readonly status: WorldStatus }
  | { readonly answer: 'not_found' }
  | Unavailable;

export type Fenced = { readonly answer: 'fenced'; readonly epoch: number };

export interface CommitOptions {
  /** Stored in the same step as the batches, so that one sync covers both (J5). */
  readonly objects?: readonly StoredObject[] | undefined;
  /**
   * The lease holder's own executor: new outbox rows are inserted as claimed by it (attempt 1, this token), which saves
   * a claim per effect. Such a claim dies with the lease: a row claimed under an older epoch is claimable again.
   */
  readonly claim?: { readonly executor: string; readonly token: Uint8Array } | undefined;
}

export type CommitAnswer =
  | { readonly answer: 'ok'; readonly height: number; readonly chain: Uint8Array }
  | { readonly answer: 'conflict'; readonly actual: Head }
  | Fenced
  | Unavailable
  | { readonly answer: 'unknown'; readonly message: string };

export interface StoredBatch {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly chain: Uint8Array;
  readonly body: Uint8Array;
}

/** Whole batches, in order, and never one twice. After `corrupt` nothing follows. */
export type FollowAnswer =
  | { readonly answer: 'ok'; readonly batches: readonly StoredBatch[] }
  | { readonly answer: 'corrupt'; readonly where: string };

export interface FollowOptions {
  /** Ends the iteration. */
  readonly signal?: Signal | undefined;
  /** How long a lost hint may go unnoticed. Default 250. */
  readonly pollMs?: number | undefined;
}

/** What a store must know of an item, which it never parses. */
export interface EnqueueOptions {
  /**
   * A receipt, timer or message of another world: taken even by a full inbox (`hosting.md` §7), its dedupe key kept as
   * long as the world lives. Default false: a client's, which can be told to wait.
   */
  readonly isDelivery?: boolean | undefined;
}

export interface TrimOptions {
  /** Consumed items go this long after they were enqueued. Default one day. */
  readonly graceMs?: number | undefined;
  /** The dedupe keys of clients' items go after this. Default seven days; never before their items. */
  readonly dedupeTtlMs?: number | undefined;
}

/** `hosting.md` §5. Bytes are opaque to the store. */
export interface InboxItem {
  readonly seq: Uint8Array;
  /** Encoded by the host (`inbox item` of `docs/formats`). */
  readonly item: Uint8Array;
  /** As it was enqueued with: whoever applies the item compares, since a store never looks inside. */
  readonly digest: Uint8Array;
  readonly dedupeKey?: string | undefined;
  readonly enqueuedAtNs: bigint;
}

export interface AppliedRange {
  readonly firstSeq: number;
  readonly lastSeq: number;
}

export type EnqueueAnswer =
  | { readonly answer: 'ok'; readonly seq: Uint8Array }
  | { readonly answer: 'duplicate'; readonly seq: Uint8Array; readonly applied?: AppliedRange | undefined }
  | { readonly answer: 'conflict'; readonly seq: Uint8Array }
  | { readonly answer: 'world.archived' }
  | { readonly answer: 'not_found' }
  | { readonly answer: 'full' }
  | Unavailable;

export interface OutboxRow {
  readonly worldId: string;
  readonly emissionSeq: number;
  readonly intentHash: Uint8Array;
  readonly kind: string;
  /** Payload of the `effect_intent`; whoever performs it compares it with `intentHash`. */
  readonly request: Uint8Array;
  readonly token: Uint8Array;
  /** 1 for the first claim. */
  readonly attempt: number;
  /** A started mark is set: the external call may have happened. */
  readonly started: boolean;
}

export type RowAnswer = { readonly answer: 'ok' } | { readonly answer: 'lost' } | Unavailable;

export type CompleteAnswer =
  | { readonly answer: 'ok'; readonly seq: Uint8Array }
  | { readonly answer: 'duplicate' }
  | { readonly answer: 'conflict' }
  | { readonly answer: 'lost' }
  /** No item, one above the size limit of objects, or a digest that is not 32 bytes. */
  | { readonly answer: 'invalid' }
  | Unavailable;

export interface DueTimer {
  readonly worldId: string;
  readonly emissionSeq: number;
  readonly intentHash: Uint8Array;
  readonly dueWallNs: bigint;
}

export interface SnapshotRow {
  readonly height: number;
  readonly ref: Uint8Array;
  /** It was promoted to baseline. */
  readonly baseline: boolean;
  /** When a verifying replay came to the same digest (`journal.md` §6.3). */
  readonly verifiedAtNs?: bigint | undefined;
}

/** Batches of a world that lie in an object of their own (`journal.md` §9), and may have left the rows. */
export interface SegmentRow {
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Content address of the segment's bytes. */
  readonly ref: Uint8Array;
  /** Where the first frame begins; what stands before and after the frames is nothing to a store. */
  readonly framesAt: number;
}

export type SegmentAnswer =
  | { readonly answer: 'ok' }
  /** The store holds no such object, or a damaged one. */
  | { readonly answer: 'not_found' }
  /**
   * Its frames are not, bit by bit, the whole batches from `firstSeq` to `lastSeq` that follow the last indexed segment,
   * or a part of them was dropped from the rows already.
   */
  | { readonly answer: 'invalid' }
  | Fenced
  | Unavailable;

export type DropAnswer =
  | { readonly answer: 'ok'; readonly batches: number }
  /** At or above the oldest retained baseline, which is at `baseline`: it could not be restored. */
  | { readonly answer: 'refused'; readonly baseline: number }
  /** Indexed segments end at `coveredTo`. */
  | { readonly answer: 'uncovered'; readonly coveredTo: number }
  | Fenced
  | Unavailable;

/** Why a world is to be looked after. Truth, not a hint: it holds until the work is done (`hosting.md` §9). */
export interface WakeReasons {
  readonly inbox: boolean;
  readonly internal: boolean;
  readonly timers: boolean;
  readonly forking: boolean;
  readonly maintenance: boolean;
}

export interface WakeRow {
  readonly worldId: string;
  readonly reasons: WakeReasons;
}

export interface PlaceRow {
  readonly worldId: string;
  readonly desiredWorker?: string | undefined;
  /** Holder of a lease that has not expired. */
  readonly holder?: string | undefined;
  readonly labels: Labels;
}

/** A signed group of batches (`journal.md` §2.1). `bytes` are opaque to the store. */
export interface StoredCheckpoint {
  /** Chain before the first batch of the group. */
  readonly chainBefore: Uint8Array;
  /** Chain after its last batch. */
  readonly chain: Uint8Array;
  /** Head after its last batch. */
  readonly nextSeq: number;
  readonly bytes: Uint8Array;
}

export type CheckpointAnswer =
  | { readonly answer: 'ok' }
  /** It does not follow from the last one, or ends above the head. */
  | { readonly answer: 'conflict' }
  | Fenced
  | Unavailable;

export interface Store {
  readonly cas: CasStore;
  readonly world: {
    /** Row, genesis and baseline batches and their index, in one commit. The snapshot is among the stored objects. */
    create(spec: WorldSpec, batches: readonly Batch[]): Promise<CreateAnswer>;
    /**
     * A world in status `forking` whose state is the snapshot of `source` at `height` (`journal.md` §10): head at that
     * height, chain `H(["fork", chain there, new id])`, nothing in inbox and outbox. Repeated, it answers the same.
     */
    fork(source: string, height: number, spec: ForkSpec): Promise<ForkAnswer>;
    get(worldId: string): Promise<WorldRow | undefined>;
    list(): Promise<readonly WorldRow[]>;
    setStatus(
      worldId: string,
      from: WorldStatus,
      to: WorldStatus,
    ): Promise<{ readonly answer: 'ok' | 'conflict' } | Unavailable>;
    /**
     * Puts `keys` in the place of `expected`, as a new key is appended. Repeated, it changes nothing; `conflict`: neither
     * of the two is there.
     */
    setKeys(
      worldId: string,
      epoch: number,
      expected: Uint8Array | undefined,
      keys: Uint8Array,
    ): Promise<{ readonly answer: 'ok' | 'conflict' } | Fenced | Unavailable>;
    /** Indexed snapshots, ascending by height. */
    snapshots(worldId: string): Promise<readonly SnapshotRow[]>;
    /**
     * Notes the store's time as that of the snapshot's verification (`journal.md` §6.3). Any process may; no state depends
     * on it. Repeated, the first time stays. `not_found`: no snapshot with that `ref` is indexed there.
     */
    markVerified(
      worldId: string,
      height: number,
      ref: Uint8Array,
    ): Promise<{ readonly answer: 'ok' | 'not_found' } | Unavailable>;
  };
  readonly lease: {
    /** @param dead - a worker id whose process the caller has proved dead. */
    acquire(worldId: string, worker: string, ttlMs: number, dead?: string): Promise<AcquireAnswer>;
    renew(
      worldId: string,
      worker: string,
      epoch: number,
      ttlMs: number,
    ): Promise<
      { readonly answer: 'ok'; readonly expiresAtNs: bigint; readonly storeNowNs: bigint } | Fenced | Unavailable
    >;
    release(worldId: string, worker: string, epoch: number): Promise<{ readonly answer: 'ok' } | Fenced | Unavailable>;
  };
  /** The one write path into a world: all of `batches` with their objects, or nothing. */
  commit(
    worldId: string,
    epoch: number,
    expected: Head,
    batches: readonly Batch[],
    options?: CommitOptions,
  ): Promise<CommitAnswer>;
  readonly journal: {
    /** Whole batches in order, from the one that holds `fromSeq`, about `limit` entries; empty batches included. */
    read(
      worldId: string,
      fromSeq: number,
      limit: number,
    ): Promise<
      | { readonly answer: 'ok'; readonly batches: readonly StoredBatch[]; readonly next?: number | undefined }
      | { readonly answer: 'corrupt'; readonly where: string }
      | Unavailable
    >;
    head(worldId: string): Promise<Head | undefined>;
    /** Whatever is there from `fromSeq` on and whatever is committed later, until the signal ends it. */
    follow(worldId: string, fromSeq: number, options?: FollowOptions): AsyncIterable<FollowAnswer>;
    /**
     * Deletes the rows of batches that begin and end below `height` and lie in indexed segments. Readers do not notice:
     * those batches are read from the segments. Repeated, it has nothing left to delete.
     */
    dropBelow(worldId: string, epoch: number, height: number): Promise<DropAnswer>;
  };
  readonly segment: {
    /** An object like any other, however large; the collector treats indexed ones as roots. */
    put(bytes: Uint8Array): Promise<PutAnswer>;
    /** Reads it back and compares it with the journal before it is indexed. Repeated, it changes nothing. */
    index(worldId: string, epoch: number, segment: SegmentRow): Promise<SegmentAnswer>;
    /** Ascending, without gap from the beginning of the journal. */
    list(worldId: string): Promise<readonly SegmentRow[]>;
  };
  readonly snapshot: {
    /** A verifying replay, by whoever made it, came to the digest `ref`. The first time stays. */
    verified(
      worldId: string,
      height: number,
      ref: Uint8Array,
    ): Promise<{ readonly answer: 'ok' | 'not_found' } | Unavailable>;
    /**
     * Ends the retention of a snapshot or baseline: where it was the oldest one, the journal may be dropped up to
     * the next, and its nodes may be collected. `active`: the active baseline stays.
     */
    drop(
      worldId: string,
      epoch: number,
      height: number,
    ): Promise<{ readonly answer: 'ok' | 'not_found' | 'active' } | Fenced | Unavailable>;
  };
  /** Proof beside the journal, no part of a commit: losing the newest loses nothing but proof. */
  readonly checkpoint: {
    /**
     * Requires the epoch, `chainBefore` = `chain` of the last one (at first the chain before the world's first batch),
     * and `nextSeq` not below that of the last one nor above the head. The same checkpoint again is `ok`.
     */
    append(worldId: string, epoch: number, checkpoint: StoredCheckpoint): Promise<CheckpointAnswer>;
    /** In order, from number `from` on, counted from 0. */
    read(worldId: string, from: number, limit: number): Promise<readonly StoredCheckpoint[]>;
    last(worldId: string): Promise<StoredCheckpoint | undefined>;
  };
  readonly inbox: {
    /** @param digest - 32 bytes (`kernel.md` §3). */
    enqueue(
      worldId: string,
      item: Uint8Array,
      digest: Uint8Array,
      dedupeKey?: string,
      options?: EnqueueOptions,
    ): Promise<EnqueueAnswer>;
    read(worldId: string, after: Uint8Array, limit: number): Promise<readonly InboxItem[]>;
    /** What became of one item: undefined while it is unread; no range when it was passed over. */
    applied(
      worldId: string,
      seq: Uint8Array,
    ): Promise<{ readonly done: boolean; readonly applied?: AppliedRange | undefined }>;
    /** @returns how many items and how many dedupe keys went. */
    trim(
      worldId: string,
      options?: TrimOptions,
    ): Promise<{ readonly answer: 'ok'; readonly items: number; readonly keys: number } | Unavailable>;
  };
  readonly outbox: {
    /**
     * Visible rows nobody has claimed, oldest first. `worldId` absent: those of all worlds, which take turns, so that
     * one with many does not keep the others waiting; `kinds` absent: every kind.
     */
    claim(
      worldId: string | undefined,
      kinds: readonly string[] | undefined,
      executor: string,
      limit: number,
      visibilityMs: number,
    ): Promise<readonly OutboxRow[]>;
    start(worldId: string, emissionSeq: number, token: Uint8Array): Promise<RowAnswer>;
    extend(worldId: string, emissionSeq: number, token: Uint8Array, visibilityMs: number): Promise<RowAnswer>;
    complete(
      worldId: string,
      emissionSeq: number,
      token: Uint8Array,
      item: Uint8Array,
      digest: Uint8Array,
    ): Promise<CompleteAnswer>;
    retry(worldId: string, emissionSeq: number, token: Uint8Array, delayMs: number, error: string): Promise<RowAnswer>;
    reconcile(
      worldId: string,
      epoch: number,
      emitted: readonly EmittedRow[],
      timers: readonly TimerRow[],
    ): Promise<{ readonly answer: 'ok' } | Fenced | Unavailable>;
    list(worldId: string): Promise<
      readonly {
        readonly emissionSeq: number;
        readonly kind: string;
        readonly attempt: number;
        readonly started: boolean;
        readonly claimed: boolean;
        readonly done: boolean;
      }[]
    >;
  };
  readonly timers: {
    /**
     * Rows with `dueWallNs` ≤ the store's now, by (due, world, intent hash); also when the next one is due. `worldId`
     * absent: of all worlds that take items.
     */
    due(
      worldId: string | undefined,
      limit: number,
    ): Promise<{ readonly rows: readonly DueTimer[]; readonly nextDueWallNs?: bigint | undefined }>;
    fire(worldId: string, emissionSeq: number): Promise<{ readonly answer: 'ok' | 'not_found' } | Unavailable>;
    rearm(
      worldId: string,
      epoch: number,
      emissionSeq: number,
      dueWallNs: bigint,
    ): Promise<{ readonly answer: 'ok' | 'not_found' } | Fenced | Unavailable>;
  };
  readonly wake: {
    /** Worlds that may run, are placed here or nowhere, are held by no other worker, and have something to do. */
    poll(worker: string): Promise<readonly WakeRow[]>;
    /** Best effort: `listener` hears of some changes of some worlds. @returns the end of it. */
    subscribe(listener: (worldId: string) => void): () => void;
    /** By the lease holder, who may leave: when to look after the world again at the latest. Absent: never. */
    maintain(
      worldId: string,
      epoch: number,
      atNs: bigint | undefined,
    ): Promise<{ readonly answer: 'ok' } | Fenced | Unavailable>;
  };
  readonly place: {
    /** `worker` absent: anywhere. Whoever holds the world keeps it until its lease ends (L8). */
    set(worldId: string, worker: string | undefined): Promise<{ readonly answer: 'ok' | 'not_found' } | Unavailable>;
    /** Every world that is not deleted, in order of creation. */
    list(): Promise<readonly PlaceRow[]>;
  };
  /** Wall clock of the store, ns. */
  nowNs(): Promise<bigint>;
  close(): Promise<void>;
}
