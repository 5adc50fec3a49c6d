import { CborReader } from '@worldline/canon';
import type { Disposition, EffectReceipt } from './record.ts';
import * as key from './record-keys.ts';

const DISPOSITIONS: ReadonlySet<string> = new Set(['applied', 'buffered', 'late', 'orphaned']);

const reader = new CborReader();

/**
 * The receipt of a success, which is the input record of nearly every batch, member by member. Copies what it keeps.
 *
 * @returns undefined for anything else, which `decodeRecord` reads by way of data.
 */
export function readReceipt(bytes: Uint8Array): EffectReceipt | undefined {
  reader.begin(bytes);
  const members = reader.map();
  if (!reader.takes(key.STATUS) || reader.text() !== 'ok') return undefined;
  const sigKey = reader.takes(key.SIG_KEY) ? reader.text() : undefined;
  reader.expect(key.SIGNATURE);
  const signature = reader.bytes();
  reader.expect(key.ADAPTER_ID);
  const adapterId = reader.text();
  const costCents = reader.takes(key.COST_CENTS) ? reader.u64() : undefined;
  reader.expect(key.DISPOSITION);
  const disposition = reader.text();
  reader.expect(key.INTENT_HASH);
  const intentHash = reader.bytes();
  reader.expect(key.RECORD_KIND);
  const kind = reader.text();
  reader.expect(key.EMISSION_SEQ);
  const emissionSeq = reader.count();
  const payload = reader.takes(key.PAYLOAD_CBOR) ? reader.bytes() : undefined;
  const given = (sigKey === undefined ? 0 : 1) + (costCents === undefined ? 0 : 1) + (payload === undefined ? 0 : 1);
  if (!reader.end() || members !== 7 + given || kind !== 'effect_receipt') return undefined;
  if (!DISPOSITIONS.has(disposition) || intentHash.length !== 32) return undefined;
  return {
    record_kind: 'effect_receipt',
    intent_hash: intentHash.slice(),
    emission_seq: emissionSeq,
    adapter_id: adapterId,
    status: 'ok',
    ...(payload === undefined ? {} : { payload_cbor: payload.slice() }),
    ...(costCents === undefined ? {} : { cost_cents: costCents }),
    signature: signature.slice(),
    ...(sigKey === undefined ? {} : { sig_key: sigKey }),
    disposition: disposition as Disposition,
  };
}
