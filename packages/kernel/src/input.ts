import {
  type Catalog,
  conform,
  normalizeCbor,
  resolveType,
  type Type,
  type TypeScope,
  type Value,
} from '@worldline/air';
import { type CborValue, decode, isWellFormed, utf8 } from '@worldline/canon';
import type { WorldLimits } from './config.ts';
import { isEffectError } from './effect-error.ts';
import type { Ingress, PlanStartIngress } from './ingress.ts';

/** Checks of what comes from outside, before anything is recorded (`kernel.md` §3.1). */

export interface Refusal {
  readonly code: string;
  readonly message: string;
}

const STATUSES: ReadonlySet<string> = new Set(['ok', 'error', 'timeout']);
const INGRESS_ID_BYTES_MAX = 200;
const NAME_BYTES_MAX = 512;
export const REASON_BYTES_MAX = 512;

/** Row 1: sizes and shapes. Everything after it may rely on well-formed text and whole numbers. */
export function checkShape(ingress: Ingress, limits: WorldLimits): Refusal | undefined {
  if (ingress.ingressId !== undefined) {
    const refusal = checkText('ingress_id', ingress.ingressId, INGRESS_ID_BYTES_MAX);
    if (refusal !== undefined) return refusal;
  }
  switch (ingress.kind) {
    case 'event':
    case 'inbox':
      return (
        checkText('schema', ingress.schema, NAME_BYTES_MAX) ??
        (ingress.kind === 'inbox' ? checkText('source', ingress.source, NAME_BYTES_MAX) : undefined) ??
        checkSize('value', ingress.value, limits.max_event_bytes) ??
        (ingress.key === undefined ? undefined : checkSize('key', ingress.key, limits.max_event_bytes))
      );
    case 'receipt': {
      const r = ingress.receipt;
      const cost = r.costCents;
      if (r.intentHash.length !== 32) return decodeError('intent_hash must be 32 bytes');
      if (r.emissionSeq !== undefined && !isSeq(r.emissionSeq))
        return decodeError('emission_seq must be a sequence number');
      if (cost !== undefined && (cost < 0n || cost >= 2n ** 64n)) return decodeError('cost_cents must be a nat');
      if (r.signature.length > 4096) return { code: 'too_large', message: 'signature is over 4096 bytes' };
      if (!STATUSES.has(r.status)) return decodeError('status must be ok, error or timeout');
      if (r.error !== undefined && !isEffectError({ ...r.error }))
        return decodeError('error must be {code, message, retryable or null, detail_ref or null}');
      return checkText('adapter_id', r.adapterId, NAME_BYTES_MAX);
    }
    case 'timer':
      return isSeq(ingress.emissionSeq) ? undefined : decodeError('emission_seq must be a sequence number');
    case 'plan_start':
      return (
        checkText('plan', ingress.plan, NAME_BYTES_MAX) ??
        checkSize('input', ingress.input, limits.max_event_bytes) ??
        (ingress.correlation === undefined ? undefined : checkSize('correlation', ingress.correlation, 4096)) ??
        checkBindings(ingress, limits)
      );
    case 'control':
      return checkControl(ingress);
    case 'genesis':
    case 'snapshot':
      return undefined;
    default:
      return ingress satisfies never;
  }
}

function checkControl(ingress: Extract<Ingress, { kind: 'control' }>): Refusal | undefined {
  switch (ingress.command) {
    case 'plan_cancel':
      if (!isSeq(ingress.planId)) return decodeError('plan_id must be a plan id');
      return (
        checkText('actor', ingress.actor, NAME_BYTES_MAX) ??
        (isWellFormed(ingress.reason) ? undefined : decodeError('reason must be Unicode'))
      );
    case 'pin':
      return checkHashes('pins', [...ingress.add, ...ingress.remove]);
    case 'manifest':
      return (
        checkHashes('manifest_hash, manifest_base and patch_hash', [
          ingress.manifestHash,
          ingress.manifestBase,
          ingress.patchHash,
        ]) ?? checkText('actor', ingress.actor, NAME_BYTES_MAX)
      );
    case 'config':
      return checkHashes('config_hash', [ingress.configHash]);
    default:
      return ingress satisfies never;
  }
}

function checkHashes(what: string, hashes: readonly Uint8Array[]): Refusal | undefined {
  return hashes.every((hash) => hash.length === 32) ? undefined : decodeError(`${what} must be 32 bytes`);
}

function checkBindings(ingress: PlanStartIngress, limits: WorldLimits): Refusal | undefined {
  for (const [name, value] of Object.entries(ingress.bindLocals ?? {})) {
    const refusal =
      checkText('bind_locals', name, NAME_BYTES_MAX) ?? checkSize(`bind_locals.${name}`, value, limits.max_event_bytes);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function checkText(what: string, value: string, bytesMax: number): Refusal | undefined {
  if (!isWellFormed(value)) return decodeError(`${what} must be Unicode text`);
  // A UTF-16 unit takes at most three bytes.
  if (value.length * 3 <= bytesMax) return undefined;
  return value.length > bytesMax || utf8(value).length > bytesMax
    ? { code: 'too_large', message: `${what} is over ${bytesMax} bytes` }
    : undefined;
}

function checkSize(what: string, value: Uint8Array, bytesMax: number): Refusal | undefined {
  return value.length > bytesMax ? { code: 'too_large', message: `${what} is over ${bytesMax} bytes` } : undefined;
}

function decodeError(message: string): Refusal {
  return { code: 'decode_error', message };
}

function isSeq(n: number): boolean {
  return Number.isSafeInteger(n) && n >= 0;
}

export function isRefusal(value: object): value is Refusal {
  return 'code' in value && 'message' in value;
}

export interface CheckedStart {
  readonly input: { readonly value: Value; readonly bytes: Uint8Array };
  readonly correlation: { readonly value: Value } | undefined;
  readonly bindLocals: ReadonlyMap<string, { readonly value: Value; readonly bytes: Uint8Array }>;
}

/** Row 8: a manual start's plan, input, correlation and bindings. */
export function checkStart(catalog: Catalog, ingress: PlanStartIngress): CheckedStart | Refusal {
  const plan = catalog.plans.get(ingress.plan)?.def;
  if (plan === undefined) return { code: 'plan.unknown', message: `the manifest lists no plan ${ingress.plan}` };
  const input = read(ingress.input, plan.input, catalog.scope, 'input');
  if (isRefusal(input)) return input;
  const correlation =
    ingress.correlation === undefined ? undefined : readCorrelation(catalog, plan.name, ingress.correlation);
  if (correlation !== undefined && isRefusal(correlation)) return correlation;
  const bindLocals = new Map<string, { value: Value; bytes: Uint8Array }>();
  for (const [name, bytes] of Object.entries(ingress.bindLocals ?? {})) {
    const local = plan.locals.get(name);
    if (local === undefined)
      return { code: 'plan.input_invalid', message: `bind_locals: ${plan.name} declares no local "${name}"` };
    const value = read(bytes, local, catalog.scope, `bind_locals.${name}`);
    if (isRefusal(value)) return value;
    bindLocals.set(name, value);
  }
  return { input, correlation, bindLocals };
}

function read(
  bytes: Uint8Array,
  schema: string,
  scope: TypeScope,
  label: string,
): { value: Value; bytes: Uint8Array } | Refusal {
  const result = normalizeCbor(bytes, { kind: 'ref', name: schema }, scope, schema);
  if (result.ok) return result.value;
  const first = result.failure[0]!;
  return { code: 'plan.input_invalid', message: `${label}: ${first.code}: ${first.message}` };
}

/** A correlation value has the type that the plan's correlated triggers give it; without one, the kind it arrives in. */
function readCorrelation(catalog: Catalog, plan: string, bytes: Uint8Array): { readonly value: Value } | Refusal {
  const decoded = decode(bytes);
  if (!decoded.ok) return { code: 'plan.input_invalid', message: `correlation: ${decoded.failure.code}` };
  const value = scalarOf(decoded.value);
  if (value === undefined)
    return { code: 'plan.input_invalid', message: 'correlation: text, integer or bytes expected' };
  const trigger = catalog.triggers.find((t) => t.plan === plan && t.correlateBy !== undefined);
  const type =
    trigger === undefined
      ? undefined
      : typeAt({ kind: 'ref', name: trigger.event }, trigger.correlateBy!, catalog.scope);
  if (type === undefined) return { value };
  const fitted = conform(value, type, catalog.scope, 'correlation');
  if (fitted.ok) return { value: fitted.value };
  return { code: 'plan.input_invalid', message: `correlation: ${fitted.failure[0]!.code}` };
}

function scalarOf(value: CborValue): Value | undefined {
  if (typeof value === 'string') return { kind: 'text', value };
  if (value instanceof Uint8Array) return { kind: 'bytes', value };
  if (typeof value === 'number' || typeof value === 'bigint') {
    const n = BigInt(value);
    if (n < -(2n ** 63n) || n >= 2n ** 64n) return undefined;
    return n < 0n ? { kind: 'int', value: n } : { kind: 'nat', value: n };
  }
  return undefined;
}

/** The type at a dotted path (`expressions.md` §3.1); for `$value` of a variant the first arm that leads on. */
function typeAt(type: Type, path: readonly string[], scope: TypeScope): Type | undefined {
  const here = resolveType(type, scope);
  const [segment, ...rest] = path;
  if (segment === undefined) return here;
  if (here.kind === 'record') {
    const field = here.fields.get(segment);
    return field === undefined ? undefined : typeAt(field, rest, scope);
  }
  if (here.kind === 'variant' && segment === '$tag') return rest.length === 0 ? { kind: 'text' } : undefined;
  if (here.kind === 'variant' && segment === '$value') {
    for (const arm of here.arms.values()) {
      const found = typeAt(arm, rest, scope);
      if (found !== undefined) return found;
    }
  }
  if (here.kind === 'map' && here.key.kind === 'text') return typeAt(here.value, rest, scope);
  if (here.kind === 'option') return typeAt(here.item, path, scope);
  return undefined;
}
