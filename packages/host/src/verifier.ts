import { createHmac, type KeyObject, timingSafeEqual, verify } from 'node:crypto';
import { bytesEqual, toHex } from '@worldline/canon';
import {
  merkleRoot,
  merkleRootFromProof,
  type ReceiptData,
  type ReceiptVerdict,
  receiptDigest,
  receiptsMessage,
} from '@worldline/kernel';
import { ed25519PublicKey } from './keys.ts';

/** A key that receipts from outside may be signed with (`receipts.trusted_keys`). */
export interface TrustedKey {
  readonly adapterId: string;
  readonly keyId: string;
  readonly alg: 'ed25519' | 'hmac-sha256';
  readonly key: Uint8Array;
  /** Effect kinds, one trailing wildcard allowed. */
  readonly kinds: readonly string[];
  readonly fromNs?: bigint | undefined;
  readonly untilNs?: bigint | undefined;
}

export interface VerifierOptions {
  readonly worldId: string;
  /** `receipt_verification` of the world's config. */
  readonly required: boolean;
  /** This host's own receipt key, which stands for every adapter it runs. */
  readonly own: { readonly keyId: string; readonly publicKey: Uint8Array };
  readonly trusted: readonly TrustedKey[];
  /** Whether this host runs an adapter with that id for that kind. */
  readonly isRegistered: (adapterId: string, kind: string) => boolean;
}

const REMEMBERED_ROOTS = 4096;

/**
 * Judges receipts that come from another process (`kernel.md` §10.2 rows 6–8, §10.3). What this process signed and
 * hands over in memory does not come here.
 *
 * V1  The verdict is input: the journal keeps its effect, and replay asks nobody again.
 */
export class ReceiptVerifier {
  readonly #options: VerifierOptions;
  readonly #ownKey: KeyObject;
  readonly #trustedKeys = new Map<TrustedKey, KeyObject | Uint8Array>();
  /** (key, root) pairs that verified, oldest first. */
  readonly #verified = new Set<string>();

  constructor(options: VerifierOptions) {
    this.#options = options;
    this.#ownKey = ed25519PublicKey(options.own.publicKey)!;
    for (const key of options.trusted) {
      const usable = key.alg === 'ed25519' ? ed25519PublicKey(key.key) : key.key;
      if (usable !== undefined) this.#trustedKeys.set(key, usable);
    }
  }

  /**
   * @param emission - what the receipt binds to; undefined when nothing is open, in which case the kernel answers
   *   duplicate or unknown before it looks at a verdict.
   */
  judge(
    receipt: ReceiptData,
    emission: { readonly emissionSeq: number; readonly kind: string } | undefined,
    nowNs: bigint,
  ): ReceiptVerdict {
    if (emission === undefined) return {};
    const { adapterId } = receipt;
    if (isReservedAdapter(adapterId)) return { reject: 'receipt.adapter_invalid' };
    const { isRegistered, required, worldId } = this.#options;
    const ownId =
      adapterId === 'host.dispatch' || adapterId.startsWith('manual.') || isRegistered(adapterId, emission.kind);
    const trusted = this.#options.trusted.filter(
      (k) => k.adapterId === adapterId && k.kinds.some((pattern) => kindMatches(pattern, emission.kind)),
    );
    if (!ownId && trusted.length === 0) return { reject: 'receipt.adapter_invalid' };
    if (!required) return {};
    const digest = receiptDigest(worldId, { ...receipt, emissionSeq: emission.emissionSeq });
    if (ownId && this.#verifies(this.#options.own.keyId, this.#ownKey, digest, receipt.signature))
      return { sigKey: this.#options.own.keyId };
    for (const key of trusted) {
      const usable = this.#trustedKeys.get(key);
      if (
        usable === undefined ||
        (key.fromNs !== undefined && nowNs < key.fromNs) ||
        (key.untilNs !== undefined && nowNs >= key.untilNs)
      )
        continue;
      if (this.#verifies(key.keyId, usable, digest, receipt.signature)) return { sigKey: key.keyId };
    }
    return { reject: 'receipt.bad_signature' };
  }

  #verifies(keyId: string, key: KeyObject | Uint8Array, digest: Uint8Array, bytes: Uint8Array): boolean {
    const parts = splitSignature(bytes, key instanceof Uint8Array ? 32 : 64, digest);
    if (parts === undefined) return false;
    const pair = `${keyId}:${toHex(parts.root)}:${toHex(parts.signature)}`;
    if (this.#verified.has(pair)) return true;
    if (!rootVerifies(key, parts)) return false;
    this.#verified.add(pair);
    if (this.#verified.size > REMEMBERED_ROOTS) {
      for (const oldest of this.#verified) {
        this.#verified.delete(oldest);
        break;
      }
    }
    return true;
  }
}

function rootVerifies(
  key: KeyObject | Uint8Array,
  parts: { readonly signature: Uint8Array; readonly root: Uint8Array },
): boolean {
  const message = receiptsMessage(parts.root);
  return key instanceof Uint8Array
    ? timingSafeEqual(createHmac('sha256', key).update(message).digest(), parts.signature)
    : verify(null, message, key, parts.signature);
}

/** Checks one receipt's signature afterwards, as an auditor does. */
export function verifyReceipt(
  worldId: string,
  receipt: ReceiptData & { readonly emissionSeq: number },
  key: Pick<TrustedKey, 'alg' | 'key'>,
): boolean {
  const usable = key.alg === 'ed25519' ? ed25519PublicKey(key.key) : key.key;
  if (usable === undefined) return false;
  const parts = splitSignature(
    receipt.signature,
    usable instanceof Uint8Array ? 32 : 64,
    receiptDigest(worldId, receipt),
  );
  return parts !== undefined && rootVerifies(usable, parts);
}

/** Signature and the Merkle root it must cover; undefined when the bytes have no such shape. */
function splitSignature(
  bytes: Uint8Array,
  size: number,
  digest: Uint8Array,
): { signature: Uint8Array; root: Uint8Array } | undefined {
  if (bytes.length < size) return undefined;
  const signature = bytes.subarray(0, size);
  if (bytes.length === size) return { signature, root: merkleRoot([digest]) };
  const rest = bytes.subarray(size);
  if (rest.length < 4 || (rest.length - 4) % 32 !== 0) return undefined;
  const index = (rest[0]! << 8) | rest[1]!;
  const count = (rest[2]! << 8) | rest[3]!;
  if (count < 2 || index >= count) return undefined;
  const proof: Uint8Array[] = [];
  for (let at = 4; at < rest.length; at += 32) proof.push(rest.subarray(at, at + 32));
  const root = merkleRootFromProof(digest, index, count, proof);
  return root === undefined ? undefined : { signature, root };
}

/** Ids that only the kernel and the lease holder may use. */
export function isReservedAdapter(adapterId: string): boolean {
  return adapterId === 'timer.set' || adapterId.startsWith('kernel.');
}

/** @param pattern - an effect kind, or `prefix.*`. */
export function kindMatches(pattern: string, kind: string): boolean {
  return pattern.endsWith('*') ? kind.startsWith(pattern.slice(0, -1)) : pattern === kind;
}

/** Whether a receipt carries the mark of one that is not signed. */
export function isUnsigned(signature: Uint8Array): boolean {
  return bytesEqual(signature, UNSIGNED);
}

const UNSIGNED = new Uint8Array(64);
