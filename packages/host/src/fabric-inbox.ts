import { typeDigest } from '@worldline/air';
import { hashText, ok, toHex } from '@worldline/canon';
import type { EventIngress, FabricAccept } from '@worldline/kernel';
import type { FabricAcceptance, FabricMessage, Store } from '@worldline/ports';
import { type Answer, refuse } from './failure.ts';
import { encodeInboxItem } from './inbox-item.ts';
import { enqueueRefusal } from './inbox-refusal.ts';
import { prepareEvent, type WorldView } from './requests.ts';

/**
 * Messages of other worlds (`host.md` §5.7, `hosting.md` §10): who is heard, and what a message becomes.
 *
 * F1  Who sends is what the transport proved, never what the message claims.
 * F2  A message is acknowledged when it is durable in the inbox; from then on it is applied once, or refused on record.
 * F3  The key of a message names its sender, so equal messages of two senders are two.
 */

/** The authenticated sender. */
export interface FabricSender {
  /** What this world calls it: the name of the peer. */
  readonly name: string;
  /** `air://<universe>/<world>`, when that is known too. */
  readonly address?: string | undefined;
}

/**
 * Admits a message and makes it the ingress that it is to become. Nothing is said about schemas to somebody who may not
 * send at all.
 *
 * @param maxBytes - `fabric.max_bytes` of this world's host.
 * @returns `fabric.refused`, `fabric.no_inbox`, `fabric.schema_mismatch`, `fabric.too_large` or `invalid_request`.
 */
export function prepareMessage(
  view: WorldView,
  sender: FabricSender,
  message: FabricMessage,
  maxBytes: number,
): Answer<EventIngress> {
  const { schema, mode } = message;
  if (!admits(view.config.fabric_accept, sender, message))
    return refuse('fabric.refused', `"${sender.name}" may not send ${schema} to this world in mode ${mode}`, {
      hint: 'world.fabric_accept of the receiving world says who may; "worldline config apply" puts a change in force.',
    });
  if (message.value.length > maxBytes)
    return refuse('fabric.too_large', `the message has ${message.value.length} bytes, at most ${maxBytes} are taken`);
  // An inbox leads to a reducer, and the kernel of this release runs none: it refuses every inbox input the same way.
  if (mode === 'inbox') return refuse('fabric.no_inbox', `no inbox of this world takes messages of "${sender.name}"`);
  if (schema.startsWith('sys/')) return refuse('fabric.refused', `${schema} is never taken from another world`);
  if (!view.catalog.schemas.has(schema))
    return refuse('fabric.schema_mismatch', `this world does not know the schema ${schema}`);
  if (message.typeHash !== undefined) {
    const own = typeDigest({ kind: 'ref', name: schema }, view.catalog.scope);
    if (own === undefined || hashText(own) !== message.typeHash)
      return refuse('fabric.schema_mismatch', `${schema} is another type in this world than in the sender’s`, {
        hint: 'Both worlds need the same definition; a changed one is a new version of its name.',
      });
  }
  const key = messageKey(sender, message);
  const prepared = prepareEvent(view, {
    schema,
    value: { cbor: message.value },
    key: message.key,
    ingressId: key,
  });
  if (prepared.ok) return prepared;
  const { failure } = prepared;
  if (failure.code === 'event.invalid') return { ok: false, failure: { ...failure, code: 'fabric.schema_mismatch' } };
  return failure.code === 'too_large' ? { ok: false, failure: { ...failure, code: 'fabric.too_large' } } : prepared;
}

/** Dedupe key and ingress id of a message. */
export function messageKey(sender: FabricSender, message: Pick<FabricMessage, 'messageId'>): string {
  return `fabric:${sender.name}/${message.messageId}`;
}

/** An entry that leaves schemas or modes out means all of them. */
function admits(accepts: readonly FabricAccept[], sender: FabricSender, { schema, mode }: FabricMessage): boolean {
  return accepts.some(
    ({ from, schemas, modes }) =>
      isFrom(from, sender) &&
      (schemas === undefined || schemas.includes(schema)) &&
      (modes === undefined || modes.includes(mode)),
  );
}

/** A peer's name, an address, or `air://<universe>/*`. */
function isFrom(from: string, { name, address }: FabricSender): boolean {
  if (from === name || from === address) return true;
  return from.startsWith('air://') && from.endsWith('/*') && address?.startsWith(from.slice(0, -1)) === true;
}

/**
 * Puts an admitted message into a world's durable inbox. Needs neither lock nor lease, and is right beside a process that
 * has both: that one finds it there.
 *
 * @param enqueuedAtNs - wall clock.
 * @returns the acceptance once it is durable; for a repeat the first one's.
 */
export async function enqueueMessage(
  store: Store,
  worldId: string,
  ingress: EventIngress,
  enqueuedAtNs: bigint,
): Promise<Answer<FabricAcceptance>> {
  const { item, digest, dedupeKey } = encodeInboxItem({ ingress, dedupeKey: ingress.ingressId, enqueuedAtNs });
  const answer = await store.inbox.enqueue(worldId, item, digest, dedupeKey, { isDelivery: true });
  if (answer.answer !== 'ok' && answer.answer !== 'duplicate')
    return enqueueRefusal(worldId, answer, 'this message id came with another message before');
  return ok({ seq: ordinal(answer.seq), duplicate: answer.answer === 'duplicate' });
}

/** An inbox seq as a nat: its last 8 bytes, which is all of it in every store that counts. */
function ordinal(seq: Uint8Array): bigint {
  return BigInt(`0x0${toHex(seq.subarray(-8))}`);
}
