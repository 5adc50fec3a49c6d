import { type Catalog, type Json, recordedParamsSchema } from '@worldline/air';
import { bytesEqual, fromBase64, hashText, ok, parseHashText, toBase64 } from '@worldline/canon';
import {
  type Answer,
  type EffectView,
  type Given,
  type ManualReceiptRequest,
  refuse,
  type SettledEffect,
  type World,
} from '@worldline/host';
import type { IntentOrigin } from '@worldline/kernel';
import { recordJson, typedJson } from '@worldline/summary';
import type { Body } from './body.ts';
import { inTurns } from './in-turns.ts';
import { Members } from './request.ts';
import type { Endpoint } from './router.ts';

/** Endpoints about effects and receipts (`host.md` §8.3). */

const STATES = ['open', 'in_flight', 'deferred'] as const;
/** How far back a settled effect is looked for; older ones are in the journal for whoever reads it. */
const LOOK_BACK = 50_000;

export function effectEndpoints(world: World): readonly Endpoint[] {
  return [
    {
      method: 'GET',
      path: '/api/effects',
      scope: 'read',
      query: ['status', 'kind'],
      async run({ query }) {
        const status = query.get('status');
        if (status !== null && !(STATES as readonly string[]).includes(status))
          return refuse('invalid_request', `"status" must be ${STATES.join(', ')}`, { path: ['query', 'status'] });
        const kind = query.get('kind');
        const views = (await world.effects()).filter(
          (view) => (status === null || view.state === status) && (kind === null || view.emission.kind === kind),
        );
        return ok({ body: { effects: await inTurns(views, (view) => effectJson(view, world.catalog)) } });
      },
    },
    {
      method: 'GET',
      path: '/api/effects/{intent_hash}',
      scope: 'read',
      async run({ params: [text] }) {
        const hash = readHash(text!);
        if (!hash.ok) return hash;
        const pending = (await world.effects()).find((view) => bytesEqual(view.emission.intentHash, hash.value));
        if (pending !== undefined) return ok({ body: effectJson(pending, world.catalog) });
        const settled = await world.settledEffect(hash.value, LOOK_BACK);
        if (!settled.ok) return settled;
        return settled.value === undefined
          ? refuse('not_found', `there is no effect ${text} among the newest ${LOOK_BACK} records`)
          : ok({ body: settledJson(settled.value, world.catalog) });
      },
    },
    {
      method: 'POST',
      path: '/api/effects/{intent_hash}/retry',
      scope: 'receipt',
      async run({ params: [text], body }) {
        const members = new Members(body, []);
        if (members.problem !== undefined) return members.problem;
        const hash = readHash(text!);
        if (!hash.ok) return hash;
        const retried = await world.retryEffect(hash.value);
        return retried.ok ? ok({ body: {} }) : retried;
      },
    },
    {
      method: 'POST',
      path: '/api/receipts',
      scope: 'receipt',
      async run({ body, identity }) {
        const request = readReceipt(body);
        if (!request.ok) return request;
        // Scope and roles for decisions are other ones, and the approver is whoever asks (`host.md` §5.6).
        const answer = await world.injectReceipt({ ...request.value, mayDecide: identity.roles === 'every' });
        if (!answer.ok) return answer;
        const isDuplicate =
          answer.value.state === 'settled_before' || ('duplicate' in answer.value && answer.value.duplicate);
        return ok({ body: { accepted: !isDuplicate, duplicate: isDuplicate } });
      },
    },
  ];
}

/**
 * A pending effect; without a receipt there is no more to say.
 *
 * @param catalog - live definitions. Looking up those that each origin pins would load every parked run; params that
 *   no longer fit are shown as they are.
 */
export function effectJson(view: EffectView, catalog: Catalog): { readonly [key: string]: Body | undefined } {
  const { emission, state, attempt, dueNs, pause } = view;
  return {
    intent_hash: hashText(emission.intentHash),
    emission_seq: emission.emissionSeq,
    kind: emission.kind,
    cap: emission.capName,
    origin: originJson(emission.origin),
    enqueued_seq: emission.emissionSeq,
    status: state,
    attempt,
    due_ns: dueNs === undefined ? undefined : String(dueNs),
    next_attempt_ns: pause === undefined ? undefined : String(pause.untilNs),
    last_error_code: pause?.code,
    params: paramsJson(emission.kind, emission.paramsCbor, catalog),
  };
}

/** An effect that has its receipt. It is none of `open`, `in_flight`, `deferred`, and has no status. */
export function settledJson(settled: SettledEffect, catalog: Catalog): { readonly [key: string]: Body | undefined } {
  const { intent, emissionSeq, receipt, receiptSeq } = settled;
  const types = { catalog, kindOf: () => intent.kind };
  return {
    intent_hash: hashText(intent.intent_hash),
    emission_seq: emissionSeq,
    kind: intent.kind,
    cap: intent.cap_name,
    origin: originJson(intent.origin),
    enqueued_seq: emissionSeq,
    params: paramsJson(intent.kind, intent.params_cbor, catalog),
    receipt: { seq: receiptSeq, ...recordJson({ seq: receiptSeq, record: receipt, stamp: undefined }, types) },
  };
}

function paramsJson(kind: string, cbor: Uint8Array, catalog: Catalog): Json {
  const effect = catalog.effects.get(kind)?.def;
  const schema = effect && recordedParamsSchema(effect);
  return typedJson(cbor, schema === undefined ? undefined : catalog.scope.lookup(schema), catalog);
}

function originJson(origin: IntentOrigin): Body {
  if (origin.origin_kind === 'plan') return { ...origin };
  const { key, ...rest } = origin;
  return { ...rest, key_b64: key === undefined ? undefined : toBase64(key) };
}

/** @returns `invalid_request` for what is no intent hash. */
export function readHash(text: string): Answer<Uint8Array> {
  const hash = parseHashText(text);
  return hash === undefined
    ? refuse('invalid_request', `"${text.slice(0, 80)}" is no intent hash`, {
        path: ['intent_hash'],
        hint: 'It is "sha256:" and 64 hex digits in lower case.',
      })
    : ok(hash);
}

function readReceipt(body: Json | undefined): Answer<ManualReceiptRequest> {
  const members = new Members(body, [
    'intent_hash',
    'emission_seq',
    'status',
    'payload',
    'payload_b64',
    'error',
    'adapter_id',
  ]);
  const text = members.text('intent_hash');
  const status = members.choice('status', ['ok', 'error', 'timeout']);
  const emissionSeq = members.optionalCount('emission_seq');
  const adapterId = members.optionalText('adapter_id');
  const error = members.optionalObject('error', ['code', 'message', 'retryable']);
  const code = error?.text('code');
  const message = error?.optionalText('message') ?? '';
  const retryable = error?.optionalFlag('retryable');
  const problem = members.problem ?? error?.problem;
  if (problem !== undefined) return problem;
  const hash = readHash(text);
  if (!hash.ok) return hash;
  const payload = readPayload(members);
  if (!payload.ok) return payload;
  if (error !== undefined && status === 'ok')
    return refuse('invalid_request', 'a receipt with status "ok" has no error', { path: ['error'] });
  if (adapterId !== undefined && !/^[\x21-\x7e]{1,64}$/.test(adapterId))
    return refuse('invalid_request', 'an adapter id has 1 to 64 printable characters and no spaces', {
      path: ['adapter_id'],
    });
  return ok({
    intentHash: hash.value,
    emissionSeq,
    status,
    payload: payload.value,
    error: code === undefined ? undefined : { code, message, retryable },
    adapterId,
  });
}

function readPayload(members: Members): Answer<Given | undefined> {
  const json = members.json('payload');
  if (!members.has('payload_b64')) return ok(json === undefined ? undefined : { json });
  if (json !== undefined)
    return refuse('invalid_request', 'give "payload" or "payload_b64", not both', { path: ['payload_b64'] });
  const cbor = fromBase64(members.text('payload_b64'));
  return cbor === undefined
    ? refuse('invalid_request', '"payload_b64" is not base64', { path: ['payload_b64'] })
    : ok({ cbor });
}
