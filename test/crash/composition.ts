import { join } from 'node:path';
import { approvalAdapter, createGuardedHttp, httpAdapter, timerAdapter } from '@worldline/adapters';
import { loadAuthored } from '@worldline/air';
import { encode, FailureError, hashText, unwrap } from '@worldline/canon';
import {
  type Answer,
  createWorld,
  defaultHostConfig,
  type EncodedItem,
  encodeInboxItem,
  ensureKeys,
  isDeadWorker,
  type LeaseTimes,
  openWorld,
  restoreKernel,
  type World,
  workerId,
} from '@worldline/host';
import type { Logger, Store } from '@worldline/ports';
import { openSqliteStore } from '@worldline/store-sqlite';
import { type FailpointRule, failpointModule, failpoints } from '@worldline/testkit';
import { type JobKind, PLANS, worldNodes } from './nodes.ts';

/**
 * The composition root of the crash tests: the parts that `worldline run` puts together, with failpoints. Child
 * processes run it from the build, tests from the sources.
 */

export interface Composition {
  /** Holds store and keys. */
  readonly dir: string;
  readonly worldId: string;
  /** Failpoints of the writer thread, and of loop and dispatcher. */
  readonly storeRules?: readonly FailpointRule[] | undefined;
  readonly hostRules?: readonly FailpointRule[] | undefined;
  readonly leaseTimes?: LeaseTimes | undefined;
  /** Objects above this size go to files. */
  readonly inlineBytesMax?: number | undefined;
  readonly snapshotEvery?: number | undefined;
}

/** @param readOnly - without a writer thread, which takes most of the time. */
export async function openStore(given: Composition, readOnly = false): Promise<Store> {
  const { storeRules } = given;
  return unwrap(
    await openSqliteStore(join(given.dir, 'store'), {
      readOnly,
      inlineBytesMax: given.inlineBytesMax,
      failpoints: storeRules === undefined ? undefined : failpointModule(storeRules),
    }),
  );
}

export function keysOf(given: Composition) {
  return ensureKeys(join(given.dir, 'keys'));
}

export function loadNodes(generation = 1) {
  const loaded = loadAuthored([{ path: 'air/world.air.json', text: JSON.stringify(worldNodes(generation)) }]);
  if (!loaded.ok) throw new FailureError({ ...loaded.failure[0]!, message: JSON.stringify(loaded.failure) });
  return loaded.value;
}

export async function create(given: Composition, store: Store): Promise<string> {
  const created = await createWorld({
    store,
    loaded: loadNodes(),
    config: defaultHostConfig().world,
    worldId: given.worldId,
    universeId: 'crash',
  });
  return created.ok ? 'ok' : created.failure.code;
}

/** Opens the world; a holder whose process is gone does not stop it (`host.md` §1). */
export async function open(given: Composition, store: Store, log?: Logger): Promise<Answer<World>> {
  const { hostRules } = given;
  const defaults = defaultHostConfig();
  return openWorld({
    store,
    worldId: given.worldId,
    receiptKey: (await keysOf(given)).receipts,
    adapters: [httpAdapter(), timerAdapter(), approvalAdapter()],
    http: unwrap(createGuardedHttp({ allowPrivate: ['127.0.0.1'] })),
    config: {
      ...defaults,
      snapshot: { ...defaults.snapshot, everyEntries: given.snapshotEvery ?? defaults.snapshot.everyEntries },
    },
    worker: await workerId(),
    dead: await deadHolder(given, store),
    leaseTimes: given.leaseTimes,
    log,
    env: {},
    failpoints: hostRules === undefined ? undefined : failpoints(hostRules),
  });
}

async function deadHolder(given: Composition, store: Store): Promise<string | undefined> {
  const holder = (await store.world.get(given.worldId))?.lease?.holder;
  return holder !== undefined && (await isDeadWorker(holder)) ? holder : undefined;
}

export interface Job {
  readonly kind: JobKind;
  readonly id: string;
  readonly url: string;
  /** Length of a nap. */
  readonly ns?: number | undefined;
}

function inputOf({ id, url, ns }: Job) {
  return { id, url: `${url}${id}`, ns: ns ?? 1_000_000 };
}

/** Direct ingress; the id is its dedupe key, so a client may repeat it. */
export function send(world: World, job: Job, wait: 'accepted' | 'applied') {
  return world.startPlan({ plan: PLANS[job.kind], input: { json: inputOf(job) }, ingressId: job.id }, wait);
}

/** A keyed job as an event that a producer puts into the inbox. */
export function eventOf(job: Job): EncodedItem {
  const { ns, ...texts } = inputOf(job);
  return encodeInboxItem({
    ingress: { kind: 'event', schema: 't/Job@1', value: encode({ ...texts, ns }), ingressId: job.id },
    dedupeKey: job.id,
    enqueuedAtNs: 0n,
  });
}

/** The same as an inbox item. */
export function itemOf(job: Job): EncodedItem {
  const { ns, ...texts } = inputOf(job);
  return encodeInboxItem({
    ingress: {
      kind: 'plan_start',
      plan: PLANS[job.kind],
      input: encode({ ...texts, ns }),
      ingressId: job.id,
    },
    dedupeKey: job.id,
    enqueuedAtNs: 0n,
  });
}

export async function enqueue(given: Composition, store: Store, job: Job): Promise<string> {
  const { item, digest, dedupeKey } = itemOf(job);
  return (await store.inbox.enqueue(given.worldId, item, digest, dedupeKey)).answer;
}

/** Puts the other manifest in place; its definitions are durable first. */
export async function changeManifest(world: World, store: Store, generation: number): Promise<string> {
  const { objects, catalog } = loadNodes(generation);
  await store.cas.putMany(objects);
  const answer = await world.submit({
    kind: 'control',
    command: 'manifest',
    manifestHash: catalog.manifestHash,
    manifestBase: world.catalog.manifestHash,
    patchHash: catalog.manifestHash,
    actor: 'tests',
    ingressId: `manifest ${hashText(catalog.manifestHash)}`,
  });
  return answer.ok ? 'ok' : answer.failure.code;
}

/** Journals a snapshot of the state at head without a baseline, and keeps the lease. */
export async function snapshotOnly(given: Composition, store: Store): Promise<string> {
  const lease = await store.lease.acquire(given.worldId, await workerId(), 60_000, await deadHolder(given, store));
  if (lease.answer !== 'ok') return lease.answer;
  const kernel = unwrap(await restoreKernel(store, (await store.world.get(given.worldId))!, lease.epoch));
  const { ref, objects } = kernel.snapshot();
  const nowNs = BigInt(Date.now()) * 1_000_000n;
  const applied = kernel.apply(
    { kind: 'snapshot', snapshotRef: ref, promote: false },
    { nowNs, logicalNs: nowNs, entropy: new Uint8Array(64) },
  );
  return (await store.commit(given.worldId, lease.epoch, lease.head, [applied.batch!], { objects })).answer;
}

/** What a timer service does with the first timer of the world. */
export async function fireWhenDue(given: Composition, store: Store): Promise<string> {
  for (;;) {
    const { rows } = await store.timers.due(given.worldId, 1);
    if (rows.length > 0) return (await store.timers.fire(given.worldId, rows[0]!.emissionSeq)).answer;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
