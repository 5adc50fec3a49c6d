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
import { SIGNING_GROUP_MAX } from './signer.ts';

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

/** (key, root) pairs remembered per key; older ones are verified again. */
const REMEMBERED_ROOTS = 4096;

/**
 * A key, ready to verify, with the groups that it is known to have signed. One signature covers up to 256 receipts, so it
 * is verified once (`kernel.md` §10.3).
 *
 * What was verified is remembered by key, not by key id: ids are names that a configuration gives, and two adapters may
 * use the same one for different keys.
 */
export class ReceiptKey {
  readonly #key: KeyObject | Uint8Array;
  readonly #signatureBytes: number;
  /** Root and signature, in hex, oldest first. */
  readonly #verified = new Set<string>();

  private constructor(key: KeyObject | Uint8Array) {
    this.#key = key;
    this.#signatureBytes = key instanceof Uint8Array ? 32 : 64;
  }

  /** @returns undefined when the bytes are no key of that algorithm. */
  static of(key: Pick<TrustedKey, 'alg' | 'key'>): ReceiptKey | undefined {
    const usable = key.alg === 'ed25519' ? ed25519PublicKey(key.key) : key.key;
    return usable && new ReceiptKey(usable);
  }

  /** Groups in memory; bounded. */
  get remembered(): number {
    return this.#verified.size;
  }

  /** Digest → root → signature. @param signature - as received, with index, count and path when it is of a group. */
  verifies(digest: Uint8Array, signature: Uint8Array): boolean {
    const parts = splitSignature(signature, this.#signatureBytes, digest);
    if (parts === undefined) return false;
    const pair = `${toHex(parts.root)}:${toHex(parts.signature)}`;
    if (this.#verified.has(pair)) return true;
    if (!this.#rootVerifies(parts)) return false;
    this.#verified.add(pair);
    if (this.#verified.size > REMEMBERED_ROOTS) {
      for (const oldest of this.#verified) {
        this.#verified.delete(oldest);
        break;
      }
    }
    return true;
  }

  #rootVerifies({ signature, root }: { readonly signature: Uint8Array; readonly root: Uint8Array }): boolean {
    const message = receiptsMessage(root);
    return this.#key instanceof Uint8Array
      ? timingSafeEqual(createHmac('sha256', this.#key).update(message).digest(), signature)
      : verify(null, message, this.#key, signature);
  }
}

/**
 * Judges receipts that come from another process (`kernel.md` §10.2 rows 6–8, §10.3). What this process signed and
 * hands over in memory does not come here.
 *
 * V1  The verdict is input: the journal keeps its effect, and replay asks nobody again.
 */
export class ReceiptVerifier {
  readonly #options: VerifierOptions;
  readonly #own: ReceiptKey;
  readonly #trusted = new Map<TrustedKey, ReceiptKey>();

  constructor(options: VerifierOptions) {
    this.#options = options;
    this.#own = ReceiptKey.of({ alg: 'ed25519', key: options.own.publicKey })!;
    for (const key of options.trusted) {
      const usable = ReceiptKey.of(key);
      if (usable !== undefined) this.#trusted.set(key, usable);
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
    if (ownId && this.#own.verifies(digest, receipt.signature)) return { sigKey: this.#options.own.keyId };
    for (const key of trusted) {
      if (!isValidAt(key, nowNs)) continue;
      if (this.#trusted.get(key)?.verifies(digest, receipt.signature) === true) return { sigKey: key.keyId };
    }
    return { reject: 'receipt.bad_signature' };
  }
}

/** From `fromNs` on, up to and without `untilNs`. */
export function isValidAt(key: Pick<TrustedKey, 'fromNs' | 'untilNs'>, nowNs: bigint): boolean {
  return (key.fromNs === undefined || nowNs >= key.fromNs) && (key.untilNs === undefined || nowNs < key.untilNs);
}

/** Checks one receipt's signature afterwards, as an auditor does. */
export function verifyReceipt(
  worldId: string,
  receipt: ReceiptData & { readonly emissionSeq: number },
  key: Pick<TrustedKey, 'alg' | 'key'>,
): boolean {
  return ReceiptKey.of(key)?.verifies(receiptDigest(worldId, receipt), receipt.signature) === true;
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
  // A group of one has no index: one signature has one spelling.
  if (count < 2 || count > SIGNING_GROUP_MAX || index >= count) return undefined;
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
