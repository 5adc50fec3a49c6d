import { decodeCanonical, encode, type Failure, fail, hashOf, ok, type Result } from '@worldline/canon';
import { nextChain } from './chain.ts';
import { merkleRootFromProof, merkleTree } from './merkle.ts';
import { isCount, isHash32, isMap, isText } from './wire.ts';

/**
 * Signed checkpoints (`journal.md` §2.1, `docs/formats/checkpoint.md`): one signature of the world key over a group of
 * consecutive batches. They lie beside the journal, take no seq, and nothing that runs ever reads them.
 *
 * C1  `chain_before` of a checkpoint is `chain` of the one before it: the line has no gap and no fork.
 */

/** What a checkpoint says; the key id says who says it, and the signature that it was that key. */
export interface CheckpointData {
  readonly worldId: string;
  /** Chain before the first batch of the group. */
  readonly chainBefore: Uint8Array;
  /** Chain after its last batch. */
  readonly chain: Uint8Array;
  /** Head after its last batch. */
  readonly nextSeq: number;
  /** 1 … 4 096. */
  readonly batches: number;
  /** `merkleRoot` over the chain values after each batch of the group, in order. */
  readonly root: Uint8Array;
}

export interface Checkpoint extends CheckpointData {
  /** First 16 hex digits of `sha256(raw public key)`. */
  readonly keyId: string;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

export const BATCHES_PER_CHECKPOINT = 4096;

/** Bytes that the world key signs. */
export function checkpointMessage(data: CheckpointData): Uint8Array {
  return hashOf({
    domain: 'worldline.checkpoint.v1',
    v: 1,
    world_id: data.worldId,
    chain_before: data.chainBefore,
    chain: data.chain,
    next_seq: data.nextSeq,
    batches: data.batches,
    root: data.root,
  });
}

export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  return encode({
    v: 1,
    world_id: checkpoint.worldId,
    chain_before: checkpoint.chainBefore,
    chain: checkpoint.chain,
    next_seq: checkpoint.nextSeq,
    batches: checkpoint.batches,
    root: checkpoint.root,
    key_id: checkpoint.keyId,
    signature: checkpoint.signature,
  });
}

const MEMBERS: ReadonlySet<string> = new Set([
  'v',
  'world_id',
  'chain_before',
  'chain',
  'next_seq',
  'batches',
  'root',
  'key_id',
  'signature',
]);

/** @returns `checkpoint.invalid` with the path of the first member that is not as it must be. Nothing is verified. */
export function decodeCheckpoint(bytes: Uint8Array): Result<Checkpoint> {
  const decoded = decodeCanonical(bytes);
  if (!decoded.ok) return invalid([], decoded.failure.message);
  const given = decoded.value;
  if (!isMap(given, MEMBERS)) return invalid([], 'not a checkpoint');
  if (given.v !== 1) return invalid(['v'], 'unknown format');
  const { world_id: worldId, chain_before: chainBefore, chain, next_seq: nextSeq } = given;
  const { batches, root, key_id: keyId, signature } = given;
  if (!isText(worldId)) return invalid(['world_id'], 'expected text');
  if (!isHash32(chainBefore)) return invalid(['chain_before'], 'expected a hash');
  if (!isHash32(chain)) return invalid(['chain'], 'expected a hash');
  if (!isCount(nextSeq)) return invalid(['next_seq'], 'expected a seq');
  if (!isCount(batches) || batches < 1 || batches > BATCHES_PER_CHECKPOINT)
    return invalid(['batches'], `expected 1 to ${BATCHES_PER_CHECKPOINT}`);
  if (!isHash32(root)) return invalid(['root'], 'expected a hash');
  if (!isText(keyId) || !/^[0-9a-f]{16}$/.test(keyId)) return invalid(['key_id'], 'expected 16 hex digits');
  if (!(signature instanceof Uint8Array) || signature.length !== 64) return invalid(['signature'], 'expected 64 bytes');
  return ok({ worldId, chainBefore, chain, nextSeq, batches, root, keyId, signature });
}

function invalid(
  path: readonly (string | number)[],
  message: string,
): { readonly ok: false; readonly failure: Failure } {
  return fail({ code: 'checkpoint.invalid', path, message: `checkpoint: ${message}` });
}

/**
 * Shows that batch `index` of a checkpoint's group is signed: the hashes beside the way from its chain value to the root.
 *
 * @param chains - the chain values after each batch of the group, in order.
 */
export function batchProof(chains: readonly Uint8Array[], index: number): readonly Uint8Array[] {
  if (!Number.isInteger(index) || index < 0 || index >= chains.length)
    throw new RangeError(`there is no batch ${index} in this group`);
  return merkleTree(chains).path(index);
}

/**
 * The root that a batch proof leads to: the proof is good when that is the root of a checkpoint whose signature verifies.
 * An auditor needs nothing else of the journal.
 *
 * @param batch.chainBefore - chain before this batch.
 * @param batch.count - `batches` of the checkpoint.
 * @returns undefined when the path does not have the shape that `index` of `count` needs.
 */
export function rootOfBatch(batch: {
  readonly body: Uint8Array;
  readonly chainBefore: Uint8Array;
  readonly index: number;
  readonly count: number;
  readonly path: readonly Uint8Array[];
}): Uint8Array | undefined {
  return merkleRootFromProof(nextChain(batch.chainBefore, batch.body), batch.index, batch.count, batch.path);
}
