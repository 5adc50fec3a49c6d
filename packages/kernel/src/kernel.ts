import { type Catalog, type Diagnostic, encodeValue, loadStored, normalizeCbor } from '@worldline/air';
import { bytesEqual, compareBytes, decode, encode, fail, hashText, ok, type Result, utf8 } from '@worldline/canon';
import type { Applied, Batch, BatchIndex, Outcome, StoredObject } from './batch.ts';
import { type BatchBody, encodeBatchBody } from './body.ts';
import { nextChain, ZERO_CHAIN } from './chain.ts';
import { decodeConfig, type WorldConfig } from './config.ts';
import { type Emission, timerDueNs } from './emission.ts';
import { KernelFault } from './fault.ts';
import { type CapVerdict, checkGrant, dueWallNs } from './gate.ts';
import type {
  GenesisIngress,
  Ingress,
  ReceiptIngress,
  SnapshotIngress,
  StampProposal,
  TimerIngress,
} from './ingress.ts';
import { ingressDigest } from './ingress-digest.ts';
import { type CheckedStart, checkShape, checkStart, isRefusal, REASON_BYTES_MAX, type Refusal } from './input.ts';
import type { Instance } from './instance.ts';
import { endWithFailure } from './plan-end.ts';
import { runInstance } from './plan-run.ts';
import { eventHash, publish, startInstance } from './publish.ts';
import { type AcceptedReceipt, acceptReceipt, bindReceipt, deliverReceipt, timerReceipt } from './receive.ts';
import type { JournalRecord, RecordKind } from './record.ts';
import { RESERVED_SCHEMAS } from './reserved.ts';
import { snapshotRoot } from './snapshot.ts';
import { type ObjectSource, WorldState } from './state.ts';
import { Runaway, type Stamp, Turn } from './turn.ts';
import type { Wait } from './wait-index.ts';
import { isHash32, isMap } from './wire.ts';

export interface KernelOptions {
  readonly objects: ObjectSource;
  /** Lease epoch of the writer that uses the kernel. */
  readonly epoch: number;
  /** Instances kept in memory after a snapshot; default 4 096. */
  readonly residentMax?: number | undefined;
}

/**
 * One world's decisions: `(S, ingress, stamp) → (S', batch)` (`kernel.md`).
 *
 * K1  Synchronous and pure: nothing but S, the ingress and the stamp decides what a batch holds.
 * K2  One ingress is one batch, drained to quiescence; every queue is empty between batches.
 * K3  `apply` is total: every ingress gets an outcome. A `KernelFault` means that memory, store or journal is broken.
 * K4  Applied batches are tentative until accepted; `discard` returns S to the last accepted one.
 * K5  Live and replayed batches take the same path after validation, so they cannot differ.
 */
export class Kernel {
  readonly #state: WorldState;
  readonly #epoch: number;
  /** Epoch of the batch being replayed. */
  #replayedEpoch: number | undefined;
  /** Tentative batches, oldest first: how to take each back. */
  readonly #tentative: { readonly turn: Turn | undefined; readonly before: Position }[] = [];
  /** A snapshot batch is tentative: once it is accepted, its nodes are known to be stored. */
  #isSnapshotTaken = false;
  /** What `snapshot` computed last. */
  #digest: { readonly ref: Uint8Array; readonly height: number } | undefined;

  readonly #residentMax: number;

  private constructor(state: WorldState, options: KernelOptions) {
    this.#state = state;
    this.#epoch = options.epoch;
    this.#residentMax = options.residentMax ?? RESIDENT_MAX;
  }

  /** A kernel over a state that `restore` built. */
  static over(state: WorldState, options: KernelOptions): Kernel {
    return new Kernel(state, options);
  }

  /**
   * The first batch of a world: seq 0 holds its manifest and config.
   *
   * @param options.objects - must hold manifest, definitions and config.
   */
  static genesis(
    options: KernelOptions,
    ingress: GenesisIngress,
    stamp: StampProposal,
  ): Result<{ kernel: Kernel; applied: Applied }, readonly Diagnostic[]> {
    const state = genesisState(options.objects, ingress);
    if (!state.ok) return state;
    const kernel = new Kernel(state.value, options);
    return ok({ kernel, applied: kernel.#applyGenesis(ingress, stamp) });
  }

  // What the host may read

  get head(): { readonly height: number; readonly chain: Uint8Array } {
    return { height: this.#state.height, chain: this.#state.chain };
  }

  get cursor(): Uint8Array {
    return this.#state.cursor;
  }

  get logicalNowNs(): bigint {
    return this.#state.logicalNowNs;
  }

  get lastNowNs(): bigint {
    return this.#state.lastNowNs;
  }

  get catalog(): Catalog {
    return this.#state.catalog;
  }

  get config(): WorldConfig {
    return this.#state.config;
  }

  get configHash(): Uint8Array {
    return this.#state.configHash;
  }

  catalogFor(manifestHash: Uint8Array): Catalog {
    return this.#state.catalogFor(manifestHash);
  }

  get tentativeBatches(): number {
    return this.#tentative.length;
  }

  /** All pending emissions, by seq; to rebuild outbox and timer rows. */
  *pending(): Iterable<Emission> {
    for (const [, emission] of this.#state.emissions.entries()) yield emission;
  }

  get pendingCount(): number {
    return this.#state.emissions.size;
  }

  emission(emissionSeq: number): Emission | undefined {
    return this.#state.emissions.get(emissionSeq);
  }

  emissionOfIntent(intentHash: Uint8Array): Emission | undefined {
    return this.#state.emissionOfIntent(intentHash);
  }

  /** Oldest pending internal emission to settle; none exist before workspaces and governance do. */
  nextInternal(): undefined {
    return undefined;
  }

  /** Live instances, by plan id. Treat them as read-only. */
  *instances(): Iterable<Instance> {
    for (const [id] of this.#state.plans.entries()) yield this.#state.instance(id)!;
  }

  get liveCount(): number {
    return this.#state.plans.size;
  }

  instance(planId: number): Instance | undefined {
    return this.#state.instance(planId);
  }

  /** Outstanding event waits, by wait id. */
  waits(): readonly Wait[] {
    return [...this.instances()].flatMap((i) => [...i.eventWaits.values()]).sort((a, b) => a.waitId - b.waitId);
  }

  /** How many event waits are open, without loading the instances that hold them. */
  get waitCount(): number {
    return this.#state.waits.size;
  }

  get nextPlanId(): number {
    return this.#state.nextPlanId;
  }

  /** Expiry and enforcer again, without recording anything; for adapters that change a request after dispatch. */
  recheckCap(
    grantName: string,
    kind: string,
    paramsCbor: Uint8Array,
    origin: { kind: 'plan' | 'reducer'; name: string },
  ): CapVerdict {
    const grant = this.#state.catalog.grants.get(grantName);
    const effect = this.#state.catalog.effects.get(kind)?.def;
    if (grant === undefined) return { ok: false, code: 'cap.grant_missing', message: `no grant ${grantName}` };
    if (effect === undefined) return { ok: false, code: 'effect.kind_unsupported', message: `no effect kind ${kind}` };
    const paramsType = { type: { kind: 'ref', name: effect.paramsSchema }, scope: this.#state.catalog.scope } as const;
    const call = { effectKind: kind, paramsCbor, paramsType, origin };
    return checkGrant(this.#state.catalog, grant, call, this.#state.logicalNowNs);
  }

  // Snapshots

  /**
   * The state at head as a tree of nodes (`journal.md` §6.1).
   *
   * @returns the root's hash, which is the state digest, and every node not yet known to be stored. They count as
   *   stored once a `snapshot` ingress with this ref is accepted.
   */
  snapshot(): { readonly ref: Uint8Array; readonly objects: readonly StoredObject[] } {
    if (this.#tentative.length > 0) throw new Error('a snapshot is taken only when every batch is accepted');
    const ref = snapshotRoot(this.#state);
    this.#digest = { ref, height: this.#state.height };
    return { ref, objects: [...this.#state.unsaved.values()] };
  }

  // Durability

  /** The oldest `count` tentative batches are durable. */
  accept(count: number): void {
    if (count > this.#tentative.length)
      throw new Error(`${count} batches accepted, ${this.#tentative.length} are tentative`);
    this.#tentative.splice(0, count);
    if (this.#tentative.length === 0 && this.#isSnapshotTaken) {
      this.#state.unsaved.clear();
      this.#isSnapshotTaken = false;
      this.#state.releaseIdle(this.#residentMax);
    }
  }

  /** Instances held in memory; the others are rows of the store until something is delivered to them (D7). */
  get residentCount(): number {
    return this.#state.residentCount;
  }

  /** A commit failed: drops every tentative batch. */
  discard(): void {
    for (let i = this.#tentative.length - 1; i >= 0; i--) {
      const { turn, before } = this.#tentative[i]!;
      turn?.undo.rollback();
      this.#state.height = before.height;
      this.#state.chain = before.chain;
      this.#state.cursor = before.cursor;
    }
    this.#tentative.length = 0;
    this.#isSnapshotTaken = false;
  }

  // Applying

  /**
   * Applies one ingress; the batch is tentative until accepted.
   *
   * @throws KernelFault for world faults, and Error for a caller's bug (a second genesis, entropy of wrong length).
   */
  apply(ingress: Ingress, proposal: StampProposal): Applied {
    if (ingress.kind === 'snapshot') {
      const digest = this.#digest;
      if (digest?.height !== this.#state.height || !bytesEqual(digest.ref, ingress.snapshotRef))
        throw new Error('a snapshot is journaled at the height it was taken at');
      return this.#applySnapshot(ingress);
    }
    if (ingress.kind === 'genesis') throw new Error('a world has one genesis');
    const stamp = this.#stamp(proposal);
    const shape = checkShape(ingress, this.#state.config.limits);
    if (shape !== undefined) return this.#reject(ingress, stamp, shape, false);

    const known = ingress.ingressId === undefined ? undefined : this.#state.ingressMemory.find(ingress.ingressId);
    if (known !== undefined) {
      if (bytesEqual(known.digest, ingressDigest(ingress)))
        return this.#skip(ingress, { kind: 'duplicate', firstSeq: known.firstSeq });
      const refusal = { code: 'ingress.conflict', message: 'this ingress_id was used for another ingress' };
      return this.#reject(ingress, stamp, refusal, false);
    }
    switch (ingress.kind) {
      case 'event':
        return this.#event(ingress, stamp);
      case 'inbox':
        return this.#reject(ingress, stamp, this.#inboxRefusal(ingress), true);
      case 'receipt':
        return this.#receipt(ingress, stamp);
      case 'timer':
        return this.#timer(ingress, stamp);
      case 'plan_start': {
        const checked = checkStart(this.#state.catalog, ingress);
        if (isRefusal(checked)) return this.#reject(ingress, stamp, checked, true);
        return this.#settle(ingress, stamp, (turn) =>
          this.#startManually(turn, ingress.plan, checked, ingress.ingressId),
        );
      }
      case 'control':
        return this.#control(ingress, stamp);
      default:
        return ingress satisfies never;
    }
  }

  #control(ingress: Extract<Ingress, { kind: 'control' }>, stamp: Stamp): Applied {
    const refuse = (refusal: Refusal) => this.#reject(ingress, stamp, refusal, true);
    switch (ingress.command) {
      case 'plan_cancel':
        if (utf8(ingress.reason).length > REASON_BYTES_MAX) {
          return refuse({ code: 'too_large', message: `reason is over ${REASON_BYTES_MAX} bytes` });
        }
        if (this.#state.instance(ingress.planId) === undefined) {
          return refuse({ code: 'plan.not_live', message: `instance ${ingress.planId} is not live` });
        }
        return this.#settle(ingress, stamp, (turn) => this.#cancel(turn, ingress));
      case 'pin': {
        const data = encode({ add: [...ingress.add], remove: [...ingress.remove] });
        return this.#settle(ingress, stamp, (turn) => this.#custom(turn, PIN_TAG, data));
      }
      case 'manifest': {
        const refusal = this.#manifestRefusal(ingress);
        return refusal === undefined
          ? this.#settle(ingress, stamp, (turn) => this.#switchManifest(turn, ingress))
          : refuse(refusal);
      }
      case 'config': {
        const bytes = this.#state.objects.get(ingress.configHash);
        const config = bytes === undefined ? undefined : decodeConfig(bytes);
        if (config === undefined || !config.ok) {
          const why = config === undefined ? 'is not in the store' : `is unreadable: ${config.failure.message}`;
          return refuse({ code: 'config.invalid', message: `config ${hashText(ingress.configHash)} ${why}` });
        }
        if (config.value.require_policy && this.#state.catalog.policy === undefined) {
          return refuse({ code: 'policy.required', message: 'the active manifest names no default policy' });
        }
        return this.#settle(ingress, stamp, (turn) => this.#switchConfig(turn, ingress.configHash), {
          index: { configHash: ingress.configHash },
        });
      }
      default:
        return ingress satisfies never;
    }
  }

  #manifestRefusal(ingress: Extract<Ingress, { command: 'manifest' }>): Refusal | undefined {
    const active = this.#state.catalog.manifestHash;
    if (!bytesEqual(ingress.manifestBase, active)) {
      return { code: 'governance.base_stale', message: `the active manifest is ${hashText(active)}` };
    }
    const loaded = loadStored(ingress.manifestHash, (hash) => this.#state.objects.get(hash), {
      requirePolicy: this.#state.config.require_policy,
    });
    if (loaded.ok) return undefined;
    const first = loaded.failure[0];
    return {
      code: 'manifest.validation',
      message: first === undefined ? 'the manifest does not load' : `${first.code}: ${first.message}`,
    };
  }

  /** Effective for the next ingress; running instances keep their pin (`kernel.md` §2.2). */
  #switchManifest(
    turn: Turn,
    change: { manifestHash: Uint8Array; manifestBase: Uint8Array; patchHash: Uint8Array; actor: string },
  ): void {
    turn.append({
      record_kind: 'governance',
      event: 'direct_applied',
      patch_hash: change.patchHash,
      manifest_base: change.manifestBase,
      manifest_hash_new: change.manifestHash,
      actor: change.actor,
    });
    turn.append({ record_kind: 'manifest', manifest_hash: change.manifestHash, config_hash: this.#state.configHash });
    turn.undo.assign(this.#state, 'catalog', this.#state.catalogFor(change.manifestHash));
  }

  #switchConfig(turn: Turn, configHash: Uint8Array): void {
    turn.append({ record_kind: 'manifest', manifest_hash: this.#state.catalog.manifestHash, config_hash: configHash });
    turn.undo.assign(this.#state, 'config', readConfig(this.#state.objects, configHash));
    turn.undo.assign(this.#state, 'configHash', configHash);
  }

  #stamp(proposal: StampProposal, atLeastNs = 0n): Stamp {
    if (proposal.entropy.length !== 64)
      throw new KernelFault('entropy.error', `${proposal.entropy.length} bytes of entropy, 64 expected`);
    let logicalNowNs = this.#state.logicalNowNs;
    if (proposal.logicalNs > logicalNowNs) logicalNowNs = proposal.logicalNs;
    if (atLeastNs > logicalNowNs) logicalNowNs = atLeastNs;
    return {
      nowNs: proposal.nowNs,
      logicalNowNs,
      entropy: proposal.entropy,
      manifestHash: this.#state.catalog.manifestHash,
    };
  }

  // Event, inbox

  #event(ingress: Extract<Ingress, { kind: 'event' }>, stamp: Stamp): Applied {
    const { schema } = ingress;
    const refuse = (code: string, message: string) => this.#reject(ingress, stamp, { code, message }, true);
    if (RESERVED_SCHEMAS.has(schema)) return refuse('schema.reserved', `${schema} is produced only by the runtime`);
    if (!this.#state.catalog.schemas.has(schema))
      return refuse('schema.unknown', `the manifest lists no schema ${schema}`);
    const read = normalizeCbor(ingress.value, { kind: 'ref', name: schema }, this.#state.catalog.scope, schema);
    if (!read.ok) {
      const first = read.failure[0]!;
      return refuse('event.invalid', `${first.code}: ${first.message}`);
    }
    const { bytes: valueCbor, value } = read.value;
    const hash = eventHash({ schema, valueCbor, key: ingress.key });
    return this.#settle(
      ingress,
      stamp,
      (turn) => {
        publish(
          this.#state,
          turn,
          { schema, valueCbor, key: ingress.key, value },
          { origin: 'external', ingress_id: ingress.ingressId },
        );
      },
      { eventHash: hash },
    );
  }

  #inboxRefusal(ingress: Extract<Ingress, { kind: 'inbox' }>): Refusal {
    const { schema } = ingress;
    if (RESERVED_SCHEMAS.has(schema) && schema !== 'sys/FabricMessage@1') {
      return { code: 'schema.reserved', message: `${schema} is produced only by the runtime` };
    }
    if (!this.#state.catalog.schemas.has(schema))
      return { code: 'schema.unknown', message: `the manifest lists no schema ${schema}` };
    const read = normalizeCbor(ingress.value, { kind: 'ref', name: schema }, this.#state.catalog.scope, schema);
    if (!read.ok) return { code: 'event.invalid', message: `${read.failure[0]!.code}: ${read.failure[0]!.message}` };
    return { code: 'inbox.unrouted', message: `no routing.inboxes entry for source ${ingress.source}` };
  }

  // Receipt, timer

  #receipt(ingress: ReceiptIngress, stamp: Stamp): Applied {
    const { receipt, verdict } = ingress;
    const binding = bindReceipt(this.#state, receipt.intentHash, receipt.emissionSeq);
    if (binding.kind === 'duplicate') return this.#skip(ingress, { kind: 'duplicate' });
    if (binding.kind === 'refused') return this.#reject(ingress, stamp, binding.refusal, true);
    const { emission } = binding;
    if (verdict.reject !== undefined) {
      return this.#reject(
        ingress,
        stamp,
        { code: verdict.reject, message: `adapter ${receipt.adapterId}` },
        true,
        emission,
      );
    }
    const accepted = acceptReceipt(this.#state, emission, ingress);
    if (isRefusal(accepted)) return this.#reject(ingress, stamp, accepted, true, emission);
    return this.#settle(ingress, stamp, (turn) => deliverReceipt(this.#state, turn, emission, accepted));
  }

  #timer(ingress: TimerIngress, stamp: Stamp): Applied {
    const emission = this.#state.emissions.get(ingress.emissionSeq);
    if (emission === undefined || emission.class !== 'timer') {
      if (ingress.emissionSeq < this.#state.height && emission === undefined)
        return this.#skip(ingress, { kind: 'duplicate' });
      return this.#reject(
        ingress,
        stamp,
        { code: 'receipt.unknown', message: `emission ${ingress.emissionSeq} is no timer` },
        true,
      );
    }
    const due = timerDueNs(emission);
    if (due - stamp.logicalNowNs > EARLY_TOLERANCE_NS) {
      // A mis-set clock must not drag logical time forward (`kernel.md` §12).
      return this.#skip(ingress, { kind: 'skipped', rearmWallNs: dueWallNs(stamp, due) });
    }
    const at = due > stamp.logicalNowNs ? { ...stamp, logicalNowNs: due } : stamp;
    return this.#settle(ingress, at, (turn) => {
      deliverReceipt(this.#state, turn, emission, timerReceipt(emission, at.logicalNowNs));
    });
  }

  // Manual start, cancel, pin

  #startManually(turn: Turn, plan: string, checked: CheckedStart, ingressId: string | undefined): { planId: number } {
    const locals = new Map([...checked.bindLocals].map(([name, { value }]) => [name, value]));
    const correlation = checked.correlation?.value;
    const seq = turn.append({
      record_kind: 'plan_start',
      plan,
      input_cbor: checked.input.bytes,
      correlation: correlation === undefined ? undefined : encodeValue(correlation),
      bind_locals:
        locals.size === 0
          ? undefined
          : Object.fromEntries([...checked.bindLocals].map(([name, { bytes }]) => [name, bytes])),
      plan_id: this.#state.nextPlanId,
      ingress_id: ingressId,
    });
    const planId = startInstance(this.#state, turn, {
      plan,
      cause: seq,
      input: checked.input.value,
      inputHashOfInvalid: ZERO_CHAIN,
      correlation,
      bindLocals: locals,
    });
    return { planId };
  }

  #cancel(
    turn: Turn,
    cancel: { planId: number; reason: string; actor: string; ingressId?: string | undefined },
  ): { planId: number } {
    const instance = this.#state.instance(cancel.planId)!;
    const seq = turn.append({
      record_kind: 'plan_cancel',
      plan_id: cancel.planId,
      reason: cancel.reason,
      actor: cancel.actor,
      ingress_id: cancel.ingressId,
    });
    turn.undo.assign(instance, 'cause', seq);
    endWithFailure(this.#state, turn, instance, 'cancelled', {});
    return { planId: cancel.planId };
  }

  #custom(turn: Turn, tag: string, data: Uint8Array): void {
    turn.append({ record_kind: 'custom', tag, data });
    if (tag !== PIN_TAG) return;
    const { add, remove } = readPins(data)!;
    const kept = this.#state.pinnedRoots.filter((h) => ![...add, ...remove].some((other) => bytesEqual(h, other)));
    const added = add.filter((h, i) => add.findIndex((other) => bytesEqual(h, other)) === i);
    turn.undo.assign(this.#state, 'pinnedRoots', [...kept, ...added].sort(compareBytes));
  }

  // One turn: root record, then drain

  #settle(
    ingress: Ingress,
    stamp: Stamp,
    root: (turn: Turn) => { planId?: number } | void,
    extra: { eventHash?: Uint8Array; index?: BatchIndex } = {},
  ): Applied {
    const turn = this.#newTurn(stamp);
    let started: { planId?: number } | void;
    try {
      started = root(turn);
      this.#drain(turn);
    } catch (error) {
      turn.undo.rollback();
      if (error instanceof Runaway) {
        return this.#reject(
          ingress,
          stamp,
          { code: 'kernel.runaway', message: 'too many tasks or entries for one ingress' },
          true,
        );
      }
      throw error;
    }
    const lastSeq = turn.nextSeq - 1;
    const outcome: Outcome = {
      kind: 'applied',
      firstSeq: turn.firstSeq,
      lastSeq,
      planId: started?.planId,
      eventHash: extra.eventHash,
    };
    return this.#close(turn, envelopeOf(ingress, true), outcome, true, extra.index);
  }

  #newTurn(stamp: Stamp): Turn {
    return new Turn(this.#state.height, stamp, this.#state.config.limits.max_entries_per_batch);
  }

  #drain(turn: Turn): void {
    const limit = this.#state.config.limits.max_tasks_per_ingress;
    let tasks = 0;
    for (let i = 0; i < turn.planQueue.length; i++) {
      const planId = turn.planQueue[i]!;
      turn.queued.delete(planId);
      const instance = this.#state.instance(planId);
      if (instance === undefined) continue;
      if (++tasks > limit) throw new Runaway();
      runInstance(this.#state, turn, instance);
    }
  }

  /** @param remember - whether its `ingress_id` becomes known. */
  #reject(ingress: Ingress, stamp: Stamp, refusal: Refusal, remember: boolean, pending?: Emission): Applied {
    // One record always fits, whatever the limits are: a refusal is never refused.
    const turn = new Turn(this.#state.height, stamp, 1);
    const wellFormed = checkShape(ingress, this.#state.config.limits) === undefined;
    turn.append({
      record_kind: 'ingress_rejected',
      ingress_kind: ingress.kind,
      ingress_id: wellFormed ? ingress.ingressId : undefined,
      inbox_seq: ingress.inboxSeq,
      emission_seq: wellFormed && ingress.kind === 'receipt' ? ingress.receipt.emissionSeq : undefined,
      digest: wellFormed ? ingressDigest(ingress) : ZERO_CHAIN,
      code: refusal.code,
      message: refusal.message,
    });
    if (pending !== undefined && ingress.kind === 'receipt') {
      turn.released.push({ emissionSeq: pending.emissionSeq, dedupeKey: ingress.dedupeKey, token: ingress.token });
    }
    const { code, message } = refusal;
    const outcome: Outcome = { kind: 'rejected', code, message, firstSeq: turn.firstSeq, lastSeq: turn.firstSeq };
    return this.#close(turn, envelopeOf(ingress, wellFormed), outcome, remember);
  }

  /** Nothing to journal, unless an inbox item was passed over: then the cursor moves. */
  #skip(ingress: Ingress, outcome: Outcome): Applied {
    if (ingress.inboxSeq === undefined) return { outcome, records: [], objects: [] };
    const before = this.#position();
    this.#state.cursor = ingress.inboxSeq;
    const batch = this.#seal({ kind: 'skip', inboxSeq: ingress.inboxSeq }, undefined, [], {
      inboxCursor: ingress.inboxSeq,
    });
    this.#tentative.push({ turn: undefined, before });
    return { outcome, batch, records: [], objects: [] };
  }

  #close(turn: Turn, envelope: BatchBody['ingress'], outcome: Outcome, remember: boolean, index?: BatchIndex): Applied {
    const state = this.#state;
    const before = this.#position();
    turn.undo.assign(state, 'logicalNowNs', turn.stamp.logicalNowNs);
    turn.undo.assign(state, 'lastNowNs', turn.stamp.nowNs);
    const { ingressId, digest, inboxSeq } = envelope;
    if (ingressId !== undefined && digest !== undefined && remember) {
      state.ingressMemory.add({ ingressId, firstSeq: turn.firstSeq, digest }, turn.undo);
    }
    if (inboxSeq !== undefined) state.cursor = inboxSeq;
    const { emitted, timers, settled, released } = turn;
    const batch = this.#seal(envelope, turn.stamp, turn.entries, {
      inboxCursor: inboxSeq,
      emitted,
      timers,
      settled,
      released,
      index,
    });
    this.#tentative.push({ turn, before });
    return { outcome, batch, records: turn.records, objects: turn.objects };
  }

  #position(): Position {
    return { height: this.#state.height, chain: this.#state.chain, cursor: this.#state.cursor };
  }

  /** Encodes the batch and moves head and chain. */
  #seal(
    ingress: BatchBody['ingress'],
    stamp: Stamp | undefined,
    entries: readonly Uint8Array[],
    rows: Partial<Pick<Batch, 'inboxCursor' | 'emitted' | 'timers' | 'settled' | 'released' | 'index'>>,
  ): Batch {
    const state = this.#state;
    const firstSeq = state.height;
    const body = encodeBatchBody({
      v: 1,
      firstSeq,
      epoch: this.#replayedEpoch ?? this.#epoch,
      cursor: state.cursor,
      ingress,
      stamp,
      entries,
    });
    state.chain = nextChain(state.chain, body);
    state.height = firstSeq + entries.length;
    return {
      chain: state.chain,
      body,
      firstSeq,
      lastSeq: state.height - 1,
      emitted: [],
      timers: [],
      settled: [],
      released: [],
      ...rows,
      internalPending: false,
    };
  }

  #applySnapshot(ingress: SnapshotIngress): Applied {
    if (this.#tentative.length > 0) throw new Error('a snapshot is journaled only when every batch is accepted');
    const state = this.#state;
    const before = this.#position();
    const height = state.height;
    const records = snapshotRecords(state, ingress);
    const index: BatchIndex = {
      snapshot: { height, ref: ingress.snapshotRef },
      baseline: ingress.promote ? { height, ref: ingress.snapshotRef } : undefined,
    };
    const turn = new Turn(height, NO_STAMP, records.length);
    for (const record of records) turn.append(record);
    const batch = this.#seal({ kind: 'snapshot' }, undefined, turn.entries, { index });
    this.#tentative.push({ turn, before });
    this.#isSnapshotTaken = true;
    const outcome: Outcome = { kind: 'applied', firstSeq: height, lastSeq: batch.lastSeq };
    return { outcome, batch, records, objects: [] };
  }

  #applyGenesis(ingress: GenesisIngress, proposal: StampProposal): Applied {
    const origin = this.#state.config.logical_origin;
    return this.#genesisBatch(ingress, { ...this.#stamp(proposal), logicalNowNs: origin ?? proposal.nowNs });
  }

  #genesisBatch(
    ingress: { readonly manifestHash: Uint8Array; readonly configHash: Uint8Array },
    stamp: Stamp,
  ): Applied {
    const state = this.#state;
    const before = this.#position();
    const turn = new Turn(state.height, stamp, 1);
    turn.append({ record_kind: 'manifest', manifest_hash: ingress.manifestHash, config_hash: ingress.configHash });
    state.logicalNowNs = stamp.logicalNowNs;
    state.lastNowNs = stamp.nowNs;
    const batch = this.#seal({ kind: 'genesis' }, stamp, turn.entries, {
      index: { configHash: ingress.configHash, activate: true },
    });
    this.#tentative.push({ turn, before });
    return { outcome: { kind: 'applied', firstSeq: 0, lastSeq: 0 }, batch, records: turn.records, objects: [] };
  }

  // Replay: recorded input drives, derived records are compared by the caller (`journal.md` §7)

  /**
   * Feeds one recorded batch. The caller compares the produced entries with the recorded ones and accepts.
   *
   * @returns `journal.corrupt` when the records cannot be the batch of any ingress.
   */
  replay(body: BatchBody, records: readonly JournalRecord[]): Result<Applied> {
    this.#replayedEpoch = body.epoch;
    try {
      return this.#replayRoot(body, records);
    } finally {
      this.#replayedEpoch = undefined;
    }
  }

  #replayRoot(body: BatchBody, records: readonly JournalRecord[]): Result<Applied> {
    const root = records[0];
    const { kind } = body.ingress;
    if (root === undefined) {
      return kind === 'seal' || kind === 'skip'
        ? ok(this.#replayEmpty(body))
        : corrupt(`batch at ${body.firstSeq} is empty, which none of ${kind} is`);
    }
    if (!(INGRESS_OF_ROOT[root.record_kind] ?? []).includes(kind))
      return corrupt(`batch at ${body.firstSeq}: ${root.record_kind} is no root of ${kind}`);
    if (root.record_kind === 'snapshot') {
      return ok(this.#applySnapshot({ kind: 'snapshot', snapshotRef: root.snapshot_ref, promote: records.length > 1 }));
    }
    const stamp = body.stamp;
    if (stamp === undefined) return corrupt(`batch at ${body.firstSeq} has no stamp`);
    if (!bytesEqual(stamp.manifestHash, this.#state.catalog.manifestHash))
      return corrupt(`batch at ${body.firstSeq} is stamped with a manifest that is not active`);
    if (stamp.logicalNowNs < this.#state.logicalNowNs)
      return corrupt(`batch at ${body.firstSeq}: logical time goes back`);
    if (root.record_kind === 'ingress_rejected') {
      return root.ingress_kind === kind
        ? ok(this.#replayRejected(body, root, stamp))
        : corrupt(`batch at ${body.firstSeq} rejects ${root.ingress_kind} as ${kind}`);
    }
    const again = (run: (turn: Turn) => void): Result<Applied> => {
      const turn = this.#newTurn(stamp);
      try {
        run(turn);
        this.#drain(turn);
      } catch (error) {
        if (!(error instanceof Runaway)) throw error;
        return corrupt(`batch at ${body.firstSeq} is over the limits of this world`);
      }
      return ok(this.#close(turn, body.ingress, appliedOutcome(turn), true));
    };
    switch (root.record_kind) {
      case 'domain_event': {
        const { schema, value: valueCbor, key, origin, ingress_id } = root;
        // Inbox messages need a route, and there are none before reducers.
        if (origin !== 'external') return corrupt(`event at ${body.firstSeq} has origin ${origin}`);
        if (!this.#state.catalog.schemas.has(schema)) return corrupt(`event at ${body.firstSeq}: unknown ${schema}`);
        return again((turn) => {
          publish(this.#state, turn, { schema, valueCbor, key }, { origin, ingress_id });
        });
      }
      case 'effect_receipt': {
        const emission = this.#state.emissions.get(root.emission_seq);
        if (emission === undefined || !bytesEqual(emission.intentHash, root.intent_hash))
          return corrupt(`receipt at ${body.firstSeq} settles no open emission`);
        const { record_kind: _, disposition: __, ...receipt } = root;
        return again((turn) => deliverReceipt(this.#state, turn, emission, receipt as AcceptedReceipt));
      }
      case 'plan_start': {
        const checked = checkStart(this.#state.catalog, {
          kind: 'plan_start',
          plan: root.plan,
          input: root.input_cbor,
          correlation: root.correlation,
          bindLocals: root.bind_locals,
        });
        if (isRefusal(checked)) return corrupt(`plan_start at ${body.firstSeq}: ${checked.code}`);
        return again((turn) => {
          this.#startManually(turn, root.plan, checked, root.ingress_id);
        });
      }
      case 'plan_cancel':
        if (this.#state.instance(root.plan_id) === undefined)
          return corrupt(`plan_cancel at ${body.firstSeq} names no live instance`);
        return again((turn) => {
          this.#cancel(turn, {
            planId: root.plan_id,
            reason: root.reason,
            actor: root.actor,
            ingressId: root.ingress_id,
          });
        });
      case 'custom':
        if (root.tag === PIN_TAG && readPins(root.data) === undefined)
          return corrupt(`${PIN_TAG} at ${body.firstSeq} is not {add, remove}`);
        return again((turn) => this.#custom(turn, root.tag, root.data));
      case 'governance': {
        const { manifest_hash_new: manifestHash, manifest_base: manifestBase, patch_hash: patchHash, actor } = root;
        return again((turn) => this.#switchManifest(turn, { manifestHash, manifestBase, patchHash, actor }));
      }
      case 'manifest':
        if (body.firstSeq > 0) return again((turn) => this.#switchConfig(turn, root.config_hash));
        return ok(this.#genesisBatch({ manifestHash: root.manifest_hash, configHash: root.config_hash }, stamp));
      default:
        return corrupt(`a batch cannot begin with ${root.record_kind}`);
    }
  }

  #replayEmpty(body: BatchBody): Applied {
    const before = this.#position();
    this.#state.cursor = body.ingress.inboxSeq ?? this.#state.cursor;
    const batch = this.#seal(body.ingress, undefined, [], {});
    this.#tentative.push({ turn: undefined, before });
    return { outcome: { kind: 'skipped' }, batch, records: [], objects: [] };
  }

  #replayRejected(
    body: BatchBody,
    root: Extract<JournalRecord, { record_kind: 'ingress_rejected' }>,
    stamp: Stamp,
  ): Applied {
    const turn = new Turn(this.#state.height, stamp, 1);
    turn.append(root);
    // A conflict leaves the first ingress of that id known.
    return this.#close(turn, body.ingress, appliedOutcome(turn), root.code !== 'ingress.conflict');
  }
}

/** @param identified - false for an `ingress_id` that cannot be written. */
function envelopeOf(ingress: Ingress, identified: boolean): BatchBody['ingress'] {
  const ingressId = identified ? ingress.ingressId : undefined;
  const digest = ingressId === undefined ? undefined : ingressDigest(ingress);
  return { kind: ingress.kind, ingressId, digest, inboxSeq: ingress.inboxSeq };
}

function appliedOutcome(turn: Turn): Outcome {
  return { kind: 'applied', firstSeq: turn.firstSeq, lastSeq: turn.nextSeq - 1 };
}

/** About 2 KB each: what a busy world keeps at hand, and an idle one does not notice. */
const RESIDENT_MAX = 4096;

interface Position {
  readonly height: number;
  readonly chain: Uint8Array;
  readonly cursor: Uint8Array;
}

/** Which ingress a batch that begins with this record consumed; records that begin none are not listed. */
const INGRESS_OF_ROOT: { readonly [kind in RecordKind]?: readonly string[] } = {
  domain_event: ['event'],
  effect_receipt: ['receipt', 'timer'],
  plan_start: ['plan_start'],
  plan_cancel: ['control'],
  custom: ['control'],
  governance: ['control'],
  manifest: ['genesis', 'control'],
  ingress_rejected: ['event', 'inbox', 'receipt', 'timer', 'plan_start', 'control'],
  snapshot: ['snapshot'],
};

const PIN_TAG = 'sys/pin';
const PIN_MEMBERS: ReadonlySet<string> = new Set(['add', 'remove']);

function readPins(
  data: Uint8Array,
): { readonly add: readonly Uint8Array[]; readonly remove: readonly Uint8Array[] } | undefined {
  const decoded = decode(data);
  if (!decoded.ok || !isMap(decoded.value, PIN_MEMBERS)) return undefined;
  const { add, remove } = decoded.value;
  const areHashes = (list: typeof add): list is readonly Uint8Array[] => Array.isArray(list) && list.every(isHash32);
  return areHashes(add) && areHashes(remove) ? { add, remove } : undefined;
}

const EARLY_TOLERANCE_NS = 1_000_000_000n;

const NO_STAMP: Stamp = { nowNs: 0n, logicalNowNs: 0n, entropy: new Uint8Array(64), manifestHash: ZERO_CHAIN };

function corrupt(message: string): Result<never> {
  return fail({ code: 'journal.corrupt', path: [], message });
}

/** State before anything was applied; manifest and config must load. */
export function genesisState(
  objects: ObjectSource,
  ingress: { readonly manifestHash: Uint8Array; readonly configHash: Uint8Array },
): Result<WorldState, readonly Diagnostic[]> {
  const config = readConfig(objects, ingress.configHash);
  const catalog = loadStored(ingress.manifestHash, (hash) => objects.get(hash), {
    requirePolicy: config.require_policy,
  });
  if (!catalog.ok) return catalog;
  return ok(new WorldState(objects, catalog.value, config, ingress.configHash, ZERO_CHAIN));
}

export function readConfig(objects: ObjectSource, configHash: Uint8Array): WorldConfig {
  const bytes = objects.get(configHash);
  if (bytes === undefined) throw new KernelFault('object.missing', `config ${hashText(configHash)}`);
  const config = decodeConfig(bytes);
  if (!config.ok) throw new KernelFault('object.corrupt', `config ${hashText(configHash)}: ${config.failure.message}`);
  return config.value;
}

function snapshotRecords(state: WorldState, ingress: SnapshotIngress): JournalRecord[] {
  const manifestHash = state.catalog.manifestHash;
  const height = state.height;
  const records: JournalRecord[] = [
    { record_kind: 'snapshot', snapshot_ref: ingress.snapshotRef, height, manifest_hash: manifestHash },
  ];
  if (ingress.promote) {
    const oldest = state.emissions.entries()[Symbol.iterator]().next();
    records.push({
      record_kind: 'baseline',
      snapshot_ref: ingress.snapshotRef,
      height,
      manifest_hash: manifestHash,
      logical_time_ns: state.logicalNowNs,
      receipt_horizon_height: oldest.done === true ? height : oldest.value[0],
    });
  }
  return records;
}
