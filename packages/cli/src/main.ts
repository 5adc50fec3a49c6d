import { FailureError, installSha256Later } from '@worldline/canon';
import { type Command, CommanderError } from 'commander';
import { type Composition, Context, type GlobalFlags } from './context.ts';
import { EXIT, exitCode } from './exit-code.ts';
import { CommandError, type CommandFailure, withHint } from './failure.ts';
import { Output, type Streams } from './output.ts';
import type { Start } from './program/root.ts';
import { StandardOutput } from './standard-output.ts';

const stdout = new StandardOutput();
const STREAMS: Streams = {
  stdout,
  // Made when something is said there.
  get stderr() {
    return process.stderr;
  },
  env: process.env,
};

/**
 * Runs one command line and sets the exit code.
 *
 * @param program - describes the commands there are.
 */
export async function runCommandLine(
  argv: readonly string[],
  program: (start: Start) => Command,
  composition: Composition,
): Promise<void> {
  // Node's crypto module takes 10 ms to load, in which 60 kB are hashed without it.
  installSha256Later(60_000, () => {
    const { createHash } = process.getBuiltinModule('node:crypto');
    return (bytes) => createHash('sha256').update(bytes).digest();
  });
  const json = argv.some((word) => word === '--json' || word === '--pretty');
  const early = new Output({ json, pretty: argv.includes('--pretty'), meta: true, quiet: false }, STREAMS);
  const interruption = new AbortController();
  const tree = program((flags, action) => perform(flags, composition, interruption, action));
  const said = silence(tree);
  try {
    await tree.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (error instanceof CommandError) {
      early.failure(error.failure);
      process.exitCode = exitCode(error.failure.code);
    } else if (error instanceof CommanderError) {
      if (error.exitCode === 0) return;
      early.failure(usageFailure(error, said.text));
      process.exitCode = EXIT.usage;
    } else {
      early.failure({
        code: 'host_error',
        message: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      process.exitCode = EXIT.failure;
    }
  }
}

async function perform(
  flags: GlobalFlags,
  composition: Composition,
  interruption: AbortController,
  action: (ctx: Context) => Promise<void>,
): Promise<void> {
  const out = new Output({ json: flags.json, pretty: flags.pretty, meta: flags.meta, quiet: flags.quiet }, STREAMS);
  const ctx = new Context({
    flags,
    out,
    cwd: process.cwd(),
    env: process.env,
    interrupted: interruption.signal,
    composition,
  });
  const interrupt = () => interruption.abort(new CommandError({ code: 'interrupted', message: 'interrupted' }));
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    await action(ctx);
  } catch (error) {
    const failure = asFailure(error, interruption.signal);
    if (failure === undefined) throw error;
    out.failure(withHint(failure));
    process.exitCode = exitCode(failure.code);
  } finally {
    process.removeListener('SIGINT', interrupt);
    process.removeListener('SIGTERM', interrupt);
  }
}

function asFailure(error: unknown, interrupted: AbortSignal): CommandFailure | undefined {
  if (error instanceof CommandError) return error.failure;
  // What a store says by rejecting: it is out of reach, or damaged.
  if (error instanceof FailureError) return error.failure;
  // A state is read piece by piece: a damaged piece may be met in the middle of a command. Known by its name, so that
  // a command which needs no kernel loads none.
  if (error instanceof Error && error.name === 'KernelFault') {
    return {
      code: 'code' in error && error.code === 'object.missing' ? 'snapshot.incomplete' : 'journal.corrupt',
      message: error.message,
      hint: 'restore the store from a copy; "worldline journal verify" tells what it lacks',
    };
  }
  if (interrupted.aborted) return { code: 'interrupted', message: 'interrupted' };
  // What the system refuses is the caller's to mend; a stack would only hide which file it was.
  if (error instanceof Error && 'syscall' in error && 'code' in error) {
    return {
      code: 'host_error',
      message: error.message,
      hint: 'check that the file or folder exists and that this user may read and write it',
    };
  }
  return undefined;
}

/** Commander's own messages are kept back and said in this program's form. */
function silence(root: Command): { readonly text: string } {
  const said = { text: '' };
  const quiet = (command: Command) => {
    command.exitOverride();
    command.configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => {
        said.text += text;
      },
    });
    for (const child of command.commands) quiet(child);
  };
  quiet(root);
  return said;
}

function usageFailure(error: CommanderError, said: string): CommandFailure {
  // A group without a command answers with its help, as an error.
  if (error.code === 'commander.help') {
    const usage = said.trim();
    const group = /^Usage: worldline (.*) \[options\] \[command\]/.exec(usage)?.[1];
    return {
      code: 'invalid_request',
      message: group === undefined ? 'a command is missing' : `"${group}" needs a command`,
      hint: `one of these:\n\n${usage}`,
    };
  }
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = /\(Did you mean (.*)\?\)/.exec(rest.join(' '))?.[1];
  const hint =
    suggestion === undefined ? 'see "worldline --help", or --help after a command' : `did you mean "${suggestion}"?`;
  return { code: 'invalid_request', message: first.replace(/\.$/, ''), hint };
}
