import type { Json } from '@worldline/air';
import { fromBase64, ok, parseHashText } from '@worldline/canon';
import { type Answer, type FabricSender, refuse, type World } from '@worldline/host';
import type { FabricMessage } from '@worldline/ports';
import { type Identity, Members } from './request.ts';
import type { Endpoint } from './router.ts';

/** Messages of other worlds (`host.md` §5.7, §8.3). */

/** Who sends, as the transport proved it; undefined: nobody that may. */
export type SenderOf = (identity: Identity, fromWorld: string) => Promise<FabricSender | undefined>;

export function fabricEndpoints(world: World, senderOf: SenderOf): readonly Endpoint[] {
  return [
    {
      method: 'POST',
      path: '/api/fabric/inbox',
      scope: 'fabric',
      async run({ body, identity }) {
        const message = readMessage(body);
        if (!message.ok) return message;
        const { fromWorld } = message.value;
        const sender = await senderOf(identity, fromWorld);
        if (sender === undefined)
          return refuse('fabric.refused', `world ${fromWorld.slice(0, 80)} is no peer of this world`, {
            hint: 'A peer on this machine is configured here by its folder (fabric.peers.<name>.path), any other has a token of this world.',
          });
        const accepted = await world.receiveMessage(sender, message.value);
        return accepted.ok ? ok({ body: { seq: accepted.value.seq, duplicate: accepted.value.duplicate } }) : accepted;
      },
    },
  ];
}

const MEMBERS = [
  'message_id',
  'from_world',
  'schema',
  'type_hash',
  'value_b64',
  'key_b64',
  'correlation_id',
  'mode',
] as const;

function readMessage(body: Json | undefined): Answer<FabricMessage> {
  const members = new Members(body, MEMBERS);
  const messageId = members.text('message_id');
  const typeHash = members.optionalText('type_hash');
  const [value, key] = [members.text('value_b64'), members.optionalText('key_b64')];
  const message = {
    messageId,
    typeHash,
    fromWorld: members.text('from_world'),
    schema: members.text('schema'),
    correlationId: members.optionalText('correlation_id'),
    mode: members.has('mode') ? members.choice('mode', ['event', 'inbox']) : 'event',
  } as const;
  if (members.problem !== undefined) return members.problem;
  for (const [name, hash] of [
    ['message_id', messageId],
    ['type_hash', typeHash],
  ] as const)
    if (hash !== undefined && parseHashText(hash) === undefined)
      return refuse('invalid_request', `"${name}" is no hash`, { path: [name] });
  const [valueCbor, keyCbor] = [fromBase64(value), key === undefined ? undefined : fromBase64(key)];
  if (valueCbor === undefined) return refuse('invalid_request', '"value_b64" is not base64', { path: ['value_b64'] });
  if (key !== undefined && keyCbor === undefined)
    return refuse('invalid_request', '"key_b64" is not base64', { path: ['key_b64'] });
  return ok({ ...message, value: valueCbor, key: keyCbor });
}
