/**
 * Journal records (`journal.md` §3): one closed union on `record_kind`.
 *
 * Members carry their wire names, so a record is its own encoding: the payload of an entry is `C(record)`. Optional
 * members are left out when absent. Hashes are 32 bytes; `*_cbor`, `value`, `key` and `correlation` are canonical CBOR
 * with prefix. Sequence numbers and plan ids are numbers (below 2^53), times are ns as bigint.
 */

export type EffectStatus = 'ok' | 'error' | 'timeout';
export type Disposition = 'applied' | 'buffered' | 'late' | 'orphaned';

/** `sys/EffectError@1` as data: absent options are null. */
export interface EffectErrorData {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean | null;
  /** Hash text of a JSON blob. */
  readonly detail_ref: string | null;
}

export type IntentOrigin =
  | { readonly origin_kind: 'plan'; readonly name: string; readonly plan_id: number; readonly step_id: string }
  | { readonly origin_kind: 'reducer'; readonly name: string; readonly key?: Uint8Array | undefined };

/** Every publication, before any delivery. Input for origin `external` and `inbox`, else derived. */
export interface DomainEvent {
  readonly record_kind: 'domain_event';
  readonly schema: string;
  readonly value: Uint8Array;
  readonly key?: Uint8Array | undefined;
  readonly event_hash: Uint8Array;
  readonly origin: 'external' | 'inbox' | 'reducer' | 'plan' | 'receipt';
  readonly ingress_id?: string | undefined;
  readonly origin_name?: string | undefined;
  readonly plan_id?: number | undefined;
  readonly source?: string | undefined;
  /** Seq of the record whose processing raised it; derived events only. */
  readonly cause?: number | undefined;
}

/** The gate let an effect through. Written before any adapter sees it. */
export interface EffectIntent {
  readonly record_kind: 'effect_intent';
  readonly intent_hash: Uint8Array;
  readonly kind: string;
  readonly cap_name: string;
  readonly params_cbor: Uint8Array;
  readonly idempotency_key: Uint8Array;
  readonly origin: IntentOrigin;
  /** `emission_seq` of the pending emission that this one shares. */
  readonly coalesced_into?: number | undefined;
  readonly cause: number;
}

/** What the world outside answered. Input; only `disposition` is computed and compared. */
export interface EffectReceipt {
  readonly record_kind: 'effect_receipt';
  readonly intent_hash: Uint8Array;
  readonly emission_seq: number;
  readonly adapter_id: string;
  readonly status: EffectStatus;
  readonly payload_cbor?: Uint8Array | undefined;
  /** Present iff status is not `ok`. */
  readonly error?: EffectErrorData | undefined;
  readonly cost_cents?: bigint | number | undefined;
  readonly signature: Uint8Array;
  readonly sig_key?: string | undefined;
  readonly disposition: Disposition;
}

export interface CapDecision {
  readonly record_kind: 'cap_decision';
  readonly intent_hash: Uint8Array;
  readonly stage: 'enqueue';
  readonly effect_kind: string;
  readonly cap_name: string;
  readonly cap_type: string;
  readonly grant_hash: Uint8Array;
  readonly enforcer_module: string;
  readonly decision: 'allow' | 'deny';
  readonly deny?: { readonly code: string; readonly message: string } | undefined;
  readonly expiry_ns?: bigint | undefined;
}

export interface PolicyDecision {
  readonly record_kind: 'policy_decision';
  readonly intent_hash: Uint8Array;
  readonly policy_name: string;
  readonly rule_index?: number | undefined;
  readonly decision: 'allow' | 'deny';
}

/** One per instance, for every way of starting, before anything the instance does. */
export interface PlanStarted {
  readonly record_kind: 'plan_started';
  readonly plan_name: string;
  readonly plan_id: number;
  readonly manifest_hash: Uint8Array;
  readonly input_hash: Uint8Array;
  readonly correlation?: Uint8Array | undefined;
  readonly parent_instance_id?: number | undefined;
  readonly parent_step_id?: string | undefined;
  readonly cause: number;
}

/** The end of an instance; only its `plan_result` may follow. */
export interface PlanEnded {
  readonly record_kind: 'plan_ended';
  readonly plan_name: string;
  readonly plan_id: number;
  readonly status: 'ok' | 'error';
  readonly error_code?: string | undefined;
  readonly step_id?: string | undefined;
  readonly message?: string | undefined;
  /** Hash of the stored canonical `sys/PlanError@1`. */
  readonly result_ref?: Uint8Array | undefined;
  readonly started_seq: number;
  readonly correlation?: Uint8Array | undefined;
  readonly cause: number;
}

/** Directly after `plan_ended{ok}` when the plan returned a value. */
export interface PlanResult {
  readonly record_kind: 'plan_result';
  readonly plan_name: string;
  readonly plan_id: number;
  readonly output_schema: string;
  readonly value_cbor: Uint8Array;
}

/** A manual start, followed by its `plan_started`. */
export interface PlanStart {
  readonly record_kind: 'plan_start';
  readonly plan: string;
  readonly input_cbor: Uint8Array;
  readonly correlation?: Uint8Array | undefined;
  readonly bind_locals?: Readonly<Record<string, Uint8Array>> | undefined;
  readonly plan_id: number;
  readonly ingress_id?: string | undefined;
}

/** An operator's cancellation, followed by that instance's `plan_ended{error, cancelled}`. */
export interface PlanCancel {
  readonly record_kind: 'plan_cancel';
  readonly plan_id: number;
  readonly reason: string;
  readonly actor: string;
  readonly ingress_id?: string | undefined;
}

/** A failed reducer step: a recorded outcome, so it fails the same way on replay. */
export interface ReducerFault {
  readonly record_kind: 'reducer_fault';
  readonly reducer: string;
  readonly key?: Uint8Array | undefined;
  readonly event_seq: number;
  readonly event_hash: Uint8Array;
  readonly code: string;
  readonly message: string;
}

/** A refused ingress. Always alone in its batch. */
export interface IngressRejected {
  readonly record_kind: 'ingress_rejected';
  readonly ingress_kind: string;
  readonly ingress_id?: string | undefined;
  readonly inbox_seq?: Uint8Array | undefined;
  readonly emission_seq?: number | undefined;
  readonly digest: Uint8Array;
  readonly code: string;
  readonly message: string;
}

/** Genesis, and every change of manifest or config. */
export interface ManifestRecord {
  readonly record_kind: 'manifest';
  readonly manifest_hash: Uint8Array;
  readonly config_hash: Uint8Array;
}

/**
 * A change of the control plane (`governance.md` §3.1). Direct apply is the one event that exists before proposals do.
 * Followed by `manifest` in the same batch.
 */
export interface GovernanceRecord {
  readonly record_kind: 'governance';
  readonly event: 'direct_applied';
  readonly patch_hash: Uint8Array;
  readonly manifest_base: Uint8Array;
  readonly manifest_hash_new: Uint8Array;
  readonly actor: string;
}

/** A snapshot exists for the state after entries `[0, height)`. No state effect. */
export interface SnapshotRecord {
  readonly record_kind: 'snapshot';
  readonly snapshot_ref: Uint8Array;
  readonly height: number;
  readonly manifest_hash: Uint8Array;
}

/** A snapshot became the restore root. No state effect. */
export interface BaselineRecord {
  readonly record_kind: 'baseline';
  readonly snapshot_ref: Uint8Array;
  readonly height: number;
  readonly manifest_hash: Uint8Array;
  readonly logical_time_ns: bigint;
  readonly receipt_horizon_height: number;
}

/** Control ingress with a tag; `sys/pin` edits the pinned roots, unknown tags have no effect. */
export interface CustomRecord {
  readonly record_kind: 'custom';
  readonly tag: string;
  readonly data: Uint8Array;
}

export type JournalRecord =
  | DomainEvent
  | EffectIntent
  | EffectReceipt
  | CapDecision
  | PolicyDecision
  | PlanStarted
  | PlanEnded
  | PlanResult
  | PlanStart
  | PlanCancel
  | ReducerFault
  | IngressRejected
  | ManifestRecord
  | GovernanceRecord
  | SnapshotRecord
  | BaselineRecord
  | CustomRecord;

export type RecordKind = JournalRecord['record_kind'];
