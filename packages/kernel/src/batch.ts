import type { JournalRecord } from './record.ts';

/** Outbox row that a batch creates: an external emission that is not coalesced. */
export interface EmittedRow {
  readonly emissionSeq: number;
  readonly intentHash: Uint8Array;
  readonly kind: string;
  /** Payload of the `effect_intent`. */
  readonly request: Uint8Array;
}

export interface TimerRow {
  readonly emissionSeq: number;
  readonly intentHash: Uint8Array;
  readonly dueWallNs: bigint;
}

export interface ReleasedRow {
  readonly emissionSeq: number;
  readonly dedupeKey?: string | undefined;
  readonly token?: Uint8Array | undefined;
}

export interface BatchIndex {
  readonly snapshot?: { readonly height: number; readonly ref: Uint8Array } | undefined;
  readonly baseline?: { readonly height: number; readonly ref: Uint8Array } | undefined;
  readonly configHash?: Uint8Array | undefined;
  readonly activate?: true | undefined;
}

/** One batch as a store takes it (`hosting.md` §4.1). The store never looks into `body`. */
export interface Batch {
  /** Chain value after this batch, 32 bytes. */
  readonly chain: Uint8Array;
  /** `journal.md` §2. */
  readonly body: Uint8Array;
  readonly firstSeq: number;
  /** `firstSeq − 1` for an empty batch. */
  readonly lastSeq: number;
  /** Seq of the inbox item that this batch consumed. */
  readonly inboxCursor?: Uint8Array | undefined;
  readonly emitted: readonly EmittedRow[];
  readonly timers: readonly TimerRow[];
  /** Emissions whose receipt is in the batch. */
  readonly settled: readonly number[];
  readonly released: readonly ReleasedRow[];
  readonly internalPending: boolean;
  readonly index?: BatchIndex | undefined;
}

/** A content-addressed object that must be durable before the batch that refers to it. */
export interface StoredObject {
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array;
}

/** A waiter that did not see an event because the event's definition is no longer the one it pins; never journaled. */
export interface UnseenEvent {
  readonly planId: number;
  readonly stepId: string;
  readonly schema: string;
}

export type Outcome =
  | {
      readonly kind: 'applied';
      readonly firstSeq: number;
      readonly lastSeq: number;
      readonly planId?: number | undefined;
      readonly eventHash?: Uint8Array | undefined;
    }
  /** The first application of the same ingress, or a receipt of a settled emission (then without `firstSeq`). */
  | { readonly kind: 'duplicate'; readonly firstSeq?: number | undefined }
  | {
      readonly kind: 'rejected';
      readonly code: string;
      readonly message: string;
      readonly firstSeq: number;
      readonly lastSeq: number;
    }
  /** An early timer offer was passed over; re-arm its row for this wall time. */
  | { readonly kind: 'skipped'; readonly rearmWallNs?: bigint | undefined };

export interface Applied {
  readonly outcome: Outcome;
  /** Absent when nothing is to be journaled: a duplicate or skipped ingress that did not come through the inbox. */
  readonly batch?: Batch | undefined;
  readonly records: readonly JournalRecord[];
  readonly objects: readonly StoredObject[];
  /** Absent when there were none, which is nearly always. */
  readonly unseen?: readonly UnseenEvent[] | undefined;
}
