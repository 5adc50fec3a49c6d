import { type Catalog, encodeValue, type Json, normalizeCbor, readLiteral, suggestHint } from '@worldline/air';
import { type CborValue, encode, isWellFormed, ok, utf8 } from '@worldline/canon';
import type {
  EffectErrorData,
  EffectStatus,
  Emission,
  EventIngress,
  PlanCancelIngress,
  PlanStartIngress,
  WorldConfig,
} from '@worldline/kernel';
import { type Answer, refuse } from './failure.ts';
import type { UnsignedReceipt } from './signer.ts';

/**
 * What clients ask for, made into ingresses. Everything cheap is checked here and refused unjournaled (`kernel.md` §3
 * rule 3); the kernel checks again, and what it refuses is on record.
 */

/** A typed value: JSON sugar of its schema, or CBOR. */
export type Given = { readonly json: Json } | { readonly cbor: Uint8Array };

export interface EventRequest {
  readonly schema: string;
  readonly value: Given;
  /** Canonical CBOR. */
  readonly key?: Uint8Array | undefined;
  /** Makes a repeat a duplicate; at most 200 bytes. */
  readonly ingressId?: string | undefined;
}

export interface PlanStartRequest {
  readonly plan: string;
  readonly input: Given;
  /** Text, integer or bytes. */
  readonly correlation?: Given | undefined;
  readonly bindLocals?: Readonly<Record<string, Given>> | undefined;
  readonly ingressId?: string | undefined;
}

export interface CancelRequest {
  readonly planId: number;
  readonly reason: string;
  /** Who asks. */
  readonly actor: string;
  readonly ingressId?: string | undefined;
}

export interface DecisionRequest {
  readonly intentHash: Uint8Array;
  readonly decision: 'approved' | 'denied';
  readonly approver: string;
  readonly rationale?: string | undefined;
  /** Roles of the caller, for `approvals.rules`; absent: the world's owner, who may decide everything. */
  readonly roles?: readonly string[] | undefined;
}

export interface ManualReceiptRequest {
  readonly intentHash: Uint8Array;
  readonly emissionSeq?: number | undefined;
  readonly status: EffectStatus;
  readonly payload?: Given | undefined;
  readonly error?:
    | { readonly code: string; readonly message: string; readonly retryable?: boolean | undefined }
    | undefined;
  /** Recorded as `manual.<adapterId>`. */
  readonly adapterId?: string | undefined;
  /** May stand for the answer of a person, whose name is then what the payload says. Default true: the world's owner. */
  readonly mayDecide?: boolean | undefined;
}

/** What the checks need to know of a world. */
export interface WorldView {
  readonly catalog: Catalog;
  readonly config: WorldConfig;
}

const RESERVED: ReadonlySet<string> = new Set([
  'sys/TimerFired@1',
  'sys/BlobPutResult@1',
  'sys/BlobGetResult@1',
  'sys/FabricMessage@1',
]);
const INGRESS_ID_BYTES_MAX = 200;
const REASON_BYTES_MAX = 512;

export function prepareEvent(view: WorldView, request: EventRequest): Answer<EventIngress> {
  const { schema, key, ingressId } = request;
  const idProblem = checkId(ingressId);
  if (idProblem !== undefined) return idProblem;
  if (RESERVED.has(schema)) return refuse('schema.reserved', `${schema} is produced only by the runtime`);
  if (!view.catalog.schemas.has(schema))
    return refuse(
      'schema.unknown',
      `the manifest lists no schema ${schema}`,
      near(schema, view.catalog.schemas.keys()),
    );
  const value = readGiven(view, schema, request.value, 'event.invalid', 'value');
  if (!value.ok) return value;
  if (value.value.length > view.config.limits.max_event_bytes)
    return tooLarge('the event value', view.config.limits.max_event_bytes);
  return ok({ kind: 'event', schema, value: value.value, key, ingressId });
}

export function preparePlanStart(view: WorldView, request: PlanStartRequest): Answer<PlanStartIngress> {
  const idProblem = checkId(request.ingressId);
  if (idProblem !== undefined) return idProblem;
  const plan = view.catalog.plans.get(request.plan)?.def;
  if (plan === undefined)
    return refuse(
      'plan.unknown',
      `the manifest lists no plan ${request.plan}`,
      near(request.plan, view.catalog.plans.keys()),
    );
  const input = readGiven(view, plan.input, request.input, 'plan.input_invalid', 'input');
  if (!input.ok) return input;
  if (input.value.length > view.config.limits.max_event_bytes)
    return tooLarge('the input', view.config.limits.max_event_bytes);
  const correlation = request.correlation === undefined ? ok(undefined) : readCorrelation(request.correlation);
  if (!correlation.ok) return correlation;
  const bindLocals: Record<string, Uint8Array> = {};
  for (const [name, given] of Object.entries(request.bindLocals ?? {})) {
    const schema = plan.locals.get(name);
    if (schema === undefined)
      return refuse('plan.input_invalid', `${plan.name} declares no local "${name}"`, { path: ['bind_locals', name] });
    const value = readGiven(view, schema, given, 'plan.input_invalid', `bind_locals.${name}`);
    if (!value.ok) return value;
    bindLocals[name] = value.value;
  }
  return ok({
    kind: 'plan_start',
    plan: plan.name,
    input: input.value,
    correlation: correlation.value,
    bindLocals: Object.keys(bindLocals).length === 0 ? undefined : bindLocals,
    ingressId: request.ingressId,
  });
}

export function prepareCancel(request: CancelRequest): Answer<PlanCancelIngress> {
  const idProblem = checkId(request.ingressId);
  if (idProblem !== undefined) return idProblem;
  const { planId, reason, actor, ingressId } = request;
  if (!Number.isSafeInteger(planId) || planId < 0)
    return refuse('invalid_request', 'a plan id is a whole number', { path: ['plan_id'] });
  if (!isWellFormed(reason)) return refuse('decode_error', 'the reason must be Unicode text', { path: ['reason'] });
  if (utf8(reason).length > REASON_BYTES_MAX) return tooLarge('the reason', REASON_BYTES_MAX);
  return ok({ kind: 'control', command: 'plan_cancel', planId, reason, actor, ingressId });
}

/**
 * The receipt of a decision, for the pending emission it decides. Who may decide is the host's configuration, not this
 * function's.
 *
 * @param adapterId - that performs `approval.request` in this world.
 */
export function prepareDecision(
  emission: Emission,
  request: DecisionRequest,
  adapterId: string,
): Answer<UnsignedReceipt> {
  const { decision, approver, rationale } = request;
  if (approver.startsWith('plan:')) return refuse('approval.role', 'a plan cannot decide an approval');
  if (decision !== 'approved' && decision !== 'denied')
    return refuse('invalid_request', 'a decision is "approved" or "denied"', { path: ['decision'] });
  if (!isWellFormed(approver) || (rationale !== undefined && !isWellFormed(rationale))) {
    return refuse('decode_error', 'approver and rationale must be Unicode text');
  }
  return ok({
    intentHash: emission.intentHash,
    emissionSeq: emission.emissionSeq,
    adapterId,
    status: 'ok',
    payloadCbor: encode(decisionPayload(request)),
  });
}

/** `sys/ApprovalRequestReceipt@1`. */
export function decisionPayload(request: Pick<DecisionRequest, 'decision' | 'approver' | 'rationale'>): CborValue {
  return { decision: request.decision, approver: request.approver, rationale: request.rationale ?? null };
}

/** The receipt that an operator makes up for an open effect; its adapter id begins with `manual.`. */
export function prepareManualReceipt(
  catalog: Catalog,
  emission: Emission,
  request: ManualReceiptRequest,
): Answer<UnsignedReceipt> {
  const effect = catalog.effects.get(emission.kind);
  if (effect === undefined)
    return refuse('receipt.payload_invalid', `effect kind ${emission.kind} is not in the manifest`);
  let payloadCbor: Uint8Array | undefined;
  if (request.payload !== undefined) {
    const read = readGiven(
      { catalog },
      effect.def.receiptSchema,
      request.payload,
      'receipt.payload_invalid',
      'payload',
    );
    if (!read.ok) return read;
    payloadCbor = read.value;
  } else if (request.status === 'ok') {
    return refuse('receipt.payload_invalid', `status ok needs a payload of ${effect.def.receiptSchema}`, {
      path: ['payload'],
    });
  }
  const { error } = request;
  const data: EffectErrorData | undefined =
    request.status === 'ok'
      ? undefined
      : {
          code: error?.code ?? 'manual',
          message: error?.message ?? '',
          retryable: error?.retryable ?? null,
          detail_ref: null,
        };
  return ok({
    intentHash: emission.intentHash,
    emissionSeq: emission.emissionSeq,
    adapterId: `manual.${request.adapterId ?? 'operator'}`,
    status: request.status,
    payloadCbor,
    error: data,
  });
}

function readGiven(
  view: Pick<WorldView, 'catalog'>,
  schema: string,
  given: Given,
  code: string,
  label: string,
): Answer<Uint8Array> {
  const { scope } = view.catalog;
  const type = { kind: 'ref', name: schema } as const;
  const read = 'json' in given ? fromJson(given.json) : normalizeCbor(given.cbor, type, scope, schema);
  if (read.ok) return ok(read.value.bytes);
  const first = read.failure[0]!;
  return refuse(code, `${label}: ${first.code}: ${first.message}`, {
    path: [label, ...first.path],
    details: read.failure,
    ...(first.hint === undefined ? {} : { hint: first.hint }),
  });

  function fromJson(json: Json) {
    const literal = readLiteral(json, type, scope, schema);
    return literal.ok ? ok({ bytes: encodeValue(literal.value) }) : literal;
  }
}

function readCorrelation(given: Given): Answer<Uint8Array> {
  if ('cbor' in given) return ok(given.cbor);
  const { json } = given;
  if (typeof json === 'string' || typeof json === 'number' || typeof json === 'bigint') return ok(encode(json));
  return refuse('plan.input_invalid', 'a correlation is text or an integer', { path: ['correlation'] });
}

function checkId(ingressId: string | undefined) {
  if (ingressId === undefined) return undefined;
  if (!isWellFormed(ingressId))
    return refuse('decode_error', 'an ingress id is Unicode text', { path: ['ingress_id'] });
  return utf8(ingressId).length > INGRESS_ID_BYTES_MAX ? tooLarge('the ingress id', INGRESS_ID_BYTES_MAX) : undefined;
}

function tooLarge(what: string, bytesMax: number) {
  return refuse('too_large', `${what} is over ${bytesMax} bytes`);
}

/** A hint that names what the author may have meant. */
function near(name: string, known: Iterable<string>): { hint?: string } {
  const hint = suggestHint(name, known);
  return hint === undefined ? {} : { hint };
}
