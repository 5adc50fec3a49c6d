import { createHash } from 'node:crypto';
import { bytesEqual, toHex, u64be } from '@worldline/canon';
import type {
  AppliedRange,
  Clock,
  EmittedRow,
  Fenced,
  ForkPolicy,
  Head,
  Labels,
  Lineage,
  StoredBatch,
  StoredCheckpoint,
  StoredObject,
  TimerRow,
  Unavailable,
  WorldRow,
  WorldStatus,
} from '@worldline/ports';

import type { Segment } from './memory-segments.ts';

/** What happens to one call instead of its normal course. */
export type StoreFault =
  /** Nothing happened, and the answer says so. */
  | 'unavailable'
  /** Commits only: nothing happened, but the answer is `unknown`. */
  | 'lost_request'
  /** Commits only: it happened, but the answer is `unknown`. */
  | 'lost_answer';

export interface MemoryStoreOptions {
  /** Store time; the wall clock of the machine when absent. */
  readonly clock?: Pick<Clock, 'wallNs'> | undefined;
  /** Asked before every operation that changes something, by its name in the contract (`commit`, `inbox.enqueue`). */
  readonly fault?: ((operation: string, worldId: string | undefined) => StoreFault | undefined) | undefined;
  /** Unread items at which `inbox.enqueue` answers `full`. Default 1 000 000. */
  readonly inboxMax?: number | undefined;
  /** Largest object. Default 256 MiB. */
  readonly objectBytesMax?: number | undefined;
}

/** Instants are kept as signed 64-bit ns: later ones read back as this one, in the year 2262. */
export const LAST_NS = 2n ** 63n - 1n;
const NO_BYTES = new Uint8Array(0);

export interface Item {
  item: Uint8Array | undefined;
  readonly digest: Uint8Array;
  readonly dedupeKey: string | undefined;
  readonly enqueuedAtNs: bigint;
  /** Its key is kept as long as the world lives, or as the emission it answers. */
  readonly isDelivery: boolean;
  /** Of the outbox or timer row that the store itself made it from. */
  readonly emissionSeq: number | undefined;
  applied: AppliedRange | undefined;
}

export interface Row extends EmittedRow {
  token: Uint8Array | undefined;
  /** Set while the claim was made by a commit: it then dies with the lease. */
  claimEpoch: number | undefined;
  attempt: number;
  visibleAtNs: bigint;
  started: boolean;
  doneKey: string | undefined;
}

export interface Timer {
  readonly intentHash: Uint8Array;
  dueWallNs: bigint;
  offers: number;
}

export interface Snapshot {
  ref: Uint8Array;
  baseline: boolean;
  /** Chain value at its height; absent when no batch ends there. */
  chain: Uint8Array | undefined;
  verifiedAtNs: bigint | undefined;
}

export interface World {
  readonly worldId: string;
  readonly universeId: string;
  readonly createdAtNs: bigint;
  status: WorldStatus;
  readonly base: Head;
  head: Head;
  keys: Uint8Array | undefined;
  readonly checkpoints: StoredCheckpoint[];
  baseline: { height: number; ref: Uint8Array } | undefined;
  cursor: number;
  internalPending: boolean;
  epoch: number;
  lease: { holder: string; expiresAtNs: bigint } | undefined;
  desiredWorker: string | undefined;
  readonly labels: Labels;
  configHash: Uint8Array;
  readonly lineage: Lineage | undefined;
  maintainAtNs: bigint | undefined;
  notify: number;
  /** From batch number `firstHot` on; those before it are in segments. */
  readonly batches: StoredBatch[];
  firstHot: number;
  readonly segments: Segment[];
  lastItem: number;
  readonly items: Map<number, Item>;
  readonly dedupe: Map<string, number>;
  readonly outbox: Map<number, Row>;
  readonly timers: Map<number, Timer>;
  readonly snapshots: Map<number, Snapshot>;
}

/** What all parts of the model share: the rows, the clock, the limits, the hints and the injected faults. */
export class Universe {
  readonly worlds = new Map<string, World>();
  readonly objects = new Map<string, { bytes: Uint8Array; storedAtNs: bigint }>();
  readonly inboxMax: number;
  readonly objectBytesMax: number;
  readonly #options: MemoryStoreOptions;
  readonly #listeners = new Set<(worldId: string) => void>();
  isClosed = false;

  constructor(options: MemoryStoreOptions) {
    this.#options = options;
    this.inboxMax = options.inboxMax ?? 1_000_000;
    this.objectBytesMax = options.objectBytesMax ?? 256 * 1024 * 1024;
  }

  nowNs(): bigint {
    return this.#options.clock?.wallNs() ?? BigInt(Date.now()) * 1_000_000n;
  }

  fault(operation: string, worldId?: string): StoreFault | undefined {
    return this.isClosed ? 'unavailable' : this.#options.fault?.(operation, worldId);
  }

  unavailable(): Unavailable {
    return { answer: 'unavailable', message: this.isClosed ? 'the store is closed' : 'injected fault' };
  }

  /** Runs one operation unless a fault stops it. Thrown bugs become rejections, as with an engine. */
  async run<T>(operation: string, worldId: string | undefined, body: () => T): Promise<T | Unavailable> {
    return this.fault(operation, worldId) === undefined ? body() : this.unavailable();
  }

  /** Something of the world changed. */
  hint(worldId: string): void {
    for (const listener of [...this.#listeners]) listener(worldId);
  }

  subscribe(listener: (worldId: string) => void): () => void {
    // A listener of its own for each call, so that the end of one is not the end of another.
    const own = (worldId: string) => listener(worldId);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  /** L2: the epoch is that of a lease that holds now. */
  isHolder(world: World | undefined, epoch: number): world is World {
    return world?.lease !== undefined && world.epoch === epoch && world.lease.expiresAtNs > this.nowNs();
  }

  has(hash: Uint8Array): boolean {
    return this.objects.has(toHex(hash));
  }

  storeObjects(
    given: readonly StoredObject[],
  ):
    | { readonly answer: 'ok' }
    | { readonly answer: 'too_large' }
    | { readonly answer: 'invalid'; readonly reason: 'hash_mismatch' } {
    for (const { hash, bytes } of given) {
      if (bytes.length > this.objectBytesMax) return { answer: 'too_large' };
      if (!bytesEqual(sha256(bytes), hash)) return { answer: 'invalid', reason: 'hash_mismatch' };
    }
    const now = this.nowNs();
    for (const { hash, bytes } of given) {
      const known = this.objects.get(toHex(hash));
      if (known === undefined) this.objects.set(toHex(hash), { bytes: bytes.slice(), storedAtNs: now });
      else if (known.storedAtNs < now - RENEW_NS) known.storedAtNs = now;
    }
    return { answer: 'ok' };
  }

  /** `key` known with the same digest, with another one, or a new item. */
  addItem(
    world: World,
    given: Pick<Item, 'digest' | 'dedupeKey' | 'isDelivery' | 'emissionSeq'> & { readonly item: Uint8Array },
  ): { answer: 'ok' | 'duplicate' | 'conflict'; seq: Uint8Array; applied?: AppliedRange | undefined } {
    const { dedupeKey } = given;
    const known = dedupeKey === undefined ? undefined : world.dedupe.get(dedupeKey);
    if (known !== undefined) {
      const found = world.items.get(known)!;
      return {
        answer: bytesEqual(found.digest, given.digest) ? 'duplicate' : 'conflict',
        seq: u64be(known),
        applied: found.applied,
      };
    }
    const seq = ++world.lastItem;
    world.items.set(seq, {
      ...given,
      item: given.item.slice(),
      digest: given.digest.slice(),
      enqueuedAtNs: this.nowNs(),
      applied: undefined,
    });
    if (dedupeKey !== undefined) world.dedupe.set(dedupeKey, seq);
    world.notify++;
    this.hint(world.worldId);
    return { answer: 'ok', seq: u64be(seq) };
  }
}

/** How long a stored object stays young after it was asked for again. */
const RENEW_NS = 3_600_000_000_000n;

/** What a world begins with. */
export interface WorldStart {
  readonly worldId: string;
  readonly universeId: string;
  readonly configHash: Uint8Array;
  readonly keys?: Uint8Array | undefined;
  readonly labels?: Labels | undefined;
  readonly desiredWorker?: string | undefined;
}

export function newWorld(
  start: WorldStart,
  more: Pick<World, 'createdAtNs' | 'status' | 'base' | 'lineage' | 'epoch'>,
): World {
  return {
    ...more,
    worldId: start.worldId,
    universeId: start.universeId,
    head: copyHead(more.base),
    keys: start.keys?.slice(),
    checkpoints: [],
    baseline: undefined,
    cursor: 0,
    internalPending: false,
    lease: undefined,
    desiredWorker: start.desiredWorker,
    labels: { ...start.labels },
    configHash: start.configHash.slice(),
    maintainAtNs: undefined,
    notify: 0,
    batches: [],
    firstHot: 0,
    segments: [],
    lastItem: 0,
    items: new Map(),
    dedupe: new Map(),
    outbox: new Map(),
    timers: new Map(),
    snapshots: new Map(),
  };
}

export function worldRow(world: World): WorldRow {
  return {
    worldId: world.worldId,
    universeId: world.universeId,
    status: world.status,
    head: copyHead(world.head),
    base: copyHead(world.base),
    keys: world.keys?.slice(),
    activeBaseline: { height: world.baseline?.height ?? 0, ref: world.baseline?.ref.slice() ?? NO_BYTES },
    inboxCursor: itemBytes(world.cursor),
    internalPending: world.internalPending,
    epoch: world.epoch,
    lease: world.lease && { ...world.lease },
    desiredWorker: world.desiredWorker,
    labels: { ...world.labels },
    configHash: world.configHash.slice(),
    lineage: world.lineage && {
      ...world.lineage,
      snapshotRef: world.lineage.snapshotRef.slice(),
      policy: copyPolicy(world.lineage.policy),
    },
    createdAtNs: world.createdAtNs,
    maintainAtNs: world.maintainAtNs,
    notify: world.notify,
  };
}

export function copyPolicy({ effects, timers }: ForkPolicy): ForkPolicy {
  return { effects, timers };
}

export function copyHead(head: Head): Head {
  return { height: head.height, chain: head.chain.slice() };
}

export function newRow(row: EmittedRow): Row {
  return {
    emissionSeq: row.emissionSeq,
    intentHash: row.intentHash.slice(),
    kind: row.kind,
    request: row.request.slice(),
    token: undefined,
    claimEpoch: undefined,
    attempt: 0,
    visibleAtNs: 0n,
    started: false,
    doneKey: undefined,
  };
}

export function newTimer(row: TimerRow): Timer {
  return { intentHash: row.intentHash.slice(), dueWallNs: earlier(row.dueWallNs), offers: 0 };
}

/** Claimable from `atNs` on. Attempts and the started mark stay: they are history. */
export function free(row: Row, atNs: bigint): void {
  row.token = undefined;
  row.claimEpoch = undefined;
  row.doneKey = undefined;
  row.visibleAtNs = atNs;
}

/** Whether the world still takes items. */
export function isOpen(world: World | undefined): world is World {
  return world !== undefined && world.status !== 'archived' && world.status !== 'deleted';
}

export function fenced(world: World | undefined): Fenced {
  return { answer: 'fenced', epoch: world?.epoch ?? 0 };
}

export function itemBytes(seq: number): Uint8Array {
  return seq === 0 ? NO_BYTES : u64be(seq);
}

/** @throws TypeError for bytes that are neither empty nor a seq of this store. */
export function itemNumber(bytes: Uint8Array): number {
  if (bytes.length !== 0 && bytes.length !== 8) throw new TypeError('an inbox seq has 8 bytes');
  let seq = 0;
  for (const byte of bytes) seq = seq * 256 + byte;
  if (!Number.isSafeInteger(seq)) throw new TypeError('an inbox seq of this store is below 2^53');
  return seq;
}

export function later(ns: bigint, ms: number): bigint {
  return earlier(ns + BigInt(Math.round(ms)) * 1_000_000n);
}

/** The same instant, or the last one that can be kept. */
export function earlier(ns: bigint): bigint {
  return ns > LAST_NS ? LAST_NS : ns;
}

export function compareNs(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}
