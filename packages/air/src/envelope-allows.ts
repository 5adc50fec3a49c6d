import { isBuiltinEnforcer } from './enforcer.ts';
import { boundsOf, type ParamBound, withinBounds } from './envelope-bounds.ts';
import { enforce, isRewritten } from './envelope-gate.ts';
import { admitsValue, anyFrom } from './envelope-known.ts';
import type { EffectEnvelope, ReachedEffect } from './envelope-reached.ts';
import { secretRefs } from './secret-refs.ts';
import type { Value } from './value.ts';

/** Questions to an envelope. */

/**
 * What the grant of a reached effect allows whatever the plan says: an adapter that follows a redirect goes anywhere
 * within it (`host.md` §5.1).
 */
export function grantBounds(envelope: EffectEnvelope, { kind, grant }: ReachedEffect): readonly ParamBound[] {
  const effect = envelope.catalog.effects.get(kind)?.def;
  if (effect === undefined || grant === undefined) return [];
  const made = boundsOf(envelope.catalog, effect, grant, anyFrom('…'));
  return made.ok ? made.bounds : [];
}

export interface EnvelopeQuestion {
  /** Plan that emits it (`origin_name`). */
  readonly plan: string;
  readonly kind: string;
  readonly cap: string;
  /** Conforms to the params schema of the kind; before the rewrites of `kernel.md` §9.2. */
  readonly params: Value;
}

/**
 * Could this admitted effect be of a run of the envelope's plan, or of what the run set in motion?
 *
 * False means that it cannot: under the envelope's catalog no such effect gets through the gate, whatever inputs,
 * receipts and events there are. True means no more than that nothing rules it out. Expiry is not looked at.
 */
export function envelopeAllows(envelope: EffectEnvelope, { plan, kind, cap, params }: EnvelopeQuestion): boolean {
  const { catalog } = envelope;
  const effect = catalog.effects.get(kind)?.def;
  if (effect === undefined) return false;
  return envelope.effects.some((one) => {
    if (one.plan !== plan || one.kind !== kind || one.cap !== cap || one.answer === 'no') return false;
    const grant = one.grant!;
    if (!admitsValue(one.params, params) || !withinBounds(catalog, effect, grant, one.bounds, params)) return false;
    if (isBuiltinEnforcer(grant.enforcer) && !isRewritten(kind) && !enforce(catalog, effect, grant, params, plan).ok)
      return false;
    return secretRefs(params, { kind: 'ref', name: effect.paramsSchema }, catalog.scope).every((ref) =>
      one.secrets.some(({ alias, version }) => alias === ref.alias && version === ref.version),
    );
  });
}

/** As `envelopeAllows`, for an event that a plan raises. */
export function envelopeRaises(
  envelope: EffectEnvelope,
  raised: { readonly plan: string; readonly event: string; readonly value: Value },
): boolean {
  return envelope.raises.some(
    (one) => one.plan === raised.plan && one.event === raised.event && admitsValue(one.value, raised.value),
  );
}

/** As `envelopeAllows`, for a plan of which an instance is started: by the run's steps, or by its events. */
export function envelopeStarts(envelope: EffectEnvelope, plan: string): boolean {
  return (
    envelope.spawns.some(({ child }) => child === plan) ||
    envelope.raises.some(({ starts }) => starts.some((started) => started.plan === plan)) ||
    (envelope.reducers.length > 0 && envelope.catalog.triggers.some((trigger) => trigger.plan === plan))
  );
}
