import { decodeCanonical, encode, type Failure, fail, ok, type Result } from '@worldline/canon';
import { isBytes, isCount, isHash32, isMap } from './wire.ts';

/**
 * Head and foot of a segment (`journal.md` §9, `docs/formats/segment.md`): an immutable run of whole batches in one piece.
 * Between them the batches lie as frames, one after the other.
 *
 * G1 The foot says what came before it, so a segment that was cut off is seen to be.
 */

export interface SegmentHead {
  /** Seq of the first entry. */
  readonly firstSeq: number;
  /** Chain before the first batch. */
  readonly chainBefore: Uint8Array;
}

export interface SegmentFoot {
  /** Seq of the last entry; a segment holds at least one. */
  readonly lastSeq: number;
  /** Chain after the last batch. */
  readonly chain: Uint8Array;
  readonly frames: number;
  /** Of all bytes before the foot. */
  readonly sha256: Uint8Array;
  /** Encoded checkpoints whose last batch lies in the segment, in order. */
  readonly checkpoints: readonly Uint8Array[];
}

export function encodeSegmentHead({ firstSeq, chainBefore }: SegmentHead): Uint8Array {
  return encode({ v: 1, first_seq: firstSeq, chain_before: chainBefore });
}

export function encodeSegmentFoot(foot: SegmentFoot): Uint8Array {
  return encode({
    last_seq: foot.lastSeq,
    chain: foot.chain,
    frames: foot.frames,
    sha256: foot.sha256,
    checkpoints: foot.checkpoints,
  });
}

/** Bytes before the number: prefix, map of three, `v`, 1, the key `first_seq`. */
const NUMBER_AT = 17;
/** Bytes after it: the key `chain_before`, a byte string of 32. */
const AFTER_NUMBER = 13 + 34;
/** No head is longer. */
export const SEGMENT_HEAD_BYTES_MAX: number = NUMBER_AT + 9 + AFTER_NUMBER;

const HEAD_MEMBERS: ReadonlySet<string> = new Set(['v', 'first_seq', 'chain_before']);
const FOOT_MEMBERS: ReadonlySet<string> = new Set(['last_seq', 'chain', 'frames', 'sha256', 'checkpoints']);

/**
 * The head at the beginning of `bytes`, which may go on.
 *
 * @returns it and where the first frame begins; `journal.corrupt` when this is no segment of a version that is known.
 */
export function decodeSegmentHead(bytes: Uint8Array): Result<SegmentHead & { readonly framesAt: number }> {
  const info = (bytes[NUMBER_AT] ?? 0xff) & 0x1f;
  const framesAt = NUMBER_AT + (info < 24 ? 1 : 1 + 2 ** (info - 24)) + AFTER_NUMBER;
  const decoded = decodeCanonical(bytes.subarray(0, framesAt));
  if (!decoded.ok) return corrupt('this is no segment of a journal');
  const head = decoded.value;
  if (!isMap(head, HEAD_MEMBERS)) return corrupt('this is no segment of a journal');
  const { v, first_seq: firstSeq, chain_before: chainBefore } = head;
  if (v !== 1) return corrupt('this segment has a version that is not known here', ['v']);
  if (!isCount(firstSeq)) return corrupt('expected a sequence number', ['first_seq']);
  if (!isHash32(chainBefore)) return corrupt('expected a hash', ['chain_before']);
  return ok({ firstSeq, chainBefore, framesAt });
}

/** Whether a foot begins here rather than a frame: no batch is so large that its length begins like a CBOR document. */
export function isSegmentFoot(bytes: Uint8Array): boolean {
  return bytes[0] === 0xd9 && bytes[1] === 0xd9 && bytes[2] === 0xf7;
}

export function decodeSegmentFoot(bytes: Uint8Array): Result<SegmentFoot> {
  const decoded = decodeCanonical(bytes);
  if (!decoded.ok) return corrupt(`the end of the segment: ${decoded.failure.message}`);
  const foot = decoded.value;
  if (!isMap(foot, FOOT_MEMBERS)) return corrupt('the end of the segment has other members');
  const { last_seq: lastSeq, chain, frames, sha256, checkpoints } = foot;
  if (!isCount(lastSeq)) return corrupt('expected a sequence number', ['last_seq']);
  if (!isHash32(chain)) return corrupt('expected a hash', ['chain']);
  if (!isCount(frames)) return corrupt('expected a number of frames', ['frames']);
  if (!isHash32(sha256)) return corrupt('expected a hash', ['sha256']);
  if (!Array.isArray(checkpoints) || !checkpoints.every(isBytes))
    return corrupt('expected a list of checkpoints', ['checkpoints']);
  return ok({ lastSeq, chain, frames, sha256, checkpoints });
}

function corrupt(message: string, path: Failure['path'] = []): { readonly ok: false; readonly failure: Failure } {
  return fail({ code: 'journal.corrupt', path, message });
}
