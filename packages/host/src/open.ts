import { randomBytes } from 'node:crypto';
import type { Catalog } from '@worldline/air';
import { bytesEqual, FailureError, ok, toHex } from '@worldline/canon';
import { decodeWorldKeys, dueWallNs, type EmittedRow, type Kernel, type TimerRow, timerDueNs } from '@worldline/kernel';
import type {
  AcquireAnswer,
  Clock,
  EffectAdapter,
  Failpoints,
  GuardedHttp,
  Head,
  Logger,
  Store,
  WorldRow,
} from '@worldline/ports';
import { ApprovalTracker } from './approvals.ts';
import { adapterBlobs } from './blobs.ts';
import { Checkpointer } from './checkpointer.ts';
import { systemClock } from './clock.ts';
import { defaultHostConfig, type Environment, type HostConfig } from './config.ts';
import { Dispatcher, type HostEvent } from './dispatcher.ts';
import { type Answer, type HostFailure, refuse } from './failure.ts';
import { HostWatch } from './host-watch.ts';
import { InboxReader } from './inbox-reader.ts';
import { decodeStoredBatch, readBatches } from './journal-read.ts';
import type { HostKey } from './keys.ts';
import { isSkewed, LEASE_TIMES, Lease, type LeaseTimes } from './lease.ts';
import { lockedFailure } from './lease-failure.ts';
import { silentLogger } from './log.ts';
import { Loop } from './loop.ts';
import { LoopQueue } from './loop-queue.ts';
import { useNativeSha256 } from './native-hash.ts';
import { pinnedCatalog } from './pinned-catalog.ts';
import { AdapterRegistry } from './registry.ts';
import { isCorruption, readFailure, restoreKernel } from './restore.ts';
import { Redactor, SecretResolver } from './secrets.ts';
import { Stamper } from './stamps.ts';
import { TimerOffers } from './timer-offers.ts';
import { ReceiptVerifier } from './verifier.ts';
import { World } from './world.ts';
import { missingAdapters } from './world-status.ts';

export interface OpenWorldOptions {
  readonly store: Store;
  readonly worldId: string;
  /** Signs receipts of this host's adapters. */
  readonly receiptKey: HostKey;
  /** Signs checkpoints when it is the newest of the world's keys; without it none are made. */
  readonly worldKey?: HostKey | undefined;
  readonly adapters: readonly EffectAdapter[];
  readonly http: GuardedHttp;
  readonly config?: HostConfig | undefined;
  /** Unique per process start; default: made up. */
  readonly worker?: string | undefined;
  /** Worker id whose process the caller has proved dead (`host.md` §1). */
  readonly dead?: string | undefined;
  /** World time; virtual in tests. */
  readonly clock?: Clock | undefined;
  /** Judges the lease and the skew; default: this machine's clock, whatever the world's time is. */
  readonly leaseClock?: Clock | undefined;
  readonly leaseTimes?: LeaseTimes | undefined;
  readonly log?: Logger | undefined;
  readonly env?: Environment | undefined;
  /** `.worldline/secrets`. */
  readonly secretsDir?: string | undefined;
  /** 64 bytes per call; for tests. */
  readonly entropy?: (() => Uint8Array) | undefined;
  /** In [0, 1), for jitter; for tests. */
  readonly random?: (() => number) | undefined;
  readonly onHostEvent?: ((event: HostEvent) => void) | undefined;
  /** An effect kind without adapter is fatal. */
  readonly strictAdapters?: boolean | undefined;
  /** A secret that cannot be resolved is fatal. */
  readonly strictSecrets?: boolean | undefined;
  /** Effects that are open already wait for `releaseEffects`, so that something can be done about one before. */
  readonly holdEffects?: boolean | undefined;
  /** Shared with whoever resolves `http.credentials`; default: a new one. */
  readonly redactor?: Redactor | undefined;
  /** For tests of crashes: failpoints of the loop and the dispatcher. */
  readonly failpoints?: Failpoints | undefined;
}

/**
 * Opens a world for writing (`host.md` §7.1): lease → baseline + tail → outbox and timer rows from state → adapters →
 * effects in flight by delivery class → run.
 *
 * @returns the running world; or `world.locked`, `not_found`, `world.archived`, `world.paused`, `world.quarantined`,
 *   `journal.corrupt`, `replay.divergence`, `snapshot.*`, `adapter.conflict`, `adapter.missing`, `secret.unavailable`,
 *   `host_error`.
 */
export async function openWorld(options: OpenWorldOptions): Promise<Answer<World>> {
  useNativeSha256();
  const registry = AdapterRegistry.of(options.adapters);
  if (!registry.ok) return registry;
  const { store, worldId } = options;
  const leaseClock = options.leaseClock ?? systemClock();
  const times = options.leaseTimes ?? LEASE_TIMES;
  const redactor = options.redactor ?? new Redactor();
  const watch = new HostWatch(redactor);
  const log = redactor.logger(watch.logger(options.log ?? silentLogger));
  const worker = options.worker ?? `worker-${process.pid}-${toHex(randomBytes(8))}`;

  const quarantine = async (failure: HostFailure): Promise<void> => {
    if (!isCorruption(failure.code)) return;
    log.error('the world cannot be restored and is quarantined', { code: failure.code, reason: failure.message });
    await store.world.setStatus(worldId, 'active', 'quarantined').catch((error: unknown) => {
      // Damage that leaves nothing to write to is found again by whoever opens the world next.
      log.warn('the world could not be quarantined', { error: String(error) });
    });
  };
  const sentNs = leaseClock.monoNs();
  const grant = await store.lease
    .acquire(worldId, worker, times.ttlMs, options.dead)
    .catch((error: unknown) => asFailure(error));
  if ('code' in grant) {
    await quarantine(grant);
    return { ok: false, failure: grant };
  }
  if (grant.answer !== 'ok') return refuseGrant(grant, worldId);
  const lease = new Lease({ worldId, worker, epoch: grant.epoch, sentNs }, { store, clock: leaseClock, times, log });
  const give = async (failure: HostFailure): Promise<Answer<World>> => {
    if (isCorruption(failure.code)) {
      // Only of a world that nobody else has taken over meanwhile: then what was read did not fit together for another
      // reason, and the world is well.
      const held = await store.lease
        .renew(worldId, worker, grant.epoch, times.ttlMs)
        .catch((error: unknown) => asFailure(error));
      if ('answer' in held && held.answer === 'fenced')
        return { ok: false, failure: lockedFailure('another process took the world over while it was opened') };
      if ('answer' in held && held.answer === 'unavailable')
        return {
          ok: false,
          failure: { code: 'host_error', path: [], message: `the store does not answer: ${held.message}` },
        };
      await quarantine(failure);
    }
    await lease.release().catch(() => undefined);
    return { ok: false, failure };
  };
  if (isSkewed(leaseClock.wallNs(), grant.storeNowNs, times)) {
    return give({
      code: 'host_error',
      path: [],
      message: "this machine's clock is far from the store's",
      hint: 'Set the clock; it would age every deadline of the world.',
    });
  }
  try {
    const row = await store.world.get(worldId);
    if (row === undefined)
      return await give({ code: 'not_found', path: [], message: `the store holds no world ${worldId}` });
    const restored = await restoreKernel(store, row, lease.epoch);
    if (!restored.ok) return await give(restored.failure);
    const kernel = restored.value;
    return await run({ ...options, log }, { kernel, lease, registry: registry.value, redactor, watch, row }, give);
  } catch (error) {
    const unread = readFailure(error);
    if (unread !== undefined) return await give(unread);
    if (error instanceof FailureError) return await give(asFailure(error));
    await lease.release().catch(() => undefined);
    throw error;
  }
}

/** What a store says by rejecting, where an answer has no place for it: it is out of reach, or damaged. @throws every other error. */
function asFailure(error: unknown): HostFailure {
  if (!(error instanceof FailureError)) throw error;
  const { failure } = error;
  if (failure.code !== 'store.unavailable') return failure;
  return { code: 'host_error', path: [], message: `the store does not answer: ${failure.message}` };
}

function refuseGrant(grant: Exclude<AcquireAnswer, { answer: 'ok' }>, worldId: string): Answer<never> {
  switch (grant.answer) {
    case 'held': {
      const leftMs = Number((grant.expiresAtNs - grant.storeNowNs) / 1_000_000n);
      return refuse('world.locked', `${grant.holder} runs this world`, {
        hint: `Send requests to it. If it is gone, its lease ends in ${Math.max(0, leftMs)} ms.`,
      });
    }
    case 'not_placed':
      return refuse('world.locked', `this world is placed with ${grant.desiredWorker}`, {
        hint: 'Send requests to it, or place the world elsewhere.',
      });
    case 'not_found':
      return refuse('not_found', `the store holds no world ${worldId}`);
    case 'status':
      return refuse(
        grant.status === 'archived' ? 'world.archived' : `world.${grant.status}`,
        `this world is ${grant.status}`,
      );
    case 'unavailable':
      return refuse('host_error', `the store does not answer: ${grant.message}`);
    default:
      return grant satisfies never;
  }
}

interface Restored {
  readonly kernel: Kernel;
  readonly lease: Lease;
  readonly registry: AdapterRegistry;
  readonly redactor: Redactor;
  readonly watch: HostWatch;
  readonly row: WorldRow;
}

async function run(
  options: OpenWorldOptions & { readonly log: Logger },
  restored: Restored,
  give: (failure: HostFailure) => Promise<Answer<World>>,
): Promise<Answer<World>> {
  const { store, worldId, log, receiptKey } = options;
  const { kernel, lease, registry, redactor, watch, row } = restored;
  const config = options.config ?? defaultHostConfig();
  const clock = options.clock ?? systemClock();
  const random = options.random ?? Math.random;

  const missing = missingAdapters(kernel.catalog, registry);
  if (missing.length > 0 && options.strictAdapters === true)
    return give({ code: 'adapter.missing', path: [], message: `no adapter performs ${missing.join(', ')}` });
  warnOfMissing(kernel.catalog, registry, log);
  const secrets = new SecretResolver(
    {
      env: options.env ?? process.env,
      dir: options.secretsDir,
      bindings: config.secrets.bindings,
      placeholders: config.secrets.allowPlaceholders,
    },
    redactor,
  );
  const unavailable = await secrets.probe(kernel.catalog.secrets, log);
  if (unavailable.length > 0 && options.strictSecrets === true) {
    return give({
      code: 'secret.unavailable',
      path: [],
      message: `secrets cannot be resolved: ${unavailable.join(', ')}`,
    });
  }

  const stamper = new Stamper(clock, options.entropy);
  stamper.rebase(kernel);
  const reconciled = await reconcile(store, worldId, lease.epoch, kernel, {
    nowNs: clock.wallNs(),
    logicalNowNs: kernel.logicalNowNs,
  });
  if (reconciled !== undefined) return give(reconciled);

  const checkpoints = checkpointerOf(options, row, { epoch: lease.epoch, head: kernel.head, clock });
  const claimToken = new Uint8Array(randomBytes(16));
  const world = new World({
    worldId,
    universeId: row.universeId,
    store,
    lease,
    clock,
    config,
    log,
    registry,
    approvals: new ApprovalTracker(),
    claimToken,
    snapshot: row.activeBaseline,
    checkpoints,
    failpoints: options.failpoints,
    watch,
    onManifest(catalog) {
      warnOfMissing(catalog, registry, log);
      // Also tells the redactor what it has to keep out of logs.
      secrets.probe(catalog.secrets, log).catch((error: unknown) => {
        log.warn('the secrets of the new manifest were not looked for', { error: String(error) });
      });
    },
  });
  const liveKernel = (): Kernel => loop.kernel;
  const inbox = new InboxReader({
    store,
    worldId,
    log,
    after: kernel.cursor,
    onItems: () => loop.schedule(),
    onDamage: (failure) => loop.stop(failure),
  });
  const verifier = verifierOf({ worldId, own: receiptKey, config, registry }, liveKernel);
  const timers = new TimerOffers({
    worldId,
    store,
    lease,
    clock,
    stamper,
    log,
    failpoints: options.failpoints,
    onDue: () => loop.schedule(),
  });
  const queue = new LoopQueue({ worldId, clock, timers, inbox, verifier, receiptKey, kernel: liveKernel });
  const guarded = adapterBlobs(store.cas, redactor);
  const dispatcher = new Dispatcher({
    worldId,
    universeId: row.universeId,
    store,
    registry,
    effects: config.effects,
    maxReceiptBytes: () => liveKernel().config.limits.max_receipt_bytes,
    clock,
    log,
    http: options.http,
    blobs: guarded,
    openBlobs: adapterBlobs(store.cas, new Redactor()),
    redactor,
    secrets,
    allowEcho: config.secrets.allowEcho,
    liveCatalog: () => liveKernel().catalog,
    pinnedCatalog: (emission) => pinnedCatalog(liveKernel(), emission),
    recheckCap: (emission, paramsCbor) => {
      const { origin_kind: kind, name } = emission.origin;
      return liveKernel().recheckCap(emission.capName, emission.kind, paramsCbor, { kind, name });
    },
    deliver: (finished) => loop.deliver(finished),
    onUnclaimed: () => world.rowsUnclaimed(),
    onHostEvent(event) {
      options.onHostEvent?.(event);
      watch.report(event);
    },
    random,
    failpoints: options.failpoints,
  });
  const loop: Loop = new Loop({
    worldId,
    store,
    kernel,
    lease,
    clock,
    stamper,
    queue,
    timers,
    inbox,
    log,
    maxGroup: config.journal.maxGroup,
    fsync: config.journal.fsync,
    claim: { executor: lease.worker, token: claimToken },
    onDurable: (applied) => world.batchDurable(applied),
    onStopped: (failure) => world.loopStopped(failure),
    async reload() {
      const reloaded = await reload(store, worldId, lease, stamper, clock);
      if (!('code' in reloaded)) checkpoints?.resync(reloaded.head);
      return reloaded;
    },
    random,
    failpoints: options.failpoints,
  });
  try {
    await dispatcher.startAdapters();
  } catch (error) {
    await dispatcher.stopAdapters();
    return give({
      code: 'host_error',
      path: [],
      message: `an adapter did not start: ${error instanceof Error ? error.message : String(error)}`,
    });
  }
  world.begin({ loop, dispatcher, inbox }, options.holdEffects === true);
  return ok(world);
}

function warnOfMissing(catalog: Catalog, registry: AdapterRegistry, log: Logger): void {
  const missing = missingAdapters(catalog, registry);
  if (missing.length > 0) log.warn('effect kinds without an adapter', { kinds: missing });
}

/** Key ids are compared; nothing is verified while a world opens (`journal.md` §2.1). */
function checkpointerOf(
  { store, worldId, worldKey, log }: OpenWorldOptions & { readonly log: Logger },
  row: WorldRow,
  parts: { readonly epoch: number; readonly head: Head; readonly clock: Clock },
): Checkpointer | undefined {
  if (worldKey === undefined || row.keys === undefined) return undefined;
  const keys = decodeWorldKeys(row.keys);
  const newest = keys.ok ? keys.value.at(-1)?.keyId : undefined;
  if (newest === worldKey.keyId)
    return new Checkpointer({ store, worldId, key: worldKey, base: row.base, log, ...parts });
  log.warn("no checkpoints are signed: this host's world key is not the world's", {
    key: worldKey.keyId,
    world_key: newest ?? 'unreadable',
  });
  return undefined;
}

/** Outbox and timer rows as the restored state has them (L7); claims, attempts and marks of kept rows stay. */
async function reconcile(
  store: Store,
  worldId: string,
  epoch: number,
  kernel: Kernel,
  now: { readonly nowNs: bigint; readonly logicalNowNs: bigint },
): Promise<HostFailure | undefined> {
  const known = new Set((await store.outbox.list(worldId)).map((row) => row.emissionSeq));
  const emitted: EmittedRow[] = [];
  const timers: TimerRow[] = [];
  for (const emission of kernel.pending()) {
    const { emissionSeq, intentHash, kind } = emission;
    if (emission.class === 'external') {
      // A row that is there is kept as it is; only a missing one needs its request.
      const request = known.has(emissionSeq) ? ok(NO_REQUEST) : await intentPayload(store, worldId, emissionSeq);
      if (!request.ok) return request.failure;
      emitted.push({ emissionSeq, intentHash, kind, request: request.value });
    } else if (emission.class === 'timer') {
      timers.push({ emissionSeq, intentHash, dueWallNs: dueWallNs(now, timerDueNs(emission)) });
    }
  }
  const answer = await store.outbox.reconcile(worldId, epoch, emitted, timers);
  if (answer.answer === 'ok') return undefined;
  if (answer.answer === 'fenced')
    return { code: 'world.locked', path: [], message: 'another process took the world over' };
  return { code: 'host_error', path: [], message: `the store does not answer: ${answer.message}` };
}

const NO_REQUEST = new Uint8Array(0);

/** Payload of the `effect_intent` at `seq`; empty when it lies below what the store still has. */
async function intentPayload(store: Store, worldId: string, seq: number): Promise<Answer<Uint8Array>> {
  let payload: Uint8Array = NO_REQUEST;
  const read = await readBatches(store, worldId, seq, (batch) => {
    if (batch.lastSeq < seq) return true;
    const decoded = decodeStoredBatch(batch);
    if (decoded.ok) payload = decoded.value.body.entries[seq - batch.firstSeq] ?? NO_REQUEST;
    return false;
  });
  return read.ok ? ok(payload) : read;
}

async function reload(
  store: Store,
  worldId: string,
  lease: Lease,
  stamper: Stamper,
  clock: Clock,
): Promise<Kernel | HostFailure> {
  try {
    const row = await store.world.get(worldId);
    if (row === undefined) return { code: 'not_found', path: [], message: 'the world is gone from the store' };
    const restored = await restoreKernel(store, row, lease.epoch);
    if (!restored.ok) return restored.failure;
    const kernel = restored.value;
    stamper.rebase(kernel);
    const now = { nowNs: clock.wallNs(), logicalNowNs: kernel.logicalNowNs };
    return (await reconcile(store, worldId, lease.epoch, kernel, now)) ?? kernel;
  } catch (error) {
    return readFailure(error) ?? asFailure(error);
  }
}

/** One verifier per world config: `receipt_verification` may change while the world runs. */
function verifierOf(
  parts: {
    readonly worldId: string;
    readonly own: HostKey;
    readonly config: HostConfig;
    readonly registry: AdapterRegistry;
  },
  kernel: () => Kernel,
): () => ReceiptVerifier {
  let made: { readonly configHash: Uint8Array; readonly verifier: ReceiptVerifier } | undefined;
  return () => {
    const { configHash, config } = kernel();
    if (made === undefined || !bytesEqual(made.configHash, configHash)) {
      const verifier = new ReceiptVerifier({
        worldId: parts.worldId,
        required: config.receipt_verification === 'required',
        own: parts.own,
        trusted: parts.config.receipts.trustedKeys,
        isRegistered: (adapterId, kind) => parts.registry.isRegistered(adapterId, kind),
      });
      made = { configHash, verifier };
    }
    return made.verifier;
  };
}
