import { type Command, InvalidArgumentError } from 'commander';
import type { Context } from '../context.ts';

/** What descriptions of commands have in common. */

/**
 * Runs an action in the context that the command line asks for.
 *
 * @param world - World folder, when the command takes it as an argument of its own; in place of `--world`.
 */
export type Run = (action: (ctx: Context) => Promise<void>, world?: string) => Promise<void>;

/** A command that only holds others. */
export function group(root: Command, name: string, description: string): Command {
  return root.command(name).description(description).helpCommand(false);
}

/** Ends a help text: command lines to begin with, without the name of the program. */
export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  worldline ${line}`).join('\n')}`;
}

/** Reads a whole number. @param what - What it counts, for the message of anything else. */
export function count(what: string): (text: string) => number {
  return (text) => {
    if (!/^[0-9]{1,15}$/.test(text)) throw new InvalidArgumentError(`Expected a whole number (${what}).`);
    return Number(text);
  };
}

/** Collects the values of an option that may be given more than once. */
export const repeated = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];
