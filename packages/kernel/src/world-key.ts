import { decodeCanonical, encode, type Failure, fail, hashOf, ok, type Result } from '@worldline/canon';
import { isCount, isHash32, isMap, isText } from './wire.ts';

/**
 * Public keys of a world, in its row and in every export (`journal.md` §2.1). The private half of the newest one signs
 * checkpoints.
 *
 * K1  `from_next_seq` rises strictly. A checkpoint is signed by the last key whose `from_next_seq` is not above the
 *     checkpoint's `next_seq`.
 * K2  Every entry but the first is signed by the key before it, so who knows the first key can follow the line.
 */
export interface WorldKey {
  /** First 16 hex digits of `sha256(key)`. */
  readonly keyId: string;
  /** Raw Ed25519 public key, 32 bytes. */
  readonly key: Uint8Array;
  readonly fromNextSeq: number;
  /** By the key before; absent in the first entry. */
  readonly signature?: Uint8Array | undefined;
}

/** Bytes that the key before signs to make `entry` its successor. */
export function worldKeyMessage(worldId: string, entry: Pick<WorldKey, 'key' | 'fromNextSeq'>): Uint8Array {
  return hashOf({
    domain: 'worldline.key.v1',
    world_id: worldId,
    key: entry.key,
    from_next_seq: entry.fromNextSeq,
  });
}

export function encodeWorldKeys(keys: readonly WorldKey[]): Uint8Array {
  return encode(
    keys.map((entry) => ({
      key_id: entry.keyId,
      key: entry.key,
      from_next_seq: entry.fromNextSeq,
      signature: entry.signature,
    })),
  );
}

const MEMBERS: ReadonlySet<string> = new Set(['key_id', 'key', 'from_next_seq', 'signature']);

/** @returns `checkpoint.invalid` with the path of what is not as it must be. Signatures and key ids are not looked at. */
export function decodeWorldKeys(bytes: Uint8Array): Result<readonly WorldKey[]> {
  const decoded = decodeCanonical(bytes);
  if (!decoded.ok) return invalid([], decoded.failure.message);
  const given = decoded.value;
  if (!Array.isArray(given) || given.length === 0) return invalid([], 'expected a list of keys');
  const keys: WorldKey[] = [];
  for (const [i, entry] of given.entries()) {
    if (!isMap(entry, MEMBERS)) return invalid([i], 'not a key entry');
    const { key_id: keyId, key, from_next_seq: fromNextSeq, signature } = entry;
    if (!isText(keyId)) return invalid([i, 'key_id'], 'expected text');
    if (!isHash32(key)) return invalid([i, 'key'], 'expected 32 bytes');
    if (!isCount(fromNextSeq)) return invalid([i, 'from_next_seq'], 'expected a seq');
    if (i > 0 && fromNextSeq <= keys[i - 1]!.fromNextSeq) return invalid([i, 'from_next_seq'], 'must rise');
    if (signature !== undefined && !(signature instanceof Uint8Array))
      return invalid([i, 'signature'], 'expected bytes');
    if ((signature === undefined) !== (i === 0)) return invalid([i, 'signature'], 'in every entry but the first');
    keys.push({ keyId, key, fromNextSeq, ...(signature === undefined ? {} : { signature }) });
  }
  return ok(keys);
}

/** The key that signs a checkpoint with that `next_seq` (K1). */
export function keyAt(keys: readonly WorldKey[], nextSeq: number): WorldKey | undefined {
  return keys.findLast((entry) => entry.fromNextSeq <= nextSeq);
}

function invalid(
  path: readonly (string | number)[],
  message: string,
): { readonly ok: false; readonly failure: Failure } {
  return fail({ code: 'checkpoint.invalid', path: ['keys', ...path], message: `world keys: ${message}` });
}
