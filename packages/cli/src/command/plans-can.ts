import {
  type Answer,
  BUILTINS,
  builtinEffect,
  type Catalog,
  type EffectEnvelope,
  effectEnvelope,
  grantBounds,
  type ParamBound,
  patternText,
  type ReachedEffect,
} from '@worldline/air';
import type { Context } from '../context.ts';
import { placeText, readDefinitions, requirePlan } from '../definitions.ts';
import { reachText, reasonText } from '../envelope-view.ts';
import { EXIT } from '../exit-code.ts';
import { stop } from '../failure.ts';
import { printable } from '../output.ts';
import { didYouMean } from '../suggest.ts';

export interface CanFlags {
  readonly host?: string;
  readonly method?: string;
  readonly expect?: Answer;
  readonly active?: boolean;
}

/** One step that bears on the answer. */
interface Bearing {
  readonly effect: ReachedEffect;
  readonly answer: Answer;
  readonly reasons: readonly string[];
}

/** `worldline plans can <plan> <effect-kind>`: can a run of the plan do this? */
export async function planCan(ctx: Context, plan: string, kind: string, flags: CanFlags): Promise<void> {
  if ((flags.host ?? flags.method) !== undefined && kind !== 'http.request')
    stop('invalid_request', `--host and --method ask about http.request, not about ${kind}`, {
      hint: `leave them out, or ask for http.request`,
    });
  const definitions = await readDefinitions(ctx, flags.active === true);
  requirePlan(definitions, plan);
  requireKind(definitions.catalog, kind);
  const envelope = effectEnvelope(definitions.catalog, plan)!;
  // A redirect that is followed leads wherever the grant allows.
  const redirected = (effect: ReachedEffect) =>
    definitions.http.redirects === 'recheck' ? grantBounds(envelope, effect) : undefined;
  const bearings = envelope.effects
    .filter((effect) => effect.kind === kind)
    .map((effect) => bear(effect, flags, redirected(effect)));
  const reducers = envelope.reducers.filter(({ effects }) => effects.includes(kind)).map(({ module }) => module);
  const answer = combine([...bearings.map((one) => one.answer), ...reducers.map(() => 'depends' as const)]);
  const what = [kind, flags.method?.toUpperCase(), flags.host === undefined ? undefined : `to ${flags.host}`]
    .filter((part) => part !== undefined)
    .join(' ');
  const step = ({ effect }: Bearing) => {
    const place = definitions.place(effect.plan, effect.position);
    return { plan: effect.plan, via: effect.via, step: effect.step, ...(place ?? {}) };
  };
  const absent = bearings.length + reducers.length === 0 ? nothing(envelope, kind) : [];
  const human = [
    `${ctx.out.style('bold', answer)}: ${printable(`${plan} ${WORDS[answer]} ${what}`)}`,
    ...absent.map((reason) => `  ${printable(reason)}`),
    ...bearings.flatMap((one) => {
      const { effect } = one;
      const at = placeText(definitions.place(effect.plan, effect.position));
      const where = effect.plan === plan ? `step ${effect.step}` : `step ${effect.step} of ${effect.plan}`;
      const head = `  ${one.answer}: ${where} with grant ${effect.cap}: ${reachText(effect)}${at === '' ? '' : `  ${at}`}`;
      return [printable(head), ...one.reasons.map((reason) => `    ${printable(reason)}`)];
    }),
    ...reducers.map((module) => `  depends: ${printable(`reducer ${module} may emit it when an event reaches it`)}`),
  ];
  ctx.out.answer(
    human,
    {
      answer,
      plan,
      kind,
      host: flags.host,
      method: flags.method,
      reasons: absent,
      reducers,
      steps: bearings.map((one) => ({ ...step(one), grant: one.effect.cap, answer: one.answer, reasons: one.reasons })),
    },
    definitions.meta,
  );
  // `no` is proven, so a script may build on it; an answer that was not expected is a failed check.
  const failed = flags.expect === undefined ? answer === 'no' : answer !== flags.expect;
  if (failed) process.exitCode = EXIT.check;
}

const WORDS: Readonly<Record<Answer, string>> = {
  yes: 'can emit',
  no: 'can never emit',
  depends: 'may be able to emit',
};

/** @throws CommandError `not_found`. */
function requireKind(catalog: Catalog, kind: string): void {
  if (catalog.effects.has(kind) || builtinEffect(kind) !== undefined) return;
  const kinds = [...catalog.effects.keys(), ...[...BUILTINS.effects.values()].map(({ def }) => def.effectKind)];
  stop('not_found', `there is no effect kind ${kind}`, {
    hint: didYouMean(kind, kinds) ?? 'worldline defs ls --kind effect shows them',
  });
}

function combine(answers: readonly Answer[]): Answer {
  if (answers.includes('yes')) return 'yes';
  return answers.includes('depends') ? 'depends' : 'no';
}

/** Why no step comes into question. */
function nothing({ plan, plans, catalog }: EffectEnvelope, kind: string): string[] {
  const dead = plans.flatMap(({ plan: name, dead: ids }) =>
    catalog.plans
      .get(name)!
      .def.steps.filter((step) => step.op === 'emit_effect' && step.kind === kind && ids.includes(step.id))
      .map(
        (step) =>
          `step ${step.id}${name === plan ? '' : ` of ${name}`} can never run: no guard that leads to it can hold`,
      ),
  );
  const others = plans.length === 1 ? '' : ', of its children or of what its events start';
  return dead.length > 0 ? dead : [`no step of it${others} emits ${kind}`];
}

/** The answer for one step, of the effects that are asked for only. */
function bear(effect: ReachedEffect, flags: CanFlags, redirects: readonly ParamBound[] | undefined): Bearing {
  const reasons = effect.reasons.map((reason) => reasonText(reason, effect));
  if (effect.answer === 'no') return { effect, answer: 'no', reasons };
  const asked = [['host', flags.host] as const, ['method', flags.method] as const];
  const fits = asked.flatMap(([name, value]) => {
    if (value === undefined) return [];
    const direct = fit(effect.bounds, name, value);
    const isRedirected =
      direct.answer === 'no' && redirects !== undefined && fit(redirects, name, value).answer !== 'no';
    return [
      isRedirected ? { answer: 'depends' as const, reason: `${direct.reason}, but redirects are followed` } : direct,
    ];
  });
  const outside = fits.filter(({ answer }) => answer === 'no').map(({ reason }) => reason);
  if (outside.length > 0) return { effect, answer: 'no', reasons: outside };
  reasons.push(...fits.filter(({ answer }) => answer === 'depends').map(({ reason }) => reason));
  if (effect.via === 'triggered') reasons.push(`${effect.plan} is started by an event, as a run of its own`);
  else if (effect.isGuarded) reasons.push('it runs only if a guard holds');
  return { effect, answer: reasons.length === 0 ? 'yes' : 'depends', reasons };
}

/** Is what is asked for what the bound leaves? Hosts and methods are compared as the enforcer does, whatever their case. */
function fit(
  bounds: readonly ParamBound[],
  name: string,
  asked: string,
): { readonly answer: Answer; readonly reason: string } {
  const bound = bounds.find((one) => one.name === name);
  if (bound?.values === undefined) return { answer: 'depends', reason: open(name, bound) };
  const isIn = bound.values.some((value) => value.toLowerCase() === asked.toLowerCase());
  if (!isIn) return { answer: 'no', reason: `its ${name} can only be ${bound.values.join(' or ')}` };
  if (bound.values.length === 1) return { answer: 'yes', reason: '' };
  return { answer: 'depends', reason: `its ${name} is one of ${bound.values.join(', ')}` };
}

function open(name: string, bound: ParamBound | undefined): string {
  if (bound?.pattern !== undefined) return `its ${name} has the form ${patternText(bound.pattern)}`;
  return `its ${name} is not in the plan${bound?.from === undefined ? '' : `: it comes from ${bound.from}`}`;
}
