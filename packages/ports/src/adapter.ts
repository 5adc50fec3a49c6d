import type { CborValue, Result } from '@worldline/canon';
import type { Clock } from './clock.ts';

/**
 * Effect adapters (`host.md` §2, §4): what performs the effects of one or more kinds in the world outside.
 *
 * A1  An adapter is called only after the batch with its intent is durable, and never decides anything recorded: its
 *     outcome becomes a receipt, and only the receipt reaches the kernel.
 * A2  An adapter answers with an `EffectOutcome`. What it throws becomes `adapter.exception`; what does not conform
 *     becomes `adapter.bad_payload`. Nothing an adapter does can stop a world.
 */

/** The platform's `AbortSignal` where there is one; these packages name no platform type themselves. */
// biome-ignore lint/style/noRestrictedGlobals: a type query, gone before anything runs
export type Signal = typeof globalThis extends { AbortSignal: { prototype: infer T } } ? T : AbortSignalLike;

export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: 'abort', listener: () => void, options?: { readonly once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Lines for the operator. Never journaled; the host redacts secrets before anything is written. */
export interface Logger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What a crash may do to the external call (`host.md` §3.1). Internal kinds never reach an adapter. */
export type DeliveryClass = 'read' | 'keyed' | 'at_most_once' | 'deferred';

export interface EffectOrigin {
  readonly kind: 'plan' | 'reducer';
  readonly name: string;
  readonly planId?: number | undefined;
  readonly stepId?: string | undefined;
  readonly key?: Uint8Array | undefined;
}

export interface EffectGrant {
  readonly name: string;
  /** Name of the defcap, `sys/http.out@1`. */
  readonly cap: string;
  /** Decoded like `EffectRequest.params`. */
  readonly params: CborValue;
  readonly expiryNs?: bigint | undefined;
}

export interface EffectRequest {
  /** `sha256:…` */
  readonly intentHash: string;
  /** Which emission of that intent. */
  readonly emissionSeq: number;
  /** `sha256:…`, unique per world and emission (`hosting.md` §2). */
  readonly dispatchId: string;
  readonly worldId: string;
  readonly kind: string;
  readonly capName: string;
  /** Canonical, hash-verified, secret references intact. */
  readonly paramsCbor: Uint8Array;
  /**
   * Decoded from `paramsCbor`, secrets injected: records and text-keyed maps are null-prototype objects, other maps are
   * `Map`, integers are numbers when safe and bigints beyond, bytes are `Uint8Array`, hashes, uuids and decimals are
   * text, variants are `{$tag, $value}`, an absent option is `null`.
   */
  readonly params: CborValue;
  /** 32 bytes, all zero when unset. */
  readonly idempotencyKey: Uint8Array;
  /** What a provider is shown so that repeats are one operation: 64 lower-case hex digits (`host.md` §3.4). */
  readonly externalKey: string;
  readonly origin: EffectOrigin;
  readonly grant: EffectGrant;
  readonly enqueuedLogicalNs: bigint;
  /** 1-based, over all attempts of this process and the claims before it. */
  readonly attempt: number;
  /** Dispatched again after a restart. */
  readonly recovered: boolean;
}

export interface EffectError {
  /** `area.reason`, permanent. */
  readonly code: string;
  /** Cut to 2 KiB. */
  readonly message: string;
  /** The same request may succeed later. `read` and `keyed` requests are then retried within the time limit. */
  readonly retryable?: boolean | undefined;
  /** JSON-like data, stored as a blob; the receipt names it. */
  readonly detail?: unknown;
  /** Nothing left this process, so that even an `at_most_once` request may be tried again. Not part of the receipt. */
  readonly notSent?: boolean | undefined;
  /** The provider asked for this pause before a retry. Not part of the receipt. */
  readonly retryAfterMs?: number | undefined;
}

export type EffectOutcome =
  | {
      readonly status: 'ok';
      /** The receipt schema's value in the form of `EffectRequest.params`; missing option fields are allowed. */
      readonly payload: CborValue;
      readonly costCents?: bigint | undefined;
    }
  | {
      readonly status: 'error' | 'timeout';
      readonly error: EffectError;
      /** Kept when it conforms to the receipt schema, else dropped. */
      readonly payload?: CborValue | undefined;
      readonly costCents?: bigint | undefined;
    };

export type BlobFailure = {
  readonly code: 'blob.missing' | 'blob.too_large' | 'blob.corrupt' | 'blob.unavailable';
  readonly message: string;
};

/** Raw bytes by `sha256:…` of themselves. */
export interface Blobs {
  /** Bytes whose hash was checked. */
  get(hash: string, options?: { readonly maxBytes?: number }): Promise<Result<Uint8Array, BlobFailure>>;
  /** Returns when the bytes are durable. Refuses bytes that contain a secret (`host.md` §6.4): rejects with a `SecretLeak`. */
  put(bytes: Uint8Array): Promise<string>;
  has(hash: string): Promise<boolean>;
}

/** What an adapter throws, or `Blobs.put` rejects with, to become an error receipt with this code. */
export interface CodedError extends Error {
  readonly code: string;
}

export interface GuardedRequest {
  readonly method: string;
  readonly url: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  readonly signal: Signal;
  readonly connectTimeoutMs?: number | undefined;
  readonly maxBodyBytes: number;
  /**
   * Hosts that the grant names explicitly. A denied address is reachable only when the host or its CIDR is listed in
   * `http.allow_private` *and* the host is named here.
   */
  readonly grantedHosts: readonly string[];
  /** Asked before each redirect is followed; absent: redirects are returned, not followed. */
  readonly recheck?: ((hop: { readonly url: string; readonly method: string }) => CapVerdict) | undefined;
}

export interface GuardedResponse {
  readonly status: number;
  /** Wire order, names in lower case, repeated names kept apart. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
  /** URL that answered, after redirects. */
  readonly url: string;
}

export interface GuardedFailure {
  /** `http.url_invalid`, `http.address_denied`, `http.redirect_denied`, `http.dns`, `http.connect`, `http.tls`, `http.reset`, `http.response_too_large`, `http.read`; `adapter.timeout` when the signal fired. */
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  /** No byte of the request was written to a connection. */
  readonly notSent: boolean;
}

/** Outbound HTTP behind the URL and network guard of `host.md` §5.1, shared by every adapter. */
export interface GuardedHttp {
  request(request: GuardedRequest): Promise<Result<GuardedResponse, GuardedFailure>>;
}

export type CapVerdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** What an adapter gets once, before its first request. */
export interface AdapterEnv {
  readonly worldId: string;
  readonly universeId: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly blobs: Blobs;
  readonly http: GuardedHttp;
}

export interface AdapterCtx {
  /** Fires when the time limit is over or the world stops. An adapter then has 5 s to come back. */
  readonly signal: Signal;
  readonly clock: Clock;
  readonly log: Logger;
  readonly blobs: Blobs;
  readonly http: GuardedHttp;
  /** Judges changed params under the request's grant and kind, as the gate did; for redirects. Records nothing. */
  recheckCap(params: CborValue): CapVerdict;
  /** `sha256:…` of the expanded type that the definitions of the request's origin have for a schema; undefined: none. */
  typeHash(schema: string): string | undefined;
  /** Deferred completion. Resolves when the receipt is durable; a second completion is ignored. */
  complete(intentHash: string, outcome: EffectOutcome): Promise<void>;
}

export interface EffectAdapter {
  /** `adapter_id` of its receipts, `host.http`. Ids beginning `kernel.` or `manual.`, `timer.set` and `host.dispatch` are reserved. */
  readonly id: string;
  /** `http.request`, or `mcp.call.*` with one trailing wildcard. */
  readonly kinds: readonly string[];
  /** Pure: asked again after a restart, and must then answer the same. */
  classify(request: EffectRequest): DeliveryClass;
  /** Own time limit; absent: `effects.timeout_ms`. */
  readonly timeoutMs?: number | undefined;
  /** Requests in flight at once, default 16. */
  readonly maxConcurrency?: number | undefined;
  start?(env: AdapterEnv): Promise<void>;
  /** Everything but `deferred`. */
  execute?(request: EffectRequest, ctx: AdapterCtx): Promise<EffectOutcome>;
  /**
   * Takes note of a deferred request; also after every restart. An outcome it returns settles the request at once (a
   * refusal); otherwise `ctx.complete` does, or the host for `approval.request`.
   */
  register?(request: EffectRequest, ctx: AdapterCtx): Promise<EffectOutcome | void>;
  /** A deferred request is over without this adapter: withdrawn, or decided elsewhere. */
  cancel?(intentHash: string, reason: string): Promise<void>;
  stop?(): Promise<void>;
}
