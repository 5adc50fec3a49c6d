import { existsSync } from 'node:fs';
import { bytesEqual, hashText } from '@worldline/canon';
import { inspectLock, measureSnapshot, readIdentity } from '@worldline/host';
import { runningWorld } from '../access.ts';
import { adapterKinds, performs } from '../adapter-kinds.ts';
import { shown } from '../air-folder.ts';
import type { Context } from '../context.ts';
import { stopWith } from '../failure.ts';
import { folderDiffers } from '../manifest-difference.ts';
import { counted, type Data } from '../output.ts';
import { Reader } from '../reader.ts';
import { countWaits } from '../run-view.ts';

/** `worldline status`: what this world is, who runs it, what it waits for. */
export async function status(ctx: Context): Promise<void> {
  const folder = await ctx.folder();
  const identity = await readIdentity(folder);
  if (!identity.ok) return stopWith(identity.failure);
  if (identity.value === undefined) {
    const { airDir } = ctx.syncFile();
    ctx.out.answer(
      [
        ...lines([
          ['folder', ctx.root],
          ['world', 'not created yet'],
          ['definitions', existsSync(airDir) ? shown(airDir, ctx.root) : 'none'],
        ]),
        '',
        'create it with "worldline run"',
      ],
      { world: ctx.root, created: false },
    );
    return;
  }
  const reader = await Reader.open(ctx);
  try {
    const kernel = await reader.kernel();
    const waits = countWaits(kernel);
    const meta = await reader.meta();
    const lock = await inspectLock(folder.lock);
    const mode = await runningWorld(ctx, reader.store, identity.value);
    const daemon = mode === undefined || lock.state !== 'alive' ? undefined : { pid: lock.lock.pid, mode };
    const kinds = [...(await reader.catalog()).effects.keys()].sort();
    const adapters = await adapterKinds(ctx);
    const missing = kinds.filter((kind) => !performs(adapters, kind));
    const differs = await folderDiffers(ctx, reader);
    if (differs)
      ctx.out.notice(
        'the definitions of the folder are not the ones that this world runs; "worldline push" makes them so',
      );
    const snapshot = await snapshotOf(reader);
    const signed = await signedOf(reader);
    const queued = await queuedOf(reader);
    const human = lines([
      ['folder', ctx.root],
      ['world', identity.value.world_id],
      ['status', reader.row.status],
      ['manifest', meta.manifest_hash],
      ['height', String(reader.height)],
      ['snapshot', snapshotLine(snapshot)],
      ['signed', signedLine(signed, reader.height)],
      [
        'running',
        daemon === undefined ? 'no' : `${daemon.mode === 'daemon' ? 'yes' : 'for a moment'}, process ${daemon.pid}`,
      ],
      ['plans', `${kernel.liveCount} live of ${kernel.nextPlanId}`],
      [
        'waits',
        Object.entries(waits)
          .map(([what, n]) => `${n} ${n === 1 ? what.slice(0, -1) : what}`)
          .join(', '),
      ],
      ...(queued.count === 0 ? [] : [['inbox', queuedLine(queued)] as const]),
      [
        'effects',
        kinds.length === 0
          ? 'none'
          : kinds.map((kind) => (missing.includes(kind) ? `${kind} (no adapter)` : kind)).join(', '),
      ],
    ]);
    const data: Data = {
      world: ctx.root,
      created: true,
      world_id: identity.value.world_id,
      universe_id: identity.value.universe_id,
      status: reader.row.status,
      manifest_hash: meta.manifest_hash,
      journal_height: reader.height,
      baseline: { height: reader.row.activeBaseline.height, ref: hashText(reader.row.activeBaseline.ref) },
      snapshot: {
        height: snapshot.height,
        hash: snapshot.hash,
        taken_at_ns: snapshot.takenAtNs ?? null,
        age_ms: snapshot.ageMs ?? null,
        entries_since: snapshot.entriesSince,
        reachable_bytes: snapshot.bytes ?? null,
        is_whole: snapshot.isWhole,
      },
      signed_to_seq: signed.signedToSeq,
      unsigned_batches: signed.isMore ? null : signed.unsigned,
      daemon: daemon === undefined ? null : daemon,
      plans: { live: kernel.liveCount, started: kernel.nextPlanId },
      waits: { ...waits },
      inbox: { queued: queued.count, is_more: queued.isMore },
      effects: kinds,
      missing_adapters: missing,
      folder_differs: differs,
    };
    ctx.out.answer(human, data, meta);
  } finally {
    await reader.close();
  }
}

function lines(rows: readonly (readonly [string, string])[]): string[] {
  return rows.map(([name, text]) => `${name.padEnd(12)} ${text}`);
}

/** Nodes that are visited to tell a snapshot's size; of a larger one only a lower bound is told. */
const NODES_MEASURED = 20_000;
/** Batches that are counted; of more only that there are more. */
const BATCHES_COUNTED = 4_096;

interface SnapshotView {
  readonly height: number;
  readonly hash: string;
  readonly takenAtNs: bigint | undefined;
  readonly ageMs: number | undefined;
  readonly entriesSince: number;
  /** Of all nodes that can be reached from its root, most of them shared with other snapshots. */
  readonly bytes: number | undefined;
  /** False: there is more than was counted. */
  readonly isWhole: boolean;
}

/** The snapshot from which the next start begins. */
async function snapshotOf(reader: Reader): Promise<SnapshotView> {
  const { store, row } = reader;
  const { height, ref } = row.activeBaseline;
  const root = await store.cas.stat(ref);
  const nowNs = await store.nowNs();
  const size = measureSnapshot(store.cas, ref, NODES_MEASURED);
  return {
    height,
    hash: hashText(ref),
    takenAtNs: root?.storedAtNs,
    ageMs: root === undefined ? undefined : Math.max(0, Number((nowNs - root.storedAtNs) / 1_000_000n)),
    // Not those that the snapshot itself left behind.
    entriesSince: Math.max(0, reader.height - height - SNAPSHOT_ENTRIES),
    bytes: size.ok ? size.value.bytes : undefined,
    isWhole: size.ok && size.value.isWhole,
  };
}

const SNAPSHOT_ENTRIES = 2;

function snapshotLine({ height, ageMs, entriesSince, bytes, isWhole }: SnapshotView): string {
  const size = bytes === undefined ? 'incomplete' : `${isWhole ? '' : 'more than '}${bytes} bytes reachable`;
  const age = ageMs === undefined ? '' : `, ${seconds(ageMs)} old`;
  return `height ${height}${age}, ${counted(entriesSince, 'entry', 'entries')} since, ${size}`;
}

function seconds(ms: number): string {
  const s = Math.floor(ms / 1000);
  if (s < 120) return `${s} s`;
  if (s < 7_200) return `${Math.floor(s / 60)} min`;
  return s < 172_800 ? `${Math.floor(s / 3_600)} h` : `${Math.floor(s / 86_400)} d`;
}

/** Inbox items that are counted; of more only that there are more. */
const QUEUED_COUNTED = 1_000;

interface QueuedView {
  readonly count: number;
  readonly isMore: boolean;
}

/** What came while nobody ran the world, such as messages of other worlds, and is not in the journal yet. */
async function queuedOf({ store, row }: Reader): Promise<QueuedView> {
  const items = await store.inbox.read(row.worldId, row.inboxCursor, QUEUED_COUNTED + 1);
  return { count: Math.min(items.length, QUEUED_COUNTED), isMore: items.length > QUEUED_COUNTED };
}

function queuedLine({ count, isMore }: QueuedView): string {
  return `${isMore ? 'more than ' : ''}${counted(count, 'item')} not taken in yet: "worldline run" does that`;
}

interface SignedView {
  readonly signedToSeq: number;
  readonly unsigned: number;
  /** More than were counted. */
  readonly isMore: boolean;
}

async function signedOf(reader: Reader): Promise<SignedView> {
  const { store, row } = reader;
  const last = await store.checkpoint.last(row.worldId);
  const page = await store.journal.read(row.worldId, last?.nextSeq ?? 0, BATCHES_COUNTED);
  const batches = page.answer === 'ok' ? page.batches : [];
  // Empty batches at this seq may lie before the end of what is signed.
  const at = last === undefined ? -1 : batches.findIndex((batch) => bytesEqual(batch.chain, last.chain));
  return {
    signedToSeq: last?.nextSeq ?? 0,
    unsigned: batches.length - at - 1,
    isMore: page.answer === 'ok' && page.next !== undefined,
  };
}

function signedLine({ signedToSeq, unsigned, isMore }: SignedView, height: number): string {
  if (unsigned === 0) return 'to the head';
  return `up to ${signedToSeq} of ${height}, ${isMore ? 'more than ' : ''}${counted(unsigned, 'batch', 'batches')} not yet`;
}
