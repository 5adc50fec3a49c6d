import { type EffectEnvelope, effectEnvelope, type ReachedEffect, type ReachedStep } from '@worldline/air';
import type { Context } from '../context.ts';
import { type Definitions, placeText, readDefinitions, requirePlan } from '../definitions.ts';
import {
  credentialsOf,
  envelopeData,
  policyData,
  reachText,
  reasonText,
  redirectsOf,
  secretsOf,
  secretText,
} from '../envelope-view.ts';
import { counted, printable, table } from '../output.ts';

export interface EffectsFlags {
  readonly active?: boolean;
}

/** `worldline plans effects <plan>`: what a run of the plan can reach, before anything runs. */
export async function planEffects(ctx: Context, plan: string, flags: EffectsFlags): Promise<void> {
  const definitions = await readDefinitions(ctx, flags.active === true);
  requirePlan(definitions, plan);
  const envelope = effectEnvelope(definitions.catalog, plan)!;
  ctx.out.answer(render(ctx, envelope, definitions), envelopeData(envelope, definitions), definitions.meta);
}

function render(ctx: Context, envelope: EffectEnvelope, definitions: Definitions): string[] {
  const own = (one: ReachedStep) => one.via !== 'triggered';
  const place = placeText(definitions.place(envelope.plan));
  const isAlone = envelope.plans.every(({ via }) => via !== 'triggered');
  return [
    `${ctx.out.style('bold', printable(envelope.plan))}${place === '' ? '' : `  ${printable(place)}`}`,
    ...section(ctx, envelope, definitions, own),
    ...(isAlone
      ? []
      : [
          '',
          ctx.out.style('bold', 'set in motion by its events'),
          ...section(ctx, envelope, definitions, (one) => !own(one)),
        ]),
    ...reducersOf(envelope),
    '',
    ...totals(envelope, definitions),
  ];
}

function section(
  ctx: Context,
  envelope: EffectEnvelope,
  definitions: Definitions,
  belongs: (one: ReachedStep) => boolean,
): string[] {
  const effects = envelope.effects.filter(belongs);
  const raises = envelope.raises.filter(belongs);
  const awaits = envelope.awaits.filter(belongs);
  const spawns = envelope.spawns.filter(belongs);
  const stepOf = (one: ReachedStep) => `${one.plan === envelope.plan ? '' : `${one.plan} `}${one.step}`;
  const at = (one: ReachedStep) => placeText(definitions.place(one.plan, one.position));
  const runs = (one: ReachedStep) => (one.isGuarded ? 'maybe' : 'always');
  const blocks: string[][] = [];
  if (effects.length > 0) {
    blocks.push([
      ...table(
        ['EFFECT', 'STEP', 'RUNS', 'GRANT', 'REACHES', 'GATE', 'AT'],
        effects.map((one) => [one.kind, stepOf(one), runs(one), one.cap, reachText(one), one.answer, at(one)]),
      ),
      ...effects.flatMap((one) => why(ctx, one, stepOf(one))),
    ]);
  }
  if (raises.length > 0) {
    blocks.push(
      table(
        ['RAISES', 'STEP', 'RUNS', 'STARTS', 'WAKES', 'AT'],
        raises.map((one) => [
          one.event,
          stepOf(one),
          runs(one),
          one.starts.map(({ plan, when }) => (when === 'always' ? plan : `${plan} (maybe)`)).join(', '),
          [...one.wakes, ...one.reducers.map(({ module }) => module)].join(', '),
          at(one),
        ]),
      ),
    );
  }
  if (awaits.length > 0) {
    blocks.push(
      table(
        ['WAITS FOR', 'STEP', 'RUNS', 'WHICH', 'AT'],
        awaits.map((one) => [one.event, stepOf(one), runs(one), one.isFiltered ? 'those that match' : 'any', at(one)]),
      ),
    );
  }
  if (spawns.length > 0) {
    blocks.push(
      table(
        ['CHILD', 'STEP', 'RUNS', 'AT MOST', 'AT'],
        spawns.map((one) => [one.child, stepOf(one), runs(one), one.fanoutMax, at(one)]),
      ),
    );
  }
  return blocks.length === 0
    ? ['', 'no effects, no events, no waits, no children']
    : blocks.flatMap((block) => ['', ...block]);
}

/** A module says which effects it emits, and not which events it raises. */
function reducersOf({ reducers }: EffectEnvelope): readonly string[] {
  if (reducers.length === 0) return [];
  const rows = reducers.map(({ module, effects }) => [module, effects.length === 0 ? 'none' : effects.join(', ')]);
  return [
    '',
    ...table(['REDUCER', 'MAY EMIT'], rows),
    '  a reducer may raise any event, so whatever a trigger starts is among what is set in motion',
  ];
}

/** Why an effect does not pass, or may not. */
function why(ctx: Context, effect: ReachedEffect, step: string): string[] {
  const colour = effect.answer === 'no' ? 'red' : 'yellow';
  return effect.reasons.map(
    (reason) =>
      `  ${ctx.out.style(colour, printable(`${step} ${effect.answer}`))}: ${printable(reasonText(reason, effect))}`,
  );
}

function totals(envelope: EffectEnvelope, definitions: Definitions): string[] {
  const { effects, raises, spawns, plans } = envelope;
  const of = (answer: string) => effects.filter((effect) => effect.answer === answer).length;
  const counts = [
    ...(of('yes') > 0 ? [`${of('yes')} always pass`] : []),
    ...(of('depends') > 0 ? [`${of('depends')} decided at run time`] : []),
    ...(of('no') > 0 ? [`${of('no')} never pass`] : []),
  ];
  const dead = plans.flatMap(({ plan, dead: steps }) =>
    steps.map((step) => (plan === envelope.plan ? step : `${plan} ${step}`)),
  );
  const secrets = secretsOf(envelope);
  const policy = policyData(envelope);
  const hosts = [
    ...new Set(
      effects.flatMap((one) =>
        one.answer === 'no' ? [] : (one.bounds.find(({ name }) => name === 'host')?.values ?? []),
      ),
    ),
  ];
  return [
    `${counted(effects.length, 'effect')}${counts.length === 0 ? '' : `: ${counts.join(', ')}`}; ${counted(raises.length, 'raised event')}, ${counted(spawns.length, 'child', 'children')}`,
    ...(hosts.length === 0 ? [] : [`hosts: ${hosts.map(printable).join(', ')}`]),
    ...(secrets.length === 0 ? [] : [`secrets: ${secrets.map((one) => printable(secretText(one))).join(', ')}`]),
    ...credentialsOf(envelope, definitions).map(({ grant, origin, header, binding }) =>
      printable(`credential: header ${header} from ${binding}, added to requests to ${origin} with grant ${grant}`),
    ),
    ...redirectsOf(envelope, definitions).map(({ grant, bounds }) =>
      printable(
        `redirects: followed wherever grant ${grant} allows: ${reachText({ kind: 'http.request', answer: 'yes', bounds })}`,
      ),
    ),
    ...(dead.length === 0 ? [] : [`never run: ${dead.map(printable).join(', ')}`]),
    verdict(envelope, policy),
  ];
}

function verdict({ effects, catalog }: EffectEnvelope, { name, denies }: ReturnType<typeof policyData>): string {
  if (catalog.policy === undefined) return 'policy: none; whatever a grant allows is allowed';
  if (effects.length === 0) return `policy: ${name}, with nothing to judge`;
  if (denies === 0) return `policy: ${name} allows every effect`;
  const denied = [...new Set(effects.filter(({ policy }) => policy.decision === 'deny').map(({ kind }) => kind))];
  return `policy: ${name} denies ${denies} of ${counted(effects.length, 'effect')} (${denied.join(', ')})`;
}
