import { type Catalog, type Diagnostic, type Env, loadStored, normalizeCbor, type Value } from '@worldline/air';
import { bytesEqual, encode, hashText, ok, type Result, utf8 } from '@worldline/canon';
import type { Applied, BatchIndex, Outcome, StoredObject } from './batch.ts';
import { BatchLog, type RecordedBatch } from './batch-log.ts';
import type { BatchBody } from './body.ts';
import { ZERO_CHAIN } from './chain.ts';
import { decodeConfig, type WorldConfig } from './config.ts';
import { cancelPlan, custom, PIN_TAG, readConfig, startManually, switchConfig, switchManifest } from './control.ts';
import { type Emission, timerDueNs } from './emission.ts';
import { InstanceEnv } from './env.ts';
import { KernelFault } from './fault.ts';
import { type CapVerdict, checkGrant, dueWallNs, recordedParamsType } from './gate.ts';
import type { GenesisIngress, Ingress, ReceiptIngress, StampProposal, TimerIngress } from './ingress.ts';
import { ingressDigest } from './ingress-digest.ts';
import { checkShape, checkStart, isRefusal, REASON_BYTES_MAX, type Refusal } from './input.ts';
import type { Instance } from './instance.ts';
import { eventHash, publish } from './publish.ts';
import { acceptReceipt, bindReceipt, deliverReceipt, timerReceipt } from './receive.ts';
import type { JournalRecord } from './record.ts';
import { replayInput } from './replay.ts';
import { RESERVED_SCHEMAS } from './reserved.ts';
import { snapshotRoot } from './snapshot.ts';
import { type ObjectSource, WorldState } from './state.ts';
import { Runaway, type Stamp, type Turn } from './turn.ts';
import type { Wait } from './wait-index.ts';

export interface KernelOptions {
  readonly objects: ObjectSource;
  /** Lease epoch of the writer that uses the kernel. */
  readonly epoch: number;
  /** Instances kept in memory after a snapshot; default 4 096. */
  readonly residentMax?: number | undefined;
  /** The store may lack the nodes of a snapshot that is applied, so nothing is let go of after it. */
  readonly keepsAll?: boolean | undefined;
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
  readonly #log: BatchLog;
  /** What `snapshot` computed last. */
  #digest: { readonly ref: Uint8Array; readonly height: number } | undefined;

  readonly #residentMax: number;
  readonly #keepsAll: boolean;

  private constructor(state: WorldState, options: KernelOptions) {
    this.#state = state;
    this.#log = new BatchLog(state, options.epoch);
    this.#residentMax = options.residentMax ?? RESIDENT_MAX;
    this.#keepsAll = options.keepsAll ?? false;
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
    const logicalNowNs = state.value.config.logical_origin ?? stamp.nowNs;
    return ok({ kernel, applied: kernel.#log.genesis(ingress, { ...kernel.#stamp(stamp), logicalNowNs }) });
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

  /** All pending emissions, by seq; to rebuild outbox and timer rows. */
  *pending(): Iterable<Emission> {
    for (const [, emission] of this.#state.emissions.entries()) yield emission;
  }

  emission(emissionSeq: number): Emission | undefined {
    return this.#state.emissions.get(emissionSeq);
  }

  emissionOfIntent(intentHash: Uint8Array): Emission | undefined {
    return this.#state.emissions.ofIntent(intentHash);
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

  /** What the expressions of a live instance read now, with `event` as `@event`. To explain, never to decide. */
  environmentOf(instance: Instance, event?: Value): Env {
    return new InstanceEnv(instance, this.#state.definitionOf(instance), event);
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
    const paramsType = recordedParamsType(effect, this.#state.catalog.scope);
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
    if (this.#log.tentativeCount > 0) throw new Error('a snapshot is taken only when every batch is accepted');
    const ref = snapshotRoot(this.#state);
    this.#digest = { ref, height: this.#state.height };
    return { ref, objects: [...this.#state.unsaved.values()] };
  }

  // Durability

  /** The oldest `count` tentative batches are durable. */
  accept(count: number): void {
    if (!this.#log.accept(count)) return;
    // Nothing was put since the snapshot: the next one waits until every batch is accepted.
    this.#state.unsaved.clear();
    if (!this.#keepsAll) this.#state.releaseIdle(this.#residentMax);
  }

  /** Instances held in memory; the others are rows of the store until something is delivered to them (D7). */
  get residentCount(): number {
    return this.#state.resident.size;
  }

  /** A commit failed: drops every tentative batch. */
  discard(): void {
    this.#log.discard();
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
      return this.#log.snapshot(ingress);
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
          startManually(this.#state, turn, ingress.plan, checked, ingress.ingressId),
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
        return this.#settle(ingress, stamp, (turn) => cancelPlan(this.#state, turn, ingress));
      case 'pin': {
        const data = encode({ add: [...ingress.add], remove: [...ingress.remove] });
        return this.#settle(ingress, stamp, (turn) => custom(this.#state, turn, PIN_TAG, data));
      }
      case 'manifest': {
        const refusal = this.#manifestRefusal(ingress);
        return refusal === undefined
          ? this.#settle(ingress, stamp, (turn) => switchManifest(this.#state, turn, ingress))
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
        return this.#settle(ingress, stamp, (turn) => switchConfig(this.#state, turn, ingress.configHash), {
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

  #stamp(proposal: StampProposal): Stamp {
    if (proposal.entropy.length !== 64)
      throw new KernelFault('entropy.error', `${proposal.entropy.length} bytes of entropy, 64 expected`);
    let logicalNowNs = this.#state.logicalNowNs;
    if (proposal.logicalNs > logicalNowNs) logicalNowNs = proposal.logicalNs;
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
          { schema, valueCbor, key: ingress.key, value, hash },
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

  // One turn: root record, then drain

  #settle(
    ingress: Ingress,
    stamp: Stamp,
    root: (turn: Turn) => { readonly planId: number } | void,
    extra: { eventHash?: Uint8Array; index?: BatchIndex } = {},
  ): Applied {
    const turn = this.#log.newTurn(stamp);
    let started: { readonly planId: number } | void;
    try {
      started = root(turn);
      this.#log.drain(turn);
    } catch (error) {
      this.#log.abandon(turn);
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
    const outcome: Outcome = {
      kind: 'applied',
      firstSeq: turn.firstSeq,
      lastSeq: turn.nextSeq - 1,
      planId: started?.planId,
      eventHash: extra.eventHash,
    };
    return this.#log.close(turn, envelopeOf(ingress, true), outcome, true, extra.index);
  }

  /** @param remember - whether its `ingress_id` becomes known. */
  #reject(ingress: Ingress, stamp: Stamp, refusal: Refusal, remember: boolean, pending?: Emission): Applied {
    const turn = this.#log.refusalTurn(stamp);
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
    return this.#log.close(turn, envelopeOf(ingress, wellFormed), outcome, remember);
  }

  /** Nothing to journal, unless an inbox item was passed over: then the cursor moves. */
  #skip(ingress: Ingress, outcome: Outcome): Applied {
    const { inboxSeq } = ingress;
    if (inboxSeq === undefined) return { outcome, records: [], objects: [] };
    return this.#log.empty({ kind: 'skip', inboxSeq }, outcome);
  }

  /**
   * Feeds one recorded batch. The caller compares what it gives with what is recorded, and accepts.
   *
   * @param root - the first record; undefined for a batch without entries.
   * @returns `journal.corrupt` when this cannot be the batch of any ingress.
   */
  replay(recorded: RecordedBatch, body: BatchBody, root: JournalRecord | undefined): Result<Applied> {
    const { body: bytes, chain } = recorded;
    return this.#log.replaying({ body: bytes, chain, epoch: body.epoch }, () =>
      replayInput(this.#state, this.#log, body, root),
    );
  }
}

/** @param identified - false for an `ingress_id` that cannot be written. */
function envelopeOf(ingress: Ingress, identified: boolean): BatchBody['ingress'] {
  const ingressId = identified ? ingress.ingressId : undefined;
  const digest = ingressId === undefined ? undefined : ingressDigest(ingress);
  return { kind: ingress.kind, ingressId, digest, inboxSeq: ingress.inboxSeq };
}

const EARLY_TOLERANCE_NS = 1_000_000_000n;

/** About 2 KB each: what a busy world keeps at hand, and an idle one does not notice. */
const RESIDENT_MAX = 4096;

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
