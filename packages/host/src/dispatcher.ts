import { type Catalog, recordedParamsSchema, typeDigest } from '@worldline/air';
import { type CborValue, encode, hashText } from '@worldline/canon';
import type { Applied, CapVerdict, Emission } from '@worldline/kernel';
import type {
  AdapterCtx,
  AdapterEnv,
  Blobs,
  Clock,
  DeliveryClass,
  EffectAdapter,
  EffectOutcome,
  Failpoints,
  GuardedHttp,
  Logger,
  Store,
} from '@worldline/ports';
import type { EffectsConfig, RetryPolicy } from './config.ts';
import { EmissionRequest } from './effect-request.ts';
import type { HostFailure } from './failure.ts';
import type { FinishedReceipt } from './loop-input.ts';
import { checkedOutcome, errorOutcome, receiptOf, thrownOutcome } from './outcome.ts';
import { type AdapterRegistry, DISPATCHER_ID } from './registry.ts';
import { injectSecrets, mayHoldSecrets, type Redactor, type SecretResolver } from './secrets.ts';
import type { UnsignedReceipt } from './signer.ts';

/**
 * Performs durable external intents and hands their receipts to the loop (`host.md` §3, §4).
 *
 * D1  Only intents whose batch is durable come here; each is held until its receipt is durable.
 * D2  Every intent ends in exactly one outcome handed over, unless the process ends first.
 * D3  Before an `at_most_once` call the outbox row carries a started mark; a row that comes back with it is not run.
 * D4  Nothing an adapter does (throw, hang, answer twice, answer nonsense) reaches the loop as anything but a receipt.
 */

export interface DispatchClaim {
  readonly token: Uint8Array;
  /** 1 for the first claim. */
  readonly attempt: number;
  readonly started: boolean;
}

/** What operators may watch; best effort, never journaled. */
export type HostEvent =
  | { readonly event: 'dispatch'; readonly emissionSeq: number; readonly kind: string; readonly attempt: number }
  | {
      readonly event: 'attempt_failed';
      readonly emissionSeq: number;
      readonly kind: string;
      readonly attempt: number;
      readonly code: string;
    };

export interface DispatcherOptions {
  readonly worldId: string;
  readonly universeId: string;
  readonly store: Store;
  readonly registry: AdapterRegistry;
  readonly effects: EffectsConfig;
  readonly maxReceiptBytes: () => number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly http: GuardedHttp;
  /** Refuses secrets; `openBlobs` does not. */
  readonly blobs: Blobs;
  readonly openBlobs: Blobs;
  readonly redactor: Redactor;
  readonly secrets: SecretResolver;
  readonly allowEcho: readonly string[];
  readonly liveCatalog: () => Catalog;
  /** Catalog that the emission's origin pins. */
  readonly pinnedCatalog: (emission: Emission) => Catalog;
  readonly recheckCap: (emission: Emission, paramsCbor: Uint8Array) => CapVerdict;
  readonly deliver: (finished: FinishedReceipt) => void;
  /** An outbox row is nobody's now; somebody has to claim it. */
  readonly onUnclaimed: () => void;
  readonly onHostEvent?: ((event: HostEvent) => void) | undefined;
  /** In [0, 1); for jitter. */
  readonly random: () => number;
  readonly failpoints?: Failpoints | undefined;
}

/** How long an adapter may ignore its signal before its result is given up. */
const ABORT_GRACE_NS = 5_000_000_000n;
const MARK_RETRY_MS = 250;

type FlightState = 'queued' | 'running' | 'deferred' | 'finished';

class Flight implements FinishedReceipt {
  readonly emission: Emission;
  readonly adapter: EffectAdapter | undefined;
  readonly claim: DispatchClaim;
  token: Uint8Array;
  state: FlightState = 'queued';
  deliveryClass: DeliveryClass = 'read';
  request: EmissionRequest;
  context: FlightContext | undefined;
  deadlineNs = 0n;
  retries = 0;
  /** While it waits for its next attempt: when that comes, by the wall clock, and what ended the one before. */
  pause: { readonly untilNs: bigint; readonly code: string } | undefined;
  isExpired = false;
  /** Made when somebody looks at the signal, or when it fires. */
  controller: AbortController | undefined;
  receipt!: UnsignedReceipt;
  readonly #dispatcher: Dispatcher;
  #settled: ((applied: Applied | HostFailure) => void)[] = [];

  constructor(
    dispatcher: Dispatcher,
    emission: Emission,
    adapter: EffectAdapter | undefined,
    claim: DispatchClaim,
    request: EmissionRequest,
  ) {
    this.#dispatcher = dispatcher;
    this.emission = emission;
    this.adapter = adapter;
    this.claim = claim;
    this.token = claim.token;
    this.request = request;
  }

  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    return this.controller.signal;
  }

  abort(reason: string): void {
    this.controller ??= new AbortController();
    this.controller.abort(new DOMException(reason, reason === 'timeout' ? 'TimeoutError' : 'AbortError'));
  }

  onSettled(fn: (applied: Applied | HostFailure) => void): void {
    this.#settled.push(fn);
  }

  onDurable(applied: Applied): void {
    this.#dispatcher.receiptDurable(this, applied);
    for (const fn of this.#settled) fn(applied);
  }

  onDropped(failure: HostFailure): void {
    for (const fn of this.#settled) fn(failure);
  }
}

interface Lane {
  readonly adapter: EffectAdapter;
  readonly maxInFlight: number;
  inFlight: number;
  waiting: Flight[];
  /** Index of the next one in `waiting`. */
  next: number;
}

export class Dispatcher {
  readonly options: DispatcherOptions;
  readonly #held = new Map<number, Flight>();
  readonly #deferredByIntent = new Map<string, Flight>();
  readonly #lanes = new Map<EffectAdapter, Lane>();
  readonly #running = new Set<Flight>();
  readonly #kindsWithSecrets = new WeakMap<Catalog, Map<string, boolean>>();
  #inFlight = 0;
  #unfinished = 0;
  #sweepAtNs: bigint | undefined;
  #cancelSweep: (() => void) | undefined;
  #isDraining = false;
  #isStopped = false;
  /** Ends the timers of pauses. */
  readonly #cancelAfter = new Set<() => void>();
  #idleWaiters: (() => void)[] = [];

  constructor(options: DispatcherOptions) {
    this.options = options;
    for (const adapter of options.registry.adapters) {
      this.#lanes.set(adapter, {
        adapter,
        maxInFlight: adapter.maxConcurrency ?? 16,
        inFlight: 0,
        waiting: [],
        next: 0,
      });
    }
  }

  async startAdapters(): Promise<void> {
    const { worldId, universeId, clock, log, blobs, http, registry } = this.options;
    const env: AdapterEnv = { worldId, universeId, clock, log, blobs, http };
    for (const adapter of registry.adapters) await adapter.start?.(env);
  }

  async stopAdapters(): Promise<void> {
    for (const adapter of this.options.registry.adapters) {
      try {
        await adapter.stop?.();
      } catch (error) {
        this.options.log.warn('an adapter did not stop cleanly', { adapter: adapter.id, error: String(error) });
      }
    }
  }

  isHeld(emissionSeq: number): boolean {
    return this.#held.has(emissionSeq);
  }

  /** Effects that are queued, running, or finished and not durable; deferred ones wait for somebody else. */
  get busyCount(): number {
    return this.#unfinished;
  }

  get inFlightCount(): number {
    return this.#inFlight;
  }

  stateOf(emissionSeq: number):
    | {
        readonly state: 'queued' | 'in_flight' | 'deferred';
        readonly attempt: number;
        readonly pause: { readonly untilNs: bigint; readonly code: string } | undefined;
      }
    | undefined {
    const flight = this.#held.get(emissionSeq);
    if (flight === undefined) return undefined;
    const state = flight.state === 'deferred' ? 'deferred' : flight.state === 'queued' ? 'queued' : 'in_flight';
    return { state, attempt: flight.request.attempt, pause: flight.pause };
  }

  /** Takes over one durable intent that this process has claimed. */
  dispatch(emission: Emission, claim: DispatchClaim): void {
    if (this.#isStopped) return;
    const known = this.#held.get(emission.emissionSeq);
    if (known !== undefined) {
      // Claimed once more by ourselves: only the token is new.
      known.token = claim.token;
      return;
    }
    const { worldId, registry, liveCatalog, effects } = this.options;
    const adapter = registry.find(emission.kind);
    const parts = { worldId, emission, catalog: liveCatalog(), attempt: claim.attempt, recovered: claim.attempt > 1 };
    const flight = new Flight(this, emission, adapter, claim, new EmissionRequest(parts));
    this.#held.set(emission.emissionSeq, flight);
    this.#unfinished++;
    if (adapter === undefined) {
      this.#settle(flight, errorOutcome('adapter.missing', `no adapter performs ${emission.kind}`), DISPATCHER_ID);
      return;
    }
    try {
      flight.deliveryClass = adapter.classify(flight.request);
    } catch (error) {
      this.#settle(flight, thrownOutcome(error), adapter.id);
      return;
    }
    if (flight.deliveryClass === 'deferred') {
      this.#register(flight, adapter);
      return;
    }
    if (flight.deliveryClass === 'at_most_once' && claim.started) {
      const message = 'the call was begun before a restart; whether it happened is not known';
      this.#settle(flight, errorOutcome('delivery.unknown', message), DISPATCHER_ID);
      return;
    }
    if (claim.attempt > effects.claimsMax) {
      this.#settle(
        flight,
        errorOutcome('delivery.exhausted', `${effects.claimsMax} dispatches ended without an outcome`),
        DISPATCHER_ID,
      );
      return;
    }
    const lane = this.#lanes.get(adapter)!;
    lane.waiting.push(flight);
    this.#fill(lane);
  }

  // Concurrency

  #fill(lane: Lane): void {
    while (
      lane.next < lane.waiting.length &&
      lane.inFlight < lane.maxInFlight &&
      this.#inFlight < this.options.effects.maxInFlight
    ) {
      const flight = lane.waiting[lane.next++]!;
      // Settled by somebody else while it waited.
      if (flight.state !== 'queued') continue;
      lane.inFlight++;
      this.#inFlight++;
      this.#begin(flight);
    }
    if (lane.next > 0 && lane.next === lane.waiting.length) {
      lane.waiting = [];
      lane.next = 0;
    } else if (lane.next > 1024) {
      lane.waiting = lane.waiting.slice(lane.next);
      lane.next = 0;
    }
  }

  #leaveLane(flight: Flight): void {
    if (!this.#running.delete(flight)) return;
    const own = this.#lanes.get(flight.adapter!)!;
    own.inFlight--;
    this.#inFlight--;
    this.#fill(own);
    // The overall limit may have held back another adapter's effects.
    for (const lane of this.#lanes.values()) {
      if (this.#inFlight >= this.options.effects.maxInFlight) break;
      if (lane !== own && lane.next < lane.waiting.length) this.#fill(lane);
    }
  }

  #begin(flight: Flight): void {
    const { clock, effects } = this.options;
    flight.state = 'running';
    flight.deadlineNs = clock.monoNs() + BigInt(flight.adapter!.timeoutMs ?? effects.timeoutMs) * 1_000_000n;
    this.#running.add(flight);
    this.#sweepBy(flight.deadlineNs);
    if (flight.deliveryClass === 'at_most_once') this.#mark(flight);
    else this.#attempt(flight);
  }

  // The started mark (§3.3)

  #mark(flight: Flight): void {
    const { store, worldId, log } = this.options;
    store.outbox.start(worldId, flight.emission.emissionSeq, flight.token).then(
      (answer) => {
        if (flight.state !== 'running' || this.#isStopped) return;
        if (answer.answer === 'ok') {
          this.options.failpoints?.reach('dispatch.marked', flight.emission.kind);
          this.#attempt(flight);
        } else if (answer.answer === 'lost') {
          // Another claim owns the row now; its owner performs it.
          this.#release(flight);
          this.options.onUnclaimed();
        } else {
          log.warn('an effect waits: its started mark could not be stored', {
            kind: flight.emission.kind,
            reason: answer.message,
          });
          this.#after(MARK_RETRY_MS, () => {
            if (flight.state === 'running' && !flight.isExpired) this.#mark(flight);
          });
        }
      },
      (error: unknown) => this.#settle(flight, thrownOutcome(error), DISPATCHER_ID),
    );
  }

  // One attempt

  #attempt(flight: Flight): void {
    const { emission } = flight;
    this.options.onHostEvent?.({
      event: 'dispatch',
      emissionSeq: emission.emissionSeq,
      kind: emission.kind,
      attempt: flight.request.attempt,
    });
    if (!this.#needsSecrets(emission)) {
      this.#execute(flight, flight.request);
      return;
    }
    this.#inject(flight).then(
      (injected) => {
        if (flight.state !== 'running') return;
        if (injected.ok)
          this.#execute(flight, flight.request.with({ attempt: flight.request.attempt, injected: injected.value }));
        else this.#settle(flight, errorOutcome(injected.code, injected.message), DISPATCHER_ID);
      },
      (error: unknown) => this.#settle(flight, thrownOutcome(error), DISPATCHER_ID),
    );
  }

  #needsSecrets(emission: Emission): boolean {
    const catalog = this.options.pinnedCatalog(emission);
    let kinds = this.#kindsWithSecrets.get(catalog);
    if (kinds === undefined) {
      kinds = new Map();
      this.#kindsWithSecrets.set(catalog, kinds);
    }
    let needs = kinds.get(emission.kind);
    if (needs === undefined) {
      const effect = catalog.effects.get(emission.kind);
      needs =
        effect !== undefined && mayHoldSecrets({ kind: 'ref', name: recordedParamsSchema(effect.def) }, catalog.scope);
      kinds.set(emission.kind, needs);
    }
    return needs;
  }

  #inject(flight: Flight) {
    const { secrets, pinnedCatalog, liveCatalog } = this.options;
    const { emission } = flight;
    const catalog = pinnedCatalog(emission);
    const plan = emission.origin.origin_kind === 'plan' ? emission.origin.name : undefined;
    const type = { kind: 'ref', name: recordedParamsSchema(catalog.effects.get(emission.kind)!.def) } as const;
    const declared = liveCatalog().secrets;
    return injectSecrets(flight.request.params, type, catalog.scope, (ref) =>
      secrets.resolve(declared, ref, { grant: emission.capName, plan }),
    );
  }

  #execute(flight: Flight, request: EmissionRequest): void {
    const adapter = flight.adapter!;
    flight.context ??= new FlightContext(this, flight);
    if (adapter.execute === undefined) {
      this.#settle(
        flight,
        errorOutcome('adapter.exception', `adapter ${adapter.id} performs no ${flight.deliveryClass} effects`),
        adapter.id,
      );
      return;
    }
    this.options.failpoints?.reach('dispatch.calling', flight.emission.kind);
    let answer: Promise<EffectOutcome>;
    try {
      answer = Promise.resolve(adapter.execute(request, flight.context));
    } catch (error) {
      this.#answered(flight, thrownOutcome(error), true);
      return;
    }
    answer.then(
      (outcome) => this.#answered(flight, checkedOutcome(outcome), false),
      (error: unknown) => this.#answered(flight, thrownOutcome(error), true),
    );
  }

  #answered(flight: Flight, outcome: EffectOutcome, isThrown: boolean): void {
    // Given up, settled by somebody else, or the world has stopped: a late result is dropped.
    if (flight.state !== 'running' || this.#isStopped) return;
    this.options.failpoints?.reach('dispatch.called', flight.emission.kind);
    if (flight.isExpired) {
      if (outcome.status === 'error') {
        const payload = isThrown ? undefined : outcome.payload;
        this.#settle(flight, timeoutOutcome(payload), flight.adapter!.id);
      } else this.#settle(flight, outcome, flight.adapter!.id);
      return;
    }
    if (outcome.status !== 'ok' && this.#retryLater(flight, outcome)) return;
    this.#settle(flight, outcome, flight.adapter!.id);
  }

  /** §3.2: all attempts share the time limit. @returns whether another attempt will come. */
  #retryLater(flight: Flight, outcome: Extract<EffectOutcome, { status: 'error' | 'timeout' }>): boolean {
    const { effects, clock, log, onHostEvent, random } = this.options;
    const { error } = outcome;
    const policy = effects.retryOf[flight.adapter!.id] ?? effects.retry;
    if (error.retryable !== true || flight.retries >= policy.max) return false;
    if (flight.deliveryClass === 'at_most_once' && error.notSent !== true) return false;
    if (this.#isDraining && this.#leaveToNextStart(flight)) return true;
    const pauseMs = retryPauseMs(policy, flight.retries, error.retryAfterMs, random);
    const leftMs = Number(flight.deadlineNs - clock.monoNs()) / 1e6;
    if (pauseMs >= leftMs) return false;
    const { emissionSeq, kind } = flight.emission;
    const { attempt } = flight.request;
    onHostEvent?.({ event: 'attempt_failed', emissionSeq, kind, attempt, code: error.code });
    log.debug('an attempt failed and is repeated', {
      kind,
      emission: emissionSeq,
      attempt,
      code: error.code,
      pause_ms: Math.round(pauseMs),
    });
    flight.retries++;
    flight.request = flight.request.with({ attempt: attempt + 1, injected: undefined });
    flight.pause = { untilNs: clock.wallNs() + BigInt(Math.ceil(pauseMs * 1e6)), code: error.code };
    this.#after(pauseMs, () => {
      flight.pause = undefined;
      if (flight.state !== 'running' || flight.isExpired || this.#isStopped) return;
      if (flight.deliveryClass === 'at_most_once') this.#mark(flight);
      else this.#attempt(flight);
    });
    return true;
  }

  #after(ms: number, fn: () => void): void {
    const { clock } = this.options;
    const cancel = clock.setTimer(clock.monoNs() + BigInt(Math.ceil(ms * 1e6)), () => {
      this.#cancelAfter.delete(cancel);
      fn();
    });
    this.#cancelAfter.add(cancel);
  }

  // Time limits: one timer for all effects in flight

  #sweepBy(atNs: bigint): void {
    if (this.#sweepAtNs !== undefined && this.#sweepAtNs <= atNs) return;
    this.#cancelSweep?.();
    this.#sweepAtNs = atNs;
    this.#cancelSweep = this.options.clock.setTimer(atNs, () => this.#sweep());
  }

  #sweep(): void {
    this.#sweepAtNs = undefined;
    const now = this.options.clock.monoNs();
    let nextNs: bigint | undefined;
    for (const flight of [...this.#running]) {
      if (!flight.isExpired && flight.deadlineNs <= now) {
        flight.isExpired = true;
        flight.abort('timeout');
      }
      const endNs = flight.isExpired ? flight.deadlineNs + ABORT_GRACE_NS : flight.deadlineNs;
      if (flight.isExpired && endNs <= now) {
        this.options.log.warn('an adapter ignored its time limit; its result is given up', {
          adapter: flight.adapter!.id,
          kind: flight.emission.kind,
          emission: flight.emission.emissionSeq,
        });
        this.#settle(flight, timeoutOutcome(undefined), flight.adapter!.id);
      } else if (nextNs === undefined || endNs < nextNs) nextNs = endNs;
    }
    if (nextNs !== undefined && !this.#isStopped) this.#sweepBy(nextNs);
  }

  // Deferred effects

  #register(flight: Flight, adapter: EffectAdapter): void {
    flight.state = 'deferred';
    this.#unfinished--;
    this.#deferredByIntent.set(flight.request.intentHash, flight);
    this.#wakeIdle();
    if (adapter.register === undefined) return;
    flight.context ??= new FlightContext(this, flight);
    const refusal = (outcome: EffectOutcome) => this.#finishDeferred(flight, outcome, adapter.id);
    try {
      Promise.resolve(adapter.register(flight.request, flight.context)).then(
        (outcome) => {
          if (outcome !== undefined) refusal(checkedOutcome(outcome));
        },
        (error: unknown) => refusal(thrownOutcome(error)),
      );
    } catch (error) {
      refusal(thrownOutcome(error));
    }
  }

  #finishDeferred(flight: Flight, outcome: EffectOutcome, adapterId: string): void {
    if (flight.state !== 'deferred' || this.#isStopped) return;
    this.#unfinished++;
    this.#settle(flight, outcome, adapterId);
  }

  /**
   * Ends a deferred effect of this world.
   *
   * @returns what the kernel made of it once that is durable; undefined when no such effect is open.
   */
  complete(emissionSeq: number, outcome: EffectOutcome): Promise<Applied | HostFailure> | undefined {
    const flight = this.#held.get(emissionSeq);
    if (flight?.state !== 'deferred') return undefined;
    return new Promise((resolve) => {
      flight.onSettled(resolve);
      this.#finishDeferred(flight, outcome, flight.adapter!.id);
    });
  }

  /** `AdapterCtx.complete`: only the adapter that registered an intent may end it. */
  async completeByIntent(adapter: EffectAdapter, intentHash: string, outcome: EffectOutcome): Promise<void> {
    const flight = this.#deferredByIntent.get(intentHash);
    if (flight === undefined || flight.adapter !== adapter) return;
    await this.complete(flight.emission.emissionSeq, checkedOutcome(outcome));
  }

  // Endings

  #settle(flight: Flight, outcome: EffectOutcome, adapterId: string): void {
    if (flight.state === 'finished') return;
    flight.state = 'finished';
    const { blobs, openBlobs, redactor, pinnedCatalog, maxReceiptBytes, allowEcho } = this.options;
    const mayEcho = allowEcho.includes(flight.emission.kind);
    const rules = {
      catalog: pinnedCatalog(flight.emission),
      maxReceiptBytes: maxReceiptBytes(),
      redactor,
      blobs: mayEcho ? openBlobs : blobs,
      mayEcho,
    };
    const receipt = receiptOf(flight.emission, adapterId, outcome, rules);
    if (receipt instanceof Promise) receipt.then((ready) => this.#hand(flight, ready));
    else this.#hand(flight, receipt);
    this.#leaveLane(flight);
  }

  #hand(flight: Flight, receipt: UnsignedReceipt): void {
    if (this.#isStopped) return;
    flight.receipt = receipt;
    this.options.deliver(flight);
  }

  /** The loop made a finished receipt durable. */
  receiptDurable(flight: Flight, applied: Applied): void {
    this.#release(flight);
    // Refused: its row is claimable again (commit step 6), and somebody has to look.
    if (applied.outcome.kind === 'rejected') this.options.onUnclaimed();
  }

  /** An emission was settled, by whatever receipt. */
  settledElsewhere(emissionSeq: number): void {
    const flight = this.#held.get(emissionSeq);
    if (flight === undefined || flight.state === 'finished') return;
    const wasDeferred = flight.state === 'deferred';
    flight.state = 'finished';
    if (wasDeferred) this.#unfinished++;
    flight.abort('settled');
    this.#leaveLane(flight);
    this.#release(flight);
  }

  #release(flight: Flight): void {
    if (this.#held.get(flight.emission.emissionSeq) !== flight) return;
    flight.state = 'finished';
    this.#held.delete(flight.emission.emissionSeq);
    this.#unfinished--;
    this.#leaveLane(flight);
    if (flight.deliveryClass === 'deferred') {
      const intentHash = hashText(flight.emission.intentHash);
      if (this.#deferredByIntent.get(intentHash) === flight) this.#deferredByIntent.delete(intentHash);
      flight.adapter?.cancel?.(intentHash, 'settled').catch((error: unknown) => {
        this.options.log.warn('an adapter failed to let go of an effect', {
          adapter: flight.adapter?.id,
          error: String(error),
        });
      });
    }
    this.#wakeIdle();
  }

  #wakeIdle(): void {
    if (this.#unfinished > 0) return;
    for (const wake of this.#idleWaiters.splice(0)) wake();
  }

  /** Resolves when nothing but deferred effects is open. */
  idle(): Promise<void> {
    return this.#unfinished === 0 ? Promise.resolve() : new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /**
   * The world is about to stop. Who is being called may still answer, but nobody waits for another attempt: what pauses
   * before one is left to the next start, as after a crash.
   */
  drain(): void {
    this.#isDraining = true;
    for (const flight of [...this.#running]) if (flight.pause !== undefined) this.#leaveToNextStart(flight);
  }

  /** @returns false for what the next start could not take up: its mark would say that it may have been sent. */
  #leaveToNextStart(flight: Flight): boolean {
    if (flight.deliveryClass === 'at_most_once') return false;
    this.#release(flight);
    return true;
  }

  /** Aborts what runs, without receipts; nothing is handed over any more. */
  stop(reason: string): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#cancelSweep?.();
    for (const cancel of this.#cancelAfter) cancel();
    this.#cancelAfter.clear();
    for (const flight of this.#held.values()) if (flight.state === 'running') flight.abort(reason);
    for (const wake of this.#idleWaiters.splice(0)) wake();
  }
}

/** What one effect's adapter gets; the signal is made only when it is looked at. */
class FlightContext implements AdapterCtx {
  readonly #dispatcher: Dispatcher;
  readonly #flight: Flight;
  readonly clock: Clock;
  readonly log: Logger;
  readonly blobs: Blobs;
  readonly http: GuardedHttp;

  constructor(dispatcher: Dispatcher, flight: Flight) {
    const { clock, log, blobs, openBlobs, http, allowEcho } = dispatcher.options;
    this.#dispatcher = dispatcher;
    this.#flight = flight;
    this.clock = clock;
    this.log = log;
    this.blobs = allowEcho.includes(flight.emission.kind) ? openBlobs : blobs;
    this.http = http;
  }

  get signal(): AbortSignal {
    return this.#flight.signal;
  }

  recheckCap(params: CborValue): CapVerdict {
    let paramsCbor: Uint8Array;
    try {
      paramsCbor = encode(params);
    } catch {
      return { ok: false, code: 'effect.params_invalid', message: 'the changed params cannot be encoded' };
    }
    return this.#dispatcher.options.recheckCap(this.#flight.emission, paramsCbor);
  }

  typeHash(schema: string): string | undefined {
    const catalog = this.#dispatcher.options.pinnedCatalog(this.#flight.emission);
    const digest = catalog.schemas.has(schema) ? typeDigest({ kind: 'ref', name: schema }, catalog.scope) : undefined;
    return digest && hashText(digest);
  }

  complete(intentHash: string, outcome: EffectOutcome): Promise<void> {
    return this.#dispatcher.completeByIntent(this.#flight.adapter!, intentHash, outcome);
  }
}

function timeoutOutcome(payload: CborValue | undefined): EffectOutcome {
  return {
    status: 'timeout',
    error: { code: 'adapter.timeout', message: 'the time limit is over', retryable: true },
    payload,
  };
}

/**
 * Pause before retry number `retries + 1`, ms: full jitter over the exponential step, or what the provider asked for.
 *
 * @param random - in [0, 1).
 */
export function retryPauseMs(
  policy: RetryPolicy,
  retries: number,
  retryAfterMs: number | undefined,
  random: () => number,
): number {
  if (retryAfterMs !== undefined && retryAfterMs >= 0) return retryAfterMs;
  return random() * Math.min(policy.capMs, policy.baseMs * policy.factor ** retries);
}
