import type { Command } from 'commander';
import { examples, group, type Run, repeated } from './form.ts';

/** Commands on tokens: who may ask a world over the network, and for what. */
export function tokenCommands(root: Command, run: Run): void {
  const token = group(root, 'token', 'who may ask this world over the network');
  token
    .command('create <name>')
    .summary('make a token and show it once')
    .description(
      'Makes a token and shows it once; only its hash is kept. With --peer it is for one other world, which sends messages with it: the name is what "fabric_accept" calls that world.',
    )
    .option(
      '--scope <scope>',
      'what it is for (repeatable): read, event, receipt, approval, blob.write, fabric, secret, workspace.write, gov.propose, gov.approve, gov.apply, or admin for everything',
      repeated,
    )
    .option('--role <role>', 'role for approvals (repeatable)', repeated)
    .option('--expires <duration>', 'how long it is valid: 12h, 90d (default: until it is revoked)')
    .option('--peer <world>', 'world id of the peer it belongs to, as "worldline status" there shows it')
    .addHelpText(
      'after',
      examples(
        'token create desk --peer 01a22443-6a8e-7f49-ac50-5ce56d30e47a',
        'token create dashboard --scope read --expires 90d',
      ),
    )
    .action(async (name: string, flags) =>
      run(async (ctx) => (await import('../command/token.ts')).makeToken(ctx, name, flags)),
    );
  token
    .command('ls')
    .summary('list tokens')
    .description('Lists the named tokens: what each is for, and until when. Never their text.')
    .addHelpText('after', examples('token ls', 'token ls --json'))
    .action(async () => run(async (ctx) => (await import('../command/token.ts')).listTokens(ctx)));
  token
    .command('revoke <name>')
    .summary('end a token')
    .description('Ends a token at once, also for a world that is running.')
    .addHelpText('after', examples('token revoke desk'))
    .action(async (name: string) => run(async (ctx) => (await import('../command/token.ts')).dropToken(ctx, name)));
}
