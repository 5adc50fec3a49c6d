import { Argument, type Command, Option } from 'commander';
import { examples, group, type Run } from './form.ts';

/** Commands on what the world wants from outside: decisions of people, and all other effects. */

export function approvalCommands(root: Command, run: Run): void {
  const approvals = group(root, 'approvals', 'decisions that plans ask people for');
  approvals
    .command('ls')
    .summary('list pending approvals')
    .description('Lists pending approvals, oldest first.')
    .option('--all', 'also the newest 1000 decided ones')
    .addHelpText('after', examples('approvals ls', 'approvals ls --all --json'))
    .action(async (flags) => run(async (ctx) => (await import('../command/approvals.ts')).listApprovals(ctx, flags)));
  approvals
    .command('get')
    .summary('show one approval')
    .description('Shows one approval with the material it refers to.')
    .argument('<intent>', 'intent hash, as "approvals ls" shows it; its beginning is enough')
    .addHelpText('after', examples('approvals get sha256:3f2a…'))
    .action(async (intent: string) =>
      run(async (ctx) => (await import('../command/approvals.ts')).getApproval(ctx, intent)),
    );
  approvals
    .command('decide')
    .summary('approve or deny')
    .description('Decides a pending approval. The first decision counts.')
    .argument('<intent>', 'intent hash, as "approvals ls" shows it; its beginning is enough')
    .addArgument(new Argument('<decision>', 'approve or deny').choices(['approve', 'deny']))
    .option('--rationale <text>', 'why, for the plan and the journal')
    .addHelpText(
      'after',
      examples(
        'approvals decide sha256:3f2a… approve',
        'approvals decide sha256:3f2a… deny --rationale "tests are red"',
      ),
    )
    .action(async (intent: string, decision: 'approve' | 'deny', flags) =>
      run(async (ctx) => (await import('../command/approvals.ts')).decideApproval(ctx, intent, decision, flags)),
    );
}

export function effectCommands(root: Command, run: Run): void {
  const effects = group(root, 'effects', 'what the world wants from outside');
  effects
    .command('ls')
    .summary('list pending effects')
    .description(
      'Lists the effects that have no receipt yet, oldest first: open ones wait for their turn, deferred ones for their time or for a decision.',
    )
    .option('--kind <kind>', 'only this effect kind, http.request')
    .addOption(new Option('--status <status>', 'only these').choices(['open', 'in_flight', 'deferred']))
    .addHelpText('after', examples('effects ls', 'effects ls --kind http.request --status open --json'))
    .action(async (flags) => run(async (ctx) => (await import('../command/effects.ts')).listEffects(ctx, flags)));
  effects
    .command('get')
    .summary('show one effect')
    .description('Shows one effect with its params, and its receipt when it has one.')
    .argument('<intent>', 'intent hash, as "effects ls" shows it; its beginning is enough')
    .addHelpText('after', examples('effects get sha256:3f2a…'))
    .action(async (intent: string) =>
      run(async (ctx) => (await import('../command/effects.ts')).getEffect(ctx, intent)),
    );
  effects
    .command('retry')
    .summary('perform an open effect again')
    .description('Performs an open effect now. One that is being performed is left alone.')
    .argument('<intent>', 'intent hash, as "effects ls" shows it; its beginning is enough')
    .addHelpText('after', examples('effects retry sha256:3f2a…'))
    .action(async (intent: string) =>
      run(async (ctx) => (await import('../command/effects.ts')).retryEffect(ctx, intent)),
    );
  effects
    .command('receipt')
    .summary('answer an effect by hand')
    .description(
      'Gives an effect its receipt by hand, as when its outcome was found out some other way. The plan goes on with it; the journal names its adapter "manual.…".',
    )
    .argument('<intent>', 'intent hash, as "effects ls" shows it; its beginning is enough')
    .addOption(new Option('--status <status>', 'how it went').choices(['ok', 'error', 'timeout']).makeOptionMandatory())
    .option('--payload <json>', 'what the effect answered, of its receipt schema: JSON, @file or @-')
    .option('--error-code <code>', 'with error and timeout: what a plan can branch on')
    .option('--error-message <text>', 'with --error-code: for people')
    .addHelpText(
      'after',
      examples(
        'effects receipt sha256:3f2a… --status ok --payload @answer.json',
        'effects receipt sha256:3f2a… --status error --error-code payment.declined --error-message "card expired"',
      ),
    )
    .action(async (intent: string, flags) =>
      run(async (ctx) => (await import('../command/effects.ts')).injectReceipt(ctx, intent, flags)),
    );
}
