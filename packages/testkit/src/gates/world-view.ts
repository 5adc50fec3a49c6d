import type { Step } from '@worldline/air';
import { toHex } from '@worldline/canon';
import { type Kernel, STEP_STATE_NAMES } from '@worldline/kernel';

/** What a world waits for, as plain data: two worlds that wait for the same are equal here. */
export interface WorldView {
  readonly runs: readonly {
    readonly planId: number;
    readonly plan: string;
    /** Waiting steps. */
    readonly waiting: readonly string[];
    /** Wait kinds of those steps. */
    readonly kinds: readonly string[];
    /** Open effects that it will get a receipt of: step and intent. */
    readonly effects: readonly string[];
    /** Awaited events: step, schema, path and value that they must have. */
    readonly events: readonly string[];
    /** Runs that it waits for: step and plan ids. */
    readonly children: readonly string[];
    /** What is bound. */
    readonly bound: readonly string[];
  }[];
}

export function viewOf(kernel: Kernel): WorldView {
  const runs = [...kernel.instances()].map((instance) => {
    const steps = (kernel.catalogFor(instance.manifestHash).plans.get(instance.name)?.def.steps ??
      []) as readonly Step[];
    const id = (index: number) => steps[index]?.id ?? '';
    const waiting = steps.flatMap((step, i) => (STEP_STATE_NAMES[instance.states[i]!] === 'waiting' ? [step] : []));
    return {
      planId: instance.id,
      plan: instance.name,
      waiting: waiting.map((step) => step.id),
      kinds: waiting.map(({ op }) => op),
      effects: [...instance.receiptWaits]
        .map(([index, own]) => {
          const emission = kernel.emission(own);
          return `${id(index)} ${emission === undefined ? 'shared' : toHex(emission.intentHash)}`;
        })
        .sort(),
      events: [...instance.eventWaits]
        .map(([index, { schema, match }]) => {
          return `${id(index)} ${schema} ${match === undefined ? '' : `${match.path} ${toHex(match.value)}`}`;
        })
        .sort(),
      children: [...instance.planWaits].map(([index, { planIds }]) => `${id(index)} ${planIds.join(' ')}`).sort(),
      bound: [...instance.variables.keys()].sort(),
    };
  });
  return { runs: runs.sort((a, b) => a.planId - b.planId) };
}
