import type { Command } from 'commander';
import { count, examples, group, type Run } from './form.ts';

/** Commands on the journal: everything that happened, and the proof that it did. */

export function journalCommands(root: Command, run: Run): void {
  const journal = group(root, 'journal', 'everything that happened');
  journal
    .command('head')
    .summary('height of the journal')
    .description('Shows the height of the journal: the sequence number the next record will get.')
    .addHelpText('after', examples('journal head'))
    .action(async () => run(async (ctx) => (await import('../command/journal.ts')).journalHead(ctx)));
  journal
    .command('tail')
    .summary('show records')
    .description('Shows records in order; by default the last 200.')
    .option('--from <seq>', 'first record', count('a sequence number'))
    .option('--limit <n>', 'at most so many records', count('records'), 200)
    .option('--kinds <list>', 'only these kinds, separated by commas; event, intent and receipt are short forms')
    .option('--follow', 'go on as records appear, until Ctrl-C')
    .option('--out <file>', 'write to this file instead')
    .addHelpText(
      'after',
      examples(
        'journal tail',
        'journal tail --kinds plan_started,plan_ended --limit 20',
        'journal tail --kinds event --follow',
        'journal tail --from 0 --limit 1000 --json --out journal.json',
      ),
    )
    .action(async (flags) => run(async (ctx) => (await import('../command/journal.ts')).journalTail(ctx, flags)));
  journal
    .command('verify')
    .summary('check framing, chain and references')
    .description('Checks every batch: framing, hash chain, and that everything it refers to is in the store.')
    .option('--signatures', 'also check the signatures of receipts and checkpoints')
    .addHelpText('after', examples('journal verify', 'journal verify --signatures'))
    .action(async (flags) => run(async (ctx) => (await import('../command/journal.ts')).journalVerify(ctx, flags)));

  journal
    .command('export')
    .summary('write records to a file')
    .description(
      'Writes whole batches as they are, with their chain and checkpoints, to a file that "trace-summary --journal" reads anywhere.',
    )
    .argument('<file>', 'file to write; it has its name once it is whole')
    .option('--from <seq>', 'from the batch that holds this record', count('a sequence number'))
    .option('--to <seq>', 'to the batch that holds this record', count('a sequence number'))
    .addHelpText('after', examples('journal export desk.wlj', 'journal export part.wlj --from 1000 --to 1999'))
    .action(async (file: string, flags) =>
      run(async (ctx) => (await import('../command/journal.ts')).journalExport(ctx, file, flags)),
    );

  root
    .command('replay')
    .summary('rebuild every record and compare')
    .description(
      'Rebuilds the state from the active baseline (or from genesis) and, with --verify, compares every record and every byte of state.',
    )
    .option('--verify', 'compare records, and the state at every snapshot and at head')
    .option('--from-genesis', 'begin with the first record instead of the active baseline')
    .option('--to <height>', 'stop there', count('a height'))
    .addHelpText('after', examples('replay --verify', 'replay --verify --from-genesis', 'replay --to 1000'))
    .action(async (flags) => run(async (ctx) => (await import('../command/replay.ts')).replay(ctx, flags)));
}
