import { bytesEqual, ok } from '@worldline/canon';
import type { EffectIntent, EffectReceipt } from '@worldline/kernel';
import type { Store } from '@worldline/ports';
import type { Answer } from './failure.ts';
import { decodeStoredBatch, readBatches, recordAt } from './journal-read.ts';

/** An effect that has its receipt: it is no longer in the state, only in the journal. */
export interface SettledEffect {
  readonly emissionSeq: number;
  readonly intent: EffectIntent;
  readonly receiptSeq: number;
  readonly receipt: EffectReceipt;
}

const WINDOW = 2_000;

/**
 * Looks for receipts from the newest record backwards. Lets go of the thread between windows, so that a world that is
 * being asked goes on.
 *
 * @param wanted - by the intent hash.
 * @returns the newest effect of every wanted intent, newest first, at most `max`.
 */
export async function settledEffects(
  store: Store,
  worldId: string,
  wanted: (intentHash: Uint8Array) => boolean,
  options: { readonly max: number; readonly entriesMax: number },
): Promise<Answer<readonly SettledEffect[]>> {
  const height = (await store.journal.head(worldId))?.height ?? 0;
  const floor = Math.max(0, height - options.entriesMax);
  const found: SettledEffect[] = [];
  for (let to = height; to > floor && found.length < options.max; to -= WINDOW) {
    const from = Math.max(floor, to - WINDOW);
    const receipts: { readonly seq: number; readonly receipt: EffectReceipt }[] = [];
    const read = await readBatches(store, worldId, from, (batch) => {
      if (batch.firstSeq >= to) return false;
      const decoded = decodeStoredBatch(batch);
      if (!decoded.ok) return true;
      decoded.value.records.forEach((record, i) => {
        const seq = batch.firstSeq + i;
        if (record.record_kind === 'effect_receipt' && seq >= from && seq < to && wanted(record.intent_hash))
          receipts.push({ seq, receipt: record });
      });
      return true;
    });
    if (!read.ok) return read;
    for (const { seq, receipt } of receipts.reverse()) {
      if (found.length === options.max) break;
      if (found.some((one) => bytesEqual(one.intent.intent_hash, receipt.intent_hash))) continue;
      const asked = await recordAt(store, worldId, receipt.emission_seq);
      if (!asked.ok) return asked;
      const intent = asked.value?.record;
      if (intent?.record_kind === 'effect_intent')
        found.push({ emissionSeq: receipt.emission_seq, intent, receiptSeq: seq, receipt });
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return ok(found);
}
