import { CAP_ALLOW_ALL } from './builtins.ts';
import { type EnforcerVerdict, isBuiltinEnforcer, judgesKind, runBuiltinEnforcer } from './enforcer.ts';
import { boundsOf, type ParamBound } from './envelope-bounds.ts';
import { constantOf, type Known } from './envelope-known.ts';
import type { PlanReach } from './envelope-plan.ts';
import type { ReachedEffect, ReachedSecret, ReachedStep, ReachReason, StepOf } from './envelope-reached.ts';
import { type KnownSecrets, knownSecrets } from './envelope-secrets.ts';
import type { Catalog, EffectDef, Grant } from './node.ts';
import { ALLOW_ALL_POLICY, judgePolicy } from './policy.ts';
import { isTypedMessage } from './recorded-params.ts';
import { judgeSecret } from './secret-refs.ts';
import type { Value } from './value.ts';
import { encodeValue } from './value-cbor.ts';

/** What the gate makes of a step, whatever its params turn out to be (`kernel.md` §9.3). */

export function effectOf(
  catalog: Catalog,
  reach: PlanReach,
  step: StepOf<'emit_effect'>,
  at: ReachedStep,
): ReachedEffect {
  const effect = catalog.effects.get(step.kind)?.def;
  if (effect === undefined) throw new Error(`plan ${at.plan} emits ${step.kind}, which the catalog does not list`);
  const params = reach.slot(at.position, step.params, effect.paramsSchema);
  const grant = catalog.grants.get(step.cap);
  const origin = { origin_kind: 'plan', name: at.plan };
  const request = { kind: step.kind, cap: step.cap, origin };
  const ruling = judgePolicy(catalog.policy, request, grant ?? { capType: effect.capType });
  const policy = { name: catalog.policy?.name ?? ALLOW_ALL_POLICY, ...ruling };
  const base = { ...at, kind: step.kind, cap: step.cap, grant, params, policy };
  const no = (code: ReachReason['code'], message: string, rest: Partial<ReachedEffect> = {}): ReachedEffect => ({
    ...base,
    bounds: [],
    secrets: [],
    ...rest,
    answer: 'no',
    reasons: [{ code, message }],
  });
  if (grant === undefined) return no('grant_missing', `there is no grant "${step.cap}"`);
  if (grant.capType !== effect.capType) {
    return no('cap_type', `grant "${step.cap}" is of type ${grant.capType}, and ${step.kind} needs ${effect.capType}`);
  }
  const bounds = boundsOf(catalog, effect, grant, params);
  if (!bounds.ok) return no('enforcer_denies', `${bounds.code}: ${bounds.message}`);
  const judged = judgeEnforcer(catalog, effect, grant, params, bounds.bounds, at.plan);
  if (judged?.code === 'enforcer_denies') return no(judged.code, judged.message, { bounds: bounds.bounds });

  const found = knownSecrets(params, { kind: 'ref', name: effect.paramsSchema }, catalog.scope);
  const use = { cap: step.cap, plan: at.plan };
  for (const ref of found.refs) {
    const denial = judgeSecret(catalog.secrets, ref, use);
    // One alternative that is refused leaves the others.
    if (denial !== undefined && !isAlternative(params))
      return no('secret_denies', `${denial.code}: ${denial.message}`, { bounds: bounds.bounds });
  }
  const secrets = secretsOf(catalog, found, use);
  if (ruling.decision === 'deny') {
    return no(
      'policy_denies',
      ruling.rule === undefined
        ? `no rule of ${policy.name} allows it`
        : `rule ${ruling.rule} of ${policy.name} denies it`,
      {
        bounds: bounds.bounds,
        secrets,
      },
    );
  }
  const reasons: ReachReason[] = [];
  if (judged !== undefined) reasons.push(judged);
  if (step.kind.startsWith('workspace.') && !ROOTLESS.has(step.kind)) {
    reasons.push({
      code: 'roots',
      message: 'whether the root belongs to the workspaces of the grant is known at run time',
    });
  }
  if (found.isOpen) reasons.push({ code: 'secret_open', message: 'which secret is referred to is known at run time' });
  if (found.refs.some((ref) => judgeSecret(catalog.secrets, ref, use) !== undefined)) {
    reasons.push({ code: 'secret_open', message: 'some of the secrets that it may refer to are not permitted here' });
  }
  if (grant.expiryNs !== undefined) {
    reasons.push({ code: 'expires', message: `grant "${step.cap}" holds until logical time ${grant.expiryNs}` });
  }
  return { ...base, bounds: bounds.bounds, secrets, answer: reasons.length === 0 ? 'yes' : 'depends', reasons };
}

/** Kinds whose params name no root (`workspaces.md` §9). */
const ROOTLESS: ReadonlySet<string> = new Set(['workspace.resolve', 'workspace.empty_root']);

/** Kinds whose params the kernel rewrites before the enforcer sees them (`kernel.md` §9.2). */
export function isRewritten(kind: string): boolean {
  return kind === 'governance.propose' || isTypedMessage(kind);
}

function isAlternative(params: Known): boolean {
  switch (params.is) {
    case 'oneOf':
      return true;
    case 'record':
      return [...params.fields.values()].some(isAlternative);
    case 'variant':
      return isAlternative(params.value);
    case 'each':
      // The list may be empty.
      return true;
    default:
      return false;
  }
}

/** Undefined: the enforcer allows whatever the plan gives. */
function judgeEnforcer(
  catalog: Catalog,
  effect: EffectDef,
  grant: Grant,
  params: Known,
  bounds: readonly ParamBound[],
  plan: string,
): ReachReason | undefined {
  const { enforcer } = grant;
  if (enforcer === CAP_ALLOW_ALL) return undefined;
  if (!isBuiltinEnforcer(enforcer))
    return { code: 'enforcer_decides', message: `module ${enforcer} decides at run time` };
  if (!judgesKind(enforcer, effect.effectKind)) {
    return {
      code: 'enforcer_denies',
      message: `effect_kind_mismatch: ${enforcer} does not judge ${effect.effectKind}`,
    };
  }
  if (isRewritten(effect.effectKind))
    return { code: 'enforcer_decides', message: 'the kernel completes the params before they are judged' };
  const constant = constantOf(params);
  if (constant !== undefined) {
    const verdict = enforce(catalog, effect, grant, constant, plan);
    return verdict.ok ? undefined : { code: 'enforcer_denies', message: `${verdict.code}: ${verdict.message}` };
  }
  const open = bounds.filter(({ isDecided }) => !isDecided);
  if (open.length === 0 && enforcer !== 'sys/CapEnforceGovernance@1') return undefined;
  return { code: 'enforcer_decides', message: openMessage(open, grant) };
}

/** `host, path (from @plan.input.url): judged at run time by the limits of grant "web"`. */
function openMessage(open: readonly ParamBound[], grant: Grant): string {
  const parts = open.map(({ name }) => name);
  // Its parts say more than the url itself.
  const names = parts.length > 1 ? parts.filter((name) => name !== 'url') : parts;
  const sources = [...new Set(open.flatMap(({ from }) => from ?? []))];
  const from = sources.length === 0 ? '' : ` (from ${sources.join('; ')})`;
  const what = names.length === 0 ? 'the params' : `${names.join(', ')}${from}`;
  return `${what}: judged at run time by the limits of grant "${grant.name}"`;
}

/** The verdict of a built-in enforcer; any other module is not judged here. */
export function enforce(
  catalog: Catalog,
  effect: EffectDef,
  grant: Grant,
  params: Value,
  plan: string,
): EnforcerVerdict {
  const verdict = runBuiltinEnforcer(grant.enforcer, {
    capDef: grant.cap,
    grantName: grant.name,
    capSchema: catalog.caps.get(grant.cap)!.def.schema,
    capParams: grant.paramsCbor,
    effectKind: effect.effectKind,
    effectParams: encodeValue(params),
    effectValue: params,
    paramsType: { kind: 'ref', name: effect.paramsSchema },
    origin: { kind: 'plan', name: plan },
    logicalNowNs: 0n,
    scope: catalog.scope,
  });
  return verdict ?? { ok: true };
}

function secretsOf(
  catalog: Catalog,
  found: KnownSecrets,
  use: { readonly cap: string; readonly plan: string },
): readonly ReachedSecret[] {
  const permitted = (ref: { readonly alias: string; readonly version: bigint }) =>
    judgeSecret(catalog.secrets, ref, use) === undefined;
  const secrets: ReachedSecret[] = found.refs.filter(permitted).map((ref) => ({ ...ref, isNamed: true }));
  if (!found.isOpen) return secrets;
  for (const { alias, version } of catalog.secrets) {
    const ref = { alias, version: BigInt(version) };
    const isKnown = secrets.some((one) => one.alias === alias && one.version === ref.version);
    if (!isKnown && permitted(ref)) secrets.push({ ...ref, isNamed: false });
  }
  return secrets;
}
