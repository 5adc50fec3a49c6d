import type { Problem } from './node-read.ts';
import {
  checkDefaultPolicy,
  checkEffects,
  checkEnforcers,
  checkGrantParams,
  checkGrants,
  checkPlanEffects,
  checkPolicies,
} from './validate-grants.ts';
import { checkHandles } from './validate-handles.ts';
import { checkBindings, checkModuleSchemas, checkModules, checkRouting } from './validate-modules.ts';
import { checkPlans } from './validate-plans.ts';
import { checkDeclaredSecrets, checkGrantSecrets, checkPlanSecrets, checkSecretPolicies } from './validate-secrets.ts';
import { checkSlots } from './validate-slots.ts';
import { checkSupport } from './validate-support.ts';
import { checkTriggers } from './validate-triggers.ts';
import { checkListedTypes } from './validate-types.ts';
import type { LoadOptions, Pass, World } from './validate-world.ts';

/** The rules of `definitions.md` §10 on a resolved world, in the stages of §9. */
const STAGES: readonly (readonly Pass[])[] = [
  [checkListedTypes],
  [checkSlots],
  [checkDeclaredSecrets, checkPlans, checkHandles, checkPlanSecrets, checkGrantSecrets],
  [
    checkGrants,
    checkEnforcers,
    checkRouting,
    checkModules,
    checkEffects,
    checkPlanEffects,
    checkTriggers,
    checkPolicies,
    checkBindings,
    checkSecretPolicies,
    checkModuleSchemas,
  ],
  [checkGrantParams, checkDefaultPolicy, checkSupport],
];

/** All errors of the first stage that has any; none when the world is sound. Fills `world.canonical`. */
export function validate(world: World, options: LoadOptions): readonly Problem[] {
  for (const stage of STAGES) {
    const problems = stage.flatMap((pass) => pass(world, options));
    if (problems.length > 0) return problems;
  }
  return [];
}

/** All errors of all rules: for authors, who want to see everything at once. */
export function validateAll(world: World, options: LoadOptions): readonly Problem[] {
  return STAGES.flat().flatMap((pass) => pass(world, options));
}
