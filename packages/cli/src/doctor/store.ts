import { bytesEqual } from '@worldline/canon';
import {
  type HostConfig,
  readKeys,
  restoreKernel,
  type WorldFolder,
  type WorldIdentity,
  WorldKeyLine,
} from '@worldline/host';
import { decodeWorldKeys, type Kernel, nextChain } from '@worldline/kernel';
import type { Store, WorldRow } from '@worldline/ports';
import { checkSqliteStore } from '@worldline/store-sqlite';
import { formatDuration } from '@worldline/summary';
import { counted } from '../output.ts';
import { entriesOf, Reader } from '../reader.ts';
import { type Report, sizeText } from './report.ts';

/** The store and what the world left in it. */

/** More than the writer lets it grow to (`journal_size_limit`): a reader holds it. */
const WAL_WARNING = 256 * 1024 * 1024;
/** So many times `snapshot.every_entries` behind the last snapshot, something keeps it from being taken. */
const TAIL_WARNING = 20;
/** Checkpoints are signed beside the loop; more than this is more than "a moment ago". */
const UNSIGNED_WARNING = 10_000;

/** @returns whether the file can be opened. */
export function checkFile(report: Report, dir: string): boolean {
  const checked = checkSqliteStore(dir);
  if (!checked.ok) {
    const { code, message, hint } = checked.failure;
    report.problem('store', code, message, hint ?? 'is --store, or "store" of worldline.host.json, the right folder?');
    return false;
  }
  const { problems, databaseBytes, walBytes } = checked.value;
  if (problems.length > 0)
    report.problem(
      'store',
      'store.corrupt',
      `${counted(problems.length, 'damage', 'damages')}: ${problems.slice(0, 3).join('; ')}`,
      'stop the world, keep a copy of the folder, and restore it from a backup; nothing is repaired silently',
    );
  else report.ok('store', `${sizeText(databaseBytes)}, every page in order`);
  if (walBytes > WAL_WARNING)
    report.warn(
      'write-ahead log',
      'store.wal_large',
      `${sizeText(walBytes)}: a reader that stays open keeps it from shrinking`,
      'end long "worldline journal tail --follow" and other readers',
    );
  else report.ok('write-ahead log', sizeText(walBytes));
  return true;
}

export async function checkRow(report: Report, store: Store, identity: WorldIdentity): Promise<WorldRow | undefined> {
  const row = await store.world.get(identity.world_id);
  if (row === undefined) {
    const others = (await store.world.list()).map(({ worldId }) => worldId);
    report.problem(
      'world',
      'world.unknown',
      `the store does not hold ${identity.world_id}${others.length === 0 ? '; it is empty' : `, but ${others.slice(0, 3).join(', ')}`}`,
      'is --store the store of this world? Else correct world.json',
    );
    return undefined;
  }
  if (row.universeId !== identity.universe_id)
    report.problem(
      'world',
      'world.mismatch',
      `world.json says universe ${identity.universe_id}, the store ${row.universeId}`,
      'correct world.json',
    );
  else report.ok('world', `${row.worldId}, height ${row.head.height}`);
  return row;
}

/** @param reason - why the state cannot be restored, which says why a world is quarantined. */
export function checkStatus(report: Report, row: WorldRow, reason: string | undefined): void {
  switch (row.status) {
    case 'active':
      report.ok('status', 'active');
      return;
    case 'paused':
      report.warn(
        'status',
        'world.paused',
        'paused: input is queued and not applied',
        // Nothing of this version pauses a world.
        'resume it with what paused it: this version has no command for that',
      );
      return;
    case 'quarantined':
      report.problem(
        'status',
        'world.quarantined',
        `quarantined: it could not be restored${reason === undefined ? ', but can be now' : ` (${reason})`}`,
        reason === undefined
          ? 'look at the log of that time before it is made active again'
          : 'restore the store from a backup',
      );
      return;
    default:
      report.problem('status', `world.${row.status}`, `${row.status}: it cannot be run`);
  }
}

/** Baseline and tail: framing and chain of the batches, and whether they give a state. */
export async function checkJournal(
  report: Report,
  store: Store,
  row: WorldRow,
  config: HostConfig | undefined,
  nowNs: bigint,
): Promise<{ readonly kernel: Kernel | undefined; readonly reason: string | undefined }> {
  const { height } = row.activeBaseline;
  const tail = row.head.height - height;
  const every = config?.snapshot.everyEntries ?? 1_000;
  const chain = await report.look('journal', async () => await walk(store, row));
  if (chain === 'broken')
    report.problem(
      'journal',
      'journal.corrupt',
      'the chain of the batches after the baseline is broken',
      'worldline journal verify names every damaged batch',
    );
  else if (chain !== undefined) report.ok('journal', `chain of the last ${counted(tail, 'record')} in order`);
  const restored = await restoreKernel(store, row, row.epoch).catch((error: unknown) => ({
    ok: false as const,
    failure: { code: 'host_error', path: [], message: String(error) },
  }));
  if (!restored.ok) {
    const { code, message } = restored.failure;
    report.problem('state', code, `the state cannot be restored: ${message}`, 'worldline journal verify');
    return { kernel: undefined, reason: code };
  }
  report.ok('state', 'baseline and tail give a state');
  const age = await ageOf(store, row, nowNs);
  const text = `${counted(tail, 'record')} after the baseline at ${height}${age === undefined ? '' : `, taken ${formatDuration(age)} ago`}`;
  if (tail > every * TAIL_WARNING)
    report.warn('snapshot', 'snapshot.old', text, 'worldline snapshot create; the next start reads all of them');
  else report.ok('snapshot', text);
  return { kernel: restored.value, reason: undefined };
}

async function walk(store: Store, row: WorldRow): Promise<'ok' | 'broken'> {
  const reader = await Reader.over(store, row.worldId);
  let before: Uint8Array | undefined;
  for await (const batch of reader.batches(Math.max(0, row.activeBaseline.height - 1))) {
    if (before !== undefined && !bytesEqual(nextChain(before, batch.body), batch.chain)) return 'broken';
    entriesOf(batch);
    before = batch.chain;
  }
  return before !== undefined && bytesEqual(before, reader.row.head.chain) ? 'ok' : 'broken';
}

/** How long ago the batch of the baseline was applied. */
async function ageOf(store: Store, row: WorldRow, nowNs: bigint): Promise<bigint | undefined> {
  const reader = await Reader.over(store, row.worldId);
  for await (const { stamp } of reader.entries(Math.max(0, row.activeBaseline.height - 1), row.head.height))
    if (stamp !== undefined) return nowNs > stamp.nowNs ? nowNs - stamp.nowNs : 0n;
  return undefined;
}

/** The keys of the folder against those that the world was made with, and how far the journal is signed. */
export async function checkKeys(report: Report, store: Store, folder: WorldFolder, row: WorldRow): Promise<void> {
  await report.look('keys', async () => {
    const own = await readKeys(folder.keys);
    const known = row.keys === undefined ? undefined : decodeWorldKeys(row.keys);
    if (own.world === undefined || own.receipts === undefined) {
      const missing = [
        ...(own.world === undefined ? ['the world key'] : []),
        ...(own.receipts === undefined ? ['the receipt key'] : []),
      ];
      report.problem(
        'keys',
        'keys.missing',
        `${missing.join(' and ')} of this world ${missing.length === 1 ? 'is' : 'are'} not in ${folder.keys}`,
        'put the keys back from a copy of the folder; new ones cannot prove what the old ones signed',
      );
      return;
    }
    const { world } = own;
    const newest = known?.ok === true ? known.value.at(-1) : undefined;
    if (newest !== undefined && !bytesEqual(newest.key, world.publicKey))
      report.problem(
        'keys',
        'keys.mismatch',
        `the world key of the folder is ${world.keyId}, the one of this world is ${newest.keyId}`,
        'put the right key back from a copy of the folder',
      );
    else report.ok('keys', `world key ${world.keyId}, receipt key ${own.receipts.keyId}`);
  });
  await report.look('checkpoints', async () => {
    if (row.keys === undefined) {
      report.warn('checkpoints', 'checkpoint.none', 'this world was made without a world key, so nothing is signed');
      return;
    }
    const line = WorldKeyLine.read(row.worldId, row.keys);
    if (!line.ok) {
      report.problem('checkpoints', line.failure.code, line.failure.message, 'worldline journal verify --signatures');
      return;
    }
    const last = await store.checkpoint.last(row.worldId);
    const unsigned = row.head.height - (last?.nextSeq ?? 0);
    if (unsigned > UNSIGNED_WARNING)
      report.warn(
        'checkpoints',
        'checkpoint.behind',
        `${counted(unsigned, 'record')} after the last checkpoint are not signed`,
        'they are signed while the world runs: worldline run',
      );
    else report.ok('checkpoints', unsigned === 0 ? 'signed up to the head' : `signed up to ${last?.nextSeq ?? 0}`);
  });
}
