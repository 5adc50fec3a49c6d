import { encode, fromBase64, ok } from '@worldline/canon';
import { type Answer, type EventRequest, type Given, refuse, type World } from '@worldline/host';
import { type ApiRequest, Members } from './request.ts';
import type { Endpoint } from './router.ts';

/** What clients tell a running world: events (`host.md` §8.3, §8.4). */

const WAITS = ['accepted', 'applied', 'settled'] as const;

export function clientEndpoints(world: World): readonly Endpoint[] {
  return [
    {
      method: 'POST',
      path: '/api/events',
      scope: 'event',
      query: ['wait'],
      async run(request) {
        const event = readEvent(request);
        if (!event.ok) return event;
        const text = request.query.get('wait') ?? 'settled';
        const wait = WAITS.find((known) => known === text);
        if (wait === undefined)
          return refuse('invalid_request', `"wait" must be ${WAITS.join(', ')}`, { path: ['query', 'wait'] });
        const sent = await world.sendEvent(event.value, wait);
        if (!sent.ok) return sent;
        if (sent.value.state === 'accepted') return ok({ status: 202, body: { ingress_id: sent.value.ingressId } });
        const { eventHash, firstSeq, lastSeq } = { ...NOTHING, ...sent.value };
        const { duplicate } = sent.value;
        return ok({
          body: { event_hash: eventHash, first_seq: firstSeq, last_seq: lastSeq, duplicate, meta: await meta(world) },
        });
      },
    },
  ];
}

/** An ingress that was settled before anybody remembers has no numbers to show. */
const NOTHING = { eventHash: undefined, firstSeq: undefined, lastSeq: undefined };

function readEvent({ body, identity, idempotencyKey }: ApiRequest): Answer<EventRequest> {
  const members = new Members(body, ['schema', 'value', 'value_b64', 'key', 'key_b64']);
  const schema = members.text('schema');
  const [value64, key64] = [members.optionalText('value_b64'), members.optionalText('key_b64')];
  const value = members.json('value');
  const key = members.has('key') ? members.json('key') : undefined;
  if (members.problem !== undefined) return members.problem;
  if ((value === undefined) === (value64 === undefined))
    return refuse('invalid_request', 'give "value" or "value_b64"', { path: ['value'] });
  if (key !== undefined && key64 !== undefined)
    return refuse('invalid_request', 'give "key" or "key_b64", not both', { path: ['key_b64'] });
  const valueBytes = value64 === undefined ? undefined : fromBase64(value64);
  const keyBytes = key64 === undefined ? undefined : fromBase64(key64);
  for (const [name, given, bytes] of [
    ['value_b64', value64, valueBytes],
    ['key_b64', key64, keyBytes],
  ] as const)
    if (given !== undefined && bytes === undefined)
      return refuse('invalid_request', `"${name}" is not base64`, { path: [name] });
  if (key !== undefined && typeof key !== 'string' && typeof key !== 'number' && typeof key !== 'bigint')
    return refuse('event.key', 'a key is a text or an integer', { path: ['key'] });
  if (idempotencyKey !== undefined && !/^[\x21-\x7e]{1,128}$/.test(idempotencyKey))
    return refuse('invalid_request', 'an idempotency key has 1 to 128 printable characters and no spaces', {
      path: ['idempotency-key'],
    });
  const given: Given = valueBytes === undefined ? { json: value ?? null } : { cbor: valueBytes };
  return ok({
    schema,
    value: given,
    key: key === undefined ? keyBytes : encode(key),
    ingressId: idempotencyKey === undefined ? undefined : `api:${identity.name}:${idempotencyKey}`,
  });
}

async function meta(world: World) {
  const { head, manifestHash, snapshot } = await world.status();
  return {
    journal_height: head.height,
    snapshot_hash: snapshot?.ref,
    manifest_hash: manifestHash,
  };
}
