import { decode, hashText, toHex, unwrap } from '@worldline/canon';
import {
  collectBatches,
  decodeStoredBatch,
  objectSource,
  replayVerify,
  useNativeSha256,
  verifyJournal,
} from '@worldline/host';
import { type EffectIntent, type JournalRecord, restore } from '@worldline/kernel';
import type { Store } from '@worldline/ports';
import { expect } from 'vitest';

/** What must be true of every world after every crash. */

export async function recordsOf(store: Store, worldId: string): Promise<readonly JournalRecord[]> {
  const batches = unwrap(await collectBatches(store, worldId, 0));
  return batches.flatMap((batch) => unwrap(decodeStoredBatch(batch)).records);
}

export function ofKind<K extends JournalRecord['record_kind']>(
  records: readonly JournalRecord[],
  kind: K,
): Extract<JournalRecord, { record_kind: K }>[] {
  return records.filter((r) => r.record_kind === kind) as Extract<JournalRecord, { record_kind: K }>[];
}

export function kinds(records: readonly JournalRecord[]): string[] {
  return records.map((record) => record.record_kind);
}

/** Inbox items beyond the cursor. */
export async function unread(store: Store, worldId: string) {
  const row = await store.world.get(worldId);
  return store.inbox.read(worldId, row!.inboxCursor, 1_000);
}

/** Outcome of each job that is done, by its id. A job that ended twice would stand twice. */
export function outcomes(records: readonly JournalRecord[]): [string, string][] {
  return ofKind(records, 'domain_event')
    .filter((event) => event.schema === 't/Done@1')
    .map((event) => {
      const { id, outcome } = unwrap(decode(event.value)) as { id: string; outcome: string };
      return [id, outcome];
    });
}

/**
 * Parity L1–L3 and L5 (`journal.md` §7): the journal is whole; replayed from genesis it gives what is recorded, every
 * snapshot's digest included, those of the processes that died among them; restored from every baseline it ends in the
 * same state.
 *
 * @param baselinesMax - of a long journal only so many baselines are tried, evenly spaced.
 * @returns that state's digest.
 */
export async function checkParity(store: Store, worldId: string, baselinesMax = 100): Promise<string> {
  useNativeSha256();
  const verified = unwrap(await verifyJournal({ store, worldId }));
  expect(verified.problems).toEqual([]);
  const report = unwrap(await replayVerify({ store, worldId, fromGenesis: true }));
  expect(report.differences).toEqual([]);
  const snapshots = await store.world.snapshots(worldId);
  expect(snapshots.length).toBeGreaterThan(0);
  const objects = objectSource(store.cas);
  const every = Math.ceil(snapshots.length / baselinesMax);
  for (const { height, ref } of snapshots.filter((_, i) => i % every === 0)) {
    const batches = unwrap(await collectBatches(store, worldId, Math.max(0, height - 1)));
    const kernel = unwrap(restore({ objects, epoch: 0, verify: true }, { height, ref }, batches));
    expect([height, kernel.head.height, hashText(kernel.snapshot().ref)]).toEqual([
      height,
      report.head,
      report.snapshot,
    ]);
  }
  return report.snapshot!;
}

/** I7, I8 of a world at rest: one receipt per intent, one end per run, no row without its emission. */
export async function checkAtRest(
  store: Store,
  worldId: string,
  baselinesMax?: number,
): Promise<readonly JournalRecord[]> {
  const records = await recordsOf(store, worldId);
  const intents = records.flatMap((record, seq) => (record.record_kind === 'effect_intent' ? [{ record, seq }] : []));
  const receipts = ofKind(records, 'effect_receipt');
  const own = intents.filter(({ record }) => record.coalesced_into === undefined);
  expect(receipts.map((r) => r.emission_seq).toSorted(ascending)).toEqual(own.map(({ seq }) => seq));
  for (const receipt of receipts) {
    const intent = records[receipt.emission_seq] as EffectIntent;
    expect(toHex(receipt.intent_hash)).toBe(toHex(intent.intent_hash));
  }
  const started = ofKind(records, 'plan_started').map((r) => r.plan_id);
  const ended = ofKind(records, 'plan_ended').map((r) => r.plan_id);
  expect(ended.toSorted(ascending)).toEqual(started.toSorted(ascending));
  expect(await store.outbox.list(worldId)).toEqual([]);
  expect(await store.timers.due(worldId, 1)).toEqual({ rows: [], nextDueWallNs: undefined });
  await checkParity(store, worldId, baselinesMax);
  return records;
}

function ascending(a: number, b: number): number {
  return a - b;
}
