import { decode, encode, hashOf, toHex, unwrap } from '@worldline/canon';
import { encodeInboxItem, readOutboxRequest, signReceipts, type UnsignedReceipt } from '@worldline/host';
import type { EffectIntent } from '@worldline/kernel';
import type { OutboxRow } from '@worldline/ports';
import { type Composition, keysOf, openStore } from './composition.ts';

/**
 * An executor of its own process (`hosting.md` §8.1): claims what lies in the outbox, marks what must not be repeated,
 * calls the service, and completes the rows with signed receipts. Each stage is finished for all rows before the next.
 */

/** How long its claims last. */
const VISIBILITY_MS = 800;

const composition = JSON.parse(process.argv[2]!) as Composition;
const { worldId } = composition;
const store = await openStore(composition);
const keys = await keysOf(composition);

const intentOf = (row: OutboxRow) => unwrap(readOutboxRequest(row));
const isKeyed = (intent: EffectIntent) => intent.idempotency_key.some((byte) => byte !== 0);

async function call(intent: EffectIntent): Promise<number> {
  const { method, url } = unwrap(decode(intent.params_cbor)) as { method: string; url: string };
  const key = toHex(hashOf({ world_id: worldId, intent_hash: intent.intent_hash }));
  const response = await fetch(url, { method, headers: isKeyed(intent) ? { 'idempotency-key': key } : {} });
  await response.arrayBuffer();
  return response.status;
}

function receiptOf(row: OutboxRow, status: number): UnsignedReceipt {
  const nowNs = BigInt(Date.now()) * 1_000_000n;
  const adapter_id = 'host.http';
  const payload = { status, headers: {}, body_ref: null, timings: { start_ns: nowNs, end_ns: nowNs }, adapter_id };
  return {
    intentHash: row.intentHash,
    emissionSeq: row.emissionSeq,
    adapterId: adapter_id,
    status: 'ok',
    payloadCbor: encode(payload),
  };
}

const rows = await store.outbox.claim(worldId, ['http.request'], 'executor', 10, VISIBILITY_MS);
for (const row of rows) {
  if (!isKeyed(intentOf(row))) await store.outbox.start(worldId, row.emissionSeq, row.token);
}
const statuses: number[] = [];
for (const row of rows) statuses.push(await call(intentOf(row)));
for (const [i, row] of rows.entries()) {
  const receipt = signReceipts(worldId, keys.receipts, [receiptOf(row, statuses[i]!)])[0]!;
  const { item, digest } = encodeInboxItem({
    ingress: { kind: 'receipt', receipt, verdict: {} },
    dedupeKey: `r:${row.emissionSeq}:${row.attempt}`,
    enqueuedAtNs: 0n,
  });
  const { answer } = await store.outbox.complete(worldId, row.emissionSeq, row.token, item, digest);
  console.log(`complete ${answer}`);
}
await store.close();
