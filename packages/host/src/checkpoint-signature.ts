import { type KeyObject, verify } from 'node:crypto';
import { type Failure, fail, ok, type Result } from '@worldline/canon';
import {
  type Checkpoint,
  type CheckpointData,
  checkpointMessage,
  decodeWorldKeys,
  keyAt,
  type WorldKey,
  worldKeyMessage,
} from '@worldline/kernel';
import { ed25519PublicKey, type HostKey, keyIdOf } from './keys.ts';

/** Ed25519 over checkpoints and over the line of world keys (`journal.md` §2.1). */

export function signCheckpoint(key: HostKey, data: CheckpointData): Checkpoint {
  return { ...data, keyId: key.keyId, signature: key.sign(checkpointMessage(data)) };
}

/** The first entry of a world's keys. */
export function firstWorldKey(key: Pick<HostKey, 'keyId' | 'publicKey'>, fromNextSeq = 0): WorldKey {
  return { keyId: key.keyId, key: key.publicKey, fromNextSeq };
}

/**
 * The entry that hands over from one key to the next.
 *
 * @param fromNextSeq - from this `next_seq` on checkpoints are signed by `next`; above that of `key`'s own entry.
 */
export function nextWorldKey(
  worldId: string,
  key: HostKey,
  next: Pick<HostKey, 'keyId' | 'publicKey'>,
  fromNextSeq: number,
): WorldKey {
  const entry = { key: next.publicKey, fromNextSeq };
  return { keyId: next.keyId, ...entry, signature: key.sign(worldKeyMessage(worldId, entry)) };
}

/** Verified keys of one world, ready to verify its checkpoints. */
export class WorldKeyLine {
  readonly worldId: string;
  readonly keys: readonly WorldKey[];
  readonly #usable: ReadonlyMap<WorldKey, KeyObject>;

  private constructor(worldId: string, keys: readonly WorldKey[], usable: ReadonlyMap<WorldKey, KeyObject>) {
    this.worldId = worldId;
    this.keys = keys;
    this.#usable = usable;
  }

  /**
   * Reads the keys of a world row and follows the line: every key id is that of its key, and every key but the first is
   * signed by the one before.
   *
   * @returns `checkpoint.invalid` with the path of the entry that breaks it.
   */
  static read(worldId: string, bytes: Uint8Array): Result<WorldKeyLine> {
    const keys = decodeWorldKeys(bytes);
    if (!keys.ok) return keys;
    const usable = new Map<WorldKey, KeyObject>();
    let before: KeyObject | undefined;
    for (const [i, entry] of keys.value.entries()) {
      if (entry.keyId !== keyIdOf(entry.key)) return broken(i, 'key_id', 'is not that of its key');
      const key = ed25519PublicKey(entry.key);
      if (key === undefined) return broken(i, 'key', 'is no Ed25519 public key');
      if (before !== undefined && !verify(null, worldKeyMessage(worldId, entry), before, entry.signature!))
        return broken(i, 'signature', 'is not by the key before it');
      usable.set(entry, key);
      before = key;
    }
    return ok(new WorldKeyLine(worldId, keys.value, usable));
  }

  /** @returns `checkpoint.invalid`: another world, a key that is not this world's at that place, a wrong signature. */
  verify(checkpoint: Checkpoint): Result<void> {
    if (checkpoint.worldId !== this.worldId)
      return invalid('world_id', `it is signed for another world, ${checkpoint.worldId}`);
    const entry = keyAt(this.keys, checkpoint.nextSeq);
    if (entry?.keyId !== checkpoint.keyId)
      return invalid('key_id', `key ${checkpoint.keyId} is not this world's at ${checkpoint.nextSeq}`);
    if (!verify(null, checkpointMessage(checkpoint), this.#usable.get(entry)!, checkpoint.signature))
      return invalid('signature', `the signature does not verify with key ${entry.keyId}`);
    return ok(undefined);
  }
}

function broken(at: number, member: string, message: string): { readonly ok: false; readonly failure: Failure } {
  return fail({
    code: 'checkpoint.invalid',
    path: ['keys', at, member],
    message: `world key ${at}: ${member} ${message}`,
  });
}

function invalid(member: string, message: string): { readonly ok: false; readonly failure: Failure } {
  return fail({ code: 'checkpoint.invalid', path: [member], message });
}
