import { compareUtf8 } from '@worldline/canon';
import { planContextOf } from './check-types.ts';
import type { Lint } from './lint.ts';
import { BRANCH_LINTS } from './lint-branches.ts';
import { EFFECT_LINTS } from './lint-effects.ts';
import { LintPlan } from './lint-graph.ts';
import { PLANS_LINTS } from './lint-plans.ts';
import { VALUE_LINTS } from './lint-values.ts';
import { WAIT_LINTS } from './lint-waits.ts';
import type { Problem } from './node-read.ts';
import { TypeTable } from './static-type.ts';
import { readTrigger } from './validate-triggers.ts';
import { lookupsOf, type World } from './validate-world.ts';

/**
 * All lints over a world (`patterns.md` §8): they read definitions and manifest only, run nothing, and find the same in
 * the same world, whatever the order of its files.
 */

const LINTS: readonly Lint[] = [...PLANS_LINTS, ...WAIT_LINTS, ...EFFECT_LINTS, ...BRANCH_LINTS, ...VALUE_LINTS];

/**
 * The listed plans that errors leave alone: they have none, and neither have the plans that they start. None where something
 * else than a plan has an error, because nobody can say what that means for the plans.
 */
export function soundPlans(world: World, problems: readonly Problem[]): ReadonlySet<string> {
  const broken = problems.filter(({ severity }) => severity === undefined).map(({ origin }) => origin);
  if (broken.some(({ kind }) => kind !== 'defplan')) return new Set();
  const names = new Set(broken.map(({ name }) => name));
  const sound = new Map(
    [...world.canonical].flatMap(([name, { def }]) => (def === undefined || names.has(name) ? [] : [[name, def]])),
  );
  // Until no plan is left that starts one which is not there.
  for (let left = -1; left !== sound.size; ) {
    left = sound.size;
    for (const [name, { steps }] of sound) {
      const isWhole = steps.every((step) => !('plan' in step) || sound.has(step.plan));
      if (!isWhole) sound.delete(name);
    }
  }
  return new Set(sound.keys());
}

/**
 * @param sound - Plans that are looked at: valid, and so is all that they start and all else in the world.
 * @returns sorted by plan, step and code; what concerns no step of a plan comes first.
 */
export function lintWorld(world: World, sound: ReadonlySet<string>): readonly Problem[] {
  if (sound.size === 0) return [];
  const lookups = lookupsOf(world);
  const context = planContextOf(world, new TypeTable(world.scope), lookups);
  const plans = new Map<string, LintPlan>();
  for (const name of [...world.plans.keys()].sort(compareUtf8)) {
    if (!sound.has(name)) continue;
    const source = world.plans.get(name)?.source;
    const def = world.canonical.get(name)?.def;
    if (source !== undefined && def !== undefined) plans.set(name, new LintPlan(source, def, context, lookups));
  }
  const triggers = world.manifest.triggers.flatMap((source) => {
    if (!sound.has(source.plan)) return [];
    const read = readTrigger(source, world);
    return read.ok ? [read.value.trigger] : [];
  });
  const found: { readonly problem: Problem; readonly plan: string; readonly step: number; readonly code: string }[] =
    [];
  for (const { code, level, check } of LINTS) {
    check({ plans, triggers, world }, (plan, { step, fields, ...finding }) => {
      const problem: Problem = {
        origin: plan.source.origin,
        code,
        severity: level,
        ...finding,
        fields: { ...(step === undefined ? {} : { step: plan.id(step) }), ...fields },
      };
      found.push({ problem, plan: plan.name, step: step ?? -1, code });
    });
  }
  found.sort((a, b) => compareUtf8(a.plan, b.plan) || a.step - b.step || compareUtf8(a.code, b.code));
  return found.map(({ problem }) => problem);
}

/** RL004 takes the place of `payload_unproven` (`packs.md` §4.3). */
export function asLint(problem: Problem): Problem {
  if (problem.code !== 'payload_unproven') return problem;
  return { ...problem, code: 'RL004', fields: { ...problem.fields, cause: problem.code } };
}
