import type { Command } from 'commander';
import { examples, type Run } from './form.ts';

/**
 * `check`, which is a program of its own as well (`check-program.ts`): nothing is imported here that only other commands need.
 *
 * @param checks - Begins its description.
 */
export function checkCommand(command: Command, run: Run, checks = 'Checks'): void {
  command
    .summary('find mistakes before a run')
    .description(
      `${checks} the definitions of a folder: structure, types, references, authority. Needs no running world.`,
    )
    .option('--map <file>', 'sync file (default: worldline.json of the world)')
    .option('--fail-on-warning', 'exit 7 for warnings too')
    .option('--only <codes>', 'show only these codes, separated by commas; every error counts all the same')
    .option('--ignore <codes>', 'do not show these codes')
    .option(
      '--fix',
      'write what can be meant in one way only into the files, and say what (keys, conjuncts, edges, hashes); then check',
    )
    .option('--dry-run', 'with --fix: show it, and write nothing')
    .option('--watch', 'check again whenever a file changes, until Ctrl-C; with --fix it fixes each time')
    .option('--explain [code]', 'what a code or rule means, with a wrong and a right example; without one, all codes')
    .addHelpText(
      'after',
      examples(
        'check',
        'check --watch',
        'check --watch --fix',
        'check --explain plan.cyclic',
        'check --fix --dry-run',
        'check --fail-on-warning --json',
      ),
    )
    .action(async (flags) =>
      run(async (ctx) => {
        // Only who asks for an explanation loads the table of all codes.
        if (flags.explain !== undefined) return (await import('../command/explain.ts')).explain(ctx, flags.explain);
        if (flags.watch === true) return (await import('../command/check-watch.ts')).checkWatch(ctx, flags);
        return (await import('../command/check.ts')).check(ctx, flags);
      }),
    );
}
