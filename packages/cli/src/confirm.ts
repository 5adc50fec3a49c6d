import { createInterface } from 'node:readline/promises';
import type { Context } from './context.ts';
import { stop } from './failure.ts';

/**
 * Asks a person on a terminal; anybody else must have said `--yes`.
 *
 * @param why - what makes the question worth asking, for whoever cannot be asked.
 * @throws CommandError `invalid_request` when it is not confirmed.
 */
export async function confirm(ctx: Context, question: string, why: string): Promise<void> {
  if (process.stdin.isTTY !== true || ctx.out.json) stop('invalid_request', why, { hint: 'confirm with --yes' });
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const typed = await prompt.question(`${question} [y/N] `, { signal: ctx.interrupted });
  prompt.close();
  if (!/^y(es)?$/i.test(typed.trim())) stop('invalid_request', 'not confirmed; nothing was changed');
}
