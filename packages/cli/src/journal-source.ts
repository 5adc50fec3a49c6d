import { statSync } from 'node:fs';
import { basename, extname, resolve } from 'node:path';
import { useNativeSha256 } from '@worldline/host';
import { decodeRecord, type JournalRecord } from '@worldline/kernel';
import type { SummaryBatch } from '@worldline/summary';
import { Context } from './context.ts';
import { stop, stopWith } from './failure.ts';
import { type Meta, printable } from './output.ts';
import { entriesOf, Reader } from './reader.ts';

/** Journals that are read as they are, whoever wrote them: of this world, of another world's folder, of an exported file. */

export interface JournalRange {
  readonly from: number;
  readonly to: number | undefined;
}

/** Records between two lines of progress. */
const TELL_EVERY = 20_000;

/** A label for a journal that has none: its file without ending, its folder. */
export function labelOf(journal: string, cwd: string): string {
  const path = resolve(cwd, journal);
  return basename(path, extname(path));
}

/**
 * Every whole batch that holds a record of the range, in order.
 *
 * @param journal - a file of `journal export` or a world folder; undefined: the world of the command.
 * @returns where a world stands; nothing of a file, which is no world.
 */
export async function readJournal(
  ctx: Context,
  journal: string | undefined,
  range: JournalRange,
  visit: (batch: SummaryBatch) => void,
): Promise<Meta | undefined> {
  if (journal === undefined) return readWorld(ctx, range, visit);
  const path = resolve(ctx.cwd, journal);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined)
    return stop('not_found', `there is no journal ${journal}`, {
      hint: 'name a file that "worldline journal export" wrote, or the folder of a world',
    });
  if (!stat.isDirectory()) return readFile(ctx, path, range, visit);
  // Flags that say where this world is do not say where that one is.
  const there = { ...ctx, flags: { ...ctx.flags, world: path, store: undefined, mode: 'batch' as const } };
  return readWorld(new Context(there), range, visit);
}

async function readWorld(ctx: Context, range: JournalRange, visit: (batch: SummaryBatch) => void): Promise<Meta> {
  const { from, to } = range;
  const reader = await Reader.open(ctx);
  const progress = ctx.out.transient();
  try {
    const end = to === undefined ? reader.height : Math.min(reader.height, to + 1);
    let told = from;
    for await (const batch of reader.batches(from, end)) {
      const entries = entriesOf(batch);
      visit({
        firstSeq: batch.firstSeq,
        logicalNowNs: entries[0]?.stamp?.logicalNowNs,
        records: entries.map((entry) => entry.record),
      });
      if (batch.firstSeq - told < TELL_EVERY) continue;
      told = batch.firstSeq;
      progress.show(`${told} of ${end} records read`);
      if (ctx.interrupted.aborted) throw ctx.interrupted.reason;
    }
    return await reader.meta();
  } finally {
    progress.end();
    await reader.close();
  }
}

async function readFile(
  ctx: Context,
  path: string,
  { from, to = Number.MAX_SAFE_INTEGER }: JournalRange,
  visit: (batch: SummaryBatch) => void,
): Promise<undefined> {
  const { SegmentFile } = await import('@worldline/host');
  useNativeSha256();
  const opened = await SegmentFile.open(path);
  if (!opened.ok) return stopWith(opened.failure);
  const file = opened.value;
  const progress = ctx.out.transient();
  try {
    let told = file.firstSeq;
    const read = await file.read(({ body }) => {
      const { firstSeq, entries, stamp } = body;
      if (firstSeq > to) return false;
      if (firstSeq + entries.length > from)
        visit({
          firstSeq,
          logicalNowNs: stamp?.logicalNowNs,
          records: entries.map((bytes, i) => decoded(bytes, firstSeq + i)),
        });
      if (firstSeq - told >= TELL_EVERY) {
        told = firstSeq;
        progress.show(`${printable(basename(path))}: ${Math.floor((file.position * 100) / file.size)} % read`);
      }
      return !ctx.interrupted.aborted;
    });
    if (ctx.interrupted.aborted) throw ctx.interrupted.reason;
    if (!read.ok) return stopWith(read.failure);
    return undefined;
  } finally {
    progress.end();
    await file.close();
  }
}

function decoded(bytes: Uint8Array, seq: number): JournalRecord {
  const record = decodeRecord(bytes);
  if (record.ok) return record.value;
  return stop('journal.corrupt', `entry ${seq} cannot be read: ${record.failure.message}`);
}
