import type { Loaded } from '@worldline/air';
import { hashText, ok, sha256, toHex } from '@worldline/canon';
import { encodeConfig, encodeWorldKeys, Kernel, type StoredObject, type WorldConfig } from '@worldline/kernel';
import type { Clock, Store } from '@worldline/ports';
import { firstWorldKey } from './checkpoint-signature.ts';
import { systemClock } from './clock.ts';
import { type Answer, refuse } from './failure.ts';
import { uuidv7 } from './ids.ts';
import type { HostKey } from './keys.ts';
import { useNativeSha256 } from './native-hash.ts';
import { entropyPool } from './stamps.ts';

export interface CreateWorldOptions {
  readonly store: Store;
  /** The checked definitions of the new world. */
  readonly loaded: Loaded;
  readonly config: WorldConfig;
  /** Its public half stands in the world row; whoever holds the other signs checkpoints. Without it nobody can. */
  readonly worldKey?: Pick<HostKey, 'keyId' | 'publicKey'> | undefined;
  /** Default: a new UUIDv7. */
  readonly worldId?: string | undefined;
  readonly universeId?: string | undefined;
  readonly clock?: Clock | undefined;
  /** 64 bytes per call; for tests. */
  readonly entropy?: (() => Uint8Array) | undefined;
}

export interface CreatedWorld {
  readonly worldId: string;
  readonly universeId: string;
  readonly manifestHash: string;
}

/** Epoch under which a world's first two batches are written; the first lease gets the next one. */
const GENESIS_EPOCH = 1;

/**
 * Makes a world (`kernel.md` §2.1): every node durable, then genesis and baseline batch in one commit.
 *
 * @returns `manifest.validation` with the diagnostics, `world.exists`, or `host_error` when the store does not answer.
 */
export async function createWorld(options: CreateWorldOptions): Promise<Answer<CreatedWorld>> {
  useNativeSha256();
  const { store, loaded, config } = options;
  const clock = options.clock ?? systemClock();
  const worldId = options.worldId ?? uuidv7(clock.wallNs());
  const universeId = options.universeId ?? uuidv7(clock.wallNs());
  const configBytes = encodeConfig(config);
  const configHash = sha256(configBytes);
  const objects = new Map<string, StoredObject>();
  const keep = (given: readonly StoredObject[]) => {
    for (const object of given) objects.set(toHex(object.hash), object);
  };
  keep(loaded.objects);
  keep([{ hash: configHash, bytes: configBytes }]);

  const { manifestHash } = loaded.catalog;
  const wallNs = clock.wallNs();
  const stamp = { nowNs: wallNs, logicalNs: wallNs, entropy: (options.entropy ?? entropyPool())() };
  const source = { get: (hash: Uint8Array) => objects.get(toHex(hash))?.bytes };
  const genesis = Kernel.genesis(
    { objects: source, epoch: GENESIS_EPOCH },
    { kind: 'genesis', manifestHash, configHash },
    stamp,
  );
  if (!genesis.ok) return refuse('manifest.validation', 'the manifest cannot be used', { details: genesis.failure });
  const { kernel, applied } = genesis.value;
  keep(applied.objects);
  kernel.accept(1);
  const snapshot = kernel.snapshot();
  keep(snapshot.objects);
  const baseline = kernel.apply({ kind: 'snapshot', snapshotRef: snapshot.ref, promote: true }, stamp);
  keep(baseline.objects);

  const put = await store.cas.putMany([...objects.values()]);
  if (put.answer !== 'ok') return refuse('host_error', `the store did not take the definitions: ${put.answer}`);
  const keys = options.worldKey && encodeWorldKeys([firstWorldKey(options.worldKey)]);
  const spec = { worldId, universeId, configHash, keys };
  const created = await store.world.create(spec, [applied.batch!, baseline.batch!]);
  if (created.answer === 'exists') return refuse('world.exists', `the store holds a world ${worldId} already`);
  if (created.answer !== 'ok') {
    const why = created.answer === 'invalid' ? `invalid ${created.reason}` : created.message;
    return refuse('host_error', `the store did not take the world: ${why}`);
  }
  return ok({ worldId, universeId, manifestHash: hashText(manifestHash) });
}
