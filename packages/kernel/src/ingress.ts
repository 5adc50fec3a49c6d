import type { EffectErrorData, EffectStatus } from './record.ts';

/** The only things that can change a world (`kernel.md` §3). Values are CBOR bytes as the edge made them. */

interface Submitted {
  /** At most 200 UTF-8 bytes; a repeat with the same content is a duplicate, with other content a conflict. */
  readonly ingressId?: string | undefined;
  /** Position of the inbox item it came from; absent for direct ingress. */
  readonly inboxSeq?: Uint8Array | undefined;
}

export interface EventIngress extends Submitted {
  readonly kind: 'event';
  readonly schema: string;
  readonly value: Uint8Array;
  readonly key?: Uint8Array | undefined;
}

export interface InboxIngress extends Submitted {
  readonly kind: 'inbox';
  readonly source: string;
  readonly schema: string;
  readonly value: Uint8Array;
  readonly key?: Uint8Array | undefined;
}

/** `kernel.md` §10.1. */
export interface ReceiptData {
  readonly intentHash: Uint8Array;
  readonly emissionSeq?: number | undefined;
  readonly adapterId: string;
  readonly status: EffectStatus;
  readonly payloadCbor?: Uint8Array | undefined;
  readonly error?: EffectErrorData | undefined;
  readonly costCents?: bigint | undefined;
  readonly signature: Uint8Array;
}

/** What the lease holder judged before application (`kernel.md` §10.2). */
export interface ReceiptVerdict {
  /** Key that verified the signature. */
  readonly sigKey?: string | undefined;
  readonly reject?: 'receipt.adapter_invalid' | 'receipt.bad_signature' | undefined;
}

export interface ReceiptIngress extends Submitted {
  readonly kind: 'receipt';
  readonly receipt: ReceiptData;
  readonly verdict: ReceiptVerdict;
  /** Row to release when a pending emission's receipt is refused: inbox dedupe key, or claim token of a direct ingress. */
  readonly dedupeKey?: string | undefined;
  readonly token?: Uint8Array | undefined;
}

export interface TimerIngress extends Submitted {
  readonly kind: 'timer';
  readonly emissionSeq: number;
}

export interface PlanStartIngress extends Submitted {
  readonly kind: 'plan_start';
  readonly plan: string;
  readonly input: Uint8Array;
  readonly correlation?: Uint8Array | undefined;
  readonly bindLocals?: Readonly<Record<string, Uint8Array>> | undefined;
}

export interface PlanCancelIngress extends Submitted {
  readonly kind: 'control';
  readonly command: 'plan_cancel';
  readonly planId: number;
  readonly reason: string;
  readonly actor: string;
}

export interface PinIngress extends Submitted {
  readonly kind: 'control';
  readonly command: 'pin';
  readonly add: readonly Uint8Array[];
  readonly remove: readonly Uint8Array[];
}

/** Replaces the active manifest without a proposal (`governance.md` §6). All its nodes are in the object source. */
export interface ManifestIngress extends Submitted {
  readonly kind: 'control';
  readonly command: 'manifest';
  readonly manifestHash: Uint8Array;
  /** The manifest that the change was made against; another active one refuses it. */
  readonly manifestBase: Uint8Array;
  readonly patchHash: Uint8Array;
  readonly actor: string;
}

/** Replaces the world configuration (`kernel.md` §15). */
export interface ConfigIngress extends Submitted {
  readonly kind: 'control';
  readonly command: 'config';
  readonly configHash: Uint8Array;
}

/** First ingress of a world: establishes manifest and config. */
export interface GenesisIngress extends Submitted {
  readonly kind: 'genesis';
  readonly manifestHash: Uint8Array;
  readonly configHash: Uint8Array;
}

/** Journals a snapshot of the state at head, and promotes it to baseline when asked to. */
export interface SnapshotIngress extends Submitted {
  readonly kind: 'snapshot';
  readonly snapshotRef: Uint8Array;
  readonly promote: boolean;
}

export type Ingress =
  | EventIngress
  | InboxIngress
  | ReceiptIngress
  | TimerIngress
  | PlanStartIngress
  | PlanCancelIngress
  | PinIngress
  | ManifestIngress
  | ConfigIngress
  | GenesisIngress
  | SnapshotIngress;

/** Sampled by the lease holder immediately before applying (`kernel.md` §4). */
export interface StampProposal {
  /** Wall clock, ns since the epoch. */
  readonly nowNs: bigint;
  /** `base + (mono − mono0)`; the kernel takes the larger of this and its last logical time. */
  readonly logicalNs: bigint;
  /** Exactly 64 bytes from a CSPRNG. */
  readonly entropy: Uint8Array;
}
