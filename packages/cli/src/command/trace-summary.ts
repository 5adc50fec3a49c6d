import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { checkSummary, printSummary, renderSummary, SummaryFold, summaryToJson } from '@worldline/summary';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { stop } from '../failure.ts';
import type { Data } from '../output.ts';
import { entriesOf, reading } from '../reader.ts';

export interface SummaryFlags {
  readonly from?: number;
  readonly to?: number;
  readonly plan?: string;
  readonly instances?: boolean;
  readonly out?: string;
}

/** `worldline trace-summary` (`summaries.md` §7, §8). */
export async function traceSummary(ctx: Context, flags: SummaryFlags): Promise<void> {
  const { from = 0, to } = flags;
  if (to !== undefined && to < from) stop('invalid_request', `--to ${to} lies before --from ${from}`);
  await reading(ctx, async (reader) => {
    const fold = new SummaryFold({ plan: flags.plan, instances: flags.instances === true, from, to });
    for await (const batch of reader.batches(
      from,
      to === undefined ? reader.height : Math.min(reader.height, to + 1),
    )) {
      const entries = entriesOf(batch);
      fold.add({
        firstSeq: batch.firstSeq,
        logicalNowNs: entries[0]?.stamp?.logicalNowNs,
        records: entries.map((entry) => entry.record),
      });
    }
    const summary = fold.finish();
    if (flags.out !== undefined) {
      try {
        writeFileSync(resolve(ctx.cwd, flags.out), printSummary(summary));
      } catch (error) {
        stop('host_error', `${flags.out} cannot be written: ${(error as Error).message}`);
      }
    }
    const problems = checkSummary(summary);
    for (const problem of problems) ctx.out.notice(`${problem.code}: ${problem.message}`);
    ctx.out.answer([renderSummary(summary).trimEnd()], summaryToJson(summary) as Data, await reader.meta());
    if (problems.length > 0) process.exitCode = EXIT.check;
  });
}
