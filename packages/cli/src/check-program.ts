import { runCommandLine } from './main.ts';
import { checkOnly } from './program.ts';

/**
 * `worldline check …` as a program of its own, which editors and hooks call all the time. The launcher takes it when the first
 * word is `check` (docs/decisions/0005).
 */
export function main(argv: readonly string[]): Promise<void> {
  return runCommandLine(argv, checkOnly, {});
}
