import { bytesEqual, fail, ok, type Result, toHex } from '@worldline/canon';
import { ingressDigest } from '@worldline/kernel';
import type { InboxItem } from '@worldline/ports';
import { decodeInboxItem, type InboxEnvelope } from './inbox-item.ts';

/**
 * An inbox item as it comes back from the store, compared with the digest that it was enqueued with: rows of the inbox
 * have no other checksum (`hosting.md` §4.3, decision 0031).
 *
 * What was enqueued must never stop a world (D10), and damage must never be applied. So only an item that reads in full
 * as one ingress while its digest is of another is damage: both were computed from one value. Bytes that are no item have
 * nothing to compare with. An item with members that this version does not read may come from a newer one, whose digest
 * may cover them: where the digest is not that of what is read here, it is no item of this version.
 *
 * @returns `decode_error`: to be refused on record; `journal.corrupt`: the store is damaged.
 */
export function readStoredItem(stored: Pick<InboxItem, 'seq' | 'item' | 'digest'>): Result<InboxEnvelope> {
  const decoded = decodeInboxItem(stored.item);
  if (!decoded.ok) return decoded;
  const { saysMore, ...envelope } = decoded.value;
  if (bytesEqual(ingressDigest(envelope.ingress), stored.digest)) return ok(envelope);
  const seq = toHex(stored.seq);
  const path = ['inbox', seq];
  if (saysMore) {
    const message = `inbox item ${seq} says more than this version reads, and its digest covers it`;
    return fail({ code: 'decode_error', path, message });
  }
  return fail({
    code: 'journal.corrupt',
    path,
    message: `inbox item ${seq}, of kind "${envelope.ingress.kind}", is not what was enqueued: its digest is another`,
    hint: 'Nothing of it was applied. Restore the store from a copy, and send again what came in since that was made.',
  });
}
