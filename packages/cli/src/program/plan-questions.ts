import { type Command, Option } from 'commander';
import type { Run } from './form.ts';

/** Commands that ask about a plan before it runs: `plans effects`, `plans can`, `plans graph`. */
export function planQuestions(plans: Command, run: Run): void {
  plans
    .command('effects')
    .summary('what a plan can reach, before it runs')
    .description(
      'Tells what a run of a plan can do before anything runs: effects with grant and limits, events, children, secrets, and what the policy says. It follows children, and the runs that its events start. Nothing that can happen is left out.',
    )
    .argument('<plan>', 'name of the plan, demo/greet@1')
    .option('--active', 'ask the definitions that the world has, not those of the folder')
    .addHelpText(
      'after',
      `
RUNS says whether every run that gets that far does the step ("always"), or a guard decides ("maybe").
GATE says what becomes of an effect at the gate: "yes" passes whenever it gets there, "no" never passes, "depends" is decided
when its params are known. REACHES joins what the plan says with what the grant leaves: * and … stand for anything.

Examples:
  worldline plans effects hello/greet@1
  worldline plans effects hello/greet@1 --json`,
    )
    .action(async (plan: string, flags) =>
      run(async (ctx) => (await import('../command/plans-effects.ts')).planEffects(ctx, plan, flags)),
    );
  plans
    .command('can')
    .summary('can a plan do this?')
    .description(
      'Answers yes, no or depends, with the reasons. Children count, and so do the runs that its events start. "no" is proven: nothing that happens at run time makes it possible.',
    )
    .argument('<plan>', 'name of the plan, demo/greet@1')
    .argument('<effect-kind>', 'kind of effect, http.request')
    .option('--host <host>', 'with http.request: to this host')
    .option('--method <method>', 'with http.request: with this method')
    .addOption(
      new Option('--expect <answer>', 'fail (exit 7) unless this is the answer').choices(['yes', 'no', 'depends']),
    )
    .option('--active', 'ask the definitions that the world has, not those of the folder')
    .addHelpText(
      'after',
      `
Exit codes: 0 for yes and depends (it may happen), 7 for no (it cannot). With --expect: 0 if the answer is that, else 7.

Examples:
  worldline plans can hello/greet@1 http.request
  worldline plans can shop/pay@1 http.request --method POST --host api.example.com
  worldline plans can shop/pay@1 llm.generate --expect no`,
    )
    .action(async (plan: string, kind: string, flags) =>
      run(async (ctx) => (await import('../command/plans-can.ts')).planCan(ctx, plan, kind, flags)),
    );
  plans
    .command('graph')
    .summary('draw a plan')
    .description(
      'Draws the steps of a plan with guards, waits and data edges: as text, as a Mermaid flowchart, or as an SVG that needs nothing else.',
    )
    .argument('<plan>', 'name of the plan, demo/greet@1')
    .addOption(
      new Option('--format <format>', 'text, mermaid or svg').choices(['text', 'mermaid', 'svg']).default('text'),
    )
    .option('--deep', 'also the plans that it spawns and that its events start')
    .option('--out <file>', 'write to this file instead')
    .option('--active', 'ask the definitions that the world has, not those of the folder')
    .addHelpText(
      'after',
      `
In text, ─▶ leads to the next step, ┄▶ to one that waits for what this one made, ═▶ to a child, ┄▷ to a plan that an event starts.

Examples:
  worldline plans graph hello/greet@1
  worldline plans graph hello/greet@1 --format mermaid
  worldline plans graph hello/greet@1 --deep --format svg --out greet.svg`,
    )
    .action(async (plan: string, flags) =>
      run(async (ctx) => (await import('../command/plans-graph.ts')).drawPlan(ctx, plan, flags)),
    );
}
