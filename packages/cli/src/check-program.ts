import type { Command } from 'commander';
import { runCommandLine } from './main.ts';
import { checkCommand } from './program/check.ts';
import { rootCommand, runnerOf, type Start } from './program/root.ts';

/**
 * `worldline check …` as a program of its own, which editors and hooks call all the time. The launcher takes it when the first
 * word is `check` (docs/decisions/0005).
 */
export function main(argv: readonly string[]): Promise<void> {
  return runCommandLine(argv, checkOnly, {});
}

/** Describing all the other commands takes longer than checking a small folder. */
function checkOnly(start: Start): Command {
  const root = rootCommand();
  checkCommand(root.command('check'), runnerOf(root, start));
  return root;
}
