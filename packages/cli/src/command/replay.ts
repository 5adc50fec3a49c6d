import { replayVerify } from '@worldline/host';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { stopWith } from '../failure.ts';
import { counted } from '../output.ts';
import { reading } from '../reader.ts';

/**
 * `worldline replay` (`journal.md` §7). Rebuilding always compares what it derives; `--verify` says that a difference is
 * the command's failure, and is what the flag is called everywhere.
 */
export async function replay(
  ctx: Context,
  flags: { readonly verify?: boolean; readonly fromGenesis?: boolean; readonly to?: number },
): Promise<void> {
  await reading(ctx, async (reader) => {
    const started = performance.now();
    const report = await replayVerify({
      store: reader.store,
      worldId: reader.row.worldId,
      fromGenesis: flags.fromGenesis === true,
      to: flags.to,
    });
    if (!report.ok) return stopWith(report.failure);
    const { head, snapshot, match, differences, batches, records, snapshotsCompared } = report.value;
    const seconds = (performance.now() - started) / 1_000;
    const human = match
      ? [
          `${ctx.out.style('bold', 'match')}: ${counted(records, 'record')} in ${counted(batches, 'batch', 'batches')} up to height ${head}, ${counted(snapshotsCompared, 'snapshot')} compared, ${seconds.toFixed(2)} s`,
          `state ${snapshot ?? ''}`,
        ]
      : [
          `${ctx.out.style('red', 'differs')} after height ${head}`,
          ...differences.map((one) => `${one.seq === undefined ? '' : `#${one.seq} `}${one.code}  ${one.message}`),
        ];
    ctx.out.answer(
      human,
      {
        head,
        snapshot,
        match,
        differences: differences.map((one) => ({ ...one })),
        batches,
        records,
        snapshots_compared: snapshotsCompared,
      },
      await reader.meta(),
    );
    if (!match) process.exitCode = EXIT.check;
  });
}
