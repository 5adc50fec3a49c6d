import type { Catalog } from '@worldline/air';
import { bytesEqual, hashText, ok } from '@worldline/canon';
import type { Applied, Emission, Ingress, Kernel, WorldConfig } from '@worldline/kernel';
import type { Clock, FabricAcceptance, FabricMessage, Failpoints, Logger, Store, StoredBatch } from '@worldline/ports';
import { type ApprovalView, endedApprovals, pendingApprovals } from './approval-view.ts';
import { APPROVAL_KIND, type ApprovalTracker } from './approvals.ts';
import type { Checkpointer } from './checkpointer.ts';
import type { ApprovalRule, HostConfig } from './config.ts';
import { changeConfig } from './config-change.ts';
import type { Dispatcher } from './dispatcher.ts';
import { type EffectView, effectView, effectViews, type Progress } from './effects.ts';
import { enqueueMessage, type FabricSender, prepareMessage } from './fabric-inbox.ts';
import { type Answer, type HostFailure, refuse } from './failure.ts';
import type { HostReport, HostWatch } from './host-watch.ts';
import { uuidv7 } from './ids.ts';
import { encodeInboxItem, type InboxIngress } from './inbox-item.ts';
import type { InboxReader } from './inbox-reader.ts';
import { enqueueRefusal } from './inbox-refusal.ts';
import { type JournalPage, readBatchesInTurns, readPage, recordAt, type StampedRecord } from './journal-read.ts';
import type { Lease } from './lease.ts';
import { leaseFailure, lockedFailure } from './lease-failure.ts';
import type { Loop } from './loop.ts';
import { type ManifestChangeRequest, prepareManifestChange, typeFailure } from './manifest-change.ts';
import { OperatorReceipts } from './operator-receipts.ts';
import { OutboxClaims } from './outbox-claims.ts';
import type { AdapterRegistry } from './registry.ts';
import {
  type CancelRequest,
  type DecisionRequest,
  type EventRequest,
  type ManualReceiptRequest,
  type PlanStartRequest,
  prepareCancel,
  prepareEvent,
  preparePlanStart,
} from './requests.ts';
import { isCorruption } from './restore.ts';
import { type SettledEffect, settledEffects } from './settled-effect.ts';
import { type SnapshotAnswer, Snapshots } from './snapshots.ts';
import { SETTLED_BEFORE, type Submitted, submittedOf } from './submitted.ts';
import { within } from './within.ts';
import { missingAdapters, type Waiting, type WorldState, type WorldStatus, waitingOf } from './world-status.ts';

/**
 * An open standalone world: requests in, durable batches out (`host.md` §7).
 *
 * W1  Every answer that says `applied` speaks of a durable batch.
 * W2  Everything that fails for an expected reason is an `Answer`; nothing here throws for what a caller sends.
 */

/** `accepted`: durable in the inbox. `applied` and `settled`: its batch is durable; both are one while no internal effects exist. */
export type Wait = 'accepted' | 'applied' | 'settled';

export interface BatchReport {
  /** Nothing is left to do but wait. */
  readonly idle: boolean;
  readonly waiting: Waiting;
  readonly livePlans: number;
}

export interface RunBatchOptions {
  /** Stay until every plan has ended. */
  readonly wait?: boolean | undefined;
  readonly timeoutMs?: number | undefined;
}

export interface CloseOptions {
  /** Default: `shutdown.grace_ms`. */
  readonly graceMs?: number | undefined;
  /** Skips what is left of the grace. */
  readonly hurry?: AbortSignal | undefined;
}

export interface WorldParts {
  readonly worldId: string;
  readonly universeId: string;
  readonly store: Store;
  readonly lease: Lease;
  readonly clock: Clock;
  readonly config: HostConfig;
  readonly log: Logger;
  readonly registry: AdapterRegistry;
  readonly approvals: ApprovalTracker;
  /** Under which commits claim the outbox rows they insert. */
  readonly claimToken: Uint8Array;
  readonly snapshot: { readonly height: number; readonly ref: Uint8Array } | undefined;
  readonly failpoints: Failpoints | undefined;
  readonly watch: HostWatch;
  /** A definition set became active: what it needs of this host is looked for. */
  readonly onManifest?: ((catalog: Catalog) => void) | undefined;
  readonly checkpoints: Checkpointer | undefined;
}

/** Parts that call back into the world, made after it. */
export interface WorldMachinery {
  readonly loop: Loop;
  readonly dispatcher: Dispatcher;
  readonly inbox: InboxReader;
}

/** The next holder signs what does not get its signature in this time. */
const CHECKPOINT_GRACE_MS = 2_000;

export class World {
  readonly worldId: string;
  readonly universeId: string;
  readonly #parts: WorldParts;
  #machinery!: WorldMachinery;
  #state: WorldState = 'running';
  #failure: HostFailure | undefined;
  readonly #listeners = new Set<(applied: Applied) => void>();
  readonly #waiters = new Set<() => void>();
  #stopped!: (failure: HostFailure | undefined) => void;
  /** Resolves when the world is no longer open here: undefined after a clean close, else why. */
  readonly closed: Promise<HostFailure | undefined>;
  #closing: Promise<void> | undefined;
  readonly #snapshots: Snapshots;
  readonly #receipts: OperatorReceipts;
  readonly #claims: OutboxClaims;

  constructor(parts: WorldParts) {
    this.#parts = parts;
    this.worldId = parts.worldId;
    this.universeId = parts.universeId;
    const { worldId, store, lease, clock, config, log, checkpoints, failpoints } = parts;
    this.#snapshots = new Snapshots({
      worldId,
      store,
      clock,
      config: config.snapshot,
      log,
      checkpoints,
      failpoints,
      newest: parts.snapshot,
      loop: () => this.#machinery.loop,
      isRunning: () => this.#state === 'running',
      onDivergence: (failure) => void this.#quarantine(failure),
    });
    this.#receipts = new OperatorReceipts({
      registry: parts.registry,
      rules: config.approvals.rules,
      loop: () => this.#machinery.loop,
      dispatcher: () => this.#machinery.dispatcher,
      isSettled: async (intentHash) => {
        // Its receipt may be applied and not durable yet.
        await this.read(() => undefined);
        const settled = await this.settledEffect(intentHash, Number.POSITIVE_INFINITY);
        return settled.ok ? ok(settled.value !== undefined) : settled;
      },
    });
    this.#claims = new OutboxClaims({
      worldId,
      store,
      worker: lease.worker,
      log,
      failpoints,
      loop: () => this.#machinery.loop,
      dispatcher: () => this.#machinery.dispatcher,
      onLooked: () => this.#wake(),
    });
    this.closed = new Promise((resolve) => {
      this.#stopped = resolve;
    });
  }

  /** Connects the loop and sets everything going; called once, by `openWorld`. */
  begin(machinery: WorldMachinery, holdEffects = false): void {
    this.#machinery = machinery;
    const { loop, inbox } = machinery;
    this.#parts.lease.start(
      (loss, reason) => loop.stop(leaseFailure(loss, reason)),
      () => loop.schedule(),
    );
    loop.rebuildTimers();
    this.#receipts.withdraw(
      this.#parts.approvals.rebuild(loop.kernel.pending(), (planId) => loop.kernel.instance(planId) !== undefined),
    );
    if (!holdEffects) void this.#claims.claim();
    this.#parts.checkpoints?.start();
    this.#snapshots.start();
    inbox.poll();
    loop.schedule();
  }

  /** Begins to perform the effects that were open when the world was opened with `holdEffects`. */
  releaseEffects(): void {
    void this.#claims.claim();
  }

  get state(): WorldState {
    return this.#state;
  }

  get worker(): string {
    return this.#parts.lease.worker;
  }

  get epoch(): number {
    return this.#parts.lease.epoch;
  }

  /** Live definitions; they change only with a manifest change. */
  get catalog(): Catalog {
    return this.#machinery.loop.kernel.catalog;
  }

  // What the loop reports

  /** Called with every batch once it is durable, in order. @returns a function that ends it. */
  onBatch(listener: (applied: Applied) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Called with what the host tells beside the journal. @param listener - must not throw. @returns a function that ends it. */
  onReport(listener: (report: HostReport) => void): () => void {
    return this.#parts.watch.listen(listener);
  }

  /** From the loop: one batch is durable. */
  batchDurable(applied: Applied): void {
    const { loop, dispatcher } = this.#machinery;
    const batch = applied.batch!;
    this.#parts.checkpoints?.batch(batch.chain, batch.lastSeq + 1);
    for (const listener of this.#listeners) {
      try {
        listener(applied);
      } catch (error) {
        this.#parts.log.error('a subscriber failed', { error: String(error) });
      }
    }
    for (const seq of batch.settled) dispatcher.settledElsewhere(seq);
    this.#receipts.withdraw(this.#parts.approvals.observe(applied));
    for (const row of batch.emitted) {
      // Settled by a manual receipt that was applied meanwhile.
      const emission = loop.kernel.emission(row.emissionSeq);
      if (emission === undefined) continue;
      this.#parts.failpoints?.reach('dispatch.durable', emission.kind);
      dispatcher.dispatch(emission, { token: this.#parts.claimToken, attempt: 1, started: false });
    }
    for (const { planId, stepId, schema } of applied.unseen ?? []) {
      const why = 'the definition of the event is not the one that the waiting plan pins';
      this.#parts.log.warn('await_schema_changed', { schema, plan_id: planId, step: stepId, reason: why });
    }
    const root = applied.records[0]?.record_kind;
    if (root === 'governance' || root === 'manifest') this.#manifestChanged();
    this.#snapshots.batchDurable(batch.lastSeq + 1, batch.index?.snapshot);
    this.#wake();
  }

  /** After a change of manifest or config a snapshot is due (`packs.md` §7): a restart then begins behind it. */
  #manifestChanged(): void {
    this.#parts.onManifest?.(this.#machinery.loop.kernel.catalog);
    this.#snapshots.takeSoon();
  }

  /** A replay came to another state than the one that was promoted: nothing further may be built on either. */
  async #quarantine(failure: HostFailure): Promise<void> {
    this.#parts.log.error('the world is quarantined', { code: failure.code, reason: failure.message });
    this.#machinery.loop.stop(failure);
    await this.#parts.store.world.setStatus(this.worldId, 'active', 'quarantined');
  }

  /** From the loop: it has stopped. */
  loopStopped(failure: HostFailure): void {
    this.#failure = failure;
    const wasClosing = this.#closing !== undefined;
    const { store, log } = this.#parts;
    if (isCorruption(failure.code)) {
      // L9: nobody runs it until somebody has looked. Where even that cannot be written, opening it finds the damage.
      store.world.setStatus(this.worldId, 'active', 'quarantined').catch((error: unknown) => {
        log.warn('the world could not be quarantined', { error: String(error) });
      });
    }
    this.#state = 'stopped';
    this.#quiet();
    this.#wake();
    if (wasClosing) return;
    void this.#machinery.dispatcher.stopAdapters().finally(() => this.#stopped(failure));
  }

  #quiet(): void {
    this.#machinery.dispatcher.stop('the world stops');
    this.#parts.lease.stop();
    this.#parts.checkpoints?.stop();
    this.#snapshots.stop();
    this.#claims.stop();
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
  }

  /** From the dispatcher: an outbox row was given back. */
  rowsUnclaimed(): void {
    this.#claims.rowLeft();
  }

  // Requests

  /** Answers when the event's batch is durable, or with `accepted` once it is in the inbox. */
  async sendEvent(request: EventRequest, wait: Wait = 'settled'): Promise<Answer<Submitted>> {
    return this.#request(prepareEvent(this.#machinery.loop.kernel, request), wait);
  }

  async startPlan(request: PlanStartRequest, wait: Wait = 'settled'): Promise<Answer<Submitted>> {
    return this.#request(preparePlanStart(this.#machinery.loop.kernel, request), wait);
  }

  async cancelPlan(request: CancelRequest, wait: Wait = 'settled'): Promise<Answer<Submitted>> {
    return this.#request(prepareCancel(request), wait);
  }

  /**
   * Replaces the active manifest (`governance.md` §6). Runs that are under way end under the one they started with.
   *
   * @returns `governance.direct_apply_disabled`, `governance.base_stale`, `manifest.validation` or `host_error`.
   */
  async changeManifest(request: ManifestChangeRequest, wait: Wait = 'settled'): Promise<Answer<Submitted>> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return { ok: false, failure: refusal };
    return this.#request(await prepareManifestChange(this.#parts.store, this.#parts.config, request), wait);
  }

  /** Any prepared ingress of a client, `control` commands included. */
  async submit(ingress: InboxIngress, wait: Wait = 'settled'): Promise<Answer<Submitted>> {
    const isManifest = ingress.kind === 'control' && ingress.command === 'manifest';
    const illTyped = isManifest ? typeFailure(this.#parts.store, ingress) : undefined;
    if (illTyped !== undefined) return { ok: false, failure: illTyped };
    return this.#request(ok(ingress), wait);
  }

  async #request(prepared: Answer<InboxIngress>, wait: Wait): Promise<Answer<Submitted>> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return { ok: false, failure: refusal };
    if (!prepared.ok) return prepared;
    if (wait === 'accepted') return this.#enqueue(prepared.value);
    return this.#apply(prepared.value);
  }

  /** Why every request is refused now; undefined while the world runs. */
  get refusal(): HostFailure | undefined {
    return this.#refusal();
  }

  #refusal(): HostFailure | undefined {
    if (this.#state === 'running') return undefined;
    if (this.#failure !== undefined) return this.#failure;
    return { code: 'draining', path: [], message: 'the world is being closed' };
  }

  readonly #whyStopped = (): HostFailure => this.#failure ?? lockedFailure('the world has stopped');

  #apply(ingress: Ingress): Promise<Answer<Submitted>> {
    return new Promise((resolve) => {
      this.#submit(ingress, (applied) => {
        if ('code' in applied) resolve({ ok: false, failure: applied });
        else resolve(this.#answer(applied));
      });
    });
  }

  #submit(ingress: Ingress, done: (applied: Applied | HostFailure) => void): void {
    this.#machinery.loop.submit({ ingress, onDurable: done, onDropped: done }, lockedFailure('the world has stopped'));
  }

  #answer(applied: Applied): Answer<Submitted> | Promise<Answer<Submitted>> {
    return submittedOf(this.#parts.store, this.worldId, applied);
  }

  async #enqueue(ingress: InboxIngress): Promise<Answer<Submitted>> {
    const { store, clock } = this.#parts;
    const ingressId = ingress.ingressId ?? `host:${uuidv7(clock.wallNs())}`;
    const { item, digest, dedupeKey, isDelivery } = encodeInboxItem({
      ingress: { ...ingress, ingressId },
      dedupeKey: ingressId,
      enqueuedAtNs: clock.wallNs(),
    });
    const answer = await store.inbox.enqueue(this.worldId, item, digest, dedupeKey, { isDelivery });
    if (answer.answer !== 'ok' && answer.answer !== 'duplicate')
      return enqueueRefusal(this.worldId, answer, 'this ingress_id was used for another ingress');
    this.#machinery.inbox.poll();
    return ok({ state: 'accepted', ingressId, inboxSeq: answer.seq });
  }

  // Messages of other worlds

  /**
   * Takes a message in (`host.md` §5.7).
   *
   * @returns once it is durable in the inbox; the codes of `prepareMessage` and `enqueueMessage`.
   */
  async receiveMessage(sender: FabricSender, message: FabricMessage): Promise<Answer<FabricAcceptance>> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return { ok: false, failure: refusal };
    const { store, clock, config } = this.#parts;
    const prepared = prepareMessage(this.#machinery.loop.kernel, sender, message, config.fabric.maxBytes);
    if (!prepared.ok) return prepared;
    const accepted = await enqueueMessage(store, this.worldId, prepared.value, clock.wallNs());
    if (accepted.ok) this.#machinery.inbox.poll();
    return accepted;
  }

  // Approvals

  /** Pending approvals, oldest first. */
  async approvals(): Promise<Answer<readonly ApprovalView[]>> {
    const isAsking = ({ kind }: Emission) => kind === APPROVAL_KIND;
    const emissions = await this.read((kernel) => [...kernel.pending()].filter(isAsking));
    return this.#approvalViews(emissions);
  }

  /** One pending approval. */
  async approval(intentHash: Uint8Array): Promise<Answer<ApprovalView | undefined>> {
    const emission = await this.read((kernel) => kernel.emissionOfIntent(intentHash));
    const emissions = emission?.kind === APPROVAL_KIND ? [emission] : [];
    const views = await this.#approvalViews(emissions);
    return views.ok ? ok(views.value[0]) : views;
  }

  get approvalRules(): readonly ApprovalRule[] {
    return this.#parts.config.approvals.rules;
  }

  #approvalViews(emissions: readonly Emission[]): Promise<Answer<readonly ApprovalView[]>> {
    const { store, config } = this.#parts;
    return pendingApprovals(store, this.worldId, emissions, config.approvals.rules);
  }

  /** The newest decided approvals, newest first. */
  async decidedApprovals(max: number): Promise<Answer<readonly ApprovalView[]>> {
    const { store, config } = this.#parts;
    const height = await this.read((kernel) => kernel.head.height);
    return endedApprovals(store, this.worldId, { rules: config.approvals.rules, max, height, decidedOnly: true });
  }

  /**
   * The first decision wins.
   *
   * @returns `not_found`, `approval.decided`, `approval.role`, `decode_error` or `invalid_request`.
   */
  async decideApproval(request: DecisionRequest): Promise<Answer<Submitted>> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return { ok: false, failure: refusal };
    const decided = await this.#receipts.decide(request);
    return decided.ok ? this.#answer(decided.value) : decided;
  }

  // Effects by hand

  /**
   * A receipt made up by an operator, recorded under `manual.<adapter>`.
   *
   * @returns `receipt.unknown`, `receipt.intent_mismatch`, `receipt.payload_invalid` or `approval.role`; `duplicate: true` when the
   *   emission was settled already.
   */
  async injectReceipt(request: ManualReceiptRequest): Promise<Answer<Submitted>> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return { ok: false, failure: refusal };
    const injected = await this.#receipts.inject(request);
    if (!injected.ok) return injected;
    return injected.value === undefined ? ok(SETTLED_BEFORE) : this.#answer(injected.value);
  }

  /** Pending effects, oldest first, with what becomes of them here. */
  effects(): Promise<readonly EffectView[]> {
    return this.read((kernel) => effectViews(kernel, this.#progress));
  }

  readonly #progress: Progress = ({ emissionSeq }) => {
    const flight = this.#machinery.dispatcher.stateOf(emissionSeq);
    if (flight === undefined) return undefined;
    const { state, attempt, pause } = flight;
    return { state: state === 'queued' ? 'open' : state, attempt, pause };
  };

  /** The newest effect of this intent that has its receipt, if it is among the newest `entriesMax` records. */
  async settledEffect(intentHash: Uint8Array, entriesMax: number): Promise<Answer<SettledEffect | undefined>> {
    const isWanted = (hash: Uint8Array) => bytesEqual(hash, intentHash);
    const found = await settledEffects(this.#parts.store, this.worldId, isWanted, { max: 1, entriesMax });
    return found.ok ? ok(found.value[0]) : found;
  }

  /**
   * Performs an open effect now, when nobody works on it.
   *
   * @returns `not_found`, `effect.in_flight` or `effect.deferred`.
   */
  async retryEffect(intentHash: Uint8Array): Promise<Answer<void>> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return { ok: false, failure: refusal };
    const { kernel } = this.#machinery.loop;
    const emission = kernel.emissionOfIntent(intentHash);
    if (emission === undefined) return refuse('not_found', `no effect ${hashText(intentHash)} is open`);
    const { state } = effectView(kernel, emission, this.#progress);
    if (state === 'in_flight')
      return refuse('effect.in_flight', 'this effect is being performed', { hint: 'Wait for its receipt.' });
    if (state === 'deferred') {
      return refuse('effect.deferred', 'this effect is not performed: it ends at its time or by a decision', {
        hint: emission.class === 'timer' ? 'It fires when it is due.' : 'Decide it.',
      });
    }
    if (!this.#machinery.dispatcher.isHeld(emission.emissionSeq)) await this.#claims.claim();
    return ok(undefined);
  }

  // Configuration

  /**
   * Replaces the world configuration (`kernel.md` §15), journaled.
   *
   * @param expectedHash - of the configuration that the change was made against.
   * @returns the hash of the one that holds now; `config.conflict`, or the kernel's reason.
   */
  async applyConfig(config: WorldConfig, expectedHash: Uint8Array): Promise<Answer<{ readonly configHash: string }>> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return { ok: false, failure: refusal };
    return changeConfig(this.#parts.store, this.#machinery.loop, { config, expectedHash }, this.#whyStopped);
  }

  // Snapshots

  /** Takes a snapshot of the state at head and promotes it; the newest one when nothing has changed since. */
  snapshot(): Promise<SnapshotAnswer> {
    return new Promise((resolve) => {
      const { loop } = this.#machinery;
      if (loop.isStopped) {
        resolve({ ok: false, failure: this.#whyStopped() });
        return;
      }
      this.#snapshots.take(resolve);
    });
  }

  // Reads

  /**
   * Whole durable batches from the one that holds `fromSeq`, in order, up to the head as it is now or until `visit` answers
   * false. The world goes on meanwhile.
   */
  readJournal(fromSeq: number, visit: (batch: StoredBatch) => boolean | void): Promise<Answer<void>> {
    return readBatchesInTurns(this.#parts.store, this.worldId, fromSeq, visit);
  }

  /** About `entries` durable entries in whole batches, from the one that holds `fromSeq`. */
  journalPage(fromSeq: number, entries: number): Promise<Answer<JournalPage>> {
    return readPage(this.#parts.store, this.worldId, fromSeq, entries);
  }

  /** One durable record; undefined when the store does not have it. */
  journalRecord(seq: number): Promise<Answer<StampedRecord | undefined>> {
    return recordAt(this.#parts.store, this.worldId, seq);
  }

  /** Runs `fn` on the state after the last durable batch; it must not keep the kernel. */
  read<T>(fn: (kernel: Kernel) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const { loop } = this.#machinery;
      const run = () => {
        try {
          resolve(fn(loop.kernel));
        } catch (error) {
          reject(error as Error);
        }
      };
      if (loop.isStopped) run();
      else loop.whenQuiet(run);
    });
  }

  async status(): Promise<WorldStatus> {
    const { registry, lease } = this.#parts;
    const { dispatcher, loop } = this.#machinery;
    const { newest } = this.#snapshots;
    const [waiting, livePlans] = await this.read((kernel) => [waitingOf(kernel), kernel.liveCount] as const);
    return {
      worldId: this.worldId,
      universeId: this.universeId,
      state: this.#state,
      worker: lease.worker,
      epoch: lease.epoch,
      head: loop.durable,
      manifestHash: hashText(loop.kernel.catalog.manifestHash),
      snapshot: newest && { height: newest.height, ref: hashText(newest.ref) },
      checkpoints: this.#parts.checkpoints?.status,
      livePlans,
      waiting,
      effectsInFlight: dispatcher.inFlightCount,
      adapters: registry.adapters.map(({ id, kinds }) => ({ id, kinds })),
      missingAdapters: missingAdapters(loop.kernel.catalog, registry),
    };
  }

  // Batch mode

  /**
   * Runs until no input is pending and no effect is under way (`host.md` §7.6). Timers fire at their time, not early.
   *
   * @returns `timeout` when that takes longer than allowed, or why the world stopped.
   */
  async runBatch(options: RunBatchOptions = {}): Promise<Answer<BatchReport>> {
    const endMs = options.timeoutMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + options.timeoutMs;
    const { inbox, loop, dispatcher } = this.#machinery;
    const late = refuse('timeout', 'the world did not come to rest in time', {
      hint: 'It goes on from here at the next start.',
    });
    for (;;) {
      const leftMs = endMs - performance.now();
      const inTime = await within(leftMs, async () => {
        await inbox.settled();
        await loop.idle();
        await dispatcher.idle();
      });
      if (this.#failure !== undefined) return { ok: false, failure: this.#failure };
      if (!inTime) return late;
      const isIdle = loop.isIdle && inbox.length === 0 && dispatcher.busyCount === 0 && !this.#claims.mayBeLeft;
      if (isIdle) {
        const report = await this.read((kernel) => ({
          idle: true,
          waiting: waitingOf(kernel),
          livePlans: kernel.liveCount,
        }));
        if (options.wait !== true || report.livePlans === 0) return ok(report);
      }
      if (performance.now() >= endMs) return late;
      await within(Math.min(endMs - performance.now(), 1_000), () => this.#nextChange());
    }
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => this.#waiters.add(resolve));
  }

  // Closing

  /** Clean shutdown (`host.md` §7.5). Safe to call again; resolves when the lease is released. */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close(options: CloseOptions): Promise<void> {
    const { loop, dispatcher } = this.#machinery;
    const { checkpoints, config, lease, log } = this.#parts;
    const hadStopped = this.#state === 'stopped';
    if (this.#state === 'running') {
      this.#state = 'draining';
      loop.stopIntake();
      await loop.idle();
      dispatcher.drain();
      await within(options.graceMs ?? config.shutdown.graceMs, () => dispatcher.idle(), options.hurry);
      dispatcher.stop('the world is being closed');
      await loop.idle();
      if (!loop.isStopped) {
        const taken = await this.snapshot();
        if (!taken.ok)
          log.warn('no snapshot was taken at closing', { code: taken.failure.code, reason: taken.failure.message });
        await within(CHECKPOINT_GRACE_MS, async () => void (await checkpoints?.flush()), options.hurry);
      }
    }
    const failure = this.#failure;
    loop.stop({ code: 'draining', path: [], message: 'the world is closed' });
    this.#quiet();
    this.#state = 'stopped';
    if (!hadStopped) await dispatcher.stopAdapters();
    // A world that lost its lease writes nothing further, not even a release.
    if (failure?.code !== 'world.locked') await lease.release();
    this.#stopped(failure);
  }
}
