import type { Applied, Emission } from '@worldline/kernel';
import type { AdapterCtx, DeliveryClass, EffectAdapter } from '@worldline/ports';
import type { EmissionRequest } from './effect-request.ts';
import type { HostFailure } from './failure.ts';
import type { FinishedReceipt } from './loop-input.ts';
import type { UnsignedReceipt } from './signer.ts';

export interface FlightParts {
  readonly emission: Emission;
  /** Absent when nobody here performs the kind. */
  readonly adapter: EffectAdapter | undefined;
  /** Under which its outbox row is claimed. */
  readonly token: Uint8Array;
  readonly request: EmissionRequest;
  /** Its receipt is durable; called before anybody else who waits for that. */
  readonly onReceipt: (flight: Flight, applied: Applied) => void;
}

/**
 * One effect that is held here, from its durable intent until its receipt is durable.
 *
 * `queued` → `running`, or `deferred` where somebody outside ends it; then `finished`: there is an outcome, or it is none
 * of ours any more.
 */
export class Flight implements FinishedReceipt {
  readonly emission: Emission;
  readonly adapter: EffectAdapter | undefined;
  token: Uint8Array;
  state: 'queued' | 'running' | 'deferred' | 'finished' = 'queued';
  deliveryClass: DeliveryClass = 'read';
  request: EmissionRequest;
  /** Made for the first call. */
  context: AdapterCtx | undefined;
  deadlineNs = 0n;
  retries = 0;
  /** While it waits for its next attempt: when that comes, by the wall clock, and what ended the one before. */
  pause: { readonly untilNs: bigint; readonly code: string } | undefined;
  isExpired = false;
  receipt!: UnsignedReceipt;
  /** Made when somebody looks at the signal, or when it fires. */
  #controller: AbortController | undefined;
  readonly #onReceipt: FlightParts['onReceipt'];
  readonly #settled: ((applied: Applied | HostFailure) => void)[] = [];

  constructor({ emission, adapter, token, request, onReceipt }: FlightParts) {
    this.emission = emission;
    this.adapter = adapter;
    this.token = token;
    this.request = request;
    this.#onReceipt = onReceipt;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  abort(reason: string): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(new DOMException(reason, reason === 'timeout' ? 'TimeoutError' : 'AbortError'));
  }

  /** Called with what the kernel made of its receipt once that is durable, or with why it will not be. */
  onSettled(fn: (applied: Applied | HostFailure) => void): void {
    this.#settled.push(fn);
  }

  onDurable(applied: Applied): void {
    this.#onReceipt(this, applied);
    for (const fn of this.#settled) fn(applied);
  }

  onDropped(failure: HostFailure): void {
    for (const fn of this.#settled) fn(failure);
  }
}
