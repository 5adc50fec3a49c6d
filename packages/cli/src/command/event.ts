import { isJsonArray, isJsonObject, type Json } from '@worldline/air';
import { encode, fromBase64 } from '@worldline/canon';
import { ingressId, submitting } from '../access.ts';
import type { Context } from '../context.ts';
import { stop } from '../failure.ts';
import { readJson } from '../input.ts';

export interface EventFlags {
  readonly key?: string;
  readonly keyJson?: string;
  readonly keyB64?: string;
  readonly idempotencyKey?: string;
  readonly wait: 'accepted' | 'applied' | 'settled';
}

/** `worldline event send`. */
export async function sendEvent(ctx: Context, schema: string, value: string, flags: EventFlags): Promise<void> {
  const request = {
    schema,
    value: { json: readJson(value, '<value>', ctx.cwd) },
    key: readKey(ctx, flags),
    ingressId: ingressId(flags.idempotencyKey),
  };
  await submitting(ctx, async (access) => {
    const answer = await access.submit({ kind: 'event', request }, flags.wait);
    if (answer.state === 'accepted') {
      ctx.out.answer(['accepted'], { ingress_id: answer.ingressId });
      return;
    }
    const { eventHash, firstSeq, lastSeq, duplicate } = answer;
    if (duplicate) ctx.out.notice('this event was submitted before; this is its first answer');
    ctx.out.answer(
      [`${eventHash ?? ''} #${firstSeq}..#${lastSeq}`.trim()],
      { event_hash: eventHash, first_seq: firstSeq, last_seq: lastSeq, duplicate },
      await access.meta(),
    );
  });
}

/** Routing key as canonical CBOR. */
function readKey(ctx: Context, flags: EventFlags): Uint8Array | undefined {
  if (flags.key !== undefined) return encode(flags.key);
  if (flags.keyB64 !== undefined) return fromBase64(flags.keyB64) ?? stop('invalid_request', '--key-b64 is not base64');
  if (flags.keyJson === undefined) return undefined;
  const json: Json = readJson(flags.keyJson, '--key-json', ctx.cwd);
  if (typeof json === 'string' || typeof json === 'number' || typeof json === 'bigint') return encode(json);
  const what = isJsonArray(json) ? 'a list' : isJsonObject(json) ? 'an object' : String(json);
  return stop('event.key', `a key is a text or an integer, not ${what}`, { path: ['key'] });
}
