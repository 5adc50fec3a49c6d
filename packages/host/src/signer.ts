import { concatBytes } from '@worldline/canon';
import { merkleTree, type ReceiptData, receiptDigest, receiptsMessage } from '@worldline/kernel';
import type { HostKey } from './keys.ts';

/** A receipt that is finished but not signed; its emission is always known. */
export type UnsignedReceipt = Omit<ReceiptData, 'signature' | 'emissionSeq'> & { readonly emissionSeq: number };
export type SignedReceipt = UnsignedReceipt & { readonly signature: Uint8Array };

/** Receipts that one signature may cover. */
export const SIGNING_GROUP_MAX = 256;

/**
 * Signs 1 … 256 receipts with one signature over the Merkle root of their digests.
 *
 * @returns each receipt with the signature, and in a group with its index, the count and its path to the root.
 */
export function signReceipts(worldId: string, key: HostKey, receipts: readonly UnsignedReceipt[]): SignedReceipt[] {
  if (receipts.length === 0 || receipts.length > SIGNING_GROUP_MAX)
    throw new RangeError(`${receipts.length} receipts in one group`);
  const digests = receipts.map((receipt) => receiptDigest(worldId, { ...receipt, signature: NO_BYTES }));
  const tree = merkleTree(digests);
  const signature = key.sign(receiptsMessage(tree.root));
  if (receipts.length === 1) return [{ ...receipts[0]!, signature }];
  return receipts.map((receipt, i) => ({
    ...receipt,
    signature: concatBytes(signature, u16be(i), u16be(receipts.length), ...tree.path(i)),
  }));
}

const NO_BYTES = new Uint8Array(0);

function u16be(n: number): Uint8Array {
  return Uint8Array.of(n >> 8, n & 0xff);
}
