import { canonicalPlan, checkPlanNames } from './node-plan-canonical.ts';
import { addAll, type Problem } from './node-read.ts';
import { lookupsOf, type Pass } from './validate-world.ts';

/** Rules V-514, V-515, V-517, V-518, V-701, V-702: names that plans use, and their slots, read with the listed definitions. */

export const checkSlots: Pass = (world) => {
  const lookups = lookupsOf(world);
  const problems: Problem[] = [];
  for (const [name, { source }] of world.plans) {
    // The loader of authored files has read the slots already, with the definitions of the folder.
    if (world.read.has(name)) {
      addAll(problems, checkPlanNames(source, { ...lookups, effectsChecked: true }));
      continue;
    }
    addAll(problems, checkPlanNames(source, lookups));
    const read = canonicalPlan(source, lookups);
    addAll(problems, read.problems);
    world.read.set(name, read);
    if (read.plan !== undefined) world.canonical.set(name, read.plan);
  }
  return problems;
};
