import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Context } from './context.ts';
import { stop } from './failure.ts';
import { type Data, type Meta, toJson } from './output.ts';

/** Writes an answer to the file of `--out`, in the form it would have had on standard output. */
export function writeOut(
  ctx: Context,
  file: string,
  answer: { readonly human: readonly string[]; readonly data: Data; readonly meta: Meta },
): void {
  const { human, data, meta } = answer;
  const text = ctx.out.json ? toJson({ data, meta: { ...meta } }, ctx.out.options.pretty) : human.join('\n');
  try {
    writeFileSync(resolve(ctx.cwd, file), `${text}\n`);
  } catch (error) {
    stop('host_error', `${file} cannot be written: ${(error as Error).message}`, {
      hint: 'check that its folder exists and can be written',
    });
  }
}
