import { concatBytes, hashOf, sha256, utf8 } from '@worldline/canon';
import type { ReceiptData } from './ingress.ts';

/**
 * What an executor vouches for (`kernel.md` §10.3). World and emission are part of it, so a receipt cannot be used
 * again in another world, in a fork, or for a later equal intent.
 */
export function receiptDigest(worldId: string, receipt: ReceiptData & { readonly emissionSeq: number }): Uint8Array {
  const { payloadCbor, error } = receipt;
  return hashOf({
    domain: 'worldline.receipt.v1',
    world_id: worldId,
    emission_seq: receipt.emissionSeq,
    intent_hash: receipt.intentHash,
    adapter_id: receipt.adapterId,
    status: receipt.status,
    payload_hash: payloadCbor === undefined ? null : sha256(payloadCbor),
    cost_cents: receipt.costCents ?? null,
    error:
      error === undefined
        ? null
        : { code: error.code, message: error.message, retryable: error.retryable, detail_ref: error.detail_ref },
  });
}

const DOMAIN = utf8('worldline.receipts.v1');

/** Bytes that are signed for a group of receipts; `root` = `merkleRoot` of their digests. */
export function receiptsMessage(root: Uint8Array): Uint8Array {
  return concatBytes(DOMAIN, root);
}
