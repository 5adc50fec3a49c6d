import type { Catalog } from '@worldline/air';
import { type CborValue, hashText } from '@worldline/canon';
import type { Applied, CapVerdict, Emission } from '@worldline/kernel';
import type {
  AdapterEnv,
  Blobs,
  Clock,
  EffectAdapter,
  EffectOutcome,
  Failpoints,
  GuardedHttp,
  Logger,
  Store,
} from '@worldline/ports';
import type { EffectsConfig } from './config.ts';
import { EmissionRequest } from './effect-request.ts';
import { EffectSecrets } from './effect-secrets.ts';
import type { HostFailure } from './failure.ts';
import { Flight } from './flight.ts';
import { FlightContext } from './flight-context.ts';
import { Lanes } from './lanes.ts';
import type { FinishedReceipt } from './loop-input.ts';
import { checkedOutcome, errorOutcome, type OutcomeRules, receiptOf, thrownOutcome } from './outcome.ts';
import { type AdapterRegistry, DISPATCHER_ID } from './registry.ts';
import { mayRetry, retryPauseMs } from './retry.ts';
import type { Redactor, SecretResolver } from './secrets.ts';
import type { UnsignedReceipt } from './signer.ts';
import { TimeLimits } from './time-limits.ts';

/**
 * Performs durable external intents and hands their receipts to the loop (`host.md` §3, §4).
 *
 * D1  Only intents whose batch is durable come here; each is held until its receipt is durable.
 * D2  Every intent ends in exactly one outcome handed over, unless the world stops or the process ends first.
 * D3  Before an `at_most_once` call the outbox row carries a started mark; a row that comes back with it is not run.
 * D4  Nothing an adapter does (throw, hang, answer twice, answer nonsense) reaches the loop as anything but a receipt.
 * D5  Once stopped it calls no adapter for an effect and hands nothing over: the world may be another process's by then.
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

const MARK_RETRY_MS = 250;

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #held = new Map<number, Flight>();
  readonly #deferredByIntent = new Map<string, Flight>();
  readonly #lanes: Lanes<Flight>;
  readonly #limits: TimeLimits<Flight>;
  readonly #secrets: EffectSecrets;
  #unfinished = 0;
  #isDraining = false;
  #isStopped = false;
  /** Ends the timers of pauses. */
  readonly #cancelAfter = new Set<() => void>();
  #idleWaiters: (() => void)[] = [];

  constructor(options: DispatcherOptions) {
    this.#options = options;
    const { registry, effects, clock } = options;
    this.#lanes = new Lanes(registry.adapters, effects.maxInFlight, (flight) => this.#begin(flight));
    this.#limits = new TimeLimits({ clock, running: this.#lanes.running, giveUp: (flight) => this.#giveUp(flight) });
    this.#secrets = new EffectSecrets(options);
  }

  async startAdapters(): Promise<void> {
    const { worldId, universeId, clock, log, blobs, http, registry } = this.#options;
    const env: AdapterEnv = { worldId, universeId, clock, log, blobs, http };
    for (const adapter of registry.adapters) await adapter.start?.(env);
  }

  async stopAdapters(): Promise<void> {
    for (const adapter of this.#options.registry.adapters) {
      try {
        await adapter.stop?.();
      } catch (error) {
        this.#options.log.warn('an adapter did not stop cleanly', { adapter: adapter.id, error: String(error) });
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
    return this.#lanes.running.size;
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
    const { worldId, registry, liveCatalog, effects } = this.#options;
    const adapter = registry.find(emission.kind);
    const parts = { worldId, emission, catalog: liveCatalog(), attempt: claim.attempt, recovered: claim.attempt > 1 };
    const flight = new Flight({
      emission,
      adapter,
      token: claim.token,
      request: new EmissionRequest(parts),
      onReceipt: this.#receiptDurable,
    });
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
    this.#lanes.enter(flight);
  }

  #begin(flight: Flight): void {
    const { clock, effects } = this.#options;
    flight.state = 'running';
    flight.deadlineNs = clock.monoNs() + BigInt(flight.adapter!.timeoutMs ?? effects.timeoutMs) * 1_000_000n;
    this.#limits.watch(flight.deadlineNs);
    if (flight.deliveryClass === 'at_most_once') this.#mark(flight);
    else this.#attempt(flight);
  }

  // The started mark (§3.3)

  #mark(flight: Flight): void {
    const { store, worldId, log } = this.#options;
    store.outbox.start(worldId, flight.emission.emissionSeq, flight.token).then(
      (answer) => {
        if (flight.state !== 'running' || this.#isStopped) return;
        if (answer.answer === 'ok') {
          this.#options.failpoints?.reach('dispatch.marked', flight.emission.kind);
          this.#attempt(flight);
        } else if (answer.answer === 'lost') {
          // Another claim owns the row now; its owner performs it.
          this.#release(flight);
          this.#options.onUnclaimed();
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
    this.#options.onHostEvent?.({
      event: 'dispatch',
      emissionSeq: emission.emissionSeq,
      kind: emission.kind,
      attempt: flight.request.attempt,
    });
    if (!this.#secrets.mayHold(emission)) {
      this.#execute(flight, flight.request);
      return;
    }
    this.#secrets.inject(emission, flight.request.params).then(
      (injected) => {
        if (flight.state !== 'running' || this.#isStopped) return;
        if (injected.ok)
          this.#execute(flight, flight.request.with({ attempt: flight.request.attempt, injected: injected.value }));
        else this.#settle(flight, errorOutcome(injected.code, injected.message), DISPATCHER_ID);
      },
      (error: unknown) => this.#settle(flight, thrownOutcome(error), DISPATCHER_ID),
    );
  }

  #execute(flight: Flight, request: EmissionRequest): void {
    const adapter = flight.adapter!;
    flight.context ??= this.#contextOf(flight);
    if (adapter.execute === undefined) {
      this.#settle(
        flight,
        errorOutcome('adapter.exception', `adapter ${adapter.id} performs no ${flight.deliveryClass} effects`),
        adapter.id,
      );
      return;
    }
    this.#options.failpoints?.reach('dispatch.calling', flight.emission.kind);
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

  #contextOf(flight: Flight): FlightContext {
    const { clock, log, http, pinnedCatalog, recheckCap } = this.#options;
    const { blobs } = this.#echoRules(flight.emission.kind);
    return new FlightContext(flight, {
      clock,
      log,
      http,
      blobs,
      pinnedCatalog,
      recheckCap,
      complete: (intentHash, outcome) => this.#completeByIntent(flight.adapter!, intentHash, outcome),
    });
  }

  #answered(flight: Flight, outcome: EffectOutcome, isThrown: boolean): void {
    // Given up, settled by somebody else, or the world has stopped: a late result is dropped.
    if (flight.state !== 'running' || this.#isStopped) return;
    this.#options.failpoints?.reach('dispatch.called', flight.emission.kind);
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

  #giveUp(flight: Flight): void {
    this.#options.log.warn('an adapter ignored its time limit; its result is given up', {
      adapter: flight.adapter!.id,
      kind: flight.emission.kind,
      emission: flight.emission.emissionSeq,
    });
    this.#settle(flight, timeoutOutcome(undefined), flight.adapter!.id);
  }

  /** §3.2: all attempts share the time limit. @returns whether another attempt will come. */
  #retryLater(flight: Flight, outcome: Extract<EffectOutcome, { status: 'error' | 'timeout' }>): boolean {
    const { effects, clock, log, onHostEvent, random } = this.#options;
    const { error } = outcome;
    const policy = effects.retryOf[flight.adapter!.id] ?? effects.retry;
    if (!mayRetry(error, flight.deliveryClass, flight.retries, policy)) return false;
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
    const { clock } = this.#options;
    const cancel = clock.setTimer(clock.monoNs() + BigInt(Math.ceil(ms * 1e6)), () => {
      this.#cancelAfter.delete(cancel);
      fn();
    });
    this.#cancelAfter.add(cancel);
  }

  // Deferred effects

  #register(flight: Flight, adapter: EffectAdapter): void {
    flight.state = 'deferred';
    this.#unfinished--;
    this.#deferredByIntent.set(flight.request.intentHash, flight);
    this.#wakeIdle();
    if (adapter.register === undefined) return;
    flight.context ??= this.#contextOf(flight);
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
  async #completeByIntent(adapter: EffectAdapter, intentHash: string, outcome: EffectOutcome): Promise<void> {
    const flight = this.#deferredByIntent.get(intentHash);
    if (flight === undefined || flight.adapter !== adapter) return;
    await this.complete(flight.emission.emissionSeq, checkedOutcome(outcome));
  }

  // Endings

  #settle(flight: Flight, outcome: EffectOutcome, adapterId: string): void {
    // Once stopped nobody takes a receipt, and a place given back would begin the next effect.
    if (flight.state === 'finished' || this.#isStopped) return;
    flight.state = 'finished';
    const { redactor, pinnedCatalog, maxReceiptBytes } = this.#options;
    const rules = {
      catalog: pinnedCatalog(flight.emission),
      maxReceiptBytes: maxReceiptBytes(),
      redactor,
      ...this.#echoRules(flight.emission.kind),
    };
    const receipt = receiptOf(flight.emission, adapterId, outcome, rules);
    if (receipt instanceof Promise) receipt.then((ready) => this.#hand(flight, ready));
    else this.#hand(flight, receipt);
    this.#lanes.leave(flight);
  }

  /** Whether results of the kind may hold secrets, and the blobs that take them (`secrets.allow_echo`). */
  #echoRules(kind: string): Pick<OutcomeRules, 'mayEcho' | 'blobs'> {
    const { allowEcho, blobs, openBlobs } = this.#options;
    const mayEcho = allowEcho.includes(kind);
    return { mayEcho, blobs: mayEcho ? openBlobs : blobs };
  }

  #hand(flight: Flight, receipt: UnsignedReceipt): void {
    if (this.#isStopped) return;
    flight.receipt = receipt;
    this.#options.deliver(flight);
  }

  /** The loop made a finished receipt durable. */
  readonly #receiptDurable = (flight: Flight, applied: Applied): void => {
    this.#release(flight);
    // Refused: its row is claimable again (commit step 6), and somebody has to look.
    if (applied.outcome.kind === 'rejected') this.#options.onUnclaimed();
  };

  /** An emission was settled, by whatever receipt. */
  settledElsewhere(emissionSeq: number): void {
    const flight = this.#held.get(emissionSeq);
    if (flight === undefined || flight.state === 'finished') return;
    const wasDeferred = flight.state === 'deferred';
    flight.state = 'finished';
    if (wasDeferred) this.#unfinished++;
    flight.abort('settled');
    this.#lanes.leave(flight);
    this.#release(flight);
  }

  #release(flight: Flight): void {
    if (this.#held.get(flight.emission.emissionSeq) !== flight) return;
    flight.state = 'finished';
    this.#held.delete(flight.emission.emissionSeq);
    this.#unfinished--;
    this.#lanes.leave(flight);
    if (flight.deliveryClass === 'deferred') {
      const intentHash = hashText(flight.emission.intentHash);
      if (this.#deferredByIntent.get(intentHash) === flight) this.#deferredByIntent.delete(intentHash);
      flight.adapter?.cancel?.(intentHash, 'settled').catch((error: unknown) => {
        this.#options.log.warn('an adapter failed to let go of an effect', {
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
    for (const flight of [...this.#lanes.running]) if (flight.pause !== undefined) this.#leaveToNextStart(flight);
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
    this.#limits.stop();
    for (const cancel of this.#cancelAfter) cancel();
    this.#cancelAfter.clear();
    for (const flight of this.#held.values()) if (flight.state === 'running') flight.abort(reason);
    for (const wake of this.#idleWaiters.splice(0)) wake();
  }
}

function timeoutOutcome(payload: CborValue | undefined): EffectOutcome {
  return {
    status: 'timeout',
    error: { code: 'adapter.timeout', message: 'the time limit is over', retryable: true },
    payload,
  };
}
