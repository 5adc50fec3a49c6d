import type { Composition } from './context.ts';
import { runCommandLine } from './main.ts';
import { program } from './program.ts';

/** `worldline` with all its commands: runs one command line and sets the exit code. */
export function main(argv: readonly string[], composition: Composition = {}): Promise<void> {
  return runCommandLine(argv, program, composition);
}
