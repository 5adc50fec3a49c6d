import { createHash, randomBytes } from 'node:crypto';
import { bytesEqual, hashText, installSha256, ok } from '@worldline/canon';
import {
  type Applied,
  dueWallNs,
  type Emission,
  type EmittedRow,
  type Ingress,
  type Instance,
  type JournalRecord,
  type Kernel,
  STEP_STATE_NAMES,
  type TimerRow,
  timerDueNs,
} from '@worldline/kernel';
import type { Clock, EffectAdapter, EffectOutcome, GuardedHttp, Logger, Store, WorldRow } from '@worldline/ports';
import { APPROVAL_KIND, ApprovalTracker, type ApprovalView, approvalView, rolesFor } from './approvals.ts';
import { answerOf, type IngressAnswer } from './batch-answer.ts';
import { adapterBlobs } from './blobs.ts';
import { systemClock } from './clock.ts';
import type { HostConfig } from './config.ts';
import { Dispatcher, type HostEvent } from './dispatcher.ts';
import { type Answer, type HostFailure, refuse } from './failure.ts';
import { InboxReader } from './inbox-reader.ts';
import { decodeStoredBatch, readBatches } from './journal-read.ts';
import type { WorldKeys } from './keys.ts';
import { isSkewed, LEASE_TIMES, Lease, type LeaseTimes } from './lease.ts';
import { silentLogger } from './log.ts';
import { Loop, lockedFailure } from './loop.ts';
import { AdapterRegistry } from './registry.ts';
import {
  type CancelRequest,
  type DecisionRequest,
  decisionPayload,
  type EventRequest,
  type ManualReceiptRequest,
  type PlanStartRequest,
  prepareCancel,
  prepareEvent,
  prepareManualReceipt,
  preparePlanStart,
} from './requests.ts';
import { isCorruption, restoreKernel } from './restore.ts';
import { Redactor, SecretResolver } from './secrets.ts';
import { signReceipts } from './signer.ts';
import { entropyPool, Stamper } from './stamps.ts';
import { TimerIndex } from './timers.ts';
import { ReceiptVerifier } from './verifier.ts';

export interface OpenWorldOptions {
  readonly store: Store;
  readonly worldId: string;
  readonly adapters: readonly EffectAdapter[];
  readonly http: GuardedHttp;
  readonly keys: WorldKeys;
  readonly config: HostConfig;
  /** Unique per process start; default: drawn. */
  readonly worker?: string | undefined;
  /** A worker whose process the caller has proved dead; its lease is taken over at once. */
  readonly dead?: string | undefined;
  readonly clock?: Clock | undefined;
  readonly log?: Logger | undefined;
  /** For `env:` secrets. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** For `file:` secrets. */
  readonly secretsDir?: string | undefined;
  /** Knows the secrets of adapters made by the caller, too; default: a new one. */
  readonly redactor?: Redactor | undefined;
  readonly leaseTimes?: LeaseTimes | undefined;
  /** 64 bytes per call; for tests. */
  readonly entropy?: (() => Uint8Array) | undefined;
  /** In [0, 1); for jitter. */
  readonly random?: (() => number) | undefined;
  readonly onHostEvent?: ((event: HostEvent) => void) | undefined;
}

/** Deferred work that stays when everything else has settled. */
export interface Waiting {
  readonly timers: number;
  readonly approvals: number;
  readonly receipts: number;
  readonly events: number;
}

export interface WorldReport {
  readonly worldId: string;
  readonly epoch: number;
  readonly height: number;
  readonly manifestHash: string;
  readonly logicalNowNs: bigint;
  readonly livePlans: number;
  readonly waiting: Waiting;
  readonly inFlight: number;
  readonly missingAdapters: readonly string[];
}

export interface DurableBatch {
  readonly firstSeq: number;
  readonly records: readonly JournalRecord[];
}

const WITHDRAWN: EffectOutcome = {
  status: 'error',
  error: { code: 'approval.withdrawn', message: 'every plan that waited for it has ended', retryable: false },
};
const CLAIM_VISIBILITY_MS = 60_000;
const CLAIMS_AT_ONCE = 256;
const CLAIM_POLL_MS = 1_000;
const MAINTENANCE_MS = 1_000;

let isNativeHashInstalled = false;

/** SHA-256 of the platform, in the place of the portable one. */
function installNativeHash(): void {
  if (isNativeHashInstalled) return;
  installSha256((bytes) => new Uint8Array(createHash('sha256').update(bytes).digest()));
  isNativeHashInstalled = true;
}

/**
 * Opens a world for writing: lease, restore, reconcile, adapters, recovery, loop (`host.md` §7.1).
 *
 * @returns `world.locked` when another process holds it, `world.archived`, `not_found`, `adapter.conflict`,
 *   `journal.corrupt` or another reason why it cannot be restored (the world is then quarantined), `host_error`.
 */
export async function openWorld(options: OpenWorldOptions): Promise<Answer<World>> {
  installNativeHash();
  const { store, worldId } = options;
  const clock = options.clock ?? systemClock();
  const times = options.leaseTimes ?? LEASE_TIMES;
  const worker = options.worker ?? `worker-${randomBytes(8).toString('hex')}`;
  const registry = AdapterRegistry.of(options.adapters);
  if (!registry.ok) return registry;

  const sentNs = clock.monoNs();
  const acquired = await store.lease.acquire(worldId, worker, times.ttlMs, options.dead);
  switch (acquired.answer) {
    case 'ok':
      break;
    case 'held':
      return { ok: false, failure: lockedFailure(`${acquired.holder} runs this world`) };
    case 'not_found':
      return refuse('not_found', `the store holds no world ${worldId}`);
    case 'status':
      return refuse(
        acquired.status === 'archived' ? 'world.archived' : 'world.locked',
        `this world is ${acquired.status}`,
        {
          hint:
            acquired.status === 'quarantined'
              ? 'It could not be restored; keep the store and look at "worldline journal verify".'
              : 'Resume it first.',
        },
      );
    case 'unavailable':
      return refuse('host_error', `the store does not answer: ${acquired.message}`);
    default:
      return acquired satisfies never;
  }
  const log = options.log ?? silentLogger;
  const lease = new Lease({ worldId, worker, epoch: acquired.epoch, sentNs }, { store, clock, times, log });
  if (isSkewed(clock.wallNs(), acquired.storeNowNs, times)) {
    await lease.release();
    return refuse('host_error', 'the clock of this machine and the clock of the store differ', {
      hint: 'Set the clock.',
    });
  }
  const row = await store.world.get(worldId);
  const restored =
    row === undefined
      ? refuse('not_found', `the store holds no world ${worldId}`)
      : await restoreKernel(store, row, acquired.epoch);
  if (!restored.ok) {
    // L9: what cannot be restored is set apart, so that nothing writes into it.
    if (isCorruption(restored.failure.code)) await store.world.setStatus(worldId, 'active', 'quarantined');
    await lease.release();
    return restored;
  }
  const world = new World({
    options,
    clock,
    log,
    lease,
    registry: registry.value,
    kernel: restored.value,
    row: row as WorldRow,
  });
  const started = await world.start();
  return started.ok ? ok(world) : started;
}

interface Parts {
  readonly options: OpenWorldOptions;
  readonly clock: Clock;
  readonly log: Logger;
  readonly lease: Lease;
  readonly registry: AdapterRegistry;
  readonly kernel: Kernel;
  readonly row: WorldRow;
}

/** One world that this process runs. */
export class World {
  readonly worldId: string;
  readonly universeId: string;
  readonly #parts: Parts;
  readonly #loop: Loop;
  readonly #dispatcher: Dispatcher;
  readonly #inbox: InboxReader;
  readonly #stamper: Stamper;
  readonly #approvals = new ApprovalTracker();
  readonly #listeners = new Set<(batch: DurableBatch) => void>();
  readonly #token = new Uint8Array(randomBytes(16));
  #verifier: ReceiptVerifier | undefined;
  #maintenance: NodeJS.Timeout | undefined;
  #isClaiming = false;
  #lastClaimMs = 0;
  #snapshotHeight: number;
  #snapshotMs = performance.now();
  #isSnapshotting = false;
  #closing: Promise<Answer<void>> | undefined;
  #stopped: HostFailure | undefined;
  readonly #onStopped: ((failure: HostFailure) => void)[] = [];

  constructor(parts: Parts) {
    const { options, clock, lease, registry, kernel, row } = parts;
    const { store, config } = options;
    const redactor = options.redactor ?? new Redactor();
    const log = redactor.logger(parts.log);
    this.#parts = { ...parts, log };
    this.worldId = options.worldId;
    this.universeId = row.universeId;
    this.#snapshotHeight = row.activeBaseline.height;
    this.#stamper = new Stamper(clock, options.entropy ?? entropyPool());
    this.#stamper.rebase(kernel);
    const timers = new TimerIndex();
    this.#inbox = new InboxReader({
      store,
      worldId: this.worldId,
      log,
      after: kernel.cursor,
      onItems: () => this.#loop.schedule(),
    });
    this.#loop = new Loop({
      worldId: this.worldId,
      store,
      kernel,
      lease,
      clock,
      stamper: this.#stamper,
      timers,
      inbox: this.#inbox,
      verifier: () => this.#receiptVerifier(),
      receiptKey: options.keys.receipts,
      log,
      maxGroup: config.journal.maxGroup,
      fsync: config.journal.fsync,
      claim: { executor: lease.worker, token: this.#token },
      onDurable: (applied) => this.#durable(applied),
      onStopped: (failure) => this.#halt(failure),
      reload: () => this.#reload(),
      random: options.random ?? Math.random,
    });
    this.#dispatcher = new Dispatcher({
      worldId: this.worldId,
      universeId: this.universeId,
      store,
      registry,
      effects: config.effects,
      maxReceiptBytes: () => this.kernel.config.limits.max_receipt_bytes,
      clock,
      log,
      http: options.http,
      blobs: adapterBlobs(store.cas, redactor),
      openBlobs: adapterBlobs(store.cas, new Redactor()),
      redactor,
      secrets: new SecretResolver(
        {
          env: options.env ?? {},
          dir: options.secretsDir,
          bindings: config.secrets.bindings,
          placeholders: config.secrets.allowPlaceholders,
        },
        redactor,
      ),
      allowEcho: config.secrets.allowEcho,
      liveCatalog: () => this.kernel.catalog,
      pinnedCatalog: (emission) => this.#pinnedCatalog(emission),
      recheckCap: (emission, params) =>
        this.kernel.recheckCap(emission.capName, emission.kind, params, {
          kind: emission.origin.origin_kind,
          name: emission.origin.name,
        }),
      deliver: (finished) => this.#loop.deliver(finished),
      onHostEvent: options.onHostEvent,
      random: options.random ?? Math.random,
    });
  }

  /** Called by `openWorld` once. */
  async start(): Promise<Answer<void>> {
    const { lease, log } = this.#parts;
    const reconciled = await this.#reconcile();
    if (!reconciled.ok) {
      await lease.release();
      return reconciled;
    }
    try {
      await this.#dispatcher.startAdapters();
    } catch (error) {
      await lease.release();
      return refuse(
        'host_error',
        `an adapter did not start: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    lease.start(
      (loss) =>
        this.#loop.stop(
          lockedFailure(loss === 'skewed' ? 'the clock of this machine jumped' : 'the lease of this world is gone'),
        ),
      () => this.#loop.schedule(),
    );
    for (const kind of this.missingAdapters())
      log.warn('no adapter performs this effect kind; such effects end with adapter.missing', { kind });
    this.#loop.rebuildTimers();
    this.#withdraw(
      this.#approvals.rebuild(this.kernel.pending(), (planId) => this.kernel.instance(planId) !== undefined),
    );
    await this.#claimRows();
    this.#maintenance = setInterval(() => this.#maintain(), MAINTENANCE_MS);
    this.#maintenance.unref();
    this.#inbox.poll();
    this.#loop.schedule();
    return ok(undefined);
  }

  get kernel(): Kernel {
    return this.#loop.kernel;
  }

  get worker(): string {
    return this.#parts.lease.worker;
  }

  get epoch(): number {
    return this.#parts.lease.epoch;
  }

  /** Why this process no longer runs the world, when it does not. */
  get stopped(): HostFailure | undefined {
    return this.#stopped;
  }

  onStopped(fn: (failure: HostFailure) => void): void {
    this.#onStopped.push(fn);
  }

  /** Durable batches from now on, in order. @returns a function that ends it. */
  onBatch(fn: (batch: DurableBatch) => void): () => void {
    this.#listeners.add(fn);
    return () => this.#listeners.delete(fn);
  }

  /** Listed effect kinds that no adapter performs. */
  missingAdapters(): readonly string[] {
    return [...this.kernel.catalog.effects.keys()].filter(
      (kind) => !kind.startsWith('timer.') && this.#parts.registry.find(kind) === undefined,
    );
  }

  // Requests

  async sendEvent(request: EventRequest): Promise<Answer<IngressAnswer>> {
    const prepared = prepareEvent(this.kernel, request);
    return prepared.ok ? this.#submit(prepared.value) : prepared;
  }

  async startPlan(request: PlanStartRequest): Promise<Answer<IngressAnswer>> {
    const prepared = preparePlanStart(this.kernel, request);
    return prepared.ok ? this.#submit(prepared.value) : prepared;
  }

  async cancelPlan(request: CancelRequest): Promise<Answer<IngressAnswer>> {
    const prepared = prepareCancel(request);
    return prepared.ok ? this.#submit(prepared.value) : prepared;
  }

  /** First decision wins; a later one is `approval.decided`. */
  async decideApproval(request: DecisionRequest): Promise<Answer<void>> {
    const emission = this.kernel.emissionOfIntent(request.intentHash);
    const decided = () =>
      refuse('approval.decided', 'this approval is not pending', {
        hint: 'It was decided, or withdrawn, or never asked for.',
      });
    if (emission === undefined || emission.kind !== APPROVAL_KIND) return decided();
    const roles = rolesFor(this.#parts.options.config.approvals.rules, approvalView(emission).subject);
    if (request.approver.startsWith('plan:')) return refuse('approval.role', 'a plan cannot decide an approval');
    if (roles !== undefined && request.roles !== undefined && !roles.some((role) => request.roles!.includes(role))) {
      return refuse('approval.role', `this approval needs one of the roles ${roles.join(', ')}`);
    }
    const outcome = this.#dispatcher.complete(emission.emissionSeq, {
      status: 'ok',
      payload: decisionPayload(request),
    });
    if (outcome === undefined) return decided();
    const settled = await outcome;
    if ('code' in settled) return { ok: false, failure: settled };
    if (settled.outcome.kind === 'rejected') return refuse(settled.outcome.code, settled.outcome.message);
    return settled.outcome.kind === 'duplicate' ? decided() : ok(undefined);
  }

  /** A receipt that an operator makes up; its adapter id begins with `manual.`. */
  async injectReceipt(request: ManualReceiptRequest): Promise<Answer<IngressAnswer>> {
    const emission =
      request.emissionSeq === undefined
        ? this.kernel.emissionOfIntent(request.intentHash)
        : this.kernel.emission(request.emissionSeq);
    if (emission === undefined || !bytesEqual(emission.intentHash, request.intentHash)) {
      return refuse('receipt.unknown', 'no open effect has this intent');
    }
    const prepared = prepareManualReceipt(
      this.kernel.catalogFor(this.#pinnedCatalog(emission).manifestHash),
      emission,
      request,
    );
    if (!prepared.ok) return prepared;
    const key = this.#parts.options.keys.receipts;
    const receipt = signReceipts(this.worldId, key, [prepared.value])[0]!;
    const verdict = this.kernel.config.receipt_verification === 'required' ? { sigKey: key.keyId } : {};
    return this.#submit({ kind: 'receipt', receipt, verdict });
  }

  #submit(ingress: Ingress): Promise<Answer<IngressAnswer>> {
    return new Promise((resolve) => {
      this.#loop.submit(
        {
          ingress,
          onDurable: (applied) => resolve(answerOfApplied(applied)),
          onDropped: (failure) => resolve({ ok: false, failure }),
        },
        this.#stopped ?? refuse('draining', 'this world is closing').failure,
      );
    });
  }

  // Reading

  approvals(): readonly ApprovalView[] {
    return [...this.kernel.pending()].filter((e) => e.kind === APPROVAL_KIND).map(approvalView);
  }

  status(): WorldReport {
    return {
      worldId: this.worldId,
      epoch: this.epoch,
      height: this.#loop.durable.height,
      manifestHash: hashText(this.kernel.catalog.manifestHash),
      logicalNowNs: this.kernel.logicalNowNs,
      livePlans: this.kernel.liveCount,
      waiting: this.waiting(),
      inFlight: this.#dispatcher.inFlightCount,
      missingAdapters: this.missingAdapters(),
    };
  }

  /** What live plans wait for, counted. */
  waiting(): Waiting {
    let timers = 0;
    let approvals = 0;
    let receipts = 0;
    for (const emission of this.kernel.pending()) {
      if (emission.class === 'timer') timers++;
      else if (emission.kind === APPROVAL_KIND) approvals++;
      else receipts++;
    }
    return { timers, approvals, receipts, events: this.kernel.waitCount };
  }

  // Rest and endings

  /** Resolves when no input is pending and no effect runs; deferred work (timers, approvals) may remain. */
  async idle(): Promise<void> {
    for (;;) {
      await this.#inbox.settled();
      await this.#loop.idle();
      await this.#dispatcher.idle();
      if (this.#stopped !== undefined) return;
      if (this.#dispatcher.mayHaveUnclaimed) await this.#claimRows();
      if (this.#loop.isIdle && this.#dispatcher.busyCount === 0 && this.#inbox.length === 0) return;
    }
  }

  /** Journals a snapshot and promotes it. */
  snapshot(): Promise<Answer<{ readonly ref: string; readonly height: number }>> {
    return new Promise((resolve) => {
      if (this.#stopped !== undefined) return resolve({ ok: false, failure: this.#stopped });
      this.#loop.whenQuiet(() => {
        const { ref, objects } = this.kernel.snapshot();
        const { height } = this.kernel.head;
        this.#loop.applyNow(
          {
            ingress: { kind: 'snapshot', snapshotRef: ref, promote: true },
            onDurable: () => {
              this.#snapshotHeight = height + 2;
              this.#snapshotMs = performance.now();
              resolve(ok({ ref: hashText(ref), height }));
            },
            onDropped: (failure) => resolve({ ok: false, failure }),
          },
          objects,
        );
      });
    });
  }

  /** Clean shutdown (`host.md` §7.5): what runs may finish, then a snapshot, then the lease is released. */
  close(
    options: { readonly graceMs?: number | undefined; readonly hurry?: AbortSignal | undefined } = {},
  ): Promise<Answer<void>> {
    this.#closing ??= this.#close(options.graceMs ?? this.#parts.options.config.shutdown.graceMs, options.hurry);
    return this.#closing;
  }

  async #close(graceMs: number, hurry: AbortSignal | undefined): Promise<Answer<void>> {
    clearInterval(this.#maintenance);
    this.#loop.stopIntake();
    await this.#loop.idle();
    await within(this.#dispatcher.idle(), graceMs, hurry);
    this.#dispatcher.stop('shutdown');
    await this.#loop.idle();
    let outcome: Answer<void> = ok(undefined);
    if (this.#stopped === undefined && this.kernel.head.height > this.#snapshotHeight) {
      const taken = await this.snapshot();
      if (!taken.ok) outcome = taken;
    }
    await this.#dispatcher.stopAdapters();
    const stopped = this.#stopped;
    this.#loop.stop(refuse('draining', 'this world is closed').failure);
    this.#inbox.stop();
    if (stopped === undefined) await this.#parts.lease.release();
    else return { ok: false, failure: stopped };
    return outcome;
  }

  #halt(failure: HostFailure): void {
    clearInterval(this.#maintenance);
    this.#dispatcher.stop(failure.code);
    if (failure.code === 'draining') return;
    this.#stopped = failure;
    this.#parts.lease.stop();
    for (const fn of this.#onStopped.splice(0)) fn(failure);
  }

  // After a batch is durable

  #durable(applied: Applied): void {
    const batch = applied.batch!;
    for (const row of batch.emitted) {
      const emission = this.kernel.emission(row.emissionSeq);
      if (emission !== undefined)
        this.#dispatcher.dispatch(emission, { token: this.#token, attempt: 1, started: false });
    }
    for (const seq of batch.settled) this.#dispatcher.settledElsewhere(seq);
    this.#withdraw(this.#approvals.observe(applied));
    if (batch.lastSeq >= batch.firstSeq) {
      for (const listener of this.#listeners) listener({ firstSeq: batch.firstSeq, records: applied.records });
    }
    if (batch.lastSeq + 1 - this.#snapshotHeight >= this.#parts.options.config.snapshot.everyEntries)
      this.#takeSnapshot();
  }

  #withdraw(emissionSeqs: readonly number[]): void {
    for (const seq of emissionSeqs) void this.#dispatcher.complete(seq, WITHDRAWN);
  }

  #takeSnapshot(): void {
    if (this.#isSnapshotting || this.#stopped !== undefined || this.#closing !== undefined) return;
    this.#isSnapshotting = true;
    void this.snapshot().then((taken) => {
      this.#isSnapshotting = false;
      if (!taken.ok && this.#stopped === undefined)
        this.#parts.log.warn('a snapshot was not taken', { code: taken.failure.code });
    });
  }

  // Recovery and maintenance

  /** Outbox and timer rows as the restored state wants them (L7). */
  async #reconcile(): Promise<Answer<void>> {
    const { options, lease } = this.#parts;
    const kernel = this.kernel;
    const known = new Set((await options.store.outbox.list(this.worldId)).map((row) => row.emissionSeq));
    const emitted: EmittedRow[] = [];
    const timers: TimerRow[] = [];
    for (const emission of kernel.pending()) {
      const { emissionSeq, intentHash, kind } = emission;
      if (emission.class === 'external') {
        // A row that is there is kept as it is; only a missing one needs its request.
        const request = known.has(emissionSeq)
          ? NO_REQUEST
          : await intentPayload(options.store, this.worldId, emissionSeq);
        emitted.push({ emissionSeq, intentHash, kind, request });
      } else if (emission.class === 'timer') {
        timers.push({
          emissionSeq,
          intentHash,
          dueWallNs: dueWallNs({ nowNs: kernel.lastNowNs, logicalNowNs: kernel.logicalNowNs }, timerDueNs(emission)),
        });
      }
    }
    const answer = await options.store.outbox.reconcile(this.worldId, lease.epoch, emitted, timers);
    if (answer.answer === 'ok') return ok(undefined);
    if (answer.answer === 'fenced') return { ok: false, failure: lockedFailure('another process took the world over') };
    return refuse('host_error', `the store does not answer: ${answer.message}`);
  }

  /** Rows that nobody holds: after a restart, and when a receipt was refused. */
  async #claimRows(): Promise<void> {
    if (this.#isClaiming || this.#stopped !== undefined) return;
    this.#isClaiming = true;
    this.#dispatcher.mayHaveUnclaimed = false;
    try {
      for (;;) {
        const { store } = this.#parts.options;
        const rows = await store.outbox.claim(
          this.worldId,
          undefined,
          this.worker,
          CLAIMS_AT_ONCE,
          CLAIM_VISIBILITY_MS,
        );
        for (const row of rows) {
          const emission = this.kernel.emission(row.emissionSeq);
          if (emission !== undefined)
            this.#dispatcher.dispatch(emission, { token: row.token, attempt: row.attempt, started: row.started });
        }
        if (rows.length < CLAIMS_AT_ONCE) return;
      }
    } finally {
      this.#isClaiming = false;
      this.#lastClaimMs = performance.now();
    }
  }

  #maintain(): void {
    const { config } = this.#parts.options;
    if (this.#dispatcher.mayHaveUnclaimed || performance.now() - this.#lastClaimMs > 30 * CLAIM_POLL_MS) {
      this.#claimRows().catch((error: unknown) =>
        this.#parts.log.warn('outbox rows could not be claimed', { error: String(error) }),
      );
    }
    const isDue = performance.now() - this.#snapshotMs >= config.snapshot.everyMs;
    if (isDue && this.#loop.durable.height > this.#snapshotHeight) this.#takeSnapshot();
  }

  async #reload(): Promise<Kernel | HostFailure> {
    const { store } = this.#parts.options;
    const row = await store.world.get(this.worldId);
    if (row === undefined) return refuse('not_found', `the store holds no world ${this.worldId}`).failure;
    const restored = await restoreKernel(store, row, this.epoch);
    if (!restored.ok) return restored.failure;
    this.#stamper.rebase(restored.value);
    return restored.value;
  }

  #pinnedCatalog(emission: Emission) {
    for (const { origin } of [emission, ...emission.waiters]) {
      const instance = origin.origin_kind === 'plan' ? this.kernel.instance(origin.plan_id) : undefined;
      if (instance !== undefined) return this.kernel.catalogFor(instance.manifestHash);
    }
    return this.kernel.catalog;
  }

  #receiptVerifier(): ReceiptVerifier {
    const { options, registry } = this.#parts;
    this.#verifier ??= new ReceiptVerifier({
      worldId: this.worldId,
      required: this.kernel.config.receipt_verification === 'required',
      own: options.keys.receipts,
      trusted: options.config.receipts.trustedKeys,
      isRegistered: (adapterId, kind) => registry.find(kind)?.id === adapterId,
    });
    return this.#verifier;
  }
}

const NO_REQUEST = new Uint8Array(0);

/** Payload of the `effect_intent` at `seq`, from the journal; empty when it is below what the store still has. */
async function intentPayload(store: Store, worldId: string, seq: number): Promise<Uint8Array> {
  let payload: Uint8Array = NO_REQUEST;
  await readBatches(store, worldId, seq, (batch) => {
    if (batch.lastSeq < seq) return true;
    const decoded = decodeStoredBatch(batch);
    if (decoded.ok) payload = decoded.value.body.entries[seq - batch.firstSeq] ?? NO_REQUEST;
    return false;
  });
  return payload;
}

function answerOfApplied(applied: Applied): Answer<IngressAnswer> {
  const { outcome } = applied;
  switch (outcome.kind) {
    case 'applied':
      return answerOf(applied.records, outcome.firstSeq, false);
    case 'rejected':
      return refuse(outcome.code, outcome.message);
    case 'duplicate':
      return ok({
        firstSeq: outcome.firstSeq ?? -1,
        lastSeq: outcome.firstSeq ?? -1,
        duplicate: true,
        eventHash: undefined,
        planId: undefined,
      });
    case 'skipped':
      return refuse('host_error', 'the request was passed over');
    default:
      return outcome satisfies never;
  }
}

/** Waits for `promise`, at most `ms`, or until somebody is in a hurry. */
async function within(promise: Promise<void>, ms: number, hurry: AbortSignal | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
    if (hurry?.aborted === true) resolve();
    hurry?.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([promise, limit]);
  clearTimeout(timer);
}

/** One live instance as people see it. */
export interface PlanView {
  readonly planId: number;
  readonly plan: string;
  readonly steps: readonly { readonly id: string; readonly state: (typeof STEP_STATE_NAMES)[number] }[];
}

export function planView(kernel: Kernel, instance: Instance): PlanView {
  const plan = kernel.catalogFor(instance.manifestHash).plans.get(instance.name)!.def;
  return {
    planId: instance.id,
    plan: instance.name,
    steps: plan.steps.map((step, i) => ({ id: step.id, state: STEP_STATE_NAMES[instance.states[i]!]! })),
  };
}
