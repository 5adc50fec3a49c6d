import { type Command, InvalidArgumentError, Option } from 'commander';
import { checkCommand } from './check.ts';
import { count, examples, group, type Run } from './form.ts';
import { planQuestions } from './plan-questions.ts';

/** Commands on plans: their runs, and with `plan-questions.ts` what they can do. */

export function planCommands(root: Command, run: Run): void {
  const plans = group(root, 'plans', 'plans: their runs, and what they can do');
  plans
    .command('start')
    .summary('start a plan')
    .description('Starts a plan with an input of its input schema.')
    .argument('<plan>', 'name of the plan, demo/greet@1')
    .argument('<input>', 'its input: JSON, @file or @-')
    .option('--correlation <json>', 'text or number that names this run')
    .option('--bind <json>', 'values of locals: {"name": value, …}')
    .option('--idempotency-key <key>', 'a repeat with the same key and input is one start')
    .addOption(
      new Option('--wait [until]', 'accepted, applied, settled, or ended: the run is over; --wait alone means ended')
        .choices(['accepted', 'applied', 'settled', 'ended'])
        .preset('ended')
        .default('settled'),
    )
    .addHelpText(
      'after',
      examples(
        `plans start hello/greet@1 '{"name": "Ada"}'`,
        `plans start hello/greet@1 @input.json --correlation '"r-17"' --wait`,
      ),
    )
    .action(async (plan: string, input: string, flags) =>
      run(async (ctx) => (await import('../command/plans.ts')).startPlan(ctx, plan, input, flags)),
    );
  plans
    .command('ls')
    .summary('list runs, newest first')
    .description('Lists runs of plans, newest first, with what the live ones wait for.')
    .option('--live', 'only runs that have not ended')
    .option('--plan <name>', 'only runs of this plan')
    .option('--limit <n>', 'at most so many', count('runs'), 50)
    .addHelpText('after', examples('plans ls', 'plans ls --live --plan hello/greet@1'))
    .action(async (flags) => run(async (ctx) => (await import('../command/plans.ts')).listPlans(ctx, flags)));
  plans
    .command('get')
    .summary('show one run')
    .description('Shows one run of a plan: its steps while it lives, its result when it has ended.')
    .argument('<id>', 'number of the run, as "plans ls" shows it', planId)
    .addHelpText('after', examples('plans get 3', 'plans get 3 --json'))
    .action(async (id: number) => run(async (ctx) => (await import('../command/plans.ts')).getPlan(ctx, id)));
  plans
    .command('cancel')
    .summary('end a live run')
    .description('Ends a live run with the error "cancelled". Requests already sent are not taken back.')
    .argument('<id>', 'number of the run, as "plans ls" shows it', planId)
    .option('--reason <text>', 'why, for the journal', '')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples('plans cancel 3 --reason "wrong input" --yes'))
    .action(async (id: number, flags) =>
      run(async (ctx) => (await import('../command/plans.ts')).cancelPlan(ctx, id, flags)),
    );
  planQuestions(plans, run);
  checkCommand(plans.command('check'), run, 'The same as "worldline check": checks');
  plans
    .command('scaffold')
    .summary('begin to use an imported plan pack')
    .description(
      'Writes references, trigger, grants and policy rules for a plan of an imported pack into a file that is not loaded, and for composable-core a template of an adapter plan. Grants allow as little as they can say. Edits no file that exists.',
    )
    .requiredOption('--pack <name>', 'name of the pack')
    .requiredOption(
      '--profile <profile>',
      'turnkey (a trigger starts its entry plan) or composable-core (your plan starts its core plan)',
    )
    .option('--plan <name>', 'the plan, when the pack has several')
    .option('--trigger-event <schema>', 'turnkey: event of the trigger (default: the input of the plan)')
    .option('--namespace <ns>', 'namespace of what is generated (default: app)')
    .option('--out <file>', 'file to write (default: <air>/scaffolds/plan-pack-<pack>-<profile>.json)')
    .option('--dry-run', 'print it, and write nothing')
    .option('--force', 'overwrite')
    .option('--map <file>', 'sync file (default: worldline.json of the world)')
    .addHelpText(
      'after',
      examples(
        'plans scaffold --pack deadline-race --profile turnkey --dry-run',
        'plans scaffold --pack approval-gate --profile composable-core --namespace shop',
      ),
    )
    .action(async (flags) =>
      run(async (ctx) => (await import('../command/plans-scaffold.ts')).plansScaffold(ctx, flags)),
    );
}

function planId(text: string): number {
  if (!/^[0-9]{1,15}$/.test(text))
    throw new InvalidArgumentError('A plan id is a whole number; "worldline plans ls" shows them.');
  return Number(text);
}
