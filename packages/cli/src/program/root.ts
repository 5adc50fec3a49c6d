import { resolve } from 'node:path';
import { Command, Help, Option } from 'commander';
import type { Context, GlobalFlags } from '../context.ts';
import { version } from '../version.ts';
import { count, type Run } from './form.ts';

/** The command itself, `worldline`: the flags that go with every other one (`host.md` §12.1), and how help looks. */

/** Turns global flags into a context and runs an action with it. */
export type Start = (flags: GlobalFlags, action: (ctx: Context) => Promise<void>) => Promise<void>;

/** `worldline` with its global flags, and no command yet. */
export function rootCommand(): Command {
  const root = new Command('worldline');

  root
    .description(
      'Run agent workflows whose plans are data: checked before they run, journaled, replayed byte for byte.',
    )
    .version(version(), '--version', 'print the version')
    .helpOption('-h, --help', 'explain a command')
    .helpCommand('help [command]', 'explain a command')
    .configureHelp({ optionDescription: describe })
    .addHelpText('afterAll', ({ command }) => (command === root ? '' : footer(command)))
    .addOption(
      new Option('-w, --world <dir>', 'world folder (default: the nearest one upwards)').env('WORLDLINE_WORLD'),
    )
    .addOption(
      new Option(
        '--mode <mode>',
        'auto: use the running world, else open it; daemon: only the running one; batch: only open it',
      )
        .choices(['auto', 'daemon', 'batch'])
        .default('auto')
        .env('WORLDLINE_MODE'),
    )
    .addOption(
      new Option('--air <dir>', 'folder with the definitions (default: what worldline.json says, else air)').env(
        'WORLDLINE_AIR',
      ),
    )
    .addOption(
      new Option(
        '--store <dir>',
        'folder of the store (default: what worldline.host.json says, else in .worldline)',
      ).env('WORLDLINE_STORE'),
    )
    .addOption(new Option('--control <path>', 'control socket of the running world').env('WORLDLINE_CONTROL'))
    .option('--json', 'print one JSON object: { data, meta } or { error }')
    .option('--pretty', 'the same, indented')
    .option('--no-meta', 'leave out "meta"')
    .option('--quiet', 'print no notices')
    .addOption(
      new Option('--timeout-ms <n>', 'longest wait for an answer')
        .argParser(count('milliseconds'))
        .default(30_000)
        .env('WORLDLINE_TIMEOUT_MS'),
    )
    .addHelpText(
      'after',
      `
Values are JSON, @file, or @- for standard input. Most answers are tables; --json gives the same as data.
The options above go with every command, before or after its name. Each command explains itself: worldline plans start --help

A first world, in a minute:
  worldline init hello && cd hello
  worldline check
  worldline event send hello/Asked@1 '{"name": "Ada"}'
  worldline plans ls
  worldline replay --verify

Exit codes: 0 ok, 1 failure, 2 usage, 3 not running, 4 not found, 5 refused, 6 conflict, 7 check failed, 8 timeout, 130 interrupted.`,
    );

  return root;
}

/** How the commands below `root` run: with the flags that were given to it, once they are known. */
export function runnerOf(root: Command, start: Start): Run {
  return (action, world) => {
    const flags = globalFlags(root);
    return start(world === undefined ? flags : { ...flags, world }, action);
  };
}

function globalFlags(root: Command): GlobalFlags {
  const o = root.opts<{
    world?: string;
    mode: GlobalFlags['mode'];
    air?: string;
    store?: string;
    control?: string;
    json?: boolean;
    pretty?: boolean;
    meta: boolean;
    quiet?: boolean;
    timeoutMs: number;
  }>();
  return {
    world: o.world,
    mode: o.mode,
    air: o.air,
    store: o.store,
    control: o.control,
    json: o.json === true || o.pretty === true,
    pretty: o.pretty === true,
    meta: o.meta,
    quiet: o.quiet === true,
    timeoutMs: o.timeoutMs,
    timeoutGiven: root.getOptionValueSource('timeoutMs') !== 'default',
  };
}

/**
 * Of a command that takes the world folder as an argument, too. One in the environment is for whoever names none.
 *
 * @throws CommanderError when `--world` names another one.
 */
export function expectOneWorld(root: Command, argument: string | undefined): void {
  const { world } = root.opts<{ world?: string }>();
  if (argument === undefined || world === undefined || root.getOptionValueSource('world') !== 'cli') return;
  if (resolve(world) !== resolve(argument))
    root.error(`two world folders are named: ${argument}, and ${world} with --world`);
}

/** As usual, and that an option is needed; an empty default says nothing. */
function describe(option: Option): string {
  const { defaultValue, mandatory } = option;
  const isEmpty = defaultValue === '' || (Array.isArray(defaultValue) && defaultValue.length === 0);
  const shown: Option = isEmpty ? Object.create(option, { defaultValue: { value: undefined } }) : option;
  const text = new Help().optionDescription(shown);
  return mandatory ? `${text} (required)` : text;
}

/** Where to read on. */
function footer(command: Command): string {
  if (command.commands.length === 0) return '\nOptions of every command, such as --world and --json: worldline --help';
  return `\nEach explains itself: worldline ${command.name()} ${command.commands[0]?.name()} --help`;
}
