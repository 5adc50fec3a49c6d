import type { Command } from 'commander';
import { blobCommands } from './program/blob.ts';
import { checkCommand } from './program/check.ts';
import { definitionCommands, defsCommands } from './program/definitions.ts';
import { approvalCommands, effectCommands } from './program/effects.ts';
import { eventCommands } from './program/event.ts';
import { journalCommands } from './program/journal.ts';
import { planCommands } from './program/plans.ts';
import { rootCommand, runnerOf, type Start } from './program/root.ts';
import { tokenCommands } from './program/token.ts';
import { traceCommands, traceSummaryCommand } from './program/traces.ts';
import { configCommands, initCommand, worldCommands } from './program/world.ts';

/**
 * The commands and their flags (`host.md` §12.2), in the order in which the help lists them. Each action loads its own
 * module, so that `--help` and a mistyped flag cost nothing.
 */
export function program(start: Start): Command {
  const root = rootCommand();
  const run = runnerOf(root, start);
  initCommand(root, run);
  checkCommand(root.command('check'), run);
  definitionCommands(root, run);
  worldCommands(root, run);
  eventCommands(root, run);
  planCommands(root, run);
  approvalCommands(root, run);
  effectCommands(root, run);
  configCommands(root, run);
  tokenCommands(root, run);
  journalCommands(root, run);
  traceSummaryCommand(root, run);
  traceCommands(root, run);
  defsCommands(root, run);
  blobCommands(root, run);
  return root;
}
