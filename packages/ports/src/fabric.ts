import type { Result } from '@worldline/canon';
import type { Signal } from './adapter.ts';

/** Messages between worlds (`host.md` §5.7, `hosting.md` §10): what a sender hands to a destination. */

export interface FabricMessage {
  /** `sha256:…`: the sender's intent hash, so that every retry is the same message. */
  readonly messageId: string;
  /** World id of the sender. What a destination calls it, and whether it is heard, the destination decides. */
  readonly fromWorld: string;
  readonly schema: string;
  /** `sha256:…` of the sender's expanded type of `schema`; absent when its definitions do not list it. */
  readonly typeHash?: string | undefined;
  /** Canonical CBOR. */
  readonly value: Uint8Array;
  /** Canonical CBOR. */
  readonly key?: Uint8Array | undefined;
  /** For tracing only. */
  readonly correlationId?: string | undefined;
  readonly mode: 'event' | 'inbox';
}

/** Durable at the destination. */
export interface FabricAcceptance {
  /** Ordinal in the destination's inbox, of the first delivery. */
  readonly seq: bigint;
  /** It had come before. */
  readonly duplicate: boolean;
}

export interface FabricFailure {
  /** `fabric.peer_unknown`, `fabric.peer_unreachable`, `fabric.refused`, `fabric.schema_mismatch`, `fabric.no_inbox`, `fabric.too_large`, or `secret.unavailable` for a token that is not there. */
  readonly code: string;
  readonly message: string;
  /** The message may or may not have arrived; sending it again is right. */
  readonly retryable: boolean;
}

/** One configured destination. */
export interface FabricPeer {
  /** @returns once the message is durable there, or why it is not. Rejects only when the signal fires. */
  deliver(message: FabricMessage, signal: Signal): Promise<Result<FabricAcceptance, FabricFailure>>;
  close?(): Promise<void>;
}
