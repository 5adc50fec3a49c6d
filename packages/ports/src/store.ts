import type { Batch, EmittedRow, StoredObject, TimerRow } from '@worldline/kernel';

/** What a store takes, so that a driver needs no other package than this one. */
export type { Batch, BatchIndex, EmittedRow, ReleasedRow, StoredObject, TimerRow } from '@worldline/kernel';

/**
 * The storage contract (`hosting.md` §4). All calls are scoped to one universe. Every operation is safe to repeat with
 * the same arguments. Lease times, visibility and due times are judged by the store's clock only.
 *
 * An answer is a value; a promise rejects only for a caller's bug. `unavailable` means certainly nothing happened,
 * `unknown` means it may have happened: read before writing again.
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

export interface WorldRow {
  readonly worldId: string;
  readonly universeId: string;
  readonly status: WorldStatus;
  readonly head: Head;
  readonly activeBaseline: BaselineRef;
  /** Empty before the first item. */
  readonly inboxCursor: Uint8Array;
  readonly internalPending: boolean;
  readonly epoch: number;
  readonly lease?: { readonly holder: string; readonly expiresAtNs: bigint } | undefined;
  readonly configHash: Uint8Array;
  /** Public world keys as they were given (`docs/formats/checkpoint.md`); absent when the world has none. */
  readonly keys?: Uint8Array | undefined;
  readonly createdAtNs: bigint;
  readonly notify: number;
}

export interface WorldSpec {
  readonly worldId: string;
  readonly universeId: string;
  readonly configHash: Uint8Array;
  /** Public world keys, encoded by the host. Opaque to the store. */
  readonly keys?: Uint8Array | undefined;
}

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

export interface CasStore {
  put(bytes: Uint8Array, expected?: Uint8Array): Promise<PutAnswer>;
  /** Returns when all are durable. */
  putMany(objects: readonly StoredObject[]): Promise<PutAnswer | { readonly answer: 'ok' }>;
  get(hash: Uint8Array): Promise<GetAnswer>;
  /** The same, without leaving the thread; for the kernel's object source. */
  getSync(hash: Uint8Array): GetAnswer;
  has(hash: Uint8Array): Promise<boolean>;
  stat(hash: Uint8Array): Promise<{ readonly size: number; readonly storedAtNs: bigint } | undefined>;
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

/** `hosting.md` §5. Bytes are opaque to the store. */
export interface InboxItem {
  readonly seq: Uint8Array;
  /** Encoded by the host (`inbox item` of `docs/formats`). */
  readonly item: Uint8Array;
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
  /** Payload of the `effect_intent`. */
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
    create(spec: WorldSpec, batches: readonly Batch[]): Promise<{ readonly answer: 'ok' | 'exists' } | Unavailable>;
    get(worldId: string): Promise<WorldRow | undefined>;
    list(): Promise<readonly WorldRow[]>;
    setStatus(
      worldId: string,
      from: WorldStatus,
      to: WorldStatus,
    ): Promise<{ readonly answer: 'ok' | 'conflict' } | Unavailable>;
    /** Indexed snapshots, ascending by height. */
    snapshots(worldId: string): Promise<readonly SnapshotRow[]>;
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
    enqueue(worldId: string, item: Uint8Array, digest: Uint8Array, dedupeKey?: string): Promise<EnqueueAnswer>;
    read(worldId: string, after: Uint8Array, limit: number): Promise<readonly InboxItem[]>;
    /** What became of one item: undefined while it is unread; no range when it was passed over. */
    applied(
      worldId: string,
      seq: Uint8Array,
    ): Promise<{ readonly done: boolean; readonly applied?: AppliedRange | undefined }>;
    trim(worldId: string, olderThanMs: number): Promise<number>;
  };
  readonly outbox: {
    /** `kinds` absent: every kind. Oldest first. */
    claim(
      worldId: string,
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
    /** Rows with `dueWallNs` ≤ the store's now, by (due, intent hash); also when the next one is due. */
    due(
      worldId: string,
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
  /** Wall clock of the store, ns. */
  nowNs(): Promise<bigint>;
  close(): Promise<void>;
}
