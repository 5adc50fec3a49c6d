import { type Command, Option } from 'commander';
import { count, examples, type Run, repeated } from './form.ts';

/** Commands that tell from the journal how runs went: all together, and what followed from one event. */

export function traceSummaryCommand(root: Command, run: Run): void {
  root
    .command('trace-summary')
    .summary('how plans ran: counts, errors, durations')
    .description(
      'Summarises runs, errors, effects and durations from the journal. Ends with 7 when a threshold of --check does not hold.',
    )
    .option('--from <seq>', 'first record', count('a sequence number'))
    .option('--to <seq>', 'last record', count('a sequence number'))
    .option('--plan <name>', 'only this plan')
    .option('--instances', 'list every run')
    .option('--correlations', 'index runs, events and effects by correlation')
    .option('--correlation <json>', 'only this correlation, and its flow drawn: \'"r-17"\'')
    .option(
      '--journal <file>',
      'read this instead: a file of "journal export", or the folder of a world (repeatable: one view over all of them)',
      repeated,
      [],
    )
    .option(
      '--label <name>',
      'a name for the journal, shown in the summary (repeatable, in the order of the journals)',
      repeated,
      [],
    )
    .option(
      '--check <file>',
      'thresholds as JSON, for example {"totals.runs.live": {"max": 0}, "totals.errors.*": {"max": 0, "except": {"policy_denied": 1}}}',
    )
    .addOption(new Option('--format <format>', 'text, or md for Markdown').choices(['text', 'md']))
    .option(
      '--out <file>',
      'also write it to this file: as JSON, as Markdown to *.md, as table to *.txt (repeatable)',
      repeated,
      [],
    )
    .addHelpText(
      'after',
      examples(
        'trace-summary',
        'trace-summary --plan hello/greet@1 --instances --json',
        'trace-summary --check thresholds.json --out summary.json --out summary.md',
        `trace-summary --journal ../desk --journal lab.wlj --correlation '"r-17"'`,
      ),
    )
    .action(async (flags) =>
      run(async (ctx) => (await import('../command/trace-summary.ts')).traceSummary(ctx, flags)),
    );
}

export function traceCommands(root: Command, run: Run): void {
  const rooted = (command: Command) =>
    command
      .option('--event-hash <hash>', 'the event, as "event send" prints it; its beginning is enough')
      .option('--schema <schema>', 'or the newest event of this schema that has, with the next two')
      .option('--correlate-by <path>', 'in this field: order.id')
      .option('--value <json>', 'this value')
      .option('--plan <id>', 'or a run, as "plans ls" shows it: what followed from its start', count('a plan id'))
      .option('--window-limit <n>', 'at most so many records (up to 10000)', count('records'), 400);
  rooted(root.command('trace'))
    .summary('what followed from an event')
    .description(
      'Shows what followed from one event and from nothing else: runs, their effects, receipts and events, with what is still waited for.',
    )
    .option('--follow', 'go on until it has ended or failed')
    .option('--interval-ms <n>', 'with --follow: time between looks', count('milliseconds'), 700)
    .option('--max-polls <n>', 'with --follow: at most so many looks', count('looks'), 120)
    .option('--out <file>', 'write to this file instead')
    .addHelpText(
      'after',
      `${examples(
        'trace --event-hash sha256:3f2a…',
        `trace --schema hello/Asked@1 --correlate-by name --value '"Ada"'`,
        'trace --plan 7',
        'trace --event-hash sha256:3f2a… --follow',
      )}\n\nValues are not shown; --json has them. "worldline trace-diagnose" explains where it stands.`,
    )
    .action(async (flags) => run(async (ctx) => (await import('../command/trace.ts')).trace(ctx, flags)));
  root
    .command('trace-find')
    .summary('find events by a field')
    .description('Finds events whose field has a value, newest first.')
    .requiredOption('--schema <schema>', 'their schema')
    .requiredOption('--correlate-by <path>', 'the field, order.id')
    .requiredOption('--value <json>', 'its value')
    .option('--from <seq>', 'first record (default: so that the last one is the newest)', count('a sequence number'))
    .option('--limit <n>', 'look at so many records', count('records'), 1000)
    .option('--max-results <n>', 'show at most so many', count('events'), 20)
    .option('--out <file>', 'write to this file instead')
    .addHelpText(
      'after',
      `${examples(`trace-find --schema hello/Asked@1 --correlate-by name --value '"Ada"'`)}\n\nA field of a variant is behind "$value", its arm is "$tag": --correlate-by body.$value.id`,
    )
    .action(async (flags) => run(async (ctx) => (await import('../command/trace.ts')).traceFind(ctx, flags)));
  rooted(root.command('trace-diagnose'))
    .summary('why it stands where it stands')
    .description(
      'Says how far an event or a run has come, why no further, and what to do about it: the rule that denied it, the value that differed, the person who has to decide, down to the child of a child.',
    )
    .option('--check', 'exit 7 unless it is completed')
    .addHelpText(
      'after',
      `${examples(
        'trace-diagnose --event-hash sha256:3f2a…',
        'trace-diagnose --plan 7',
        'trace-diagnose --event-hash sha256:3f2a… --check --json',
      )}\n\n"cause" is one of a short list, "reason" says more; docs/guides/find-out-why.md has every code.`,
    )
    .action(async (flags) => run(async (ctx) => (await import('../command/trace.ts')).traceDiagnose(ctx, flags)));
}
