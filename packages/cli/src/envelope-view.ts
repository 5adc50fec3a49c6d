import {
  type EffectEnvelope,
  grantBounds,
  type ParamBound,
  patternText,
  type ReachedEffect,
  type ReachedSecret,
  type ReachReason,
} from '@worldline/air';
import type { HttpCredentialConfig } from '@worldline/host';
import type { Definitions } from './definitions.ts';
import type { Data } from './output.ts';

/** Effect envelopes as people and programs read them. */

const SHOWN_MAX = 60;

function short(text: string): string {
  const points = [...text];
  return points.length <= SHOWN_MAX ? text : `${points.slice(0, SHOWN_MAX - 1).join('')}…`;
}

/** `GET https://api.example/v1…`, `provider acme, model large|small, max_tokens ≤ 100`, or `anything`. */
export function reachText(effect: Pick<ReachedEffect, 'kind' | 'bounds' | 'answer'>): string {
  if (effect.bounds.length === 0) return effect.answer === 'no' ? 'nothing' : 'anything';
  return effect.kind === 'http.request' ? httpText(effect.bounds) : fieldsText(effect.bounds);
}

function httpText(bounds: readonly ParamBound[]): string {
  const of = (name: string) => bounds.find((bound) => bound.name === name);
  const [method, scheme, host, port, path] = ['method', 'scheme', 'host', 'port', 'path'].map((name) => of(name));
  if ([method, scheme, host, port, path].every((bound) => bound === undefined || bound.by === 'nothing'))
    return 'anything';
  const values = (bound: ParamBound | undefined, any: string) => bound?.values?.join('|') ?? any;
  const isUsual =
    (scheme?.values?.join() === 'http' && port?.values?.join() === '80') ||
    (scheme?.values?.join() === 'https' && port?.values?.join() === '443');
  const below = path?.below?.map((prefix) => `${prefix}…`).join('|');
  const where = `${values(scheme, 'http(s)')}://${values(host, '*')}${isUsual ? '' : `:${values(port, '*')}`}`;
  return `${values(method, 'any method')} ${where}${path?.values?.join('|') ?? below ?? '/…'}`;
}

function fieldsText(bounds: readonly ParamBound[]): string {
  const texts = bounds.flatMap((bound) => {
    const text = boundText(bound);
    // A field that is left out says nothing about what is reached.
    return text === undefined || (bound.by === 'plan' && text === 'none') ? [] : [`${bound.name} ${short(text)}`];
  });
  return texts.length === 0 ? 'anything' : texts.join(', ');
}

/** Undefined when nothing bounds it. */
export function boundText({ values, pattern, below, max }: ParamBound): string | undefined {
  if (values !== undefined) return values.length === 0 ? 'none allowed' : values.join('|');
  const parts = [
    ...(pattern === undefined ? [] : [patternText(pattern)]),
    ...(below === undefined ? [] : [`below ${below.join('|')}`]),
    ...(max === undefined ? [] : [`≤ ${max}`]),
  ];
  return parts.length === 0 ? undefined : parts.join(' ');
}

/** Why an effect does not pass, or may not. */
export function reasonText({ code, message }: ReachReason, { cap, grant }: ReachedEffect): string {
  return code === 'expires' && grant?.expiryNs !== undefined
    ? `grant "${cap}" holds ${untilText(grant.expiryNs)}`
    : message;
}

/** Logical time began as wall time and never goes back, so a date says more than a number. */
function untilText(expiryNs: bigint): string {
  const ms = expiryNs / 1_000_000n;
  // The last instant that a date can be made of.
  return ms > 8_640_000_000_000_000n ? `until logical time ${expiryNs}` : `until ${new Date(Number(ms)).toISOString()}`;
}

/** Headers that the host adds to requests under a grant, with what they come from (`host.md` §5.1). */
export function credentialsOf(envelope: EffectEnvelope, { http }: Definitions): readonly HttpCredentialConfig[] {
  const effects = envelope.effects.filter(({ kind, answer }) => kind === 'http.request' && answer !== 'no');
  return http.credentials.filter(({ grant, origin }) =>
    effects.some((effect) => effect.cap === grant && mayReach(effect, origin)),
  );
}

function mayReach({ bounds }: ReachedEffect, origin: string): boolean {
  const hosts = bounds.find(({ name }) => name === 'host')?.values;
  const host = /^https?:\/\/(\[[^\]]*\]|[^:/]*)/i.exec(origin)?.[1];
  return hosts === undefined || host === undefined || hosts.some((one) => one.toLowerCase() === host.toLowerCase());
}

/** Requests whose redirects are followed lead anywhere that their grant allows. */
export function redirectsOf(
  envelope: EffectEnvelope,
  { http }: Definitions,
): readonly { readonly grant: string; readonly bounds: readonly ParamBound[] }[] {
  if (http.redirects !== 'recheck') return [];
  const grants = new Map<string, readonly ParamBound[]>();
  for (const effect of envelope.effects) {
    if (effect.kind === 'http.request' && effect.answer !== 'no') grants.set(effect.cap, grantBounds(envelope, effect));
  }
  return [...grants].map(([grant, bounds]) => ({ grant, bounds }));
}

export function secretText({ alias, version, isNamed }: ReachedSecret): string {
  return `${alias}@${version}${isNamed ? '' : ' (possibly)'}`;
}

/** Secrets of all effects, each once; named ones first. */
export function secretsOf(envelope: EffectEnvelope): readonly ReachedSecret[] {
  const secrets = new Map<string, ReachedSecret>();
  for (const secret of envelope.effects.flatMap((effect) => effect.secrets)) {
    const label = `${secret.alias}@${secret.version}`;
    if (secrets.get(label)?.isNamed !== true) secrets.set(label, secret);
  }
  return [...secrets.values()].sort((a, b) => Number(b.isNamed) - Number(a.isNamed));
}

/** The envelope as data. */
export function envelopeData(envelope: EffectEnvelope, definitions: Definitions): { readonly [key: string]: Data } {
  const step = (at: { plan: string; via: string; step: string; position: number; isGuarded: boolean }) => {
    const place = definitions.place(at.plan, at.position);
    return {
      plan: at.plan,
      via: at.via,
      step: at.step,
      pointer: `/steps/${at.position}`,
      guarded: at.isGuarded,
      ...(place === undefined ? {} : { ...place }),
    };
  };
  return {
    plan: envelope.plan,
    source: definitions.source,
    plans: envelope.plans.map(({ plan, via, dead }) => ({ plan, via, dead_steps: dead })),
    effects: envelope.effects.map((effect) => ({
      ...step(effect),
      kind: effect.kind,
      grant: effect.cap,
      cap: effect.grant?.cap,
      cap_type: effect.grant?.capType,
      expiry_ns: effect.grant?.expiryNs,
      bounds: effect.bounds.map(boundData),
      secrets: effect.secrets.map(({ alias, version, isNamed }) => ({ alias, version, named: isNamed })),
      policy: { name: effect.policy.name, decision: effect.policy.decision, rule: effect.policy.rule },
      answer: effect.answer,
      reasons: effect.reasons.map((reason) => ({ ...reason })),
    })),
    raises: envelope.raises.map((raise) => ({
      ...step(raise),
      event: raise.event,
      starts: raise.starts.map((start) => ({ ...start })),
      wakes: raise.wakes,
      reducers: raise.reducers.map(({ module, effects }) => ({ module, effects })),
    })),
    awaits: envelope.awaits.map((wait) => ({ ...step(wait), event: wait.event, filtered: wait.isFiltered })),
    spawns: envelope.spawns.map((spawn) => ({ ...step(spawn), child: spawn.child, fanout_max: spawn.fanoutMax })),
    reducers: envelope.reducers.map(({ module, effects }) => ({ module, effects })),
    secrets: secretsOf(envelope).map(({ alias, version, isNamed }) => ({ alias, version, named: isNamed })),
    credentials: credentialsOf(envelope, definitions).map(({ grant, origin, header, binding }) => ({
      grant,
      origin,
      header,
      binding,
    })),
    redirects: redirectsOf(envelope, definitions).map(({ grant, bounds }) => ({
      grant,
      bounds: bounds.map(boundData),
    })),
    policy: policyData(envelope),
  };
}

function boundData({ name, values, pattern, below, max, by, from }: ParamBound): Data {
  return { name, by, values, pattern: pattern === undefined ? undefined : patternText(pattern), below, max, from };
}

/** Effects that the policy allows and denies; the name is `allow_all` without one. */
export function policyData({ effects, catalog }: EffectEnvelope): {
  readonly name: string;
  readonly allows: number;
  readonly denies: number;
} {
  const denies = effects.filter(({ policy }) => policy.decision === 'deny').length;
  return { name: catalog.policy?.name ?? 'allow_all', allows: effects.length - denies, denies };
}
