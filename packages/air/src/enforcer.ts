import { CAP_ALLOW_ALL } from './builtins.ts';
import { enforceFabric, enforceMcp, enforceQuery, isQueryKind } from './enforcer-extensions.ts';
import { enforceGovernance } from './enforcer-governance.ts';
import { enforceHttpOut } from './enforcer-http.ts';
import { enforceLlmBasic } from './enforcer-llm.ts';
import { type Check, Fields, isKindOf, type Request } from './enforcer-request.ts';
import { enforceWorkspace, WORKSPACE_KINDS } from './enforcer-workspace.ts';
import type { Type, TypeScope } from './type.ts';
import type { Value } from './value.ts';
import { normalizeCbor } from './value-cbor.ts';

/**
 * Cap enforcers that are part of the runtime (`builtins.md` §4, §6.2). Pure: replay runs them again and compares.
 *
 * C1 The first failing check decides; its code and message are journaled, so both are permanent.
 * C2 An absent allowlist does not restrict; an empty one allows nothing.
 * C3 Grant params are read by the grant's own cap schema; a field the enforcer knows must have the built-in type there.
 */
export type EnforcerVerdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** `sys/CapCheckInput@1`, with the types that its two byte strings are read with. */
export interface EnforcerInput {
  /** Name of the grant's defcap. */
  readonly capDef: string;
  readonly grantName: string;
  /** Schema of that defcap. */
  readonly capSchema: Type;
  /** Canonical CBOR of `capSchema`. */
  readonly capParams: Uint8Array;
  readonly effectKind: string;
  /** Canonical CBOR of `paramsType`. */
  readonly effectParams: Uint8Array;
  /** What `effectParams` reads as, when the caller has it. */
  readonly effectValue?: Value | undefined;
  readonly paramsType: Type;
  readonly origin: { readonly kind: 'plan' | 'reducer'; readonly name: string };
  readonly logicalNowNs: bigint;
  readonly scope: TypeScope;
}

const CHECKS: ReadonlyMap<string, Check> = new Map([
  ['sys/CapEnforceHttpOut@1', enforceHttpOut],
  ['sys/CapEnforceLlmBasic@1', enforceLlmBasic],
  ['sys/CapEnforceGovernance@1', enforceGovernance],
  ['sys/CapEnforceWorkspace@1', enforceWorkspace],
  ['sys/CapEnforceFabric@1', enforceFabric],
  ['sys/CapEnforceMcp@1', enforceMcp],
  ['sys/CapEnforceQuery@1', enforceQuery],
]);

/**
 * Judge one effect by one grant.
 *
 * @param module - Enforcer of the grant (`effectiveEnforcer` of its defcap).
 * @returns Undefined when `module` is not a built-in enforcer.
 */
export function runBuiltinEnforcer(module: string, input: EnforcerInput): EnforcerVerdict | undefined {
  if (module === CAP_ALLOW_ALL) return { ok: true };
  const check = CHECKS.get(module);
  if (check === undefined) return undefined;
  const denial = check(readRequest(input));
  return denial === undefined ? { ok: true } : { ok: false, ...denial };
}

/** Kinds that an enforcer judges; every other one it denies with `effect_kind_mismatch`. Governance judges any. */
const KINDS: ReadonlyMap<string, (kind: string) => boolean> = new Map([
  ['sys/CapEnforceHttpOut@1', (kind) => kind === 'http.request'],
  ['sys/CapEnforceLlmBasic@1', (kind) => kind === 'llm.generate'],
  ['sys/CapEnforceWorkspace@1', (kind) => WORKSPACE_KINDS.has(kind)],
  ['sys/CapEnforceFabric@1', (kind) => isKindOf(kind, 'fabric.send')],
  ['sys/CapEnforceMcp@1', (kind) => isKindOf(kind, 'mcp.call')],
  ['sys/CapEnforceQuery@1', isQueryKind],
]);

/** Does `runBuiltinEnforcer` know the module? */
export function isBuiltinEnforcer(module: string): boolean {
  return module === CAP_ALLOW_ALL || CHECKS.has(module);
}

/** Can a built-in enforcer allow effects of the kind at all? */
export function judgesKind(module: string, kind: string): boolean {
  return KINDS.get(module)?.(kind) ?? true;
}

function readRequest(input: EnforcerInput): Request {
  const { scope } = input;
  return {
    kind: input.effectKind,
    grant: grantFields(input.capParams, input.capSchema, scope),
    params: fieldsOf(
      input.effectValue ?? readValue(input.effectParams, input.paramsType, scope),
      input.paramsType,
      scope,
    ),
  };
}

function readValue(bytes: Uint8Array, type: Type, scope: TypeScope): Value | undefined {
  const read = normalizeCbor(bytes, type, scope);
  return read.ok ? read.value.value : undefined;
}

function fieldsOf(value: Value | undefined, type: Type, scope: TypeScope): Fields | undefined {
  return value === undefined ? undefined : Fields.of(value, type, scope);
}

interface GrantFields {
  readonly schema: Type;
  readonly scope: TypeScope;
  readonly fields: Fields | undefined;
}

/** A grant judges many effects; what its params say is read once. Nobody changes the bytes of a catalog. */
const grants = new WeakMap<Uint8Array, GrantFields>();

function grantFields(params: Uint8Array, schema: Type, scope: TypeScope): Fields | undefined {
  let known = grants.get(params);
  if (known?.schema !== schema || known.scope !== scope) {
    known = { schema, scope, fields: fieldsOf(readValue(params, schema, scope), schema, scope) };
    grants.set(params, known);
  }
  return known.fields;
}
