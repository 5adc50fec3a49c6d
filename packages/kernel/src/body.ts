import { decodeCanonical, encode, type Failure, fail, ok, type Result } from '@worldline/canon';
import { readBatchBody } from './body-bytes.ts';
import { ENTRYLESS, KINDS, UNSTAMPED } from './ingress-kinds.ts';
import { isCount, isHash32, isMap, isText, isU64 } from './wire.ts';

export interface BodyIngress {
  readonly kind: string;
  readonly ingressId?: string | undefined;
  /** Present with `ingressId` (`kernel.md` §3). */
  readonly digest?: Uint8Array | undefined;
  readonly inboxSeq?: Uint8Array | undefined;
}

/** Root stamp (`kernel.md` §4). */
export interface BodyStamp {
  readonly nowNs: bigint;
  readonly logicalNowNs: bigint;
  /** 64 bytes. */
  readonly entropy: Uint8Array;
  readonly manifestHash: Uint8Array;
}

/** A batch as it is chained and stored (`journal.md` §2). */
export interface BatchBody {
  readonly v: 1;
  /** Seq of the first entry, = head before the batch. */
  readonly firstSeq: number;
  /** Lease epoch of the writer. */
  readonly epoch: number;
  /** Inbox cursor after this batch. */
  readonly cursor: Uint8Array;
  readonly ingress: BodyIngress;
  /** Absent for `snapshot`, `seal` and `skip`. */
  readonly stamp?: BodyStamp | undefined;
  /** Payloads `C(record)`; number i has seq `firstSeq + i`. */
  readonly entries: readonly Uint8Array[];
}

export function encodeBatchBody(body: BatchBody): Uint8Array {
  const { ingress, stamp } = body;
  return encode({
    v: body.v,
    epoch: body.epoch,
    stamp:
      stamp === undefined
        ? undefined
        : {
            now_ns: stamp.nowNs,
            entropy: stamp.entropy,
            manifest_hash: stamp.manifestHash,
            logical_now_ns: stamp.logicalNowNs,
          },
    cursor: body.cursor,
    entries: body.entries,
    ingress: {
      kind: ingress.kind,
      digest: ingress.digest,
      inbox_seq: ingress.inboxSeq,
      ingress_id: ingress.ingressId,
    },
    first_seq: body.firstSeq,
  });
}

const BODY_MEMBERS: ReadonlySet<string> = new Set(['v', 'epoch', 'stamp', 'cursor', 'entries', 'ingress', 'first_seq']);
const INGRESS_MEMBERS: ReadonlySet<string> = new Set(['kind', 'digest', 'inbox_seq', 'ingress_id']);
const STAMP_MEMBERS: ReadonlySet<string> = new Set(['now_ns', 'entropy', 'manifest_hash', 'logical_now_ns']);

/**
 * Read a stored body. Strict (`journal.md` §7 R7): whatever this release does not know is refused, never skipped.
 *
 * @returns `journal.corrupt` with the path of the first member that is not as it must be. Entries are not looked into.
 *   Byte strings may be views of `bytes`.
 */
export function decodeBatchBody(bytes: Uint8Array): Result<BatchBody> {
  const read = readBatchBody(bytes);
  return read === undefined ? explainBatchBody(bytes) : ok(read);
}

/** As `decodeBatchBody`, by way of data: slower, and able to say what is wrong. */
export function explainBatchBody(bytes: Uint8Array): Result<BatchBody> {
  const decoded = decodeCanonical(bytes);
  if (!decoded.ok) return corrupt([], decoded.failure.message);
  const body = decoded.value;
  if (!isMap(body, BODY_MEMBERS)) return corrupt([], 'not a batch body');
  if (body.v !== 1) return corrupt(['v'], 'unknown format');
  if (!isCount(body.first_seq)) return corrupt(['first_seq'], 'expected a seq');
  if (!isCount(body.epoch)) return corrupt(['epoch'], 'expected an epoch');
  if (!(body.cursor instanceof Uint8Array)) return corrupt(['cursor'], 'expected bytes');

  const ingress = body.ingress;
  if (!isMap(ingress, INGRESS_MEMBERS)) return corrupt(['ingress'], 'expected an ingress');
  const { kind, digest, inbox_seq: inboxSeq, ingress_id: ingressId } = ingress;
  if (!isText(kind) || !KINDS.has(kind)) return corrupt(['ingress', 'kind'], 'unknown kind');
  if (ingressId !== undefined && !isText(ingressId)) return corrupt(['ingress', 'ingress_id'], 'expected text');
  if (digest !== undefined && !isHash32(digest)) return corrupt(['ingress', 'digest'], 'expected a hash');
  if ((digest === undefined) !== (ingressId === undefined)) {
    return corrupt(['ingress', 'digest'], 'present exactly with ingress_id');
  }
  if (inboxSeq !== undefined && !(inboxSeq instanceof Uint8Array)) {
    return corrupt(['ingress', 'inbox_seq'], 'expected bytes');
  }

  const stamp = body.stamp;
  if ((stamp === undefined) !== UNSTAMPED.has(kind)) return corrupt(['stamp'], `wrong presence for ${kind}`);
  if (stamp !== undefined) {
    if (!isMap(stamp, STAMP_MEMBERS)) return corrupt(['stamp'], 'expected a stamp');
    if (!isU64(stamp.now_ns)) return corrupt(['stamp', 'now_ns'], 'expected a time');
    if (!isU64(stamp.logical_now_ns)) return corrupt(['stamp', 'logical_now_ns'], 'expected a time');
    if (!(stamp.entropy instanceof Uint8Array) || stamp.entropy.length !== 64) {
      return corrupt(['stamp', 'entropy'], 'expected 64 bytes');
    }
    if (!isHash32(stamp.manifest_hash)) return corrupt(['stamp', 'manifest_hash'], 'expected a hash');
  }

  const entries = body.entries;
  if (!Array.isArray(entries)) return corrupt(['entries'], 'expected a list');
  for (let i = 0; i < entries.length; i++) {
    if (!(entries[i] instanceof Uint8Array)) return corrupt(['entries', i], 'expected bytes');
  }
  if (ENTRYLESS.has(kind) && entries.length > 0) return corrupt(['entries'], `${kind} has none`);
  if (!Number.isSafeInteger(body.first_seq + entries.length)) return corrupt(['first_seq'], 'expected a seq');

  return ok({
    v: 1,
    firstSeq: body.first_seq,
    epoch: body.epoch,
    cursor: body.cursor,
    ingress: { kind, ingressId, digest, inboxSeq },
    stamp:
      stamp === undefined
        ? undefined
        : {
            nowNs: BigInt(stamp.now_ns as number | bigint),
            logicalNowNs: BigInt(stamp.logical_now_ns as number | bigint),
            entropy: stamp.entropy as Uint8Array,
            manifestHash: stamp.manifest_hash as Uint8Array,
          },
    entries: entries as readonly Uint8Array[],
  });
}

function corrupt(
  path: readonly (string | number)[],
  message: string,
): { readonly ok: false; readonly failure: Failure } {
  return fail({ code: 'journal.corrupt', path, message: `batch body: ${message}` });
}
