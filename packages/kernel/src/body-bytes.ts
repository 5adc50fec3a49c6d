import { CborReader, type CborWriter, encodedText } from '@worldline/canon';
import type { BatchBody, BodyStamp } from './body.ts';
import { ENTRYLESS, KINDS, UNSTAMPED } from './ingress-kinds.ts';

/**
 * Bodies of batches as bytes, member by member in canonical key order: what `encodeBatchBody` and `decodeBatchBody` do by
 * way of data. Every batch of every world passes here.
 */

const VERSION_1 = Uint8Array.from([...encodedText('v'), 1]);
const EPOCH = encodedText('epoch');
const STAMP = encodedText('stamp');
const NOW_NS = encodedText('now_ns');
const ENTROPY = encodedText('entropy');
const MANIFEST_HASH = encodedText('manifest_hash');
const LOGICAL_NOW_NS = encodedText('logical_now_ns');
const CURSOR = encodedText('cursor');
const ENTRIES = encodedText('entries');
const INGRESS = encodedText('ingress');
const KIND = encodedText('kind');
const DIGEST = encodedText('digest');
const INBOX_SEQ = encodedText('inbox_seq');
const INGRESS_ID = encodedText('ingress_id');
const FIRST_SEQ = encodedText('first_seq');

/**
 * Puts the bytes of `encodeBatchBody` into `out`, for entries that are encoded already.
 *
 * @param entries - `count` byte strings, each with its head, one after another.
 * @returns where in `out` they begin.
 */
export function writeBatchBody(
  out: CborWriter,
  body: Omit<BatchBody, 'entries'>,
  entries: { readonly count: number; readonly bytes: Uint8Array },
): number {
  const { ingress, stamp } = body;
  out.prefix();
  out.map(stamp === undefined ? 6 : 7);
  out.raw(VERSION_1);
  out.raw(EPOCH);
  out.integer(body.epoch);
  if (stamp !== undefined) {
    out.raw(STAMP);
    out.map(4);
    out.raw(NOW_NS);
    out.integer(stamp.nowNs);
    out.raw(ENTROPY);
    out.bytes(stamp.entropy);
    out.raw(MANIFEST_HASH);
    out.bytes(stamp.manifestHash);
    out.raw(LOGICAL_NOW_NS);
    out.integer(stamp.logicalNowNs);
  }
  out.raw(CURSOR);
  out.bytes(body.cursor);
  out.raw(ENTRIES);
  out.array(entries.count);
  const from = out.length;
  out.raw(entries.bytes);
  out.raw(INGRESS);
  const { digest, inboxSeq, ingressId } = ingress;
  out.map(1 + (digest === undefined ? 0 : 1) + (inboxSeq === undefined ? 0 : 1) + (ingressId === undefined ? 0 : 1));
  out.raw(KIND);
  out.text(ingress.kind);
  if (digest !== undefined) {
    out.raw(DIGEST);
    out.bytes(digest);
  }
  if (inboxSeq !== undefined) {
    out.raw(INBOX_SEQ);
    out.bytes(inboxSeq);
  }
  if (ingressId !== undefined) {
    out.raw(INGRESS_ID);
    out.text(ingressId);
  }
  out.raw(FIRST_SEQ);
  out.integer(body.firstSeq);
  return from;
}

const reader = new CborReader();

/**
 * The body, when it is one. Entries and stamp are views of `bytes`; what a world remembers of a batch is not.
 *
 * @returns undefined for anything else: `explainBatchBody` knows why.
 */
export function readBatchBody(bytes: Uint8Array): BatchBody | undefined {
  reader.begin(bytes);
  const members = reader.map();
  reader.expect(VERSION_1);
  reader.expect(EPOCH);
  const epoch = reader.count();
  const stamp = reader.takes(STAMP) ? readStamp() : undefined;
  if (members !== (stamp === undefined ? 6 : 7)) return undefined;
  reader.expect(CURSOR);
  const cursor = reader.bytes().slice();
  reader.expect(ENTRIES);
  const count = reader.array();
  const entries: Uint8Array[] = [];
  for (let i = 0; i < count && reader.isGood; i++) entries.push(reader.bytes());
  reader.expect(INGRESS);
  const ingressMembers = reader.map();
  reader.expect(KIND);
  const kind = reader.text();
  const digest = reader.takes(DIGEST) ? reader.bytes().slice() : undefined;
  const inboxSeq = reader.takes(INBOX_SEQ) ? reader.bytes().slice() : undefined;
  const ingressId = reader.takes(INGRESS_ID) ? reader.text() : undefined;
  reader.expect(FIRST_SEQ);
  const firstSeq = reader.count();
  if (!reader.end()) return undefined;

  const given = (digest === undefined ? 0 : 1) + (inboxSeq === undefined ? 0 : 1) + (ingressId === undefined ? 0 : 1);
  const isSound =
    ingressMembers === 1 + given &&
    KINDS.has(kind) &&
    (digest === undefined) === (ingressId === undefined) &&
    (digest === undefined || digest.length === 32) &&
    (stamp === undefined) === UNSTAMPED.has(kind) &&
    (stamp === undefined || (stamp.entropy.length === 64 && stamp.manifestHash.length === 32)) &&
    (count === 0 || !ENTRYLESS.has(kind)) &&
    Number.isSafeInteger(firstSeq + count);
  if (!isSound) return undefined;
  return { v: 1, firstSeq, epoch, cursor, ingress: { kind, ingressId, digest, inboxSeq }, stamp, entries };
}

function readStamp(): BodyStamp | undefined {
  if (reader.map() !== 4) return undefined;
  reader.expect(NOW_NS);
  const nowNs = reader.u64();
  reader.expect(ENTROPY);
  const entropy = reader.bytes();
  reader.expect(MANIFEST_HASH);
  const manifestHash = reader.bytes();
  reader.expect(LOGICAL_NOW_NS);
  return { nowNs, entropy, manifestHash, logicalNowNs: reader.u64() };
}
