import {
  ALLOW_ALL_POLICY,
  builtinScope,
  type Catalog,
  type EffectDef,
  encodeValue,
  type Grant,
  isTypedMessage,
  judgePolicy,
  judgeSecret,
  recordedMessage,
  recordedParamsSchema,
  runBuiltinEnforcer,
  type SecretDenial,
  secretRefs,
  type Type,
  type TypeScope,
  type Value,
} from '@worldline/air';
import { CborWriter, encodedText, hashOf, sha256 } from '@worldline/canon';
import { classOf, type Emission, timerDueNs } from './emission.ts';
import type { IntentOrigin } from './record.ts';
import type { WorldState } from './state.ts';
import type { Turn } from './turn.ts';

/** Every effect passes here: kind, origin, grant, enforcer, secrets, policy; decisions on record (`kernel.md` §9). */

export interface EffectRequest {
  readonly kind: string;
  /** Conforms to `paramsType`. */
  readonly params: Value;
  readonly paramsType: ParamsType;
  readonly cap: string;
  /** 32 bytes, or undefined when the author gave none. */
  readonly idempotencyKey: Uint8Array | undefined;
  readonly origin: IntentOrigin & { readonly origin_kind: 'plan' };
  readonly cause: number;
}

/** The params schema that the origin pins; the active manifest may define another one under the same Name. */
export interface ParamsType {
  readonly type: Extract<Type, { readonly kind: 'ref' }>;
  readonly scope: TypeScope;
}

export type Denial = {
  readonly code: 'effect_invalid' | 'cap_denied' | 'secret_denied' | 'policy_denied';
  readonly reason: string;
};

export type Admission =
  | { readonly ok: true; readonly emissionSeq: number; readonly intentHash: Uint8Array }
  | { readonly ok: false; readonly denial: Denial };

export type CapVerdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: string; readonly message: string };

const NO_KEY = new Uint8Array(32);
const NO_WAITERS: Emission['waiters'] = [];

const hashed = new CborWriter();
const CAP = encodedText('cap');
const KIND = encodedText('kind');
const PARAMS = encodedText('params');
const IDEMPOTENCY_KEY = encodedText('idempotency_key');

/** `H({kind, params, cap, idempotency_key})` (`kernel.md` §9.1). */
export function hashIntent(kind: string, params: Uint8Array, cap: string, idempotencyKey: Uint8Array): Uint8Array {
  hashed.clear();
  hashed.prefix();
  hashed.map(4);
  hashed.raw(CAP);
  hashed.text(cap);
  hashed.raw(KIND);
  hashed.text(kind);
  hashed.raw(PARAMS);
  hashed.bytes(params);
  hashed.raw(IDEMPOTENCY_KEY);
  hashed.bytes(idempotencyKey);
  return sha256(hashed.peek());
}

const paramsTypes = new WeakMap<Catalog, Map<string, ParamsType>>();

/** What params of a listed kind are read with. One object per kind, since what follows from a type is kept beside it. */
export function paramsTypeOf(catalog: Catalog, kind: string): ParamsType {
  let types = paramsTypes.get(catalog);
  if (types === undefined) {
    types = new Map();
    paramsTypes.set(catalog, types);
  }
  let found = types.get(kind);
  if (found === undefined) {
    found = { type: { kind: 'ref', name: catalog.effects.get(kind)!.def.paramsSchema }, scope: catalog.scope };
    types.set(kind, found);
  }
  return found;
}

/** `timer.set` and `blob.get` count as `both` (`builtins.md` §6.3). */
export function admitsPlans(effect: EffectDef): boolean {
  return effect.originScope !== 'reducer' || effect.effectKind === 'timer.set' || effect.effectKind === 'blob.get';
}

/** Kinds for which sharing is never wanted get a key from their origin (`kernel.md` §9.1). */
function originKey(request: EffectRequest): Uint8Array {
  const { kind, origin } = request;
  const derived =
    kind.startsWith('timer.') || kind === 'approval.request' || kind === 'fabric.send' || isTypedMessage(kind);
  return derived ? hashOf([kind, origin.origin_kind, origin.name, origin.plan_id, origin.step_id]) : NO_KEY;
}

/** Steps 4–12 of the pipeline (`kernel.md` §9.3). Kind, origin and params were checked by the caller. */
export function admit(state: WorldState, turn: Turn, effect: EffectDef, request: EffectRequest): Admission {
  const catalog = state.catalog;
  const { params, paramsType } = recorded(effect, request);
  const paramsCbor = encodeValue(params);
  if (paramsCbor.length > state.config.limits.max_params_bytes) return deny('effect_invalid', 'too_large');
  const idempotencyKey = request.idempotencyKey ?? originKey(request);
  const intentHash = hashIntent(request.kind, paramsCbor, request.cap, idempotencyKey);

  const grant = catalog.grants.get(request.cap);
  if (grant === undefined) return deny('cap_denied', 'cap.grant_missing');
  if (grant.capType !== effect.capType) return deny('cap_denied', 'cap.type_mismatch');

  const origin = { kind: 'plan' as const, name: request.origin.name };
  const call = {
    effectKind: request.kind,
    paramsCbor,
    params,
    paramsType,
    origin,
  };
  const verdict = checkGrant(catalog, grant, call, turn.stamp.logicalNowNs);
  const secret = verdict.ok ? checkSecrets(catalog, request) : undefined;
  const refusal = verdict.ok ? secret : verdict;
  turn.append({
    record_kind: 'cap_decision',
    intent_hash: intentHash,
    stage: 'enqueue',
    effect_kind: request.kind,
    cap_name: request.cap,
    cap_type: grant.capType,
    grant_hash: grant.grantHash,
    enforcer_module: grant.enforcer,
    expiry_ns: grant.expiryNs,
    decision: refusal === undefined ? 'allow' : 'deny',
    deny: refusal === undefined ? undefined : { code: refusal.code, message: refusal.message },
  });
  if (refusal !== undefined) return deny(secret === undefined ? 'cap_denied' : 'secret_denied', refusal.code);

  const ruling = judgePolicy(catalog.policy, request, grant);
  turn.append({
    record_kind: 'policy_decision',
    intent_hash: intentHash,
    policy_name: catalog.policy?.name ?? ALLOW_ALL_POLICY,
    rule_index: ruling.rule,
    decision: ruling.decision,
  });
  if (ruling.decision === 'deny')
    return deny('policy_denied', ruling.rule === undefined ? 'default' : `rule/${ruling.rule}`);

  return { ok: true, intentHash, emissionSeq: enqueue(state, turn, request, paramsCbor, idempotencyKey, intentHash) };
}

function deny(code: Denial['code'], reason: string): Admission {
  return { ok: false, denial: { code, reason } };
}

/** Expiry and enforcer, without recording anything; also for adapters that change a request after dispatch. */
export function checkGrant(
  catalog: Catalog,
  grant: Grant,
  call: {
    readonly effectKind: string;
    readonly paramsCbor: Uint8Array;
    /** What `paramsCbor` reads as, when the caller has it. */
    readonly params?: Value | undefined;
    readonly paramsType: ParamsType;
    readonly origin: { readonly kind: 'plan' | 'reducer'; readonly name: string };
  },
  logicalNowNs: bigint,
): CapVerdict {
  if (grant.expiryNs !== undefined && logicalNowNs >= grant.expiryNs) {
    return { ok: false, code: 'expired', message: 'the grant has expired' };
  }
  const verdict = runBuiltinEnforcer(grant.enforcer, {
    capDef: grant.cap,
    grantName: grant.name,
    capSchema: catalog.caps.get(grant.cap)!.def.schema,
    capParams: grant.paramsCbor,
    effectKind: call.effectKind,
    effectParams: call.paramsCbor,
    effectValue: call.params,
    paramsType: call.paramsType.type,
    origin: call.origin,
    logicalNowNs,
    scope: call.paramsType.scope,
  });
  return verdict ?? { ok: false, code: 'enforcer_not_found', message: `no enforcer ${grant.enforcer}` };
}

/**
 * The params as they are recorded (`kernel.md` §9.2). Secrets are looked for in what the plan gave: within a message they
 * would be bytes.
 */
function recorded(
  effect: EffectDef,
  { params, paramsType }: EffectRequest,
): Pick<EffectRequest, 'params' | 'paramsType'> {
  if (!isTypedMessage(effect.effectKind)) return { params, paramsType };
  // The plan's own schema says what is sent; the live one may be of another version.
  const pinned = { ...effect, paramsSchema: paramsType.type.name };
  return {
    params: recordedMessage(pinned, params, paramsType.scope),
    paramsType: recordedParamsType(effect, paramsType.scope),
  };
}

/** What recorded params of an effect are read with. */
export function recordedParamsType(effect: EffectDef, scope: TypeScope): ParamsType {
  const name = recordedParamsSchema(effect);
  return { type: { kind: 'ref', name }, scope: name === effect.paramsSchema ? scope : builtinScope() };
}

function checkSecrets(catalog: Catalog, request: EffectRequest): SecretDenial | undefined {
  for (const ref of secretRefs(request.params, request.paramsType.type, request.paramsType.scope)) {
    const denial = judgeSecret(catalog.secrets, ref, { cap: request.cap, plan: request.origin.name });
    if (denial !== undefined) return denial;
  }
  return undefined;
}

function enqueue(
  state: WorldState,
  turn: Turn,
  request: EffectRequest,
  paramsCbor: Uint8Array,
  idempotencyKey: Uint8Array,
  intentHash: Uint8Array,
): number {
  const leader = state.emissions.ofIntent(intentHash);
  const emissionSeq = turn.append({
    record_kind: 'effect_intent',
    intent_hash: intentHash,
    kind: request.kind,
    cap_name: request.cap,
    params_cbor: paramsCbor,
    idempotency_key: idempotencyKey,
    origin: request.origin,
    coalesced_into: leader?.emissionSeq,
    cause: request.cause,
  });
  if (leader !== undefined) {
    const waiters = [...leader.waiters, { emissionSeq, origin: request.origin }];
    state.setEmission({ ...leader, waiters }, leader, turn.undo);
    return emissionSeq;
  }
  const emission: Emission = {
    emissionSeq,
    intentHash,
    kind: request.kind,
    capName: request.cap,
    paramsCbor,
    idempotencyKey,
    logicalNowNs: turn.stamp.logicalNowNs,
    origin: request.origin,
    class: classOf(request.kind),
    waiters: NO_WAITERS,
  };
  state.setEmission(emission, undefined, turn.undo);
  if (emission.class === 'external') {
    turn.emit(emissionSeq, intentHash, request.kind);
  } else if (emission.class === 'timer') {
    turn.timers.push({ emissionSeq, intentHash, dueWallNs: dueWallNs(turn.stamp, timerDueNs(emission)) });
  }
  return emissionSeq;
}

/** Latest wall time that a row can hold: a signed 64-bit column, the year 2262. */
const WALL_MAX_NS = 2n ** 63n - 1n;

/** Estimate of the wall time at which logical time gets to `dueLogicalNs`. */
export function dueWallNs(
  stamp: { readonly nowNs: bigint; readonly logicalNowNs: bigint },
  dueLogicalNs: bigint,
): bigint {
  const ahead = dueLogicalNs - stamp.logicalNowNs;
  const due = stamp.nowNs + (ahead > 0n ? ahead : 0n);
  return due > WALL_MAX_NS ? WALL_MAX_NS : due;
}
