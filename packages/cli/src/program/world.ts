import { type Command, Option } from 'commander';
import { count, examples, group, type Run } from './form.ts';
import { expectOneWorld } from './root.ts';

/** Commands on a world as a whole: it is made, runs, is looked at and put to the proof, and ends; and its settings. */

export function initCommand(root: Command, run: Run): void {
  root
    .command('init')
    .summary('make a world folder from a template')
    .description('Makes a world folder from a template. Files that are there already are left alone.')
    .argument('[path]', 'folder to make (default: the current one)')
    .option('--template <name>', 'minimal or http', 'minimal')
    .option('--force', 'overwrite files of the template that are there already')
    .option('--editor', 'only what editors need: JSON Schemas and settings for VS Code')
    .option('--fresh', 'delete the journal and all state of the world first')
    .option('-y, --yes', 'do not ask before deleting')
    .addHelpText('after', examples('init hello', 'init pages --template http', 'init --editor', 'init --fresh --yes'))
    .action(async (path: string | undefined, flags) => {
      expectOneWorld(root, path);
      await run(async (ctx) => (await import('../command/init.ts')).init(ctx, path, flags));
    });
}

export function worldCommands(root: Command, run: Run): void {
  root
    .command('run')
    .summary('run the world until it is stopped')
    .description(
      'Runs the world: applies what arrives, performs effects, fires timers. The first run in a folder creates the world from its definitions. Ctrl-C ends it cleanly.',
    )
    .option('--batch', 'stop when nothing can be done now; what it still waits for is reported')
    .option('--wait', 'with --batch: stay until every plan has ended')
    .option('--strict-adapters', 'refuse to start when an effect kind has no adapter')
    .option('--strict-secrets', 'refuse to start when a declared secret has no value')
    .addOption(
      new Option('--log-level <level>', 'debug, info, warn or error').choices(['debug', 'info', 'warn', 'error']),
    )
    .option('--log-json', 'one JSON object per log line')
    .addHelpText('after', examples('run', 'run --batch', 'run --batch --wait --timeout-ms 60000'))
    .action(async (flags) => run(async (ctx) => (await import('../command/run.ts')).run(ctx, flags)));

  root
    .command('status')
    .summary('what this world is and what it waits for')
    .description('Shows the world, its manifest and height, who runs it, and what it waits for.')
    .addHelpText('after', examples('status', 'status --json'))
    .action(async () => run(async (ctx) => (await import('../command/status.ts')).status(ctx)));

  root
    .command('stop')
    .summary('end the running world')
    .description(
      'Asks the process that runs this world to end, and waits until it is gone. Effects in flight get a while to finish; what is left of them goes on at the next start.',
    )
    .option(
      '--grace-ms <n>',
      'how long effects in flight may take; 0 does not wait (default: shutdown.grace_ms of worldline.host.json, 10000)',
      count('milliseconds'),
    )
    .addHelpText('after', examples('stop', 'stop --grace-ms 0'))
    .action(async (flags) => run(async (ctx) => (await import('../command/stop.ts')).stopWorld(ctx, flags)));

  root
    .command('doctor')
    .summary('what is wrong with this world, and what helps')
    .description(
      'Looks at everything around a world: machine, folder, store, journal, keys, process, effects. Says what is wrong and which command helps. Changes nothing, and works on a world that cannot be opened. Exit 7 when there is a problem.',
    )
    .addHelpText('after', examples('doctor', 'doctor --json'))
    .action(async () => run(async (ctx) => (await import('../command/doctor.ts')).doctor(ctx)));

  root
    .command('gates')
    .summary('prove that a world keeps its promises, whatever comes')
    .description(
      'Drives the plans of the folder through everything that goes wrong between machines, and proves by replay that nothing was lost, mixed up or done twice. Effects are answered by scripted receipts: nothing leaves, and the world itself is not opened. Exit 7 when a gate fails.',
    )
    .argument('[world]', 'world folder, as --world')
    .option('--only <gates>', 'only these gates, separated by commas')
    .option('--seed <n>', 'what chance begins with; the same seed does the same (default: 1)', count('a seed'))
    .option(
      '--count <n>',
      'concurrent requests of cross-talk (default 1000) and seeds of late-losers (default 10000)',
      count('requests and seeds'),
    )
    .option('--gates <file>', 'how to drive the world (default: gates.json of the world, if there is one)')
    .option('--print', 'print what the world would be driven with, in the form of gates.json, and run nothing')
    .addHelpText(
      'after',
      `
Gates:
  replay       live = replayed from genesis = restored from every baseline, byte for byte
  duplicates   an input that comes twice starts one run, sends one effect and settles once
  cross-talk   many requests at once, answers shuffled, doubled, late, with wrong ids: each gets its own
  late-losers  in a race the first delivery in the journal wins; what comes later changes nothing
  denials      what is denied or breaks an invariant ends as an error that resolves, and the request is settled
  fan-out      a barrier opens after the last child, whatever became of each
  crash        kill -9 of a real process while it waits: every wait is there again, and the run ends as a quiet one

What requests, receipts and responses look like is derived from the definitions. Where that is not enough, gates.json in the
world folder says it; --print is a good beginning. A gate that has nothing to try says "not applicable" and why.
${examples('gates', 'gates ./shop', 'gates --only crash,replay', 'gates --count 50 --seed 7', 'gates --print > gates.json', 'gates --json')}`,
    )
    .action(async (world: string | undefined, flags) => {
      expectOneWorld(root, world);
      await run(async (ctx) => (await import('../command/gates.ts')).gates(ctx, flags), world);
    });

  group(root, 'snapshot', 'the state as a tree in the store, from which a restart begins')
    .command('create')
    .summary('take a snapshot of the state at the head')
    .description(
      'Writes what changed since the last snapshot, and makes the new one the baseline: the next start begins there and replays nothing before it. When nothing has changed, it is the last snapshot that is shown.',
    )
    .addHelpText('after', examples('snapshot create', 'snapshot create --json'))
    .action(async () => run(async (ctx) => (await import('../command/snapshot.ts')).createSnapshot(ctx)));
}

export function configCommands(root: Command, run: Run): void {
  const config = group(root, 'config', 'settings that are part of the world and journaled with it');
  config
    .command('get')
    .summary('show the settings in force')
    .description(
      'Shows the world configuration in force, and where the "world" settings of worldline.host.json differ from it.',
    )
    .addHelpText('after', examples('config get', 'config get --json'))
    .action(async () => run(async (ctx) => (await import('../command/config.ts')).getConfig(ctx)));
  config
    .command('apply')
    .summary('put the folder’s settings into force')
    .description(
      'Puts the "world" settings of worldline.host.json into force, from the next input on. The change is journaled.',
    )
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples('config apply', 'config apply --yes --json'))
    .action(async (flags) => run(async (ctx) => (await import('../command/config.ts')).applyConfig(ctx, flags)));
}
